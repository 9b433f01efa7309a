//! `--pair`: a request, what answers it, the next request; and what a lost half does.

use crate::common::build::{ACK, CLIENT, PSH, Pcap, SERVER, behind, get, response};
use crate::common::{self, CAPTURES, counter, read, run, testdata};
use serde_json::Value;
use std::net::Ipv4Addr;

type End = (Ipv4Addr, u16);

/// A connection to a port, whose sides speak in turn.
struct Talk {
    pcap: Pcap,
    server: End,
    next: [u32; 2],
}

impl Talk {
    fn new(port: u16) -> Self {
        let mut pcap = Pcap::new();
        let server = (SERVER.0, port);
        let syn = pcap.segment(CLIENT, server, 0, 0, 2, b"");
        let syn_ack = pcap.segment(server, CLIENT, 0, 1, 0x12, b"");
        pcap.packet(&syn).packet(&syn_ack);
        Self {
            pcap,
            server,
            next: [1, 1],
        }
    }

    /// A segment, which may be lost.
    fn says(&mut self, client: bool, octets: &[u8], lost: bool) -> &mut Self {
        let (me, other) = if client { (0, 1) } else { (1, 0) };
        let (seq, ack) = (self.next[me], self.next[other]);
        self.next[me] = behind(seq, octets);
        let (from, to) = if client {
            (CLIENT, self.server)
        } else {
            (self.server, CLIENT)
        };
        let packet = self.pcap.segment(from, to, seq, ack, PSH | ACK, octets);
        if !lost {
            self.pcap.packet(&packet);
        }
        self
    }

    fn asks(&mut self, octets: &[u8]) -> &mut Self {
        self.says(true, octets, false)
    }

    fn answers(&mut self, octets: &[u8]) -> &mut Self {
        self.says(false, octets, false)
    }
}

/// Kind and summary of each message, in the order of the output.
fn order(args: &[&str], capture: &[u8]) -> Vec<String> {
    let text = run([&["-j"], args].concat(), capture).text();
    let objects = common::objects(&text);
    let messages = objects.filter(|object| object["type"] == "message");
    messages
        .map(|m| {
            let kind = m["kind"].as_str().expect("kind");
            let words = m["summary"].as_str().expect("summary");
            format!("{} {words}", &kind[..3])
        })
        .collect()
}

#[track_caller]
fn holds(found: &[String], expected: &[&str]) {
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, part)| {
            let (kind, words) = part.split_at(4);
            found.starts_with(kind) && found.contains(words)
        });
    assert!(same, "{found:#?}\n{expected:#?}");
}

const HTTP: [&str; 6] = [
    "req /1", "res 200", "req /2", "res 200", "req /3", "res 200",
];

/// Three requests ahead, and their answers.
fn pipelined() -> Talk {
    let mut talk = Talk::new(80);
    for path in ["/1", "/2", "/3"] {
        talk.asks(&get(path));
    }
    for body in [&b"one"[..], b"two", b"three"] {
        talk.answers(&response(body));
    }
    talk
}

#[test]
fn requests_that_are_sent_ahead_wait_for_their_turn() {
    let talk = pipelined();
    let as_they_came = order(&[], &talk.pcap.file);
    holds(&as_they_came[..3], &["req /1", "req /2", "req /3"]);
    holds(&order(&["--pair"], &talk.pcap.file), &HTTP);
    // As packets too, which another run reads as they are: nothing of them is lost or late.
    let packets = run(["--pair"], &talk.pcap.file).ok();
    holds(&order(&[], &packets), &HTTP);
    let done = run(["-n", "-s", "--fail-if", "message.lost > 0"], &packets);
    assert_eq!(counter(&done.stderr, "message.incomplete"), 0);
    done.code(0);
    let done = run(["-p", "-s", "--pair"], &talk.pcap.file);
    assert_eq!(counter(&done.stderr, "pair.held"), 2);
    let lines = done.text();
    assert_eq!(lines.lines().count(), 6, "{lines}");
    // Only the messages that are asked for.
    let chosen = order(&["--pair", "--kind", "response"], &talk.pcap.file);
    holds(&chosen, &["res 200", "res 200", "res 200"]);
}

#[test]
fn answers_in_order_and_by_number_find_their_requests() {
    let ping = b"*1\r\n$4\r\nPING\r\n";
    let mut talk = Talk::new(6379);
    talk.asks(&[&ping[..], ping].concat());
    talk.asks(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    talk.answers(b"+PONG\r\n+PONG\r\n$1\r\nv\r\n");
    let kinds = [
        "req PING", "res PONG", "req PING", "res PONG", "req GET", "res ",
    ];
    holds(&order(&["--pair"], &talk.pcap.file), &kinds);
    // Modbus: the second request is answered first, and each side stays in its order.
    let asks = |n: u8| [0, n, 0, 0, 0, 6, 1, 3, 0, n, 0, 1];
    let answers = |n: u8| [0, n, 0, 0, 0, 5, 1, 3, 2, 0, n];
    let mut talk = Talk::new(502);
    talk.asks(&asks(1)).asks(&asks(2)).asks(&asks(3));
    talk.answers(&answers(2))
        .answers(&answers(1))
        .answers(&answers(3));
    let text = run(["-j", "--pair"], &talk.pcap.file).text();
    let objects = common::objects(&text);
    let found: Vec<_> = objects
        .filter(|o| o["type"] == "message")
        .map(|o| {
            (
                o["kind"].as_str().expect("kind").to_owned(),
                o["mbtcp"]["transaction"].clone(),
            )
        })
        .collect();
    let (asks, answers) = ("request", "response");
    let expected = [
        (asks, 1),
        (asks, 2),
        (answers, 2),
        (answers, 1),
        (asks, 3),
        (answers, 3),
    ];
    let expected = expected.map(|(kind, n)| (kind.to_owned(), Value::from(n)));
    assert_eq!(found, expected);
}

/// Of two taps the one of the client's side is late.
#[test]
fn answers_ahead_of_their_requests_wait_for_them() {
    let mut talk = Talk::new(6379);
    talk.asks(b"*1\r\n$4\r\nPING\r\n").answers(b"+PONG\r\n");
    talk.next[0] = behind(talk.next[0], b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    talk.answers(b"$1\r\nv\r\n");
    talk.next = [talk.next[0] - 20, talk.next[1] - 7];
    talk.asks(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    let paired = ["req PING", "res PONG", "req GET", "res "];
    holds(&order(&["--pair"], &talk.pcap.file), &paired);
}

#[test]
fn a_lost_half_ends_its_exchange() {
    // The answer to the first request is lost, and that to the second tells so.
    let mut talk = Talk::new(80);
    talk.asks(&get("/1")).says(false, &response(b"lost"), true);
    talk.asks(&get("/2")).asks(&get("/3"));
    talk.answers(&response(b"two")).answers(&response(b"three"));
    let expected = ["req /1", "req /2", "res 200", "req /3", "res 200"];
    holds(&order(&["--pair"], &talk.pcap.file), &expected);
    // Where nobody knows what is answered, nothing is held any more.
    let mut talk = Talk::new(80);
    talk.asks(&get("/1")).asks(&get("/2")).asks(&get("/3"));
    talk.says(false, &response(b"lost"), true);
    talk.answers(&response(b"two")).answers(&response(b"three"));
    let expected = ["req /1", "req /2", "req /3", "res 200", "res 200"];
    holds(&order(&["--pair"], &talk.pcap.file), &expected);
    let done = run(["-n", "-s", "-j", "--pair"], &talk.pcap.file);
    assert_eq!(counter(&done.stderr, "pair.reset"), 1);
    // Nothing answers: what is held goes when the time is over, which the packets of others tell.
    let mut talk = Talk::new(80);
    talk.asks(&get("/1")).asks(&get("/2"));
    talk.pcap.wait(1000);
    let other = |port: u16| ((CLIENT.0, port), (SERVER.0, 80));
    for (port, path, wait) in [(1001, "/soon", 1500), (1002, "/late", 1500)] {
        let (from, to) = other(port);
        let syn = talk.pcap.segment(from, to, 0, 0, 2, b"");
        let data = talk.pcap.segment(from, to, 1, 1, PSH | ACK, &get(path));
        talk.pcap.packet(&syn).packet(&data).wait(wait);
    }
    let done = run(["-p", "-s", "--pair"], &talk.pcap.file);
    assert_eq!(counter(&done.stderr, "pair.reset"), 1);
    let text = done.text();
    let place = |path: &str| text.find(path).unwrap_or_else(|| panic!("{path}: {text}"));
    assert!(
        place("/1") < place("/soon") && place("/soon") < place("/2"),
        "{text}"
    );
    assert!(place("/2") < place("/late"), "{text}");
    let shorter = run(
        ["-p", "--pair", "--tcp-packet-timeout", "500ms"],
        &talk.pcap.file,
    )
    .text();
    assert!(shorter.find("/2") < shorter.find("/soon"), "{shorter}");
}

#[test]
fn what_is_held_is_bounded_and_comes_out_in_its_order() {
    let mut talk = Talk::new(80);
    let paths: Vec<String> = (0..1000).map(|n| format!("/{n:04}")).collect();
    for path in &paths {
        talk.asks(&get(path));
    }
    let done = run(["-j", "-s", "--pair"], &talk.pcap.file);
    assert!(counter(&done.stderr, "pair.limited") >= 3);
    assert_eq!(
        common::find_counter(&done.stderr, "buffer.waiting").unwrap_or(0),
        0
    );
    let found = order(&["--pair"], &talk.pcap.file);
    assert_eq!(found.len(), 1000);
    for (found, path) in found.iter().zip(&paths) {
        assert!(found.contains(path), "{found} {path}");
    }
}

/// Whatever the capture is, it has the same messages, and each direction has them in the same order.
#[test]
fn nothing_is_lost_or_changed_by_the_order() {
    let http = CAPTURES.iter().map(|capture| capture.name);
    let others = [
        "resp", "smtp", "ftp", "ldap", "mysql", "pgsql", "mbtcp", "imap", "nbss", "kafka",
    ];
    let others: Vec<_> = others
        .iter()
        .map(|name| format!("protocols/{name}.pcap"))
        .collect();
    for name in http.chain(others.iter().map(String::as_str)) {
        let capture = read(&testdata(name));
        let messages = |args: &[&str]| {
            let done = run([&["-j", "-s", "--hash"], args].concat(), &capture);
            let waiting = common::find_counter(&done.stderr, "buffer.waiting");
            assert_eq!(waiting.unwrap_or(0), 0, "{name}");
            let text = done.text();
            let message = |line: &&str| line.contains("\"type\":\"message\"");
            let mut by_side: Vec<(String, String)> = text
                .lines()
                .filter(message)
                .map(|line| {
                    let object: Value = serde_json::from_str(line).expect("JSON");
                    let side = ["transport", "connection", "src", "src_port"];
                    (
                        side.map(|name| object[name].to_string()).join(" "),
                        line.to_owned(),
                    )
                })
                .collect();
            // Stable: the order within a side stays.
            by_side.sort_by(|a, b| a.0.cmp(&b.0));
            by_side
        };
        assert_eq!(messages(&["--pair"]), messages(&[]), "{name}");
    }
}

/// Whatever packet of a conversation of mail is lost, no reply is another command's, and behind a mail all have their replies again.
#[test]
fn a_lost_packet_of_mail_shifts_no_replies() {
    let talk: &[(bool, &str)] = &[
        (false, "220 mx SMTP\r\n"),
        (true, "EHLO a\r\n"),
        (false, "250-mx\r\n250 PIPELINING\r\n"),
        (
            true,
            "MAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\nRCPT TO:<c@b>\r\nDATA\r\n",
        ),
        (false, "250 sender\r\n"),
        (false, "250 first\r\n250 second\r\n354 go\r\n"),
        (true, "Subject: one\r\n\r\n"),
        (true, "text of it\r\n"),
        (true, "more\r\n.\r\n"),
        (false, "250 queued 1\r\n"),
        (true, "MAIL FROM:<d@a>\r\n"),
        (false, "250 sender\r\n"),
        (true, "RCPT TO:<e@b>\r\n"),
        (false, "250 third\r\n"),
        (true, "DATA\r\n"),
        (false, "354 go\r\n"),
        (true, "Subject: two\r\n\r\ntext\r\n.\r\n"),
        (false, "250 queued 2\r\n"),
        (true, "NOOP\r\n"),
        (false, "250 noop\r\n"),
        (true, "QUIT\r\n"),
        (false, "221 bye\r\n"),
    ];
    let right = [
        ("EHLO a", "250-mx"),
        ("MAIL FROM:<a@a>", "250 sender"),
        ("RCPT TO:<b@b>", "250 first"),
        ("RCPT TO:<c@b>", "250 second"),
        ("DATA", "354 go"),
        ("Subject: one", "250 queued 1"),
        ("MAIL FROM:<d@a>", "250 sender"),
        ("RCPT TO:<e@b>", "250 third"),
        ("DATA", "354 go"),
        ("Subject: two", "250 queued 2"),
        ("NOOP", "250 noop"),
        ("QUIT", "221 bye"),
    ];
    for lost in 0..=talk.len() {
        let mut made = Talk::new(25);
        for (place, (client, text)) in talk.iter().enumerate() {
            made.says(*client, text.as_bytes(), place == lost);
        }
        let text = run(["-j"], &made.pcap.file).text();
        let objects = common::objects(&text);
        let both: Vec<_> = objects
            .filter(|object| object["type"] == "exchange" && object["response"].is_string())
            .map(|e| {
                format!(
                    "{} {}",
                    e["request"].as_str().unwrap_or(""),
                    e["response"].as_str().unwrap_or("")
                )
            })
            .collect();
        let is_right = |found: &String| {
            let mut all = right.iter();
            all.any(|(asked, told)| found.contains(asked) && found.contains(told))
                // Of a mail whose first packet is lost.
                || lost == 6 && found.ends_with("250 queued 1")
        };
        assert!(both.iter().all(is_right), "{lost}: {both:#?}");
        let least = if lost == talk.len() {
            right.len()
        } else {
            right.len() - 5
        };
        assert!(both.len() >= least, "{lost}: {both:#?}");
        // Without the command ahead of the last one nobody knows whether that has had its reply.
        let last = both.last().is_some_and(|last| last.ends_with("221 bye"));
        assert!(last || matches!(lost, 18 | 20 | 21), "{lost}: {both:#?}");
    }
}
