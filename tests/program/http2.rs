//! HTTP/2 in clear: its frames as packets, and the messages of its streams, many open at once, whole and thinned.

#![allow(clippy::unwrap_used)]

use crate::common::build::{ACK, PSH, Pcap, Runs, behind, body};
use crate::common::{self, fields, run};
use crate::har::entries;
use inet_asm::Assembler;
use inet_asm::base::flow::Direction;
use inet_asm::base::limits::Limits;
use inet_asm::base::message::Kind;
use inet_asm::message::WholeMessages;
use std::collections::VecDeque;
use std::ops::Range;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// An integer of RFC 7541, 5.1.
fn integer(first: u8, prefix: u32, value: usize) -> Vec<u8> {
    let most = (1 << prefix) - 1;
    if value < most {
        return vec![first | u8::try_from(value).unwrap()];
    }
    let mut out = vec![first | u8::try_from(most).unwrap()];
    let mut rest = value - most;
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap());
    out
}

/// Writes header blocks that add every field to the table, and refer to what is in it.
#[derive(Default)]
struct Encoder(VecDeque<(String, String)>);

impl Encoder {
    fn block(&mut self, fields: &[(&str, String)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in fields {
            let known = |(n, v): &(String, String)| n == name && v == value;
            if let Some(place) = self.0.iter().position(known) {
                out.extend(integer(0x80, 7, 62 + place));
                continue;
            }
            match self.0.iter().position(|(n, _)| n == name) {
                Some(place) => out.extend(integer(0x40, 6, 62 + place)),
                None => {
                    out.push(0x40);
                    out.extend(integer(0, 7, name.len()));
                    out.extend(name.bytes());
                }
            }
            out.extend(integer(0, 7, value.len()));
            out.extend(value.bytes());
            self.0.push_front(((*name).to_owned(), value.clone()));
            let size = |table: &VecDeque<(String, String)>| {
                table
                    .iter()
                    .map(|(n, v)| n.len() + v.len() + 32)
                    .sum::<usize>()
            };
            while size(&self.0) > 4096 {
                self.0.pop_back();
            }
        }
        out
    }
}

/// A message, as it was sent.
#[derive(Default)]
struct Sent {
    client: bool,
    start: String,
    lines: Vec<String>,
    body: Vec<u8>,
    /// Where its frames stand in the stream of its side.
    frames: Vec<Range<usize>>,
}

/// What both sides write, in turn.
#[derive(Default)]
struct Talk {
    runs: Runs,
    encoders: [Encoder; 2],
    sent: Vec<Sent>,
}

impl Talk {
    fn new() -> Self {
        let mut talk = Self::default();
        let settings = frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x64");
        talk.runs.write(true, &[PREFACE, &settings].concat());
        talk.runs
            .write(false, &[settings, frame(SETTINGS, 1, 0, b"")].concat());
        talk
    }

    /// A header section begins a message; its number.
    fn head(&mut self, client: bool, stream: u32, fields: &[(&str, String)], ends: bool) -> usize {
        let block = self.encoders[usize::from(client)].block(fields);
        let flags = END_HEADERS | u8::from(ends);
        // The block of every fifth stream goes on in another frame.
        let written = match stream % 5 {
            0 if block.len() > 3 => {
                let (a, b) = block.split_at(3);
                let first = frame(HEADERS, flags & END_STREAM, stream, a);
                let more = frame(CONTINUATION, END_HEADERS, stream, b);
                [first, more].concat()
            }
            _ => frame(HEADERS, flags, stream, &block),
        };
        let frames = vec![self.runs.write(client, &written)];
        let of = |name: &str| {
            fields
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.as_str())
        };
        let start = match (of(":method"), of(":status")) {
            (Some(method), _) => format!("{method} {} HTTP/2", of(":path").unwrap()),
            (None, status) => format!("HTTP/2 {}", status.unwrap()),
        };
        let lines = fields.iter().filter(|(n, _)| !n.starts_with(':'));
        let lines = lines.map(|(n, v)| format!("{n}: {v}")).collect();
        self.sent.push(Sent {
            client,
            start,
            lines,
            frames,
            ..Sent::default()
        });
        self.sent.len() - 1
    }

    fn data(&mut self, message: usize, stream: u32, octets: &[u8], ends: bool) {
        let client = self.sent[message].client;
        let padded = [&[3][..], octets, &[0; 3]].concat();
        let written = match stream % 3 {
            0 => frame(DATA, 8 | u8::from(ends), stream, &padded),
            _ => frame(DATA, u8::from(ends), stream, octets),
        };
        let place = self.runs.write(client, &written);
        self.sent[message].frames.push(place);
        self.sent[message].body.extend(octets);
    }

    /// So many streams at once, their answers in pieces, in turn.
    fn streams(&mut self, first: u32, many: u32) {
        let owned = |n: &'static str, v: &str| (n, v.to_owned());
        let ids: Vec<u32> = (0..many).map(|n| first + 2 * n).collect();
        for id in &ids {
            let posts = id % 7 == 0;
            let method = if posts { "POST" } else { "GET" };
            let mut fields = vec![
                owned(":method", method),
                owned(":path", &format!("/{id}")),
                owned("user-agent", "t"),
                owned("x-id", &id.to_string()),
            ];
            let text = body(100 + *id as usize % 900);
            if posts {
                fields.push(owned("content-length", &text.len().to_string()));
            }
            let message = self.head(true, *id, &fields, !posts);
            if posts {
                self.data(message, *id, &text, true);
            }
        }
        let mut open = Vec::new();
        for id in &ids {
            let text = format!("answer {id} {}", "x".repeat(*id as usize % 1500)).into_bytes();
            let mut fields = vec![
                owned(":status", if id % 3 == 0 { "404" } else { "200" }),
                owned("server", "s"),
                owned("x-re", &id.to_string()),
            ];
            if id % 2 == 1 {
                fields.push(owned("content-length", &text.len().to_string()));
            }
            let message = self.head(false, *id, &fields, false);
            open.push((message, *id, text));
        }
        for piece in 0..3 {
            for (message, id, text) in &open {
                let size = text.len().div_ceil(3);
                let part = text.chunks(size).nth(piece).unwrap_or_default();
                // The answers of every fourth stream have trailers.
                let ends = piece == 2 && id % 8 != 1;
                self.data(*message, *id, part, ends);
                if piece == 2 && !ends {
                    let sum = ("x-sum", format!("{id}"));
                    let block = self.encoders[0].block(&[sum]);
                    let flags = END_STREAM | END_HEADERS;
                    let place = self.runs.write(false, &frame(HEADERS, flags, *id, &block));
                    self.sent[*message].frames.push(place);
                }
            }
        }
    }

    fn whole(&self) -> Vec<u8> {
        self.runs.capture(|| false).0
    }
}

/// A message that was found.
#[derive(Debug)]
struct Got {
    client: bool,
    protocol: String,
    kind: Kind,
    start: String,
    lines: Vec<String>,
    body: Vec<u8>,
    gaps: Vec<(u64, u64)>,
    whole: bool,
}

/// The exchanges of `--json`.
fn exchanges(capture: &[u8]) -> Vec<serde_json::Value> {
    let text = run(["-j"], capture).text();
    let objects = common::objects(&text);
    let of_kind = |object: &serde_json::Value| object["type"] == "exchange";
    objects.filter(of_kind).collect()
}

fn found(capture: &[u8], limits: Limits) -> (Vec<Got>, inet_asm::base::counters::Counters) {
    let (_, records) = common::pcap(capture);
    let order: Vec<_> = (0..records.len()).collect();
    found_in_order(capture, &order, limits)
}

/// The same of the packets in another order.
fn found_in_order(
    capture: &[u8],
    order: &[usize],
    limits: Limits,
) -> (Vec<Got>, inet_asm::base::counters::Counters) {
    let (_, records) = common::pcap(capture);
    let mut all = Vec::new();
    let sink = WholeMessages::new(1 << 24, |m| {
        let end = m.octets.windows(4).position(|o| o == b"\r\n\r\n");
        let is_head = m.octets.starts_with(b"HTTP/2 ") || {
            let line = m.octets.split(|o| *o == b'\r').next().unwrap();
            line.ends_with(b" HTTP/2")
        };
        let end = end.filter(|_| is_head).map_or(0, |end| end + 4);
        let head = String::from_utf8_lossy(&m.octets[..end]).into_owned();
        let mut lines = head.trim_end().split("\r\n").map(str::to_owned);
        all.push(Got {
            client: m.direction == Direction::Forward,
            protocol: m.protocol.to_owned(),
            kind: m.kind,
            start: lines.next().unwrap_or_default(),
            lines: lines.collect(),
            body: m.octets[end..].to_vec(),
            gaps: m.gaps.to_vec(),
            whole: m.whole,
        });
    });
    let mut engine = Assembler::new(limits, sink);
    for (i, record) in order.iter().map(|i| &records[*i]).enumerate() {
        engine.packet(&record.packet(i));
    }
    engine.flush();
    let counters = engine.counters().clone();
    engine.finish();
    (all, counters)
}

fn is_known(text: &str) -> bool {
    !text.contains("[unknown")
}

/// What is known of this message is what was sent.
fn agrees(got: &Got, sent: &Sent) -> bool {
    let words = got.start.split(' ').zip(sent.start.split(' '));
    // Of an answer whose header section is lost, its trailers are what there is.
    let mut known = got.lines.iter().filter(|line| {
        let trailer = !got.whole && line.starts_with("x-sum: ");
        is_known(line) && !trailer
    });
    got.client == sent.client
        && words.into_iter().all(|(a, b)| a == b || !is_known(a))
        && known.all(|line| sent.lines.contains(line))
}

#[test]
fn a_hundred_streams_at_once_come_out_whole() {
    let mut talk = Talk::new();
    talk.streams(1, 100);
    let (all, counters) = found(&talk.whole(), Limits::default());
    assert_eq!(all.len(), talk.sent.len());
    for sent in &talk.sent {
        let same = |got: &&Got| {
            got.start == sent.start && got.lines == sent.lines && got.client == sent.client
        };
        let got = all.iter().find(same).unwrap();
        assert!(
            got.whole && got.body == sent.body && got.protocol == "http2",
            "{got:?}"
        );
        let kind = if sent.client {
            Kind::Request
        } else {
            Kind::Response
        };
        assert_eq!(got.kind, kind);
    }
    assert_eq!(counters.carried.messages, 200);
    assert_eq!(
        (counters.carried.incomplete, counters.carried.unknown_fields),
        (0, 0)
    );
    assert_eq!(
        counters.message.incomplete + counters.message.unframed_octets,
        0
    );
}

#[test]
fn frames_are_packets_in_the_order_of_the_connection() {
    let mut talk = Talk::new();
    talk.streams(1, 100);
    let capture = talk.whole();
    let written = run(["-w", "-"], &capture).stdout;
    let asked = |capture: &[u8], filter| {
        let names = ["http2.streamid", "http2.type", "http2.header.value"];
        fields(filter, &names, &[], capture)
    };
    assert_eq!(asked(&written, "_ws.malformed"), Vec::<Vec<String>>::new());
    let join = |rows: Vec<Vec<String>>| -> [String; 3] {
        std::array::from_fn(|i| {
            let column = rows.iter().filter_map(|row| row.get(i));
            let column = column.filter(|text| !text.is_empty()).cloned();
            column.collect::<Vec<_>>().join(",")
        })
    };
    let frames = join(asked(&written, "http2"));
    assert!(
        frames[1].split(',').count() > 500 && frames[2].contains("/199"),
        "{frames:?}"
    );
    assert_eq!(frames, join(asked(&capture, "http2")));
}

/// Every message all of whose frames are there comes out with all octets of its body, and its fields are right or unknown.
#[test]
fn what_is_there_of_a_thinned_capture_comes_out() {
    let mut talk = Talk::new();
    for round in 0..4 {
        talk.streams(1 + 100 * round, 50);
    }
    let (mut intact, mut unknown, mut lost) = (0, 0, 0);
    for (seed, percent) in (1..=5_u32).flat_map(|seed| [(seed, 1), (seed, 5)]) {
        let mut state = seed;
        let (capture, missing) = talk.runs.capture(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % 100 < percent
        });
        let (all, counters) = found(&capture, Limits::default());
        for got in &all {
            let known = talk.sent.iter().any(|sent| agrees(got, sent));
            assert!(known, "seed {seed}, {percent}%: {got:?}");
            let same = |sent: &Sent| agrees(got, sent) && got.body == sent.body;
            assert!(
                !got.whole || talk.sent.iter().any(same),
                "{seed}, {percent}%: {got:?}"
            );
        }
        for sent in &talk.sent {
            let missing = &missing[usize::from(sent.client)];
            let touched =
                |f: &Range<usize>| missing.iter().any(|m| m.start < f.end && f.start < m.end);
            if sent.frames.iter().any(touched) {
                lost += 1;
                continue;
            }
            intact += 1;
            let here = |got: &Got| agrees(got, sent) && got.body == sent.body;
            assert!(
                all.iter().any(here),
                "seed {seed}, {percent}%: {}",
                sent.start
            );
        }
        unknown += counters.carried.unknown_fields;
    }
    assert!(
        intact > 2500 && unknown > 500 && lost > 100,
        "{intact} {unknown} {lost}"
    );
}

/// Of packets that come late, each twentieth by up to five others, nothing is missing, and every field is known.
#[test]
fn what_comes_in_another_order_is_all_there() {
    let mut talk = Talk::new();
    for round in 0..4 {
        talk.streams(1 + 100 * round, 50);
    }
    let capture = talk.whole();
    let packets = common::pcap(&capture).1.len();
    for seed in 1..=5_u32 {
        let mut state = seed;
        let mut below = |n: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % n
        };
        let mut order: Vec<_> = (0..packets).collect();
        // Twice their places, so that what is late comes between two others.
        order.sort_by_cached_key(|i| match below(20) {
            0 => 2 * i + 3 + 2 * below(5) as usize,
            _ => 2 * i,
        });
        let (all, counters) = found_in_order(&capture, &order, Limits::default());
        assert_eq!(
            (all.len(), counters.carried.unknown_fields),
            (talk.sent.len(), 0),
            "seed {seed}"
        );
        for sent in &talk.sent {
            let here = |got: &Got| {
                got.whole
                    && got.start == sent.start
                    && got.lines == sent.lines
                    && got.client == sent.client
                    && got.body == sent.body
            };
            assert!(all.iter().any(here), "seed {seed}: {}", sent.start);
        }
    }
}

/// A loss inside of a frame touches the message of its stream alone: neither others nor the table of header fields.
#[test]
fn a_loss_inside_of_a_frame_is_a_gap_of_its_stream_alone() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let status = [owned(":status", "200"), owned("server", "s")];
    let mut talk = Talk::new();
    let large = talk.head(false, 1, &status, false);
    let small = talk.head(false, 5, &status, false);
    talk.data(small, 5, b"a", false);
    talk.data(large, 1, &body(15_000), false);
    talk.data(small, 5, b"b", true);
    talk.data(large, 1, b"end", true);
    talk.head(false, 7, &status, true);
    let mut n = 0;
    let (capture, missing) = talk.runs.capture(|| {
        n += 1;
        n == 7
    });
    let (all, counters) = found(&capture, Limits::default());
    assert_eq!(counters.carried.unknown_fields, 0);
    assert_eq!(
        (counters.carried.messages, counters.carried.incomplete),
        (3, 1)
    );
    let [missing] = &missing[0][..] else {
        panic!("one segment: {missing:?}");
    };
    let whole: Vec<_> = all.iter().map(|got| got.whole).collect();
    assert_eq!(whole, [true, false, true]);
    // What stands before the body: the header section as text, and the frames up to that of the body.
    let from = missing.start - talk.sent[0].frames[1].start - 9 + 25;
    assert_eq!(all[1].gaps, [(from as u64, missing.len() as u64)]);
    assert_eq!(all[1].body.len(), 15_003 - missing.len());
    assert!(all[0].body == b"ab" && all[2].start == "HTTP/2 200");
}

/// A block of which nobody knows where it begins is not read: its first octets are missing, or what stands ahead of it is.
#[test]
fn nothing_is_made_up_where_what_stands_ahead_of_a_block_is_missing() {
    let settings = frame(SETTINGS, 0, 0, b"");
    for at in 0..24 {
        // Exclusive, of stream 0, of weight 113; then GET, a path, and a field whose value looks like other fields.
        let field: Vec<u8> = (0..40_u8)
            .map(|o| 0x80 | o.wrapping_mul(7).wrapping_add(at))
            .collect();
        let block = [b"\x80\0\0\0\x70\x82\x86\x84\0\x06x-test\x28", &field[..]].concat();
        // Padded too, every other one.
        let (flags, payload) = match at % 2 {
            0 => (0x25, block),
            _ => (0x2d, [b"\x02", &block[..], b"\0\0"].concat()),
        };
        let headers = frame(HEADERS, flags, 1, &payload);
        let from = 9 + usize::from(at % 3);
        let to = from + 3 + usize::from(at);
        let ahead = [PREFACE, &settings].concat();
        let ping = frame(6, 0, 0, b"12345678");
        let mut pcap = Pcap::new();
        pcap.open(1000, 5000);
        pcap.client(1001, 5001, ACK | PSH, &ahead);
        let begins = behind(1001, &ahead);
        pcap.client(begins, 5001, ACK | PSH, &headers[..from]);
        let next = behind(begins, &headers[..to]);
        pcap.client(next, 5001, ACK | PSH, &headers[to..]);
        let next = behind(begins, &headers);
        pcap.client(next, 5001, ACK | PSH, &ping);
        pcap.server(5001, behind(next, &ping), ACK | PSH, &settings);
        let (all, _) = found(&pcap.file, Limits::default());
        let requests = all
            .iter()
            .filter(|got| got.protocol == "http2" && got.start.ends_with("HTTP/2"));
        for got in requests.clone() {
            assert!(!got.whole && got.lines.is_empty(), "{from}..{to}: {got:?}");
            assert_eq!(got.start, "[unknown] [unknown] HTTP/2");
        }
        assert_eq!(requests.count(), 1, "{from}..{to}: {all:?}");
    }
}

#[test]
fn a_connection_from_the_middle_is_one_of_http2() {
    let mut talk = Talk::new();
    talk.streams(1, 60);
    let mut n = 0;
    // Without its first 3 segments of payload and its SYN.
    let (capture, _) = talk.runs.capture(|| {
        n += 1;
        n <= 3
    });
    let handshake = common::pcap(&capture).1[2].end;
    let cut = [&capture[..24], &capture[handshake..]].concat();
    let (all, _) = found(&cut, Limits::default());
    let whole = all.iter().filter(|got| got.whole && !got.client).count();
    assert!(whole >= 55, "{whole} of {}", all.len());
    for got in all.iter().filter(|got| got.protocol == "http2") {
        assert!(talk.sent.iter().any(|sent| agrees(got, sent)), "{got:?}");
    }
}

#[test]
fn an_upgrade_and_a_server_alone_are_http2() {
    let mut talk = Talk::default();
    let ask = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    talk.runs.write(true, ask);
    talk.runs
        .write(false, &[&switch[..], &frame(SETTINGS, 0, 0, b"")].concat());
    let message = talk.head(false, 1, &[(":status", "200".to_owned())], false);
    talk.data(message, 1, b"hello", true);
    talk.runs
        .write(true, &[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat());
    talk.streams(3, 4);
    let (all, _) = found(&talk.whole(), Limits::default());
    let names: Vec<_> = all.iter().map(|got| got.protocol.as_str()).collect();
    assert_eq!(names, [&["http", "http"][..], &["http2"; 9]].concat());
    assert!(all.iter().all(|got| got.whole));
    assert_eq!(all[2].body, b"hello");
    // What asked for it is answered there, and is one row.
    let fields = [
        "-q",
        "--table=http",
        "--fields",
        "method,uri,status,response_bytes",
    ];
    let rows = run(fields, &talk.whole()).text();
    assert_eq!(rows.lines().nth(1), Some("GET\t/\t200\t19"), "{rows}");
    assert!(!rows.contains("\t101\t"), "{rows}");
    let exchanges = exchanges(&talk.whole());
    assert_eq!(exchanges.len(), 5, "{exchanges:?}");
    let first = &exchanges[0];
    assert_eq!(first["request"], "GET / HTTP/1.1 (a)");
    assert_eq!(first["response"], "HTTP/2 200");
    assert_eq!(first["stream"], 1);
    assert!(first["whole"] == true && first["delay"].as_f64() > Some(0.0));
    let entry = &entries(&run(["--har", "-"], &talk.whole()).ok())[0];
    assert_eq!(entry["request"]["httpVersion"], "HTTP/1.1");
    assert_eq!(entry["response"]["httpVersion"], "HTTP/2");
    assert_eq!(entry["response"]["content"]["text"], "hello");
    assert_eq!(entry["_stream"], 1);
    let printed = run(["-p"], &talk.whole()).printed();
    let answer = printed.lines().find(|line| line.contains("[1] HTTP/2 200"));
    assert!(answer.unwrap().ends_with("ms)"), "{printed}");
    // Where it is not in the capture, the switch is all that there is.
    talk.runs.all.truncate(1);
    talk.runs.write(false, switch);
    let alone = self::exchanges(&talk.whole());
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert_eq!(alone[0]["response"], "HTTP/1.1 101 Switching Protocols");
    // The client was not captured, but for its handshake.
    let mut talk = Talk::new();
    talk.streams(1, 5);
    talk.runs.all.retain(|(client, _)| !client);
    let (all, _) = found(&talk.whole(), Limits::default());
    let answers = all
        .iter()
        .filter(|got| got.kind == Kind::Response && got.whole);
    assert_eq!((answers.count(), all.len()), (5, 5), "{all:?}");
}

/// A server may send its SETTINGS as soon as the connection is there, and then be asked in HTTP/1.1 for an upgrade.
#[test]
fn a_server_that_begins_hides_no_request() {
    let ask = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let settings = frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x64\0\x04\0\0\xff\xff");
    let goes_away = frame(7, 0, 0, &[0; 8]);
    for (behind, names, status) in [
        (&goes_away[..], &["http"][..], 0),
        (b"", &["http"], 0),
        (
            b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n",
            &["http", "http"],
            400,
        ),
        (switch, &["http", "http"], 101),
    ] {
        let mut talk = Talk::default();
        talk.runs.write(false, &settings);
        talk.runs.write(true, ask);
        talk.runs.write(false, behind);
        let capture = talk.whole();
        let (all, counters) = found(&capture, Limits::default());
        let found: Vec<_> = all.iter().map(|got| got.protocol.as_str()).collect();
        assert_eq!(found, names, "{}", behind.escape_ascii());
        assert!(all[0].body.starts_with(b"GET /x HTTP/1.1"));
        assert!(all.iter().all(|got| got.whole));
        assert_eq!(counters.message.incomplete, 0);
        assert_eq!(
            counters.message.octets,
            (settings.len() + ask.len() + behind.len()) as u64
        );
        let har = entries(&run(["--har", "-"], &capture).ok());
        assert_eq!(har.len(), 1);
        assert_eq!(har[0]["response"]["status"], status);
        let frames = common::pcap(&run(["-w", "-"], &capture).ok()).1.len();
        let frames_of_behind = usize::from(!behind.is_empty());
        assert_eq!(frames, 2 + frames_of_behind, "as packets");
    }
}

/// Behind a loss a block may be trailers whose message is lost, or an interim response whose status is.
#[test]
fn what_a_block_is_behind_a_loss_its_fields_and_what_follows_tell() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let ask = |talk: &mut Talk, id| {
        talk.head(
            true,
            id,
            &[owned(":method", "GET"), owned(":path", "/")],
            true,
        );
    };
    // (blocks of the server's streams: the first is lost; what comes of the others)
    let block = |id, flags, octets: &[u8]| frame(HEADERS, END_HEADERS | flags, id, octets);
    // `:status: 103` as an entry that is new, that entry, a status of the static table.
    let (adds, entry, ok) = (&b"\x48\x03103"[..], &b"\xbe"[..], &b"\x88"[..]);
    let trailer = &b"\x00\x05x-sum\x017"[..];
    let body = frame(DATA, END_STREAM, 3, b"body");
    let begun = frame(DATA, 0, 3, b"body");
    for (lost, behind, expected) in [
        // The header section and the body.
        (
            block(3, 0, ok),
            vec![block(3, END_STREAM, trailer)],
            &[" false "][..],
        ),
        (
            block(1, 0, adds),
            vec![block(3, 0, entry), block(3, 0, ok), body.clone()],
            &["HTTP/2 [unknown] false ", "HTTP/2 200 true body"],
        ),
        // That it is no interim one, its body tells, or its trailers.
        (
            block(1, 0, adds),
            vec![block(3, 0, entry), body.clone()],
            &["HTTP/2 [unknown] false body"],
        ),
        (
            block(1, 0, adds),
            vec![block(3, 0, entry), block(3, END_STREAM, trailer)],
            &["HTTP/2 [unknown] false "],
        ),
        (
            block(1, 0, adds),
            vec![block(3, 0, entry)],
            &["HTTP/2 [unknown] false "],
        ),
        (
            block(1, 0, adds),
            vec![block(3, 0, entry), begun, block(3, END_STREAM, trailer)],
            &["HTTP/2 [unknown] false body"],
        ),
    ] {
        let mut talk = Talk::new();
        for id in [1, 3] {
            ask(&mut talk, id);
        }
        talk.runs.write(false, &lost);
        talk.runs.write(true, &frame(6, 0, 0, &[0; 8]));
        talk.runs.write(false, &behind.concat());
        let mut segment = 0;
        let (capture, _) = talk.runs.capture(|| {
            segment += 1;
            segment == 4
        });
        let (all, _) = found(&capture, Limits::default());
        let answers = all
            .iter()
            .filter(|got| !got.client && got.protocol == "http2");
        let shown = |got: &Got| {
            let body = String::from_utf8_lossy(&got.body).into_owned();
            format!("{} {} {body}", got.start, got.whole)
        };
        assert_eq!(answers.map(shown).collect::<Vec<_>>(), expected);
        let answered = exchanges(&capture);
        let answered = answered.iter().filter(|e| e["response"].is_string());
        assert_eq!(answered.count(), 1);
    }
}

/// An index that no entry can have is an error of the connection (RFC 7541, 2.3.3): what was decoded may be wrong, and is not whole.
#[test]
fn an_index_beyond_the_table_is_no_field() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    for (block, bad) in [
        (&b"\x82\x84\xbe"[..], false),
        (b"\x82\x84\xc0", true),
        (b"\x82\x84\xff\xff\xff\xff\x7f", true),
        (b"\x82\x84\x7f\x80\x08\x01x", true),
        // A string of Huffman's code that ends in no padding.
        (b"\x82\x84\x44\x81\x00", true),
    ] {
        let mut talk = Talk::new();
        // One entry for the path, one for the field.
        talk.head(
            true,
            1,
            &[owned(":path", "/x"), owned(":method", "GET")],
            true,
        );
        talk.runs
            .write(true, &frame(HEADERS, END_HEADERS | END_STREAM, 3, block));
        let (all, counters) = found(&talk.whole(), Limits::default());
        let whole: Vec<_> = all.iter().map(|got| got.whole).collect();
        assert_eq!(whole, [true, !bad], "{}", block.escape_ascii());
        assert_eq!(counters.carried.bad_blocks, u64::from(bad));
    }
}

#[test]
fn interim_answers_promises_trailers_and_resets() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let mut talk = Talk::new();
    let get = [owned(":method", "GET"), owned(":path", "/")];
    talk.head(true, 1, &get, true);
    talk.head(
        false,
        1,
        &[owned(":status", "103"), owned("link", "x")],
        false,
    );
    let promise = talk.encoders[0].block(&[owned(":method", "GET"), owned(":path", "/p")]);
    let promise = [&2_u32.to_be_bytes()[..], &promise].concat();
    talk.runs
        .write(false, &frame(PUSH_PROMISE, END_HEADERS, 1, &promise));
    let answer = talk.head(false, 1, &[owned(":status", "200")], false);
    let pushed = talk.head(false, 2, &[owned(":status", "200")], false);
    talk.data(pushed, 2, b"pushed", true);
    talk.data(answer, 1, b"body", false);
    let trailers = talk.encoders[0].block(&[owned("x-sum", "7")]);
    talk.runs.write(
        false,
        &frame(HEADERS, END_STREAM | END_HEADERS, 1, &trailers),
    );
    talk.head(true, 3, &get, true);
    let broken = talk.head(false, 3, &[owned(":status", "200")], false);
    talk.data(broken, 3, b"half", false);
    talk.runs
        .write(false, &frame(RST_STREAM, 0, 3, &[0, 0, 0, 8]));
    let capture = talk.whole();
    let (all, _) = found(&capture, Limits::default());
    let shown = |got: &Got| {
        let body = String::from_utf8_lossy(&got.body).into_owned();
        format!("{} {} {body}", got.start, got.whole)
    };
    assert_eq!(
        all.iter().map(shown).collect::<Vec<_>>(),
        [
            "GET / HTTP/2 true ",
            "HTTP/2 103 true ",
            "GET /p HTTP/2 true ",
            "HTTP/2 200 true pushed",
            "HTTP/2 200 true body",
            "GET / HTTP/2 true ",
            "HTTP/2 200 false half",
        ]
    );
    let json = run(["-j"], &capture).text();
    let answer = json.lines().find(|line| line.contains("x-sum"));
    let answer = answer.expect("the trailers");
    assert!(
        answer.contains(r#""stream":1,"#) && answer.contains(r#""status":200"#),
        "{answer}"
    );
    let table = run(["--table=http"], &capture).text();
    assert_eq!(
        table
            .lines()
            .filter(|line| line.contains("\tGET\t"))
            .count(),
        2,
        "{table}"
    );
    let printed = run(["-p"], &capture).printed();
    assert!(printed.contains("[3] HTTP/2 200"), "{printed}");
}

#[test]
fn files_are_taken_out_and_messages_of_grpc_are_listed() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let mut talk = Talk::new();
    let ask = [
        owned(":method", "POST"),
        owned(":path", "/pkg.Service/Call.bin"),
        owned(":authority", "a"),
    ];
    let message = talk.head(
        true,
        1,
        &[&ask[..], &[owned("content-type", "application/grpc")]].concat(),
        false,
    );
    let one = [&[0, 0, 0, 0, 5][..], b"first"].concat();
    let two = [&[1, 0, 0, 0, 4][..], b"next"].concat();
    let both = [one, two].concat();
    // The prefix of the second is cut by the end of a frame.
    talk.data(message, 1, &both[..13], false);
    talk.data(message, 1, &both[13..], true);
    let answer = talk.head(
        false,
        1,
        &[
            owned(":status", "200"),
            owned("content-type", "application/grpc"),
        ],
        false,
    );
    talk.data(answer, 1, &[0, 0, 0, 0, 0], false);
    let trailers =
        talk.encoders[0].block(&[owned("grpc-status", "5"), owned("grpc-message", "none")]);
    talk.runs.write(
        false,
        &frame(HEADERS, END_STREAM | END_HEADERS, 1, &trailers),
    );
    let capture = talk.whole();
    let json = run(["-j"], &capture).text();
    let listed = r#""messages":[{"offset":0,"length":5,"whole":true,"summary":""},{"offset":10,"length":4,"whole":true,"summary":"compressed"}]"#;
    assert!(json.contains(listed), "{json}");
    assert!(
        json.contains(r#""grpc_status":5,"grpc_message":"none""#),
        "{json}"
    );
    let dir = tempfile::tempdir().unwrap();
    run(["-x", dir.path().to_str().unwrap()], &capture);
    let file = std::fs::read(dir.path().join("Call.bin")).unwrap();
    assert_eq!(file, both);
}

/// The stream ends properly, and the last message in it does not: that is told in the list.
#[test]
fn a_message_of_grpc_that_is_cut_is_not_whole() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let all = [&[0, 0, 0, 0, 5][..], b"first", &[1, 0, 0, 0, 4], b"next"].concat();
    let first = r#"{"offset":0,"length":5,"whole":true,"summary":""}"#;
    for (len, last) in [
        (
            all.len(),
            r#",{"offset":10,"length":4,"whole":true,"summary":"compressed"}"#,
        ),
        (
            all.len() - 1,
            r#",{"offset":10,"length":4,"whole":false,"summary":"compressed"}"#,
        ),
        (
            12,
            r#",{"offset":10,"length":null,"whole":false,"summary":"compressed"}"#,
        ),
        (10, ""),
    ] {
        let mut talk = Talk::new();
        let ask = [
            owned(":method", "POST"),
            owned(":path", "/s/Call"),
            owned("content-type", "application/grpc"),
        ];
        let message = talk.head(true, 1, &ask, false);
        talk.data(message, 1, &all[..len], true);
        let json = run(["-j"], &talk.whole()).text();
        let listed = format!(r#""messages":[{first}{last}]"#);
        assert!(json.contains(&listed), "{len}: {json}");
    }
}

/// Messages of gRPC that are compressed come out of `-x` as if they were not.
#[test]
fn compressed_messages_of_grpc_are_decompressed() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let text = body(3000);
    let packed = common::gzip(&text);
    let prefixed = |flag: u8, octets: &[u8]| {
        let len = u32::try_from(octets.len()).unwrap().to_be_bytes();
        [&[flag][..], &len, octets].concat()
    };
    let mut talk = Talk::new();
    for (stream, encoding) in [(1, "gzip"), (3, "identity")] {
        let ask = [
            owned(":method", "POST"),
            owned(":path", &format!("/pkg.Service/{encoding}.bin")),
            owned("content-type", "application/grpc+proto"),
            owned("grpc-encoding", encoding),
        ];
        let message = talk.head(true, stream, &ask, false);
        let coded = if stream == 1 {
            prefixed(1, &packed)
        } else {
            prefixed(0, &text)
        };
        talk.data(
            message,
            stream,
            &[prefixed(0, b"plain"), coded].concat(),
            true,
        );
    }
    let dir = tempfile::tempdir().unwrap();
    run(["-x", dir.path().to_str().unwrap()], &talk.whole()).ok();
    let expected = [prefixed(0, b"plain"), prefixed(0, &text)].concat();
    for name in ["gzip.bin", "identity.bin"] {
        assert_eq!(
            std::fs::read(dir.path().join(name)).unwrap(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn exchanges_tell_their_stream_and_the_limit_of_streams_is_an_option() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let mut talk = Talk::new();
    talk.streams(1, 3);
    let json = run(["-j"], &talk.whole()).text();
    for stream in [1, 3, 5] {
        let stream = format!("\"stream\":{stream},");
        let mut exchanges = json.lines().filter(|line| line.contains("\"exchange\""));
        assert_eq!(exchanges.clone().count(), 3);
        assert!(
            exchanges.any(|line| line.contains(&stream)),
            "{stream}: {json}"
        );
    }
    let mut talk = Talk::new();
    for n in 0..20 {
        let ask = [owned(":method", "POST"), owned(":path", "/")];
        talk.head(true, 2 * n + 1, &ask, false);
    }
    let done = run(["-j", "-s", "--max-streams", "8"], &talk.whole());
    assert_eq!(common::counter(&done.stderr, "carried.evicted"), 12);
}

/// Octets of memory that a run needs at most, by what it has counted.
fn most_memory(capture: &[u8]) -> (usize, inet_asm::base::counters::Counters) {
    let (_, records) = common::pcap(capture);
    let sink = WholeMessages::new(1 << 24, |_| {});
    let mut engine = Assembler::new(Limits::default(), sink);
    let mut most = 0;
    for (i, record) in records.iter().enumerate() {
        engine.packet(&record.packet(i));
        most = most.max(engine.budget().used());
    }
    engine.flush();
    let counters = engine.counters().clone();
    assert_eq!(engine.budget().used(), 0, "all is given back");
    (most, counters)
}

/// Every stream is an entry of `--har`, with the bodies that were sent; so is what a server pushes.
#[test]
fn har_has_an_entry_for_each_stream() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let mut talk = Talk::new();
    talk.streams(1, 30);
    let mut found = entries(&run(["--har", "-"], &talk.whole()).ok());
    assert_eq!(found.len(), 30);
    found.sort_by_key(|entry| entry["_stream"].as_u64());
    for (entry, id) in found.iter().zip((1_u64..).step_by(2)) {
        let sent = |client| {
            let name = format!("x-{}: {id}", if client { "id" } else { "re" });
            let mut all = talk.sent.iter().filter(|sent| sent.client == client);
            all.find(|sent| sent.lines.contains(&name)).unwrap()
        };
        let (request, response) = (&entry["request"], &entry["response"]);
        assert_eq!(entry["_stream"], id);
        let line = format!("{} /{id} HTTP/2", request["method"].as_str().unwrap());
        assert_eq!(sent(true).start, line);
        assert_eq!(request["url"], format!("http://203.0.113.80:80/{id}"));
        let posted = request["postData"]["text"].as_str().unwrap_or_default();
        assert_eq!(posted.as_bytes(), sent(true).body);
        let text = response["content"]["text"].as_str().unwrap();
        assert_eq!(text.as_bytes(), sent(false).body);
        assert_eq!(response["httpVersion"], "HTTP/2");
        assert_eq!(response["headersSize"], -1);
        let trailer = response["headers"].as_array().unwrap().last().unwrap();
        assert_eq!(trailer["name"] == "x-sum", id % 8 == 1, "{entry}");
        let connect = &entry["timings"]["connect"];
        assert_eq!(*connect != -1, id == 1, "{entry}");
    }
    let mut talk = Talk::new();
    let get = [
        owned(":method", "GET"),
        owned(":path", "/page"),
        owned(":authority", "h"),
    ];
    talk.head(true, 1, &get, true);
    let pushed = [
        owned(":method", "GET"),
        owned(":path", "/style"),
        owned(":authority", "h"),
    ];
    let block = talk.encoders[0].block(&pushed);
    let promise = [&2_u32.to_be_bytes()[..], &block].concat();
    talk.runs
        .write(false, &frame(PUSH_PROMISE, END_HEADERS, 1, &promise));
    for id in [1, 2] {
        let message = talk.head(false, id, &[owned(":status", "200")], false);
        talk.data(message, id, format!("answer {id}").as_bytes(), true);
    }
    let found = entries(&run(["--har", "-"], &talk.whole()).ok());
    let texts: Vec<_> = found
        .iter()
        .map(|e| {
            (
                e["request"]["url"].as_str(),
                e["response"]["content"]["text"].as_str(),
            )
        })
        .collect();
    let page = (Some("http://h/page"), Some("answer 1"));
    let style = (Some("http://h/style"), Some("answer 2"));
    assert_eq!(texts, [page, style]);
    assert_eq!(found[1]["comment"], "pushed by the server");
    assert_eq!(found[1]["serverIPAddress"], "203.0.113.80");
}

#[test]
fn streams_that_are_never_closed_are_bounded() {
    let owned = |n: &'static str, v: &str| (n, v.to_owned());
    let mut talk = Talk::new();
    for n in 0..10_000 {
        talk.head(
            true,
            2 * n + 1,
            &[owned(":method", "POST"), owned(":path", "/")],
            false,
        );
    }
    let (most, counters) = most_memory(&talk.whole());
    assert!(most < 4 << 20, "{most}");
    assert_eq!(counters.carried.messages, 10_000);
    assert_eq!(
        counters.carried.evicted,
        10_000 - Limits::default().carried_streams as u64
    );
}

#[test]
fn blocks_and_settings_without_end_are_bounded() {
    // An entry of 4,000 octets, referred to 200,000 times: 800 MB.
    let mut bomb = [
        &[0x40][..],
        &integer(0, 7, 1),
        b"a",
        &integer(0, 7, 3900),
        &[b'x'; 3900],
    ]
    .concat();
    bomb.extend([0xbe; 200_000]);
    let mut talk = Talk::new();
    talk.runs
        .write(true, &frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb));
    let (most, counters) = most_memory(&talk.whole());
    assert!(most < 2 << 20, "{most}");
    assert!(counters.carried.left_out_fields > 199_000);
    // A block that goes on and on, with a field that does, too.
    let mut talk = Talk::new();
    talk.runs.write(
        true,
        &frame(HEADERS, 0, 1, b"\x40\x01a\x7f\xff\xff\xff\x07"),
    );
    for _ in 0..40_000 {
        talk.runs
            .write(true, &frame(CONTINUATION, 0, 1, &[b'y'; 64]));
    }
    let (most, counters) = most_memory(&talk.whole());
    assert!(most < 2 << 20, "{most}");
    assert_eq!(
        (counters.carried.messages, counters.carried.incomplete),
        (1, 1)
    );
    // Settings by the ten thousand.
    let mut talk = Talk::new();
    for n in 0..10_000_u32 {
        let setting = [&[0, 1][..], &n.to_be_bytes()].concat();
        talk.runs
            .write(true, &frame(SETTINGS, 0, 0, &setting.repeat(10)));
    }
    let (most, counters) = most_memory(&talk.whole());
    assert!(most < 1 << 20, "{most}");
    assert_eq!(counters.carried.messages, 0);
}
