//! Options that choose messages mean the same everywhere, and what is told at the end is about what was chosen.

use crate::common::build::{ACK, CLIENT, PSH, Pcap, SERVER, behind, get, response};
use crate::common::{counter, run, testdata};

fn path(name: &str) -> String {
    testdata(name).display().to_string()
}

/// Rows of a table over HTTP and DNS, without its header line.
fn rows(options: &[&str]) -> Vec<String> {
    let inputs = [path("http-keepalive.pcap"), path("dns-udp.pcap")];
    let inputs = inputs.each_ref().map(String::as_str);
    let text = run([&["-q"], options, &inputs].concat(), b"").text();
    text.lines()
        .skip(1)
        .map(|row| row.replace('\t', " "))
        .collect()
}

#[test]
fn what_chooses_messages_chooses_the_rows_that_tell_of_them() {
    let exchanges = ["--table=http", "--fields", "uri,status"];
    let counts = ["--table=protocols", "--fields", "protocol,messages,bytes"];
    let connections = ["--table=connections", "--fields", "transport,connection"];
    for (table, choice, expected) in [
        (
            &exchanges[..],
            &["--match", "404 Not Found"][..],
            &["/missing 404"][..],
        ),
        // What is chosen is one of the two messages, by what no column shows.
        (
            &exchanges,
            &["--match", "User-Agent: curl", "-c", "2"],
            &["/index.html 200", "/style.css 200"],
        ),
        (&exchanges, &["--kind", "other"], &[]),
        (&counts, &[], &["dns 16 844", "http 16 9109"]),
        (&counts, &["--protocols", "http"], &["http 16 9109"]),
        (
            &counts,
            &["--kind", "request"],
            &["dns 8 299", "http 8 664"],
        ),
        (
            &counts,
            &["--from", "2026-11-21T23:45:52.822"],
            &["dns 8 487"],
        ),
        (&counts, &["-c", "3"], &["http 3 567"]),
        (&connections, &["--match", "nowhere"], &["udp 5"]),
        (&connections, &["--match", "style"], &["tcp 0"]),
        (&connections, &["--kind", "response", "-c", "1"], &["tcp 0"]),
        (
            &connections,
            &["--to", "2026-11-21T23:45:40"],
            &["tcp 0", "tcp 1"],
        ),
    ] {
        assert_eq!(rows(&[table, choice].concat()), expected, "{choice:?}");
    }
    // A row tells of the whole connection.
    let bytes = [
        "--table=connections",
        "--fields",
        "client_bytes,server_bytes",
    ];
    let chosen = rows(&[&bytes[..], &["--match", "style"]].concat());
    assert_eq!(chosen, ["416 2849"]);
}

#[test]
fn what_chooses_nothing_is_told_of() {
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = dir.path().display().to_string();
    let name = path("http-tiny.pcap");
    let follow = ["--follow", "all"];
    let files = ["-x", &folder, "--table=files"];
    for (options, words) in [
        (
            [&follow[..], &["-c", "1"]].concat(),
            "--count: does nothing here: it chooses messages, and streams are written whole",
        ),
        (
            vec!["-n", "-s", "--protocols", "dns"],
            "--protocols: does nothing here: it chooses messages that are written, and counters count all",
        ),
        (
            [&files[..], &["--match", "x"]].concat(),
            "--match: does nothing here: it chooses messages, and files are made of all of them",
        ),
        (
            vec!["-x", &folder, "--kind", "request"],
            "--kind: does nothing here: it chooses messages, and files are made of all of them",
        ),
    ] {
        let done = run([&options[..], &[&name]].concat(), b"");
        assert!(done.stderr.contains(words), "{options:?}: {}", done.stderr);
        done.code(0);
    }
    for options in [
        &["-n", "-vv", "--connection", "0", "--protocols", "http"][..],
        &["-x", &folder, "--protocols", "http"],
        &["--table=connections", "--kind", "request"],
    ] {
        let done = run([options, &[&name]].concat(), b"");
        assert!(!done.stderr.contains("does nothing"), "{}", done.stderr);
    }
    // No message ends a stream that is written whole.
    let all = run([&follow[..], &[&name]].concat(), b"").text();
    let counted = run([&follow[..], &["-c", "1", &name]].concat(), b"").text();
    assert_eq!(all, counted);
}

/// One connection with a gap, and one without.
fn one_of_two_lacks_something() -> Vec<u8> {
    let mut pcap = Pcap::new();
    let (request, answer) = (get("/"), response(&[b'x'; 100]));
    let other = (CLIENT.0, 50_001);
    let acked = behind(101, &request);
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, &request)
        .server(501, acked, ACK, &answer[..80])
        .server(501 + 90, acked, ACK | PSH, &answer[90..]);
    for (client, seq, ack, payload) in [(true, 101, 501, &request), (false, 501, acked, &answer)] {
        let (from, to) = if client {
            (other, SERVER)
        } else {
            (SERVER, other)
        };
        let packet = pcap.segment(from, to, seq, ack, ACK | PSH, payload);
        pcap.packet(&packet);
    }
    pcap.file
}

#[test]
fn the_closing_line_tells_what_is_missing_of_that_which_was_chosen() {
    let capture = one_of_two_lacks_something();
    for (options, words) in [
        (&["-p"][..], Some("4 messages; 10 bytes missing in 1 gap (")),
        (
            &["-p", "--connection", "0"],
            Some("4 messages, 2 chosen; 10 bytes missing in 1 gap ("),
        ),
        (&["-p", "--connection", "1"], None),
        (&["--table=http", "--connection", "1"], None),
        (&["--follow", "tcp:1"], None),
        (&["--follow", "tcp:0"], Some("10 bytes missing in 1 gap (")),
        (
            &["-p", "--kind", "response"],
            Some("4 messages, 2 chosen; 1 incomplete message ("),
        ),
        (&["-p", "--kind", "request"], None),
        (&["-j", "--protocols", "dns"], None),
    ] {
        let said = run(options, &capture).stderr;
        match words {
            Some(words) => assert!(said.contains(words), "{options:?}: {said}"),
            None => assert_eq!(said, "", "{options:?}"),
        }
    }
}

/// A message that is open when as many were written as are wanted is not incomplete: nobody has looked at the rest of it.
#[test]
fn what_lies_behind_the_last_message_that_is_wanted_is_not_missing() {
    for (name, count) in [("http-post.pcap", "5"), ("sctp-interleaved.pcap", "1")] {
        let file = testdata(name).display().to_string();
        let to = ["--fail-if", "message.lost > 0", "-s", &file];
        let some = run([&["-p", "-c", count][..], &to].concat(), b"");
        some.code(0);
        assert_eq!(counter(&some.stderr, "output.messages").to_string(), count);
        assert!(counter(&some.stderr, "message.messages") > 0);
        run([&["-p"][..], &to].concat(), b"").code(0);
    }
}
