//! DHCP (RFC 2131).

use super::super::length::{number, octet, response_if};
use super::super::row::{DatagramRow, ProtocolRow, transaction_number};
use super::super::text::{named_number, option};
use crate::base::flow::Transport;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "dhcp",
    aliases: &["bootp"],
    kind: Some(|m| response_if(octet(m, 0) == 2)),
    transaction: Some(|_, m| Some(transaction(m))),
    // To all, by a client without an address, or of all.
    answered_elsewhere: true,
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// With the magic cookie: on any port.
pub(super) static WITH_COOKIE: DatagramRow = DatagramRow {
    about: "DHCP (RFC 2131)",
    ports: &[],
    // Operation, and the magic cookie.
    is_plausible: |m| matches!(octet(m, 0), 1 | 2) && number(m, 236, 4) == 0x6382_5363,
};

/// Without it: on the ports of its own.
pub(super) static CUT: DatagramRow = DatagramRow {
    about: "DHCP (RFC 2131)",
    ports: &[67, 68],
    // Cut before the cookie: operation, and the kind and length of an address of hardware.
    is_plausible: |m| {
        m.len() < 240 && matches!(octet(m, 0), 1 | 2) && octet(m, 1) > 0 && octet(m, 2) <= 16
    },
};

/// The type of the message, the address that the client gets, and the transaction.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let names = [
        (1, "discover"),
        (2, "offer"),
        (3, "request"),
        (4, "decline"),
        (5, "ack"),
        (6, "nak"),
        (7, "release"),
        (8, "inform"),
        (9, "force renew"),
        (10, "lease query"),
        (11, "lease unassigned"),
        (12, "lease unknown"),
        (13, "lease active"),
        (14, "bulk lease query"),
        (15, "lease query done"),
        (16, "active lease query"),
        (17, "lease query status"),
        (18, "start TLS"),
    ];
    match message_type(m) {
        Some(kind) => named_number(&names, kind.into(), out),
        None if octet(m, 0) == 1 => out.push_str("request"),
        None => out.push_str("reply"),
    }
    // "Your" address (RFC 2131, 2).
    if let Some([a, b, c, d]) = m.get(16..20).filter(|o| **o != [0; 4]) {
        let _ = write!(out, " {a}.{b}.{c}.{d}");
    }
    let _ = write!(out, " 0x{:08x}", number(m, 4, 4));
    true
}

/// The transaction of the client's hardware by way of this relay (RFC 2131, 2), and whether it asks for offers or for one of them: both
/// have the same number (RFC 2131, 4.4.1).
fn transaction(m: &[u8]) -> u64 {
    let offers = matches!(message_type(m), Some(1 | 2));
    transaction_number((m.get(4..8), m.get(24..44), offers))
}

/// The message type of DHCP (RFC 2132, 9.6).
fn message_type(m: &[u8]) -> Option<u8> {
    option(m.get(240..)?, 53, 0)?.first().copied()
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn offers_and_what_is_taken_of_them_are_two() {
        let message = |kind: u8, client: u8| {
            let mut m = vec![1, 1, 6, 0, 0, 0, 0, 7];
            m.resize(240, 0);
            m[28] = client;
            m.extend([53, 1, kind, 255]);
            transaction(&m)
        };
        assert_eq!(message(1, 1), message(2, 1));
        assert_eq!(message(3, 1), message(5, 1));
        assert_ne!(message(1, 1), message(3, 1));
        assert_ne!(message(1, 1), message(1, 2));
    }

    #[test]
    fn summaries() {
        let mut dhcp = vec![2, 1, 6, 0, 0, 0, 0, 7];
        dhcp.resize(240, 0);
        dhcp[16..20].copy_from_slice(&[192, 0, 2, 9]);
        dhcp.extend([0, 51, 1, 9, 53, 1, 2, 255]);
        for (octets, expected) in [
            (&dhcp[..], "offer 192.0.2.9 0x00000007"),
            (&dhcp[..200], "reply 192.0.2.9 0x00000007"),
        ] {
            assert_eq!(said(summary, Transport::Udp, octets), expected);
        }
    }
}
