//! Memcached: its lines of text with values behind them (protocol.txt), and its binary form (protocol-binary).

use super::super::fields::MessageFields;
use super::super::framing::Probe;
use super::super::in_order::{Answers, Asks, InOrder};
use super::super::length::{number, octet};
use super::super::lines::words;
use super::super::row::{ProtocolRow, transaction_number};
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
    one_answer: true,
    fields: Some(|_, kind, m, to| fields(kind, m, to)),
    field_names: &["command", "key", "status"],
    summary: Some(|_, m, out| summary(m, out)),
    ..ProtocolRow::NONE
};

/// Answers come in the order of the commands, but for those that ask for none.
static IN_ORDER: InOrder = InOrder {
    waits: false,
    last: |_| false,
    asks: |m| match (is_binary(m), line(m)) {
        (true, _) if is_quiet(octet(m, 1)) => Asks::Perhaps(binary_mark(m)),
        (true, _) => Asks::Answer(binary_mark(m)),
        (false, Some(Some((b"quit", _)))) => Asks::Nothing,
        (false, Some(Some((line, _)))) if words(line).last() == Some(b"noreply") => Asks::Nothing,
        (false, Some(Some((line, _)))) => match MetaRequest::of(line) {
            Some(meta) if meta.quiet => Asks::Perhaps(meta.mark()),
            _ if words(line).next() == Some(b"mn") => Asks::Answer(NO_OP),
            _ => Asks::Answer(0),
        },
        (false, _) => Asks::Answer(0),
    },
    answers: |asked, m| match is_binary(m) {
        true => answers_binary(asked, m),
        false => match line(m) {
            Some(Some((line, _))) => answers_line(asked, line),
            _ => Answers::Nothing,
        },
    },
};

/// The number of `mn`, which ends a row of quiet commands.
const NO_OP: u64 = 1;
/// Bits of the numbers of quiet commands of text: that it is one, that it reads, and what its answer repeats.
const META: u64 = 2;
const META_GET: u64 = 4;
const META_TOKEN: u64 = 8;
const META_KEY: u64 = 16;

/// A command of text that may be quiet (protocol.txt, "Meta Commands").
struct MetaRequest<'a> {
    quiet: bool,
    gets: bool,
    /// What the client calls it, which its answer repeats.
    token: Option<&'a [u8]>,
    /// Its key, where the answer repeats that.
    key: Option<&'a [u8]>,
}

impl<'a> MetaRequest<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let mut all = words(line);
        let command = all.next()?;
        let key = all.next();
        match command {
            // The length of the value stands ahead of the flags.
            b"ms" => drop(all.next()),
            b"mg" | b"md" | b"ma" => {}
            _ => return None,
        }
        let mut meta = MetaRequest {
            quiet: false,
            gets: command == b"mg",
            token: None,
            key: None,
        };
        for flag in all {
            match flag {
                b"q" => meta.quiet = true,
                b"k" => meta.key = key,
                [b'O', token @ ..] => meta.token = Some(token),
                _ => {}
            }
        }
        Some(meta)
    }

    fn mark(&self) -> u64 {
        let gets = if self.gets { META_GET } else { 0 };
        META | gets
            | match (self.token, self.key) {
                (Some(token), _) => META_TOKEN | mark(token),
                (None, Some(key)) => META_KEY | mark(key),
                (None, None) => 0,
            }
    }
}

/// Bits that stand for a word, above those that say what it is.
fn mark(word: &[u8]) -> u64 {
    transaction_number(word) << 8
}

/// What a line is to a request of text. A quiet command has an answer only where something is wrong, or found; which of several it is
/// of, only what it repeats can tell.
fn answers_line(asked: u64, line: &[u8]) -> Answers {
    let first = words(line).next().unwrap_or_default();
    let no_op = first == b"MN";
    if asked & META == 0 {
        return match (asked, first) {
            (NO_OP, _) if no_op => Answers::Ends,
            (NO_OP, _) => Answers::Nothing,
            _ if no_op => Answers::Nothing,
            (_, b"VALUE" | b"STAT") => Answers::Part,
            _ => Answers::Ends,
        };
    }
    let flags = || words(line).skip(if first == b"VA" { 2 } else { 1 });
    let repeated = |letter: u8| {
        let mut all = flags().filter_map(move |flag| flag.strip_prefix(&[letter]));
        all.next().map(mark)
    };
    let gets = asked & META_GET != 0;
    match first {
        // These say nothing but that: of several that are quiet nobody knows which it was.
        b"CLIENT_ERROR" | b"SERVER_ERROR" | b"ERROR" => Answers::Nothing,
        b"VA" | b"HD" if gets => answers_marked(asked, repeated),
        // Of a command that writes, these are kept back.
        b"NS" | b"EX" | b"NF" if !gets => answers_marked(asked, repeated),
        _ => Answers::Skips,
    }
}

/// Whether what an answer repeats is what a quiet command has asked it to repeat.
fn answers_marked(asked: u64, repeated: impl Fn(u8) -> Option<u64>) -> Answers {
    let letter = match asked {
        _ if asked & META_TOKEN != 0 => b'O',
        _ if asked & META_KEY != 0 => b'k',
        // That of another one, which has asked for it.
        _ if repeated(b'O').or(repeated(b'k')).is_some() => return Answers::Skips,
        _ => return Answers::Nothing,
    };
    match repeated(letter) {
        Some(mark) if mark == asked & !0xff => Answers::Ends,
        _ => Answers::Skips,
    }
}

/// What is the same in a binary command and its answer: the operation and what the client calls it, and where the answer has it, the key.
fn binary_mark(m: &[u8]) -> u64 {
    let key = match keyed(octet(m, 1)) {
        true => binary_key(m).map_or(0, |key| mark(key) >> 16),
        false => 0,
    };
    let known = u64::from(octet(m, 1)) << 32 | number(m, 12, 4);
    known ^ key << 40
}

/// What a message of the binary form is to a command.
fn answers_binary(asked: u64, m: &[u8]) -> Answers {
    let operation = u8::try_from(asked >> 32 & 0xff).unwrap_or(0);
    let ours = asked == binary_mark(m)
        // An error has no key.
        || (number(m, 6, 2) != 0 && (asked ^ binary_mark(m)) & 0xff_ffff_ffff == 0);
    // The same in all that is asked tells nothing.
    let told = asked & 0xffff_ffff != 0 || keyed(operation);
    match (ours, is_quiet(operation)) {
        // Statistics end with one that has no name.
        (true, _) if operation == STAT && number(m, 2, 2) > 0 => Answers::Part,
        (true, false) => Answers::Ends,
        (true, true) if told => Answers::Ends,
        (false, true) => Answers::Skips,
        (true, true) | (false, false) => Answers::Nothing,
    }
}

/// Its answer repeats the key.
const fn keyed(operation: u8) -> bool {
    matches!(operation, 0x0c | 0x0d | 0x23 | 0x24)
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
