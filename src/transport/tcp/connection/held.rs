//! Segments that are kept whole until it is known which connection they belong to: a SYN with another number, a jump
//! that no hole explains. How many, and for how long, is bounded.

use super::Connection;
use super::held_segment::HeldSegment;
use crate::base::context::Context;
use crate::base::flags;
use crate::base::storage::Budget;
use crate::transport::tcp::segment::Segment;

/// Segments held while it is not known whether they belong to this connection or to a new one: a sender's first flight is
/// 10 segments (RFC 6928), and the confirmation comes within one.
const HELD: usize = 32;
/// Octets held for that: two segments of 64 KiB, as offloading makes them, confirm each other.
const HELD_OCTETS: usize = 128 << 10;

impl<S> Connection<S> {
    /// Segments of which it is not known where they belong.
    pub(super) fn held(&self) -> &[HeldSegment] {
        self.extras.as_ref().map_or(&[], |extras| &extras.held)
    }

    /// The segments that were held, a SYN first.
    pub(in crate::transport::tcp) fn take_held(&mut self, budget: &mut Budget) -> Vec<HeldSegment> {
        let Some(extras) = &mut self.extras else {
            return Vec::new();
        };
        let mut held = std::mem::take(&mut extras.held);
        // The SYN goes first, or the new connection would begin in the middle and look behind. The
        // sort is stable, so all else keeps the capture's order.
        held.sort_by_key(|h| h.flags & flags::SYN == 0);
        budget.give(held.iter().map(HeldSegment::size).sum());
        held
    }

    /// Something was held for so long that nothing will confirm it.
    pub(in crate::transport::tcp) fn held_too_long(&self, cx: &Context) -> bool {
        self.held()
            .first()
            .is_some_and(|h| cx.now.since(h.arrived) >= cx.limits.tcp_packet_timeout)
    }

    pub(super) fn hold(&mut self, cx: &mut Context, s: &Segment<'_>) {
        // Inserted rarely, and never more than 32: a running sum would cost a field in every
        // connection.
        let held = &mut self.extras.get_or_insert_default().held;
        let mut octets: usize = held.iter().map(HeldSegment::size).sum();
        // The oldest goes first: what confirms it should have come by now. An attacker who fills
        // the list only loses the segments of its own doubtful connection.
        while held.len() >= HELD || (octets > HELD_OCTETS && !held.is_empty()) {
            let dropped = held.remove(0);
            octets -= dropped.size();
            cx.counters.tcp.refused_octets += dropped.payload.len() as u64;
            cx.budget.give(dropped.size());
        }
        let new = HeldSegment::new(cx, s);
        cx.budget.take(new.size());
        held.push(new);
    }
}
