//! What UDP pushes to: datagrams, each with its flow; and what every transport tells of a flow that has ended.

use crate::base::checksum::Sum;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::place::OctetOffset;
use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::Close;
use crate::base::time::Timestamp;
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
    /// What the flow carries, for whoever finds out; it is kept with the flow.
    pub protocol: Option<Name>,
    /// Sum of its payload, where it is known: it need not be taken again for a packet that carries it.
    pub payload_sum: Option<Sum>,
}

impl DatagramContext<'_> {
    /// Where the octets behind its UDP header begin.
    pub fn payload_offset(&self) -> OctetOffset {
        self.ip.offset.after(HEADER_LEN)
    }
}

/// What is known of a flow at its end: datagrams between two endpoints, a connection, an association.
#[derive(Clone, Copy, Debug)]
pub struct EndedFlow<'a> {
    /// The flow.
    pub flow: &'a Flow,
    /// When its first packet was captured.
    pub first: Timestamp,
    /// When its last packet was captured.
    pub last: Timestamp,
    /// What was seen of each direction, by [`Direction::index`].
    pub totals: [FlowTotals; 2],
    /// What it carried, as [`DatagramContext::protocol`] was set last; None of TCP and SCTP.
    pub protocol: Option<Name>,
    /// How it ended; of UDP, which has no end, why it is not followed any longer.
    pub close: Close,
}

/// What was seen of one direction of a flow. Of TCP and SCTP only the packets are counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTotals {
    /// Packets: datagrams, copies on other channels included; segments and SCTP packets that belong to it, with payload or
    /// without.
    pub packets: u64,
    /// Datagrams that were handed on.
    pub messages: u64,
    /// Octets of payload of these.
    pub octets: u64,
    /// Of these messages, those that the snapshot length cut.
    pub cut: u64,
    /// Octets that it cut off.
    pub lost: u64,
}

/// Takes the datagrams of flows.
pub trait DatagramSink {
    /// The payload of a UDP datagram: `payload` is what stands behind the header, `payload_len` how many octets that
    /// should be (more than there are where the snapshot length cut them off).
    fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], payload_len: usize);

    /// A copy, captured on another channel, of a datagram that was handed on.
    fn duplicate(&mut self, at: &mut DatagramContext<'_>, payload_len: usize) {
        let _ = (at, payload_len);
    }

    /// It has a use for [`flow_end`](Self::flow_end): a flow may have no more than one datagram.
    fn hears_flow_ends(&self) -> bool {
        true
    }

    /// A flow is not followed any longer.
    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        let _ = (cx, ended);
    }
}
