//! TCP segments as they stand in a datagram (RFC 9293, 3.1).

use crate::base::checksum::Sum;
use crate::base::counters::Discard;
use crate::base::flags;
use crate::base::flow::FlowKey;
use crate::base::place::OctetOffset;
use crate::base::serial::SeqNumber;
use crate::ip::Datagram;
use std::net::IpAddr;

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Sender.
    pub src: (IpAddr, u16),
    /// Receiver.
    pub dst: (IpAddr, u16),
    /// SEG.SEQ.
    pub seq: SeqNumber,
    /// SEG.ACK, where the ACK bit is set.
    pub ack: Option<SeqNumber>,
    /// Control bits.
    pub flags: u8,
    /// SEG.WND, not scaled.
    pub window: u16,
    /// Shift count of the window scale option (RFC 7323, 2.2), where there is one.
    pub window_scale: Option<u8>,
    /// Sum of `payload`, where it is known because the checksum was looked at and is not wrong.
    pub payload_sum: Option<Sum>,
    /// The captured octets of data.
    pub payload: &'a [u8],
    /// Where they begin.
    pub offset: OctetOffset,
    /// Octets of data by the headers; more than `payload.len()` where the snapshot length cut the segment.
    pub payload_len: u32,
}

impl<'a> Segment<'a> {
    /// The segment in a datagram.
    ///
    /// Read by hand: etherparse's `TcpHeaderSlice` wants every option to be there, and would lose a SYN, with the
    /// number that its stream begins at, where the snapshot length cut the options off.
    ///
    /// # Errors
    /// [`Discard::TcpTruncated`] where the header is not all there, [`Discard::TcpBadHeader`] where its data offset is
    /// impossible.
    #[inline(always)] // on the way of every segment
    pub fn parse(ip: &Datagram<'a>) -> Result<Self, Discard> {
        let octets = ip.payload;
        let Some((h, _)) = octets.split_first_chunk::<20>() else {
            return Err(if ip.payload_len < 20 {
                Discard::TcpBadHeader
            } else {
                Discard::TcpTruncated
            });
        };
        // The data offset counts 32-bit words; below five it would end inside the fixed header (RFC
        // 9293, 3.1).
        let header = usize::from(h[12] >> 4) * 4;
        if header < 20 || header > ip.payload_len {
            return Err(Discard::TcpBadHeader);
        }
        // Options that the snapshot length cut off are not needed: what follows them is missing anyway.
        let payload = octets.get(header..).unwrap_or_default();
        let flags = h[13];
        // The acknowledgment field holds a number even where the ACK bit is clear; many stacks put
        // zero there, some put garbage.
        let ack = SeqNumber(u32::from_be_bytes([h[8], h[9], h[10], h[11]]));
        Ok(Self {
            src: (ip.src, u16::from_be_bytes([h[0], h[1]])),
            dst: (ip.dst, u16::from_be_bytes([h[2], h[3]])),
            seq: SeqNumber(u32::from_be_bytes([h[4], h[5], h[6], h[7]])),
            ack: (flags & flags::ACK != 0).then_some(ack),
            flags,
            window: u16::from_be_bytes([h[14], h[15]]),
            payload_sum: None,
            // The option counts on a SYN only (RFC 7323, 2.2); elsewhere it is noise, and must not
            // change the window of a running connection.
            window_scale: if flags & flags::SYN == 0 {
                None
            } else {
                window_scale(octets.get(20..header))
            },
            payload,
            offset: ip.offset.after(header),
            // By the IP length, not by what was captured: the tail that the snapshot length cut off
            // still takes sequence numbers.
            payload_len: u32::try_from(ip.payload_len - header).unwrap_or(u32::MAX),
        })
    }

    /// A control bit is set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The number of its first octet of data: a SYN takes the one before.
    #[must_use]
    pub fn data_seq(&self) -> SeqNumber {
        self.seq.add(u32::from(self.has(flags::SYN)))
    }
}

/// The sender is the lower endpoint of the key.
pub(super) fn low_of(key: &FlowKey, segment: &Segment<'_>) -> bool {
    FlowKey::new(segment.src, segment.dst, key.channel()).1
}

/// The window scale option among a SYN's options (RFC 9293, 3.2).
pub(super) fn window_scale(options: Option<&[u8]>) -> Option<u8> {
    let mut rest = options?;
    loop {
        rest = match *rest {
            // NOP is the only kind without a length besides the end of the list (RFC 9293, 3.2).
            [1, ref tail @ ..] => tail,
            // More than 14 would let a window span half the number space (RFC 7323, 2.3).
            [3, 3, shift, ..] => return Some(shift.min(14)),
            // A length below two would not move on: a forged option must not make this loop
            // forever.
            [kind, len, ..] if kind != 0 && len >= 2 => rest.get(usize::from(len)..)?,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::packet::Channel;

    fn datagram(payload: &[u8], payload_len: usize) -> Datagram<'_> {
        Datagram {
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            protocol: 6,
            payload,
            offset: OctetOffset::Record(34),
            payload_len,
            identification: 0,
            channel: Channel::default(),
            checksum_known_good: false,
            doubtful: false,
        }
    }

    #[test]
    fn lengths_are_held_against_what_is_there() {
        let mut h = vec![
            0x12, 0x34, 0, 80, 0, 0, 0, 5, 0, 0, 0, 9, 0x60, 0x12, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4,
        ];
        h.extend_from_slice(b"abc");
        let s = Segment::parse(&datagram(&h, h.len())).unwrap();
        assert_eq!(
            (s.src.1, s.dst.1, s.seq, s.ack),
            (0x1234, 80, SeqNumber(5), Some(SeqNumber(9)))
        );
        assert_eq!(
            (s.payload, s.payload_len, s.data_seq()),
            (&b"abc"[..], 3, SeqNumber(6))
        );
        let cut = Segment::parse(&datagram(&h[..22], h.len())).unwrap();
        assert_eq!((cut.payload, cut.payload_len), (&b""[..], 3));
        // Why the header is read here.
        assert!(cut.has(flags::SYN) && etherparse::TcpHeaderSlice::from_slice(&h[..22]).is_err());
        assert_eq!(
            Segment::parse(&datagram(&h[..19], h.len())).unwrap_err(),
            Discard::TcpTruncated
        );
        assert_eq!(
            Segment::parse(&datagram(&h[..19], 19)).unwrap_err(),
            Discard::TcpBadHeader
        );
        h[12] = 0x40;
        assert_eq!(
            Segment::parse(&datagram(&h, h.len())).unwrap_err(),
            Discard::TcpBadHeader
        );
        h[12] = 0xf0;
        assert_eq!(
            Segment::parse(&datagram(&h, h.len())).unwrap_err(),
            Discard::TcpBadHeader
        );
    }
}
