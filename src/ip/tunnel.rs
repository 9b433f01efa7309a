//! Tunnels (`--decapsulate`): from a datagram that carries a packet to that packet.
//!
//! A tunnel that has a protocol number of its own carries nothing else, so what cannot be opened there is dropped.
//! One that goes over UDP is found by its port, and what does not open is a UDP datagram like any other.

use super::datagram::Datagram;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::limits::{Limits, Tunnel};
use crate::base::packet::{Channel, LinkHeader};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::AgedTable;
use crate::link::{Frame, NextHeader, PseudoHeader};
use etherparse::IpNumber;
use std::net::IpAddr;

/// Tunnels inside of each other that are opened at most.
// Real stacks nest two or three. Without a bound one packet of 64 KB could hold thousands of
// IP-in-IP headers, each costing a call.
pub(super) const MAX_DEPTH: usize = 8;

/// What is in a datagram.
pub(super) enum Opening<'a> {
    /// No tunnel, or none that is asked for.
    Nothing,
    /// A packet.
    Packet(Frame<'a>),
    /// A tunnel without a packet that can be used.
    Refused(Discard),
}

/// The protocol numbers of tunnels that are asked for.
pub(super) const fn carries(limits: &Limits, protocol: u8) -> bool {
    let tunnels = limits.decapsulate;
    match IpNumber(protocol) {
        // Also asked for fragments and unknown protocols: what no tunnel wants is dropped before it
        // waits.
        IpNumber::IPV4 | IpNumber::IPV6 => tunnels.contains(Tunnel::Ipip),
        IpNumber::GRE => tunnels.contains(Tunnel::Gre) || tunnels.contains(Tunnel::Erspan),
        IpNumber::LAYER2_TUNNELING_PROTOCOL => tunnels.contains(Tunnel::L2tp),
        _ => false,
    }
}

/// Looks for a packet in a datagram.
pub(super) fn open<'a>(
    limits: &Limits,
    known: &mut KnownTunnels,
    datagram: &Datagram<'a>,
) -> Opening<'a> {
    let mut inner = Frame {
        header: LinkHeader::default(),
        channel: Channel::default(),
        ip: datagram.payload,
        // What came in fragments is not traced to them through a tunnel.
        offset: datagram.offset.in_record().into(),
        // What is missing outside is missing inside, at the end.
        missing: datagram.payload_len.saturating_sub(datagram.payload.len()),
        pseudo: None,
        // The outer sum says nothing about the inner packet's.
        checksum_known_good: false,
        doubtful: datagram.doubtful,
        aggregate: false,
    };
    let over_udp = datagram.protocol == IpNumber::UDP.0;
    if over_udp
        && limits.decapsulate.contains(Tunnel::Sctp)
        && let Some(packet) = sctp_in_udp(datagram, inner)
    {
        return Opening::Packet(packet);
    }
    let opened = match IpNumber(datagram.protocol) {
        IpNumber::UDP => udp(limits, &mut inner),
        IpNumber::IPV4 | IpNumber::IPV6 => Ok(Inside {
            tunnel: Tunnel::Ipip,
            id: 0,
            next: NextHeader::Ip,
        }),
        IpNumber::GRE => gre(limits, &mut inner),
        IpNumber::LAYER2_TUNNELING_PROTOCOL => l2tp_v3(&mut inner),
        _ => return Opening::Nothing,
    };
    let inside = match opened {
        Ok(inside) => inside,
        // A port proves nothing: any application may use 4789. It stays a message of its own.
        Err(_) if over_udp => return Opening::Nothing,
        // What takes octets off knows no other name for it.
        Err(Discard::LinkTruncated) => return Opening::Refused(Discard::TunnelTruncated),
        Err(why) => return Opening::Refused(why),
    };
    // Opened far enough to see an IP version: Ethernet in a tunnel also carries ARP and spanning
    // tree.
    let is_ip = crate::link::walk(&mut inner, inside.next).is_ok()
        && matches!(inner.ip.first().map(|b| b >> 4), Some(4 | 6));
    if !is_ip {
        return if over_udp {
            Opening::Nothing
        } else {
            Opening::Refused(Discard::TunnelNotIp)
        };
    }
    // Tags inside of the tunnel belong to its identity; those outside say where it was captured.
    inner.channel = Channel {
        vlans: datagram.channel.vlans,
        tunnel: known.number(identity(datagram, &inside, inner.channel)),
    };
    // The inner Ethernet header is not that of the capture: merged output needs one that fits all
    // packets.
    inner.header = LinkHeader::default();
    Opening::Packet(inner)
}

/// A tunnel whose header has been read.
struct Inside {
    tunnel: Tunnel,
    /// What the tunnel calls itself: VNI, key, TEID, session; 0 where it has no name.
    id: u64,
    next: NextHeader,
}

/// What tells a tunnel from all others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
struct TunnelIdentity {
    /// Which of [`Tunnel`].
    kind: u8,
    id: u64,
    ends: Option<(IpAddr, IpAddr)>,
    /// Number of the tunnel that it is in.
    outer: u32,
    vlans: [u16; 2],
}

/// Tunnels that are known at most: about six megabytes. One that was forgotten is another one when it comes again.
const TUNNELS: usize = 65_536;

/// The tunnels that were seen, by number. Octets are compared, no digest of them: two tunnels that were taken for one would
/// mix their connections.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct KnownTunnels {
    /// In order of last use.
    numbers: AgedTable<TunnelIdentity, u32>,
    last: u32,
    /// Octets that the budget knows of.
    charged: usize,
}

impl KnownTunnels {
    /// What stands for a tunnel in [`Channel`]: never 0.
    fn number(&mut self, tunnel: TunnelIdentity) -> u32 {
        if let Some(place) = self.numbers.find(&tunnel) {
            self.numbers.renew(place);
            return self.numbers.get(place).copied().unwrap_or(1);
        }
        if self.numbers.len() >= TUNNELS {
            self.numbers.remove_oldest();
        }
        self.last = self.last.wrapping_add(1).max(1);
        self.numbers.insert(tunnel, self.last);
        self.last
    }

    /// Charges the budget with what is allocated.
    pub(super) fn charge(&mut self, cx: &mut Context) {
        let now = self.numbers.allocated();
        cx.budget.rebook(&mut self.charged, now);
    }

    /// Forgets all of them; numbers go on.
    pub(super) fn clear(&mut self) {
        self.numbers = AgedTable::new();
    }

    /// Forgets those that were not used for longest, to make room; false where none is known.
    pub(super) fn evict_oldest(&mut self, cx: &mut Context) -> bool {
        let some = self.numbers.remove_oldest_eighth();
        self.charge(cx);
        some
    }
}

/// What tells the tunnel of a datagram from others. Where the receiver chose the identifier, or there is none, the two ends
/// are part of it: others may use it too.
fn identity(outer: &Datagram<'_>, inside: &Inside, inner: Channel) -> TunnelIdentity {
    let pair = (outer.src.min(outer.dst), outer.src.max(outer.dst));
    let ends = match inside.tunnel {
        Tunnel::Gtp | Tunnel::L2tp | Tunnel::Ipip => true,
        Tunnel::Gre => inside.id == 0,
        _ => false,
    };
    TunnelIdentity {
        kind: inside.tunnel as u8,
        id: inside.id,
        ends: ends.then_some(pair),
        // Tunnels inside of tunnels differ by the outer one too.
        outer: outer.channel.tunnel,
        vlans: inner.vlans,
    }
}

/// SCTP in UDP (RFC 6951, 4): the port is the only sign, so what is there has to be ports and a chain of chunks. The
/// addresses stay those of the datagram, and so does the channel: a path may lead through UDP and another one not.
fn sctp_in_udp<'a>(datagram: &Datagram<'_>, mut inner: Frame<'a>) -> Option<Frame<'a>> {
    let [s0, s1, d0, d1, l0, l1, _, _] = *inner.take::<8>().ok()?;
    let ports = [[s0, s1], [d0, d1]].map(u16::from_be_bytes);
    if !ports.contains(&9899) {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    inner.limit(len.checked_sub(8)?);
    let [p0, p1, q0, q1, ..] = *inner.ip.first_chunk::<12>()?;
    if [p0, p1] == [0; 2] || [q0, q1] == [0; 2] {
        return None;
    }
    let mut chunks = inner.ip.get(12..)?;
    let whole = chunks.len() + inner.missing;
    if whole < 4 {
        return None;
    }
    // Each is four octets long at least, and they end where the packet does; the padding of the last one may be missing.
    while let Some([_, _, l0, l1]) = chunks.first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([*l0, *l1]));
        if len < 4 || len > chunks.len() + inner.missing {
            return None;
        }
        chunks = chunks.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    if !chunks.is_empty() && inner.missing == 0 {
        return None;
    }
    inner.channel = datagram.channel;
    inner.pseudo = Some(PseudoHeader {
        src: datagram.src,
        dst: datagram.dst,
        protocol: IpNumber::SCTP.0,
    });
    Some(inner)
}

/// Tunnels over UDP, by their ports.
fn udp(limits: &Limits, inner: &mut Frame<'_>) -> Result<Inside, Discard> {
    let [s0, s1, d0, d1, l0, l1, _, _] = *inner.take::<8>()?;
    let (src, dst) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    // Padding behind the datagram must not be read as part of the packet.
    inner.limit(len.checked_sub(8).ok_or(Discard::TunnelBadHeader)?);
    let on = |tunnel| limits.decapsulate.contains(tunnel);
    // By destination first: VXLAN and GENEVE senders choose the source port by a hash of the flow
    // (RFC 7348, 5).
    match dst {
        4789 | 4790 | 8472 if on(Tunnel::Vxlan) => vxlan(inner, dst == 4790),
        6081 if on(Tunnel::Geneve) => geneve(inner),
        // GTP-U answers may come from any port; one of the two is the registered one.
        _ if on(Tunnel::Gtp) && (src == 2152 || dst == 2152) => gtp(inner),
        _ if on(Tunnel::L2tp) && (src == 1701 || dst == 1701) => l2tp_udp(inner),
        // Last, since Teredo peers use any port: every other UDP datagram comes this far and is
        // judged by its octets.
        _ if on(Tunnel::Teredo) => teredo(inner, src == 3544 || dst == 3544),
        _ => Err(Discard::TunnelBadHeader),
    }
}

/// GRE (RFC 2784, RFC 2890, RFC 1701; version 1: RFC 2637), and ERSPAN, which is mirrored Ethernet in it.
fn gre(limits: &Limits, inner: &mut Frame<'_>) -> Result<Inside, Discard> {
    let flags = inner.take_u16()?;
    let kind = inner.take_u16()?;
    let version = flags & 7;
    let mut id = 0;
    // Only versions 0 and 1 are defined; the rest of the flags would be read at random.
    if version > 1 {
        return Err(Discard::TunnelBadHeader);
    }
    // Checksum or routing present: both fields are.
    if flags & 0xc000 != 0 {
        inner.skip(4)?;
    }
    if flags & 0x2000 != 0 {
        let [a, b, c, d] = *inner.take::<4>()?;
        if version == 1 {
            // Length of the payload, then a call identifier that is the receiver's.
            inner.limit(
                usize::from(u16::from_be_bytes([a, b]))
                    + if flags & 0x1000 != 0 { 4 } else { 0 }
                    + if flags & 0x0080 != 0 { 4 } else { 0 },
            );
        } else {
            // The key of RFC 2890 is taken for the tunnel's own name, the same in both directions.
            id = u64::from(u32::from_be_bytes([a, b, c, d]));
        }
    }
    let numbered = flags & 0x1000 != 0;
    if numbered {
        // The optional fields stand in this order: checksum and offset, key, sequence number,
        // acknowledgment (RFC 1701; RFC 2637, 4.1).
        inner.skip(4)?;
    }
    if version == 1 && flags & 0x0080 != 0 {
        inner.skip(4)?;
    }
    if flags & 0x4000 != 0 {
        // Source route entries, up to an empty one.
        // Each entry takes at least its header of four octets, so the loop ends with the packet.
        loop {
            let [family_hi, family_lo, _, len] = *inner.take::<4>()?;
            if [family_hi, family_lo, len] == [0, 0, 0] {
                break;
            }
            inner.skip(usize::from(len))?;
        }
    }
    let on = |tunnel| limits.decapsulate.contains(tunnel);
    let (tunnel, next) = match kind {
        0x88be if on(Tunnel::Erspan) => {
            // Type I has no sequence number and no header; type II has both.
            if numbered {
                // The session is ten bits of the second word; the rest is VLAN and flags of the
                // mirror.
                let [_, _, a, b, ..] = *inner.take::<8>()?;
                id = u64::from(u16::from_be_bytes([a, b]) & 0x3ff);
            }
            (Tunnel::Erspan, NextHeader::Ethernet)
        }
        0x22eb if on(Tunnel::Erspan) => {
            let [_, _, a, b, .., last] = *inner.take::<12>()?;
            id = u64::from(u16::from_be_bytes([a, b]) & 0x3ff);
            // The O bit: a platform specific subheader of eight octets follows.
            if last & 1 != 0 {
                inner.skip(8)?;
            }
            (Tunnel::Erspan, NextHeader::Ethernet)
        }
        // PPTP's PPP, and Ethernet (0x6558) in GRE, are read by the link layer as elsewhere.
        _ if on(Tunnel::Gre) => (Tunnel::Gre, NextHeader::EtherType(kind)),
        _ => return Err(Discard::TunnelNotIp),
    };
    Ok(Inside { tunnel, id, next })
}

/// VXLAN (RFC 7348); its generic protocol extension says what it carries.
fn vxlan(inner: &mut Frame<'_>, generic: bool) -> Result<Inside, Discard> {
    let [flags, _, _, kind, a, b, c, _] = *inner.take::<8>()?;
    // There is a network identifier.
    if flags & 0x08 == 0 {
        return Err(Discard::TunnelBadHeader);
    }
    let next = match kind {
        1 | 2 if generic => NextHeader::Ip,
        3 if generic => NextHeader::Ethernet,
        4 if generic => NextHeader::Nsh,
        5 if generic => NextHeader::Mpls,
        _ if generic => return Err(Discard::TunnelNotIp),
        _ => NextHeader::Ethernet,
    };
    Ok(Inside {
        tunnel: Tunnel::Vxlan,
        id: u64::from(u32::from_be_bytes([0, a, b, c])),
        next,
    })
}

/// GENEVE (RFC 8926, 3.4).
fn geneve(inner: &mut Frame<'_>) -> Result<Inside, Discard> {
    let [first, _, k0, k1, a, b, c, _] = *inner.take::<8>()?;
    // Version 0 is the only one (RFC 8926, 3.4); another one may have a different layout.
    if first & 0xc0 != 0 {
        return Err(Discard::TunnelBadHeader);
    }
    // Options are skipped by their length: none of them changes what is carried.
    inner.skip(4 * usize::from(first & 0x3f))?;
    Ok(Inside {
        tunnel: Tunnel::Geneve,
        id: u64::from(u32::from_be_bytes([0, a, b, c])),
        next: NextHeader::EtherType(u16::from_be_bytes([k0, k1])),
    })
}

/// GTP-U (3GPP TS 29.281, 5.1): G-PDUs; everything else is signalling.
fn gtp(inner: &mut Frame<'_>) -> Result<Inside, Discard> {
    let [flags, kind, l0, l1, id @ ..] = *inner.take::<8>()?;
    // Version 1, GTP and not GTP'.
    // Echo requests and error indications carry no packet.
    if flags & 0xf0 != 0x30 || kind != 0xff {
        return Err(Discard::TunnelBadHeader);
    }
    inner.limit(usize::from(u16::from_be_bytes([l0, l1])));
    // If any of the three flags is set, all of the four octets are there (TS 29.281, 5.1).
    if flags & 0x07 != 0 {
        // A length of zero takes nothing, and then there is no last octet: the loop ends.
        let [_, _, _, mut extension] = *inner.take::<4>()?;
        while extension != 0 {
            // Its length in words of four octets, and at its end the kind of the next one.
            let words = usize::from(inner.ip.first().copied().unwrap_or(0));
            let header = inner.skip(4 * words)?;
            extension = *header.last().ok_or(Discard::TunnelBadHeader)?;
        }
    }
    Ok(Inside {
        tunnel: Tunnel::Gtp,
        id: u64::from(u32::from_be_bytes(id)),
        next: NextHeader::Ip,
    })
}

/// L2TP over UDP: version 2 (RFC 2661, 3.1) or 3 (RFC 3931, 4.1.2); control messages are none of ours.
fn l2tp_udp(inner: &mut Frame<'_>) -> Result<Inside, Discard> {
    let before = inner.ip.len();
    let flags = inner.take_u16()?;
    // Control messages set up the session and carry no packet.
    if flags & 0x8000 != 0 {
        return Err(Discard::TunnelBadHeader);
    }
    match flags & 0x0f {
        2 => {
            // Only with the L bit is there a length; without it the message fills the datagram.
            if flags & 0x4000 != 0 {
                let len = usize::from(inner.take_u16()?);
                let read = before - inner.ip.len();
                inner.limit(len.checked_sub(read).ok_or(Discard::TunnelBadHeader)?);
            }
            let id = *inner.take::<4>()?;
            // Sequence numbers Ns and Nr.
            if flags & 0x0800 != 0 {
                inner.skip(4)?;
            }
            // The offset size counts from behind its own field.
            if flags & 0x0200 != 0 {
                let offset = usize::from(inner.take_u16()?);
                inner.skip(offset)?;
            }
            Ok(Inside {
                tunnel: Tunnel::L2tp,
                id: u64::from(u32::from_be_bytes(id)),
                next: NextHeader::Ppp,
            })
        }
        3 => {
            inner.skip(2)?;
            l2tp_v3(inner)
        }
        _ => Err(Discard::TunnelBadHeader),
    }
}

/// L2TP version 3 behind its session's beginning (RFC 3931, 4.1). How long cookie and sublayer are, and what follows,
/// only the two ends know; the first guess that leads to an IP packet is taken.
fn l2tp_v3(inner: &mut Frame<'_>) -> Result<Inside, Discard> {
    let id = u32::from_be_bytes(*inner.take::<4>()?);
    if id == 0 {
        // Control messages.
        return Err(Discard::TunnelNotIp);
    }
    // Cookies have 0, 4 or 8 octets (RFC 3931, 4.1), the default sublayer four.
    for skip in [0, 4, 8, 12] {
        // Ethernet first: its check, an EtherType of IP, is the hardest to pass by chance. PPP and
        // HDLC take two octets.
        for next in [NextHeader::Ethernet, NextHeader::Ppp, NextHeader::Hdlc] {
            // A guess that fails must leave nothing consumed.
            let mut guess = *inner;
            let leads = guess.skip(skip).is_ok()
                && crate::link::walk(&mut guess, next).is_ok()
                && guess.is_ip_packet();
            if leads {
                inner.skip(skip)?;
                return Ok(Inside {
                    tunnel: Tunnel::L2tp,
                    id: u64::from(id),
                    next,
                });
            }
        }
    }
    Err(Discard::TunnelNotIp)
}

/// Teredo (RFC 4380, 5.1.1): perhaps authentication and origin, then IPv6. Peers talk to each other on any port; there
/// one of the addresses must be Teredo's, and the length exact.
fn teredo(inner: &mut Frame<'_>, on_port: bool) -> Result<Inside, Discard> {
    // These headers are only read on the port: elsewhere two zero octets begin many a protocol.
    if on_port && inner.ip.starts_with(&[0, 1]) {
        let [_, _, id, auth] = *inner.take::<4>()?;
        inner.skip(usize::from(id) + usize::from(auth) + 9)?;
    }
    // The origin indication: port and address of the client, 8 octets with its marker.
    if on_port && inner.ip.starts_with(&[0, 0]) {
        inner.skip(8)?;
    }
    let header = inner
        .ip
        .first_chunk::<40>()
        .ok_or(Discard::TunnelBadHeader)?;
    let prefix = [0x20, 0x01, 0, 0];
    let ours = header[8..12] == prefix || header[24..28] == prefix;
    let len = usize::from(u16::from_be_bytes([header[4], header[5]])) + header.len();
    // A trailer may follow the packet (RFC 6081, 4).
    let exact = len == inner.ip.len() + inner.missing;
    // Off the port an exact length and an address of the prefix must meet: by chance no other
    // datagram passes both.
    if header[0] >> 4 != 6 || !(exact && ours || on_port && inner.is_ip_packet()) {
        return Err(Discard::TunnelBadHeader);
    }
    Ok(Inside {
        tunnel: Tunnel::Teredo,
        id: 0,
        next: NextHeader::Ip,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::context::Context;
    use crate::base::limits::Tunnels;
    use crate::base::place::{Fragment, OctetOffset};
    use crate::ip::Ip;

    fn hex(s: &str) -> Vec<u8> {
        let digits: Vec<u8> = s
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|d| u8::try_from(d).unwrap())
            .collect();
        digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
    }

    /// An IPv4 packet from `from` to the one after it.
    fn v4(protocol: u8, from: u8, payload: &[u8]) -> Vec<u8> {
        let mut p = vec![0x45, 0];
        p.extend(u16::try_from(20 + payload.len()).unwrap().to_be_bytes());
        p.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
        p.extend([10, 0, 0, from, 10, 0, 0, from + 1]);
        p.extend(payload);
        p
    }

    fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut p = vec![0x60, 0, 0, 0];
        p.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        p.extend([next, 64]);
        p.extend([0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        p.extend([0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        p.extend(payload);
        p
    }

    fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
        let mut p = src.to_be_bytes().to_vec();
        p.extend(dst.to_be_bytes());
        p.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
        p.extend([0, 0]);
        p.extend(payload);
        p
    }

    fn run(limits: Limits, ip: &[u8], missing: usize) -> (Vec<(u8, Vec<u8>, Channel)>, Context) {
        let mut cx = Context::new(limits);
        let seen = run_in(&mut Ip::new(), &mut cx, ip, missing);
        (seen, cx)
    }

    /// The same in a stage that has seen other tunnels.
    fn run_in(
        stage: &mut Ip,
        cx: &mut Context,
        ip: &[u8],
        missing: usize,
    ) -> Vec<(u8, Vec<u8>, Channel)> {
        let frame = Frame {
            header: LinkHeader::default(),
            channel: Channel::default(),
            ip,
            offset: OctetOffset::Unknown,
            missing,
            pseudo: None,
            checksum_known_good: false,
            doubtful: false,
            aggregate: false,
        };
        let mut seen = Vec::new();
        let mut out = |_: &mut Context, d: &Datagram<'_>, _: &[Fragment]| {
            seen.push((d.protocol, d.payload.to_vec(), d.channel));
        };
        stage.each(cx, &frame, &mut out);
        let c = &cx.counters;
        assert_eq!(c.tunnel.packets, c.tunnel.passed + c.dropped_in("tunnel"));
        assert_eq!(
            c.ipv4.packets,
            c.ipv4.passed + c.dropped_in("ipv4"),
            "{ip:x?}"
        );
        seen
    }

    fn with(tunnels: Tunnels) -> Limits {
        Limits {
            decapsulate: tunnels,
            ..Limits::default()
        }
    }

    /// Every kind: its name, and the packet that carries `inner` (IPv4, or IPv6 where it can hold nothing else).
    fn wrapped() -> Vec<(Tunnel, Vec<u8>)> {
        let inner = v4(17, 1, &udp(1000, 2000, b"message"));
        let inner6 = v6(17, &udp(1000, 2000, b"message"));
        let ether = "020000000001 020000000002 0800";
        let tagged = "020000000001 020000000002 8100 0007 0800";
        let over = |protocol, header: &str| v4(protocol, 3, &[hex(header), inner.clone()].concat());
        let over_udp = |src, dst, header: &str| {
            v4(
                17,
                3,
                &udp(src, dst, &[hex(header), inner.clone()].concat()),
            )
        };
        let gtp_len = format!("{:04x}", inner.len());
        let gtp_longer = format!("{:04x}", inner.len() + 8);
        let l2tp_len = format!("{:04x}", inner.len() + 12);
        vec![
            (Tunnel::Ipip, over(4, "")),
            (Tunnel::Ipip, v6(4, &inner)),
            (Tunnel::Ipip, v4(41, 3, &inner6)),
            (Tunnel::Ipip, v6(41, &inner6)),
            (Tunnel::Gre, over(47, "0000 0800")),
            (
                Tunnel::Gre,
                over(47, "b000 0800 0000 0000 00000007 00000001"),
            ),
            (
                Tunnel::Gre,
                over(47, "4000 0800 0000 0000 0002 0004 0a000001 0000 0000"),
            ),
            (
                Tunnel::Gre,
                over(47, &format!("2000 6558 00000007 {ether}")),
            ),
            (Tunnel::Gre, over(47, "0000 8847 00001140")),
            (
                Tunnel::Gre,
                over(
                    47,
                    &format!("3001 880b {:04x} 0001 00000001 0021", inner.len() + 2),
                ),
            ),
            (Tunnel::Erspan, over(47, &format!("0000 88be {ether}"))),
            (
                Tunnel::Erspan,
                over(
                    47,
                    &format!("1000 88be 00000001 1007 0005 00000000 {tagged}"),
                ),
            ),
            (
                Tunnel::Erspan,
                over(
                    47,
                    &format!("1000 22eb 00000001 2007 0005 00000000 00000000 {ether}"),
                ),
            ),
            (
                Tunnel::Erspan,
                over(
                    47,
                    &format!(
                        "1000 22eb 00000001 2007 0005 00000000 00000001 0000000000000000 {ether}"
                    ),
                ),
            ),
            (
                Tunnel::Vxlan,
                over_udp(50000, 4789, &format!("08000000 00000700 {ether}")),
            ),
            (Tunnel::Vxlan, over_udp(50000, 4790, "0c000001 00000700")),
            (
                Tunnel::Geneve,
                over_udp(50000, 6081, &format!("0000 6558 00000700 {tagged}")),
            ),
            (
                Tunnel::Geneve,
                over_udp(50000, 6081, "0200 0800 00000700 0000000000000000"),
            ),
            (
                Tunnel::Gtp,
                over_udp(2152, 2152, &format!("30ff {gtp_len} 00000007")),
            ),
            (
                Tunnel::Gtp,
                over_udp(
                    2152,
                    2152,
                    &format!("34ff {gtp_longer} 00000007 0000 0085 01100500"),
                ),
            ),
            (Tunnel::Teredo, v4(17, 3, &udp(3544, 4000, &inner6))),
            (Tunnel::Teredo, v4(17, 3, &udp(5000, 4000, &inner6))),
            (
                Tunnel::Teredo,
                v4(
                    17,
                    3,
                    &udp(
                        4000,
                        3544,
                        &[
                            hex("0001 0000 0000000000000000 00 0000 ffff ffffffff"),
                            inner6.clone(),
                        ]
                        .concat(),
                    ),
                ),
            ),
            (
                Tunnel::L2tp,
                over_udp(1701, 1701, &format!("4002 {l2tp_len} 0001 0002 ff03 0021")),
            ),
            (
                Tunnel::L2tp,
                over_udp(1701, 1701, "0a02 0001 0002 0000 0000 0002 0000 0021"),
            ),
            (
                Tunnel::L2tp,
                over_udp(1701, 1701, &format!("0003 0000 00000007 {ether}")),
            ),
            (
                Tunnel::L2tp,
                over(115, &format!("00000007 1122334455667788 {ether}")),
            ),
        ]
    }

    #[test]
    fn every_tunnel_opens() {
        let want = udp(1000, 2000, b"message");
        for (tunnel, packet) in wrapped() {
            for tunnels in [Tunnels::parse(tunnel.name()).unwrap(), Tunnels::ALL] {
                let (seen, cx) = run(with(tunnels), &packet, 0);
                assert_eq!(seen.len(), 1, "{tunnel:?} {packet:x?}");
                assert_eq!(
                    (seen[0].0, &seen[0].1),
                    (17, &want),
                    "{tunnel:?} {packet:x?}"
                );
                assert_ne!(seen[0].2.tunnel, 0);
                assert_eq!(cx.counters.tunnel.passed, 1);
            }
            // Not asked for: a datagram of its own, or none of a known transport.
            let (seen, cx) = run(with(Tunnels::NONE), &packet, 0);
            assert!(seen.iter().all(|s| s.2.tunnel == 0 && s.1 != want));
            assert_eq!(cx.counters.tunnel.packets, 0);
            // Cut anywhere.
            for n in 0..packet.len() {
                run(
                    with(Tunnels::ALL),
                    packet.get(..n).unwrap(),
                    packet.len() - n,
                );
                run(with(Tunnels::ALL), packet.get(..n).unwrap(), 0);
            }
        }
    }

    #[test]
    fn nested_up_to_eight() {
        for (layers, out) in [(1, 1), (8, 1), (9, 0)] {
            let mut packet = v4(17, 1, &udp(1000, 2000, b"message"));
            for _ in 0..layers {
                packet = v4(4, 3, &packet);
            }
            let (seen, cx) = run(with(Tunnels::ALL), &packet, 0);
            assert_eq!(seen.len(), out, "{layers}");
            assert_eq!(cx.counters.dropped(Discard::TunnelTooDeep), 1 - out as u64);
        }
    }

    #[test]
    fn identifiers_tell_channels_apart() {
        let inner = v4(17, 1, &udp(1000, 2000, b"message"));
        let gre = |key: u32, from| {
            let packet = [hex("2000 0800"), key.to_be_bytes().to_vec(), inner.clone()].concat();
            v4(47, from, &packet)
        };
        let gtp = |teid: u32, from| {
            let header = [
                hex(&format!("30ff {:04x}", inner.len())),
                teid.to_be_bytes().to_vec(),
            ];
            let packet = udp(2152, 2152, &[header.concat(), inner.clone()].concat());
            v4(17, from, &packet)
        };
        let (mut stage, mut cx) = (Ip::new(), Context::new(with(Tunnels::ALL)));
        let mut channel = |packet: Vec<u8>| run_in(&mut stage, &mut cx, &packet, 0)[0].2.tunnel;
        assert_ne!(channel(gre(1, 3)), channel(gre(2, 3)));
        assert_eq!(channel(gre(1, 3)), channel(gre(1, 5)));
        // GTP's identifiers are those of one receiver.
        assert_ne!(channel(gtp(1, 3)), channel(gtp(2, 3)));
        assert_ne!(channel(gtp(1, 3)), channel(gtp(1, 5)));
    }

    #[test]
    fn tunnels_are_known_by_what_they_are() {
        let tunnel = |id| TunnelIdentity {
            kind: Tunnel::Vxlan as u8,
            id,
            ends: None,
            outer: 0,
            vlans: [0; 2],
        };
        let (mut known, mut cx) = (KnownTunnels::default(), Context::new(Limits::default()));
        // More than any digest of 32 bits keeps apart, and no two of them are one.
        let mut numbers: Vec<u32> = (0..200_000).map(|id| known.number(tunnel(id))).collect();
        numbers.dedup();
        assert_eq!(numbers, (1..=200_000).collect::<Vec<u32>>());
        assert_eq!(known.number(tunnel(199_999)), 200_000);
        known.charge(&mut cx);
        assert!(cx.budget.used() > 0 && cx.budget.used() < 8 << 20);
        while known.evict_oldest(&mut cx) {}
        known.clear();
        known.charge(&mut cx);
        assert_eq!(cx.budget.used(), 0);
    }

    #[test]
    fn what_does_not_open() {
        // Over UDP it is a message, elsewhere it is dropped.
        for (packet, out, why) in [
            (
                v4(17, 3, &udp(2152, 2152, &hex("3001 0000 00000000"))),
                1,
                None,
            ),
            (
                v4(17, 3, &udp(50000, 4789, &hex("00000000 00000700"))),
                1,
                None,
            ),
            (
                v4(47, 3, &hex("0007 0800 45")),
                0,
                Some(Discard::TunnelBadHeader),
            ),
            (
                v4(47, 3, &hex("0000 0806 45")),
                0,
                Some(Discard::TunnelNotIp),
            ),
            (v4(4, 3, &hex("00")), 0, Some(Discard::TunnelNotIp)),
            (v4(115, 3, &hex("00000000")), 0, Some(Discard::TunnelNotIp)),
        ] {
            let (seen, cx) = run(with(Tunnels::ALL), &packet, 0);
            assert_eq!(seen.len(), out, "{packet:x?}");
            if let Some(why) = why {
                assert_eq!(cx.counters.dropped(why), 1, "{packet:x?}");
            }
        }
    }

    #[test]
    fn fragments_inside_and_outside() {
        // Inside of fragments, a tunnel, and in it a fragment, whose other half comes plain through the same tunnel.
        let message = udp(1000, 2000, b"0123456789abcdef");
        let half = |from: usize, to: usize, more: u8| {
            let mut p = v4(17, 1, &message[from..to]);
            p[6] = more << 5;
            p[7] = u8::try_from(from / 8).unwrap();
            p
        };
        let outer = v4(4, 3, &half(0, 16, 1));
        let mut first = v4(4, 3, &outer[20..36]);
        first[6] = 0x20;
        let mut last = v4(4, 3, &outer[36..]);
        last[7] = 2;
        let mut cx = Context::new(with(Tunnels::ALL));
        let mut ip = Ip::new();
        let mut seen = Vec::new();
        for p in [last, first, v4(4, 3, &half(16, 24, 0))] {
            let frame = Frame {
                header: LinkHeader::default(),
                channel: Channel::default(),
                ip: &p,
                offset: OctetOffset::Unknown,
                missing: 0,
                pseudo: None,
                checksum_known_good: false,
                doubtful: false,
                aggregate: false,
            };
            ip.each(
                &mut cx,
                &frame,
                &mut |_: &mut Context, d: &Datagram<'_>, f: &[Fragment]| {
                    seen.push((d.payload.to_vec(), f.len()));
                },
            );
        }
        assert_eq!(seen, [(message.clone(), 2)]);
        assert_eq!(ip.held(), Default::default());
    }
}
