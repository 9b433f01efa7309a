//! Packet records whose link header has been read.

use crate::base::counters::Discard;
use crate::base::packet::{Channel, LinkHeader};
use crate::base::place::OctetOffset;
use std::net::IpAddr;

/// The addresses and protocol of a transport packet that came without its IP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PseudoHeader {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol number (IANA).
    pub protocol: u8,
}

/// A packet record whose link header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What is kept of the link header.
    pub header: LinkHeader,
    /// Where the packet was captured.
    pub channel: Channel,
    /// The captured octets from the IP header on; padding may follow the datagram. With `pseudo`: from the transport
    /// header on.
    pub ip: &'a [u8],
    /// Where `ip` begins.
    pub offset: OctetOffset,
    /// Octets that the snapshot length cut off the end of `ip`.
    pub missing: usize,
    /// The packet has no IP header; this stands for it.
    pub pseudo: Option<PseudoHeader>,
    /// The capture says that the transport checksum is right, or that hardware fills it in (`epb_flags`).
    pub checksum_known_good: bool,
    /// The IP header of a packet around it cannot be right: see [`Datagram::doubtful`](crate::ip::Datagram::doubtful).
    pub doubtful: bool,
    /// `ip` is an A-MSDU of 802.11: packets behind each other, each with a header of its own.
    pub aggregate: bool,
}

/// What the octets that follow are.
#[derive(Clone, Copy)]
pub(crate) enum NextHeader {
    Ip,
    /// What an EtherType says.
    EtherType(u16),
    /// An Ethernet frame inside of another one: its addresses are passed over.
    Ethernet,
    /// IEEE 802.2.
    Llc,
    /// Organisation and type behind an LLC header or an NLPID.
    Snap,
    /// A network layer protocol identifier (ISO/IEC TR 9577).
    Nlpid,
    Ppp,
    Mpls,
    Pppoe,
    Hdlc,
    FrameRelay,
    /// Network service header.
    Nsh,
}

impl<'a> Frame<'a> {
    /// Takes the next `N` octets off.
    pub(crate) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Discard> {
        let (head, rest) = self.ip.split_first_chunk().ok_or(Discard::LinkTruncated)?;
        self.ip = rest;
        self.offset = self.offset.after(N);
        Ok(head)
    }

    /// Takes `len` octets off.
    pub(crate) fn skip(&mut self, len: usize) -> Result<&'a [u8], Discard> {
        let (head, rest) = self
            .ip
            .split_at_checked(len)
            .ok_or(Discard::LinkTruncated)?;
        self.ip = rest;
        self.offset = self.offset.after(len);
        Ok(head)
    }

    /// What follows is `len` octets long by its header; what is behind them is padding.
    pub(crate) fn limit(&mut self, len: usize) {
        match len.checked_sub(self.ip.len()) {
            Some(more) => self.missing = self.missing.min(more),
            None => {
                self.ip = self.ip.get(..len).unwrap_or(self.ip);
                self.missing = 0;
            }
        }
    }

    /// The last `len` octets of what was sent are not part of the packet.
    pub(crate) fn cut_end(&mut self, len: usize) {
        self.limit((self.ip.len() + self.missing).saturating_sub(len));
    }

    /// What follows is an IP packet, by its version and length.
    pub(crate) fn is_ip_packet(&self) -> bool {
        let len = self.ip.len() + self.missing;
        match *self.ip {
            [first, _, a, b, ..] if first >> 4 == 4 => {
                (20..=len).contains(&usize::from(u16::from_be_bytes([a, b])))
            }
            [first, _, _, _, a, b, ..] if first >> 4 == 6 => {
                usize::from(u16::from_be_bytes([a, b])) + 40 <= len
            }
            _ => false,
        }
    }

    /// Takes the next two octets off as a number.
    pub(crate) fn take_u16(&mut self) -> Result<u16, Discard> {
        self.take().map(|b| u16::from_be_bytes(*b))
    }
}
