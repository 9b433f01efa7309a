//! Stream files of hand-made streams.

use super::stream::DumpedStream;
use super::template::{DEFAULT_TEMPLATE, Template};
use crate::base::flow::{Direction, Transport};
use crate::base::packet::VlanTag;
use crate::base::place::OctetOffset;
use crate::base::stream::{Chunk, Close, Gap, GapCause};
use crate::base::time::Timestamp;
use crate::message::MessageSink;
use crate::sink::Outputs;
use crate::sink::tests::{Rig, Shared, flow};
use std::fs::{self, File};
use std::path::Path;

const D: [Direction; 2] = [Direction::Forward, Direction::Reverse];

fn rig(dir: &Path, template: &str) -> Rig {
    let mut outputs = Outputs::new();
    outputs.dump(dir, Template::new(template).unwrap()).unwrap();
    Rig::with(outputs, Shared::default())
}

fn data(rig: &mut Rig, d: Direction, offset: u64, octets: &[u8]) {
    let time = rig.cx.packet.time;
    let (outputs, mut at) = rig.at(d);
    let chunk = Chunk {
        offset,
        data: octets,
        time,
        frame: 1,
        interface: 0,
        at: OctetOffset::Unknown,
        ack: None,
        push: false,
        ends_segment: true,
        cut: false,
        sum: None,
        acknowledged: Some(time),
    };
    outputs.stream_data(&mut at, &chunk);
}

fn gap(rig: &mut Rig, d: Direction, offset: u64, len: Option<u64>) {
    let (outputs, mut at) = rig.at(d);
    let cause = GapCause::Timeout;
    outputs.stream_gap(
        &mut at,
        &Gap {
            offset,
            len,
            cause,
            push: false,
        },
    );
}

fn end(rig: &mut Rig) {
    for d in D {
        let (outputs, mut at) = rig.at(d);
        outputs.stream_end(&mut at, Close::Fin);
    }
    rig.close();
}

/// Names and contents of all files.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                all.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

/// As tcpflow 1.6.1 named the same connections.
#[test]
fn names_are_those_of_tcpflow() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = rig(dir.path(), DEFAULT_TEMPLATE);
    for (number, v6, tag) in [
        (0, false, (0, 0)),
        (1, false, (0, 0)),
        (2, true, (0, 0)),
        (3, false, (0x8100, 5)),
        (4, false, (0x88a8, 7)),
    ] {
        rig.flow = flow(v6, number);
        for link in &mut rig.flow.links {
            link.tags[0] = VlanTag {
                tpid: tag.0,
                tci: tag.1,
            };
        }
        data(&mut rig, D[0], 0, format!("ask{number}").as_bytes());
        // A direction without octets has no file, and no count.
        if number != 0 {
            data(&mut rig, D[1], 0, format!("answer{number}").as_bytes());
        }
        end(&mut rig);
    }
    assert!(rig.outputs.finish().unwrap().is_continue());
    let names: Vec<_> = files(dir.path())
        .into_iter()
        .map(|(n, d)| format!("{n} {}", d.escape_ascii()))
        .collect();
    assert_eq!(
        names,
        [
            "010.000.000.001.40000-010.000.000.002.00080 ask0",
            "010.000.000.001.40000-010.000.000.002.00080--5 ask3",
            "010.000.000.001.40000-010.000.000.002.00080c1 ask1",
            "010.000.000.001.40000-010.000.000.002.00080c2 ask4",
            "010.000.000.002.00080-010.000.000.001.40000 answer1",
            "010.000.000.002.00080-010.000.000.001.40000--5 answer3",
            "010.000.000.002.00080-010.000.000.001.40000c1 answer4",
            "2001:db8::1.40000-2001:db8::2.00080 ask2",
            "2001:db8::2.00080-2001:db8::1.40000 answer2",
        ]
    );
    assert_eq!(rig.cx.counters.output.streams, 9);
}

#[test]
fn gaps_are_holes_with_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = rig(dir.path(), "%#");
    rig.flow.number = 7;
    rig.cx.packet.time = Timestamp::from_nanos(1_000_000_000_000_000_000);
    gap(&mut rig, D[0], 0, Some(2));
    gap(&mut rig, D[0], 2, Some(1));
    data(&mut rig, D[0], 3, b"abc");
    gap(&mut rig, D[0], 6, Some(1 << 32));
    rig.cx.packet.time = Timestamp::from_nanos(1_000_000_001_500_000_000);
    data(&mut rig, D[0], 6 + (1 << 32), b"def");
    gap(&mut rig, D[0], 9 + (1 << 32), None);
    data(&mut rig, D[0], 9 + (1 << 32), b"g");
    gap(&mut rig, D[0], 10 + (1 << 32), Some(1000));
    end(&mut rig);
    let meta = fs::metadata(dir.path().join("7")).unwrap();
    assert_eq!(meta.len(), 10 + (1 << 32), "no hole at the end");
    let blocks = std::os::unix::fs::MetadataExt::blocks(&meta);
    assert!(blocks * 512 < 1 << 20, "{blocks} blocks for 7 octets");
    assert_eq!(
        meta.modified()
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis(),
        1_000_000_001_500
    );
    let index = fs::read_to_string(dir.path().join("7.gaps")).unwrap();
    assert_eq!(
        index,
        "0 3 timeout\n6 4294967296 timeout\n4294967305 unknown timeout\n4294967306 1000 timeout\n"
    );
    use std::os::unix::fs::FileExt;
    let mut octets = [0; 4];
    let file = File::open(dir.path().join("7")).unwrap();
    file.read_exact_at(&mut octets, 6 + (1 << 32)).unwrap();
    assert_eq!(&octets, b"defg");
}

/// The same where the system refuses to open more: the test runs itself again under a limit.
#[test]
fn the_limit_of_the_system_is_respected() {
    let me = std::env::current_exe().unwrap();
    let out = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 20 && exec \"$0\" --exact --test-threads=1 sink::streams::tests::any_number_of_streams_on_few_descriptors"])
        .arg(me)
        .env("INET_ASM_TEST_OPEN", "256")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn any_number_of_streams_on_few_descriptors() {
    let most = std::env::var("INET_ASM_TEST_OPEN").map_or(3, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut rig = rig(dir.path(), "%N/%S-%a");
    if let Some(d) = &mut rig.outputs.table.dump {
        d.most = most;
    }
    let mut states: Vec<_> = (0..100)
        .map(|_| crate::sink::OutputState::default())
        .collect();
    for round in 0..5u64 {
        for (number, state) in states.iter_mut().enumerate() {
            rig.flow = flow(false, number as u64);
            std::mem::swap(&mut rig.state, state);
            data(
                &mut rig,
                D[0],
                round * 8,
                format!("{:08}", round * 1000 + number as u64).as_bytes(),
            );
            std::mem::swap(&mut rig.state, state);
        }
        assert!(rig.outputs.flush().unwrap().is_continue());
    }
    assert!(rig.outputs.finish().unwrap().is_continue());
    let all = files(dir.path());
    assert_eq!(all.len(), 100);
    for (name, octets) in all {
        let number: u64 = name[4..24].parse().unwrap();
        let expected: String = (0..5)
            .map(|r| format!("{:08}", r * 1000 + number))
            .collect();
        assert_eq!(name, format!("{:03}/{number:020}-40000", number * 2 % 1000));
        assert_eq!(octets, expected.as_bytes(), "{name}");
    }
}

#[test]
fn files_that_are_there_are_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("0"), "old").unwrap();
    let mut rig = rig(dir.path(), "%#");
    data(&mut rig, D[0], 0, b"forward");
    data(&mut rig, D[1], 0, b"reverse");
    end(&mut rig);
    let all: Vec<_> = files(dir.path())
        .into_iter()
        .map(|(n, d)| format!("{n} {}", d.escape_ascii()))
        .collect();
    assert_eq!(all, ["0 old", "0c1 forward", "0c2 reverse"]);
}

#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (at, outside) = (dir.path().join("dump"), dir.path().join("outside"));
    fs::create_dir(&at).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "old").unwrap();
    symlink(outside.join("file"), at.join("0")).unwrap();
    symlink(outside.join("new"), at.join("0c1")).unwrap(); // dangles
    symlink(outside.join("file"), at.join("0c2.gaps")).unwrap();
    fs::write(at.join("0c3.gaps"), "old").unwrap();
    let mut rig = rig(&at, "%#");
    gap(&mut rig, D[0], 0, Some(2));
    data(&mut rig, D[0], 2, b"forward");
    end(&mut rig);
    assert!(rig.outputs.finish().unwrap().is_continue());
    assert_eq!(fs::read(at.join("0c4")).unwrap(), b"\0\0forward");
    assert_eq!(
        fs::read_to_string(at.join("0c4.gaps")).unwrap(),
        "0 2 timeout\n"
    );
    assert_eq!(fs::read_to_string(at.join("0c3.gaps")).unwrap(), "old");
    let outside_now = files(&outside);
    assert_eq!(outside_now, [("file".to_owned(), b"old".to_vec())]);
}

#[test]
fn a_folder_that_is_a_link_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (at, outside) = (dir.path().join("dump"), dir.path().join("outside"));
    fs::create_dir(&at).unwrap();
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, at.join("40000")).unwrap();
    let mut rig = rig(&at, "%a/%#");
    data(&mut rig, D[0], 0, b"forward");
    let error = rig.outputs.flush().unwrap_err().to_string();
    assert!(error.contains("40000 is no folder"), "{error}");
    assert!(files(&outside).is_empty());
}

/// A closed file is opened again under its first name, whatever the time and the other direction's name.
#[test]
fn datagrams_find_their_file_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = rig(dir.path(), "%T-%#");
    if let Some(d) = &mut rig.outputs.table.dump {
        d.most = 1;
    }
    let start = 1_795_255_200;
    for round in 0..3u64 {
        rig.cx.packet.time = Timestamp::from_nanos((start + round) * 1_000_000_000);
        for number in 0..2 {
            for d in D {
                rig.flow = flow(false, number);
                rig.flow.transport = Transport::Udp;
                let flow = &rig.flow.clone();
                let dump = rig.outputs.table.dump.as_mut().unwrap();
                let octets = format!("{number}{}{round};", d.index());
                dump.append(&mut rig.cx, flow, d, 0, octets.as_bytes());
            }
        }
    }
    assert!(rig.outputs.finish().unwrap().is_continue());
    let all: Vec<_> = files(dir.path())
        .into_iter()
        .map(|(n, d)| format!("{n} {}", d.escape_ascii()))
        .collect();
    assert_eq!(
        all,
        [
            "2026-11-21T10:00:00Z-0.udp 000;001;002;",
            "2026-11-21T10:00:00Z-0c1.udp 010;011;012;",
            "2026-11-21T10:00:00Z-1.udp 100;101;102;",
            "2026-11-21T10:00:00Z-1c1.udp 110;111;112;",
        ]
    );
}

#[test]
fn codes_that_stand_for_nothing_lead_nowhere_else() {
    for (template, expected) in [
        ("%v/%V/x", &["x", "xc1"][..]),
        ("%v/%c", &["1", "_"]),
        ("%c/%v", &["1/_", "_"]),
        (".%v./x%c", &["__/x", "__/x1"]),
        ("a/.%V%c", &["a/.1", "a/_"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = rig(dir.path(), template);
        data(&mut rig, D[0], 0, b"forward");
        data(&mut rig, D[1], 0, b"reverse");
        end(&mut rig);
        assert!(rig.outputs.finish().unwrap().is_continue());
        let names: Vec<_> = files(dir.path()).into_iter().map(|f| f.0).collect();
        assert_eq!(names, expected, "{template}");
    }
}

#[test]
fn templates_stay_in_the_folder() {
    for text in ["", "/x%c", "../x", "a/../../b", "a/", "%", "%y", "a\0b"] {
        assert!(Template::new(text).is_err(), "{text}");
    }
    for (text, expected) in [
        (
            DEFAULT_TEMPLATE,
            "010.000.000.001.40000-010.000.000.002.00080c1",
        ),
        ("x", "xc1"),
        (
            "%E,%e,%T,%t,%N%K%M%G,%S,%%,%#",
            "02:00:00:00:00:01,02:00:00:00:00:02,2026-11-21T10:00:00Z,1795255200,234000000000,00000000000000000117,%,117c1",
        ),
    ] {
        let stream = DumpedStream {
            first: Timestamp::from_nanos(1_795_255_200_123_456_789),
            ..DumpedStream::default()
        };
        let name = Template::new(text)
            .unwrap()
            .name(&flow(false, 117), D[0], &stream, 1);
        assert_eq!(name, expected);
    }
}

/// What waits for files counts against the memory limit, and takes no more than what is left of it.
#[test]
fn what_waits_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = rig(dir.path(), DEFAULT_TEMPLATE);
    let before = rig.cx.budget.used();
    data(&mut rig, D[0], 0, b"first");
    data(&mut rig, D[0], 5, &[b'x'; 5000]);
    assert!(rig.cx.budget.used() >= before + 5005);
    // The rest is taken: the next octets do not stay.
    let left = rig.cx.budget.limit() - rig.cx.budget.used();
    rig.cx.budget.take(left);
    let much = vec![b'y'; rig.cx.budget.limit() / 8];
    data(&mut rig, D[1], 0, &much);
    rig.cx.budget.give(left);
    assert!(rig.cx.budget.used() < before + (64 << 10));
    end(&mut rig);
    let (outputs, at) = rig.at(D[0]);
    outputs.input_end(at.cx);
    assert_eq!(rig.cx.budget.used(), 0);
    assert_eq!(files(dir.path()).len(), 2);
}
