//! STUN (RFC 8489).

use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "stun",
    kind: Some(kind),
    transaction: Some(|_, m| Some(number(m, 8, 8))),
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "STUN (RFC 8489)",
    ports: &[],
    is_plausible: |m| {
        number(m, 4, 4) == 0x2112_a442
            && octet(m, 0) & 0xc0 == 0
            && number(m, 2, 2) + 20 == m.len() as u64
    },
};

/// Class and method of a binding (RFC 8489, 5).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (1, "binding request"),
            (0x101, "binding response"),
            (0x111, "binding error"),
        ],
        number(m, 0, 2),
        out,
    );
    true
}

/// The class (RFC 8489, 5).
fn kind(m: &[u8]) -> Kind {
    match number(m, 0, 2) & 0x110 {
        0 => Kind::Request,
        0x010 => Kind::Other,
        _ => Kind::Response,
    }
}
