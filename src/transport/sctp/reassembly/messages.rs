//! Chunks become messages, and messages take their turn: what waits for the rest of its message, or for its place in its
//! stream, and what is emitted when a chunk or a hole that was given up sets it free.

use super::{
    ChunkOrigin, DataChunk, HeldMessage, Inflow, MessageHead, MessageKey, Missing, Out, Ready, Run,
    StoredChunk, StreamQueue, UserMessageSink, dropped, low,
};
use crate::base::place::RecordSpan;
use crate::base::time::Timestamp;
use crate::transport::sctp::sink::{AssociationContext, UserMessage};
use std::collections::BTreeSet;
use std::net::SocketAddr;

impl Inflow {
    /// Nothing waits and nothing is open.
    pub(super) fn nothing_waits(&self) -> bool {
        // Any of these can be set free by a chunk that comes in order.
        self.ready.is_empty()
            && self.runs.is_empty()
            && self.gapped.is_empty()
            && self.evidence.is_empty()
            && self.resets.is_empty()
    }

    /// A message whose first chunk has this TSN may go now.
    fn turn(&self, stream: u16, seq: u32, unordered: bool, first: u64) -> bool {
        // Three ways to know the turn: no order is asked for, all before it is settled, or the
        // number is the next one.
        unordered || (first <= self.next && self.look.is_none()) || self.is_next(stream, seq, first)
    }

    /// An ordered message is the next of its stream by its number.
    ///
    /// Where one waits that was sent before it, the number says nothing: the stream has started anew, and what told so
    /// was lost.
    fn is_next(&self, stream: u16, seq: u32, first: u64) -> bool {
        let s = self.streams.get(&stream);
        s.map_or(self.first_seq, |s| s.next) == Some(seq)
            && s.and_then(|s| s.ready.first()).is_none_or(|f| first <= *f)
            && self
                .resets
                .iter()
                .all(|r| first <= r.last || !(r.streams.is_empty() || r.streams.contains(&stream)))
    }

    /// Puts a new chunk where it belongs.
    pub(super) fn receive<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        tsn: u64,
        c: &DataChunk<'_>,
        origin: ChunkOrigin,
    ) {
        // Stored before it is joined: its neighbours look it up by TSN.
        if !(c.begins && c.ends) {
            self.store(tsn, StoredChunk::new(c, origin));
            if c.interleaved {
                self.receive_part(out, tsn, c);
            } else {
                self.receive_row(out, tsn, c);
            }
        } else if self.turn(c.stream, c.seq, c.unordered, tsn) {
            // A message in one chunk whose turn it is, the common case by far, is emitted from the
            // read buffer without a copy.
            // All before it is settled, so broken ones before it in the stream can be closed;
            // emitted later they would be out of order.
            if !c.unordered && tsn <= self.next && self.look.is_none() {
                // What is before it in its stream and will never be whole goes first.
                self.drain(out, tsn.saturating_add(1));
                if c.interleaved {
                    self.end_before(out, c.stream, c.seq);
                }
            }
            self.emit_chunk(out, tsn, c, origin);
            if !c.unordered {
                self.passed(out, c.stream, c.seq, c.interleaved);
            }
        } else {
            self.store(tsn, StoredChunk::new(c, origin));
            self.wait(c.stream, tsn, Ready::Row(tsn.saturating_add(1)));
        }
    }

    /// Emits a message in one chunk.
    pub(super) fn emit_chunk<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        tsn: u64,
        c: &DataChunk<'_>,
        origin: ChunkOrigin,
    ) {
        let head = MessageHead {
            stream: c.stream,
            seq: c.seq,
            ppid: c.ppid,
            unordered: c.unordered,
            interleaved: c.interleaved,
            first: tsn,
            last: tsn,
            chunks: 1,
            len: Some(c.len as u64),
            whole: c.payload.len() == c.len,
            missing: Missing {
                end_seen: true,
                ..Missing::default()
            },
            origin,
            brought: origin.packet(),
        };
        let place = origin.place(c.payload.len());
        self.emit(out, head, c.payload, &[], &[place]);
    }

    /// A message is whole and waits for its turn.
    fn wait(&mut self, stream: u16, first: u64, message: Ready) {
        self.ready.insert(first, message);
        // A stream that is met here for the first time begins where the handshake said.
        let next = self.first_seq;
        let s = self.streams.entry(stream).or_insert_with(|| StreamQueue {
            next,
            ready: BTreeSet::new(),
        });
        s.ready.insert(first);
    }

    /// An ordered message of this stream was emitted: those behind it may follow.
    pub(super) fn passed<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        stream: u16,
        seq: u32,
        interleaved: bool,
    ) {
        let known = self.streams.len();
        let s = self.streams.entry(stream).or_default();
        // The numbers move only on what was emitted, never on what waits.
        s.next = Some(behind(seq, interleaved));
        self.changed |= self.streams.len() != known;
        while let Some(&first) = self.streams.get(&stream).and_then(|s| s.ready.first()) {
            let seq = match self.ready.get(&first) {
                Some(Ready::Parts(key)) => key.mid,
                _ => self.fragments.get(&first).map_or(0, |f| f.seq),
            };
            // Not by its TSN: what is before it may be about to be emitted.
            if !self.is_next(stream, seq, first) {
                return;
            }
            let told = self.emit_ready(out, first);
            let s = self.streams.entry(stream).or_default();
            s.left(first);
            // A message that could not be made leaves the number as it was.
            s.next = told.map_or(s.next, |h| Some(behind(h.seq, h.interleaved)));
        }
    }

    /// Emits a message that waited.
    fn emit_ready<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        first: u64,
    ) -> Option<MessageHead> {
        let head = match self.ready.remove(&first)? {
            Ready::Row(end) => self.emit_row(out, first, end, Missing::default(), true),
            Ready::Parts(key) => self.emit_parts(out, key),
        }?;
        if let Some(s) = self.streams.get_mut(&head.stream) {
            s.left(first);
        }
        Some(head)
    }

    pub(super) fn store(&mut self, tsn: u64, f: StoredChunk) {
        self.changed = true;
        self.octets += f.cost();
        self.chunks += 1;
        // A TSN that was used twice replaces its older chunk; the sums must not count both.
        if let Some(old) = self.fragments.insert(tsn, f) {
            self.octets -= old.cost();
            self.chunks -= 1;
        }
    }

    fn unstore(&mut self, tsn: u64) -> Option<StoredChunk> {
        let f = self.fragments.remove(&tsn)?;
        self.octets -= f.cost();
        self.chunks -= 1;
        Some(f)
    }

    /// Both chunks belong to one DATA message.
    fn same_message(&self, a: u64, b: u64) -> bool {
        let (Some(a), Some(b)) = (self.fragments.get(&a), self.fragments.get(&b)) else {
            return false;
        };
        // Unordered messages carry an SSN that means nothing (RFC 9260, 6.6).
        a.stream == b.stream
            && a.unordered == b.unordered
            && (a.unordered || a.seq == b.seq)
            && !a.interleaved
            && !b.interleaved
    }

    /// A part of a DATA message, which is already stored: joins what stands beside it.
    fn receive_row<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        tsn: u64,
        c: &DataChunk<'_>,
    ) {
        let mut first = tsn;
        let mut run = Run {
            end: tsn.saturating_add(1),
            begins: c.begins,
            ends: c.ends,
        };
        // A chunk with the B bit begins a message, so nothing on its left can be part of it, and
        // likewise on the right.
        if !c.begins {
            let left = self.runs.range(..tsn).next_back().map(|(s, r)| (*s, *r));
            if let Some((start, left)) = left
                && left.end == tsn
                && !left.ends
                && self.same_message(start, tsn)
            {
                self.runs.remove(&start);
                first = start;
                run.begins = left.begins;
            }
        }
        if !c.ends
            && let Some(&right) = self.runs.get(&run.end)
            && !right.begins
            && self.same_message(tsn, run.end)
        {
            self.runs.remove(&run.end);
            run.end = right.end;
            run.ends = right.ends;
        }
        if !(run.begins && run.ends) {
            self.runs.insert(first, run);
            return;
        }
        // The first chunk names the message.
        if self.turn(c.stream, c.seq, c.unordered, first) {
            if let Some(head) = self.emit_row(out, first, run.end, Missing::default(), true)
                && !head.unordered
            {
                self.passed(out, head.stream, head.seq, false);
            }
        } else {
            self.wait(c.stream, first, Ready::Row(run.end));
        }
    }

    /// A part of an I-DATA message, which is already stored.
    fn receive_part<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        tsn: u64,
        c: &DataChunk<'_>,
    ) {
        let key = MessageKey {
            stream: c.stream,
            unordered: c.unordered,
            mid: c.seq,
        };
        // A chunk with the B bit has the PPID where the others have their FSN (RFC 8260, 2.1).
        let fsn = if c.begins { 0 } else { c.ppid };
        if !self.interleaved.contains_key(&key) {
            // Finished ones stay in the queue until their time is over. Swept in proportion, the
            // queue stays as long as what is open.
            if self.began.len() > 2 * self.interleaved.len() + 64 {
                let open = &self.interleaved;
                self.began.retain(|(_, _, key)| open.contains_key(key));
            }
            self.began.push_back((out.cx.now, self.losses, key));
        }
        let m = self.interleaved.entry(key).or_default();
        // An FSN that is there already, or a zero without the B bit, contradicts RFC 8260, 2.1: the
        // first stays.
        if m.whole || m.parts.contains_key(&fsn) || (fsn == 0 && !c.begins) {
            let lost = self.unstore(tsn).map_or(0, |f| f.data.len());
            dropped(out.cx, 1, lost as u64);
            self.drop_if_empty(key);
            return;
        }
        m.parts.insert(fsn, tsn);
        if c.ends {
            m.last = Some(fsn);
        }
        // `have` only moves forward, so the work is linear in the parts.
        while m.parts.contains_key(&m.have) {
            m.have = m.have.saturating_add(1);
        }
        let gap = m.parts.range(m.have..).next().map(|(_, t)| *t);
        if gap != m.gap {
            if let Some(old) = m.gap {
                self.gapped.remove(&old);
            }
            m.gap = gap;
            if let Some(at) = gap {
                self.gapped.insert(at, key);
            }
        }
        // Behind the last FSN or in a hole: not whole.
        if m.last.is_none_or(|last| m.have <= last) || gap.is_some() {
            return;
        }
        m.whole = true;
        let first = m.parts.get(&0).copied().unwrap_or(tsn);
        if self.turn(c.stream, c.seq, c.unordered, first) {
            // Its own turn by TSN means that broken ones before it must be closed first, as for
            // DATA.
            if !c.unordered && first <= self.next {
                self.end_before(out, c.stream, c.seq);
            }
            if let Some(head) = self.emit_parts(out, key)
                && !head.unordered
            {
                self.passed(out, head.stream, head.seq, true);
            }
        } else {
            self.wait(c.stream, first, Ready::Parts(key));
        }
    }

    fn drop_if_empty(&mut self, key: MessageKey) {
        if self
            .interleaved
            .get(&key)
            .is_some_and(|m| m.parts.is_empty())
        {
            self.interleaved.remove(&key);
        }
    }

    /// Ends the ordered I-DATA messages of a stream that are before this one: nothing more of them will come, as ordered
    /// messages of one stream are not interleaved (RFC 8260, 2.2.2).
    fn end_before<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, stream: u16, before: u32) {
        if self.interleaved.is_empty() {
            return;
        }
        let key = |mid| MessageKey {
            stream,
            unordered: false,
            mid,
        };
        // Message identifiers wrap, so "before" is the half of the numbers below it.
        let from = before.wrapping_sub(1 << 31);
        let parts = if from <= before {
            [Some((from, before)), None]
        } else {
            [Some((from, u32::MAX)), Some((0, before))]
        };
        for (low, high) in parts.into_iter().flatten() {
            // One at a time: emitting one may free others and change the map.
            loop {
                let mut open = self.interleaved.range(key(low)..=key(high));
                let found = open.find(|(k, m)| k.mid != before && !m.whole);
                let Some(k) = found.map(|(k, _)| *k) else {
                    break;
                };
                self.emit_broken(out, k);
            }
        }
    }

    /// Moves on over what has been received, and emits what this sets free.
    pub(super) fn advance<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        self.spill();
        // While the start is looked for nothing may move: a lower chunk may still come.
        if self.look.is_some() {
            return;
        }
        while let Some(r) = self.ranges.front() {
            if r.start > self.next {
                break;
            }
            self.next = self.next.max(r.end);
            self.ranges.pop_front();
        }
        // A reset takes effect when its TSN is passed. All messages up to it still carry old
        // numbers, so they are drained first.
        while let Some(i) = self.resets.iter().position(|r| r.last < self.next) {
            let reset = self.resets.remove(i);
            self.drain(out, reset.last.saturating_add(1));
            if reset.streams.is_empty() {
                // With too many streams to name, which begin at 0 is not known: their order is
                // taken from the TSNs until a number is seen.
                let first = if reset.some { None } else { Some(0) };
                self.streams.values_mut().for_each(|s| s.next = first);
                self.first_seq = first;
            }
            for stream in reset.streams {
                self.streams.entry(stream).or_default().next = Some(0);
            }
        }
        self.drain(out, self.next);
        // Evidence about settled numbers can decide nothing any more.
        let next = self.next;
        self.evidence.retain(|e| e.end > next);
    }

    /// Emits, in the order of their TSNs, whole messages that begin before `upto`, and those that will never be whole
    /// because every TSN before `upto` is settled.
    pub(super) fn drain<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, upto: u64) {
        self.spill();
        loop {
            // Three lists, one order: whichever begins lowest goes next.
            let ready = self.ready.first_key_value().map(|(t, _)| *t);
            let run = self.runs.first_key_value();
            // A run with a beginning may still be completed as long as it reaches `upto`.
            let run = run.filter(|(_, r)| !r.begins || r.end < upto);
            let run = run.map(|(t, _)| *t);
            let gap = self.gapped.first_key_value().map(|(t, k)| (*t, *k));
            let first = [ready, run, gap.map(|g| g.0)];
            let Some(first) = first.into_iter().flatten().min().filter(|t| *t < upto) else {
                return;
            };
            if ready == Some(first) {
                let place = match self.ready.get(&first) {
                    Some(Ready::Parts(key)) => Some((key.stream, key.mid)),
                    _ => {
                        let f = self.fragments.get(&first);
                        f.filter(|f| f.interleaved).map(|f| (f.stream, f.seq))
                    }
                };
                // Ordered messages of one stream are not interleaved, so what began before it in
                // its stream is broken.
                if let Some((stream, mid)) = place {
                    self.end_before(out, stream, mid);
                }
                if let Some(head) = self.emit_ready(out, first) {
                    self.passed(out, head.stream, head.seq, head.interleaved);
                }
            } else if run == Some(first) {
                self.break_run(out, first);
            } else if let Some((at, key)) = gap {
                self.gapped.remove(&at);
                self.break_parts(out, key);
            }
        }
    }

    /// A row of DATA chunks that will not become a message: what is there of its beginning is emitted.
    fn break_run<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, first: u64) {
        let Some(run) = self.runs.remove(&first) else {
            return;
        };
        // Without its beginning there is no PPID to be sure of, and nothing that a dissector could
        // use.
        if !run.begins {
            for tsn in first..run.end {
                let octets = self.unstore(tsn).map_or(0, |f| f.data.len());
                dropped(out.cx, 1, octets as u64);
            }
            return;
        }
        let mut missing = Missing::default();
        // How much is missing in the middle is known from TSNs, if the rest of the message has
        // come.
        let tail = self.runs.range(run.end..).next().map(|(s, r)| (*s, *r));
        if let Some((start, tail)) = tail
            && !tail.begins
            && self.same_message(first, start)
        {
            missing.chunks = start - run.end;
            missing.end_seen = tail.ends;
            missing.octets_behind = self
                .fragments
                .range(start..tail.end)
                .map(|(_, f)| f.data.len() as u64)
                .sum();
        }
        if let Some(head) = self.emit_row(out, first, run.end, missing, false)
            && !head.unordered
        {
            self.passed(out, head.stream, head.seq, false);
        }
    }

    /// An I-DATA message that will not be whole: what is there of its beginning is emitted, behind what is before it in its
    /// stream.
    pub(super) fn break_parts<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        key: MessageKey,
    ) {
        // Order within the stream holds for broken ones too.
        if !key.unordered {
            self.end_before(out, key.stream, key.mid);
        }
        self.emit_broken(out, key);
    }

    fn emit_broken<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>, key: MessageKey) {
        if let Some(head) = self.emit_parts(out, key)
            && !head.unordered
        {
            self.passed(out, head.stream, head.seq, true);
        }
    }

    /// Emits the DATA chunks of a row as a message.
    fn emit_row<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        first: u64,
        end: u64,
        missing: Missing,
        ends: bool,
    ) -> Option<MessageHead> {
        let parts = first..end;
        let mut parts = parts.filter_map(|t| self.unstore(t)).collect::<Vec<_>>();
        let last = end.saturating_sub(1);
        let mut head = message_head(&parts, first, last, ends)?;
        if !ends {
            head.missing = missing;
        }
        let places: Vec<_> = parts.iter().map(StoredChunk::place).collect();
        let data = join(&mut parts);
        self.emit(out, head, &data, &[], &places);
        Some(head)
    }

    /// Emits an I-DATA message, whole or as far as its beginning is there.
    fn emit_parts<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        key: MessageKey,
    ) -> Option<MessageHead> {
        let m = self.interleaved.remove(&key)?;
        if let Some(gap) = m.gap {
            self.gapped.remove(&gap);
        }
        let mut parts = Vec::new();
        let mut missing = Missing {
            end_seen: m.last.is_some(),
            ..Missing::default()
        };
        let (mut first, mut last) = (0, 0);
        let mut tsns = Vec::new();
        for (&fsn, &tsn) in &m.parts {
            let Some(f) = self.unstore(tsn) else {
                continue;
            };
            // Only what lies before the first hole is contiguous. Behind it octets are counted, not
            // glued on.
            if fsn < m.have {
                if parts.is_empty() {
                    first = tsn;
                }
                last = tsn;
                tsns.push(low(tsn));
                parts.push(f);
                continue;
            }
            if missing.octets_behind == 0 {
                missing.chunks = u64::from(fsn - m.have);
            }
            missing.octets_behind += f.data.len() as u64;
            dropped(out.cx, 1, f.data.len() as u64);
        }
        let mut head = message_head(&parts, first, last, m.whole)?;
        if !m.whole {
            head.missing = missing;
        }
        let places: Vec<_> = parts.iter().map(StoredChunk::place).collect();
        let data = join(&mut parts);
        // TSNs in a row need no list: first and count say the same. With interleaving they are
        // mostly not.
        if tsns.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 1) {
            tsns.clear();
        }
        self.emit(out, head, &data, &tsns, &places);
        Some(head)
    }

    /// Delivers a message, or holds it for its acknowledgment.
    pub(super) fn emit<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        head: MessageHead,
        data: &[u8],
        tsns: &[u32],
        places: &[RecordSpan],
    ) {
        // Its last chunk decides: a message is acknowledged when all of it is.
        let acknowledged = (head.last < self.acked).then_some(self.acked_at);
        if !out.cx.limits.wait_ack || acknowledged.is_some() {
            return hand_on(out, &head, data, tsns, places, acknowledged);
        }
        let held = HeldMessage {
            head,
            data: data.to_vec(),
            tsns: tsns.to_vec(),
            places: places.to_vec(),
        };
        out.cx.counters.sctp.ack_held += 1;
        self.changed = true;
        self.octets += held.cost();
        self.chunks += head.chunks as usize;
        // Released ones stay in the queue by time; it is swept in proportion.
        if self.unacked_since.len() > 2 * self.unacked.len() + 64 {
            let held = &self.unacked;
            self.unacked_since
                .retain(|(_, last)| held.contains_key(last));
        }
        self.unacked_since.push_back((out.cx.now, head.last));
        if let Some(same) = self.unacked.insert(head.last, held) {
            // Only a number that was used twice.
            self.let_go(out, &same, None);
        }
    }

    /// Delivers what was held for its acknowledgment, as far as that has come, or too much time went by.
    ///
    /// Acknowledgments come in the order of the TSNs, and time goes by in the order in which messages were completed: both keep
    /// the order of a stream.
    pub(super) fn release<S: UserMessageSink>(&mut self, out: &mut Out<'_, S>) {
        while let Some(first) = self.unacked.first_entry()
            && *first.key() < self.acked
        {
            let held = first.remove();
            self.let_go(out, &held, Some(self.acked_at));
        }
        // Time is kept for each message, but they leave in the order in which they came.
        while let Some(&(since, last)) = self.unacked_since.front() {
            let there = self.unacked.contains_key(&last);
            if there && out.cx.now.since(since) < out.cx.limits.sctp_packet_timeout {
                return;
            }
            self.unacked_since.pop_front();
            if let Some(held) = self.unacked.remove(&last) {
                out.cx.counters.sctp.ack_timeout += 1;
                self.let_go(out, &held, None);
            }
        }
    }

    /// Delivers all that was held for its acknowledgment; false where there is nothing.
    pub(in super::super) fn release_all<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
    ) -> bool {
        self.changed = true;
        let any = !self.unacked.is_empty();
        // In the order of time, which is the order in which they would have been emitted.
        while let Some((_, last)) = self.unacked_since.pop_front() {
            if let Some(held) = self.unacked.remove(&last) {
                out.cx.counters.sctp.ack_forced += 1;
                self.let_go(out, &held, None);
            }
        }
        any
    }

    /// Delivers a message that was held for those of the other direction.
    pub(in super::super) fn hand_on_held<S: UserMessageSink>(
        &self,
        out: &mut Out<'_, S>,
        held: &HeldMessage,
    ) {
        let acknowledged = (held.head.last < self.acked).then_some(self.acked_at);
        held.hand_on(out, acknowledged);
    }

    fn let_go<S: UserMessageSink>(
        &mut self,
        out: &mut Out<'_, S>,
        held: &HeldMessage,
        acknowledged: Option<Timestamp>,
    ) {
        self.changed = true;
        self.octets -= held.cost();
        self.chunks -= held.head.chunks as usize;
        held.hand_on(out, acknowledged);
    }
}

/// The number behind an SSN or MID.
fn behind(seq: u32, interleaved: bool) -> u32 {
    // SSNs have 16 bits, MIDs 32 (RFC 8260, 2.1).
    if interleaved {
        seq.wrapping_add(1)
    } else {
        seq.wrapping_add(1) & 0xffff
    }
}

impl HeldMessage {
    /// Hands it to the sink.
    fn hand_on<S: UserMessageSink>(&self, out: &mut Out<'_, S>, acknowledged: Option<Timestamp>) {
        hand_on(
            out,
            &self.head,
            &self.data,
            &self.tsns,
            &self.places,
            acknowledged,
        );
    }
}

/// Hands one message to the sink.
fn hand_on<S: UserMessageSink>(
    out: &mut Out<'_, S>,
    head: &MessageHead,
    data: &[u8],
    tsns: &[u32],
    places: &[RecordSpan],
    acknowledged: Option<Timestamp>,
) {
    if let Some(held) = &mut out.held {
        held.push_back(HeldMessage {
            head: *head,
            data: data.to_vec(),
            tsns: tsns.to_vec(),
            places: places.to_vec(),
        });
        return;
    }
    let c = &mut out.cx.counters.sctp;
    c.messages += 1;
    c.message_octets += data.len() as u64;
    c.delivered_chunks += u64::from(head.chunks);
    if head.whole {
        c.whole += 1;
        c.fragmented += u64::from(head.chunks > 1);
    } else {
        c.incomplete += 1;
    }
    let message = UserMessage {
        direction: out.direction,
        src: SocketAddr::new(head.origin.src, out.flow.src(out.direction).port()),
        dst: SocketAddr::new(head.origin.dst, out.flow.dst(out.direction).port()),
        tag: head.origin.tag,
        stream: head.stream,
        seq: head.seq,
        ppid: head.ppid,
        unordered: head.unordered,
        interleaved: head.interleaved,
        tsn: low(head.first),
        tsns,
        places,
        chunks: head.chunks,
        data,
        len: head.len,
        whole: head.whole,
        missing: head.missing,
        frame: head.origin.frame,
        time: head.origin.time,
        acknowledged,
    };
    // What stands behind a hole, or waited for an acknowledgment or for what came before it, was there all the time.
    let now = out.cx.packet;
    let packet = &mut out.cx.packet;
    (packet.frame, packet.time, packet.interface) = head.brought;
    let mut at = AssociationContext {
        cx: out.cx,
        flow: out.flow,
        tags: out.tags,
        state: out.state,
    };
    out.sink.user_message(&mut at, &message);
    out.cx.packet = now;
}

/// What the first chunk says of its message. None where there is no chunk.
fn message_head(parts: &[StoredChunk], first: u64, last: u64, ends: bool) -> Option<MessageHead> {
    let f = parts.first()?;
    let cut = parts.iter().any(StoredChunk::is_cut);
    Some(MessageHead {
        stream: f.stream,
        seq: f.seq,
        ppid: f.ppid,
        unordered: f.unordered,
        interleaved: f.interleaved,
        first,
        last,
        chunks: u32::try_from(parts.len()).unwrap_or(u32::MAX),
        len: ends.then(|| parts.iter().map(|p| u64::from(p.len)).sum()),
        whole: ends && !cut,
        missing: Missing {
            end_seen: ends,
            ..Missing::default()
        },
        origin: f.origin,
        brought: parts
            .iter()
            .map(|p| p.origin.packet())
            .max_by_key(|(frame, time, _)| (*time, *frame))?,
    })
}

/// The octets of chunks in a row, up to the first that was cut. Takes them out of the chunks.
fn join(parts: &mut [StoredChunk]) -> Vec<u8> {
    // The common case hands its only chunk over without a copy.
    if let [only] = parts {
        return std::mem::take(&mut only.data).into_vec();
    }
    let mut data = Vec::with_capacity(parts.iter().map(|p| p.data.len()).sum());
    for p in parts {
        data.extend_from_slice(&p.data);
        // What follows a cut chunk is not contiguous with it.
        if p.is_cut() {
            break;
        }
    }
    data
}
