//! Segments that are kept whole until it is known which connection they belong to: a SYN with another number, a jump
//! that no hole explains. How many, and for how long, is bounded.

use super::Connection;
use crate::base::context::Context;
use crate::base::flags;
use crate::base::packet::PacketInfo;
use crate::base::serial::SeqNumber;
use crate::base::storage::{Budget, allocated};
use crate::base::time::Instant;
use crate::transport::tcp::segment::Segment;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Segments held while it is not known whether they belong to this connection or to a new one: a sender's first flight is
/// 10 segments (RFC 6928), and the confirmation comes within one.
const HELD: usize = 32;
/// Octets held for that: two segments of 64 KiB, as offloading makes them, confirm each other.
const HELD_OCTETS: usize = 128 << 10;

/// A segment that is kept whole until it is known where it belongs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::transport::tcp) struct HeldSegment {
    pub(super) src: (IpAddr, u16),
    dst: (IpAddr, u16),
    pub(super) seq: SeqNumber,
    ack: Option<SeqNumber>,
    pub(super) flags: u8,
    window: u16,
    window_scale: Option<u8>,
    pub(super) payload: Vec<u8>,
    /// Where the payload stood in its packet record.
    at: Option<u32>,
    pub(super) payload_len: u32,
    packet: PacketInfo,
    pub(super) arrived: Instant,
}

impl HeldSegment {
    fn new(cx: &Context, s: &Segment<'_>) -> Self {
        Self {
            src: s.src,
            dst: s.dst,
            seq: s.seq,
            ack: s.ack,
            flags: s.flags,
            window: s.window,
            window_scale: s.window_scale,
            payload: s.payload.to_vec(),
            at: s.offset.in_record(),
            payload_len: s.payload_len,
            packet: cx.packet,
            arrived: cx.now,
        }
    }

    /// The packet that it came in.
    pub(in crate::transport::tcp) const fn packet(&self) -> PacketInfo {
        self.packet
    }

    pub(in crate::transport::tcp) fn segment(&self) -> Segment<'_> {
        Segment {
            src: self.src,
            dst: self.dst,
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            window_scale: self.window_scale,
            payload_sum: None,
            payload: &self.payload,
            offset: self.at.into(),
            payload_len: self.payload_len,
        }
    }

    /// Number behind its last octet of data.
    pub(super) fn end(&self) -> SeqNumber {
        self.segment().data_seq().add(self.payload_len)
    }

    /// Which of these segments opens a connection that `by` is a part of: the SYN that comes closest before it, else the
    /// first one with a SYN, else the first one that is no RST.
    pub(in crate::transport::tcp) fn opener(
        held: &[Self],
        by: Option<&Segment<'_>>,
    ) -> Option<usize> {
        let behind = |syn: &Self| {
            let by = by?;
            // A segment of the same side is placed by its number, one of the other side by what it
            // acknowledges.
            let at = if by.src == syn.src { by.seq } else { by.ack? };
            // Only forward distances count: a SYN ahead of the segment cannot have opened its
            // connection.
            u32::try_from(at.diff(syn.seq.add(1))).ok()
        };
        let rank = |h: &Self| {
            let kind = match h.flags & (flags::SYN | flags::ACK | flags::RST) {
                f if f & flags::RST != 0 => return None,
                f if f & flags::SYN == 0 => 2,
                f if f & flags::ACK == 0 => 0,
                _ => 1,
            };
            let distance = if kind == 2 { None } else { behind(h) };
            Some((kind == 2, distance.is_none(), kind, distance))
        };
        let ranked = held.iter().enumerate();
        let ranked = ranked.filter_map(|(i, h)| Some((rank(h)?, i)));
        ranked.min().map(|(_, i)| i)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + allocated(self.payload.capacity())
    }
}

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
