//! HTTP/1.x (RFC 9112): requests, responses, and where they are to be found again after a loss.
//!
//! Whether a response has a body depends on its request (RFC 9112, 6.3), and a capture may have lost that request. So
//! responses are matched to requests by their order as long as nothing is missing, and else by acknowledgment numbers, which
//! survive loss: a client that has read a response acknowledges all of it with its next request, and that request is answered
//! from there on. That holds for a client that waits. One that sends ahead (RFC 9112, 9.3.2) acknowledges the end of one answer
//! while others are to come, so of its requests, once the order is lost, none is answered for certain until both sides have been
//! silent.
//!
//! Start lines are read in two ways. Where a message is searched for, behind a hole or at a start in the middle, only what can
//! hardly be anything else is one ([`start_line`]): a method that is known, a version, a header line behind it. Where a message
//! has to begin, what a browser or a server would still take is one ([`HttpStart::of_line`]).

use super::super::chunked::{ChunkLine, ChunkSize};
use super::super::framing::{
    Begin, BodyPart, Detector, DoubtEnds, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::head::{
    HttpHead, HttpStart, HttpVersion, METHOD, head_end, is_token, read_head, read_plainly,
    read_strictly,
};
use super::super::headers::ends_method;
use super::super::length::response_if;
use super::super::row::{NamedEnds, ProtocolRow, UserMessageRow};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::Side;
use crate::base::time::Timestamp;
use memchr::{memchr, memmem, memrchr};
use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::Duration;

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
/// Requests that wait for their response; the oldest is forgotten.
// Browsers keep a handful in flight; 1,024 entries take 32 KiB. A client that sends more without
// reading answers loses only the exact match.
const REQUESTS: usize = 1024;
/// When a client goes on that has acknowledged everything so long ago, nothing was to come any more, most likely.
// Servers take less for nearly all they are asked; clients that send ahead do so again sooner.
const SILENCE: Duration = Duration::from_secs(1);

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "http",
    one_answer: true,
    alpn: &["http/1.1", "http/1.0"],
    about: "HTTP/1.x (RFC 9112)",
    fields: Some(super::http1_words::fields),
    field_names: super::http1_words::FIELD_NAMES,
    summary: Some(super::http1_words::summary),
    user_message_summary: Some(super::http1_words::summary),
    // Over TCP the framer says it.
    kind: Some(|m| response_if(m.starts_with(b"HTTP/"))),
    answered_alone: true,
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
    names_ends: Some(|m| {
        let target = m.strip_prefix(b"CONNECT ")?;
        let target = target.get(..memchr(b' ', target)?)?;
        // A name has 253 octets at most, and a port stands behind it.
        let target = target.get(..260).unwrap_or(target);
        let mut server = String::new();
        super::super::text::escape(target, &mut server);
        Some(NamedEnds {
            client: None,
            server: Some(server),
        })
    }),
    long_answers: true,
    ..ProtocolRow::NONE
};

/// Recognises HTTP/1.x.
pub(crate) struct HttpDetector;

impl Detector for HttpDetector {
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        let octets = skip_empty_lines(octets);
        let line = match memchr(b'\n', octets) {
            Some(end) => &octets[..end],
            None if may_start(octets) || may_open(octets, hinted) => {
                // Bounded by the longest target: what is longer is no request.
                return if octets.len() < TARGET {
                    Probe::More
                } else {
                    Probe::No
                };
            }
            None => return Probe::No,
        };
        if start_line(line).is_some() || opens(line, hinted) {
            Probe::Yes
        } else {
            Probe::No
        }
    }

    fn probe_run(&self, octets: &[u8], hinted: bool) -> Probe {
        let first = skip_empty_lines(octets);
        match memchr(b'\n', first) {
            Some(end) if start_line(&first[..end]).is_none() => Probe::No,
            _ => self.probe(octets, hinted),
        }
    }

    fn search(&self, octets: &[u8], _: bool, more: bool) -> Found {
        search(octets, more, true, true)
    }

    fn settles(&self, octets: &[u8], hinted: bool, ends: DoubtEnds) -> bool {
        hinted && ends == DoubtEnds::NoMore && is_cut_line(octets)
    }
}

/// What the snapshot length has left of a first line: it begins a segment whose rest is missing.
fn is_cut_line(octets: &[u8]) -> bool {
    if let Some(end) = memchr(b'\n', octets) {
        // The line is whole, and what follows it is cut.
        return start_line(&octets[..end]).is_some()
            && header_follows(&octets[end + 1..]).is_none();
    }
    if !may_start(octets) {
        return false;
    }
    let Some(space) = memchr(b' ', octets) else {
        return octets.starts_with(b"HTTP/1.");
    };
    let target = octets.get(space + 1);
    octets.starts_with(b"HTTP/1.")
        || METHODS.contains(&&octets[..space]) && target.is_some_and(|o| b"/*h".contains(o))
}

/// The octets behind empty lines, which may stand before a request line (RFC 9112, 2.2).
fn skip_empty_lines(octets: &[u8]) -> &[u8] {
    let blank = octets
        .iter()
        .take_while(|o| matches!(o, b'\r' | b'\n'))
        .count();
    &octets[blank..]
}

/// A line that is no start line by the standard opens a connection of HTTP all the same: a status line, or a request line with a
/// version behind what may be a target; on a port of HTTP also a request of HTTP/0.9, and one whose target and version are one word.
fn opens(line: &[u8], hinted: bool) -> bool {
    match HttpStart::of_line(line) {
        Some(HttpStart::Response { .. }) => {
            // A status, or what stands for one, is there.
            let mut words = line.split(|o| matches!(o, b' ' | b'\t'));
            let mut words = words.by_ref().filter(|word| !word.is_empty()).skip(1);
            words.next().is_some_and(|word| {
                word.len() >= 3 && word[0].is_ascii_digit() && word[..3].is_ascii()
            })
        }
        Some(HttpStart::Request {
            version: HttpVersion::None,
            method,
            target,
        }) => {
            let simple = method == b"GET" && target.starts_with(b"/") && may_be_simple(line);
            // The space ahead of the version is left out, or the target is.
            let glued = METHODS.contains(&method)
                && [&b"HTTP/1.1"[..], b"HTTP/1.0"]
                    .iter()
                    .any(|version| target.ends_with(version));
            hinted && (simple || glued)
        }
        Some(HttpStart::Request { target, .. }) => target.is_ascii(),
        None => false,
    }
}

/// Octets without a line feed that such a line may begin with: a version is there already, or the port hints at HTTP and a known
/// method is.
fn may_open(octets: &[u8], hinted: bool) -> bool {
    if let Some(HttpStart::Request { version, .. }) = HttpStart::of_line(octets)
        && version != HttpVersion::None
    {
        return true;
    }
    let is_first = |method: &&[u8]| {
        let rest = octets.strip_prefix(*method);
        rest.is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'\t')))
    };
    hinted && METHODS.iter().any(is_first)
}

/// Octets that a request of HTTP/0.9 may begin with: `GET`, a space, a path.
fn may_be_simple(octets: &[u8]) -> bool {
    let n = octets.len().min(5);
    let line = octets.strip_suffix(b"\r").unwrap_or(octets);
    octets[..n] == b"GET /"[..n] && line.iter().skip(4).all(|o| *o > b' ' && *o != 0x7f)
}

/// What a line is without its line feed, if it is a start line (RFC 9112, 3 and 4) and hardly anything else.
fn start_line(line: &[u8]) -> Option<Kind> {
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
        return (sound && ends && clean && (100..=999).contains(&status)).then_some(Kind::Response);
    }
    let space = memchr(b' ', line)?;
    let (method, rest) = line.split_at(space);
    // The version ends the line: it is taken off from the right, and what is left has to be one
    // word.
    let target = rest
        .strip_suffix(b" HTTP/1.1")
        .or_else(|| rest.strip_suffix(b" HTTP/1.0"))?;
    // A bound on the method keeps a line of base64 from being one.
    let sound = !method.is_empty() && method.len() <= METHOD && method.iter().all(|&o| is_token(o));
    let target = target.get(1..)?;
    let clean = !target.is_empty()
        && target.len() <= TARGET
        && target.iter().all(|&o| o > b' ' && o != 0x7f);
    (sound && clean).then_some(Kind::Request)
}

/// A start line that `httparse` takes is one that [`start_line`] does.
fn is_sound(start: &HttpStart<'_>) -> bool {
    match start {
        HttpStart::Request { method, target, .. } => {
            method.len() <= METHOD && target.len() <= TARGET
        }
        HttpStart::Response { status, .. } => *status >= 100,
    }
}

/// Octets without a line feed that a start line may begin with.
fn may_start(octets: &[u8]) -> bool {
    if HttpStart::may_begin(octets, false, true) {
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
                && method.len() <= METHOD
                && method.iter().all(|&o| is_token(o))
                && target.iter().all(|&o| o > b' ' && o != 0x7f)
                && version[..n] == b" HTTP/1."[..n]
                && version.len() <= 10
        }
        // No space yet: a method may be begun.
        None => octets.len() <= METHOD && octets.iter().all(|&o| is_token(o)),
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

/// Made once: that costs as much as looking through a segment.
static VERSION: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new("HTTP/1."));

/// The next place where a request or a response begins: a whole start line, then a header line or the empty line.
fn search(octets: &[u8], more: bool, requests: bool, responses: bool) -> Found {
    let mut from = 0;
    // Everything before this place has been found to belong to no start line that ends behind it.
    let mut floor = 0;
    let mut keep = None;
    // Where the line of the last hit ends: looked for once, however many versions a line holds.
    let mut line_end = 0;
    // The version is the rarest part of a start line: it is searched for, and what stands around it
    // is checked.
    while let Some(hit) = VERSION.find(&octets[from..]) {
        let at = from + hit;
        from = at + 7;
        if at >= line_end {
            line_end = memchr(b'\n', &octets[at..]).map_or(octets.len(), |end| at + end);
        }
        // A status line begins with the version, a request line ends with it: both are tried.
        let response = if responses {
            response_at(&octets[at..], line_end - at).map(|judged| (at, judged))
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

/// A status line and what follows it at `octets`, which begin with `HTTP/1.`, and whose line has `line` octets without its
/// line feed: None where it is no status line, else whether the message is sound, as far as that can be told.
fn response_at(octets: &[u8], line: usize) -> Option<Option<bool>> {
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
    if line >= STATUS_LINE {
        return Some(Some(false));
    }
    if line < octets.len() {
        let sound = start_line(&octets[..line]) == Some(Kind::Response);
        // A start line alone may stand in a body; with a header line behind it hardly.
        return Some(if sound {
            header_follows(&octets[line + 1..])
        } else {
            Some(false)
        });
    }
    let text = |&o: &u8| o >= b' ' || o == b'\t' || o == b'\r';
    Some(if octets.iter().all(text) {
        None
    } else {
        Some(false)
    })
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
    if !ends_method(octets) {
        return None;
    }
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
    let cut = |m: &&[u8]| {
        // Longest part first, as `P` may begin `POST` or `PUT`.
        let mut lens = (1..=m.len().min(octets.len())).rev();
        lens.find(|&n| tail(n) == &m[..n])
    };
    let part = match ends_method(octets) {
        true => METHODS.iter().filter_map(cut).max(),
        false => None,
    };
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
#[derive(Default)]
struct HeadFields {
    length: Option<u64>,
    chunked: Coding,
    upgrade: bool,
    /// What the upgrade is to, where that is known.
    upgrade_to: Option<UpgradeTo>,
    /// The body follows once the server agrees (RFC 9110, 10.1.1).
    expects: bool,
    /// There is none: the request is one of HTTP/0.9.
    simple: bool,
}

/// A protocol that HTTP/1.1 is upgraded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum UpgradeTo {
    /// WebSocket (RFC 6455, 4.2.2).
    Websocket,
    /// HTTP/2 in clear (RFC 7540, 3.2).
    Http2,
}

impl UpgradeTo {
    /// What a value of the Upgrade field names, which may be a list.
    fn named(value: &[u8]) -> Option<Self> {
        if value.eq_ignore_ascii_case(super::websocket::UPGRADE) {
            return Some(Self::Websocket);
        }
        let mut names = value.split(|o| *o == b',').map(<[u8]>::trim_ascii);
        let http2 = names.any(|name| name.eq_ignore_ascii_case(super::http2::UPGRADE));
        http2.then_some(Self::Http2)
    }

    const fn protocol(self) -> &'static str {
        match self {
            Self::Websocket => super::websocket::PROTOCOL.name,
            Self::Http2 => super::http2::PROTOCOL.name,
        }
    }
}

/// What a header section says of chunks.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Coding {
    /// The body has none.
    #[default]
    Plain,
    /// It is chunked.
    Chunked,
    /// It is said to be, but in a way that not everybody takes so: the octets tell.
    InDoubt,
}

impl HeadFields {
    /// Takes note of a field.
    #[inline(always)] // most do not matter, and are left here
    fn add(&mut self, name: &[u8], value: &[u8]) {
        if name.first().is_some_and(|first| Self::may_matter(*first)) {
            self.note(name, value);
        }
    }

    /// A field whose name begins with this octet may be one that matters.
    const fn may_matter(first: u8) -> bool {
        matches!(first | 0x20, b'c' | b't' | b'u' | b'e')
    }

    /// Those that matter are told apart by their first letter.
    fn note(&mut self, name: &[u8], value: &[u8]) {
        match name.first().map(|o| o | 0x20) {
            Some(b'c') if self.length.is_none() && name.eq_ignore_ascii_case(b"content-length") => {
                // Of a list of equal values the first counts.
                let first = value.split(|o| *o == b',').next();
                let digits = first.unwrap_or_default().trim_ascii();
                if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
                    let number = digits.iter().try_fold(0u64, |n, d| {
                        n.checked_mul(10)?.checked_add(u64::from(d - b'0'))
                    });
                    // A length that would pass the end of all offsets is none.
                    self.length = number.filter(|n| *n < 1 << 62);
                }
            }
            Some(b't') if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                for coding in value.split(|o| *o == b',').map(<[u8]>::trim_ascii) {
                    let word = coding.iter().position(|o| !is_token(*o));
                    let (word, rest) = coding.split_at(word.unwrap_or(coding.len()));
                    if word.eq_ignore_ascii_case(b"chunked") {
                        let doubt = !rest.is_empty() || self.chunked == Coding::InDoubt;
                        self.chunked = if doubt {
                            Coding::InDoubt
                        } else {
                            Coding::Chunked
                        };
                    } else if self.chunked == Coding::Chunked {
                        // It is the last one where it is sent as the standard says.
                        self.chunked = Coding::InDoubt;
                    }
                }
            }
            Some(b'u') if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade = true;
                self.upgrade_to = self.upgrade_to.or(UpgradeTo::named(value));
            }
            Some(b'e') if name.eq_ignore_ascii_case(b"expect") => {
                self.expects |= value.eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
    }

    /// How the body is framed; `behind`: the octets behind the header section, as far as they are there. None where more of
    /// them are needed to say.
    fn framing(&self, version: HttpVersion, behind: &[u8], next: Following) -> Option<BodyFraming> {
        // Chunks are none of HTTP/1.0 (RFC 9112, 7): most clients take them, some servers only say so.
        let chunked = match self.chunked {
            Coding::Plain => false,
            Coding::Chunked if version == HttpVersion::Current => true,
            Coding::Chunked | Coding::InDoubt => match ChunkLine::default().read(behind).1 {
                ChunkSize::Octets(_) => true,
                ChunkSize::Bad => false,
                ChunkSize::More if next == Following::Octets => return None,
                ChunkSize::More => true,
            },
        };
        Some(if chunked {
            BodyFraming::Chunked
        } else {
            self.length.map_or(BodyFraming::None, BodyFraming::Length)
        })
    }
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
    /// The same, where it is known how far the client had heard ahead of the hole: the requests that it hides were answered from
    /// there on.
    since: Option<u64>,
    /// The client sends requests ahead: what it acknowledges says nothing of where its answer begins.
    ahead: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Method {
    Head,
    Connect,
    Upgrade,
    /// A request of HTTP/0.9: its answer is a body without a header section (RFC 1945, 6).
    Simple,
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
    /// So many of the requests were there before the client's stream lacked something: their answers come in order all the same.
    counted: usize,
    /// Octets of the connection are missing.
    lossy: bool,
    /// The client has sent a request ahead of the answer to another one.
    pipelines: bool,
    /// What the last request has acknowledged, and when it was captured.
    last_heard: Option<u64>,
    last_asked: Timestamp,
    /// Where the last response begins that was matched to no request.
    unmatched: Option<u64>,
    /// Each direction is in a body of chunks, and octets that are missing right before what comes next may be some of these.
    in_chunks: [bool; 2],
    lacks_chunks: [bool; 2],
    /// How far each direction's header section, or trailer, has been looked through.
    looked: [usize; 2],
    /// Each direction lacks octets right before what comes next.
    gapped: [bool; 2],
    /// Each direction: in the trailer behind the last chunk.
    trailer: [bool; 2],
    /// A CONNECT, or an upgrade, is not answered yet.
    leaving: bool,
    /// A response has switched to this.
    switched: Option<UpgradeTo>,
    /// What a response that switches to WebSocket has agreed on.
    websocket: super::websocket::Agreed,
    /// The last request asks for that.
    asks: Option<UpgradeTo>,
    /// Where the header of an answer ends that may have a body or not, and what the next request has heard.
    doubtful: Option<u64>,
    heard: Option<u64>,
    /// Offset of the request that the last response answers, where it is known.
    answered: Option<u64>,
    /// Where the start line ends in what has been looked through of each direction's header section, while that is cut; 0: nowhere.
    line: [u32; 2],
    /// The line with a chunk's size that each direction is in, as far as [`Self::looked`].
    chunk: [ChunkLine; 2],
    /// Where empty lines, or octets of another kind, began that stand right before what comes next, in each direction.
    blank: [Option<u64>; 2],
    /// The body that each direction's request has if the server agrees.
    expected: [Option<ExpectedBody>; 2],
}

/// A body that a client announced and holds back (RFC 9110, 10.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ExpectedBody {
    /// Offset of its request.
    request: u64,
    /// Where it begins.
    from: u64,
    /// The server has answered for good without it. The client may send it all the same.
    declined: bool,
    /// It has come.
    begun: bool,
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
    /// What the response has agreed on that has switched to WebSocket.
    pub(super) const fn websocket(&self) -> super::websocket::Agreed {
        self.websocket
    }

    /// Finds the request that a response at `at` answers; with `take`, it and those before it are done with.
    fn answer(&mut self, at: &Position, take: bool, interim: bool) -> Match {
        // A request that the server had not received cannot be what it answers.
        let seen = |r: &PendingRequest| at.ack.is_none_or(|ack| r.offset < ack);
        let (index, sure) = match self.counting || self.counted > 0 {
            // Neither stream lacked anything since the last match, so order is proof (RFC 9112, 9.3.2), and the only one where a
            // client sends ahead. What the server has received and the capture lacks comes behind the requests that are there.
            true => (0, true),
            false => match self.exact(at) {
                // Octets lost right before it may have held another request with this acknowledgment, answered first.
                // Where requests stand before it, their answers were lost, or this is the answer to one of them.
                Some(i) => (i, i == 0 && !self.requests[i].after_gap),
                None => {
                    if take && !interim {
                        self.unmatched = Some(at.offset);
                    }
                    return Match::Unknown;
                }
            },
        };
        // Nothing is taken: a response too many must not use up a request that comes later.
        let Some(request) = self.requests.get(index).copied().filter(seen) else {
            // One response more than requests that it can answer: the count is lost.
            if take {
                (self.counting, self.counted) = (false, 0);
                self.unmatched = Some(at.offset);
            }
            return Match::Unknown;
        };
        // The next request did not wait for this answer.
        let next = self.requests.get(index + 1).and_then(|next| next.ack);
        if take && sure && next.is_some_and(|ack| ack <= at.offset) {
            self.sends_ahead();
        }
        if take {
            self.answered = (!interim).then_some(request.offset);
            // Those before it were answered by responses that the capture lost. An interim response
            // leaves its own request.
            self.requests
                .drain(..if interim { index } else { index + 1 });
            // A likely match may be one off; counting from it would carry the error on. And what a hole hides comes ahead of all that
            // stand behind it.
            let hole = self.hole_before(at.direction.flip(), usize::from(interim));
            self.counting = sure && hole.is_none();
            self.counted = hole.filter(|_| sure).unwrap_or(0);
            self.interim = interim;
        }
        if sure {
            Match::Sure(request.method)
        } else {
            Match::Likely(request.method)
        }
    }

    /// The first request that has acknowledged exactly what stands before a response at `at`, where that tells that it is answered.
    fn exact(&mut self, at: &Position) -> Option<usize> {
        // Empty lines before a response are none of it: the request acknowledged what stands before them. So it is with octets
        // that are no response at all, if they answer no other request.
        let from = self.blank[at.direction.index()].unwrap_or(at.offset);
        let mut exact = None;
        for (i, request) in self.requests.iter().enumerate() {
            if let Some(ack) = request.ack
                && (from..=at.offset).contains(&ack)
                && exact.is_none_or(|(_, last)| ack > last)
            {
                exact = Some((i, ack));
            }
        }
        let (i, ack) = exact?;
        let request = self.requests[i];
        if at.ack.is_some_and(|seen| request.offset >= seen) {
            // The server had not received it, so this answers one before it: the client has not waited for that.
            self.sends_ahead();
            return None;
        }
        // Requests in the hole before it have had their answers only if these are there, or in a hole too: where there are none, the
        // client has not waited.
        let answered = |since: u64| {
            let there = |offset: &u64| (since..ack).contains(offset);
            self.unmatched.as_ref().is_some_and(there)
        };
        (!request.ahead && request.since.is_none_or(answered)).then_some(i)
    }

    /// How many requests stand ahead of the first hole in the client's stream, where there is one behind the first `from` of them.
    fn hole_before(&self, client: Direction, from: usize) -> Option<usize> {
        if !self.lossy {
            return None;
        }
        let behind = self.requests.iter().skip(from);
        let found = behind.clone().position(|r| r.after_gap).map(|i| from + i);
        found.or_else(|| self.gapped[client.index()].then_some(self.requests.len()))
    }

    /// The client does not wait for answers: what its requests acknowledge tells nothing.
    fn sends_ahead(&mut self) {
        self.pipelines = true;
        for request in &mut self.requests {
            request.ahead = true;
        }
    }

    /// Both sides have been silent for so long when a request at `at` was sent that all others have their answers.
    fn is_alone(&self, at: &Position) -> bool {
        let Side {
            acknowledged,
            acknowledged_at,
            ..
        } = at.other;
        let silent = |since: Timestamp| at.time.since(since) >= SILENCE;
        at.ack.is_some()
            && acknowledged == at.ack
            && acknowledged_at.is_some_and(silent)
            && silent(self.last_asked)
    }

    fn begin_request(
        &mut self,
        at: &Position,
        method: &[u8],
        head: usize,
        fields: &HeadFields,
        framing: BodyFraming,
    ) -> Begin {
        let d = at.direction.index();
        let method = match method {
            b"HEAD" => Method::Head,
            b"CONNECT" => Method::Connect,
            _ if fields.simple => Method::Simple,
            _ if fields.upgrade => Method::Upgrade,
            _ => Method::Other,
        };
        // Until it is answered, what follows in this direction may be another protocol, and waits
        // for the answer.
        self.leaving |= matches!(method, Method::Connect | Method::Upgrade);
        self.asks = fields.upgrade_to;
        if self.requests.len() >= REQUESTS {
            // Counting would be wrong by the forgotten one.
            self.requests.pop_front();
            (self.counting, self.counted) = (false, 0);
        }
        let after_gap = std::mem::take(&mut self.gapped[d]);
        // Ahead of the first request of a whole connection nothing was heard.
        let first = Some(at.other.origin).filter(|_| after_gap && at.other.from_start);
        let heard = self.last_heard.or(first);
        if heard.is_some() && at.ack.is_some() && at.ack <= heard {
            self.pipelines = true;
            // Nor did the one before wait, most likely, if nobody knows what stands ahead of that.
            let last = self.requests.back_mut();
            if let Some(last) = last.filter(|last| last.after_gap) {
                last.ahead = true;
            }
        }
        if self.requests.capacity() == 0 {
            // Most clients wait for their answers: a queue that grows by itself begins with room for four.
            self.requests.reserve_exact(1);
        }
        self.requests.push_back(PendingRequest {
            offset: at.offset,
            ack: at.ack,
            method,
            after_gap,
            since: heard.filter(|_| after_gap && !self.lacks_chunks[d]),
            ahead: self.pipelines && !self.is_alone(at),
        });
        self.last_heard = at.ack.or(self.last_heard);
        self.last_asked = at.time;
        self.expected[d] = None;
        let has_body = !matches!(framing, BodyFraming::None | BodyFraming::Length(0));
        if fields.expects && has_body {
            self.expected[d] = Some(ExpectedBody {
                request: at.offset,
                from: at.offset + head as u64,
                declined: false,
                begun: false,
            });
        }
        let body = match framing {
            BodyFraming::Length(n) if n > 0 && fields.expects => MessageBody::Supposed(n),
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
        framing: BodyFraming,
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
        let body = match framing {
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
        self.switched = fields.upgrade_to.filter(|_| status == 101);
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
                    None if at.next == Following::Octets => {
                        self.doubtful = Some(at.offset + head as u64);
                        return Begin::NeedMore;
                    }
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
        self.doubtful = None;
        self.answer(at, true, false);
        if let Some(body) = &mut self.expected[at.direction.flip().index()]
            && self.answered == Some(body.request)
        {
            body.declined = true;
        }
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
        // A client that waits acknowledges the end of a whole response when it sends its next request.
        let asked = || self.requests.iter().any(|r| r.ack == Some(end));
        if n == 0 && !self.pipelines && (self.heard == Some(end) || asked()) {
            return Some(true);
        }
        None
    }
}

impl Framer for Http1 {
    fn next_protocol(&self) -> Option<&'static str> {
        self.switched.map(UpgradeTo::protocol)
    }

    fn goes_on_as(&self, at: &Position, octets: &[u8]) -> Option<&'static str> {
        // The client begins with it, whatever was agreed on before.
        if octets.starts_with(super::http2::PREFACE) {
            return Some(super::http2::PROTOCOL.name);
        }
        if self.asks != Some(UpgradeTo::Websocket) || !self.leaving {
            return None;
        }
        // The answer to the upgrade is lost, and the client, whose frames are masked, sends one, or the server, whose are not.
        let goes_on = match self.client == Some(at.direction) {
            true => super::websocket::is_masked(octets),
            false => at.segment(0) && super::websocket::are_frames(octets),
        };
        goes_on.then_some(super::websocket::PROTOCOL.name)
    }

    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let d = at.direction.index();
        self.chunk[d] = ChunkLine::default();
        if matches!(octets.first(), Some(b'\r' | b'\n')) {
            self.looked[d] = 0;
            self.blank[d].get_or_insert(at.offset);
            return Begin::Skip(octets.len() - skip_empty_lines(octets).len());
        }
        // What comes next may be of the protocol that the server agrees to; and behind HEAD, a reader of packets wants the
        // answer before the next request, or it takes that for the request of an answer without the body it promises.
        let awaits = self.leaving
            || self
                .requests
                .back()
                .is_some_and(|r| r.method == Method::Head);
        if awaits
            && self.client == Some(at.direction)
            && let Some(until) = at.wait_for_other()
        {
            return Begin::Wait(until);
        }
        // It was sent before the answer was heard that may open a tunnel: whether it is for the proxy, that tells.
        if octets.len() < at.limit && self.is_ahead(at) {
            return Begin::NeedMore;
        }
        // The answer is there, but not yet known to have no body: this request tells, and comes behind it.
        if awaits
            && self.client == Some(at.direction)
            && self.doubtful.is_some()
            && at.ack == self.doubtful
            && self.heard != at.ack
            && at.next == Following::Octets
        {
            self.heard = at.ack;
            return Begin::NeedMore;
        }
        // Most heads are whole and as they should be: these are read once, and nothing else is asked.
        let mut fields = HeadFields::default();
        let sound = match self.looked[d] {
            0 => match read_plainly(octets, HeadFields::may_matter, |name, value| {
                fields.note(name, value);
            }) {
                None => {
                    fields = HeadFields::default();
                    read_strictly(octets, |name, value| fields.add(name, value))
                }
                plain => plain,
            },
            _ => None,
        };
        let (start, head) = match sound.filter(|(start, _)| is_sound(start)) {
            Some(read) => read,
            None => match self.read_unsound(at, octets) {
                Ok((start, head, read)) => {
                    fields = read;
                    (start, head)
                }
                Err(begin) => return begin,
            },
        };
        let behind = &octets[head..];
        let (HttpStart::Request { version, .. } | HttpStart::Response { version, .. }) = start;
        let Some(framing) = fields.framing(version, behind, at.next) else {
            return Begin::NeedMore;
        };
        let begun = match start {
            HttpStart::Request { method, .. } => {
                // The first one decides the direction, and a search then looks for one kind only:
                // half of the false hits.
                self.client.get_or_insert(at.direction);
                self.begin_request(at, method, head, &fields, framing)
            }
            HttpStart::Response { status, .. } => {
                self.client.get_or_insert(at.direction.flip());
                if status == 101 {
                    self.websocket = super::websocket::Agreed::of(&octets[..head]);
                }
                self.begin_response(at, status, head, &fields, framing, behind)
            }
        };
        if let Begin::Message { body, .. } = &begun {
            self.in_chunks[d] = *body == MessageBody::Parts;
        }
        // Only a decision ends the section. Undecided, how far it was looked through stays noted.
        if !matches!(begun, Begin::Wait(_) | Begin::NeedMore) {
            self.looked[d] = 0;
            self.blank[d] = None;
        }
        begun
    }

    /// A chunked body (RFC 9112, 7.1): each chunk with its line is one part, the trailer the last. The line end of the chunk
    /// before belongs to it, and is taken with the next line.
    fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let part = self.chunk(at, octets);
        self.in_chunks[at.direction.index()] &=
            matches!(part, BodyPart::Octets(_) | BodyPart::NeedMore);
        part
    }

    fn is_sure(&self, direction: Direction) -> bool {
        self.expected[direction.index()].is_some_and(|body| body.begun)
    }

    fn is_over(&self, direction: Direction, offset: u64) -> bool {
        let none = |body: ExpectedBody| body.declined && !body.begun && body.from == offset;
        self.expected[direction.index()].is_some_and(none)
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let d = at.direction;
        let client = self.client.is_none_or(|c| c == d);
        let server = self.client.is_none_or(|c| c != d);
        let more = at.next == Following::Octets;
        if at.next == Following::Gap && at.segment(0) && is_cut_line(octets) {
            let response = octets.starts_with(b"HTTP");
            if (response && server) || (!response && client) {
                return Found::At(0);
            }
        }
        if let Some(body) = &mut self.expected[d.index()] {
            // The server has declined the body, and where it would begin a request stands.
            let declined = body.declined && at.offset == body.from;
            let found = if declined {
                search(octets, more, true, false)
            } else {
                Found::Nowhere { keep: octets.len() }
            };
            if matches!(found, Found::At(0) | Found::Nowhere { keep: 0 }) {
                return found;
            }
            body.begun = true;
            return Found::Nowhere { keep: octets.len() };
        }
        search(octets, more, client, server)
    }

    fn answers(&self) -> Option<u64> {
        self.answered
    }

    /// The client has heard nothing since it has asked for a tunnel, and goes on.
    fn is_ahead(&self, at: &Position) -> bool {
        let waits = |r: &PendingRequest| r.method == Method::Connect && r.ack == at.ack;
        self.client == Some(at.direction)
            && at.next == Following::Octets
            && at.ack.is_some()
            && self.requests.back().is_some_and(waits)
    }

    fn begins_whole(&mut self) {
        self.counting = true;
    }

    fn gap(&mut self, direction: Direction) {
        self.looked[direction.index()] = 0;
        self.chunk[direction.index()] = ChunkLine::default();
        self.blank[direction.index()] = None;
        self.expected[direction.index()] = None;
        self.trailer[direction.index()] = false;
        let in_chunks = std::mem::take(&mut self.in_chunks[direction.index()]);
        if !std::mem::replace(&mut self.gapped[direction.index()], true) || in_chunks {
            self.lacks_chunks[direction.index()] = in_chunks;
        }
        // A lost request or response makes every later count one off. Acknowledgments still match, and so does the order of the
        // requests that stand before the hole, as long as no response is missing.
        self.lossy = true;
        match self.client == Some(direction) {
            true if self.counting => self.counted = self.requests.len(),
            true => {}
            false => self.counted = 0,
        }
        self.counting = false;
        self.interim &= self.counted > 0;
    }

    fn refused(&mut self, direction: Direction, offset: u64) {
        let from = self.blank[direction.index()].unwrap_or(offset);
        self.gap(direction);
        // They are there, and hold no request.
        self.lacks_chunks[direction.index()] = true;
        self.blank[direction.index()] = Some(from);
    }

    fn size(&self) -> usize {
        let requests = self.requests.capacity() * size_of::<PendingRequest>();
        allocated(size_of::<Self>()) + allocated(requests)
    }
}

impl Http1 {
    /// What follows of a body in chunks.
    fn chunk(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let d = at.direction.index();
        if self.trailer[d] {
            return self.trailer(at, octets);
        }
        let declined = |body: &ExpectedBody| body.declined && at.offset == body.from;
        if self.expected[d].as_ref().is_some_and(declined) {
            // The server has declined the body: where a request stands in its place there is none.
            match search(octets, at.next == Following::Octets, true, false) {
                Found::At(0) => {
                    self.expected[d] = None;
                    return BodyPart::Last(0);
                }
                Found::Nowhere { keep: 0 } if at.next == Following::Octets => {
                    return BodyPart::NeedMore;
                }
                _ => {}
            }
        }
        let from = self.looked[d].min(octets.len());
        let (read, size) = self.chunk[d].read(&octets[from..]);
        let end = (from + read) as u64;
        self.looked[d] = octets.len();
        if size == ChunkSize::More && at.next == Following::Octets {
            return BodyPart::NeedMore;
        }
        self.expected[d] = None;
        self.looked[d] = 0;
        self.chunk[d] = ChunkLine::default();
        match size {
            ChunkSize::Octets(size) => {
                self.trailer[d] = size == 0;
                BodyPart::Octets(end + size)
            }
            ChunkSize::More | ChunkSize::Bad => BodyPart::Refuse,
        }
    }

    /// A line that is no start line by the standard is one where a message has to begin: None while what stands behind it does
    /// not tell.
    fn lenient(&self, at: &Position, line: &[u8], behind: &[u8]) -> Option<bool> {
        let known = match HttpStart::of_line(line) {
            Some(HttpStart::Response { .. }) => self.client != Some(at.direction),
            Some(HttpStart::Request { .. }) if self.client.is_none() => opens(line, true),
            Some(HttpStart::Request { version, .. }) => {
                if self.client != Some(at.direction) {
                    return Some(false);
                }
                // A request of HTTP/0.9 has no header section. It comes in one segment, where a line of a header would follow.
                if version == HttpVersion::None
                    && header_follows(behind).is_none()
                    && at.next == Following::Octets
                {
                    let len = line.len() as u64 + 1;
                    let alone = !at
                        .segments
                        .iter()
                        .any(|s| (at.offset + 1..at.offset + len).contains(s));
                    return (behind.is_empty() && at.push && alone).then_some(true);
                }
                true
            }
            None => false,
        };
        Some(known)
    }

    /// A head that is cut, or that only a lenient reader takes: its start line, its octets and its fields, or what there is to do
    /// instead.
    #[cold]
    fn read_unsound<'a>(
        &mut self,
        at: &Position,
        octets: &'a [u8],
    ) -> Result<(HttpStart<'a>, usize, HeadFields), Begin> {
        let d = at.direction.index();
        // A header longer than the limit is refused, or an endless one would be held.
        let more = octets.len() < at.limit;
        let client = self.client.is_none_or(|c| c == at.direction);
        let server = self.client.is_none_or(|c| c != at.direction);
        // What comes octet by octet is looked through once.
        let from = self.looked[d].min(octets.len());
        let known = usize::try_from(self.line[d]).unwrap_or(0);
        let line = match known {
            line if (1..from).contains(&line) => {
                if more && head_end(octets, from.saturating_sub(4)).is_none() {
                    self.looked[d] = octets.len();
                    return Err(Begin::NeedMore);
                }
                Some(line)
            }
            _ => memchr(b'\n', &octets[from..]).map(|n| from + n),
        };
        self.line[d] = line.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let Some(line) = line else {
            let may = may_start(octets) || HttpStart::may_begin(octets, client, server);
            if more && may {
                self.looked[d] = octets.len();
                return Err(Begin::NeedMore);
            }
            self.looked[d] = 0;
            return Err(self.begin_simple(at));
        };
        let strict = start_line(&octets[..line]).is_some();
        if !strict {
            match self.lenient(at, &octets[..line], &octets[line + 1..]) {
                Some(true) => {}
                Some(false) => {
                    self.looked[d] = 0;
                    return Err(self.begin_simple(at));
                }
                None => return Err(Begin::NeedMore),
            }
        }
        let mut fields = HeadFields {
            simple: !strict && self.is_simple(&octets[..line], &octets[line + 1..]),
            ..HeadFields::default()
        };
        let read = if fields.simple {
            // A request of HTTP/0.9 is its line.
            HttpStart::of_line(&octets[..line])
                .map_or(HttpHead::None, |start| HttpHead::Whole(start, line + 1))
        } else if self.looked[d] == 0
            || head_end(octets, self.looked[d].saturating_sub(4)).is_some()
        {
            // The fields are read once the whole section is there: what is cut is only looked through for its end.
            read_head(octets, |name, value| fields.add(&name, &value))
        } else {
            HttpHead::Cut
        };
        match read {
            HttpHead::Whole(start, head) => Ok((start, head, fields)),
            HttpHead::Cut if more => {
                self.looked[d] = octets.len();
                Err(Begin::NeedMore)
            }
            HttpHead::Cut | HttpHead::None => {
                self.looked[d] = 0;
                Err(Begin::Refuse)
            }
        }
    }

    /// What answers a request of HTTP/0.9 where no start line stands: a body, up to the end of the stream.
    fn begin_simple(&mut self, at: &Position) -> Begin {
        // Behind a request that may lead to another protocol, the answer to it tells what this is.
        if self.leaving
            && self.client == Some(at.direction)
            && at.next == Following::Octets
            && let Some(until) = at.wait_for_other()
        {
            return Begin::Wait(until);
        }
        let server = self.client == Some(at.direction.flip());
        if !server || !self.requests.iter().any(|r| r.method == Method::Simple) {
            return Begin::Refuse;
        }
        if let Some(until) = at.wait_for_other() {
            return Begin::Wait(until);
        }
        if !matches!(
            self.answer(at, false, false),
            Match::Sure(Method::Simple) | Match::Likely(Method::Simple)
        ) {
            return Begin::Refuse;
        }
        self.answer(at, true, false);
        Begin::Message {
            kind: Kind::Response,
            head: 0,
            body: MessageBody::ToClose,
            hand_over: false,
        }
    }

    /// A request of HTTP/0.9 (RFC 1945, 5): no version, and no header section behind it.
    fn is_simple(&self, line: &[u8], behind: &[u8]) -> bool {
        let Some(HttpStart::Request { version, .. }) = HttpStart::of_line(line) else {
            return false;
        };
        version == HttpVersion::None && header_follows(behind) != Some(true)
    }

    /// Trailer fields up to the empty line.
    fn trailer(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let d = at.direction.index();
        let sound = matches!(octets, [] | [b'\r']) || header_follows(octets) != Some(false);
        if !sound {
            // Some senders leave the empty line out, and the next message stands there.
            let client = self.client.is_none_or(|c| c == at.direction);
            match search(octets, at.next == Following::Octets, client, !client) {
                Found::At(0) => {
                    self.trailer[d] = false;
                    self.looked[d] = 0;
                    return BodyPart::Last(0);
                }
                Found::Nowhere { keep: 0 } => return BodyPart::NeedMore,
                _ => {}
            }
        }
        let done = match octets {
            [b'\n', ..] => Some(1),
            [b'\r', b'\n', ..] => Some(2),
            _ => head_end(octets, self.looked[d].saturating_sub(2)),
        };
        if let Some(end) = done {
            self.trailer[d] = false;
            self.looked[d] = 0;
            return BodyPart::Last(end as u64);
        }
        self.looked[d] = octets.len();
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

    #[test]
    fn start_lines_are_told_from_others() {
        for (line, expected) in [
            ("GET / HTTP/1.1", Some(Kind::Request)),
            ("GET / HTTP/1.0\r", Some(Kind::Request)),
            ("M-SEARCH * HTTP/1.1\r", Some(Kind::Request)),
            ("FOO!bar http://a:1/?x=%20 HTTP/1.1", Some(Kind::Request)),
            ("HTTP/1.1 200 OK\r", Some(Kind::Response)),
            ("HTTP/1.0 404", Some(Kind::Response)),
            ("HTTP/1.1 204 \r", Some(Kind::Response)),
            ("HTTP/1.1 999 a\tb", Some(Kind::Response)),
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
            assert_eq!(start_line(line.as_bytes()), expected, "{line:?}");
            let probed = HttpDetector.probe(format!("{line}\nA: b\r\n\r\n").as_bytes(), true);
            assert!(expected.is_none() || probed == Probe::Yes, "{line:?}");
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

    /// Where a connection begins, and where a message has to.
    #[test]
    fn start_lines_of_lenient_readers_open_a_connection() {
        for (line, hinted, expected) in [
            ("http/1.1 200 OK", false, true),
            ("HTTP/1.10 200 OK", false, true),
            ("HTTP/2.0  2XX", false, true),
            ("ICY 200 OK", false, true),
            ("GET /a b HTTP/1.1", false, true),
            ("get / http/1.0", false, true),
            ("GET /", true, true),
            ("GET /", false, false),
            ("HTTP/1.1", true, false),
            ("GET", true, false),
            ("HELO me", true, false),
            ("OPTIONS * RTSP/1.0", true, false),
            ("USER a", true, false),
            ("PRI * HTTP/2.0", true, false),
        ] {
            let probed = HttpDetector.probe(format!("{line}\r\n").as_bytes(), hinted);
            assert_eq!(probed == Probe::Yes, expected, "{line:?}");
        }
    }

    #[test]
    fn a_lenient_start_line_begins_a_message_in_its_direction_only() {
        let begin = |direction, text: &str| {
            let mut framer = Http1 {
                client: Some(Direction::Forward),
                ..Http1::default()
            };
            framer.begin(&place(direction, 0, 0, Following::Octets), text.as_bytes())
        };
        for text in [
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET /a\r\nHost: a\r\n\r\n",
            "foo any thing\r\nA: b\r\n\r\n",
        ] {
            let Begin::Message {
                kind: Kind::Request,
                head,
                ..
            } = begin(Direction::Forward, text)
            else {
                panic!("{text:?}");
            };
            assert_eq!(head, text.len());
            assert_eq!(begin(Direction::Reverse, text), Begin::Refuse, "{text:?}");
        }
        for text in [
            "http/1.1 200\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
        ] {
            let Begin::Message {
                kind: Kind::Response,
                head,
                ..
            } = begin(Direction::Reverse, &format!("{text}body"))
            else {
                panic!("{text:?}");
            };
            assert_eq!(head, text.len());
            assert_eq!(begin(Direction::Forward, text), Begin::Refuse, "{text:?}");
        }
    }

    #[test]
    fn a_head_that_comes_octet_by_octet_is_looked_through_once() {
        let line = "x".repeat(3000);
        for (text, direction) in [
            (
                format!("HTTP/1.1 204 {line}\r\nA: b\r\n\r\n"),
                Direction::Reverse,
            ),
            (
                format!("HTTP/1.1 204\r\nA: {line}\r\n\r\n"),
                Direction::Reverse,
            ),
            (
                format!("GET /{line} HTTP/1.1\r\nA: {line}\r\n\r\n"),
                Direction::Forward,
            ),
        ] {
            let mut framer = Http1 {
                client: Some(Direction::Forward),
                ..Http1::default()
            };
            let at = place(direction, 0, 0, Following::Octets);
            for n in 20..text.len() {
                let begun = framer.begin(&at, &text.as_bytes()[..n]);
                assert_eq!(begun, Begin::NeedMore, "{n} of {text:?}");
                // The next look begins here.
                assert_eq!(framer.looked[direction.index()], n);
            }
            let begun = framer.begin(&at, text.as_bytes());
            let whole = Http1 {
                client: Some(Direction::Forward),
                ..Http1::default()
            }
            .begin(&at, text.as_bytes());
            assert_eq!(begun, whole);
            assert!(matches!(begun, Begin::Message { head, .. } if head == text.len()));
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
            time: Timestamp::default(),
            other: Side {
                delivered: u64::MAX,
                ..Side::default()
            },
            next,
            limit: 1 << 16,
            late: false,
            parts: &[],
            split: 0,
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
            ("0000000000000000000005\r\n", BodyPart::Octets(29)),
            ("x\r\n", BodyPart::Refuse),
            ("-1\r\n", BodyPart::Refuse),
            ("\r\n\r\n5\r\n", BodyPart::Octets(12)),
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
                "body",
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

    /// A body that the client holds back does not swallow the next request when the server declines it; one that it sends all the
    /// same is a body.
    #[test]
    fn a_body_that_was_declined_is_not_awaited() {
        let post = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n";
        let from = post.len() as u64;
        for (answer, next, found) in [
            ("417 no", "GET /x HTTP/1.1\r\nA: b\r\n\r\n", Found::At(0)),
            ("417 no", "GET /x HT", Found::Nowhere { keep: 0 }),
            (
                "417 no",
                "not GET /x HTTP/1.1\r\n\r\n",
                Found::Nowhere { keep: 23 },
            ),
            (
                "100 Continue",
                "GET /x HTTP/1.1\r\nA: b\r\n\r\n",
                Found::Nowhere { keep: 25 },
            ),
        ] {
            let mut framer = Http1::default();
            let begun = framer.begin(&place(Direction::Forward, 0, 500, Following::Octets), post);
            assert!(matches!(
                begun,
                Begin::Message {
                    body: MessageBody::Supposed(30),
                    ..
                }
            ));
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            framer.begin(
                &place(Direction::Reverse, 500, from, Following::Octets),
                answer.as_bytes(),
            );
            let at = place(Direction::Forward, from, 550, Following::Octets);
            assert_eq!(
                framer.search(&at, next.as_bytes()),
                found,
                "{answer:?} {next:?}"
            );
            let over = framer.is_over(Direction::Forward, from);
            assert_eq!(
                over,
                found == Found::At(0) || found == Found::Nowhere { keep: 0 }
            );
            let body = found == Found::Nowhere { keep: next.len() };
            assert_eq!(
                framer.is_sure(Direction::Forward),
                body,
                "{answer:?} {next:?}"
            );
        }
    }

    /// The same of a body in chunks.
    #[test]
    fn a_body_in_chunks_that_was_declined_is_not_awaited() {
        let post = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
        let from = post.len() as u64;
        for (answer, next, found) in [
            (
                "417 no",
                "GET /x HTTP/1.1\r\nA: b\r\n\r\n",
                BodyPart::Last(0),
            ),
            ("417 no", "GET /x HT", BodyPart::NeedMore),
            ("417 no", "5\r\nhello\r\n", BodyPart::Octets(8)),
            ("100 Continue", "5\r\nhello\r\n", BodyPart::Octets(8)),
            ("100 Continue", "GET /x HTTP/1.1\r\n", BodyPart::Refuse),
        ] {
            let mut framer = Http1::default();
            framer.begin(&place(Direction::Forward, 0, 500, Following::Octets), post);
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            framer.begin(
                &place(Direction::Reverse, 500, from, Following::Octets),
                answer.as_bytes(),
            );
            assert_eq!(
                framer.is_over(Direction::Forward, from),
                answer.contains("417")
            );
            let at = place(Direction::Forward, from, 550, Following::Octets);
            assert_eq!(
                framer.part(&at, next.as_bytes()),
                found,
                "{answer:?} {next:?}"
            );
            // What stands behind it is searched like anything else.
            let read = !matches!(found, BodyPart::NeedMore);
            assert_eq!(framer.expected[0].is_none(), read, "{answer:?} {next:?}");
        }
    }

    #[test]
    fn empty_lines_before_a_response_change_nothing() {
        let mut framer = Http1::default();
        framer.begin(
            &place(Direction::Forward, 0, 500, Following::Octets),
            b"HEAD / HTTP/1.1\r\n\r\n",
        );
        framer.begin(
            &place(Direction::Reverse, 500, 19, Following::Octets),
            b"\r\n",
        );
        let at = place(Direction::Reverse, 502, 19, Following::Octets);
        let begun = framer.begin(&at, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
        assert!(matches!(
            begun,
            Begin::Message {
                body: MessageBody::Octets(0),
                ..
            }
        ));
        assert_eq!(framer.answers(), Some(0));
    }
}
