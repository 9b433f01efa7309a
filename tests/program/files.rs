//! `--extract`: what is in the folder, and in its list, of transfers of every kind, whole and not.

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, SYN, behind, body, get};
use crate::common::{self, counter, gzip, inet_asm, peak_to_the_end, read, run, sha256, testdata};
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// What was extracted: the folder, the files in it by name, and the lines of the list.
pub(crate) struct Extracted {
    _dir: TempDir,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) list: Vec<Value>,
    pub(crate) stats: String,
}

impl Extracted {
    pub(crate) fn of(capture: &[u8], options: &[&str]) -> Self {
        Self::into(tempfile::tempdir().expect("tempdir"), capture, options)
    }

    fn into(dir: TempDir, capture: &[u8], options: &[&str]) -> Self {
        let into = dir.path().join("x");
        let mut args = vec!["-s", "-x", into.to_str().expect("UTF-8")];
        args.extend(options);
        let done = run(args, capture);
        done.code(0);
        assert_eq!(done.stdout, b"", "files are an output of their own");
        let mut files: BTreeMap<_, _> = common::files(&into).into_iter().collect();
        let list = files.remove("files.jsonl").expect("the list");
        let list: Vec<Value> = String::from_utf8(list)
            .expect("UTF-8")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let found = Self {
            _dir: dir,
            files,
            list,
            stats: done.stderr,
        };
        found.holds();
        found
    }

    /// What holds of every list: a file for each line, of which size, sum and name fit; and counters that add up.
    fn holds(&self) {
        let names: Vec<_> = inet_asm::sink::files::FIELDS
            .iter()
            .map(|(n, _)| *n)
            .collect();
        let schema = include_str!("../../docs/files.schema.json");
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        let mut whole = 0;
        let mut octets = 0;
        for line in &self.list {
            assert_eq!(common::schema::fault(&schema, line), None, "{line}");
            let fields = line.as_object().expect("an object");
            assert_eq!(fields.len(), names.len());
            assert!(names.iter().all(|n| fields.contains_key(*n)), "{line}");
            let name = line["file"].as_str().expect("a name");
            let file = &self.files[name];
            let missing = line["missing"].as_array().expect("an array");
            let complete = line["complete"].as_bool().expect("true or false");
            assert_eq!(complete, missing.is_empty());
            assert_eq!(complete, !name.ends_with(".part"), "{line}");
            let holes: u64 = missing
                .iter()
                .filter(|m| m[0].as_u64().expect("offset") < file.len() as u64)
                .map(|m| m[1].as_u64().unwrap_or(0))
                .sum();
            let size = line["size"].as_u64().expect("size");
            if missing.len() < 1000 {
                assert_eq!(size + holes, file.len() as u64, "{line}");
            }
            if complete {
                assert_eq!(line["length"], line["size"]);
                assert_eq!(line["sha256"], sha256(file), "{line}");
                whole += 1;
            } else {
                assert_eq!(line["sha256"], Value::Null);
            }
            octets += size;
        }
        assert_eq!(
            self.list.len(),
            self.files.len(),
            "every file is listed once"
        );
        let count = |name| counter(&self.stats, name);
        assert_eq!(count("files.written"), self.list.len() as u64);
        assert_eq!(count("files.whole"), whole);
        assert_eq!(count("files.incomplete"), self.list.len() as u64 - whole);
        assert_eq!(count("files.octets"), octets);
        if counter(&self.stats, "udp.datagrams") == 0 {
            assert_eq!(count("buffer.waiting"), 0, "all that waited was given back");
        }
    }

    #[track_caller]
    pub(crate) fn line(&self, name: &str) -> &Value {
        self.list
            .iter()
            .find(|l| l["file"] == name)
            .unwrap_or_else(|| panic!("{name} is not in {:?}", self.names()))
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }
}

/// Connections of one client, one after the other, each with its own port.
pub(crate) struct Talk {
    pub(crate) pcap: Pcap,
    port: u16,
    client: u32,
    server: u32,
    /// Which segments of the server are captured; those of bodies are counted from 0 in each response.
    captured: fn(usize) -> bool,
}

impl Talk {
    pub(crate) fn new() -> Self {
        let mut talk = Self {
            pcap: Pcap::new(),
            port: CLIENT.1,
            client: 0,
            server: 0,
            captured: |_| true,
        };
        talk.connect();
        talk
    }

    fn up(&mut self, flags: u8, payload: &[u8]) {
        let (seq, ack) = (self.client, self.server);
        let packet = self
            .pcap
            .segment((CLIENT.0, self.port), SERVER, seq, ack, flags, payload);
        self.pcap.packet(&packet);
        self.client = behind(self.client, payload);
    }

    fn down(&mut self, flags: u8, payload: &[u8], captured: bool) {
        let (seq, ack) = (self.server, self.client);
        let packet = self
            .pcap
            .segment(SERVER, (CLIENT.0, self.port), seq, ack, flags, payload);
        if captured {
            self.pcap.packet(&packet);
        }
        self.server = behind(self.server, payload);
    }

    /// Another connection.
    fn connect(&mut self) -> &mut Self {
        self.port += 1;
        (self.client, self.server) = (1000, 5000);
        self.up(SYN, b"");
        self.client += 1;
        self.down(SYN | ACK, b"", true);
        self.server += 1;
        self.up(ACK, b"");
        self
    }

    /// A request and its response, in segments of 1,000 octets.
    pub(crate) fn exchange(&mut self, request: &[u8], response: &[u8]) -> &mut Self {
        for part in request.chunks(1000) {
            self.up(PSH | ACK, part);
        }
        for (i, part) in response.chunks(1000).enumerate() {
            let captured = (self.captured)(i);
            self.down(PSH | ACK, part, captured);
            self.up(ACK, b"");
        }
        self
    }

    /// A GET of a path, and a response with these header fields and this body.
    fn get(&mut self, path: &str, fields: &str, body: &[u8]) -> &mut Self {
        self.exchange(&get(path), &answer("200 OK", fields, body))
    }

    pub(crate) fn close(&mut self) -> &mut Self {
        self.down(FIN | ACK, b"", true);
        self.server += 1;
        self.up(FIN | ACK, b"");
        self.client += 1;
        self.down(ACK, b"", true);
        self
    }

    pub(crate) fn extract(&self, options: &[&str]) -> Extracted {
        Extracted::of(&self.pcap.file, options)
    }
}

pub(crate) fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn zlib(octets: &[u8]) -> Vec<u8> {
    let mut w = ZlibEncoder::new(Vec::new(), Compression::default());
    w.write_all(octets).expect("written");
    w.finish().expect("finished")
}

fn deflate(octets: &[u8]) -> Vec<u8> {
    let mut w = DeflateEncoder::new(Vec::new(), Compression::default());
    w.write_all(octets).expect("written");
    w.finish().expect("finished")
}

/// In chunks of 700 octets, with extensions, and a trailer.
fn chunked(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in octets.chunks(700) {
        out.extend(format!("{:X} ;name=\"a;b\"\r\n", chunk.len()).into_bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"000;last\r\nX-Sum: 1\r\nY: 2\r\n\r\n");
    out
}

/// What [`BR`] and [`ZSTD`] are made of.
fn packed_text() -> Vec<u8> {
    ("a".repeat(300) + &"hello world ".repeat(30)).into_bytes()
}

/// Made with brotli 1.2 (`-q 11`).
const BR: &[u8] = &[
    0x1b, 0x93, 0x02, 0xf8, 0x8d, 0x94, 0xaa, 0xdb, 0xa3, 0x08, 0xeb, 0x32, 0x34, 0xb6, 0x37, 0xb9,
    0x0a, 0x61, 0x8b, 0x25, 0x02, 0x1b, 0xb0, 0x73, 0x19, 0xa9, 0xdf, 0x64, 0x11,
];
/// Made with zstd 1.5 (`-19`).
const ZSTD: &[u8] = &[
    0x28, 0xb5, 0x2f, 0xfd, 0x64, 0x94, 0x01, 0xbd, 0x00, 0x00, 0x68, 0x61, 0x68, 0x65, 0x6c, 0x6c,
    0x6f, 0x20, 0x77, 0x6f, 0x72, 0x6c, 0x64, 0x20, 0x02, 0x00, 0x59, 0x2f, 0x6a, 0xa2, 0xa8, 0xe0,
    0x0a, 0x99, 0x3d, 0xc1, 0x27,
];
/// 80 MiB of zeros in br, made with brotli 1.2 (`-q 11`).
const BR_BOMB: &[u8] = &[
    0xcb, 0xff, 0xff, 0x3f, 0xf8, 0x27, 0x00, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x8f, 0xff, 0xff,
    0x7f, 0xf0, 0x4f, 0x00, 0xc4, 0x61, 0x11, 0x80, 0xee, 0xfd, 0x1f, 0xff, 0xff, 0xff, 0xe0, 0x9f,
    0x00, 0x88, 0xc3, 0x02, 0x00, 0xdd, 0xfb, 0x3f, 0xfe, 0xff, 0xff, 0xc1, 0x3f, 0x01, 0x10, 0x87,
    0x05, 0x00, 0xba, 0xf7, 0x7f, 0xfc, 0xff, 0xff, 0x83, 0x7f, 0x02, 0x20, 0x0e, 0x0b, 0x00, 0x74,
    0xef, 0xff, 0xf8, 0xff, 0xff, 0x07, 0xff, 0x04, 0x40, 0x1c, 0x16, 0x00, 0xe8, 0xde, 0xff, 0xf1,
    0xff, 0xff, 0x0f, 0xfe, 0x09, 0x80, 0x38, 0x2c, 0x00, 0xd0, 0xbd, 0xff, 0xe3, 0xff, 0xff, 0x1f,
    0xfc, 0x13, 0x00, 0x71, 0x58, 0x00, 0xa0, 0x7b, 0xff, 0xc7, 0xff, 0xff, 0x3f, 0xf8, 0x27, 0x00,
    0xe2, 0xb0, 0x00, 0x40, 0xf7, 0xfe, 0x8f, 0xff, 0xff, 0x7f, 0xf0, 0x4f, 0x00, 0xc4, 0x61, 0x01,
    0x80, 0xee, 0xfd, 0xdf,
];

#[test]
fn codings_are_undone() {
    let text = body(30_000);
    let html = "Content-Type: text/html\r\n";
    let coded = |c: &str| format!("{html}Content-Encoding: {c}\r\n");
    let mut talk = Talk::new();
    talk.get("/plain", html, &text)
        .get("/gzip", &coded("gzip"), &gzip(&text))
        .get("/x-gzip", &coded("X-GZIP"), &gzip(&text))
        .get("/zlib", &coded("deflate"), &zlib(&text))
        .get("/deflate", &coded("deflate"), &deflate(&text))
        .get("/br", &coded("br"), BR)
        .get("/zstd", &coded("zstd"), ZSTD)
        .get(
            "/stacked",
            &coded("deflate, br, identity").replace("br", "gzip"),
            &gzip(&zlib(&text)),
        )
        .get(
            "/fields",
            &format!("{}{}", coded("deflate"), "content-encoding: gzip\r\n"),
            &gzip(&zlib(&text)),
        );
    let chunks = |fields: &str, octets: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        [head.as_bytes(), &chunked(octets)].concat()
    };
    let te = "Transfer-Encoding: chunked";
    let both = format!("{te}\r\nContent-Encoding: gzip");
    talk.exchange(&get("/chunked"), &chunks(te, &text))
        .exchange(&get("/both"), &chunks(&both, &gzip(&text)))
        .exchange(
            &get("/transfer"),
            &chunks("Transfer-Encoding: gzip, chunked", &gzip(&text)),
        );
    let found = talk.close().extract(&[]);
    for name in [
        "plain", "gzip", "x-gzip", "zlib", "deflate", "stacked", "fields", "chunked", "both",
        "transfer",
    ] {
        assert!(found.files[name] == text, "{name}");
        assert_eq!(found.line(name)["error"], Value::Null);
    }
    assert!(found.files["br"] == packed_text());
    assert!(found.files["zstd"] == packed_text());
    let line = found.line("stacked");
    assert_eq!(line["codings"], serde_json::json!(["deflate", "gzip"]));
    assert_eq!(line["undone"], serde_json::json!(["gzip", "deflate"]));
    assert_eq!(line["declared_type"], "text/html");
    assert_eq!(line["found_type"], "text/plain");
    assert_eq!(line["url"], "http://example/stacked");
    assert_eq!(line["command"], "GET");
    assert_eq!(counter(&found.stats, "files.decoded"), 10);
}

#[test]
fn names_do_no_harm() {
    let long = format!("{}.tar.gz", "n".repeat(300));
    let sent = [
        "../../etc/passwd",
        "..\\\\..\\\\boot.ini",
        "/tmp/absolute",
        &long,
        "a\0b",
        "\x1b]0;title\x07.txt",
        "CON",
        "nul.txt",
        "-rf",
        ".bashrc",
        "",
        "..",
        "two.txt",
        "two.txt",
        "Two.txt",
        "waits.txt",
        "waits.txt.part",
        "files.jsonl",
        "a\u{202e}gpj.exe",
    ];
    let dir = tempfile::tempdir().expect("tempdir");
    let outside = dir.path().join("outside");
    std::fs::write(&outside, "mine").expect("written");
    let x = dir.path().join("x");
    std::fs::create_dir(&x).expect("folder");
    symlink(&outside, x.join("waits.txt")).expect("link");
    symlink(dir.path().join("nothing"), x.join("waits-1.txt")).expect("link");
    std::fs::write(x.join("two.txt"), "was there").expect("written");
    let mut talk = Talk::new();
    for (i, name) in sent.iter().enumerate() {
        let fields = format!("Content-Disposition: attachment; filename=\"{name}\"\r\n");
        talk.get("/", &fields, format!("body {i}").as_bytes());
    }
    talk.get("/%2e%2e%2f%2e%2e%2fpercent", "", b"percent");
    talk.get("/a/..", "", b"dots");
    // Longer than what is kept in memory, so that it becomes NAME.part first.
    symlink(&outside, x.join("long.bin.part")).expect("link");
    talk.get("/long.bin", "", &body(100_000));
    let capture = talk.close().pcap.file.clone();
    let done = run(["-x".as_ref(), x.as_os_str()], &capture);
    done.code(0);
    assert_eq!(read(&outside), b"mine");
    assert_eq!(read(&x.join("two.txt")), b"was there");
    assert!(
        std::fs::symlink_metadata(x.join("waits.txt"))
            .expect("there")
            .is_symlink()
    );
    assert!(
        std::fs::symlink_metadata(x.join("long.bin.part"))
            .expect("there")
            .is_symlink()
    );
    let mut beside: Vec<_> = std::fs::read_dir(dir.path())
        .expect("read")
        .map(|e| e.expect("entry").file_name().into_string().expect("UTF-8"))
        .collect();
    beside.sort();
    assert_eq!(beside, ["outside", "x"], "nothing outside the folder");
    let list = String::from_utf8(read(&x.join("files.jsonl"))).expect("UTF-8");
    assert!(
        !list.chars().any(|c| c.is_control() && c != '\n'),
        "escaped"
    );
    let list: Vec<Value> = list
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!(list.len(), sent.len() + 3);
    let mut names = Vec::new();
    for (i, line) in list.iter().enumerate() {
        let name = line["file"].as_str().expect("a name");
        assert!(
            !name.contains('/') && !name.starts_with(['.', '-']),
            "{name}"
        );
        assert!(
            name.len() <= 200 && !name.chars().any(char::is_control),
            "{name}"
        );
        let path = x.join(name);
        assert!(
            std::fs::symlink_metadata(&path).expect("there").is_file(),
            "{name}"
        );
        if let Some(sent) = sent.get(i) {
            assert_eq!(
                line["sent_name"].as_str(),
                Some(sent.replace("\\\\", "\\").as_str())
            );
            assert_eq!(read(&path), format!("body {i}").into_bytes());
        }
        names.push(name);
    }
    let expected = [
        "passwd",
        "boot.ini",
        "absolute",
        "",
        "a_b",
        "_]0;title_.txt",
        "_CON",
        "_nul.txt",
        "_-rf",
        "_.bashrc",
        "index.txt",
        "index-1.txt",
        "two-1.txt",
        "two-2.txt",
        "Two.txt",
        "waits-2.txt",
        "waits.txt.part",
        "files-1.jsonl",
        "a_gpj.exe",
        "percent",
        "index-2.txt",
        "long.bin",
    ];
    for (name, expected) in names.iter().zip(expected) {
        assert!(
            expected.is_empty() || *name == expected,
            "{name} is not {expected}"
        );
    }
    assert!(names[3].len() == 200 && names[3].ends_with("nnn.tar.gz"));
    std::fs::remove_file(x.join("waits-1.txt")).expect("removed");
    // A second run adds to the list, and touches nothing.
    let before = common::files(&x);
    run(["-x".as_ref(), x.as_os_str()], &capture).code(0);
    let after: BTreeMap<_, _> = common::files(&x).into_iter().collect();
    for (name, octets) in &before {
        assert!(after[name].starts_with(octets), "{name}");
        assert!(name == "files.jsonl" || after[name] == *octets, "{name}");
    }
    assert_eq!(after.len(), before.len() + list.len());
}

#[test]
fn a_list_that_is_a_link_is_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    let outside = dir.path().join("outside");
    std::fs::write(&outside, "mine").expect("written");
    let x = dir.path().join("x");
    std::fs::create_dir(&x).expect("folder");
    symlink(&outside, x.join("files.jsonl")).expect("link");
    let done = run(["-x".as_ref(), x.as_os_str()], &Talk::new().pcap.file);
    done.code(2);
    assert!(done.stderr.contains("symbolic link"), "{}", done.stderr);
    assert_eq!(read(&outside), b"mine");
    // The folder itself may be reached by one.
    let link = dir.path().join("link");
    std::fs::create_dir(dir.path().join("real")).expect("folder");
    symlink(dir.path().join("real"), &link).expect("link");
    run(
        ["-x".as_ref(), link.as_os_str()],
        &Talk::new().get("/a", "", b"a").pcap.file,
    )
    .code(0);
    assert_eq!(read(&dir.path().join("real/a")), b"a");
}

#[test]
fn parts_of_forms_are_files() {
    let (one, two) = (body(70_000), gzip(&body(9_000)));
    let mut form = Vec::new();
    let mut part = |head: &str, octets: &[u8]| {
        form.extend(format!("--b=1\r\n{head}\r\n\r\n").into_bytes());
        form.extend(octets);
        form.extend(b"\r\n");
    };
    let named = |field: &str, name: &str| {
        format!(
            "Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: text/plain"
        )
    };
    part("Content-Disposition: form-data; name=\"title\"", b"A title");
    part(&named("f", "one.txt"), &one);
    part(&named("f", "C:\\tmp\\two.gz"), &two);
    part(&named("g", "Gr\u{f6}\u{df}e.txt"), b"three");
    part(&named("none", ""), b"");
    let inner = b"--in\r\nContent-Disposition: file; filename=deep.txt\r\n\r\ndeep\r\n--in--\r\n";
    part(
        "Content-Disposition: form-data; name=h\r\nContent-Type: multipart/mixed; boundary=in",
        inner,
    );
    form.extend(b"--b=1--\r\n");
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=\"b=1\"\r\nContent-Length: {}\r\n\r\n",
        form.len()
    );
    let mut talk = Talk::new();
    talk.exchange(
        &[head.as_bytes(), &form].concat(),
        &answer("204 No Content", "", b""),
    );
    let found = talk.close().extract(&[]);
    assert_eq!(
        found.names(),
        [
            "Größe.txt",
            "deep.txt",
            "h.mime",
            "one.txt",
            "title.txt",
            "two.gz",
            "upload"
        ]
    );
    assert!(found.files["one.txt"] == one && found.files["two.gz"] == two);
    assert_eq!(found.files["Größe.txt"], b"three");
    assert_eq!(found.files["deep.txt"], b"deep");
    assert_eq!(found.files["title.txt"], b"A title");
    assert!(found.files["upload"] == form, "the form as it was sent");
    let line = found.line("one.txt");
    assert_eq!(
        (&line["field"], &line["name_from"]),
        (&"f".into(), &"content-disposition".into())
    );
    assert_eq!(
        (&line["command"], &line["src"]),
        (&"POST".into(), &"198.51.100.7".into())
    );
    assert_eq!(counter(&found.stats, "files.parts"), 6);
}

/// A body of parts, sent as a response of a multipart type: its files.
fn parted(media_type: &str, lines: &str, octets: &[u8]) -> Extracted {
    let body = [lines.as_bytes(), octets].concat();
    let fields = format!("Content-Type: multipart/{media_type}; boundary=\"b\"\r\n");
    let mut talk = Talk::new();
    talk.get("/whole", &fields, &body);
    talk.close().extract(&[])
}

#[test]
fn parts_of_any_multipart_type_are_files() {
    for kind in [
        "related; type=\"text/xml\"; start=\"<r>\"",
        "mixed",
        "x-mixed-replace",
        "x-other",
    ] {
        let lines = "--b\r\nContent-Type: text/xml\r\nContent-ID: <r>\r\n\r\n<a/>\r\n\
            --b\r\nContent-Type: image/x; name=\"one.txt\"\r\n\r\n1\r\n\
            --b\r\nContent-Location: http://a/b/two.txt?c\r\n\r\n2\r\n--b--\r\n";
        let found = parted(kind, lines, b"");
        assert_eq!(found.names(), ["one.txt", "part.xml", "two.txt", "whole"]);
        assert_eq!(found.files["part.xml"], b"<a/>");
        assert_eq!(found.line("one.txt")["name_from"], "content-type");
        assert_eq!(found.line("two.txt")["name_from"], "url");
    }
}

/// What senders get wrong, or do as mail does.
#[test]
fn parts_are_found_whatever_their_lines_end_with() {
    let file = |name: &str| format!("Content-Disposition: form-data; name=f; filename={name}");
    let (one, two) = (file("one.bin"), file("two.bin"));
    for (lines, last) in [
        // The last delimiter has no dashes, or no line end, or both.
        (
            format!("--b\r\n{one}\r\n\r\n1\r\n--b\r\n{two}\r\n\r\n"),
            &b"22\r\n--b\r\n"[..],
        ),
        (
            format!("--b\r\n{one}\r\n\r\n1\r\n--b\r\n{two}\r\n\r\n"),
            b"22\r\n--b",
        ),
        // Bare line feeds.
        (format!("--b\n{one}\n\n1\n--b\n{two}\n\n"), b"22\n--b--\n"),
        (format!("--b\n{one}\n\n1\n--b\n{two}\n\n"), b"22\n--b\n"),
    ] {
        let found = parted("form-data", &lines, last);
        let what = format!("{lines:?}");
        assert_eq!(found.files["one.bin"], b"1", "{what}");
        assert_eq!(found.files["two.bin"], b"22", "{what}");
        assert_eq!(found.line("two.bin")["complete"], true, "{what}");
    }
}

#[test]
fn parts_are_decoded_and_have_the_names_that_were_meant() {
    let octets = noise(9_000);
    let text = base64(&octets);
    let lines: Vec<_> = text.as_bytes().chunks(76).collect();
    let coded = String::from_utf8(lines.join(&b"\r\n"[..])).expect("ASCII");
    let lines = format!(
        "--b\r\nContent-Disposition: attachment;\r\n filename*0*=utf-8''gr%C3%B6;\r\n filename*1=\"sse.bin\"\r\n\
         Content-Transfer-Encoding: BASE64\r\n\r\n{coded}\r\n\
         --b\r\nContent-Disposition: attachment; filename=\"=?iso-8859-1?Q?=E9t=E9.txt?=\"\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc\r\n\
         --b\r\nContent-Disposition: attachment; filename=bad.bin\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nQUJD\u{1}*\r\n--b--\r\n"
    );
    let found = parted("mixed", &lines, b"");
    assert!(found.files["grösse.bin"] == octets);
    assert_eq!(found.files["été.txt"], b"a=bc");
    let line = found.line("été.txt");
    assert_eq!(line["undone"], serde_json::json!(["quoted-printable"]));
    // What is no base64 is kept beside what could be decoded.
    assert_eq!(found.files["bad.bin.part"], b"ABC");
    assert_eq!(found.files["bad.bin.b64"], b"QUJD\x01*");
}

/// base64 (RFC 4648).
fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let mut word = [0; 4];
        word[1..=group.len()].copy_from_slice(group);
        let word = u32::from_be_bytes(word);
        for place in 0..4 {
            let digit = word >> (18 - 6 * place) & 63;
            text.push(if place > group.len() {
                '='
            } else {
                char::from(DIGITS[digit as usize])
            });
        }
    }
    text
}

/// Octets far behind `--max-file` are a range like others: the bound is on octets, not on offsets.
#[test]
fn ranges_far_inside_of_a_large_entity_are_files() {
    let octets = body(3_000);
    let at = 3_u64 << 30;
    let fields = format!(
        "{ETAG}Content-Range: bytes {at}-{}/5368709120\r\n",
        at + 2_999
    );
    let far = format!(
        "{ETAG}Content-Range: bytes {}-{}/*\r\n",
        1_u64 << 60,
        (1_u64 << 60) + 2_999
    );
    let mut talk = Talk::new();
    talk.exchange(
        &get("/t.txt"),
        &answer("206 Partial Content", &fields, &octets),
    );
    talk.exchange(
        &get("/far.txt"),
        &answer("206 Partial Content", &far, &octets),
    );
    let dir = tempfile::tempdir().expect("tempdir");
    let x = dir.path().join("x");
    let args = ["-x", x.to_str().expect("UTF-8"), "--max-file", "100K"];
    run(args, &talk.close().pcap.file).code(0);
    let name = format!("t.{at}-{}.txt", at + 2_999);
    assert!(read(&x.join(name)) == octets);
    assert!(
        std::fs::metadata(x.join("t.txt.part"))
            .expect("a file")
            .len()
            == at + 3_000
    );
    let list = String::from_utf8(read(&x.join("files.jsonl"))).expect("UTF-8");
    let lines: Vec<Value> = list
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    let of = |url: &str| lines.iter().find(|l| l["url"] == url).expect("a line");
    assert_eq!(of("http://example/t.txt")["error"], Value::Null);
    // No file system has room there.
    assert_eq!(
        of("http://example/far.txt")["error"],
        "farther on than a file can be"
    );
}

/// More octets than the range that the message announced: they are in no file, and that is told and counted.
#[test]
fn octets_past_a_range_are_told() {
    let fields = format!("{ETAG}Content-Range: bytes 0-999/9000\r\n");
    let mut talk = Talk::new();
    talk.exchange(
        &get("/p.txt"),
        &answer("206 Partial Content", &fields, &body(1500)),
    );
    let dir = tempfile::tempdir().expect("tempdir");
    let x = dir.path().join("x");
    let args = ["-s", "-x", x.to_str().expect("UTF-8")];
    let done = run(args, &talk.close().pcap.file);
    assert_eq!(counter(&done.stderr, "lost.files"), 1, "{}", done.stderr);
    let list = String::from_utf8(read(&x.join("files.jsonl"))).expect("UTF-8");
    let line: Value = serde_json::from_str(list.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        line["error"],
        "octets came past the range that was announced"
    );
}

#[test]
fn a_range_of_what_came_whole_is_no_other_file() {
    let whole = body(50_000);
    let mut talk = Talk::new();
    talk.get("/a.txt", ETAG, &whole)
        .exchange(&get("/a.txt"), &range(10, 20, &whole))
        .exchange(&get("/b.txt"), &range(0, 30_000, &whole))
        .exchange(&get("/b.txt"), &range(30_000, 50_000, &whole))
        .exchange(&get("/b.txt"), &range(0, 30_000, &whole))
        // All of it, as a range: players ask for `bytes=0-`.
        .exchange(&get("/b.txt"), &range(0, 50_000, &whole))
        .exchange(&get("/d.txt"), &range(0, 50_000, &whole))
        .exchange(&get("/d.txt"), &range(0, 50_000, &whole));
    // Another file by that name: its octets show it.
    let other = vec![b'-'; 50_000];
    talk.get("/c.txt", ETAG, &whole)
        .exchange(&get("/c.txt"), &range(5, 15, &other));
    let found = talk.close().extract(&[]);
    assert_eq!(
        found.names(),
        [
            "a.txt",
            "b.txt",
            "c-1.txt.part",
            "c.5-14.txt",
            "c.txt",
            "d.txt"
        ]
    );
    assert!(found.files["c.5-14.txt"] == other[5..15]);
    // What of b.txt came again is one.
    assert_eq!(counter(&found.stats, "files.ranges_repeated"), 3);
}

/// The version of what ranges are of.
const ETAG: &str = "ETag: \"v1\"\r\n";

/// Which octets of an entity a response has, as a header line.
fn content_range(from: usize, to: usize, whole: &[u8]) -> String {
    format!("Content-Range: bytes {from}-{}/{}\r\n", to - 1, whole.len())
}

/// A response with a range of an entity, and more fields.
fn range_with(fields: &str, from: usize, to: usize, whole: &[u8]) -> Vec<u8> {
    let fields = format!("{ETAG}{fields}{}", content_range(from, to, whole));
    answer("206 Partial Content", &fields, &whole[from..to])
}

fn range(from: usize, to: usize, whole: &[u8]) -> Vec<u8> {
    range_with("", from, to, whole)
}

/// A response with several ranges of an entity of a media type.
fn byteranges(media_type: &str, ranges: [(usize, usize); 2], whole: &[u8]) -> Vec<u8> {
    let mut parts = Vec::new();
    for (from, to) in ranges {
        let at = content_range(from, to, whole);
        parts.extend(format!("\r\n--sep\r\nContent-Type: {media_type}\r\n{at}\r\n").into_bytes());
        parts.extend(&whole[from..to]);
    }
    parts.extend(b"\r\n--sep--\r\n");
    let fields = format!("{ETAG}Content-Type: multipart/byteranges; boundary=sep\r\n");
    answer("206 Partial Content", &fields, &parts)
}

#[test]
fn ranges_of_one_entity_are_put_together() {
    let whole = body(100_000);
    let mut talk = Talk::new();
    talk.exchange(&get("/a.bin"), &range(60_000, 100_000, &whole));
    talk.close().connect();
    talk.exchange(&get("/a.bin"), &range(0, 30_000, &whole));
    talk.close().connect();
    // Overlapping, and another entity between.
    talk.exchange(&get("/b.bin"), &range(10, 20, &whole));
    talk.exchange(&get("/a.bin"), &range(25_000, 60_000, &whole));
    // Several at once.
    let multi = byteranges("text/plain", [(0, 40_000), (40_000, 100_000)], &whole);
    talk.exchange(&get("/multi.bin"), &multi);
    // Ranges of what a coding made.
    let coded = gzip(&whole);
    for (from, to) in [(5000, coded.len()), (0, 5000)] {
        let r = range_with("Content-Encoding: gzip\r\n", from, to, &coded);
        talk.exchange(&get("/coded.txt"), &r);
    }
    // A download that broke off, and its rest.
    let first = answer("200 OK", ETAG, &whole);
    talk.exchange(&get("/resumed.bin"), &first[..50_000]);
    let head = first.len() - whole.len();
    talk.close().connect();
    talk.exchange(&get("/resumed.bin"), &range(50_000 - head, 100_000, &whole));
    let found = talk.close().extract(&[]);
    for name in ["a.bin", "multi.bin", "coded.txt", "resumed.bin"] {
        assert!(
            found.files.get(name) == Some(&whole),
            "{name} of {:?}",
            found.names()
        );
    }
    let b = found.line("b.bin.part");
    assert_eq!(b["missing"], serde_json::json!([[0, 10], [20, 99_980]]));
    assert!(found.files["b.bin.part"][10..] == whole[10..20]);
    assert!(found.files["b.10-19.bin"] == whole[10..20]);
    assert_eq!(found.list.len(), 6, "no range of what is whole");
    assert_eq!(counter(&found.stats, "files.ranges"), 9);
    assert_eq!(counter(&found.stats, "files.range_files"), 1);
}

#[test]
fn whole_ranges_of_what_stays_incomplete_are_files() {
    let whole = body(100_000);
    let mut talk = Talk::new();
    // Overlapping, one of them twice, on two connections.
    talk.exchange(&get("/a.tar.gz"), &range(50_000, 60_000, &whole));
    talk.close().connect();
    talk.exchange(&get("/a.tar.gz"), &range(10, 30, &whole));
    talk.exchange(&get("/a.tar.gz"), &range(20, 40, &whole));
    talk.exchange(&get("/a.tar.gz"), &range(10, 30, &whole));
    // Short, in memory; of a length that nobody knows; of a name that a range takes.
    let open = format!("{ETAG}Content-Range: bytes 0-9/*\r\n");
    talk.exchange(
        &get("/open"),
        &answer("206 Partial Content", &open, &whole[..10]),
    );
    talk.get("/open.0-9", "", b"not a range");
    // Several at once.
    let multi = byteranges("image/png", [(5, 7), (90_000, 100_000)], &whole);
    talk.exchange(&get("/multi.png"), &multi);
    // Of what a coding made: as it was sent.
    let coded = gzip(&noise(60_000));
    let from = coded.len() - 1000;
    let r = range_with("Content-Encoding: gzip\r\n", from, coded.len(), &coded);
    talk.exchange(&get("/coded.txt"), &r);
    // A range that did not come whole is none, and neither is one shorter than it says.
    talk.captured = |i| i != 3;
    talk.exchange(&get("/lossy.bin"), &range(0, 5000, &whole));
    talk.captured = |_| true;
    let fields = format!("{ETAG}Content-Range: bytes 5000-5999/100000\r\n");
    let short = answer("206 Partial Content", &fields, &whole[5000..5500]);
    talk.exchange(&get("/lossy.bin"), &short);
    // A response to a request that nobody saw.
    talk.close().connect();
    for part in range(7, 27, &whole).chunks(1000) {
        talk.down(PSH | ACK, part, true);
    }
    let found = talk.close().extract(&[]);
    let ranges = [
        ("a.50000-59999.tar.gz", "a.tar.gz.part", 50_000, 10_000),
        ("a.10-29.tar.gz", "a.tar.gz.part", 10, 20),
        ("a.20-39.tar.gz", "a.tar.gz.part", 20, 20),
        ("open.0-9-1", "open.part", 0, 10),
        ("multi.5-6.png", "multi.png.part", 5, 2),
        ("multi.90000-99999.png", "multi.png.part", 90_000, 10_000),
        ("http.7-26.txt", "http.bin.part", 7, 20),
    ];
    for (name, of, at, len) in ranges {
        let line = found.line(name);
        assert!(found.files[name] == whole[at..at + len], "{name}");
        assert_eq!(line["range_of"], of);
        assert_eq!(line["range"], serde_json::json!([at, len]));
        assert_eq!(line["complete"], true, "{name}");
        assert_eq!(found.line(of)["range_of"], Value::Null);
    }
    assert_eq!(found.files["open.0-9"], b"not a range");
    let connection = |name: &str| found.line(name)["connection"].as_u64();
    assert_eq!(connection("a.50000-59999.tar.gz"), Some(0));
    assert_eq!(
        connection("a.20-39.tar.gz"),
        Some(1),
        "that which brought it"
    );
    let name = format!("coded.txt.{from}-{}.gz", coded.len() - 1);
    assert!(found.files[&name] == coded[from..]);
    assert_eq!(found.line(&name)["range_of"], "coded.txt.part");
    let files = [
        "a.tar.gz.part",
        "coded.txt.part",
        "http.bin.part",
        "lossy.bin.part",
        "multi.png.part",
        "open.0-9",
        "open.part",
    ];
    assert_eq!(
        found.list.len(),
        ranges.len() + 1 + files.len(),
        "{:?}",
        found.names()
    );
    assert!(files.iter().all(|name| found.files.contains_key(*name)));
    assert_eq!(counter(&found.stats, "files.range_files"), 8);
    assert_eq!(counter(&found.stats, "files.ranges_left_out"), 0);
}

#[test]
fn files_of_ranges_are_bounded() {
    let whole = body(3000);
    let mut talk = Talk::new();
    for i in 0..1030 {
        let fields = format!(
            "ETag: 1\r\nContent-Range: bytes {}-{}/3000\r\n",
            2 * i,
            2 * i
        );
        let r = answer("206 Partial Content", &fields, &whole[2 * i..=2 * i]);
        talk.exchange(&get("/a"), &r);
    }
    let found = talk.close().extract(&[]);
    assert_eq!(found.list.len(), 1025);
    assert_eq!(found.line("a.part")["size"], 1030);
    assert_eq!(counter(&found.stats, "files.range_files"), 1024);
    assert_eq!(counter(&found.stats, "files.ranges_left_out"), 6);
}

#[test]
fn what_is_missing_is_a_hole_and_listed() {
    let text = body(20_500);
    let mut talk = Talk::new();
    talk.captured = |i| !matches!(i, 3 | 4 | 9);
    talk.get("/plain", "", &text);
    talk.get(
        "/coded",
        "Content-Encoding: gzip\r\n",
        &gzip(&noise(20_500)),
    );
    let close = [b"HTTP/1.0 200 OK\r\n\r\n", &text[..]].concat();
    talk.exchange(&get("/to-close"), &close);
    talk.close().connect();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let one = format!("{head}{:x}\r\n", text.len());
    talk.exchange(
        &get("/chunk"),
        &[one.as_bytes(), &text, b"\r\n0\r\n\r\n"].concat(),
    );
    talk.exchange(
        &get("/chunks"),
        &[head.as_bytes(), &chunked(&text)].concat(),
    );
    let found = talk.close().extract(&[]);
    let head = answer("200 OK", "", &text).len() - text.len();
    let holes = |head: usize| serde_json::json!([[3000 - head, 2000], [9000 - head, 1000]]);
    assert_eq!(found.line("plain.part")["missing"], holes(head));
    assert_eq!(found.line("plain.part")["length"], 20_500);
    assert_eq!(found.line("to-close.part")["missing"], holes(19));
    assert_eq!(found.line("chunk.part")["missing"], holes(one.len()));
    for name in ["plain.part", "to-close.part", "chunk.part"] {
        let file = &found.files[name];
        assert_eq!(file.len(), text.len());
        assert!(
            file.iter()
                .zip(&text)
                .all(|(have, sent)| have == sent || *have == 0),
            "{name}"
        );
    }
    // Nobody knows what a gap over the head of a chunk held: the octets before it are there.
    let line = found.line("chunks.part");
    let size = usize::try_from(line["size"].as_u64().expect("size")).expect("small");
    assert!(size > 2000 && found.files["chunks.part"] == text[..size]);
    assert_eq!(line["missing"], serde_json::json!([[size, null]]));
    assert_eq!(line["length"], Value::Null);
    // Decoded up to the gap, and as it was sent.
    let line = found.line("coded.part");
    assert_eq!(
        (&line["undone"], &line["error"]),
        (&serde_json::json!(["gzip"]), &Value::Null)
    );
    assert!(noise(20_500).starts_with(&found.files["coded.part"]));
    assert!(found.files["coded.part"].len() > 1000);
    let raw = found.line("coded.gz.part");
    assert_eq!(raw["undone"], serde_json::json!([]));
    assert_eq!(raw["missing"].as_array().map(Vec::len), Some(2));
    assert_eq!(found.list.len(), 6);
}

/// Octets that no coding makes shorter.
fn noise(len: usize) -> Vec<u8> {
    let mut x = 1_u32;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn what_cannot_be_decoded_is_kept_as_it_was_sent() {
    let text = noise(5000);
    let coded = gzip(&text);
    let mut damaged = coded.clone();
    damaged[3000] ^= 0xff;
    let as_gzip = "Content-Encoding: gzip\r\n";
    let mut talk = Talk::new();
    talk.get("/none.html", as_gzip, b"<html>not coded at all</html>")
        .get("/damaged", as_gzip, &damaged)
        .get("/short", as_gzip, &coded[..4000])
        .get("/unknown", "Content-Encoding: aes128gcm\r\n", &text)
        .get(
            "/deep",
            "Content-Encoding: gzip, gzip, gzip, gzip, gzip\r\n",
            &coded,
        );
    let found = talk.close().extract(&[]);
    assert_eq!(found.files["none.html"], b"<html>not coded at all</html>");
    assert!(found.files["damaged.gz"] == damaged);
    assert!(found.files["short.gz"] == coded[..4000]);
    assert!(found.files["unknown"] == text);
    assert!(found.files["deep"] == coded);
    assert!(text.starts_with(&found.files["short.part"]));
    for (name, error) in [
        ("none.html", "gzip"),
        ("damaged.gz", "gzip"),
        ("short.gz", "gzip: cut short"),
        ("short.part", "gzip: cut short"),
        ("unknown", "cannot be undone: aes128gcm"),
        ("deep", "cannot be undone: gzip, gzip"),
    ] {
        let line = found.line(name);
        assert!(
            line["error"].as_str().is_some_and(|e| e.starts_with(error)),
            "{line}"
        );
    }
    assert_eq!(counter(&found.stats, "files.undecoded"), 5);
}

/// gzip of so many MiB of zeros, the sum at its end wrong.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut block = Vec::with_capacity(4096);
    let mut c = flate2::Compress::new(Compression::best(), false);
    c.compress_vec(&zeros, &mut block, flate2::FlushCompress::Full)
        .expect("compressed");
    let mut all = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    for _ in 0..mebibytes {
        all.extend(&block);
    }
    all.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    all
}

#[test]
fn bombs_are_stopped() {
    let ten = bomb(10 << 10);
    assert!(ten.len() > 10_000_000, "10 MB that would become 10 GiB");
    let gz = "Content-Encoding: gzip\r\n";
    let mut talk = Talk::new();
    talk.get("/ten", gz, &ten)
        .get("/br", "Content-Encoding: br\r\n", BR_BOMB)
        .get(
            "/nested",
            "Content-Encoding: gzip, gzip\r\n",
            &gzip(&bomb(300)),
        )
        .get("/after", gz, &gzip(b"after"));
    let found = talk.close().extract(&["--max-file", "40M"]);
    for (name, size) in [
        ("ten.part", 40 << 20),
        ("br.part", 32 << 20),
        ("nested.part", 32 << 20),
    ] {
        let line = found.line(name);
        assert_eq!(line["size"], size, "{name}");
        let error = line["error"].as_str().expect("an error");
        assert!(error.starts_with("decoded bytes left out"), "{error}");
    }
    assert!(found.files["ten.gz"] == ten);
    assert_eq!(found.files["after"], b"after");
    assert_eq!(counter(&found.stats, "files.limited"), 3);
}

/// A download of so many segments of 65,000 octets, of which the snapshot length left `kept` of each: raw IPv4.
fn snapped(segments: u32, kept: usize, out: &mut impl Write) {
    let total = u64::from(segments) * 65_000;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n");
    let mut file = Vec::new();
    for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 262_144, 101] {
        file.extend(word.to_le_bytes());
    }
    let mut seq = 1_u32;
    let mut packet =
        |n: u32, server: bool, flags: u8, (seq, ack): (u32, u32), payload: &[u8], len: usize| {
            let ends = if server {
                [SERVER, CLIENT]
            } else {
                [CLIENT, SERVER]
            };
            let captured = 40 + payload.len();
            for word in [
                1_700_000_000,
                n % 1_000_000,
                u32::try_from(captured).expect("small"),
                u32::try_from(40 + len).expect("small"),
            ] {
                file.extend(word.to_le_bytes());
            }
            let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0];
            ip[2..4].copy_from_slice(&u16::try_from(40 + len).expect("fits").to_be_bytes());
            ip.extend(ends[0].0.octets());
            ip.extend(ends[1].0.octets());
            let sum = common::build::checksum(&ip);
            ip[10..12].copy_from_slice(&sum);
            ip.extend(ends[0].1.to_be_bytes());
            ip.extend(ends[1].1.to_be_bytes());
            ip.extend(seq.to_be_bytes());
            ip.extend(ack.to_be_bytes());
            ip.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
            file.extend(ip);
            file.extend(payload);
            if file.len() > 1 << 16 {
                out.write_all(&file).expect("written");
                file.clear();
            }
        };
    let request = get("/huge.bin");
    let ack = behind(1, &request);
    packet(0, false, SYN, (0, 0), b"", 0);
    packet(1, true, SYN | ACK, (0, 1), b"", 0);
    packet(2, false, ACK, (1, 1), &request, request.len());
    packet(3, true, ACK, (seq, ack), head.as_bytes(), head.len());
    seq = behind(seq, head.as_bytes());
    let octets = vec![b'x'; kept];
    for n in 0..segments {
        packet(4 + n, true, ACK, (seq, ack), &octets, 65_000);
        seq = seq.wrapping_add(65_000);
    }
    packet(5 + segments, true, FIN | ACK, (seq, ack), b"", 0);
    out.write_all(&file).expect("written");
}

#[test]
fn a_download_of_4_gigabytes_takes_no_memory() {
    const SEGMENTS: u32 = 66_100;
    let dir = tempfile::tempdir().expect("tempdir");
    let x = dir.path().join("x");
    let capture = dir.path().join("huge.pcap");
    snapped(
        SEGMENTS,
        16,
        &mut std::fs::File::create(&capture).expect("made"),
    );
    let args = ["-s", "--max-file", "8G", "-x"].map(std::ffi::OsStr::new);
    let mut command = inet_asm(args);
    command.arg(&x).arg(&capture).stderr(Stdio::piped());
    let mut child = command.spawn().expect("runs");
    let peak = peak_to_the_end(&mut child);
    assert!(peak > 0 && peak < 64 << 10, "{peak} KiB resident");
    let file = std::fs::metadata(x.join("huge.bin.part")).expect("there");
    let total = u64::from(SEGMENTS) * 65_000;
    assert_eq!(
        file.len(),
        total - 65_000 + 16,
        "octets stand at their true offsets"
    );
    assert!(
        file.len() > 1 << 32 && file.blocks() * 512 < 1 << 30,
        "{} blocks",
        file.blocks()
    );
    let list = String::from_utf8(read(&x.join("files.jsonl"))).expect("UTF-8");
    let line: Value = serde_json::from_str(&list).expect("one line");
    assert_eq!(line["size"], 16 * u64::from(SEGMENTS));
    assert_eq!(
        (&line["length"], &line["error"]),
        (&total.into(), &Value::Null)
    );
    assert_eq!(line["missing"][0], serde_json::json!([16, 64_984]));
}

#[test]
fn a_file_over_the_limit_is_cut() {
    let text = body(50_000);
    let found = Talk::new()
        .get("/large", "", &text)
        .extract(&["--max-file", "40000"]);
    assert!(found.files["large.part"] == text[..40_000]);
    let line = found.line("large.part");
    assert_eq!(line["error"], "larger than --max-file");
    assert_eq!(line["missing"], serde_json::json!([[40_000, 10_000]]));
    assert_eq!(counter(&found.stats, "files.limited"), 1);
}

#[test]
fn many_files_at_once_on_few_descriptors() {
    // Bodies that grow in turns, each too long for memory.
    let text = noise(40_000);
    let mut talk = Talk::new();
    let mut ends = Vec::new();
    for i in 0..120 {
        talk.connect();
        let whole = answer("200 OK", "", &text);
        talk.up(PSH | ACK, &get(&format!("/{i}")));
        ends.push((talk.port, talk.client, talk.server, whole));
    }
    for at in (0..=40_000).step_by(1400) {
        for (port, client, server, whole) in &mut ends {
            (talk.port, talk.client, talk.server) = (*port, *client, *server);
            if at < whole.len() {
                talk.down(ACK, &whole[at..whole.len().min(at + 1400)], true);
            }
            *server = talk.server;
        }
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let x = dir.path().join("x");
    let capture = dir.path().join("many.pcap");
    std::fs::write(&capture, &talk.pcap.file).expect("written");
    let line = format!(
        "ulimit -n 20; exec '{}' -x '{}' '{}'",
        env!("CARGO_BIN_EXE_inet-asm"),
        x.display(),
        capture.display()
    );
    let status = std::process::Command::new("sh")
        .args(["-c", &line])
        .status()
        .expect("sh");
    assert!(status.success());
    for i in 0..120 {
        assert!(read(&x.join(i.to_string())) == text, "{i}");
    }
}

/// What tshark 4.0 makes of these captures with `--export-objects http`, beside the whole files that are in them: how
/// many objects it gives that are files here, how many that are none, and how many of these files it does not give.
const TSHARK: &[(&str, [usize; 3], &str)] = &[
    ("http-chunked.pcap", [7, 0, 0], "right"),
    ("http-close.pcap", [3, 0, 0], "right"),
    ("http-cooked.pcap", [2, 0, 0], "right"),
    ("http-cooked2.pcap", [2, 0, 0], "right"),
    ("http-head.pcap", [4, 0, 0], "right"),
    ("http-ipv6.pcap", [2, 0, 0], "right"),
    ("http-keepalive.pcap", [8, 0, 0], "right"),
    ("http-large.pcap", [4, 0, 0], "right"),
    ("http-pipelined.pcap", [8, 0, 0], "right"),
    ("http-post.pcap", [8, 0, 0], "right"),
    ("http-qinq.pcap", [1, 0, 0], "right"),
    ("http-reused-ports.pcap", [2, 0, 0], "right"),
    ("http-vlan.pcap", [8, 0, 0], "right"),
    (
        "http-lost-message.pcap",
        [4, 0, 0],
        "right: a message is lost as a whole",
    ),
    (
        "http-lost.pcap",
        [0, 0, 0],
        "every body lacks octets: nothing there, marked .part files here",
    ),
    (
        "http-snapped.pcap",
        [0, 3, 0],
        "bodies cut by the snapshot length: objects with fewer octets there, marked .part files here",
    ),
    (
        "http-cut-start.pcap",
        [1, 2, 0],
        "captured from the middle: segments of a body whose beginning is lost are objects there",
    ),
    (
        "http-repeated.pcap",
        [6, 1, 2],
        "retransmissions: a piece of 1,448 octets is an object there, two whole bodies are none",
    ),
    (
        "http-swapped.pcap",
        [0, 0, 1],
        "segments in another order: nothing there",
    ),
];

#[test]
fn files_are_those_of_tshark_where_it_is_right() {
    for (name, expected, why) in TSHARK {
        let capture = read(&testdata(name));
        let ours = Extracted::of(&capture, &[]);
        let mut left: Vec<_> = ours
            .list
            .iter()
            .filter(|l| l["complete"] == true)
            .map(|l| &ours.files[l["file"].as_str().expect("a name")])
            .collect();
        let (mut right, mut wrong) = (0, 0);
        for (_, object) in common::export_objects(&capture) {
            match left.iter().position(|file| **file == object) {
                Some(at) => {
                    left.swap_remove(at);
                    right += 1;
                }
                None => wrong += 1,
            }
        }
        assert_eq!([right, wrong, left.len()], *expected, "{name}: {why}");
    }
}

#[test]
fn tshark_leaves_out_bodies_in_another_order_and_in_zstd() {
    // Two segments of a body change places.
    let text = body(3000);
    let mut talk = Talk::new();
    talk.up(PSH | ACK, &get("/swapped.txt"));
    let whole = answer("200 OK", "", &text);
    let seq = talk.server;
    for part in [0..1000, 2000..whole.len(), 1000..2000] {
        talk.server = behind(seq, &whole[..part.start]);
        talk.down(PSH | ACK, &whole[part], true);
    }
    talk.server = behind(seq, &whole);
    talk.up(ACK, b"");
    talk.close().connect();
    talk.get("/zstd.txt", "Content-Encoding: zstd\r\n", ZSTD);
    talk.get("/plain.txt", "", b"plain");
    let capture = &talk.close().pcap.file;
    let ours = Extracted::of(capture, &[]);
    assert_eq!(ours.names(), ["plain.txt", "swapped.txt", "zstd.txt"]);
    assert!(ours.files["swapped.txt"] == text);
    assert!(ours.files["zstd.txt"] == packed_text());
    let theirs: BTreeMap<_, _> = common::export_objects(capture).into_iter().collect();
    assert_eq!(theirs["plain.txt"], b"plain");
    assert!(!theirs.contains_key("swapped.txt"));
    assert_ne!(theirs.get("zstd.txt"), Some(&packed_text()));
}

#[test]
fn on_lossy_input_whole_files_are_right_and_others_say_what_is_missing() {
    let mut talk = Talk::new();
    talk.captured = |i| (i * 7919 + i * i) % 37 != 5;
    let mut sent = BTreeMap::new();
    for i in 0..60_usize {
        let mut content = noise(200 + i * 613);
        content.rotate_left(i);
        let name = format!("f{i}.bin");
        // Bodies begin at different places of their segments.
        let pad = format!("X-Pad: {}\r\n", "p".repeat(i * 13 % 700));
        if i % 7 == 3 {
            let fields = format!("{pad}Content-Encoding: gzip\r\n");
            talk.get(&format!("/{name}"), &fields, &gzip(&content));
        } else {
            talk.get(&format!("/{name}"), &pad, &content);
        }
        if i % 4 == 0 {
            talk.close().connect();
        }
        sent.insert(name, content);
    }
    let found = talk.close().extract(&[]);
    let (mut whole, mut cut) = (0, 0);
    for line in &found.list {
        let name = line["file"].as_str().expect("a name");
        let file = &found.files[name];
        let content = &sent[line["sent_name"].as_str().expect("a name")];
        if line["complete"] == true {
            assert!(file == content, "{name}");
            whole += 1;
        } else if line["codings"] == line["undone"] {
            // Outside the missing ranges every octet is right.
            let missing = line["missing"].as_array().expect("an array");
            let is_missing = |at: usize| {
                missing.iter().any(|m| {
                    let from = m[0].as_u64().expect("an offset");
                    let len = m[1].as_u64().unwrap_or(u64::MAX / 2);
                    (from..from + len).contains(&(at as u64))
                })
            };
            assert!((0..content.len()).any(is_missing), "{name}");
            for (at, octet) in content.iter().enumerate() {
                assert!(
                    is_missing(at) || file.get(at) == Some(octet),
                    "{name} at {at}"
                );
            }
            cut += 1;
        }
    }
    assert!(whole >= 10 && cut >= 10, "{whole} whole, {cut} cut");
}

#[test]
#[cfg_attr(not(shared_captures), ignore = "../shared is not there")]
fn bodies_of_real_captures_are_those_of_the_reference() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let (mut bodies, mut in_whole) = (0, 0);
    for entry in std::fs::read_dir(shared.join("truth")).expect("read_dir") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let Some(name) = name.strip_suffix(".json.gz") else {
            continue;
        };
        let file = std::fs::File::open(&path).expect("open");
        let truth: Value =
            serde_json::from_reader(flate2::read::GzDecoder::new(file)).expect("JSON");
        let sure = truth["unreliable"].as_array().is_none_or(Vec::is_empty);
        let whole: Vec<_> = truth["http"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|m| m[5][0].as_u64().is_some_and(|len| len > 0))
            .collect();
        if whole.is_empty() || !sure {
            continue;
        }
        let capture = read(&shared.join("captures").join(name));
        let found = Extracted::of(&capture, &["--decapsulate", "all"]);
        let sums: Vec<_> = found.files.values().map(|f| sha256(f)).collect();
        for message in whole {
            let len = usize::try_from(message[5][0].as_u64().expect("a length")).expect("fits");
            let wanted = message[5][1].as_str().expect("a sum");
            // A range of what became whole stands in it, here at its beginning or its end, also
            // where it came again.
            let range = message[4] == "206"
                && found.files.iter().any(|(name, file)| {
                    let first = file.get(..len).filter(|_| !name.ends_with(".part"));
                    first.is_some_and(|first| {
                        let last = &file[file.len() - len..];
                        sha256(first) == wanted || sha256(last) == wanted
                    })
                });
            let own = sums.iter().any(|s| s == wanted);
            assert!(own || range, "{name}: {message}");
            in_whole += usize::from(!own);
            bodies += 1;
        }
    }
    assert!(bodies >= 80, "{bodies} bodies");
    assert_eq!(in_whole, 3, "every other range is a file of its own");
}

/// Pieces that make sense in some order, and in most do not.
const PIECES: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 206 Partial Content\r\n",
    b"Content-Length: 40\r\n",
    b"Content-Length: 4611686018427387903\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: br, zstd, deflate\r\n",
    b"Content-Range: bytes 5-30/40\r\n",
    b"Content-Range: bytes 0-4611686018427387902/4611686018427387903\r\n",
    b"ETag: 1\r\n",
    b"Content-Type: multipart/form-data; boundary=b\r\n",
    b"Content-Type: multipart/byteranges; boundary=b\r\n",
    b"Content-Disposition: attachment; filename*=utf-8''%2e%2e%2fx; filename=\"\\\r\n",
    b"\r\n",
    b"\r\n",
    b"5\r\nhello\r\n",
    b"FFFFFFFFFFFFFFF\r\n",
    b"0\r\n\r\n",
    b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
    b"\r\n--b\r\nContent-Range: bytes 30-39/40\r\n\r\n0123456789",
    b"\r\n--b--\r\n",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x04\0",
    b"\x28\xb5\x2f\xfd\x04\0",
    b"some text that is a body of some length",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_pieces_in_any_order_end_well(
        pieces in proptest::collection::vec((0..PIECES.len(), 0_u8..20), 1..60),
        cut in 1_usize..40,
    ) {
        use inet_asm::base::place::OctetOffset;
        use inet_asm::Assembler;
        use inet_asm::base::serial::SeqNumber;
        use inet_asm::transport::tcp::Segment;
        use inet_asm::base::flags;
        let dir = tempfile::tempdir().expect("tempdir");
        let mut outputs = inet_asm::sink::Outputs::new();
        let options = inet_asm::sink::files::FileOptions::new(1 << 20);
        outputs.extract(&dir.path().join("x"), &options).expect("made");
        let mut assembler = Assembler::new(inet_asm::base::limits::Limits::default(), outputs);
        let mut frame = 0;
        let mut send = |server: bool, seq: u32, ack: u32, flags: u8, payload: &[u8]| {
            frame += 1;
            let ends = [(SERVER.0.into(), SERVER.1), (CLIENT.0.into(), CLIENT.1)];
            let (src, dst) = if server { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
            let time = inet_asm::base::time::Timestamp::from_nanos(frame * 1_000_000);
            assembler.segment(frame, time, &Segment {
                src,
                dst,
                seq: SeqNumber(seq),
                ack: Some(SeqNumber(ack)),
                flags,
                window: 65_535,
                window_scale: None,
                payload,
                payload_len: u32::try_from(payload.len()).expect("small"),
                payload_sum: None,
                offset: OctetOffset::Unknown,
            });
        };
        let requests = get("/../a%00b?c").repeat(20);
        send(false, 0, 0, flags::SYN, b"");
        send(true, 0, 1, flags::SYN, b"");
        send(false, 1, 1, flags::PSH, &requests);
        let ack = behind(1, &requests);
        let mut seq = 1;
        let stream: Vec<(u8, &[u8])> = pieces
            .iter()
            .flat_map(|(i, luck)| PIECES[*i].chunks(cut).map(|part| (*luck, part)))
            .collect();
        for (luck, part) in stream {
            if luck > 0 {
                send(true, seq, ack, 0, part);
            }
            seq = behind(seq, part);
        }
        send(true, seq, ack, flags::FIN, b"");
        let mut outputs = assembler.finish();
        let flow = outputs.finish().expect("written");
        proptest::prop_assert!(flow.is_continue());
        let list = String::from_utf8(read(&dir.path().join("x/files.jsonl"))).expect("UTF-8");
        let files = std::fs::read_dir(dir.path().join("x")).expect("read").count();
        proptest::prop_assert_eq!(list.lines().count() + 1, files);
    }
}
