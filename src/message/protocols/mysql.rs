//! MySQL and MariaDB.

use super::super::length::{LengthField, LengthProtocol, LengthRow, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{SHOWN, escape};
use crate::base::flow::Transport;
use crate::base::message::Kind;
use memchr::memchr;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "mysql",
    about: "MySQL and MariaDB",
    ports: &[3306],
    summary: Some(summary),
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
    is_plausible: |m, len| len > 4 || octet(m, 3) > 0,
    self_evident: is_greeting,
    min_chain: 2,
    follows: |a, b| {
        octet(b, 3) == octet(a, 3).wrapping_add(1)
            || octet(b, 3) == 0
            || (octet(b, 3) == 1 && octet(a, 3) > 1)
    },
    kind: |m| {
        if octet(m, 3) == 0 && !is_greeting(m) {
            Kind::Request
        } else {
            Kind::Response
        }
    },
    switches_protocol,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mysql;

impl LengthProtocol for Mysql {
    const FORMAT: &'static LengthRow = &FORMAT;
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
        (0, 1) => out.push_str("quit"),
        (0, 14) => out.push_str("ping"),
        (0, command) => {
            let _ = write!(out, "command {command}");
        }
        (_, 0xff) => {
            out.push_str("error ");
            escape(m.get(13..).unwrap_or_default(), out);
        }
        (_, 0) => out.push_str("ok"),
        (_, 0xfe) if m.len() < 13 => out.push_str("end of rows"),
        (1, columns) if m.len() == 5 => {
            let _ = write!(out, "{columns} columns");
        }
        // Protocol 4.1; octets that are reserved stand before the name.
        (1, _)
            if octet(m, 5) & 2 != 0 && m.get(13..32).is_some_and(|o| o.iter().all(|o| *o == 0)) =>
        {
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

    #[test]
    fn a_login_names_its_user() {
        let mut login = b"\x30\0\0\x01\x85\xa6\xff\0\0\0\0\x01\x21".to_vec();
        login.resize(36, 0);
        login.extend(b"root\0\0db\0");
        assert_eq!(said(summary, Transport::Tcp, &login), "login root");
    }
}
