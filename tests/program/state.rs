//! What waits can be written out between any two packets and read back, and the output goes on unchanged.

use crate::common;
use crate::common::build::{
    ACK, CLIENT, FIN, PSH, Pcap, RST, SERVER, SYN, behind, body, get, response,
};
use crate::common::testdata;
use inet_asm::assembler::{Assembler, State};
use inet_asm::base::limits::Limits;
use inet_asm::base::packet::{LinkType, Packet};
use inet_asm::base::time::Timestamp;
use inet_asm::sink::{Outputs, PacketOptions};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A file in memory that the outputs of several engines write to.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("one thread").extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl File {
    fn octets(&self) -> Vec<u8> {
        self.0.lock().expect("one thread").clone()
    }
}

fn outputs(file: &File, link_type: u32) -> Outputs {
    let mut outputs = Outputs::new();
    // What an output has written is no part of the state: `--timestamps monotone` begins anew.
    let options = PacketOptions {
        original_times: true,
        ..PacketOptions::default()
    };
    outputs.packets("test", Box::new(file.clone()), options);
    outputs.begin(LinkType(u16::try_from(link_type).expect("16 bits")), false);
    outputs
}

/// The output of a capture; with `cut`, the state is written out behind so many packets, and another engine with other
/// outputs reads it and goes on.
fn through(capture: &[u8], cut: Option<usize>) -> Vec<u8> {
    let (link_type, records) = common::pcap(capture);
    let files = [File::default(), File::default()];
    let mut engine = Assembler::new(Limits::default(), outputs(&files[0], link_type));
    for (i, record) in records.iter().enumerate() {
        if cut == Some(i) {
            let state = postcard::to_stdvec(engine.state()).expect("plain data");
            assert!(engine.sink().flush().expect("memory").is_continue());
            let state: State<_> = postcard::from_bytes(&state).expect("plain data");
            engine = Assembler::resume(state, outputs(&files[1], link_type));
        }
        engine.packet(&Packet {
            frame: i as u64 + 1,
            time: Timestamp::from_nanos(record.time),
            interface: 0,
            link_type: LinkType(u16::try_from(link_type).expect("16 bits")),
            data: record.data,
            orig_len: record.original,
            fcs_len: None,
            flags: 0,
        });
    }
    engine.flush();
    assert!(engine.sink().flush().expect("memory").is_continue());
    let mut all = files[0].octets();
    // The second file has a header of its own.
    all.extend(files[1].octets().get(24..).unwrap_or_default());
    all
}

#[track_caller]
fn goes_on(name: &str, capture: &[u8]) {
    let whole = through(capture, None);
    assert!(whole.len() > 24, "{name}: no messages");
    for cut in 0..common::pcap(capture).1.len() {
        assert!(
            through(capture, Some(cut)) == whole,
            "{name}: written out and read back behind packet {cut}, the output differs"
        );
    }
}

#[test]
fn at_every_packet_of_small_captures() {
    for name in [
        "http-keepalive.pcap",
        "http-chunked.pcap",
        "http-pipelined.pcap",
        "http-head.pcap",
        "http-close.pcap",
        "http-swapped.pcap",
        "http-lost.pcap",
        "http-lost-message.pcap",
        "http-cut-start.pcap",
        "http-snapped.pcap",
        "http-qinq.pcap",
        "dns-tcp.pcap",
        "dns-udp.pcap",
    ] {
        goes_on(name, &common::read(&testdata(name)));
    }
}

#[test]
fn with_a_hole_half_a_message_and_half_a_header() {
    let (answer, next) = (response(&body(3000)), response(b"next"));
    let request = get("/a");
    let mut pcap = Pcap::new();
    pcap.open(100, 500);
    // Half a header, then the rest; a request of which the second half waits behind a hole.
    pcap.client(101, 501, ACK, &request[..9]).client(
        behind(101, &request[..9]),
        501,
        ACK | PSH,
        &request[9..],
    );
    let asked = behind(101, &request);
    let second = get("/b");
    pcap.server(501, asked, ACK, &answer[..20])
        .server(behind(501, &answer[..20]), asked, ACK, &answer[20..1000])
        .server(behind(501, &answer[..2000]), asked, ACK, &answer[2000..])
        .client(
            behind(asked, &second[..5]),
            behind(501, &answer),
            ACK,
            &second[5..],
        )
        .server(
            behind(501, &answer[..1000]),
            asked,
            ACK,
            &answer[1000..2000],
        )
        .client(asked, behind(501, &answer), ACK, &second[..5])
        .server(
            behind(501, &answer),
            behind(asked, &second),
            ACK | PSH | FIN,
            &next,
        );
    goes_on("made", &pcap.file);
}

/// The records of a capture, each whole, behind its file header.
fn records(capture: &[u8]) -> Vec<&[u8]> {
    let (_, records) = common::pcap(capture);
    let mut rest = &capture[24..];
    let mut all = Vec::new();
    for record in records {
        let (one, behind) = rest.split_at(16 + record.data.len());
        all.push(one);
        rest = behind;
    }
    all
}

/// The capture in pieces that are cut behind so many packets.
fn pieces(capture: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let records = records(capture);
    let ends = cuts.iter().copied().chain([records.len()]);
    let begins = [0].into_iter().chain(cuts.iter().copied());
    let piece = |(begin, end)| [&capture[..24], &records[begin..end].concat()].concat();
    begins.zip(ends).map(piece).collect()
}

/// Names and contents of all files below a folder.
fn files_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files_below(&path));
        } else {
            all.insert(path.clone(), common::read(&path));
        }
    }
    all
}

/// The same, with names from there.
fn named_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = files_below(folder).into_iter();
    all.map(|(path, octets)| (path.strip_prefix(folder).expect("below").to_owned(), octets))
        .collect()
}

/// What a run over a capture, or runs over its pieces one after the other, leave: what was written to stdout and to files, and counters.
#[derive(PartialEq, Eq, Debug)]
struct Left {
    stdout: Vec<u8>,
    packets: Vec<u8>,
    json: Vec<u8>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    counters: Vec<String>,
}

fn left_by(pieces: &[Vec<u8>], options: &[&str]) -> Left {
    left_with_states(pieces, options).0
}

/// The same, and the state behind each piece.
fn left_with_states(pieces: &[Vec<u8>], options: &[&str]) -> (Left, Vec<Vec<u8>>) {
    let mut states = Vec::new();
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let mut left = Left {
        stdout: Vec::new(),
        packets: Vec::new(),
        json: Vec::new(),
        files: BTreeMap::new(),
        counters: Vec::new(),
    };
    let (packets, state) = (at("w.pcap"), at("state"));
    let (json, dump, files) = (format!("-j={}", at("j")), at("dump"), at("files"));
    for (n, piece) in pieces.iter().enumerate() {
        let mut args = vec![
            "-w", &packets, &json, "--dump", &dump, "-x", &files, "-s=all", "-",
        ];
        args.extend(options);
        if n > 0 {
            args.extend(["--load-state", &state]);
        }
        if n + 1 < pieces.len() {
            args.extend(["--save-state", &state]);
        }
        let done = common::run(args, piece);
        done.code(0);
        if n + 1 < pieces.len() {
            states.push(common::read(Path::new(&state)));
        }
        let octets = common::read(Path::new(&packets));
        left.packets.extend(&octets[if n == 0 { 0 } else { 24 }..]);
        left.json.extend(common::read(Path::new(&json[3..])));
        left.stdout.extend(&done.stdout);
        // How many files there were, how much memory they took, and how long that took, is another matter.
        let counts = |line: &&str| {
            let name = line.split_whitespace().next().unwrap_or_default();
            let memory = name.starts_with("buffer.") && name.ends_with("_octets_peak");
            let other = ["input.files", "buffer.peak"].contains(&name) || memory;
            name.contains('.') && !other && !name.starts_with("runtime.")
        };
        left.counters = done
            .stderr
            .lines()
            .filter(counts)
            .map(str::to_owned)
            .collect();
    }
    for folder in [dump, files] {
        for (path, octets) in files_below(Path::new(&folder)) {
            let name = path.strip_prefix(dir.path()).expect("below it");
            left.files.insert(name.to_owned(), octets);
        }
    }
    (left, states)
}

/// Both left the same.
fn assert_same(name: &str, cut: &Left, whole: &Left) {
    assert!(cut.packets == whole.packets, "{name}: packets differ");
    assert_eq!(
        String::from_utf8_lossy(&cut.json),
        String::from_utf8_lossy(&whole.json),
        "{name}"
    );
    assert_eq!(
        String::from_utf8_lossy(&cut.stdout),
        String::from_utf8_lossy(&whole.stdout),
        "{name}"
    );
    assert_eq!(cut.counters, whole.counters, "{name}");
    assert!(cut == whole, "{name}: files differ");
}

/// Cut in handshakes, headers, chunks, bodies, holes, fragments of IP and SCTP, ranges, exchanges of TFTP and FTP. `scripts/check-state` tries
/// many more cuts, captures and outputs.
#[test]
fn pieces_of_a_capture_leave_what_the_whole_does() {
    for (n, (name, cuts, options)) in [
        ("http-chunked.pcap", &[5, 17, 40][..], &[][..]),
        ("http-lost.pcap", &[20, 31], &["--pair"]),
        (
            "http-large.pcap",
            &[30, 60],
            &["--hash", "--json-body=base64"],
        ),
        ("http-reordered.pcap", &[21, 50], &["--sort-queue=7"]),
        ("fragments-v4.pcap", &[1, 2, 3], &["-p"]),
        ("fragments-udp.pcap", &[1, 2], &["-p"]),
        ("sctp-fragments.pcap", &[10, 20, 21], &["-p=full"]),
        ("sctp-interleaved.pcap", &[9, 20], &["--wait-ack"]),
        ("dns-udp.pcap", &[1, 6, 11], &["--table=dns"]),
        ("transfers/http-ranges.pcap", &[20, 41], &["--follow=all"]),
        (
            "transfers/ftp-resume.pcap",
            &[61, 130],
            &["--vlan=separate"],
        ),
        (
            "transfers/tftp-window.pcap",
            &[4, 22],
            &["--table=protocols"],
        ),
        (
            "protocols/websocket.pcap",
            &[12, 33],
            &["--table=connections"],
        ),
    ]
    .iter()
    .enumerate()
    {
        let capture = common::read(&testdata(name));
        let packets = records(&capture).len();
        let cuts: Vec<_> = cuts.iter().copied().filter(|cut| *cut < packets).collect();
        assert!(!cuts.is_empty(), "{n} {name}: {packets} packets");
        let whole = left_by(std::slice::from_ref(&capture), options);
        assert!(whole.json.len() > 100, "{name}: nothing was found");
        let cut = left_by(&pieces(&capture, &cuts), options);
        assert_same(name, &cut, &whole);
    }
}

/// The capture with segments of so many octets at most, without some of its packets, by their places.
fn in_small_segments(capture: &[u8], size: usize, lost: &[usize]) -> Vec<u8> {
    let mut pcap = Pcap::new();
    let (_, records) = common::pcap(capture);
    let segments = records.iter().zip(common::segments(capture)).enumerate();
    for (_, (record, segment)) in segments.filter(|(place, _)| !lost.contains(place)) {
        let data = record.data;
        let address = |at: usize| Ipv4Addr::new(data[at], data[at + 1], data[at + 2], data[at + 3]);
        let to = (address(30), u16::from_be_bytes([data[36], data[37]]));
        let from = (address(26), segment.source_port);
        let mut seq = segment.seq;
        let whole = [&segment.payload[..]];
        let parts: Vec<_> = match segment.payload.len() {
            0 => whole.to_vec(),
            _ => segment.payload.chunks(size).collect(),
        };
        for part in parts {
            let packet = pcap.segment(from, to, seq, segment.ack, segment.flags, part);
            pcap.packet(&packet);
            seq = behind(seq, part);
        }
    }
    pcap.file
}

/// Cut in hellos, in records and between them, also where a hello is not in the capture. The secrets come from the key log again: none
/// stands in a state.
#[test]
fn what_tls_holds_goes_on_and_no_secret_is_saved() {
    for (name, lost, cuts) in [
        ("tls13-aes256", &[][..], &[4, 7, 10, 30, 75][..]),
        ("tls13-aes256", &[3], &[5, 20, 51]),
        // The hello of the second connection, whose session is looked for among those that no other one has.
        ("tls13-aes256", &[32], &[100, 141, 150]),
        ("tls12-gcm", &[], &[4, 12, 13]),
    ] {
        let file = testdata("tls").join(name);
        let keys = file.with_extension("keys");
        let text = fs::read_to_string(&keys).expect("a key log");
        let capture = common::read(&file.with_extension("pcap"));
        let capture = in_small_segments(&capture, 200, lost);
        let options = ["-p=full", "--keylog", keys.to_str().expect("UTF-8")];
        let whole = left_by(std::slice::from_ref(&capture), &options);
        let opened = |line: &String| {
            let mut words = line.split_whitespace();
            words.next() == Some("decrypted.records") && words.next() != Some("0")
        };
        assert!(whole.counters.iter().any(opened), "{:?}", whole.counters);
        let (cut, states) = left_with_states(&pieces(&capture, cuts), &options);
        assert_same(&format!("{name} {cuts:?}"), &cut, &whole);
        let mut randoms = 0;
        for state in &states {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            for line in lines {
                let words: Vec<_> = line.split(' ').collect();
                let [_, random, secret] = words[..] else {
                    panic!("{line}");
                };
                randoms += usize::from(common::contains(state, &from_hex(random)));
                let octets = from_hex(secret);
                // Nor the half of one.
                for part in octets.chunks(16) {
                    assert!(!common::contains(state, part), "{name}: {line}");
                }
                assert!(!common::contains(state, secret.as_bytes()), "{name}");
            }
        }
        // What is no secret is found there.
        assert!(randoms > 0, "{name} {cuts:?}");
    }
}

/// The second run has no keys, or does not want to open records: it ends, what was opened is not called whole, and no octet is lost.
#[test]
fn what_was_opened_ends_in_a_run_without_keys() {
    let file = testdata("tls").join("tls12-gcm");
    let keys = file.with_extension("keys");
    let capture = common::read(&file.with_extension("pcap"));
    let dir = tempfile::tempdir().expect("tempdir");
    let state = dir.path().join("state");
    for options in [&[][..], &["--tls", "records"]] {
        for (cut, incomplete) in [(22, 1), (23, 1), (40, 0)] {
            let halves = pieces(&capture, &[cut]);
            let _ = fs::remove_file(&state);
            let mut first = common::inet_asm(["-p", "--keylog"]);
            first.arg(&keys).arg("--state").arg(&state).arg("-");
            common::feed(&mut first, &[&halves[0]]).code(0);
            let mut second = common::inet_asm(["-p", "-s=all"]);
            second.args(options).arg("--state").arg(&state).arg("-");
            let done = common::feed(&mut second, &[&halves[1]]);
            done.code(0);
            let lines = String::from_utf8(done.stdout).expect("UTF-8");
            let inside = lines.lines().filter(|line| line.contains("http"));
            assert_eq!(
                inside.filter(|line| line.contains("[incomplete]")).count(),
                incomplete,
                "{cut}: {lines}"
            );
            assert!(lines.contains("application data"), "{cut}");
        }
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(octet).collect()
}

/// What one connection says of others, or of itself, is remembered over cuts: a server that upgraded one connection to WebSocket, and
/// whom a proxy names.
#[test]
fn what_a_connection_has_told_goes_on() {
    let request = b"GET /chat HTTP/1.1\r\nHost: s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000)
        .client(1001, 5001, ACK | PSH, request)
        .server(5001, behind(1001, request), ACK | PSH, answer);
    let upgraded = records(&pcap.file).len();
    // Frames that no text tells, of a connection whose handshake is lost.
    let other = (CLIENT.0, 50_001);
    let mut seq = 9_000_000;
    for n in 0..20 {
        let octets = body(100 + n * 211 % 900);
        let len = u16::try_from(octets.len()).expect("short").to_be_bytes();
        let frame = [&[0x82, 126][..], &len, &octets].concat();
        let packet = pcap.segment(SERVER, other, seq, 7_000_000, ACK | PSH, &frame);
        pcap.packet(&packet);
        seq = behind(seq, &frame);
    }
    let websocket = pcap.file;
    let proxied = common::read(&testdata("protocols/proxy.pcap"));
    let last = records(&proxied).len() - 1;
    let all: Vec<_> = (1..last).collect();
    for (name, capture, cuts, words) in [
        ("websocket", &websocket, &[upgraded][..], " websocket "),
        ("proxy", &proxied, &all[..], "\u{2192}"),
    ] {
        let options = ["-p"];
        let whole = left_by(std::slice::from_ref(capture), &options);
        let text = String::from_utf8_lossy(&whole.stdout).into_owned();
        let told = |line: &&str| line.contains(words) && (name != "proxy" || line.contains(" ["));
        assert!(text.lines().filter(told).count() > 1, "{text}");
        assert_same(name, &left_by(&pieces(capture, cuts), &options), &whole);
    }
    // Without the state, the frames are of no known protocol: the cut lies where it matters.
    let alone = left_by(&pieces(&websocket, &[upgraded])[1..], &["-p"]);
    let alone = String::from_utf8_lossy(&alone.stdout).into_owned();
    assert!(!alone.contains(" websocket "), "{alone}");
}

/// Each run writes a document of its own, and their entries are those of one run.
#[test]
fn the_entries_of_har_go_on() {
    let entries = |pieces: &[Vec<u8>]| {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
        let mut all: Vec<serde_json::Value> = Vec::new();
        for (n, piece) in pieces.iter().enumerate() {
            let har = at(&format!("{n}.har"));
            let state = at("state");
            let mut args = vec!["--har", &har, "-q"];
            if n > 0 {
                args.extend(["--load-state", &state]);
            }
            if n + 1 < pieces.len() {
                args.extend(["--save-state", &state]);
            }
            common::run(args, piece).code(0);
            let document = common::read(Path::new(&har));
            let document: serde_json::Value =
                serde_json::from_slice(&document).expect("a document");
            assert_eq!(document["log"]["version"], "1.2");
            all.extend(
                document["log"]["entries"]
                    .as_array()
                    .expect("a list")
                    .clone(),
            );
        }
        all
    };
    for (name, cuts) in [
        ("http-keepalive.pcap", &[1, 5, 7, 8, 9, 15][..]),
        ("http-chunked.pcap", &[5, 17, 40]),
        ("http-lost.pcap", &[20, 31]),
    ] {
        let capture = common::read(&testdata(name));
        let packets = records(&capture).len();
        let cuts: Vec<_> = cuts.iter().copied().filter(|cut| *cut < packets).collect();
        let whole = entries(std::slice::from_ref(&capture));
        assert!(!whole.is_empty(), "{name}");
        assert_eq!(entries(&pieces(&capture, &cuts)), whole, "{name}");
    }
}

/// Without a state, the end of a piece is the end of its connections: the test above would show it.
#[test]
fn pieces_alone_are_not_the_whole() {
    let capture = common::read(&testdata("http-large.pcap"));
    let parts = pieces(&capture, &[30]);
    let second = left_by(&parts[1..], &[]);
    let whole = left_by(&[capture], &[]);
    assert!(second.json != whole.json && second.files != whole.files);
}

#[test]
fn times_and_numbers_of_interfaces_go_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let capture = common::read(&testdata("http-keepalive.pcap"));
    let whole = common::run(
        ["-w", &format!("file:{}?format=pcapng", at("whole"))],
        &capture,
    );
    whole.code(0);
    let mut cut: Vec<u8> = Vec::new();
    for (n, piece) in pieces(&capture, &[7, 15]).iter().enumerate() {
        let to = format!("file:{}?format=pcapng", at("piece"));
        let done = common::run(["-w", &to, "--state", &at("state"), "-"], piece);
        done.code(0);
        let octets = common::read(Path::new(&at("piece")));
        // Each has the beginning of a file and one interface.
        let begin = if n == 0 { 0 } else { header_len(&octets) };
        cut.extend(&octets[begin..]);
    }
    // A run that gives up what waits.
    let empty = &capture[..24];
    let to = format!("file:{}?format=pcapng", at("piece"));
    common::run(["-w", &to, "--load-state", &at("state"), "-"], empty).code(0);
    let octets = common::read(Path::new(&at("piece")));
    cut.extend(&octets[header_len(&octets)..]);
    assert!(cut == common::read(Path::new(&at("whole"))));
}

/// Octets of the blocks that a pcapng file of one interface begins with.
fn header_len(octets: &[u8]) -> usize {
    let len = |at: usize| {
        let field = octets[at + 4..at + 8].try_into().expect("four octets");
        usize::try_from(u32::from_le_bytes(field)).expect("32 bits")
    };
    let section = len(0);
    assert_eq!(&octets[section..section + 4], &[1, 0, 0, 0]);
    section + len(section)
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_nothing_is_touched() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (state, out, old) = (at("state"), at("out.pcap"), b"what was there".to_vec());
    let capture = common::read(&testdata("http-large.pcap"));
    let parts = pieces(&capture, &[30]);
    common::run(
        [
            "-w",
            &at("first.pcap"),
            "--track",
            "--format=pcapng",
            "--save-state",
            &state,
        ],
        &parts[0],
    )
    .code(0);
    let good = common::read(Path::new(&state));
    assert!(good.len() > 1000);
    let refused = |args: &[&str], words: &str| {
        fs::write(&out, &old).expect("written");
        let before = fs::read(&state).ok();
        let done = common::run([&["-w", &out], args].concat(), &parts[1]);
        done.code(2);
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        assert_eq!(common::read(Path::new(&out)), old, "{args:?}");
        assert_eq!(fs::read(&state).ok(), before, "{args:?}");
    };
    let format = "--format=pcapng";
    refused(
        &[format, "--load-state", &state],
        "with --track true, and this run is with --track false",
    );
    refused(
        &[format, "--track", "--state", &state, "--vlan=first"],
        "--vlan",
    );
    refused(
        &[format, "--track", "--state", &state, "-j=/dev/null"],
        "without --json",
    );
    refused(
        &[format, "--track", "--load-state", &at("absent")],
        "no such state",
    );
    refused(&["--save-state", &at("first.pcap")], "no saved state");
    refused(&["--state", &state, "--save-state", &state], "--state");
    refused(
        &["--load-state", &state, "-x", "-", "--save-state", &state],
        "--extract -",
    );
    // A newer one, a damaged one, half of one, something else.
    let mut newer = good.clone();
    newer[15] += 1;
    // The sum tells another version from a bit that has changed.
    let flipped = newer.clone();
    let end = newer.len() - 32;
    let sum = common::sha256(&newer[..end]);
    for (i, octet) in newer[end..].iter_mut().enumerate() {
        *octet = u8::from_str_radix(&sum[2 * i..2 * i + 2], 16).expect("hexadecimal");
    }
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    for (octets, words) in [
        (&newer[..], "(format"),
        (&flipped, "damaged"),
        (&damaged, "damaged"),
        (&good[..good.len() / 2], "damaged"),
        (b"something else".as_slice(), "no saved state"),
        (b"", "damaged"),
    ] {
        fs::write(&state, octets).expect("written");
        refused(&[format, "--track", "--state", &state], words);
        // What was not written by this version is not replaced either; there is nothing in an empty file that could be lost.
        if octets.is_empty() {
            common::run(["-n", "-s", "--save-state", &state], &parts[0]).code(0);
            common::run(["-n", "-s", "--load-state", &state], &parts[1]).code(0);
        } else {
            refused(&["--save-state", &state], words);
        }
    }
    // Where none can be written: said before anything is.
    for option in ["--state", "--save-state"] {
        refused(
            &[option, &at("absent/state")],
            "no state can be written there",
        );
    }
    // Limits may change, and names of outputs.
    fs::write(&state, &good).expect("written");
    let args = [
        "-w",
        &out,
        "--track",
        format,
        "--load-state",
        &state,
        "--tcp-buffer=1M",
        "-q",
    ];
    common::run(args, &parts[1]).code(0);
    // Where there is none, a run begins without one.
    common::run(["-n", "-s", "--state", &at("new")], &parts[0]).code(0);
    assert!(Path::new(&at("new")).exists());
}

/// Whatever stands in a state whose sum is right: it is refused, or the run goes on.
#[test]
fn no_state_makes_the_program_panic() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let state = at("state");
    let args = [
        "-p=full",
        "--dump",
        &at("dump"),
        "-x",
        &at("files"),
        "--memory-limit=32M",
    ];
    for name in ["http-lost.pcap", "sctp-fragments.pcap"] {
        let capture = common::read(&testdata(name));
        let parts = pieces(&capture, &[20]);
        common::run([&args[..], &["--save-state", &state]].concat(), &parts[0]).code(0);
        let good = common::read(Path::new(&state));
        let values = &good[..good.len() - 32];
        // A step that meets all kinds of places.
        for n in 0..10 {
            let mut changed = values.to_vec();
            let place = 30 + (n * 7919 + 13) % (values.len() - 30);
            changed[place] = [255, 0, changed[place] ^ 1][n % 3];
            let sum = common::sha256(&changed);
            let octets =
                (0..32).map(|i| u8::from_str_radix(&sum[2 * i..2 * i + 2], 16).expect("hex"));
            changed.extend(octets);
            fs::write(&state, &changed).expect("written");
            let done = common::run([&args[..], &["--load-state", &state]].concat(), &parts[1]);
            assert!(
                matches!(done.status.code(), Some(0 | 2)) && !done.stderr.contains("panicked"),
                "{name}: octet {place}: {} {}",
                done.status,
                done.stderr
            );
        }
    }
}

/// A few of the kills that `scripts/check-state` does by the hundred.
#[test]
fn a_run_that_is_killed_leaves_a_state_that_loads() {
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("state");
    let name = state.to_str().expect("UTF-8");
    let capture = common::read(&testdata("http-large.pcap"));
    let parts = pieces(&capture, &[30, 60]);
    common::run(["-n", "-s", "--state", name], &parts[0]).code(0);
    let old = common::read(&state);
    for n in 0..6_u64 {
        fs::write(&state, &old).expect("written");
        let mut live = common::Live::start(&["-n", "-s", "--state", name]);
        live.write(&parts[1]);
        live.close();
        std::thread::sleep(Duration::from_millis(n * 4));
        // It may have ended.
        let _ = live.child.kill();
        let _ = live.end();
        common::run(["-n", "-s", "--load-state", name], &parts[2]).code(0);
    }
}

#[test]
fn a_signal_keeps_the_state_and_the_run_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("state");
    let name = state.to_str().expect("UTF-8");
    let capture = common::read(&testdata("http-large.pcap"));
    let parts = pieces(&capture, &[30]);
    let mut live = common::Live::start(&["-p", "--save-state", name]);
    live.write(&parts[0]);
    live.until("the first request", |out| common::contains(out, b"GET"));
    live.signal("USR2");
    let begin = std::time::Instant::now();
    while !state.exists() && begin.elapsed() < common::DEADLINE {
        std::thread::sleep(Duration::from_millis(5));
    }
    let at_signal = common::read(&state);
    let records = records(&capture);
    live.write(&records[30..].concat());
    live.close();
    let done = live.end();
    done.code(0);
    let at_end = common::read(&state);
    assert!(at_signal != at_end);
    // What went on from the signal comes to the same.
    fs::write(&state, at_signal).expect("written");
    let second = common::run(["-p", "--state", name], &parts[1]);
    assert!(done.stdout.ends_with(&second.ok()));
    let last = |octets: &[u8]| {
        fs::write(&state, octets).expect("written");
        common::run(["-p", "--load-state", name], &capture[..24]).ok()
    };
    let after_pieces = common::read(&state);
    assert_eq!(last(&after_pieces), last(&at_end));
}

/// Hour after hour with hosts that never come again: what is known of each goes when its time is over.
#[test]
fn a_state_does_not_grow_with_what_is_over() {
    let limits = Limits {
        // A long run in little time; the flows of UDP are those of the last ten minutes.
        session_timeout: Duration::from_secs(600),
        ..Limits::default()
    };
    let file = File::default();
    let mut engine = Assembler::new(limits, outputs(&file, 1));
    let (mut pcap, mut frame, mut sizes) = (Pcap::new(), 0, Vec::new());
    for round in 0..4000_u32 {
        let [_, a, b, c] = round.to_be_bytes();
        // Few hosts, as right checksums are remembered of so many by number, but new connections.
        let client = (Ipv4Addr::new(10, 0, 0, c % 16), 50_000 + u16::from(b));
        let request = get("/");
        pcap.file.truncate(24);
        let open = [
            pcap.segment(client, SERVER, 100, 0, SYN, b""),
            pcap.segment(SERVER, client, 500, 101, SYN | ACK, b""),
            pcap.segment(client, SERVER, 101, 501, ACK | PSH, &request),
            pcap.segment(client, SERVER, behind(101, &request), 501, RST, b""),
        ];
        for packet in &open {
            pcap.packet(packet);
        }
        let host = (Ipv4Addr::new(10, a, b, c), 50_000);
        pcap.datagram(host, (SERVER.0, 5000), b"no protocol");
        pcap.wait(30_000);
        for record in common::pcap(&pcap.file).1 {
            frame += 1;
            engine.packet(&Packet {
                frame,
                time: Timestamp::from_nanos(record.time),
                interface: 0,
                link_type: LinkType(1),
                data: record.data,
                orig_len: record.original,
                fcs_len: None,
                flags: 0,
            });
        }
        if [1999, 3999].contains(&round) {
            sizes.push(
                postcard::to_stdvec(engine.state())
                    .expect("plain data")
                    .len(),
            );
        }
    }
    // Numbers have more digits, and lists grow a little before they are tidied.
    assert!(sizes[1] < sizes[0] + sizes[0] / 10, "{sizes:?}");
    engine.flush();
    let counters = engine.counters();
    let udp = &counters.udp;
    assert_eq!(udp.flows, udp.flows_idle + udp.flows_end);
    assert!(udp.flows_idle > 3900 && udp.flows_end < 30);
    assert_eq!(
        (counters.tcp.connections, counters.tcp.closed_reset),
        (4000, 4000)
    );
}

/// A first run takes the place of an older state, as of any output; that it does so is told.
#[test]
fn a_state_that_nothing_goes_on_with_is_replaced_with_a_word() {
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("state");
    let name = state.to_str().expect("UTF-8");
    let capture = common::read(&testdata("http-large.pcap"));
    let parts = pieces(&capture, &[30]);
    let saved = |args: &[&str], piece: &[u8]| {
        let done = common::run([&["-n", "-s"], args].concat(), piece);
        done.code(0);
        (done.stderr.contains("replaces"), common::read(&state))
    };
    let (told, first) = saved(&["--save-state", name], &parts[0]);
    assert!(!told);
    let (told, again) = saved(&["--save-state", name], &parts[0]);
    assert!(told && again.len().abs_diff(first.len()) < 100);
    let (told, second) = saved(&["--state", name], &parts[1]);
    assert!(!told && second != first);
    let (told, _) = saved(&["--load-state", name, "--save-state", name], &parts[1]);
    assert!(!told);
}

/// What a reader has not got stays in the state before: the next run with it can read the same piece again.
#[test]
fn no_state_is_kept_where_the_reader_has_left() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let capture = common::read(&testdata("http-keepalive.pcap"));
    let parts = pieces(&capture, &[6]);
    fs::write(at("second.pcap"), &parts[1]).expect("written");
    for output in ["-p", "-j", "-w-", "--table"] {
        let state = at("state");
        let _ = fs::remove_file(&state);
        common::run([output, "--state", &state], &parts[0]).code(0);
        let before = common::read(Path::new(&state));
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let done = common::inet_asm::<&str>([])
            .args([output, "--state", &state, &at("second.pcap")])
            .stdout(writer)
            .output()
            .expect("run");
        let words = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{output}: {words}");
        assert!(words.contains("the state is not kept"), "{output}: {words}");
        assert_eq!(common::read(Path::new(&state)), before, "{output}");
    }
}

/// What somebody does to a file between two runs, and whether it is still ours then.
const DONE_TO_FILES: [(&str, bool); 6] = [
    ("kept", true),
    // As a run that is killed before it writes its state.
    ("added", true),
    ("changed", false),
    ("cut", false),
    ("moved", false),
    ("replaced", false),
];

/// Does this to a file, and gives what stands there then, if anything.
fn done_to(path: &Path, what: &str) -> Option<Vec<u8>> {
    let mut octets = common::read(path);
    match what {
        "added" => octets.extend(vec![b'x'; 300_000]),
        "changed" => octets[5] ^= 1,
        "cut" => octets.truncate(octets.len() / 2),
        "replaced" => octets = b"something else".to_vec(),
        _ => {}
    }
    match what {
        "kept" => {}
        "moved" => {
            fs::remove_file(path).expect("removed");
            return None;
        }
        _ => fs::write(path, &octets).expect("written"),
    }
    Some(octets)
}

/// A file of --dump that somebody changed or took between two pieces stays as it is: what follows goes to another one, whose index says
/// what it lacks, and that is told. What a run has added that was killed is no harm.
#[test]
fn a_file_of_a_stream_that_is_not_as_it_was_left_is_not_gone_on_with() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (state, folder) = (at("state"), at("dump"));
    let files = |folder: &str| named_below(Path::new(folder));
    for (capture, cut) in [("http-large.pcap", 30), ("sctp-fragments.pcap", 9)] {
        let capture = common::read(&testdata(capture));
        let parts = pieces(&capture, &[cut]);
        let uncut = at(&format!("uncut{cut}"));
        common::run(["--dump", &uncut], &capture).code(0);
        let uncut = files(&uncut);
        for (what, fits) in DONE_TO_FILES {
            // What is done to a file is looked at in one place.
            if cut == 9 && ["kept", "cut", "replaced"].contains(&what) {
                continue;
            }
            let _ = fs::remove_dir_all(&folder);
            let _ = fs::remove_file(&state);
            let args = ["--dump", &folder, "--state", &state];
            common::run(args, &parts[0]).code(0);
            let longest = files(&folder)
                .into_iter()
                .max_by_key(|(_, octets)| octets.len());
            let (name, before) = longest.expect("a file");
            let path = Path::new(&folder).join(&name);
            let left = done_to(&path, what);
            let done = common::run(args, &parts[1]);
            let told = done.stderr.contains("goes to another file");
            assert_eq!(told, !fits, "{what}: {}", done.stderr);
            done.code(0);
            let now = files(&folder);
            if fits {
                assert!(now == uncut, "{what}");
                continue;
            }
            // Nothing of theirs is lost, and all of ours that came since is there.
            assert!(left.is_none_or(|left| now[&name] == left), "{what}");
            let is_new = |other: &&PathBuf| {
                !uncut.contains_key(*other) && other.extension().is_none_or(|e| e != "gaps")
            };
            let other = now.keys().find(is_new).unwrap_or(&name);
            assert_eq!(*other == name, what == "moved");
            let rest = &uncut[&name][before.len()..];
            assert!(now[other].ends_with(rest), "{what}");
            if cut == 30 {
                let index = &now[Path::new(&format!("{}.gaps", other.display()))];
                let lacks = format!("0 {} changed\n", before.len());
                assert_eq!(String::from_utf8_lossy(index), lacks, "{what}");
                assert_eq!(now[other].len(), uncut[&name].len(), "{what}");
            } else {
                assert_eq!(now[other], rest, "{what}");
            }
        }
    }
}

/// The same of --extract: such a file is never called whole.
#[test]
fn a_file_that_is_not_as_it_was_left_is_told_and_not_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (state, folder, uncut) = (at("state"), at("files"), at("uncut"));
    let capture = common::read(&testdata("http-large.pcap"));
    common::run(["-x", &uncut], &capture).code(0);
    let uncut = named_below(Path::new(&uncut));
    let parts = pieces(&capture, &[52]);
    let args = ["-x", &folder, "--state", &state];
    for (what, fits) in DONE_TO_FILES
        .into_iter()
        .filter(|(what, _)| *what != "replaced")
    {
        let _ = fs::remove_dir_all(&folder);
        let _ = fs::remove_file(&state);
        common::run(args, &parts[0]).code(0);
        let all = named_below(Path::new(&folder));
        let part = all
            .keys()
            .find(|name| name.extension().is_some_and(|e| e == "part"));
        let part = part.expect("a file that goes on");
        let left = done_to(&Path::new(&folder).join(part), what);
        let done = common::run(args, &parts[1]);
        let end = common::run(["-x", &folder, "--load-state", &state], &capture[..24]);
        let told = done.stderr.contains("goes to another file");
        assert_eq!(told, !fits, "{what}: {}", done.stderr);
        done.code(0);
        end.code(0);
        let now = named_below(Path::new(&folder));
        if fits {
            assert!(now == uncut, "{what}");
            continue;
        }
        assert!(left.is_none_or(|left| now[part] == left), "{what}");
        let list = String::from_utf8_lossy(&now[Path::new("files.jsonl")]).into_owned();
        let is_of_it = |line: &&str| line.contains("\"sent_name\":\"large.txt\"");
        let last = list.lines().find(is_of_it).expect("a file");
        assert!(last.contains("\"complete\":false"), "{what}: {last}");
        assert!(
            last.contains("was changed by another program"),
            "{what}: {last}"
        );
    }
}

/// A folder that is named from the working directory is another one in another directory.
#[test]
fn a_folder_of_another_working_directory_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let capture = testdata("http-large.pcap");
    for option in ["--dump", "-x"] {
        let run = |folder: &str, out: &str| {
            let here = dir.path().join(folder);
            let _ = fs::create_dir(&here);
            let state = dir.path().join(format!("state{option}"));
            let mut program = common::inet_asm([option, out, "--state"]);
            program.arg(state).arg(&capture).current_dir(here);
            let done = program.output().expect("run");
            (
                done.status.code(),
                String::from_utf8_lossy(&done.stderr).into_owned(),
            )
        };
        assert_eq!(run("a", "out").0, Some(0));
        let (status, words) = run("b", "out");
        assert_eq!(status, Some(2), "{words}");
        assert!(
            words.contains("/a/out") && words.contains("/b/out"),
            "{words}"
        );
        assert!(!dir.path().join("b/out").exists());
        // The same one by another name.
        assert_eq!(run("b", "../a/out").0, Some(0));
    }
}

/// What a signal leaves out of files that were named is told where a state is kept, and can be gone on with.
#[test]
fn a_signal_in_the_middle_of_a_named_file_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (state, large) = (at("state"), at("large.pcap"));
    let capture = common::read(&testdata("http-large.pcap"));
    let records = records(&capture).concat();
    let all = [&capture[..24], &records.repeat(12)].concat();
    fs::write(&large, &all).expect("written");
    let whole = common::run::<&str>([], &all).ok();
    // Nobody reads the output until the signal has come, so that it comes ahead of the end.
    let args = ["-w-", "--state", &state, &large, "other.pcap"];
    fs::write(at("other.pcap"), &capture).expect("written");
    let child = common::start(common::inet_asm(args).current_dir(dir.path()));
    common::until_signals_are_caught(&child);
    common::signal(&child, "INT");
    let first = child.wait_with_output().expect("an end");
    let words = String::from_utf8_lossy(&first.stderr);
    assert_eq!(first.status.code(), Some(0), "{words}");
    assert!(words.contains("other.pcap: was not read"), "{words}");
    let packets = words.split_once("large.pcap: a signal has ended the run behind packet ");
    let packets = packets.and_then(|(_, rest)| rest.split(' ').next()?.parse::<usize>().ok());
    let packets = packets.unwrap_or_else(|| panic!("{words}"));
    let rest = pieces(&all, &[packets]).pop().expect("a piece");
    let second = common::run(["--load-state", &state, "-w-"], &rest).ok();
    assert!([&first.stdout, &second[24..]].concat() == whole);
}

/// The time of a file is that of its last byte by the clock, also where packets come in another order and a run ends between them.
#[test]
fn the_time_of_a_file_is_that_of_its_latest_packet() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let mut pcap = Pcap::new();
    let [from, to] = [1, 2].map(|n| (Ipv4Addr::new(10, 0, 0, n), 5000));
    for _ in 0..3 {
        pcap.datagram(from, to, b"datagram");
        pcap.wait(10_000);
    }
    let mut all = records(&pcap.file);
    all.swap(1, 2);
    let capture = [&pcap.file[..24], &all.concat()].concat();
    let times = |folder: &str| {
        let files = files_below(Path::new(folder)).into_keys();
        let time = |path: PathBuf| fs::metadata(path).and_then(|found| found.modified());
        files
            .map(time)
            .collect::<Result<Vec<_>, _>>()
            .expect("times")
    };
    common::run(["--dump", &at("uncut")], &capture).code(0);
    for part in pieces(&capture, &[1, 2]) {
        common::run(["--dump", &at("cut"), "--state", &at("state")], &part).code(0);
    }
    assert_eq!(times(&at("uncut")).len(), 1);
    assert_eq!(times(&at("uncut")), times(&at("cut")));
}

/// The periods of --sctp-stats go on, and so does their file.
#[test]
fn the_rows_of_sctp_go_on_in_their_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (state, rows) = (at("state"), at("rows.csv"));
    let capture = common::read(&testdata("sctp-fragments.pcap"));
    let count = records(&capture).len();
    // An hour later, in another period.
    let mut later = capture.clone();
    let mut place = 24;
    for record in records(&capture) {
        let seconds = u32::from_le_bytes(*later[place..].first_chunk().expect("a time"));
        later[place..place + 4].copy_from_slice(&(seconds + 3600).to_le_bytes());
        place += record.len();
    }
    assert!(count > 2);
    let args = ["-n", "--sctp-stats", &rows, "--state", &state];
    fs::write(&rows, "of another run").expect("written");
    common::run(args, &capture).code(0);
    common::run(args, &later).code(0);
    let first = fs::read_to_string(&rows).expect("read");
    common::run(args, &capture[..24]).code(0);
    assert!(first.lines().count() > 1);
    assert_eq!(fs::read_to_string(&rows).expect("read"), first);
    common::run(
        ["-n", "--sctp-stats", &rows, "--load-state", &state],
        &capture[..24],
    )
    .code(0);
    let last = fs::read_to_string(&rows).expect("read");
    assert!(last.starts_with(&first) && last.len() > first.len());
    let headers = last
        .lines()
        .filter(|l| *l == first.lines().next().expect("a header"));
    assert_eq!(headers.count(), 1);
}
