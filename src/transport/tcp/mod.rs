//! TCP (RFC 9293) as a capture shows it: from segments to octets in order, gaps and endings.
//!
//! ```text
//!                origin      delivered     hole         hole
//!  stream:  ───────┼─────────────┼·········┼═══════┼····┼═════┼──>
//!                  └ handed on ──┘         └─── Waiting ─────┘
//! ```
//!
//! A capture loses packets that the connection did not lose, so a hole is not waited for for ever: `Connection::due`
//! holds every reason to give one up. Offsets are 64 bits wide (see [`stream::ORIGIN`]); sequence numbers only appear
//! where a segment comes in.
//!
//! [`stream::ORIGIN`]: crate::base::stream::ORIGIN

mod checksum;
mod choose;
mod connection;
mod connections;
#[cfg(test)]
mod copies;
mod damaged;
mod early;
mod express;
mod memory;
mod order;
mod queues;
mod replay;
mod segment;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod waiting;

pub use segment::Segment;

use super::stream::StreamSink;
use super::table::FlowPlace;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flags;
use crate::base::flow::{AddressPair, Direction, FlowKey};
use crate::base::limits::{Channels, Checksums};
use crate::base::packet::Channel;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::AgedTable;
use crate::base::stream::{Close, FlowState};
use crate::base::time::Instant;
use crate::base::trace::Fate;
use crate::ip::Datagram;
use checksum::{SegmentSum, sum_of};
use connection::{Connection, HeldSegment, Verdict, trace_fate};
use connections::Connections;
use early::EarlyDamaged;
use order::{BARE, CLOSED, CLOSED_WHOLE, HALF_OPEN, OPEN};
use queues::Queues;
use segment::low_of;
use std::cmp::Reverse;

/// The TCP stage: all connections. Plain data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + serde::de::DeserializeOwned")]
pub struct Tcp<S> {
    table: Connections<S>,
    /// From and to which addresses right checksums were seen.
    checksums_valid: AgedTable<AddressPair, ()>,
    /// Where several connections are between the same endpoints, on channels that do not fit each other: a bit for each of
    /// their numbers ([`FlowKey::numbered`]).
    split: AgedTable<FlowKey, u8>,
    /// Octets of these two tables, and of the queues, that the budget knows of.
    charged: usize,
    queues: Queues,
    /// Damaged segments that came where no connection was known.
    early: EarlyDamaged,
}

impl<S: FlowState> Default for Tcp<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: FlowState> Tcp<S> {
    /// No connections.
    pub fn new() -> Self {
        Self {
            table: Connections::new(),
            checksums_valid: AgedTable::new(),
            split: AgedTable::new(),
            charged: 0,
            queues: Queues::default(),
            early: EarlyDamaged::default(),
        }
    }

    /// Has to be called once when the state has been read back.
    pub fn reindex(&mut self) {
        self.table.reindex();
    }

    /// Connections that are known now, ended ones whose key is still known included.
    pub fn connections(&self) -> usize {
        self.table.len()
    }

    /// Segments, or parts of them, that wait.
    pub const fn waiting(&self) -> usize {
        self.queues.waiting
    }

    /// Takes the TCP segment of a datagram.
    pub fn datagram<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        ip: &Datagram<'_>,
        sink: &mut K,
    ) {
        let mut segment = match Segment::parse(ip) {
            Ok(segment) => segment,
            Err(why) => {
                cx.counters.tcp.segments += 1;
                return cx.discard(why);
            }
        };
        let header = ip.payload.len() - segment.payload.len();
        let (mut sum, payload_sum) = sum_of(cx, ip, header);
        segment.payload_sum = payload_sum.filter(|_| !segment.payload.is_empty());
        let mut claimed = 0;
        if ip.doubtful && sum != SegmentSum::Right {
            if ip.is_cut() {
                claimed = segment.payload_len;
                // The length is false, or the rest was lost: where a FIN stands is not known, and what follows shows where
                // octets are missing.
                segment.payload_len = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
                segment.flags &= !flags::FIN;
            } else if !ip.checksum_known_good {
                sum = SegmentSum::Wrong;
            }
        }
        if sum == SegmentSum::Wrong {
            cx.counters.tcp.bad_checksum += 1;
            // Counted and dropped under `verify` only: with `auto` a wrong sum says nothing until
            // this sender has shown right ones, as cards fill it in behind the capture.
            if cx.limits.tcp_checksums == Checksums::Verify {
                count_segment(cx, &segment);
                trace_fate(cx, None, &segment, None, Fate::BadChecksum);
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                return cx.discard(Discard::TcpBadChecksum);
            }
        }
        if ip.doubtful && !ip.is_cut() && !ip.checksum_known_good {
            // The sum of a segment covers the addresses, and not the rest of the IP header: one that a router would have
            // dropped is believed as little as a damaged one, whatever its own sum says.
            sum = SegmentSum::Wrong;
        }
        self.route(cx, &segment, sum, ip.channel, sink);
        if claimed > 0 && !segment.payload.is_empty() {
            let channel = ip.channel.keyed(cx.limits.channels);
            let (key, low) = FlowKey::new(segment.src, segment.dst, channel);
            let place = self.table.find(&key);
            if let Some(c) = place.and_then(|place| self.table.get_mut(place, &mut cx.budget)) {
                c.expect(cx, c.direction(low), segment.data_seq().add(claimed));
            }
        }
    }

    /// Takes a segment that was parsed elsewhere. Its packet is [`Context::packet`], with the VLANs that it came on, its time
    /// [`Context::now`].
    pub fn segment<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        segment: &Segment<'_>,
        channel: Channel,
        sink: &mut K,
    ) {
        self.route(cx, segment, SegmentSum::Unknown, channel, sink);
    }

    /// Takes a segment to the connection on its ports.
    fn route<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        segment: &Segment<'_>,
        sum: SegmentSum,
        channel: Channel,
        sink: &mut K,
    ) {
        // Before any check: every segment counts, also one that is then refused, so that the
        // counters balance.
        count_segment(cx, segment);
        let channel = channel.keyed(cx.limits.channels);
        let (key, low) = FlowKey::new(segment.src, segment.dst, channel);
        let found = self.table.find(&key);
        // The common segment: its connection is known, on one channel, and nothing speaks against its checksum.
        if let Some(place) = found
            && self.split.is_empty()
            && let Some(connection) = self.table.get_mut(place, &mut cx.budget)
            && let direction = connection.direction(low)
            && connection.is_on(direction, &cx.packet)
            && (sum == SegmentSum::Unknown
                || sum == SegmentSum::Right && connection.checksums_valid(direction))
            && connection.is_next_in_order(cx, direction, segment)
            && connection.may_take_next(cx, direction, segment)
        {
            return self.take_next(cx, place, direction, segment, sink);
        }
        self.route_unusual(cx, segment, sum, key, low, found, sink);
    }

    /// Hands a segment to its connection that [`may_take_next`](Connection::may_take_next) take it.
    #[inline(always)] // on every segment's way
    fn take_next<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        place: FlowPlace,
        direction: Direction,
        segment: &Segment<'_>,
        sink: &mut K,
    ) {
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let quiet = connection.take_next(cx, direction, segment, sink);
        if let Some(list) = listed_anew(connection, cx.now) {
            self.table.touch(place, list);
        }
        if !quiet {
            self.after(cx, place, 0, sink);
        }
    }

    /// Takes a segment to the connection that it is of, or makes one.
    #[allow(clippy::too_many_arguments)] // what was found out before the way parted
    #[inline(never)] // off the common segment's way
    fn route_unusual<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        segment: &Segment<'_>,
        sum: SegmentSum,
        mut key: FlowKey,
        low: bool,
        mut found: Option<FlowPlace>,
        sink: &mut K,
    ) {
        // Without a known connection nothing speaks against this channel.
        let (mut on, mut valid_before) = (true, false);
        if let Some(place) = found
            && let Some(connection) = self.table.get_mut(place, &mut cx.budget)
        {
            let direction = connection.direction(low);
            on = connection.is_on(direction, &cx.packet);
            valid_before = connection.checksums_valid(direction);
        }
        // Only segments on another channel, or any segment while several connections share ports somewhere, pay for the choice.
        if cx.limits.channels != Channels::Separate && !(on && self.split.is_empty()) {
            let Some(chosen) = self.choose(cx, key, low, segment) else {
                trace_fate(cx, None, segment, None, Fate::OtherChannel);
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                return cx.discard(Discard::TcpOtherChannel);
            };
            (key, found) = chosen;
            let connection = found.and_then(|place| self.table.get_mut(place, &mut cx.budget));
            valid_before = connection.is_some_and(|c| c.checksums_valid(c.direction(low)));
        }
        // Before the connection sees it: nothing of a damaged segment may move its numbers.
        if sum != SegmentSum::Unknown && self.is_damaged(cx, segment, sum, valid_before, found, low)
        {
            return self.damaged(cx, &key, segment, found, low, sink);
        }
        let Some(place) = found else {
            // No connection, so nothing can be held up for it: it opens one, or is a stray.
            let opened = self.open(cx, key, low, segment, false, sink);
            // The first right sum makes later wrong ones suspect.
            if sum == SegmentSum::Right
                && let Some(connection) =
                    opened.and_then(|place| self.table.get_mut(place, &mut cx.budget))
            {
                connection.set_checksums_valid(Direction::Forward);
            }
            return;
        };
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let direction = connection.direction(low);
        match connection.classify(cx, direction, segment) {
            Verdict::Fits => self.pass(cx, &key, place, direction, segment, sink),
            Verdict::Stray => {
                connection.fate(cx, direction, segment, Fate::Stray);
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                cx.discard(Discard::TcpStray);
            }
            Verdict::Held => {
                // What is held for too many others is not lost: it is what it would be had it waited in vain.
                let over = connection.take_held_over(&mut cx.budget);
                if !over.is_empty() {
                    connection.stands_alone(&over);
                    self.stand_alone(cx, &key, &over, Close::Evicted, sink);
                }
                if let Some(connection) = self.table.get_mut(place, &mut cx.budget) {
                    // What is held must be looked at again when its time is over, even if no packet
                    // comes.
                    if let Some(at) = connection.wake(cx) {
                        self.queues.arm(cx.now, place, connection, at);
                    }
                    let list = if connection.is_closed() {
                        CLOSED_WHOLE
                    } else {
                        OPEN
                    };
                    if connection.is_listed_at(cx.now, list) {
                        self.table.touch(place, list);
                    }
                }
            }
            Verdict::Restart(jumped) => {
                connection.fate(cx, direction, segment, Fate::ConfirmsJump);
                // Taken before the restart, which empties the stream they were held for.
                let held = connection.take_held(&mut cx.budget);
                // The first held segment of this direction is where the new numbers begin; the
                // confirming one may be further on.
                let first = held
                    .iter()
                    .find(|h| connection.direction(low_of(&key, &h.segment())) == jumped);
                let seq = first.map_or(segment.data_seq(), |h| h.segment().data_seq());
                connection.restart(cx, jumped, seq, sink);
                self.pass_held(cx, &key, place, &held, sink);
                self.pass(cx, &key, place, direction, segment, sink);
            }
            Verdict::Replace => {
                connection.fate(cx, direction, segment, Fate::Replaces);
                // What was held for the new connection goes to it: first the SYN, then segments that looked like a jump.
                let held = connection.take_held(&mut cx.budget);
                // The old connection ends, with all its data, before the new one appears under the
                // same key: a reader must not see the two interleaved.
                self.end(cx, place, Close::Replaced, sink);
                self.remove(cx, place);
                let late_syn = |h: &HeldSegment| !h.segment().has(flags::SYN);
                if segment.has(flags::SYN) && held.iter().all(late_syn) {
                    // Its data was captured before it, or there is none.
                    let place = self.open(cx, key, low, segment, true, sink);
                    return self.join(cx, &key, place, held, sink);
                }
                match self.reopen(cx, key, &held, Some(segment), sink) {
                    // The confirming segment itself comes last: it was captured last.
                    Some(place) => {
                        if let Some(connection) = self.table.get_mut(place, &mut cx.budget) {
                            let direction = connection.direction(low);
                            self.pass(cx, &key, place, direction, segment, sink);
                        }
                    }
                    None => {
                        // Nothing held can open it (only RSTs), so the segment does that alone.
                        self.open(cx, key, low, segment, true, sink);
                    }
                }
            }
            Verdict::Over { known } => {
                // Late copies are known by their key, which is why ended connections stay in the
                // table for a while.
                connection.fate(cx, direction, segment, Fate::AfterEnd(known));
                let octets = segment.payload.len() as u64;
                if known {
                    cx.counters.tcp.duplicate_octets += octets;
                    cx.counters.tcp.retransmissions += u64::from(octets > 0);
                } else {
                    cx.counters.tcp.refused_octets += octets;
                    if octets > 0 {
                        cx.discard(Discard::TcpAfterEnd);
                    }
                }
            }
        }
    }

    /// Takes a connection out of the table.
    fn remove(&mut self, cx: &mut Context, place: FlowPlace) {
        let Some(key) = self.table.remove(place, &mut cx.budget) else {
            return;
        };
        self.unsplit(cx, &key);
    }

    /// Opens a connection with its first segment.
    fn open<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: FlowKey,
        low: bool,
        segment: &Segment<'_>,
        reused: bool,
        sink: &mut K,
    ) -> Option<FlowPlace> {
        // A RST has nothing to open, and a scan answers with many of them.
        if segment.has(flags::RST) {
            trace_fate(cx, None, segment, None, Fate::Stray);
            cx.counters.tcp.refused_octets += segment.payload.len() as u64;
            cx.discard(Discard::TcpStray);
            return None;
        }
        // Memory of the table is not given back when a connection goes: where more is not to be had, one has to make room.
        // A quarter is left for what connections with data need.
        let others = cx.budget.used().saturating_sub(self.table.allocated());
        let limit = cx.budget.limit();
        let room = limit.saturating_sub(others).min(limit - limit / 4);
        while self.table.len() >= cx.limits.connections.max(1)
            || (self.table.is_full() && self.table.grown() > room)
        {
            if !self.evict(cx, sink) {
                break;
            }
        }
        // Numbers follow first sight, as in tshark's `tcp.stream`, so users can carry them from one
        // to the other.
        let number = self.queues.next_number;
        self.queues.next_number += 1;
        cx.counters.tcp.connections += 1;
        cx.counters.tcp.reused_ports += u64::from(reused);
        cx.counters.tcp.midstream += u64::from(!segment.has(flags::SYN));
        let connection = Connection::new(number, low, reused, cx.now);
        let place = self
            .table
            .insert(key, connection, HALF_OPEN, &mut cx.budget)?;
        // Looked for only where splits exist at all; a capture without VLANs never touches that
        // table.
        if key.number() > 0 || !self.split.is_empty() {
            self.split(cx, &key);
        }
        self.pass(cx, &key, place, Direction::Forward, segment, sink);
        if !self.early.is_empty() {
            self.adopt(cx, &key, place, sink);
        }
        Some(place)
    }

    /// Hands a segment that fits to its connection.
    fn pass<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        place: FlowPlace,
        direction: Direction,
        segment: &Segment<'_>,
        sink: &mut K,
    ) {
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let waited = connection.waiting();
        let quiet = connection.receive(cx, key, direction, segment, sink);
        if let Some(list) = listed_anew(connection, cx.now) {
            self.table.touch(place, list);
        }
        if !quiet {
            self.after(cx, place, waited, sink);
        }
    }

    /// Looks after a connection that something has happened to.
    fn after<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        place: FlowPlace,
        waited: usize,
        sink: &mut K,
    ) {
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let waits = connection.waiting();
        if waits > waited {
            self.queues.waiting += waits - waited;
            self.queues.note_most(cx);
            // Queued once, when the first segment begins to wait; the front of the queue is then
            // what has waited longest.
            if waited == 0 {
                self.queues.waiters.push_back(place);
            }
        } else {
            self.queues.waiting = self.queues.waiting.saturating_sub(waited - waits);
        }
        // Asked only when it grew: each time that it doubles the connection is queued again, and
        // the old entry is void.
        if waits > waited
            && let Some(class) = connection.heavier()
        {
            self.queues.weigh(place, class);
        }
        if connection.has_ended(cx) {
            let close = connection.ending();
            self.close(cx, place, close, sink);
            return;
        }
        if let Some(at) = connection.wake(cx) {
            self.queues.arm(cx.now, place, connection, at);
        }
        // Entries that are void stay until here. At most four for each connection bound the memory,
        // and the sweep costs a fixed share of each packet.
        if self.queues.longest() > 4 * self.table.len() + 1024 {
            self.tidy();
        }
        self.charge(cx);
        // The limit is on all connections together. What goes is what has waited longest, wherever
        // that is.
        while self.queues.waiting > cx.limits.active_packets && self.drop_oldest_buffered(cx, sink)
        {
        }
    }

    /// Whether [`tick`](Self::tick) may find something to do.
    #[inline(always)] // asked behind every packet
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let first = self.queues.deadlines.peek();
        first.is_some_and(|Reverse((at, _))| *at <= now)
            || now >= self.queues.expiry
            || self.table.may_shrink()
    }

    /// Does what is due: to be called after each packet, when the clock has moved.
    pub fn tick<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        while let Some(&Reverse((at, place))) = self.queues.deadlines.peek() {
            if at > cx.now {
                break;
            }
            // Taken out first: looking at the connection may arm it again for a later time.
            self.queues.deadlines.pop();
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                continue;
            };
            // Void: it was armed for an earlier time since, and that was taken care of.
            if !connection.disarm(at) {
                continue;
            }
            let waited = connection.waiting();
            // Nothing confirmed what was held. One deadline serves held segments and holes, so both
            // are looked at here.
            if connection.held_too_long(cx) {
                let held = connection.take_held(&mut cx.budget);
                connection.stands_alone(&held);
                if let Some(key) = self.table.key(place) {
                    self.stand_alone(cx, &key, &held, Close::Unconfirmed, sink);
                }
            }
            // What was held may have ended the connection, so it is looked up again.
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                continue;
            };
            connection.advance(cx, sink);
            if connection.is_bare() {
                self.table.lighter(place);
            }
            self.after_wake(cx, place, waited, sink);
        }
        if cx.now >= self.queues.expiry {
            self.expire(cx, sink);
        }
        // Last, when nobody holds on to a connection any more: the place stays, its form changes.
        self.table
            .shrink(&mut cx.budget, |state| sink.charged(state));
        self.fit(cx, sink);
    }

    /// As [`Tcp::after`], where no packet was the reason: the order of use stays.
    fn after_wake<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        place: FlowPlace,
        waited: usize,
        sink: &mut K,
    ) {
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let waits = connection.waiting();
        self.queues.waiting = (self.queues.waiting + waits).saturating_sub(waited);
        self.queues.note_most(cx);
        if connection.has_ended(cx) {
            let close = connection.ending();
            self.close(cx, place, close, sink);
        } else if let Some(at) = connection.wake(cx) {
            self.queues.arm(cx.now, place, connection, at);
        }
    }

    /// Flushes and ends a connection; its key stays known.
    fn close<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        place: FlowPlace,
        close: Close,
        sink: &mut K,
    ) {
        self.end(cx, place, close, sink);
        if let Some(connection) = self.table.get_mut(place, &mut cx.budget) {
            connection.is_listed_at(cx.now, CLOSED);
            self.table.touch(place, CLOSED);
            self.table.lighter(place);
        }
    }

    /// Flushes and ends a connection.
    fn end<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        place: FlowPlace,
        close: Close,
        sink: &mut K,
    ) {
        // A RST that was captured says how it ended, whatever brought the end about here.
        let as_seen = |was_reset| if was_reset { Close::Reset } else { close };
        // How what is held on its ports ends with it.
        let alone = match close {
            Close::Evicted => close,
            _ => Close::Unconfirmed,
        };
        if !cx.limits.empty_connections
            && let Some((ends, was_reset)) = self.table.end_compact(place)
        {
            if ends {
                let close = as_seen(was_reset);
                count_close(cx, close);
                if sink.hears_flow_ends()
                    && let Some(key) = self.table.key(place)
                    && let Some(connection) = self.table.get(place)
                {
                    connection.tell_end(cx, &key, close, sink);
                }
            }
            return;
        }
        let Some(key) = self.table.key(place) else {
            return;
        };
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        if connection.is_closed() {
            let held = connection.take_held(&mut cx.budget);
            if let Some(key) = self.table.key(place).filter(|_| !held.is_empty()) {
                self.stand_alone(cx, &key, &held, alone, sink);
            }
            return;
        }
        let close = as_seen(connection.was_reset());
        let waited = connection.waiting();
        let close = connection.close(cx, &key, close, sink);
        let held = connection.take_held(&mut cx.budget);
        self.queues.waiting = self.queues.waiting.saturating_sub(waited);
        count_close(cx, close);
        if held.is_empty() {
            return;
        }
        let by_itself = matches!(close, Close::Fin | Close::Reset);
        if by_itself && held.iter().any(|h| h.segment().has(flags::SYN)) {
            // The SYN of the next connection was captured before the end of this one.
            self.remove(cx, place);
            self.reopen(cx, key, &held, None, sink);
        } else {
            self.stand_alone(cx, &key, &held, alone, sink);
        }
    }
}

fn count_close(cx: &mut Context, close: Close) {
    let counters = &mut cx.counters.tcp;
    match close {
        Close::Fin => counters.closed_fin += 1,
        Close::Reset => counters.closed_reset += 1,
        Close::Idle => counters.closed_idle += 1,
        Close::Evicted => counters.closed_evicted += 1,
        Close::Replaced => counters.closed_replaced += 1,
        Close::EndOfInput => counters.closed_end += 1,
        Close::Unconfirmed => counters.closed_unconfirmed += 1,
    }
}

/// The order of use that a connection stands in. Bare ones are listed apart: for lack of room they go before those that have
/// data.
fn list_of<S>(connection: &Connection<S>) -> u8 {
    match connection.is_bare() && !connection.is_kept_whole() {
        false => OPEN,
        true if connection.half_open() => HALF_OPEN,
        true => BARE,
    }
}

/// The order of use in which a connection has to be put at the young end: at most ten times a second; see `is_listed_at`.
#[inline(always)] // on every segment's way
fn listed_anew<S>(connection: &mut Connection<S>, now: Instant) -> Option<u8> {
    let list = list_of(connection);
    connection.is_listed_at(now, list).then_some(list)
}

fn count_segment(cx: &mut Context, segment: &Segment<'_>) {
    let c = &mut cx.counters.tcp;
    c.segments += 1;
    c.octets += segment.payload.len() as u64;
    let is_set = |flag| u64::from(segment.has(flag));
    c.syn += is_set(flags::SYN);
    c.fin += is_set(flags::FIN);
    c.rst += is_set(flags::RST);
    let control = flags::SYN | flags::FIN | flags::RST;
    c.pure_acks += u64::from(
        segment.payload_len == 0 && segment.flags & control == 0 && segment.ack.is_some(),
    );
}
