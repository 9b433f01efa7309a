//! Bodies of HTTP/1.x requests and responses (RFC 9112).

use super::transfer::{NameFrom, kept};
use super::{About, At, Kept, Source, Transfer, name};
use crate::context::Context;
use crate::message::{Extent, Kind, MessageEnd, MessageGap, MessageStart, Piece};
use crate::transport::stream::Close;
use memchr::memchr;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Requests that wait for their response; the oldest is forgotten.
const REQUESTS: usize = 1024;
/// A line of a chunk's size that is longer than this is none.
const CHUNK_LINE: usize = 16 << 10;

/// Reads HTTP.
#[derive(Default)]
pub(super) struct Http;

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Connection {
    requests: VecDeque<Asked>,
    open: [Option<Box<Body>>; 2],
    counted: usize,
}

/// A request that is not answered yet.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    offset: u64,
    method: String,
    url: Vec<u8>,
}

/// The body of the message that is open.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    file: Transfer,
    /// Offset in the stream of its first octet.
    from: u64,
    framing: Framing,
    /// Offset in the file of the next octet.
    at: u64,
    /// Octets are missing, and how many is known.
    gaps: bool,
}

/// How a body is framed (RFC 9112, 6.3).
#[derive(Debug, Serialize, Deserialize)]
enum Framing {
    /// So many octets.
    Length(u64),
    /// Up to the end of the stream.
    ToClose,
    Chunked(Chunks),
}

/// Where in a chunked body the next octet stands (RFC 9112, 7.1).
#[derive(Debug, Serialize, Deserialize)]
enum Chunks {
    /// In the line with the size of a chunk: its digits, until something else comes, and the octets of the line.
    Size { size: u64, digits: u8, line: usize },
    /// In a chunk, with so many octets left.
    Data(u64),
    /// In the line end behind a chunk.
    End,
    /// In the trailer, which belongs to no file.
    Trailer,
    /// Where it should be is not known.
    Lost,
}

impl Chunks {
    const BEGIN: Self = Self::Size {
        size: 0,
        digits: 0,
        line: 0,
    };
}

impl Body {
    /// Takes octets of the body, framing included.
    fn data(&mut self, at: &mut At<'_>, mut octets: &[u8]) {
        let Framing::Chunked(chunks) = &mut self.framing else {
            at.store.write(at.cx, &mut self.file, self.at, octets);
            self.at += octets.len() as u64;
            return;
        };
        while let Some((&first, rest)) = octets.split_first() {
            match chunks {
                Chunks::Data(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (data, rest) = octets.split_at(n.min(octets.len()));
                    at.store.write(at.cx, &mut self.file, self.at, data);
                    self.at += data.len() as u64;
                    *left -= data.len() as u64;
                    if *left == 0 {
                        *chunks = Chunks::End;
                    }
                    octets = rest;
                    continue;
                }
                Chunks::Size { size, digits, line } => {
                    *line += 1;
                    if first == b'\n' {
                        *chunks = match (*digits, *size) {
                            (0, _) => Chunks::Lost,
                            (_, 0) => Chunks::Trailer,
                            (_, size) => Chunks::Data(size),
                        };
                    } else if *line > CHUNK_LINE {
                        *chunks = Chunks::Lost;
                    } else if let Some(digit) = char::from(first).to_digit(16)
                        && usize::from(*digits) + 1 == *line
                        && *digits < 15
                    {
                        *size = *size << 4 | u64::from(digit);
                        *digits += 1;
                    }
                }
                Chunks::End => match first {
                    b'\r' => {}
                    b'\n' => *chunks = Chunks::BEGIN,
                    // The line end is missing.
                    _ => {
                        *chunks = Chunks::BEGIN;
                        continue;
                    }
                },
                Chunks::Trailer | Chunks::Lost => return,
            }
            octets = rest;
        }
    }

    /// So many octets of the body, framing included, are missing.
    fn gap(&mut self, len: u64) {
        self.gaps = true;
        match &mut self.framing {
            Framing::Chunked(chunks) => match chunks {
                Chunks::Data(left) if len <= *left => {
                    *left -= len;
                    self.at += len;
                    if *left == 0 {
                        *chunks = Chunks::End;
                    }
                }
                Chunks::Trailer => {}
                _ => *chunks = Chunks::Lost,
            },
            Framing::Length(_) | Framing::ToClose => self.at += len,
        }
    }

    /// Octets that the file should have, now that the message has ended.
    fn len(&self, end: &MessageEnd) -> Option<u64> {
        match self.framing {
            _ if end.whole => Some(self.at),
            Framing::Length(len) => Some(len),
            Framing::ToClose => {
                // Where no gap was told, it is not known where octets are missing.
                let closed = matches!(end.closes, Some(Close::Fin | Close::Reset));
                (closed && self.gaps).then_some(self.at)
            }
            Framing::Chunked(Chunks::Trailer) => Some(self.at),
            Framing::Chunked(_) => None,
        }
    }
}

impl Source for Http {
    fn protocols(&self) -> &'static [&'static str] {
        &["http"]
    }

    fn start(&mut self, at: &mut At<'_>, start: &MessageStart<'_>) {
        if start.kind == Kind::Other {
            // A header that is cut: what follows it is not known.
            return;
        }
        if matches!(at.kept, Kept::Free) {
            *at.kept = Kept::Http(Box::default());
        }
        let Kept::Http(connection) = at.kept else {
            return;
        };
        let fields = Fields::read(start.head);
        let asked = if start.kind == Kind::Request {
            let (method, url) = fields.request();
            connection.asked(at.cx, start, method, url)
        } else {
            connection.answered(at.cx, start.answers)
        };
        let head = start.head.len() as u64;
        let framing = match start.extent {
            Extent::Known(len) if len <= head => return,
            Extent::Known(len) => Framing::Length(len - head),
            Extent::Open => Framing::Chunked(Chunks::BEGIN),
            Extent::ToClose => Framing::ToClose,
        };
        let mut about = About::new("http", at.flow, at.direction, start.frame, start.time);
        if let Some((method, url)) = asked {
            about.name = name_of_url(&url).map(|name| (name, NameFrom::Url));
            about.command = method;
            about.fallback = if about.name.is_none() {
                "index"
            } else {
                "http"
            }
            .to_owned();
            about.url = url;
        }
        fields.describe(&mut about);
        let body = Box::new(Body {
            file: at.store.begin(at.cx, about),
            from: start.offset + head,
            framing,
            at: 0,
            gaps: false,
        });
        if let Some(old) = connection.open[at.direction.index()].replace(body) {
            at.store.finish(at.cx, old.file, None);
        }
    }

    fn data(&mut self, at: &mut At<'_>, piece: &Piece<'_>) {
        let Some(mut body) = open(at) else { return };
        let head = body.from.saturating_sub(piece.offset);
        let head = usize::try_from(head).unwrap_or(usize::MAX);
        if let Some(octets) = piece.data.get(head..).filter(|o| !o.is_empty()) {
            body.file.about.seen(piece.frame, piece.time);
            body.data(at, octets);
        }
        put_back(at, body);
    }

    fn gap(&mut self, at: &mut At<'_>, gap: &MessageGap) {
        let Some(mut body) = open(at) else { return };
        let behind = (gap.offset + gap.len).saturating_sub(gap.offset.max(body.from));
        if behind > 0 {
            body.gap(behind);
        }
        put_back(at, body);
    }

    fn jump(&mut self, at: &mut At<'_>) {
        let Some(mut body) = open(at) else { return };
        body.file.lost(body.at);
        body.gaps = true;
        put_back(at, body);
    }

    fn end(&mut self, at: &mut At<'_>, end: &MessageEnd) {
        let Some(body) = open(at) else { return };
        let len = body.len(end);
        if body.at == 0 && len == Some(0) {
            at.store.discard(at.cx, body.file);
        } else {
            at.store.finish(at.cx, body.file, len);
        }
    }

    fn closed(&mut self, at: &mut At<'_>, _: Close) {
        if let Kept::Http(connection) = at.kept {
            connection.requests = VecDeque::new();
            at.cx.budget.give(std::mem::take(&mut connection.counted));
        }
    }
}

/// Takes the open body of the direction; it is put back, or finished.
fn open(at: &mut At<'_>) -> Option<Box<Body>> {
    match at.kept {
        Kept::Http(connection) => connection.open[at.direction.index()].take(),
        _ => None,
    }
}

fn put_back(at: &mut At<'_>, body: Box<Body>) {
    if let Kept::Http(connection) = at.kept {
        connection.open[at.direction.index()] = Some(body);
    }
}

impl Connection {
    /// Remembers a request, and gives its method and URL.
    fn asked(
        &mut self,
        cx: &mut Context,
        start: &MessageStart<'_>,
        method: String,
        url: Vec<u8>,
    ) -> Option<(String, Vec<u8>)> {
        if self.requests.len() >= REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(Asked {
            offset: start.offset,
            method: method.clone(),
            url: url.clone(),
        });
        self.count(cx);
        Some((method, url))
    }

    /// Method and URL of the request that is answered. It stays: an interim response may come first (RFC 9110, 15.2).
    fn answered(&mut self, cx: &mut Context, request: Option<u64>) -> Option<(String, Vec<u8>)> {
        let request = request?;
        while self.requests.front().is_some_and(|r| r.offset < request) {
            self.requests.pop_front();
        }
        self.count(cx);
        let asked = self.requests.front().filter(|r| r.offset == request)?;
        Some((asked.method.clone(), asked.url.clone()))
    }

    fn count(&mut self, cx: &mut Context) {
        let texts = |r: &Asked| r.method.capacity() + r.url.capacity();
        let now = size_of::<Self>()
            + self.requests.capacity() * size_of::<Asked>()
            + self.requests.iter().map(texts).sum::<usize>();
        cx.budget.resize(self.counted, now);
        self.counted = now;
    }
}

/// A header section, parted into lines.
struct Fields<'a> {
    start_line: &'a [u8],
    lines: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Fields<'a> {
    fn read(head: &'a [u8]) -> Self {
        let mut rest = head;
        let mut next = || {
            let end = memchr(b'\n', rest)?;
            let line = &rest[..end];
            rest = &rest[end + 1..];
            Some(line.strip_suffix(b"\r").unwrap_or(line))
        };
        let start_line = next().unwrap_or_default();
        let mut lines = Vec::new();
        while let Some(line) = next() {
            if let Some(colon) = memchr(b':', line) {
                lines.push((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()));
            }
        }
        Self { start_line, lines }
    }

    /// Values of a field, in order.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self
            .lines
            .iter()
            .filter(move |l| l.0.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|l| l.1)
    }

    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// Method and URL of a request.
    fn request(&self) -> (String, Vec<u8>) {
        let mut words = self.start_line.split(|o| *o == b' ');
        let method = String::from_utf8_lossy(kept(words.next().unwrap_or_default())).into_owned();
        let target = kept(words.next().unwrap_or_default());
        let mut url = Vec::new();
        if target.starts_with(b"/")
            && let Some(host) = self.get("host")
        {
            url.extend_from_slice(b"http://");
            url.extend_from_slice(kept(host));
        }
        url.extend_from_slice(target);
        (method, url)
    }

    /// What a header section says about a file.
    fn describe(&self, about: &mut About) {
        let text = |value: &[u8]| String::from_utf8_lossy(kept(value)).into_owned();
        if let Some(value) = self.get("content-type") {
            about.media_type = text(value);
        }
        let content = self.all("content-encoding");
        let transfer = self.all("transfer-encoding");
        for value in content.chain(transfer) {
            for coding in value.split(|o| *o == b',').map(<[u8]>::trim_ascii) {
                let coding = text(coding).to_ascii_lowercase();
                if !matches!(coding.as_str(), "" | "identity" | "chunked") {
                    about.codings.push(coding);
                }
            }
        }
    }
}

/// The last part of a URL's path; None where it is empty.
fn name_of_url(url: &[u8]) -> Option<Vec<u8>> {
    let path = url.split(|o| matches!(o, b'?' | b'#')).next()?;
    let path = match path.windows(3).position(|w| w == b"://") {
        // Behind the host.
        Some(at) => {
            let rest = &path[at + 3..];
            &rest[memchr(b'/', rest)?..]
        }
        None => path,
    };
    let last = path.rsplit(|o| *o == b'/').next()?;
    (!last.is_empty()).then(|| name::percent_decoded(last))
}
