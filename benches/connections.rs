//! What a packet costs where many connections are open at once: `cargo bench --bench connections`. The same 500,000
//! connections, all at once and 1,000 at a time, in pairs, through the whole program's stages with 64 MiB to wait in.

use inet_asm::assembler::Assembler;
use inet_asm::base::limits::Limits;
use inet_asm::base::packet::{LinkType, Packet};
use inet_asm::base::time::Timestamp;
use inet_asm::sink::{Outputs, PacketOptions};
use std::fs::File;
use std::time::{Duration, Instant};

/// Connections in all.
const CONNECTIONS: u32 = 500_000;
/// How many of them are open at once, in the two cases.
const AT_ONCE: [u32; 2] = [1_000, CONNECTIONS];
const PAIRS: usize = 7;
/// Between one lot and the next: longer than a connection stays known.
const PAUSE: Duration = Duration::from_secs(1_200);
const REQUEST: &[u8] = b"GET /c HTTP/1.1\r\nHost: example\r\nAccept: */*\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n12345678";
const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Packets of raw IP, one after the other in `octets`.
#[derive(Default)]
struct Capture {
    octets: Vec<u8>,
    packets: Vec<(usize, Duration)>,
    time: Duration,
}

impl Capture {
    /// Half of the connections are attempts, a quarter ends after one exchange, the others stay open.
    fn new(at_once: u32) -> Self {
        let mut capture = Self::default();
        let asked = u32::try_from(REQUEST.len()).expect("short");
        let told = u32::try_from(RESPONSE.len()).expect("short");
        for first in (0..CONNECTIONS).step_by(at_once as usize) {
            let all = || first..first + at_once;
            for n in all() {
                capture.push(n, true, SYN, [100, 0], b"");
            }
            for n in all().step_by(2) {
                capture.push(n, false, SYN | ACK, [500, 101], b"");
            }
            for n in all().step_by(2) {
                capture.push(n, true, ACK, [101, 501], b"");
                capture.push(n, true, ACK, [101, 501], REQUEST);
            }
            for n in all().step_by(4) {
                capture.push(n, false, ACK, [501, 101 + asked], RESPONSE);
                capture.push(n, false, FIN | ACK, [501 + told, 101 + asked], b"");
                capture.push(n, true, FIN | ACK, [101 + asked, 502 + told], b"");
                capture.push(n, false, ACK, [502 + told, 102 + asked], b"");
            }
            capture.time += PAUSE;
        }
        capture
    }

    /// Adds a segment of a connection, from its client or to it.
    fn push(
        &mut self,
        connection: u32,
        from_client: bool,
        flags: u8,
        numbers: [u32; 2],
        data: &[u8],
    ) {
        let [_, net, host, port] = connection.to_be_bytes();
        let mut ends = [
            ([10, net, host, 1], [0x40, port]),
            ([192, 0, 2, 1], [0, 80]),
        ];
        if !from_client {
            ends.reverse();
        }
        let start = self.octets.len();
        let len = u16::try_from(40 + data.len()).expect("short");
        self.octets.extend([0x45, 0]);
        self.octets.extend(len.to_be_bytes());
        // The sum of the header is filled in below.
        self.octets.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        self.octets
            .extend(ends.iter().flat_map(|(address, _)| address));
        let sum = self.octets[start..].chunks(2).fold(0_u32, |sum, word| {
            sum + u32::from(u16::from_be_bytes([word[0], word[1]]))
        });
        let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).expect("carried once");
        self.octets[start + 10..start + 12].copy_from_slice(&(!sum).to_be_bytes());
        self.octets.extend(ends.iter().flat_map(|(_, port)| port));
        self.octets
            .extend(numbers.iter().flat_map(|n| n.to_be_bytes()));
        self.octets.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        self.octets.extend(data);
        self.time += Duration::from_micros(5);
        self.packets.push((self.octets.len(), self.time));
    }

    /// How long a packet takes.
    fn run(&self) -> Duration {
        let mut outputs = Outputs::new();
        let file = File::create("/dev/null").expect("/dev/null opens");
        outputs.packets("/dev/null", Box::new(file), PacketOptions::default());
        outputs.begin(LinkType::RAW, false);
        let limits = Limits {
            memory: 64 << 20,
            session_timeout: PAUSE / 2,
            ..Limits::default()
        };
        let mut engine = Assembler::new(limits, outputs);
        let begun = Instant::now();
        let mut start = 0;
        for (frame, (end, time)) in (1..).zip(&self.packets) {
            let data = &self.octets[start..*end];
            engine.packet(&Packet {
                frame,
                time: Timestamp::from_nanos(u64::try_from(time.as_nanos()).expect("short")),
                interface: 0,
                link_type: LinkType::RAW,
                data,
                orig_len: u32::try_from(data.len()).expect("short"),
                fcs_len: None,
                flags: 0,
            });
            start = *end;
        }
        engine.flush();
        let took = begun.elapsed();
        let whole = engine.counters().message.whole;
        assert_eq!(
            whole,
            u64::from(CONNECTIONS / 2 + CONNECTIONS / 4),
            "messages"
        );
        took / u32::try_from(self.packets.len()).expect("few")
    }
}

fn main() {
    let captures = AT_ONCE.map(Capture::new);
    let mut ratios: Vec<f64> = (0..PAIRS)
        .map(|_| {
            let [few, many] = [captures[0].run(), captures[1].run()];
            let ratio = many.as_secs_f64() / few.as_secs_f64();
            let [a, b] = AT_ONCE;
            println!("{a} at once: {few:?} a packet; {b}: {many:?}; {ratio:.2} times");
            ratio
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("median {:.2}", ratios[PAIRS / 2]);
}
