//! The headers of a packet that carries a message: link, IP, TCP or UDP, with right lengths and checksums.
//!
//! Nothing here knows streams or files: a [`Wire`] says how packets look in one output, and each function lays the
//! headers of one packet into an array on the stack. The payload is only summed.

use crate::link::LinkHeader;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Room for the longest headers: Ethernet with two tags, IPv6, TCP.
pub(crate) const MAX_HEADERS: usize = 14 + 8 + 40 + 20;
/// The most octets that an IP packet's length field tells.
const MAX_IP: usize = 65_535;

/// FIN of the TCP flags (RFC 9293, 3.1).
pub(crate) const FIN: u8 = 0x01;
/// SYN.
pub(crate) const SYN: u8 = 0x02;
/// RST.
pub(crate) const RST: u8 = 0x04;
/// PSH.
pub(crate) const PSH: u8 = 0x08;
/// ACK.
const ACK: u8 = 0x10;

/// The Internet checksum (RFC 1071), made up of parts; the order of octets is the machine's until it is finished.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Sum {
    sum: u64,
    odd: bool,
}

impl Sum {
    /// With more octets, which need not be an even number.
    #[must_use]
    pub(crate) fn add(self, data: &[u8]) -> Self {
        let part = fold(raw(data));
        let part = if self.odd { part.swap_bytes() } else { part };
        Self {
            sum: self.sum + u64::from(part),
            odd: self.odd != (data.len() % 2 == 1),
        }
    }

    /// With one number of 16 bits; only where an even number of octets was added before.
    #[must_use]
    fn word(self, word: u16) -> Self {
        Self {
            sum: self.sum + u64::from(word.to_be()),
            odd: self.odd,
        }
    }

    /// The sum as it stands in a header.
    pub(crate) fn finish(self) -> [u8; 2] {
        (!fold(self.sum)).to_ne_bytes()
    }
}

/// Octets that are summed in one round: a few vector registers full.
const ROUND: usize = 64;

/// The sum of 32-bit words in the machine's order. 64-bit lanes take 2^32 words each before they could overflow, which
/// no slice of a packet has, and the compiler turns them into vectors.
fn raw(data: &[u8]) -> u64 {
    let mut lanes = [0u64; ROUND / 4];
    let (rounds, rest) = data.as_chunks::<ROUND>();
    for round in rounds {
        let (words, _) = round.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    let mut sum: u64 = lanes.iter().sum();
    let (words, rest) = rest.as_chunks::<4>();
    for word in words {
        sum += u64::from(u32::from_ne_bytes(*word));
    }
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    sum + u64::from(u32::from_ne_bytes(last))
}

/// Ones' complement sum in 16 bits.
#[allow(clippy::cast_possible_truncation)] // the carries are folded in before
fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

/// How packets of one output begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    /// LINKTYPE_ETHERNET: addresses and VLAN tags of the original.
    Ethernet,
    /// LINKTYPE_RAW: IP at once.
    Raw,
}

/// Who sends to whom, and the link header between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) src: SocketAddr,
    pub(crate) dst: SocketAddr,
    pub(crate) link: LinkHeader,
}

/// What a TCP header says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpHeader {
    pub(crate) seq: u32,
    /// No ACK flag where there is none.
    pub(crate) ack: Option<u32>,
    /// Flags but for ACK.
    pub(crate) flags: u8,
}

/// Octets that follow the headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload {
    /// How many there are.
    pub(crate) len: usize,
    /// How many there would be, had nothing been lost; never less than `len`.
    pub(crate) whole: usize,
    /// Their sum; not used where some are missing.
    pub(crate) sum: Sum,
}

impl Payload {
    /// All octets are there.
    pub(crate) fn of(data: &[u8]) -> Self {
        Self {
            len: data.len(),
            whole: data.len(),
            sum: Sum::default().add(data),
        }
    }

    /// `data`, and what is missing behind it up to `whole` octets.
    pub(crate) fn cut(data: &[u8], whole: usize) -> Self {
        if whole <= data.len() {
            return Self::of(data);
        }
        Self {
            len: data.len(),
            whole,
            sum: Sum::default(),
        }
    }

    /// No octets.
    pub(crate) fn none() -> Self {
        Self::of(&[])
    }

    /// Octets are missing at its end.
    fn is_cut(&self) -> bool {
        self.whole > self.len
    }
}

/// Headers of one packet, and how long the packet is.
pub(crate) struct Headers {
    octets: [u8; MAX_HEADERS],
    len: usize,
}

impl Headers {
    /// The octets.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    fn new() -> Self {
        Self {
            octets: [0; MAX_HEADERS],
            len: 0,
        }
    }

    /// Appends octets; there is room for the longest headers.
    fn put(&mut self, octets: &[u8]) {
        let end = self.len + octets.len();
        if let Some(room) = self.octets.get_mut(self.len..end) {
            room.copy_from_slice(octets);
            self.len = end;
        }
    }
}

/// The most octets of TCP payload in one packet between these addresses: 65,535 with IP and TCP headers.
pub(crate) fn max_tcp_payload(ends: &Ends) -> usize {
    if is_v4(ends) {
        MAX_IP - 40
    } else {
        MAX_IP - 60
    }
}

fn is_v4(ends: &Ends) -> bool {
    ends.src.is_ipv4() && ends.dst.is_ipv4()
}

/// A TCP segment's headers.
pub(crate) fn tcp(wire: Wire, ends: &Ends, header: TcpHeader, payload: &Payload) -> Headers {
    let mut h = Headers::new();
    let pseudo = network(&mut h, wire, ends, 6, 20 + payload.whole);
    let mut t = [0; 20];
    let flags = header.flags | if header.ack.is_some() { ACK } else { 0 };
    t[0..2].copy_from_slice(&ends.src.port().to_be_bytes());
    t[2..4].copy_from_slice(&ends.dst.port().to_be_bytes());
    t[4..8].copy_from_slice(&header.seq.to_be_bytes());
    t[8..12].copy_from_slice(&header.ack.unwrap_or(0).to_be_bytes());
    t[12] = 5 << 4;
    t[13] = flags;
    t[14..16].copy_from_slice(&65_535u16.to_be_bytes());
    if !payload.is_cut() {
        let sum = pseudo.add(&t).plus(payload.sum).finish();
        t[16..18].copy_from_slice(&sum);
    }
    h.put(&t);
    h
}

/// A UDP datagram's headers (RFC 768).
pub(crate) fn udp(wire: Wire, ends: &Ends, payload: &Payload) -> Headers {
    let mut h = Headers::new();
    let pseudo = network(&mut h, wire, ends, 17, 8 + payload.whole);
    let mut u = [0; 8];
    u[0..2].copy_from_slice(&ends.src.port().to_be_bytes());
    u[2..4].copy_from_slice(&ends.dst.port().to_be_bytes());
    u[4..6].copy_from_slice(&saturated(8 + payload.whole).to_be_bytes());
    if !payload.is_cut() {
        // A sum of zero is sent as ones: zero says that there is none.
        let sum = match pseudo.add(&u).plus(payload.sum).finish() {
            [0, 0] => [0xff, 0xff],
            sum => sum,
        };
        u[6..8].copy_from_slice(&sum);
    }
    h.put(&u);
    h
}

impl Sum {
    /// Both sums; `self` is of an even number of octets.
    fn plus(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            odd: other.odd,
        }
    }
}

/// Lays down link and IP headers and gives the sum of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1).
fn network(h: &mut Headers, wire: Wire, ends: &Ends, protocol: u8, len: usize) -> Sum {
    let v4 = is_v4(ends);
    if wire == Wire::Ethernet {
        h.put(&ends.link.dst);
        h.put(&ends.link.src);
        for tag in ends.link.tags.iter().filter(|t| t.tpid != 0) {
            h.put(&tag.tpid.to_be_bytes());
            h.put(&tag.tci.to_be_bytes());
        }
        h.put(if v4 { &[0x08, 0x00] } else { &[0x86, 0xdd] });
    }
    // The pseudo header has the length in 32 bits; packets here stay below 2^16, cut ones have no sum.
    let pseudo = Sum::default()
        .word(u16::from(protocol))
        .word(saturated(len));
    if let (IpAddr::V4(src), IpAddr::V4(dst)) = (ends.src.ip(), ends.dst.ip()) {
        // Version and header length, DF, TTL 64.
        let mut ip = [
            0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        ip[2..4].copy_from_slice(&saturated(20 + len).to_be_bytes());
        ip[12..16].copy_from_slice(&src.octets());
        ip[16..20].copy_from_slice(&dst.octets());
        let sum = Sum::default().add(&ip).finish();
        ip[10..12].copy_from_slice(&sum);
        h.put(&ip);
        pseudo.add(&ip[12..20])
    } else {
        let mut ip = [0; 40];
        ip[0] = 0x60;
        ip[4..6].copy_from_slice(&saturated(len).to_be_bytes());
        ip[6] = protocol;
        ip[7] = 64;
        ip[8..24].copy_from_slice(&v6(ends.src.ip()));
        ip[24..40].copy_from_slice(&v6(ends.dst.ip()));
        h.put(&ip);
        pseudo.add(&ip[8..40])
    }
}

/// The address as IPv6 writes it; both ends are of one family, so that IPv4 addresses are mapped only in theory.
fn v6(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(a) => Ipv4Addr::to_ipv6_mapped(&a).octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

/// The length as a 16-bit field tells it, 65,535 at most (SPEC 9: a longer packet is cut, its original length is in its
/// record).
fn saturated(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
