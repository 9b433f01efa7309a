//! What people see and choose: lines on a terminal, tables, conversations, choices of messages, words on stderr.

use crate::common::build::{ACK, CLIENT, PSH, Pcap, SERVER, behind, body, get, response};
use crate::common::{self, inet_asm, run, testdata};
use std::env::{join_paths, split_paths, var_os};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

fn path(name: &str) -> String {
    testdata(name).display().to_string()
}

/// The lines that --print gives, without columns.
fn printed(options: &[&str], name: &str) -> Vec<String> {
    let path = path(name);
    let args = [&["-q", "-p"], options, &[&path]].concat();
    let text = run(args, b"").printed();
    text.lines().map(str::to_owned).collect()
}

/// Rows of a table, below its header line.
fn table(options: &[&str], name: &str) -> Vec<Vec<String>> {
    let path = path(name);
    let args = [&["-q"], options, &[&path]].concat();
    let text = run(args, b"").text();
    let rows = text
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect());
    rows.collect()
}

#[test]
fn messages_are_chosen_by_kind_words_time_and_number() {
    let all = printed(&[], "http-keepalive.pcap");
    assert_eq!(all.len(), 16);
    let requests = printed(&["--kind", "requests"], "http-keepalive.pcap");
    let responses = printed(&["--kind", "response"], "http-keepalive.pcap");
    assert!(
        requests
            .iter()
            .all(|l| l.contains(" → ") && l.contains(" GET "))
    );
    assert_eq!((requests.len(), responses.len()), (8, 8));
    // Datagrams have a kind too.
    let queries = printed(&["--kind", "request"], "dns-udp.pcap");
    assert_eq!(queries.len(), 8);
    assert!(queries.iter().all(|l| l.contains(" query ")));
    // Lines of a head end where they end.
    let found = printed(&["--match", "(?i)not found$"], "http-keepalive.pcap");
    assert!(
        found.len() == 1 && found[0].ends_with("(88 us)"),
        "{found:?}"
    );
    assert!(printed(&["--match", "^found"], "http-keepalive.pcap").is_empty());
    let found = printed(&["--match", "404 Not Found"], "http-keepalive.pcap");
    assert_eq!(found.len(), 1);
    // A field of the head that no summary shows.
    let found = printed(&["--match", "User-Agent: curl"], "http-keepalive.pcap");
    assert_eq!(found, requests);
    let first = printed(&["-c", "3"], "http-keepalive.pcap");
    assert_eq!(first, all[..3]);
    let first = printed(&["-c", "2", "--kind", "response"], "http-keepalive.pcap");
    assert_eq!(first, responses[..2]);
    let late = printed(&["--from", "+10ms"], "http-keepalive.pcap");
    let early = printed(&["--to", "+10ms"], "http-keepalive.pcap");
    assert!(!late.is_empty() && !early.is_empty());
    assert_eq!([early, late].concat(), all);
    let at = all[6].split(' ').take(2).collect::<Vec<_>>().join("T");
    let late = printed(&["--from", &at], "http-keepalive.pcap");
    assert!(all.ends_with(&late) && late.len() >= 9, "{late:?}");
    let (_, clock) = at.split_once('T').expect("a time of the day");
    for from in [format!("{at}Z"), clock.to_owned()] {
        assert_eq!(printed(&["--from", &from], "http-keepalive.pcap"), late);
    }
    // An offset from UTC, with a date: the capture is of 23:45:33 UTC.
    for (from, some) in [
        ("2030-01-01T00:00:00+00:00", false),
        ("2026-11-22T00:45:30+01:00", true),
        ("2026-11-22T00:45:30+0100", true),
        ("2026-11-21 18:45:30-05:00", true),
        ("2026-11-21T23:45:30-05:00", false),
        ("2026-11-22T23:45:30+01", false),
    ] {
        let some_are = !printed(&["--from", from], "http-keepalive.pcap").is_empty();
        assert_eq!(some_are, some, "{from}");
    }
    // An offset without a date, or a zone, would be dropped.
    for wrong in [
        "23:45:30+01:00",
        "2026-11-21+01:00",
        "2026-11-21-05:00",
        "2026-11-21T23:45:30+25:99",
        "2026-11-21T23:45[America/New_York]",
        "2026-11-21T23:45:30Z[America/New_York]",
        "2026-11-21T23:45:30+01:00x",
        "T10:00",
    ] {
        let done = run(["-p", "--from", wrong, &path("http-keepalive.pcap")], b"");
        assert!(done.stderr.contains(": expected a date"), "{}", done.stderr);
        done.code(2);
    }
}

#[test]
fn a_count_ends_all_outputs_and_leaves_them_whole() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (packets, json) = (at("out.pcap"), at("json"));
    let args = [
        "-c",
        "3",
        "-w",
        &packets,
        &format!("-j={json}"),
        &path("http-keepalive.pcap"),
    ];
    run(args, b"").code(0);
    assert_eq!(run(["-p", &packets], b"").text().lines().count(), 3);
    let json = std::fs::read_to_string(&json).expect("JSON");
    assert_eq!(json.matches("\"type\":\"message\"").count(), 3);
}

#[test]
fn connections_are_chosen_as_people_write_them() {
    for (rule, lines) in [
        ("tcp:0", 10),
        ("0", 10),
        ("udp", 0),
        (":80", 16),
        (":81", 0),
        ("192.0.2.0/24", 16),
        ("198.51.100.0/24, tcp:1", 6),
    ] {
        let found = printed(&["--connection", rule], "http-keepalive.pcap");
        assert_eq!(found.len(), lines, "{rule}");
    }
}

#[test]
fn protocols_go_by_the_names_that_people_use() {
    let all = printed(&["--unframed", "drop"], "protocols/resp.pcap");
    for names in ["redis", "RESP", "http, Redis", "!dns"] {
        assert_eq!(
            printed(
                &["--protocols", names, "--unframed", "drop"],
                "protocols/resp.pcap"
            ),
            all,
            "{names}"
        );
    }
    assert!(printed(&["--protocols", "!redis, !data"], "protocols/resp.pcap").is_empty());
    let mixed = printed(&["--protocols", "!dns"], "mixed.pcapng");
    assert!(!mixed.is_empty() && mixed.iter().all(|l| !l.contains(" dns ")));
    let modbus = printed(&["-d", "tcp.port==502,modbus"], "protocols/mbtcp.pcap");
    assert!(modbus.iter().all(|l| l.contains(" mbtcp ")), "{modbus:?}");
    for (name, words) in [
        ("htpt", "did you mean http?"),
        ("kerberos", "--framer 'kerberos,"),
        ("zzzz", "--list-protocols"),
    ] {
        let done = run(["--protocols", name, "-n"], b"");
        assert!(done.stderr.contains(words), "{}", done.stderr);
        done.code(2);
    }
}

#[test]
fn answers_have_their_time() {
    let lines = printed(&[], "http-tiny.pcap");
    assert!(
        lines[1].ends_with(" HTTP/1.1 200 OK (text/html) (90 us)"),
        "{lines:?}"
    );
    // Answers are told by what they repeat, over UDP and TCP, or by order.
    for (name, answer) in [
        ("dns-udp.pcap", " answer "),
        ("dns-tcp.pcap", " answer "),
        ("protocols/ldap.pcap", " response "),
        ("protocols/sip.pcap", " SIP/2.0 180 "),
        ("protocols/sip.pcap", " SIP/2.0 200 "),
        ("protocols/sip-udp.pcap", " SIP/2.0 200 "),
        ("protocols/rtsp.pcap", " RTSP/1.0 200 "),
        ("protocols/mbtcp.pcap", " \u{2190} "),
        ("protocols/tpkt.pcap", " S7 ack-data "),
        ("protocols/nbss.pcap", " SMB2 echo response"),
        ("protocols/enip.pcap", " CIP read tag response"),
        ("protocols/cql.pcap", " RESULT"),
        ("protocols/opcua.pcap", " read response"),
        ("protocols/mongo.pcap", " \u{2190} "),
        ("protocols/kafka.pcap", " response "),
        ("protocols/diameter.pcap", " Answer "),
        ("protocols/radius.pcap", " Access-Accept"),
        ("protocols/104apci.pcap", "(STARTDT con)"),
        ("protocols/amqp.pcap", ".start-ok"),
        ("protocols/mqtt.pcap", " SUBACK"),
        ("protocols/imap.pcap", " A002 OK "),
        ("protocols/smtp.pcap", " 250"),
        ("protocols/pop.pcap", " +OK Logged in"),
        ("protocols/ftp.pcap", " 230 "),
        ("protocols/ftp.pcap", " 150 "),
        ("protocols/ftp.pcap", " 226 "),
        ("protocols/resp.pcap", " +OK"),
        ("protocols/mysql.pcap", " ok"),
        ("protocols/pgsql.pcap", " RowDescription"),
    ] {
        let lines = printed(&[], name);
        let lines: Vec<_> = lines.iter().filter(|line| line.contains(answer)).collect();
        assert!(!lines.is_empty(), "{name}");
        let timed = |line: &&&String| line.ends_with(" us)") || line.ends_with(" ms)");
        assert_eq!(
            lines.iter().filter(timed).count(),
            lines.len(),
            "{name}: {lines:?}"
        );
    }
}

/// A table has the same times, also where the requests are not among its rows.
#[test]
fn rows_have_the_time_of_their_answer() {
    let fields = ["--table", "--fields", "kind,delay"];
    for (options, name) in [
        (&["--kind", "response"][..], "protocols/mbtcp.pcap"),
        (&["--kind", "response"], "protocols/radius.pcap"),
        (&["--kind", "response"], "protocols/mysql.pcap"),
    ] {
        let rows = table(&[&fields[..], options].concat(), name);
        assert!(rows.len() > 1, "{name}");
        assert!(
            rows.iter().any(|row| row[1].starts_with("0.0")),
            "{name}: {rows:?}"
        );
        let lines = printed(options, name);
        assert!(
            lines.iter().any(|line| line.ends_with(" ms)")),
            "{name}: {lines:?}"
        );
    }
}

/// Each side of these is told what it is, so that requests can be chosen.
#[test]
fn requests_and_responses_are_told_apart() {
    for name in [
        "104apci", "amqp", "cql", "diameter", "dnp3", "enip", "ftp", "imap", "kafka", "ldap",
        "mbtcp", "mongo", "mqtt", "mysql", "nbss", "opcua", "pgsql", "pop", "radius", "resp",
        "rtsp", "smtp", "tpkt",
    ] {
        let file = format!("protocols/{name}.pcap");
        for kind in ["request", "response"] {
            let lines = printed(&["--kind", kind], &file);
            assert!(!lines.is_empty(), "{name}: no {kind}");
        }
    }
    // Nothing that a server of these sends is a request, and nothing that its client sends a response.
    for name in ["mbtcp", "tpkt", "kafka", "mysql", "pgsql"] {
        let file = format!("protocols/{name}.pcap");
        for (kind, other) in [("request", '\u{2190}'), ("response", '\u{2192}')] {
            let lines = printed(&["--kind", kind], &file);
            assert!(
                !lines.iter().any(|line| line.contains(other)),
                "{name}: {lines:?}"
            );
        }
    }
}

#[test]
fn a_summary_in_a_column_is_escaped_once() {
    let mut pcap = Pcap::new();
    let request = b"GET /a\\b\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n";
    pcap.open(100, 500).client(101, 501, ACK | PSH, request);
    let shown = run(["-q", "-p"], &pcap.file).text();
    let row = run(["-q", "--table", "--fields", "summary"], &pcap.file).text();
    let words = row.lines().nth(1).expect("a row");
    assert!(words.contains("/a\\b\\x1b[31m"), "{words}");
    assert!(shown.trim_end().ends_with(words), "{shown}{words}");
}

#[test]
fn a_body_stands_behind_a_blank_line() {
    let lines = run(["-q", "-p=full", &path("http-post.pcap")], b"").printed();
    let lines: Vec<_> = lines.lines().collect();
    let body = lines
        .iter()
        .position(|line| line.contains("name=value"))
        .expect("a body");
    assert_eq!(lines[body - 1], "", "{lines:?}");
    assert!(lines[body - 2].contains("Content-Type"), "{lines:?}");
}

/// In a pipe too, and however wide: arrows stand below each other.
#[test]
fn arrows_are_a_column() {
    let name = path("http-keepalive.pcap");
    for columns in [60, 80, 160] {
        let (text, _) = on_terminal(&format!("NO_COLOR=1 inet-asm {name}"), columns);
        let place = |line: &str| {
            line.chars()
                .position(|c| matches!(c, '\u{2192}' | '\u{2190}'))
        };
        let mut places: Vec<_> = text.lines().filter_map(place).collect();
        places.dedup();
        assert_eq!(places.len(), 1, "{text}");
        if columns == 80 {
            // The status is not cut, nor the time of the answer.
            assert!(
                text.contains("HTTP/1.1 404") && text.contains(" us)"),
                "{text}"
            );
        }
    }
}

#[test]
fn times_have_the_form_that_was_asked_for() {
    for (form, first) in [
        ("utc", "2026-11-21 23:45:51.309911"),
        ("relative", "0.000160"),
        ("delta", "0.000000"),
        ("epoch", "1795304751.309911"),
    ] {
        let lines = printed(&["--time", form], "http-tiny.pcap");
        assert!(lines[0].starts_with(first), "{form}: {lines:?}");
    }
    let mut local = inet_asm(["-p", "--time", "local", &path("http-tiny.pcap")]);
    let text = common::feed(local.env("TZ", "Asia/Kolkata"), &[]).text();
    // Where the machine knows no zones it says UTC.
    assert!(
        text.starts_with("2026-11-22 05:15:51.3") || text.starts_with("2026-11-21 23:45:51.3"),
        "{text}"
    );
}

#[test]
fn tables_have_a_row_for_each_exchange() {
    let rows = table(
        &["--table=http", "--fields", "method,uri,status,whole"],
        "http-keepalive.pcap",
    );
    assert_eq!(rows.len(), 9);
    assert_eq!(rows[0], ["method", "uri", "status", "whole"]);
    assert_eq!(rows[1], ["GET", "/index.html", "200", "yes"]);
    assert!(
        rows.contains(
            &["GET", "/missing", "404", "yes"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    // A response that was lost leaves its columns empty, and its request is told of.
    let rows = table(
        &["--table=http", "--fields", "uri,status"],
        "http-lost-message.pcap",
    );
    assert!(
        rows.contains(&["/style.css", ""].map(str::to_owned).to_vec())
            || rows.iter().any(|r| r[1].is_empty()),
        "{rows:?}"
    );
    let rows = table(
        &["--table=dns", "--fields", "question,type,rcode"],
        "dns-udp.pcap",
    );
    assert_eq!(rows.len(), 9);
    assert!(
        rows.contains(
            &["nowhere.example", "A", "NXDOMAIN"]
                .map(str::to_owned)
                .to_vec()
        ),
        "{rows:?}"
    );
    let rows = table(
        &[
            "--table=connections",
            "--fields",
            "transport,protocol,client_messages,end",
        ],
        "mixed.pcapng",
    );
    assert_eq!(rows.len(), 12);
    assert!(
        rows.contains(&["tcp", "http", "2", "fin"].map(str::to_owned).to_vec()),
        "{rows:?}"
    );
    let rows = table(
        &["--table=protocols", "--fields", "protocol,messages"],
        "mixed.pcapng",
    );
    assert_eq!(
        rows,
        [["protocol", "messages"], ["dns", "16"], ["http", "8"]]
    );
    let rows = table(
        &["--table", "--fields", "protocol,http.host,dns.question"],
        "mixed.pcapng",
    );
    assert_eq!(rows.len(), 25);
    // Nothing is a table of its header alone.
    assert_eq!(table(&["--table=dns"], "http-tiny.pcap").len(), 1);
}

#[test]
fn a_table_lists_the_files() {
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = dir.path().join("found").display().to_string();
    let rows = table(
        &["-x", &folder, "--table=files", "--fields", "file,complete"],
        "http-lost.pcap",
    );
    assert_eq!(rows, [["file", "complete"], ["large.txt.part", "no"]]);
    let done = run(["--table=files", &path("http-lost.pcap")], b"");
    assert!(done.stderr.contains("-x DIR"), "{}", done.stderr);
    done.code(2);
    let done = run(
        ["--table=http", "--fields", "urii", &path("http-lost.pcap")],
        b"",
    );
    assert!(done.stderr.contains("did you mean uri?"), "{}", done.stderr);
    done.code(2);
}

/// What comes from the network parts no columns and no rows.
#[test]
fn tables_are_safe_to_read() {
    let mut pcap = Pcap::new();
    let request = b"GET /a\tb HTTP/1.1\r\nHost: x\ty\x1b[31m\r\n\r\n";
    pcap.open(100, 500).client(101, 501, ACK | PSH, request);
    let text = run(["-q", "--table=http"], &pcap.file).text();
    let widths: Vec<_> = text.lines().map(|line| line.split('\t').count()).collect();
    assert_eq!(widths, [12, 12], "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn a_conversation_has_turns_and_gaps() {
    let text = run(["--follow", "tcp:0", &path("http-tiny.pcap")], b"").text();
    let turns = text.lines().filter(|line| line.contains(" → ")).count();
    assert_eq!(turns, 2, "{text}");
    assert!(text.starts_with("192.0.2.2:47322 → 192.0.2.1:80 2026-11-21 23:45:51.309911 tcp 0\nGET /index.html HTTP/1.1\n"));
    let text = run(["-q", "--follow", ":80", &path("http-lost.pcap")], b"").text();
    assert!(text.contains("\n~~~ 1448 bytes are missing here ~~~\n"));
    let mut pcap = Pcap::new();
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, &get("/"))
        .server(501, 101 + 34, ACK | PSH, &response(&[0, 1, 2, 0xff]));
    let binary = run(["--follow", "all"], &pcap.file).text();
    let head = "\nHTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 4\n\n";
    let body = "00000040  00 01 02 ff   ";
    assert!(binary.contains(&format!("{head}{body}")), "{binary}");
    let hex = run(["--follow=hex", "all", &path("http-tiny.pcap")], b"").text();
    assert!(
        hex.contains(
            "\n00000000  47 45 54 20 2f 69 6e 64  65 78 2e 68 74 6d 6c 20  GET /index.html \n"
        ),
        "{hex}"
    );
    let raw = run(["--follow=raw", "tcp:0", &path("http-tiny.pcap")], b"").ok();
    assert_eq!(raw.len(), 83 + 402);
    assert!(
        run(["--follow", "udp", &path("http-tiny.pcap")], b"")
            .ok()
            .is_empty()
    );
}

/// A rule that chooses nothing is mostly a mistake: it is told of, in a pipe too.
#[test]
fn a_rule_that_chooses_nothing_is_told_of() {
    let name = path("http-tiny.pcap");
    for (args, option) in [
        (&["--follow", "tcp:9"][..], "--follow"),
        (&["--follow=raw", "udp"], "--follow"),
        (&["-p", "--connection", "80"], "--connection"),
        (&["-n", "-s", "--connection", "80"], "--connection"),
        (&["--dump", "-", "--connection", ":81"], "--connection"),
        (&["-w", "/dev/null", "--connection", "sctp"], "--connection"),
        (&["-n", "--trace", "10.9.9.9"], "--trace"),
    ] {
        let said = run([args, &[&name]].concat(), b"").stderr;
        let words = format!("inet-asm: {option}: chooses no connection of this input");
        assert!(
            said.contains(&words) && said.contains(": -p shows their numbers"),
            "{args:?}: {said}"
        );
        let quiet = run([&["-q"], args, &[&name]].concat(), b"").stderr;
        assert!(!quiet.contains("chooses"), "{args:?}: {quiet}");
    }
    for args in [
        &["--follow", "tcp:0"][..],
        &["--follow=raw", ":80"],
        &["-p", "--connection", "0", "--kind", "other"],
        &["-n", "--trace", "all"],
    ] {
        let said = run([args, &[&name]].concat(), b"").stderr;
        assert!(!said.contains("chooses"), "{args:?}: {said}");
    }
}

/// Where a whole message is missing, nothing of it is in another one: the gap stands between them, in its direction.
#[test]
fn a_gap_between_messages_is_drawn_where_messages_are_shown_in_full() {
    let name = path("http-lost-message.pcap");
    let gaps = |options: &[&str]| {
        let text = run([&["-q", "-p=full"], options, &[&name]].concat(), b"").text();
        let lines = text.lines().filter(|l| l.contains(" ~~~ "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let found = gaps(&[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains(" \u{2190} ")
            && found[0].contains(" gap ")
            && found[0].ends_with("~~~ 660 bytes missing ~~~"),
        "{found:?}"
    );
    let following = run(["-q", "--follow", "all", &name], b"").text();
    assert!(
        following.contains("~~~ 660 bytes are missing here ~~~"),
        "{following}"
    );
    // Only what was captured has a time.
    let mut pcap = Pcap::new();
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, &get("/"))
        .wait(50)
        .server(511, 101 + 34, ACK | PSH, b"the rest")
        .wait(5000)
        .client(101 + 34, 519, ACK, b"");
    let late = run(["-q", "--time", "relative", "--follow", "all"], &pcap.file).text();
    let turns: Vec<_> = late.lines().filter(|l| l.contains('\u{2192}')).collect();
    let time = |turn: &str| turn.split_whitespace().nth(3).map(|t| t.starts_with("0."));
    assert_eq!(turns.len(), 2, "{late}");
    assert!(turns.iter().all(|turn| time(turn) == Some(true)), "{late}");
    assert!(
        late.contains("~~~ 10 bytes are missing here ~~~\nthe rest"),
        "{late}"
    );
    // A gap in a message is drawn in it, and nowhere else.
    let text = run(["-q", "-p=full", &path("http-lost.pcap")], b"").text();
    let drawn = text.lines().filter(|l| l.contains("~~~"));
    assert_eq!(
        drawn.collect::<Vec<_>>(),
        ["    ~~~ 1448 bytes are missing here ~~~"]
    );
    // What lies between messages that were chosen is not known; and nothing stands behind the last one that is wanted.
    assert!(gaps(&["--kind", "request"]).is_empty());
    assert!(gaps(&["-c", "1"]).is_empty());
    let brief = run(["-q", "-p", &name], b"").text();
    assert!(!brief.contains("~~~"), "{brief}");
    // SCTP.
    let text = run(["-q", "-p=full", &path("sctp-lost.pcap")], b"").text();
    assert!(text.contains("~~~ 1 data chunk missing ~~~"), "{text}");
}

/// What a message sends to a terminal acts on none.
#[test]
fn nothing_from_the_network_acts_on_a_terminal() {
    let mut pcap = Pcap::new();
    // Control sequences, and marks that turn the direction of writing (U+202E, U+2066, U+200F).
    let body = b"text\x1b[2J\x1b]0;x\x07 and more text that is text\r\n\xc2\x9b31m\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f";
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, &get("/\x1b[31m"))
        .server(501, 101 + 38, ACK | PSH, &response(body));
    for options in [
        &["-p=full"][..],
        &["--follow", "all"],
        &["-p"],
        &["--table"],
        &["-j", "--json-body", "text"],
    ] {
        let text = run([&["-q"], options].concat(), &pcap.file).text();
        let turns = |c: char| matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let control = |c: char| turns(c) || c.is_control() && c != '\n' && c != '\t';
        assert!(
            !text.is_empty() && !text.contains(control),
            "{options:?}: {text:?}"
        );
    }
}

#[test]
fn one_line_sums_up_what_is_missing() {
    let lost = run(["-p", &path("http-lost.pcap")], b"");
    assert_eq!(
        lost.stderr,
        "inet-asm: 59 packets, 1 connection, 2 messages; 1,448 bytes missing in 1 gap (-n -vv tells where, -s counts)\n"
    );
    let told = run(["-n", "-vv", &path("http-lost.pcap")], b"").stderr;
    assert!(
        told.ends_with("1,448 bytes missing in 1 gap (-s counts)\n"),
        "{told}"
    );
    assert_eq!(run(["-q", "-p", &path("http-lost.pcap")], b"").stderr, "");
    // Nothing is missing, and nobody looks on.
    assert_eq!(run(["-p", &path("http-tiny.pcap")], b"").stderr, "");
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = dir.path().display().to_string();
    let done = run(["-x", &folder, &path("http-lost.pcap")], b"");
    assert!(
        done.stderr
            .contains(&format!("0 whole files in {folder}, 1 incomplete")),
        "{}",
        done.stderr
    );
}

/// A capture of nothing but GRE says what would open it.
#[test]
fn a_tunnel_that_was_not_opened_is_told_of() {
    let inner = {
        let mut pcap = Pcap::new();
        let packet = pcap.segment(CLIENT, SERVER, 1, 1, ACK, b"x");
        packet[14..].to_vec()
    };
    let mut pcap = Pcap::new();
    let gre = [&[0, 0, 8, 0][..], &inner].concat();
    let packet = pcap.ip([10, 9, 0, 1].into(), [10, 9, 0, 2].into(), 47, &gre);
    pcap.packet(&packet);
    let done = run(["-p"], &pcap.file);
    assert!(
        done.stderr.contains("--decapsulate gre,erspan opens it"),
        "{}",
        done.stderr
    );
    let opened = run(["-p", "--decapsulate", "gre,erspan"], &pcap.file);
    assert!(!opened.stderr.contains("decapsulate"), "{}", opened.stderr);
}

/// The same of a tunnel over UDP; and what has a port of one, but is known, is none.
#[test]
fn a_tunnel_over_udp_is_told_of_too() {
    for (port, name) in [(4789, "vxlan"), (2152, "gtp"), (6081, "geneve")] {
        let mut pcap = Pcap::new();
        let (src, dst) = ([10, 9, 0, 1].into(), [10, 9, 0, 2].into());
        let payload = [8, 0, 0, 0, 0, 0, 7, 0, 1, 2, 3];
        let len = u16::try_from(8 + payload.len())
            .expect("small")
            .to_be_bytes();
        let ports = [50_000_u16.to_be_bytes(), u16::to_be_bytes(port)].concat();
        let datagram = [&ports[..], &len, &[0, 0], &payload].concat();
        let packet = pcap.ip(src, dst, 17, &datagram);
        pcap.packet(&packet);
        let said = run(["-p"], &pcap.file).stderr;
        assert!(
            said.contains(&format!("--decapsulate {name} opens it")),
            "{said}"
        );
        let opened = run(["-p", "--decapsulate", name], &pcap.file).stderr;
        assert!(!opened.contains("opens it"), "{opened}");
    }
    // Also where the header of the tunnel is known.
    let said = run(["-p", &path("protocols/gtp.pcap")], b"").stderr;
    assert!(said.contains("--decapsulate gtp opens it"), "{said}");
    let said = run(["-p", &path("dns-udp.pcap")], b"").stderr;
    assert_eq!(said, "");
}

/// Connections of one port of which some are understood, and packets in the wrong order.
#[test]
fn odd_ports_and_the_wrong_order_are_told_of() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let mut pcap = Pcap::new();
    pcap.open(100, 500).client(101, 501, ACK | PSH, &get("/x"));
    std::fs::write(at("http.pcap"), &pcap.file).expect("write");
    let mut other = Pcap::new();
    other
        .open(100, 500)
        .client(101, 501, ACK | PSH, b"\x01\x02\x03\xff\xfe\x00 what is it");
    // The same ports again, later: another connection.
    std::fs::write(at("other.pcap"), &other.file).expect("write");
    let (text, _) = on_terminal(
        &format!(
            "inet-asm -n {}; inet-asm -p {}",
            at("http.pcap"),
            at("other.pcap")
        ),
        200,
    );
    assert!(
        text.contains(
            "port 80: its bytes belong to no protocol that is known here: -d tcp.port==80,NAME"
        ),
        "{text}"
    );
    // A hundredth of the packets is earlier than the one before it.
    let whole = common::read(&testdata("http-tiny.pcap"));
    let (header, rest) = whole.split_at(24);
    let len = usize::try_from(u32::from_le_bytes(rest[8..12].try_into().expect("four")))
        .expect("small")
        + 16;
    let swapped = [header, &rest[len..], &rest[..len]].concat();
    std::fs::write(at("swapped.pcap"), swapped).expect("write");
    let (text, _) = on_terminal(&format!("inet-asm {}", at("swapped.pcap")), 200);
    assert!(
        text.contains(
            "time: 1 packet is earlier than the packet before: --sort-delay 1s sorts packets"
        ),
        "{text}"
    );
    // One that is later needs more.
    let mut late = Pcap::new();
    late.open(1000, 5000);
    late.now -= 5_000_000;
    late.client(1001, 5001, ACK | PSH, &get("/a"));
    std::fs::write(at("late.pcap"), &late.file).expect("write");
    let (text, _) = on_terminal(&format!("inet-asm {}", at("late.pcap")), 200);
    assert!(text.contains(": --sort-delay 10s sorts packets"), "{text}");
    let (text, _) = on_terminal(
        &format!("inet-asm --sort-delay 10s {}", at("swapped.pcap")),
        200,
    );
    assert!(!text.contains("time: "), "{text}");
}

/// Files of FTP go over connections without a protocol, which is as it should be.
#[test]
fn connections_that_carry_files_are_no_odd_ones() {
    let ftp = path("transfers/ftp-pasv.pcap");
    let (text, _) = on_terminal(&format!("inet-asm -w /dev/null -p {ftp}"), 200);
    assert!(text.contains("RETR"), "{text}");
    assert!(
        !text.contains("--framer") && !text.contains("tcp.port"),
        "{text}"
    );
}

/// Advice fits the transport.
#[test]
fn advice_fits_the_transport() {
    let mut pcap = Pcap::new();
    let ports = [50_000_u16.to_be_bytes(), 5004_u16.to_be_bytes()].concat();
    let payload = b"\x01\x02\x03\xff\xfe\x00 what is it";
    let len = u16::try_from(8 + payload.len())
        .expect("small")
        .to_be_bytes();
    let datagram = [&ports[..], &len, &[0, 0], payload].concat();
    let packet = pcap.ip([10, 9, 0, 1].into(), [10, 9, 0, 2].into(), 17, &datagram);
    pcap.packet(&packet);
    let dir = tempfile::tempdir().expect("tempdir");
    let name = dir.path().join("udp.pcap").display().to_string();
    std::fs::write(&name, &pcap.file).expect("write");
    let (text, _) = on_terminal(&format!("inet-asm {name}"), 300);
    assert!(
        text.contains("UDP port 5004: its bytes belong to no protocol that is known here: -d udp.port==5004,NAME")
            && !text.contains("tcp.port"),
        "{text}"
    );
    // And it can be typed as it stands.
    let named = run(["-p", "--framer", "mine,udp.port==5004", &name], b"").printed();
    assert!(named.contains(" mine "), "{named}");
}

/// Files in the wrong order are told of once.
#[test]
fn one_cause_has_one_hint() {
    let (first, second) = (path("http-keepalive.pcap"), path("http-tiny.pcap"));
    let (text, _) = on_terminal(&format!("inet-asm -p {second} {first}"), 300);
    assert!(text.contains("use --sort-files"), "{text}");
    assert!(!text.contains("inet-asm: time: "), "{text}");
}

/// An answer that comes again is no other row.
#[test]
fn answers_that_come_again_are_one_row() {
    let whole = common::read(&testdata("dns-udp.pcap"));
    let (header, mut rest) = whole.split_at(24);
    let mut twice = header.to_vec();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[8..12].try_into().expect("four"));
        let (record, others) = rest.split_at(16 + usize::try_from(len).expect("small"));
        twice.extend_from_slice(record);
        twice.extend_from_slice(record);
        rest = others;
    }
    let rows = run(["-q", "--table=dns"], &twice).text();
    assert_eq!(rows.lines().count(), 9, "{rows}");
}

/// Counters are chosen by name, and a wrong name is told of.
#[test]
fn counters_are_chosen_by_name() {
    let name = path("http-lost.pcap");
    let done = run(["-n", "-s=json,tcp.lost_octets,message.lost", &name], b"");
    assert_eq!(
        done.stderr,
        "{\"tcp\":{\"lost_octets\":1448},\"message\":{\"lost\":2}}\n"
    );
    let done = run(["-n", "-s=csv,http.messages", &name], b"");
    assert_eq!(done.stderr, "http.messages\n2\n");
    let done = run(["-n", "-s=http", &name], b"");
    assert!(
        done.stderr.starts_with("HTTP\nhttp.messages"),
        "{}",
        done.stderr
    );
    let done = run(["-n", "-s=htpt.messages", &name], b"");
    assert!(
        done.stderr.contains("did you mean http.messages?"),
        "{}",
        done.stderr
    );
    done.code(2);
}

/// What bash offers for words before the cursor, which stands at the end of the last one. bash parts words at an equals sign.
#[test]
fn bash_completes_values_and_items_of_lists() {
    let dir = tempfile::tempdir().expect("tempdir");
    std::fs::create_dir(dir.path().join("folder")).expect("a folder");
    std::fs::write(dir.path().join("file.pcap"), b"").expect("a file");
    let script = run(["--completions", "bash"], b"").text();
    std::fs::write(dir.path().join("script"), script).expect("write");
    let rows: &[(&[&str], &[&str])] = &[
        (&["--table", "=", "h"], &["http"]),
        (
            &["--table="],
            &[
                "--table=messages",
                "--table=http",
                "--table=dns",
                "--table=connections",
                "--table=protocols",
                "--table=files",
            ],
        ),
        (&["--follow", "="], &["text", "hex", "raw"]),
        (&["-p", "=", "f"], &["full"]),
        (&["-s", "=", "tcp.lo"], &["tcp.lost_octets"]),
        (
            &["--stats", "=", "json,message.los"],
            &["json,message.lost_octets", "json,message.lost"],
        ),
        (&["--protocols", "http,mq"], &["http,mqtt"]),
        (&["--protocols", "!dns,!mq"], &["!dns,!mqtt"]),
        (&["--protocols", "http,redi"], &["http,redis"]),
        (&["-s", "=", "modb"], &["modbus"]),
        (&["--protocols", "dns,dns"], &[]),
        (
            &["--table", "=", "dns", "--fields", "time,q"],
            &["time,question"],
        ),
        (&["--table=http", "--fields", "u"], &["uri"]),
        (&["--table", "--fields", "http.h"], &["http.host"]),
        (&["--kind", "request,r"], &["request,response"]),
        (&["--decapsulate", "gre,ge"], &["gre,geneve"]),
        (&["-x", "f"], &["folder"]),
        (&["-p", "f"], &["file.pcap", "folder"]),
        (&["-w", "f"], &["file.pcap", "folder"]),
        (&["--color", "a"], &["auto", "always"]),
        (&["--tab"], &["--table", "--table="]),
        (&["--follow-f"], &[]),
        (&["-c", ""], &[]),
        (
            &["--extract-protocols", "http,sm"],
            &["http,smb", "http,smb2", "http,smtp"],
        ),
        (&["-d", "tc"], &["tcp.port=="]),
        (&["-d", "tcp.port==9000,mq"], &["tcp.port==9000,mqtt"]),
        (&["-d", "tcp.port", "==", "9000,mq"], &["9000,mqtt"]),
        (&["-w", "x.pcap?protocol", "=", "mq"], &["mqtt"]),
        (
            &["-w", "x.pcap?protocol=http,mq"],
            &["x.pcap?protocol=http,mqtt"],
        ),
    ];
    for (words, expected) in rows {
        let done = Command::new("bash")
            .current_dir(dir.path())
            .args(["--norc", "-c"])
            .arg(". ./script; COMP_WORDS=(inet-asm \"$@\"); COMP_CWORD=$#; _inet_asm; printf '%s\\n' \"${COMPREPLY[@]}\"")
            .arg("bash")
            .args(*words)
            .output()
            .expect("bash");
        let text = String::from_utf8(done.stdout).expect("UTF-8");
        let found: Vec<_> = text.lines().filter(|l| !l.is_empty()).collect();
        assert_eq!(found, *expected, "{words:?}");
        assert!(
            done.stderr.is_empty(),
            "{words:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    // The other shells: lists are sequences there, and what is hidden is not offered.
    let zsh = run(["--completions", "zsh"], b"").text();
    assert!(zsh.contains(":LIST:_sequence compadd - 104apci "), "{zsh}");
    let fish = run(["--completions", "fish"], b"").text();
    assert!(
        fish.contains(" -f -a \"(__fish_append , alpn amqp.content_type "),
        "{fish}"
    );
    // The protocols of an output, behind its name.
    assert!(
        zsh.contains("compset -P '*[?&]protocol='") && zsh.contains("]:OUTPUT:_inet_asm_output' "),
        "{zsh}"
    );
    assert!(fish.contains(" -a \"(__inet_asm_protocols)\""), "{fish}");
    for script in [zsh, fish] {
        assert!(!script.contains("follow-form"), "{script}");
        assert!(
            script.contains("tcp.lost_octets") && script.contains("http.host"),
            "{script}"
        );
    }
}

#[test]
fn options_that_do_nothing_are_told_of() {
    let name = path("http-tiny.pcap");
    for (options, words) in [
        (
            &["-p", "--json-body", "text"][..],
            "--json-body: does nothing here",
        ),
        (&["-p", "--hash"], "add -j"),
        (&["-p", "--max-file", "1M"], "add -x DIR"),
        (&["--info", "--format", "pcap"], "--info: does nothing here"),
        (&["-p", "--encap", "raw"], "--encap: does nothing here"),
        (&["-j", "--wide"], "--wide: does nothing here"),
        (&["--follow", "all", "--wide"], "--wide: does nothing here"),
        (&["-p", "--fill-gaps"], "--fill-gaps: does nothing here"),
        (&["-p", "--timestamps", "original"], "--timestamps: does"),
        (&["-p", "--format", "pcapng"], "--format: does nothing here"),
        (&["-p", "--keep-secrets"], "--keep-secrets: does nothing"),
        (&["-j", "--color", "always"], "--color: does nothing here"),
        (&["-n", "-s", "-U"], "--packet-buffered: does nothing"),
        (&["-n", "-s", "--kind", "request"], "leave -n out"),
        (&["-n", "-s", "--connection", "0"], "leave -n out"),
        (&["-p", "--sort-files"], "--sort-files: does nothing here"),
        (&["--disable", "tcp", "--tcp-buffer", "1M"], "--disable"),
        (
            &["--disable", "sctp", "--track-missing-chunks"],
            "about SCTP",
        ),
        (
            &["-n"],
            "-n: writes no messages, and nothing else was asked for",
        ),
        (
            &["-nr"],
            "-n: writes no messages, and nothing else was asked for",
        ),
    ] {
        let done = run([options, &[&name]].concat(), b"");
        assert!(done.stderr.contains(words), "{options:?}: {}", done.stderr);
        done.code(0);
        let done = run([&["-q"], options, &[&name]].concat(), b"");
        let idle = done.stderr.contains("does nothing") || done.stderr.contains("nothing else");
        assert!(!idle, "{options:?}: {}", done.stderr);
    }
    for options in [
        &["-n", "-s"][..],
        &["-n", "--trace", "all"],
        &["-j", "--hash"],
        &["-j", "--fill-gaps"],
        &["-n", "-s", "--color", "always"],
        &["-n", "-vv", "--protocols", "http"],
        &["-n", "--bypass", "/dev/null", "--format", "pcapng"],
    ] {
        let done = run([options, &[&name]].concat(), b"");
        assert!(
            !(done.stderr.contains("does nothing") || done.stderr.contains("nothing else")),
            "{options:?}: {}",
            done.stderr
        );
    }
}

#[test]
fn a_value_behind_a_space_is_no_input() {
    for (args, words) in [
        (["-s", "json"], "did you mean -s=json?"),
        (["-p", "full"], "did you mean -p=full?"),
        (["--table", "http"], "did you mean --table=http?"),
        (["-j", "no.json"], "did you mean --json=no.json?"),
    ] {
        let done = run(args, b"");
        assert!(done.stderr.contains(words), "{}", done.stderr);
        done.code(2);
    }
}

#[test]
fn the_name_of_an_output_decides_its_format() {
    let dir = tempfile::tempdir().expect("tempdir");
    for (name, options, magic) in [
        ("a.pcapng", &[][..], [0x0a, 0x0d, 0x0d, 0x0a]),
        ("A.PCAPNG", &[], [0x0a, 0x0d, 0x0d, 0x0a]),
        ("a.pcap", &[], [0xd4, 0xc3, 0xb2, 0xa1]),
        ("b.pcapng", &["--format", "pcap"], [0xd4, 0xc3, 0xb2, 0xa1]),
    ] {
        let out = dir.path().join(name).display().to_string();
        run(
            [options, &["-w", &out, &path("http-tiny.pcap")]].concat(),
            b"",
        )
        .code(0);
        assert_eq!(common::read(Path::new(&out))[..4], magic, "{name}");
    }
    // Behind a scheme its options count, elsewhere they are a part of the name.
    let out = dir
        .path()
        .join("b.pcap?format=pcapng")
        .display()
        .to_string();
    let done = run(["-w", &out, &path("http-tiny.pcap")], b"");
    assert!(
        done.stderr
            .contains(&format!("write 'file:{out}' where format is meant")),
        "{}",
        done.stderr
    );
    assert!(dir.path().join("b.pcap?format=pcapng").exists());
}

/// Words that choose go in upper and lower case, and a name of an input may be any that the system takes.
#[test]
fn words_go_in_any_case_and_names_are_taken_as_they_are() {
    let name = path("http-tiny.pcap");
    for args in [
        ["--table=HTTP", "--encap=RAW"],
        ["-p=FULL", "--color=NEVER"],
        ["--follow=HEX", "TCP:0"],
        ["-p", "--disable=TCP"],
        ["-p", "--decapsulate=GRE"],
        ["-p", "--look-behind=OFF"],
        ["-p", "--checksums=VERIFY"],
        ["-w", "FILE:/dev/null"],
    ] {
        run([&args[..], &[&name]].concat(), b"").code(0);
    }
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().expect("tempdir");
    let odd = dir
        .path()
        .join(std::ffi::OsStr::from_bytes(b"caf\xe9.pcap"));
    std::fs::write(&odd, common::read(&testdata("http-tiny.pcap"))).expect("write");
    let args = [std::ffi::OsStr::new("-p"), odd.as_os_str()];
    assert_eq!(run(args, b"").printed().lines().count(), 2);
    // It is an input, and no output.
    std::os::unix::fs::symlink(&odd, dir.path().join("link")).expect("a link");
    let link = dir.path().join("link");
    let done = run(
        [
            std::ffi::OsStr::new("-w"),
            link.as_os_str(),
            odd.as_os_str(),
        ],
        b"",
    );
    assert!(
        done.stderr.contains("it is also an input"),
        "{}",
        done.stderr
    );
}

/// As fingers used to tcpdump type it: no names are looked up anyhow.
#[test]
fn n_given_twice_is_n() {
    for args in [&["-nnr"][..], &["-nn"]] {
        let done = run([args, &[&path("http-tiny.pcap")]].concat(), b"");
        assert!(
            done.stderr.contains("addresses are never looked up"),
            "{}",
            done.stderr
        );
        done.code(0);
    }
}

/// What a shell command writes to a terminal of so many columns, and its exit status.
fn on_terminal(command: &str, columns: u32) -> (String, Option<i32>) {
    let command = format!("stty cols {columns} rows 24; {command}");
    // By its name, as a user has it; paths in the command may hold that name too.
    let bin = Path::new(env!("CARGO_BIN_EXE_inet-asm")).parent();
    let path = var_os("PATH").unwrap_or_default();
    let path = bin
        .into_iter()
        .map(Path::to_owned)
        .chain(split_paths(&path));
    let path = join_paths(path).expect("folders");
    let done = Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", path)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("script");
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    (text.replace("\r\n", "\n"), done.status.code())
}

/// A run whose output is not read for a second has a bar on the terminal, of which nothing is left; beside lines, and where stdout has a
/// reader, which may show some, there is none.
#[test]
fn a_bar_on_a_terminal_leaves_nothing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    // More than one read, and more than a pipe holds.
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    let mut seq = 501;
    for _ in 0..1600 {
        let octets = response(&body(1300));
        pcap.server(seq, 101, ACK | PSH, &octets);
        seq = behind(seq, &octets);
    }
    std::fs::write(at("in.pcap"), &pcap.file).expect("write");
    let capture = at("in.pcap");
    let cases = [
        ("", 80, Some(" left, ")),
        ("", 40, Some("% ")),
        ("-p", 80, None),
        ("-p | cat", 80, None),
    ];
    let look = |n: usize| {
        let (lines, columns, shows) = cases[n];
        let pipe = at(&n.to_string());
        let late = format!("mkfifo {pipe}; (sleep 1.2; cat) <{pipe} >/dev/null");
        let command = format!("{late} & inet-asm -w {pipe} {capture} {lines}; wait");
        let (text, status) = on_terminal(&command, columns);
        assert_eq!(status, Some(0), "{text}");
        let Some(shows) = shows else {
            assert!(!text.contains("\x1b[2K"), "{lines}: {text:?}");
            return;
        };
        assert!(text.contains(shows) && text.contains("\x1b[2K"), "{text:?}");
        // It takes one line, as nothing moves up, and what stood there was taken away.
        assert!(!text.contains("A\r"), "{text:?}");
        let last = |line: &str| line.rsplit("\x1b[2K").next().unwrap_or_default().to_owned();
        let seen = text.lines().map(last).collect::<Vec<_>>().concat();
        assert!(seen.starts_with("inet-asm: 1,603 packets"), "{text:?}");
        assert!(
            !seen.contains(" left, ") && !seen.contains("% "),
            "{text:?}"
        );
    };
    // They wait most of the time.
    std::thread::scope(|scope| {
        for n in 0..cases.len() {
            let look = &look;
            scope.spawn(move || look(n));
        }
    });
}

#[test]
fn alone_on_a_terminal_it_says_what_it_waits_for() {
    let (text, status) = on_terminal("inet-asm </dev/tty", 80);
    assert!(
        text.contains("no capture is named") && text.contains("tcpdump -U -w - | inet-asm"),
        "{text}"
    );
    assert_eq!(status, Some(2));
}

#[test]
fn lines_fit_a_terminal_and_have_colours() {
    let name = path("http-keepalive.pcap");
    for columns in [80, 120, 160] {
        let (text, status) = on_terminal(&format!("inet-asm {name}"), columns);
        assert_eq!(status, Some(0), "{text}");
        assert!(text.contains("\x1b[36mhttp"), "{text}");
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('\x1b') {
            plain += &rest[..at];
            rest = rest[at..].split_once('m').expect("an end").1;
        }
        plain += rest;
        let widest = plain.lines().filter(|l| !l.starts_with("inet-asm:"));
        let widest = widest.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns as usize, "{columns}:\n{plain}");
        // The date stands once, and the last line sums up.
        assert_eq!(plain.matches("2026-11-21").count(), 1, "{plain}");
        assert!(plain.ends_with("connections, 16 messages\n"), "{plain}");
    }
    let (text, _) = on_terminal(&format!("NO_COLOR=1 inet-asm {name}"), 120);
    assert!(!text.contains('\x1b'), "{text}");
    let (text, _) = on_terminal(&format!("TERM=dumb inet-asm {name}"), 120);
    assert!(!text.contains('\x1b'), "{text}");
    let (text, _) = on_terminal(&format!("inet-asm --wide {name}"), 40);
    assert!(text.contains(" /index.html HTTP/1.1 (192.0.2.1)"), "{text}");
}

/// The lines of the README that show messages live, with a capture for the card.
#[test]
fn the_headlines_of_the_readme_show_messages_at_once() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README");
    let lines = readme.lines().filter(|l| l.starts_with("sudo tcpdump -U"));
    let bin = env!("CARGO_BIN_EXE_inet-asm");
    let mut tried = 0;
    for line in lines {
        let line = line.split('#').next().expect("a command").trim_end();
        // tcpdump reads a pipe here, which stays open: what comes out comes at once. To a terminal lines would go.
        let lines = if line.ends_with("| inet-asm") {
            " -p"
        } else {
            ""
        };
        let line = line
            .replace("sudo tcpdump", "tcpdump -r - 2>/dev/null")
            .replace("| inet-asm", &format!("| {bin}{lines}"));
        let mut child = Command::new("sh")
            .args(["-c", &line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let mut stdin = child.stdin.take().expect("stdin");
        std::io::Write::write_all(&mut stdin, &common::read(&testdata("http-tiny.pcap")))
            .expect("write");
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(
            child.stdout.take().expect("stdout"),
        ));
        // The input is open still.
        let first = lines.next().expect("a line").expect("UTF-8");
        assert!(first.contains("GET /index.html"), "{line}: {first}");
        drop(stdin);
        assert!(lines.count() >= 1);
        child.wait().expect("sh");
        tried += 1;
    }
    assert_eq!(tried, 2);
}

/// All that goes to stderr: who says it, about what, what is wrong, what to do.
#[test]
fn words_on_stderr_have_one_form() {
    let name = path("http-tiny.pcap");
    for args in [
        &["--protocol", "http"][..],
        &["--encap", "ring"],
        &["--tcp-buffer", "64X"],
        &["--tcp-holes", "off"],
        &["--tcp-holes", "1K"],
        &["--max-connections", "1.5"],
        &["--sort-queue", "1.5"],
        &["--sort-delay", "100000d"],
        &["--framer", "my.name,tcp.port==9"],
        &["-p", "-n"],
        &["-w"],
        &["--framer", "x,y"],
        &["-d", "tcp.port==9,htp"],
        &["--hash=3"],
        &["--protocols", "htpt"],
        &["--connection", "foo"],
        &["--match", "("],
        &["--from", "noon"],
        &["--kind", "all"],
        &["-c", "0"],
        &["-w", "file:x?foo=1"],
        &["--memory-limit", "1"],
        &["--dump", "-"],
        &["--table=http", "--fields", "x"],
        &["--table=files"],
        &["--fields", "time"],
        &["-pfull"],
        &["-sjson"],
        &["-s=tpc"],
        &["--follow=json"],
        &["--table=nosuch"],
        &["-j", "no.json"],
        &["-z"],
        &["-p", "-p"],
        &["--follow"],
        &["--man", "-p"],
        &["--protocols", "kerberos"],
        &["--sort-delay", "5"],
        &["--checksums", "x"],
        &["/nowhere/at.all"],
        &["--fields", "a"],
        &["--table", "--fields", "a"],
        &["--dump", "d", "--dump-name", "%Q"],
        &["--dump", "d", "--dump-name", ""],
        &["-w", "fil:x.pcap"],
        &["-w", "file:x?kid=dropped"],
        &["-p", "-w", "-"],
        &["-w", "/nowhere/at.all"],
        &["port", "80"],
        &["-x"],
        &["--keylog", "/nowhere/keys.log"],
        &["--log-file", "/nowhere/log"],
    ] {
        let done = run([args, &[&name]].concat(), b"");
        assert_eq!(done.stderr.lines().count(), 1, "{args:?}: {}", done.stderr);
        let line = done.stderr.trim_end();
        let said = line
            .strip_prefix("inet-asm: ")
            .unwrap_or_else(|| panic!("{line}"));
        let parts: Vec<_> = said.split(": ").collect();
        assert!(parts.len() >= 2, "{args:?}: {line}");
        // Numbers of errors say nothing to people.
        assert!(!line.contains("os error"), "{args:?}: {line}");
        assert!(
            !parts[0].is_empty() && !line.ends_with('.'),
            "{args:?}: {line}"
        );
        done.code(2);
    }
}

/// Everything that a run can say on stderr, and how it is provoked: each line has the form `inet-asm: WHAT: what is wrong`, with what
/// to do behind it where there is something to do. What sums up the run, and is about nothing else, stands below.
#[test]
fn words_of_a_run_have_one_form() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let tiny = common::read(&testdata("http-tiny.pcap"));
    let write = |name: &str, octets: &[u8]| std::fs::write(at(name), octets).expect("write");
    write("cut.pcap", &tiny[..1000]);
    write("text", b"no capture, but some text");
    write("empty", b"");
    write("a.pcap", &tiny);
    let mut link = tiny.clone();
    link[20] = 222;
    write("link.pcap", &link);
    let mut bad = tiny.clone();
    bad[32..36].fill(0xff);
    write("bad.pcap", &bad);
    std::fs::create_dir(at("folder")).expect("a folder");
    let (first, second) = (path("http-keepalive.pcap"), path("http-tiny.pcap"));
    let lost = path("http-lost.pcap");
    let sctp = path("sctp-lost.pcap");
    let [a, x, bad, cut, none, empty, link] = [
        "a.pcap",
        "x",
        "bad.pcap",
        "cut.pcap",
        "text",
        "empty",
        "link.pcap",
    ]
    .map(at);
    let (folder, inside, inside_har) = (at("folder"), at("folder/inside"), at("folder/har"));
    let rows: &[(&[&str], &str, i32)] = &[
        (&["-p", &cut], "is cut short", 0),
        (&["-p", &none], "give a capture file", 2),
        (&["-p", &empty], "check what writes it", 2),
        (&["-p", &bad], "is damaged at offset 24", 2),
        (&["-p", &folder], "cannot be read", 2),
        (&["-p", "/nowhere/at.all"], "cannot be opened", 2),
        (&["-p", &second, &first], "use --sort-files", 0),
        (
            &["-p", "--sort-files", "-"],
            "save it to one, or leave --sort-files out",
            2,
        ),
        (&["-p", &link], "--dropped keeps them", 0),
        (&["-w", &a], "name the input", 2),
        (&["-w", &a, &a], "write to another file", 2),
        (&["-w", &x, "-w", &x, &a], "give each a file of its own", 2),
        (&["-w", "/dev/full", &first], "cannot write", 2),
        (&["-w", "/nowhere/at.all", &first], "cannot", 2),
        (&["-x", "/dev/null/x", &first], "cannot make the folder", 2),
        (
            &["--dump", &folder, "-x", &inside, &first],
            "give each one of its own",
            2,
        ),
        (&["--sctp-stats", "/nowhere/x", &first], "cannot open", 2),
        (
            &["--dump", "-", "--connection", "0", &lost],
            "--dump DIR leaves a hole",
            0,
        ),
        (&["-p", "--hash", &a], "add -j", 0),
        (&["-n", "-v", &a], "link type ETHERNET (1)", 0),
        (&["-p", "--connection", "80", &a], "a port is :80", 0),
        (&["-n", "-vv", &lost], "is given up", 0),
        (
            &["-n", "-vv", &lost],
            "is incomplete: 1448 bytes missing",
            0,
        ),
        (&["-n", "-vv", &sctp], "is incomplete: only its first", 0),
        (&["--follow", "tcp:7", &a], "chooses no connection", 0),
        (
            &["-p", "--har", &inside_har, "-c", "1", &first],
            "count more messages",
            0,
        ),
        (&["-n", "--trace", "udp", &a], "chooses no connection", 0),
    ];
    for (args, words, status) in rows {
        let done = run(*args, &tiny);
        let mut found = false;
        for line in done.stderr.lines() {
            let said = line
                .strip_prefix("inet-asm: ")
                .unwrap_or_else(|| panic!("{line}"));
            if said.contains(" packets, ") && said.contains(" message") {
                continue;
            }
            found |= said.contains(words);
            let (about, what) = said.split_once(": ").unwrap_or_else(|| panic!("{line}"));
            assert!(!about.is_empty() && !what.is_empty(), "{args:?}: {line}");
            assert!(
                !said.ends_with('.') && !said.contains('\x1b') && !said.contains("os error"),
                "{args:?}: {line}"
            );
        }
        assert!(found, "{args:?}: {}", done.stderr);
        done.code(*status);
    }
}

/// The rows of a table of what was made in memory.
fn rows(options: &[&str], capture: &[u8]) -> Vec<Vec<String>> {
    let text = run([&["-q"], options].concat(), capture).text();
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().skip(1).map(cells).collect()
}

/// A query that is sent again is the one before: its answer took the time since the first, wherever that is shown.
#[test]
fn the_time_of_an_answer_counts_from_the_first_of_equal_queries() {
    let dns = (SERVER.0, 53);
    let mut query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01".to_vec();
    let mut capture = Pcap::new();
    capture
        .datagram(CLIENT, dns, &query)
        .wait(99)
        .datagram(CLIENT, dns, &query)
        .wait(99);
    query[2] = 0x81;
    let capture = &capture.datagram(dns, CLIENT, &query).file;
    let line = run(["-q", "-p"], capture).printed();
    assert!(line.trim_end().ends_with("(200 ms)"), "{line}");
    let delays = rows(&["--table", "--fields", "delay"], capture);
    assert_eq!(
        delays.last().map(|row| &row[..]),
        Some(&["0.200000".to_owned()][..])
    );
    let delays = rows(&["--table=dns", "--fields", "delay"], capture);
    assert_eq!(delays, [["0.200000"]]);
    let json = run(["-q", "-j"], capture).printed();
    assert!(json.contains("\"delay\":0.2"), "{json}");
}

/// Both kinds of address are asked for at once, with one number: each answer goes with its question, whatever the order.
#[test]
fn answers_of_one_number_go_with_their_questions() {
    let dns = (SERVER.0, 53);
    let message = |flags: u8, kind: u8, name: u8| {
        let mut octets = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01".to_vec();
        (octets[2], octets[13], octets[16]) = (flags, name, kind);
        octets
    };
    let mut capture = Pcap::new();
    capture
        .datagram(CLIENT, dns, &message(1, 1, b'a'))
        .wait(10)
        .datagram(CLIENT, dns, &message(1, 28, b'a'))
        .wait(10)
        .datagram(dns, CLIENT, &message(0x81, 28, b'A'))
        .wait(10)
        .datagram(dns, CLIENT, &message(0x81, 1, b'a'));
    let delays = rows(&["--table=dns", "--fields", "type,delay"], &capture.file);
    let mut delays: Vec<_> = delays.iter().map(|row| row.join(" ")).collect();
    delays.sort();
    assert_eq!(delays.len(), 2, "{delays:?}");
    assert_ne!(
        delays[0].split(' ').nth(1),
        delays[1].split(' ').nth(1),
        "{delays:?}"
    );
    assert!(
        delays[0].starts_with("A ") && delays[1].starts_with("AAAA "),
        "{delays:?}"
    );
}

/// Who is the client is known by more than who was captured first, and the same in tables as in lines.
#[test]
fn tables_know_the_client() {
    let request = get("/a");
    let answer = response(b"hello");
    // From the middle, the server first.
    let mut tcp = Pcap::new();
    tcp.server(1000, 1000, ACK | PSH, &answer)
        .client(1000, behind(1000, &answer), ACK | PSH, &request)
        .server(
            behind(1000, &answer),
            behind(1000, &request),
            ACK | PSH,
            &answer,
        );
    // The transfer comes from a port of its own.
    let mut tftp = Pcap::new();
    tftp.datagram(CLIENT, (SERVER.0, 69), b"\0\x01name\0octet\0")
        .datagram((SERVER.0, 40_000), CLIENT, b"\0\x03\0\x01data");
    // A group is no client.
    let group = (Ipv4Addr::new(224, 0, 0, 251), 5353);
    let mut mdns = Pcap::new();
    let told = b"\0\0\x84\0\0\0\0\x01\0\0\0\0\x01a\0\0\x01\0\x01\0\0\0\x78\0\x04\x0a\0\0\x01";
    mdns.datagram((SERVER.0, 5353), group, told);
    let ends = |end: (Ipv4Addr, u16)| format!("{}:{}", end.0, end.1);
    let fields = ["--fields", "client,server"];
    for (capture, table, client, server) in [
        (&tcp, "--table=connections", CLIENT, SERVER),
        (&tftp, "--table=connections", CLIENT, (SERVER.0, 40_000)),
        (&mdns, "--table=dns", (SERVER.0, 5353), group),
        (&mdns, "--table=connections", (SERVER.0, 5353), group),
    ] {
        let rows = rows(&[&[table][..], &fields].concat(), &capture.file);
        assert_eq!(
            rows.last(),
            Some(&vec![ends(client), ends(server)]),
            "{table}"
        );
        let lines = run(["-q", "-p"], &capture.file).printed();
        let words: Vec<_> = lines
            .lines()
            .last()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        assert_eq!(
            (words[4], words[6]),
            (&*ends(client), &*ends(server)),
            "{lines}"
        );
    }
    let columns = [
        "--table=connections",
        "--fields",
        "client_bytes,server_bytes",
    ];
    let bytes = [request.len().to_string(), (2 * answer.len()).to_string()];
    assert_eq!(rows(&columns, &tcp.file), [bytes]);
}

/// What is asked for is not said by the responses of Kafka, and is shown of them.
#[test]
fn responses_say_what_they_answer() {
    let lines = printed(&[], "protocols/kafka.pcap");
    assert!(
        lines.iter().any(|l| l.contains(" Metadata response ")),
        "{lines:?}"
    );
    let rows = table(&["--table", "--fields", "summary"], "protocols/kafka.pcap");
    assert!(
        rows.iter()
            .any(|row| row[0].starts_with("Heartbeat response "))
    );
    let json = run(["-q", "-j", &path("protocols/kafka.pcap")], b"").text();
    assert!(json.contains("\"ApiVersions response "), "{json}");
}

/// Servers of DHCP answer to all, or to an address that the client has only from then on: in a flow of its own.
#[test]
fn answers_in_another_flow_have_their_time() {
    let none = (Ipv4Addr::UNSPECIFIED, 68);
    let all = (Ipv4Addr::BROADCAST, 67);
    let server = (SERVER.0, 67);
    let mut message = vec![1, 1, 6, 0, 0, 0, 0, 7];
    message.resize(236, 0);
    message[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255]);
    let mut capture = Pcap::new();
    capture.datagram(none, all, &message).wait(9);
    (message[0], message[242]) = (2, 2);
    capture.datagram(server, (Ipv4Addr::BROADCAST, 68), &message);
    (message[0], message[242]) = (1, 3);
    capture.datagram(none, all, &message).wait(19);
    (message[0], message[242]) = (2, 5);
    capture.datagram(server, (CLIENT.0, 68), &message);
    let lines = run(["-q", "-p"], &capture.file).printed();
    assert!(
        lines.contains(" offer 0x00000007 (10 ms)") && lines.contains(" ack 0x00000007 (20 ms)"),
        "{lines}"
    );
}

/// What other connections carry is not counted, whether messages stand in streams or datagrams.
#[test]
fn a_table_of_protocols_heeds_connections() {
    for name in ["mixed.pcapng", "http-lost.pcap", "sctp-lost.pcap"] {
        let all = table(&["--table=protocols"], name);
        let chosen = |rule: &str| table(&["--table=protocols", "--connection", rule], name);
        assert_eq!(chosen("all"), all, "{name}");
    }
    let chosen = |rule: &str| {
        let options = ["--table=protocols", "--fields", "protocol,messages,bytes"];
        let options = [&options[..], &["--connection", rule]].concat();
        table(&options, "mixed.pcapng").split_off(1)
    };
    assert_eq!(chosen("tcp:1"), [["http", "2", "318"]]);
    assert_eq!(chosen("udp:0"), [["dns", "2", "74"]]);
}

/// Connections are chosen by what they carry.
#[test]
fn a_table_of_connections_heeds_protocols() {
    for (protocols, expected) in [
        ("http", &["http"][..]),
        ("!http", &["dns"]),
        ("dns,http", &["http", "dns"]),
        ("sip", &[]),
    ] {
        let mut capture = Pcap::new();
        capture
            .open(1000, 5000)
            .client(1001, 5001, ACK | PSH, &get("/a"));
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";
        capture.datagram(CLIENT, (SERVER.0, 53), query);
        let options = ["--protocols", protocols, "--table=connections"];
        let mut found = rows(
            &[&options[..], &["--fields", "protocol"]].concat(),
            &capture.file,
        );
        found.sort();
        let mut expected: Vec<_> = expected
            .iter()
            .map(|name| vec![(*name).to_owned()])
            .collect();
        expected.sort();
        assert_eq!(found, expected, "{protocols}");
    }
}

/// Associations from the middle: both directions wait for what was captured late, and are told of in the order of their packets.
#[test]
fn answers_over_sctp_from_the_middle_have_their_time() {
    let Some(capture) = common::shared_captures()
        .into_iter()
        .find(|path| path.ends_with("open5gs--testattach.pcapng"))
    else {
        eprintln!("open5gs--testattach.pcapng is not there: skipped");
        return;
    };
    let rows = rows(
        &[
            "--table",
            "--fields",
            "summary,delay",
            "--protocols",
            "diameter",
        ],
        &common::read(&capture),
    );
    let answers: Vec<_> = rows.iter().filter(|r| r[0].contains(" Answer ")).collect();
    assert_eq!(answers.len(), 49);
    assert!(answers.iter().all(|row| !row[1].is_empty()), "{answers:?}");
}

/// The hosts of HTTP over SCTP are asked, too.
#[test]
fn streams_of_sctp_have_exchanges_of_http() {
    let Some(capture) = common::shared_captures()
        .into_iter()
        .find(|path| path.ends_with("arkime--sctp-www.pcap"))
    else {
        eprintln!("arkime--sctp-www.pcap is not there: skipped");
        return;
    };
    let rows = rows(
        &["--table=http", "--fields", "status,delay"],
        &common::read(&capture),
    );
    assert!(
        rows.contains(&vec!["200".to_owned(), "0.002133".to_owned()]),
        "{rows:?}"
    );
}

/// A message of one line stands there once, in full or not.
#[test]
fn what_a_line_says_does_not_stand_twice() {
    let text = run(
        ["-q", "-p=full", "-c", "3", &path("protocols/smtp.pcap")],
        b"",
    )
    .text();
    let lines: Vec<_> = text.lines().collect();
    let said = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert_eq!(said("ESMTP ready"), 1, "{lines:?}");
    assert_eq!(said("250-mail.example"), 2, "{lines:?}");
    assert_eq!(said("250-PIPELINING"), 1, "{lines:?}");
}

/// The name of what is asked for is worth more than that of the host.
#[test]
fn a_host_is_cut_before_a_path() {
    let (text, _) = on_terminal(
        &format!("inet-asm --color=never {}", path("http-keepalive.pcap")),
        80,
    );
    assert!(text.contains(" GET /index.html HTTP"), "{text}");
}

/// Nobody speaks before what they have heard, also where the first that was said is lost.
#[test]
fn a_conversation_with_a_lost_answer_keeps_its_order() {
    let answer = response(b"x");
    let paths = ["/a", "/b", "/c"];
    for lost in 0..paths.len() {
        let mut pcap = Pcap::new();
        pcap.open(100, 500);
        let (mut client, mut server) = (101, 501);
        for (i, name) in paths.into_iter().enumerate() {
            let request = get(name);
            pcap.client(client, server, ACK | PSH, &request);
            client = behind(client, &request);
            if i != lost {
                pcap.server(server, client, ACK | PSH, &answer);
            }
            server = behind(server, &answer);
            pcap.client(client, server, ACK, b"");
        }
        let text = run(["-q", "--follow", "tcp:0"], &pcap.file).text();
        let told = text.lines().filter(|line| {
            ["GET", "HTTP", "~~~"]
                .iter()
                .any(|word| line.starts_with(word))
        });
        let told: Vec<_> = told.map(|line| &line[..6]).collect();
        let expected = (0..paths.len()).flat_map(|i| {
            let answer = if i == lost { "~~~ 65" } else { "HTTP/1" };
            [["GET /a", "GET /b", "GET /c"][i], answer]
        });
        let mut expected: Vec<_> = expected.collect();
        if lost + 1 == paths.len() {
            // Behind it nothing came that would tell.
            expected.pop();
            assert!(told.starts_with(&expected), "{lost}: {text}");
        } else {
            assert_eq!(told, expected, "{lost}: {text}");
        }
    }
}

/// What is looked for is what was sent, however it is shown.
#[test]
fn a_backslash_is_looked_for_as_one() {
    let mut pcap = Pcap::new();
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, b"*1\r\n$8\r\nC:\\a\\b\t\r\n");
    for pattern in [r"C:\\a\\b\t", r"^C:\\a"] {
        let options = ["-q", "-p", "-d", "tcp.port==80,redis", "--match", pattern];
        let text = run(options, &pcap.file).printed();
        assert!(text.contains(r"C:\a\b\t"), "{pattern}: {text}");
    }
}

/// A protocol goes by the names that people use wherever it is named.
#[test]
fn aliases_are_taken_wherever_protocols_are_named() {
    let name = path("protocols/resp.pcap");
    let fields = ["-q", "--table", "--fields", "Redis.command,protocol", &name];
    let text = run(fields, b"").text();
    assert!(
        text.starts_with("redis.command\tprotocol\n") && text.contains("\tresp\n"),
        "{text}"
    );
    let own = run(
        ["-q", "--table", "--fields", "resp.command,protocol", &name],
        b"",
    )
    .text();
    assert_eq!(
        text.split_once('\n').map(|t| t.1),
        own.split_once('\n').map(|t| t.1)
    );
    let done = run(["-n", "--fail-if", "redis.messages > 1", &name], b"");
    assert!(
        done.stderr.contains("redis.messages > 1: holds"),
        "{}",
        done.stderr
    );
    done.code(1);
    for names in ["-s=redis", "-s=redis.messages", "-s=resp.messages"] {
        let said = run(["-n", names, &name], b"").stderr;
        assert!(said.contains("resp.messages "), "{names}: {said}");
    }
    for (option, meant) in [
        (
            &["--table", "--fields", "redis.comand"][..],
            "redis.command",
        ),
        (&["-n", "-s=rediss"], "redis"),
    ] {
        let wrong = run([option, &[&name]].concat(), b"").stderr;
        assert!(wrong.contains(&format!("did you mean {meant}?")), "{wrong}");
    }
    let wrong = run(["-n", "--fail-if", "redis.nothing > 1", &name], b"");
    assert!(
        wrong.stderr.contains("there is no such counter"),
        "{}",
        wrong.stderr
    );
    wrong.code(2);
}

/// Nothing is written that its name says it is not.
#[test]
fn names_of_compressed_files_are_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    let name = path("http-tiny.pcap");
    for (option, file, what) in [
        ("-w", "c.pcapng.gz", "-w - | gzip >"),
        ("--bypass", "c.PCAP.ZST", "--bypass - | zstd >"),
        ("--json", "c.jsonl.xz", "-j | xz >"),
    ] {
        let file = dir.path().join(file).display().to_string();
        let arg = match option {
            "--json" => format!("{option}={file}"),
            _ => option.to_owned(),
        };
        let args = [arg.as_str(), &file, &name];
        let args = if option == "--json" {
            vec![args[0], args[2]]
        } else {
            args.to_vec()
        };
        let done = run(args, b"");
        let words = format!("outputs are not compressed: {what}{file} does that");
        assert!(done.stderr.contains(&words), "{}", done.stderr);
        done.code(2);
        assert!(!Path::new(&file).exists());
    }
}

#[test]
fn outputs_have_any_name() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
    let input = testdata("http-tiny.pcap");
    let named = |front: &str, path: &Path, behind: &str| {
        let mut arg = OsString::from(front);
        arg.push(path);
        arg.push(behind);
        arg
    };
    let args = [
        OsString::from("-w"),
        at(b"caf\xe9.pcap").into(),
        "-w".into(),
        named(
            "file:",
            &at(b"\xff\xe9.pcap"),
            "?protocol=http&format=pcapng",
        ),
        named("--json=", &at(b"j\xe9.jsonl"), ""),
        named("--har=", &at(b"h\xe9"), ""),
        named("--sctp-stats=", &at(b"s\xe9"), ""),
        input.into(),
    ];
    let done = run(args, b"");
    done.code(0);
    for name in [
        &b"caf\xe9.pcap"[..],
        b"\xff\xe9.pcap",
        b"j\xe9.jsonl",
        b"h\xe9",
        b"s\xe9",
    ] {
        assert!(at(name).is_file(), "{name:?}");
    }
    let pcapng = std::fs::read(at(b"\xff\xe9.pcap")).expect("read");
    assert!(pcapng.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
    // Two outputs to one place are refused, and so is one without a name.
    let twice = [
        OsString::from("-w"),
        at(b"t\xe9").into(),
        "-w".into(),
        at(b"t\xe9").into(),
        testdata("http-tiny.pcap").into(),
    ];
    let done = run(twice, b"");
    assert!(
        done.stderr.contains("two outputs would write there"),
        "{}",
        done.stderr
    );
    done.code(2);
}

/// A message of SMB2 with this command, number and status, of the client or the server.
fn smb2(command: u8, number: u8, status: Option<u32>, body: &[u8]) -> Vec<u8> {
    let mut m = vec![0xfe, b'S', b'M', b'B', 64, 0, 0, 0];
    m.extend(status.unwrap_or(0).to_le_bytes());
    m.extend([command, 0, 1, 0, u8::from(status.is_some()), 0, 0, 0]);
    m.extend([0, 0, 0, 0, number, 0, 0, 0]);
    m.resize(64, 0);
    m.extend(body);
    let len = u32::try_from(m.len()).expect("fits");
    [&len.to_be_bytes()[..], &m].concat()
}

/// A file that was opened by its name has it in what is read and closed by its number, in every output, and can be looked for.
#[test]
fn messages_of_smb_name_their_files() {
    let name: Vec<u8> = "dir\\a.x"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut create = [0; 56];
    (create[44], create[46]) = (120, 14);
    let create = [&create[..], &name].concat();
    let number = [7; 16];
    let opened = [&[0; 64][..], &number, &[0; 8]].concat();
    let read = [&[0; 16][..], &number, &[0; 16]].concat();
    let close = [&[0; 8][..], &number].concat();
    let talk = [
        smb2(5, 1, None, &create),
        smb2(5, 1, Some(0), &opened),
        smb2(8, 2, None, &read),
        smb2(8, 2, Some(0xc000_0011), &[9, 0, 0, 0, 0, 0, 0, 0, 0]),
        smb2(6, 3, None, &close),
        smb2(6, 3, Some(0), &[0; 60]),
        smb2(8, 4, None, &read),
        smb2(5, 5, None, &create),
        smb2(5, 5, Some(0xc000_0022), &[9, 0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    let server = (SERVER.0, 445);
    let mut pcap = Pcap::new();
    let mut next = [101, 501];
    for (i, message) in talk.iter().enumerate() {
        let asks = message[4 + 16] & 1 == 0;
        let me = usize::from(!asks);
        let (from, to) = if asks {
            (CLIENT, server)
        } else {
            (server, CLIENT)
        };
        if i == 0 {
            let syn = pcap.segment(from, to, 100, 0, 2, b"");
            let answer = pcap.segment(to, from, 500, 101, 2 | ACK, b"");
            pcap.packet(&syn).packet(&answer);
        }
        let packet = pcap.segment(from, to, next[me], next[1 - me], ACK | PSH, message);
        pcap.packet(&packet);
        next[me] = behind(next[me], message);
    }
    let rows = |options: &[&str]| {
        let all = ["-q", "--table", "--fields", "summary,nbss.file"];
        let text = run([&all[..], options].concat(), &pcap.file).text();
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let expected = [
        "SMB2 create request dir\\a.x\tdir\\\\a.x",
        "SMB2 create response: dir\\a.x\tdir\\\\a.x",
        "SMB2 read request 0 bytes at 0: dir\\a.x\tdir\\\\a.x",
        "SMB2 read response, end of file: dir\\a.x\tdir\\\\a.x",
        "SMB2 close request: dir\\a.x\tdir\\\\a.x",
        "SMB2 close response: dir\\a.x\tdir\\\\a.x",
        // Its number means nothing any more.
        "SMB2 read request 0 bytes at 0\t",
        "SMB2 create request dir\\a.x\tdir\\\\a.x",
        "SMB2 create response, access denied: dir\\a.x\tdir\\\\a.x",
    ];
    assert_eq!(rows(&[]), expected);
    let found = rows(&["--match", r"close .*dir\\a\.x"]);
    assert_eq!(found, expected[4..6]);
    let printed = run(["-q", "-p"], &pcap.file).printed();
    assert!(
        printed.contains(r"SMB2 close response: dir\a.x ("),
        "{printed}"
    );
    let json = run(["-q", "-j"], &pcap.file).text();
    let message = json
        .lines()
        .find(|line| line.contains("SMB2 close request"))
        .expect("a message");
    assert!(message.contains(r#""file":"dir\\a.x""#), "{message}");
}

/// All that is not the text of a message fits a terminal, however narrow.
#[test]
fn lines_fit_a_narrow_terminal() {
    let (lost, binary) = (path("http-lost.pcap"), path("protocols/mbtcp.pcap"));
    for columns in [40, 60] {
        for command in [
            format!("-n -s=all,inputs {lost}"),
            format!("-n --trace tcp:0 {lost}"),
            binary.clone(),
            format!("-p=full {}", path("protocols/tls.pcap")),
            format!("--follow tcp:0 {binary}"),
            format!("--follow=hex all {}", path("http-ipv6.pcap")),
            format!("-n --trace tcp:0 {binary}"),
        ] {
            let command = format!("NO_COLOR=1 inet-asm {command}");
            let (text, code) = on_terminal(&command, columns);
            assert_eq!(code, Some(0), "{command}");
            assert!(text.lines().count() > 5, "{command}: {text}");
            // The name of the input stands whole in a line of its own.
            let of_name = |line: &str| line.ends_with(".pcap");
            let widest = text.lines().filter(|line| !of_name(line));
            let widest = widest.max_by_key(|line| line.chars().count());
            let widest = widest.expect("lines");
            assert!(
                widest.chars().count() <= columns as usize,
                "{columns}: {command}: {widest}"
            );
        }
    }
}

/// In a locale that is not UTF-8 people get ASCII, and programs what they always get.
#[test]
fn other_locales_get_ascii() {
    let mut pcap = Pcap::new();
    let answer = response("caf\u{e9} \u{2192}".as_bytes());
    let request = get("/\u{e9}");
    pcap.open(100, 500).client(101, 501, ACK | PSH, &request);
    pcap.server(501, behind(101, &request), ACK | PSH, &answer);
    let said = |args: &[&str], locale: [&str; 3]| {
        let mut command = inet_asm([&["-q"], args].concat());
        for (name, value) in ["LC_ALL", "LC_CTYPE", "LANG"].iter().zip(locale) {
            command.env(name, value);
        }
        let done = common::feed(&mut command, &[&pcap.file]);
        String::from_utf8(done.stdout).expect("UTF-8") + &done.stderr
    };
    let posix = [
        ["C", "", "C.UTF-8"],
        ["", "", ""],
        ["", "POSIX", "en_US.UTF-8"],
    ];
    let utf8 = [["C.UTF-8", "C", "C"], ["", "", "de_DE.utf8"]];
    for (args, plain, rich) in [
        (&["-p"][..], "> 203.0.113.80:80", "\u{2192} 203.0.113.80:80"),
        (&["-p=full"], "caf\\u{e9} \\u{2192}", "caf\u{e9} \u{2192}"),
        (
            &["--follow", "all"],
            "GET /\\u{e9} HTTP",
            "GET /\u{e9} HTTP",
        ),
        (&["-n", "--trace", "all"], "tcp 0 <", "tcp 0 \u{2190}"),
        (&["-n", "-s", "\u{e9}"], "\\u{e9}: cannot", "\u{e9}: cannot"),
    ] {
        for locale in posix {
            let text = said(args, locale);
            assert!(
                text.is_ascii() && text.contains(plain),
                "{locale:?}: {text}"
            );
        }
        for locale in utf8 {
            let text = said(args, locale);
            assert!(text.contains(rich), "{locale:?}: {text}");
        }
    }
    for args in [&["-j"][..], &["--table"]] {
        assert_eq!(said(args, posix[0]), said(args, utf8[0]));
        assert!(said(args, posix[0]).contains("/\u{e9}"));
    }
}

/// Outputs make the folder that they are given, and none above it.
#[test]
fn folders_are_made_one_deep() {
    let dir = tempfile::tempdir().expect("tempdir");
    let input = path("http-tiny.pcap");
    let words = "the folder that it is in does not exist: make it first";
    for option in ["--extract", "--dump", "--sctp-stats", "--write"] {
        let at = |name: &str| dir.path().join(option).join(name).display().to_string();
        let done = run(["-q", option, &at("deep/"), &input], b"");
        assert!(done.stderr.contains(words), "{option}: {}", done.stderr);
        done.code(2);
        assert!(!dir.path().join(option).exists(), "{option}");
        std::fs::create_dir(dir.path().join(option)).expect("a folder");
        if option != "--write" {
            run(["-q", option, &at("deep/"), &input], b"").code(0);
            assert!(Path::new(&at("deep")).is_dir(), "{option}");
        }
    }
}

/// Packets are not written to a terminal; without an output there are lines.
#[test]
fn packets_stay_off_a_terminal() {
    let name = path("http-tiny.pcap");
    let (text, code) = on_terminal(&format!("inet-asm -w - {name}"), 80);
    assert!(text.contains("-w -: stdout is a terminal"), "{text}");
    assert_eq!(code, Some(2));
    let (text, _) = on_terminal(&format!("inet-asm -q -w - {name} | wc -c"), 80);
    assert!(text.trim().parse::<u32>().is_ok_and(|n| n > 100), "{text}");
    let (text, _) = on_terminal(&format!("NO_COLOR=1 inet-asm {name}"), 80);
    assert!(text.contains("GET /index.html"), "{text}");
}

/// What cannot be read on white is not used where the terminal says that it is white.
#[test]
fn colours_can_be_read_on_a_light_background() {
    let name = testdata("http-tiny.pcap").display().to_string();
    let pale = ["\x1b[32m", "\x1b[33m", "\x1b[36m"];
    for (background, light) in [("0;15", true), ("0;default;7", true), ("15;0", false)] {
        for what in ["-p", "-n --trace all"] {
            let command = format!("COLORFGBG='{background}' inet-asm {what} {name}");
            let (text, _) = on_terminal(&command, 120);
            assert!(text.contains("\x1b["), "{text}");
            let found = pale.iter().any(|tone| text.contains(tone));
            assert_eq!(found, !light, "{command}: {text}");
        }
    }
}
