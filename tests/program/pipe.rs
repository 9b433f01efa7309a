//! The main job, end to end: `capture | inet-asm | tshark -r -`, for every capture of testdata.

use crate::common::{
    self, CAPTURES, Capture, TAKE_SUMS, contains, feed, fields, http_messages, inet_asm, messages,
    run,
};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Rows of tshark that are one HTTP message each: (requests, responses), and how many rows there are at all.
fn http_lines(output: &[u8]) -> (usize, usize, usize) {
    let names = ["http.request", "http.response"];
    let (mut requests, mut responses) = (0, 0);
    let rows = fields("frame", &names, &[], output);
    for row in &rows {
        match (row[0].as_str(), row[1].as_str()) {
            ("1" | "True", "") => requests += 1,
            ("", "1" | "True") => responses += 1,
            ("", "") => {}
            other => panic!("several messages in one packet: {other:?}"),
        }
    }
    (requests, responses, rows.len())
}

#[test]
fn the_table_of_captures_is_what_tshark_sees() {
    for capture in CAPTURES.iter().filter(|c| c.clean) {
        let octets = capture.octets();
        assert_eq!(
            http_messages(&octets),
            (capture.requests, capture.responses),
            "{}",
            capture.name
        );
        let dns = fields("dns", &["dns.id"], &[], &octets).len();
        assert_eq!(dns, capture.dns, "{}", capture.name);
    }
}

#[test]
fn the_table_of_captures_is_complete() {
    let listed: BTreeSet<_> = CAPTURES.iter().map(|c| c.name.to_owned()).collect();
    // Those of SCTP and of other protocols have tables of their own.
    let there: BTreeSet<_> = fs::read_dir(common::testdata(""))
        .expect("testdata")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.contains(".pcap") && !name.starts_with("sctp-"))
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn one_line_per_http_request_and_response() {
    for capture in CAPTURES.iter().filter(|c| c.is_http()) {
        let (requests, responses, lines) = http_lines(&messages(&capture.octets()));
        assert_eq!(
            (requests, responses, lines),
            (
                capture.requests,
                capture.responses,
                capture.messages() + capture.handshakes
            ),
            "{}",
            capture.name
        );
    }
}

#[test]
fn one_line_per_dns_message() {
    for capture in CAPTURES.iter().filter(|c| c.dns > 0) {
        let output = messages(&capture.octets());
        let shown = |file: &[u8]| -> BTreeSet<_> {
            fields(
                "dns",
                &["dns.id", "dns.flags.response", "dns.qry.name"],
                &[],
                file,
            )
            .into_iter()
            .collect()
        };
        let found = fields("dns", &["dns.id"], &[], &output).len();
        assert_eq!(found, capture.dns, "{}", capture.name);
        assert_eq!(shown(&output), shown(&capture.octets()), "{}", capture.name);
    }
}

#[test]
fn tshark_finds_no_malformed_packet_and_no_wrong_checksum() {
    let names = [
        "_ws.malformed",
        "ip.checksum.status",
        "tcp.checksum.status",
        "udp.checksum.status",
        "frame.len",
        "frame.cap_len",
    ];
    for capture in CAPTURES {
        let rows = fields("frame", &names, &TAKE_SUMS, &messages(&capture.octets()));
        let mut snapped = 0;
        for (number, row) in rows.iter().enumerate() {
            let at = format!("{}, packet {}: {row:?}", capture.name, number + 1);
            assert_eq!(row[0], "", "malformed: {at}");
            assert!(
                matches!(row[1].as_str(), "" | "1" | "Good"),
                "IP checksum: {at}"
            );
            if row[4] == row[5] {
                let sums = [row[2].as_str(), row[3].as_str()];
                assert!(
                    matches!(sums, ["1" | "Good", ""] | ["", "1" | "Good"]),
                    "checksum: {at}"
                );
            } else {
                snapped += 1;
            }
        }
        assert_eq!(
            snapped, capture.partial,
            "{}: snapped packets",
            capture.name
        );
    }
}

#[test]
fn tshark_sees_whole_messages_in_sequence() {
    // A retransmission mark on a message means that tshark did not dissect it; a gap mark that numbers are wrong.
    for capture in CAPTURES
        .iter()
        .filter(|c| c.name != "http-lost-message.pcap")
    {
        let marked = fields(
            "tcp.analysis.retransmission || tcp.analysis.out_of_order || tcp.analysis.lost_segment",
            &["frame.number"],
            &[],
            &messages(&capture.octets()),
        );
        assert_eq!(marked, Vec::<Vec<String>>::new(), "{}", capture.name);
    }
}

#[test]
fn tcpdump_finds_nothing_incorrect() {
    for capture in CAPTURES.iter().filter(|c| c.clean) {
        let output = messages(&capture.octets());
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.args(["-n", "-vv", "-r", "-"]);
        let text = feed(&mut tcpdump, &[&output]).text();
        let packets = common::pcap(&output).1.len();
        assert!(packets >= capture.messages(), "{}", capture.name);
        let shown = text
            .lines()
            .filter(|line| !line.starts_with(char::is_whitespace))
            .filter(|line| {
                line.contains(" IP") || line.contains(" ethertype ") || line.contains(" vlan ")
            })
            .count();
        assert_eq!(shown, packets, "{}:\n{text}", capture.name);
        for wrong in [
            "incorrect",
            "bad cksum",
            "bad-len",
            "[|ip",
            "[|tcp",
            "bad length",
        ] {
            assert!(!text.contains(wrong), "{}: {wrong}:\n{text}", capture.name);
        }
    }
}

#[test]
fn octets_of_the_messages_are_those_of_the_streams() {
    // tshark's own reassembly of a clean capture is the reference.
    for capture in CAPTURES.iter().filter(|c| c.is_http() && c.clean) {
        let names = ["http.file_data", "http.request.line", "http.response.line"];
        let shown = |file: &[u8]| -> Vec<Vec<String>> {
            let mut all = Vec::new();
            for row in fields("http", &names, &[], file) {
                all.push(row);
            }
            all.sort();
            all
        };
        if capture.name == "http-pipelined.pcap" {
            continue; // one row of the input holds several messages: see the test below
        }
        assert_eq!(
            shown(&messages(&capture.octets())),
            shown(&capture.octets()),
            "{}",
            capture.name
        );
    }
}

#[test]
fn exported_objects_are_those_of_the_clean_capture() {
    for capture in CAPTURES.iter().filter(|c| c.is_http() && c.clean) {
        let expected = common::export_objects(&capture.octets());
        let found = common::export_objects(&messages(&capture.octets()));
        assert_eq!(found, expected, "{}", capture.name);
    }
}

#[test]
fn a_file_behind_two_swapped_segments_is_found() {
    let large = common::read(&common::testdata("http-large.pcap"));
    let expected: Vec<_> = common::export_objects(&large)
        .into_iter()
        .filter(|(name, _)| name == "large.txt")
        .collect();
    assert_eq!(expected.len(), 1);
    let swapped = common::read(&common::testdata("http-swapped.pcap"));
    assert_eq!(
        common::export_objects(&swapped),
        [],
        "tshark alone finds it"
    );
    assert!(common::export_objects(&messages(&swapped)) == expected);
}

#[test]
fn reordered_and_repeated_packets_change_no_message() {
    for (damaged, clean) in [
        ("http-reordered.pcap", "http-large.pcap"),
        ("http-repeated.pcap", "http-keepalive.pcap"),
    ] {
        let payloads = |name: &str| {
            let output = messages(&common::read(&common::testdata(name)));
            let mut all: Vec<_> = common::segments(&output)
                .into_iter()
                .map(|s| (s.source_port, s.seq, s.payload))
                .collect();
            all.sort();
            all
        };
        assert!(payloads(damaged) == payloads(clean), "{damaged}");
    }
}

#[test]
fn a_lost_segment_costs_its_own_message_only() {
    let lost = messages(&common::read(&common::testdata("http-lost.pcap")));
    let partial: Vec<_> = common::segments(&lost)
        .into_iter()
        .filter(|s| s.source_port == 80)
        .collect();
    assert_eq!(partial.len(), 1);
    let whole = messages(&common::read(&common::testdata("http-large.pcap")));
    let whole = common::segments(&whole)
        .into_iter()
        .find(|s| s.source_port == 80)
        .expect("a response");
    // Cut at the hole, with the length of the whole.
    assert_eq!(partial[0].payload_len, whole.payload_len);
    assert!(partial[0].payload.len() < whole.payload.len());
    assert!(whole.payload.starts_with(&partial[0].payload));

    let others = messages(&common::read(&common::testdata("http-lost-message.pcap")));
    let rows = fields("http.response", &["http.response.code"], &[], &others);
    assert_eq!(rows, [["200"], ["200"], ["404"], ["200"]]);
}

#[test]
fn a_start_in_the_middle_gives_the_messages_that_are_whole() {
    let capture = common::read(&common::testdata("http-cut-start.pcap"));
    let output = messages(&capture);
    let names = ["http.request.uri", "http.response.code", "tcp.len"];
    let rows = fields("frame", &names, &[], &output);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0][0], "/index.html");
    assert_eq!(rows[1][1], "200");
}

#[test]
fn until_close_ends_with_a_fin() {
    let output = messages(&common::read(&common::testdata("http-close.pcap")));
    let with_fin = fields(
        "http.response and tcp.flags.fin == 1",
        &["tcp.len"],
        &[],
        &output,
    );
    assert!(!with_fin.is_empty());
}

#[test]
fn ports_that_are_used_again_begin_with_a_handshake() {
    let output = messages(&common::read(&common::testdata("http-reused-ports.pcap")));
    let rows = fields("frame", &["tcp.stream", "tcp.flags.syn"], &[], &output);
    let shown: Vec<_> = rows
        .iter()
        .map(|r| (r[0].as_str(), r[1].as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("0", "0"),
            ("0", "0"),
            ("1", "1"),
            ("1", "1"),
            ("1", "0"),
            ("1", "0")
        ]
    );
}

#[test]
fn tags_and_addresses_of_the_link_layer_are_kept() {
    for (name, tags) in [("http-vlan.pcap", "100"), ("http-qinq.pcap", "200,100")] {
        let output = messages(&common::read(&common::testdata(name)));
        for row in fields(
            "frame",
            &["vlan.id", "ieee8021ad.id", "eth.src", "ip.src"],
            &[],
            &output,
        ) {
            let outer_first = [row[1].as_str(), row[0].as_str()].join(",");
            assert_eq!(outer_first.trim_start_matches(','), tags, "{name}");
            let last = row[3].chars().last().expect("an address");
            assert_eq!(row[2], format!("02:00:00:00:00:0{last}"), "{name}");
        }
    }
}

#[test]
fn encapsulation_follows_the_first_input_or_the_option() {
    let link = |args: &[&str], name: &str| {
        let output = run(args, &common::read(&common::testdata(name))).ok();
        common::pcap(&output).0
    };
    assert_eq!(link(&[], "http-tiny.pcap"), 1);
    assert_eq!(link(&[], "http-cooked.pcap"), 101);
    assert_eq!(link(&["--encap", "raw"], "http-tiny.pcap"), 101);
    assert_eq!(link(&["--encap", "ethernet"], "http-cooked2.pcap"), 1);
    for (encap, name) in [
        ("raw", "http-vlan.pcap"),
        ("ethernet", "http-cooked.pcap"),
        ("raw", "http-ipv6.pcap"),
    ] {
        let input = common::read(&common::testdata(name));
        let output = run(["--encap", encap], &input).ok();
        assert_eq!(
            http_messages(&output),
            http_messages(&input),
            "{encap} {name}"
        );
    }
}

#[test]
fn nanoseconds_are_kept() {
    let magic = |name: &str| messages(&common::read(&common::testdata(name)))[..4].to_vec();
    assert_eq!(magic("http-tiny.pcap"), 0xA1B2_C3D4_u32.to_le_bytes());
    assert_eq!(magic("http-nano.pcap"), 0xA1B2_3C4D_u32.to_le_bytes());
    assert_eq!(
        magic("http-keepalive.pcapng"),
        0xA1B2_3C4D_u32.to_le_bytes()
    );
    let input = common::read(&common::testdata("http-nano.pcap"));
    let output = messages(&input);
    let times: BTreeSet<_> = common::pcap(&input).1.iter().map(|r| r.time).collect();
    assert!(times.iter().any(|t| t % 1000 != 0));
    for record in common::pcap(&output).1 {
        assert!(times.contains(&record.time), "{}", record.time);
    }
}

#[test]
fn times_are_those_of_completing_packets_and_never_go_back() {
    for name in [
        "http-keepalive.pcap",
        "http-large.pcap",
        "http-repeated.pcap",
    ] {
        let input = common::read(&common::testdata(name));
        let output = messages(&input);
        let times: BTreeSet<_> = common::pcap(&input).1.iter().map(|r| r.time).collect();
        let mut last = 0;
        for record in common::pcap(&output).1 {
            assert!(
                times.contains(&record.time) && record.time >= last,
                "{name}"
            );
            last = record.time;
        }
    }
}

fn same(capture: &Capture, what: &str, found: &[u8], expected: &[u8]) {
    assert!(
        found == expected,
        "{}: {what} gives another output",
        capture.name
    );
}

#[test]
fn the_way_the_input_comes_changes_nothing() {
    for capture in CAPTURES {
        let octets = capture.octets();
        let path = capture.path();
        let path = path.to_str().expect("UTF-8");
        let expected = messages(&octets);
        assert!(!expected.is_empty());
        same(capture, "the same again", &messages(&octets), &expected);
        same(capture, "INPUT", &run([path], b"").ok(), &expected);
        same(capture, "-r INPUT", &run(["-r", path], b"").ok(), &expected);
        same(capture, "INPUT -", &run(["-"], &octets).ok(), &expected);
        let dir = tempfile::tempdir().expect("tempdir");
        let out = dir.path().join("out.pcap");
        let written = run([path, "-w", out.to_str().expect("UTF-8")], b"").ok();
        assert_eq!(
            written, b"",
            "{}: -w FILE and something on stdout",
            capture.name
        );
        same(capture, "-w FILE", &common::read(&out), &expected);
        same(
            capture,
            "-w -",
            &run([path, "-w", "-"], b"").ok(),
            &expected,
        );
    }
}

#[test]
fn octet_by_octet_is_the_same() {
    for capture in CAPTURES {
        let octets = capture.octets();
        let expected = messages(&octets);
        for size in [1, 7, 1000] {
            if octets.len() / size > 30_000 {
                continue;
            }
            let parts: Vec<&[u8]> = octets.chunks(size).collect();
            let found = feed(&mut inet_asm::<&str>([]), &parts).ok();
            same(
                capture,
                &format!("{size} octets at a time"),
                &found,
                &expected,
            );
        }
    }
}

#[test]
fn several_inputs_are_one_capture() {
    let (a, b) = (
        common::testdata("http-keepalive.pcap"),
        common::testdata("http-large.pcap"),
    );
    let (a, b) = (a.to_str().expect("UTF-8"), b.to_str().expect("UTF-8"));
    let both = [common::read(a.as_ref()), common::read(b.as_ref())].concat();
    let expected = messages(&both);
    assert_eq!(http_messages(&expected), (12, 12));
    assert!(run([a, b], b"").ok() == expected, "INPUT INPUT");
    assert!(
        run(["-r", a, "-r", b], b"").ok() == expected,
        "-r INPUT -r INPUT"
    );
    assert!(
        run([a, "-"], &common::read(b.as_ref())).ok() == expected,
        "INPUT -"
    );
    let mixed = common::testdata("http-keepalive.pcapng");
    let found = run([a, mixed.to_str().expect("UTF-8")], b"").ok();
    assert!(http_messages(&found).0 >= 8, "pcap, then pcapng");
}

#[test]
fn a_capture_cut_into_files_is_the_same() {
    let whole = common::read(&common::testdata("http-large.pcap"));
    let expected = messages(&whole);
    let dir = tempfile::tempdir().expect("tempdir");
    let ends: Vec<_> = common::pcap(&whole).1.iter().map(|r| r.end).collect();
    for at in (1..ends.len()).step_by(7) {
        let names = ["1", "2"].map(|n| dir.path().join(n).to_str().expect("UTF-8").to_owned());
        fs::write(&names[0], &whole[..ends[at]]).expect("write");
        fs::write(&names[1], [&whole[..24], &whole[ends[at]..]].concat()).expect("write");
        assert!(
            run(&names, b"").ok() == expected,
            "cut behind packet {}",
            at + 1
        );
    }
}

#[test]
fn byte_orders_and_the_modified_header_are_read() {
    let little = common::read(&common::testdata("http-keepalive.pcap"));
    let expected = messages(&little);
    let word = |at: usize| u32::from_le_bytes(little[at..at + 4].try_into().expect("4 octets"));
    let (mut big, mut modified) = (Vec::new(), Vec::new());
    big.extend(word(0).to_be_bytes());
    big.extend([0, 2, 0, 4]);
    for at in [8, 12, 16, 20] {
        big.extend(word(at).to_be_bytes());
    }
    modified.extend(0xA1B2_CD34_u32.to_le_bytes());
    modified.extend(&little[4..24]);
    let mut at = 24;
    while at < little.len() {
        let end = at + 16 + word(at + 8) as usize;
        for field in 0..4 {
            big.extend(word(at + field * 4).to_be_bytes());
        }
        big.extend(&little[at + 16..end]);
        modified.extend(&little[at..at + 16]);
        modified.extend([2, 0, 0, 0, 8, 0, 0, 0]); // interface index, protocol, packet type, padding
        modified.extend(&little[at + 16..end]);
        at = end;
    }
    assert!(messages(&big) == expected, "big-endian");
    assert!(messages(&modified) == expected, "modified header");
}

#[test]
fn a_short_packet_timeout_changes_nothing_of_a_clean_capture() {
    for capture in CAPTURES.iter().filter(|c| c.clean) {
        let octets = capture.octets();
        let found = run(["--tcp-packet-timeout", "10ms"], &octets).ok();
        same(
            capture,
            "--tcp-packet-timeout 10ms",
            &found,
            &messages(&octets),
        );
    }
}

#[test]
fn a_snapshot_length_leaves_what_was_captured() {
    let output = messages(&common::read(&common::testdata("http-snapped.pcap")));
    let segments = common::segments(&output);
    assert_eq!(segments.len(), 2);
    assert!(contains(&segments[0].payload, b"GET /medium.txt"));
    // 600 octets of Ethernet, IPv4 and TCP with time stamps leave 534.
    assert_eq!(segments[1].payload.len(), 534);
    assert!(segments[1].payload_len > 3000);
}
