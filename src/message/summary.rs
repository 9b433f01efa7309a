//! A few words on a message, from its head: what a reader wants to see on one line.
//!
//! Whatever comes from the network is escaped: a line never holds a control character.

use super::Kind;
use crate::transport::flow::Transport;
use std::fmt::Write as _;

/// The most octets of a message that a summary shows.
const SHOWN: usize = 200;

/// Appends the summary of a message to `out`: its start line, its query, or its first octets. `head` is as in
/// [`super::MessageStart`].
pub fn summary(protocol: &str, transport: Transport, kind: Kind, head: &[u8], out: &mut String) {
    let done = match protocol {
        "dns" | "mdns" | "llmnr" => {
            // Over TCP two octets of length stand in front (RFC 1035, 4.2.2).
            let skip = if transport == Transport::Tcp { 2 } else { 0 };
            head.get(skip..).is_some_and(|m| dns(m, out))
        }
        _ if transport == Transport::Sctp => super::carried::summary(protocol, head, out),
        _ => false,
    };
    if !done {
        let _ = kind;
        first_line(head, out);
    }
}

/// The first line where the message begins with text, else its first octets.
fn first_line(head: &[u8], out: &mut String) {
    let line = head.split(|&c| c == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let shown = line.get(..SHOWN).unwrap_or(line);
    escape(shown, out);
    if shown.len() < line.len() {
        out.push_str("...");
    }
}

/// Appends octets as text: what is no printable character is written as `\n`, `\xNN` or `\u{NNNN}`, so that nothing
/// from the network reaches a terminal as a control sequence or turns the direction of writing.
pub fn escape(octets: &[u8], out: &mut String) {
    for chunk in octets.utf8_chunks() {
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
                c if hidden(c) => {
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

/// Characters that are not seen or that change how others are: line separators, marks of direction, joiners, tags.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff0..=0xfffb
            | 0xe0000..=0xe0fff)
}

/// Query name and type, and what the answer brings (RFC 1035, 4.1).
fn dns(m: &[u8], out: &mut String) -> bool {
    let word =
        |at: usize| -> Option<u16> { Some(u16::from_be_bytes([*m.get(at)?, *m.get(at + 1)?])) };
    let (Some(id), Some(flags), Some(questions), Some(answers)) =
        (word(0), word(2), word(4), word(6))
    else {
        return false;
    };
    let response = flags & 0x8000 != 0;
    let opcode = flags >> 11 & 15;
    out.push_str(match (opcode, response) {
        (0, false) => "query",
        (0, true) => "answer",
        (4, false) => "notify",
        (4, true) => "notify answer",
        (5, false) => "update",
        (5, true) => "update answer",
        (_, false) => "request",
        (_, true) => "response",
    });
    let _ = write!(out, " 0x{id:04x}");
    if questions > 0 {
        let mut at = 12;
        out.push(' ');
        let begin = out.len();
        // Labels, each with its length; a question is the first name, so nothing can be compressed in it.
        while let Some(&len) = m.get(at) {
            let len = usize::from(len);
            at += 1;
            if len == 0 || len > 63 {
                break;
            }
            let end = (at + len).min(m.len());
            if out.len() > begin {
                out.push('.');
            }
            escape(m.get(at..end).unwrap_or_default(), out);
            at = end;
        }
        if out.len() == begin {
            out.push('.');
        }
        if let Some(kind) = word(at) {
            out.push(' ');
            match record_type(kind) {
                Some(name) => out.push_str(name),
                None => {
                    let _ = write!(out, "TYPE{kind}");
                }
            }
        }
    }
    if response {
        match flags & 15 {
            0 => {
                let s = if answers == 1 { "" } else { "s" };
                let _ = write!(out, ", {answers} record{s}");
            }
            3 => out.push_str(", no such name"),
            code => {
                let _ = write!(out, ", error {code}");
            }
        }
    }
    true
}

/// Names of record types (IANA).
fn record_type(kind: u16) -> Option<&'static str> {
    Some(match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        43 => "DS",
        46 => "RRSIG",
        48 => "DNSKEY",
        64 => "SVCB",
        65 => "HTTPS",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_matters_and_escapes() {
        let q = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x1c\x00\x01";
        let mut a = q.to_vec();
        a[2] = 0x81;
        a[7] = 2;
        let mut tcp = vec![0, 29];
        tcp.extend_from_slice(q);
        let mut root = q[..12].to_vec();
        root.extend_from_slice(&[0, 0, 2]);
        use Transport::{Tcp, Udp};
        for (protocol, transport, head, expected) in [
            (
                "http",
                Tcp,
                &b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"[..],
                "GET /x HTTP/1.1",
            ),
            (
                "http",
                Tcp,
                b"GET /\x1b[31m\\\xff HTTP/1.1",
                "GET /\\x1b[31m\\\\\\xff HTTP/1.1",
            ),
            (
                "data",
                Tcp,
                "sch\u{f6}n\u{202e}\u{85}".as_bytes(),
                "sch\u{f6}n\\u{202e}\\x85",
            ),
            ("dns", Udp, q, "query 0x1234 www.example AAAA"),
            ("dns", Tcp, &tcp, "query 0x1234 www.example AAAA"),
            ("dns", Udp, &a, "answer 0x1234 www.example AAAA, 2 records"),
            ("dns", Udp, &root, "query 0x1234 . NS"),
            ("dns", Udp, &q[..16], "query 0x1234 www"),
            ("dns", Udp, b"abc", "abc"),
            ("data", Tcp, b"", ""),
        ] {
            let mut out = String::new();
            summary(protocol, transport, Kind::Other, head, &mut out);
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        summary("data", Tcp, Kind::Other, &[b'a'; 300], &mut out);
        assert_eq!(out.len(), SHOWN + 3);
    }
}
