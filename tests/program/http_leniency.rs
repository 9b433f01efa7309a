//! What browsers and servers still read of HTTP/1.x, a table: every odd start line, field, length, chunk and coding that RFC 9112
//! has a word on and a lenient reader takes. Each stands in a connection of its own, with a second exchange behind it, captured
//! whole and by one octet a segment; the file that comes out is compared with the content that was sent.

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, SYN, behind};
use crate::common::{self, gzip, run};
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;

/// One form: what is sent for it.
struct Case {
    /// What is odd.
    name: String,
    /// Octets of the request; `{}` in it stands for the path.
    request: String,
    response: Vec<u8>,
    /// The connection is closed behind the response, which has no other end.
    closes: bool,
}

fn content() -> Vec<u8> {
    (0..40)
        .flat_map(|n| format!("line {n:04}\n").into_bytes())
        .collect()
}

fn zlib(octets: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::default());
    to.write_all(octets).expect("a Vec");
    to.finish().expect("a Vec")
}

fn deflate(octets: &[u8]) -> Vec<u8> {
    let mut to = DeflateEncoder::new(Vec::new(), Compression::default());
    to.write_all(octets).expect("a Vec");
    to.finish().expect("a Vec")
}

/// A chunked body: each chunk's line as `line` writes it, what stands behind the octets, and what ends it.
fn chunks(octets: &[u8], line: impl Fn(usize) -> String, behind: &str, end: &str) -> Vec<u8> {
    let mut all = Vec::new();
    for part in octets.chunks(177) {
        all.extend(line(part.len()).as_bytes());
        all.extend(part);
        all.extend(behind.as_bytes());
    }
    all.extend(end.as_bytes());
    all
}

struct Table(Vec<Case>);

impl Table {
    fn add(&mut self, name: &str, request: &str, response: Vec<u8>, closes: bool) {
        self.0.push(Case {
            name: name.to_owned(),
            request: request.to_owned(),
            response,
            closes,
        });
    }

    /// A response with this head, up to its empty line, and body.
    fn response(&mut self, name: &str, head: &str, body: &[u8]) {
        let response = [head.as_bytes(), body].concat();
        self.add(
            name,
            "GET {} HTTP/1.1\r\nHost: example\r\n\r\n",
            response,
            false,
        );
    }

    fn closing(&mut self, name: &str, head: &str, body: &[u8]) {
        self.response(name, head, body);
        self.0.last_mut().expect("it was added").closes = true;
    }
}

fn table() -> Vec<Case> {
    let mut t = Table(Vec::new());
    let body = content();
    let n = body.len();
    let usual = format!("Content-Type: text/plain\r\nContent-Length: {n}\r\n\r\n");

    for line in [
        "HTTP/1.1 200 OK",
        "HTTP/1.0 200 OK",
        "http/1.1 200 OK",
        "Http/1.1 200 ok",
        "HTTP/1.10 200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/01.1 200 OK",
        "HTTP/1.1  200  OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 200",
        "HTTP/1.1 200 ",
        "HTTP/1.1 2XX fine",
        "HTTP/1.1 201 Created",
        "HTTP/1.1 203 other",
        "HTTP/1.1 299 other",
        "HTTP/1.1 404 Not Found",
        "HTTP/1.1 600 unknown",
        "HTTP/1.1 200 \u{fc}ber\u{7}",
        "HTTP/1.1 OK",
        "HTTP/1.1",
        "HTTP/ 200 OK",
        "ICY 200 OK",
    ] {
        t.response(line, &format!("{line}\r\n{usual}"), &body);
    }
    for blank in ["\r\n", "\n", "\r\n\r\n\n"] {
        let head = format!("{blank}HTTP/1.1 200 OK\r\n{usual}");
        t.response("an empty line before the status line", &head, &body);
    }
    t.response(
        "line feeds alone",
        &format!("HTTP/1.1 200 OK\nContent-Length: {n}\n\n"),
        &body,
    );
    t.response(
        "line feeds and line ends mixed",
        &format!("HTTP/1.1 200 OK\nA: b\r\nContent-Length: {n}\n\r\n"),
        &body,
    );

    for fields in [
        "content-length: {}\r\n",
        "CONTENT-LENGTH:{}\r\n",
        "Content-Length : {}\r\n",
        "Content-Length\t:\t{}\t\r\n",
        "Content-Length: 0{}\r\n",
        "Content-Length: {}, {}\r\n",
        "Content-Length: {}\r\nContent-Length: {}\r\n",
        "Content-Length:\r\n {}\r\n",
        "Content-Length:\r\n\t{}\r\n",
        "A: b\r\n c\r\n d\r\nContent-Length: {}\r\n",
        "no colon here\r\nContent-Length: {}\r\n",
        ": no name\r\nContent-Length: {}\r\n",
        "(odd name): x\r\nContent-Length: {}\r\n",
        "A: \u{1}\u{2}\r\nContent-Length: {}\r\n",
        "A: b\rc\r\nContent-Length: {}\r\n",
        "A: \"\r\nContent-Length: {}\r\n",
        "Content-Length: {}\r\nContent-Length: odd\r\n",
    ] {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            fields.replace("{}", &n.to_string())
        );
        t.response(fields, &head, &body);
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}{usual}", "A: b\r\n".repeat(200));
    t.response("200 fields", &many, &body);

    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: odd\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked x\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        t.closing(head, head, &body);
    }

    let plain = |len: usize| format!("{len:x}\r\n");
    let chunked = chunks(&body, plain, "\r\n", "0\r\n\r\n");
    for field in [
        "Transfer-Encoding: chunked",
        "transfer-encoding:chunked",
        "Transfer-Encoding: Chunked",
        "Transfer-Encoding: CHUNKED",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding:\r\n\tchunked",
        "Transfer-Encoding:\r\n \r\n chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: ,chunked,",
        "Transfer-Encoding: chunked;a=b",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
    ] {
        t.response(
            field,
            &format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n"),
            &chunked,
        );
    }
    for line in [
        "HTTP/1.0 200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1 200",
        "HTTP/2.0 200 OK",
    ] {
        let head = format!("{line}\r\nTransfer-Encoding: chunked\r\n\r\n");
        t.response(&format!("{line}, chunked"), &head, &chunked);
    }
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    type Line = fn(usize) -> String;
    for (name, line) in [
        ("upper case", (|n| format!("{n:X}\r\n")) as Line),
        ("3 zeros", |n| format!("000{n:x}\r\n")),
        ("13 zeros", |n| format!("{n:013x}\r\n")),
        ("16 digits", |n| format!("{n:016x}\r\n")),
        ("300 zeros", |n| format!("{n:0300x}\r\n")),
        ("an extension", |n| format!("{n:x};a=b\r\n")),
        ("a quoted extension", |n| format!("{n:x} ; a=\"b;c\"\r\n")),
        ("an extension without a name", |n| format!("{n:x};\r\n")),
        ("a long extension", |n| {
            format!("{n:x};{}\r\n", "a".repeat(2000))
        }),
        ("a space behind", |n| format!("{n:x} \r\n")),
        ("spaces behind", |n| format!("{n:x}          \r\n")),
        ("a tab behind", |n| format!("{n:x}\t\r\n")),
        ("a vertical tab behind", |n| format!("{n:x}\u{b}\r\n")),
        ("a space before", |n| format!(" {n:x}\r\n")),
        ("a tab before", |n| format!("\t{n:x}\r\n")),
        ("0x before", |n| format!("0x{n:x}\r\n")),
        ("a plus sign before", |n| format!("+{n:x}\r\n")),
        ("a word behind", |n| format!("{n:x} octets\r\n")),
        ("a comma behind", |n| format!("{n:x},\r\n")),
        ("a line feed alone", |n| format!("{n:x}\n")),
        ("two returns", |n| format!("{n:x}\r\r\n")),
        ("a line feed before", |n| format!("\n{n:x}\r\n")),
        ("an empty line before", |n| format!("\r\n{n:x}\r\n")),
        ("a return before", |n| format!("\r{n:x}\r\n")),
    ] {
        let coded = chunks(&body, line, "\r\n", "0\r\n\r\n");
        t.response(&format!("chunk size with {name}"), head, &coded);
    }
    for (name, behind, end) in [
        ("line feeds alone", "\n", "0\n\n"),
        ("no line end behind chunks", "", "0\r\n\r\n"),
        ("two line ends behind chunks", "\r\n\r\n", "0\r\n\r\n"),
        ("five zeros at the end", "\r\n", "00000\r\n\r\n"),
        ("an extension at the end", "\r\n", "0;a=b\r\n\r\n"),
        ("a space at the end", "\r\n", "0 \r\n\r\n"),
        ("a trailer", "\r\n", "0\r\nA: b\r\nC: d\r\n\r\n"),
        ("a folded trailer", "\r\n", "0\r\nA: b\r\n c\r\n\r\n"),
        ("no empty line at the end", "\r\n", "0\r\n"),
    ] {
        t.response(name, head, &chunks(&body, plain, behind, end));
    }
    t.closing(
        "no empty line, then the close",
        head,
        &chunks(&body, plain, "\r\n", "0\r\n"),
    );
    t.response("chunks of one octet", head, &{
        let mut all: Vec<u8> = body
            .iter()
            .flat_map(|o| [b"1\r\n", &[*o][..], b"\r\n"].concat())
            .collect();
        all.extend(b"0\r\n\r\n");
        all
    });

    let raw = deflate(&body);
    let twice = gzip(&gzip(&body));
    for (field, coded) in [
        ("Content-Encoding: gzip", gzip(&body)),
        ("content-encoding:GZIP", gzip(&body)),
        ("Content-Encoding: x-gzip", gzip(&body)),
        ("Content-Encoding:\r\n gzip", gzip(&body)),
        ("Content-Encoding : gzip", gzip(&body)),
        ("Content-Encoding: identity, gzip", gzip(&body)),
        ("Content-Encoding: gzip, identity", gzip(&body)),
        ("Content-Encoding: ,gzip,", gzip(&body)),
        ("Content-Encoding: gzip;q=1", gzip(&body)),
        ("Content-Encoding: gzip\u{b}", gzip(&body)),
        ("Content-Encoding: identity", body.clone()),
        ("Content-Encoding:", body.clone()),
        ("Content-Encoding: deflate", zlib(&body)),
        ("Content-Encoding: Deflate", raw.clone()),
        ("Content-Encoding: deflate, gzip", gzip(&zlib(&body))),
        ("Content-Encoding: gzip, deflate", zlib(&gzip(&body))),
        ("Content-Encoding: gzip, gzip", twice.clone()),
        (
            "Content-Encoding: gzip\r\nContent-Encoding: gzip",
            twice.clone(),
        ),
        ("Transfer-Encoding: gzip, chunked", gzip(&body)),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            gzip(&body),
        ),
    ] {
        let chunked = field.contains("chunked");
        let (length, coded) = if chunked {
            (String::new(), chunks(&coded, plain, "\r\n", "0\r\n\r\n"))
        } else {
            (format!("Content-Length: {}\r\n", coded.len()), coded)
        };
        t.response(
            field,
            &format!("HTTP/1.1 200 OK\r\n{field}\r\n{length}\r\n"),
            &coded,
        );
    }
    let coded = chunks(&gzip(&body), |n| format!("{n:020x};x\n"), "\n", "0\n\n");
    t.response(
        "gzip in odd chunks",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        &coded,
    );

    let answer = format!("HTTP/1.1 200 OK\r\n{usual}");
    let answer = [answer.as_bytes(), &body].concat();
    for request in [
        "GET {} HTTP/1.0\r\n\r\n",
        "GET {} HTTP/1.10\r\nHost: example\r\n\r\n",
        "GET {} HTTP/2.0\r\nHost: example\r\n\r\n",
        "GET {} http/1.1\r\nHost: example\r\n\r\n",
        "GET  {}  HTTP/1.1\r\nHost: example\r\n\r\n",
        "GET {} HTTP/1.1 \r\nHost: example\r\n\r\n",
        "GET\t{}\tHTTP/1.1\r\nHost: example\r\n\r\n",
        "get {} HTTP/1.1\r\nHost: example\r\n\r\n",
        "FETCH {} HTTP/1.1\r\nHost: example\r\n\r\n",
        "GET /a b{} HTTP/1.1\r\nHost: example\r\n\r\n",
        "GET /a\u{1}b{} HTTP/1.1\r\nHost: example\r\n\r\n",
        "GET /\u{fc}{} HTTP/1.1\r\nHost: example\r\n\r\n",
        "GET http://example{} HTTP/1.1\r\nHost: example\r\n\r\n",
        "GET {}\r\nHost: example\r\n\r\n",
        "\r\nGET {} HTTP/1.1\r\nHost: example\r\n\r\n",
        "GET {} HTTP/1.1\nHost: example\n\n",
        "GET {} HTTP/1.1\r\nHost:\r\n example\r\n\r\n",
        "GET {} HTTP/1.1\r\nHost : example\r\n\r\n",
        "GET {} HTTP/1.1\r\nno colon\r\n\r\n",
        "GET {} HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "POST {} HTTP/1.1\r\nContent-Length:\r\n 4\r\n\r\nbody",
        "POST {} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000000004\r\nbody\r\n0\r\n\r\n",
    ] {
        t.add(request, request, answer.clone(), false);
    }
    t.0
}

/// Cuts each message as `cut` says, and puts all connections into one capture.
fn capture(cases: &[Case], cut: usize) -> Pcap {
    let mut pcap = Pcap::new();
    for (i, case) in cases.iter().enumerate() {
        let port = CLIENT.1 - 20_000 + u16::try_from(i).expect("few");
        let (client, mut seq, mut ack) = ((CLIENT.0, port), 1000_u32, 5000_u32);
        let mut send = |up: bool, flags: u8, octets: &[u8]| {
            let ends = if up {
                (client, SERVER, seq, ack)
            } else {
                (SERVER, client, ack, seq)
            };
            let packet = pcap.segment(ends.0, ends.1, ends.2, ends.3, flags, octets);
            pcap.packet(&packet);
            let moved = if up { &mut seq } else { &mut ack };
            *moved = behind(*moved, octets).wrapping_add(u32::from(flags & (SYN | FIN) != 0));
        };
        send(true, SYN, b"");
        send(false, SYN | ACK, b"");
        send(true, ACK, b"");
        let next = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";
        let path = format!("/c{i}.txt");
        let request = case.request.replace("{}", &path).into_bytes();
        let second = format!("GET /n{i}.txt HTTP/1.1\r\nHost: example\r\n\r\n").into_bytes();
        let mut exchanges = vec![(request, case.response.clone())];
        if !case.closes {
            exchanges.push((second, next.to_vec()));
        }
        for (request, response) in exchanges {
            for (up, octets) in [(true, request), (false, response)] {
                for part in octets.chunks(cut) {
                    send(up, ACK | PSH, part);
                }
                send(!up, ACK, b"");
            }
        }
        send(false, FIN | ACK, b"");
        send(true, FIN | ACK, b"");
    }
    pcap
}

/// The cases whose file, or whose next file, is not what was sent, with what is wrong.
fn wrong(cases: &[Case], cut: usize) -> Vec<String> {
    let dir = tempfile::tempdir().expect("tempdir");
    let into = dir.path().join("x");
    let args = ["-x", into.to_str().expect("UTF-8")];
    run(args, &capture(cases, cut).file).code(0);
    let files: BTreeMap<_, _> = common::files(&into).into_iter().collect();
    let list = String::from_utf8(files["files.jsonl"].clone()).expect("UTF-8");
    let list: Vec<Value> = list
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    // The server's files of each connection, in order.
    let mut by_port: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for line in list.iter().filter(|line| line["src_port"] == SERVER.1) {
        let port = line["dst_port"].as_u64().expect("a port");
        by_port.entry(port).or_default().push(line);
    }
    let mut wrong = Vec::new();
    let base = u64::from(CLIENT.1) - 20_000;
    for (i, case) in cases.iter().enumerate() {
        let found = by_port.remove(&(base + i as u64)).unwrap_or_default();
        let mut expected = vec![(content(), format!("c{i}.txt"))];
        if !case.closes {
            expected.push((b"next".to_vec(), format!("n{i}.txt")));
        }
        let mut why = Vec::new();
        for (n, (content, name)) in expected.iter().enumerate() {
            match found.get(n) {
                Some(line) => {
                    let file = line["file"].as_str().expect("a name");
                    let url = line["url"].as_str().unwrap_or_default();
                    if files[file] != *content {
                        let complete = if line["complete"] == true {
                            ", complete"
                        } else {
                            ""
                        };
                        why.push(format!("{name}: {} octets{complete}", files[file].len()));
                    } else if line["complete"] != true {
                        why.push(format!("{name}: incomplete"));
                    } else if !url.ends_with(name.as_str()) {
                        why.push(format!("{name}: its request is {url:?}"));
                    }
                }
                None => why.push(format!("{name}: no file")),
            }
        }
        if found.len() > expected.len() {
            why.push(format!("{} files more", found.len() - expected.len()));
        }
        if !why.is_empty() {
            wrong.push(format!("{:?}: {}", case.name, why.join(", ")));
        }
    }
    wrong
}

#[test]
fn what_browsers_still_read_comes_out() {
    let cases = table();
    for cut in [1400, 1] {
        let wrong = wrong(&cases, cut);
        println!(
            "{} of {} right, {cut} octets a segment",
            cases.len() - wrong.len(),
            cases.len()
        );
        assert!(
            wrong.is_empty(),
            "{cut} octets a segment:\n{}",
            wrong.join("\n")
        );
    }
    // What is said of them is true.
    let said = std::fs::read_to_string(common::testdata("README.md")).expect("text");
    let figure = format!("{0} of {0} forms", cases.len());
    assert!(said.contains(&figure), "testdata/README.md: {figure}");
}
