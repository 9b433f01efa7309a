//! Diagnostics over IP (ISO 13400-2).

use super::super::length::{
    LengthProtocol, LengthRow, Scan, field, fills, number, octet, response_if, window,
};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "doip",
    kind: Some(kind),
    transaction: Some(|_, m| transaction(m)),
    // A service is asked for again and again.
    numbers_again: true,
    about: "Diagnostics over IP (ISO 13400-2)",
    ports: &[13400],
    summary: Some(summary),
    #[cfg(test)]
    samples: &[("02fd 0005 00000007 0e00 00 00000000", Kind::Request)],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(4, 4),
    add: 8,
    header: 8,
    is_plausible,
    self_evident: |_| true,
    // The version and its complement, the type of the payload.
    scan: Scan::By(3, |octets| {
        window(octets, |o: &[u8; 3]| {
            o[0] ^ o[1] == 0xff && (o[0] < 5 || o[0] == 0xff) && matches!(o[2], 0 | 0x40 | 0x80)
        })
    }),
    chain: 2,
    kind,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Doip;

impl LengthProtocol for Doip {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "Diagnostics over IP (ISO 13400-2)",
    ports: &[13400],
    is_plausible: |m| fills(&FORMAT, m),
};

fn is_plausible(m: &[u8], len: u64) -> bool {
    let version = octet(m, 0);
    let kind = number(m, 2, 2);
    matches!(version, 1..=4 | 0xff)
        && octet(m, 1) == !version
        && len < 1 << 28
        && matches!(kind, 0..=8 | 0x4001..=0x4004 | 0x8001..=0x8003)
}

fn kind(m: &[u8]) -> Kind {
    match number(m, 2, 2) {
        1..=3 | 5 | 7 | 0x4001 | 0x4003 => Kind::Request,
        4 | 6 | 8 | 0x4002 | 0x4004 => Kind::Response,
        // What it carries asks for a service, or answers with its number and a bit (ISO 14229-1, 8.2).
        DIAGNOSTIC if m.len() > SERVICE => response_if(octet(m, SERVICE) & ANSWER != 0),
        _ => Kind::Other,
    }
}

/// A message to or from a control unit: the addresses of its sender and of the other, and the service.
const DIAGNOSTIC: u64 = 0x8001;
const SERVICE: usize = 12;
/// The bit of an answer.
const ANSWER: u8 = 0x40;

/// What is asked for; of a service, also of whom, as both addresses are repeated the other way round.
fn transaction(m: &[u8]) -> Option<u64> {
    match number(m, 2, 2) {
        1..=4 => Some(1),
        // Of a tester, which is named first in both.
        5 | 6 => Some(2 << 16 | number(m, 8, 2)),
        7 | 8 => Some(3),
        0x4001 | 0x4002 => Some(4),
        0x4003 | 0x4004 => Some(5),
        DIAGNOSTIC => {
            let (from, to) = (number(m, 8, 2), number(m, 10, 2));
            let (tester, unit, service) = match (octet(m, SERVICE), octet(m, SERVICE + 1)) {
                // A refusal names the service; that the answer is pending is none yet (ISO 14229-1, A.1).
                (0x7f, _) if octet(m, SERVICE + 2) == 0x78 => return None,
                (0x7f, service) => (to, from, service),
                (service, _) if service & ANSWER != 0 => (to, from, service & !ANSWER),
                (service, _) => (from, to, service),
            };
            Some(1 << 40 | tester << 24 | unit << 8 | u64::from(service))
        }
        _ => None,
    }
}

/// The type of the payload.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (0, "negative acknowledgment"),
            (1, "identification request"),
            (2, "identification request by EID"),
            (3, "identification request by VIN"),
            (4, "identification"),
            (5, "routing activation request"),
            (6, "routing activation response"),
            (7, "alive check request"),
            (8, "alive check response"),
            (0x4001, "status request"),
            (0x4002, "status response"),
            (0x4003, "power mode request"),
            (0x4004, "power mode response"),
            (0x8001, "diagnostic message"),
            (0x8002, "diagnostic acknowledgment"),
            (0x8003, "diagnostic refusal"),
        ],
        number(m, 2, 2),
        out,
    );
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::*;

    /// The answer to a service comes the other way, perhaps behind a word that it is pending.
    #[test]
    fn services_are_answered() {
        let message = |octets: &[u8]| {
            let mut m = vec![2, 0xfd, 0x80, 1, 0, 0, 0, 6];
            m.extend(octets);
            (kind(&m), transaction(&m))
        };
        let (asks, number) = message(&[0x0e, 0, 0x10, 1, 0x22, 0xf1, 0x90]);
        assert_eq!(asks, Kind::Request);
        for (octets, same) in [
            (&[0x10, 1, 0x0e, 0, 0x62, 0xf1, 0x90][..], true),
            (&[0x10, 1, 0x0e, 0, 0x7f, 0x22, 0x31], true),
            (&[0x10, 1, 0x0e, 0, 0x7f, 0x22, 0x78], false),
            (&[0x10, 2, 0x0e, 0, 0x62, 0xf1, 0x90], false),
            (&[0x10, 1, 0x0e, 0, 0x50, 3], false),
        ] {
            let (answers, other) = message(octets);
            assert_eq!(
                (answers, other == number),
                (Kind::Response, same),
                "{octets:?}"
            );
        }
    }

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
