//! Where messages end and begin that no length tells: mail that a dot ends, behind a hole; what is put before a connection; what
//! answers octets on a SYN; the snapshot of a replica; a body that the server declines.

use crate::common;
use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, SYN, behind, get, response};
use crate::common::run;
use serde_json::Value;

/// A connection to a port, captured but for what is lost.
struct Talk {
    pcap: Pcap,
    port: u16,
    client: u32,
    server: u32,
    /// Octets of a segment.
    mss: usize,
}

impl Talk {
    fn to(port: u16) -> Self {
        let mut talk = Self::without_handshake(port);
        talk.segment(true, SYN, b"", true);
        talk.segment(false, SYN | ACK, b"", true);
        talk.segment(true, ACK, b"", true);
        talk
    }

    fn without_handshake(port: u16) -> Self {
        Self {
            pcap: Pcap::new(),
            port,
            client: 1000,
            server: 5000,
            mss: 1448,
        }
    }

    fn segment(&mut self, up: bool, flags: u8, octets: &[u8], captured: bool) {
        let server = (SERVER.0, self.port);
        let packet = if up {
            self.pcap
                .segment(CLIENT, server, self.client, self.server, flags, octets)
        } else {
            self.pcap
                .segment(server, CLIENT, self.server, self.client, flags, octets)
        };
        if captured {
            self.pcap.packet(&packet);
        }
        let next = if up {
            &mut self.client
        } else {
            &mut self.server
        };
        *next = behind(*next, octets).wrapping_add(u32::from(flags & (SYN | FIN) != 0));
    }

    /// Octets of one side, of which the segments with these numbers are lost.
    fn send(&mut self, up: bool, octets: &[u8], lost: &[usize]) {
        let last = octets.len().div_ceil(self.mss) - 1;
        for (i, part) in octets.chunks(self.mss).enumerate() {
            let flags = if i == last { ACK | PSH } else { ACK };
            self.segment(up, flags, part, !lost.contains(&i));
        }
        self.segment(!up, ACK, b"", true);
    }

    fn up(&mut self, octets: &[u8]) {
        self.send(true, octets, &[]);
    }

    fn down(&mut self, octets: &[u8]) {
        self.send(false, octets, &[]);
    }

    fn end(mut self) -> Vec<Value> {
        self.close();
        objects(&self.pcap)
    }

    fn close(&mut self) {
        self.segment(true, FIN | ACK, b"", true);
        self.segment(false, FIN | ACK, b"", true);
        self.segment(true, ACK, b"", true);
    }
}

fn objects(pcap: &Pcap) -> Vec<Value> {
    let out = run(["-j", "-"], &pcap.file).text();
    out.lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect()
}

fn of_type<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|o| o["type"] == kind).collect()
}

fn find<'a>(all: &'a [Value], summary: &str) -> Vec<&'a Value> {
    let messages = of_type(all, "message").into_iter();
    let begins = |m: &&Value| {
        m["summary"]
            .as_str()
            .is_some_and(|s| s.starts_with(summary))
    };
    messages.filter(begins).collect()
}

fn mail(n: usize) -> Vec<u8> {
    let lines: String = (0..200)
        .map(|i| format!("line {i:04} of a mail that is long enough\r\n"))
        .collect();
    format!("Subject: {n}\r\n\r\n{lines}..\r\nend\r\n.\r\n").into_bytes()
}

/// Two mails by SMTP, of the first of which some segments are lost.
fn smtp(lost: &[usize], dot_alone: bool) -> (Vec<Value>, u64) {
    let talk = mails(lost, dot_alone);
    (objects(&talk), mail(0).len() as u64)
}

/// The capture of them.
fn mails(lost: &[usize], dot_alone: bool) -> Pcap {
    let mut talk = Talk::to(25);
    talk.down(b"220 mx.example ESMTP\r\n");
    talk.up(b"EHLO c.example\r\n");
    talk.down(b"250 mx.example\r\n");
    for n in 0..2 {
        for command in ["MAIL FROM:<a@example>\r\n", "RCPT TO:<b@example>\r\n"] {
            talk.up(command.as_bytes());
            talk.down(b"250 ok\r\n");
        }
        talk.up(b"DATA\r\n");
        talk.down(b"354 go\r\n");
        let all = mail(n);
        let (text, dot) = all.split_at(all.len() - if dot_alone { 3 } else { 0 });
        talk.send(true, text, if n == 0 { lost } else { &[] });
        if dot_alone {
            talk.send(true, dot, &[]);
        }
        talk.down(b"250 queued\r\n");
    }
    talk.up(b"QUIT\r\n");
    talk.down(b"221 bye\r\n");
    talk.close();
    talk.pcap
}

#[test]
fn tshark_finds_the_mail_behind_one_with_a_hole() {
    let written = run::<&str>([], &mails(&[3], false).file).ok();
    let dir = tempfile::tempdir().expect("tempdir");
    let into = format!("imf,{}", dir.path().display());
    common::tshark(["-q", "--export-objects", &into], &written);
    let exported = common::files(dir.path());
    let second = exported
        .iter()
        .find(|(_, mail)| mail.starts_with(b"Subject: 1\r\n"));
    let lines = |mail: &[u8]| mail.split(|o| *o == b'\n').count();
    // The mail alone, without a command of the next one.
    let len = second.map(|(_, mail)| lines(mail));
    assert!(
        exported.len() == 2 && len.is_some_and(|n| n >= 203),
        "{exported:?}"
    );
    assert!(
        !exported
            .iter()
            .any(|(_, mail)| common::contains(mail, b"MAIL FROM"))
    );
}

#[test]
fn mail_goes_on_behind_a_hole_to_its_dot() {
    for lost in [&[3][..], &[1, 2], &[1, 4]] {
        let (all, len) = smtp(lost, false);
        let [first, second] = find(&all, "Subject: ")[..] else {
            panic!("{lost:?}: two mails");
        };
        assert_eq!(first["whole"], false);
        assert_eq!(first["length"], len, "{lost:?}: its end is known");
        let gone: u64 = lost.len() as u64 * 1448;
        assert_eq!(
            first["octets"],
            len - gone,
            "{lost:?}: what is behind the hole is there"
        );
        assert_eq!(
            (&second["whole"], &second["octets"]),
            (&true.into(), &len.into())
        );
        assert_eq!(find(&all, "MAIL").len(), 2);
        assert_eq!(find(&all, "250 queued").len(), 2);
        assert_eq!(find(&all, "QUIT").len(), 1);
    }
}

/// The dot is lost: the reply to the mail, which the next command acknowledges, tells that the mail is over.
#[test]
fn mail_whose_dot_is_lost_ends_before_the_next_command() {
    let segments = mail(0).len().div_ceil(1448);
    for lost in [&[segments - 1][..], &[2, segments - 1]] {
        let (all, len) = smtp(lost, false);
        let [first, second] = find(&all, "Subject: ")[..] else {
            panic!("{lost:?}: two mails");
        };
        assert_eq!(
            (&first["whole"], &first["length"]),
            (&false.into(), &Value::Null)
        );
        assert_eq!(
            (&second["whole"], &second["octets"]),
            (&true.into(), &len.into())
        );
        assert_eq!(
            find(&all, "MAIL").len(),
            2,
            "the command behind it is its own message"
        );
    }
}

#[test]
fn a_dot_that_is_sent_alone_ends_mail_whose_last_line_end_is_lost() {
    let (all, len) = smtp(&[(mail(0).len() - 3).div_ceil(1448) - 1], true);
    let mails = find(&all, "Subject: ");
    assert_eq!(mails.len(), 2);
    assert_eq!(
        (&mails[0]["whole"], &mails[0]["length"]),
        (&false.into(), &len.into())
    );
    assert_eq!(mails[1]["whole"], true);
}

/// The octets that lack their beginning are one message, whose end is known; what follows is as if nothing were lost.
#[track_caller]
fn lacks_its_first(all: &[Value], up: bool, len: u64, lost: u64) {
    let messages = of_type(all, "message").into_iter();
    let cut: Vec<_> = messages.filter(|m| m["whole"] == false).collect();
    let [mail] = cut[..] else {
        panic!("one message: {cut:?}");
    };
    assert_eq!((mail["src_port"] == CLIENT.1), up);
    let at = mail["offset"].as_u64().expect("offset");
    assert_eq!(mail["gaps"], serde_json::json!([[at, lost]]));
    assert_eq!(mail["octets"], len - lost, "what is behind the hole");
    assert_eq!(mail["length"], len, "its end is known");
}

/// The first segment of a mail is lost, or all of it but the last.
#[test]
fn mail_whose_beginning_is_lost_goes_on_to_its_dot() {
    let last = mail(0).len().div_ceil(1448) as u64 - 1;
    for lost in [1, 2, last] {
        let numbers: Vec<_> = (0..usize::try_from(lost).expect("few")).collect();
        let (all, len) = smtp(&numbers, false);
        lacks_its_first(&all, true, len, lost * 1448);
        assert_eq!(find(&all, "Subject: 1").len(), 1);
        assert_eq!(find(&all, "MAIL").len(), 2);
        assert_eq!(find(&all, "250 queued").len(), 2);
        let stats = run(["-n", "-s"], &mails(&numbers, false).file).stderr;
        assert_eq!(common::counter(&stats, "message.unframed_octets"), 0);
    }
}

/// All of a mail is lost: it is no message, and the commands behind it are found.
#[test]
fn mail_of_which_nothing_is_there_is_no_message() {
    let all: Vec<_> = (0..mail(0).len().div_ceil(1448)).collect();
    let (all, _) = smtp(&all, false);
    let messages = of_type(&all, "message");
    let cut: Vec<_> = messages.iter().filter(|m| m["whole"] == false).collect();
    assert!(cut.is_empty(), "{cut:#?}");
    assert_eq!(find(&all, "Subject: 1").len(), 1);
    assert_eq!(find(&all, "MAIL").len(), 2);
    assert_eq!(find(&all, "RCPT").len(), 2);
}

/// The command DATA is lost with the first segment of the mail: the server tells where that begins.
#[test]
fn mail_whose_command_is_lost_with_its_beginning_goes_on_to_its_dot() {
    let mut talk = Talk::to(25);
    talk.down(b"220 mx.example ESMTP\r\n");
    talk.up(b"EHLO c.example\r\n");
    talk.down(b"250 mx.example\r\n");
    talk.send(true, b"DATA\r\n", &[0]);
    talk.down(b"354 go\r\n");
    talk.send(true, &mail(0), &[0]);
    talk.down(b"250 queued\r\n");
    talk.up(b"QUIT\r\n");
    let all = talk.end();
    lacks_its_first(&all, true, mail(0).len() as u64, 1448);
    assert_eq!(find(&all, "QUIT").len(), 1);
}

/// tshark finds the second mail behind one whose beginning is lost.
#[test]
fn tshark_finds_the_mail_behind_one_without_beginning() {
    let written = run::<&str>([], &mails(&[0], false).file).ok();
    let dir = tempfile::tempdir().expect("tempdir");
    let into = format!("imf,{}", dir.path().display());
    common::tshark(["-q", "--export-objects", &into], &written);
    let exported = common::files(dir.path());
    let second = |(_, mail): &&(_, Vec<u8>)| mail.starts_with(b"Subject: 1\r\n");
    assert!(exported.iter().any(|file| second(&file)), "{exported:?}");
    assert!(
        !exported
            .iter()
            .any(|(_, mail)| common::contains(mail, b"MAIL FROM"))
    );
}

/// The first segment of a reply of many lines is lost: with POP3 its command tells that lines follow, with IMAP that a length
/// was in it.
#[test]
fn a_reply_of_many_lines_whose_beginning_is_lost_goes_on_to_its_end() {
    for pop in [true, false] {
        let port = if pop { 110 } else { 143 };
        let mut talk = Talk::to(port);
        talk.down(if pop { b"+OK\r\n" } else { b"* OK\r\n" });
        let mut len = 0;
        for n in 0..2 {
            let text = mail(n);
            let (command, reply) = match pop {
                true => (format!("RETR {n}\r\n"), [&b"+OK\r\n"[..], &text].concat()),
                false => {
                    let first = format!("* {n} FETCH (BODY[] {{{}}}\r\n", text.len());
                    let reply = [first.as_bytes(), &text, b")\r\n"].concat();
                    (format!("a{n} FETCH {n} BODY[]\r\n"), reply)
                }
            };
            len = reply.len() as u64;
            talk.up(command.as_bytes());
            let done = format!("a{n} OK\r\n");
            let done = if pop { &[] } else { done.as_bytes() };
            talk.send(
                false,
                &[&reply, done].concat(),
                if n == 0 { &[0] } else { &[] },
            );
        }
        talk.up(if pop { b"QUIT\r\n" } else { b"a LOGOUT\r\n" });
        talk.down(if pop {
            b"+OK bye\r\n"
        } else {
            b"* BYE\r\na OK\r\n"
        });
        let all = talk.end();
        lacks_its_first(&all, false, len, 1448);
        assert_eq!(find(&all, if pop { "+OK bye" } else { "a OK" }).len(), 1);
        if !pop {
            assert_eq!(find(&all, "a0 OK").len(), 1);
        }
        assert_eq!(
            find(&all, if pop { "+OK" } else { "* 1 FETCH" }).len(),
            if pop { 3 } else { 1 }
        );
    }
}

/// A literal is counted off where its first octets are lost, behind a line that was sent alone.
#[test]
fn a_literal_is_counted_over_a_hole_at_its_beginning() {
    let mut talk = Talk::to(143);
    talk.down(b"* OK\r\n");
    let text = mail(0);
    talk.up(b"a1 FETCH 1 BODY[]\r\n");
    let line = format!("* 1 FETCH (BODY[] {{{}}}\r\n", text.len());
    talk.down(line.as_bytes());
    talk.send(false, &[&text[..], b")\r\na1 OK\r\n"].concat(), &[0]);
    talk.up(b"a2 LOGOUT\r\n");
    talk.down(b"* BYE\r\na2 OK\r\n");
    let all = talk.end();
    let reply = find(&all, "* 1 FETCH");
    let len = (line.len() + text.len() + 3) as u64;
    assert_eq!(
        (&reply[0]["whole"], &reply[0]["length"]),
        (&false.into(), &len.into())
    );
    assert_eq!(reply[0]["octets"], len - 1448);
    assert_eq!(
        (find(&all, "a1 OK").len(), find(&all, "a2 OK").len()),
        (1, 1)
    );
}

/// A chunk of mail is counted off, also where its first octets are lost; where its command is lost with them, no line of it is
/// a command.
#[test]
fn a_chunk_of_mail_whose_beginning_is_lost_brings_no_commands() {
    let text = b"mail me, or help\r\nhelp me\r\nQUIT\r\nnothing\r\n".repeat(200);
    for alone in [true, false] {
        let mut talk = Talk::to(25);
        talk.down(b"220 mx.example ESMTP\r\n");
        talk.up(b"EHLO c.example\r\n");
        talk.down(b"250 mx.example\r\n");
        let command = format!("BDAT {} LAST\r\n", text.len()).into_bytes();
        if alone {
            talk.up(&command);
            talk.send(true, &text, &[0, 2]);
        } else {
            talk.send(true, &[&command[..], &text].concat(), &[0, 2]);
        }
        talk.down(b"250 queued\r\n");
        talk.up(b"MAIL FROM:<a@example>\r\n");
        talk.down(b"250 ok\r\n");
        talk.up(b"QUIT\r\n");
        let all = talk.end();
        let sent = of_type(&all, "message").into_iter();
        let sent: Vec<_> = sent
            .filter(|m| m["src_port"] == CLIENT.1)
            .map(|m| m["summary"].as_str().unwrap_or_default())
            .collect();
        let chunk = std::str::from_utf8(&command).expect("text").trim_end();
        let mut expected = vec!["EHLO c.example", chunk, "MAIL FROM:<a@example>", "QUIT"];
        if !alone {
            expected.remove(1);
        }
        assert_eq!(sent, expected);
    }
}

#[test]
fn a_reply_of_many_lines_goes_on_behind_a_hole() {
    let segments = mail(0).len().div_ceil(1448);
    for lost in [&[3][..], &[1, 2], &[segments - 1]] {
        let mut talk = Talk::to(110);
        talk.down(b"+OK ready\r\n");
        for n in 0..2 {
            talk.up(format!("RETR {n}\r\n").as_bytes());
            let text = [b"+OK it follows\r\n", &mail(n)[..]].concat();
            talk.send(false, &text, if n == 0 { lost } else { &[] });
        }
        talk.up(b"QUIT\r\n");
        talk.down(b"+OK bye\r\n");
        let all = talk.end();
        let [first, second] = find(&all, "+OK it follows")[..] else {
            panic!("{lost:?}: two mails");
        };
        let len = mail(0).len() as u64 + 16;
        assert_eq!(first["whole"], false);
        let known = lost != [segments - 1];
        let expected = if known { len.into() } else { Value::Null };
        assert_eq!(first["length"], expected, "{lost:?}");
        if known {
            assert_eq!(first["octets"], len - lost.len() as u64 * 1448, "{lost:?}");
        }
        assert_eq!(
            (&second["whole"], &second["octets"]),
            (&true.into(), &len.into())
        );
        assert_eq!(find(&all, "+OK bye").len(), 1);
    }
}

/// The sizes of the messages of one side, with what is known of them.
fn sizes(all: &[Value], port: u16) -> Vec<(u64, &str, bool)> {
    let from = |m: &&Value| m["src_port"] == port;
    let messages = of_type(all, "message").into_iter().filter(from);
    let known = messages.map(|m| {
        let octets = m["octets"].as_u64().expect("a number");
        let whole = m["whole"] == true;
        (octets, m["protocol"].as_str().expect("a name"), whole)
    });
    known.collect()
}

#[test]
fn mail_is_known_by_what_was_sent_where_only_its_client_is_captured() {
    let mut talk = Talk::to(25);
    let reply = |talk: &mut Talk, text: &[u8]| talk.segment(false, ACK | PSH, text, false);
    reply(&mut talk, b"220 mx.example ESMTP\r\n");
    let sent: [&[u8]; 4] = [
        b"EHLO c.example\r\n",
        b"MAIL FROM:<a@example>\r\n",
        b"DATA\r\n",
        &mail(0),
    ];
    for octets in sent {
        for part in octets.chunks(1448) {
            talk.segment(true, ACK | PSH, part, true);
        }
        reply(&mut talk, b"250 go on\r\n");
    }
    talk.segment(true, ACK | PSH, b"QUIT\r\n", true);
    let all = objects(&talk.pcap);
    let mut expected: Vec<_> = sent
        .map(|octets| (octets.len() as u64, "smtp", true))
        .into();
    expected.push((6, "smtp", true));
    assert_eq!(sizes(&all, CLIENT.1), expected);
}

#[test]
fn commands_that_are_sent_at_once_are_found_behind_a_mail_whose_end_is_lost() {
    let last = mail(0).len().div_ceil(1448) - 1;
    for lost in [&[last][..], &[1, last]] {
        let mut talk = Talk::to(25);
        talk.down(b"220 mx.example ESMTP\r\n");
        talk.up(b"EHLO c.example\r\n");
        talk.down(b"250 mx.example\r\n");
        for n in 0..2 {
            talk.up(b"MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\nDATA\r\n");
            talk.down(b"250 ok\r\n250 ok\r\n354 go on\r\n");
            talk.send(true, &mail(n), if n == 0 { lost } else { &[] });
            talk.down(b"250 taken\r\n");
        }
        talk.up(b"QUIT\r\n");
        talk.down(b"221 bye\r\n");
        let all = talk.end();
        for command in ["MAIL FROM", "RCPT TO", "DATA"] {
            let found = find(&all, command);
            let whole = found
                .iter()
                .filter(|m| m["protocol"] == "smtp" && m["whole"] == true);
            assert_eq!(whole.count(), 2, "{lost:?}: {command}");
        }
        assert!(sizes(&all, CLIENT.1).contains(&(mail(1).len() as u64, "smtp", true)));
    }
}

/// The acknowledgment of a FIN counts one octet more than the body has; what covers more covers octets that are missing.
#[test]
fn a_body_to_the_close_is_whole_where_its_fin_is_acknowledged() {
    for (more, whole) in [(0, false), (1, true), (2, false), (3660, false)] {
        let mut talk = Talk::to(8000);
        talk.up(&get("/a.txt"));
        talk.down(b"HTTP/1.1 200 OK\r\n\r\na body");
        talk.server += more;
        talk.segment(true, ACK, b"", true);
        let all = objects(&talk.pcap);
        assert_eq!(sizes(&all, 8000), [(25, "http", whole)], "{more}");
    }
}

/// The 101 is lost, or its whole direction is not captured.
#[test]
fn frames_behind_an_upgrade_whose_answer_is_lost_are_websocket() {
    let upgrade =
        b"GET /chat HTTP/1.1\r\nHost: s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let masked = b"\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e";
    for both in [true, false] {
        let mut talk = Talk::without_handshake(8080);
        talk.segment(true, ACK | PSH, upgrade, true);
        talk.segment(false, ACK | PSH, &[b'x'; 140], false);
        for _ in 0..40 {
            talk.segment(true, ACK | PSH, masked, true);
            talk.segment(false, ACK | PSH, b"\x81\x05hello", both);
        }
        let all = objects(&talk.pcap);
        let frames = sizes(&all, CLIENT.1);
        let websocket = frames.iter().filter(|m| **m == (5, "websocket", true));
        assert_eq!(websocket.count(), 40, "{frames:?}");
    }
}

fn proxy_v2() -> Vec<u8> {
    let mut all = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    all.extend([192, 0, 2, 1, 192, 0, 2, 2, 0x15, 0xb3, 0, 80]);
    all
}

/// A prefix is a message, and what stands behind it is found as if it was not there; on any port, however it is cut.
#[test]
fn what_a_proxy_puts_before_a_connection_is_a_message_of_its_own() {
    let v1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 5555 80\r\n".to_vec();
    for (prefix, summary) in [
        (v1, "PROXY TCP4 192.0.2.1 192.0.2.2 5555 80"),
        (proxy_v2(), "PROXY v2 TCP4 192.0.2.1 192.0.2.2 5555 80"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "PROXY UNKNOWN"),
    ] {
        for port in [80, 9999] {
            for mss in [1448, 1] {
                let mut talk = Talk::to(port);
                talk.mss = mss;
                talk.up(&[&prefix[..], &get("/a.txt")].concat());
                talk.down(&response(b"one"));
                talk.up(&get("/b.txt"));
                talk.down(&response(b"two"));
                let all = talk.end();
                let found = find(&all, summary);
                assert_eq!(found.len(), 1, "{summary} on {port} by {mss}");
                assert_eq!(found[0]["protocol"], "proxy");
                assert_eq!(found[0]["octets"], prefix.len());
                let exchanges = of_type(&all, "exchange");
                let asked: Vec<_> = exchanges.iter().map(|e| &e["request"]).collect();
                assert_eq!(
                    asked,
                    [
                        "GET /a.txt HTTP/1.1 (example)",
                        "GET /b.txt HTTP/1.1 (example)"
                    ],
                    "{summary} on {port} by {mss}"
                );
            }
        }
    }
    // Before another protocol, whose server speaks first.
    let mut talk = Talk::to(25);
    talk.up(b"PROXY TCP6 2001:db8::1 2001:db8::2 5555 25\r\n");
    talk.down(b"220 mx.example ESMTP\r\n");
    talk.up(b"EHLO c.example\r\n");
    let all = talk.end();
    let names: Vec<_> = of_type(&all, "message")
        .iter()
        .map(|m| m["protocol"].clone())
        .collect();
    assert_eq!(names, ["proxy", "smtp", "smtp"]);
}

/// Octets on a SYN acknowledge the other side's first number (RFC 7413), whether they are taken or sent again.
#[test]
fn requests_on_a_syn_are_answered() {
    let request = b"HEAD /h.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    for taken in [true, false] {
        let mut talk = Talk::without_handshake(80);
        talk.segment(true, SYN, request, true);
        if !taken {
            talk.client -= u32::try_from(request.len()).expect("short");
        }
        talk.segment(false, SYN | ACK, b"", true);
        talk.segment(true, ACK, b"", true);
        if !taken {
            talk.segment(true, ACK | PSH, request, true);
        }
        talk.down(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
        talk.up(&get("/n.txt"));
        talk.down(&response(b"two"));
        let all = talk.end();
        let exchanges = of_type(&all, "exchange");
        let asked: Vec<_> = exchanges.iter().map(|e| &e["request"]).collect();
        assert_eq!(
            asked,
            ["HEAD /h.txt HTTP/1.1 (a)", "GET /n.txt HTTP/1.1 (example)"],
            "taken: {taken}"
        );
    }
}

#[test]
fn an_empty_line_before_an_answer_changes_nothing() {
    let mut talk = Talk::to(80);
    talk.up(b"HEAD /h.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    talk.down(b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    talk.up(&get("/n.txt"));
    talk.down(&response(b"two"));
    let all = talk.end();
    let exchanges = of_type(&all, "exchange");
    assert_eq!(exchanges.len(), 2);
    assert_eq!(exchanges[0]["request"], "HEAD /h.txt HTTP/1.1 (a)");
}

/// Octets that are no response stand before one: it answers the request that acknowledged what stands before them, and each
/// of those behind it its own.
#[test]
fn octets_of_another_kind_before_an_answer_change_nothing() {
    for junk in [
        &b"x"[..],
        b"\0",
        b"junk and junk",
        b"{\"json\":1}\r\n\r\nabc",
    ] {
        let mut talk = Talk::to(80);
        for n in 0..4 {
            talk.up(&get(&format!("/{n}.txt")));
            let odd = if n % 2 == 1 { junk } else { b"" };
            talk.down(&[odd, &response(b"two")].concat());
        }
        let all = talk.end();
        let asked: Vec<_> = of_type(&all, "exchange")
            .iter()
            .map(|e| e["request"].as_str().unwrap_or_default())
            .collect();
        let each: Vec<_> = (0..4)
            .map(|n| format!("GET /{n}.txt HTTP/1.1 (example)"))
            .collect();
        assert_eq!(asked, each, "{}", junk.escape_ascii());
        let data = of_type(&all, "message").into_iter();
        let data: Vec<_> = data.filter(|m| m["protocol"] == "data").collect();
        assert_eq!(data.len(), 2);
    }
}

/// An answer that is none of HTTP is not the next answer's request.
#[test]
fn an_answer_of_another_kind_leaves_the_next_one_its_request() {
    let mut talk = Talk::to(80);
    talk.up(&get("/a.txt"));
    talk.down(&response(b"one"));
    talk.up(&get("/radio"));
    talk.down(b"<radio>\r\n\r\nmusic");
    talk.up(&get("/b.txt"));
    talk.down(&response(b"two"));
    let all = talk.end();
    let asked: Vec<_> = of_type(&all, "exchange")
        .iter()
        .filter(|e| e["missing"].is_null())
        .map(|e| e["request"].clone())
        .collect();
    assert_eq!(
        asked,
        [
            "GET /a.txt HTTP/1.1 (example)",
            "GET /b.txt HTTP/1.1 (example)"
        ]
    );
}

/// RFC 1945, 6: a request of HTTP/0.9 is answered by a body alone, which ends with the connection.
#[test]
fn a_request_without_a_version_is_answered_by_a_body_alone() {
    let mut talk = Talk::to(80);
    talk.up(b"GET /old.html\r\n");
    talk.down(b"<html>\n<p>old</p>\n");
    talk.segment(false, FIN | ACK, b"", true);
    let all = talk.end();
    let messages = of_type(&all, "message");
    let octets: Vec<_> = messages
        .iter()
        .map(|m| {
            (
                m["protocol"].as_str(),
                m["kind"].as_str(),
                m["octets"].as_u64(),
                m["whole"].as_bool(),
            )
        })
        .collect();
    let http = Some("http");
    assert_eq!(
        octets,
        [
            (http, Some("request"), Some(15), Some(true)),
            (http, Some("response"), Some(18), Some(true))
        ]
    );
    assert_eq!(of_type(&all, "exchange").len(), 1);
}

#[test]
fn a_replica_gets_its_snapshot_and_the_commands_behind_it() {
    let rdb: Vec<u8> = (0..9000_u32).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
    let mark = "0123456789abcdef0123456789abcdef01234567";
    let known = [format!("${}\r\n", rdb.len()).as_bytes(), &rdb].concat();
    let marked = [format!("$EOF:{mark}\r\n").as_bytes(), &rdb, mark.as_bytes()].concat();
    for snapshot in [known, marked] {
        for lost in [&[][..], &[2]] {
            let mut talk = Talk::to(6379);
            talk.up(b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
            talk.down(b"+FULLRESYNC 8de1 0\r\n");
            talk.down(b"\n");
            talk.send(false, &snapshot, lost);
            talk.down(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n$4\r\nPING\r\n");
            talk.up(b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n5\r\n");
            let all = talk.end();
            let messages: Vec<_> = of_type(&all, "message")
                .iter()
                .filter(|m| m["src_port"] == 6379)
                .map(|m| m["length"].as_u64().expect("a length"))
                .collect();
            // The line feed that keeps the connection alive is no message of Redis, and comes out all the same.
            assert_eq!(messages, [20, 1, snapshot.len() as u64, 27, 14], "{lost:?}");
            assert_eq!(find(&all, "SET a 1").len(), 1);
            assert_eq!(find(&all, "PING").len(), 1);
        }
    }
}

/// The server answers for good instead of asking for the body: what follows is the next request, unless the client sends the body
/// all the same.
#[test]
fn a_declined_body_is_not_awaited() {
    let post = b"POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 60\r\n\r\n";
    let body: Vec<u8> = b"not a request: GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        .iter()
        .copied()
        .chain([b'.'; 18])
        .collect();
    for (answer, sends) in [("417 no", false), ("417 no", true), ("100 Continue", true)] {
        let mut talk = Talk::to(80);
        talk.up(post);
        talk.down(
            format!(
                "HTTP/1.1 {answer}\r\n{}\r\n",
                if answer.starts_with('1') {
                    ""
                } else {
                    "Content-Length: 0\r\n"
                }
            )
            .as_bytes(),
        );
        if sends {
            assert_eq!(body.len(), 60);
            talk.up(&body);
            if answer.starts_with('1') {
                talk.down(&response(b"taken"));
            }
        }
        talk.up(&get("/next"));
        talk.down(&response(b"two"));
        let all = talk.end();
        let asked: Vec<_> = of_type(&all, "exchange")
            .iter()
            .map(|e| e["request"].clone())
            .collect();
        assert_eq!(
            asked,
            ["POST /p HTTP/1.1 (a)", "GET /next HTTP/1.1 (example)"],
            "{answer}, sent: {sends}"
        );
        let posted = find(&all, "POST");
        assert_eq!(
            posted[0]["whole"], true,
            "{answer}: a body that was declined is not missing"
        );
        assert_eq!(
            posted[0]["octets"],
            if sends { post.len() + 60 } else { post.len() }
        );
    }
}

#[test]
fn a_part_of_nobody_knows_what_is_not_called_whole() {
    for (range, complete) in [
        ("bytes */5000", false),
        ("bytes */9", true),
        ("bytes 0-8/9", true),
    ] {
        let mut talk = Talk::to(80);
        talk.up(&get("/a.txt"));
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: {range}\r\nContent-Length: 9\r\n\r\n123456789"
        );
        talk.down(head.as_bytes());
        talk.segment(true, FIN | ACK, b"", true);
        let dir = tempfile::tempdir().expect("tempdir");
        let into = dir.path().join("x");
        run(["-x", into.to_str().expect("UTF-8")], &talk.pcap.file).code(0);
        let list = std::fs::read_to_string(into.join("files.jsonl")).expect("the list");
        let line: Value = serde_json::from_str(list.lines().next().expect("a file")).expect("JSON");
        assert_eq!(line["complete"], complete, "{range}");
        assert_eq!(line["size"], 9, "{range}: its octets are there");
    }
}
