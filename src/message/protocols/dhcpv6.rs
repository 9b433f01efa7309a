//! DHCP for IPv6 (RFC 8415).

use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow, transaction_number};
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
    transaction: Some(|_, m| Some(transaction(m))),
    // A client asks all servers, one of which answers.
    answered_elsewhere: true,
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

/// The transaction of a client, or, between relays and servers, the client and the message that is relayed (RFC 8415, 9): an answer
/// repeats them.
fn transaction(m: &[u8]) -> u64 {
    let relayed = matches!(octet(m, 0), 12 | 13);
    let options = m.get(if relayed { 34 } else { 4 }..);
    // The relayed message, or the client's identifier (RFC 8415, 21.10, 21.2).
    let known = option(options.unwrap_or_default(), if relayed { 9 } else { 1 });
    if relayed {
        // Of the message inside, its transaction.
        transaction_number((m.get(1..34), known.and_then(|inner| inner.get(1..4))))
    } else {
        transaction_number((m.get(1..4), known))
    }
}

/// The value of the first option of this code (RFC 8415, 21.1).
fn option(mut options: &[u8], code: u64) -> Option<&[u8]> {
    loop {
        let len = usize::try_from(number(options, 2, 2)).ok()?;
        let value = options.get(4..4 + len)?;
        if number(options, 0, 2) == code {
            return Some(value);
        }
        options = options.get(4 + len..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn answers_repeat_transaction_and_client() {
        let asked = b"\x01\0\x12\x34\0\x08\0\x02\0\0\0\x01\0\x02me";
        let told = b"\x02\0\x12\x34\0\x01\0\x02me\0\x02\0\x03you";
        let other = b"\x02\0\x12\x34\0\x01\0\x02it";
        assert_eq!(transaction(asked), transaction(told));
        assert_ne!(transaction(asked), transaction(other));
        // Between a relay and a server.
        let relayed = |kind: u8, inner: &[u8]| {
            let mut m = vec![kind];
            m.resize(34, 7);
            let len = u8::try_from(inner.len()).unwrap();
            m.extend([0, 9, 0, len]);
            m.extend(inner);
            transaction(&m)
        };
        assert_eq!(relayed(12, asked), relayed(13, told));
        assert_ne!(relayed(12, asked), relayed(13, b"\x02\0\x12\x35"));
        for len in 0..asked.len() {
            transaction(&asked[..len]);
        }
    }

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
