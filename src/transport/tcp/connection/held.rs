//! Segments that are kept whole until it is known which connection they belong to: a SYN with another number, a jump
//! that no hole explains. How many, and for how long, is bounded.

use super::held_segment::HeldSegment;
use super::{Connection, StoodAlone};
use crate::base::context::Context;
use crate::base::flags;
use crate::base::serial::SeqNumber;
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

    /// Those of them with data, and without a SYN.
    pub(super) fn held_data(&self) -> impl Iterator<Item = &HeldSegment> {
        let held = self.held().iter();
        held.filter(|h| h.flags & flags::SYN == 0 && h.payload_len > 0)
    }

    /// The same octets are held, or were held until they were a connection of their own.
    pub(super) fn was_held(&self, s: &Segment<'_>) -> bool {
        let Some(extras) = &self.extras else {
            return false;
        };
        let same = |src, seq: SeqNumber, len: u32| {
            let ahead = u32::try_from(s.data_seq().diff(seq));
            let end = u64::from(ahead.unwrap_or(u32::MAX)) + u64::from(s.payload_len);
            src == s.src && ahead.is_ok() && end <= u64::from(len)
        };
        let mut held = self.held_data();
        held.any(|h| same(h.src, h.segment().data_seq(), h.payload_len))
            || extras
                .alone
                .iter()
                .flatten()
                .any(|o| same(o.src, o.seq, o.len))
    }

    /// Remembers segments that have become a connection of their own.
    pub(in crate::transport::tcp) fn stands_alone(&mut self, held: &[HeldSegment]) {
        for h in held.iter().filter(|h| h.payload_len > 0) {
            let alone = &mut self.extras.get_or_insert_default().alone;
            alone.rotate_right(1);
            alone[0] = Some(StoodAlone {
                src: h.src,
                seq: h.segment().data_seq(),
                len: h.payload_len,
            });
        }
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

    /// Takes a segment to those that are held. [`Connection::take_held_over`] is to be asked then.
    pub(super) fn hold(&mut self, cx: &mut Context, s: &Segment<'_>) {
        let new = HeldSegment::new(cx, s);
        cx.budget.take(new.size());
        self.extras.get_or_insert_default().held.push(new);
    }

    /// Those that are held beyond what may be, the oldest first: what confirms them should have come by now.
    pub(in crate::transport::tcp) fn take_held_over(
        &mut self,
        budget: &mut Budget,
    ) -> Vec<HeldSegment> {
        let Some(extras) = &mut self.extras else {
            return Vec::new();
        };
        // Asked rarely, and of never more than 33: a running sum would cost a field in every connection.
        let held = &extras.held;
        let (mut over, mut left) = (0, held.len());
        let before_last = held.len().saturating_sub(1);
        let mut octets: usize = held[..before_last].iter().map(HeldSegment::size).sum();
        while left > HELD || (octets > HELD_OCTETS && left > 1) {
            octets -= held[over].size();
            (over, left) = (over + 1, left - 1);
        }
        let over: Vec<_> = extras.held.drain(..over).collect();
        budget.give(over.iter().map(HeldSegment::size).sum());
        over
    }
}
