//! Fragments and copies of packets, with the real binary: each message comes out once, whole, and other programs read it.

mod common;

use common::{TAKE_SUMS, fields, find_counter, pcap, read, run, testdata};
use std::collections::BTreeSet;

/// The octets of each packet of a pcap file.
fn packets(file: &[u8]) -> Vec<Vec<u8>> {
    pcap(file).1.iter().map(|r| r.data.to_vec()).collect()
}

#[test]
fn fragments_give_what_whole_datagrams_give() {
    for (whole, fragments) in [
        ("http-keepalive.pcap", "fragments-v4.pcap"),
        ("http-ipv6.pcap", "fragments-v6.pcap"),
        ("dns-udp.pcap", "fragments-udp.pcap"),
    ] {
        let expected = run([testdata(whole)], b"").stdout;
        let found = run([testdata(fragments)], b"").stdout;
        assert!(found == expected, "{fragments}");
    }
}

#[test]
fn tshark_finds_no_fragments_nothing_malformed_no_bad_checksum() {
    let names = [
        "ip.checksum.status",
        "tcp.checksum.status",
        "udp.checksum.status",
        "_ws.malformed",
        "ip.flags.mf",
        "ip.frag_offset",
        "ipv6.fraghdr.offset",
    ];
    for name in [
        "fragments-v4.pcap",
        "fragments-v6.pcap",
        "fragments-udp.pcap",
    ] {
        for disable in [None, Some("--disable=tcp,udp")] {
            let path = testdata(name).display().to_string();
            let output = run(disable.into_iter().chain([path.as_str()]), b"").stdout;
            let rows = fields("ip or ipv6", &names, &TAKE_SUMS, &output);
            assert_eq!(rows.len(), pcap(&output).1.len(), "{name}");
            for row in rows {
                for status in &row[..3] {
                    assert!(
                        matches!(status.as_str(), "" | "1" | "Good"),
                        "{name}: {row:?}"
                    );
                }
                assert_eq!(row[3], "", "{name}: {row:?}");
                assert!(
                    matches!(row[4].as_str(), "" | "0" | "False"),
                    "{name}: {row:?}"
                );
                assert!(matches!(row[5].as_str(), "" | "0"), "{name}: {row:?}");
                assert_eq!(row[6], "", "{name}: {row:?}");
            }
        }
    }
}

/// A pcap of Ethernet packets on two VLANs, with every `n`th packet missing from each, never the same one.
fn on_two_vlans(file: &[u8], n: usize) -> Vec<u8> {
    let (_, records) = pcap(file);
    let mut out = file[..24].to_vec();
    let mut at = 24;
    for (i, record) in records.iter().enumerate() {
        let header = &file[at..at + 8];
        at = record.end;
        for (vlan, missing) in [(10_u16, 0), (20, 1)] {
            if i % n == missing {
                continue;
            }
            let len = u32::try_from(record.data.len() + 4).expect("fits");
            out.extend(header);
            out.extend(len.to_le_bytes());
            out.extend(len.to_le_bytes());
            out.extend(&record.data[..12]);
            out.extend([0x81, 0]);
            out.extend(vlan.to_be_bytes());
            out.extend(&record.data[12..]);
        }
    }
    out
}

#[test]
fn merged_copies_carry_the_tags_first_seen() {
    let file = read(&testdata("http-keepalive.pcap"));
    let merged = run::<&str>([], &on_two_vlans(&file, 3)).stdout;
    let tags: BTreeSet<_> = fields(
        "http",
        &["tcp.stream", "tcp.srcport", "vlan.id"],
        &[],
        &merged,
    )
    .into_iter()
    .collect();
    // One tag for each direction of a connection, whichever copy completed its messages.
    let directions: BTreeSet<_> = tags.iter().map(|t| t[..2].to_vec()).collect();
    assert_eq!(tags.len(), directions.len(), "{tags:?}");
    assert!(
        tags.iter().all(|t| t[2] == "10" || t[2] == "20"),
        "{tags:?}"
    );
}

#[test]
fn two_copies_with_different_packets_missing_are_one_whole() {
    for name in [
        "http-keepalive.pcap",
        "http-chunked.pcap",
        "http-large.pcap",
        "http-ipv6.pcap",
        "dns-udp.pcap",
        "dns-tcp.pcap",
        "fragments-udp.pcap",
        "fragments-v4.pcap",
    ] {
        let file = read(&testdata(name));
        let expected = run(["--encap", "raw"], &file).stdout;
        for n in [2, 3, 5] {
            let copies = on_two_vlans(&file, n);
            let found = run(["--encap", "raw"], &copies).stdout;
            let (found, expected) = (packets(&found), packets(&expected));
            assert_eq!(found.len(), expected.len(), "{name}, {n}");
            // Numbers of acknowledgments may differ: a packet that is missing on one VLAN may come after the next one's.
            let payload = |p: &Vec<u8>| p[p.len().min(60)..].to_vec();
            let sorted = |all: &[Vec<u8>]| {
                let mut all: Vec<_> = all.iter().map(payload).collect();
                all.sort();
                all
            };
            assert!(sorted(&found) == sorted(&expected), "{name}, {n}");
        }
        let apart = run(
            ["--vlan", "separate", "-n", "-s"],
            &on_two_vlans(&file, 1000),
        );
        let count = |name| find_counter(&apart.stderr, name).unwrap_or(0);
        assert!(count("tcp.connections") + count("udp.flows") >= 2, "{name}");
        assert_eq!(count("tcp.other_channel"), 0);
    }
}

#[test]
fn the_first_channel_is_followed() {
    let file = read(&testdata("http-keepalive.pcap"));
    let copies = on_two_vlans(&file, 1000);
    let expected = run(["--encap", "raw"], &file).stdout;
    let done = run(["--encap", "raw", "--vlan", "first", "-s"], &copies);
    assert!(packets(&done.stdout) == packets(&expected));
    let left_out = find_counter(&done.stderr, "tcp.other_channel");
    assert!(left_out.is_some_and(|n| n >= packets(&file).len() as u64 - 2));
}

#[test]
fn packets_are_sorted_before_all_else() {
    let file = read(&testdata("http-keepalive.pcap"));
    let (_, records) = pcap(&file);
    let mut out = file[..24].to_vec();
    let mut bounds: Vec<(usize, usize)> = Vec::new();
    let mut at = 24;
    for record in &records {
        bounds.push((at, record.end));
        at = record.end;
    }
    for group in bounds.chunks(5) {
        for (from, to) in group.iter().rev() {
            out.extend(&file[*from..*to]);
        }
    }
    let expected = run::<&str>([], &file).stdout;
    for args in [["--sort-queue", "10"], ["--sort-delay", "10s"]] {
        let found = run(args, &out).stdout;
        assert!(found == expected, "{args:?}");
    }
}
