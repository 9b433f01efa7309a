//! `--trace`: what becomes of each segment, said in words.

use crate::common::build::{
    ACK, CLIENT, FIN, PSH, Pcap, RST, SERVER, SYN, behind, body, get, response,
};
use crate::common::{self, counter, run};

/// What is said, without the time: packet, `>` from the client or `<` from the server, and the rest of the line.
fn said(args: &[&str], capture: &Pcap) -> Vec<String> {
    let all = [&["-q", "-n", "--trace", "all"], args].concat();
    let text = run(all, &capture.file).stderr;
    // A line for each connection names its endpoints.
    let (client, server) = (
        format!("{}:{}", CLIENT.0, CLIENT.1),
        format!("{}:{}", SERVER.0, SERVER.1),
    );
    let lines = text.lines().filter(|line| !line.starts_with("tcp "));
    let lines = lines.map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [frame, _time, "tcp", number, rest @ ..] = &words[..] else {
            panic!("{line}")
        };
        let rest = rest.join(" ");
        if *number == "-" {
            let to = format!("{client} → {server}");
            let back = format!("{server} → {client}");
            return match (rest.strip_prefix(&to), rest.strip_prefix(&back)) {
                (Some(rest), _) => format!("{frame} >{rest}"),
                (_, Some(rest)) => format!("{frame} <{rest}"),
                _ => panic!("{line}"),
            };
        }
        // The arrows point from the side that was seen first.
        let head = text
            .lines()
            .find(|l| l.starts_with(&format!("tcp {number}: ")));
        let server_first = head
            .expect("its endpoints")
            .contains(&format!(": {server} "));
        let (to, back) = if server_first { ('<', '>') } else { ('>', '<') };
        let rest = rest.replacen('→', &to.to_string(), 1);
        format!("{frame} {}", rest.replacen('←', &back.to_string(), 1))
    });
    lines.collect()
}

/// What is said of segments.
fn fates(args: &[&str], capture: &Pcap) -> Vec<String> {
    let segments = said(args, capture).into_iter().filter(|l| l.contains('['));
    segments.collect()
}

/// A connection whose client's first octet is 101, the server's 501.
fn opened() -> Pcap {
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    pcap
}

#[test]
fn a_conversation_without_trouble() {
    let mut pcap = opened();
    let (ask, answer) = (get("/a"), response(b"body"));
    pcap.client(101, 501, ACK | PSH, &ask)
        .server(501, behind(101, &ask), ACK | PSH, &answer)
        .server(behind(501, &answer), behind(101, &ask), ACK | FIN, b"")
        .client(behind(101, &ask), behind(501, &answer) + 1, ACK | FIN, b"");
    let (asked, answered) = (ask.len(), answer.len());
    assert_eq!(
        said(&[], &pcap),
        [
            "1 > [S] 0: no data".to_owned(),
            "2 < [S.] 0: acknowledges 0".to_owned(),
            "3 > [.] 0: acknowledges 0".to_owned(),
            format!("4 > [P.] 0:{asked}: in order"),
            format!("4 > 0: message begins: http request, {asked} bytes"),
            format!("4 > {asked}: message ends, whole"),
            format!("5 < [P.] 0:{answered}: in order"),
            format!("5 < 0: message begins: http response, {answered} bytes"),
            format!("5 < {answered}: message ends, whole"),
            format!("6 < [F.] {answered}: acknowledges {asked}"),
            "6 <: stream ends: FIN".to_owned(),
            format!("7 > [F.] {asked}: acknowledges {}", answered + 1),
            "7 >: stream ends: FIN".to_owned(),
            "7 >: connection ends: FIN".to_owned(),
        ]
    );
}

#[test]
fn holes_are_told_with_what_fills_them_and_why_they_are_given_up() {
    let mut pcap = opened();
    let octets = body(400);
    let part =
        |from: usize, to: usize| (101 + u32::try_from(from).expect("small"), &octets[from..to]);
    for (from, to) in [(0, 100), (200, 300), (200, 300), (100, 200), (350, 400)] {
        let (seq, data) = part(from, to);
        pcap.client(seq, 501, ACK, data);
    }
    let mut other = octets[350..390].to_vec();
    other[7] ^= 1;
    pcap.client(451, 501, ACK, &other)
        .server(501, 501, ACK, b"")
        .wait(1100)
        .server(501, 501, ACK, b"")
        .client(401, 501, ACK, &octets[300..350])
        .client(101, 501, ACK, &octets[..100])
        .client(500, 501, ACK, b"x");
    assert_eq!(
        said(&["--protocols", "dns"], &pcap)[3..]
            .iter()
            .filter(|l| !l.contains("message"))
            .collect::<Vec<_>>(),
        [
            "4 > [.] 0:100: in order",
            "5 > [.] 200:300: waits behind a hole of 100 bytes at 100",
            "6 > [.] 200:300: duplicate",
            "7 > [.] 100:200: fills a hole",
            "7 > 200:300: delivered, from packet 5",
            "8 > [.] 350:400: waits behind a hole of 50 bytes at 300",
            "9 > [.] 350:390: duplicate, with other content",
            "10 < [.] 0: acknowledges 400",
            "11 < [.] 0: acknowledges 400",
            "11 > 300:350: gap of 50 bytes: the other side has acknowledged past it (acked)",
            "11 > 350:400: delivered, from packet 8",
            "12 > [.] 300:350: late: its hole was given up, dropped",
            "13 > [.] 0:100: duplicate",
            "14 > [.] 399:400: keep-alive, no data",
            "14 >: stream ends: end of the input",
            "14 <: stream ends: end of the input",
            "14 >: connection ends: end of the input",
        ]
    );
}

#[test]
fn what_fits_nowhere_is_told() {
    let mut pcap = opened();
    pcap.client(101, 501, ACK | PSH, b"abc")
        .server(400_000_000, 104, RST | ACK, b"")
        .client(1 << 30, 501, ACK, b"far")
        .client(77_777, 0, SYN, b"")
        .server(9000, 77_778, SYN | ACK, b"")
        .client(77_778, 9001, ACK | FIN, b"new")
        .client(77_790, 9001, ACK, b"behind")
        .server(9001, 77_782, RST | ACK, b"");
    let all = fates(&[], &pcap);
    for line in [
        "5 < [R.] 399999499: fits no connection, dropped",
        "6 > [.] 1073741723:1073741726: a jump over --max-gap, held until it is confirmed",
        "7 > [S] 77677: a SYN with another number, held until it is confirmed",
        "8 < [S.] 8500: a new connection on the same ports",
        "7 > [S] 0: no data",
        "9 > [F.] 0:3: in order",
        "10 > [.] 12:18: a jump over --max-gap, held until it is confirmed",
        "10 > [.] 0:6: is held for earlier ones: the stream was captured from the middle",
        "11 < [R.] 0: resets the connection",
    ] {
        assert!(all.iter().any(|l| l == line), "{line}: {all:#?}");
    }
}

#[test]
fn a_start_in_the_middle_is_told() {
    let mut pcap = Pcap::new();
    pcap.client(1000, 1, ACK, b"defg")
        .client(997, 1, ACK, b"abc");
    pcap.wait(300)
        .client(1004, 1, ACK, b"hi")
        .client(900, 1, ACK, b"lower");
    let all = said(&[], &pcap);
    for line in [
        "1 > [.] 0:4: is held for earlier ones: the stream was captured from the middle",
        "2 > [.] -3:0: is held for earlier ones: the stream was captured from the middle",
        "3 >: was looked behind, delivery begins",
        "3 > 0:3: delivered, from packet 2",
        "4 > [.] -97:-92: before the start, dropped",
    ] {
        assert!(all.iter().any(|l| l == line), "{line}: {all:#?}");
    }
}

#[test]
fn damaged_copies_and_acknowledgments_that_are_waited_for_are_told() {
    let mut pcap = opened();
    pcap.client(101, 501, ACK, b"abc");
    let mut damaged = pcap.segment(CLIENT, SERVER, 104, 501, ACK, b"def");
    let last = damaged.len() - 1;
    damaged[last] ^= 0x20;
    pcap.packet(&damaged)
        .client(107, 501, ACK, b"ghi")
        .server(501, 110, ACK, b"")
        .wait(1100)
        .server(501, 110, ACK, b"");
    let all = said(&[], &pcap);
    for line in [
        "5 > [.] 3:6: damaged copy (wrong checksum), kept as second choice",
        "6 > [.] 6:9: waits behind a hole of 3 bytes at 3",
        "7 > 3:6: the damaged copy is used, for want of a better one",
    ] {
        assert!(all.iter().any(|l| l == line), "{line}: {all:#?}");
    }
    let all = said(&["--checksums", "verify"], &pcap);
    assert!(
        all.iter()
            .any(|l| l.ends_with(" 3 bytes: wrong checksum, dropped")),
        "{all:#?}"
    );
    let all = said(&["--wait-ack", "--checksums", "ignore"], &pcap);
    for line in [
        "4 > [.] 0:3: waits for its acknowledgment",
        "7 > 0:3: delivered, from packet 4",
    ] {
        assert!(all.iter().any(|l| l == line), "{line}: {all:#?}");
    }
}

#[test]
fn a_rule_chooses_and_the_counters_agree() {
    let mut pcap = opened();
    pcap.client(101, 501, ACK | PSH, &get("/a"));
    let mut one = |from: u16| {
        let from = (CLIENT.0, from);
        let packet = pcap.segment(from, SERVER, 1, 1, ACK | PSH, &get("/b"));
        pcap.packet(&packet);
    };
    one(50_001);
    one(50_002);
    let lines = |rule: &str| {
        let done = run(["-q", "-n", "--trace", rule], &pcap.file).stderr;
        done.lines().filter(|l| l.contains('[')).count()
    };
    assert_eq!(lines("all"), 6);
    let segments = counter(&run(["-n", "-s"], &pcap.file).stderr, "tcp.segments");
    assert_eq!(segments, 6, "each segment has one line");
    for (rule, expected) in [
        ("0", 4),
        ("1", 1),
        ("1,2", 2),
        ("7", 0),
        ("198.51.100.7:50002", 1),
        ("203.0.113.80", 6),
        ("198.51.100.7:50000-203.0.113.80:80", 4),
    ] {
        assert_eq!(lines(rule), expected, "{rule}");
    }
    let wrong = run(["-n", "--trace", "nobody"], &pcap.file);
    assert!(
        wrong.stderr.contains("is no connection: expected"),
        "{}",
        wrong.stderr
    );
    wrong.code(2);
}

/// What is said of an association, without the time.
fn said_of_association(name: &str) -> Vec<String> {
    let file = common::testdata(name).display().to_string();
    let text = run(["-q", "-n", "--trace", "all", &file], b"").stderr;
    let lines = text.lines().filter(|line| !line.starts_with("sctp "));
    let words = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [frame, _time, "sctp", _, rest @ ..] = &words[..] else {
            panic!("{line}")
        };
        format!("{frame} {}", rest.join(" "))
    };
    lines.map(words).collect()
}

#[test]
fn chunks_of_an_association_are_told() {
    let lines = said_of_association("sctp-lost.pcap");
    for line in [
        "1 → [INIT] tag 0x9f767c45, first TSN 3185950873",
        "2 ← [INIT ACK] tag 0x4164d839, first TSN 1539898300",
        "3 → [COOKIE ECHO]",
        "4 ← [COOKIE ACK]",
        "5 → [DATA BE] TSN 3185950873, stream 0, SSN 0, PPID 3, 176 bytes: in order",
        "5 → TSN 3185950873, stream 0: message: m3ua, 176 bytes, whole",
        "6 ← [SACK] acknowledges up to TSN 3185950873",
        "14 → [DATA BE] TSN 3185950878, stream 1, SSN 2, PPID 3, 176 bytes: behind a hole of 1 TSN at 3185950877",
        "22 → [DATA B] TSN 3185950882, stream 1, SSN 4, PPID 3, 100 bytes: behind a hole of 1 TSN at 3185950877",
        "46 → TSN 3185950877: gap of 1 TSN: the other side has acknowledged past it (acked)",
        "106 →: connection ends: FIN",
    ] {
        assert!(lines.contains(&line.to_owned()), "{line}: {lines:#?}");
    }
    // What a chunk brings about stands behind it.
    let at = |words: &str| lines.iter().position(|l| l.starts_with(words));
    assert!(at("5 → [DATA") < at("5 → TSN"), "{lines:#?}");
}

/// Each chunk that is counted is told of, and what becomes of data agrees with the counters.
#[test]
fn the_trace_of_associations_agrees_with_the_counters() {
    for name in [
        "sctp-abandoned.pcap",
        "sctp-interleaved.pcap",
        "sctp-multihomed.pcap",
        "sctp-reset.pcap",
        "sctp-restart.pcap",
        "sctp-usrsctp.pcap",
    ] {
        let lines = said_of_association(name);
        let file = common::testdata(name).display().to_string();
        let stats = run(["-n", "-s=all", &file], b"").stderr;
        let count = |words: &str| lines.iter().filter(|l| l.contains(words)).count() as u64;
        for (words, names) in [
            ("[DATA", &["sctp.data_chunks"][..]),
            ("[I-DATA", &["sctp.i_data_chunks"]),
            ("[SACK]", &["sctp.sack"]),
            ("[INIT]", &["sctp.init"]),
            ("FORWARD-TSN] abandons", &["sctp.forward_tsn"]),
            ("[RE-CONFIG]", &["sctp.re_config"]),
            ("bytes: duplicate", &["sctp.duplicates"]),
            ("bytes: late", &["sctp.late"]),
            (": message: ", &["sctp.messages"]),
            (": gap of ", &["sctp.gaps"]),
            (": dropped as sctp.stray", &["sctp.stray"]),
        ] {
            let counted: u64 = names.iter().map(|name| counter(&stats, name)).sum();
            assert_eq!(count(words), counted, "{name}: {words}: {lines:#?}");
        }
    }
}
