//! `--dump` beside tcpflow, over the captures that lie beside the repository, and under a limit of open files.

mod common;

use common::build::{ACK, PSH, Pcap, SYN};
use common::{feed, inet_asm, tshark};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Why tcpflow's files differ from ours.
enum Why {
    /// It takes the padding of short frames as data. Without the padding both are the same.
    Padding,
    /// Another reason.
    Other(&'static str),
}
use Why::{Other, Padding};

/// Captures for which the files are not the same. All others have to be.
const EXCEPTIONS: &[(&str, Why)] = &[
    ("ICS-Security-Tools--dnp3_test_data_part1.pcap", Padding),
    (
        "PcapPlusPlus--doipPackets.pcapng",
        Other("copies of an octet differ: tcpflow keeps the last, the rule here is the first"),
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
            "bare acknowledgments carry two or six zero octets inside their IP length that differ from the data; \
             SYNs are repeated",
        ),
    ),
    (
        "nDPI--rtsp.pcap",
        Other("padding inside a cooked capture's frames, which tcpflow takes as data"),
    ),
    ("nDPI--smpp_in_general.pcap", Padding),
    (
        "open5gs--5g-roaming-lbo.pcapng",
        Other("padding inside a cooked capture's frames, which tcpflow takes as data"),
    ),
    (
        "open5gs--ipsec_reg.pcapng",
        Other("TCP inside NULL-encrypted ESP and fragments, which tcpflow does not open"),
    ),
    (
        "open5gs--nonipsec_to_ipsec_call.pcapng",
        Other("TCP inside NULL-encrypted ESP and fragments, which tcpflow does not open"),
    ),
    ("protolens--ftp_pasv.pcap", Padding),
    (
        "protolens--pop3.pcap",
        Other("a retransmission differs from what it repeats: tcpflow keeps the last"),
    ),
    (
        "suricata-verify--tcp-overlap.pcap",
        Other("a retransmission differs from what it repeats: tcpflow keeps the last"),
    ),
    ("zeek--100-continue.pcap", Padding),
    ("zeek--206_example_b.pcap", Padding),
    (
        "zeek--383379789-decrypt-crash.pcap",
        Other(
            "one made-up segment, from port 0 and longer than what was captured: tcpflow leaves it out",
        ),
    ),
    ("zeek--content-range-gap.pcap", Padding),
    (
        "zeek--ipv6-http-atomic-frag.pcap",
        Other("atomic fragments of IPv6, which tcpflow leaves out"),
    ),
    (
        "zeek--modbus-and-non-modbus-p502.pcap",
        Other("a segment behind a RST, of numbers that the connection does not know"),
    ),
    ("zeek--pipelined-requests.pcap", Padding),
    ("zeek--rdp-x509.pcap", Padding),
    (
        "zeek--reassembly.pcap",
        Other("made of conflicting overlaps"),
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
fn the_files_of_every_capture_are_those_of_tcpflow() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    if !dir.is_dir() {
        println!("skipped: {} is not there", dir.display());
        return;
    }
    let mut all: Vec<_> = std::fs::read_dir(&dir)
        .expect("read_dir")
        .map(|entry| entry.expect("entry").path())
        .filter(|p| !p.to_string_lossy().ends_with(".md") && !p.to_string_lossy().ends_with(".tsv"))
        .collect();
    all.sort();
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
            Some((_, Other(why))) => println!("{name}: {why}"),
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
    let server = (std::net::Ipv4Addr::new(203, 0, 113, 80), 80);
    let client = |n: u32| (std::net::Ipv4Addr::from(0x0A00_0000 + n), 40000);
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
