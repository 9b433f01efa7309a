//! The parts of a multipart body (RFC 2046, 5.1): where each stands.

use super::disposition::parameter;
use memchr::{memchr, memmem};
use std::io::{self, Read};

/// Parts of one body that become files. Forms have tens.
// Enough for a folder of pictures. Each part costs a file.
const PARTS: usize = 4096;
/// Octets of a part's header section: as much as servers take.
const HEAD: usize = 16 << 10;
/// Octets of the header sections of all parts of a body. They are kept until its parts are written, beside what is counted
/// against the memory limit; browsers send some 200 for each.
const HEADS: usize = 1 << 20;
/// Places in one body that look like a delimiter and are not. Behind each up to [`HEAD`] octets are searched for the end of a header
/// section, so without a limit a hostile body would cost the square of its size.
const DOUBTS: usize = 1000;
/// Octets of a boundary: RFC 2046 allows 70.
const BOUNDARY: usize = 256;
/// Octets that are read at once.
const READ: usize = 64 << 10;

/// A part.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct BodyPart {
    /// Its header section, with the empty line.
    pub(in super::super) head: Vec<u8>,
    /// Offset of its first octet in the body.
    pub(in super::super) from: u64,
    /// Offset behind its last octet.
    pub(in super::super) to: u64,
    /// The delimiter behind it is there.
    pub(in super::super) ended: bool,
}

/// The boundary of a body whose parts are files: of any multipart type, as one that is not known is read as `mixed` (RFC 2046,
/// 5.1.7). The parts of `byteranges` are no files, but ranges of one.
pub(in super::super) fn boundary_of_parts(media_type: &str) -> Option<Vec<u8>> {
    boundary(media_type, |kind| !kind.eq_ignore_ascii_case("byteranges"))
}

/// The boundary of a body of several ranges (RFC 9110, 14.6).
pub(in super::super) fn boundary_of_ranges(media_type: &str) -> Option<Vec<u8>> {
    boundary(media_type, |kind| kind.eq_ignore_ascii_case("byteranges"))
}

fn boundary(media_type: &str, fits: impl FnOnce(&str) -> bool) -> Option<Vec<u8>> {
    let (essence, _) = media_type.split_once(';')?;
    let (top, sub) = essence.trim().split_once('/')?;
    if !top.eq_ignore_ascii_case("multipart") || !fits(sub) {
        return None;
    }
    let boundary = parameter(media_type.as_bytes(), "boundary")?;
    (1..=BOUNDARY).contains(&boundary.len()).then_some(boundary)
}

/// The parts of a body, in order; those behind the 4,096th, or behind a megabyte of header sections, are left out. `whole`: nothing of the body is missing.
///
/// Lines end with CR LF, or with a bare line feed, as some senders write them. A line that is the delimiter and ends the body closes
/// it, also without the two dashes that should stand there.
///
/// # Errors
///
/// Those of `body`.
pub(in super::super) fn parts(
    mut body: impl Read,
    boundary: &[u8],
    whole: bool,
) -> io::Result<Vec<BodyPart>> {
    let delimiter = [b"\n--", boundary].concat();
    let finder = memmem::Finder::new(&delimiter);
    let mut parts: Vec<BodyPart> = Vec::new();
    // The delimiter of the first part may stand at the very beginning: as if a line ended before it.
    let mut held = b"\n".to_vec();
    // Offset of what is held, and 1 more.
    let mut base = 0_u64;
    let mut open: Option<LineEnd> = None;
    let (mut doubts, mut heads) = (0, 0);
    let mut buffer = vec![0; READ];
    loop {
        let n = read_more(&mut body, &mut buffer)?;
        held.extend_from_slice(&buffer[..n]);
        let last = n == 0;
        let mut at = 0;
        while let Some(hit) = finder.find(&held[at..]).map(|hit| at + hit) {
            // What follows shows whether this is a delimiter, and where the part begins: a line end, then a header.
            let behind = hit + delimiter.len();
            let rest = &held[behind..];
            let begins = match head(rest) {
                PartStart::More(_) if !last && rest.len() < HEAD => {
                    // The octet before it may be a CR, which belongs to it.
                    at = hit.saturating_sub(1).max(at);
                    break;
                }
                PartStart::Whole(line, len, end) => Some((line, len, end)),
                PartStart::Closes => None,
                PartStart::More(is_line) if last && (is_line || whole && rest.is_empty()) => None,
                PartStart::More(_) | PartStart::None => {
                    doubts += 1;
                    if doubts > DOUBTS {
                        return Ok(parts);
                    }
                    at = behind;
                    continue;
                }
            };
            if let Some(line_end) = open.take()
                && let Some(part) = parts.last_mut()
            {
                let cr = line_end == LineEnd::CrLf && hit > 0 && held[hit - 1] == b'\r';
                let end = (base + hit as u64).saturating_sub(1 + u64::from(cr));
                part.to = end.max(part.from);
                part.ended = true;
            }
            let fits =
                |(_, len, _): &(usize, usize, LineEnd)| parts.len() < PARTS && heads + len <= HEADS;
            let Some((line, len, line_end)) = begins.filter(fits) else {
                return Ok(parts);
            };
            heads += len;
            let from = (base + (behind + line + len) as u64).saturating_sub(1);
            // The line end before a delimiter belongs to it, also where the part is empty.
            at = behind + line + len - 1;
            parts.push(BodyPart {
                head: rest[line..line + len].to_vec(),
                from,
                to: from,
                ended: false,
            });
            open = Some(line_end);
        }
        if last {
            if open.is_some()
                && let Some(part) = parts.last_mut()
            {
                part.to = (base + held.len() as u64).saturating_sub(1).max(part.from);
            }
            return Ok(parts);
        }
        // What is searched again is one delimiter less an octet: the work is linear.
        // A delimiter that is cut stays, and the octet before it.
        let done = if finder.find(&held[at..]).is_some() {
            at
        } else {
            at.max(held.len().saturating_sub(delimiter.len()))
        };
        held.drain(..done);
        base += done as u64;
    }
}

/// The first line from this offset on that looks like a delimiter with a part behind it: where it stands, and its boundary. For a body
/// whose header section is lost.
///
/// # Errors
///
/// Those of `body`.
pub(in super::super) fn find_delimiter(
    mut body: impl Read,
    from: u64,
) -> io::Result<Option<(u64, Vec<u8>)>> {
    const FIELD: &[u8] = b"content-";
    // A delimiter, its line end, and what a part begins with.
    let longest = BOUNDARY + FIELD.len() + 5;
    let mut held = b"\n".to_vec();
    let mut base = 0_u64;
    let mut buffer = vec![0; READ];
    loop {
        let n = read_more(&mut body, &mut buffer)?;
        held.extend_from_slice(&buffer[..n]);
        // What stands so near to the end is looked at when more is there.
        let sure = match n {
            0 => held.len(),
            _ => held.len().saturating_sub(longest),
        };
        for at in memmem::find_iter(&held[..sure], b"\n--") {
            // The octet behind the line end, and 1 less for the one that was put ahead.
            let place = base + at as u64;
            let line = &held[at + 3..];
            let end = memchr(b'\n', &line[..line.len().min(BOUNDARY + 2)]);
            let Some(end) = end.filter(|_| place >= from) else {
                continue;
            };
            let boundary = line[..end].trim_ascii_end();
            let behind = line.get(end + 1..end + 1 + FIELD.len());
            let is_part = behind.is_some_and(|field| field.eq_ignore_ascii_case(FIELD));
            if is_part && !boundary.is_empty() {
                return Ok(Some((place, boundary.to_vec())));
            }
        }
        if n == 0 {
            return Ok(None);
        }
        // Also the three octets that a delimiter could begin with.
        let done = sure.saturating_sub(3);
        held.drain(..done);
        base += done as u64;
    }
}

/// One read, tried again where a signal interrupts it.
fn read_more(body: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match body.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// The end of a header section that begins here: behind its empty line, whose ends and those before may be bare line feeds.
pub(super) fn head_end(octets: &[u8]) -> Option<usize> {
    let by = |empty: &[u8]| memmem::find(octets, empty).map(|at| at + empty.len());
    match (by(b"\n\n"), by(b"\n\r\n")) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// How the lines of a part end, by that of its delimiter. Behind a bare line feed a CR is an octet of the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    CrLf,
    Lf,
}

/// What stands behind a delimiter.
enum PartStart {
    /// It cannot be known yet. True: its line ends there, so that it is a delimiter, and the header section is not whole.
    More(bool),
    /// The rest of the delimiter's line, and a header section, of so many octets each.
    Whole(usize, usize, LineEnd),
    /// It was the last delimiter.
    Closes,
    /// It was none.
    None,
}

fn head(rest: &[u8]) -> PartStart {
    // Two dashes close the body; what follows is an epilogue (RFC 2046, 5.1.1).
    if rest.starts_with(b"--") {
        return PartStart::Closes;
    }
    // White space may follow a delimiter.
    let blank = rest
        .iter()
        .take_while(|o| matches!(o, b' ' | b'\t'))
        .count();
    let (line, end) = match &rest[blank..] {
        [b'\r', b'\n', ..] => (blank + 2, LineEnd::CrLf),
        [b'\n', ..] => (blank + 1, LineEnd::Lf),
        [] | [b'\r'] | [b'-'] => return PartStart::More(false),
        _ => return PartStart::None,
    };
    // A part without headers is allowed.
    let lines = &rest[line..];
    let lines = &lines[..lines.len().min(HEAD)];
    // An empty line ends the header section, and may be all of it.
    if lines.starts_with(b"\n") {
        return PartStart::Whole(line, 1, end);
    }
    if lines.starts_with(b"\r\n") {
        return PartStart::Whole(line, 2, end);
    }
    head_end(lines).map_or(PartStart::More(true), |len| {
        PartStart::Whole(line, len, end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A fixed number of octets at a time.
    struct InSteps<'a>(&'a [u8], usize);

    impl Read for InSteps<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(buf.len());
            self.0.read(&mut buf[..n])
        }
    }

    /// Octets of the parts, and whether each has ended.
    fn read(body: &[u8], boundary: &[u8]) -> Vec<(String, bool)> {
        let found = parts(body, boundary, true).unwrap();
        for step in [1, 2, 3, 7, 50] {
            assert_eq!(
                parts(InSteps(body, step), boundary, true).unwrap(),
                found,
                "by {step}"
            );
        }
        let place = |n: u64| usize::try_from(n).unwrap();
        found
            .iter()
            .map(|p| {
                let octets = &body[place(p.from)..place(p.to)];
                (String::from_utf8_lossy(octets).into_owned(), p.ended)
            })
            .collect()
    }

    #[test]
    fn parts_are_found() {
        let part = |text: &str, ended| (text.to_owned(), ended);
        for (body, expected) in [
            (
                "--b\r\nA: b\r\n\r\none\r\n--b\r\n\r\n\r\n--b--\r\n",
                vec![part("one", true), part("", true)],
            ),
            (
                "preamble\r\n--b  \r\nA: b\r\n\r\none\r\n--b--",
                vec![part("one", true)],
            ),
            (
                "--b\r\nA: b\r\n\r\n--bone\r\n--bone\r\n--c\r\n--b--\r\nepilogue\r\n--b\r\n\r\nx",
                vec![part("--bone\r\n--bone\r\n--c", true)],
            ),
            (
                "--b\r\nA: b\r\n\r\ncut\r\n--",
                vec![part("cut\r\n--", false)],
            ),
            ("--b\r\nA: b\r\n", vec![]),
            // The last delimiter has no dashes.
            ("--b\r\nA: b\r\n\r\none\r\n--b\r\n", vec![part("one", true)]),
            ("--b\r\nA: b\r\n\r\none\r\n--b", vec![part("one", true)]),
            ("--b\nA: b\n\none\n--b \n", vec![part("one", true)]),
            (
                "--b\r\nA: b\r\n\r\none\r\n--b\r\nA: cut",
                vec![part("one", true)],
            ),
            // Bare line feeds end lines.
            (
                "--b\nA: b\n\none\n--b\n\n\n--b\nA: b\n\nt\r\nwo\r\n--b--\n",
                vec![part("one", true), part("", true), part("t\r\nwo\r", true)],
            ),
            ("--b\r\nA: b\n\r\none\n--b--\n", vec![part("one", true)]),
            ("--b--\r\n", vec![]),
            ("nothing", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(read(body.as_bytes(), b"b"), expected, "{body:?}");
        }
    }

    #[test]
    fn what_looks_like_delimiters_is_not_followed_for_long() {
        let body = b"\r\n--b\r\nx".repeat(1 << 16);
        let mut left = &*body;
        assert_eq!(parts(&mut left, b"b", true).unwrap(), []);
        assert!(body.len() - left.len() <= 2 * READ, "{}", left.len());
    }

    #[test]
    fn header_sections_are_bounded() {
        for (head, expected) in [(1, PARTS), (HEAD - 4, HEADS / HEAD)] {
            let part = [b"--b\r\n", &*vec![b'a'; head], b"\r\n\r\nx\r\n"].concat();
            let body = part.repeat(PARTS + 1);
            let found = parts(&*body, b"b", true).unwrap();
            assert_eq!(found.len(), expected);
            assert!(found.iter().all(|p| p.ended && p.to == p.from + 1));
        }
    }

    #[test]
    fn a_body_that_is_cut_behind_a_boundary_is_in_doubt() {
        let body = b"--b\r\n\r\none\r\n--b";
        let found = parts(&body[..], b"b", false).unwrap();
        assert_eq!((found.len(), found[0].ended), (1, false));
    }

    #[test]
    fn boundaries_of_types() {
        let text = |b: Option<Vec<u8>>| b.map(|b| String::from_utf8(b).unwrap());
        let of_parts = |t: &str| text(boundary_of_parts(t));
        for (media_type, expected) in [
            ("multipart/form-data; boundary=x", Some("x")),
            (
                "Multipart/Form-Data;charset=a; boundary=\"x y\"",
                Some("x y"),
            ),
            ("multipart/mixed; boundary=x", Some("x")),
            (
                "multipart/related; type=\"a/b\"; start=\"<c>\"; boundary=x",
                Some("x"),
            ),
            ("multipart/byteranges; boundary=x", None),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("text/plain; boundary=x", None),
        ] {
            assert_eq!(of_parts(media_type).as_deref(), expected, "{media_type}");
        }
        let ranges = boundary_of_ranges("multipart/byteranges; boundary=x");
        assert_eq!(text(ranges).as_deref(), Some("x"));
        assert_eq!(boundary_of_ranges("multipart/mixed; boundary=x"), None);
    }

    proptest! {
        #[test]
        fn what_was_put_together_is_parted(contents in prop::collection::vec("[ab\r\n-]{0,40}", 0..6), step in 1_usize..100) {
            let mut body = String::new();
            for content in &contents {
                body += &format!("--xyz\r\nContent-Type: a/b\r\n\r\n{content}\r\n");
            }
            body += "--xyz--\r\n";
            let found = parts(InSteps(body.as_bytes(), step), b"xyz", true).unwrap();
            let place = |n: u64| usize::try_from(n).unwrap();
            let texts: Vec<_> = found.iter().map(|p| &body[place(p.from)..place(p.to)]).collect();
            prop_assert_eq!(texts, contents);
        }
    }
}
