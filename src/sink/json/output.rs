//! The output of JSON lines.

use super::objects::{
    BundledObject, ConnectionObject, CounterName, DroppedObject, DuplicateObject, ExchangeObject,
    FragmentObject, GapObject, IpObject, MessageObject, NamedObject, ObjectHead, ProtocolFields,
    SctpObject, ShownBody, StreamObject, TlsObject, TsnsObject, VlanIds,
};
use super::state::{
    AnsweredRequest, EndedResponse, JsonBody, JsonConnection, JsonStream, Show, ShownRequest,
    UnfinishedMessage,
};
use crate::base::context::Context;
use crate::base::counters::{ChannelCounters, Discard};
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::fragment::{FragmentEvent, FragmentFate};
use crate::base::message::{Extent, Kind};
use crate::base::packet::{Interface, Packet, PacketInfo};
use crate::base::protocol::Name;
use crate::base::state;
use crate::base::stream::{Chunk, Close, Duplicate, Gap};
use crate::base::time::Timestamp;
use crate::message::events::DatagramMessage;
use crate::message::records::HandshakeMessage;
use crate::message::{
    ListedMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece, bundle, shown,
    unescaped,
};
use crate::message::{
    MessageFields, by_number, fields, fields_into, has_one_answer, kind, named_ends, summary,
};
use crate::sink::choice::FILE;
use crate::sink::exchange::{
    NumberedRequests, RequestId, TOLD, WaitingRequest, goes_over, numbered,
};
use crate::sink::json_line::{Seconds, write};
use crate::sink::output::{Output, body_room, kept, take_kept};
use crate::sink::pairing::Paired;
use crate::sink::pairing::is_interim;
use crate::sink::saved::goes_on;
use crate::sink::text::{Rfc3339, UnixSeconds, ended_by, gap_cause, kind_word};
use crate::sink::writer::{BufferedWriter, OutputError, Reopened, Writer};
use crate::transport::datagram::{DatagramContext, EndedFlow};
use crate::transport::sctp::{AssociationContext, ChunkGap, DuplicateChunk, UserMessage};
use crate::transport::stream::StreamContext;
use serde::Serialize;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

/// Octets of one message that `--json-body` shows; what is more is left out, and `body_cut` says so. They wait until the
/// message ends, and a line must fit into the memory of the program that reads it.
const BODY: usize = 1 << 20;
/// Gaps of one message that are listed: enough for any message that is of use, and a bound on what waits for one that is not.
const GAPS: usize = 1000;
/// The halves of an exchange that may be missing.
const REQUEST: &str = "request";
const RESPONSE: &str = "response";
/// Responses of a connection that wait for its end, to be told of without their requests if octets are missing: as many as requests wait.
const UNASKED: usize = 64;
/// An answer may be captured so long ahead of its request, where several captures were put into one: their clocks differ by no more,
/// mostly.
const EARLY: Duration = Duration::from_secs(1);
/// A request of a datagram that is forgotten for others after so long will not be answered any more: resolvers give up after half a minute
/// (RFC 1035, 7.2).
const LATE: Duration = Duration::from_secs(60);

type JsonEvent<'a> = StreamContext<'a, Option<Box<JsonConnection>>>;

/// The output of JSON lines.
pub(crate) struct Json {
    pub(in crate::sink) out: BufferedWriter,
    show: Show,
    /// Of each interface of the input: it counts nanoseconds.
    nanos: Vec<bool>,
    /// What was kept of the connection or association that has just ended, for its [`MessageSink::flow_end`].
    ended: Option<Box<JsonConnection>>,
    /// Requests in datagrams and user messages.
    asked: NumberedRequests<NumberedRequest>,
    /// Those that were answered, or not asked: the same answer may come again.
    told: NumberedRequests<()>,
    /// Answers in datagrams and user messages that were captured ahead of their requests, or have none.
    early: NumberedRequests<NumberedResponse>,
    /// Exchanges are told of which one half is missing: all messages are chosen.
    tells_missing: bool,
    /// Requests of the connection that ends next which wait for an answer.
    waiting: Vec<(Direction, u64)>,
    /// By direction: octets of it are missing.
    lacks: [bool; 2],
    /// What a connection has answered that went over to HTTP/2: told where the connection itself is at hand.
    went_over: Option<(u64, EndedResponse)>,
    /// What the message answers that begins next.
    paired: Paired,
    /// Where requests of its connection begin whose answers are missing, as that tells.
    passed: Vec<u64>,
    /// The file that it is about, where it does not say that itself.
    file: String,
    /// The memory of a message that was at hand as a whole, for the next one.
    spare: Spare,
}

/// What an exchange shows of a request that stood in a datagram or a user message.
#[derive(Debug, state::Serialize, state::Deserialize)]
struct NumberedRequest {
    id: RequestId,
    flow: Flow,
    direction: Direction,
    protocol: Name,
    time: Timestamp,
    frame: u64,
    summary: String,
    whole: bool,
}

/// The same of a response that came without one.
#[derive(Debug, state::Serialize, state::Deserialize)]
struct NumberedResponse {
    flow: Flow,
    /// That of its request.
    direction: Direction,
    protocol: Name,
    time: Timestamp,
    frame: u64,
    summary: String,
    whole: bool,
    /// Its request is missing if none comes.
    answers_one: bool,
}

/// What a message that was at hand had allocated.
#[derive(Default)]
struct Spare {
    summary: String,
    fields: MessageFields,
    body: Vec<u8>,
}

/// The half of an exchange that is in the capture.
struct KnownHalf<'a> {
    protocol: Name,
    stream: Option<u32>,
    summary: &'a str,
    /// None where it is in no stream.
    offset: Option<u64>,
    time: Timestamp,
    frame: u64,
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
            out: BufferedWriter::new(name, to, each).of_messages(),
            show,
            nanos: Vec::new(),
            ended: None,
            asked: NumberedRequests::default(),
            told: NumberedRequests::default(),
            early: NumberedRequests::default(),
            tells_missing: true,
            waiting: Vec::new(),
            lacks: [false; 2],
            went_over: None,
            paired: Paired::default(),
            passed: Vec::new(),
            file: String::new(),
            spare: Spare::default(),
        }
    }

    /// The file that the message is about which begins next, escaped.
    pub(in crate::sink) fn is_about(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    /// Not all messages are told: what is not may be the other half of an exchange.
    pub(in crate::sink) const fn hears_some(&mut self) {
        self.tells_missing = false;
    }

    /// The connection ends next, and these of its requests wait for an answer.
    /// `lacks`: by direction, octets of it are missing.
    pub(in crate::sink) fn waits(
        &mut self,
        requests: impl Iterator<Item = (Direction, u64)>,
        lacks: [bool; 2],
    ) {
        self.lacks = lacks;
        self.waiting.clear();
        if self.tells_missing {
            self.waiting.extend(requests);
        }
    }

    /// The message that begins next has passed over these requests of its connection: their answers are missing.
    pub(in crate::sink) fn has_passed(&mut self, requests: Vec<u64>) {
        self.passed = requests;
    }

    /// What the message answers that begins next.
    pub(in crate::sink) const fn answers(&mut self, paired: Paired) {
        self.paired = paired;
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
        let conn = kept(cx, state);
        if !conn.begun {
            conn.begun = true;
            conn.first = time;
        }
        &mut conn.streams[direction.index()]
    }

    /// A request, in this direction, has been answered, and both have ended.
    fn exchange(
        &mut self,
        at: &mut JsonEvent<'_>,
        direction: Direction,
        (request, response): &AnsweredRequest,
    ) {
        let flow = at.flow;
        let ended = PacketInfo {
            time: response.time,
            frame: response.frame,
            ..at.cx.packet
        };
        let begun = request.kept.begun.unwrap_or(response.first_time);
        at.cx.counters.exchange.paired += 1;
        at.cx.for_packet(ended, |cx| {
            self.object(&ExchangeObject {
                head: self.head("exchange", cx, flow, direction),
                first_time: self.time(cx, request.time),
                first_frame: request.kept.frame,
                protocol: response.protocol.text(),
                stream: response.stream,
                request: Some(&request.kept.summary),
                request_offset: Some(request.kept.offset),
                response: Some(&response.summary),
                response_offset: Some(response.offset),
                whole: request.whole == Some(true) && response.whole,
                missing: None,
                delay: Some(Seconds(begun.since(request.time))),
                duration: Some(Seconds(response.time.since(request.time))),
            });
        });
    }

    /// An exchange of which one half, `missing`, is not in the capture. `direction`: that of its request.
    fn half_exchange(
        &mut self,
        cx: &mut Context,
        (flow, direction): (&Flow, Direction),
        half: &KnownHalf<'_>,
        missing: &'static str,
    ) {
        if !self.tells_missing {
            return;
        }
        let is_request = missing == RESPONSE;
        let counters = &mut cx.counters.exchange;
        counters.no_response += u64::from(is_request);
        counters.no_request += u64::from(!is_request);
        let request = Some(half).filter(|_| is_request);
        let response = Some(half).filter(|_| !is_request);
        self.object(&ExchangeObject {
            head: self.head("exchange", cx, flow, direction),
            first_time: self.time(cx, half.time),
            first_frame: half.frame,
            protocol: half.protocol.text(),
            stream: half.stream,
            request: request.map(|half| half.summary),
            request_offset: request.and_then(|half| half.offset),
            response: response.map(|half| half.summary),
            response_offset: response.and_then(|half| half.offset),
            whole: false,
            missing: Some(missing),
            delay: None,
            duration: None,
        });
    }

    /// A request was not answered, or its answer is not in the capture.
    fn unanswered(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        request: &WaitingRequest<ShownRequest, EndedResponse>,
    ) {
        let shown = &request.kept;
        let half = KnownHalf {
            protocol: shown.protocol,
            stream: shown.stream,
            summary: &shown.summary,
            offset: Some(shown.offset),
            time: request.time,
            frame: shown.frame,
        };
        self.half_exchange(cx, (flow, shown.direction), &half, RESPONSE);
    }

    /// Requests were passed over whose answers are missing.
    fn tell_passed(&mut self, at: &mut JsonEvent<'_>) {
        for offset in std::mem::take(&mut self.passed) {
            let conn = at.state.as_deref_mut();
            if let Some(request) = conn.and_then(|conn| conn.requests.take(at.cx, offset)) {
                self.unanswered(at.cx, at.flow, &request);
            }
        }
    }

    /// What is kept of responses whose request may be missing is told, where octets are, and given back.
    fn unasked_end(&mut self, at: &mut JsonEvent<'_>) {
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        for (direction, response) in std::mem::take(&mut conn.unasked) {
            at.cx.budget.give(response.size());
            if self.lacks[direction.flip().index()] {
                let half = KnownHalf {
                    protocol: response.protocol,
                    stream: response.stream,
                    summary: &response.summary,
                    offset: Some(response.offset),
                    time: response.first_time,
                    frame: response.first_frame,
                };
                self.half_exchange(at.cx, (at.flow, direction.flip()), &half, REQUEST);
            }
        }
    }

    /// A request that stood in a datagram was not answered. What an association of SCTP lacks another one may have, where its paths were
    /// not known to be one.
    fn numbered_unanswered(&mut self, cx: &mut Context, request: &NumberedRequest) {
        let certain = request.flow.transport == Transport::Udp;
        if !certain || !has_one_answer(request.protocol.text()) {
            return;
        }
        let half = KnownHalf {
            protocol: request.protocol,
            stream: None,
            summary: &request.summary,
            offset: None,
            time: request.time,
            frame: request.frame,
        };
        self.half_exchange(cx, (&request.flow, request.direction), &half, RESPONSE);
    }

    /// The connection, or the stream that it carries, ends: what is known of its exchanges is told.
    fn exchanges_end(&mut self, at: &mut JsonEvent<'_>) {
        self.tell_went_over(at, true);
        let mut waiting = std::mem::take(&mut self.waiting);
        if at
            .state
            .as_deref()
            .is_some_and(|conn| !conn.unasked.is_empty())
            && !waiting.is_empty()
        {
            // Behind a loss a response may come out before its request: each may be what the other lacks, so nothing is said of either.
            self.lacks = [false; 2];
            waiting.clear();
        }
        self.unasked_end(at);
        while let Some(conn) = at.state.as_deref_mut()
            && let Some(mut request) = conn.requests.pop(at.cx)
        {
            let direction = request.kept.direction;
            if let Some(response) = request.early.take() {
                self.exchange(at, direction, &(request, *response));
            } else if waiting.contains(&(direction, request.offset)) {
                self.unanswered(at.cx, at.flow, &request);
            }
        }
        self.waiting = waiting;
        self.waiting.clear();
    }

    /// The answer to the request with which this connection went over to HTTP/2 may have come. `last`: else there is none.
    fn tell_went_over(&mut self, at: &mut JsonEvent<'_>, last: bool) {
        let answer = match self.went_over.take() {
            Some((number, answer)) if number == at.flow.number => Some(answer),
            other => {
                self.went_over = other;
                None
            }
        };
        let Some(conn) = at.state.as_deref_mut().filter(|_| last || answer.is_some()) else {
            return;
        };
        if let Some(went_over) = conn.went_over.take() {
            at.cx.budget.give(size_of::<AnsweredRequest>());
            let (request, switched) = *went_over;
            let direction = request.kept.direction;
            self.exchange(at, direction, &(request, answer.unwrap_or(switched)));
        }
    }

    /// A message was written that stood in a datagram or a user message: a request waits for its answer, and the answer makes an
    /// exchange.
    fn numbered(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        message: &UnfinishedMessage,
        (whole, octets): (bool, &[u8]),
    ) {
        let protocol = message.protocol.text();
        let Some(id) = numbered((flow, direction), protocol, message.kind, octets) else {
            return;
        };
        self.no_longer_early(cx, Some(message.first_time));
        if message.kind == Kind::Request {
            if let Some(response) = self.early.take(id.id()) {
                self.told.push(id.id(), ());
                cx.counters.exchange.paired += 1;
                self.object(&ExchangeObject {
                    head: self.head("exchange", cx, flow, direction),
                    first_time: self.time(cx, response.time),
                    first_frame: response.frame,
                    protocol,
                    stream: None,
                    request: Some(&message.summary),
                    request_offset: None,
                    response: Some(&response.summary),
                    response_offset: None,
                    whole: whole && response.whole,
                    missing: None,
                    delay: Some(Seconds(Duration::ZERO)),
                    duration: Some(Seconds(Duration::ZERO)),
                });
                return;
            }
            let request = NumberedRequest {
                id: id.id(),
                flow: *flow,
                direction,
                protocol: message.protocol,
                time: message.first_time,
                frame: message.first_frame,
                summary: message.summary.clone(),
                whole,
            };
            let copied = self.asked.copied(octets, message.first_time);
            let forgotten = self.asked.push_octets(id, copied, request);
            for request in forgotten.into_iter().flatten() {
                // Where it makes room for others, its answer may still come.
                if id.is_certain()
                    && (request.id == id.id() || cx.packet.time.since(request.time) > LATE)
                {
                    self.numbered_unanswered(cx, &request);
                }
            }
            self.told.take(id.id());
            return;
        }
        if message.kind != Kind::Response || is_interim(protocol, flow.transport, octets) {
            return;
        }
        let known = self.told.get(id.id()).is_some();
        let answers_one =
            flow.transport == Transport::Udp && has_one_answer(protocol) && id.is_certain();
        if answers_one && !known {
            self.told.push(id.id(), ());
        }
        if let Some(request) = self.asked.answered(id) {
            cx.counters.exchange.paired += 1;
            self.object(&ExchangeObject {
                head: self.head("exchange", cx, flow, direction.flip()),
                first_time: self.time(cx, request.time),
                first_frame: request.frame,
                protocol,
                stream: None,
                request: Some(&request.summary),
                request_offset: None,
                response: Some(&message.summary),
                response_offset: None,
                whole: request.whole && whole,
                missing: None,
                delay: Some(Seconds(message.first_time.since(request.time))),
                duration: Some(Seconds(cx.packet.time.since(request.time))),
            });
        } else if id.is_certain() && !known {
            let response = NumberedResponse {
                flow: *flow,
                direction: direction.flip(),
                protocol: message.protocol,
                time: message.first_time,
                frame: message.first_frame,
                summary: message.summary.clone(),
                whole,
                answers_one,
            };
            let forgotten = self.early.push(id.id(), response);
            self.unrequested(cx, forgotten);
        }
    }

    /// Responses of datagrams have waited long enough for their requests; without a time, no request comes any more.
    fn no_longer_early(&mut self, cx: &mut Context, now: Option<Timestamp>) {
        let early =
            |response: &NumberedResponse| now.is_some_and(|now| now.since(response.time) <= EARLY);
        while self.early.oldest().is_some_and(|oldest| !early(oldest)) {
            let response = self.early.pop();
            self.unrequested(cx, response);
        }
    }

    /// The request of a response that stood in a datagram is not in the capture.
    fn unrequested(&mut self, cx: &mut Context, response: Option<NumberedResponse>) {
        let Some(response) = response.filter(|response| response.answers_one) else {
            return;
        };
        let half = KnownHalf {
            protocol: response.protocol,
            stream: None,
            summary: &response.summary,
            offset: None,
            time: response.time,
            frame: response.frame,
        };
        self.half_exchange(cx, (&response.flow, response.direction), &half, REQUEST);
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
        let time = Rfc3339::new(packet.time, self.counts_nanos(packet.interface));
        self.object(&DroppedObject {
            kind: "dropped",
            time,
            ts: UnixSeconds(time),
            frame: packet.frame,
            octets: packet.data.len(),
            length: packet.orig_len,
            interface: packet.interface,
            reason: CounterName(why),
            text: why.text(),
        });
    }

    /// A message that is at hand as a whole.
    fn at_hand(
        &mut self,
        protocol: &'static str,
        transport: Transport,
        octets: &[u8],
    ) -> UnfinishedMessage {
        let spare = std::mem::take(&mut self.spare);
        let mut open = UnfinishedMessage {
            protocol: Name::of(protocol),
            kind: kind(protocol, octets),
            octets: octets.len() as u64,
            summary: spare.summary,
            fields: spare.fields,
            body: spare.body,
            ..UnfinishedMessage::default()
        };
        fields_into(protocol, transport, open.kind, octets, &mut open.fields);
        let words = &mut open.summary;
        summary(protocol, transport, Kind::Other, octets, words);
        self.show_octets(&mut open, octets);
        open
    }

    /// It was written: what it had allocated is used again.
    fn spare(&mut self, mut message: UnfinishedMessage) {
        message.summary.clear();
        message.fields.clear();
        message.body.clear();
        self.spare = Spare {
            summary: message.summary,
            fields: message.fields,
            body: message.body,
        };
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

    /// The interface's capture counts nanoseconds.
    fn counts_nanos(&self, interface: u32) -> bool {
        let place = usize::try_from(interface).unwrap_or(usize::MAX);
        self.nanos.get(place).copied().unwrap_or(false)
    }

    /// A time as the capture of the packet at hand writes it.
    fn time(&self, cx: &Context, time: Timestamp) -> Rfc3339 {
        Rfc3339::new(time, self.counts_nanos(cx.packet.interface))
    }

    /// Writes a message; gives it back for the exchange that it may be a part of.
    fn message(
        &mut self,
        cx: &Context,
        head: ObjectHead<'_>,
        ended: EndedMessage,
    ) -> UnfinishedMessage {
        let mut message = ended.message;
        let sha256 = self.show.hash.then(|| {
            let digest = message.digest.take().filter(|_| ended.whole)?;
            Some(digest.finish())
        });
        let shows_body = self.show.body != JsonBody::None;
        self.out.messages(1);
        self.object(&MessageObject {
            head,
            first_time: self.time(cx, message.first_time),
            first_frame: message.first_frame,
            protocol: message.protocol.text(),
            stream: message.stream,
            kind: kind_word(message.kind),
            summary: &message.summary,
            offset: ended.offset,
            octets: message.octets,
            length: message.length,
            whole: ended.whole,
            gaps: &message.gaps,
            filled: self.show.filled.then_some(message.lost),
            acknowledged: ended.acknowledged,
            acknowledged_at: ended.acknowledged_at.map(|at| self.time(cx, at)),
            sha256,
            body: shows_body.then_some(ShownBody {
                octets: &message.body,
                form: self.show.body,
            }),
            body_cut: shows_body.then_some(message.body_cut),
            sctp: ended.sctp,
            messages: ended.bundled,
            fields: ProtocolFields {
                protocol: message.protocol.text(),
                fields: &message.fields,
            },
        });
        message
    }

    /// The connection or association has ended; what was seen of it comes next.
    fn ended(&mut self, cx: &mut Context, state: &mut Option<Box<JsonConnection>>) {
        let Some(mut conn) = take_kept(cx, state) else {
            return;
        };
        conn.requests.clear(cx);
        if let Some(tls) = &mut conn.tls {
            tls.forget(cx);
        }
        for stream in &conn.streams {
            if let Some(open) = &stream.open {
                cx.budget.give(open.counted);
            }
        }
        self.ended = Some(conn);
    }

    /// What an object of a direction begins with.
    fn head<'a>(
        &self,
        kind: &'static str,
        cx: &Context,
        flow: &'a Flow,
        direction: Direction,
    ) -> ObjectHead<'a> {
        let ends = (flow.src(direction), flow.dst(direction));
        self.head_between(kind, cx, flow, direction, ends)
    }

    /// The same, where the addresses are not those of the flow.
    fn head_between<'a>(
        &self,
        kind: &'static str,
        cx: &Context,
        flow: &'a Flow,
        direction: Direction,
        (src, dst): (SocketAddr, SocketAddr),
    ) -> ObjectHead<'a> {
        let time = self.time(cx, cx.packet.time);
        ObjectHead {
            kind,
            transport: flow.transport.name(),
            connection: flow.number,
            src: src.ip(),
            src_port: src.port(),
            dst: dst.ip(),
            dst_port: dst.port(),
            vlans: VlanIds(&flow.links[direction.index()].tags),
            time,
            ts: UnixSeconds(time),
            frame: cx.packet.frame,
            decrypted: flow.decrypted.is_some().then_some(true),
        }
    }

    /// Writes an object and the end of its line.
    fn object(&mut self, object: &impl Serialize) {
        self.out.record(|line| {
            write(object, line);
            line.push(b'\n');
        });
    }
}

/// The messages of a protocol that puts several into one datagram or user message.
fn bundled(protocol: &str, transport: Transport, data: &[u8]) -> Option<Vec<BundledObject>> {
    let object = |one: crate::message::Bundled<'_>| {
        let mut words = String::new();
        summary(protocol, transport, Kind::Other, one.data, &mut words);
        BundledObject {
            offset: one.offset,
            length: Some(one.len),
            whole: one.len <= one.data.len() as u64,
            summary: words,
        }
    };
    bundle(protocol, data).map(|all| all.take(GAPS).map(object).collect())
}

impl MessageSink for Json {
    type State = Option<Box<JsonConnection>>;

    fn start(&mut self, at: &mut JsonEvent<'_>, start: &MessageStart<'_>) {
        let paired = std::mem::take(&mut self.paired);
        self.tell_passed(at);
        let mut open = Box::new(UnfinishedMessage {
            protocol: Name::of(start.protocol),
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
            stream: start.carried.and_then(|way| way.stream),
            unasked: paired.unasked,
            goes_over: goes_over(start),
            went_over: paired.went_over,
            fields: fields(start.protocol, at.flow.transport, start.kind, start.head),
            ..UnfinishedMessage::default()
        });
        if let Some(about) = paired.about(start.protocol) {
            open.summary.extend([about, " "]);
        }
        summary(
            start.protocol,
            at.flow.transport,
            start.kind,
            start.head,
            &mut open.summary,
        );
        if !self.file.is_empty() {
            open.summary.extend([FILE, &shown(&self.file)]);
            open.fields.text("file", &unescaped(&self.file));
            self.file.clear();
        }
        let direction = at.direction;
        let (cx, stream) = Self::stream(at, start.time);
        open.count(cx);
        let request = (start.kind == Kind::Request).then(|| WaitingRequest {
            offset: start.offset,
            time: start.time,
            whole: None,
            kept: ShownRequest {
                offset: open.offset,
                summary: open.summary.clone(),
                frame: start.frame,
                protocol: open.protocol,
                stream: open.stream,
                direction,
                begun: None,
            },
            early: None,
            counted: 0,
        });
        if let Some(old) = stream.open.replace(open) {
            cx.budget.give(old.counted);
        }
        if let Some(conn) = at.state.as_deref_mut() {
            conn.carries(start.protocol);
            if let Some(named) = named_ends(start.protocol, start.head) {
                conn.named.get_or_insert_default().add(named);
            }
            if let Some(request) = request {
                conn.requests.push(at.cx, request);
            }
            if let Some(asked) = paired.part_of.and_then(|offset| conn.requests.at(offset)) {
                asked.begun.get_or_insert(start.time);
            }
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
            let room = if open.body_cut {
                0
            } else {
                body_room(cx, &open.body, BODY)
            };
            let shown = piece.data.get(..room).unwrap_or(piece.data);
            open.body_cut |= shown.len() < piece.data.len();
            // A vector that grows by itself becomes twice as large, which there may be no room for.
            if shown.len() > open.body.capacity() - open.body.len() {
                let more = open.body.capacity().max(shown.len()).min(room);
                open.body.reserve_exact(more);
            }
            open.body.extend_from_slice(shown);
            open.count(cx);
        }
    }

    fn gap(&mut self, at: &mut JsonEvent<'_>, gap: &MessageGap) {
        let time = at.cx.packet.time;
        let offset = gap.offset.saturating_sub(at.side().origin);
        let (cx, stream) = Self::stream(at, time);
        if let Some(open) = &mut stream.open {
            open.lost += gap.len;
            if open.gaps.len() < GAPS {
                open.gaps.push((offset, gap.len));
                open.count(cx);
            }
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
        if end.whole {
            // It was in doubt whether something is missing.
            open.gaps.clear();
        }
        let inner = std::mem::take(&mut open.inner);
        let inner = inner.into_iter().map(|message| {
            let words = if message.compressed { "compressed" } else { "" };
            BundledObject {
                offset: usize::try_from(message.offset).unwrap_or(usize::MAX),
                length: message.len,
                whole: message.whole,
                summary: words.to_owned(),
            }
        });
        let inner: Vec<_> = inner.collect();
        // A body that was declined is none, whatever its header says.
        if !end.extent_unknown && (end.whole || open.length.is_none()) {
            open.length = Some(offset.saturating_sub(open.offset));
        }
        let ended = EndedMessage {
            offset: Some(open.offset),
            message: *open,
            whole: end.whole,
            acknowledged: Some(end.acknowledged.is_some()),
            acknowledged_at: end.acknowledged,
            sctp: None,
            bundled: (!inner.is_empty()).then_some(inner),
        };
        let head = self.head("message", at.cx, at.flow, at.direction);
        let open = self.message(at.cx, head, ended);
        let Some(conn) = at.state.as_deref_mut() else {
            return;
        };
        if open.kind == Kind::Request {
            let answered = conn.requests.ended(at.cx, end.whole, |_| {});
            if let Some(answered) = answered {
                self.exchange(at, at.direction, &answered);
            }
        } else if let Some(answers) = open.answers {
            let goes_over = open.goes_over;
            let response = EndedResponse::new(at.cx, open, end.whole);
            let protocol = response.protocol.text();
            let mut passed = Vec::new();
            let answered = if by_number(protocol).is_some() {
                conn.requests.answered_alone(at.cx, answers, response)
            } else {
                let answered = conn
                    .requests
                    .answered(at.cx, answers, response, |request| passed.push(request));
                answered.ok()
            };
            match answered {
                Some(answered) if goes_over => {
                    at.cx.budget.take(size_of::<AnsweredRequest>());
                    conn.went_over = Some(Box::new(answered));
                }
                Some(answered) => {
                    // What was passed over in silence by order may be what is not answered.
                    let of_it = |request: &&WaitingRequest<ShownRequest, _>| {
                        TOLD.contains(&protocol) && request.kept.protocol.text() == protocol
                    };
                    for request in passed.iter().filter(of_it) {
                        self.unanswered(at.cx, at.flow, request);
                    }
                    self.exchange(at, at.direction.flip(), &answered);
                }
                None => {}
            }
        } else if open.went_over {
            let response = EndedResponse::new(at.cx, open, end.whole);
            self.went_over = Some((at.flow.number, response));
        } else if open.unasked && conn.unasked.len() < UNASKED {
            let mut response = EndedResponse::new(at.cx, open, end.whole);
            // As it is when it is read back from a state: what is given back is what was taken.
            response.summary.shrink_to_fit();
            at.cx.budget.take(response.size());
            conn.unasked.push((at.direction, response));
        }
    }

    fn trailers(&mut self, at: &mut JsonEvent<'_>, section: &[u8]) {
        let (time, transport) = (at.cx.packet.time, at.flow.transport);
        let (cx, stream) = Self::stream(at, time);
        if let Some(open) = &mut stream.open {
            let protocol = open.protocol.text();
            fields_into(protocol, transport, Kind::Other, section, &mut open.fields);
            open.count(cx);
        }
    }

    fn inner(&mut self, at: &mut JsonEvent<'_>, message: &ListedMessage) {
        let time = at.cx.packet.time;
        let (cx, stream) = Self::stream(at, time);
        if let Some(open) = &mut stream.open
            && open.inner.len() < GAPS
        {
            open.inner.push(*message);
            open.count(cx);
        }
    }

    fn carried(&mut self, at: &mut JsonEvent<'_>, protocol: &'static str) {
        let time = at.cx.packet.time;
        Self::stream(at, time).1.messages += 1;
        if let Some(conn) = at.state.as_deref_mut() {
            conn.carries(protocol);
        }
        self.tell_went_over(at, false);
    }

    fn carried_end(&mut self, at: &mut JsonEvent<'_>) {
        self.exchanges_end(at);
        self.ended(at.cx, at.state);
        self.ended = None;
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        let (payload, len) = (message.payload, message.payload_len);
        let mut open = self.at_hand(message.protocol, Transport::Udp, payload);
        open.length = Some(len as u64);
        open.first_time = at.cx.packet.time;
        open.first_frame = at.cx.packet.frame;
        let whole = payload.len() >= len;
        if !whole {
            let lost = (len - payload.len()) as u64;
            open.gaps.push((payload.len() as u64, lost));
        }
        let bundled = bundled(message.protocol, at.flow.transport, payload)
            .filter(|all: &Vec<_>| all.len() > 1);
        let ended = EndedMessage {
            message: open,
            offset: None,
            whole,
            acknowledged: None,
            acknowledged_at: None,
            sctp: None,
            bundled,
        };
        let head = self.head("message", at.cx, at.flow, at.direction);
        let written = self.message(at.cx, head, ended);
        self.numbered(at.cx, at.flow, at.direction, &written, (whole, payload));
        self.spare(written);
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
        if let Some(conn) = state.as_deref_mut() {
            conn.carries(protocol);
        }
        let mut open = self.at_hand(protocol, Transport::Sctp, message.data);
        open.length = if message.whole {
            Some(have)
        } else {
            message.len
        };
        open.first_time = message.time;
        open.first_frame = message.frame;
        if message.lost() > 0 {
            open.gaps.push((have, message.lost()));
        }
        let bundled = bundled(protocol, Transport::Sctp, message.data);
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
        let head = self.head_between(
            "message",
            cx,
            flow,
            message.direction,
            (message.src, message.dst),
        );
        let written = self.message(cx, head, ended);
        let octets = (message.whole, message.data);
        self.numbered(cx, flow, message.direction, &written, octets);
        self.spare(written);
    }

    fn stream_gap(&mut self, at: &mut JsonEvent<'_>, gap: &Gap) {
        let time = at.cx.packet.time;
        let (_, stream) = Self::stream(at, time);
        stream.gaps += 1;
        stream.lost = stream.lost.saturating_add(gap.len.unwrap_or(0));
        let offset = gap.offset.saturating_sub(at.side().origin);
        self.object(&GapObject {
            head: self.head("gap", at.cx, at.flow, at.direction),
            offset: Some(offset),
            length: gap.len,
            cause: gap_cause(gap.cause),
            sctp: None,
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
            head: self.head("duplicate", at.cx, at.flow, at.direction),
            offset: Some(offset),
            length: duplicate.len,
            conflict: duplicate.conflict,
            sctp: None,
        });
    }

    fn datagram_duplicate(&mut self, at: &mut DatagramContext<'_>, payload_len: usize) {
        self.object(&DuplicateObject {
            head: self.head("duplicate", at.cx, at.flow, at.direction),
            offset: None,
            length: payload_len as u64,
            conflict: false,
            sctp: None,
        });
    }

    fn fragments(&mut self, cx: &mut Context, event: &FragmentEvent) {
        let time = self.time(cx, cx.packet.time);
        let transport = if event.src.is_ipv4() { "ipv4" } else { "ipv6" };
        let (kind, offset, length, cause, conflict) = match event.what {
            FragmentFate::Duplicate {
                offset,
                len,
                conflict,
            } => ("duplicate", offset, Some(len), None, Some(conflict)),
            FragmentFate::Lost {
                offset,
                missing,
                cause,
            } => ("gap", offset, missing, Some(gap_cause(cause)), None),
        };
        self.object(&FragmentObject {
            kind,
            transport,
            connection: None,
            src: event.src,
            src_port: None,
            dst: event.dst,
            dst_port: None,
            vlans: VlanIds(&event.link.tags),
            time,
            ts: UnixSeconds(time),
            frame: cx.packet.frame,
            offset,
            length,
            cause,
            conflict,
            ip: IpObject {
                identification: event.identification,
                protocol: event.protocol,
            },
        });
    }

    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        let head = self.head("connection", cx, ended.flow, Direction::Forward);
        let end = ended_by(ended.flow.transport, ended.close);
        let kept = self.ended.take();
        let object = match kept.as_deref().filter(|conn| conn.begun) {
            Some(conn) => {
                let [forward, reverse] = &conn.streams;
                let [seen, seen_back] = &ended.totals;
                ConnectionObject {
                    head,
                    first_time: self.time(cx, conn.first),
                    protocol: conn.protocol.map(Name::text),
                    named: conn.named.as_deref().map(NamedObject::of),
                    tls: conn.tls.as_deref().map(TlsObject::of),
                    streams: [
                        StreamObject::of(forward, seen.packets),
                        StreamObject::of(reverse, seen_back.packets),
                    ],
                    duration: Seconds(cx.packet.time.since(conn.first)),
                    end,
                }
            }
            None => ConnectionObject {
                head,
                first_time: self.time(cx, ended.first),
                protocol: ended.protocol.map(Name::text),
                named: None,
                tls: None,
                streams: ended.totals.each_ref().map(StreamObject::from),
                duration: Seconds(ended.last.since(ended.first)),
                end,
            },
        };
        self.object(&object);
    }

    fn chunk_gap(&mut self, at: &mut AssociationContext<'_, Self::State>, gap: &ChunkGap) {
        self.object(&GapObject {
            head: self.head("gap", at.cx, at.flow, gap.direction),
            offset: None,
            length: None,
            cause: gap.cause.map_or("forward", gap_cause),
            sctp: Some(TsnsObject {
                tsn: gap.tsn,
                tsns: gap.tsns,
            }),
        });
    }

    fn chunk_duplicate(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        chunk: &DuplicateChunk,
    ) {
        self.object(&DuplicateObject {
            head: self.head("duplicate", at.cx, at.flow, chunk.direction),
            offset: None,
            length: chunk.len,
            conflict: false,
            sctp: Some(TsnsObject {
                tsn: chunk.tsn,
                tsns: 1,
            }),
        });
    }

    fn hears_handshakes(&self) -> bool {
        true
    }

    fn handshake(&mut self, at: &mut JsonEvent<'_>, message: &HandshakeMessage<'_>) {
        let conn = kept(at.cx, at.state);
        let tls = conn.tls.get_or_insert_default();
        tls.add(message, at.cx);
    }

    fn input_end(&mut self, cx: &mut Context) {
        self.no_longer_early(cx, None);
        while let Some(request) = self.asked.pop() {
            self.numbered_unanswered(cx, &request);
        }
    }

    fn closed(&mut self, at: &mut JsonEvent<'_>, _: Close) {
        self.exchanges_end(at);
        self.ended(at.cx, at.state);
    }

    fn association_end(&mut self, at: &mut AssociationContext<'_, Self::State>, _: Close) {
        self.ended(at.cx, at.state);
    }

    fn packet(&mut self, _: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
        if let Some(why) = dropped {
            self.dropped(packet, why);
        }
    }
}

impl Output for Json {
    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.push(self.out.channel());
    }

    goes_on!(nanos, asked, told, early);

    fn interfaces(&mut self, all: &[Interface]) {
        self.nanos = all.iter().map(|i| i.resolution.is_fine()).collect();
    }

    fn reopen(&mut self, _: &[Interface], done: &mut Reopened) {
        self.out.reopen(done);
    }

    fn is_open(&self) -> Option<bool> {
        Some(self.out.is_open())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.out.flush()
    }

    fn counts(&self) -> bool {
        true
    }
}
