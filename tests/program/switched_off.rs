//! Transports that are switched off (`--disable`): another run goes on where the first left off, and gives what one run
//! gives.

use crate::common::{self, CAPTURES, find_counter, inet_asm, run, testdata};
use std::ffi::OsStr;
use std::path::Path;

/// What one run makes of a capture, and what two runs make of it, the first without these transports.
fn compare(path: &Path, transports: &str) {
    let whole = run([path], b"");
    let arguments: [&OsStr; 3] = ["--disable".as_ref(), transports.as_ref(), path.as_ref()];
    let first = run(arguments, b"");
    assert_eq!(
        first.status.code(),
        whole.status.code(),
        "{}",
        path.display()
    );
    let second = run::<&str>([], &first.stdout);
    assert!(
        second.stdout == whole.stdout,
        "{} without {transports}: {} and {} octets",
        path.display(),
        second.stdout.len(),
        whole.stdout.len()
    );
}

#[test]
fn another_run_goes_on() {
    for c in CAPTURES {
        for transports in ["tcp", "tcp,udp", "tcp,udp,sctp"] {
            compare(&testdata(c.name), transports);
        }
    }
    compare(&testdata("dns-udp.pcap"), "udp");
    for name in ["fragments", "interleaved", "large", "lost", "multihomed"] {
        compare(&testdata(&format!("sctp-{name}.pcap")), "sctp");
    }
}

/// One transport among several: what the first run has put together itself is the same to the second one.
#[test]
fn another_run_finds_the_messages_of_the_others() {
    for name in [
        "mixed.pcapng",
        "http-keepalive.pcap",
        "http-ipv6.pcap",
        "http-reordered.pcap",
    ] {
        let path = testdata(name).display().to_string();
        for transports in ["udp", "sctp", "udp,sctp"] {
            let first = run(["--disable", transports, &path], b"");
            first.code(0);
            // How long an answer took is known from its first packet, which is its only one the second time.
            let lines = |text: String| -> Vec<String> {
                let untimed = |line: &str| match line.rsplit_once(" (") {
                    Some((line, time)) if time.ends_with("s)") => line.to_owned(),
                    _ => line.to_owned(),
                };
                text.lines().map(untimed).collect()
            };
            let whole = lines(run(["-p", &path], b"").printed());
            let second = lines(run(["-p"], &first.stdout).printed());
            assert!(whole.len() > 3, "{name}: {whole:?}");
            assert_eq!(second, whole, "{name} without {transports}");
        }
    }
}

#[test]
fn another_run_goes_on_behind_exported_pdus() {
    for name in [
        "http-keepalive.pcap",
        "http-ipv6.pcap",
        "dns-udp.pcap",
        "fragments-v4.pcap",
        "http-snapped.pcap",
    ] {
        let path = testdata(name).display().to_string();
        let whole = run(["--encap", "raw", &path], b"");
        let first = run(["--disable", "tcp,udp", "--encap", "pdu", &path], b"");
        assert_eq!(common::pcap(&first.stdout).0, 252, "{name}");
        let second = run(["--encap", "raw"], &first.stdout);
        assert!(second.stdout == whole.stdout, "{name}");
    }
}

/// A record of LINKTYPE_WIRESHARK_UPPER_PDU with a transport packet and its pseudo header.
fn pdu(protocol: &str, packet: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut tag = |kind: u16, value: &[u8]| {
        out.extend(kind.to_be_bytes());
        out.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
        out.extend(value);
    };
    let mut name = protocol.as_bytes().to_vec();
    name.resize(4, 0);
    tag(12, &name);
    tag(20, &packet[12..16]);
    tag(21, &packet[16..20]);
    tag(0, &[]);
    out.extend(&packet[20..]);
    out
}

#[test]
fn transport_packets_with_a_pseudo_header_are_input() {
    for (name, protocol) in [
        ("http-keepalive.pcap", "tcp"),
        ("dns-udp.pcap", "udp"),
        ("sctp-m3ua.pcap", "sctp"),
    ] {
        let path = testdata(name).display().to_string();
        let bare = run(["--disable", "tcp,udp,sctp", "--encap", "raw", &path], b"").stdout;
        let (_, records) = common::pcap(&bare);
        let mut input = bare[..20].to_vec();
        input.extend(252_u32.to_le_bytes());
        let mut at = 24;
        for record in records {
            let packet = pdu(protocol, record.data);
            let len = u32::try_from(packet.len()).expect("fits").to_le_bytes();
            input.extend(&bare[at..at + 8]);
            input.extend([len, len].concat());
            input.extend(packet);
            at = record.end;
        }
        let expected = run(["--encap", "raw", &path], b"").stdout;
        let found = run(["--encap", "raw"], &input).stdout;
        assert!(found == expected, "{name}");
        assert!(found.len() > 24, "{name}");
    }
}

#[test]
fn what_is_switched_off_is_counted() {
    let done = common::feed(
        inet_asm(["-s", "--disable", "tcp,udp"]).arg(testdata("http-keepalive.pcap")),
        &[],
    );
    let count = |name: &str| find_counter(&done.stderr, name).unwrap_or(0);
    assert_eq!(count("tcp.disabled"), count("ipv4.passed"));
    assert_eq!(count("tcp.segments"), 0);
    assert_eq!(count("output.packets"), count("tcp.disabled"));
    assert_eq!(count("message.messages"), 0);
}
