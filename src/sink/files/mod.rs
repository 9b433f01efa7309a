//! `--extract`: the files that were transferred.
//!
//! A protocol that carries files is one file in this folder, with its `Source`, and one row of `sources!`. What it finds
//! becomes a `Transfer`: `Store::begin` makes it, `Store::write` takes octets at any offset of the file in any order,
//! `Transfer::lost` says that an unknown number is missing, and `Store::finish` ends it. All else is the store's: names
//! that do no harm, `.part`, missing ranges, sums, the list, limits, what is kept in memory and what is not.
//!
//! ```text
//!  messages ──┐                                        ┌─> NAME, NAME.part
//!  datagrams ─┼─> http.rs ... ──Transfer──> store.rs ──┤
//!  streams ───┘   what it keeps of a           │       └─> files.jsonl (list.rs)
//!                 connection is plain data     └ name.rs, types.rs, ranges.rs
//! ```
//!
//! A source keeps two things: what belongs to one connection, in that connection's state (the second type of its row: plain
//! data), and what belongs to none, in itself (the first type).
//!
//! A source reads **messages** of its protocols (`Source::protocols`): it is told of those only, and puts what it wants to
//! keep of the connection into `At::kept`. Or it takes a whole TCP connection, whatever seems to be in it, as its **stream**:
//! `Source::claims` is asked once for each connection, at its first event, and a source that sets `At::kept` there gets the
//! octets, gaps and ends of both directions, and no message of it. A protocol whose control connection announces others (FTP)
//! remembers in itself which endpoints they will have, or, where the data may be captured ahead of the announcement, claims what
//! may be one and tells its name later: a transfer needs its name only when it is finished, and may be discarded.

mod decode;
mod disposition;
mod entities;
mod fields;
mod ftp;
mod ftp_lines;
mod http;
mod list;
mod multipart;
mod name;
mod ranges;
mod store;
mod tftp;
mod transfer;
mod types;
mod unpack;

use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, Flow};
use crate::base::packet::Packet;
use crate::base::stream::{Chunk, Close, Gap, Side};
use crate::base::time::Instant;
use crate::message::events::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, NO_PROTOCOL, Piece};
use crate::sink::output::Output;
use crate::sink::writer::OutputError;
use crate::transport::datagram::DatagramContext;
use crate::transport::stream::StreamContext;
pub use list::FIELDS;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;
use store::Store;
use transfer::{About, Transfer};

/// How often sources are told of the time.
const TICK: Duration = Duration::from_secs(1);

/// A protocol that carries files. What it does not write is told to it all the same: a method without a body is one that it
/// has no use for.
trait Source {
    /// Wireshark's names of the messages that it reads.
    fn protocols(&self) -> &'static [&'static str];

    /// A TCP connection has begun: whether it is taken as a stream. Then [`At::kept`] is set, and no source is told of its
    /// messages.
    fn claims(&mut self, at: &mut At<'_>) -> bool {
        let _ = at;
        false
    }

    /// A message of its protocols begins. Messages of one direction follow each other.
    fn start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        let _ = (at, start);
    }
    /// Octets of the open message, its header included.
    fn data(&mut self, at: &mut At<'_>, piece: &Piece<'_>) {
        let _ = (at, piece);
    }
    /// Octets that the open message lacks.
    fn gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
        let _ = (at, gap);
    }
    /// The open message lacks an unknown number of octets in front of its next one.
    fn jump(&mut self, at: &mut At<'_>) {
        let _ = at;
    }
    /// The open message ends. Each that was started is ended, also where the connection is given up.
    fn end(&mut self, at: &mut At<'_>, end: &MessageEnd) {
        let _ = (at, end);
    }

    /// Octets of a claimed stream. `offset`: from the stream's first octet, gaps counted; a stream that was captured from the
    /// middle (its [`Side::from_start`] is not set) lacks an unknown number before it.
    fn stream_data(&mut self, at: &mut At<'_>, offset: u64, chunk: &Chunk<'_>) {
        let _ = (at, offset, chunk);
    }
    /// A gap of a claimed stream, with the same offset.
    fn stream_gap(&mut self, at: &mut At<'_>, offset: u64, gap: &Gap) {
        let _ = (at, offset, gap);
    }
    /// A claimed stream ends: with [`Close::Fin`], nothing follows that the capture does not show.
    fn stream_end(&mut self, at: &mut At<'_>, close: Close) {
        let _ = (at, close);
    }
    /// The connection has ended, both ways; what it kept is dropped behind this, and what is open in it has to be finished.
    fn closed(&mut self, at: &mut At<'_>, close: Close) {
        let _ = (at, close);
    }

    /// A message of a known protocol begins in a claimed stream: whether the claim is given up. Then [`At::kept`] is dropped, and
    /// the message belongs to whom it belongs.
    fn releases(&mut self, at: &mut At<'_>) -> bool {
        let _ = at;
        false
    }

    /// A datagram of any protocol.
    fn datagram(
        &mut self,
        store: &mut Store,
        at: &mut DatagramContext<'_>,
        message: &DatagramMessage<'_>,
    ) {
        let _ = (store, at, message);
    }

    /// About once a second of capture time: what has waited too long is finished.
    fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        let _ = (cx, store);
    }
    /// The input has ended, and all connections with it: all that is open is finished.
    fn finish(&mut self, cx: &mut Context, store: &mut Store) {
        let _ = (cx, store);
    }
}

/// Where an event belongs, and what may be used there.
struct At<'a> {
    cx: &'a mut Context,
    flow: &'a Flow,
    sides: &'a [Side; 2],
    direction: Direction,
    /// What is kept of the connection.
    kept: &'a mut Kept,
    /// Where files go.
    store: &'a mut Store,
}

impl At<'_> {
    /// How far an offset of the stream is behind the stream's first octet.
    fn file_offset(&self, offset: u64) -> u64 {
        offset.saturating_sub(self.sides[self.direction.index()].origin)
    }
}

macro_rules! sources {
    ($( $(#[$doc:meta])* $field:ident: $Variant:ident($Source:ty, $Connection:ty); )*) => {
        /// What is kept of a connection.
        #[derive(Debug, Default, Serialize, Deserialize)]
        enum Kept {
            /// Nobody was asked yet.
            #[default]
            New,
            /// No source has claimed it, and none has read a message of it.
            Free,
            $( $(#[$doc])* $Variant(Box<$Connection>), )*
        }

        /// The sources, with what they keep apart from connections.
        #[derive(Default)]
        struct Sources { $( $field: $Source, )* }

        impl Sources {
            /// Each of them.
            fn all(&mut self) -> impl Iterator<Item = &mut dyn Source> {
                [$( &mut self.$field as &mut dyn Source, )*].into_iter()
            }

            /// The one that keeps something of a connection.
            fn of(&mut self, kept: &Kept) -> Option<&mut dyn Source> {
                match kept {
                    Kept::New | Kept::Free => None,
                    $( Kept::$Variant(_) => Some(&mut self.$field), )*
                }
            }
        }
    };
}

sources! {
    /// HTTP/1.x.
    http: Http(http::Http, http::Connection);
    /// FTP.
    ftp: Ftp(ftp::Ftp, ftp::Connection);
    /// TFTP, which keeps nothing with a connection.
    tftp: Tftp(tftp::Tftp, ());
}

/// What is kept with a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    kept: Kept,
    /// A source took the connection as a stream.
    claimed: bool,
    /// In each direction the open message is its source's.
    open: [bool; 2],
}

/// The output of files.
pub(crate) struct Files {
    store: Store,
    sources: Sources,
    ticked: Instant,
}

impl Files {
    /// Files go to this folder, none larger than `max_file`.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or its list not be opened.
    pub(crate) fn new(dir: &Path, max_file: u64) -> Result<Self, OutputError> {
        Ok(Self {
            store: Store::open(dir, max_file)?,
            sources: Sources::default(),
            ticked: Instant::default(),
        })
    }

    /// Keeps the lines of the list for [`Files::take_told`] too.
    pub(super) fn tell(&mut self) {
        self.store.tell();
    }

    /// The lines of the list since the last call.
    pub(super) fn take_told(&mut self) -> String {
        self.store.take_told()
    }

    /// The source that keeps something of a connection, and what it may use. At the first event of a connection all are
    /// asked whether they take it.
    fn at<'a>(
        &'a mut self,
        to: &'a mut StreamContext<'_, State>,
    ) -> (&'a mut Sources, At<'a>, &'a mut bool, &'a mut [bool; 2]) {
        let State {
            kept,
            claimed,
            open,
        } = &mut *to.state;
        let mut at = At {
            cx: to.cx,
            flow: to.flow,
            sides: to.sides,
            direction: to.direction,
            kept,
            store: &mut self.store,
        };
        if matches!(at.kept, Kept::New) {
            *at.kept = Kept::Free;
            *claimed = self.sources.all().any(|source| source.claims(&mut at));
        }
        (&mut self.sources, at, claimed, open)
    }

    /// Tells the source of the message that is open.
    fn open(
        &mut self,
        to: &mut StreamContext<'_, State>,
        tell: impl FnOnce(&mut dyn Source, &mut At<'_>),
    ) {
        if to.state.open[to.direction.index()] {
            let (sources, mut at, ..) = self.at(to);
            if let Some(source) = sources.of(at.kept) {
                tell(source, &mut at);
            }
        }
    }

    /// Tells the source that took the stream.
    fn stream(
        &mut self,
        to: &mut StreamContext<'_, State>,
        tell: impl FnOnce(&mut dyn Source, &mut At<'_>),
    ) {
        if matches!(to.state.kept, Kept::New) || to.state.claimed {
            let (sources, mut at, claimed, _) = self.at(to);
            if *claimed && let Some(source) = sources.of(at.kept) {
                tell(source, &mut at);
            }
        }
    }
}

impl MessageSink for Files {
    type State = State;

    fn input_end(&mut self, cx: &mut Context) {
        for source in self.sources.all() {
            source.finish(cx, &mut self.store);
        }
    }

    fn packet(&mut self, cx: &mut Context, _: &Packet<'_>, _: Option<Discard>) {
        if cx.now.since(self.ticked) >= TICK {
            self.ticked = cx.now;
            for source in self.sources.all() {
                source.tick(cx, &mut self.store);
            }
        }
    }

    fn start(&mut self, to: &mut StreamContext<'_, State>, start: &MessageStart<'_>) {
        let (sources, mut at, claimed, open) = self.at(to);
        if *claimed {
            let known = start.protocol != NO_PROTOCOL;
            if !known || !sources.of(at.kept).is_some_and(|s| s.releases(&mut at)) {
                return;
            }
            *claimed = false;
            *at.kept = Kept::Free;
        }
        let reads = |source: &&mut dyn Source| source.protocols().contains(&start.protocol);
        let source = if matches!(at.kept, Kept::Free) {
            sources.all().find(reads)
        } else {
            sources.of(at.kept).filter(reads)
        };
        if let Some(source) = source {
            open[at.direction.index()] = true;
            source.start(&mut at, start);
        }
    }

    fn data(&mut self, to: &mut StreamContext<'_, State>, piece: &Piece<'_>) {
        self.open(to, |source, at| source.data(at, piece));
    }

    fn gap(&mut self, to: &mut StreamContext<'_, State>, gap: &MessageGap) {
        self.open(to, |source, at| source.gap(at, gap));
    }

    fn end(&mut self, to: &mut StreamContext<'_, State>, end: &MessageEnd) {
        self.open(to, |source, at| source.end(at, end));
        to.state.open[to.direction.index()] = false;
    }

    fn stream_data(&mut self, to: &mut StreamContext<'_, State>, chunk: &Chunk<'_>) {
        self.stream(to, |source, at| {
            source.stream_data(at, at.file_offset(chunk.offset), chunk);
        });
    }

    fn stream_gap(&mut self, to: &mut StreamContext<'_, State>, gap: &Gap) {
        if gap.len.is_none() {
            self.open(to, |source, at| source.jump(at));
        }
        self.stream(to, |source, at| {
            source.stream_gap(at, at.file_offset(gap.offset), gap);
        });
    }

    fn stream_end(&mut self, to: &mut StreamContext<'_, State>, close: Close) {
        self.stream(to, |source, at| source.stream_end(at, close));
    }

    fn closed(&mut self, to: &mut StreamContext<'_, State>, close: Close) {
        let (sources, mut at, ..) = self.at(to);
        if let Some(source) = sources.of(at.kept) {
            source.closed(&mut at, close);
        }
        *at.kept = Kept::New;
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        for source in self.sources.all() {
            source.datagram(&mut self.store, at, message);
        }
    }
}

impl Output for Files {
    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.store.flush().map(ControlFlow::Continue)
    }
}
