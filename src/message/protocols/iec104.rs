//! IEC 60870-5-104.

use super::super::length::{LengthProtocol, LengthRow, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "104apci",
    aliases: &["iec104"],
    about: "IEC 60870-5-104",
    ports: &[2404],
    summary: Some(summary),
    // Format, numbers and address.
    words_ahead: 3,
    transaction: Some(|_, m| transaction(m)),
    numbers_again: true,
    #[cfg(test)]
    samples: &[
        ("6804 07000000", Kind::Request),
        ("6804 0b000000", Kind::Response),
        ("6804 01000200", Kind::Other),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(1, 1),
    add: 2,
    magic: Some((0, &[0x68])),
    header: 6,
    is_plausible,
    kind,
    min_chain: 2,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Iec104;

impl LengthProtocol for Iec104 {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// IEC 60870-5-104, 5: frames of the I, S and U format.
fn is_plausible(m: &[u8], len: u64) -> bool {
    match octet(m, 2) & 3 {
        0 | 2 => (12..=255).contains(&len) && octet(m, 4) & 1 == 0,
        1 => len == 6 && octet(m, 2) == 1 && octet(m, 3) == 0 && octet(m, 4) & 1 == 0,
        _ => {
            len == 6
                && matches!(octet(m, 2), 0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83)
                && number(m, 3, 3) == 0
        }
    }
}

/// Why what a frame has inside is sent (IEC 60870-5-101, 7.2.3).
fn cause(m: &[u8]) -> u8 {
    octet(m, 8) & 0x3f
}

/// A function of the frame is asked for and confirmed, and so is a command, by why it is sent: it is activated or ended.
fn kind(m: &[u8]) -> Kind {
    match (octet(m, 2) & 3, octet(m, 2), cause(m)) {
        (3, 0x07 | 0x13 | 0x43, _) | (0 | 2, _, 6 | 8) => Kind::Request,
        (3, 0x0b | 0x23 | 0x83, _) | (0 | 2, _, 7 | 9) => Kind::Response,
        _ => Kind::Other,
    }
}

/// What is the same in a command and its confirmation: its type and address, and which of the two was meant.
fn transaction(m: &[u8]) -> Option<u64> {
    match (octet(m, 2) & 3, octet(m, 2), cause(m)) {
        (3, 0x07 | 0x0b, _) => Some(1),
        (3, 0x13 | 0x23, _) => Some(2),
        (3, _, _) => Some(3),
        (0 | 2, _, cause @ 6..=9) => {
            let command = u64::from(octet(m, 6)) << 48 | number(m, 10, 5);
            Some(1 << 63 | u64::from(cause & !1) << 56 | command)
        }
        _ => None,
    }
}

/// What stands inside (IEC 60870-5-101, 7.2.1; IEC 60870-5-104, 8).
const TYPES: &[(u64, &str)] = &[
    (1, "M_SP_NA_1"),
    (2, "M_SP_TA_1"),
    (3, "M_DP_NA_1"),
    (4, "M_DP_TA_1"),
    (5, "M_ST_NA_1"),
    (6, "M_ST_TA_1"),
    (7, "M_BO_NA_1"),
    (8, "M_BO_TA_1"),
    (9, "M_ME_NA_1"),
    (10, "M_ME_TA_1"),
    (11, "M_ME_NB_1"),
    (12, "M_ME_TB_1"),
    (13, "M_ME_NC_1"),
    (14, "M_ME_TC_1"),
    (15, "M_IT_NA_1"),
    (16, "M_IT_TA_1"),
    (17, "M_EP_TA_1"),
    (18, "M_EP_TB_1"),
    (19, "M_EP_TC_1"),
    (20, "M_PS_NA_1"),
    (21, "M_ME_ND_1"),
    (30, "M_SP_TB_1"),
    (31, "M_DP_TB_1"),
    (32, "M_ST_TB_1"),
    (33, "M_BO_TB_1"),
    (34, "M_ME_TD_1"),
    (35, "M_ME_TE_1"),
    (36, "M_ME_TF_1"),
    (37, "M_IT_TB_1"),
    (38, "M_EP_TD_1"),
    (39, "M_EP_TE_1"),
    (40, "M_EP_TF_1"),
    (45, "C_SC_NA_1"),
    (46, "C_DC_NA_1"),
    (47, "C_RC_NA_1"),
    (48, "C_SE_NA_1"),
    (49, "C_SE_NB_1"),
    (50, "C_SE_NC_1"),
    (51, "C_BO_NA_1"),
    (58, "C_SC_TA_1"),
    (59, "C_DC_TA_1"),
    (60, "C_RC_TA_1"),
    (61, "C_SE_TA_1"),
    (62, "C_SE_TB_1"),
    (63, "C_SE_TC_1"),
    (64, "C_BO_TA_1"),
    (70, "M_EI_NA_1"),
    (100, "C_IC_NA_1"),
    (101, "C_CI_NA_1"),
    (102, "C_RD_NA_1"),
    (103, "C_CS_NA_1"),
    (105, "C_RP_NA_1"),
    (107, "C_TS_TA_1"),
    (110, "P_ME_NA_1"),
    (111, "P_ME_NB_1"),
    (112, "P_ME_NC_1"),
    (113, "P_AC_NA_1"),
    (120, "F_FR_NA_1"),
    (121, "F_SR_NA_1"),
    (122, "F_SC_NA_1"),
    (123, "F_LS_NA_1"),
    (124, "F_AF_NA_1"),
    (125, "F_SG_NA_1"),
    (126, "F_DR_TA_1"),
    (127, "F_SC_NB_1"),
];

/// Why it is sent (IEC 60870-5-101, 7.2.3).
const CAUSES: &[(u64, &str)] = &[
    (1, "cyclic"),
    (2, "background"),
    (3, "spontaneous"),
    (4, "initialized"),
    (5, "requested"),
    (6, "act"),
    (7, "act con"),
    (8, "deact"),
    (9, "deact con"),
    (10, "act term"),
    (11, "remote command"),
    (12, "local command"),
    (13, "file"),
    (20, "interrogated"),
    (37, "counter interrogated"),
    (44, "unknown type"),
    (45, "unknown cause"),
    (46, "unknown ASDU"),
    (47, "unknown IOA"),
];

/// The format of the frame with its numbers or its function; of what it has inside, the address, the type, why it was sent, and the first
/// object.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let count = |at: usize| u64::from(octet(m, at)) >> 1 | u64::from(octet(m, at + 1)) << 7;
    match octet(m, 2) & 3 {
        1 => {
            let _ = write!(out, "S ({})", count(4));
        }
        3 => {
            out.push_str("U (");
            named_number(
                &[
                    (0x07, "STARTDT act"),
                    (0x0b, "STARTDT con"),
                    (0x13, "STOPDT act"),
                    (0x23, "STOPDT con"),
                    (0x43, "TESTFR act"),
                    (0x83, "TESTFR con"),
                ],
                u64::from(octet(m, 2)),
                out,
            );
            out.push(')');
        }
        _ => {
            let _ = write!(out, "I ({},{})", count(2), count(4));
            let Some(&[kind, objects, why, _, low, high, ref first @ ..]) = m.get(6..) else {
                return true;
            };
            let _ = write!(out, " ASDU={} ", u16::from_le_bytes([low, high]));
            named_number(TYPES, kind.into(), out);
            out.push(' ');
            named_number(CAUSES, u64::from(why & 0x3f), out);
            // Whether it is refused, or a test.
            if why & 0x40 != 0 {
                out.push_str(" negative");
            }
            if why & 0x80 != 0 {
                out.push_str(" test");
            }
            if let [a, b, c, ..] = *first {
                let _ = write!(out, " IOA={}", u32::from_le_bytes([a, b, c, 0]));
            }
            if objects & 0x7f > 1 {
                let _ = write!(out, " and {} more", (objects & 0x7f) - 1);
            }
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
    fn summaries() {
        for (octets, expected) in [
            (&b"\x68\x04\x07\0\0\0"[..], "U (STARTDT act)"),
            (b"\x68\x04\x01\0\x04\0", "S (2)"),
            (
                b"\x68\x0e\x02\0\x06\0\x64\x01\x06\0\x01\0\0\0\0\x14",
                "I (1,3) ASDU=1 C_IC_NA_1 act IOA=0",
            ),
            (
                b"\x68\x0e\0\x01\0\0\x01\x03\x54\0\x01\0\x0b\0\0\0",
                "I (128,0) ASDU=1 M_SP_NA_1 interrogated negative IOA=11 and 2 more",
            ),
            (b"\x68\x0e\0\0\0\0\x01", "I (0,0)"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
