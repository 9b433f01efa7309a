//! The table of protocols with a length in their header: where it stands, and what must hold for a header to be
//! believed. A new protocol is a new row.

use super::length::{LengthField, LengthRow, number, octet};
use crate::base::message::Kind;
use memchr::{memchr, memmem};

const fn field(at: usize, width: usize) -> LengthField {
    LengthField::Field {
        at,
        width,
        little: false,
    }
}

/// The rows, in the order in which they are tried: those that can be told apart best come first.
pub(super) static ROWS: &[LengthRow] = &[
    LengthRow {
        name: "bgp",
        about: "BGP-4 (RFC 4271)",
        ports: &[179],
        length: field(16, 2),
        magic: Some((0, &[0xff; 16])),
        header: 19,
        is_plausible: bgp,
        self_evident: |_| true,
        chain: 1,
        kind: |_| Kind::Other,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "nbss",
        about: "NetBIOS session service with SMB (RFC 1002, MS-SMB, MS-SMB2)",
        ports: &[139, 445],
        length: field(1, 3),
        add: 4,
        header: 8,
        is_plausible: nbss,
        self_evident: is_smb,
        chain: 2,
        kind: nbss_kind,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "diameter",
        about: "Diameter (RFC 6733)",
        ports: &[3868],
        length: field(1, 3),
        magic: Some((0, &[1])),
        header: 28,
        is_plausible: diameter,
        self_evident: |_| true,
        chain: 2,
        kind: |m| response_if(octet(m, 4) & 0x80 == 0),
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "doip",
        about: "Diagnostics over IP (ISO 13400-2)",
        ports: &[13400],
        length: field(4, 4),
        add: 8,
        header: 8,
        is_plausible: doip,
        self_evident: |_| true,
        chain: 2,
        kind: doip_kind,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "amqp",
        about: "AMQP 0-9-1 and 1.0",
        ports: &[5672],
        length: LengthField::By(amqp_len),
        header: 12,
        is_plausible: amqp,
        self_evident: |m| m.starts_with(b"AMQP"),
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "mqtt",
        about: "MQTT 3.1, 3.1.1 and 5",
        ports: &[1883],
        length: LengthField::Mqtt { at: 1 },
        header: 9,
        is_plausible: mqtt,
        self_evident: |m| octet(m, 0) == 0x10,
        min_chain: 2,
        // A PUBLISH with a topic of some length.
        distinctive: |m| octet(m, 0) >> 4 == 3 && number(m, mqtt_body(m), 2) >= 4,
        first: |m| octet(m, 0) == 0x20,
        kind: mqtt_kind,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "ldap",
        about: "LDAP (RFC 4511)",
        ports: &[389, 3268],
        length: LengthField::Ber { at: 1 },
        magic: Some((0, &[0x30])),
        header: 14,
        is_plausible: |m, len| ldap_operation(m, len).is_some(),
        self_evident: |m| matches!(ldap_operation(m, SOME), Some(0x60 | 0x63 | 0x77)),
        kind: ldap_kind,
        switches_protocol: ldap_leaves,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "mysql",
        about: "MySQL and MariaDB",
        ports: &[3306],
        length: LengthField::Field {
            at: 0,
            width: 3,
            little: true,
        },
        add: 4,
        header: 16,
        is_plausible: |m, len| len > 4 || octet(m, 3) > 0,
        self_evident: mysql_greeting,
        min_chain: 2,
        follows: |a, b| {
            octet(b, 3) == octet(a, 3).wrapping_add(1)
                || octet(b, 3) == 0
                || (octet(b, 3) == 1 && octet(a, 3) > 1)
        },
        kind: |m| {
            if octet(m, 3) == 0 && !mysql_greeting(m) {
                Kind::Request
            } else {
                Kind::Response
            }
        },
        switches_protocol: mysql_leaves,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "someip",
        about: "SOME/IP (AUTOSAR)",
        ports: &[30490],
        length: field(4, 4),
        add: 8,
        header: 16,
        is_plausible: someip,
        self_evident: |_| true,
        chain: 2,
        kind: |m| match octet(m, 14) & !0x20 {
            0 => Kind::Request,
            0x80 | 0x81 => Kind::Response,
            _ => Kind::Other,
        },
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "tpkt",
        about: "TPKT with COTP: S7, RDP, H.323 (RFC 1006)",
        ports: &[102, 1720, 3389],
        length: field(2, 2),
        magic: Some((0, &[3, 0])),
        header: 7,
        is_plausible: tpkt,
        self_evident: |m| matches!(octet(m, 5), 0xe0 | 0xd0) && number(m, 6, 2) == 0,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "mbtcp",
        about: "Modbus/TCP",
        ports: &[502],
        length: field(4, 2),
        add: 6,
        header: 8,
        is_plausible: modbus,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "104apci",
        about: "IEC 60870-5-104",
        ports: &[2404],
        length: field(1, 1),
        add: 2,
        magic: Some((0, &[0x68])),
        header: 6,
        is_plausible: iec104,
        min_chain: 2,
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "mongo",
        about: "MongoDB",
        ports: &[27017, 27018, 27019],
        length: LengthField::Field {
            at: 0,
            width: 4,
            little: true,
        },
        header: 16,
        is_plausible: mongo,
        self_evident: |m| number(m, 8, 4) == 0,
        chain: 2,
        kind: |m| response_if(number(m, 8, 4) != 0),
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "dns",
        about: "DNS (RFC 1035, 4.2.2)",
        ports: &[53],
        length: field(0, 2),
        add: 2,
        header: 14,
        is_plausible: |m, len| dns(m.get(2..).unwrap_or_default(), len.saturating_sub(2)),
        kind: |m| response_if(octet(m, 4) & 0x80 != 0),
        ..LengthRow::USUAL
    },
    LengthRow {
        name: "websocket",
        about: "WebSocket (RFC 6455), behind an upgrade of HTTP",
        length: LengthField::By(websocket_len),
        header: 2,
        is_plausible: websocket,
        chain: 4,
        min_chain: 3,
        follows: websocket_follows,
        ..LengthRow::USUAL
    },
];

const fn response_if(response: bool) -> Kind {
    if response {
        Kind::Response
    } else {
        Kind::Request
    }
}

/// A header of DNS (RFC 1035, 4.1.1), of a message of so many octets.
pub(super) fn dns(m: &[u8], len: u64) -> bool {
    let flags = number(m, 2, 2);
    let (questions, answers) = (number(m, 4, 2), flags & 0x8000 != 0);
    let opcode = flags >> 11 & 0xf;
    let known = matches!(opcode, 0..=2 | 4..=6) && flags & 0x0040 == 0;
    let records = number(m, 6, 2) + number(m, 8, 2) + number(m, 10, 2);
    // A question takes five octets and a record eleven, at least.
    let room = 12 + 5 * questions + 11 * records <= len;
    // An inverse query has its question among the answers (RFC 1035, 6.4).
    let asks = questions > 0 || answers || (opcode == 1 && records > 0);
    m.len() >= 12 && known && room && (questions <= 1 || opcode == 0) && asks
}

/// RFC 4271, 4.1; RFC 8654 for long messages.
fn bgp(m: &[u8], len: u64) -> bool {
    match octet(m, 18) {
        1 => len >= 29,
        2 => len >= 23,
        3 => len >= 21,
        4 => len == 19,
        5 => len >= 23,
        6 => len >= 21,
        _ => false,
    }
}

/// RFC 6733, 3 and 4.1.
fn diameter(m: &[u8], len: u64) -> bool {
    let flags = octet(m, 4);
    let application = number(m, 8, 4);
    let known = application < 0x100 || application >> 24 == 1 || application == 0xffff_ffff;
    // An error is an answer.
    let sound = flags & 0x0f == 0 && flags & 0xa0 != 0xa0 && number(m, 5, 3) > 0;
    let avp = if len > 20 {
        let avp_len = number(m, 25, 3);
        len >= 28 && avp_len >= 8 && avp_len <= len - 20 && octet(m, 24) & 0x1f == 0
    } else {
        len == 20
    };
    len.is_multiple_of(4) && known && sound && avp
}

fn is_smb(m: &[u8]) -> bool {
    octet(m, 0) == 0 && m.get(5..8) == Some(b"SMB") && matches!(octet(m, 4), 0xfc..=0xff)
}

/// RFC 1002, 4.3; SMB over TCP has only session messages, whose length has 24 bits.
fn nbss(m: &[u8], len: u64) -> bool {
    match octet(m, 0) {
        0 => is_smb(m),
        0x81 => len == 72,
        0x82 | 0x85 => len == 4,
        0x83 => len == 5,
        0x84 => len == 10,
        _ => false,
    }
}

fn nbss_kind(m: &[u8]) -> Kind {
    match octet(m, 4) {
        // Flags: the reply bit; SMB2: flags of 32 bits, little endian.
        0xff => response_if(octet(m, 13) & 0x80 != 0),
        0xfe => response_if(octet(m, 20) & 1 != 0),
        _ => Kind::Other,
    }
}

fn doip(m: &[u8], len: u64) -> bool {
    let version = octet(m, 0);
    let kind = number(m, 2, 2);
    matches!(version, 1..=4 | 0xff)
        && octet(m, 1) == !version
        && len < 1 << 28
        && matches!(kind, 0..=8 | 0x4001..=0x4004 | 0x8001..=0x8003)
}

fn doip_kind(m: &[u8]) -> Kind {
    match number(m, 2, 2) {
        1..=3 | 5 | 7 | 0x4001 | 0x4003 => Kind::Request,
        4 | 6 | 8 | 0x4002 | 0x4004 => Kind::Response,
        _ => Kind::Other,
    }
}

/// RFC 6455, 5.2: seven bits, or 16 or 64 behind them, in the shortest form; then the key of a client's mask.
fn websocket_len(m: &[u8]) -> Option<Option<u64>> {
    let second = *m.get(1)?;
    let key = u64::from(second >> 7) * 4;
    let (width, least, most) = match second & 0x7f {
        126 => (2, 126, 0xffff),
        127 => (8, 0x1_0000, 1 << 62),
        len => return Some(Some(2 + key + u64::from(len))),
    };
    m.get(2..2 + width)?;
    let len = number(m, 2, width);
    let sound = (least..=most).contains(&len);
    Some(sound.then(|| 2 + width as u64 + key + len))
}

/// RFC 6455, 5.2 and 5.5; the first reserved bit marks what is compressed (RFC 7692, 6).
fn websocket(m: &[u8], _: u64) -> bool {
    let (first, len) = (octet(m, 0), octet(m, 1) & 0x7f);
    match first & 0x7f {
        0..=2 | 0x41 | 0x42 => true,
        8 => first & 0x80 != 0 && len <= 125 && len != 1,
        9 | 10 => first & 0x80 != 0 && len <= 125,
        _ => false,
    }
}

/// One side masks all of its frames, or none; fragments stand next to each other, but for control frames (RFC 6455, 5.4).
fn websocket_follows(a: &[u8], b: &[u8]) -> bool {
    let control = |m| octet(m, 0) & 8 != 0;
    let goes_on = octet(a, 0) & 0x80 == 0;
    let continues = octet(b, 0) & 0xf == 0;
    octet(a, 1) & 0x80 == octet(b, 1) & 0x80 && (control(a) || control(b) || goes_on == continues)
}

/// The protocol header has no length; frames of 0-9-1 have one octet behind what it counts, those of 1.0 count all.
fn amqp_len(m: &[u8]) -> Option<Option<u64>> {
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

fn amqp(m: &[u8], len: u64) -> bool {
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

/// MQTT 5, 2.1; the lengths and flags that every packet of its type has.
fn mqtt(m: &[u8], len: u64) -> bool {
    let (first, from) = (octet(m, 0), mqtt_body(m));
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
fn mqtt_body(m: &[u8]) -> usize {
    LengthField::Mqtt { at: 1 }
        .read(m)
        .flatten()
        .map_or(2, |(_, end)| end)
}

fn mqtt_kind(m: &[u8]) -> Kind {
    match octet(m, 0) >> 4 {
        1 | 8 | 10 | 12 => Kind::Request,
        2 | 9 | 11 | 13 => Kind::Response,
        _ => Kind::Other,
    }
}

/// A length of a message where only its operation is asked for.
const SOME: u64 = 1 << 30;

/// The tag of the operation (RFC 4511, 4.1.1): a sequence, in it a message number and an operation that fits it.
fn ldap_operation(m: &[u8], len: u64) -> Option<u8> {
    let (_, at) = LengthField::Ber { at: 1 }.read(m)??;
    let id_len = usize::from(octet(m, at + 1));
    let operation = octet(m, at + 2 + id_len);
    let sound = octet(m, 0) == 0x30
        && octet(m, at) == 2
        && (1..=4).contains(&id_len)
        && octet(m, at + 2) < 0x80
        && len >= (at + 4 + id_len) as u64
        && len < 1 << 31;
    let known = matches!(operation,
        0x42 | 0x4a | 0x50 | 0x60 | 0x61 | 0x63..=0x69 | 0x6b..=0x6f | 0x73 | 0x77..=0x79);
    // The length of the operation fits into that of the message.
    let inner = match (LengthField::Ber {
        at: at + 3 + id_len,
    })
    .read(m)
    {
        Some(Some((n, end))) => n.saturating_add(end as u64) <= len,
        Some(None) => false,
        None => true,
    };
    (sound && known && inner).then_some(operation)
}

fn ldap_kind(m: &[u8]) -> Kind {
    match ldap_operation(m, SOME) {
        Some(0x61 | 0x64 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x73 | 0x78 | 0x79) => {
            Kind::Response
        }
        Some(0x60 | 0x63 | 0x66 | 0x68 | 0x4a | 0x6c | 0x6e | 0x77) => Kind::Request,
        _ => Kind::Other,
    }
}

/// The success of StartTLS (RFC 4511, 4.14).
fn ldap_leaves(m: &[u8]) -> bool {
    ldap_operation(m, SOME) == Some(0x78)
        && memmem::find(m, b"1.3.6.1.4.1.1466.20037").is_some()
        && memmem::find(m, &[0x0a, 1, 0]).is_some()
}

/// The first packet of a server, of protocol 10: its version in text.
fn mysql_greeting(m: &[u8]) -> bool {
    // No version is longer; what follows is not searched at every place anew.
    let version = m.get(5..).unwrap_or_default();
    let version = &version[..version.len().min(64)];
    let end = memchr(0, version).unwrap_or(version.len());
    octet(m, 3) == 0
        && octet(m, 4) == 10
        && number(m, 2, 1) == 0
        && end > 2
        && version[..end].iter().all(u8::is_ascii_graphic)
        && version[..end].first().is_some_and(u8::is_ascii_digit)
        && version[..end].contains(&b'.')
}

/// The request for TLS: a login packet that ends behind its fixed part, with the flag for it.
fn mysql_leaves(m: &[u8]) -> bool {
    m.len() == 36 && octet(m, 3) == 1 && octet(m, 5) & 8 != 0 && m[13..].iter().all(|o| *o == 0)
}

fn someip(m: &[u8], len: u64) -> bool {
    (16..1 << 28).contains(&len)
        && octet(m, 12) == 1
        && matches!(octet(m, 14), 0..=2 | 0x20..=0x22 | 0x40..=0x42 | 0x60..=0x62 | 0x80 | 0x81 | 0xa0 | 0xa1 | 0xc0 | 0xc1)
        && octet(m, 15) <= 0x5e
        // What is no answer has no return code (PRS_SOMEIP, 4.1.2.7).
        && (octet(m, 14) & 0x80 != 0 || octet(m, 15) == 0)
}

fn tpkt(m: &[u8], len: u64) -> bool {
    let header = u64::from(octet(m, 4));
    let cotp = matches!(octet(m, 5) & 0xf0, 0xe0 | 0xd0 | 0x80 | 0x70 | 0xc0)
        || matches!(octet(m, 5), 0xf0 | 0x10 | 0x20 | 0x50);
    // H.225 has no COTP below TPKT, but Q.931, whose first octet is 8.
    (len >= 7 && header >= 2 && header + 5 <= len && cotp) || (len >= 7 && header == 8)
}

fn modbus(m: &[u8], len: u64) -> bool {
    let function = octet(m, 7) & 0x7f;
    let known =
        matches!(function, 1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43 | 65..=72 | 90 | 100..=110);
    let error = octet(m, 7) & 0x80 == 0 || len == 9;
    number(m, 2, 2) == 0 && (8..=260).contains(&len) && known && error
}

/// IEC 60870-5-104, 5: frames of the I, S and U format.
fn iec104(m: &[u8], len: u64) -> bool {
    match octet(m, 2) & 3 {
        0 | 2 => (12..=255).contains(&len) && octet(m, 4) & 1 == 0,
        1 => len == 6 && octet(m, 2) == 1 && octet(m, 3) == 0 && octet(m, 4) & 1 == 0,
        _ => {
            len == 6
                && matches!(octet(m, 2), 0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83)
                && number(m, 3, 3) == 0
        }
    }
}

fn mongo(m: &[u8], len: u64) -> bool {
    // Little endian, so that small numbers have their octet first.
    let opcode = [octet(m, 12), octet(m, 13), octet(m, 14), octet(m, 15)];
    (16..=48_000_000 + 16_384).contains(&len)
        && matches!(u32::from_le_bytes(opcode), 1 | 2001..=2013)
}

#[cfg(test)]
mod tests {
    use super::super::framing::{Detector, Following, Found, Probe};
    use super::super::length::{Classified, LengthDetector, LengthFormat, search};
    use super::*;

    fn row(name: &str) -> &'static LengthRow {
        ROWS.iter().find(|r| r.name == name).unwrap()
    }

    /// One message of each protocol, from its specification, and its kind.
    pub(in super::super) fn samples() -> Vec<(&'static str, Vec<u8>, Kind)> {
        use Kind::{Other, Request, Response};
        let hex = |text: &str| -> Vec<u8> {
            let digits: Vec<u8> = text.bytes().filter(|c| *c != b' ').collect();
            digits
                .chunks(2)
                .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
                .collect()
        };
        let query = "0007 0100 0001 0000 0000 0000 01610000010001";
        vec![
            ("dns", hex(&format!("0013 {query}")), Request),
            (
                "bgp",
                hex("ffffffffffffffffffffffffffffffff 0013 04"),
                Other,
            ),
            (
                "nbss",
                hex("0000001c fe534d42 4000 0000 00000000 0000 0000 01000000 00000000 00000000"),
                Response,
            ),
            (
                "diameter",
                hex("0100001c 80000118 00000000 00000001 00000002 00000108 40000008"),
                Request,
            ),
            ("doip", hex("02fd 0005 00000007 0e00 00 00000000"), Request),
            ("websocket", hex("81 03 616263"), Other),
            ("websocket", hex("c1 83 01020304 616263"), Other),
            ("websocket", hex("88 80 01020304"), Other),
            ("amqp", hex("414d5150 00000901"), Other),
            ("amqp", hex("01 0000 00000004 000a 000b ce"), Other),
            ("amqp", hex("00000010 02 00 0000 0053180000000000"), Other),
            ("mqtt", hex("100c 00044d515454 04 02 003c 0000"), Request),
            ("mqtt", hex("3005 0001 61 6869"), Other),
            ("mqtt", hex("c000"), Request),
            ("ldap", hex("300c 020101 6007 020103 0400 8000"), Request),
            ("ldap", hex("300c 020101 6107 0a0100 0400 0400"), Response),
            ("mysql", hex("0a000000 0a 382e302e3336 00 0102"), Response),
            ("mysql", hex("0900 00 00 03 53454c454354 2031"), Request),
            (
                "someip",
                hex("1234 0001 00000008 0001 0001 01 01 00 00"),
                Request,
            ),
            (
                "tpkt",
                hex("0300 0016 11 e0 0000 0001 00 c1020100 c2020102 c0010a"),
                Other,
            ),
            ("mbtcp", hex("0001 0000 0006 01 03 0000 000a"), Other),
            ("104apci", hex("6804 07000000"), Other),
            (
                "mongo",
                hex("14000000 01000000 00000000 dd070000 00000000"),
                Request,
            ),
        ]
    }

    #[test]
    fn headers_of_every_protocol_are_believed() {
        for (name, m, kind) in samples() {
            let row = row(name);
            assert_eq!(
                row.classify(&m),
                Classified::Message(m.len() as u64),
                "{name} {m:02x?}"
            );
            assert_eq!(row.kind(&m), kind, "{name}");
            // More octets behind it change nothing; fewer never make it something else.
            let mut longer = m.clone();
            longer.extend(&m);
            assert_eq!(
                row.classify(&longer),
                Classified::Message(m.len() as u64),
                "{name}"
            );
            for n in 0..m.len() {
                let cut = row.classify(&m[..n]);
                let fits = cut == Classified::More || cut == Classified::Message(m.len() as u64);
                assert!(fits, "{name} cut at {n}: {cut:?}");
            }
        }
        for row in ROWS {
            assert!(
                samples().iter().any(|(name, ..)| *name == row.name),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn lengths_of_websocket() {
        let len = |second: u8, field: &[u8]| websocket_len(&[&[0x82, second], field].concat());
        assert_eq!(len(125, &[]), Some(Some(127)));
        assert_eq!(len(0x80, &[]), Some(Some(6)));
        assert_eq!(len(126, &[0]), None);
        assert_eq!(len(126, &[0, 126]), Some(Some(130)));
        assert_eq!(len(126, &[0, 125]), Some(None), "not the shortest form");
        let eight = |n: u64| len(127, &n.to_be_bytes());
        assert_eq!(eight(0x1_0000), Some(Some(0x1_000a)));
        assert_eq!(eight(0xffff), Some(None));
        assert_eq!(eight(u64::MAX), Some(None));
    }

    #[test]
    fn first_octets_are_recognised_with_the_port_or_without() {
        for (i, row) in ROWS.iter().enumerate() {
            let detector = LengthDetector(i);
            for (name, m, _) in samples() {
                if name == row.name {
                    let port = row.ports.first().copied();
                    let by_port = detector.probe(&m, (50_000, port.unwrap_or(50_001)));
                    let evident = (row.self_evident)(&m);
                    assert_eq!(
                        by_port == Probe::Yes,
                        evident || (port.is_some() && (row.first)(&m)),
                        "{name} {m:02x?}"
                    );
                    let alone = detector.probe(&m, (50_000, 50_001));
                    assert_eq!(alone == Probe::Yes, evident, "{name} {m:02x?}");
                } else {
                    // No protocol takes the octets of another for its own.
                    assert_ne!(
                        detector.probe(&m, (50_000, 50_001)),
                        Probe::Yes,
                        "{name} by {}",
                        row.name
                    );
                }
            }
        }
    }

    #[test]
    fn dns_headers_are_believed_or_not() {
        let query = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        assert!(dns(&query, 20));
        for (i, octet) in [(2, 0x79), (3, 0x40), (4, 9), (6, 1)] {
            let mut bad = query;
            bad[i] = octet;
            assert!(!dns(&bad, 20), "octet {i}");
        }
        assert!(!dns(&query, 11));
    }

    #[test]
    fn messages_are_found_behind_the_rest_of_a_lost_one() {
        for (name, m, _) in samples() {
            let row = row(name);
            for rest in [&b""[..], &[0xaa; 7], &[0xaa; 1]] {
                let mut octets = rest.to_vec();
                octets.extend(&m);
                // The end of the message is the end of the octets: that confirms it, unless a longer message, whose end
                // is not there yet, may begin before.
                match search(row, &octets, Following::Octets, 1 << 16, |i| {
                    rest.is_empty() && i == 0
                }) {
                    Found::At(at) => assert_eq!(at, rest.len(), "{name} {m:02x?}"),
                    Found::Nowhere { keep } => {
                        assert!(keep < rest.len() || row.min_chain > 1, "{name} {m:02x?}");
                        continue;
                    }
                }
                let found = search(row, &octets, Following::End, 1 << 16, |i| {
                    rest.is_empty() && i == 0
                });
                assert_eq!(
                    found,
                    Found::At(rest.len()),
                    "{name} {m:02x?} behind {}",
                    rest.len()
                );
                octets.extend(&m);
                octets.extend(&m[..1]);
                let found = search(row, &octets, Following::Gap, 1 << 16, |i| {
                    rest.is_empty() && i == 0
                });
                assert_eq!(
                    found,
                    Found::At(rest.len()),
                    "{name} {m:02x?}, two and a piece"
                );
            }
        }
    }
}
