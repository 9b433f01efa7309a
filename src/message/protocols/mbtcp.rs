//! Modbus/TCP.

use super::super::length::{LengthProtocol, LengthRow, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
#[cfg(test)]
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "mbtcp",
    aliases: &["modbus"],
    transaction: Some(|_, m| number(m, 0, 2)),
    about: "Modbus/TCP",
    ports: &[502],
    summary: Some(summary),
    #[cfg(test)]
    samples: &[("0001 0000 0006 01 03 0000 000a", Kind::Other)],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(4, 2),
    add: 6,
    header: 8,
    is_plausible,
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

/// The function, the unit and the transaction.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let names = [
        (1, "read coils"),
        (2, "read discrete inputs"),
        (3, "read holding registers"),
        (4, "read input registers"),
        (5, "write coil"),
        (6, "write register"),
        (15, "write coils"),
        (16, "write registers"),
        (43, "read device identification"),
    ];
    let function = octet(m, 7);
    named_number(&names, u64::from(function & 0x7f), out);
    let _ = write!(
        out,
        ", unit {}, transaction {}",
        octet(m, 6),
        number(m, 0, 2)
    );
    if function & 0x80 != 0 {
        let _ = write!(out, ", error {}", octet(m, 8));
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
    fn a_refusal_says_of_what() {
        let refused = b"\0\x07\0\0\0\x03\x01\x83\x02";
        assert_eq!(
            said(summary, Transport::Tcp, refused),
            "read holding registers, unit 1, transaction 7, error 2"
        );
    }
}
