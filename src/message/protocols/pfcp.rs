//! PFCP: control of what forwards packets in mobile networks (3GPP TS 29.244).

use super::super::length::{fits_datagram, number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "pfcp",
    kind: Some(kind),
    transaction: Some(|_, m| Some(number(m, if has_session(m) { 12 } else { 4 }, 3))),
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram. More messages may follow, behind what the length of the first counts.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "PFCP: control of user planes (TS 29.244)",
    ports: &[8805],
    is_plausible: |m| octet(m, 0) & 0xe0 == 0x20 && fits_datagram(m, octet(m, 0) & 4 != 0),
};

/// The header has the endpoint of a session.
fn has_session(m: &[u8]) -> bool {
    octet(m, 0) & 1 != 0
}

/// Messages in pairs (TS 29.244, 7.3): those of nodes from 1 on, those of sessions from 50 on.
fn kind(m: &[u8]) -> Kind {
    match octet(m, 1) {
        1 | 3 | 5 | 7 | 9 | 12 | 14 | 16 | 50 | 52 | 54 | 56 => Kind::Request,
        2 | 4 | 6 | 8 | 10 | 11 | 13 | 15 | 17 | 51 | 53 | 55 | 57 => Kind::Response,
        _ => Kind::Other,
    }
}

/// The message.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (1, "heartbeat request"),
            (2, "heartbeat response"),
            (3, "PFD management request"),
            (4, "PFD management response"),
            (5, "association setup request"),
            (6, "association setup response"),
            (7, "association update request"),
            (8, "association update response"),
            (9, "association release request"),
            (10, "association release response"),
            (11, "version not supported"),
            (12, "node report request"),
            (13, "node report response"),
            (14, "session set deletion request"),
            (15, "session set deletion response"),
            (50, "session establishment request"),
            (51, "session establishment response"),
            (52, "session modification request"),
            (53, "session modification response"),
            (54, "session deletion request"),
            (55, "session deletion response"),
            (56, "session report request"),
            (57, "session report response"),
        ],
        u64::from(octet(m, 1)),
        out,
    );
    true
}
