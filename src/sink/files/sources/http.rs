//! Bodies of requests and responses of HTTP/1.x (RFC 9112), and of HTTP/2, whose messages are told in the same form.

use super::super::content::fields::HeaderFields;
use super::super::content::{disposition, multipart};
use super::super::entities::{Entities, EntityKey};
use super::super::received::{ReceivedRange, WholeRanges, content_range};
use super::super::source::{At, FileSource};
use super::super::store::Store;
use super::super::transfer::{FileInfo, LimitReached, NameFrom, Transfer, kept};
use crate::base::context::Context;
use crate::base::message::{Extent, Kind};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::Close;
use crate::message::{ChunkLine, ChunkSize, HttpStart};
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};
use bstr::ByteSlice;
use std::collections::VecDeque;

/// Requests that wait for their response; the oldest is forgotten. Clients that send requests ahead of their responses send tens.
// Each keeps its URL, so the number bounds memory for each connection too.
const REQUESTS: usize = 1024;

/// Reads HTTP.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct Http {
    entities: Entities,
}

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct HttpConnection {
    requests: VecDeque<PendingRequest>,
    open: [Option<Box<OpenBody>>; 2],
    counted: usize,
}

/// A request that is not answered yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PendingRequest {
    offset: u64,
    method: String,
    url: Vec<u8>,
}

impl PendingRequest {
    /// What a request line, and the fields behind it, ask for.
    fn new(offset: u64, start: Option<HttpStart<'_>>, fields: &HeaderFields<'_>) -> Self {
        let (method, target) = match start {
            Some(HttpStart::Request { method, target, .. }) => (kept(method), kept(target)),
            _ => Default::default(),
        };
        let method = method.to_str_lossy().into_owned();
        let mut url = Vec::new();
        // An absolute target names its host itself (RFC 9112, 3.2.2).
        if target.starts_with(b"/")
            && let Some(host) = fields.get("host")
        {
            url.extend_from_slice(b"http://");
            url.extend_from_slice(kept(host));
        }
        url.extend_from_slice(target);
        Self {
            offset,
            method,
            url,
        }
    }
}

/// The body of the message that is open.
#[derive(Debug, Serialize, Deserialize)]
struct OpenBody {
    to: BodyTarget,
    /// Offset in the stream of its first octet.
    from: u64,
    framing: BodyFraming,
    /// Offset in the file of the next octet.
    at: u64,
    /// Octets are missing, and it is known how many.
    gaps: bool,
    /// The range that it is, if it is one.
    range: Option<ReceivedRange>,
    /// Where it belongs if only a part of it comes.
    key: Option<EntityKey>,
}

/// Where the octets of a body go.
#[derive(Debug, Serialize, Deserialize)]
enum BodyTarget {
    /// Into a file of their own.
    File(Transfer),
    /// Into the file of an entity, up to this offset.
    Entity(u64, u64),
    /// Each of their parts into the file of this entity.
    Ranges(Transfer, Vec<u8>),
}

/// How a body is framed (RFC 9112, 6.3).
#[derive(Debug, Serialize, Deserialize)]
enum BodyFraming {
    /// Up to this offset of the file.
    Length(u64),
    /// Up to the end of the stream.
    ToClose,
    Chunked(ChunkedState),
}

/// Where in a chunked body the next octet stands (RFC 9112, 7.1).
#[derive(Debug, Serialize, Deserialize)]
enum ChunkedState {
    /// In the line with the size of a chunk, or the line end of the chunk before.
    Size(ChunkLine),
    /// In a chunk, with so many octets left.
    Data(u64),
    /// In the trailer, which belongs to no file.
    Trailer,
    /// Where it should be is not known.
    Lost,
}

impl ChunkedState {
    fn begin() -> Self {
        Self::Size(ChunkLine::default())
    }
}

impl OpenBody {
    /// Octets allocated, but for those of its file, which counts itself.
    fn size(&self) -> usize {
        let own = match &self.to {
            BodyTarget::Entity(..) => allocated(size_of::<Self>()),
            BodyTarget::File(_) => allocated(size_of::<Self>()) - size_of::<Transfer>(),
            BodyTarget::Ranges(_, boundary) => {
                allocated(size_of::<Self>()) - size_of::<Transfer>()
                    + allocated(boundary.capacity())
            }
        };
        own + self.key.as_ref().map_or(0, EntityKey::size)
    }

    /// Receives octets of the body, framing included.
    fn data(
        &mut self,
        entities: &mut Entities,
        at: &mut At<'_, HttpConnection>,
        mut octets: &[u8],
    ) {
        let BodyFraming::Chunked(chunks) = &mut self.framing else {
            put(entities, &mut self.to, self.at, at, octets);
            self.at += octets.len() as u64;
            return;
        };
        while !octets.is_empty() {
            match chunks {
                ChunkedState::Data(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (data, rest) = octets.split_at(n.min(octets.len()));
                    *left -= data.len() as u64;
                    if *left == 0 {
                        *chunks = ChunkedState::begin();
                    }
                    put(entities, &mut self.to, self.at, at, data);
                    self.at += data.len() as u64;
                    octets = rest;
                }
                ChunkedState::Size(line) => {
                    let (read, size) = line.read(octets);
                    octets = &octets[read..];
                    match size {
                        ChunkSize::More => {}
                        ChunkSize::Octets(0) => *chunks = ChunkedState::Trailer,
                        ChunkSize::Octets(size) => *chunks = ChunkedState::Data(size),
                        ChunkSize::Bad => *chunks = ChunkedState::Lost,
                    }
                }
                ChunkedState::Trailer | ChunkedState::Lost => return,
            }
        }
    }

    /// `len` octets of the body, framing included, are missing.
    fn gap(&mut self, len: u64) {
        self.gaps = true;
        match &mut self.framing {
            BodyFraming::Chunked(chunks) => match chunks {
                // Within one chunk the gap can be counted; anywhere else a size may be in it.
                ChunkedState::Data(left) if len <= *left => {
                    *left -= len;
                    self.at += len;
                    if *left == 0 {
                        *chunks = ChunkedState::begin();
                    }
                }
                ChunkedState::Trailer => {}
                // What is left cannot be placed: the file ends here, marked.
                _ => *chunks = ChunkedState::Lost,
            },
            BodyFraming::Length(_) | BodyFraming::ToClose => self.at += len,
        }
    }

    /// Octets that the file should have, now that the message has ended.
    fn len(&self, end: &MessageEnd) -> Option<u64> {
        match self.framing {
            // Framing has read the same lines; where it came to another end, neither is believed.
            BodyFraming::Chunked(ChunkedState::Trailer) => Some(self.at),
            BodyFraming::Chunked(_) => None,
            _ if end.whole => Some(self.at),
            BodyFraming::Length(len) => Some(len),
            // A RST may have cut it, but what came before is in order.
            BodyFraming::ToClose => {
                // Without a gap it is not known where octets are missing.
                let closed = matches!(end.closes, Some(Close::Fin | Close::Reset));
                (closed && self.gaps).then_some(self.at)
            }
        }
    }
}

/// Writes octets of a body without its framing.
fn put(
    entities: &mut Entities,
    to: &mut BodyTarget,
    offset: u64,
    at: &mut At<'_, HttpConnection>,
    octets: &[u8],
) {
    let (file, octets) = match to {
        BodyTarget::File(file) | BodyTarget::Ranges(file, _) => (file, octets),
        BodyTarget::Entity(id, end) => {
            let Some(file) = entities.file(*id) else {
                return;
            };
            let room = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
            if octets.len() > room {
                file.limited.get_or_insert(LimitReached::Past);
            }
            (file, octets.get(..room).unwrap_or(octets))
        }
    };
    at.store.write(at.cx, file, offset, octets);
}

impl FileSource for Http {
    type Connection = HttpConnection;

    fn protocols(&self) -> &'static [&'static str] {
        &["http", "http2"]
    }

    fn start(&mut self, at: &mut At<'_, HttpConnection>, start: &MessageStart<'_>) {
        if start.kind == Kind::Other {
            // Rather no file than one that begins with a header.
            // A header that is cut: what follows it is not known.
            return;
        }
        let connection = at.kept.get_or_insert_default();
        let (line, fields) = HeaderFields::of_message(start.head);
        let asked = if start.kind == Kind::Request {
            let asked = PendingRequest::new(start.offset, line, &fields);
            connection.add_request(asked.clone());
            Some(asked)
        } else {
            connection.answered(start.answers)
        };
        let head = start.head.len() as u64;
        let mut framing = match start.extent {
            Extent::Known(len) if len <= head => {
                connection.count(at.cx);
                return;
            }
            Extent::Known(len) => BodyFraming::Length(len - head),
            Extent::Open => BodyFraming::Chunked(ChunkedState::begin()),
            Extent::ToClose => BodyFraming::ToClose,
        };
        let mut about = FileInfo::new(
            start.protocol,
            at.flow,
            at.direction,
            start.frame,
            start.time,
        );
        if let Some(asked) = asked {
            about.name = disposition::name_of_url(&asked.url).map(|name| (name, NameFrom::Url));
            about.fallback = b"index".to_vec();
            about.command = asked.method;
            about.url = asked.url;
        }
        fields.describe(&mut about);
        let status = match line {
            Some(HttpStart::Response { status, .. }) => status,
            _ => 0,
        };
        let (mut offset, mut key, mut brought) = (0, None, None);
        let to = if status == 206 {
            let body_len = match framing {
                BodyFraming::Length(len) => Some(len),
                _ => None,
            };
            let range = fields
                .get("content-range")
                .and_then(|value| content_range(value, body_len));
            let boundary = multipart::boundary_of_ranges(&about.media_type);
            key = EntityKey::new(&about.url, &fields, range.and_then(|r| r.len));
            brought = range.map(|range| ReceivedRange::new(range, &about));
            // A range with a URL goes to its entity; one without cannot be joined to anything.
            match (range, boundary, &key) {
                (Some(range), None, Some(key)) => {
                    offset = range.from;
                    at.cx.counters.files.ranges += 1;
                    let id = self.entities.begin(at.cx, at.store, key, || about);
                    BodyTarget::Entity(id, range.to)
                }
                (None, Some(boundary), Some(_)) => {
                    BodyTarget::Ranges(at.store.begin(at.cx, about), boundary)
                }
                _ => {
                    offset = range.map_or(0, |range| range.from);
                    let mut file = at.store.begin(at.cx, about);
                    if range.is_none() && fields.get("content-range").is_some() {
                        // A part of something, and nobody knows which.
                        file.lost(0);
                    }
                    BodyTarget::File(file)
                }
            }
        } else {
            if status == 200
                && let BodyFraming::Length(len) = framing
            {
                key = EntityKey::new(&about.url, &fields, Some(len));
            }
            BodyTarget::File(at.store.begin(at.cx, about))
        };
        if let (BodyTarget::File(_), 206) = (&to, status) {
            key = None;
        }
        if let BodyFraming::Length(len) = &mut framing {
            // Offsets of a range count from the entity's beginning.
            *len = len.saturating_add(offset);
        }
        let body = Box::new(OpenBody {
            to,
            from: start.offset + head,
            framing,
            at: offset,
            gaps: false,
            range: brought,
            key,
        });
        connection.open[at.direction.index()] = Some(body);
        connection.count(at.cx);
    }

    fn data(&mut self, at: &mut At<'_, HttpConnection>, piece: &Piece<'_>) {
        let Some(mut body) = open(at) else { return };
        let head = body.from.saturating_sub(piece.offset);
        let head = usize::try_from(head).unwrap_or(usize::MAX);
        if let Some(octets) = piece.data.get(head..).filter(|o| !o.is_empty()) {
            let file = match &mut body.to {
                BodyTarget::File(file) | BodyTarget::Ranges(file, _) => Some(file),
                BodyTarget::Entity(id, _) => self.entities.file(*id),
            };
            if let Some(file) = file {
                file.about.seen(piece.frame, piece.time);
            }
            if let Some(range) = &mut body.range {
                range.seen(piece.frame, piece.time);
            }
            body.data(&mut self.entities, at, octets);
        }
        put_back(at, body);
    }

    fn gap(&mut self, at: &mut At<'_, HttpConnection>, gap: &MessageGap) {
        let Some(mut body) = open(at) else { return };
        let behind = (gap.offset + gap.len).saturating_sub(gap.offset.max(body.from));
        if behind > 0 {
            body.gap(behind);
        }
        put_back(at, body);
    }

    fn jump(&mut self, at: &mut At<'_, HttpConnection>) {
        // Later octets stand somewhere behind: they are kept where they fall, and the list says
        // that their place is not known.
        let Some(mut body) = open(at) else { return };
        match &mut body.to {
            BodyTarget::File(file) | BodyTarget::Ranges(file, _) => file.lost(body.at),
            // Where the octets behind it belong is not known.
            BodyTarget::Entity(_, end) => *end = body.at,
        }
        body.gaps = true;
        put_back(at, body);
    }

    fn end(&mut self, at: &mut At<'_, HttpConnection>, end: &MessageEnd) {
        let Some(body) = open(at) else { return };
        if let Some(connection) = at.kept {
            connection.count(at.cx);
        }
        let len = body.len(end);
        let announced = matches!(body.framing, BodyFraming::Length(_)) && !body.gaps;
        let OpenBody {
            to,
            key,
            range,
            at: upto,
            gaps,
            ..
        } = *body;
        let entity_len = range.as_ref().map(|brought| brought.range.len);
        let brought = range.filter(|brought| end.whole && !gaps && upto == brought.range.to);
        match to {
            // The body was announced, and another message stands where it would begin.
            BodyTarget::File(file)
                if file.have.octets() == 0 && announced && !end.whole && end.extent_unknown =>
            {
                at.store.discard(at.cx, file);
            }
            BodyTarget::File(file) if file.have.octets() == 0 && len == Some(0) => {
                at.store.discard(at.cx, file);
            }
            BodyTarget::File(file) => match (key, entity_len) {
                // The rest may come with a range request, as download managers do.
                (Some(key), _) if !end.whole && file.unknown.is_empty() && key.is_certain() => {
                    self.entities.keep(at.cx, at.store, key, file);
                }
                (Some(key), None) if end.whole && !gaps => {
                    let decoded = !file.about.codings.is_empty();
                    if let Some(name) = at.store.finish_named(at.cx, file, len) {
                        self.entities.came_whole(at.cx, key, name, decoded);
                    }
                }
                // A range of what nobody knows the URL of.
                (_, Some(len)) => {
                    let ranges = WholeRanges::of(brought);
                    let _ = at.store.finish_ranges(at.cx, file, len, ranges);
                }
                _ => at.store.finish(at.cx, file, len),
            },
            BodyTarget::Entity(id, _) => self.entities.end(at.cx, at.store, id, brought),
            BodyTarget::Ranges(file, boundary) => match key {
                Some(key) => self.ranges(at, file, &boundary, &key, len),
                None => at.store.finish(at.cx, file, len),
            },
        }
    }

    // The state stays until the connection goes, but its lists are given back.
    fn closed(&mut self, at: &mut At<'_, HttpConnection>, _: Close) {
        if let Some(connection) = at.kept {
            connection.requests = VecDeque::new();
            at.cx.budget.give(std::mem::take(&mut connection.counted));
        }
    }

    fn tick(&mut self, cx: &mut Context, store: &mut Store) {
        self.entities.tick(cx, store);
    }

    fn finish(&mut self, cx: &mut Context, store: &mut Store) {
        self.entities.finish(cx, store);
    }
}

impl Http {
    /// A body of several ranges has ended (RFC 9110, 14.6): each goes to where it belongs.
    fn ranges(
        &mut self,
        at: &mut At<'_, HttpConnection>,
        mut body: Transfer,
        boundary: &[u8],
        key: &EntityKey,
        len: Option<u64>,
    ) {
        at.store.recognise(&mut body);
        let whole = body.missing(len).is_empty();
        let parts = at.store.parts(&body, boundary, whole).unwrap_or_default();
        let mut used = false;
        for part in parts {
            let fields = HeaderFields::read(&part.head);
            let Some(range) = fields
                .get("content-range")
                .and_then(|value| content_range(value, Some(part.to - part.from)))
            else {
                continue;
            };
            used = true;
            at.cx.counters.files.ranges += 1;
            let came_whole = part.ended
                && part.to - part.from == range.to - range.from
                && body.has(part.from, part.to);
            let brought = came_whole.then(|| ReceivedRange::new(range, &body.about));
            let about = || {
                let mut about = body.about.clone();
                about.media_type.clear();
                fields.describe(&mut about);
                about
            };
            // Parts of one body may be of entities whose length differs.
            let key = key.with_len(range.len);
            let id = self.entities.begin(at.cx, at.store, &key, about);
            if let Some(file) = self.entities.file(id) {
                let end = part.to.min(part.from + (range.to - range.from));
                if part.to > end {
                    file.limited.get_or_insert(LimitReached::Past);
                }
                file.about.seen(body.about.last.0, body.about.last.1);
                at.store
                    .copy(at.cx, &body, (part.from, end), file, range.from);
            }
            self.entities.end(at.cx, at.store, id, brought);
        }
        if used {
            at.store.discard(at.cx, body);
        } else {
            at.store.finish(at.cx, body, len);
        }
    }
}

/// Takes the open body of the direction; it is put back, or finished.
fn open(at: &mut At<'_, HttpConnection>) -> Option<Box<OpenBody>> {
    at.kept.as_mut()?.open[at.direction.index()].take()
}

fn put_back(at: &mut At<'_, HttpConnection>, body: Box<OpenBody>) {
    if let Some(connection) = at.kept {
        connection.open[at.direction.index()] = Some(body);
    }
}

impl HttpConnection {
    /// Remembers a request until it is answered.
    fn add_request(&mut self, request: PendingRequest) {
        if self.requests.len() >= REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// The request that begins at this offset. It stays: an interim response may come first (RFC 9110, 15.2).
    fn answered(&mut self, request: Option<u64>) -> Option<PendingRequest> {
        let request = request?;
        // Requests before it were answered, or their answers lost.
        while self.requests.front().is_some_and(|r| r.offset < request) {
            self.requests.pop_front();
        }
        self.requests
            .front()
            .filter(|r| r.offset == request)
            .cloned()
    }

    fn count(&mut self, cx: &mut Context) {
        let texts =
            |r: &PendingRequest| allocated(r.method.capacity()) + allocated(r.url.capacity());
        let now = allocated(size_of::<Self>())
            + allocated(self.requests.capacity() * size_of::<PendingRequest>())
            + self.requests.iter().map(texts).sum::<usize>()
            + self
                .open
                .iter()
                .flatten()
                .map(|body| body.size())
                .sum::<usize>();
        cx.budget.rebook(&mut self.counted, now);
    }
}
