//! IPv4 and IPv6: from packets to whole datagrams.

mod datagram;
mod defrag;
mod esp;
mod header;
mod plain;
mod tunnel;

pub use datagram::Datagram;
pub use defrag::HeldFragments;
pub(crate) use plain::PlainPacket;

use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::limits::Limits;
use crate::base::packet::Channel;
use crate::base::place::{Fragment, OctetOffset};
use crate::base::state::{Deserialize, Serialize};
use crate::link::Frame;
use defrag::{ArrivedFragment, DatagramKey, Defrag, Whole};
use etherparse::IpNumber;
use header::{FragmentHeader, IpHeaders, Refused};
use std::net::IpAddr;
use std::ops::Range;
use tunnel::{KnownTunnels, Opening};

/// The IP stage: takes frames, gives whole datagrams. Plain data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ip {
    defrag: Defrag,
    tunnels: KnownTunnels,
}

/// What a packet comes to.
enum Completed<'a> {
    /// A datagram in one packet.
    Whole(Datagram<'a>),
    /// The last fragment of a datagram.
    Reassembled(Box<Reassembled>),
}

/// A datagram that owns its octets.
struct Reassembled {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    identification: u32,
    channel: Channel,
    octets: Vec<u8>,
    /// Where the payload lies in `octets`.
    payload: Range<usize>,
    payload_len: usize,
    fragments: Vec<Fragment>,
    doubtful: bool,
}

impl Completed<'_> {
    fn datagram(&self) -> Datagram<'_> {
        match self {
            Completed::Whole(datagram) => *datagram,
            Completed::Reassembled(r) => Datagram {
                src: r.src,
                dst: r.dst,
                protocol: r.protocol,
                payload: r.octets.get(r.payload.clone()).unwrap_or(&[]),
                offset: OctetOffset::Reassembled(0).after(r.payload.start),
                payload_len: r.payload_len,
                identification: r.identification,
                channel: r.channel,
                checksum_known_good: false,
                doubtful: r.doubtful,
            },
        }
    }

    fn fragments(&self) -> &[Fragment] {
        match self {
            Completed::Whole(_) => &[],
            Completed::Reassembled(r) => &r.fragments,
        }
    }
}

impl Ip {
    /// A stage that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one IP packet and hands on every whole datagram of a known transport that it completes, with the
    /// fragments that it was made of (none where it came in one packet). Tunnels of `--decapsulate` are opened.
    ///
    /// What is not passed on is held, or counted as a [`Discard`].
    pub fn each<F>(&mut self, cx: &mut Context, frame: &Frame<'_>, out: &mut F)
    where
        F: FnMut(&mut Context, &Datagram<'_>, &[Fragment]),
    {
        match plain(cx, frame) {
            Some(datagram) => out(cx, &datagram, &[]),
            None => self.each_at(cx, frame, out, 0),
        }
    }

    fn each_at<F>(&mut self, cx: &mut Context, frame: &Frame<'_>, out: &mut F, depth: usize)
    where
        F: FnMut(&mut Context, &Datagram<'_>, &[Fragment]),
    {
        // Recursive, bounded by the depth of tunnels: a fragment inside of a tunnel goes through
        // the same defragmentation under the tunnel's channel.
        if let Some(outcome) = self.receive(cx, frame) {
            self.hand_on(cx, outcome, out, depth);
        }
    }

    /// Hands on the datagrams for which the wait for better fragments was given up, by [`expire`](Self::expire),
    /// [`evict_oldest`](Self::evict_oldest), [`flush`](Self::flush) or a packet. To be called behind each of them.
    pub fn each_late<F>(&mut self, cx: &mut Context, out: &mut F)
    where
        F: FnMut(&mut Context, &Datagram<'_>, &[Fragment]),
    {
        let at_hand = cx.packet;
        while let Some(late) = self.defrag.next_late() {
            cx.packet = late.packet;
            let headers = IpHeaders::of_whole(late.key.src, late.key.dst, late.key.identification);
            if let Some(completed) = reassembled(cx, &headers, late.whole) {
                self.hand_on(cx, completed, out, 0);
            }
        }
        cx.packet = at_hand;
    }

    fn hand_on<F>(&mut self, cx: &mut Context, outcome: Completed<'_>, out: &mut F, depth: usize)
    where
        F: FnMut(&mut Context, &Datagram<'_>, &[Fragment]),
    {
        let datagram = outcome.datagram();
        // Behind defragmentation: an outer packet of full size is fragmented by every tunnel that
        // forgets its own header.
        if !cx.limits.decapsulate.is_empty() {
            match tunnel::open(&cx.limits, &mut self.tunnels, &datagram) {
                Opening::Nothing => {}
                // Only a packet that could be opened is too deep; the eighth layer itself is a
                // datagram like any other.
                Opening::Packet(_) if depth == tunnel::MAX_DEPTH => {
                    cx.counters.tunnel.packets += 1;
                    return cx.discard(Discard::TunnelTooDeep);
                }
                Opening::Packet(inner) => {
                    self.tunnels.charge(cx);
                    cx.counters.tunnel.packets += 1;
                    cx.counters.tunnel.passed += 1;
                    return self.each_at(cx, &inner, out, depth + 1);
                }
                Opening::Refused(why) => {
                    cx.counters.tunnel.packets += 1;
                    return cx.discard(why);
                }
            }
        }
        cx.packet.tunnel = datagram.channel.tunnel;
        out(cx, &datagram, outcome.fragments());
        if let Completed::Reassembled(done) = outcome {
            self.defrag.recycle(done.octets, done.fragments);
        }
    }

    /// Drops the fragments that have waited for `--ip-packet-timeout`. To be called behind each packet.
    pub fn expire(&mut self, cx: &mut Context) {
        self.defrag.expire(cx);
    }

    /// Fragments wait, so that some may have waited too long.
    #[inline(always)] // asked behind every packet
    pub(crate) fn holds_fragments(&self) -> bool {
        !self.defrag.is_empty()
    }

    /// Drops the datagram whose fragments wait longest, to make room; false where none wait.
    pub fn evict_oldest(&mut self, cx: &mut Context) -> bool {
        self.defrag.evict_oldest(cx) || self.tunnels.evict_oldest(cx)
    }

    /// Drops all that waits: the input has ended.
    pub fn flush(&mut self, cx: &mut Context) {
        self.defrag.flush(cx);
        self.tunnels.clear();
        self.tunnels.charge(cx);
    }

    /// Fragments that wait, and what is kept to know late copies of them.
    pub const fn active(&self) -> usize {
        self.defrag.active()
    }

    /// Fragments that wait for others. Packets taken in are those passed, reassembled, dropped and held.
    pub const fn held(&self) -> HeldFragments {
        self.defrag.held()
    }

    fn receive<'a>(&mut self, cx: &mut Context, frame: &Frame<'a>) -> Option<Completed<'a>> {
        // Another program has done this stage already; there are no headers left to check.
        if let Some(pseudo) = frame.pseudo {
            return Some(Completed::Whole(Datagram {
                src: pseudo.src,
                dst: pseudo.dst,
                protocol: pseudo.protocol,
                payload: frame.ip,
                offset: frame.offset,
                payload_len: frame.ip.len() + frame.missing,
                identification: 0,
                channel: frame.channel,
                checksum_known_good: frame.checksum_known_good,
                doubtful: frame.doubtful,
            }));
        }
        match frame.ip.first().map(|b| b >> 4) {
            Some(6) => self.receive_v6(cx, frame),
            // Neither 4 nor 6 is refused as an IPv4 header, so that it is counted somewhere.
            _ => self.receive_v4(cx, frame),
        }
    }

    fn receive_v4<'a>(&mut self, cx: &mut Context, frame: &Frame<'a>) -> Option<Completed<'a>> {
        cx.counters.ipv4.packets += 1;
        let headers = match header::v4(frame.ip, frame.missing, cx.limits.ip_checksums) {
            Ok(headers) => headers,
            Err(why) => {
                cx.counters.ipv4.octets += (frame.ip.len() + frame.missing) as u64;
                cx.counters.ipv4.bad_checksum += u64::from(why == Refused::BadChecksum);
                cx.discard(why.discard(false));
                return None;
            }
        };
        cx.counters.ipv4.octets += headers.octets as u64;
        cx.counters.ipv4.bad_checksum += u64::from(headers.bad_checksum);
        if let Some(fragment) = headers.fragment {
            cx.counters.ipv4.fragments += 1;
            // Not for AH and ESP: what they carry is known only from the whole.
            // Every fragment says what the datagram carries: what nobody wants need not wait.
            if !is_wanted(&cx.limits, headers.protocol)
                && !matches!(
                    IpNumber(headers.protocol),
                    IpNumber::AUTHENTICATION_HEADER | IpNumber::ENCAPSULATING_SECURITY_PAYLOAD
                )
            {
                let c = &mut cx.counters.ipv4;
                count_closed_tunnel((&mut c.closed_gre, &mut c.closed_ipip), headers.protocol);
                cx.discard(Discard::Ipv4NotTransport);
                return None;
            }
            return self.receive_fragment(cx, frame, &headers, fragment);
        }
        // After the fragment: the protocol of a fragment says what the whole carries.
        if !is_wanted(&cx.limits, headers.protocol) {
            let c = &mut cx.counters.ipv4;
            count_closed_tunnel((&mut c.closed_gre, &mut c.closed_ipip), headers.protocol);
            cx.discard(Discard::Ipv4NotTransport);
            return None;
        }
        cx.counters.ipv4.passed += 1;
        Some(whole(&headers, frame))
    }

    fn receive_v6<'a>(&mut self, cx: &mut Context, frame: &Frame<'a>) -> Option<Completed<'a>> {
        cx.counters.ipv6.packets += 1;
        let headers = match header::v6(frame.ip, frame.missing) {
            Ok(headers) => headers,
            Err(why) => {
                cx.counters.ipv6.octets += (frame.ip.len() + frame.missing) as u64;
                cx.discard(why.discard(true));
                return None;
            }
        };
        cx.counters.ipv6.octets += headers.octets as u64;
        if let Some(fragment) = headers.fragment {
            cx.counters.ipv6.fragments += 1;
            // RFC 6946: a fragment header on a whole datagram does not wait, and never meets others
            // with the same identification.
            if !fragment.is_whole() {
                return self.receive_fragment(cx, frame, &headers, fragment);
            }
            cx.counters.ipv6.atomic_fragments += 1;
        }
        if !is_wanted(&cx.limits, headers.protocol) {
            let c = &mut cx.counters.ipv6;
            count_closed_tunnel((&mut c.closed_gre, &mut c.closed_ipip), headers.protocol);
            cx.discard(Discard::Ipv6NotTransport);
            return None;
        }
        cx.counters.ipv6.passed += 1;
        Some(whole(&headers, frame))
    }

    fn receive_fragment<'a>(
        &mut self,
        cx: &mut Context,
        frame: &Frame<'_>,
        headers: &IpHeaders<'_>,
        fragment: FragmentHeader,
    ) -> Option<Completed<'a>> {
        let v6 = headers.src.is_ipv6();
        let key = DatagramKey {
            src: headers.src,
            dst: headers.dst,
            identification: headers.identification,
            // See `DatagramKey`: the fragments of one IPv6 datagram may differ in it.
            protocol: if v6 { 0 } else { headers.protocol },
            channel: frame.channel,
            doubtful: headers.is_doubtful(frame),
        };
        let (data, len) = octets_of(headers, frame, fragment.more);
        let arrival = ArrivedFragment {
            protocol: headers.protocol,
            offset: fragment.offset,
            more: fragment.more,
            data,
            at: frame.offset.after(headers.payload_offset).in_record(),
            len,
            counted: headers.counted,
        };
        let whole = self.defrag.push(cx, key, &arrival)?;
        reassembled(cx, headers, whole)
    }
}

/// The datagram behind the headers that only the whole shows. `headers` are those of one of its packets.
fn reassembled<'a>(
    cx: &mut Context,
    headers: &IpHeaders<'_>,
    whole: Whole,
) -> Option<Completed<'a>> {
    let v6 = headers.src.is_ipv6();
    let mut joined = IpHeaders {
        protocol: whole.protocol,
        payload: &whole.payload,
        payload_offset: 0,
        payload_len: whole.payload_len,
        ..*headers
    };
    // Of copies on several channels the first one's tags are kept, whichever is complete first.
    cx.packet.link = whole.link;
    let why = match header::chain(&mut joined) {
        Ok(()) if is_wanted(&cx.limits, joined.protocol) => None,
        Ok(()) if v6 => Some(Discard::Ipv6NotTransport),
        Ok(()) => Some(Discard::Ipv4NotTransport),
        Err(why) => Some(why.discard(v6)),
    };
    if let Some(why) = why {
        // Each of its packets is dropped: the one at hand, and those that came before.
        cx.discard(why);
        cx.counters.discard_many(why, whole.own.saturating_sub(1));
        return None;
    }
    if v6 {
        cx.counters.ipv6.reassembled += 1;
        cx.counters.ipv6.reassembled_fragments += whole.own;
    } else {
        cx.counters.ipv4.reassembled += 1;
        cx.counters.ipv4.reassembled_fragments += whole.own;
    }
    // Extension headers stand before the payload, an ESP trailer behind it.
    let start = joined.payload_offset;
    let payload = start..start + joined.payload.len();
    Some(Completed::Reassembled(Box::new(Reassembled {
        src: joined.src,
        dst: joined.dst,
        protocol: joined.protocol,
        identification: joined.identification,
        channel: whole.channel,
        payload,
        payload_len: joined.payload_len,
        octets: whole.payload,
        fragments: whole.fragments,
        doubtful: whole.doubtful,
    })))
}

impl Refused {
    const fn discard(self, v6: bool) -> Discard {
        match (self, v6) {
            (Self::Truncated, false) => Discard::Ipv4Truncated,
            (Self::Truncated, true) => Discard::Ipv6Truncated,
            (Self::BadChecksum, _) => Discard::Ipv4BadChecksum,
            (Self::BadHeader, false) => Discard::Ipv4BadHeader,
            (Self::BadHeader, true) => Discard::Ipv6BadHeader,
            (Self::Encrypted, false) => Discard::Ipv4EspEncrypted,
            (Self::Encrypted, true) => Discard::Ipv6EspEncrypted,
        }
    }
}

/// Counts a packet that is dropped because what it carries is a tunnel which nobody asked to open.
fn count_closed_tunnel((gre, ipip): (&mut u64, &mut u64), protocol: u8) {
    match IpNumber(protocol) {
        IpNumber::GRE => *gre += 1,
        IpNumber::IPV4 | IpNumber::IPV6 => *ipip += 1,
        _ => {}
    }
}

/// What is not dropped for its protocol.
const fn is_wanted(limits: &Limits, protocol: u8) -> bool {
    is_transport(protocol) || tunnel::carries(limits, protocol)
}

/// The datagram of the common packet: IPv4 without options or fragments, of a transport. It takes one look at the header, and is
/// counted. None where [`Ip::each`] has to look closer.
#[inline(always)] // on every packet's way
pub fn plain<'a>(cx: &mut Context, frame: &Frame<'a>) -> Option<Datagram<'a>> {
    if frame.pseudo.is_some() {
        return None;
    }
    let plain = header::plain_v4(frame.ip, cx.limits.ip_checksums)?;
    // UDP is left out where tunnels are opened, as most of them go over it.
    let opened = plain.protocol == IpNumber::UDP.0 && !cx.limits.decapsulate.is_empty();
    if opened || !is_transport(plain.protocol) {
        return None;
    }
    cx.counters.ipv4.packets += 1;
    cx.counters.ipv4.octets += plain.payload_len as u64 + 20;
    cx.counters.ipv4.passed += 1;
    cx.packet.tunnel = frame.channel.tunnel;
    Some(Datagram {
        src: plain.src.into(),
        dst: plain.dst.into(),
        protocol: plain.protocol,
        payload: plain.payload,
        offset: frame.offset.after(20),
        payload_len: plain.payload_len,
        identification: u32::from(plain.identification),
        channel: frame.channel,
        checksum_known_good: frame.checksum_known_good,
        doubtful: plain.payload.len() + frame.missing < plain.payload_len,
    })
}

const fn is_transport(protocol: u8) -> bool {
    matches!(
        IpNumber(protocol),
        IpNumber::TCP | IpNumber::UDP | IpNumber::SCTP
    )
}

/// The octets of a fragment, and how many it has.
fn octets_of<'a>(headers: &IpHeaders<'a>, frame: &Frame<'_>, more: bool) -> (&'a [u8], usize) {
    let captured = headers.payload;
    // What a false length of the last one claims is cut off its end, as from a datagram in one packet.
    if !more || !headers.has_false_len(frame) {
        return (captured, headers.payload_len);
    }
    // Others follow where this one ends: it has what was captured, in units of eight (RFC 791, 3.2).
    let captured = captured.get(..captured.len() & !7).unwrap_or(captured);
    (captured, captured.len())
}

/// A datagram that came in one packet.
fn whole<'a>(headers: &IpHeaders<'a>, frame: &Frame<'a>) -> Completed<'a> {
    Completed::Whole(Datagram {
        src: headers.src,
        dst: headers.dst,
        protocol: headers.protocol,
        payload: headers.payload,
        offset: frame.offset.after(headers.payload_offset),
        payload_len: headers.payload_len,
        identification: headers.identification,
        channel: frame.channel,
        checksum_known_good: frame.checksum_known_good,
        doubtful: headers.is_doubtful(frame),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::checksum;
    use crate::base::limits::Checksums;
    use crate::base::packet::LinkHeader;

    /// An IPv4 packet with a right header checksum.
    fn v4(protocol: u8, id: u16, flags_offset: u16, payload: &[u8]) -> Vec<u8> {
        let mut p = vec![0x45, 0];
        p.extend(u16::try_from(20 + payload.len()).unwrap().to_be_bytes());
        p.extend(id.to_be_bytes());
        p.extend(flags_offset.to_be_bytes());
        p.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        let sum = checksum::Sum::of(&p).finish();
        p[10..12].copy_from_slice(&sum.to_be_bytes());
        p.extend(payload);
        p
    }

    /// An IPv6 packet.
    fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut p = vec![0x60, 0, 0, 0];
        p.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        p.extend([next, 64]);
        for last in [1, 2] {
            p.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        }
        p.extend(payload);
        p
    }

    fn frame(ip: &[u8], missing: usize) -> Frame<'_> {
        Frame {
            header: LinkHeader::default(),
            channel: Channel::default(),
            ip,
            offset: OctetOffset::Record(0),
            missing,
            pseudo: None,
            checksum_known_good: false,
            doubtful: false,
            aggregate: false,
        }
    }

    /// Everything that comes out: protocol, payload and its full length.
    fn run(cx: &mut Context, ip: &[u8], missing: usize) -> Vec<(u8, Vec<u8>, usize)> {
        let mut seen = Vec::new();
        Ip::new().each(
            cx,
            &frame(ip, missing),
            &mut |_: &mut Context, d: &Datagram<'_>, _: &[Fragment]| {
                seen.push((d.protocol, d.payload.to_vec(), d.payload_len));
            },
        );
        seen
    }

    #[test]
    fn payload_ends_where_the_header_says() {
        let mut cx = Context::new(Limits::default());
        let mut p = v4(17, 1, 0, b"abcd");
        p.extend(b"padding");
        assert_eq!(run(&mut cx, &p, 0), [(17, b"abcd".to_vec(), 4)]);
        let mut p = v6(6, b"abcd");
        p.extend(b"padding");
        assert_eq!(run(&mut cx, &p, 0), [(6, b"abcd".to_vec(), 4)]);
        // Cut by the snapshot length.
        let p = v4(17, 1, 0, b"abcdefgh");
        assert_eq!(run(&mut cx, &p[..22], 6), [(17, b"ab".to_vec(), 8)]);
        // Total length 0.
        let mut p = v4(6, 1, 0, b"abcd");
        p[2..4].fill(0);
        assert_eq!(run(&mut cx, &p, 3), [(6, b"abcd".to_vec(), 7)]);
        assert_eq!(cx.counters.ipv4.passed, 3);
        assert_eq!(cx.counters.ipv6.passed, 1);
    }

    #[test]
    fn header_checksums() {
        for (sums, sum, out, counted) in [
            (Checksums::Auto, [1, 2], 1, 1),
            (Checksums::Auto, [0, 0], 1, 0),
            (Checksums::Verify, [1, 2], 0, 1),
            (Checksums::Verify, [0, 0], 0, 1),
            (Checksums::Ignore, [1, 2], 1, 0),
        ] {
            let mut cx = Context::new(Limits {
                ip_checksums: sums,
                ..Limits::default()
            });
            let mut p = v4(17, 1, 0, b"abcd");
            p[10..12].copy_from_slice(&sum);
            assert_eq!(run(&mut cx, &p, 0).len(), out, "{sums:?} {sum:?}");
            assert_eq!(cx.counters.ipv4.bad_checksum, counted, "{sums:?} {sum:?}");
        }
    }

    #[test]
    fn extension_headers_are_passed_over() {
        let mut cx = Context::new(Limits::default());
        for (next, extensions) in [
            (0, [0x11, 0, 1, 4, 0, 0, 0, 0].as_slice()),
            (60, &[0x11, 0, 1, 4, 0, 0, 0, 0]),
            (43, &[0x11, 0, 3, 0, 0, 0, 0, 0]),
            (44, &[0x11, 0, 0, 0, 0, 0, 0, 9]),
            (51, &[0x11, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
            (0, &[60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]),
        ] {
            let p = v6(next, &[extensions, b"abcd"].concat());
            assert_eq!(run(&mut cx, &p, 0), [(17, b"abcd".to_vec(), 4)], "{next}");
            for n in 1..p.len() - 4 {
                assert!(run(&mut cx, &p[..n], p.len() - n).is_empty(), "{next} {n}");
            }
        }
        let p = v4(
            51,
            1,
            0,
            &[&[6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], b"abcd".as_slice()].concat(),
        );
        assert_eq!(run(&mut cx, &p, 0), [(6, b"abcd".to_vec(), 4)]);
    }

    #[test]
    fn jumbo_payload() {
        let mut cx = Context::new(Limits::default());
        let mut p = v6(
            0,
            &[[17, 0, 0xc2, 4, 0, 0, 0, 12].as_slice(), b"abcd"].concat(),
        );
        p[4..6].fill(0);
        p.extend(b"padding");
        assert_eq!(run(&mut cx, &p, 0), [(17, b"abcd".to_vec(), 4)]);
    }
}
