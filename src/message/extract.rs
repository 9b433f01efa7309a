//! Finds the messages in the streams of connections.
//!
//! Octets pass through uncopied: what is held back is only what needs more octets (a header that is cut by the end of a
//! segment, a start line at the end of what is there), never a body.

use super::bundled::Bundle;
use super::carry::{self, Brought, CarriedStreams, ToCarrier};
use super::custom::{Around, CustomDetector, CustomFramer, Verdict};
use super::decrypted::{Decrypted, Gathered, Openers, Seal};
use super::doubt::{HeldOctets, MOST_PARTS, Outlook};
use super::events::{DatagramMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use super::framing::{
    Begin, BodyPart, DoubtEnds, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::held_part::{ChunkOrigin, HeldPart, are_runs, next_answer, part_at, run_end};
use super::protocols::{self, AnyFramer, STREAMS, StreamRow, interrupter, tunnels};
use super::records::{APPLICATION_DATA, KeyLog};
use super::row::BundledLength;
use super::rules::Rules;
use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::counters::ProtocolCounters;
use crate::base::flow::{Direction, Transport};
use crate::base::limits::Limits;
use crate::base::message::{Extent, Kind};
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::Budget;
use crate::base::stream::{Chunk, Close, Duplicate, Gap, Side};
use crate::base::time::{Instant, Timestamp};
use crate::base::trace::EventKind;
use crate::transport::datagram::{DatagramContext, EndedFlow};
use crate::transport::sctp::{
    AssociationContext, ChunkGap, DuplicateChunk, UserMessage, UserMessageSink,
};
use crate::transport::stream::{StreamContext, StreamSink, Taken};
use std::cell::Cell;

/// Octets of a message of no known protocol, at most: as much as an IP packet can have, so that what comes out is a packet
/// again.
// Half of it would cut a 64 KiB write in two; twice of it could not be written as one packet.
const OPAQUE: u64 = 64 << 10;
/// Octets that detectors are shown at most before they have to decide: the longest request target that HTTP is looked for
/// with. What a stream holds while nothing is known of it stays below this.
// Half would refuse long targets, as single sign-on makes them. Twice would double what each
// connection that just began may hold.
const PROBE: usize = 64 << 10;
/// Octets that a detector of the user's may ask for while a message is looked for anywhere: all that is held is searched
/// again by the others.
// As much as the built-in ones are shown would be searched again with every segment.
const CUSTOM_PROBE: usize = 4 << 10;
/// Messages of no known protocol at whose start detectors are asked, in each direction. A protocol that is known begins with
/// the first or, behind some greeting, soon; asking at every message of a long unknown stream would cost more than all else.
const TRIES: u8 = 16;
/// Octets of a stream from the middle that detectors are shown whose protocol no port hints at and whose search is not cheap:
/// enough for several messages of most protocols. Behind that a stream of no known protocol costs little.
// With no bound, an hour of unknown bulk data would pass through every detector.
const SEARCHED: u32 = 256 << 10;
/// Octets in which a beginning is looked for of a stream that is known from its start and began with something that nobody knows.
// What precedes a protocol is a few lines or a header: with a quarter of it, a first run of some segments would hide what follows; with
// no bound, bulk data that nobody knows would pass through every detector.
const WITHIN: u32 = 64 << 10;
/// Places at which a row is asked in one piece of it that may be beginnings and are not certain.
// Each costs another look: with two, octets that look like a header by chance would hide it.
const CANDIDATES: usize = 4;
/// A look at a short piece counts as one at so many octets, as the question costs more than they do.
// Sixty-four runs of a protocol that nobody knows: what follows an unknown beginning has shown itself long before.
const LOOK: u32 = 4 << 10;
/// Octets that are taken to be looked at where a row is asked whether a message of its own begins with the first of them, at most.
const FIRST_LINE: u64 = 1024;
/// Octets of a message of no known protocol that come out at once, so that its summary does not depend on what was held of it.
const BEGINNING: usize = 256;
/// Failures without a whole message between them, after which the protocol is thought to be another. A burst of losses makes
/// a few in a row; sixteen are no accident.
// With four, one burst of losses would throw a right guess away; with a hundred, a wrong one would
// skip most of the connection.
const FAILURES: u8 = 16;
/// Octets skipped before the first whole message, after which the protocol is thought to be another: a message that was begun
/// before the capture may be long, but is rarely longer.
const UNPROVEN: u64 = 256 << 10;
/// Changes of direction behind a loss, after the first of which what is not recognised is no rest of a message that was lost: the
/// next message should stand behind the first.
const TURNS: u8 = 1;
/// The same at a start in the middle, where a port says what they may be.
// Three runs in a row that are whole messages and nothing else are no accident, also of a protocol whose headers are weak.
const FIRST_TURNS: u8 = 3;
/// The same where the user has said what the octets are: then nothing else is missed while more headers are waited for.
// As many as the segments that a start is looked behind: of so many writes a chain can be made also of small numbers.
const DECIDED_TURNS: u8 = 16;
/// How many of them are waited for.
const fn most_turns(decided: bool, lossy: bool) -> u8 {
    match (decided, lossy) {
        (true, _) => DECIDED_TURNS,
        (false, false) => FIRST_TURNS,
        (false, true) => TURNS,
    }
}

/// Octets that may be the rest of a message whose beginning is lost, which wait for the next one, at most: as many as wait for
/// a chain of headers.
const REST: usize = 256 << 10;
/// How often a connection's protocol is looked for anew: octets made for it could have it searched without end.
// Each time costs another search through every detector.
const RENEWALS: u8 = 4;

/// What the next octets of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Mode {
    /// Of no known protocol; detectors are asked.
    Unknown,
    /// The start of a message.
    Begin,
    /// So many octets of the open message; `last`: then it is complete, else the framer is asked.
    Inside {
        left: u64,
        last: bool,
        supposed: bool,
    },
    /// More of the open message, as the framer says.
    Ask,
    /// Of the open message, to the end of the stream.
    ToClose,
    /// Not known: the next start of a message is looked for.
    Search,
}

/// The message that is open in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OpenMessage {
    start: u64,
    whole: bool,
    hand_over: bool,
    /// The user wants it: the sink sees it.
    wanted: bool,
    /// It is a frame of a connection that carries streams: the sink sees it as that, and what it carries.
    frames: bool,
    carries: bool,
    /// It is of no known protocol.
    opaque: bool,
    /// Of TLS whose keys may be known: whether it is a message at all.
    seal: Seal,
    /// Where its protocol's counters stand.
    counted: u32,
    /// The packet that brought the last of its octets: the one that was captured last, where they waited for each other.
    last: (u64, Timestamp, u32),
}

/// What is kept of one stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct MessageStream {
    mode: Mode,
    open: Option<OpenMessage>,
    /// They end at `at`. Most streams hold nothing most of the time.
    held: Option<Box<HeldOctets>>,
    /// Offset up to which octets were taken.
    at: u64,
    /// Detectors are asked to find a message anywhere: the stream was captured from the middle, or lacks octets.
    searching: bool,
    /// Detectors have been asked so many times.
    tries: u8,
    /// Octets in which detectors have looked for a message.
    searched: u32,
    /// The last octet that was taken ended a segment with PSH.
    pushed: bool,
    /// How often one with PSH has ended inside of a message whose length is known.
    split: u8,
    /// Octets are missing right before what comes next, and nothing behind them was told yet: what stands ahead of the next
    /// message may be the rest of one whose beginning is lost.
    behind_loss: bool,
    /// The other side has sent something so many times since this one has been searched behind a loss.
    turns: u8,
    /// Where a framer found something that is not its own, and how many of them did at that place.
    refused: Option<(u64, u8)>,
    /// The last run was whole messages of this row of the table, each of which could be chance: another such run is none.
    filled: Option<u8>,
    /// Somebody needs more octets to tell what the stream begins with.
    undecided: bool,
    /// Offset at which a run begins because the other side has spoken, or, where nothing is missing, because one has ended.
    run: Option<u64>,
    /// What its last segment acknowledged.
    heard: Option<u64>,
    /// The message that comes next may have begun in octets that are missing.
    may_have_begun: bool,
    /// It lacks octets: where a run ends with PSH, the body of a message may go on whose header was lost.
    lossy: bool,
    /// How far the search for a beginning has looked.
    outlook: Option<Box<Outlook>>,
    /// Frames this direction alone: it speaks another protocol than the other one.
    own: Option<Box<AnyFramer>>,
}

impl MessageStream {
    /// What comes next may be the rest of a message whose beginning is lost.
    const fn rest_may_come(&self) -> bool {
        self.behind_loss && self.open.is_none()
    }

    /// When what is held in doubt has to be let go though nothing comes.
    /// `framed`: the protocol may be known.
    fn until(&self, limits: &Limits, framed: bool) -> Option<Instant> {
        let held = self.held.as_ref()?;
        match self.mode {
            // What the next messages of a known protocol are looked for in has waited for the hole already, or was looked behind.
            Mode::Unknown if framed && self.rest_may_come() => {
                Some(held.until(limits).min(held.enough(limits, self.lossy)))
            }
            Mode::Unknown => Some(held.until(limits)),
            Mode::Search => held.look(limits),
            _ => None,
        }
    }

    /// How far the search has looked is of no use any more.
    fn forget(&mut self, budget: &mut Budget) {
        if let Some(mut outlook) = self.outlook.take() {
            outlook.uncount(budget);
        }
    }

    /// Octets that were taken but not pushed to the sink yet.
    fn held(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.octets().len())
    }
}

impl Default for MessageStream {
    fn default() -> Self {
        Self {
            mode: Mode::Unknown,
            open: None,
            held: None,
            at: 0,
            searching: false,
            tries: 0,
            searched: 0,
            pushed: false,
            split: 0,
            behind_loss: false,
            turns: 0,
            refused: None,
            filled: None,
            undecided: false,
            run: None,
            heard: None,
            may_have_begun: false,
            lossy: false,
            outlook: None,
            own: None,
        }
    }
}

/// What the extractor keeps with each connection, and what the sink behind it does.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + serde::de::DeserializeOwned")]
pub struct Conversation<T> {
    streams: [MessageStream; 2],
    begun: [bool; 2],
    framer: Option<AnyFramer>,
    /// Octets of the framers that the budget knows of.
    charged: usize,
    trust: Trust,
    /// The streams that it carries, where it carries some.
    carried: Option<Box<CarriedStreams<T>>>,
    /// What its records of TLS hold, where their keys are known.
    decrypted: Option<Box<Decrypted<Self>>>,
    state: T,
}

impl<T> Conversation<T> {
    /// What frames a direction.
    fn framer(&self, d: Direction) -> Option<&AnyFramer> {
        let own = self.streams[d.index()].own.as_deref();
        own.or(self.framer.as_ref())
    }

    /// What frames a direction.
    fn framer_mut(&mut self, d: Direction) -> Option<&mut AnyFramer> {
        let own = self.streams[d.index()].own.as_deref_mut();
        own.or(self.framer.as_mut())
    }
}

/// How sure it is that a connection speaks the protocol that its framer is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Trust {
    /// The user's rules have been asked.
    asked: bool,
    /// They have decided.
    decided: bool,
    /// A whole message was found.
    proven: bool,
    /// Failures since the last one.
    failures: u8,
    /// Octets skipped before the first one.
    skipped: u64,
    /// The protocol was looked for anew so many times.
    renewals: u8,
    /// The connection has left this protocol for another: its ports stand for it no more.
    left: Option<Name>,
}

impl Trust {
    /// The connection may speak this protocol.
    fn allows(&self, row: &StreamRow) -> bool {
        self.left
            .is_none_or(|left| left.text() != row.protocol.name || row.protocol.tunnels)
    }
}

/// A [`StreamSink`] that finds messages and pushes them to a [`MessageSink`].
#[derive(Debug)]
pub struct Extractor<M> {
    /// What messages are pushed to.
    pub sink: M,
    /// What the user says of ports and protocols.
    pub rules: Rules,
    /// What records of TLS are opened with.
    openers: Openers,
    /// The user's own detectors, asked before all others.
    custom: Vec<CustomDetector>,
    /// Octets that the row has looked at which was shown most.
    pub(crate) looked: Vec<u64>,
    /// The protocol of the last datagram or user message, and how messages in it say their length: most are of one protocol.
    last_bundled: (&'static str, Option<BundledLength>),
}

type ConversationContext<'a, M> = StreamContext<'a, Conversation<<M as MessageSink>::State>>;

/// Octets at hand: what is held, or what a chunk brings.
struct OctetView<'a> {
    octets: &'a [u8],
    /// Offset of the first.
    offset: u64,
    /// Where they came from, and where runs end in them.
    parts: &'a [HeldPart],
    /// Sum of `octets`, where it is known.
    sum: Option<Sum>,
    push: bool,
    /// Offsets at which segments begin.
    segments: &'a [u64],
    next: Following,
    /// They are not held any longer though nobody can tell what they are.
    doubt_ends: Option<DoubtEnds>,
    /// What is looked for in them has waited for more long enough.
    late: bool,
    /// From where the other side is known to speak next, and where that is: runs are taken one by one, and there may be very many.
    answer: Cell<Option<(u64, Option<u64>)>>,
}

/// What became of octets of no known protocol.
enum Loose {
    /// So many were used, or the stream has another mode now.
    Used(usize),
    /// More are needed.
    More,
    /// The other stream has to come to this offset first.
    Wait(u64),
}

/// Who begins at a place.
enum Settled {
    /// A message of the direction's framer.
    Home,
    /// Of a row of the table.
    Row(&'static StreamRow),
    /// Of a detector of the user's.
    Custom(CustomFramer),
}

/// What a search has found.
enum Sought {
    /// A message begins with the first octet.
    Here(Settled),
    /// None does before `keep`. `rest_of`: what stands before it is the rest of one whose beginning is lost; `home`: the
    /// direction's framer has found a message there.
    Before {
        keep: usize,
        rest_of: bool,
        home: bool,
    },
}

/// How far a walk came.
struct Walked {
    /// Octets that are done with.
    used: usize,
    /// The rest waits for the other stream to come to this offset.
    wait: Option<u64>,
}

impl<M: MessageSink> StreamSink for Extractor<M> {
    type State = Conversation<M::State>;

    // A raw stream sink hears of the octets before the messages that they complete, so that both
    // outputs tell the same order.
    fn data(&mut self, at: &mut ConversationContext<'_, M>, chunk: Chunk<'_>) -> Taken {
        if self.lies_inside(at, &chunk) {
            Taken::All
        } else {
            self.anywhere(at, &chunk)
        }
    }

    fn wake(&mut self, at: &mut ConversationContext<'_, M>) {
        for _ in 0..2 {
            let framed = at.state.framer.is_some();
            let stream = &at.state.streams[at.direction.index()];
            let until = stream.until(&at.cx.limits, framed);
            if until.is_some_and(|t| at.cx.now >= t) {
                self.walk_held(at, Following::Octets, Some(DoubtEnds::Pause));
            }
            at.direction = at.direction.flip();
        }
        self.inside(at, |extractor, kept, at| kept.woken(at, extractor));
        let due = self.sink.wakes_at(&at.state.state);
        if due.is_some_and(|t| at.cx.now >= t) {
            self.sink.wake(&mut at.with(|s| &mut s.state));
        }
        self.watch(at);
    }

    fn gap(&mut self, at: &mut ConversationContext<'_, M>, gap: Gap) {
        self.begin_stream(at, gap.offset);
        // Order: the other direction's run ends, then what is held here, and only then the gap is
        // put into the message.
        self.change_direction(at, None);
        self.stop(at, Following::Gap, gap.offset);
        let i = at.direction.index();
        let stream = &mut at.state.streams[i];
        stream.lossy = true;
        stream.pushed = gap.push;
        if let Some(kept) = &mut at.state.decrypted {
            kept.misses(at.direction);
            if gap.len.is_none() {
                kept.jump(at.direction);
            }
        }
        let stream = &mut at.state.streams[i];
        let mut left = gap.len.unwrap_or(u64::MAX);
        if let Mode::Inside {
            left: inside, last, ..
        } = &mut stream.mode
            // A gap of unknown length cannot be counted down: it ends the message.
            && gap.len.is_some()
        {
            let n = left.min(*inside);
            *inside -= n;
            let (rest, last) = (*inside, *last);
            left -= n;
            if let Some(open) = &mut stream.open {
                open.whole = false;
            }
            self.missing(at, gap.offset, n);
            // Counted as lost in the message; the part past it belongs to no message that is known.
            at.cx.counters.message.lost_octets += n;
            if gap.push && rest > 0 {
                let stream = &mut at.state.streams[i];
                stream.split = stream.split.saturating_add(1);
            }
            if rest == 0 && last {
                self.end_message(at, gap.offset + n, false, None);
            } else if rest == 0 && left == 0 {
                // Between two parts: the framer says what follows, and the gap ended exactly there.
                at.state.streams[i].mode = Mode::Ask;
            }
        } else if stream.mode == Mode::ToClose {
            // Its end is the stream's, so no gap can end it.
            if let Some(open) = &mut stream.open {
                open.whole = false;
            }
            if let Some(len) = gap.len {
                at.cx.counters.message.lost_octets += len;
                self.missing(at, gap.offset, len);
            }
            left = 0;
        } else if let (Mode::Ask, Some(len), true) = (stream.mode, gap.len, stream.open.is_some())
            && let d = at.direction
            && let framer = at.state.framer_mut(d)
            && framer.is_some_and(|framer| framer.goes_on_behind_gap(d, len))
        {
            let stream = &mut at.state.streams[i];
            if let Some(open) = &mut stream.open {
                open.whole = false;
            }
            at.cx.counters.message.lost_octets += len;
            self.missing(at, gap.offset, len);
            left = 0;
        } else if self.begins_in_gap(at, gap) {
            let stream = &mut at.state.streams[i];
            (stream.may_have_begun, stream.behind_loss) = (true, true);
            left = 0;
        } else if let Some(framer) = at.state.framer_mut(at.direction) {
            framer.gap(at.direction);
        }
        // What is left lies outside of any message whose extent is known.
        if left > 0 {
            let end = gap.offset + gap.len.unwrap_or(0);
            self.end_message(at, end, true, None);
            Self::lose_frames(at);
            self.forget(at);
            if let Some(framer) = at.state.framer_mut(at.direction) {
                framer.gap(at.direction);
                framer.hole(at.direction, gap.len);
            }
            if at
                .state
                .framer(at.direction)
                .is_some_and(Framer::ends_at_gap)
            {
                self.begin_anew(at);
            }
            let certain = at.state.trust.proven || at.state.trust.decided;
            let framed = at.state.framer(at.direction).is_some();
            let stream = &mut at.state.streams[i];
            let first = !framed && stream.tries == 0;
            (stream.behind_loss, stream.turns) = (true, 0);
            if framed && certain && stream.mode != Mode::Unknown {
                stream.mode = Mode::Search;
            } else {
                self.look_anew(at);
                if first {
                    // Its beginning is missing.
                    self.presume(at);
                }
            }
        }
        at.state.streams[i].at = gap.offset + gap.len.unwrap_or(0);
        let mut to = at.with(|s| &mut s.state);
        self.sink.stream_gap(&mut to, &gap);
        self.other_may_go_on(at);
        self.watch(at);
    }

    fn duplicate(&mut self, at: &mut ConversationContext<'_, M>, duplicate: &Duplicate) {
        self.sink
            .stream_duplicate(&mut at.with(|s| &mut s.state), duplicate);
    }

    fn end(&mut self, at: &mut ConversationContext<'_, M>, close: Close) {
        let offset = at.state.streams[at.direction.index()].at;
        self.stop(at, Following::End, offset);
        // Walking what was held may have used some of it.
        let offset = at.state.streams[at.direction.index()].at;
        self.end_message(at, offset, true, Some(close));
        if at.state.carried.is_some() {
            let brought = Self::brought(at, offset);
            self.carry(at, ToCarrier::End(Some(close)), brought);
        }
        self.inside(at, |extractor, kept, at| kept.end(at, extractor, close));
        let mut to = at.with(|s| &mut s.state);
        self.sink.stream_end(&mut to, close);
        self.other_may_go_on(at);
        self.watch(at);
    }

    fn closed(&mut self, at: &mut ConversationContext<'_, M>, close: Close) {
        self.close(at, close);
        let mut to = at.with(|s| &mut s.state);
        self.sink.closed(&mut to, close);
    }

    fn charged(&self, state: &Conversation<M::State>) -> Option<usize> {
        let inner = self.sink.charged(&state.state)?;
        let idle_stream = |s: &MessageStream| s.held.is_none() && s.outlook.is_none();
        // What users bring is not known to come back as it was.
        let [there, back] = [Direction::Forward, Direction::Reverse].map(|d| state.framer(d));
        let own = |framer: Option<&AnyFramer>| {
            matches!(framer, Some(AnyFramer::Custom(_) | AnyFramer::User(_)))
        };
        let known = !own(there) && !own(back);
        let carried = match &state.carried {
            Some(carried) => carried.charged(|state| self.sink.charged(state))?,
            None => 0,
        };
        let idle = state.streams.iter().all(idle_stream) && state.decrypted.is_none();
        (known && idle).then_some(state.charged + inner + carried)
    }

    fn hears_flow_ends(&self) -> bool {
        self.sink.hears_flow_ends()
    }

    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        self.sink.flow_end(cx, ended);
    }
}

/// A user message is a message: SCTP keeps them apart.
impl<M: MessageSink> UserMessageSink for Extractor<M> {
    type State = M::State;

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, M::State>,
        message: &UserMessage<'_>,
    ) {
        let c = &mut at.cx.counters.message;
        c.messages += 1;
        c.octets += message.data.len() as u64;
        if message.whole {
            c.whole += 1;
        } else {
            c.incomplete += 1;
            c.lost_octets += message.lost();
        }
        let ports = (message.src.port(), message.dst.port());
        let protocol = match self.rules.named(Transport::Sctp, ports) {
            Some(name) => name,
            None => {
                protocols::user_message_protocol(ports, message.ppid, message.data, message.whole)
            }
        };
        let bundled = self.bundled(protocol);
        count(
            at.cx.counters.protocol(Name::of(protocol)),
            bundled,
            message.data,
            message.whole,
        );
        if at.cx.trace.is_on() {
            let what = EventKind::UserMessage {
                tsn: message.tsn,
                stream: message.stream,
                protocol,
                len: message.data.len() as u64,
                whole: message.whole,
            };
            at.cx.emit(at.flow, message.direction, what);
        }
        if self.rules.filter.wants(protocol) {
            self.sink.user_message(at, message, protocol);
        }
    }

    fn gap(&mut self, at: &mut AssociationContext<'_, M::State>, gap: &ChunkGap) {
        let what = EventKind::ChunkGap {
            tsn: gap.tsn,
            tsns: gap.tsns,
            cause: gap.cause,
        };
        at.cx.emit(at.flow, gap.direction, what);
        self.sink.chunk_gap(at, gap);
    }

    fn duplicate(&mut self, at: &mut AssociationContext<'_, M::State>, chunk: &DuplicateChunk) {
        self.sink.chunk_duplicate(at, chunk);
    }

    fn end(&mut self, at: &mut AssociationContext<'_, M::State>, close: Close) {
        at.cx
            .emit(at.flow, Direction::Forward, EventKind::Ends(close));
        self.sink.association_end(at, close);
    }

    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        self.sink.flow_end(cx, ended);
    }
}

/// Counts the messages of a protocol that a datagram or a user message bundles; where nothing keeps them apart it is one.
fn count(
    counters: &mut ProtocolCounters,
    bundled: Option<BundledLength>,
    data: &[u8],
    whole: bool,
) {
    counters.octets += data.len() as u64;
    let mut found = 0;
    let mut cut = false;
    if let Some(length) = bundled {
        for one in Bundle::new(length, data) {
            found += 1;
            cut = one.len > one.data.len() as u64;
        }
    }
    // A message that bundles nothing is one.
    counters.messages += found.max(1);
    // What breaks off behind a message that is whole lacks something too: the rest of it, or another message.
    counters.incomplete += u64::from(cut || !whole);
}

impl<M: MessageSink> Extractor<M> {
    /// An extractor that pushes messages to `sink`.
    pub fn new(sink: M) -> Self {
        let openers = Openers {
            listens: sink.hears_handshakes(),
            ..Openers::default()
        };
        Self {
            sink,
            rules: Rules::default(),
            openers,
            custom: Vec::new(),
            looked: vec![0; STREAMS.len() + 1],
            last_bundled: (NO_PROTOCOL, protocols::bundled_length(NO_PROTOCOL)),
        }
    }

    /// How messages in a datagram or a user message of this protocol say their length.
    fn bundled(&mut self, protocol: &'static str) -> Option<BundledLength> {
        if !std::ptr::eq(self.last_bundled.0, protocol) {
            self.last_bundled = (protocol, protocols::bundled_length(protocol));
        }
        self.last_bundled.1
    }

    /// The same with detectors of one's own, which are asked before all others.
    #[must_use]
    pub fn with_detectors(mut self, detectors: Vec<CustomDetector>) -> Self {
        self.custom = detectors;
        self
    }

    /// Counts a UDP datagram, and pushes it to the sink if it is wanted.
    pub(super) fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let (payload, payload_len) = (message.payload, message.payload_len);
        let whole = payload.len() >= payload_len;
        let bundled = self.bundled(message.protocol);
        let c = &mut at.cx.counters;
        count(
            c.protocol(Name::of(message.protocol)),
            bundled,
            payload,
            whole,
        );
        c.message.messages += 1;
        c.message.octets += payload.len() as u64;
        if whole {
            c.message.whole += 1;
        } else {
            c.message.incomplete += 1;
            c.message.lost_octets += (payload_len - payload.len()) as u64;
        }
        let what = EventKind::Message {
            protocol: message.protocol,
            len: payload.len() as u64,
            whole,
        };
        at.cx.emit(at.flow, at.direction, what);
        if self.rules.filter.wants(message.protocol) {
            self.sink.datagram(at, message);
        }
    }

    /// Both directions have ended: what is kept for them goes.
    fn close(&mut self, at: &mut ConversationContext<'_, M>, close: Close) {
        // Their budget is given back here, whatever state the walk left them in.
        for stream in &mut at.state.streams {
            if let Some(mut held) = stream.held.take() {
                held.uncount(&mut at.cx.budget);
            }
            stream.own = None;
        }
        Self::put_framer(at, None);
        self.end_carried(at, Some(close));
        self.inside(at, |extractor, kept, at| kept.closed(at, extractor, close));
        at.state.decrypted = None;
    }

    /// Takes a chunk wherever it lies.
    #[inline(never)] // off the way of those that lie inside of a message
    fn anywhere(&mut self, at: &mut ConversationContext<'_, M>, chunk: &Chunk<'_>) -> Taken {
        self.arrives(at, chunk);
        self.begin_stream(at, chunk.offset);
        self.change_direction(at, chunk.ack);
        let i = at.direction.index();
        // Before the octets: a message of the other direction ends where this one begins to speak.
        let stream = &mut at.state.streams[i];
        let mut now = HeldPart::of(chunk);
        now.answers = stream.heard.is_some() && chunk.ack > stream.heard;
        now.begins = stream.pushed;
        stream.heard = chunk.ack.or(stream.heard);
        let turned = now.answers && stream.mode == Mode::Unknown && !stream.rest_may_come();
        if turned {
            // The other side has spoken in between, though that was not captured or waits.
            self.turn(at);
        }
        let before = at.state.streams[i].held();
        let stream = &mut at.state.streams[i];
        let mut used = 0;
        let mut wait = None;
        if before > 0 {
            // The two are joined by a copy once. Without it every framer would have to read across
            // two pieces.
            // What is held comes first. It is walked together with the chunk until nothing of it is left.
            let searching = stream.mode == Mode::Search;
            let mut held = stream.held.take().unwrap_or_default();
            held.push(chunk, now, at.cx.now);
            let offset = chunk.offset - before as u64;
            let view = OctetView {
                octets: held.octets(),
                offset,
                parts: held.parts(),
                push: chunk.push,
                segments: held.segments(),
                sum: None,
                next: Following::Octets,
                doubt_ends: (held.parts().len() >= MOST_PARTS).then_some(DoubtEnds::Full),
                late: searching && at.cx.now >= held.late(&at.cx.limits),
                answer: Cell::new(None),
            };
            // Only until nothing of it is held: the rest of the chunk is then walked in the read
            // buffer.
            let walked = self.walk(at, &view, before);
            held.uncount(&mut at.cx.budget);
            // Something held is still needed. If the walk waits for the other stream, the chunk is
            // refused, as it will come again.
            if walked.used < before {
                if walked.wait.is_some() {
                    held.pull(before, now);
                }
                held.used(walked.used, offset + walked.used as u64);
                self.hold(at, held);
                if let Some(until) = walked.wait {
                    self.watch(at);
                    return Taken::Wait { taken: 0, until };
                }
                self.took(at, chunk, chunk.data.len());
                self.both_may_go_on(at);
                self.watch(at);
                return Taken::All;
            }
            // More than what was held was used: the rest is in the chunk itself.
            used = walked.used - before;
            wait = walked.wait;
        }
        if wait.is_none() && used < chunk.data.len() {
            let view = OctetView {
                // Whatever was used belongs to the held part; a sum of the whole chunk is of no use
                // then.
                octets: &chunk.data[used..],
                offset: chunk.offset + used as u64,
                parts: &[now],
                push: chunk.push,
                segments: if used == 0 { &[chunk.offset] } else { &[] },
                sum: chunk.sum.filter(|_| used == 0),
                next: Following::Octets,
                doubt_ends: None,
                late: false,
                answer: Cell::new(None),
            };
            let walked = self.walk(at, &view, usize::MAX);
            used += walked.used;
            wait = walked.wait;
            if wait.is_none() && used < chunk.data.len() {
                let mut held = HeldOctets::rest_of(chunk, used, now, at.cx.now);
                held.has_waited(at.cx.packet.time.since(chunk.time), &at.cx.limits);
                self.hold(at, Box::new(held));
                used = chunk.data.len();
            }
        }
        self.took(at, chunk, used);
        self.both_may_go_on(at);
        self.watch(at);
        match wait {
            Some(until) => Taken::Wait { taken: used, until },
            None => Taken::All,
        }
    }

    /// What begins here may be one half of an exchange: a message of a protocol that pairs, or a record that is opened and may hold one.
    fn may_answer(at: &ConversationContext<'_, M>, octets: &[u8]) -> bool {
        let sealed = octets.first() == Some(&APPLICATION_DATA);
        let kept = at.state.decrypted.as_ref().filter(|_| sealed);
        let framer = at.state.framer(at.direction);
        kept.is_some_and(|kept| kept.opens()) || framer.is_some_and(|f| protocols::pairs(f.name()))
    }

    /// First event of a stream.
    fn begin_stream(&self, at: &mut ConversationContext<'_, M>, offset: u64) {
        let i = at.direction.index();
        if at.state.begun[i] {
            return;
        }
        at.state.begun[i] = true;
        let from_start = at.side().from_start;
        let stream = &mut at.state.streams[i];
        stream.at = offset;
        // Its first octet is the first that its sender wrote.
        stream.pushed = from_start;
        // Without its SYN the first octet may stand anywhere in a message.
        if !from_start {
            (stream.searching, stream.behind_loss) = (true, true);
            self.presume(at);
        }
        let Trust {
            decided, proven, ..
        } = at.state.trust;
        let other = at.state.streams[1 - i].mode;
        let stream = &mut at.state.streams[i];
        if let Some(framer) = &mut at.state.framer {
            if !from_start {
                framer.gap(at.direction);
            }
            // A port alone has said what the other direction may be.
            let presumed = !decided && !proven && matches!(other, Mode::Unknown | Mode::Search);
            stream.mode = match from_start {
                true if presumed => Mode::Unknown,
                true => Mode::Begin,
                // The other direction may speak a protocol that this one does not.
                false if decided => Mode::Search,
                false => Mode::Unknown,
            };
        }
    }

    /// Looks for messages of the protocol that the ports stand for, where the stream's own beginning is not there.
    fn presume(&self, at: &mut ConversationContext<'_, M>) {
        // The rules of the user come first. After a failed guess the ports are not believed again.
        let trust = at.state.trust;
        if at.state.framer.is_some() || trust.renewals > 0 || self.decide(at) {
            return;
        }
        if let Some(left) = trust.left {
            // What is left for another protocol is left for the one that is switched to, but where a tunnel may hold any.
            if let Some(row) = interrupter().filter(|_| !tunnels(left.text())) {
                self.adopt(at, row.framer(), false);
                self.look_anew(at);
            }
            return;
        }
        if let Some(row) = Self::upgraded_there(at) {
            self.adopt(at, row.framer(), false);
            self.look_anew(at);
            return;
        }
        let ports = at.flow.hints(at.direction);
        // What is left of a message whose beginning is missing must not become a message of its own.
        // Waiting for a beginning by the port's protocol costs little if it is wrong: the search
        // gives up after a while and detection begins.
        if let Some(row) = STREAMS.iter().find(|row| row.protocol.hinted(ports)) {
            self.adopt(at, row.framer(), false);
            self.look_anew(at);
        }
    }

    /// The response of a server, which is the sender, has upgraded the connection to this protocol.
    fn note_upgraded(at: &mut ConversationContext<'_, M>, row: &'static StreamRow) {
        // What records of TLS hold says nothing of a connection whose records are not opened.
        if row.protocol.upgrades && at.flow.decrypted.is_none() {
            let (server, protocol) = (at.flow.src(at.direction), Name::of(row.protocol.name));
            let Context {
                upgraded, budget, ..
            } = &mut *at.cx;
            upgraded.note(server, protocol, budget);
        }
    }

    /// The protocol to which others of the same server were upgraded, where the beginning of the connection is not there.
    fn upgraded_there(at: &ConversationContext<'_, M>) -> Option<&'static StreamRow> {
        if at.cx.upgraded.is_empty()
            || at.flow.decrypted.is_some()
            || at.sides.iter().any(|side| side.from_start)
        {
            return None;
        }
        let [one, other] = [Direction::Forward, Direction::Reverse].map(|d| at.flow.src(d));
        let upgraded = &at.cx.upgraded;
        let protocol = upgraded
            .protocol(one)
            .or_else(|| upgraded.protocol(other))?;
        protocols::stream(protocol.text()).filter(|row| row.protocol.upgrades)
    }

    /// The octets that follow may be of any protocol: detectors are asked to find a message anywhere.
    fn look_anew(&self, at: &mut ConversationContext<'_, M>) {
        self.forget(at);
        Self::look_on(at);
    }

    /// The same, where what rows have looked through stays so.
    fn look_on(at: &mut ConversationContext<'_, M>) {
        let stream = &mut at.state.streams[at.direction.index()];
        stream.mode = Mode::Unknown;
        (stream.searching, stream.searched) = (true, 0);
    }

    /// The framer of this direction met octets that it does not know, where nothing is missing: they are of no known
    /// protocol, and the other direction goes on as it was.
    fn leave(&mut self, at: &mut ConversationContext<'_, M>, offset: u64) {
        Self::forget_home(at);
        let d = at.direction;
        if let Some(framer) = at.state.framer_mut(d) {
            framer.refused(d, offset);
        }
        Self::lose_frames(at);
        let stream = &mut at.state.streams[d.index()];
        let before = stream.refused.filter(|(at, _)| *at == offset);
        stream.refused = Some((offset, before.map_or(1, |(_, n)| n.saturating_add(1))));
        stream.own = None;
        Self::charge_framers(at);
        Self::look_on(at);
        at.state.trust.failures = at.state.trust.failures.saturating_add(1);
        self.renew(at);
    }

    /// How far the search has looked in this direction is of no use any more.
    fn forget(&self, at: &mut ConversationContext<'_, M>) {
        at.state.streams[at.direction.index()].forget(&mut at.cx.budget);
    }

    /// The direction's framer is asked anew; what the rows have looked through they have looked through.
    fn forget_home(at: &mut ConversationContext<'_, M>) {
        if let Some(outlook) = &mut at.state.streams[at.direction.index()].outlook {
            outlook.forget_home();
        }
    }

    /// When the sink, or the stream inside of records of TLS, wants to be woken.
    #[inline]
    fn wish(&self, at: &ConversationContext<'_, M>) -> Option<Instant> {
        let wish = self.sink.wakes_at(&at.state.state);
        let inside = at.state.decrypted.as_ref().and_then(|kept| kept.wake());
        wish.into_iter().chain(inside).min()
    }

    /// Tells when what is held in doubt has to be let go though nothing comes.
    fn watch(&self, at: &mut ConversationContext<'_, M>) {
        // Most streams hold nothing most of the time.
        let wish = self.wish(at);
        if at.state.streams.iter().all(|stream| stream.held.is_none()) {
            *at.wake = wish;
            return;
        }
        let framed = at.state.framer.is_some();
        let streams = at.state.streams.iter();
        *at.wake = streams
            .filter_map(|stream| stream.until(&at.cx.limits, framed))
            .chain(wish)
            .min();
    }

    /// Octets of one direction end a message of no known protocol in the other, and let go what is in doubt there: nobody
    /// answers half a message.
    fn change_direction(&mut self, at: &mut ConversationContext<'_, M>, ack: Option<u64>) {
        let o = at.direction.flip();
        let hinted = at.state.framer.is_some();
        let decided = at.state.trust.decided;
        let stream = &mut at.state.streams[o.index()];
        match stream.mode {
            // A turn ahead of all that comes behind the loss ends nothing: a server asks for the body of a request, for one.
            Mode::Unknown | Mode::Search if stream.behind_loss && hinted && stream.held() == 0 => {}
            // It had more than is here: octets are missing behind this, and it has said nothing of where they begin.
            Mode::Unknown | Mode::Search
                if stream.behind_loss
                    && stream.open.is_none()
                    && hinted
                    && ack.is_some_and(|ack| ack > stream.at) => {}
            Mode::Unknown
                if stream.rest_may_come()
                    && stream.turns < most_turns(decided, stream.lossy)
                    && hinted =>
            {
                let held = stream.at - stream.held() as u64;
                // As below.
                if let (Some(waiting), Some(ack)) = (&mut stream.held, ack)
                    && ack < stream.at
                {
                    if ack > held {
                        waiting.end_run_at(ack);
                    }
                    return;
                }
                // More of the same turn.
                let end = stream.at;
                let several = most_turns(decided, stream.lossy) > TURNS;
                if several && stream.held.as_mut().is_some_and(|held| !held.turn(end)) {
                    return;
                }
                // It may be the rest of a message that was lost: then the next one begins behind this turn.
                stream.turns += 1;
                // The first turn counts: what follows it waits as well.
                if stream.run.is_none_or(|run| run < held) {
                    stream.run = Some(stream.at);
                }
                if let Some(held) = &mut stream.held {
                    held.end_run();
                }
            }
            Mode::Unknown => {
                // What was sent before anything of the run was heard is no answer to it: it was only captured late.
                let from = match stream.open {
                    Some(open) => open.start,
                    None => stream.at - stream.held() as u64,
                };
                // And what was sent when only a part of it was heard ends the run with that part.
                if let Some(ack) = ack.filter(|ack| *ack < stream.at || *ack <= from) {
                    if let Some(held) = &mut stream.held {
                        held.end_run_at(ack);
                    }
                    return;
                }
                self.turn(&mut at.flipped());
                let stream = &mut at.state.streams[o.index()];
                let end = stream.at - stream.held() as u64;
                // Where it has spoken already, it goes on with a run.
                if end > 0 {
                    stream.run = Some(end);
                }
                if stream.open.is_some_and(|open| open.opaque) {
                    self.end_message(&mut at.flipped(), end, false, None);
                }
            }
            Mode::Search if stream.behind_loss && ack.is_none_or(|ack| ack >= stream.at) => {
                // What follows is not the rest of a message that was begun before the loss, but for two taps whose clocks
                // differ: it waits, and nothing of it is passed over.
                self.look_anew(&mut at.flipped());
                let stream = &mut at.state.streams[o.index()];
                (stream.turns, stream.run) = (0, Some(stream.at));
                if let Some(held) = &mut stream.held {
                    held.end_run();
                }
            }
            _ => {}
        }
    }

    /// Tells those that want streams of a chunk, before its octets are looked at.
    #[inline(always)] // on the way of nearly all octets
    fn arrives(&mut self, at: &mut ConversationContext<'_, M>, chunk: &Chunk<'_>) {
        if self.sink.hears_streams() {
            let mut to = at.with(|s| &mut s.state);
            self.sink.stream_arrival(&mut to, chunk);
        }
    }

    /// The chunk was taken: pushes it to those that want streams.
    fn took(&mut self, at: &mut ConversationContext<'_, M>, chunk: &Chunk<'_>, used: usize) {
        let stream = &mut at.state.streams[at.direction.index()];
        stream.at = chunk.offset + used as u64;
        if used == chunk.data.len() {
            stream.pushed = chunk.push;
            if chunk.push && matches!(stream.mode, Mode::Inside { left: 1.., .. }) {
                stream.split = stream.split.saturating_add(1);
            }
            if self.sink.hears_streams() {
                let mut to = at.with(|s| &mut s.state);
                self.sink.stream_data(&mut to, chunk);
            }
        } else if used > 0 {
            // A part of a chunk has neither its end nor its PSH.
            stream.pushed = false;
            let chunk = Chunk {
                sum: None,
                data: &chunk.data[..used],
                push: false,
                ends_segment: false,
                cut: false,
                ..*chunk
            };
            let mut to = at.with(|s| &mut s.state);
            self.sink.stream_data(&mut to, &chunk);
        }
    }

    fn hold(&self, at: &mut ConversationContext<'_, M>, mut held: Box<HeldOctets>) {
        held.count(&mut at.cx.budget);
        let stream = &mut at.state.streams[at.direction.index()];
        if let Some(mut old) = stream.held.replace(held) {
            old.uncount(&mut at.cx.budget);
        }
    }

    /// Gives the connection another framer, or none, and gives back the old one. Where the framer of one direction changes,
    /// [`charge_framers`](Self::charge_framers) follows: the budget is charged with what is there, never with a difference.
    fn put_framer(
        at: &mut ConversationContext<'_, M>,
        framer: Option<AnyFramer>,
    ) -> Option<AnyFramer> {
        let old = std::mem::replace(&mut at.state.framer, framer);
        // Other rows are asked now.
        for stream in &mut at.state.streams {
            stream.forget(&mut at.cx.budget);
        }
        Self::charge_framers(at);
        old
    }

    /// Charges the budget with what the framers of the connection and of its directions allocate now.
    fn charge_framers(at: &mut ConversationContext<'_, M>) {
        let own = at.state.streams.iter().filter_map(|s| s.own.as_deref());
        let all = own.chain(&at.state.framer);
        let now = all.map(AnyFramer::size).sum();
        if now != at.state.charged {
            at.cx.budget.resize(at.state.charged, now);
            at.state.charged = now;
        }
    }

    /// The same, and then what is held in this one: a request that waits for the answer before it, which it has told more of.
    #[inline]
    fn both_may_go_on(&mut self, at: &mut ConversationContext<'_, M>) {
        if self.other_may_go_on(at) {
            self.other_may_go_on(&mut at.flipped());
        }
    }

    /// What is held in the other stream may be walked now that this one has moved. Whether it was.
    #[inline]
    fn other_may_go_on(&mut self, at: &mut ConversationContext<'_, M>) -> bool {
        let o = at.direction.flip();
        let stream = &at.state.streams[o.index()];
        // Only a beginning that asked for more octets can be decided by the other stream: by a
        // request that acknowledges the end of a header, for one.
        // What was sent ahead of a switch of protocols was held for the old one.
        let switched = stream.mode == Mode::Unknown
            && stream.tries == 0
            && !stream.undecided
            && at.state.trust.left.is_some()
            && at.state.framer.is_none();
        if stream.held() == 0 || !(stream.mode == Mode::Begin || switched) {
            return false;
        }
        self.walk_held(&mut at.flipped(), Following::Octets, None);
        true
    }

    /// The other side has answered what is held: nobody answers half a message.
    fn turn(&mut self, at: &mut ConversationContext<'_, M>) {
        if let Some(held) = &mut at.state.streams[at.direction.index()].held {
            held.end_run();
            self.walk_held(at, Following::Octets, Some(DoubtEnds::Turn));
        }
    }

    /// Walks what is held, with nothing behind it but what `next` says.
    fn walk_held(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        next: Following,
        doubt_ends: Option<DoubtEnds>,
    ) {
        let i = at.direction.index();
        let stream = &mut at.state.streams[i];
        let Some(mut held) = stream.held.take() else {
            return;
        };
        // Given back first and taken again if something is left: the budget never counts it twice.
        held.uncount(&mut at.cx.budget);
        let offset = stream.at - held.octets().len() as u64;
        let view = OctetView {
            octets: held.octets(),
            offset,
            parts: held.parts(),
            push: false,
            segments: held.segments(),
            sum: None,
            next,
            doubt_ends: doubt_ends.or((next != Following::Octets).then_some(DoubtEnds::NoMore)),
            late: doubt_ends.is_some(),
            answer: Cell::new(None),
        };
        let walked = self.walk(at, &view, usize::MAX);
        if walked.used < held.octets().len() {
            held.used(walked.used, offset + walked.used as u64);
            if doubt_ends == Some(DoubtEnds::Pause) {
                held.pause();
            }
            self.hold(at, held);
        }
    }

    /// A gap or the end of the stream stands at `offset`: nothing can be held any longer.
    fn stop(&mut self, at: &mut ConversationContext<'_, M>, next: Following, offset: u64) {
        let i = at.direction.index();
        if at.state.streams[i].held() > 0 {
            self.walk_held(at, next, None);
        }
        self.forget(at);
        let stream = &mut at.state.streams[i];
        stream.at = stream.at.max(offset);
        let Some(mut held) = stream.held.take() else {
            return;
        };
        held.uncount(&mut at.cx.budget);
        let octets = held.octets();
        let Some(source) = held.parts().first().map(|part| part.origin) else {
            return;
        };
        if octets.is_empty() {
            return;
        }
        let start = at.state.streams[i].at - octets.len() as u64;
        if at.state.streams[i].open.is_some() {
            self.emit(at, octets, start, source, None, false);
        } else if matches!(at.state.streams[i].mode, Mode::Begin | Mode::Unknown) {
            // A header that is cut: its start is known, its end is not.
            let start = MessageStart {
                protocol: Self::protocol(at).text(),
                kind: Kind::Other,
                offset: start,
                extent: Extent::Open,
                head: octets,
                time: source.time,
                frame: source.frame,
                ack: source.ack,
                answers: None,
                carried: None,
            };
            self.start_message(at, &start, source, false);
            self.emit(
                at,
                octets,
                start.offset,
                held.last_origin(source),
                None,
                false,
            );
            if let Some(open) = &mut at.state.streams[i].open {
                open.whole = false;
            }
        } else {
            self.skip(at, start, octets.len() as u64);
        }
    }

    /// The protocol of the direction's octets.
    fn protocol(at: &ConversationContext<'_, M>) -> Name {
        let stream = &at.state.streams[at.direction.index()];
        let unknown = stream
            .open
            .map_or(stream.mode == Mode::Unknown, |open| open.opaque);
        Name::of(match at.state.framer(at.direction) {
            Some(framer) if !unknown => framer.name(),
            _ => NO_PROTOCOL,
        })
    }

    /// So many octets from here on belong to no message.
    fn skip(&mut self, at: &mut ConversationContext<'_, M>, offset: u64, octets: u64) {
        Self::lose_frames(at);
        at.cx.counters.message.unframed_octets += octets;
        let name = Self::protocol(at);
        at.cx.counters.protocol(name).skipped += octets;
        if octets > 0 {
            self.sink
                .skipped(&mut at.with(|s| &mut s.state), offset, octets);
        }
        // Only before the first whole message: later, skipped octets are losses, no sign of a wrong
        // guess.
        if !at.state.trust.proven {
            at.state.trust.skipped += octets;
        }
    }

    fn start_message(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        start: &MessageStart<'_>,
        source: ChunkOrigin,
        hand_over: bool,
    ) {
        let seal = self.seal(at, start, source, hand_over);
        if seal == Seal::Opened {
            at.state.streams[at.direction.index()].open = Some(OpenMessage {
                start: start.offset,
                whole: true,
                hand_over,
                wanted: false,
                frames: false,
                carries: false,
                opaque: false,
                seal,
                counted: 0,
                last: source.packet(),
            });
            return;
        }
        self.open_message(at, start, source, hand_over, seal);
    }

    /// Opens a message, counts it and tells the sink.
    fn open_message(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        start: &MessageStart<'_>,
        source: ChunkOrigin,
        hand_over: bool,
        seal: Seal,
    ) {
        at.cx.counters.message.messages += 1;
        let counted = at.cx.counters.count_message(Name::of(start.protocol));
        // By its name, which is at hand: this is asked of each message.
        let is_frame = protocols::carries(start.protocol);
        let wanted = !is_frame
            && self.rules.filter.wants(start.protocol)
            && self
                .sink
                .takes_message(&mut at.with(|s| &mut s.state), start);
        let frames = is_frame
            && self.rules.filter.wants(start.protocol)
            && self.sink.takes_frame(&mut at.with(|s| &mut s.state), start);
        at.state.streams[at.direction.index()].open = Some(OpenMessage {
            start: start.offset,
            whole: true,
            hand_over,
            wanted,
            frames,
            carries: is_frame && self.sink.hears_carried(),
            opaque: start.protocol == NO_PROTOCOL,
            seal,
            counted,
            last: source.packet(),
        });
        let what = EventKind::MessageBegins {
            protocol: start.protocol,
            kind: start.kind,
            extent: start.extent,
            offset: at.side().relative(start.offset),
        };
        at.cx.emit(at.flow, at.direction, what);
        if wanted {
            let now = come(at, source.packet());
            self.sink.start(&mut at.with(|s| &mut s.state), start);
            come(at, now);
        } else if is_frame {
            self.start_frame(at, start, source);
        }
    }

    /// A frame has been opened: tells of it, and of what it ends.
    #[inline(never)] // off the way of those that carry nothing
    fn start_frame(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        start: &MessageStart<'_>,
        source: ChunkOrigin,
    ) {
        let Some(open) = at.state.streams[at.direction.index()].open else {
            return;
        };
        let now = come(at, source.packet());
        if open.frames {
            self.sink.frame_start(&mut at.with(|s| &mut s.state), start);
        }
        if open.carries {
            if at.state.carried.is_none() {
                let carrier = at.state.framer(at.direction).and_then(AnyFramer::carrier);
                let carried = carrier.map(|made| CarriedStreams::new(made, start.protocol));
                at.state.carried = carried.map(Box::new);
            }
            let brought = Self::brought(at, start.offset);
            self.carry(at, ToCarrier::Frame, brought);
        }
        come(at, now);
    }

    /// The same of octets of the open frame.
    #[inline(never)] // off the way of those that carry nothing
    fn frame_piece(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        piece: &Piece<'_>,
        source: (u64, Timestamp, u32),
        open: OpenMessage,
    ) {
        let now = come(at, if piece.last { open.last } else { source });
        if open.frames {
            self.sink.frame_data(&mut at.with(|s| &mut s.state), piece);
        }
        if open.carries {
            let end = piece.offset + piece.data.len() as u64;
            let brought = Brought {
                time: piece.time,
                frame: piece.frame,
                ..Self::brought(at, end)
            };
            self.carry(at, ToCarrier::Octets(piece.data), brought);
        }
        come(at, now);
    }

    /// The packet in hand, and when what stands before this offset was acknowledged.
    fn brought(at: &ConversationContext<'_, M>, offset: u64) -> Brought {
        Brought {
            time: at.cx.packet.time,
            frame: at.cx.packet.frame,
            acknowledged: at.side().acknowledged_to(offset),
        }
    }

    /// Hands something to what finds the streams that the connection carries.
    fn carry(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        what: ToCarrier<'_>,
        brought: Brought,
    ) {
        // Taken out while it is used: the streams and the context are needed at once.
        let Some(mut carried) = at.state.carried.take() else {
            return;
        };
        let mut around = carry::Around::of(at);
        let protocol = carried.protocol();
        let ended = carried.take(&mut around, (&mut self.sink, &self.rules), what, brought);
        at.state.carried = Some(carried);
        self.tell_ended(at, ended, protocol);
    }

    /// Frames may be missing, or are no frames.
    fn lose_frames(at: &mut ConversationContext<'_, M>) {
        if let Some(carried) = &mut at.state.carried {
            carried.lost(at.direction);
        }
    }

    /// The streams that the connection carries end with it.
    fn end_carried(&mut self, at: &mut ConversationContext<'_, M>, close: Option<Close>) {
        let Some(carried) = at.state.carried.take() else {
            return;
        };
        let offset = at.state.streams[at.direction.index()].at;
        let brought = Self::brought(at, offset);
        let mut around = carry::Around::of(at);
        let protocol = carried.protocol();
        let ended = carried.close(&mut around, (&mut self.sink, &self.rules), close, brought);
        self.tell_ended(at, ended, protocol);
    }

    /// So many messages have ended in streams that the connection carries, by direction.
    fn tell_ended(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        ended: [u64; 2],
        protocol: &'static str,
    ) {
        for _ in 0..2 {
            for _ in 0..ended[at.direction.index()] {
                self.sink.carried(&mut at.with(|s| &mut s.state), protocol);
                self.note_inside(at, Name::of(protocol));
            }
            at.direction = at.direction.flip();
        }
    }

    /// Secrets with which records of TLS are opened.
    pub fn keys(&mut self) -> &mut KeyLog {
        &mut self.openers.keys
    }

    /// A message of TLS begins: what becomes of it.
    fn seal(
        &self,
        at: &mut ConversationContext<'_, M>,
        start: &MessageStart<'_>,
        source: ChunkOrigin,
        hand_over: bool,
    ) -> Seal {
        let openers = &self.openers;
        let opens = !openers.keys.opens_nothing();
        if !(opens || openers.listens) || !protocols::is_opened_with_keys(start.protocol) {
            return Seal::No;
        }
        if !opens && !protocols::may_be_read(start.head) {
            // The handshake is over, and nothing is opened behind it; what was opened in the run before ends with the connection.
            match at.state.decrypted.take() {
                Some(mut kept) if kept.has_inside() => {
                    kept.misses(at.direction);
                    at.state.decrypted = Some(kept);
                }
                Some(kept) => kept.forget(at.cx),
                None => {}
            }
            return Seal::No;
        }
        let mut kept = at.state.decrypted.take().unwrap_or_default();
        let seal = kept.begin(
            &mut carry::Around::of(at),
            openers,
            start,
            source,
            hand_over,
        );
        at.state.decrypted = Some(kept);
        seal
    }

    /// A message that is gathered lacks octets, or is not opened: it is one as without keys.
    fn unseal(&mut self, at: &mut ConversationContext<'_, M>) {
        let d = at.direction;
        let Some(open) = &mut at.state.streams[d.index()].open else {
            return;
        };
        let seal = std::mem::take(&mut open.seal);
        let whole = open.whole;
        let Some(kept) = at.state.decrypted.as_mut().filter(|_| seal == Seal::Opened) else {
            return;
        };
        let gathered = kept.take(d);
        kept.charge(at.cx);
        let start = gathered.start();
        self.open_message(at, &start, gathered.first, gathered.hand_over, Seal::No);
        self.emit(
            at,
            &gathered.octets,
            start.offset,
            gathered.last,
            None,
            false,
        );
        if let Some(open) = &mut at.state.streams[d.index()].open {
            open.whole = whole;
        }
    }

    /// A message of TLS that is gathered ends at the offset `end`; `cut`: before its own end. True: it was a record that has been opened,
    /// and is no message.
    fn sealed_end(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        open: OpenMessage,
        end: u64,
        cut: bool,
    ) -> bool {
        let d = at.direction;
        let Some(mut kept) = at.state.decrypted.take() else {
            return false;
        };
        let mut gathered = kept.take(d);
        let mut opened = None;
        if open.whole && !cut {
            match open.seal {
                Seal::Opened => {
                    let mut outside = carry::Around::of(at);
                    opened = kept.open(&mut outside, &self.openers.keys, &mut gathered);
                }
                Seal::Heard => kept.hear(d, &gathered, end),
                Seal::No => {}
            }
        }
        if let Some(opened) = &opened {
            let now = come(at, gathered.last.packet());
            kept.deliver(&mut carry::Around::of(at), self, opened, &gathered);
            come(at, now);
            gathered.octets.clear();
        }
        if self.openers.keys.opens_nothing() && open.seal != Seal::Opened {
            // Nothing is gathered behind the handshake.
            gathered = Gathered::default();
        }
        kept.put_back(d, gathered);
        kept.charge(at.cx);
        for (name, offer) in kept.take_names() {
            self.openers.keys.name(name, &offer);
        }
        if let Some(offer) = kept.take_heard() {
            self.openers.keys.heard(&offer);
        }
        let said = kept.take_said();
        let begins = kept.begins_to_open(&self.openers.keys);
        at.state.decrypted = Some(kept);
        for said in &said {
            self.sink
                .handshake(&mut at.with(|s| &mut s.state), &said.message());
        }
        if begins {
            self.sink.opens_records(&mut at.with(|s| &mut s.state));
        }
        if opened.is_none() {
            self.unseal(at);
            return false;
        }
        let stream = &mut at.state.streams[d.index()];
        (stream.open, stream.mode) = (None, Mode::Begin);
        (stream.behind_loss, stream.filled) = (false, None);
        (at.state.trust.proven, at.state.trust.failures) = (true, 0);
        self.tell_inside(at);
        true
    }

    /// Something happens to the stream inside of records of TLS, if there is one.
    fn inside(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        happens: impl FnOnce(&mut Self, &mut Decrypted<Conversation<M::State>>, &mut carry::Around<'_>),
    ) {
        let Some(mut kept) = at.state.decrypted.take() else {
            return;
        };
        happens(self, &mut kept, &mut carry::Around::of(at));
        at.state.decrypted = Some(kept);
        self.tell_inside(at);
    }

    /// Messages have ended in the stream inside: those who hear of the connection are told.
    fn tell_inside(&mut self, at: &mut ConversationContext<'_, M>) {
        for (direction, protocol) in std::mem::take(&mut self.openers.ended) {
            let before = std::mem::replace(&mut at.direction, direction);
            let mut to = at.with(|s| &mut s.state);
            self.sink.carried(&mut to, protocol.text());
            at.direction = before;
        }
    }

    /// A message has ended; if it did in the stream inside of a connection, those who hear of that are told later.
    fn note_inside(&mut self, at: &ConversationContext<'_, M>, protocol: Name) {
        if at.flow.decrypted.is_some() {
            self.openers.ended.push((at.direction, protocol));
        }
    }

    /// Octets of the open message, or of none, are missing.
    fn missing(&mut self, at: &mut ConversationContext<'_, M>, offset: u64, len: u64) {
        if at.state.streams[at.direction.index()]
            .open
            .is_some_and(|open| open.seal != Seal::No)
        {
            self.unseal(at);
        }
        let missing = MessageGap { offset, len };
        let open = at.state.streams[at.direction.index()].open;
        if open.is_none_or(|open| open.wanted) {
            self.sink.gap(&mut at.with(|s| &mut s.state), &missing);
        }
        let Some(open) = open else {
            return;
        };
        if open.frames {
            self.sink
                .frame_gap(&mut at.with(|s| &mut s.state), &missing);
        }
        if open.carries {
            let brought = Self::brought(at, offset);
            self.carry(at, ToCarrier::Gap(len), brought);
        }
    }

    fn emit(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        octets: &[u8],
        offset: u64,
        source: ChunkOrigin,
        sum: Option<Sum>,
        last: bool,
    ) {
        if octets.is_empty() {
            return;
        }
        let counted = at.cx.counters.place_of(Self::protocol(at));
        let piece = Piece {
            offset,
            data: octets,
            time: source.time,
            frame: source.frame,
            sum,
            last,
        };
        self.emit_piece(at, &piece, source.packet(), counted);
    }

    /// Pushes octets, which are counted at this place, to the sink if it wants their message.
    #[inline(always)] // on the way of nearly all octets
    fn emit_piece(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        piece: &Piece<'_>,
        source: (u64, Timestamp, u32),
        counted: u32,
    ) {
        if let Some(open) = at.state.streams[at.direction.index()].open
            && open.seal != Seal::No
        {
            if let Some(mut kept) = at.state.decrypted.take() {
                kept.gather(&mut carry::Around::of(at), piece, source, open.seal);
                at.state.decrypted = Some(kept);
            }
            if open.seal == Seal::Opened {
                return;
            }
        }
        let octets = piece.data.len() as u64;
        at.cx.counters.message.octets += octets;
        at.cx.counters.add_octets(counted, octets);
        // A message that ends here was completed by the packet that came last, which need not have brought its last octets.
        let mut moment = source;
        let open = &mut at.state.streams[at.direction.index()].open;
        if let Some(open) = open {
            if (piece.time, piece.frame) > (open.last.1, open.last.0) {
                open.last = source;
            }
            if !open.wanted {
                let open = *open;
                if open.frames || open.carries {
                    self.frame_piece(at, piece, source, open);
                }
                return;
            }
            if piece.last {
                moment = open.last;
            }
        }
        let now = come(at, moment);
        self.sink.data(&mut at.with(|s| &mut s.state), piece);
        come(at, now);
    }

    /// Takes a chunk that lies inside of the open message, whose length is known, or ends it, while nothing is held: most octets
    /// of most captures. False where it is another one; nothing was done then.
    ///
    /// It does what [`walk`](Self::walk), and what stands around it, would come to, and asks nothing that is certain here.
    #[inline(always)]
    fn lies_inside(&mut self, at: &mut ConversationContext<'_, M>, chunk: &Chunk<'_>) -> bool {
        let d = at.direction;
        let (i, o) = (d.index(), d.flip().index());
        let (stream, other) = (&at.state.streams[i], &at.state.streams[o]);
        let (
            Mode::Inside {
                left,
                last,
                supposed: false,
            },
            Some(open),
        ) = (stream.mode, stream.open)
        else {
            return false;
        };
        let ends = chunk.data.len() as u64 == left;
        // Before an end that the framer has to be asked for, and where a change of direction may mean something, the full
        // way is gone.
        if chunk.data.len() as u64 > left
            || ends && (!last || matches!(at.state.framer(d), Some(AnyFramer::Custom(_))))
            || matches!(other.mode, Mode::Unknown | Mode::Search)
            || stream.held.is_some()
            || other.held.is_some()
            || stream.outlook.is_some()
        {
            return false;
        }
        self.arrives(at, chunk);
        let stream = &mut at.state.streams[i];
        stream.heard = chunk.ack.or(stream.heard);
        let after = left - chunk.data.len() as u64;
        stream.mode = Mode::Inside {
            left: after,
            last,
            supposed: false,
        };
        let piece = Piece {
            offset: chunk.offset,
            data: chunk.data,
            time: chunk.time,
            frame: chunk.frame,
            sum: chunk.sum,
            // So that a message in one segment is written from the read buffer.
            last: ends && open.whole,
        };
        let source = HeldPart::of(chunk).origin.packet();
        self.emit_piece(at, &piece, source, open.counted);
        if ends {
            self.end_message(at, chunk.offset + chunk.data.len() as u64, false, None);
        }
        self.took(at, chunk, chunk.data.len());
        *at.wake = self.wish(at);
        true
    }

    /// Ends the open message, if there is one, at `offset`. `cut`: its own end was not reached.
    ///
    /// The mode of the stream still is that of the message here, and says what is known of its end: in [`Mode::ToClose`] and
    /// [`Mode::Unknown`] the end of the stream is its own end; in [`Mode::Inside`] its length is known even where it is cut. Only
    /// a message that is whole proves that the protocol was guessed right.
    fn end_message(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        offset: u64,
        cut: bool,
        closes: Option<Close>,
    ) {
        let i = at.direction.index();
        if let Some(open) = at.state.streams[i].open
            && open.seal != Seal::No
            && self.sealed_end(at, open, offset, cut)
        {
            return;
        }
        let acknowledged = at.side().acknowledged_to(offset);
        let name = Self::protocol(at);
        let past = at.side().acknowledged == Some(offset + 1);
        let framer = at.state.framer(at.direction).filter(|_| cut);
        let over = framer.is_some_and(|framer| framer.is_over(at.direction, offset));
        let stream = &mut at.state.streams[i];
        // Nothing is open: a gap or an end between two messages.
        let Some(open) = stream.open.take() else {
            return;
        };
        let to_close = stream.mode == Mode::ToClose;
        let opaque = open.opaque;
        // Only its end tells that a body up to the end of the stream is whole: a FIN or a RST, or that the other side
        // acknowledged exactly what a FIN right behind the last octet would count. More than that is octets that are missing.
        // In `Unknown` the end of the stream is as good an end as any. At eviction or the end of
        // the input it is not known that the body was over, unless its FIN was acknowledged.
        let closed = match closes {
            Some(Close::Fin | Close::Reset) => true,
            Some(_) => opaque || past,
            None => false,
        };
        let whole = open.whole && (!cut || ((to_close || opaque) && closed) || over);
        // What was supposed is not known: the sink must not fill up to it.
        let extent_unknown = cut
            && !matches!(
                stream.mode,
                Mode::Inside {
                    last: true,
                    supposed: false,
                    ..
                }
            );
        if whole {
            at.cx.counters.message.whole += 1;
            if !opaque && at.state.streams[i].own.is_none() {
                (at.state.trust.proven, at.state.trust.failures) = (true, 0);
            }
        } else {
            at.cx.counters.message.incomplete += 1;
            at.cx.counters.protocol(name).incomplete += 1;
        }
        let stream = &mut at.state.streams[i];
        if !opaque {
            stream.mode = Mode::Begin;
            (stream.behind_loss, stream.filled) = (false, None);
        }
        let what = EventKind::MessageEnds {
            offset: at.side().relative(offset),
            whole,
        };
        at.cx.emit(at.flow, at.direction, what);
        self.note_inside(at, name);
        if open.wanted || open.frames {
            let end = MessageEnd {
                offset,
                whole,
                extent_unknown: extent_unknown && !whole,
                closes,
                acknowledged,
            };
            let now = come(at, open.last);
            let mut to = at.with(|s| &mut s.state);
            if open.wanted {
                self.sink.end(&mut to, &end);
            } else {
                self.sink.frame_end(&mut to, &end);
            }
            come(at, now);
        }
        // Only behind its end: the octets of the message itself belong to the old protocol.
        if open.hand_over {
            // Another protocol follows, in both directions.
            let framer = at.state.framer(at.direction);
            // Behind a prefix the port stands for what it stood for.
            let left = framer.map(|f| Name::of(f.name()));
            let prefix = left.is_some_and(|name| protocols::is_prefix(name.text()));
            let left = left.filter(|_| !prefix);
            let opens = framer.and_then(AnyFramer::next_framer);
            if let Some(row) = opens.as_ref().and_then(|f| protocols::stream(f.name())) {
                Self::note_upgraded(at, row);
            }
            // The other direction was already known to have gone on so, before this message was delivered.
            let home = at.state.framer.as_ref().map(AnyFramer::name);
            if opens.is_some()
                && opens.as_ref().map(AnyFramer::name) == home
                && at.state.streams[i].own.is_some()
            {
                at.state.streams[i].own = None;
                Self::charge_framers(at);
                return;
            }
            // The other direction changes at the same moment. What it holds was sent for the new
            // protocol.
            for stream in &mut at.state.streams {
                stream.own = None;
                stream.mode = Mode::Unknown;
                (stream.tries, stream.undecided) = (0, false);
                stream.searching = false;
            }
            Self::put_framer(at, None);
            // The user's rules were for the old protocol and are not asked again, but behind a prefix; ports say nothing
            // either.
            at.state.trust = Trust {
                asked: !prefix,
                left,
                ..Trust::default()
            };
            if let Some(framer) = opens {
                self.adopt(at, framer, true);
            }
        }
    }

    /// The message that is due may begin with the octets that are missing.
    fn begins_in_gap(&self, at: &mut ConversationContext<'_, M>, gap: Gap) -> bool {
        let d = at.direction;
        let stream = &at.state.streams[d.index()];
        let due = stream.mode == Mode::Begin && stream.open.is_none();
        let framer = at.state.framer_mut(d).filter(|_| due);
        framer.is_some_and(|framer| {
            let len = gap.len;
            len.is_some_and(|len| framer.begins_in_gap(d, gap.offset, len))
        })
    }

    /// The framer may have found a message whose first octets are missing.
    fn note_begun(at: &mut ConversationContext<'_, M>) {
        let d = at.direction;
        let begun = at.state.framer(d).and_then(|f| f.begun_in_gap(d));
        at.state.streams[d.index()].may_have_begun = begun.is_some();
    }

    /// Octets of the message that begins at `offset` as far as it is there, which are missing before that.
    #[inline]
    fn missing_before(&self, at: &mut ConversationContext<'_, M>, offset: u64) -> u64 {
        let d = at.direction;
        if !std::mem::take(&mut at.state.streams[d.index()].may_have_begun) {
            return 0;
        }
        let begun = at.state.framer(d).and_then(|f| f.begun_in_gap(d));
        begun.map_or(0, |begun| offset.saturating_sub(begun))
    }

    /// The first octets of the message that has just been opened are missing.
    fn lacks_beginning(&mut self, at: &mut ConversationContext<'_, M>, offset: u64, len: u64) {
        at.cx.counters.message.lost_octets += len;
        let stream = &mut at.state.streams[at.direction.index()];
        if let Some(open) = &mut stream.open {
            open.whole = false;
        }
        self.missing(at, offset, len);
    }

    /// Walks octets by what the framer says, at least until `enough` of them are used, if it can.
    ///
    /// Each turn of the loop either uses octets, changes the mode of the stream, or ends the walk, so the walk ends. A stream
    /// of which octets are held is walked with the chunk behind them only until they are used: from there on the chunk is
    /// walked in place, and nothing of it is copied. `enough` is where they end.
    ///
    /// Octets of the open message are pushed to the sink once for the walk, or where the message ends, not for each turn: the
    /// pieces that a sink sees are as long as the segments.
    fn walk(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        enough: usize,
    ) -> Walked {
        if let Some(AnyFramer::Custom(framer)) = at.state.framer_mut(at.direction) {
            framer.attach(&self.custom);
        }
        let i = at.direction.index();
        let len = view.octets.len();
        let mut pos = 0;
        // Octets of the open message up to here have been pushed to the sink.
        let mut emitted = 0;
        let wait = loop {
            // A message that is complete is ended first.
            let ends = matches!(at.state.streams[i].mode, Mode::Inside { left: 0, .. });
            // What was held is used up. A complete message is still ended here: its end must not
            // wait for the next octet.
            if pos >= enough && pos > 0 && !ends {
                break None;
            }
            let rest = &view.octets[pos..];
            let offset = view.offset + pos as u64;
            // Asked only where a message can begin: TLS after a lost STARTTLS looks like anything
            // inside of a body.
            if matches!(at.state.streams[i].mode, Mode::Begin | Mode::Search)
                && let Some(row) = self.interrupted(at, view, pos)
                && !self.is_ahead(at, view, pos)
            {
                emitted = pos;
                // The switch is decided by what the other side agreed to, so its octets are waited
                // for.
                let wait = self.place(at, view, pos).wait_for_other();
                if wait.is_some() && view.next == Following::Octets {
                    break wait;
                }
                self.switch(at, row);
                continue;
            }
            match at.state.streams[i].mode {
                Mode::Inside {
                    left,
                    last,
                    supposed,
                } => {
                    let mut n = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let mut found = false;
                    // Only supposed: each stretch is searched for a start line before it is passed.
                    if supposed && n > 0 {
                        match self.search(at, view, pos, (n, false)) {
                            Found::At(next) if next < n => (n, found) = (next, true),
                            Found::At(_) => {}
                            // What could be the begin of a start line stays, until more of it is
                            // there.
                            Found::Nowhere { keep } => n = keep.min(n),
                        }
                    }
                    let framer = at.state.framer.as_ref();
                    let supposed = supposed && !framer.is_some_and(|f| f.is_sure(at.direction));
                    pos += n;
                    let left = left - n as u64;
                    if found {
                        self.emit_range(at, view, emitted, pos, false);
                        emitted = pos;
                        self.end_message(at, view.offset + pos as u64, true, None);
                    } else if left == 0 && last {
                        let whole = at.state.streams[i].open.is_some_and(|o| o.whole);
                        // The last piece is marked, so that a message in one segment is written
                        // from the read buffer.
                        self.emit_range(at, view, emitted, pos, whole);
                        emitted = pos;
                        self.end_message(at, view.offset + pos as u64, false, None);
                    } else if left == 0 {
                        at.state.streams[i].mode = Mode::Ask;
                    } else {
                        at.state.streams[i].mode = Mode::Inside {
                            left,
                            last,
                            supposed,
                        };
                        // Zero octets used, though some are left, means that a possible start line
                        // waits.
                        if n == 0 || pos == len {
                            break None;
                        }
                    }
                }
                Mode::ToClose => {
                    pos = len;
                    break None;
                }
                Mode::Ask => {
                    let place = self.place(at, view, pos);
                    let part = at
                        .state
                        .framer_mut(at.direction)
                        .map_or(BodyPart::Refuse, |f| f.part(&place, rest));
                    match part {
                        BodyPart::NeedMore => break None,
                        // What is cut here ends with the gap, or with the stream.
                        BodyPart::Refuse if view.next != Following::Octets => break None,
                        BodyPart::Octets(n) if n > 0 => {
                            at.state.streams[i].mode = Mode::Inside {
                                left: n,
                                last: false,
                                supposed: false,
                            };
                        }
                        BodyPart::Last(n) => {
                            at.state.streams[i].mode = Mode::Inside {
                                left: n,
                                last: true,
                                supposed: false,
                            };
                        }
                        // What is there belongs to the message; what should follow is missing.
                        BodyPart::Octets(_) | BodyPart::Refuse
                            if view.next != Following::Octets =>
                        {
                            // What should follow is in the gap; `stop` hands over what is there.
                            break None;
                        }
                        BodyPart::Octets(_) | BodyPart::Refuse => {
                            self.emit_range(at, view, emitted, pos, false);
                            emitted = pos;
                            let stream = &at.state.streams[i];
                            let gapped = stream.open.is_some_and(|open| !open.whole);
                            self.end_message(at, offset, true, None);
                            if gapped {
                                // It was hoped that it goes on behind octets that are missing. What is there is the
                                // same protocol's.
                                at.state.streams[i].behind_loss = true;
                                self.lost(at);
                            } else {
                                self.leave(at, offset);
                            }
                        }
                    }
                }
                Mode::Begin => {
                    if rest.is_empty() {
                        break None;
                    }
                    emitted = pos;
                    let place = self.place(at, view, pos);
                    let d = at.direction;
                    if view.next == Following::Octets
                        && let Some(until) = place.wait_for_other()
                        && Self::may_answer(at, rest)
                    {
                        // What it answers, or heard before it was sent, may be behind a hole: it comes first, so that pairs are
                        // made in the order in which the hosts saw their messages.
                        break Some(until);
                    }
                    let begin = at
                        .state
                        .framer_mut(d)
                        .map_or(Begin::Refuse, |f| f.begin(&place, rest));
                    Self::charge_framers(at);
                    match begin {
                        Begin::NeedMore => break None,
                        Begin::Wait(until) => break Some(until),
                        Begin::Skip(n) => {
                            // One at least, or the loop would stand still; never more than there
                            // is.
                            let n = n.clamp(1, rest.len());
                            self.loose(at, view, (pos, pos + n), true, true);
                            pos += n;
                            emitted = pos;
                        }
                        Begin::Message {
                            kind,
                            head,
                            body,
                            hand_over,
                        } => {
                            // A framer may count a header that reaches past what is at hand.
                            let head = head.min(rest.len());
                            let source = view.source_at(pos);
                            let missing = self.missing_before(at, offset);
                            let start = MessageStart {
                                protocol: at.state.framer(d).map_or(NO_PROTOCOL, AnyFramer::name),
                                kind,
                                offset: offset - missing,
                                extent: match body.extent(head) {
                                    Extent::Known(n) => Extent::Known(n.saturating_add(missing)),
                                    extent => extent,
                                },
                                head: match missing {
                                    0 => &rest[..head],
                                    _ => rest,
                                },
                                time: source.time,
                                frame: source.frame,
                                ack: source.ack,
                                answers: match kind {
                                    Kind::Response => {
                                        at.state.framer(d).and_then(AnyFramer::answers)
                                    }
                                    Kind::Request | Kind::Other => None,
                                },
                                carried: None,
                            };
                            self.start_message(at, &start, source, hand_over);
                            if missing > 0 {
                                self.lacks_beginning(at, start.offset, missing);
                            }
                            pos += head;
                            at.state.streams[i].mode = match body {
                                MessageBody::Octets(left) => Mode::Inside {
                                    left,
                                    last: true,
                                    supposed: false,
                                },
                                MessageBody::Supposed(left) => Mode::Inside {
                                    left,
                                    last: true,
                                    supposed: true,
                                },
                                MessageBody::Parts => Mode::Ask,
                                MessageBody::ToClose => Mode::ToClose,
                            };
                        }
                        Begin::Refuse
                            if let Some(row) = at
                                .state
                                .framer(d)
                                .and_then(|f| f.goes_on_as(&place, rest))
                                .and_then(protocols::stream) =>
                        {
                            self.switch(at, row);
                        }
                        Begin::Refuse if at.state.streams[i].may_have_begun => {
                            // Nothing that was begun goes on here, but a message may begin.
                            at.state.streams[i].may_have_begun = false;
                            self.lost(at);
                        }
                        Begin::Refuse if at.state.streams[i].behind_loss => {
                            self.skip(at, offset, 1);
                            pos += 1;
                            emitted = pos;
                            self.lost(at);
                        }
                        Begin::Refuse => self.leave(at, offset),
                    }
                }
                Mode::Search => {
                    if rest.is_empty() {
                        break None;
                    }
                    if self.go_on_upgraded(at, view, pos) {
                        emitted = pos;
                        continue;
                    }
                    match self.prefixed(at, view, pos) {
                        Some(Probe::Yes) => continue,
                        Some(Probe::More) => break None,
                        Some(Probe::No) | None => {}
                    }
                    let place = self.place(at, view, pos);
                    let wait = at
                        .state
                        .framer_mut(at.direction)
                        .and_then(|f| f.search_waits(&place));
                    // A search that runs ahead of the other stream could mistake a mail body for
                    // commands.
                    if wait.is_some() {
                        break wait;
                    }
                    let mut outlook = Self::outlook(at);
                    outlook.show(rest, offset);
                    let last = view.next != Following::Octets || view.doubt_ends.is_some();
                    let found = self.search_home(at, view, pos, &mut outlook, last);
                    Self::keep_outlook(at, outlook);
                    let (n, found) = match found {
                        Found::At(n) => (n, true),
                        Found::Nowhere { keep } => (keep.min(rest.len()), false),
                    };
                    if !found && at.state.streams[i].behind_loss {
                        // They are passed over only ahead of a beginning. Until one comes, or too many wait for it, they may yet
                        // be something else.
                        let few = rest.len() < REST && view.parts.len() < MOST_PARTS;
                        if view.next == Following::Octets && few {
                            break None;
                        }
                        if view.next == Following::End && rest.len() as u64 <= OPAQUE {
                            self.look_anew(at);
                            continue;
                        }
                    }
                    self.skip(at, offset, n as u64);
                    pos += n;
                    emitted = pos;
                    if !found {
                        // Only after a fruitless look: a search that finds things is on the right
                        // protocol.
                        self.renew(at);
                        if at.state.framer.is_some() {
                            break None;
                        }
                        continue;
                    }
                    at.state.streams[i].mode = Mode::Begin;
                    Self::note_begun(at);
                }
                Mode::Unknown => {
                    if rest.is_empty() {
                        break None;
                    }
                    if self.go_on_upgraded(at, view, pos) {
                        emitted = pos;
                        continue;
                    }
                    match self.unknown(at, view, pos) {
                        Loose::Used(n) => {
                            pos += n;
                            emitted = pos;
                        }
                        Loose::More => break None,
                        Loose::Wait(until) => break Some(until),
                    }
                }
            }
        };
        // Once for the walk: a sink sees pieces as long as segments, and one call instead of one
        // for each chunk header.
        if at.state.streams[i].open.is_some() && at.state.streams[i].mode != Mode::Unknown {
            self.emit_range(at, view, emitted, pos, false);
        }
        if pos == len || !matches!(at.state.streams[i].mode, Mode::Unknown | Mode::Search) {
            self.forget(at);
        }
        Walked { used: pos, wait }
    }

    /// Pushes a range of the octets in hand, which belong to the open message.
    fn emit_range(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        from: usize,
        to: usize,
        last: bool,
    ) {
        let mut from = from;
        if let [part] = view.parts
            && from < to
        {
            let sum = view.sum.filter(|_| to - from == view.octets.len());
            let offset = view.offset + from as u64;
            return self.emit(at, &view.octets[from..to], offset, part.origin, sum, last);
        }
        while from < to {
            // Each piece has the time of its own segment.
            let part = part_at(view.parts, view.offset + from as u64);
            let next = part.and_then(|part| view.parts.get(part + 1));
            let end = next.map_or(to, |next| next.behind(view.offset).min(to));
            let end = if end > from { end } else { to };
            self.emit(
                at,
                &view.octets[from..end],
                view.offset + from as u64,
                view.source_at(from),
                view.sum.filter(|_| end - from == view.octets.len()),
                last && end == to,
            );
            from = end;
        }
    }

    /// Pushes a range of the octets in hand as a message of no known protocol, or as more of it. `ends`: it ends with them;
    /// `whole`: nothing of it may be missing.
    fn loose(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        (from, to): (usize, usize),
        ends: bool,
        whole: bool,
    ) {
        let i = at.direction.index();
        let offset = view.offset + from as u64;
        // The protocol was left while a message of it was open: what follows is no part of that one, which stays incomplete.
        let stream = &at.state.streams[i];
        let mode = stream.mode;
        if stream.open.is_some_and(|open| !open.opaque) {
            self.end_message(at, offset, true, None);
            at.state.streams[i].mode = mode;
        }
        if at.state.streams[i].open.is_none() {
            let source = view.source_at(from);
            let start = MessageStart {
                protocol: NO_PROTOCOL,
                kind: Kind::Other,
                offset,
                extent: Extent::Open,
                head: &view.octets[from..to],
                time: source.time,
                frame: source.frame,
                ack: source.ack,
                answers: None,
                carried: None,
            };
            self.start_message(at, &start, source, false);
        }
        if let Some(open) = &mut at.state.streams[i].open {
            open.whole &= whole;
        }
        self.emit_range(at, view, from, to, ends && whole);
        if ends {
            self.end_message(at, view.offset + to as u64, !whole, None);
        }
    }

    /// The stream's messages are not where they should be: the next one is looked for.
    fn lost(&mut self, at: &mut ConversationContext<'_, M>) {
        let i = at.direction.index();
        if let Some(framer) = at.state.framer_mut(at.direction) {
            framer.gap(at.direction);
        }
        Self::lose_frames(at);
        at.state.streams[i].mode = Mode::Search;
        // Counted before the look, so that the sixteenth failure ends the guess at once.
        at.state.trust.failures = at.state.trust.failures.saturating_add(1);
        self.renew(at);
    }

    /// Looks for the protocol anew where the one that was found seems to be wrong.
    fn renew(&mut self, at: &mut ConversationContext<'_, M>) {
        let trust = at.state.trust;
        let wrong = trust.failures >= FAILURES || (!trust.proven && trust.skipped > UNPROVEN);
        // The user's word is never doubted; and a stream made to fail may not have itself searched
        // forever.
        if !wrong || trust.decided || trust.renewals >= RENEWALS {
            return;
        }
        let renewals = trust.renewals + 1;
        self.begin_anew(at);
        at.state.trust.renewals = renewals;
    }

    /// The connection's protocol is not known any more.
    fn begin_anew(&mut self, at: &mut ConversationContext<'_, M>) {
        let left = at.state.trust.left;
        // Its framer goes, so nothing could end the message of the other direction later.
        self.end_other(at);
        self.end_carried(at, None);
        Self::put_framer(at, None);
        for stream in &mut at.state.streams {
            if stream.own.is_none() {
                stream.mode = Mode::Unknown;
                (stream.searching, stream.tries, stream.searched) = (true, 0, 0);
            }
        }
        at.state.trust = Trust {
            asked: true,
            left,
            ..Trust::default()
        };
    }

    /// A protocol that others switch to begins at a segment of a connection of another: what led to it was lost.
    fn interrupted(
        &self,
        at: &ConversationContext<'_, M>,
        view: &OctetView<'_>,
        pos: usize,
    ) -> Option<&'static StreamRow> {
        let row = interrupter()?;
        let begins = row.protocol.interrupts?;
        // At the start of a segment only: inside of one it would be content. The test of octets
        // first, as it nearly always fails.
        let here = begins(&view.octets[pos..])
            && view
                .segments
                .binary_search(&(view.offset + pos as u64))
                .is_ok()
            && !at.state.trust.decided
            && at
                .state
                .framer(at.direction)
                .is_some_and(AnyFramer::may_be_interrupted);
        here.then_some(row)
    }

    /// It may be the framer's own, whatever it looks like.
    fn is_ahead(&self, at: &ConversationContext<'_, M>, view: &OctetView<'_>, pos: usize) -> bool {
        let place = self.place(at, view, pos);
        let framer = at.state.framer(at.direction);
        framer.is_some_and(|framer| framer.is_ahead(&place))
    }

    /// What the framer's connection was asked to go on as begins here, at a segment behind octets that are missing: the answer to
    /// the request is among these. Then it does.
    fn go_on_upgraded(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        pos: usize,
    ) -> bool {
        let i = at.direction.index();
        let stream = &at.state.streams[i];
        if !stream.behind_loss || stream.open.is_some() || at.state.trust.decided {
            return false;
        }
        let offset = view.offset + pos as u64;
        let Some(framer) = at.state.framer(at.direction) else {
            return false;
        };
        if view.segments.binary_search(&offset).is_err() {
            return false;
        }
        let place = self.place(at, view, pos);
        let name = framer.goes_on_as(&place, &view.octets[pos..]);
        let Some(row) = name.and_then(protocols::stream) else {
            return false;
        };
        self.switch(at, row);
        at.state.streams[i].mode = Mode::Begin;
        true
    }

    /// The connection goes on with the protocol that was switched to.
    fn switch(&mut self, at: &mut ConversationContext<'_, M>, row: &StreamRow) {
        // As in `renew`: both directions leave together.
        self.end_other(at);
        self.end_carried(at, None);
        for stream in &mut at.state.streams {
            stream.own = None;
        }
        if let Some(framer) = Self::put_framer(at, None) {
            at.state.trust = Trust {
                asked: true,
                left: Some(Name::of(framer.name())),
                ..Trust::default()
            };
        }
        self.adopt(at, row.framer(), true);
    }

    /// Ends the message that is open in the other stream.
    fn end_other(&mut self, at: &mut ConversationContext<'_, M>) {
        let o = at.direction.flip();
        let stream = &at.state.streams[o.index()];
        let end = stream.at - stream.held() as u64;
        // An unknown run is ended by its own rules.
        if stream.mode != Mode::Unknown {
            self.end_message(&mut at.flipped(), end, true, None);
        }
    }

    fn search(
        &self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        pos: usize,
        (n, last): (usize, bool),
    ) -> Found {
        let mut place = self.place(at, view, pos);
        let rest = &view.octets[pos..];
        if n < rest.len() {
            // A start line that begins inside may reach past the end of what is searched.
            // Else a line cut by the end of the range would be taken for one cut by the end of the
            // stream.
            place.next = Following::Octets;
        } else if last && place.next == Following::Octets {
            // It has been waited for more for too long: what is there has to be enough, as before a gap.
            place.next = Following::Gap;
        }
        at.state
            .framer_mut(at.direction)
            .map_or(Found::Nowhere { keep: rest.len() }, |f| {
                f.search(&place, rest)
            })
    }

    /// What is remembered of the search in this direction; to be put back.
    fn outlook(at: &mut ConversationContext<'_, M>) -> Box<Outlook> {
        match at.state.streams[at.direction.index()].outlook.take() {
            Some(mut kept) => {
                kept.uncount(&mut at.cx.budget);
                kept
            }
            None => Box::new(Outlook::new(STREAMS.len() + 1)),
        }
    }

    /// Puts back what is remembered of the search in this direction.
    fn keep_outlook(at: &mut ConversationContext<'_, M>, mut outlook: Box<Outlook>) {
        outlook.count(&mut at.cx.budget);
        at.state.streams[at.direction.index()].outlook = Some(outlook);
    }

    /// Where the direction's framer finds a beginning, from where it has looked last.
    fn search_home(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        pos: usize,
        outlook: &mut Outlook,
        last: bool,
    ) -> Found {
        let rest = &view.octets[pos..];
        let mut looked = 0;
        let offset = view.offset + pos as u64;
        let found = outlook.look(0, rest, offset, last, &mut looked, |rest, from| {
            let found = self.search(at, view, pos + from, (rest.len(), last));
            let keep = match found {
                Found::At(n) => n,
                Found::Nowhere { keep } => keep,
            };
            let tail = rest.get(keep..).unwrap_or_default();
            let framer = at.state.framer(at.direction);
            framer.map_or((found, 1, false), |f| {
                (found, f.needs(tail), f.reads_lines())
            })
        });
        self.looked[0] += looked;
        found
    }

    fn place<'a>(
        &self,
        at: &ConversationContext<'_, M>,
        view: &OctetView<'a>,
        pos: usize,
    ) -> Position<'a> {
        let other: Side = *at.other();
        let source = view.source_at(pos);
        Position {
            direction: at.direction,
            ports: at.flow.hints(at.direction),
            segments: view.segments,
            push: view.push,
            pushed: at.state.streams[at.direction.index()].pushed,
            offset: view.offset + pos as u64,
            ack: source.ack,
            time: source.time,
            other,
            next: view.next,
            limit: at.cx.limits.header,
            late: view.late,
            parts: view.parts,
            split: at.state.streams[at.direction.index()].split,
        }
    }

    /// What is put before connections stands where the octets of a stream begin, also before one of which the user has decided,
    /// and where nothing before it was captured: its framer is the stream's now, or more octets are needed to say.
    fn prefixed(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        pos: usize,
    ) -> Option<Probe> {
        let stream = &at.state.streams[at.direction.index()];
        let entered = stream.searching && stream.open.is_none() && !stream.lossy;
        let first = entered && view.offset + pos as u64 == at.side().origin;
        if at.state.trust.asked && !first {
            return None;
        }
        let (row, probe) = protocols::prefix_at(&view.octets[pos..])?;
        let waits = view.next == Following::Octets && view.doubt_ends.is_none();
        match probe {
            Probe::Yes => self.settle(at, Settled::Row(row)),
            Probe::More if waits => {}
            Probe::More | Probe::No => return None,
        }
        Some(probe)
    }

    /// Octets of no known protocol: asks the detectors, and takes them as messages by their runs.
    fn unknown(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        pos: usize,
    ) -> Loose {
        let i = at.direction.index();
        let rest = &view.octets[pos..];
        let offset = view.offset + pos as u64;
        match self.prefixed(at, view, pos) {
            Some(Probe::Yes) => return Loose::Used(0),
            Some(Probe::More) => return Loose::More,
            Some(Probe::No) | None => {}
        }
        if !at.state.trust.asked && self.decide(at) && at.state.framer.is_some() {
            return Loose::Used(0);
        }
        let stream = &at.state.streams[i];
        if stream.searching
            && at.state.framer.is_none()
            && at.state.trust.renewals == 0
            && let Some(row) = Self::upgraded_there(at)
        {
            // Another connection has shown since what this one may be.
            self.adopt(at, row.framer(), false);
            self.look_anew(at);
            return Loose::Used(0);
        }
        let stream = &at.state.streams[i];
        if stream.tries == 0 && !stream.searching && view.next == Following::Octets {
            // What the other side has sent before this, which was captured later or is lost, may say what it is.
            let first = stream.open.is_none() && offset == at.side().origin && pos == 0;
            let place = self.place(at, view, pos);
            if let Some(until) = place.wait_for_other().filter(|_| first) {
                return Loose::Wait(until);
            }
        }
        let certain = at.state.trust.proven || at.state.trust.decided;
        let rest_of = at.state.streams[i].rest_may_come() && at.state.framer.is_some();
        let most = if rest_of { REST } else { PROBE };
        let ends = match view.next {
            Following::Octets if rest.len() >= most => Some(DoubtEnds::Full),
            Following::Octets => view.doubt_ends,
            Following::Gap | Following::End => Some(DoubtEnds::NoMore),
        };
        let ports = at.flow.hints(at.direction);
        let mut take = rest.len();
        let mut tried = false;
        let mut inside = None;
        let stream = &at.state.streams[i];
        let detect = !at.state.trust.decided;
        if stream.searching && (detect || at.state.framer.is_some()) {
            let wait = self.place(at, view, pos);
            let wait = at
                .state
                .framer_mut(at.direction)
                .and_then(|f| f.search_waits(&wait));
            if wait.is_some() && ends.is_none() {
                return wait.map_or(Loose::More, Loose::Wait);
            }
            let mut outlook = Self::outlook(at);
            outlook.show(rest, offset);
            let mut sought = self.seek(at, view, pos, &mut outlook, ends);
            if let Sought::Before { rest_of: false, .. } = sought
                && detect
                // So many octets are no one message of which the beginning could tell more.
                && ends != Some(DoubtEnds::Full)
                && self.is_run(at, view, pos)
            {
                // A run begins, as in a stream that is known from its start.
                let place = (offset, true);
                let known = self.recognise(at, rest, view.next, &mut outlook, place, ends);
                match known {
                    Some(what) => sought = Sought::Here(what),
                    None if ends.is_none() && at.state.streams[i].undecided => {
                        Self::keep_outlook(at, outlook);
                        return Loose::More;
                    }
                    None => tried = true,
                }
            }
            Self::keep_outlook(at, outlook);
            match sought {
                Sought::Here(what) => {
                    self.end_message(at, offset, false, None);
                    self.settle(at, what);
                    return Loose::Used(0);
                }
                Sought::Before {
                    keep,
                    rest_of: found,
                    home,
                } => {
                    let stream = &at.state.streams[i];
                    // What comes late tells by its acknowledgments where the other side went on.
                    let turned = stream.run.filter(|run| *run >= offset);
                    let told = match view.next {
                        Following::Gap => None,
                        Following::Octets | Following::End => view.next_answer(offset),
                    };
                    let turned = told.into_iter().chain(turned).min();
                    let turned = turned.and_then(|run| usize::try_from(run - offset).ok());
                    // The rest of a message whose beginning is missing is of the protocol that the ports stand for, as what follows is.
                    let row = at.state.framer.as_ref().map(AnyFramer::name);
                    let row = row.and_then(protocols::stream).filter(|_| home);
                    let tail = stream.lossy || row.is_none_or(|r| r.protocol.hinted(ports));
                    if let Some(n) = turned.filter(|n| *n <= keep)
                        && found
                        && (n < keep || !tail)
                    {
                        // The other side has answered it: what stands behind is none.
                        if tail {
                            self.skip(at, offset, n as u64);
                        } else if n > 0 {
                            self.loose(at, view, (pos, pos + n), true, false);
                        }
                        at.state.streams[i].behind_loss = false;
                        return Loose::Used(n);
                    }
                    if found && keep > 0 {
                        self.skip(at, offset, keep as u64);
                        if home {
                            // It is not asked again: what it knows of the octets before is used up.
                            self.settle(at, Settled::Home);
                        }
                        return Loose::Used(keep);
                    }
                    let hinted = at.state.framer.is_some();
                    let behind = at.state.streams[i].behind_loss && hinted;
                    if ends.is_none() && (keep == 0 || behind) {
                        return Loose::More;
                    }
                    let last = view.next == Following::End && rest.len() as u64 <= OPAQUE;
                    if let Some(n) = turned.filter(|n| *n <= rest.len())
                        && rest_of
                        && certain
                        && ends != Some(DoubtEnds::Full)
                    {
                        // Nothing that the framer knows begins before the other side went on, nor behind that. What stands before
                        // is the rest of a message that was lost, and what stands behind is none.
                        let most = n.min(usize::try_from(OPAQUE).unwrap_or(usize::MAX));
                        let end = offset + rest.len() as u64;
                        let run = run_end(view.parts, offset, offset + most as u64, end);
                        let run = run.and_then(|end| usize::try_from(end - offset).ok());
                        let mut most = most;
                        if at.state.streams[i].lossy {
                            self.skip(at, offset, n as u64);
                        } else if most > 0 {
                            // Where only the start of the stream is missing, it comes out, as the runs it was: no beginning
                            // follows it, and each may belong to it.
                            most = run.map_or(most, |run| run.min(most));
                            self.loose(at, view, (pos, pos + most), true, false);
                        }
                        let all = most == n || at.state.streams[i].lossy;
                        at.state.streams[i].behind_loss = !all;
                        return Loose::Used(if all { n } else { most });
                    }
                    // What a web server, for one, sends of which the capture has no beginning, while the client says nothing: so many octets
                    // are a body that began before the capture.
                    let silent = !at.state.begun[at.direction.flip().index()];
                    let (server, _) = at.flow.hints(at.direction);
                    let row = at.state.framer.as_ref().map(AnyFramer::name);
                    let row = row.and_then(protocols::stream).map(|row| row.protocol);
                    let long =
                        row.is_some_and(|row| row.long_answers && row.ports.contains(&server));
                    if rest_of
                        && !certain
                        && silent
                        && long
                        && (ends == Some(DoubtEnds::Full) || at.state.trust.skipped > 0)
                    {
                        self.skip(at, offset, rest.len() as u64);
                        return Loose::Used(rest.len());
                    }
                    if rest_of && certain && !last {
                        // Between two holes, or next to a stream of this protocol: the rest of a message that was lost.
                        self.skip(at, offset, rest.len() as u64);
                        at.state.streams[i].turns = 0;
                        at.state.streams[i].mode = Mode::Search;
                        return Loose::Used(rest.len());
                    }
                    take = if keep == 0 { rest.len() } else { keep };
                    if ends.is_some() && detect && at.state.streams[i].searched < WITHIN {
                        // What others switch to is sure by its first message, which the search wants to be followed by others.
                        inside = self.sure_within(at, view, (pos, pos + take), true);
                        take = inside.map_or(take, |(n, _)| n);
                    }
                }
            }
            let searched = &mut at.state.streams[i].searched;
            let cost = u32::try_from(take).unwrap_or(u32::MAX).max(LOOK);
            *searched = searched.saturating_add(cost);
        } else if detect {
            if stream.open.is_none() && stream.tries < TRIES {
                let mut outlook = Self::outlook(at);
                let place = (offset, false);
                let sought = self.recognise(at, rest, view.next, &mut outlook, place, ends);
                Self::keep_outlook(at, outlook);
                match sought {
                    Some(what) => {
                        self.settle(at, what);
                        return Loose::Used(0);
                    }
                    None if ends.is_none() && at.state.streams[i].undecided => return Loose::More,
                    None => {}
                }
                at.state.streams[i].tries += 1;
            }
            if at.state.streams[i].searched < WITHIN {
                inside = self.sure_within(at, view, (pos, pos + take), false);
                take = inside.map_or(take, |(n, _)| n);
            }
        }
        let room = at.state.streams[i]
            .open
            .map_or(OPAQUE, |o| OPAQUE - (offset - o.start).min(OPAQUE - 1));
        let take = take.min(usize::try_from(room).unwrap_or(usize::MAX));
        let end = view.offset + view.octets.len() as u64;
        let within = offset + take as u64;
        let run = run_end(view.parts, offset, within, end).map(|end| end - offset);
        // At the end of a stream of which nothing was recognised, or between two holes, these may be the rest of one message,
        // unless each segment was a run of its own in a connection of no known protocol. Their runs they keep.
        let cut = rest_of && view.next != Following::Octets && (certain || !are_runs(view.parts));
        let take = match run {
            Some(n) => take.min(usize::try_from(n).unwrap_or(usize::MAX)),
            None => take,
        };
        let take = take.max(1);
        let full = take as u64 == room;
        // What it begins with stands in its summary: no message begins with a piece of a segment whose rest is at hand.
        let part = part_at(view.parts, offset).and_then(|part| view.parts.get(part + 1));
        let part = part.map_or(rest.len(), |next| next.behind(offset));
        if ends.is_none()
            && at.state.streams[i].open.is_none()
            && run != Some(take as u64)
            && take < part.min(BEGINNING)
        {
            return Loose::More;
        }
        at.state.streams[i].tries += u8::from(tried);
        if cut {
            let ends = full || run == Some(take as u64);
            self.loose(at, view, (pos, pos + take), ends, false);
            return Loose::Used(take);
        }
        let inside = inside.filter(|(n, _)| *n == take);
        let ends = full || run == Some(take as u64) || inside.is_some();
        self.loose(at, view, (pos, pos + take), ends, true);
        if let Some((_, row)) = inside {
            self.settle(at, Settled::Row(row));
            return Loose::Used(take);
        }
        let stream = &mut at.state.streams[i];
        stream.behind_loss = false;
        if run == Some(take as u64) && !stream.lossy {
            stream.run = Some(offset + take as u64);
        }
        Loose::Used(take)
    }

    /// The first place behind the first octet where a message of a protocol certainly begins, in a stream that is known from its
    /// start and began with something else. Nothing is waited for, and nothing behind the first run is looked at. `switched`: only
    /// of the protocol that others switch to.
    fn sure_within(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        (from, to): (usize, usize),
        switched: bool,
    ) -> Option<(usize, &'static StreamRow)> {
        let offset = view.offset + from as u64;
        let (within, end) = (
            view.offset + to as u64,
            view.offset + view.octets.len() as u64,
        );
        let run = run_end(view.parts, offset, within, end).unwrap_or(within);
        let run = usize::try_from(run.min(within) - offset).ok()?;
        let rest = view
            .octets
            .get(from..from + run)
            .filter(|rest| rest.len() > 1)?;
        let stream = &mut at.state.streams[at.direction.index()];
        let cost = u32::try_from(rest.len()).unwrap_or(u32::MAX).max(LOOK);
        stream.searched = stream.searched.saturating_add(cost);
        let trust = at.state.trust;
        let mut first: Option<(usize, &StreamRow)> = None;
        for (index, row) in STREAMS.iter().enumerate() {
            let asked = row.protocol.interrupts.is_some() || !switched;
            if !asked || !row.detector.searches(false) || !trust.allows(row) {
                continue;
            }
            let mut from = 1;
            for _ in 0..CANDIDATES {
                // Behind what another row has found, nothing is of interest.
                let within = first.map_or(rest.len(), |(n, _)| n);
                let Some(tail) = rest.get(from..).filter(|_| from < within) else {
                    break;
                };
                let (n, sure) = match row.detector.search(tail, false, true) {
                    Found::At(n) => (n, true),
                    Found::Nowhere { keep } => (keep, false),
                };
                self.looked[index + 1] += n as u64 + 1;
                let place = from + n;
                if place >= within {
                    break;
                }
                if sure || row.detector.probe(&rest[place..], false) == Probe::Yes {
                    first = Some((place, row));
                    break;
                }
                from = place + 1;
            }
        }
        first
    }

    /// A run begins at a place, and detectors are asked whether they know it: its predecessor was seen to end, or a framer found at
    /// the start of a segment what is not its own.
    fn is_run(&self, at: &ConversationContext<'_, M>, view: &OctetView<'_>, pos: usize) -> bool {
        let stream = &at.state.streams[at.direction.index()];
        let offset = view.offset + pos as u64;
        let refused = stream.refused.filter(|(place, _)| *place == offset);
        let segment = || view.segments.binary_search(&offset).is_ok();
        let part = part_at(view.parts, offset).and_then(|part| view.parts.get(part));
        let run = stream.run == Some(offset) || part.is_some_and(|part| part.begins_run(offset));
        // Asked again at the same place, they would say the same again.
        let begins = match refused {
            Some((_, n)) => n < 2 && (run || segment()),
            None => run,
        };
        begins && stream.open.is_none() && !stream.rest_may_come() && stream.tries < TRIES
    }

    /// Asks all who may know a beginning anywhere in the octets from `pos` on.
    fn seek(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        pos: usize,
        outlook: &mut Outlook,
        ends: Option<DoubtEnds>,
    ) -> Sought {
        let i = at.direction.index();
        let rest = &view.octets[pos..];
        let offset = view.offset + pos as u64;
        let more = ends.is_none();
        let stream = &at.state.streams[i];
        let (fresh, behind_loss) = (stream.open.is_none(), stream.behind_loss);
        let refused = match stream.refused {
            Some((place, n)) if place == offset => n,
            _ => 0,
        };
        let ports = at.flow.hints(at.direction);
        let trust = at.state.trust;
        let others = usize::from(refused > 1);
        let home = at.state.framer.as_ref().map(AnyFramer::name);
        if let Some(row) = interrupter()
            && row.protocol.interrupts.is_some_and(|begins| begins(rest))
            && others == 0
            && !trust.decided
            && trust.allows(row)
            && home != Some(row.protocol.name)
            && view.segments.binary_search(&offset).is_ok()
        {
            return Sought::Here(Settled::Row(row));
        }
        // A run that was filled by messages of one row counts for the next one.
        let judged = more || at.state.streams[i].filled.is_none();
        if let Some(keep) = outlook.known(rest, offset, !more)
            && judged
            && self.custom.is_empty()
        {
            return Sought::Before {
                keep,
                rest_of: false,
                home: false,
            };
        }
        let mut keep = rest.len();
        let mut rest_of = false;
        let mut found_home = None;
        if !trust.decided {
            for (place, &detector) in self.custom.iter().enumerate() {
                let around = Around {
                    next: if more { view.next } else { Following::End },
                    direction: at.direction,
                    ports,
                    offset: offset + others as u64,
                    // Which other octets it has to wait for is known where it is asked again.
                    settled: false,
                };
                match detector.search(&rest[others..], around, CUSTOM_PROBE, [0; 4]) {
                    Found::At(0) if others == 0 => {
                        let framer = CustomFramer::new(place, detector);
                        return Sought::Here(Settled::Custom(framer));
                    }
                    Found::At(n) | Found::Nowhere { keep: n } => keep = keep.min(others + n),
                }
            }
        }
        if home.is_none() {
            outlook.leave_out(0);
        } else {
            // What it has refused is not asked of it again.
            let skip = usize::from(refused > 0);
            match self.search_home(at, view, pos + skip, outlook, !more) {
                Found::At(0) if skip == 0 => return Sought::Here(Settled::Home),
                Found::At(n) => {
                    rest_of = behind_loss && skip + n <= keep;
                    keep = keep.min(skip + n);
                    found_home = Some(skip + n);
                }
                // What waits for more that is not waited for is no beginning.
                Found::Nowhere { .. } if !more => {}
                Found::Nowhere { keep: n } => keep = keep.min(skip + n),
            }
        }
        if trust.decided {
            let home = found_home == Some(keep);
            return Sought::Before {
                keep,
                rest_of,
                home,
            };
        }
        let mut filled = None;
        for (index, row) in STREAMS.iter().enumerate() {
            if outlook.leaves_out(index + 1) {
                continue;
            }
            if more && let Some(n) = outlook.waits_at(index + 1, rest, offset) {
                keep = keep.min(n.max(others));
                continue;
            }
            let hinted = match outlook.hinted(index + 1) {
                Some(hinted) => hinted,
                None if !trust.allows(row) || home == Some(row.protocol.name) => {
                    outlook.leave_out(index + 1);
                    continue;
                }
                None => {
                    // What others switch to is likely behind a protocol that was left.
                    let switched = row.protocol.interrupts.is_some() && trust.left.is_some();
                    let hinted = switched || row.protocol.hinted(ports);
                    if !row.detector.searches(hinted) {
                        outlook.leave_out(index + 1);
                        continue;
                    }
                    outlook.take_in(index + 1, hinted);
                    hinted
                }
            };
            if !hinted && !row.protocol.cheap_search && at.state.streams[i].searched >= SEARCHED {
                outlook.leave_out(index + 1);
                continue;
            }
            let looked = &mut self.looked[index + 1];
            let detector = row.detector;
            let found = outlook.look(
                index + 1,
                &rest[others..],
                offset + others as u64,
                !more,
                looked,
                |rest, _| {
                    let found = detector.search(rest, hinted, more);
                    let keep = match found {
                        Found::At(n) => n,
                        Found::Nowhere { keep } => keep,
                    };
                    let tail = rest.get(keep..).unwrap_or_default();
                    (found, detector.needs(tail, hinted), detector.reads_lines())
                },
            );
            match found {
                Found::At(0) if others == 0 => return Sought::Here(Settled::Row(row)),
                Found::At(n) => {
                    rest_of |= behind_loss && hinted && others + n <= keep;
                    keep = keep.min(others + n);
                }
                Found::Nowhere { keep: n } => keep = keep.min(others + n),
            }
            if ends.is_some() && fresh && others == 0 && filled.is_none() && detector.fills(rest) {
                filled = u8::try_from(index).ok();
                if filled == at.state.streams[i].filled {
                    return Sought::Here(Settled::Row(row));
                }
            }
        }
        if ends.is_some() && fresh {
            at.state.streams[i].filled = filled;
        }
        if !rest_of {
            outlook.conclude(offset, keep, !more);
        }
        let home = found_home == Some(keep);
        Sought::Before {
            keep,
            rest_of,
            home,
        }
    }

    /// Asks all who may know octets that begin a stream, or a run in one that is known from its start.
    fn recognise(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        rest: &[u8],
        next: Following,
        outlook: &mut Outlook,
        (offset, in_the_middle): (u64, bool),
        ends: Option<DoubtEnds>,
    ) -> Option<Settled> {
        let i = at.direction.index();
        let ports = at.flow.hints(at.direction);
        let mut undecided = false;
        for (place, &detector) in self.custom.iter().enumerate() {
            let around = Around {
                next,
                direction: at.direction,
                ports,
                offset,
                settled: false,
            };
            match detector.ask(rest, around, [0; 4]).0 {
                Verdict::Message { len: 0, .. } | Verdict::Refuse => {}
                // Which other octets it has to wait for is known where it is asked again.
                Verdict::Message { .. } | Verdict::Wait => {
                    return Some(Settled::Custom(CustomFramer::new(place, detector)));
                }
                Verdict::More => undecided = true,
            }
        }
        outlook.show_first(rest, offset);
        let end = offset + rest.len() as u64;
        let trust = at.state.trust;
        let mut filled = None;
        for (index, row) in STREAMS.iter().enumerate() {
            if ends.is_none()
                && let Err(waits) = outlook.may_be_first(index + 1, end)
            {
                undecided |= waits;
                continue;
            }
            if !trust.allows(row) {
                outlook.note_first(index + 1, offset, None);
                continue;
            }
            let hinted = row.protocol.hinted(ports);
            // Of what begins with the first octet headers are read, or a line.
            self.looked[index + 1] += (rest.len() as u64).min(FIRST_LINE);
            let probe = match in_the_middle {
                true => row.detector.probe_run(rest, hinted),
                false => row.detector.probe(rest, hinted),
            };
            match probe {
                Probe::Yes => return Some(Settled::Row(row)),
                Probe::More => {
                    undecided = true;
                    let needs = row.detector.needs(rest, hinted);
                    outlook.note_first(index + 1, offset, Some(needs));
                    if ends.is_some_and(|ends| row.detector.settles(rest, hinted, ends)) {
                        return Some(Settled::Row(row));
                    }
                }
                Probe::No => outlook.note_first(index + 1, offset, None),
            }
            if ends.is_some() && filled.is_none() && row.detector.fills(rest) {
                filled = u8::try_from(index).ok();
                if filled == at.state.streams[i].filled {
                    return Some(Settled::Row(row));
                }
            }
        }
        if ends.is_some() {
            at.state.streams[i].filled = filled;
        }
        at.state.streams[i].undecided = undecided;
        None
    }

    /// A message begins here of what was found: of the protocol of the connection, or, where the other direction goes on
    /// with that, of this direction alone.
    fn settle(&mut self, at: &mut ConversationContext<'_, M>, what: Settled) {
        match &what {
            Settled::Home => {
                Self::forget_home(at);
                Self::note_begun(at);
            }
            Settled::Row(_) | Settled::Custom(_) => self.forget(at),
        }
        let (i, o) = (at.direction.index(), at.direction.flip().index());
        let upgrade = match &what {
            Settled::Row(row) => Some(*row).filter(|row| row.protocol.upgrades),
            Settled::Home | Settled::Custom(_) => None,
        };
        // Behind a switch of protocols, with nothing missing.
        let whole = at.state.trust.left.is_some()
            && at
                .state
                .streams
                .iter()
                .all(|s| s.tries == 0 && !(s.searching || s.lossy));
        let framer = match what {
            Settled::Home => None,
            Settled::Row(row) => {
                let same = at.state.framer.as_ref();
                let same = same.is_some_and(|f| f.name() == row.protocol.name);
                (!same).then(|| {
                    let mut framer = row.framer();
                    if whole {
                        framer.begins_whole();
                    }
                    framer
                })
            }
            Settled::Custom(framer) => {
                // Both directions have one: what it keeps is the connection's.
                let same = at.state.framer.as_ref();
                let same = same.is_some_and(|f| f.name() == framer.name());
                (!same).then_some(AnyFramer::Custom(framer))
            }
        };
        at.state.streams[i].behind_loss = false;
        if let Some(row) = upgrade.filter(|_| framer.is_some()) {
            self.switch(at, row);
            at.state.streams[i].mode = Mode::Begin;
            return;
        }
        let Some(framer) = framer else {
            at.state.streams[i].mode = Mode::Begin;
            return;
        };
        let other = &at.state.streams[o];
        let at_home = at.state.begun[o] && other.mode != Mode::Unknown && other.own.is_none();
        if at.state.framer.is_some() && at.state.trust.proven && at_home {
            let stream = &mut at.state.streams[i];
            stream.own = Some(Box::new(framer));
            stream.mode = Mode::Begin;
            Self::charge_framers(at);
            return;
        }
        if Self::put_framer(at, None).is_some() {
            at.state.trust.proven = false;
        }
        let same = at.state.streams[o].own.as_ref();
        if same.is_some_and(|own| own.name() == framer.name())
            && let Some(mut own) = at.state.streams[o].own.take()
        {
            own.gap(at.direction);
            Self::put_framer(at, Some(*own));
            at.state.streams[i].mode = Mode::Begin;
            return;
        }
        self.adopt(at, framer, true);
    }

    /// Asks the user's rules, once for each connection: whether they decide.
    fn decide(&self, at: &mut ConversationContext<'_, M>) -> bool {
        if at.state.trust.asked {
            return at.state.trust.decided;
        }
        at.state.trust.asked = true;
        let ports = at.flow.hints(at.direction);
        let Some(decided) = self.rules.decide(at.flow.transport, ports) else {
            return false;
        };
        let framer = decided.framer();
        at.state.trust.decided = true;
        if let Some(framer) = framer {
            self.adopt(at, framer, false);
        }
        true
    }

    /// The connection speaks the protocol of this framer. `here`: a message of it begins here.
    fn adopt(&self, at: &mut ConversationContext<'_, M>, mut framer: AnyFramer, here: bool) {
        for d in [Direction::Forward, Direction::Reverse] {
            let stream = &mut at.state.streams[d.index()];
            if d == at.direction {
                stream.mode = if here || !stream.searching {
                    Mode::Begin
                } else {
                    Mode::Search
                };
                // Its beginning, or something before, is missing.
                if stream.searching {
                    framer.gap(d);
                }
            } else if at.state.begun[d.index()]
                && (stream.searching || stream.open.is_some() || stream.tries > 0)
            {
                // What came before was not recognised: the next message may begin anywhere.
                framer.gap(d);
                if stream.own.is_none() && stream.open.is_none_or(|open| open.opaque) {
                    stream.mode = Mode::Unknown;
                    (stream.searching, stream.searched) = (true, 0);
                }
            } else if stream.own.is_none()
                && (here || at.state.trust.decided || !at.state.begun[d.index()])
            {
                stream.mode = Mode::Begin;
            }
        }
        Self::put_framer(at, Some(framer));
    }
}

impl OctetView<'_> {
    /// The first offset behind this one at which the other side is known to have spoken.
    fn next_answer(&self, offset: u64) -> Option<u64> {
        if let Some((from, answer)) = self.answer.get()
            && offset >= from
            && answer.is_none_or(|answer| answer > offset)
        {
            return answer;
        }
        let answer = next_answer(self.parts, offset);
        self.answer.set(Some((offset, answer)));
        answer
    }

    /// Where the octet at a place came from.
    fn source_at(&self, pos: usize) -> ChunkOrigin {
        let part = part_at(self.parts, self.offset + pos as u64);
        part.and_then(|part| self.parts.get(part))
            .or(self.parts.first())
            .map_or_else(ChunkOrigin::default, |part| part.origin)
    }
}

/// The packet in hand is, for what follows, the one with this number that was captured then on this interface; gives the one that it was.
///
/// A message has the time of the packet that brought it, whatever held it.
fn come<S>(at: &mut StreamContext<'_, S>, packet: (u64, Timestamp, u32)) -> (u64, Timestamp, u32) {
    let now = &mut at.cx.packet;
    let before = (now.frame, now.time, now.interface);
    (now.frame, now.time, now.interface) = packet;
    before
}
