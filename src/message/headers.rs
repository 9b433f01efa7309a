//! Protocols whose messages are built as those of HTTP: a start line, header fields, an empty line, and a body of
//! `Content-Length` octets, with interleaved frames of binary data (RFC 7826, 14) where the protocol has them.

use super::chains::{self, BothHabits};
use super::framing::{
    Begin, Detector, DoubtEnds, Following, Found, Framer, MessageBody, Position, Probe, grown,
};
use super::head::head_end;
use super::length::{self, Classified, LengthFormat, Scan};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use memchr::{memchr, memchr_iter, memchr2, memmem, memrchr};
use std::marker::PhantomData;

/// A start line longer than this is none: servers refuse them too (8 KiB is usual).
const LINE: usize = 8 << 10;
/// A method longer than this is none: twice the longest that is registered.
const METHOD: usize = 32;
/// Octets of frames that wait until it is known where they begin: four of the longest.
const HOLD: usize = 256 << 10;

/// What distinguishes one such protocol from another.
#[derive(Debug)]
pub(super) struct HeaderSyntax {
    /// What the version begins with; where it ends with a slash, two digits and a dot follow.
    pub(super) version: &'static [u8],
    /// Octets of the whole version.
    pub(super) version_len: usize,
    /// The methods that a search finds. Others are taken where a message has to begin.
    pub(super) methods: &'static [&'static [u8]],
    /// The compact form of Content-Length (RFC 3261, 20.14).
    pub(super) compact: bool,
    /// Frames of binary data stand between the messages.
    pub(super) interleaved: bool,
}

/// A protocol of this kind.
pub(super) trait HeaderProtocol {
    /// Its syntax.
    const SYNTAX: &'static HeaderSyntax;
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet)
}

impl HeaderSyntax {
    /// The octets begin with a start line.
    // A version inside of a line is not enough; the whole line has to be of the form.
    pub(super) fn begins(&self, octets: &[u8]) -> bool {
        let line = memchr(b'\n', &octets[..octets.len().min(LINE)]);
        line.is_some_and(|end| self.start_line(&octets[..end]).is_some())
    }

    /// What a line is without its line feed: a request, a response, or no start line.
    pub(super) fn start_line(&self, line: &[u8]) -> Option<Kind> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Control characters mean that binary data has been met.
        if line.len() > LINE || line.iter().any(|o| *o < b' ' && *o != b'\t') {
            return None;
        }
        if line.starts_with(self.version) {
            let space = memchr(b' ', line)?;
            let (version, rest) = line.split_at(space);
            let digits = rest.get(1..4)?;
            let sound = self.is_version(version)
                && digits.iter().all(u8::is_ascii_digit)
                && rest.get(4).is_none_or(|o| *o == b' ');
            return sound.then_some(Kind::Response);
        }
        // From the right for the version, from the left for the method: what is between may hold
        // anything.
        let (uri, version) = line.split_at(memrchr(b' ', line)?);
        let space = memchr(b' ', uri)?;
        let (method, uri) = uri.split_at(space);
        let sound = !method.is_empty()
            && method.len() <= METHOD
            && method.iter().all(|o| is_token(*o))
            && uri.len() > 1
            && self.is_version(&version[1..]);
        sound.then_some(Kind::Request)
    }

    fn is_version(&self, version: &[u8]) -> bool {
        version.strip_prefix(self.version).is_some_and(|rest| {
            if self.version.ends_with(b"/") {
                matches!(rest, [b'1' | b'2', b'.', b'0'..=b'9'])
            } else {
                rest.is_empty()
            }
        })
    }

    /// Octets without a line feed that a start line may begin with.
    fn may_start(&self, octets: &[u8]) -> bool {
        let n = octets.len().min(self.version.len());
        if octets[..n] == self.version[..n] {
            return octets.len() < LINE;
        }
        let known = |method: &[u8]| self.methods.contains(&method);
        match memchr(b' ', octets) {
            Some(space) => known(&octets[..space]) && octets.len() < LINE,
            None => self.methods.iter().any(|m| m.starts_with(octets)),
        }
    }

    /// What the snapshot length has left of a first line: it begins a segment whose rest is missing.
    fn is_cut_line(&self, octets: &[u8]) -> bool {
        match memchr(b'\n', octets) {
            // The line is whole, and what follows it is cut.
            Some(end) => {
                let line = self.start_line(&octets[..end]);
                line.is_some() && field_follows(&octets[end + 1..]).is_none()
            }
            None => {
                let word = octets.starts_with(self.version) || memchr(b' ', octets).is_some();
                word && self.may_start(octets)
            }
        }
    }

    /// Octets of the body, by the header fields.
    pub(super) fn content_length(&self, fields: &[u8]) -> u64 {
        // The first one counts; later ones are in a body of MIME.
        let mut rest = fields;
        while let Some(end) = memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            let Some(colon) = memchr(b':', line) else {
                continue;
            };
            let name = line[..colon].trim_ascii_end();
            if name.eq_ignore_ascii_case(b"content-length")
                || (self.compact && name.eq_ignore_ascii_case(b"l"))
            {
                let digits = line[colon + 1..].trim_ascii();
                let number = digits.iter().try_fold(0u64, |n, d| {
                    let digit = d.is_ascii_digit().then(|| u64::from(d - b'0'))?;
                    n.checked_mul(10)?.checked_add(digit)
                });
                // A length that nobody would send is taken for none, so that it cannot swallow the
                // stream.
                return number.filter(|n| *n < 1 << 40).unwrap_or(0);
            }
        }
        0
    }

    /// The next place where a message begins: a start line and, behind it, a header field.
    pub(super) fn find(&self, octets: &[u8], more: bool) -> Found {
        let mut from = 0;
        let mut keep = None;
        // The version is rare and searched for by vector instructions; a first line is then looked
        // for around it.
        while let Some(hit) = memmem::find(&octets[from..], self.version) {
            let at = from + hit;
            from = at + self.version.len();
            let behind = at + self.version_len;
            // A status line goes on with a space, a request line ends.
            let start = match octets.get(behind) {
                Some(b' ') => Some(at),
                Some(b'\r' | b'\n') => self.request_before(octets, at),
                None if more => Some(self.request_before(octets, at).unwrap_or(at)),
                _ => None,
            };
            let Some(start) = start else {
                continue;
            };
            let window = &octets[start..octets.len().min(start + LINE)];
            match memchr(b'\n', window) {
                Some(end) => {
                    if self.start_line(&window[..end]).is_none() {
                        continue;
                    }
                    // A Via field holds the version too: only a field behind the line makes it a
                    // start line.
                    match field_follows(&octets[start + end + 1..]) {
                        Some(true) => return Found::At(start),
                        None if more => {}
                        _ => continue,
                    }
                }
                None if more && window.len() < LINE => {}
                None => continue,
            }
            keep = Some(start);
            break;
        }
        Found::Nowhere {
            keep: match keep {
                Some(keep) => keep,
                None if more => self.cut(octets, from),
                None => octets.len(),
            },
        }
    }

    /// Where the request line begins that has its version at `at`: with a known method in the line before it.
    fn request_before(&self, octets: &[u8], at: usize) -> Option<usize> {
        // No further back than a line may be long.
        let line = memrchr(b'\n', &octets[at.saturating_sub(LINE)..at])
            .map_or(at.saturating_sub(LINE), |lf| {
                at.saturating_sub(LINE) + lf + 1
            });
        if at <= line || octets[at - 1] != b' ' {
            return None;
        }
        // What is left of a lost message may stand right before the method.
        let before = &octets[line..at - 1];
        let space = memrchr(b' ', before)?;
        let method = self
            .methods
            .iter()
            .filter(|m| before[..space].ends_with(m))
            .map(|m| m.len())
            // The longest, as methods may end with each other.
            .max()?;
        Some(line + space - method)
    }

    /// Where a start line may begin that the end cuts.
    fn cut(&self, octets: &[u8], from: usize) -> usize {
        // The last line only: a start line does not span two.
        let begin = from.max(octets.len().saturating_sub(LINE));
        let line = memrchr(b'\n', &octets[begin..]).map_or(begin, |lf| begin + lf + 1);
        let tail = &octets[line..];
        let version = (1..self.version.len().min(tail.len() + 1))
            .rev()
            .find(|n| tail.ends_with(&self.version[..*n]))
            .map_or(octets.len(), |n| octets.len() - n);
        let cut = |m: &&[u8]| {
            let mut lens = (1..=m.len().min(tail.len())).rev();
            lens.find(|n| tail.ends_with(&m[..*n]))
        };
        let part = match ends_method(tail) {
            true => self.methods.iter().filter_map(cut).max(),
            false => None,
        };
        let part = octets.len() - part.unwrap_or(0);
        // The first space that stands behind a method.
        let method = memchr_iter(b' ', tail).find_map(|space| {
            let before = &tail[..space];
            if !ends_method(before) {
                return None;
            }
            let ends = self.methods.iter().filter(|m| before.ends_with(m));
            let longest = ends.map(|m| m.len()).max()?;
            Some(line + space - longest)
        });
        method.unwrap_or(octets.len()).min(part).min(version)
    }
}

/// The last octet may be one of a method: so most octets are not compared with each of them.
pub(super) fn ends_method(octets: &[u8]) -> bool {
    octets
        .last()
        .is_some_and(|o| o.is_ascii_uppercase() || matches!(o, b'-' | b'_'))
}

/// A header field stands at `octets`, or the empty line: None while it cannot be told.
fn field_follows(octets: &[u8]) -> Option<bool> {
    match octets {
        [] | [b'\r'] => return None,
        [b'\n', ..] | [b'\r', b'\n', ..] => return Some(true),
        _ => {}
    }
    let name = octets.iter().take(64).take_while(|o| is_token(**o)).count();
    // Names are short; a longer run of letters is a body.
    match octets.get(name) {
        None if name < 64 => None,
        Some(b':' | b' ' | b'\t') => Some(name > 0),
        _ => Some(false),
    }
}

impl Detector for HeaderSyntax {
    fn probe(&self, octets: &[u8], _: bool) -> Probe {
        let blank = octets
            .iter()
            .take_while(|o| matches!(o, b'\r' | b'\n'))
            .count();
        let octets = &octets[blank..];
        match memchr(b'\n', &octets[..octets.len().min(LINE)]) {
            Some(end) if self.start_line(&octets[..end]).is_some() => Probe::Yes,
            None if self.may_start(octets) => Probe::More,
            _ => Probe::No,
        }
    }

    fn search(&self, octets: &[u8], _: bool, more: bool) -> Found {
        self.find(octets, more)
    }

    fn settles(&self, octets: &[u8], hinted: bool, ends: DoubtEnds) -> bool {
        hinted && ends == DoubtEnds::NoMore && self.is_cut_line(octets)
    }
}

/// Frames one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct HeaderFramer<P> {
    protocol: PhantomData<P>,
    /// How far each direction's header section has been looked through.
    looked: [usize; 2],
    /// What the frames of each direction have been.
    habits: BothHabits,
}

impl<P: HeaderProtocol> HeaderFramer<P> {
    /// An interleaved frame: `$`, a channel, and a length of two octets.
    fn frame(octets: &[u8], more: bool) -> Begin {
        let Some(&[_, _, hi, lo]) = octets.first_chunk() else {
            return if more { Begin::NeedMore } else { Begin::Refuse };
        };
        let len = usize::from(u16::from_be_bytes([hi, lo])) + 4;
        let head = len.min(octets.len());
        Begin::Message {
            kind: Kind::Other,
            head,
            body: MessageBody::Octets((len - head) as u64),
            hand_over: false,
        }
    }
}

/// Interleaved frames, where they are looked for.
struct Frames;

impl LengthFormat for Frames {
    fn scan(&self) -> Scan<'_> {
        Scan::Octets(0, b"$")
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        // Channels are given out in pairs from 0; 32 is more than sessions use, and rules out seven of eight octets. RTP
        // and RTCP have at least eight octets, of which the first has their version, 2 (RFC 3550, 5.1 and 6.4.1).
        match octets {
            [] | [b'$'] => Classified::More,
            [b'$', 32..=255, ..] => Classified::No,
            [b'$', _, hi, lo, first, ..] => {
                let len = u64::from(u16::from_be_bytes([*hi, *lo]));
                Classified::sized(len + 4, len >= 8 && first >> 6 == 2)
            }
            [b'$', ..] => Classified::More,
            _ => Classified::No,
        }
    }

    fn chain(&self) -> usize {
        length::CHAIN
    }
}

impl<P: HeaderProtocol> Framer for HeaderFramer<P> {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let d = at.direction.index();
        let syntax = P::SYNTAX;
        let more = at.next == Following::Octets;
        if syntax.interleaved && octets.first() == Some(&b'$') {
            let begin = Self::frame(octets, more);
            self.habits.note_begun(at, &begin, 0);
            return begin;
        }
        // Empty lines between messages keep connections open (RFC 5626, 3.5.1).
        let blank = octets
            .iter()
            .take_while(|o| matches!(o, b'\r' | b'\n'))
            .count();
        if blank > 0 {
            self.looked[d] = 0;
            return Begin::Skip(blank);
        }
        let Some(line) = memchr(b'\n', octets) else {
            let may = octets.len() < LINE && (syntax.may_start(octets) || may_be_method(octets));
            return if may { Begin::NeedMore } else { Begin::Refuse };
        };
        let Some(kind) = syntax.start_line(&octets[..line]) else {
            return Begin::Refuse;
        };
        let Some(head) = head_end(octets, self.looked[d].saturating_sub(3).max(line)) else {
            self.looked[d] = octets.len();
            return if octets.len() < at.limit {
                Begin::NeedMore
            } else {
                Begin::Refuse
            };
        };
        self.looked[d] = 0;
        Begin::Message {
            kind,
            head,
            body: MessageBody::Octets(syntax.content_length(&octets[line + 1..head])),
            hand_over: false,
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let syntax = P::SYNTAX;
        if at.next == Following::Gap && at.segment(0) && syntax.is_cut_line(octets) {
            return Found::At(0);
        }
        let message = syntax.find(octets, at.next == Following::Octets);
        if !syntax.interleaved {
            return message;
        }
        let upto = match message {
            Found::At(n) => n,
            Found::Nowhere { .. } => octets.len(),
        };
        // The frames before a message end where it begins: what reaches past that is none.
        let before = Position {
            next: match message {
                Found::At(_) => Following::End,
                Found::Nowhere { .. } => at.next,
            },
            ..*at
        };
        let frames = chains::search(&Frames, &before, &octets[..upto], HOLD, &mut self.habits);
        match (frames, message) {
            (Found::At(n), _) | (_, Found::At(n)) => Found::At(n),
            // The earlier of both: neither may lose its beginning.
            (Found::Nowhere { keep: a }, Found::Nowhere { keep: b }) => {
                Found::Nowhere { keep: a.min(b) }
            }
        }
    }

    fn needs(&self, octets: &[u8]) -> usize {
        match P::SYNTAX.interleaved && octets.first() == Some(&b'$') {
            true => length::needs(&Frames, octets, HOLD),
            false => grown(octets.len()),
        }
    }

    fn gap(&mut self, direction: Direction) {
        self.looked[direction.index()] = 0;
    }

    fn size(&self) -> usize {
        self.habits.size()
    }
}

/// Octets without a line feed that the method of a message may be, known or not.
fn may_be_method(octets: &[u8]) -> bool {
    let method = memchr2(b' ', b'\r', octets).unwrap_or(octets.len());
    method <= METHOD && octets[..method].iter().all(|o| is_token(*o) || *o == b'/')
}
