//! A segment that is kept whole: what is needed to take it as if it came now.

use crate::base::context::Context;
use crate::base::flags;
use crate::base::packet::PacketInfo;
use crate::base::serial::SeqNumber;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::time::Instant;
use crate::transport::tcp::segment::Segment;
use std::net::IpAddr;

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
    pub(in crate::transport::tcp) payload: Vec<u8>,
    /// Where the payload stood in its packet record.
    at: Option<u32>,
    pub(super) payload_len: u32,
    packet: PacketInfo,
    pub(in crate::transport::tcp) arrived: Instant,
}

impl HeldSegment {
    pub(in crate::transport::tcp) fn new(cx: &Context, s: &Segment<'_>) -> Self {
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
        // Sorted by certainty: a SYN that stands before `by`, then a SYN at all, a plain SYN before a
        // SYN-ACK, and of those the nearest.
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

    pub(in crate::transport::tcp) fn size(&self) -> usize {
        size_of::<Self>() + allocated(self.payload.capacity())
    }
}
