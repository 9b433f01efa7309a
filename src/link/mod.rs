//! Link layer: where the IP packet starts in a packet record, and which channel it came on.
//!
//! [`parse`] is given a packet record and gives a [`Frame`]. Each link type is one row of [`parse_other`] and a few
//! lines; plain Ethernet takes a short cut. What stands behind the link header is walked as a chain of small headers
//! (VLAN tags, and whatever else leads to an EtherType), each of which is longer than nothing, so the work is linear in
//! the octets.

use crate::capture::{LinkType, Packet, PacketInfo};
use crate::context::Context;
use crate::stats::Discard;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

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
    /// Octets that the snapshot length cut off the end of `ip`.
    pub missing: usize,
    /// The packet has no IP header; this stands for it.
    pub pseudo: Option<PseudoHeader>,
    /// The capture says that the transport checksum is right, or that hardware fills it in (`epb_flags`).
    pub checksum_known_good: bool,
}

/// `epb_flags`: the checksum is not filled in yet (bit 9), or was found right (bit 10).
const CHECKSUM_FLAGS: u32 = 1 << 9 | 1 << 10;

/// EtherTypes that are known here.
mod ether {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    pub(super) const VLAN: u16 = 0x8100;
    pub(super) const QINQ: u16 = 0x88a8;
    pub(super) const QINQ_OLD: u16 = 0x9100;
}

/// Reads the link header of a packet record.
///
/// A known frame check sequence is left out. The error says why there is no IP packet to go on with.
pub fn parse<'a>(packet: &Packet<'a>) -> Result<Frame<'a>, Discard> {
    let wire = usize::try_from(packet.orig_len)
        .unwrap_or(usize::MAX)
        .max(packet.data.len());
    let wire = wire.saturating_sub(usize::from(packet.fcs_len.unwrap_or(0)));
    let data = packet.data.get(..wire).unwrap_or(packet.data);
    let mut frame = Frame {
        header: LinkHeader::default(),
        channel: Channel::default(),
        ip: data,
        missing: wire - data.len(),
        pseudo: None,
        checksum_known_good: packet.flags & CHECKSUM_FLAGS != 0,
    };
    if packet.link_type == LinkType::ETHERNET {
        let ether_type = ethernet(&mut frame)?;
        if ether_type != ether::IPV4 && ether_type != ether::IPV6 {
            walk(&mut frame, ether_type)?;
        }
    } else {
        parse_other(packet.link_type, &mut frame)?;
    }
    Ok(frame)
}

/// Reads the link header of a packet record, counts it, and makes the packet the one that `cx` is about.
pub fn receive<'a>(packet: &Packet<'a>, cx: &mut Context) -> Option<Frame<'a>> {
    cx.counters.link.packets += 1;
    cx.packet = PacketInfo {
        frame: packet.frame,
        time: packet.time,
        interface: packet.interface,
        link: LinkHeader::default(),
    };
    match parse(packet) {
        Ok(frame) => {
            cx.packet.link = frame.header;
            cx.counters.link.passed += 1;
            Some(frame)
        }
        Err(why) => {
            cx.discard(why);
            None
        }
    }
}

/// Every link type but Ethernet.
fn parse_other(link_type: LinkType, frame: &mut Frame<'_>) -> Result<(), Discard> {
    match link_type.0 {
        0 | 108 => null(frame),
        12 | 14 | 101 | 228 | 229 => Ok(()),
        113 => {
            let ether_type = cooked_v1(frame)?;
            walk(frame, ether_type)
        }
        276 => {
            let ether_type = cooked_v2(frame)?;
            walk(frame, ether_type)
        }
        _ => Err(Discard::LinkUnknownType),
    }
}

impl<'a> Frame<'a> {
    /// Takes the next `N` octets off.
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Discard> {
        let (head, rest) = self.ip.split_first_chunk().ok_or(Discard::LinkTruncated)?;
        self.ip = rest;
        Ok(head)
    }

    /// Takes the next two octets off as a number.
    fn take_u16(&mut self) -> Result<u16, Discard> {
        self.take().map(|b| u16::from_be_bytes(*b))
    }
}

/// Ethernet II or IEEE 802.3: addresses; gives the type or length field.
fn ethernet(frame: &mut Frame<'_>) -> Result<u16, Discard> {
    let h: &[u8; 14] = frame.take()?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *h;
    frame.header.dst = [d0, d1, d2, d3, d4, d5];
    frame.header.src = [s0, s1, s2, s3, s4, s5];
    Ok(u16::from_be_bytes([t0, t1]))
}

/// Goes from an EtherType to the IP packet.
fn walk(frame: &mut Frame<'_>, mut ether_type: u16) -> Result<(), Discard> {
    let mut tags = 0;
    loop {
        match ether_type {
            ether::IPV4 | ether::IPV6 => return Ok(()),
            ether::VLAN | ether::QINQ | ether::QINQ_OLD => {
                let tpid = ether_type;
                let tci = frame.take_u16()?;
                ether_type = frame.take_u16()?;
                if let Some(tag) = frame.header.tags.get_mut(tags) {
                    *tag = VlanTag { tpid, tci };
                    tags += 1;
                    frame.channel = frame.header.channel();
                }
            }
            _ => return Err(Discard::LinkNotIp),
        }
    }
}

/// BSD loopback: the address family, in the byte order of whoever captured (NULL) or in network order (LOOP).
fn null(frame: &mut Frame<'_>) -> Result<(), Discard> {
    let family = *frame.take::<4>()?;
    // A family is a small number, so the order shows itself.
    match u32::from_be_bytes(family).min(u32::from_le_bytes(family)) {
        // AF_INET; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
        2 | 10 | 24 | 28 | 30 => Ok(()),
        _ => Err(Discard::LinkNotIp),
    }
}

/// Linux cooked capture v1: gives the protocol, an EtherType for all that matters here.
fn cooked_v1(frame: &mut Frame<'_>) -> Result<u16, Discard> {
    let [
        _,
        _,
        _,
        _,
        len_hi,
        len_lo,
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        _,
        _,
        p0,
        p1,
    ] = *frame.take::<16>()?;
    if u16::from_be_bytes([len_hi, len_lo]) == 6 {
        frame.header.src = [a0, a1, a2, a3, a4, a5];
    }
    Ok(u16::from_be_bytes([p0, p1]))
}

/// Linux cooked capture v2: gives the protocol, an EtherType for all that matters here.
fn cooked_v2(frame: &mut Frame<'_>) -> Result<u16, Discard> {
    let [
        p0,
        p1,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        len,
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        _,
        _,
    ] = *frame.take::<20>()?;
    if len == 6 {
        frame.header.src = [a0, a1, a2, a3, a4, a5];
    }
    Ok(u16::from_be_bytes([p0, p1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn packet(link_type: u16, data: &[u8]) -> Packet<'_> {
        Packet {
            frame: 1,
            time: Timestamp::default(),
            interface: 0,
            link_type: LinkType(link_type),
            data,
            orig_len: u32::try_from(data.len()).unwrap(),
            fcs_len: None,
            flags: 0,
        }
    }

    fn hex(s: &str) -> Vec<u8> {
        let digits: Vec<u8> = s
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|d| u8::try_from(d).unwrap())
            .collect();
        digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
    }

    const ETH: &str = "020000000001 020000000002";

    #[test]
    fn every_link_layer_leads_to_the_packet() {
        // (link type, header, VLANs)
        for (link_type, header, vlans) in [
            (1, format!("{ETH} 0800"), [0, 0]),
            (1, format!("{ETH} 86dd"), [0, 0]),
            (1, format!("{ETH} 8100 6005 0800"), [5, 0]),
            (1, format!("{ETH} 88a8 0003 8100 0004 86dd"), [3, 4]),
            (
                1,
                format!("{ETH} 9100 0003 8100 0004 8100 0005 0800"),
                [3, 4],
            ),
            (0, "02000000".into(), [0, 0]),
            (0, "0000001e".into(), [0, 0]),
            (108, "00000018".into(), [0, 0]),
            (101, String::new(), [0, 0]),
            (12, String::new(), [0, 0]),
            (14, String::new(), [0, 0]),
            (228, String::new(), [0, 0]),
            (229, String::new(), [0, 0]),
            (113, "0000 0001 0006 0200000000020000 0800".into(), [0, 0]),
            (
                113,
                "0000 0001 0006 0200000000020000 8100 0007 0800".into(),
                [7, 0],
            ),
            (
                276,
                "0800 0000 00000001 0001 00 06 0200000000020000".into(),
                [0, 0],
            ),
        ] {
            let mut data = hex(&header);
            data.extend(b"EIP");
            let frame = parse(&packet(link_type, &data))
                .unwrap_or_else(|e| panic!("{link_type} {header}: {e:?}"));
            assert_eq!(frame.ip, b"EIP", "{link_type} {header}");
            assert_eq!(frame.channel.vlans, vlans, "{link_type} {header}");
            // Cut anywhere inside of the header, it is an error and no panic.
            for n in 0..data.len() - 3 {
                assert!(
                    parse(&packet(link_type, &data[..n])).is_err(),
                    "{link_type} {header} {n}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_ip_has_a_reason() {
        for (link_type, data, why) in [
            (1, format!("{ETH} 0806 00"), Discard::LinkNotIp),
            (1, format!("{ETH} 8100 0001"), Discard::LinkTruncated),
            (0, "00000007 45".into(), Discard::LinkNotIp),
            (113, "0000".into(), Discard::LinkTruncated),
            (9999, "45".into(), Discard::LinkUnknownType),
        ] {
            assert_eq!(
                parse(&packet(link_type, &hex(&data))).unwrap_err(),
                why,
                "{data}"
            );
        }
    }

    #[test]
    fn fcs_and_snapshot_length() {
        let mut data = hex(&format!("{ETH} 0800"));
        data.extend(b"payloadFCS!");
        // (captured, original length, FCS, octets, missing)
        for (len, orig, fcs, ip, missing) in [
            (25, 25, None, "payloadFCS!", 0),
            (25, 25, Some(4), "payload", 0),
            (23, 25, Some(4), "payload", 0),
            (18, 25, Some(4), "payl", 3),
            (18, 25, None, "payl", 7),
            (25, 3, None, "payloadFCS!", 0),
        ] {
            let p = Packet {
                orig_len: orig,
                fcs_len: fcs,
                ..packet(1, &data[..len])
            };
            let f = parse(&p).unwrap();
            assert_eq!(
                (f.ip, f.missing),
                (ip.as_bytes(), missing),
                "{len} {orig} {fcs:?}"
            );
        }
    }
}
