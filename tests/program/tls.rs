//! TLS whose keys are known: what was sent comes out, also where packets are missing, and no secret does.

use crate::common::{self, counter, fields, inet_asm, run, sha256, testdata, tshark};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::tempdir;

/// The captures of `testdata/tls`: name, capture, key log.
fn captures() -> Vec<(String, Vec<u8>, PathBuf)> {
    let folder = testdata("tls");
    let mut all: Vec<_> = fs::read_dir(&folder)
        .expect("testdata/tls")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap"))
        .map(|path| {
            let name = path
                .file_stem()
                .expect("name")
                .to_string_lossy()
                .into_owned();
            (name, common::read(&path), path.with_extension("keys"))
        })
        .collect();
    all.sort();
    assert_eq!(all.len(), 9);
    all
}

fn of(name: &str) -> (Vec<u8>, String) {
    let all = captures().into_iter().find(|(of, ..)| of == name);
    let (_, capture, keys) = all.expect("a capture");
    (capture, keys.display().to_string())
}

/// What was sent in records: the SHA-256 of each side's octets.
fn sent(name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(testdata("tls").join(name).with_extension("sent"));
    let text = text.expect("what was sent");
    text.lines()
        .map(|line| line.split(' ').nth(3).expect("a sum").to_owned())
        .collect()
}

/// The records of a direction, by the sequence numbers of its segments; of each its first number, its octets and whether it is
/// encrypted. The capture is whole and in order.
fn records(capture: &[u8]) -> Vec<(u16, u32, Vec<u8>, bool)> {
    let mut streams: Vec<(u16, u16, u32, Vec<u8>)> = Vec::new();
    for (segment, to) in common::segments(capture)
        .into_iter()
        .zip(destinations(capture))
    {
        if segment.payload.is_empty() {
            continue;
        }
        let key = (segment.source_port, to);
        match streams
            .iter_mut()
            .find(|(from, to, ..)| (*from, *to) == key)
        {
            Some(stream) => stream.3.extend(&segment.payload),
            None => streams.push((key.0, key.1, segment.seq, segment.payload)),
        }
    }
    let mut all = Vec::new();
    for (from, _, first, octets) in streams {
        // What stands before STARTTLS is no record.
        let first_record = octets.windows(2).position(|two| two == [22, 3]);
        let (mut at, mut sealed) = (first_record.expect("a hello"), false);
        while let Some([kind, 3, _, hi, lo]) = octets.get(at..at + 5) {
            let len = 5 + usize::from(u16::from_be_bytes([*hi, *lo]));
            let encrypted = *kind == 23 || sealed && *kind != 20;
            sealed |= *kind == 20;
            let seq = first.wrapping_add(u32::try_from(at).expect("short"));
            all.push((from, seq, octets[at..at + len].to_vec(), encrypted));
            at += len;
        }
    }
    all
}

fn destinations(capture: &[u8]) -> Vec<u16> {
    let (_, records) = common::pcap(capture);
    let port = |data: &[u8]| u16::from_be_bytes([data[36], data[37]]);
    records.iter().map(|record| port(record.data)).collect()
}

/// A capture without some of its packets, by their places.
fn without(capture: &[u8], lost: &[usize]) -> Vec<u8> {
    let (_, records) = common::pcap(capture);
    let mut out = capture[..24].to_vec();
    let mut from = 24;
    for (place, record) in records.iter().enumerate() {
        if !lost.contains(&place) {
            out.extend(&capture[from..record.end]);
        }
        from = record.end;
    }
    out
}

fn stats(keys: &str, capture: &[u8]) -> String {
    let done = run(["-n", "-s", "--keylog", keys, "-"], capture);
    done.code(0);
    done.stderr
}

#[test]
fn what_was_sent_comes_out_whatever_cipher_sealed_it() {
    for (name, capture, keys) in captures() {
        let dir = tempdir().expect("a folder");
        let dump = dir.path().join("dump").display().to_string();
        let keys = keys.display().to_string();
        let done = run(["--dump", &dump, "-s", "--keylog", &keys, "-"], &capture).stderr;
        let found: BTreeSet<_> = common::files(&dir.path().join("dump"))
            .into_iter()
            .filter(|(file, _)| file.ends_with(".decrypted"))
            .map(|(_, octets)| sha256(&octets))
            .collect();
        assert_eq!(found, sent(&name), "{name}");
        let count = |name: &str| counter(&done, name);
        for why in ["no_key", "no_hello", "unknown_suite", "no_block", "no_fit"] {
            assert_eq!(count(&format!("decrypted.{why}")), 0, "{name}: {why}");
        }
        assert_eq!(
            count("tcp.delivered_octets") + count("decrypted.content_octets"),
            count("message.octets") + count("message.unframed_octets") + count("decrypted.octets"),
            "{name}"
        );
        assert_eq!(count("buffer.waiting"), 0, "{name}");
        // Each record opens at once: nothing is missing.
        assert_eq!(
            count("decrypted.trials"),
            count("decrypted.records"),
            "{name}"
        );
    }
}

#[test]
fn readers_find_what_was_encrypted_as_what_it_is() {
    let (capture, keys) = of("tls12-gcm");
    let packets = run(["--keylog", &keys, "-w", "-", "-"], &capture).ok();
    let http = fields(
        "http",
        &["tcp.dstport", "http.request.uri", "http.response.code"],
        &[],
        &packets,
    );
    let said: Vec<_> = http.iter().map(|row| row[1..].join("")).collect();
    assert_eq!(said.len(), 8, "{said:?}");
    assert_eq!(said[..2], ["/0/small", "200"]);
    assert_eq!(http[0][0], "80");
    let mail = tshark(["-Y", "imf"], &packets);
    assert_eq!(mail.lines().count(), 1, "{mail}");
    assert!(tshark(["-Y", "_ws.malformed"], &packets).is_empty());
    let objects = run(["--keylog", &keys, "-j", "-"], &capture).text();
    let inside = objects
        .lines()
        .filter(|line| line.contains("\"decrypted\":true"));
    assert!(
        inside
            .clone()
            .all(|line| !line.contains("\"protocol\":\"tls\""))
    );
    assert_eq!(
        inside
            .filter(|line| line.contains("\"type\":\"message\""))
            .count(),
        20
    );
    // Where a person reads it, it has the port that it had.
    let lines = run(["--keylog", &keys, "-p", "-"], &capture).printed();
    assert!(lines.contains(":443 http "), "{lines}");
    assert!(
        lines.contains("Subject: sealed") || lines.contains("smtp"),
        "{lines}"
    );
    assert!(!lines.contains("application data"), "{lines}");
}

#[test]
fn every_record_that_lies_whole_in_the_capture_is_opened() {
    for name in ["tls13-aes256", "tls12-gcm"] {
        let (capture, keys) = of(name);
        let all = records(&capture);
        let whole = counter(&stats(&keys, &capture), "decrypted.records");
        let sealed = all.iter().filter(|record| record.3).count() as u64;
        assert_eq!(whole, sealed, "{name}");
        let tls12 = name.starts_with("tls12");
        for (place, segment) in common::segments(&capture).iter().enumerate() {
            if segment.payload.is_empty() {
                continue;
            }
            let end = segment.seq + u32::try_from(segment.payload.len()).expect("short");
            let torn = |record: &&(u16, u32, Vec<u8>, bool)| {
                let to = record.1 + u32::try_from(record.2.len()).expect("short");
                record.0 == segment.source_port && record.1 < end && segment.seq < to
            };
            let torn: Vec<_> = all.iter().filter(torn).collect();
            // Without the server's random number there are no keys in TLS 1.2.
            let hello = |record: &&(u16, u32, Vec<u8>, bool)| {
                record.2[0] == 22 && record.2[5] == 2 && !record.3
            };
            if tls12 && torn.iter().any(hello) {
                continue;
            }
            let lost = torn.iter().filter(|record| record.3).count() as u64;
            let said = stats(&keys, &without(&capture, &[place]));
            let opened = counter(&said, "decrypted.records");
            assert_eq!(
                opened,
                sealed - lost,
                "{name}: without packet {place}: {said}"
            );
        }
    }
}

#[test]
fn other_keys_change_nothing_and_are_counted() {
    let (capture, _) = of("tls13-aes256");
    let (_, other) = of("tls12-gcm");
    let plain = run(["-j", "-"], &capture).ok();
    assert_eq!(run(["-j", "--keylog", &other, "-"], &capture).ok(), plain);
    let said = stats(&other, &capture);
    assert_eq!(counter(&said, "decrypted.records"), 0);
    let sealed = records(&capture).iter().filter(|record| record.3).count() as u64;
    assert_eq!(counter(&said, "decrypted.no_key"), sealed);
    // Secrets of another session under this one's name.
    let (_, keys) = of("tls13-aes256");
    let keys = fs::read_to_string(keys).expect("keys");
    let mixed: String = keys
        .lines()
        .map(|line| {
            let (start, secret) = line.rsplit_once(' ').expect("three words");
            let secret: String = secret.chars().rev().collect();
            format!("{start} {secret}\n")
        })
        .collect();
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("keys");
    fs::write(&path, mixed).expect("keys");
    let path = path.display().to_string();
    assert_eq!(run(["-j", "--keylog", &path, "-"], &capture).ok(), plain);
    let said = stats(&path, &capture);
    assert_eq!(counter(&said, "decrypted.records"), 0);
    assert_eq!(counter(&said, "decrypted.no_fit"), sealed);
}

#[test]
fn no_secret_comes_out() {
    for (name, capture, keys) in captures() {
        let text = fs::read_to_string(&keys).expect("keys");
        let keys = keys.display().to_string();
        let args = [
            "-j",
            "-vv",
            "-s=all",
            "--trace",
            "tcp",
            "--json-body=hex",
            "--keylog",
            &keys,
            "-",
        ];
        let done = run(args, &capture);
        let all = [done.stdout.as_slice(), done.stderr.as_bytes()].concat();
        let all = String::from_utf8_lossy(&all).to_lowercase();
        let saved = run(["--save-config", "--keylog", &keys], b"");
        let saved = String::from_utf8_lossy(&saved.stdout).into_owned();
        for line in text.lines() {
            let secret = line.rsplit(' ').next().expect("a secret");
            assert!(
                !all.contains(secret) && !saved.contains(secret),
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn what_is_no_key_log_is_said() {
    let (capture, keys) = of("tls12-gcm");
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("keys");
    let text = fs::read_to_string(keys).expect("keys");
    fs::write(&path, format!("# a comment\nhello\n{text}")).expect("keys");
    let path = path.display().to_string();
    let done = run(["-n", "-s", "--keylog", &path, "-"], &capture);
    let said = done.stderr;
    assert!(
        said.contains("line 2: this is no line of a key log"),
        "{said}"
    );
    assert!(counter(&said, "decrypted.records") > 0);
    let done = run(["-n", "--keylog", "/nowhere/keys", "-"], &capture);
    done.code(2);
    let mut command = inet_asm(["-n", "--keylog", "env", "-"]);
    let done = common::feed(command.env_remove("SSLKEYLOGFILE"), &[&capture]);
    done.code(2);
}

#[test]
fn a_capture_brings_its_own_keys() {
    let dir = tempdir().expect("a folder");
    let with = dir.path().join("with.pcapng").display().to_string();
    let (_, keys) = of("tls13-aes256");
    let plain = testdata("tls/tls13-aes256.pcap").display().to_string();
    let done = Command::new("editcap")
        .args(["--inject-secrets", &format!("tls,{keys}"), &plain, &with])
        .status();
    assert!(done.expect("editcap").success());
    let capture = common::read(with.as_ref());
    let by_file = run(
        ["-p", "--keylog", &keys, "-"],
        &common::read(plain.as_ref()),
    )
    .ok();
    assert_eq!(run(["-p", "-"], &capture).ok(), by_file);
    // Where the output carries them on, its reader opens it.
    let kept = run(["--keep-secrets", "-w", "-", "-"], &capture).ok();
    assert_eq!(tshark(["-Y", "http"], &kept).lines().count(), 8);
}
