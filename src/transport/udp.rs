//! UDP (RFC 768): from datagrams to messages; each datagram is one.

use crate::ip::Datagram;
use crate::stats::Discard;

/// A UDP datagram whose header has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpDatagram<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// The checksum field.
    pub checksum: u16,
    /// Octets of the header and the payload as it was sent.
    pub len: usize,
    /// The captured octets behind the header; it ends where the length field says.
    pub payload: &'a [u8],
}

impl UdpDatagram<'_> {
    /// Octets of payload as it was sent; more than `payload.len()` where the snapshot length cut it.
    pub const fn payload_len(&self) -> usize {
        self.len - HEADER
    }
}

/// Octets of the header.
const HEADER: usize = 8;

/// Reads the header.
pub fn parse<'a>(ip: &Datagram<'a>) -> Result<UdpDatagram<'a>, Discard> {
    let (header, rest) =
        ip.payload
            .split_first_chunk::<HEADER>()
            .ok_or(if ip.payload_len < HEADER {
                Discard::UdpBadLength
            } else {
                Discard::UdpTruncated
            })?;
    let [s0, s1, d0, d1, l0, l1, c0, c1] = *header;
    let len = match u16::from_be_bytes([l0, l1]) {
        // A length of 0 stands for one that 16 bits cannot hold (RFC 2675, 4).
        0 if ip.payload_len > usize::from(u16::MAX) => ip.payload_len,
        len => usize::from(len),
    };
    if len < HEADER || len > ip.payload_len {
        return Err(Discard::UdpBadLength);
    }
    Ok(UdpDatagram {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        checksum: u16::from_be_bytes([c0, c1]),
        len,
        payload: rest.get(..len - HEADER).unwrap_or(rest),
    })
}
