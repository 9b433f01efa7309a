//! NTP (RFC 5905).

use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "ntp",
    kind: Some(kind),
    transaction: Some(transaction),
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "NTP (RFC 5905)",
    ports: &[123],
    is_plausible: |m| m.len() >= 12 && (1..=4).contains(&(octet(m, 0) >> 3 & 7)),
};

/// The mode (RFC 5905, 7.3): a client's, a server's or another.
fn kind(m: &[u8]) -> Kind {
    match octet(m, 0) & 7 {
        3 => Kind::Request,
        4 => Kind::Response,
        _ => Kind::Other,
    }
}

/// A server gives back when the client says that it sent (RFC 5905, 8).
fn transaction(_: Transport, m: &[u8]) -> Option<u64> {
    Some(match kind(m) {
        Kind::Response => number(m, 24, 8),
        _ => number(m, 40, 8),
    })
}

/// The mode (RFC 5905, 7.3).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (1, "symmetric active"),
            (2, "symmetric passive"),
            (3, "client"),
            (4, "server"),
            (5, "broadcast"),
            (6, "control"),
        ],
        u64::from(octet(m, 0) & 7),
        out,
    );
    true
}
