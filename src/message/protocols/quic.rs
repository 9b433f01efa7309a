//! QUIC (RFC 9000, RFC 9369): datagrams that begin with a long header, as connections do. What follows has a header that tells
//! nothing.

use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use crate::base::flow::Transport;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "quic",
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "QUIC (RFC 9000), from the long headers with which connections begin",
    ports: &[],
    is_plausible: |m| packet(m).is_some(),
};

/// Of RFC 9000.
const VERSION_1: u64 = 1;
/// Of RFC 9369, where the types have other numbers.
const VERSION_2: u64 = 0x6b33_43cf;
/// What a server sends that does not know the version: the versions that it knows (RFC 9000, 17.2.1).
const NEGOTIATION: u64 = 0;
/// The longest identifier of a connection (RFC 9000, 17.2).
const LONGEST_ID: usize = 20;
/// Packets of a datagram that are named: more are no datagram of a real sender.
const NAMED: usize = 8;

/// A packet: its name and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet {
    name: &'static str,
    len: usize,
}

/// The packet with a long header that these octets begin with.
fn packet(m: &[u8]) -> Option<Packet> {
    let (first, version) = (octet(m, 0), number(m, 1, 4));
    if first & 0x80 == 0 || m.len() < 7 {
        return None;
    }
    let mut at = 5;
    for _ in 0..2 {
        let len = usize::from(*m.get(at)?);
        at += 1 + len;
        if len > LONGEST_ID || at > m.len() {
            return None;
        }
    }
    if version == NEGOTIATION {
        // All zeros but a bit is no list of versions.
        let versions = m.len() - at;
        let some = versions >= 4 && versions.is_multiple_of(4) && versions <= 4 * 255;
        let name = "version negotiation";
        return some.then_some(Packet { name, len: m.len() });
    }
    // The fixed bit (RFC 9000, 17.2): where an extension clears it (RFC 9287) the first packets have it still.
    if first & 0x40 == 0 || !matches!(version, VERSION_1 | VERSION_2 | 0xff00_0000..=0xff00_0040) {
        return None;
    }
    let kind = first >> 4 & 3;
    let kind = if version == VERSION_2 {
        kind.wrapping_sub(1) & 3
    } else {
        kind
    };
    let name = match kind {
        0 => "Initial",
        1 => "0-RTT",
        2 => "Handshake",
        _ => {
            return Some(Packet {
                name: "Retry",
                len: m.len(),
            });
        }
    };
    if kind == 0 {
        let (token, end) = integer(m, at)?;
        at = end.checked_add(usize::try_from(token).ok()?)?;
    }
    let (len, end) = integer(m, at)?;
    let len = end.checked_add(usize::try_from(len).ok()?)?;
    Some(Packet { name, len })
}

/// An integer of variable length, and where it ends (RFC 9000, 16).
fn integer(m: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *m.get(at)?;
    let end = at + (1 << (first >> 6));
    let rest = m.get(at + 1..end)?;
    let number = rest.iter().fold(u64::from(first & 0x3f), |n, octet| {
        n << 8 | u64::from(*octet)
    });
    Some((number, end))
}

/// The packets of the datagram, and how many there are.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let (mut rest, mut names) = (m, Vec::new());
    while let Some(Packet { name, len }) = packet(rest).filter(|_| names.len() < NAMED) {
        names.push(name);
        rest = rest.get(len..).unwrap_or_default();
    }
    // Zeros behind the last one fill a datagram up.
    if octet(rest, 0) & 0xc0 == 0x40 {
        names.push("1-RTT");
    }
    let Some(first) = names.first() else {
        return false;
    };
    out.push_str(first);
    for name in &names[1..] {
        let _ = write!(out, ", {name}");
    }
    if names.len() > 1 {
        let _ = write!(out, ": {} packets", names.len());
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with identifiers of so many octets.
    fn long(first: u8, version: u32, ids: [u8; 2], behind: &[u8]) -> Vec<u8> {
        let mut m = vec![first];
        m.extend(version.to_be_bytes());
        for len in ids {
            m.push(len);
            m.extend(vec![7; len.into()]);
        }
        m.extend(behind);
        m
    }

    fn said(m: &[u8]) -> Option<String> {
        let mut out = String::new();
        let known = (DATAGRAM.is_plausible)(m) && summary(Transport::Udp, m, &mut out);
        known.then_some(out)
    }

    #[test]
    fn the_packets_of_a_datagram_are_named() {
        let initial = long(
            0xc3,
            1,
            [8, 0],
            &[&[2, 9, 9, 0x40, 5][..], &[0; 5]].concat(),
        );
        let handshake = long(0xe0, 1, [8, 8], &[3, 1, 2, 3]);
        assert_eq!(said(&initial).as_deref(), Some("Initial"));
        let both = [&initial[..], &handshake, &[0x43, 1, 2, 3]].concat();
        assert_eq!(
            said(&both).as_deref(),
            Some("Initial, Handshake, 1-RTT: 3 packets")
        );
        assert_eq!(
            said(&[&handshake[..], &[0; 9]].concat()).as_deref(),
            Some("Handshake")
        );
        assert_eq!(
            said(&long(0xf0, 1, [0, 20], &[1; 30])).as_deref(),
            Some("Retry")
        );
        assert_eq!(
            said(&long(0xd0, 0x6b33_43cf, [1, 1], &[0, 1, 5])).as_deref(),
            Some("Initial")
        );
        assert_eq!(
            said(&long(0xc0, 0x6b33_43cf, [1, 1], &[5])).as_deref(),
            Some("Retry")
        );
        assert_eq!(
            said(&long(0x80, 0, [4, 4], &[0, 0, 0, 1])).as_deref(),
            Some("version negotiation")
        );
    }

    #[test]
    fn other_octets_are_none() {
        for m in [
            long(0xc0, 2, [8, 8], &[0, 1, 1]),
            long(0x80, 1, [8, 8], &[0, 1, 1]),
            long(0x43, 1, [8, 8], &[0, 1, 1]),
            long(0xc0, 1, [21, 8], &[0, 1, 1]),
            long(0x80, 0, [4, 4], &[0, 0, 1]),
            long(0x80, 0, [4, 4], &[]),
        ] {
            assert_eq!(said(&m), None, "{m:02x?}");
            for n in 0..m.len() {
                assert_eq!(said(&m[..n]), None);
            }
        }
        let cut = long(0xc0, 1, [8, 8], &[0, 0x7f]);
        assert_eq!(said(&cut), None);
        assert_eq!(said(&[0x80; 7]), None);
        assert_eq!(said(&[&[0xff][..], &[0; 40]].concat()), None);
    }
}
