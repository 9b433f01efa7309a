//! What lies whole in a damaged capture comes out whole, once, in order, and nothing else claims to be whole.
//!
//! The messages of the clean capture are the truth (pipe.rs holds them against tshark). A message is recoverable
//! when the damaged capture still has each of its octets.

use crate::common::build::PSH;
use crate::common::{self, Record, Segment, messages, run, segments};
use std::collections::{BTreeMap, BTreeSet};

/// Captures without HEAD, 204, 304 and bodies that end with the connection: there the extent of a response depends on
/// what may be lost.
const CLEAN: [&str; 4] = [
    "http-keepalive.pcap",
    "http-large.pcap",
    "http-post.pcap",
    "http-chunked.pcap",
];

/// How a capture is damaged.
#[derive(Clone, Copy, Debug)]
struct Damage {
    seed: u64,
    /// Of 1000 packets.
    loss: u64,
    reorder: u64,
    duplicate: u64,
    /// Packets left out at the beginning.
    cut_start: usize,
}

/// A generator of numbers that are random enough (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

/// The damaged capture. A packet's time is that of the place where it stands.
fn damage(file: &[u8], how: Damage) -> Vec<u8> {
    let mut random = Random(how.seed);
    let records = common::pcap(file).1;
    let mut placed = Vec::new();
    for (place, record) in records.iter().enumerate().skip(how.cut_start) {
        if random.below(1000) < how.loss {
            continue;
        }
        // In quarters of a place, so that two packets change places or not.
        let mut at = place * 4;
        if random.below(1000) < how.reorder {
            at += 5 + usize::try_from(random.below(14)).expect("small");
        }
        placed.push((at, place, record));
        if random.below(1000) < how.duplicate {
            placed.push((
                at + 3 + usize::try_from(random.below(14)).expect("small"),
                place,
                record,
            ));
        }
    }
    placed.sort_by_key(|(at, place, _)| (*at, *place));
    let mut damaged = file[..24].to_vec();
    for (at, _, record) in placed {
        let time = records[(at / 4).min(records.len() - 1)].time;
        let micros = time / 1000;
        for word in [micros / 1_000_000, micros % 1_000_000] {
            damaged.extend(&word.to_le_bytes()[..4]);
        }
        let Record { data, original, .. } = record;
        damaged.extend(&data.len().to_le_bytes()[..4]);
        damaged.extend(original.to_le_bytes());
        damaged.extend(*data);
    }
    damaged
}

/// The endpoints of a segment do not matter beyond this: all servers are one.
type Stream = (u16, u16);

fn stream(record: &[u8]) -> Stream {
    let half = |at: usize| u16::from_be_bytes([record[at], record[at + 1]]);
    (half(34), half(36))
}

/// Segments with payload, each with its stream.
fn payloads(file: &[u8]) -> Vec<(Stream, Segment)> {
    let records = common::pcap(file).1;
    let streams: Vec<_> = records.iter().map(|r| stream(r.data)).collect();
    let all = segments(file);
    assert_eq!(streams.len(), all.len());
    streams
        .into_iter()
        .zip(all)
        .filter(|(_, s)| s.payload_len > 0)
        .collect()
}

/// The numbers of the octets of each stream, as ranges counted from the first message of the clean capture.
struct Present(BTreeMap<Stream, Vec<(u32, u32)>>);

impl Present {
    fn of(file: &[u8]) -> Self {
        let mut present: BTreeMap<Stream, Vec<(u32, u32)>> = BTreeMap::new();
        for (stream, segment) in payloads(file) {
            let end = common::build::behind(segment.seq, &segment.payload);
            present.entry(stream).or_default().push((segment.seq, end));
        }
        Self(present)
    }

    /// All octets of this message are there.
    fn has(&self, stream: Stream, message: &Segment) -> bool {
        let mut have = 0; // octets from the start of the message
        let len = u32::try_from(message.payload.len()).expect("small");
        let Some(ranges) = self.0.get(&stream) else {
            return false;
        };
        let mut ranges: Vec<_> = ranges
            .iter()
            .map(|(from, to)| {
                (
                    from.wrapping_sub(message.seq).cast_signed(),
                    to.wrapping_sub(message.seq).cast_signed(),
                )
            })
            .collect();
        ranges.sort_unstable();
        for (from, to) in ranges {
            if from > have {
                break;
            }
            have = have.max(to);
        }
        have >= len.cast_signed()
    }
}

fn check(name: &str, how: Damage) -> (usize, usize) {
    check_with(name, &[], how)
}

fn check_with(name: &str, args: &[&str], how: Damage) -> (usize, usize) {
    check_capture(name, &common::read(&common::testdata(name)), args, how)
}

fn check_capture(name: &str, clean: &[u8], args: &[&str], how: Damage) -> (usize, usize) {
    let messages = |capture: &[u8]| run(args, capture).ok();
    let truth = payloads(&messages(clean));
    let damaged = damage(clean, how);
    let present = Present::of(&damaged);
    let found = payloads(&messages(&damaged));

    // A segment without PSH goes on in the next one, so that one is no message: mail behind a hole.
    let mut pushed = BTreeMap::new();
    let begins: Vec<_> = found
        .iter()
        .map(|(stream, s)| pushed.insert(*stream, s.flags & PSH != 0) != Some(false))
        .collect();
    let whole: Vec<_> = found
        .iter()
        .zip(begins)
        .filter(|((_, s), begins)| *begins && s.payload.len() == s.payload_len)
        .map(|(found, _)| found)
        .map(|(stream, s)| (*stream, s.seq, &s.payload))
        .collect();
    let once: BTreeSet<_> = whole
        .iter()
        .map(|(stream, seq, _)| (*stream, *seq))
        .collect();
    assert_eq!(
        once.len(),
        whole.len(),
        "{name}, {how:?}: a message came out twice"
    );

    let mut recoverable = 0;
    let there: BTreeSet<_> = whole.iter().collect();
    for (stream, message) in &truth {
        let expected = (*stream, message.seq, &message.payload);
        let recovers = present.has(*stream, message);
        recoverable += usize::from(recovers);
        assert_eq!(
            there.contains(&expected),
            recovers,
            "{name}, {how:?}: {stream:?} {}: {}",
            message.seq,
            message.payload[..message.payload.len().min(60)].escape_ascii()
        );
    }
    let known: BTreeSet<_> = truth
        .iter()
        .map(|(stream, m)| (*stream, m.seq, &m.payload))
        .collect();
    // Of a stream whose start is missing, the first octets come out as they are.
    let mut firsts = BTreeMap::new();
    for (stream, segment) in &found {
        firsts.entry(*stream).or_insert(segment.seq);
    }
    let strange: Vec<_> = whole
        .iter()
        .filter(|message| !known.contains(*message))
        .filter(|(stream, seq, _)| firsts.get(stream) != Some(seq))
        .map(|(stream, seq, octets)| {
            let begin = octets[..octets.len().min(40)].escape_ascii();
            format!("{stream:?} {seq}, {} octets: {begin}", octets.len())
        })
        .collect();
    assert_eq!(strange, [""; 0], "{name}, {how:?}: claims to be whole");

    let mut last: BTreeMap<Stream, u32> = BTreeMap::new();
    for (stream, segment) in &found {
        if let Some(before) = last.insert(*stream, segment.seq) {
            let ahead = segment.seq.wrapping_sub(before).cast_signed() > 0;
            assert!(
                ahead,
                "{name}, {how:?}: {stream:?} goes back to {}",
                segment.seq
            );
        }
    }
    (recoverable, truth.len())
}

/// Runs many seeds, and says whether the damage was what was meant.
fn every_seed(damage: impl Fn(u64) -> Damage) -> (usize, usize) {
    let mut sum = (0, 0);
    for name in CLEAN {
        for seed in 1..=15 {
            let (recoverable, all) = check(name, damage(seed));
            sum = (sum.0 + recoverable, sum.1 + all);
        }
    }
    sum
}

#[test]
fn reordered_and_repeated() {
    let (recoverable, all) = every_seed(|seed| Damage {
        seed,
        loss: 0,
        reorder: 300,
        duplicate: 50,
        cut_start: 0,
    });
    assert_eq!(recoverable, all, "nothing was lost");
}

#[test]
fn a_little_loss() {
    let (recoverable, all) = every_seed(|seed| Damage {
        seed,
        loss: 20,
        reorder: 50,
        duplicate: 20,
        cut_start: 0,
    });
    assert!(
        all / 2 < recoverable && recoverable < all,
        "{recoverable} of {all}"
    );
}

#[test]
fn much_loss() {
    let (recoverable, all) = every_seed(|seed| Damage {
        seed,
        loss: 200,
        reorder: 50,
        duplicate: 20,
        cut_start: 0,
    });
    assert!(
        0 < recoverable && recoverable < all,
        "{recoverable} of {all}"
    );
}

#[test]
fn a_late_start() {
    let (recoverable, all) = every_seed(|seed| Damage {
        seed,
        loss: 10,
        reorder: 50,
        duplicate: 20,
        cut_start: usize::try_from(seed).expect("small") * 2,
    });
    assert!(
        0 < recoverable && recoverable < all,
        "{recoverable} of {all}"
    );
}

/// 500 connections at once, 20 exchanges in each: bodies that are small, large and chunked.
#[test]
fn twenty_thousand_messages() {
    use crate::common::build::{ACK, CLIENT, PSH, Pcap, SERVER, SYN, behind, body, get, response};
    let mut pcap = Pcap::new();
    let mut sent = 0;
    let mut next = vec![(100, 500); 500];
    for round in 0..=20 {
        for (n, (mine, its)) in (0_u16..).zip(&mut next) {
            let client = (CLIENT.0, 20_000 + n);
            let mut segment = |from, to, seq, ack, flags, octets: &[u8]| {
                pcap.now -= 990; // 10 microseconds behind the one before
                let packet = pcap.segment(from, to, seq, ack, flags, octets);
                pcap.packet(&packet);
            };
            if round == 0 {
                segment(client, SERVER, *mine, 0, SYN, b"");
                segment(SERVER, client, *its, *mine + 1, SYN | ACK, b"");
                (*mine, *its) = (*mine + 1, *its + 1);
                continue;
            }
            let ask = get(&format!("/{n}/{round}"));
            segment(client, SERVER, *mine, *its, ACK | PSH, &ask);
            *mine = behind(*mine, &ask);
            let answer = match round % 10 {
                3 => response(&body(5000)),
                7 => {
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                        .to_vec()
                }
                _ => response(&body(usize::from(n) % 300)),
            };
            for part in answer.chunks(1400) {
                segment(SERVER, client, *its, *mine, ACK | PSH, part);
                *its = behind(*its, part);
            }
            sent += 2;
        }
    }
    assert_eq!(sent, 20_000);
    let how = Damage {
        seed: 1,
        loss: 10,
        reorder: 50,
        duplicate: 20,
        cut_start: 0,
    };
    let (recoverable, all) = check_capture("20,000 messages", &pcap.file, &[], how);
    assert_eq!(all, sent);
    assert!((19_000..sent).contains(&recoverable), "{recoverable}");
}

#[test]
fn every_protocol_with_losses() {
    let names = [
        "resp",
        "pgsql",
        "mqtt",
        "sip",
        "diameter",
        "tls",
        "rtsp",
        "smtp",
        "smtp-made",
        "ftp",
        "pop",
        "imap",
        "amqp",
        "mysql",
        "ldap",
        "nbss",
        "mbtcp",
        "tpkt",
        "someip",
        "doip",
        "bgp",
        "104apci",
        "mongo",
        "opcua",
        "enip",
        "dnp3",
        "cql",
        "kafka",
        "websocket",
    ];
    let mut sum = (0, 0);
    for name in names.map(|name| format!("protocols/{name}.pcap")) {
        for seed in 1..=5 {
            let damage = Damage {
                seed,
                loss: 50,
                reorder: 0,
                duplicate: 0,
                cut_start: 0,
            };
            let (recoverable, all) = check(&name, damage);
            sum = (sum.0 + recoverable, sum.1 + all);
        }
    }
    assert!(sum.1 * 4 / 5 < sum.0 && sum.0 < sum.1, "{sum:?}");
}

/// DNS over TCP, whose header is a bare length, and a protocol of the user's own.
#[test]
fn lengths_and_rules_of_ones_own_with_losses() {
    let framer = "mine,tcp.port==9000,len@4:u32be+8,magic@0:0xCAFE";
    for (name, args) in [
        ("dns-tcp.pcap", &[][..]),
        ("protocols/framed.pcap", &["--framer", framer]),
    ] {
        let mut sum = (0, 0);
        for seed in 1..=30 {
            let damage = Damage {
                seed,
                loss: 50,
                reorder: 50,
                duplicate: 20,
                cut_start: 0,
            };
            let (recoverable, all) = check_with(name, args, damage);
            sum = (sum.0 + recoverable, sum.1 + all);
        }
        assert!(sum.1 / 2 < sum.0 && sum.0 < sum.1, "{name}: {sum:?}");
    }
}

/// tshark, with its defaults, finds no malformed packet in what is written, and every message that lies whole in the
/// damaged capture.
#[track_caller]
fn tshark_reads(loss: u64, cut_start: f64) {
    for (seed, name) in (1..).zip(CLEAN) {
        let clean = common::read(&common::testdata(name));
        // A fraction of a few hundred packets.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let cut_start = (common::pcap(&clean).1.len() as f64 * cut_start) as usize;
        let how = Damage {
            seed,
            loss,
            reorder: 50,
            duplicate: 20,
            cut_start,
        };
        let (recoverable, _) = check(name, how);
        let output = messages(&damage(&clean, how));
        let columns = [
            "_ws.malformed",
            "frame.len",
            "frame.cap_len",
            "http.request",
            "http.response",
        ];
        let rows = common::fields("http || _ws.malformed", &columns, &[], &output);
        let mut whole = 0;
        for row in rows {
            assert_eq!(row[0], "", "{name}, {how:?}: malformed");
            let found = row[3..].iter().flat_map(|v| v.split(','));
            if row[1] == row[2] {
                whole += found.filter(|v| !v.is_empty()).count();
            }
        }
        assert!(
            whole >= recoverable && recoverable > 0,
            "{name}, {how:?}: tshark finds {whole} of {recoverable}"
        );
    }
}

#[test]
fn tshark_reads_what_is_left_after_a_loss_of_0_001() {
    tshark_reads(1, 0.0);
}

#[test]
fn tshark_reads_what_is_left_after_a_loss_of_0_01() {
    tshark_reads(10, 0.0);
}

#[test]
fn tshark_reads_what_is_left_after_a_loss_of_0_05() {
    tshark_reads(50, 0.0);
}

#[test]
fn tshark_reads_what_is_left_after_a_loss_of_0_2() {
    tshark_reads(200, 0.0);
}

#[test]
fn tshark_reads_what_is_left_after_a_late_start() {
    tshark_reads(10, 0.3);
}

/// Where the header of a message is lost and its body holds a message, nothing tells the one from the other: the inner one
/// comes out, and may hide what follows as far as its own header says. No program can know better from what there is.
#[test]
fn a_message_inside_a_body_whose_header_was_lost_cannot_be_told_from_a_true_one() {
    use crate::common::build::{ACK, PSH, Pcap, behind, get, response};
    let inner = response(b"inner");
    let mut page = common::build::body(1000);
    page.extend(&inner);
    page.extend(common::build::body(500));
    let outer = response(&page);
    let mut whole = Pcap::new();
    let mut hurt = Pcap::new();
    for (pcap, from) in [(&mut whole, 0), (&mut hurt, 300)] {
        let ask = get("/outer");
        pcap.open(1000, 4999).client(1001, 5000, ACK | PSH, &ask);
        let asked = behind(1001, &ask);
        pcap.server(behind(5000, &outer[..from]), asked, ACK, &outer[from..1400])
            .server(
                behind(5000, &outer[..1400]),
                asked,
                ACK | PSH,
                &outer[1400..],
            );
        pcap.client(asked, behind(5000, &outer), ACK, b"");
    }
    let from_server = |pcap: &Pcap| {
        let all = segments(&messages(&pcap.file)).into_iter();
        let payloads = all.filter(|s| s.source_port == 80).map(|s| s.payload);
        payloads.filter(|p| !p.is_empty()).collect::<Vec<_>>()
    };
    assert!(from_server(&whole) == [outer], "known by its header");
    assert!(
        from_server(&hurt).contains(&inner),
        "nothing tells that it is none"
    );
}

/// Behind a hole a message lies whole, and the header of the next one is there, whose rest is late: a beginning that is waited for too long is
/// judged by what there is.
#[test]
fn a_message_that_lies_whole_comes_out_though_what_follows_it_is_late() {
    use crate::common::build::{ACK, CLIENT, PSH, Pcap, SERVER, SYN, behind};
    let record = |len: u16| {
        let mut record = vec![23, 3, 3];
        record.extend(len.to_be_bytes());
        record.extend(common::build::body(len.into()));
        record
    };
    // What the server sends: of the first only that it was there, of the third a piece.
    let lengths = [10_000, 16_000, 16_000, 16_000];
    let records = lengths.map(record);
    let stream = records.concat();
    let at = |n: usize| records[..n].iter().map(Vec::len).sum::<usize>();
    let seq = |offset: usize| behind(5000, &stream[..offset]);
    let ask = record(64);
    let asked = behind(1323, &ask);
    let mut pcap = Pcap::new();
    let send = |pcap: &mut Pcap, from: usize, to: usize| {
        for at in (from..to).step_by(1448) {
            let end = to.min(at + 1448);
            pcap.server(seq(at), asked, ACK, &stream[at..end]);
        }
    };
    pcap.server(4999, 1001, SYN | ACK, b"")
        .client(1323, seq(at(1)), ACK | PSH, &ask);
    send(&mut pcap, at(1), at(2) + 7240);
    send(&mut pcap, at(2) + 8688, at(3));
    pcap.client(asked, seq(at(3)), ACK | PSH, &ask);
    send(&mut pcap, at(3), at(3) + 14_480);
    for _ in 0..60 {
        pcap.datagram(CLIENT, SERVER, b"time goes on").wait(20);
    }
    let lines = run(["-j", "-q", "-"], &pcap.file).text();
    let objects = common::objects(&lines);
    let whole = objects.filter(|object| object["protocol"] == "tls" && object["whole"] == true);
    let lengths: Vec<_> = whole
        .map(|object| object["length"].as_u64().expect("a length") - 5)
        .collect();
    assert_eq!(lengths, [64, 64, 16_000], "{lines}");
}
