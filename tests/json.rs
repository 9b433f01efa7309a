//! `--json`: what the objects say of real and of damaged captures.

mod common;

use common::{inet_asm, read, run, testdata, unbase64};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The objects of a kind.
fn objects(args: &[&str], input: &[u8], kind: &str) -> Vec<Value> {
    let text = run(args, input).text();
    let all = text.lines().map(serde_json::from_str::<Value>);
    all.map(|object| object.expect("an object a line"))
        .filter(|object| object["type"] == kind)
        .collect()
}

#[test]
fn every_answer_tells_what_it_answers() {
    let capture = read(&testdata("http-pipelined.pcap"));
    let messages = objects(&["-j"], &capture, "message");
    let exchanges = objects(&["-j"], &capture, "exchange");
    let requests: Vec<_> = messages.iter().filter(|m| m["kind"] == "request").collect();
    let answers: Vec<_> = messages
        .iter()
        .filter(|m| m["kind"] == "response")
        .collect();
    assert!(requests.len() > 2);
    assert_eq!(exchanges.len(), requests.len());
    for ((exchange, request), answer) in exchanges.iter().zip(&requests).zip(&answers) {
        assert_eq!(exchange["request"], request["summary"]);
        assert_eq!(exchange["request_offset"], request["offset"]);
        assert_eq!(exchange["response"], answer["summary"]);
        assert_eq!(exchange["response_offset"], answer["offset"]);
        assert_eq!(exchange["src_port"], request["src_port"]);
        assert_eq!(exchange["frame"], answer["frame"]);
        assert_eq!(exchange["first_frame"], request["first_frame"]);
        assert_eq!(exchange["whole"], true);
        let (delay, duration) = (exchange["delay"].as_f64(), exchange["duration"].as_f64());
        assert!(delay > Some(0.0) && delay <= duration);
    }
}

#[test]
fn an_answer_to_a_lost_request_is_no_exchange() {
    let capture = read(&testdata("http-lost-message.pcap"));
    let messages = objects(&["-j"], &capture, "message");
    let answers = messages.iter().filter(|m| m["kind"] == "response");
    let exchanges = objects(&["-j"], &capture, "exchange");
    for exchange in &exchanges {
        let request = messages.iter().find(|m| {
            m["kind"] == "request"
                && m["connection"] == exchange["connection"]
                && m["offset"] == exchange["request_offset"]
        });
        assert_eq!(request.expect("a message")["summary"], exchange["request"]);
    }
    assert!(exchanges.len() <= answers.count());
}

#[test]
fn repeated_segments_are_told() {
    let capture = read(&testdata("http-repeated.pcap"));
    let told = objects(&["-j"], &capture, "duplicate");
    let octets: u64 = told.iter().filter_map(|d| d["length"].as_u64()).sum();
    let stats = run(["-n", "-s"], &capture).stderr;
    assert!(octets > 0);
    assert_eq!(octets, common::counter(&stats, "tcp.duplicate_octets"));
    assert!(told.iter().all(|d| d["conflict"] == false));
    let whole = read(&testdata("http-keepalive.pcap"));
    assert_eq!(objects(&["-j"], &whole, "duplicate").len(), 0);
}

#[test]
fn packets_that_are_of_no_use_are_told_with_the_reason() {
    let capture = read(&testdata("http-tiny.pcap"));
    let mut damaged = capture.clone();
    // The EtherType of the first packet.
    damaged[24 + 16 + 12..24 + 16 + 14].copy_from_slice(&[0x88, 0xcc]);
    let told = objects(&["-j"], &damaged, "dropped");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["frame"], 1);
    assert_eq!(told[0]["reason"], "link.not_ip");
    assert_eq!(objects(&["-j"], &capture, "dropped").len(), 0);
}

#[test]
fn hashes_are_those_of_the_octets() {
    for name in ["http-chunked.pcap", "dns-udp.pcap", "sctp-m3ua.pcap"] {
        let capture = read(&testdata(name));
        let args = ["-j", "--hash", "--json-body", "base64"];
        let messages = objects(&args, &capture, "message");
        assert!(!messages.is_empty());
        for message in messages {
            let body = unbase64(message["body"].as_str().expect("a body"));
            let sum: String = Sha256::digest(&body)
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect();
            assert_eq!(message["sha256"], *sum, "{name}: {}", message["summary"]);
        }
    }
    let lost = read(&testdata("http-lost.pcap"));
    let messages = objects(&["-j", "--hash"], &lost, "message");
    assert!(messages.iter().any(|m| m["whole"] == false));
    for message in messages {
        assert_eq!(message["sha256"].is_null(), message["whole"] == false);
    }
}

/// With `--extract` the files are told of too, in the words of their list.
#[test]
fn files_are_told_as_their_list_has_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_str().expect("UTF-8");
    let capture = read(&testdata("http-keepalive.pcap"));
    let told = objects(&["-j", "-x", path], &capture, "file");
    let list = std::fs::read_to_string(dir.path().join("files.jsonl")).expect("a list");
    let listed = list.lines().map(serde_json::from_str::<Value>);
    let listed: Vec<_> = listed.map(|line| line.expect("an object a line")).collect();
    assert!(listed.len() > 1);
    assert_eq!(told.len(), listed.len());
    for (told, listed) in told.iter().zip(&listed) {
        let mut told = told.clone();
        told.as_object_mut().expect("an object").remove("type");
        assert_eq!(&told, listed);
    }
}

/// The man page names every field that any capture makes, and no others that nothing makes.
#[test]
fn the_man_page_lists_every_field() {
    let man = inet_asm(["--man"]).output().expect("runs").stdout;
    let man = String::from_utf8(man).expect("text");
    let section = man.split(".SH \"JSON OUTPUT\"").nth(1).expect("a section");
    let section = section.split(".SH ").next().expect("its text");
    let listed: std::collections::BTreeSet<_> = section
        .lines()
        .filter_map(|line| {
            Some(
                line.strip_prefix("\\fB")?
                    .split_once("\\fR (")?
                    .0
                    .to_owned(),
            )
        })
        .collect();
    let mut written = std::collections::BTreeSet::new();
    for name in [
        "http-lost.pcap",
        "http-repeated.pcap",
        "dns-udp.pcap",
        "sctp-m3ua.pcap",
        "sctp-lost.pcap",
        "mixed.pcapng",
    ] {
        let capture = read(&testdata(name));
        let args = ["-j", "--hash", "--json-body", "text"];
        for line in run(args, &capture).text().lines() {
            let object: Value = serde_json::from_str(line).expect("an object a line");
            written.extend(object.as_object().expect("an object").keys().cloned());
        }
    }
    let unlisted: Vec<_> = written.difference(&listed).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
    // What none of these captures has is in those of other tests.
    let rare = ["messages", "interface", "reason", "text"];
    let unwritten: Vec<_> = listed
        .difference(&written)
        .filter(|name| !rare.contains(&name.as_str()))
        .collect();
    assert!(unwritten.is_empty(), "{unwritten:?}");
}
