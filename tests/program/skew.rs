//! Two taps, or two cards, whose clocks differ: one direction is captured earlier or later than the other, so that
//! acknowledgments, FIN and RST stand before what they speak of. Where a capture lacks nothing, nothing is lost by that.

use crate::common::build::{ACK, FIN, PSH, behind};
use crate::common::{self, pcap, read, run, testdata};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Milliseconds that one direction is late.
const SKEWS: [i64; 6] = [2, -2, 50, -50, 500, -500];

/// Addresses and ports of a packet, of Ethernet or raw IPv4 or IPv6: (source, destination).
fn ends(link: u32, data: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut at = match link {
        1 => 12,
        101 => 0,
        113 => 14,
        _ => return None,
    };
    if link != 101 {
        while matches!(data.get(at..at + 2)?, [0x81, 0] | [0x88, 0xa8]) {
            at += 4;
        }
        at += 2;
    }
    let ip = data.get(at..)?;
    let (src, dst, ports) = match ip.first()? >> 4 {
        4 => (12..16, 16..20, usize::from(ip[0] & 15) * 4),
        6 => (8..24, 24..40, 40),
        _ => return None,
    };
    let ports = ip.get(ports..ports + 4)?;
    let end =
        |address: std::ops::Range<usize>, port: &[u8]| Some([ip.get(address)?, port].concat());
    Some((end(src, &ports[..2])?, end(dst, &ports[2..])?))
}

/// The capture with the packets of one direction of each connection later by so many milliseconds, in the order of time.
fn skewed(file: &[u8], by: i64) -> Vec<u8> {
    let (link, records) = pcap(file);
    let mut moved: Vec<_> = records
        .iter()
        .map(|record| {
            let late = ends(link, record.data).is_some_and(|(src, dst)| src < dst);
            // All later by a second, so that none is earlier than the epoch.
            let shift = 1_000_000_000 + if late { by * 1_000_000 } else { 0 };
            (record.time.wrapping_add_signed(shift), record)
        })
        .collect();
    moved.sort_by_key(|(time, _)| *time);
    let mut out = file[..24].to_vec();
    // Nanoseconds, as the file may have had them.
    out[..4].copy_from_slice(&0xA1B2_3C4D_u32.to_le_bytes());
    for (time, record) in moved {
        let len = u32::try_from(record.data.len()).expect("a record");
        for word in [
            u32::try_from(time / 1_000_000_000).expect("until 2106"),
            u32::try_from(time % 1_000_000_000).expect("nanoseconds"),
            len,
            record.original,
        ] {
            out.extend(word.to_le_bytes());
        }
        out.extend(record.data);
    }
    out
}

/// The value of a field in a line of JSON, as it stands there.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let Some(at) = line.find(&format!("\"{name}\":")) else {
        return "";
    };
    let value = &line[at + name.len() + 3..];
    let end = if let Some(text) = value.strip_prefix('"') {
        text.find('"').map_or(value.len(), |end| end + 2)
    } else {
        value.find([',', '}']).unwrap_or(value.len())
    };
    &value[..end]
}

/// What came out: the messages of known protocols, how often each, and the counters.
fn result(file: &[u8]) -> (BTreeMap<String, usize>, String) {
    let lines = run(["--json=-", "--hash"], file);
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    let mut found = BTreeMap::new();
    for line in lines.lines() {
        let part = |name| field(line, name);
        // Octets of no known protocol are cut where the direction changes, which is another place now. Which protocol a
        // datagram has may hang on the one before it.
        let streams = part("transport") != "\"udp\"";
        if part("type") == "\"message\"" && part("protocol") != "\"data\"" && streams {
            let names = [
                "transport",
                "src",
                "src_port",
                "dst",
                "dst_port",
                "protocol",
                "kind",
                "sha256",
                "whole",
            ];
            let key: Vec<_> = names.into_iter().map(part).collect();
            *found.entry(key.join(" ")).or_default() += 1;
        }
    }
    let stats = run(["-n", "--stats"], file);
    (found, stats.stderr)
}

fn captures() -> Vec<PathBuf> {
    let own = std::fs::read_dir(testdata("")).expect("testdata");
    let mut paths: Vec<_> = own.map(|entry| entry.expect("entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "pcap"));
    paths.sort();
    paths
}

/// Nothing is missing in the capture, and nothing began before it.
fn lacks_nothing(stats: &str) -> bool {
    [
        "input.cut_short",
        "tcp.lost_octets",
        "tcp.midstream",
        "sctp.lost_tsns",
        "sctp.midstream",
        "tcp.damaged",
    ]
    .into_iter()
    .all(|name| common::find_counter(stats, name).unwrap_or(0) == 0)
}

fn same(path: &Path, file: &[u8]) -> bool {
    let little = matches!(
        file.get(..4),
        Some([0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1])
    );
    if !little || file.len() > 3_000_000 {
        return false;
    }
    let (expected, stats) = result(file);
    if !lacks_nothing(&stats) {
        return false;
    }
    for by in SKEWS {
        let file = skewed(file, by);
        let (found, stats) = result(&file);
        let name = format!("{}, {by} ms", path.display());
        for (key, n) in &expected {
            assert_eq!(found.get(key), Some(n), "{name}: {key}");
        }
        for name_of in ["tcp.lost_octets", "tcp.late", "sctp.lost_tsns", "sctp.late"] {
            let n = common::find_counter(&stats, name_of).unwrap_or(0);
            assert_eq!(n, 0, "{name}: {name_of}");
        }
    }
    true
}

#[test]
fn clocks_that_differ_lose_nothing() {
    let looked_at = captures()
        .iter()
        .filter(|path| same(path, &read(path)))
        .count();
    assert!(looked_at > 20, "{looked_at} captures lack nothing");
}

/// An answer of HTTP/0.9 is known by its request alone, which is captured behind it; and a request whose version is glued to its
/// target is one whether or not the answer was captured ahead.
#[test]
fn what_the_other_side_says_later_is_waited_for() {
    for (request, answer) in [
        (&b"GET /\r\n"[..], &b"an answer without a header\n"[..]),
        (
            b"HEAD /HTTP/1.1\r\nHost: a.example\r\n\r\n",
            b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/html\r\n\r\n",
        ),
    ] {
        let (c, s) = (101, 201);
        let mut pcap = common::build::Pcap::new();
        pcap.open(c - 1, s - 1);
        pcap.client(c, s, ACK | PSH, request);
        let behind_request = behind(c, request);
        pcap.server(s, behind_request, ACK | PSH, answer);
        let behind_answer = behind(s, answer);
        pcap.server(behind_answer, behind_request, ACK | FIN, b"");
        pcap.client(behind_request, behind_answer + 1, ACK | FIN, b"");
        let (expected, _) = result(&pcap.file);
        assert_eq!(expected.len(), 2, "{expected:?}");
        for by in SKEWS {
            assert_eq!(result(&skewed(&pcap.file, by)).0, expected, "{by} ms");
        }
    }
}
