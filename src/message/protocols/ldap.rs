//! LDAP (RFC 4511).

use super::super::fields::MessageFields;
use super::super::length::{LengthField, LengthProtocol, LengthRow, Scan, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{SHOWN, escape, named_number};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use memchr::memmem;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "ldap",
    about: "LDAP (RFC 4511)",
    ports: &[389, 3268],
    result_last: true,
    summary: Some(summary),
    transaction: Some(|_, m| Some(message_id(m))),
    // Entries and references of a search, and what is said on the way (RFC 4511, 4.5.2 and 4.13).
    goes_on: Some(|m| matches!(operation(m, ANY_LEN), Some(0x64 | 0x73 | 0x79))),
    one_answer: true,
    fields: Some(fields),
    field_names: &["operation", "message_id", "name", "result"],
    #[cfg(test)]
    samples: &[
        ("300c 020101 6007 020103 0400 8000", Kind::Request),
        ("300c 020101 6107 0a0100 0400 0400", Kind::Response),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::Ber { at: 1 },
    magic: Some((0, &[0x30])),
    header: 14,
    is_plausible: |m, len| operation(m, len).is_some(),
    self_evident: |m| matches!(operation(m, ANY_LEN), Some(0x60 | 0x63 | 0x77)),
    scan: Scan::Octets(0, &[0x30]),
    kind,
    switches_protocol,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ldap;

impl LengthProtocol for Ldap {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// A length of a message where only its operation is asked for.
const ANY_LEN: u64 = 1 << 30;

/// The tag of the operation (RFC 4511, 4.1.1): a sequence, in it a message number and an operation that fits it.
fn operation(m: &[u8], len: u64) -> Option<u8> {
    let (_, at) = LengthField::Ber { at: 1 }.read(m)??;
    let id_len = usize::from(octet(m, at + 1));
    let tag = octet(m, at + 2 + id_len);
    let sound = octet(m, 0) == 0x30
        && octet(m, at) == 2
        && (1..=4).contains(&id_len)
        && octet(m, at + 2) < 0x80
        && len >= (at + 4 + id_len) as u64
        && len < 1 << 31;
    let known = matches!(tag,
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
    (sound && known && inner).then_some(tag)
}

fn kind(m: &[u8]) -> Kind {
    match operation(m, ANY_LEN) {
        Some(0x61 | 0x64 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x73 | 0x78 | 0x79) => {
            Kind::Response
        }
        Some(0x60 | 0x63 | 0x66 | 0x68 | 0x4a | 0x6c | 0x6e | 0x77) => Kind::Request,
        _ => Kind::Other,
    }
}

/// The success of StartTLS (RFC 4511, 4.14).
fn switches_protocol(m: &[u8]) -> bool {
    operation(m, ANY_LEN) == Some(0x78)
        && memmem::find(m, b"1.3.6.1.4.1.1466.20037").is_some()
        && memmem::find(m, &[0x0a, 1, 0]).is_some()
}

/// Results that have a name (RFC 4511, 4.1.9).
const RESULTS: &[(u64, &str)] = &[
    (0, "success"),
    (1, "operations error"),
    (2, "protocol error"),
    (3, "time limit exceeded"),
    (4, "size limit exceeded"),
    (5, "compare false"),
    (6, "compare true"),
    (7, "auth method not supported"),
    (8, "stronger auth required"),
    (10, "referral"),
    (11, "admin limit exceeded"),
    (12, "unavailable critical extension"),
    (13, "confidentiality required"),
    (14, "SASL bind in progress"),
    (16, "no such attribute"),
    (17, "undefined attribute type"),
    (18, "inappropriate matching"),
    (19, "constraint violation"),
    (20, "attribute or value exists"),
    (21, "invalid attribute syntax"),
    (32, "no such object"),
    (33, "alias problem"),
    (34, "invalid DN syntax"),
    (36, "alias dereferencing problem"),
    (48, "inappropriate authentication"),
    (49, "invalid credentials"),
    (50, "insufficient access rights"),
    (51, "busy"),
    (52, "unavailable"),
    (53, "unwilling to perform"),
    (54, "loop detect"),
    (64, "naming violation"),
    (65, "object class violation"),
    (66, "not allowed on non-leaf"),
    (67, "not allowed on RDN"),
    (68, "entry already exists"),
    (69, "object class mods prohibited"),
    (71, "affects multiple DSAs"),
    (80, "other"),
];

/// A value of the basic encoding rules: its tag, as much of its content as is there, and where the next one begins.
fn value(m: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let tag = *m.get(at)?;
    let (len, begin) = LengthField::Ber { at: at + 1 }.read(m)??;
    let end = begin.checked_add(usize::try_from(len).ok()?)?;
    let content = m.get(begin..end.min(m.len()))?;
    Some((tag, content, end))
}

/// The number of the message, which its answers repeat (RFC 4511, 4.1.1.1).
fn message_id(m: &[u8]) -> u64 {
    match (LengthField::Ber { at: 1 }).read(m) {
        Some(Some((_, at))) => number(m, at + 2, usize::from(octet(m, at + 1)).min(8)),
        _ => 0,
    }
}

/// What is asked for or answered, by the tag of the operation (RFC 4511, 4.1.1).
const OPERATIONS: &[(u64, &str)] = &[
    (0x60, "bind request"),
    (0x61, "bind response"),
    (0x42, "unbind request"),
    (0x63, "search request"),
    (0x64, "search entry"),
    (0x65, "search done"),
    (0x66, "modify request"),
    (0x67, "modify response"),
    (0x68, "add request"),
    (0x69, "add response"),
    (0x4a, "delete request"),
    (0x6b, "delete response"),
    (0x6c, "rename request"),
    (0x6d, "rename response"),
    (0x6e, "compare request"),
    (0x6f, "compare response"),
    (0x50, "abandon request"),
    (0x73, "search reference"),
    (0x77, "extended request"),
    (0x78, "extended response"),
    (0x79, "intermediate response"),
];

/// What of a message has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let Some(Some((_, at))) = (LengthField::Ber { at: 1 }).read(m) else {
        return;
    };
    let at = at + 2 + usize::from(octet(m, at + 1)).min(8);
    let tag = octet(m, at);
    to.write("operation", |out| named_number(OPERATIONS, tag.into(), out));
    to.number("message_id", message_id(m));
    let Some((_, content, _)) = value(m, at) else {
        return;
    };
    match (tag, value(content, 0)) {
        // The name stands behind a version.
        (0x60, Some((_, _, next))) => {
            to.text_if("name", value(content, next).map(|(_, name, _)| name));
        }
        (0x63 | 0x64 | 0x66 | 0x68 | 0x6c | 0x6e, Some((0x04, name, _))) => to.text("name", name),
        (0x4a, _) => to.text("name", content),
        (0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78, Some((0x0a, code, _))) => {
            to.number("result", number(code, 0, code.len().min(8)));
        }
        _ => {}
    }
}

/// The operation, the number of the message, and what it is about: the name of an entry, or the result.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let Some(Some((_, at))) = (LengthField::Ber { at: 1 }).read(m) else {
        return false;
    };
    let id = usize::from(octet(m, at + 1)).min(8);
    named_number(OPERATIONS, u64::from(octet(m, at + 2 + id)), out);
    let _ = write!(out, " {}", message_id(m));
    about(m, at + 2 + id, out);
    true
}

/// What an operation is about.
fn about(m: &[u8], at: usize, out: &mut String) {
    let Some((tag, content, _)) = value(m, at) else {
        return;
    };
    let name = |name: &[u8], out: &mut String| {
        out.push(' ');
        if name.is_empty() {
            out.push_str("<root>");
        }
        escape(name.get(..SHOWN).unwrap_or(name), out);
    };
    match (tag, value(content, 0)) {
        // A version, a name, and how it is proved.
        (0x60, Some((_, _, next))) => {
            let Some((0x04, dn, next)) = value(content, next) else {
                return;
            };
            name(dn, out);
            match value(content, next) {
                Some((0x80, ..)) => out.push_str(" (simple)"),
                Some((0xa3, sasl, _)) => {
                    let mechanism = value(sasl, 0).map_or(&[][..], |(_, text, _)| text);
                    out.push_str(" (SASL ");
                    escape(mechanism.get(..20).unwrap_or(mechanism), out);
                    out.push(')');
                }
                _ => {}
            }
        }
        (0x63, Some((0x04, base, next))) => {
            name(base, out);
            let scope = value(content, next).and_then(|(_, scope, _)| scope.first());
            out.push_str(match scope {
                Some(0) => " (this entry)",
                Some(1) => " (one level)",
                Some(2) => " (subtree)",
                _ => "",
            });
        }
        (0x64 | 0x66 | 0x68 | 0x6c | 0x6e, Some((0x04, dn, _))) => name(dn, out),
        (0x4a, _) => name(content, out),
        (0x50, _) => {
            let _ = write!(out, " of {}", number(content, 0, content.len().min(8)));
        }
        // What StartTLS is called by (RFC 4511, 4.14.1).
        (0x77, Some((0x80, b"1.3.6.1.4.1.1466.20037", _))) => out.push_str(" StartTLS"),
        (0x77, Some((0x80, oid, _))) => name(oid, out),
        (0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78, Some((0x0a, code, next))) => {
            let code = number(code, 0, code.len().min(8));
            match RESULTS.iter().find(|(known, _)| *known == code) {
                Some((_, text)) => {
                    let _ = write!(out, " {text}");
                }
                None => {
                    let _ = write!(out, " result {code}");
                }
            }
            // Behind the name that matched a server says more, where it did not do what was asked.
            let matched = value(content, next).map_or(0, |(_, _, next)| next);
            if let Some((0x04, text @ [_, ..], _)) = value(content, matched).filter(|_| code != 0) {
                out.push_str(": ");
                let line = text.split(|c| *c < b' ').next().unwrap_or_default();
                escape(line.get(..SHOWN).unwrap_or(line), out);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn operations_have_names_and_results() {
        let bind =
            b"\x30\x21\x02\x01\x01\x60\x1c\x02\x01\x03\x04\x11cn=u,dc=example\x1b\x5b\x80\x04pass";
        let search = b"\x30\x16\x02\x01\x02\x63\x11\x04\x00\x0a\x01\x02\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01";
        let done = b"\x30\x10\x02\x01\x03\x65\x0b\x0a\x01\x31\x04\x00\x04\x04Nope";
        for (octets, expected) in [
            (&bind[..], "bind request 1 cn=u,dc=example\\x1b[ (simple)"),
            (search, "search request 2 <root> (subtree)"),
            (done, "search done 3 invalid credentials: Nope"),
            // As far as it is there.
            (&bind[..16], "bind request 1 cn=u"),
            (&bind[..7], "bind request 1"),
            (
                b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0",
                "bind response 1 success",
            ),
            (
                b"\x30\x0c\x02\x01\x04\x4a\x07dc=gone",
                "delete request 4 dc=gone",
            ),
            (
                b"\x30\x06\x02\x01\x05\x50\x01\x04",
                "abandon request 5 of 4",
            ),
            (
                b"\x30\x1d\x02\x01\x06\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
                "extended request 6 StartTLS",
            ),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
