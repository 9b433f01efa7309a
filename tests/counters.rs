//! The counters of the real binary add up, stage by stage, over every capture that lies beside the repository, with
//! several ways to process it.

mod common;

use common::{run, shared_captures};
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
            "acked", "closed", "timeout", "buffer", "holes", "memory", "end", "snapped",
        ];
        let causes = causes.map(|cause| format!("gaps_{cause}"));
        self.equal(
            "tcp gaps",
            of("tcp", "gaps"),
            self.sum("tcp", &causes.each_ref().map(String::as_str)) + of("tcp", "restarts"),
        );
    }
}

#[test]
fn counters_add_up_over_every_capture() {
    let all = shared_captures("counters_add_up_over_every_capture");
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
            "--memory-limit=64K",
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
