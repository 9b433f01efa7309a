//! DHCP for IPv6 (RFC 8415).

use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "dhcpv6",
    kind: Some(|m| match octet(m, 0) {
        1 | 3..=6 | 8 | 9 | 11 | 12 => Kind::Request,
        2 | 7 | 13 => Kind::Response,
        _ => Kind::Other,
    }),
    transaction: Some(|_, m| Some(number(m, 1, 3))),
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "DHCP for IPv6 (RFC 8415)",
    ports: &[546, 547],
    is_plausible: |m| m.len() >= 4 && (1..=36).contains(&octet(m, 0)),
};

/// The type of the message (RFC 8415, 7.3) and its transaction; a relay's messages have none.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    if m.is_empty() {
        return false;
    }
    let kind = octet(m, 0);
    named_number(
        &[
            (1, "solicit"),
            (2, "advertise"),
            (3, "request"),
            (4, "confirm"),
            (5, "renew"),
            (6, "rebind"),
            (7, "reply"),
            (8, "release"),
            (9, "decline"),
            (10, "reconfigure"),
            (11, "information-request"),
            (12, "relay-forward"),
            (13, "relay-reply"),
        ],
        kind.into(),
        out,
    );
    if !matches!(kind, 12 | 13) {
        let _ = write!(out, " 0x{:06x}", number(m, 1, 3));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn summaries() {
        for (octets, expected) in [
            (&b"\x01\0\x12\x34"[..], "solicit 0x001234"),
            (b"\x0d\0\0\0", "relay-reply"),
            (b"\x24\0\0\x01", "type 36 0x000001"),
            (b"", ""),
        ] {
            assert_eq!(said(summary, Transport::Udp, octets), expected);
        }
    }
}
