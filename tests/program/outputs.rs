//! Several outputs, their forms, and what other programs read in them.

use crate::common::build::{
    ACK, CLIENT, FIN, PSH, Pcap, RST, SERVER, SYN, behind, body, get, response,
};
use crate::common::{self, CAPTURES, Live, counter, feed, fields, pcap, read, run, testdata};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

const A: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const B: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);

/// A datagram from A to B, without a checksum.
fn udp(capture: &mut Pcap, port: u16, payload: &[u8]) {
    let mut octets = Vec::new();
    octets.extend(40000u16.to_be_bytes());
    octets.extend(port.to_be_bytes());
    octets.extend(
        u16::try_from(8 + payload.len())
            .expect("short")
            .to_be_bytes(),
    );
    octets.extend([0, 0]);
    octets.extend(payload);
    let packet = capture.ip(A, B, 17, &octets);
    capture.packet(&packet);
}

/// A DNS query for example.com.
const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
const SIP: &[u8] = b"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\r\n\
    To: <sip:bob@example.com>\r\nFrom: <sip:a@example.com>;tag=1\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// One exchange over HTTP with a body of so many octets, then a small one.
fn http(len: usize) -> Pcap {
    let mut capture = Pcap::new();
    capture.open(100, 200);
    let (mut c, mut s) = (101, 201);
    for (path, len) in [("/large", len), ("/small", 10)] {
        let ask = get(path);
        capture.client(c, s, PSH | ACK, &ask);
        c = behind(c, &ask);
        let answer = response(&body(len));
        for part in answer.chunks(1400) {
            capture.server(s, c, PSH | ACK, part);
            s = behind(s, part);
        }
        capture.client(c, s, ACK, b"");
    }
    capture
}

/// What a file of the folder holds.
fn written(dir: &Path, name: &str) -> Vec<u8> {
    read(&dir.join(name))
}

#[test]
fn protocols_go_to_their_own_outputs() {
    let mut capture = http(100);
    udp(&mut capture, 53, QUERY);
    udp(&mut capture, 9, b"something");
    let dir = tempfile::tempdir().expect("tempdir");
    let out = |name: &str, query: &str| format!("file:{}{query}", dir.path().join(name).display());
    let done = run(
        [
            "-w".to_owned(),
            out("http", "?protocol=http"),
            "-w".to_owned(),
            out("both", "?protocol=http,dns&encap=raw"),
            "-w".to_owned(),
            "-".to_owned(),
        ],
        &capture.file,
    );
    done.code(0);
    let lengths = |file: &[u8]| pcap(file).1.len();
    assert_eq!(lengths(&written(dir.path(), "http")), 4);
    let both = written(dir.path(), "both");
    assert_eq!((pcap(&both).0, lengths(&both)), (101, 5));
    let rest = pcap(&done.stdout).1;
    assert_eq!(rest.len(), 1);
    assert!(rest[0].data.ends_with(b"something"));
    // What stands in one output is what stands there alone.
    let alone = run(["--protocols", "http"], &capture.file).ok();
    assert!(alone == written(dir.path(), "http"));
}

#[test]
fn wrong_outputs_are_named() {
    for (output, word) in [
        ("file:x?protocol=nonsense", "nonsense"),
        ("file:x?colour=red", "colour"),
        ("file:x?encap=token-ring", "token-ring"),
        ("nowhere://x", "nowhere"),
    ] {
        let done = run(["-w", output], &http(1).file);
        done.code(2);
        assert!(done.stderr.contains(word), "{word} in: {}", done.stderr);
    }
}

#[test]
fn a_pdu_is_dissected_by_name() {
    let mut tls = vec![22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3];
    tls.extend([7; 32]);
    tls.extend([0, 0, 2, 0, 47, 1, 0, 0, 0]);
    let mut capture = http(100);
    udp(&mut capture, 53, QUERY);
    udp(&mut capture, 5060, SIP);
    // A ClientHello on a port that hints at nothing.
    let to = (B, 9999);
    for (seq, flags, payload) in [(1, SYN, &b""[..]), (2, PSH | ACK, &tls)] {
        let packet = capture.segment((A, 41000), to, seq, 1, flags, payload);
        capture.packet(&packet);
    }
    // DNS over TCP: its length stands before the message.
    let dns = [&[0, 29][..], QUERY].concat();
    for (seq, flags, payload) in [(1, SYN, &b""[..]), (2, PSH | ACK, &dns)] {
        let packet = capture.segment((A, 42000), (B, 53), seq, 1, flags, payload);
        capture.packet(&packet);
    }
    // An SCTP packet with an M3UA message (PPID 3): ASP up.
    let m3ua = [1, 0, 3, 1, 0, 0, 0, 8];
    let mut sctp = vec![0x0b, 0x58, 0x0b, 0x58, 0, 0, 0, 9, 0, 0, 0, 0];
    sctp.extend([0, 3, 0, 24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3]);
    sctp.extend(m3ua);
    let packet = capture.ip(A, B, 132, &sctp);
    capture.packet(&packet);
    let output = run(["--encap", "pdu"], &capture.file).ok();
    assert_eq!(pcap(&output).0, 252);
    let names = [
        "frame.protocols",
        "exported_pdu.ipv4_src",
        "exported_pdu.src_port",
        "exported_pdu.port_type",
        "exported_pdu.orig_fno",
        "http.response.code",
        "dns.qry.name",
        "sip.Method",
        "tls.handshake.type",
        "m3ua.message_class",
        "_ws.malformed",
    ];
    let rows = fields("frame", &names, &[], &output);
    let row = |protocol: &str| {
        rows.iter()
            .find(|r| r[0].split(':').any(|p| p == protocol))
            .unwrap_or_else(|| panic!("{protocol} in {rows:?}"))
    };
    assert!(rows.iter().all(|r| r[10].is_empty()), "{rows:?}");
    assert_eq!(rows.len(), 9, "{rows:?}");
    let queries = rows.iter().filter(|r| r[6] == "example.com").count();
    assert_eq!(queries, 2, "{rows:?}");
    let answers: Vec<_> = rows.iter().filter(|r| r[5] == "200").collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0][1..5], ["203.0.113.80", "80", "2", "5"]);
    assert_eq!(row("dns")[6], "example.com");
    assert_eq!(row("dns")[3], "3");
    assert_eq!(row("sip")[7], "OPTIONS");
    assert_eq!(row("tls")[8], "1");
    assert_eq!(
        (row("m3ua")[9].as_str(), row("m3ua")[3].as_str()),
        ("3", "1")
    );
}

#[test]
fn a_large_pdu_is_one_record() {
    for len in [100_000, 400_000] {
        let output = run(["--encap", "pdu"], &http(len).file).ok();
        let names = ["http.content_length", "frame.cap_len", "http.response.code"];
        let rows = fields("http.response", &names, &[], &output);
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(rows[0][0], len.to_string());
        let captured: usize = rows[0][1].parse().expect("a number");
        assert_eq!(captured == 262_144, len > 262_144);
        assert_eq!(rows[1][0], "10");
    }
}

#[test]
fn comments_tell_of_each_message() {
    let mut capture = http(3000);
    udp(&mut capture, 53, QUERY);
    let output = run(["--info"], &capture.file).ok();
    let rows = fields("frame", &["frame.comment", "http", "dns"], &[], &output);
    let comments: Vec<_> = rows.iter().map(|r| r[0].as_str()).collect();
    assert_eq!(comments.len(), 5);
    assert_eq!(
        comments[0],
        "http: GET /large HTTP/1.1 (example); frames 4; 38 bytes; not acknowledged"
    );
    assert!(
        comments[1].starts_with("http: HTTP/1.1 200 OK (text/plain); frames 5-7; 30"),
        "{}",
        comments[1]
    );
    assert!(comments[4].starts_with("dns: "), "{}", comments[4]);
    // The packets are those without comments.
    let plain = run(["--format", "pcapng"], &capture.file).ok();
    let data = |file: &[u8]| {
        fields(
            "frame",
            &["frame.time_epoch", "frame.len", "tcp.seq_raw"],
            &[],
            file,
        )
    };
    assert_eq!(data(&plain), data(&run::<&str>([], &capture.file).ok()));
    assert_eq!(data(&output), data(&plain));
}

#[test]
fn comments_tell_what_was_repeated() {
    let mut capture = Pcap::new();
    capture.open(100, 200);
    let ask = get("/a");
    capture.client(101, 201, PSH | ACK, &ask);
    let c = behind(101, &ask);
    let answer = response(&body(3000));
    let (first, rest) = answer.split_at(1000);
    capture.server(201, c, ACK, first);
    capture.server(201, c, ACK, first);
    capture.server(behind(201, first), c, PSH | ACK, rest);
    let file = run(["--info"], &capture.file).ok();
    let comments = fields("http.response", &["frame.comment"], &[], &file);
    assert!(
        comments[0][0].contains("; 1000 bytes repeated"),
        "{comments:?}"
    );
}

#[test]
fn comments_list_what_is_missing() {
    let mut capture = Pcap::new();
    capture.open(100, 200);
    let answer = response(&body(5000));
    let end = behind(201, &answer);
    for (n, part) in answer.chunks(1000).enumerate() {
        if n != 2 {
            let seq = 201 + u32::try_from(n * 1000).expect("short");
            capture.server(seq, 101, PSH | ACK, part);
        }
    }
    capture.client(101, end, ACK, b"").wait(3000);
    capture.server(end, 101, FIN | ACK, b"");
    let comment = |args: &[&str]| {
        let output = run(args, &capture.file).ok();
        let rows = fields(
            "frame",
            &["frame.comment", "frame.cap_len", "frame.len"],
            &[],
            &output,
        );
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows[0].clone()
    };
    let cut = comment(&["--info"]);
    assert!(cut[0].ends_with("1000 bytes lost, 1000 at 2000"), "{cut:?}");
    assert_ne!(cut[1], cut[2]);
    let filled = comment(&["--info", "--fill-gaps"]);
    assert!(filled[0].ends_with("filled with zeros"), "{filled:?}");
    assert_eq!(filled[1], filled[2]);
}

#[test]
fn interfaces_keep_their_names() {
    let file = testdata("http-keepalive.pcapng");
    let names = ["frame.interface_name", "frame.time_epoch"];
    let input = fields("http", &names, &[], &read(&file));
    let output = run(
        ["--format".as_ref(), "pcapng".as_ref(), file.as_os_str()],
        b"",
    )
    .ok();
    let rows = fields("http", &names, &[], &output);
    assert!(!rows.is_empty());
    assert_eq!(rows[0][0], input[0][0]);
}

#[test]
fn large_messages_are_one_packet() {
    for (how, len, packets) in [
        ("jumbo", 100_000, 4),
        ("jumbo", 261_000, 4),
        // With 54 octets of headers and 69 of HTTP's own: the largest record that tshark reads, and one octet more.
        ("jumbo", 262_144 - 54 - 69, 4),
        ("jumbo", 262_144 - 54 - 69 + 1, 8),
        ("jumbo", 400_000, 10),
        ("snap", 100_000, 4),
        ("snap", 400_000, 4),
    ] {
        let output = run(["--large", how], &http(len).file).ok();
        assert_eq!(pcap(&output).1.len(), packets, "{how} {len}");
        let names = ["http.content_length", "http.file_data", "_ws.malformed"];
        let rows = fields("http.response", &names, &[], &output);
        assert_eq!(rows.len(), 2, "{how} {len}");
        assert_eq!(
            (rows[0][0].as_str(), rows[1][0].as_str()),
            (len.to_string().as_str(), "10")
        );
        assert!(rows.iter().all(|r| r[2].is_empty()));
        if how == "jumbo" {
            let digits = rows[0][1].chars().filter(char::is_ascii_hexdigit).count();
            assert!(
                digits == 2 * len || rows[0][1].len() >= len,
                "{how} {len}: {digits}"
            );
        }
    }
    let output = run(
        ["--large", "snap", "--max-message", "1000"],
        &http(5000).file,
    )
    .ok();
    let longest = pcap(&output).1.iter().map(|r| r.data.len()).max();
    assert_eq!(longest, Some(1054));
}

/// SYN, FIN and RST of every connection, and still nothing that tshark or tcpdump has to warn of.
#[test]
fn handshakes_are_right() {
    let options = [
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "tcp.check_checksum:TRUE",
    ];
    for name in [
        "http-keepalive.pcapng",
        "http-ipv6.pcap",
        "http-head.pcap",
        "http-reused-ports.pcap",
        "http-close.pcap",
    ] {
        let capture = CAPTURES.iter().find(|c| c.name == name).expect("listed");
        let input = capture.octets();
        let output = run(["--handshake"], &input).ok();
        let wrong = fields(
            "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || _ws.expert.severity >= 0x00600000",
            &["frame.number", "_ws.expert.message"],
            &options,
            &output,
        );
        assert_eq!(wrong, Vec::<Vec<String>>::new(), "{}", capture.name);
        let mut tcpdump = Command::new("tcpdump");
        let text = feed(tcpdump.args(["-n", "-vv", "-r", "-"]), &[&output]).text();
        for word in ["incorrect", "bad ", "truncated"] {
            assert!(!text.contains(word), "{}: {word}", capture.name);
        }
        // Every stream begins with a SYN of the client, which the server's follows.
        let names = ["tcp.stream", "tcp.flags.str", "tcp.len"];
        let rows = fields("tcp", &names, &[], &output);
        let streams: BTreeSet<_> = rows.iter().map(|r| &r[0]).collect();
        for stream in streams {
            let of_it: Vec<_> = rows.iter().filter(|r| r[0] == *stream).collect();
            assert!(of_it.len() > 3, "{}: {of_it:?}", capture.name);
            assert!(
                of_it[0][1].contains('S') && !of_it[0][1].contains('A'),
                "{of_it:?}"
            );
            assert!(
                of_it[1][1].contains('S') && of_it[1][1].contains('A'),
                "{of_it:?}"
            );
            assert!(of_it[2..].iter().all(|r| !r[1].contains('S')), "{of_it:?}");
        }
        // FIN and RST are those of the capture: of the same sender, once each, behind all that it sent.
        let ends = |file: &[u8]| {
            let names = [
                "tcp.stream",
                "tcp.srcport",
                "tcp.flags.fin",
                "tcp.flags.reset",
            ];
            let filter = "tcp.flags.fin == 1 || tcp.flags.reset == 1";
            let rows = fields(filter, &names, &[], file);
            rows.into_iter().collect::<BTreeSet<_>>()
        };
        let sent = ends(&input);
        assert!(!sent.is_empty(), "{}", capture.name);
        assert_eq!(ends(&output), sent, "{}", capture.name);
        let names = [
            "tcp.stream",
            "tcp.srcport",
            "tcp.flags.fin",
            "tcp.flags.reset",
        ];
        let rows = fields("tcp", &names, &[], &output);
        for (at, row) in rows.iter().enumerate() {
            let is_end = row[2] == "1" || row[3] == "1";
            let later = rows[at + 1..].iter().any(|r| r[..2] == row[..2]);
            assert!(!is_end || !later, "{}: {row:?}", capture.name);
        }
        let bare = run::<&str>([], &capture.octets()).ok();
        let messages = |file: &[u8]| {
            fields(
                "http",
                &["http.request.uri", "http.response.code"],
                &[],
                file,
            )
        };
        assert_eq!(messages(&output), messages(&bare), "{}", capture.name);
    }
}

/// A connection that was refused, one that nobody answered, one that is closed at once, one that the server resets behind
/// a message: each as it was, and no RST of anybody else.
#[test]
fn handshakes_of_connections_without_messages() {
    let mut capture = Pcap::new();
    let mut say = |port, up, seq, ack, flags, payload: &[u8]| {
        let ends = [(CLIENT.0, port), SERVER];
        let [from, to] = if up { ends } else { [ends[1], ends[0]] };
        let packet = capture.segment(from, to, seq, ack, flags, payload);
        capture.packet(&packet);
    };
    say(50001, true, 100, 0, SYN, b"");
    say(50001, false, 0, 101, RST | ACK, b"");
    say(50002, true, 100, 0, SYN, b"");
    for port in [50003, 50004] {
        say(port, true, 100, 0, SYN, b"");
        say(port, false, 500, 101, SYN | ACK, b"");
        say(port, true, 101, 501, ACK, b"");
    }
    say(50003, true, 101, 501, FIN | ACK, b"");
    say(50003, false, 501, 102, FIN | ACK, b"");
    let request = get("/x");
    let end = behind(101, &request);
    say(50004, true, 101, 501, PSH | ACK, &request);
    say(50004, false, 501, end, RST | ACK, b"");
    let output = run(["--handshake"], &capture.file).ok();
    let names = ["tcp.srcport", "tcp.dstport", "tcp.flags.str"];
    let rows = fields("tcp", &names, &[], &output);
    for (port, expected) in [
        ("50001", &["> S", "< AR"][..]),
        ("50002", &["> S"]),
        ("50003", &["> S", "< AS", "> AF", "< AF"]),
        ("50004", &["> S", "< AS", "> AP", "< AR"]),
    ] {
        let of_it: Vec<_> = rows
            .iter()
            .filter(|r| r[0] == port || r[1] == port)
            .map(|r| {
                let letters: String = r[2].chars().filter(char::is_ascii_alphabetic).collect();
                format!("{} {letters}", if r[0] == port { '>' } else { '<' })
            })
            .collect();
        assert_eq!(of_it, expected, "{port}");
    }
    // Without the option there is the message alone.
    let bare = run::<&str>([], &capture.file).ok();
    assert_eq!(pcap(&bare).1.len(), 1);
}

/// An answer to HEAD from the middle: tshark reads it and what follows, for every way to lose the request.
#[test]
fn an_answer_to_head_costs_nothing() {
    const HEAD: &[u8] = b"HEAD /x HTTP/1.1\r\nHost: example\r\n\r\n";
    const HEADER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    let (get, body) = (get("/y"), response(b"body"));
    for with_request in [false, true] {
        let mut capture = Pcap::new();
        let (c, s) = (1000, 5000);
        let (c2, s2) = (behind(c, HEAD), behind(s, HEADER));
        let (c3, s3) = (behind(c2, &get), behind(s2, &body));
        if with_request {
            capture.client(c, s, PSH | ACK, HEAD);
        }
        capture.server(s, c2, PSH | ACK, HEADER);
        capture.client(c2, s2, PSH | ACK, &get);
        capture.server(s2, c3, PSH | ACK, &body);
        capture.client(c3, s3, PSH | ACK, &get);
        let output = run::<&str>([], &capture.file).ok();
        let codes = fields("http.response", &["http.response.code"], &[], &output);
        assert_eq!(codes.len(), 2, "{with_request}");
    }
}

/// A message is written when it is complete, here behind a later one of the other direction: `original` keeps its time.
#[test]
fn times_never_go_back_unless_asked_for() {
    let mut capture = http(10);
    // An hour that the clock was wrong by: from here on it is five seconds earlier.
    let at = capture.now;
    udp(&mut capture, 53, QUERY);
    capture.now = at - 5_000_000;
    udp(&mut capture, 5060, SIP);
    let times = |args: &[&str]| -> Vec<u64> {
        let output = run(args, &capture.file).ok();
        pcap(&output).1.iter().map(|r| r.time).collect()
    };
    let (monotone, original) = (times(&[]), times(&["--timestamps", "original"]));
    assert_eq!(monotone.len(), original.len());
    assert!(monotone.is_sorted(), "{monotone:?}");
    assert!(!original.is_sorted(), "{original:?}");
    let input: Vec<_> = pcap(&capture.file).1.iter().map(|r| r.time).collect();
    assert_eq!(original.last(), input.last());
}

/// Packets wait for older ones, as long or as many as was asked for: the same packets, and their times rise.
#[test]
fn packets_are_written_in_the_order_of_their_times() {
    // Messages that waited for what was lost ahead of them, and stand behind later ones of other streams.
    for (name, form) in [
        ("sctp-abandoned.pcap", &[][..]),
        ("sctp-lost.pcap", &["--encap=pdu"]),
        ("sctp-lost.pcap", &["--disable=udp,sctp"]),
        ("http-lost-message.pcap", &["--handshake", "--disable=udp"]),
    ] {
        let capture = read(&testdata(name));
        let records = |args: &[&str]| -> (Vec<(u64, Vec<u8>)>, String) {
            let args = ["-s=all", "--timestamps=original"]
                .iter()
                .chain(form)
                .chain(args);
            let done = run(args, &capture);
            done.code(0);
            let records = pcap(&done.stdout).1.into_iter();
            let records = records.map(|r| (r.time, r.data.to_vec())).collect();
            (records, done.stderr)
        };
        let (mut wanted, said) = records(&[]);
        let rises = wanted.is_sorted_by_key(|(time, _)| *time);
        assert!(!rises || form == ["--disable=udp,sctp"], "{name}");
        assert_eq!(counter(&said, "buffer.output_sorting_peak"), 0);
        wanted.sort_by_key(|(time, _)| *time);
        for option in ["--output-sort-delay=1s", "--output-sort-queue=1000"] {
            let (seen, said) = records(&[option]);
            assert!(seen == wanted, "{name} {option}");
            assert_eq!(counter(&said, "output.late"), 0, "{name} {option}");
            assert!(counter(&said, "buffer.output_sorting_peak") > 1);
            assert_eq!(counter(&said, "buffer.output_sorting"), 0);
            assert_eq!(counter(&said, "buffer.waiting"), 0);
        }
        // Too short: none is lost, and those that came too late are counted.
        let (mut seen, said) = records(&["--output-sort-delay=1us"]);
        assert_eq!(counter(&said, "output.late") == 0, rises, "{said}");
        seen.sort_by_key(|(time, _)| *time);
        let (mut seen, mut wanted) = (seen, wanted);
        seen.sort();
        wanted.sort();
        assert!(seen == wanted);
        // So with memory for nothing.
        let (mut seen, _) = records(&["--output-sort-queue=1000", "--memory-limit=4M"]);
        seen.sort();
        assert_eq!(seen.len(), wanted.len());
    }
}

/// What waits for its place is written before a state is saved, and where nothing comes for long.
#[test]
fn packets_that_wait_for_their_place_are_written_when_it_is_time() {
    let capture = read(&testdata("sctp-lost.pcap"));
    let sorts = ["-s", "--timestamps=original", "--output-sort-queue=1000"];
    let times = |out: &[u8]| -> Vec<u64> { pcap(out).1.iter().map(|r| r.time).collect() };
    let dir = tempfile::tempdir().expect("tempdir");
    let state = dir.path().join("state").display().to_string();
    // Cut where messages wait behind what was lost.
    let records = pcap(&capture).1;
    let (begin, rest) = capture.split_at(records[records.len() / 2].end);
    let rest = [&capture[..24], rest].concat();
    let first = run([&sorts[..], &["--save-state", &state]].concat(), begin);
    let second = run([&sorts[..], &["--load-state", &state]].concat(), &rest);
    let unsorted = |more: &[&str], input: &[u8]| run([&sorts[..2], more].concat(), input);
    for (seen, plain) in [
        (&first, unsorted(&["--save-state", &state], begin)),
        (&second, unsorted(&["--load-state", &state], &rest)),
    ] {
        seen.code(0);
        plain.code(0);
        let mut wanted = times(&plain.stdout);
        wanted.sort_unstable();
        assert!(!wanted.is_empty() && times(&seen.stdout) == wanted);
        assert!(counter(&seen.stderr, "buffer.output_sorting_peak") > 1);
    }
    let all = run(sorts, &capture);
    let mut live = Live::start(&[&sorts[..], &["--live"]].concat());
    live.write(&capture);
    // All but what only the end of the input gives up.
    let enough = all.stdout.len() / 2;
    live.until("what waits", |out| out.len() >= enough);
    live.close();
    let end = live.end();
    end.code(0);
    assert!(times(&end.stdout) == times(&all.stdout));
}

/// Each kind, encapsulation and format by itself, on files and stdout, in one run.
#[test]
fn outputs_take_options_of_their_own() {
    let mut capture = http(100);
    udp(&mut capture, 53, QUERY);
    capture.packet(&[&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &[0; 28]].concat()); // ARP
    let dir = tempfile::tempdir().expect("tempdir");
    let out = |name: &str, query: &str| format!("file:{}?{query}", dir.path().join(name).display());
    let outputs = [
        out("dns", "protocol=dns&encap=pdu&format=pcapng"),
        out("raw", "protocol=http&encap=raw"),
        out("dropped", "kind=dropped"),
        out("all", "kind=bypass&format=pcap"),
        "-?protocol=http&format=pcapng".to_owned(),
    ];
    let done = run(outputs.iter().flat_map(|o| ["-w", o]), &capture.file);
    done.code(0);
    let packets = |file: &[u8]| {
        fields(
            "frame",
            &["frame.encap_type", "frame.protocols", "frame.comment"],
            &[],
            file,
        )
    };
    let is_pcapng = |file: &[u8]| file.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
    let dns = written(dir.path(), "dns");
    let rows = packets(&dns);
    assert!(
        is_pcapng(&dns) && rows.len() == 1 && rows[0][1].ends_with("dns"),
        "{rows:?}"
    );
    let raw = written(dir.path(), "raw");
    assert_eq!((pcap(&raw).0, pcap(&raw).1.len()), (101, 4));
    let dropped = written(dir.path(), "dropped");
    let rows = packets(&dropped);
    assert!(
        is_pcapng(&dropped) && rows.len() == 1 && rows[0][2].starts_with("link.not_ip: "),
        "{rows:?}"
    );
    let all = written(dir.path(), "all");
    assert!(all == capture.file, "the input as it was");
    assert!(is_pcapng(&done.stdout));
    assert_eq!(packets(&done.stdout).len(), 4);
}

/// What goes past is octet by octet what came, also in captures of several interfaces and formats.
#[test]
fn bypassed_packets_are_the_same_octets() {
    for name in ["mixed.pcapng", "http-snapped.pcap", "http-cooked2.pcap"] {
        let input = read(&testdata(name));
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("all");
        run(
            ["-n".as_ref(), "--bypass".as_ref(), file.as_os_str()],
            &input,
        )
        .code(0);
        let octets = |file: &[u8]| {
            let times = fields("frame", &["frame.time_epoch", "frame.len"], &[], file);
            (times, common::tshark(["-x"], file))
        };
        assert!(octets(&read(&file)) == octets(&input), "{name}");
    }
}

/// Resolution, names and one link type, from pcapng to pcapng.
#[test]
fn resolution_is_kept() {
    for (name, resolution) in [("http-keepalive.pcapng", 6), ("http-nano.pcap", 9)] {
        let input = read(&testdata(name));
        let output = run(["--format", "pcapng"], &input).ok();
        let mut interfaces = Vec::new();
        let mut rest = &output[..];
        while let Some(head) = rest.get(..8) {
            let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
            let (block, body) = rest.split_at(number(4) as usize);
            if number(0) == 1 {
                interfaces.push(block);
            }
            rest = body;
        }
        assert!(!interfaces.is_empty());
        for block in interfaces {
            assert_eq!(block[8..10], [1, 0], "{name}: Ethernet");
            // if_tsresol: option 9, one octet; without it microseconds are meant.
            let half = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
            let (mut at, mut found) = (16, None);
            while half(at) != 0 {
                if half(at) == 9 {
                    found = Some(block[at + 4]);
                }
                at += 4 + usize::from(half(at + 2)).next_multiple_of(4);
            }
            assert_eq!(found.unwrap_or(6), resolution, "{name}");
        }
        let digits = |file: &[u8]| fields("http", &["frame.time_epoch"], &[], file);
        let (input, output) = (digits(&input), digits(&output));
        assert!(output.iter().all(|time| input.contains(time)), "{name}");
    }
}

#[test]
fn dropped_and_bypassed_packets_are_as_they_were() {
    let mut capture = http(10);
    let arp = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &[0; 28]].concat();
    capture.packet(&arp);
    let mut bad = capture.segment((A, 1), (B, 2), 1, 1, ACK, b"");
    bad[24] ^= 0xff; // the sum of the IP header
    capture.packet(&bad);
    let dir = tempfile::tempdir().expect("tempdir");
    let (dropped, bypass) = (dir.path().join("dropped"), dir.path().join("bypass"));
    let done = run(
        [
            "-n".as_ref(),
            "-s".as_ref(),
            "--checksums=verify".as_ref(),
            "--dropped".as_ref(),
            dropped.as_os_str(),
            "--bypass".as_ref(),
            bypass.as_os_str(),
        ],
        &capture.file,
    );
    done.code(0);
    assert_eq!(done.stdout, b"");
    let packets = pcap(&capture.file).1.len();
    let names = ["frame.time_epoch", "frame.len", "frame.comment"];
    let all = fields("frame", &names, &[], &read(&bypass));
    assert_eq!(all, fields("frame", &names, &[], &capture.file));
    let found = fields("frame", &names, &[], &read(&dropped));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0][..2], all[packets - 2][..2]);
    assert_eq!(found[1][..2], all[packets - 1][..2]);
    for row in &found {
        let name = row[2].split(':').next().unwrap_or_default();
        assert_eq!(counter(&done.stderr, name), 1, "{row:?}");
    }
    // The same as pcap is the input, octet by octet.
    let same = run(["-n", "--bypass", "file:-?format=pcap"], &capture.file).ok();
    assert!(
        pcap(&same)
            .1
            .iter()
            .map(|r| r.data)
            .eq(pcap(&capture.file).1.iter().map(|r| r.data))
    );
}

/// Segments of which octets could not be used any more: of a hole that was given up, before a start in the middle, behind a FIN.
#[test]
fn segments_that_came_too_late_are_dropped_packets() {
    let mut pcap = Pcap::new();
    // From the middle: no SYN, and a piece from before the first octet long after.
    pcap.client(5_000, 1, PSH | ACK, b"first").wait(1_000);
    pcap.client(5_005, 1, PSH | ACK, b"second").wait(1_000);
    pcap.client(4_000, 1, PSH | ACK, b"before");
    // A hole that the server has acknowledged past, and what would have filled it.
    pcap.client(5_021, 1, PSH | ACK, b"behind");
    pcap.server(1, 5_027, ACK, b"").wait(3_000);
    pcap.server(1, 5_027, ACK, b"").wait(3_000);
    pcap.client(5_011, 1, PSH | ACK, b"it's late.");
    // The end, and more behind it.
    pcap.client(5_027, 1, FIN | ACK, b"");
    pcap.client(5_028, 1, PSH | ACK, b"after");
    let dir = tempfile::tempdir().expect("a folder");
    let dropped = dir.path().join("dropped");
    let path = dropped.to_str().expect("UTF-8");
    let done = run(["-n", "-s", "--dropped", path], &pcap.file);
    let rows = fields(
        "frame",
        &["frame.comment", "tcp.seq_raw"],
        &[],
        &read(&dropped),
    );
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row[0].split(':').next().unwrap_or_default(), &*row[1]))
        .collect();
    assert_eq!(
        rows,
        [
            ("tcp.before_start", "4000"),
            ("tcp.late", "5011"),
            ("tcp.after_end", "5028"),
        ]
    );
    for (reason, _) in rows {
        assert_eq!(counter(&done.stderr, reason), 1);
    }
}
