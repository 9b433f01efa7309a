//! The parts of a multipart body (RFC 2046, 5.1): where each stands.

use super::disposition::parameter;
use bstr::ByteSlice;
use memchr::memmem;
use std::io::{self, Read};

/// Parts of one body that become files. Forms have tens.
// Enough for a folder of pictures. Each part costs a file.
const PARTS: usize = 4096;
/// Octets of a part's header section: as much as servers take.
const HEAD: usize = 16 << 10;
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

/// The boundary of a multipart type of this kind (`form-data`, `byteranges`; `` for any).
pub(in super::super) fn boundary(media_type: &str, kind: &str) -> Option<Vec<u8>> {
    let (essence, _) = media_type.split_once(';')?;
    let (top, sub) = essence.trim().split_once('/')?;
    let fits = kind.is_empty() || sub.eq_ignore_ascii_case(kind);
    if !fits || !top.eq_ignore_ascii_case("multipart") {
        return None;
    }
    let boundary = parameter(media_type.as_bytes(), "boundary")?;
    (1..=BOUNDARY).contains(&boundary.len()).then_some(boundary)
}

/// The parts of a body, in order; those behind the 4,096th are left out.
///
/// # Errors
///
/// Those of `body`.
pub(in super::super) fn parts(mut body: impl Read, boundary: &[u8]) -> io::Result<Vec<BodyPart>> {
    let delimiter = [b"\r\n--", boundary].concat();
    let finder = memmem::Finder::new(&delimiter);
    let mut parts: Vec<BodyPart> = Vec::new();
    // The delimiter of the first part may stand at the very beginning: as if a line ended before it.
    let mut held = b"\r\n".to_vec();
    // Offset of what is held, and 2 more.
    let mut base = 0_u64;
    let mut open = false;
    let mut ended = false;
    let mut doubts = 0;
    let mut buffer = vec![0; READ];
    loop {
        let n = loop {
            match body.read(&mut buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        held.extend_from_slice(&buffer[..n]);
        let last = n == 0;
        let mut at = 0;
        while let Some(hit) = finder.find(&held[at..]).map(|hit| at + hit) {
            // What follows shows whether this is a delimiter, and where the part begins: a line end, then a header.
            let behind = hit + delimiter.len();
            let rest = &held[behind..];
            let begins = match head(rest) {
                PartStart::More if !last && rest.len() < HEAD => {
                    at = hit;
                    break;
                }
                PartStart::Whole(line, len) => Some((line, len)),
                PartStart::Closes => None,
                PartStart::More | PartStart::None => {
                    // A part may contain the delimiter as text; a thousand of them are no accident.
                    doubts += 1;
                    if doubts > DOUBTS {
                        return Ok(parts);
                    }
                    at = behind;
                    continue;
                }
            };
            if open && let Some(part) = parts.last_mut() {
                // Two octets less for the line end that was put before the body.
                part.to = (base + hit as u64).saturating_sub(2).max(part.from);
                part.ended = true;
            }
            open = false;
            at = behind;
            match begins {
                Some((line, len)) if parts.len() < PARTS => {
                    let from = (base + (behind + line + len) as u64).saturating_sub(2);
                    // The line end before a delimiter belongs to it, also where the part is empty.
                    at = behind + line + len - 2;
                    parts.push(BodyPart {
                        head: rest[line..line + len].to_vec(),
                        from,
                        to: from,
                        ended: false,
                    });
                    open = true;
                }
                _ => ended = true,
            }
            if ended {
                return Ok(parts);
            }
        }
        if last {
            if open && let Some(part) = parts.last_mut() {
                part.to = (base + held.len() as u64).saturating_sub(2).max(part.from);
            }
            return Ok(parts);
        }
        // A delimiter that is cut stays.
        // What is searched again is one delimiter less an octet: the work is linear.
        let done = if finder.find(&held[at..]).is_some() {
            at
        } else {
            at.max(held.len().saturating_sub(delimiter.len() - 1))
        };
        held.drain(..done);
        base += done as u64;
    }
}

/// What stands behind a delimiter.
enum PartStart {
    /// It cannot be known yet.
    More,
    /// The rest of the delimiter's line, and a header section, of so many octets each.
    Whole(usize, usize),
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
    let line = match &rest[blank..] {
        [b'\r', b'\n', ..] => blank + 2,
        [b'\n', ..] => blank + 1,
        [] | [b'\r'] | [b'-'] => return PartStart::More,
        _ => return PartStart::None,
    };
    // A part without headers is allowed.
    let lines = &rest[line..];
    if lines.starts_with(b"\r\n") {
        return PartStart::Whole(line, 2);
    }
    match lines[..lines.len().min(HEAD)].find("\r\n\r\n") {
        Some(end) => PartStart::Whole(line, end + 4),
        None => PartStart::More,
    }
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
        let found = parts(body, boundary).unwrap();
        for step in [1, 2, 3, 7, 50] {
            assert_eq!(
                parts(InSteps(body, step), boundary).unwrap(),
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
            ("--b--\r\n", vec![]),
            ("nothing", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(read(body.as_bytes(), b"b"), expected, "{body:?}");
        }
    }

    #[test]
    fn what_looks_like_delimiters_takes_no_time() {
        let begin = std::time::Instant::now();
        let body = b"\r\n--b\r\nx".repeat(4 << 20);
        assert_eq!(parts(&*body, b"b").unwrap(), []);
        assert!(begin.elapsed().as_secs() < 5);
    }

    #[test]
    fn boundaries_of_types() {
        let b = |t: &str, kind| boundary(t, kind).map(|b| String::from_utf8(b).unwrap());
        assert_eq!(
            b("multipart/form-data; boundary=x", "form-data").as_deref(),
            Some("x")
        );
        assert_eq!(
            b(
                "Multipart/Form-Data;charset=a; boundary=\"x y\"",
                "form-data"
            )
            .as_deref(),
            Some("x y")
        );
        assert_eq!(b("multipart/mixed; boundary=x", "form-data"), None);
        assert_eq!(b("multipart/mixed; boundary=x", "").as_deref(), Some("x"));
        assert_eq!(b("multipart/form-data", "form-data"), None);
        assert_eq!(b("multipart/form-data; boundary=", "form-data"), None);
        assert_eq!(b("text/plain; boundary=x", ""), None);
    }

    proptest! {
        #[test]
        fn what_was_put_together_is_parted(contents in prop::collection::vec("[ab\r\n-]{0,40}", 0..6), step in 1_usize..100) {
            let mut body = String::new();
            for content in &contents {
                body += &format!("--xyz\r\nContent-Type: a/b\r\n\r\n{content}\r\n");
            }
            body += "--xyz--\r\n";
            let found = parts(InSteps(body.as_bytes(), step), b"xyz").unwrap();
            let place = |n: u64| usize::try_from(n).unwrap();
            let texts: Vec<_> = found.iter().map(|p| &body[place(p.from)..place(p.to)]).collect();
            prop_assert_eq!(texts, contents);
        }
    }
}
