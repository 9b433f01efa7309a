//! WebSocket (RFC 6455), behind an upgrade of HTTP.

use super::super::length::{LengthField, LengthProtocol, LengthRow, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::named_number;
use crate::base::flow::Transport;
#[cfg(test)]
use crate::base::message::Kind;

/// What the Upgrade field of HTTP calls it, in any case (RFC 6455, 4.2.1).
pub(super) const UPGRADE: &[u8] = b"websocket";

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "websocket",
    about: "WebSocket (RFC 6455), behind an upgrade of HTTP",
    summary: Some(summary),
    #[cfg(test)]
    samples: &[
        ("81 03 616263", Kind::Other),
        ("c1 83 01020304 616263", Kind::Other),
        ("88 80 01020304", Kind::Other),
    ],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::By(whole_len),
    header: 2,
    is_plausible,
    chain: 4,
    min_chain: 3,
    follows,
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Websocket;

impl LengthProtocol for Websocket {
    const FORMAT: &'static LengthRow = &FORMAT;
}

/// RFC 6455, 5.2: seven bits, or 16 or 64 behind them, in the shortest form; then the key of a client's mask.
fn whole_len(m: &[u8]) -> Option<Option<u64>> {
    let second = *m.get(1)?;
    let key = u64::from(second >> 7) * 4;
    let (width, least, most) = match second & 0x7f {
        126 => (2, 126, 0xffff),
        127 => (8, 0x1_0000, 1 << 62),
        len => return Some(Some(2 + key + u64::from(len))),
    };
    m.get(2..2 + width)?;
    let len = number(m, 2, width);
    let sound = (least..=most).contains(&len);
    Some(sound.then(|| 2 + width as u64 + key + len))
}

/// RFC 6455, 5.2 and 5.5; the first reserved bit marks what is compressed (RFC 7692, 6).
fn is_plausible(m: &[u8], _: u64) -> bool {
    let (first, len) = (octet(m, 0), octet(m, 1) & 0x7f);
    match first & 0x7f {
        0..=2 | 0x41 | 0x42 => true,
        8 => first & 0x80 != 0 && len <= 125 && len != 1,
        9 | 10 => first & 0x80 != 0 && len <= 125,
        _ => false,
    }
}

/// One side masks all of its frames, or none; fragments stand next to each other, but for control frames (RFC 6455, 5.4).
fn follows(a: &[u8], b: &[u8]) -> bool {
    let control = |m| octet(m, 0) & 8 != 0;
    let goes_on = octet(a, 0) & 0x80 == 0;
    let continues = octet(b, 0) & 0xf == 0;
    octet(a, 1) & 0x80 == octet(b, 1) & 0x80 && (control(a) || control(b) || goes_on == continues)
}

/// The opcode (RFC 6455, 5.2).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (0, "continuation"),
            (1, "text"),
            (2, "binary"),
            (8, "close"),
            (9, "ping"),
            (10, "pong"),
        ],
        u64::from(octet(m, 0) & 0xf),
        out,
    );
    true
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }

    #[test]
    fn lengths_are_read_in_their_shortest_form() {
        let len = |second: u8, field: &[u8]| whole_len(&[&[0x82, second], field].concat());
        assert_eq!(len(125, &[]), Some(Some(127)));
        assert_eq!(len(0x80, &[]), Some(Some(6)));
        assert_eq!(len(126, &[0]), None);
        assert_eq!(len(126, &[0, 126]), Some(Some(130)));
        assert_eq!(len(126, &[0, 125]), Some(None), "not the shortest form");
        let eight = |n: u64| len(127, &n.to_be_bytes());
        assert_eq!(eight(0x1_0000), Some(Some(0x1_000a)));
        assert_eq!(eight(0xffff), Some(None));
        assert_eq!(eight(u64::MAX), Some(None));
    }
}
