//! One direction of an association: from data chunks to user messages.
//!
//! ```text
//!             delivered or given up │ hole │ received ranges, holes between them
//!   TSN  ───────────────────────────┼──────┼──────────────────────────────────────>
//!                                  next    ranges[0].start
//! ```
//!
//! TSNs are counted in 64 bits, so that nothing here wraps. A hole holds up only what depends on it: unordered messages
//! go at once, an ordered one goes when its SSN or MID is the next of its stream, or when every TSN before its first one
//! is settled. Within a stream TSNs rise with the SSN (RFC 9260, 6.6), so that both give the same order.

mod fate;
mod holes;
mod messages;
mod row;

use super::chunk::DataChunk;
use super::sink::{AssociationContext, ChunkGap, DuplicateChunk, Missing, UserMessageSink};
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, Flow};
use crate::base::limits::Limits;
use crate::base::place::{OctetOffset, RecordSpan};
use crate::base::serial::Tsn;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{WaitingStage, allocated, tree};
use crate::base::stream::GapCause;
use crate::base::time::{Instant, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::size_of;
use std::net::IpAddr;

/// Ranges of received TSNs behind a hole, at most, in one direction: past that the first hole is given up.
// Gap blocks let a receiver report 64 K of TSNs behind a hole, but windows hold a few hundred
// chunks. Half would give up holes of a long fat link too early; 1024 ranges take 24 KB.
const MAX_RANGES: usize = 1024;
/// Streams that one of them names; of more, only their order by TSN is certain.
// 64 numbers are 128 bytes for each reset. A sender that resets more of its 65,536 streams names
// all of them, or its order is taken from the TSNs.
const MAX_RESET_STREAMS: usize = 64;
/// How far the second witness of a jump of the TSN may be from the first.
// About one receive window of chunks. A second chunk by chance within it is one in two million.
const JUMP_WITNESS: i32 = 1024;
/// What the indexes that a waiting chunk may stand in are taken to allocate for it.
const INDEXED: usize = 96;

/// Where a chunk came from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ChunkOrigin {
    pub(super) frame: u64,
    pub(super) time: Timestamp,
    pub(super) interface: u32,
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) tag: u32,
    /// Offset of the chunk's user data in the packet record; None for a packet, and where it is not known.
    pub(super) at: Option<u32>,
}

impl ChunkOrigin {
    /// Number, time and interface of the packet.
    pub(super) const fn packet(&self) -> (u64, Timestamp, u32) {
        (self.frame, self.time, self.interface)
    }

    /// That of the chunk of the packet whose user data begins there.
    pub(super) fn at(self, offset: OctetOffset) -> Self {
        Self {
            at: offset.in_record(),
            ..self
        }
    }

    /// Where the user data, so many octets of it, stands in the input.
    fn place(&self, len: usize) -> RecordSpan {
        RecordSpan {
            frame: self.frame,
            at: self.at,
            len: len as u64,
        }
    }
}

/// What is at hand while one direction takes a chunk or time goes by.
pub(super) struct Out<'a, S: UserMessageSink> {
    pub(super) cx: &'a mut Context,
    pub(super) flow: &'a Flow,
    pub(super) tags: [Option<u32>; 2],
    pub(super) state: &'a mut S::State,
    pub(super) sink: &'a mut S,
    pub(super) direction: Direction,
    /// Packets of the association so far.
    pub(super) packets: u64,
    /// SACKs for this direction are captured.
    pub(super) sacks: bool,
    /// Messages go here, and not to the sink, where they are put in order with those of the other direction.
    pub(super) held: Option<&'a mut VecDeque<HeldMessage>>,
}

impl<S: UserMessageSink> Out<'_, S> {
    fn at(&mut self) -> (AssociationContext<'_, S::State>, &mut S) {
        let at = AssociationContext {
            cx: self.cx,
            flow: self.flow,
            tags: self.tags,
            state: self.state,
        };
        (at, self.sink)
    }

    /// Counts a chunk whose TSN was there already, and tells the sink.
    fn duplicate(&mut self, c: &DataChunk<'_>) -> ChunkFate {
        self.cx.counters.sctp.duplicates += 1;
        let chunk = DuplicateChunk {
            direction: self.direction,
            tsn: c.tsn,
            len: c.len as u64,
        };
        let (mut at, sink) = self.at();
        sink.duplicate(&mut at, &chunk);
        ChunkFate::Duplicate
    }

    /// Tells the sink of TSNs that are given up.
    fn gap(&mut self, tsn: u64, tsns: u64, cause: Option<GapCause>) {
        let gap = ChunkGap {
            direction: self.direction,
            // Numbers count on from TSNs, which are these modulo 2^32.
            #[allow(clippy::cast_possible_truncation)]
            tsn: tsn as u32,
            tsns,
            cause,
        };
        let (mut at, sink) = self.at();
        sink.gap(&mut at, &gap);
    }
}

/// What became of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChunkFate {
    /// New: delivered, or it waits.
    Taken,
    /// New, behind one with a higher TSN.
    OutOfOrder,
    /// Its TSN was there already.
    Duplicate,
    /// Late, before the start, or unusable.
    Dropped,
}

/// A chunk that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredChunk {
    stream: u16,
    seq: u32,
    /// PPID, or FSN.
    ppid: u32,
    begins: bool,
    ends: bool,
    unordered: bool,
    interleaved: bool,
    /// Octets on the wire.
    len: u32,
    origin: ChunkOrigin,
    data: Box<[u8]>,
}

impl StoredChunk {
    fn new(c: &DataChunk<'_>, origin: ChunkOrigin) -> Self {
        Self {
            stream: c.stream,
            seq: c.seq,
            ppid: c.ppid,
            begins: c.begins,
            ends: c.ends,
            unordered: c.unordered,
            interleaved: c.interleaved,
            len: u32::try_from(c.len).unwrap_or(u32::MAX),
            origin,
            data: c.payload.into(),
        }
    }

    /// Octets allocated for it beside its place in a tree.
    const fn cost(&self) -> usize {
        cost(self.data.len())
    }

    fn place(&self) -> RecordSpan {
        self.origin.place(self.data.len())
    }

    fn is_cut(&self) -> bool {
        (self.data.len() as u64) < u64::from(self.len)
    }

    fn as_data(&self, tsn: u64) -> DataChunk<'_> {
        DataChunk {
            tsn: low(tsn),
            stream: self.stream,
            seq: self.seq,
            ppid: self.ppid,
            begins: self.begins,
            ends: self.ends,
            unordered: self.unordered,
            interleaved: self.interleaved,
            payload: &self.data,
            // `ChunkOrigin` has it.
            offset: 0,
            len: self.len as usize,
        }
    }
}

/// What a chunk of so many octets counts for, wherever it waits.
const fn cost(octets: usize) -> usize {
    INDEXED + allocated(octets)
}

/// The beginning of a message whose chunks have come in order. Plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Row {
    /// TSN of the first chunk.
    first: u64,
    stream: u16,
    unordered: bool,
    /// None: no message is open.
    parts: Vec<RowPart>,
    places: Vec<RecordSpan>,
    data: Vec<u8>,
    /// What its chunks count for while they wait.
    cost: usize,
    /// The packet that was captured last of those that brought them.
    brought: (u64, Timestamp, u32),
}

/// One of its chunks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct RowPart {
    seq: u32,
    ppid: u32,
    len: u32,
    origin: ChunkOrigin,
}

/// Received TSNs in a row behind a hole.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct TsnRange {
    start: u64,
    end: u64,
    /// When the first of them came, and the packets of the association so far.
    at: Instant,
    packets: u64,
}

/// DATA chunks in a row that belong to one message and wait for the others.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Run {
    end: u64,
    begins: bool,
    ends: bool,
}

/// An I-DATA message: stream, U bit, MID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct MessageKey {
    stream: u16,
    unordered: bool,
    mid: u32,
}

/// An I-DATA message of which chunks wait.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Interleaved {
    /// TSN by FSN.
    parts: BTreeMap<u32, u64>,
    /// FSNs from 0 on that are there.
    have: u32,
    /// FSN of the chunk with the E bit.
    last: Option<u32>,
    /// TSN of the first chunk behind a hole.
    gap: Option<u64>,
    whole: bool,
}

/// A whole message that waits for its turn; by the TSN of its first chunk.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Ready {
    /// DATA up to this TSN, exclusive.
    Row(u64),
    /// I-DATA.
    Parts(MessageKey),
}

/// The order within one stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct StreamQueue {
    /// SSN or MID of the next message; None where it is not known.
    next: Option<u32>,
    /// First TSNs of the messages in `ready`.
    ready: BTreeSet<u64>,
}

impl StreamQueue {
    /// A message waits no longer.
    fn left(&mut self, first: u64) {
        self.ready.remove(&first);
        // An empty tree keeps its node, and there may be 65,536 of these.
        if self.ready.is_empty() {
            self.ready = BTreeSet::new();
        }
    }
}

/// TSNs that nobody will send again: the receiver has them, or the sender has abandoned them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Evidence {
    start: u64,
    end: u64,
    at: Instant,
    /// Packets of the association when it was seen.
    packets: u64,
    forward: bool,
    /// The packet that showed it.
    frame: u64,
}

/// The wait for earlier chunks of a direction captured from the middle.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct LookBack {
    since: Instant,
    chunks: u32,
}

/// A stream reset that takes effect when every TSN up to `last` is settled (RFC 6525, 5.2.2).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reset {
    last: u64,
    /// All streams where empty.
    streams: Vec<u16>,
    /// There were too many to remember: which streams start anew is not known.
    some: bool,
}

/// A message held for its acknowledgment (`--wait-ack`), or for those of the other direction that come before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HeldMessage {
    head: MessageHead,
    data: Vec<u8>,
    tsns: Vec<u32>,
    places: Vec<RecordSpan>,
}

impl HeldMessage {
    /// The packet that brought the last of its chunks.
    pub(super) const fn frame(&self) -> u64 {
        self.head.brought.0
    }

    const fn cost(&self) -> usize {
        INDEXED
            + allocated(self.data.capacity())
            + allocated(self.tsns.capacity() * size_of::<u32>())
            + allocated(self.places.capacity() * size_of::<RecordSpan>())
    }
}

/// What is known of a message besides its octets.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct MessageHead {
    stream: u16,
    seq: u32,
    ppid: u32,
    unordered: bool,
    interleaved: bool,
    first: u64,
    /// TSN of the last chunk that is there.
    last: u64,
    chunks: u32,
    len: Option<u64>,
    whole: bool,
    missing: Missing,
    origin: ChunkOrigin,
    /// The packet that brought the last of its chunks, and when: whatever holds the message, it has the time of this one.
    brought: (u64, Timestamp, u32),
}

/// One direction of an association. Plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Inflow {
    started: bool,
    /// Every TSN before this one is settled: received or given up.
    next: u64,
    /// The first TSN, known or captured; what is before it does not count.
    base: u64,
    /// Behind the highest TSN received.
    top: u64,
    ranges: VecDeque<TsnRange>,
    fragments: BTreeMap<u64, StoredChunk>,
    runs: BTreeMap<u64, Run>,
    interleaved: BTreeMap<MessageKey, Interleaved>,
    /// I-DATA messages with a hole, by the TSN of the chunk behind it.
    gapped: BTreeMap<u64, MessageKey>,
    /// I-DATA messages in the order they began, with the number of losses then.
    began: VecDeque<(Instant, u64, MessageKey)>,
    ready: BTreeMap<u64, Ready>,
    streams: BTreeMap<u16, StreamQueue>,
    /// SSN of the first message of every stream.
    first_seq: Option<u32>,
    /// Behind the highest TSN that the receiver has acknowledged cumulatively.
    acked: u64,
    /// When it did so.
    acked_at: Timestamp,
    evidence: VecDeque<Evidence>,
    /// Ranges of TSNs that were given up.
    given_up: VecDeque<(u64, u64)>,
    losses: u64,
    damaged: BTreeMap<u64, StoredChunk>,
    resets: Vec<Reset>,
    look: Option<LookBack>,
    /// A chunk whose TSN cannot be behind a hole, and when it came.
    jump: Option<(StoredChunk, u32, Instant)>,
    /// Messages held for their acknowledgment, by the TSN of their last chunk.
    unacked: BTreeMap<u64, HeldMessage>,
    /// Since when, in the order in which they would have been emitted. Those that are gone are still in here.
    unacked_since: VecDeque<(Instant, u64)>,
    /// The message whose chunks come in order.
    row: Row,
    /// Octets and chunks in `row`, `fragments`, `damaged`, `jump` and `unacked`.
    octets: usize,
    chunks: usize,
    /// What is allocated may have changed since it was charged.
    changed: bool,
    /// What the budget and the count of waiting chunks know of.
    charged: usize,
    counted: usize,
}

/// The TSN as it stands in chunks.
#[allow(clippy::cast_possible_truncation)]
const fn low(tsn: u64) -> u32 {
    tsn as u32
}

/// A step of the TSN that cannot be a hole: every chunk of it would carry 16 octets at least.
fn jump(limits: &Limits) -> u64 {
    u64::from(limits.max_gap / 16).clamp(1, 1 << 30)
}

/// Counts chunks that no message will be made of.
fn dropped(cx: &mut Context, chunks: u64, octets: u64) {
    cx.counters.sctp.dropped_chunks += chunks;
    cx.counters.sctp.dropped_octets += octets;
}

impl Inflow {
    /// The 64-bit number of a TSN: the nearest to what is expected.
    fn unwrap(&self, tsn: u32) -> u64 {
        // The nearest of all numbers that the 32 bits can mean, as with TCP: within 2^31 of what is
        // expected.
        let ahead = Tsn(tsn).diff(Tsn(low(self.next)));
        self.next.saturating_add_signed(ahead.into())
    }

    /// Begins at a TSN, in a number above all that were used.
    fn rebase(&mut self, tsn: u32) {
        // Two epochs on: even a chunk that lies before the new start by half the number space
        // cannot fall into numbers that were used.
        let epoch = (self.next.max(self.top) >> 32).saturating_add(2);
        self.started = true;
        self.next = (epoch << 32) | u64::from(tsn);
        self.base = self.next;
        self.top = self.next;
        // An acknowledgment of the old numbers says nothing about the new ones.
        self.acked = 0;
        self.look = None;
        self.evidence.clear();
    }

    /// Octets allocated for chunks that wait.
    pub(super) const fn waiting_octets(&self) -> usize {
        self.octets
    }

    /// Something may become due by time or by other packets.
    pub(super) fn is_restless(&self) -> bool {
        !self.ranges.is_empty()
            || !self.evidence.is_empty()
            || self.look.is_some()
            || !self.unacked_since.is_empty()
            || self.jump.is_some()
            || !self.began.is_empty()
    }

    /// INIT or INIT ACK named the first TSN.
    pub(super) fn begin<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u32) {
        // The start is known already and nothing has come, so this is another handshake's number.
        self.changed = true;
        let fresh = self.started && self.top == self.base && self.look.is_none();
        if !self.started || (fresh && low(self.base) != tsn) {
            self.rebase(tsn);
        } else if self.look.is_some() {
            // Data was captured ahead of the handshake.
            let first = self.unwrap(tsn);
            // Behind what came, or too far before it: not the handshake of this stream.
            if first > self.next || self.next - first > jump(&out.cx.limits) {
                return;
            }
            self.next = first;
            self.base = first;
            self.look = None;
        } else if !fresh {
            // Data has been taken; a late INIT must not move its start.
            return;
        }
        // RFC 9260, 6.5: every stream begins with SSN 0. With that known, the first messages need
        // not wait for each other.
        self.first_seq = Some(0);
        self.advance(out);
    }

    /// An SSN/TSN reset moved the next TSN (RFC 6525, 5.2.4).
    pub(super) fn reset_tsn<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u32) {
        if self.started && low(self.next) != tsn {
            self.changed = true;
            // All that waits has old numbers.
            self.finish(out, GapCause::Jump);
            self.rebase(tsn);
            self.streams.clear();
            self.first_seq = Some(0);
        }
    }

    /// Takes one data chunk.
    pub(super) fn data<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        c: &DataChunk<'_>,
        origin: ChunkOrigin,
    ) -> ChunkFate {
        if let Some(fate) = self.in_order(out, c, origin) {
            return fate;
        }
        self.changed = true;
        if c.len == 0 {
            // RFC 9260, 3.3.10.9: the receiver aborts for "No User Data".
            dropped(out.cx, 1, 0);
            return ChunkFate::Dropped;
        }
        if !self.started {
            self.rebase(c.tsn);
            // Without a handshake the first chunk that is captured may not be the first that was
            // sent.
            if out.cx.limits.look_behind_segments > 0 {
                self.look = Some(LookBack {
                    since: out.cx.now,
                    chunks: 0,
                });
            }
        }
        let tsn = self.unwrap(c.tsn);
        let far = jump(&out.cx.limits);
        // Both are asked: after a long hole `top` is far ahead of `next`, and a chunk near either
        // is no jump.
        if tsn.abs_diff(self.next) > far && tsn.abs_diff(self.top) > far {
            return self.jumped(out, c, origin);
        }
        self.accept(out, tsn, c, origin)
    }

    /// Takes a chunk whose number fits.
    fn accept<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        tsn: u64,
        c: &DataChunk<'_>,
        origin: ChunkOrigin,
    ) -> ChunkFate {
        self.spill();
        // Nothing is noted, and nothing waits.
        let in_order = tsn == self.next && self.ranges.is_empty() && self.look.is_none();
        if in_order {
            self.next = tsn.saturating_add(1);
        } else if tsn < self.next && self.look.is_none() {
            return self.below(out, tsn, c);
        } else if !self.insert_range(tsn, out.cx.now, out.packets) {
            return out.duplicate(c);
        }
        let fate = if tsn < self.top {
            out.cx.counters.sctp.out_of_order += 1;
            ChunkFate::OutOfOrder
        } else {
            ChunkFate::Taken
        };
        self.top = self.top.max(tsn.saturating_add(1));
        // A good copy came, so the damaged one is not needed.
        if !self.damaged.is_empty() {
            self.forget_damaged(tsn);
        }
        // The start moves down as long as it is looked for. Nothing has been emitted yet, so it
        // may.
        if let Some(look) = &mut self.look {
            self.next = self.next.min(tsn);
            self.base = self.next;
            look.chunks += 1;
        }
        // Numbered first, emitted second: what this chunk completes may need to know that its TSN
        // is settled.
        self.receive(out, tsn, c, origin);
        // After the chunk is in its place, so that it cannot be lost by the limit it broke.
        if self.ranges.len() > MAX_RANGES {
            self.first_hole(out, GapCause::Holes);
        }
        if !in_order || !self.nothing_waits() {
            self.advance(out);
        }
        fate
    }

    /// A chunk below what is settled.
    fn below<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        tsn: u64,
        chunk: &DataChunk<'_>,
    ) -> ChunkFate {
        // Before the captured start: never expected, hence neither late nor a duplicate.
        if tsn < self.base {
            out.cx.discard(Discard::SctpBeforeStart);
            return ChunkFate::Dropped;
        }
        // Sorted, as holes are given up in order.
        let i = self.given_up.partition_point(|g| g.1 <= tsn);
        let Some(&(start, end)) = self.given_up.get(i).filter(|g| g.0 <= tsn) else {
            return out.duplicate(chunk);
        };
        out.cx.discard(Discard::SctpLate);
        // A second copy of it will be a duplicate.
        self.given_up.remove(i);
        for part in [(tsn.saturating_add(1), end), (start, tsn)] {
            if part.0 < part.1 {
                self.given_up.insert(i, part);
            }
        }
        ChunkFate::Dropped
    }

    /// Notes a TSN that cannot be delivered yet; false where it was there.
    // Touching counts as the same range, so that ranges never lie side by side.
    fn insert_range(&mut self, tsn: u64, at: Instant, packets: u64) -> bool {
        let end = tsn.saturating_add(1);
        let i = self.ranges.partition_point(|r| r.end < tsn);
        // The first range that ends at or behind `tsn`.
        let Some(r) = self.ranges.get_mut(i) else {
            self.ranges.push_back(TsnRange {
                start: tsn,
                end,
                at,
                packets,
            });
            return true;
        };
        if (r.start..r.end).contains(&tsn) {
            return false;
        }
        if r.end == tsn {
            r.end = end;
            let r = *r;
            if let Some(&next) = self.ranges.get(i + 1)
                && next.start == end
            {
                self.ranges.remove(i + 1);
                if let Some(slot) = self.ranges.get_mut(i) {
                    // The hole has waited since the earlier of both, or filling a part of it would
                    // prolong the wait.
                    slot.end = next.end;
                    slot.at = r.at.min(next.at);
                    slot.packets = r.packets.min(next.packets);
                }
            }
        } else if r.start == end {
            r.start = tsn;
        } else {
            self.ranges.insert(
                i,
                TsnRange {
                    start: tsn,
                    end,
                    at,
                    packets,
                },
            );
        }
        true
    }

    /// The chunk's TSN is far from all others: a second one has to continue it.
    fn jumped<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        c: &DataChunk<'_>,
        origin: ChunkOrigin,
    ) -> ChunkFate {
        // Distances are taken modulo 2^32: the jump is far from all known numbers, so no 64-bit
        // number fits it yet.
        let witness = match &self.jump {
            Some((_, tsn, _)) => Tsn(c.tsn).diff(Tsn(*tsn)),
            None => i32::MAX,
        };
        if witness == 0 {
            return out.duplicate(c);
        }
        // Far from the first one too: whichever is right, the older has had its chance.
        if witness.unsigned_abs() > JUMP_WITNESS.unsigned_abs() {
            self.end_jump(out);
            let f = StoredChunk::new(c, origin);
            self.octets += f.cost();
            self.chunks += 1;
            self.jump = Some((f, c.tsn, out.cx.now));
            return ChunkFate::Taken;
        }
        let held = self.jump.take();
        // Confirmed. What waits by the old numbers cannot be continued.
        self.finish(out, GapCause::Jump);
        out.cx.counters.sctp.tsn_restarts += 1;
        self.streams.clear();
        self.first_seq = None;
        let Some((f, tsn, _)) = held else {
            return ChunkFate::Dropped;
        };
        self.octets -= f.cost();
        self.chunks -= 1;
        // The lower of the two begins the new numbers: the witness may have been captured first.
        self.rebase(if witness < 0 { c.tsn } else { tsn });
        let at = self.unwrap(tsn);
        self.accept(out, at, &f.as_data(at), f.origin);
        let at = self.unwrap(c.tsn);
        self.accept(out, at, c, origin)
    }

    /// A jump that nothing has confirmed: a whole message is a message all the same.
    fn end_jump<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        let Some((f, tsn, _)) = self.jump.take() else {
            return;
        };
        self.octets -= f.cost();
        self.chunks -= 1;
        // Its stream and number are not trusted, but its octets are all there: better shown than
        // lost.
        if f.begins && f.ends {
            // Above all numbers that can be acknowledged.
            // Under `--wait-ack` it must not be taken for acknowledged.
            let tsn = (u64::from(u32::MAX) << 32) | u64::from(tsn);
            self.emit_chunk(out, tsn, &f.as_data(tsn), f.origin);
        } else {
            dropped(out.cx, 1, f.data.len() as u64);
        }
    }

    /// Charges the budget, and the count of waiting chunks, with what is allocated now.
    // Counted when asked, from lengths: a running sum for nine lists would be one more thing to
    // keep right.
    pub(super) fn charge(&mut self, cx: &mut Context, active: &mut usize) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        // Trees are counted by their nodes: most associations have one entry in each, which takes the room of eleven.
        let trees = tree::<u64, StoredChunk>(self.fragments.len())
            + tree::<u64, StoredChunk>(self.damaged.len())
            + tree::<u64, Run>(self.runs.len())
            + tree::<u64, HeldMessage>(self.unacked.len())
            + tree::<u64, Ready>(self.ready.len())
            + tree::<u64, MessageKey>(self.gapped.len())
            + tree::<MessageKey, Interleaved>(self.interleaved.len())
            + tree::<u32, u64>(1) * self.interleaved.len()
            + tree::<u16, StreamQueue>(self.streams.len())
            + tree::<u64, ()>(1) * self.ready.len().min(self.streams.len());
        let lists = allocated(self.ranges.capacity() * size_of::<TsnRange>())
            + allocated(self.evidence.capacity() * size_of::<Evidence>())
            + allocated(self.given_up.capacity() * size_of::<(u64, u64)>())
            + self.resets.capacity() * size_of::<Reset>()
            + self.resets.len() * allocated(2 * MAX_RESET_STREAMS)
            + allocated(self.began.capacity() * size_of::<(Instant, u64, MessageKey)>())
            + allocated(self.unacked_since.capacity() * size_of::<(Instant, u64)>());
        let entries = trees + lists + self.row.allocated();
        self.set_charged(cx, active, self.octets + entries, self.chunks);
    }

    /// Gives back what trees keep that are empty now.
    // A tree keeps the node of its last entry, which has room for eleven: with 100,000 associations that is half of all
    // memory.
    pub(super) fn shed(&mut self) {
        fn shed<K, V>(tree: &mut BTreeMap<K, V>) {
            if tree.is_empty() {
                *tree = BTreeMap::new();
            }
        }
        self.shed_row();
        shed(&mut self.fragments);
        shed(&mut self.damaged);
        shed(&mut self.runs);
        shed(&mut self.unacked);
        shed(&mut self.ready);
        shed(&mut self.gapped);
        shed(&mut self.interleaved);
        shed(&mut self.streams);
    }

    /// Gives all of the budget back; the direction is dropped behind this.
    pub(super) fn discharge(&mut self, cx: &mut Context, active: &mut usize) {
        self.set_charged(cx, active, 0, 0);
    }

    /// What must hold between packets: every chunk that is stored stands in exactly one index, and the sums are right.
    #[cfg(test)]
    pub(super) fn invariants(&self) {
        let mut indexed: Vec<u64> = self.runs.iter().flat_map(|(s, r)| *s..r.end).collect();
        for (first, ready) in &self.ready {
            if let Ready::Row(end) = ready {
                indexed.extend(*first..*end);
            }
        }
        for m in self.interleaved.values() {
            indexed.extend(m.parts.values());
        }
        indexed.sort_unstable();
        let stored: Vec<u64> = self.fragments.keys().copied().collect();
        assert_eq!(stored, indexed, "chunks and their indexes: {self:#?}");
        let ends = self.ranges.iter().map(|r| (r.start, r.end));
        let mut last = self.next;
        for (start, end) in ends {
            assert!(start < end && (last < start || (self.look.is_some() && last <= start)));
            last = end;
        }
        assert!(self.top >= self.next);
    }

    fn set_charged(&mut self, cx: &mut Context, active: &mut usize, octets: usize, chunks: usize) {
        if octets != self.charged {
            let budget = &mut cx.budget;
            budget.resize_waiting(WaitingStage::Chunks, self.charged, octets);
            self.charged = octets;
        }
        if chunks != self.counted {
            // Shared by all associations; the old share goes before the new one is added.
            *active = active.saturating_sub(self.counted) + chunks;
            self.counted = chunks;
            cx.counters.sctp.waiting_chunks = *active as u64;
            let most = &mut cx.counters.buffer.chunks_peak;
            *most = (*most).max(*active as u64);
        }
    }
}
