//! MySQL and MariaDB.

use super::super::fields::MessageFields;
use super::super::in_order::{Answers, Asks, InOrder};
use super::super::length::{LengthField, LengthProtocol, LengthRow, Scan, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{SHOWN, escape};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use memchr::memchr;
use std::fmt::Write as _;

/// Values of a row that are looked at where one is searched for: each place that looks like a row is walked along.
const FIELDS: u32 = 256;
/// A packet of a file that a client sends has so many octets and more, but for the last.
const FILE: usize = 4096;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "mysql",
    aliases: &["mariadb"],
    about: "MySQL and MariaDB",
    ports: &[3306],
    summary: Some(summary),
    in_order: Some(&IN_ORDER),
    one_answer: true,
    fields: Some(named_fields),
    field_names: &["command", "query", "user", "error"],
    #[cfg(test)]
    samples: &[
        ("0a000000 0a 382e302e3336 00 0102", Kind::Response),
        ("0900 00 00 03 53454c454354 2031", Kind::Request),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::Field {
        at: 0,
        width: 3,
        little: true,
    },
    add: 4,
    header: 16,
    is_plausible,
    self_evident: is_greeting,
    scan: Scan::Octets(2, &[0, 0, 10]),
    min_chain: 2,
    follows,
    link: 1.0 / 64.0,
    serial: Some(3),
    // Empty packets are seldom, and three zeros are not.
    sound: |m| number_of(m) > 0,
    // The number is that of the next packet, less one.
    told: |_| Some((0..4, 0)),
    kind: |m| {
        if octet(m, 3) == 0 && !is_greeting(m) || is_login(m) {
            Kind::Request
        } else {
            Kind::Response
        }
    },
    kind_between: Some(kind_between),
    switches_protocol,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mysql;

impl LengthProtocol for Mysql {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// A packet with the number 0 is a command, whose numbers end below 32, or the greeting of a server; only a packet that goes on
/// from one of 16 MiB is empty, and then its number is another.
fn is_plausible(m: &[u8], len: u64) -> bool {
    match octet(m, 3) {
        0 => len > 4 && (1..0x20).contains(&octet(m, 4)),
        _ => true,
    }
}

/// The numbers of packets count up; an answer begins with 1, and a command with 0, behind what can end an answer. Rows have the
/// columns of the row before.
fn follows(a: &[u8], b: &[u8]) -> bool {
    let (before, number) = (octet(a, 3), octet(b, 3));
    match number {
        0 => true,
        1 if before > 0 && ends_answer(a) => true,
        _ if number != before.wrapping_add(1) => false,
        // Logins, and what begins an answer.
        1 | 2 => true,
        _ => is_next_row(a, b),
    }
}

/// The second packet may stand behind the first among the definitions and rows of an answer.
fn is_next_row(a: &[u8], b: &[u8]) -> bool {
    const DEFINITION: &[u8] = b"\x03def";
    let (first, second) = (
        a.get(4..).unwrap_or_default(),
        b.get(4..).unwrap_or_default(),
    );
    let len = usize::try_from(number_of(b)).unwrap_or(usize::MAX);
    if second.len() < DEFINITION.len() {
        return true;
    }
    if second.starts_with(DEFINITION) {
        return first.starts_with(DEFINITION)
            || matches!(first.first(), Some(0 | 0xfe))
            || first.len() < 3;
    }
    // The end of definitions and rows, an error, or all that a client sends of a file.
    let ends = matches!(second.first(), Some(0xfe)) && len < 512 || second.first() == Some(&0xff);
    if ends || a.len() >= FILE {
        return true;
    }
    // A row of the binary protocol begins with a zero.
    if first.first() == Some(&0) && second.first() == Some(&0) {
        return true;
    }
    let first = if first.starts_with(DEFINITION) || first.first() == Some(&0xfe) {
        None
    } else {
        let Some(fields) = fields(first) else {
            return false;
        };
        Some(fields)
    };
    match second.get(..len) {
        Some(row) => fields(row).is_some_and(|n| first.is_none_or(|first| first == n)),
        None => true,
    }
}

/// How many values of the text protocol fill a row, if they do.
fn fields(row: &[u8]) -> Option<u32> {
    let (mut at, mut n) = (0usize, 0);
    while at < row.len() {
        let (field, len) = match *row.get(at)? {
            0xfb => (1, 0),
            0xfc => (3, little(row, at + 1, 2)?),
            0xfd => (4, little(row, at + 1, 3)?),
            0xfe => (9, little(row, at + 1, 8)?),
            0xff => return None,
            len => (1, u64::from(len)),
        };
        at = at
            .checked_add(field)?
            .checked_add(usize::try_from(len).ok()?)?;
        n += 1;
        if n > FIELDS {
            return Some(n);
        }
    }
    (at == row.len()).then_some(n)
}

fn little(octets: &[u8], at: usize, width: usize) -> Option<u64> {
    let field = LengthField::Field {
        at,
        width,
        little: true,
    };
    Some(field.read(octets)??.0)
}

/// What the length of a packet says, which does not count its header.
fn number_of(m: &[u8]) -> u64 {
    little(m, 0, 3).unwrap_or(0)
}

/// OK, an error, the end of rows, or the text of statistics.
fn ends_answer(m: &[u8]) -> bool {
    let len = m.len();
    match octet(m, 4) {
        0 => (11..512).contains(&len),
        0xfe => (5..512).contains(&len),
        0xff => (7..1024).contains(&len),
        _ => m.get(4..).is_some_and(|text| text.starts_with(b"Uptime: ")),
    }
}

/// The first packet of a server, of protocol 10: its version in text.
fn is_greeting(m: &[u8]) -> bool {
    // No version is longer; what follows is not searched at every place anew.
    let version = m.get(5..).unwrap_or_default();
    let version = &version[..version.len().min(64)];
    let end = memchr(0, version).unwrap_or(version.len());
    octet(m, 3) == 0
        && octet(m, 4) == 10
        && number(m, 2, 1) == 0
        && end > 2
        && version[..end].iter().all(u8::is_ascii_graphic)
        && version[..end].first().is_some_and(u8::is_ascii_digit)
        && version[..end].contains(&b'.')
}

/// The answer to a greeting, of protocol 4.1: octets that are reserved stand before the name.
fn is_login(m: &[u8]) -> bool {
    octet(m, 3) == 1
        && octet(m, 5) & 2 != 0
        && m.get(13..32).is_some_and(|o| o.iter().all(|o| *o == 0))
}

/// What the side with the protocol's port sends are answers; of what the other side sends only commands and the login ask for one.
fn kind_between(m: &[u8], (src, dst): (u16, u16)) -> Kind {
    let server = |port| PROTOCOL.ports.contains(&port);
    match ((FORMAT.kind)(m), server(src), server(dst)) {
        (_, true, false) => Kind::Response,
        (Kind::Response, false, true) => Kind::Other,
        (kind, ..) => kind,
    }
}

/// Packets are numbered from the command on, so the first of its answer has the number 1; behind a login any packet is.
static IN_ORDER: InOrder = InOrder {
    waits: true,
    last: |_| false,
    asks: |m| match (octet(m, 3), octet(m, 4)) {
        // To quit, to send a long value, to close a statement.
        (0, 0x01 | 0x18 | 0x19) => Asks::Nothing,
        (0, _) => Asks::Answer(0),
        // TLS follows.
        _ if switches_protocol(m) => Asks::Nothing,
        _ => Asks::Answer(1),
    },
    answers: |asked, m| match (asked, octet(m, 3)) {
        (0, 1) | (1, _) => Answers::Ends,
        _ => Answers::Nothing,
    },
};

/// The request for TLS: a login packet that ends behind its fixed part, with the flag for it.
fn switches_protocol(m: &[u8]) -> bool {
    m.len() == 36 && octet(m, 3) == 1 && octet(m, 5) & 8 != 0 && m[13..].iter().all(|o| *o == 0)
}

/// The command with its text, or what answers it (MySQL, client/server protocol).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let Some(&first) = m.get(4) else {
        return false;
    };
    match (octet(m, 3), first) {
        (0, 10) => out.push_str("greeting"),
        (0, 3) => {
            out.push_str("query ");
            let text = m.get(5..).unwrap_or_default();
            escape(text.get(..SHOWN).unwrap_or(text), out);
        }
        (0, command) => match COMMANDS.get(usize::from(command)) {
            Some(name) => {
                out.push_str(name);
                // The statement that is prepared.
                if command == 0x16 {
                    out.push(' ');
                    let text = m.get(5..).unwrap_or_default();
                    escape(text.get(..SHOWN).unwrap_or(text), out);
                }
            }
            None => {
                let _ = write!(out, "command {command}");
            }
        },
        (_, 0xff) => {
            out.push_str("error ");
            escape(m.get(13..).unwrap_or_default(), out);
        }
        (_, 0) => out.push_str("ok"),
        (_, 0xfe) if m.len() < 13 => out.push_str("end of rows"),
        (1, columns) if m.len() == 5 => {
            let _ = write!(out, "{columns} columns");
        }
        (1, _) if is_login(m) => {
            out.push_str("login ");
            let rest = m.get(36..).unwrap_or_default();
            escape(rest.split(|o| *o == 0).next().unwrap_or_default(), out);
        }
        (n, _) => {
            let _ = write!(out, "packet {n}");
        }
    }
    true
}

/// What of a message has a name.
fn named_fields(_: Transport, kind: Kind, m: &[u8], to: &mut MessageFields) {
    let first = octet(m, 4);
    match (kind, octet(m, 3)) {
        (Kind::Request, 0) => {
            let name = COMMANDS.get(usize::from(first)).unwrap_or(&"");
            match *name {
                "" => to.write("command", |out| {
                    let _ = write!(out, "command {first}");
                }),
                name => to.text("command", name.as_bytes()),
            }
            if matches!(first, 0x03 | 0x16) {
                to.text_if("query", m.get(5..));
            }
        }
        (Kind::Request, _) if is_login(m) => {
            to.text("command", b"login");
            let user = m.get(36..).and_then(|rest| rest.split(|o| *o == 0).next());
            to.text_if("user", user);
        }
        (Kind::Response, 1..) if first == 0xff => to.text_if("error", m.get(13..)),
        _ => {}
    }
}

/// Commands by their numbers (MySQL, client/server protocol, "Command Phase").
const COMMANDS: &[&str] = &[
    "sleep",
    "quit",
    "init db",
    "query",
    "field list",
    "create db",
    "drop db",
    "refresh",
    "shutdown",
    "statistics",
    "process info",
    "connect",
    "process kill",
    "debug",
    "ping",
    "time",
    "delayed insert",
    "change user",
    "binlog dump",
    "table dump",
    "connect out",
    "register slave",
    "statement prepare",
    "statement execute",
    "statement long data",
    "statement close",
    "statement reset",
    "set option",
    "statement fetch",
    "daemon",
    "binlog dump by GTID",
    "reset connection",
];

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }

    #[test]
    fn summaries() {
        assert_eq!(
            said(summary, Transport::Tcp, b"\x01\0\0\x01\x03"),
            "3 columns"
        );
    }

    fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
        [
            &[u8::try_from(payload.len()).unwrap(), 0, 0, number],
            payload,
        ]
        .concat()
    }

    #[test]
    fn packets_follow_each_other_by_their_numbers_and_what_they_hold() {
        const OK: &[u8] = b"\0\0\0\x02\0\0\0";
        const EOF: &[u8] = b"\xfe\0\0\x02\0";
        const ROW: &[u8] = b"\x011\x03one";
        for (a, b, follow) in [
            // An answer begins behind what ends one.
            ((1, OK), (1, OK), true),
            ((7, EOF), (1, b"\x03"), true),
            ((7, ROW), (1, b"\x03"), false),
            // Rows have as many values as those before.
            ((5, EOF), (6, ROW), true),
            ((6, ROW), (7, b"\x012\x03two"), true),
            ((6, ROW), (7, b"\x012\x03two\0"), false),
            ((6, ROW), (7, b"\x012\x04two"), false),
            ((6, ROW), (8, ROW), false),
            ((6, ROW), (7, EOF), true),
            ((2, b"\x03def\x01a"), (3, b"\x03def\x01b"), true),
            ((9, ROW), (0, b"\x03select 1"), true),
        ] {
            let (first, second) = (packet(a.0, a.1), packet(b.0, b.1));
            assert_eq!(
                follows(&first, &second),
                follow,
                "{first:02x?} {second:02x?}"
            );
        }
        assert!(!is_plausible(&packet(0, b"\0"), 5), "no such command");
    }

    #[test]
    fn a_login_names_its_user() {
        let mut login = b"\x30\0\0\x01\x85\xa6\xff\0\0\0\0\x01\x21".to_vec();
        login.resize(36, 0);
        login.extend(b"root\0\0db\0");
        assert_eq!(said(summary, Transport::Tcp, &login), "login root");
    }
}
