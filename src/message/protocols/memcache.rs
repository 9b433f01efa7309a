//! Memcached: its lines of text with values behind them (protocol.txt), and its binary form (protocol-binary).

use super::super::fields::MessageFields;
use super::super::framing::Probe;
use super::super::in_order::{Answers, Asks, InOrder};
use super::super::length::{number, octet};
use super::super::lines::words;
use super::super::row::ProtocolRow;
use super::super::text::{escape, named_number};
use super::super::textual::{
    Textual, TextualFormat, TextualProtocol, any, begins_as, decimal, is_binary, is_shown, line,
};
use crate::base::message::Kind;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "memcache",
    aliases: &["memcached"],
    about: "Memcached, text and binary",
    ports: &[11211],
    in_order: Some(&IN_ORDER),
    fields: Some(|_, kind, m, to| fields(kind, m, to)),
    field_names: &["command", "key", "status"],
    summary: Some(|_, m, out| summary(m, out)),
    ..ProtocolRow::NONE
};

/// Answers come in the order of the commands, but for those that ask for none.
static IN_ORDER: InOrder = InOrder {
    waits: false,
    asks: |m| match is_binary(m) {
        // Quiet commands are answered only where something is wrong, or found.
        true if is_quiet(octet(m, 1)) => Asks::Unsure,
        true => Asks::Answer(octet(m, 1)),
        false => match line(m) {
            Some(Some((line, _))) if words(line).next_back_is(b"noreply") => Asks::Nothing,
            Some(Some((b"quit", _))) => Asks::Nothing,
            _ => Asks::Answer(0),
        },
    },
    answers: |asked, m| match is_binary(m) {
        // Statistics end with one that has no name.
        true if asked == STAT && number(m, 2, 2) > 0 => Answers::Part,
        true => Answers::Ends,
        false => match m.starts_with(b"VALUE ") || m.starts_with(b"STAT ") {
            true => Answers::Part,
            false => Answers::Ends,
        },
    },
};

/// The last of some words.
trait LastWord {
    /// It is this one.
    fn next_back_is(self, word: &[u8]) -> bool;
}

impl<'a, I: Iterator<Item = &'a [u8]>> LastWord for I {
    fn next_back_is(self, word: &[u8]) -> bool {
        self.last() == Some(word)
    }
}

/// How its messages are written.
pub(super) static FORMAT: TextualFormat = TextualFormat {
    read,
    // The words of other commands are those of Redis, or stand in any text.
    opens: |octets| {
        let stores = STORES.iter().map(|word| match begins_as(octets, word) {
            Probe::Yes if octets.get(word.len()) != Some(&b' ') => Probe::No,
            probe => probe,
        });
        match any(stores) {
            Probe::Yes => match line(octets) {
                None if is_shown(octets) && octets.len() < 512 => Probe::More,
                Some(Some((line, _))) if stored(line).is_some() => Probe::Yes,
                _ => Probe::No,
            },
            _ => Probe::No,
        }
    },
};

/// Framed by its lines, or its headers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memcache;

impl TextualProtocol for Memcache {
    const FORMAT: &'static TextualFormat = &FORMAT;
}

/// Commands with a value behind them.
const STORES: &[&[u8]] = &[b"set", b"add", b"replace", b"append", b"prepend", b"cas"];
/// Commands that are a line alone.
const COMMANDS: &[&[u8]] = &[
    b"get",
    b"gets",
    b"gat",
    b"gats",
    b"delete",
    b"incr",
    b"decr",
    b"touch",
    b"stats",
    b"version",
    b"verbosity",
    b"flush_all",
    b"quit",
    b"mg",
    b"md",
    b"ma",
    b"mn",
    b"me",
    b"cache_memlimit",
    b"slabs",
    b"lru",
    b"lru_crawler",
    b"watch",
];
/// Answers that are a line alone.
const ANSWERS: &[&[u8]] = &[
    b"END",
    b"STORED",
    b"NOT_STORED",
    b"EXISTS",
    b"NOT_FOUND",
    b"DELETED",
    b"TOUCHED",
    b"OK",
    b"ERROR",
    b"CLIENT_ERROR",
    b"SERVER_ERROR",
    b"VERSION",
    b"RESET",
    b"STAT",
    b"BUSY",
    b"HD",
    b"EN",
    b"NS",
    b"EX",
    b"NF",
    b"MN",
    b"ME",
];
/// Octets of a key, at most.
const KEY: usize = 250;

/// Octets of a header of the binary form.
const HEADER: usize = 24;
const STAT: u8 = 0x10;
/// Operations of the binary form.
const OPERATIONS: &[(u64, &str)] = &[
    (0x00, "get"),
    (0x01, "set"),
    (0x02, "add"),
    (0x03, "replace"),
    (0x04, "delete"),
    (0x05, "increment"),
    (0x06, "decrement"),
    (0x07, "quit"),
    (0x08, "flush"),
    (0x09, "getq"),
    (0x0a, "no-op"),
    (0x0b, "version"),
    (0x0c, "getk"),
    (0x0d, "getkq"),
    (0x0e, "append"),
    (0x0f, "prepend"),
    (0x10, "stat"),
    (0x11, "setq"),
    (0x12, "addq"),
    (0x13, "replaceq"),
    (0x14, "deleteq"),
    (0x15, "incrementq"),
    (0x16, "decrementq"),
    (0x17, "quitq"),
    (0x18, "flushq"),
    (0x19, "appendq"),
    (0x1a, "prependq"),
    (0x1b, "verbosity"),
    (0x1c, "touch"),
    (0x1d, "gat"),
    (0x1e, "gatq"),
    (0x20, "sasl list"),
    (0x21, "sasl auth"),
    (0x22, "sasl step"),
    (0x23, "gatk"),
    (0x24, "gatkq"),
];

fn is_quiet(operation: u8) -> bool {
    matches!(operation, 0x09 | 0x0d | 0x11..=0x1a | 0x1e | 0x24)
}

/// Octets of the value behind a command that stores one: it says that in its fifth word.
fn stored(line: &[u8]) -> Option<u64> {
    let mut words = words(line);
    let command = words.next().filter(|c| STORES.contains(c))?;
    words.next().filter(|key| key.len() <= KEY)?;
    words.next().and_then(decimal)?;
    // It may be negative, for what is expired at once.
    words
        .next()
        .filter(|word| decimal(word.strip_prefix(b"-").unwrap_or(word)).is_some())?;
    let len = words.next().and_then(decimal)?;
    if command == b"cas" {
        words.next().and_then(decimal)?;
    }
    words
        .next()
        .is_none_or(|word| word == b"noreply")
        .then_some(len)
}

fn read_binary(m: &[u8]) -> Textual {
    let Some(header) = m.get(..HEADER) else {
        return if matches!(m[0], 0x80 | 0x81) {
            Textual::More
        } else {
            Textual::No
        };
    };
    let (body, key, extras) = (
        number(header, 8, 4),
        number(header, 2, 2),
        u64::from(header[4]),
    );
    let known = OPERATIONS.iter().any(|(n, _)| *n == u64::from(header[1]));
    let sound = matches!(header[0], 0x80 | 0x81)
        && known
        && header[5] == 0
        && body >= key + extras
        && key <= KEY as u64;
    let kind = match header[0] {
        0x80 => Kind::Request,
        _ => Kind::Response,
    };
    match sound {
        true => Textual::Message(kind, HEADER as u64 + body),
        false => Textual::No,
    }
}

fn read(octets: &[u8]) -> Textual {
    if is_binary(octets) {
        return read_binary(octets);
    }
    let Some(line) = line(octets) else {
        return match is_shown(octets.strip_suffix(b"\r").unwrap_or(octets)) {
            true => Textual::More,
            false => Textual::No,
        };
    };
    let Some((line, len)) = line.filter(|(line, _)| is_shown(line)) else {
        return Textual::No;
    };
    let len = len as u64;
    let first = words(line).next().unwrap_or_default();
    if let Some(value) = stored(line) {
        return Textual::Message(Kind::Request, len + value + 2);
    }
    let counted = |n: usize| words(line).nth(n).and_then(decimal);
    match first {
        b"VALUE" => match counted(3) {
            Some(value) => Textual::Message(Kind::Response, len + value + 2),
            None => Textual::No,
        },
        b"VA" => match counted(1) {
            Some(value) => Textual::Message(Kind::Response, len + value + 2),
            None => Textual::No,
        },
        b"ms" => match counted(2) {
            Some(value) => Textual::Message(Kind::Request, len + value + 2),
            None => Textual::No,
        },
        word if COMMANDS.contains(&word) => Textual::Message(Kind::Request, len),
        word if ANSWERS.contains(&word) || decimal(word).is_some() => {
            Textual::Message(Kind::Response, len)
        }
        _ => Textual::No,
    }
}

/// The key of a message of the binary form.
fn binary_key(m: &[u8]) -> Option<&[u8]> {
    let (key, extras) = (
        usize::try_from(number(m, 2, 2)).ok()?,
        usize::from(octet(m, 4)),
    );
    let from = HEADER + extras;
    m.get(from..from + key).filter(|key| !key.is_empty())
}

fn summary(m: &[u8], out: &mut String) -> bool {
    if !is_binary(m) {
        return false;
    }
    named_number(OPERATIONS, octet(m, 1).into(), out);
    if octet(m, 0) == 0x81 {
        out.push_str(" status ");
        out.push_str(&number(m, 6, 2).to_string());
    }
    if let Some(key) = binary_key(m) {
        out.push(' ');
        escape(key, out);
    }
    true
}

/// The command and its first key, or how it ended.
fn fields(kind: Kind, m: &[u8], to: &mut MessageFields) {
    if is_binary(m) {
        to.write("command", |out| {
            named_number(OPERATIONS, octet(m, 1).into(), out)
        });
        to.text_if("key", binary_key(m));
        if kind == Kind::Response {
            to.write("status", |out| out.push_str(&number(m, 6, 2).to_string()));
        }
        return;
    }
    let Some(Some((line, _))) = line(m) else {
        return;
    };
    let mut words = words(line);
    let name = if kind == Kind::Response {
        "status"
    } else {
        "command"
    };
    let first = words.next();
    to.text_if(name, first);
    let keyed = kind == Kind::Request || first == Some(b"VALUE");
    to.text_if("key", words.next().filter(|_| keyed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_headers_say_how_far_messages_reach() {
        let request = |len| Textual::Message(Kind::Request, len);
        let response = |len| Textual::Message(Kind::Response, len);
        let mut binary = vec![0x80, 1, 0, 3, 8, 0, 0, 0, 0, 0, 0, 16];
        binary.extend([0; 12]);
        binary.extend(b"\0\0\0\0\0\0\0\0keyvalue!");
        for (octets, expected) in [
            (&b"get a b\r\n"[..], request(9)),
            (b"set k 0 -1 5\r\nhello\r\n", request(21)),
            (b"cas k 0 0 5 77 noreply\r\nhello\r\n", request(31)),
            (b"VALUE k 0 5\r\nhello\r\nEND\r\n", response(20)),
            (b"END\r\n", response(5)),
            (b"17\r\n", response(4)),
            (b"ms k 2\r\nab\r\n", request(12)),
            (&binary, request(40)),
            (&binary[..20], Textual::More),
            (b"set k 0 0 x\r\n", Textual::No),
            (b"hello\r\n", Textual::No),
            (b"\xff\0", Textual::No),
        ] {
            assert_eq!(read(octets), expected, "{}", octets.escape_ascii());
        }
        assert_eq!((FORMAT.opens)(b"set k 0 0 1\r\na\r\n"), Probe::Yes);
        // That of Redis.
        assert_eq!((FORMAT.opens)(b"set k value\r\n"), Probe::No);
        assert_eq!((FORMAT.opens)(b"get k\r\n"), Probe::No);
    }
}
