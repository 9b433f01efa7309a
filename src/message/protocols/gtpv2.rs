//! GTP version 2: control of the tunnels of mobile networks (3GPP TS 29.274).

use super::super::length::{fits_datagram, number, octet};
use super::super::row::{DatagramRow, ProtocolRow};
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "gtpv2",
    kind: Some(kind),
    transaction: Some(|_, m| Some(number(m, if has_endpoint(m) { 8 } else { 4 }, 3))),
    summary: Some(summary),
    ..ProtocolRow::NONE
};

/// How it is recognised in a datagram. A second message may follow, behind what the length of the first counts.
pub(super) static DATAGRAM: DatagramRow = DatagramRow {
    about: "GTP version 2: control of tunnels (TS 29.274)",
    ports: &[2123],
    is_plausible: |m| octet(m, 0) & 0xe0 == 0x40 && fits_datagram(m, octet(m, 0) & 0x10 != 0),
};

/// The header has the endpoint of a tunnel.
fn has_endpoint(m: &[u8]) -> bool {
    octet(m, 0) & 8 != 0
}

/// Messages in pairs (TS 29.274, 6.1); the others are commands and notifications.
fn kind(m: &[u8]) -> Kind {
    match octet(m, 1) {
        1 | 32 | 34 | 36 | 38 | 95 | 97 | 99 | 128 | 130 | 133 | 135 | 170 | 176 | 200 => {
            Kind::Request
        }
        2 | 33 | 35 | 37 | 39 | 96 | 98 | 100 | 129 | 131 | 134 | 136 | 171 | 177 | 201 => {
            Kind::Response
        }
        _ => Kind::Other,
    }
}

/// The message.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (1, "echo request"),
            (2, "echo response"),
            (3, "version not supported"),
            (32, "create session request"),
            (33, "create session response"),
            (34, "modify bearer request"),
            (35, "modify bearer response"),
            (36, "delete session request"),
            (37, "delete session response"),
            (38, "change notification request"),
            (39, "change notification response"),
            (64, "modify bearer command"),
            (66, "delete bearer command"),
            (68, "bearer resource command"),
            (95, "create bearer request"),
            (96, "create bearer response"),
            (97, "update bearer request"),
            (98, "update bearer response"),
            (99, "delete bearer request"),
            (100, "delete bearer response"),
            (130, "context request"),
            (131, "context response"),
            (132, "context acknowledge"),
            (133, "forward relocation request"),
            (134, "forward relocation response"),
            (170, "release access bearers request"),
            (171, "release access bearers response"),
            (176, "downlink data notification"),
            (177, "downlink data notification acknowledge"),
        ],
        u64::from(octet(m, 1)),
        out,
    );
    true
}
