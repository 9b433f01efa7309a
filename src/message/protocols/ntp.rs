//! NTP (RFC 5905).

use super::super::length::octet;
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "ntp",
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "NTP (RFC 5905)",
    ports: &[123],
    is_plausible: |m| m.len() >= 12 && (1..=4).contains(&(octet(m, 0) >> 3 & 7)),
};

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
