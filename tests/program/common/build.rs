//! Makes captures in memory: Ethernet, IPv4, TCP, for cases that no program sends.

use std::net::Ipv4Addr;
use std::ops::Range;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

pub const CLIENT: (Ipv4Addr, u16) = (Ipv4Addr::new(198, 51, 100, 7), 50000);
pub const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(203, 0, 113, 80), 80);

/// A pcap file that grows. Each packet is a millisecond after the one before, unless `wait` says more.
pub struct Pcap {
    pub file: Vec<u8>,
    /// Address and port of the server.
    pub server: (Ipv4Addr, u16),
    /// Microseconds since the epoch.
    pub now: u64,
    identification: u16,
}

impl Pcap {
    /// A file without packets.
    pub fn new() -> Self {
        Self::to(SERVER.1)
    }

    /// The same, of a server at this port.
    pub fn to(port: u16) -> Self {
        let mut file = Vec::new();
        for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
            file.extend(word.to_le_bytes());
        }
        Self {
            file,
            server: (SERVER.0, port),
            now: 1_700_000_000_000_000,
            identification: 0,
        }
    }

    pub fn wait(&mut self, milliseconds: u64) -> &mut Self {
        self.now += milliseconds * 1000;
        self
    }

    /// Any packet of which `captured` octets were captured.
    pub fn record(&mut self, packet: &[u8], captured: usize) -> &mut Self {
        self.now += 1000;
        let words = [self.now / 1_000_000, self.now % 1_000_000];
        for word in words {
            self.file.extend(&word.to_le_bytes()[..4]);
        }
        for len in [captured, packet.len()] {
            self.file.extend(&len.to_le_bytes()[..4]);
        }
        self.file.extend(&packet[..captured]);
        self
    }

    pub fn packet(&mut self, packet: &[u8]) -> &mut Self {
        self.record(packet, packet.len())
    }

    /// A segment from the client.
    pub fn client(&mut self, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> &mut Self {
        let packet = self.segment(CLIENT, self.server, seq, ack, flags, payload);
        self.packet(&packet)
    }

    /// A segment from the server.
    pub fn server(&mut self, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> &mut Self {
        let packet = self.segment(self.server, CLIENT, seq, ack, flags, payload);
        self.packet(&packet)
    }

    /// SYN, SYN-ACK, ACK: the first octets are `client + 1` and `server + 1`.
    pub fn open(&mut self, client: u32, server: u32) -> &mut Self {
        self.client(client, 0, SYN, b"")
            .server(server, client.wrapping_add(1), SYN | ACK, b"")
            .client(client.wrapping_add(1), server.wrapping_add(1), ACK, b"")
    }

    /// The packet of a segment.
    pub fn segment(
        &mut self,
        from: (Ipv4Addr, u16),
        to: (Ipv4Addr, u16),
        seq: u32,
        ack: u32,
        flags: u8,
        payload: &[u8],
    ) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(from.1.to_be_bytes());
        tcp.extend(to.1.to_be_bytes());
        tcp.extend(seq.to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.extend([0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        tcp.extend(payload);
        let mut pseudo = Vec::new();
        pseudo.extend(from.0.octets());
        pseudo.extend(to.0.octets());
        pseudo.extend([0, 6]);
        pseudo.extend(length(tcp.len()));
        pseudo.extend(&tcp);
        let sum = checksum(&pseudo);
        tcp[16..18].copy_from_slice(&sum);
        self.ip(from.0, to.0, 6, &tcp)
    }

    /// A UDP datagram, without a checksum.
    pub fn datagram(
        &mut self,
        from: (Ipv4Addr, u16),
        to: (Ipv4Addr, u16),
        payload: &[u8],
    ) -> &mut Self {
        let mut udp = from.1.to_be_bytes().to_vec();
        udp.extend(to.1.to_be_bytes());
        udp.extend(length(8 + payload.len()));
        udp.extend([0, 0]);
        udp.extend(payload);
        let packet = self.ip(from.0, to.0, 17, &udp);
        self.packet(&packet)
    }

    /// Ethernet and IPv4 around a transport's octets.
    pub fn ip(&mut self, from: Ipv4Addr, to: Ipv4Addr, protocol: u8, octets: &[u8]) -> Vec<u8> {
        self.identification = self.identification.wrapping_add(1);
        let mut ip = vec![0x45, 0];
        ip.extend(length(20 + octets.len()));
        ip.extend(self.identification.to_be_bytes());
        ip.extend([0x40, 0, 64, protocol, 0, 0]);
        ip.extend(from.octets());
        ip.extend(to.octets());
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum);
        let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        packet.extend(ip);
        packet.extend(octets);
        packet
    }
}

fn length(n: usize) -> [u8; 2] {
    u16::try_from(n).expect("fits an IP packet").to_be_bytes()
}

/// The sequence number behind these octets.
pub fn behind(seq: u32, octets: &[u8]) -> u32 {
    seq.wrapping_add(u32::try_from(octets.len()).expect("fits"))
}

/// RFC 1071.
pub fn checksum(octets: &[u8]) -> [u8; 2] {
    let mut sum = 0_u32;
    for pair in octets.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    let [_, _, high, low] = (!sum).to_be_bytes();
    [high, low]
}

/// An HTTP request for a path.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: example\r\n\r\n").into_bytes()
}

/// An HTTP response with this body.
pub fn response(body: &[u8]) -> Vec<u8> {
    let mut all = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    all.extend(body);
    all
}

/// A body of printable octets that differ from place to place.
pub fn body(len: usize) -> Vec<u8> {
    (0..)
        .flat_map(|n: u32| format!("{n:07}\n").into_bytes())
        .take(len)
        .collect()
}

/// What both sides of a connection write, in turn.
#[derive(Default)]
pub struct Runs {
    /// Of the client, or not, and octets.
    pub all: Vec<(bool, Vec<u8>)>,
    len: [usize; 2],
}

impl Runs {
    /// Octets that a side writes next; where they stand in its stream.
    pub fn write(&mut self, client: bool, octets: &[u8]) -> Range<usize> {
        let len = &mut self.len[usize::from(client)];
        let from = *len;
        *len += octets.len();
        match self.all.last_mut() {
            Some((by, run)) if *by == client => run.extend(octets),
            _ => self.all.push((client, octets.to_vec())),
        }
        from..from + octets.len()
    }

    /// The whole capture, with the server at this port.
    pub fn capture_to(&self, port: u16) -> Vec<u8> {
        self.capture_of(port, || false).0
    }

    /// The capture, without the segments that `lost` chooses, and what is missing of each side.
    pub fn capture(&self, lost: impl FnMut() -> bool) -> (Vec<u8>, [Vec<Range<usize>>; 2]) {
        self.capture_of(SERVER.1, lost)
    }

    fn capture_of(
        &self,
        port: u16,
        mut lost: impl FnMut() -> bool,
    ) -> (Vec<u8>, [Vec<Range<usize>>; 2]) {
        let mut capture = Pcap::to(port);
        let mut next = [9001, 1001];
        let mut at = [0, 0];
        let mut missing = [Vec::new(), Vec::new()];
        capture.open(1000, 9000);
        for (client, run) in &self.all {
            let me = usize::from(*client);
            for (n, part) in run.chunks(1400).enumerate() {
                let last = (n + 1) * 1400 >= run.len();
                let flags = ACK | if last { PSH } else { 0 };
                if lost() {
                    missing[me].push(at[me]..at[me] + part.len());
                    capture.wait(1);
                } else if *client {
                    capture.client(next[1], next[0], flags, part);
                } else {
                    capture.server(next[0], next[1], flags, part);
                }
                at[me] += part.len();
                next[me] = behind(next[me], part);
            }
        }
        capture.client(next[1], next[0], FIN | ACK, b"");
        capture.server(next[0], next[1] + 1, FIN | ACK, b"");
        (capture.file, missing)
    }
}
