//! `--extract` on transfers between real programs (`scripts/make-transfers`): what comes out is what was sent, whatever the
//! capture lost, and tshark does not know better.

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, RST, SERVER, SYN, behind};
use crate::common::{self, Done, files, read, run, sha256, testdata, tshark};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// Captures of testdata/transfers.
const CAPTURES: &[&str] = &[
    "http-codings",
    "http-ranges",
    "http-names",
    "http-uploads",
    "ftp-pasv",
    "ftp-epsv",
    "ftp-port",
    "ftp-eprt",
    "ftp-ipv6",
    "ftp-ipv6-active",
    "ftp-nat",
    "ftp-resume",
    "tftp-plain",
    "tftp-options",
    "tftp-window",
    "tftp-netascii",
];

/// A file that came out: its line of the list, and its octets.
#[derive(Debug)]
struct Extracted {
    row: serde_json::Value,
    octets: Vec<u8>,
}

impl Extracted {
    fn text(&self, field: &str) -> &str {
        self.row[field].as_str().unwrap_or_default()
    }

    fn complete(&self) -> bool {
        self.row["complete"].as_bool().expect("complete")
    }

    /// Offset and end of each missing range.
    fn missing(&self) -> Vec<(usize, usize)> {
        let number = |v: &serde_json::Value| v.as_u64().map(|n| usize::try_from(n).expect("usize"));
        let ranges = self.row["missing"].as_array().expect("missing");
        ranges
            .iter()
            .map(|range| {
                let at = number(&range[0]).expect("offset");
                (at, number(&range[1]).map_or(at, |len| at + len))
            })
            .collect()
    }
}

fn capture(name: &str) -> Vec<u8> {
    read(&testdata(&format!("transfers/{name}.pcap")))
}

/// Sum and name of each file that was sent.
fn sent(name: &str) -> Vec<(String, String)> {
    let list = read(&testdata(&format!("transfers/{name}.sha256")));
    let list = String::from_utf8(list).expect("UTF-8");
    let split = |line: &str| line.split_once("  ").map(|(a, b)| (a.into(), b.into()));
    list.lines().map(|l| split(l).expect("two words")).collect()
}

/// Runs `-x`, and holds the list to the files: each is in it once, with its right size and sum, and none else is there.
#[track_caller]
fn extract(capture: &[u8]) -> Vec<Extracted> {
    let dir = tempfile::tempdir().expect("tempdir");
    let into = dir.path().display().to_string();
    run(["-q", "-n", "-x", &into], capture).code(0);
    let mut there: BTreeMap<_, _> = files(dir.path()).into_iter().collect();
    let list = there.remove("files.jsonl").expect("files.jsonl");
    let list = String::from_utf8(list).expect("UTF-8");
    let found: Vec<_> = list
        .lines()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).expect(line);
            let name = row["file"].as_str().expect("file");
            let octets = there.remove(name).unwrap_or_else(|| panic!("{name}"));
            let file = Extracted { row, octets };
            let missing = file.missing();
            assert_eq!(file.complete(), missing.is_empty(), "{line}");
            assert_eq!(
                file.complete(),
                !file.text("file").ends_with(".part"),
                "{line}"
            );
            let sha = file.complete().then(|| sha256(&file.octets));
            assert_eq!(file.row["sha256"].as_str(), sha.as_deref(), "{line}");
            file
        })
        .collect();
    assert!(there.is_empty(), "not listed: {:?}", there.keys());
    found
}

/// Names and sums of the whole files, in order. Lists have no name of their own: the command stands for it.
fn whole(found: &[Extracted]) -> Vec<(String, String)> {
    let mut whole: Vec<_> = found
        .iter()
        .filter(|f| f.complete())
        // The body of a form is a file too, and so are its fields: they are not what was sent.
        .filter(|f| f.text("command") != "POST" || !["upload", ""].contains(&f.text("sent_name")))
        .map(|f| {
            let name = match f.row["sent_name"].as_str() {
                Some(name) => name.rsplit('/').next().unwrap_or_default(),
                None => f.text("command"),
            };
            (sha256(&f.octets), name.to_owned())
        })
        .collect();
    whole.sort();
    whole
}

#[track_caller]
fn damage(capture: &[u8], options: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("tempdir");
    let (from, to) = (dir.path().join("in.pcap"), dir.path().join("out.pcap"));
    fs::write(&from, capture).expect("write");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/damage.py");
    let status = Command::new("python3")
        .arg(script)
        .args(options)
        .args([&from, &to])
        .status()
        .expect("python3 is missing: scripts/test installs what the tests need");
    assert!(status.success());
    read(&to)
}

/// The capture with its records in another order, or some of them left out.
fn rearranged(capture: &[u8], order: impl FnOnce(Vec<&[u8]>) -> Vec<&[u8]>) -> Vec<u8> {
    let (_, records) = common::pcap(capture);
    let mut start = 24;
    let mut all = Vec::new();
    for record in records {
        all.push(&capture[start..record.end]);
        start = record.end;
    }
    [&capture[..24], &order(all).concat()].concat()
}

#[test]
fn what_was_sent_comes_out() {
    for name in CAPTURES {
        let found = extract(&capture(name));
        let mut expected = sent(name);
        expected.sort();
        assert_eq!(whole(&found), expected, "{name}");
        let parts = found.iter().filter(|f| !f.complete()).count();
        assert_eq!(parts, 0, "{name}: {found:?}");
    }
}

#[test]
fn reordered_and_repeated_packets_change_nothing() {
    for name in CAPTURES {
        for seed in ["1", "2"] {
            let options = ["--reorder", "0.3", "--duplicate", "0.3", "--seed", seed];
            let found = extract(&damage(&capture(name), &options));
            let mut expected = sent(name);
            expected.sort();
            assert_eq!(whole(&found), expected, "{name}, seed {seed}");
            let parts = found.iter().filter(|f| !f.complete()).count();
            assert_eq!(parts, 0, "{name}, seed {seed}: {found:?}");
        }
    }
}

/// Every file of a damaged capture is one that was sent: whole, or with its octets where they belong and all others listed; or a
/// range of one, of which it says where it stands. Gives how many whole ones there are.
#[track_caller]
fn assert_true(found: &[Extracted], originals: &[Extracted], at: &str) -> usize {
    for file in found {
        let range = file.row["range"].as_array();
        // Where octets of a coding are missing it is not undone: there is nothing to hold the coded ones to.
        if (!file.complete() || range.is_some())
            && !file.row["codings"].as_array().expect("codings").is_empty()
        {
            continue;
        }
        if let Some(range) = range {
            let at_range = range[0].as_u64().and_then(|n| usize::try_from(n).ok());
            let from = at_range.expect("an offset");
            assert!(
                file.complete() && range[1] == file.octets.len(),
                "{at}: {:?}",
                file.row
            );
            let same = |of: &Extracted| {
                of.octets.get(from..from + file.octets.len()) == Some(&file.octets[..])
            };
            assert!(originals.iter().any(same), "{at}: {:?}", file.row);
            continue;
        }
        // Behind an unknown number of missing octets nobody knows where octets belong.
        let ranges = file.row["missing"].as_array().expect("missing");
        let placed = ranges
            .iter()
            .all(|r| !r[1].is_null() || r[0] == file.octets.len());
        let mut parts = Vec::new();
        let mut place = 0;
        for (from, to) in file.missing().into_iter().chain([(usize::MAX, usize::MAX)]) {
            let end = file.octets.len();
            parts.push(place.min(end)..from.min(end));
            place = to;
        }
        let same = |original: &Extracted| {
            let of = &original.octets;
            (!file.complete() || file.octets.len() == of.len())
                && parts
                    .iter()
                    .all(|part| match file.octets.get(part.clone()) {
                        Some([]) => true,
                        Some(octets) if placed => of.get(part.clone()) == Some(octets),
                        Some(octets) => common::contains(of, octets),
                        None => false,
                    })
        };
        assert!(originals.iter().any(same), "{at}: {:?}", file.row);
        let size: usize = parts.iter().map(ExactSizeIterator::len).sum();
        assert_eq!(file.row["size"], size, "{at}: {:?}", file.row);
    }
    let entire = |f: &&Extracted| f.complete() && f.row["range"].is_null();
    found.iter().filter(entire).count()
}

#[test]
fn lost_packets_leave_files_that_are_whole_or_say_what_is_missing() {
    let (mut came, mut were) = (0, 0);
    let mut parts = 0;
    for name in CAPTURES {
        let clean = capture(name);
        let originals = extract(&clean);
        for seed in 1..=3 {
            let seed = seed.to_string();
            let at = format!("{name}, seed {seed}");
            let found = extract(&damage(&clean, &["--loss", "0.01", "--seed", &seed]));
            came += assert_true(&found, &originals, &at);
            were += originals.len();
            parts += found.iter().filter(|f| !f.complete()).count();
        }
        for start in ["5", "45"] {
            let found = extract(&damage(&clean, &["--cut-start", start]));
            assert_true(&found, &originals, &format!("{name} from packet {start}"));
        }
    }
    // One packet in a hundred is lost: most files are whole, and some are not.
    assert!(parts > 10, "{parts}");
    assert!(came * 10 > were * 8, "{came} of {were}");
    println!("{came} of {were} files are whole, {parts} are not");
}

/// Ports of the TCP segment in a record of these captures; None where it is none.
fn ports(record: &[u8]) -> Option<(u16, u16)> {
    let packet = &record[16..];
    let at = match (packet.get(12..14)?, packet.get(23), packet.get(20)) {
        ([8, 0], Some(6), _) => 34,
        ([0x86, 0xdd], _, Some(6)) => 54,
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?));
    Some((port(at)?, port(at + 2)?))
}

fn is_data(record: &[u8]) -> bool {
    ports(record).is_some_and(|(a, b)| ![21, 2121].contains(&a) && ![21, 2121].contains(&b))
}

fn has(record: &[u8], words: &[&str]) -> bool {
    let payload = record.get(16 + 54..).unwrap_or_default();
    words
        .iter()
        .any(|w| common::contains(payload, w.as_bytes()))
}

/// Words at which a data connection is announced.
const ANNOUNCE: &[&str] = &["227 ", "229 ", "PORT ", "EPRT "];

#[test]
fn a_data_connection_may_be_captured_before_its_announcement() {
    for name in CAPTURES.iter().filter(|n| n.starts_with("ftp")) {
        let moved = rearranged(&capture(name), |records| {
            let mut out: Vec<&[u8]> = Vec::new();
            let mut place = 0;
            for record in records {
                if is_data(record) {
                    out.insert(place, record);
                    place += 1;
                } else {
                    if has(record, ANNOUNCE) {
                        place = out.len();
                    }
                    out.push(record);
                }
            }
            out
        });
        let mut expected = sent(name);
        expected.sort();
        // Where the rest of a file comes before what it is the rest of, they are two.
        if *name == "ftp-resume" {
            expected.retain(|(_, name)| name != "long.bin");
        }
        assert_eq!(whole(&extract(&moved)), expected, "{name}");
    }
}

#[test]
fn without_its_control_connection_a_file_is_called_by_its_own() {
    for name in CAPTURES.iter().filter(|n| n.starts_with("ftp")) {
        let clean = capture(name);
        let mut expected: Vec<_> = sent(name)
            .into_iter()
            .filter(|(_, name)| name != "empty.bin" && name != "long.bin")
            .map(|(sum, _)| sum)
            .collect();
        if *name == "ftp-resume" {
            let long = extract(&clean);
            let long = long.iter().find(|f| f.text("file") == "long.bin").unwrap();
            expected.push(sha256(&long.octets[5000..])); // nobody knows of REST
        }
        expected.sort();
        for lost in [
            ANNOUNCE,
            &["RETR ", "STOR ", "APPE ", "LIST", "NLST", "MLSD"],
        ] {
            let left = rearranged(&clean, |records| {
                records
                    .into_iter()
                    .filter(|r| is_data(r) || !has(r, lost))
                    .collect()
            });
            let mut found = extract(&left);
            found.retain(|f| !f.octets.is_empty());
            let mut sums: Vec<_> = whole(&found).into_iter().map(|(sum, _)| sum).collect();
            sums.sort();
            assert_eq!(sums, expected, "{name} without {lost:?}");
            for file in &found {
                let own = format!("ftp-data-{}.", file.row["connection"]);
                assert!(file.text("file").starts_with(&own), "{:?}", file.row);
            }
        }
    }
}

#[test]
fn where_rest_may_have_been_lost_a_file_is_not_called_whole() {
    let clean = capture("ftp-resume");
    let without = |lost: &[&str]| {
        let left = rearranged(&clean, |records| {
            let stays = |r: &&[u8]| is_data(r) || !has(r, lost);
            records.into_iter().filter(stays).collect()
        });
        let of_long = |f: &Extracted| f.text("sent_name") == "long.bin";
        let long: Vec<_> = extract(&left).into_iter().filter(of_long).collect();
        long.iter().map(Extracted::complete).collect::<Vec<_>>()
    };
    assert_eq!(without(&["350 "]), [true]);
    // The gap is given up when the octets have long come: too late to place them.
    assert_eq!(without(&["REST "]), [false, false]);
    assert_eq!(without(&["REST ", "350 "]), [false, false]);
}

#[test]
fn of_several_broken_transfers_the_first_is_resumed() {
    const CONTROL: (Ipv4Addr, u16) = (SERVER.0, 21);
    let mut pcap = Pcap::new();
    let (mut asked, mut told) = (101, 501);
    let shake = |pcap: &mut Pcap, from, to| {
        for (from, to, seq, ack, flags) in [
            (from, to, 100, 0, SYN),
            (to, from, 500, 101, SYN | ACK),
            (from, to, 101, 501, ACK),
        ] {
            let packet = pcap.segment(from, to, seq, ack, flags, b"");
            pcap.packet(&packet);
        }
    };
    shake(&mut pcap, CLIENT, CONTROL);
    let mut say = |pcap: &mut Pcap, line: &str| {
        let reply = line.as_bytes()[0].is_ascii_digit();
        let line = format!("{line}\r\n");
        let packet = if reply {
            pcap.segment(CONTROL, CLIENT, told, asked, ACK | PSH, line.as_bytes())
        } else {
            pcap.segment(CLIENT, CONTROL, asked, told, ACK | PSH, line.as_bytes())
        };
        pcap.packet(&packet);
        let next = if reply { &mut told } else { &mut asked };
        *next = behind(*next, line.as_bytes());
    };
    say(&mut pcap, "TYPE I");
    say(&mut pcap, "200 ok");
    for (n, octet) in (0..).zip(b"abcdefgh") {
        let last = *octet == b'h';
        let (mine, its) = ((CLIENT.0, 51_000 + n), (SERVER.0, 1024 + n));
        say(&mut pcap, "PASV");
        say(&mut pcap, &format!("227 ok (203,0,113,80,4,{n})"));
        if last {
            say(&mut pcap, "REST 1000");
            say(&mut pcap, "350 ok");
        }
        say(&mut pcap, "RETR f.bin");
        say(&mut pcap, "150 ok");
        shake(&mut pcap, mine, its);
        let end = if last { FIN | ACK } else { RST | ACK };
        for (seq, flags, octets) in [(501, ACK | PSH, vec![*octet; 1000]), (1501, end, vec![])] {
            let packet = pcap.segment(its, mine, seq, 101, flags, &octets);
            pcap.packet(&packet);
        }
        say(&mut pcap, if last { "226 ok" } else { "426 broken" });
    }
    let expected = [vec![b'a'; 1000], vec![b'h'; 1000]].concat();
    for _ in 0..4 {
        let found = extract(&pcap.file);
        assert!(found.iter().any(|f| f.octets == expected), "{found:?}");
    }
}

#[test]
fn names_say_what_was_transferred() {
    let found = extract(&capture("ftp-nat"));
    let row = |name: &str| {
        let of = |f: &&Extracted| f.text("file") == name;
        let file = found.iter().find(of).unwrap_or_else(|| panic!("{name}"));
        ["command", "src", "name_from", "protocol"].map(|field| file.text(field).to_owned())
    };
    let (server, client, own) = ("192.0.2.1", "192.0.2.2", "command");
    assert_eq!(row("one.bin"), ["RETR", server, own, "ftp-data"]);
    assert_eq!(row("empty.bin"), ["RETR", server, own, "ftp-data"]);
    assert_eq!(row("up.bin"), ["STOR", client, own, "ftp-data"]);
    assert_eq!(row("log.bin"), ["APPE", client, own, "ftp-data"]);
    assert_eq!(row("LIST.txt"), ["LIST", server, "", "ftp-data"]);
    assert_eq!(row("NLST.txt"), ["NLST", server, "", "ftp-data"]);
    let found = extract(&capture("tftp-plain"));
    let photo = found
        .iter()
        .find(|f| f.text("file") == "photo.jpg")
        .unwrap();
    assert_eq!((photo.text("command"), photo.text("src")), ("WRQ", client));
    // Two of one name are both there.
    for name in ["block.bin", "block-1.bin"] {
        assert!(found.iter().any(|f| f.text("file") == name), "{name}");
    }
}

/// A UDP datagram in Ethernet and IPv4.
fn datagram(pcap: &mut Pcap, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) {
    let len = u16::try_from(8 + payload.len()).expect("fits");
    let [a, b, len] = [from.1, to.1, len].map(u16::to_be_bytes);
    let udp = [&a[..], &b, &len, &[0, 0], payload].concat();
    let packet = pcap.ip(from.0, to.0, 17, &udp);
    pcap.packet(&packet);
}

#[test]
fn numbers_of_tftp_blocks_begin_again() {
    // More than twice 65,536 blocks of 8 octets; one is lost behind the place where the numbers begin again.
    let file: Vec<u8> = (0..8 * 132_000_u32 + 3).map(|i| (i % 251) as u8).collect();
    let (client, server) = ((CLIENT.0, 2000), (SERVER.0, 3000));
    for lost in [None, Some(65_540_usize)] {
        let mut pcap = Pcap::new();
        datagram(
            &mut pcap,
            client,
            (server.0, 69),
            b"\0\x01big.bin\0octet\0blksize\x008\0",
        );
        datagram(&mut pcap, server, client, b"\0\x06blksize\x008\0");
        for (i, octets) in file.chunks(8).enumerate() {
            if lost != Some(i) {
                let [.., high, low] = (i + 1).to_be_bytes();
                let block = [&[0, 3, high, low], octets].concat();
                datagram(&mut pcap, server, client, &block);
            }
        }
        let found = extract(&pcap.file);
        assert_eq!(found.len(), 1);
        match lost {
            None => {
                assert_eq!(found[0].text("file"), "big.bin");
                assert_eq!(sha256(&found[0].octets), sha256(&file));
            }
            Some(i) => {
                assert_eq!(found[0].text("file"), "big.bin.part");
                assert_eq!(found[0].missing(), [(8 * i, 8 * i + 8)]);
                assert_eq!(found[0].octets[8 * i + 8..], file[8 * i + 8..]);
            }
        }
    }
}

#[test]
fn a_tftp_block_that_is_lost_is_a_missing_range() {
    let third = |r: &&[u8]| !r[16 + 42..].starts_with(&[0, 3, 0, 3]);
    let lost = rearranged(&capture("tftp-plain"), |records| {
        records.into_iter().filter(third).collect()
    });
    let found = extract(&lost);
    let missing: Vec<_> = found
        .iter()
        .map(|f| (f.text("file"), f.missing()))
        .collect();
    let part = |name| (name, vec![(1024, 1536)]);
    let expected = [
        part("boot.bin.part"),
        part("block.bin.part"),
        part("photo.jpg.part"),
    ];
    for file in expected {
        assert!(missing.contains(&file), "{file:?} in {missing:?}");
    }
    assert!(missing.contains(&("none.bin", vec![])), "{missing:?}");
}

#[test]
fn an_error_ends_a_tftp_transfer() {
    let (client, server) = ((CLIENT.0, 2000), (SERVER.0, 3000));
    let mut pcap = Pcap::new();
    datagram(&mut pcap, client, (server.0, 69), b"\0\x01a.bin\0octet\0");
    datagram(
        &mut pcap,
        server,
        client,
        &[&[0, 3, 0, 1], &[7; 512][..]].concat(),
    );
    datagram(&mut pcap, server, client, b"\0\x05\0\0disk on fire\0");
    // The same file again, from the same port: another transfer, answered from another port.
    datagram(&mut pcap, client, (server.0, 69), b"\0\x01a.bin\0octet\0");
    datagram(&mut pcap, (server.0, 3001), client, b"\0\x03\0\x01short");
    // What is not there is no file.
    datagram(
        &mut pcap,
        (client.0, 2001),
        (server.0, 69),
        b"\0\x01b.bin\0octet\0",
    );
    datagram(
        &mut pcap,
        (server.0, 3002),
        (client.0, 2001),
        b"\0\x05\0\x01File not found\0",
    );
    let found = extract(&pcap.file);
    let names: Vec<_> = found.iter().map(|f| f.text("file")).collect();
    assert_eq!(names, ["a.bin.part", "a.bin"]);
    assert_eq!(found[0].text("error"), "ERROR: disk on fire");
    assert_eq!(found[1].octets, b"short");
}

/// A connection whose two ends send these octets, in turns.
fn talk(pcap: &mut Pcap, client: u16, server: u16, turns: &[(bool, &[u8])]) {
    let (a, b) = ((CLIENT.0, client), (SERVER.0, server));
    let (mut seq, mut ack) = (1000, 2000);
    let send = |pcap: &mut Pcap, by_client, seq, ack, flags, octets: &[u8]| {
        let (from, to) = if by_client { (a, b) } else { (b, a) };
        let packet = pcap.segment(from, to, seq, ack, flags, octets);
        pcap.packet(&packet);
    };
    send(pcap, true, seq - 1, 0, SYN, b"");
    send(pcap, false, ack - 1, seq, SYN | ACK, b"");
    send(pcap, true, seq, ack, ACK, b"");
    for (by_client, octets) in turns {
        if *by_client {
            send(pcap, true, seq, ack, PSH | ACK, octets);
            seq = behind(seq, octets);
            send(pcap, false, ack, seq, ACK, b"");
        } else {
            send(pcap, false, ack, seq, PSH | ACK, octets);
            ack = behind(ack, octets);
            send(pcap, true, seq, ack, ACK, b"");
        }
    }
    send(pcap, false, ack, seq, FIN | ACK, b"");
    send(pcap, true, seq, ack + 1, FIN | ACK, b"");
    send(pcap, false, ack + 1, seq + 1, ACK, b"");
}

#[test]
fn other_connections_between_the_same_hosts_are_not_taken() {
    let mut pcap = Pcap::new();
    let login: &[(bool, &[u8])] = &[
        (false, b"220 FTP\r\n"),
        (true, b"USER u\r\n"),
        (false, b"331 ok\r\n"),
    ];
    talk(&mut pcap, 40_000, 21, login);
    // Spoken both ways: no data connection. HTTP on any port is HTTP's.
    talk(
        &mut pcap,
        40_001,
        9999,
        &[(true, b"\x01\x02question"), (false, b"\x01\x02answer")],
    );
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
    talk(
        &mut pcap,
        40_002,
        8080,
        &[(true, b"GET /a.txt HTTP/1.1\r\n\r\n"), (false, response)],
    );
    // One way: a data connection whose announcement was lost.
    talk(&mut pcap, 40_003, 9998, &[(false, &[0xF1; 3000])]);
    // Another host.
    let found = extract(&pcap.file);
    let mut names: Vec<_> = found.iter().map(|f| f.text("file")).collect();
    names.sort_unstable();
    assert_eq!(names, ["a.txt", "ftp-data-3.bin"]);
}

#[test]
fn commands_that_fail_leave_no_file_and_the_next_one_takes_the_announcement() {
    let mut pcap = Pcap::new();
    let first: &[(bool, &[u8])] = &[
        (false, b"220 FTP\r\n"),
        (true, b"TYPE I\r\n"),
        (false, b"200 ok\r\n"),
        (true, b"PASV\r\n"),
        (false, b"227 ok (10,0,0,1,39,16)\r\n"),
        (true, b"RETR none.bin\r\n"),
        (false, b"550 no such file\r\n"),
        (true, b"RETR some.bin\r\n"),
        (false, b"150 some.bin (3000 bytes)\r\n"),
    ];
    talk(&mut pcap, 40_000, 21, first);
    // Nobody connects to the address that was told: a translator stands between.
    talk(&mut pcap, 40_003, 10_000, &[(false, &[0xF1; 2000])]);
    let found = extract(&pcap.file);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text("file"), "some.bin.part");
    // The server said how many octets there are, and closed before that.
    assert_eq!(found[0].missing(), [(2000, 3000)]);
}

#[test]
fn rest_holds_until_a_transfer_unless_it_is_refused() {
    for (reply, missing) in [
        (&b"350 ok\r\n"[..], vec![(0, 100)]),
        (b"502 no\r\n", vec![]),
    ] {
        let mut pcap = Pcap::new();
        let turns: &[(bool, &[u8])] = &[
            (false, b"220 FTP\r\n"),
            (true, b"RETR none.bin\r\n"),
            (false, b"550 no such file\r\n"),
            (true, b"REST 100\r\n"),
            (false, reply),
            (true, b"EPSV\r\n"),
            (false, b"500 what\r\n"),
            (true, b"PASV\r\n"),
            (false, b"227 ok (203,0,113,80,39,16)\r\n"),
            (true, b"RETR some.bin\r\n"),
            (false, b"150 here\r\n"),
            (false, b"226 done\r\n"),
        ];
        talk(&mut pcap, 40_000, 21, turns);
        talk(&mut pcap, 40_003, 10_000, &[(false, &[0xF1; 2000])]);
        let found = extract(&pcap.file);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text("sent_name"), "some.bin");
        assert_eq!(found[0].missing(), missing);
    }
}

#[test]
fn a_lost_command_gives_no_file_the_name_of_another() {
    // The first RETR and the second PASV with its answer are lost.
    let mut pcap = Pcap::new();
    let turns: &[(bool, &[u8])] = &[
        (false, b"220 FTP\r\n"),
        (true, b"PASV\r\n"),
        (false, b"227 ok (203,0,113,80,39,16)\r\n"),
        (false, b"150 here\r\n"),
        (false, b"226 done\r\n"),
        (true, b"PASV\r\n"),
        (false, b"227 ok (203,0,113,80,39,17)\r\n"),
        (true, b"RETR two.bin\r\n"),
        (false, b"226 done\r\n"),
        (true, b"RETR three.bin\r\n"),
        (false, b"226 done\r\n"),
    ];
    talk(&mut pcap, 40_000, 21, turns);
    for n in 0..3 {
        talk(&mut pcap, 40_001 + n, 10_000 + n, &[(false, &[0xF1; 2000])]);
    }
    let found = extract(&pcap.file);
    let mut names: Vec<_> = found.iter().map(|f| f.text("file")).collect();
    names.sort_unstable();
    assert_eq!(names, ["ftp-data-1.bin", "ftp-data-3.bin", "two.bin"]);
}

#[test]
fn what_waits_is_given_back() {
    for name in CAPTURES {
        let dir = tempfile::tempdir().expect("tempdir");
        let into = dir.path().display().to_string();
        let options = ["-n", "-s", "-x", &into];
        let with = run(options, &capture(name));
        let without = run(["-n", "-s"], &capture(name));
        let waits = |done: &Done| common::counter(&done.stderr, "buffer.waiting");
        assert_eq!(waits(&with), waits(&without), "{name}");
    }
}

#[test]
fn memory_holds_with_many_transfers() {
    // More than may wait: transfers of TFTP that stay open, and FTP whose replies never come.
    let (mut tftp, mut ftp) = (Pcap::new(), Pcap::new());
    for n in 0..3000_u16 {
        let client = (CLIENT.0, 10_000 + n);
        let request = format!("\0\x01{n}.bin\0octet\0");
        datagram(&mut tftp, client, (SERVER.0, 69), request.as_bytes());
        for block in 1..=4 {
            let octets = [&[0, 3, 0, block], &[block; 512][..]].concat();
            datagram(&mut tftp, (SERVER.0, 3000), client, &octets);
        }
    }
    for n in 0..1500_u16 {
        let [high, low] = (20_000 + n).to_be_bytes();
        let passive = format!("227 ok (203,0,113,80,{high},{low})\r\n");
        let retrieve = format!("RETR {n}.bin\r\n");
        let turns: &[(bool, &[u8])] = &[
            (false, b"220 FTP\r\n"),
            (true, b"PASV\r\n"),
            (false, passive.as_bytes()),
            (true, retrieve.as_bytes()),
        ];
        talk(&mut ftp, 10_000 + n, 21, turns);
        talk(
            &mut ftp,
            30_000 + n,
            20_000 + n,
            &[(false, &[0xF1; 1400]), (false, &[0xF2; 648])],
        );
    }
    for (capture, files) in [(tftp, 3000), (ftp, 1500)] {
        let dir = tempfile::tempdir().expect("tempdir");
        let into = dir.path().display().to_string();
        let options = ["-n", "-s", "--memory-limit", "4M", "-x", &into];
        let done = run(options, &capture.file);
        done.code(0);
        let counted = |name| common::counter(&done.stderr, name);
        assert!(counted("buffer.peak") < 4_600_000, "{}", done.stderr);
        // Connections that were given up for want of memory go on as others: no octet is lost.
        assert!(counted("files.written") >= files, "{}", done.stderr);
        assert_eq!(counted("files.octets"), files * 2048);
    }
}

/// What tshark exports of a protocol.
fn exported(kind: &str, capture: &[u8]) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().expect("tempdir");
    let into = format!("{kind},{}", dir.path().join("out").display());
    tshark(["-q", "--export-objects", &into], capture);
    match dir.path().join("out") {
        out if out.is_dir() => files(&out),
        _ => Vec::new(),
    }
}

#[test]
fn what_tshark_exports_rightly_comes_out_too() {
    let mut right = BTreeMap::new();
    for name in CAPTURES {
        let kind = match name.split_once('-') {
            Some(("ftp", _)) => "ftp-data",
            Some((kind, _)) => kind,
            None => panic!("{name}"),
        };
        let capture = capture(name);
        let came = whole(&extract(&capture));
        let sent = sent(name);
        for (file, octets) in exported(kind, &capture) {
            let digest = sha256(&octets);
            if sent.iter().any(|(sum, _)| *sum == digest) {
                assert!(came.iter().any(|(sum, _)| *sum == digest), "{name}: {file}");
                *right.entry(*name).or_insert(0) += 1;
            } else {
                println!("{name}: tshark exports {file}, which was not sent");
            }
        }
        let right = right.get(name).copied().unwrap_or(0);
        println!("{name}: tshark has {right} of {} files", sent.len());
    }
    // The transfer command stands right behind PASV; the file that was taken up with REST is none of them.
    assert_eq!(right["ftp-resume"], 3);
    // All but the one without octets.
    assert_eq!(right["tftp-plain"], 4);
    assert_eq!(
        right["tftp-options"] + right["tftp-window"] + right["tftp-netascii"],
        6
    );
}

/// Objects of the reference answers beside the repository that are not in the output, and why.
const OTHERWISE: &[(&str, &str, &str)] = &[];

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn objects_of_shared_captures() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let mut compared = 0;
    for entry in fs::read_dir(shared.join("truth")).expect("read_dir") {
        let path = entry.expect("entry").path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".json.gz") else {
            continue;
        };
        let mut text = String::new();
        let packed = read(&path);
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .expect("gzip");
        let truth: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let of = |kind: &str| {
            truth["objects"][kind]
                .as_array()
                .cloned()
                .unwrap_or_default()
        };
        let objects = [of("ftp-data"), of("tftp")].concat();
        if objects.is_empty() {
            continue;
        }
        let found = extract(&read(&shared.join("captures").join(name)));
        for object in objects {
            let (file, digest) = (object[0].as_str().unwrap(), object[2].as_str().unwrap());
            let ours = found.iter().any(|f| sha256(&f.octets) == digest);
            let reason = OTHERWISE.iter().find(|(n, f, _)| (*n, *f) == (name, file));
            match reason {
                Some((_, _, why)) => println!("{name}: {file}: {why}"),
                None => assert!(ours, "{name}: {file}"),
            }
            compared += 1;
        }
    }
    assert!(compared >= 2, "{compared}");
}
