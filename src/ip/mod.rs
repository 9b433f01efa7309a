//! IPv4 and IPv6: from packets to whole datagrams.

pub mod checksum;
mod header;

use crate::context::Context;
use crate::link::{Channel, Frame};
use crate::stats::Discard;
use crate::time::Timestamp;
use header::{Headers, Refused};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Protocol numbers (IANA) that are known here.
pub mod protocol {
    /// TCP, RFC 9293.
    pub const TCP: u8 = 6;
    /// UDP, RFC 768.
    pub const UDP: u8 = 17;
    /// SCTP, RFC 9260.
    pub const SCTP: u8 = 132;

    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const AH: u8 = 51;
    pub(super) const DESTINATION_OPTIONS: u8 = 60;
}

/// A whole IP datagram: nothing of it is missing but what the snapshot length cut off.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol of `payload`, extension headers passed over.
    pub protocol: u8,
    /// The captured octets behind the IP headers; padding is left out.
    pub payload: &'a [u8],
    /// Octets that the payload has by the IP header; more than `payload.len()` where the packet was cut.
    pub payload_len: usize,
    /// IPv4 identification, or that of the fragment header; 0 where there is none.
    pub identification: u32,
    /// Where it was captured.
    pub channel: Channel,
    /// The capture says that the transport checksum is right, or that the hardware fills it in (`epb_flags`).
    pub checksum_known_good: bool,
}

impl Datagram<'_> {
    /// The snapshot length cut off its end.
    pub const fn is_cut(&self) -> bool {
        self.payload.len() < self.payload_len
    }
}

/// One packet that a datagram was made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fragment {
    /// Number of its packet record in the whole input.
    pub frame: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Offset of its payload in the datagram's, in octets.
    pub offset: u32,
    /// Octets of its payload.
    pub len: u32,
}

/// The IP stage: takes frames, gives whole datagrams. Plain data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ip {}

impl Ip {
    /// A stage that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one IP packet and hands on every whole datagram of a known transport that it completes, with the
    /// fragments that it was made of (none where it came in one packet).
    ///
    /// What is not handed on is held or counted as a [`Discard`].
    pub fn each<F>(&mut self, cx: &mut Context, frame: &Frame<'_>, out: &mut F)
    where
        F: FnMut(&mut Context, &Datagram<'_>, &[Fragment]),
    {
        if let Some(pseudo) = frame.pseudo {
            let datagram = Datagram {
                src: pseudo.src,
                dst: pseudo.dst,
                protocol: pseudo.protocol,
                payload: frame.ip,
                payload_len: frame.ip.len() + frame.missing,
                identification: 0,
                channel: frame.channel,
                checksum_known_good: frame.checksum_known_good,
            };
            out(cx, &datagram, &[]);
            return;
        }
        match frame.ip.first().map(|b| b >> 4) {
            Some(6) => self.v6(cx, frame, out),
            _ => self.v4(cx, frame, out),
        }
    }

    fn v4<F>(&mut self, cx: &mut Context, frame: &Frame<'_>, out: &mut F)
    where
        F: FnMut(&mut Context, &Datagram<'_>, &[Fragment]),
    {
        cx.counters.ipv4.packets += 1;
        let headers = match header::v4(frame.ip, frame.missing, cx.limits.ip_checksums) {
            Ok(headers) => headers,
            Err(why) => {
                if why == Refused::BadChecksum {
                    cx.counters.ipv4.bad_checksum += 1;
                }
                return cx.discard(match why {
                    Refused::Truncated => Discard::Ipv4Truncated,
                    Refused::BadHeader => Discard::Ipv4BadHeader,
                    Refused::BadChecksum => Discard::Ipv4BadChecksum,
                });
            }
        };
        cx.counters.ipv4.bad_checksum += u64::from(headers.bad_checksum);
        if headers.fragment.is_some() {
            cx.counters.ipv4.fragments += 1;
            return cx.discard(Discard::Ipv4Fragment);
        }
        if !is_transport(headers.protocol) {
            return cx.discard(Discard::Ipv4NotTransport);
        }
        cx.counters.ipv4.passed += 1;
        out(cx, &whole(&headers, frame), &[]);
    }

    fn v6<F>(&mut self, cx: &mut Context, frame: &Frame<'_>, out: &mut F)
    where
        F: FnMut(&mut Context, &Datagram<'_>, &[Fragment]),
    {
        cx.counters.ipv6.packets += 1;
        let headers = match header::v6(frame.ip, frame.missing) {
            Ok(headers) => headers,
            Err(why) => {
                return cx.discard(match why {
                    Refused::Truncated => Discard::Ipv6Truncated,
                    Refused::BadHeader | Refused::BadChecksum => Discard::Ipv6BadHeader,
                });
            }
        };
        if let Some(fragment) = headers.fragment {
            cx.counters.ipv6.fragments += 1;
            if !fragment.is_whole() {
                return cx.discard(Discard::Ipv6Fragment);
            }
            cx.counters.ipv6.atomic_fragments += 1;
        }
        if !is_transport(headers.protocol) {
            return cx.discard(Discard::Ipv6NotTransport);
        }
        cx.counters.ipv6.passed += 1;
        out(cx, &whole(&headers, frame), &[]);
    }
}

const fn is_transport(protocol: u8) -> bool {
    matches!(protocol, protocol::TCP | protocol::UDP | protocol::SCTP)
}

/// A datagram that came in one packet.
fn whole<'a>(headers: &Headers<'a>, frame: &Frame<'a>) -> Datagram<'a> {
    Datagram {
        src: headers.src,
        dst: headers.dst,
        protocol: headers.protocol,
        payload: headers.payload,
        payload_len: headers.payload_len,
        identification: headers.identification,
        channel: frame.channel,
        checksum_known_good: frame.checksum_known_good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Checksums, Limits};
    use crate::link;

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
            header: link::LinkHeader::default(),
            channel: Channel::default(),
            ip,
            missing,
            pseudo: None,
            checksum_known_good: false,
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
