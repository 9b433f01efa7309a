//! Captures: packet records in any of the formats they are stored in.

use crate::link::LinkHeader;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the octets of a packet begin with: a LINKTYPE_ value (draft-ietf-opsawg-pcaplinktype).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: address family in the host's order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IPv4 or IPv6 by the first nibble.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: address family in network order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture v1.
    pub const LINUX_SLL: Self = Self(113);
    /// IPv4.
    pub const IPV4: Self = Self(228);
    /// IPv6.
    pub const IPV6: Self = Self(229);
    /// Wireshark's exported PDUs.
    pub const WIRESHARK_UPPER_PDU: Self = Self(252);
    /// Linux cooked capture v2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One packet record.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Number of the record in the whole input, from 1, as tshark counts frames.
    pub frame: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Interface: the place of its description in the whole input, from 0 (a pcap file is one interface).
    pub interface: u32,
    /// What `data` begins with.
    pub link_type: LinkType,
    /// The captured octets.
    pub data: &'a [u8],
    /// Octets that the packet had on the wire; more than `data.len()` where the snapshot length cut it.
    pub orig_len: u32,
    /// Octets of frame check sequence at the end of the packet as it was on the wire, where the capture says so.
    pub fcs_len: Option<u8>,
    /// `epb_flags` of pcapng; 0 where there are none.
    pub flags: u32,
}

/// What is remembered of the packet that is being processed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PacketInfo {
    /// Number of the record in the whole input, from 1.
    pub frame: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Interface, from 0.
    pub interface: u32,
    /// Its link header.
    pub link: LinkHeader,
}
