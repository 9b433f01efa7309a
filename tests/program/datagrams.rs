//! Fragments and copies of packets, with the real binary: each message comes out once, whole, and other programs read it.

use crate::common::build::{ACK, CLIENT, PSH, Pcap, SERVER, behind, body, checksum, get, response};
use crate::common::{TAKE_SUMS, counter, fields, find_counter, pcap, read, run, testdata};
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

/// A fragment of a UDP datagram: `from..to` of its octets, in a packet with this identification.
fn fragment(pcap: &mut Pcap, id: u8, octets: &[u8], from: usize, to: usize) -> Vec<u8> {
    let mut packet = pcap.ip(CLIENT.0, SERVER.0, 17, &octets[from..to]);
    packet[18..20].copy_from_slice(&[0x77, id]);
    packet[20] = if to < octets.len() { 0x20 } else { 0 };
    packet[21] = u8::try_from(from / 8).expect("small");
    packet[24..26].fill(0);
    let sum = checksum(&packet[14..34]);
    packet[24..26].copy_from_slice(&sum);
    packet
}

/// A copy of a fragment with other octets and a header sum that no router lets pass comes ahead of the true one, behind it, or
/// alone; or the IP length goes past a record that was not cut.
#[test]
fn a_fragment_whose_header_cannot_be_right_is_second_choice() {
    let mut udp = vec![0x0f, 0xa0, 0x13, 0x88, 0, 48, 0, 0];
    udp.extend(b"what was sent, in two fragments of it...");
    let forged = [&udp[..24], &[b'X'; 24]].concat();
    let text = |octets: &[u8]| String::from_utf8_lossy(&octets[8..]).into_owned();
    for (case, order, expected) in [
        ("ahead", "fx2", text(&udp)),
        ("first of all", "xf2", text(&udp)),
        ("behind", "f2x", text(&udp)),
        ("alone", "fx", text(&forged)),
        ("cut ahead", "fc2", text(&udp)),
        ("cut alone", "fc", text(&udp[..40])),
        ("longer than it is", "l2", text(&udp)),
        ("in a damaged tunnel", "ft2", text(&udp)),
    ] {
        let mut pcap = Pcap::new();
        let mut last = 0;
        for part in order.chars() {
            let mut packet = match part {
                'l' => {
                    // Six octets more than there are, in a header that is right otherwise.
                    let mut packet = fragment(&mut pcap, 1, &udp, 0, 24);
                    packet[17] += 6;
                    packet[24..26].fill(0);
                    let sum = checksum(&packet[14..34]);
                    packet[24..26].copy_from_slice(&sum);
                    packet
                }
                't' => {
                    let inner = fragment(&mut pcap, 1, &forged, 24, 48);
                    pcap.ip(CLIENT.0, SERVER.0, 4, &inner[14..])
                }
                'f' => fragment(&mut pcap, 1, &udp, 0, 24),
                'x' => fragment(&mut pcap, 1, &forged, 24, 48),
                _ => fragment(&mut pcap, 1, &udp, 24, 48),
            };
            match part {
                'x' | 't' => packet[24] ^= 0x55,
                'c' => packet.truncate(packet.len() - 8),
                _ => {}
            }
            pcap.packet(&packet);
            if !(part == 'x' && order.contains('2')) {
                last = pcap.now;
            }
        }
        // Another datagram long behind, so that the time is not that of the end of the input.
        pcap.wait(5000);
        for (from, to) in [(0, 24), (24, 48)] {
            let packet = fragment(&mut pcap, 2, &udp, from, to);
            pcap.packet(&packet);
        }
        let done = run(
            ["-j", "-s", "--vlan", "merge", "--decapsulate", "ipip"],
            &pcap.file,
        );
        let lines = String::from_utf8(done.stdout).unwrap();
        let messages: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &serde_json::Value| line["type"] == "message")
            .collect();
        assert_eq!(messages.len(), 2, "{case}: {lines}");
        assert_eq!(messages[0]["summary"], expected, "{case}");
        let time = messages[0]["time"].as_str().unwrap();
        let micros = format!("{:06}", last % 1_000_000);
        assert!(time.contains(&micros), "{case}: {time} {micros}");
        let stats = done.stderr;
        let second =
            counter(&stats, "ipv4.fragments") - counter(&stats, "ipv4.reassembled_fragments");
        let dropped = [
            "duplicate_fragments",
            "expired_fragments",
            "unfinished_fragments",
        ]
        .iter()
        .filter_map(|name| find_counter(&stats, &format!("ipv4.{name}")))
        .sum::<u64>();
        assert_eq!(second, dropped, "{case}: {stats}");
        let copies = order.chars().filter(|part| "xct".contains(*part)).count();
        let dropped_of_it = if order.contains('2') { copies } else { 0 };
        assert_eq!(dropped, dropped_of_it as u64, "{case}: {stats}");
    }
}

/// A response in two fragments, the second of which has a header that cannot be right, while more than a hole waits for follows
/// at once: TCP has it at once too, as second choice.
#[test]
fn tcp_does_not_wait_for_better_fragments() {
    let answer = response(&body(1200));
    let next = response(&body(300));
    for damage in ["sum", "length"] {
        let mut pcap = Pcap::new();
        pcap.open(1000, 5000)
            .client(1001, 5001, ACK | PSH, &get("/a"));
        let mut seq = 5001;
        let asked = behind(1001, &get("/a"));
        let whole = pcap.segment(SERVER, CLIENT, seq, asked, ACK | PSH, &answer);
        let (head, octets) = whole.split_at(34);
        for (from, to) in [(0, 640), (640, octets.len())] {
            let mut packet = [head, &octets[from..to]].concat();
            let longer = if damage == "length" && from > 0 { 6 } else { 0 };
            let len = u16::try_from(20 + to - from + longer).expect("small");
            packet[16..18].copy_from_slice(&len.to_be_bytes());
            packet[20] = if from == 0 { 0x20 } else { 0 };
            packet[21] = u8::try_from(from / 8).expect("small");
            packet[24..26].fill(0);
            let sum = checksum(&packet[14..34]);
            packet[24..26].copy_from_slice(&sum);
            if damage == "sum" && from > 0 {
                packet[24] ^= 0x55;
            }
            pcap.packet(&packet);
        }
        seq = behind(seq, &answer);
        for _ in 0..60 {
            pcap.server(seq, asked, ACK | PSH, &next);
            seq = behind(seq, &next);
            pcap.client(asked, seq, ACK, b"");
        }
        let done = run(["-p", "-s"], &pcap.file);
        let stats = done.stderr;
        assert_eq!(counter(&stats, "message.whole"), 62, "{damage}: {stats}");
        assert_eq!(counter(&stats, "message.lost"), 0, "{damage}: {stats}");
    }
}
