//! WebSocket: its frames as packets, and the messages that they make, put together, unmasked and decompressed, whole and thinned.

#![allow(clippy::unwrap_used)]

use crate::common::build::{ACK, CLIENT, PSH, Pcap, Runs, SERVER, behind, body};
use crate::common::{self, fields, run};
use flate2::{Compress, Compression, FlushCompress};
use inet_asm::Assembler;
use inet_asm::base::counters::Counters;
use inet_asm::base::flow::Direction;
use inet_asm::base::limits::Limits;
use inet_asm::message::WholeMessages;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const RSV1: u8 = 0x40;

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// What the response says of extensions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deflate {
    No,
    /// Each message may refer to those before it.
    Takeover,
    Fresh,
}

impl Deflate {
    fn response(self) -> Vec<u8> {
        let says = match self {
            Self::No => "",
            Self::Takeover => {
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15\r\n"
            }
            Self::Fresh => {
                "Sec-WebSocket-Extensions: x-other, permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
            }
        };
        format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{says}\r\n").into_bytes()
    }
}

/// One frame.
fn frame(client: bool, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mask = u8::from(client) << 7;
    match payload.len() {
        len @ 0..126 => out.push(mask | u8::try_from(len).unwrap()),
        len @ 126..=0xffff => {
            out.push(mask | 126);
            out.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            out.push(mask | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    let key = [0x9d, 0x02, 0xf1, 0x77];
    match client {
        true => {
            out.extend(key);
            out.extend(payload.iter().zip(key.iter().cycle()).map(|(o, k)| o ^ k));
        }
        false => out.extend(payload),
    }
    out
}

/// A message, as it was sent.
struct Sent {
    client: bool,
    payload: Vec<u8>,
    compressed: bool,
    frames: Vec<Range<usize>>,
}

struct Talk {
    deflate: Deflate,
    senders: [Compress; 2],
    runs: Runs,
    sent: Vec<Sent>,
}

impl Talk {
    fn new(deflate: Deflate) -> Self {
        let sender = || Compress::new(Compression::default(), false);
        let mut talk = Self {
            deflate,
            senders: [sender(), sender()],
            runs: Runs::default(),
            sent: Vec::new(),
        };
        talk.runs.write(true, REQUEST);
        talk.runs.write(false, &deflate.response());
        talk
    }

    /// A message in so many frames, with a ping between the first two where there are several.
    fn message(&mut self, client: bool, opcode: u8, payload: &[u8], frames: usize) {
        let compressed = self.deflate != Deflate::No && opcode < CLOSE;
        let mut octets = payload.to_vec();
        if compressed {
            let sender = &mut self.senders[usize::from(client)];
            if self.deflate == Deflate::Fresh {
                sender.reset();
            }
            octets = Vec::with_capacity(payload.len() + 1024);
            sender
                .compress_vec(payload, &mut octets, FlushCompress::Sync)
                .unwrap();
            octets.truncate(octets.len() - 4);
        }
        let size = octets.len().div_ceil(frames).max(1);
        let mut parts: Vec<&[u8]> = octets.chunks(size).collect();
        if parts.is_empty() {
            parts.push(b"");
        }
        let mut places = Vec::new();
        for (n, part) in parts.iter().enumerate() {
            let mut first = if n == 0 { opcode } else { 0 };
            first |= if n == 0 && compressed { RSV1 } else { 0 };
            first |= u8::from(n + 1 == parts.len()) << 7;
            places.push(self.runs.write(client, &frame(client, first, part)));
            if n == 0 && parts.len() > 1 {
                let text = format!("ping inside of {}", self.sent.len());
                let place = self
                    .runs
                    .write(client, &frame(client, 0x80 | PING, text.as_bytes()));
                self.sent.push(Sent {
                    client,
                    payload: text.into_bytes(),
                    compressed: false,
                    frames: vec![place],
                });
            }
        }
        self.sent.push(Sent {
            client,
            payload: payload.to_vec(),
            compressed,
            frames: places,
        });
    }

    /// Messages of all sorts, each with a content of its own.
    fn talk(&mut self, many: u32) {
        for n in 0..many {
            let client = n % 3 == 0;
            let text = format!(
                "{{\"id\": {n}, \"method\": \"subscribe\", \"params\": [\"channel {}\"]}}",
                n * 7919 % 1000
            );
            self.message(
                client,
                TEXT,
                text.as_bytes(),
                if n % 5 == 0 { 3 } else { 1 },
            );
            if n % 4 == 0 {
                let mut octets = n.to_be_bytes().to_vec();
                octets.extend(body(n as usize * 97 % 5000));
                self.message(!client, BINARY, &octets, if n % 8 == 0 { 4 } else { 1 });
            }
            if n % 9 == 0 {
                self.message(client, PONG, format!("pong {n}").as_bytes(), 1);
            }
        }
    }

    fn whole(&self) -> Vec<u8> {
        self.runs.capture(|| false).0
    }

    /// The handshake has been seen, and of the frames such segments are lost as a generator chooses.
    fn thinned(&self, seed: u32, percent: u32) -> (Vec<u8>, [Vec<Range<usize>>; 2]) {
        let (mut state, mut n) = (seed, 0);
        self.runs.capture(|| {
            n += 1;
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match n {
                1 | 2 => false,
                _ => (state >> 16) % 100 < percent,
            }
        })
    }
}

/// A message that was found.
#[derive(Debug, PartialEq)]
struct Got {
    client: bool,
    octets: Vec<u8>,
    gaps: Vec<(u64, u64)>,
    whole: bool,
}

fn found(capture: &[u8], limits: Limits) -> (Vec<Got>, Counters) {
    found_by_two(capture, limits, usize::MAX)
}

/// The same, where what waits is written out behind so many packets, and another engine goes on with it.
fn found_by_two(capture: &[u8], limits: Limits, cut: usize) -> (Vec<Got>, Counters) {
    let (_, records) = common::pcap(capture);
    let all = Rc::new(RefCell::new(Vec::new()));
    let sink = || {
        let all = Rc::clone(&all);
        WholeMessages::new(1 << 24, move |m| {
            if m.protocol == "websocket" {
                all.borrow_mut().push(Got {
                    client: m.direction == Direction::Forward,
                    octets: m.octets.to_vec(),
                    gaps: m.gaps.to_vec(),
                    whole: m.whole,
                });
            }
        })
    };
    let mut engine = Assembler::new(limits, sink());
    for (i, record) in records.iter().enumerate() {
        if i == cut {
            let state = postcard::to_stdvec(engine.state()).unwrap();
            engine = Assembler::resume(postcard::from_bytes(&state).unwrap(), sink());
        }
        engine.packet(&record.packet(i));
    }
    engine.flush();
    assert_eq!(engine.budget().used(), 0, "all is given back");
    let counters = engine.counters().clone();
    engine.finish();
    (all.take(), counters)
}

/// What is there of a message is what stands there in one that was sent.
fn agrees(got: &Got, sent: &Sent) -> bool {
    if got.client != sent.client {
        return false;
    }
    if got.whole {
        return got.octets == sent.payload;
    }
    // As many gaps as are told of, and up to the first gap of which nobody knows how long it is, the place of each octet is known.
    let (mut at, mut rest) = (0, &got.octets[..]);
    for (offset, len) in &got.gaps {
        let there = usize::try_from(*offset)
            .unwrap()
            .saturating_sub(at)
            .min(rest.len());
        let (now, behind) = rest.split_at(there);
        if sent.payload.get(at..at + there) != Some(now) {
            return false;
        }
        at += there + usize::try_from(*len).unwrap();
        rest = behind;
        if *len == 0 {
            return rest.is_empty() || sent.payload.windows(rest.len()).any(|w| w == rest);
        }
    }
    let told = got.gaps.len() < 64;
    sent.payload
        .get(at..)
        .is_some_and(|behind| !told || behind.starts_with(rest))
}

#[test]
fn messages_are_put_together_unmasked_and_decompressed() {
    for deflate in [Deflate::No, Deflate::Takeover, Deflate::Fresh] {
        let mut talk = Talk::new(deflate);
        talk.talk(120);
        let (all, counters) = found(&talk.whole(), Limits::default());
        assert_eq!(all.len(), talk.sent.len());
        for client in [true, false] {
            let of = all.iter().filter(|got| got.client == client);
            let sent = talk.sent.iter().filter(|sent| sent.client == client);
            for (got, sent) in of.zip(sent) {
                assert!(got.whole && got.octets == sent.payload, "{got:?}");
            }
        }
        let c = &counters.carried;
        assert_eq!(c.messages, talk.sent.len() as u64);
        assert_eq!((c.incomplete, c.undecoded, c.oversized), (0, 0, 0));
    }
}

/// A window, and a message that is half decoded, are plain data.
#[test]
fn a_message_goes_on_where_its_state_is_read_back() {
    let mut talk = Talk::new(Deflate::Takeover);
    talk.message(true, TEXT, b"the words of the first", 1);
    talk.message(true, BINARY, &body(20_000), 2);
    talk.message(true, TEXT, b"the words of the second", 1);
    let capture = talk.whole();
    let all = found(&capture, Limits::default()).0;
    let packets = common::pcap(&capture).1.len();
    assert!(all.len() == talk.sent.len() && packets > 8);
    for cut in 4..packets {
        assert_eq!(
            found_by_two(&capture, Limits::default(), cut).0,
            all,
            "{cut}"
        );
    }
}

#[test]
fn frames_are_packets_as_they_were() {
    let mut talk = Talk::new(Deflate::Takeover);
    talk.talk(40);
    let capture = talk.whole();
    let written = run(["-w", "-"], &capture).stdout;
    let asked = |capture: &[u8], filter| {
        fields(
            filter,
            &[
                "websocket.opcode",
                "websocket.fin",
                "websocket.payload_length",
            ],
            &[],
            capture,
        )
    };
    let join = |rows: Vec<Vec<String>>| -> [String; 3] {
        std::array::from_fn(|i| {
            let column = rows.iter().filter_map(|row| row.get(i));
            column.cloned().collect::<Vec<_>>().join(",")
        })
    };
    assert_eq!(asked(&written, "_ws.malformed"), Vec::<Vec<String>>::new());
    let frames = join(asked(&written, "websocket"));
    let sent: usize = talk.sent.iter().map(|sent| sent.frames.len()).sum();
    assert_eq!(frames[0].split(',').count(), sent);
    assert_eq!(frames, join(asked(&capture, "websocket")));
}

/// A message all of whose frames are there comes out whole after any loss, where it refers to no other.
#[test]
fn what_is_there_of_a_thinned_capture_comes_out() {
    for deflate in [Deflate::No, Deflate::Fresh, Deflate::Takeover] {
        let mut talk = Talk::new(deflate);
        talk.talk(300);
        let (mut whole, mut parts, mut intact) = (0, 0, 0);
        for seed in 1..=3 {
            let (capture, missing) =
                talk.thinned(seed, if deflate == Deflate::No { 3 } else { 15 });
            let (all, counters) = found(&capture, Limits::default());
            for got in &all {
                let sent = talk.sent.iter().find(|sent| agrees(got, sent));
                assert!(sent.is_some(), "seed {seed}: {got:?}");
                parts += usize::from(!got.whole && !got.octets.is_empty());
            }
            let incomplete = all.iter().filter(|got| !got.whole).count() as u64;
            assert_eq!(counters.carried.incomplete, incomplete);
            for sent in &talk.sent {
                let missing = &missing[usize::from(sent.client)];
                let touched =
                    |f: &Range<usize>| missing.iter().any(|m| m.start < f.end && f.start < m.end);
                if sent.frames.iter().any(touched) {
                    continue;
                }
                intact += 1;
                let found = all.iter().any(|got| got.whole && agrees(got, sent));
                whole += usize::from(found);
                let refers = deflate == Deflate::Takeover && sent.compressed;
                assert!(
                    found || refers,
                    "seed {seed}: {:?}",
                    String::from_utf8_lossy(&sent.payload)
                );
            }
        }
        assert!(intact > 600, "{intact}");
        // Of compressed messages hardly any is longer than a segment here.
        assert!(parts > 0 || deflate == Deflate::Fresh, "{parts}");
        // Behind a loss what each message copies from the one before stays unknown: few are whole then.
        let least = if deflate == Deflate::Takeover { 5 } else { 1 };
        assert!(whole * least >= intact, "{whole} of {intact}");
    }
}

#[test]
fn summaries_and_fields_are_those_of_messages() {
    let mut talk = Talk::new(Deflate::Takeover);
    talk.message(true, TEXT, "grüße".as_bytes(), 2);
    talk.message(false, TEXT, b"not \xff text", 1);
    talk.message(false, BINARY, &[0; 3000], 3);
    talk.message(true, CLOSE, b"\x03\xe8bye", 1);
    let capture = talk.whole();
    let printed = run(["-p"], &capture).stdout;
    let printed = String::from_utf8(printed).unwrap();
    for line in [
        "8 text gr\u{fc}\u{df}e",
        "ping ping inside of 0",
        "10 text not \\xff text",
        "3000 binary",
        "5 close 1000 bye",
    ] {
        let ends = printed.lines().any(|l| l.ends_with(line));
        assert!(ends || line.starts_with("8 "), "{line}: {printed}");
    }
    assert!(printed.contains("text gr\u{fc}\u{df}e"), "{printed}");
    let lines = run(["-j"], &capture).stdout;
    let lines = String::from_utf8(lines).unwrap();
    let of = |text: &str| {
        lines
            .lines()
            .find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("{text}: {lines}"))
    };
    let text = of("\"text\":\"gr\u{fc}\u{df}e\"");
    assert!(
        text.contains("\"websocket\":{\"opcode\":\"text\",\"compressed\":\"yes\",\"text\":"),
        "{text}"
    );
    assert!(
        text.contains("\"whole\":true") && !text.contains("\"stream\""),
        "{text}"
    );
    of("\"websocket\":{\"opcode\":\"close\",\"close_code\":1000,\"text\":\"bye\"}");
}

/// Where the handshake is lost the user says what it is, or the text behind the masks does; nobody needs to know whether messages refer
/// to each other.
#[test]
fn messages_behind_a_lost_handshake_are_decoded_too() {
    for (deflate, options) in [
        (Deflate::No, &["-j"][..]),
        (Deflate::Takeover, &["-j", "-d", "tcp.port==80,websocket"]),
        (Deflate::Fresh, &["-j", "-d", "tcp.port==80,websocket"]),
    ] {
        let mut talk = Talk::new(deflate);
        talk.talk(60);
        let mut n = 0;
        let (capture, _) = talk.runs.capture(|| {
            n += 1;
            n <= 2
        });
        let lines = run(options, &capture).stdout;
        let lines = String::from_utf8(lines).unwrap();
        let messages = lines
            .lines()
            .filter(|line| line.contains("\"type\":\"message\""));
        let whole = messages.filter(|line| {
            line.contains("\"protocol\":\"websocket\"") && line.contains("\"whole\":true")
        });
        // Without the user's word the first ones are passed over.
        let least = talk.sent.len() - if deflate == Deflate::No { 5 } else { 0 };
        let n = whole.clone().count();
        assert!((least..=talk.sent.len()).contains(&n), "{options:?}: {n}");
        let texts = whole.filter(|line| line.contains("\"text\":\"{\\\"id\\\""));
        assert!(texts.count() > 55);
    }
}

/// A name that was agreed on is not enough: what it said has to be known to be so.
#[test]
fn what_another_extension_has_made_is_not_decoded() {
    let mut talk = Talk::new(Deflate::Takeover);
    talk.message(false, TEXT, b"compressed in one way or another", 1);
    let capture = talk.whole();
    let name = b"permessage-deflate; client_max_window_bits=15";
    let at = capture.windows(name.len()).position(|w| w == name).unwrap();
    let mut other = capture;
    other[at..at + 18].copy_from_slice(b"permessage-another");
    let (all, counters) = found(&other, Limits::default());
    assert!(
        matches!(&all[..], [got] if !got.whole && got.octets.is_empty()),
        "{all:?}"
    );
    assert_eq!(
        (counters.carried.undecoded, counters.carried.oversized),
        (1, 0)
    );
}

#[test]
fn a_message_that_would_grow_too_much_ends_and_the_others_do_not() {
    let mut talk = Talk::new(Deflate::Fresh);
    talk.message(true, TEXT, b"before", 1);
    talk.message(true, BINARY, &vec![0; 64 << 20], 1);
    talk.message(true, TEXT, b"behind", 1);
    let (all, counters) = found(&talk.whole(), Limits::default());
    let whole: Vec<bool> = all.iter().map(|got| got.whole).collect();
    assert_eq!(whole, [true, false, true]);
    assert!(all[1].octets.len() < 10 << 20);
    assert_eq!(
        (counters.carried.undecoded, counters.carried.oversized),
        (1, 1)
    );
}

/// Fragments that nobody ends, control frames without end, and beginnings without their messages keep nothing.
#[test]
fn fragments_without_end_take_no_memory() {
    let mut talk = Talk::new(Deflate::No);
    for n in 0..10_000_u32 {
        let client = n % 2 == 0;
        let octets = match n % 5 {
            0 => frame(client, TEXT, &n.to_be_bytes()),
            4 => frame(client, 0x80 | PING, &n.to_be_bytes()),
            _ => frame(client, 0, &[b'a'; 40]),
        };
        talk.runs.write(client, &octets);
    }
    let limits = Limits {
        memory: 1 << 20,
        ..Limits::default()
    };
    let (all, counters) = found(&talk.whole(), limits);
    assert_eq!(counters.tcp.closed_evicted, 0);
    let pings = all.iter().filter(|got| got.whole).count();
    // Each text is ended by the next one, and ahead of its first one the server goes on with one that nobody began.
    assert_eq!((pings, all.len()), (2000, 4001));
}

/// Frames that no text tells, of a connection whose handshake is lost: they are known where another connection to the same server was
/// upgraded, before them or among them.
#[test]
fn frames_are_known_on_a_port_that_a_websocket_was_seen_on() {
    let other = (CLIENT.0, 50_001);
    for (upgraded_at, least) in [(Some(0), 38), (Some(10), 25), (None, 0)] {
        let mut pcap = Pcap::new();
        let mut seq = [7_000_000, 9_000_000];
        let mut sent = Vec::new();
        for n in 0..40_u32 {
            if upgraded_at == Some(n) {
                let response = Deflate::No.response();
                pcap.open(1000, 5000)
                    .client(1001, 5001, ACK | PSH, REQUEST)
                    .server(5001, behind(1001, REQUEST), ACK | PSH, &response);
            }
            let client = n % 2 == 0;
            let mut octets = n.to_be_bytes().to_vec();
            octets.extend(body(n as usize * 211 % 3000));
            let frame = frame(client, 0x80 | BINARY, &octets);
            for part in frame.chunks(1400) {
                let (i, o) = (usize::from(!client), usize::from(client));
                let ends = if client {
                    (other, SERVER)
                } else {
                    (SERVER, other)
                };
                let packet = pcap.segment(ends.0, ends.1, seq[i], seq[o], ACK | PSH, part);
                pcap.packet(&packet);
                seq[i] = behind(seq[i], part);
            }
            sent.push((client, octets));
        }
        let (all, _) = found(&pcap.file, Limits::default());
        let known = all.iter().filter(|got| got.whole);
        let right = known.clone().filter(|got| {
            let is =
                |(client, octets): &(bool, Vec<u8>)| *client == got.client && *octets == got.octets;
            sent.iter().any(is)
        });
        assert_eq!(known.count(), right.clone().count());
        let right = right.count();
        assert!(
            right >= least && (least > 0 || right == 0),
            "{upgraded_at:?}: {right}"
        );
    }
}

/// Only where they are asked for by name; what is missing of one is listed.
#[test]
fn messages_are_files() {
    let mut talk = Talk::new(Deflate::Fresh);
    talk.talk(40);
    talk.message(true, BINARY, b"\x89PNG\r\n\x1a\n and more", 2);
    let mut plain = Talk::new(Deflate::No);
    plain.talk(40);
    let (thinned, _) = plain.thinned(7, 30);
    let hash = |octets: &[u8]| common::sha256(octets);
    let is_data = |sent: &&Sent| !sent.payload.starts_with(b"p") && !sent.payload.is_empty();
    let mut sent: Vec<_> = talk
        .sent
        .iter()
        .filter(is_data)
        .map(|s| hash(&s.payload))
        .collect();
    sent.sort();
    for (capture, whole) in [(talk.whole(), true), (thinned, false)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        run(["-x", path], &capture).ok();
        let names = || {
            common::files(dir.path())
                .into_iter()
                .filter(|(n, _)| n != "files.jsonl")
        };
        assert_eq!(names().count(), 0, "they were not asked for");
        run(["-x", path, "--extract-protocols", "websocket"], &capture).ok();
        let files: Vec<_> = names().collect();
        let list = std::fs::read_to_string(dir.path().join("files.jsonl")).unwrap();
        let complete = list.matches("\"complete\":true").count();
        assert_eq!(list.lines().count(), files.len());
        let parts = files.iter().filter(|(n, _)| n.ends_with(".part")).count();
        assert_eq!(
            (files.len() - complete, whole),
            (parts, parts == 0),
            "{list}"
        );
        let mut found: Vec<_> = files
            .iter()
            .filter(|(n, _)| !n.ends_with(".part"))
            .map(|(_, octets)| hash(octets))
            .collect();
        found.sort();
        match whole {
            true => assert_eq!(found, sent),
            false => assert!(found.len() > 10 && found.iter().all(|f| sent.contains(f))),
        }
        assert!(
            !whole || files.iter().any(|(n, _)| n == "websocket.png"),
            "{list}"
        );
    }
}
