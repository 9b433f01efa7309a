//! MQTT 3.1, 3.1.1 and 5.

use super::super::fields::MessageFields;
use super::super::length::{LengthField, LengthProtocol, LengthRow, Scan, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::escape;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "mqtt",
    about: "MQTT 3.1, 3.1.1 and 5",
    ports: &[1883],
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    numbers_again: true,
    fields: Some(fields),
    field_names: &["type", "topic", "client_id"],
    #[cfg(test)]
    samples: &[
        ("100c 00044d515454 04 02 003c 0000", Kind::Request),
        ("3005 0001 61 6869", Kind::Other),
        ("c000", Kind::Request),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::Mqtt { at: 1 },
    header: 9,
    is_plausible,
    self_evident: |m| octet(m, 0) == 0x10,
    scan: Scan::Octets(0, &[0x10]),
    min_chain: 2,
    // A PUBLISH with a topic of some length.
    distinctive: |m| octet(m, 0) >> 4 == 3 && number(m, body(m), 2) >= 4,
    first: |m| octet(m, 0) == 0x20,
    kind,
    told: |m| Some((0..body(m), 1)),
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mqtt;

impl LengthProtocol for Mqtt {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// MQTT 5, 2.1; the lengths and flags that every packet of its type has.
fn is_plausible(m: &[u8], len: u64) -> bool {
    let (first, from) = (octet(m, 0), body(m));
    let (flags, rest) = (first & 15, len.saturating_sub(from as u64));
    let word = number(m, from, 2);
    // A reason code; properties, with their length, up to the end; the name of a topic with its length (MQTT 5, 2.2.2, 2.4).
    let code = |at: usize| matches!(octet(m, from + at), 0..=4 | 0x10..=0x19 | 0x80..=0xa2);
    let properties =
        |at: usize| rest > at as u64 && u64::from(octet(m, from + at)) + 1 + at as u64 == rest;
    let topic = |at: usize| {
        let len = number(m, from + at, 2);
        len > 0 && len + at as u64 + 2 <= rest && octet(m, from + at + 2) >= b' '
    };
    match first >> 4 {
        1 => {
            let name = m.get(from..).unwrap_or_default();
            flags == 0
                && rest >= 10
                && (name.starts_with(b"\0\x04MQTT") || name.starts_with(b"\0\x06MQIsdp"))
        }
        2 => flags == 0 && octet(m, from) <= 1 && (rest == 2 || properties(2)),
        3 => {
            let topic = m.get(from + 2..).unwrap_or_default();
            let topic = &topic[..topic.len().min(usize::try_from(word).unwrap_or(0))];
            let qos = flags >> 1 & 3;
            let clean = topic
                .iter()
                .all(|o| *o >= b' ' && *o != 0x7f && *o != b'#' && *o != b'+');
            qos != 3
                && (flags & 8 == 0 || qos > 0)
                && word + 2 + if qos > 0 { 2 } else { 0 } <= rest
                && clean
                && (word > 0 || rest > 3)
        }
        4 | 5 | 7 if flags == 0 => word > 0 && (rest == 2 || rest == 3 && code(2) || properties(3)),
        6 if flags == 2 => word > 0 && (rest == 2 || rest == 3 && code(2) || properties(3)),
        8 | 10 => flags == 2 && word > 0 && (topic(2) || (octet(m, from + 2) == 0 && topic(3))),
        9 => {
            flags == 0
                && word > 0
                && (3..1024).contains(&rest)
                && (code(2) || octet(m, from + 2) < 64 && rest > 3 && code(3))
        }
        11 => {
            flags == 0
                && word > 0
                && (rest == 2 || octet(m, from + 2) == 0 && (4..64).contains(&rest) && code(3))
        }
        12 | 13 => flags == 0 && rest == 0,
        14 => flags == 0 && (rest == 0 || code(0) && (rest == 1 || properties(1))),
        15 => flags == 0 && (rest == 0 || properties(1)),
        _ => false,
    }
}

/// Where the length of an MQTT packet ends.
fn body(m: &[u8]) -> usize {
    LengthField::Mqtt { at: 1 }
        .read(m)
        .flatten()
        .map_or(2, |(_, end)| end)
}

fn kind(m: &[u8]) -> Kind {
    match octet(m, 0) >> 4 {
        1 | 8 | 10 | 12 => Kind::Request,
        2 | 9 | 11 | 13 => Kind::Response,
        _ => Kind::Other,
    }
}

/// The packet identifier, and which kind of packet is acknowledged (MQTT 5, 2.2.1); to connect and to ping have none.
fn transaction(m: &[u8]) -> Option<u64> {
    match octet(m, 0) >> 4 {
        kind @ (8 | 10) => Some(u64::from(kind) << 16 | number(m, body(m), 2)),
        kind @ (9 | 11) => Some(u64::from(kind - 1) << 16 | number(m, body(m), 2)),
        kind @ (1 | 12) => Some(u64::from(kind) << 16),
        kind @ (2 | 13) => Some(u64::from(kind - 1) << 16),
        _ => None,
    }
}

/// The types are numbered from 1 on (MQTT 5, 2.1.2).
const NAMES: [&str; 15] = [
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// The type of the packet, and the topic or client that it names.
fn summary(transport: Transport, m: &[u8], out: &mut String) -> bool {
    let kind = usize::from(octet(m, 0) >> 4);
    let Some(name) = kind.checked_sub(1).and_then(|n| NAMES.get(n)) else {
        return false;
    };
    out.push_str(name);
    if let Some((_, name)) = name_of(transport, m).filter(|(_, name)| !name.is_empty()) {
        out.push(' ');
        escape(name, out);
    }
    true
}

/// The type, and what such a packet names: the topic of a PUBLISH, the first topic filter of those that ask for some, the client that
/// connects.
fn name_of(_: Transport, m: &[u8]) -> Option<(u8, &[u8])> {
    let kind = octet(m, 0) >> 4;
    let (_, at) = LengthField::Mqtt { at: 1 }.read(m)??;
    let at = match kind {
        3 => at,
        // Behind the packet identifier, and in version 5 the properties, of which there are mostly none.
        8 | 10 if octet(m, at + 2) == 0 && octet(m, at + 3) == 0 => at + 3,
        8 | 10 => at + 2,
        // Behind the protocol's name, its level, flags and keep-alive (MQTT 3.1.1, 3.1).
        1 => {
            let name = usize::try_from(number(m, at, 2)).ok()?;
            let level = octet(m, at + 2 + name);
            let at = at + 2 + name + 4;
            // Version 5 has properties in between.
            if level >= 5 {
                at + 1 + usize::from(octet(m, at))
            } else {
                at
            }
        }
        _ => return None,
    };
    let len = usize::try_from(number(m, at, 2)).ok()?;
    Some((kind, m.get(at + 2..at + 2 + len)?))
}

/// What of a message has a name, as its summary has it: the type, and what stands behind that.
fn fields(transport: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let Some(name) = (octet(m, 0) >> 4)
        .checked_sub(1)
        .and_then(|n| NAMES.get(usize::from(n)))
    else {
        return;
    };
    to.text("type", name.as_bytes());
    match name_of(transport, m) {
        Some((1, client)) => to.text("client_id", client),
        Some((_, topic)) => to.text("topic", topic),
        None => {}
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
    fn summaries() {
        for (octets, expected) in [
            (&b"\x30\x05\0\x03a/b"[..], "PUBLISH a/b"),
            (b"\xc0\0", "PINGREQ"),
            (b"\x82\x08\0\x01\0\x03a/#\0", "SUBSCRIBE a/#"),
            (b"\x82\x09\0\x01\0\0\x03a/#\0", "SUBSCRIBE a/#"),
            (b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03dev", "CONNECT dev"),
            (
                b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\0\0\x03dev",
                "CONNECT dev",
            ),
            (b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", "CONNECT"),
            (b"\0\0", ""),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }
}
