//! What the end-to-end tests share: running the real binary and the tools that read its output, and captures.
#![allow(unreachable_pub)]

use inet_asm::base::counters::Counters;
use inet_asm::base::packet::{LinkType, Packet};
use inet_asm::base::time::Timestamp;
use sha2::Digest;
use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

pub mod build;
pub mod schema;

/// Whoever waits so long hangs. It says nothing about speed: a busy machine may be a hundred times slower.
pub const DEADLINE: Duration = Duration::from_secs(900);

/// A capture of testdata, and what is in it.
#[derive(Clone, Copy)]
pub struct Capture {
    pub name: &'static str,
    /// Messages of which at least the start is in the capture, in the words of tshark.
    pub requests: usize,
    pub responses: usize,
    pub dns: usize,
    /// Of the responses, those of which octets are missing.
    pub partial: usize,
    /// Packets in the output that carry no message: the SYN and SYN-ACK of ports that are used again.
    pub handshakes: usize,
    /// No packet is lost, displaced or cut: other programs read it rightly too.
    pub clean: bool,
}

const fn http(name: &'static str, requests: usize, responses: usize) -> Capture {
    Capture {
        name,
        requests,
        responses,
        dns: 0,
        partial: 0,
        handshakes: 0,
        clean: true,
    }
}

const fn dns(name: &'static str, dns: usize) -> Capture {
    Capture {
        dns,
        ..http(name, 0, 0)
    }
}

const fn damaged(name: &'static str, requests: usize, responses: usize, partial: usize) -> Capture {
    Capture {
        partial,
        clean: false,
        ..http(name, requests, responses)
    }
}

/// Every capture of testdata.
pub const CAPTURES: &[Capture] = &[
    http("http-keepalive.pcap", 8, 8),
    http("http-chunked.pcap", 6, 6),
    http("http-pipelined.pcap", 8, 8),
    http("http-large.pcap", 4, 4),
    http("http-post.pcap", 4, 5),
    http("http-head.pcap", 10, 11),
    http("http-close.pcap", 3, 3),
    http("http-ipv6.pcap", 3, 3),
    http("http-vlan.pcap", 8, 8),
    http("http-qinq.pcap", 1, 1),
    http("http-tiny.pcap", 1, 1),
    http("http-nano.pcap", 2, 2),
    http("http-cooked.pcap", 2, 2),
    http("http-cooked2.pcap", 2, 2),
    http("http-keepalive.pcapng", 8, 8),
    Capture {
        handshakes: 2,
        ..http("http-reused-ports.pcap", 2, 2)
    },
    dns("dns-udp.pcap", 16),
    damaged("fragments-v4.pcap", 8, 8, 0),
    damaged("fragments-v6.pcap", 3, 3, 0),
    Capture {
        clean: false,
        ..dns("fragments-udp.pcap", 16)
    },
    dns("dns-tcp.pcap", 8),
    Capture {
        dns: 16,
        ..http("mixed.pcapng", 4, 4)
    },
    damaged("http-swapped.pcap", 1, 1, 0),
    damaged("http-reordered.pcap", 4, 4, 0),
    damaged("http-repeated.pcap", 8, 8, 0),
    damaged("http-lost.pcap", 1, 1, 1),
    damaged("http-lost-message.pcap", 5, 4, 0),
    damaged("http-cut-start.pcap", 1, 1, 0),
    damaged("http-snapped.pcap", 1, 1, 1),
];

impl Capture {
    pub fn path(&self) -> PathBuf {
        testdata(self.name)
    }

    pub fn octets(&self) -> Vec<u8> {
        read(&self.path())
    }

    pub fn messages(&self) -> usize {
        self.requests + self.responses + self.dns
    }

    pub fn is_http(&self) -> bool {
        self.requests > 0
    }

    /// tcpflow reads it and names its streams as the program does. It knows neither version 2 of the cooked header nor
    /// 802.1ad tags, and leaves UDP out.
    pub fn tcpflow_reads(&self) -> bool {
        let unknown = ["http-cooked2.pcap", "http-qinq.pcap", "dns-udp.pcap"];
        self.clean && !unknown.contains(&self.name)
    }
}

pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// The captures of others, which lie beside the repository where somebody has put them there (`../shared/captures`), by
/// name. Only for tests that are ignored without them.
#[track_caller]
pub fn shared_captures() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut found: Vec<_> = entries
        .map(|entry| entry.expect("entry").path())
        .filter(|path| {
            let end = path.extension().unwrap_or_default();
            ["pcap", "pcapng", "ntar"].iter().any(|e| end == *e)
        })
        .collect();
    found.sort();
    found
}

/// A third of these, the `nth`, for time: several tests of a kind take other thirds. All where `scripts/test --all` asks.
pub fn third<T>(all: impl IntoIterator<Item = T>, nth: usize) -> Vec<T> {
    let part = |(i, item): (usize, T)| (all_asked() || i % 3 == nth % 3).then_some(item);
    all.into_iter().enumerate().filter_map(part).collect()
}

/// Whether tests that are done in parts for time are done in full.
pub fn all_asked() -> bool {
    std::env::var_os("TEST_ALL").is_some()
}

/// The octets as one member of a gzip file.
pub fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    w.write_all(octets).expect("in memory");
    w.finish().expect("in memory")
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(octets: &[u8]) -> String {
    let digest = sha2::Sha256::digest(octets);
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Whatever a program did.
pub struct Done {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Done {
    /// Its output; the test fails unless it ended with status 0.
    #[track_caller]
    pub fn ok(self) -> Vec<u8> {
        self.code(0);
        self.stdout
    }

    #[track_caller]
    pub fn code(&self, expected: i32) {
        assert_eq!(
            self.status.code(),
            Some(expected),
            "{}; stderr:\n{}",
            self.status,
            self.stderr
        );
    }

    #[track_caller]
    pub fn text(self) -> String {
        String::from_utf8(self.ok()).expect("output is UTF-8")
    }

    /// The lines of --print, with one space between columns.
    #[track_caller]
    pub fn printed(self) -> String {
        let mut text = String::new();
        for line in self.text().lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            text += &words.join(" ");
            text.push('\n');
        }
        text
    }
}

/// inet-asm, to be run with these arguments. Nothing of the user's terminal or settings reaches it.
pub fn inet_asm<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inet-asm"));
    command
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .env_remove("COLUMNS");
    command
}

/// Runs inet-asm on this input.
pub fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: &[u8]) -> Done {
    feed(&mut inet_asm(args), &[input])
}

/// The packets that inet-asm makes of this capture.
#[track_caller]
pub fn messages(capture: &[u8]) -> Vec<u8> {
    run::<&str>([], capture).ok()
}

/// Runs a program, writes the parts to its stdin one by one, and waits for its end.
pub fn feed(command: &mut Command, parts: &[&[u8]]) -> Done {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = start(command);
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let stdout = drain(child.stdout.take().expect("stdout is a pipe"));
    let stderr = drain(child.stderr.take().expect("stderr is a pipe"));
    thread::scope(|scope| {
        scope.spawn(move || {
            for part in parts {
                match stdin.write_all(part) {
                    Err(e) if e.kind() == ErrorKind::BrokenPipe => break,
                    other => other.expect("write to stdin"),
                }
            }
        });
        let status = wait(&mut child, &name);
        Done {
            status,
            stdout: stdout.recv().expect("stdout is read"),
            stderr: String::from_utf8_lossy(&stderr.recv().expect("stderr is read")).into_owned(),
        }
    })
}

/// Sends a child a signal, by the name that kill(1) takes.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let done = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(done.expect("kill").success(), "kill -s {name}");
}

/// Waits until a child has become inet-asm, and that catches its signals.
pub fn until_signals_are_caught(child: &Child) {
    let process = format!("/proc/{}", child.id());
    let ours = fs::canonicalize(env!("CARGO_BIN_EXE_inet-asm")).expect("there");
    let caught = || {
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("SigCgt:\t"));
        let mask = line.and_then(|mask| u64::from_str_radix(mask, 16).ok());
        // SIGUSR2, which is the last one.
        mask.is_some_and(|mask| mask & 1 << 11 != 0)
    };
    while !(fs::read_link(format!("{process}/exe")).is_ok_and(|exe| exe == ours) && caught()) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The objects of an output in JSON, one a line.
pub fn objects(text: &str) -> impl Iterator<Item = serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
}

/// Starts a program with three pipes. A tool that is not there fails the test by its name.
pub fn start(command: &mut Command) -> Child {
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    match spawned {
        Ok(child) => child,
        Err(e) => {
            let name = command.get_program().to_string_lossy();
            panic!("{name} is missing ({e}): scripts/test installs what the tests need")
        }
    }
}

/// Seconds of processor time that inet-asm takes for this input: what it takes does not depend on what else runs.
#[track_caller]
pub fn processor_time(args: &[&str], input: &[u8]) -> f64 {
    let mut command = Command::new("sh");
    command
        .args(["-c", r#""$0" "$@" && times >&2"#])
        .arg(env!("CARGO_BIN_EXE_inet-asm"))
        .args(args);
    let done = feed(&mut command, &[input]);
    done.code(0);
    // The second line is that of the children: "0m1.250s 0m0.010s".
    let line = done.stderr.lines().last().expect("two lines");
    let seconds = |word: &str| {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    };
    let all: Option<f64> = line.split(' ').map(seconds).sum();
    all.unwrap_or_else(|| panic!("no times: {}", done.stderr))
}

/// The highest resident memory of a process so far, in KiB, while it runs.
pub fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Waits for the end of a program, which is well, and gives the highest resident memory of all its run, in KiB.
#[track_caller]
pub fn peak_to_the_end(child: &mut Child) -> u64 {
    // Asked until it has ended: what a process had is gone with it.
    let mut highest = 0;
    while child.try_wait().expect("wait").is_none() {
        highest = highest.max(peak(child).unwrap_or(0));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(wait(child, "inet-asm").success());
    highest
}

/// Waits for the end of a program, up to the deadline.
pub fn wait(child: &mut Child, name: &str) -> ExitStatus {
    let begin = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait().expect("wait") {
            return status;
        }
        if begin.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("{name} still runs after {DEADLINE:?}");
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn drain(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        let _ = tell.send(all);
    });
    told
}

/// A running inet-asm whose stdin stays open, and whose output is collected as it comes.
pub struct Live {
    pub child: Child,
    stdin: Option<std::process::ChildStdin>,
    pieces: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    pub stdout: Vec<u8>,
}

impl Live {
    pub fn start(args: &[&str]) -> Self {
        let mut child = start(&mut inet_asm(args));
        let mut from = child.stdout.take().expect("stdout is a pipe");
        let stderr = drain(child.stderr.take().expect("stderr is a pipe"));
        let (tell, pieces) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                if tell.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            pieces,
            stderr,
            stdout: Vec::new(),
        }
    }

    pub fn write(&mut self, octets: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(octets).expect("write to inet-asm");
        stdin.flush().expect("write to inet-asm");
    }

    /// The same, where it may have ended.
    pub fn try_write(&mut self, octets: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        let _ = stdin.write_all(octets);
    }

    /// Waits until the output so far satisfies `enough`; the input stays silent.
    #[track_caller]
    pub fn until(&mut self, what: &str, enough: impl Fn(&[u8]) -> bool) {
        let begin = Instant::now();
        while !enough(&self.stdout) {
            let Some(left) = DEADLINE.checked_sub(begin.elapsed()) else {
                panic!(
                    "{what}: not on stdout; {} octets are there",
                    self.stdout.len()
                );
            };
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.stdout.extend(piece),
                Err(e) => panic!(
                    "{what}: not on stdout ({e}); {} octets are there",
                    self.stdout.len()
                ),
            }
        }
    }

    /// Sends it a signal, by the name that kill(1) takes.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// Ends the input.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end.
    pub fn end(mut self) -> Done {
        let status = wait(&mut self.child, "inet-asm");
        while let Ok(piece) = self.pieces.recv() {
            self.stdout.extend(piece);
        }
        Done {
            status,
            stdout: std::mem::take(&mut self.stdout),
            stderr: String::from_utf8_lossy(&self.stderr.recv().expect("stderr is read"))
                .into_owned(),
        }
    }
}

/// Options with which tshark takes the sums of IPv4, TCP and UDP.
pub const TAKE_SUMS: [&str; 6] = [
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:TRUE",
    "-o",
    "udp.check_checksum:TRUE",
];

/// tshark without the user's settings, reading this capture; what it prints.
#[track_caller]
pub fn tshark<'a>(args: impl IntoIterator<Item = &'a str>, capture: &[u8]) -> String {
    let settings = tempfile::tempdir().expect("tempdir");
    let mut command = Command::new("tshark");
    command
        .env("WIRESHARK_CONFIG_DIR", settings.path())
        .args(["-n", "-r", "-"])
        .args(args);
    feed(&mut command, &[capture]).text()
}

/// The values of these fields, a row for each packet that `filter` lets through.
#[track_caller]
pub fn fields(filter: &str, names: &[&str], options: &[&str], capture: &[u8]) -> Vec<Vec<String>> {
    let mut args = options.to_vec();
    args.extend(["-Y", filter, "-T", "fields"]);
    for name in names {
        args.extend(["-e", name]);
    }
    tshark(args, capture)
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

/// How many requests and responses tshark finds, several in one packet counted each.
#[track_caller]
pub fn http_messages(capture: &[u8]) -> (usize, usize) {
    let mut found = (0, 0);
    for row in fields("http", &["http.request", "http.response"], &[], capture) {
        found.0 += row[0].split(',').filter(|v| !v.is_empty()).count();
        found.1 += row[1].split(',').filter(|v| !v.is_empty()).count();
    }
    found
}

/// The files that tshark exports from this capture: (name, octets), by name.
#[track_caller]
pub fn export_objects(capture: &[u8]) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().expect("tempdir");
    let into = format!("http,{}", dir.path().display());
    tshark(["-q", "--export-objects", &into], capture);
    files(dir.path())
}

/// The files in a folder: (name, octets), by name.
pub fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|entry| {
            let entry = entry.expect("entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, read(&entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// A packet record of a pcap file.
pub struct Record<'a> {
    /// Nanoseconds since the epoch.
    pub time: u64,
    pub original: u32,
    pub data: &'a [u8],
    /// Where the record ends in the file.
    pub end: usize,
}

impl Record<'_> {
    /// The packet that it holds, of Ethernet, as the one with this place in the capture, from 0.
    pub fn packet(&self, place: usize) -> Packet<'_> {
        let time = Timestamp::from_nanos(self.time);
        Packet::new(place as u64 + 1, time, LinkType::ETHERNET, self.data)
    }
}

/// The link type and the records of a little-endian pcap file, which is what all programs here write.
#[track_caller]
pub fn pcap(file: &[u8]) -> (u32, Vec<Record<'_>>) {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("4 octets"));
    assert!(file.len() >= 24, "no pcap header: {} octets", file.len());
    let unit = match word(0) {
        0xA1B2_C3D4 => 1000,
        0xA1B2_3C4D => 1,
        magic => panic!("no pcap: magic {magic:#x}"),
    };
    let (mut records, mut at) = (Vec::new(), 24);
    while at < file.len() {
        let end = at + 16 + word(at + 8) as usize;
        records.push(Record {
            time: u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4)) * unit,
            original: word(at + 12),
            data: &file[at + 16..end],
            end,
        });
        at = end;
    }
    (word(20), records)
}

pub fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

/// The value of a counter in the text of `--stats`.
#[track_caller]
pub fn counter(stats: &str, name: &str) -> u64 {
    // What is 0 is left out.
    let (section, counter) = name.split_once('.').expect("a section");
    let mut known = false;
    Counters::default().each_with(&["PROTOCOL"], |in_section, called, _, _| {
        known |= called == counter && (in_section == section || in_section == "PROTOCOL");
    });
    assert!(known, "there is no counter {name}");
    find_counter(stats, name).unwrap_or(0)
}

/// The same, where counters of zero may be left out.
pub fn find_counter(stats: &str, name: &str) -> Option<u64> {
    stats.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == name).then(|| {
            words
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or_else(|| panic!("no number behind {name}: {line}"))
        })
    })
}

/// A TCP segment of a capture.
#[derive(Debug, PartialEq, Eq)]
pub struct Segment {
    pub source_port: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    /// The octets that were captured.
    pub payload: Vec<u8>,
    /// How many the IP header says there were.
    pub payload_len: usize,
}

/// The TCP segments of a pcap file of Ethernet and IPv4 without tags.
#[track_caller]
pub fn segments(file: &[u8]) -> Vec<Segment> {
    let (link, records) = pcap(file);
    assert_eq!(link, 1, "link type");
    let mut found = Vec::new();
    for record in records {
        let data = record.data;
        assert_eq!(data[12..14], [8, 0], "IPv4");
        assert_eq!(data[23], 6, "TCP");
        let half = |at: usize| u16::from_be_bytes([data[at], data[at + 1]]);
        let word = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().expect("4 octets"));
        let tcp = 14 + usize::from(data[14] & 15) * 4;
        let payload = tcp + usize::from(data[tcp + 12] >> 4) * 4;
        let end = 14 + usize::from(half(16));
        found.push(Segment {
            source_port: half(tcp),
            seq: word(tcp + 4),
            ack: word(tcp + 8),
            flags: data[tcp + 13],
            payload: data[payload..end.min(data.len())].to_vec(),
            payload_len: end - payload,
        });
    }
    found
}

/// The octets that stand there in base64 (RFC 4648, 4).
pub fn unbase64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|&c| c != b'=').map(value).collect();
    let mut octets = Vec::new();
    for group in digits.chunks(4) {
        let bits =
            group.iter().fold(0u32, |bits, &d| bits << 6 | u32::from(d)) << (6 * (4 - group.len()));
        octets.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    octets
}
