//! TLS whose keys are known: what was sent comes out, also where packets are missing, and no secret does.

use crate::common::{self, counter, fields, inet_asm, run, sha256, testdata, tshark};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;
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
    assert_eq!(all.len(), 14);
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
    for name in ["tls13-aes256", "tls12-gcm", "tls10-cbc"] {
        let (capture, keys) = of(name);
        let all = records(&capture);
        let whole = counter(&stats(&keys, &capture), "decrypted.records");
        let sealed = all.iter().filter(|record| record.3).count() as u64;
        assert_eq!(whole, sealed, "{name}");
        let before_13 = !name.starts_with("tls13");
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
            // Without the server's random number there are no keys before TLS 1.3.
            let hello = |record: &&(u16, u32, Vec<u8>, bool)| {
                record.2[0] == 22 && record.2[5] == 2 && !record.3
            };
            if before_13 && torn.iter().any(hello) {
                continue;
            }
            let mut lost = torn.iter().filter(|record| record.3).count() as u64;
            if name == "tls10-cbc"
                && let Some(last) = torn.last().filter(|last| last.3)
                && all
                    .iter()
                    .any(|record| record.0 == last.0 && record.1 > last.1)
            {
                // The last block of one opens the next (RFC 2246, 6.2.3.2), and no other.
                lost += 1;
            }
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

/// A change of the cipher that is missing tells nothing in TLS 1.3, and the records behind it are the first ones all the same.
#[test]
fn the_first_record_is_opened_without_what_stood_before_it_in_clear() {
    let (capture, keys) = of("tls13-retry");
    let segments = common::segments(&capture);
    let changes = segments
        .iter()
        .position(|segment| segment.source_port != 9001 && segment.payload.first() == Some(&20));
    let opened = |capture: &[u8]| counter(&stats(&keys, capture), "decrypted.records");
    let lost = [changes.expect("a change of the cipher")];
    assert_eq!(opened(&without(&capture, &lost)), opened(&capture));
}

/// How many octets of HTTP are missing with a record is known, so that what follows them stays where it is.
#[test]
fn a_missing_record_is_a_gap_of_its_length() {
    let (capture, keys) = of("tls13-aes256");
    let said = |lost: &[usize]| {
        let text = run(
            ["-q", "-j", "--keylog", &keys, "-"],
            &without(&capture, lost),
        )
        .text();
        let objects = common::objects(&text);
        let of = objects.filter(|object| object["protocol"] == "http");
        of.collect::<Vec<_>>()
    };
    let is_large = |object: &&serde_json::Value| {
        object["length"].as_u64() > Some(20_000) && object["kind"] == "response"
    };
    let clean = said(&[]);
    let length = clean.iter().find(is_large).expect("the large one")["length"].as_u64();
    // A packet of its second record: the first one has its header fields.
    let segments = common::segments(&capture);
    let full = (0..segments.len()).filter(|place| {
        segments[*place].source_port == 443 && segments[*place].payload.len() == 1448
    });
    let place = full.clone().nth(12).expect("a packet");
    let damaged = said(&[place]);
    assert_eq!(damaged.len(), clean.len());
    let large = damaged.iter().find(is_large).expect("the large one");
    assert_eq!(large["length"].as_u64(), length);
    let gaps = large["gaps"].as_array().expect("gaps");
    let lost: u64 = gaps.iter().filter_map(|gap| gap[1].as_u64()).sum();
    assert_eq!(large["octets"].as_u64().map(|octets| octets + lost), length);
    assert!(lost > 1448, "{large:#}");
}

/// Nothing but the hellos and the client's last record is left: the change of the cipher is lost too.
#[test]
fn the_last_record_is_opened_if_no_other_is_there() {
    let (capture, keys) = of("tls12-gcm");
    let all = records(&capture);
    let clients: BTreeSet<_> = all
        .iter()
        .map(|record| record.0)
        .filter(|port| *port != 443)
        .collect();
    let hellos = all
        .iter()
        .filter(|record| !record.3 && record.2[0] == 22 && matches!(record.2[5], 1 | 2));
    let last = clients
        .iter()
        .filter_map(|port| all.iter().rfind(|record| record.0 == *port));
    let kept: Vec<_> = hellos.chain(last).map(|record| record.1).collect();
    let segments = common::segments(&capture);
    let (left, lost): (Vec<usize>, Vec<_>) = (0..segments.len())
        .filter(|place| !segments[*place].payload.is_empty())
        .partition(|place| kept.contains(&segments[*place].seq));
    let sealed = all.iter().filter(|record| record.3);
    let whole = sealed.filter(|record| {
        left.iter().map(|place| &segments[*place]).any(|segment| {
            let from = record.1.wrapping_sub(segment.seq) as usize;
            record.0 == segment.source_port && from + record.2.len() <= segment.payload.len()
        })
    });
    let whole = whole.count() as u64;
    assert!(whole >= clients.len() as u64, "{whole}");
    let said = stats(&keys, &without(&capture, &lost));
    assert_eq!(counter(&said, "decrypted.records"), whole, "{said}");
    assert_eq!(counter(&said, "decrypted.no_fit"), 0, "{said}");
}

/// The connections begin before the capture, and the client's change of the cipher was captured before what the server said ahead of it.
#[test]
fn a_change_of_the_cipher_waits_for_a_server_that_is_looked_behind() {
    let (capture, keys) = of("tls12-chacha");
    let (_, records) = common::pcap(&capture);
    let mut packets = Vec::new();
    let mut from = 24;
    for record in &records {
        packets.push(&capture[from..record.end]);
        from = record.end;
    }
    let segments = common::segments(&capture);
    let first = |server: bool, nth: usize| {
        let of = |place: &usize| (segments[*place].source_port == 443) == server;
        let mut data = (0..segments.len())
            .filter(|place| !segments[*place].payload.is_empty())
            .filter(of);
        data.nth(nth).expect("a segment")
    };
    let (hello, change) = (first(true, 0), first(false, 1));
    assert!(hello < change);
    // The first exchange: what follows would end the looking behind by its amount.
    packets.truncate(first(true, 2) + 1);
    let whole = [&capture[..24], &packets.concat()].concat();
    // They come in another order at the times of those in whose places they stand.
    let times: Vec<_> = packets.iter().map(|packet| packet[..8].to_vec()).collect();
    packets[hello..=change].rotate_right(1);
    let mut packets: Vec<_> = times
        .into_iter()
        .zip(packets)
        .map(|(time, packet)| [&time, &packet[8..]].concat())
        .collect();
    // Without the packets that open it, and with one that comes when the client has been looked behind, and the server has not.
    packets.drain(..3);
    let word = |at: usize| {
        u64::from(u32::from_le_bytes(
            packets[0][at..at + 4].try_into().expect("four"),
        ))
    };
    let mut others = common::build::Pcap::new();
    others.now = word(0) * 1_000_000 + word(4) + 200_000;
    others.datagram(
        common::build::CLIENT,
        common::build::SERVER,
        b"time goes on",
    );
    packets.push(others.file[24..].to_vec());
    let damaged = [&capture[..24], &packets.concat()].concat();
    let opened = |capture: &[u8]| counter(&stats(&keys, capture), "decrypted.records");
    assert_eq!(opened(&damaged), opened(&whole));
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
fn the_right_key_is_found_among_thousands_also_without_a_hello() {
    let (capture, keys) = of("tls13-aes256");
    let sealed = records(&capture).iter().filter(|record| record.3).count() as u64;
    let mut all: String = (0..4000)
        .map(|n| format!("CLIENT_RANDOM {n:064x} {n:096x}\n"))
        .collect();
    let middle = all.len() / 2;
    let middle = middle - middle % (all.len() / 4000);
    all.insert_str(middle, &fs::read_to_string(keys).expect("keys"));
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("keys");
    fs::write(&path, all).expect("keys");
    let path = path.display().to_string();
    assert_eq!(
        counter(&stats(&path, &capture), "decrypted.records"),
        sealed
    );
    let hello = common::segments(&capture)
        .iter()
        .position(|segment| !segment.payload.is_empty());
    let without_hello = without(&capture, &[hello.expect("a hello")]);
    assert_eq!(
        counter(&stats(&path, &without_hello), "decrypted.records"),
        sealed
    );
}

#[test]
fn no_secret_comes_out() {
    for (name, capture, keys) in captures() {
        let text = fs::read_to_string(&keys).expect("keys");
        let keys = keys.display().to_string();
        let dir = tempdir().expect("a folder");
        let files = dir.path().join("files").display().to_string();
        let args = [
            "-x",
            &files,
            "--certificates",
            "--keylog-wait=1s",
            "-j",
            "-vv",
            "-s=all",
            "--trace",
            "tcp",
            "--json-body=text",
            "--keylog",
            &keys,
            "-",
        ];
        let done = run(args, &capture);
        done.code(0);
        let written = common::files(&dir.path().join("files"));
        let written = written.into_iter().map(|(_, octets)| octets);
        let octets = [
            done.stdout,
            done.stderr.into_bytes(),
            written.collect::<Vec<_>>().concat(),
        ]
        .concat();
        let all = String::from_utf8_lossy(&octets).to_lowercase();
        let saved = run(["--save-config", "--keylog", &keys], b"");
        let saved = String::from_utf8_lossy(&saved.stdout).into_owned();
        let mut secrets = 0;
        for line in text.lines() {
            let Some(secret) = line.split(' ').nth(2).filter(|_| !line.starts_with('#')) else {
                continue;
            };
            secrets += 1;
            assert!(
                !all.contains(secret) && !saved.contains(secret),
                "{name}: {line}"
            );
            let half: Vec<u8> = (0..32)
                .step_by(2)
                .map(|at| u8::from_str_radix(&secret[at..at + 2], 16).expect("digits"))
                .collect();
            assert!(!common::contains(&octets, &half), "{name}: {line}");
        }
        assert!(secrets > 0, "{name}");
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

/// A pcapng capture with a key log in it: ahead of the packets, and behind all of them.
fn with_secrets(name: &str, dir: &Path) -> [Vec<u8>; 2] {
    let (_, keys) = of(name);
    let with = dir.join("with.pcapng");
    let plain = testdata("tls").join(name).with_extension("pcap");
    let done = Command::new("editcap")
        .args(["--inject-secrets", &format!("tls,{keys}")])
        .args([&plain, &with])
        .status();
    assert!(done.expect("editcap").success());
    let capture = common::read(&with);
    let (mut at, mut behind, mut secrets) = (0, Vec::new(), Vec::new());
    while let Some(len) = capture.get(at + 4..at + 8) {
        let len = u32::from_le_bytes(len.try_into().expect("four")) as usize;
        let block = &capture[at..at + len];
        let to = if block.starts_with(&[10, 0, 0, 0]) {
            &mut secrets
        } else {
            &mut behind
        };
        to.extend(block);
        at += len;
    }
    behind.extend(secrets);
    assert_eq!(behind.len(), capture.len());
    [capture, behind]
}

#[test]
fn keys_behind_their_packets_open_them() {
    let dir = tempdir().expect("a folder");
    let [ahead, behind] = with_secrets("tls13-aes256", dir.path());
    let opened = run(["-p", "-"], &ahead).text();
    let plain = run(["-p", "--tls", "records", "-"], &ahead).text();
    assert_ne!(opened, plain);
    // Of a file they are known before its packets are read, also where it is the standard input.
    let path = dir.path().join("behind.pcapng");
    fs::write(&path, &behind).expect("a file");
    assert_eq!(run(["-p", &path.display().to_string()], b"").text(), opened);
    let mut command = inet_asm(["-p", "-"]);
    command.stdin(fs::File::open(&path).expect("a file"));
    assert_eq!(
        String::from_utf8_lossy(&command.output().expect("runs").stdout),
        opened
    );
    // Also of one that is compressed.
    let packed = dir.path().join("behind.pcapng.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&behind).expect("memory");
    fs::write(&packed, gzip.finish().expect("memory")).expect("a file");
    assert_eq!(
        run(["-p", &packed.display().to_string()], b"").text(),
        opened
    );
    // Two captures of one run: those of the second open the first.
    let first = testdata("tls/tls13-aes256.pcap").display().to_string();
    let both = run(["-p", &first, &path.display().to_string()], b"").text();
    assert!(!both.contains("application data"), "{both}");
    // Of a pipe, as far as packets wait for them.
    assert_eq!(run(["-p", "-"], &behind).text(), plain);
    let done = run(["-p", "-s", "--keylog-wait", "1h", "-"], &behind);
    assert_eq!(String::from_utf8_lossy(&done.stdout), opened);
    // When the packets of the second connection are looked at, its key has come with that of the first.
    assert_eq!(counter(&done.stderr, "decrypted.awaited"), 1);
    assert_eq!(counter(&done.stderr, "decrypted.awaited_in_vain"), 0);
    // Who does not want them opened does not get that.
    let records = run(["-p", "--tls", "records", &path.display().to_string()], b"");
    assert_eq!(records.text(), plain);
}

/// Records that no key was there for are passed by, and count among those before the next.
#[test]
fn a_key_that_comes_in_the_middle_opens_all_that_follows() {
    let dir = tempdir().expect("a folder");
    for name in ["tls13-aes256", "tls12-gcm"] {
        let [_, behind] = with_secrets(name, dir.path());
        let (mut packets, mut rest) = (Vec::new(), &behind[..]);
        while let Some(len) = rest.get(4..8) {
            let len = u32::from_le_bytes(len.try_into().expect("four")) as usize;
            let (block, others) = rest.split_at(len);
            packets.push(block);
            rest = others;
        }
        let secrets = packets.pop().expect("secrets");
        let count = |blocks: &[&[u8]]| {
            let args = ["-n", "-s", "--keylog", "/dev/null", "-"];
            let said = run(args, &blocks.concat()).stderr;
            let of = |counter_name| counter(&said, counter_name);
            (
                of("decrypted.records"),
                of("decrypted.no_key"),
                of("decrypted.no_fit"),
            )
        };
        let with_secrets_at = |place| {
            let mut blocks = packets.clone();
            blocks.insert(place, secrets);
            count(&blocks)
        };
        let (all, ..) = with_secrets_at(2);
        for middle in [8, 10, 12, 14] {
            let (opened, before, unfit) = with_secrets_at(middle);
            assert_eq!((opened + before, unfit), (all, 0), "{name} {middle}");
        }
    }
}

#[test]
fn keys_of_a_program_are_read_to_their_end() {
    let (_, keys) = of("tls12-gcm");
    let capture = testdata("tls/tls12-gcm.pcap");
    let run_shell = |keylog: &str| {
        let program = env!("CARGO_BIN_EXE_inet-asm");
        let line = format!("'{program}' -p '{}' {keylog}", capture.display());
        let done = Command::new("bash").args(["-c", &line]).output();
        String::from_utf8(done.expect("bash").stdout).expect("text")
    };
    let opened = run_shell(&format!("--keylog '{keys}'"));
    assert!(opened.contains("HTTP/1.1 200 OK"));
    assert_eq!(
        run_shell(&format!("--keylog <(sleep 0.3; cat '{keys}')")),
        opened
    );
    // Also a last line that nothing ends, and lines that end as they once did.
    for through in ["head -c -1", "tr '\\n' '\\r'"] {
        let program = format!("--keylog <({through} < '{keys}')");
        assert_eq!(run_shell(&program), opened, "{through}");
    }
}

/// Whether it is known how long it was or not, at the beginning as well.
#[test]
fn a_response_that_is_missing_leaves_the_others_theirs() {
    let names = [
        "tls11-cbc",
        "tls12-cbc",
        "tls12-gcm",
        "tls13-aes256",
        "tls13-chacha",
    ];
    for name in names {
        let (capture, keys) = of(name);
        let segments = common::segments(&capture);
        let sealed = |place: usize, port: u16| {
            let segment: Option<&common::Segment> = segments.get(place);
            segment.is_some_and(|one| one.source_port == port && one.payload.first() == Some(&23))
        };
        // The first request, and what follows it of the server.
        let request = (0..segments.len()).find(|place| sealed(*place, 10000));
        let first = request.expect("a request") + 1;
        let response: Vec<_> = (first..).take_while(|place| sealed(*place, 443)).collect();
        assert!(!response.is_empty());
        let args = [
            "--table=http",
            "--fields",
            "uri,status,response_bytes",
            "--keylog",
            &keys,
            "-",
        ];
        let rows = |capture: &[u8]| {
            let text = run(args, capture).text();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let mut expected = rows(&capture);
        let there = expected
            .iter_mut()
            .find(|row| row.starts_with("/0/small\t"));
        *there.expect("the first exchange") = "/0/small\t\t".to_owned();
        expected.sort();
        let mut found = rows(&without(&capture, &response));
        found.sort();
        assert_eq!(found, expected, "{name}");
    }
}

/// Neighbours that were captured the other way round: the acknowledgments say what answers what, inside of the records too.
#[test]
fn a_response_that_was_captured_ahead_of_its_request_answers_it() {
    for name in ["tls12-gcm", "tls13-aes256", "tls10-cbc"] {
        let (capture, keys) = of(name);
        let fields = "uri,status,response_bytes,whole";
        let table = |capture: &[u8]| {
            let args = ["--table=http", "--fields", fields, "--keylog", &keys, "-"];
            run(args, capture).text()
        };
        let expected = table(&capture);
        assert!(expected.lines().count() > 2);
        let segments = common::segments(&capture);
        let (_, packets) = common::pcap(&capture);
        let mut swapped = 0;
        for place in 1..segments.len() {
            let [one, other] = [&segments[place - 1], &segments[place]];
            let data = |of: &common::Segment| of.payload.first() == Some(&23);
            if one.source_port == other.source_port || !data(one) || !data(other) {
                continue;
            }
            let ends = [place - 2, place - 1, place].map(|at| packets[at].end);
            let (first, second) = (&capture[ends[0]..ends[1]], &capture[ends[1]..ends[2]]);
            let changed = [&capture[..ends[0]], second, first, &capture[ends[2]..]].concat();
            assert_eq!(table(&changed), expected, "{name} {place}");
            swapped += 1;
        }
        assert!(swapped > 1, "{name}");
    }
}

#[test]
fn a_key_that_comes_late_opens_what_waited_for_it_or_is_counted() {
    let (capture, keys) = of("tls12-gcm");
    let dir = tempdir().expect("a folder");
    let fifos = ["waits", "too-late"].map(|name| dir.path().join(name));
    let made = Command::new("mkfifo").args(&fifos).status();
    assert!(made.expect("mkfifo").success());
    let opened = run(["-p", "--keylog", &keys, "-"], &capture).ok();
    let plain = run(["-p", "-"], &capture).ok();
    // The keys come two seconds late; `ends`: all that comes of the connections, and the end of the input, comes before any of them.
    let late = |fifo: &Path, wait: &[&str], ends: bool| {
        let path = fifo.display().to_string();
        let args = [&["-p", "-s", "--live", "--keylog", &path][..], wait, &["-"]].concat();
        let mut child = common::start(&mut inet_asm(args));
        let mut stdin = child.stdin.take();
        stdin
            .as_mut()
            .expect("stdin")
            .write_all(&capture)
            .expect("written");
        if ends {
            stdin = None;
        }
        thread::sleep(Duration::from_secs(2));
        let mut fifo = fs::File::options().write(true).open(fifo);
        fifo.as_mut()
            .expect("the key log")
            .write_all(&fs::read(&keys).expect("keys"))
            .expect("written");
        drop((fifo, stdin));
        child.wait_with_output().expect("ends")
    };
    let (done, too_late) = thread::scope(|scope| {
        let waits = scope.spawn(|| late(&fifos[0], &["--keylog-wait", "20s"], true));
        // What waits by itself waits for one second.
        let too_late = late(&fifos[1], &[], false);
        (waits.join().expect("no panic"), too_late)
    });
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.stdout, opened, "{said}");
    assert_eq!(counter(&said, "decrypted.awaited_in_vain"), 0);
    assert!(counter(&said, "decrypted.awaited") > 0);
    let said = String::from_utf8_lossy(&too_late.stderr).into_owned();
    assert_eq!(too_late.stdout, plain, "{said}");
    let awaited = counter(&said, "decrypted.awaited");
    assert!(awaited > 0);
    assert_eq!(counter(&said, "decrypted.awaited_in_vain"), awaited);
    // By the times of the capture nothing waits for longer than its packets say.
    let none = dir.path().join("none");
    fs::write(&none, "").expect("a file");
    let none = none.display().to_string();
    let done = run(
        ["-p", "-s", "--keylog-wait", "5ms", "--keylog", &none, "-"],
        &capture,
    );
    assert_eq!(done.stdout, plain);
    let awaited = counter(&done.stderr, "decrypted.awaited");
    assert!(awaited > 0);
    assert_eq!(counter(&done.stderr, "decrypted.awaited_in_vain"), awaited);
    assert_eq!(counter(&done.stderr, "decrypted.awaited_full"), 0);
    assert_eq!(counter(&done.stderr, "buffer.waiting"), 0);
}

/// The objects of connections, as `-j` writes them.
fn connections(args: &[&str], capture: &[u8]) -> Vec<serde_json::Value> {
    let text = run([args, &["-j", "-"]].concat(), capture).text();
    common::objects(&text)
        .filter(|object| object["type"] == "connection")
        .collect()
}

#[test]
fn connections_say_what_tls_they_have() {
    let some = [
        "tls10-cbc",
        "tls12-gcm",
        "tls12-renegotiated",
        "tls13-aes256",
        "tls13-retry",
    ];
    let all = captures().into_iter();
    for (name, capture, keys) in all.filter(|(name, ..)| some.contains(&name.as_str())) {
        let keys = keys.display().to_string();
        let open = connections(&["--keylog", &keys], &capture);
        let closed = connections(&[], &capture);
        assert_eq!(open.len(), closed.len());
        let version = format!("1.{}", &name[4..5]);
        // Of each connection: a client that is asked for another hello has shown itself with the first, and then the server says its own.
        let fields = |kind: &str, field: &str, first: bool| -> Vec<String> {
            let filter = format!("tls.handshake.type=={kind}");
            let options = ["-d", "tcp.port==9001,tls"];
            let mut of: Vec<(String, String)> = Vec::new();
            for row in fields(&filter, &["tcp.stream", field], &options, &capture) {
                match of.last_mut().filter(|(stream, _)| *stream == row[0]) {
                    Some(_) if first => {}
                    Some(last) => last.1.clone_from(&row[1]),
                    None => of.push((row[0].clone(), row[1].clone())),
                }
            }
            of.into_iter().map(|(_, value)| value).collect()
        };
        let said = |from: &[serde_json::Value], field: &str| -> Vec<String> {
            let all = from.iter().map(|one| one["tls"][field].as_str());
            all.map(|text| text.unwrap_or("null").to_owned()).collect()
        };
        assert_eq!(
            said(&closed, "ja3"),
            fields("1", "tls.handshake.ja3", true),
            "{name}"
        );
        assert_eq!(
            said(&closed, "ja3s"),
            fields("2", "tls.handshake.ja3s", false),
            "{name}"
        );
        for connection in open.iter().chain(&closed) {
            let tls = &connection["tls"];
            assert_eq!(tls["version"], version.as_str(), "{name}");
            assert!(
                tls["cipher"]
                    .as_str()
                    .is_some_and(|name| name.starts_with("TLS_"))
            );
            assert_eq!(tls["sni"], "localhost");
            let ja4 = tls["ja4"].as_str().expect("a fingerprint");
            assert_eq!((ja4.len(), &ja4[3..4]), (36, "d"), "{ja4}");
        }
        // The one certificate of each capture; in TLS 1.3 it is encrypted, and a session that is resumed shows none.
        let shown = |all: &[serde_json::Value]| -> BTreeSet<String> {
            let chains = all.iter().flat_map(|one| {
                one["tls"]["certificates"]
                    .as_array()
                    .expect("a list")
                    .clone()
            });
            chains
                .map(|one| {
                    assert_eq!(one["subject"], "CN=localhost", "{name}");
                    one["sha256"].as_str().expect("a sum").to_owned()
                })
                .collect()
        };
        assert_eq!(shown(&open).len(), 1, "{name}");
        assert_eq!(
            shown(&closed).len(),
            usize::from(version != "1.3"),
            "{name}"
        );
        let dir = tempdir().expect("a folder");
        let to = dir.path().join("files").display().to_string();
        run(
            ["-n", "-x", &to, "--certificates", "--keylog", &keys, "-"],
            &capture,
        )
        .code(0);
        let der = common::read(&dir.path().join("files/localhost.der"));
        assert!(shown(&open).contains(&sha256(&der)), "{name}");
        let table = run(["--table=connections", "--keylog", &keys, "-"], &capture).text();
        assert!(
            table.contains(&version) && table.contains("localhost"),
            "{table}"
        );
    }
}

/// What the objects of a run say of each message and exchange, but for when and on which ports, by the number that the client's port begins with.
fn said_inside(args: &[&str]) -> BTreeMap<u64, Vec<serde_json::Value>> {
    let folder = testdata("tls/inside");
    let mut command = inet_asm(["-q", "-j"]);
    let out = command.args(args).current_dir(folder).output();
    let out = out.expect("runs").stdout;
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for mut object in common::objects(&String::from_utf8(out).expect("text")) {
        let fields = object.as_object_mut().expect("an object");
        let sealed = fields.remove("decrypted").is_some() || args.len() == 1;
        let ports = ["src_port", "dst_port"].map(|name| fields.remove(name));
        let client = ports.into_iter().flatten().filter_map(|port| port.as_u64());
        let client = client.max().expect("a port");
        for name in [
            "time",
            "ts",
            "frame",
            "first_time",
            "first_frame",
            "connection",
            "acknowledged",
            "acknowledged_at",
            "request_frame",
            "response_frame",
            "delay",
            "duration",
        ] {
            fields.remove(name);
        }
        if sealed && matches!(object["type"].as_str(), Some("message" | "exchange")) {
            all.entry(client).or_default().push(object);
        }
    }
    all
}

#[test]
fn what_is_spoken_in_tls_is_found_as_in_clear() {
    let clear = said_inside(&["clear.pcap"]);
    assert_eq!(clear.len(), 23);
    let keys = ["--keylog", "sealed.keys", "sealed.pcap"];
    assert_eq!(said_inside(&keys), clear);
    // Readers find it too, and the comment has the port that it had.
    let folder = testdata("tls/inside");
    let read = |args: &[&str]| {
        let mut command = inet_asm(["-q", "-w", "-", "--format", "pcapng"]);
        let out = command.args(args).current_dir(&folder).output();
        let columns = ["tcp.port", "_ws.col.Protocol", "frame.comment"];
        let mut lines = fields("tcp.len > 0", &columns, &[], &out.expect("runs").stdout);
        lines.retain(|line| line[2].starts_with("decrypted: ") == (args.len() > 1));
        lines
    };
    let (clear, sealed) = (read(&["clear.pcap"]), read(&keys));
    let columns = |lines: &[Vec<String>]| -> Vec<_> {
        // Of the ports the client's: that of a server with HTTP may have been another one.
        let client = |line: &Vec<String>| {
            line[0]
                .split(',')
                .find(|port| port.starts_with("100"))
                .map(str::to_owned)
        };
        lines
            .iter()
            .map(|line| (client(line), line[1].clone()))
            .collect()
    };
    let mut protocols = [columns(&clear), columns(&sealed)];
    protocols.iter_mut().for_each(|all| all.sort());
    assert_eq!(protocols[0], protocols[1]);
    let dot = sealed
        .iter()
        .find(|line| line[1] == "DNS")
        .expect("DNS over TLS");
    assert_eq!(dot[0], "10000,53");
    assert_eq!(dot[2], "decrypted: TLS between ports 10000 and 853");
}

/// The body of a response ends with the connection: it is whole only if no record before that is missing, or is not opened.
#[test]
fn what_ends_with_the_connection_is_whole_only_without_a_missing_record() {
    let folder = testdata("tls/inside");
    let capture = common::read(&folder.join("sealed.pcap"));
    let segments = common::segments(&capture);
    let client = segments
        .iter()
        .map(|segment| segment.source_port)
        .filter(|port| *port != 443)
        .rfind(|port| *port >= 10000);
    let client = client.expect("a client");
    let to = destinations(&capture);
    let of = (0..segments.len())
        .filter(|place| segments[*place].source_port == client || to[*place] == client);
    let of: Vec<_> = of.collect();
    let others: Vec<_> = (0..segments.len())
        .filter(|place| !of.contains(place))
        .collect();
    let response = |lost: &[usize]| {
        let lost = [&others[..], lost].concat();
        let keys = folder.join("sealed.keys").display().to_string();
        let out = run(
            ["-q", "-j", "--keylog", &keys, "-"],
            &without(&capture, &lost),
        )
        .text();
        let objects = common::objects(&out);
        let mut responses = objects.filter(|object| {
            object["type"] == "message"
                && object["kind"] == "response"
                && object["protocol"] == "http"
        });
        responses.next().map(|object| {
            (
                object["whole"] == true,
                object["octets"].as_u64().expect("octets"),
            )
        })
    };
    let (whole, all) = response(&[]).expect("a response");
    assert!(whole && all > 1500);
    let mut cut = 0;
    for place in &of {
        // Each packet is lost by itself, and with all that come behind it in its direction, but for what ends the connection.
        let port = segments[*place].source_port;
        let behind = of.iter().copied().filter(|other| {
            other >= place
                && segments[*other].source_port == port
                && !segments[*other].payload.is_empty()
        });
        for lost in [vec![*place], behind.collect()] {
            if let Some((whole, octets)) = response(&lost) {
                assert!(
                    !whole || octets == all,
                    "without {lost:?}: {octets} of {all}"
                );
                cut += u64::from(!whole);
            }
        }
    }
    assert!(cut >= 4, "{cut}");
}

#[test]
fn what_both_ends_agreed_on_tells_what_is_inside() {
    let (capture, keys) = of("tls13-retry");
    let packets = run(["--keylog", &keys, "-w", "-", "-"], &capture).ok();
    let http = fields("http", &["tcp.port"], &[], &packets);
    assert_eq!(http.len(), 2);
    assert!(
        http.iter()
            .all(|ports| ports[0].split(',').any(|port| port == "80")),
        "{http:?}"
    );
    let agreed = |keys: &[&str]| connections(keys, &capture)[0]["tls"]["alpn"].clone();
    assert_eq!(agreed(&["--keylog", &keys]), "http/1.1");
    assert!(agreed(&[]).is_null());
}

#[test]
fn keys_that_are_agreed_on_anew_open_what_follows_also_behind_a_loss() {
    let (capture, keys) = of("tls12-renegotiated");
    let all = records(&capture);
    let sealed = all.iter().filter(|record| record.3).count() as u64;
    // The changes of the cipher behind the first are encrypted too.
    let changes = all.iter().filter(|record| record.2[0] == 20).count() as u64 - 2;
    assert_eq!(changes, 4);
    let opened = |capture: &[u8]| counter(&stats(&keys, capture), "decrypted.records");
    assert_eq!(opened(&capture), sealed + changes);
    // Without a packet of application data all but its record are opened.
    let segments = common::segments(&capture);
    let data = segments
        .iter()
        .enumerate()
        .filter(|(_, segment)| segment.payload.first() == Some(&23));
    let places: Vec<_> = data.map(|(place, _)| place).collect();
    assert_eq!(places.len(), 5);
    for place in places {
        assert_eq!(
            opened(&without(&capture, &[place])),
            sealed + changes - 1,
            "{place}"
        );
    }
    // Without a change of the cipher, and what stands in its packet: what follows has the keys that it changes to.
    let mut changed = 0;
    for (place, segment) in segments.iter().enumerate() {
        let (mut rest, mut types) = (&segment.payload[..], Vec::new());
        while let [kind, 3, 3, hi, lo, behind @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*hi, *lo]));
            types.push((*kind, len));
            rest = &behind[len..];
        }
        if types.iter().any(|(kind, len)| *kind == 20 && *len > 1) {
            let left = opened(&without(&capture, &[place]));
            assert_eq!(left, sealed + changes - types.len() as u64, "{place}");
            changed += 1;
        }
    }
    assert_eq!(changed, changes);
}

#[test]
fn a_session_that_is_resumed_is_opened_with_the_secret_of_the_first() {
    let (capture, keys) = of("tls12-resumed");
    let secrets = fs::read_to_string(&keys).expect("a key log");
    let line = |line: &&str| line.starts_with("CLIENT_RANDOM");
    assert_eq!(secrets.lines().filter(line).count(), 2);
    let sealed = records(&capture).iter().filter(|record| record.3).count() as u64;
    let dir = tempdir().expect("a folder");
    let counters = |capture: &[u8], file: &str| {
        let (keys, state) = (keys.as_str(), dir.path().join(file).display().to_string());
        let args = ["-n", "-s", "--keylog", keys, "--state", &state, "-"];
        counter(&run(args, capture).stderr, "decrypted.records")
    };
    assert_eq!(counters(&capture, "whole"), sealed);
    // Also where another run has heard the first.
    let (_, packets) = common::pcap(&capture);
    let middle = packets[packets.len() / 2].end;
    counters(&capture[..middle], "state");
    let rest = [&capture[..24], &capture[middle..]].concat();
    assert_eq!(counters(&rest, "state"), sealed);
    // A session that nobody has heard is not made up.
    let from = packets[10].end;
    let rest = [&capture[..24], &capture[from..]].concat();
    let said = stats(&keys, &rest);
    assert!(counter(&said, "decrypted.no_key") > 0);
    assert_eq!(counter(&said, "decrypted.no_fit"), 0);
}

#[test]
fn the_port_of_what_was_encrypted_can_be_chosen() {
    let (capture, keys) = of("tls12-gcm");
    let args = [
        "--keylog",
        &keys,
        "--decrypted-port",
        "8080",
        "-w",
        "-",
        "-",
    ];
    let packets = run(args, &capture).ok();
    let ports: BTreeSet<_> = fields("http.request", &["tcp.dstport"], &[], &packets)
        .concat()
        .into_iter()
        .collect();
    assert_eq!(ports, BTreeSet::from(["8080".to_owned()]));
}
