//! Inputs made to take memory, or to have octets vanish, before the real binary; and every setting at its ends.
//!
//! No time is measured here: `scripts/attacks` counts instructions.
#![cfg(target_os = "linux")]

use crate::common::{
    Done, counter, find_counter, inet_asm, peak, peak_to_the_end, run, shared_captures, testdata,
    third, wait,
};
use inet_asm::base::storage::tree;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a process may take besides `--memory-limit`: its code, read and write buffers, and what the allocator keeps.
const BESIDES: u64 = 32 << 10;

/// An attack of `scripts/attacks.py`.
fn attack(name: &str, size: u32) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/attacks.py");
    let made = Command::new("python3")
        .arg(script)
        .args([name, &size.to_string()])
        .output()
        .expect("python3 is needed");
    assert!(made.status.success(), "{name}: {made:?}");
    made.stdout
}

/// The peak while the input is read: the pipe is left open until the process has taken nearly all of it, so that it can be asked.
fn peak_over(input: &[u8], args: &[&str]) -> u64 {
    let mut child = inet_asm(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input).expect("written");
    let peak = peak(&child).expect("VmHWM");
    drop(pipe);
    assert!(wait(&mut child, "inet-asm").success());
    peak
}

/// The highest resident memory of a whole run.
fn peak_of(args: &[&str]) -> u64 {
    let mut child = inet_asm(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    peak_to_the_end(&mut child)
}

#[track_caller]
fn stays_in_bounds(name: &str, size: u32, limits: &[u64], args: &[&str]) {
    stays_within(name, size, limits, BESIDES, args);
}

/// As [`stays_in_bounds`], with so many KiB besides: small inputs show by a tighter bound what large ones show by 32 MiB.
#[track_caller]
fn stays_within(name: &str, size: u32, limits: &[u64], besides: u64, args: &[&str]) {
    let input = attack(name, size);
    for limit in limits {
        let text = format!("{limit}M");
        let mut all = vec!["--memory-limit", &text];
        all.extend(args);
        let peak = peak_over(&input, &all);
        let bound = (limit << 10) + besides;
        assert!(
            peak <= bound,
            "{name} {size}: {peak} of {bound} KiB with {all:?}"
        );
    }
}

#[test]
fn associations_are_counted_as_they_are_allocated() {
    // A map of one entry takes a node, which has room for eleven.
    assert!(tree::<u64, [u64; 15]>(1) >= 11 * 128);
    assert!(tree::<u64, [u64; 15]>(1000) >= 1000 * 128);
    assert_eq!(tree::<u64, u64>(0), 0);
    stays_in_bounds("sctp_middle", 30_000, &[16, 4], &["-n"]);
}

/// Trees that were emptied keep a node each, which was counted as given back: 2 KB for each association.
#[test]
fn what_was_emptied_is_given_back() {
    let soon = ["-n", "--look-behind", "16,5ms"];
    // Of what is beside the limit, the program itself takes half where it is not optimised.
    stays_within("sctp_middle", 30_000, &[16], 26 << 10, &soon);
}

/// What is let go to make room begins messages, of which outputs keep more than what waited took.
#[test]
fn what_is_let_go_makes_room() {
    let options = ["--json=/dev/null", "-w", "/dev/null", "--track", "--info"];
    let options = [&options[..], &["--format", "pcapng"]].concat();
    stays_within("tcp_mid", 20_000, &[16], 27 << 10, &options);
    // The budget itself is not exceeded by more than one packet makes.
    let done = run(
        ["-n", "-s", "--memory-limit", "8M", "--json=/dev/null"],
        &attack("tcp_mid", 10_000),
    );
    let peak = counter(&done.stderr, "buffer.peak");
    assert!(peak < (8 << 20) + (512 << 10), "{peak}");
}

#[test]
fn tables_do_not_stand_in_memory_twice() {
    stays_in_bounds("udp_flows", 100_000, &[16, 4], &["-n"]);
    stays_in_bounds("fragment_keys", 60_000, &[16], &["-n"]);
}

#[test]
fn messages_of_holes_that_were_given_up_are_bounded() {
    stays_in_bounds("tcp_gap_http", 12_000, &[16, 4], &[]);
    stays_in_bounds(
        "tcp_gap_http",
        20_000,
        &[16],
        &["--track", "--format", "pcapng"],
    );
}

#[test]
fn what_outputs_keep_is_bounded() {
    let dir = tempfile::tempdir().expect("a folder");
    let extract = dir.path().join("x");
    stays_in_bounds("tcp_mid", 20_000, &[8], &["--json"]);
    let extract = extract.to_str().expect("UTF-8");
    stays_in_bounds("form_heads", 100, &[4], &["-n", "-x", extract]);
}

/// What waits for stream files, and what is kept of a body beside its file, is what many connections have.
#[test]
fn what_files_keep_of_each_connection_is_bounded() {
    let dir = tempfile::tempdir().expect("a folder");
    // Of what is beside the limit, the program itself takes half where it is not optimised.
    for option in ["--dump", "-x"] {
        let to = dir.path().join(option);
        let to = to.to_str().expect("UTF-8");
        let args = ["-n", option, to];
        stays_within("responses_begun", 9000, &[16], 26 << 10, &args);
    }
}

/// All connections end behind the last packet: the list of their files does not wait for another one.
#[test]
fn lists_of_files_do_not_gather() {
    let dir = tempfile::tempdir().expect("a folder");
    let to = dir.path().join("x");
    let to = to.to_str().expect("UTF-8");
    let capture = dir.path().join("capture");
    fs::write(&capture, attack("responses_begun", 9000)).expect("written");
    let capture = capture.to_str().expect("UTF-8");
    // The list of all of them is 4 MiB.
    let peak = |args: &[&str]| {
        peak_of(
            &[
                &["-q", "-n", "--memory-limit", "8M", "-x", to, capture],
                args,
            ]
            .concat(),
        )
    };
    let (alone, listed) = (peak(&[]), peak(&["--json=/dev/null"]));
    assert!(listed < alone + (3 << 9), "{listed} {alone} KiB");
}

/// Whatever is booked is given back, so that nothing is left of it when everything has ended.
#[track_caller]
fn nothing_waits(name: &str, done: Done) {
    // The section is left out where nothing ever waited.
    let waiting = find_counter(&done.stderr, "buffer.waiting").unwrap_or(0);
    assert_eq!(waiting, 0, "{name}");
}

/// All outputs at once, into a folder that is dropped.
fn through_all_outputs(name: &str, input: &[u8], args: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (packets, json, dump, files) = (at("w"), at("j"), at("d"), at("x"));
    let json = format!("--json={json}");
    let mut all = vec!["-s", "-w", &packets, &json, "--dump", &dump, "-x", &files];
    let har = at("har");
    all.extend(["--har", &har]);
    all.extend([
        "--track",
        "--info",
        "--format",
        "pcapng",
        "--decapsulate",
        "all",
    ]);
    all.extend(args);
    nothing_waits(name, run(&all, input));
}

/// The captures of the repository.
fn own_captures() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![testdata("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let end = path.extension().unwrap_or_default().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if end == "pcap" || end == "pcapng" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_is_booked_at_the_end_of_our_captures() {
    let captures = own_captures();
    assert!(captures.len() > 40);
    nothing_is_booked_at_the_end_of(captures);
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn nothing_is_booked_at_the_end_of_shared_captures() {
    nothing_is_booked_at_the_end_of(shared_captures());
}

fn nothing_is_booked_at_the_end_of(captures: Vec<PathBuf>) {
    for path in captures {
        let name = path.display().to_string();
        let octets = fs::read(&path).expect("read");
        // What is refused has no counters; a debug build is slow for the largest ones.
        if octets.len() > 300 << 10 {
            continue;
        }
        let plain = run(["-n", "-s"], &octets);
        if plain.status.success() {
            through_all_outputs(&name, &octets, &[]);
            nothing_waits(&name, plain);
        }
    }
}

#[test]
fn a_framer_that_is_replaced_is_given_back() {
    let input = attack("framer_left", 40);
    nothing_waits("framer_left", run(["-n", "-s"], &input));
    through_all_outputs("framer_left", &input, &[]);
}

#[test]
fn nothing_is_booked_at_the_end_of_an_attack() {
    for (name, size) in [
        ("tcp_syn", 3000),
        ("tcp_mid_http", 3000),
        ("tcp_gap_http", 3000),
        ("tcp_comb", 3000),
        ("pipelined", 3000),
        ("weak_header", 3000),
        ("form_heads", 20),
        ("fragment_keys", 3000),
        ("udp_flows", 3000),
        ("networks", 3000),
        ("sctp_waiting", 1000),
        ("sctp_init", 3000),
    ] {
        let input = attack(name, size);
        for limit in ["256M", "4M"] {
            through_all_outputs(name, &input, &["--memory-limit", limit]);
        }
        // What is held for its turn is given back too.
        if matches!(name, "pipelined" | "tcp_gap_http") {
            through_all_outputs(name, &input, &["--memory-limit", "4M", "--pair"]);
        }
    }
}

/// A hash stands for octets nowhere that a sender who knows the program could aim at.
#[test]
fn a_datagram_cannot_be_hidden_behind_a_digest() {
    let done = run(["-n", "-s"], &attack("udp_copies", 10));
    assert_eq!(counter(&done.stderr, "udp.messages"), 20);
}

#[test]
fn what_is_accounted_is_the_same_in_every_run() {
    for name in ["udp_flows", "fragment_keys", "tcp_gap_http"] {
        let input = attack(name, 4000);
        let peaks: Vec<u64> = (0..4)
            .map(|_| {
                let done = run(["-n", "-s", "--memory-limit", "4M"], &input);
                counter(&done.stderr, "buffer.peak")
            })
            .collect();
        assert!(peaks.iter().all(|p| *p == peaks[0]), "{name}: {peaks:?}");
    }
}

/// Every setting that is a number, with the smallest and the largest value that it takes.
const ENDS: [(&str, &str, &str); 20] = [
    ("--sort-delay", "0", "1000000h"),
    ("--sort-queue", "1", "18446744073709551615"),
    ("--output-sort-delay", "1us", "1000000h"),
    ("--output-sort-queue", "1", "18446744073709551615"),
    ("--max-message", "1", "17179869183G"),
    ("--ip-packet-timeout", "1us", "1000000h"),
    ("--tcp-packet-timeout", "1us", "1000000h"),
    ("--sctp-packet-timeout", "1us", "1000000h"),
    ("--session-timeout", "1us", "1000000h"),
    ("--reorder-window", "0,0,0", "4294967295,1000000h,1000000h"),
    ("--look-behind", "0,0", "4294967295,1000000h"),
    ("--tcp-buffer", "536", "17179869183G"),
    ("--tcp-holes", "1", "18446744073709551615"),
    ("--max-gap", "536", "1G"),
    ("--max-gap", "536", "1073741823"),
    ("--max-file", "1", "17179869183G"),
    ("--memory-limit", "4M", "17179869183G"),
    ("--max-connections", "1", "18446744073709551615"),
    ("--max-active-packets", "1", "18446744073709551615"),
    ("--checksums", "ignore", "verify"),
];

/// The build of the tests checks for overflow: a sum that leaves its range is a panic, and the status tells.
#[test]
fn every_setting_holds_at_its_ends() {
    let captures = [
        "mixed.pcapng",
        "http-lost.pcap",
        "http-cut-start.pcap",
        "http-reordered.pcap",
        "fragments-v6.pcap",
        "sctp-lost.pcap",
        "sctp-wrap.pcap",
    ];
    let mut inputs: Vec<(String, Vec<u8>)> = captures
        .map(|name| (name.to_owned(), fs::read(testdata(name)).expect("read")))
        .into();
    // A reset ends a connection of which the last octets are not acknowledged.
    inputs.push(("tcp_comb".to_owned(), attack("tcp_comb", 200)));
    every_setting_holds_over(&inputs);
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn every_setting_holds_at_its_ends_over_shared_captures() {
    let small = |path: PathBuf| {
        let octets = fs::read(&path).expect("read");
        (octets.len() < 20_000).then(|| (path.display().to_string(), octets))
    };
    let inputs: Vec<_> = shared_captures().into_iter().filter_map(small).collect();
    every_setting_holds_over(&inputs);
}

fn every_setting_holds_over(inputs: &[(String, Vec<u8>)]) {
    for (nth, (name, octets)) in inputs.iter().enumerate() {
        // What is no capture, or is damaged, is refused at every setting.
        let plain = run(["-n"], octets).status.code();
        assert!(matches!(plain, Some(0 | 2)), "{name}: {plain:?}");
        let mut smallest = vec!["-n"];
        let mut largest = vec!["-n"];
        for (setting, small, large) in ENDS {
            // The first of two rows for one setting stands for it where all are at their ends.
            if !smallest.contains(&setting) {
                smallest.extend([setting, small]);
                largest.extend([setting, large]);
            }
        }
        let mut settings = vec![smallest, largest];
        if octets.len() < 3_000 || !name.contains('/') {
            // Each setting alone over every third input.
            for (setting, small, large) in third(ENDS, nth) {
                settings.push(vec!["-n", setting, small]);
                settings.push(vec!["-n", setting, large]);
            }
        }
        for args in settings {
            let done = run(&args, octets);
            let code = done.status.code();
            // A value that is refused would prove nothing.
            assert!(
                code == plain && !done.stderr.contains("panicked"),
                "{name} with {args:?}: {code:?}\n{}",
                done.stderr
            );
        }
    }
}
