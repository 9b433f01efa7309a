//! `--har`: a document that every reader of HAR 1.2 takes, whatever the input is and however the run ends.

use crate::common::build::{ACK, CLIENT, FIN, PSH, Pcap, SERVER, behind, body, get, response};
use crate::common::{self, CAPTURES, Live, counter, gzip, read, run, testdata, unbase64};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a field has to be.
#[derive(Clone, Copy)]
enum Is {
    Text,
    /// A time as ISO 8601 writes it.
    Time,
    /// A number that is not negative.
    Number,
    /// The same, or -1.
    NumberOrUnknown,
    Any,
    Flag,
    Object(&'static [Row]),
    List(&'static [Row]),
}

/// Name, whether it has to be there, what it is.
type Row = (&'static str, bool, Is);

use Is::{Any, Flag, List, Number, NumberOrUnknown, Object, Text, Time};

/// HAR 1.2, as <http://www.softwareishard.com/blog/har-12-spec/> has it.
const LOG: &[Row] = &[
    ("version", true, Text),
    (
        "creator",
        true,
        Object(&[
            ("name", true, Text),
            ("version", true, Text),
            ("comment", false, Text),
        ]),
    ),
    (
        "browser",
        false,
        Object(&[("name", true, Text), ("version", true, Text)]),
    ),
    ("pages", false, List(&[])),
    ("entries", true, List(ENTRY)),
    ("comment", false, Text),
];
const ENTRY: &[Row] = &[
    ("pageref", false, Text),
    ("startedDateTime", true, Time),
    ("time", true, Number),
    ("request", true, Object(REQUEST)),
    ("response", true, Object(RESPONSE)),
    (
        "cache",
        true,
        Object(&[
            ("beforeRequest", false, Any),
            ("afterRequest", false, Any),
            ("comment", false, Text),
        ]),
    ),
    ("timings", true, Object(TIMINGS)),
    ("serverIPAddress", false, Text),
    ("connection", false, Text),
    ("comment", false, Text),
];
const PAIR: &[Row] = &[
    ("name", true, Text),
    ("value", true, Text),
    ("comment", false, Text),
];
const COOKIE: &[Row] = &[
    ("name", true, Text),
    ("value", true, Text),
    ("path", false, Text),
    ("domain", false, Text),
    ("expires", false, Time),
    ("httpOnly", false, Flag),
    ("secure", false, Flag),
    ("comment", false, Text),
];
const REQUEST: &[Row] = &[
    ("method", true, Text),
    ("url", true, Text),
    ("httpVersion", true, Text),
    ("cookies", true, List(COOKIE)),
    ("headers", true, List(PAIR)),
    ("queryString", true, List(PAIR)),
    (
        "postData",
        false,
        Object(&[
            ("mimeType", true, Text),
            ("params", true, List(PAIR)),
            ("text", true, Text),
            ("comment", false, Text),
        ]),
    ),
    ("headersSize", true, NumberOrUnknown),
    ("bodySize", true, NumberOrUnknown),
    ("comment", false, Text),
];
const RESPONSE: &[Row] = &[
    ("status", true, Number),
    ("statusText", true, Text),
    ("httpVersion", true, Text),
    ("cookies", true, List(COOKIE)),
    ("headers", true, List(PAIR)),
    (
        "content",
        true,
        Object(&[
            ("size", true, Number),
            ("compression", false, Any),
            ("mimeType", true, Text),
            ("text", false, Text),
            ("encoding", false, Text),
            ("comment", false, Text),
        ]),
    ),
    ("redirectURL", true, Text),
    ("headersSize", true, NumberOrUnknown),
    ("bodySize", true, NumberOrUnknown),
    ("comment", false, Text),
];
const TIMINGS: &[Row] = &[
    ("blocked", false, NumberOrUnknown),
    ("dns", false, NumberOrUnknown),
    ("connect", false, NumberOrUnknown),
    ("send", true, Number),
    ("wait", true, Number),
    ("receive", true, Number),
    ("ssl", false, NumberOrUnknown),
    ("comment", false, Text),
];

fn check(value: &Value, what: Is, place: &str) {
    let number = || value.as_f64().unwrap_or_else(|| panic!("{place}: {value}"));
    match what {
        Text => assert!(value.is_string(), "{place}: {value}"),
        Time => {
            let time = value.as_str().unwrap_or_default();
            let sound = time.len() >= 20 && time.as_bytes()[10] == b'T' && time.ends_with('Z');
            assert!(sound, "{place}: {value}");
        }
        Number => assert!(number() >= 0.0, "{place}: {value}"),
        NumberOrUnknown => assert!(number() >= 0.0 || number() == -1.0, "{place}: {value}"),
        Flag => assert!(value.is_boolean(), "{place}: {value}"),
        Any => {}
        Object(rows) => {
            let object = value
                .as_object()
                .unwrap_or_else(|| panic!("{place}: {value}"));
            for (name, required, what) in rows {
                let place = format!("{place}.{name}");
                match object.get(*name) {
                    Some(value) => check(value, *what, &place),
                    None => assert!(!required, "{place} is missing"),
                }
            }
            // Names of this program's own begin with an underscore, as HAR asks.
            for name in object.keys().filter(|name| !name.starts_with('_')) {
                assert!(rows.iter().any(|row| row.0 == name), "{place}.{name}");
            }
        }
        List(rows) => {
            let list = value
                .as_array()
                .unwrap_or_else(|| panic!("{place}: {value}"));
            for (i, value) in list.iter().enumerate() {
                check(value, Object(rows), &format!("{place}[{i}]"));
            }
        }
    }
}

/// The entries of a document, which has to be one.
#[track_caller]
pub(crate) fn entries(text: &[u8]) -> Vec<Value> {
    let document: Value = serde_json::from_slice(text)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(text)));
    check(&document, Object(&[("log", true, Object(LOG))]), "");
    assert_eq!(document["log"]["version"], "1.2");
    let entries = document["log"]["entries"]
        .as_array()
        .expect("a list")
        .clone();
    for entry in &entries {
        let timings = entry["timings"].as_object().expect("an object");
        let known = timings
            .values()
            .filter_map(Value::as_f64)
            .filter(|n| *n >= 0.0);
        let (sum, time) = (
            known.sum::<f64>(),
            entry["time"].as_f64().expect("a number"),
        );
        assert!((sum - time).abs() < 1e-5, "{entry}");
        let content = &entry["response"]["content"];
        let latin = content["mimeType"]
            .as_str()
            .is_some_and(|t| t.contains("8859"));
        if let (Some(text), None, false) =
            (content["text"].as_str(), content["comment"].as_str(), latin)
        {
            let len = match content["encoding"].as_str() {
                Some(_) => unbase64(text).len(),
                None => text.len(),
            };
            assert_eq!(content["size"], len, "{entry}");
        }
    }
    entries
}

#[track_caller]
fn har(args: &[&str], capture: &[u8]) -> Vec<Value> {
    entries(&run([&["--har", "-"], args].concat(), capture).ok())
}

/// Both sides of a connection, in turn, and its end.
fn talk(parts: &[(bool, &[u8])]) -> Vec<u8> {
    let mut pcap = Pcap::new();
    pcap.open(0, 0);
    let (mut seq, mut ack) = (1, 1);
    for (client, octets) in parts {
        for part in octets.chunks(1400) {
            if *client {
                pcap.client(seq, ack, PSH | ACK, part);
                seq = behind(seq, part);
            } else {
                pcap.server(ack, seq, PSH | ACK, part);
                ack = behind(ack, part);
            }
        }
    }
    pcap.server(ack, seq, FIN | ACK, b"")
        .client(seq, ack + 1, FIN | ACK, b"");
    pcap.file
}

/// An answer with these fields.
fn answer(fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn every_capture_gives_a_document_with_its_exchanges() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("har");
    for capture in CAPTURES {
        let path = capture.path();
        let path = path.to_str().expect("UTF-8");
        let done = run(["-j", "--har", file.to_str().expect("UTF-8"), path], b"").text();
        let exchanges = done.lines().filter(|line| {
            line.contains("\"type\":\"exchange\"")
                && line.contains("\"protocol\":\"http\"")
                && !line.contains("\"missing\":")
        });
        let found = entries(&read(&file));
        let answered = found
            .iter()
            .filter(|e| e["response"]["status"] != 0)
            .count();
        assert_eq!(answered, exchanges.count(), "{}", capture.name);
        if capture.clean {
            assert_eq!(found.len(), capture.requests, "{}", capture.name);
        }
    }
}

/// An exchange is written of which one message is chosen, whichever of the two that is.
#[test]
fn chosen_messages_give_their_exchanges() {
    let capture = talk(&[
        (true, &get("/1")),
        (false, &answer("X: one\r\n", b"a")),
        (true, &get("/2")),
        (false, &answer("X: two\r\n", b"b")),
        (true, &get("/3")),
    ]);
    let named = |args: &[&str]| {
        let url = |entry: &Value| {
            let url = entry["request"]["url"].as_str().expect("a URL");
            let status = &entry["response"]["status"];
            format!("{} {status}", &url[url.len() - 2..])
        };
        har(args, &capture).iter().map(url).collect::<Vec<_>>()
    };
    let (one, two, three) = ("/1 200", "/2 200", "/3 0");
    for (args, expected) in [
        (&["--match", "GET /2"][..], &[two][..]),
        (&["--match", "X: one"], &[one]),
        (&["--match", "GET /3"], &[three]),
        (&["--match", "nothing"], &[]),
        (&["--kind", "request"], &[one, two, three]),
        (&["--kind", "response"], &[one, two]),
        (&["--kind", "response", "--match", "two"], &[two]),
        (&["-c", "1"], &[one]),
        (&["-c", "1", "--match", "two"], &[two]),
        (&["-c", "9"], &[one, two, three]),
    ] {
        assert_eq!(named(args), expected, "{args:?}");
    }
}

#[test]
fn cut_inputs_give_a_document() {
    for name in ["http-keepalive.pcap", "http-chunked.pcap"] {
        let capture = read(&testdata(name));
        let all = har(&[], &capture).len();
        let mut before = 0;
        for part in 0..8 {
            let len = 24 + (capture.len() - 24) * part / 8;
            let found = har(&[], &capture[..len]).len();
            assert!(found >= before && found <= all, "{name} {len}");
            before = found;
        }
        assert!(before > 1, "{name}");
    }
}

#[test]
fn a_signal_closes_the_document_and_moved_files_are_documents_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let capture = talk(&[
        (true, &get("/1")),
        (false, &response(b"one")),
        (true, &get("/2")),
        (false, &response(b"two")),
    ]);
    let har = at("har");
    let end = capture.windows(3).position(|octets| octets == b"one");
    let half = end.expect("the first response") + 3;
    let mut running = Live::start(&["--har", &har, "-p", "-U"]);
    running.write(&capture[..half]);
    running.until("the first response", |out| common::contains(out, b"200"));
    std::fs::rename(&har, at("old")).expect("rename");
    running.signal("HUP");
    // The new file is there when the signal was heard.
    let begin = Instant::now();
    while !Path::new(&har).exists() && begin.elapsed() < common::DEADLINE {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.write(&capture[half..]);
    running.until("the second request", |out| common::contains(out, b"/2"));
    running.signal("TERM");
    running.end().code(0);
    let (old, new) = (
        entries(&read(Path::new(&at("old")))),
        entries(&read(Path::new(&har))),
    );
    let urls: Vec<_> = old
        .iter()
        .chain(&new)
        .map(|e| e["request"]["url"].clone())
        .collect();
    assert_eq!(urls, ["http://example/1", "http://example/2"]);
    assert!(!old.is_empty() && !new.is_empty());
}

#[test]
fn a_file_is_a_document_whatever_ends_the_program() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("har");
    // What was there is longer, and gone.
    std::fs::write(&path, vec![b'x'; 100_000]).expect("write");
    let capture = talk(&[
        (true, &get("/1")),
        (false, &response(b"one")),
        (true, &get("/2")),
        (false, &response(b"two")),
        (true, &get("/3")),
    ]);
    let mut running = Live::start(&["--har", path.to_str().expect("UTF-8"), "-p"]);
    let mut written = 0;
    for (n, body) in [&b"one"[..], b"two"].into_iter().enumerate() {
        let end = capture.windows(3).position(|octets| octets == body);
        let end = end.expect("a response") + 3;
        running.write(&capture[written..end]);
        written = end;
        // All that was read is written before the next read, and lines are written last.
        let begin = Instant::now();
        let shown = || read(&path).windows(6).filter(|w| *w == b"200,\"s").count();
        while shown() <= n && begin.elapsed() < common::DEADLINE {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(entries(&read(&path)).len(), n + 1);
    }
    running.signal("KILL");
    drop(running);
    assert_eq!(entries(&read(&path)).len(), 2);
}

#[test]
fn bodies_are_decoded_and_what_is_no_text_is_base64() {
    let text = body(5000);
    let packed = gzip(&text);
    let chunked = [
        &b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
        format!("{:x}\r\n", packed.len()).as_bytes(),
        &packed,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let binary = [0, 0xff, 0x80, 7];
    let latin = answer(
        "Content-Type: text/plain; charset=iso-8859-1\r\n",
        b"caf\xe9 au lait",
    );
    let odd = answer("Content-Encoding: odd\r\n", b"as it is");
    let post = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Type: x/y\r\nContent-Length: 4\r\n\r\n\x00\xff\x80\x07";
    let capture = talk(&[
        (true, &get("/gzip")),
        (
            false,
            &answer(
                "Content-Encoding: gzip\r\nContent-Type: text/a\r\n",
                &packed,
            ),
        ),
        (true, &get("/chunked")),
        (false, &chunked),
        (true, post),
        (false, &answer("", &binary)),
        (true, &get("/latin")),
        (false, &latin),
        (true, &get("/odd")),
        (false, &odd),
    ]);
    let found = har(&[], &capture);
    let content = |n: usize| &found[n]["response"]["content"];
    for n in [0, 1] {
        assert_eq!(
            content(n)["text"].as_str().map(str::as_bytes),
            Some(&text[..])
        );
        assert_eq!(content(n)["size"], text.len());
        assert_eq!(found[n]["response"]["bodySize"], packed.len());
        assert_eq!(content(n)["compression"], text.len() - packed.len());
        assert!(content(n)["comment"].is_null());
    }
    assert_eq!(content(0)["mimeType"], "text/a");
    assert_eq!(content(2)["encoding"], "base64");
    assert_eq!(unbase64(content(2)["text"].as_str().expect("text")), binary);
    let posted = &found[2]["request"]["postData"];
    assert_eq!(unbase64(posted["text"].as_str().expect("text")), binary);
    assert_eq!(
        (&posted["_encoding"], &posted["mimeType"]),
        (&"base64".into(), &"x/y".into())
    );
    assert_eq!(content(3)["text"], "café au lait");
    assert_eq!(content(4)["text"], "as it is");
    assert_eq!(content(4)["comment"], "as it was sent: odd");
}

/// Fields behind the last chunk stand behind the others, and are told from them.
#[test]
fn trailers_of_chunks_are_fields() {
    let chunked =
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\nX-Two: 8\r\n\r\n";
    let ask = format!("POST /1 HTTP/1.1\r\nHost: h\r\n{chunked}");
    let tell = format!("HTTP/1.1 200 OK\r\n{chunked}");
    let capture = talk(&[
        (true, ask.as_bytes()),
        (false, tell.as_bytes()),
        (true, &get("/2")),
    ]);
    let found = har(&[], &capture);
    for side in ["request", "response"] {
        let names: Vec<_> = found[0][side]["_trailers"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|f| &f["name"])
            .collect();
        assert_eq!(names, ["X-Sum", "X-Two"]);
        let all = found[0][side]["headers"].as_array().expect("a list");
        assert_eq!(
            all[all.len() - 2..],
            found[0][side]["_trailers"].as_array().expect("a list")[..]
        );
        assert!(found[1][side]["_trailers"].is_null());
    }
    assert_eq!(found[0]["response"]["content"]["text"], "hello");
    // Of a body that is cut they are not there.
    assert!(har(&["--har-body", "3"], &capture)[0]["response"]["_trailers"].is_null());
}

#[test]
fn bodies_end_at_the_limit_and_where_octets_are_missing() {
    let text = body(5000);
    let whole = answer("", &text);
    let packed = answer("Content-Encoding: gzip\r\n", &gzip(&text));
    let capture = talk(&[
        (true, &get("/1")),
        (false, &whole),
        (true, &get("/2")),
        (false, &packed),
    ]);
    let done = run(["--har", "-", "--har-body", "1000", "-s"], &capture);
    assert_eq!(counter(&done.stderr, "har.cut_bodies"), 2);
    for entry in entries(&done.ok()) {
        let content = &entry["response"]["content"];
        assert_eq!(
            content["text"].as_str().map(str::as_bytes),
            Some(&text[..1000])
        );
        assert_eq!(content["comment"], "cut behind 1000 bytes");
    }
    for entry in har(&["--har-body", "0"], &capture) {
        assert!(entry["response"]["content"]["text"].is_null());
    }
    // A segment in the middle of the body is lost.
    let mut pcap = Pcap::new();
    let ask = get("/lost");
    let seq = behind(1, &ask);
    pcap.open(0, 0).client(1, 1, PSH | ACK, &ask);
    let mut ack = 1;
    for (n, part) in whole.chunks(1000).enumerate() {
        if n != 2 {
            pcap.server(ack, seq, ACK, part);
        }
        ack = behind(ack, part);
    }
    pcap.client(seq, ack, FIN | ACK, b"")
        .server(ack, seq + 1, FIN | ACK, b"");
    let done = run(["--har", "-", "-s"], &pcap.file);
    assert_eq!(counter(&done.stderr, "har.incomplete"), 1);
    let entry = &entries(&done.ok())[0];
    let content = &entry["response"]["content"];
    let shown = content["text"].as_str().expect("text");
    assert!(text.starts_with(shown.as_bytes()) && shown.len() > 1900 && shown.len() < 2000);
    assert_eq!(
        content["comment"],
        "1000 bytes are missing, the first behind these"
    );
    assert_eq!(
        entry["comment"],
        "the response is incomplete in the capture"
    );
    assert_eq!(entry["response"]["bodySize"], 4000);
}

#[test]
fn requests_say_what_they_ask_for_and_how_long_that_took() {
    let ask = b"GET /a%20b?x=1+2&y=%C3%A9&z HTTP/1.1\r\nHost: h:81\r\nCookie: a=b; c=\"d e\"\r\nX: \xe9\r\n\r\n";
    let full = b"GET http://other/z#part HTTP/1.1\r\nHost: h\r\n\r\n";
    let set = "Set-Cookie: id=7; Path=/p; Domain=h; HttpOnly; Secure\r\nLocation: /next\r\n";
    let capture = talk(&[
        (true, ask),
        (false, b"HTTP/1.1 100 Continue\r\n\r\n"),
        (false, &answer(set, b"")),
        (true, full),
        (false, &response(b"x")),
        (true, b"GET /alone HTTP/1.0\r\n\r\n"),
        (false, &response(b"x")),
        (true, b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"),
        (false, &response(b"x")),
        (true, &get("/unanswered")),
    ]);
    let done = run(["--har", "-", "-s"], &capture);
    assert_eq!(counter(&done.stderr, "har.entries"), 5);
    assert_eq!(counter(&done.stderr, "har.unanswered"), 1);
    let found = entries(&done.ok());
    let urls: Vec<_> = found.iter().map(|e| e["request"]["url"].as_str()).collect();
    let expected = [
        "http://h:81/a%20b?x=1+2&y=%C3%A9&z",
        "http://other/z",
        "http://203.0.113.80:80/alone",
        "http://h",
        "http://example/unanswered",
    ];
    assert_eq!(urls, expected.map(Some));
    let first = &found[0];
    let pair = |name: &str, value: &str| serde_json::json!({"name": name, "value": value});
    let request = &first["request"];
    assert_eq!(
        request["queryString"],
        serde_json::json!([pair("x", "1 2"), pair("y", "é"), pair("z", "")])
    );
    assert_eq!(
        request["cookies"],
        serde_json::json!([pair("a", "b"), pair("c", "\"d e\"")])
    );
    assert_eq!(request["headers"][2], pair("X", "é"));
    assert_eq!(request["headersSize"], ask.len());
    let response = &first["response"];
    assert_eq!(
        response["cookies"][0],
        serde_json::json!({"name": "id", "value": "7", "path": "/p", "domain": "h", "httpOnly": true, "secure": true})
    );
    assert_eq!(
        (&response["redirectURL"], &response["statusText"]),
        (&"/next".into(), &"OK".into())
    );
    // SYN, SYN-ACK, ACK, request: a packet each millisecond.
    assert_eq!(first["timings"]["connect"], 3.0);
    assert_eq!(first["startedDateTime"], "2023-11-14T22:13:20.001000Z");
    assert_eq!(first["timings"]["wait"], 2.0);
    assert_eq!(found[1]["timings"]["connect"], -1);
    assert_eq!(
        (&first["serverIPAddress"], &first["connection"]),
        (&"203.0.113.80".into(), &"0".into())
    );
    let last = &found[4];
    assert_eq!(
        (&last["response"]["status"], &last["comment"]),
        (
            &0.into(),
            &"no response to it was found in the capture".into()
        )
    );
}

/// A response whose request is lost is none of another request's, and what is not chosen is not called unanswered.
#[test]
fn only_exchanges_that_are_known_are_entries() {
    let mut pcap = Pcap::new();
    let (one, two) = (response(b"one"), response(b"two"));
    let ask = get("/2");
    let seq = 1 + 40;
    pcap.open(0, 0)
        .server(1, seq, PSH | ACK, &one)
        .client(seq, behind(1, &one), PSH | ACK, &ask)
        .server(behind(1, &one), behind(seq, &ask), PSH | ACK, &two);
    let done = run(["--har", "-", "-s"], &pcap.file);
    assert_eq!(counter(&done.stderr, "har.unmatched"), 1);
    let found = entries(&done.ok());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["response"]["content"]["text"], "two");
    let capture = read(&testdata("http-keepalive.pcap"));
    assert_eq!(har(&["--protocols", "dns"], &capture).len(), 0);
    // Of messages that are counted, both.
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("har");
    for (count, expected) in [("1", 0), ("2", 1)] {
        let name = file.to_str().expect("UTF-8");
        run(["-p", "--har", name, "-c", count], &capture).ok();
        assert_eq!(entries(&read(&file)).len(), expected, "{count}");
    }
}

/// What waits for an answer is within the limit.
#[test]
fn bodies_and_requests_that_wait_are_bounded() {
    let mut pcap = Pcap::new();
    let big = [
        b"POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n",
        &body(100_000)[..],
    ]
    .concat();
    for n in 0..60 {
        let client = (CLIENT.0, 40_000 + n);
        let syn = pcap.segment(client, SERVER, 0, 0, 2, b"");
        pcap.packet(&syn);
        let mut seq = 1;
        for part in big.chunks(10_000) {
            let segment = pcap.segment(client, SERVER, seq, 1, ACK, part);
            pcap.packet(&segment);
            seq = behind(seq, part);
        }
    }
    let done = run(["--har", "-", "-s", "--memory-limit", "4M"], &pcap.file);
    assert!(counter(&done.stderr, "buffer.peak") < (4 << 20) + (256 << 10));
    assert!(counter(&done.stderr, "har.cut_bodies") > 0);
    assert_eq!(
        common::find_counter(&done.stderr, "buffer.waiting").unwrap_or(0),
        0
    );
    assert_eq!(entries(&done.ok()).len(), 60);
}
