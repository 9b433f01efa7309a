//! SOME/IP (AUTOSAR).

use super::super::bundled;
use super::super::length::{LengthProtocol, LengthRow, Scan, field, fills, number, octet, window};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "someip",
    transaction: Some(|_, m| Some(number(m, 0, 4) << 32 | number(m, 8, 4))),
    kind: Some(FORMAT.kind),
    about: "SOME/IP (AUTOSAR)",
    ports: &[30490],
    summary: Some(summary),
    bundled: Some(length),
    #[cfg(test)]
    samples: &[("1234 0001 00000008 0001 0001 01 01 00 00", Kind::Request)],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(4, 4),
    add: 8,
    header: 16,
    is_plausible,
    // Service 0 is reserved (PRS_SOMEIP, 4.1.2.3): frames of HTTP/2 that are shorter than 256 octets begin with that.
    self_evident: |m| number(m, 0, 2) != 0 && number(m, 4, 4) < UNASKED,
    // The version of the protocol, the length, the type of the message, the return code.
    scan: Scan::By(16, |octets| {
        window(octets, |o: &[u8; 16]| {
            o[12] == 1 && o[4] < 0x10 && o[14] & 0x1c == 0 && (o[15] == 0 || o[14] & 0x80 != 0)
        })
    }),
    chain: 2,
    kind: |m| match octet(m, 14) & !0x20 {
        0 => Kind::Request,
        0x80 | 0x81 => Kind::Response,
        _ => Kind::Other,
    },
    ..LengthRow::USUAL
};

/// Octets of a message that is believed on a port that does not hint at the protocol, less than that: more do not stand in one
/// message of a car's network, and a false length would take all that follows.
const UNASKED: u64 = 1 << 20;

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Someip;

impl LengthProtocol for Someip {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "SOME/IP (AUTOSAR)",
    ports: &[],
    is_plausible: |m| fills(&FORMAT, m),
};

fn is_plausible(m: &[u8], len: u64) -> bool {
    (16..1 << 28).contains(&len)
        && octet(m, 12) == 1
        && matches!(octet(m, 14), 0..=2 | 0x20..=0x22 | 0x40..=0x42 | 0x60..=0x62 | 0x80 | 0x81 | 0xa0 | 0xa1 | 0xc0 | 0xc1)
        && octet(m, 15) <= 0x5e
        // What is no answer has no return code (PRS_SOMEIP, 4.1.2.7).
        && (octet(m, 14) & 0x80 != 0 || octet(m, 15) == 0)
}

/// A datagram may carry several (PRS_SOMEIP, 4.2.1.3): octets of the first of these.
fn length(m: &[u8]) -> Option<u64> {
    let len = number(m, 4, 4).saturating_add(8);
    (m.len() >= 16 && is_plausible(m, len)).then_some(len)
}

fn summary(transport: Transport, m: &[u8], out: &mut String) -> bool {
    match transport {
        // What stands behind the header of a stream's message may be the next one.
        Transport::Tcp | Transport::Sctp => one_line(m, out).is_some(),
        Transport::Udp => bundled::summary(length, one_line, m, out),
    }
}

/// Service, method and the type of the message.
fn one_line(m: &[u8], out: &mut String) -> Option<()> {
    if m.len() < 8 {
        return None;
    }
    let _ = write!(
        out,
        "service 0x{:04x} method 0x{:04x} ",
        number(m, 0, 2),
        number(m, 2, 2)
    );
    named_number(
        &[
            (0, "request"),
            (1, "request without answer"),
            (2, "notification"),
            (0x80, "response"),
            (0x81, "error"),
        ],
        u64::from(octet(m, 14)),
        out,
    );
    Some(())
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
