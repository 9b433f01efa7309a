//! SNMP (RFC 3416, RFC 3412).

use super::super::fields::MessageFields;
use super::super::length::{LengthField, number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "snmp",
    kind: Some(kind),
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    words_ahead: 1,
    fields: Some(fields),
    field_names: &["version", "operation", "request_id", "oid"],
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "SNMP (RFC 3416, RFC 3412)",
    ports: &[161, 162],
    is_plausible,
};

/// A sequence with a version and, behind it, a community (versions 1 and 2c) or a sequence (version 3).
fn is_plausible(m: &[u8]) -> bool {
    let Some(Some((_, at))) = LengthField::Ber { at: 1 }.read(m) else {
        return false;
    };
    octet(m, 0) == 0x30
        && number(m, at, 2) == 0x0201
        && matches!((octet(m, at + 2), octet(m, at + 3)), (0 | 1, 4) | (3, 0x30))
}

/// Where what stands in a value of BER begins.
fn inside(m: &[u8], at: usize) -> Option<usize> {
    let (_, begin) = LengthField::Ber {
        at: at.checked_add(1)?,
    }
    .read(m)??;
    Some(begin)
}

/// Where a value of BER ends.
fn behind(m: &[u8], at: usize) -> Option<usize> {
    let (len, begin) = LengthField::Ber {
        at: at.checked_add(1)?,
    }
    .read(m)??;
    begin.checked_add(usize::try_from(len).ok()?)
}

/// Where the PDU stands: behind the community, or in version 3 (RFC 3412, 6) behind the engine and its context, where it is not
/// encrypted.
fn pdu_at(m: &[u8]) -> Option<usize> {
    let version = inside(m, 0)?;
    let next = behind(m, version)?;
    if octet(m, version + 2) != 3 {
        return behind(m, next);
    }
    let scoped = behind(m, behind(m, next)?)?;
    if m.get(scoped) != Some(&0x30) {
        return None;
    }
    behind(m, behind(m, inside(m, scoped)?)?)
}

/// Its tag.
fn pdu(m: &[u8]) -> Option<u8> {
    m.get(pdu_at(m)?).copied()
}

/// What a value of BER has in it, and what stands behind it.
fn value(m: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, at) = (LengthField::Ber { at: 1 }).read(m)??;
    let len = usize::try_from(len).ok()?;
    let content = m.get(at..)?;
    Some(content.split_at(len.min(content.len())))
}

/// The object identifiers of the variables (RFC 3416, 3), with dots; the first, and how many more there are.
fn variables(m: &[u8]) -> Option<(String, usize)> {
    let (mut pdu, _) = value(m.get(pdu_at(m)?..)?)?;
    // Request identifier, error status and error index, or what a bulk request has in their place.
    for _ in 0..3 {
        (_, pdu) = value(pdu)?;
    }
    let (mut list, _) = value(pdu)?;
    let (mut first, mut more) = (None, 0);
    while let Some((variable, rest)) = value(list).filter(|_| !list.is_empty()) {
        let (name, _) = value(variable)?;
        match first {
            None => first = Some(dotted(name)),
            Some(_) => more += 1,
        }
        list = rest;
    }
    Some((first?, more))
}

/// An object identifier with dots (X.690, 8.19), by the name of its object in the system group (RFC 3418) if it is there.
fn dotted(octets: &[u8]) -> String {
    const SYSTEM: [&str; 7] = [
        "sysDescr",
        "sysObjectID",
        "sysUpTime",
        "sysContact",
        "sysName",
        "sysLocation",
        "sysServices",
    ];
    if let [0x2b, 6, 1, 2, 1, 1, object @ 1..=7, instance @ 0..=127] = octets {
        return format!("{}.{instance}", SYSTEM[usize::from(*object) - 1]);
    }
    let (mut text, mut number) = (String::new(), 0_u64);
    for octet in octets {
        number = number << 7 | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            let _ = match (text.is_empty(), number) {
                (true, 0..80) => write!(text, "{}.{}", number / 40, number % 40),
                (true, _) => write!(text, "2.{}", number - 80),
                (false, _) => write!(text, ".{number}"),
            };
            number = 0;
        }
    }
    text
}

/// What its PDU is (RFC 3416, 3).
fn kind(m: &[u8]) -> Kind {
    match pdu(m) {
        Some(0xa0 | 0xa1 | 0xa3 | 0xa5 | 0xa6) => Kind::Request,
        // A report answers what an engine did not take (RFC 3412, 7.1).
        Some(0xa2 | 0xa8) => Kind::Response,
        _ => Kind::Other,
    }
}

/// The number of the request, which its response repeats (RFC 3416, 3); a trap has none, and in version 1 another form.
fn transaction(m: &[u8]) -> Option<u64> {
    let at = pdu_at(m)?;
    if matches!(m.get(at), Some(0xa4 | 0xa7)) {
        return None;
    }
    // In version 3 the message has a number of its own, which a report repeats too (RFC 3412, 6.2).
    let version = inside(m, 0)?;
    if octet(m, version + 2) == 3 {
        let id = inside(m, behind(m, version)?)?;
        return Some(number(m, id + 2, usize::from(octet(m, id + 1)).min(8)));
    }
    let (pdu, _) = value(m.get(at..)?)?;
    let (id, _) = value(pdu).filter(|_| octet(pdu, 0) == 2)?;
    Some(number(id, 0, id.len().min(8)))
}

/// What is asked for, by the tag of the PDU (RFC 3416, 3).
const OPERATIONS: &[(u64, &str)] = &[
    (0xa0, "get"),
    (0xa1, "get-next"),
    (0xa2, "response"),
    (0xa3, "set"),
    (0xa4, "trap"),
    (0xa5, "get-bulk"),
    (0xa6, "inform"),
    (0xa7, "trap"),
    (0xa8, "report"),
];

/// What of a message has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let Some(Some((_, at))) = (LengthField::Ber { at: 1 }).read(m) else {
        return;
    };
    let version = match octet(m, at + 2) {
        0 => "1",
        3 => "3",
        _ => "2c",
    };
    to.text("version", version.as_bytes());
    let Some(tag) = pdu(m) else {
        return;
    };
    to.write("operation", |out| named_number(OPERATIONS, tag.into(), out));
    if let Some(id) = transaction(m) {
        to.number("request_id", id);
    }
    if let Some((name, _)) = variables(m).filter(|_| tag != 0xa4) {
        to.text("oid", name.as_bytes());
    }
}

/// The version and, where it is not encrypted, the operation.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let Some(Some((_, at))) = (LengthField::Ber { at: 1 }).read(m) else {
        return false;
    };
    let version = octet(m, at + 2);
    out.push_str(match version {
        0 => "v1",
        3 => "v3",
        _ => "v2c",
    });
    if version != 3 || pdu_at(m).is_some() {
        out.push(' ');
        named_number(OPERATIONS, u64::from(pdu(m).unwrap_or(0)), out);
        // A trap of version 1 has another form.
        if let Some((name, more)) = variables(m).filter(|_| pdu(m) != Some(0xa4)) {
            let _ = match more {
                0 => write!(out, " {name}"),
                _ => write!(out, " {name} and {more} more"),
            };
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn variables_are_named() {
        let get = b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x05\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\0\x05\0";
        assert_eq!(said(summary, Transport::Udp, get), "v2c get sysName.0");
        let mut other = get.to_vec();
        other[39 - 4] = 0x83;
        other[39 - 3] = 0x07;
        assert!(said(summary, Transport::Udp, &other).starts_with("v2c get 1.3.6.1.2"));
        for len in 0..get.len() {
            // Whatever is cut, nothing is read that is not there.
            let mut out = String::new();
            summary(Transport::Udp, &get[..len], &mut out);
        }
    }

    #[test]
    fn version_3_is_read_where_it_is_not_encrypted() {
        let get = b"\x30\x3a\x02\x01\x03\x30\x0e\x02\x01\x2a\x02\x03\0\xff\xe3\x04\x01\x04\x02\x01\x03\x04\x02\x30\0\
\x30\x21\x04\0\x04\0\xa0\x1b\x02\x03\x12\x34\x56\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\0\x05\0";
        assert_eq!(said(summary, Transport::Udp, get), "v3 get sysName.0");
        assert_eq!((kind(get), transaction(get)), (Kind::Request, Some(42)));
        let mut encrypted = get.to_vec();
        encrypted[25] = 4;
        assert_eq!(said(summary, Transport::Udp, &encrypted), "v3");
        assert_eq!(transaction(&encrypted), None);
    }

    #[test]
    fn identifiers_with_dots() {
        for (octets, expected) in [
            (&[0x2b, 6, 1, 4, 1, 0x82, 0x37][..], "1.3.6.1.4.1.311"),
            (&[0x88, 0x37, 1], "2.999.1"),
            (&[0x2b, 6, 1, 2, 1, 1, 3, 0], "sysUpTime.0"),
            (&[], ""),
        ] {
            assert_eq!(dotted(octets), expected);
        }
    }
}
