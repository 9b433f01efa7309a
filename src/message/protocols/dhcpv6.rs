//! DHCP for IPv6 (RFC 8415).

use super::super::fields::MessageFields;
use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow, transaction_number};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

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
    fields: Some(fields),
    field_names: &["type", "client_id", "address", "status"],
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "DHCP for IPv6 (RFC 8415)",
    ports: &[546, 547],
    is_plausible: |m| m.len() >= 4 && (1..=36).contains(&octet(m, 0)),
};

/// Types of messages (RFC 8415, 7.3).
const TYPES: &[(u64, &str)] = &[
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
];

/// Status codes (RFC 8415, 21.13).
const STATUSES: [&str; 7] = [
    "success",
    "unspecified failure",
    "no addresses available",
    "no binding",
    "not on link",
    "use multicast",
    "no prefix available",
];

/// Octets of an identifier, at most (RFC 8415, 11.1).
const LONGEST: usize = 130;
/// Addresses and prefixes that a summary shows.
const SHOWN: usize = 3;
/// Relays behind each other that are looked through (RFC 8415, 7.6: HOP_COUNT_LIMIT).
const HOPS: usize = 8;

/// A relay's messages have another one in them.
fn is_relayed(m: &[u8]) -> bool {
    matches!(octet(m, 0), 12 | 13)
}

/// What stands behind the header of a message.
fn options(m: &[u8]) -> &[u8] {
    m.get(if is_relayed(m) { 34 } else { 4 }..)
        .unwrap_or_default()
}

/// The message that a relay passes on (RFC 8415, 21.10).
fn relayed(m: &[u8]) -> Option<&[u8]> {
    option(options(m), 9).filter(|_| is_relayed(m))
}

/// The options of which this is the beginning: code and value (RFC 8415, 21.1).
fn each(mut options: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::try_from(number(options, 2, 2)).ok()?;
        let value = options.get(4..4 + len)?;
        let code = number(options, 0, 2);
        options = options.get(4 + len..)?;
        Some((code, value))
    })
}

/// The addresses and prefixes of a message (RFC 8415, 21.4 to 21.6, 21.21, 21.22), and the first status that is no success.
fn bindings(m: &[u8]) -> (Vec<String>, Option<u64>) {
    let (mut all, mut status) = (Vec::new(), None);
    let mut noted = |value: &[u8]| {
        let code = number(value, 0, 2);
        if code != 0 && value.len() >= 2 {
            status.get_or_insert(code);
        }
    };
    for (code, value) in each(options(m)) {
        let inside = match code {
            13 => {
                noted(value);
                continue;
            }
            // An identity with its times has its options behind these.
            3 | 25 => value.get(12..),
            4 => value.get(4..),
            _ => continue,
        };
        for (code, value) in each(inside.unwrap_or_default()) {
            match code {
                13 => noted(value),
                5 => all.extend(
                    value
                        .first_chunk()
                        .map(|address| Ipv6Addr::from(*address).to_string()),
                ),
                26 => all.extend(value.get(9..).and_then(|prefix| {
                    let prefix = Ipv6Addr::from(*prefix.first_chunk()?);
                    Some(format!("{prefix}/{}", octet(value, 8)))
                })),
                _ => {}
            }
        }
    }
    (all, status)
}

/// The type of the message (RFC 8415, 7.3) and its transaction, the addresses in it, and what went wrong; of a relay's message, what
/// it passes on.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let mut m = m;
    for _ in 0..HOPS {
        if m.is_empty() {
            break;
        }
        named_number(TYPES, octet(m, 0).into(), out);
        let Some(inner) = relayed(m) else {
            if is_relayed(m) {
                return true;
            }
            break;
        };
        out.push_str(", ");
        m = inner;
    }
    if m.is_empty() {
        return false;
    }
    if is_relayed(m) {
        out.push_str("...");
        return true;
    }
    let _ = write!(out, " 0x{:06x}", number(m, 1, 3));
    if let Some(client) = client(m) {
        out.extend([" client ", &client]);
    }
    let (addresses, status) = bindings(m);
    for address in addresses.iter().take(SHOWN) {
        out.extend([" ", address]);
    }
    if let Some(more @ 1..) = addresses.len().checked_sub(SHOWN) {
        let _ = write!(out, " and {more} more");
    }
    if let Some(code) = status {
        let _ = match usize::try_from(code).ok().and_then(|n| STATUSES.get(n)) {
            Some(name) => write!(out, ", {name}"),
            None => write!(out, ", status {code}"),
        };
    }
    true
}

/// The identifier of the client (RFC 8415, 21.2), in hexadecimal.
fn client(m: &[u8]) -> Option<String> {
    let id = option(options(m), 1).filter(|id| !id.is_empty() && id.len() <= LONGEST)?;
    Some(id.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    }))
}

/// What of a message has a name: of one that a relay passes on, what is in it.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let mut inner = m;
    for _ in 0..HOPS {
        inner = relayed(inner).unwrap_or(inner);
    }
    if inner.is_empty() {
        return;
    }
    to.write("type", |out| {
        named_number(TYPES, octet(inner, 0).into(), out)
    });
    if let Some(client) = client(inner) {
        to.text("client_id", client.as_bytes());
    }
    let (addresses, status) = bindings(inner);
    if !addresses.is_empty() {
        let shown = addresses.iter().take(SHOWN).map(String::as_str);
        to.text("address", shown.collect::<Vec<_>>().join(",").as_bytes());
    }
    if let Some(code) = status {
        to.number("status", code);
    }
}

/// The transaction of a client, or, between relays and servers, the client and the message that is relayed (RFC 8415, 9): an answer
/// repeats them.
fn transaction(m: &[u8]) -> u64 {
    let relayed = is_relayed(m);
    // The relayed message, or the client's identifier (RFC 8415, 21.10, 21.2).
    let known = option(options(m), if relayed { 9 } else { 1 });
    if relayed {
        // Of the message inside, its transaction.
        transaction_number((m.get(1..34), known.and_then(|inner| inner.get(1..4))))
    } else {
        transaction_number((m.get(1..4), known))
    }
}

/// The value of the first option of this code.
fn option(options: &[u8], code: u64) -> Option<&[u8]> {
    each(options)
        .find(|(found, _)| *found == code)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::FieldValue;
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
    fn addresses_and_statuses_are_fields() {
        let m = b"\x07\0\x12\x34\0\x03\0\x2e\0\0\0\x01\0\0\0\0\0\0\0\0\0\x05\0\x18\
\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x3c\0\0\0\x78\0\x0d\0\x02\0\x04";
        let mut found = MessageFields::default();
        fields(Transport::Udp, Kind::Response, m, &mut found);
        let text = |name| match found.get(name) {
            Some(FieldValue::Text(text)) => text.to_owned(),
            Some(FieldValue::Number(number)) => number.to_string(),
            None => String::new(),
        };
        let all = ["type", "address", "status"].map(text);
        assert_eq!(all, ["reply", "2001:db8::5", "4"]);
    }

    #[test]
    fn summaries() {
        for (octets, expected) in [
            (&b"\x01\0\x12\x34"[..], "solicit 0x001234"),
            (b"\x0d\0\0\0", "relay-reply"),
            (
                b"\x07\0\x12\x34\0\x03\0\x28\0\0\0\x01\0\0\0\0\0\0\0\0\0\x05\0\x18\
\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x3c\0\0\0\x78",
                "reply 0x001234 2001:db8::5",
            ),
            (
                b"\x02\0\x12\x34\0\x19\0\x29\0\0\0\x01\0\0\0\0\0\0\0\0\0\x1a\0\x19\
\0\0\0\x3c\0\0\0\x78\x38\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0",
                "advertise 0x001234 2001:db8::/56",
            ),
            (
                b"\x07\0\x12\x34\0\x03\0\x12\0\0\0\x01\0\0\0\0\0\0\0\0\0\x0d\0\x02\0\x02",
                "reply 0x001234, no addresses available",
            ),
            (
                b"\x0c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09\0\x04\x01\0\x12\x34",
                "relay-forward, solicit 0x001234",
            ),
            (b"\x24\0\0\x01", "type 36 0x000001"),
            (b"", ""),
        ] {
            assert_eq!(said(summary, Transport::Udp, octets), expected);
        }
    }
}
