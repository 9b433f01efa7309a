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
    transaction: Some(|_, m| Some(number(m, 1, 1))),
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

/// What a packet is (RFC 2865, 3).
const CODES: &[(u64, &str)] = &[
    (1, "Access-Request"),
    (2, "Access-Accept"),
    (3, "Access-Reject"),
    (4, "Accounting-Request"),
    (5, "Accounting-Response"),
    (11, "Access-Challenge"),
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
