//! Two ways to the same messages: with and without the SYNs of a capture, from the capture and from what was written of it,
//! whole and as the snapshot length left it. And no message is later than the last packet that brought octets of it.

use crate::common::build::{CLIENT, Pcap, SERVER};
use crate::common::{self, CAPTURES, feed, inet_asm, pcap, run, shared_captures};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compared of a message.
#[derive(Clone, Debug, PartialEq)]
struct Message {
    protocol: String,
    len: Option<u64>,
    octets: u64,
    whole: bool,
    summary: String,
    time: String,
    offset: u64,
}

type Streams = BTreeMap<String, Vec<Message>>;

/// The messages over TCP, by their streams.
fn streams(capture: &[u8]) -> Streams {
    let mut all = Streams::new();
    let out = run(["-j"], capture).stdout;
    for line in String::from_utf8_lossy(&out).lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if line["type"] != "message" || line["transport"] != "tcp" {
            continue;
        }
        let stream = ["src", "src_port", "dst", "dst_port", "vlans"];
        let stream: Vec<String> = stream.iter().map(|key| line[*key].to_string()).collect();
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        all.entry(stream.join(" ")).or_default().push(Message {
            protocol: text("protocol"),
            len: line["length"].as_u64(),
            octets: line["octets"].as_u64().unwrap_or(0),
            whole: line["whole"] == true,
            summary: text("summary"),
            // Outputs are written in nanoseconds, whatever the input had.
            time: text("time").trim_end_matches(['Z', '0']).to_owned(),
            offset: line["offset"].as_u64().unwrap_or(0),
        });
    }
    all
}

/// Our own captures.
fn own_captures() -> Vec<PathBuf> {
    CAPTURES.iter().map(common::Capture::path).collect()
}

fn name(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The capture with the packets that a filter of tshark lets through.
fn filtered(path: &Path, filter: &str) -> Vec<u8> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(path);
    command.args(["-Y", filter, "-F", "pcapng", "-w", "-"]);
    feed(&mut command, &[]).stdout
}

/// Streams of Kafka from the middle, some with a response or two: a length and a number. Behind the SYN that `--handshake` writes the
/// port is enough to believe such a header; in the middle it is not.
const FROM_THE_MIDDLE: &str = "nDPI--kafka";

/// Captures in which streams without their SYNs are other streams.
const OTHERS: [&str; 4] = [
    // Segments without an octet have padding in it that was captured as payload, so messages of any protocol are cut by it.
    "nDPI--heuristic_tcp_ack_payload",
    // What one side sends is no frame of what the other one speaks: in the middle it may be the rest of one.
    "ICS-Security-Tools--dnp3_test_data_part1",
    // A run of no known protocol is all that stands behind the hole: whether it begins there tells the number of its SYN alone.
    "suricata-verify--tcp-simple-gap2",
    "zeek--reassembly",
];

#[test]
fn without_their_syns_streams_give_the_same_messages_but_the_first() {
    without_their_syns_streams_give_the_same_messages_but_the_first_of(&common::third(
        own_captures(),
        1,
    ));
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn without_their_syns_streams_give_the_same_messages_but_the_first_in_shared_captures() {
    without_their_syns_streams_give_the_same_messages_but_the_first_of(&common::third(
        shared_captures(),
        0,
    ));
}

fn without_their_syns_streams_give_the_same_messages_but_the_first_of(captures: &[PathBuf]) {
    let mut compared = 0;
    for path in captures {
        let name = name(path);
        if OTHERS.contains(&name.as_str()) {
            continue;
        }
        let with = streams(&common::read(path));
        let without = streams(&filtered(path, "!(tcp.flags.syn == 1)"));
        for (stream, expected) in &with {
            let strip = |message: &Message| Message {
                // Without a SYN offsets are counted from the first octet that was captured.
                offset: 0,
                ..message.clone()
            };
            let expected: Vec<_> = expected.iter().skip(1).map(strip).collect();
            let found = without.get(stream).cloned().unwrap_or_default();
            let found: Vec<_> = found.iter().map(strip).collect();
            let rest = found.len().saturating_sub(expected.len());
            assert!(
                found.ends_with(&expected) && rest <= 1,
                "{name}, {stream}: {found:#?}, not {expected:#?}"
            );
            compared += expected.len();
        }
    }
    assert!(compared > 10, "{compared}");
}

/// The packet of a message that lacks octets ends at the first of them.
fn is_damaged(messages: &[Message]) -> bool {
    messages.iter().any(|message| !message.whole)
}

#[test]
fn what_was_written_gives_the_same_messages_again() {
    what_was_written_gives_the_same_messages_again_of(&own_captures());
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn what_was_written_gives_the_same_messages_again_in_shared_captures() {
    what_was_written_gives_the_same_messages_again_of(&common::third(shared_captures(), 1));
}

fn what_was_written_gives_the_same_messages_again_of(captures: &[PathBuf]) {
    let mut compared = 0;
    for path in captures {
        if name(path) == OTHERS[0] || name(path) == FROM_THE_MIDDLE {
            continue;
        }
        let capture = common::read(path);
        let expected = streams(&capture);
        let written = run(["--handshake", "--timestamps", "original"], &capture).stdout;
        let found = streams(&written);
        for (stream, expected) in expected.iter().filter(|(_, all)| !is_damaged(all)) {
            let found = found.get(stream).map_or(&[][..], Vec::as_slice);
            // Packets without an octet of a message are not written, so offsets differ where something was left out.
            let strip = |all: &[Message]| -> Vec<Message> {
                let all = all.iter().cloned();
                all.map(|message| Message {
                    offset: 0,
                    ..message
                })
                .collect()
            };
            let name = name(path);
            assert_eq!(strip(found), strip(expected), "{name}, {stream}");
            compared += expected.len();
        }
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn no_message_is_later_than_its_last_packet() {
    no_message_is_later_than_its_last_packet_of(&common::third(own_captures(), 0));
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn no_message_is_later_than_its_last_packet_in_shared_captures() {
    no_message_is_later_than_its_last_packet_of(&common::third(shared_captures(), 2));
}

fn no_message_is_later_than_its_last_packet_of(captures: &[PathBuf]) {
    let mut compared = 0;
    for path in captures {
        let table = |path: &Path, fields: &[&str]| -> Vec<Vec<String>> {
            let mut command = Command::new("tshark");
            command.arg("-r").arg(path).args(["-T", "fields"]);
            for field in fields {
                command.args(["-e", field]);
            }
            let out = feed(&mut command, &[]).stdout;
            let text = String::from_utf8_lossy(&out).into_owned();
            let rows = text
                .lines()
                .map(|line| line.split('\t').map(str::to_owned).collect());
            rows.collect()
        };
        let times = table(path, &["frame.time_epoch"]);
        let dir = tempfile::tempdir().expect("tempdir");
        let output = dir.path().join("out.pcapng");
        let options = ["--track", "--timestamps", "original", "-w"];
        let mut command = inet_asm(options);
        command.arg(&output).arg(path);
        feed(&mut command, &[]);
        for row in table(&output, &["frame.time_epoch", "frame.comment"]) {
            let [time, comment] = row.as_slice() else {
                continue;
            };
            let Some((_, track)) = comment.split_once("track: ") else {
                continue;
            };
            let places = track
                .split([' ', '\\'])
                .map_while(|run| run.split_once('+'));
            let frames = places.filter_map(|(place, _)| place.split(':').next()?.parse().ok());
            let frames: Vec<usize> = frames.collect();
            // A frame that tshark does not read, or whose time it cannot show.
            let number = |text: &String| text.parse::<f64>().ok();
            let shown = |frame: &usize| number(times.get(frame - 1)?.first()?);
            let Some(expected) = frames.iter().filter_map(shown).reduce(f64::max) else {
                continue;
            };
            assert_eq!(number(time), Some(expected), "{}: {comment}", name(path));
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn what_the_snapshot_length_has_left_of_heads_is_believed() {
    // Protocols that are told by their first octets, where all of these are there.
    for (capture, protocol) in [("http-keepalive", "http"), ("http-post", "http")] {
        let path = common::testdata(&format!("{capture}.pcap"));
        let whole = streams(&common::read(&path));
        let mut command = Command::new("editcap");
        command.args(["-s", "96", "-F", "pcap"]).arg(path).arg("-");
        let snapped = streams(&feed(&mut command, &[]).stdout);
        for (stream, messages) in whole {
            let found = snapped.get(&stream).cloned().unwrap_or_default();
            for message in messages.iter().filter(|m| m.protocol == protocol) {
                let there = found.iter().find(|m| m.offset == message.offset);
                let there = there.map(|m| m.protocol.as_str());
                assert_eq!(
                    there,
                    Some(protocol),
                    "{capture}, {stream}, {}",
                    message.offset
                );
            }
        }
    }
}

#[test]
fn a_user_message_that_was_held_has_the_time_of_its_packet() {
    // An association from the middle: its first chunks wait for those that might belong before them.
    let data = |tsn: u32, ssn: u16| {
        let mut packet = Vec::new();
        packet.extend([40_000_u16.to_be_bytes(), 9998_u16.to_be_bytes()].concat());
        packet.extend([[0, 0, 0, 7], [0, 0, 0, 0]].concat());
        packet.extend([0, 3, 0, 24]);
        packet.extend(tsn.to_be_bytes());
        packet.extend([[0, 1], ssn.to_be_bytes(), [0, 0], [0, 0]].concat());
        packet.extend(b"12345678");
        packet
    };
    let mut capture = Pcap::new();
    let mut times = Vec::new();
    for n in 0..4_u16 {
        capture.wait(10_000);
        let packet = capture.ip(CLIENT.0, SERVER.0, 132, &data(1000 + u32::from(n), n));
        capture.packet(&packet);
        times.push(capture.now * 1000);
    }
    let out = run::<&str>([], &capture.file).ok();
    let (_, records) = pcap(&out);
    let came: Vec<u64> = records.iter().map(|record| record.time).collect();
    assert_eq!(came, times);
}
