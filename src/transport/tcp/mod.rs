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
//! [`stream::ORIGIN`]: super::stream::ORIGIN

mod connection;
mod connections;
#[cfg(test)]
mod copies;
mod segment;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod waiting;

pub use segment::Segment;

use super::stream::StreamSink;
use super::table::Place;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, FlowKey};
use crate::base::limits::{Channels, Checksums};
use crate::base::packet::{Channel, VlanTag};
use crate::base::storage::AgedTable;
use crate::base::stream::{Close, FlowState, GapCause};
use crate::base::time::Instant;
use crate::base::trace::Fate;
use crate::base::{checksum, flags, ip_protocol};
use crate::ip::Datagram;
use connection::{Connection, Held, Verdict, tell_fate};
use connections::Connections;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Connections of which one side only was seen, without data: the first to go at a limit.
const HALF_OPEN: u8 = 0;
/// Connections of which both sides were seen, without data: nothing but their place in the table is allocated for them.
const BARE: u8 = 1;
/// Connections that something is allocated for: they have had data, mostly.
const OPEN: u8 = 2;
/// Connections that have ended, whose key is still known.
const CLOSED: u8 = 3;
/// The same, of which more is kept than their place in the table.
const CLOSED_WHOLE: u8 = 4;

/// Power of two of the octets from which on a connection counts as heavy.
const HEAVY: u8 = 14;
/// A connection that was not used for so long is idle.
const IDLE: Duration = Duration::from_secs(2);
/// Connections between the same endpoints at the same time, on channels that do not fit each other.
const NUMBERS: u8 = 8;
/// Pairs of addresses that are remembered for their right checksums.
const SUMMED: usize = 16_384;
/// How long the key of a connection that has ended stays known, so that stray segments open nothing.
const LINGER: Duration = Duration::from_secs(30);

/// The TCP stage: all connections. Plain data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + DeserializeOwned")]
pub struct Tcp<S> {
    table: Connections<S>,
    /// From and to which addresses right checksums were seen.
    summed: AgedTable<(IpAddr, IpAddr), ()>,
    /// Where several connections are between the same endpoints, on channels that do not fit each other: a bit for each of
    /// their numbers ([`FlowKey::numbered`]).
    split: AgedTable<FlowKey, u8>,
    /// Octets of these two tables, and of the queues, that the budget knows of.
    booked: usize,
    queues: Queues,
}

/// What connections queue up in.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Queues {
    next_number: u64,
    /// When a connection has to be looked at though no packet of it comes; an entry counts only while the connection
    /// says that it is armed for that time.
    deadlines: BinaryHeap<Reverse<(Instant, Place)>>,
    /// Connections in the order in which something began to wait in them.
    waiters: VecDeque<Place>,
    /// Connections in which many octets wait, by the power of two of their number; an entry counts only while it is true.
    heavy: BinaryHeap<(u8, Place)>,
    /// Segments, or parts, that wait in all connections.
    waiting: usize,
    /// Before this time no connection has been idle for too long.
    expiry: Instant,
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
            summed: AgedTable::new(),
            split: AgedTable::new(),
            booked: 0,
            queues: Queues::default(),
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

    /// Takes the TCP segment of a datagram.
    pub fn datagram<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        ip: &Datagram<'_>,
        sink: &mut K,
    ) {
        let (mut segment, sum) = match Segment::parse(ip) {
            Ok(segment) => (segment, sum_of(cx, ip)),
            Err(why) => {
                cx.counters.tcp.segments += 1;
                return cx.discard(why);
            }
        };
        if sum == Sum::Wrong {
            cx.counters.tcp.bad_checksum += 1;
            if cx.limits.tcp_checksums == Checksums::Verify {
                count_segment(cx, &segment);
                tell_fate(cx, None, &segment, None, Fate::BadChecksum);
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                return cx.discard(Discard::TcpBadChecksum);
            }
        }
        if sum == Sum::Right && !segment.payload.is_empty() {
            let header = &ip.payload[..ip.payload.len() - segment.payload.len()];
            let before =
                checksum::pseudo_header(ip.src, ip.dst, ip_protocol::TCP, ip.payload.len());
            segment.payload_sum = Some(before.add(header).of_rest(segment.payload.len()));
        }
        self.route(cx, &segment, sum, ip.channel, sink);
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
        self.route(cx, segment, Sum::Unknown, channel, sink);
    }

    /// Takes a segment to the connection on its ports.
    fn route<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        segment: &Segment<'_>,
        sum: Sum,
        channel: Channel,
        sink: &mut K,
    ) {
        count_segment(cx, segment);
        let channel = channel.keyed(cx.limits.channels);
        let (mut key, low) = FlowKey::new(segment.src, segment.dst, channel);
        let mut found = self.table.find(&key);
        let (mut on, mut summed) = (true, false);
        if let Some(place) = found
            && let Some(connection) = self.table.get_mut(place, &mut cx.budget)
        {
            let direction = connection.direction(low);
            on = connection.is_on(direction, &cx.packet.link.tags);
            summed = connection.is_summed(direction);
        }
        if cx.limits.channels != Channels::Separate && !(on && self.split.is_empty()) {
            let Some(chosen) = self.choose(cx, key, low, segment) else {
                tell_fate(cx, None, segment, None, Fate::OtherChannel);
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                return cx.discard(Discard::TcpOtherChannel);
            };
            (key, found) = chosen;
            let connection = found.and_then(|place| self.table.get_mut(place, &mut cx.budget));
            summed = connection.is_some_and(|c| c.is_summed(c.direction(low)));
        }
        if sum != Sum::Unknown && self.is_damaged(cx, segment, sum, summed, found, low) {
            return self.damaged(cx, &key, segment, found, low, sink);
        }
        let Some(place) = found else {
            let opened = self.open(cx, key, low, segment, false, sink);
            if sum == Sum::Right
                && let Some(connection) =
                    opened.and_then(|place| self.table.get_mut(place, &mut cx.budget))
            {
                connection.set_summed(Direction::Forward);
            }
            return;
        };
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let direction = connection.direction(low);
        match connection.judge(cx, direction, segment) {
            Verdict::Fits => self.pass(cx, &key, place, direction, segment, sink),
            Verdict::Stray => {
                connection.fate(cx, direction, segment, Fate::Stray);
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                cx.discard(Discard::TcpStray);
            }
            Verdict::Held => {
                if let Some(connection) = self.table.get_mut(place, &mut cx.budget) {
                    if let Some(at) = connection.wake(cx) {
                        self.queues.arm(cx.now, place, connection, at);
                    }
                    if connection.is_listed_at(cx.now, OPEN) {
                        self.table.touch(place, OPEN);
                    }
                }
            }
            Verdict::Restart => {
                connection.fate(cx, direction, segment, Fate::ConfirmsJump);
                let held = connection.take_held(&mut cx.budget);
                let first = held
                    .iter()
                    .find(|h| connection.direction(low_of(&key, &h.segment())) == direction);
                let seq = first.map_or(segment.data_seq(), |h| h.segment().data_seq());
                connection.restart(cx, direction, seq, sink);
                self.pass_held(cx, &key, place, &held, sink);
                self.pass(cx, &key, place, direction, segment, sink);
            }
            Verdict::Replace => {
                connection.fate(cx, direction, segment, Fate::Replaces);
                // What was held for the new connection goes to it: first the SYN, then segments that looked like a jump.
                let held = connection.take_held(&mut cx.budget);
                self.end(cx, place, Close::Replaced, sink);
                self.remove(cx, place);
                match self.reopen(cx, key, &held, Some(segment), sink) {
                    Some(place) => {
                        if let Some(connection) = self.table.get_mut(place, &mut cx.budget) {
                            let direction = connection.direction(low);
                            self.pass(cx, &key, place, direction, segment, sink);
                        }
                    }
                    None => {
                        self.open(cx, key, low, segment, true, sink);
                    }
                }
            }
            Verdict::Over { known } => {
                connection.fate(cx, direction, segment, Fate::AfterEnd(known));
                let octets = segment.payload.len() as u64;
                if known {
                    cx.counters.tcp.duplicate_octets += octets;
                    cx.counters.tcp.retransmissions += u64::from(octets > 0);
                } else {
                    cx.counters.tcp.refused_octets += octets;
                }
            }
        }
    }

    /// Which of the connections between these endpoints a segment belongs to that came on another channel than the first
    /// one, or where there are several: its key, and its place where it exists. None: it is a copy that is left out.
    ///
    /// Channels whose numbers fit are one connection. What does not fit is looked into by the connection that was seen on
    /// its channel (a port that is used again, a jump); without one, it is a connection of its own.
    fn choose(
        &self,
        cx: &Context,
        base: FlowKey,
        low: bool,
        segment: &Segment<'_>,
    ) -> Option<(FlowKey, Option<Place>)> {
        let vlans = cx.packet.link.tags.map(VlanTag::id);
        let split = self.split.find(&base).and_then(|at| self.split.get(at));
        let numbers = split.copied().unwrap_or(1);
        let (mut fits, mut elsewhere, mut seen, mut any) = (None, None, None, None);
        for number in (0..NUMBERS).filter(|n| numbers & 1 << n != 0) {
            let key = base.numbered(number);
            let Some(place) = self.table.find(&key) else {
                continue;
            };
            let Some(connection) = self.table.get(place) else {
                continue;
            };
            let direction = connection.direction(low);
            let on = match cx.limits.channels {
                Channels::First => connection.may_be_on(direction, vlans),
                _ => connection.was_on(vlans),
            };
            let one = Some((key, Some(place)));
            any = any.or(one);
            match (connection.belongs(cx, direction, segment), on) {
                (true, true) => fits = fits.or(one),
                (true, false) => elsewhere = elsewhere.or(one),
                (false, true) => seen = seen.or(one),
                (false, false) => {}
            }
        }
        if fits.is_none() && elsewhere.is_some() && cx.limits.channels == Channels::First {
            return None;
        }
        let opens = segment.has(flags::SYN) || segment.payload_len > 0;
        let free = (0..NUMBERS).find(|n| {
            let key = base.numbered(*n);
            self.table.find(&key).is_none()
        });
        let anew = match free {
            Some(number) if !segment.has(flags::RST) && (opens || any.is_none()) => {
                Some((base.numbered(number), None))
            }
            _ => None,
        };
        fits.or(elsewhere)
            .or(seen)
            .or(anew)
            .or(any)
            .or(Some((base, None)))
    }

    /// A connection has been added: remembers it where there are several between its endpoints.
    fn split(&mut self, cx: &mut Context, key: &FlowKey) {
        let (base, bit) = (key.numbered(0), 1_u8 << key.number().min(NUMBERS - 1));
        if let Some(at) = self.split.find(&base) {
            if let Some(numbers) = self.split.get_mut(at) {
                *numbers |= bit;
            }
        } else if bit > 1 {
            let first = u8::from(self.table.find(&base).is_some());
            self.split.insert(base, first | bit);
            self.book(cx);
        }
    }

    /// Takes a connection out of the table.
    fn remove(&mut self, cx: &mut Context, place: Place) {
        let Some(key) = self.table.remove(place, &mut cx.budget) else {
            return;
        };
        if self.split.is_empty() {
            return;
        }
        if let Some(at) = self.split.find(&key.numbered(0))
            && let Some(numbers) = self.split.get_mut(at)
        {
            *numbers &= !(1 << key.number().min(NUMBERS - 1));
            if *numbers <= 1 {
                self.split.remove(at);
                self.book(cx);
            }
        }
    }

    /// Tells the budget what the smaller tables and the queues have allocated.
    fn book(&mut self, cx: &mut Context) {
        let now = self.summed.allocated() + self.split.allocated() + self.queues.allocated();
        cx.budget.resize(self.booked, now);
        self.booked = now;
    }

    /// Its checksum is wrong though its sender has shown right ones (`summed`: in its connection): it was damaged on the way.
    /// Right ones are remembered.
    fn is_damaged(
        &mut self,
        cx: &mut Context,
        segment: &Segment<'_>,
        sum: Sum,
        summed: bool,
        found: Option<Place>,
        low: bool,
    ) -> bool {
        let path = (segment.src.0, segment.dst.0);
        if sum == Sum::Wrong {
            return summed || self.summed.find(&path).is_some();
        }
        if !summed {
            if let Some(c) = found.and_then(|place| self.table.get_mut(place, &mut cx.budget)) {
                c.set_summed(c.direction(low));
            }
            self.remember_summed(cx, path);
        }
        false
    }

    /// Remembers that right checksums go from one address to another.
    fn remember_summed(&mut self, cx: &mut Context, path: (IpAddr, IpAddr)) {
        if let Some(place) = self.summed.find(&path) {
            return self.summed.renew(place);
        }
        while self.summed.len() >= SUMMED {
            self.summed.remove_oldest();
        }
        self.summed.insert(path, ());
        self.book(cx);
    }

    /// Keeps a damaged segment as second choice.
    fn damaged<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        segment: &Segment<'_>,
        found: Option<Place>,
        low: bool,
        sink: &mut K,
    ) {
        cx.counters.tcp.damaged += 1;
        let known =
            found.and_then(|place| Some((place, self.table.get_mut(place, &mut cx.budget)?)));
        let Some((place, connection)) = known else {
            tell_fate(cx, None, segment, None, Fate::Damaged(false));
            cx.counters.tcp.refused_octets += segment.payload.len() as u64;
            return;
        };
        let waited = connection.waiting();
        let direction = connection.direction(low);
        if connection.take_damaged(cx, key, direction, segment) {
            connection.settle(cx, sink);
            if connection.is_listed_at(cx.now, OPEN) {
                self.table.touch(place, OPEN);
            }
            self.after(cx, place, waited, sink);
        }
    }

    /// Opens a connection on the ports of another one with what was held for it; the SYN that `by` confirms begins it.
    fn reopen<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: FlowKey,
        held: &[Held],
        by: Option<&Segment<'_>>,
        sink: &mut K,
    ) -> Option<Place> {
        let first = Held::opener(held, by)?;
        let opener = held.get(first)?;
        let segment = opener.segment();
        let low = low_of(&key, &segment);
        let place = cx.for_packet(opener.packet(), |cx| {
            self.open(cx, key, low, &segment, true, sink)
        });
        for (i, other) in held.iter().enumerate() {
            let segment = other.segment();
            let connection = place.and_then(|place| self.table.get_mut(place, &mut cx.budget));
            let direction = connection.and_then(|c| {
                let direction = c.direction(low_of(&key, &segment));
                c.fits(cx, direction, &segment).then_some(direction)
            });
            match (place, direction) {
                _ if i == first => {}
                (Some(place), Some(direction)) => cx.for_packet(other.packet(), |cx| {
                    self.pass(cx, &key, place, direction, &segment, sink);
                }),
                _ => cx.counters.tcp.refused_octets += segment.payload.len() as u64,
            }
        }
        place
    }

    /// Hands segments that were held to the connection that they belong to.
    fn pass_held<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        place: Place,
        held: &[Held],
        sink: &mut K,
    ) {
        for held in held {
            let segment = held.segment();
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                break;
            };
            let direction = connection.direction(low_of(key, &segment));
            cx.for_packet(held.packet(), |cx| {
                self.pass(cx, key, place, direction, &segment, sink);
            });
        }
    }

    /// Segments that nothing has confirmed are a connection of their own, which began in the middle and ends here.
    fn stand_alone<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        held: &[Held],
        sink: &mut K,
    ) {
        let mut alone: Option<Connection<S>> = None;
        for held in held {
            let segment = held.segment();
            if segment.has(flags::SYN | flags::RST) || segment.payload.is_empty() {
                cx.counters.tcp.refused_octets += segment.payload.len() as u64;
                continue;
            }
            let connection = alone.get_or_insert_with(|| {
                cx.counters.tcp.connections += 1;
                cx.counters.tcp.midstream += 1;
                let number = self.queues.next_number;
                self.queues.next_number += 1;
                Connection::new(number, low_of(key, &segment), true, cx.now)
            });
            let direction = connection.direction(low_of(key, &segment));
            cx.for_packet(held.packet(), |cx| {
                connection.take(cx, key, direction, &segment, sink)
            });
        }
        if let Some(mut connection) = alone {
            cx.counters.tcp.closed_idle += 1;
            connection.close(cx, Close::Idle, sink);
        }
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
    ) -> Option<Place> {
        if segment.has(flags::RST) {
            tell_fate(cx, None, segment, None, Fate::Stray);
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
        let number = self.queues.next_number;
        self.queues.next_number += 1;
        cx.counters.tcp.connections += 1;
        cx.counters.tcp.reused_ports += u64::from(reused);
        cx.counters.tcp.midstream += u64::from(!segment.has(flags::SYN));
        let connection = Connection::new(number, low, reused, cx.now);
        let place = self
            .table
            .insert(key, connection, HALF_OPEN, &mut cx.budget)?;
        if key.number() > 0 || !self.split.is_empty() {
            self.split(cx, &key);
        }
        self.pass(cx, &key, place, Direction::Forward, segment, sink);
        Some(place)
    }

    /// Hands a segment that fits to its connection.
    fn pass<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        key: &FlowKey,
        place: Place,
        direction: Direction,
        segment: &Segment<'_>,
        sink: &mut K,
    ) {
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let waited = connection.waiting();
        let quiet = connection.take(cx, key, direction, segment, sink);
        let list = match connection.is_bare() && !connection.is_kept_whole() {
            false => OPEN,
            true if connection.half_open() => HALF_OPEN,
            true => BARE,
        };
        if connection.is_listed_at(cx.now, list) {
            self.table.touch(place, list);
        }
        if !quiet {
            self.after(cx, place, waited, sink);
        }
    }

    /// Drops what is queued for connections that are gone or do not wait any more, so that the queues stay in proportion.
    fn tidy(&mut self) {
        let table = &self.table;
        let mut seen = std::collections::HashSet::new();
        self.queues.waiters.retain(|&place| {
            table.get(place).is_some_and(|c| c.waiting() > 0) && seen.insert(place.slot)
        });
        self.queues
            .heavy
            .retain(|(class, place)| table.get(*place).is_some_and(|c| c.weighs(*class)));
        self.queues
            .deadlines
            .retain(|Reverse((at, place))| table.get(*place).is_some_and(|c| c.is_armed_for(*at)));
    }

    /// Looks after a connection that something has happened to.
    fn after<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        place: Place,
        waited: usize,
        sink: &mut K,
    ) {
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let waits = connection.waiting();
        if waits > waited {
            self.queues.waiting += waits - waited;
            if waited == 0 {
                self.queues.waiters.push_back(place);
            }
        } else {
            self.queues.waiting = self.queues.waiting.saturating_sub(waited - waits);
        }
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
        if self.queues.longest() > 4 * self.table.len() + 1024 {
            self.tidy();
        }
        self.book(cx);
        while self.queues.waiting > cx.limits.active_packets && self.relieve_waiting(cx, sink) {}
    }

    /// Does what is due: to be called after each packet, when the clock has moved.
    pub fn tick<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        while let Some(&Reverse((at, place))) = self.queues.deadlines.peek() {
            if at > cx.now {
                break;
            }
            self.queues.deadlines.pop();
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                continue;
            };
            if !connection.disarm(at) {
                continue;
            }
            let waited = connection.waiting();
            if connection.held_too_long(cx) {
                let held = connection.take_held(&mut cx.budget);
                if let Some(key) = self.table.key(place) {
                    self.stand_alone(cx, &key, &held, sink);
                }
            }
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                continue;
            };
            connection.settle(cx, sink);
            if connection.is_bare() {
                self.table.lighter(place);
            }
            self.after_wake(cx, place, waited, sink);
        }
        if cx.now >= self.queues.expiry {
            self.expire(cx, sink);
        }
        self.table.shrink(&mut cx.budget);
    }

    /// Ends connections that have been idle for too long, and forgets ended ones.
    fn expire<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        let idle = cx.limits.session_timeout;
        let limits = [idle, idle, idle, LINGER, LINGER];
        // A connection that is added, or ends, from now on goes no earlier.
        let mut next = cx.now.after(LINGER.min(cx.limits.session_timeout));
        for (list, limit) in (HALF_OPEN..=CLOSED_WHOLE).zip(limits) {
            while let Some(place) = self.table.oldest(list) {
                let Some(used) = self.table.last_used(place) else {
                    break;
                };
                let goes = used.after(limit);
                if goes > cx.now {
                    let connection = self.table.get_mut(place, &mut cx.budget);
                    if connection.is_some_and(|c| c.is_listed_at(cx.now, list)) {
                        // It was used since it was put in its place.
                        self.table.touch(place, list);
                        continue;
                    }
                    next = next.min(goes);
                    break;
                }
                if list < CLOSED {
                    self.end(cx, place, Close::Idle, sink);
                }
                self.remove(cx, place);
            }
        }
        self.queues.expiry = next;
    }

    /// As [`Tcp::after`], where no packet was the reason: the order of use stays.
    fn after_wake<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        place: Place,
        waited: usize,
        sink: &mut K,
    ) {
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        let waits = connection.waiting();
        self.queues.waiting = (self.queues.waiting + waits).saturating_sub(waited);
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
        place: Place,
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
        place: Place,
        close: Close,
        sink: &mut K,
    ) {
        let as_seen = |was_reset| if was_reset { Close::Reset } else { close };
        if let Some(small) = self.table.small_mut(place) {
            if small.end() {
                count_close(cx, as_seen(small.was_reset()));
            }
            return;
        }
        let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
            return;
        };
        if connection.is_closed() {
            return;
        }
        let close = as_seen(connection.was_reset());
        let waited = connection.waiting();
        connection.close(cx, close, sink);
        let held = connection.take_held(&mut cx.budget);
        self.queues.waiting = self.queues.waiting.saturating_sub(waited);
        count_close(cx, close);
        let Some(key) = self.table.key(place).filter(|_| !held.is_empty()) else {
            return;
        };
        let by_itself = matches!(close, Close::Fin | Close::Reset);
        if by_itself && held.iter().any(|h| h.segment().has(flags::SYN)) {
            // The SYN of the next connection was captured before the end of this one.
            self.remove(cx, place);
            self.reopen(cx, key, &held, None, sink);
        } else {
            self.stand_alone(cx, &key, &held, sink);
        }
    }

    fn oldest_ended(&self) -> Option<Place> {
        let mut lists = [CLOSED_WHOLE, CLOSED].into_iter();
        lists.find_map(|list| self.table.oldest(list))
    }

    /// Makes room for a connection: ended ones go first, then half-open ones, then those idle longest.
    fn evict<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) -> bool {
        let used = |list| {
            let place = self.table.oldest(list)?;
            Some((self.table.last_used(place)?, place))
        };
        let ended = self.oldest_ended();
        let open = || {
            self.table.oldest(HALF_OPEN).or_else(|| {
                let idle = used(BARE).into_iter().chain(used(OPEN));
                idle.min_by_key(|(at, _)| *at).map(|(_, place)| place)
            })
        };
        let Some(place) = ended.or_else(open) else {
            return false;
        };
        self.end(cx, place, Close::Evicted, sink);
        self.remove(cx, place);
        true
    }

    /// Gives up the first hole of the connection in which something has waited longest.
    fn relieve_waiting<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) -> bool {
        while let Some(&place) = self.queues.waiters.front() {
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                self.queues.waiters.pop_front();
                continue;
            };
            let waited = connection.waiting();
            if waited == 0 {
                self.queues.waiters.pop_front();
                continue;
            }
            let found = connection.force(cx, GapCause::Memory, sink);
            self.after_wake(cx, place, waited, sink);
            if !found {
                // Damaged copies, of a stream of which nothing better came.
                self.end(cx, place, Close::Evicted, sink);
                self.remove(cx, place);
            }
            return true;
        }
        false
    }

    /// Gives up the first hole of the stream with most octets behind one, by powers of two.
    fn relieve_heaviest<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) -> bool {
        while let Some((class, place)) = self.queues.heavy.pop() {
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                continue;
            };
            let now = connection.weigh();
            if now == class {
                let waited = connection.waiting();
                let found = connection.force(cx, GapCause::Memory, sink);
                if found {
                    let left = connection.weigh();
                    self.queues.weigh(place, left);
                }
                self.after_wake(cx, place, waited, sink);
                if found {
                    return true;
                }
                continue;
            }
            self.queues.weigh(place, now);
        }
        false
    }

    /// Frees memory when the budget is overdrawn, by ending the connection that has been idle longest, if it is idle at
    /// all. False where there is none.
    pub fn relieve_idle<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) -> bool {
        let Some(place) = self.table.oldest(OPEN) else {
            return false;
        };
        let idle = self
            .table
            .last_used(place)
            .is_some_and(|at| cx.now.since(at) >= IDLE);
        if idle {
            self.end(cx, place, Close::Evicted, sink);
            self.remove(cx, place);
        }
        idle
    }

    /// Frees memory when the budget is overdrawn: false where nothing is left to be freed. Connections without data have
    /// nothing but their place in the table, which they leave where another one wants it.
    pub fn relieve<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) -> bool {
        if let Some(place) = self.table.oldest(CLOSED_WHOLE) {
            self.remove(cx, place);
            return true;
        }
        if self.relieve_heaviest(cx, sink) || self.relieve_waiting(cx, sink) {
            return true;
        }
        let Some(place) = self.table.oldest(OPEN) else {
            return false;
        };
        self.end(cx, place, Close::Evicted, sink);
        self.remove(cx, place);
        true
    }

    /// Ends every connection at the end of the input, the one idle longest first.
    pub fn flush<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        for list in [HALF_OPEN, BARE, OPEN] {
            while let Some(place) = self.table.oldest(list) {
                self.end(cx, place, Close::EndOfInput, sink);
                self.remove(cx, place);
            }
        }
        while let Some(place) = self.oldest_ended() {
            self.remove(cx, place);
        }
        self.table.clear(&mut cx.budget);
        cx.budget.give(self.booked);
        (self.summed, self.split, self.booked) = (AgedTable::new(), AgedTable::new(), 0);
        self.queues.deadlines = BinaryHeap::new();
        self.queues.waiters = VecDeque::new();
        self.queues.heavy = BinaryHeap::new();
    }
}

impl Queues {
    /// Octets allocated.
    fn allocated(&self) -> usize {
        self.deadlines.capacity() * size_of::<Reverse<(Instant, Place)>>()
            + self.waiters.capacity() * size_of::<Place>()
            + self.heavy.capacity() * size_of::<(u8, Place)>()
    }

    /// Entries of the longest queue.
    fn longest(&self) -> usize {
        self.waiters
            .len()
            .max(self.deadlines.len())
            .max(self.heavy.len())
    }

    /// A connection weighs so much now.
    fn weigh(&mut self, place: Place, class: u8) {
        if class >= HEAVY {
            self.heavy.push((class, place));
        }
    }

    /// Has a connection looked at at a time, unless that is arranged already.
    fn arm<S>(&mut self, now: Instant, place: Place, connection: &mut Connection<S>, at: Instant) {
        // What has just been looked at is not looked at again before the clock has moved.
        let at = at.max(now.after(Duration::from_nanos(1)));
        if connection.arm(at) {
            self.deadlines.push(Reverse((at, place)));
        }
    }
}

/// The sender is the lower endpoint of the key.
fn low_of(key: &FlowKey, segment: &Segment<'_>) -> bool {
    FlowKey::new(segment.src, segment.dst, key.channel()).1
}

/// What the checksum of a segment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sum {
    /// Right.
    Right,
    /// Wrong.
    Wrong,
    /// Not filled in, not to be looked at, or over octets that the snapshot length cut off.
    Unknown,
}

fn sum_of(cx: &Context, ip: &Datagram<'_>) -> Sum {
    let how = cx.limits.tcp_checksums;
    let Some((header, _)) = ip.payload.split_first_chunk::<18>() else {
        return Sum::Unknown;
    };
    if how == Checksums::Ignore || ip.checksum_known_good || ip.is_cut() {
        return Sum::Unknown;
    }
    let field = u16::from_be_bytes([header[16], header[17]]);
    match checksum::judge(ip.src, ip.dst, ip_protocol::TCP, ip.payload, field) {
        checksum::Verdict::Right => Sum::Right,
        checksum::Verdict::Offloaded if how == Checksums::Auto => Sum::Unknown,
        checksum::Verdict::Offloaded | checksum::Verdict::Wrong => Sum::Wrong,
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
    }
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
