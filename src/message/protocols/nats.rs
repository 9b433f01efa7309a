//! NATS: lines of commands, some with a payload whose length stands at their end (NATS client protocol).

use super::super::fields::MessageFields;
use super::super::framing::Probe;
use super::super::lines::words;
use super::super::row::ProtocolRow;
use super::super::textual::{
    Textual, TextualFormat, TextualProtocol, any, begins_as, decimal, is_shown, line,
};
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "nats",
    about: "NATS: messages by subject",
    ports: &[4222],
    fields: Some(|_, _, m, to| fields(m, to)),
    field_names: &["operation", "subject", "error"],
    ..ProtocolRow::NONE
};

/// How its lines are written.
pub(super) static FORMAT: TextualFormat = TextualFormat {
    read,
    opens: |octets| match any([
        begins_as(octets, b"INFO {"),
        begins_as(octets, b"CONNECT {"),
    ]) {
        Probe::Yes => read(octets).probe(),
        probe => probe,
    },
};

/// Framed by its lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nats;

impl TextualProtocol for Nats {
    const FORMAT: &'static TextualFormat = &FORMAT;
}

/// The operations; of those with a payload its length is the last word, and of these with header fields the length of all.
const OPERATIONS: &[&[u8]] = &[
    b"INFO", b"CONNECT", b"PUB", b"HPUB", b"SUB", b"UNSUB", b"MSG", b"HMSG", b"PING", b"PONG",
    b"+OK", b"-ERR",
];

/// The operation of a line.
fn operation(line: &[u8]) -> Option<&'static [u8]> {
    let word = words(line).next()?;
    OPERATIONS
        .iter()
        .find(|o| o.eq_ignore_ascii_case(word))
        .copied()
}

fn read(octets: &[u8]) -> Textual {
    let Some(line) = line(octets) else {
        // Whatever comes, it has to begin with a word.
        let word = words(octets).next().unwrap_or_default();
        let begun = |o: &&[u8]| begins_as(word, o) != Probe::No || word.len() < 2;
        return match OPERATIONS.iter().any(begun) && is_shown(octets) {
            true => Textual::More,
            false => Textual::No,
        };
    };
    let Some((line, len)) = line.filter(|(line, _)| is_shown(line)) else {
        return Textual::No;
    };
    let n = words(line).count();
    let sound = match operation(line) {
        Some(b"INFO" | b"CONNECT") => words(line).nth(1).is_some_and(|w| w.starts_with(b"{")),
        Some(b"PUB") => matches!(n, 3 | 4),
        Some(b"HPUB" | b"MSG") => matches!(n, 4 | 5),
        Some(b"HMSG") => matches!(n, 5 | 6),
        Some(b"SUB") => matches!(n, 3 | 4),
        Some(b"UNSUB") => matches!(n, 2 | 3),
        Some(b"PING" | b"PONG" | b"+OK") => n == 1,
        Some(b"-ERR") => true,
        _ => false,
    };
    let payload = match operation(line) {
        Some(b"PUB" | b"HPUB" | b"MSG" | b"HMSG") => {
            // A line ends behind the payload.
            words(line).last().and_then(decimal).map(|n| n + 2)
        }
        _ => Some(0),
    };
    match payload.filter(|_| sound) {
        Some(payload) => Textual::Message(Kind::Other, len as u64 + payload),
        None => Textual::No,
    }
}

/// The operation, and what it is about.
fn fields(m: &[u8], to: &mut MessageFields) {
    let Some(Some((line, _))) = line(m) else {
        return;
    };
    let Some(operation) = operation(line) else {
        return;
    };
    to.text("operation", operation);
    match operation {
        b"PUB" | b"HPUB" | b"SUB" | b"MSG" | b"HMSG" => {
            to.text_if("subject", words(line).nth(1));
        }
        b"-ERR" => to.text_if("error", line.get(5..)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_messages_reach() {
        for (octets, expected) in [
            (&b"PING\r\n"[..], Textual::Message(Kind::Other, 6)),
            (b"PUB a.b 5\r\nhello\r\n", Textual::Message(Kind::Other, 18)),
            (
                b"msg a 1 r 0\r\n\r\nPING\r\n",
                Textual::Message(Kind::Other, 15),
            ),
            (
                b"HMSG a 1 12 17\r\nNATS/1.0\r\n",
                Textual::Message(Kind::Other, 35),
            ),
            (b"PUB a.b", Textual::More),
            (b"P", Textual::More),
            (b"PUB a.b five\r\n", Textual::No),
            (b"PUBLISH\r\n", Textual::No),
            (b"GET / HTTP/1.1\r\n", Textual::No),
        ] {
            assert_eq!(read(octets), expected, "{}", octets.escape_ascii());
        }
        assert_eq!(
            (FORMAT.opens)(b"INFO {\"server_id\":\"x\"}\r\n"),
            Probe::Yes
        );
        assert_eq!((FORMAT.opens)(b"CONNECT a:443 HTTP/1.1\r\n"), Probe::No);
        assert_eq!((FORMAT.opens)(b"PING\r\n"), Probe::No);
    }
}
