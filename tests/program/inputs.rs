//! Inputs and outputs before, between and behind each other: nothing is emptied that was not meant, whatever is wrong is said
//! first, and signals do what they are for.

use crate::common::build::{ACK, CLIENT, PSH, Pcap, RST, SERVER, SYN, behind, body, get, response};
use crate::common::{self, inet_asm, read, run, testdata};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn path(name: &str) -> String {
    testdata(name).display().to_string()
}

/// A folder, and the path of a file in it.
fn folder() -> (tempfile::TempDir, impl Fn(&str) -> String) {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = dir.path().to_owned();
    (dir, move |name: &str| at.join(name).display().to_string())
}

/// What tests of signals use: a run that reads a pipe.
struct Running {
    child: Child,
}

impl Running {
    fn new(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("spawn");
        Self { child }
    }

    fn write(&mut self, octets: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("stdin");
        stdin.write_all(octets).expect("write");
    }

    fn signal(&self, name: &str) {
        common::signal(&self.child, name);
    }

    /// Reads stderr until this stands in it.
    fn says(&mut self, word: &str) -> String {
        let stderr = self.child.stderr.as_mut().expect("stderr");
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains(word) {
            let mut octet = [0];
            assert_eq!(stderr.read(&mut octet).expect("read"), 1, "{word}");
            text.push(octet[0]);
        }
        String::from_utf8(text).expect("UTF-8")
    }

    /// Reads stdout until this stands in it.
    fn writes(&mut self, word: &str) {
        let stdout = self.child.stdout.as_mut().expect("stdout");
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains(word) {
            let mut octet = [0];
            assert_eq!(stdout.read(&mut octet).expect("read"), 1, "{word}");
            text.push(octet[0]);
        }
    }

    fn end(mut self) -> (Option<i32>, String) {
        drop(self.child.stdin.take());
        let done = self.child.wait_with_output().expect("wait");
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.code(), text)
    }
}

#[test]
fn a_capture_behind_json_is_read() {
    let (_dir, at) = folder();
    let capture = read(&testdata("http-tiny.pcap"));
    fs::write(at("a.pcap"), &capture).expect("write");
    let done = run(["-j", &at("a.pcap")], b"");
    assert!(done.text().contains("\"type\":\"message\""));
    assert!(read(Path::new(&at("a.pcap"))) == capture);
    let to_file = format!("-j={}", at("j"));
    run([&to_file, &at("a.pcap")], b"").ok();
    assert!(!read(Path::new(&at("j"))).is_empty());
    let both = run(["--json=-", &at("a.pcap")], b"").ok();
    assert!(both == read(Path::new(&at("j"))));
}

#[test]
fn all_inputs_are_looked_at_before_an_output_is_emptied() {
    let (_dir, at) = folder();
    fs::write(at("out.pcap"), "precious").expect("write");
    fs::write(at("text"), "this is no capture, it is text").expect("write");
    fs::write(at("empty"), "").expect("write");
    let bad = [at("missing"), at("text"), at("empty")];
    let mut args = vec!["-w".to_owned(), at("out.pcap"), path("http-tiny.pcap")];
    args.extend(bad.clone());
    args.push(path("dns-udp.pcap"));
    let done = run(&args, b"");
    done.code(2);
    let lines: Vec<_> = done.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", done.stderr);
    for (line, name) in lines.iter().zip(&bad) {
        assert!(line.starts_with(&format!("inet-asm: {name}: ")), "{line}");
    }
    assert_eq!(read(Path::new(&at("out.pcap"))), b"precious");
    // A pipe is known by its beginning.
    for input in [&b""[..], b"nothing that a capture begins with"] {
        let done = run(["-w", &at("out.pcap")], input);
        done.code(2);
        assert_eq!(read(Path::new(&at("out.pcap"))), b"precious");
    }
}

#[test]
fn a_capture_is_no_output_where_no_input_is_named() {
    let (_dir, at) = folder();
    let capture = read(&testdata("http-tiny.pcap"));
    let text = b"{}\n".to_vec();
    let kinds = [
        (capture.clone(), true),
        (read(&testdata("http-keepalive.pcapng")), true),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0".to_vec(), true),
        (b"\x28\xb5\x2f\xfd\0\0".to_vec(), true),
        (text, false),
    ];
    for (old, is_capture) in kinds {
        for option in ["-w", "--bypass", "-j"] {
            fs::write(at("out"), &old).expect("write");
            let option = match option {
                "-j" => vec![format!("-j={}", at("out"))],
                _ => vec![option.to_owned(), at("out")],
            };
            let done = run(&option, &capture);
            if is_capture {
                done.code(2);
                assert!(done.stderr.contains("no input is named"), "{}", done.stderr);
                assert!(read(Path::new(&at("out"))) == old);
            } else {
                done.ok();
            }
            // stdin by its name.
            let named = [option, vec!["-".to_owned()]].concat();
            run(&named, &capture).ok();
            assert!(read(Path::new(&at("out"))) != old);
        }
    }
}

#[test]
fn two_outputs_go_to_two_places() {
    let (dir, at) = folder();
    std::os::unix::fs::symlink("x", at("link")).expect("symlink");
    fs::create_dir(at("there")).expect("folder");
    fs::write(at("there/y"), "").expect("write");
    fs::hard_link(at("there/y"), at("hard")).expect("hard link");
    let (x, json) = (at("x"), format!("-j={}", at("there/../x")));
    let (folder, inner) = (at("d"), at("d/inner/.."));
    let list = format!("-j={}", at("d/files.jsonl"));
    for args in [
        &["-w", &x, "-w", &x][..],
        &["-w", &x, &json],
        &["-w", &x, "-w", &at("link")],
        &["-w", &at("there/y"), "--bypass", &at("hard")],
        &["-p", "-w", "/dev/stdout"],
        &["--dump", &folder, "-x", &folder],
        &["--dump", &folder, "-x", &inner],
        &["-x", &folder, "--dump", &at("d/a/b")],
        &["-x", &folder, &list],
        &["--dump", &at("there"), "--sctp-stats", &at("there")],
    ] {
        let mut program = inet_asm(args);
        let done = common::feed(program.arg(path("http-tiny.pcap")), &[]);
        done.code(2);
        assert_eq!(done.stderr.lines().count(), 1, "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains("of its own"), "{}", done.stderr);
    }
    let names = fs::read_dir(dir.path()).expect("folder").count();
    assert_eq!(names, 3, "nothing was made");
    let null = ["-w", "/dev/null", "-j=/dev/null", "--bypass", "/dev/null"];
    common::feed(inet_asm(null).arg(path("http-tiny.pcap")), &[]).ok();
}

#[test]
fn a_reader_that_leaves_ends_no_other_output() {
    let (_dir, at) = folder();
    // More than a pipe and the buffers of several reads hold.
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    let request = get("/0123456789");
    let mut seq = 101;
    for _ in 0..30_000 {
        pcap.client(seq, 501, ACK | PSH, &request);
        seq += u32::try_from(request.len()).expect("short");
    }
    fs::write(at("in"), &pcap.file).expect("write");
    run(["-w", &at("all"), &at("in")], b"").ok();
    let mut program = inet_asm(["-p", "-w", &at("out"), &at("in")]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let done = program.stdout(writer).stderr(Stdio::piped()).output();
    let done = done.expect("the program");
    assert_eq!((done.status.code(), &done.stderr[..]), (Some(0), &b""[..]));
    assert!(read(Path::new(&at("out"))) == read(Path::new(&at("all"))));
    // Neither does a disk that is full.
    let done = run(["-w", "/dev/full", "-w", &at("out2"), &at("in")], b"");
    done.code(2);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(read(Path::new(&at("out2"))) == read(Path::new(&at("all"))));
}

#[test]
fn a_file_that_grows_too_large_is_an_error_of_its_output() {
    let (_dir, at) = folder();
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    let request = get(&format!("/{}", "x".repeat(1000)));
    let mut seq = 101;
    for _ in 0..1000 {
        pcap.client(seq, 501, ACK | PSH, &request);
        seq += u32::try_from(request.len()).expect("short");
    }
    fs::write(at("in"), &pcap.file).expect("write");
    let script = "ulimit -f 100; \"$0\" -w \"$1\" -j \"$2\" | wc -l";
    let done = Command::new("bash")
        .args([
            "-o",
            "pipefail",
            "-c",
            script,
            env!("CARGO_BIN_EXE_inet-asm"),
        ])
        .args([at("out"), at("in")])
        .output()
        .expect("bash");
    let text = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{text}");
    assert!(text.contains("out: cannot write: File too large"), "{text}");
    let lines = String::from_utf8_lossy(&done.stdout)
        .trim()
        .parse::<usize>();
    assert!(lines.expect("a number") > 1000, "the JSON is whole");
}

/// One file that is too large for the system is not told as if it were whole, and the others are written all the same.
#[test]
fn a_transferred_file_that_grows_too_large_is_not_called_complete() {
    let (_dir, at) = folder();
    let mut pcap = Pcap::new();
    pcap.open(0, 0);
    let (mut asked, mut told) = (1, 1);
    let mut exchange = |path: &str, body: &[u8]| {
        let request = get(path);
        pcap.client(asked, told, ACK | PSH, &request);
        asked = behind(asked, &request);
        for part in response(body).chunks(1400) {
            pcap.server(told, asked, ACK | PSH, part);
            told = behind(told, part);
        }
    };
    exchange("/large.txt", &body(300_000));
    exchange("/small.txt", b"fine");
    exchange("/middle.txt", &body(20_000));
    fs::write(at("in"), &pcap.file).expect("write");
    for (blocks, most, left) in [(100, 102_400, "large.txt"), (10, 10_240, "middle.txt")] {
        let files = at(&format!("x{blocks}"));
        for (option, output) in [("--dump", at(&format!("d{blocks}"))), ("-x", files.clone())] {
            let script = format!("ulimit -f {blocks}; \"$0\" -n {option} \"$1\" \"$2\"");
            let done = Command::new("bash")
                .args(["-c", &script, env!("CARGO_BIN_EXE_inet-asm")])
                .args([&output, &at("in")])
                .output()
                .expect("bash");
            let text = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(2), "{text}");
            let said = text.contains(&output) && text.contains("File too large");
            assert!(said, "{text}");
        }
        let list = fs::read_to_string(Path::new(&files).join("files.jsonl")).expect("the list");
        let all: Vec<Value> = list
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(all.len(), 3, "{list}");
        for file in &all {
            let cut = file["file"] == format!("{left}.part") || file["file"] == "large.txt.part";
            assert_eq!(file["complete"], !cut, "{file}");
            assert_eq!(file["sha256"].is_null(), cut, "{file}");
            assert_eq!(file["error"].is_null(), !cut, "{file}");
            let name = file["file"].as_str().expect("a name");
            let there = fs::metadata(Path::new(&files).join(name)).expect("a file");
            assert_eq!(file["size"], there.len(), "{file}");
            if cut {
                assert_eq!(there.len(), most);
                assert_eq!(file["missing"][0][0], most, "{file}");
            }
        }
        assert!(
            all.iter()
                .any(|file| file["file"] == format!("{left}.part"))
        );
    }
}

#[test]
fn a_closed_stdout_is_an_error_where_it_is_written() {
    for (args, code) in [
        ("", 2),
        ("-p", 2),
        ("-j", 2),
        ("--list-protocols", 2),
        ("-n", 0),
        ("-w /dev/null", 0),
    ] {
        let input = if args.starts_with("--list") {
            ""
        } else {
            "\"$1\""
        };
        let done = Command::new("sh")
            .args(["-c", &format!("\"$0\" {args} {input} >&-")])
            .args([env!("CARGO_BIN_EXE_inet-asm"), &path("http-tiny.pcap")])
            .output()
            .expect("sh");
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{args}: {text}");
        assert_eq!(
            text.contains("stdout: is closed"),
            code == 2,
            "{args}: {text}"
        );
    }
}

/// A pcapng file of a section header, and these blocks.
fn pcapng(blocks: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut head = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    head.extend([1, 0, 0, 0]);
    head.extend([0xff; 8]);
    let mut out = Vec::new();
    for (kind, body) in [(0x0a0d_0d0a, head)].iter().chain(blocks) {
        let len = u32::try_from(body.len() + 12).expect("short").to_le_bytes();
        out.extend(kind.to_le_bytes());
        out.extend(len);
        out.extend(body);
        out.extend(len);
    }
    out
}

/// An interface of this link type without options.
fn interface(link_type: u16) -> (u32, Vec<u8>) {
    let [low, high] = link_type.to_le_bytes();
    (1, vec![low, high, 0, 0, 0, 0, 4, 0])
}

/// A packet of this interface, with options.
fn packet(interface: u32, seconds: u32, data: &[u8], options: &[u8]) -> (u32, Vec<u8>) {
    let micros = u64::from(seconds) * 1_000_000;
    let len = u32::try_from(data.len()).expect("short");
    let mut body = Vec::new();
    for word in [
        interface,
        u32::try_from(micros >> 32).expect("high"),
        u32::try_from(micros & 0xffff_ffff).expect("low"),
        len,
        len,
    ] {
        body.extend(word.to_le_bytes());
    }
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(options);
    (6, body)
}

#[test]
fn a_section_header_alone_gives_a_capture() {
    for format in ["pcap", "pcapng"] {
        let out = run(["--format", format], &pcapng(&[])).ok();
        let again = run(["-p"], &out);
        assert_eq!((again.stderr.as_str(), again.stdout.len()), ("", 0));
        again.code(0);
    }
}

#[test]
fn interfaces_past_those_that_have_a_number_are_read() {
    let mut pcap = Pcap::new();
    pcap.open(100, 500).client(101, 501, ACK | PSH, &get("/x"));
    let (_, records) = common::pcap(&pcap.file);
    let frames: Vec<_> = records.iter().map(|r| r.data).collect();
    let mut blocks = vec![interface(1); 70_000];
    for (i, frame) in frames.iter().enumerate() {
        let number = [0, 65_535, 65_536, 69_999][i % 4];
        blocks.push(packet(number, 1_700_000_000, frame, &[]));
    }
    let capture = pcapng(&blocks);
    let done = run(["-p", "-s"], &capture);
    assert!(
        String::from_utf8_lossy(&done.stdout).contains("GET /x"),
        "{}",
        done.stderr
    );
    assert_eq!(
        common::counter(&done.stderr, "input.shared_interfaces"),
        4464
    );
    assert_eq!(common::counter(&done.stderr, "input.packets"), 4);
    done.code(0);
    run(["--bypass", "/dev/null", "-n"], &capture).ok();
    // Some of them of another link type than any that has a number: in one section, and in sections of their own.
    let (raw, cooked) = (interface(101), interface(113));
    let mut blocks = vec![interface(1); 65_540];
    blocks.extend([raw.clone(), cooked.clone(), raw.clone()]);
    for (i, frame) in frames.iter().enumerate() {
        let (number, octets) = match i % 3 {
            0 => (65_539, *frame),
            1 => (65_540, &frame[14..]),
            _ => (65_542, &frame[14..]),
        };
        blocks.push(packet(number, 1_700_000_000, octets, &[]));
    }
    let many = pcapng(&blocks);
    let sections = [
        pcapng(&vec![interface(1); 65_540]),
        pcapng(&[raw.clone(), packet(0, 1_700_000_000, &frames[0][14..], &[])]),
        pcapng(&[cooked, raw, packet(1, 1_700_000_000, &frames[1][14..], &[])]),
        pcapng(&[interface(1), packet(0, 1_700_000_000, frames[2], &[])]),
        pcapng(&[
            interface(101),
            packet(0, 1_700_000_000, &frames[3][14..], &[]),
        ]),
    ];
    for capture in [many, sections.concat()] {
        let done = run(["-p", "--bypass", "/dev/null"], &capture);
        assert!(done.text().contains("GET /x"));
        let kept = run(["-n", "--bypass", "-"], &capture).ok();
        let done = run(["-p"], &kept);
        assert!(done.text().contains("GET /x"));
    }
    // An interface that is none is damage still.
    let mut blocks = vec![interface(1); 70_000];
    blocks.push(packet(70_000, 1, frames[0], &[]));
    run(["-n"], &pcapng(&blocks)).code(2);
}

/// A stream that was captured from the middle is released by a packet of another interface: its messages have their own.
#[test]
fn messages_have_the_interface_of_their_own_packets() {
    let mut pcap = Pcap::new();
    pcap.client(101, 501, ACK | PSH, &get("/x"));
    let (_, records) = common::pcap(&pcap.file);
    let mut other = Pcap::new();
    let stranger = other.ip(
        [192, 0, 2, 1].into(),
        [192, 0, 2, 2].into(),
        1,
        &[8, 0, 0xf7, 0xff, 0, 0, 0, 0],
    );
    let capture = pcapng(&[
        interface(1),
        interface(1),
        packet(0, 1_700_000_000, records[0].data, &[]),
        packet(1, 1_700_000_005, &stranger, &[]),
    ]);
    let found = run(["--format", "pcapng"], &capture).ok();
    let (mut at, mut interfaces) = (0, Vec::new());
    let word = |at: usize| u32::from_le_bytes(found[at..at + 4].try_into().expect("four"));
    while at < found.len() {
        if word(at) == 6 {
            interfaces.push(word(at + 8));
        }
        at += word(at + 4) as usize;
    }
    assert_eq!(interfaces, [0]);
}

#[test]
fn plain_and_compressed_captures_follow_each_other() {
    let (a, b) = (
        read(&testdata("http-tiny.pcap")),
        read(&testdata("dns-udp.pcap")),
    );
    let ng = read(&testdata("http-keepalive.pcapng"));
    let gzip = |octets: &[u8]| {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        to.write_all(octets).expect("gzip");
        to.finish().expect("gzip")
    };
    let counted = |octets: &[u8]| {
        let done = run(["-n", "-s"], octets);
        done.code(0);
        common::counter(&done.stderr, "input.packets")
    };
    let (all, more) = (counted(&a) + counted(&b), counted(&ng));
    assert_eq!(counted(&[&a[..], &gzip(&b)].concat()), all);
    assert_eq!(counted(&[&gzip(&b)[..], &a].concat()), all);
    assert_eq!(counted(&[&ng[..], &gzip(&b), &a].concat()), all + more);
    assert_eq!(
        counted(&[&gzip(&ng)[..], &b, &gzip(&a)].concat()),
        all + more
    );
    // In whatever pieces they come.
    let octets = [&a[..], &gzip(&b)].concat();
    let parts: Vec<_> = octets.chunks(7).collect();
    let done = common::feed(&mut inet_asm(["-n", "-s"]), &parts);
    assert_eq!(common::counter(&done.stderr, "input.packets"), all);
}

/// Two files of one connection, whose request is cut in two.
fn rotated(at: &impl Fn(&str) -> String) -> [String; 2] {
    let request = get("/over/two/files");
    let (one, two) = request.split_at(10);
    let mut first = Pcap::new();
    first.open(100, 500).client(101, 501, ACK | PSH, one);
    let mut second = Pcap::new();
    second.now = first.now;
    second.client(111, 501, ACK | PSH, two);
    let names = [at("trace.pcap2"), at("trace.pcap10")];
    fs::write(&names[0], &first.file).expect("write");
    fs::write(&names[1], &second.file).expect("write");
    names
}

#[test]
fn files_in_the_wrong_order_are_told_of_and_sorted() {
    let (_dir, at) = folder();
    let [first, second] = rotated(&at);
    let right = run(["-p", &first, &second], b"");
    assert_eq!(right.stderr, "");
    let right = right.ok();
    assert!(String::from_utf8_lossy(&right).contains("/over/two/files"));
    let wrong = run(["-p", &second, &first, &second, &first], b"");
    assert_eq!(wrong.stderr.lines().count(), 1, "{}", wrong.stderr);
    for word in [&first[..], &second[..], "--sort-files"] {
        assert!(wrong.stderr.contains(word), "{}", wrong.stderr);
    }
    wrong.code(0);
    let sorted = run(["-p", "--sort-files", &second, &first], b"");
    assert_eq!(sorted.stderr, "");
    assert!(sorted.ok() == right);
    // Files whose times overlap: in the order of their first packets, and nothing need be lost.
    let (one, two) = (at("one.pcap"), at("two.pcap"));
    let (mut early, mut late) = (Pcap::new(), Pcap::new());
    early.open(100, 500);
    late.now = early.now - 500;
    early.wait(10);
    early.client(101, 501, ACK | PSH, &get("/x"));
    late.client(behind(101, &get("/x")), 501, ACK | PSH, &get("/y"));
    fs::write(&one, &early.file).expect("write");
    fs::write(&two, &late.file).expect("write");
    let done = run(["-p", "--sort-files", &two, &one], b"");
    assert!(
        done.stderr.contains("may be lost: their times overlap"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("--sort-files"), "{}", done.stderr);
    let octets = [read(Path::new(&second)), read(Path::new(&first))].concat();
    let told = run(["-n"], &octets);
    assert!(told.stderr.contains("ahead of it"), "{}", told.stderr);
    let refused = run(["-n", "--sort-files", "-"], &octets);
    refused.code(2);
    assert!(
        refused.stderr.contains("--sort-files"),
        "{}",
        refused.stderr
    );
}

#[test]
fn limits_that_cannot_work_are_refused_in_one_line() {
    let tiny = path("http-tiny.pcap");
    for (args, words) in [
        (
            ["--memory-limit", "4095K"],
            "--memory-limit: is under 4 MiB",
        ),
        (
            ["--tcp-buffer", "1"],
            "--tcp-buffer: is less than a segment",
        ),
        (["--tcp-holes", "0"], "--tcp-holes: is 0"),
        (["--max-gap", "0MB"], "--max-gap: is less than a segment"),
        (["--max-gap", "535"], "--max-gap: is less than a segment"),
        (["--max-connections", "0"], "--max-connections: is 0"),
        (["--max-active-packets", "0"], "--max-active-packets: is 0"),
        (["--max-file", "0"], "--max-file: is 0"),
        (["--max-message", "0"], "--max-message: is 0"),
        (["--session-timeout", "0s"], "--session-timeout: is no time"),
        (
            ["--tcp-packet-timeout", "0"],
            "--tcp-packet-timeout: is no time",
        ),
    ] {
        let done = run([args[0], args[1], &tiny], b"");
        done.code(2);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        let begin = format!("inet-asm: {words}");
        assert!(done.stderr.starts_with(&begin), "{}", done.stderr);
        assert_eq!(done.stderr.matches(": ").count(), 3, "{}", done.stderr);
    }
    for args in [
        ["--memory-limit", "0.5GB"],
        ["--tcp-buffer", "64KB"],
        ["--session-timeout", "1d"],
        ["--ip-packet-timeout", "1500us"],
        ["--sort-delay", "off"],
        ["--sort-queue", "off"],
        ["--look-behind", "off"],
    ] {
        run(["-n", args[0], args[1], &tiny], b"").ok();
    }
}

#[test]
fn signals_say_and_reopen_and_end_nothing() {
    let (_dir, at) = folder();
    let mut pcap = Pcap::new();
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, &get("/first"));
    let (before, seq) = (
        pcap.file.len(),
        101 + u32::try_from(get("/first").len()).expect("short"),
    );
    pcap.client(seq, 501, ACK | PSH, &get("/second"));
    let out = at("out.pcap");
    let json = format!("-j={}", at("json"));
    let mut running = Running::new(&mut inet_asm(["-p", "-w", &out, &json]));
    running.write(&pcap.file[..before]);
    running.writes("/first");
    running.signal("USR1");
    let text = running.says("input.packets");
    assert!(text.contains("input.files"), "{text}");
    running.signal("USR2");
    running.says("SIGUSR2");
    // Nothing was moved away: nothing is lost.
    running.signal("HUP");
    running.says("json: has not been moved away");
    fs::rename(&out, at("old.pcap")).expect("rename");
    running.signal("HUP");
    running.says("json: has not been moved");
    running.write(&pcap.file[before..]);
    running.writes("/second");
    assert_eq!(running.end().0, Some(0));
    for (name, has, lacks) in [
        ("old.pcap", "/first", "/second"),
        ("out.pcap", "/second", "/first"),
    ] {
        let text = run(["-p", &at(name)], b"").text();
        assert!(
            text.contains(has) && !text.contains(lacks),
            "{name}: {text}"
        );
    }
    let json = String::from_utf8(read(Path::new(&at("json")))).expect("UTF-8");
    assert_eq!(json.matches("\"type\":\"message\"").count(), 2);
}

/// What is said before and behind a rotation is what is said without one.
#[test]
fn a_log_that_is_moved_away_loses_no_line() {
    let (_dir, at) = folder();
    let mut pcap = Pcap::new();
    let mut ends = Vec::new();
    for n in 0..3_u16 {
        let client = (CLIENT.0, 50_000 + n);
        let request = get("/");
        for (flags, seq, octets) in [
            (SYN, 100, &b""[..]),
            (ACK | PSH, 101, &request),
            (RST, behind(101, &request), b""),
        ] {
            let packet = pcap.segment(client, SERVER, seq, 500, flags, octets);
            pcap.packet(&packet);
        }
        // The end is told when no other packet contradicts it.
        pcap.wait(5000);
        pcap.datagram(client, (SERVER.0, 7000 + n), b"later");
        ends.push(pcap.file.len());
    }
    let said = run(["-n", "-vv"], &pcap.file).stderr;
    let said: Vec<_> = said
        .lines()
        .map(|l| l.trim_start_matches("inet-asm: "))
        .collect();
    let (log, names) = (at("log"), [at("log.1"), at("log.2"), at("log")]);
    let mut running = Running::new(&mut inet_asm(["-p", "-vv", "--log-file", &log]));
    let mut begin = 0;
    for (n, end) in ends.into_iter().enumerate() {
        running.write(&pcap.file[begin..end]);
        begin = end;
        running.writes(&format!(":{}", 7000 + n));
        if n < 2 {
            fs::rename(&log, &names[n]).expect("rename");
            running.signal("HUP");
            let begun = Instant::now();
            while !Path::new(&log).exists() && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    assert_eq!(running.end().0, Some(0));
    let mut all = Vec::new();
    for name in names {
        let text = String::from_utf8(read(Path::new(&name))).expect("UTF-8");
        assert!(!text.is_empty(), "{name}");
        all.extend(
            text.lines()
                .filter_map(|l| Some(l.splitn(3, ' ').nth(2)?.to_owned())),
        );
    }
    assert_eq!(all, said);
}

/// `create` of logrotate: an empty file of the old one's owner and mode stands under the name already.
#[test]
fn what_logs_are_rotated_to_may_be_there_as_long_as_it_is_empty() {
    let (_dir, at) = folder();
    let mut pcap = Pcap::new();
    let (one, two) = (get("/one"), get("/two"));
    pcap.open(100, 500).client(101, 501, ACK | PSH, &one);
    let before = pcap.file.len();
    pcap.client(behind(101, &one), 501, ACK | PSH, &two);
    let names = ["out.pcap", "json", "har", "stats", "full", "link"].map(&at);
    let [out, json, har, stats, full, link] = &names;
    let (json_option, more) = (format!("-j={json}"), ["-w", full, "-w", link]);
    let args = [
        "-p",
        &json_option,
        "-w",
        out,
        "--har",
        har,
        "--sctp-stats",
        stats,
    ];
    let mut running = Running::new(&mut inet_asm(args.iter().chain(&more)));
    running.write(&pcap.file[..before]);
    running.writes("/one");
    for name in &names {
        fs::rename(name, format!("{name}.1")).expect("rename");
        fs::write(name, if name == full { "precious" } else { "" }).expect("written");
    }
    fs::rename(link, at("empty")).expect("rename");
    std::os::unix::fs::symlink(at("empty"), link).expect("a link");
    running.signal("HUP");
    let mut said = running.says("link: cannot open anew");
    running.write(&pcap.file[before..]);
    running.writes("/two");
    let (code, rest) = running.end();
    said += &rest;
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(said.matches("open anew").count(), 2, "{said}");
    let text = |name: &str| String::from_utf8_lossy(&read(Path::new(name))).into_owned();
    for (name, before) in [(out, "GET "), (json, "\"uri\":\"")] {
        let (one, two) = (format!("{before}/one"), format!("{before}/two"));
        let (old, new) = (text(&format!("{name}.1")), text(name));
        assert!(old.contains(&one) && !old.contains(&two), "{name}: {old}");
        assert!(new.contains(&two) && !new.contains(&one), "{name}: {new}");
    }
    // An exchange is written at its end.
    assert!(text(har).contains("/two"));
    assert!(text(&format!("{har}.1")).ends_with("}\n"));
    assert!(text(stats).starts_with(&text(&format!("{stats}.1"))));
    assert!(!text(stats).is_empty());
    assert_eq!(
        (text(full), text(&at("empty"))),
        ("precious".to_owned(), String::new())
    );
    assert!(text(&format!("{full}.1")).contains("/two"));
}

#[test]
fn tables_and_lists_are_reopened_too() {
    let (_dir, at) = folder();
    let mut pcap = Pcap::new();
    let (one, two) = (get("/one"), get("/two"));
    let answers = [response(b"body 1"), response(b"body 2")];
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, &one)
        .server(501, behind(101, &one), ACK | PSH, &answers[0]);
    let (seq, ack) = (behind(101, &one), behind(501, &answers[0]));
    pcap.client(seq, ack, ACK | PSH, &two);
    let before = pcap.file.len();
    pcap.server(ack, behind(seq, &two), ACK | PSH, &answers[1]);
    let (out, stats, files) = (at("out.pcap"), at("stats"), at("files"));
    let args = ["-p", "-w", &out, "--sctp-stats", &stats, "-x", &files];
    let mut running = Running::new(&mut inet_asm(args));
    running.write(&pcap.file[..before]);
    running.writes("/two");
    let list = format!("{files}/files.jsonl");
    fs::rename(&stats, at("old.csv")).expect("rename");
    fs::rename(&list, at("old.jsonl")).expect("rename");
    // As `create` of logrotate has it.
    fs::write(&list, "").expect("written");
    running.signal("HUP");
    running.says("out.pcap: has not been moved away");
    running.write(&pcap.file[before..]);
    running.writes("HTTP/1.1 200 OK");
    assert_eq!(running.end().0, Some(0));
    let text = |name: &str| String::from_utf8(read(Path::new(name))).expect("UTF-8");
    // Each is a whole table.
    let (old, new) = (text(&at("old.csv")), text(&stats));
    assert!(!new.is_empty() && old == new, "{old} {new}");
    let (old, new) = (text(&at("old.jsonl")), text(&list));
    assert!(
        old.contains("\"file\":\"one\"") && !old.contains("\"file\":\"two\""),
        "{old}"
    );
    assert!(
        new.contains("\"file\":\"two\"") && !new.contains("\"file\":\"one\""),
        "{new}"
    );
}

/// A file whose reading takes long is left at once: it is fed to the program as a regular file that is larger than what is
/// read before the signal is seen.
#[test]
fn an_interrupt_leaves_a_file_at_once() {
    let (_dir, at) = folder();
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    let request = get(&format!("/{}", "x".repeat(1300)));
    let mut seq = 101;
    for _ in 0..20_000 {
        pcap.client(seq, 501, ACK | PSH, &request);
        seq += u32::try_from(request.len()).expect("short");
    }
    fs::write(at("in"), &pcap.file).expect("write");
    // Nobody reads the output, so the program cannot get far.
    let mut running = Running::new(&mut inet_asm(["-p", "-s", &at("in"), &at("in")]));
    running.writes("GET");
    running.signal("INT");
    let mut rest = String::new();
    let mut stdout = running.child.stdout.take().expect("stdout");
    // The signal is there before the pipe has room again.
    stdout.read_to_string(&mut rest).expect("read");
    let (code, text) = running.end();
    assert_eq!(code, Some(0), "{text}");
    let packets = common::counter(&text, "input.packets");
    assert!((4..20_000).contains(&packets), "{packets}: {text}");
    assert_eq!(common::counter(&text, "input.cut_short"), 0);
    // The first of these lines was begun above; three packets open the connection.
    assert_eq!(rest.lines().count() as u64, packets - 3);
}

#[test]
fn secrets_and_names_pass_only_when_they_are_asked_for() {
    let mut pcap = Pcap::new();
    pcap.open(100, 500).client(101, 501, ACK | PSH, &get("/x"));
    let (_, records) = common::pcap(&pcap.file);
    // TLS key log: type, length, and its octets.
    let log = b"CLIENT_RANDOM 00 11\n";
    let mut secrets = 0x544c_534b_u32.to_le_bytes().to_vec();
    secrets.extend(u32::try_from(log.len()).expect("short").to_le_bytes());
    secrets.extend(log);
    // 198.51.100.7 is client.example.
    let mut names = vec![1, 0, 19, 0, 198, 51, 100, 7];
    names.extend(b"client.example\0\0");
    names.extend([0; 4]);
    let mut blocks = vec![interface(1), (10, secrets.clone()), (4, names.clone())];
    for record in &records {
        let comment = b"\x01\0\x04\0note\0\0\0\0";
        blocks.push(packet(0, 1_700_000_000, record.data, comment));
    }
    let capture = pcapng(&blocks);
    let place = |all: &[u8], part: &[u8]| all.windows(part.len()).position(|w| w == part);
    for kind in ["messages", "bypass"] {
        let output = match kind {
            "bypass" => ["--bypass", "-?format=pcapng", "-n"],
            _ => ["-w", "-?format=pcapng", "--encap=auto"],
        };
        let loud = |args: &[&str]| run([args, &output[..]].concat(), &capture);
        let done = loud(&[]);
        assert_eq!(
            done.stderr.matches("--keep-secrets").count(),
            1,
            "{}",
            done.stderr
        );
        assert_eq!(place(&done.ok(), log), None);
        let done = loud(&["--keep-secrets", "-s"]);
        assert!(!done.stderr.contains("--keep-secrets"), "{}", done.stderr);
        assert_eq!(common::counter(&done.stderr, "input.secrets"), 1);
        assert_eq!(common::counter(&done.stderr, "input.names"), 1);
        let out = done.ok();
        let text = place(&out, b"GET /x").expect("the message");
        for part in [&secrets, &names] {
            assert!(place(&out, part).is_some_and(|at| at < text), "{kind}");
        }
        // The comments of packets are those of the originals.
        let comments = out.windows(8).filter(|w| *w == b"\x01\0\x04\0note").count();
        assert_eq!(comments, if kind == "bypass" { records.len() } else { 0 });
    }
    // Where there is no output of packets, nothing can be missed.
    assert_eq!(run(["-p"], &capture).stderr, "");
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn tls_is_decrypted_behind_the_secrets() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/cases/bugreports/k8-decryption-secrets.pcapng");
    let name = case.display().to_string();
    let (_dir, at) = folder();
    let args = [
        "--format",
        "pcapng",
        "--keep-secrets",
        "-w",
        &at("out"),
        &name,
    ];
    run(args, b"").ok();
    let done = Command::new("tshark")
        .args(["-r", &at("out"), "-Y", "http"])
        .output()
        .expect("tshark");
    assert_eq!(String::from_utf8_lossy(&done.stdout).lines().count(), 6);
}

#[test]
fn a_gap_that_stdout_closes_is_told() {
    let args = ["--dump", "-", "--connection", "0"];
    let done = common::feed(inet_asm(args).arg(path("http-lost.pcap")), &[]);
    let told = done
        .stderr
        .lines()
        .filter(|l| l.contains("1448 bytes are missing"));
    assert_eq!(told.count(), 1, "{}", done.stderr);
    done.code(0);
    let done = common::feed(inet_asm(args).arg("-q").arg(path("http-lost.pcap")), &[]);
    assert_eq!(done.stderr, "");
}

#[test]
fn warnings_of_one_kind_stop_at_20() {
    let (_dir, at) = folder();
    let whole = read(&testdata("http-tiny.pcap"));
    let names: Vec<PathBuf> = (0..25)
        .map(|i| PathBuf::from(at(&format!("{i:02}"))))
        .collect();
    for name in &names {
        fs::write(name, &whole[..whole.len() - 1]).expect("write");
    }
    let mut program = inet_asm(["-n"]);
    let done = common::feed(program.args(&names), &[]);
    done.code(0);
    let cut = done
        .stderr
        .lines()
        .filter(|l| l.contains("cut short inside"));
    assert_eq!(cut.count(), 20, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("inet-asm: captures that are cut short: 5 more"),
        "{}",
        done.stderr
    );
}

#[test]
fn verbose_names_files_interfaces_and_connections() {
    let ng = path("http-keepalive.pcapng");
    let done = run(["-v", "-n", &path("http-lost.pcap"), &ng], b"");
    for words in [
        "http-lost.pcap: pcap\n",
        "http-keepalive.pcapng: pcapng\n",
        "interface 0: ",
        "link type ETHERNET (1)\n",
        "tcp 0 ",
    ] {
        assert!(done.stderr.contains(words), "{words}: {}", done.stderr);
    }
    assert!(!done.stderr.contains("a hole of"), "{}", done.stderr);
    let done = run(["-vv", "-n", &path("http-lost.pcap")], b"");
    // The reason is in words, not in those of the source.
    assert!(
        done.stderr.contains(
            "a hole of 1448 bytes at offset 7240 is given up at packet 59: the session or the input has ended (end)\n"
        ),
        "{}",
        done.stderr
    );
    // Flows of datagrams are listed too, connections without payload, and the holes of SCTP.
    let done = run(["-v", "-n", &path("dns-udp.pcap")], b"");
    let flows = done.stderr.matches("open at the end of the input").count();
    let stats = run(["-n", "-s", &path("dns-udp.pcap")], b"").stderr;
    assert_eq!(flows as u64, common::counter(&stats, "udp.flows"));
    let mut pcap = Pcap::new();
    pcap.client(100, 0, SYN, b"");
    let done = run(["-v", "-n"], &pcap.file);
    assert!(
        done.stderr
            .contains("tcp 0 198.51.100.7:50000 > 203.0.113.80:80: open")
    );
    let done = run(["-vv", "-n", &path("sctp-lost.pcap")], b"");
    assert!(
        done.stderr
            .contains(": a hole of 1 TSN at 3185950877 is given up at packet 46: "),
        "{}",
        done.stderr
    );
}

/// What is incomplete, and where: connection, packet, place.
#[test]
fn twice_verbose_tells_where_something_is_missing() {
    let said = |name: &str| run(["-n", "-vv", &path(name)], b"").stderr;
    for (name, words) in [
        (
            "http-lost.pcap",
            "tcp 0 192.0.2.1:80 > 192.0.2.2:58330: the http message of packet 6, at offset 0 of its stream, is incomplete: 1448 bytes missing at offset 7240\n",
        ),
        (
            "http-snapped.pcap",
            ", at offset 0 of its stream, is incomplete: 2501 bytes missing in 3 holes, the first at offset ",
        ),
        (
            "sctp-lost.pcap",
            "sctp 0 10.1.0.1:2905 > 10.1.0.2:2905: the m3ua message of packet 22, at TSN 3185950882 in stream 1, is incomplete: only its first 100 bytes are there\n",
        ),
    ] {
        let text = said(name);
        assert!(text.contains(words), "{words}: {text}");
    }
    // A datagram that the snapshot length has cut.
    let mut dns = read(&testdata("dns-udp.pcap"));
    let record = 24 + 16;
    let len = u32::from_le_bytes(dns[32..36].try_into().expect("four")) as usize;
    dns.truncate(record + len - 5);
    let cut = u32::try_from(len - 5).expect("small");
    dns[32..36].copy_from_slice(&cut.to_le_bytes());
    let text = run(["-n", "-vv"], &dns).stderr;
    assert!(
        text.contains(": the dns message of packet 1 is cut by the snapshot length: "),
        "{text}"
    );
    // A packet of which a fragment is missing: all but the first record is left out.
    let fragments = read(&testdata("fragments-udp.pcap"));
    let len = u32::from_le_bytes(fragments[32..36].try_into().expect("four"));
    let text = run(["-n", "-vv"], &fragments[..record + len as usize]).stderr;
    assert!(
        text.contains(": the fragmented packet with identification 0x")
            && text.contains(" is given up at packet 1: "),
        "{text}"
    );
    // What is left of a message whose head was lost: it is passed over up to the next one.
    let mut capture = Pcap::new();
    let (one, ask) = (response(&[b'x'; 2000]), get("/a"));
    let (next, asked) = (behind(5001, &one), behind(1001, &ask));
    capture
        .open(1000, 5000)
        .client(1001, 5001, ACK | PSH, &ask)
        .server(5001, asked, ACK | PSH, &one)
        .client(asked, next, ACK | PSH, &ask)
        .server(next + 1000, behind(asked, &ask), ACK, &one[1000..1500])
        .server(next + 1500, behind(asked, &ask), ACK | PSH, &one[1500..])
        .client(behind(asked, &ask), behind(next, &one), ACK | PSH, &ask)
        .server(
            behind(next, &one),
            behind(behind(asked, &ask), &ask),
            ACK | PSH,
            &one,
        );
    let text = run(["-n", "-vv"], &capture.file).stderr;
    assert!(
        text.contains(": 1067 bytes at offset 3067 skipped at packet "),
        "{text}"
    );
}
