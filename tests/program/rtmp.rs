//! RTMP: its chunks as packets, and the messages that they make, put together, whole and thinned.

#![allow(clippy::unwrap_used)]

use crate::common::build::{ACK, Pcap, Runs, behind};
use crate::common::{self, fields, run};
use inet_asm::Assembler;
use inet_asm::base::counters::Counters;
use inet_asm::base::limits::Limits;
use inet_asm::message::WholeMessages;
use std::cell::RefCell;
use std::rc::Rc;

fn capture() -> Vec<u8> {
    common::read(&common::testdata("protocols/rtmpt.pcap"))
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq)]
struct Got {
    client: bool,
    octets: Vec<u8>,
    whole: bool,
}

/// The messages in a capture without some of its packets.
fn found(capture: &[u8], lost: impl Fn(usize) -> bool) -> (Vec<Got>, Counters) {
    let (_, records) = common::pcap(capture);
    let all = Rc::new(RefCell::new(Vec::new()));
    let to = Rc::clone(&all);
    let sink = WholeMessages::new(1 << 24, move |m| {
        if m.protocol == "rtmpt" {
            to.borrow_mut().push(Got {
                client: m.flow.dst(m.direction).port() == 1935,
                octets: m.octets.to_vec(),
                whole: m.whole,
            });
        }
    });
    let mut engine = Assembler::new(Limits::default(), sink);
    for (i, record) in records.iter().enumerate().filter(|(i, _)| !lost(*i)) {
        engine.packet(&record.packet(i));
    }
    engine.flush();
    assert_eq!(engine.budget().used(), 0, "all is given back");
    let counters = engine.counters().clone();
    engine.finish();
    (all.take(), counters)
}

#[test]
fn messages_are_put_together_from_chunks_that_interleave() {
    let out = run(["-p"], &capture()).printed();
    let lines: Vec<_> = out
        .lines()
        .filter_map(|l| l.split("rtmpt ").nth(1))
        .collect();
    let lines: Vec<_> = lines.iter().map(|l| l.trim_start()).collect();
    for expected in [
        "1537 [0] Handshake C0+C1",
        "1536 [0] Handshake S2",
        "157 [3] connect('live')",
        "5 [2] Set Peer Bandwidth 5000000,Dynamic",
        "4 [2] Set Chunk Size 4096",
        "36 [8] publish('camera')",
        "6 [2] Stream Begin 1",
        "73 [5] onStatus('NetStream.Publish.Start')",
        // Chunks of the one between those of the other.
        "6005 [6] Video Data",
        "702 [4] Audio Data",
        // All of its header is that of the one before.
        "1105 [4] Audio Data",
        // Numbers of two octets and of three, and times of four.
        "82 [100] Audio Data",
        "244 [400] Aggregate",
        "4 [2] Abort Message 7",
        "512 [7] Video Data [incomplete]",
    ] {
        assert!(lines.contains(&expected), "{expected} in {lines:#?}");
    }
    // What answers a command is found by its number.
    let answer =
        |l: &&&str| l.starts_with("142 [3] _result('NetConnection.Connect.Success') (1.40 ms)");
    assert_eq!(lines.iter().filter(answer).count(), 1, "{lines:#?}");
    let (all, counters) = found(&capture(), |_| false);
    assert_eq!((all.len(), lines.len()), (37, 37));
    assert_eq!(counters.carried.incomplete, 1, "the one that is taken back");
    let objects = run(["-j"], &capture()).text();
    let long = objects
        .lines()
        .filter(|l| l.contains("\"timestamp\":16777216"));
    assert_eq!(long.count(), 4, "{objects}");
}

#[test]
fn chunks_are_packets_of_which_tshark_reads_as_much() {
    let written = run(["-w", "-"], &capture()).stdout;
    let asked = |capture: &[u8]| {
        let names = [
            "rtmpt.header.typeid",
            "rtmpt.header.bodysize",
            "_ws.malformed",
        ];
        let rows = fields("rtmpt.header.typeid", &names, &[], capture);
        let mut all: Vec<String> = rows
            .iter()
            .flat_map(|row| {
                assert_eq!(row[2], "");
                let column = |n: usize| row[n].split(',').collect::<Vec<_>>();
                let pairs = column(0).into_iter().zip(column(1));
                pairs.map(|(a, b)| format!("{a} {b}")).collect::<Vec<_>>()
            })
            .collect();
        all.sort();
        all
    };
    let (before, behind) = (asked(&capture()), asked(&written));
    assert!(before.len() > 25, "{before:?}");
    assert_eq!(before, behind);
}

/// RTMPE: its handshake is known, and behind it nothing is taken for messages, but where the server declines to encrypt.
#[test]
fn what_is_encrypted_is_said_to_be() {
    let part = |version: &[u8], mark: u8| {
        let noise =
            (0..1536_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0] ^ mark);
        let mut noise = noise.collect::<Vec<_>>();
        noise[4..8].copy_from_slice(&[0x80, 0, 3, 2]);
        [version, &noise].concat()
    };
    let (request, answer) = (part(b"", 7), part(b"", 9));
    for (version, expected) in [
        (
            6,
            [
                "1537 [0] Handshake C0+C1 (RTMPE)",
                "1537 [0] Handshake S0+S1 (RTMPE)",
                "1536 [0] Handshake C2 (RTMPE)",
                "1536 [0] Handshake S2 (RTMPE)",
                "1536 [0] Encrypted (RTMPE)",
                "3072 [0] Encrypted (RTMPE)",
            ],
        ),
        (
            3,
            [
                "1537 [0] Handshake C0+C1 (RTMPE)",
                "1537 [0] Handshake S0+S1",
                "1536 [0] Handshake C2",
                "1536 [0] Handshake S2",
                "157 [3] connect('live')",
                "5 [2] Set Peer Bandwidth 5000000,Dynamic",
            ],
        ),
    ] {
        let mut capture = capture();
        if version == 6 {
            let mut runs = Runs::default();
            runs.write(true, &part(&[6], 1));
            runs.write(false, &[part(&[6], 2), part(b"", 3)].concat());
            runs.write(true, &[part(b"", 4), request.clone()].concat());
            runs.write(false, &answer);
            runs.write(false, &answer);
            capture = runs.capture_to(1935);
        } else {
            let (_, records) = common::pcap(&capture);
            // The first octet that the client sends.
            let first = common::segments(&capture)
                .iter()
                .position(|s| !s.payload.is_empty());
            let record = &records[first.unwrap()];
            let at = capture
                .windows(record.data.len())
                .position(|w| w == record.data);
            let payload = common::segments(&capture)[first.unwrap()].payload.len();
            let place = at.unwrap() + record.data.len() - payload;
            assert_eq!(std::mem::replace(&mut capture[place], 6), 3);
            capture[place + 5..place + 9].copy_from_slice(&[9, 0, 124, 2]);
        }
        let out = run(["-p", "--checksums", "ignore"], &capture).printed();
        let lines: Vec<_> = out
            .lines()
            .filter_map(|l| l.split("rtmpt ").nth(1))
            .map(str::trim_start)
            .collect();
        for expected in expected {
            assert!(
                lines.iter().any(|line| line.starts_with(expected)),
                "{version}: {expected} in {lines:#?}"
            );
        }
        if version == 6 {
            assert_eq!(lines.len(), expected.len(), "{lines:#?}");
            let (all, counters) = found(&capture, |_| false);
            assert_eq!((all.len(), counters.message.lost_octets), (6, 0));
            assert!(all.iter().all(|m| m.whole));
        }
    }
}

/// Whatever packet is lost, and whichever two: what is called whole is what was sent, and most of the rest is.
#[test]
fn what_a_loss_leaves_is_told_and_nothing_is_made_up() {
    let capture = capture();
    let (sent, _) = found(&capture, |_| false);
    let carrying: Vec<usize> = common::segments(&capture)
        .iter()
        .enumerate()
        .filter(|(_, s)| !s.payload.is_empty())
        .map(|(i, _)| i)
        .collect();
    assert!(carrying.len() > 25);
    let (mut lost, mut most) = (0, 0);
    for (n, first) in carrying.iter().enumerate() {
        for second in [*first, carrying[(n + 2) % carrying.len()]] {
            let (got, _) = found(&capture, |i| i == *first || i == second);
            for m in got.iter().filter(|m| m.whole) {
                assert!(
                    sent.contains(m),
                    "{first}, {second}: {} octets",
                    m.octets.len()
                );
            }
            let whole = got.iter().filter(|m| m.whole).count();
            if second == *first {
                lost += sent.len() - 1 - whole;
                most = most.max(sent.len() - 1 - whole);
            }
        }
    }
    // A segment holds parts of two messages, or of three.
    assert!(lost < carrying.len() * 5 / 2 && most <= 6, "{lost}, {most}");
}

#[test]
fn the_middle_is_found() {
    let capture = capture();
    let (sent, _) = found(&capture, |_| false);
    // Behind the handshake, and behind what sets the size of chunks.
    for (first, least) in [(10, 30), (16, 22), (24, 18), (30, 12)] {
        let (got, _) = found(&capture, |i| i < first);
        let whole: Vec<_> = got.iter().filter(|m| m.whole).collect();
        for m in &whole {
            let of = |s: &&Got| s.octets == m.octets && s.client == m.client;
            assert!(
                sent.iter().any(|s| of(&s)),
                "from {first}: {}",
                m.octets.len()
            );
        }
        assert!(whole.len() >= least, "from {first}: {}", whole.len());
    }
}

/// Runs with messages of their own.
const SEEDS: u64 = 100;

/// Numbers by chance, the same ones for a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from((self.next() >> 33) % n as u64).unwrap()
    }
}

/// Chunks of made-up messages, and their contents.
struct Sender {
    chance: Chance,
    size: usize,
    octets: Vec<u8>,
    sent: Vec<Vec<u8>>,
    /// Of chunk streams 4 and 6, the length and type of their last message.
    last: [Option<(usize, u8)>; 2],
}

impl Sender {
    /// Octets of which many look like headers.
    fn content(&mut self, len: usize) -> Vec<u8> {
        let like = self.chance.below(3);
        let mut body: Vec<u8> = (0..len)
            .map(|_| match like {
                0 => [0xc6, 0xc4, 0x46, 4, 0, 0, 8, 9][self.chance.below(8)],
                _ => self.chance.next().to_le_bytes()[3],
            })
            .collect();
        body[0] = 0x27;
        body
    }

    /// The header of a message on chunk stream 4 or 6, with as little as may be.
    fn header(&mut self, video: bool, len: usize) {
        let (stream, kind) = if video { (6, 9) } else { (4, 8) };
        let last = &mut self.last[usize::from(video)];
        let format = match *last {
            None => 0,
            Some(last) if last == (len, kind) => [2, 3, 1][self.chance.below(3)],
            Some(_) => [1, 1, 0][self.chance.below(3)],
        };
        *last = Some((len, kind));
        let length = u32::try_from(len).unwrap().to_be_bytes();
        let whole = [&[0, 0, 33][..], &length[1..], &[kind, 1, 0, 0, 0]].concat();
        self.octets.push(format << 6 | stream);
        let len = [11, 7, 3, 0][usize::from(format)];
        self.octets.extend(&whole[..len]);
    }

    fn message(&mut self) {
        let video = self.chance.below(2) == 0;
        let len = match self.chance.below(4) {
            0 => 1 + self.chance.below(200),
            1 => 1 + self.chance.below(3 * self.size),
            _ => self.size + 1 + self.chance.below(20),
        };
        let body = self.content(len);
        self.header(video, len);
        for (n, part) in body.chunks(self.size).enumerate() {
            if n > 0 && video && self.chance.below(3) == 0 {
                // One of the other stream comes between.
                let len = 1 + self.chance.below(self.size.min(300));
                let between = self.content(len);
                self.header(false, len);
                self.octets.extend(&between);
                self.sent.push(between);
            }
            if n > 0 {
                self.octets.push(0xc0 | if video { 6 } else { 4 });
            }
            self.octets.extend(part);
        }
        self.sent.push(body);
    }
}

/// What sets the size of chunks is lost, and other packets are: a message that is called whole is one that was sent, whatever its content
/// looks like.
#[test]
fn no_message_is_called_whole_with_a_header_in_it() {
    let (mut whole, mut wrong, mut sent) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut chance = Chance((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let usual = [1000, 1000, 1400, 4096, 2000, 512, 333, 777, 129];
        let size = usual[chance.below(usual.len())];
        let mut sender = Sender {
            chance,
            size,
            octets: Vec::new(),
            sent: Vec::new(),
            last: [None; 2],
        };
        for _ in 0..24 {
            sender.message();
        }
        let mut handshake = vec![3, 0, 0, 0, 1, 0, 0, 0, 0];
        handshake.resize(1537 + 1536, 7);
        handshake.extend(b"\x03\0\0\0\0\0\x0a\x14\0\0\0\0\x02\0\x07connect");
        let sets = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0];
        let sets = [&sets[..], &u16::try_from(size).unwrap().to_be_bytes()].concat();
        let (mut pcap, mut seq) = (Pcap::new(), 1001);
        pcap.open(1000, 5000);
        let segments = handshake.chunks(1400).map(|part| (part, 0));
        let segments = segments.chain([(&sets[..], 100)]);
        let lose = u64::from(seed % 2 == 0) * 6;
        for (part, lost) in segments.chain(sender.octets.chunks(1024).map(|part| (part, lose))) {
            if sender.chance.below(100) as u64 >= lost {
                pcap.client(seq, 5001, ACK, part);
            }
            seq = behind(seq, part);
        }
        let (got, _) = found(&pcap.file, |_| false);
        for m in got.iter().filter(|m| m.whole) {
            let body = &m.octets[..];
            let set_up = matches!(body.len(), 1536 | 1537) && body.ends_with(&[7]);
            if !set_up && !body.starts_with(b"\x02\0\x07connect") {
                wrong += usize::from(!sender.sent.iter().any(|sent| sent == body));
                whole += 1;
            }
        }
        sent += sender.sent.len();
    }
    assert_eq!(wrong, 0, "{wrong} of {whole} are none that was sent");
    // Of the 24 of a run those are called incomplete that come before several have agreed on the size of chunks.
    assert!(whole * 9 > sent * 4, "{whole} of {sent}");
}

/// All numbers that a chunk stream can have, each with a message that never ends, and one that says that it is 16 MiB long.
#[test]
fn chunk_streams_without_end_take_no_more_memory() {
    let mut octets = vec![3, 0, 0, 0, 1, 0, 0, 0, 0];
    octets.resize(1537 + 1536, 7);
    for number in 0..3000_u16 {
        let [low, high] = number.to_le_bytes();
        octets.extend([1, low, high, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0]);
        octets.extend([0x17; 128]);
    }
    let (mut pcap, mut seq) = (Pcap::new(), 1001);
    pcap.open(1000, 5000);
    for part in octets.chunks(1400) {
        pcap.client(seq, 5001, ACK, part);
        seq = behind(seq, part);
    }
    let args = [
        "-j",
        "-s",
        "-d",
        "tcp.port==80,rtmpt",
        "--memory-limit",
        "16M",
    ];
    let done = run(args, &pcap.file);
    assert!(
        common::counter(&done.stderr, "carried.evicted") > 2900,
        "{}",
        done.stderr
    );
    assert!(
        common::counter(&done.stderr, "buffer.peak") < 1 << 20,
        "{}",
        done.stderr
    );
}
