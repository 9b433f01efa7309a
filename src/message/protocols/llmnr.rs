//! Link-local name resolution (RFC 4795): the messages of DNS on a port of its own.

use super::super::length::number;
use super::super::row::{DatagramRow, ProtocolRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "llmnr",
    kind: Some(super::dns::kind),
    transaction: Some(|_, m| Some(number(m, 0, 2))),
    fields: Some(super::dns::fields),
    field_names: super::dns::FIELD_NAMES,
    result_last: true,
    summary: Some(super::dns::summary),
    user_message_summary: Some(super::dns::summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "Link-local name resolution (RFC 4795)",
    ports: &[5355],
    is_plausible: |m| m.len() >= 12,
};
