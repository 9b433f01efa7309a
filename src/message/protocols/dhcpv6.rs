//! DHCP for IPv6 (RFC 8415).

use super::super::length::octet;
use super::super::row::{DatagramRow, ProtocolRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "dhcpv6",
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "DHCP for IPv6 (RFC 8415)",
    ports: &[546, 547],
    is_plausible: |m| m.len() >= 4 && (1..=36).contains(&octet(m, 0)),
};
