//! What UDP pushes to: datagrams, each with its flow.

use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::place::OctetOffset;
use crate::ip::Datagram;

/// Octets of the UDP header.
pub(super) const HEADER_LEN: usize = 8;

/// Where a datagram belongs.
pub struct DatagramContext<'a> {
    /// Settings, counters, budget, and the packet.
    pub cx: &'a mut Context,
    /// Its flow.
    pub flow: &'a Flow,
    /// Its direction in the flow.
    pub direction: Direction,
    /// The IP datagram that carried it.
    pub ip: Datagram<'a>,
}

impl DatagramContext<'_> {
    /// Where the octets behind its UDP header begin.
    pub fn payload_offset(&self) -> OctetOffset {
        self.ip.offset.after(HEADER_LEN)
    }
}

/// Takes the datagrams of flows.
pub trait DatagramSink {
    /// The payload of a UDP datagram: `payload` is what stands behind the header, `payload_len` how many octets that
    /// should be (more than there are where the snapshot length cut them off).
    fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], payload_len: usize);
}
