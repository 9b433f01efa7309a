//! GTP version 1: the tunnels of mobile networks (3GPP TS 29.281), and what controls them (TS 29.060).

use super::super::length::{number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "gtp",
    kind: Some(kind),
    transaction: Some(|_, m| Some(number(m, 8, 2))),
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram: version 1, not the charging protocol, and a length that counts what stands behind it.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "GTP version 1: tunnels (TS 29.281) and their control (TS 29.060)",
    ports: &[2123, 2152],
    is_plausible: |m| octet(m, 0) & 0xf8 == 0x30 && fills(m),
};

/// The length counts all that stands behind the header, but for zeros that some send behind the packet of a user.
fn fills(m: &[u8]) -> bool {
    let len = number(m, 2, 2) + HEADER;
    let rest = usize::try_from(len).ok().and_then(|len| m.get(len..));
    rest.is_some_and(|rest| {
        rest.is_empty() || octet(m, 1) == USER_PACKET && rest.iter().all(|octet| *octet == 0)
    })
}

/// Octets that the length does not count.
const HEADER: u64 = 8;
/// Both the error indication and the end marker answer nothing, and the packet of a user neither.
const USER_PACKET: u8 = 255;

/// Requests are followed by their responses in the table of messages (TS 29.060, 7.1; TS 29.281, 6.1).
fn kind(m: &[u8]) -> Kind {
    match octet(m, 1) {
        1 | 4 | 6 | 16 | 18 | 20 | 22 | 24 | 27 | 29 | 32 | 34 | 36 | 48 | 50 | 52 => Kind::Request,
        2 | 5 | 7 | 17 | 19 | 21 | 23 | 25 | 28 | 30 | 33 | 35 | 37 | 49 | 51 | 53 => {
            Kind::Response
        }
        _ => Kind::Other,
    }
}

/// The message, and the endpoint of the tunnel.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (1, "echo request"),
            (2, "echo response"),
            (16, "create PDP context request"),
            (17, "create PDP context response"),
            (18, "update PDP context request"),
            (19, "update PDP context response"),
            (20, "delete PDP context request"),
            (21, "delete PDP context response"),
            (26, "error indication"),
            (27, "PDU notification request"),
            (28, "PDU notification response"),
            (31, "supported extension headers"),
            (50, "SGSN context request"),
            (51, "SGSN context response"),
            (52, "SGSN context acknowledge"),
            (254, "end marker"),
            (255, "packet of a user"),
        ],
        u64::from(octet(m, 1)),
        out,
    );
    if octet(m, 1) == USER_PACKET || number(m, 4, 4) != 0 {
        let _ = write!(out, ", TEID {:#010x}", number(m, 4, 4));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_users_may_be_filled_up() {
        let with = |kind: u8, rest: &[u8]| {
            let m = [&[0x30, kind, 0, 4, 0, 0, 0, 2, 0x45, 0, 0, 4][..], rest].concat();
            (DATAGRAM.is_plausible)(&m)
        };
        assert!(with(255, b"") && with(255, &[0; 140]));
        assert!(!with(255, b"\0\x01") && !with(1, &[0; 4]));
        assert!(!(DATAGRAM.is_plausible)(&[0x30, 255, 0, 4, 0, 0, 0, 2]));
    }
}
