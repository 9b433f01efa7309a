//! A pipe that is alive: output while the input is open, ends of all kinds, signals.

use crate::common::build::{self, ACK, PSH, Pcap, SYN, body, get, response};
use crate::common::{self, CAPTURES, Live, contains, find_counter, inet_asm, messages, run, wait};
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

/// Where the record ends whose packet is the first to contain this.
fn end_of(capture: &[u8], part: &[u8]) -> usize {
    common::pcap(capture)
        .1
        .iter()
        .find(|r| contains(r.data, part))
        .unwrap_or_else(|| panic!("{} is not in the capture", part.escape_ascii()))
        .end
}

#[test]
fn a_message_is_on_stdout_while_the_input_is_open_and_silent() {
    let capture = common::read(&common::testdata("http-keepalive.pcap"));
    for args in [&[][..], &["-U"], &["-w", "-"], &["--encap", "raw"]] {
        let mut live = Live::start(args);
        live.write(&capture[..24]);
        live.until("the file header", |out| out.len() == 24);
        let mut at = 24;
        for part in [
            &b"GET /index.html"[..],
            b"HTTP/1.1 200 OK",
            b"GET /style.css",
        ] {
            let end = end_of(&capture, part);
            live.write(&capture[at..end]);
            at = end;
            live.until(&part.escape_ascii().to_string(), |out| contains(out, part));
        }
        assert!(live.is_running());
        live.write(&capture[at..]);
        live.close();
        assert!(live.end().ok() == run(args, &capture).ok());
    }
}

#[test]
fn every_message_of_a_whole_capture_is_out_before_the_input_ends() {
    for capture in CAPTURES.iter().filter(|c| c.clean) {
        let octets = capture.octets();
        let expected = messages(&octets).len();
        let mut live = Live::start(&[]);
        live.write(&octets);
        live.until(capture.name, |out| out.len() >= expected);
        live.close();
        live.end().code(0);
    }
}

#[test]
fn lines_of_print_come_at_once_too() {
    let capture = common::read(&common::testdata("dns-udp.pcap"));
    let mut live = Live::start(&["-p"]);
    live.write(&capture);
    live.until("16 lines", |out| {
        out.iter().filter(|b| **b == b'\n').count() == 16
    });
    live.close();
    live.end().code(0);
}

#[test]
fn a_capture_cut_anywhere_ends_well() {
    for name in ["dns-udp.pcap", "http-tiny.pcap"] {
        let whole = common::read(&common::testdata(name));
        let (_, records) = common::pcap(&whole);
        let expected = messages(&whole);
        // The file header, then wherever a record ends, begins or has only a part of its header, and places between.
        let near = |n: &usize| {
            records
                .iter()
                .any(|r| n.abs_diff(r.end) <= 1 || *n == r.end + 16)
        };
        let cuts = (0..=whole.len()).filter(|n| *n < 64 || n % 3 == 0 || near(n));
        for n in cuts {
            let done = run::<&str>([], &whole[..n]);
            let at = format!("head -c {n} {name}: {}: {}", done.status, done.stderr);
            assert_eq!(done.status.code(), Some(if n < 24 { 2 } else { 0 }), "{at}");
            let between_records = n == 24 || records.iter().any(|r| r.end == n);
            assert_eq!(done.stderr.is_empty(), between_records, "{at}");
            assert!(expected.starts_with(&done.stdout), "{at}");
            if name == "dns-udp.pcap" && n >= 24 {
                let there = records.iter().filter(|r| r.end <= n).count();
                assert_eq!(common::pcap(&done.stdout).1.len(), there, "{at}");
            }
        }
    }
}

#[test]
fn a_pcapng_cut_anywhere_ends_well() {
    let whole = common::read(&common::testdata("http-keepalive.pcapng"));
    let mut begun = false;
    for n in (0..400)
        .chain((400..whole.len()).step_by(97))
        .chain([whole.len()])
    {
        let done = run::<&str>([], &whole[..n]);
        let at = format!("head -c {n}: {}: {}", done.status, done.stderr);
        match done.status.code() {
            Some(0) => begun = true,
            Some(2) => assert!(!begun, "{at}"),
            _ => panic!("{at}"),
        }
    }
    assert!(begun);
}

#[test]
fn larger_captures_cut_at_many_places_end_well() {
    for capture in CAPTURES.iter().filter(|c| c.name.ends_with(".pcap")) {
        let whole = capture.octets();
        for n in (24..whole.len()).step_by(whole.len() / 12 + 1) {
            run::<&str>([], &whole[..n]).code(0);
        }
    }
}

#[test]
fn a_capture_that_was_cut_short_is_counted_and_told_once() {
    let whole = common::read(&common::testdata("http-tiny.pcap"));
    let done = run(["-n", "-s"], &whole[..whole.len() - 1]);
    done.code(0);
    assert_eq!(find_counter(&done.stderr, "input.cut_short"), Some(1));
    let warnings = done.stderr.lines().filter(|l| l.contains("is cut short"));
    assert_eq!(warnings.count(), 1, "{}", done.stderr);
}

#[test]
fn a_closed_stdout_is_a_quiet_end() {
    let capture = common::read(&common::testdata("http-large.pcap"));
    for args in [&[][..], &["-p"], &["-w", "-"], &["-U"]] {
        let mut child = common::start(&mut inet_asm(args));
        let mut stdin = child.stdin.take().expect("stdin");
        let mut stdout = child.stdout.take().expect("stdout");
        let mut stderr = child.stderr.take().expect("stderr");
        stdin.write_all(&capture[..9000]).expect("write");
        stdout
            .read_exact(&mut [0; 24])
            .expect("the beginning of the output");
        drop(stdout);
        // The rest may find the program gone.
        let _ = stdin.write_all(&capture[9000..]);
        drop(stdin);
        let status = wait(&mut child, "inet-asm");
        let mut words = String::new();
        stderr.read_to_string(&mut words).expect("stderr");
        assert_eq!(status.code(), Some(0), "{args:?}: {words}");
        assert_eq!(words, "", "{args:?}");
    }
}

#[test]
fn it_ends_at_once_when_stdout_closes_although_the_input_goes_on() {
    let mut child = common::start(&mut inet_asm::<&str>([]));
    let mut stdin = child.stdin.take().expect("stdin");
    drop(child.stdout.take());
    // Each round is a new file with a connection of its own, so that there is always something to write: a process that another
    // test is about to start may keep the pipe open for a moment. The program ends while stdin is open.
    for port in 1024.. {
        let from = (build::CLIENT.0, port);
        let mut round = Pcap::new();
        let syn = round.segment(from, build::SERVER, 99, 0, SYN, b"");
        let request = round.segment(from, build::SERVER, 100, 0, PSH, &get("/"));
        round.packet(&syn).packet(&request);
        if stdin.write_all(&round.file).is_err() {
            break;
        }
        assert!(port < u16::MAX, "it reads on");
    }
    assert_eq!(wait(&mut child, "inet-asm").code(), Some(0));
}

/// The half of a response that waits for its other half.
fn half() -> (Vec<u8>, Vec<u8>) {
    let octets = response(&body(1000));
    let mut pcap = Pcap::new();
    pcap.open(100, 500)
        .client(101, 501, ACK | PSH, &get("/half"))
        .server(501, build::behind(101, &get("/half")), ACK, &octets[..600]);
    (pcap.file, octets)
}

#[test]
fn interrupted_it_writes_what_it_holds() {
    for signal in ["INT", "TERM"] {
        let (capture, octets) = half();
        let mut live = Live::start(&[]);
        live.write(&capture);
        live.until("the request", |out| contains(out, b"GET /half"));
        live.signal(signal);
        let done = live.end();
        done.code(0);
        let segments = common::segments(&done.stdout);
        assert_eq!(segments.len(), 2, "{signal}");
        assert!(octets[..600] == segments[1].payload, "{signal}");
        assert_eq!(segments[1].payload_len, octets.len(), "{signal}");
    }
}

#[test]
fn interrupted_it_reads_what_is_still_on_its_way() {
    // Ctrl-C ends tcpdump too, and tcpdump then writes what it has buffered.
    let capture = common::read(&common::testdata("http-keepalive.pcap"));
    let expected = messages(&capture);
    let mut live = Live::start(&[]);
    live.write(&capture[..2000]);
    live.until("the file header", |out| out.len() >= 24);
    live.signal("INT");
    live.write(&capture[2000..]);
    live.close();
    assert!(live.end().ok() == expected);
}

#[test]
fn a_second_signal_ends_it_although_the_input_goes_on() {
    let capture = common::read(&common::testdata("dns-udp.pcap"));
    let mut live = Live::start(&[]);
    live.write(&capture);
    live.until("the output", |out| out.len() > 1000);
    live.signal("INT");
    let record = &capture[24..common::pcap(&capture).1[0].end];
    for _ in 0..15 {
        live.write(record);
        thread::sleep(Duration::from_millis(100));
    }
    assert!(live.is_running(), "the input was not silent for a second");
    live.signal("INT");
    // The input still goes on: only the signal can end it.
    let begin = Instant::now();
    while live.is_running() {
        assert!(begin.elapsed() < common::DEADLINE, "it reads on");
        live.try_write(record);
        thread::sleep(Duration::from_millis(100));
    }
}
