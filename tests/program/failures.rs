//! Outputs that cannot be written: each ends the run with status 2 and one line that names it, except a reader that has
//! gone away, which is a quiet end.

use crate::common::{self, inet_asm, testdata};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Stdio;

/// Runs the program on a capture with these arguments, `{}` being a folder of its own; what it says on stderr.
fn refused(dir: &Path, args: &[&str]) -> String {
    let here = dir.to_str().expect("UTF-8");
    let args: Vec<_> = args.iter().map(|a| a.replace("{}", here)).collect();
    let mut program = inet_asm(&args);
    let done = common::feed(program.arg(testdata("http-keepalive.pcap")), &[]);
    done.code(2);
    assert_eq!(done.stderr.lines().count(), 1, "{args:?}: {}", done.stderr);
    assert!(done.stderr.starts_with("inet-asm: "), "{}", done.stderr);
    done.stderr
}

#[test]
fn a_full_disk_is_named() {
    for args in [
        &["-w", "/dev/full"][..],
        &["-w", "/dev/full", "-U"],
        &["-w", "/dev/full", "--format", "pcapng", "--info"],
        &["-n", "--bypass", "/dev/full"],
        &["-n", "--bypass", "file:/dev/full?format=pcap"],
        &["-j=/dev/full"],
        &["-j=/dev/full", "--json-body", "base64", "--hash"],
        &["-n", "--sctp-stats", "/dev/full"],
    ] {
        let text = refused(Path::new("/"), args);
        assert!(
            text.contains("/dev/full: cannot write: no space is left"),
            "{args:?}: {text}"
        );
    }
}

#[test]
fn a_full_disk_behind_stdout_is_named() {
    for args in [
        &[][..],
        &["-p"],
        &["-p=full"],
        &["-j"],
        &["--dump", "-", "--connection", "all"],
        &["--bypass", "-", "-n"],
        &["--man"],
        &["--list-protocols"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full");
        let mut program = inet_asm(args);
        if args
            .iter()
            .all(|a| !a.starts_with("--man") && !a.starts_with("--list"))
        {
            program.arg(testdata("http-keepalive.pcap"));
        }
        program
            .stdout(full.expect("/dev/full"))
            .stderr(Stdio::piped());
        let done = program.output().expect("the program");
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{args:?}: {text}");
        assert!(text.to_lowercase().contains("no space"), "{args:?}: {text}");
    }
}

#[test]
fn a_reader_that_has_gone_is_a_quiet_end() {
    for args in [
        &[][..],
        &["-U"],
        &["--format", "pcapng"],
        &["-p"],
        &["-j"],
        &["--dump", "-", "--connection", "all"],
        &["--bypass", "-", "-n"],
    ] {
        let mut program = inet_asm(args);
        program.arg(testdata("http-keepalive.pcap"));
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        program.stdout(writer).stderr(Stdio::piped());
        let done = program.output().expect("the program");
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!((done.status.code(), &*text), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn places_where_nothing_can_be_made_are_named() {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::write(dir.path().join("file"), "old").expect("write");
    for (args, words) in [
        (&["-w", "{}"][..], "cannot open: it is a folder"),
        (
            &["-w", "{}/no/x"],
            "cannot open: the folder that it is in does not exist",
        ),
        (&["-w", "{}/file/x"], "cannot open: Not a directory"),
        (&["-j={}"], "cannot open: it is a folder"),
        (&["-n", "--dropped", "{}"], "cannot open: it is a folder"),
        (
            &["-n", "--bypass", "{}/no/x"],
            "cannot open: the folder that it is in does not exist",
        ),
        (&["--dump", "{}/file"], "cannot make the folder"),
        (&["--dump", "{}/file/x"], "cannot make the folder"),
        (&["-x", "{}/file"], "cannot make the folder"),
        (
            &["--dump", "{}", "--dump-name", "file/%a%c"],
            "file is no folder",
        ),
    ] {
        let text = refused(dir.path(), args);
        assert!(text.contains(words), "{args:?}: {text}");
    }
    let old = fs::read(dir.path().join("file")).expect("read");
    assert_eq!(old, b"old");
}

/// Another output of the run cannot be opened: what is in the first one is not destroyed for nothing.
#[test]
fn an_output_is_emptied_only_where_all_can_be_opened() {
    let dir = tempfile::tempdir().expect("tempdir");
    let old = dir.path().join("old");
    fs::write(dir.path().join("file"), "a file").expect("write");
    fs::write(&old, "old").expect("write");
    for args in [
        &["-w", "{}/old", "-j={}/no/x"][..],
        &["-j={}/old", "-w", "{}/no/x"],
        &["-w", "{}/old", "-w", "{}/no/x"],
        &["-w", "{}/old", "-x", "{}/file"],
        &["-w", "{}/old", "--dump", "{}/file"],
        &["--bypass", "{}/old", "-n", "--sctp-stats", "{}/no/x"],
    ] {
        refused(dir.path(), args);
        assert_eq!(fs::read(&old).expect("read"), b"old", "{args:?}");
    }
    // Where there is a run it is, whatever the run brings.
    let mut program = inet_asm(["-n", "--dropped"]);
    program.arg(&old).arg(testdata("http-tiny.pcap"));
    common::feed(&mut program, &[]).code(0);
    assert!(!common::contains(&common::read(&old), b"old"));
    fs::write(&old, "old").expect("write");
    let json = format!("-j={}", old.display());
    common::run(
        [&*json, "--kind", "response", "--match", "nothing", "-q"],
        b"",
    )
    .code(2);
    assert_eq!(fs::read(&old).expect("read"), b"old");
}

/// Help and counters that go nowhere are no success.
#[test]
fn texts_that_cannot_be_written_are_an_error() {
    let capture = testdata("http-tiny.pcap");
    let program = env!("CARGO_BIN_EXE_inet-asm");
    // The same words, whatever is written.
    let full = "inet-asm: stdout: cannot write: no space is left: make room, or write elsewhere\n";
    for (line, words) in [
        ("--help >&-", "stdout: is closed"),
        ("--version >&-", "stdout: is closed"),
        ("-h >&-", "stdout: is closed"),
        ("-h >/dev/full", full),
        ("--help >/dev/full", full),
        ("--version >/dev/full", full),
        ("--man >/dev/full", full),
        ("--completions fish >/dev/full", full),
        ("--list-protocols >/dev/full", full),
        ("--save-config >/dev/full", full),
        ("-p CAPTURE >/dev/full", full),
        ("-n -s CAPTURE 2>/dev/full", ""),
        ("-n -s CAPTURE 2>&-", ""),
    ] {
        let line = line.replace("CAPTURE", capture.to_str().expect("UTF-8"));
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("'{program}' {line}")]);
        let done = common::feed(&mut shell, &[]);
        done.code(2);
        assert!(done.stderr.contains(words), "{line}: {}", done.stderr);
    }
    common::run(["--help"], b"").code(0);
}

/// The other outputs have what was written until then.
#[test]
fn a_full_disk_costs_no_other_output() {
    let dir = tempfile::tempdir().expect("tempdir");
    refused(dir.path(), &["-w", "/dev/full", "--bypass", "{}/all"]);
    let all = common::read(&dir.path().join("all"));
    assert_eq!(all.get(..4), Some(&[0x0a, 0x0d, 0x0d, 0x0a][..]));
}

/// Whichever way the input is named: opening the output would empty it.
#[test]
fn an_input_is_never_written() {
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join("in.pcap");
    let capture = common::read(&testdata("http-tiny.pcap"));
    fs::write(&file, &capture).expect("write");
    let path = file.to_str().expect("UTF-8");
    for input in [
        path.to_owned(),
        format!("file:{path}"),
        format!("file://{path}"),
        format!("file:'{path}'"),
        format!("file:\"{path}\""),
    ] {
        // It can be read by this name.
        let done = common::run(["-p", &input], b"");
        assert!(!done.ok().is_empty(), "{input}");
        for output in [path.to_owned(), format!("file:{path}?kind=bypass")] {
            let done = common::run(["-w", &output, &input], b"");
            done.code(2);
            assert!(done.stderr.contains("also an input"), "{}", done.stderr);
            assert!(common::read(&file) == capture, "{output} {input}");
        }
    }
    let text = common::run(["-p", "file:-"], &capture).text();
    assert!(text.contains("http"), "{text}");
}
