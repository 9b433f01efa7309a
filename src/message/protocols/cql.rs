//! Cassandra's native protocol, versions 3 and 4 (native_protocol_v4.spec, 2). In version 5 frames stand in others, with sums.

use super::super::length::{LengthProtocol, LengthRow, Scan, field, number, octet, window};
use super::super::row::ProtocolRow;
use super::super::text::{escape, named_number};
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "cql",
    aliases: &["cassandra"],
    about: "Cassandra's native protocol, versions 3 and 4",
    ports: &[9042],
    summary: Some(summary),
    // The number of the stream, which events have none of (native_protocol_v4.spec, 2.3).
    transaction: Some(|_, m| (octet(m, 4) != EVENT).then(|| number(m, 2, 2))),
    one_answer: true,
    numbers_again: true,
    #[cfg(test)]
    samples: &[
        (
            "04000000 01 00000016 0001 000b 43514c5f56455253494f4e 0005 332e302e30",
            Kind::Request,
        ),
        ("84000000 02 00000000", Kind::Response),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(5, 4),
    add: 9,
    header: 14,
    is_plausible: |m, len| len <= (256 << 20) + 9 && m.first_chunk().is_some_and(is_header),
    self_evident: |m| octet(m, 4) == STARTUP && octet(m, 13).is_ascii_uppercase(),
    scan: Scan::By(6, |octets| {
        window(octets, |m: &[u8; 6]| is_header(m) && m[5] <= 0x10)
    }),
    chain: 2,
    min_chain: 2,
    // One side asks, the other answers, and both keep to a version.
    follows: |m, next| octet(m, 0) == octet(next, 0),
    sort: |m| octet(m, 0),
    kind: |m| {
        if octet(m, 4) == EVENT {
            Kind::Other
        } else if octet(m, 0) & ANSWER == 0 {
            Kind::Request
        } else {
            Kind::Response
        }
    },
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cql;

impl LengthProtocol for Cql {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// Octets of a statement that are shown.
const SHOWN: usize = 100;
/// The bit of the version that an answer has.
const ANSWER: u8 = 0x80;
/// What a server sends because it was asked for long before.
const EVENT: u8 = 0x0c;
/// The first request, a map of strings.
const STARTUP: u8 = 0x01;

/// A version, flags, and an operation of that side.
fn is_header(m: &[u8; 6]) -> bool {
    let operation = if m[0] & ANSWER == 0 {
        matches!(m[4], STARTUP | 0x05 | 0x07 | 0x09..=0x0b | 0x0d | 0x0f)
    } else {
        matches!(m[4], 0x00 | 0x02 | 0x03 | 0x06 | 0x08 | 0x0c | 0x0e | 0x10)
    };
    operation && matches!(m[0] & !ANSWER, 3 | 4) && m[1] & 0xf0 == 0
}

/// The operation, and the statement of a query.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let operation = octet(m, 4);
    named_number(
        &[
            (0x00, "ERROR"),
            (0x01, "STARTUP"),
            (0x02, "READY"),
            (0x03, "AUTHENTICATE"),
            (0x05, "OPTIONS"),
            (0x06, "SUPPORTED"),
            (0x07, "QUERY"),
            (0x08, "RESULT"),
            (0x09, "PREPARE"),
            (0x0a, "EXECUTE"),
            (0x0b, "REGISTER"),
            (0x0c, "EVENT"),
            (0x0d, "BATCH"),
            (0x0e, "AUTH_CHALLENGE"),
            (0x0f, "AUTH_RESPONSE"),
            (0x10, "AUTH_SUCCESS"),
        ],
        u64::from(operation),
        out,
    );
    // Not where it is compressed.
    if matches!(operation, 0x07 | 0x09) && octet(m, 1) & 1 == 0 {
        let len = usize::try_from(number(m, 9, 4)).unwrap_or(usize::MAX);
        let text = m.get(13..).unwrap_or_default();
        out.push(' ');
        escape(&text[..text.len().min(len).min(SHOWN)], out);
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
