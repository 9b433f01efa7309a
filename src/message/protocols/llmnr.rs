//! Link-local name resolution (RFC 4795): the messages of DNS on a port of its own.

use super::super::row::{DatagramRow, ProtocolRow, transaction_number};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "llmnr",
    kind: Some(super::dns::kind),
    transaction: Some(|_, m| Some(transaction(m))),
    // Asked of a group, and answered by one host.
    answered_elsewhere: true,
    fields: Some(super::dns::fields),
    field_names: super::dns::FIELD_NAMES,
    result_last: true,
    summary: Some(super::dns::summary),
    user_message_summary: Some(super::dns::summary),
    ..ProtocolRow::NONE
};

/// The identifier and the question, which an answer repeats (RFC 4795, 2.1).
fn transaction(m: &[u8]) -> u64 {
    let rest = m.get(12..).unwrap_or_default();
    let name = rest.iter().position(|octet| *octet == 0);
    // Name, type and class.
    let question = name.and_then(|end| rest.get(..end + 5));
    transaction_number((m.get(..2), question))
}

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "Link-local name resolution (RFC 4795)",
    ports: &[5355],
    is_plausible: |m| m.len() >= 12,
};
