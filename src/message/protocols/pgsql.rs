//! PostgreSQL, protocol 3: messages with a type and a length, before them those of the start-up, which have no type.

use super::super::chains::{self, BothHabits};
use super::super::fields::MessageFields;
use super::super::framing::{
    Begin, Detector, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::super::in_order::{Answers, Asks, InOrder};
use super::super::length::{self, CHAIN, Classified, LengthFormat, Scan, number, octet};
use super::super::row::ProtocolRow;
use super::super::text::{SHOWN, escape, named_number};
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::ORIGIN;
use std::fmt::Write as _;

const PORT: u16 = 5432;
// Rows and COPY data are large; three messages of 64 KiB fit. Half would give chains of wide rows
// up.
const HOLD: usize = 256 << 10;
/// Columns of a row that are looked at where one is searched for.
// A server has 1,664 at most; each place that looks like a row is walked along.
const FIELDS: u64 = 64;
// Codes with 1234 in the upper half, which no version of the protocol will be (PostgreSQL, 55.7).
const SSL_REQUEST: u64 = 80_877_103;
const GSS_REQUEST: u64 = 80_877_104;
const CANCEL_REQUEST: u64 = 80_877_102;

/// Its row.
pub(super) static PROTOCOL: ProtocolRow = ProtocolRow {
    name: "pgsql",
    alpn: &["postgresql"],
    aliases: &["postgres", "postgresql"],
    about: "PostgreSQL, protocol 3",
    ports: &[PORT],
    summary: Some(summary),
    in_order: Some(&IN_ORDER),
    one_answer: true,
    fields: Some(fields),
    field_names: &["type", "query", "error"],
    ..ProtocolRow::NONE
};

/// What the server sends for each message of a client (PostgreSQL, 55.2). Behind an error it passes over all up to the next Sync, so
/// where it is ready again, what was not answered will not be.
static IN_ORDER: InOrder = InOrder {
    waits: false,
    last: |_| false,
    asks: |m| match octet(m, 0) {
        0 if number(m, 4, 4) == CANCEL_REQUEST => Asks::Nothing,
        0 if matches!(number(m, 4, 4), SSL_REQUEST | GSS_REQUEST) => Asks::Answer(0),
        // The start-up is answered as a password is.
        0 => Asks::Answer(b'p'.into()),
        // What is copied, and the end of the connection.
        b'd' | b'c' | b'f' | b'H' | b'X' => Asks::Nothing,
        kind => Asks::Answer(kind.into()),
    },
    answers: |asked, m| match (u8::try_from(asked).unwrap_or(0), octet(m, 0)) {
        (0, _) | (b'p', b'R' | b'E') | (b'Q' | b'F' | b'S', b'Z') => Answers::Ends,
        (b'Q' | b'F', _) => Answers::Part,
        (b'P' | b'B' | b'D' | b'E' | b'C', b'E')
        | (b'P', b'1')
        | (b'B', b'2')
        | (b'C', b'3')
        | (b'D', b'T' | b'n')
        | (b'E', b'C' | b'I' | b's') => Answers::Ends,
        (b'D', b't') | (b'E', b'D' | b'G' | b'H' | b'W' | b'd' | b'c') => Answers::Part,
        (b'P' | b'B' | b'D' | b'E' | b'C', b'Z') => Answers::Skips,
        _ => Answers::Nothing,
    },
};

/// Which side sends a message of this type, where only one does; where both do, by what stands in it.
fn is_clients(m: &[u8]) -> Option<bool> {
    match octet(m, 0) {
        0 | b'Q' | b'P' | b'B' | b'F' | b'f' | b'p' | b'X' => Some(true),
        b'R' | b'K' | b'Z' | b'T' | b'1' | b'2' | b'3' | b'n' | b'N' | b't' | b'G' | b'W'
        | b'A' | b'V' | b'v' | b'I' | b's' => Some(false),
        // Sync and ParameterStatus; Flush and CopyOutResponse.
        b'S' | b'H' => Some(number(m, 1, 4) == 4),
        b'D' => Some(matches!(octet(m, 5), b'S' | b'P') && m.last() == Some(&0)),
        _ => None,
    }
}

/// What a typed message is, that the client sends or the server.
fn kind(m: &[u8], by_client: bool) -> Kind {
    match (octet(m, 0), by_client) {
        (b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'S' | b'F' | b'p', true) => Kind::Request,
        // A notice, a notification and the state of a parameter may come at any time.
        (b'N' | b'A' | b'S', false) | (_, true) => Kind::Other,
        (_, false) => Kind::Response,
    }
}

/// Recognises PostgreSQL.
pub(crate) struct PgsqlDetector;

/// The code of a message of the start-up.
fn start_up(octets: &[u8]) -> Option<u64> {
    let (len, code) = (number(octets, 0, 4), number(octets, 4, 4));
    // The lengths are fixed by the form, except for a secret of up to 256 octets in protocol 3.2.
    let sound = match code {
        SSL_REQUEST | GSS_REQUEST => len == 8,
        CANCEL_REQUEST => (16..=268).contains(&len),
        // Servers refuse start-up packets over 10,000 octets. Protocol 3.0, 3.2, and 3.9999, which clients ask for to try what
        // a server makes of it; a DataRow of three columns would look like others.
        _ => {
            let minor = code & 0xffff;
            code >> 16 == 3 && (minor < 16 || minor == 9999) && (9..10_000).contains(&len)
        }
    };
    (octets.len() >= 8 && sound).then_some(code)
}

struct Typed;

/// A message with a type or without one, where one is looked for: all that is there of it is checked.
struct Sought {
    /// The client sends it, or the server; None: that is not known.
    by_client: Option<bool>,
}

impl LengthFormat for Sought {
    fn scan(&self) -> Scan<'_> {
        Scan::Everywhere
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        // No type is zero, and the lengths of the start-up begin with a zero octet.
        let Some(kind) = octets.first().filter(|o| **o != 0) else {
            return self.start(octets);
        };
        let by: &[u8] = match self.by_client {
            Some(true) => b"QPBEDCSHXFfdcp",
            Some(false) => b"RSKZTtDCENAIGHWdcns123Vv",
            None => b"QPBEDCHSXFfpdcRKZTI123nNtsGWAVv",
        };
        if !by.contains(kind) {
            return Classified::No;
        }
        match Typed.classify(octets) {
            Classified::Message(len) => {
                let message = usize::try_from(len).ok().and_then(|len| octets.get(..len));
                let sound = message.is_none_or(|m| self.is_sound(m));
                Classified::sized(len, sound)
            }
            // The lengths of messages in a chain are below 16 MiB.
            Classified::More if octets.get(1).is_some_and(|o| *o != 0) => Classified::No,
            judged => judged,
        }
    }

    fn chain(&self) -> usize {
        CHAIN
    }
}

impl Sought {
    /// A message of the start-up.
    fn start(&self, octets: &[u8]) -> Classified {
        if self.by_client == Some(false) {
            return Classified::No;
        }
        if octets.len() < 8 {
            let short = octets.iter().take(2).all(|o| *o == 0);
            return if short {
                Classified::More
            } else {
                Classified::No
            };
        }
        let Some(code) = start_up(octets) else {
            return Classified::No;
        };
        // The names of parameters are in lower case, and an empty one ends them.
        let len = number(octets, 0, 4);
        let message = usize::try_from(len).ok().and_then(|len| octets.get(..len));
        let named = octets.get(8).is_none_or(|o| o.is_ascii_lowercase());
        let ended = message.is_none_or(|m| m.ends_with(&[0, 0]));
        Classified::sized(len, code >> 16 != 3 || (named && ended))
    }

    /// What a whole message holds fills it (PostgreSQL, 55.7).
    fn is_sound(&self, m: &[u8]) -> bool {
        let server = self.by_client != Some(true);
        let count = number(m, 5, 2);
        match octet(m, 0) {
            // A DataRow; a Describe has a letter there.
            b'D' if self.by_client == Some(false) || !matches!(octet(m, 5), b'S' | b'P') => {
                let mut at = 7;
                for _ in 0..count.min(FIELDS) {
                    let Some(len) = length::u32_at(m, at) else {
                        return false;
                    };
                    at += 4;
                    // The highest number stands for NULL.
                    if len != u32::MAX {
                        at = at.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
                    }
                }
                at == m.len() || count > FIELDS && at < m.len()
            }
            b'T' => {
                let mut at = 7;
                for _ in 0..count.min(FIELDS) {
                    let name = m.get(at..).unwrap_or_default();
                    let Some(end) = memchr::memchr(0, &name[..name.len().min(256)]) else {
                        return false;
                    };
                    at += end + 19;
                }
                at == m.len() || count > FIELDS && at < m.len()
            }
            // An error or a notice: fields of a letter and text; an Execute ends with a number.
            b'E' if server && octet(m, 5).is_ascii_uppercase() => m.ends_with(&[0, 0]),
            b'N' => octet(m, 5).is_ascii_uppercase() && m.ends_with(&[0, 0]),
            // A command is done; a Close names something.
            b'C' => m[5..].split_last().is_some_and(|(_, text)| {
                let close =
                    self.by_client != Some(false) && matches!(text.first(), Some(b'S' | b'P'));
                close || !text.is_empty() && text.iter().all(|o| (b' '..0x7f).contains(o))
            }),
            b'S' if m.len() > 5 => {
                let mut parts = m[5..].split(|o| *o == 0);
                let name = parts.next().unwrap_or_default();
                !name.is_empty() && name.iter().all(u8::is_ascii_graphic) && parts.count() == 2
            }
            _ => true,
        }
    }
}

/// The answer to a request for TLS whose request is not known: one octet, and then what must follow it.
fn is_answer(octets: &[u8]) -> bool {
    let Some((&answer, rest)) = octets.split_first() else {
        return false;
    };
    let follows = match answer {
        b'N' => matches!(Typed.classify(rest), Classified::Message(_)),
        b'S' => rest.starts_with(&[22, 3]),
        _ => false,
    };
    // An answer of one octet looks like a type; it is one only if no message begins with it.
    follows && Typed.classify(octets) == Classified::No
}

impl LengthFormat for Typed {
    fn scan(&self) -> Scan<'_> {
        Scan::Everywhere
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        let Some(&kind) = octets.first() else {
            return Classified::More;
        };
        // 31 letters of 256: with the checks below and two more headers behind it a chance hit is
        // rare.
        if !b"QPBEDCHSXFfpdcRKZTI123nNtsGWAVv".contains(&kind) {
            return Classified::No;
        }
        if octets.len() < 5 {
            return Classified::More;
        }
        let len = number(octets, 1, 4);
        // Types alone are weak. Whatever can be checked of the length and content, is: a length too
        // small for its fields, or text without its zero octet, is no message.
        // A word, or the last octet, of what is there of the message.
        let last = usize::try_from(len).ok().and_then(|len| octets.get(len));
        let ends_with_zero = last.is_none_or(|o| *o == 0);
        let count = number(octets, 5, 2);
        // Each field takes at least so many octets, so a count bounds the length from below.
        let counted = |each: u64| octets.len() < 7 || count.saturating_mul(each) + 6 <= len;
        let sound = match kind {
            b'1' | b'2' | b'3' | b'n' | b'I' | b's' | b'X' | b'c' => len == 4,
            // Sync, Flush; ParameterStatus and CopyOutResponse have more.
            b'S' => len == 4 || len >= 6 && ends_with_zero,
            b'H' => len == 4 || len >= 7,
            b'Z' => len == 5 && octets.get(5).is_none_or(|o| b"ITE".contains(o)),
            b'K' => (12..=264).contains(&len),
            b'R' => len >= 8 && octet(octets, 5) == 0,
            b'Q' => len >= 5 && ends_with_zero,
            b'C' => len >= 6 && (ends_with_zero || octet(octets, 5) == b'S'),
            // Execute ends with a number, the error with a zero octet.
            b'E' => len >= 5,
            b'N' => len >= 5 && ends_with_zero,
            b'T' => len >= 6 && counted(19),
            // DataRow; Describe.
            b'D' => {
                len >= 6
                    && (counted(4) || matches!(octet(octets, 5), b'S' | b'P') && ends_with_zero)
            }
            b't' => len >= 6 && counted(4),
            b'p' | b'd' | b'f' => len >= 4,
            b'P' => len >= 8,
            b'B' => len >= 12,
            b'F' => len >= 14,
            b'A' => len >= 10 && ends_with_zero,
            b'G' | b'W' => len >= 7,
            b'V' => len >= 8,
            b'v' => len >= 12,
            _ => false,
        };
        // A gigabyte is the server's own bound for a message.
        Classified::sized(len + 1, sound && len < 1 << 30)
    }

    fn chain(&self) -> usize {
        CHAIN
    }
}

impl Detector for PgsqlDetector {
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        // The first octet of a start-up is zero; one zero alone is met in many protocols.
        if octets.len() < 8 && octet(octets, 0) == 0 && (hinted || octets.len() > 1) {
            let short = octets.len() < 3 || octet(octets, 1) == 0;
            return if short { Probe::More } else { Probe::No };
        }
        match start_up(octets) {
            // The name of a parameter follows.
            // Parameters are lower-case names; a start-up without any has its final zero there.
            Some(code) if code >> 16 == 3 => match octets.get(8) {
                None => Probe::More,
                Some(o) if o.is_ascii_lowercase() || (*o == 0 && number(octets, 0, 4) == 9) => {
                    Probe::Yes
                }
                Some(_) => Probe::No,
            },
            Some(_) => Probe::Yes,
            // Typed messages are letters and small numbers: without the port they would claim too
            // much.
            None if !hinted => Probe::No,
            None if is_answer(octets) => Probe::Yes,
            None => length::chain_begins(&Typed, octets, 16 << 10),
        }
    }

    fn search(&self, octets: &[u8], hinted: bool, more: bool) -> Found {
        // As above: only the port lets typed messages be searched for.
        if !hinted {
            return Found::Nowhere { keep: octets.len() };
        }
        let next = if more {
            Following::Octets
        } else {
            Following::End
        };
        length::search(&Typed, octets, next, HOLD, |_| false)
    }

    fn needs(&self, octets: &[u8], _: bool) -> usize {
        length::needs(&Typed, octets, HOLD)
    }
}

/// Frames one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pgsql {
    /// A request for TLS or GSSAPI whose answer, which is one octet, was not met yet.
    asked: Option<EncryptionRequest>,
    /// Which direction the client's messages have.
    client: Option<Direction>,
    habits: BothHabits,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct EncryptionRequest {
    /// The direction that has asked.
    client: Direction,
    /// Where the answer begins: what the request acknowledged.
    answer: Option<u64>,
}

impl Pgsql {
    /// Where the one octet is due that answers a request for TLS or GSSAPI.
    fn is_due(&self, at: &Position) -> bool {
        match self.asked {
            Some(asked) => {
                // The other direction, and exactly where its request's acknowledgment says.
                asked.client != at.direction && asked.answer.is_none_or(|due| due == at.offset)
            }
            // The request was lost; but the server has seen eight octets, and no other message is so short.
            None => at.other.from_start && at.ack == Some(at.other.origin + 8),
        }
    }
}

impl Pgsql {
    /// What a typed message is, by its side, which its type says or that of another message, or the port.
    fn kind(&mut self, at: &Position, m: &[u8]) -> Kind {
        if let Some(is_clients) = is_clients(m) {
            let client = if is_clients {
                at.direction
            } else {
                at.direction.flip()
            };
            self.client.get_or_insert(client);
        }
        match (self.client, at.ports) {
            (Some(client), _) => kind(m, client == at.direction),
            (None, (PORT, PORT)) => Kind::Other,
            (None, (PORT, _)) => kind(m, false),
            (None, (_, PORT)) => kind(m, true),
            _ => Kind::Other,
        }
    }
}

/// The answer to a request for TLS or GSSAPI.
fn answer(octet: u8) -> Begin {
    Begin::Message {
        kind: Kind::Response,
        head: 1,
        body: MessageBody::Octets(0),
        hand_over: octet == b'S',
    }
}

impl Framer for Pgsql {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        // The request decides what the answer's first octet means, so it has to be seen first.
        if self.asked.is_some()
            && let Some(until) = at.wait_for_other()
        {
            return Begin::Wait(until);
        }
        let due = self.is_due(at);
        // Its one octet is here, or something else is: either way the question is settled for this
        // direction.
        self.asked = self.asked.filter(|asked| asked.client == at.direction);
        if let [o @ (b'S' | b'N' | b'G'), ..] = octets
            && due
        {
            return answer(*o);
        }
        // A start-up comes first or behind a refused request; its length must be all there to be
        // believed.
        if octet(octets, 0) == 0 {
            if octets.len() < 8 && at.next == Following::Octets {
                return Begin::NeedMore;
            }
            let Some(code) = start_up(octets) else {
                return Begin::Refuse;
            };
            self.client = Some(at.direction);
            if matches!(code, SSL_REQUEST | GSS_REQUEST) {
                self.asked = Some(EncryptionRequest {
                    client: at.direction,
                    answer: at.ack,
                });
            }
            let len = number(octets, 0, 4);
            let head = octets.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            return Begin::Message {
                kind: Kind::Request,
                head,
                body: MessageBody::Octets(len - head as u64),
                hand_over: false,
            };
        }
        // The first octet of a server that was asked for TLS.
        let first = at.offset == ORIGIN
            && matches!(octets, [b'N' | b'S', ..])
            && !matches!(Typed.classify(octets), Classified::Message(_));
        if first || is_answer(octets) {
            return answer(octet(octets, 0));
        }
        let mut begin = length::begin_noted(&Typed, at, octets, &mut self.habits);
        if let Begin::Message { kind, head, .. } = &mut begin {
            *kind = self.kind(at, octets.get(..*head).unwrap_or(octets));
        }
        begin
    }

    fn search_waits(&mut self, at: &Position) -> Option<u64> {
        // The request for TLS may still be on its way.
        let early = at.other.from_start && at.ack.is_some_and(|ack| ack <= at.other.origin + 16);
        (early && at.next == Following::Octets)
            .then(|| at.wait_for_other())
            .flatten()
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        if let [b'S' | b'N' | b'G', rest @ ..] = octets
            && at.segment(0)
            && ((self.is_due(at) && (rest.is_empty() || at.segment(1))) || is_answer(octets))
        {
            return Found::At(0);
        }
        let by_client = match at.ports {
            (PORT, PORT) => None,
            (PORT, _) => Some(false),
            (_, PORT) => Some(true),
            _ => None,
        };
        let habits = &mut self.habits;
        chains::search(&Sought { by_client }, at, octets, HOLD, habits)
    }

    fn needs(&self, octets: &[u8]) -> usize {
        length::needs(&Sought { by_client: None }, octets, HOLD)
    }

    fn size(&self) -> usize {
        self.habits.size()
    }
}

/// The message, and the text of a query, an error or a completion (PostgreSQL, 55.7).
fn summary(_: Transport, m: &[u8], out: &mut String) -> bool {
    let kind = octet(m, 0);
    let text = |from: usize| -> &[u8] {
        let rest = m.get(from..).unwrap_or_default();
        rest.split(|o| *o == 0).next().unwrap_or_default()
    };
    match kind {
        b'S' if m.len() == 1 => out.push_str("TLS accepted"),
        b'G' if m.len() == 1 => out.push_str("GSSAPI accepted"),
        b'N' if m.len() == 1 => out.push_str("encryption refused"),
        0 if number(m, 4, 4) == 80_877_103 => out.push_str("SSLRequest"),
        0 if number(m, 4, 4) == 80_877_104 => out.push_str("GSSENCRequest"),
        0 if number(m, 4, 4) == 80_877_102 => out.push_str("CancelRequest"),
        b'Q' => {
            out.push_str("Query ");
            let query = text(5);
            escape(query.get(..SHOWN).unwrap_or(query), out);
        }
        0 => {
            out.push_str("StartupMessage");
            // Names and values, each ended by a zero octet.
            let mut words = m.get(8..).unwrap_or_default().split(|o| *o == 0);
            while let (Some(name), Some(value)) = (words.next(), words.next()) {
                if matches!(name, b"user" | b"database") {
                    out.push(' ');
                    escape(name, out);
                    out.push('=');
                    escape(value, out);
                }
            }
        }
        b'S' if number(m, 1, 4) == 4 => out.push_str("Sync"),
        b'S' => {
            out.push_str("ParameterStatus ");
            escape(text(5), out);
            out.push('=');
            escape(text(6 + text(5).len()), out);
        }
        b'Z' => {
            out.push_str("ReadyForQuery ");
            let states = [
                (b'I'.into(), "idle"),
                (b'T'.into(), "in transaction"),
                (b'E'.into(), "failed"),
            ];
            named_number(&states, octet(m, 5).into(), out);
        }
        b'D' if matches!(octet(m, 5), b'S' | b'P') && m.last() == Some(&0) => {
            out.push_str("Describe ");
            escape(text(6), out);
        }
        b'D' | b'T' => {
            let name = if kind == b'D' {
                "DataRow"
            } else {
                "RowDescription"
            };
            let _ = write!(out, "{name}, {} columns", number(m, 5, 2));
        }
        b'C' if m.len() > 5 => {
            out.push_str("CommandComplete ");
            escape(text(5), out);
        }
        b'E' if m.get(5) == Some(&b'S') => {
            out.push_str("ErrorResponse ");
            let fields = m.get(5..).unwrap_or_default().split(|o| *o == 0);
            for field in fields.filter(|f| f.first() == Some(&b'M')) {
                escape(field.get(1..).unwrap_or_default(), out);
            }
        }
        _ => {
            const NAMES: &[(u8, &str)] = &[
                (b'R', "Authentication"),
                (b'K', "BackendKeyData"),
                (b'P', "Parse"),
                (b'B', "Bind"),
                (b'E', "Execute"),
                (b'1', "ParseComplete"),
                (b'2', "BindComplete"),
                (b'3', "CloseComplete"),
                (b'n', "NoData"),
                (b'N', "NoticeResponse"),
                (b'X', "Terminate"),
                (b'p', "PasswordMessage"),
                (b'd', "CopyData"),
                (b'c', "CopyDone"),
                (b'f', "CopyFail"),
                (b'G', "CopyInResponse"),
                (b'H', "CopyOutResponse or Flush"),
                (b'I', "EmptyQueryResponse"),
                (b't', "ParameterDescription"),
                (b'A', "NotificationResponse"),
                (b'C', "Close"),
                (b's', "PortalSuspended"),
                (b'F', "FunctionCall"),
            ];
            match NAMES.iter().find(|(k, _)| *k == kind) {
                Some((_, name)) => out.push_str(name),
                None => return false,
            }
        }
    }
    true
}

/// What of a message has a name: its type, the text of what is asked, the words of an error.
fn fields(transport: Transport, _: Kind, m: &[u8], to: &mut MessageFields) {
    let mut words = String::new();
    if !summary(transport, m, &mut words) {
        return;
    }
    let kind = words.split([' ', ',']).next().unwrap_or_default();
    to.text("type", kind.as_bytes());
    let text = |from: usize| {
        let rest = m.get(from..).unwrap_or_default();
        rest.split(|o| *o == 0).next().unwrap_or_default()
    };
    match (octet(m, 0), kind) {
        (b'Q', _) => to.text("query", text(5)),
        // Behind the name of the statement, which is empty mostly.
        (b'P', "Parse") => to.text("query", text(6 + text(5).len())),
        (b'E', "ErrorResponse") => {
            let fields = m.get(5..).unwrap_or_default().split(|o| *o == 0);
            let message = fields.filter_map(|field| field.strip_prefix(b"M")).next();
            to.text_if("error", message);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::text::said;
    use super::*;
    use crate::base::stream::Side;

    const C: Direction = Direction::Forward;
    const S: Direction = Direction::Reverse;
    const TLS: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];

    fn place(direction: Direction, segments: &[u64], ack: u64, other: Side) -> Position<'_> {
        Position {
            direction,
            ports: (50_000, PORT),
            segments,
            pushed: false,
            push: true,
            offset: segments[0],
            ack: Some(ack),
            time: crate::base::time::Timestamp::default(),
            other,
            next: Following::Octets,
            limit: 1 << 16,
            late: false,
            parts: &[],
            split: 0,
        }
    }

    /// In the middle of a stream an `N` alone may be the last octet of any message: it is an answer where one is due.
    #[test]
    fn the_answer_of_one_octet_is_found_where_it_is_due() {
        let there = Side {
            delivered: u64::MAX,
            ..Side::default()
        };
        let answers = |pgsql: &mut Pgsql, other, offset, ack| {
            pgsql.search(&place(S, &[offset], ack, other), b"N") == Found::At(0)
        };
        assert!(!answers(&mut Pgsql::default(), there, 500, 108));
        let mut asked = Pgsql::default();
        let begin = asked.begin(&place(C, &[100], 500, there), TLS);
        assert!(matches!(begin, Begin::Message { head: 8, .. }));
        asked.gap(S);
        assert!(!answers(&mut asked.clone(), there, 501, 108));
        assert!(answers(&mut asked, there, 500, 108));
        let begin = asked.begin(&place(S, &[500], 108, there), b"N");
        assert!(matches!(begin, Begin::Message { head: 1, .. }));
        // The request was lost, but it was all that the server had seen.
        let begun = Side {
            from_start: true,
            origin: 100,
            ..there
        };
        assert!(answers(&mut Pgsql::default(), begun, 500, 108));
        assert!(!answers(&mut Pgsql::default(), begun, 500, 171));
    }

    #[test]
    fn what_a_message_holds_fills_it() {
        let server = Sought {
            by_client: Some(false),
        };
        let classify = |octets: &[u8]| server.classify(octets) != Classified::No;
        let row = b"D\0\0\0\x10\0\x02\0\0\0\x02ab\xff\xff\xff\xff";
        assert!(classify(row));
        let mut longer = row.to_vec();
        longer[10] = 3;
        assert!(!classify(&longer), "its values pass its end");
        assert!(classify(b"C\0\0\0\x0dSELECT 1\0") && !classify(b"C\0\0\0\x07a\x01\0"));
        // Each side has messages of its own, and no row is a start-up.
        assert!(!classify(b"Q\0\0\0\x06a\0"));
        let client = Sought {
            by_client: Some(true),
        };
        assert_ne!(client.classify(b"Q\0\0\0\x06a\0"), Classified::No);
        assert_eq!(
            client.classify(b"\0\0\0\x14\0\x03\0\0\0\0\0\x01x"),
            Classified::No
        );
        assert_eq!(start_up(b"\0\0\0\x54\0\x03col"), None);
    }

    #[test]
    fn summaries() {
        for (octets, expected) in [
            (&b"N"[..], "encryption refused"),
            (b"S\0\0\0\x04", "Sync"),
            (b"S\0\0\0\x09a\0on\0", "ParameterStatus a=on"),
            (b"Z\0\0\0\x05T", "ReadyForQuery in transaction"),
            (b"D\0\0\0\x06\0\x02", "DataRow, 2 columns"),
            (b"D\0\0\0\x07Ss\0", "Describe s"),
            (
                b"\0\0\0\x14\0\x03\0\0user\0me\0\0",
                "StartupMessage user=me",
            ),
        ] {
            assert_eq!(said(summary, Transport::Tcp, octets), expected);
        }
    }
}
