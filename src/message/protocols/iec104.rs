//! IEC 60870-5-104.

use super::super::length::{LengthProtocol, LengthRow, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
#[cfg(test)]
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "104apci",
    aliases: &["iec104"],
    about: "IEC 60870-5-104",
    ports: &[2404],
    summary: Some(summary),
    #[cfg(test)]
    samples: &[("6804 07000000", Kind::Other)],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(1, 1),
    add: 2,
    magic: Some((0, &[0x68])),
    header: 6,
    is_plausible,
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
