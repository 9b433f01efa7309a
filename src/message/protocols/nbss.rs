//! NetBIOS session service with SMB (RFC 1002, MS-SMB, MS-SMB2).

use super::super::length::{LengthProtocol, LengthRow, Scan, field, octet, response_if};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "nbss",
    about: "NetBIOS session service with SMB (RFC 1002, MS-SMB, MS-SMB2)",
    ports: &[139, 445],
    summary: Some(summary),
    #[cfg(test)]
    samples: &[(
        "0000001c fe534d42 4000 0000 00000000 0000 0000 01000000 00000000 00000000",
        Kind::Response,
    )],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(1, 3),
    add: 4,
    header: 8,
    is_plausible,
    self_evident: is_smb,
    scan: Scan::Octets(5, b"SMB"),
    chain: 2,
    kind,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nbss;

impl LengthProtocol for Nbss {
    const FORMAT: &'static LengthRow = &FORMAT;
}

fn is_smb(m: &[u8]) -> bool {
    octet(m, 0) == 0 && m.get(5..8) == Some(b"SMB") && matches!(octet(m, 4), 0xfc..=0xff)
}

/// RFC 1002, 4.3; SMB over TCP has only session messages, whose length has 24 bits.
fn is_plausible(m: &[u8], len: u64) -> bool {
    match octet(m, 0) {
        0 => is_smb(m),
        0x81 => len == 72,
        0x82 | 0x85 => len == 4,
        0x83 => len == 5,
        0x84 => len == 10,
        _ => false,
    }
}

fn kind(m: &[u8]) -> Kind {
    match octet(m, 4) {
        // Flags: the reply bit; SMB2: flags of 32 bits, little endian.
        0xff => response_if(octet(m, 13) & 0x80 != 0),
        0xfe => response_if(octet(m, 20) & 1 != 0),
        _ => Kind::Other,
    }
}

/// The command of SMB, or the type of the session message.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    match octet(m, 4) {
        0xff => {
            let _ = write!(out, "SMB command 0x{:02x}", octet(m, 8));
        }
        0xfe => {
            const NAMES: [&str; 19] = [
                "negotiate",
                "session setup",
                "logoff",
                "tree connect",
                "tree disconnect",
                "create",
                "close",
                "flush",
                "read",
                "write",
                "lock",
                "ioctl",
                "cancel",
                "echo",
                "query directory",
                "change notify",
                "query info",
                "set info",
                "oplock break",
            ];
            let name = NAMES.get(usize::from(octet(m, 16))).unwrap_or(&"command");
            let way = if octet(m, 20) & 1 == 0 {
                "request"
            } else {
                "response"
            };
            let _ = write!(out, "SMB2 {name} {way}");
        }
        0xfd => out.push_str("SMB2 encrypted"),
        _ => named_number(
            &[
                (0x81, "session request"),
                (0x82, "session granted"),
                (0x83, "session refused"),
                (0x85, "keep-alive"),
            ],
            u64::from(octet(m, 0)),
            out,
        ),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
