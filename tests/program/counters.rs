//! The counters of the real binary add up, stage by stage, over every capture that lies beside the repository, with
//! several ways to process it.

use crate::common::{self, run, shared_captures};
use inet_asm::base::counters::Discard;
use serde_json::Value;
use std::ffi::OsStr;

/// The counters of one run.
struct Counters {
    at: String,
    json: Value,
}

impl Counters {
    fn of(&self, section: &str, name: &str) -> u64 {
        let value = self.json[section][name].as_u64();
        value.unwrap_or_else(|| panic!("{}: no {section}.{name}", self.at))
    }

    /// Several of one section.
    fn sum(&self, section: &str, names: &[&str]) -> u64 {
        names.iter().map(|name| self.of(section, name)).sum()
    }

    /// What a section dropped, for all reasons.
    fn dropped(&self, section: &str) -> u64 {
        let reasons = Discard::ALL.iter().filter(|d| d.section() == section);
        reasons.map(|d| self.of(section, d.name())).sum()
    }

    #[track_caller]
    fn equal(&self, what: &str, left: u64, right: u64) {
        assert_eq!(left, right, "{}: {what}\n{:#}", self.at, self.json);
    }

    fn add_up(&self) {
        let of = |section, name| self.of(section, name);
        self.equal("input", of("input", "packets"), of("link", "packets"));
        self.equal(
            "link",
            of("link", "packets"),
            of("link", "passed") + self.dropped("link"),
        );
        for section in ["ipv4", "ipv6"] {
            self.equal(
                section,
                of(section, "packets"),
                self.sum(section, &["passed", "reassembled_fragments"]) + self.dropped(section),
            );
            // Tunnels that were not opened are a part of what was dropped.
            let closed = self.sum(section, &["closed_gre", "closed_ipip"]);
            let dropped = of(section, "other_protocol");
            assert!(
                closed <= dropped,
                "{}: {section}: {closed} of {dropped}",
                self.at
            );
        }
        self.equal(
            "tunnel",
            of("tunnel", "packets"),
            of("tunnel", "passed") + self.dropped("tunnel"),
        );
        self.equal(
            "packets to IP",
            of("link", "passed") + of("tunnel", "passed"),
            of("ipv4", "packets") + of("ipv6", "packets"),
        );
        let datagrams = ["passed", "reassembled"];
        self.equal(
            "datagrams",
            self.sum("ipv4", &datagrams) + self.sum("ipv6", &datagrams),
            of("tunnel", "packets")
                + self.sum("udp", &["datagrams", "disabled"])
                + self.sum("tcp", &["segments", "disabled"])
                + self.sum("sctp", &["packets", "disabled"]),
        );
        self.equal(
            "udp",
            of("udp", "datagrams"),
            of("udp", "messages") + self.dropped("udp"),
        );
        self.equal(
            "tcp octets",
            of("tcp", "octets"),
            self.sum(
                "tcp",
                &["accepted_octets", "duplicate_octets", "refused_octets"],
            ),
        );
        self.equal(
            "tcp octets accepted",
            of("tcp", "accepted_octets"),
            self.sum("tcp", &["delivered_octets", "abandoned_octets"]),
        );
        let ends = ["fin", "reset", "idle", "evicted", "replaced", "end"];
        let ends = ends.map(|end| format!("closed_{end}"));
        self.equal(
            "tcp connections",
            of("tcp", "connections"),
            self.sum("tcp", &ends.each_ref().map(String::as_str)),
        );
        let causes = [
            "acked", "closed", "timeout", "buffer", "holes", "memory", "end", "snapped", "jump",
        ];
        let causes = causes.map(|cause| format!("gaps_{cause}"));
        self.equal(
            "tcp gaps",
            of("tcp", "gaps"),
            self.sum("tcp", &causes.each_ref().map(String::as_str)),
        );
    }
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn counters_add_up_over_every_capture() {
    let all = shared_captures();
    if all.is_empty() {
        return;
    }
    let ways: [&[&str]; 4] = [
        &[],
        &["--decapsulate=all", "--vlan=first", "--checksums=verify"],
        &[
            "--disable=tcp,udp,sctp",
            "--store-fragments",
            "--checksums=ignore",
        ],
        &[
            "--decapsulate=all",
            "--vlan=separate",
            "--memory-limit=4M",
            "--sort-queue=8",
        ],
    ];
    let mut captures = 0;
    for path in all {
        for way in ways {
            let options = ["-q", "-n", "-s=json"].iter().chain(way).map(OsStr::new);
            let done = run(options.chain([path.as_os_str()]), b"");
            let at = format!("{} {way:?}", path.display());
            assert!(
                matches!(done.status.code(), Some(0 | 2)),
                "{at}: {}",
                done.stderr
            );
            // A damaged one ends with words.
            let json = done.stderr.lines().find(|line| line.starts_with('{'));
            let Some(json) = json.and_then(|line| serde_json::from_str(line).ok()) else {
                assert_eq!(done.status.code(), Some(2), "{at}: {}", done.stderr);
                continue;
            };
            Counters { at, json }.add_up();
            captures += 1;
        }
    }
    // Four ways over each of them.
    assert!(captures > 390, "{captures}");
}

/// One line below the other, whatever each run saw.
#[test]
fn csv_has_the_same_columns_for_the_same_options() {
    let columns = |name: &str, more: &[&str]| {
        let capture = common::read(&common::testdata(name));
        let mut args = vec!["-n", "--stats=csv"];
        args.extend(more);
        let stats = run(args, &capture).stderr;
        let lines: Vec<_> = stats.lines().map(|l| l.split(',').count()).collect();
        assert!(lines.len() == 2 && lines[0] == lines[1], "{lines:?}");
        stats.lines().next().expect("names").to_owned()
    };
    let http = columns("http-tiny.pcap", &[]);
    assert_eq!(columns("dns-udp.pcap", &[]), http);
    assert_eq!(columns("sctp-m3ua.pcap", &[]), http);
    assert!(http.contains(",dns.messages,") && http.contains(",message.lost,"));
    let own = ["--framer", "mine,tcp.port==80,len@0:u32be"];
    let mine = columns("dns-udp.pcap", &own);
    assert!(mine.contains(",mine.messages,"));
    assert_eq!(columns("http-tiny.pcap", &own), mine);
}

#[test]
fn a_protocol_cannot_have_the_name_of_a_section() {
    for name in ["tcp", "message", "lost", "buffer"] {
        let done = run(
            ["-n", "--framer", &format!("{name},tcp.port==9,until:0x0a")],
            b"",
        );
        done.code(2);
        assert!(done.stderr.contains("section"), "{}", done.stderr);
    }
}

/// Nothing is lost of what came whole, and something of what did not: every kind of it.
#[test]
fn lost_says_whether_the_output_lacks_anything() {
    for (name, part) in [
        ("http-keepalive.pcap", None),
        ("http-reordered.pcap", None),
        ("http-repeated.pcap", None),
        ("http-reused-ports.pcap", None),
        ("http-post.pcap", None),
        ("dns-udp.pcap", None),
        ("fragments-v4.pcap", None),
        ("fragments-v6.pcap", None),
        ("sctp-m3ua.pcap", None),
        ("sctp-multihomed.pcap", None),
        ("http-lost.pcap", Some("tcp_holes")),
        ("http-snapped.pcap", Some("snapped")),
        ("sctp-lost.pcap", Some("sctp_holes")),
    ] {
        let capture = common::read(&common::testdata(name));
        // A copy of a fragment that comes behind its datagram is else one of a datagram that stays incomplete.
        let stats = run(["-n", "-s", "--store-fragments"], &capture).stderr;
        let lost = common::counter(&stats, "message.lost");
        assert_eq!(lost > 0, part.is_some(), "{name}: {stats}");
        if let Some(part) = part {
            let part = common::counter(&stats, &format!("lost.{part}"));
            assert!(part > 0 && part <= lost, "{name}: {stats}");
        }
    }
    let cut = common::read(&common::testdata("dns-udp.pcap"));
    let stats = run(["-n", "-s"], &cut[..cut.len() - 1]).stderr;
    assert_eq!(common::counter(&stats, "lost.cut_short"), 1);
    // One fragment of each datagram is missing.
    let whole = common::read(&common::testdata("fragments-v4.pcap"));
    let mut some = whole[..24].to_vec();
    let mut at = 24;
    for (i, record) in common::pcap(&whole).1.iter().enumerate() {
        if i % 3 != 1 {
            some.extend(&whole[at..record.end]);
        }
        at = record.end;
    }
    let stats = run(["-n", "-s"], &some).stderr;
    assert!(common::counter(&stats, "lost.fragments") > 0, "{stats}");
}
