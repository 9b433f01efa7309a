//! What a segment that fits does to its connection: numbers, acknowledgments, octets, RST and FIN (RFC 9293, 3.10.7.4, as
//! seen from between the endpoints).

use super::half::{ABSENT, ACKED, ANSWERED, BASED, FIN, HINT, SEEN, STARTED, SYN};
use super::{Connection, Mark};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::flow::{Direction, FlowKey};
use crate::base::packet::LinkHeader;
use crate::base::stream::{Chunk, FlowState, ORIGIN};
use crate::base::trace::{Fate, Overlaps};
use crate::transport::stream::StreamSink;
use crate::transport::tcp::segment::Segment;
use crate::transport::tcp::waiting::Origin;

/// Acknowledgments past missing octets that are remembered one by one.
const MARKS: usize = 16;

impl<S: FlowState> Connection<S> {
    /// Takes a segment that fits. True where nothing waits in the connection and nothing ends, so that there is nothing to
    /// look after.
    pub(in crate::transport::tcp) fn take<K: StreamSink<State = S>>(
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
                // --max-gap may be less than a window without scaling has.
                let window = (u64::from(other.window) << shift)
                    .min(u64::from(cx.limits.max_gap))
                    .max(1 << 16);
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
}
