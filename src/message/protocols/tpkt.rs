//! TPKT with COTP: S7, RDP, H.323 (RFC 1006).

use super::super::length::{LengthProtocol, LengthRow, Scan, field, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
#[cfg(test)]
use crate::base::message::Kind;

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

/// The type of the transport message (X.224, 13).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
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
    s7(m, out);
    true
}

/// Behind a data header of COTP, what S7 communication asks or answers: no public standard; as Wireshark's dissector s7comm has it.
fn s7(m: &[u8], out: &mut String) {
    const MAGIC: u8 = 0x32;
    let at = 5 + usize::from(octet(m, 4));
    if octet(m, 5) != 0xf0 || octet(m, at) != MAGIC || m.len() < at + 10 {
        return;
    }
    let (kind, function) = match octet(m, at + 1) {
        1 => (" job", octet(m, at + 10)),
        2 => (" ack", octet(m, at + 12)),
        3 => (" answer", octet(m, at + 12)),
        7 => return out.push_str(", S7 user data"),
        _ => return,
    };
    out.push_str(", S7");
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
            (&job[..], "data, S7 job setup communication"),
            (answer, "data, S7 answer read"),
            (&job[..12], "data"),
            (b"\x03\0\0\x0b\x06\xe0\0\0\0\x01\0", "connection request"),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
