//! RADIUS (RFC 2865, RFC 2866, RFC 5176).

use super::super::fields::MessageFields;
use super::super::length::{number, octet, response_if};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::{escape, named_number, option};
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "radius",
    kind: Some(|m| response_if(!matches!(octet(m, 0), 1 | 4 | 12 | 40 | 43))),
    transaction: Some(|_, m| Some(about(octet(m, 0)) << 8 | number(m, 1, 1))),
    // Asked for its state, a server of accounting answers as one.
    short_transaction: Some(|_, kind, m| {
        let may = kind == Kind::Response || octet(m, 0) == STATUS;
        may.then(|| number(m, 1, 1))
    }),
    one_answer: true,
    summary: Some(summary),
    fields: Some(fields),
    field_names: &["code", "id", "user"],
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "RADIUS (RFC 2865, RFC 2866, RFC 5176)",
    ports: &[1645, 1646, 1812, 1813, 3799],
    is_plausible: |m| {
        let len = number(m, 2, 2);
        (20..=m.len() as u64).contains(&len) && matches!(octet(m, 0), 1..=5 | 11..=13 | 40..=45)
    },
};

/// Status-Server (RFC 5997).
const STATUS: u8 = 12;

/// What a packet is about: each of these has answers, and identifiers, of its own (RFC 2865, 2866, 5176). Status-Server has those of
/// access (RFC 5997, 3).
const fn about(code: u8) -> u64 {
    match code {
        4 | 5 => 1,
        40..=42 => 2,
        43..=45 => 3,
        _ => 0,
    }
}

/// What a packet is (RFC 2865, 3).
const CODES: &[(u64, &str)] = &[
    (1, "Access-Request"),
    (2, "Access-Accept"),
    (3, "Access-Reject"),
    (4, "Accounting-Request"),
    (5, "Accounting-Response"),
    (11, "Access-Challenge"),
    (12, "Status-Server"),
    (13, "Status-Client"),
    (40, "Disconnect-Request"),
    (41, "Disconnect-ACK"),
    (42, "Disconnect-NAK"),
    (43, "CoA-Request"),
    (44, "CoA-ACK"),
    (45, "CoA-NAK"),
];

/// What of a message has a name.
fn fields(_: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    to.write("code", |out| named_number(CODES, octet(m, 0).into(), out));
    to.number("id", octet(m, 1).into());
    to.text_if("user", option(m.get(20..).unwrap_or_default(), 1, 2));
}

/// The code, and the user who is asked about.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(CODES, octet(m, 0).into(), out);
    // User-Name (RFC 2865, 5.1).
    if let Some(name) = option(m.get(20..).unwrap_or_default(), 1, 2) {
        out.push(' ');
        escape(name, out);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn the_user_is_named() {
        let mut radius = vec![1, 7, 0, 30];
        radius.resize(20, 9);
        radius.extend(b"\x04\x03x\x01\x06bob\x1b");
        let line = said(summary, Transport::Udp, &radius);
        assert_eq!(line, "Access-Request bob\\x1b");
    }
}
