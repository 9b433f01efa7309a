//! Damaged copies: octets of segments with a wrong checksum, kept as second choice for a hole that would be given up.

use super::Connection;
use super::stream_state::{BASED, FIN, STARTED};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::flow::{Direction, FlowKey};
use crate::base::stream::FlowState;
use crate::base::trace::{EventKind, Fate};
use crate::transport::tcp::segment::Segment;
use crate::transport::tcp::waiting::SegmentOrigin;

impl<S: FlowState> Connection<S> {
    /// Keeps the octets of a damaged segment as second choice. Nothing else of it is believed. True where octets were kept.
    pub(in crate::transport::tcp) fn receive_damaged(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        d: Direction,
        s: &Segment<'_>,
    ) -> bool {
        let (i, len) = (d.index(), s.payload.len() as u64);
        let stream = &self.streams[i];
        let start = stream.offset(s.data_seq());
        // Octets that are delivered have no second choice. A RST or a jump with a wrong checksum
        // may be one flipped bit away from anything, so it does nothing.
        let known = stream.is(STARTED) && start + len <= stream.rcv_nxt;
        let past = stream.is(FIN) && start + len > stream.fin;
        let fits = stream.numbered() && stream.reaches(start, len, cx.limits.max_gap);
        if self.closed || s.has(flags::RST) || len == 0 || known || past || !fits {
            cx.counters.tcp.refused_octets += len;
            self.fate(cx, d, s, Fate::Damaged(false));
            return false;
        }
        // Its front may be delivered already. Only what could fill a hole is kept.
        let skip = if stream.is(STARTED) {
            stream.rcv_nxt.saturating_sub(start)
        } else {
            0
        };
        let ack = self.acknowledged_by(cx.limits.max_gap, d, s);
        let origin = SegmentOrigin {
            frame: cx.packet.frame,
            time: cx.packet.time,
            interface: cx.packet.interface,
            arrived: cx.now,
            packets: self.packets,
            ack,
            push: s.has(flags::PSH),
            cut: false,
            damaged: true,
            shift: SegmentOrigin::shift(s.offset.in_record(), start),
        };
        let data = usize::try_from(skip).ok().and_then(|n| s.payload.get(n..));
        let data = data.unwrap_or_default();
        let started = self.streams[i].is(STARTED);
        let a = self.activate(cx, key, d);
        // Taken out and put back, so that a connection without damaged copies has no box for them.
        if !started {
            a.looking[i].1.get_or_insert(cx.now);
        }
        let mut damaged = a.damaged.take().unwrap_or_default();
        let offset = start + skip;
        // Of two damaged copies neither is better, and the first is there already.
        let rule = crate::base::limits::Overlap::First;
        let r = damaged[i].insert(&mut cx.budget, offset, data, 0, origin, rule);
        cx.counters.tcp.refused_octets += len - r.new;
        // Kept only where something waits: an empty pair of lists would keep the connection from
        // its fast path.
        if !damaged[0].is_empty() || !damaged[1].is_empty() {
            a.damaged = Some(damaged);
        }
        self.fate(cx, d, s, Fate::Damaged(r.new > 0));
        r.new > 0
    }

    /// Drops the damaged copies of octets that have been delivered or given up.
    pub(super) fn drop_damaged(&mut self, cx: &mut Context) {
        let Some(a) = self.buffers.as_deref_mut() else {
            return;
        };
        let Some(damaged) = &mut a.damaged else {
            return;
        };
        for (waiting, stream) in damaged.iter_mut().zip(&self.streams) {
            // While the start is unknown there is no delivered offset to compare with.
            if !stream.is(STARTED) {
                continue;
            }
            while waiting
                .front()
                .is_some_and(|item| item.offset < stream.rcv_nxt)
            {
                let Some(item) = waiting.pop(&mut cx.budget) else {
                    break;
                };
                let len = item.data().len();
                // It may reach over the delivered offset. The part behind it may still serve.
                let old = usize::try_from(stream.rcv_nxt - item.offset).unwrap_or(len);
                cx.counters.tcp.refused_octets += old.min(len) as u64;
                if old < len {
                    waiting.put_back(&mut cx.budget, item, old);
                    break;
                }
            }
            // Past the end of the stream nothing can be filled.
            if stream.is(FIN) && stream.rcv_nxt >= stream.fin {
                cx.counters.tcp.refused_octets += waiting.truncate(&mut cx.budget, stream.fin);
            }
        }
        if damaged[0].is_empty() && damaged[1].is_empty() {
            a.damaged = None;
        }
    }

    /// Fills the hole that is next in a stream, up to `upto`, with the damaged copy that begins it; false where there is
    /// none.
    pub(super) fn use_damaged(&mut self, cx: &mut Context, d: Direction, upto: u64) -> bool {
        let i = d.index();
        let stream = &self.streams[i];
        let Some(a) = self.buffers.as_deref_mut() else {
            return false;
        };
        let first = a.first_damaged(i).map(|item| item.offset);
        // Its copy must begin where the hole does. One further on waits until the octets before it
        // are given up.
        if first.is_none_or(|at| at >= upto || (stream.is(STARTED) && at != stream.rcv_nxt)) {
            return false;
        }
        let Some(damaged) = &mut a.damaged else {
            return false;
        };
        let Some(item) = damaged[i].pop(&mut cx.budget) else {
            return false;
        };
        // Never past the hole: behind it stand good octets, or nothing yet.
        let room = usize::try_from(upto.saturating_sub(item.offset)).unwrap_or(usize::MAX);
        // The rest stays a second choice for the next hole.
        let (now, rest) = item.data().split_at(room.min(item.data().len()));
        let r = a.waiting[i].insert(
            &mut cx.budget,
            item.offset,
            now,
            0,
            item.origin,
            // Put in like a segment and delivered like one. First wins: a good octet that came in
            // the meantime stays.
            crate::base::limits::Overlap::First,
        );
        let counters = &mut cx.counters.tcp;
        counters.accepted_octets += r.new;
        counters.refused_octets += r.known;
        counters.damaged_used += 1;
        let (at, taken) = (item.offset, now.len());
        // A stream of which only damaged copies came begins with them: better than nothing at all.
        if rest.is_empty() {
            let stream = &mut self.streams[i];
            stream.set(BASED);
            stream.snd_max = stream.snd_max.max(item.offset + taken as u64);
            stream.begin();
        } else {
            damaged[i].put_back(&mut cx.budget, item, taken);
        }
        if damaged[0].is_empty() && damaged[1].is_empty() {
            a.damaged = None;
        }
        self.trace(cx, d, |stream| EventKind::DamagedUsed {
            offset: stream.relative(at),
            len: taken as u64,
        });
        true
    }
}
