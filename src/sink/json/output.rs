//! The output of JSON lines.

use super::exchange::WaitingRequest;
use super::objects::{
    BundledObject, ConnectionObject, CounterName, DroppedObject, DuplicateObject, ExchangeObject,
    GapObject, MessageObject, ObjectHead, SctpObject, ShownBody, StreamObject, VlanIds,
};
use super::state::{JsonBody, JsonConnection, JsonStream, Show, UnfinishedMessage};
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::message::{Extent, Kind};
use crate::base::packet::Packet;
use crate::base::stream::{Chunk, Close, Duplicate, Gap};
use crate::base::time::Timestamp;
use crate::message::events::DatagramMessage;
use crate::message::summary;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece, bundle};
use crate::sink::json_line::{Seconds, write};
use crate::sink::output::Output;
use crate::sink::text::{Rfc3339, gap_cause};
use crate::sink::writer::{BufferedWriter, OutputError, Writer};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use serde::Serialize;
use std::net::SocketAddr;
use std::ops::ControlFlow;

/// Octets of one message that `--json-body` shows; what is more is left out, and `body_cut` says so. They wait until the
/// message ends, and a line must fit into the memory of the program that reads it.
const BODY: usize = 1 << 20;
/// Gaps of one message that are listed: enough for any message that is of use, and a bound on what waits for one that is not.
const GAPS: usize = 1000;

type JsonEvent<'a> = StreamContext<'a, Option<Box<JsonConnection>>>;

/// The output of JSON lines.
pub(crate) struct Json {
    out: BufferedWriter,
    show: Show,
}

/// A message that has ended.
struct EndedMessage {
    message: UnfinishedMessage,
    /// Offset in its stream, if it is in one.
    offset: Option<u64>,
    whole: bool,
    /// None where nothing acknowledges it.
    acknowledged: Option<bool>,
    acknowledged_at: Option<Timestamp>,
    sctp: Option<SctpObject>,
    bundled: Option<Vec<BundledObject>>,
}

impl Json {
    pub(crate) fn new(name: &str, to: Writer, show: Show, each: bool) -> Self {
        Self {
            out: BufferedWriter::new(name, to, each),
            show,
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
        request: &WaitingRequest,
        response: &UnfinishedMessage,
        whole: bool,
    ) {
        self.object(&ExchangeObject {
            head: head("exchange", at.cx, at.flow, at.direction.flip()),
            first_time: Rfc3339(request.time),
            first_frame: request.frame,
            protocol: &response.protocol,
            request: &request.summary,
            request_offset: request.shown,
            response: &response.summary,
            response_offset: response.offset,
            whole: request.whole && whole,
            delay: Seconds(response.first_time.since(request.time)),
            duration: Seconds(at.cx.packet.time.since(request.time)),
        });
    }

    /// Files that were transferred: the lines of their list.
    pub(in crate::sink) fn files(&mut self, lines: &str) {
        for line in lines.lines() {
            let fields = line.strip_prefix('{').unwrap_or(line);
            let parts = ["{\"type\":\"file\",", fields, "\n", ""];
            self.out.write(parts.map(str::as_bytes));
        }
    }

    /// A packet of the input that could not be used, or not all of it.
    fn dropped(&mut self, packet: &Packet<'_>, why: Discard) {
        self.object(&DroppedObject {
            kind: "dropped",
            time: Rfc3339(packet.time),
            frame: packet.frame,
            octets: packet.data.len(),
            length: packet.orig_len,
            interface: packet.interface,
            reason: CounterName(why),
            text: why.text(),
        });
    }

    /// Takes what is shown of the octets of a message that is at hand as a whole.
    fn show_octets(&self, message: &mut UnfinishedMessage, octets: &[u8]) {
        if self.show.hash {
            message.digest.get_or_insert_default().update(octets);
        }
        if self.show.body != JsonBody::None {
            let shown = octets.get(..BODY).unwrap_or(octets);
            message.body.extend_from_slice(shown);
            message.body_cut = shown.len() < octets.len();
        }
    }

    /// Writes a message; gives it back for the exchange that it may be a part of.
    fn message(&mut self, head: ObjectHead<'_>, ended: EndedMessage) -> UnfinishedMessage {
        let mut message = ended.message;
        let sha256 = self.show.hash.then(|| {
            let digest = message.digest.take().filter(|_| ended.whole)?;
            Some(digest.hex())
        });
        let shows_body = self.show.body != JsonBody::None;
        self.object(&MessageObject {
            head,
            first_time: Rfc3339(message.first_time),
            first_frame: message.first_frame,
            protocol: &message.protocol,
            kind: match message.kind {
                Kind::Request => "request",
                Kind::Response => "response",
                Kind::Other => "other",
            },
            summary: &message.summary,
            offset: ended.offset,
            octets: message.octets,
            length: message.length,
            whole: ended.whole,
            gaps: &message.gaps,
            acknowledged: ended.acknowledged,
            acknowledged_at: ended.acknowledged_at.map(Rfc3339),
            sha256,
            body: shows_body.then_some(ShownBody {
                octets: &message.body,
                form: self.show.body,
            }),
            body_cut: shows_body.then_some(message.body_cut),
            sctp: ended.sctp,
            messages: ended.bundled,
        });
        message
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
        self.object(&ConnectionObject {
            head: head("connection", cx, flow, Direction::Forward),
            first_time: Rfc3339(conn.first),
            streams: conn.streams.each_ref().map(StreamObject::from),
            duration: Seconds(cx.packet.time.since(conn.first)),
            end: match close {
                Close::Fin if flow.transport == Transport::Sctp => "shutdown",
                Close::Reset if flow.transport == Transport::Sctp => "abort",
                Close::Fin => "fin",
                Close::Reset => "reset",
                Close::Idle => "idle",
                Close::Evicted => "evicted",
                Close::Replaced => "replaced",
                Close::EndOfInput => "end_of_input",
            },
        });
    }

    /// Writes an object and the end of its line.
    fn object(&mut self, object: &impl Serialize) {
        self.out.record(|line| {
            write(object, line);
            line.push(b'\n');
        });
    }
}

/// What an object of a direction begins with.
fn head<'a>(
    kind: &'static str,
    cx: &Context,
    flow: &'a Flow,
    direction: Direction,
) -> ObjectHead<'a> {
    head_between(
        kind,
        cx,
        flow,
        direction,
        (flow.src(direction), flow.dst(direction)),
    )
}

/// The same, where the addresses are not those of the flow.
fn head_between<'a>(
    kind: &'static str,
    cx: &Context,
    flow: &'a Flow,
    direction: Direction,
    (src, dst): (SocketAddr, SocketAddr),
) -> ObjectHead<'a> {
    ObjectHead {
        kind,
        transport: flow.transport.name(),
        connection: flow.number,
        src: src.ip(),
        src_port: src.port(),
        dst: dst.ip(),
        dst_port: dst.port(),
        vlans: VlanIds(&flow.links[direction.index()].tags),
        time: Rfc3339(cx.packet.time),
        frame: cx.packet.frame,
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
        let request = (start.kind == Kind::Request).then(|| WaitingRequest {
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
        let ended = EndedMessage {
            offset: Some(open.offset),
            message: *open,
            whole: end.whole,
            acknowledged: Some(end.acknowledged.is_some()),
            acknowledged_at: end.acknowledged,
            sctp: None,
            bundled: None,
        };
        let open = self.message(head("message", at.cx, at.flow, at.direction), ended);
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
        let ended = EndedMessage {
            message: open,
            offset: None,
            whole,
            acknowledged: None,
            acknowledged_at: None,
            sctp: None,
            bundled: None,
        };
        self.message(head("message", at.cx, at.flow, at.direction), ended);
    }

    /// An SCTP user message. With multihoming its addresses are not always those of the association.
    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        protocol: &'static str,
    ) {
        let (cx, flow, state) = (&mut *at.cx, at.flow, &mut *at.state);
        let have = message.data.len() as u64;
        let stream = Self::kept(cx, state, message.direction, message.time);
        stream.octets += have;
        stream.segments += u64::from(message.chunks);
        stream.messages += 1;
        stream.gaps += u64::from(!message.whole);
        stream.lost = stream.lost.saturating_add(message.lost());
        let mut open = UnfinishedMessage {
            protocol: protocol.to_owned(),
            length: if message.whole {
                Some(have)
            } else {
                message.len
            },
            first_time: message.time,
            first_frame: message.frame,
            octets: have,
            ..UnfinishedMessage::default()
        };
        if message.lost() > 0 {
            open.gaps.push((have, message.lost()));
        }
        summary(
            protocol,
            Transport::Sctp,
            Kind::Other,
            message.data,
            &mut open.summary,
        );
        self.show_octets(&mut open, message.data);
        let bundled = bundle(protocol, message.data).map(|all| {
            let object = |one: crate::message::Bundled<'_>| {
                let mut words = String::new();
                summary(protocol, Transport::Sctp, Kind::Other, one.data, &mut words);
                BundledObject {
                    offset: one.offset,
                    length: one.len,
                    summary: words,
                }
            };
            all.take(GAPS).map(object).collect()
        });
        let ended = EndedMessage {
            message: open,
            offset: None,
            whole: message.whole,
            acknowledged: Some(message.acknowledged.is_some()),
            acknowledged_at: message.acknowledged,
            sctp: Some(SctpObject {
                stream: message.stream,
                mid: message.interleaved.then_some(message.seq),
                ssn: (!message.interleaved).then_some(message.seq),
                ppid: message.ppid,
                tsn: message.tsn,
                chunks: message.chunks,
                unordered: message.unordered,
            }),
            bundled,
        };
        let head = head_between(
            "message",
            cx,
            flow,
            message.direction,
            (message.src, message.dst),
        );
        self.message(head, ended);
    }

    fn stream_gap(&mut self, at: &mut JsonEvent<'_>, gap: &Gap) {
        let time = at.cx.packet.time;
        let (_, stream) = Self::stream(at, time);
        stream.gaps += 1;
        stream.lost = stream.lost.saturating_add(gap.len.unwrap_or(0));
        let offset = gap.offset.saturating_sub(at.side().origin);
        self.object(&GapObject {
            head: head("gap", at.cx, at.flow, at.direction),
            offset,
            length: gap.len,
            cause: gap_cause(gap.cause),
        });
    }

    fn stream_data(&mut self, at: &mut JsonEvent<'_>, chunk: &Chunk<'_>) {
        let (_, stream) = Self::stream(at, chunk.time);
        stream.octets += chunk.data.len() as u64;
        stream.segments += u64::from(chunk.ends_segment);
    }

    fn stream_duplicate(&mut self, at: &mut JsonEvent<'_>, duplicate: &Duplicate) {
        let offset = at.side().relative(duplicate.offset);
        self.object(&DuplicateObject {
            head: head("duplicate", at.cx, at.flow, at.direction),
            offset,
            length: duplicate.len,
            conflict: duplicate.conflict,
        });
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
