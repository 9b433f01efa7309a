//! How long a hole is waited for (`Connection::due`), and all else that comes to an end with time or for want of room.

use super::stream_state::{ABSENT, ACKED, ENDED, FIN, STARTED, StreamState};
use super::{Buffers, Connection, Mark};
use crate::base::context::Context;
use crate::base::flow::Direction;
use crate::base::serial::SeqNumber;
use crate::base::storage::allocated;
use crate::base::stream::{Close, FlowState, GapCause};
use crate::base::time::Instant;
use crate::base::trace::EventKind;
use crate::transport::stream::StreamSink;
use crate::transport::tcp::order::LINGER;
use crate::transport::tcp::waiting::{BufferedPart, ReorderBuffer};
use std::time::Duration;

/// How long a hole is waited for where acknowledgments are captured and none has passed it: TCP may still fill it, and its
/// retransmissions may be 60 seconds apart (RFC 6298, 2.5).
const PATIENCE: Duration = Duration::from_secs(60);

impl<S: FlowState> Connection<S> {
    /// Does all that is due: starts streams, delivers, gives up holes, ends streams.
    pub(in crate::transport::tcp) fn advance<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) {
        // Each turn delivers, starts or gives up something, and what waits is finite, so the loop
        // ends. After each hole the whole is looked at anew: a filled hole may free the other
        // direction, and that may end another wait.
        loop {
            // Start, then deliver, then drop copies of what has just been delivered, and only then
            // look for holes: a hole must not be given up that the first three steps would have
            // closed.
            self.start_due(cx);
            self.pump(cx, sink);
            self.drop_damaged(cx);
            let mut due = None;
            for d in [Direction::Forward, Direction::Reverse] {
                // One hole per turn, the first that is due. What it frees may make the second
                // needless.
                due = due.or_else(|| self.due(cx, d).map(|(upto, cause)| (d, upto, cause)));
            }
            if let Some((d, upto, cause)) = due {
                self.give_up(cx, d, upto, cause, sink);
            } else if !self.waits_too_much(cx) || !self.give_up_one(cx, GapCause::Buffer, sink) {
                // Nothing is due. What waits for the other direction without a hole of its own was
                // let go, one by one, until it fits or nothing is left.
                break;
            }
        }
        let sides = self.sides();
        if let Some(a) = self.buffers.as_deref_mut()
            && a.wake.is_some_and(|at| cx.now >= at)
        {
            sink.wake(&mut a.at(cx, &sides, Direction::Forward));
        }
        if self.is_reset(cx) {
            self.drain(cx, GapCause::Closed, sink);
        }
        self.end_streams(cx, None, sink);
    }

    /// There was a RST, and the data that was captured after it has come too.
    pub(super) fn is_reset(&self, cx: &Context) -> bool {
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
        let Some(a) = self.buffers.as_deref_mut() else {
            return;
        };
        for i in 0..2 {
            let (count, since) = a.looking[i];
            // By count or by time, whichever comes first: on a busy stream 16 segments pass in no
            // time, on a slow one nobody wants to wait for them.
            let long = since.is_some_and(|since| cx.now.since(since) >= cx.limits.look_behind_time);
            if !self.streams[i].is(STARTED)
                && since.is_some()
                && (count >= cx.limits.look_behind_segments || long)
            {
                Self::start(&mut self.streams[i], &a.waiting[i]);
                let d = [Direction::Forward, Direction::Reverse][i];
                cx.emit(&a.flow, d, EventKind::Starts);
            }
        }
    }

    pub(super) fn start(stream: &mut StreamState, waiting: &ReorderBuffer) {
        // The lowest octet that came is the beginning. With none at all a FIN is, or the place that
        // an acknowledgment hinted at.
        let first = waiting.front().map_or(
            if stream.is(FIN) {
                stream.fin
            } else {
                stream.rcv_nxt
            },
            |item| item.offset,
        );
        stream.origin = first;
        stream.rcv_nxt = first;
        // A sink's demand or a FIN may lie past the highest octet; `snd_max` never lies behind what
        // is delivered.
        stream.snd_max = stream.snd_max.max(first);
        stream.set(STARTED);
    }

    /// End of the hole that is next in this stream: where octets wait, or where the other stream waits for it.
    fn hole(&self, d: Direction) -> Option<u64> {
        let a = self.buffers.as_deref()?;
        let stream = &self.streams[d.index()];
        let unstarted = !stream.is(STARTED) && a.looking[d.index()].1.is_some();
        // While it is looked behind there is no hole: what is in front may be the start.
        if unstarted {
            return None;
        }
        let front = a.waiting[d.index()].front().map(|item| item.offset);
        // A demand can only be for what was acknowledged, up to the FIN.
        let demand = a.blocked[d.flip().index()].map(|until| {
            if stream.is(FIN) {
                until.min(stream.fin)
            } else {
                until
            }
        });
        // What lacks before a FIN is a hole too, with nothing behind it.
        let fin = stream.is(FIN).then_some(stream.fin);
        // Octets of which only a damaged copy is there are a hole of their own.
        let damaged = a.first_damaged(d.index()).map(|item| {
            // The copy fills the hole when it stands at its front. Else the hole ends where the
            // copy begins, so that real loss and damage are given up apart.
            let (from, to) = (item.offset, item.offset + item.data().len() as u64);
            if from > stream.rcv_nxt && stream.is(STARTED) {
                from
            } else {
                to
            }
        });
        // The nearest of the four: giving up more than needed would lose what could still arrive.
        let end = [front, demand, fin, damaged].into_iter().flatten().min()?;
        (end > stream.rcv_nxt && !stream.is(ENDED)).then_some(end)
    }

    /// The hole that is to be given up now in this stream: its end, and why.
    fn due(&mut self, cx: &Context, d: Direction) -> Option<(u64, GapCause)> {
        let i = d.index();
        let end = self.hole(d)?;
        let a = self.buffers.as_deref_mut()?;
        let stream = &self.streams[i];
        let (oldest, finished) = (a.oldest(i), a.finished[i]);
        // Room before time: the limits hold whatever the clock says.
        if a.size(i) > cx.limits.tcp_buffer {
            return Some((end, GapCause::Buffer));
        }
        if a.waiting[i].runs() > cx.limits.tcp_holes {
            return Some((end, GapCause::Holes));
        }
        // The other side has these octets, so the capture lost them. Not at once: on mirrored traffic an acknowledgment is
        // often captured before the data that it acknowledges.
        // The first mark that covers the hole. Its time is kept even where later acknowledgments
        // reach further, so that a busy receiver cannot prolong a wait.
        let acked = a.marks[i]
            .iter()
            .find(|(upto, _)| *upto >= end)
            .map(|(_, mark)| *mark);
        if acked.is_some_and(|mark| self.window_passed(cx, mark)) {
            return Some((end, GapCause::Acked));
        }
        // The same holds for a FIN or a RST that is captured before the data in front of it.
        let over = [finished, self.reset];
        if over
            .into_iter()
            .flatten()
            .any(|mark| self.window_passed(cx, mark))
        {
            return Some((end, GapCause::Closed));
        }
        // With acknowledgments captured, silence about the hole means that the receiver lacks it
        // too, and the sender will send it again. Without them nothing is known, and a short
        // wait has to do.
        let patience = if stream.is(ACKED) {
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
        self.buffers
            .as_ref()
            .is_some_and(|a| a.size(0).max(a.size(1)) > cx.limits.tcp_buffer)
    }

    /// The reorder window has gone by since.
    fn window_passed(&self, cx: &Context, since: Mark) -> bool {
        let gone = cx.now.since(since.at);
        let packets = self.packets - since.packets;
        gone >= cx.limits.reorder_alone
            // Packets alone are no measure: 32 of them pass in a fraction of a millisecond on a
            // fast link, less than the skew of two capture points. Time alone is none on a slow
            // one, hence the longer limit.
            || (gone >= cx.limits.reorder_time && packets >= u64::from(cx.limits.reorder_packets))
    }

    /// Gives up the hole that is next in this stream, up to `upto`. Damaged copies of its octets are better than none, so
    /// they are asked first, and only now: a right one might still have come.
    fn give_up<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        upto: u64,
        cause: GapCause,
        sink: &mut K,
    ) {
        // With a copy in place the hole is gone or smaller; the next turn of the loop looks again.
        if self.use_damaged(cx, d, upto) {
            return;
        }
        let stream = &mut self.streams[d.index()];
        if !stream.is(STARTED) {
            // Nothing of this direction was ever captured: there is no stream to have a gap.
            stream.set(ABSENT);
            // The sink's wait for this direction ends: as much as it asked for counts as passed.
            stream.rcv_nxt = upto;
            stream.snd_max = stream.snd_max.max(upto);
            return;
        }
        let len = upto - stream.rcv_nxt;
        self.emit_gap(cx, d, Some(len), cause, sink);
    }

    /// Gives up the first hole, or ends a wait, for want of room; false where there is none.
    pub(in crate::transport::tcp) fn force<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        cause: GapCause,
        sink: &mut K,
    ) -> bool {
        let found = self.give_up_one(cx, cause, sink);
        self.advance(cx, sink);
        found
    }

    /// Makes the next waiting octets of either stream deliverable; false when nothing waits.
    fn give_up_one<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        cause: GapCause,
        sink: &mut K,
    ) -> bool {
        let Some(a) = self.buffers.as_deref_mut() else {
            return false;
        };
        for i in 0..2 {
            // A start that is still looked behind costs least: nothing is lost by it.
            if !self.streams[i].is(STARTED) && a.looking[i].1.is_some() {
                Self::start(&mut self.streams[i], &a.waiting[i]);
                return true;
            }
        }
        // Octets that wait for their acknowledgment only are lost by nobody.
        let waits = |i: &usize| self.unacked(cx, *i).is_some();
        let front = |i: usize| self.buffers.as_ref().and_then(|a| a.waiting[i].front());
        let frame_of = |i: &usize| front(*i).map(|item| item.origin.frame);
        // The one captured first: it waited longest for its acknowledgment.
        if let Some(i) = (0..2).filter(waits).min_by_key(frame_of)
            && let Some(end) = front(i).map(BufferedPart::end)
            && let Some(a) = self.buffers.as_deref_mut()
        {
            a.released[i] = end;
            return true;
        }
        // The hole with the octets that were captured first behind it.
        let holes =
            [Direction::Forward, Direction::Reverse].map(|d| self.hole(d).map(|end| (d, end)));
        let frame = |d: Direction| {
            let front = self
                .buffers
                .as_ref()
                .and_then(|a| a.waiting[d.index()].front());
            front.map_or(u64::MAX, |item| item.origin.frame)
        };
        let first = holes.into_iter().flatten().min_by_key(|(d, _)| frame(*d));
        if let Some((d, end)) = first {
            // Captured first means waited longest, so the order of output stays that of the capture
            // as far as it can.
            self.give_up(cx, d, end, cause, sink);
            return true;
        }
        // Both streams wait for each other, as lost packets can bring about. One has to go first.
        // Nothing is missing, and still something waits: what it waits for will not come.
        let Some(a) = self.buffers.as_deref_mut() else {
            return false;
        };
        for i in 0..2 {
            if a.blocked[i].is_some() && !a.waiting[i].is_empty() {
                self.streams[1 - i].set(ABSENT);
                a.blocked[i] = None;
                return true;
            }
        }
        false
    }

    /// The stream goes on at another number: a gap of unknown length.
    pub(in crate::transport::tcp) fn restart<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        seq: SeqNumber,
        sink: &mut K,
    ) {
        let i = d.index();
        // All that waits by the old numbers goes out before, or it would stand behind octets of the
        // new ones.
        while self
            .buffers
            .as_ref()
            .is_some_and(|a| !a.waiting[i].is_empty())
            && self.give_up_one(cx, GapCause::Jump, sink)
        {
            self.pump(cx, sink);
        }
        if let Some(a) = self.buffers.as_deref_mut() {
            // FIN, acknowledgments and gaps speak of the old numbers, and would end or shorten the
            // new stream.
            a.finished[i] = None;
            a.marks[i].clear();
            a.gaps[i].clear();
            if let Some(damaged) = &mut a.damaged {
                cx.counters.tcp.refused_octets += damaged[i].truncate(&mut cx.budget, 0);
            }
        }
        let stream = &mut self.streams[i];
        stream.bits &= !FIN;
        // Offsets go on behind all that was seen, so that none of the old numbers can be taken for one of the new.
        let next = stream.rcv_nxt.max(stream.snd_max);
        stream.rcv_nxt = next;
        stream.snd_max = next;
        stream.snd_una = stream.snd_una.min(next);
        self.emit_gap(cx, d, None, GapCause::Jump, sink);
        // After the gap, not before: the gap stands at the old end, the new number at the same
        // offset.
        self.streams[i].place(seq, next);
    }

    /// Flushes both streams and ends them.
    pub(in crate::transport::tcp) fn close<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        close: Close,
        sink: &mut K,
    ) {
        // What waits is delivered before the end: it was captured, and the sink is to see all of it.
        let cause = match close {
            Close::Evicted => GapCause::Memory,
            Close::Fin | Close::Reset => GapCause::Closed,
            Close::Idle | Close::Replaced | Close::EndOfInput => GapCause::End,
        };
        // Set first: what the sink does during the drain must not open the connection again.
        self.closed = true;
        if self.buffers.is_none() {
            return;
        }
        self.drain(cx, cause, sink);
        self.end_streams(cx, Some(close), sink);
        let sides = self.sides();
        if let Some(mut a) = self.buffers.take() {
            // A drain uses every copy that fits a hole. What is left here was worse than what came.
            for waiting in a.damaged.iter_mut().flat_map(|d| d.iter_mut()) {
                cx.counters.tcp.refused_octets += waiting.truncate(&mut cx.budget, 0);
            }
            for waiting in &mut a.waiting {
                // Nothing should be left. If something is, it is counted, so that the counters
                // still balance.
                while let Some(item) = waiting.pop(&mut cx.budget) {
                    cx.counters.tcp.abandoned_octets += item.data().len() as u64;
                }
            }
            let mut at = a.at(cx, &sides, Direction::Forward);
            at.cx
                .emit(at.flow, Direction::Forward, EventKind::Ends(close));
            sink.closed(&mut at, close);
            // Given back behind `closed`: the sink's state lives in the same box until then.
            cx.budget.give(allocated(size_of::<Buffers<S>>()));
        }
    }

    /// When this connection has to be looked at though no packet comes.
    pub(in crate::transport::tcp) fn wake(&mut self, cx: &Context) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let mut at: Option<Instant> = None;
        let mut by = |t: Instant| at = Some(at.map_or(t, |a| a.min(t)));
        // With data, only the reorder window holds the end back. Without, the key stays known for a
        // while, so that data captured behind the RST finds its connection.
        if let Some(reset) = self.reset {
            by(reset.at.after(if self.buffers.is_some() {
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
        if let Some(a) = self.buffers.as_deref_mut() {
            a.wake.into_iter().for_each(&mut by);
            for d in [Direction::Forward, Direction::Reverse] {
                let i = d.index();
                let stream = &self.streams[i];
                if !stream.is(STARTED)
                    && let Some(since) = a.looking[i].1
                {
                    by(since.after(cx.limits.look_behind_time));
                }
                if let Some(end) = holes[i] {
                    // The window by packets cannot be known ahead of time. Its part by time alone
                    // is the latest moment; a packet that fulfils it earlier looks for itself.
                    if let Some((_, mark)) = a.marks[i].iter().find(|(upto, _)| *upto >= end) {
                        by(mark.at.after(cx.limits.reorder_alone));
                    }
                    if let Some(mark) = a.finished[i] {
                        by(mark.at.after(cx.limits.reorder_alone));
                    }
                    let patience = if stream.is(ACKED) {
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
