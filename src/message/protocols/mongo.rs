//! MongoDB.

use super::super::length::{
    LengthField, LengthProtocol, LengthRow, Scan, number, octet, response_if, window,
};
use super::super::row::ProtocolRow;
use super::super::text::{escape, named_number};
use crate::base::flow::Transport;
#[cfg(test)]
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "mongo",
    aliases: &["mongodb"],
    about: "MongoDB",
    ports: &[27017, 27018, 27019],
    summary: Some(summary),
    transaction: Some(transaction),
    #[cfg(test)]
    samples: &[(
        "14000000 01000000 00000000 dd070000 00000000",
        Kind::Request,
    )],
    ..ProtocolRow::NONE
};

/// How its headers are read and believed.
pub(super) static FORMAT: LengthRow = LengthRow {
    length: LengthField::Field {
        at: 0,
        width: 4,
        little: true,
    },
    header: 16,
    is_plausible,
    self_evident: |m| number(m, 8, 4) == 0,
    // A length under 48 MiB, an answer to nothing, the operation: among zeros and small numbers less than all of it is met
    // at every other place.
    scan: Scan::By(16, |octets| {
        window(octets, |o: &[u8; 16]| {
            matches!(o[12..], [1, 0, 0, 0] | [0xd1..=0xdd, 7, 0, 0])
                && o[8..12] == [0; 4]
                && o[3] <= 2
        })
    }),
    chain: 2,
    kind: |m| response_if(number(m, 8, 4) != 0),
    ..LengthRow::USUAL
};

/// Framed by its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mongo;

impl LengthProtocol for Mongo {
    const FORMAT: &'static LengthRow = &FORMAT;
}

fn is_plausible(m: &[u8], len: u64) -> bool {
    // Little endian, so that small numbers have their octet first.
    let opcode = [octet(m, 12), octet(m, 13), octet(m, 14), octet(m, 15)];
    (16..=48_000_000 + 16_384).contains(&len)
        && matches!(u32::from_le_bytes(opcode), 1 | 2001..=2013)
}

/// The opcode of OP_MSG, whose octets stand in the other order.
const MESSAGE: u64 = 0xdd07_0000;

/// The number of the request, which its answer repeats behind a number of its own. What says that more is to come is not answered
/// (MongoDB wire protocol, OP_MSG, flag bits).
fn transaction(_: Transport, m: &[u8]) -> Option<u64> {
    let more_to_come = number(m, 12, 4) == MESSAGE && octet(m, 16) & 2 != 0;
    match number(m, 8, 4) {
        0 if more_to_come => None,
        0 => Some(number(m, 4, 4)),
        answered => Some(answered),
    }
}

/// The operation; its number is little endian.
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    named_number(
        &[
            (0x0100_0000, "reply"),
            (0xd407_0000, "query"),
            (MESSAGE, "message"),
            (0xdc07_0000, "compressed"),
        ],
        number(m, 12, 4),
        out,
    );
    if let Some((key, value)) = command(m) {
        out.push(' ');
        escape(key, out);
        if let Some(value) = value {
            out.push(' ');
            escape(value, out);
        }
    }
    true
}

/// The first element of what a message says, which is the command and, where it is of text, what it is about (OP_MSG, section 0; BSON 1.1).
fn command(m: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    const DOCUMENT: usize = 21;
    const TEXT: u8 = 2;
    if number(m, 12, 4) != MESSAGE || octet(m, DOCUMENT - 1) != 0 {
        return None;
    }
    let (kind, rest) = m.get(DOCUMENT + 4..)?.split_first()?;
    let end = memchr::memchr(0, rest.get(..rest.len().min(64))?)?;
    let (key, value) = rest.split_at(end);
    let text = || {
        let [len @ .., _, _, _] = value.get(1..5)? else {
            return None;
        };
        // With the zero at its end; nothing that is as long as a name has more octets of length.
        let len = usize::from(*len.first()?).checked_sub(1)?;
        value.get(5..5 + len)
    };
    let value = (*kind == TEXT).then(text).flatten();
    (!key.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::super::super::length::testing;
    use super::*;

    #[test]
    fn messages_are_believed_and_found() {
        testing::check(&PROTOCOL, &FORMAT);
    }
}
