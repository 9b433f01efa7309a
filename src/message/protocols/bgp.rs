//! BGP-4 (RFC 4271).

use super::super::length::{LengthProtocol, LengthRow, Scan, field, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "bgp",
    about: "BGP-4 (RFC 4271)",
    ports: &[179],
    summary: Some(summary),
    #[cfg(test)]
    samples: &[("ffffffffffffffffffffffffffffffff 0013 04", Kind::Other)],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(16, 2),
    magic: Some((0, &[0xff; 16])),
    header: 19,
    is_plausible,
    self_evident: |_| true,
    scan: Scan::Octets(0, &[0xff; 16]),
    chain: 1,
    kind: |_| Kind::Other,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bgp;

impl LengthProtocol for Bgp {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// RFC 4271, 4.1; RFC 8654 for long messages.
fn is_plausible(m: &[u8], len: u64) -> bool {
    match octet(m, 18) {
        1 => len >= 29,
        2 => len >= 23,
        3 => len >= 21,
        4 => len == 19,
        5 => len >= 23,
        6 => len >= 21,
        _ => false,
    }
}

/// The type of the message (RFC 4271, 4.1).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (1, "OPEN"),
            (2, "UPDATE"),
            (3, "NOTIFICATION"),
            (4, "KEEPALIVE"),
            (5, "ROUTE-REFRESH"),
        ],
        u64::from(octet(m, 18)),
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
