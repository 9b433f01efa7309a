//! SCTP through the real binary: user messages in, packets, lines, JSON, stream files and statistics out, read by tshark.
#![allow(clippy::unwrap_used)]

use crate::common::build::{Pcap, checksum};
use crate::common::{self, counter, fields, inet_asm, pcap, read, run, testdata, tshark};
use inet_asm::assembler::{Assembler, State};
use inet_asm::base::limits::Limits;
use inet_asm::base::packet::{LinkType, Packet};
use inet_asm::base::stream::Close;
use inet_asm::base::time::Timestamp;
use inet_asm::message::events::{
    DatagramMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece,
};
use inet_asm::transport::datagram::DatagramContext;
use inet_asm::transport::sctp::{AssociationContext, UserMessage};
use inet_asm::transport::stream::StreamContext;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

const A: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const TAG: u32 = 0x1122_3344;
/// tshark looks at all sums.
const SUMS: [&str; 4] = [
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "sctp.checksum:CRC-32c",
];

/// A DATA or I-DATA chunk.
#[derive(Clone, Debug, Default)]
struct Data {
    tsn: u32,
    stream: u16,
    seq: u32,
    /// PPID, or FSN.
    ppid: u32,
    /// U 4, B 2, E 1.
    flags: u8,
    interleaved: bool,
    octets: Vec<u8>,
}

impl Data {
    fn chunk(&self) -> Vec<u8> {
        let mut value = self.tsn.to_be_bytes().to_vec();
        value.extend(self.stream.to_be_bytes());
        if self.interleaved {
            value.extend([0, 0]);
            value.extend(self.seq.to_be_bytes());
        } else {
            value.extend(u16::try_from(self.seq).unwrap().to_be_bytes());
        }
        value.extend(self.ppid.to_be_bytes());
        value.extend(&self.octets);
        let mut chunk = vec![if self.interleaved { 64 } else { 0 }, self.flags];
        chunk.extend(u16::try_from(4 + value.len()).unwrap().to_be_bytes());
        chunk.extend(value);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    }
}

/// An SCTP packet with a right checksum.
fn packet(port: u16, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut p = [port.to_be_bytes(), port.to_be_bytes()].concat();
    p.extend(TAG.to_be_bytes());
    p.extend([0; 4]);
    p.extend(chunks.concat());
    let sum = crc32c::crc32c(&p);
    p[8..12].copy_from_slice(&sum.to_le_bytes());
    p
}

/// Puts a packet from A to B into a capture, over IPv6 where asked.
fn put(capture: &mut Pcap, v6: bool, port: u16, chunks: &[Vec<u8>]) {
    let p = packet(port, chunks);
    let frame = if v6 {
        let mut f = vec![
            2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 0,
        ];
        f.extend(u16::try_from(p.len()).unwrap().to_be_bytes());
        f.extend([132, 64]);
        for host in [1, 2] {
            f.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host).octets());
        }
        f.extend(p);
        f
    } else {
        capture.ip(A, B, 132, &p)
    };
    capture.packet(&frame);
}

/// A user message in chunks of 1,400 octets.
fn fragments(first: &Data, message: &[u8]) -> Vec<Data> {
    let parts: Vec<&[u8]> = message.chunks(1400).collect();
    let of = parts.len();
    (0..)
        .zip(parts)
        .map(|(n, part)| Data {
            tsn: first.tsn.wrapping_add(n),
            ppid: if first.interleaved && n > 0 {
                n
            } else {
                first.ppid
            },
            flags: first.flags | u8::from(n == 0) << 1 | u8::from(n as usize + 1 == of),
            octets: part.to_vec(),
            ..first.clone()
        })
        .collect()
}

/// The chunks of an output of raw IP packets, and whether each packet was cut; every packet has one, and right lengths and
/// sums.
fn chunks(output: &[u8]) -> Vec<(Data, bool)> {
    let (link, records) = pcap(output);
    assert_eq!(link, 101);
    let mut found = Vec::new();
    for r in records {
        let d = r.data;
        let cut = r.original as usize > d.len();
        let (total, at) = if d[0] >> 4 == 4 {
            assert_eq!(checksum(&d[..20]), [0, 0]);
            (u32::from(u16::from_be_bytes([d[2], d[3]])), 20)
        } else {
            (40 + u32::from(u16::from_be_bytes([d[4], d[5]])), 40)
        };
        assert_eq!(total, r.original);
        let p = &d[at..];
        let mut zeroed = p.to_vec();
        zeroed[8..12].fill(0);
        let sum = if cut { 0 } else { crc32c::crc32c(&zeroed) };
        assert_eq!(u32::from_le_bytes(p[8..12].try_into().unwrap()), sum);
        let word = |at: usize| u32::from_be_bytes(p[at..at + 4].try_into().unwrap());
        let half = |at: usize| u16::from_be_bytes([p[at], p[at + 1]]);
        let interleaved = p[12] == 64;
        assert!(p[12] == 0 || interleaved);
        let begin = if interleaved { 32 } else { 28 };
        let len = usize::from(half(14));
        if cut {
            assert!(12 + len > p.len());
        } else {
            assert_eq!(p.len(), 12 + len.next_multiple_of(4), "one chunk");
        }
        found.push((
            Data {
                tsn: word(16),
                stream: half(20),
                seq: if interleaved {
                    word(24)
                } else {
                    half(22).into()
                },
                ppid: word(begin - 4),
                flags: p[13],
                interleaved,
                octets: p[begin..(12 + len).min(p.len())].to_vec(),
            },
            cut,
        ));
    }
    found
}

fn testdata_captures() -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(testdata(""))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "messages"))
        .collect();
    found.sort();
    assert!(found.len() >= 8);
    found
        .into_iter()
        .map(|p| p.with_extension("pcap"))
        .collect()
}

/// The lists beside the captures say what must come out: stream, SSN or MID, U, PPID, length and CRC32c.
#[test]
fn every_user_message_is_a_packet() {
    for path in testdata_captures() {
        let output = run(["--encap".as_ref(), "raw".as_ref(), path.as_os_str()], b"").ok();
        let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut open: Option<(Data, u32)> = None;
        for (c, cut) in chunks(&output) {
            let u = if c.flags & 4 != 0 { 'U' } else { '-' };
            let first = match open.take() {
                Some((mut first, n)) => {
                    assert_eq!((c.tsn, c.flags & 2), (first.tsn.wrapping_add(n), 0));
                    first.octets.extend(&c.octets);
                    (first, n + 1)
                }
                None => (c.clone(), 1),
            };
            if c.flags & 1 == 0 {
                open = Some(first);
                continue;
            }
            let m = first.0;
            let mut line = format!("{} {} {u} {}", m.stream, m.seq, m.ppid);
            if !cut {
                line += &format!(" {} {:08x}", m.octets.len(), crc32c::crc32c(&m.octets));
            }
            streams
                .entry(format!("{} {u}", m.stream))
                .or_default()
                .push(line);
        }
        assert!(open.is_none());
        // Both directions of a stream in one list: the packets are told apart by their order only.
        let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in fs::read_to_string(path.with_extension("messages"))
            .unwrap()
            .lines()
        {
            let f: Vec<&str> = line.split(' ').collect();
            let kept = if line.starts_with('?') { 5 } else { f.len() };
            expected
                .entry(format!("{} {}", f[1], f[3]))
                .or_default()
                .push(f[1..kept].join(" "));
        }
        for list in streams.values_mut().chain(expected.values_mut()) {
            list.sort();
        }
        assert_eq!(streams, expected, "{}", path.display());
        for row in fields(
            "sctp",
            &[
                "sctp.checksum.status",
                "ip.checksum.status",
                "frame.len",
                "frame.cap_len",
            ],
            &SUMS,
            &output,
        ) {
            let sum = if row[2] == row[3] { "1" } else { "2" };
            assert_eq!((&row[0][..], &row[1][..]), (sum, "1"), "{}", path.display());
        }
    }
}

/// Messages that are right, of protocols that tshark finds by their PPID.
fn upper() -> [(u32, &'static str, Vec<u8>); 5] {
    let watchdog = |hop: u32| {
        // With its sender's name: tshark wants an AVP.
        let words: [u32; 7] = [
            1 << 24 | 40,
            1 << 31 | 280,
            0,
            hop,
            hop,
            264,
            0x40 << 24 | 20,
        ];
        [&words.map(u32::to_be_bytes).concat()[..], b"example.host"].concat()
    };
    [
        (3, "m3ua", vec![1, 0, 3, 1, 0, 0, 0, 8]),
        (18, "s1ap", vec![0, 15, 0x40, 3, 0, 0, 0]),
        (60, "ngap", vec![0, 9, 0x40, 3, 0, 0, 0]),
        (46, "diameter", [watchdog(1), watchdog(2)].concat()),
        (
            5,
            "m2pa",
            vec![
                1, 0, 11, 2, 0, 0, 0, 20, 0, 255, 255, 255, 0, 255, 255, 255, 0, 0, 0, 9,
            ],
        ),
    ]
}

/// These messages, each a user message, in one packet from and to this port.
fn in_one_packet(v6: bool, port: u16, messages: &[(u32, &[u8])]) -> Vec<u8> {
    let chunks: Vec<_> = (0..)
        .zip(messages)
        .map(|(n, (ppid, octets))| {
            let data = Data {
                tsn: 7 + n,
                stream: 1,
                seq: n,
                ppid: *ppid,
                flags: 3,
                octets: octets.to_vec(),
                ..Data::default()
            };
            data.chunk()
        })
        .collect();
    let mut capture = Pcap::new();
    put(&mut capture, v6, port, &chunks);
    capture.file
}

/// All of them in one packet.
fn bundled(v6: bool) -> Vec<u8> {
    let upper = upper();
    let messages: Vec<_> = upper.iter().map(|(ppid, _, o)| (*ppid, &o[..])).collect();
    in_one_packet(v6, 9999, &messages)
}

#[test]
fn tshark_dissects_what_is_inside() {
    for v6 in [false, true] {
        let output = run::<&str>([], &bundled(v6)).ok();
        let names = [
            "frame.protocols",
            "sctp.checksum.status",
            "sctp.data_tsn_raw",
            "_ws.malformed",
        ];
        let rows = fields("sctp", &names, &SUMS, &output);
        assert_eq!(rows.len(), 5);
        for ((tsn, row), (_, protocol, _)) in (7..).zip(&rows).zip(upper()) {
            let network = if v6 { "ipv6" } else { "ip" };
            let stack = format!("eth:ethertype:{network}:sctp:{protocol}");
            assert!(row[0].starts_with(&stack), "{row:?}");
            assert_eq!(&row[1..], ["1", &tsn.to_string(), ""], "{row:?}");
        }
        let commands = fields("diameter", &["diameter.cmd.code"], &[], &output);
        // tshark 4.0 shows the first of the two that the user message carries.
        assert_eq!(commands[0][0].split(',').next(), Some("280"));
    }
}

/// Of a real capture with fragments, several streams, I-DATA, and two paths: packets of one user message each, right sums, and
/// the same messages as tshark finds in the input.
#[test]
fn tshark_dissects_each_protocol_of_a_real_capture() {
    let input = read(&testdata("sctp-usrsctp.pcap"));
    let output = run::<&str>([], &input).ok();
    let rows = fields(
        "sctp",
        &[
            "sctp.checksum.status",
            "sctp.chunk_type",
            "sctp.data_b_bit",
            "sctp.data_e_bit",
            "_ws.malformed",
        ],
        &SUMS,
        &output,
    );
    assert_eq!(rows.len(), 76);
    for row in &rows {
        assert!(row[1] == "0" || row[1] == "64", "one chunk: {row:?}");
        assert_eq!((&row[0][..], &row[4][..]), ("1", ""), "{row:?}");
    }
    for (protocol, names, count) in [
        (
            "m3ua",
            &[
                "m3ua.message_class",
                "m3ua.message_type",
                "m3ua.protocol_data_si",
            ][..],
            24,
        ),
        (
            "s1ap",
            &["s1ap.procedureCode", "s1ap.Cause", "s1ap.misc"],
            12,
        ),
        (
            "ngap",
            &["ngap.procedureCode", "ngap.Cause", "ngap.misc"],
            8,
        ),
        (
            "diameter",
            &[
                "diameter.cmd.code",
                "diameter.hopbyhopid",
                "diameter.Origin-Host",
            ],
            18,
        ),
    ] {
        // One row for each message, also of those that share a packet.
        let rows = |capture: &[u8]| -> Vec<Vec<String>> {
            let packets = fields(protocol, names, &[], capture);
            let mut rows: Vec<_> = packets
                .iter()
                .flat_map(|packet| {
                    let columns = packet.iter().map(|c| c.split(',').collect::<Vec<_>>());
                    let columns: Vec<_> = columns.collect();
                    (0..columns[0].len())
                        .map(move |n| columns.iter().map(|c| c[n].to_owned()).collect())
                })
                .collect();
            rows.sort();
            rows
        };
        let (before, after) = (rows(&input), rows(&output));
        assert_eq!(after.len(), count, "{protocol}");
        assert_eq!(after, before, "{protocol}");
        assert!(
            after.iter().all(|r| !r[0].is_empty() && !r[2].is_empty()),
            "{protocol}: {after:?}"
        );
    }
}

#[test]
fn what_a_user_message_carries_is_listed() {
    let capture = bundled(false);
    let printed = run(["-p"], &capture).printed();
    let lines: Vec<_> = printed
        .lines()
        .map(|l| l.split_once(" → ").unwrap().1)
        .collect();
    assert_eq!(
        lines,
        [
            "10.1.0.2:9999 m3ua 8 ASPUP",
            "10.1.0.2:9999 s1ap 7 initiatingMessage ErrorIndication",
            "10.1.0.2:9999 ngap 7 initiatingMessage ErrorIndication",
            "10.1.0.2:9999 diameter 80 Device-Watchdog Request (280), base (0) + Device-Watchdog Request (280), base (0)",
            "10.1.0.2:9999 m2pa 20 Link Status Out of Service",
        ]
    );
    let full = run(["--print=full"], &capture).text();
    // A line for each, a dump below it, and an empty line between them.
    assert_eq!(full.lines().filter(|line| line.contains(" → ")).count(), 5);
    assert!(full.contains("\n    00000000  01 00 03 01 "), "{full}");
    let json = run(["--json", "--json-body", "base64"], &capture).text();
    let rows: Vec<serde_json::Value> = json
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(rows.len(), 6);
    let m = &rows[3];
    assert_eq!(m["protocol"], "diameter");
    assert_eq!(m["transport"], "sctp");
    assert_eq!(m["body"].as_str().unwrap().len(), 108);
    assert_eq!(
        m["sctp"],
        serde_json::json!({"stream": 1, "ssn": 3, "ppid": 46, "tsn": 10, "chunks": 1, "unordered": false})
    );
    let carried = m["messages"].as_array().unwrap();
    assert_eq!(carried.len(), 2);
    assert_eq!(
        (&carried[1]["offset"], &carried[1]["length"]),
        (&40.into(), &40.into())
    );
    assert!(rows[0].get("messages").is_none());
    let end = &rows[5];
    assert_eq!(
        (&end["type"], &end["end"]),
        (&"connection".into(), &"end_of_input".into())
    );
    assert_eq!(end["streams"][0]["octets"], 8 + 7 + 7 + 80 + 20);
}

/// A user message counts as the messages of its protocol that it carries.
#[test]
fn what_a_user_message_carries_is_counted() {
    let m2pa = [1, 0, 11, 1, 0, 0, 0, 20, 0, 0, 0, 4, 0, 0, 0, 5, 9, 9, 9, 9];
    let three = [diameter(40), diameter(44), diameter(60)].concat();
    let capture = in_one_packet(
        false,
        9999,
        &[
            (46, &three),
            (46, &three[..120]),
            (5, &m2pa.repeat(4)),
            (3, &m2pa),
        ],
    );
    let done = run(["-n", "-s"], &capture);
    for (name, n) in [
        ("message.messages", 4),
        ("diameter.messages", 6),
        ("diameter.incomplete", 1),
        ("diameter.octets", 144 + 120),
        ("m2pa.messages", 4),
        ("m2pa.incomplete", 0),
        ("m3ua.messages", 1),
    ] {
        assert_eq!(counter(&done.stderr, name), n, "{name}");
    }
}

/// Some stacks leave the PPID 0: ports and octets tell, unless the user does.
#[test]
fn a_ppid_that_says_nothing() {
    let aspup = [1, 0, 3, 1, 0, 0, 0, 8];
    let protocols = |args: &[&str], port: u16, ppid: u32, octets: &[u8]| -> Vec<String> {
        let capture = in_one_packet(false, port, &[(ppid, octets)]);
        let json = run([args, &["--json"]].concat(), &capture).text();
        let rows = json.lines().map(|l| serde_json::from_str(l).unwrap());
        rows.filter(|m: &serde_json::Value| m["type"] == "message")
            .map(|m| m["protocol"].as_str().unwrap().to_owned())
            .collect()
    };
    let watchdog = diameter(40);
    for (args, port, ppid, octets, expected) in [
        (&[][..], 3868, 0, &watchdog[..], "diameter"),
        (&[], 3868, 0x1234_5678, &watchdog, "diameter"),
        (&[], 2905, 0, &aspup, "m3ua"),
        (&[], 4444, 0, &aspup, "data"),
        (&["-d", "sctp.port==4444,sua"], 4444, 0, &aspup, "sua"),
        (&["-d", "sctp.port==4444,sua"], 4445, 0, &aspup, "data"),
        (
            &["-d", "sctp.port==4440-4450,data"],
            4444,
            46,
            &watchdog,
            "data",
        ),
        (
            &["--framer", "mine,sctp.port==4444"],
            4444,
            0,
            &aspup,
            "mine",
        ),
        (&["--protocols", "diameter"], 3868, 0, &watchdog, "diameter"),
        (&["--protocols", "s1ap"], 3868, 0, &watchdog, ""),
    ] {
        let found = protocols(args, port, ppid, octets).join(" ");
        assert_eq!(found, expected, "{args:?} {port} {ppid}");
    }
    // tshark finds it the same way in the output.
    let output = run::<&str>([], &in_one_packet(false, 3868, &[(0, &watchdog)])).ok();
    let rows = fields("diameter", &["diameter.cmd.code"], &SUMS, &output);
    assert_eq!(rows, [["272"]]);
    let done = run(["-d", "sctp.port==1,nothing"], b"");
    done.code(2);
    assert!(
        done.stderr.contains("no protocol of this name"),
        "{}",
        done.stderr
    );
    let list = run(["--list-protocols"], b"").text();
    assert!(
        list.lines()
            .any(|l| l.starts_with("ngap") && l.contains(" sctp ") && l.ends_with("38412")),
        "{list}"
    );
}

/// Each user message waits for the SACK that covers it, or for the packet time-out, and then says when that was.
#[test]
fn held_for_the_acknowledgment() {
    let mut capture = Pcap::new();
    let mut send = |at: u64, from: Ipv4Addr, to: Ipv4Addr, chunk: Vec<u8>| {
        let p = packet(3868, &[chunk]);
        let frame = capture.ip(from, to, 132, &p);
        capture.now = 1_700_000_000_000_000 + at * 1000 - 1000;
        capture.packet(&frame);
    };
    let message = |tsn: u32, stream: u16| {
        let data = Data {
            tsn,
            stream,
            ppid: 46,
            flags: 3,
            octets: diameter(40),
            ..Data::default()
        };
        data.chunk()
    };
    let sack = |tsn: u32| {
        let mut c = vec![3, 0, 0, 16];
        c.extend(tsn.to_be_bytes());
        c.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        c
    };
    send(0, A, B, message(1, 0));
    send(100, A, B, message(2, 1));
    send(300, B, A, sack(1));
    send(400, B, A, sack(2));
    send(500, A, B, message(3, 2));
    send(5000, A, B, message(4, 3));
    let args = ["--look-behind", "off", "--json"];
    let told = |more: &[&str]| -> Vec<String> {
        let json = run([&args[..], more].concat(), &capture.file).text();
        let rows = json.lines().map(|l| serde_json::from_str(l).unwrap());
        rows.filter(|m: &serde_json::Value| m["type"] == "message")
            .map(|m| {
                let at = m["acknowledged_at"]
                    .as_str()
                    .map_or("never", |t| &t[17..23]);
                format!(
                    "{} {} {at}",
                    m["sctp"]["tsn"],
                    &m["time"].as_str().unwrap()[17..23]
                )
            })
            .collect()
    };
    // 1,700,000,000 is 22:13:20.
    assert_eq!(
        told(&[]),
        [
            "1 20.000 never",
            "2 20.100 never",
            "3 20.500 never",
            "4 25.000 never"
        ]
    );
    // Whatever holds a message, it has the time of its own last packet.
    assert_eq!(
        told(&["--wait-ack"]),
        [
            "1 20.000 20.300",
            "2 20.100 20.400",
            "3 20.500 never",
            "4 25.000 never"
        ]
    );
    let done = run(
        ["-n", "-s", "--wait-ack", "--look-behind", "off"],
        &capture.file,
    );
    for (name, n) in [
        ("sctp.ack_held", 4),
        ("sctp.ack_timeout", 1),
        ("sctp.ack_forced", 1),
    ] {
        assert_eq!(counter(&done.stderr, name), n, "{name}");
    }
}

/// The list of fields in the man page names every field of a user message.
#[test]
fn json_fields_are_in_the_man_page() {
    let man = run(["--man"], b"").text().replace("\\-", "-");
    let json = run(["--json", "--json-body", "text"], &bundled(false)).text();
    for line in json.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        for name in row.as_object().unwrap().keys() {
            assert!(man.contains(&format!("\\fB{name}\\fR (")), "{name}");
        }
    }
}

/// A Diameter message of so many octets: a header, and one AVP.
fn diameter(len: u32) -> Vec<u8> {
    let words: [u32; 7] = [1 << 24 | len, 1 << 31 | 272, 4, 1, 1, 9999, len - 20];
    let mut m = words.map(u32::to_be_bytes).concat();
    m.resize(len as usize, b'x');
    m
}

/// Two messages of 140,000 octets and two small ones behind them; I-DATA chunks of the large ones alternate. Packets in
/// `lost` are left out.
fn large(v6: bool, interleaved: bool, lost: &[usize]) -> Vec<u8> {
    let message = diameter(140_000);
    let of = |stream: u16, tsn: u32| Data {
        tsn,
        stream,
        ppid: 46,
        interleaved,
        ..Data::default()
    };
    // Around the wrap.
    let begin = 0xffff_ffc0_u32;
    let mut all: Vec<Data> = Vec::new();
    if interleaved {
        let both = [0, 1].map(|stream| fragments(&of(stream, 0), &message));
        for (a, b) in both[0].iter().zip(&both[1]) {
            all.extend([a.clone(), b.clone()]);
        }
    } else {
        for stream in [0, 1] {
            all.extend(fragments(&of(stream, 0), &message));
        }
    }
    for stream in [0, 1] {
        all.push(Data {
            seq: 1,
            flags: 3,
            octets: diameter(40),
            ..of(stream, 0)
        });
    }
    let mut capture = Pcap::new();
    for (n, mut data) in all.into_iter().enumerate() {
        data.tsn = begin.wrapping_add(u32::try_from(n).unwrap());
        if !lost.contains(&n) {
            put(&mut capture, v6, 3868, &[data.chunk()]);
        }
    }
    capture.file
}

#[test]
fn large_messages_are_trains_that_tshark_reads() {
    for (v6, interleaved, most) in [
        (false, false, 65_484),
        (true, false, 65_504),
        (false, true, 65_480),
        (true, true, 65_500),
    ] {
        let capture = large(v6, interleaved, &[]);
        let raw = run(["--encap", "raw"], &capture).ok();
        let found = chunks(&raw);
        let lens: Vec<_> = found.iter().map(|(c, _)| c.octets.len()).collect();
        let train = [most, most, 140_000 - 2 * most];
        assert_eq!(lens.iter().sum::<usize>(), 280_080);
        assert_eq!(
            lens.iter()
                .filter(|n| **n != 40)
                .copied()
                .collect::<Vec<_>>(),
            [train, train].concat()
        );
        let tsns: HashSet<u32> = found.iter().map(|(c, _)| c.tsn).collect();
        assert_eq!(tsns.len(), 8, "no TSN is used twice");
        let output = run::<&str>([], &capture).ok();
        let names = [
            "diameter.cmd.code",
            "sctp.checksum.status",
            "diameter.length",
        ];
        let rows = fields("diameter", &names, &SUMS, &output);
        assert_eq!(rows.len(), 4, "v6 {v6} interleaved {interleaved}");
        let mut lengths: Vec<_> = rows.iter().map(|r| r[2].parse::<u32>().unwrap()).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [40, 40, 140_000, 140_000]);
        let text = tshark(["-V"], &output);
        assert_eq!(
            text.matches("Reassembled SCTP Fragments (140000 bytes, 3 fragments)")
                .count(),
            2
        );
        assert!(!text.contains("Malformed"));
    }
}

/// What a message lacks costs no other message.
#[test]
fn an_incomplete_message_is_cut() {
    for interleaved in [false, true] {
        let expected = if interleaved {
            [(2, 1400), (96, 67_200)]
        } else {
            [(2, 2800), (96, 134_400)]
        };
        for (lost, octets) in expected {
            let capture = large(false, interleaved, &[lost]);
            let raw = run(["--encap", "raw"], &capture).ok();
            let found = chunks(&raw);
            let cut: Vec<_> = found.iter().filter(|(_, cut)| *cut).collect();
            assert_eq!(cut.len(), 1, "{interleaved} {lost}");
            assert_eq!(cut[0].0.flags & 1, 1);
            // The train of a broken message, which is that of stream 0.
            let have: usize = found
                .iter()
                .filter(|(c, _)| c.stream == 0 && c.seq == 0)
                .map(|(c, _)| c.octets.len())
                .sum();
            assert_eq!(have as u64, octets);
            let output = run::<&str>([], &capture).ok();
            let rows = fields("diameter", &["diameter.length"], &[], &output);
            assert_eq!(rows.len(), 3, "{interleaved} {lost}: {rows:?}");
            let done = run(["-n", "-s"], &capture);
            done.code(0);
            for (name, n) in [
                ("message.messages", 4),
                ("message.whole", 3),
                ("message.incomplete", 1),
                ("sctp.incomplete", 1),
                ("message.octets", 140_080 + octets),
            ] {
                assert_eq!(counter(&done.stderr, name), n, "{name}");
            }
            let printed = run(["-p"], &capture).printed();
            assert_eq!(printed.matches("[incomplete]").count(), 1);
        }
    }
}

/// A chunk that the snapshot length cut tells how long it was.
#[test]
fn a_snapped_message_keeps_its_length() {
    let data = Data {
        tsn: 1,
        ppid: 46,
        flags: 3,
        octets: diameter(1000),
        ..Data::default()
    };
    let mut capture = Pcap::new();
    let p = packet(3868, &[data.chunk()]);
    let frame = capture.ip(A, B, 132, &p);
    capture.record(&frame, 14 + 20 + 28 + 300);
    let output = run(["--encap", "raw"], &capture.file).ok();
    let (_, records) = pcap(&output);
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].data.len(), records[0].original),
        (20 + 28 + 300, 20 + 28 + 1000)
    );
    let json = run(["--json"], &capture.file).text();
    let m: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&m["octets"], &m["length"], &m["whole"]),
        (&300.into(), &1000.into(), &false.into())
    );
    assert_eq!(m["gaps"], serde_json::json!([[300, 700]]));
    assert!(
        run(["-p"], &capture.file)
            .text()
            .contains("[incomplete: 700 bytes lost]")
    );
}

#[test]
fn addresses_are_those_of_the_message() {
    let path = testdata("sctp-multihomed.pcap");
    let output = run([&path], b"").ok();
    let pairs = |capture: &[u8], filter: &str| -> HashSet<String> {
        fields(filter, &["ip.src", "ip.dst"], &[], capture)
            .into_iter()
            .map(|r| r.join(" "))
            .collect()
    };
    let before = pairs(&read(&path), "sctp.chunk_type == 0");
    let after = pairs(&output, "sctp");
    assert_eq!(after.len(), 2, "{after:?}");
    assert_eq!(before, after);
    let printed = run(["-p".as_ref(), path.as_os_str()], b"").printed();
    let shown: HashSet<_> = printed
        .lines()
        .map(|l| {
            l.split(' ')
                .nth(if l.contains('→') { 4 } else { 6 })
                .unwrap()
                .rsplit_once(':')
                .unwrap()
                .0
        })
        .collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
}

#[test]
fn a_file_for_each_direction_and_stream() {
    let dir = tempfile::tempdir().unwrap();
    let path = testdata("sctp-m3ua.pcap");
    let args = ["--dump".as_ref(), dir.path().as_os_str(), path.as_os_str()];
    run(args, b"").code(0);
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for line in fs::read_to_string(path.with_extension("messages"))
        .unwrap()
        .lines()
    {
        let f: Vec<&str> = line.split(' ').collect();
        let (a, b) = ("010.001.000.001.02905", "010.001.000.002.02905");
        let (src, dst) = if f[0] == "a" { (a, b) } else { (b, a) };
        let name = format!("{src}-{dst}.{}.sctp", f[1]);
        *expected.entry(name).or_default() += f[5].parse::<usize>().unwrap();
    }
    let found: BTreeMap<String, usize> = common::files(dir.path())
        .into_iter()
        .map(|(name, octets)| (name, octets.len()))
        .collect();
    assert!(expected.len() > 2);
    assert_eq!(found, expected);
}

#[test]
fn statistics_by_period() {
    let dir = tempfile::tempdir().unwrap();
    let data = |n: u32| Data {
        tsn: n,
        seq: n,
        ppid: 3,
        flags: 3,
        octets: vec![1; 10],
        ..Data::default()
    };
    let mut capture = Pcap::new();
    // Two packets in the first period, the last of them at its end; one in the third.
    put(
        &mut capture,
        false,
        2905,
        &[data(1).chunk(), data(2).chunk()],
    );
    capture.wait(899_998);
    put(&mut capture, false, 2905, &[data(3).chunk()]);
    capture.wait(1_800_000 - 1);
    put(&mut capture, false, 2905, &[data(4).chunk()]);
    let file = dir.path().join("stats.csv");
    let folder = dir.path().join("folder/");
    for to in [&file, &folder] {
        run(
            ["-n".as_ref(), "--sctp-stats".as_ref(), to.as_os_str()],
            &capture.file,
        )
        .code(0);
    }
    let text = fs::read_to_string(&file).unwrap();
    let value = |id: &str| -> Vec<String> {
        text.lines()
            .map(|l| l.split(',').collect::<Vec<_>>())
            .filter(|c| c[5] == id)
            .map(|c| format!("{} {} {} {}", &c[0][6..], &c[1][6..], c[3], c[7]))
            .collect()
    };
    // 1,700,000,000 is the begin of the capture.
    assert_eq!(
        value("7000"),
        ["0000 0900 10.1.0.1:2905 2", "1800 2700 10.1.0.1:2905 1"]
    );
    assert_eq!(
        value("7002"),
        ["0000 0900 10.1.0.1:2905 3", "1800 2700 10.1.0.1:2905 1"]
    );
    let files = common::files(&folder);
    let names: Vec<_> = files.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["sctp-000001.csv", "sctp-000002.csv"]);
    assert!(
        files
            .iter()
            .all(|(_, f)| f.iter().filter(|c| **c == b'\n').count() == 23)
    );
    // An output that cannot be opened ends the run before it begins.
    let done = run(["-n", "--sctp-stats", "/nowhere/x.csv"], &capture.file);
    done.code(2);
    assert!(
        done.stderr
            .starts_with("inet-asm: /nowhere/x.csv: cannot open"),
        "{}",
        done.stderr
    );
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn what_was_removed_from_shared_captures_costs_nothing_else() {
    let names = [
        "arkime--sctp-www.pcap",
        "mrp--megaco.pcap",
        "tcpdump--forces2.pcap",
        "uecapabilityparser--sctpS1apNgap.pcap",
    ];
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let captures: Vec<_> = names.iter().map(|name| shared.join(name)).collect();
    what_was_removed_costs_nothing("5", "", &captures);
}

#[test]
fn what_was_removed_costs_nothing_else() {
    let mut captures = testdata_captures();
    captures.push(testdata("sctp-usrsctp.pcap"));
    // Fragments, many streams, unordered messages, I-DATA, two paths, restarts, numbers that wrap, stream resets, abandoned
    // messages; each also displaced and doubled, from the middle on, of one side, and with sums that are wrong or zero.
    for (seeds, how) in [
        ("5", ""),
        ("1", "--reorder 30 --duplicate 10"),
        ("1", "--cut-start 40 --reorder 20 --duplicate 5"),
        ("1", "--one-way --reorder 20 --duplicate 5"),
        ("1", "--sums wrong"),
        ("1", "--sums zero --reorder 20"),
    ] {
        what_was_removed_costs_nothing(seeds, how, &captures);
    }
}

#[track_caller]
fn what_was_removed_costs_nothing(seeds: &str, how: &str, captures: &[PathBuf]) {
    let dir = tempfile::tempdir().unwrap();
    let mut script = Command::new("python3");
    script
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/sctp-recovery.py"))
        .args(["--bin", env!("CARGO_BIN_EXE_inet-asm"), "--keep"])
        .arg(dir.path())
        .args(["--seeds", seeds])
        .args(how.split_whitespace())
        .args(captures);
    let text = common::feed(&mut script, &[]).text();
    let sound = "rate 1.0000, 0 twice, 0 out of order, 0 that are not in the capture";
    assert_eq!(text.matches(sound).count(), 3, "{how}: {text}");
}

#[test]
fn options_reach_the_stage() {
    let mut wrong = packet(
        2905,
        &[Data {
            tsn: 1,
            ppid: 3,
            flags: 3,
            octets: vec![1; 8],
            ..Data::default()
        }
        .chunk()],
    );
    wrong[8] ^= 1;
    let mut capture = Pcap::new();
    let frame = capture.ip(A, B, 132, &wrong);
    capture.packet(&frame);
    for (rule, messages) in [
        ("auto", 1),
        ("sctp=verify", 0),
        ("sctp=ignore", 1),
        ("tcp=verify", 1),
    ] {
        let done = run(["-n", "-s", "--checksums", rule], &capture.file);
        done.code(0);
        assert_eq!(counter(&done.stderr, "sctp.messages"), messages, "{rule}");
    }
    let help = run(["--help"], b"").text();
    for option in [
        "--sctp-packet-timeout",
        "--track-missing-chunks",
        "--sctp-stats",
    ] {
        assert!(help.contains(option), "{option}");
    }
    // Nobody acknowledges: the message behind the hole waits for the packet time-out.
    let mut capture = Pcap::new();
    for (tsn, seq) in [(1, 0), (3, 2), (4, 3)] {
        let data = Data {
            tsn,
            seq,
            ppid: 3,
            flags: 3,
            octets: vec![1; 8],
            ..Data::default()
        };
        put(&mut capture, false, 2905, &[data.chunk()]);
        capture.wait(100);
    }
    for (time, timeouts) in [("50ms", 1), ("2s", 0)] {
        let done = run(
            [
                "-n",
                "-s",
                "--sctp-packet-timeout",
                time,
                "--look-behind",
                "off",
            ],
            &capture.file,
        );
        assert_eq!(
            counter(&done.stderr, "sctp.gaps_timeout"),
            timeouts,
            "{time}"
        );
        assert_eq!(counter(&done.stderr, "sctp.messages"), 3);
    }
    let done = common::feed(
        &mut inet_asm(["-n", "--track-missing-chunks"]),
        &[&capture.file],
    );
    done.code(0);
}

#[test]
fn late_chunks_are_among_the_dropped() {
    let mut capture = Pcap::new();
    // The hole is given up while the third waits; then its chunk comes, twice: the second copy is a duplicate.
    for (tsn, seq) in [(1, 0), (3, 2), (4, 3), (2, 1), (2, 1)] {
        let data = Data {
            tsn,
            seq,
            ppid: 3,
            flags: 3,
            octets: vec![1; 8],
            ..Data::default()
        };
        put(&mut capture, false, 2905, &[data.chunk()]);
        capture.wait(100);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let dropped = dir.path().join("dropped");
    let name = dropped.to_str().expect("UTF-8");
    let options = ["--sctp-packet-timeout", "50ms", "--look-behind", "off"];
    let args = ["-n", "-s", "--dropped", name];
    let done = run(args.iter().chain(&options), &capture.file);
    let rows = fields(
        "sctp",
        &["frame.comment", "sctp.data_tsn_raw"],
        &[],
        &read(&dropped),
    );
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0][0].starts_with("sctp.late"), "{rows:?}");
    assert_eq!(rows[0][1], "2");
    assert_eq!(counter(&done.stderr, "sctp.late"), 1);
    assert_eq!(counter(&done.stderr, "sctp.duplicates"), 1);
}

/// Collects what the engine hands on.
#[derive(Default)]
struct Told(Vec<(u32, usize, bool)>);

impl MessageSink for Told {
    type State = u32;

    fn start(&mut self, _: &mut StreamContext<'_, u32>, _: &MessageStart<'_>) {}
    fn data(&mut self, _: &mut StreamContext<'_, u32>, _: &Piece<'_>) {}
    fn gap(&mut self, _: &mut StreamContext<'_, u32>, _: &MessageGap) {}
    fn end(&mut self, _: &mut StreamContext<'_, u32>, _: &MessageEnd) {}
    fn datagram(&mut self, _: &mut DatagramContext<'_>, _: &DatagramMessage<'_>) {}
    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, u32>,
        m: &UserMessage<'_>,
        _: &'static str,
    ) {
        *at.state += 1;
        self.0.push((m.tsn, m.data.len(), m.whole));
    }
    fn association_end(&mut self, at: &mut AssociationContext<'_, u32>, _: Close) {
        self.0.push((0, *at.state as usize, true));
    }
}

fn feed_engine(engine: &mut Assembler<Told>, packets: &[(u64, &[u8])], frame: u64) {
    for (frame, (time, data)) in (frame..).zip(packets) {
        engine.packet(&Packet {
            frame,
            time: Timestamp::from_nanos(*time),
            interface: 0,
            link_type: LinkType::ETHERNET,
            data,
            orig_len: u32::try_from(data.len()).unwrap(),
            fcs_len: None,
            flags: 0,
        });
    }
}

/// An engine that is written out and read back behind any packet goes on as if nothing had happened.
#[test]
fn state_is_kept_between_packets() {
    for path in testdata_captures() {
        let octets = read(&path);
        let (_, records) = pcap(&octets);
        let packets: Vec<_> = records.iter().map(|r| (r.time, r.data)).collect();
        let whole = {
            let mut engine = Assembler::new(Limits::default(), Told::default());
            feed_engine(&mut engine, &packets, 1);
            engine.flush();
            std::mem::take(&mut engine.sink().0)
        };
        assert!(whole.len() > 3);
        for cut in (0..packets.len()).step_by(packets.len() / 10 + 1) {
            let (first, second) = packets.split_at(cut);
            let mut engine = Assembler::new(Limits::default(), Told::default());
            feed_engine(&mut engine, first, 1);
            let state = postcard::to_stdvec(engine.state()).unwrap();
            let mut told = std::mem::take(&mut engine.sink().0);
            let state: State<u32> = postcard::from_bytes(&state).unwrap();
            let mut engine = Assembler::resume(state, Told::default());
            feed_engine(&mut engine, second, 1 + cut as u64);
            engine.flush();
            told.append(&mut engine.sink().0);
            assert_eq!(told, whole, "{} cut at {cut}", path.display());
        }
    }
}

#[test]
fn what_is_disabled_is_counted() {
    let octets = read(&testdata("sctp-m3ua.pcap"));
    let (_, records) = pcap(&octets);
    let packets: Vec<_> = records.iter().map(|r| (r.time, r.data)).collect();
    let limits = Limits {
        disable_sctp: true,
        ..Limits::default()
    };
    let mut engine = Assembler::new(limits, Told::default());
    feed_engine(&mut engine, &packets, 1);
    engine.flush();
    assert!(engine.sink().0.is_empty());
    assert_eq!(engine.counters().sctp.disabled, packets.len() as u64);
    assert_eq!(engine.counters().sctp.packets, 0);
}

/// Memory for half of what waits: holes are given up, everything that is whole comes out, and nothing stays.
#[test]
fn memory_is_bounded() {
    let octets = large(false, true, &[2, 3]);
    let (_, records) = pcap(&octets);
    let packets: Vec<_> = records.iter().map(|r| (r.time, r.data)).collect();
    let limits = Limits {
        memory: 200 << 10,
        ..Limits::default()
    };
    let mut engine = Assembler::new(limits, Told::default());
    feed_engine(&mut engine, &packets, 1);
    engine.flush();
    let whole = engine.sink().0.iter().filter(|m| m.1 == 40).count();
    assert_eq!(whole, 2, "{:?}", engine.sink().0);
    let c = engine.counters();
    assert!(c.sctp.gaps_memory > 0);
    assert!(c.buffer.peak < 220 << 10, "{}", c.buffer.peak);
}

/// The first octets of the SHA-256 of what stands there in base64.
fn sha256(base64: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(common::unbase64(base64));
    digest.iter().take(4).map(|o| format!("{o:02x}")).collect()
}

/// What a real stack sent (scripts/make-sctp-real): every message once, in the order of its stream, as it was.
#[test]
fn real_associations() {
    let path = testdata("sctp-usrsctp.pcap");
    // Server's port, side, stream, U, PPID, length and digest.
    let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(path.with_extension("sent"))
        .unwrap()
        .lines()
    {
        let f: Vec<&str> = line.split(' ').collect();
        let key = f[..4].join(" ");
        sent.entry(key).or_default().push(f[4..].join(" "));
    }
    let args = ["--json", "--json-body", "base64"].map(AsRef::as_ref);
    let json = run([&args[..], &[path.as_os_str()]].concat(), b"").text();
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in json.lines() {
        let m: serde_json::Value = serde_json::from_str(line).unwrap();
        if m["type"] != "message" {
            continue;
        }
        let (src, dst) = (
            m["src_port"].as_u64().unwrap(),
            m["dst_port"].as_u64().unwrap(),
        );
        let (port, side) = if src < 40_000 {
            (src, "serve")
        } else {
            (dst, "ask")
        };
        let s = &m["sctp"];
        let u = if s["unordered"] == true { "U" } else { "-" };
        let key = format!("{port} {side} {} {u}", s["stream"]);
        let digest = sha256(m["body"].as_str().unwrap());
        let message = format!("{} {} {digest}", s["ppid"], m["octets"]);
        told.entry(key).or_default().push(message);
    }
    for (key, list) in told.iter_mut().chain(sent.iter_mut()) {
        // Unordered messages come as they become whole.
        if key.ends_with('U') {
            list.sort();
        }
    }
    assert_eq!(told, sent);
    let done = run(["-n".as_ref(), "-s".as_ref(), path.as_os_str()], b"");
    for (name, n) in [
        ("sctp.associations", 5),
        ("sctp.multihomed", 5),
        ("sctp.closed_shutdown", 5),
        ("sctp.incomplete", 0),
        ("sctp.gaps", 0),
        ("m3ua.messages", 24),
        ("s1ap.messages", 12),
        ("ngap.messages", 8),
        ("diameter.messages", 18),
    ] {
        assert_eq!(counter(&done.stderr, name), n, "{name}");
    }
}

/// A packet between A and B with this tag, and these chunks: type, flags and value of each.
fn exchange(capture: &mut Pcap, from_a: bool, tag: u32, chunks: &[(u8, u8, &[u8])]) {
    let mut p = [2905u16.to_be_bytes(), 2905u16.to_be_bytes()].concat();
    p.extend(tag.to_be_bytes());
    p.extend([0; 4]);
    for (kind, flags, value) in chunks {
        p.extend([*kind, *flags]);
        p.extend(u16::try_from(4 + value.len()).unwrap().to_be_bytes());
        p.extend(*value);
        p.resize(p.len().next_multiple_of(4), 0);
    }
    let sum = crc32c::crc32c(&p);
    p[8..12].copy_from_slice(&sum.to_le_bytes());
    let (from, to) = if from_a { (A, B) } else { (B, A) };
    let frame = capture.ip(from, to, 132, &p);
    capture.packet(&frame);
}

/// An IP length that goes past a record which was not cut, and a wrong IP header sum: what comes again fills the hole.
#[test]
fn a_chunk_that_an_ip_header_makes_doubtful_is_second_choice() {
    let message = |tsn: u32| Data {
        tsn,
        seq: tsn - 100,
        flags: 3,
        octets: format!("message {tsn}").repeat(20).into_bytes(),
        ..Data::default()
    };
    for (case, again) in [("cut", true), ("cut", false), ("sum", true), ("sum", false)] {
        let mut c = Pcap::new();
        for tsn in 100..106 {
            let chunk = message(tsn).chunk();
            if tsn != 103 {
                put(&mut c, false, 2905, &[chunk]);
                continue;
            }
            let mut frame = c.ip(A, B, 132, &packet(2905, &[chunk]));
            if case == "cut" {
                frame.truncate(frame.len() - 90);
            } else {
                frame[24] ^= 0x55;
            }
            c.packet(&frame);
        }
        if again {
            put(&mut c, false, 2905, &[message(103).chunk()]);
        }
        let stats = run(["-n", "-s"], &c.file).stderr;
        let whole = if case == "cut" && !again { 5 } else { 6 };
        assert_eq!(
            counter(&stats, "sctp.messages"),
            6,
            "{case} {again}: {stats}"
        );
        assert_eq!(
            counter(&stats, "sctp.whole"),
            whole,
            "{case} {again}: {stats}"
        );
        assert_eq!(
            counter(&stats, "sctp.damaged_chunks"),
            1,
            "{case} {again}: {stats}"
        );
        let used = u64::from(!again);
        assert_eq!(
            counter(&stats, "sctp.damaged_used"),
            used,
            "{case} {again}: {stats}"
        );
    }
}

/// All 22 statistics against a table that was computed by hand, by period and link, in a file and in a folder.
#[test]
fn statistics_against_a_table() {
    let init = |tag: u32, tsn: u32| {
        let words = [tag, 100_000, 10 << 16 | 10, tsn];
        words.map(u32::to_be_bytes).concat()
    };
    // 12 octets in front of the user data.
    let data = |tsn: u32, len: usize| {
        let mut v = [tsn, 1 << 16, 3].map(u32::to_be_bytes).concat();
        v.resize(12 + len, 1);
        v
    };
    // U, B and E: each is a message that waits for no other.
    let d = |tsn: u32| (0u8, 7u8, data(tsn, 8));
    let mut c = Pcap::new();
    let (to_a, to_b) = (0xaaaa, 0xbbbb);
    // Packet, octets: 12 for the header, 4 for each chunk, and its value.
    exchange(&mut c, true, 0, &[(1, 0, &init(to_a, 1))]); // 32
    exchange(&mut c, false, to_a, &[(2, 0, &init(to_b, 500))]); // 32
    exchange(&mut c, true, to_b, &[(10, 0, b"cookie!!")]); // 24
    exchange(&mut c, false, to_a, &[(11, 0, b"")]); // 16
    let [one, two, three, five] = [1, 2, 3, 5].map(d);
    exchange(
        &mut c,
        true,
        to_b,
        &[(one.0, one.1, &one.2), (three.0, three.1, &three.2)],
    ); // 12 + 24 + 24
    exchange(&mut c, true, to_b, &[(one.0, one.1, &one.2)]); // 36, once more
    exchange(&mut c, true, to_b, &[(two.0, two.1, &two.2)]); // 36, out of sequence
    exchange(&mut c, true, to_b, &[(five.0, five.1, &five.2)]); // 36, behind one that is missing
    // Cumulative 3, two gap ack blocks, three duplicates: 12 + 4 + 12 + 8 + 12.
    let sack = [
        3,
        100_000,
        2 << 16 | 3,
        2 << 16 | 2,
        4 << 16 | 4,
        1,
        1,
        1u32,
    ];
    exchange(
        &mut c,
        false,
        to_a,
        &[(3, 0, &sack.map(u32::to_be_bytes).concat())],
    ); // 48
    let sack = [5, 100_000, 0].map(u32::to_be_bytes).concat();
    exchange(&mut c, false, to_a, &[(3, 0, &sack), (5, 0, &[0, 1, 0, 4])]); // 12 + 16 + 8
    // HEARTBEAT, ERROR, ECNE, CWR.
    exchange(
        &mut c,
        true,
        to_b,
        &[
            (4, 0, &[0, 1, 0, 4]),
            (9, 0, &[0, 1, 0, 4]),
            (12, 0, &[0; 4]),
            (13, 0, &[0; 4]),
        ],
    ); // 12 + 4 * 8
    c.wait(2000);
    exchange(&mut c, true, to_b, &[(4, 0, &[0, 1, 0, 4])]); // 20; TSN 4 is given up
    // The next period: the end of it, which acknowledges a TSN that the capture lacks, and an association that is aborted.
    c.wait(900_000);
    exchange(&mut c, true, to_b, &[(7, 0, &500u32.to_be_bytes())]); // 20
    exchange(&mut c, false, to_a, &[(8, 0, b"")]); // 16
    exchange(&mut c, true, to_b, &[(14, 0, b"")]); // 16
    c.wait(2000);
    let (to_a, to_b) = (0xcccc, 0xdddd);
    exchange(&mut c, true, 0, &[(1, 0, &init(to_a, 1))]); // 32
    exchange(&mut c, false, to_a, &[(2, 0, &init(to_b, 500))]); // 32
    exchange(&mut c, false, to_a, &[(6, 0, b"")]); // 16
    let (a, b) = ("10.1.0.1:2905", "10.1.0.2:2905");
    // Period, association, source, then the values that are not 0.
    type Link<'a> = (&'a str, &'a str, &'a str, &'a [(u32, u64)]);
    let expected: &[Link<'_>] = &[
        (
            "0000 0900",
            "0",
            a,
            &[
                (7000, 8),
                (7001, 32 + 24 + 60 + 36 + 36 + 36 + 44 + 20),
                (7002, 5),
                (7003, 1),
                (7006, 2),
                (7011, 1),
                (7012, 1),
                (7014, 1),
                (7015, 1),
                (7017, 1),
                (7018, 1),
                (7019, 1),
            ],
        ),
        (
            "0000 0900",
            "0",
            b,
            &[
                (7000, 4),
                (7001, 32 + 16 + 48 + 36),
                (7004, 1),
                (7005, 2),
                (7007, 1),
                (7013, 1),
                (7020, 2),
                (7021, 3),
            ],
        ),
        (
            "0900 0904",
            "0",
            a,
            &[(7000, 2), (7001, 36), (7009, 1), (7016, 1)],
        ),
        (
            "0900 0904",
            "0",
            b,
            &[(7000, 1), (7001, 16), (7010, 1), (7019, 1)],
        ),
        ("0900 0904", "1", a, &[(7000, 1), (7001, 32), (7003, 1)]),
        (
            "0900 0904",
            "1",
            b,
            &[(7000, 2), (7001, 48), (7004, 1), (7008, 1)],
        ),
    ];
    let table: Vec<String> = expected
        .iter()
        .flat_map(|(period, association, source, values)| {
            let values: BTreeMap<_, _> = values.iter().copied().collect();
            (7000..7022).map(move |id| {
                let value = values.get(&id).copied().unwrap_or(0);
                format!("{period} {association} {source} {id} {value}")
            })
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let (file, folder) = (dir.path().join("stats.csv"), dir.path().join("folder/"));
    for to in [&file, &folder] {
        let args = ["-n".as_ref(), "--sctp-stats".as_ref(), to.as_os_str()];
        run(args, &c.file).code(0);
    }
    let rows = |text: &str| -> Vec<String> {
        // 1,700,000,000 is the begin of the capture.
        let rows = text
            .lines()
            .skip(1)
            .map(|l| l.split(',').collect::<Vec<_>>());
        rows.map(|c| {
            format!(
                "{} {} {} {} {} {}",
                &c[0][6..],
                &c[1][6..],
                c[2],
                c[3],
                c[5],
                c[7]
            )
        })
        .collect()
    };
    assert_eq!(rows(&fs::read_to_string(&file).unwrap()), table);
    let files = common::files(&folder);
    assert_eq!(files.len(), 2);
    let both = files
        .iter()
        .flat_map(|(_, f)| rows(std::str::from_utf8(f).unwrap()));
    assert_eq!(both.collect::<Vec<_>>(), table);
}
