//! The command line: options, exit status, words on stderr, other outputs.

use crate::common::build::{ACK, PSH, Pcap, get};
use crate::common::{
    self, CAPTURES, Done, counter, feed, find_counter, inet_asm, messages, read, run, testdata,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

fn path(name: &str) -> String {
    testdata(name).to_str().expect("UTF-8").to_owned()
}

/// It failed with status 2, wrote nothing, and said why in the one form.
#[track_caller]
fn refused(done: &Done, any_of: &[&str]) {
    done.code(2);
    assert_eq!(done.stdout, b"");
    assert!(done.stderr.starts_with("inet-asm: "), "{}", done.stderr);
    let words = done.stderr.to_lowercase();
    assert!(
        any_of.iter().any(|w| words.contains(&w.to_lowercase())),
        "none of {any_of:?} in: {}",
        done.stderr
    );
}

#[test]
fn an_empty_input_is_no_capture() {
    refused(&run::<&str>([], b""), &["empty", "0 bytes", "no bytes"]);
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join("nothing.pcap");
    fs::write(&file, b"").expect("write");
    refused(&run([&file], b""), &["nothing.pcap"]);
    refused(&run(["-n"], b""), &["empty", "0 bytes", "no bytes"]);
}

#[test]
fn a_foreign_input_is_named() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and more than a file header of pcap has";
    refused(&run::<&str>([], png), &["PNG", "89 50 4e 47", "89504e47"]);
    let text = b"GET / HTTP/1.1\r\nHost: this is text and no capture at all\r\n";
    refused(
        &run::<&str>([], text),
        &["text", "GET", "47 45 54 20", "47455420"],
    );
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join("picture.pcap");
    fs::write(&file, png).expect("write");
    refused(&run([&file], b""), &["picture.pcap"]);
}

#[test]
fn what_was_read_before_a_foreign_file_is_written() {
    let capture = read(&testdata("http-tiny.pcap"));
    let done = run(
        [&path("http-tiny.pcap"), "-"],
        b"no capture, but enough octets for a header",
    );
    done.code(2);
    assert_eq!(done.stdout, messages(&capture));
}

#[test]
fn a_damaged_record_ends_the_run_with_its_place() {
    let capture = read(&testdata("http-tiny.pcap"));
    let records = common::pcap(&capture).1.len();
    let damaged = [
        &capture[..],
        &[1, 0, 0, 0, 1, 0, 0, 0],
        &[0xFF; 8],
        &[0; 100],
    ]
    .concat();
    let done = run::<&str>([], &damaged);
    done.code(2);
    assert_eq!(done.stdout, messages(&capture));
    let (offset, number) = (capture.len().to_string(), (records + 1).to_string());
    for word in [&offset, &number] {
        assert!(
            done.stderr.contains(word.as_str()),
            "{word} in: {}",
            done.stderr
        );
    }
}

#[test]
fn what_cannot_be_opened_is_named() {
    refused(
        &run(["/nowhere/is/this.pcap"], b""),
        &["/nowhere/is/this.pcap"],
    );
    refused(&run(["/"], b""), &["/"]);
    let tiny = path("http-tiny.pcap");
    refused(
        &run([&tiny, "-w", "/nowhere/out.pcap"], b""),
        &["/nowhere/out.pcap"],
    );
}

#[test]
fn wrong_usage_is_status_2() {
    for (args, word) in [
        (&["--no-such-option"][..], "--no-such-option"),
        (&["--encap", "token-ring"], "token-ring"),
        (&["--tcp-packet-timeout", "soon"], "soon"),
        (&["--tcp-buffer", "4 elephants"], "4 elephants"),
        (&["-w"], "--write"),
    ] {
        let done = run(args, &read(&testdata("http-tiny.pcap")));
        done.code(2);
        assert_eq!(done.stdout, b"");
        assert!(done.stderr.contains(word), "{word} in: {}", done.stderr);
    }
}

#[test]
fn a_header_without_packets_is_a_capture() {
    let header = &read(&testdata("http-tiny.pcap"))[..24];
    let done = run::<&str>([], header);
    done.code(0);
    assert_eq!(done.stderr, "");
    let (link, records) = common::pcap(&done.stdout);
    assert_eq!((link, records.len()), (1, 0));
    run(["-n", "-s"], header).code(0);
}

#[test]
fn no_output_writes_nothing() {
    for capture in CAPTURES {
        let done = run(["-n", "-q"], &capture.octets());
        assert_eq!(done.stderr, "", "{}", capture.name);
        assert_eq!(done.ok(), b"", "{}", capture.name);
    }
}

#[test]
fn several_outputs_are_the_same() {
    let dir = tempfile::tempdir().expect("tempdir");
    let names = ["1", "2"].map(|n| dir.path().join(n));
    let mut command = inet_asm(["-w", "-"]);
    for name in &names {
        command.arg("-w").arg(name);
    }
    let capture = read(&testdata("http-keepalive.pcap"));
    let out = feed(&mut command, &[&capture]).ok();
    assert!(out == messages(&capture));
    assert!(names.iter().all(|name| read(name) == out));
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    let input = dir.path().join("in.pcap");
    let original = read(&testdata("http-tiny.pcap"));
    fs::write(&input, &original).expect("write");
    let link = dir.path().join("link.pcap");
    symlink(&input, &link).expect("symlink");
    let hard = dir.path().join("hard.pcap");
    fs::hard_link(&input, &hard).expect("hard link");
    let dotted = dir.path().join(".").join("in.pcap");
    for output in [&input, &link, &hard, &dotted] {
        let done = run([input.as_path(), Path::new("-w"), output.as_path()], b"");
        refused(&done, &["input"]);
        assert!(read(&input) == original, "{} was written", output.display());
    }
    // The shell's way: inet-asm < in.pcap >> in.pcap
    let status = Command::new("sh")
        .arg("-c")
        .arg("\"$0\" <\"$1\" >>\"$1\" 2>/dev/null")
        .arg(env!("CARGO_BIN_EXE_inet-asm"))
        .arg(&input)
        .status()
        .expect("sh");
    assert_eq!(status.code(), Some(2));
    assert!(read(&input) == original);
}

#[test]
fn print_is_one_line_a_message() {
    for capture in CAPTURES {
        let text = run(["-p"], &capture.octets()).text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), capture.messages(), "{}:\n{text}", capture.name);
        assert!(!text.contains('\x1b'), "colour without a terminal");
        let count = |word: &str| {
            lines
                .iter()
                .filter(|l| l.to_lowercase().contains(word))
                .count()
        };
        assert_eq!(
            count("http/1."),
            capture.requests + capture.responses,
            "{text}"
        );
        assert!(count("dns") >= capture.dns, "{text}");
    }
}

#[test]
fn print_names_endpoints_protocol_and_summary() {
    let text = run(["-p", &path("http-tiny.pcap")], b"").text();
    let [request, response] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("two lines:\n{text}")
    };
    for line in [request, response] {
        for word in ["192.0.2.1", "192.0.2.2", "http"] {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
    assert!(request.contains("GET /index.html"), "{request}");
    assert!(response.contains("200 OK"), "{response}");
    assert!(
        request.find("192.0.2.2") < request.find("192.0.2.1"),
        "{request}"
    );
    let ipv6 = run(["--print", &path("http-ipv6.pcap")], b"").text();
    assert!(ipv6.contains("2001:db8::1"), "{ipv6}");
}

#[test]
fn print_escapes_what_comes_from_the_network() {
    let mut pcap = Pcap::new();
    let request = get("/\x1b[31mred\x07\u{9b}");
    pcap.open(100, 500).client(101, 501, ACK | PSH, &request);
    let out = run(["-p"], &pcap.file).ok();
    assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
    // The arrow is the only character that is not one of ASCII.
    let text = String::from_utf8(out.clone())
        .expect("UTF-8")
        .replace('→', ">");
    assert!(
        text.bytes()
            .all(|b| b == b'\n' || (b' '..=b'~').contains(&b)),
        "{}",
        out.escape_ascii()
    );
}

#[test]
fn counters_balance() {
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join("out.pcap");
    for capture in CAPTURES {
        let done = run(
            ["-s".as_ref(), "-w".as_ref(), file.as_os_str(), "-".as_ref()],
            &capture.octets(),
        );
        assert_eq!(done.stdout, b"", "counters go to stderr");
        done.code(0);
        let stats = &done.stderr;
        let get = |name: &str| find_counter(stats, name).unwrap_or(0);
        let sum = |names: &[&str]| names.iter().map(|name| get(name)).sum::<u64>();
        let at = format!("{}:\n{stats}", capture.name);

        if capture.name.ends_with(".pcap") {
            let octets = capture.octets();
            let records = common::pcap(&octets).1;
            assert_eq!(
                counter(stats, "input.packets"),
                records.len() as u64,
                "{at}"
            );
            let captured: usize = records.iter().map(|r| r.data.len()).sum();
            assert_eq!(get("input.octets"), captured as u64, "{at}");
        }
        assert_eq!(get("input.packets"), get("link.packets"), "{at}");
        let dropped: u64 = stats
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| {
                name.starts_with("link.") && !matches!(*name, "link.packets" | "link.passed")
            })
            .map(get)
            .sum();
        assert_eq!(get("link.packets"), get("link.passed") + dropped, "{at}");
        assert_eq!(
            get("link.passed"),
            sum(&["ipv4.packets", "ipv6.packets"]),
            "{at}"
        );
        for version in ["ipv4", "ipv6"] {
            let names = [
                "passed",
                "reassembled_fragments",
                "duplicate_fragments",
                "unfinished_fragments",
            ];
            let used: u64 = names
                .iter()
                .map(|name| get(&format!("{version}.{name}")))
                .sum();
            assert_eq!(get(&format!("{version}.packets")), used, "{at}");
        }
        let datagrams = [
            "ipv4.passed",
            "ipv6.passed",
            "ipv4.reassembled",
            "ipv6.reassembled",
        ];
        assert_eq!(
            sum(&datagrams),
            sum(&["tcp.segments", "udp.datagrams"]),
            "{at}"
        );
        assert_eq!(
            get("tcp.octets"),
            sum(&[
                "tcp.accepted_octets",
                "tcp.duplicate_octets",
                "tcp.refused_octets"
            ]),
            "{at}"
        );
        assert_eq!(
            get("tcp.accepted_octets"),
            sum(&["tcp.delivered_octets", "tcp.abandoned_octets"]),
            "{at}"
        );
        assert_eq!(
            get("tcp.connections"),
            sum(&[
                "tcp.closed_fin",
                "tcp.closed_reset",
                "tcp.closed_idle",
                "tcp.closed_evicted",
                "tcp.closed_replaced",
                "tcp.closed_end"
            ]),
            "{at}"
        );
        assert_eq!(
            get("tcp.gaps"),
            sum(&[
                "tcp.gaps_acked",
                "tcp.gaps_closed",
                "tcp.gaps_timeout",
                "tcp.gaps_buffer",
                "tcp.gaps_holes",
                "tcp.gaps_memory",
                "tcp.gaps_end",
                "tcp.gaps_snapped"
            ]),
            "{at}"
        );
        if capture.clean {
            assert_eq!(
                sum(&["tcp.gaps", "tcp.lost_octets", "tcp.late", "tcp.conflicts"]),
                0,
                "{at}"
            );
        }
        assert_eq!(
            get("message.messages"),
            sum(&["message.whole", "message.incomplete"]),
            "{at}"
        );
        assert_eq!(get("message.incomplete"), capture.partial as u64, "{at}");
        assert_eq!(
            counter(stats, "output.messages"),
            capture.messages() as u64,
            "{at}"
        );
        let written = read(&file);
        assert_eq!(
            get("output.packets"),
            common::pcap(&written).1.len() as u64,
            "{at}"
        );
        assert!(
            get("buffer.waiting") < 1 << 20,
            "only tables that stay allocated: {at}"
        );
    }
}

#[test]
fn quiet_says_nothing() {
    let whole = read(&testdata("http-tiny.pcap"));
    let done = run(["-q"], &whole[..whole.len() - 1]);
    done.code(0);
    assert_eq!(done.stderr, "");
}

#[test]
fn dump_writes_the_files_of_tcpflow() {
    for capture in CAPTURES.iter().filter(|c| c.tcpflow_reads()) {
        let (ours, theirs) = (tempfile::tempdir(), tempfile::tempdir());
        let (ours, theirs) = (ours.expect("tempdir"), theirs.expect("tempdir"));
        let dir = ours.path().join("new");
        let done = run(
            [
                "--dump".as_ref(),
                dir.as_os_str(),
                capture.path().as_os_str(),
            ],
            b"",
        );
        done.code(0);
        let mut tcpflow = Command::new("tcpflow");
        tcpflow
            .args(["-q", "-o"])
            .arg(theirs.path())
            .arg("-r")
            .arg(capture.path());
        feed(&mut tcpflow, &[]).code(0);
        let mut expected = common::files(theirs.path());
        expected.retain(|(name, _)| name != "report.xml" && name != "alerts.txt");
        let mut found = common::files(&dir);
        if capture.name == "mixed.pcapng" {
            found.retain(|(name, _)| !name.contains(".00053")); // tcpflow leaves UDP out
        }
        let names =
            |files: &[(String, Vec<u8>)]| files.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected), "{}", capture.name);
        assert!(found == expected, "{}: octets differ", capture.name);
    }
}

#[test]
fn dump_keeps_offsets_true_over_a_gap() {
    let dir = tempfile::tempdir().expect("tempdir");
    run(
        [
            "--dump".as_ref(),
            dir.path().as_os_str(),
            testdata("http-lost.pcap").as_os_str(),
        ],
        b"",
    )
    .code(0);
    let clean = tempfile::tempdir().expect("tempdir");
    run(
        [
            "--dump".as_ref(),
            clean.path().as_os_str(),
            testdata("http-large.pcap").as_os_str(),
        ],
        b"",
    )
    .code(0);
    let from_server = |dir: &Path| {
        let mut found = common::files(dir);
        found.retain(|(name, _)| name.starts_with("192.000.002.001.00080-"));
        found
    };
    let (lost, whole) = (from_server(dir.path()), from_server(clean.path()));
    let (name, lost) = lost
        .iter()
        .find(|(n, _)| whole.iter().any(|w| &w.0 == n))
        .expect("the stream");
    let whole = &whole.iter().find(|w| &w.0 == name).expect("the stream").1;
    assert_eq!(lost.len(), whole.len());
    let differing: Vec<_> = (0..lost.len())
        .filter(|at| lost[*at] != whole[*at])
        .collect();
    assert!(!differing.is_empty() && differing.len() <= 1448);
    assert!(differing.iter().all(|at| lost[*at] == 0));
    assert!(differing[differing.len() - 1] - differing[0] < 1448);
}

#[test]
fn the_version_is_that_of_the_package() {
    let text = run(["-V"], b"").text();
    assert_eq!(text, concat!("inet-asm ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn conditions_on_counters_give_the_status() {
    let (whole, lost) = (path("http-tiny.pcap"), path("http-lost.pcap"));
    let check = |conditions: &[&str], file: &str| {
        let args = conditions.iter().flat_map(|c| ["--fail-if", c]);
        run(["-n"].into_iter().chain(args).chain([file]), b"")
    };
    let done = check(&["tcp.lost_octets > 0", "message.messages == 0"], &whole);
    done.code(0);
    assert_eq!((done.stdout.len(), &*done.stderr), (0, ""));
    // Each that holds is told, with both values, and nothing else stands between.
    let conditions = [
        "tcp.lost_octets > 0",
        "tcp.octets < 1",
        "tcp.lost_octets >= 0.1% tcp.octets",
    ];
    let done = check(&conditions, &lost);
    done.code(1);
    let stats = run(["-n", "-s", &lost], b"").stderr;
    let [gone, all] = ["tcp.lost_octets", "tcp.octets"].map(|name| counter(&stats, name));
    assert!(gone > 0);
    let held: Vec<_> = done
        .stderr
        .lines()
        .filter(|l| l.contains("holds"))
        .collect();
    let share = format!(
        "{:.3}",
        f64::from(u32::try_from(all).expect("a few")) / 1000.0
    );
    let share = share.trim_end_matches('0').trim_end_matches('.');
    assert_eq!(
        held,
        [
            format!("inet-asm: --fail-if tcp.lost_octets > 0: holds: {gone} > 0"),
            format!(
                "inet-asm: --fail-if tcp.lost_octets >= 0.1% tcp.octets: holds: {gone} >= {share}"
            ),
        ]
    );
    // With an output beside it, and where nobody wants to read more than errors.
    let done = run(["-q", "--fail-if", "message.messages > 0", &whole], b"");
    done.code(1);
    assert_eq!(done.stderr.lines().count(), 1);
    assert_eq!(done.stdout, messages(&read(&testdata("http-tiny.pcap"))));
    // What went wrong goes before.
    let capture = read(&testdata("http-tiny.pcap"));
    let mut foreign = capture.clone();
    foreign.extend([0xff; 64]);
    let done = run(["-n", "--fail-if", "message.messages > 0"], &foreign);
    done.code(2);
    assert!(done.stderr.contains("holds: "), "{}", done.stderr);
    // A user's own protocol has counters too.
    let own = ["--framer", "mine,tcp.port==9,until:0x0a,max:100"];
    let done = run(
        [
            "-n",
            own[0],
            own[1],
            "--fail-if",
            "mine.messages == 0",
            &whole,
        ],
        b"",
    );
    done.code(1);
}

#[test]
fn a_condition_that_cannot_be_read_is_refused() {
    let at = |condition: &str| run(["-n", "--fail-if", condition], b"");
    refused(
        &at("tcp.lost_octet > 0"),
        &["did you mean tcp.lost_octets, "],
    );
    refused(&at("nosuch.messages > 0"), &["there is no such counter"]);
    refused(
        &at("tcp.lost_octets => 0"),
        &["expected one of == != < <= > >="],
    );
}

/// The example for CI jobs, as it stands there.
#[test]
fn the_example_for_ci_checks_a_capture() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ci-example");
    let check = |name: &str| {
        let mut command = Command::new(&script);
        command.env("INET_ASM", env!("CARGO_BIN_EXE_inet-asm"));
        feed(command.arg(path(name)), &[])
    };
    let done = check("http-tiny.pcap");
    done.code(0);
    assert!(done.stdout.ends_with(b"all of it is HTTP\n"));
    let done = check("http-lost.pcap");
    done.code(1);
    assert!(done.stderr.contains("message.lost > 0: holds: "));
    let done = check("dns-udp.pcap");
    done.code(1);
    assert!(
        done.stderr
            .contains("message.messages != http.messages: holds: ")
    );
    check("nosuch.pcap").code(2);
}

/// Options that leave nothing of each other.
#[test]
fn what_leaves_nothing_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (files, file) = (at("x"), at("file"));
    fs::write(&file, "").expect("written");
    let capture = fs::read(testdata("http-keepalive.pcap")).expect("read");
    for (args, words, code) in [
        (
            &["-x", &files, "--extract-min", "5M", "--extract-max", "1M"][..],
            "--extract-min: is larger than --extract-max",
            2,
        ),
        (&["-x", &file], "there is a file of this name", 2),
        (
            &["-p", "--match", "a{10000000}"],
            "takes too much memory",
            2,
        ),
        (&["-n", "--counters-period", "3m"], "add --counters-file", 0),
    ] {
        let done = run(args, &capture);
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
        done.code(code);
    }
    let counters = at("counters.csv");
    let alone = run(["-n", "--counters-file", &counters], &capture);
    assert_eq!(alone.stderr, "");
}
