//! STOMP 1.2: frames of a command, header fields, a body, and an octet of zeros.

use super::super::fields::MessageFields;
use super::super::framing::Probe;
use super::super::row::ProtocolRow;
use super::super::textual::{
    LINE, Textual, TextualFormat, TextualProtocol, any, begins_as, decimal, is_shown, line,
};
use crate::base::message::Kind;
use memchr::memchr;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "stomp",
    about: "STOMP 1.2: frames of message brokers",
    ports: &[61613],
    fields: Some(|_, _, m, to| fields(m, to)),
    field_names: &["command", "destination", "message"],
    summary: Some(|_, m, out| summary(m, out)),
    ..ProtocolRow::NONE
};

/// How its frames are written.
pub(super) static FORMAT: TextualFormat = TextualFormat {
    read,
    opens: |octets| {
        let words = [
            &b"CONNECT\n"[..],
            b"CONNECT\r\n",
            b"STOMP\n",
            b"STOMP\r\n",
            b"CONNECTED\n",
            b"CONNECTED\r\n",
        ];
        match any(words.map(|word| begins_as(octets, word))) {
            Probe::Yes => read(octets).probe(),
            probe => probe,
        }
    },
};

/// Framed by its frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stomp;

impl TextualProtocol for Stomp {
    const FORMAT: &'static TextualFormat = &FORMAT;
}

/// The commands of clients and servers.
const COMMANDS: &[&[u8]] = &[
    b"CONNECT",
    b"STOMP",
    b"CONNECTED",
    b"SEND",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"ACK",
    b"NACK",
    b"BEGIN",
    b"COMMIT",
    b"ABORT",
    b"DISCONNECT",
    b"MESSAGE",
    b"RECEIPT",
    b"ERROR",
];

fn read(octets: &[u8]) -> Textual {
    // Between frames ends of lines may stand, and keep a connection alive.
    let beats = octets
        .iter()
        .take_while(|o| matches!(o, b'\r' | b'\n'))
        .count();
    if beats > 0 {
        return Textual::Message(Kind::Other, beats as u64);
    }
    let Some(first) = line(octets) else {
        let begun = |c: &&[u8]| c.starts_with(octets);
        return match COMMANDS.iter().any(begun) {
            true => Textual::More,
            false => Textual::No,
        };
    };
    let Some((command, mut at)) = first.filter(|(first, _)| COMMANDS.contains(first)) else {
        return Textual::No;
    };
    let _ = command;
    let mut length = None;
    loop {
        match line(&octets[at.min(octets.len())..]) {
            None => return Textual::More,
            Some(None) => return Textual::No,
            Some(Some((b"", len))) => {
                at += len;
                break;
            }
            Some(Some((field, len))) => {
                let Some(colon) = memchr(b':', field).filter(|_| is_shown(field)) else {
                    return Textual::No;
                };
                if length.is_none() && field[..colon].eq_ignore_ascii_case(b"content-length") {
                    length = decimal(&field[colon + 1..]);
                }
                at += len;
            }
        }
        if at > LINE {
            return Textual::No;
        }
    }
    let body = &octets[at..];
    match length {
        Some(length) => Textual::Message(Kind::Other, at as u64 + length + 1),
        // Without a length a body has no zeros.
        None => match memchr(0, body.get(..LINE).unwrap_or(body)) {
            Some(end) => Textual::Message(Kind::Other, (at + end + 1) as u64),
            None => Textual::More,
        },
    }
}

/// The value of a field.
fn value<'a>(m: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = m;
    while let Some(Some((field, len))) = line(rest) {
        if field.is_empty() {
            return None;
        }
        if let Some(value) = field.strip_prefix(name)
            && let Some(value) = value.strip_prefix(b":")
        {
            return Some(value);
        }
        rest = &rest[len..];
    }
    None
}

fn summary(m: &[u8], out: &mut String) -> bool {
    if matches!(m.first(), Some(b'\r' | b'\n')) {
        out.push_str("heart-beat");
        return true;
    }
    let Some(Some((command, _))) = line(m) else {
        return false;
    };
    super::super::text::escape(command, out);
    for name in [&b"destination"[..], b"message", b"receipt-id"] {
        if let Some(value) = value(m, name) {
            out.push(' ');
            super::super::text::escape(value, out);
        }
    }
    true
}

/// The command, where a message goes to, and what an error is.
fn fields(m: &[u8], to: &mut MessageFields) {
    if let Some(Some((command, _))) = line(m)
        && !command.is_empty()
    {
        to.text("command", command);
        to.text_if("destination", value(m, b"destination"));
        to.text_if("message", value(m, b"message"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_end_with_their_length_or_with_zeros() {
        for (octets, expected) in [
            (&b"ACK\nid:1\n\n\0\n"[..], Textual::Message(Kind::Other, 11)),
            (
                b"SEND\r\ncontent-length:3\r\n\r\na\0b\0",
                Textual::Message(Kind::Other, 30),
            ),
            (
                b"SEND\ncontent-length:3000\n\na",
                Textual::Message(Kind::Other, 3027),
            ),
            (b"\n\r\nSEND\n", Textual::Message(Kind::Other, 3)),
            (b"SEND\ndestination:/q", Textual::More),
            (b"SEND\ndestination:/q\n\nbody", Textual::More),
            (b"SEN", Textual::More),
            (b"SENDER\n", Textual::No),
            (b"SEND\nno field\n\n\0", Textual::No),
        ] {
            assert_eq!(read(octets), expected, "{}", octets.escape_ascii());
        }
        assert_eq!(
            (FORMAT.opens)(b"CONNECT\naccept-version:1.2\n\n\0"),
            Probe::Yes
        );
        assert_eq!((FORMAT.opens)(b"CONNECT host:80 HTTP/1.1\r\n"), Probe::No);
    }
}
