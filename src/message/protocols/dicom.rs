//! The DICOM upper layer: images of medicine (PS3.8, 9.3).

use super::super::length::{LengthProtocol, LengthRow, Scan, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{escape, named_number};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "dicom",
    about: "DICOM upper layer (PS3.8)",
    ports: &[104, 2761, 2762, 11112],
    kind: Some(kind),
    summary: Some(summary),
    transaction: Some(|_, m| transaction(m)),
    words_ahead: 1,
    #[cfg(test)]
    samples: &[
        ("05 00 00000004 00000000", Kind::Request),
        ("06 00 00000004 00000000", Kind::Response),
        ("07 00 00000004 00000000", Kind::Other),
        (
            "04 00 00000018 00000014 01 03 0000 0001 02000000 3000 0000 1001 02000000 0700",
            Kind::Request,
        ),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(2, 4),
    add: 6,
    header: 12,
    is_plausible,
    self_evident: is_certain,
    scan: Scan::Octets(0, &[P_DATA, 0]),
    chain: 2,
    kind,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dicom;

impl LengthProtocol for Dicom {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// Types of a protocol data unit (PS3.8, 9.3.1).
const ASSOCIATE_RQ: u8 = 1;
const ASSOCIATE_AC: u8 = 2;
const P_DATA: u8 = 4;
const RELEASE_RP: u8 = 6;
const ABORT: u8 = 7;
/// Octets of the units that have no other length.
const SHORT: usize = 10;
/// Octets of an association's units ahead of their items (PS3.8, 9.3.2).
const FIXED: u64 = 74;
/// Octets of a unit at most. Both sides agree on less than a mebibyte, or on no limit, and cut their data all the same.
const MOST: u64 = 16 << 20;
/// Octets of a title (PS3.5, 6.2).
const TITLE: usize = 16;
/// Where the first value of a unit of data begins: behind the header of the unit, and that of the value.
const VALUE: usize = 12;

fn is_plausible(m: &[u8], len: u64) -> bool {
    // Reserved.
    if octet(m, 1) != 0 {
        return false;
    }
    match octet(m, 0) {
        ASSOCIATE_RQ | ASSOCIATE_AC => (FIXED..=MOST).contains(&len) && octet(m, 7) & 1 == 1,
        P_DATA => {
            let value = number(m, 6, 4);
            // A context's number is odd; two bits say what the value is (PS3.8, 9.3.5 and E.2).
            (VALUE as u64..=MOST).contains(&len)
                && (2..=len - SHORT as u64).contains(&value)
                && octet(m, 10) & 1 == 1
                && octet(m, 11) < 4
        }
        3 | 5..=ABORT => len == SHORT as u64,
        _ => false,
    }
}

/// An association of the only version that there is, or data of which a unit has one value, as nearly all do.
fn is_certain(m: &[u8]) -> bool {
    match octet(m, 0) {
        ASSOCIATE_RQ | ASSOCIATE_AC => {
            number(m, 6, 4) == 1 << 16 && octet(m, 10).is_ascii_graphic()
        }
        P_DATA => number(m, 2, 4) == number(m, 6, 4) + 4,
        _ => false,
    }
}

/// The number in this element of the command that a unit begins with, in group 0 (PS3.7, E.1): implicit, little endian. None where it
/// begins with something else.
fn element(m: &[u8], wanted: u16) -> Option<u16> {
    if octet(m, 0) != P_DATA || octet(m, VALUE - 1) & 1 == 0 {
        return None;
    }
    let mut rest = m.get(VALUE..)?;
    loop {
        let (header, value) = rest.split_first_chunk::<8>()?;
        let [0, 0, low, high, a, b, c, d] = *header else {
            return None;
        };
        let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        if u16::from_le_bytes([low, high]) == wanted {
            return Some(u16::from_le_bytes(*value.first_chunk()?));
        }
        rest = value.get(len..)?;
    }
}

/// What is done: bit 15 says that it is answered (PS3.7, E.1).
fn command(m: &[u8]) -> Option<u16> {
    element(m, 0x0100)
}

fn kind(m: &[u8]) -> Kind {
    match (octet(m, 0), command(m)) {
        (P_DATA, None) | (ABORT, _) => Kind::Other,
        // Nobody answers that something is not wanted any longer.
        (P_DATA, Some(0x0fff)) => Kind::Other,
        (P_DATA, Some(0x8000..)) | (ASSOCIATE_AC | 3 | RELEASE_RP, _) => Kind::Response,
        _ => Kind::Request,
    }
}

/// The number of a request, which its answers repeat; the association's units have none, and there is one of each in a connection.
fn transaction(m: &[u8]) -> Option<u64> {
    match octet(m, 0) {
        1..=3 => Some(1 << 32),
        5 | RELEASE_RP => Some(2 << 32),
        _ => {
            let asked = element(m, 0x0110);
            asked.or_else(|| element(m, 0x0120)).map(u64::from)
        }
    }
}

/// What is done with whom, or how much data there is.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let names = [
        (1, "A-ASSOCIATE-RQ"),
        (2, "A-ASSOCIATE-AC"),
        (3, "A-ASSOCIATE-RJ"),
        (4, "P-DATA"),
        (5, "A-RELEASE-RQ"),
        (6, "A-RELEASE-RP"),
        (7, "A-ABORT"),
    ];
    named_number(&names, octet(m, 0).into(), out);
    match octet(m, 0) {
        ASSOCIATE_RQ | ASSOCIATE_AC => {
            let titles = m.get(SHORT..).unwrap_or_default();
            if let (Some(called), Some(calling)) =
                (titles.get(..TITLE), titles.get(TITLE..2 * TITLE))
            {
                out.push(' ');
                escape(calling.trim_ascii(), out);
                out.push_str(" > ");
                escape(called.trim_ascii(), out);
            }
        }
        P_DATA => match command(m) {
            Some(command) => {
                out.push(' ');
                named_number(&COMMANDS, u64::from(command & 0x7fff), out);
                let answer = command & 0x8000 != 0;
                out.push_str(if answer { "-RSP" } else { "-RQ" });
                if let Some(id) = transaction(m) {
                    let _ = write!(out, " {id}");
                }
                if let Some(status) = element(m, 0x0900).filter(|_| answer) {
                    match status {
                        0 => out.push_str(" success"),
                        0xff00 | 0xff01 => out.push_str(" pending"),
                        0xfe00 => out.push_str(" cancelled"),
                        status => {
                            let _ = write!(out, " status 0x{status:04x}");
                        }
                    }
                }
            }
            None => {
                let command = octet(m, VALUE - 1) & 1 != 0;
                let what = if command { "more of a command" } else { "data" };
                let _ = write!(out, " {what}, {} octets", number(m, 2, 4));
            }
        },
        _ => {}
    }
    true
}

/// PS3.7, E.1.
const COMMANDS: [(u64, &str); 12] = [
    (0x0001, "C-STORE"),
    (0x0010, "C-GET"),
    (0x0020, "C-FIND"),
    (0x0021, "C-MOVE"),
    (0x0030, "C-ECHO"),
    (0x0fff, "C-CANCEL"),
    (0x0100, "N-EVENT-REPORT"),
    (0x0110, "N-GET"),
    (0x0120, "N-SET"),
    (0x0130, "N-ACTION"),
    (0x0140, "N-CREATE"),
    (0x0150, "N-DELETE"),
];
