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
    one_answer: true,
    words_ahead: 1,
    fields: Some(fields),
    field_names: &["version", "operation", "request_id", "oid", "error"],
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

/// Objects that are named of one PDU, at most.
const SHOWN: usize = 4;

/// What a PDU says, but for a trap of version 1.
struct Pdu {
    /// Error status, which only answers have.
    error: u64,
    /// The object identifiers of the first variables, with dots, or what a notification is about.
    objects: Vec<String>,
    /// How many more variables there are.
    more: usize,
}

/// Error status and variables (RFC 3416, 3).
fn read(m: &[u8]) -> Option<Pdu> {
    let at = pdu_at(m)?;
    let (mut pdu, _) = value(m.get(at..)?)?;
    let mut error = 0;
    // Request identifier, error status and error index, or what a bulk request has in their place.
    for place in 0..3 {
        let (content, rest) = value(pdu)?;
        if place == 1 {
            error = number(content, 0, content.len().min(8));
        }
        pdu = rest;
    }
    // A notification says behind the time what it is (RFC 3416, 4.2.6).
    let notifies = matches!(m.get(at), Some(0xa6 | 0xa7));
    let (mut list, _) = value(pdu)?;
    let (mut objects, mut more) = (Vec::new(), 0);
    let mut told = false;
    while let Some((variable, rest)) = value(list).filter(|_| !list.is_empty()) {
        let (name, what) = value(variable)?;
        // What stands ahead of it is the time.
        if notifies && name == TRAP_OID && !told {
            (objects, more) = (vec![dotted(value(what)?.0)], 0);
            told = true;
        } else if objects.len() < SHOWN {
            objects.push(dotted(name));
        } else {
            more += 1;
        }
        list = rest;
    }
    Some(Pdu {
        error,
        objects,
        more,
    })
    .filter(|pdu| !pdu.objects.is_empty())
}

/// What a trap of version 1 is about (RFC 1157, 4.1.6): one of those that all have, or the enterprise and its own number.
fn old_trap(m: &[u8]) -> Option<String> {
    let (pdu, _) = value(m.get(pdu_at(m)?..)?)?;
    let (enterprise, rest) = value(pdu)?;
    let (_, rest) = value(rest)?;
    let (generic, rest) = value(rest)?;
    let (specific, _) = value(rest)?;
    let generic = usize::from(octet(generic, 0));
    Some(match TRAPS.get(generic) {
        Some(name) => (*name).to_owned(),
        None => format!(
            "{} specific {}",
            dotted(enterprise),
            number(specific, 0, specific.len().min(8))
        ),
    })
}

/// snmpTrapOID.0 (RFC 3418): the variable that says what a notification is.
const TRAP_OID: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// snmpTraps (RFC 3418), from 1 on; those of version 1 have the same names from 0 on.
const TRAPS: &[&str] = &[
    "coldStart",
    "warmStart",
    "linkDown",
    "linkUp",
    "authenticationFailure",
    "egpNeighborLoss",
];

/// Objects that are asked for everywhere: what stands in front of their numbers, and their names from 1 on.
#[rustfmt::skip] // a table
const OBJECTS: &[(&[u8], &[&str])] = &[
    // The system group (RFC 3418).
    (&[0x2b, 6, 1, 2, 1, 1], &[
        "sysDescr", "sysObjectID", "sysUpTime", "sysContact", "sysName", "sysLocation", "sysServices", "sysORLastChange",
    ]),
    (&[0x2b, 6, 1, 2, 1, 1, 9, 1], &["sysORIndex", "sysORID", "sysORDescr", "sysORUpTime"]),
    // Interfaces: ifTable and ifXTable (RFC 2863).
    (&[0x2b, 6, 1, 2, 1, 2], &["ifNumber"]),
    (&[0x2b, 6, 1, 2, 1, 2, 2, 1], &[
        "ifIndex", "ifDescr", "ifType", "ifMtu", "ifSpeed", "ifPhysAddress", "ifAdminStatus", "ifOperStatus", "ifLastChange",
        "ifInOctets", "ifInUcastPkts", "ifInNUcastPkts", "ifInDiscards", "ifInErrors", "ifInUnknownProtos",
        "ifOutOctets", "ifOutUcastPkts", "ifOutNUcastPkts", "ifOutDiscards", "ifOutErrors", "ifOutQLen", "ifSpecific",
    ]),
    (&[0x2b, 6, 1, 2, 1, 31, 1, 1, 1], &[
        "ifName", "ifInMulticastPkts", "ifInBroadcastPkts", "ifOutMulticastPkts", "ifOutBroadcastPkts",
        "ifHCInOctets", "ifHCInUcastPkts", "ifHCInMulticastPkts", "ifHCInBroadcastPkts",
        "ifHCOutOctets", "ifHCOutUcastPkts", "ifHCOutMulticastPkts", "ifHCOutBroadcastPkts",
        "ifLinkUpDownTrapEnable", "ifHighSpeed", "ifPromiscuousMode", "ifConnectorPresent", "ifAlias",
        "ifCounterDiscontinuityTime",
    ]),
    // snmpTrap and snmpTraps (RFC 3418).
    (&[0x2b, 6, 1, 6, 3, 1, 1, 4], &["snmpTrapOID"]),
    (&[0x2b, 6, 1, 6, 3, 1, 1, 5], TRAPS),
    // What an engine did not take (RFC 3414, 5).
    (&[0x2b, 6, 1, 6, 3, 15, 1, 1], &[
        "usmStatsUnsupportedSecLevels", "usmStatsNotInTimeWindows", "usmStatsUnknownUserNames", "usmStatsUnknownEngineIDs",
        "usmStatsWrongDigests", "usmStatsDecryptionErrors",
    ]),
];

/// Where those begin who walk (RFC 3418, RFC 2863).
const GROUPS: &[(&[u8], &str)] = &[
    (&[0x2b, 6, 1, 2, 1], "mib-2"),
    (&[0x2b, 6, 1, 2, 1, 1], "system"),
    (&[0x2b, 6, 1, 2, 1, 2], "interfaces"),
    (&[0x2b, 6, 1, 2, 1, 2, 2], "ifTable"),
    (&[0x2b, 6, 1, 2, 1, 31, 1, 1], "ifXTable"),
];

/// The name of an object, and what stands behind its number.
fn object(octets: &[u8]) -> Option<(&'static str, &[u8])> {
    OBJECTS.iter().find_map(|(front, names)| {
        let (number, instance) = octets.strip_prefix(*front)?.split_first()?;
        let name = names.get(usize::from(*number).checked_sub(1)?)?;
        Some((*name, instance))
    })
}

/// An object identifier with dots (X.690, 8.19), by the name of its object where that is known.
fn dotted(octets: &[u8]) -> String {
    if let Some((_, name)) = GROUPS.iter().find(|(group, _)| *group == octets) {
        return (*name).to_owned();
    }
    let (mut text, rest) = match object(octets) {
        Some((name, instance)) => (name.to_owned(), instance),
        None => (String::new(), octets),
    };
    let mut number = 0_u64;
    for octet in rest {
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

/// Error statuses (RFC 3416, 3).
const ERRORS: [&str; 19] = [
    "noError",
    "tooBig",
    "noSuchName",
    "badValue",
    "readOnly",
    "genErr",
    "noAccess",
    "wrongType",
    "wrongLength",
    "wrongEncoding",
    "wrongValue",
    "noCreation",
    "inconsistentValue",
    "resourceUnavailable",
    "commitFailed",
    "undoFailed",
    "authorizationError",
    "notWritable",
    "inconsistentName",
];

/// Appends the name of an error, or its number.
fn error_name(error: u64, out: &mut String) {
    match usize::try_from(error).ok().and_then(|n| ERRORS.get(n)) {
        Some(name) => out.push_str(name),
        None => {
            let _ = write!(out, "error {error}");
        }
    }
}

/// What a PDU with this tag is about: the object, how many more there are, and the error of an answer.
fn about(m: &[u8], tag: u8) -> Option<Pdu> {
    if tag == 0xa4 {
        return Some(Pdu {
            error: 0,
            objects: vec![old_trap(m)?],
            more: 0,
        });
    }
    let mut pdu = read(m)?;
    if tag != 0xa2 {
        pdu.error = 0;
    }
    Some(pdu)
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
    if let Some(pdu) = about(m, tag) {
        to.text("oid", pdu.objects.join(",").as_bytes());
        if pdu.error > 0 {
            to.write("error", |out| error_name(pdu.error, out));
        }
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
        if let Some(pdu) = pdu(m).and_then(|tag| about(m, tag)) {
            out.push(' ');
            out.push_str(&pdu.objects.join(", "));
            if pdu.more > 0 {
                let _ = write!(out, " and {} more", pdu.more);
            }
            if pdu.error > 0 {
                out.push_str(", ");
                error_name(pdu.error, out);
            }
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
    fn errors_and_notifications_have_names() {
        let response = b"\x30\x26\x02\x01\x01\x04\x06public\xa2\x19\x02\x01\x05\x02\x01\x02\x02\x01\x01\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\0\x05\0";
        assert_eq!(
            said(summary, Transport::Udp, response),
            "v2c response sysName.0, noSuchName"
        );
        let trap =
            b"\x30\x3d\x02\x01\x01\x04\x06public\xa7\x30\x02\x01\x05\x02\x01\0\x02\x01\0\x30\x25\
\x30\x0d\x06\x08\x2b\x06\x01\x02\x01\x01\x03\0\x43\x01\x07\
\x30\x14\x06\x0a\x2b\x06\x01\x06\x03\x01\x01\x04\x01\0\x06\x06\x2b\x06\x01\x06\x03\x01";
        assert_eq!(
            said(summary, Transport::Udp, trap),
            "v2c trap 1.3.6.1.6.3.1"
        );
        let old = |generic: u8| {
            let mut m = b"\x30\x26\x02\x01\0\x04\x06public\xa4\x19\x06\x06\x2b\x06\x01\x04\x01\x09\x40\x04\x0a\0\0\x01\x02\x01".to_vec();
            m.push(generic);
            m.extend(b"\x02\x01\x07\x43\x01\x01\x30\0");
            said(summary, Transport::Udp, &m)
        };
        assert_eq!(old(2), "v1 trap linkDown");
        assert_eq!(old(6), "v1 trap 1.3.6.1.4.1.9 specific 7");
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
            (&[0x2b, 6, 1, 2, 1, 2, 2, 1, 10, 0x81, 0], "ifInOctets.128"),
            (&[0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 18, 3], "ifAlias.3"),
            (
                &[0x2b, 6, 1, 2, 1, 2, 2, 1, 23, 1],
                "1.3.6.1.2.1.2.2.1.23.1",
            ),
            (&[0x2b, 6, 1, 6, 3, 1, 1, 5, 4], "linkUp"),
            (&[0x2b, 6, 1, 2, 1, 1], "system"),
            (&[], ""),
        ] {
            assert_eq!(dotted(octets), expected);
        }
    }
}
