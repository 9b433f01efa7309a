//! `--json`: one object a line.
//!
//! [`FIELDS`] is the list of what they hold; the man page is made from it, and a test holds the output to it.

mod digest;
mod exchange;
mod fields;
mod text;

pub use fields::FIELDS;
pub(crate) use text::{number, string};

use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::message::{Extent, Kind};
use crate::base::packet::Packet;
use crate::base::stream::{Chunk, Close, Duplicate, Gap};
use crate::base::time::Timestamp;
use crate::message::sink::DatagramMessage;
use crate::message::summary::summary;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece, carried};
use crate::sink::output::Output;
use crate::sink::text::{gap_cause, rfc3339};
use crate::sink::writer::{BufferedWriter, OutputError, Writer};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use digest::Digest;
use exchange::{UnansweredRequest, UnansweredRequests};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;
use text::base64;

/// Octets of one message that `--json-body` shows; what is more is left out, and `body_cut` says so.
const BODY: usize = 1 << 20;
/// Gaps of one message that are listed.
const GAPS: usize = 1000;

/// `--json-body`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum JsonBody {
    /// Left out.
    #[default]
    None,
    /// As UTF-8; what is none is replaced.
    Text,
    /// As base64 (RFC 4648).
    Base64,
}

/// What is shown of the octets of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Show {
    /// `--json-body`.
    pub body: JsonBody,
    /// `--hash`: the SHA-256 of those that are whole.
    pub hash: bool,
}

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct JsonConnection {
    begun: bool,
    first: Timestamp,
    streams: [JsonStream; 2],
    requests: UnansweredRequests,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct JsonStream {
    octets: u64,
    segments: u64,
    messages: u64,
    gaps: u64,
    lost: u64,
    open: Option<Box<UnfinishedMessage>>,
}

/// An open message.
#[derive(Debug, Default, Serialize, Deserialize)]
struct UnfinishedMessage {
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
    digest: Option<Box<Digest>>,
    /// Of a response: where the request begins that it answers.
    answers: Option<u64>,
    /// Octets that were counted for it.
    counted: usize,
}

impl UnfinishedMessage {
    fn count(&mut self, cx: &mut Context) {
        let now = size_of::<Self>()
            + self.protocol.capacity()
            + self.summary.capacity()
            + self.gaps.capacity() * size_of::<(u64, u64)>()
            + self.body.capacity()
            + self.digest.as_ref().map_or(0, |d| size_of_val(&**d));
        cx.budget.resize(self.counted, now);
        self.counted = now;
    }
}

type JsonEvent<'a> = StreamContext<'a, Option<Box<JsonConnection>>>;

/// The output of JSON lines.
pub(crate) struct Json {
    out: BufferedWriter,
    show: Show,
    text: String,
}

impl Json {
    pub(crate) fn new(name: &str, to: Writer, show: Show, each: bool) -> Self {
        Self {
            out: BufferedWriter::new(name, to, each),
            show,
            text: String::new(),
        }
    }

    /// What is kept of the connection; made at its first event.
    fn stream<'a>(
        at: &'a mut JsonEvent<'_>,
        time: Timestamp,
    ) -> (&'a mut Context, &'a mut JsonStream) {
        let cx = &mut *at.cx;
        let stream = Self::kept(cx, at.state, at.direction, time);
        (cx, stream)
    }

    fn kept<'a>(
        cx: &mut Context,
        state: &'a mut Option<Box<JsonConnection>>,
        direction: Direction,
        time: Timestamp,
    ) -> &'a mut JsonStream {
        let conn = state.get_or_insert_with(|| {
            cx.budget.take(size_of::<JsonConnection>());
            Box::default()
        });
        if !conn.begun {
            conn.begun = true;
            conn.first = time;
        }
        &mut conn.streams[direction.index()]
    }

    /// A request has been answered.
    fn exchange(
        &mut self,
        at: &JsonEvent<'_>,
        request: &UnansweredRequest,
        response: &UnfinishedMessage,
        whole: bool,
    ) {
        let now = at.cx.packet.time;
        let t = self.begin("exchange", at.cx, at.flow, at.direction.flip());
        t.push_str(",\"first_time\":\"");
        rfc3339(request.time, t);
        let _ = write!(t, "\",\"first_frame\":{},\"protocol\":", request.frame);
        string(&response.protocol, t);
        t.push_str(",\"request\":");
        string(&request.summary, t);
        let _ = write!(t, ",\"request_offset\":{},\"response\":", request.shown);
        string(&response.summary, t);
        let whole = request.whole && whole;
        let _ = write!(
            t,
            ",\"response_offset\":{},\"whole\":{whole}",
            response.offset
        );
        seconds("delay", response.first_time.since(request.time), t);
        seconds("duration", now.since(request.time), t);
        self.finish();
    }

    /// Files that were transferred: the lines of their list.
    pub(super) fn files(&mut self, lines: &str) {
        for line in lines.lines() {
            let fields = line.strip_prefix('{').unwrap_or(line);
            let parts = ["{\"type\":\"file\",", fields, "\n", ""];
            self.out.write(parts.map(str::as_bytes));
        }
    }

    /// A packet of the input that could not be used, or not all of it.
    fn dropped(&mut self, packet: &Packet<'_>, why: Discard) {
        let t = &mut self.text;
        t.clear();
        t.push_str("{\"type\":\"dropped\",\"time\":\"");
        rfc3339(packet.time, t);
        let _ = write!(
            t,
            "\",\"frame\":{},\"octets\":{},\"length\":{},\"interface\":{},\"reason\":\"{}.{}\",\"text\":",
            packet.frame,
            packet.data.len(),
            packet.orig_len,
            packet.interface,
            why.section(),
            why.name(),
        );
        string(why.text(), t);
        self.finish();
    }

    /// Takes what is shown of the octets of a message that is at hand as a whole.
    fn show_octets(&self, open: &mut UnfinishedMessage, octets: &[u8]) {
        if self.show.hash {
            open.digest.get_or_insert_default().update(octets);
        }
        if self.show.body != JsonBody::None {
            let shown = octets.get(..BODY).unwrap_or(octets);
            open.body.extend_from_slice(shown);
            open.body_cut = shown.len() < octets.len();
        }
    }

    /// All that messages have in common; what follows, and the end of the object, is the caller's.
    #[allow(clippy::too_many_arguments)]
    fn message(
        &mut self,
        cx: &Context,
        flow: &Flow,
        direction: Direction,
        ends: (SocketAddr, SocketAddr),
        open: &mut UnfinishedMessage,
        offset: Option<u64>,
        whole: bool,
        acknowledged: Option<bool>,
        acknowledged_at: Option<Timestamp>,
    ) {
        let show = self.show;
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
        if show.hash {
            t.push_str(",\"sha256\":");
            match open.digest.take().filter(|_| whole) {
                Some(digest) => {
                    t.push('"');
                    digest.write(t);
                    t.push('"');
                }
                None => t.push_str("null"),
            }
        }
        if show.body != JsonBody::None {
            t.push_str(",\"body\":");
            match show.body {
                JsonBody::Base64 => {
                    t.push('"');
                    base64(&open.body, t);
                    t.push('"');
                }
                JsonBody::Text | JsonBody::None => string(&String::from_utf8_lossy(&open.body), t),
            }
            let _ = write!(t, ",\"body_cut\":{}", open.body_cut);
        }
    }

    /// The connection or association has ended.
    fn ended(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        state: &mut Option<Box<JsonConnection>>,
        close: Close,
    ) {
        let Some(mut conn) = state.take() else {
            return;
        };
        conn.requests.clear(cx);
        cx.budget.give(size_of::<JsonConnection>());
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
        t.push(']');
        seconds("duration", now.since(conn.first), t);
        let _ = write!(t, ",\"end\":\"{end}\"");
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

impl MessageSink for Json {
    type State = Option<Box<JsonConnection>>;

    fn start(&mut self, at: &mut JsonEvent<'_>, start: &MessageStart<'_>) {
        let mut open = Box::new(UnfinishedMessage {
            protocol: start.protocol.to_owned(),
            kind: start.kind,
            offset: start.offset.saturating_sub(at.side().origin),
            length: match start.extent {
                Extent::Known(n) => Some(n),
                Extent::Open | Extent::ToClose => None,
            },
            first_time: start.time,
            first_frame: start.frame,
            digest: self.show.hash.then(Box::default),
            answers: start.answers,
            ..UnfinishedMessage::default()
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
        let request = (start.kind == Kind::Request).then(|| UnansweredRequest {
            offset: start.offset,
            shown: open.offset,
            summary: open.summary.clone(),
            time: start.time,
            frame: start.frame,
            whole: false,
        });
        if let Some(old) = stream.open.replace(open) {
            cx.budget.give(old.counted);
        }
        if let (Some(conn), Some(request)) = (at.state.as_deref_mut(), request) {
            conn.requests.push(at.cx, request);
        }
    }

    fn data(&mut self, at: &mut JsonEvent<'_>, piece: &Piece<'_>) {
        let body = self.show.body;
        let (cx, stream) = Self::stream(at, piece.time);
        let Some(open) = &mut stream.open else { return };
        open.octets += piece.data.len() as u64;
        if let Some(digest) = &mut open.digest {
            digest.update(piece.data);
        }
        if body != JsonBody::None {
            let room = BODY - open.body.len().min(BODY);
            open.body_cut |= piece.data.len() > room;
            open.body
                .extend_from_slice(piece.data.get(..room).unwrap_or(piece.data));
            open.count(cx);
        }
    }

    fn gap(&mut self, at: &mut JsonEvent<'_>, gap: &MessageGap) {
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

    fn end(&mut self, at: &mut JsonEvent<'_>, end: &MessageEnd) {
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
            &mut open,
            offset,
            end.whole,
            acknowledged,
            end.acknowledged,
        );
        self.finish();
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        if open.kind == Kind::Request {
            conn.requests.ended(end.whole);
        } else if let Some(answers) = open.answers
            && let Some(request) = conn.requests.answered(at.cx, answers)
        {
            self.exchange(at, &request, &open, end.whole);
        }
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let (payload, len) = (message.payload, message.payload_len);
        let mut open = UnfinishedMessage {
            protocol: message.protocol.to_owned(),
            length: Some(len as u64),
            first_time: at.cx.packet.time,
            first_frame: at.cx.packet.frame,
            octets: payload.len() as u64,
            ..UnfinishedMessage::default()
        };
        summary(
            message.protocol,
            at.flow.transport,
            Kind::Other,
            payload,
            &mut open.summary,
        );
        self.show_octets(&mut open, payload);
        let whole = payload.len() >= len;
        let ends = (at.flow.src(at.direction), at.flow.dst(at.direction));
        self.message(
            at.cx,
            at.flow,
            at.direction,
            ends,
            &mut open,
            None,
            whole,
            None,
            None,
        );
        self.finish();
    }

    /// An SCTP user message. With multihoming its addresses are not always those of the association.
    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        m: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        let (cx, flow, state) = (&mut *at.cx, at.flow, &mut *at.state);
        let have = m.data.len() as u64;
        let stream = Self::kept(cx, state, m.direction, m.time);
        stream.octets += have;
        stream.segments += u64::from(m.chunks);
        stream.messages += 1;
        stream.gaps += u64::from(!m.whole);
        stream.lost = stream.lost.saturating_add(m.lost());
        let mut open = UnfinishedMessage {
            protocol: protocol.to_owned(),
            length: if m.whole { Some(have) } else { m.len },
            first_time: m.time,
            first_frame: m.frame,
            octets: have,
            ..UnfinishedMessage::default()
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
        self.show_octets(&mut open, m.data);
        let acknowledged = Some(m.acknowledged.is_some());
        self.message(
            cx,
            flow,
            m.direction,
            (m.src, m.dst),
            &mut open,
            None,
            m.whole,
            acknowledged,
            m.acknowledged,
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

    fn stream_gap(&mut self, at: &mut JsonEvent<'_>, gap: &Gap) {
        let time = at.cx.packet.time;
        let (_, stream) = Self::stream(at, time);
        stream.gaps += 1;
        stream.lost = stream.lost.saturating_add(gap.len.unwrap_or(0));
        let offset = gap.offset.saturating_sub(at.side().origin);
        let t = self.begin("gap", at.cx, at.flow, at.direction);
        let _ = write!(t, ",\"offset\":{offset},\"length\":");
        number(gap.len, t);
        let _ = write!(t, ",\"cause\":\"{}\"", gap_cause(gap.cause));
        self.finish();
    }

    fn stream_data(&mut self, at: &mut JsonEvent<'_>, chunk: &Chunk<'_>) {
        let (_, stream) = Self::stream(at, chunk.time);
        stream.octets += chunk.data.len() as u64;
        stream.segments += u64::from(chunk.ends_segment);
    }

    fn stream_duplicate(&mut self, at: &mut JsonEvent<'_>, duplicate: &Duplicate) {
        let offset = at.side().relative(duplicate.offset);
        let t = self.begin("duplicate", at.cx, at.flow, at.direction);
        let _ = write!(
            t,
            ",\"offset\":{offset},\"length\":{},\"conflict\":{}",
            duplicate.len, duplicate.conflict
        );
        self.finish();
    }

    fn closed(&mut self, at: &mut JsonEvent<'_>, close: Close) {
        self.ended(at.cx, at.flow, at.state, close);
    }

    fn association_end(&mut self, at: &mut AssociationContext<'_, Self::State>, close: Close) {
        self.ended(at.cx, at.flow, at.state, close);
    }

    fn packet(&mut self, _: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        if let Some(why) = dropped {
            self.dropped(packet, why);
        }
    }
}

impl Output for Json {
    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.out.flush()
    }

    fn counts(&self) -> bool {
        true
    }
}

/// A time span in seconds.
fn seconds(name: &str, span: Duration, out: &mut String) {
    let _ = write!(
        out,
        ",\"{name}\":{}.{:09}",
        span.as_secs(),
        span.subsec_nanos()
    );
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Rig, Shared};
    use super::*;
    use crate::base::packet::LinkType;
    use crate::base::stream::GapCause;
    use crate::sink::Outputs;

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
        let base64 = Show {
            body: JsonBody::Base64,
            hash: false,
        };
        assert_eq!(
            run(base64),
            [
                head("message", true, T)
                    + &first
                    + r#""first_frame":1,"protocol":"http","kind":"request","summary":"GET /\"\\x1b HTTP/1.1","offset":0,"octets":20,"length":20,"whole":true,"gaps":[],"acknowledged":true,"acknowledged_at":"1970-01-01T00:00:00.000000000Z","body":"R0VUIC8iGyBIVFRQLzEuMQ0KDQo=","body_cut":false}"#,
                head("gap", false, T) + r#","offset":19,"length":11,"cause":"closed"}"#,
                head("message", false, T)
                    + &first
                    + r#""first_frame":1,"protocol":"http","kind":"response","summary":"HTTP/1.1 200 OK","offset":0,"octets":19,"length":30,"whole":false,"gaps":[[19,11]],"acknowledged":true,"acknowledged_at":"1970-01-01T00:00:00.000000000Z","body":"SFRUUC8xLjEgMjAwIE9LDQoNCg==","body_cut":false}"#,
                head("exchange", true, T)
                    + &first
                    + r#""first_frame":1,"protocol":"http","request":"GET /\"\\x1b HTTP/1.1","request_offset":0,"response":"HTTP/1.1 200 OK","response_offset":0,"whole":false,"delay":0.000000000,"duration":0.000000000}"#,
                head("duplicate", false, T) + r#","offset":15,"length":4,"conflict":true}"#,
                format!(
                    r#"{{"type":"dropped","time":"{T}","frame":10,"octets":7,"length":60,"interface":0,"reason":"tcp.truncated","text":"segments cut inside the header"}}"#
                ),
                head("connection", true, "2026-11-21T10:00:02.123456789Z")
                    + &first
                    + r#""streams":[{"octets":0,"segments":0,"messages":1,"gaps":0,"lost_octets":0},{"octets":0,"segments":0,"messages":1,"gaps":1,"lost_octets":11}],"duration":2.000000000,"end":"reset"}"#,
            ]
        );
        let text = Show {
            body: JsonBody::Text,
            hash: true,
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
        };
        for line in run(show) {
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
}
