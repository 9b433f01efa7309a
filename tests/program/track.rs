//! `--track`: the places that comments name hold the octets that were written.

use crate::common::{Record, fields, pcap, read, run, testdata};

/// Packets of a pcapng file in little-endian order that has one section: octets and comments of each.
fn packets(file: &[u8]) -> Vec<(&[u8], Vec<&str>)> {
    let word =
        |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four octets")) as usize;
    let half = |at: usize| {
        usize::from(u16::from_le_bytes(
            file[at..at + 2].try_into().expect("two octets"),
        ))
    };
    let (mut at, mut found) = (0, Vec::new());
    while at < file.len() {
        let end = at + word(at + 4);
        if word(at) == 6 {
            let captured = word(at + 20);
            let data = &file[at + 28..at + 28 + captured];
            let mut option = at + 28 + captured.next_multiple_of(4);
            let mut comments = Vec::new();
            while option + 4 < end && half(option) != 0 {
                let value = &file[option + 4..option + 4 + half(option + 2)];
                if half(option) == 1 {
                    comments.push(std::str::from_utf8(value).expect("UTF-8"));
                }
                option += 4 + value.len().next_multiple_of(4);
            }
            found.push((data, comments));
        }
        at = end;
    }
    found
}

/// The octets that a comment names, up to the first that is lost; and how many are lost.
fn named(comment: &str, input: &[Record<'_>]) -> (Vec<u8>, usize) {
    let (mut octets, mut lost) = (Vec::new(), 0);
    for run in comment.strip_prefix("track: ").expect("places").split(' ') {
        let (place, len) = run.split_once('+').expect("a length");
        let len: usize = len.parse().expect("a number");
        let Some((frame, at)) = place.split_once(':') else {
            assert_eq!(place, "lost");
            lost += len;
            continue;
        };
        let frame: usize = frame.parse().expect("a number");
        let at: usize = at.parse().expect("an offset that is known");
        let data = &input[frame - 1].data[at..at + len];
        // What follows a hole is left out of the packet.
        if lost == 0 {
            octets.extend_from_slice(data);
        }
    }
    (octets, lost)
}

/// Every packet that was written ends with the octets that its comment names. Gives how many octets were lost.
fn holds(input: &[u8], options: &[&str]) -> usize {
    let (_, records) = pcap(input);
    let args = ["--track", "-w", "-"].iter().chain(options);
    let written = run(args, input).ok();
    let packets = packets(&written);
    assert!(!packets.is_empty());
    let mut all = 0;
    for (data, comments) in packets {
        let comment = comments.iter().find(|c| c.starts_with("track: "));
        let (octets, lost) = named(comment.expect("a comment"), &records);
        // All packets end with no octets: only what is lost from its first octet on has none.
        let begins_lost = comment.is_some_and(|c| c.starts_with("track: lost"));
        assert_eq!(octets.is_empty(), begins_lost, "{comment:?}");
        // An SCTP chunk is padded.
        let padded = (0..4).any(|pad| {
            let end = data.len().saturating_sub(pad);
            data[..end].ends_with(&octets)
        });
        assert!(padded, "{comment:?}");
        all += lost;
    }
    all
}

#[test]
fn places_hold_the_octets_that_were_written() {
    for name in [
        "http-keepalive.pcap",
        "http-reordered.pcap",
        "http-repeated.pcap",
        "http-large.pcap",
        "http-chunked.pcap",
        "http-cut-start.pcap",
        "http-ipv6.pcap",
        "http-qinq.pcap",
        "dns-udp.pcap",
        "dns-tcp.pcap",
        "fragments-udp.pcap",
        "sctp-fragments.pcap",
        "sctp-interleaved.pcap",
        "sctp-large.pcap",
        "protocols/smtp.pcap",
    ] {
        let input = read(&testdata(name));
        assert_eq!(holds(&input, &[]), 0, "{name}");
        holds(&input, &["--encap", "pdu", "--info"]);
    }
}

#[test]
fn what_is_lost_is_named() {
    let input = read(&testdata("http-lost.pcap"));
    assert_eq!(holds(&input, &[]), 1448);
    assert!(holds(&read(&testdata("http-snapped.pcap")), &[]) > 0);
    assert!(holds(&read(&testdata("sctp-lost.pcap")), &[]) > 0);
}

#[test]
fn tshark_shows_the_places() {
    let input = read(&testdata("http-tiny.pcap"));
    let written = run(["--track", "--info"], &input).ok();
    let shown = fields("http", &["frame.comment"], &[], &written);
    assert_eq!(shown.len(), 2);
    for row in shown {
        assert!(row[0].contains("track: "), "{row:?}");
        assert!(row[0].contains("http: "), "{row:?}");
    }
}

/// Octets of a TCP segment that came in IP fragments stand in several packets.
#[test]
fn fragments_of_a_segment_are_named_one_by_one() {
    for name in ["fragments-v4.pcap", "fragments-v6.pcap"] {
        assert_eq!(holds(&read(&testdata(name)), &[]), 0, "{name}");
    }
}
