//! Sockets as inputs and outputs: captures over TCP and sockets in the file system, from several senders, to several readers.

use crate::common::{self, fields, inet_asm, pcap, read, run, testdata};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A run that listens.
struct Listening {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// Where, in the order in which it says so.
    places: Vec<String>,
}

impl Listening {
    fn new(args: &[&str], places: usize) -> Self {
        let mut child = inet_asm(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("spawn");
        let mut running = Self {
            stderr: BufReader::new(child.stderr.take().expect("stderr")),
            child,
            places: Vec::new(),
        };
        for _ in 0..places {
            let line = running.says("listens on ");
            let (_, place) = line.trim_end().rsplit_once(' ').expect("a place");
            running.places.push(place.to_owned());
        }
        running
    }

    /// The next line of stderr in which this stands.
    fn says(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let n = self.stderr.read_line(&mut line).expect("read");
            assert!(n > 0, "{words}");
            if line.contains(words) {
                return line;
            }
        }
    }

    fn connect(&self, place: usize) -> TcpStream {
        TcpStream::connect(&self.places[place]).expect("connect")
    }

    /// Descriptors that it has open.
    fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(folder).expect("a process").count()
    }

    /// Asks it to end; what it said then.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        common::signal(&self.child, "INT");
        let mut text = String::new();
        self.stderr.read_to_string(&mut text).expect("read");
        assert_eq!(self.child.wait().expect("wait").code(), Some(0), "{text}");
        text
    }
}

/// All that comes until the other end closes.
fn read_all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
}

/// Waits until it is true, for a while.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Connects to a socket of this path as soon as somebody listens on it, which is a moment after it is there.
fn connect_to(socket: &Path) -> UnixStream {
    let mut stream = None;
    until("somebody listens", || {
        stream = UnixStream::connect(socket).ok();
        stream.is_some()
    });
    stream.expect("connected")
}

fn packets(capture: &[u8]) -> Vec<Vec<u8>> {
    let (_, records) = pcap(capture);
    records.iter().map(|record| record.data.to_vec()).collect()
}

/// What is sent in one capture after the other to one socket is read from another one as through a pipe; one that is no capture, and one that
/// breaks off in a record, take nothing with them.
#[test]
fn senders_one_after_the_other_and_readers() {
    let http = read(&testdata("http-keepalive.pcap"));
    let dns = read(&testdata("dns-udp.pcap"));
    let args = ["tcp-listen://0", "-w", "tcp-listen://0"];
    let mut running = Listening::new(&args, 2);
    assert!(
        running
            .places
            .iter()
            .all(|place| place.starts_with("127.0.0.1:"))
    );
    let reader = read_all(running.connect(1));
    // It has to be there before the first message.
    thread::sleep(Duration::from_millis(100));
    let cut = http.len() - 7;
    for (octets, says) in [
        (&http[..cut], "cut short"),
        (b"no capture at all, whatever it is", "is no"),
        (&dns, ""),
    ] {
        let mut sender = running.connect(0);
        sender.write_all(octets).expect("send");
        drop(sender);
        if !says.is_empty() {
            running.says(says);
        }
    }
    thread::sleep(Duration::from_millis(200));
    running.end();
    let got = reader.join().expect("read");
    let mut wanted = packets(&run(["-q"], &http[..cut]).ok());
    wanted.extend(packets(&run::<&str>([], &dns).ok()));
    let mut seen = packets(&got);
    // In the order in which connections end.
    seen.sort();
    wanted.sort();
    assert_eq!(seen.len(), wanted.len());
    assert!(seen == wanted);
}

/// Each reader has a capture of its own from where it comes, whatever the others do; one that never reads is counted.
#[test]
fn readers_come_and_go_and_hold_up_nobody() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("socket");
    let name = format!(
        "unix-listen:{}?queue=64K&clients=4&format=pcapng",
        socket.display()
    );
    let capture = read(&testdata("http-large.pcap"));
    let (header, records) = capture.split_at(24);
    let args = ["-", "--bypass", &name, "-n", "-s=output"];
    let mut running = Listening::new(&args, 0);
    let mut stdin = running.child.stdin.take().expect("stdin");
    stdin.write_all(header).expect("write");
    until("the socket", || socket.exists());
    let come = || connect_to(&socket);
    let first = read_all(come());
    let silent = come();
    thread::sleep(Duration::from_millis(100));
    let before = running.descriptors();
    for _ in 0..100 {
        drop(come());
    }
    until("they are gone", || running.descriptors() <= before);
    // Slowly enough for whoever reads, and far more than waits for who does not.
    let mut late = None;
    for n in 0..60 {
        stdin.write_all(records).expect("write");
        thread::sleep(Duration::from_millis(3));
        if n == 30 {
            late = Some(read_all(come()));
            thread::sleep(Duration::from_millis(50));
        }
    }
    drop(stdin);
    let mut text = String::new();
    running.stderr.read_to_string(&mut text).expect("read");
    running.child.wait().expect("wait");
    assert!(
        common::counter(&text, "output.clients_dropped") > 0,
        "{text}"
    );
    assert!(common::counter(&text, "output.clients") >= 3, "{text}");
    assert!(!socket.exists());
    let (first, late) = (first.join().expect("read"), late.expect("came").join());
    let late = late.expect("read");
    let all = packets(&capture).len() as u64 * 60;
    let count = |octets: &[u8]| {
        let done = run(["-n", "-s=input", "-"], octets);
        (common::counter(&done.stderr, "input.packets"), done.stderr)
    };
    // The first one lacks nothing, or its own capture says how much.
    let (seen, said) = count(&first);
    let told = common::find_counter(&said, "input.capture_drops").unwrap_or(0);
    assert_eq!(seen + told, all, "{said}");
    let (seen, said) = count(&late);
    assert!(seen > all / 3 && seen < all, "{said}");
    drop(silent);
}

/// Several senders at a time: each has its own file header and link type, loses what it breaks off in, and holds up nobody.
#[test]
fn senders_at_the_same_time_are_interfaces_of_one_capture() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out.pcapng");
    let http = read(&testdata("http-keepalive.pcap"));
    let raw = run(["--encap", "raw"], &http).ok();
    let dns = read(&testdata("dns-udp.pcap"));
    let ng = run(["--format", "pcapng", "--encap", "raw"], &dns).ok();
    let name = out.display().to_string();
    let args = [
        "tcp-listen://0?clients=3",
        "--bypass",
        &name,
        "-n",
        "-s=input",
        "-v",
    ];
    let mut running = Listening::new(&args, 1);
    let send = |to: &mut TcpStream, octets: &[u8]| to.write_all(octets).expect("send");
    let mut silent = running.connect(0);
    let (mut a, mut b) = (running.connect(0), running.connect(0));
    // Inside headers and records, so that none of them is whole where another one goes on: the interface of one comes between the section
    // of the other and its own.
    let section = usize::from(ng[4]);
    let (http_at, ng_at) = (http.len() / 2, ng.len() / 2);
    send(&mut a, &http[..10]);
    send(&mut b, &ng[..section]);
    running.says(": pcapng\n");
    send(&mut a, &http[10..100]);
    running.says(": pcap\n");
    send(&mut b, &ng[section..ng_at]);
    send(&mut a, &http[100..http_at]);
    // There is no place for it yet, and it is compressed.
    let mut c = running.connect(0);
    send(&mut c, &common::gzip(&raw));
    send(&mut b, &ng[ng_at..ng.len() - 3]);
    drop(b);
    running.says("cut short");
    drop(c);
    running.says("gzip-compressed");
    send(&mut a, &http[http_at..]);
    drop(a);
    send(&mut silent, b"no capture at all");
    drop(silent);
    running.says("is no");
    let said = running.end();
    assert_eq!(common::counter(&said, "input.cut_short"), 1, "{said}");
    let got = read(&out);
    let names = ["frame.interface_id", "frame.encap_type"];
    let mut rows = fields("frame", &names, &[], &got);
    let count = |octets: &[u8]| {
        let done = run(["-n", "-s=input", "-"], octets);
        let packets = common::counter(&done.stderr, "input.packets");
        usize::try_from(packets).expect("a few")
    };
    let (of_http, of_ng, of_raw) = (count(&http), count(&ng) - 1, count(&raw));
    assert_eq!(rows.len(), of_http + of_ng + of_raw);
    rows.sort();
    rows.dedup();
    let kinds: Vec<_> = rows.iter().map(|row| row.join(" ")).collect();
    assert_eq!(kinds, ["0 1", "1 7", "2 7"]);
    // What one of them sends is whole and in its order, whatever came between.
    let mut own = packets(&http);
    let all = run(["--bypass", "-?format=pcap", "-n", "-"], &http).ok();
    assert!(packets(&all) == own);
    let mine = fields("frame.interface_id == 0", &["frame.len"], &[], &got);
    let lens: Vec<_> = own
        .drain(..)
        .map(|packet| vec![packet.len().to_string()])
        .collect();
    assert_eq!(mine, lens);
    for (name, words) in [
        ("tcp-listen://0?clients=65", "give 1 to 64"),
        ("tcp-listen://0?retry", "it takes ?clients=4"),
        ("tcp://127.0.0.1:1?clients=2", "it takes ?retry"),
    ] {
        let done = run(["-n", name], b"");
        done.code(2);
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
}

/// Of a connection that goes on, whoever comes in the middle has SYN and SYN-ACK, and nobody else.
#[test]
fn a_reader_in_the_middle_follows_connections() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("socket");
    let capture = read(&testdata("http-keepalive.pcap"));
    let wanted = run::<&str>([], &capture).ok();
    let (_, records) = pcap(&capture);
    // Inside the first of two connections.
    let middle = records[records.len() / 4].end;
    let name = format!("unix-listen:{}", socket.display());
    let mut running = Listening::new(&["-", "-q", "-w", &name], 0);
    let mut stdin = running.child.stdin.take().expect("stdin");
    stdin.write_all(&capture[..24]).expect("write");
    until("the socket", || socket.exists());
    // Who has the file header gets all that is read from then on.
    let come = || {
        let mut stream = connect_to(&socket);
        let mut header = vec![0; 24];
        stream.read_exact(&mut header).expect("a header");
        (header, read_all(stream))
    };
    let first = come();
    stdin.write_all(&capture[24..middle]).expect("write");
    thread::sleep(Duration::from_millis(100));
    let second = come();
    stdin.write_all(&capture[middle..]).expect("write");
    drop(stdin);
    assert_eq!(running.child.wait().expect("wait").code(), Some(0));
    let whole = |(header, rest): (Vec<u8>, thread::JoinHandle<Vec<u8>>)| {
        [header, rest.join().expect("read")].concat()
    };
    assert!(whole(first) == wanted);
    let got = whole(second);
    let (seen, all) = (packets(&got), packets(&wanted));
    assert!(
        seen.len() > 4 && seen.len() - 2 < all.len(),
        "{}",
        seen.len()
    );
    assert!(seen[2..] == all[all.len() + 2 - seen.len()..]);
    let numbers = |filter| fields(filter, &["frame.number"], &[], &got);
    assert_eq!(numbers("tcp.flags.syn == 1"), [["1"], ["2"]]);
    assert_eq!(numbers("tcp.flags.syn == 1 && tcp.ack == 1"), [["2"]]);
    assert_eq!(numbers("tcp.analysis.flags"), Vec::<Vec<String>>::new());
    assert_eq!(numbers("http").len(), seen.len() - 2);
}

/// To a socket that somebody listens on; to one where nobody does yet, again and again, and over a break.
#[test]
fn outputs_connect_also_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let capture = read(&testdata("http-keepalive.pcap"));
    let wanted = run::<&str>([], &capture).ok();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("bound").port();
    let to = format!("tcp://127.0.0.1:{port}");
    let reader = thread::spawn(move || {
        let (mut from, _) = listener.accept().expect("accept");
        let mut all = Vec::new();
        from.read_to_end(&mut all).expect("read");
        all
    });
    run(["-w", &to, "-"], &capture).code(0);
    assert!(reader.join().expect("read") == wanted);
    // Nobody listens: an error, and with ?retry what waits is written when somebody does.
    let socket = at("late");
    let done = run(["-w", &format!("unix:{socket}"), "-"], &capture);
    done.code(2);
    let path = socket.clone();
    let reader = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("bind");
        let (mut from, _) = listener.accept().expect("accept");
        let mut all = Vec::new();
        from.read_to_end(&mut all).expect("read");
        all
    });
    run(["-w", &format!("unix:{socket}?retry"), "-"], &capture).code(0);
    assert!(reader.join().expect("read") == wanted);
    // As an input too.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let from = format!("tcp://{}", listener.local_addr().expect("bound"));
    let sent = capture.clone();
    let sender = thread::spawn(move || {
        let (mut to, _) = listener.accept().expect("accept");
        to.write_all(&sent).expect("send");
    });
    assert!(run([&from], b"").ok() == wanted);
    sender.join().expect("sent");
    // And to one where nobody listens yet, and again behind its end.
    let socket = at("source");
    let from = format!("unix:{socket}?retry");
    let running = Listening::new(&["-q", "-n", "-s=input", &from], 0);
    thread::sleep(Duration::from_millis(150));
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("bind");
    for _ in 0..3 {
        let (mut to, _) = listener.accept().expect("accept");
        to.write_all(&capture).expect("send");
    }
    // The last one has been read when it is connected to once more.
    drop(listener.accept().expect("accept"));
    let said = running.end();
    assert_eq!(common::counter(&said, "input.files"), 3, "{said}");
    let refused = Path::new(&at("a file")).to_owned();
    fs::write(&refused, "old").expect("write");
    let name = format!("unix-listen:{}", refused.display());
    let done = run(["-w", &name, "-"], &capture);
    done.code(2);
    assert!(done.stderr.contains("it is no socket"), "{}", done.stderr);
    assert_eq!(fs::read(&refused).expect("read"), b"old");
    // What cannot be reached is told of with what to do.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let at_gone = format!("tcp://{}", gone.local_addr().expect("bound"));
    drop(gone);
    for (option, name, words) in [
        (
            "-w",
            at_gone.clone(),
            "cannot open: nobody listens there: start",
        ),
        (
            "-r",
            at_gone,
            "cannot be opened: nobody listens there: start",
        ),
        (
            "-w",
            format!("unix:{}", at("none")),
            "nobody listens there: start",
        ),
        (
            "-r",
            format!("unix:{}", at("none")),
            "nobody listens there: start",
        ),
        (
            "-w",
            format!("unix-listen:{}", at("none/x")),
            "make it first",
        ),
        (
            "-r",
            "tcp-listen://192.0.2.1:5000".to_owned(),
            "no such address: give one",
        ),
    ] {
        let done = run(
            [option, &name, "-n"]
                .into_iter()
                .filter(|w| option == "-r" || *w != "-n"),
            &capture,
        );
        assert!(done.stderr.contains(words), "{name}: {}", done.stderr);
        done.code(2);
    }
}
