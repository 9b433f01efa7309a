//! The library, used as others do: packets or segments in, one's own sink and detector, tracing.

use crate::common::build::{ACK, FIN, PSH, Pcap, behind, get};
use crate::common::{read, run, testdata};
use inet_asm::Assembler;
use inet_asm::base::connection_rule::ConnectionRule;
use inet_asm::base::counters::Counters;
use inet_asm::base::flags;
use inet_asm::base::limits::{Channels, Limits};
use inet_asm::base::message::Kind;
use inet_asm::base::packet::{LinkHeader, PacketInfo, VlanTag};
use inet_asm::base::place::OctetOffset;
use inet_asm::base::serial::SeqNumber;
use inet_asm::base::stream::Gap;
use inet_asm::base::time::Timestamp;
use inet_asm::capture::Reader;
use inet_asm::message::custom::{CustomDetector, Verdict};
use inet_asm::message::events::DatagramMessage;
use inet_asm::message::framing::Following;
use inet_asm::message::{
    MessageEnd, MessageGap, MessageSink, MessageStart, Piece, WholeMessage, WholeMessages,
};
use inet_asm::transport::StreamContext;
use inet_asm::transport::datagram::DatagramContext;
use inet_asm::transport::tcp::Segment;
use serde::{Deserialize, Serialize};
use std::process::Command;

/// What is told, in words.
#[derive(Default)]
struct Told(Vec<String>);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept(Vec<u8>);

impl MessageSink for Told {
    type State = Kept;

    fn start(&mut self, at: &mut StreamContext<'_, Kept>, start: &MessageStart<'_>) {
        at.state.0.clear();
        self.0.push(format!("{} {:?}", start.protocol, start.kind));
    }
    fn data(&mut self, at: &mut StreamContext<'_, Kept>, piece: &Piece<'_>) {
        at.state.0.extend(piece.data);
    }
    fn gap(&mut self, _: &mut StreamContext<'_, Kept>, gap: &MessageGap) {
        self.0.push(format!("lacks {}", gap.len));
    }
    fn end(&mut self, at: &mut StreamContext<'_, Kept>, end: &MessageEnd) {
        let how = if end.whole { "whole" } else { "incomplete" };
        self.0.push(format!("{} {how}", at.state.0.escape_ascii()));
    }
    fn datagram(&mut self, _: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        self.0.push(format!("datagram {}", message.payload.len()));
    }
    fn stream_gap(&mut self, _: &mut StreamContext<'_, Kept>, gap: &Gap) {
        self.0.push(format!("gap {:?}", gap.len));
    }
}

/// `#`, two digits of length, so many octets; at the end of a stream what is left behind `#` is a message too.
const NOTES: CustomDetector = CustomDetector::new("notes", |look| match look.octets {
    [b'#', a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => Verdict::Message {
        kind: Kind::Other,
        len: 3 + u64::from(a - b'0') * 10 + u64::from(b - b'0'),
    },
    [b'#', ..] if look.next == Following::End => Verdict::Message {
        kind: Kind::Other,
        len: look.octets.len() as u64,
    },
    [b'#'] | [b'#', b'0'..=b'9'] => Verdict::More,
    _ => Verdict::Refuse,
});

/// A segment of one stream.
fn segment(seq: u32, flags: u8, payload: &[u8]) -> Segment<'_> {
    Segment {
        src: ([10, 0, 0, 1].into(), 40000),
        dst: ([10, 0, 0, 2].into(), 7),
        seq: SeqNumber(seq),
        ack: None,
        flags,
        window: 1000,
        window_scale: None,
        payload,
        payload_len: u32::try_from(payload.len()).expect("short"),
        payload_sum: None,
        offset: OctetOffset::Unknown,
    }
}

/// The messages of one stream that is made of segments: each its place from the first octet, and its octets.
fn notes(segments: &[(u32, &[u8])], chunk: usize) -> (Vec<String>, Counters) {
    let limits = Limits::default();
    let mut assembler = Assembler::new(limits, Told::default()).with_detectors(vec![NOTES]);
    let mut frame = 0;
    let mut send = |seq: u32, flags: u8, payload: &[u8]| {
        frame += 1;
        assembler.segment(
            frame,
            Timestamp::from_nanos(frame * 1_000_000),
            &segment(seq, flags, payload),
        );
    };
    send(99, flags::SYN, b"");
    let mut end = 100;
    for (place, octets) in segments {
        for (n, part) in octets.chunks(chunk).enumerate() {
            let at = 100 + place + u32::try_from(n * chunk).expect("short");
            send(at, flags::PSH, part);
            end = end.max(behind(at, part));
        }
    }
    send(end, flags::FIN, b"");
    let counters = assembler.counters().clone();
    (assembler.finish().0, counters)
}

#[test]
fn a_detector_of_ones_own_frames_a_stream() {
    let stream: &[u8] = b"#05hello#02hi#00#03end";
    let expected: Vec<String> = ["#05hello", "#02hi", "#00", "#03end"]
        .iter()
        .flat_map(|m| ["notes Other".to_owned(), format!("{m} whole")])
        .collect();
    for chunk in 1..=stream.len() {
        assert_eq!(notes(&[(0, stream)], chunk).0, expected, "{chunk}");
    }
    // In any order.
    assert_eq!(
        notes(&[(8, &stream[8..]), (0, &stream[..8])], 4).0,
        expected
    );
}

#[test]
fn a_detector_of_ones_own_hears_of_gaps_and_drains() {
    // A gap between messages, then something that is refused, then the next message, then what is left.
    let (told, counters) = notes(&[(0, b"#02hi"), (15, b"rest#03end#9")], 100);
    assert_eq!(
        told,
        [
            "notes Other",
            "#02hi whole",
            "gap Some(10)",
            "notes Other",
            "#03end whole",
            "notes Other",
            "#9 whole",
        ]
    );
    assert_eq!(counters.tcp.segments, 4);
    // A gap inside a message, whose end is known.
    let (told, _) = notes(&[(0, b"#10ab"), (10, b"def#01x")], 100);
    assert_eq!(
        told,
        [
            "notes Other",
            "lacks 5",
            "gap Some(5)",
            "#10abdef incomplete",
            "notes Other",
            "#01x whole",
        ]
    );
}

#[test]
fn a_detector_that_never_decides_holds_no_more_than_the_limit() {
    const NEVER: CustomDetector = CustomDetector::new("never", |_| Verdict::More);
    let mut assembler =
        Assembler::new(Limits::default(), Told::default()).with_detectors(vec![NEVER]);
    for frame in 0..200u32 {
        let payload = [b'x'; 1000];
        let segment = Segment {
            src: ([10, 0, 0, 1].into(), 40000),
            dst: ([10, 0, 0, 2].into(), 7),
            seq: SeqNumber(100 + frame * 1000),
            ack: None,
            flags: flags::PSH,
            window: 1000,
            window_scale: None,
            payload: &payload,
            payload_len: 1000,
            payload_sum: None,
            offset: OctetOffset::Unknown,
        };
        assembler.segment(frame.into(), Timestamp::from_nanos(1_000_000), &segment);
    }
    let counters = assembler.counters();
    assert!(counters.buffer.peak < 1 << 20, "{}", counters.buffer.peak);
    let octets = counters.message.octets;
    assert!(octets >= 100_000, "{octets}");
}

/// A request is `?` and a digit; its answer has so many octets, and says so nowhere.
const READS: CustomDetector =
    CustomDetector::new("reads", |look| match (look.ports, look.octets) {
        ((_, 7), [b'?', n @ b'1'..=b'9', ..]) => {
            look.state[0] = u64::from(n - b'0');
            Verdict::Message {
                kind: Kind::Request,
                len: 2,
            }
        }
        ((_, 7), [b'?']) => Verdict::More,
        ((7, _), _) if !look.settled => Verdict::Wait,
        ((7, _), _) if look.state[0] > 0 => Verdict::Message {
            kind: Kind::Response,
            len: std::mem::take(&mut look.state[0]),
        },
        _ => Verdict::Refuse,
    })
    .with_gap(|state, _| *state = [0; 4]);

/// What is made of these segments, from the client or the server: seq, ack, octets.
fn reads(segments: &[(bool, u32, u32, &'static [u8])]) -> Vec<String> {
    let mut assembler =
        Assembler::new(Limits::default(), Told::default()).with_detectors(vec![READS]);
    for (frame, (client, seq, ack, payload)) in (1..).zip(segments) {
        let mut segment = segment(*seq, flags::PSH, payload);
        if payload.is_empty() {
            segment.flags = flags::SYN;
        } else {
            segment.ack = Some(SeqNumber(*ack));
        }
        if !client {
            std::mem::swap(&mut segment.src, &mut segment.dst);
        }
        assembler.segment(frame, Timestamp::from_nanos(frame * 1_000_000), &segment);
    }
    assembler.finish().0
}

#[test]
fn a_detector_waits_for_the_other_direction_and_remembers() {
    let expected = [
        "reads Request",
        "?3 whole",
        "reads Response",
        "abc whole",
        "reads Request",
        "?2 whole",
        "reads Response",
        "de whole",
    ];
    let opened = [(true, 99, 0, &b""[..]), (false, 499, 0, b"")];
    let turns: [(bool, u32, u32, &[u8]); 4] = [
        (true, 100, 500, b"?3"),
        (false, 500, 102, b"abc"),
        (true, 102, 503, b"?2"),
        (false, 503, 104, b"de"),
    ];
    let [a, b, c, d] = turns;
    let with = |order: [_; 4]| reads(&[&opened[..], &order].concat());
    assert_eq!(with([a, b, c, d]), expected);
    // Each answer is captured before its request.
    assert_eq!(with([b, a, d, c]), expected);
    // The first request is lost: of what answers it nobody can tell how long it is. What follows is not touched by that.
    let told = reads(&[&opened[..], &[b, c, d]].concat());
    assert!(
        told.ends_with(
            &expected[4..]
                .iter()
                .map(|s| (*s).to_owned())
                .collect::<Vec<_>>()
        ),
        "{told:?}"
    );
}

#[test]
fn segments_have_the_tags_of_their_packets() {
    let run = |channels| {
        let limits = Limits {
            channels,
            ..Limits::default()
        };
        let mut assembler = Assembler::new(limits, Told::default()).with_detectors(vec![NOTES]);
        let mut frame = 0;
        for (seq, flags, payload) in [
            (99, flags::SYN, &b""[..]),
            (100, flags::PSH, b"#05hello"),
            (108, flags::PSH, b"#02hi"),
        ] {
            for tci in [10, 20] {
                frame += 1;
                let tags = [VlanTag { tpid: 0x8100, tci }, VlanTag::default()];
                let packet = PacketInfo {
                    frame,
                    time: Timestamp::from_nanos(frame * 1_000_000),
                    link: LinkHeader {
                        tags,
                        ..LinkHeader::default()
                    },
                    ..PacketInfo::default()
                };
                assembler.segment_of(packet, &segment(seq, flags, payload));
            }
        }
        let connections = assembler.counters().tcp.connections;
        let told = assembler.finish().0;
        let whole = told.iter().filter(|t| t.ends_with(" whole")).count();
        (connections, whole)
    };
    assert_eq!(run(Channels::Merge), (1, 2));
    assert_eq!(run(Channels::Separate), (2, 4));
}

#[test]
fn whole_messages_come_with_their_octets_up_to_a_bound() {
    for most in [5, 1000] {
        let mut told = Vec::new();
        let sink = WholeMessages::new(most, |m: &WholeMessage<'_>| {
            let octets = m.octets.escape_ascii().to_string();
            told.push((octets, m.len, m.gaps.to_vec(), m.whole, m.is_cut(), m.frame));
        });
        let mut assembler = Assembler::new(Limits::default(), sink).with_detectors(vec![NOTES]);
        for (frame, (seq, flags, payload)) in (1..).zip([
            (99, flags::SYN, &b""[..]),
            (100, flags::PSH, b"#05hel"),
            (106, flags::PSH, b"lo#10ab"),
            // Five octets are missing.
            (118, flags::PSH, b"def#01x"),
        ]) {
            let time = Timestamp::from_nanos(frame * 1_000_000);
            assembler.segment(frame, time, &segment(seq, flags, payload));
        }
        assembler.flush();
        assert_eq!(
            assembler.counters().buffer.waiting.min(1 << 16),
            assembler.counters().buffer.waiting
        );
        drop(assembler);
        let cut = |text: &str| text[..text.len().min(most)].to_owned();
        let small = most == 5;
        assert_eq!(
            told,
            [
                (cut("#05hello"), 8, vec![], true, small, 3),
                (cut("#10abdef"), 8, vec![(5, 5)], false, small, 4),
                (cut("#01x"), 4, vec![], true, false, 4),
            ]
        );
    }
}

#[test]
fn a_connection_is_traced() {
    let mut capture = Pcap::new();
    capture.open(100, 200);
    let ask = get("/x");
    let end = behind(101, &ask);
    capture.client(101, 201, PSH | ACK, &ask);
    capture.server(201, end, PSH | ACK, b"HTTP/1.1 204 No Content\r\n\r\n");
    capture.client(end, 228, FIN | ACK, b"");
    for (rule, some) in [("0", true), ("7", false)] {
        let (to, lines) = std::sync::mpsc::channel();
        let mut assembler = Assembler::new(Limits::default(), Told::default());
        assembler.trace(ConnectionRule::new(rule).expect("a rule"), move |event| {
            to.send(event.to_string()).expect("a listener")
        });
        let mut reader = Reader::new("test", &capture.file[..]);
        loop {
            while let Some(packet) = reader.next().expect("a packet") {
                assembler.packet(&packet);
            }
            if !reader.fill().expect("a read") {
                break;
            }
        }
        let told = assembler.finish().0;
        assert_eq!(told.len(), 4, "{told:?}");
        let lines: Vec<_> = lines.iter().collect();
        assert_eq!(!lines.is_empty(), some);
        if some {
            let ends = "tcp 0 198.51.100.7:50000 > 203.0.113.80:80";
            let len = ask.len();
            for line in [
                format!("{ends} [P.] 0:{len}: in order"),
                format!("{ends} 0: message begins: http request, {len} bytes"),
                format!("{ends} {len}: message ends, whole"),
                format!("{ends}: connection ends: end of the input"),
            ] {
                assert!(
                    lines.iter().any(|l| l.ends_with(&line)),
                    "{line}: {lines:#?}"
                );
            }
        }
    }
}

/// Each limit that is handed in is the one that counts, and gives up what is behind a hole under its own reason.
#[test]
fn limits_are_arguments() {
    let run = |limits: Limits, pause: u64| {
        let mut assembler = Assembler::new(limits, Told::default());
        let segments = [
            (99, flags::SYN, &b""[..]),
            (100, flags::PSH, b"0123456789"),
            (120, flags::PSH, b"0123456789"),
            (140, flags::PSH, b"0123456789"),
            (160, flags::PSH, b"0123456789"),
        ];
        for (n, (seq, flags, payload)) in segments.into_iter().enumerate() {
            let n = n as u64;
            let time = Timestamp::from_nanos(1 + n * pause * 1_000_000);
            assembler.segment(n, time, &segment(seq, flags, payload));
        }
        let t = &assembler.counters().tcp;
        (t.gaps_holes, t.gaps_buffer, t.gaps_timeout)
    };
    let default = Limits::default;
    assert_eq!(run(default(), 10), (0, 0, 0));
    assert_eq!(
        run(
            Limits {
                tcp_holes: 1,
                ..default()
            },
            10
        ),
        (2, 0, 0)
    );
    let (holes, buffer, timeout) = run(
        Limits {
            tcp_buffer: 15,
            ..default()
        },
        10,
    );
    assert!(holes == 0 && buffer > 0 && timeout == 0);
    assert_eq!(run(default(), 1500), (0, 0, 1));
    let tcp_packet_timeout = std::time::Duration::from_secs(60);
    assert_eq!(
        run(
            Limits {
                tcp_packet_timeout,
                ..default()
            },
            1500
        ),
        (0, 0, 0)
    );
}

/// What the example prints of this capture: for each message who sends, its first line, its body and what is lost.
fn conversation(name: &str) -> Vec<[String; 4]> {
    let done = Command::new(env!("CARGO"))
        .args(["run", "-q", "--example", "extract_http", "--"])
        .arg(testdata(name))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{errors}");
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    let mut messages = Vec::new();
    for message in text.split("--- ").skip(1) {
        let mut lines = message.lines();
        let ends = lines.next().unwrap_or_default();
        let first = lines.next().unwrap_or_default();
        let mut lines = lines.skip_while(|l| !l.is_empty() && !l.starts_with("incomplete"));
        let mut body = lines.next().unwrap_or_default();
        if body.is_empty() {
            body = lines.next().unwrap_or_default();
        }
        messages.push([ends, first, body, lines.next().unwrap_or_default()].map(str::to_owned));
    }
    messages
}

#[test]
fn the_example_cuts_bodies_and_tells_what_is_lost() {
    let line = |n: usize| format!("{n:05} the five boxing wizards jump quickly\\n");
    // Line feeds are escaped, so 100 characters are shown as a few more.
    let cut = format!("{}{}00002 the five ", line(0), line(1));
    for (name, octets, lost) in [
        ("http-swapped.pcap", 38_700, ""),
        (
            "http-lost.pcap",
            38_700 - 1448,
            "incomplete: 1448 bytes lost",
        ),
    ] {
        let messages = conversation(name);
        let requests = messages.iter().filter(|m| m[1].starts_with("GET ")).count();
        let answers: Vec<_> = messages
            .iter()
            .filter(|m| m[1] == "HTTP/1.1 200 OK")
            .collect();
        assert_eq!((requests, answers.len()), (1, 1), "{name}: {messages:?}");
        assert!(
            answers[0][0].starts_with("192.0.2.1:80 > 192.0.2.2:"),
            "{messages:?}"
        );
        assert_eq!(answers[0][2], format!("{}({octets} octets)", cut), "{name}");
        assert_eq!(answers[0][3], lost, "{name}");
    }
}

/// The example beside the program: as many messages, and no body of more than 100 characters.
#[test]
fn the_example_prints_the_conversation() {
    let file = testdata("http-keepalive.pcap");
    let done = Command::new(env!("CARGO"))
        .args(["run", "-q", "--example", "extract_http", "--"])
        .arg(&file)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    let printed = run(["-p"], &read(&file)).printed();
    let expected: Vec<_> = printed
        .lines()
        .filter_map(|line| Some(line.split_once(" http ")?.1.split_once(' ')?.1))
        // Behind it stand host or type, and how long an answer took.
        .filter_map(|line| line.split(" (").next())
        .collect();
    let found: Vec<_> = text
        .split("--- ")
        .skip(1)
        .filter_map(|m| m.lines().nth(1))
        .collect();
    assert!(!found.is_empty());
    assert_eq!(found, expected);
    assert!(text.lines().all(|l| l.len() < 600));
}
