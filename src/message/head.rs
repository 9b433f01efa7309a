//! Header sections of HTTP/1.x (RFC 9112, 2 to 5), read by one function for all who need one: framing, printed lines, files.
//!
//! `httparse` reads them. It refuses what servers and browsers still take, and there the lines are read here. The table test
//! below lists these forms:
//!
//! - versions other than 1.0 and 1.1, `http/1.1` in lower case, `ICY`, a status that is no number, a status line without one;
//! - a request line with a space or a control character in its target, or without a version;
//! - a line without a colon, or with a name that is no token, which is left out while the others are read;
//! - a bare CR in a value, a folded line in a request;
//! - more than 64 fields: its array has a fixed size.

use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::mem::MaybeUninit;

/// Fields that `httparse` reads. A head of a browser has 10 to 30.
const FIELDS: usize = 64;
/// A method longer than this is none: the longest that IANA lists has 17 octets.
pub(super) const METHOD: usize = 32;

/// What the start line of a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpStart<'a> {
    /// A request line (RFC 9112, 3).
    Request {
        /// The method, as it was sent.
        method: &'a [u8],
        /// The target; with spaces where the sender did not escape them.
        target: &'a [u8],
        /// What it says of the protocol's version.
        version: HttpVersion,
    },
    /// A status line (RFC 9112, 4).
    Response {
        /// The status code; 200 where there is none, as browsers take it.
        status: u16,
        /// What it says of the protocol's version.
        version: HttpVersion,
    },
}

/// The version of a start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// 1.1.
    Current,
    /// 1.0, or any other.
    Other,
    /// None: a request of HTTP/0.9, or a status line of another name.
    None,
}

/// What [`read_head`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpHead<'a> {
    /// A whole header section of so many octets, its empty line included.
    Whole(HttpStart<'a>, usize),
    /// The octets end before its empty line.
    Cut,
    /// No start line stands there.
    None,
}

/// The lines of a head, or of the fields of one, without their ends; what was folded is one line (RFC 9112, 5.2), with a space
/// for each fold. It ends with the octets, or behind an empty line. Nothing is left out but line ends.
pub fn unfolded_lines(mut octets: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    std::iter::from_fn(move || {
        let mut line = Cow::Borrowed(next_line(&mut octets)?);
        if line.is_empty() {
            octets = &[];
            return None;
        }
        while let [b' ' | b'\t', ..] = octets {
            let more = next_line(&mut octets)?;
            let line = line.to_mut();
            line.truncate(line.trim_ascii_end().len());
            line.push(b' ');
            line.extend_from_slice(more.trim_ascii());
        }
        Some(line)
    })
}

fn next_line<'a>(octets: &mut &'a [u8]) -> Option<&'a [u8]> {
    if octets.is_empty() {
        return None;
    }
    let end = memchr(b'\n', octets).unwrap_or(octets.len());
    let line = &octets[..end];
    *octets = octets.get(end + 1..).unwrap_or_default();
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Calls `each` with name and value of each field of a header section without its start line. Lines without a colon are left
/// out.
pub fn read_fields<'a>(octets: &'a [u8], mut each: impl FnMut(Cow<'a, [u8]>, Cow<'a, [u8]>)) {
    for line in unfolded_lines(octets) {
        match line {
            Cow::Borrowed(line) => {
                if let Some(colon) = memchr(b':', line) {
                    let (name, value) = (&line[..colon], &line[colon + 1..]);
                    each(name.trim_ascii().into(), value.trim_ascii().into());
                }
            }
            Cow::Owned(line) => {
                if let Some(colon) = memchr(b':', &line) {
                    let (name, value) = (&line[..colon], &line[colon + 1..]);
                    each(
                        name.trim_ascii().to_vec().into(),
                        value.trim_ascii().to_vec().into(),
                    );
                }
            }
        }
    }
}

/// The first value of each of these fields, by their names in lower case, in a header section without its start line.
pub(super) fn first_values<'a, const N: usize>(
    octets: &'a [u8],
    names: [&str; N],
) -> [Option<Cow<'a, [u8]>>; N] {
    let mut found = [const { None }; N];
    read_fields(octets, |name, value| {
        for (wanted, found) in names.iter().zip(&mut found) {
            if found.is_none() && name.eq_ignore_ascii_case(wanted.as_bytes()) {
                *found = Some(value.clone());
            }
        }
    });
    found
}

/// Reads the header section that `octets` begin with, and calls `each` with name and value of each of its fields, in order.
/// A field may be seen twice, or be seen although the section turns out to be cut: who collects them begins anew then.
pub fn read_head<'a>(
    octets: &'a [u8],
    mut each: impl FnMut(Cow<'a, [u8]>, Cow<'a, [u8]>),
) -> HttpHead<'a> {
    if let Some((start, len)) = read_strictly(octets, |name, value| each(name.into(), value.into()))
    {
        return HttpHead::Whole(start, len);
    }
    let read = parse(&lenient(), octets, |name, value| {
        each(name.into(), unfolded(value));
    });
    match read {
        Ok(httparse::Status::Complete((start, len))) => HttpHead::Whole(start, len),
        Ok(httparse::Status::Partial) => HttpHead::Cut,
        Err(_) => read_leniently(octets, each),
    }
}

/// Reads a whole header section that is as RFC 9112 has it: its start line, and how many octets it has. None is folded, so that
/// nothing has to be put together.
#[inline]
pub(super) fn read_strictly<'a>(
    octets: &'a [u8],
    each: impl FnMut(&'a [u8], &'a [u8]),
) -> Option<(HttpStart<'a>, usize)> {
    match parse(&httparse::ParserConfig::default(), octets, each) {
        Ok(httparse::Status::Complete(read)) => Some(read),
        Ok(httparse::Status::Partial) | Err(_) => None,
    }
}

/// Reads a whole header section that is as nearly all are, for somebody who needs few of its fields: those whose first octet
/// `matters` are given to `each`, in order. Each line ends with CR LF and has no other control octet, none is folded, the start line
/// has single spaces, and the names of the fields that are given are of letters, digits, `-` and `_`.
///
/// What it says is what [`read_head`] says, in a third of the time: it looks for line ends and control octets at once, eight
/// at a time, and passes over the fields that do not matter. None where it is not certain of that; `each` may have been called then.
pub(super) fn read_plainly<'a>(
    octets: &'a [u8],
    matters: impl Fn(u8) -> bool,
    mut each: impl FnMut(&'a [u8], &'a [u8]),
) -> Option<(HttpStart<'a>, usize)> {
    let (line, mut rest) = plain_line(octets)?;
    let start = plain_start(line)?;
    loop {
        if let [b'\r', b'\n', behind @ ..] = rest {
            return Some((start, octets.len() - behind.len()));
        }
        let (line, behind) = plain_line(rest)?;
        match line.first()? {
            // It goes on with the line before.
            b' ' => return None,
            first if matters(*first) => {
                let colon = line.iter().position(|o| !PLAIN_NAME[usize::from(*o)])?;
                let (name, [b':', value @ ..]) = line.split_at(colon) else {
                    return None;
                };
                each(name, value.trim_ascii());
            }
            _ => {}
        }
        rest = behind;
    }
}

/// The octets of which nearly all names of fields are made.
static PLAIN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0_u8;
    while octet < 128 {
        table[octet as usize] = octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        octet += 1;
    }
    table
};

/// The line that the octets begin with, and what follows it: it ends with the first control octet, which has to be a CR in front of
/// a line feed.
#[inline]
fn plain_line(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, end) = octets.split_at(first_control(octets)?);
    match end {
        [b'\r', b'\n', behind @ ..] => Some((line, behind)),
        _ => None,
    }
}

/// Where the first octet stands that is a control: below 0x20, or DEL.
#[inline]
fn first_control(octets: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const LOW: u64 = 0x7f * ONES;
    let (words, tail) = octets.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        // The highest bit of each octet says something of the lower seven: no sum of them reaches the next octet.
        let word = u64::from_le_bytes(*word);
        let printable = (word & LOW) + 0x60 * ONES;
        let delete = (word & LOW) + ONES;
        let found = (!printable | delete) & !word & !LOW;
        if found != 0 {
            return Some(n * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = tail.iter().position(u8::is_ascii_control)?;
    Some(words.len() * 8 + at)
}

/// What a start line without control octets says where it has single spaces and a version of 1.0 or 1.1.
#[inline]
fn plain_start(line: &[u8]) -> Option<HttpStart<'_>> {
    let version = |minor: u8| match minor {
        b'1' => Some(HttpVersion::Current),
        b'0' => Some(HttpVersion::Other),
        _ => None,
    };
    if let [
        b'H',
        b'T',
        b'T',
        b'P',
        b'/',
        b'1',
        b'.',
        minor,
        b' ',
        code @ ..,
    ] = line
    {
        let [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] = code else {
            return None;
        };
        let [a, b, c] = [a, b, c].map(|digit| u16::from(digit - b'0'));
        return Some(HttpStart::Response {
            status: a * 100 + b * 10 + c,
            version: version(*minor)?,
        });
    }
    let method = line.iter().position(|o| !o.is_ascii_uppercase())?;
    let (method, [b' ', rest @ ..]) = line.split_at(method) else {
        return None;
    };
    let (target, [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor]) =
        rest.split_at_checked(rest.len().checked_sub(9)?)?
    else {
        return None;
    };
    // No space is left in it.
    let sound = !target.is_empty() && target.is_ascii() && memchr(b' ', target).is_none();
    (sound && !method.is_empty()).then_some(HttpStart::Request {
        method,
        target,
        version: version(*minor)?,
    })
}

/// What `httparse` reads.
#[inline]
fn parse<'a>(
    config: &httparse::ParserConfig,
    octets: &'a [u8],
    mut each: impl FnMut(&'a [u8], &'a [u8]),
) -> httparse::Result<(HttpStart<'a>, usize)> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let version = |minor| match minor {
        Some(1) => HttpVersion::Current,
        _ => HttpVersion::Other,
    };
    let (len, start, fields) = if octets.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut []);
        let read = config.parse_response_with_uninit_headers(&mut response, octets, &mut room)?;
        let start = HttpStart::Response {
            status: response.code.unwrap_or_default(),
            version: version(response.version),
        };
        (read, start, response.headers)
    } else {
        let mut request = httparse::Request::new(&mut []);
        let read = config.parse_request_with_uninit_headers(&mut request, octets, &mut room)?;
        let start = HttpStart::Request {
            method: request.method.unwrap_or_default().as_bytes(),
            target: request.path.unwrap_or_default().as_bytes(),
            version: version(request.version),
        };
        (read, start, request.headers)
    };
    let httparse::Status::Complete(len) = len else {
        return Ok(httparse::Status::Partial);
    };
    for field in fields {
        each(field.name.as_bytes(), field.value);
    }
    Ok(httparse::Status::Complete((start, len)))
}

/// What of its refusals `httparse` can be told to leave.
fn lenient() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    config
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_request_line_delimiters(true)
        .allow_multiple_spaces_in_response_status_delimiters(true);
    config
}

/// The value of a field whose folds `httparse` leaves in it.
fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr2(b'\n', b'\r', value).is_none() {
        return value.into();
    }
    // The continued lines begin with white space, so that all of them are one.
    let mut lines = unfolded_lines(value.trim_ascii());
    lines
        .next()
        .map_or(Cow::Borrowed(&[]), |line| line.trim_ascii().to_vec().into())
}

/// Reads line by line what `httparse` refuses.
fn read_leniently<'a>(
    octets: &'a [u8],
    each: impl FnMut(Cow<'a, [u8]>, Cow<'a, [u8]>),
) -> HttpHead<'a> {
    let Some(line) = memchr(b'\n', octets) else {
        return HttpHead::Cut;
    };
    let Some(start) = HttpStart::of_line(&octets[..line]) else {
        return HttpHead::None;
    };
    let Some(end) = head_end(octets, line) else {
        return HttpHead::Cut;
    };
    read_fields(&octets[line + 1..end], each);
    HttpHead::Whole(start, end)
}

/// End of the header section: the offset behind the empty line, looked for from the line feed at or behind `from` on.
pub(super) fn head_end(octets: &[u8], from: usize) -> Option<usize> {
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

/// It may stand in a token (RFC 9110, 5.6.2).
pub(super) fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

fn behind_any_case<'a>(octets: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = octets.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

impl<'a> HttpStart<'a> {
    /// What a line is, without its line feed, where a message has to begin: anything that a browser or a server would still
    /// take.
    pub fn of_line(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii();
        if let Some(rest) = behind_any_case(line, b"HTTP/") {
            let end = memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
            let version = match &rest[..end] {
                b"1.1" => HttpVersion::Current,
                _ => HttpVersion::Other,
            };
            let status = status(rest[end..].trim_ascii());
            return Some(Self::Response { status, version });
        }
        // Servers of radio streams answer so.
        if let Some(rest) = behind_any_case(line, b"ICY ") {
            return Some(Self::Response {
                status: status(rest.trim_ascii()),
                version: HttpVersion::None,
            });
        }
        let space = memchr2(b' ', b'\t', line)?;
        let (method, rest) = line.split_at(space);
        let rest = rest.trim_ascii();
        let sound = !method.is_empty()
            && method.len() <= METHOD
            && method.iter().all(|&o| is_token(o))
            // HTTP/2 begins so (RFC 9113, 3.4), and goes on in frames.
            && !(method == b"PRI" && rest == b"* HTTP/2.0");
        if !sound || rest.is_empty() {
            return None;
        }
        let last = rest.iter().rposition(|o| matches!(o, b' ' | b'\t'));
        let (target, version) = match last.map(|at| rest.split_at(at + 1)) {
            Some((target, word)) if behind_any_case(word, b"HTTP/").is_some() => {
                let version = match word {
                    b"HTTP/1.1" => HttpVersion::Current,
                    _ => HttpVersion::Other,
                };
                (target.trim_ascii_end(), version)
            }
            _ => (rest, HttpVersion::None),
        };
        Some(Self::Request {
            method,
            target,
            version,
        })
    }

    /// Octets without a line feed that such a line may begin with.
    pub(super) fn may_begin(octets: &[u8], requests: bool, responses: bool) -> bool {
        let response = [&b"HTTP/"[..], b"ICY "].iter().any(|word| {
            let n = octets.len().min(word.len());
            octets[..n].eq_ignore_ascii_case(&word[..n])
        });
        let method = memchr2(b' ', b'\t', octets).unwrap_or(octets.len());
        let request =
            (1..=METHOD).contains(&method) && octets[..method].iter().all(|&o| is_token(o));
        (responses && response) || (requests && request)
    }
}

/// The status that a status line begins with behind its version: `2XX` is 200, and so is none.
fn status(words: &[u8]) -> u16 {
    let digits = words.iter().take(4).take_while(|o| o.is_ascii_digit());
    let number = digits.fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    match (number, words) {
        (1..=9, [_, b'x' | b'X', b'x' | b'X', ..]) => number * 100,
        (0..=9, _) => 200,
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = Vec<(Vec<u8>, Vec<u8>)>;

    /// What is read with `httparse` first, and what is read of the lines alone.
    fn both(head: &[u8]) -> [(HttpHead<'_>, Fields); 2] {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let a = read_head(head, |n, v| first.push((n.into_owned(), v.into_owned())));
        let b = read_leniently(head, |n, v| second.push((n.into_owned(), v.into_owned())));
        [(a, first), (b, second)]
    }

    /// A head that is taken for a plain one is read as any; one that is as most are is taken for one.
    #[test]
    fn plain_heads_are_read_as_any() {
        let plain = [
            "GET /a?b=%20 HTTP/1.1\r\nHost: a.example\r\nX-Y_1:c \r\nUpgrade:\r\n\r\nGET ",
            "POST * HTTP/1.0\r\nContent-Length:   17\r\nA: \u{e4}\r\n\r\n",
            "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\ncontent-Type: text/html; a=\"b\"\r\n\r\n<p>",
            "HTTP/1.0 404 \r\n\r\n",
        ];
        let matters = |first: u8| matches!(first | 0x20, b'c' | b'u');
        let check = |head: &[u8]| {
            let mut fields = Fields::new();
            let read = read_plainly(head, matters, |n, v| fields.push((n.to_vec(), v.to_vec())));
            if let Some((start, len)) = read {
                let mut any = Fields::new();
                let whole = read_head(head, |name, value| {
                    if name.first().copied().is_some_and(matters) {
                        any.push((name.into_owned(), value.into_owned()));
                    }
                });
                assert_eq!(
                    whole,
                    HttpHead::Whole(start, len),
                    "{}",
                    head.escape_ascii()
                );
                assert_eq!(fields, any, "{}", head.escape_ascii());
            }
            read.is_some()
        };
        let mut others = 0;
        for head in plain.map(str::as_bytes) {
            assert!(check(head), "{}", head.escape_ascii());
            for at in 0..head.len() {
                others += usize::from(check(&head[..at]));
                for octet in 0..=255 {
                    let mut other = head.to_vec();
                    other[at] = octet;
                    others += usize::from(check(&other));
                    other.insert(at, head[at]);
                    others += usize::from(check(&other));
                }
            }
        }
        assert!(others > 0);
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "C: d\r\n".repeat(FIELDS + 1));
        assert!(check(many.as_bytes()));
    }

    fn httparse_takes(head: &[u8]) -> bool {
        let mut room = [const { MaybeUninit::uninit() }; FIELDS];
        if head.starts_with(b"HTTP/") {
            let mut response = httparse::Response::new(&mut []);
            lenient()
                .parse_response_with_uninit_headers(&mut response, head, &mut room)
                .is_ok()
        } else {
            let mut request = httparse::Request::new(&mut []);
            lenient()
                .parse_request_with_uninit_headers(&mut request, head, &mut room)
                .is_ok()
        }
    }

    /// Where both read a head they read the same; what `httparse` refuses is listed, so that nobody drops the other path.
    #[test]
    fn httparse_and_the_lines_read_the_same_but_for_what_it_refuses() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(65));
        for (head, takes) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.0\nA: b\n\n", true),
            ("GET /a?b=%20 HTTP/1.1\r\nHost: a\r\nB:c \r\n\r\n", true),
            ("GET  /two  HTTP/1.1\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nA: b\r\nC:\r\n\r\n", true),
            ("HTTP/1.1  200 OK\r\n\r\n", true),
            ("HTTP/1.0 404\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\nD: e\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nA:\r\n\tb\r\n\r\n", true),
            // What it refuses.
            (&many, false),
            ("http/1.1 200 OK\r\nA: b\r\n\r\n", false),
            ("HTTP/1.10 200 OK\r\n\r\n", false),
            ("HTTP/2.0 200 OK\r\n\r\n", false),
            ("HTTP/1.1 2XX OK\r\n\r\n", false),
            ("HTTP/1.1 OK\r\n\r\n", false),
            ("ICY 200 OK\r\nicy-name: x\r\n\r\n", false),
            ("GET /my file HTTP/1.1\r\n\r\n", false),
            ("GET /\x01 HTTP/1.1\r\n\r\n", false),
            ("GET / HTTP/1.2\r\n\r\n", false),
            ("GET /\r\nA: b\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nA : b\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nno colon\r\nA: b\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\n(name): b\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n", false),
        ] {
            assert_eq!(httparse_takes(head.as_bytes()), takes, "{head:?}");
            let [first, second] = both(head.as_bytes());
            assert_eq!(first, second, "{head:?}");
            let HttpHead::Whole(_, len) = first.0 else {
                panic!("{head:?}: {first:?}");
            };
            assert_eq!(len, head.len(), "{head:?}");
            for cut in 0..head.len() {
                let cut = read_head(&head.as_bytes()[..cut], |_, _| {});
                assert_eq!(cut, HttpHead::Cut, "{head:?}");
            }
        }
        for text in [
            "hello\r\n\r\n",
            "(a) b\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            assert_eq!(
                read_head(text.as_bytes(), |_, _| {}),
                HttpHead::None,
                "{text:?}"
            );
        }
    }

    #[test]
    fn start_lines_are_taken_as_browsers_and_servers_take_them() {
        for (line, status) in [
            ("HTTP/1.1 200 OK", 200),
            ("http/1.1 404 no", 404),
            ("HTTP/1.10 304", 304),
            ("HTTP/2.0 204", 204),
            ("HTTP/1.0  206 x", 206),
            ("HTTP/1.0 2XX", 200),
            ("HTTP/1.1\t500", 500),
            ("HTTP/1.1", 200),
            ("HTTP/1.1 fine", 200),
            ("ICY 200 OK", 200),
            ("icy 401 no", 401),
        ] {
            let Some(HttpStart::Response { status: found, .. }) =
                HttpStart::of_line(line.as_bytes())
            else {
                panic!("{line:?}");
            };
            assert_eq!(found, status, "{line:?}");
        }
        for (line, target) in [
            ("GET / HTTP/1.1", "/"),
            ("GET /a b.txt HTTP/1.1\r", "/a b.txt"),
            ("GET /a\tb http/1.0", "/a\tb"),
            ("get  /two  HTTP/1.1 ", "/two"),
            ("GET /a", "/a"),
            ("FOO anything at all", "anything at all"),
        ] {
            let Some(HttpStart::Request { target: found, .. }) =
                HttpStart::of_line(line.as_bytes())
            else {
                panic!("{line:?}");
            };
            assert_eq!(found, target.as_bytes(), "{line:?}");
        }
        for line in [
            "",
            "GET",
            "G(T /",
            "Host: a",
            "PRI * HTTP/2.0",
            "\u{0}\u{1} x",
        ] {
            assert_eq!(HttpStart::of_line(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn folded_lines_are_one() {
        let lines = |octets: &str| -> Vec<String> {
            unfolded_lines(octets.as_bytes())
                .map(|l| String::from_utf8(l.into_owned()).unwrap_or_default())
                .collect()
        };
        assert_eq!(
            lines("A: b\r\n  c\r\n\td\r\nE: f\r\n\r\nbody"),
            ["A: b c d", "E: f"]
        );
        assert_eq!(lines("A:\n b\nC"), ["A: b", "C"]);
        assert_eq!(lines(" starts so\r\nA: b"), [" starts so", "A: b"]);
    }
}
