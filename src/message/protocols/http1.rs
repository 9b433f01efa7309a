//! HTTP/1.x (RFC 9112): requests, responses, and where they are to be found again after a loss.
//!
//! Whether a response has a body depends on its request (RFC 9112, 6.3), and a capture may have lost that request. So
//! responses are matched to requests by acknowledgment numbers, which survive loss: a client that has read a response
//! acknowledges all of it with its next request, and that request is answered from there on.

use super::super::framing::{
    Begin, BodyPart, Detector, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::row::{ProtocolRow, UserMessageRow};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::storage::allocated;
use memchr::{memchr, memmem, memrchr};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Methods of the IANA registry and of what is met on networks. A search finds only these: what is left of a lost header may stand right
/// before one.
const METHODS: &[&[u8]] = &[
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"CONNECT",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SEARCH",
    b"M-SEARCH",
    b"NOTIFY",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"PURGE",
    b"MERGE",
    b"CHECKOUT",
    b"CHECKIN",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"VERSION-CONTROL",
    b"UPDATE",
    b"LABEL",
    b"BIND",
    b"UNBIND",
    b"REBIND",
    b"LINK",
    b"UNLINK",
    b"ACL",
    b"QUERY",
];

/// Ports that are hardly used for anything else.
const PORTS: &[u16] = &[80, 8080, 8000, 3128];
/// A request target longer than this is none.
// Browsers send 64 KiB and more only by mistake; nginx and Apache refuse 8 KiB by default. Twice
// would hold twice as much of any stream that begins with a word and a space.
const TARGET: usize = 64 << 10;
/// A status line longer than this is none.
// Servers write a few words of text there.
const STATUS_LINE: usize = 8 << 10;
/// A field name longer than this is none.
// The longest registered name has some 40 letters. A search looks at no more than this for the
// colon, so no octet costs more.
const FIELD_NAME: usize = 256;
/// A chunk's line, extensions included, or a line of a trailer, that is longer than this is none.
// Extensions are nearly never sent; the bound stops a chunk line without an end from being held.
const CHUNK_LINE: usize = 16 << 10;
/// Requests that wait for their response; the oldest is forgotten.
// Browsers keep a handful in flight; 1,024 entries take 32 KiB. A client that sends more without
// reading answers loses only the exact match.
const REQUESTS: usize = 1024;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "http",
    about: "HTTP/1.x (RFC 9112)",
    ports: PORTS,
    user_message: Some(UserMessageRow {
        ports: &[80, 8080],
        is_plausible: |b, _| {
            b.starts_with(b"HTTP/1.") || b.starts_with(b"GET /") || b.starts_with(b"POST /")
        },
    }),
    // Vector search makes it cheap enough to go on for the whole of an unknown stream.
    // The search is one for "HTTP/1.".
    cheap_search: true,
    tunnels: true,
    ..ProtocolRow::NONE
};

/// Recognises HTTP/1.x.
pub(crate) struct HttpDetector;

impl Detector for HttpDetector {
    fn probe(&self, octets: &[u8], _: bool) -> Probe {
        let octets = skip_empty_lines(octets);
        let line = match memchr(b'\n', octets) {
            Some(end) => &octets[..end],
            None if may_start(octets) => {
                // Bounded by the longest target: what is longer is no request.
                return if octets.len() < TARGET {
                    Probe::More
                } else {
                    Probe::No
                };
            }
            None => return Probe::No,
        };
        if start_line(line).is_some() {
            Probe::Yes
        } else {
            Probe::No
        }
    }

    fn search(&self, octets: &[u8], _: bool, more: bool) -> Found {
        search(octets, more, true, true)
    }
}

/// The octets behind empty lines, which may stand before a request line (RFC 9112, 2.2).
fn skip_empty_lines(octets: &[u8]) -> &[u8] {
    let blank = octets
        .iter()
        .take_while(|o| matches!(o, b'\r' | b'\n'))
        .count();
    &octets[blank..]
}

/// A start line without its line feed.
enum StartLine<'a> {
    Request { method: &'a [u8] },
    Response { status: u16 },
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// What a line is, if it is a start line (RFC 9112, 3 and 4).
fn start_line(line: &[u8]) -> Option<StartLine<'_>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some(rest) = line.strip_prefix(b"HTTP/1.") {
        let (minor, rest) = rest.split_first()?;
        let digits = rest.get(1..4)?;
        // The form is fixed to the octet (RFC 9112, 4), which is why a search may trust it.
        let sound =
            minor.is_ascii_digit() && rest[0] == b' ' && digits.iter().all(u8::is_ascii_digit);
        let status = digits
            .iter()
            // Only digits were let through; the rest keeps the sum in range whatever stands there.
            .fold(0, |n, d| n * 10 + u16::from(d.wrapping_sub(b'0') % 10));
        let ends = rest.get(4).is_none_or(|o| *o == b' ') && line.len() <= STATUS_LINE;
        let clean = line.iter().all(|&o| o >= b' ' || o == b'\t');
        return (sound && ends && clean && (100..=999).contains(&status))
            .then_some(StartLine::Response { status });
    }
    let space = memchr(b' ', line)?;
    let (method, rest) = line.split_at(space);
    // The version ends the line: it is taken off from the right, and what is left has to be one
    // word.
    let target = rest
        .strip_suffix(b" HTTP/1.1")
        .or_else(|| rest.strip_suffix(b" HTTP/1.0"))?;
    // A bound on the method keeps a line of base64 from being one.
    let sound = !method.is_empty() && method.len() <= 32 && method.iter().all(|&o| is_token(o));
    let target = target.get(1..)?;
    let clean = !target.is_empty()
        && target.len() <= TARGET
        && target.iter().all(|&o| o > b' ' && o != 0x7f);
    (sound && clean).then_some(StartLine::Request { method })
}

/// Octets without a line feed that a start line may begin with.
fn may_start(octets: &[u8]) -> bool {
    let n = octets.len().min(7);
    if octets[..n] == b"HTTP/1."[..n] {
        return true;
    }
    match memchr(b' ', octets) {
        // As far as the line goes it has to look like a start line: else any text with a space
        // would be waited for.
        Some(space) => {
            let method = &octets[..space];
            let (target, version) = match memchr(b' ', &octets[space + 1..]) {
                Some(end) => (
                    &octets[space + 1..space + 1 + end],
                    &octets[space + 1 + end..],
                ),
                None => (&octets[space + 1..], &b""[..]),
            };
            let n = version.len().min(8);
            !method.is_empty()
                && method.len() <= 32
                && method.iter().all(|&o| is_token(o))
                && target.iter().all(|&o| o > b' ' && o != 0x7f)
                && version[..n] == b" HTTP/1."[..n]
                && version.len() <= 10
        }
        // No space yet: a method may be begun.
        None => octets.len() <= 32 && octets.iter().all(|&o| is_token(o)),
    }
}

/// What stands behind a start line: None while it cannot be told, else whether it is a header line or the empty line.
fn header_follows(octets: &[u8]) -> Option<bool> {
    match octets {
        // Cut right behind the start line: what follows is still to come.
        [] | [b'\r'] => return None,
        [b'\n', ..] | [b'\r', b'\n', ..] => return Some(true),
        _ => {}
    }
    let name = octets
        .iter()
        .take(FIELD_NAME)
        .take_while(|&&o| is_token(o))
        .count();
    // Longer than any field name: no header line.
    match octets.get(name) {
        None if name < FIELD_NAME => None,
        Some(b':') => Some(name > 0),
        // Some senders put white space before the colon.
        Some(b' ' | b'\t') if name > 0 => octets.get(name + 1).map(|o| *o == b':'),
        _ => Some(false),
    }
}

/// The next place where a request or a response begins: a whole start line, then a header line or the empty line.
fn search(octets: &[u8], more: bool, requests: bool, responses: bool) -> Found {
    let mut from = 0;
    // Everything before this place has been found to belong to no start line that ends behind it.
    let mut floor = 0;
    let mut keep = None;
    // The version is the rarest part of a start line: it is searched for, and what stands around it
    // is checked.
    while let Some(hit) = memmem::find(&octets[from..], b"HTTP/1.") {
        let at = from + hit;
        from = at + 7;
        // A status line begins with the version, a request line ends with it: both are tried.
        let response = if responses {
            response_at(&octets[at..]).map(|judged| (at, judged))
        } else {
            None
        };
        let request = if requests && at > floor && octets[at - 1] == b' ' {
            request_before(octets, floor, at).map(|start| (start, request_ends(&octets[at..])))
        } else {
            None
        };
        // Cut behind the version it may be either: the request begins first.
        let mut cut = None;
        // The earlier of the two, or octets of a request would be skipped as garbage.
        for (start, judged) in [request, response].into_iter().flatten() {
            match judged {
                Some(true) => return Found::At(start),
                // Not decided and more is to come: everything from here on is kept.
                None if more => cut = cut.or(Some(start)),
                _ => {}
            }
        }
        if cut.is_some() {
            keep = cut;
            break;
        }
        // What lies before this hit cannot be a target that ends at a later one: the line would
        // hold two versions. So no target is looked through twice.
        floor = at;
    }
    let keep = keep.unwrap_or_else(|| {
        if more {
            cut_start(octets, floor, requests, responses)
        } else {
            octets.len()
        }
    });
    Found::Nowhere { keep }
}

/// A status line and what follows it at `octets`, which begin with `HTTP/1.`: None where it is no status line, else
/// whether the message is sound, as far as that can be told.
fn response_at(octets: &[u8]) -> Option<Option<bool>> {
    const FORM: &[u8] = b"HTTP/1.d ddd";
    let sound = octets.iter().zip(FORM).all(|(o, f)| {
        if *f == b'd' {
            o.is_ascii_digit()
        } else {
            o == f
        }
    });
    if !sound || octets.len() == 8 || (octets.len() > 8 && octets[8] != b' ') {
        return (sound && octets.len() <= 8).then_some(None);
    }
    // A status line without an end must not make the search read on without bound.
    let window = &octets[..octets.len().min(STATUS_LINE)];
    match memchr(b'\n', window) {
        Some(end) => {
            let sound = matches!(start_line(&octets[..end]), Some(StartLine::Response { .. }));
            // A start line alone may stand in a body; with a header line behind it hardly.
            Some(if sound {
                header_follows(&octets[end + 1..])
            } else {
                Some(false)
            })
        }
        None if window
            .iter()
            .all(|&o| o >= b' ' || o == b'\t' || o == b'\r')
            && window.len() < STATUS_LINE =>
        {
            Some(None)
        }
        None => Some(Some(false)),
    }
}

/// Where the request line begins whose version stands at `version`, behind `floor`.
fn request_before(octets: &[u8], floor: usize, version: usize) -> Option<usize> {
    // Never behind the place that was looked through, never longer than a target.
    let line = &octets[floor.max(version.saturating_sub(TARGET))..version - 1];
    let space = memrchr(b' ', line)?;
    let target = &line[space + 1..];
    // A control character or a space inside means that the line began elsewhere.
    if target.is_empty() || target.iter().any(|&o| o <= b' ' || o == 0x7f) {
        return None;
    }
    Some(version - 1 - line.len() + space - method_before(&line[..space])?)
}

/// Length of the known method that `octets` end with; the longest of several.
fn method_before(octets: &[u8]) -> Option<usize> {
    // The longest: `UNLOCK` ends with `LOCK`.
    METHODS
        .iter()
        .filter(|m| octets.ends_with(m))
        .map(|m| m.len())
        .max()
}

/// What follows a request's target at `octets`, which begin with `HTTP/1.`.
fn request_ends(octets: &[u8]) -> Option<bool> {
    match &octets[7..] {
        [] => None,
        [b'0' | b'1', rest @ ..] => match rest {
            [] | [b'\r'] => None,
            [b'\n', tail @ ..] | [b'\r', b'\n', tail @ ..] => header_follows(tail),
            _ => Some(false),
        },
        _ => Some(false),
    }
}

/// Where a start line may begin that the end of `octets` cuts; their length where none does.
fn cut_start(octets: &[u8], floor: usize, requests: bool, responses: bool) -> usize {
    // Four ways to be cut: in the version, in the method, in the target, and between them. The
    // earliest place counts, so that nothing is lost when the rest comes.
    let mut keep = octets.len();
    let tail = |n: usize| &octets[octets.len() - n..];
    let version = (1..=octets.len().min(6))
        .rev()
        .find(|&n| tail(n) == &b"HTTP/1."[..n]);
    if responses && let Some(n) = version {
        keep = keep.min(octets.len() - n);
    }
    if !requests {
        return keep;
    }
    // A method that is cut.
    let part = METHODS
        .iter()
        // Longest part first, as `P` may begin `POST` or `PUT`.
        .filter_map(|m| {
            (1..=m.len().min(octets.len()))
                .rev()
                .find(|&n| tail(n) == &m[..n])
        })
        .max();
    keep = keep.min(octets.len() - part.unwrap_or(0));
    // A method and a target that is cut, or whole, with a version that is cut.
    // A target may be long; no further back than the longest one.
    let from = floor.max(octets.len().saturating_sub(TARGET));
    let before_version = octets.len() - version.unwrap_or(0);
    for end in [octets.len(), before_version] {
        let line = &octets[from..end.max(from)];
        let line = if version.is_some() && end == before_version {
            line.strip_suffix(b" ").unwrap_or(line)
        } else {
            line
        };
        let line = if end == octets.len() {
            line.strip_suffix(b" ").unwrap_or(line)
        } else {
            line
        };
        if let Some(space) = memrchr(b' ', line)
            && line[space + 1..].iter().all(|&o| o > b' ' && o != 0x7f)
            && let Some(method) = method_before(&line[..space])
        {
            keep = keep.min(from + space - method);
        }
        // `GET ` alone.
        if let Some(method) = method_before(line) {
            keep = keep.min(from + line.len() - method);
        }
    }
    keep
}

/// How the body of a message is framed, as its header says (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFraming {
    Length(u64),
    Chunked,
    None,
}

/// What is needed of a header section.
struct HeadFields {
    framing: BodyFraming,
    upgrade: bool,
    /// The upgrade is to WebSocket (RFC 6455, 4.2.2).
    websocket: bool,
}

/// Reads a header section whose lines begin at `from`: the offset behind its empty line, and what is needed of it. None
/// where the empty line is not there.
fn header(octets: &[u8], from: usize) -> Option<(usize, HeadFields)> {
    let mut length = None;
    let mut chunked = false;
    let mut upgrade = false;
    let mut websocket = false;
    let mut at = from;
    let end = loop {
        let rest = octets.get(at..)?;
        let (len, line) = match rest {
            // The empty line ends the section with or without a CR (RFC 9112, 2.2).
            [b'\n', ..] => break at + 1,
            [b'\r', b'\n', ..] => break at + 2,
            _ => {
                let end = memchr(b'\n', rest)?;
                (end + 1, &rest[..end])
            }
        };
        at += len;
        // The fields that matter differ in their first letter.
        // One comparison rules out nearly every field of a header.
        match line.first()? | 0x20 {
            b'c' => {
                // The first of several fields counts; differing ones are an attack (request
                // smuggling), and servers refuse the message.
                if length.is_none()
                    && let Some(value) = field(line, b"content-length")
                {
                    // Of a list of equal values the first counts.
                    let digits = value
                        .split(|o| *o == b',')
                        .next()
                        .unwrap_or_default()
                        .trim_ascii();
                    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
                        length = digits.iter().try_fold(0u64, |n, d| {
                            n.checked_mul(10)?.checked_add(u64::from(d - b'0'))
                        });
                    }
                }
            }
            b't' => {
                if let Some(value) = field(line, b"transfer-encoding") {
                    // Chunked has to be the last coding to frame the message (RFC 9112, 6.3).
                    let last = value
                        .rsplit(|o| *o == b',')
                        .next()
                        .unwrap_or_default()
                        .trim_ascii();
                    chunked |= last.eq_ignore_ascii_case(b"chunked");
                }
            }
            b'u' => {
                // Also on requests: one that asks for an upgrade may be the last of its protocol.
                if let Some(value) = field(line, b"upgrade") {
                    upgrade = true;
                    websocket |= value.eq_ignore_ascii_case(super::websocket::UPGRADE);
                }
            }
            _ => {}
        }
    };
    // A length that would pass the end of all offsets is none.
    let length = length.filter(|n| *n < 1 << 62);
    // Transfer-Encoding overrides Content-Length (RFC 9112, 6.3).
    let framing = if chunked {
        BodyFraming::Chunked
    } else {
        length.map_or(BodyFraming::None, BodyFraming::Length)
    };
    let fields = HeadFields {
        framing,
        upgrade,
        websocket,
    };
    Some((end, fields))
}

/// The value of a header line, if it is this field's.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, tail) = line.split_at_checked(name.len())?;
    if !start.eq_ignore_ascii_case(name) {
        return None;
    }
    // White space before the colon is wrong, and some senders put it there.
    tail.trim_ascii_start()
        .strip_prefix(b":")
        .map(<[u8]>::trim_ascii)
}

/// Size of a chunk by its line, without the line feed (RFC 9112, 7.1): hexadecimal, then extensions. A bare line feed may end
/// the line, as in a header.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|o| o.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let rest = rest.trim_ascii();
    // Anything else behind the size is no chunk line. In a body of another framing, this is what
    // ends the guess.
    if digits.is_empty() || !(rest.is_empty() || rest.starts_with(b";")) {
        return None;
    }
    let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    // A size that would pass the end of all offsets is none.
    (size < 1 << 62).then_some(size)
}

/// End of the header section: the offset behind the empty line, looked for from `from` on.
fn header_end(octets: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(lf) = memchr(b'\n', octets.get(at..)?) {
        let next = at + lf + 1;
        match octets.get(next..)? {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

/// What is remembered of a request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PendingRequest {
    offset: u64,
    /// What it acknowledged: where its answer begins, unless it was sent ahead.
    ack: Option<u64>,
    method: Method,
    /// Octets are missing right before it: the request that they held may have carried the same acknowledgment.
    after_gap: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Method {
    Head,
    Connect,
    Upgrade,
    Other,
}

/// Frames one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Http1 {
    /// The direction that requests come from.
    client: Option<Direction>,
    requests: VecDeque<PendingRequest>,
    /// The response before this one was interim (1xx): its request is still to be answered.
    interim: bool,
    /// A response was matched, and since then neither stream lacked anything: the next one answers the next request.
    counting: bool,
    /// How far each direction's header section, or trailer, has been looked through.
    looked: [usize; 2],
    /// Each direction lacks octets right before what comes next.
    gapped: [bool; 2],
    /// Each direction: in the trailer behind the last chunk.
    trailer: [bool; 2],
    /// A CONNECT, or an upgrade, is not answered yet.
    leaving: bool,
    /// A response has switched to WebSocket.
    websocket: bool,
    /// Offset of the request that the last response answers, where it is known.
    answered: Option<u64>,
}

/// What is known of a response's request.
enum Match {
    /// This method.
    Sure(Method),
    /// Probably this one.
    Likely(Method),
    Unknown,
}

impl Http1 {
    /// Finds the request that a response at `at` answers; with `take`, it and those before it are done with.
    fn answer(&mut self, at: &Position, take: bool, interim: bool) -> Match {
        // A request that the server had not received cannot be what it answers.
        let seen = |r: &PendingRequest| at.ack.is_none_or(|ack| r.offset < ack);
        let exact = self
            .requests
            .iter()
            .position(|r| r.ack == Some(at.offset) && seen(r));
        let (index, sure) = match exact {
            // The first of those with this acknowledgment is answered first.
            // Behind an interim response the same request is still first.
            _ if self.interim && self.counting => (0, true),
            // Octets lost right before it may have held another request with this acknowledgment,
            // answered first.
            Some(i) => (i, !self.requests[i].after_gap),
            // Neither stream lacked anything since the last match, so order is proof enough (RFC
            // 9112, 9.3.2).
            None if self.counting => (0, true),
            None => return Match::Unknown,
        };
        // Nothing is taken: a response too many must not use up a request that comes later.
        let Some(request) = self.requests.get(index).copied().filter(seen) else {
            // One response more than requests that it can answer: the count is lost.
            self.counting &= !take;
            return Match::Unknown;
        };
        if take {
            self.answered = (!interim).then_some(request.offset);
            // Those before it were answered by responses that the capture lost. An interim response
            // leaves its own request.
            self.requests
                .drain(..if interim { index } else { index + 1 });
            // A likely match may be one off; counting from it would carry the error on.
            self.counting = sure;
            self.interim = interim;
        }
        if sure {
            Match::Sure(request.method)
        } else {
            Match::Likely(request.method)
        }
    }

    fn begin_request(
        &mut self,
        at: &Position,
        method: &[u8],
        head: usize,
        fields: &HeadFields,
    ) -> Begin {
        let method = match method {
            b"HEAD" => Method::Head,
            b"CONNECT" => Method::Connect,
            _ if fields.upgrade => Method::Upgrade,
            _ => Method::Other,
        };
        // Until it is answered, what follows in this direction may be another protocol, and waits
        // for the answer.
        self.leaving |= matches!(method, Method::Connect | Method::Upgrade);
        if self.requests.len() >= REQUESTS {
            // Counting would be wrong by the forgotten one.
            self.requests.pop_front();
            self.counting = false;
        }
        let after_gap = std::mem::take(&mut self.gapped[at.direction.index()]);
        self.requests.push_back(PendingRequest {
            offset: at.offset,
            ack: at.ack,
            method,
            after_gap,
        });
        let body = match fields.framing {
            BodyFraming::Length(n) => MessageBody::Octets(n),
            BodyFraming::Chunked => MessageBody::Parts,
            // A request without either field has no body (RFC 9112, 6.3), unlike a response.
            BodyFraming::None => MessageBody::Octets(0),
        };
        Begin::Message {
            kind: Kind::Request,
            head,
            body,
            hand_over: false,
        }
    }

    fn begin_response(
        &mut self,
        at: &Position,
        status: u16,
        head: usize,
        fields: &HeadFields,
        behind: &[u8],
    ) -> Begin {
        // Its request is on the other stream, which may be captured behind it: both framing and
        // matching need it.
        if let Some(until) = at.wait_for_other() {
            return Begin::Wait(until);
        }
        self.answered = None;
        let none = Begin::Message {
            kind: Kind::Response,
            head,
            body: MessageBody::Octets(0),
            hand_over: false,
        };
        // 1xx answers nothing yet. 101 is different: it ends HTTP here.
        if (100..200).contains(&status) && status != 101 {
            self.answer(at, true, true);
            self.gapped[at.direction.index()] = false;
            return none;
        }
        // Looked at first, taken at the end: the answer may still be "more octets", and then the
        // question comes again.
        let matched = self.answer(at, false, false);
        let body = match fields.framing {
            BodyFraming::Length(n) => MessageBody::Octets(n),
            BodyFraming::Chunked => MessageBody::Parts,
            BodyFraming::None => MessageBody::ToClose,
        };
        // 2xx to CONNECT opens the tunnel (RFC 9110, 9.3.6), whatever its header says of a body.
        let hand_over = status == 101
            || (200..300).contains(&status)
                && matches!(
                    matched,
                    Match::Sure(Method::Connect) | Match::Likely(Method::Connect)
                );
        self.websocket = status == 101 && fields.websocket;
        let message = if hand_over {
            Begin::Message {
                kind: Kind::Response,
                head,
                body: MessageBody::Octets(0),
                hand_over,
            }
        } else if matches!(status, 204 | 304) || body == MessageBody::Octets(0) {
            // These never have a body (RFC 9112, 6.3), and a length of zero is none: no request is
            // needed to know that.
            none
        } else {
            match matched {
                // An answer to HEAD has the length of the body that it leaves out.
                Match::Sure(Method::Head) => none,
                Match::Sure(_) => Begin::Message {
                    kind: Kind::Response,
                    head,
                    body,
                    hand_over,
                },
                // The request is not certain. What stands behind the header tells: another status
                // line means that there is no body.
                Match::Likely(_) | Match::Unknown => match self.behind_header(at, head, behind) {
                    Some(true) => none,
                    None if at.next == Following::Octets => return Begin::NeedMore,
                    // Nothing behind contradicts the likely one.
                    None if matches!(matched, Match::Likely(Method::Head)) => none,
                    // The gap may hold the body or not. The length is only supposed, so that a
                    // start line found inside of it counts.
                    None if at.next == Following::Gap
                        && let MessageBody::Octets(n) = body =>
                    {
                        Begin::Message {
                            kind: Kind::Response,
                            head,
                            body: MessageBody::Supposed(n),
                            hand_over,
                        }
                    }
                    _ => Begin::Message {
                        kind: Kind::Response,
                        head,
                        body,
                        hand_over,
                    },
                },
            }
        };
        // Now it is decided: its request is done with.
        self.answer(at, true, false);
        // Any other that waits keeps the direction waiting.
        self.leaving = self
            .requests
            .iter()
            .any(|r| matches!(r.method, Method::Connect | Method::Upgrade));
        self.gapped[at.direction.index()] = false;
        message
    }

    /// Whether the octets behind a header show that the message has no body: a status line stands there, or a request
    /// acknowledges exactly the end of the header. None while nothing tells.
    fn behind_header(&self, at: &Position, head: usize, behind: &[u8]) -> Option<bool> {
        let end = at.offset + head as u64;
        let n = behind.len().min(7);
        // A body may begin with these octets, but hardly with all seven.
        if n == 7 && behind[..7] == *b"HTTP/1." {
            return Some(true);
        }
        if n > 0 && behind[..n] != b"HTTP/1."[..n] {
            return Some(false);
        }
        // A client acknowledges the end of a whole response when it sends its next request.
        if n == 0 && self.requests.iter().any(|r| r.ack == Some(end)) {
            return Some(true);
        }
        None
    }
}

impl Framer for Http1 {
    fn next_protocol(&self) -> Option<&'static str> {
        self.websocket.then_some(super::websocket::PROTOCOL.name)
    }

    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let d = at.direction.index();
        if matches!(octets.first(), Some(b'\r' | b'\n')) {
            self.looked[d] = 0;
            return Begin::Skip(octets.len() - skip_empty_lines(octets).len());
        }
        // A header longer than the limit is refused, or an endless one would be held.
        let more = octets.len() < at.limit;
        let Some(line) = memchr(b'\n', octets) else {
            return if more && may_start(octets) {
                Begin::NeedMore
            } else {
                Begin::Refuse
            };
        };
        let Some(start) = start_line(&octets[..line]) else {
            self.looked[d] = 0;
            return Begin::Refuse;
        };
        // The fields are read once the whole section is there: what is cut is only looked through for its end.
        // Four octets back: the empty line may have been cut in its middle.
        let whole =
            self.looked[d] == 0 || header_end(octets, self.looked[d].saturating_sub(4)).is_some();
        let Some((head, fields)) = whole.then(|| header(octets, line + 1)).flatten() else {
            self.looked[d] = if more { octets.len() } else { 0 };
            return if more { Begin::NeedMore } else { Begin::Refuse };
        };
        let begun = match start {
            StartLine::Request { method } => {
                // Behind CONNECT or an upgrade the server decides whether this is HTTP at all.
                if self.leaving
                    && let Some(until) = at.wait_for_other()
                {
                    return Begin::Wait(until);
                }
                // The first one decides the direction, and a search then looks for one kind only:
                // half of the false hits.
                self.client.get_or_insert(at.direction);
                self.begin_request(at, method, head, &fields)
            }
            StartLine::Response { status } => {
                self.client.get_or_insert(at.direction.flip());
                self.begin_response(at, status, head, &fields, &octets[head..])
            }
        };
        // Only a decision ends the section. Undecided, how far it was looked through stays noted.
        if !matches!(begun, Begin::Wait(_) | Begin::NeedMore) {
            self.looked[d] = 0;
        }
        begun
    }

    /// A chunked body (RFC 9112, 7.1): each chunk with its line is one part, the trailer the last.
    fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let d = at.direction.index();
        if self.trailer[d] {
            return self.trailer(at, octets);
        }
        // The line end of the chunk before belongs to it, and is taken with the next line.
        let line_at = match octets {
            [] | [b'\r'] => {
                return if at.next == Following::Octets {
                    BodyPart::NeedMore
                } else {
                    BodyPart::Refuse
                };
            }
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            _ => 0,
        };
        let line = &octets[line_at..];
        let Some(end) = memchr(b'\n', &line[..line.len().min(CHUNK_LINE)]) else {
            // A first octet that is no digit settles it before the line is whole.
            let sound = line.len() < CHUNK_LINE && line.first().is_none_or(u8::is_ascii_hexdigit);
            return if sound && at.next == Following::Octets {
                BodyPart::NeedMore
            } else {
                BodyPart::Refuse
            };
        };
        match chunk_size(&line[..end]) {
            // The last chunk has no octets; what follows it is the trailer.
            Some(0) => {
                self.trailer[d] = true;
                BodyPart::Octets((line_at + end + 1) as u64)
            }
            // Line and octets in one part: the extractor passes over them without asking again.
            Some(size) => BodyPart::Octets((line_at + end + 1) as u64 + size),
            None => BodyPart::Refuse,
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let d = at.direction;
        let client = self.client.is_none_or(|c| c == d);
        let server = self.client.is_none_or(|c| c != d);
        search(octets, at.next == Following::Octets, client, server)
    }

    fn answers(&self) -> Option<u64> {
        self.answered
    }

    fn gap(&mut self, direction: Direction) {
        self.looked[direction.index()] = 0;
        // A chunked body that lost octets cannot be counted on: sizes stand in the octets.
        self.trailer[direction.index()] = false;
        self.gapped[direction.index()] = true;
        // A lost request or response makes every later count one off. Acknowledgments still match.
        self.counting = false;
        self.interim = false;
    }

    fn size(&self) -> usize {
        let requests = self.requests.capacity() * size_of::<PendingRequest>();
        allocated(size_of::<Self>()) + allocated(requests)
    }
}

impl Http1 {
    /// Trailer fields up to the empty line.
    fn trailer(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let d = at.direction.index();
        let done = match octets {
            [b'\n', ..] => Some(1),
            [b'\r', b'\n', ..] => Some(2),
            // Two octets back, for an empty line cut in its middle.
            _ => header_end(octets, self.looked[d].saturating_sub(2)),
        };
        if let Some(end) = done {
            self.trailer[d] = false;
            self.looked[d] = 0;
            return BodyPart::Last(end as u64);
        }
        self.looked[d] = octets.len();
        // A trailer consists of fields; anything else means that the chunk was not the last.
        let sound = matches!(octets, [] | [b'\r']) || header_follows(octets) != Some(false);
        if sound && octets.len() < at.limit && at.next == Following::Octets {
            BodyPart::NeedMore
        } else {
            self.trailer[d] = false;
            self.looked[d] = 0;
            BodyPart::Refuse
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::stream::Side;

    #[test]
    fn start_lines_are_told_from_others() {
        for (line, expected) in [
            ("GET / HTTP/1.1", Some(0)),
            ("GET / HTTP/1.0\r", Some(0)),
            ("M-SEARCH * HTTP/1.1\r", Some(0)),
            ("FOO!bar http://a:1/?x=%20 HTTP/1.1", Some(0)),
            ("HTTP/1.1 200 OK\r", Some(200)),
            ("HTTP/1.0 404", Some(404)),
            ("HTTP/1.1 204 \r", Some(204)),
            ("HTTP/1.1 999 a\tb", Some(999)),
            ("", None),
            ("GET /", None),
            ("GET  HTTP/1.1", None),
            ("GET / HTTP/1.1 ", None),
            ("GET / HTTP/2.0", None),
            ("GET / HTTP/1.2", None),
            ("GET /a b HTTP/1.1", None),
            ("GET /\x01 HTTP/1.1", None),
            ("G(T / HTTP/1.1", None),
            (" / HTTP/1.1", None),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 099 a", None),
            ("HTTP/1.1 2000", None),
            ("HTTP/1.1  200", None),
            ("HTTP/1.x 200 OK", None),
            ("HTTP/1.1 200 \x1b", None),
            ("HTTP/2 200", None),
        ] {
            let found = start_line(line.as_bytes()).map(|l| match l {
                StartLine::Request { .. } => 0,
                StartLine::Response { status } => status,
            });
            assert_eq!(found, expected, "{line:?}");
            let probed = HttpDetector.probe(format!("{line}\nA: b\r\n\r\n").as_bytes(), true);
            if !line.is_empty() {
                assert_eq!(probed == Probe::Yes, expected.is_some(), "{line:?}");
            }
            // Whatever may become a start line is waited for, at every octet.
            for n in 1..line.len() {
                let probed = HttpDetector.probe(&line.as_bytes()[..n], true);
                assert!(
                    expected.is_none() || probed == Probe::More,
                    "{line:?} cut at {n}"
                );
            }
        }
    }

    #[test]
    fn a_search_finds_the_same_place_at_every_cut() {
        let long = format!(
            "{} HTTP/1.1\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
            "a".repeat(300)
        );
        for (text, start) in [
            ("junk GET /x HTTP/1.1\r\nHost: a\r\n\r\nrest", "GET /x"),
            ("valueGET /x HTTP/1.1\r\n\r\nbehind it", "GET /x"),
            ("value\r\n\r\nPOST /x HTTP/1.1\nHost: a\n\n", "POST /x"),
            ("PUTPOST /x HTTP/1.0\r\nA: b\r\n\r\n", "POST /x"),
            ("GET /cut HTTPGET /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x"),
            ("bodyHTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200"),
            ("GET /a HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200"),
            ("HTTP/1.HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200"),
            (
                "text of GET /x HTTP/1.1\r\nno header\r\nDELETE /y HTTP/1.1\r\nHost : a\r\n\r\n",
                "DELETE",
            ),
            ("GET /x HTTP/1.1, GET /y HTTP/1.1\r\n\r\n", "GET /y"),
            (&long, "GET /x"),
        ] {
            let octets = text.as_bytes();
            let place = text.find(start).unwrap();
            assert_eq!(
                search(octets, true, true, true),
                Found::At(place),
                "{text:?}"
            );
            for cut in 0..octets.len() {
                // What was kept at the cut is searched again with all that follows.
                let found = match search(&octets[..cut], true, true, true) {
                    Found::At(n) => n,
                    Found::Nowhere { keep } => {
                        assert!(keep <= cut);
                        match search(&octets[keep..], true, true, true) {
                            Found::At(n) => keep + n,
                            Found::Nowhere { .. } => usize::MAX,
                        }
                    }
                };
                assert_eq!(found, place, "{text:?} cut at {cut}");
            }
            // One octet at a time.
            let (mut from, mut found) = (0, None);
            for n in 1..=octets.len() {
                match search(&octets[from..n], true, true, true) {
                    Found::At(at) => {
                        found = Some(from + at);
                        break;
                    }
                    Found::Nowhere { keep } => from += keep,
                }
            }
            assert_eq!(found, Some(place), "{text:?} octet by octet");
        }
        for text in [
            "nothing here",
            "HTTP/1.1 200 OK\r\n no header",
            "GET /x HTTP/1.1\r\n: no name\r\n",
            "see HTTP/1.1 and GET / for more\r\n",
            "HTTP/1.1\r\n\r\n",
        ] {
            let found = search(text.as_bytes(), false, true, true);
            assert_eq!(found, Found::Nowhere { keep: text.len() }, "{text:?}");
        }
        // Only what the direction can carry.
        let both = b"x GET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(search(both, true, true, false), Found::At(2));
        assert_eq!(search(both, true, false, true), Found::At(20));
    }

    #[test]
    fn what_a_search_keeps_is_bounded() {
        // A start line that never ends is not kept for ever: the work stays linear.
        let line = vec![b'a'; TARGET + 100];
        let get = [b"GET /".as_slice(), &line].concat();
        assert_eq!(
            search(&get, true, true, true),
            Found::Nowhere { keep: get.len() }
        );
        let status = [b"HTTP/1.1 200 ".as_slice(), &line].concat();
        assert_eq!(
            search(&status, true, true, true),
            Found::Nowhere { keep: status.len() }
        );
    }

    fn place(direction: Direction, offset: u64, ack: u64, next: Following) -> Position<'static> {
        Position {
            direction,
            ports: (40000, 80),
            segments: &[],
            pushed: false,
            push: false,
            offset,
            ack: Some(ack),
            other: Side {
                delivered: u64::MAX,
                ..Side::default()
            },
            next,
            limit: 1 << 16,
        }
    }

    #[test]
    fn the_end_of_a_header_is_found_at_every_cut() {
        for header in [
            "GET /a HTTP/1.1\r\nA: b\r\n\r\n",
            "GET /a HTTP/1.1\nA: b\n\n",
            "GET / HTTP/1.1\r\n\r\n",
        ] {
            let all = format!("{header}next");
            for cut in 1..header.len() {
                let mut framer = Http1::default();
                let at = place(Direction::Forward, 0, 0, Following::Octets);
                assert_eq!(
                    framer.begin(&at, &all.as_bytes()[..cut]),
                    Begin::NeedMore,
                    "{cut}"
                );
                let Begin::Message { head, .. } = framer.begin(&at, all.as_bytes()) else {
                    panic!("{header:?} cut at {cut}");
                };
                assert_eq!(head, header.len(), "{header:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn chunk_lines() {
        for (octets, expected) in [
            ("5\r\nhello\r\n", BodyPart::Octets(8)),
            ("\r\n5\r\nhello", BodyPart::Octets(10)),
            ("\n5\nhello", BodyPart::Octets(8)),
            ("a;name=value\r\n", BodyPart::Octets(24)),
            ("0\r\n\r\n", BodyPart::Octets(3)),
            ("FFFFFFFFFFFFFFFFF\r\n", BodyPart::Refuse),
            ("7fffffffffffffff\r\n", BodyPart::Refuse),
            ("x\r\n", BodyPart::Refuse),
            ("-1\r\n", BodyPart::Refuse),
            ("\r\n\r\n", BodyPart::Refuse),
            ("5", BodyPart::NeedMore),
            ("\r", BodyPart::NeedMore),
            ("", BodyPart::NeedMore),
            ("5\r", BodyPart::NeedMore),
        ] {
            let at = place(Direction::Reverse, 0, 0, Following::Octets);
            assert_eq!(
                Http1::default().part(&at, octets.as_bytes()),
                expected,
                "{octets:?}"
            );
            let stopped = place(Direction::Reverse, 0, 0, Following::Gap);
            let expected = if expected == BodyPart::NeedMore {
                BodyPart::Refuse
            } else {
                expected
            };
            assert_eq!(
                Http1::default().part(&stopped, octets.as_bytes()),
                expected,
                "{octets:?} then a gap"
            );
        }
        for (trailer, len) in [("\r\n", 2), ("A: b\r\n\r\n", 8), ("A: b\nC: d\n\n", 11)] {
            for cut in 0..trailer.len() {
                let mut framer = Http1::default();
                let at = place(Direction::Reverse, 0, 0, Following::Octets);
                assert_eq!(framer.part(&at, b"0\r\n"), BodyPart::Octets(3));
                assert_eq!(
                    framer.part(&at, &trailer.as_bytes()[..cut]),
                    BodyPart::NeedMore,
                    "{trailer:?} {cut}"
                );
                assert_eq!(
                    framer.part(&at, trailer.as_bytes()),
                    BodyPart::Last(len),
                    "{trailer:?} {cut}"
                );
            }
        }
    }

    /// The body that a response gets, after requests (method, acknowledgment) at offsets 10, 20, ...
    fn answered(
        requests: &[(&str, u64)],
        response: (u64, u64),
        behind: &str,
        next: Following,
    ) -> Begin {
        let mut framer = Http1::default();
        for (i, (method, ack)) in requests.iter().enumerate() {
            let at = place(
                Direction::Forward,
                10 * (i as u64 + 1),
                *ack,
                Following::Octets,
            );
            let text = format!("{method} /a HTTP/1.1\r\n\r\n");
            framer.begin(&at, text.as_bytes());
        }
        let at = place(Direction::Reverse, response.0, response.1, next);
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{behind}");
        framer.begin(&at, text.as_bytes())
    }

    #[test]
    fn responses_find_their_requests_by_number() {
        let body = |begin| match begin {
            Begin::Message { body, .. } => Some(body),
            _ => None,
        };
        let none = Some(MessageBody::Octets(0));
        let nine = Some(MessageBody::Octets(9));
        for (name, requests, response, behind, next, expected) in [
            (
                "GET",
                &[("GET", 500)][..],
                (500, 19),
                "",
                Following::Octets,
                nine,
            ),
            (
                "HEAD",
                &[("HEAD", 500)],
                (500, 19),
                "",
                Following::Octets,
                none,
            ),
            (
                "HEAD before it",
                &[("HEAD", 400), ("GET", 500)],
                (500, 99),
                "",
                Following::Octets,
                nine,
            ),
            (
                "the first of two",
                &[("HEAD", 500), ("GET", 500)],
                (500, 99),
                "",
                Following::Octets,
                none,
            ),
            (
                "not seen yet",
                &[("HEAD", 500)],
                (500, 9),
                "body",
                Following::Octets,
                nine,
            ),
            (
                "lost, a status line follows",
                &[],
                (500, 19),
                "HTTP/1.1 200",
                Following::Octets,
                none,
            ),
            (
                "lost, a body follows",
                &[],
                (500, 19),
                "body",
                Following::Octets,
                nine,
            ),
            (
                "lost, nothing yet",
                &[],
                (500, 19),
                "HTT",
                Following::Octets,
                None,
            ),
            (
                "lost, the next one acknowledges the header's end",
                &[("GET", 538)],
                (500, 9),
                "",
                Following::Octets,
                none,
            ),
            (
                "lost, and a gap",
                &[],
                (500, 19),
                "",
                Following::Gap,
                Some(MessageBody::Supposed(9)),
            ),
            (
                "lost, and the end",
                &[],
                (500, 19),
                "",
                Following::End,
                nine,
            ),
        ] {
            assert_eq!(
                body(answered(requests, response, behind, next)),
                expected,
                "{name}"
            );
        }
    }
}
