//! Finds the messages in the streams of connections.
//!
//! Octets pass through uncopied: what is held back is only what needs more octets (a header that is cut by the end of a
//! segment, a start line at the end of what is there), never a body.

use super::custom::{CustomDetector, CustomFramer, Verdict};
use super::events::{DatagramMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use super::framing::{Begin, BodyPart, Following, Found, Framer, MessageBody, Position, Probe};
use super::protocols::{self, AnyFramer, STREAMS, StreamRow, interrupter, tunnels};
use super::rules::Rules;
use crate::base::checksum::Sum;
use crate::base::counters::ProtocolCounters;
use crate::base::flow::{Direction, Transport};
use crate::base::message::{Extent, Kind};
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::storage::allocated;
use crate::base::stream::{Chunk, Close, Duplicate, Gap, Side};
use crate::base::time::Timestamp;
use crate::base::trace::EventKind;
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{
    AssociationContext, ChunkGap, DuplicateChunk, UserMessage, UserMessageSink,
};
use crate::transport::stream::{StreamContext, StreamSink, Taken};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
/// Failures without a whole message between them, after which the protocol is thought to be another. A burst of losses makes
/// a few in a row; sixteen are no accident.
// With four, one burst of losses would throw a right guess away; with a hundred, a wrong one would
// skip most of the connection.
const FAILURES: u8 = 16;
/// Octets skipped before the first whole message, after which the protocol is thought to be another: a message that was begun
/// before the capture may be long, but is rarely longer.
const UNPROVEN: u64 = 256 << 10;
/// How often a connection's protocol is looked for anew: octets made for it could have it searched without end.
// Each time costs another search through every detector.
const RENEWALS: u8 = 4;

/// Where octets that are held came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ChunkOrigin {
    time: Timestamp,
    frame: u64,
    ack: Option<u64>,
}

impl From<&Chunk<'_>> for ChunkOrigin {
    fn from(c: &Chunk<'_>) -> Self {
        Self {
            time: c.time,
            frame: c.frame,
            ack: c.ack,
        }
    }
}

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
}

/// Octets that were taken but not pushed to the sink yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct HeldOctets {
    octets: Vec<u8>,
    /// Where the first of them came from.
    source: Option<ChunkOrigin>,
    /// Offsets at which segments begin in them.
    segments: Vec<u64>,
}

impl HeldOctets {
    /// Octets allocated.
    const fn size(&self) -> usize {
        let segments = self.segments.capacity() * size_of::<u64>();
        allocated(size_of::<Self>()) + allocated(self.octets.capacity()) + allocated(segments)
    }

    /// The first `n` octets are done with: the others begin at `offset`, and `source` is where they came from.
    fn used(&mut self, n: usize, offset: u64, source: ChunkOrigin) {
        self.octets.drain(..n);
        self.segments.retain(|at| *at >= offset);
        self.source = Some(source);
    }
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
}

impl MessageStream {
    /// The sink sees what belongs to the open message.
    const fn wanted(&self) -> bool {
        match self.open {
            Some(open) => open.wanted,
            None => true,
        }
    }

    /// Octets that were taken but not pushed to the sink yet.
    fn held(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.octets.len())
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
        }
    }
}

/// What the extractor keeps with each connection, and what the sink behind it does.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + DeserializeOwned")]
pub struct Conversation<T> {
    streams: [MessageStream; 2],
    begun: [bool; 2],
    framer: Option<AnyFramer>,
    /// Octets of the framer that the budget knows of.
    charged: usize,
    trust: Trust,
    state: T,
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
    /// The user's own detectors, asked before all others.
    custom: Vec<CustomDetector>,
}

type ConversationContext<'a, M> = StreamContext<'a, Conversation<<M as MessageSink>::State>>;

/// Octets at hand: what is held, or what a chunk brings.
struct OctetView<'a> {
    octets: &'a [u8],
    /// Offset of the first.
    offset: u64,
    source: ChunkOrigin,
    /// Origin of the octets from `later` on.
    now: ChunkOrigin,
    later: usize,
    /// Sum of `octets`, where it is known.
    sum: Option<Sum>,
    push: bool,
    /// Offsets at which segments begin.
    segments: &'a [u64],
    next: Following,
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
        self.sink
            .stream_arrival(&mut at.with(|s| &mut s.state), &chunk);
        self.begin_stream(at, chunk.offset);
        self.change_direction(at);
        let i = at.direction.index();
        // Before the octets: a message of the other direction ends where this one begins to speak.
        let stream = &mut at.state.streams[i];
        let now = ChunkOrigin::from(&chunk);
        let before = stream.held();
        let mut used = 0;
        let mut wait = None;
        if before > 0 {
            // The two are joined by a copy once. Without it every framer would have to read across
            // two pieces.
            // What is held comes first. It is walked together with the chunk until nothing of it is left.
            let mut held = stream.held.take().unwrap_or_default();
            let source = held.source.unwrap_or(now);
            let size = held.size();
            held.octets.extend_from_slice(chunk.data);
            held.segments.push(chunk.offset);
            let offset = chunk.offset - before as u64;
            let view = OctetView {
                octets: &held.octets,
                offset,
                source,
                now,
                later: before,
                push: chunk.push,
                segments: &held.segments,
                sum: None,
                next: Following::Octets,
            };
            // Only until nothing of it is held: the rest of the chunk is then walked in the read
            // buffer.
            let walked = self.walk(at, &view, before);
            at.cx.budget.give(size);
            // Something held is still needed. If the walk waits for the other stream, the chunk is
            // refused, as it will come again.
            if walked.used < before {
                let stop = if walked.wait.is_some() {
                    before
                } else {
                    held.octets.len()
                };
                held.octets.truncate(stop);
                if walked.wait.is_some() {
                    // Its segment will be noted when it comes again.
                    held.segments.pop();
                }
                held.used(walked.used, offset + walked.used as u64, source);
                self.hold(at, held);
                if let Some(until) = walked.wait {
                    return Taken::Wait { taken: 0, until };
                }
                self.took(at, &chunk, chunk.data.len());
                self.other_may_go_on(at);
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
                source: now,
                now,
                later: 0,
                push: chunk.push,
                segments: if used == 0 { &[chunk.offset] } else { &[] },
                sum: chunk.sum.filter(|_| used == 0),
                next: Following::Octets,
            };
            let walked = self.walk(at, &view, usize::MAX);
            used += walked.used;
            wait = walked.wait;
            if wait.is_none() && used < chunk.data.len() {
                // Copied only now, and only what is left: a header cut by the end of the segment.
                let mut held = Box::new(HeldOctets {
                    octets: chunk.data[used..].to_vec(),
                    source: Some(now),
                    segments: Vec::new(),
                });
                if used == 0 {
                    held.segments.push(chunk.offset);
                }
                self.hold(at, held);
                used = chunk.data.len();
            }
        }
        self.took(at, &chunk, used);
        self.other_may_go_on(at);
        match wait {
            Some(until) => Taken::Wait { taken: used, until },
            None => Taken::All,
        }
    }

    fn gap(&mut self, at: &mut ConversationContext<'_, M>, gap: Gap) {
        self.begin_stream(at, gap.offset);
        // Order: the other direction's run ends, then what is held here, and only then the gap is
        // put into the message.
        self.change_direction(at);
        self.stop(at, Following::Gap, gap.offset);
        let i = at.direction.index();
        let Conversation {
            streams, framer, ..
        } = &mut *at.state;
        let stream = &mut streams[i];
        // A message of known extent swallows the gap up to its end.
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
            let wanted = stream.wanted();
            if wanted {
                let missing = MessageGap {
                    offset: gap.offset,
                    len: n,
                };
                self.sink.gap(&mut at.with(|s| &mut s.state), &missing);
            }
            // Counted as lost in the message; the part past it belongs to no message that is known.
            at.cx.counters.message.lost_octets += n;
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
            let wanted = stream.wanted();
            if let Some(len) = gap.len {
                at.cx.counters.message.lost_octets += len;
                if wanted {
                    let missing = MessageGap {
                        offset: gap.offset,
                        len,
                    };
                    self.sink.gap(&mut at.with(|s| &mut s.state), &missing);
                }
            }
            left = 0;
        } else if let (Mode::Ask, Some(len), Some(framer)) = (stream.mode, gap.len, &mut *framer)
            && stream.open.is_some()
            && framer.goes_on_behind_gap(at.direction)
        {
            if let Some(open) = &mut stream.open {
                open.whole = false;
            }
            at.cx.counters.message.lost_octets += len;
            if stream.wanted() {
                let missing = MessageGap {
                    offset: gap.offset,
                    len,
                };
                self.sink.gap(&mut at.with(|s| &mut s.state), &missing);
            }
            left = 0;
        } else if let Some(framer) = framer {
            framer.gap(at.direction);
        }
        // What is left lies outside of any message whose extent is known.
        if left > 0 {
            let end = gap.offset + gap.len.unwrap_or(0);
            self.end_message(at, end, true, None);
            let stream = &mut at.state.streams[i];
            if let Some(framer) = &mut at.state.framer {
                framer.gap(at.direction);
                stream.mode = Mode::Search;
            } else {
                // No framer: detectors may find a message anywhere from here on.
                stream.searching = true;
                if stream.tries == 0 {
                    // Its beginning is missing.
                    self.presume(at);
                }
            }
        }
        at.state.streams[i].at = gap.offset + gap.len.unwrap_or(0);
        let mut to = at.with(|s| &mut s.state);
        self.sink.stream_gap(&mut to, &gap);
        self.other_may_go_on(at);
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
        let mut to = at.with(|s| &mut s.state);
        self.sink.stream_end(&mut to, close);
        self.other_may_go_on(at);
    }

    fn closed(&mut self, at: &mut ConversationContext<'_, M>, close: Close) {
        // Their budget is given back here, whatever state the walk left them in.
        for stream in &mut at.state.streams {
            if let Some(held) = stream.held.take() {
                at.cx.budget.give(held.size());
            }
        }
        Self::put_framer(at, None);
        let mut to = at.with(|s| &mut s.state);
        self.sink.closed(&mut to, close);
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
        count(
            at.cx.counters.protocol(Name::of(protocol)),
            protocol,
            message.data,
            message.whole,
        );
        if self.rules.filter.wants(protocol) {
            self.sink.user_message(at, message, protocol);
        }
    }

    fn gap(&mut self, at: &mut AssociationContext<'_, M::State>, gap: &ChunkGap) {
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
}

/// Counts the messages of a protocol that a datagram or a user message bundles; where nothing keeps them apart it is one.
fn count(counters: &mut ProtocolCounters, protocol: &str, data: &[u8], whole: bool) {
    counters.octets += data.len() as u64;
    let mut found = 0;
    let mut cut = false;
    for one in protocols::bundle(protocol, data).into_iter().flatten() {
        found += 1;
        cut = one.len > one.data.len() as u64;
    }
    // A message that bundles nothing is one.
    counters.messages += found.max(1);
    // Where a user message breaks off behind one that is whole, nobody knows whether another one followed.
    counters.incomplete += u64::from(cut || (found == 0 && !whole));
}

impl<M: MessageSink> Extractor<M> {
    /// An extractor that pushes messages to `sink`.
    pub fn new(sink: M) -> Self {
        Self {
            sink,
            rules: Rules::default(),
            custom: Vec::new(),
        }
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
        let c = &mut at.cx.counters;
        count(
            c.protocol(Name::of(message.protocol)),
            message.protocol,
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
        // Without its SYN the first octet may stand anywhere in a message.
        if !from_start {
            stream.searching = true;
            self.presume(at);
        }
        let stream = &mut at.state.streams[i];
        if let Some(framer) = &mut at.state.framer {
            stream.mode = if from_start {
                Mode::Begin
            } else {
                Mode::Search
            };
            if !from_start {
                framer.gap(at.direction);
            }
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
                at.state.streams[at.direction.index()].mode = Mode::Search;
            }
            return;
        }
        let ports = (
            at.flow.src(at.direction).port(),
            at.flow.dst(at.direction).port(),
        );
        // What is left of a message whose beginning is missing must not become a message of its own.
        // Waiting for a beginning by the port's protocol costs little if it is wrong: the search
        // gives up after a while and detection begins.
        if let Some(row) = STREAMS.iter().find(|row| row.protocol.hinted(ports)) {
            self.adopt(at, row.framer(), false);
            at.state.streams[at.direction.index()].mode = Mode::Search;
        }
    }

    /// Octets of one direction end a message of no known protocol in the other.
    fn change_direction(&mut self, at: &mut ConversationContext<'_, M>) {
        let o = at.direction.flip();
        let stream = &at.state.streams[o.index()];
        // A run of unknown octets has no other end than PSH and this.
        if stream.mode == Mode::Unknown && stream.open.is_some() {
            let end = stream.at - stream.held() as u64;
            self.end_message(&mut at.flipped(), end, false, None);
        }
    }

    /// The chunk was taken: pushes it to those that want streams.
    fn took(&mut self, at: &mut ConversationContext<'_, M>, chunk: &Chunk<'_>, used: usize) {
        let stream = &mut at.state.streams[at.direction.index()];
        stream.at = chunk.offset + used as u64;
        if used > 0 {
            // A part of a chunk has neither its end nor its PSH.
            let whole = used == chunk.data.len();
            stream.pushed = chunk.push && whole;
            let chunk = Chunk {
                sum: chunk.sum.filter(|_| whole),
                data: &chunk.data[..used],
                push: chunk.push && whole,
                ends_segment: chunk.ends_segment && whole,
                ..*chunk
            };
            let mut to = at.with(|s| &mut s.state);
            self.sink.stream_data(&mut to, &chunk);
        }
    }

    fn hold(&self, at: &mut ConversationContext<'_, M>, held: Box<HeldOctets>) {
        at.cx.budget.take(held.size());
        let stream = &mut at.state.streams[at.direction.index()];
        if let Some(old) = stream.held.replace(held) {
            at.cx.budget.give(old.size());
        }
    }

    /// Gives the connection another framer, or none, and gives back the old one. No other place changes which framer a connection
    /// has, so that none can forget what the budget was told of the old one.
    fn put_framer(
        at: &mut ConversationContext<'_, M>,
        framer: Option<AnyFramer>,
    ) -> Option<AnyFramer> {
        let old = std::mem::replace(&mut at.state.framer, framer);
        Self::charge_framer(at);
        old
    }

    /// Charges the budget with what the framer allocates now.
    fn charge_framer(at: &mut ConversationContext<'_, M>) {
        let now = at.state.framer.as_ref().map_or(0, AnyFramer::size);
        if now != at.state.charged {
            at.cx.budget.resize(at.state.charged, now);
            at.state.charged = now;
        }
    }

    /// What is held in the other stream may be walked now that this one has moved.
    fn other_may_go_on(&mut self, at: &mut ConversationContext<'_, M>) {
        let o = at.direction.flip();
        let stream = &at.state.streams[o.index()];
        // Only a beginning that asked for more octets can be decided by the other stream: by a
        // request that acknowledges the end of a header, for one.
        if stream.held() == 0 || stream.mode != Mode::Begin {
            return;
        }
        self.walk_held(&mut at.flipped(), Following::Octets);
    }

    /// Walks what is held, with nothing behind it but what `next` says.
    fn walk_held(&mut self, at: &mut ConversationContext<'_, M>, next: Following) {
        let i = at.direction.index();
        let stream = &mut at.state.streams[i];
        let Some(mut held) = stream.held.take() else {
            return;
        };
        // Given back first and taken again if something is left: the budget never counts it twice.
        at.cx.budget.give(held.size());
        let Some(source) = held.source else {
            return;
        };
        let offset = stream.at - held.octets.len() as u64;
        let view = OctetView {
            octets: &held.octets,
            offset,
            source,
            now: source,
            later: 0,
            push: false,
            segments: &held.segments,
            sum: None,
            next,
        };
        let walked = self.walk(at, &view, usize::MAX);
        if walked.used < held.octets.len() {
            held.used(walked.used, offset + walked.used as u64, source);
            self.hold(at, held);
        }
    }

    /// A gap or the end of the stream stands at `offset`: nothing can be held any longer.
    fn stop(&mut self, at: &mut ConversationContext<'_, M>, next: Following, offset: u64) {
        let i = at.direction.index();
        if at.state.streams[i].held() > 0 {
            self.walk_held(at, next);
        }
        let stream = &mut at.state.streams[i];
        stream.at = stream.at.max(offset);
        let Some(held) = stream.held.take() else {
            return;
        };
        at.cx.budget.give(held.size());
        let (held, source) = (held.octets, held.source);
        if let Some(source) = source
            && !held.is_empty()
        {
            let start = at.state.streams[i].at - held.len() as u64;
            if at.state.streams[i].open.is_some() {
                // It belongs to the open message, whose end is missing.
                self.emit(at, &held, start, source, None, false);
            } else if at.state.streams[i].mode == Mode::Begin
                // One line at least is whole, so the protocol is not in doubt; less than that could
                // be anything.
                && memchr::memchr(b'\n', &held).is_some()
            {
                // A header that is cut: its start is known, its end is not.
                let start = MessageStart {
                    protocol: at
                        .state
                        .framer
                        .as_ref()
                        .map_or(NO_PROTOCOL, AnyFramer::name),
                    kind: Kind::Other,
                    offset: start,
                    extent: Extent::Open,
                    head: &held,
                    time: source.time,
                    frame: source.frame,
                    ack: source.ack,
                    answers: None,
                };
                self.start_message(at, &start, false);
                self.emit(at, &held, start.offset, source, None, false);
                if let Some(open) = &mut at.state.streams[i].open {
                    open.whole = false;
                }
            } else {
                self.skip(at, held.len() as u64);
            }
        }
    }

    /// The protocol of the direction's octets.
    fn protocol(at: &ConversationContext<'_, M>) -> Name {
        let unknown = at.state.streams[at.direction.index()].mode == Mode::Unknown;
        Name::of(match &at.state.framer {
            Some(framer) if !unknown => framer.name(),
            _ => NO_PROTOCOL,
        })
    }

    /// Octets that belong to no message.
    fn skip(&self, at: &mut ConversationContext<'_, M>, octets: u64) {
        at.cx.counters.message.unframed_octets += octets;
        let name = Self::protocol(at);
        at.cx.counters.protocol(name).skipped += octets;
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
        hand_over: bool,
    ) {
        at.cx.counters.message.messages += 1;
        at.cx.counters.protocol(Name::of(start.protocol)).messages += 1;
        let wanted = self.rules.filter.wants(start.protocol);
        at.state.streams[at.direction.index()].open = Some(OpenMessage {
            start: start.offset,
            whole: true,
            hand_over,
            wanted,
        });
        let what = EventKind::MessageBegins {
            protocol: start.protocol,
            kind: start.kind,
            extent: start.extent,
            offset: at.side().relative(start.offset),
        };
        at.cx.emit(at.flow, at.direction, what);
        if wanted {
            self.sink.start(&mut at.with(|s| &mut s.state), start);
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
        at.cx.counters.message.octets += octets.len() as u64;
        let name = Self::protocol(at);
        at.cx.counters.protocol(name).octets += octets.len() as u64;
        if at.state.streams[at.direction.index()].wanted() {
            let piece = Piece {
                offset,
                data: octets,
                time: source.time,
                frame: source.frame,
                sum,
                last,
            };
            self.sink.data(&mut at.with(|s| &mut s.state), &piece);
        }
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
        let acknowledged = at.side().acknowledged_to(offset);
        let name = Self::protocol(at);
        let past = at.side().acknowledged.is_some_and(|a| a > offset);
        let stream = &mut at.state.streams[i];
        // Nothing is open: a gap or an end between two messages.
        let Some(open) = stream.open.take() else {
            return;
        };
        let to_close = stream.mode == Mode::ToClose;
        let opaque = stream.mode == Mode::Unknown;
        // Only its end tells that a body up to the end of the stream is whole: a FIN or a RST, or that the other side
        // acknowledged what stands behind the last octet, which is a FIN.
        // In `Unknown` the end of the stream is as good an end as any. At eviction or the end of
        // the input it is not known that the body was over, unless its FIN was acknowledged.
        let closed = match closes {
            Some(Close::Fin | Close::Reset) => true,
            Some(_) => opaque || past,
            None => false,
        };
        let whole = open.whole && (!cut || ((to_close || opaque) && closed));
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
            // From now on failures are taken for losses.
            if !opaque {
                (at.state.trust.proven, at.state.trust.failures) = (true, 0);
            }
        } else {
            at.cx.counters.message.incomplete += 1;
            at.cx.counters.protocol(name).incomplete += 1;
        }
        // Left for last, as the questions above depend on it. An unknown stream stays unknown.
        if !opaque {
            stream.mode = Mode::Begin;
        }
        let what = EventKind::MessageEnds {
            offset: at.side().relative(offset),
            whole,
        };
        at.cx.emit(at.flow, at.direction, what);
        if open.wanted {
            let end = MessageEnd {
                offset,
                whole,
                extent_unknown: extent_unknown && !whole,
                closes,
                acknowledged,
            };
            self.sink.end(&mut at.with(|s| &mut s.state), &end);
        }
        // Only behind its end: the octets of the message itself belong to the old protocol.
        if open.hand_over {
            // Another protocol follows, in both directions.
            // Behind a prefix the port stands for what it stood for.
            let left = at.state.framer.as_ref().map(|f| Name::of(f.name()));
            let left = left.filter(|name| !protocols::is_prefix(name.text()));
            let opens = at.state.framer.as_ref().and_then(Framer::next_protocol);
            Self::put_framer(at, None);
            for stream in &mut at.state.streams {
                stream.mode = Mode::Unknown;
                stream.tries = 0;
                stream.searching = false;
            }
            // The user's rules were for the old protocol and are not asked again; ports say nothing
            // either.
            at.state.trust = Trust {
                asked: true,
                left,
                ..Trust::default()
            };
            if let Some(row) = opens.and_then(protocols::stream) {
                self.adopt(at, row.framer(), true);
            }
        }
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
        if let Some(AnyFramer::Custom(framer)) = &mut at.state.framer {
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
                        match self.search(at, view, pos, n) {
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
                        .framer
                        .as_mut()
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
                            self.end_message(at, offset, true, None);
                            // The framer and the octets disagree: nothing behind is where it should
                            // be.
                            self.lost(at);
                        }
                    }
                }
                Mode::Begin => {
                    if rest.is_empty() {
                        break None;
                    }
                    emitted = pos;
                    let place = self.place(at, view, pos);
                    let begin = at
                        .state
                        .framer
                        .as_mut()
                        .map_or(Begin::Refuse, |f| f.begin(&place, rest));
                    Self::charge_framer(at);
                    match begin {
                        Begin::NeedMore => break None,
                        Begin::Wait(until) => break Some(until),
                        Begin::Skip(n) => {
                            // One at least, or the loop would stand still; never more than there
                            // is.
                            let n = n.clamp(1, rest.len());
                            self.skip(at, n as u64);
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
                            let start = MessageStart {
                                protocol: at
                                    .state
                                    .framer
                                    .as_ref()
                                    .map_or(NO_PROTOCOL, AnyFramer::name),
                                kind,
                                offset,
                                extent: body.extent(head),
                                head: &rest[..head],
                                time: source.time,
                                frame: source.frame,
                                ack: source.ack,
                                answers: match kind {
                                    Kind::Response => {
                                        at.state.framer.as_ref().and_then(AnyFramer::answers)
                                    }
                                    Kind::Request | Kind::Other => None,
                                },
                            };
                            self.start_message(at, &start, hand_over);
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
                        Begin::Refuse => {
                            // One octet is given up, so that the search begins behind the place
                            // that failed.
                            self.skip(at, 1);
                            pos += 1;
                            emitted = pos;
                            self.lost(at);
                        }
                    }
                }
                Mode::Search => {
                    if rest.is_empty() {
                        break None;
                    }
                    let place = self.place(at, view, pos);
                    let wait = at
                        .state
                        .framer
                        .as_mut()
                        .and_then(|f| f.search_waits(&place));
                    // A search that runs ahead of the other stream could mistake a mail body for
                    // commands.
                    if wait.is_some() {
                        break wait;
                    }
                    let (n, found) = match self.search(at, view, pos, rest.len()) {
                        Found::At(n) => (n, true),
                        Found::Nowhere { keep } => (keep.min(rest.len()), false),
                    };
                    self.skip(at, n as u64);
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
                }
                Mode::Unknown => {
                    // The other direction made the protocol known.
                    if at.state.framer.is_some() && at.state.streams[i].open.is_none() {
                        at.state.streams[i].mode = Mode::Search;
                        continue;
                    }
                    if rest.is_empty() {
                        break None;
                    }
                    match self.unknown(at, view, pos) {
                        Some(n) => {
                            pos += n;
                            emitted = pos;
                        }
                        None => break None,
                    }
                }
            }
        };
        // Once for the walk: a sink sees pieces as long as segments, and one call instead of one
        // for each chunk header.
        if at.state.streams[i].open.is_some() && at.state.streams[i].mode != Mode::Unknown {
            self.emit_range(at, view, emitted, pos, false);
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
        if from < to {
            self.emit(
                at,
                &view.octets[from..to],
                view.offset + from as u64,
                view.source_at(from),
                // A sum belongs to all of the octets or to none.
                view.sum.filter(|_| to - from == view.octets.len()),
                last,
            );
        }
    }

    /// The stream's messages are not where they should be: the next one is looked for.
    fn lost(&mut self, at: &mut ConversationContext<'_, M>) {
        let i = at.direction.index();
        if let Some(framer) = &mut at.state.framer {
            // What the framer remembers of this direction is void, as after a gap.
            framer.gap(at.direction);
        }
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
        // Its framer goes, so nothing could end the message of the other direction later.
        self.end_other(at);
        Self::put_framer(at, None);
        for stream in &mut at.state.streams {
            stream.mode = Mode::Unknown;
            // From here on anywhere counts, as after a gap.
            (stream.searching, stream.tries, stream.searched) = (true, 0, 0);
        }
        at.state.trust = Trust {
            asked: true,
            renewals: trust.renewals + 1,
            left: trust.left,
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
            && view.segments.contains(&(view.offset + pos as u64))
            && !at.state.trust.decided
            && at
                .state
                .framer
                .as_ref()
                .is_some_and(AnyFramer::may_be_interrupted);
        here.then_some(row)
    }

    /// The connection goes on with the protocol that was switched to.
    fn switch(&mut self, at: &mut ConversationContext<'_, M>, row: &StreamRow) {
        // As in `renew`: both directions leave together.
        self.end_other(at);
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
        n: usize,
    ) -> Found {
        let mut place = self.place(at, view, pos);
        let rest = &view.octets[pos..];
        if n < rest.len() {
            // A start line that begins inside may reach past the end of what is searched.
            // Else a line cut by the end of the range would be taken for one cut by the end of the
            // stream.
            place.next = Following::Octets;
        }
        at.state
            .framer
            .as_mut()
            .map_or(Found::Nowhere { keep: rest.len() }, |f| {
                f.search(&place, rest)
            })
    }

    fn place<'a>(
        &self,
        at: &ConversationContext<'_, M>,
        view: &OctetView<'a>,
        pos: usize,
    ) -> Position<'a> {
        let other: Side = *at.other();
        Position {
            direction: at.direction,
            ports: (
                at.flow.src(at.direction).port(),
                at.flow.dst(at.direction).port(),
            ),
            segments: view.segments,
            push: view.push,
            pushed: at.state.streams[at.direction.index()].pushed,
            offset: view.offset + pos as u64,
            ack: view.source_at(pos).ack,
            other,
            next: view.next,
            limit: at.cx.limits.header,
        }
    }

    /// Octets of no known protocol: asks the detectors, and takes them as messages by PSH. Gives how many were used; None
    /// where more are needed.
    fn unknown(
        &mut self,
        at: &mut ConversationContext<'_, M>,
        view: &OctetView<'_>,
        pos: usize,
    ) -> Option<usize> {
        let i = at.direction.index();
        let rest = &view.octets[pos..];
        // Up to this many octets a detector may wait for more; then what is there must do.
        let more = view.next == Following::Octets && rest.len() < PROBE;
        let mut take = rest.len();
        let ports = (
            at.flow.src(at.direction).port(),
            at.flow.dst(at.direction).port(),
        );
        // A user's rule that names a framer needs no detector.
        if self.decide(at) && at.state.framer.is_some() {
            return Some(0);
        }
        let detect = !at.state.trust.decided;
        let stream = &at.state.streams[i];
        if stream.searching && detect {
            // The smallest of all answers: no octet may be passed that one of them still needs.
            let mut keep = rest.len();
            for (place, &detector) in self.custom.iter().enumerate() {
                match detector.search(rest, view.next, CUSTOM_PROBE) {
                    Found::At(0) => {
                        // What came before it was a message of its own.
                        self.end_message(at, view.offset + pos as u64, false, None);
                        self.adopt(
                            at,
                            AnyFramer::Custom(CustomFramer::new(place, detector)),
                            true,
                        );
                        return Some(0);
                    }
                    Found::At(n) | Found::Nowhere { keep: n } => keep = keep.min(n),
                }
            }
            // A detector of the user's waits for more; the built-in ones get their turn when it has
            // decided.
            if keep == 0 && view.next == Following::Octets {
                return None;
            }
            for row in STREAMS {
                let hinted = row.protocol.hinted(ports);
                // Cheap searches go on for good; the others stop once nothing was found in a fair
                // stretch.
                let tired = !hinted
                    && !row.protocol.cheap_search
                    && at.state.streams[i].searched >= SEARCHED;
                if tired || !at.state.trust.allows(row) {
                    continue;
                }
                match row.detector.search(rest, hinted, more) {
                    Found::At(0) => {
                        self.end_message(at, view.offset + pos as u64, false, None);
                        self.adopt(at, row.framer(), true);
                        return Some(0);
                    }
                    Found::At(n) | Found::Nowhere { keep: n } => keep = keep.min(n),
                }
            }
            if keep == 0 {
                return None;
            }
            // Up to the first place that may be a beginning: the next turn begins there.
            take = keep;
            let searched = &mut at.state.streams[i].searched;
            *searched = searched.saturating_add(u32::try_from(keep).unwrap_or(u32::MAX));
        }
        let stream = &mut at.state.streams[i];
        // Only where a message begins. In the middle of a run a match would be chance.
        if stream.open.is_none() && !stream.searching && stream.tries < TRIES && detect {
            let mut undecided = false;
            for (place, &detector) in self.custom.iter().enumerate() {
                match (detector.look)(rest, view.next) {
                    Verdict::Message { len, .. } if len > 0 => {
                        self.adopt(
                            at,
                            AnyFramer::Custom(CustomFramer::new(place, detector)),
                            true,
                        );
                        return Some(0);
                    }
                    Verdict::More => undecided = true,
                    Verdict::Message { .. } | Verdict::Refuse => {}
                }
            }
            let trust = at.state.trust;
            // In the order of the table: what is more certain stands before what is less.
            for row in STREAMS.iter().filter(|row| trust.allows(row)) {
                match row.detector.probe(rest, row.protocol.hinted(ports)) {
                    Probe::Yes => {
                        self.adopt(at, row.framer(), true);
                        return Some(0);
                    }
                    Probe::More => undecided = true,
                    Probe::No => {}
                }
            }
            // Waiting is bounded by `PROBE`, so that a silent prefix cannot hold a stream.
            if undecided && more {
                return None;
            }
            stream.tries += 1;
        }
        // A run ends at 64 KiB even without PSH, so nothing grows without bound.
        let room = at.state.streams[i]
            .open
            .map_or(OPAQUE, |o| OPAQUE - (view.offset + pos as u64 - o.start));
        let take = take.min(usize::try_from(room).unwrap_or(usize::MAX));
        let source = view.source_at(pos);
        let offset = view.offset + pos as u64;
        if at.state.streams[i].open.is_none() {
            let start = MessageStart {
                protocol: NO_PROTOCOL,
                kind: Kind::Other,
                offset,
                extent: Extent::Open,
                head: &rest[..take],
                time: source.time,
                frame: source.frame,
                ack: source.ack,
                answers: None,
            };
            self.start_message(at, &start, false);
        }
        let full = take as u64 == room;
        // PSH ends the run where the segment does; in the middle of the octets it is not known.
        let ends = full || (view.push && pos + take == view.octets.len());
        self.emit(
            at,
            &rest[..take],
            offset,
            source,
            view.sum.filter(|_| take == view.octets.len()),
            ends,
        );
        if ends {
            self.end_message(at, offset + take as u64, false, None);
        }
        Some(take)
    }

    /// Asks the user's rules, once for each connection: whether they decide.
    fn decide(&self, at: &mut ConversationContext<'_, M>) -> bool {
        if at.state.trust.asked {
            return at.state.trust.decided;
        }
        at.state.trust.asked = true;
        let ports = (
            at.flow.src(at.direction).port(),
            at.flow.dst(at.direction).port(),
        );
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
                // An open unknown run ends first; then `Unknown` itself changes to the search.
                if stream.open.is_none() {
                    stream.mode = Mode::Search;
                }
            } else {
                stream.mode = Mode::Begin;
            }
        }
        Self::put_framer(at, Some(framer));
    }
}

impl OctetView<'_> {
    /// Where the octet at a place came from.
    const fn source_at(&self, pos: usize) -> ChunkOrigin {
        if pos < self.later {
            self.source
        } else {
            self.now
        }
    }
}
