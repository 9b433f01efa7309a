//! What is delivered: octets in order, gaps, duplicates, endings. Nothing else calls the sink while a connection lasts.

use super::stream_state::{
    ABSENT, ACKED, ANSWERED, ENDED, FIN, RESET, SEEN, STARTED, SYN, StreamState,
};
use super::{Buffers, Connection};
use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::flow::Direction;
use crate::base::packet::PacketInfo;
use crate::base::stream::{Chunk, Close, Duplicate, FlowState, Gap, GapCause, Side};
use crate::base::time::{Instant, Timestamp};
use crate::base::trace::EventKind;
use crate::transport::stream::{StreamSink, Taken};
use crate::transport::tcp::waiting::ReorderBuffer;

/// Gaps that are remembered, so that late segments are known as such. A segment that is late for an older one
/// counts as a retransmission.
// A late segment comes soon after its hole was given up, so the last eight are enough; each takes
// 16 octets. With fewer, late segments would be miscounted, never misplaced.
const GAPS: usize = 8;

impl<S> Connection<S> {
    /// How far a stream has been delivered or given up; 0 while it is being looked behind.
    fn delivered(&self, i: usize) -> u64 {
        let buffers = self.buffers.as_ref();
        let looked = buffers.is_some_and(|a| a.looking[i].1.is_some());
        delivered(&self.streams[i], looked)
    }

    /// How far nobody waits for a stream any more.
    pub(super) fn conceded(&self, i: usize) -> u64 {
        self.buffers.as_ref().map_or(0, |a| a.conceded[i])
    }

    /// How far the other side has acknowledged that there is a stream: octets that were sent, whether they were captured or
    /// not. One more than was captured is a FIN that was not.
    fn proven(&self, i: usize) -> u64 {
        let stream = &self.streams[i];
        let octet = stream.snd_una == stream.rcv_nxt + 1;
        if stream.is(ACKED) && (stream.is(FIN) || !octet) {
            stream.snd_una
        } else {
            0
        }
    }

    /// When the highest acknowledgment of a stream was captured.
    fn acked_at(&self, i: usize) -> Option<Timestamp> {
        self.buffers.as_ref().map(|a| a.acked_at[i])
    }

    /// When the other side acknowledged everything before an offset, if it has.
    fn acked_to(&self, i: usize, end: u64) -> Option<Timestamp> {
        let stream = &self.streams[i];
        (stream.is(ACKED) && stream.snd_una >= end)
            .then(|| self.acked_at(i))
            .flatten()
    }

    /// `--wait-ack`: when the octets that are next in a stream, and wait for nothing else, are delivered without an
    /// acknowledgment. None where there are none, or they need not wait for one.
    pub(super) fn unacked(&self, cx: &Context, i: usize) -> Option<Instant> {
        let (stream, a) = (&self.streams[i], self.buffers.as_ref()?);
        let front = a.waiting[i].front()?;
        // Octets that have their acknowledgment, or were released before, wait for nothing more.
        let waits = cx.limits.wait_ack
            && stream.is(STARTED)
            && front.offset <= stream.rcv_nxt
            && front.lost() == 0
            && front.end() > stream.snd_una.max(a.released[i]);
        waits.then(|| front.origin.arrived.after(cx.limits.tcp_packet_timeout))
    }

    #[inline]
    pub(super) fn sides(&self) -> [Side; 2] {
        match &self.buffers {
            Some(a) => a.sides(&self.streams),
            None => {
                let [forward, reverse] = &self.streams;
                [forward, reverse].map(|stream| side(stream, false, 0, None))
            }
        }
    }
}

impl<S> Buffers<S> {
    /// What is known of both sides.
    #[inline(always)] // made for each segment with data
    fn sides(&self, streams: &[StreamState; 2]) -> [Side; 2] {
        let of = |i: usize| {
            let looked = self.looking[i].1.is_some();
            side(
                &streams[i],
                looked,
                self.conceded[i],
                Some(self.acked_at[i]),
            )
        };
        [of(0), of(1)]
    }
}

/// What is known of a side; `looked`: segments of its stream were held that may not have been the first.
#[inline(always)] // made twice for each segment with data
fn side(stream: &StreamState, looked: bool, conceded: u64, acked_at: Option<Timestamp>) -> Side {
    let acknowledged = stream.is(ACKED).then_some(stream.snd_una);
    Side {
        seen: stream.is(SEEN),
        from_start: stream.is(SYN | ANSWERED),
        absent: stream.is(ABSENT),
        base: stream.numbered().then_some(stream.base),
        origin: stream.origin,
        delivered: delivered(stream, looked),
        conceded,
        acknowledged,
        acknowledged_at: acked_at.filter(|_| acknowledged.is_some()),
        ended: stream.is(ENDED),
        reset: stream.is(RESET),
    }
}

/// How far a stream has been delivered or given up; 0 while it is being looked behind.
#[inline(always)]
fn delivered(stream: &StreamState, looked: bool) -> u64 {
    // While a start is looked behind, nothing is certain: a sink that waits for this stream
    // must not go on.
    if looked && !stream.is(STARTED) {
        0
    } else {
        stream.rcv_nxt
    }
}

impl<S: FlowState> Connection<S> {
    /// Hands a chunk to the sink; gives the number of octets that it did not take.
    pub(super) fn deliver<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        chunk: Chunk<'_>,
        sink: &mut K,
    ) -> usize {
        let i = d.index();
        // Taken before the buffers are borrowed: the sink reads both sides while it has its own
        // state in hand.
        let Some(a) = self.buffers.as_deref_mut() else {
            return 0;
        };
        let sides = a.sides(&self.streams);
        let mut at = a.at(cx, &sides, (d, self.first));
        let taken = match sink.data(&mut at, chunk) {
            Taken::All => chunk.data.len(),
            Taken::Wait { taken, until } => {
                // A sink that waits for what has come already would wait for ever.
                // A waiting sink must not stop the stream forever. In a release build its octets
                // are dropped, not repeated in an endless loop.
                if sides[d.flip().index()].is_settled(until) {
                    debug_assert!(false, "the sink waits for what it has");
                    chunk.data.len()
                } else {
                    a.blocked[i] = Some(until);
                    // A sink may claim more than it was given; trusted, that would move the stream
                    // past octets nobody has seen.
                    let taken = taken.min(chunk.data.len());
                    let offset = self.streams[i].relative(chunk.offset + taken as u64);
                    cx.emit(&a.flow, d, EventKind::Blocked { offset });
                    taken
                }
            }
        };
        // Moved behind the call: during it, the offset of the chunk is still what is delivered
        // next.
        self.streams[i].rcv_nxt += taken as u64;
        cx.counters.tcp.delivered_octets += taken as u64;
        chunk.data.len() - taken
    }

    /// The stream's next octets are at hand and may be delivered.
    fn ready(&self, cx: &Context, d: Direction) -> bool {
        let (stream, other) = (&self.streams[d.index()], &self.streams[d.flip().index()]);
        let Some(a) = &self.buffers else { return false };
        // Mostly nothing waits in one of the streams.
        if a.waiting[d.index()].is_empty() {
            return false;
        }
        let front = stream.is(STARTED)
            && a.waiting[d.index()].front().is_some_and(|item| {
                // What the snapshot length cut off is a hole like any other, until it is given up.
                item.offset <= stream.rcv_nxt
                    && item.lost() == 0
                    && !self.is_held_up(d.index(), item.origin.frame)
            });
        front
            // Three locks, each opened by something else: the hole, the acknowledgment (or its
            // timeout), and the other direction's progress.
            && self
                .unacked(cx, d.index())
                .is_none_or(|until| cx.now >= until)
            && a.blocked[d.index()].is_none_or(|until| {
                let o = d.flip().index();
                other.is(ENDED)
                    || other.is(ABSENT)
                    || self.delivered(o) >= until
                    || self.conceded(o) >= until
            })
    }

    /// Delivers what can be delivered, in both directions; of two streams that are both ready, the one goes first that
    /// the other one acknowledges.
    pub(super) fn pump<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        loop {
            let (f, r) = (
                self.ready(cx, Direction::Forward),
                self.ready(cx, Direction::Reverse),
            );
            let d = match (f, r) {
                (false, false) => return,
                (true, false) => Direction::Forward,
                (false, true) => Direction::Reverse,
                // Both streams have octets that are due at the same time. A request goes before its response:
                // what the other side acknowledges when it sends came first, else what was captured first.
                (true, true) => {
                    let Some(a) = &self.buffers else { return };
                    let (Some(ff), Some(rf)) = (a.waiting[0].front(), a.waiting[1].front()) else {
                        return;
                    };
                    // The segment acknowledges octets that the other stream has not delivered yet,
                    // so those were there before it was sent.
                    let forward_needs = ff
                        .origin
                        .ack
                        .is_some_and(|ack| ack > self.streams[1].rcv_nxt);
                    let reverse_needs = rf
                        .origin
                        .ack
                        .is_some_and(|ack| ack > self.streams[0].rcv_nxt);
                    match (forward_needs, reverse_needs) {
                        (true, false) => Direction::Reverse,
                        (false, true) => Direction::Forward,
                        // Both or neither acknowledge more than is delivered, as where the hosts
                        // sent at the same time. The capture's order decides, so that every run
                        // gives the same output.
                        _ if ff.origin.frame <= rf.origin.frame => Direction::Forward,
                        _ => Direction::Reverse,
                    }
                }
            };
            let i = d.index();
            let Some(a) = self.buffers.as_deref_mut() else {
                return;
            };
            // A wait ends once it was answered. If the sink still lacks something it says so again,
            // with a new offset.
            a.blocked[i] = None;
            let released = a.released[i];
            let Some(item) = a.waiting[i].pop(&mut cx.budget) else {
                return;
            };
            let acknowledged = self.acked_to(i, item.end());
            // Octets without acknowledgment come out either because room was needed or because
            // their time was over. The two are counted apart: the first is a matter of limits.
            if cx.limits.wait_ack && acknowledged.is_none() {
                let forced = item.end() <= released;
                cx.counters.tcp.ack_forced += u64::from(forced);
                cx.counters.tcp.ack_timeout += u64::from(!forced);
            }
            let chunk = Chunk {
                offset: item.offset,
                data: item.data(),
                time: item.origin.time,
                frame: item.origin.frame,
                interface: item.origin.interface,
                at: item.origin.at(item.offset).into(),
                ack: item.origin.ack,
                // PSH belongs to the last octet of a segment; a split part before it must not end a
                // message.
                push: item.origin.push && item.ends_segment && !item.origin.cut,
                cut: item.origin.cut && item.ends_segment,
                ends_segment: item.ends_segment,
                // Of a part of a payload it is not known; who needs it computes it anew.
                sum: item.sum(),
                acknowledged,
            };
            // Only octets that waited are traced as freed. Those of the packet in hand have a fate
            // of their own.
            if item.origin.frame != cx.packet.frame {
                self.trace(cx, d, |stream| EventKind::Freed {
                    offset: stream.relative(item.offset),
                    len: item.data().len() as u64,
                    from: item.origin.frame,
                });
            }
            // The rest goes back to the front. It keeps its origin, so that a later look at the
            // trace still names the right packet.
            let left = if item.origin.damaged {
                // It was waiting only for something better: what it completes was complete when it came.
                let own = PacketInfo {
                    frame: item.origin.frame,
                    time: item.origin.time,
                    interface: item.origin.interface,
                    ..cx.packet
                };
                cx.for_packet(own, |cx| self.deliver(cx, d, chunk, sink))
            } else {
                self.deliver(cx, d, chunk, sink)
            };
            let Some(a) = self.buffers.as_deref_mut() else {
                return;
            };
            if left > 0 {
                let taken = item.data().len() - left;
                a.waiting[i].put_back(&mut cx.budget, item, taken);
            } else {
                let sum = item.sum().unwrap_or_else(|| Sum::of(item.data()));
                a.recent[i].push(&cx.sample, item.offset, item.data(), sum);
                ReorderBuffer::done_with(&mut cx.budget, item);
            }
        }
    }

    pub(super) fn emit_gap<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        len: Option<u64>,
        cause: GapCause,
        sink: &mut K,
    ) {
        self.emit_gap_of(cx, d, (len, cause), false, sink);
    }

    /// The same, where it is known whether the octets that are missing end with PSH.
    pub(super) fn emit_gap_of<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        (len, cause): (Option<u64>, GapCause),
        push: bool,
        sink: &mut K,
    ) {
        let i = d.index();
        let sides = self.sides();
        let Some(a) = self.buffers.as_deref_mut() else {
            return;
        };
        // A restart has no length: nobody knows how much lies between the numbers.
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
            GapCause::Jump => c.gaps_jump += 1,
        }
        let offset = self.streams[i].rcv_nxt;
        let what = EventKind::Gap {
            offset: self.streams[i].relative(offset),
            len,
            cause,
        };
        cx.emit(&a.flow, d, what);
        // A gap without a length names no octets, so nothing can come late for it.
        if known > 0 {
            let gaps = &mut a.gaps[i];
            if gaps.len() >= GAPS {
                gaps.remove(0);
            }
            gaps.push((offset, offset + known));
        }
        let mut at = a.at(cx, &sides, (d, self.first));
        let gap = Gap {
            offset,
            len,
            cause,
            push,
        };
        sink.gap(&mut at, gap);
        // Moved after the sink has seen it: the gap begins where delivery stood.
        self.streams[i].rcv_nxt += known;
        // A given-up end may lie past the highest octet seen, where only an acknowledgment or a FIN
        // showed it.
        self.streams[i].snd_max = self.streams[i].snd_max.max(self.streams[i].rcv_nxt);
    }

    /// Notifies the sink that `len` octets of a segment at `offset` were there before; nothing where `len` is 0.
    pub(super) fn emit_duplicate<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        offset: u64,
        len: u64,
        conflict: bool,
        sink: &mut K,
    ) {
        // Called for every segment; in order, there is nothing to report.
        if len == 0 {
            return;
        }
        let sides = self.sides();
        let Some(a) = self.buffers.as_deref_mut() else {
            return;
        };
        let mut at = a.at(cx, &sides, (d, self.first));
        let duplicate = Duplicate {
            offset,
            len,
            conflict,
        };
        sink.duplicate(&mut at, &duplicate);
    }

    /// Ends streams that have come to their end, or both with `close`.
    pub(super) fn end_streams<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        close: Option<Close>,
        sink: &mut K,
    ) {
        if self.buffers.is_none() {
            return;
        }
        // A RST only ends the streams when its window has gone by, as data captured after it is
        // still taken.
        let close = close.or(self.is_reset(cx).then_some(Close::Reset));
        for d in [Direction::Forward, Direction::Reverse] {
            let i = d.index();
            let stream = &self.streams[i];
            // A FIN counts when all before it is delivered or given up, never earlier.
            let at_fin = stream.is(FIN) && stream.is(STARTED) && stream.rcv_nxt >= stream.fin;
            if stream.is(ENDED) || !(at_fin || close.is_some()) {
                continue;
            }
            let how = if at_fin {
                Close::Fin
            } else {
                close.unwrap_or(Close::Fin)
            };
            // Octets that nobody waited for any more have not come.
            let fin = if stream.is(FIN) { stream.fin } else { u64::MAX };
            let missing = self.conceded(i).max(self.proven(i)).min(fin);
            let missing = missing.checked_sub(stream.rcv_nxt);
            if let Some(len) = missing.filter(|len| *len > 0 && stream.is(STARTED)) {
                self.emit_gap(cx, d, Some(len), how.gap_cause(), sink);
            }
            let sides = self.sides();
            // Set before the sink hears of it: what it asks about this stream during the call must
            // be the end.
            self.streams[i].set(ENDED);
            let Some(a) = self.buffers.as_deref_mut() else {
                continue;
            };
            let mut at = a.at(cx, &sides, (d, self.first));
            at.cx.emit(at.flow, d, EventKind::StreamEnds(how));
            sink.end(&mut at, how);
            // The other stream may have waited for this end.
            self.pump(cx, sink);
        }
    }
}
