//! RESP, the protocol of Redis and Valkey (versions 2 and 3): values, of which some hold others.
//!
//! A value inside another looks like a value of its own. So after a gap a command is found by its form, and a reply only
//! where something outside of it tells that one begins there: a request acknowledged all that stands before it; or the
//! request was lost, and with the first octet of a segment the server acknowledges octets that it had not before; or
//! requests are not answered yet, and whole values, no more than there are such requests, fill the segment.

use super::super::fields::MessageFields;
use super::super::framing::{
    Begin, BodyPart, Detector, Following, Found, Framer, MessageBody, Position, Probe, grown,
};
use super::super::in_order::{Answers, Asks, InOrder, LISTENS};
use super::super::row::ProtocolRow;
use super::super::text::{SHOWN, escape, is_text};
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use memchr::{memchr, memmem};
use std::collections::VecDeque;
use std::fmt::Write as _;

const PORT: u16 = 6379;
/// A line longer than this is none.
// An error or status is one line. Half would do for servers; inline commands of clients may have 64
// KiB (PROTO_INLINE_MAX_SIZE).
const LINE: usize = 64 << 10;
/// Digits of a length, with a sign.
// A 64-bit number has no more, so that a line of a length ends before it costs anything.
const DIGITS: usize = 20;
/// Requests that wait for their reply; the oldest is forgotten.
// As for HTTP: pipelines send thousands at once, but replies keep pace. A forgotten request only
// weakens the search after a loss.
const REQUESTS: usize = 1024;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "resp",
    aliases: &["redis", "valkey"],
    about: "RESP: Redis, Valkey",
    ports: &[PORT],
    summary: Some(summary),
    in_order: Some(&IN_ORDER),
    one_answer: true,
    fields: Some(fields),
    field_names: &["command", "key", "error"],
    ..ProtocolRow::NONE
};

/// A reply for each command, but where a client asks for none. One that takes part in what others publish is told of each channel for
/// itself, and among the replies stands what was published (version 2), or pushes (version 3).
static IN_ORDER: InOrder = InOrder {
    waits: false,
    last: |_| false,
    asks: |m| {
        let words = command_words(m, 3);
        let is = |n: usize, word: &[u8]| {
            let there: Option<&&[u8]> = words.get(n);
            there.is_some_and(|there| there.eq_ignore_ascii_case(word))
        };
        if let Some(place) = CHANNELS.iter().position(|word| is(0, word)) {
            let channels = match value(m) {
                Value::Sound(_, words) => words.saturating_sub(1),
                // As a line.
                _ => command_words(m, usize::from(u16::MAX)).len() as u64 - 1,
            };
            let number = place as u64 + 1;
            return match u16::try_from(channels).unwrap_or(u16::MAX) {
                // Of all that there are.
                0 => Asks::Listens(number | ALL_CHANNELS, 1),
                channels => Asks::Listens(number, channels),
            };
        }
        match () {
            () if is(0, b"MONITOR") => Asks::Listens(0, 1),
            // What is written from then on.
            () if is(0, b"PSYNC") || is(0, b"SYNC") => Asks::Last(0),
            () if !(is(0, b"CLIENT") && is(1, b"REPLY")) => Asks::Answer(0),
            () if is(2, b"OFF") => Asks::Mutes,
            () if is(2, b"SKIP") => Asks::MutesNext,
            () => Asks::SpeaksUp(0),
        }
    },
    answers: |asked, m| {
        let number = asked & !LISTENS;
        let words = words(m.get(..64).unwrap_or(m), 2);
        // A push has its head among the words.
        let first = words.get(usize::from(m.first() == Some(&b'>')));
        let channel = CHANNELS.iter().position(|word| {
            matches!(m.first(), Some(b'*' | b'>'))
                && first.is_some_and(|first| first.eq_ignore_ascii_case(word))
        });
        let ours = channel.is_some_and(|place| place as u64 + 1 == number & !ALL_CHANNELS);
        let published = m.first() == Some(&b'>') || asked & LISTENS != 0 && unasked(m);
        match number {
            0 if published || (channel.is_some() && asked & LISTENS != 0) => Answers::Nothing,
            0 => Answers::Ends,
            _ if ours && number & ALL_CHANNELS != 0 => Answers::Part,
            _ if ours => Answers::Ends,
            _ if published => Answers::Nothing,
            _ if matches!(m.first(), Some(b'-' | b'!')) => Answers::Fails,
            // How many there were is known once something else follows.
            _ if number & ALL_CHANNELS != 0 => Answers::Skips,
            _ => Answers::Nothing,
        }
    },
};

/// Commands that are answered for each channel, by their own name.
const CHANNELS: [&[u8]; 6] = [
    b"SUBSCRIBE",
    b"PSUBSCRIBE",
    b"SSUBSCRIBE",
    b"UNSUBSCRIBE",
    b"PUNSUBSCRIBE",
    b"SUNSUBSCRIBE",
];
/// Set in the number of one that names no channel.
const ALL_CHANNELS: u64 = 16;

/// Recognises RESP.
pub(crate) struct RespDetector;

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
    // A type that is not known is no RESP: 15 first octets of 256 pass, which is why a reply alone
    // proves little.
    let counted = matches!(kind, b'$' | b'*' | b'%' | b'~' | b'>' | b'|' | b'!' | b'=');
    if !counted && !matches!(kind, b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(') {
        return Value::Bad;
    }
    // A length ends within twenty octets; waiting longer for its line would hold other protocols.
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
    // RESP has CR LF only; a bare LF is met in text.
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
    // The null of version 2: no octets follow.
    if line == b"-1" && matches!(kind, b'$' | b'*') {
        return Value::Sound(head, 0);
    }
    let number = line.iter().try_fold(0u64, |n, d| {
        let digit = d.is_ascii_digit().then(|| u64::from(d - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    });
    // Over a terabyte is no length, and the sums below must not overflow.
    match (kind, number.filter(|n| !line.is_empty() && *n < 1 << 40)) {
        (_, None) => Value::Bad,
        (b'$' | b'!' | b'=', Some(n)) => Value::Sound(head + n + 2, 0),
        // A map has two values for each entry.
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
    // Iterative: nesting is only a number of values that are due, so a reply of a million nested
    // arrays takes no stack.
    while walk.due > 0 {
        let rest = usize::try_from(walk.len)
            .ok()
            .and_then(|at| octets.get(at..));
        match rest.map(value) {
            Some(Value::Sound(len, more)) => {
                // A length may reach past what is there; the walk stops then, and goes on from
                // `inside`.
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
    // Redis up to version 6 takes at most 1,048,576 arguments in a multibulk request.
    if !(1..1 << 20).contains(&count) {
        return Some(false);
    }
    let inner = usize::try_from(head)
        .ok()
        .and_then(|head| octets.get(head..))
        .unwrap_or_default();
    // Clients send commands as bulk strings only, which distinguishes them from replies.
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
    // Command names are short words; without this, an array of binary strings would be one.
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
    // The end of the word has to be where its length says: by chance it hardly is.
    word.get(word_len..word_len + 2).map(|end| end == b"\r\n")
}

/// Where a command begins, at the start of the octets or behind a line end.
fn find_command(octets: &[u8], more: bool, first: bool) -> Found {
    let mut from = 0;
    while let Some(hit) = memchr(b'*', &octets[from..]) {
        let at = from + hit;
        from = at + 1;
        // In the middle of a line a star is content.
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

/// How many whole values fill the octets; None where none do.
fn filled(octets: &[u8]) -> Option<usize> {
    let (mut rest, mut count) = (octets, 0);
    while !rest.is_empty() {
        let walk = walk(rest, 1);
        if walk.bad || walk.due > 0 {
            return None;
        }
        rest = rest.get(usize::try_from(walk.len).ok()?..)?;
        count += 1;
    }
    (count > 0).then_some(count)
}

/// What a server sends without being asked begins here: a push, or what a subscriber or a monitor is sent.
// Such values need no request, so they may stand anywhere between replies.
fn unasked(octets: &[u8]) -> bool {
    if octets.first() == Some(&b'>') {
        return matches!(value(octets), Value::Sound(..));
    }
    if let Some(line) = octets.strip_prefix(b"+") {
        // The time, then the database and the client.
        let digits = line.iter().take_while(|o| o.is_ascii_digit()).count();
        // `+1700000000.123456 [0 127.0.0.1:50000]` is what MONITOR sends.
        return digits > 8
            && line.get(digits) == Some(&b'.')
            && memmem::find(line, b" [").is_some();
    }
    let words = words(&octets[..octets.len().min(64)], 1);
    octets.first() == Some(&b'*')
        && matches!(
            words.first(),
            Some(&(b"message" | b"pmessage" | b"smessage"))
        )
}

impl Detector for RespDetector {
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        // A command proves the protocol by itself.
        match command(octets) {
            Some(true) => return Probe::Yes,
            None => return Probe::More,
            Some(false) => {}
        }
        // A lone `+OK` or `:1` is met in too many protocols.
        if !hinted {
            return Probe::No;
        }
        match value(octets) {
            Value::Sound(..) => Probe::Yes,
            Value::More => Probe::More,
            // An inline command is only believed on the port.
            Value::Bad => match memchr(b'\n', &octets[..octets.len().min(256)]) {
                Some(end) if is_inline(&octets[..end]) => Probe::Yes,
                None if octets.len() < 256 && is_inline(octets) => Probe::More,
                _ => Probe::No,
            },
        }
    }

    fn search(&self, octets: &[u8], hinted: bool, more: bool) -> Found {
        // Values that fill the octets exactly begin where these begin. Less than four octets prove
        // nothing.
        if hinted && octets.len() >= 4 && filled(octets).is_some() {
            return Found::At(0);
        }
        find_command(octets, more, true)
    }
}

/// Where the string ends that these octets begin with, if that is not too far to be waited for.
fn string_end(octets: &[u8]) -> Option<usize> {
    let line = &octets[..memchr(b'\n', &octets[..octets.len().min(16)])?];
    let digits = line.strip_prefix(b"$")?.strip_suffix(b"\r")?;
    let len: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (len <= LONG).then_some(line.len() + 1 + len + 2)
}

/// A command as a line of words.
fn is_inline(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.first().is_some_and(u8::is_ascii_alphabetic)
        && line.iter().all(|o| (b' '..0x7f).contains(o) || *o == b'\t')
}

/// Frames one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Resp {
    /// The direction that commands come from.
    client: Option<Direction>,
    /// Values that the open message of each direction still has.
    due: [u64; 2],
    /// Octets of the last of its values that are still to come.
    inside: [u64; 2],
    /// Each direction lacks octets right before what comes next.
    fresh: [bool; 2],
    /// Requests that are not answered yet.
    requests: VecDeque<UnansweredRequest>,
    /// Requests may be missing: the first of those that are known behind them begins here, if there is one.
    lost: Option<Option<u64>>,
    /// What the server has acknowledged last.
    acknowledged: Option<u64>,
    /// What a server that is replicated sends.
    replication: Replication,
}

/// How far a server is with what it sends to a replica: a snapshot, then the commands that change it, as clients sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Replication {
    /// Nothing of it.
    #[default]
    None,
    /// The snapshot is next.
    Snapshot,
    /// In a snapshot up to this mark, which the server made up.
    Mark(Vec<u8>),
    /// The commands.
    Commands,
}

/// Octets of a reply behind a hole whose end is waited for, at most.
// As many as may wait for a chain of headers.
const LONG: usize = 256 << 10;

/// Octets of the mark at the end of a snapshot whose length the server does not know when it begins.
const MARK: usize = 40;

/// A request that is not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnansweredRequest {
    offset: u64,
    /// What it acknowledged: where its reply begins, unless it was sent ahead.
    ack: Option<u64>,
}

/// A request for a snapshot that is answered without a line before it.
fn is_sync(octets: &[u8]) -> bool {
    let words = words(&octets[..octets.len().min(64)], 1);
    let inline = octets
        .strip_suffix(b"\n")
        .unwrap_or(octets)
        .trim_ascii_end();
    words
        .first()
        .is_some_and(|word| word.eq_ignore_ascii_case(b"SYNC"))
        || inline.eq_ignore_ascii_case(b"SYNC")
}

impl Resp {
    /// The snapshot that a replica is sent: a length, and so many octets without a line end behind them; or a mark, and octets
    /// up to where it stands again.
    fn snapshot(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let more = at.next == Following::Octets;
        let Some(end) = memchr(b'\n', &octets[..octets.len().min(64)]) else {
            let short = octets.len() < 64;
            return if short && more {
                Begin::NeedMore
            } else {
                Begin::Refuse
            };
        };
        let line = octets[..end].strip_suffix(b"\r").unwrap_or(&octets[..end]);
        let message = |head: usize, body| Begin::Message {
            kind: Kind::Response,
            head,
            body,
            hand_over: false,
        };
        if let Some(mark) = line
            .strip_prefix(b"$EOF:")
            .filter(|mark| mark.len() == MARK)
        {
            self.replication = Replication::Mark(mark.to_vec());
            return message(end + 1, MessageBody::Parts);
        }
        self.replication = Replication::Commands;
        let digits = line.strip_prefix(b"$").unwrap_or_default();
        let number = digits.iter().try_fold(0u64, |n, d| {
            let digit = d.is_ascii_digit().then(|| u64::from(d - b'0'))?;
            n.checked_mul(10)?.checked_add(digit)
        });
        let Some(len) = number.filter(|n| !digits.is_empty() && *n < 1 << 60) else {
            return Begin::Refuse;
        };
        // What is there of it belongs to the head, which its summary is made of.
        let there = (octets.len() - end - 1) as u64;
        let inside = usize::try_from(len.min(there)).unwrap_or(0);
        message(end + 1 + inside, MessageBody::Octets(len - inside as u64))
    }

    /// A request begins.
    fn asked(&mut self, at: &Position) {
        // The oldest has had its reply, most likely, in what the capture lost. If not, its reply is that of a request which is
        // not known.
        if self.requests.len() >= REQUESTS {
            self.requests.pop_front();
            self.lost = self.requests.front().map(|first| Some(first.offset));
        }
        let (offset, ack) = (at.offset, at.ack);
        self.requests.push_back(UnansweredRequest { offset, ack });
        // What is known behind the loss begins here: a request before it may have been lost.
        if self.lost == Some(None) {
            self.lost = Some(Some(offset));
        }
    }

    /// A reply begins: it answers the request that acknowledged its start, else the oldest that the server has seen.
    fn answered(&mut self, at: &Position) {
        let seen = |r: &UnansweredRequest| at.ack.is_none_or(|ack| r.offset < ack);
        let exact = self
            .requests
            .iter()
            .position(|r| seen(r) && r.ack == Some(at.offset));
        if let Some(i) = exact {
            let known_from = self.requests[i].offset;
            // Those before it have been answered already; their replies were lost or came before.
            self.requests.drain(..=i);
            // It was sent behind the loss, and all before it is settled: nothing lost is waiting
            // any more.
            if self.lost.flatten().is_some_and(|from| from <= known_from) {
                self.lost = None;
            }
        } else if self.requests.front().is_some_and(seen) {
            self.requests.pop_front();
        }
        self.acknowledged = at.ack;
    }

    /// Where a reply begins in what a segment of the server brings.
    fn find_reply(&self, at: &Position, octets: &[u8], fresh: bool) -> Option<usize> {
        // Of requests that carry the same acknowledgment, the reply to the first begins there.
        // Replies to requests with the same acknowledgment follow each other: how many stand
        // between is `ahead`.
        let (mut ahead, mut start, mut before) = (0, None, None);
        for r in &self.requests {
            // The server had not seen this one when it answered.
            if at.ack.is_some_and(|ack| r.offset >= ack) {
                break;
            }
            let Some(ack) = r.ack else { continue };
            if before == Some(ack) {
                ahead += usize::from(ack < at.offset);
            } else if let Some(place) = ack.checked_sub(at.offset) {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                let there = octets.get(place..).is_some_and(|rest| !rest.is_empty());
                // A value that cannot be there means that the acknowledgment was of something else.
                if there && !matches!(octets.get(place..).map(value), Some(Value::Bad)) {
                    start = Some(place);
                    break;
                }
            }
            before = Some(ack);
        }
        // What fills the segment from its start counts only if its start is known.
        if start == Some(0) || !at.segment(0) {
            return start;
        }
        let until = &octets[..start.unwrap_or(octets.len())];
        let whole = filled(until);
        // A write of the server ends before, and one ends behind, as far as that can be seen.
        let parted = if fresh { at.push } else { at.pushed };
        let answers_lost = || {
            let simple = |octets: &[u8]| {
                let mut lines = octets.split_inclusive(|o| *o == b'\n');
                lines.all(|line| b"+-:".contains(&line[0]))
            };
            let sound = match whole {
                Some(values) => !fresh || values == 1 || simple(until),
                None => !fresh && start.is_none() && !walk(octets, 1).bad,
            };
            // Three signs together: a request was lost, the server now acknowledges more than
            // before, and the segment stands alone between two writes.
            self.may_miss_requests(at) && self.acknowledged != at.ack && parted && sound
        };
        let answers_ahead = || whole.is_some_and(|values| values <= ahead);
        // Each by itself is enough; a value inside of another shows none of them.
        if unasked(octets) || answers_lost() || answers_ahead() {
            return Some(0);
        }
        start
    }

    /// Requests that were answered here may be missing.
    fn may_miss_requests(&self, at: &Position) -> bool {
        // Where the server alone is captured all requests are lost. One that is still waited for may be the one that was answered.
        let unheard = || at.ack.is_some_and(|ack| at.other.delivered < ack);
        self.lost.is_some() || !at.other.seen || unheard()
    }

    /// The port tells which side asks, where nothing else has.
    fn know_sides(&mut self, at: &Position) {
        // Exactly one of the ports is Redis': then that side is the server.
        if self.client.is_none() && (at.ports.0 == PORT) != (at.ports.1 == PORT) {
            self.client = Some(if at.ports.1 == PORT {
                at.direction
            } else {
                at.direction.flip()
            });
        }
    }

    fn message(&mut self, at: &Position, octets: &[u8], kind: Kind) -> Begin {
        let d = at.direction.index();
        let walk = walk(octets, 1);
        if walk.len == 0 {
            return if walk.bad || at.next != Following::Octets {
                Begin::Refuse
            } else {
                Begin::NeedMore
            };
        }
        let head = octets
            .len()
            .min(usize::try_from(walk.len).unwrap_or(usize::MAX));
        let inside = walk.len - head as u64;
        // Where the walk stopped is noted, so that no value is read twice.
        (self.due[d], self.inside[d]) = (walk.due, inside);
        Begin::Message {
            kind,
            head,
            body: if walk.due == 0 {
                MessageBody::Octets(inside)
            } else {
                MessageBody::Parts
            },
            hand_over: false,
        }
    }
}

impl Framer for Resp {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        self.fresh[at.direction.index()] = false;
        // An empty line is an empty command (redis-cli --pipe sends one).
        match octets {
            [b'\r', b'\n', ..] => return Begin::Skip(2),
            [b'\r'] if at.next == Following::Octets => return Begin::NeedMore,
            // A replica that loads a snapshot keeps its connection open so.
            [b'\n', ..] => return Begin::Skip(1),
            _ => {}
        }
        self.know_sides(at);
        let from_server = self.client == Some(at.direction.flip());
        if from_server && self.replication == Replication::Snapshot && octets.first() == Some(&b'$')
        {
            return self.snapshot(at, octets);
        }
        if self.client.is_none() && at.next == Following::Octets {
            match command(octets) {
                Some(true) => self.client = Some(at.direction),
                Some(false) => {}
                None => return Begin::NeedMore,
            }
        }
        let first = octets.first().copied().unwrap_or(0);
        // A letter begins an inline command, and no reply.
        if first.is_ascii_alphabetic() && self.client != Some(at.direction.flip()) {
            let Some(end) = memchr(b'\n', &octets[..octets.len().min(LINE)]) else {
                let more = is_inline(octets) && octets.len() < LINE;
                return if more { Begin::NeedMore } else { Begin::Refuse };
            };
            if !is_inline(&octets[..end]) {
                return Begin::Refuse;
            }
            self.client = Some(at.direction);
            self.asked(at);
            if is_sync(&octets[..end]) {
                self.replication = Replication::Snapshot;
            }
            return Begin::Message {
                kind: Kind::Request,
                head: end + 1,
                body: MessageBody::Octets(0),
                hand_over: false,
            };
        }
        let kind = match self.client {
            // A push belongs to no request.
            _ if first == b'>' => Kind::Other,
            // Nobody asked for it, and nobody answers it.
            Some(_)
                if from_server && first == b'*' && self.replication == Replication::Commands =>
            {
                Kind::Other
            }
            Some(client) if client == at.direction => Kind::Request,
            Some(_) => Kind::Response,
            None => Kind::Other,
        };
        let message = self.message(at, octets, kind);
        if matches!(message, Begin::Message { .. }) {
            match kind {
                Kind::Request => self.asked(at),
                Kind::Response => self.answered(at),
                Kind::Other => {}
            }
            if from_server && octets.starts_with(b"+FULLRESYNC") {
                self.replication = Replication::Snapshot;
            } else if from_server && octets.starts_with(b"+CONTINUE") {
                self.replication = Replication::Commands;
            } else if kind == Kind::Request && is_sync(octets) {
                self.replication = Replication::Snapshot;
            }
        }
        message
    }

    fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let d = at.direction.index();
        // What is left of a bulk string first, then the values that are due.
        if self.inside[d] > 0 {
            return BodyPart::Octets(std::mem::take(&mut self.inside[d]));
        }
        if let Replication::Mark(mark) = &self.replication
            && self.client == Some(at.direction.flip())
        {
            if let Some(place) = memmem::find(octets, mark) {
                self.replication = Replication::Commands;
                return BodyPart::Last((place + MARK) as u64);
            }
            // The mark may begin at the end of what is there.
            let begun = (1..MARK).rev().find(|n| octets.ends_with(&mark[..*n]));
            return match octets.len() - begun.unwrap_or(0) {
                0 if at.next == Following::Octets => BodyPart::NeedMore,
                0 => BodyPart::Refuse,
                keep => BodyPart::Octets(keep as u64),
            };
        }
        let walk = walk(octets, self.due[d]);
        self.due[d] = walk.due;
        match (walk.due, walk.len) {
            (0, len) => BodyPart::Last(len),
            (_, len) if len > 0 => BodyPart::Octets(len),
            _ if walk.bad || at.next != Following::Octets => BodyPart::Refuse,
            _ => BodyPart::NeedMore,
        }
    }

    fn search_waits(&mut self, at: &Position) -> Option<u64> {
        self.know_sides(at);
        // The command that is answered here may still be on its way.
        let server = self.client == Some(at.direction.flip()) && at.next == Following::Octets;
        server.then(|| at.wait_for_other()).flatten()
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let d = at.direction.index();
        let more = at.next == Following::Octets;
        let fresh = self.fresh[d];
        let commands = self.replication == Replication::Commands;
        if commands || self.client != Some(at.direction.flip()) {
            let found = find_command(octets, more, fresh);
            if self.client.is_some() || matches!(found, Found::At(_)) {
                self.fresh[d] &= matches!(found, Found::Nowhere { keep: 0 });
                return found;
            }
        }
        let long = string_end(octets).is_some_and(|end| end > octets.len());
        if fresh && long && more && !at.late && at.segment(0) && self.may_miss_requests(at) {
            // A reply that fills several segments is known by its end.
            return Found::Nowhere { keep: 0 };
        }
        self.fresh[d] = false;
        let found = self.find_reply(at, octets, fresh);
        // Noted even if nothing was found: the next segment is compared with it.
        self.acknowledged = at.ack;
        match found {
            Some(place) => Found::At(place),
            None => Found::Nowhere { keep: octets.len() },
        }
    }

    fn needs(&self, octets: &[u8]) -> usize {
        let end = string_end(octets).filter(|end| *end > octets.len());
        end.unwrap_or_else(|| grown(octets.len()))
    }

    fn gap(&mut self, direction: Direction) {
        let d = direction.index();
        self.due[d] = 0;
        self.inside[d] = 0;
        self.fresh[d] = true;
        if self.client == Some(direction.flip()) && self.replication != Replication::None {
            // The snapshot's beginning is lost, or its end.
            self.replication = Replication::Commands;
        }
        if self.client != Some(direction.flip()) {
            self.lost = Some(None);
        }
    }

    /// The end of a snapshot is known by its mark.
    fn goes_on_behind_gap(&mut self, direction: Direction, _: u64) -> bool {
        let server = self.client == Some(direction.flip());
        server && matches!(self.replication, Replication::Mark(_))
    }

    fn size(&self) -> usize {
        let requests = self.requests.capacity() * size_of::<UnansweredRequest>();
        let mark = match &self.replication {
            Replication::Mark(mark) => mark.capacity(),
            _ => 0,
        };
        allocated(size_of::<Self>()) + allocated(requests) + allocated(mark)
    }
}

/// Octets of a word that is no text which are shown.
const HEX: usize = 16;

/// The words of a command, or a reply.
fn summary(_: Transport, head: &[u8], out: &mut String) -> bool {
    let words = words(head, 12);
    let from = out.len();
    if head.first() == Some(&b'*') && words.first().is_some_and(|w| w.len() > 32) {
        return false;
    }
    for word in &words {
        if out.len() - from > SHOWN {
            out.push_str(" ...");
            break;
        }
        if out.len() > from {
            out.push(' ');
        }
        match *word {
            // Words that are hardly seen otherwise: there is none (-1), and an empty one.
            b"$-1" | b"*-1" | b"_" => out.push_str("(nil)"),
            b"" => out.push_str("\"\""),
            word if is_text(word) => escape(word.get(..SHOWN).unwrap_or(word), out),
            // Letters among escapes say less than its digits.
            word => {
                out.push_str("0x");
                for octet in word.iter().take(HEX) {
                    let _ = write!(out, "{octet:02x}");
                }
                if word.len() > HEX {
                    out.push_str("...");
                }
            }
        }
    }
    !words.is_empty()
}

/// The words of a command, or the first line of a reply: what is to be shown of it.
fn words(octets: &[u8], most: usize) -> Vec<&[u8]> {
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
        if rest[0] == b'$' && rest.get(1) != Some(&b'-') {
            let end = len.saturating_sub(2).min(rest.len());
            words.push(rest.get(line + 2..end).unwrap_or_default());
        } else if rest[0] != b'*' || rest.get(1) == Some(&b'-') {
            words.push(&rest[..line]);
        }
        at = at.saturating_add(len);
    }
    words
}

/// What of a message has a name: the command in capital letters and its first argument, or an error.
fn fields(_: Transport, kind: Kind, m: &[u8], to: &mut MessageFields) {
    if kind == Kind::Request {
        let words = command_words(m, 2);
        if let Some(command) = words.first() {
            to.write("command", |out| {
                out.push_str(&String::from_utf8_lossy(command).to_ascii_uppercase());
            });
        }
        to.text_if("key", words.get(1).copied());
    } else if let Some(error) = m.strip_prefix(b"-") {
        to.text_if("error", error.split(|c| *c == b'\r').next());
    }
}

/// The first words of a command, as an array or as a line.
fn command_words(m: &[u8], most: usize) -> Vec<&[u8]> {
    if m.starts_with(b"*") {
        return words(m, most);
    }
    let line = m.split(|c| matches!(c, b'\r' | b'\n')).next();
    let words = line.unwrap_or_default().split(|c| *c == b' ');
    words.filter(|word| !word.is_empty()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::stream::Side;

    #[test]
    fn summaries_say_what_is_not_there() {
        for (octets, expected) in [
            (&b"$-1\r\n"[..], "(nil)"),
            (b"*-1\r\n", "(nil)"),
            (b"_\r\n", "(nil)"),
            (b"$0\r\n\r\n", "\"\""),
            (b"*3\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n", "a (nil) b"),
            (b"+OK\r\n", "+OK"),
        ] {
            let mut out = String::new();
            assert!(summary(Transport::Tcp, octets, &mut out));
            assert_eq!(out, expected);
        }
    }

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

    const C: Direction = Direction::Forward;
    const S: Direction = Direction::Reverse;

    /// A place where a segment begins and the octets before it ended with PSH, as these do.
    fn place(direction: Direction, segments: &[u64], ack: u64) -> Position<'_> {
        let ports = if direction == C {
            (50_000, PORT)
        } else {
            (PORT, 50_000)
        };
        Position {
            direction,
            ports,
            segments,
            pushed: true,
            push: true,
            offset: segments[0],
            ack: Some(ack),
            time: crate::base::time::Timestamp::default(),
            other: Side {
                seen: true,
                delivered: u64::MAX,
                ..Side::default()
            },
            next: Following::Octets,
            limit: 1 << 16,
            late: false,
            parts: &[],
            split: 0,
        }
    }

    const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    const NONE: fn(&[u8]) -> Found = |octets| Found::Nowhere { keep: octets.len() };

    fn ask(resp: &mut Resp, offset: u64, ack: u64) {
        let begin = resp.begin(&place(C, &[offset], ack), GET);
        assert!(matches!(begin, Begin::Message { .. }));
    }

    #[test]
    fn the_answer_to_a_lost_request_begins_where_more_is_acknowledged() {
        let mut resp = Resp::default();
        ask(&mut resp, 100, 500);
        resp.gap(S); // in the answer to it
        assert_eq!(
            resp.search(&place(S, &[600], 120), b"rest\r\n"),
            NONE(b"rest\r\n")
        );
        // The next request is lost.
        resp.gap(C);
        let answer = b":6\r\n";
        // Nothing new is acknowledged: it is part of the same answer.
        assert_eq!(resp.search(&place(S, &[606], 120), answer), NONE(answer));
        // A write of the server goes on.
        let on = Position {
            pushed: false,
            ..place(S, &[610], 140)
        };
        assert_eq!(resp.clone().search(&on, answer), NONE(answer));
        assert_eq!(resp.search(&place(S, &[610], 140), answer), Found::At(0));
    }

    /// Nobody knows that its request was there, so its answer is that of a lost one.
    /// Between two holes nothing is waited for: the request that was answered may still wait itself.
    #[test]
    fn the_answer_to_a_request_that_is_not_there_yet_is_found() {
        let mut resp = Resp::default();
        ask(&mut resp, 100, 500);
        resp.gap(S);
        let answer = b"$3\r\nabc\r\n";
        let heard = |delivered| Position {
            next: Following::Gap,
            other: Side {
                seen: true,
                delivered,
                ..Side::default()
            },
            ..place(S, &[600], 140)
        };
        assert_eq!(
            resp.clone().search(&heard(140), answer),
            NONE(answer),
            "no request is missing"
        );
        assert_eq!(resp.search(&heard(120), answer), Found::At(0));
    }

    #[test]
    fn the_answer_to_a_forgotten_request_is_found() {
        for (requests, found) in [(REQUESTS, NONE(b":6\r\n")), (REQUESTS + 1, Found::At(0))] {
            let mut resp = Resp::default();
            // None of them tells by its acknowledgment where an answer begins.
            for i in 0..requests as u64 {
                ask(&mut resp, 100 + 20 * i, 400 + i);
            }
            resp.gap(S);
            assert_eq!(
                resp.search(&place(S, &[9000], 120), b"rest\r\n"),
                NONE(b"rest\r\n")
            );
            let answer = b":6\r\n";
            assert_eq!(resp.search(&place(S, &[9006], 90_000), answer), found);
        }
    }

    /// A value in an answer and an answer are the same octets: what was asked tells them apart.
    #[test]
    fn values_inside_an_answer_are_no_answers() {
        let inside = b"$3\r\none\r\n$3\r\ntwo\r\n";
        let mut resp = Resp::default();
        ask(&mut resp, 100, 500);
        resp.gap(S);
        assert_eq!(resp.search(&place(S, &[600], 120), inside), NONE(inside));
        // Of two requests that were sent at once, the answer to the second may begin here; but there is only one.
        for (octets, found) in [(&inside[..], NONE(inside)), (&inside[..9], Found::At(0))] {
            let mut resp = Resp::default();
            ask(&mut resp, 100, 500);
            ask(&mut resp, 120, 500);
            resp.gap(S);
            assert_eq!(resp.search(&place(S, &[600], 140), octets), found);
        }
    }

    /// A snapshot has no line end behind it; then come commands, which nobody answers.
    #[test]
    fn a_replica_is_sent_a_snapshot_and_commands() {
        let mark = "0123456789abcdef0123456789abcdef01234567";
        let long = format!("$EOF:{mark}\r\n");
        for (asks, answer, snapshot, body) in [
            (
                &b"PSYNC ? -1\r\n"[..],
                &b"+FULLRESYNC a 0\r\n"[..],
                "$9\r\n",
                MessageBody::Octets(9),
            ),
            (
                b"*1\r\n$4\r\nSYNC\r\n",
                b"",
                "$9\r\n",
                MessageBody::Octets(9),
            ),
            (b"SYNC\r\n", b"", &long, MessageBody::Parts),
        ] {
            let mut resp = Resp::default();
            resp.begin(&place(C, &[100], 500), asks);
            if !answer.is_empty() {
                resp.begin(&place(S, &[500], 200), answer);
            }
            assert_eq!(resp.begin(&place(S, &[520], 200), b"\n"), Begin::Skip(1));
            let at = place(S, &[521], 200);
            for cut in 1..snapshot.len() {
                let begin = resp.clone().begin(&at, &snapshot.as_bytes()[..cut]);
                assert_eq!(begin, Begin::NeedMore, "{snapshot:?} cut at {cut}");
            }
            let all = format!("{snapshot}REDIS0011");
            let Begin::Message {
                head, body: found, ..
            } = resp.begin(&at, all.as_bytes())
            else {
                panic!("{snapshot:?}");
            };
            match found {
                MessageBody::Octets(left) => assert_eq!((head, left), (all.len(), 0)),
                _ => assert_eq!((head, found), (snapshot.len(), body)),
            }
            if body == MessageBody::Parts {
                // A hole is none of its end; the mark is found however it is cut.
                assert!(resp.goes_on_behind_gap(S, 1));
                let octets = format!("REDIS{}{mark}", &mark[..20]);
                for cut in 1..octets.len() {
                    let mut resp = resp.clone();
                    let BodyPart::Octets(n) = resp.part(&at, &octets.as_bytes()[..cut]) else {
                        panic!("{cut}");
                    };
                    let n = usize::try_from(n).unwrap();
                    let last = BodyPart::Last((octets.len() - n) as u64);
                    assert_eq!(resp.part(&at, &octets.as_bytes()[n..]), last, "{cut}");
                }
                resp.part(&at, octets.as_bytes());
            }
            let command = resp.begin(&place(S, &[600], 200), GET);
            assert!(matches!(
                command,
                Begin::Message {
                    kind: Kind::Other,
                    ..
                }
            ));
        }
    }

    #[test]
    fn what_nobody_asked_for_is_found() {
        for (octets, found) in [
            (&b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"[..], true),
            (b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", true),
            (b"+1700000000.123 [0 127.0.0.1:4] \"get\" \"k\"\r\n", true),
            (b"*3\r\n$3\r\none\r\n:1\r\n:2\r\n", false),
        ] {
            let mut resp = Resp::default();
            ask(&mut resp, 100, 500);
            resp.gap(S);
            let found = if found { Found::At(0) } else { NONE(octets) };
            assert_eq!(resp.search(&place(S, &[600], 120), octets), found);
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
