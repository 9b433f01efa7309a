//! The streams of an HTTP/2 connection (RFC 9113, 5 and 8): requests and responses, from the frames of both directions.
//!
//! A message is what one side sends in a stream: HEADERS, DATA, and HEADERS again for its trailers, up to END_STREAM. Its header
//! section is written as HTTP/1.1 would write it, with the version `HTTP/2`, so that whoever reads the one reads the other (RFC 9113,
//! 8.3: how the fields with a colon correspond to a start line). A field that refers to what is lost stands there as `[unknown 62]`.
//!
//! What a loss can have touched is doubtful: the messages that are open in its direction, and the table of header fields, unless all
//! that is missing lies in one frame that is known. Where a message says how long its body is, its end clears it of the doubt.

use super::super::carrier::{Carried, Carrier, CarrierContext, ToStreams};
use super::super::events::ListedMessage;
use super::super::hpack::{Field, Hpack};
use super::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADER, HEADERS, PADDED, PREFACE, PRIORITY_FLAG,
    PUSH_PROMISE, RST_STREAM, SETTINGS,
};
use crate::base::flow::Direction;
use crate::base::message::{Extent, Kind};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// The setting with the size of the table of header fields (RFC 9113, 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;
/// Streams that were closed lately: of these, frames that were under way may still come (RFC 9113, 5.1).
// A stream is closed by one side while the other goes on for a round trip; a few dozen are closed in that time.
const CLOSED: usize = 64;
/// Header sections of which nobody can tell yet whether they are interim, at most, and octets of one.
// Those of 103 name a few resources; servers send one for a page.
const UNTOLD: usize = 16;
const UNTOLD_HEAD: usize = 4 << 10;
/// Octets of the prefix of a message of gRPC: whether it is compressed, and its length.
const GRPC_PREFIX: usize = 5;

/// What a direction of a stream has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// No message is open.
    #[default]
    Idle,
    /// One is.
    Open,
    /// There is no other.
    Ended,
}

/// One direction of a stream.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct StreamSide {
    phase: Phase,
    /// Frames of the open message may be missing, and nothing was said of that yet.
    doubtful: bool,
    /// The same, and it was said.
    lacks: bool,
    /// Octets of the body, those that are known to be missing too.
    body: u64,
    /// What the header section says of its length.
    length: Option<u64>,
    /// Octets of the body are known to be missing, or its header section lacks something.
    damaged: bool,
    /// The body is messages of gRPC.
    grpc: Option<Grpc>,
}

impl StreamSide {
    /// The body is as long as it should be, and all there, whatever became of the frame that ends it.
    fn is_complete(&self) -> bool {
        !self.damaged && self.length == Some(self.body)
    }
}

/// Where in messages of gRPC the next octet stands.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Grpc {
    prefix: [u8; GRPC_PREFIX],
    /// Octets of the prefix that are there.
    have: u8,
    /// Octets of the message that are to come.
    left: u64,
    /// The message that is open, and whether nothing of it is missing so far.
    open: Option<ListedMessage>,
    /// Where it stands is not known.
    is_lost: bool,
}

/// One stream.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct StreamPair {
    sides: [StreamSide; 2],
    /// Its request has been seen.
    asked: bool,
    /// It asks for a header section alone.
    head: bool,
}

/// What a header section is made of, until its block ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct FieldSection {
    method: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    authority: Option<Vec<u8>>,
    status: Option<Vec<u8>>,
    /// All other fields, as lines.
    lines: Vec<u8>,
    /// Octets of all of them.
    octets: usize,
    unknown: u32,
    left_out: u32,
    length: Option<u64>,
    is_grpc: bool,
    /// The first field is known, and has no colon: fields that have one stand ahead of all others (RFC 9113, 8.3), so there are none.
    is_trailer: bool,
    any: bool,
}

/// The header section of a response whose status is not known, so that it may be interim (1xx): what follows it in its stream tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct UntoldHead {
    head: Vec<u8>,
    side: StreamSide,
    answers: bool,
}

/// A header block that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Block {
    stream: u32,
    /// The stream that it promises (RFC 9113, 8.4).
    promised: Option<u32>,
    ends_stream: bool,
    /// It lacks something.
    is_cut: bool,
    /// It is none, though nothing of it is missing.
    is_bad: bool,
    section: Box<FieldSection>,
}

/// One direction of a connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct FrameSide {
    header: [u8; HEADER],
    /// Octets of the header of the frame that are there.
    have: u8,
    /// Octets of the payload that are to come.
    left: u32,
    /// What stands before the content: length of the padding, priority, promised stream.
    before: [u8; 10],
    before_have: u8,
    /// It is the preface.
    preface: bool,
    /// The frame has begun, and is not at its end.
    inside: bool,
    /// Octets of the payload of a short frame.
    payload: Vec<u8>,
    block: Option<Block>,
    hpack: Hpack,
    /// Frames may be missing, and nothing was done about that yet.
    lost: bool,
    /// This direction lacks something: a stream may be open whose beginning was not seen.
    lossy: bool,
    /// A frame of it was seen.
    begun: bool,
}

/// The streams of one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Http2Streams {
    sides: [FrameSide; 2],
    streams: BTreeMap<u32, StreamPair>,
    /// Those that were closed lately.
    closed: VecDeque<u32>,
    /// Which direction is the client's.
    client: Option<Direction>,
    /// By stream and place of the direction.
    untold: BTreeMap<(u32, usize), UntoldHead>,
}

impl FieldSection {
    /// Takes a field, as long as there is room.
    fn add(&mut self, field: &Field<'_>, most: usize) {
        if !std::mem::replace(&mut self.any, true) {
            self.is_trailer = field.name.is_some_and(|name| !name.starts_with(b":"));
        }
        let unknown = |octets: Option<&[u8]>| octets.is_none();
        let is_unknown = unknown(field.name) || unknown(field.value);
        self.unknown = self.unknown.saturating_add(is_unknown.into());
        let len = field.name.map_or(16, <[u8]>::len) + field.value.map_or(16, <[u8]>::len) + 4;
        if self.octets + len > most {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.octets += len;
        let value = field.value.unwrap_or(b"[unknown]");
        let place = match field.name {
            Some(b":method") => &mut self.method,
            Some(b":path") => &mut self.path,
            Some(b":authority") => &mut self.authority,
            Some(b":status") => &mut self.status,
            name => {
                match name {
                    Some(name) => line(name, &mut self.lines),
                    None => {
                        let mut name = String::new();
                        let _ = write!(name, "[unknown {}]", field.index);
                        self.lines.extend_from_slice(name.as_bytes());
                    }
                }
                self.lines.extend_from_slice(b": ");
                line(value, &mut self.lines);
                self.lines.extend_from_slice(b"\r\n");
                match name {
                    Some(b"content-length") => {
                        let text = std::str::from_utf8(value).ok();
                        self.length = text.and_then(|text| text.parse().ok());
                    }
                    Some(b"content-type") => {
                        self.is_grpc = value.starts_with(b"application/grpc");
                    }
                    _ => {}
                }
                return;
            }
        };
        // The first counts; a second is an error of the sender's (RFC 9113, 8.3).
        if place.is_none() {
            *place = Some(value.to_vec());
        }
    }

    fn kind(&self) -> Option<Kind> {
        let asks = self.method.is_some() || self.path.is_some() || self.authority.is_some();
        if self.status.is_some() {
            Some(Kind::Response)
        } else if asks {
            Some(Kind::Request)
        } else {
            None
        }
    }

    /// The header section of a message of this kind, with a start line.
    fn head(&self, kind: Kind) -> Vec<u8> {
        let mut head = Vec::with_capacity(self.octets + 64);
        let part = |part: &Option<Vec<u8>>, head: &mut Vec<u8>| match part {
            Some(part) => line(part, head),
            // It may be one of the fields that are not known.
            None => head.extend_from_slice(b"[unknown]"),
        };
        if kind == Kind::Response {
            head.extend_from_slice(b"HTTP/2 ");
            part(&self.status, &mut head);
        } else {
            part(&self.method, &mut head);
            head.push(b' ');
            let connect = self.path.is_none() && self.method.as_deref() == Some(b"CONNECT");
            part(
                if connect { &self.authority } else { &self.path },
                &mut head,
            );
            head.extend_from_slice(b" HTTP/2");
        }
        head.extend_from_slice(b"\r\n");
        if let Some(authority) = &self.authority {
            head.extend_from_slice(b"host: ");
            line(authority, &mut head);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(&self.lines);
        head.extend_from_slice(b"\r\n");
        head
    }

    fn is_interim(&self) -> bool {
        // 101 is none in HTTP/2 (RFC 9113, 8.6).
        self.status
            .as_deref()
            .is_some_and(|s| s.len() == 3 && s.starts_with(b"1"))
    }

    fn size(&self) -> usize {
        let parts = [&self.method, &self.path, &self.authority, &self.status];
        let parts = parts.into_iter().flatten().map(Vec::capacity);
        allocated(size_of::<Self>()) + parts.sum::<usize>() + self.lines.capacity()
    }
}

/// Appends a name or a value. None may hold the end of a line (RFC 9113, 8.2.1): it would make two fields of one.
fn line(octets: &[u8], to: &mut Vec<u8>) {
    for octet in octets {
        match octet {
            b'\r' => to.extend_from_slice(b"\\r"),
            b'\n' => to.extend_from_slice(b"\\n"),
            0 => to.extend_from_slice(b"\\0"),
            octet => to.push(*octet),
        }
    }
}

impl Grpc {
    /// Takes octets of a body, and tells of each message that ends in them.
    fn read(&mut self, offset: u64, octets: &[u8], mut each: impl FnMut(&ListedMessage)) {
        let mut rest = octets;
        while !self.is_lost {
            if self.left == 0
                && let Some(done) = self.open.take()
            {
                each(&done);
            }
            if rest.is_empty() {
                break;
            }
            if self.left > 0 {
                let n = usize::try_from(self.left)
                    .unwrap_or(usize::MAX)
                    .min(rest.len());
                self.left -= n as u64;
                rest = &rest[n..];
                continue;
            }
            self.prefix[usize::from(self.have)] = rest[0];
            self.have += 1;
            rest = &rest[1..];
            if usize::from(self.have) == GRPC_PREFIX {
                let [compressed, len @ ..] = self.prefix;
                self.have = 0;
                self.left = u64::from(u32::from_be_bytes(len));
                // No other number is one (gRPC over HTTP2, Compressed-Flag).
                self.is_lost = compressed > 1;
                if !self.is_lost {
                    let at = offset + (octets.len() - rest.len()) as u64;
                    self.open = Some(ListedMessage {
                        offset: at - GRPC_PREFIX as u64,
                        len: Some(self.left),
                        compressed: compressed == 1,
                        whole: true,
                    });
                }
            }
        }
    }

    /// Octets of the body are missing: tells of the message that they are the end of, or that nobody can follow any more.
    fn gap(&mut self, len: Option<u64>, offset: u64, mut each: impl FnMut(&ListedMessage)) {
        match len {
            Some(len) if len <= self.left => {
                self.left -= len;
                if let Some(open) = &mut self.open {
                    open.whole &= len == 0;
                }
                if self.left == 0
                    && let Some(done) = self.open.take()
                {
                    each(&done);
                }
            }
            _ => self.end(offset, each),
        }
    }

    /// The body ends here, or cannot be followed any more: what is open is cut.
    fn end(&mut self, offset: u64, mut each: impl FnMut(&ListedMessage)) {
        if let Some(mut open) = self.open.take() {
            open.whole = false;
            each(&open);
        } else if self.have > 0 && !self.is_lost {
            // The prefix itself is cut.
            each(&ListedMessage {
                offset: offset - u64::from(self.have),
                len: None,
                compressed: self.prefix[0] == 1,
                whole: false,
            });
        }
        (self.have, self.is_lost) = (0, true);
    }
}

impl FrameSide {
    const fn kind(&self) -> u8 {
        self.header[3]
    }

    const fn flags(&self) -> u8 {
        self.header[4]
    }

    fn stream(&self) -> u32 {
        let [.., a, b, c, d] = self.header;
        u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff
    }

    /// Octets that stand before the content of this frame.
    fn before_len(&self) -> u8 {
        let padded = u8::from(self.flags() & PADDED != 0);
        match self.kind() {
            DATA => padded,
            HEADERS if self.flags() & PRIORITY_FLAG != 0 => padded + 5,
            HEADERS => padded,
            PUSH_PROMISE => padded + 4,
            _ => 0,
        }
    }

    /// Octets of padding.
    fn padding(&self) -> u32 {
        let padded = matches!(self.kind(), DATA | HEADERS | PUSH_PROMISE);
        match self.flags() & PADDED != 0 && padded && self.before_have > 0 {
            true => u32::from(self.before[0]),
            false => 0,
        }
    }

    /// Octets of content that are to come, once what stands before it is there.
    fn content_left(&self) -> u32 {
        self.left.saturating_sub(self.padding())
    }

    fn size(&self) -> usize {
        let block = self.block.as_ref().map_or(0, |block| block.section.size());
        self.payload.capacity() + self.hpack.allocated() + block
    }
}

impl Http2Streams {
    fn role(&self, direction: Direction) -> Option<Kind> {
        let client = self.client?;
        Some(if client == direction {
            Kind::Request
        } else {
            Kind::Response
        })
    }

    /// Does what frames that may be missing have done.
    fn settle(&mut self, d: Direction, to: ToStreams<'_>) {
        let side = &mut self.sides[d.index()];
        if !std::mem::take(&mut side.lost) {
            return;
        }
        side.lossy = true;
        side.inside = false;
        let block = side.block.take();
        if let Some(mut block) = block {
            block.is_cut = true;
            self.finish_block(d, block, to);
        }
        self.sides[d.index()].hpack.lost();
        for stream in self.streams.values_mut() {
            let side = &mut stream.sides[d.index()];
            side.doubtful |= side.phase == Phase::Open;
        }
        for ((_, of), untold) in &mut self.untold {
            untold.side.doubtful |= *of == d.index();
        }
    }

    /// What follows in this stream tells what its last header section was: an interim response, or that of the message that is open now.
    fn tell_head(&mut self, d: Direction, id: u32, interim: bool, to: ToStreams<'_>) {
        let Some(untold) = self.untold.remove(&(id, d.index())) else {
            return;
        };
        if interim {
            let whole = !untold.side.damaged;
            message(id, d, Kind::Response, &untold.head, whole, to);
        } else if let Some(stream) = self.streams.get_mut(&id) {
            stream.sides[d.index()] = untold.side;
            begin(
                id,
                d,
                (Kind::Response, &untold.head),
                &untold.side,
                untold.answers,
                to,
            );
        }
    }

    /// The stream with this number; made if it can be new. The oldest makes room for it.
    fn stream(
        &mut self,
        at: CarrierContext,
        id: u32,
        to: ToStreams<'_>,
    ) -> Option<&mut StreamPair> {
        if !self.streams.contains_key(&id) {
            if self.closed.contains(&id) {
                return None;
            }
            while self.streams.len() >= at.streams.max(1) {
                let oldest = self.streams.first_key_value().map(|(id, _)| *id)?;
                self.close(oldest, true, to);
            }
            self.streams.insert(id, StreamPair::default());
        }
        self.streams.get_mut(&id)
    }

    /// Ends what is open in a stream, and forgets it.
    fn close(&mut self, id: u32, evicted: bool, to: ToStreams<'_>) {
        for d in [Direction::Forward, Direction::Reverse] {
            self.tell_head(d, id, false, to);
        }
        let Some(mut stream) = self.streams.remove(&id) else {
            return;
        };
        for d in [Direction::Forward, Direction::Reverse] {
            let side = &mut stream.sides[d.index()];
            if side.phase == Phase::Open {
                let whole = side.is_complete();
                end_open(id, d, side, whole, to);
            }
        }
        if self.closed.len() >= CLOSED {
            self.closed.pop_front();
        }
        self.closed.push_back(id);
        to(id, Direction::Forward, Carried::Closed { evicted });
    }

    /// The message that is open in a direction of a stream ends.
    fn end_message(&mut self, d: Direction, id: u32, to: ToStreams<'_>) {
        self.tell_head(d, id, false, to);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let side = &mut stream.sides[d.index()];
        if side.phase == Phase::Open {
            if side.doubtful && !side.is_complete() {
                to(id, d, Carried::Gap(None));
                side.lacks = true;
            }
            let whole = !side.damaged && (side.is_complete() || !side.lacks);
            end_open(id, d, side, whole, to);
        }
        side.phase = Phase::Ended;
        if stream.sides.iter().all(|side| side.phase == Phase::Ended) {
            self.close(id, false, to);
        }
    }

    /// A header block is at its end, or will not go on.
    fn finish_block(&mut self, d: Direction, block: Block, to: ToStreams<'_>) {
        let Block {
            stream: id,
            promised,
            ends_stream,
            is_cut,
            is_bad,
            section,
        } = block;
        let tell = promised.unwrap_or(id);
        if is_bad {
            to(tell, d, Carried::BadFields);
        }
        if section.unknown > 0 || section.left_out > 0 {
            let (unknown, left_out) = (section.unknown, section.left_out);
            to(tell, d, Carried::Fields { unknown, left_out });
        }
        if let Some(promised) = promised {
            // Both the request and the answer come from the server.
            let head = section.head(Kind::Request);
            let whole = !is_cut && section.left_out == 0;
            if let Some(stream) = self.streams.get_mut(&promised) {
                stream.asked = true;
                stream.sides[d.flip().index()].phase = Phase::Ended;
                message(promised, d, Kind::Other, &head, whole, to);
            }
            return;
        }
        let kind = section.kind();
        let by_role = self.role(d);
        if let (None, Some(kind)) = (self.client, kind) {
            self.client = Some(match kind {
                Kind::Request => d,
                _ => d.flip(),
            });
        }
        // Trailers end their stream (RFC 9113, 8.1), and there is one response that is not interim.
        self.tell_head(d, id, kind.is_some() || !ends_stream, to);
        let lossy = self.sides[d.index()].lossy;
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let answers = stream.asked;
        let side = &mut stream.sides[d.index()];
        if lossy && side.phase == Phase::Idle && kind.is_none() && section.is_trailer {
            // The header section of their message is lost, and whatever it had of a body.
            let role = by_role.unwrap_or(Kind::Other);
            begin_lost(id, d, role, side, answers && role == Kind::Response, to);
        }
        // What stands behind a body has no field with a colon (RFC 9113, 8.1). Where the header section proper was lost, the
        // trailers are all that there is.
        let trailers = side.phase == Phase::Open && kind.is_none();
        if trailers {
            to(id, d, Carried::Trailers(&section.lines));
            side.damaged |= is_cut;
        } else if side.phase != Phase::Ended {
            if side.phase == Phase::Open {
                // The end of the one before is lost.
                end_open(id, d, side, false, to);
                side.phase = Phase::Idle;
            }
            // Without a field with a colon these may be the trailers of a message whose header section is lost.
            let is_cut = is_cut || kind.is_none();
            let kind = kind.or(by_role).unwrap_or(Kind::Other);
            let head = section.head(kind);
            let interim = kind == Kind::Response && section.is_interim() && !ends_stream;
            if interim {
                message(id, d, kind, &head, !is_cut, to);
                return;
            }
            if kind == Kind::Request {
                stream.asked = true;
                stream.head = section.method.as_deref() == Some(b"HEAD");
            }
            let answers = kind == Kind::Response && stream.asked;
            let side = StreamSide {
                phase: Phase::Open,
                length: if ends_stream { Some(0) } else { section.length },
                damaged: is_cut || section.left_out > 0,
                grpc: section.is_grpc.then(Grpc::default),
                ..StreamSide::default()
            };
            let untold = kind == Kind::Response && section.status.is_none() && !ends_stream;
            if untold && head.len() <= UNTOLD_HEAD && self.untold.len() < UNTOLD {
                to(id, d, Carried::Opens);
                let untold = UntoldHead {
                    head,
                    side,
                    answers,
                };
                self.untold.insert((id, d.index()), untold);
                return;
            }
            stream.sides[d.index()] = side;
            begin(id, d, (kind, &head), &side, answers, to);
        }
        if ends_stream {
            self.end_message(d, id, to);
        }
    }

    /// Octets of a body, or so many that are missing.
    fn body(&mut self, at: CarrierContext, octets: Result<&[u8], u64>, to: ToStreams<'_>) {
        let d = at.direction;
        let side = &self.sides[d.index()];
        let (id, lossy) = (side.stream(), side.lossy);
        let role = self.role(d).unwrap_or(Kind::Other);
        let known = self.streams.contains_key(&id);
        // Frames of a stream whose beginning nobody has seen belong to a message whose header is lost.
        if !known && !lossy {
            return;
        }
        self.tell_head(d, id, false, to);
        let Some(stream) = self.stream(at, id, to) else {
            return;
        };
        let answers = role == Kind::Response && stream.asked;
        let side = &mut stream.sides[d.index()];
        match side.phase {
            Phase::Ended => return,
            Phase::Idle if !lossy => return,
            Phase::Idle => begin_lost(id, d, role, side, answers, to),
            Phase::Open => {}
        }
        if std::mem::take(&mut side.doubtful) {
            // Whether something is missing here only its length can tell, at the end.
            side.lacks = true;
            to(id, d, Carried::Gap(None));
            if let Some(grpc) = &mut side.grpc {
                grpc.gap(None, side.body, |inner| to(id, d, Carried::Inner(inner)));
            }
        }
        match octets {
            Ok(octets) => {
                if let Some(grpc) = &mut side.grpc {
                    grpc.read(side.body, octets, |inner| to(id, d, Carried::Inner(inner)));
                }
                to(id, d, Carried::Octets(octets));
                side.body += octets.len() as u64;
            }
            Err(len) => {
                side.damaged = true;
                if let Some(grpc) = &mut side.grpc {
                    grpc.gap(Some(len), side.body, |inner| {
                        to(id, d, Carried::Inner(inner))
                    });
                }
                to(id, d, Carried::Gap(Some(len)));
                side.body += len;
            }
        }
    }

    /// What stands before the content is there: a block begins, if this is a frame of one.
    fn content_begins(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        let d = at.direction;
        let side = &mut self.sides[d.index()];
        let (kind, id) = (side.kind(), side.stream());
        if matches!(kind, HEADERS | PUSH_PROMISE) {
            let padded = usize::from(side.flags() & PADDED != 0);
            let promised = (kind == PUSH_PROMISE).then(|| {
                let number = side.before.get(padded..padded + 4).unwrap_or_default();
                number.iter().fold(0, |n, o| n << 8 | u32::from(*o)) & 0x7fff_ffff
            });
            let block = Block {
                stream: id,
                promised,
                ends_stream: kind == HEADERS && side.flags() & END_STREAM != 0,
                is_cut: false,
                is_bad: false,
                section: Box::default(),
            };
            if let Some(mut old) = side.block.replace(block) {
                // Nothing may stand between the frames of a block (RFC 9113, 4.3).
                old.is_cut = true;
                side.hpack.end_block();
                self.finish_block(d, old, to);
            }
            let stream = promised.unwrap_or(id);
            self.stream(at, stream, to);
        }
    }

    /// Octets of a header block.
    fn fragment(&mut self, at: CarrierContext, octets: &[u8]) {
        let side = &mut self.sides[at.direction.index()];
        let Some(block) = &mut side.block else {
            // The beginning of the block is lost, and with it what it has added.
            side.hpack.lost();
            return;
        };
        if block.is_cut {
            return;
        }
        let section = &mut block.section;
        let read = side
            .hpack
            .read(octets, at.header, |field| section.add(&field, at.header));
        (block.is_cut, block.is_bad) = (read.is_err(), read.is_err());
    }

    /// The frame is at its end.
    fn frame_ends(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        let d = at.direction;
        let side = &mut self.sides[d.index()];
        side.inside = false;
        let (kind, flags, id) = (side.kind(), side.flags(), side.stream());
        let payload = std::mem::take(&mut side.payload);
        match kind {
            DATA if flags & END_STREAM != 0 => {
                // One without an octet says something of its stream, too.
                self.body(at, Ok(&[]), to);
                self.end_message(d, id, to);
            }
            HEADERS | PUSH_PROMISE | CONTINUATION if flags & END_HEADERS != 0 => {
                if let Some(mut block) = side.block.take() {
                    let ends = side.hpack.end_block();
                    block.is_bad |= !ends && !block.is_cut;
                    block.is_cut |= !ends;
                    self.finish_block(d, block, to);
                }
            }
            RST_STREAM => self.close(id, false, to),
            SETTINGS => {
                for setting in payload.chunks_exact(6) {
                    if setting[..2] == HEADER_TABLE_SIZE.to_be_bytes() {
                        let value = setting[2..].iter().fold(0, |n, o| n << 8 | u64::from(*o));
                        self.sides[d.flip().index()].hpack.allows(value);
                    }
                }
            }
            _ => {}
        }
    }

    /// The header of a frame is there.
    fn header_ends(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        let d = at.direction;
        let side = &mut self.sides[d.index()];
        let [a, b, c, ..] = side.header;
        side.left = u32::from_be_bytes([0, a, b, c]);
        // Both sides begin with SETTINGS (RFC 9113, 3.4): anything else is the middle of a connection.
        if !std::mem::replace(&mut side.begun, true) {
            side.lossy |= side.kind() != SETTINGS;
            if side.lossy || !at.from_start {
                side.hpack.lost();
            }
        }
        let continues = side.kind() == CONTINUATION;
        let stream = side.stream();
        let fits = side
            .block
            .as_ref()
            .is_some_and(|block| continues && block.stream == stream);
        if !fits && let Some(mut block) = side.block.take() {
            block.is_cut = true;
            side.hpack.lost();
            self.finish_block(d, block, to);
        }
        let side = &self.sides[d.index()];
        if side.before_len() == 0 {
            self.content_begins(at, to);
        }
    }
}

/// A message begins with its header section.
fn begin(
    id: u32,
    d: Direction,
    (kind, head): (Kind, &[u8]),
    side: &StreamSide,
    answers: bool,
    to: ToStreams<'_>,
) {
    let len = head.len() as u64;
    let extent = match side.length {
        Some(length) => Extent::Known(length.saturating_add(len)),
        None => Extent::ToClose,
    };
    let start = Carried::Start {
        kind,
        head,
        extent,
        answers,
    };
    to(id, d, start);
    to(id, d, Carried::Octets(head));
}

/// The open message ends, and with it what is open of gRPC in it.
fn end_open(id: u32, d: Direction, side: &mut StreamSide, whole: bool, to: ToStreams<'_>) {
    if let Some(grpc) = &mut side.grpc {
        grpc.end(side.body, |inner| to(id, d, Carried::Inner(inner)));
    }
    to(id, d, Carried::End { whole });
}

/// A message has begun whose header section is lost.
fn begin_lost(
    id: u32,
    d: Direction,
    kind: Kind,
    side: &mut StreamSide,
    answers: bool,
    to: ToStreams<'_>,
) {
    *side = StreamSide {
        phase: Phase::Open,
        lacks: true,
        damaged: true,
        ..StreamSide::default()
    };
    let start = Carried::Start {
        kind,
        head: &[],
        extent: Extent::ToClose,
        answers,
    };
    to(id, d, start);
    to(id, d, Carried::Gap(None));
}

/// A message that is its header section.
fn message(id: u32, d: Direction, kind: Kind, head: &[u8], whole: bool, to: ToStreams<'_>) {
    let start = Carried::Start {
        kind,
        head,
        extent: Extent::Known(head.len() as u64),
        answers: false,
    };
    to(id, d, start);
    to(id, d, Carried::Octets(head));
    to(id, d, Carried::End { whole });
}

impl Carrier for Http2Streams {
    fn frame(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        if self.sides[at.direction.index()].inside {
            // It broke off: what is left of it is not here, and nobody knows how much that is.
            self.lost(at.direction);
        }
        self.settle(at.direction, to);
        let side = &mut self.sides[at.direction.index()];
        (side.have, side.before_have, side.left) = (0, 0, 0);
        (side.inside, side.preface) = (true, false);
        side.payload.clear();
    }

    fn octets(&mut self, at: CarrierContext, octets: &[u8], to: ToStreams<'_>) {
        let d = at.direction;
        let i = d.index();
        let mut rest = octets;
        while !rest.is_empty() && self.sides[i].inside {
            let side = &mut self.sides[i];
            if side.have == 0 && rest[0] == PREFACE[0] {
                // No frame is so long.
                side.preface = true;
            }
            if side.preface {
                (side.inside, side.begun) = (false, true);
                self.client = Some(d);
                return;
            }
            if usize::from(side.have) < HEADER {
                let n = (HEADER - usize::from(side.have)).min(rest.len());
                let from = usize::from(side.have);
                side.header[from..from + n].copy_from_slice(&rest[..n]);
                side.have += u8::try_from(n).unwrap_or(0);
                rest = &rest[n..];
                if usize::from(side.have) == HEADER {
                    self.header_ends(at, to);
                    if self.sides[i].left == 0 {
                        self.frame_ends(at, to);
                    }
                }
                continue;
            }
            let wanted = side.before_len() - side.before_have;
            if wanted > 0 {
                side.before[usize::from(side.before_have)] = rest[0];
                side.before_have += 1;
                side.left = side.left.saturating_sub(1);
                rest = &rest[1..];
                if side.before_have == side.before_len() {
                    self.content_begins(at, to);
                }
            } else {
                let content = usize::try_from(side.content_left()).unwrap_or(usize::MAX);
                let n = content.min(rest.len());
                let (part, behind) = rest.split_at(n);
                match side.kind() {
                    _ if n == 0 => {}
                    DATA => self.body(at, Ok(part), to),
                    HEADERS | PUSH_PROMISE | CONTINUATION => self.fragment(at, part),
                    SETTINGS => {
                        let room = at.header.saturating_sub(side.payload.len());
                        side.payload
                            .extend_from_slice(part.get(..room).unwrap_or(part));
                    }
                    _ => {}
                }
                let side = &mut self.sides[i];
                side.left = side
                    .left
                    .saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
                rest = behind;
                if n == 0 {
                    // What is left is padding.
                    let left = usize::try_from(side.left).unwrap_or(usize::MAX);
                    let n = left.min(rest.len()).max(1).min(rest.len());
                    side.left = side
                        .left
                        .saturating_sub(u32::try_from(n).unwrap_or(u32::MAX));
                    rest = &rest[n..];
                }
            }
            if self.sides[i].left == 0 {
                self.frame_ends(at, to);
            }
        }
    }

    fn gap(&mut self, at: CarrierContext, len: u64, to: ToStreams<'_>) {
        let i = at.direction.index();
        let side = &mut self.sides[i];
        if !side.inside {
            return;
        }
        side.lossy = true;
        let header = usize::from(side.have) == HEADER;
        let before = header && side.before_have == side.before_len();
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        if header && !before && side.kind() == HEADERS && len <= side.left {
            // Where its block begins is not known, but whose it is.
            (side.before, side.before_have) = ([0; 10], side.before_len());
            self.content_begins(at, to);
        } else if !before || len > side.left {
            // What follows in this frame cannot be placed.
            side.inside = false;
            self.lost(at.direction);
            return;
        }
        let side = &mut self.sides[i];
        let content = side.content_left().min(len);
        match side.kind() {
            DATA if content > 0 => self.body(at, Err(u64::from(content)), to),
            HEADERS | PUSH_PROMISE | CONTINUATION if content > 0 || !before => {
                if let Some(block) = &mut side.block {
                    block.is_cut = true;
                }
                side.hpack.lost();
            }
            _ => {}
        }
        let side = &mut self.sides[i];
        side.left -= len;
        if side.left == 0 {
            self.frame_ends(at, to);
        }
    }

    fn lost(&mut self, direction: Direction) {
        self.sides[direction.index()].lost = true;
    }

    fn end(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        let d = at.direction;
        if self.sides[d.index()].inside || self.sides[d.index()].block.is_some() {
            self.lost(d);
        }
        self.settle(d, to);
        let untold = self.untold.keys().filter(|(_, of)| *of == d.index());
        let untold: Vec<u32> = untold.map(|(id, _)| *id).collect();
        for id in untold {
            self.tell_head(d, id, false, to);
        }
        let open = self.streams.iter();
        let open = open.filter(|(_, stream)| stream.sides[d.index()].phase == Phase::Open);
        let open: Vec<u32> = open.map(|(id, _)| *id).collect();
        for id in open {
            if let Some(stream) = self.streams.get_mut(&id) {
                let side = &mut stream.sides[d.index()];
                let whole = side.is_complete();
                side.phase = Phase::Ended;
                end_open(id, d, side, whole, to);
            }
        }
    }

    fn size(&self) -> usize {
        // The nodes of a tree are full by two thirds, about.
        let streams = self.streams.len() * (size_of::<StreamPair>() + 8) * 3 / 2;
        let closed = self.closed.capacity() * size_of::<u32>();
        let sides = self.sides.iter().map(FrameSide::size).sum::<usize>();
        let untold = self
            .untold
            .values()
            .map(|untold| size_of::<UntoldHead>() * 3 / 2 + allocated(untold.head.capacity()));
        allocated(size_of::<Self>()) + streams + closed + sides + untold.sum::<usize>()
    }
}
