//! Holes: what shows that nobody will fill them, and what is done then.

use super::{
    ChunkOrigin, DataChunk, Evidence, Inflow, MAX_RESET_STREAMS, MessageKey, Out, Reset,
    StoredChunk, UserMessageSink, jump,
};
use crate::base::context::Context;
use crate::base::limits::Limits;
use crate::base::stream::GapCause;
use crate::base::time::Instant;
use std::time::Duration;

/// Acknowledgments past holes that are remembered one by one.
// Each is a range and a time, 40 octets. A full list only delays a decision: SACKs repeat what they
// say.
const MAX_EVIDENCE: usize = 64;
/// Ranges of TSNs that were given up and are remembered, to tell late chunks from duplicates.
// Only counters depend on them: what is forgotten counts as a duplicate instead of late.
const MAX_GIVEN_UP: usize = 64;
/// The same under `--track-missing-chunks`.
// Some 260 KB for a direction at worst, which a user who asks for it accepts.
const MAX_GIVEN_UP_TRACKED: usize = 16_384;
/// Chunks of damaged packets that are kept as second choice.
// A burst of damage is a few packets; more than a window of it is a broken link, and no second
// choice helps there.
const MAX_DAMAGED: usize = 64;
/// Stream resets that have been announced and not reached.
// RFC 6525, 5.1.1 allows one outstanding request at a time; the rest of the room is for repeated
// and overlapping ones.
const MAX_RESETS: usize = 16;
/// How long a hole may stay that nobody has acknowledged, where the acknowledgments are captured: the sender may still
/// fill it. RTO.Max, the longest time between two attempts, is 60 seconds (RFC 9260, 16).
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

impl Inflow {
    pub(super) fn forget_damaged(&mut self, tsn: u64) {
        self.changed = true;
        if let Some(f) = self.damaged.remove(&tsn) {
            self.octets -= f.cost();
        }
    }

    /// A first TSN is known.
    pub(in super::super) const fn has_started(&self) -> bool {
        self.started
    }

    /// A chunk of a packet with a wrong checksum, or of which a packet that was not cut lacks the end: it is kept in case that nothing better comes.
    pub(in super::super) fn damaged(&mut self, c: &DataChunk<'_>, origin: ChunkOrigin) {
        self.changed = true;
        // Numbers of a damaged packet may be damaged too: only what fits closely is kept.
        let tsn = self.unwrap(c.tsn);
        let i = self.ranges.partition_point(|r| r.end <= tsn);
        let known = tsn < self.next
            || tsn.abs_diff(self.next) > u64::from(u16::MAX)
            || self.ranges.get(i).is_some_and(|r| r.start <= tsn)
            || self.damaged.contains_key(&tsn);
        // The first damaged copy stays; a second one is no better.
        if self.started && !known && c.len > 0 && self.damaged.len() < MAX_DAMAGED {
            let f = StoredChunk::new(c, origin);
            self.octets += f.cost();
            self.damaged.insert(tsn, f);
        }
    }

    /// The receiver has everything up to `cumulative`, and the gap ack blocks behind it.
    pub(in super::super) fn acknowledge<S: UserMessageSink>(
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
        // Damaged, or of another association on this path: believed, it would give up every hole.
        if end.abs_diff(self.next) > jump(&out.cx.limits) {
            return;
        }
        if end > self.acked {
            self.acked = end;
            self.acked_at = out.cx.packet.time;
            // What was held for its acknowledgment goes now, even where look-behind is still on.
            self.release(out);
        }
        // While the start is open there are no holes; `end_look` takes the cumulative number into
        // account.
        if self.look.is_some() {
            return;
        }
        if end > self.next {
            self.push_evidence(out, self.next, end, false);
        }
        // Nothing is missing below the acknowledgment and nothing is beyond it.
        if self.ranges.is_empty() && end >= self.top {
            return;
        }
        // Blocks count from the cumulative TSN (RFC 9260, 3.3.4). A block inside of what is there
        // says nothing new; one that is not shows chunks that the receiver has and the capture
        // lacks.
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
    pub(in super::super) fn forward<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, tsn: u32) {
        let end = self.unwrap(tsn).saturating_add(1);
        // Backward it is repeated; too far forward it is forged, and would drop the whole stream.
        if self.started && end > self.next && end - self.next <= jump(&out.cx.limits) {
            self.push_evidence(out, self.next, end, true);
        }
    }

    /// The sender's streams start anew behind this TSN.
    pub(in super::super) fn reset_streams(&mut self, last: u32, streams: &[u8]) {
        self.changed = true;
        let last = self.unwrap(last);
        if !self.started || self.resets.len() >= MAX_RESETS {
            return;
        }
        // Too many to keep: then only the fact is noted that some stream starts anew.
        let some = streams.len() / 2 > MAX_RESET_STREAMS;
        let streams: Vec<u16> = streams
            .chunks_exact(2)
            .filter(|_| !some)
            .map(|b| u16::from_be_bytes([b[0], b[1]]))
            .collect();
        let known = |r: &Reset| r.last == last && r.streams == streams;
        // Requests are repeated until they are answered.
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
        // Repeated SACKs say the same. The first one has the time that counts.
        let known = |e: &Evidence| e.start <= start && end <= e.end && e.forward == forward;
        // When it is full, the next SACK will say the same again.
        if self.evidence.len() < MAX_EVIDENCE && !self.evidence.iter().any(known) {
            self.changed = true;
            self.evidence.push_back(Evidence {
                start,
                end,
                at: out.cx.now,
                packets: out.packets,
                forward,
                frame: out.cx.packet.frame,
            });
        }
    }

    /// The reordering that is allowed for is over.
    fn window_over<S: UserMessageSink>(out: &Out<'_, S>, at: Instant, packets: u64) -> bool {
        let limits = &out.cx.limits;
        let age = out.cx.now.since(at);
        // By packets and time together, or by time alone, as in TCP: chunks on two paths overtake
        // each other.
        age >= limits.reorder_alone
            || (age >= limits.reorder_time
                && out.packets.saturating_sub(packets) >= u64::from(limits.reorder_packets))
    }

    /// Does what is due: after each packet of the association, and when time has gone by.
    pub(in super::super) fn poll<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        self.changed = true;
        if self.look.is_none() && (!self.ranges.is_empty() || !self.evidence.is_empty()) {
            self.give_up_due(out);
        }
        self.release(out);
        if let Some((_, _, at)) = self.jump
            && out.cx.now.since(at) >= out.cx.limits.sctp_packet_timeout
        {
            self.end_jump(out);
        }
        // In order of beginning. Messages that are complete or gone are dropped on the way.
        while let Some(&(at, losses, key)) = self.began.front() {
            let open = self.interleaved.get(&key).is_some_and(|m| !m.whole);
            if open && out.cx.now.since(at) < patience(out) {
                break;
            }
            self.began.pop_front();
            // Something was given up since it began, and it has not moved for the whole patience:
            // its missing part is what was given up.
            if open && losses != self.losses {
                self.break_parts(out, key);
            } else if open {
                // Nothing was lost since: its sender is slow.
                self.began.push_back((out.cx.now, losses, key));
                break;
            }
        }
    }

    /// Since when something waits behind TSNs that the receiver has, and the packets of the association then; None where
    /// nothing does. Acknowledgments are captured ahead of what they acknowledge where the clocks of two taps differ: while
    /// nothing waits, what comes next may be what is missing.
    fn waits_since(&self, e: &Evidence) -> Option<(Instant, u64)> {
        let range = self.ranges.front().map(|r| (r.at, r.packets));
        let second = self.damaged.range(self.next..e.end).next();
        let at_once = e.forward || second.is_some();
        range.or_else(|| at_once.then_some((e.at, e.packets)))
    }

    /// Gives up the holes that nobody will fill.
    fn give_up_due<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        // After each hole everything is looked at anew: giving it up may join ranges and settle
        // other evidence.
        loop {
            let first = self.ranges.front().copied();
            let second = self.damaged.range(self.next..).next();
            let due = self.evidence.iter().find(|e| {
                // Only evidence about the next TSN helps: holes go in order.
                if !(e.start..e.end).contains(&self.next) {
                    return false;
                }
                // The receiver took the chunk of a packet whose sum was captured wrong.
                if second.is_some_and(|(tsn, f)| *tsn == self.next && f.origin.frame < e.frame) {
                    return true;
                }
                let Some((at, packets)) = self.waits_since(e) else {
                    return false;
                };
                Self::window_over(out, e.at.max(at), e.packets.max(packets))
            });
            let (upto, cause) = if let Some(e) = due {
                // Up to the first octet that is there, never over it.
                let end = first.map_or(e.end, |r| r.start.min(e.end));
                let cause = if e.forward {
                    None
                } else {
                    Some(GapCause::Acked)
                };
                (end, cause)
            } else if let Some(r) = first {
                // The wait is counted from when something first stood behind the hole.
                if out.cx.now.since(r.at) >= patience(out) {
                    (r.start, Some(GapCause::Timeout))
                } else if self.octets > out.cx.limits.tcp_buffer {
                    // By octets of this direction alone; the limit of the program is watched
                    // elsewhere.
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

    /// The association has ended: gives up the holes behind which something has waited long enough.
    pub(in super::super) fn ends<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        at: Instant,
        packets: u64,
    ) {
        while self.look.is_none()
            && let Some(r) = self.ranges.front()
            && Self::window_over(out, at.max(r.at), packets.max(r.packets))
        {
            self.first_hole(out, GapCause::Closed);
        }
    }

    /// Gives up the first hole, if there is one; for a limit.
    pub(in super::super) fn first_hole<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        cause: GapCause,
    ) -> bool {
        self.changed = true;
        // A start that is still looked for costs least to give up.
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
        self.changed = true;
        // Damaged copies are asked last, and only for this hole. One at a time: with it the hole
        // may be a different one.
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
        // Abandoned by the sender (RFC 3758) is no loss of the capture: the receiver never had it
        // either.
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
            Some(GapCause::Jump) => &mut c.gaps_jump,
            Some(GapCause::End | GapCause::Snapped) => &mut c.gaps_end,
        } += 1;
        let keep = if out.cx.limits.track_missing_chunks {
            MAX_GIVEN_UP_TRACKED
        } else {
            MAX_GIVEN_UP
        };
        // The oldest is forgotten: late chunks come soon or not at all.
        if self.given_up.len() >= keep {
            self.given_up.pop_front();
        }
        self.given_up.push_back((self.next, upto));
        // Interleaved messages that have begun before it may never be whole; the number tells
        // which.
        self.losses += 1;
        if lost > 0 {
            out.gap(self.next, lost, cause);
        }
        self.next = upto;
        self.top = self.top.max(upto);
        self.advance(out);
    }

    /// Since when earlier chunks are waited for, if they are.
    pub(in super::super) fn looks_since(&self) -> Option<Instant> {
        self.look.map(|look| look.since)
    }

    /// Earlier chunks were waited for long enough, or are not waited for.
    pub(in super::super) fn has_looked(&self, cx: &Context) -> bool {
        self.look.is_none_or(|look| {
            look.chunks >= cx.limits.look_behind_segments
                || cx.now.since(look.since) >= cx.limits.look_behind_time
        })
    }

    /// The wait for earlier chunks is over.
    pub(in super::super) fn end_look<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        self.changed = true;
        self.look = None;
        self.base = self.next;
        // Emitted before the evidence is noted: most starts in the middle have none.
        self.advance(out);
        if self.acked > self.next {
            self.push_evidence(out, self.next, self.acked, false);
        }
    }

    /// Gives up every hole and emits all that waits.
    pub(in super::super) fn finish<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        cause: GapCause,
    ) {
        self.changed = true;
        if self.look.is_some() {
            self.end_look(out);
        }
        // A damaged chunk that is used may stand behind a hole of its own.
        // Octets that were acknowledged and never captured are lost even where nothing stands
        // behind them.
        let acked = |i: &Self| (i.started && i.acked > i.next).then_some(i.acked);
        while let Some(upto) = self.ranges.front().map(|r| r.start).or(acked(self)) {
            self.give_up(out, upto, Some(cause));
        }
        // All TSNs are settled, so what is not whole will never be.
        self.drain(out, u64::MAX);
        let mut open: Vec<(Option<u64>, MessageKey)> = self
            .interleaved
            .iter()
            .map(|(key, m)| (m.parts.values().next().copied(), *key))
            .collect();
        // By first TSN, so that messages come out in the order in which they were begun.
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
        self.release_all(out);
    }

    /// When [`Inflow::poll`] has something to do without a packet. The end of look-behind is one for both directions, and not in it.
    pub(in super::super) fn deadline(&self, limits: &Limits, sacks: bool) -> Option<Instant> {
        let patience = if sacks {
            UNACKNOWLEDGED
        } else {
            limits.sctp_packet_timeout
        };
        // By the front only: the others cannot go before it.
        let mut evidence = self.evidence.iter();
        let evidence = evidence.find(|e| (e.start..e.end).contains(&self.next));
        [
            evidence
                .and_then(|e| Some(e.at.max(self.waits_since(e)?.0)))
                .map(|at| at.after(limits.reorder_alone)),
            self.ranges
                .front()
                .filter(|_| self.look.is_none())
                .map(|r| r.at.after(patience)),
            self.unacked_since
                .front()
                .map(|u| u.0.after(limits.sctp_packet_timeout)),
            self.jump
                .as_ref()
                .map(|j| j.2.after(limits.sctp_packet_timeout)),
            self.began.front().map(|b| b.0.after(patience)),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// How long a hole may stay that nobody has acknowledged.
fn patience<S: UserMessageSink>(out: &Out<'_, S>) -> Duration {
    if out.sacks {
        UNACKNOWLEDGED
    } else {
        out.cx.limits.sctp_packet_timeout
    }
}
