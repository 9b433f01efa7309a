//! All outputs together, and the table of them.

use super::choice::{Asked, MessageChoice};
use super::exchange::{FIRST_STREAM, goes_over};
use super::files::{FileOptions, Files};
use super::follow::Follow;
use super::har::Har;
use super::json::{self, Json};
use super::options::{OutputKind, OutputOptions};
use super::order::{ExchangeOrder, MessageEvent, TakesTurns};
use super::output::{Output, forward_events, kept, take_kept};
use super::packets::{OriginalOutput, OriginalOutputs, PacketOptions, PacketOutput, PacketOutputs};
use super::pairing::{Paired, Pairing, is_interim};
use super::ports::{OddPort, Ports};
use super::print::{self, Print};
use super::program::ReadingProgram;
use super::saved::{StateError, StateReader, StateWriter};
use super::serve::{ServedClients, ServedCounters};
use super::streams::{Dump, DumpToStdout, Template};
use super::table::Table;
use super::watch::Watch;
use super::writer::{self, OutputError, Reopened, Target, Writer};
use crate::base::connection_rule::ConnectionRule;
use crate::base::context::Context;
use crate::base::counters::{ChannelCounters, Counters, OutputCounters};
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::message::Kind;
use crate::base::packet::{CaptureBlock, Interface, LinkType};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::AgedTable;
use crate::base::stream::GapCause;
use crate::base::time::{Instant, Timestamp};
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece, kind};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::UserMessage;
use crate::transport::stream::StreamContext;
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

/// Makes the table of outputs: each row is a field of [`OutputTable`] and one of [`OutputState`], and gets every event.
macro_rules! outputs {
    ($( $(#[$doc:meta])* $name:ident: $Output:ty; )*) => {
        /// What the outputs keep with a connection: nothing before its first message begins.
        #[derive(Debug, Default, Serialize, Deserialize)]
        pub struct OutputState {
            $( $name: <$Output as MessageSink>::State, )*
            /// By direction: the message that is open was not chosen, and only files get it, which need requests for their names.
            passed_over: [bool; 2],
            /// Records of TLS of the connection are opened, and what they hold is told apart.
            opened: bool,
            /// Where an output shows what answers what: the requests that wait.
            pairing: Option<Box<Pairing>>,
            /// `--pair`: what is held until its turn comes.
            order: Option<Box<ExchangeOrder>>,
        }

        /// The outputs, whatever `--connection` says.
        #[derive(Default)]
        pub(super) struct OutputTable {
            $( $(#[$doc])* pub(super) $name: $Output, )*
            /// Those in which an error has come up.
            failed: Vec<&'static str>,
            /// The reader of one of them has left.
            left: bool,
        }

        impl MessageSink for OutputTable {
            type State = OutputState;

            fn charged(&self, state: &OutputState) -> Option<usize> {
                Some(0 $( + self.$name.charged(&state.$name)? )*)
            }

            forward_events!(to_rows [$($name)*]);
        }

        impl Output for OutputTable {
            fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
                $( self.$name.begin(link_type, nanoseconds); )*
            }

            fn begins_at(&mut self, time: Timestamp) {
                $( self.$name.begins_at(time); )*
            }

            fn interfaces(&mut self, all: &[Interface]) {
                $( self.$name.interfaces(all); )*
            }

            fn block(&mut self, block: &CaptureBlock) {
                $( self.$name.block(block); )*
            }

            fn reopen(&mut self, all: &[Interface], done: &mut Reopened) {
                $( self.$name.reopen(all, done); )*
            }

            fn is_open(&self) -> Option<bool> {
                let open = |open: Option<bool>, name| open.unwrap_or_else(|| !self.failed.contains(&name));
                Some(false $(|| open(self.$name.is_open(), stringify!($name)))*)
            }

            /// Up to the first error. Breaks when what was asked for goes nowhere any more; other outputs than the one that
            /// has ended go on.
            fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
                let mut ended = !self.failed.is_empty();
                $( match self.$name.flush() {
                    Ok(flow) => {
                        ended |= flow.is_break();
                        self.left |= flow.is_break();
                    }
                    Err(e) => {
                        let name = stringify!($name);
                        if !self.failed.contains(&name) {
                            self.failed.push(name);
                        }
                        return Err(e);
                    }
                } )*
                Ok(if ended && self.is_open() == Some(false) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            }

            fn finish(&mut self) -> Result<(), OutputError> {
                let mut all = Ok(());
                $( all = all.and(self.$name.finish()); )*
                all
            }

            fn counts(&self) -> bool {
                false $(|| self.$name.counts())*
            }

            fn channels(&self, all: &mut Vec<ChannelCounters>) {
                $( self.$name.channels(all); )*
            }

            fn settle(&mut self, cx: &mut Context) {
                $( self.$name.settle(cx); )*
            }

            fn save(&self, to: &mut StateWriter) {
                $( self.$name.save(to); )*
            }

            fn load(&mut self, cx: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
                $( self.$name.load(cx, from)?; )*
                Ok(())
            }
        }
    };
}

/// For [`forward_events`]: to each row, with the row's own state.
macro_rules! to_rows {
    ([] $kind:ident $self:ident $at:ident $event:ident $args:tt) => {};
    ([$name:ident $($more:ident)*] state $self:ident $at:ident $event:ident($($arg:ident),*)) => {
        $self.$name.$event(&mut $at.with(|s| &mut s.$name) $(, $arg)*);
        to_rows!([$($more)*] state $self $at $event($($arg),*));
    };
    ([$name:ident $($more:ident)*] plain $self:ident $at:ident $event:ident($($arg:ident),*)) => {
        $self.$name.$event($at $(, $arg)*);
        to_rows!([$($more)*] plain $self $at $event($($arg),*));
    };
}

outputs! {
    /// Messages as packets.
    packets: PacketOutputs;
    /// Packets of the input as they were.
    originals: OriginalOutputs;
    /// A line for each message.
    print: Option<Print>;
    /// Connections as conversations.
    follow: Option<Follow>;
    /// Columns for scripts.
    rows: Option<Table>;
    /// `--dump -`: the chosen streams, as they come.
    raw: Option<DumpToStdout>;
    /// A file for each stream.
    dump: Option<Dump>;
    /// An object for each message and more.
    json: Option<Json>;
    /// Exchanges of HTTP as a HAR document.
    har: Option<Har>;
    /// The files that were transferred.
    files: Option<Files>;
    /// Words about connections.
    watch: Option<Watch>;
    /// What was recognised on which ports.
    ports: Option<Ports>;
}

/// Connections that have just gone over to HTTP/2: servers answer at once. For one more the oldest is forgotten, whose answer has no time
/// then.
const ASKED_OVER: usize = 256;

/// What is said where the output of HAR is empty.
const NO_EXCHANGE: &str = "--har: no exchange had ended when --count ended the run: count more messages, or write --har alone, where --count counts exchanges";

/// What is missing of the connections or messages that were chosen.
#[derive(Default)]
struct ChosenLosses {
    counters: Counters,
    /// What lies between messages belongs to none, where these are chosen.
    gaps: bool,
}

/// All outputs that were opened.
#[derive(Default)]
pub struct Outputs {
    pub(super) table: OutputTable,
    /// `--connection`: the connections that all outputs get; all where there is none.
    choice: Option<ConnectionRule>,
    /// There were such connections.
    chose: bool,
    /// Which of their messages all outputs get.
    messages: MessageChoice,
    /// Messages that may still be written, where `--count` says how many.
    left: Option<u64>,
    /// Where connections or messages are chosen: what is missing of these.
    missing: Option<Box<ChosenLosses>>,
    /// When the capture begins.
    began: Timestamp,
    /// Messages are written as packets, and nothing else is: asked once for the run, not by each event of each output.
    packets_alone: bool,
    /// Nothing is done with the streams behind messages; as above.
    streams_unheard: bool,
    /// No message has to be looked at before it begins: all are chosen, and nobody wants to know what it answers.
    unasked: bool,
    /// An output shows what answers what.
    pairs: bool,
    /// What the message answers that begins next.
    paired: Paired,
    /// By the number of the connection: when a request was sent with which it has gone over to HTTP/2.
    asked_over: AgedTable<u64, Timestamp>,
    /// The file that it is about, where it does not say that itself.
    file: Option<String>,
    /// `--pair`: messages are written in the order of their exchanges.
    orders: bool,
    /// It is the turn of what is told now.
    passing: bool,
    /// Where outputs listen.
    listening: Vec<String>,
    /// The clients of outputs that have some.
    clients: Vec<Arc<ServedClients>>,
    /// The programs that read outputs, by the names of these.
    programs: Vec<(String, Arc<ReadingProgram>)>,
}

/// For [`forward_events`]: to the table, if the connection is chosen.
macro_rules! to_chosen {
    // Written messages are counted.
    ([] $kind:ident $self:ident $at:ident end ($end:ident)) => {
        // What waits for its turn was paired when it came.
        if !$self.passing
            && let Some(pairing) = &mut $at.state.pairing
        {
            pairing.ended($at.direction, $end);
        }
        if $self.is_ordered() {
            return $self.turn_end($at, $end);
        }
        let takes = $end.whole || $self.is_full() || $at.state.passed_over[$at.direction.index()];
        if !takes && $self.takes($at.flow) {
            $self.lacks_of_message($at.flow);
        }
        to_chosen!(message count $kind $self $at end ($end))
    };
    ([] $kind:ident $self:ident $at:ident start ($start:ident)) => {
        if $self.is_ordered() && $self.takes($at.flow) {
            return $self.turn_start($at, $start);
        }
        let told;
        let $start = if $self.pairs {
            told = $self.told($start);
            &told
        } else {
            $start
        };
        to_chosen!(message chosen $kind $self $at start ($start))
    };
    ([] $kind:ident $self:ident $at:ident stream_gap ($gap:ident)) => {
        if $self.pairs && $self.takes($at.flow) {
            kept($at.cx, &mut $at.state.pairing).gap($at.cx, $at.direction, $gap);
        }
        if $self.is_ordered() {
            $self.turn_due($at);
        }
        if $at.flow.decrypted.is_some() {
            // The records that are missing have been told of.
            if $self.takes($at.flow) {
                let table = &mut $self.table;
                to_rows!([follow raw dump files] $kind table $at stream_gap ($gap));
            }
        } else if $self.takes($at.flow) {
            $self.lacks($at.flow, |lost| {
                lost.tcp.gaps += 1;
                lost.tcp.gaps_jump += u64::from($gap.len.is_none());
                lost.tcp.gaps_snapped += u64::from($gap.cause == GapCause::Snapped);
                lost.tcp.lost_octets += $gap.len.unwrap_or(0);
            });
            to_chosen!(all $kind $self $at stream_gap ($gap));
        }
    };
    ([] $kind:ident $self:ident $at:ident stream_data ($chunk:ident)) => {
        if $self.takes($at.flow) {
            if $at.flow.decrypted.is_some() {
                let table = &mut $self.table;
                to_rows!([follow raw dump files] $kind table $at stream_data ($chunk));
            } else if $at.state.opened {
                // Who wants to read it wants to read what was encrypted.
                let table = &mut $self.table;
                to_rows!([rows dump json files] $kind table $at stream_data ($chunk));
            } else {
                to_chosen!(all $kind $self $at stream_data ($chunk));
            }
        }
    };
    ([] $kind:ident $self:ident $at:ident chunk_gap ($gap:ident)) => {
        if $self.takes($at.flow) {
            $self.lacks($at.flow, |lost| lost.sctp.lost_tsns += u64::from($gap.tsns));
            to_chosen!(all $kind $self $at chunk_gap ($gap));
        }
    };
    ([] $kind:ident $self:ident $at:ident data ($piece:ident)) => {
        to_chosen!(in_turn [Octets($piece)] $kind $self $at data ($piece))
    };
    ([] $kind:ident $self:ident $at:ident gap ($gap:ident)) => {
        to_chosen!(in_turn [Gap($gap)] $kind $self $at gap ($gap))
    };
    ([] $kind:ident $self:ident $at:ident trailers ($section:ident)) => {
        to_chosen!(in_turn [Trailers($section)] $kind $self $at trailers ($section))
    };
    ([] $kind:ident $self:ident $at:ident inner ($message:ident)) => {
        to_chosen!(in_turn [Inner($message)] $kind $self $at inner ($message))
    };
    (in_turn [$what:ident $of:tt] $kind:ident $self:ident $at:ident $event:ident $args:tt) => {
        if $self.is_ordered() && !$self.turn_event($at, MessageEvent::$what $of) {
            return;
        }
        to_chosen!(message chosen $kind $self $at $event $args)
    };
    ([] $kind:ident $self:ident $at:ident carried_end $args:tt) => {
        if $self.is_ordered() {
            $self.turns_end($at);
        }
        to_chosen!(forget $kind $self $at carried_end $args)
    };
    (message $how:ident $kind:ident $self:ident $at:ident $event:ident $args:tt) => {
        if $self.is_full() {
            // As many as were wanted have ended.
        } else if $at.state.passed_over[$at.direction.index()] {
            if $self.takes($at.flow) {
                let table = &mut $self.table;
                to_rows!([files] $kind table $at $event $args);
                if table.rows_pass_over(true) {
                    to_rows!([rows] $kind table $at $event $args);
                    table.rows_pass_over(false);
                }
                if table.har_passes_over(true) {
                    to_rows!([har] $kind table $at $event $args);
                    table.har_passes_over(false);
                }
            }
        } else {
            to_chosen!($how $kind $self $at $event $args);
        }
    };
    // What is kept of pairs goes with the connection, or the stream that it carries.
    (forget $kind:ident $self:ident $at:ident $event:ident $args:tt) => {
        $self.pairs_end($at);
        to_chosen!(all $kind $self $at $event $args)
    };
    (chosen $kind:ident $self:ident $at:ident $event:ident $args:tt) => {
        if $self.takes($at.flow) {
            to_chosen!(all $kind $self $at $event $args);
        }
    };
    ([] $kind:ident $self:ident $at:ident datagram ($message:ident)) => {
        if $self.takes_datagram($at, $message) {
            if $message.payload.len() < $message.payload_len && $self.takes($at.flow) {
                $self.lacks_of_message($at.flow);
            }
            to_chosen!(count $kind $self $at datagram ($message))
        } else if !$self.is_full() && $self.takes($at.flow) {
            let table = &mut $self.table;
            to_rows!([files] $kind table $at datagram ($message));
            if table.rows_pass_over(true) {
                to_rows!([rows] $kind table $at datagram ($message));
                table.rows_pass_over(false);
            }
        }
    };
    ([] $kind:ident $self:ident $at:ident user_message ($message:ident, $protocol:ident)) => {
        if $self.takes_user_message($at.flow, $message, $protocol) {
            if !$message.whole && $self.takes($at.flow) {
                $self.lacks_of_message($at.flow);
            }
            to_chosen!(count $kind $self $at user_message ($message, $protocol))
        } else if !$self.is_full() && $self.takes($at.flow) {
            let table = &mut $self.table;
            if table.rows_pass_over(true) {
                to_rows!([rows] $kind table $at user_message ($message, $protocol));
                table.rows_pass_over(false);
            }
        }
    };
    // Outputs drop what they keep with a connection: it costs less to end what was never begun than to look again whether
    // the connection is chosen.
    ([] $kind:ident $self:ident $at:ident stream_end ($close:ident)) => {
        if $self.is_ordered() && !$self.turn_stream_end($at, $close) {
            return;
        }
        to_chosen!(all $kind $self $at stream_end ($close))
    };
    ([] $kind:ident $self:ident $at:ident closed ($close:ident)) => {
        if $self.is_ordered() {
            $self.turns_end($at);
        }
        if $at.flow.decrypted.is_some() {
            // The connection itself ends behind this: what is known of it is told then.
            $self.pairs_end($at);
            let table = &mut $self.table;
            to_rows!([packets print follow raw dump har files] $kind table $at closed ($close));
            to_rows!([rows json] $kind table $at carried_end ());
            return;
        }
        to_chosen!(forget $kind $self $at closed ($close));
        // At the end of the input all connections end behind one packet: the list of their files must not gather.
        $self.list_files();
    };
    ([] $kind:ident $self:ident $at:ident association_end $args:tt) => {
        to_chosen!(all $kind $self $at association_end $args)
    };
    ([] $kind:ident $self:ident $at:ident flow_end ($ended:ident)) => {
        if $self.takes($ended.flow) {
            to_chosen!(all $kind $self $at flow_end ($ended));
        }
    };
    // These belong to no connection.
    ([] $kind:ident $self:ident $at:ident fragments $args:tt) => { to_chosen!(all $kind $self $at fragments $args) };
    ([] $kind:ident $self:ident $at:ident unprocessed $args:tt) => { to_chosen!(all $kind $self $at unprocessed $args) };
    ([] $kind:ident $self:ident $at:ident packet $args:tt) => {
        to_chosen!(all $kind $self $at packet $args);
        $self.list_files();
    };
    ([] $kind:ident $self:ident $at:ident input_end $args:tt) => {
        to_chosen!(all $kind $self $at input_end $args);
        $self.list_files();
    };
    ([] $kind:ident $self:ident $at:ident $event:ident $args:tt) => {
        if $self.takes($at.flow) {
            to_chosen!(all $kind $self $at $event $args);
        }
    };
    (count $kind:ident $self:ident $at:ident $event:ident $args:tt) => {
        if $self.takes($at.flow) {
            to_chosen!(all $kind $self $at $event $args);
            $self.count($at.cx);
        }
    };
    (all $kind:ident $self:ident $at:ident $event:ident($($arg:ident),*)) => {
        if $self.packets_alone {
            let table = &mut $self.table;
            to_rows!([packets] $kind table $at $event($($arg),*));
        } else {
            $self.table.$event($at $(, $arg)*);
        }
    };
}

impl MessageSink for Outputs {
    type State = OutputState;

    fn charged(&self, state: &OutputState) -> Option<usize> {
        if state.order.is_some() {
            return None;
        }
        self.table.charged(state)
    }

    #[inline]
    fn wakes_at(&self, state: &OutputState) -> Option<Instant> {
        self.turn_at(state)
    }

    fn wake(&mut self, at: &mut StreamContext<'_, OutputState>) {
        self.turn_due(at);
    }

    fn hears_flow_ends(&self) -> bool {
        !self.packets_alone
    }

    #[inline]
    fn hears_streams(&self) -> bool {
        !self.streams_unheard
    }

    #[inline]
    fn takes_message(
        &mut self,
        at: &mut StreamContext<'_, OutputState>,
        start: &MessageStart<'_>,
    ) -> bool {
        // What waits for its turn is asked about then.
        self.unasked || self.is_ordered() || self.chooses(at, start)
    }

    // Frames are written as packets; all other outputs get what they carry.
    fn hears_carried(&self) -> bool {
        !self.packets_alone
    }

    fn hears_handshakes(&self) -> bool {
        let OutputTable {
            json, rows, files, ..
        } = &self.table;
        json.is_some()
            || rows.as_ref().is_some_and(MessageSink::hears_handshakes)
            || files.as_ref().is_some_and(MessageSink::hears_handshakes)
    }

    fn opens_records(&mut self, at: &mut StreamContext<'_, OutputState>) {
        at.state.opened = true;
    }

    fn takes_frame(
        &mut self,
        at: &mut StreamContext<'_, OutputState>,
        start: &MessageStart<'_>,
    ) -> bool {
        (!self.table.packets.0.is_empty() || self.table.counts_frames())
            && self.takes(at.flow)
            && (self.messages.is_all() || self.messages.takes(&self.asked(at, start)))
    }

    fn frame_start(&mut self, at: &mut StreamContext<'_, OutputState>, start: &MessageStart<'_>) {
        if !self.is_full() {
            let mut to = at.with(|s| &mut s.packets);
            self.table.packets.start(&mut to, start);
            if self.table.counts_frames()
                && let Some(rows) = &mut self.table.rows
            {
                rows.frame_start(&mut at.with(|s| &mut s.rows), start);
            }
        }
    }

    fn frame_data(&mut self, at: &mut StreamContext<'_, OutputState>, piece: &Piece<'_>) {
        let mut to = at.with(|s| &mut s.packets);
        self.table.packets.data(&mut to, piece);
        if self.table.counts_frames()
            && let Some(rows) = &mut self.table.rows
        {
            rows.frame_data(&mut at.with(|s| &mut s.rows), piece);
        }
    }

    fn frame_gap(&mut self, at: &mut StreamContext<'_, OutputState>, gap: &MessageGap) {
        let mut to = at.with(|s| &mut s.packets);
        self.table.packets.gap(&mut to, gap);
    }

    fn frame_end(&mut self, at: &mut StreamContext<'_, OutputState>, end: &MessageEnd) {
        let mut to = at.with(|s| &mut s.packets);
        self.table.packets.end(&mut to, end);
        if self.table.counts_frames()
            && let Some(rows) = &mut self.table.rows
        {
            rows.frame_end(&mut at.with(|s| &mut s.rows), end);
        }
        // Beside another output, what is carried is counted.
        if self.packets_alone && !self.is_full() {
            self.count(at.cx);
        }
    }

    forward_events!(to_chosen []);
}

impl TakesTurns for Outputs {
    fn order(state: &mut OutputState) -> &mut Option<Box<ExchangeOrder>> {
        &mut state.order
    }

    #[inline]
    fn order_there(state: &OutputState) -> Option<&ExchangeOrder> {
        state.order.as_deref()
    }

    fn waits(state: &OutputState, direction: Direction, offset: u64) -> bool {
        let pairing = state.pairing.as_deref();
        pairing.is_some_and(|pairing| pairing.waits(direction, offset))
    }

    fn pair(
        &mut self,
        at: &mut StreamContext<'_, OutputState>,
        start: &MessageStart<'_>,
    ) -> Paired {
        if !self.pairs || !self.takes(at.flow) {
            return Paired::default();
        }
        let way = (at.direction, at.flow.transport);
        let pairing = kept(at.cx, &mut at.state.pairing);
        pairing.message(at.cx, way, at.sides, start)
    }

    fn has_paired(&mut self, paired: Paired) {
        self.paired = paired;
    }

    fn passes(&mut self, passing: bool) {
        self.passing = passing;
    }
}

impl OutputTable {
    /// A table counts frames as they are.
    fn counts_frames(&self) -> bool {
        self.rows.as_ref().is_some_and(Table::counts_frames)
    }

    /// A table that tells of messages which were not chosen, beside others that were, hears that one of them comes, or has come: there
    /// is such a table.
    fn rows_pass_over(&mut self, passed_over: bool) -> bool {
        let rows = self.rows.as_mut().filter(|rows| rows.needs_all());
        rows.map(|rows| rows.passes_over(passed_over)).is_some()
    }

    /// The same of exchanges, one message of which was chosen.
    fn har_passes_over(&mut self, passed_over: bool) -> bool {
        let har = self.har.as_mut();
        har.map(|har| har.passes_over(passed_over)).is_some()
    }

    /// No output is open but those of messages as packets.
    fn has_packets_alone(&self) -> bool {
        // All fields are named, so that a new row is not forgotten here.
        let Self {
            packets: _,
            originals,
            print,
            follow,
            rows,
            raw,
            dump,
            json,
            har,
            files,
            watch,
            // It goes without, where nothing else would need all events.
            ports: _,
            failed: _,
            left: _,
        } = self;
        originals.is_empty()
            && print.is_none()
            && follow.is_none()
            && rows.is_none()
            && raw.is_none()
            && dump.is_none()
            && json.is_none()
            && har.is_none()
            && files.is_none()
            && watch.is_none()
    }
}

impl Outputs {
    /// The first input's header is known: file headers are written. Later calls change nothing.
    pub fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        self.table.begin(link_type, nanoseconds);
        self.packets_alone = self.table.has_packets_alone();
        self.streams_unheard = self.packets_alone && !self.table.packets.track();
        let rows = self.table.rows.as_ref();
        self.pairs = self.table.print.is_some()
            || self.table.json.is_some()
            || self.orders
            || rows.is_some_and(Table::shows_delays);
        self.unasked = self.messages.is_all() && !self.pairs;
    }

    /// These are all interfaces of the input until now. pcapng outputs describe them before the first packet of each.
    pub fn interfaces(&mut self, all: &[Interface]) {
        self.table.interfaces(all);
    }

    /// Blocks of the input that explain the packets behind them. pcapng outputs get them.
    pub fn block(&mut self, block: &CaptureBlock) {
        self.table.block(block);
    }

    /// The packet of the input with this number has these comments. Outputs of all packets keep them.
    pub fn comments(&mut self, frame: u64, comments: &[String]) {
        self.table.originals.comments(frame, comments);
    }

    /// Opens files of packets and JSON anew, where something else has moved them away, as the rotation of logs does. `all` are
    /// all interfaces of the input until now.
    pub fn reopen(&mut self, all: &[Interface]) -> Reopened {
        let mut done = Reopened::default();
        self.table.reopen(all, &mut done);
        done
    }

    /// What outputs have to say on stderr since the last call: where `--dump -` closes a gap, and where a file of
    /// `--dump` or `--extract` is not as it was written.
    pub fn take_notes(&mut self) -> Vec<String> {
        let raw = self.table.raw.as_mut();
        let mut notes = raw.map(DumpToStdout::take_notes).unwrap_or_default();
        notes.extend(self.table.dump.iter_mut().flat_map(Dump::take_notes));
        notes.extend(self.table.files.iter_mut().flat_map(Files::take_notes));
        notes
    }

    /// A port on which some connections, or all, were not understood; only with [`OutputOptions::hints`].
    pub fn odd_port(&self) -> Option<OddPort> {
        self.table.ports.as_ref().and_then(Ports::odd)
    }

    /// Octets of connections that carry files which another connection has announced, and so have no protocol; only with
    /// [`OutputOptions::hints`].
    pub fn file_octets(&self) -> u64 {
        self.table.ports.as_ref().map_or(0, Ports::file_octets)
    }

    /// Where connections or messages were chosen, what is missing of these: gaps of streams and chunks where connections are, and messages
    /// that are not whole. None: all are chosen.
    pub fn missing(&self) -> Option<&Counters> {
        self.missing.as_ref().map(|missing| &missing.counters)
    }

    /// Something of a connection that is chosen is missing.
    fn lacks(&mut self, flow: &Flow, count: impl FnOnce(&mut Counters)) {
        // What ends because no more is wanted is not missing.
        let full = self.is_full();
        let missing = self.missing.as_mut().filter(|_| !full);
        if let Some(missing) = missing.filter(|missing| missing.gaps) {
            // A conversation is all that is written.
            let follow = self.table.follow.as_ref();
            if follow.is_none_or(|follow| follow.takes(flow)) {
                count(&mut missing.counters);
            }
        }
    }

    /// Something of a message that is chosen is missing.
    fn lacks_of_message(&mut self, flow: &Flow) {
        let full = self.is_full();
        if let Some(missing) = self.missing.as_mut().filter(|_| !full) {
            let follow = self.table.follow.as_ref();
            let takes = follow.is_none_or(|follow| follow.takes(flow));
            missing.counters.message.incomplete += u64::from(takes);
        }
    }

    /// What `-v` says of connections since the last call.
    pub fn take_watched(&mut self) -> Vec<String> {
        let watch = self.table.watch.as_mut();
        watch.map(Watch::take_lines).unwrap_or_default()
    }

    /// Options whose rule has chosen no connection of the input, or none that carries anything.
    pub fn idle_rules(&self) -> Vec<&'static str> {
        let connection = self.choice.is_some() && !self.chose;
        let follow = self.table.follow.as_ref().is_some_and(Follow::is_silent);
        let rules = [("--connection", connection), ("--follow", follow)];
        let idle = rules.into_iter().filter(|(_, idle)| *idle);
        idle.map(|(option, _)| option).collect()
    }

    /// Writes all that is buffered. Breaks when all that writes to somebody has lost its reader, or failed; what writes files
    /// goes on.
    ///
    /// # Errors
    ///
    /// The first error of any output since the last call: called again, it returns the next one, and flushes the others.
    pub fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.table.flush()
    }

    /// The reader of an output has left, as far as [`Outputs::flush`] has met that: it lacks what came later.
    pub const fn reader_left(&self) -> bool {
        self.table.left
    }

    /// Writes all that is left, at the end of the run.
    ///
    /// # Errors
    ///
    /// As [`Outputs::flush`].
    pub fn finish(&mut self) -> Result<ControlFlow<()>, OutputError> {
        let flow = self.flush();
        let done = self.table.finish().and(flow);
        self.clients.iter().for_each(|clients| clients.end());
        done
    }

    /// What went through each output that is a file, a pipe or stdout.
    pub fn channels(&self) -> Vec<ChannelCounters> {
        let mut all = Vec::new();
        self.table.channels(&mut all);
        all
    }

    /// Nothing has come for long: packets that wait for their place in the order of time are written.
    pub fn let_go(&mut self, cx: &mut Context) {
        self.table.packets.settle(cx);
    }

    /// A state is saved next: what was written of files stands on the disk then.
    pub fn settle(&mut self, cx: &mut Context) {
        self.table.settle(cx);
    }

    /// Writes what outputs go on with in the next run, beside what stands with connections.
    pub fn save(&self, to: &mut StateWriter) {
        let missing = self.missing.as_ref().map(|missing| &missing.counters);
        to.put(&(self.chose, self.left, self.began, missing));
        to.put(&self.asked_over);
        self.table.save(to);
    }

    /// Goes on with what outputs that were opened in the same way have saved.
    ///
    /// # Errors
    ///
    /// What stands there is something else.
    pub fn load(&mut self, cx: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
        let missing: Option<Counters>;
        (self.chose, self.left, self.began, missing) = from.get()?;
        self.asked_over = from.get()?;
        if let Some((missing, counters)) = self.missing.as_mut().zip(missing) {
            missing.counters = counters;
        }
        self.table.load(cx, from)
    }

    /// What a user should know of the outputs at the end of a run, a line each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<_> = self.table.files.iter().flat_map(Files::notes).collect();
        // The count is of messages where they are written too, and half of an exchange is no entry.
        let har = self.table.har.as_ref().filter(|_| self.left == Some(0));
        if har.is_some_and(Har::is_empty) {
            notes.push(NO_EXCHANGE.to_owned());
        }
        notes
    }

    /// A message was written.
    fn count(&mut self, cx: &mut Context) {
        cx.counters.output.messages += u64::from(self.table.counts());
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            if let (0, Some(print)) = (*left, &mut self.table.print) {
                print.ends();
            }
        }
    }

    /// Messages are held until their turn comes, and this one is not the one whose turn it is.
    #[inline]
    const fn is_ordered(&self) -> bool {
        self.orders && !self.passing
    }

    /// As many messages were written as are wanted.
    #[inline] // asked behind every packet
    pub fn is_full(&self) -> bool {
        self.left == Some(0)
            || self.table.rows.as_ref().is_some_and(Table::is_full)
            || self.table.har.as_ref().is_some_and(Har::is_full)
    }

    /// Whether any output gets this message. What is told of it later goes to all of them, or to the files alone.
    fn chooses(
        &mut self,
        at: &mut StreamContext<'_, OutputState>,
        start: &MessageStart<'_>,
    ) -> bool {
        if self.pairs && self.takes(at.flow) {
            if !self.passing {
                self.paired = self.pair(at, start);
            }
            let pairing = kept(at.cx, &mut at.state.pairing);
            self.file = pairing.file(at.cx, start);
            let passed = pairing.passed();
            if let Some(json) = &mut self.table.json {
                json.has_passed(passed);
            }
            self.went_over(at, start);
        }
        let chosen = self.messages.is_all() || {
            let mut asked = self.asked(at, start);
            asked.file = self.file.as_deref();
            self.messages.takes(&asked)
        };
        at.state.passed_over[at.direction.index()] = !chosen;
        let rows = self.table.rows.as_ref();
        let needed = rows.is_some_and(Table::needs_all) || self.table.har.is_some();
        chosen || needed || self.table.files.is_some()
    }

    /// The connection, or the stream that it carries, ends.
    fn pairs_end(&mut self, at: &mut StreamContext<'_, OutputState>) {
        if let Some(mut pairing) = take_kept(at.cx, &mut at.state.pairing) {
            if let Some(json) = &mut self.table.json {
                json.waits(pairing.waiting(), pairing.lacks());
            }
            pairing.end(at.cx);
        }
    }

    /// The request with which a connection goes over to HTTP/2 is answered there, in the first stream (RFC 7540, 3.2).
    fn went_over(&mut self, at: &StreamContext<'_, OutputState>, start: &MessageStart<'_>) {
        let stream = start.carried.and_then(|way| way.stream);
        if let Some(asked) = self.paired.asked
            && goes_over(start)
        {
            self.asked_over
                .renew_or_insert(at.flow.number, asked, ASKED_OVER);
        } else if stream == Some(FIRST_STREAM)
            && start.kind == Kind::Response
            && self.paired.asked.is_none()
            && let Some(place) = self.asked_over.find(&at.flow.number)
        {
            self.paired.asked = self.asked_over.get(place).copied();
            if !is_interim(start.protocol, at.flow.transport, start.head) {
                self.asked_over.remove(place);
                (self.paired.unasked, self.paired.went_over) = (false, true);
            }
        }
    }

    /// The message that begins, with what it answers; outputs that show how long that took are told when that was asked.
    fn told<'a>(&mut self, start: &MessageStart<'a>) -> MessageStart<'a> {
        let paired = std::mem::take(&mut self.paired);
        let answers = paired.answers;
        if let Some(file) = self.file.take() {
            if let Some(print) = &mut self.table.print {
                print.is_about(&file);
            }
            if let Some(rows) = &mut self.table.rows {
                rows.is_about(&file);
            }
            if let Some(json) = &mut self.table.json {
                json.is_about(&file);
            }
        }
        if let Some(print) = &mut self.table.print {
            print.answers(paired);
        }
        if let Some(rows) = &mut self.table.rows {
            rows.answers(paired);
        }
        if let Some(json) = &mut self.table.json {
            json.answers(paired);
        }
        MessageStart {
            answers: start.answers.or(answers),
            ..*start
        }
    }

    /// When the first packet of the input was captured.
    pub fn begins_at(&mut self, time: Timestamp) {
        self.began = time;
        self.table.begins_at(time);
    }

    /// A message of this way is not chosen, and may be what a chosen one answers.
    fn left_out(
        &mut self,
        way: (&Flow, Direction),
        time: Timestamp,
        (protocol, kind): (&str, Kind),
        octets: &[u8],
    ) {
        if let Some(print) = &mut self.table.print {
            print.numbered(way, time, protocol, kind, octets);
        }
        if let Some(rows) = &mut self.table.rows {
            rows.numbered(way, time, protocol, kind, octets);
        }
    }

    /// What is asked of a message of a stream.
    fn asked<'a>(
        &self,
        at: &StreamContext<'_, OutputState>,
        start: &MessageStart<'a>,
    ) -> Asked<'a> {
        Asked {
            protocol: start.protocol,
            transport: at.flow.transport,
            kind: start.kind,
            head: start.head,
            time: start.time,
            began: self.began,
            file: None,
        }
    }

    #[inline]
    fn takes_datagram(&mut self, at: &DatagramContext<'_>, message: &DatagramMessage<'_>) -> bool {
        if self.messages.is_all() || self.is_full() {
            return !self.is_full();
        }
        let kind = kind(message.protocol, message.payload);
        let chosen = self.messages.takes(&Asked {
            protocol: message.protocol,
            transport: Transport::Udp,
            kind,
            head: message.payload,
            time: at.cx.packet.time,
            began: self.began,
            file: None,
        });
        if !chosen {
            let (way, time) = ((at.flow, at.direction), at.cx.packet.time);
            self.left_out(way, time, (message.protocol, kind), message.payload);
        }
        chosen
    }

    fn takes_user_message(
        &mut self,
        flow: &Flow,
        message: &UserMessage<'_>,
        protocol: &str,
    ) -> bool {
        if self.messages.is_all() || self.is_full() {
            return !self.is_full();
        }
        let (time, kind) = (message.time, kind(protocol, message.data));
        let chosen = self.messages.takes(&Asked {
            protocol,
            transport: Transport::Sctp,
            kind,
            head: message.data,
            time,
            began: self.began,
            file: None,
        });
        if !chosen {
            let way = (flow, message.direction);
            self.left_out(way, time, (protocol, kind), message.data);
        }
        chosen
    }
}

impl Outputs {
    /// No outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an output, and keeps what is known of those who read it; gives those of them who come and go.
    fn opened(
        &mut self,
        target: &Target,
    ) -> Result<(Writer, Option<Arc<ServedClients>>), OutputError> {
        let opened = writer::open_any(target)?;
        let name = &target.name;
        let listens = opened.listens.map(|at| format!("{name}: listens on {at}"));
        self.listening.extend(listens);
        self.clients.extend(opened.clients.clone());
        let program = opened.program.map(|program| (name.clone(), program));
        self.programs.extend(program);
        Ok((opened.to, opened.clients))
    }

    /// Lets those in who have come to read an output: before a packet is processed, so that they read what it brings.
    pub fn admit(&mut self) {
        for output in &mut self.table.packets.0 {
            output.file.out.admit();
        }
    }

    /// Where outputs listen, a line each.
    pub fn listening(&self) -> &[String] {
        &self.listening
    }

    /// Nothing more is written: waits for the programs that read outputs; a line for each that has failed. `stopped`: the run was asked to
    /// stop, and they may have been too.
    pub fn end_programs(&mut self, stopped: bool) -> Vec<String> {
        let programs = std::mem::take(&mut self.programs);
        let ended = programs.iter().map(|(name, program)| {
            let failed = program.end(stopped).err()?;
            Some(format!("{name}: {failed}"))
        });
        ended.flatten().collect()
    }

    /// What the clients of outputs were: those that were served, those that found no place, and what was too much for them.
    pub fn count_clients(&self, counters: &mut OutputCounters) {
        let of_all = |what: fn(&ServedCounters) -> u64| -> u64 {
            self.clients
                .iter()
                .map(|clients| what(clients.counters()))
                .sum()
        };
        counters.clients = of_all(ServedCounters::clients);
        counters.clients_refused = of_all(ServedCounters::refused);
        counters.clients_dropped = of_all(ServedCounters::dropped);
    }

    /// Opens what `config` asks for. None of them may be one of `inputs`, which are paths.
    ///
    /// # Errors
    ///
    /// The first output that cannot be opened.
    pub fn open(config: &OutputOptions, inputs: &[&OsStr]) -> Result<Self, OutputError> {
        let mut outputs = Self::new();
        let raw = config.dump.as_ref().filter(|d| d.dir.as_os_str() == "-");
        let names = config.outputs.iter().map(|o| o.target.path.as_os_str());
        let stdout = OsStr::new("-");
        for name in names
            .chain(config.print.map(|_| stdout))
            .chain(config.follow.as_ref().map(|_| stdout))
            .chain(config.table.as_ref().map(|_| stdout))
            .chain(raw.map(|_| stdout))
            .chain(config.json.as_ref().map(|j| j.target.path.as_os_str()))
            .chain(config.har.as_ref().map(|h| h.target.path.as_os_str()))
        {
            writer::refuse_input(name, inputs)?;
        }
        for spec in &config.outputs {
            let (to, clients) = outputs.opened(&spec.target)?;
            let name = writer::shown(&spec.target.name);
            let file = if spec.what == OutputKind::Messages {
                outputs.messages(name, to, spec.form, spec.protocols.clone());
                let last = outputs.table.packets.0.last_mut();
                let mut file = last.map(|output| &mut output.file);
                if let (Some(file), Some(clients)) = (&mut file, clients) {
                    file.out.serves(clients);
                }
                file
            } else {
                let dropped = spec.what == OutputKind::Dropped;
                outputs.originals(name, to, spec.form, dropped);
                let last = outputs.table.originals.0.last_mut();
                last.map(|output| &mut output.file)
            };
            if let Some(file) = file {
                file.out.reopens(&spec.target);
            }
        }
        if let Some(p) = config.print {
            let to = writer::open(&Target::stdout())?;
            outputs.print(writer::shown("-"), to, p.style, p.look, p.packet_buffered);
        }
        if let Some(f) = &config.follow {
            let to = writer::open(&Target::stdout())?;
            let (name, rule) = (writer::shown("-"), f.rule.clone());
            let follow = Follow::new(name, to, rule, f.form, f.look, f.packet_buffered);
            outputs.table.follow = Some(follow);
        }
        if let Some(t) = &config.table {
            let to = writer::open(&Target::stdout())?;
            let name = writer::shown("-");
            let mut table = Table::new(name, to, t.form.clone(), t.packet_buffered);
            let messages = &config.messages;
            let some = !messages.is_all() || messages.count.is_some();
            if some || config.connection.is_some() || !t.form.protocols.is_all() {
                table.counts_chosen();
            }
            outputs.table.rows = Some(table);
        }
        match &config.dump {
            Some(d) if d.dir.as_os_str() == "-" => {
                let to = writer::open(&Target::stdout())?;
                outputs.table.raw = Some(DumpToStdout::new(
                    writer::shown("-"),
                    to,
                    config.connection.clone(),
                    d.packet_buffered,
                ));
            }
            Some(d) => {
                outputs.dump(&d.dir, d.template.clone())?;
                if let Some(dump) = outputs.table.dump.as_mut().filter(|_| d.goes_on) {
                    dump.goes_on();
                }
            }
            None => {}
        }
        if let Some(j) = &config.json {
            let (to, _) = outputs.opened(&j.target)?;
            let name = writer::shown(&j.target.name);
            outputs.json(name, to, j.show, j.packet_buffered);
            if let Some(json) = &mut outputs.table.json {
                json.out.reopens(&j.target);
                let messages = &config.messages;
                if !messages.is_all() || messages.count.is_some() {
                    json.hears_some();
                }
            }
        }
        if let Some(h) = &config.har {
            let to = writer::open_document(&h.target, Har::END)?;
            let name = writer::shown(&h.target.name);
            // Where not all messages are told, one that is not may be the answer.
            let unanswered = config.messages.count.is_none();
            let mut har = Har::new(name, to, h, unanswered);
            har.out.reopens(&h.target);
            outputs.packets_alone = false;
            outputs.table.har = Some(har);
        }
        if let Some(e) = &config.extract {
            outputs.extract(&e.dir, &e.files)?;
        }
        outputs.table.watch = (config.verbose > 0).then(|| Watch::new(config.verbose > 1));
        outputs.table.ports = config.hints.then(Ports::default);
        outputs.orders = config.pair;
        outputs.choice.clone_from(&config.connection);
        outputs.messages = config.messages.clone();
        outputs.left = config.messages.count;
        let of_messages = config.some_protocols || !config.messages.is_all();
        let streams = config.follow.is_some() || config.dump.is_some();
        if of_messages || config.connection.is_some() || config.follow.is_some() {
            let gaps = streams || !of_messages;
            let counters = Counters::default();
            outputs.missing = Some(Box::new(ChosenLosses { counters, gaps }));
        }
        Ok(outputs)
    }

    /// Adds the output of stream files.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn dump(&mut self, dir: &Path, template: Template) -> Result<(), OutputError> {
        self.packets_alone = false;
        self.table.dump = Some(Dump::new(dir, template)?);
        Ok(())
    }

    /// Adds the output of transferred files.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or its list not be opened.
    pub fn extract(&mut self, dir: &Path, options: &FileOptions) -> Result<(), OutputError> {
        self.packets_alone = false;
        self.table.files = Some(Files::new(dir, options)?);
        self.join();
        Ok(())
    }

    /// Adds an output of packets that is called `name` in errors.
    pub fn packets(&mut self, name: &str, to: Writer, form: PacketOptions) {
        self.messages(name, to, form, Vec::new());
    }

    /// Adds an output of packets for the messages of these protocols, by Wireshark's names; without any, for those that
    /// no other output names.
    pub fn messages(
        &mut self,
        name: &str,
        to: Writer,
        form: PacketOptions,
        protocols: Vec<String>,
    ) {
        self.table
            .packets
            .0
            .push(PacketOutput::new(name, to, form, protocols));
    }

    /// Adds an output of the input's own packets: all of them, or those that could not be used, with the reason.
    pub fn originals(&mut self, name: &str, to: Writer, form: PacketOptions, dropped: bool) {
        self.packets_alone = false;
        let (format, each) = (form.format, form.packet_buffered);
        self.table
            .originals
            .0
            .push(OriginalOutput::new(name, to, format, dropped, each));
    }

    /// Adds the output that prints a line for each message.
    pub fn print(
        &mut self,
        name: &str,
        to: Writer,
        style: print::Style,
        look: print::Look,
        packet_buffered: bool,
    ) {
        self.packets_alone = false;
        self.pairs = true;
        self.table.print = Some(Print::new(name, to, style, look, packet_buffered));
    }

    /// Adds the output of JSON lines.
    pub fn json(&mut self, name: &str, to: Writer, show: json::Show, packet_buffered: bool) {
        self.packets_alone = false;
        self.pairs = true;
        self.table.json = Some(Json::new(name, to, show, packet_buffered));
        self.join();
    }

    /// `--json` and `--table=files` list the files of `--extract`, if there are both.
    fn join(&mut self) {
        let listed = self.table.rows.as_ref().is_some_and(Table::lists_files);
        if let (true, Some(files)) = (listed || self.table.json.is_some(), &mut self.table.files) {
            files.keep_lines();
        }
    }

    #[inline(always)] // asked for every packet, and nothing to do for nearly all
    fn list_files(&mut self) {
        if self.table.files.is_some() {
            self.list_new_files();
        }
    }

    fn list_new_files(&mut self) {
        let Some(files) = &mut self.table.files else {
            return;
        };
        let rows = self.table.rows.as_mut().filter(|rows| rows.lists_files());
        if self.table.json.is_none() && rows.is_none() {
            return;
        }
        let lines = files.take_lines();
        if let Some(rows) = rows {
            rows.files(&lines);
        }
        if let Some(json) = &mut self.table.json {
            json.files(&lines);
        }
    }

    /// The outputs take this connection.
    fn takes(&mut self, flow: &Flow) -> bool {
        let Some(choice) = &self.choice else {
            return true;
        };
        let takes = choice.takes(flow);
        self.chose |= takes;
        takes
    }
}
