//! MQTT 3.1, 3.1.1 and 5.

use super::super::fields::MessageFields;
use super::super::length::{LengthField, LengthProtocol, LengthRow, Scan, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{SHOWN, escape};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "mqtt",
    alpn: &["mqtt"],
    about: "MQTT 3.1, 3.1.1 and 5",
    ports: &[1883],
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    numbers_again: true,
    fields: Some(fields),
    field_names: &["type", "packet_id", "topic", "client_id", "error"],
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

/// Topics that a summary shows of one packet, at most.
const TOPICS: usize = 8;

/// What a server refuses a connection for, from 1 on (MQTT 3.1.1, 3.2.2.3).
const REFUSALS: [&str; 5] = [
    "unacceptable protocol version",
    "client identifier rejected",
    "server unavailable",
    "bad user name or password",
    "not authorized",
];

/// Reason codes from 0x80 on (MQTT 5, 2.4); in version 3 the first of them is all there is.
const REASONS: [&str; 35] = [
    "unspecified error",
    "malformed packet",
    "protocol error",
    "implementation specific error",
    "unsupported protocol version",
    "client identifier not valid",
    "bad user name or password",
    "not authorized",
    "server unavailable",
    "server busy",
    "banned",
    "server shutting down",
    "bad authentication method",
    "keep alive timeout",
    "session taken over",
    "topic filter invalid",
    "topic name invalid",
    "packet identifier in use",
    "packet identifier not found",
    "receive maximum exceeded",
    "topic alias invalid",
    "packet too large",
    "message rate too high",
    "quota exceeded",
    "administrative action",
    "payload format invalid",
    "retain not supported",
    "QoS not supported",
    "use another server",
    "server moved",
    "shared subscriptions not supported",
    "connection rate exceeded",
    "maximum connect time",
    "subscription identifiers not supported",
    "wildcard subscriptions not supported",
];

/// Appends what a code of refusal means.
fn reason(code: u8, out: &mut String) {
    let place = usize::from(code);
    let name = match code {
        0x80.. => REASONS.get(place - 0x80),
        _ => place.checked_sub(1).and_then(|place| REFUSALS.get(place)),
    };
    match name {
        Some(name) => out.push_str(name),
        None => {
            let _ = write!(out, "code 0x{code:02x}");
        }
    }
}

/// Codes of refusal in an answer, or in what ends a connection.
fn refusals(m: &[u8]) -> Vec<u8> {
    let at = body(m);
    let code = match octet(m, 0) >> 4 {
        // Behind a flag; the codes of version 3 are small.
        2 => Some(octet(m, at + 1)).filter(|code| *code != 0),
        // Behind the packet identifier.
        4..=7 => Some(octet(m, at + 2)),
        14 => Some(octet(m, at)),
        // A code for each topic; in version 5 properties stand ahead of them, which are no such codes.
        9 | 11 => {
            let codes = m.get(at + 2..).unwrap_or_default();
            return codes.iter().copied().filter(|code| *code >= 0x80).collect();
        }
        _ => None,
    };
    let refuses = |code: &u8| *code >= 0x80 || octet(m, 0) >> 4 == 2;
    code.filter(refuses).into_iter().collect()
}

/// The packet identifier, where such a packet has one (MQTT 5, 2.2.1): behind the topic of what is published with QoS 1 or 2.
fn packet_id(m: &[u8]) -> Option<u64> {
    let at = match octet(m, 0) >> 4 {
        3 if octet(m, 0) & 6 != 0 => {
            let topic = usize::try_from(number(m, body(m), 2)).ok()?;
            body(m) + 2 + topic
        }
        4..=11 => body(m),
        _ => return None,
    };
    m.get(at..at + 2).map(|id| number(id, 0, 2))
}

/// The type of the packet, its identifier, the topics or the client that it names, and why something is refused.
fn summary(transport: Transport, m: &[u8], out: &mut String) -> bool {
    let kind = usize::from(octet(m, 0) >> 4);
    let Some(name) = kind.checked_sub(1).and_then(|n| NAMES.get(n)) else {
        return false;
    };
    out.push_str(name);
    if let Some(id) = packet_id(m) {
        let _ = write!(out, " id {id}");
    }
    if let Some((_, name)) = name_of(transport, m).filter(|(_, name)| !name.is_empty()) {
        out.push(' ');
        escape(name, out);
        for (shown, name) in (1..).zip(more_topics(m)) {
            out.push_str(", ");
            if shown == TOPICS || out.len() > SHOWN {
                out.push_str("...");
                break;
            }
            escape(name, out);
        }
    }
    let refused = refusals(m);
    if let Some(first) = refused.first() {
        out.push_str(match refused.len() {
            _ if kind == 14 => ", error: ",
            1 => ", refused: ",
            _ => ", some refused: ",
        });
        reason(*first, out);
    }
    true
}

/// The topics behind the first of those that a packet asks for.
fn more_topics(m: &[u8]) -> impl Iterator<Item = &[u8]> {
    let kind = octet(m, 0) >> 4;
    // Each has options behind it where it is asked for.
    let behind = usize::from(kind == 8);
    let mut at = topics_at(m, kind);
    let end = length(m);
    std::iter::from_fn(move || {
        let begin = at?;
        let len = usize::try_from(number(m, begin, 2)).ok()?;
        let next = begin + 2 + len + behind;
        at = Some(next).filter(|next| next + 2 < end);
        m.get(begin + 2..begin + 2 + len)
    })
    .skip(1)
}

/// Octets of the whole packet.
fn length(m: &[u8]) -> usize {
    let read = LengthField::Mqtt { at: 1 }.read(m).flatten();
    let end = read.and_then(|(len, at)| usize::try_from(len).ok()?.checked_add(at));
    end.unwrap_or(m.len()).min(m.len())
}

/// Where the topics of a packet begin that asks for some: behind the packet identifier, and in version 5 the properties, of which
/// there are mostly none.
fn topics_at(m: &[u8], kind: u8) -> Option<usize> {
    let at = body(m);
    match kind {
        8 | 10 if octet(m, at + 2) == 0 && octet(m, at + 3) == 0 => Some(at + 3),
        8 | 10 => Some(at + 2),
        _ => None,
    }
}

/// The type, and what such a packet names: the topic of a PUBLISH, the first topic filter of those that ask for some, the client that
/// connects.
fn name_of(_: Transport, m: &[u8]) -> Option<(u8, &[u8])> {
    let kind = octet(m, 0) >> 4;
    let (_, at) = LengthField::Mqtt { at: 1 }.read(m)??;
    let at = match kind {
        3 => at,
        8 | 10 => topics_at(m, kind)?,
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
    if let Some(id) = packet_id(m) {
        to.number("packet_id", id);
    }
    match name_of(transport, m) {
        Some((1, client)) => to.text("client_id", client),
        Some((_, topic)) => to.text("topic", topic),
        None => {}
    }
    if let Some(code) = refusals(m).first() {
        to.write("error", |out| reason(*code, out));
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
            (b"\x32\x07\0\x03a/b\x01\x02", "PUBLISH id 258 a/b"),
            (b"\x62\x02\0\x07", "PUBREL id 7"),
            (b"\xc0\0", "PINGREQ"),
            (b"\x82\x08\0\x01\0\x03a/#\0", "SUBSCRIBE id 1 a/#"),
            (b"\x82\x09\0\x01\0\0\x03a/#\0", "SUBSCRIBE id 1 a/#"),
            (
                b"\x82\x0e\0\x01\0\x03a/#\0\0\x03b/+\x01",
                "SUBSCRIBE id 1 a/#, b/+",
            ),
            (
                b"\xa2\x0c\0\x01\0\x03a/#\0\x03b/+",
                "UNSUBSCRIBE id 1 a/#, b/+",
            ),
            (b"\x20\x02\0\x05", "CONNACK, refused: not authorized"),
            (b"\x20\x02\0\0", "CONNACK"),
            (
                b"\x20\x03\0\x86\0",
                "CONNACK, refused: bad user name or password",
            ),
            (
                b"\x90\x03\0\x01\x80",
                "SUBACK id 1, refused: unspecified error",
            ),
            (
                b"\x90\x06\0\x01\0\x87\x02\x97",
                "SUBACK id 1, some refused: not authorized",
            ),
            (b"\x90\x04\0\x01\0\x02", "SUBACK id 1"),
            (
                b"\x40\x03\0\x01\x87",
                "PUBACK id 1, refused: not authorized",
            ),
            (b"\xe0\x01\x8e", "DISCONNECT, error: session taken over"),
            (b"\xe0\0", "DISCONNECT"),
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
