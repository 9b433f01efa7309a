//! What S7 communication speaks of, in words: no public standard; as Wireshark's dissector s7comm has it.

use super::super::length::{number, octet};
use std::fmt::Write as _;

/// Variables of a job, and items of an answer that were refused, that are named; behind these stands an ellipsis.
const ITEMS: usize = 4;

/// Blocks of a list that are named; behind these stands an ellipsis.
const BLOCKS: usize = 4;
/// Octets of a block in the list of a program service: type, number, where it is.
const LISTED: usize = 8;

/// The name of a type of block, which is written as two characters.
fn block_type(code: &[u8]) -> Option<&'static str> {
    Some(match code {
        b"08" => "OB",
        b"0A" => "DB",
        b"0B" => "SDB",
        b"0C" => "FC",
        b"0D" => "SFC",
        b"0E" => "FB",
        b"0F" => "SFB",
        _ => return None,
    })
}

/// A block: two characters for its type, five for its number.
fn block(name: &[u8], out: &mut String) -> bool {
    let (Some(kind), Some(number)) = (name.get(..2).and_then(block_type), name.get(2..7)) else {
        return false;
    };
    if !number.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = number.iter().fold(0, |n, c| n * 10 + u32::from(c - b'0'));
    let _ = write!(out, "{kind}{number}");
    true
}

/// Text that has its length ahead of it.
fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = octets.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

/// The block that a job loads, from its parameters: `_0B00000A`.
pub(super) fn loaded_block(parameters: &[u8], out: &mut String) {
    if let Some((name, _)) = parameters.get(8..).and_then(counted) {
        out.push(' ');
        let words = out.len();
        if !name.split_first().is_some_and(|(_, name)| block(name, out)) {
            out.truncate(words - 1);
        }
    }
}

/// What a job reads or writes: `DB 1.DBX 0.0 BYTE 16`, `T 0`. Of what is addressed in another way nothing is said.
pub(super) fn variables(parameters: &[u8], out: &mut String) {
    let count = usize::from(octet(parameters, 1));
    let mut rest = parameters.get(2..).unwrap_or_default();
    for i in 0..count {
        out.push_str(if i == 0 { " " } else { ", " });
        // What follows is so many octets long.
        let Some((item, behind)) = rest.get(1..).and_then(counted) else {
            out.push_str("...");
            return;
        };
        let known = i < ITEMS && octet(rest, 0) == 0x12 && variable(item, out);
        if !known {
            out.push_str("...");
            return;
        }
        // Each begins at an even place.
        rest = match item.len() % 2 {
            0 => behind,
            _ => behind.get(1..).unwrap_or_default(),
        };
    }
}

/// A variable by area and address: syntax, type, how many, block, area, and the number of a bit.
fn variable(item: &[u8], out: &mut String) -> bool {
    let (count, at) = (number(item, 2, 2), number(item, 7, 3));
    let area = match octet(item, 6) {
        0x1c => "C",
        0x1d => "T",
        0x80 => "P",
        0x81 => "I",
        0x82 => "Q",
        0x83 => "M",
        0x84 => "DB",
        0x85 => "DI",
        0x86 => "L",
        0x87 => "V",
        _ => return false,
    };
    let kind = match octet(item, 1) {
        1 => "BIT",
        2 => "BYTE",
        3 => "CHAR",
        4 => "WORD",
        5 => "INT",
        6 => "DWORD",
        7 => "DINT",
        8 => "REAL",
        9 => "DATE",
        0x0a => "TOD",
        0x0b => "TIME",
        0x0c => "S5TIME",
        0x0f => "DATE_AND_TIME",
        0x1c | 0x1d => "",
        _ => return false,
    };
    if item.len() != 10 || octet(item, 0) != 0x10 {
        return false;
    }
    out.push_str(area);
    let block = number(item, 4, 2);
    let _ = match area {
        "C" | "T" => write!(out, " {at}"),
        "DB" => write!(out, " {block}.DBX {}.{}", at >> 3, at & 7),
        "DI" => write!(out, " {block}.DIX {}.{}", at >> 3, at & 7),
        _ => write!(out, " {}.{}", at >> 3, at & 7),
    };
    let _ = match kind {
        "" if count == 1 => Ok(()),
        "" => write!(out, " to {}", (at + count).saturating_sub(1)),
        kind => write!(out, " {kind} {count}"),
    };
    true
}

/// Items of an answer that were not read or written, and why.
pub(super) fn refused(parameters: &[u8], data: &[u8], out: &mut String) {
    const READ: u8 = 4;
    let count = usize::from(octet(parameters, 1));
    let (mut rest, mut said) = (data, 0);
    for i in 1..=count {
        let Some(&code) = rest.first() else {
            return;
        };
        let ok = matches!(code, 0 | 0xff);
        let len = match (octet(parameters, 0), octet(rest, 1)) {
            (READ, _) if !ok => 4,
            // Bits, also where bytes, words or integers were read.
            (READ, 3..=5) => 4 + number(rest, 2, 2).div_ceil(8).next_multiple_of(2),
            (READ, _) => 4 + number(rest, 2, 2).next_multiple_of(2),
            _ => 1,
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        rest = rest.get(len..).unwrap_or_default();
        if ok {
            continue;
        }
        if said == ITEMS {
            out.push_str(", ...");
            return;
        }
        said += 1;
        let _ = write!(out, ", item {i}: ");
        match code {
            1 => out.push_str("hardware error"),
            3 => out.push_str("access refused"),
            5 => out.push_str("invalid address"),
            6 => out.push_str("type not supported"),
            7 => out.push_str("type does not fit"),
            0x0a => out.push_str("object does not exist"),
            code => {
                let _ = write!(out, "error 0x{code:02x}");
            }
        }
    }
}

/// The block that user data asks for, or the type of blocks: behind a return code, a kind and a length.
pub(super) fn asked_block(data: &[u8], out: &mut String) {
    let name = data.get(4..).unwrap_or_default();
    out.push(' ');
    let words = out.len();
    let named = match name.len() {
        2 => block_type(name).map(|kind| out.push_str(kind)).is_some(),
        _ => block(name, out),
    };
    if !named {
        out.truncate(words - 1);
    }
}

/// A program service, and what it is for: `_INSE(DB1)`, `P_PROGRAM("C ")`.
pub(super) fn program_service(parameters: &[u8], out: &mut String) {
    let Some(rest) = parameters.get(8..) else {
        return;
    };
    let len = usize::from(u16::from_be_bytes([octet(rest, 0), octet(rest, 1)]));
    let split = rest.get(2..).and_then(|rest| rest.split_at_checked(len));
    let Some((argument, Some((name, _)))) = split.map(|(a, behind)| (a, counted(behind))) else {
        return;
    };
    let is_plain = |text: &[u8]| text.iter().all(|c| c.is_ascii_graphic() || *c == b' ');
    if !is_plain(name) {
        return;
    }
    let _ = write!(out, " {}(", name.escape_ascii());
    // The number of blocks, one octet that says nothing, and the blocks.
    let blocks = argument.get(2..).unwrap_or_default();
    let listed = blocks.len() == LISTED * usize::from(octet(argument, 0)) && !blocks.is_empty();
    let words = out.len();
    if listed {
        for (i, name) in blocks.chunks(LISTED).enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            if i == BLOCKS {
                out.push_str("...");
                break;
            }
            if !block(name, out) {
                out.truncate(words);
                break;
            }
        }
    } else if !argument.is_empty() && is_plain(argument) {
        let _ = write!(out, "\"{}\"", argument.escape_ascii());
    }
    out.push(')');
}

/// What is wrong, and what that means where it is known.
pub(super) fn error(code: u64, out: &mut String) {
    let _ = write!(out, ", error 0x{code:04x}");
    let meaning = match code {
        0x0110 | 0x0118 | 0xd210 => "invalid block number",
        0x0111 => "invalid length of the request",
        0x0112 => "invalid parameter",
        0x0113 => "invalid type of block",
        0x0114 => "block not found",
        0x0115 => "block exists already",
        0x0116 => "block is write-protected",
        0x0119 => "wrong password",
        0x0120 => "end of the list of blocks",
        0x0140 | 0x8301 => "not enough memory",
        0x0141 | 0x8302 | 0x8304 => "not enough resources",
        0x8001 => "not possible in the state of the block",
        0x8003 => "transfer of the block failed",
        0x8100 => "service not known",
        0x8104 => "service not implemented, or bad frame",
        0x8305 | 0x8404 => "function not available",
        0x8306 | 0x8307 => "not enough work memory",
        0x8401 => "wrong order of services",
        0x8402 => "not possible in the state of the object",
        0x8500 => "bad frame",
        0x8503 => "cancelled by the module",
        0x8701 => "bad address",
        0x8702 => "service not supported",
        0x8703 => "access refused",
        0x8704 => "object damaged",
        0xd041 => "invalid SZL identifier",
        0xd081 => "not allowed in this mode",
        0xd0a1 => "not allowed at this protection level",
        0xd0a2 => "busy: memory is being changed",
        0xd201 => "bad name of a block",
        0xd202 => "bad parameters of the function",
        0xd205 | 0xd206 => "block exists already",
        0xd208 => "too many copied blocks",
        0xd209 => "block not found",
        0xd20a | 0xd20b => "too many blocks in one job",
        0xd20c => "no priority class for the OB",
        0xd20d => "SDB not understood",
        0xd20e => "no more blocks",
        0xd20f => "block is too large",
        0xd240 => "coordination rules violated",
        0xd241 => "protection level too low",
        0xd242 => "F block is protected",
        0xd401 | 0xd402 | 0xd406 => "information not available",
        0xd403 => "logged on or off already",
        0xd404 => "too many nodes have logged on",
        0xd405 => "service not supported",
        0xd601 => "bad parameters of the function",
        0xd602 => "wrong password",
        0xd603 | 0xd604 => "access is granted already",
        0xd605 => "there is no password",
        0xd801 => "bad address of a tag",
        0xd802 => "job not found",
        0xdc01 => "bad date or time",
        _ => return,
    };
    let _ = write!(out, ": {meaning}");
}
