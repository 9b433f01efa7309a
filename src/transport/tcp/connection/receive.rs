//! What a segment that fits does to its connection: numbers, acknowledgments, octets, RST and FIN (RFC 9293, 3.10.7.4, as
//! seen from between the endpoints).

use super::stream_state::{ABSENT, ACKED, ANSWERED, BASED, FIN, HINT, RESET, SEEN, STARTED, SYN};
use super::{Connection, Mark};
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flags;
use crate::base::flow::{Direction, FlowKey};
use crate::base::packet::LinkHeader;
use crate::base::serial::SeqNumber;
use crate::base::stream::{Chunk, FlowState, ORIGIN};
use crate::base::trace::{Fate, Overlaps};
use crate::transport::stream::StreamSink;
use crate::transport::tcp::segment::Segment;
use crate::transport::tcp::waiting::{ReorderBuffer, SegmentOrigin};

/// Acknowledgments past missing octets that are remembered one by one. They only matter while a hole is open, that is for
/// the reorder window; of more, every second one is forgotten, which makes a wait longer and loses nothing.
const MARKS: usize = 16;

impl<S: FlowState> Connection<S> {
    /// A segment that [`is_next_in_order`](Self::is_next_in_order), as most are, comes where nothing is open in the connection
    /// that it could change but the numbers: [`take_next`](Self::take_next) may take it.
    #[inline(always)] // on the way of nearly every segment
    pub(in crate::transport::tcp) fn may_take_next(
        &self,
        cx: &Context,
        d: Direction,
        s: &Segment<'_>,
    ) -> bool {
        let stream = &self.streams[d.index()];
        // A cut tail is a hole.
        if stream.bits & (SEEN | STARTED | ABSENT) != SEEN | STARTED
            || s.payload.len() != s.payload_len as usize
            || cx.trace.is_on()
            || !self.waits_for_nothing()
        {
            return false;
        }
        // The first packet of a direction is looked at for its link header, also where it has no octets.
        match self.buffers.as_deref() {
            None => s.payload.is_empty(),
            Some(a) => {
                // What ends where the highest octet does could be a keep-alive.
                let plain = !cx.limits.wait_ack && stream.snd_max <= stream.rcv_nxt;
                a.linked[d.index()]
                    && (plain || s.payload.is_empty())
                    && a.wake.is_none_or(|at| cx.now < at)
            }
        }
    }

    /// Takes a segment that it [`may_take_next`](Self::may_take_next): true where nothing has to be looked after behind it.
    // What `receive` does for it, and nothing that it does for others: on the way of nearly every segment.
    #[inline(always)]
    pub(in crate::transport::tcp) fn take_next<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        d: Direction,
        s: &Segment<'_>,
        sink: &mut K,
    ) -> bool {
        let (i, o) = (d.index(), d.flip().index());
        let data = s.payload;
        let start = self.streams[i].rcv_nxt;
        let mut buffers = self.buffers.as_deref_mut();
        self.packets += 1;
        self.forward_packets += u64::from(d == Direction::Forward);
        self.last = cx.now;
        self.streams[i].window = s.window;
        let other = &mut self.streams[o];
        let ack = s.ack.map(|ack| other.offset(ack));
        if let Some(ack) = ack {
            other.set(ACKED);
            if ack > other.snd_una {
                other.snd_una = ack;
                if let Some(a) = &mut buffers {
                    a.acked_at[o] = cx.packet.time;
                }
            }
        }
        let Some(a) = buffers.filter(|_| !data.is_empty()) else {
            // When the sink wants to be woken is arranged already.
            return true;
        };
        let stream = &mut self.streams[i];
        let end = start + data.len() as u64;
        stream.snd_max = end;
        cx.counters.tcp.accepted_octets += data.len() as u64;
        if let Some(sum) = s.payload_sum {
            a.recent[i].push(&cx.sample, start, data, sum);
        }
        let chunk = Chunk {
            offset: start,
            data,
            time: cx.packet.time,
            frame: cx.packet.frame,
            interface: cx.packet.interface,
            at: s.offset,
            ack,
            push: s.has(flags::PSH),
            cut: false,
            ends_segment: true,
            sum: s.payload_sum,
            acknowledged: (stream.is(ACKED) && stream.snd_una >= end).then_some(a.acked_at[i]),
        };
        let left = self.deliver(cx, d, chunk, sink);
        if left > 0 {
            let origin = self.origin_of(cx, d, s, ack);
            self.keep_rest(cx, i, &data[data.len() - left..], end, origin);
        }
        let quiet = self.is_quiet();
        if !quiet {
            self.advance(cx, sink);
        }
        quiet
    }

    /// Keeps the octets up to `end` that the sink has left, as it waits for the other direction: they were in the read buffer.
    fn keep_rest(
        &mut self,
        cx: &mut Context,
        i: usize,
        rest: &[u8],
        end: u64,
        origin: SegmentOrigin,
    ) {
        if let Some(a) = self.buffers.as_deref_mut() {
            let overlap = cx.limits.overlap;
            let from = end - rest.len() as u64;
            a.waiting[i].insert(&mut cx.budget, from, rest, 0, origin, overlap);
        }
    }

    /// Nothing waits in the connection and nothing ends, so that there is nothing to look after.
    #[inline(always)]
    fn is_quiet(&self) -> bool {
        self.waits_for_nothing() && self.buffers.as_deref().is_none_or(|a| a.wake.is_none())
    }

    /// No octets wait in the connection and nothing ends; the sink may want to be woken.
    #[inline(always)]
    fn waits_for_nothing(&self) -> bool {
        let [a, b] = &self.streams;
        if self.reset.is_some() || (a.bits | b.bits) & FIN != 0 || !self.held().is_empty() {
            return false;
        }
        let Some(a) = self.buffers.as_deref() else {
            return true;
        };
        let [forward, reverse] = &a.waiting;
        forward.is_empty()
            && reverse.is_empty()
            && a.damaged.is_none()
            && matches!(a.blocked, [None, None])
    }

    /// Takes a segment that fits. True where nothing waits in the connection and nothing ends, so that there is nothing to
    /// look after.
    pub(in crate::transport::tcp) fn receive<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        d: Direction,
        s: &Segment<'_>,
        sink: &mut K,
    ) -> bool {
        // Counted before anything else: the reorder window is measured in packets of the
        // connection, and each of them counts, also those without data.
        self.packets += 1;
        self.forward_packets += u64::from(d == Direction::Forward);
        self.last = cx.now;
        let (i, o) = (d.index(), d.flip().index());
        self.note(d, &cx.packet);
        if self.streams[i].is(ANSWERED) {
            self.streams[i].begin();
        }
        // It was given up as never seen. Here it is after all, so the other direction may wait for
        // it again.
        self.streams[i].bits &= !ABSENT;
        self.streams[i].window = s.window;
        if s.has(flags::SYN) {
            // Asked of the streams: something may be allocated for a connection that has had no octet.
            let unused = self.waiting() == 0
                && self
                    .streams
                    .iter()
                    .all(|stream| !stream.is(STARTED) || stream.rcv_nxt == stream.origin);
            if unused {
                // An attempt that was refused is made again with the same number.
                self.reset = None;
                for stream in &mut self.streams {
                    stream.bits &= !RESET;
                }
            }
            // SYN before ACK before data: each step may fix the numbers that the next one is
            // measured with.
            self.receive_syn(d, s);
        }
        if let Some(a) = &mut self.buffers
            && !a.linked[i]
        {
            a.linked[i] = true;
            a.flow.links[i] = LinkHeader {
                tags: self.tags[i],
                ..cx.packet.link
            };
        }
        // Acknowledgments before data: what a response acknowledges is evidence for the request
        // that it answers, and the request must come out first.
        // That of a RST is believed where the RST is.
        let resets = s.has(flags::RST) && self.receive_rst(cx, d, s);
        if resets || !s.has(flags::RST) {
            self.receive_ack(cx, d, s);
        }
        let cut = self.is_cut(o);
        if cut {
            // The gap before what this segment brings: in answer to it, as like as not. An end has to wait for its octets.
            self.advance_open(cx, sink);
        }
        if s.has(flags::RST) {
            if resets && cx.limits.empty_connections {
                self.activate(cx, key, d);
            }
            self.fate(cx, d, s, Fate::Reset(resets));
            // Octets in a RST are a diagnostic text of some stacks (RFC 9293, 3.5.3 allows it),
            // never stream data.
            cx.counters.tcp.refused_octets += s.payload.len() as u64;
        } else {
            if s.payload_len > 0 {
                self.receive_data(cx, key, d, s, sink);
            } else {
                let other = &self.streams[o];
                let ack = s.ack.filter(|_| other.numbered());
                let ack = ack.map(|ack| other.relative(other.offset(ack)));
                self.fate(cx, d, s, Fate::Used { ack });
            }
            // FIN after data: the FIN stands behind the octets of its own segment.
            if s.has(flags::FIN) {
                self.receive_fin(cx, key, d, s);
            }
        }
        let quiet = self.is_quiet();
        // Held segments and ends need the clock. Blocked or waiting octets may have become free
        // by this packet. Only where none of that is so can the rest be skipped.
        if !quiet {
            self.advance(cx, sink);
        }
        // What waited behind the cut may be gone.
        quiet && !cut
    }

    /// What a segment acknowledges, as an offset in the other stream; None where that does not fit.
    #[inline]
    pub(super) fn acknowledged_by(
        &self,
        max_gap: u32,
        d: Direction,
        s: &Segment<'_>,
    ) -> Option<u64> {
        let other = &self.streams[d.flip().index()];
        let Some(ack) = s.ack else {
            // Octets on a SYN were sent before anything of the other side came.
            return s.has(flags::SYN).then_some(other.origin);
        };
        let offset = other.offset(ack);
        (other.numbered() && other.may_acknowledge(offset, max_gap)).then_some(offset)
    }

    fn receive_syn(&mut self, d: Direction, s: &Segment<'_>) {
        let waiting = self.buffers.as_ref().map(|a| &a.waiting[d.index()]);
        let waiting = waiting
            .and_then(ReorderBuffer::front)
            .map(|item| item.offset);
        let stream = &mut self.streams[d.index()];
        if let Some(shift) = s.window_scale {
            stream.set_scale(shift);
        }
        // Only the first SYN sets the origin. A repeated one must not move what has been delivered
        // since.
        if stream.is(SYN) {
            return;
        }
        let first = s.data_seq();
        if !stream.numbered() {
            // Nothing was known of this direction: the SYN gives the numbers.
            stream.place(first, ORIGIN);
        } else if !stream.is(STARTED) || (stream.is(ANSWERED) && stream.rcv_nxt == stream.origin) {
            // Data, or an acknowledgment, came before its SYN. What that acknowledged may have been on the SYN.
            // Octets that wait stay where they are: their offsets were counted from an earlier guess,
            // and `origin` moves before them.
            let offset = stream.offset(first);
            if waiting.is_some_and(|waiting| waiting < offset) {
                // Octets come before it: it is not the SYN of this stream.
                return;
            }
            stream.origin = offset;
            stream.rcv_nxt = offset;
        }
        stream.set(SYN | BASED);
        stream.begin();
    }

    pub(super) fn receive_ack(&mut self, cx: &Context, d: Direction, s: &Segment<'_>) {
        let Some(ack) = s.ack else { return };
        let packets = self.packets;
        let o = d.flip().index();
        let stream = &mut self.streams[o];
        if !stream.numbered() {
            // The acknowledgment number of a RST is only right where it answers a SYN (RFC 9293,
            // 3.10.7.1). As a first number it would place a whole stream wrongly.
            if s.has(flags::RST) {
                return;
            }
            // The first number known of the other side. It is a hint: data or its SYN, captured
            // later, may begin before it.
            stream.place(ack, ORIGIN);
            stream.set(HINT);
        }
        let offset = stream.offset(ack);
        // An acknowledgment far outside of what was seen is forged, or of another connection on
        // these ports. Believing it would give up every hole.
        if !stream.may_acknowledge(offset, cx.limits.max_gap) {
            return;
        }
        // A SYN-ACK acknowledges exactly the other side's SYN, and so names the first octet. Not
        // where data waits before it: then the SYN-ACK is of a later connection, or repeated late.
        let before = self.buffers.as_ref().and_then(|a| a.waiting[o].front());
        let first = before.is_none_or(|item| offset <= item.offset);
        if s.has(flags::SYN) && !stream.is(STARTED) && first {
            stream.origin = offset;
            stream.rcv_nxt = offset;
            stream.snd_max = stream.snd_max.max(offset);
            stream.set(ANSWERED | BASED);
            if stream.is(SEEN) {
                stream.begin();
            }
        }
        stream.set(ACKED);
        // Acknowledgments are cumulative; older ones come late and say nothing new.
        if offset > stream.snd_una {
            stream.snd_una = offset;
            if let Some(a) = &mut self.buffers {
                a.acked_at[o] = cx.packet.time;
            }
            // Past what was delivered: here the capture may lack octets that the receiver had. The
            // mark says since when that is known.
            if offset > stream.rcv_nxt
                && let Some(a) = &mut self.buffers
            {
                let marks = &mut a.marks[o];
                // Marks below the delivered offset can end no hole any more.
                marks.retain(|(upto, _)| *upto > stream.rcv_nxt);
                if marks.len() >= MARKS {
                    // What one told falls to the next later one: a hole is then waited for longer, never shorter.
                    // The first one stays: the hole that is next has waited longest.
                    let mut keep = false;
                    marks.retain(|_| {
                        keep = !keep;
                        keep
                    });
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
    fn receive_rst(&mut self, cx: &Context, d: Direction, s: &Segment<'_>) -> bool {
        let (stream, other) = (&self.streams[d.index()], &self.streams[d.flip().index()]);
        // A blind attacker, or a RST of an earlier connection, must not cut a stream that goes on.
        // With a number known only by hint nothing can be checked against the window.
        let in_window = if stream.numbered()
            && stream.is(SEEN)
            && (stream.is(BASED) || stream.snd_max > ORIGIN)
        {
            let offset = stream.offset(s.seq);
            // A scale that was not seen is taken to be the largest (RFC 7323, 2.3).
            let shift = if other.is(SYN) { other.scale() } else { 14 };
            // --max-gap may be less than a window without scaling has.
            let window = (u64::from(other.window) << shift)
                .min(u64::from(cx.limits.max_gap))
                .max(1 << 16);
            // The receiver's window begins at what it acknowledged. The capture may have seen more
            // (data in flight) or less (loss), so the lower of the two is taken.
            let low = if stream.is(ACKED) {
                stream.snd_una.min(stream.rcv_nxt)
            } else {
                stream.rcv_nxt
            };
            // The window begins at what the receiver has, but the sender may reset at its highest
            // number too.
            let top = stream.snd_max.max(stream.snd_una).max(stream.rcv_nxt);
            // A FIN takes a number too, and an acknowledgment may cover it. What lies outside is a blind reset (RFC 5961,
            // 3), which the receiver does not believe either.
            low <= offset + 1 && offset <= top.saturating_add(window)
        } else {
            self.answers_syn(d, s) || (stream.numbered() && stream.offset(s.seq) == ORIGIN)
        };
        // The first RST counts. Repeated ones must not push back the time at which the streams end.
        if in_window && self.reset.is_none() {
            self.streams[d.index()].set(RESET);
            self.reset = Some(Mark {
                packets: self.packets,
                at: cx.now,
            });
        }
        in_window
    }

    fn receive_fin(&mut self, cx: &mut Context, key: &FlowKey, d: Direction, s: &Segment<'_>) {
        let i = d.index();
        // A FIN alone still tells where the stream ends, and so where it is to be looked behind.
        if !self.streams[i].numbered() {
            self.streams[i].place(s.seq, ORIGIN);
            self.streams[i].set(HINT);
        }
        let offset = self.streams[i].offset(s.data_seq()) + u64::from(s.payload_len);
        let stream = &mut self.streams[i];
        // Only the first FIN counts, and one below the delivered offset is late or forged: it would
        // take back octets.
        if stream.is(FIN) || (stream.is(STARTED) && offset < stream.rcv_nxt) {
            return;
        }
        stream.set(FIN);
        stream.fin = offset;
        // What came before the FIN may be captured a little late; the wait has to end even if no
        // data comes.
        if !stream.is(STARTED) {
            let now = cx.now;
            let a = self.activate(cx, key, d);
            a.looking[i].1.get_or_insert(now);
        } else if offset > stream.rcv_nxt {
            // Octets before it are missing, or wait.
            self.activate(cx, key, d);
        }
        if let Some(a) = &mut self.buffers {
            a.finished[i] = Some(Mark {
                packets: self.packets,
                at: cx.now,
            });
            // What already waits past the FIN cannot be data of this stream.
            cx.counters.tcp.abandoned_octets += a.waiting[i].truncate(&mut cx.budget, offset);
        }
    }

    /// Takes a segment's octets: delivered at once where they come next, else they wait.
    fn receive_data<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        d: Direction,
        s: &Segment<'_>,
        sink: &mut K,
    ) {
        let i = d.index();
        if self.is_first_keep_alive(d, s) {
            let stream = &mut self.streams[i];
            if !stream.is(HINT) {
                // What it repeats was sent before the capture began: the stream goes on behind it.
                stream.place(s.data_seq().add(1), ORIGIN);
                stream.set(HINT);
            }
            let counters = &mut cx.counters.tcp;
            counters.keep_alives += 1;
            counters.duplicate_octets += s.payload.len() as u64;
            self.fate(cx, d, s, Fate::KeepAlive);
            return;
        }
        // Memory for a connection is taken with its first octet, not with its SYN: a flood of SYNs
        // allocates nothing here.
        self.activate(cx, key, d);
        let stream = &mut self.streams[i];
        if !stream.numbered() {
            stream.place(s.data_seq(), ORIGIN);
        }
        // Data fixes the numbers for good; an acknowledgment had only hinted at them.
        stream.set(BASED);
        let start = stream.offset(s.data_seq());
        let mut data = s.payload;
        let mut lost = u64::from(s.payload_len) - data.len() as u64;
        // The first FIN is believed. Data behind it belongs to another connection, or tries to get
        // past a monitor that ended the stream there.
        if stream.is(FIN) && start + data.len() as u64 + lost > stream.fin {
            // Data past the FIN.
            let keep = usize::try_from(stream.fin.saturating_sub(start))
                .unwrap_or(usize::MAX)
                .min(data.len());
            cx.counters.tcp.refused_octets += (data.len() - keep) as u64;
            if keep < data.len() {
                cx.discard(Discard::TcpAfterEnd);
            }
            data = &data[..keep];
            // The missing tail ends at the FIN too, else a gap would be emitted past the end of the
            // stream.
            lost = lost.min(stream.fin.saturating_sub(start + keep as u64));
            if keep == 0 && lost == 0 {
                self.fate(cx, d, s, Fate::BehindFin);
                return;
            }
        }
        let end = start + data.len() as u64 + lost;
        // A keep-alive repeats the last octet, or makes one up (RFC 9293, 3.8.4): it must not count as a retransmission, and
        // never as a conflict.
        // `snd_max` is the highest octet seen; a single octet that ends there repeats it. A
        // zero-window probe ends one past it and is data (RFC 9293, 3.8.6.1).
        let counters = &mut cx.counters.tcp;
        if s.payload_len == 1 && end == stream.snd_max && stream.is(STARTED) {
            counters.keep_alives += 1;
            counters.duplicate_octets += data.len() as u64;
            self.fate(cx, d, s, Fate::KeepAlive);
            return;
        }
        // An acknowledgment out of reach is not of this connection's numbers. Used as an offset it
        // could make a message wait for octets that never come.
        let ack = self.acknowledged_by(cx.limits.max_gap, d, s);
        let origin = self.origin_of(cx, d, s, ack);
        let held_up = self.is_held_up(i, origin.frame);
        let stream = &mut self.streams[i];
        let Some(a) = self.buffers.as_deref_mut() else {
            return;
        };
        let (mut offset, mut differs) = (start, false);
        if stream.is(STARTED) {
            // Nothing new. Only a segment of a given-up hole is late; all else is a copy or lies
            // before the start.
            if end <= stream.rcv_nxt {
                let len = data.len() as u64;
                let fate = self.count_old(cx, d, start, data);
                self.fate(cx, d, s, fate);
                if let Fate::Duplicate(overlaps) = fate {
                    self.emit_duplicate(cx, d, start, len, overlaps.conflict, sink);
                }
                return;
            }
            if start < stream.rcv_nxt {
                // A retransmission that goes past what was delivered brings its new octets.
                // A cut segment may know fewer octets than it claims; the missing part is not
                // counted as duplicate.
                let known = usize::try_from(stream.rcv_nxt - start)
                    .unwrap_or(usize::MAX)
                    .min(data.len());
                let counters = &mut cx.counters.tcp;
                counters.duplicate_octets += known as u64;
                counters.overlaps += 1;
                differs = a.recent[i].differs(&cx.sample, start, &data[..known]);
                counters.conflicts += u64::from(differs);
                data = &data[known..];
                offset = stream.rcv_nxt.max(start + known as u64);
                lost = end - offset - data.len() as u64;
            }
            // Raised before delivery: a sink that asks for the state must see the octets it is
            // being given.
            stream.snd_max = stream.snd_max.max(end);
            let first_waiting = a.waiting[i].front().map(|item| item.offset);
            // The common case goes to the sink from the read buffer: nothing is copied and nothing allocated. Everything
            // else that has a claim to these octets excludes it: a sink that waits for the other direction, a cut tail,
            // `--wait-ack`, waiting octets that overlap.
            if offset == stream.rcv_nxt
                && a.blocked[i].is_none()
                && lost == 0
                && !cx.limits.wait_ack
                && !held_up
                && first_waiting.is_none_or(|front| front >= end)
            {
                cx.counters.tcp.accepted_octets += data.len() as u64;
                let chunk = Chunk {
                    offset,
                    data,
                    time: origin.time,
                    frame: origin.frame,
                    interface: origin.interface,
                    at: s
                        .offset
                        .after(usize::try_from(offset - start).unwrap_or(usize::MAX)),
                    ack,
                    push: origin.push && !origin.cut,
                    cut: false,
                    ends_segment: true,
                    // The sum stands for the whole payload. A part of it needs a sum of its own.
                    sum: s.payload_sum.filter(|_| data.len() == s.payload.len()),
                    acknowledged: (stream.is(ACKED) && stream.snd_una >= end)
                        .then_some(a.acked_at[i]),
                };
                if let Some(sum) = chunk.sum {
                    a.recent[i].push(&cx.sample, offset, data, sum);
                }
                let fate = match first_waiting {
                    Some(_) => Fate::Fills(Overlaps::default()),
                    None => Fate::InOrder {
                        known: offset - start,
                    },
                };
                self.fate(cx, d, s, fate);
                // The duplicate is reported before the new octets, which is their order in the
                // segment.
                self.emit_duplicate(cx, d, start, offset - start, differs, sink);
                let left = self.deliver(cx, d, chunk, sink);
                if left > 0 {
                    self.keep_rest(cx, i, &data[data.len() - left..], end, origin);
                }
                return;
            }
        } else {
            // Start in the middle: earlier ones may come a little late. Nothing is delivered before that is certain, as
            // what has been delivered cannot be preceded by anything.
            stream.snd_max = stream.snd_max.max(end);
            // Each segment counts, duplicates included: what matters is how long the capture has
            // gone on, not how much of it was new.
            let looking = &mut a.looking[i];
            looking.0 += 1;
            looking.1.get_or_insert(cx.now);
        }
        // With `--wait-ack` every octet passes through the buffer. In order, it waits for no hole
        // and must not count as out of order.
        let in_order = (cx.limits.wait_ack || held_up)
            && stream.is(STARTED)
            && (offset == stream.rcv_nxt
                || a.waiting[i].contiguous(stream.rcv_nxt) == Some(offset));
        // Asked before the insertion, which changes both.
        let was_empty = a.waiting[i].is_empty();
        let behind_all = a.waiting[i].end().is_none_or(|last| offset >= last);
        // What comes next behind octets that the snapshot length cut off is in order.
        let behind_cut = a.waiting[i].front().is_some_and(|item| item.lost() > 0)
            && a.waiting[i].contiguous(stream.rcv_nxt) == Some(offset);
        let sum = s.payload_sum.filter(|_| data.len() == s.payload.len());
        let r = a.waiting[i].insert_summed(
            &mut cx.budget,
            offset,
            (data, sum),
            lost,
            origin,
            cx.limits.overlap,
        );
        let counters = &mut cx.counters.tcp;
        counters.accepted_octets += r.new;
        counters.duplicate_octets += r.known;
        counters.conflicts += u64::from(r.conflict);
        // A plain retransmission brings nothing new; an overlap brings something of both. Users
        // look at the two for different reasons: loss, and attacks or odd stacks.
        if r.new == 0 && r.known > 0 {
            counters.retransmissions += 1;
        } else if r.known > 0 {
            counters.overlaps += 1;
        }
        let waits = (offset > stream.rcv_nxt || !was_empty) && !in_order && !behind_cut;
        // A cut tail in order also lands here; it counts only where something really had to wait.
        counters.out_of_order += u64::from(waits && (r.new > 0 || lost > 0));
        counters.ack_held += u64::from(cx.limits.wait_ack && r.new > 0 && stream.snd_una < end);
        if cx.trace.is_on() {
            let overlaps = Overlaps {
                known: offset - start + r.known,
                conflict: r.conflict,
            };
            let front = a.waiting[i].front().map_or(stream.rcv_nxt, |item| {
                if item.lost() > 0 {
                    item.end()
                } else {
                    item.offset
                }
            });
            let fate = if !stream.is(STARTED) {
                Fate::LookedBehind(overlaps)
            } else if r.new == 0 && lost == 0 {
                Fate::Duplicate(overlaps)
            } else if !in_order && (offset == stream.rcv_nxt || !behind_all) {
                Fate::Fills(overlaps)
            } else if front > stream.rcv_nxt {
                Fate::Waits {
                    hole: stream.relative(stream.rcv_nxt),
                    len: front - stream.rcv_nxt,
                    overlaps,
                }
            } else if a.blocked[i].is_some() || held_up {
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
        self.emit_duplicate(cx, d, start, known, r.conflict || differs, sink);
    }

    /// A keep-alive of a stream that was captured from the middle, before any data of it: one octet that the other side has
    /// acknowledged, or a zero, and nothing pushes it (RFC 9293, 3.8.4).
    #[inline]
    fn is_first_keep_alive(&self, d: Direction, s: &Segment<'_>) -> bool {
        let stream = &self.streams[d.index()];
        // Behind a FIN a keep-alive has the FIN's number: the octet in front of that is data.
        if s.payload_len != 1 || stream.is(BASED | STARTED | FIN) {
            return false;
        }
        let repeats = if stream.is(HINT) {
            let offset = stream.offset(s.data_seq());
            // What stands behind the one that was taken for a keep-alive is new.
            offset < stream.snd_una || offset < ORIGIN
        } else {
            s.payload == [0]
        };
        repeats && !s.has(flags::PSH | flags::SYN | flags::FIN)
    }

    /// A segment claims octets up to a number, and its record ends before: they count as missing where the stream ends
    /// without them.
    pub(in crate::transport::tcp) fn expect(&mut self, cx: &Context, d: Direction, seq: SeqNumber) {
        let stream = &self.streams[d.index()];
        let end = stream.offset(seq);
        if stream.is(BASED)
            && stream.reaches(end, 0, cx.limits.max_gap)
            && let Some(a) = self.buffers.as_deref_mut()
        {
            let conceded = &mut a.conceded[d.index()];
            *conceded = end.max(*conceded);
        }
    }

    /// Counts a segment of which every octet is before what is delivered next, and says what it is.
    fn count_old(&self, cx: &mut Context, d: Direction, start: u64, data: &[u8]) -> Fate {
        let len = data.len() as u64;
        let stream = &self.streams[d.index()];
        let counters = &mut cx.counters.tcp;
        // A segment that touches a given-up hole would have filled it had the wait been longer. The
        // counter shows whether the timeouts are too short.
        let late = self.buffers.as_ref().is_some_and(|a| {
            a.gaps[d.index()]
                .iter()
                .any(|&(from, to)| start < to && start + len > from)
        });
        if late {
            counters.refused_octets += len;
            cx.discard(Discard::TcpLate);
            Fate::Late
        } else if start < stream.origin && !stream.is(SYN) {
            // Without a SYN the origin is a guess. What lies below it was never delivered, so it is
            // lost, not repeated.
            counters.refused_octets += len;
            cx.discard(Discard::TcpBeforeStart);
            Fate::BeforeStart
        } else {
            counters.retransmissions += 1;
            counters.duplicate_octets += len;
            let recent = self.buffers.as_ref().map(|a| &a.recent[d.index()]);
            let conflict = recent.is_some_and(|recent| recent.differs(&cx.sample, start, data));
            counters.conflicts += u64::from(conflict);
            Fate::Duplicate(Overlaps {
                conflict,
                ..Overlaps::default()
            })
        }
    }
}
