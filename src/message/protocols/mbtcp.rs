//! Modbus/TCP.

use super::super::fields::MessageFields;
use super::super::length::{LengthProtocol, LengthRow, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "mbtcp",
    aliases: &["modbus"],
    transaction: Some(|_, m| Some(transaction(m))),
    one_answer: true,
    // Many clients leave it 0.
    numbers_again: true,
    about: "Modbus/TCP",
    ports: &[502],
    result_last: true,
    summary: Some(summary),
    fields: Some(fields),
    field_names: &[
        "function",
        "function_code",
        "unit",
        "transaction",
        "exception",
    ],
    #[cfg(test)]
    samples: &[
        ("0001 0000 0006 01 03 0000 000a", Kind::Request),
        ("0001 0000 0007 01 03 04 0000000a", Kind::Response),
        ("0001 0000 0003 01 83 02", Kind::Response),
        ("0001 0000 0006 01 06 0001 0003", Kind::Other),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(4, 2),
    add: 6,
    header: 8,
    is_plausible,
    kind,
    kind_between: Some(kind_between),
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mbtcp;

impl LengthProtocol for Mbtcp {
    const FORMAT: &'static LengthRow = &FORMAT;
}

fn is_plausible(m: &[u8], len: u64) -> bool {
    let function = octet(m, 7) & 0x7f;
    let known =
        matches!(function, 1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43 | 65..=72 | 90 | 100..=110);
    let error = octet(m, 7) & 0x80 == 0 || len == 9;
    number(m, 2, 2) == 0 && (8..=260).contains(&len) && known && error
}

/// Where only one of the ports is the protocol's, the side with it answers.
fn kind_between(m: &[u8], (src, dst): (u16, u16)) -> Kind {
    let server = |port| PROTOCOL.ports.contains(&port);
    match (server(src), server(dst)) {
        (false, true) => Kind::Request,
        (true, false) => Kind::Response,
        _ => kind(m),
    }
}

/// What only one of the sides sends (Modbus application protocol 1.1b3, 6): a refusal; of a function that reads, a count of the octets
/// that follow it, or an address and a number; of one that writes several, the values. What writes one value is sent back as it is.
fn kind(m: &[u8]) -> Kind {
    let (function, len) = (octet(m, 7), number(m, 4, 2) + 6);
    let counted = u64::from(octet(m, 8)) + 9 == len;
    match function {
        0x80.. => Kind::Response,
        1..=4 if counted && len != 12 => Kind::Response,
        1..=4 if len == 12 && !counted => Kind::Request,
        7 | 11 | 12 | 17 if len == 8 => Kind::Request,
        7 | 11 | 12 | 17 => Kind::Response,
        15 | 16 if len == 12 => Kind::Response,
        15 | 16 => Kind::Request,
        _ => Kind::Other,
    }
}

/// The transaction, the unit and the function, which a refusal repeats too (Modbus application protocol 1.1b3, 4.1): behind a gateway
/// there are many units, and clients number them for themselves.
fn transaction(m: &[u8]) -> u64 {
    number(m, 0, 2) << 16 | u64::from(octet(m, 6)) << 8 | u64::from(octet(m, 7) & 0x7f)
}

/// Functions that have a name here (Modbus application protocol 1.1b3, 5).
const FUNCTIONS: &[(u64, &str)] = &[
    (1, "read coils"),
    (2, "read discrete inputs"),
    (3, "read holding registers"),
    (4, "read input registers"),
    (5, "write coil"),
    (6, "write register"),
    (7, "read exception status"),
    (8, "diagnostics"),
    (11, "get comm event counter"),
    (12, "get comm event log"),
    (15, "write coils"),
    (16, "write registers"),
    (17, "report server ID"),
    (20, "read file record"),
    (21, "write file record"),
    (22, "mask write register"),
    (23, "read and write registers"),
    (24, "read FIFO queue"),
    (43, "read device identification"),
    // Of Schneider Electric; Wireshark calls it so.
    (90, "Unity"),
];

/// Why a function was refused (the same, 7).
const EXCEPTIONS: &[(u8, &str)] = &[
    (1, "illegal function"),
    (2, "illegal data address"),
    (3, "illegal data value"),
    (4, "server device failure"),
    (5, "acknowledge"),
    (6, "server device busy"),
    (8, "memory parity error"),
    (10, "gateway path unavailable"),
    (11, "gateway target device failed to respond"),
];

/// What of a message has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let function = octet(m, 7);
    let code = u64::from(function & 0x7f);
    to.write("function", |out| named_number(FUNCTIONS, code, out));
    to.number("function_code", code);
    to.number("unit", octet(m, 6).into());
    to.number("transaction", number(m, 0, 2));
    if function & 0x80 != 0 {
        to.number("exception", octet(m, 8).into());
    }
}

/// The function, the unit and the transaction.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let function = octet(m, 7);
    named_number(FUNCTIONS, u64::from(function & 0x7f), out);
    let _ = write!(
        out,
        ", unit {}, transaction {}",
        octet(m, 6),
        number(m, 0, 2)
    );
    if function & 0x80 != 0 {
        let code = octet(m, 8);
        let _ = write!(out, ", error {code}");
        if let Some((_, name)) = EXCEPTIONS.iter().find(|(known, _)| *known == code) {
            out.extend([": ", name]);
        }
    }
    true
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
    fn the_port_tells_what_looks_alike() {
        let write = b"\0\x01\0\0\0\x06\x01\x06\0\x01\0\x03";
        for (ports, kind) in [
            ((40_000, 502), Kind::Request),
            ((502, 40_000), Kind::Response),
            ((502, 502), Kind::Other),
            ((4000, 5000), Kind::Other),
        ] {
            assert_eq!(kind_between(write, ports), kind, "{ports:?}");
        }
    }

    #[test]
    fn a_refusal_says_of_what() {
        let refused = b"\0\x07\0\0\0\x03\x01\x83\x02";
        assert_eq!(
            said(summary, Transport::Tcp, refused),
            "read holding registers, unit 1, transaction 7, error 2: illegal data address"
        );
        let mut unknown = refused.to_vec();
        unknown[8] = 99;
        assert!(said(summary, Transport::Tcp, &unknown).ends_with(", error 99"));
    }
}
