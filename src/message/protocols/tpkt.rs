//! TPKT with COTP: S7, RDP, H.323 (RFC 1006).

use super::super::length::{LengthProtocol, LengthRow, Scan, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
#[cfg(test)]
use crate::base::message::Kind;
use std::fmt::Write as _;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "tpkt",
    about: "TPKT with COTP: S7, RDP, H.323 (RFC 1006)",
    ports: &[102, 1720, 3389],
    summary: Some(summary),
    #[cfg(test)]
    samples: &[(
        "0300 0016 11 e0 0000 0001 00 c1020100 c2020102 c0010a",
        Kind::Other,
    )],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: field(2, 2),
    magic: Some((0, &[3, 0])),
    header: 7,
    is_plausible,
    self_evident: |m| matches!(octet(m, 5), 0xe0 | 0xd0) && number(m, 6, 2) == 0,
    scan: Scan::Octets(0, &[3, 0]),
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tpkt;

impl LengthProtocol for Tpkt {
    const FORMAT: &'static LengthRow = &FORMAT;
}

fn is_plausible(m: &[u8], len: u64) -> bool {
    let header = u64::from(octet(m, 4));
    let cotp = matches!(octet(m, 5) & 0xf0, 0xe0 | 0xd0 | 0x80 | 0x70 | 0xc0)
        || matches!(octet(m, 5), 0xf0 | 0x10 | 0x20 | 0x50);
    // H.225 has no COTP below TPKT, but Q.931, whose first octet is 8.
    (len >= 7 && header >= 2 && header + 5 <= len && cotp) || (len >= 7 && header == 8)
}

/// The type of the transport message (X.224, 13), or of that of call signalling (Q.931, 4.4).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    // H.225: the call reference, whose length stands before it, and the type.
    let kind = 6 + usize::from(octet(m, 5) & 0xf);
    if octet(m, 4) == 8 && m.len() > kind {
        let names = [
            (0x01, "alerting"),
            (0x02, "call proceeding"),
            (0x03, "progress"),
            (0x05, "setup"),
            (0x07, "connect"),
            (0x0d, "setup acknowledge"),
            (0x0f, "connect acknowledge"),
            (0x45, "disconnect"),
            (0x4d, "release"),
            (0x5a, "release complete"),
            (0x62, "facility"),
            (0x6e, "notify"),
            (0x75, "status enquiry"),
            (0x7b, "information"),
            (0x7d, "status"),
        ];
        out.push_str("Q.931 ");
        named_number(&names, octet(m, kind).into(), out);
        return true;
    }
    // What it carries says more than that it carries something.
    if s7(m, out) {
        return true;
    }
    named_number(
        &[
            (0xe0, "connection request"),
            (0xd0, "connection confirm"),
            (0x80, "disconnect request"),
            (0xf0, "data"),
            (0x70, "error"),
        ],
        u64::from(octet(m, 5) & 0xf0),
        out,
    );
    true
}

/// Behind a data header of COTP, what S7 communication asks or answers: no public standard; as Wireshark's dissector s7comm has it.
fn s7(m: &[u8], out: &mut String) -> bool {
    const MAGIC: u8 = 0x32;
    let at = 5 + usize::from(octet(m, 4));
    if octet(m, 5) != 0xf0 || octet(m, at) != MAGIC || m.len() < at + 10 {
        return false;
    }
    let (kind, function) = match octet(m, at + 1) {
        1 => (" job", octet(m, at + 10)),
        2 => (" ack", octet(m, at + 12)),
        3 => (" answer", octet(m, at + 12)),
        7 => {
            user_data(m, at + 10, out);
            return true;
        }
        _ => return false,
    };
    out.push_str("S7");
    out.push_str(kind);
    let names = [
        (0x00, "CPU services"),
        (0x04, "read"),
        (0x05, "write"),
        (0x1a, "request download"),
        (0x1b, "download block"),
        (0x1c, "download ended"),
        (0x1d, "start upload"),
        (0x1e, "upload"),
        (0x1f, "end upload"),
        (0x28, "PLC control"),
        (0x29, "PLC stop"),
        (0xf0, "setup communication"),
    ];
    out.push(' ');
    named_number(&names, function.into(), out);
    true
}

/// A function of the S7 user data whose parameters stand here: who asks, what group it is of, and which it is.
fn user_data(m: &[u8], at: usize, out: &mut String) {
    let (kind_and_group, function) = (octet(m, at + 5), octet(m, at + 6));
    if number(m, at, 3) != 0x00_01_12 || m.len() <= at + 6 {
        out.push_str("S7 user data");
        return;
    }
    out.push_str(match kind_and_group >> 4 {
        0 => "S7 push",
        4 => "S7 request",
        8 => "S7 response",
        _ => "S7 user data",
    });
    let group = kind_and_group & 0xf;
    let names: &[(u64, &str)] = match group {
        2 => &[
            (1, "cyclic data"),
            (4, "end of cyclic data"),
            (5, "cyclic data by DB"),
        ],
        3 => &[
            (1, "list blocks"),
            (2, "list blocks of a type"),
            (3, "block info"),
        ],
        4 => &[
            (1, "read SZL"),
            (2, "message service"),
            (3, "diagnostic message"),
            (5, "alarm indication"),
            (6, "alarm initiate"),
            (0x0b, "alarm acknowledge"),
            (0x13, "alarm query"),
        ],
        5 => &[(1, "password"), (2, "end of session")],
        7 => &[
            (1, "read clock"),
            (2, "set clock"),
            (3, "read clock"),
            (4, "set clock"),
        ],
        _ => &[],
    };
    match names
        .iter()
        .find(|(known, _)| *known == u64::from(function))
    {
        Some((_, name)) => {
            let _ = write!(out, " {name}");
        }
        None => {
            let _ = write!(out, " function {group}:{function}");
        }
    }
    // Behind the parameters, as long as their length says: a return code, a kind and a length of four octets; then which list of
    // the system's state.
    let data = at + 4 + usize::from(octet(m, at + 3));
    if (group, function) == (4, 1) && octet(m, data) == 0xff && m.len() >= data + 8 {
        let _ = write!(out, " 0x{:04x}", number(m, data + 4, 2));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::super::super::text::said;
    use super::*;

    #[test]
    fn functions_of_s7_are_named() {
        let job = b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\0\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0";
        let answer = b"\x03\0\0\x1b\x02\xf0\x80\x32\x03\0\0\0\0\0\x08\0\0\0\0\x04\x01\0\0\0\0\0\0";
        for (octets, expected) in [
            (&job[..], "S7 job setup communication"),
            (answer, "S7 answer read"),
            (&job[..12], "data"),
            (
                b"\x03\0\0\x21\x02\xf0\x80\x32\x07\0\0\x0a\0\0\x08\0\x08\0\x01\x12\x04\x11\x44\x01\0\xff\x09\0\x04\x04\x24\0\0",
                "S7 request read SZL 0x0424",
            ),
            (
                b"\x03\0\0\x1d\x02\xf0\x80\x32\x07\0\0\x0a\0\0\x08\0\x04\0\x01\x12\x08\x12\x87\x01\0\0\0\0\0",
                "S7 response read clock",
            ),
            (
                b"\x03\0\0\x1d\x02\xf0\x80\x32\x07\0\0\x0a\0\0\x08\0\x04\0\x01\x12\x04\x11\x4f\x07\0\0\0\0\0",
                "S7 request function 15:7",
            ),
            (b"\x03\0\0\x0b\x06\xe0\0\0\0\x01\0", "connection request"),
            (b"\x03\0\0\x0c\x08\x02\x16\x32\x05\x04\x03\x88", "Q.931 setup"),
            (b"\x03\0\0\x09\x08\x02\x96\x32\x5a", "Q.931 release complete"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
