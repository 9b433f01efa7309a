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

use super::chunk::Data;
use super::sink::{AssociationContext, Missing, UserMessage, UserMessageSink};
use crate::config::Limits;
use crate::context::Context;
use crate::serial::Tsn;
use crate::time::{Instant, Timestamp};
use crate::transport::flow::{Direction, Flow};
use crate::transport::stream::GapCause;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Ranges of received TSNs behind a hole, at most, in one direction: past that the first hole is given up.
const MAX_RANGES: usize = 1024;
/// Acknowledgments past holes that are remembered one by one.
const MAX_EVIDENCE: usize = 64;
/// Ranges of TSNs that were given up and are remembered, to tell late chunks from duplicates.
const MAX_GIVEN_UP: usize = 64;
/// The same under `--track-missing-chunks`.
const MAX_GIVEN_UP_TRACKED: usize = 16_384;
/// Chunks of damaged packets that are kept as second choice.
const MAX_DAMAGED: usize = 64;
/// Stream resets that have been announced and not reached.
const MAX_RESETS: usize = 16;
/// Streams that one of them names; of more, only their order by TSN is certain.
const MAX_RESET_STREAMS: usize = 64;
/// How far the second witness of a jump of the TSN may be from the first.
const JUMP_WITNESS: i32 = 1024;
/// How long a hole may stay that nobody has acknowledged, where the acknowledgments are captured (SPEC 6).
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);
/// What an entry of a tree is taken to allocate besides its own size: nodes are half full at worst.
const ENTRY: usize = 32;
/// The same for the indexes that a waiting chunk may stand in.
const INDEXED: usize = 96;

/// Where a chunk came from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) frame: u64,
    pub(super) time: Timestamp,
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) tag: u32,
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
}

/// What became of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// New: handed on, or it waits.
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
struct Fragment {
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
    origin: Origin,
    data: Box<[u8]>,
}

impl Fragment {
    fn new(c: &Data<'_>, origin: Origin) -> Self {
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

    fn cost(&self) -> usize {
        size_of::<(u64, Self)>() + ENTRY + INDEXED + self.data.len()
    }

    fn is_cut(&self) -> bool {
        (self.data.len() as u64) < u64::from(self.len)
    }

    fn as_data(&self, tsn: u64) -> Data<'_> {
        Data {
            tsn: low(tsn),
            stream: self.stream,
            seq: self.seq,
            ppid: self.ppid,
            begins: self.begins,
            ends: self.ends,
            unordered: self.unordered,
            interleaved: self.interleaved,
            payload: &self.data,
            len: self.len as usize,
        }
    }
}

/// Received TSNs in a row behind a hole.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Range {
    start: u64,
    end: u64,
    /// When the first of them came.
    at: Instant,
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
struct Key {
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
    Parts(Key),
}

/// The order within one stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Stream {
    /// SSN or MID of the next message; None where it is not known.
    next: Option<u32>,
    /// First TSNs of the messages in `ready`.
    ready: BTreeSet<u64>,
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
}

/// The wait for earlier chunks of an association captured from the middle.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Look {
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

/// A message held for its acknowledgment (`--wait-ack`).
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Unacked {
    head: Head,
    data: Vec<u8>,
    tsns: Vec<u32>,
    since: Instant,
}

/// What is told of a message besides its octets.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Head {
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
    origin: Origin,
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
    ranges: VecDeque<Range>,
    fragments: BTreeMap<u64, Fragment>,
    runs: BTreeMap<u64, Run>,
    interleaved: BTreeMap<Key, Interleaved>,
    /// I-DATA messages with a hole, by the TSN of the chunk behind it.
    gapped: BTreeMap<u64, Key>,
    /// I-DATA messages in the order they began, with the number of losses then.
    began: VecDeque<(Instant, u64, Key)>,
    ready: BTreeMap<u64, Ready>,
    streams: BTreeMap<u16, Stream>,
    /// SSN of the first message of every stream.
    first_seq: Option<u32>,
    /// Behind the highest TSN that the receiver has acknowledged cumulatively.
    acked: u64,
    evidence: VecDeque<Evidence>,
    /// Ranges of TSNs that were given up.
    given_up: VecDeque<(u64, u64)>,
    losses: u64,
    damaged: BTreeMap<u64, Fragment>,
    resets: Vec<Reset>,
    look: Option<Look>,
    /// A chunk whose TSN cannot be behind a hole, and when it came.
    jump: Option<(Fragment, u32, Instant)>,
    unacked: VecDeque<Unacked>,
    /// Octets and chunks in `fragments`, `damaged`, `jump` and `unacked`.
    octets: usize,
    chunks: usize,
    /// What the budget and the count of waiting chunks have been told.
    charged: usize,
    counted: usize,
}

/// The TSN as it stands in chunks.
#[allow(clippy::cast_possible_truncation)]
const fn low(tsn: u64) -> u32 {
    tsn as u32
}

/// The number behind an SSN or MID.
fn behind(seq: u32, interleaved: bool) -> u32 {
    if interleaved {
        seq.wrapping_add(1)
    } else {
        seq.wrapping_add(1) & 0xffff
    }
}

/// A step of the TSN that cannot be a hole: every chunk of it would carry 16 octets at least.
fn jump(limits: &Limits) -> u64 {
    u64::from(limits.max_gap / 16).clamp(1, 1 << 30)
}

/// How long a hole may stay that nobody has acknowledged.
fn patience<S: UserMessageSink>(out: &Out<'_, S>) -> Duration {
    if out.sacks {
        UNACKNOWLEDGED
    } else {
        out.cx.limits.sctp_packet_timeout
    }
}

/// Counts chunks that no message will be made of.
fn dropped(cx: &mut Context, chunks: u64, octets: u64) {
    cx.counters.sctp.dropped_chunks += chunks;
    cx.counters.sctp.dropped_octets += octets;
}

/// What a message that is held for its acknowledgment allocates.
const fn unacked_cost(data: &[u8], tsns: &[u32]) -> usize {
    size_of::<Unacked>() + data.len() + size_of_val(tsns)
}

/// Tells the sink of one message.
fn hand_on<S: UserMessageSink>(
    out: &mut Out<'_, S>,
    head: &Head,
    data: &[u8],
    tsns: &[u32],
    acknowledged: bool,
) {
    let c = &mut out.cx.counters.sctp;
    c.messages += 1;
    c.message_octets += data.len() as u64;
    c.delivered_chunks += u64::from(head.chunks);
    if head.whole {
        c.whole += 1;
        c.fragmented += u64::from(head.chunks > 1);
    } else {
        c.incomplete += 1;
    }
    let message = UserMessage {
        direction: out.direction,
        src: SocketAddr::new(head.origin.src, out.flow.src(out.direction).port()),
        dst: SocketAddr::new(head.origin.dst, out.flow.dst(out.direction).port()),
        tag: head.origin.tag,
        stream: head.stream,
        seq: head.seq,
        ppid: head.ppid,
        unordered: head.unordered,
        interleaved: head.interleaved,
        tsn: low(head.first),
        tsns,
        chunks: head.chunks,
        data,
        len: head.len,
        whole: head.whole,
        missing: head.missing,
        frame: head.origin.frame,
        time: head.origin.time,
        acknowledged,
    };
    let mut at = AssociationContext {
        cx: out.cx,
        flow: out.flow,
        tags: out.tags,
        state: out.state,
    };
    out.sink.user_message(&mut at, &message);
}

impl Inflow {
    /// The 64-bit number of a TSN: the nearest to what is expected.
    fn unwrap(&self, tsn: u32) -> u64 {
        let ahead = Tsn(tsn).diff(Tsn(low(self.next)));
        self.next.saturating_add_signed(ahead.into())
    }

    /// Begins at a TSN, in a number above all that were used.
    fn rebase(&mut self, tsn: u32) {
        let epoch = (self.next.max(self.top) >> 32).saturating_add(2);
        self.started = true;
        self.next = (epoch << 32) | u64::from(tsn);
        self.base = self.next;
        self.top = self.next;
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
            || !self.unacked.is_empty()
            || self.jump.is_some()
            || !self.began.is_empty()
    }

    /// INIT or INIT ACK told the first TSN.
    pub(super) fn begin<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u32) {
        let fresh = self.started && self.top == self.base && self.look.is_none();
        if !self.started || (fresh && low(self.base) != tsn) {
            self.rebase(tsn);
        } else if self.look.is_some() {
            // Data was captured ahead of the handshake.
            let first = self.unwrap(tsn);
            if first > self.next || self.next - first > jump(&out.cx.limits) {
                return;
            }
            self.next = first;
            self.base = first;
            self.look = None;
        } else if !fresh {
            return;
        }
        self.first_seq = Some(0);
        self.advance(out);
    }

    /// An SSN/TSN reset moved the next TSN (RFC 6525, 5.2.4).
    pub(super) fn reset_tsn<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u32) {
        if self.started && low(self.next) != tsn {
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
        c: &Data<'_>,
        origin: Origin,
    ) -> Fate {
        if c.len == 0 {
            // RFC 9260, 3.3.10.9: the receiver aborts for "No User Data".
            dropped(out.cx, 1, 0);
            return Fate::Dropped;
        }
        if !self.started {
            self.rebase(c.tsn);
            if out.cx.limits.look_behind_segments > 0 {
                self.look = Some(Look {
                    since: out.cx.now,
                    chunks: 0,
                });
            }
        }
        let tsn = self.unwrap(c.tsn);
        let far = jump(&out.cx.limits);
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
        c: &Data<'_>,
        origin: Origin,
    ) -> Fate {
        let in_order = tsn == self.next && self.ranges.is_empty() && self.look.is_none();
        if in_order {
            self.next = tsn.saturating_add(1);
        } else if tsn < self.next && self.look.is_none() {
            return self.below(out, tsn);
        } else if !self.insert_range(tsn, out.cx.now) {
            out.cx.counters.sctp.duplicates += 1;
            return Fate::Duplicate;
        }
        let fate = if tsn < self.top {
            out.cx.counters.sctp.out_of_order += 1;
            Fate::OutOfOrder
        } else {
            Fate::Taken
        };
        self.top = self.top.max(tsn.saturating_add(1));
        if !self.damaged.is_empty() {
            self.forget_damaged(tsn);
        }
        if let Some(look) = &mut self.look {
            self.next = self.next.min(tsn);
            self.base = self.next;
            look.chunks += 1;
        }
        self.take(out, tsn, c, origin);
        if self.ranges.len() > MAX_RANGES {
            self.first_hole(out, GapCause::Holes);
        }
        if !in_order || !self.nothing_waits() {
            self.advance(out);
        }
        fate
    }

    /// A chunk below what is settled.
    fn below<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u64) -> Fate {
        let c = &mut out.cx.counters.sctp;
        if tsn < self.base {
            c.before_start += 1;
            return Fate::Dropped;
        }
        let i = self.given_up.partition_point(|g| g.1 <= tsn);
        let Some(&(start, end)) = self.given_up.get(i).filter(|g| g.0 <= tsn) else {
            c.duplicates += 1;
            return Fate::Duplicate;
        };
        c.late += 1;
        // A second copy of it will be a duplicate.
        self.given_up.remove(i);
        for part in [(tsn.saturating_add(1), end), (start, tsn)] {
            if part.0 < part.1 {
                self.given_up.insert(i, part);
            }
        }
        Fate::Dropped
    }

    /// Notes a TSN that cannot be handed on yet; false where it was there.
    fn insert_range(&mut self, tsn: u64, at: Instant) -> bool {
        let end = tsn.saturating_add(1);
        let i = self.ranges.partition_point(|r| r.end < tsn);
        // The first range that ends at or behind `tsn`.
        let Some(r) = self.ranges.get_mut(i) else {
            self.ranges.push_back(Range {
                start: tsn,
                end,
                at,
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
                    slot.end = next.end;
                    slot.at = r.at.min(next.at);
                }
            }
        } else if r.start == end {
            r.start = tsn;
        } else {
            self.ranges.insert(
                i,
                Range {
                    start: tsn,
                    end,
                    at,
                },
            );
        }
        true
    }

    /// The chunk's TSN is far from all others: a second one has to continue it.
    fn jumped<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        c: &Data<'_>,
        origin: Origin,
    ) -> Fate {
        let witness = match &self.jump {
            Some((_, tsn, _)) => Tsn(c.tsn).diff(Tsn(*tsn)),
            None => i32::MAX,
        };
        if witness == 0 {
            out.cx.counters.sctp.duplicates += 1;
            return Fate::Duplicate;
        }
        if witness.unsigned_abs() > JUMP_WITNESS.unsigned_abs() {
            self.end_jump(out);
            let f = Fragment::new(c, origin);
            self.octets += f.cost();
            self.chunks += 1;
            self.jump = Some((f, c.tsn, out.cx.now));
            return Fate::Taken;
        }
        let held = self.jump.take();
        self.finish(out, GapCause::Jump);
        out.cx.counters.sctp.tsn_restarts += 1;
        self.streams.clear();
        self.first_seq = None;
        let Some((f, tsn, _)) = held else {
            return Fate::Dropped;
        };
        self.octets -= f.cost();
        self.chunks -= 1;
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
        if f.begins && f.ends {
            // Above all numbers that can be acknowledged.
            let tsn = (u64::from(u32::MAX) << 32) | u64::from(tsn);
            self.tell_chunk(out, tsn, &f.as_data(tsn), f.origin);
        } else {
            dropped(out.cx, 1, f.data.len() as u64);
        }
    }

    /// Nothing waits and nothing is open.
    fn nothing_waits(&self) -> bool {
        self.ready.is_empty()
            && self.runs.is_empty()
            && self.gapped.is_empty()
            && self.evidence.is_empty()
            && self.resets.is_empty()
    }

    /// A message whose first chunk has this TSN may go now.
    fn turn(&self, stream: u16, seq: u32, unordered: bool, first: u64) -> bool {
        unordered || (first <= self.next && self.look.is_none()) || self.is_next(stream, seq, first)
    }

    /// An ordered message is the next of its stream by its number.
    fn is_next(&self, stream: u16, seq: u32, first: u64) -> bool {
        let expected = self.streams.get(&stream).map_or(self.first_seq, |s| s.next);
        expected == Some(seq)
            && self
                .resets
                .iter()
                .all(|r| first <= r.last || !(r.streams.is_empty() || r.streams.contains(&stream)))
    }

    /// Puts a new chunk where it belongs.
    fn take<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        tsn: u64,
        c: &Data<'_>,
        origin: Origin,
    ) {
        if !(c.begins && c.ends) {
            self.store(tsn, Fragment::new(c, origin));
            if c.interleaved {
                self.take_part(out, tsn, c);
            } else {
                self.take_row(out, tsn, c);
            }
        } else if self.turn(c.stream, c.seq, c.unordered, tsn) {
            if !c.unordered && tsn <= self.next && self.look.is_none() {
                // What is before it in its stream and will never be whole goes first.
                self.drain(out, tsn.saturating_add(1));
                if c.interleaved {
                    self.end_before(out, c.stream, c.seq);
                }
            }
            self.tell_chunk(out, tsn, c, origin);
            if !c.unordered {
                self.passed(out, c.stream, c.seq, c.interleaved);
            }
        } else {
            self.store(tsn, Fragment::new(c, origin));
            self.wait(c.stream, tsn, Ready::Row(tsn.saturating_add(1)));
        }
    }

    /// Tells of a message in one chunk.
    fn tell_chunk<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        tsn: u64,
        c: &Data<'_>,
        origin: Origin,
    ) {
        let head = Head {
            stream: c.stream,
            seq: c.seq,
            ppid: c.ppid,
            unordered: c.unordered,
            interleaved: c.interleaved,
            first: tsn,
            last: tsn,
            chunks: 1,
            len: Some(c.len as u64),
            whole: c.payload.len() == c.len,
            missing: Missing {
                end_seen: true,
                ..Missing::default()
            },
            origin,
        };
        self.tell(out, head, c.payload, &[]);
    }

    /// A message is whole and waits for its turn.
    fn wait(&mut self, stream: u16, first: u64, message: Ready) {
        self.ready.insert(first, message);
        let next = self.first_seq;
        let s = self.streams.entry(stream).or_insert_with(|| Stream {
            next,
            ready: BTreeSet::new(),
        });
        s.ready.insert(first);
    }

    /// An ordered message of this stream has been told: those behind it may follow.
    fn passed<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        stream: u16,
        seq: u32,
        interleaved: bool,
    ) {
        let s = self.streams.entry(stream).or_default();
        s.next = Some(behind(seq, interleaved));
        while let Some(&first) = self.streams.get(&stream).and_then(|s| s.ready.first()) {
            let seq = match self.ready.get(&first) {
                Some(Ready::Parts(key)) => key.mid,
                _ => self.fragments.get(&first).map_or(0, |f| f.seq),
            };
            // Not by its TSN: what is before it may be about to be told.
            if !self.is_next(stream, seq, first) {
                return;
            }
            let told = self.tell_ready(out, first);
            let s = self.streams.entry(stream).or_default();
            s.ready.remove(&first);
            s.next = told.map_or(s.next, |h| Some(behind(h.seq, h.interleaved)));
        }
    }

    /// Tells of a message that waited.
    fn tell_ready<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, first: u64) -> Option<Head> {
        let head = match self.ready.remove(&first)? {
            Ready::Row(end) => self.tell_row(out, first, end, Missing::default(), true),
            Ready::Parts(key) => self.tell_parts(out, key),
        }?;
        if let Some(s) = self.streams.get_mut(&head.stream) {
            s.ready.remove(&first);
        }
        Some(head)
    }

    fn store(&mut self, tsn: u64, f: Fragment) {
        self.octets += f.cost();
        self.chunks += 1;
        if let Some(old) = self.fragments.insert(tsn, f) {
            self.octets -= old.cost();
            self.chunks -= 1;
        }
    }

    fn unstore(&mut self, tsn: u64) -> Option<Fragment> {
        let f = self.fragments.remove(&tsn)?;
        self.octets -= f.cost();
        self.chunks -= 1;
        Some(f)
    }

    /// Both chunks belong to one DATA message.
    fn same_message(&self, a: u64, b: u64) -> bool {
        let (Some(a), Some(b)) = (self.fragments.get(&a), self.fragments.get(&b)) else {
            return false;
        };
        a.stream == b.stream
            && a.unordered == b.unordered
            && (a.unordered || a.seq == b.seq)
            && !a.interleaved
            && !b.interleaved
    }

    /// A part of a DATA message, which is already stored: joins what stands beside it.
    fn take_row<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u64, c: &Data<'_>) {
        let mut first = tsn;
        let mut run = Run {
            end: tsn.saturating_add(1),
            begins: c.begins,
            ends: c.ends,
        };
        if !c.begins {
            let left = self.runs.range(..tsn).next_back().map(|(s, r)| (*s, *r));
            if let Some((start, left)) = left
                && left.end == tsn
                && !left.ends
                && self.same_message(start, tsn)
            {
                self.runs.remove(&start);
                first = start;
                run.begins = left.begins;
            }
        }
        if !c.ends
            && let Some(&right) = self.runs.get(&run.end)
            && !right.begins
            && self.same_message(tsn, run.end)
        {
            self.runs.remove(&run.end);
            run.end = right.end;
            run.ends = right.ends;
        }
        if !(run.begins && run.ends) {
            self.runs.insert(first, run);
            return;
        }
        // The first chunk names the message.
        if self.turn(c.stream, c.seq, c.unordered, first) {
            if let Some(head) = self.tell_row(out, first, run.end, Missing::default(), true)
                && !head.unordered
            {
                self.passed(out, head.stream, head.seq, false);
            }
        } else {
            self.wait(c.stream, first, Ready::Row(run.end));
        }
    }

    /// A part of an I-DATA message, which is already stored.
    fn take_part<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u64, c: &Data<'_>) {
        let key = Key {
            stream: c.stream,
            unordered: c.unordered,
            mid: c.seq,
        };
        // A chunk with the B bit has the PPID where the others have their FSN (RFC 8260, 2.1).
        let fsn = if c.begins { 0 } else { c.ppid };
        if !self.interleaved.contains_key(&key) {
            if self.began.len() > 2 * self.interleaved.len() + 64 {
                let open = &self.interleaved;
                self.began.retain(|(_, _, key)| open.contains_key(key));
            }
            self.began.push_back((out.cx.now, self.losses, key));
        }
        let m = self.interleaved.entry(key).or_default();
        if m.whole || m.parts.contains_key(&fsn) || (fsn == 0 && !c.begins) {
            let lost = self.unstore(tsn).map_or(0, |f| f.data.len());
            dropped(out.cx, 1, lost as u64);
            self.drop_if_empty(key);
            return;
        }
        m.parts.insert(fsn, tsn);
        if c.ends {
            m.last = Some(fsn);
        }
        while m.parts.contains_key(&m.have) {
            m.have = m.have.saturating_add(1);
        }
        let gap = m.parts.range(m.have..).next().map(|(_, t)| *t);
        if gap != m.gap {
            if let Some(old) = m.gap {
                self.gapped.remove(&old);
            }
            m.gap = gap;
            if let Some(at) = gap {
                self.gapped.insert(at, key);
            }
        }
        if m.last.is_none_or(|last| m.have <= last) || gap.is_some() {
            return;
        }
        m.whole = true;
        let first = m.parts.get(&0).copied().unwrap_or(tsn);
        if self.turn(c.stream, c.seq, c.unordered, first) {
            if !c.unordered && first <= self.next {
                self.end_before(out, c.stream, c.seq);
            }
            if let Some(head) = self.tell_parts(out, key)
                && !head.unordered
            {
                self.passed(out, head.stream, head.seq, true);
            }
        } else {
            self.wait(c.stream, first, Ready::Parts(key));
        }
    }

    fn drop_if_empty(&mut self, key: Key) {
        if self
            .interleaved
            .get(&key)
            .is_some_and(|m| m.parts.is_empty())
        {
            self.interleaved.remove(&key);
        }
    }

    /// Ends the ordered I-DATA messages of a stream that are before this one: nothing more of them will come, as ordered
    /// messages of one stream are not interleaved (RFC 8260, 2.2.2).
    fn end_before<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, stream: u16, before: u32) {
        if self.interleaved.is_empty() {
            return;
        }
        let key = |mid| Key {
            stream,
            unordered: false,
            mid,
        };
        let from = before.wrapping_sub(1 << 31);
        let parts = if from <= before {
            [Some((from, before)), None]
        } else {
            [Some((from, u32::MAX)), Some((0, before))]
        };
        for (low, high) in parts.into_iter().flatten() {
            loop {
                let mut open = self.interleaved.range(key(low)..=key(high));
                let found = open.find(|(k, m)| k.mid != before && !m.whole);
                let Some(k) = found.map(|(k, _)| *k) else {
                    break;
                };
                self.tell_broken(out, k);
            }
        }
    }

    /// Moves on over what has been received, and tells what this sets free.
    fn advance<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        if self.look.is_some() {
            return;
        }
        while let Some(r) = self.ranges.front() {
            if r.start > self.next {
                break;
            }
            self.next = self.next.max(r.end);
            self.ranges.pop_front();
        }
        while let Some(i) = self.resets.iter().position(|r| r.last < self.next) {
            let reset = self.resets.remove(i);
            self.drain(out, reset.last.saturating_add(1));
            if reset.streams.is_empty() {
                let first = if reset.some { None } else { Some(0) };
                self.streams.values_mut().for_each(|s| s.next = first);
                self.first_seq = first;
            }
            for stream in reset.streams {
                self.streams.entry(stream).or_default().next = Some(0);
            }
        }
        self.drain(out, self.next);
        let next = self.next;
        self.evidence.retain(|e| e.end > next);
    }

    /// Tells, in the order of their TSNs, whole messages that begin before `upto`, and those that will never be whole
    /// because every TSN before `upto` is settled.
    fn drain<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, upto: u64) {
        loop {
            let ready = self.ready.first_key_value().map(|(t, _)| *t);
            let run = self.runs.first_key_value();
            let run = run.filter(|(_, r)| !r.begins || r.end < upto);
            let run = run.map(|(t, _)| *t);
            let gap = self.gapped.first_key_value().map(|(t, k)| (*t, *k));
            let first = [ready, run, gap.map(|g| g.0)];
            let Some(first) = first.into_iter().flatten().min().filter(|t| *t < upto) else {
                return;
            };
            if ready == Some(first) {
                let place = match self.ready.get(&first) {
                    Some(Ready::Parts(key)) => Some((key.stream, key.mid)),
                    _ => {
                        let f = self.fragments.get(&first);
                        f.filter(|f| f.interleaved).map(|f| (f.stream, f.seq))
                    }
                };
                if let Some((stream, mid)) = place {
                    self.end_before(out, stream, mid);
                }
                if let Some(head) = self.tell_ready(out, first) {
                    self.passed(out, head.stream, head.seq, head.interleaved);
                }
            } else if run == Some(first) {
                self.break_run(out, first);
            } else if let Some((at, key)) = gap {
                self.gapped.remove(&at);
                self.break_parts(out, key);
            }
        }
    }

    /// A row of DATA chunks that will not become a message: what is there of its beginning is told.
    fn break_run<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, first: u64) {
        let Some(run) = self.runs.remove(&first) else {
            return;
        };
        if !run.begins {
            for tsn in first..run.end {
                let octets = self.unstore(tsn).map_or(0, |f| f.data.len());
                dropped(out.cx, 1, octets as u64);
            }
            return;
        }
        let mut missing = Missing::default();
        let tail = self.runs.range(run.end..).next().map(|(s, r)| (*s, *r));
        if let Some((start, tail)) = tail
            && !tail.begins
            && self.same_message(first, start)
        {
            missing.chunks = start - run.end;
            missing.end_seen = tail.ends;
            missing.octets_behind = self
                .fragments
                .range(start..tail.end)
                .map(|(_, f)| f.data.len() as u64)
                .sum();
        }
        if let Some(head) = self.tell_row(out, first, run.end, missing, false)
            && !head.unordered
        {
            self.passed(out, head.stream, head.seq, false);
        }
    }

    /// An I-DATA message that will not be whole: what is there of its beginning is told, behind what is before it in its
    /// stream.
    fn break_parts<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, key: Key) {
        if !key.unordered {
            self.end_before(out, key.stream, key.mid);
        }
        self.tell_broken(out, key);
    }

    fn tell_broken<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, key: Key) {
        if let Some(head) = self.tell_parts(out, key)
            && !head.unordered
        {
            self.passed(out, head.stream, head.seq, true);
        }
    }

    /// Tells of the DATA chunks of a row as a message.
    fn tell_row<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        first: u64,
        end: u64,
        missing: Missing,
        ends: bool,
    ) -> Option<Head> {
        let parts = first..end;
        let mut parts = parts.filter_map(|t| self.unstore(t)).collect::<Vec<_>>();
        let last = end.saturating_sub(1);
        let mut head = message_head(&parts, first, last, ends)?;
        if !ends {
            head.missing = missing;
        }
        let data = join(&mut parts);
        self.tell(out, head, &data, &[]);
        Some(head)
    }

    /// Tells of an I-DATA message, whole or as far as its beginning is there.
    fn tell_parts<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, key: Key) -> Option<Head> {
        let m = self.interleaved.remove(&key)?;
        if let Some(gap) = m.gap {
            self.gapped.remove(&gap);
        }
        let mut parts = Vec::new();
        let mut missing = Missing {
            end_seen: m.last.is_some(),
            ..Missing::default()
        };
        let (mut first, mut last) = (0, 0);
        let mut tsns = Vec::new();
        for (&fsn, &tsn) in &m.parts {
            let Some(f) = self.unstore(tsn) else {
                continue;
            };
            if fsn < m.have {
                if parts.is_empty() {
                    first = tsn;
                }
                last = tsn;
                tsns.push(low(tsn));
                parts.push(f);
                continue;
            }
            if missing.octets_behind == 0 {
                missing.chunks = u64::from(fsn - m.have);
            }
            missing.octets_behind += f.data.len() as u64;
            dropped(out.cx, 1, f.data.len() as u64);
        }
        let mut head = message_head(&parts, first, last, m.whole)?;
        if !m.whole {
            head.missing = missing;
        }
        let data = join(&mut parts);
        if tsns.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 1) {
            tsns.clear();
        }
        self.tell(out, head, &data, &tsns);
        Some(head)
    }

    /// Hands a message on, or holds it for its acknowledgment.
    fn tell<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        head: Head,
        data: &[u8],
        tsns: &[u32],
    ) {
        let acknowledged = head.last < self.acked;
        if out.cx.limits.wait_ack && !(acknowledged && self.unacked.is_empty()) {
            self.octets += unacked_cost(data, tsns);
            self.chunks += head.chunks as usize;
            self.unacked.push_back(Unacked {
                head,
                data: data.to_vec(),
                tsns: tsns.to_vec(),
                since: out.cx.now,
            });
            return;
        }
        hand_on(out, &head, data, tsns, acknowledged);
    }

    /// Hands on what was held for its acknowledgment, as far as it has come or `all`.
    fn release<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, all: bool) {
        while let Some(u) = self.unacked.front() {
            let acknowledged = u.head.last < self.acked;
            let old = out.cx.now.since(u.since) >= out.cx.limits.sctp_packet_timeout;
            if !(acknowledged || old || all) {
                return;
            }
            if let Some(u) = self.unacked.pop_front() {
                self.octets -= unacked_cost(&u.data, &u.tsns);
                self.chunks -= u.head.chunks as usize;
                hand_on(out, &u.head, &u.data, &u.tsns, acknowledged);
            }
        }
    }

    fn forget_damaged(&mut self, tsn: u64) {
        if let Some(f) = self.damaged.remove(&tsn) {
            self.octets -= f.cost();
        }
    }

    /// A chunk of a packet with a wrong checksum: it is kept in case that nothing better comes.
    pub(super) fn damaged(&mut self, c: &Data<'_>, origin: Origin) {
        let tsn = self.unwrap(c.tsn);
        let i = self.ranges.partition_point(|r| r.end <= tsn);
        let known = tsn < self.next
            || tsn.abs_diff(self.next) > u64::from(u16::MAX)
            || self.ranges.get(i).is_some_and(|r| r.start <= tsn)
            || self.damaged.contains_key(&tsn);
        if self.started && !known && c.len > 0 && self.damaged.len() < MAX_DAMAGED {
            let f = Fragment::new(c, origin);
            self.octets += f.cost();
            self.damaged.insert(tsn, f);
        }
    }

    /// The receiver has everything up to `cumulative`, and the gap ack blocks behind it.
    pub(super) fn acknowledge<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        cumulative: u32,
        gaps: impl Iterator<Item = (u16, u16)>,
    ) {
        if !self.started {
            return;
        }
        let cumulative = self.unwrap(cumulative);
        let end = cumulative.saturating_add(1);
        if end.abs_diff(self.next) > jump(&out.cx.limits) {
            return;
        }
        self.acked = self.acked.max(end);
        if !self.unacked.is_empty() {
            self.release(out, false);
        }
        if self.look.is_some() {
            return;
        }
        if end > self.next {
            self.push_evidence(out, self.next, end, false);
        }
        if self.ranges.is_empty() && end >= self.top {
            return;
        }
        for (first, last) in gaps {
            let start = cumulative.saturating_add(first.into()).max(self.next);
            let end = cumulative.saturating_add(last.into()).saturating_add(1);
            let i = self.ranges.partition_point(|r| r.end <= start);
            let there = self
                .ranges
                .get(i)
                .is_some_and(|r| r.start <= start && end <= r.end);
            if start < end && !there {
                self.push_evidence(out, start, end, false);
            }
        }
    }

    /// The sender abandons every TSN up to this one (RFC 3758, 3.6).
    pub(super) fn forward<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u32) {
        let end = self.unwrap(tsn).saturating_add(1);
        if self.started && end > self.next && end - self.next <= jump(&out.cx.limits) {
            self.push_evidence(out, self.next, end, true);
        }
    }

    /// The sender's streams start anew behind this TSN.
    pub(super) fn reset_streams(&mut self, last: u32, streams: &[u8]) {
        let last = self.unwrap(last);
        if !self.started || self.resets.len() >= MAX_RESETS {
            return;
        }
        let some = streams.len() / 2 > MAX_RESET_STREAMS;
        let streams: Vec<u16> = streams
            .chunks_exact(2)
            .filter(|_| !some)
            .map(|b| u16::from_be_bytes([b[0], b[1]]))
            .collect();
        let known = |r: &Reset| r.last == last && r.streams == streams;
        if !self.resets.iter().any(known) && last.saturating_add(1) >= self.base {
            self.resets.push(Reset {
                last,
                streams,
                some,
            });
        }
    }

    fn push_evidence<S: UserMessageSink>(
        &mut self,
        out: &Out<'_, S>,
        start: u64,
        end: u64,
        forward: bool,
    ) {
        let known = |e: &Evidence| e.start <= start && end <= e.end && e.forward == forward;
        // When it is full, the next SACK will say the same again.
        if self.evidence.len() < MAX_EVIDENCE && !self.evidence.iter().any(known) {
            self.evidence.push_back(Evidence {
                start,
                end,
                at: out.cx.now,
                packets: out.packets,
                forward,
            });
        }
    }

    /// The reordering that is allowed for is over.
    fn window_over<S: UserMessageSink>(out: &Out<'_, S>, at: Instant, packets: u64) -> bool {
        let limits = &out.cx.limits;
        let age = out.cx.now.since(at);
        age >= limits.reorder_alone
            || (age >= limits.reorder_time
                && out.packets.saturating_sub(packets) >= u64::from(limits.reorder_packets))
    }

    /// Does what is due: after each packet of the association, and when time has gone by.
    pub(super) fn poll<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        if let Some(look) = self.look
            && (look.chunks >= out.cx.limits.look_behind_segments
                || out.cx.now.since(look.since) >= out.cx.limits.look_behind_time)
        {
            self.end_look(out);
        }
        if self.look.is_none() && (!self.ranges.is_empty() || !self.evidence.is_empty()) {
            self.give_up_due(out);
        }
        if !self.unacked.is_empty() {
            self.release(out, false);
        }
        if let Some((_, _, at)) = self.jump
            && out.cx.now.since(at) >= out.cx.limits.sctp_packet_timeout
        {
            self.end_jump(out);
        }
        while let Some(&(at, losses, key)) = self.began.front() {
            let open = self.interleaved.get(&key).is_some_and(|m| !m.whole);
            if open && out.cx.now.since(at) < patience(out) {
                break;
            }
            self.began.pop_front();
            if open && losses != self.losses {
                self.break_parts(out, key);
            } else if open {
                // Nothing was lost since: its sender is slow.
                self.began.push_back((out.cx.now, losses, key));
                break;
            }
        }
    }

    /// Gives up the holes that nobody will fill.
    fn give_up_due<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        loop {
            let first = self.ranges.front().copied();
            let due = self.evidence.iter().find(|e| {
                (e.start..e.end).contains(&self.next) && Self::window_over(out, e.at, e.packets)
            });
            let (upto, cause) = if let Some(e) = due {
                let end = first.map_or(e.end, |r| r.start.min(e.end));
                let cause = if e.forward {
                    None
                } else {
                    Some(GapCause::Acked)
                };
                (end, cause)
            } else if let Some(r) = first {
                if out.cx.now.since(r.at) >= patience(out) {
                    (r.start, Some(GapCause::Timeout))
                } else if self.octets > out.cx.limits.tcp_buffer {
                    (r.start, Some(GapCause::Buffer))
                } else {
                    return;
                }
            } else {
                return;
            };
            self.give_up(out, upto, cause);
        }
    }

    /// Gives up the first hole, if there is one; for a limit.
    pub(super) fn first_hole<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        cause: GapCause,
    ) -> bool {
        if self.look.is_some() {
            self.end_look(out);
            return true;
        }
        let Some(upto) = self.ranges.front().map(|r| r.start) else {
            return false;
        };
        self.give_up(out, upto, Some(cause));
        true
    }

    /// Gives up the TSNs up to `upto`; without a cause their sender has abandoned them.
    fn give_up<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        upto: u64,
        cause: Option<GapCause>,
    ) {
        let second = self.damaged.range(self.next..upto).next().map(|(t, _)| *t);
        if let Some(tsn) = second {
            if let Some(f) = self.damaged.remove(&tsn) {
                self.octets -= f.cost();
                let c = &mut out.cx.counters.sctp;
                c.damaged_used += 1;
                c.data_octets += f.data.len() as u64;
                if f.interleaved {
                    c.i_data_chunks += 1;
                } else {
                    c.data_chunks += 1;
                }
                self.accept(out, tsn, &f.as_data(tsn), f.origin);
            }
            return;
        }
        let lost = upto.saturating_sub(self.next);
        let c = &mut out.cx.counters.sctp;
        c.gaps += 1;
        match cause {
            None => c.abandoned_tsns += lost,
            Some(_) => c.lost_tsns += lost,
        }
        *match cause {
            None => &mut c.gaps_forward,
            Some(GapCause::Acked) => &mut c.gaps_acked,
            Some(GapCause::Closed) => &mut c.gaps_closed,
            Some(GapCause::Timeout) => &mut c.gaps_timeout,
            Some(GapCause::Buffer) => &mut c.gaps_buffer,
            Some(GapCause::Holes) => &mut c.gaps_holes,
            Some(GapCause::Memory) => &mut c.gaps_memory,
            Some(GapCause::End | GapCause::Snapped | GapCause::Jump) => &mut c.gaps_end,
        } += 1;
        let keep = if out.cx.limits.track_missing_chunks {
            MAX_GIVEN_UP_TRACKED
        } else {
            MAX_GIVEN_UP
        };
        if self.given_up.len() >= keep {
            self.given_up.pop_front();
        }
        self.given_up.push_back((self.next, upto));
        self.losses += 1;
        self.next = upto;
        self.top = self.top.max(upto);
        self.advance(out);
    }

    /// The wait for earlier chunks is over.
    fn end_look<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        self.look = None;
        self.base = self.next;
        self.advance(out);
        if self.acked > self.next {
            self.push_evidence(out, self.next, self.acked, false);
        }
    }

    /// Gives up every hole and tells all that waits.
    pub(super) fn finish<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, cause: GapCause) {
        if self.look.is_some() {
            self.end_look(out);
        }
        while let Some(upto) = self.ranges.front().map(|r| r.start) {
            self.give_up(out, upto, Some(cause));
        }
        while self.acked > self.next && self.started {
            self.give_up(out, self.acked, Some(cause));
        }
        self.drain(out, u64::MAX);
        let mut open: Vec<(Option<u64>, Key)> = self
            .interleaved
            .iter()
            .map(|(key, m)| (m.parts.values().next().copied(), *key))
            .collect();
        open.sort_unstable();
        for (_, key) in open {
            self.break_parts(out, key);
        }
        self.interleaved.clear();
        self.end_jump(out);
        while let Some((_, f)) = self.damaged.pop_first() {
            self.octets -= f.cost();
        }
        self.began.clear();
        self.resets.clear();
        self.evidence.clear();
        self.release(out, true);
    }

    /// When [`Inflow::poll`] has something to do without a packet.
    pub(super) fn deadline(&self, limits: &Limits, sacks: bool) -> Option<Instant> {
        let patience = if sacks {
            UNACKNOWLEDGED
        } else {
            limits.sctp_packet_timeout
        };
        let mut evidence = self.evidence.iter();
        let evidence = evidence.find(|e| (e.start..e.end).contains(&self.next));
        [
            self.look.map(|l| l.since.after(limits.look_behind_time)),
            evidence.map(|e| e.at.after(limits.reorder_alone)),
            self.ranges
                .front()
                .filter(|_| self.look.is_none())
                .map(|r| r.at.after(patience)),
            self.unacked
                .front()
                .map(|u| u.since.after(limits.sctp_packet_timeout)),
            self.jump
                .as_ref()
                .map(|j| j.2.after(limits.sctp_packet_timeout)),
            self.began.front().map(|b| b.0.after(patience)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Tells the budget, and the count of waiting chunks, what is allocated now.
    pub(super) fn settle(&mut self, cx: &mut Context, active: &mut usize) {
        let entries = self.runs.len() * (size_of::<(u64, Run)>() + ENTRY)
            + self.interleaved.len() * (size_of::<(Key, Interleaved)>() + ENTRY)
            + self.streams.len() * (size_of::<(u16, Stream)>() + ENTRY)
            + self.ranges.capacity() * size_of::<Range>()
            + self.evidence.capacity() * size_of::<Evidence>()
            + self.given_up.capacity() * size_of::<(u64, u64)>()
            + self.resets.len() * (size_of::<Reset>() + 2 * MAX_RESET_STREAMS)
            + self.began.capacity() * size_of::<(Instant, u64, Key)>();
        self.charge(cx, active, self.octets + entries, self.chunks);
    }

    /// Gives all of the budget back; the direction is dropped behind this.
    pub(super) fn discharge(&mut self, cx: &mut Context, active: &mut usize) {
        self.charge(cx, active, 0, 0);
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

    fn charge(&mut self, cx: &mut Context, active: &mut usize, octets: usize, chunks: usize) {
        if octets != self.charged {
            cx.budget.resize(self.charged, octets);
            self.charged = octets;
        }
        if chunks != self.counted {
            *active = active.saturating_sub(self.counted) + chunks;
            self.counted = chunks;
            cx.counters.sctp.waiting_chunks = *active as u64;
        }
    }
}

/// What the first chunk says of its message. None where there is no chunk.
fn message_head(parts: &[Fragment], first: u64, last: u64, ends: bool) -> Option<Head> {
    let f = parts.first()?;
    let cut = parts.iter().any(Fragment::is_cut);
    Some(Head {
        stream: f.stream,
        seq: f.seq,
        ppid: f.ppid,
        unordered: f.unordered,
        interleaved: f.interleaved,
        first,
        last,
        chunks: u32::try_from(parts.len()).unwrap_or(u32::MAX),
        len: ends.then(|| parts.iter().map(|p| u64::from(p.len)).sum()),
        whole: ends && !cut,
        missing: Missing {
            end_seen: ends,
            ..Missing::default()
        },
        origin: f.origin,
    })
}

/// The octets of chunks in a row, up to the first that was cut. Takes them out of the chunks.
fn join(parts: &mut [Fragment]) -> Vec<u8> {
    if let [only] = parts {
        return std::mem::take(&mut only.data).into_vec();
    }
    let mut data = Vec::with_capacity(parts.iter().map(|p| p.data.len()).sum());
    for p in parts {
        data.extend_from_slice(&p.data);
        if p.is_cut() {
            break;
        }
    }
    data
}
