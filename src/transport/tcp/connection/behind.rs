//! The short way of a segment that comes while octets of one stream wait behind a hole, and nothing else is open: where packets are
//! lost, nearly every segment.
//!
//! It changes what [`receive`](Connection::receive) would change for it, and asks again only what it can have changed: whether the
//! hole is to be given up. When the connection has to be looked at again is known from the segment before.

use super::stream_state::{ABSENT, BASED, ENDED, FIN, SEEN, STARTED};
use super::{Buffers, Connection};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::flow::Direction;
use crate::base::stream::FlowState;
use crate::transport::tcp::segment::Segment;
use crate::transport::tcp::waiting::SegmentOrigin;

/// What is to be done behind a segment that came while a hole is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::transport::tcp) enum Behind {
    /// Nothing.
    Nothing,
    /// When to look at the connection again has to be found out anew.
    Arm,
    /// The hole is to be given up: all that is due has to be done.
    Due,
}

impl<S: FlowState> Connection<S> {
    /// The segment brings the octets that come next behind all that wait in its stream, or none, while nothing else is open than
    /// holes in one of the streams: [`take_behind`](Self::take_behind) may take it.
    pub(in crate::transport::tcp) fn may_take_behind(
        &self,
        cx: &Context,
        d: Direction,
        s: &Segment<'_>,
    ) -> bool {
        const OPEN: u16 = STARTED | BASED;
        const OTHERS: u16 = FIN | ENDED | ABSENT;
        let (i, o) = (d.index(), d.flip().index());
        let (stream, other) = (&self.streams[i], &self.streams[o]);
        let Some(a) = self.buffers.as_deref() else {
            return false;
        };
        if stream.bits & (SEEN | OPEN | OTHERS) != SEEN | OPEN
            || other.bits & (OPEN | OTHERS) != OPEN
            || self.closed
            || self.reset.is_some()
            || !self.held().is_empty()
            || self.armed.is_none()
            || a.damaged.is_some()
            || a.wake.is_some_and(|at| cx.now >= at)
            || !matches!(a.blocked, [None, None])
            || !a.linked[i]
            || cx.limits.wait_ack
            || cx.trace.is_on()
            // A cut tail is a hole.
            || s.payload.len() != s.payload_len as usize
        {
            return false;
        }
        let Some(ack) = s.ack.map(|ack| other.offset(ack)) else {
            return false;
        };
        let max_gap = cx.limits.max_gap;
        let offset = stream.offset(s.seq);
        if !other.may_acknowledge(ack, max_gap) || !stream.reaches(offset, 0, max_gap) {
            return false;
        }
        let [own, others] = [i, o].map(|i| &a.waiting[i]);
        let (waiting, next) = match (own.is_empty(), others.is_empty()) {
            (false, true) => (own, stream.rcv_nxt),
            // A segment without octets may belong to either.
            (true, false) if s.payload.is_empty() => (others, other.rcv_nxt),
            _ => return false,
        };
        let holds = waiting
            .front()
            .is_some_and(|first| first.lost() == 0 && first.offset > next);
        holds && (s.payload.is_empty() || offset == stream.snd_max && waiting.end() == Some(offset))
    }

    /// Takes a segment that it [`may_take_behind`](Self::may_take_behind), and says what is to be done behind it.
    pub(in crate::transport::tcp) fn take_behind(
        &mut self,
        cx: &mut Context,
        d: Direction,
        s: &Segment<'_>,
    ) -> Behind {
        let i = d.index();
        self.packets += 1;
        self.forward_packets += u64::from(d == Direction::Forward);
        self.last = cx.now;
        self.streams[i].window = s.window;
        let waits = |a: &Buffers<S>| !a.waiting[i].is_empty();
        let own = self.buffers.as_deref().is_some_and(waits);
        let waits = if own { d } else { d.flip() };
        // What comes behind all that waits, and what is acknowledged, leaves the hole as it is.
        let hole = self.hole(waits);
        let is_marked = |c: &Self| {
            hole.and_then(|hole| c.marked(waits.index(), hole.end))
                .is_some()
        };
        let marked = is_marked(self);
        self.receive_ack(cx, d, s);
        if !s.payload.is_empty() {
            let ack = self.acknowledged_by(cx.limits.max_gap, d, s);
            self.append(cx, d, s, ack);
        }
        if hole.is_none_or(|hole| self.due_hole(cx, waits, hole).is_some()) {
            Behind::Due
        } else if is_marked(self) != marked {
            Behind::Arm
        } else {
            Behind::Nothing
        }
    }

    /// Keeps the octets of a segment behind all that wait in its stream.
    fn append(&mut self, cx: &mut Context, d: Direction, s: &Segment<'_>, ack: Option<u64>) {
        let i = d.index();
        let origin = self.origin_of(cx, d, s, ack);
        let stream = &mut self.streams[i];
        let start = stream.snd_max;
        stream.snd_max += s.payload.len() as u64;
        let Some(a) = self.buffers.as_deref_mut() else {
            return;
        };
        let data = (s.payload, s.payload_sum);
        a.waiting[i].append(&mut cx.budget, start, data, origin);
        let counters = &mut cx.counters.tcp;
        counters.accepted_octets += s.payload.len() as u64;
        counters.out_of_order += 1;
    }

    /// Where all octets of a segment came from.
    pub(super) fn origin_of(
        &self,
        cx: &Context,
        d: Direction,
        s: &Segment<'_>,
        ack: Option<u64>,
    ) -> SegmentOrigin {
        let start = self.streams[d.index()].offset(s.data_seq());
        SegmentOrigin {
            frame: cx.packet.frame,
            time: cx.packet.time,
            interface: cx.packet.interface,
            arrived: cx.now,
            packets: self.packets,
            ack,
            // Of a segment that the snapshot length has cut, the end is missing.
            push: s.has(flags::PSH),
            cut: s.payload.len() < s.payload_len as usize,
            damaged: false,
            // The place in the record is kept as a difference. It stays true when the part is split
            // or its front is used up.
            shift: SegmentOrigin::shift(s.offset.in_record(), start),
        }
    }
}
