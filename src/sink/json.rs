//! `--json`: one object a line.
//!
//! [`FIELDS`] is the list of what they hold; the man page is made from it, and a test holds the output to it.

use super::output::{Error, Sink, Writer};
use super::print::rfc3339;
use crate::context::Context;
use crate::message::carried;
use crate::message::sink::DatagramContext;
use crate::message::summary::summary;
use crate::message::{Extent, Kind, MessageEnd, MessageGap, MessageStart, Piece};
use crate::time::Timestamp;
use crate::transport::flow::{Direction, Flow, Transport};
use crate::transport::sctp::UserMessage;
use crate::transport::stream::{Chunk, Close, Gap, GapCause, StreamContext};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;

/// Octets of one message that `--json-body` shows; what is more is left out, and `body_cut` says so.
const BODY: usize = 1 << 20;
/// Gaps of one message that are listed.
const GAPS: usize = 1000;

/// `--json-body`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Body {
    /// Left out.
    #[default]
    None,
    /// As UTF-8; what is none is replaced.
    Text,
    /// As base64 (RFC 4648).
    Base64,
}

/// All fields: the kinds of object that have them, name, what they say.
pub const FIELDS: &[(&str, &str, &str)] = &[
    (
        "message gap connection",
        "type",
        "kind of the object: message, gap or connection",
    ),
    ("message gap connection", "transport", "tcp, udp or sctp"),
    (
        "message gap connection",
        "connection",
        "number of the connection, as --print shows it",
    ),
    (
        "message gap connection",
        "src",
        "address of the sender; of a connection, of its first packet's",
    ),
    ("message gap connection", "src_port", "port of the sender"),
    ("message gap connection", "dst", "address of the receiver"),
    ("message gap connection", "dst_port", "port of the receiver"),
    (
        "message gap connection",
        "vlans",
        "VLAN identifiers of the direction's first packet, outer first",
    ),
    (
        "message gap connection",
        "time",
        "when the packet was captured that completed it (RFC 3339, UTC)",
    ),
    (
        "message gap connection",
        "frame",
        "number of that packet in the input, from 1",
    ),
    (
        "message connection",
        "first_time",
        "when its first octet was captured",
    ),
    (
        "message",
        "first_frame",
        "number of the packet that its first octet came in",
    ),
    (
        "message",
        "protocol",
        "protocol, by Wireshark's name; data where none is known",
    ),
    ("message", "kind", "request, response or other"),
    (
        "message",
        "summary",
        "start line, query, or first octets, escaped",
    ),
    (
        "message gap",
        "offset",
        "offset of its first octet in the stream, from 0; null in a datagram and of a user message",
    ),
    ("message", "octets", "octets that are there"),
    (
        "message gap",
        "length",
        "octets that it should have; of a gap, that are missing; null where nobody can know",
    ),
    ("message", "whole", "nothing of it is missing"),
    (
        "message",
        "gaps",
        "missing ranges: offset in the stream (in an SCTP user message) and length of each; 1,000 at most",
    ),
    (
        "message",
        "acknowledged",
        "the other side had acknowledged it when it ended; null in a datagram",
    ),
    (
        "message",
        "acknowledged_at",
        "when that acknowledgment was captured; null where there is none",
    ),
    (
        "message",
        "body",
        "its octets, where --json-body asks for them; 1 MiB at most",
    ),
    (
        "message",
        "body_cut",
        "there were more octets than body holds",
    ),
    (
        "message",
        "sctp",
        "of an SCTP user message: stream, ssn (mid where it came in I-DATA), ppid, tsn of its first chunk, chunks and unordered",
    ),
    (
        "message",
        "messages",
        "what an SCTP user message of a protocol that puts several into one (Diameter, M2PA) carries: offset in it, length and summary of each; 1,000 at most",
    ),
    (
        "gap",
        "cause",
        "why the hole was given up: acked, closed, timeout, buffer, holes, memory, end, snapped or jump",
    ),
    (
        "connection",
        "streams",
        "for both directions, the first packet's first: octets, segments, messages, gaps and lost_octets; of SCTP, chunks and incomplete messages for segments and gaps",
    ),
    (
        "connection",
        "duration",
        "seconds from its first octet to its end",
    ),
    (
        "connection",
        "end",
        "how it ended: fin, reset, idle, evicted, replaced or end_of_input; of SCTP, shutdown and abort for fin and reset",
    ),
];

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Connection {
    begun: bool,
    first: Timestamp,
    streams: [Stream; 2],
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stream {
    octets: u64,
    segments: u64,
    messages: u64,
    gaps: u64,
    lost: u64,
    open: Option<Box<Open>>,
}

/// An open message.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Open {
    protocol: String,
    kind: Kind,
    summary: String,
    offset: u64,
    length: Option<u64>,
    first_time: Timestamp,
    first_frame: u64,
    octets: u64,
    gaps: Vec<(u64, u64)>,
    body: Vec<u8>,
    body_cut: bool,
    /// Octets that were counted for it.
    counted: usize,
}

impl Open {
    fn count(&mut self, cx: &mut Context) {
        let now = size_of::<Self>()
            + self.protocol.capacity()
            + self.summary.capacity()
            + self.gaps.capacity() * size_of::<(u64, u64)>()
            + self.body.capacity();
        cx.budget.resize(self.counted, now);
        self.counted = now;
    }
}

type At<'a> = StreamContext<'a, Option<Box<Connection>>>;

/// The output of JSON lines.
pub(crate) struct Json {
    out: Sink,
    body: Body,
    text: String,
}

impl Json {
    pub(crate) fn new(name: &str, to: Writer, body: Body, each: bool) -> Self {
        Self {
            out: Sink::new(name, to, each),
            body,
            text: String::new(),
        }
    }

    pub(crate) fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        self.out.flush()
    }

    /// What is kept of the connection; made at its first event.
    fn stream<'a>(at: &'a mut At<'_>, time: Timestamp) -> (&'a mut Context, &'a mut Stream) {
        let cx = &mut *at.cx;
        let stream = Self::kept(cx, at.state, at.direction, time);
        (cx, stream)
    }

    fn kept<'a>(
        cx: &mut Context,
        state: &'a mut Option<Box<Connection>>,
        direction: Direction,
        time: Timestamp,
    ) -> &'a mut Stream {
        let conn = state.get_or_insert_with(|| {
            cx.budget.take(size_of::<Connection>());
            Box::default()
        });
        if !conn.begun {
            conn.begun = true;
            conn.first = time;
        }
        &mut conn.streams[direction.index()]
    }

    pub(crate) fn start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        let mut open = Box::new(Open {
            protocol: start.protocol.to_owned(),
            kind: start.kind,
            offset: start.offset.saturating_sub(at.side().origin),
            length: match start.extent {
                Extent::Known(n) => Some(n),
                Extent::Open | Extent::ToClose => None,
            },
            first_time: start.time,
            first_frame: start.frame,
            ..Open::default()
        });
        summary(
            start.protocol,
            at.flow.transport,
            start.kind,
            start.head,
            &mut open.summary,
        );
        let (cx, stream) = Self::stream(at, start.time);
        open.count(cx);
        if let Some(old) = stream.open.replace(open) {
            cx.budget.give(old.counted);
        }
    }

    pub(crate) fn data(&mut self, at: &mut At<'_>, piece: &Piece<'_>) {
        let body = self.body;
        let (cx, stream) = Self::stream(at, piece.time);
        let Some(open) = &mut stream.open else { return };
        open.octets += piece.data.len() as u64;
        if body != Body::None {
            let room = BODY - open.body.len().min(BODY);
            open.body_cut |= piece.data.len() > room;
            open.body
                .extend_from_slice(piece.data.get(..room).unwrap_or(piece.data));
            open.count(cx);
        }
    }

    pub(crate) fn gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
        let time = at.cx.packet.time;
        let offset = gap.offset.saturating_sub(at.side().origin);
        let (cx, stream) = Self::stream(at, time);
        if let Some(open) = &mut stream.open
            && open.gaps.len() < GAPS
        {
            open.gaps.push((offset, gap.len));
            open.count(cx);
        }
    }

    pub(crate) fn end(&mut self, at: &mut At<'_>, end: &MessageEnd) {
        let offset = end.offset.saturating_sub(at.side().origin);
        let time = at.cx.packet.time;
        let (cx, stream) = Self::stream(at, time);
        stream.messages += 1;
        let Some(mut open) = stream.open.take() else {
            return;
        };
        cx.budget.give(open.counted);
        if end.whole && open.length.is_none() {
            open.length = Some(offset.saturating_sub(open.offset));
        }
        let (offset, acknowledged) = (Some(open.offset), Some(end.acknowledged.is_some()));
        let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
        self.message(
            at.cx,
            at.flow,
            at.direction,
            ends,
            &open,
            offset,
            end.whole,
            acknowledged,
            end.acknowledged,
        );
        self.finish();
    }

    pub(crate) fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8], len: usize) {
        let mut open = Open {
            protocol: at.protocol.to_owned(),
            length: Some(len as u64),
            first_time: at.cx.packet.time,
            first_frame: at.cx.packet.frame,
            octets: payload.len() as u64,
            ..Open::default()
        };
        summary(
            at.protocol,
            at.flow.transport,
            Kind::Other,
            payload,
            &mut open.summary,
        );
        if self.body != Body::None {
            open.body.extend_from_slice(payload);
        }
        let whole = payload.len() >= len;
        let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
        self.message(
            at.cx,
            at.flow,
            at.direction,
            ends,
            &open,
            None,
            whole,
            None,
            None,
        );
        self.finish();
    }

    /// An SCTP user message. With multihoming its addresses are not always those of the association.
    pub(crate) fn user_message(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        state: &mut Option<Box<Connection>>,
        m: &UserMessage<'_>,
        protocol: &str,
    ) {
        let have = m.data.len() as u64;
        let stream = Self::kept(cx, state, m.direction, m.time);
        stream.octets += have;
        stream.segments += u64::from(m.chunks);
        stream.messages += 1;
        stream.gaps += u64::from(!m.whole);
        stream.lost = stream.lost.saturating_add(m.lost());
        let shown = m.data.get(..BODY).unwrap_or(m.data);
        let mut open = Open {
            protocol: protocol.to_owned(),
            length: if m.whole { Some(have) } else { m.len },
            first_time: m.time,
            first_frame: m.frame,
            octets: have,
            body_cut: shown.len() < m.data.len(),
            ..Open::default()
        };
        if m.lost() > 0 {
            open.gaps.push((have, m.lost()));
        }
        summary(
            protocol,
            Transport::Sctp,
            Kind::Other,
            m.data,
            &mut open.summary,
        );
        if self.body != Body::None {
            open.body.extend_from_slice(shown);
        }
        let acknowledged = Some(m.acknowledged);
        self.message(
            cx,
            flow,
            m.direction,
            (m.src, m.dst),
            &open,
            None,
            m.whole,
            acknowledged,
            None,
        );
        let t = &mut self.text;
        let number = if m.interleaved { "mid" } else { "ssn" };
        let _ = write!(
            t,
            ",\"sctp\":{{\"stream\":{},\"{number}\":{},\"ppid\":{},\"tsn\":{},\"chunks\":{},\"unordered\":{}}}",
            m.stream, m.seq, m.ppid, m.tsn, m.chunks, m.unordered
        );
        if let Some(carried) = carried::messages(protocol, m.data) {
            t.push_str(",\"messages\":[");
            for (i, one) in carried.take(GAPS).enumerate() {
                let comma = if i > 0 { "," } else { "" };
                let _ = write!(
                    t,
                    "{comma}{{\"offset\":{},\"length\":{},\"summary\":",
                    one.offset, one.len
                );
                let mut words = String::new();
                summary(protocol, Transport::Sctp, Kind::Other, one.data, &mut words);
                string(&words, t);
                t.push('}');
            }
            t.push(']');
        }
        self.finish();
    }

    /// All that messages have in common; what follows, and the end of the object, is the caller's.
    #[allow(clippy::too_many_arguments)]
    fn message(
        &mut self,
        cx: &Context,
        flow: &Flow,
        direction: Direction,
        ends: (SocketAddr, SocketAddr),
        open: &Open,
        offset: Option<u64>,
        whole: bool,
        acknowledged: Option<bool>,
        acknowledged_at: Option<Timestamp>,
    ) {
        let body = self.body;
        let t = self.begin_between("message", cx, flow, direction, ends);
        // Writing to a string does not fail.
        t.push_str(",\"first_time\":\"");
        rfc3339(open.first_time, t);
        let _ = write!(t, "\",\"first_frame\":{},\"protocol\":", open.first_frame);
        string(&open.protocol, t);
        t.push_str(match open.kind {
            Kind::Request => ",\"kind\":\"request\",\"summary\":",
            Kind::Response => ",\"kind\":\"response\",\"summary\":",
            Kind::Other => ",\"kind\":\"other\",\"summary\":",
        });
        string(&open.summary, t);
        t.push_str(",\"offset\":");
        number(offset, t);
        let _ = write!(t, ",\"octets\":{},\"length\":", open.octets);
        number(open.length, t);
        let _ = write!(t, ",\"whole\":{whole},\"gaps\":[");
        for (i, (offset, len)) in open.gaps.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(t, "{comma}[{offset},{len}]");
        }
        let _ = match acknowledged {
            Some(a) => write!(t, "],\"acknowledged\":{a}"),
            None => write!(t, "],\"acknowledged\":null"),
        };
        t.push_str(",\"acknowledged_at\":");
        match acknowledged_at {
            Some(time) => {
                t.push('"');
                rfc3339(time, t);
                t.push('"');
            }
            None => t.push_str("null"),
        }
        if body != Body::None {
            t.push_str(",\"body\":");
            match body {
                Body::Base64 => {
                    t.push('"');
                    base64(&open.body, t);
                    t.push('"');
                }
                Body::Text | Body::None => string(&String::from_utf8_lossy(&open.body), t),
            }
            let _ = write!(t, ",\"body_cut\":{}", open.body_cut);
        }
    }

    /// Counts the octets of a stream.
    pub(crate) fn stream_data(at: &mut At<'_>, chunk: &Chunk<'_>) {
        let (_, stream) = Self::stream(at, chunk.time);
        stream.octets += chunk.data.len() as u64;
        stream.segments += u64::from(chunk.ends_segment);
    }

    pub(crate) fn stream_gap(&mut self, at: &mut At<'_>, gap: &Gap) {
        let time = at.cx.packet.time;
        let (_, stream) = Self::stream(at, time);
        stream.gaps += 1;
        stream.lost = stream.lost.saturating_add(gap.len.unwrap_or(0));
        let offset = gap.offset.saturating_sub(at.side().origin);
        let t = self.begin("gap", at.cx, at.flow, at.direction);
        let _ = write!(t, ",\"offset\":{offset},\"length\":");
        number(gap.len, t);
        let _ = write!(t, ",\"cause\":\"{}\"", cause(gap.cause));
        self.finish();
    }

    /// The connection or association has ended.
    pub(crate) fn ended(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        state: &mut Option<Box<Connection>>,
        close: Close,
    ) {
        let Some(conn) = state.take() else { return };
        cx.budget.give(size_of::<Connection>());
        for stream in &conn.streams {
            if let Some(open) = &stream.open {
                cx.budget.give(open.counted);
            }
        }
        let now = cx.packet.time;
        let t = self.begin("connection", cx, flow, Direction::Forward);
        t.push_str(",\"first_time\":\"");
        rfc3339(conn.first, t);
        t.push_str("\",\"streams\":[");
        for (i, s) in conn.streams.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(
                t,
                "{comma}{{\"octets\":{},\"segments\":{},\"messages\":{},\"gaps\":{},\"lost_octets\":{}}}",
                s.octets, s.segments, s.messages, s.gaps, s.lost
            );
        }
        let end = match close {
            Close::Fin if flow.transport == Transport::Sctp => "shutdown",
            Close::Reset if flow.transport == Transport::Sctp => "abort",
            Close::Fin => "fin",
            Close::Reset => "reset",
            Close::Idle => "idle",
            Close::Evicted => "evicted",
            Close::Replaced => "replaced",
            Close::EndOfInput => "end_of_input",
        };
        let duration = now.since(conn.first);
        let _ = write!(
            t,
            "],\"duration\":{}.{:09},\"end\":\"{end}\"",
            duration.as_secs(),
            duration.subsec_nanos()
        );
        self.finish();
    }

    /// What every object begins with.
    fn begin(
        &mut self,
        kind: &str,
        cx: &Context,
        flow: &Flow,
        direction: Direction,
    ) -> &mut String {
        let ends = (flow.src(direction), flow.dst(direction));
        self.begin_between(kind, cx, flow, direction, ends)
    }

    fn begin_between(
        &mut self,
        kind: &str,
        cx: &Context,
        flow: &Flow,
        direction: Direction,
        (src, dst): (SocketAddr, SocketAddr),
    ) -> &mut String {
        let t = &mut self.text;
        t.clear();
        let _ = write!(
            t,
            "{{\"type\":\"{kind}\",\"transport\":\"{}\",\"connection\":{},\"src\":\"{}\",\"src_port\":{},\"dst\":\"{}\",\"dst_port\":{},\"vlans\":[",
            flow.transport.name(),
            flow.number,
            src.ip(),
            src.port(),
            dst.ip(),
            dst.port(),
        );
        let tags = flow.links[direction.index()].tags;
        for (i, tag) in tags.iter().filter(|t| t.tpid != 0).enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(t, "{comma}{}", tag.tci & 0x0fff);
        }
        t.push_str("],\"time\":\"");
        rfc3339(cx.packet.time, t);
        let _ = write!(t, "\",\"frame\":{}", cx.packet.frame);
        t
    }

    fn finish(&mut self) {
        self.text.push_str("}\n");
        self.out.write([self.text.as_bytes(), &[], &[], &[]]);
    }
}

/// The word for a cause.
pub(crate) fn cause(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Acked => "acked",
        GapCause::Closed => "closed",
        GapCause::Timeout => "timeout",
        GapCause::Buffer => "buffer",
        GapCause::Holes => "holes",
        GapCause::Memory => "memory",
        GapCause::End => "end",
        GapCause::Snapped => "snapped",
        GapCause::Jump => "jump",
    }
}

pub(crate) fn number(n: Option<u64>, out: &mut String) {
    let _ = match n {
        Some(n) => write!(out, "{n}"),
        None => write!(out, "null"),
    };
}

/// A string (RFC 8259, 7); control characters, DEL and C1 included, are escaped.
pub(crate) fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// RFC 4648, 4.
fn base64(octets: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in octets.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            if i > group.len() {
                out.push('=');
            } else {
                let index = (bits >> (18 - 6 * i) & 63) as usize;
                out.push(char::from(ALPHABET[index]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Rig, Shared};
    use super::*;
    use crate::message::MessageSink;
    use crate::sink::Outputs;

    const D: [Direction; 2] = [Direction::Forward, Direction::Reverse];

    fn run(body: Body) -> Vec<String> {
        let written = Shared::default();
        let mut outputs = Outputs::new();
        outputs.json("test", Box::new(written.clone()), body, false);
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
        };
        let (outputs, mut at) = rig.at(D[1]);
        outputs.stream_gap(&mut at, &gap);
        rig.gap(D[1], 19, 11);
        rig.end(D[1], 30, false, None);
        let (outputs, mut at) = rig.at(D[0]);
        at.cx.packet.time = Timestamp::from_nanos(1_795_255_202_123_456_789);
        outputs.closed(&mut at, Close::Reset);
        assert_eq!(rig.cx.budget.used(), 0);
        String::from_utf8(rig.take())
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn an_object_a_line() {
        let head = |kind: &str, to_server: bool, time: &str| {
            let (a, b) = (
                r#"10.0.0.1","src_port":40000"#,
                r#"10.0.0.2","src_port":80"#,
            );
            let (src, dst) = if to_server { (a, b) } else { (b, a) };
            format!(
                r#"{{"type":"{kind}","transport":"tcp","connection":0,"src":"{src},"dst":"{},"vlans":[],"time":"{time}","frame":9"#,
                dst.replace("src", "dst")
            )
        };
        const T: &str = "2026-11-21T10:00:00.123456789Z";
        let first = format!(r#","first_time":"{T}","#);
        assert_eq!(
            run(Body::Base64),
            [
                head("message", true, T)
                    + &first
                    + r#""first_frame":1,"protocol":"http","kind":"request","summary":"GET /\"\\x1b HTTP/1.1","offset":0,"octets":20,"length":20,"whole":true,"gaps":[],"acknowledged":true,"acknowledged_at":"1970-01-01T00:00:00.000000000Z","body":"R0VUIC8iGyBIVFRQLzEuMQ0KDQo=","body_cut":false}"#,
                head("gap", false, T) + r#","offset":19,"length":11,"cause":"closed"}"#,
                head("message", false, T)
                    + &first
                    + r#""first_frame":1,"protocol":"http","kind":"response","summary":"HTTP/1.1 200 OK","offset":0,"octets":19,"length":30,"whole":false,"gaps":[[19,11]],"acknowledged":true,"acknowledged_at":"1970-01-01T00:00:00.000000000Z","body":"SFRUUC8xLjEgMjAwIE9LDQoNCg==","body_cut":false}"#,
                head("connection", true, "2026-11-21T10:00:02.123456789Z")
                    + &first
                    + r#""streams":[{"octets":0,"segments":0,"messages":1,"gaps":0,"lost_octets":0},{"octets":0,"segments":0,"messages":1,"gaps":1,"lost_octets":11}],"duration":2.000000000,"end":"reset"}"#,
            ]
        );
        assert!(run(Body::Text)[0].contains(r#""body":"GET /\"\u001b HTTP/1.1\r\n\r\n""#));
        assert!(!run(Body::None)[0].contains("body"));
    }

    /// The list of fields, which the man page shows, holds what is written, in that order, and nothing else.
    #[test]
    fn fields_are_listed() {
        for line in run(Body::Text) {
            let kind = line.split('"').nth(3).unwrap().to_owned();
            let listed: Vec<_> = FIELDS
                .iter()
                .filter(|(kinds, _, _)| kinds.split(' ').any(|k| k == kind))
                .map(|(_, name, _)| *name)
                // Only of SCTP.
                .filter(|name| !matches!(*name, "sctp" | "messages"))
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

    #[test]
    fn base64_of_any_length() {
        for (octets, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            let mut out = String::new();
            base64(octets.as_bytes(), &mut out);
            assert_eq!(out, expected);
        }
    }
}
