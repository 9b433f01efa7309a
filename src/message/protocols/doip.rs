//! Diagnostics over IP (ISO 13400-2).

use super::super::length::{LengthProtocol, LengthRow, Scan, field, fills, number, octet, window};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "doip",
    kind: Some(kind),
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
        _ => Kind::Other,
    }
}

/// The type of the payload.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (0, "negative acknowledgment"),
            (1, "identification request"),
            (4, "identification"),
            (5, "routing activation request"),
            (6, "routing activation response"),
            (7, "alive check request"),
            (8, "alive check response"),
            (0x4001, "status request"),
            (0x4002, "status response"),
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

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
