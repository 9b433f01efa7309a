//! How long a hole is waited for (`Connection::due`), and all else that comes to an end with time or for want of room.

use super::stream_state::{ABSENT, ACKED, ENDED, FIN, RESET, STARTED, StreamState};
use super::{Buffers, Connection, HeldSegment, Mark};
use crate::base::context::Context;
use crate::base::flow::{Direction, FlowKey};
use crate::base::packet::PacketInfo;
use crate::base::serial::SeqNumber;
use crate::base::storage::allocated;
use crate::base::stream::{Close, FlowState, GapCause};
use crate::base::time::Instant;
use crate::base::trace::EventKind;
use crate::transport::stream::StreamSink;
use crate::transport::tcp::order::LINGER;
use crate::transport::tcp::waiting::BufferedPart;
use std::time::Duration;

/// How long a hole is waited for where acknowledgments are captured and none has passed it: TCP may still fill it, and its
/// retransmissions may be 60 seconds apart (RFC 6298, 2.5).
const PATIENCE: Duration = Duration::from_secs(60);

/// Octets that are missing in front of something that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    /// Offset of what waits.
    pub(super) end: u64,
    /// When that came.
    since: Mark,
    /// A damaged copy would fill it, or its beginning.
    damaged: bool,
    /// The snapshot length cut it off a segment.
    cut: bool,
}

/// How long octets wait for a hole in front of them that nobody has acknowledged.
fn patience(cx: &Context, stream: &StreamState) -> Duration {
    // With acknowledgments captured, silence about the hole means that the receiver lacks it
    // too, and the sender will send it again. Without them nothing is known, and a short
    // wait has to do.
    if stream.is(ACKED) {
        PATIENCE.max(cx.limits.tcp_packet_timeout)
    } else {
        cx.limits.tcp_packet_timeout
    }
}

impl<S: FlowState> Connection<S> {
    /// Does all that is due: starts streams, delivers, gives up holes, ends streams.
    pub(in crate::transport::tcp) fn advance<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) {
        self.advance_open(cx, sink);
        let sides = self.sides();
        if let Some(a) = self.buffers.as_deref_mut()
            && a.wake.is_some_and(|at| cx.now >= at)
        {
            sink.wake(&mut a.at(cx, &sides, (Direction::Forward, self.first)));
        }
        if self.is_reset(cx) {
            self.drain(cx, GapCause::Closed, sink);
        }
        self.end_streams(cx, None, sink);
    }

    /// The same, but that no stream ends: for a segment of which the octets are still to be taken.
    pub(super) fn advance_open<K: StreamSink<State = S>>(
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
            let both = [Direction::Forward, Direction::Reverse];
            let demand = |d: Direction| self.demand_due(cx, d).map(|until| (d, until));
            if let Some((d, upto, cause)) = due {
                self.give_up(cx, d, upto, cause, sink);
            } else if let Some((d, until)) = both.into_iter().find_map(demand) {
                self.concede(d, until);
            } else if !self.waits_too_much(cx) || !self.give_up_one(cx, GapCause::Buffer, sink) {
                // Nothing is due. What waits for the other direction without a hole of its own was
                // let go, one by one, until it fits or nothing is left.
                break;
            }
        }
    }

    /// There was a RST, and the data that was captured after it has come too: packets do not count here, as the clocks of
    /// two taps may differ.
    pub(super) fn is_reset(&self, cx: &Context) -> bool {
        let over = |mark: Mark| cx.now.since(mark.at) >= cx.limits.reorder_alone;
        self.reset.is_some_and(over)
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
        for d in [Direction::Forward, Direction::Reverse] {
            let i = d.index();
            let Some(a) = self.buffers.as_deref() else {
                return;
            };
            let (count, since) = a.looking[i];
            // By count or by time, whichever comes first: on a busy stream 16 segments pass in no
            // time, on a slow one nobody wants to wait for them.
            let long = since.is_some_and(|since| cx.now.since(since) >= cx.limits.look_behind_time);
            if (count >= cx.limits.look_behind_segments || long) && self.may_start(i) {
                self.start(cx, i);
                self.trace(cx, d, |_| EventKind::Starts);
            }
        }
    }

    /// The stream was captured from the middle, and there is something that it can begin with: a damaged copy alone has to
    /// be acknowledged.
    fn may_start(&self, i: usize) -> bool {
        let Some(a) = self.buffers.as_deref().filter(|_| self.is_looked_behind(i)) else {
            return false;
        };
        let stream = &self.streams[i];
        let acked = |item: &BufferedPart| stream.is(ACKED) && stream.snd_una > item.offset;
        !a.waiting[i].is_empty() || stream.is(FIN) || a.first_damaged(i).is_some_and(acked)
    }

    /// Begins the delivery of a stream that was captured from the middle, with the first octets that are there: it is known
    /// that octets in front of them are damaged copies, or missing.
    fn start(&mut self, cx: &Context, i: usize) {
        // The acknowledgment came before: behind the damaged copy, as far as that is known.
        let mark = Mark {
            packets: self.packets + 1,
            at: cx.now,
        };
        let Some(a) = self.buffers.as_deref_mut() else {
            return;
        };
        let damaged = a.first_damaged(i).map(|item| item.offset);
        let stream = &mut self.streams[i];
        let end = if stream.is(FIN) {
            stream.fin
        } else {
            stream.rcv_nxt
        };
        let front = a.waiting[i].front().map(|item| item.offset);
        let first = match (front, damaged) {
            (Some(front), Some(damaged)) => front.min(damaged),
            (front, damaged) => front.or(damaged).unwrap_or(end),
        };
        stream.origin = first;
        stream.rcv_nxt = first;
        // A sink's demand or a FIN may lie past the highest octet; `snd_max` never lies behind what
        // is delivered.
        stream.snd_max = stream.snd_max.max(first);
        stream.set(STARTED);
        if damaged == Some(first) && stream.snd_una > first && a.marks[i].is_empty() {
            a.marks[i].push((stream.snd_una, mark));
        }
    }

    /// It is not certain yet where the stream begins.
    #[inline]
    fn is_looked_behind(&self, i: usize) -> bool {
        let looking = self
            .buffers
            .as_ref()
            .is_some_and(|a| a.looking[i].1.is_some());
        looking && !self.streams[i].is(STARTED)
    }

    /// The packet brings octets of a stream behind the first of the other one, which is still looked behind: those go first, as they
    /// were captured.
    #[inline]
    pub(super) fn is_held_up(&self, i: usize, frame: u64) -> bool {
        let o = 1 - i;
        self.is_looked_behind(o)
            && self.buffers.as_ref().is_some_and(|a| {
                let first = a.waiting[o].front();
                first.is_some_and(|item| item.origin.frame < frame)
            })
    }

    /// The hole that is next in this stream: octets are missing, and something waits behind them.
    pub(super) fn hole(&self, d: Direction) -> Option<Hole> {
        let i = d.index();
        let a = self.buffers.as_deref()?;
        // While it is looked behind there is no hole: what is in front may be the start.
        let stream = &self.streams[i];
        if self.is_looked_behind(i) || stream.is(ENDED) {
            return None;
        }
        let hole = |item: &BufferedPart, end| Hole {
            end,
            since: Mark {
                packets: item.origin.packets,
                at: item.origin.arrived,
            },
            damaged: false,
            cut: false,
        };
        let front = a.waiting[i].front().map(|item| Hole {
            cut: self.is_cut(i),
            // What knows of octets that were cut off waits behind them.
            ..hole(
                item,
                if self.is_cut(i) {
                    item.end()
                } else {
                    item.offset
                },
            )
        });
        // Nearly always it is the only one; asked several times for each packet while something waits.
        if a.damaged.is_none() && !stream.is(FIN) {
            return front.filter(|hole| hole.end > stream.rcv_nxt);
        }
        // What lacks before a FIN is a hole too: the end of the stream waits behind it.
        let fin = a.finished[i].filter(|_| stream.is(FIN)).map(|since| Hole {
            end: stream.fin,
            since,
            damaged: false,
            cut: false,
        });
        // Octets of which only a damaged copy is there are a hole of their own.
        // The copy fills the hole when it stands at its front. Else the hole ends where the
        // copy begins, so that real loss and damage are given up apart.
        let damaged = a.first_damaged(i).map(|item| {
            let (from, to) = (item.offset, item.offset + item.data().len() as u64);
            if from > stream.rcv_nxt && stream.is(STARTED) {
                hole(item, from)
            } else {
                Hole {
                    damaged: true,
                    ..hole(item, to)
                }
            }
        });
        // The nearest of the three: giving up more than needed would lose what could still arrive.
        let first = [damaged, front, fin].into_iter().flatten();
        let mut first = first.min_by_key(|hole| hole.end)?;
        if let Some(damaged) = damaged.filter(|hole| hole.damaged) {
            first.damaged = true;
            first.since = damaged.since;
        }
        first.cut = self.is_cut(i);
        (first.end > stream.rcv_nxt).then_some(first)
    }

    /// What comes next in this stream is known, and the snapshot length cut it off.
    pub(super) fn is_cut(&self, i: usize) -> bool {
        let stream = &self.streams[i];
        let front = self.buffers.as_deref().and_then(|a| a.waiting[i].front());
        front.is_some_and(|item| {
            item.lost() > 0 && (item.offset <= stream.rcv_nxt || !stream.is(STARTED))
        })
    }

    /// Up to where the other stream waits for this one, whose octets are not there.
    fn demand(&self, d: Direction) -> Option<u64> {
        let i = d.index();
        let until = self.buffers.as_deref()?.blocked[d.flip().index()]?;
        let stream = &self.streams[i];
        let there = stream.rcv_nxt.max(self.conceded(i));
        (!self.is_looked_behind(i) && !stream.is(ENDED | ABSENT) && until > there).then_some(until)
    }

    /// When the other side was first known to have everything before an offset.
    pub(super) fn marked(&self, i: usize, end: u64) -> Option<Mark> {
        let marks = &self.buffers.as_deref()?.marks[i];
        let mark = marks.iter().find(|(upto, _)| *upto >= end);
        mark.map(|(_, mark)| *mark)
    }

    /// The hole that is to be given up now in this stream: its end, and why.
    fn due(&mut self, cx: &Context, d: Direction) -> Option<(u64, GapCause)> {
        self.hole(d).and_then(|hole| self.due_hole(cx, d, hole))
    }

    /// The same of the hole that is next in the stream.
    pub(super) fn due_hole(
        &mut self,
        cx: &Context,
        d: Direction,
        hole: Hole,
    ) -> Option<(u64, GapCause)> {
        let i = d.index();
        let Hole {
            end,
            since,
            damaged,
            cut,
        } = hole;
        let acked = self.marked(i, end);
        let over = [self.buffers.as_deref()?.finished[i], self.reset];
        let stream = self.streams[i];
        let a = self.buffers.as_deref_mut()?;
        // Room before time: the limits hold whatever the clock says.
        let oldest = a.oldest(i);
        if a.size(i) > cx.limits.tcp_buffer {
            return Some((end, GapCause::Buffer));
        }
        if a.waiting[i].runs() > cx.limits.tcp_holes {
            return Some((end, GapCause::Holes));
        }
        // The other side has what the snapshot length cut off: nobody sends that again, and what is known of the message should not
        // wait for it. Where nobody acknowledges, nothing tells whether it is sent again.
        if cut && (!stream.is(ACKED) || stream.snd_una >= end) {
            return Some((end, GapCause::Snapped));
        }
        // The other side took the copy that was captured with a wrong sum: there was no better one before.
        if damaged && acked.is_some_and(|mark| mark.packets > since.packets) {
            return Some((end, GapCause::Acked));
        }
        // The other side has these octets, so the capture lost them. Not at once: on mirrored traffic an acknowledgment is
        // often captured before the data that it acknowledges, by half a second where the clocks of two taps differ. The
        // wait begins when there is something that waits: before that, what comes next may be what is missing.
        // The first mark that covers the hole. Its time is kept even where later acknowledgments
        // reach further, so that a busy receiver cannot prolong a wait.
        if acked.is_some_and(|mark| self.window_passed(cx, mark.and(since))) {
            return Some((end, GapCause::Acked));
        }
        // The same holds for a FIN or a RST that is captured before the data in front of it.
        let mut over = over.into_iter().flatten();
        if over.any(|mark| self.window_passed(cx, mark.and(since))) {
            return Some((end, GapCause::Closed));
        }
        let patience = patience(cx, &stream);
        if oldest.is_some_and(|t| cx.now.since(t) >= patience) {
            return Some((end, GapCause::Timeout));
        }
        None
    }

    /// The other stream has waited long enough for octets of this one that were acknowledged: up to where.
    fn demand_due(&self, cx: &Context, d: Direction) -> Option<u64> {
        let until = self.demand(d)?;
        let over = [self.marked(d.index(), until), self.reset];
        let mut over = over.into_iter().flatten();
        over.any(|mark| self.window_passed(cx, mark))
            .then_some(until)
    }

    /// Lets the other stream go on without this one's octets up to an offset. Nothing is given up: they are taken when they
    /// come.
    fn concede(&mut self, d: Direction, until: u64) {
        let i = d.index();
        if let Some(a) = self.buffers.as_deref_mut() {
            a.conceded[i] = a.conceded[i].max(until);
        }
        let stream = &mut self.streams[i];
        if !stream.is(STARTED) {
            // Nothing of this direction was captured so far: nobody waits for it until something is.
            stream.set(ABSENT);
        }
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
        let packets = self.packets.saturating_sub(since.packets);
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
        // Where only damaged copies of a direction were captured it begins behind the hole before them.
        stream.begin();
        let next = stream.rcv_nxt;
        let Some(len) = upto.checked_sub(next).filter(|len| *len > 0) else {
            return;
        };
        let Some(a) = self.buffers.as_deref_mut() else {
            return;
        };
        let waiting = &mut a.waiting[d.index()];
        let cut = waiting.front().is_some_and(|item| item.offset <= next);
        let cut = cut.then(|| waiting.take_lost(&mut cx.budget, upto));
        let Some((len, origin, push)) = cut.flatten() else {
            return self.emit_gap(cx, d, Some(len), cause, sink);
        };
        // What ends with octets that were cut off was complete, as far as the capture goes, when their segment came.
        let own = PacketInfo {
            frame: origin.frame,
            time: origin.time,
            interface: origin.interface,
            ..cx.packet
        };
        cx.for_packet(own, |cx| {
            self.emit_gap_of(cx, d, (Some(len), GapCause::Snapped), push, sink);
        });
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
        // A start that is still looked behind costs least: nothing is lost by it. Both at once, so that the two streams come
        // out in turn, as one acknowledges the other.
        let looked = [0, 1].map(|i| self.is_looked_behind(i));
        if looked != [false; 2] {
            for i in (0..2).filter(|i| looked[*i]) {
                self.start(cx, i);
            }
            return true;
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
        let holes = [Direction::Forward, Direction::Reverse]
            .map(|d| self.hole(d).map(|hole| (d, hole.end)));
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
        // Octets that wait for those of the other stream, which nobody has.
        for d in [Direction::Forward, Direction::Reverse] {
            if let Some(until) = self.demand(d) {
                self.concede(d, until);
                return true;
            }
        }
        // Nothing is missing, and still something waits: what it waits for will not come.
        // Both streams wait for each other, as lost packets can bring about. One has to go first.
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
            if let Some(damaged) = &mut a.damaged {
                cx.counters.tcp.refused_octets += damaged[i].truncate(&mut cx.budget, 0);
            }
        }
        // So would a RST, which ends both streams: it was not the end of what goes on here.
        self.reset = None;
        for stream in &mut self.streams {
            stream.bits &= !RESET;
        }
        let stream = &mut self.streams[i];
        stream.bits &= !FIN;
        // Offsets go on behind all that was seen or acknowledged, so that none of the old numbers can be taken for one of the new.
        let next = stream.rcv_nxt.max(stream.snd_max);
        let unseen = next - stream.rcv_nxt;
        stream.snd_una = stream.snd_una.min(next);
        // Before a stream begins nobody has heard of the old numbers, which an acknowledgment named: there is no gap between
        // them and the new ones, and a SYN or earlier octets may still move the beginning.
        if stream.is(STARTED) {
            if unseen > 0 {
                self.emit_gap(cx, d, Some(unseen), GapCause::Jump, sink);
            }
            self.emit_gap(cx, d, None, GapCause::Jump, sink);
        }
        let stream = &mut self.streams[i];
        stream.rcv_nxt = next;
        stream.snd_max = next;
        // What is missing has old numbers.
        if let Some(a) = self.buffers.as_deref_mut() {
            a.gaps[i].clear();
        }
        // After the gap, not before: the gap stands at the old end, the new number at the same
        // offset.
        self.streams[i].place(seq, next);
    }

    /// Flushes both streams and ends them; gives how they ended, which a FIN of each says that was behind a hole, or whose
    /// stream had not begun yet.
    pub(in crate::transport::tcp) fn close<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        mut close: Close,
        sink: &mut K,
    ) -> Close {
        // What waits is delivered before the end: it was captured, and the sink is to see all of it.
        let cause = close.gap_cause();
        // Set first: what the sink does during the drain must not open the connection again.
        self.closed = true;
        if self.buffers.is_none() {
            if !cx.limits.empty_connections {
                self.tell_end(cx, key, close, sink);
                return close;
            }
            // Of its link headers only the tags were kept: the packet at hand is another connection's.
            let link = std::mem::take(&mut cx.packet.link);
            self.activate(cx, key, Direction::Forward);
            cx.packet.link = link;
        }
        self.drain(cx, cause, sink);
        self.end_streams(cx, Some(close), sink);
        let at_fin = |stream: &StreamState| stream.is(FIN) && stream.rcv_nxt >= stream.fin;
        if close != Close::Evicted && close != Close::Reset && self.streams.iter().all(at_fin) {
            close = Close::Fin;
        }
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
            let mut at = a.at(cx, &sides, (Direction::Forward, self.first));
            at.cx
                .emit(at.flow, Direction::Forward, EventKind::Ends(close));
            sink.closed(&mut at, close);
            // Given back behind `closed`: the sink's state lives in the same box until then.
            cx.budget.give(allocated(size_of::<Buffers<S>>()));
        }
        self.tell_end(cx, key, close, sink);
        close
    }

    /// When this connection has to be looked at though no packet comes.
    pub(in crate::transport::tcp) fn wake(&mut self, cx: &Context) -> Option<Instant> {
        let held = |h: &HeldSegment| h.arrived.after(cx.limits.tcp_packet_timeout);
        if self.closed {
            return self.held().first().map(held);
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
            by(held(first));
        }
        for until in [self.unacked(cx, 0), self.unacked(cx, 1)] {
            until.into_iter().for_each(&mut by);
        }
        for d in [Direction::Forward, Direction::Reverse] {
            let i = d.index();
            if let Some(mark) = self.demand(d).and_then(|until| self.marked(i, until)) {
                by(mark.at.after(cx.limits.reorder_alone));
            }
            let Some(hole) = self.hole(d) else { continue };
            let finished = self.buffers.as_deref().and_then(|a| a.finished[i]);
            let over = [self.marked(i, hole.end), finished, self.reset];
            for mark in over.into_iter().flatten() {
                by(mark.and(hole.since).at.after(cx.limits.reorder_alone));
            }
        }
        let holes = [self.hole(Direction::Forward), self.hole(Direction::Reverse)];
        let starts = [self.may_start(0), self.may_start(1)];
        if let Some(a) = self.buffers.as_deref_mut() {
            a.wake.into_iter().for_each(&mut by);
            for d in [Direction::Forward, Direction::Reverse] {
                let i = d.index();
                let stream = &self.streams[i];
                if starts[i]
                    && let Some(since) = a.looking[i].1
                {
                    by(since.after(cx.limits.look_behind_time));
                }
                // The window by packets cannot be known ahead of time. Its part by time alone
                // is the latest moment; a packet that fulfils it earlier looks for itself.
                if holes[i].is_some()
                    && let Some(t) = a.oldest(i)
                {
                    by(t.after(patience(cx, stream)));
                }
            }
        }
        at
    }
}
