//! `--extract`: which files, their sums, what is done with them, and how they are shown.

use crate::common::build::get;
use crate::common::{counter, feed, inet_asm, run, schema, sha256};
use crate::files::{Extracted, Talk, answer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

/// A page, a picture that calls itself a program, a long text, and a picture whose name means harm.
fn site() -> Talk {
    let mut talk = Talk::new();
    let typed =
        |kind: &str, body: &[u8]| answer("200 OK", &format!("Content-Type: {kind}\r\n"), body);
    for (path, kind, body) in [
        (
            "/",
            "text/html",
            &b"<html><script>alert(1)</script></html>"[..],
        ),
        ("/pic", "application/x-msdownload", PNG),
        ("/long.txt", "text/plain", &[b'a'; 50_000]),
        (
            "/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.png",
            "image/png",
            PNG,
        ),
        ("/index.html", "text/html", b"<b>other</b>"),
    ] {
        talk.exchange(&get(path), &typed(kind, body));
    }
    talk.close();
    talk
}

fn names(found: &Extracted) -> Vec<&str> {
    found.files.keys().map(String::as_str).collect()
}

#[test]
fn files_are_chosen_by_type_size_and_protocol() {
    let site = site();
    let all = site.extract(&[]);
    assert_eq!(all.list.len(), 5);
    for (options, expected) in [
        (
            &["--extract-types", "image/*"][..],
            vec!["_img src=x onerror=alert(1)_.png", "pic"],
        ),
        (&["--extract-types", "application/x-msdownload"], vec![]),
        (
            &["--extract-types", "text/html,image/gif"],
            vec!["index-1.html", "index.html"],
        ),
        (&["--extract-types", "TEXT/PLAIN"], vec!["long.txt"]),
        (&["--extract-min", "1k"], vec!["long.txt"]),
        (&["--extract-max", "20"], vec!["index.html"]),
        (&["--extract-protocols", "ftp,smb"], vec![]),
        (
            &["--extract-protocols", "HTTP", "--extract-min", "40k"],
            vec!["long.txt"],
        ),
    ] {
        let found = site.extract(options);
        let names = names(&found);
        assert_eq!(names.len(), expected.len(), "{options:?}: {names:?}");
        // What is found to be text may be what it was declared to be.
        let known = |name: &&str| {
            expected.contains(name) || options[1] == "TEXT/PLAIN" || name.starts_with("index")
        };
        assert!(names.iter().all(known), "{options:?}: {names:?}");
        let left = counter(&found.stats, "files.not_chosen");
        assert_eq!(left + names.len() as u64, 5, "{options:?}");
    }
}

#[test]
fn sums_are_those_that_were_asked_for() {
    let site = site();
    let found = site.extract(&["--hash=md5,sha1"]);
    let sum = |program: &str, file: &[u8]| {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect(program);
        child
            .stdin
            .take()
            .expect("stdin")
            .write_all(file)
            .expect("write");
        let text = child.wait_with_output().expect(program).stdout;
        let text = String::from_utf8(text).expect("UTF-8");
        text.split(' ').next().expect("a sum").to_owned()
    };
    for line in &found.list {
        let file = &found.files[line["file"].as_str().expect("file")];
        assert_eq!(line["md5"], sum("md5sum", file));
        assert_eq!(line["sha1"], sum("sha1sum", file));
        assert_eq!(line["sha256"], sha256(file));
    }
    let found = site.extract(&[]);
    assert!(
        found
            .list
            .iter()
            .all(|line| line["md5"].is_null() && line["sha1"].is_null())
    );
}

#[test]
fn the_schema_is_that_of_the_list_and_refuses_what_is_not() {
    let schema: Value =
        serde_json::from_str(include_str!("../../docs/files.schema.json")).expect("JSON");
    let fields: Vec<_> = inet_asm::sink::files::FIELDS
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let required: Vec<_> = schema["required"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|f| f.as_str().expect("a name"))
        .collect();
    assert_eq!(required, fields);
    assert_eq!(
        schema["properties"].as_object().expect("properties").len(),
        fields.len()
    );
    let line = &site().extract(&["--hash=md5,sha1"]).list[0];
    assert_eq!(schema::fault(&schema, line), None);
    for (field, wrong) in [
        ("size", Value::from("5")),
        ("size", Value::from(-1)),
        ("src_port", Value::from(70_000)),
        ("transport", Value::from("quic")),
        ("md5", Value::from("5d41402abc4b2a76b9719d911017c59")),
        ("missing", serde_json::json!([[1]])),
        ("missing", serde_json::json!([[null, 1]])),
        ("first_time", Value::from("yesterday")),
        ("more", Value::from(1)),
        ("complete", Value::Null),
    ] {
        let mut bad = line.clone();
        bad[field] = wrong;
        assert!(schema::fault(&schema, &bad).is_some(), "{bad}");
    }
    let mut short = line.clone();
    short.as_object_mut().expect("an object").remove("url");
    assert!(schema::fault(&schema, &short).is_some());
}

#[test]
fn a_command_runs_for_each_file_without_a_shell() {
    let dir = tempfile::tempdir().expect("tempdir");
    let x = dir.path().join("x");
    let x = x.to_str().expect("UTF-8");
    let done = run(
        ["-s", "-x", x, "--on-file", "cp -t 'copies of files' -- {}"],
        &site().pcap.file,
    );
    // The folder is not there: every command fails, which is told, and counted.
    done.code(0);
    assert_eq!(counter(&done.stderr, "files.commands"), 5);
    assert_eq!(counter(&done.stderr, "files.commands_failed"), 5);
    assert!(
        done.stderr
            .contains("--on-file: 5 of 5 commands failed, the first was cp: exit status: 1"),
        "{}",
        done.stderr
    );
    let copies = dir.path().join("copies of files");
    std::fs::create_dir(&copies).expect("a folder");
    let y = dir.path().join("y");
    let y = y.to_str().expect("UTF-8");
    let command = format!("cp -t '{}' -- {{}}", copies.display());
    let done = run(["-s", "-x", y, "--on-file", &command], &site().pcap.file);
    done.code(0);
    assert_eq!(counter(&done.stderr, "files.commands_failed"), 0);
    let mut there: BTreeMap<_, _> = crate::common::files(std::path::Path::new(y))
        .into_iter()
        .collect();
    there.remove("files.jsonl");
    let copied: BTreeMap<_, _> = crate::common::files(&copies).into_iter().collect();
    assert_eq!(copied, there);
}

#[test]
fn an_index_shows_the_folder_and_names_are_texts_in_it() {
    let site = site();
    let dir = tempfile::tempdir().expect("tempdir");
    let x = dir.path().to_str().expect("UTF-8");
    for round in 1..3 {
        let done = run(["-q", "-x", x, "--index"], &site.pcap.file);
        done.code(0);
        let page = std::fs::read_to_string(dir.path().join("index.html")).expect("index.html");
        assert_eq!(page.matches("<tr").count(), 1 + 5 * round);
        assert_eq!(page.matches("<img src=\"./").count(), 2 * round);
        assert!(!page.contains("<img src=x"));
        assert!(page.contains("_img src=x onerror=alert(1)_"));
    }
    // What the network called so is called otherwise.
    let list = std::fs::read_to_string(dir.path().join("files.jsonl")).expect("files.jsonl");
    assert!(
        !list.contains("\"file\":\"index.html\"") && list.contains("\"file\":\"index-1.html\"")
    );
    // A page of somebody else is left as it is.
    let other = tempfile::tempdir().expect("tempdir");
    std::fs::write(other.path().join("index.html"), "mine").expect("write");
    let done = run(
        ["-x", other.path().to_str().expect("UTF-8"), "--index"],
        &site.pcap.file,
    );
    done.code(2);
    assert!(
        done.stderr.contains("choose another folder"),
        "{}",
        done.stderr
    );
    assert_eq!(
        std::fs::read(other.path().join("index.html")).expect("read"),
        b"mine"
    );
}

#[test]
fn an_archive_has_what_the_folder_would_have() {
    let site = site();
    let found = site.extract(&[]);
    let spool = tempfile::tempdir().expect("tempdir");
    let mut command = inet_asm(["-q", "-x", "-"]);
    command.env("TMPDIR", spool.path());
    let done = feed(&mut command, &[&site.pcap.file]);
    done.code(0);
    assert_eq!(
        std::fs::read_dir(spool.path()).expect("folder").count(),
        0,
        "nothing is left"
    );
    let dir = tempfile::tempdir().expect("tempdir");
    let mut tar = Command::new("tar")
        .args(["-x", "-C", dir.path().to_str().expect("UTF-8")])
        .stdin(Stdio::piped())
        .spawn()
        .expect("tar");
    tar.stdin
        .take()
        .expect("stdin")
        .write_all(&done.stdout)
        .expect("write");
    assert!(tar.wait().expect("tar").success());
    let mut there: BTreeMap<_, _> = crate::common::files(dir.path()).into_iter().collect();
    let list = there.remove("files.jsonl").expect("the list");
    assert_eq!(list.iter().filter(|o| **o == b'\n').count(), 5);
    assert_eq!(there, found.files);
    for (args, words) in [
        (&["-x", "-", "--index"][..], "give -x a DIR"),
        (&["-x", "-", "--on-file", "true"], "give -x a DIR"),
        (&["-x", "-", "-j"], "two outputs would write there"),
        (&["-j", "--index"], "add -x DIR"),
        (&["-j", "--extract-types", "image/*"], "add -x DIR"),
        (&["-x", "x", "--extract-types", "image"], "no media type"),
        (
            &["-x", "x", "--on-file", "a 'b"],
            "is not closed: put another one behind it",
        ),
        (
            &["-x", "x", "--extract-protocols", "nothing"],
            "no protocol of this name",
        ),
    ] {
        let done = run(args, &site.pcap.file);
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
    }
}
