//! Programs as inputs and outputs, and those that capture for an interface.

use crate::common::{self, inet_asm, pcap, read, run, testdata};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program of this name that does what these lines of a shell say.
fn program(folder: &Path, name: &str, lines: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("may be run");
}

/// Programs that have this word among theirs.
fn running(word: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let words = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    words
        .filter(|words| {
            words
                .split(|octet| *octet == 0)
                .any(|w| w == word.as_bytes())
        })
        .count()
}

/// This machine lets its loopback interface be captured.
fn may_capture() -> bool {
    let mut may = Command::new("dumpcap");
    may.args(["-q", "-i", "lo", "-a", "duration:0", "-w", "/dev/null"]);
    may.output().is_ok_and(|done| done.status.success())
}

#[test]
fn what_a_program_writes_is_read_and_what_is_written_it_reads() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("a b").display().to_string();
    let capture = testdata("http-keepalive.pcap");
    let wanted = run::<&str>([], &read(&capture)).ok();
    let from = format!("exec:cat '{}'", capture.display());
    let to = format!("exec:dd 'of={out}' status=none");
    run(["-w", &to, &from], b"").code(0);
    assert!(fs::read(&out).expect("written") == wanted);
    // Behind a whole command stand options; words of a shell mean nothing.
    let to = format!("exec:'dd of={out}?kind=x; status=none'?protocol=http");
    let done = run(["-w", &to, &from], b"");
    done.code(2);
    assert!(done.stderr.contains("exit status: 1"), "{}", done.stderr);
    let to = format!(
        "exec:\"dd of={} status=none\"?protocol=dns",
        dir.path().join("b").display()
    );
    run(["-w", &to, &from], b"").code(0);
    assert!(pcap(&read(&dir.path().join("b"))).1.is_empty());
    // Several, one after the other.
    let done = run(["-n", "-s=input", &from, &from], b"");
    assert_eq!(common::counter(&done.stderr, "input.files"), 2);
}

#[test]
fn how_programs_end_is_told() {
    let capture = testdata("http-keepalive.pcap");
    let capture = capture.display().to_string();
    let half = format!("exec:sh -c 'cat {capture}; exit 3'");
    let done = run(["-p", &half], b"");
    done.code(2);
    let whole = run(["-p", &capture], b"").ok();
    assert!(done.stdout == whole);
    assert!(
        done.stderr
            .contains("the program failed with exit status: 3"),
        "{}",
        done.stderr
    );
    for (args, words) in [
        (
            &["-w", "exec:sh -c 'cat >/dev/null; exit 4'", &capture][..],
            "exit status: 4",
        ),
        (&["-w", "exec:false", &capture], "exit status: 1"),
        (
            &["-w", "exec:/nowhere/x", &capture],
            "/nowhere/x: there is no such program: install",
        ),
        (
            &["-p", "exec:/nowhere/x"],
            "/nowhere/x: there is no such program: install",
        ),
        (&["-p", "exec:x 'y"], "is not closed"),
        (&["-w", "exec:", &capture], "a command is missing"),
        (&["--har", "exec:cat", &capture], "a document is one file"),
        (&["-p", "exec:true"], "is empty"),
    ] {
        let done = run(args, b"");
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
        done.code(2);
    }
    // One that has read enough is no error, and one that writes for ever ends with the run.
    let for_ever = format!("exec:sh -c 'cat {capture}; exec sleep 98761'");
    let done = run(["-w", "exec:head -c 10", &capture, &capture], b"");
    assert!(done.ok().len() == 10);
    let begun = Instant::now();
    run(["-p", "-c", "1", &for_ever], b"").ok();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(running("98761"), 0);
}

/// A run that is asked to stop asks the program that writes its input.
#[test]
fn a_stop_is_handed_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let told = dir.path().join("told");
    let capture = testdata("http-keepalive.pcap");
    let lines = format!(
        "trap 'echo asked >{}; kill $!; exit 1' TERM\ncat {}\nsleep 98762 &\nwait",
        told.display(),
        capture.display()
    );
    program(dir.path(), "endless", &lines);
    let input = format!("exec:{}", dir.path().join("endless").display());
    let mut child = inet_asm(["-p", "--live", &input])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawn");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
    stdout.read_line(&mut line).expect("a line");
    common::signal(&child, "INT");
    let mut text = String::new();
    child
        .stderr
        .take()
        .expect("stderr")
        .read_to_string(&mut text)
        .expect("read");
    assert_eq!(child.wait().expect("wait").code(), Some(0), "{text}");
    assert_eq!(fs::read_to_string(&told).expect("told"), "asked\n");
    assert_eq!(running("98762"), 0);
}

#[test]
fn an_interface_is_captured_by_what_is_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let capture = testdata("http-keepalive.pcap");
    let lines = |name: &str| {
        format!(
            "if [ \"$1\" = -D ]; then echo '1. {name}0'; exit; fi\nfor w; do echo \"{name}: $w\" >&2; done\n/bin/cat {}",
            capture.display()
        )
    };
    let with_path = |args: &[&str]| {
        let done = inet_asm(args)
            .env("PATH", dir.path())
            .stdin(Stdio::null())
            .output();
        let done = done.expect("run");
        let text = |octets: Vec<u8>| String::from_utf8(octets).expect("UTF-8");
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let (status, _, said) = with_path(&["-i", "x"]);
    assert!(
        status == Some(2) && said.contains("neither dumpcap nor tcpdump"),
        "{said}"
    );
    assert_eq!(with_path(&["-D"]).0, Some(2));
    let printed = String::from_utf8(run(["-p", &capture.display().to_string()], b"").ok());
    let printed = printed.expect("UTF-8");
    program(dir.path(), "tcpdump", &lines("tcpdump"));
    for (name, words) in [
        (
            "tcpdump",
            &[
                "-U",
                "--immediate-mode",
                "-w",
                "-",
                "-i",
                "eth 0",
                "--",
                "port 80",
            ][..],
        ),
        (
            "dumpcap",
            &["-q", "-w", "-", "-f", "port 80", "-i", "eth 0"],
        ),
    ] {
        if name == "dumpcap" {
            program(dir.path(), name, &lines(name));
        }
        let (status, out, said) = with_path(&["-p", "-i", "eth 0", "-f", "port 80"]);
        assert_eq!((status, &out), (Some(0), &printed), "{said}");
        let words: Vec<_> = words.iter().map(|word| format!("{name}: {word}")).collect();
        let seen: Vec<_> = said.lines().filter(|line| line.starts_with(name)).collect();
        assert_eq!(seen, words);
        assert_eq!(
            with_path(&["-D"]),
            (Some(0), format!("1. {name}0\n"), String::new())
        );
    }
    for (args, words) in [
        (&["-i", "x", "y.pcap"][..], "does not go with"),
        (&["-f", "port 80"], "is needed"),
        (&["-i", ""], "-D lists"),
    ] {
        let (status, _, said) = with_path(args);
        assert!(
            status == Some(2) && said.contains(words),
            "{args:?}: {said}"
        );
    }
}

/// On the loopback interface, where this machine lets it be captured: a message is printed at once.
#[test]
fn an_interface_is_shown_at_once() {
    if !may_capture() {
        eprintln!("skipped: an_interface_is_shown_at_once: lo cannot be captured here");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("bound").port();
    let filter = format!("tcp port {port}");
    let mut child = inet_asm(["-p", "-i", "lo", "-f", &filter])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawn");
    let mut stderr = BufReader::new(child.stderr.take().expect("stderr"));
    let mut said = String::new();
    while !said.contains("File: ") {
        assert!(stderr.read_line(&mut said).expect("read") > 0, "{said}");
    }
    let mut client = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    client
        .write_all(b"GET /at-once HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("write");
    let begun = Instant::now();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
    stdout.read_line(&mut line).expect("a line");
    assert!(line.contains("GET /at-once"), "{line}");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    drop((client, server));
    common::signal(&child, "INT");
    stderr.read_to_string(&mut said).expect("read");
    assert_eq!(child.wait().expect("wait").code(), Some(0), "{said}");
    assert_eq!(running(&filter), 0);
}

/// Wireshark's questions are answered, with what stands in for dumpcap, and the run that it starts ends with the pipe that it reads.
#[test]
fn wireshark_asks_and_captures() {
    let dir = tempfile::tempdir().expect("a folder");
    let capture = testdata("http-keepalive.pcap");
    let lines = format!(
        "echo \"Capturing on x\" >&2\ncase \"$*\" in\n*no-such*) echo 'dumpcap: no such' >&2; exit 1;;\n-D) echo '1. eth0'; echo '2. lo (Loopback)'; exit;;\n\
         *' bad') echo 'Invalid filter' >&2; exit;;\n-d*) echo '(000) ret #1'; exit;;\nesac\n\
         echo \"$*\" >{}/asked\n/bin/cat {}\nexec /bin/sleep 98763",
        dir.path().display(),
        capture.display()
    );
    program(dir.path(), "dumpcap", &lines);
    let asks = |args: &[&str]| {
        let mut command = inet_asm(args);
        command.env("PATH", dir.path()).stdin(Stdio::null());
        command
    };
    let answer = |args: &[&str]| {
        let done = asks(args).output().expect("run");
        let text = |octets: Vec<u8>| String::from_utf8(octets).expect("UTF-8");
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let said = |text: &str| (Some(0), text.to_owned(), String::new());
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        answer(&["--extcap-interfaces", "--extcap-version=4.0"]),
        said(&format!(
            "extcap {{version={version}}}\ninterface {{value=inet-asm-eth0}}{{display=inet-asm: messages of eth0}}\n\
             interface {{value=inet-asm-lo}}{{display=inet-asm: messages of lo}}\n"
        ))
    );
    let of_lo = ["--extcap-interface", "inet-asm-lo"];
    let (status, types, _) = answer(&[&["--extcap-dlts"], &of_lo[..]].concat());
    assert!(status == Some(0) && types.starts_with("dlt {number=1}{name=EN10MB}"));
    let (status, form, _) = answer(&[&["--extcap-config"], &of_lo[..]].concat());
    assert!(
        status == Some(0) && form.contains("{call=--keylog}"),
        "{form}"
    );
    for (filter, wrong) in [("port 80", ""), ("bad", "Invalid filter\n")] {
        let args = [&["--extcap-capture-filter", filter], &of_lo[..]].concat();
        assert_eq!(answer(&args), said(wrong));
    }
    for wrong in [
        &["--extcap-dlts"][..],
        &["--capture"],
        &["--capture", "--fifo", "x"],
    ] {
        assert_eq!(answer(wrong).0, Some(2), "{wrong:?}");
    }
    let fifo = dir.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    let name = fifo.display().to_string();
    let mut args = vec![
        "--capture",
        "--fifo",
        &name,
        "--extcap-capture-filter",
        "port 80",
    ];
    args.extend(["--protocols", "", "--encap", "auto", "--decode-as"]);
    args.extend(["tcp.port==1,http; tcp.port==2,http", "--keylog", ""]);
    args.extend(of_lo);
    let mut child = asks(&args).stderr(Stdio::piped()).spawn().expect("spawn");
    let mut from = fs::File::open(&fifo).expect("open");
    let (mut seen, mut octets) = (Vec::<u8>::new(), [0; 4096]);
    while !seen.windows(15).any(|part| part == b"HTTP/1.1 200 OK") {
        let n = from.read(&mut octets).expect("read");
        assert!(n > 0);
        seen.extend(&octets[..n]);
    }
    // pcapng; and nothing more is written that would show that nobody reads it.
    assert_eq!(&seen[..4], b"\x0a\x0d\x0d\x0a");
    assert!(child.try_wait().expect("a child").is_none());
    let asked = fs::read_to_string(dir.path().join("asked")).expect("asked");
    assert_eq!(asked.trim_end(), "-q -w - -f port 80 -i lo");
    drop(from);
    let begun = Instant::now();
    let mut words = String::new();
    let mut stderr = child.stderr.take().expect("stderr");
    stderr.read_to_string(&mut words).expect("read");
    assert_eq!(child.wait().expect("wait").code(), Some(0));
    assert_eq!(words, "");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(running("98763"), 0);
    // What is wrong is said, as Wireshark shows it.
    let reader = std::thread::spawn(move || fs::read(&fifo).expect("read"));
    let args = [
        "--capture",
        "--fifo",
        &name,
        "--extcap-interface",
        "no-such",
    ];
    let (status, _, words) = answer(&args);
    reader.join().expect("read");
    assert!(
        status == Some(2) && words.contains("Capturing on x dumpcap: no such"),
        "{words}"
    );
}

/// tshark shows a line for each message of an interface of this program, and nothing is left behind its end.
#[test]
fn tshark_captures_messages() {
    if !may_capture() {
        eprintln!("skipped: tshark_captures_messages: lo cannot be captured here");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("extcap");
    fs::create_dir(&folder).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_inet-asm"), folder.join("inet-asm")).expect("a link");
    // Below those of clients: a client on the lower port has a handshake ahead of its messages.
    let ports = 20_000..30_000;
    let bound = ports.filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let listener = bound.into_iter().next().expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let filter = format!("tcp port {port}");
    let rule = format!("tcp.port=={port},http");
    let mut tshark = Command::new("tshark");
    tshark.args(["-l", "-i", "inet-asm-lo", "-f", &filter, "-d", &rule]);
    // Before 4.2 it looks in the folder of the configuration.
    tshark.env("WIRESHARK_CONFIG_DIR", dir.path());
    tshark.env("WIRESHARK_EXTCAP_DIR", &folder);
    tshark.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = tshark.stderr(Stdio::null()).spawn().expect("tshark");
    let (to, lines) = std::sync::mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().expect("stdout"));
    let reader = std::thread::spawn(move || {
        for line in stdout.lines() {
            let _ = to.send(line.expect("UTF-8"));
        }
    });
    let connect = || {
        let client = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        (client, listener.accept().expect("accept").0)
    };
    // Until it captures.
    let begun = Instant::now();
    let shown = || lines.recv_timeout(Duration::from_millis(100)).ok();
    while shown().is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "nothing is shown"
        );
        let (mut client, _server) = connect();
        client
            .write_all(b"GET /soon HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("write");
    }
    let (mut client, mut server) = connect();
    // One is in one packet, one is larger than an IP packet.
    for len in [10, 100_000] {
        let request = format!("GET /{len} HTTP/1.1\r\nHost: x\r\n\r\n");
        client.write_all(request.as_bytes()).expect("write");
        let body = "x".repeat(len);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{body}");
        server.write_all(answer.as_bytes()).expect("write");
        client.read_exact(&mut vec![0; answer.len()]).expect("read");
    }
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let line = lines.recv_timeout(Duration::from_secs(10));
        seen.extend(line.ok().filter(|line| !line.contains("GET /soon")));
        assert!(begun.elapsed() < Duration::from_secs(50), "{seen:?}");
    }
    common::signal(&child, "INT");
    reader.join().expect("read");
    child.wait().expect("wait");
    seen.extend(lines.try_iter());
    assert_eq!(seen.len(), 4, "{seen:?}");
    for (line, words) in seen
        .iter()
        .zip(["GET /10 ", "200 OK", "GET /100000 ", "200 OK"])
    {
        assert!(line.contains(" HTTP ") && line.contains(words), "{seen:?}");
    }
    let begun = Instant::now();
    while running(&filter) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "a child is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where one output takes nothing more, and the run stands still, the others have all that was read until then.
#[test]
fn each_packet_is_flushed_before_the_next() {
    let capture = testdata("http-large.pcap").display().to_string();
    let inputs = vec![capture.as_str(); 4];
    let dir = tempfile::tempdir().expect("a folder");
    let mut args = vec!["-q", "--synchronized", "--bypass", "-", "-j=json", "-n"];
    args.extend(inputs);
    let mut child = inet_asm(&args)
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("spawn");
    let json = dir.path().join("json");
    let begun = Instant::now();
    while !fs::read_to_string(&json).is_ok_and(|text| text.contains('\n')) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(
        child.try_wait().expect("a child").is_none(),
        "it stands still"
    );
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("wait").code(), Some(0));
    let done = run(["--synchronized", "-n", "-s", &capture], b"");
    assert!(
        done.stderr.contains("--synchronized: does nothing here"),
        "{}",
        done.stderr
    );
}
