//! What the one-line summaries of messages are made of.
//!
//! Whatever comes from the network is escaped: a line never holds a control character.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The most octets of a message that a summary shows: what fits on a line or two of a terminal.
pub(super) const SHOWN: usize = 200;

/// Octets of a message that is no text which a summary shows: a line of a hex dump.
const BINARY: usize = 16;

/// The first line where the message begins with text, else its first octets in hexadecimal digits and as characters.
pub(super) fn first_line(head: &[u8], out: &mut String) {
    let line = head.split(|&c| c == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let shown = line.get(..SHOWN).unwrap_or(line);
    if !is_text(shown) {
        return dump(head.get(..BINARY).unwrap_or(head), head.len() > BINARY, out);
    }
    escape(shown, out);
    if shown.len() < line.len() {
        out.push_str("...");
    }
}

/// Nearly all of it are characters, and none is NUL, which no text has.
pub fn is_text(octets: &[u8]) -> bool {
    // Nearly all text is of these alone.
    let plain = |octet: &u8| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    if octets.iter().all(plain) {
        return true;
    }
    let odd: usize = octets
        .utf8_chunks()
        .map(|chunk| {
            let controls = chunk.valid().chars().filter(|c| c.is_control());
            let odd = controls.filter(|c| !matches!(c, '\t' | '\r' | '\n'));
            odd.count() + chunk.invalid().len()
        })
        .sum();
    odd * 12 <= octets.len() && memchr::memchr(0, octets).is_none()
}

fn dump(octets: &[u8], more: bool, out: &mut String) {
    for octet in octets {
        let _ = write!(out, "{octet:02x} ");
    }
    out.push_str(if more { "...  " } else { " " });
    for octet in octets {
        let c = char::from(*octet);
        out.push(if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '.'
        });
    }
}

/// Appends octets as text: what is no printable character is written as `\n`, `\xNN` or `\u{NNNN}`, so that nothing
/// from the network reaches a terminal as a control sequence or turns the direction of writing.
pub fn escape(octets: &[u8], out: &mut String) {
    // What most lines consist of goes as it is.
    let plain = |octet: &u8| matches!(octet, b' '..=b'~') && *octet != b'\\';
    let end = octets.iter().position(|octet| !plain(octet));
    let (plain, rest) = octets.split_at(end.unwrap_or(octets.len()));
    out.push_str(std::str::from_utf8(plain).unwrap_or_default());
    for chunk in rest.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                ' '..='~' => out.push(c),
                c if u32::from(c) < 0x100 && c.is_control() => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c if is_hidden(c) => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        for b in chunk.invalid() {
            let _ = write!(out, "\\x{b:02x}");
        }
    }
}

/// What [`escape`] has made, for people: a backslash stands once, as it was sent. What was a control character can no longer be told
/// from a backslash with a letter behind it, so this is not read again.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains("\\\\") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, behind)) = rest.split_once("\\") {
        out.extend([plain, "\\"]);
        rest = behind.strip_prefix('\\').unwrap_or(behind);
    }
    out.push_str(rest);
    out.into()
}

/// Appends octets as text for people: as [`escape`] has it, and [`shown`].
pub fn show(octets: &[u8], out: &mut String) {
    let mut text = String::new();
    escape(octets, &mut text);
    out.push_str(&shown(&text));
}

/// The octets that [`escape`] has made such text of.
pub fn unescaped(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('\\') {
        return text.as_bytes().into();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, behind)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        let hex = |digits: Option<&str>| u32::from_str_radix(digits?, 16).ok();
        let code = match behind.as_bytes().first() {
            Some(b'x') => hex(behind.get(1..3)).map(|code| (code, 3)),
            Some(b'u') => behind.find('}').and_then(|end| {
                let code = hex(behind.get(2..end))?;
                Some((code, end + 1))
            }),
            Some(b't') => Some((9, 1)),
            Some(b'r') => Some((13, 1)),
            Some(b'n') => Some((10, 1)),
            _ => Some((92, 1)),
        };
        let (code, len) = code.unwrap_or((92, 0));
        match (u8::try_from(code), char::from_u32(code)) {
            (Ok(octet), _) => out.push(octet),
            (_, Some(c)) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => {}
        }
        rest = behind.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest.as_bytes());
    out.into()
}

/// Appends an IPv4 address: what the standard library does, in a sixth of the time, as lines have many of them.
pub fn dotted(address: [u8; 4], out: &mut String) {
    for (octet, front) in address.into_iter().zip(["", ".", ".", "."]) {
        out.push_str(front);
        if octet >= 100 {
            out.push(char::from(b'0' + octet / 100));
        }
        if octet >= 10 {
            out.push(char::from(b'0' + octet / 10 % 10));
        }
        out.push(char::from(b'0' + octet % 10));
    }
}

/// Characters that are not seen or that change how others are: line separators, marks of direction, joiners, tags.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff0..=0xfffb
            | 0xe0000..=0xe0fff)
}

/// One of several names, or the number.
pub(super) fn named_number(names: &[(u64, &'static str)], number: u64, out: &mut String) {
    match names.iter().find(|(n, _)| *n == number) {
        Some((_, name)) => out.push_str(name),
        None => {
            let _ = write!(out, "type {number}");
        }
    }
}

/// The value of an option among others: each has its code, its length, of which `head` octets count code and length, and
/// the value. Where `head` is 0, an octet 0 is a code alone, which pads.
pub(super) fn option(mut options: &[u8], wanted: u8, head: usize) -> Option<&[u8]> {
    while let [code, rest @ ..] = options {
        if *code == 0 && head == 0 {
            options = rest;
            continue;
        }
        let (len, rest) = rest.split_first()?;
        let (value, rest) = rest.split_at_checked(usize::from(*len).checked_sub(head)?)?;
        if *code == wanted {
            return Some(value);
        }
        options = rest;
    }
    None
}

/// What a summary says of octets; empty where it says nothing.
#[cfg(test)]
pub(super) fn said(
    summary: super::row::Summary,
    transport: crate::base::flow::Transport,
    octets: &[u8],
) -> String {
    let mut out = String::new();
    let known = summary(transport, octets, &mut out);
    assert_eq!(known, !out.is_empty(), "{octets:?}: {out}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        for octets in [[0, 9, 10, 99], [100, 255, 1, 109]] {
            let mut out = String::new();
            dotted(octets, &mut out);
            assert_eq!(out, std::net::Ipv4Addr::from(octets).to_string());
        }
    }

    #[test]
    fn what_was_escaped_can_be_read_again() {
        let all: Vec<u8> = (0..=255).collect();
        for octets in [
            &b"C:\\dir\\file"[..],
            b"\\",
            b"\\x41\\u{41}\t\r\n\x1b\xff",
            "sch\u{f6}n\u{202e}".as_bytes(),
            &all,
        ] {
            let mut text = String::new();
            escape(octets, &mut text);
            assert_eq!(&*unescaped(&text), octets, "{text}");
        }
        // People see a backslash once, also ahead of what was escaped.
        assert_eq!(shown("\\\\srv\\\\new\\x1b\\\\\\n"), "\\srv\\new\\x1b\\\\n");
        assert_eq!(shown("a\\n"), "a\\n");
        // What was cut in the middle of it stays as it is.
        assert_eq!(&*unescaped("a\\x4"), b"a\\x4");
        assert_eq!(&*unescaped("a\\u{20"), b"a\\u{20");
    }

    #[test]
    fn lines_are_short_and_escaped() {
        for (octets, expected) in [
            (
                &b"GET /path\x1b[31m\\\xff HTTP/1.1\r\nHost: a"[..],
                "GET /path\\x1b[31m\\\\\\xff HTTP/1.1",
            ),
            (
                "sch\u{f6}n gesagt\u{202e}\u{85}".as_bytes(),
                "sch\u{f6}n gesagt\\u{202e}\\x85",
            ),
            (b"", ""),
            (b"ok \x00\r\n", "6f 6b 20 00 0d 0a  ok ..."),
            (b"\x05\x64\x0a\x44", "05 64 0a 44  .d.D"),
            (
                b"\x05d\x0aabcdefghijklmnopqr",
                "05 64 0a 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d ...  .d.abcdefghijklm",
            ),
        ] {
            let mut out = String::new();
            first_line(octets, &mut out);
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        first_line(&[b'a'; 300], &mut out);
        assert_eq!(out.len(), SHOWN + 3);
    }
}
