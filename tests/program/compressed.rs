//! gzip and zstd captures: the same as plain ones, through a pipe, in any pieces, cut and damaged.

use crate::common::{CAPTURES, counter, feed, gzip, inet_asm, messages, read, run, testdata};
use std::fs;

fn zstd(octets: &[u8]) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(octets, level)
}

type Pack = fn(&[u8]) -> Vec<u8>;
const FORMATS: [(&str, Pack); 2] = [("gzip", gzip), ("zstd", zstd)];

/// A file of testdata/compressed.
fn compressed(name: &str) -> Vec<u8> {
    read(&testdata("compressed").join(name))
}

#[test]
fn compressed_captures_give_the_same() {
    for capture in CAPTURES {
        let octets = capture.octets();
        let expected = messages(&octets);
        for (format, pack) in FORMATS {
            let packed = pack(&octets);
            let at = format!("{} as {format}", capture.name);
            assert!(messages(&packed) == expected, "{at}");
            if packed.len() < 3000 {
                let parts: Vec<&[u8]> = packed.chunks(1).collect();
                let found = feed(&mut inet_asm::<&str>([]), &parts).ok();
                assert!(found == expected, "{at}, octet by octet");
            }
        }
    }
}

/// What real programs write: high levels, several members or frames, frames that are to be skipped.
#[test]
fn files_of_other_programs_are_read() {
    let expected = messages(&read(&testdata("http-large.pcap")));
    for name in ["http-large.pcap.gz", "http-large.pcap.zst"] {
        assert!(messages(&compressed(name)) == expected, "{name}");
    }
    let several = compressed("http-large.frames.zst");
    let skippable = several.windows(4).filter(|w| *w == b"\x50\x2a\x4d\x18");
    assert!(skippable.count() > 1, "frames to be skipped");
    assert!(messages(&several) == expected);
    let mut members = compressed("http-large.members.gz");
    let headers = members.windows(4).filter(|w| *w == b"\x1f\x8b\x08\x00");
    assert!(headers.count() > 1, "several members");
    assert!(messages(&members) == expected);
    // Zeros at the end, as on tapes.
    members.extend([0; 1000]);
    assert!(messages(&members) == expected);
}

#[test]
fn each_of_several_inputs_may_be_compressed() {
    let names = [
        "http-large.pcap",
        "http-tiny.pcap",
        "dns-udp.pcap",
        "http-ipv6.pcap",
    ];
    let plain: Vec<_> = names.iter().map(|n| testdata(n)).collect();
    let expected = run(&plain, b"").ok();
    let dir = tempfile::tempdir().expect("tempdir");
    let packed = |name: &str, pack: Pack| {
        let path = dir.path().join(name);
        fs::write(&path, pack(&read(&testdata(name)))).expect("write");
        path
    };
    let mixed = [
        packed(names[0], gzip),
        plain[1].clone(),
        packed(names[2], zstd),
        packed(names[3], gzip),
    ];
    assert!(run(&mixed, b"").ok() == expected);
    // In one file, a member each.
    let members: Vec<u8> = plain.iter().flat_map(|p| gzip(&read(p))).collect();
    assert!(messages(&members) == expected);
}

/// Also where the data is damaged, cut short, or followed by a file of another kind.
#[test]
fn any_number_of_threads_gives_the_same() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("capture");
    let gz = compressed("http-large.pcap.gz");
    let zst = compressed("http-large.pcap.zst");
    let mut damaged = zst.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    let plain = read(&testdata("http-tiny.pcap"));
    let mixed = [&plain[..], &gz, &plain, &zst, &plain].concat();
    for (name, octets) in [
        ("cut", &gz[..gz.len() - 9]),
        ("damaged", &damaged),
        ("mixed", &mixed),
    ] {
        fs::write(&path, octets).expect("write");
        let all = [None, Some("1"), Some("2"), Some("64")].map(|threads| {
            let mut program = inet_asm::<&str>(["-s=json"]);
            program.args(threads.map(|n| format!("--threads={n}")));
            let done = program.arg(&path).output().expect("run");
            (done.status.code(), done.stdout, done.stderr)
        });
        assert!(all[0].1.len() > 1000, "{name}");
        assert!(all.iter().all(|found| *found == all[0]), "{name}");
    }
    let refused = run(["--threads=0"], b"");
    assert!(refused.stderr.contains("expected 1 or more"));
}

#[test]
fn cut_and_damaged_ones_are_said() {
    let capture = read(&testdata("http-large.pcap"));
    let expected = messages(&capture);
    for (format, name) in [
        ("gzip", "http-large.pcap.gz"),
        ("zstd", "http-large.frames.zst"),
    ] {
        let packed = compressed(name);
        let done = run(["-s"], &packed[..packed.len() * 3 / 4]);
        done.code(0);
        assert!(
            done.stderr.contains(&format!(
                ": its {format} data are cut short, inside record "
            )),
            "{}",
            done.stderr
        );
        assert_eq!(counter(&done.stderr, "input.cut_short"), 1);
        assert!(
            done.stdout.len() > 10_000 && done.stdout.len() < expected.len(),
            "{name}"
        );

        let mut damaged = packed.clone();
        let at = packed.len() * 3 / 4;
        damaged[at..at + 8].fill(0xff);
        let done = run(["-q"], &damaged);
        done.code(2);
        assert!(!done.stdout.is_empty(), "{name}");
        for word in ["stdin: is damaged at offset ", ", record "] {
            assert!(done.stderr.contains(word), "{name}: {}", done.stderr);
        }
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);

        // All that is missing is what ends the compressed data.
        let done = run(["-s"], &packed[..packed.len() - 1]);
        assert!(
            done.stderr.contains(" data are cut short, behind record ") && done.stdout == expected,
            "{}",
            done.stderr
        );

        // Cut inside the first octets: there is no capture in it.
        let done = run::<&str>([], &packed[..15]);
        done.code(2);
        assert!(
            done.stderr.contains(&format!(
                ": its {format} data are cut short, 0 bytes into the"
            )),
            "{}",
            done.stderr
        );
    }
    // Something else behind the last one.
    for (format, pack) in FORMATS {
        let done = run::<&str>([], &[pack(&capture), b"something else".to_vec()].concat());
        done.code(2);
        assert!(done.stdout == expected, "{format}");
    }
}

/// A few octets that decompress to very many neither fill the memory nor are believed.
#[test]
fn bombs_do_no_harm() {
    let header = |tail: &[u32]| -> Vec<u8> { tail.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let zeros = vec![0; 20 << 20];
    // A block of 1 GiB; a section header of that size; zeros and no capture at all.
    let section = header(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28]);
    for (begin, words) in [
        (
            [section, header(&[0x99, 1 << 30])].concat(),
            "no block has 1073741824 bytes",
        ),
        (
            header(&[0x0a0d_0d0a, 1 << 30, 0x1a2b_3c4d, 1]),
            "no block has 1073741824 bytes",
        ),
        (
            Vec::new(),
            "is no pcap or pcapng capture but gzip-compressed data",
        ),
    ] {
        let done = run(["-n"], &gzip(&[&begin, &zeros[..]].concat()));
        done.code(2);
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
    // A window of 2 GiB is not allocated.
    let frame = [&b"\x28\xb5\x2f\xfd\x00\xa8"[..], &[0; 20]].concat();
    let done = run(["-n"], &frame);
    done.code(2);
    assert!(
        done.stderr
            .contains("zstd window of 2048 MiB is over 128 MiB: decompress it"),
        "{}",
        done.stderr
    );
}
