//! `--dump` beside tcpflow, over the captures that lie beside the repository, and under a limit of open files.

use crate::common::build::{ACK, PSH, Pcap, SYN};
use crate::common::{self, CAPTURES, feed, inet_asm, shared_captures, testdata, tshark};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// Why tcpflow's files differ from ours.
enum Why {
    /// It takes the padding of short frames as data. Without the padding both are the same.
    Padding,
    /// Another reason, and so many files differ. What stands in them is held against another reference in `shared.rs`.
    Other(usize, &'static str),
}
use Why::{Other, Padding};

/// Captures for which the files are not the same. All others have to be.
const EXCEPTIONS: &[(&str, Why)] = &[
    ("ICS-Security-Tools--dnp3_test_data_part1.pcap", Padding),
    (
        "PcapPlusPlus--doipPackets.pcapng",
        Other(
            4,
            "copies of an octet differ: tcpflow keeps the last, the rule here is the first",
        ),
    ),
    ("PcapPlusPlus--one_tcp_stream_max_seq.pcap", Padding),
    (
        "PcapPlusPlus--unidirectional_tcp_stream_with_missing_packet.pcap",
        Padding,
    ),
    ("TracePcap--ftp.pcap", Padding),
    ("arkime--imap.pcap", Padding),
    ("arkime--socks5-smtp-503.pcap", Padding),
    ("nDPI--h323.pcap", Padding),
    (
        "nDPI--heuristic_tcp_ack_payload.pcap",
        Other(
            29,
            "bare acknowledgments carry two or six zero octets inside their IP length that differ from the data; \
             SYNs are repeated",
        ),
    ),
    (
        "nDPI--rtsp.pcap",
        Other(
            17,
            "padding inside a cooked capture's frames, which tcpflow takes as data",
        ),
    ),
    ("nDPI--smpp_in_general.pcap", Padding),
    (
        "open5gs--5g-roaming-lbo.pcapng",
        Other(
            11,
            "padding inside a cooked capture's frames, which tcpflow takes as data",
        ),
    ),
    (
        "open5gs--ipsec_reg.pcapng",
        Other(
            2,
            "TCP inside NULL-encrypted ESP and fragments, which tcpflow does not open",
        ),
    ),
    (
        "open5gs--nonipsec_to_ipsec_call.pcapng",
        Other(
            1,
            "TCP inside NULL-encrypted ESP and fragments, which tcpflow does not open",
        ),
    ),
    ("protolens--ftp_pasv.pcap", Padding),
    (
        "protolens--pop3.pcap",
        Other(
            3,
            "a retransmission differs from what it repeats: tcpflow keeps the last",
        ),
    ),
    (
        "suricata-verify--tcp-overlap.pcap",
        Other(
            2,
            "a retransmission differs from what it repeats: tcpflow keeps the last",
        ),
    ),
    ("zeek--100-continue.pcap", Padding),
    ("zeek--206_example_b.pcap", Padding),
    (
        "zeek--383379789-decrypt-crash.pcap",
        Other(
            1,
            "one made-up segment, from port 0 and longer than what was captured: tcpflow leaves it out",
        ),
    ),
    ("zeek--content-range-gap.pcap", Padding),
    (
        "zeek--ipv6-http-atomic-frag.pcap",
        Other(4, "atomic fragments of IPv6, which tcpflow leaves out"),
    ),
    (
        "zeek--modbus-and-non-modbus-p502.pcap",
        Other(
            11,
            "a segment behind a RST, of numbers that the connection does not know",
        ),
    ),
    ("zeek--pipelined-requests.pcap", Padding),
    ("zeek--rdp-x509.pcap", Padding),
    (
        "zeek--reassembly.pcap",
        Other(2, "made of conflicting overlaps"),
    ),
    ("zeek--rst-inject-rae.pcap", Padding),
];

/// Files by name: what stands in them, and nothing of what is only ours (UDP, SCTP, indexes of gaps) or only theirs.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    common::files(dir)
        .into_iter()
        .filter(|(name, _)| {
            ![".udp", ".sctp", ".gaps", ".xml", ".txt"]
                .iter()
                .any(|end| name.ends_with(end))
        })
        .collect()
}

fn ours(capture: &Path) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().expect("tempdir");
    let args = [
        "--dump".as_ref(),
        dir.path().as_os_str(),
        capture.as_os_str(),
    ];
    feed(&mut inet_asm(args), &[]);
    files(dir.path())
}

/// The files of tcpflow; none where it cannot read the link type.
fn theirs(capture: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut tcpflow = Command::new("tcpflow");
    tcpflow.args(["-q", "-o"]).arg(dir.path());
    let done = feed(tcpflow.arg("-r").arg(capture), &[]);
    let refuses = ["unknown datalink type", "has a type"];
    if refuses.iter().any(|words| done.stderr.contains(words)) {
        return None;
    }
    Some(files(dir.path()))
}

/// The capture as pcap, its Ethernet frames cut behind the IP packet.
fn without_padding(capture: &Path) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join("as.pcap");
    let to = file.to_str().expect("UTF-8");
    tshark(["-F", "pcap", "-w", to], &common::read(capture));
    let file = common::read(&file);
    let (link, records) = common::pcap(&file);
    let mut out = file[..24].to_vec();
    for record in records {
        let begin = record.end - record.data.len() - 16;
        let data = record.data;
        let mut at = 12;
        while matches!(data.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8])) {
            at += 4;
        }
        let number = |at: usize| usize::from(data[at]) << 8 | usize::from(data[at + 1]);
        let end = match data.get(at..at + 2) {
            Some([8, 0]) if data.len() > at + 22 => at + 2 + number(at + 4),
            Some([0x86, 0xdd]) if data.len() > at + 42 => at + 42 + number(at + 6),
            _ => data.len(),
        };
        let end = if link == 1 {
            end.min(data.len())
        } else {
            data.len()
        };
        out.extend(&file[begin..begin + 8]);
        let cut = u32::try_from(end).expect("a record's length").to_le_bytes();
        out.extend(cut);
        if end < data.len() {
            out.extend(cut);
        } else {
            out.extend(&file[begin + 12..begin + 16]);
        }
        out.extend(&data[..end]);
    }
    out
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn the_files_of_every_capture_are_those_of_tcpflow() {
    let all = shared_captures();
    let mut wrong = Vec::new();
    for capture in all {
        let name = capture
            .file_name()
            .expect("name")
            .to_string_lossy()
            .into_owned();
        let Some(expected) = theirs(&capture) else {
            println!("{name}: tcpflow cannot read its link type");
            continue;
        };
        let found = ours(&capture);
        let exception = EXCEPTIONS.iter().find(|(n, _)| *n == name);
        match exception {
            None if found == expected => {}
            None => wrong.push(format!("{name}: {:?}", differing(&found, &expected))),
            Some(_) if found == expected => wrong.push(format!("{name}: is no exception")),
            Some((_, Other(files, why))) => {
                let differing = differing(&found, &expected);
                if differing.len() != *files {
                    wrong.push(format!(
                        "{name}, {why}: {} files, {differing:?}",
                        differing.len()
                    ));
                }
            }
            Some((_, Padding)) => {
                let dir = tempfile::tempdir().expect("tempdir");
                let trimmed = dir.path().join("trimmed.pcap");
                std::fs::write(&trimmed, without_padding(&capture)).expect("write");
                let expected = theirs(&trimmed).expect("readable");
                if found != expected {
                    wrong.push(format!(
                        "{name}, without padding: {:?}",
                        differing(&found, &expected)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Names whose files are not the same.
fn differing(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    a.keys()
        .chain(b.keys())
        .filter(|name| a.get(*name) != b.get(*name))
        .cloned()
        .collect()
}

/// 5,000 connections at once, each with octets in both directions, twice: every octet of every stream is there.
#[test]
fn ten_thousand_streams_under_32_open_files() {
    let mut capture = Pcap::new();
    let server = (Ipv4Addr::new(203, 0, 113, 80), 80);
    let client = |n: u32| (Ipv4Addr::from(0x0A00_0000 + n), 40000);
    let ask = |n: u32, part: u32| format!("ask {n} {part};");
    let answer = |n: u32, part: u32| format!("answer {n} {part};");
    for n in 0..5000 {
        for (from, to, seq, ack, flags) in [
            (client(n), server, 99, 0, SYN),
            (server, client(n), 199, 100, SYN | ACK),
        ] {
            let packet = capture.segment(from, to, seq, ack, flags, b"");
            capture.now -= 990;
            capture.packet(&packet);
        }
    }
    for part in 0..2 {
        for n in 0..5000 {
            let (a, b) = (ask(n, part), answer(n, part));
            let at = |text: &str| u32::try_from(text.len()).expect("short") * part;
            let packets = [
                capture.segment(
                    client(n),
                    server,
                    100 + at(&a),
                    200,
                    PSH | ACK,
                    a.as_bytes(),
                ),
                capture.segment(
                    server,
                    client(n),
                    200 + at(&b),
                    100,
                    PSH | ACK,
                    b.as_bytes(),
                ),
            ];
            for packet in packets {
                capture.now -= 990;
                capture.packet(&packet);
            }
        }
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 32 && exec \"$0\" --dump \"$1\" -q -"]);
    limited.arg(env!("CARGO_BIN_EXE_inet-asm")).arg(dir.path());
    feed(&mut limited, &[&capture.file]).code(0);
    let found: BTreeMap<_, _> = common::files(dir.path()).into_iter().collect();
    assert_eq!(found.len(), 10_000);
    for n in 0..5000 {
        let [_, b, c, d] = client(n).0.octets();
        let client = format!("010.{b:03}.{c:03}.{d:03}.40000");
        let server = "203.000.113.080.00080";
        for (name, octets) in [
            (format!("{client}-{server}"), ask(n, 0) + &ask(n, 1)),
            (format!("{server}-{client}"), answer(n, 0) + &answer(n, 1)),
        ] {
            assert!(
                found.get(&name).is_some_and(|f| f == octets.as_bytes()),
                "{name}"
            );
        }
    }
}

/// Every code of tcpflow's that means the same here (`%#` does not: both directions share it).
#[test]
fn templates_name_files_as_tcpflow_does() {
    for capture in CAPTURES
        .iter()
        .filter(|c| c.tcpflow_reads() && c.name != "mixed.pcapng")
    {
        for template in [
            "%A.%a-%B.%b-%T-%t-%N-%K-%M-%G-%%",
            "%E-%e-%a%V%v%C%c",
            "%A.%a.%B.%b.%c%N.flow",
        ] {
            // Of cooked captures tcpflow takes other octets for link addresses.
            if template.contains("%E") && capture.name.contains("cooked") {
                continue;
            }
            let (ours, theirs) = (tempfile::tempdir(), tempfile::tempdir());
            let (ours, theirs) = (ours.expect("tempdir"), theirs.expect("tempdir"));
            let mut program = inet_asm(["--dump-name", template, "--dump"]);
            feed(program.arg(ours.path()).arg(capture.path()), &[]).code(0);
            let mut tcpflow = Command::new("tcpflow");
            tcpflow.args(["-q", "-T", template, "-o"]);
            tcpflow.arg(theirs.path()).arg("-r").arg(capture.path());
            feed(&mut tcpflow, &[]).code(0);
            let (found, expected) = (files(ours.path()), files(theirs.path()));
            let names =
                |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&found), names(&expected), "{}", capture.name);
            assert!(found == expected, "{}: octets differ", capture.name);
        }
    }
}

/// A datagram from a client to port 9.
fn datagram(capture: &mut Pcap, from: Ipv4Addr, payload: &str) {
    let len = u16::try_from(8 + payload.len()).expect("short");
    let mut octets = [
        40000u16.to_be_bytes(),
        9u16.to_be_bytes(),
        len.to_be_bytes(),
    ]
    .concat();
    octets.extend([0, 0]);
    octets.extend(payload.as_bytes());
    let packet = capture.ip(from, Ipv4Addr::new(203, 0, 113, 80), 17, &octets);
    capture.packet(&packet);
}

/// 500 flows of datagrams, three times each with seconds between: their files are opened again under their first names.
#[test]
fn datagram_files_are_opened_again_under_their_names() {
    let mut capture = Pcap::new();
    let client = |n: u32| Ipv4Addr::from(0x0A00_0000 + n);
    for part in 0..3 {
        for n in 0..500 {
            datagram(&mut capture, client(n), &format!("{n} {part};"));
        }
        capture.wait(3000);
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let mut limited = Command::new("sh");
    limited.args([
        "-c",
        "ulimit -n 32 && exec \"$0\" --dump-name '%T-%A' --dump \"$1\" -",
    ]);
    limited.arg(env!("CARGO_BIN_EXE_inet-asm")).arg(dir.path());
    feed(&mut limited, &[&capture.file]).code(0);
    let found = common::files(dir.path());
    assert_eq!(found.len(), 500);
    for n in 0..500 {
        let [_, _, c, d] = client(n).octets();
        let name = format!("-010.000.{c:03}.{d:03}.udp");
        let file = found.iter().find(|f| f.0.ends_with(&name));
        let octets = format!("{n} 0;{n} 1;{n} 2;").into_bytes();
        assert_eq!(file.map(|f| &f.1), Some(&octets), "{name}");
    }
}

/// `--dump -` writes the octets of the files, of what is chosen only.
#[test]
fn one_stream_goes_to_stdout() {
    let capture = testdata("http-keepalive.pcap");
    let dir = tempfile::tempdir().expect("tempdir");
    let mut program = inet_asm(["--dump"]);
    feed(program.arg(dir.path()).arg(&capture), &[]).code(0);
    let files = files(dir.path());
    assert!(!files.is_empty());
    for (name, octets) in &files {
        // 192.000.002.002.40000-192.000.002.001.00080
        let end = |text: &str| {
            let parts: Vec<u16> = text
                .split('.')
                .map(|p| p.parse().expect("a number"))
                .collect();
            let [a, b, c, d, port] = parts[..] else {
                panic!("{text}");
            };
            format!("{a}.{b}.{c}.{d}:{port}")
        };
        let (src, dst) = name.split_once('-').expect("two ends");
        let rule = format!("{}-{}", end(src), end(dst));
        let mut program = inet_asm(["--dump", "-", "--connection", &rule]);
        let written = feed(program.arg(&capture), &[]).ok();
        assert!(written == *octets, "{rule}");
    }
}

/// Datagrams are no part of a connection that a number chooses.
#[test]
fn datagrams_go_to_stdout_by_their_ends() {
    let mut capture = Pcap::new();
    capture.open(100, 200);
    datagram(&mut capture, Ipv4Addr::new(10, 0, 0, 1), "one,");
    capture.client(101, 201, PSH | ACK, b"octets");
    datagram(&mut capture, Ipv4Addr::new(10, 0, 0, 1), "two");
    for (rule, expected) in [
        ("10.0.0.1:40000-203.0.113.80:9", &b"one,two"[..]),
        ("203.0.113.80:9-10.0.0.1:40000", b""),
        ("0", b"octets"),
        ("1", b""),
    ] {
        let mut program = inet_asm(["--dump", "-", "--connection", rule]);
        let written = feed(&mut program, &[&capture.file]).ok();
        assert_eq!(
            written.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{rule}"
        );
    }
}
