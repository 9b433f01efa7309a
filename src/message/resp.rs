//! RESP, the protocol of Redis and Valkey (versions 2 and 3): values, of which some hold others.
//!
//! A value inside another looks like a value of its own. So after a gap a command is found by its form, and a reply only
//! where a request has acknowledged its start, or where it begins a segment that whole replies fill.

use super::detector::{AnyFramer, Begin, Body, Detector, Found, Framer, Next, Part, Place, Probe};
use super::sink::Kind;
use crate::transport::Direction;
use memchr::{memchr, memmem};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const PORT: u16 = 6379;
/// A line longer than this is none.
const LINE: usize = 64 << 10;
/// Digits of a length, with a sign.
const DIGITS: usize = 20;
/// Starts of replies that are remembered.
const STARTS: usize = 256;
/// Octets of replies that wait until the requests before them are known.
const HOLD: usize = 64 << 10;

/// Recognises RESP.
pub(super) struct RespDetector;

/// One value, or the head of one that holds others.
enum Value {
    /// So many octets, and so many values that follow and belong to it.
    Sound(u64, u64),
    More,
    Bad,
}

fn value(octets: &[u8]) -> Value {
    let Some((&kind, rest)) = octets.split_first() else {
        return Value::More;
    };
    let counted = matches!(kind, b'$' | b'*' | b'%' | b'~' | b'>' | b'|' | b'!' | b'=');
    if !counted && !matches!(kind, b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(') {
        return Value::Bad;
    }
    let most = if counted { DIGITS } else { LINE };
    let window = &rest[..rest.len().min(most)];
    let Some(end) = memchr(b'\n', window) else {
        let sound = !counted
            || window
                .iter()
                .all(|o| o.is_ascii_digit() || matches!(o, b'-' | b'\r' | b'?'));
        return if sound && rest.len() < most {
            Value::More
        } else {
            Value::Bad
        };
    };
    let Some(line) = window[..end].strip_suffix(b"\r") else {
        return Value::Bad;
    };
    let head = end as u64 + 2;
    if !counted {
        let sound = match kind {
            b':' | b'(' => {
                let digits = line
                    .strip_prefix(b"-")
                    .or(line.strip_prefix(b"+"))
                    .unwrap_or(line);
                !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
            }
            b'_' => line.is_empty(),
            b'#' => matches!(line, b"t" | b"f"),
            b',' => !line.is_empty() && line.len() < 64 && line.iter().all(u8::is_ascii_graphic),
            _ => !line.iter().any(|o| *o < b' ' && *o != b'\t'),
        };
        return if sound {
            Value::Sound(head, 0)
        } else {
            Value::Bad
        };
    }
    if line == b"-1" && matches!(kind, b'$' | b'*') {
        return Value::Sound(head, 0);
    }
    let number = line.iter().try_fold(0u64, |n, d| {
        let digit = d.is_ascii_digit().then(|| u64::from(d - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    });
    match (kind, number.filter(|n| !line.is_empty() && *n < 1 << 40)) {
        (_, None) => Value::Bad,
        (b'$' | b'!' | b'=', Some(n)) => Value::Sound(head + n + 2, 0),
        (b'%', Some(n)) => Value::Sound(head, 2 * n),
        // An attribute stands before the value that it belongs to.
        (b'|', Some(n)) => Value::Sound(head, 2 * n + 1),
        (_, Some(n)) => Value::Sound(head, n),
    }
}

/// How far values reach that are due.
struct Walk {
    /// Octets, which may be more than there are.
    len: u64,
    /// Values that are still due.
    due: u64,
    bad: bool,
}

/// Goes over values until none is due, or the octets end.
fn walk(octets: &[u8], due: u64) -> Walk {
    let mut walk = Walk {
        len: 0,
        due,
        bad: false,
    };
    while walk.due > 0 {
        let rest = usize::try_from(walk.len)
            .ok()
            .and_then(|at| octets.get(at..));
        match rest.map(value) {
            Some(Value::Sound(len, more)) => {
                walk.len = walk.len.saturating_add(len);
                walk.due = (walk.due - 1).saturating_add(more);
            }
            Some(Value::Bad) => {
                walk.bad = true;
                break;
            }
            Some(Value::More) | None => break,
        }
    }
    walk
}

/// Whether a command stands at `octets`: an array whose first value is a word. None while it cannot be told.
fn command(octets: &[u8]) -> Option<bool> {
    let cut = |sound: bool| if sound { None } else { Some(false) };
    if octets.first().is_some_and(|o| *o != b'*') {
        return Some(false);
    }
    let Value::Sound(head, count) = value(octets) else {
        return cut(matches!(value(octets), Value::More));
    };
    if !(1..1 << 20).contains(&count) {
        return Some(false);
    }
    let inner = usize::try_from(head)
        .ok()
        .and_then(|head| octets.get(head..))
        .unwrap_or_default();
    if inner.first().is_some_and(|o| *o != b'$') {
        return Some(false);
    }
    let Value::Sound(len, 0) = value(inner) else {
        return cut(matches!(value(inner), Value::More));
    };
    let word = memchr(b'\n', inner).map_or(&b""[..], |lf| &inner[lf + 1..]);
    let word_len = usize::try_from(len)
        .unwrap_or(usize::MAX)
        .saturating_sub(inner.len() - word.len() + 2);
    if !(1..=32).contains(&word_len) {
        return Some(false);
    }
    let there = &word[..word.len().min(word_len)];
    if !there
        .iter()
        .all(|o| o.is_ascii_alphanumeric() || b"._-".contains(o))
    {
        return Some(false);
    }
    word.get(word_len..word_len + 2).map(|end| end == b"\r\n")
}

/// Where a command begins, at the start of the octets or behind a line end.
fn find_command(octets: &[u8], more: bool, first: bool) -> Found {
    let mut from = 0;
    while let Some(hit) = memchr(b'*', &octets[from..]) {
        let at = from + hit;
        from = at + 1;
        if !((at == 0 && first) || octets[..at].ends_with(b"\r\n")) {
            continue;
        }
        match command(&octets[at..]) {
            Some(true) => return Found::At(at),
            None if more => return Found::Nowhere { keep: at },
            _ => {}
        }
    }
    // The line end before a command may stand here.
    let tail = if !more {
        0
    } else if octets.ends_with(b"\r\n") {
        2
    } else {
        usize::from(octets.ends_with(b"\r"))
    };
    Found::Nowhere {
        keep: octets.len() - tail,
    }
}

/// Whole values fill the octets.
fn filled(octets: &[u8]) -> bool {
    let mut rest = octets;
    while !rest.is_empty() {
        let walk = walk(rest, 1);
        if walk.bad || walk.due > 0 {
            return false;
        }
        match usize::try_from(walk.len)
            .ok()
            .and_then(|len| rest.get(len..))
        {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    !octets.is_empty()
}

impl Detector for RespDetector {
    fn name(&self) -> &'static str {
        "resp"
    }

    fn about(&self) -> &'static str {
        "RESP: Redis, Valkey"
    }

    fn ports(&self) -> &'static [u16] {
        &[PORT]
    }

    fn probe(&self, octets: &[u8], ports: (u16, u16)) -> Probe {
        match command(octets) {
            Some(true) => return Probe::Yes,
            None => return Probe::More,
            Some(false) => {}
        }
        if ports.0 != PORT && ports.1 != PORT {
            return Probe::No;
        }
        match value(octets) {
            Value::Sound(..) => Probe::Yes,
            Value::More => Probe::More,
            Value::Bad => match memchr(b'\n', &octets[..octets.len().min(256)]) {
                Some(end) if is_inline(&octets[..end]) => Probe::Yes,
                None if octets.len() < 256 && is_inline(octets) => Probe::More,
                _ => Probe::No,
            },
        }
    }

    fn search(&self, octets: &[u8], ports: (u16, u16), more: bool) -> Found {
        if (ports.0 == PORT || ports.1 == PORT) && octets.len() >= 4 && filled(octets) {
            return Found::At(0);
        }
        find_command(octets, more, true)
    }

    fn framer(&self) -> AnyFramer {
        AnyFramer::Resp(Box::default())
    }
}

/// A command as a line of words.
fn is_inline(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.first().is_some_and(u8::is_ascii_alphabetic)
        && line.iter().all(|o| (b' '..0x7f).contains(o) || *o == b'\t')
}

/// Frames one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Resp {
    /// The direction that commands come from.
    client: Option<Direction>,
    /// Values that the open message of each direction still has.
    due: [u64; 2],
    /// Octets of the last of its values that are still to come.
    inside: [u64; 2],
    /// Each direction: a segment begins where the next octets are looked for.
    fresh: [bool; 2],
    /// Where replies begin: what commands have acknowledged.
    starts: VecDeque<u64>,
}

impl Resp {
    /// Octets allocated.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.starts.capacity() * size_of::<u64>()
    }

    /// The port tells which side asks, where nothing else has.
    fn know_sides(&mut self, at: &Place) {
        if self.client.is_none() && (at.ports.0 == PORT) != (at.ports.1 == PORT) {
            self.client = Some(if at.ports.1 == PORT {
                at.direction
            } else {
                at.direction.flip()
            });
        }
    }

    fn message(&mut self, at: &Place, octets: &[u8], kind: Kind) -> Begin {
        let d = at.direction.index();
        let walk = walk(octets, 1);
        if walk.len == 0 {
            return if walk.bad || at.next != Next::Octets {
                Begin::Refuse
            } else {
                Begin::NeedMore
            };
        }
        let head = octets
            .len()
            .min(usize::try_from(walk.len).unwrap_or(usize::MAX));
        let inside = walk.len - head as u64;
        (self.due[d], self.inside[d]) = (walk.due, inside);
        Begin::Message {
            kind,
            head,
            body: if walk.due == 0 {
                Body::Octets(inside)
            } else {
                Body::Parts
            },
            hand_over: false,
        }
    }
}

impl Framer for Resp {
    fn begin(&mut self, at: &Place, octets: &[u8]) -> Begin {
        self.fresh[at.direction.index()] = false;
        // An empty line is an empty command (redis-cli --pipe sends one).
        match octets {
            [b'\r', b'\n', ..] => return Begin::Skip(2),
            [b'\r'] if at.next == Next::Octets => return Begin::NeedMore,
            _ => {}
        }
        self.know_sides(at);
        if self.client.is_none() && at.next == Next::Octets {
            match command(octets) {
                Some(true) => self.client = Some(at.direction),
                Some(false) => {}
                None => return Begin::NeedMore,
            }
        }
        let first = octets.first().copied().unwrap_or(0);
        if first.is_ascii_alphabetic() && self.client != Some(at.direction.flip()) {
            let Some(end) = memchr(b'\n', &octets[..octets.len().min(LINE)]) else {
                let more = is_inline(octets) && octets.len() < LINE;
                return if more { Begin::NeedMore } else { Begin::Refuse };
            };
            if !is_inline(&octets[..end]) {
                return Begin::Refuse;
            }
            self.client = Some(at.direction);
            return Begin::Message {
                kind: Kind::Request,
                head: end + 1,
                body: Body::Octets(0),
                hand_over: false,
            };
        }
        let kind = match self.client {
            _ if first == b'>' => Kind::Other,
            Some(client) if client == at.direction => Kind::Request,
            Some(_) => Kind::Response,
            None => Kind::Other,
        };
        if kind == Kind::Request
            && let Some(start) = at.ack
            && self.starts.back() != Some(&start)
        {
            if self.starts.len() >= STARTS {
                self.starts.pop_front();
            }
            self.starts.push_back(start);
        }
        self.message(at, octets, kind)
    }

    fn part(&mut self, at: &Place, octets: &[u8]) -> Part {
        let d = at.direction.index();
        if self.inside[d] > 0 {
            return Part::Octets(std::mem::take(&mut self.inside[d]));
        }
        let walk = walk(octets, self.due[d]);
        self.due[d] = walk.due;
        match (walk.due, walk.len) {
            (0, len) => Part::Last(len),
            (_, len) if len > 0 => Part::Octets(len),
            _ if walk.bad || at.next != Next::Octets => Part::Refuse,
            _ => Part::NeedMore,
        }
    }

    fn search(&mut self, at: &Place, octets: &[u8]) -> Found {
        self.know_sides(at);
        let d = at.direction.index();
        let more = at.next == Next::Octets;
        let fresh = self.fresh[d];
        if self.client != Some(at.direction.flip()) {
            let found = find_command(octets, more, fresh);
            if self.client.is_some() || matches!(found, Found::At(_)) {
                self.fresh[d] &= matches!(found, Found::Nowhere { keep: 0 });
                return found;
            }
        }
        // The command that is answered here may still be on its way.
        if more && at.wait_for_other().is_some() && octets.len() < HOLD {
            return Found::Nowhere { keep: 0 };
        }
        self.fresh[d] = false;
        let end = at.offset + octets.len() as u64;
        self.starts.retain(|start| *start >= at.offset);
        let start = self
            .starts
            .iter()
            .filter(|start| **start < end)
            .find_map(|start| {
                let i = usize::try_from(start - at.offset).ok()?;
                let sound = octets
                    .get(i..)
                    .is_some_and(|o| matches!(value(o), Value::Sound(..)));
                sound.then_some(i)
            });
        match start {
            _ if fresh && filled(octets) => Found::At(0),
            Some(i) => Found::At(i),
            None => Found::Nowhere { keep: octets.len() },
        }
    }

    fn gap(&mut self, direction: Direction) {
        let d = direction.index();
        self.due[d] = 0;
        self.inside[d] = 0;
        self.fresh[d] = true;
    }
}

/// The words of a command, or the first line of a reply: what is to be shown of it.
pub(super) fn words(octets: &[u8], most: usize) -> Vec<&[u8]> {
    let mut words = Vec::new();
    let mut at = 0;
    while words.len() < most {
        let Some(rest) = octets.get(at..).filter(|rest| !rest.is_empty()) else {
            break;
        };
        let Some(line) = memmem::find(rest, b"\r\n") else {
            break;
        };
        let Value::Sound(len, _) = value(rest) else {
            break;
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if rest[0] == b'$' {
            let end = len.saturating_sub(2).min(rest.len());
            words.push(rest.get(line + 2..end).unwrap_or_default());
        } else if rest[0] != b'*' {
            words.push(&rest[..line]);
        }
        at = at.saturating_add(len);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_walked() {
        for (octets, len, due, bad) in [
            (&b"+OK\r\n"[..], 5, 0, false),
            (b"$3\r\nabc\r\n", 9, 0, false),
            (b"$300\r\nabc", 308, 0, false),
            (b"$-1\r\n", 5, 0, false),
            (b"*2\r\n$1\r\na\r\n:1\r\n", 15, 0, false),
            (b"*2\r\n*1\r\n:1\r\n$1\r\n", 19, 0, false),
            (b"*3\r\n:1\r\n", 8, 2, false),
            (b"%1\r\n+a\r\n:1\r\n", 12, 0, false),
            (b"*2\r\n:1\r\nx", 8, 1, true),
            (b"*2\r", 0, 1, false),
            (b":x\r\n", 0, 1, true),
            (b"$99999999999999999999999\r\n", 0, 1, true),
            (b"*-1\r\n", 5, 0, false),
        ] {
            let walk = walk(octets, 1);
            assert_eq!(
                (walk.len, walk.due, walk.bad),
                (len, due, bad),
                "{}",
                octets.escape_ascii()
            );
        }
    }

    #[test]
    fn commands_are_found() {
        let get = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        for n in 1..13 {
            assert_eq!(command(&get[..n]), None, "{n}");
        }
        assert_eq!(command(get), Some(true));
        assert_eq!(command(b"*2\r\n$3\r\nG T\r\n"), Some(false));
        assert_eq!(command(b"*2\r\n:3\r\n"), Some(false));
        let mut lost = b"lue\r\n".to_vec();
        lost.extend(get);
        assert_eq!(find_command(&lost, true, true), Found::At(5));
        assert_eq!(
            find_command(&lost[..9], true, true),
            Found::Nowhere { keep: 5 }
        );
        assert_eq!(
            find_command(&get[4..], true, true),
            Found::Nowhere {
                keep: get.len() - 6
            }
        );
        assert_eq!(words(get, 9), [b"GET".as_slice(), b"k"]);
    }
}
