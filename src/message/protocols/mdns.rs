//! Multicast DNS (RFC 6762): the messages of DNS on a port of its own.

use super::super::row::{DatagramRow, ProtocolRow};

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "mdns",
    kind: Some(super::dns::kind),
    fields: Some(super::dns::fields),
    field_names: super::dns::FIELD_NAMES,
    result_last: true,
    summary: Some(super::dns::summary),
    user_message_summary: Some(super::dns::summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "Multicast DNS (RFC 6762)",
    ports: &[5353],
    is_plausible: |m| m.len() >= 12,
};
