//! DNP3 (IEEE 1815): frames of its link layer.

use super::super::length::{LengthField, LengthProtocol, LengthRow, Scan, fills, number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "dnp3",
    about: "DNP3 (IEEE 1815): frames of its link layer",
    ports: &[20000],
    kind: Some(kind),
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    // Of 16 numbers each comes again soon.
    numbers_again: true,
    words_ahead: 3,
    #[cfg(test)]
    samples: &[
        ("0564 05c9 0100 0004 a657", Kind::Request),
        ("0564 0bc4 0100 0004 f45c c0c1013c0106f973", Kind::Request),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::By(|m| m.get(2).map(|len| frame_len(*len))),
    magic: Some((0, &[0x05, 0x64])),
    header: HEADER,
    is_plausible: |m, _| m.get(..HEADER).is_some_and(is_header),
    self_evident: |_| true,
    scan: Scan::Octets(0, &[0x05, 0x64]),
    kind,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dnp3;

impl LengthProtocol for Dnp3 {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "DNP3 (IEEE 1815)",
    ports: &[20000],
    is_plausible: |m| fills(&FORMAT, m),
};

/// The header with its sum.
const HEADER: usize = 10;
/// Octets of the header that its length counts.
const COUNTED: u8 = 5;
/// Octets of data with a sum of their own.
const BLOCK: u64 = 16;

/// Octets of a frame with this number in its header: data in blocks, each with a sum of two octets behind it.
fn frame_len(len: u8) -> Option<u64> {
    let data = u64::from(len.checked_sub(COUNTED)?);
    Some(HEADER as u64 + data + 2 * data.div_ceil(BLOCK))
}

/// The sum of the header is right.
fn is_header(m: &[u8]) -> bool {
    let (header, sum) = m.split_at(HEADER - 2);
    sum == crc(header).to_le_bytes()
}

/// CRC-16/DNP: the polynomial 0x3d65, lowest bit first, complemented (IEEE 1815, 9.2.4.3).
fn crc(octets: &[u8]) -> u16 {
    let step = |crc: u16, _| {
        if crc & 1 == 0 {
            crc >> 1
        } else {
            crc >> 1 ^ 0xa6bc
        }
    };
    let add = |crc: u16, octet: &u8| (0..8).fold(crc ^ u16::from(*octet), step);
    !octets.iter().fold(0, add)
}

/// The function of what the application says; None where the frame has nothing of it, or not its beginning.
fn function(m: &[u8]) -> Option<u8> {
    let first = octet(m, HEADER) & 0x40 != 0;
    m.get(HEADER + 2)
        .copied()
        .filter(|_| octet(m, 2) >= COUNTED + 3 && first)
}

/// Both addresses, and the number of what the application says, which its response repeats (IEEE 1815, 4.2.2.4); of the link layer,
/// which has no number, the addresses alone.
fn transaction(m: &[u8]) -> Option<u64> {
    let (one, other) = (number(m, 4, 2), number(m, 6, 2));
    let ends = one.min(other) << 24 | one.max(other) << 8;
    match function(m) {
        // A confirmation is not answered, and nobody asked for what is not solicited.
        Some(0 | 130) => None,
        Some(_) => Some(ends | u64::from(octet(m, HEADER + 1) & 0xf)),
        None if octet(m, 2) > COUNTED => None,
        None => Some(1 << 63 | ends),
    }
}

/// Responses of the application have functions above 128; a frame without data is a request of the primary station.
fn kind(m: &[u8]) -> Kind {
    let primary = octet(m, 3) & 0x40 != 0;
    match (function(m), primary) {
        (Some(0 | 130), _) => Kind::Other,
        // More of a message has no function of its own.
        (None, _) if octet(m, 2) > COUNTED => Kind::Other,
        (Some(129..), _) | (None, false) => Kind::Response,
        _ => Kind::Request,
    }
}

/// Who speaks to whom, and what.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let address = |at| u16::from_le_bytes([octet(m, at), octet(m, at + 1)]);
    let _ = write!(out, "{} > {} ", address(6), address(4));
    match function(m) {
        Some(function) => named_number(
            &[
                (0, "confirm"),
                (1, "read"),
                (2, "write"),
                (3, "select"),
                (4, "operate"),
                (5, "direct operate"),
                (6, "direct operate, no answer"),
                (7, "immediate freeze"),
                (8, "immediate freeze, no answer"),
                (9, "freeze and clear"),
                (10, "freeze and clear, no answer"),
                (11, "freeze at time"),
                (12, "freeze at time, no answer"),
                (13, "cold restart"),
                (14, "warm restart"),
                (15, "initialize data"),
                (16, "initialize application"),
                (17, "start application"),
                (18, "stop application"),
                (19, "save configuration"),
                (20, "enable unsolicited"),
                (21, "disable unsolicited"),
                (22, "assign class"),
                (23, "delay measurement"),
                (24, "record current time"),
                (25, "open file"),
                (26, "close file"),
                (27, "delete file"),
                (28, "get file information"),
                (29, "authenticate file"),
                (30, "abort file"),
                (31, "activate configuration"),
                (32, "authentication request"),
                (33, "authentication request, no answer"),
                (129, "response"),
                (130, "unsolicited response"),
                (131, "authentication response"),
            ],
            u64::from(function),
            out,
        ),
        None if octet(m, 2) > COUNTED => out.push_str("more of a message"),
        None => named_number(
            &[
                (0x40, "reset link"),
                (0x42, "test link"),
                (0x49, "request link status"),
                (0x00, "acknowledged"),
                (0x01, "refused"),
                (0x0b, "link status"),
                (0x0f, "not supported"),
            ],
            u64::from(octet(m, 3) & 0x4f),
            out,
        ),
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

    #[test]
    fn each_block_has_a_sum() {
        let lens = [(5, 10), (6, 13), (21, 28), (22, 31), (255, 292)];
        for (number, len) in lens {
            assert_eq!(frame_len(number), Some(len));
        }
        assert_eq!(frame_len(4), None);
        // The check value of CRC-16/DNP in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc(b"123456789"), 0xea82);
    }
}
