//! Which answer is paired with which request: clients that wait, that send some requests at once, and that keep some under way, on
//! whole captures and on thinned ones. What answers what is known, as each answer repeats the name of its request.

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, SYN, behind};
use crate::common::{self, counter, run};
use crate::har::entries;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::Ipv4Addr;

type End = (Ipv4Addr, u16);

/// Numbers that look random (Knuth's MMIX), the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("fits") % n
    }

    fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }
}

/// When a client sends its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ways {
    /// It has all answers.
    Waits,
    /// The same, and then it sends so many at once.
    Turns(usize),
    /// So many are under way at all times.
    Window(usize),
}

/// A request and its answer, both of which hold its name.
type Exchange = (Vec<u8>, Vec<u8>);

fn http(name: &str, dice: &mut Dice) -> Exchange {
    let method = ["GET", "HEAD", "POST", "GET"][dice.below(4)];
    let status = [200, 200, 404, 204, 304][dice.below(5)];
    let body = "x".repeat([0, 7, 400, 3000][dice.below(4)]);
    let sent = if method == "POST" { &body[..] } else { "" };
    let ask = format!(
        "{method} /{name} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{sent}",
        sent.len()
    );
    let mut answer = format!("HTTP/1.1 {status} {name}\r\n");
    let shown = method != "HEAD" && !matches!(status, 204 | 304);
    if shown && dice.percent(30) && !body.is_empty() {
        let len = body.len();
        answer += &format!("Transfer-Encoding: chunked\r\n\r\n{len:x}\r\n{body}\r\n0\r\n\r\n");
    } else {
        answer += &format!("Content-Length: {}\r\n\r\n", body.len());
        answer += if shown { &body } else { "" };
    }
    (ask.into_bytes(), answer.into_bytes())
}

fn redis(name: &str, _: &mut Dice) -> Exchange {
    let len = name.len();
    let ask = format!("*2\r\n$3\r\nGET\r\n${len}\r\n{name}\r\n");
    (
        ask.into_bytes(),
        format!("${len}\r\n{name}\r\n").into_bytes(),
    )
}

fn mysql(name: &str, dice: &mut Dice) -> Exchange {
    let packet = |number: u8, octets: &[u8]| {
        let len = u8::try_from(octets.len()).expect("short");
        [&[len, 0, 0, number], octets].concat()
    };
    let mut ask = packet(0, &[b"\x03", name.as_bytes()].concat());
    if dice.percent(20) {
        // Statements are closed without an answer.
        ask = [packet(0, &[0x19, 1, 0, 0, 0]), ask].concat();
    }
    let error = [b"\xff\x28\x04#42000", name.as_bytes()].concat();
    (ask, packet(1, &error))
}

fn pgsql(name: &str, _: &mut Dice) -> Exchange {
    let message = |kind: u8, octets: &[u8]| {
        let len = u32::try_from(octets.len() + 4).expect("fits");
        [&[kind], &len.to_be_bytes()[..], octets].concat()
    };
    let error = format!("SERROR\0M{name}\0\0");
    (
        message(b'Q', format!("{name}\0").as_bytes()),
        [message(b'E', error.as_bytes()), message(b'Z', b"I")].concat(),
    )
}

fn line(ask: &str, answer: &str) -> Exchange {
    let end = |line: &str| format!("{line}\r\n").into_bytes();
    (end(ask), end(answer))
}

fn ftp(name: &str, dice: &mut Dice) -> Exchange {
    let interim = match dice.percent(20) {
        true => format!("150 on its way {name}\r\n"),
        false => String::new(),
    };
    line(&format!("CWD {name}"), &format!("{interim}250 {name}"))
}

fn pop(name: &str, _: &mut Dice) -> Exchange {
    line(&format!("DELE {name}"), &format!("+OK {name}"))
}

fn memcache(name: &str, _: &mut Dice) -> Exchange {
    line(&format!("get {name}"), &format!("SERVER_ERROR {name}"))
}

fn dns(name: &str, dice: &mut Dice) -> Exchange {
    let id = u16::try_from(dice.below(1 << 16)).expect("fits");
    let len = u8::try_from(name.len()).expect("short");
    let question = [&[len], name.as_bytes(), b"\0\0\x01\0\x01"].concat();
    let message = |flags: [u8; 2]| {
        let head = [&id.to_be_bytes()[..], &flags, b"\0\x01\0\0\0\0\0\0"].concat();
        let all = [&head[..], &question].concat();
        let len = u16::try_from(all.len()).expect("fits").to_be_bytes();
        [&len[..], &all].concat()
    };
    (message([1, 0]), message([0x81, 0x83]))
}

type Make = fn(&str, &mut Dice) -> Exchange;

/// What is made of a protocol, its port, and what its server says first.
const PROTOCOLS: [(&str, Make, u16, &[u8]); 8] = [
    ("http", http, 80, b""),
    ("resp", redis, 6379, b""),
    (
        "mysql",
        mysql,
        3306,
        b"\x12\0\0\0\x0a8.0\0\x01\0\0\0abcdefgh\0",
    ),
    ("pgsql", pgsql, 5432, b""),
    ("ftp", ftp, 21, b"220 FTP\r\n"),
    ("pop", pop, 110, b"+OK ready\r\n"),
    ("memcache", memcache, 11211, b""),
    ("dns", dns, 53, b""),
];

/// Packets of a connection in the order in which its client sees them, of which some are not captured.
struct Made<'a> {
    pcap: &'a mut Pcap,
    dice: &'a mut Dice,
    ends: [End; 2],
    next: [u32; 2],
    lost: usize,
    /// What the client says is captured a packet late, and this is.
    late: bool,
    held: Option<Vec<u8>>,
}

impl Made<'_> {
    fn says(&mut self, client: bool, ack: u32, octets: &[u8]) {
        let me = usize::from(!client);
        let (from, to) = (self.ends[me], self.ends[1 - me]);
        for part in octets.chunks(700) {
            let seq = self.next[me];
            self.next[me] = behind(seq, part);
            let packet = self.pcap.segment(from, to, seq, ack, PSH | ACK, part);
            if self.dice.percent(self.lost) {
                continue;
            }
            let packet = match client && self.late {
                true => self.held.replace(packet),
                false => Some(packet),
            };
            let held = self.held.take_if(|_| !client);
            for packet in packet.into_iter().chain(held) {
                self.pcap.packet(&packet);
            }
        }
    }
}

/// One connection of so many exchanges.
fn connection(
    pcap: &mut Pcap,
    dice: &mut Dice,
    (number, many): (u16, usize),
    (make, port, greeting): (Make, u16, &[u8]),
    (ways, lost, late): (Ways, usize, bool),
) {
    let client = (Ipv4Addr::new(198, 51, 100, 7), 40_000 + number);
    let server = (Ipv4Addr::new(203, 0, 113, 80), port);
    let syn = pcap.segment(client, server, 0, 0, SYN, b"");
    let syn_ack = pcap.segment(server, client, 0, 1, SYN | ACK, b"");
    pcap.packet(&syn).packet(&syn_ack);
    let mut made = Made {
        pcap,
        dice,
        ends: [client, server],
        next: [1, 1],
        lost,
        late,
        held: None,
    };
    made.says(false, 1, greeting);
    let mut waiting: VecDeque<(u32, Vec<u8>)> = VecDeque::new();
    let (mut sent, mut turn) = (0, 0);
    while sent < many || !waiting.is_empty() {
        if waiting.is_empty() {
            turn = match ways {
                Ways::Waits => 1,
                Ways::Turns(n) => n,
                Ways::Window(_) => 0,
            };
        }
        let may = match ways {
            Ways::Window(n) => waiting.len() < n,
            Ways::Waits | Ways::Turns(_) => turn > 0,
        };
        // A window is full at first.
        let now =
            sent < match ways {
                Ways::Window(n) => n,
                Ways::Waits | Ways::Turns(_) => 0,
            } || made.dice.percent(60)
                || waiting.is_empty();
        if sent < many && may && now {
            let (ask, answer) = make(&format!("c{number}r{sent}"), made.dice);
            let ack = made.next[1];
            made.says(true, ack, &ask);
            waiting.push_back((made.next[0], answer));
            (sent, turn) = (sent + 1, turn.saturating_sub(1));
        } else if let Some((asked, answer)) = waiting.pop_front() {
            // What the server has heard when it answers: all, or not yet all that is under way.
            let ack = match made.dice.percent(50) {
                true => made.next[0],
                false => asked,
            };
            made.says(false, ack, &answer);
        }
    }
    let ([seq, ack], held) = (made.next, made.held);
    if let Some(packet) = held {
        pcap.packet(&packet);
    }
    let fin = pcap.segment(client, server, seq, ack, FIN | ACK, b"");
    let fin_ack = pcap.segment(server, client, ack, seq + 1, FIN | ACK, b"");
    pcap.packet(&fin).packet(&fin_ack);
}

/// Connections of a protocol, one for each of these ways.
fn capture(
    protocol: &str,
    ways: &[Ways],
    many: usize,
    (lost, late, seed): (usize, bool, u64),
) -> Vec<u8> {
    let (_, make, port, greeting) = *PROTOCOLS
        .iter()
        .find(|(name, ..)| *name == protocol)
        .expect("a protocol");
    let (mut pcap, mut dice) = (Pcap::new(), Dice(seed));
    for (number, ways) in (0..).zip(ways) {
        let row = (make, port, greeting);
        connection(
            &mut pcap,
            &mut dice,
            (number, many),
            row,
            (*ways, lost, late),
        );
    }
    pcap.file
}

/// The name of a request in what is said of it or of its answer.
fn name(text: &Value) -> Option<&str> {
    let text = text.as_str()?;
    let is_name = |word: &&str| {
        let number = word.strip_prefix('c').and_then(|rest| rest.split_once('r'));
        number.is_some_and(|(c, r)| c.parse::<u16>().is_ok() && r.parse::<u16>().is_ok())
    };
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .find(is_name)
}

/// Exchanges that have both halves, all of which must be right, and those of which one is said to be missing.
#[track_caller]
fn pairs(args: &[&str], capture: &[u8], what: &str) -> (u64, u64) {
    let done = run([&["-j", "-s"], args].concat(), capture);
    let stats = done.stderr.clone();
    let text = done.text();
    let (mut both, mut halves) = (0, 0);
    for object in common::objects(&text).filter(|object| object["type"] == "exchange") {
        if object.get("missing").is_some_and(Value::is_string) {
            halves += 1;
            continue;
        }
        let (asked, told) = (name(&object["request"]), name(&object["response"]));
        assert!(asked.is_some() && asked == told, "{what}: {object:#}");
        both += 1;
    }
    let count = |name: &str| counter(&stats, &format!("exchange.{name}"));
    let missing = count("no_response") + count("no_request");
    assert_eq!((count("paired"), missing), (both, halves), "{what}");
    (both, halves)
}

const WAYS: [Ways; 6] = [
    Ways::Waits,
    Ways::Turns(4),
    Ways::Window(2),
    Ways::Window(3),
    Ways::Window(5),
    Ways::Window(8),
];

/// Where nothing is missing order tells what is answered, whatever a client has acknowledged when it asked.
#[test]
fn every_answer_of_a_whole_capture_finds_its_request() {
    let many = 24;
    let all = many * WAYS.len();
    let every = u64::try_from(all).expect("fits");
    for (protocol, ..) in PROTOCOLS {
        let capture = capture(protocol, &WAYS, many, (0, false, 7));
        assert_eq!(pairs(&[], &capture, protocol), (every, 0), "{protocol}");
    }
    let capture = capture("http", &WAYS, many, (0, false, 8));
    assert_eq!(pairs(&["--pair"], &capture, "--pair"), (every, 0));
    let found = entries(&run(["--har", "-"], &capture).ok());
    assert_eq!(found.len(), all);
    for entry in &found {
        let answer = &entry["response"];
        let same = name(&entry["request"]["url"]) == name(&answer["statusText"]);
        assert!(same && answer["content"]["comment"].is_null(), "{entry:#}");
    }
    let lines = run(["-p"], &capture).text();
    let answers = lines
        .lines()
        .filter(|line| line.contains("HTTP/1.1 ") && line.contains('←'));
    let (mut count, mut late) = (0, 0);
    for line in answers {
        count += 1;
        late += usize::from(line.ends_with("ms)") || line.ends_with("us)"));
    }
    assert_eq!((count, late), (all, all), "{lines}");
}

/// Of a thinned capture a pair is right or is not told, and clients that wait are paired again behind each loss.
#[test]
fn no_pair_of_a_thinned_capture_is_made_up() {
    for (protocol, ..) in PROTOCOLS {
        for (lost, seed) in [(1, 1), (5, 2), (5, 3)] {
            let what = format!("{protocol}, {lost}%, seed {seed}");
            // MySQL has no client that sends ahead.
            let ways = if protocol == "mysql" {
                &WAYS[..1]
            } else {
                &WAYS
            };
            let thinned = capture(protocol, ways, 30, (lost, false, seed));
            pairs(&[], &thinned, &what);
            let waits = capture(protocol, &[Ways::Waits; 4], 40, (lost, false, seed));
            for args in [&[][..], &["--pair"]] {
                let (both, _) = pairs(args, &waits, &what);
                // Of requests and answers of one or two packets each.
                let least = if lost == 1 { 90 } else { 72 };
                assert!(both * 100 >= 160 * least, "{what}, {args:?}: {both} of 160");
            }
        }
    }
}

/// Of two taps that one may be late which sees the requests.
#[test]
fn a_request_that_is_captured_behind_its_answer_has_it() {
    for (protocol, ..) in PROTOCOLS {
        let capture = capture(protocol, &[Ways::Waits; 2], 12, (0, true, 4));
        assert_eq!(pairs(&[], &capture, protocol), (24, 0), "{protocol}");
    }
    let (client, server) = ((CLIENT.0, 40_000), SERVER.0);
    let dns = |flags: u8| {
        [
            0, 9, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1,
        ]
    };
    let mut pcap = Pcap::new();
    pcap.datagram((server, 53), client, &dns(0x81));
    pcap.datagram(client, (server, 53), &dns(1));
    let radius = |code: u8| [&[code, 5, 0, 20][..], &[7; 16]].concat();
    pcap.datagram((server, 1812), client, &radius(2));
    pcap.datagram(client, (server, 1812), &radius(1));
    // Long behind it is another one.
    pcap.datagram((server, 1813), client, &radius(5));
    pcap.wait(2000);
    pcap.datagram(client, (server, 1813), &radius(4));
    assert_eq!(halves(&pcap.file), ["-", "-", "request", "response"]);
}

/// What each exchange lacks, `-` where it lacks nothing.
fn halves(capture: &[u8]) -> Vec<String> {
    let text = run(["-j"], capture).text();
    let exchanges = common::objects(&text).filter(|object| object["type"] == "exchange");
    let missing = exchanges.map(|e| e["missing"].as_str().unwrap_or("-").to_owned());
    missing.collect()
}

/// An answer that repeats less of its request is that to the only one which it can be of.
#[test]
fn answers_that_repeat_less_are_paired_where_that_is_certain() {
    let client = (CLIENT.0, 40_000);
    let dns = |kind: u8| {
        vec![
            0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, kind, 0, 1,
        ]
    };
    let bare = |code: u8| vec![0, 9, 0x81, code, 0, 0, 0, 0, 0, 0, 0, 0];
    let radius = |code: u8| [&[code, 5, 0, 20][..], &[7; 16]].concat();
    let (asks, refused, fine) = (dns(1), bare(5), bare(0));
    let (pair, both) = (&["-"][..], &["request", "response"][..]);
    for (port, sent, expected) in [
        (
            53,
            vec![(true, asks.clone()), (false, refused.clone())],
            pair,
        ),
        (53, vec![(true, asks.clone()), (false, fine)], both),
        (
            53,
            vec![(true, asks), (true, dns(28)), (false, refused)],
            &["request", "response", "response"],
        ),
        (1812, vec![(true, radius(1)), (false, radius(11))], pair),
        (1812, vec![(true, radius(1)), (false, radius(5))], both),
        (1813, vec![(true, radius(4)), (false, radius(2))], both),
        (1813, vec![(true, radius(12)), (false, radius(5))], pair),
        (1812, vec![(true, radius(12)), (false, radius(2))], pair),
        (3799, vec![(true, radius(43)), (false, radius(45))], pair),
        (3799, vec![(true, radius(43)), (false, radius(41))], both),
    ] {
        let mut pcap = Pcap::new();
        for (asks, payload) in &sent {
            let (from, to) = (client, (SERVER.0, port));
            let (from, to) = if *asks { (from, to) } else { (to, from) };
            pcap.datagram(from, to, payload);
        }
        assert_eq!(halves(&pcap.file), expected, "{port} {sent:02x?}");
    }
}

/// A mail is answered for each of its recipients (RFC 2033, 4.2), but for those that were refused.
#[test]
fn mails_of_lmtp_are_answered_for_each_recipient() {
    let talk = [
        (false, "220 x LMTP"),
        (true, "LHLO a"),
        (false, "250 lhlo"),
        (true, "MAIL FROM:<a>"),
        (true, "RCPT TO:<b>"),
        (true, "RCPT TO:<c>"),
        (true, "RCPT TO:<d>"),
        (true, "DATA"),
        (false, "250 mail"),
        (false, "250 b"),
        (false, "550 c"),
        (false, "250 d"),
        (false, "354 go"),
        (true, "Subject: one\r\n\r\none\r\n."),
        (false, "250 for b"),
        (false, "452 for d"),
        (true, "QUIT"),
        (false, "221 bye"),
    ];
    let mut pcap = Pcap::to(25);
    pcap.open(0, 0);
    let (mut seq, mut ack) = (1, 1);
    for (client, text) in talk {
        let octets = format!("{text}\r\n").into_bytes();
        if client {
            pcap.client(seq, ack, PSH | ACK, &octets);
            seq = behind(seq, &octets);
        } else {
            pcap.server(ack, seq, PSH | ACK, &octets);
            ack = behind(ack, &octets);
        }
    }
    let text = run(["-j"], &pcap.file).text();
    let exchanges = common::objects(&text).filter(|object| object["type"] == "exchange");
    let told: Vec<_> = exchanges
        .map(|e| e["response"].as_str().unwrap_or_default().to_owned())
        .collect();
    let expected = [
        "250 lhlo",
        "250 mail",
        "250 b",
        "550 c",
        "250 d",
        "354 go",
        "250 for b",
        "221 bye",
    ];
    assert_eq!(told, expected);
}
