//! Memory that the real binary takes while it is flooded. That its time does not grow faster than what comes is counted in
//! instructions by `scripts/attacks --count`, as no clock tells it on a busy machine.
#![cfg(target_os = "linux")]

use crate::common::{build::checksum, inet_asm, peak, wait};
use std::io::Write;
use std::ops::Range;
use std::process::Stdio;

/// First fragments of datagrams that never become whole, as a pcap.
fn flood(count: u32, out: &mut impl Write) {
    for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        out.write_all(&word.to_le_bytes()).expect("written");
    }
    let mut chunk = Vec::new();
    for n in 0..count {
        let [_, high, id @ ..] = n.to_be_bytes();
        let mut ip = vec![0x45, 0, 0, 84, id[0], id[1], 0x20, 0, 64, 17, 0, 0];
        ip.extend([10, 0, 0, high, 192, 0, 2, 1]);
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum);
        for word in [1_700_000_000, n % 1_000_000, 98, 98] {
            chunk.extend(word.to_le_bytes());
        }
        chunk.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        chunk.extend(ip);
        chunk.extend([0; 64]);
        if chunk.len() > 1 << 16 {
            out.write_all(&chunk).expect("written");
            chunk.clear();
        }
    }
    out.write_all(&chunk).expect("written");
}

/// One response with a body of so many segments of 1,400 octets, as a pcap; raw IP, checksums of zero.
fn download(segments: u32, out: &mut impl Write) {
    let mut chunk = Vec::new();
    for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 262_144, 101] {
        chunk.extend(word.to_le_bytes());
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        segments * 1400
    );
    let mut seq = 1000_u32;
    let mut segment = |flags: u8, payload: &[u8]| {
        let len = u16::try_from(40 + payload.len()).expect("fits");
        let mut ip = vec![
            0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        ip[2..4].copy_from_slice(&len.to_be_bytes());
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum);
        for word in [1_700_000_000, 0, u32::from(len), u32::from(len)] {
            chunk.extend(word.to_le_bytes());
        }
        chunk.extend(ip);
        chunk.extend([0, 80, 0x9c, 0x40]);
        chunk.extend(seq.to_be_bytes());
        chunk.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        chunk.extend(payload);
        seq += u32::from(flags & 2 != 0) + u32::try_from(payload.len()).expect("fits");
        if chunk.len() > 1 << 16 {
            out.write_all(&chunk).expect("written");
            chunk.clear();
        }
    };
    segment(2, b"");
    segment(24, head.as_bytes());
    for _ in 0..segments {
        segment(16, &[b'x'; 1400]);
    }
    out.write_all(&chunk).expect("written");
}

/// A segment of each connection: flags, number, acknowledgment, octets; without SYN and octets, or with a SYN-ACK, it
/// comes from the server.
type Round = (u8, u32, u32, &'static [u8]);
const SYNS: Round = (2, 100, 0, b"");
const SYN_ACKS: Round = (18, 500, 101, b"");
const REQUESTS: Round = (24, 101, 501, b"GET / HTTP/1.1\r\nHost: example\r\n\r\n");

/// So many connections at once, as a pcap of raw IP: the first segment of each, then the second, ...
fn connections(rounds: &[(Range<u32>, Round)], out: &mut impl Write) {
    let mut chunk = Vec::new();
    for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 262_144, 101] {
        chunk.extend(word.to_le_bytes());
    }
    let mut micros = 0;
    for (numbers, (flags, seq, ack, payload)) in rounds.iter().cloned() {
        for n in numbers {
            let [_, net, host, port] = n.to_be_bytes();
            let mut ends = [
                ([10, net, host, 1], [0x40, port]),
                ([192, 0, 2, 1], [0, 80]),
            ];
            if flags == 18 || flags == 16 {
                ends.reverse();
            }
            let len = u16::try_from(40 + payload.len()).expect("fits");
            let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0];
            ip[2..4].copy_from_slice(&len.to_be_bytes());
            ip.extend(ends.iter().flat_map(|(address, _)| address));
            let sum = checksum(&ip);
            ip[10..12].copy_from_slice(&sum);
            micros += 5;
            for word in [
                1_700_000_000 + micros / 1_000_000,
                micros % 1_000_000,
                u32::from(len),
                u32::from(len),
            ] {
                chunk.extend(word.to_le_bytes());
            }
            chunk.extend(ip);
            chunk.extend(ends.iter().flat_map(|(_, port)| port));
            chunk.extend(seq.to_be_bytes());
            chunk.extend(ack.to_be_bytes());
            chunk.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
            chunk.extend(payload);
            if chunk.len() > 1 << 16 {
                out.write_all(&chunk).expect("written");
                chunk.clear();
            }
        }
    }
    out.write_all(&chunk).expect("written");
}

/// What the program took at most, in KiB, and counted, with so many MiB to wait in.
fn connected(limit: u64, rounds: &[(Range<u32>, Round)]) -> (u64, serde_json::Value) {
    let limit = format!("--memory-limit={limit}M");
    let mut command = inet_asm(["-n", &limit, "-s=json", "-"]);
    let command = command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let mut stdin = child.stdin.take().expect("piped");
    connections(rounds, &mut stdin);
    let peak = peak(&child).expect("VmHWM");
    drop(stdin);
    let done = child.wait_with_output().expect("ended");
    println!("{peak} KiB");
    let counted = serde_json::from_slice(&done.stderr).expect("counters");
    (peak, counted)
}

#[test]
fn very_many_connections_stay_within_the_limit_and_lose_nothing() {
    let all = 0..50_000;
    let (peak, json) = connected(
        13,
        &[
            (all.clone(), SYNS),
            (all.clone(), SYN_ACKS),
            (all, REQUESTS),
        ],
    );
    assert!(peak <= (13 + 32) << 10, "{peak} KiB");
    let (tcp, message) = (&json["tcp"], &json["message"]);
    // All of them fit, before there is data and behind it.
    assert_eq!(
        (&tcp["connections"], &tcp["midstream"]),
        (&50_000.into(), &0.into())
    );
    assert_eq!(tcp["closed_evicted"], 0, "{tcp:#}");
    assert_eq!(
        (&message["whole"], &message["incomplete"]),
        (&50_000.into(), &0.into())
    );
    assert_eq!(tcp["lost_octets"], 0);
}

/// More at once than have room beside each other: some are ended, and each request comes out all the same.
#[test]
fn more_connections_than_fit_stay_within_the_limit() {
    let all = 0..150_000;
    let (peak, json) = connected(
        20,
        &[
            (all.clone(), SYNS),
            (all.clone(), SYN_ACKS),
            (all, REQUESTS),
        ],
    );
    assert!(peak <= (20 + 32) << 10, "{peak} KiB");
    assert_eq!(json["message"]["whole"], 150_000, "{json:#}");
    assert_eq!(json["tcp"]["lost_octets"], 0);
    // Where it is not whole, a counter says so.
    assert_eq!(json["message"]["lost"], json["lost"]["evicted"], "{json:#}");
}

/// Two acknowledgments of octets that were not captured: more is kept of such a connection than of the attempts that have
/// filled the table before.
#[test]
fn connections_that_need_more_than_their_place_stay_within_the_limit() {
    let mut rounds = vec![(0..100_000, SYNS)];
    for first in (100_000..300_000).step_by(100) {
        let some = first..first + 100;
        rounds.push((some.clone(), (16, 500, 101, b"")));
        rounds.push((some, (16, 500, 101 + 50_000, b"")));
    }
    let (peak, json) = connected(16, &rounds);
    // Of what is beside the limit, the program itself takes half where it is not optimised.
    assert!(peak <= (16 + 24) << 10, "{peak} KiB");
    assert_eq!(json["tcp"]["connections"], 300_000);
    assert!(json["buffer"]["peak"].as_u64() < Some((16 << 20) + (1 << 20)));
}

#[test]
fn a_large_body_streams_through() {
    let mut command = inet_asm(["-w", "/dev/null", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("started");
    let mut stdin = child.stdin.take().expect("piped");
    download(750_000, &mut stdin); // 1 GB
    let peak = peak(&child).expect("VmHWM");
    drop(stdin);
    assert!(wait(&mut child, "the download").success());
    println!("{peak} KiB");
    assert!(peak < 32 << 10, "{peak} KiB");
}

#[test]
fn a_flood_of_fragments_stays_within_the_limit() {
    let mut command = inet_asm([
        "-n",
        "--memory-limit=64M",
        "--max-active-packets=10000000",
        "-",
    ]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("started");
    let mut stdin = child.stdin.take().expect("piped");
    flood(1_000_000, &mut stdin);
    let peak = peak(&child).expect("VmHWM");
    drop(stdin);
    assert!(wait(&mut child, "the flood").success());
    println!("{peak} KiB");
    assert!(peak <= (64 + 32) << 10, "{peak} KiB");
}
