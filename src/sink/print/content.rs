//! What `--print=full` shows below a line: header fields, and the body as a reader wants it.

use super::look::Paint;
use crate::message::{show, unfolded_lines};
use crate::sink::coded_body::{BodyCodings, DecodedBody};
use crate::sink::files::{parameter, utf8};
use bstr::ByteSlice as _;
use memchr::memchr;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Octets of text that are shown of a body: some screens of it.
const TEXT: usize = 16 << 10;
/// Octets that are shown of a body that is no text: eight lines.
const HEX: usize = 128;
/// JSON that is deeper than this is not indented.
const DEPTH: usize = 32;
/// Octets in a line of a dump, where there is room for them; a blank stands in their middle.
const ROW: usize = 16;
/// Everything below a line stands so far to the right.
const INDENT: &str = "    ";

/// What is kept of a body.
pub(super) struct Body<'a> {
    /// Its octets, without those that are missing.
    pub(super) octets: &'a [u8],
    /// Where in these something is missing, and how much; 0 where nobody knows how much.
    pub(super) gaps: &'a [(usize, u64)],
    /// Octets behind them that were not kept.
    pub(super) more: u64,
}

impl Body<'_> {
    /// Nothing of it is shown.
    pub(super) const fn is_empty(&self) -> bool {
        self.octets.is_empty() && self.gaps.is_empty()
    }
}

/// Appends the summary of a message, which its line had no room for.
pub(super) fn whole(summary: &str, out: &mut String) {
    for part in [INDENT, summary, "\n"] {
        out.push_str(part);
    }
}

/// The first line of a body is what the summary says, and it has no other one.
pub(super) fn begins_with(body: &[u8], summary: &str) -> (bool, bool) {
    let end = memchr(b'\n', body).map_or(body.len(), |end| end + 1);
    let (line, rest) = body.split_at(end);
    let mut text = String::new();
    show(line.trim_ascii_end(), &mut text);
    (!summary.is_empty() && text == summary, rest.is_empty())
}

/// Appends the fields of a header section, but not its start line, which is in the summary. `more` octets of it were not kept.
pub(super) fn head(head: &[u8], more: u64, p: &Paint, out: &mut String) {
    fields(unfolded_lines(head).skip(1), p, out);
    if more > 0 {
        note(
            &format!("... {more} bytes more of the header section"),
            p.dim,
            p,
            out,
        );
    }
}

/// Appends fields that stand behind a body, with a blank line ahead of them.
pub(super) fn trailers(section: &[u8], p: &Paint, out: &mut String) {
    let lines = || unfolded_lines(section).filter(|line| !line.is_empty());
    if lines().next().is_some() {
        out.push('\n');
        fields(lines(), p, out);
    }
}

/// Appends a line for each field.
fn fields<L: AsRef<[u8]>>(lines: impl Iterator<Item = L>, p: &Paint, out: &mut String) {
    for field in lines {
        let field = field.as_ref();
        out.push_str(INDENT);
        match memchr(b':', field) {
            Some(colon) => {
                let (name, value) = field.split_at(colon);
                out.push_str(p.protocol);
                show(name, out);
                out.push_str(p.off);
                show(value, out);
            }
            None => show(field, out),
        }
        out.push('\n');
    }
}

/// Appends the body: decoded and indented where nothing of it is missing, else as it was sent; and the fields behind its chunks.
pub(super) fn body(head: &[u8], body: &Body<'_>, p: &Paint, out: &mut String) {
    if body.is_empty() {
        return;
    }
    let about = BodyCodings::read(head);
    let first_gap = body.gaps.first().map_or(body.octets.len(), |gap| gap.0);
    let up_to_gap = body.octets.get(..first_gap).unwrap_or(body.octets);
    // What cannot be undone is shown as it is.
    let shown = about.undo(up_to_gap, TEXT);
    // Where its end was not kept, or is missing, that is why it cannot be decoded further.
    let (cut, failed) = (shown.cut, shown.failed && body.more == 0);
    if failed && body.gaps.is_empty() {
        damaged(&about, &shown, p, out);
    }
    let as_sent = !about.chunked && about.codings.is_empty();
    let whole = body.gaps.is_empty() && body.more == 0 && !cut && !failed;
    let mut hidden = text_or_hex(&shown.octets, &about, whole, p, out);
    if as_sent {
        // Behind a gap more octets stand where they stood.
        let mut at = first_gap;
        for (i, (_, lost)) in body.gaps.iter().enumerate() {
            more_bytes(hidden, p, out);
            missing(*lost, p, out);
            let next = body.gaps.get(i + 1).map_or(body.octets.len(), |gap| gap.0);
            let part = body.octets.get(at..next).unwrap_or_default();
            hidden = text_or_hex(part, &about, false, p, out);
            at = next;
        }
    } else if !body.gaps.is_empty() {
        more_bytes(hidden, p, out);
        hidden = 0;
        for (_, lost) in body.gaps {
            missing(*lost, p, out);
        }
    }
    // What is not shown of what was kept, and what was not kept, are one. What was decoded has another length.
    if as_sent || body.more == 0 && !cut {
        more_bytes(hidden + body.more, p, out);
    } else if hidden > 0 || body.more > 0 || cut {
        note("... and more", p.dim, p, out);
    }
    if body.gaps.is_empty() && body.more == 0 {
        trailers(about.trailers(body.octets), p, out);
    }
}

/// Says how many octets are not shown, if there are any.
fn more_bytes(hidden: u64, p: &Paint, out: &mut String) {
    let s = if hidden == 1 { "" } else { "s" };
    if hidden > 0 {
        note(&format!("... {hidden} byte{s} more"), p.dim, p, out);
    }
}

/// Appends a line that says something of what stands around it.
fn note(words: &str, color: &str, p: &Paint, out: &mut String) {
    for part in [INDENT, color, &p.fitting(words, INDENT.len()), p.off, "\n"] {
        out.push_str(part);
    }
}

/// Says ahead of a body that cannot be decoded to its end how much of it was: nobody knows where the damage begins.
fn damaged(about: &BodyCodings, shown: &DecodedBody<'_>, p: &Paint, out: &mut String) {
    let codings = about.codings.join(", ");
    let words = match shown.kept {
        0 => format!("~~~ damaged {codings}: shown as it was sent ~~~"),
        n => format!(
            "~~~ damaged {codings}: decoding ends behind byte {n}, what is shown may be wrong ~~~"
        ),
    };
    note(&words, p.bad, p, out);
}

/// The words of a gap; 0: nobody knows how many octets it has.
fn missing_words(len: u64) -> String {
    match len {
        0 => "~~~ bytes are missing here ~~~".to_owned(),
        1 => "~~~ 1 byte is missing here ~~~".to_owned(),
        n => format!("~~~ {n} bytes are missing here ~~~"),
    }
}

/// Appends a gap.
fn missing(lost: u64, p: &Paint, out: &mut String) {
    note(&missing_words(lost), p.bad, p, out);
}

/// The character set that a document names at its beginning: HTML in a `<meta>`, XML in its declaration.
fn declared_charset(octets: &[u8]) -> Option<Vec<u8>> {
    // Where HTML looks for it (13.2.3.2).
    let begin = octets[..octets.len().min(1024)].to_ascii_lowercase();
    let text = begin.trim_ascii_start();
    if !text.starts_with(b"<") {
        return None;
    }
    let named = |tag: &[u8], name: &str| {
        let value = &tag[tag.find(name)? + name.len()..];
        let value = value.trim_ascii_start().strip_prefix(b"=")?;
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_prefix(b"'").unwrap_or(value);
        let ends =
            |c: &u8| matches!(c, b'"' | b'\'' | b';' | b'/' | b'?') || c.is_ascii_whitespace();
        let end = value.iter().position(ends).unwrap_or(value.len());
        Some(value[..end].to_vec()).filter(|name| !name.is_empty())
    };
    let tag = |at: usize| {
        let end = memchr(b'>', &text[at..]).map_or(text.len(), |end| at + end);
        &text[at..end]
    };
    if text.starts_with(b"<?xml") {
        return named(tag(0), "encoding");
    }
    text.find_iter("<meta")
        .find_map(|at| named(tag(at), "charset"))
}

/// Text as UTF-8: by the mark at its beginning, by the character set that its type names, by the one that it names itself, or, of a
/// type that is text and says nothing of it, by the one that such types had once (RFC 2616, 3.7.1).
fn decoded<'a>(octets: &'a [u8], about: &BodyCodings) -> Cow<'a, [u8]> {
    for (mark, charset) in MARKS {
        if let Some(behind) = octets.strip_prefix(*mark) {
            return utf8(charset.as_bytes(), behind.to_vec()).into();
        }
    }
    if let Some(charset) = parameter(about.media_type.as_bytes(), "charset") {
        // A name that people use, and no registry knows.
        let charset = match charset.to_ascii_lowercase().as_slice() {
            b"latin-1" | b"latin_1" => b"latin1".to_vec(),
            _ => charset,
        };
        return utf8(&charset, octets.to_vec()).into();
    }
    if let Some(charset) = declared_charset(octets) {
        // What can be read as ASCII is none of two octets for each character (HTML, 13.2.3.2).
        let wide = charset.starts_with(b"utf-16");
        let charset = if wide { b"utf-8" } else { charset.as_slice() };
        return utf8(charset, octets.to_vec()).into();
    }
    // What was cut in the middle of a character is UTF-8 still, if others are.
    let is_utf8 = match std::str::from_utf8(octets) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none() && !octets[..e.valid_up_to()].is_ascii(),
    };
    let is_text = about
        .media_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("text/");
    if is_text && !is_utf8 && !octets.contains(&0) {
        return utf8(b"latin1", octets.to_vec()).into();
    }
    octets.into()
}

/// Marks at the beginning of a text, and what they say (RFC 3629, 6; RFC 2781, 3.2).
const MARKS: &[(&[u8], &str)] = &[
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16le"),
    (b"\xfe\xff", "utf-16be"),
];

/// Appends octets as text, or as a dump of their beginning. Gives back how many of them are not shown.
fn text_or_hex(
    octets: &[u8],
    about: &BodyCodings,
    whole: bool,
    p: &Paint,
    out: &mut String,
) -> u64 {
    if octets.is_empty() {
        return 0;
    }
    let shown = octets.get(..TEXT).unwrap_or(octets);
    let text = decoded(shown, about);
    if !is_text(&text) {
        let some = octets.get(..HEX).unwrap_or(octets);
        hex(some, 0, INDENT, p, out);
        return (octets.len() - some.len()) as u64;
    }
    let json = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    let indented = (json && whole && octets.len() <= TEXT)
        .then(|| indented_json(&text))
        .flatten();
    for line in indented.as_deref().unwrap_or(&text).split(|c| *c == b'\n') {
        out.push_str(INDENT);
        visible(line.strip_suffix(b"\r").unwrap_or(line), out);
        out.push('\n');
    }
    // A line end at the end begins no other line.
    if text.ends_with(b"\n") && indented.is_none() {
        out.truncate(out.len() - INDENT.len() - 1);
    }
    (octets.len() - shown.len()) as u64
}

/// A line of text: tabs are what they are, and all else that is no character is escaped.
pub(in crate::sink) fn visible(line: &[u8], out: &mut String) {
    for (i, part) in line.split(|c| *c == b'\t').enumerate() {
        if i > 0 {
            out.push('\t');
        }
        show(part, out);
    }
}

/// The beginning is text.
pub(in crate::sink) fn is_text(octets: &[u8]) -> bool {
    crate::message::is_text(octets.get(..4096).unwrap_or(octets))
}

/// Rows of offset, octets in hexadecimal digits, and characters.
pub(in crate::sink) fn hex(octets: &[u8], from: u64, indent: &str, p: &Paint, out: &mut String) {
    let columns = p.row(indent.len());
    for (i, row) in octets.chunks(columns).enumerate() {
        let at = from + (i * columns) as u64;
        let _ = write!(out, "{indent}{}{at:08x}{} ", p.dim, p.off);
        for place in 0..columns {
            if place == ROW / 2 {
                out.push(' ');
            }
            let _ = match row.get(place) {
                Some(octet) => write!(out, " {octet:02x}"),
                None => write!(out, "   "),
            };
        }
        out.push_str("  ");
        for octet in row {
            let c = char::from(*octet);
            out.push(if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '.'
            });
        }
        out.push('\n');
    }
}

/// JSON with a line for each value. Every value stays as it was written: numbers are not read.
fn indented_json(text: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<IgnoredAny>(text).ok()?;
    let mut out = Vec::with_capacity(2 * text.len());
    let (mut depth, mut string, mut escaped) = (0_usize, false, false);
    let new_line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', 2 * depth));
    };
    let mut octets = text.iter().copied().peekable();
    while let Some(c) = octets.next() {
        // So deep nobody reads it, and each line begins with as many spaces.
        if depth > DEPTH {
            return None;
        }
        if string {
            string = escaped || c != b'"';
            escaped = !escaped && c == b'\\';
            out.push(c);
            continue;
        }
        match c {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'{' | b'[' => {
                out.push(c);
                while octets.next_if(u8::is_ascii_whitespace).is_some() {}
                // Nothing in it is one line.
                if let Some(end) = octets.next_if(|c| matches!(c, b'}' | b']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            b',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            c => {
                string = c == b'"';
                out.push(c);
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::print::look::Look;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write as _;

    fn shown(fields: &str, octets: &[u8], gaps: &[(usize, u64)], more: u64) -> String {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let mut out = String::new();
        let what = Body { octets, gaps, more };
        body(
            head.as_bytes(),
            &what,
            &Paint::new(&Look::default()),
            &mut out,
        );
        out
    }

    #[test]
    fn json_is_indented_and_stays_what_it_is() {
        let json = br#"{"a": [1.50, 12345678901234567890123],"b":{},"c" : "x,{\"" }"#;
        let expected = "    {\n      \"a\": [\n        1.50,\n        12345678901234567890123\n      ],\n      \"b\": {},\n      \"c\": \"x,{\\\"\"\n    }\n";
        assert_eq!(shown("", json, &[], 0), expected);
        // What is not whole is left as it is.
        assert_eq!(
            shown("", b"{\"a\":", &[], 7),
            "    {\"a\":\n    ... 7 bytes more\n"
        );
        assert_eq!(shown("", b"{a}\n", &[], 0), "    {a}\n");
    }

    #[test]
    fn text_is_shown_in_its_character_set_and_never_acts_on_a_terminal() {
        let fields = "Content-Type: text/plain; charset=\"iso-8859-1\"\r\n";
        assert_eq!(
            shown(fields, b"caf\xe9\r\n\tC:\\x", &[], 0),
            "    caf\u{e9}\n    \tC:\\x\n"
        );
        let text = [&b"\x1b[31m"[..], &[b'a'; 40]].concat();
        assert!(shown("", &text, &[], 0).starts_with("    \\x1b[31maaa"));
    }

    #[test]
    fn text_is_known_by_its_mark_or_its_type() {
        let le: Vec<u8> = "\u{feff}caf\u{e9}\r\nx"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "\u{feff}caf\u{e9}\r\nx"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        for octets in [&le, &be] {
            assert_eq!(shown("", octets, &[], 0), "    caf\u{e9}\n    x\n");
            let fields = "Content-Type: text/plain; charset=UTF-16\r\n";
            assert_eq!(shown(fields, octets, &[], 0), "    caf\u{e9}\n    x\n");
        }
        assert_eq!(shown("", b"\xef\xbb\xbfx", &[], 0), "    x\n");
        for fields in [
            "Content-Type: text/plain; charset=latin-1\r\n",
            "Content-Type: application/x; charset=ISO_8859-1\r\n",
            "Content-Type: text/html\r\n",
        ] {
            assert_eq!(
                shown(fields, b"caf\xe9", &[], 0),
                "    caf\u{e9}\n",
                "{fields}"
            );
        }
        // A document says it itself; where both do, the header is believed.
        for (fields, octets) in [
            (
                "Content-Type: text/html\r\n",
                &b"<html><META charset=koi8-r>\xc1"[..],
            ),
            (
                "",
                b" <meta http-equiv='Content-Type' content='text/html; charset=koi8-r'>\xc1",
            ),
            ("", b"<?xml version='1.0' encoding='KOI8-R'?>\xc1"),
            (
                "Content-Type: text/html; charset=koi8-r\r\n",
                b"<meta charset=utf-8>\xc1",
            ),
        ] {
            let text = shown(fields, octets, &[], 0);
            assert!(text.ends_with(">\u{430}\n"), "{fields}: {text}");
        }
        let fields = "Content-Type: text/html\r\n";
        let named = "<meta charset=utf-16>\u{e9}";
        assert_eq!(
            shown(fields, named.as_bytes(), &[], 0),
            format!("    {named}\n")
        );
        for odd in [
            "<meta charset",
            "<meta charset=",
            "<meta charset='>",
            "<?xml encoding=?>",
        ] {
            assert_eq!(
                shown(fields, odd.as_bytes(), &[], 0),
                format!("    {odd}\n")
            );
        }
        // Nobody says that this is text, or in which characters.
        assert_eq!(
            shown("", b"a long text: caf\xe9", &[], 0),
            "    a long text: caf\\xe9\n"
        );
        let fields = "Content-Type: text/html\r\n";
        assert_eq!(
            shown(fields, "caf\u{e9}".as_bytes(), &[], 0),
            "    caf\u{e9}\n"
        );
    }

    #[test]
    fn what_is_not_shown_is_said_once() {
        let octets: Vec<u8> = (0..200).collect();
        for (fields, text, more, last) in [
            ("", &octets[..], 1000, "... 1072 bytes more"),
            ("", &[b'x'; TEXT + 5][..], 7, "... 12 bytes more"),
            ("", &[b'x'; TEXT + 1][..], 0, "... 1 byte more"),
            (
                "Transfer-Encoding: chunked\r\n",
                b"FF\r\nabc",
                7,
                "... and more",
            ),
        ] {
            let text = shown(fields, text, &[], more);
            assert_eq!(text.matches("more").count(), 1, "{text}");
            assert!(text.ends_with(&format!("    {last}\n")), "{text}");
        }
    }

    #[test]
    fn fields_behind_a_body_are_shown() {
        let chunked = b"4\r\nabcd\r\n0\r\nDigest: x\r\nOther: \x1b\r\n\r\n";
        assert_eq!(
            shown("Transfer-Encoding: chunked\r\n", chunked, &[], 0),
            "    abcd\n\n    Digest: x\n    Other: \\x1b\n"
        );
    }

    #[test]
    fn other_octets_are_a_dump_of_their_beginning() {
        let octets: Vec<u8> = (0..200).collect();
        let text = shown("", &octets, &[], 0);
        assert_eq!(text.lines().count(), 9, "{text}");
        assert!(text.starts_with(
            "    00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  ................\n"
        ));
        assert!(text.ends_with("    ... 72 bytes more\n"), "{text}");
    }

    #[test]
    fn gaps_stand_where_they_are() {
        let text = shown("", b"beforebehind", &[(6, 1448)], 0);
        assert_eq!(
            text,
            "    before\n    ~~~ 1448 bytes are missing here ~~~\n    behind\n"
        );
    }

    #[test]
    fn codings_are_undone() {
        let chunked = b"4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\n\r\n";
        assert_eq!(
            shown("Transfer-Encoding: chunked\r\n", chunked, &[], 0),
            "    abcdefg\n"
        );
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(b"packed text").unwrap();
        let gzip = packer.finish().unwrap();
        assert_eq!(
            shown("Content-Encoding: gzip\r\n", &gzip, &[], 0),
            "    packed text\n"
        );
        let cut = gzip.get(..gzip.len() - 9).unwrap_or_default();
        assert!(
            shown("Content-Encoding: gzip\r\n", cut, &[(cut.len(), 9)], 0)
                .starts_with("    packed")
        );
        assert!(shown("Content-Encoding: odd\r\n", b"text", &[], 0).contains("text"));
    }

    #[test]
    fn damage_is_told_ahead_of_what_it_leaves() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(b"packed text").unwrap();
        let mut gzip = packer.finish().unwrap();
        // A sum that is wrong.
        let sum = gzip.len() - 8;
        gzip[sum] ^= 1;
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(b"packed text").unwrap();
        let zlib = zlib.finish().unwrap();
        // "hello" as it stands in a stream, which ends ahead of its octets.
        let br = b"\x0b\x02\x80hello\x03";
        let longer = [&br[..], b"x"].concat();
        for (coding, octets, text) in [
            ("gzip", &gzip[..], "packed text"),
            ("deflate", &zlib[..zlib.len() - 4], "packed text"),
            ("br", &longer, "hello"),
            ("br", &br[..6], "hel"),
        ] {
            let found = shown(&format!("Content-Encoding: {coding}\r\n"), octets, &[], 0);
            let n = text.len();
            let expected = format!(
                "    ~~~ damaged {coding}: decoding ends behind byte {n}, what is shown may be wrong ~~~\n    {text}\n"
            );
            assert_eq!(found, expected);
        }
        assert_eq!(shown("Content-Encoding: br\r\n", br, &[], 0), "    hello\n");
        assert_eq!(
            shown(
                "Content-Encoding: zstd\r\n",
                b"a text that is not coded",
                &[],
                0
            ),
            "    ~~~ damaged zstd: shown as it was sent ~~~\n    a text that is not coded\n"
        );
        // Behind what is shown, too.
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(&[b'x'; TEXT + 100]).unwrap();
        let mut gzip = packer.finish().unwrap();
        let sum = gzip.len() - 8;
        gzip[sum] ^= 1;
        let found = shown("Content-Encoding: gzip\r\n", &gzip, &[], 0);
        assert!(
            found.starts_with(&format!(
                "    ~~~ damaged gzip: decoding ends behind byte {},",
                TEXT + 100
            )),
            "{found}"
        );
    }
}
