//! Link layer: where the IP packet starts in a packet record, and which channel it came on.

use serde::{Deserialize, Serialize};

/// A VLAN tag as it stands in the packet: tag protocol identifier and tag control information (IEEE 802.1Q).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct VlanTag {
    /// 0x8100, 0x88a8 or 0x9100.
    pub tpid: u16,
    /// Priority, DEI and VLAN identifier.
    pub tci: u16,
}

/// What is kept of a packet's link header, so that synthetic packets can carry it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LinkHeader {
    /// Destination address; zero where the link has none.
    pub dst: [u8; 6],
    /// Source address; zero where the link has none.
    pub src: [u8; 6],
    /// The outer two VLAN tags; `tpid` 0 where there is none.
    pub tags: [VlanTag; 2],
}

/// Where a copy of a packet was seen: outer and inner VLAN, and the tunnel it came through (0: none).
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Channel {
    /// VLAN identifiers, outer first; 0 where there is no tag.
    pub vlans: [u16; 2],
    /// What identifies the tunnel.
    pub tunnel: u32,
}

impl LinkHeader {
    /// The channel of a packet with this header outside of tunnels.
    pub fn channel(&self) -> Channel {
        Channel {
            vlans: self.tags.map(|t| t.tci & 0x0fff),
            tunnel: 0,
        }
    }
}
