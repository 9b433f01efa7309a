//! One connection: two streams, what waits on each, and when it is waited for no longer.

use super::LINGER;
use super::segment::{Segment, flags};
use super::waiting::{Item, Origin, Waiting};
use crate::capture::PacketInfo;
use crate::context::Context;
use crate::link::{LinkHeader, VlanTag};
use crate::serial::SeqNumber;
use crate::storage::{Budget, allocated};
use crate::time::{Instant, Timestamp};
use crate::trace::{Event, Fate, Overlaps, What};
use crate::transport::flow::{Direction, Flow, FlowKey, Transport};
use crate::transport::stream::{
    Chunk, Close, Duplicate, FlowState, Gap, GapCause, ORIGIN, Side, StreamContext, StreamSink,
    Taken,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::net::IpAddr;
use std::time::Duration;

/// Segments held while it is not known whether they belong to this connection or to a new one.
const HELD: usize = 32;
/// Octets held for that.
const HELD_OCTETS: usize = 128 << 10;
/// Payload further than this from the numbers of a connection that has ended begins a new one.
const FAR: u64 = 1 << 20;
/// How long a hole is waited for where acknowledgments are captured and none has passed it: TCP may still fill it.
const PATIENCE: Duration = Duration::from_secs(60);
/// A SYN captured later than this after the first data is no late one.
const LATE_SYN: Duration = Duration::from_secs(1);
/// Acknowledgments past missing octets that are remembered one by one.
const MARKS: usize = 16;
/// Connections that were used within so long of each other count as used at the same time.
const ORDER: Duration = Duration::from_millis(100);
/// Gaps that are remembered, so that late segments are known as such.
const GAPS: usize = 8;

/// What a segment is to the connection on its ports.
pub(super) enum Verdict {
    /// It belongs to the connection.
    Fits,
    /// It begins, or confirms, another connection on the same ports.
    Replace,
    /// It confirms that the stream goes on elsewhere: what was held and this segment follow a gap of unknown length.
    Restart,
    /// It is held until it is known where it belongs.
    Held,
    /// It belongs to nothing.
    Stray,
    /// It belongs to the connection, which has ended; its octets were there, or not.
    Over { known: bool },
}

/// What is always known of one direction; small, as there may be a million.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Half {
    /// Number of offset 0; means something with `BASED` or `HINT`.
    base: SeqNumber,
    /// What is known; the shift count for `window` stands in the uppermost four.
    bits: u16,
    /// Window that this direction's sender last offered, as in the segment.
    window: u16,
    /// Offset of the first octet.
    origin: u64,
    /// Delivered, or given up, to here.
    next: u64,
    /// End of the highest octet seen.
    high: u64,
    /// Highest offset that the other side acknowledged.
    acked: u64,
    /// Offset of the FIN, with `FIN`.
    fin: u64,
}

/// A packet of this direction was seen.
const SEEN: u16 = 1;
/// The base is known from a SYN or from data.
const BASED: u16 = 2;
/// The base is known from an acknowledgment, or a segment without data.
const HINT: u16 = 4;
/// The stream's SYN is known.
const SYN: u16 = 8;
/// Delivery has begun: the origin is fixed.
const STARTED: u16 = 16;
/// The FIN's place is known.
const FIN: u16 = 32;
/// The sink was told of the end.
const ENDED: u16 = 64;
/// The other side's acknowledgments are captured.
const ACKED: u16 = 128;
/// The direction was never seen and was given up once.
const ABSENT: u16 = 256;
/// A right checksum was seen.
const SUMMED: u16 = 512;
/// The stream's SYN was not captured, but the SYN-ACK that answers it: it tells where the stream begins.
const ANSWERED: u16 = 1024;

impl Default for Half {
    fn default() -> Self {
        Self {
            base: SeqNumber(0),
            bits: 0,
            window: 0,
            origin: ORIGIN,
            next: ORIGIN,
            high: ORIGIN,
            acked: 0,
            fin: 0,
        }
    }
}

impl Half {
    const fn is(&self, bit: u16) -> bool {
        self.bits & bit != 0
    }

    fn set(&mut self, bit: u16) {
        self.bits |= bit;
    }

    /// Shift count for the window that is offered.
    const fn scale(&self) -> u16 {
        self.bits >> 12
    }

    /// Sets it: 14 at most (RFC 7323, 2.3).
    fn set_scale(&mut self, shift: u8) {
        self.bits = self.bits & 0xfff | u16::from(shift) << 12;
    }

    /// The numbers of this direction are known.
    const fn numbered(&self) -> bool {
        self.is(BASED | HINT)
    }

    /// Offset of a number, the one nearest to what is delivered next.
    fn offset(&self, seq: SeqNumber) -> u64 {
        let here = self.base.add(low32(self.next));
        self.next.wrapping_add_signed(i64::from(seq.diff(here)))
    }

    /// Where the stream begins is known: nothing is looked for before it.
    fn begin(&mut self) {
        if !self.is(STARTED) {
            self.set(STARTED);
            self.next = self.origin.min(self.next);
            self.high = self.high.max(self.next);
        }
    }

    /// An offset, counted from the stream's first octet.
    const fn relative(&self, offset: u64) -> i64 {
        offset.wrapping_sub(self.origin).cast_signed()
    }

    /// Places the numbers: `seq` is at `offset`.
    fn place(&mut self, seq: SeqNumber, offset: u64) {
        self.base = seq.sub(low32(offset));
    }

    /// What data at `offset` would be: within reach, or a jump.
    fn reaches(&self, offset: u64, len: u64, max_gap: u32) -> bool {
        let top = self.high.max(self.next).max(self.acked);
        offset <= top.saturating_add(u64::from(max_gap))
            && offset + len + u64::from(max_gap) >= self.next
    }
}

/// Tells what becomes of a segment to those who trace it.
pub(super) fn tell_fate(
    cx: &mut Context,
    number: Option<u64>,
    s: &Segment<'_>,
    offset: Option<i64>,
    fate: Fate,
) {
    if cx.trace.is_on() {
        cx.trace.tell(&Event {
            frame: cx.packet.frame,
            time: cx.packet.time,
            transport: Transport::Tcp,
            number,
            src: s.src.into(),
            dst: s.dst.into(),
            what: What::Segment {
                flags: s.flags,
                offset,
                len: s.payload_len,
                fate,
            },
        });
    }
}

/// Identifiers of tags.
fn ids(tags: &[VlanTag; 2]) -> [u16; 2] {
    tags.map(VlanTag::id)
}

/// An offset as a number, modulo 2^32.
#[allow(clippy::cast_possible_truncation)]
pub(super) const fn low32(offset: u64) -> u32 {
    offset as u32
}

/// VLANs that are remembered of a connection, beside those of its first packets.
const VLANS: usize = 6;

/// Outer and inner VLANs, in order of first sight; those behind the last one are the last one again.
type Vlans = [[u16; 2]; VLANS];

/// A place in time for the reorder window: so many packets of the connection, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    packets: u64,
    at: Instant,
}

/// A segment that is kept whole until it is known where it belongs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Held {
    src: (IpAddr, u16),
    dst: (IpAddr, u16),
    seq: SeqNumber,
    ack: Option<SeqNumber>,
    flags: u8,
    window: u16,
    window_scale: Option<u8>,
    payload: Vec<u8>,
    payload_len: u32,
    packet: PacketInfo,
    arrived: Instant,
}

impl Held {
    fn new(cx: &Context, s: &Segment<'_>) -> Self {
        Self {
            src: s.src,
            dst: s.dst,
            seq: s.seq,
            ack: s.ack,
            flags: s.flags,
            window: s.window,
            window_scale: s.window_scale,
            payload: s.payload.to_vec(),
            payload_len: s.payload_len,
            packet: cx.packet,
            arrived: cx.now,
        }
    }

    /// The packet that it came in.
    pub(super) const fn packet(&self) -> PacketInfo {
        self.packet
    }

    pub(super) fn segment(&self) -> Segment<'_> {
        Segment {
            src: self.src,
            dst: self.dst,
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            window_scale: self.window_scale,
            payload_sum: None,
            payload: &self.payload,
            payload_len: self.payload_len,
        }
    }

    /// Number behind its last octet of data.
    pub(super) fn end(&self) -> SeqNumber {
        self.segment().data_seq().add(self.payload_len)
    }

    /// Which of these segments opens a connection that `by` is a part of: the SYN that comes closest before it, else the
    /// first one with a SYN, else the first one that is no RST.
    pub(super) fn opener(held: &[Self], by: Option<&Segment<'_>>) -> Option<usize> {
        let behind = |syn: &Self| {
            let by = by?;
            let at = if by.src == syn.src { by.seq } else { by.ack? };
            u32::try_from(at.diff(syn.seq.add(1))).ok()
        };
        let rank = |h: &Self| {
            let kind = match h.flags & (flags::SYN | flags::ACK | flags::RST) {
                f if f & flags::RST != 0 => return None,
                f if f & flags::SYN == 0 => 2,
                f if f & flags::ACK == 0 => 0,
                _ => 1,
            };
            let distance = if kind == 2 { None } else { behind(h) };
            Some((kind == 2, distance.is_none(), kind, distance))
        };
        let ranked = held.iter().enumerate();
        let ranked = ranked.filter_map(|(i, h)| Some((rank(h)?, i)));
        ranked.min().map(|(_, i)| i)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + allocated(self.payload.capacity())
    }
}

/// What few connections have.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Rare {
    /// Segments of which it is not known where they belong.
    held: Vec<Held>,
    /// Other VLANs that packets of it came on.
    vlans: Option<Vlans>,
}

/// What a connection has once there is payload.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + DeserializeOwned")]
struct Active<S> {
    flow: Flow,
    linked: [bool; 2],
    waiting: [Waiting; 2],
    /// Acknowledgments past octets that are not there: offset, and when it was first acknowledged.
    marks: [Vec<(u64, Mark)>; 2],
    /// Gaps that were told last.
    gaps: [Vec<(u64, u64)>; 2],
    /// The sink takes no more of this stream until the other one has come to this offset.
    blocked: [Option<u64>; 2],
    /// Look-behind: segments held, and since when.
    looking: [(u32, Option<Instant>); 2],
    /// When the highest acknowledgment was captured.
    acked_at: [Timestamp; 2],
    /// The first FIN, and when.
    finished: [Option<Mark>; 2],
    /// `--wait-ack`: octets before this offset are handed on without an acknowledgment.
    released: [u64; 2],
    /// Octets of damaged copies, which fill a hole only when it would be given up.
    damaged: Option<Box<[Waiting; 2]>>,
    state: S,
}

impl<S> Active<S> {
    /// The damaged copies of a stream.
    fn damaged(&self, i: usize) -> Option<&Waiting> {
        self.damaged.as_ref().and_then(|d| d.get(i))
    }

    /// The first damaged copy of a stream.
    fn first_damaged(&self, i: usize) -> Option<&Item> {
        self.damaged(i).and_then(Waiting::front)
    }

    /// Segments, or parts of them, that wait.
    fn len(&self) -> usize {
        let damaged = self.damaged.iter().flat_map(|d| d.iter());
        self.waiting.iter().chain(damaged).map(Waiting::len).sum()
    }

    /// Octets allocated for what waits on a stream.
    fn size(&self, i: usize) -> usize {
        self.waiting[i].size() + self.damaged(i).map_or(0, Waiting::size)
    }

    /// When the segment that has waited longest on a stream arrived.
    fn oldest(&mut self, i: usize) -> Option<Instant> {
        let damaged = self.damaged.as_mut().and_then(|d| d[i].oldest());
        let waiting = self.waiting[i].oldest();
        waiting.into_iter().chain(damaged).min()
    }
}

/// One connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + DeserializeOwned")]
pub(super) struct Connection<S> {
    number: u64,
    first: Instant,
    last: Instant,
    /// When it was last put in its place in the order of use, and in which order.
    listed: (Instant, u8),
    packets: u64,
    /// Power of two of the octets that wait, as it was last told.
    weight: u8,
    /// What it is armed for in the queue of deadlines.
    armed: Option<Instant>,
    halves: [Half; 2],
    forward_is_low: bool,
    reused: bool,
    closed: bool,
    /// VLAN tags of each direction's first packet.
    tags: [[VlanTag; 2]; 2],
    /// What few connections have.
    rare: Option<Box<Rare>>,
    /// A RST, and when.
    reset: Option<Mark>,
    active: Option<Box<Active<S>>>,
}

impl<S> Connection<S> {
    pub(super) fn new(number: u64, low: bool, reused: bool, now: Instant) -> Self {
        Self {
            number,
            first: now,
            last: now,
            listed: (now, 0),
            packets: 0,
            weight: 0,
            armed: None,
            halves: [Half::default(); 2],
            forward_is_low: low,
            reused,
            closed: false,
            tags: Default::default(),
            rare: None,
            reset: None,
            active: None,
        }
    }

    /// The first packet of this direction, or of the other one where none has come yet, had these tags: the common case.
    pub(super) fn is_on(&self, d: Direction, tags: &[VlanTag; 2]) -> bool {
        let seen = self.halves[d.index()].is(SEEN);
        let d = if seen { d } else { d.flip() };
        self.tags[d.index()] == *tags
    }

    /// Packets of it, in any direction, have come with these VLANs.
    pub(super) fn was_on(&self, vlans: [u16; 2]) -> bool {
        let first = self.halves.iter().zip(&self.tags);
        first
            .filter(|(half, _)| half.is(SEEN))
            .any(|(_, tags)| ids(tags) == vlans)
            || self
                .rare
                .as_ref()
                .and_then(|rare| rare.vlans)
                .is_some_and(|v| v.contains(&vlans))
    }

    /// The first packet of this direction had these VLANs, or none has come yet.
    pub(super) fn may_be_on(&self, d: Direction, vlans: [u16; 2]) -> bool {
        !self.halves[d.index()].is(SEEN) || ids(&self.tags[d.index()]) == vlans
    }

    /// Remembers on which VLANs a packet came.
    fn note(&mut self, d: Direction, tags: &[VlanTag; 2]) {
        let i = d.index();
        if !self.halves[i].is(SEEN) {
            self.halves[i].set(SEEN);
            self.tags[i] = *tags;
        } else if self.tags[i] != *tags && !self.was_on(ids(tags)) {
            let vlans = ids(tags);
            let rare = self.rare.get_or_insert_default();
            match &mut rare.vlans {
                None => rare.vlans = Some([vlans; VLANS]),
                Some(known) => {
                    let last = known[VLANS - 1];
                    if let Some(i) = known.iter().position(|v| *v == last) {
                        known[i + 1..].fill(vlans);
                    }
                }
            }
        }
    }

    /// The segment's numbers make it a copy, or a part, of this connection, whichever channel it came on.
    pub(super) fn belongs(&self, cx: &Context, d: Direction, s: &Segment<'_>) -> bool {
        let half = &self.halves[d.index()];
        if !s.has(flags::SYN) || s.has(flags::RST) || !half.numbered() {
            return self.fits(cx, d, s);
        }
        let offset = half.offset(s.data_seq());
        if half.is(SYN) {
            return offset == half.origin;
        }
        // Its own SYN, captured late; to be judged as on a channel that is known.
        offset <= half.origin && half.origin - offset <= u64::from(cx.limits.max_gap)
    }

    /// Direction of a packet whose sender is, or is not, the lower endpoint.
    pub(super) const fn direction(&self, low: bool) -> Direction {
        if low == self.forward_is_low {
            Direction::Forward
        } else {
            Direction::Reverse
        }
    }

    pub(super) const fn last_used(&self) -> Instant {
        self.last
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// A right checksum was seen in this direction.
    pub(super) const fn is_summed(&self, d: Direction) -> bool {
        self.halves[d.index()].is(SUMMED)
    }

    /// A right checksum is seen in this direction.
    pub(super) fn set_summed(&mut self, d: Direction) {
        self.halves[d.index()].set(SUMMED);
    }

    /// Segments, or parts of them, that wait.
    pub(super) fn waiting(&self) -> usize {
        self.active.as_ref().map_or(0, |a| a.len())
    }

    /// Segments of which it is not known where they belong.
    fn held(&self) -> &[Held] {
        self.rare.as_ref().map_or(&[], |rare| &rare.held)
    }

    /// Power of two of the octets that wait.
    fn class(&self) -> u8 {
        let octets = self.active.as_ref().map_or(0, |a| a.size(0) + a.size(1));
        u8::try_from(octets.checked_ilog2().unwrap_or(0)).unwrap_or(u8::MAX)
    }

    /// Weighs it anew.
    pub(super) fn weigh(&mut self) -> u8 {
        self.weight = self.class();
        self.weight
    }

    /// Its weight, where it has become more than was told before.
    pub(super) fn heavier(&mut self) -> Option<u8> {
        (self.class() > self.weight).then(|| self.weigh())
    }

    /// This is the weight that was last told.
    pub(super) const fn weighs(&self, class: u8) -> bool {
        self.weight == class
    }

    /// Nothing is allocated for it: it has had no data.
    pub(super) fn is_bare(&self) -> bool {
        self.active.is_none() && self.held().is_empty()
    }

    /// Only one side has been seen, and no data.
    pub(super) fn half_open(&self) -> bool {
        self.active.is_none() && !(self.halves[0].is(SEEN) && self.halves[1].is(SEEN))
    }

    /// Has to be put in its place in the order of use: that is done anew only after a while, as it costs more than all else
    /// that a packet needs where there are many connections.
    pub(super) fn is_listed_at(&mut self, now: Instant, list: u8) -> bool {
        let due = self.listed.1 != list || self.last.since(self.listed.0) >= ORDER;
        if due {
            self.listed = (now, list);
        }
        due
    }

    /// Arranges to be looked at; false where an earlier time is arranged already.
    pub(super) fn arm(&mut self, at: Instant) -> bool {
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            true
        } else {
            false
        }
    }

    /// The time has come; false where it is not the one that is arranged.
    pub(super) fn disarm(&mut self, at: Instant) -> bool {
        let mine = self.armed == Some(at);
        if mine {
            self.armed = None;
        }
        mine
    }

    /// It waits for this time at the latest.
    pub(super) fn is_armed_for(&self, at: Instant) -> bool {
        self.armed == Some(at)
    }

    /// The segments that were held, a SYN first.
    pub(super) fn take_held(&mut self, budget: &mut Budget) -> Vec<Held> {
        let Some(rare) = &mut self.rare else {
            return Vec::new();
        };
        let mut held = std::mem::take(&mut rare.held);
        held.sort_by_key(|h| h.flags & flags::SYN == 0);
        budget.give(held.iter().map(Held::size).sum());
        held
    }

    /// Something was held for so long that nothing will confirm it.
    pub(super) fn held_too_long(&self, cx: &Context) -> bool {
        self.held()
            .first()
            .is_some_and(|h| cx.now.since(h.arrived) >= cx.limits.tcp_packet_timeout)
    }

    /// Where a segment on this connection's ports belongs.
    pub(super) fn judge(&mut self, cx: &mut Context, d: Direction, s: &Segment<'_>) -> Verdict {
        if self.closed {
            return self.judge_late(cx, d, s);
        }
        let half = &self.halves[d.index()];
        let other = &self.halves[d.flip().index()];
        // A SYN with another number than the stream began with.
        if s.has(flags::SYN) && !s.has(flags::RST) && half.numbered() {
            let offset = half.offset(s.data_seq());
            if offset == half.origin && half.is(SYN) {
                return Verdict::Fits;
            }
            let young = cx.now.since(self.first) <= LATE_SYN;
            let own = !half.is(SYN)
                && young
                && offset <= half.origin
                && half.origin - offset <= u64::from(cx.limits.max_gap);
            if own || (half.is(HINT) && !half.is(BASED) && offset == ORIGIN) {
                return Verdict::Fits;
            }
            if self.active.is_none() && (self.half_open() || self.reset.is_some()) {
                // Nothing was ever answered, or it was refused: the new attempt takes the place of the old one.
                return Verdict::Replace;
            }
            // A SYN-ACK that answers the SYN that is held.
            if self.confirmed(cx, s) {
                return Verdict::Replace;
            }
            if !self
                .held()
                .iter()
                .any(|h| h.flags & flags::SYN != 0 && h.seq == s.seq)
            {
                self.hold(cx, s);
            }
            self.fate(cx, d, s, Fate::HeldSyn);
            return Verdict::Held;
        }
        if !self.held().is_empty() && self.confirmed(cx, s) {
            return Verdict::Replace;
        }
        let max_gap = cx.limits.max_gap;
        let len = u64::from(s.payload_len);
        let fits_seq = !half.numbered() || half.reaches(half.offset(s.data_seq()), len, max_gap);
        let fits_ack = match s.ack {
            Some(ack) if other.numbered() => other.reaches(other.offset(ack), 0, max_gap),
            _ => true,
        };
        if fits_seq && (fits_ack || len == 0) {
            // An acknowledgment that does not fit is looked at again where it is used.
            return if fits_ack || self.answers_syn(d, s) {
                Verdict::Fits
            } else {
                Verdict::Stray
            };
        }
        if s.has(flags::RST) || (len == 0 && self.held().is_empty()) {
            return if self.answers_syn(d, s) {
                Verdict::Fits
            } else {
                Verdict::Stray
            };
        }
        if fits_seq {
            // The data fits and its acknowledgment does not: the data is what counts.
            return Verdict::Fits;
        }
        let verdict = self.jump(cx, s, fits_ack);
        if matches!(verdict, Verdict::Held) {
            self.fate(cx, d, s, Fate::HeldJump);
        }
        verdict
    }

    /// A RST or an acknowledgment in answer to a SYN that nothing else of this side was seen of.
    fn answers_syn(&self, d: Direction, s: &Segment<'_>) -> bool {
        let other = &self.halves[d.flip().index()];
        other.is(SYN) && s.ack.is_some_and(|ack| other.offset(ack) == ORIGIN)
    }

    /// The numbers of a segment are those of this connection.
    pub(super) fn fits(&self, cx: &Context, d: Direction, s: &Segment<'_>) -> bool {
        let (half, other) = (&self.halves[d.index()], &self.halves[d.flip().index()]);
        let max_gap = cx.limits.max_gap;
        let offset = half.offset(s.data_seq());
        let own = if s.has(flags::SYN) {
            !half.is(SYN) || offset == half.origin
        } else {
            half.reaches(offset, u64::from(s.payload_len), max_gap)
        };
        let answer = s
            .ack
            .is_none_or(|ack| !other.numbered() || other.reaches(other.offset(ack), 0, max_gap));
        (!half.numbered() || own) && answer
    }

    /// A segment behind the end of the connection.
    fn judge_late(&self, cx: &Context, d: Direction, s: &Segment<'_>) -> Verdict {
        let half = &self.halves[d.index()];
        let ours = half.numbered() && self.fits(cx, d, s);
        let end = half.offset(s.data_seq()) + u64::from(s.payload_len);
        let over = if ours && (s.payload_len == 0 || end <= half.high) {
            Verdict::Over {
                known: !s.has(flags::RST),
            }
        } else {
            Verdict::Stray
        };
        if s.has(flags::RST) {
            return over;
        }
        if s.has(flags::SYN) {
            let again = half.is(SYN) && half.offset(s.data_seq()) == half.origin;
            // The SYN-ACK of the old connection comes again with the old SYN.
            return if again { over } else { Verdict::Replace };
        }
        if s.payload_len == 0 {
            return over;
        }
        if !half.numbered() || half.offset(s.seq).abs_diff(half.high.max(half.next)) > FAR {
            Verdict::Replace
        } else {
            over
        }
    }

    /// A jump that cannot be a hole: held until a second segment continues it.
    fn jump(&mut self, cx: &mut Context, s: &Segment<'_>, fits_ack: bool) -> Verdict {
        let continues = self.held().iter().any(|h| {
            let ahead = s.seq.diff(h.end());
            h.flags & flags::SYN == 0
                && h.src == s.src
                && h.payload_len > 0
                && (0..=1 << 16).contains(&ahead)
        });
        if continues && s.payload_len > 0 {
            let syn_held = self.held().iter().any(|h| h.flags & flags::SYN != 0);
            if !fits_ack || syn_held {
                return Verdict::Replace;
            }
            return Verdict::Restart;
        }
        self.hold(cx, s);
        Verdict::Held
    }

    fn hold(&mut self, cx: &mut Context, s: &Segment<'_>) {
        let held = &mut self.rare.get_or_insert_default().held;
        let mut octets: usize = held.iter().map(Held::size).sum();
        while held.len() >= HELD || (octets > HELD_OCTETS && !held.is_empty()) {
            let dropped = held.remove(0);
            octets -= dropped.size();
            cx.counters.tcp.refused_octets += dropped.payload.len() as u64;
            cx.budget.give(dropped.size());
        }
        let new = Held::new(cx, s);
        cx.budget.take(new.size());
        held.push(new);
    }

    /// A held SYN is answered, or followed, by this segment.
    fn confirmed(&self, cx: &Context, s: &Segment<'_>) -> bool {
        self.held()
            .iter()
            .filter(|h| h.flags & flags::SYN != 0)
            .any(|syn| {
                let first = syn.seq.add(1);
                if s.src == syn.src {
                    // Followed: behind the new number, and not what the old stream would send next.
                    let ahead = s.seq.diff(first);
                    let old = &self.halves[self.toward(s).index()];
                    let also_old = old.numbered() && old.offset(s.seq).abs_diff(old.high) <= FAR;
                    !s.has(flags::SYN)
                        && ahead >= 0
                        && ahead.unsigned_abs() <= cx.limits.max_gap
                        && (ahead == 0 || !also_old)
                } else {
                    let Some(ack) = s.ack else { return false };
                    let ahead = ack.diff(first);
                    let old = &self.halves[self.toward(s).flip().index()];
                    let also_old = old.numbered()
                        && old.offset(ack) <= old.high
                        && old.offset(ack) + FAR >= old.high;
                    ahead >= 0
                        && ahead.unsigned_abs() <= cx.limits.max_gap
                        && (ahead == 0 || !also_old)
                }
            })
    }

    /// Direction of a segment, by what is held of it.
    fn toward(&self, s: &Segment<'_>) -> Direction {
        let low = s.src <= s.dst;
        self.direction(low)
    }

    /// Tells what becomes of a segment to those who trace it.
    pub(super) fn fate(&self, cx: &mut Context, d: Direction, s: &Segment<'_>, fate: Fate) {
        if cx.trace.is_on() {
            let half = &self.halves[d.index()];
            let offset = half
                .numbered()
                .then(|| half.relative(half.offset(s.data_seq())));
            tell_fate(cx, Some(self.number), s, offset, fate);
        }
    }

    /// Tells what happened in a stream to those who trace it.
    fn tell(&self, cx: &mut Context, d: Direction, what: impl FnOnce(&Half) -> What) {
        if cx.trace.is_on()
            && let Some(a) = &self.active
        {
            cx.tell(&a.flow, d, what(&self.halves[d.index()]));
        }
    }

    /// How far a stream has been delivered or given up; 0 while it is being looked behind.
    fn delivered(&self, i: usize) -> u64 {
        let half = &self.halves[i];
        let looking = !half.is(STARTED)
            && self
                .active
                .as_ref()
                .is_some_and(|a| a.looking[i].1.is_some());
        if looking { 0 } else { half.next }
    }

    /// When the highest acknowledgment of a stream was captured.
    fn acked_at(&self, i: usize) -> Option<Timestamp> {
        self.active.as_ref().map(|a| a.acked_at[i])
    }

    /// When the other side acknowledged everything before an offset, if it has.
    fn acked_to(&self, i: usize, end: u64) -> Option<Timestamp> {
        let half = &self.halves[i];
        (half.is(ACKED) && half.acked >= end)
            .then(|| self.acked_at(i))
            .flatten()
    }

    /// `--wait-ack`: when the octets that are next in a stream, and wait for nothing else, are handed on without an
    /// acknowledgment. None where there are none, or they need not wait for one.
    fn unacked(&self, cx: &Context, i: usize) -> Option<Instant> {
        let (half, a) = (&self.halves[i], self.active.as_ref()?);
        let front = a.waiting[i].front()?;
        let waits = cx.limits.wait_ack
            && half.is(STARTED)
            && front.offset <= half.next
            && front.end() > half.acked.max(a.released[i]);
        waits.then(|| front.origin.arrived.after(cx.limits.tcp_packet_timeout))
    }

    fn sides(&self) -> [Side; 2] {
        let mut sides = self.halves.map(|h| Side {
            seen: h.is(SEEN),
            from_start: h.is(SYN | ANSWERED),
            absent: h.is(ABSENT),
            base: h.numbered().then_some(h.base),
            origin: h.origin,
            delivered: 0,
            acknowledged: h.is(ACKED).then_some(h.acked),
            acknowledged_at: None,
            ended: h.is(ENDED),
        });
        for (i, side) in sides.iter_mut().enumerate() {
            side.delivered = self.delivered(i);
            side.acknowledged_at = self.acked_at(i).filter(|_| side.acknowledged.is_some());
        }
        sides
    }
}

impl<S: FlowState> Connection<S> {
    /// Takes a segment that fits. True where nothing waits in the connection and nothing ends, so that there is nothing to
    /// look after.
    pub(super) fn take<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        d: Direction,
        s: &Segment<'_>,
        sink: &mut K,
    ) -> bool {
        self.packets += 1;
        self.last = cx.now;
        let (i, o) = (d.index(), d.flip().index());
        self.note(d, &cx.packet.link.tags);
        if self.halves[i].is(ANSWERED) {
            self.halves[i].begin();
        }
        self.halves[i].bits &= !ABSENT;
        self.halves[i].window = s.window;
        if s.has(flags::SYN) {
            if self.active.is_none() {
                // An attempt that was refused is made again with the same number.
                self.reset = None;
            }
            self.take_syn(d, s);
        }
        if let Some(a) = &mut self.active
            && !a.linked[i]
        {
            a.linked[i] = true;
            a.flow.links[i] = LinkHeader {
                tags: self.tags[i],
                ..cx.packet.link
            };
        }
        self.take_ack(cx, d, s);
        if s.has(flags::RST) {
            let counts = self.take_rst(cx, d, s);
            self.fate(cx, d, s, Fate::Reset(counts));
            cx.counters.tcp.refused_octets += s.payload.len() as u64;
        } else {
            if s.payload_len > 0 {
                self.take_data(cx, key, d, s, sink);
            } else {
                let other = &self.halves[o];
                let ack = s.ack.filter(|_| other.numbered());
                let ack = ack.map(|ack| other.relative(other.offset(ack)));
                self.fate(cx, d, s, Fate::Used { ack });
            }
            if s.has(flags::FIN) {
                self.take_fin(cx, key, d, s);
            }
        }
        let ends = self.reset.is_some() || self.halves.iter().any(|half| half.is(FIN));
        let quiet = match &self.active {
            None => !ends && self.held().is_empty(),
            // The common case: nothing waits, nothing ends.
            Some(a) => {
                a.waiting[0].is_empty()
                    && a.waiting[1].is_empty()
                    && a.damaged.is_none()
                    && a.blocked[i].is_none()
                    && a.blocked[o].is_none()
                    && !ends
                    && self.held().is_empty()
            }
        };
        if !quiet {
            self.settle(cx, sink);
        }
        quiet
    }

    fn take_syn(&mut self, d: Direction, s: &Segment<'_>) {
        let half = &mut self.halves[d.index()];
        if let Some(shift) = s.window_scale {
            half.set_scale(shift);
        }
        if half.is(SYN) {
            return;
        }
        let first = s.data_seq();
        if !half.numbered() {
            half.place(first, ORIGIN);
        } else if !half.is(STARTED) || (half.is(ANSWERED) && half.next == half.origin) {
            // Data, or an acknowledgment, came before its SYN. What that acknowledged may have been on the SYN.
            let offset = half.offset(first);
            half.origin = offset;
            half.next = offset;
        }
        half.set(SYN | BASED);
        half.begin();
    }

    fn take_ack(&mut self, cx: &Context, d: Direction, s: &Segment<'_>) {
        let Some(ack) = s.ack else { return };
        let packets = self.packets;
        let o = d.flip().index();
        let half = &mut self.halves[o];
        if !half.numbered() {
            if s.has(flags::RST) {
                return;
            }
            half.place(ack, ORIGIN);
            half.set(HINT);
        }
        let offset = half.offset(ack);
        if !half.reaches(offset, 0, cx.limits.max_gap) {
            return;
        }
        let before = self.active.as_ref().and_then(|a| a.waiting[o].front());
        let first = before.is_none_or(|item| offset <= item.offset);
        if s.has(flags::SYN) && !half.is(STARTED) && first {
            half.origin = offset;
            half.next = offset;
            half.set(ANSWERED | BASED);
            if half.is(SEEN) {
                half.begin();
            }
        }
        half.set(ACKED);
        if offset > half.acked {
            half.acked = offset;
            if let Some(a) = &mut self.active {
                a.acked_at[o] = cx.packet.time;
            }
            if offset > half.next
                && let Some(a) = &mut self.active
            {
                let marks = &mut a.marks[o];
                marks.retain(|(upto, _)| *upto > half.next);
                if marks.len() >= MARKS {
                    // What it told falls to the next later one: a hole is then waited for longer, never shorter.
                    marks.remove(MARKS - 2);
                }
                marks.push((
                    offset,
                    Mark {
                        packets,
                        at: cx.now,
                    },
                ));
            }
        }
    }

    /// Takes a RST; true where it counts.
    fn take_rst(&mut self, cx: &Context, d: Direction, s: &Segment<'_>) -> bool {
        let (half, other) = (&self.halves[d.index()], &self.halves[d.flip().index()]);
        let in_window =
            if half.numbered() && half.is(SEEN) && (half.is(BASED) || half.high > ORIGIN) {
                let offset = half.offset(s.seq);
                let shift = if other.is(SYN) { other.scale() } else { 14 };
                let window =
                    (u64::from(other.window) << shift).clamp(1 << 16, u64::from(cx.limits.max_gap));
                let low = if half.is(ACKED) {
                    half.acked.min(half.next)
                } else {
                    half.next
                };
                let top = half.high.max(half.acked).max(half.next);
                // A FIN takes a number too, and an acknowledgment may cover it.
                low <= offset + 1 && offset <= top.saturating_add(window)
            } else {
                self.answers_syn(d, s) || (half.numbered() && half.offset(s.seq) == ORIGIN)
            };
        if in_window && self.reset.is_none() {
            self.reset = Some(Mark {
                packets: self.packets,
                at: cx.now,
            });
        }
        in_window
    }

    fn take_fin(&mut self, cx: &mut Context, key: &FlowKey, d: Direction, s: &Segment<'_>) {
        let i = d.index();
        if !self.halves[i].numbered() {
            self.halves[i].place(s.seq, ORIGIN);
            self.halves[i].set(HINT);
        }
        let offset = self.halves[i].offset(s.data_seq()) + u64::from(s.payload_len);
        let half = &mut self.halves[i];
        if half.is(FIN) || (half.is(STARTED) && offset < half.next) {
            return;
        }
        half.set(FIN);
        half.fin = offset;
        if !half.is(STARTED) {
            let now = cx.now;
            let a = self.activate(cx, key, d);
            a.looking[i].1.get_or_insert(now);
        } else if offset > half.next {
            // Octets before it are missing, or wait.
            self.activate(cx, key, d);
        }
        if let Some(a) = &mut self.active {
            a.finished[i] = Some(Mark {
                packets: self.packets,
                at: cx.now,
            });
            cx.counters.tcp.abandoned_octets += a.waiting[i].truncate(&mut cx.budget, offset);
        }
    }

    fn activate(&mut self, cx: &mut Context, key: &FlowKey, d: Direction) -> &mut Active<S> {
        let (number, forward_is_low, reused) = (self.number, self.forward_is_low, self.reused);
        let (halves, tags) = (self.halves, &self.tags);
        let (packets, now) = (self.packets, cx.now);
        self.active.get_or_insert_with(|| {
            cx.budget.take(allocated(size_of::<Active<S>>()));
            let mut a = Box::new(Active {
                flow: Flow {
                    transport: Transport::Tcp,
                    number,
                    key: *key,
                    forward_is_low,
                    reused,
                    links: Default::default(),
                },
                linked: [false; 2],
                waiting: Default::default(),
                marks: Default::default(),
                gaps: Default::default(),
                blocked: [None; 2],
                looking: [(0, None); 2],
                acked_at: [cx.packet.time; 2],
                finished: halves.map(|half| half.is(FIN).then_some(Mark { packets, at: now })),
                released: [0; 2],
                damaged: None,
                state: S::default(),
            });
            let link = cx.packet.link;
            let (own, back) = (d.index(), d.flip().index());
            a.linked[own] = true;
            // Merged output carries the tags that were seen first.
            a.flow.links[own] = LinkHeader {
                tags: tags[own],
                ..link
            };
            a.flow.links[back] = LinkHeader {
                src: link.dst,
                dst: link.src,
                tags: tags[if halves[back].is(SEEN) { back } else { own }],
            };
            for (marks, half) in a.marks.iter_mut().zip(&halves) {
                if half.is(ACKED) && half.acked > half.next {
                    marks.push((half.acked, Mark { packets, at: now }));
                }
            }
            a
        })
    }

    /// Takes a segment's octets: delivered at once where they come next, else they wait.
    fn take_data<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        d: Direction,
        s: &Segment<'_>,
        sink: &mut K,
    ) {
        let i = d.index();
        self.activate(cx, key, d);
        let half = &mut self.halves[i];
        if !half.numbered() {
            half.place(s.data_seq(), ORIGIN);
        }
        half.set(BASED);
        let start = half.offset(s.data_seq());
        let mut data = s.payload;
        let mut lost = u64::from(s.payload_len) - data.len() as u64;
        let counters = &mut cx.counters.tcp;
        if half.is(FIN) && start + data.len() as u64 + lost > half.fin {
            // Data past the FIN.
            let keep = usize::try_from(half.fin.saturating_sub(start))
                .unwrap_or(usize::MAX)
                .min(data.len());
            counters.refused_octets += (data.len() - keep) as u64;
            data = &data[..keep];
            lost = lost.min(half.fin.saturating_sub(start + keep as u64));
            if keep == 0 && lost == 0 {
                self.fate(cx, d, s, Fate::BehindFin);
                return;
            }
        }
        let end = start + data.len() as u64 + lost;
        if s.payload_len == 1 && end == half.high && half.is(STARTED) {
            counters.keep_alives += 1;
            counters.duplicate_octets += data.len() as u64;
            self.fate(cx, d, s, Fate::KeepAlive);
            return;
        }
        let ack = s.ack.and_then(|ack| {
            let other = &self.halves[d.flip().index()];
            let offset = other.offset(ack);
            (other.numbered() && other.reaches(offset, 0, cx.limits.max_gap)).then_some(offset)
        });
        let origin = Origin {
            frame: cx.packet.frame,
            time: cx.packet.time,
            arrived: cx.now,
            ack,
            push: s.has(flags::PSH),
            shift: Origin::shift(cx.packet.data_at, start),
        };
        let half = &mut self.halves[i];
        let Some(a) = self.active.as_deref_mut() else {
            return;
        };
        let mut offset = start;
        if half.is(STARTED) {
            if end <= half.next {
                let len = data.len() as u64;
                let fate = self.count_old(cx, d, start, len);
                self.fate(cx, d, s, fate);
                if matches!(fate, Fate::Duplicate(_)) {
                    self.tell_duplicate(cx, d, start, len, false, sink);
                }
                return;
            }
            if start < half.next {
                // A retransmission that goes past what was delivered brings its new octets.
                let known = usize::try_from(half.next - start)
                    .unwrap_or(usize::MAX)
                    .min(data.len());
                counters.duplicate_octets += known as u64;
                counters.overlaps += 1;
                data = &data[known..];
                offset = half.next.max(start + known as u64);
                lost = end - offset - data.len() as u64;
            }
            half.high = half.high.max(end);
            let first_waiting = a.waiting[i].front().map(|item| item.offset);
            if offset == half.next
                && a.blocked[i].is_none()
                && lost == 0
                && !cx.limits.wait_ack
                && first_waiting.is_none_or(|front| front >= end)
            {
                cx.counters.tcp.accepted_octets += data.len() as u64;
                let chunk = Chunk {
                    offset,
                    data,
                    time: origin.time,
                    frame: origin.frame,
                    at: origin.at(offset),
                    ack,
                    push: origin.push,
                    ends_segment: true,
                    sum: s.payload_sum.filter(|_| data.len() == s.payload.len()),
                    acknowledged: (half.is(ACKED) && half.acked >= end).then_some(a.acked_at[i]),
                };
                let fate = match first_waiting {
                    Some(_) => Fate::Fills(Overlaps::default()),
                    None => Fate::InOrder {
                        known: offset - start,
                    },
                };
                self.fate(cx, d, s, fate);
                self.tell_duplicate(cx, d, start, offset - start, false, sink);
                let left = self.deliver(cx, d, chunk, sink);
                if left > 0
                    && let Some(a) = self.active.as_deref_mut()
                {
                    let rest = &data[data.len() - left..];
                    a.waiting[i].insert(
                        &mut cx.budget,
                        end - left as u64,
                        rest,
                        0,
                        origin,
                        cx.limits.overlap,
                    );
                }
                return;
            }
        } else {
            // Start in the middle: earlier ones may come a little late.
            half.high = half.high.max(end);
            let looking = &mut a.looking[i];
            looking.0 += 1;
            looking.1.get_or_insert(cx.now);
        }
        let in_order = cx.limits.wait_ack
            && half.is(STARTED)
            && (offset == half.next || a.waiting[i].contiguous(half.next) == Some(offset));
        let was_empty = a.waiting[i].is_empty();
        let behind_all = a.waiting[i].end().is_none_or(|last| offset >= last);
        let r = a.waiting[i].insert(
            &mut cx.budget,
            offset,
            data,
            lost,
            origin,
            cx.limits.overlap,
        );
        let counters = &mut cx.counters.tcp;
        counters.accepted_octets += r.new;
        counters.duplicate_octets += r.known;
        counters.conflicts += u64::from(r.conflict);
        if r.new == 0 && r.known > 0 {
            counters.retransmissions += 1;
        } else if r.known > 0 {
            counters.overlaps += 1;
        }
        let waits = (offset > half.next || !was_empty) && !in_order;
        counters.out_of_order += u64::from(waits && (r.new > 0 || lost > 0));
        counters.ack_held += u64::from(cx.limits.wait_ack && r.new > 0 && half.acked < end);
        if cx.trace.is_on() {
            let overlaps = Overlaps {
                known: offset - start + r.known,
                conflict: r.conflict,
            };
            let front = a.waiting[i].front().map_or(half.next, |item| item.offset);
            let fate = if !half.is(STARTED) {
                Fate::LookedBehind(overlaps)
            } else if r.new == 0 && lost == 0 {
                Fate::Duplicate(overlaps)
            } else if !in_order && (offset == half.next || !behind_all) {
                Fate::Fills(overlaps)
            } else if front > half.next {
                Fate::Waits {
                    hole: half.relative(half.next),
                    len: front - half.next,
                    overlaps,
                }
            } else if a.blocked[i].is_some() {
                Fate::WaitsForOther(overlaps)
            } else if in_order {
                Fate::WaitsForAck(overlaps)
            } else {
                Fate::InOrder {
                    known: overlaps.known,
                }
            };
            self.fate(cx, d, s, fate);
        }
        let known = offset - start + r.known;
        self.tell_duplicate(cx, d, start, known, r.conflict, sink);
    }

    /// Tells that `len` octets of a segment at `offset` were there before; none are nothing to tell.
    fn tell_duplicate<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        offset: u64,
        len: u64,
        conflict: bool,
        sink: &mut K,
    ) {
        if len == 0 {
            return;
        }
        let sides = self.sides();
        let Some(a) = self.active.as_deref_mut() else {
            return;
        };
        let mut at = StreamContext {
            cx,
            flow: &a.flow,
            sides: &sides,
            direction: d,
            state: &mut a.state,
        };
        let duplicate = Duplicate {
            offset,
            len,
            conflict,
        };
        sink.duplicate(&mut at, &duplicate);
    }

    /// Keeps the octets of a damaged segment as second choice. Nothing else of it is believed. True where octets were kept.
    pub(super) fn take_damaged(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        d: Direction,
        s: &Segment<'_>,
    ) -> bool {
        let (i, len) = (d.index(), s.payload.len() as u64);
        let half = &self.halves[i];
        let start = half.offset(s.data_seq());
        let known = half.is(STARTED) && start + len <= half.next;
        let past = half.is(FIN) && start + len > half.fin;
        let fits = half.numbered() && half.reaches(start, len, cx.limits.max_gap);
        if self.closed || s.has(flags::RST) || len == 0 || known || past || !fits {
            cx.counters.tcp.refused_octets += len;
            self.fate(cx, d, s, Fate::Damaged(false));
            return false;
        }
        let skip = if half.is(STARTED) {
            half.next.saturating_sub(start)
        } else {
            0
        };
        let origin = Origin {
            frame: cx.packet.frame,
            time: cx.packet.time,
            arrived: cx.now,
            ack: None,
            push: s.has(flags::PSH),
            shift: Origin::shift(cx.packet.data_at, start),
        };
        let data = usize::try_from(skip).ok().and_then(|n| s.payload.get(n..));
        let data = data.unwrap_or_default();
        let a = self.activate(cx, key, d);
        let mut damaged = a.damaged.take().unwrap_or_default();
        let offset = start + skip;
        let rule = crate::config::Overlap::First;
        let r = damaged[i].insert(&mut cx.budget, offset, data, 0, origin, rule);
        cx.counters.tcp.refused_octets += len - r.new;
        if !damaged[0].is_empty() || !damaged[1].is_empty() {
            a.damaged = Some(damaged);
        }
        self.fate(cx, d, s, Fate::Damaged(r.new > 0));
        r.new > 0
    }

    /// Drops the damaged copies of octets that have been delivered or given up.
    fn drop_damaged(&mut self, cx: &mut Context) {
        let Some(a) = self.active.as_deref_mut() else {
            return;
        };
        let Some(damaged) = &mut a.damaged else {
            return;
        };
        for (waiting, half) in damaged.iter_mut().zip(&self.halves) {
            if !half.is(STARTED) {
                continue;
            }
            while waiting.front().is_some_and(|item| item.offset < half.next) {
                let Some(item) = waiting.pop(&mut cx.budget) else {
                    break;
                };
                let len = item.data().len();
                let old = usize::try_from(half.next - item.offset).unwrap_or(len);
                cx.counters.tcp.refused_octets += old.min(len) as u64;
                if old < len {
                    waiting.put_back(&mut cx.budget, item, old);
                    break;
                }
            }
            if half.is(FIN) && half.next >= half.fin {
                cx.counters.tcp.refused_octets += waiting.truncate(&mut cx.budget, half.fin);
            }
        }
        if damaged[0].is_empty() && damaged[1].is_empty() {
            a.damaged = None;
        }
    }

    /// Fills the hole that is next in a stream, up to `upto`, with the damaged copy that begins it; false where there is
    /// none.
    fn use_damaged(&mut self, cx: &mut Context, d: Direction, upto: u64) -> bool {
        let i = d.index();
        let half = &self.halves[i];
        let Some(a) = self.active.as_deref_mut() else {
            return false;
        };
        let first = a.first_damaged(i).map(|item| item.offset);
        if first.is_none_or(|at| at >= upto || (half.is(STARTED) && at != half.next)) {
            return false;
        }
        let Some(damaged) = &mut a.damaged else {
            return false;
        };
        let Some(item) = damaged[i].pop(&mut cx.budget) else {
            return false;
        };
        let room = usize::try_from(upto.saturating_sub(item.offset)).unwrap_or(usize::MAX);
        let (now, rest) = item.data().split_at(room.min(item.data().len()));
        let r = a.waiting[i].insert(
            &mut cx.budget,
            item.offset,
            now,
            0,
            item.origin,
            crate::config::Overlap::First,
        );
        let counters = &mut cx.counters.tcp;
        counters.accepted_octets += r.new;
        counters.refused_octets += r.known;
        counters.damaged_used += 1;
        let (at, taken) = (item.offset, now.len());
        if rest.is_empty() {
            let half = &mut self.halves[i];
            half.set(BASED);
            half.high = half.high.max(item.offset + taken as u64);
            if !half.is(STARTED) {
                Self::start(half, &a.waiting[i]);
            }
        } else {
            damaged[i].put_back(&mut cx.budget, item, taken);
        }
        if damaged[0].is_empty() && damaged[1].is_empty() {
            a.damaged = None;
        }
        self.tell(cx, d, |half| What::DamagedUsed {
            offset: half.relative(at),
            len: taken as u64,
        });
        true
    }

    /// Counts a segment of which every octet is before what is delivered next, and says what it is.
    fn count_old(&self, cx: &mut Context, d: Direction, start: u64, len: u64) -> Fate {
        let half = &self.halves[d.index()];
        let counters = &mut cx.counters.tcp;
        let late = self.active.as_ref().is_some_and(|a| {
            a.gaps[d.index()]
                .iter()
                .any(|&(from, to)| start < to && start + len > from)
        });
        if late {
            counters.late += 1;
            counters.refused_octets += len;
            Fate::Late
        } else if start < half.origin && !half.is(SYN) {
            counters.before_start += 1;
            counters.refused_octets += len;
            Fate::BeforeStart
        } else {
            counters.retransmissions += 1;
            counters.duplicate_octets += len;
            Fate::Duplicate(Overlaps::default())
        }
    }

    /// Hands a chunk to the sink; gives the number of octets that it did not take.
    fn deliver<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        chunk: Chunk<'_>,
        sink: &mut K,
    ) -> usize {
        let i = d.index();
        let sides = self.sides();
        let Some(a) = self.active.as_deref_mut() else {
            return 0;
        };
        let mut at = StreamContext {
            cx,
            flow: &a.flow,
            sides: &sides,
            direction: d,
            state: &mut a.state,
        };
        let taken = match sink.data(&mut at, chunk) {
            Taken::All => chunk.data.len(),
            Taken::Wait { taken, until } => {
                let other = &sides[d.flip().index()];
                // A sink that waits for what has come already would wait for ever.
                if other.delivered >= until || other.ended || other.absent {
                    debug_assert!(false, "the sink waits for what it has");
                    chunk.data.len()
                } else {
                    a.blocked[i] = Some(until);
                    let taken = taken.min(chunk.data.len());
                    let offset = self.halves[i].relative(chunk.offset + taken as u64);
                    cx.tell(&a.flow, d, What::Blocked { offset });
                    taken
                }
            }
        };
        self.halves[i].next += taken as u64;
        cx.counters.tcp.delivered_octets += taken as u64;
        chunk.data.len() - taken
    }

    /// The stream's next octets are at hand and may be delivered.
    fn ready(&self, cx: &Context, d: Direction) -> bool {
        let (half, other) = (&self.halves[d.index()], &self.halves[d.flip().index()]);
        let Some(a) = &self.active else { return false };
        let front = half.is(STARTED)
            && a.waiting[d.index()]
                .front()
                .is_some_and(|item| item.offset <= half.next);
        front
            && self
                .unacked(cx, d.index())
                .is_none_or(|until| cx.now >= until)
            && a.blocked[d.index()].is_none_or(|until| {
                other.is(ENDED) || other.is(ABSENT) || self.delivered(d.flip().index()) >= until
            })
    }

    /// Delivers what can be delivered, in both directions; of two streams that are both ready, the one goes first that
    /// the other one acknowledges.
    fn pump<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        loop {
            let (f, r) = (
                self.ready(cx, Direction::Forward),
                self.ready(cx, Direction::Reverse),
            );
            let d = match (f, r) {
                (false, false) => return,
                (true, false) => Direction::Forward,
                (false, true) => Direction::Reverse,
                (true, true) => {
                    let Some(a) = &self.active else { return };
                    let (Some(ff), Some(rf)) = (a.waiting[0].front(), a.waiting[1].front()) else {
                        return;
                    };
                    let forward_needs = ff.origin.ack.is_some_and(|ack| ack > self.halves[1].next);
                    let reverse_needs = rf.origin.ack.is_some_and(|ack| ack > self.halves[0].next);
                    match (forward_needs, reverse_needs) {
                        (true, false) => Direction::Reverse,
                        (false, true) => Direction::Forward,
                        _ if ff.origin.frame <= rf.origin.frame => Direction::Forward,
                        _ => Direction::Reverse,
                    }
                }
            };
            let i = d.index();
            let Some(a) = self.active.as_deref_mut() else {
                return;
            };
            a.blocked[i] = None;
            let released = a.released[i];
            let Some(item) = a.waiting[i].pop(&mut cx.budget) else {
                return;
            };
            let acknowledged = self.acked_to(i, item.end());
            if cx.limits.wait_ack && acknowledged.is_none() {
                let forced = item.end() <= released;
                cx.counters.tcp.ack_forced += u64::from(forced);
                cx.counters.tcp.ack_timeout += u64::from(!forced);
            }
            if item.lost() > 0 {
                self.tell_gap(cx, d, Some(item.lost()), GapCause::Snapped, sink);
                continue;
            }
            let chunk = Chunk {
                offset: item.offset,
                data: item.data(),
                time: item.origin.time,
                frame: item.origin.frame,
                at: item.origin.at(item.offset),
                ack: item.origin.ack,
                push: item.origin.push && item.ends_segment,
                ends_segment: item.ends_segment,
                sum: None,
                acknowledged,
            };
            if item.origin.frame != cx.packet.frame {
                self.tell(cx, d, |half| What::Freed {
                    offset: half.relative(item.offset),
                    len: item.data().len() as u64,
                    from: item.origin.frame,
                });
            }
            let left = self.deliver(cx, d, chunk, sink);
            if left > 0
                && let Some(a) = self.active.as_deref_mut()
            {
                let taken = item.data().len() - left;
                a.waiting[i].put_back(&mut cx.budget, item, taken);
            }
        }
    }

    fn tell_gap<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        len: Option<u64>,
        cause: GapCause,
        sink: &mut K,
    ) {
        let i = d.index();
        let sides = self.sides();
        let Some(a) = self.active.as_deref_mut() else {
            return;
        };
        let known = len.unwrap_or(0);
        let c = &mut cx.counters.tcp;
        c.gaps += 1;
        c.lost_octets += known;
        match cause {
            GapCause::Acked => c.gaps_acked += 1,
            GapCause::Closed => c.gaps_closed += 1,
            GapCause::Timeout => c.gaps_timeout += 1,
            GapCause::Buffer => c.gaps_buffer += 1,
            GapCause::Holes => c.gaps_holes += 1,
            GapCause::Memory => c.gaps_memory += 1,
            GapCause::End => c.gaps_end += 1,
            GapCause::Snapped => c.gaps_snapped += 1,
            GapCause::Jump => c.restarts += 1,
        }
        let offset = self.halves[i].next;
        let what = What::Gap {
            offset: self.halves[i].relative(offset),
            len,
            cause,
        };
        cx.tell(&a.flow, d, what);
        if known > 0 {
            let gaps = &mut a.gaps[i];
            if gaps.len() >= GAPS {
                gaps.remove(0);
            }
            gaps.push((offset, offset + known));
        }
        let mut at = StreamContext {
            cx,
            flow: &a.flow,
            sides: &sides,
            direction: d,
            state: &mut a.state,
        };
        sink.gap(&mut at, Gap { offset, len, cause });
        self.halves[i].next += known;
        self.halves[i].high = self.halves[i].high.max(self.halves[i].next);
    }

    /// Does all that is due: starts streams, delivers, gives up holes, ends streams.
    pub(super) fn settle<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        loop {
            self.start_due(cx);
            self.pump(cx, sink);
            self.drop_damaged(cx);
            let mut due = None;
            for d in [Direction::Forward, Direction::Reverse] {
                due = due.or_else(|| self.due(cx, d).map(|(upto, cause)| (d, upto, cause)));
            }
            if let Some((d, upto, cause)) = due {
                self.give_up(cx, d, upto, cause, sink);
            } else if !self.waits_too_much(cx) || !self.give_up_one(cx, GapCause::Buffer, sink) {
                break;
            }
        }
        if self.is_reset(cx) {
            self.drain(cx, GapCause::Closed, sink);
        }
        self.end_streams(cx, None, sink);
    }

    /// There was a RST, and the data that was captured after it has come too.
    fn is_reset(&self, cx: &Context) -> bool {
        self.reset.is_some_and(|mark| self.window_passed(cx, mark))
    }

    /// Delivers all that waits, and gives up all holes.
    fn drain<K: StreamSink<State = S>>(&mut self, cx: &mut Context, cause: GapCause, sink: &mut K) {
        loop {
            self.pump(cx, sink);
            self.drop_damaged(cx);
            if !self.give_up_one(cx, cause, sink) {
                break;
            }
        }
    }

    /// Begins the delivery of streams that were captured from the middle, once they were looked behind.
    fn start_due(&mut self, cx: &mut Context) {
        let Some(a) = self.active.as_deref_mut() else {
            return;
        };
        for i in 0..2 {
            let (count, since) = a.looking[i];
            let long = since.is_some_and(|since| cx.now.since(since) >= cx.limits.look_behind_time);
            if !self.halves[i].is(STARTED)
                && since.is_some()
                && (count >= cx.limits.look_behind_segments || long)
            {
                Self::start(&mut self.halves[i], &a.waiting[i]);
                let d = [Direction::Forward, Direction::Reverse][i];
                cx.tell(&a.flow, d, What::Starts);
            }
        }
    }

    fn start(half: &mut Half, waiting: &Waiting) {
        let first = waiting
            .front()
            .map_or(if half.is(FIN) { half.fin } else { half.next }, |item| {
                item.offset
            });
        half.origin = first;
        half.next = first;
        half.high = half.high.max(first);
        half.set(STARTED);
    }

    /// End of the hole that is next in this stream: where octets wait, or where the other stream waits for it.
    fn hole(&self, d: Direction) -> Option<u64> {
        let a = self.active.as_deref()?;
        let half = &self.halves[d.index()];
        let unstarted = !half.is(STARTED) && a.looking[d.index()].1.is_some();
        if unstarted {
            return None;
        }
        let front = a.waiting[d.index()].front().map(|item| item.offset);
        // A demand can only be for what was acknowledged, up to the FIN.
        let demand = a.blocked[d.flip().index()].map(|until| {
            if half.is(FIN) {
                until.min(half.fin)
            } else {
                until
            }
        });
        // What lacks before a FIN is a hole too, with nothing behind it.
        let fin = half.is(FIN).then_some(half.fin);
        // Octets of which only a damaged copy is there are a hole of their own.
        let damaged = a.first_damaged(d.index()).map(|item| {
            let (from, to) = (item.offset, item.offset + item.data().len() as u64);
            if from > half.next && half.is(STARTED) {
                from
            } else {
                to
            }
        });
        let end = [front, demand, fin, damaged].into_iter().flatten().min()?;
        (end > half.next && !half.is(ENDED)).then_some(end)
    }

    /// The hole that is to be given up now in this stream: its end, and why.
    fn due(&mut self, cx: &Context, d: Direction) -> Option<(u64, GapCause)> {
        let i = d.index();
        let end = self.hole(d)?;
        let a = self.active.as_deref_mut()?;
        let half = &self.halves[i];
        let (oldest, finished) = (a.oldest(i), a.finished[i]);
        if a.size(i) > cx.limits.tcp_buffer {
            return Some((end, GapCause::Buffer));
        }
        if a.waiting[i].runs() > cx.limits.tcp_holes {
            return Some((end, GapCause::Holes));
        }
        let acked = a.marks[i]
            .iter()
            .find(|(upto, _)| *upto >= end)
            .map(|(_, mark)| *mark);
        if acked.is_some_and(|mark| self.window_passed(cx, mark)) {
            return Some((end, GapCause::Acked));
        }
        let over = [finished, self.reset];
        if over
            .into_iter()
            .flatten()
            .any(|mark| self.window_passed(cx, mark))
        {
            return Some((end, GapCause::Closed));
        }
        let patience = if half.is(ACKED) {
            PATIENCE.max(cx.limits.tcp_packet_timeout)
        } else {
            cx.limits.tcp_packet_timeout
        };
        if oldest.is_some_and(|t| cx.now.since(t) >= patience) {
            return Some((end, GapCause::Timeout));
        }
        None
    }

    /// A stream waits for the other one, with more octets than may wait.
    fn waits_too_much(&self, cx: &Context) -> bool {
        self.active
            .as_ref()
            .is_some_and(|a| a.size(0).max(a.size(1)) > cx.limits.tcp_buffer)
    }

    /// The reorder window has gone by since.
    fn window_passed(&self, cx: &Context, since: Mark) -> bool {
        let gone = cx.now.since(since.at);
        let packets = self.packets - since.packets;
        gone >= cx.limits.reorder_alone
            || (gone >= cx.limits.reorder_time && packets >= u64::from(cx.limits.reorder_packets))
    }

    fn give_up<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        upto: u64,
        cause: GapCause,
        sink: &mut K,
    ) {
        if self.use_damaged(cx, d, upto) {
            return;
        }
        let half = &mut self.halves[d.index()];
        if !half.is(STARTED) {
            // Nothing of this direction was ever captured: there is no stream to have a gap.
            half.set(ABSENT);
            half.next = upto;
            half.high = half.high.max(upto);
            return;
        }
        let len = upto - half.next;
        self.tell_gap(cx, d, Some(len), cause, sink);
    }

    /// Tells the end of streams that have come to it, or of both with `close`.
    fn end_streams<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        close: Option<Close>,
        sink: &mut K,
    ) {
        if self.active.is_none() {
            return;
        }
        let close = close.or(self.is_reset(cx).then_some(Close::Reset));
        for d in [Direction::Forward, Direction::Reverse] {
            let i = d.index();
            let half = &self.halves[i];
            let at_fin = half.is(FIN) && half.is(STARTED) && half.next >= half.fin;
            if half.is(ENDED) || !(at_fin || close.is_some()) {
                continue;
            }
            let how = if at_fin {
                Close::Fin
            } else {
                close.unwrap_or(Close::Fin)
            };
            let sides = self.sides();
            self.halves[i].set(ENDED);
            let Some(a) = self.active.as_deref_mut() else {
                continue;
            };
            let mut at = StreamContext {
                cx,
                flow: &a.flow,
                sides: &sides,
                direction: d,
                state: &mut a.state,
            };
            at.cx.tell(at.flow, d, What::StreamEnds(how));
            sink.end(&mut at, how);
            // The other stream may have waited for this end.
            self.pump(cx, sink);
        }
    }

    /// Both streams have ended.
    pub(super) fn has_ended(&self, cx: &Context) -> bool {
        if self.closed {
            return false;
        }
        if self.active.is_some() {
            return self.halves.iter().all(|h| h.is(ENDED));
        }
        // Without data there is nothing to end, and what comes behind a RST is still taken.
        let reset = self
            .reset
            .is_some_and(|mark| cx.now.since(mark.at) >= LINGER);
        reset || self.halves.iter().all(|h| h.is(FIN))
    }

    /// A RST has ended it, or is about to.
    pub(super) const fn was_reset(&self) -> bool {
        self.reset.is_some()
    }

    /// How a connection ended by itself.
    pub(super) fn ending(&self) -> Close {
        if self.reset.is_some() {
            Close::Reset
        } else {
            Close::Fin
        }
    }

    /// Gives up the first hole, or ends a wait, for want of room; false where there is none.
    pub(super) fn force<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        cause: GapCause,
        sink: &mut K,
    ) -> bool {
        let found = self.give_up_one(cx, cause, sink);
        self.settle(cx, sink);
        found
    }

    /// Makes the next waiting octets of either stream deliverable; false when nothing waits.
    fn give_up_one<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        cause: GapCause,
        sink: &mut K,
    ) -> bool {
        let Some(a) = self.active.as_deref_mut() else {
            return false;
        };
        for i in 0..2 {
            if !self.halves[i].is(STARTED) && a.looking[i].1.is_some() {
                Self::start(&mut self.halves[i], &a.waiting[i]);
                return true;
            }
        }
        // Octets that wait for their acknowledgment only are lost by nobody.
        let waits = |i: &usize| self.unacked(cx, *i).is_some();
        let front = |i: usize| self.active.as_ref().and_then(|a| a.waiting[i].front());
        let frame_of = |i: &usize| front(*i).map(|item| item.origin.frame);
        if let Some(i) = (0..2).filter(waits).min_by_key(frame_of)
            && let Some(end) = front(i).map(Item::end)
            && let Some(a) = self.active.as_deref_mut()
        {
            a.released[i] = end;
            return true;
        }
        // The hole with the octets that were captured first behind it.
        let holes =
            [Direction::Forward, Direction::Reverse].map(|d| self.hole(d).map(|end| (d, end)));
        let frame = |d: Direction| {
            let front = self
                .active
                .as_ref()
                .and_then(|a| a.waiting[d.index()].front());
            front.map_or(u64::MAX, |item| item.origin.frame)
        };
        let first = holes.into_iter().flatten().min_by_key(|(d, _)| frame(*d));
        if let Some((d, end)) = first {
            self.give_up(cx, d, end, cause, sink);
            return true;
        }
        // Nothing is missing, and still something waits: what it waits for will not come.
        let Some(a) = self.active.as_deref_mut() else {
            return false;
        };
        for i in 0..2 {
            if a.blocked[i].is_some() && !a.waiting[i].is_empty() {
                self.halves[1 - i].set(ABSENT);
                a.blocked[i] = None;
                return true;
            }
        }
        false
    }

    /// The stream goes on at another number: a gap of unknown length.
    pub(super) fn restart<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        seq: SeqNumber,
        sink: &mut K,
    ) {
        let i = d.index();
        while self
            .active
            .as_ref()
            .is_some_and(|a| !a.waiting[i].is_empty())
            && self.give_up_one(cx, GapCause::Jump, sink)
        {
            self.pump(cx, sink);
        }
        if let Some(a) = self.active.as_deref_mut() {
            a.finished[i] = None;
            a.marks[i].clear();
            a.gaps[i].clear();
            if let Some(damaged) = &mut a.damaged {
                cx.counters.tcp.refused_octets += damaged[i].truncate(&mut cx.budget, 0);
            }
        }
        let half = &mut self.halves[i];
        half.bits &= !FIN;
        let next = half.next.max(half.high);
        half.next = next;
        half.high = next;
        half.acked = half.acked.min(next);
        self.tell_gap(cx, d, None, GapCause::Jump, sink);
        self.halves[i].place(seq, next);
    }

    /// Flushes both streams and ends them.
    pub(super) fn close<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        close: Close,
        sink: &mut K,
    ) {
        let cause = match close {
            Close::Evicted => GapCause::Memory,
            Close::Fin | Close::Reset => GapCause::Closed,
            Close::Idle | Close::Replaced | Close::EndOfInput => GapCause::End,
        };
        self.closed = true;
        if self.active.is_none() {
            return;
        }
        self.drain(cx, cause, sink);
        self.end_streams(cx, Some(close), sink);
        let sides = self.sides();
        if let Some(mut a) = self.active.take() {
            for waiting in a.damaged.iter_mut().flat_map(|d| d.iter_mut()) {
                cx.counters.tcp.refused_octets += waiting.truncate(&mut cx.budget, 0);
            }
            for waiting in &mut a.waiting {
                while let Some(item) = waiting.pop(&mut cx.budget) {
                    cx.counters.tcp.abandoned_octets += item.data().len() as u64;
                }
            }
            let mut at = StreamContext {
                cx,
                flow: &a.flow,
                sides: &sides,
                direction: Direction::Forward,
                state: &mut a.state,
            };
            at.cx.tell(at.flow, Direction::Forward, What::Ends(close));
            sink.closed(&mut at, close);
            cx.budget.give(allocated(size_of::<Active<S>>()));
        }
    }

    /// When this connection has to be looked at though no packet comes.
    pub(super) fn wake(&mut self, cx: &Context) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let mut at: Option<Instant> = None;
        let mut by = |t: Instant| at = Some(at.map_or(t, |a| a.min(t)));
        if let Some(reset) = self.reset {
            by(reset.at.after(if self.active.is_some() {
                cx.limits.reorder_alone
            } else {
                LINGER
            }));
        }
        if let Some(first) = self.held().first() {
            by(first.arrived.after(cx.limits.tcp_packet_timeout));
        }
        for until in [self.unacked(cx, 0), self.unacked(cx, 1)] {
            until.into_iter().for_each(&mut by);
        }
        let holes = [self.hole(Direction::Forward), self.hole(Direction::Reverse)];
        if let Some(a) = self.active.as_deref_mut() {
            for d in [Direction::Forward, Direction::Reverse] {
                let i = d.index();
                let half = &self.halves[i];
                if !half.is(STARTED)
                    && let Some(since) = a.looking[i].1
                {
                    by(since.after(cx.limits.look_behind_time));
                }
                if let Some(end) = holes[i] {
                    if let Some((_, mark)) = a.marks[i].iter().find(|(upto, _)| *upto >= end) {
                        by(mark.at.after(cx.limits.reorder_alone));
                    }
                    if let Some(mark) = a.finished[i] {
                        by(mark.at.after(cx.limits.reorder_alone));
                    }
                    let patience = if half.is(ACKED) {
                        PATIENCE.max(cx.limits.tcp_packet_timeout)
                    } else {
                        cx.limits.tcp_packet_timeout
                    };
                    if let Some(t) = a.oldest(i) {
                        by(t.after(patience));
                    }
                }
            }
        }
        at
    }
}

/// There may be a million of them.
const _: () = assert!(size_of::<Connection<()>>() <= 216);

#[cfg(test)]
impl<S> Connection<S> {
    /// Panics unless what waits agrees with its sums; gives the octets that wait.
    pub(super) fn invariants(&self) -> super::testing::Waits {
        let mut waits = super::testing::Waits {
            waiting: 0,
            judged: self.held().iter().map(|h| h.payload.len() as u64).sum(),
        };
        if let Some(a) = &self.active {
            for damaged in a.damaged.iter().flat_map(|d| d.iter()) {
                damaged.invariants();
                waits.judged += damaged.octets();
            }
            for (waiting, half) in a.waiting.iter().zip(&self.halves) {
                waiting.invariants();
                waits.waiting += waiting.octets();
                let front = waiting.front().map(|item| item.offset);
                assert!(!half.is(STARTED) || front.is_none_or(|front| front >= half.next));
                assert!(half.next <= half.high);
            }
        }
        waits
    }
}
