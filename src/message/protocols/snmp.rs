//! SNMP (RFC 3416, RFC 3412).

use super::super::length::{LengthField, number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "snmp",
    kind: Some(kind),
    summary: Some(summary),
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

/// The tag of the PDU of versions 1 and 2c; that of version 3 may be encrypted, and stands deeper.
fn pdu(m: &[u8]) -> Option<u8> {
    let (_, at) = (LengthField::Ber { at: 1 }).read(m)??;
    let community = usize::from(octet(m, at + 4) & 0x7f);
    (octet(m, at + 2) != 3).then(|| octet(m, at + 5 + community))
}

/// What its PDU is (RFC 3416, 3).
fn kind(m: &[u8]) -> Kind {
    match pdu(m) {
        Some(0xa0 | 0xa1 | 0xa3 | 0xa5 | 0xa6) => Kind::Request,
        Some(0xa2) => Kind::Response,
        _ => Kind::Other,
    }
}

/// The version and, but in version 3, the operation.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let Some(Some((_, at))) = (LengthField::Ber { at: 1 }).read(m) else {
        return false;
    };
    let version = octet(m, at + 2);
    if version == 3 {
        out.push_str("v3");
    } else {
        let community = usize::from(octet(m, at + 4) & 0x7f);
        out.push_str(if version == 0 { "v1 " } else { "v2c " });
        let names = [
            (0xa0, "get"),
            (0xa1, "get-next"),
            (0xa2, "response"),
            (0xa3, "set"),
            (0xa4, "trap"),
            (0xa5, "get-bulk"),
            (0xa6, "inform"),
            (0xa7, "trap"),
        ];
        named_number(&names, u64::from(octet(m, at + 5 + community)), out);
    }
    true
}
