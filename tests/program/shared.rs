//! Captures of many programs, protocols and link layers, which lie beside the repository where somebody has put them
//! there (`../shared/captures`): nothing in them makes the program fail, and what it writes is right.

use crate::common::{self, TAKE_SUMS, feed, fields, find_counter, inet_asm, run, shared_captures};
use std::path::Path;
use std::process::Command;

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn every_capture_is_processed_and_the_counters_balance() {
    for path in shared_captures() {
        let done = run(["-n".as_ref(), "-s".as_ref(), path.as_os_str()], b"");
        let at = format!("{}:\n{}", path.display(), done.stderr);
        // A damaged one ends with 2 and says where.
        match done.status.code() {
            Some(0) => {}
            Some(2) => assert!(done.stderr.contains("damaged at offset"), "{at}"),
            _ => panic!("{at}"),
        }
        let sum = |names: &[&str]| -> u64 {
            names
                .iter()
                .map(|name| find_counter(&done.stderr, name).unwrap_or(0))
                .sum()
        };
        for (left, right) in [
            (&["input.packets"][..], &["link.packets"][..]),
            (
                &["tcp.octets"],
                &[
                    "tcp.accepted_octets",
                    "tcp.duplicate_octets",
                    "tcp.refused_octets",
                ],
            ),
            (
                &["tcp.accepted_octets"],
                &["tcp.delivered_octets", "tcp.abandoned_octets"],
            ),
            (
                &["message.messages"],
                &["message.whole", "message.incomplete"],
            ),
        ] {
            assert_eq!(sum(left), sum(right), "{left:?} = {right:?}: {at}");
        }
    }
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn the_output_of_every_capture_has_right_lengths_and_checksums() {
    let names = [
        "frame.len",
        "frame.cap_len",
        "ip.checksum.status",
        "tcp.checksum.status",
        "udp.checksum.status",
        "ip.len",
        "ip.flags.mf",
    ];
    for path in common::third(shared_captures(), 1) {
        let output = run(["--encap".as_ref(), "raw".as_ref(), path.as_os_str()], b"").stdout;
        for (number, row) in fields("ip", &names, &TAKE_SUMS, &output).iter().enumerate() {
            if row[0] != row[1] {
                continue; // cut where octets are missing
            }
            let at = format!("{}, packet {}: {row:?}", path.display(), number + 1);
            // What a tunnel carries stands behind the first value, as it was captured.
            let outer = |value: &str| value.split(',').next().unwrap_or_default().to_owned();
            assert_eq!(outer(&row[5]), row[0], "IP length: {at}");
            for sum in &row[2..5] {
                assert!(
                    !matches!(outer(sum).as_str(), "0" | "Bad"),
                    "checksum: {at}"
                );
            }
        }
    }
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn every_capture_gives_the_same_in_small_pieces() {
    for path in shared_captures() {
        let octets = common::read(&path);
        if octets.len() > 300_000 {
            continue;
        }
        let expected = run([&path], b"").stdout;
        let parts: Vec<&[u8]> = octets.chunks(11).collect();
        let found = feed(&mut inet_asm::<&str>([]), &parts).stdout;
        assert!(found == expected, "{}", path.display());
    }
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn every_capture_cut_anywhere_ends_well() {
    for path in shared_captures() {
        let octets = common::read(&path);
        for n in (0..octets.len()).step_by(octets.len() / 8 + 1).skip(1) {
            let done = run::<&str>([], &octets[..n]);
            assert!(
                done.status.code() == Some(0)
                    || done.stderr.contains("damaged at offset")
                    || done.stderr.contains("ends inside its file header"),
                "head -c {n} {}: {}",
                path.display(),
                done.stderr
            );
        }
    }
}

/// Captures taken on a sending host, or rewritten: no sum in them is right, and none of them may cost an octet.
#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn captures_without_a_right_sum_lose_nothing() {
    let names = [
        "arkime--bt-tcp",
        "arkime--http-100-continue",
        "arkime--socks5-smtp-503",
        "arkime--tds5",
    ];
    for path in shared_captures() {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if !names.contains(&name.as_str()) {
            continue;
        }
        let done = run(["-n", "-s"], &common::read(&path));
        let counter = |counter| common::counter(&done.stderr, counter);
        assert_eq!(
            counter("tcp.bad_checksum"),
            counter("tcp.segments"),
            "{name}"
        );
        assert_eq!(
            counter("tcp.lost_octets") + counter("tcp.refused_octets"),
            0,
            "{name}"
        );
        assert!(counter("tcp.delivered_octets") > 0, "{name}");
    }
}

const PADDING: &str =
    "acknowledgments have padding as payload; what of it lies past the FIN is dropped";

/// What differs from the reference beside the captures, and why: (capture, what, reason). The reference itself doubts each of them.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "filesamples--teardrop.pcap",
        "udp: 2 of 3 datagrams",
        "a first fragment of 36 octets is misaligned and dropped; tshark lets the second one overlap it",
    ),
    (
        "nDPI--heuristic_tcp_ack_payload.pcap",
        "tcp 194.226.199.21:58155 ba ",
        PADDING,
    ),
    (
        "nDPI--heuristic_tcp_ack_payload.pcap",
        "tcp 194.226.199.226:34101 ab ",
        PADDING,
    ),
    (
        "nDPI--heuristic_tcp_ack_payload.pcap",
        "tcp 194.226.199.61:27453 ab ",
        PADDING,
    ),
    (
        "nDPI--heuristic_tcp_ack_payload.pcap",
        "tcp 194.226.199.61:27453 ba ",
        PADDING,
    ),
    (
        "nDPI--heuristic_tcp_ack_payload.pcap",
        "tcp 194.226.199.103:62580 ab ",
        PADDING,
    ),
    (
        "tcpdump--babel_update_oobr.pcap",
        "udp: 85 of 99 datagrams",
        "the UDP length of 14 is larger than the IP payload; tshark takes the octets that are there",
    ),
    (
        "zeek--383379789-decrypt-crash.pcap",
        "udp: 0 of 4 datagrams",
        "fuzzed: two have an impossible UDP length, and behind the other two's end tshark takes the rest of the frame",
    ),
    (
        "zeek--fragmented-1.pcap",
        "udp: 0 of 1 datagrams",
        "misaligned fragments that contradict the end of their datagram",
    ),
    (
        "open5gs--ipsec_reg.pcapng",
        "udp: 298 of 332 datagrams",
        "copies of a datagram inside and outside of tunnels are one",
    ),
    (
        "open5gs--nonipsec_to_ipsec_call.pcapng",
        "udp: 2709 of 4417 datagrams",
        "copies of a datagram inside and outside of tunnels are one",
    ),
    (
        "zeek--reassembly.pcap",
        "tcp 63.193.213.194:2564 ab ",
        "overlaps with other content in segments that the snapshot length cut, some of them damaged copies",
    ),
];

/// Every datagram and every direction of a connection is that of the reference, but for those that are named above.
#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn datagrams_and_streams_are_those_of_the_reference() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let compare = shared.join("tools/compare.py");
    let mut command = Command::new("python3");
    command.arg(compare).args(["-v", "--only", "udp,tcp"]);
    command.args(["--bin", env!("CARGO_BIN_EXE_inet-asm")]);
    command.args([shared.join("captures"), shared.join("truth")]);
    // Status 0: all that the reference does not doubt is right, and no run failed.
    let text = feed(&mut command, &[]).text();
    let mut capture = "";
    let mut named = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("   "), line.split_once(": ")) {
            (Some(what), _) => {
                let known = DIFFERENT
                    .iter()
                    .position(|(name, begin, _)| *name == capture && what.starts_with(begin));
                named
                    .push(known.unwrap_or_else(|| panic!("{capture}: {what}: no reason is known")));
            }
            (None, Some((name, count))) if count.ends_with(" differ") => capture = name,
            _ => {}
        }
    }
    let all: Vec<_> = (0..DIFFERENT.len()).collect();
    named.sort_unstable();
    assert_eq!(
        named, all,
        "these differ no more, or not in the same way:\n{text}"
    );
}
