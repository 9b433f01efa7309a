//! The packet that nearly all are: a whole IPv4 datagram in a plain Ethernet frame.

use super::{Datagram, header};
use crate::base::context::Context;
use crate::base::limits::Limits;
use crate::base::packet::{Channel, LinkHeader, LinkType, Packet, PacketInfo};
use crate::base::place::OctetOffset;
use etherparse::{EtherType, IpNumber};
use std::net::Ipv4Addr;

/// `epb_flags` say nothing of the checksum, nothing else is known of it, and no octet is missing: a datagram of IPv4 in an Ethernet
/// frame without tags, with neither options nor fragments, and with a right header checksum.
///
/// It holds no more than registers do, and nothing was counted or changed when it was made: a stage that finds it unusual
/// leaves it, and the packet goes through all stages from the beginning.
#[derive(Clone, Copy)]
pub(crate) struct PlainPacket<'a> {
    /// The addresses of the link.
    link: &'a [u8; 14],
    pub(crate) src: Ipv4Addr,
    pub(crate) dst: Ipv4Addr,
    /// Protocol number (IANA).
    pub(crate) protocol: u8,
    identification: u16,
    /// What it carries: all of it.
    pub(crate) payload: &'a [u8],
}

impl<'a> PlainPacket<'a> {
    /// The packet in a record; None where it is another one.
    #[inline(always)] // on every packet's way
    pub(crate) fn of(packet: &Packet<'a>, limits: &Limits) -> Option<Self> {
        let (link, data) = packet.data.split_first_chunk::<14>()?;
        let ether_type = u16::from_be_bytes([link[12], link[13]]);
        if packet.link_type != LinkType::ETHERNET
            || ether_type != EtherType::IPV4.0
            || packet.orig_len as usize > packet.data.len()
            || packet.fcs_len.is_some()
            || packet.flags != 0
        {
            return None;
        }
        let ip = header::plain_v4(data, limits.ip_checksums)?;
        (ip.payload.len() == ip.payload_len).then_some(Self {
            link,
            src: ip.src,
            dst: ip.dst,
            protocol: ip.protocol,
            identification: ip.identification,
            payload: ip.payload,
        })
    }

    /// It as a datagram, for the transports; None where it carries no transport, or is to be opened as a tunnel.
    #[inline(always)]
    pub(crate) fn datagram(&self, limits: &Limits) -> Option<Datagram<'a>> {
        // UDP is left out where tunnels are opened, as most of them go over it.
        let opened = self.protocol == IpNumber::UDP.0 && !limits.decapsulate.is_empty();
        (!opened && super::is_transport(self.protocol)).then(|| Datagram {
            src: self.src.into(),
            dst: self.dst.into(),
            protocol: self.protocol,
            payload: self.payload,
            offset: Self::offset(0),
            payload_len: self.payload.len(),
            identification: u32::from(self.identification),
            channel: Channel::default(),
            checksum_known_good: false,
            doubtful: false,
        })
    }

    /// Where octet number `at` of what it carries stands.
    #[inline(always)]
    pub(crate) fn offset(at: usize) -> OctetOffset {
        OctetOffset::Record(14 + 20).after(at)
    }

    /// What the stages do that it passes by: they count it, and it becomes the packet that `cx` is about.
    #[inline(always)] // on every packet's way
    pub(crate) fn pass(&self, packet: &Packet<'_>, cx: &mut Context) {
        let counters = &mut cx.counters;
        counters.link.packets += 1;
        counters.link.passed += 1;
        counters.ipv4.packets += 1;
        counters.ipv4.octets += self.payload.len() as u64 + 20;
        counters.ipv4.passed += 1;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, ..] = *self.link;
        cx.packet = PacketInfo {
            frame: packet.frame,
            time: packet.time,
            interface: packet.interface,
            link: LinkHeader {
                dst: [d0, d1, d2, d3, d4, d5],
                src: [s0, s1, s2, s3, s4, s5],
                tags: Default::default(),
            },
            tunnel: 0,
        };
    }
}
