//! A packet that waits, with its octets.

use crate::base::packet::{LinkType, Packet};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::Timed;
use crate::base::time::Timestamp;

/// A packet with its octets, for those who hold packets ahead of processing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptPacket {
    frame: u64,
    time: Timestamp,
    interface: u32,
    link_type: LinkType,
    data: Vec<u8>,
    orig_len: u32,
    fcs_len: Option<u8>,
    flags: u32,
}

impl KeptPacket {
    /// A copy: the buffer that a packet stands in is read into again.
    pub fn of(packet: &Packet<'_>) -> Self {
        Self {
            frame: packet.frame,
            time: packet.time,
            interface: packet.interface,
            link_type: packet.link_type,
            data: packet.data.to_vec(),
            orig_len: packet.orig_len,
            fcs_len: packet.fcs_len,
            flags: packet.flags,
        }
    }

    /// The packet as it came.
    pub fn packet(&self) -> Packet<'_> {
        Packet {
            frame: self.frame,
            time: self.time,
            interface: self.interface,
            link_type: self.link_type,
            data: &self.data,
            orig_len: self.orig_len,
            fcs_len: self.fcs_len,
            flags: self.flags,
        }
    }
}

impl Timed for KeptPacket {
    fn time(&self) -> Timestamp {
        self.time
    }

    fn allocated(&self) -> usize {
        self.data.capacity()
    }
}
