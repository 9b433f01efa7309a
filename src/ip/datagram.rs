//! Whole IP datagrams.

use crate::base::packet::Channel;
use crate::base::place::OctetOffset;
use std::net::IpAddr;

/// A whole IP datagram: nothing of it is missing but what the snapshot length cut off.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol of `payload`, extension headers passed over.
    pub protocol: u8,
    /// The captured octets behind the IP headers; padding is left out.
    pub payload: &'a [u8],
    /// Where `payload` begins.
    pub offset: OctetOffset,
    /// Octets that the payload has by the IP header; more than `payload.len()` where the packet was cut.
    pub payload_len: usize,
    /// IPv4 identification, or that of the fragment header; 0 where there is none.
    pub identification: u32,
    /// Where it was captured.
    pub channel: Channel,
    /// The capture says that the transport checksum is right, or that the hardware fills it in (`epb_flags`).
    pub checksum_known_good: bool,
}

impl Datagram<'_> {
    /// The snapshot length cut off its end.
    pub const fn is_cut(&self) -> bool {
        self.payload.len() < self.payload_len
    }
}
