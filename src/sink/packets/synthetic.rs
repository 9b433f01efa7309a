//! The headers of a packet that carries a message: link, IP, TCP, UDP or SCTP, with right lengths and checksums.
//!
//! Nothing here knows streams or files: a [`Wire`] says how packets look in one output, and each function lays the
//! headers of one packet into an array on the stack. The payload is only summed.

use crate::base::checksum::{self, Sum};
use crate::base::packet::LinkHeader;
use crate::ip::Datagram;
use etherparse::{IpNumber, Ipv6Header};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Room for the longest headers: Ethernet with two tags, IPv6 with its jumbo payload option, SCTP with an I-DATA chunk.
// On the stack, so that headers cost no allocation.
pub(crate) const MAX_HEADERS: usize = 14 + 8 + 40 + 8 + 12 + 20;
/// The most octets that an IP packet's length field can say.
const MAX_IP: usize = 65_535;
/// Hops that a packet may go, as most senders begin with.
// Routers on the way are of no interest here; a constant also makes outputs of copies equal.
const TTL: u8 = 64;

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

/// How packets of one output begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    /// LINKTYPE_ETHERNET: addresses and VLAN tags of the original.
    Ethernet,
    /// LINKTYPE_RAW: IP at once.
    Raw,
    /// LINKTYPE_WIRESHARK_UPPER_PDU: no headers of the network.
    Pdu,
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
pub(crate) struct TcpFields {
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
    /// A length over 65,535 is written as segmentation offload (IPv4: 0) or a jumbogram (RFC 2675) does, not capped.
    pub(crate) large: bool,
}

impl Payload {
    /// All octets are there.
    pub(crate) fn of(data: &[u8]) -> Self {
        Self {
            len: data.len(),
            whole: data.len(),
            sum: Sum::of(data),
            large: false,
        }
    }

    /// All octets are there, and this is their sum.
    pub(crate) const fn summed(data: &[u8], sum: Sum) -> Self {
        Self {
            len: data.len(),
            whole: data.len(),
            sum,
            large: false,
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
            large: false,
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
pub(crate) struct PacketHeaders {
    octets: [u8; MAX_HEADERS],
    len: usize,
}

impl PacketHeaders {
    /// Writes two octets over those at `at`.
    fn set_u16(&mut self, at: usize, value: u16) {
        if let Some(room) = self.octets.get_mut(at..at + 2) {
            room.copy_from_slice(&value.to_be_bytes());
        }
    }

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

/// The most octets of TCP payload in one packet over IPv4 or IPv6: 65,535 with IP and TCP headers.
// Without options; with full segments of this size a train has the fewest packets.
pub(crate) const fn max_tcp_payload(v4: bool) -> usize {
    MAX_IP - if v4 { 40 } else { 60 }
}

/// Octets of the headers of a TCP segment, at most.
pub(crate) fn tcp_headers(wire: Wire, ends: &Ends) -> usize {
    let link = match wire {
        Wire::Ethernet => 14 + 4 * ends.link.tags.iter().filter(|t| t.tpid != 0).count(),
        Wire::Raw => 0,
        Wire::Pdu => return 0,
    };
    // IPv6 may need eight octets for the jumbo payload option.
    link + 20 + if is_v4(ends) { 20 } else { 48 }
}

fn is_v4(ends: &Ends) -> bool {
    ends.src.is_ipv4() && ends.dst.is_ipv4()
}

/// A TCP segment's headers.
pub(crate) fn tcp(wire: Wire, ends: &Ends, header: TcpFields, payload: &Payload) -> PacketHeaders {
    let mut h = PacketHeaders::new();
    let pseudo = network(&mut h, wire, ends, 6, 20 + payload.whole, payload.large);
    // By hand: `etherparse::TcpHeader` costs 32 instructions more for each packet of about 3,600, as it is laid down twice
    // and has room for options.
    let mut t = [0; 20];
    let flags = header.flags | if header.ack.is_some() { ACK } else { 0 };
    t[0..2].copy_from_slice(&ends.src.port().to_be_bytes());
    t[2..4].copy_from_slice(&ends.dst.port().to_be_bytes());
    t[4..8].copy_from_slice(&header.seq.to_be_bytes());
    t[8..12].copy_from_slice(&header.ack.unwrap_or(0).to_be_bytes());
    // No options: window scale or timestamps would be invented.
    t[12] = 5 << 4;
    t[13] = flags;
    // A full window, so that no reader reports a closed one.
    t[14..16].copy_from_slice(&65_535u16.to_be_bytes());
    // Where octets are missing there is no sum to be right; zero is what readers take for "not
    // filled in".
    if !payload.is_cut() {
        let sum = pseudo
            .combine(Sum::of_words(&t))
            .combine(payload.sum)
            .finish();
        t[16..18].copy_from_slice(&sum.to_be_bytes());
    }
    h.put(&t);
    h
}

/// A UDP datagram's headers (RFC 768).
pub(crate) fn udp(wire: Wire, ends: &Ends, payload: &Payload) -> PacketHeaders {
    let mut h = PacketHeaders::new();
    let pseudo = network(&mut h, wire, ends, 17, 8 + payload.whole, false);
    // By hand, as `etherparse::UdpHeader` costs 8 instructions more.
    let mut u = [0; 8];
    u[0..2].copy_from_slice(&ends.src.port().to_be_bytes());
    u[2..4].copy_from_slice(&ends.dst.port().to_be_bytes());
    // A longer datagram was a jumbogram; the field then says what it can.
    u[4..6].copy_from_slice(&saturated(8 + payload.whole).to_be_bytes());
    if !payload.is_cut() {
        // A sum of zero is sent as ones: zero says that there is none.
        let sum = match pseudo
            .combine(Sum::of_words(&u))
            .combine(payload.sum)
            .finish()
        {
            0 => 0xffff,
            sum => sum,
        };
        u[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    h.put(&u);
    h
}

/// What a DATA or I-DATA chunk says, and the common header in front of it (RFC 9260, 3.1 and 3.3.1; RFC 8260, 2.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct DataHeader {
    /// Verification tag.
    pub(crate) tag: u32,
    pub(crate) tsn: u32,
    pub(crate) stream: u16,
    /// SSN of DATA, MID of I-DATA.
    pub(crate) seq: u32,
    /// PPID; of an I-DATA chunk without B bit, the FSN.
    pub(crate) ppid: u32,
    pub(crate) begins: bool,
    pub(crate) ends: bool,
    pub(crate) unordered: bool,
    pub(crate) interleaved: bool,
}

/// The most octets of user data in one packet between these addresses: the chunk is padded to a multiple of 4.
pub(crate) fn max_user_data(ends: &Ends, interleaved: bool) -> usize {
    // Chunks are padded to four octets, and the padding counts into the packet.
    let room = if is_v4(ends) { MAX_IP - 20 } else { MAX_IP };
    (room - 12) / 4 * 4 - if interleaved { 20 } else { 16 }
}

/// Octets of padding behind a chunk with so much user data.
pub(crate) const fn padding(user_data: usize) -> usize {
    user_data.next_multiple_of(4) - user_data
}

/// An SCTP packet's headers, for one chunk that carries `data`. Where octets are missing behind it, up to `whole`, the
/// checksum is zero. What is written behind the headers is `data`, and [`padding`] where nothing is missing.
pub(crate) fn sctp(
    wire: Wire,
    ends: &Ends,
    header: &DataHeader,
    data: &[u8],
    whole: usize,
) -> (PacketHeaders, Payload) {
    let cut = whole > data.len();
    let whole = whole.max(data.len());
    let mut c = [0; 32];
    let len = if header.interleaved { 20 } else { 16 };
    c[0..2].copy_from_slice(&ends.src.port().to_be_bytes());
    c[2..4].copy_from_slice(&ends.dst.port().to_be_bytes());
    c[4..8].copy_from_slice(&header.tag.to_be_bytes());
    c[12] = if header.interleaved { 64 } else { 0 };
    c[13] = u8::from(header.unordered) << 2 | u8::from(header.begins) << 1 | u8::from(header.ends);
    c[14..16].copy_from_slice(&saturated(len + whole).to_be_bytes());
    c[16..20].copy_from_slice(&header.tsn.to_be_bytes());
    c[20..22].copy_from_slice(&header.stream.to_be_bytes());
    if header.interleaved {
        c[24..28].copy_from_slice(&header.seq.to_be_bytes());
        c[28..32].copy_from_slice(&header.ppid.to_be_bytes());
    } else {
        // An SSN has 16 bits.
        let [_, _, high, low] = header.seq.to_be_bytes();
        c[22..24].copy_from_slice(&[high, low]);
        c[24..28].copy_from_slice(&header.ppid.to_be_bytes());
    }
    let chunk = if header.interleaved {
        &mut c[..]
    } else {
        &mut c[..28]
    };
    if !cut {
        // The sum runs over header, data and padding in that order, with its own field as zero.
        let sum = crc32c::crc32c_append(crc32c::crc32c(chunk), data);
        let pad = [0; 3];
        let sum = crc32c::crc32c_append(sum, pad.get(..padding(whole)).unwrap_or_default());
        // Least significant octet first, unlike every other field (RFC 9260, appendix A).
        chunk[8..12].copy_from_slice(&sum.to_le_bytes());
    }
    let payload = Payload {
        len: data.len() + if cut { 0 } else { padding(whole) },
        whole: whole + padding(whole),
        sum: Sum::default(),
        large: false,
    };
    let mut h = PacketHeaders::new();
    network(&mut h, wire, ends, 132, 12 + len + payload.whole, false);
    h.put(chunk);
    (h, payload)
}

/// The headers in front of what a datagram carries, which stays as it is.
pub(crate) fn ip(wire: Wire, link: LinkHeader, datagram: &Datagram<'_>) -> PacketHeaders {
    let mut h = PacketHeaders::new();
    let ends = Ends {
        src: (datagram.src, 0).into(),
        dst: (datagram.dst, 0).into(),
        link,
    };
    network(
        &mut h,
        wire,
        &ends,
        datagram.protocol,
        datagram.payload_len,
        true,
    );
    if is_v4(&ends) {
        // Copies on several channels are known by it.
        let id = u16::try_from(datagram.identification).unwrap_or(0);
        let ip = h.len - 20;
        h.set_u16(ip + 4, id);
        h.set_u16(ip + 10, 0);
        let sum = Sum::of(h.octets.get(ip..h.len).unwrap_or_default()).finish();
        h.set_u16(ip + 10, sum);
    }
    h
}

/// Lays down link and IP headers and gives the sum of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1).
fn network(
    h: &mut PacketHeaders,
    wire: Wire,
    ends: &Ends,
    protocol: u8,
    len: usize,
    large: bool,
) -> Sum {
    let v4 = is_v4(ends);
    if wire == Wire::Ethernet {
        let ([d0, d1, d2, d3, d4, d5], [s0, s1, s2, s3, s4, s5]) = (ends.link.dst, ends.link.src);
        let [t0, t1] = if v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        // With the type, which tags stand in front of.
        h.put(&[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1]);
        for tag in ends.link.tags.iter().filter(|t| t.tpid != 0) {
            h.len -= 2;
            h.put(&tag.tpid.to_be_bytes());
            h.put(&tag.tci.to_be_bytes());
            h.put(&[t0, t1]);
        }
    }
    if let (IpAddr::V4(src), IpAddr::V4(dst)) = (ends.src.ip(), ends.dst.ip()) {
        // Offload writes zero for what 16 bits cannot hold; tshark then takes the length from the
        // record. tcpdump does not, which is why a train is the default.
        let total_len = if large && 20 + len > MAX_IP {
            0
        } else {
            saturated(20 + len)
        };
        // By hand, as `etherparse::Ipv4Header` costs three times as many instructions. It is never fragmented (Don't
        // Fragment), and identification 0 is then allowed (RFC 6864).
        let mut ip = [
            0x45, 0, 0, 0, 0, 0, 0x40, 0, TTL, protocol, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        ip[2..4].copy_from_slice(&total_len.to_be_bytes());
        ip[12..16].copy_from_slice(&src.octets());
        ip[16..20].copy_from_slice(&dst.octets());
        let sum = Sum::of_words(&ip).finish();
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        h.put(&ip);
    } else {
        let jumbo = large && len > MAX_IP;
        let ip = Ipv6Header {
            // RFC 2675: payload length zero and the option, which tshark and tcpdump both read.
            payload_length: if jumbo { 0 } else { saturated(len) },
            next_header: if jumbo {
                IpNumber::IPV6_HEADER_HOP_BY_HOP
            } else {
                IpNumber(protocol)
            },
            hop_limit: TTL,
            source: v6(ends.src.ip()),
            destination: v6(ends.dst.ip()),
            ..Ipv6Header::default()
        }
        .to_bytes();
        h.put(&ip);
        if jumbo {
            // A hop-by-hop header with the jumbo payload option, which counts itself.
            h.put(&[protocol, 0, 0xc2, 4]);
            h.put(&u32::try_from(len + 8).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    checksum::pseudo_header(ends.src.ip(), ends.dst.ip(), protocol, len)
}

/// The address as IPv6 writes it; both ends are of one family, so that IPv4 addresses are mapped only in theory.
fn v6(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(a) => Ipv4Addr::to_ipv6_mapped(&a).octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

/// The length as a 16-bit field says it, 65,535 at most: a longer packet is cut, and its record says how long it was.
fn saturated(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
