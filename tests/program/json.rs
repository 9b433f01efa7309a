//! `--json`: what the objects say of real and of damaged captures.

use crate::common::build::{
    ACK, CLIENT, FIN, PSH, Pcap, RST, SERVER, SYN, behind, body, get, response,
};
use crate::common::{self, inet_asm, read, run, testdata, unbase64};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The objects of a kind.
fn objects(args: &[&str], input: &[u8], kind: &str) -> Vec<Value> {
    let text = run(args, input).text();
    let all = text.lines().map(serde_json::from_str::<Value>);
    all.map(|object| object.expect("an object a line"))
        .filter(|object| object["type"] == kind)
        .collect()
}

/// A request and its response give an exchange where both were chosen.
#[test]
fn exchanges_need_both_of_their_messages() {
    let path = testdata("http-tiny.pcap");
    for (options, exchanges) in [
        (&["-j"][..], 1),
        (&["-j", "--kind", "response"], 0),
        (&["-j", "--kind", "request"], 0),
        (&["-j", "--match", "HTTP"], 1),
    ] {
        let args = [options, &[path.to_str().expect("UTF-8")]].concat();
        let text = run(args, b"").text();
        let found = text.matches("\"type\":\"exchange\"").count();
        assert_eq!(found, exchanges, "{options:?}");
    }
}

#[test]
fn every_answer_tells_what_it_answers() {
    let capture = read(&testdata("http-pipelined.pcap"));
    let messages = objects(&["-j"], &capture, "message");
    let exchanges = objects(&["-j"], &capture, "exchange");
    let requests: Vec<_> = messages.iter().filter(|m| m["kind"] == "request").collect();
    let answers: Vec<_> = messages
        .iter()
        .filter(|m| m["kind"] == "response")
        .collect();
    assert!(requests.len() > 2);
    assert_eq!(exchanges.len(), requests.len());
    for ((exchange, request), answer) in exchanges.iter().zip(&requests).zip(&answers) {
        assert_eq!(exchange["request"], request["summary"]);
        assert_eq!(exchange["request_offset"], request["offset"]);
        assert_eq!(exchange["response"], answer["summary"]);
        assert_eq!(exchange["response_offset"], answer["offset"]);
        assert_eq!(exchange["src_port"], request["src_port"]);
        assert_eq!(exchange["frame"], answer["frame"]);
        assert_eq!(exchange["first_frame"], request["first_frame"]);
        assert_eq!(exchange["whole"], true);
        let (delay, duration) = (exchange["delay"].as_f64(), exchange["duration"].as_f64());
        assert!(delay > Some(0.0) && delay <= duration);
    }
}

/// A server may answer before it has the whole request (RFC 9110, 7.5): whether both are whole is known only when both have ended.
#[test]
fn an_exchange_waits_for_the_end_of_its_request() {
    let posted = |fields: &str| format!("POST /p HTTP/1.1\r\n{fields}Content-Length: 60\r\n\r\n");
    let refused = b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n";
    let body = body(60);
    let next = get("/next");
    let expects = "Expect: 100-continue\r\n";
    for (fields, sent, follows, whole) in [
        ("", &body[..], &next[..], true),
        ("", &body[..20], b"", false),
        // Declined: the body does not come.
        (expects, b"", &next, true),
    ] {
        let post = posted(fields);
        let (seq, ack) = (behind(1, post.as_bytes()), behind(1, refused));
        let mut pcap = Pcap::new();
        pcap.open(0, 0)
            .client(1, 1, PSH | ACK, post.as_bytes())
            .server(1, seq, PSH | ACK, refused)
            .client(seq, ack, PSH | ACK, sent)
            .client(behind(seq, sent), ack, PSH | ACK, follows);
        let mut all = objects(&["-j"], &pcap.file, "exchange");
        all.retain(|exchange| exchange["missing"].is_null());
        let [exchange] = &all[..] else {
            panic!("{all:?}")
        };
        assert_eq!(exchange["whole"], whole, "{exchange}");
        assert_eq!(exchange["response"], "HTTP/1.1 413 Large");
        assert_eq!(exchange["src_port"], CLIENT.1);
        assert_eq!(
            [&exchange["first_frame"], &exchange["frame"]].map(Value::as_u64),
            [Some(4), Some(5)]
        );
        assert_eq!(exchange["duration"], 0.001);
    }
}

#[test]
fn an_answer_to_a_lost_request_is_another_ones_in_no_exchange() {
    let capture = read(&testdata("http-lost-message.pcap"));
    let messages = objects(&["-j"], &capture, "message");
    let answers = messages.iter().filter(|m| m["kind"] == "response");
    let mut exchanges = objects(&["-j"], &capture, "exchange");
    exchanges.retain(|exchange| exchange["missing"].is_null());
    for exchange in &exchanges {
        let request = messages.iter().find(|m| {
            m["kind"] == "request"
                && m["connection"] == exchange["connection"]
                && m["offset"] == exchange["request_offset"]
        });
        assert_eq!(request.expect("a message")["summary"], exchange["request"]);
    }
    assert!(exchanges.len() <= answers.count());
}

/// What is missing of the exchanges, as `request|response|missing`.
fn told(args: &[&str], capture: &[u8]) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let all = objects(&[&["-j"], args].concat(), capture, "exchange");
    let told = all.iter().map(|e| {
        if e["missing"].is_string() {
            assert!(e["whole"] == false && e["delay"].is_null() && e["duration"].is_null());
        }
        let first = |value: &Value| word(value).split(' ').take(2).collect::<Vec<_>>().join(" ");
        let missing = word(&e["missing"]);
        format!(
            "{}|{}|{missing}",
            first(&e["request"]),
            first(&e["response"])
        )
    });
    told.collect()
}

/// Both sides of a connection to this port, in turn; what is marked is not in the capture.
fn talk(port: u16, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut pcap = Pcap::new();
    let server = (SERVER.0, port);
    let syn = pcap.segment(CLIENT, server, 0, 0, SYN, b"");
    let syn_ack = pcap.segment(server, CLIENT, 0, 1, SYN | ACK, b"");
    pcap.packet(&syn).packet(&syn_ack);
    let (mut seq, mut ack) = (1, 1);
    for (who, octets) in parts {
        let packet = if who.starts_with('c') {
            let packet = pcap.segment(CLIENT, server, seq, ack, PSH | ACK, octets);
            seq = behind(seq, octets);
            packet
        } else {
            let packet = pcap.segment(server, CLIENT, ack, seq, PSH | ACK, octets);
            ack = behind(ack, octets);
            packet
        };
        if !who.ends_with('x') {
            pcap.packet(&packet);
        }
    }
    pcap.file
}

/// The half of an exchange that is not in the capture is named, at the end of the connection, and where nothing is certain nothing is.
#[test]
fn exchanges_say_what_is_missing() {
    let answer = response(b"x");
    let modbus = |number: u8| [0, number, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
    let read = |number: u8| [0, number, 0, 0, 0, 5, 1, 3, 2, 0, 7];
    let ldap = |id: u8, tag: u8| [0x30, 12, 2, 1, id, tag, 7, 10, 1, 0, 4, 0, 4, 0];
    let (one, two) = (get("/1"), get("/2"));
    let ping = b"*1\r\n$4\r\nPING\r\n";
    // (port; who sends what, x where it is not captured; exchanges)
    type Part<'a> = (&'a str, &'a [u8]);
    let cases: &[(u16, &[Part<'_>], &[&str])] = &[
        (
            80,
            &[("c", &one), ("s", &answer), ("c", &two)],
            &["GET /1|HTTP/1.1 200|-", "GET /2|-|response"],
        ),
        (
            80,
            &[("cx", &one), ("s", &answer), ("c", &two), ("s", &answer)],
            &["GET /2|HTTP/1.1 200|-", "-|HTTP/1.1 200|request"],
        ),
        (
            80,
            &[("c", &one), ("sx", &answer), ("c", &two), ("s", &answer)],
            &["GET /1|-|response", "GET /2|HTTP/1.1 200|-"],
        ),
        (
            6379,
            &[("c", ping), ("s", b"+PONG\r\n"), ("c", ping)],
            &["PING|+PONG|-", "PING|-|response"],
        ),
        // Behind a loss nobody knows whose it is.
        (
            6379,
            &[
                ("c", ping),
                ("c", ping),
                ("sx", b"+PONG\r\n"),
                ("s", b"+PONG\r\n"),
            ],
            &[],
        ),
        (
            11211,
            &[
                ("c", b"set a 0 0 1 noreply\r\nx\r\n"),
                ("c", b"mg a q\r\n"),
                ("c", b"mn\r\n"),
            ],
            &["mn|-|response"],
        ),
        (
            25,
            &[
                ("s", b"220 a SMTP\r\n"),
                ("c", b"EHLO b\r\n"),
                ("s", b"250 a\r\n"),
                ("c", b"NOOP\r\n"),
            ],
            &["EHLO b|250 a|-", "NOOP|-|response"],
        ),
        (
            5432,
            &[
                ("c", b"Q\0\0\0\x0dselect 1\0"),
                ("s", b"C\0\0\0\x06x\0Z\0\0\0\x05I"),
                ("c", b"X\0\0\0\x04"),
            ],
            &["Query select|CommandComplete x|-"],
        ),
        (
            502,
            &[("c", &modbus(1)), ("c", &modbus(2)), ("s", &read(2))],
            &["read holding|read holding|-", "read holding|-|response"],
        ),
        (
            389,
            &[
                ("c", &ldap(1, 0x63)),
                ("s", &ldap(1, 0x64)),
                ("s", &ldap(1, 0x65)),
                ("c", &ldap(2, 0x63)),
                ("s", &ldap(2, 0x64)),
                ("cx", &ldap(9, 0x60)),
                ("s", &ldap(9, 0x61)),
            ],
            // What each of the two lacks may be the other, as far as is known behind a loss.
            &["search request|search done|-"],
        ),
        (
            143,
            &[
                ("s", b"* OK IMAP4rev1\r\n"),
                ("c", b"a NOOP\r\n"),
                ("c", b"b NOOP\r\n"),
                ("s", b"b OK done\r\n"),
            ],
            &["b NOOP|b OK|-", "a NOOP|-|response"],
        ),
    ];
    for (port, parts, expected) in cases {
        assert_eq!(told(&[], &talk(*port, parts)), *expected, "{port}");
    }
    let search = talk(389, cases[9].1);
    let first = &objects(&["-j"], &search, "exchange")[0];
    assert_eq!(
        (&first["delay"], &first["duration"]),
        (&0.001.into(), &0.002.into())
    );
    let http = talk(80, cases[0].1);
    for args in [
        &["-c", "1"][..],
        &["--kind", "request"],
        &["--match", "GET /2"],
    ] {
        assert!(
            told(args, &http).iter().all(|told| told.ends_with("|-")),
            "{args:?}"
        );
    }
}

/// The same of datagrams, at the end of the input; an answer that comes again lacks nothing.
#[test]
fn exchanges_of_datagrams_say_what_is_missing() {
    let dns = |id: u8, flags: u8| {
        [
            0, id, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1,
        ]
    };
    let (ask, tell) = (|id| dns(id, 1), |id| dns(id, 0x81));
    let all = [
        ask(1),
        ask(2),
        tell(2),
        tell(2),
        tell(7),
        tell(7),
        ask(3),
        ask(3),
    ];
    let sent: Vec<_> = all.iter().map(|m| (m[2] == 1, &m[..])).collect();
    let told = told(&[], &datagrams(53, &sent, 0));
    let of = |ending: &str| told.iter().filter(|told| told.ends_with(ending)).count();
    assert_eq!(
        (told.len(), of("|-"), of("|request"), of("|response")),
        (4, 1, 1, 2),
        "{told:?}"
    );
}

#[test]
fn repeated_segments_are_told() {
    let capture = read(&testdata("http-repeated.pcap"));
    let told = objects(&["-j"], &capture, "duplicate");
    let octets: u64 = told.iter().filter_map(|d| d["length"].as_u64()).sum();
    let stats = run(["-n", "-s"], &capture).stderr;
    assert!(octets > 0);
    assert_eq!(octets, common::counter(&stats, "tcp.duplicate_octets"));
    assert!(told.iter().all(|d| d["conflict"] == false));
    let whole = read(&testdata("http-keepalive.pcap"));
    assert_eq!(objects(&["-j"], &whole, "duplicate").len(), 0);
}

#[test]
fn packets_that_are_of_no_use_are_told_with_the_reason() {
    let capture = read(&testdata("http-tiny.pcap"));
    let mut damaged = capture.clone();
    // The EtherType of the first packet.
    damaged[24 + 16 + 12..24 + 16 + 14].copy_from_slice(&[0x88, 0xcc]);
    let told = objects(&["-j"], &damaged, "dropped");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["frame"], 1);
    assert_eq!(told[0]["reason"], "link.not_ip");
    assert_eq!(objects(&["-j"], &capture, "dropped").len(), 0);
}

#[test]
fn hashes_are_those_of_the_octets() {
    for name in ["http-chunked.pcap", "dns-udp.pcap", "sctp-m3ua.pcap"] {
        let capture = read(&testdata(name));
        let args = ["-j", "--hash", "--json-body", "base64"];
        let messages = objects(&args, &capture, "message");
        assert!(!messages.is_empty());
        for message in messages {
            let body = unbase64(message["body"].as_str().expect("a body"));
            let sum: String = Sha256::digest(&body)
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect();
            assert_eq!(message["sha256"], *sum, "{name}: {}", message["summary"]);
        }
    }
    let lost = read(&testdata("http-lost.pcap"));
    let messages = objects(&["-j", "--hash"], &lost, "message");
    assert!(messages.iter().any(|m| m["whole"] == false));
    for message in messages {
        assert_eq!(message["sha256"].is_null(), message["whole"] == false);
    }
}

/// With `--extract` the files are told of too, in the words of their list.
#[test]
fn files_are_told_as_their_list_has_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_str().expect("UTF-8");
    let capture = read(&testdata("http-keepalive.pcap"));
    let told = objects(&["-j", "-x", path], &capture, "file");
    let list = std::fs::read_to_string(dir.path().join("files.jsonl")).expect("a list");
    let listed = list.lines().map(serde_json::from_str::<Value>);
    let listed: Vec<_> = listed.map(|line| line.expect("an object a line")).collect();
    assert!(listed.len() > 1);
    assert_eq!(told.len(), listed.len());
    for (told, listed) in told.iter().zip(&listed) {
        let mut told = told.clone();
        told.as_object_mut().expect("an object").remove("type");
        assert_eq!(&told, listed);
    }
}

/// A capture of UDP datagrams between two endpoints, by who sends (true: the client) and payload; `cut`: octets that are not captured.
fn datagrams(port: u16, all: &[(bool, &[u8])], cut: usize) -> Vec<u8> {
    let mut pcap = Pcap::new();
    for (up, payload) in all {
        let ends = [(CLIENT.0, 40_000), (SERVER.0, port)];
        let [from, to] = if *up { ends } else { [ends[1], ends[0]] };
        let len = u16::try_from(8 + payload.len()).expect("fits");
        let mut udp = Vec::new();
        for word in [from.1, to.1, len, 0] {
            udp.extend(word.to_be_bytes());
        }
        udp.extend(*payload);
        let packet = pcap.ip(from.0, to.0, 17, &udp);
        pcap.record(&packet, packet.len() - cut);
    }
    pcap.file
}

/// SOME/IP: a notification with this payload.
fn someip(payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(8 + payload.len()).expect("fits");
    let mut out = vec![0x12, 0x34, 0x80, 0x01];
    out.extend(len.to_be_bytes());
    out.extend([0, 0, 0, 1, 1, 1, 2, 0]);
    out.extend(payload);
    out
}

#[test]
fn messages_that_share_a_datagram_are_listed_and_counted() {
    let both = [someip(b"abc"), someip(b"defgh")].concat();
    let capture = datagrams(30_490, &[(true, &both), (true, &someip(b"x"))], 0);
    let told = objects(&["-j", "-"], &capture, "message");
    assert_eq!(told.len(), 2);
    let places: Vec<_> = told[0]["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|m| (m["offset"].as_u64(), m["length"].as_u64()))
        .collect();
    assert_eq!(places, [(Some(0), Some(19)), (Some(19), Some(21))]);
    assert!(told[0]["summary"].as_str().expect("text").contains(" + "));
    assert!(told[1]["messages"].is_null());
    let stats = run(["-n", "-s"], &capture).stderr;
    assert_eq!(common::counter(&stats, "someip.messages"), 3);
    assert_eq!(common::counter(&stats, "message.messages"), 2);
    assert_eq!(common::counter(&stats, "message.lost"), 0);
}

/// The snapshot length has cut the last of them, in it or in its header: the others are listed all the same.
#[test]
fn messages_that_share_a_datagram_that_was_cut_are_listed_and_counted() {
    let three = [someip(b"abcd"), someip(b"efgh"), someip(b"ijklmnop")].concat();
    for (cut, found) in [(5, 3), (20, 3), (24, 2), (30, 2)] {
        let capture = datagrams(30_490, &[(true, &three)], cut);
        let told = objects(&["-j", "-"], &capture, "message");
        assert_eq!(told[0]["protocol"], "someip", "{cut}");
        let listed = told[0]["messages"].as_array().expect("a list").len();
        assert_eq!(listed, found, "{cut}");
        assert_eq!(told[0]["whole"], false);
        let stats = run(["-n", "-s"], &capture).stderr;
        assert_eq!(common::counter(&stats, "someip.messages"), found as u64);
        assert_eq!(common::counter(&stats, "lost.snapped"), 1);
    }
    // A header whose message would be longer than the datagram is none.
    let mut long = someip(&[0; 100]);
    long[7] += 1;
    let told = objects(
        &["-j", "-"],
        &datagrams(30_490, &[(true, &long)], 10),
        "message",
    );
    assert_eq!(told[0]["protocol"], "data");
}

/// What ended a connection: FINs whose stream had not begun, or had a hole, at the end of the input; segments beside another
/// connection that nothing confirmed.
#[test]
fn the_end_of_a_connection_is_what_was_seen() {
    let ends = |pcap: &Pcap| -> Vec<String> {
        let told = objects(&["-j", "-"], &pcap.file, "connection");
        let word = |c: &Value| c["end"].as_str().expect("a word").to_owned();
        told.iter().map(word).collect()
    };
    let answer = response(&[b'a'; 300]);
    let asked = 1001 + u32::try_from(get("/x").len()).expect("short");
    let ended = |hole: u32| {
        let mut pcap = Pcap::new();
        if hole > 0 {
            pcap.open(1000, 5000);
        }
        let fin = 5001 + u32::try_from(answer.len()).expect("short") + hole;
        pcap.client(1001, 5001, ACK | PSH, &get("/x"))
            .server(5001 + hole, asked, ACK | PSH, &answer)
            .client(asked, fin, ACK | FIN, b"")
            .server(fin, asked + 1, ACK | FIN, b"")
            .client(asked + 1, fin + 1, ACK, b"");
        pcap
    };
    assert_eq!(ends(&ended(0)), ["fin"]);
    assert_eq!(ends(&ended(100)), ["fin"]);
    let mut jump = Pcap::new();
    jump.open(1000, 5000)
        .client(1001, 5001, ACK | PSH, &get("/x"))
        .server(600_000_000, asked, ACK | PSH, b"far");
    let mut found = ends(&jump);
    found.sort();
    assert_eq!(found, ["end_of_input", "unconfirmed"]);
}

#[test]
fn what_the_snapshot_length_cut_off_a_datagram_is_a_gap() {
    let capture = datagrams(5_000, &[(true, b"0123456789")], 4);
    let told = objects(&["-j", "-"], &capture, "message");
    assert_eq!(told[0]["gaps"], serde_json::json!([[6, 4]]));
    assert_eq!(told[0]["whole"], false);
    let stats = run(["-n", "-s"], &capture).stderr;
    for (name, value) in [
        ("message.incomplete", 1),
        ("message.lost_octets", 4),
        ("lost.snapped", 1),
        ("lost.incomplete", 1),
        ("message.lost", 2),
    ] {
        assert_eq!(common::counter(&stats, name), value, "{name}");
    }
}

#[test]
fn flows_of_datagrams_are_connections() {
    let all: [(bool, &[u8]); 3] = [(true, b"one"), (false, b"two!"), (true, b"")];
    let told = objects(&["-j", "-"], &datagrams(5_000, &all, 0), "connection");
    assert_eq!(told.len(), 1);
    let flow = &told[0];
    assert_eq!(
        (&flow["transport"], &flow["end"]),
        (&"udp".into(), &"end_of_input".into())
    );
    assert_eq!(flow["protocol"], "data");
    assert_eq!(flow["src_port"], 40_000);
    let seen = |i: usize, name: &str| flow["streams"][i][name].as_u64();
    assert_eq!((seen(0, "segments"), seen(0, "octets")), (Some(2), Some(3)));
    assert_eq!((seen(1, "messages"), seen(1, "octets")), (Some(1), Some(4)));
    assert_eq!(flow["duration"].as_f64(), Some(0.002));
    // Of those that have no room any longer too.
    let mut many = Pcap::new().file;
    for port in 5_000..5_010 {
        many.extend(&datagrams(port, &all, 0)[24..]);
    }
    let told = objects(&["-j", "-", "--max-connections", "3"], &many, "connection");
    let evicted = told.iter().filter(|c| c["end"] == "evicted").count();
    assert_eq!((told.len(), evicted), (10, 7));
    let dns = read(&testdata("dns-udp.pcap"));
    let told = objects(&["-j", "-"], &dns, "connection");
    assert!(!told.is_empty() && told.iter().all(|c| c["protocol"] == "dns"));
}

/// A scan, a refused attempt, a handshake that is closed again, and a request with its answer: each is a connection, with all
/// its packets.
#[test]
fn connections_without_payload_are_told_too() {
    let mut pcap = Pcap::new();
    let a = |port| (CLIENT.0, port);
    let mut send = |client: u16, back: bool, seq: u32, ack: u32, flags: u8, payload: &[u8]| {
        let (from, to) = if back {
            (SERVER, a(client))
        } else {
            (a(client), SERVER)
        };
        let packet = pcap.segment(from, to, seq, ack, flags, payload);
        pcap.packet(&packet);
    };
    send(1000, false, 100, 0, SYN, b"");
    send(1001, false, 100, 0, SYN, b"");
    send(1001, true, 0, 101, RST | ACK, b"");
    send(1002, false, 100, 0, SYN, b"");
    send(1002, true, 500, 101, SYN | ACK, b"");
    send(1002, false, 101, 501, ACK, b"");
    send(1002, false, 101, 501, FIN | ACK, b"");
    send(1002, true, 501, 102, FIN | ACK, b"");
    send(1002, false, 102, 502, ACK, b"");
    send(1003, false, 100, 0, SYN, b"");
    send(1003, true, 500, 101, SYN | ACK, b"");
    send(1003, false, 101, 501, ACK, b"");
    send(1003, false, 101, 501, PSH | ACK, b"ask");
    send(1003, true, 501, 104, ACK, b"");
    send(1003, true, 501, 104, PSH | ACK, b"answer");
    send(1003, false, 104, 507, ACK, b"");
    for options in [&["-j", "-n"][..], &["-j", "-n", "--handshake"]] {
        let mut told = objects(options, &pcap.file, "connection");
        told.sort_by_key(|c| c["connection"].as_u64());
        let rows: Vec<_> = told
            .iter()
            .map(|c| {
                let seen = |i: usize, name: &str| c["streams"][i][name].as_u64().expect(name);
                assert_eq!(c["transport"], "tcp");
                (
                    c["src_port"].as_u64().expect("a port"),
                    [seen(0, "packets"), seen(1, "packets")],
                    [seen(0, "octets"), seen(1, "octets")],
                    c["end"].as_str().expect("a word").to_owned(),
                    c["protocol"].as_str().map(str::to_owned),
                )
            })
            .collect();
        let row = |port, packets, octets, end: &str, protocol: Option<&str>| {
            (
                port,
                packets,
                octets,
                end.to_owned(),
                protocol.map(str::to_owned),
            )
        };
        assert_eq!(
            rows,
            [
                row(1000, [1, 0], [0, 0], "end_of_input", None),
                row(1001, [1, 1], [0, 0], "reset", None),
                row(1002, [3, 2], [0, 0], "fin", None),
                row(1003, [4, 3], [3, 6], "end_of_input", Some("data")),
            ],
            "{options:?}"
        );
        // What had no octet begins with its first packet.
        let first = told[0]["first_time"].as_str().expect("a time");
        assert!(first.starts_with("2023-11-14T22:13:20.00"), "{first}");
    }
}

#[test]
fn fragments_that_come_again_or_never_are_told() {
    let capture = read(&testdata("fragments-udp.pcap"));
    let (_, records) = common::pcap(&capture);
    // Each record so many times.
    let made = |copies: &dyn Fn(usize) -> usize| {
        let mut out = capture[..24].to_vec();
        for (n, record) in records.iter().enumerate() {
            let begin = record.end - record.data.len() - 16;
            for _ in 0..copies(n) {
                out.extend(&capture[begin..record.end]);
            }
        }
        out
    };
    let field =
        |record: &common::Record<'_>| u16::from_be_bytes([record.data[20], record.data[21]]);
    let is_fragment = |n: usize| field(&records[n]) & 0x3fff != 0;
    let fragments = (0..records.len()).filter(|n| is_fragment(*n)).count();
    assert!(fragments > 10);
    // One that completed its datagram is known by --store-fragments.
    let firsts = (0..records.len())
        .filter(|n| field(&records[*n]) & 0x3fff == 0x2000)
        .count();
    let twice = made(&|n| {
        if field(&records[n]) & 0x3fff == 0x2000 {
            2
        } else {
            1
        }
    });
    let told = objects(&["-j", "-n", "--store-fragments"], &twice, "duplicate");
    // Some of the capture come again by themselves.
    let before = objects(&["-j", "-n", "--store-fragments"], &capture, "duplicate").len();
    assert_eq!(told.len(), before + firsts);
    for duplicate in &told {
        assert_eq!(duplicate["transport"], "ipv4");
        assert_eq!(duplicate["conflict"], false);
        assert!(duplicate["connection"].is_null() && duplicate["src_port"].is_null());
        assert!(duplicate["length"].as_u64() > Some(0));
        assert_eq!(duplicate["ip"]["protocol"], 17);
    }
    let stats = run(["-n", "-s", "--store-fragments"], &twice).stderr;
    assert_eq!(
        common::counter(&stats, "ipv4.duplicate_fragments"),
        (before + firsts) as u64
    );
    // The last fragment of one datagram is lost, and the first one of another.
    let last = (0..records.len()).find(|n| is_fragment(*n) && field(&records[*n]) & 0x2000 == 0);
    let first = (0..records.len())
        .rev()
        .find(|n| field(&records[*n]) & 0x3fff == 0x2000);
    let lost = made(&|n| usize::from(Some(n) != last && Some(n) != first));
    let told = objects(&["-j", "-n"], &lost, "gap");
    assert_eq!(told.len(), 2);
    assert!(
        told[0]["length"].is_null() && told[0]["offset"].as_u64() > Some(0),
        "{}",
        told[0]
    );
    assert!(told[1]["length"].as_u64() > Some(0), "{}", told[1]);
    assert_eq!(told[1]["offset"], 0);
    for gap in &told {
        assert!(gap["cause"] == "end" || gap["cause"] == "timeout", "{gap}");
    }
    // Nobody asked: nothing is kept for it.
    assert_eq!(
        run(["-p"], &lost).text().lines().count(),
        run(["-p"], &capture).text().lines().count() - 2
    );
}

#[test]
fn copies_of_datagrams_are_duplicates() {
    let capture = datagrams(5_000, &[(true, b"once"), (false, b"again")], 0);
    // Each packet again, on a VLAN.
    let mut twice = capture[..24].to_vec();
    for record in common::pcap(&capture).1 {
        for tag in [&[][..], &[0x81, 0, 0, 7]] {
            let len = u32::try_from(record.data.len() + tag.len()).expect("fits");
            twice.extend([0; 8]);
            twice.extend([len.to_le_bytes(), len.to_le_bytes()].concat());
            twice.extend([&record.data[..12], tag, &record.data[12..]].concat());
        }
    }
    let told = objects(&["-j", "-"], &twice, "duplicate");
    let lengths: Vec<_> = told.iter().map(|d| d["length"].as_u64()).collect();
    assert_eq!(lengths, [Some(4), Some(5)]);
    assert!(
        told.iter()
            .all(|d| d["transport"] == "udp" && d["offset"].is_null())
    );
    assert_eq!(told[1]["src_port"], 5_000);
    assert_eq!(objects(&["-j", "-"], &twice, "message").len(), 2);
    let stats = run(["-n", "-s"], &twice).stderr;
    assert_eq!(common::counter(&stats, "message.lost"), 0, "{stats}");
}

#[test]
fn missing_and_repeated_chunks_are_told() {
    let lost = read(&testdata("sctp-lost.pcap"));
    let told = objects(&["-j", "-"], &lost, "gap");
    let tsns: u64 = told.iter().filter_map(|g| g["sctp"]["tsns"].as_u64()).sum();
    let stats = run(["-n", "-s"], &lost).stderr;
    assert!(tsns > 0);
    assert_eq!(
        tsns,
        common::counter(&stats, "sctp.lost_tsns") + common::counter(&stats, "sctp.abandoned_tsns")
    );
    assert_eq!(told.len() as u64, common::counter(&stats, "sctp.gaps"));
    assert!(common::counter(&stats, "lost.sctp_holes") > 0);
    // The same packets, each twice.
    let whole = read(&testdata("sctp-m3ua.pcap"));
    let mut twice = whole[..24].to_vec();
    let mut at = 24;
    for record in common::pcap(&whole).1 {
        twice.extend(whole[at..record.end].repeat(2));
        at = record.end;
    }
    let told = objects(&["-j", "-"], &twice, "duplicate");
    let stats = run(["-n", "-s"], &twice).stderr;
    assert!(!told.is_empty());
    assert_eq!(
        told.len() as u64,
        common::counter(&stats, "sctp.duplicates")
    );
}

/// Six digits, or nine where the capture has them, and the same as a number.
#[test]
fn times_have_the_digits_of_the_input() {
    for (name, digits) in [("http-tiny.pcap", 6), ("http-nano.pcap", 9)] {
        let capture = read(&testdata(name));
        let text = run(["-j", "-"], &capture).text();
        for line in text.lines() {
            let object: Value = serde_json::from_str(line).expect("an object a line");
            let time = object["time"].as_str().expect("text");
            let part = time.split('.').nth(1).expect("digits");
            assert_eq!(part.len(), digits + 1, "{time}");
            let ts = line
                .split("\"ts\":")
                .nth(1)
                .and_then(|t| t.split(',').next());
            let fraction = ts.and_then(|ts| ts.split('.').nth(1)).expect("a number");
            assert_eq!(fraction, &part[..digits], "{line}");
            assert!(object["ts"].as_f64().is_some_and(|ts| ts > 1e9));
        }
        assert!(text.lines().count() > 2);
    }
}

#[test]
fn zeros_that_fill_gaps_are_counted() {
    let lost = read(&testdata("http-lost.pcap"));
    let told = objects(&["-j", "-", "--fill-gaps"], &lost, "message");
    assert!(told.iter().any(|m| m["filled"] == 1448), "{told:?}");
    for message in &told {
        let gaps = message["gaps"].as_array().expect("a list");
        let lost: u64 = gaps.iter().filter_map(|g| g[1].as_u64()).sum();
        assert_eq!(message["filled"].as_u64(), Some(lost));
    }
    let plain = objects(&["-j", "-"], &lost, "message");
    assert!(plain.iter().all(|m| m.get("filled").is_none()));
}

/// Where memory is short, the bodies that are shown are cut, and the connections go on.
#[test]
fn a_body_that_is_shown_costs_no_connection() {
    const CONNECTIONS: u16 = 8;
    let body = body(900_000);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = [head.as_bytes(), &body].concat();
    let acked = behind(1, &get("/a"));
    let mut pcap = Pcap::new();
    let client = |i: u16| (CLIENT.0, CLIENT.1 + i);
    for i in 0..CONNECTIONS {
        for (up, seq, ack, flags, payload) in [
            (true, 0, 0, SYN, &b""[..]),
            (false, 0, 1, SYN | ACK, b""),
            (true, 1, 1, PSH | ACK, &get("/a")),
        ] {
            let (from, to) = if up {
                (client(i), SERVER)
            } else {
                (SERVER, client(i))
            };
            let packet = pcap.segment(from, to, seq, ack, flags, payload);
            pcap.packet(&packet);
        }
    }
    let mut seq = 1;
    for part in answer.chunks(9_000) {
        for i in 0..CONNECTIONS {
            let packet = pcap.segment(SERVER, client(i), seq, acked, PSH | ACK, part);
            pcap.packet(&packet);
        }
        seq = behind(seq, part);
    }
    let args = [
        "-j",
        "-",
        "-s",
        "--json-body",
        "text",
        "--memory-limit",
        "4M",
    ];
    let done = run(args, &pcap.file);
    assert_eq!(common::counter(&done.stderr, "tcp.closed_evicted"), 0);
    let text = done.text();
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an object a line"))
        .filter(|object| object["kind"] == "response")
        .collect();
    assert_eq!(answers.len(), usize::from(CONNECTIONS));
    assert!(answers.iter().all(|answer| answer["whole"] == true));
    assert!(answers.iter().any(|answer| answer["body_cut"] == true));
    let shown = |answer: &Value| answer["body"].as_str().map_or(0, str::len);
    assert!(answers.iter().all(|answer| shown(answer) > 10_000));
}

/// The man page names every field that any capture makes, and no others that nothing makes.
#[test]
fn the_man_page_lists_every_field() {
    let man = inet_asm(["--man"]).output().expect("runs").stdout;
    let man = String::from_utf8(man).expect("text");
    let section = man.split(".SH \"JSON OUTPUT\"").nth(1).expect("a section");
    let section = section.split(".SH ").next().expect("its text");
    let listed: std::collections::BTreeSet<_> = section
        .lines()
        .filter_map(|line| {
            Some(
                line.strip_prefix("\\fB")?
                    .split_once("\\fR (")?
                    .0
                    .to_owned(),
            )
        })
        .collect();
    let mut written = std::collections::BTreeSet::new();
    let listing = inet_asm::message::listing_protocols();
    for name in [
        "http-lost.pcap",
        "http-repeated.pcap",
        "dns-udp.pcap",
        "sctp-m3ua.pcap",
        "sctp-lost.pcap",
        "mixed.pcapng",
        "protocols/amqp.pcap",
        "protocols/sip.pcap",
        "protocols/tls.pcap",
        "fragments-udp.pcap",
        "protocols/diameter.pcap",
        "protocols/ftp.pcap",
        "protocols/imap.pcap",
        "protocols/kafka.pcap",
        "protocols/ldap.pcap",
        "protocols/mbtcp.pcap",
        "protocols/mdns.pcap",
        "protocols/mqtt.pcap",
        "protocols/mysql.pcap",
        "protocols/nbss.pcap",
        "protocols/pgsql.pcap",
        "protocols/pop.pcap",
        "protocols/radius.pcap",
        "protocols/resp.pcap",
        "protocols/rtsp.pcap",
        "protocols/smtp.pcap",
        "protocols/snmp.pcap",
        "protocols/tpkt.pcap",
        "protocols/websocket.pcap",
        "protocols/memcache.pcap",
        "protocols/nats.pcap",
        "protocols/stomp.pcap",
        "protocols/irc.pcap",
        "protocols/ssh.pcap",
        "protocols/socks.pcap",
        "protocols/proxy.pcap",
        "protocols/xmpp.pcap",
        "protocols/rtmpt.pcap",
        "tls/tls13-chacha.pcap",
    ] {
        let capture = read(&testdata(name));
        let keys = testdata("tls/tls13-chacha.keys").display().to_string();
        let args = ["-j", "--hash", "--json-body", "text", "--keylog", &keys];
        for line in run(args, &capture).text().lines() {
            let object: Value = serde_json::from_str(line).expect("an object a line");
            let object = object.as_object().expect("an object");
            written.extend(object.keys().cloned());
            // What a protocol lists, and nothing else. Of a connection, `tls` says other things.
            if object["type"] == "connection" {
                continue;
            }
            let protocol = object.get("protocol").and_then(Value::as_str).unwrap_or("");
            for name in object
                .get(protocol)
                .and_then(Value::as_object)
                .iter()
                .flat_map(|o| o.keys())
            {
                assert!(
                    listing[protocol].contains(&name.as_str()),
                    "{protocol}.{name}"
                );
            }
        }
    }
    let unlisted: Vec<_> = written.difference(&listed).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
    // What none of these captures has is in those of other tests.
    let rare = [
        "messages",
        "interface",
        "reason",
        "text",
        "filled",
        "llmnr",
        "dhcpv6",
        "http2",
        "stream",
    ];
    // Procedures of radio access networks: all by one function, which has tests of its own.
    let procedures = |name: &str| listing.get(name) == Some(&listing["s1ap"]);
    let unwritten: Vec<_> = listed
        .difference(&written)
        .filter(|name| !rare.contains(&name.as_str()) && !procedures(name))
        .collect();
    assert!(unwritten.is_empty(), "{unwritten:?}");
}
