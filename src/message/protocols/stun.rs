//! STUN (RFC 8489).

use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::{SHOWN, escape, named_number};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

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

/// Method and class (RFC 8489, 5), and what they are about: the user who asks, the address that is told, the error.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let kind = number(m, 0, 2);
    // The bits of the class stand among those of the method.
    let method = kind & 0xf | kind >> 1 & 0x70 | kind >> 2 & 0xf80;
    named_number(
        &[
            (1, "binding"),
            (3, "allocate"),
            (4, "refresh"),
            (6, "send"),
            (7, "data"),
            (8, "create permission"),
            (9, "channel bind"),
            (10, "connect"),
            (11, "connection bind"),
            (12, "connection attempt"),
        ],
        method,
        out,
    );
    out.push_str(match kind & CLASS {
        0 => " request",
        INDICATION => " indication",
        0x100 => " response",
        _ => " error",
    });
    match kind & CLASS {
        0 => {
            if let Some(user) = attribute(m, USERNAME) {
                out.push(' ');
                escape(user.get(..SHOWN).unwrap_or(user), out);
            }
        }
        0x100 => {
            if let Some(address) = mapped(m) {
                let _ = write!(out, " {address}");
            }
        }
        _ => {
            if let Some([_, _, class, code, reason @ ..]) = attribute(m, ERROR_CODE) {
                let _ = write!(out, " {}{code:02} ", class & 7);
                escape(reason.get(..SHOWN).unwrap_or(reason), out);
            }
        }
    }
    true
}

/// The bits of the class, and one that asks for nothing.
const CLASS: u64 = 0x110;
const INDICATION: u64 = 0x010;
/// Attributes (RFC 8489, 18.3).
const USERNAME: u64 = 0x0006;
const ERROR_CODE: u64 = 0x0009;
const XOR_MAPPED_ADDRESS: u64 = 0x0020;
/// The octets of a header.
const HEADER: usize = 20;

/// The value of the first attribute of this type; it is padded to four octets (RFC 8489, 14).
fn attribute(m: &[u8], wanted: u64) -> Option<&[u8]> {
    let mut rest = m.get(HEADER..)?;
    loop {
        let len = usize::try_from(number(rest, 2, 2)).ok()?;
        let value = rest.get(4..4 + len)?;
        if number(rest, 0, 2) == wanted {
            return Some(value);
        }
        rest = rest.get(4 + len.next_multiple_of(4)..)?;
    }
}

/// The address that the server has seen the client at, which cookie and transaction hide from translators (RFC 8489, 14.2).
fn mapped(m: &[u8]) -> Option<SocketAddr> {
    let value = attribute(m, XOR_MAPPED_ADDRESS)?;
    let port = u16::try_from(number(value, 2, 2) ^ number(m, 4, 2)).ok()?;
    let plain = |i: usize| octet(value, 4 + i) ^ octet(m, 4 + i);
    let address = match (octet(value, 1), value.len()) {
        (1, 8) => IpAddr::from(std::array::from_fn::<u8, 4, _>(plain)),
        (2, 20) => IpAddr::from(std::array::from_fn::<u8, 16, _>(plain)),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// The class (RFC 8489, 5).
fn kind(m: &[u8]) -> Kind {
    match number(m, 0, 2) & CLASS {
        0 => Kind::Request,
        INDICATION => Kind::Other,
        _ => Kind::Response,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn summaries() {
        let message = |kind: u16, attribute: &[u8]| {
            let mut m = kind.to_be_bytes().to_vec();
            m.extend(u16::try_from(attribute.len()).unwrap().to_be_bytes());
            m.extend([
                0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
            ]);
            m.extend(attribute);
            m
        };
        let mut six = vec![0, 0x20, 0, 20, 0, 2, 0x21, 0x13];
        six.extend([
            0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13,
        ]);
        for (octets, expected) in [
            (message(1, b""), "binding request"),
            (message(1, b"\0\x06\0\x03a:b\0"), "binding request a:b"),
            // RFC 5769, 2.2.
            (
                message(
                    0x101,
                    b"\x80\x22\0\x01x\0\0\0\0\x20\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43",
                ),
                "binding response 192.0.2.1:32853",
            ),
            (message(0x103, &six), "allocate response [::1]:1"),
            (
                message(0x113, b"\0\x09\0\x10\0\0\x04\x01Unauthorized"),
                "allocate error 401 Unauthorized",
            ),
            (message(0x16, b""), "send indication"),
            (message(0x101, b"\0\x20\0\x40"), "binding response"),
        ] {
            assert_eq!(said(summary, Transport::Udp, &octets), expected);
        }
    }
}
