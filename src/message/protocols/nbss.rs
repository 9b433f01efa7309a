//! NetBIOS session service with SMB (RFC 1002, MS-SMB, MS-SMB2).

use super::super::fields::MessageFields;
use super::super::length::{LengthProtocol, LengthRow, Scan, field, octet, response_if};
use super::super::row::{FileUse, ProtocolRow};
use super::super::text::{SHOWN, escape, named_number};
use super::nbss_words;
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
    file_use: Some(file_use),
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

/// Commands of SMB (MS-CIFS, 2.2.2.1) that are met yet.
const OLD_COMMANDS: &[(u8, &str)] = &[
    (0x04, "close"),
    (0x06, "delete"),
    (0x07, "rename"),
    (0x08, "query information"),
    (0x10, "check directory"),
    (0x24, "locking"),
    (0x25, "transaction"),
    (0x2b, "echo"),
    (0x2d, "open"),
    (0x2e, "read"),
    (0x2f, "write"),
    (0x32, "transaction2"),
    (0x34, "find close"),
    (0x71, "tree disconnect"),
    (0x72, "negotiate"),
    (0x73, "session setup"),
    (0x74, "logoff"),
    (0x75, "tree connect"),
    (0xa0, "nt transact"),
    (0xa2, "nt create"),
    (0xa4, "nt cancel"),
];

/// Statuses in words (MS-ERREF, 2.3.1).
const STATUSES: &[(usize, &str)] = &[
    (0x0000_0103, "pending"),
    (0x0000_010c, "too many changes"),
    (0x8000_0005, "buffer overflow"),
    (0x8000_0006, "no more files"),
    (0x8000_002d, "stopped on a symbolic link"),
    (0xc000_0002, "not implemented"),
    (0xc000_0008, "invalid handle"),
    (0xc000_000d, "invalid parameter"),
    (0xc000_000f, "no such file"),
    (0xc000_0010, "invalid device request"),
    (0xc000_0011, "end of file"),
    (0xc000_0016, "more processing required"),
    (0xc000_0022, "access denied"),
    (0xc000_0023, "buffer too small"),
    (0xc000_0033, "invalid name"),
    (0xc000_0034, "no such file"),
    (0xc000_0035, "name exists"),
    (0xc000_003a, "no such path"),
    (0xc000_0043, "sharing violation"),
    (0xc000_0054, "lock conflict"),
    (0xc000_0055, "lock not granted"),
    (0xc000_0056, "delete pending"),
    (0xc000_0064, "no such user"),
    (0xc000_006a, "wrong password"),
    (0xc000_006d, "logon failure"),
    (0xc000_006e, "account restriction"),
    (0xc000_0071, "password expired"),
    (0xc000_0072, "account disabled"),
    (0xc000_007f, "disk full"),
    (0xc000_00ac, "pipe not available"),
    (0xc000_00b5, "timeout"),
    (0xc000_00ba, "is a directory"),
    (0xc000_00bb, "not supported"),
    (0xc000_00c9, "share deleted"),
    (0xc000_00cc, "no such share"),
    (0xc000_0101, "directory not empty"),
    (0xc000_0103, "not a directory"),
    (0xc000_0120, "cancelled"),
    (0xc000_0128, "file closed"),
    (0xc000_015b, "logon type not granted"),
    (0xc000_0203, "session deleted"),
    (0xc000_0225, "not found"),
    (0xc000_0234, "account locked out"),
    (0xc000_0257, "path is elsewhere"),
    (0xc000_035c, "session expired"),
];

/// Appends a status, where it is no success.
fn say_status(status: usize, out: &mut String) {
    if status == 0 {
        return;
    }
    let _ = match STATUSES.iter().find(|(known, _)| *known == status) {
        Some((_, words)) => write!(out, ", {words}"),
        None => write!(out, ", status 0x{status:08x}"),
    };
}

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
            let code = octet(m, 8);
            let way = match kind(m) {
                Kind::Response => "response",
                _ => "request",
            };
            let _ = match OLD_COMMANDS.iter().find(|(known, _)| *known == code) {
                Some((_, name)) => write!(out, "SMB {name} {way}"),
                None => write!(out, "SMB command 0x{code:02x} {way}"),
            };
            // Flags2 says that the status is one of Windows (MS-CIFS, 2.2.3.1).
            if way == "response" && le(m, 10, 2) & 0x4000 != 0 {
                say_status(le(m, 5, 4), out);
            }
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

/// The number of a file, where a request has it (MS-SMB2, 2.2.15 to 2.2.39); one of ones only is that of the request before, in one
/// message with it.
fn handle(m: &[u8], offset: usize) -> Option<[u8; 16]> {
    let octets = m.get(4 + offset..)?.first_chunk()?;
    Some(*octets).filter(|handle| *handle != [0xff; 16])
}

/// What a message does with a file: created, which gives its number a name, used by that, and closed.
fn file_use(kind: Kind, m: &[u8]) -> Option<FileUse> {
    const CLOSE: u8 = 6;
    let number = transaction(Transport::Tcp, m)?;
    if octet(m, 4) != 0xfe {
        return None;
    }
    let command = octet(m, 16);
    match (command, kind) {
        (5, Kind::Request) => Some(FileUse::Asks {
            number,
            name: file(m)?,
        }),
        (5, Kind::Response) => Some(FileUse::Opens {
            number,
            handle: handle(m, BODY + 64).filter(|_| le(m, 8, 4) == 0),
        }),
        (_, Kind::Response) => Some(FileUse::Answers { number }),
        (_, Kind::Request) => {
            let offset = match command {
                CLOSE | 7 | 10 | 11 | 14 | 15 | 18 => 8,
                8 | 9 | 17 => 16,
                16 => 24,
                _ => return None,
            };
            Some(FileUse::About {
                number,
                handle: handle(m, BODY + offset)?,
                last: command == CLOSE,
            })
        }
        _ => None,
    }
}

/// What a request is about, or how a response ends (MS-SMB2, 2.2): the name of a file or share, a range, a status.
fn smb2_about(m: &[u8], out: &mut String) {
    let (command, response) = (octet(m, 16), octet(m, 20) & 1 != 0);
    if response {
        say_status(le(m, 8, 4), out);
        return;
    }
    let body = m.get(4 + BODY..).unwrap_or_default();
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
        1 => nbss_words::user(part(m, (12, 2), (14, 2)), out),
        11 => nbss_words::control(body, part(m, (24, 4), (28, 4)), out),
        16 => nbss_words::info(body, None, out),
        17 => nbss_words::info(body, part(m, (8, 2), (4, 4)), out),
        _ => {}
    }
}

/// What a request carries behind its own fields, by the places and widths of its offset and of its length.
fn part(m: &[u8], offset: (usize, usize), len: (usize, usize)) -> Option<&[u8]> {
    let [at, len] = [offset, len].map(|(place, width)| le(m, BODY + place, width));
    m.get(4..)?.get(at..)?.get(..len)
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
        let mut info = [&[33, 0, 1, 10][..], &[0; 28]].concat();
        let name: Vec<u8> = "new.x".encode_utf16().flat_map(u16::to_le_bytes).collect();
        (info[4], info[8]) = (30, 64 + 32);
        info.extend([&[0; 16][..], &[10, 0, 0, 0], &name].concat());
        let renames = smb(17, false, 0, &info);
        let mut read = [0; 48];
        (read[5], read[9]) = (1, 2);
        for (octets, expected) in [
            (&create, "SMB2 create request a\\\\\u{f6}.x"),
            (&create[..100].to_vec(), "SMB2 create request"),
            (
                &smb(8, false, 0, &read),
                "SMB2 read request 256 bytes at 512",
            ),
            (&renames, "SMB2 set info request rename to new.x"),
            (&renames[..80].to_vec(), "SMB2 set info request rename"),
            (
                &smb(16, false, 0, &[41, 0, 1, 18]),
                "SMB2 query info request all",
            ),
            (
                &smb(11, false, 0, &[57, 0, 0, 0, 0x17, 0xc0, 0x11, 0]),
                "SMB2 ioctl request pipe transceive",
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
            (
                &smb(3, true, 0xc000_00cc, &[]),
                "SMB2 tree connect response, no such share",
            ),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn files_are_known_by_their_numbers() {
        let smb = |command: u8, response: bool, body: &[u8]| {
            let mut m = vec![0, 0, 0, 0];
            m.extend([0xfe, b'S', b'M', b'B', 64, 0, 0, 0, 0, 0, 0, 0]);
            m.extend([command, 0, 0, 0, u8::from(response), 0, 0, 0]);
            m.resize(4 + 64, 0);
            m[4 + 24] = 7;
            m.extend(body);
            let use_of = file_use(kind(&m), &m);
            for len in 0..m.len() {
                // Whatever is cut, nothing is read that is not there.
                file_use(kind(&m[..len]), &m[..len]);
            }
            use_of
        };
        let number = 7;
        let with = |at: usize| [&vec![0; at][..], &[5; 16]].concat();
        assert_eq!(
            smb(5, true, &with(64)),
            Some(FileUse::Opens {
                number,
                handle: Some([5; 16])
            })
        );
        for (command, at, last) in [
            (6, 8, true),
            (8, 16, false),
            (9, 16, false),
            (16, 24, false),
        ] {
            let about = FileUse::About {
                number,
                handle: [5; 16],
                last,
            };
            assert_eq!(smb(command, false, &with(at)), Some(about), "{command}");
        }
        assert_eq!(smb(8, true, &[]), Some(FileUse::Answers { number }));
        assert_eq!(smb(6, false, &[0xff; 24]), None);
    }

    #[test]
    fn old_commands_have_names() {
        let mut m = b"\0\0\0\x20\xffSMB\xa2\x22\0\0\xc0\x98\x01\x40".to_vec();
        m.resize(36, 0);
        assert_eq!(
            said(summary, Transport::Tcp, &m),
            "SMB nt create response, access denied"
        );
        m[8] = 0x99;
        m[13] = 0;
        assert_eq!(
            said(summary, Transport::Tcp, &m),
            "SMB command 0x99 request"
        );
    }

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
