//! No octet vanishes: what is of no known protocol, what began in the middle and what was in doubt comes out too, as the runs
//! in which it was sent, each with the time of its last packet.

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, SYN, behind, body, get, response};
use crate::common::{self, CAPTURES, counter, inet_asm, pcap, run, shared_captures};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// How much of the handshake is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handshake {
    Whole,
    NoSynAck,
    None,
}

const HANDSHAKES: [Handshake; 3] = [Handshake::Whole, Handshake::NoSynAck, Handshake::None];

/// A run of octets: whether the client sent it, and what it is.
type Run = (bool, Vec<u8>);

/// One connection that is being written.
struct Talk {
    client: (Ipv4Addr, u16),
    server: (Ipv4Addr, u16),
    next: [u32; 2],
}

impl Talk {
    fn open(pcap: &mut Pcap, client: u16, server: u16, handshake: Handshake) -> Self {
        let mut talk = Self {
            client: (CLIENT.0, client),
            server: (SERVER.0, server),
            next: [1000, 5000],
        };
        if handshake == Handshake::None {
            talk.next = [1001, 5001];
            return talk;
        }
        talk.segment(pcap, true, SYN, b"");
        talk.next[0] += 1;
        if handshake == Handshake::Whole {
            talk.segment(pcap, false, SYN | ACK, b"");
        }
        talk.next[1] += 1;
        talk.segment(pcap, true, ACK, b"");
        talk
    }

    fn segment(&mut self, pcap: &mut Pcap, from_client: bool, flags: u8, octets: &[u8]) {
        let (from, to, own) = match from_client {
            true => (self.client, self.server, 0),
            false => (self.server, self.client, 1),
        };
        let ack = if flags & ACK == 0 {
            0
        } else {
            self.next[own ^ 1]
        };
        let packet = pcap.segment(from, to, self.next[own], ack, flags, octets);
        pcap.packet(&packet);
        self.next[own] = behind(self.next[own], octets);
    }

    /// A run in segments of so many octets; the last has PSH.
    fn run(&mut self, pcap: &mut Pcap, (from_client, octets): &Run, size: usize) {
        let parts = octets.chunks(size);
        let last = parts.len() - 1;
        for (i, part) in parts.enumerate() {
            let flags = if i == last { ACK | PSH } else { ACK };
            self.segment(pcap, *from_client, flags, part);
        }
    }

    fn close(&mut self, pcap: &mut Pcap) {
        self.segment(pcap, true, ACK | FIN, b"");
        self.segment(pcap, false, ACK | FIN, b"");
    }
}

/// A capture of one connection.
fn talk(port: u16, handshake: Handshake, runs: &[Run], size: usize) -> Pcap {
    let mut pcap = Pcap::new();
    let mut talk = Talk::open(&mut pcap, CLIENT.1, port, handshake);
    for run in runs {
        talk.run(&mut pcap, run, size);
    }
    talk.close(&mut pcap);
    pcap
}

fn client(octets: &[u8]) -> Run {
    (true, octets.to_vec())
}

fn server(octets: &[u8]) -> Run {
    (false, octets.to_vec())
}

/// What is written of a capture: ports, octets and nanoseconds of each packet that has some.
fn written(capture: &[u8], options: &[&str]) -> Vec<(u16, u16, Vec<u8>, u64)> {
    let out = run(options, capture).ok();
    let (_, records) = pcap(&out);
    let mut all = Vec::new();
    for record in records {
        let data = record.data;
        let half = |at: usize| u16::from_be_bytes([data[at], data[at + 1]]);
        let from = 34 + usize::from(data[46] >> 4) * 4;
        let octets = &data[from..data.len().min(14 + usize::from(half(16)))];
        if !octets.is_empty() {
            all.push((half(34), half(36), octets.to_vec(), record.time));
        }
    }
    all
}

/// The runs that come out of a capture of one connection.
fn runs_of(capture: &Pcap) -> Vec<Run> {
    let all = written(&capture.file, &[]).into_iter();
    all.map(|(from, _, octets, _)| (from == CLIENT.1, octets))
        .collect()
}

/// Each stream's octets.
fn streams(all: impl IntoIterator<Item = (u16, u16, Vec<u8>)>) -> BTreeMap<(u16, u16), Vec<u8>> {
    let mut streams: BTreeMap<_, Vec<u8>> = BTreeMap::new();
    for (from, to, octets) in all {
        streams.entry((from, to)).or_default().extend(octets);
    }
    streams
}

fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[1]
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn prefixed(octets: &[u8]) -> Vec<u8> {
    let len = u32::try_from(octets.len()).expect("fits");
    [&len.to_be_bytes()[..], octets].concat()
}

/// Protocols, each as a conversation.
fn conversations() -> Vec<(&'static str, Vec<Run>)> {
    let mut all: Vec<(&'static str, Vec<Run>)> = vec![
        (
            "ssh",
            vec![
                client(b"SSH-2.0-OpenSSH_9.2\r\n"),
                server(b"SSH-2.0-OpenSSH_9.6\r\n"),
                client(&prefixed(&noise(1, 1200))),
                server(&prefixed(&noise(2, 900))),
            ],
        ),
        (
            "http2",
            vec![
                client(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
                server(b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0"),
                client(&[&b"\0\0\x28\x01\x05\0\0\0\x01"[..], &noise(3, 40)].concat()),
                server(&[&b"\0\0\x64\0\x01\0\0\0\x01"[..], &noise(4, 100)].concat()),
            ],
        ),
        (
            "http",
            vec![
                client(&get("/a")),
                server(&response(&body(500))),
                client(&get("/b")),
                server(&response(&body(50))),
            ],
        ),
        (
            "unfinished http",
            vec![
                client(&get("/a")),
                server(b"ICY 200 OK\r\nicy-name:x\r\n\r\n"),
                server(&noise(5, 3000)),
            ],
        ),
        ("sealed", {
            let sealed = |n| prefixed(&noise(n, 60 + n as usize));
            (0..6).map(|n| (n % 2 == 0, sealed(n))).collect()
        }),
        ("words", {
            let words = ["HELO", "READY", "GET", "VALUE42", "STOP", "BYE"];
            let runs = words.iter().enumerate();
            runs.map(|(n, word)| (n % 2 == 0, word.as_bytes().to_vec()))
                .collect()
        }),
        ("letters", {
            let text = b"login".iter();
            text.flat_map(|letter| [client(&[*letter]), server(&[*letter])])
                .collect()
        }),
        (
            "noise",
            (0..8).map(|n| (n % 2 == 0, noise(100 + n, 300))).collect(),
        ),
        (
            "mqtt",
            vec![
                client(b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0"),
                server(b"\x20\x02\0\0"),
                client(b"\x30\x09\0\x05a/b/chi"),
                client(b"\xc0\0"),
                server(b"\xd0\0"),
            ],
        ),
        (
            "redis",
            vec![
                client(b"*1\r\n$4\r\nPING\r\n"),
                server(b"+PONG\r\n"),
                client(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"),
                server(b"$1\r\nb\r\n"),
            ],
        ),
        (
            "modbus",
            (0..6_u8)
                .map(|n| {
                    let head = [0, n / 2, 0, 0, 0];
                    match n % 2 {
                        0 => (true, [&head[..], b"\x06\x01\x03\0\0\0\x02"].concat()),
                        _ => (false, [&head[..], b"\x07\x01\x03\x04abcd"].concat()),
                    }
                })
                .collect(),
        ),
        ("tls", {
            let record = |n: u32| {
                let octets = noise(n, 80);
                [&b"\x17\x03\x03\0\x50"[..], &octets].concat()
            };
            (0..6).map(|n| (n % 2 == 0, record(200 + n))).collect()
        }),
    ];
    let frame = |n: u32| -> Run {
        let text = format!("{{\"i\":{n},\"pad\":\"xxxxxxxx\"}}");
        let len = u8::try_from(text.len()).expect("fits");
        match n % 2 {
            0 => (false, [&[0x81, len], text.as_bytes()].concat()),
            _ => (
                true,
                [&[0x81, 0x80 | len, 0, 0, 0, 0], text.as_bytes()].concat(),
            ),
        }
    };
    all.push(("websocket", (0..8).map(frame).collect()));
    // Lines of one protocol are commands or replies of another.
    for (name, lines) in [
        (
            "inline redis",
            &[
                "PING\r\n",
                "+PONG\r\n",
                "GET a\r\n",
                "$1\r\nb\r\n",
                "GET b\r\n",
                "$1\r\nc\r\n",
            ][..],
        ),
        (
            "pop",
            &[
                "USER a\r\n",
                "+OK\r\n",
                "PASS b\r\n",
                "+OK\r\n",
                "QUIT\r\n",
                "+OK\r\n",
            ],
        ),
        (
            "json",
            &[
                "{\"id\":1}\n",
                "{\"ok\":1}\n",
                "{\"id\":2}\n",
                "{\"ok\":2}\n",
            ],
        ),
    ] {
        let lines = lines.iter().enumerate();
        let runs = lines.map(|(n, line)| (n % 2 == 0, line.as_bytes().to_vec()));
        all.push((name, runs.collect()));
    }
    all
}

/// Every port that hints at a protocol over TCP, and one that does not.
fn ports() -> Vec<u16> {
    let list = run(["--list-protocols"], b"").text();
    let rows = list
        .lines()
        .filter(|line| line.split_whitespace().nth(1) == Some("tcp"));
    let words = rows.flat_map(|line| line.split([' ', ',']).rev().map_while(|w| w.parse().ok()));
    let mut ports: Vec<u16> = words.collect();
    ports.push(9999);
    ports.sort_unstable();
    ports.dedup();
    assert!(
        ports.contains(&80) && ports.contains(&502) && ports.len() > 40,
        "{ports:?}"
    );
    ports
}

#[test]
fn every_octet_of_any_protocol_comes_out_on_any_port() {
    let conversations = conversations();
    let hinting = ports();
    for handshake in HANDSHAKES {
        for size in [1400, 1] {
            let mut capture = Pcap::new();
            let mut sent = Vec::new();
            for (n, &port) in hinting.iter().enumerate() {
                for (k, (_, runs)) in conversations.iter().enumerate() {
                    let own = u16::try_from(10_000 + n * 50 + k).expect("a port");
                    let mut talk = Talk::open(&mut capture, own, port, handshake);
                    for run in runs {
                        // Few octets, where each is a packet.
                        let few = if size == 1 { 40 } else { usize::MAX };
                        let run = &(run.0, run.1[..run.1.len().min(few)].to_vec());
                        talk.run(&mut capture, run, size);
                        let ports = if run.0 { (own, port) } else { (port, own) };
                        sent.push((ports.0, ports.1, run.1.clone()));
                    }
                    talk.close(&mut capture);
                }
            }
            let out = written(&capture.file, &[]);
            let out = streams(
                out.into_iter()
                    .map(|(from, to, octets, _)| (from, to, octets)),
            );
            let mut lost = Vec::new();
            for (ports, octets) in streams(sent) {
                let came = out.get(&ports).map_or(&[][..], Vec::as_slice);
                // Where a stream began in the middle, what stands before the first beginning that is found may be the rest
                // of a message whose beginning nobody has.
                let first =
                    handshake != Handshake::Whole && octets.ends_with(came) && !came.is_empty();
                if came != octets && !first {
                    let hinting = hinting.contains(&ports.0);
                    let own = if hinting { ports.1 } else { ports.0 };
                    let name = conversations[usize::from((own - 10_000) % 50)].0;
                    lost.push(format!(
                        "{name} {ports:?}: {} of {}",
                        came.len(),
                        octets.len()
                    ));
                }
            }
            assert!(lost.is_empty(), "{handshake:?}, {size}: {lost:#?}");
        }
    }
}

#[test]
fn runs_of_no_known_protocol_keep_their_ends() {
    let words = |texts: &[&str]| -> Vec<Run> {
        let runs = texts.iter().enumerate();
        runs.map(|(n, text)| (n % 2 == 0, text.as_bytes().to_vec()))
            .collect()
    };
    let polls: Vec<Run> = (0..12)
        .flat_map(|n| {
            [
                client(format!("req{n:04}").as_bytes()),
                server(&noise(n, 100)),
            ]
        })
        .collect();
    let one_way: Vec<Run> = (0..30).map(|n| server(&noise(300 + n, 100))).collect();
    for (port, runs) in [
        (
            9999,
            words(&["HELO", "READY", "GET", "VALUE42", "STOP", "BYE"]),
        ),
        (9999, polls.clone()),
        (80, polls),
        (9999, one_way),
    ] {
        for handshake in HANDSHAKES {
            let capture = talk(port, handshake, &runs, 1400);
            let mut came = runs_of(&capture);
            let mut sent = runs.clone();
            if handshake != Handshake::Whole {
                // What is looked behind in one stream does not hold the other.
                came.sort();
                sent.sort();
            }
            assert_eq!(came, sent, "{port} {handshake:?}");
        }
    }
}

#[test]
fn what_waits_in_vain_is_let_go_with_the_time_of_its_packet() {
    let mut capture = Pcap::new();
    let mut talk = Talk::open(&mut capture, CLIENT.1, 9999, Handshake::Whole);
    let mut times = Vec::new();
    for n in 0..10_u32 {
        capture.wait(60_000);
        // Looks like the beginning of a request.
        talk.segment(
            &mut capture,
            true,
            ACK | PSH,
            format!("POLL{n:02}").as_bytes(),
        );
        times.push(capture.now * 1000);
    }
    let out = written(&capture.file, &[]);
    let came: Vec<u64> = out.iter().map(|(_, _, _, time)| *time).collect();
    assert_eq!(came, times);

    // Each is written with the packet of any connection that shows that its time has passed.
    let mut live = Pcap::new();
    let mut talk = Talk::open(&mut live, CLIENT.1, 9999, Handshake::Whole);
    talk.segment(&mut live, true, ACK | PSH, b"POLL01");
    live.wait(250);
    let mut other = Talk::open(&mut live, 40_001, 9998, Handshake::None);
    other.segment(&mut live, true, ACK, b"");
    let state = run(["-n", "-s"], &live.file).stderr;
    assert_eq!(counter(&state, "message.messages"), 1);
    let order = [live.file.as_slice(), &{
        let mut more = Pcap::new();
        more.now = live.now;
        other.segment(&mut more, true, ACK | PSH, b"late words");
        more.file.split_off(24)
    }]
    .concat();
    let out = written(&order, &[]);
    assert_eq!(out[0].2, b"POLL01", "before what came later");
}

#[test]
fn what_a_framer_does_not_know_comes_out_and_the_other_side_goes_on() {
    // A request for TLS that a web server answers.
    let hello = {
        let random = noise(7, 200);
        [&b"\x16\x03\x01\0\xcc\x01\0\0\xc8\x03\x03"[..], &random[2..]].concat()
    };
    let refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n";
    let capture = talk(
        80,
        Handshake::Whole,
        &[client(&hello), server(refusal)],
        1400,
    );
    let lines = run(["-p"], &capture.file).printed();
    assert!(
        lines.contains(" tls ") && lines.contains(" http 50 HTTP/1.1 400"),
        "{lines}"
    );

    // What SASL has sealed behind a bind.
    let mut runs = vec![
        client(b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"),
        server(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0"),
    ];
    for n in 0..10 {
        runs.push((n % 2 == 0, prefixed(&noise(n, 70))));
    }
    assert_eq!(runs_of(&talk(389, Handshake::Whole, &runs, 1400)), runs);

    // An octet behind an answer, in front of the next one.
    let (a, b) = (response(&body(20)), response(&body(30)));
    let behind_it = [&a[..], b"0\r\n\r\n"].concat();
    let runs = [
        client(&get("/a")),
        server(&behind_it),
        client(&get("/b")),
        server(&b),
    ];
    let out = runs_of(&talk(80, Handshake::Whole, &runs, 1400));
    let expected = [
        client(&get("/a")),
        server(&a),
        server(b"0\r\n\r\n"),
        client(&get("/b")),
        server(&b),
    ];
    assert_eq!(out, expected);
}

#[test]
fn first_messages_are_recognised_on_their_port() {
    // One whole message, a piece of the next, and the rest is missing.
    let mut capture = Pcap::new();
    let mut talk = Talk::open(&mut capture, CLIENT.1, 502, Handshake::Whole);
    let answer = b"\0\x01\0\0\0\x05\x01\x03\x02ab";
    let piece = b"\0\x02\0\0\0\x05\x01\x03\x02ab";
    let both = [&answer[..], piece].concat();
    let packet = capture.segment(
        talk.server,
        talk.client,
        talk.next[1],
        talk.next[0],
        ACK,
        &both,
    );
    capture.record(&packet, packet.len() - 3);
    let lines = run(["-p"], &capture.file).printed();
    assert!(lines.contains(" mbtcp 11 "), "{lines}");
    talk.close(&mut capture);

    // A message that is longer than what other ports are held for.
    let len = 20_000_u32;
    let head = [&(len - 4).to_be_bytes()[..], b"\xfeSMB\x40\0"].concat();
    let long = [head, noise(3, len as usize - 10)].concat();
    let capture = talk_of_two(445, &long);
    let lines = run(["-p"], &capture.file).printed();
    assert_eq!(lines.matches(" nbss 20000 ").count(), 1, "{lines}");
}

fn talk_of_two(port: u16, long: &[u8]) -> Pcap {
    let short = [&b"\0\0\0\x40\xfeSMB\x40\0"[..], &noise(4, 58)].concat();
    let runs = [client(long), server(&short)];
    talk(port, Handshake::Whole, &runs, 1400)
}

#[test]
fn nothing_is_skipped_where_nothing_is_lost() {
    nothing_is_skipped_in(CAPTURES.iter().map(common::Capture::path));
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn nothing_is_skipped_of_shared_captures_where_nothing_is_lost() {
    nothing_is_skipped_in(shared_captures());
}

fn nothing_is_skipped_in(captures: impl IntoIterator<Item = PathBuf>) {
    for path in captures {
        let name = path.display().to_string();
        let done = inet_asm(["-n", "-s", &name]).output().expect("runs");
        let stats = String::from_utf8_lossy(&done.stderr).into_owned();
        let count = |name: &str| common::find_counter(&stats, name).unwrap_or(0);
        let skipped = count("message.unframed_octets");
        if count("tcp.gaps") + count("tcp.midstream") == 0 {
            assert_eq!(skipped, 0, "{name}");
        }
    }
}

#[test]
fn a_prefix_stands_before_what_the_user_has_decided() {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 5555 80\r\n";
    let first = [&line[..], &get("/a")].concat();
    let runs = [client(&first), server(&response(&body(5)))];
    let capture = talk(8099, Handshake::Whole, &runs, 1400);
    for rule in [&["-d", "tcp.port==8099,http"][..], &[]] {
        let lines = run([rule, &["-p"]].concat(), &capture.file).printed();
        assert!(
            lines.contains(" proxy 40 ")
                && lines.contains(" http 34 [192.0.2.1:5555→192.0.2.2:80] GET /a"),
            "{lines}"
        );
    }
}

#[test]
fn records_of_tls_are_recognised_behind_a_syn() {
    // The handshake is that of another writer; the hello was not captured.
    let record = |seed| [&b"\x17\x03\x03\0\x50"[..], &noise(seed, 80)].concat();
    let runs: Vec<Run> = (0..4).map(|n| (n % 2 == 0, record(n))).collect();
    for handshake in HANDSHAKES {
        let lines = run(["-p"], &talk(443, handshake, &runs, 1400).file).printed();
        assert_eq!(
            lines.matches(" tls 85 ").count(),
            4,
            "{handshake:?}: {lines}"
        );
    }
    // Two of them in a row are no accident anywhere.
    let two = [record(8), record(9)].concat();
    let lines = run(
        ["-p"],
        &talk(9999, Handshake::Whole, &[client(&two)], 1400).file,
    )
    .printed();
    assert_eq!(lines.matches(" tls 85 ").count(), 2, "{lines}");
}

#[test]
fn a_run_from_the_middle_is_asked_about_as_one_from_the_start() {
    // Behind a negotiation that nobody knows, mail is sent: on a port of nothing.
    let runs = [
        client(b"\x05\x01\0"),
        server(b"\x05\0"),
        client(b"\x05\x01\0\x01\x0a\0\0\x01\0\x19"),
        server(b"220 mail.example ESMTP\r\n"),
        client(b"EHLO a\r\n"),
        server(b"250 ok\r\n"),
    ];
    for handshake in HANDSHAKES {
        let lines = run(["-p"], &talk(1080, handshake, &runs, 1400).file).printed();
        assert_eq!(lines.matches(" smtp ").count(), 3, "{handshake:?}: {lines}");
    }
    // What a message of no known protocol begins with does not depend on what was held of it.
    let text = b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n";
    for handshake in HANDSHAKES {
        let lines = run(["-p"], &talk(7777, handshake, &[client(text)], 1400).file).printed();
        assert!(
            lines.contains(" data 24 PRI * HTTP/2.0"),
            "{handshake:?}: {lines}"
        );
    }
}

#[test]
fn what_follows_a_turn_behind_a_hole_comes_out() {
    // The connection speaks HTTP, an answer is lost, and what follows is of another protocol.
    let mut capture = Pcap::new();
    let mut talk = Talk::open(&mut capture, CLIENT.1, 80, Handshake::Whole);
    talk.run(&mut capture, &client(&get("/a")), 1400);
    talk.run(&mut capture, &server(&response(&body(100))), 1400);
    talk.run(&mut capture, &client(&get("/b")), 1400);
    // Lost, but for its end.
    talk.next[1] = behind(talk.next[1], &[0; 1000]);
    talk.run(&mut capture, &server(b"the end of a body"), 1400);
    let mut sent = Vec::new();
    for n in 0..6_u32 {
        let run = (n % 2 == 0, noise(50 + n, 90));
        talk.run(&mut capture, &run, 1400);
        capture.wait(1);
        sent.push(run);
    }
    talk.close(&mut capture);
    let came = runs_of(&capture);
    for run in sent {
        assert!(came.contains(&run), "{run:?} of {came:?}");
    }
}

/// A ClientHello in its record.
fn hello() -> Vec<u8> {
    let mut hello = b"\x16\x03\x01\0\xc2\x01\0\0\xbe\x03\x03".to_vec();
    hello.extend(noise(70, 32));
    hello.extend(b"\0\0\x04\x13\x01\x13\x02\x01\0\0\x91\0\x15\0\x8d");
    hello.resize(5 + 0xc2, 0);
    hello
}

/// A record of TLS 1.2 with so many octets of this kind.
fn record(kind: u8, octets: &[u8]) -> Vec<u8> {
    let len = u16::try_from(octets.len()).expect("fits");
    [&[kind, 3, 3], &len.to_be_bytes()[..], octets].concat()
}

/// What comes out of a capture: ports of the sender, octets, whether it is whole, and the packet that completed it.
fn listed(capture: &Pcap) -> Vec<(u16, String, u64, bool, u64)> {
    let lines = run(["-n", "-j"], &capture.file).text();
    let all = lines.lines().map(|line| {
        let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let number = |name: &str| object[name].as_u64().unwrap_or_default();
        let message = (
            u16::try_from(number("src_port")).expect("a port"),
            object["protocol"].as_str().unwrap_or_default().to_owned(),
            number("octets"),
            object["whole"] == true,
            number("frame"),
        );
        (object["type"] == "message").then_some(message)
    });
    all.flatten().collect()
}

/// Octets of another kind stand ahead of TLS, whose records go on over the ends of writes.
#[test]
fn tls_is_found_behind_octets_of_another_kind() {
    let certificate = [&b"\x0b\0\x10\x12"[..], &noise(71, 0x1012)].concat();
    let exchange = [&b"\x0c\0\x01\x24"[..], &noise(72, 0x124)].concat();
    let flight = [
        noise(73, 77),
        record(22, &certificate),
        record(22, &exchange),
        record(22, b"\x0e\0\0\0"),
    ]
    .concat();
    for handshake in HANDSHAKES {
        let mut runs = vec![client(&[&[0; 33][..], &hello()].concat())];
        runs.extend(flight.chunks(2048).map(server));
        runs.push(client(&record(23, &noise(74, 60))));
        runs.push(server(&record(23, &noise(75, 80))));
        for port in [443, 9999] {
            let all = listed(&talk(port, handshake, &runs, 1400));
            let tls = all.iter().filter(|m| m.1 == "tls" && m.3);
            let sizes: Vec<_> = tls.filter(|m| m.0 == port).map(|m| m.2).collect();
            let expected = [0x1016 + 5, 0x128 + 5, 9, 85];
            assert_eq!(sizes, expected, "{handshake:?}, {port}: {all:?}");
        }
    }
}

/// What the other side answered at a start in the middle comes out though a protocol is recognised behind it, on any port of
/// another one.
#[test]
fn what_was_answered_ahead_of_a_switch_comes_out() {
    let sealed = [
        client(&hello()),
        server(&record(
            22,
            &[&b"\x02\0\0\x46\x03\x03"[..], &noise(76, 68)].concat(),
        )),
        client(&record(23, &noise(77, 50))),
        server(&record(23, &noise(78, 70))),
    ];
    let asked = [client(b"\0\0\0\x08\x04\xd2\x16\x2f"), server(b"S")];
    let mail = [
        server(b"220 x ESMTP\r\n"),
        client(b"EHLO a\r\n"),
        server(b"250-x\r\n250 STARTTLS\r\n"),
        client(b"STARTTLS\r\n"),
        server(b"220 ready\r\n"),
    ];
    for before in [&asked[..], &mail] {
        let runs = [before, &sealed].concat();
        for port in [25, 80, 110, 3306, 6379, 9999] {
            for handshake in HANDSHAKES {
                let came = runs_of(&talk(port, handshake, &runs, 1400));
                let of = |from: bool, all: &[Run]| -> Vec<Vec<u8>> {
                    let own = all.iter().filter(|run| run.0 == from);
                    own.map(|run| run.1.clone()).collect()
                };
                for side in [true, false] {
                    let (sent, came) = (of(side, &runs).concat(), of(side, &came).concat());
                    assert_eq!(came, sent, "{port}, {handshake:?}, {side}");
                }
            }
        }
    }
}

/// Lines that a server has sent ahead of the client's next word are no one message, on the port of another protocol of lines.
#[test]
fn runs_ahead_of_a_turn_in_the_middle_keep_their_ends() {
    let lines = [
        client(b"NICK a\r\n"),
        server(b":s 001 a :Welcome\r\n"),
        server(b"PING :x\r\n"),
        client(b"PONG :x\r\n"),
        client(b"JOIN #a\r\n"),
        server(b":a!a@b JOIN #a\r\n"),
    ];
    for port in [21, 110, 6379, 9999] {
        let mut capture = Pcap::new();
        let mut talk = Talk::open(&mut capture, CLIENT.1, port, Handshake::None);
        for line in &lines {
            talk.run(&mut capture, line, 1400);
            capture.wait(1);
        }
        let sizes: Vec<_> = listed(&capture)
            .iter()
            .filter(|m| m.0 == port)
            .map(|m| m.2)
            .collect();
        assert_eq!(sizes, [19, 9, 16], "{port}");
    }
}

/// A download of 6 MB whose beginning was not captured is passed over, as octets that belong to no message, and what follows it is
/// found.
#[test]
fn a_long_body_that_began_before_the_capture_is_no_message() {
    let long = noise(80, 6_000_000);
    let mut runs: Vec<Run> = long.chunks(64 << 10).map(server).collect();
    runs.push(client(&get("/next")));
    runs.push(server(&response(b"next")));
    let capture = talk(80, Handshake::None, &runs, 1400);
    let all = listed(&capture);
    let protocols: Vec<_> = all.iter().map(|m| (m.1.as_str(), m.3)).collect();
    assert_eq!(protocols, [("http", true), ("http", true)], "{all:?}");
    let stats = run(["-n", "-s"], &capture.file).stderr;
    assert_eq!(counter(&stats, "message.unframed_octets"), 6_000_000);
}

/// What is put before a connection is known where nothing before it was captured.
#[test]
fn a_prefix_that_is_captured_first_is_a_message() {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 5555 80\r\n";
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x15\xb3\0\x50";
    for prefix in [&line[..], header] {
        for alone in [true, false] {
            let mut runs = match alone {
                true => vec![client(prefix), client(&get("/a"))],
                false => vec![client(&[prefix, &get("/a")].concat())],
            };
            runs.push(server(&response(&body(5))));
            for port in [80, 443, 25, 21, 9999] {
                let capture = talk(port, Handshake::None, &runs, 1400);
                for rule in ["tcp.port==1,http", "tcp.port==9999,http"] {
                    let lines = run(["-d", rule, "-p"], &capture.file).printed();
                    let proxy = format!(" proxy {} ", prefix.len());
                    assert!(
                        lines.contains(&proxy) && lines.matches(" http ").count() == 2,
                        "{port}: {lines}"
                    );
                }
            }
        }
    }
}

/// Frames of HTTP/2 end where the capture does: their first octets are no length of another protocol.
#[test]
fn frames_at_the_end_of_a_capture_are_no_message_of_a_car() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for len in 0..64_u8 {
        let answer = [
            &b"\0\0\0\x04\x01\0\0\0\0\0\0\x01\x01\x04\0\0\0\x01\x88\0\0"[..],
            &[len],
        ]
        .concat();
        let answer = [&answer[..], b"\0\x01\0\0\0\x01", &noise(79, len.into())].concat();
        let runs = [client(preface), server(&answer)];
        let mut capture = Pcap::new();
        let mut talk = Talk::open(&mut capture, CLIENT.1, 9999, Handshake::Whole);
        for run in &runs {
            talk.run(&mut capture, run, 1400);
        }
        let all = listed(&capture);
        assert!(all.iter().all(|m| m.1 != "someip" && m.3), "{len}: {all:?}");
    }
}

/// What was captured in turn comes out in turn, also where both directions begin in the middle.
#[test]
fn messages_from_the_middle_come_in_the_order_of_their_packets() {
    for (name, runs) in conversations() {
        // Its octets wait for what may be more of the one before.
        if matches!(name, "unfinished http" | "pop" | "http2") {
            continue;
        }
        for wait in [0, 30, 300] {
            let mut capture = Pcap::new();
            let mut talk = Talk::open(&mut capture, CLIENT.1, 9999, Handshake::None);
            for run in &runs {
                talk.run(&mut capture, run, 1400);
                capture.wait(wait);
            }
            let frames: Vec<_> = listed(&capture).iter().map(|m| m.4).collect();
            assert!(frames.is_sorted(), "{name}, {wait}: {frames:?}");
        }
    }
}
