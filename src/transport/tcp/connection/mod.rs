//! One connection: two streams, what waits on each, and when it is waited for no longer.
//!
//! ```text
//!  segment ─> channels, classify ─┬─> receive ─> Waiting ──> deliver ─> sink
//!             is it of this    └─> held       ^  ^
//!             connection?                     │  └─ give_up: holes, time, room
//!                                          damaged
//! ```
//!
//! The state stands here, with what every part asks of it; `stream` is what is always known of one direction. Each part
//! adds the methods for its step. `compact` is the form in which a connection without data is kept between packets, `packed` that
//! of one with data where there are many.

mod behind;
mod channels;
mod classify;
mod compact;
mod damaged;
mod deliver;
mod give_up;
mod held;
mod held_segment;
mod other_channels;
mod packed;
mod receive;
mod recent;
mod stream_state;

pub(super) use behind::Behind;
pub(super) use classify::Verdict;
pub(super) use compact::{CompactConnection, HalfOpenConnection};
pub(super) use held_segment::HeldSegment;
pub(super) use packed::PackedConnection;

use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, FlowKey, Transport};
use crate::base::packet::{LinkHeader, VlanTag};
use crate::base::serial::SeqNumber;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::{Close, FlowState, Side};
use crate::base::time::{Instant, Timestamp};
use crate::base::trace::{Event, EventKind, Fate};
use crate::transport::datagram::{EndedFlow, FlowTotals};
use crate::transport::stream::{StreamContext, StreamSink};
use crate::transport::tcp::order::LINGER;
use crate::transport::tcp::segment::Segment;
use crate::transport::tcp::waiting::{BufferedPart, ReorderBuffer};
use other_channels::OtherChannels;
use recent::RecentSums;
use std::net::IpAddr;
use std::time::Duration;
use stream_state::{ACKED, CHECKSUMS_VALID, ENDED, FIN, SEEN, StreamState};

/// Connections that were used within so long of each other count as used at the same time: far below any idle limit, and
/// a busy connection is moved in the list ten times a second instead of with each packet.
const ORDER: Duration = Duration::from_millis(100);

/// Segments that nothing confirmed and that are remembered, so that copies are known. A copy by another tap follows at once,
/// a retransmission before many others that nothing confirms.
const ALONE: usize = 4;

/// One connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + serde::de::DeserializeOwned")]
pub(super) struct Connection<S> {
    number: u64,
    first: Instant,
    last: Instant,
    /// When it was last put in its place in the order of use, and in which order.
    listed: (Instant, u8),
    packets: u64,
    /// Those of them that came in the forward direction.
    forward_packets: u64,
    /// Power of two of the octets that wait, as it was last queued.
    weight: u8,
    /// What it is armed for in the queue of deadlines.
    armed: Option<Instant>,
    streams: [StreamState; 2],
    forward_is_low: bool,
    reused: bool,
    closed: bool,
    /// It could not be made compact.
    kept_whole: bool,
    /// VLAN tags of each direction's first packet.
    tags: [[VlanTag; 2]; 2],
    /// The tunnels that they came through.
    tunnels: [u32; 2],
    /// What few connections have.
    extras: Option<Box<Extras>>,
    /// A RST, and when.
    reset: Option<Mark>,
    buffers: Option<Box<Buffers<S>>>,
}

/// Octets that were held until they became a connection of their own: their sender, the first one's number, how many.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct StoodAlone {
    src: (IpAddr, u16),
    seq: SeqNumber,
    len: u32,
}

/// What few connections have.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Extras {
    /// Segments of which it is not known where they belong.
    held: Vec<HeldSegment>,
    /// Other channels that packets of it came on.
    channels: Option<OtherChannels>,
    /// The last segments that were held and have become connections of their own. A copy of one is
    /// no second one.
    alone: [Option<StoodAlone>; ALONE],
}

/// What a connection has once there is payload.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + serde::de::DeserializeOwned")]
struct Buffers<S> {
    flow: Flow,
    linked: [bool; 2],
    waiting: [ReorderBuffer; 2],
    /// Acknowledgments past octets that are not there: offset, and when it was first acknowledged.
    marks: [Vec<(u64, Mark)>; 2],
    /// Gaps that were emitted last.
    gaps: [Vec<(u64, u64)>; 2],
    /// The sink takes no more of this stream until the other one has come to this offset.
    blocked: [Option<u64>; 2],
    /// Nobody waits any more for octets of this stream before this offset; they are still taken in order.
    conceded: [u64; 2],
    /// Look-behind: segments held, and since when.
    looking: [(u32, Option<Instant>); 2],
    /// When the highest acknowledgment was captured.
    acked_at: [Timestamp; 2],
    /// The first FIN, and when.
    finished: [Option<Mark>; 2],
    /// `--wait-ack`: octets before this offset are delivered without an acknowledgment.
    released: [u64; 2],
    /// Octets of damaged copies, which fill a hole only when it would be given up.
    damaged: Option<Box<[ReorderBuffer; 2]>>,
    /// What was delivered last.
    recent: [RecentSums; 2],
    /// When the sink wants to be woken.
    wake: Option<Instant>,
    state: S,
}

/// A place in time for the reorder window: so many packets of the connection, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    packets: u64,
    at: Instant,
}

impl Mark {
    /// Both have come to pass.
    fn and(self, other: Self) -> Self {
        Self {
            packets: self.packets.max(other.packets),
            at: self.at.max(other.at),
        }
    }
}

impl<S> Connection<S> {
    pub(super) fn new(number: u64, low: bool, reused: bool, now: Instant) -> Self {
        Self {
            number,
            // The clock is the capture's. A connection is as old as its first packet, wherever a
            // long run has come to.
            first: now,
            last: now,
            listed: (now, 0),
            packets: 0,
            forward_packets: 0,
            weight: 0,
            armed: None,
            streams: [StreamState::default(); 2],
            forward_is_low: low,
            reused,
            closed: false,
            kept_whole: false,
            tags: Default::default(),
            tunnels: [0; 2],
            extras: None,
            reset: None,
            buffers: None,
        }
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
    pub(super) const fn checksums_valid(&self, d: Direction) -> bool {
        self.streams[d.index()].is(CHECKSUMS_VALID)
    }

    /// A right checksum is seen in this direction.
    pub(super) fn set_checksums_valid(&mut self, d: Direction) {
        self.streams[d.index()].set(CHECKSUMS_VALID);
    }

    /// Segments, or parts of them, that wait.
    pub(super) fn waiting(&self) -> usize {
        self.buffers.as_ref().map_or(0, |a| a.len())
    }

    /// Power of two of the octets that wait.
    fn class(&self) -> u8 {
        // Powers of two, so that a connection that grows segment by segment is queued anew only
        // each time it has doubled.
        let octets = self.buffers.as_ref().map_or(0, |a| a.size(0) + a.size(1));
        u8::try_from(octets.checked_ilog2().unwrap_or(0)).unwrap_or(u8::MAX)
    }

    /// Weighs it anew.
    pub(super) fn weigh(&mut self) -> u8 {
        self.weight = self.class();
        self.weight
    }

    /// Its weight, where it has become more than was queued before.
    pub(super) fn heavier(&mut self) -> Option<u8> {
        // Only growth is queued at once. A lighter one is found out when its turn comes, which
        // saves a queue operation for each segment that leaves.
        self.is_heavier().then(|| self.weigh())
    }

    /// Its weight has become more than was queued before.
    pub(super) fn is_heavier(&self) -> bool {
        self.class() > self.weight
    }

    /// This is the weight that was last queued.
    pub(super) const fn weighs(&self, class: u8) -> bool {
        self.weight == class
    }

    /// It could not be made compact, and has been put in this order of use.
    pub(super) const fn keep_whole(&mut self, list: u8) {
        self.kept_whole = true;
        self.listed.1 = list;
    }

    /// It could not be made compact when that was tried last.
    pub(super) const fn is_kept_whole(&self) -> bool {
        self.kept_whole
    }

    /// It has had no data, or has ended: nothing but its numbers is kept.
    pub(super) fn is_bare(&self) -> bool {
        self.buffers.is_none() && self.held().is_empty()
    }

    /// It has data, or has had some: whether anything waits in it shows when it is packed.
    pub(super) const fn may_be_packed(&self) -> bool {
        self.buffers.is_some() && !self.closed
    }

    /// Only one side has been seen, and no data.
    pub(super) fn half_open(&self) -> bool {
        self.buffers.is_none() && !(self.streams[0].is(SEEN) && self.streams[1].is(SEEN))
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

    /// Traces what becomes of a segment.
    pub(super) fn fate(&self, cx: &mut Context, d: Direction, s: &Segment<'_>, fate: Fate) {
        if cx.trace.is_on() {
            let stream = &self.streams[d.index()];
            let offset = stream
                .numbered()
                .then(|| stream.relative(stream.offset(s.data_seq())));
            trace_fate(cx, Some(self.number), s, offset, fate);
        }
    }

    /// Traces what happened in a stream.
    fn trace(&self, cx: &mut Context, d: Direction, what: impl FnOnce(&StreamState) -> EventKind) {
        if cx.trace.is_on()
            && let Some(a) = &self.buffers
        {
            cx.emit(&a.flow, d, what(&self.streams[d.index()]));
        }
    }
}

impl<S: FlowState> Connection<S> {
    /// Both streams have ended.
    pub(super) fn has_ended(&self, cx: &Context) -> bool {
        if self.closed {
            // Its end was emitted when it closed; saying so again would end it twice.
            return false;
        }
        if self.buffers.is_some() {
            return self.streams.iter().all(|h| h.is(ENDED));
        }
        // Without data there is nothing to end, and what comes behind a RST is still taken.
        let reset = self
            .reset
            .is_some_and(|mark| cx.now.since(mark.at) >= LINGER);
        reset || self.streams.iter().all(|h| h.is(FIN))
    }

    /// A RST has ended it, or is about to.
    pub(super) const fn was_reset(&self) -> bool {
        self.reset.is_some()
    }

    /// Tells the sink what was seen of it, at its end.
    pub(super) fn tell_end<K: StreamSink<State = S>>(
        &self,
        cx: &mut Context,
        key: &FlowKey,
        close: Close,
        sink: &mut K,
    ) {
        // The age clock is the capture's time but for jumps of more than an hour, which it leaves out.
        let now = cx.packet.time.as_nanos();
        let time = |at: Instant| {
            let ago = u64::try_from(cx.now.since(at).as_nanos()).unwrap_or(u64::MAX);
            Timestamp::from_nanos(now.saturating_sub(ago))
        };
        let (first, last) = (time(self.first), time(self.last));
        let flow = Flow {
            transport: Transport::Tcp,
            number: self.number,
            key: *key,
            forward_is_low: self.forward_is_low,
            reused: self.reused,
            decrypted: None,
            // Of its link headers only the tags are kept where there were no octets.
            links: self.tags.map(|tags| LinkHeader {
                tags,
                ..LinkHeader::default()
            }),
        };
        let packets = [self.forward_packets, self.packets - self.forward_packets];
        let ended = EndedFlow {
            flow: &flow,
            first,
            last,
            totals: packets.map(|packets| FlowTotals {
                packets,
                ..FlowTotals::default()
            }),
            protocol: None,
            close,
        };
        sink.flow_end(cx, &ended);
    }

    /// How a connection ended by itself.
    pub(super) fn ending(&self) -> Close {
        if self.reset.is_some() {
            Close::Reset
        } else {
            Close::Fin
        }
    }

    /// What the connection has once there is payload, made where it is not there yet.
    fn activate(&mut self, cx: &mut Context, key: &FlowKey, d: Direction) -> &mut Buffers<S> {
        // Copied out first: the closure below runs while `buffers` is borrowed.
        let (number, forward_is_low, reused) = (self.number, self.forward_is_low, self.reused);
        let (streams, tags) = (self.streams, &self.tags);
        let (packets, now) = (self.packets, cx.now);
        self.buffers.get_or_insert_with(|| {
            // Charged before it is made, by what the allocator takes, and given back when the
            // connection closes.
            cx.budget.take(allocated(size_of::<Buffers<S>>()));
            let mut a = Box::new(Buffers {
                flow: Flow {
                    transport: Transport::Tcp,
                    number,
                    key: *key,
                    forward_is_low,
                    reused,
                    decrypted: None,
                    links: Default::default(),
                },
                linked: [false; 2],
                waiting: Default::default(),
                marks: Default::default(),
                gaps: Default::default(),
                blocked: [None; 2],
                conceded: [0; 2],
                looking: [(0, None); 2],
                acked_at: [cx.packet.time; 2],
                // A FIN that came before any data has been noted only as a bit. Its reorder window
                // begins now, since nothing could wait for it before.
                finished: streams.map(|stream| stream.is(FIN).then_some(Mark { packets, at: now })),
                released: [0; 2],
                damaged: None,
                recent: Default::default(),
                wake: None,
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
            // Until a packet of the other direction comes, its addresses are this packet's, turned round;
            // its tags are those it was seen with.
            a.flow.links[back] = LinkHeader {
                src: link.dst,
                dst: link.src,
                tags: tags[if streams[back].is(SEEN) { back } else { own }],
            };
            // Acknowledgments that came before the data (two taps, clocks apart) count as evidence
            // from now on.
            for (marks, stream) in a.marks.iter_mut().zip(&streams) {
                if stream.is(ACKED) && stream.snd_una > stream.rcv_nxt {
                    marks.push((stream.snd_una, Mark { packets, at: now }));
                }
            }
            a
        })
    }
}

impl<S> Buffers<S> {
    /// Where an event of a stream belongs.
    fn at<'a>(
        &'a mut self,
        cx: &'a mut Context,
        sides: &'a [Side; 2],
        (direction, opened): (Direction, Instant),
    ) -> StreamContext<'a, S> {
        StreamContext {
            cx,
            flow: &self.flow,
            sides,
            direction,
            opened,
            wake: &mut self.wake,
            state: &mut self.state,
        }
    }

    /// The damaged copies of a stream.
    fn damaged(&self, i: usize) -> Option<&ReorderBuffer> {
        self.damaged.as_ref().and_then(|d| d.get(i))
    }

    /// The first damaged copy of a stream.
    fn first_damaged(&self, i: usize) -> Option<&BufferedPart> {
        self.damaged(i).and_then(ReorderBuffer::front)
    }

    /// Segments, or parts of them, that wait.
    fn len(&self) -> usize {
        // Damaged copies count too: they take the same memory and are bounded by the same limits.
        let damaged = self.damaged.iter().flat_map(|d| d.iter());
        self.waiting
            .iter()
            .chain(damaged)
            .map(ReorderBuffer::len)
            .sum()
    }

    /// Octets allocated for what waits on a stream.
    fn size(&self, i: usize) -> usize {
        self.waiting[i].size() + self.damaged(i).map_or(0, ReorderBuffer::size)
    }

    /// When the segment that has waited longest on a stream arrived.
    // A damaged copy waits for a better one. It grows old like any other, so that a stream of
    // damaged copies alone does not wait forever.
    fn oldest(&mut self, i: usize) -> Option<Instant> {
        let damaged = self.damaged.as_mut().and_then(|d| d[i].oldest());
        let waiting = self.waiting[i].oldest();
        waiting.into_iter().chain(damaged).min()
    }
}

/// Traces what becomes of a segment.
pub(super) fn trace_fate(
    cx: &mut Context,
    number: Option<u64>,
    s: &Segment<'_>,
    offset: Option<i64>,
    fate: Fate,
) {
    // Tracing is off in almost every run. Nothing is formatted or copied before that is known.
    if cx.trace.is_on() {
        cx.trace.emit(&Event {
            frame: cx.packet.frame,
            time: cx.packet.time,
            transport: Transport::Tcp,
            number,
            src: s.src.into(),
            dst: s.dst.into(),
            what: EventKind::Segment {
                flags: s.flags,
                offset,
                len: s.payload_len,
                fate,
            },
        });
    }
}

#[cfg(test)]
impl<S> Connection<S> {
    /// Panics unless what waits agrees with its sums; gives the octets that wait.
    pub(super) fn invariants(&self) -> super::testing::Waits {
        use stream_state::STARTED;
        let mut waits = super::testing::Waits {
            waiting: 0,
            classified: self.held().iter().map(|h| h.payload.len() as u64).sum(),
        };
        if let Some(a) = &self.buffers {
            for damaged in a.damaged.iter().flat_map(|d| d.iter()) {
                damaged.invariants();
                waits.classified += damaged.octets();
            }
            for (waiting, stream) in a.waiting.iter().zip(&self.streams) {
                waiting.invariants();
                waits.waiting += waiting.octets();
                let front = waiting.front().map(|item| item.offset);
                assert!(!stream.is(STARTED) || front.is_none_or(|front| front >= stream.rcv_nxt));
                assert!(stream.rcv_nxt <= stream.snd_max);
            }
        }
        waits
    }
}
