//! NetBIOS session service with SMB (RFC 1002, MS-SMB, MS-SMB2).

use super::super::fields::MessageFields;
use super::super::length::{LengthProtocol, LengthRow, Scan, field, octet, response_if};
use super::super::row::ProtocolRow;
use super::super::text::{SHOWN, escape, named_number};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "nbss",
    aliases: &["smb", "smb2", "cifs"],
    about: "NetBIOS session service with SMB (RFC 1002, MS-SMB, MS-SMB2)",
    ports: &[139, 445],
    result_last: true,
    summary: Some(summary),
    transaction: Some(transaction),
    // Those of SMB have 16 bits.
    numbers_again: true,
    words_ahead: 1,
    fields: Some(fields),
    field_names: &["command", "status", "file", "message_id"],
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
        // A session is asked for, and granted or refused (RFC 1002, 4.3).
        _ => match octet(m, 0) {
            0x81 => Kind::Request,
            0x82..=0x84 => Kind::Response,
            _ => Kind::Other,
        },
    }
}

/// Commands of SMB2, by their numbers (MS-SMB2, 2.2.1.2).
const COMMANDS: [&str; 19] = [
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

/// What of a message has a name; of SMB2 alone.
fn fields(_: Transport, kind: Kind, m: &[u8], to: &mut MessageFields) {
    if octet(m, 4) != 0xfe {
        return;
    }
    let name = COMMANDS
        .get(usize::from(octet(m, 16)))
        .unwrap_or(&"command");
    to.text("command", name.as_bytes());
    to.number("message_id", le(m, 24, 8) as u64);
    if kind == Kind::Response {
        to.number("status", le(m, 8, 4) as u64);
    } else if let Some(name) = file(m) {
        to.text("file", name.as_bytes());
    }
}

/// The number of the message, which its answer repeats (MS-SMB2, 2.2.1.2; MS-CIFS, 2.2.3.1: with the process that has sent it).
fn transaction(_: Transport, m: &[u8]) -> Option<u64> {
    const CANCEL: u8 = 12;
    /// An answer that another will follow (MS-SMB2, 3.3.4.2).
    const PENDING: usize = 0x103;
    match octet(m, 4) {
        0xfe if octet(m, 16) == CANCEL || kind(m) == Kind::Response && le(m, 8, 4) == PENDING => {
            None
        }
        0xfe => Some(le(m, 24, 8) as u64),
        0xff => Some((le(m, 26, 2) << 16 | le(m, 30, 2)) as u64),
        _ => None,
    }
}

/// The command of SMB, or the type of the session message.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    match octet(m, 4) {
        0xff => {
            let _ = write!(out, "SMB command 0x{:02x}", octet(m, 8));
        }
        0xfe => {
            let name = COMMANDS
                .get(usize::from(octet(m, 16)))
                .unwrap_or(&"command");
            let way = if octet(m, 20) & 1 == 0 {
                "request"
            } else {
                "response"
            };
            let _ = write!(out, "SMB2 {name} {way}");
            smb2_about(m, out);
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

/// A little-endian number that stands so far behind the session header (MS-SMB2 counts from there).
fn le(m: &[u8], at: usize, width: usize) -> usize {
    let octets = m.get(4 + at..4 + at + width).unwrap_or_default();
    octets.iter().rev().fold(0, |n, o| n << 8 | usize::from(*o))
}

/// Where what commands have of their own begins, behind the header.
const BODY: usize = 64;

/// The file or share that a request names, or the pattern of names.
fn file(m: &[u8]) -> Option<String> {
    let offset = match octet(m, 16) {
        3 => BODY + 4,
        5 => BODY + 44,
        14 => BODY + 24,
        _ => return None,
    };
    let (at, len) = (le(m, offset, 2), le(m, offset + 2, 2));
    let units = m.get(4 + at..4 + at + len)?.as_chunks().0;
    let units = units.iter().map(|pair| u16::from_le_bytes(*pair));
    let name = String::from_utf16_lossy(&units.take(SHOWN).collect::<Vec<_>>());
    (!name.is_empty()).then_some(name)
}

/// What a request is about, or how a response ends (MS-SMB2, 2.2): the name of a file or share, a range, a status.
fn smb2_about(m: &[u8], out: &mut String) {
    let (command, response) = (octet(m, 16), octet(m, 20) & 1 != 0);
    if response {
        let status = le(m, 8, 4);
        match status {
            0 => {}
            // MS-ERREF, 2.3.1.
            0x8000_0006 => out.push_str(", no more files"),
            0xc000_0016 => out.push_str(", more processing required"),
            0xc000_000f | 0xc000_0034 => out.push_str(", no such file"),
            0xc000_0022 => out.push_str(", access denied"),
            0xc000_006d => out.push_str(", logon failure"),
            _ => {
                let _ = write!(out, ", status 0x{status:08x}");
            }
        }
        return;
    }
    match command {
        3 | 5 | 14 => {
            if let Some(name) = file(m) {
                out.push(' ');
                escape(name.as_bytes(), out);
            }
        }
        8 | 9 => {
            let (len, at) = (le(m, BODY + 4, 4), le(m, BODY + 8, 8));
            let _ = write!(out, " {len} bytes at {at}");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn files_ranges_and_statuses_are_told() {
        let smb = |command: u8, response: bool, status: u32, body: &[u8]| {
            let mut m = vec![0, 0, 0, 0];
            m.extend([0xfe, b'S', b'M', b'B', 64, 0, 0, 0]);
            m.extend(status.to_le_bytes());
            m.extend([command, 0, 0, 0, u8::from(response), 0, 0, 0]);
            m.resize(4 + 64, 0);
            m.extend(body);
            m
        };
        let mut create = [0; 56];
        create[44] = 120;
        create[46] = 10;
        let name: Vec<u8> = "a\\\u{f6}.x"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let create = smb(5, false, 0, &[&create[..], &name].concat());
        let mut read = [0; 48];
        (read[5], read[9]) = (1, 2);
        for (octets, expected) in [
            (&create, "SMB2 create request a\\\\\u{f6}.x"),
            (&create[..100].to_vec(), "SMB2 create request"),
            (
                &smb(8, false, 0, &read),
                "SMB2 read request 256 bytes at 512",
            ),
            (
                &smb(5, true, 0xc000_0034, &[]),
                "SMB2 create response, no such file",
            ),
            (
                &smb(5, true, 0xc000_0001, &[]),
                "SMB2 create response, status 0xc0000001",
            ),
            (&smb(13, true, 0, &[]), "SMB2 echo response"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
