//! What ends by age or for want of room: limits on connections, on what is buffered, and on memory.

use super::Tcp;
use super::order::{BARE, CLOSED, CLOSED_WHOLE, HALF_OPEN, LINGER, OPEN};
use crate::base::context::Context;
use crate::base::storage::AgedTable;
use crate::base::stream::{Close, FlowState, GapCause};
use crate::transport::stream::StreamSink;
use crate::transport::table::FlowPlace;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::time::Duration;

/// A connection that was not used for so long is idle: it goes before one whose octets still arrive. Longer than the
/// retransmission timeout of a TCP that has lost a segment (1 s at first, RFC 6298, 2).
const IDLE: Duration = Duration::from_secs(2);

// Half of it would end connections that only lost a segment; twice of it would let dead ones keep
// memory from live ones.
impl<S: FlowState> Tcp<S> {
    /// Charges the budget with what the smaller tables and the queues have allocated.
    pub(super) fn charge(&mut self, cx: &mut Context) {
        // Capacities, not lengths: this is what the allocator holds for them.
        let now =
            self.checksums_valid.allocated() + self.split.allocated() + self.queues.allocated();
        cx.budget.rebook(&mut self.charged, now);
    }

    /// Drops what is queued for connections that are gone or do not wait any more, so that the queues stay in proportion.
    pub(super) fn tidy(&mut self) {
        let table = &self.table;
        // A connection may stand in the queue more than once when it emptied and filled again; the
        // first entry has its time.
        let mut seen = HashSet::new();
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

    /// Ends connections that have been idle for too long, and forgets ended ones.
    pub(super) fn expire<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        let idle = cx.limits.session_timeout;
        // By list: ended connections need their key for stray segments only, the others may wake up
        // for an hour.
        let limits = [idle, idle, idle, LINGER, LINGER];
        // A connection that is added, or ends, from now on goes no earlier.
        let mut next = cx.now.after(LINGER.min(cx.limits.session_timeout));
        // Each list is ordered by last use, so only its front has to be looked at: expiry costs
        // what goes, not what is there.
        for (list, limit) in (HALF_OPEN..=CLOSED_WHOLE).zip(limits) {
            while let Some(place) = self.table.oldest(list) {
                let Some(used) = self.table.last_used(place) else {
                    break;
                };
                let goes = used.after(limit);
                // Not due at its recorded place, which may be up to a tenth of a second old.
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
                self.end(cx, place, Close::Idle, sink);
                self.remove(cx, place);
            }
        }
        self.queues.expiry = next;
    }

    pub(super) fn oldest_ended(&self) -> Option<FlowPlace> {
        // Whole ones first: they hold more memory.
        let mut lists = [CLOSED_WHOLE, CLOSED].into_iter();
        lists.find_map(|list| self.table.oldest(list))
    }

    /// Ends compact connections where all of them, and the table, take more than their share: those that have ended first, then those
    /// that have been idle longest.
    pub(super) fn fit<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        let limit = cx.budget.limit();
        while self.table.has_compact() && self.table.allocated() > limit - limit / 4 {
            let mut lists = [CLOSED_WHOLE, CLOSED, BARE, HALF_OPEN].into_iter();
            let Some(place) = lists.find_map(|list| self.table.oldest(list)) else {
                return;
            };
            self.end(cx, place, Close::Evicted, sink);
            self.remove(cx, place);
        }
    }

    /// Makes room for a connection: ended ones go first, then half-open ones, then those idle longest.
    pub(super) fn evict<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) -> bool {
        let used = |list| {
            let place = self.table.oldest(list)?;
            Some((self.table.last_used(place)?, place))
        };
        let ended = self.oldest_ended();
        // Nothing that has ended is left, so one that is still open has to go. Half-open ones carry
        // no data: most are scans or floods.
        let open = || {
            self.table.oldest(HALF_OPEN).or_else(|| {
                // Of the others whichever was idle longest, with data or without.
                let idle = used(BARE).into_iter().chain(used(OPEN));
                idle.min_by_key(|(at, _)| *at).map(|(_, place)| place)
            })
        };
        let Some(place) = ended.or_else(open) else {
            return false;
        };
        // Flushed before it goes: nothing that was captured is lost silently, only the wait for
        // more ends.
        self.end(cx, place, Close::Evicted, sink);
        self.remove(cx, place);
        true
    }

    /// Gives up the first hole of the connection in which something has waited longest.
    pub(super) fn drop_oldest_buffered<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) -> bool {
        while let Some(&place) = self.queues.waiters.front() {
            // The connection is gone; its entry had stayed.
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                self.queues.waiters.pop_front();
                continue;
            };
            let waited = connection.waiting();
            if waited == 0 {
                self.queues.waiters.pop_front();
                continue;
            }
            // Only its first hole goes: others of it may still be filled, and one may be enough.
            let found = connection.force(cx, GapCause::Memory, sink);
            self.after_wake(cx, place, waited, sink);
            // Nothing could be let go, yet octets wait. Without this end the caller would ask for
            // the same connection again, forever.
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
    pub(super) fn drop_heaviest_buffered<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) -> bool {
        // Heaviest class first. An entry counts only if the connection still has that weight; else
        // it is queued anew by the weight it has now.
        while let Some((class, place)) = self.queues.heavy.pop() {
            let Some(connection) = self.table.get_mut(place, &mut cx.budget) else {
                // Void entries of removed connections are dropped on the way.
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
                // Nothing could be freed here, so it is not queued again, or the loop would not
                // end.
                continue;
            }
            self.queues.weigh(place, now);
        }
        false
    }

    /// Frees memory when the budget is overdrawn, by ending the connection that has been idle longest, if it is idle at
    /// all. False where there is none.
    pub fn evict_idle<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) -> bool {
        // Only those with data: the others own nothing but their slot.
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
    pub fn free_memory<K: StreamSink<State = S>>(
        &mut self,
        cx: &mut Context,
        sink: &mut K,
    ) -> bool {
        // Ended ones first, as nobody waits for them. Then holes, which costs the least certainty.
        // Whole connections only when that was not enough.
        if !self.early.is_empty() {
            self.early.clear(cx);
            return true;
        }
        if let Some(place) = self.table.oldest(CLOSED_WHOLE) {
            self.end(cx, place, Close::Evicted, sink);
            self.remove(cx, place);
            return true;
        }
        let before = cx.budget.used();
        if (self.drop_heaviest_buffered(cx, sink) || self.drop_oldest_buffered(cx, sink))
            && cx.budget.used() < before
        {
            return true;
        }
        // Nothing waits, or what was let go takes more room than it did while it waited, as a message that has begun does:
        // with 20,000 holes that would be half the limit once more.
        let Some(place) = self.table.oldest(OPEN) else {
            return false;
        };
        self.end(cx, place, Close::Evicted, sink);
        self.remove(cx, place);
        true
    }

    /// Ends every connection at the end of the input, the one idle longest first.
    pub fn flush<K: StreamSink<State = S>>(&mut self, cx: &mut Context, sink: &mut K) {
        // In the order of last use, so that the flush is the same in every run.
        // One that ends may leave another one, whose SYN was held.
        self.table.drain();
        let lists = [HALF_OPEN, BARE, OPEN];
        while let Some(place) = lists.into_iter().find_map(|list| self.table.oldest(list)) {
            self.end(cx, place, Close::EndOfInput, sink);
            self.remove(cx, place);
        }
        while let Some(place) = self.oldest_ended() {
            self.end(cx, place, Close::EndOfInput, sink);
            self.remove(cx, place);
        }
        self.early.clear(cx);
        self.table.clear(&mut cx.budget);
        cx.budget.give(self.charged);
        // Fresh tables: an emptied one would keep its allocation, and the state at the end is saved
        // with it.
        (self.checksums_valid, self.split, self.charged) = (AgedTable::new(), AgedTable::new(), 0);
        self.queues.deadlines = BinaryHeap::new();
        self.queues.waiters = VecDeque::new();
        self.queues.heavy = BinaryHeap::new();
    }
}
