//! Objects of hand-made messages.

use super::{FIELDS, JsonBody, Show};
use crate::base::counters::Discard;
use crate::base::flow::Direction;
use crate::base::message::Extent;
use crate::base::packet::LinkType;
use crate::base::packet::Packet;
use crate::base::stream::{Close, Duplicate, Gap, GapCause};
use crate::base::time::Timestamp;
use crate::message::MessageSink;
use crate::sink::Outputs;
use crate::sink::tests::{Rig, Shared};
use crate::transport::datagram::{EndedFlow, FlowTotals};

const D: [Direction; 2] = [Direction::Forward, Direction::Reverse];

fn run(show: Show) -> Vec<String> {
    let written = Shared::default();
    let mut outputs = Outputs::new();
    outputs.json("test", Box::new(written.clone()), show, false);
    let mut rig = Rig::with(outputs, written);
    rig.cx.packet.time = Timestamp::from_nanos(1_795_255_200_123_456_789);
    rig.cx.packet.frame = 9;
    let a = rig.whole(D[0], 0, Some(0), b"GET /\"\x1b HTTP/1.1\r\n\r\n");
    rig.start(
        D[1],
        0,
        Extent::Known(30),
        Some(a),
        b"HTTP/1.1 200 OK\r\n\r\n",
    );
    rig.data(D[1], 0, b"HTTP/1.1 200 OK\r\n\r\n", false);
    let gap = Gap {
        offset: 19,
        len: Some(11),
        cause: GapCause::Closed,
        push: false,
    };
    let (outputs, mut at) = rig.at(D[1]);
    outputs.stream_gap(&mut at, &gap);
    rig.gap(D[1], 19, 11);
    rig.end(D[1], 30, false, None);
    let duplicate = Duplicate {
        offset: 15,
        len: 4,
        conflict: true,
    };
    let (outputs, mut at) = rig.at(D[1]);
    outputs.stream_duplicate(&mut at, &duplicate);
    let packet = Packet {
        frame: 10,
        time: rig.cx.packet.time,
        interface: 0,
        link_type: LinkType::ETHERNET,
        data: &[0; 7],
        orig_len: 60,
        fcs_len: None,
        flags: 0,
    };
    let why = Some(Discard::TcpTruncated);
    rig.outputs.packet(&mut rig.cx, &packet, why);
    let (outputs, mut at) = rig.at(D[0]);
    at.cx.packet.time = Timestamp::from_nanos(1_795_255_202_123_456_789);
    outputs.closed(&mut at, Close::Reset);
    let flow = *at.flow;
    let seen = |packets| FlowTotals {
        packets,
        ..FlowTotals::default()
    };
    let ended = EndedFlow {
        flow: &flow,
        first: at.cx.packet.time,
        last: at.cx.packet.time,
        totals: [seen(4), seen(3)],
        protocol: None,
        close: Close::Reset,
    };
    outputs.flow_end(at.cx, &ended);
    assert_eq!(rig.cx.budget.used(), 0);
    String::from_utf8(rig.take())
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_object_a_line() {
    const T: &str = "2026-11-21T10:00:00.123456789Z";
    const TS: &str = "1795255200.123456789";
    let head = |kind: &str, to_server: bool, time: &str| {
        let (a, b) = (
            r#"10.0.0.1","src_port":40000"#,
            r#"10.0.0.2","src_port":80"#,
        );
        let (src, dst) = if to_server { (a, b) } else { (b, a) };
        format!(
            r#"{{"type":"{kind}","transport":"tcp","connection":0,"src":"{src},"dst":"{},"vlans":[],"time":"{time}","ts":{},"frame":9"#,
            dst.replace("src", "dst"),
            if time == T {
                TS
            } else {
                "1795255202.123456789"
            }
        )
    };
    let first = format!(r#","first_time":"{T}","#);
    let base64 = Show {
        body: JsonBody::Base64,
        hash: false,
        filled: false,
    };
    assert_eq!(
        run(base64),
        [
            head("message", true, T)
                + &first
                + r#""first_frame":1,"protocol":"http","kind":"request","summary":"GET /\"\\x1b HTTP/1.1","offset":0,"octets":20,"length":20,"whole":true,"gaps":[],"acknowledged":true,"acknowledged_at":"1970-01-01T00:00:00.000000Z","body":"R0VUIC8iGyBIVFRQLzEuMQ0KDQo=","body_cut":false,"http":{"method":"GET","uri":"/\"\u001b"}}"#,
            head("gap", false, T) + r#","offset":19,"length":11,"cause":"closed"}"#,
            head("message", false, T)
                + &first
                + r#""first_frame":1,"protocol":"http","kind":"response","summary":"HTTP/1.1 200 OK","offset":0,"octets":19,"length":30,"whole":false,"gaps":[[19,11]],"acknowledged":true,"acknowledged_at":"1970-01-01T00:00:00.000000Z","body":"SFRUUC8xLjEgMjAwIE9LDQoNCg==","body_cut":false,"http":{"status":200,"reason":"OK"}}"#,
            head("exchange", true, T)
                + &first
                + r#""first_frame":1,"protocol":"http","request":"GET /\"\\x1b HTTP/1.1","request_offset":0,"response":"HTTP/1.1 200 OK","response_offset":0,"whole":false,"delay":0.000000000,"duration":0.000000000}"#,
            head("duplicate", false, T) + r#","offset":15,"length":4,"conflict":true}"#,
            format!(
                r#"{{"type":"dropped","time":"{T}","ts":{TS},"frame":10,"octets":7,"length":60,"interface":0,"reason":"tcp.truncated","text":"segments cut inside the header"}}"#
            ),
            head("connection", true, "2026-11-21T10:00:02.123456789Z")
                + &first
                + r#""protocol":"http","streams":[{"packets":4,"octets":0,"segments":0,"messages":1,"gaps":0,"lost_octets":0},{"packets":3,"octets":0,"segments":0,"messages":1,"gaps":1,"lost_octets":11}],"duration":2.000000000,"end":"reset"}"#,
        ]
    );
    let text = Show {
        body: JsonBody::Text,
        hash: true,
        filled: true,
    };
    let lines = run(text);
    assert!(lines[0].contains(r#""body":"GET /\"\u001b HTTP/1.1\r\n\r\n""#));
    // By sha256sum.
    const SUM: &str = "c1a8384bc65cedff473a409a40134650f356523ef8bfff5135ccb1dc41381ca2";
    assert!(
        lines[0].contains(&format!(r#","sha256":"{SUM}","#)),
        "{}",
        lines[0]
    );
    assert!(lines[2].contains(r#","sha256":null,"#));
    assert!(!run(Show::default())[0].contains("body"));
}

/// The list of fields, which the man page shows, holds what is written, in that order, and nothing else.
#[test]
fn fields_are_listed() {
    let show = Show {
        body: JsonBody::Text,
        hash: true,
        filled: true,
    };
    let others = crate::message::listing_protocols();
    for line in run(show) {
        let kind = line.split('"').nth(3).unwrap().to_owned();
        let listed: Vec<_> = FIELDS
            .iter()
            .filter(|(kinds, _, _)| kinds.split(' ').any(|k| k == kind))
            .map(|(_, name, _)| *name)
            // Only of SCTP, of fragments, and of other protocols.
            .filter(|name| !matches!(*name, "sctp" | "messages" | "ip"))
            .filter(|name| *name == "http" || !others.contains_key(name))
            .filter(|name| {
                !matches!(
                    *name,
                    "stream" | "http2" | "named" | "decrypted" | "missing"
                )
            })
            .collect();
        // Names at the outer level; the objects inside stand in brackets.
        let mut written = Vec::new();
        let (mut depth, mut rest) = (0, line.as_str());
        while let Some(at) = rest.find(['{', '[', '}', ']', '"']) {
            let c = rest[at..].chars().next().unwrap();
            rest = &rest[at + 1..];
            match c {
                '{' | '[' => depth += 1,
                '}' | ']' => depth -= 1,
                _ => {
                    let mut end = 0;
                    while !rest[end..].starts_with('"') {
                        end += if rest[end..].starts_with('\\') { 2 } else { 1 };
                    }
                    let word = &rest[..end];
                    rest = &rest[end + 1..];
                    if depth == 1 && rest.starts_with(':') {
                        written.push(word.to_owned());
                    }
                }
            }
        }
        assert_eq!(written, listed, "{line}");
    }
}
