//! IEC 60870-5-104.

use super::super::length::{LengthProtocol, LengthRow, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "104apci",
    aliases: &["iec104"],
    about: "IEC 60870-5-104",
    ports: &[2404],
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    numbers_again: true,
    #[cfg(test)]
    samples: &[
        ("6804 07000000", Kind::Request),
        ("6804 0b000000", Kind::Response),
        ("6804 01000200", Kind::Other),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(1, 1),
    add: 2,
    magic: Some((0, &[0x68])),
    header: 6,
    is_plausible,
    kind,
    min_chain: 2,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Iec104;

impl LengthProtocol for Iec104 {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// IEC 60870-5-104, 5: frames of the I, S and U format.
fn is_plausible(m: &[u8], len: u64) -> bool {
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

/// Why what a frame has inside is sent (IEC 60870-5-101, 7.2.3).
fn cause(m: &[u8]) -> u8 {
    octet(m, 8) & 0x3f
}

/// A function of the frame is asked for and confirmed, and so is a command, by why it is sent: it is activated or ended.
fn kind(m: &[u8]) -> Kind {
    match (octet(m, 2) & 3, octet(m, 2), cause(m)) {
        (3, 0x07 | 0x13 | 0x43, _) | (0 | 2, _, 6 | 8) => Kind::Request,
        (3, 0x0b | 0x23 | 0x83, _) | (0 | 2, _, 7 | 9) => Kind::Response,
        _ => Kind::Other,
    }
}

/// What is the same in a command and its confirmation: its type and address, and which of the two was meant.
fn transaction(m: &[u8]) -> Option<u64> {
    match (octet(m, 2) & 3, octet(m, 2), cause(m)) {
        (3, 0x07 | 0x0b, _) => Some(1),
        (3, 0x13 | 0x23, _) => Some(2),
        (3, _, _) => Some(3),
        (0 | 2, _, cause @ 6..=9) => {
            let command = u64::from(octet(m, 6)) << 48 | number(m, 10, 5);
            Some(1 << 63 | u64::from(cause & !1) << 56 | command)
        }
        _ => None,
    }
}

/// The function of the frame, or the type of what it has inside.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    match octet(m, 2) & 3 {
        1 => out.push('S'),
        3 => named_number(
            &[
                (0x07, "STARTDT act"),
                (0x0b, "STARTDT con"),
                (0x13, "STOPDT act"),
                (0x23, "STOPDT con"),
                (0x43, "TESTFR act"),
                (0x83, "TESTFR con"),
            ],
            u64::from(octet(m, 2)),
            out,
        ),
        _ => {
            let _ = write!(out, "I type {}", octet(m, 6));
        }
    }
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
