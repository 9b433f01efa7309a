//! Link layer: where the IP packet starts in a packet record, and which channel it came on.
//!
//! [`receive`] is given a packet record and hands on a [`Frame`] for each packet in it: one, but for 802.11's A-MSDUs.
//! Each link type is one row of `parse_other` and a few lines; plain Ethernet takes a short cut. What stands behind the
//! link header is walked as a chain of small headers (VLAN tags, MPLS, PPPoE, ...), each of which is longer than nothing,
//! so the work is linear in the octets.

mod frame;
mod pdu;
mod wifi;

pub(crate) use frame::NextHeader;
pub use frame::{Frame, PseudoHeader};

use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::packet::{Channel, LinkHeader, LinkType, Packet, PacketInfo, VlanTag};
use crate::base::place::OctetOffset;
use etherparse::EtherType;

/// `epb_flags`: the checksum is not filled in yet (bit 9), or was found right (bit 10).
const CHECKSUM_FLAGS: u32 = 1 << 9 | 1 << 10;

/// EtherTypes that are known here and have no name in etherparse.
mod ether {
    use etherparse::EtherType;

    pub(super) const MPLS: EtherType = EtherType(0x8847);
    pub(super) const MPLS_MULTICAST: EtherType = EtherType(0x8848);
    pub(super) const PPP: EtherType = EtherType(0x880b);
    pub(super) const PPPOE_SESSION: EtherType = EtherType(0x8864);
    /// Transparent Ethernet bridging.
    pub(super) const BRIDGED: EtherType = EtherType(0x6558);
    /// IEEE 802.1BR: four octets between addresses and type.
    pub(super) const VN_TAG: EtherType = EtherType(0x8926);
    /// IEEE 802.1ah: four octets in front of a whole Ethernet frame.
    pub(super) const BACKBONE: EtherType = EtherType(0x88e7);
    /// Cisco metadata: a security group tag between addresses and type.
    pub(super) const CISCO_METADATA: EtherType = EtherType(0x8909);
    /// Network service header (RFC 8300).
    pub(super) const NSH: EtherType = EtherType(0x894f);
    /// The highest value that is a length (IEEE 802.3).
    pub(super) const MAX_LENGTH: u16 = 1500;

    /// It is one that may stand in an Ethernet frame, and no length.
    pub(super) const fn is_known(value: EtherType) -> bool {
        matches!(
            value,
            EtherType::IPV4
                | EtherType::IPV6
                | EtherType::VLAN_TAGGED_FRAME
                | EtherType::PROVIDER_BRIDGING
                | EtherType::VLAN_DOUBLE_TAGGED_FRAME
                | MPLS
                | MPLS_MULTICAST
                | PPPOE_SESSION
                | VN_TAG
                | BACKBONE
                | CISCO_METADATA
                | NSH
        )
    }
}

/// Reads the link header of a packet record.
///
/// A known frame check sequence is left out. The error says why there is no IP packet to go on with. An A-MSDU is given as
/// it is; [`receive`] takes it apart.
#[inline]
pub fn parse<'a>(packet: &Packet<'a>) -> Result<Frame<'a>, Discard> {
    match plain(packet) {
        Some(frame) => Ok(frame),
        None => parse_any(packet),
    }
}

/// The captured octets without a known frame check sequence, and how many are missing behind them.
#[inline(always)] // on every packet's way
fn octets<'a>(packet: &Packet<'a>) -> (&'a [u8], usize) {
    let wire = usize::try_from(packet.orig_len)
        .unwrap_or(usize::MAX)
        .max(packet.data.len());
    // By the length on the wire: a record that was cut has lost its frame check sequence, or a part
    // of it, already.
    let wire = wire.saturating_sub(usize::from(packet.fcs_len.unwrap_or(0)));
    let data = packet.data.get(..wire).unwrap_or(packet.data);
    (data, wire - data.len())
}

/// A plain Ethernet frame with IP in it, as most packets are. It is put together in one go: a header that is written in
/// pieces and then copied stalls the processor.
#[inline(always)] // on every packet's way
pub fn plain<'a>(packet: &Packet<'a>) -> Option<Frame<'a>> {
    let (data, missing) = octets(packet);
    if packet.link_type != LinkType::ETHERNET {
        return None;
    }
    let (header, ip) = data.split_first_chunk::<14>()?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
    let next = EtherType(u16::from_be_bytes([t0, t1]));
    matches!(next, EtherType::IPV4 | EtherType::IPV6).then(|| Frame {
        header: LinkHeader {
            dst: [d0, d1, d2, d3, d4, d5],
            src: [s0, s1, s2, s3, s4, s5],
            tags: Default::default(),
        },
        channel: Channel::default(),
        ip,
        offset: OctetOffset::Record(14),
        missing,
        pseudo: None,
        checksum_known_good: packet.flags & CHECKSUM_FLAGS != 0,
        doubtful: false,
        aggregate: false,
    })
}

/// Everything that is not plain Ethernet.
#[inline(never)]
fn parse_any<'a>(packet: &Packet<'a>) -> Result<Frame<'a>, Discard> {
    let (ip, missing) = octets(packet);
    let mut frame = Frame {
        header: LinkHeader::default(),
        channel: Channel::default(),
        ip,
        offset: OctetOffset::Record(0),
        missing,
        pseudo: None,
        checksum_known_good: packet.flags & CHECKSUM_FLAGS != 0,
        doubtful: false,
        aggregate: false,
    };
    let next = match wrapped(packet.link_type, &mut frame)? {
        Some(inner) => parse_other(inner, &mut frame)?,
        None => parse_other(packet.link_type, &mut frame)?,
    };
    if !frame.aggregate {
        walk(&mut frame, next)?;
    }
    Ok(frame)
}

/// Reads the link header of a packet record, counts it, makes the packet the one that `cx` is about, and hands it on. The
/// packets of an A-MSDU are handed on one by one.
pub fn receive<'a, F>(packet: &Packet<'a>, cx: &mut Context, mut each: F)
where
    F: FnMut(&mut Context, &Frame<'a>),
{
    cx.counters.link.packets += 1;
    cx.packet = PacketInfo {
        frame: packet.frame,
        time: packet.time,
        // Addresses and tags of the packet before must not stand with one that has none.
        interface: packet.interface,
        ..PacketInfo::default()
    };
    match parse_any(packet) {
        Ok(frame) if frame.aggregate => subframes(cx, frame, &mut each),
        Ok(frame) => {
            cx.packet.link = frame.header;
            cx.counters.link.passed += 1;
            each(cx, &frame);
        }
        Err(why) => {
            if why == Discard::LinkUnknownType {
                remember(packet.link_type, &mut cx.unknown_link_types);
            }
            cx.discard(why);
        }
    }
}

/// What [`receive`] does of a frame that [`plain`] has given.
#[inline(always)] // on every packet's way
pub fn receive_plain(packet: &Packet<'_>, cx: &mut Context, frame: &Frame<'_>) {
    cx.counters.link.packets += 1;
    cx.counters.link.passed += 1;
    cx.packet = PacketInfo {
        frame: packet.frame,
        time: packet.time,
        interface: packet.interface,
        link: frame.header,
        ..PacketInfo::default()
    };
}

/// Hands on the packets of an A-MSDU (IEEE 802.11, 9.3.2.2.2). The record is passed where one of them is.
#[cold]
fn subframes<'a>(
    cx: &mut Context,
    mut rest: Frame<'a>,
    each: &mut dyn FnMut(&mut Context, &Frame<'a>),
) {
    let (mut passed, mut refused) = (0, None);
    let mut lost = 0;
    while rest.ip.len() + rest.missing >= wifi::SUBFRAME {
        if wifi::is_past(&rest) {
            // What stands behind this one cannot be found.
            lost += 1;
        }
        let next = wifi::subframe(&mut rest);
        let read = next.and_then(|next| {
            let Some(mut frame) = next else {
                return Ok(None);
            };
            walk(&mut frame, NextHeader::Llc).map(|()| Some(frame))
        });
        match read {
            Ok(Some(frame)) => {
                passed += 1;
                cx.packet.link = frame.header;
                each(cx, &frame);
            }
            // Octets behind the last one.
            Ok(None) => break,
            Err(Discard::LinkTruncated) if passed > 0 => lost += 1,
            Err(why) => {
                cx.counters.link.subframes_skipped += u64::from(refused.is_some());
                refused.get_or_insert(why);
            }
        }
        if rest.ip.is_empty() && rest.missing == 0 {
            break;
        }
    }
    cx.counters.link.subframes_lost += lost;
    if passed > 0 {
        cx.counters.link.passed += 1;
        cx.counters.link.subframes += passed - 1;
        cx.counters.link.subframes_skipped += u64::from(refused.is_some());
    } else {
        cx.discard(refused.unwrap_or(Discard::LinkTruncated));
    }
}

/// Keeps a link type that has not been reported yet.
#[cold]
fn remember(link_type: LinkType, unknown: &mut Vec<LinkType>) {
    // Twenty are enough to be named to a user; a hostile pcapng can have 65,536.
    if unknown.len() < 20 && !unknown.contains(&link_type) {
        unknown.push(link_type);
    }
}

/// Link types that only stand around another one: what that is.
fn wrapped(link_type: LinkType, frame: &mut Frame<'_>) -> Result<Option<LinkType>, Discard> {
    let inner = match link_type.0 {
        // Apple's PKTAP, also as USER2: length of the header, kind of record, link type.
        149 | 258 => {
            let header = *frame.ip.first_chunk::<12>().ok_or(Discard::LinkTruncated)?;
            let [l0, l1, l2, l3, _, _, _, _, t0, t1, _, _] = header;
            let len = u32::from_le_bytes([l0, l1, l2, l3]);
            // At least what has been read: a length below that would read the header as packet.
            frame.skip(usize::try_from(len).unwrap_or(usize::MAX).max(12))?;
            u16::from_le_bytes([t0, t1])
        }
        // PPI: version, flags, length of the header, link type, fields.
        192 => {
            let header = *frame.ip.first_chunk::<8>().ok_or(Discard::LinkTruncated)?;
            let [_, _, l0, l1, t0, t1, _, _] = header;
            let len = usize::from(u16::from_le_bytes([l0, l1]));
            let inner = u16::from_le_bytes([t0, t1]);
            let header = frame.skip(len.max(8))?;
            if inner == 105 {
                wifi::ppi(frame, header.get(8..).unwrap_or(&[]))?;
                return Ok(Some(LLC_ONLY));
            }
            inner
        }
        _ => return Ok(None),
    };
    Ok(Some(LinkType(inner)))
}

/// LINKTYPE_ATM_RFC1483: nothing but an LLC header.
const LLC_ONLY: LinkType = LinkType(100);

/// Every link type, one row each: reads its header and says what follows.
fn parse_other(link_type: LinkType, frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    match link_type.0 {
        0 | 108 => null(frame),
        1 => ethernet(frame).map(NextHeader::EtherType),
        6 => token_ring(frame),
        9 | 50 => Ok(ppp_or_hdlc(frame)),
        10 => fddi(frame),
        11 | 100 => Ok(NextHeader::Llc),
        12 | 14 | 101 | 228 | 229 => Ok(NextHeader::Ip),
        51 => Ok(NextHeader::Pppoe),
        104 => Ok(NextHeader::Hdlc),
        105 => wifi::bare(frame).map(|()| NextHeader::Llc),
        107 => Ok(NextHeader::FrameRelay),
        109 => enc(frame),
        117 => pflog(frame),
        113 => cooked_v1(frame),
        // Prism and AVS: a length behind the first four octets.
        119 | 163 => {
            let header = *frame.ip.first_chunk::<8>().ok_or(Discard::LinkTruncated)?;
            let [_, _, _, _, len @ ..] = header;
            // A capture may have AVS headers under Prism's number: its version says so.
            let le = link_type.0 == 119 && header.first_chunk() != Some(&[0x80, 0x21]);
            wifi::behind(frame, len, le).map(|()| NextHeader::Llc)
        }
        127 => wifi::radiotap(frame).map(|()| NextHeader::Llc),
        // A direction in the place of the address, and control; a direction in front of all.
        166 => {
            frame.skip(1)?;
            if frame.ip.first() == Some(&0x03) {
                frame.skip(1)?;
            }
            Ok(NextHeader::Ppp)
        }
        204 => frame.skip(1).map(|_| NextHeader::Ppp),
        197 => erf(frame),
        219 => Ok(NextHeader::Mpls),
        239 => nflog(frame),
        // Destination and type of IP over InfiniBand (RFC 4391) behind a global routing header.
        242 => {
            frame.skip(40)?;
            let ether_type = frame.take_u16()?;
            frame.skip(2).map(|_| NextHeader::EtherType(ether_type))
        }
        252 => pdu::tags(frame),
        276 => cooked_v2(frame),
        _ => Err(Discard::LinkUnknownType),
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

/// Goes on to the IP packet. Each step takes octets off, or ends.
///
/// A loop and no recursion: a packet decides how many headers it has, and must not decide how deep the stack gets.
pub(crate) fn walk(frame: &mut Frame<'_>, mut next: NextHeader) -> Result<(), Discard> {
    // Two tags are kept, as output has room for two and more than two are hardly met; all are
    // passed over.
    let mut tags = 0;
    loop {
        next = match next {
            NextHeader::Ip => return Ok(()),
            NextHeader::EtherType(ether_type) => match EtherType(ether_type) {
                EtherType::IPV4 | EtherType::IPV6 => NextHeader::Ip,
                EtherType::VLAN_TAGGED_FRAME
                | EtherType::PROVIDER_BRIDGING
                | EtherType::VLAN_DOUBLE_TAGGED_FRAME => {
                    let tci = frame.take_u16()?;
                    if let Some(tag) = frame.header.tags.get_mut(tags) {
                        let tpid = ether_type;
                        *tag = VlanTag { tpid, tci };
                        tags += 1;
                        frame.channel = frame.header.channel();
                    }
                    NextHeader::EtherType(frame.take_u16()?)
                }
                ether::MPLS | ether::MPLS_MULTICAST => NextHeader::Mpls,
                ether::PPPOE_SESSION => NextHeader::Pppoe,
                ether::PPP => NextHeader::Ppp,
                ether::BRIDGED => NextHeader::Ethernet,
                ether::VN_TAG => {
                    frame.skip(4)?;
                    NextHeader::EtherType(frame.take_u16()?)
                }
                ether::BACKBONE => {
                    frame.skip(4)?;
                    NextHeader::Ethernet
                }
                ether::CISCO_METADATA => {
                    // Version, options of four octets each, type.
                    let [_, options] = *frame.take::<2>()?;
                    frame.skip(4 * usize::from(options))?;
                    NextHeader::EtherType(frame.take_u16()?)
                }
                ether::NSH => NextHeader::Nsh,
                EtherType(len) if len <= ether::MAX_LENGTH => {
                    frame.limit(usize::from(len));
                    NextHeader::Llc
                }
                _ => return Err(Discard::LinkNotIp),
            },
            NextHeader::Ethernet => {
                frame.skip(12)?;
                NextHeader::EtherType(frame.take_u16()?)
            }
            // SNAP, NLPID and IP are the three that lead on; the rest is control traffic of
            // bridges.
            NextHeader::Llc => match *frame.take::<3>()? {
                [0xaa, 0xaa, 0x03] => NextHeader::Snap,
                [0xfe, 0xfe, 0x03] => NextHeader::Nlpid,
                [0x06, 0x06, 0x03] => NextHeader::Ip,
                _ => return Err(Discard::LinkNotIp),
            },
            NextHeader::Snap => match *frame.take::<5>()? {
                [0, 0, 0 | 0xf8, hi, lo] => NextHeader::EtherType(u16::from_be_bytes([hi, lo])),
                // Bridged Ethernet, with and without its frame check sequence (RFC 2427, 4.2).
                [0, 0x80, 0xc2, 0, 1 | 7] => NextHeader::Ethernet,
                _ => return Err(Discard::LinkNotIp),
            },
            NextHeader::Nlpid => match *frame.take::<1>()? {
                [0xcc | 0x8e] => NextHeader::Ip,
                [0x80] => NextHeader::Snap,
                [0xcf] => NextHeader::Ppp,
                _ => return Err(Discard::LinkNotIp),
            },
            NextHeader::Ppp => ppp(frame)?,
            NextHeader::Mpls => mpls(frame)?,
            NextHeader::Pppoe => {
                // Version and type, code 0 (session), session, length (RFC 2516, 4).
                let [version, code, _, _, l0, l1] = *frame.take::<6>()?;
                // Discovery and other codes carry no packet.
                if version != 0x11 || code != 0 {
                    return Err(Discard::LinkBadHeader);
                }
                frame.limit(usize::from(u16::from_be_bytes([l0, l1])));
                NextHeader::Ppp
            }
            NextHeader::Hdlc => {
                // Address, control, EtherType.
                frame.skip(2)?;
                NextHeader::EtherType(frame.take_u16()?)
            }
            NextHeader::FrameRelay => frame_relay(frame)?,
            NextHeader::Nsh => nsh(frame)?,
        };
    }
}

/// PPP (RFC 1661, 2): perhaps address and control, then the protocol in one or two octets.
fn ppp(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    // Both octets may be left out (RFC 1661, 6.6), as they may on PPPoE.
    if frame.ip.starts_with(&[0xff, 0x03]) {
        frame.skip(2)?;
    }
    let [first] = *frame.take::<1>()?;
    // The last octet of a protocol number is odd, the one before it even.
    let protocol = if first & 1 == 1 {
        u16::from(first)
    } else {
        let [second] = *frame.take::<1>()?;
        u16::from_be_bytes([first, second])
    };
    match protocol {
        0x0021 | 0x0057 => Ok(NextHeader::Ip),
        0x0281 | 0x0283 => Ok(NextHeader::Mpls),
        // Header compression: Van Jacobson's, RFC 2507 and its kin, ROHC; compressed datagrams, on one link or all.
        // Compressed headers need the packets before; no observer could put them right after a
        // loss.
        0x002d | 0x002f | 0x0061..=0x0069 | 0x2061..=0x2069 | 0x0003 | 0x0005 | 0x00fb | 0x00fd => {
            Err(Discard::LinkCompressed)
        }
        // RFC 1968, on one link or all.
        0x0053 | 0x0055 => Err(Discard::LinkEncrypted),
        _ => Err(Discard::LinkNotIp),
    }
}

/// Captures of serial lines hold either, and the first octet tells (RFC 1662, 3.1; RFC 1547, 4.3.1).
fn ppp_or_hdlc(frame: &Frame<'_>) -> NextHeader {
    match frame.ip.first() {
        Some(0x0f | 0x8f) => NextHeader::Hdlc,
        _ => NextHeader::Ppp,
    }
}

/// A label stack (RFC 3032). What it carries is not said: IP shows by its version (RFC 4928), Ethernet by an EtherType in its
/// place, for addresses may begin with any octet.
fn mpls(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    loop {
        // Four octets for each label, so the loop ends with the packet.
        let [_, _, bottom, _] = *frame.take::<4>()?;
        if bottom & 1 == 1 {
            break;
        }
    }
    let octets = frame.ip;
    let has_type = |at: usize| {
        let field = octets.get(at..).and_then(<[u8]>::first_chunk);
        field.is_some_and(|t| ether::is_known(EtherType(u16::from_be_bytes(*t))))
    };
    match octets.first().map(|b| b >> 4) {
        // The first nibble of an Ethernet address may be 4 or 6 as well: the EtherType behind the
        // addresses decides.
        Some(4 | 6) if frame.is_ip_packet() || !has_type(12) => Ok(NextHeader::Ip),
        // A control word, then Ethernet (RFC 4448, 4.6).
        Some(0) if has_type(16) || !has_type(12) => frame.skip(4).map(|_| NextHeader::Ethernet),
        Some(_) => Ok(NextHeader::Ethernet),
        None => Err(Discard::LinkTruncated),
    }
}

/// Frame relay (RFC 2427): an address, then control and NLPID, or an EtherType (Cisco).
fn frame_relay(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    // The last octet of the address has its lowest bit set.
    // Takes an octet in each turn.
    while frame.take::<1>()?[0] & 1 == 0 {}
    if frame.ip.first() != Some(&0x03) {
        return frame.take_u16().map(NextHeader::EtherType);
    }
    frame.skip(1)?;
    // A padding octet may stand in front of the NLPID.
    if frame.ip.first() == Some(&0) {
        frame.skip(1)?;
    }
    Ok(NextHeader::Nlpid)
}

/// Network service header (RFC 8300, 2.2): its length in words of four octets, and what it carries.
fn nsh(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    let [version, length, _, next] = *frame.take::<4>()?;
    // Version 0; base header and service path header are always there.
    let words = usize::from(length & 0x3f);
    if version & 0xc0 != 0 || words < 2 {
        return Err(Discard::LinkBadHeader);
    }
    frame.skip(4 * (words - 1))?;
    match next {
        1 | 2 => Ok(NextHeader::Ip),
        3 => Ok(NextHeader::Ethernet),
        4 => Ok(NextHeader::Nsh),
        5 => Ok(NextHeader::Mpls),
        _ => Err(Discard::LinkNotIp),
    }
}

/// IPsec of the BSDs (`enc0`): address family in the byte order of the host, SPI, flags; then the packet as it is before
/// or behind its protection.
fn enc(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    null(frame)?;
    frame.skip(8).map(|_| NextHeader::Ip)
}

/// The packet filter's log of the BSDs and macOS: its length without padding, address family, what was done and why.
fn pflog(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    let [len, family, ..] = *frame.ip.first_chunk::<4>().ok_or(Discard::LinkTruncated)?;
    let version = match family {
        2 => 4,
        // AF_INET6 of NetBSD and OpenBSD, FreeBSD, Darwin.
        24 | 28 | 30 => 6,
        _ => return Err(Discard::LinkNotIp),
    };
    let len = usize::from(len);
    // Of the shortest that was ever written the interface's name is the last field.
    if len < 28 {
        return Err(Discard::LinkBadHeader);
    }
    // Padded to a word of the host: four octets, eight on FreeBSD; the packet's version says which.
    let is_there = |at: usize| frame.ip.get(at).is_some_and(|b| b >> 4 == version);
    let (four, eight) = (len.next_multiple_of(4), len.next_multiple_of(8));
    let at = if !is_there(four) && is_there(eight) {
        eight
    } else {
        four
    };
    frame.skip(at).map(|_| NextHeader::Ip)
}

/// FDDI: frame control, addresses, LLC.
fn fddi(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    let [control, d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5] = *frame.take::<13>()?;
    frame.header.dst = [d0, d1, d2, d3, d4, d5];
    frame.header.src = [s0, s1, s2, s3, s4, s5];
    // Asynchronous or synchronous LLC frames.
    if control & 0x30 == 0x10 {
        Ok(NextHeader::Llc)
    } else {
        Err(Discard::LinkNotData)
    }
}

/// IEEE 802.5: access control, frame control, addresses, perhaps a route, LLC.
fn token_ring(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    let [_, control, d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5] = *frame.take::<14>()?;
    frame.header.dst = [d0, d1, d2, d3, d4, d5];
    frame.header.src = [s0 & 0x7f, s1, s2, s3, s4, s5];
    if control & 0xc0 != 0x40 {
        return Err(Discard::LinkNotData);
    }
    // The first bit of the source address says that a route follows, whose first octet has its length.
    if s0 & 0x80 != 0 {
        let len = frame.ip.first().map_or(0, |b| usize::from(b & 0x1f));
        frame.skip(len.max(2))?;
    }
    Ok(NextHeader::Llc)
}

/// Endace's extensible record format: Ethernet and serial lines.
fn erf(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    let [_, _, _, _, _, _, _, _, kind, _, _, _, _, _, w0, w1] = *frame.take::<16>()?;
    // Extension headers chain by their highest bit, eight octets each.
    let mut more = kind & 0x80 != 0;
    while more {
        let [first, ..] = *frame.take::<8>()?;
        more = first & 0x80 != 0;
    }
    match kind & 0x7f {
        // HDLC over SONET.
        1 => {
            frame.limit(usize::from(u16::from_be_bytes([w0, w1])));
            Ok(ppp_or_hdlc(frame))
        }
        // Ethernet, behind two octets of padding.
        2 => {
            frame.skip(2)?;
            frame.limit(usize::from(u16::from_be_bytes([w0, w1])));
            ethernet(frame).map(NextHeader::EtherType)
        }
        _ => Err(Discard::LinkNotIp),
    }
}

/// Linux' netfilter log: tags in the byte order of the host, one of which holds the packet.
fn nflog(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    frame.skip(4)?;
    loop {
        // At least its own header in each turn.
        let [l0, l1, t0, t1] = *frame.take::<4>()?;
        let len = usize::from(u16::from_le_bytes([l0, l1]))
            .checked_sub(4)
            .ok_or(Discard::LinkBadHeader)?;
        if u16::from_le_bytes([t0, t1]) == 9 {
            frame.limit(len);
            return Ok(NextHeader::Ip);
        }
        frame.skip(len.next_multiple_of(4))?;
    }
}

/// BSD loopback: the address family, in the byte order of whoever captured (NULL) or in network order (LOOP).
fn null(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    let family = *frame.take::<4>()?;
    // A family is a small number, so the order shows itself.
    match u32::from_be_bytes(family).min(u32::from_le_bytes(family)) {
        // AF_INET; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
        2 | 10 | 24 | 28 | 30 => Ok(NextHeader::Ip),
        _ => Err(Discard::LinkNotIp),
    }
}

/// Linux cooked capture v1.
fn cooked_v1(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
    let [_, _, _, _, l0, l1, a0, a1, a2, a3, a4, a5, _, _, p0, p1] = *frame.take::<16>()?;
    // Other lengths are addresses of other links, which no output could write.
    if u16::from_be_bytes([l0, l1]) == 6 {
        frame.header.src = [a0, a1, a2, a3, a4, a5];
    }
    cooked_protocol(u16::from_be_bytes([p0, p1]))
}

/// Linux cooked capture v2.
fn cooked_v2(frame: &mut Frame<'_>) -> Result<NextHeader, Discard> {
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
    cooked_protocol(u16::from_be_bytes([p0, p1]))
}

/// The protocol of a cooked capture: an EtherType, or below them a number of Linux' own.
const fn cooked_protocol(protocol: u16) -> Result<NextHeader, Discard> {
    match protocol {
        0x0004 => Ok(NextHeader::Llc),
        0..0x0600 => Err(Discard::LinkNotIp),
        _ => Ok(NextHeader::EtherType(protocol)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

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
            (6, format!("1040 {ETH} aaaa03 000000 0800"), [0, 0]),
            (
                6,
                "1040 020000000001 820000000002 06b000110020 aaaa03 000000 0800".into(),
                [0, 0],
            ),
            // PPP's direction stands in the place of its address, or in front.
            (166, "01 03 0021".into(), [0, 0]),
            (204, "01 ff03 0021".into(), [0, 0]),
        ] {
            let mut data = hex(&header);
            data.extend(b"EIP"); // 0x45: version 4
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
            (
                105,
                format!("8000 0000 {ETH} 020000000003 1000"),
                Discard::LinkNotData,
            ),
            (
                105,
                format!("4802 0000 {ETH} 020000000003 1000"),
                Discard::LinkNotData,
            ),
            (
                105,
                format!("0842 0000 {ETH} 020000000003 1000"),
                Discard::LinkEncrypted,
            ),
            (
                105,
                format!("0802 0000 {ETH} 020000000003 1100"),
                Discard::LinkFragment,
            ),
            (10, format!("4f {ETH} 00"), Discard::LinkNotData),
            (6, format!("1000 {ETH} 00"), Discard::LinkNotData),
            (9, "ff03 c021 01".into(), Discard::LinkNotIp),
            (9, "ff03 002d 45".into(), Discard::LinkCompressed),
            (9, "ff03 00fd 45".into(), Discard::LinkCompressed),
            (9, "fd 45".into(), Discard::LinkCompressed),
            (9, "ff03 0053 45".into(), Discard::LinkEncrypted),
            (
                252,
                "000c 0003 646e73 0000 0000".into(),
                Discard::LinkUnknownPdu,
            ),
            (
                252,
                "000c 0003 746370 0000 0000".into(),
                Discard::LinkBadHeader,
            ),
            (
                1,
                format!("{ETH} 8864 21 00 0001 0005 0021"),
                Discard::LinkBadHeader,
            ),
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

    #[test]
    fn lengths_in_the_headers_leave_padding_out() {
        for (link_type, header) in [
            (1, format!("{ETH} 000b aaaa03 000000 0800")),
            (1, format!("{ETH} 8864 11 00 0001 0005 0021")),
            (239, "02 00 0000 0700 0900".into()),
            // An FCS that the driver says is there.
            (
                127,
                format!(
                    "0000 0900 02000000 10 0802 0000 {ETH} 020000000003 1000 aaaa03 000000 0800"
                ),
            ),
        ] {
            let mut data = hex(&header);
            data.extend(b"EIP....");
            assert_eq!(
                parse(&packet(link_type, &data)).unwrap().ip,
                b"EIP",
                "{header}"
            );
        }
    }

    #[test]
    fn pseudowires_are_told_from_ip() {
        let ip = "45 00 0018 0000 0000 40 11 0000 0a000001 0a000002 45494950";
        for (payload, at) in [
            // IP; Ethernet with and without a control word, also where addresses begin as something else does.
            (ip.to_owned(), 0),
            (format!("{ETH} 0800 {ip}"), 14),
            (format!("00000007 {ETH} 0800 {ip}"), 18),
            (format!("450000000001 450000000002 0800 {ip}"), 14),
            (format!("60aabbccddee 020000000002 8100 0005 0800 {ip}"), 18),
            (format!("00000007 000000000001 000000000002 0800 {ip}"), 18),
            // Without anything else to go by: a control word, and the version.
            (format!("00000007 {ETH} 0020 aaaa03 000000 0800 {ip}"), 26),
            (
                "45 00 ffff 0000 0000 40 11 0000 0a000001 0a000002".into(),
                0,
            ),
        ] {
            let data = hex(&format!("{ETH} 8847 00064140 {payload}"));
            let expected = &data[14 + 4 + at..];
            assert_eq!(parse(&packet(1, &data)).unwrap().ip, expected, "{payload}");
        }
    }

    #[test]
    fn addresses_of_802_11() {
        let (a, b, c, d) = (
            "0a0000000001",
            "0a0000000002",
            "0a0000000003",
            "0a0000000004",
        );
        for (ds, dst, src) in [(0, 1, 2), (1, 3, 2), (2, 1, 3), (3, 3, 4)] {
            let fourth = if ds == 3 { d } else { "" };
            let data = hex(&format!(
                "080{ds} 0000 {a}{b}{c} 1000 {fourth} aaaa03 000000 0800 45"
            ));
            let f = parse(&packet(105, &data)).unwrap();
            assert_eq!((f.header.dst[5], f.header.src[5]), (dst, src), "{ds}");
        }
    }

    #[test]
    fn transports_without_ip_have_a_pseudo_header() {
        for (tags, src, dst, protocol) in [
            (
                "000c 0004 74637000 0014 0004 0a000001 0015 0004 0a000002 0000 0000",
                "10.0.0.1",
                "10.0.0.2",
                6,
            ),
            (
                "0016 0010 fd000000000000000000000000000001 000c 0003 756470 001e 0004 00000007
              0017 0010 fd000000000000000000000000000002 0000 0000",
                "fd00::1",
                "fd00::2",
                17,
            ),
            (
                "0014 0004 0a000001 0015 0004 0a000002 000c 0004 73637470 0000 0000",
                "10.0.0.1",
                "10.0.0.2",
                132,
            ),
        ] {
            let mut data = hex(tags);
            data.extend(b"payload");
            let f = parse(&packet(252, &data)).unwrap();
            assert_eq!(f.ip, b"payload");
            let want = PseudoHeader {
                src: src.parse().unwrap(),
                dst: dst.parse().unwrap(),
                protocol,
            };
            assert_eq!(f.pseudo, Some(want));
        }
    }
}
