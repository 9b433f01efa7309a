//! EtherNet/IP encapsulation (CIP Networks Library, volume 2, 2-3).

use super::super::length::{
    LengthField, LengthProtocol, LengthRow, Scan, fills, number, octet, window,
};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "enip",
    aliases: &["ethernetip", "cip"],
    about: "EtherNet/IP encapsulation, with CIP",
    ports: &[44818],
    kind: Some(kind),
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    // Many clients leave the context 0.
    numbers_again: true,
    words_ahead: 1,
    #[cfg(test)]
    samples: &[
        (
            "6500 0400 00000000 00000000 0000000000000000 00000000 01000000",
            Kind::Request,
        ),
        (
            "6500 0400 01000000 00000000 0000000000000000 00000000 01000000",
            Kind::Response,
        ),
        (
            "6f00 1400 01000000 00000000 0000000000000000 00000000 00000000 0500 0200 00000000 b2000400 cc000000",
            Kind::Response,
        ),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::Field {
        at: 2,
        width: 2,
        little: true,
    },
    add: 24,
    header: 24,
    is_plausible: |m, _| m.first_chunk().is_some_and(is_header),
    // A NOP may be nothing but zeros.
    self_evident: |m| octet(m, 0) != 0,
    scan: Scan::By(24, |octets| {
        window(octets, |m: &[u8; 24]| m[0] != 0 && is_header(m))
    }),
    kind,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Enip;

impl LengthProtocol for Enip {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// How it is recognised in a datagram: lists of devices, of services and of interfaces.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "EtherNet/IP encapsulation: who is there",
    ports: &[44818],
    is_plausible: |m| fills(&FORMAT, m),
};

const NOP: u8 = 0x00;
const LIST_SERVICES: u8 = 0x04;
const LIST_IDENTITY: u8 = 0x63;
const LIST_INTERFACES: u8 = 0x64;
const REGISTER_SESSION: u8 = 0x65;
const UNREGISTER_SESSION: u8 = 0x66;
const SEND_RR_DATA: u8 = 0x6f;
const SEND_UNIT_DATA: u8 = 0x70;

/// A command, a status and options that there are.
fn is_header(m: &[u8; 24]) -> bool {
    let command = matches!(
        m[0],
        NOP | LIST_SERVICES
            | LIST_IDENTITY
            | LIST_INTERFACES
            | REGISTER_SESSION
            | UNREGISTER_SESSION
            | SEND_RR_DATA
            | SEND_UNIT_DATA
            | 0x72
            | 0x73
    );
    command
        && m[1] == 0
        // In the zeros of other headers one would be met at any place.
        && (m[0] != NOP || m[4..] == [0; 20])
        && matches!(m[8..12], [0..=3 | 0x64 | 0x65 | 0x69, 0, 0, 0])
        && m[20..] == [0; 4]
}

/// Session and context of the sender, which a server gives back (volume 2, 2-3.1); of a connected message, which has no context, the
/// number that stands ahead of its service. A request to register has no session yet.
fn transaction(m: &[u8]) -> Option<u64> {
    match octet(m, 0) {
        SEND_UNIT_DATA => {
            let (kind, at) = item(m)?;
            let number = number(m, at, 2);
            (kind == 0xb1).then_some(1 << 63 | number)
        }
        REGISTER_SESSION => Some(number(m, 12, 8)),
        UNREGISTER_SESSION | NOP => None,
        _ => Some(number(m, 12, 8) ^ number(m, 4, 4).rotate_left(32)),
    }
}

/// The service of CIP inside: the first octet of an unconnected message, or that behind the number of a connected one.
fn service(m: &[u8]) -> Option<u8> {
    let (kind, at) = item(m)?;
    m.get(at + if kind == 0xb1 { 2 } else { 0 }).copied()
}

/// The item with data, connected (0xb1) or not (0xb2): its kind, and where its content begins.
fn item(m: &[u8]) -> Option<(usize, usize)> {
    let little = |at: usize| {
        Some(usize::from(u16::from_le_bytes(
            *m.get(at..)?.first_chunk()?,
        )))
    };
    if !matches!(octet(m, 0), SEND_RR_DATA | SEND_UNIT_DATA) {
        return None;
    }
    // An address comes first, then the data; others may follow.
    let mut at = 32;
    for _ in 0..little(30)?.min(4) {
        match little(at)? {
            kind @ (0xb1 | 0xb2) => return Some((kind, at + 4)),
            _ => at += 4 + little(at + 2)?,
        }
    }
    None
}

/// What a message is by its command, its service, or what only one of the two sides knows.
fn kind(m: &[u8]) -> Kind {
    match (octet(m, 0), service(m)) {
        (SEND_RR_DATA | SEND_UNIT_DATA, Some(service)) if service & 0x80 != 0 => Kind::Response,
        (SEND_RR_DATA | SEND_UNIT_DATA, Some(_)) => Kind::Request,
        // The session is the server's to give.
        (REGISTER_SESSION, _) if number(m, 4, 4) != 0 || number(m, 8, 4) != 0 => Kind::Response,
        (REGISTER_SESSION | UNREGISTER_SESSION, _) => Kind::Request,
        (LIST_SERVICES | LIST_IDENTITY | LIST_INTERFACES, _) if number(m, 2, 2) != 0 => {
            Kind::Response
        }
        (LIST_SERVICES | LIST_IDENTITY | LIST_INTERFACES, _) => Kind::Request,
        _ => Kind::Other,
    }
}

/// The command, and the service inside.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let Some(service) = service(m) else {
        named_number(
            &[
                (0x00, "NOP"),
                (0x04, "list services"),
                (0x63, "list identity"),
                (0x64, "list interfaces"),
                (0x65, "register session"),
                (0x66, "unregister session"),
                (0x6f, "send RR data"),
                (0x70, "send unit data"),
                (0x72, "indicate status"),
                (0x73, "cancel"),
            ],
            u64::from(octet(m, 0)),
            out,
        );
        return true;
    };
    out.push_str("CIP ");
    named_number(
        &[
            (0x01, "get attributes all"),
            (0x02, "set attributes all"),
            (0x03, "get attribute list"),
            (0x04, "set attribute list"),
            (0x05, "reset"),
            (0x0a, "multiple service packet"),
            (0x0e, "get attribute single"),
            (0x10, "set attribute single"),
            (0x4b, "execute PCCC"),
            (0x4c, "read tag"),
            (0x4d, "write tag"),
            (0x4e, "forward close"),
            (0x52, "unconnected send"),
            (0x54, "forward open"),
            (0x55, "get instance attribute list"),
            (0x5b, "large forward open"),
        ],
        u64::from(service & 0x7f),
        out,
    );
    out.push_str(if service & 0x80 == 0 {
        " request"
    } else {
        " response"
    });
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
