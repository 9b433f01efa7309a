//! AMQP 0-9-1 and 1.0.

use super::super::fields::MessageFields;
use super::super::length::{LengthField, LengthProtocol, LengthRow, Scan, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{SHOWN, escape, named_number};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "amqp",
    about: "AMQP 0-9-1 and 1.0",
    ports: &[5672],
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    numbers_again: true,
    fields: Some(fields),
    field_names: &[
        "method",
        "exchange",
        "routing_key",
        "queue",
        "vhost",
        "reply",
        "content_type",
    ],
    #[cfg(test)]
    samples: &[
        ("414d5150 00000901", Kind::Other),
        ("01 0000 00000004 000a 000b ce", Kind::Response),
        ("01 0001 00000004 0032 000a ce", Kind::Request),
        ("00000010 02 00 0000 0053180000000000", Kind::Other),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::By(whole_len),
    header: 12,
    is_plausible,
    self_evident: |m| m.starts_with(b"AMQP"),
    scan: Scan::Octets(0, b"AMQP"),
    follows,
    kind,
    sort: |m| u8::from(octet(m, 0) == 0),
    // Few connections have more than 255 channels: where a frame is looked for, most with such a number are chance.
    sound: |m| !matches!(octet(m, 0), 1..=3) || octet(m, 1) == 0,
    told: |m| match octet(m, 0) {
        b'A' => None,
        0 => Some((0..4, 3)),
        _ => Some((0..7, 6)),
    },
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Amqp;

impl LengthProtocol for Amqp {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// The protocol header has no length; frames of 0-9-1 have one octet behind what it counts, those of 1.0 count all.
fn whole_len(m: &[u8]) -> Option<Option<u64>> {
    let first = *m.first()?;
    Some(match first {
        b'A' => Some(8),
        1 | 2 | 3 | 8 => {
            if m.len() < 7 {
                return None;
            }
            Some(number(m, 3, 4) + 8)
        }
        0 => {
            if m.len() < 4 {
                return None;
            }
            Some(number(m, 0, 4))
        }
        _ => None,
    })
}

/// A connection speaks one version: the first octet of a frame of 1.0 is the first of a length, and 0 but for frames of 16 MiB; one of
/// 0-9-1 has a type there. In a channel of 0-9-1 a header of content follows a method, and a piece of its body the header or another
/// piece (4.2.6).
fn follows(before: &[u8], next: &[u8]) -> bool {
    let (first, second) = (octet(before, 0), octet(next, 0));
    if first == b'A' || second == b'A' {
        return true;
    }
    let same = number(before, 1, 2) == number(next, 1, 2);
    match (first, second) {
        (0, 0) => true,
        (0, _) | (_, 0) => false,
        (_, 2) => first == 1 || !same,
        (_, 3) => matches!(first, 2 | 3) || !same,
        _ => true,
    }
}

fn is_plausible(m: &[u8], len: u64) -> bool {
    let size = len.saturating_sub(8);
    let closed = usize::try_from(len)
        .ok()
        .and_then(|len| m.get(len.checked_sub(1)?))
        .is_none_or(|end| *end == 0xce);
    match octet(m, 0) {
        b'A' => {
            m.starts_with(b"AMQP")
                && (matches!(m.get(4..8), Some([0, 0, 9, 0 | 1] | [1, 1, ..]))
                    || matches!(m.get(4..8), Some([0..=3, 1, 0, 0])))
        }
        1 => {
            closed && size >= 4 && matches!(number(m, 7, 2), 10 | 20 | 30 | 40 | 50 | 60 | 85 | 90)
        }
        2 => closed && size >= 14 && number(m, 7, 2) == 60,
        3 => closed && len < 1 << 31,
        8 => closed && size == 0 && number(m, 1, 2) == 0,
        // Octets 4 and 5: where the body begins, in units of four octets, and the type of the frame.
        0 => {
            let body = u64::from(octet(m, 4)) * 4;
            len >= 8 && body >= 8 && body <= len && octet(m, 5) <= 1
        }
        _ => false,
    }
}

/// Class and method of a method that is answered, and whether this is the answer (AMQP 0-9-1, 1.3): its number is the next one, but for
/// `get`, which has two.
fn method(m: &[u8]) -> Option<(u64, u64, bool)> {
    if octet(m, 0) != 1 {
        return None;
    }
    let (class, method) = (number(m, 7, 2), number(m, 9, 2));
    let asks = |method: u64| {
        matches!(
            (class, method),
            (10, 10 | 20 | 30 | 40 | 50)
                | (20, 10 | 20 | 40)
                | (40, 10 | 20 | 40)
                | (50, 10 | 20 | 30 | 40 | 50)
                | (60, 10 | 20 | 30 | 70 | 110)
                | (85, 10)
                | (90, 10 | 20 | 30)
        )
    };
    let asked = match (class, method) {
        (60, 72) => 70,
        (40, 51) => 40,
        (_, method) if asks(method) => return Some((class, method, false)),
        _ => method.checked_sub(1)?,
    };
    asks(asked).then_some((class, asked, true))
}

fn kind(m: &[u8]) -> Kind {
    match method(m) {
        Some((.., true)) => Kind::Response,
        Some((.., false)) => Kind::Request,
        None => Kind::Other,
    }
}

/// The channel and the method that is answered: a channel has one under way at a time.
fn transaction(m: &[u8]) -> Option<u64> {
    let (class, method, _) = method(m)?;
    Some(number(m, 1, 2) << 32 | class << 16 | method)
}

/// Takes the values of a method, one after the other (AMQP 0-9-1, 4.2.5).
struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (octets, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(octets)
    }

    fn number(&mut self, count: usize) -> Option<u64> {
        self.octets(count).map(|octets| number(octets, 0, count))
    }

    /// A short string: its length is one octet.
    fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.octets(1)?;
        self.octets(len[0].into())
    }
}

/// What a method or a header of content names, and by which name.
type Named<'a> = (&'static str, &'a [u8]);

/// Appends to `named` what a frame names, as far as it goes (AMQP 0-9-1, 1.4 to 1.8); and returns the number of a reply.
fn names<'a>(m: &'a [u8], named: &mut Vec<Named<'a>>) -> Option<u64> {
    let mut a = Arguments(m.get(11..)?);
    // Texts that stand one behind another, what of them has a name.
    let mut texts = |a: &mut Arguments<'a>, of: &[&'static str]| {
        for name in of {
            let text = a.text()?;
            if !name.is_empty() && !text.is_empty() {
                named.push((name, text));
            }
        }
        Some(())
    };
    if octet(m, 0) == 2 {
        // The length of the body, and which properties there are.
        let mut a = Arguments(m.get(19..)?);
        if a.number(2)? & 0x8000 != 0 {
            texts(&mut a, &["content_type"]);
        }
        return None;
    }
    match (number(m, 7, 2), number(m, 9, 2)) {
        (10, 40) => {
            texts(&mut a, &["vhost"]);
        }
        (10, 50) | (20, 40) => {
            let code = a.number(2)?;
            texts(&mut a, &["reply"]);
            return Some(code);
        }
        (40, 10 | 20) => {
            a.number(2)?;
            texts(&mut a, &["exchange"]);
        }
        (50, 10 | 30 | 40) | (60, 20 | 70) => {
            a.number(2)?;
            texts(&mut a, &["queue"]);
        }
        (50, 11) => {
            texts(&mut a, &["queue"]);
        }
        (50, 20 | 50) => {
            a.number(2)?;
            texts(&mut a, &["queue", "exchange", "routing_key"]);
        }
        (60, 40) => {
            a.number(2)?;
            texts(&mut a, &["exchange", "routing_key"]);
        }
        (60, 50) => {
            let code = a.number(2)?;
            texts(&mut a, &["reply", "exchange", "routing_key"]);
            return Some(code);
        }
        (60, 60) => {
            a.text()?;
            a.octets(9)?;
            texts(&mut a, &["exchange", "routing_key"]);
        }
        (60, 71) => {
            a.octets(9)?;
            texts(&mut a, &["exchange", "routing_key"]);
        }
        _ => {}
    }
    None
}

/// What a frame of 1.0 does (AMQP 1.0, 2.7 and the part on security, 5.3.3): its first octets say where that stands.
fn performative(m: &[u8]) -> Option<&'static str> {
    let at = usize::from(octet(m, 4)) * 4;
    if number(m, 0, 4) == at as u64 {
        return Some("heartbeat");
    }
    let &[0, 0x53, code] = m.get(at..)?.first_chunk()? else {
        return None;
    };
    Some(match code {
        0x10 => "open",
        0x11 => "begin",
        0x12 => "attach",
        0x13 => "flow",
        0x14 => "transfer",
        0x15 => "disposition",
        0x16 => "detach",
        0x17 => "end",
        0x18 => "close",
        0x40 => "SASL mechanisms",
        0x41 => "SASL init",
        0x42 => "SASL challenge",
        0x43 => "SASL response",
        0x44 => "SASL outcome",
        _ => return None,
    })
}

/// What is done, and what is named with it.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    does(m, out);
    if !matches!(octet(m, 0), 1 | 2) {
        return true;
    }
    let mut named = Vec::new();
    if let Some(code) = names(m, &mut named) {
        let _ = write!(out, " {code}");
    }
    for (name, text) in named {
        out.push_str(match name {
            "exchange" => " x=",
            "routing_key" => " rk=",
            "queue" => " q=",
            "vhost" => " vhost=",
            _ => " ",
        });
        escape(text.get(..SHOWN).unwrap_or(text), out);
    }
    true
}

/// What of a message has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    if octet(m, 0) == 1 {
        to.write("method", |out| does(m, out));
    }
    let mut named = Vec::new();
    if matches!(octet(m, 0), 1 | 2) {
        names(m, &mut named);
    }
    for (name, text) in named {
        to.text(name, text);
    }
}

/// Class and method, or the kind of the frame.
fn does(m: &[u8], out: &mut String) {
    match octet(m, 0) {
        b'A' => {
            out.push_str("protocol header");
            // 0-9-1 has the number of the protocol ahead of its version, which is a dash in its name.
            let _ = match m.get(4..8) {
                Some([0, 0, 9, 1]) => write!(out, " 0-9-1"),
                Some([_, major, minor, revision]) => write!(out, " {major}.{minor}.{revision}"),
                _ => Ok(()),
            };
        }
        0 if performative(m).is_some() => out.push_str(performative(m).unwrap_or_default()),
        1 => {
            let classes = [
                (10, "connection"),
                (20, "channel"),
                (40, "exchange"),
                (50, "queue"),
                (60, "basic"),
                (85, "confirm"),
                (90, "tx"),
            ];
            named_number(&classes, number(m, 7, 2), out);
            out.push('.');
            let known = match (number(m, 7, 2), number(m, 9, 2)) {
                (10, 10) => "start",
                (10, 11) => "start-ok",
                (10, 30) => "tune",
                (10, 31) => "tune-ok",
                (10, 40) | (20, 10) => "open",
                (10, 41) | (20, 11) => "open-ok",
                (10, 50) | (20, 40) => "close",
                (10, 51) | (20, 41) => "close-ok",
                (40 | 50, 10) => "declare",
                (40 | 50, 11) => "declare-ok",
                (50, 20) => "bind",
                (50, 21) => "bind-ok",
                (50, 30) => "purge",
                (50, 31) => "purge-ok",
                (50, 40) => "delete",
                (50, 41) => "delete-ok",
                (50, 50) => "unbind",
                (50, 51) => "unbind-ok",
                (60, 30) => "cancel",
                (60, 31) => "cancel-ok",
                (60, 10) => "qos",
                (60, 11) => "qos-ok",
                (60, 20) => "consume",
                (60, 21) => "consume-ok",
                (60, 40) => "publish",
                (60, 50) => "return",
                (60, 60) => "deliver",
                (60, 70) => "get",
                (60, 71) => "get-ok",
                (60, 72) => "get-empty",
                (60, 80) => "ack",
                (60, 90) => "reject",
                (60, 120) => "nack",
                (85 | 90, 10) => "select",
                (85 | 90, 11) => "select-ok",
                _ => "",
            };
            out.push_str(known);
            if known.is_empty() {
                let _ = write!(out, "{}", number(m, 9, 2));
            }
        }
        kind => named_number(
            &[
                (2, "content header"),
                (3, "content body"),
                (8, "heartbeat"),
                (0, "frame"),
            ],
            u64::from(kind),
            out,
        ),
    }
    if octet(m, 0) == 2 && m.len() >= 19 {
        let _ = write!(out, ", {} bytes", number(m, 11, 8));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }

    #[test]
    fn frames_follow_each_other_within_a_channel_and_a_version() {
        let frame = |kind: u8, channel: u8| [kind, 0, channel, 0, 0, 0, 4];
        let newer = [0, 0, 0, 8, 2, 0, 0];
        for (before, next, follow) in [
            (frame(1, 1), frame(2, 1), true),
            (frame(2, 1), frame(3, 1), true),
            (frame(3, 1), frame(3, 1), true),
            (frame(3, 1), frame(1, 1), true),
            (frame(1, 1), frame(3, 1), false),
            (frame(3, 1), frame(2, 1), false),
            (frame(1, 2), frame(3, 1), true),
            (newer, newer, true),
            (newer, frame(1, 1), false),
            (frame(3, 1), newer, false),
        ] {
            assert_eq!(follows(&before, &next), follow, "{before:?} {next:?}");
        }
    }

    #[test]
    fn summaries() {
        for (octets, expected) in [
            (
                &b"\x01\0\x01\0\0\0\x04\0\x3c\0\x28\xce"[..],
                "basic.publish",
            ),
            (b"\x01\0\x01\0\0\0\x04\0\x3c\0\x29\xce", "basic.41"),
            (
                b"\x01\0\x01\0\0\0\x10\0\x3c\0\x28\0\0\x03ex\n\x05a.b.c\0\xce",
                "basic.publish x=ex\\n rk=a.b.c",
            ),
            (
                b"\x01\0\x01\0\0\0\x1a\0\x3c\0\x3c\x02ct\0\0\0\0\0\0\0\x01\0\0\x05tasks\xce",
                "basic.deliver rk=tasks",
            ),
            (
                b"\x01\0\x01\0\0\0\x10\0\x32\0\x0a\0\0\x03jobs",
                "queue.declare q=job",
            ),
            (
                b"\x01\0\0\0\0\0\x0e\0\x0a\0\x32\x01\x40\x03bye\0\0\0\0\xce",
                "connection.close 320 bye",
            ),
            (
                b"\x02\0\x01\0\0\0\x19\0\x3c\0\0\0\0\0\0\0\0\0\x2a\x80\0\x0atext/plain\xce",
                "content header, 42 bytes text/plain",
            ),
            // Cut inside a name: nothing is made up.
            (
                b"\x01\0\x01\0\0\0\x10\0\x3c\0\x28\0\0\x30ex",
                "basic.publish",
            ),
            (b"AMQP\0\0\x09\x01", "protocol header 0-9-1"),
            (b"AMQP\x03\x01\0\0", "protocol header 1.0.0"),
            (b"\0\0\0\x10\x02\0\0\0\0\x53\x18\0\0\0\0\0", "close"),
            (b"\0\0\0\x08\x02\0\0\0", "heartbeat"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }
}
