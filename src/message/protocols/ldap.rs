//! LDAP (RFC 4511).

use super::super::length::{LengthField, LengthProtocol, LengthRow, Scan, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use memchr::memmem;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "ldap",
    about: "LDAP (RFC 4511)",
    ports: &[389, 3268],
    summary: Some(summary),
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

/// The operation, and the number of the message.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let Some(Some((_, at))) = (LengthField::Ber { at: 1 }).read(m) else {
        return false;
    };
    let names = [
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
    let id = usize::from(octet(m, at + 1)).min(8);
    named_number(&names, u64::from(octet(m, at + 2 + id)), out);
    let _ = write!(out, " {}", number(m, at + 2, id));
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
