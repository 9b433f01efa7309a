//! Protocols of lines: SMTP (RFC 5321, RFC 3030), FTP (RFC 959), POP3 (RFC 1939), IMAP (RFC 9051). A message is a command,
//! or a whole reply, with the data that belongs to it; the mail behind `DATA` is one too.

use super::framing::{
    AnyFramer, Begin, BodyPart, Detector, Following, Found, Framer, MessageBody, Position, Probe,
};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::storage::allocated;
use memchr::{memchr, memmem};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A line longer than this is none.
const LINE: usize = 64 << 10;
/// Commands that wait for their reply.
const COMMANDS: usize = 256;

/// What tells one such protocol from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Dialect {
    Smtp,
    Ftp,
    Pop,
    Imap,
}

/// Recognises SMTP.
pub(super) const SMTP: LinesDetector = LinesDetector(Dialect::Smtp);
/// Recognises FTP.
pub(super) const FTP: LinesDetector = LinesDetector(Dialect::Ftp);
/// Recognises POP3.
pub(super) const POP: LinesDetector = LinesDetector(Dialect::Pop);
/// Recognises IMAP.
pub(super) const IMAP: LinesDetector = LinesDetector(Dialect::Imap);

/// The detectors of these protocols.
pub(super) struct LinesDetector(Dialect);

impl Dialect {
    const fn ports(self) -> &'static [u16] {
        match self {
            Self::Smtp => &[25, 587, 2525],
            Self::Ftp => &[21],
            Self::Pop => &[110],
            Self::Imap => &[143],
        }
    }

    const fn verbs(self) -> &'static [&'static [u8]] {
        match self {
            Self::Smtp => &[
                b"EHLO",
                b"HELO",
                b"LHLO",
                b"MAIL",
                b"RCPT",
                b"DATA",
                b"BDAT",
                b"QUIT",
                b"RSET",
                b"NOOP",
                b"VRFY",
                b"EXPN",
                b"HELP",
                b"AUTH",
                b"STARTTLS",
                b"ETRN",
            ],
            Self::Ftp => &[
                b"USER", b"PASS", b"ACCT", b"CWD", b"CDUP", b"SMNT", b"QUIT", b"REIN", b"PORT",
                b"PASV", b"TYPE", b"STRU", b"MODE", b"RETR", b"STOR", b"STOU", b"APPE", b"ALLO",
                b"REST", b"RNFR", b"RNTO", b"ABOR", b"DELE", b"RMD", b"MKD", b"PWD", b"LIST",
                b"NLST", b"SITE", b"SYST", b"STAT", b"HELP", b"NOOP", b"FEAT", b"OPTS", b"SIZE",
                b"MDTM", b"MLSD", b"MLST", b"EPSV", b"EPRT", b"AUTH", b"PBSZ", b"PROT", b"CCC",
                b"CLNT",
            ],
            Self::Pop => &[
                b"USER", b"PASS", b"APOP", b"AUTH", b"CAPA", b"STLS", b"STAT", b"LIST", b"RETR",
                b"DELE", b"NOOP", b"RSET", b"QUIT", b"TOP", b"UIDL", b"UTF8", b"LANG",
            ],
            Self::Imap => &[
                b"CAPABILITY",
                b"NOOP",
                b"LOGOUT",
                b"STARTTLS",
                b"AUTHENTICATE",
                b"LOGIN",
                b"ENABLE",
                b"SELECT",
                b"EXAMINE",
                b"CREATE",
                b"DELETE",
                b"RENAME",
                b"SUBSCRIBE",
                b"UNSUBSCRIBE",
                b"LIST",
                b"LSUB",
                b"NAMESPACE",
                b"STATUS",
                b"APPEND",
                b"IDLE",
                b"CLOSE",
                b"UNSELECT",
                b"EXPUNGE",
                b"SEARCH",
                b"FETCH",
                b"STORE",
                b"COPY",
                b"MOVE",
                b"UID",
                b"CHECK",
                b"ID",
                b"GETQUOTA",
                b"GETQUOTAROOT",
                b"SORT",
                b"THREAD",
                b"COMPRESS",
            ],
        }
    }

    /// The command of a line, if it is a known one.
    fn verb(self, line: &[u8]) -> Option<&'static [u8]> {
        let mut words = line.trim_ascii_end().split(|o| *o == b' ');
        let mut word = words.next()?;
        if self == Self::Imap {
            if !is_tag(word) {
                return None;
            }
            word = words.next()?;
        }
        self.verbs()
            .iter()
            .find(|verb| verb.eq_ignore_ascii_case(word))
            .copied()
    }

    /// A client sends nothing but lines, each in one segment.
    const fn only_lines(self) -> bool {
        matches!(self, Self::Pop | Self::Ftp)
    }

    /// Octets without a line feed that a message may begin with.
    fn may_begin(self, octets: &[u8]) -> bool {
        if !is_text(octets) {
            return false;
        }
        if self == Self::Imap || self.only_lines() {
            return true;
        }
        let word = octets.split(|o| *o == b' ').next().unwrap_or_default();
        let word = &word[..word.len().min(8)];
        let verb = |v: &&[u8]| {
            v.get(..word.len())
                .is_some_and(|v| v.eq_ignore_ascii_case(word))
        };
        self.verbs().iter().any(verb) || octets.iter().take(3).all(u8::is_ascii_digit)
    }

    /// A line that a server sends as the first of a reply.
    fn is_reply(self, line: &[u8]) -> bool {
        match self {
            Self::Smtp | Self::Ftp => code(line).is_some(),
            Self::Pop => {
                [&b"+OK"[..], b"-ERR"].iter().any(|word| {
                    line.strip_prefix(*word)
                        .is_some_and(|rest| rest.first().is_none_or(|o| b" \r".contains(o)))
                }) || line.starts_with(b"+ ")
            }
            Self::Imap => {
                line.starts_with(b"* ")
                    || line.starts_with(b"+ ")
                    || line == b"+\r"
                    || completion(line).is_some()
            }
        }
    }

    /// The first line of a server that says which protocol it speaks.
    fn is_greeting(self, line: &[u8]) -> bool {
        let has = |word: &[u8]| {
            line.windows(word.len())
                .any(|part| part.eq_ignore_ascii_case(word))
        };
        match self {
            Self::Smtp => matches!(code(line), Some((220 | 554, _))) && has(b"SMTP"),
            Self::Ftp => matches!(code(line), Some((220, _))) && has(b"FTP"),
            Self::Pop => line.starts_with(b"+OK"),
            Self::Imap => [&b"* OK"[..], b"* PREAUTH", b"* BYE"]
                .iter()
                .any(|word| line.starts_with(word)),
        }
    }

    /// A first line of a client that says which protocol it speaks.
    fn is_opening(self, line: &[u8]) -> bool {
        let verb = self.verb(line);
        match self {
            Self::Smtp => matches!(verb, Some(b"EHLO" | b"HELO" | b"LHLO")),
            Self::Imap => matches!(
                verb,
                Some(b"CAPABILITY" | b"LOGIN" | b"AUTHENTICATE" | b"STARTTLS")
            ),
            Self::Pop => matches!(verb, Some(b"CAPA" | b"STLS" | b"APOP")),
            Self::Ftp => false,
        }
    }
}

/// The code of a reply, and whether lines follow.
fn code(line: &[u8]) -> Option<(u16, bool)> {
    let [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = line else {
        return None;
    };
    let code = [a, b, c]
        .iter()
        .fold(0, |n, d| n * 10 + u16::from(**d - b'0'));
    match rest {
        [b'-', ..] => Some((code, true)),
        [] | [b' ' | b'\r', ..] => Some((code, false)),
        _ => None,
    }
}

/// The tag of a command of IMAP.
fn is_tag(word: &[u8]) -> bool {
    (1..=32).contains(&word.len())
        && word
            .iter()
            .all(|o| o.is_ascii_alphanumeric() || b"._-/:".contains(o))
}

/// The line that completes a command of IMAP: whether it succeeded.
fn completion(line: &[u8]) -> Option<bool> {
    let space = memchr(b' ', line)?;
    let (tag, rest) = line.split_at(space);
    let rest = &rest[1..];
    let word = rest.split(|o| matches!(o, b' ' | b'\r')).next()?;
    if !is_tag(tag) {
        return None;
    }
    match word.to_ascii_uppercase().as_slice() {
        b"OK" => Some(true),
        b"NO" | b"BAD" => Some(false),
        _ => None,
    }
}

/// The literal that a line of IMAP announces (RFC 9051, 4.3), also the binary one.
fn literal(line: &[u8]) -> Option<u64> {
    let line = line
        .strip_suffix(b"\r")
        .unwrap_or(line)
        .strip_suffix(b"}")?;
    let open = line.iter().rposition(|o| *o == b'{')?;
    let digits = &line[open + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    let number = digits.iter().try_fold(0u64, |n, d| {
        let digit = d.is_ascii_digit().then(|| u64::from(d - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    });
    number.filter(|n| !digits.is_empty() && *n < 1 << 40)
}

/// Octets that a line of text has.
fn is_text(line: &[u8]) -> bool {
    line.iter()
        .all(|o| *o >= b' ' || matches!(o, b'\t' | b'\r'))
}

impl Detector for LinesDetector {
    fn name(&self) -> &'static str {
        match self.0 {
            Dialect::Smtp => "smtp",
            Dialect::Ftp => "ftp",
            Dialect::Pop => "pop",
            Dialect::Imap => "imap",
        }
    }

    fn about(&self) -> &'static str {
        match self.0 {
            Dialect::Smtp => "SMTP (RFC 5321): replies, commands, mail",
            Dialect::Ftp => "FTP (RFC 959): replies and commands",
            Dialect::Pop => "POP3 (RFC 1939)",
            Dialect::Imap => "IMAP (RFC 9051, RFC 3501), with literals",
        }
    }

    fn ports(&self) -> &'static [u16] {
        self.0.ports()
    }

    fn probe(&self, octets: &[u8], ports: (u16, u16)) -> Probe {
        let hinted = self.0.ports().contains(&ports.0) || self.0.ports().contains(&ports.1);
        let Some(end) = memchr(b'\n', &octets[..octets.len().min(1024)]) else {
            let start = &octets[..octets.len().min(4)];
            let begins = match self.0 {
                Dialect::Smtp | Dialect::Ftp => start
                    .iter()
                    .zip(b"220 ")
                    .all(|(a, b)| a == b || (*b == b' ' && *a == b'-')),
                Dialect::Pop => b"+OK ".starts_with(start),
                Dialect::Imap => b"* OK".starts_with(start) || b"* PR".starts_with(start),
            };
            let word = octets.iter().take(4).all(u8::is_ascii_graphic);
            let may = octets.len() < 512 && is_text(octets) && (begins || (hinted && word));
            return if may { Probe::More } else { Probe::No };
        };
        let line = &octets[..end];
        let known = self.0.is_greeting(line) || self.0.is_opening(line);
        let by_port = hinted && (self.0.is_reply(line) || self.0.verb(line).is_some());
        if is_text(line) && (known || by_port) {
            Probe::Yes
        } else {
            Probe::No
        }
    }

    fn search(&self, octets: &[u8], ports: (u16, u16), more: bool) -> Found {
        if !self.0.ports().contains(&ports.0) && !self.0.ports().contains(&ports.1) {
            return Found::Nowhere { keep: octets.len() };
        }
        let mut lines = Lines::new(self.0);
        lines.fresh = [true; 2];
        lines.find(octets, more, 0, Role::Either, |_| false)
    }

    fn framer(&self) -> AnyFramer {
        AnyFramer::Lines(Box::new(Lines::new(self.0)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
    Either,
}

/// What stands in the open message of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Inner {
    /// Nothing.
    None,
    /// Lines up to one with a single dot; so many octets of `CR LF . CR LF` are matched.
    Dot(u8),
    /// A literal of so many octets.
    Literal(u64),
    /// The rest of a line, behind a literal.
    Line,
}

/// What a command makes of the octets that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum After {
    Nothing,
    /// Mail, if the server agrees.
    Data,
    /// TLS, if the server agrees.
    Tls,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Command {
    offset: u64,
    ack: Option<u64>,
    /// Its reply has several lines.
    many: bool,
}

/// Frames one connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lines {
    dialect: Dialect,
    /// The direction that commands come from.
    client: Option<Direction>,
    /// How far each direction has been looked through for the end of its reply or line.
    looked: [usize; 2],
    inner: [Inner; 2],
    /// Each direction: a segment or a line begins where the next octets are looked for.
    fresh: [bool; 2],
    /// Each direction lacks octets inside lines that a dot ends.
    dot_lost: [bool; 2],
    after: After,
    /// The server waits for mail.
    go: bool,
    /// Replies were lost since the last one.
    replies_lost: bool,
    /// Where that mail begins: what the server acknowledged when it asked for it.
    mail: Option<u64>,
    /// Commands of POP that are not answered yet.
    commands: VecDeque<Command>,
    /// Nothing was lost since a reply was matched.
    counting: bool,
}

impl Lines {
    const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            client: None,
            looked: [0; 2],
            inner: [Inner::None; 2],
            fresh: [false; 2],
            dot_lost: [false; 2],
            after: After::Nothing,
            go: false,
            replies_lost: false,
            mail: None,
            commands: VecDeque::new(),
            counting: true,
        }
    }

    /// Wireshark's name of the protocol.
    pub fn name(&self) -> &'static str {
        LinesDetector(self.dialect).name()
    }

    /// Octets allocated.
    pub fn size(&self) -> usize {
        let commands = self.commands.capacity() * size_of::<Command>();
        allocated(size_of::<Self>()) + allocated(commands)
    }

    /// The end of the line at `from`, line feed included, from where it was looked for last.
    fn line_end(&mut self, d: usize, octets: &[u8]) -> Result<usize, Begin> {
        let from = self.looked[d].min(octets.len());
        match memchr(b'\n', &octets[from..]) {
            Some(lf) => {
                self.looked[d] = 0;
                Ok(from + lf + 1)
            }
            None => {
                self.looked[d] = octets.len();
                Err(if octets.len() < LINE {
                    Begin::NeedMore
                } else {
                    Begin::Refuse
                })
            }
        }
    }

    fn begin_reply(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let d = at.direction.index();
        if let Some(until) = at.wait_for_other() {
            return Begin::Wait(until);
        }
        let message = |head: usize, body: MessageBody, hand_over: bool| Begin::Message {
            kind: Kind::Response,
            head,
            body,
            hand_over,
        };
        match self.dialect {
            Dialect::Smtp | Dialect::Ftp => {
                let Some(first) = memchr(b'\n', octets) else {
                    let sound =
                        octets.len() < LINE && octets.iter().take(3).all(u8::is_ascii_digit);
                    return if sound {
                        Begin::NeedMore
                    } else {
                        Begin::Refuse
                    };
                };
                let Some((code, many)) = code(&octets[..first]) else {
                    return Begin::Refuse;
                };
                let mut head = first + 1;
                if many {
                    // Up to the line with the same code and a space.
                    head = self.looked[d].max(head);
                    loop {
                        let Some(lf) = memchr(b'\n', &octets[head..]) else {
                            self.looked[d] = head;
                            return if octets.len() < at.limit {
                                Begin::NeedMore
                            } else {
                                Begin::Refuse
                            };
                        };
                        let line = &octets[head..head + lf];
                        head += lf + 1;
                        if self::code(line) == Some((code, false)) {
                            break;
                        }
                    }
                }
                self.looked[d] = 0;
                self.replies_lost = false;
                self.go = code == 354;
                self.mail = at.ack.filter(|_| self.go);
                self.dot_lost[d ^ 1] &= self.go;
                let tls = match self.dialect {
                    Dialect::Smtp => code == 220,
                    _ => code == 234,
                };
                let leaves = self.after == After::Tls && tls;
                message(head, MessageBody::Octets(0), leaves)
            }
            Dialect::Pop => {
                let head = match self.line_end(d, octets) {
                    Ok(head) => head,
                    Err(begin) => return begin,
                };
                let line = &octets[..head - 1];
                if !self.dialect.is_reply(line) && !line.starts_with(b"+") {
                    return Begin::Refuse;
                }
                let good = line.starts_with(b"+OK");
                let leaves = self.after == After::Tls && good;
                let many = match self.answered(at, !line.starts_with(b"+ ")) {
                    Some(many) => many,
                    // Its command is not known: what stands behind it tells.
                    None if good
                        && octets.len() == head
                        && !at.push
                        && at.next == Following::Octets =>
                    {
                        return Begin::NeedMore;
                    }
                    None => octets.get(head).is_some_and(|o| !matches!(o, b'+' | b'-')),
                };
                if many && good {
                    self.inner[d] = Inner::Dot(2);
                    return message(head, MessageBody::Parts, false);
                }
                message(head, MessageBody::Octets(0), leaves)
            }
            Dialect::Imap => {
                let head = match self.line_end(d, octets) {
                    Ok(head) => head,
                    Err(begin) => return begin,
                };
                let line = &octets[..head - 1];
                if !self.dialect.is_reply(line) {
                    return Begin::Refuse;
                }
                let leaves = self.after == After::Tls && completion(line) == Some(true);
                let body = self.literal_body(d, line);
                message(head, body, leaves)
            }
        }
    }

    /// Takes note of a literal at the end of a line.
    fn literal_body(&mut self, d: usize, line: &[u8]) -> MessageBody {
        match literal(line) {
            Some(n) => {
                self.inner[d] = if n == 0 {
                    Inner::Line
                } else {
                    Inner::Literal(n)
                };
                MessageBody::Parts
            }
            None => MessageBody::Octets(0),
        }
    }

    /// The command that a reply at this place answers: whether it asks for several lines; None where it is not known.
    fn answered(&mut self, at: &Position, take: bool) -> Option<bool> {
        let exact = self.commands.iter().position(|c| c.ack == Some(at.offset));
        if let Some(i) = exact {
            self.commands.drain(..i);
            self.counting = true;
        } else if !self.counting {
            return None;
        }
        match self.commands.front().copied() {
            Some(command) if at.ack.is_none_or(|ack| command.offset < ack) => {
                if take {
                    self.commands.pop_front();
                }
                Some(command.many)
            }
            // The greeting.
            _ => Some(false),
        }
    }

    fn begin_command(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let d = at.direction.index();
        if self.after != After::Nothing {
            if let Some(until) = at.wait_for_other() {
                return Begin::Wait(until);
            }
            // Where the reply was lost, mail is what is no command.
            let mail = self.go
                || self.replies_lost
                    && memchr(b'\n', octets)
                        .is_some_and(|lf| self.dialect.verb(&octets[..lf]).is_none());
            if self.after == After::Data && mail {
                self.after = After::Nothing;
                (self.go, self.mail) = (false, None);
                let mut matched = 2;
                let end = dot_end(octets, &mut matched);
                self.inner[d] = Inner::Dot(matched);
                return Begin::Message {
                    kind: Kind::Request,
                    head: end.unwrap_or(octets.len()),
                    body: if end.is_some() {
                        MessageBody::Octets(0)
                    } else {
                        MessageBody::Parts
                    },
                    hand_over: false,
                };
            }
        }
        let head = match self.line_end(d, octets) {
            Ok(head) => head,
            Err(begin) => return begin,
        };
        let line = &octets[..head - 1];
        if !is_text(line) {
            return Begin::Refuse;
        }
        self.after = After::Nothing;
        let mut body = MessageBody::Octets(0);
        let verb = self.dialect.verb(line).unwrap_or_default();
        let mut words = line
            .split(|o| matches!(o, b' ' | b'\r'))
            .filter(|w| !w.is_empty());
        match (self.dialect, verb) {
            (Dialect::Smtp, b"DATA") => self.after = After::Data,
            (Dialect::Smtp, b"BDAT") => {
                let digits = words.nth(1).unwrap_or_default();
                let size = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|t| t.parse::<u64>().ok());
                body = MessageBody::Octets(size.filter(|n| *n < 1 << 40).unwrap_or(0));
            }
            (Dialect::Smtp | Dialect::Imap, b"STARTTLS")
            | (Dialect::Pop, b"STLS")
            | (Dialect::Ftp, b"AUTH") => {
                self.after = After::Tls;
            }
            (Dialect::Imap, _) => body = self.literal_body(d, line),
            _ => {}
        }
        if self.dialect == Dialect::Pop {
            let alone = words.count() < 2;
            if self.commands.len() >= COMMANDS {
                self.commands.pop_front();
                self.counting = false;
            }
            self.commands.push_back(Command {
                offset: at.offset,
                ack: at.ack,
                many: match verb {
                    b"RETR" | b"TOP" | b"CAPA" => true,
                    b"LIST" | b"UIDL" | b"AUTH" | b"LANG" => alone,
                    _ => false,
                },
            });
        }
        Begin::Message {
            kind: Kind::Request,
            head,
            body,
            hand_over: false,
        }
    }

    /// The next line that begins a message.
    fn find(
        &mut self,
        octets: &[u8],
        more: bool,
        d: usize,
        role: Role,
        segment: impl Fn(usize) -> bool,
    ) -> Found {
        let mut at = 0;
        // A message may begin at the line in hand; a command may, where a segment begins.
        let mut boundary = std::mem::take(&mut self.fresh[d]);
        let mut starts = boundary || segment(0);
        if self.dot_lost[d] {
            let first = memchr(b'\n', octets).map(|lf| &octets[..lf]);
            let alone = starts
                && first.is_some_and(|line| match role {
                    Role::Server => self.dialect.is_reply(line),
                    _ => self.dialect.verb(line).is_some() && line.len() + 1 == octets.len(),
                });
            if !alone {
                let Some(hit) = memmem::find(octets, b"\r\n.\r\n") else {
                    self.fresh[d] = false;
                    let keep = octets.len().saturating_sub(if more { 4 } else { 0 });
                    return Found::Nowhere { keep };
                };
                at = hit + 5;
                (boundary, starts) = (true, true);
            }
            self.dot_lost[d] = false;
        }
        loop {
            let rest = &octets[at..];
            let Some(lf) = memchr(b'\n', rest) else {
                // A line that is cut: it is looked at again where it may begin a message.
                let wait = more && starts && rest.len() < LINE && self.dialect.may_begin(rest);
                self.fresh[d] = starts && boundary;
                return Found::Nowhere {
                    keep: if wait { at } else { octets.len() },
                };
            };
            let line = &rest[..lf];
            let reply = role != Role::Client && self.dialect.is_reply(line);
            let command = role != Role::Server && self.dialect.verb(line).is_some()
                || role == Role::Client && self.dialect.only_lines() && segment(at);
            if starts && is_text(line) && ((reply && boundary) || command) {
                return Found::At(at);
            }
            if matches!(self.dialect, Dialect::Smtp | Dialect::Ftp) {
                // Behind the last line of a reply the next one begins.
                boundary = starts && matches!(code(line), Some((_, false)));
            } else {
                boundary = true;
            }
            starts = true;
            at += lf + 1;
        }
    }
}

/// Where lines end that end with a single dot; what is matched of it at the end of the octets.
fn dot_end(octets: &[u8], matched: &mut u8) -> Option<usize> {
    const END: &[u8; 5] = b"\r\n.\r\n";
    let mut at = 0;
    while at < octets.len() {
        if *matched == 0 {
            match memchr(b'\r', &octets[at..]) {
                Some(hit) => at += hit,
                None => break,
            }
        }
        let octet = octets[at];
        at += 1;
        *matched = if octet == END[usize::from(*matched).min(4)] {
            *matched + 1
        } else {
            u8::from(octet == b'\r')
        };
        if *matched == 5 {
            *matched = 0;
            return Some(at);
        }
    }
    None
}

impl Framer for Lines {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        self.fresh[at.direction.index()] = false;
        if self.client.is_none() {
            let Some(end) = memchr(b'\n', octets) else {
                return if octets.len() < LINE {
                    Begin::NeedMore
                } else {
                    Begin::Refuse
                };
            };
            let reply = self.dialect.is_reply(&octets[..end]);
            self.client = Some(if reply {
                at.direction.flip()
            } else {
                at.direction
            });
        }
        if self.client == Some(at.direction) {
            self.begin_command(at, octets)
        } else {
            self.begin_reply(at, octets)
        }
    }

    fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let d = at.direction.index();
        match self.inner[d] {
            Inner::Literal(n) => {
                self.inner[d] = Inner::Line;
                BodyPart::Octets(n)
            }
            Inner::Line => match self.line_end(d, octets) {
                Ok(end) => match literal(&octets[..end - 1]) {
                    None => {
                        self.inner[d] = Inner::None;
                        BodyPart::Last(end as u64)
                    }
                    Some(n) => {
                        self.inner[d] = if n == 0 {
                            Inner::Line
                        } else {
                            Inner::Literal(n)
                        };
                        BodyPart::Octets(end as u64)
                    }
                },
                Err(Begin::NeedMore) if at.next == Following::Octets => BodyPart::NeedMore,
                Err(_) => BodyPart::Refuse,
            },
            Inner::Dot(mut matched) => {
                if octets.is_empty() {
                    return if at.next == Following::Octets {
                        BodyPart::NeedMore
                    } else {
                        BodyPart::Refuse
                    };
                }
                let end = dot_end(octets, &mut matched);
                self.inner[d] = Inner::Dot(matched);
                match end {
                    Some(end) => {
                        self.inner[d] = Inner::None;
                        BodyPart::Last(end as u64)
                    }
                    None => BodyPart::Octets(octets.len() as u64),
                }
            }
            Inner::None => BodyPart::Refuse,
        }
    }

    fn search_waits(&mut self, at: &Position) -> Option<u64> {
        // The server's reply tells whether mail follows.
        let mail = self.dialect == Dialect::Smtp
            && self.client == Some(at.direction)
            && at.next == Following::Octets;
        mail.then(|| at.wait_for_other()).flatten()
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let role = match self.client {
            None => Role::Either,
            Some(client) if client == at.direction => Role::Client,
            Some(_) => Role::Server,
        };
        let d = at.direction.index();
        if role == Role::Client
            && let Some(mail) = self.mail
        {
            // The command was lost, but the server waits for mail.
            match mail.checked_sub(at.offset).map(usize::try_from) {
                Some(Ok(begin)) if begin < octets.len() => {
                    (self.after, self.fresh[d], self.dot_lost[d]) = (After::Data, false, false);
                    return Found::At(begin);
                }
                None => {
                    self.dot_lost[d] = true;
                    self.mail = None;
                }
                _ => {}
            }
        }
        let more = at.next == Following::Octets;
        self.find(octets, more, d, role, |i| at.segment(i))
    }

    fn gap(&mut self, direction: Direction) {
        let d = direction.index();
        // What was lost may have been a command, or the mail itself.
        let mail = self.after == After::Data && self.client == Some(direction);
        self.dot_lost[d] |= mail || matches!(self.inner[d], Inner::Dot(_));
        self.inner[d] = Inner::None;
        self.looked[d] = 0;
        self.fresh[d] = true;
        self.counting = false;
        if self.client == Some(direction) {
            self.after = After::Nothing;
        } else {
            self.replies_lost = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(code(b"250-SIZE\r"), Some((250, true)));
        assert_eq!(code(b"250 ok"), Some((250, false)));
        assert_eq!(code(b"2501 ok"), None);
        assert_eq!(code(b"25"), None);
        assert_eq!(literal(b"a APPEND x {310}\r"), Some(310));
        assert_eq!(literal(b"a APPEND x {310+}\r"), Some(310));
        assert_eq!(literal(b"a {x}\r"), None);
        assert_eq!(completion(b"a1 OK done\r"), Some(true));
        assert_eq!(completion(b"a1 BAD\r"), Some(false));
        assert_eq!(completion(b"* OK x\r"), None);
        assert_eq!(Dialect::Imap.verb(b"a1 uid fetch 1\r"), Some(&b"UID"[..]));
        assert_eq!(Dialect::Smtp.verb(b"mail FROM:<a>\r"), Some(&b"MAIL"[..]));
        assert_eq!(Dialect::Smtp.verb(b"mailbox\r"), None);
    }

    #[test]
    fn a_dot_ends_mail_however_it_is_cut() {
        let mail = b"a\r\n..\r\n.x\r\n\r\r\n.\r\nQUIT\r\n";
        let end = mail.len() - 6;
        for cut in 0..=end {
            let mut matched = 2;
            let first = dot_end(&mail[..cut], &mut matched);
            if cut == end {
                assert_eq!(first, Some(end));
            } else {
                assert_eq!(first, None, "{cut}");
                assert_eq!(
                    dot_end(&mail[cut..], &mut matched),
                    Some(end - cut),
                    "{cut}"
                );
            }
        }
        let mut matched = 2;
        assert_eq!(dot_end(b".\r\n", &mut matched), Some(3));
    }

    fn place(direction: Direction, segments: &[u64], ack: u64) -> Position<'_> {
        Position {
            direction,
            ports: (50_000, 25),
            segments,
            pushed: true,
            push: true,
            offset: segments[0],
            ack: Some(ack),
            other: crate::base::stream::Side {
                delivered: u64::MAX,
                ..Default::default()
            },
            next: Following::Octets,
            limit: 1 << 16,
        }
    }

    /// The mail is known by the server's reply when the command is lost, and by its octets when the reply is.
    #[test]
    fn mail_is_found_where_the_command_or_the_reply_was_lost() {
        let (client, server) = (Direction::Forward, Direction::Reverse);
        let mail = b"Subject: x\r\n\r\nQUIT\r\n.\r\n";
        let mut begun = Lines::new(Dialect::Smtp);
        begun.client = Some(client);
        let is_mail = |lines: &mut Lines, offset| {
            let at = [offset];
            let begin = lines.begin(&place(client, &at, 510), mail);
            matches!(begin, Begin::Message { head, .. } if head == mail.len())
        };

        let mut lines = begun.clone();
        lines.gap(client);
        lines.begin(&place(server, &[500], 106), b"354 go on\r\n");
        assert_eq!(
            lines.clone().search(&place(client, &[106], 511), mail),
            Found::At(0)
        );
        lines.search(&place(client, &[106], 511), mail);
        assert!(is_mail(&mut lines, 106));

        let mut lines = begun.clone();
        lines.begin(&place(client, &[100], 500), b"DATA\r\n");
        assert!(!is_mail(&mut lines.clone(), 106));
        lines.gap(server);
        assert!(is_mail(&mut lines, 106));

        // The first octets of the mail are lost too: nothing in it is a command.
        let mut lines = begun;
        lines.gap(client);
        lines.begin(&place(server, &[500], 106), b"354 go on\r\n");
        let found = lines.search(&place(client, &[112], 511), b"QUIT\r\nNOOP\r\n");
        assert!(matches!(found, Found::Nowhere { .. }));
    }

    #[test]
    fn messages_are_found_behind_lost_lines() {
        for (dialect, role, octets, at) in [
            (
                Dialect::Smtp,
                Role::Client,
                &b"x>\r\nRCPT TO:<b>\r\n"[..],
                4,
            ),
            (
                Dialect::Smtp,
                Role::Server,
                b"250-SIZE\r\n250 HELP\r\n250 next\r\n",
                0,
            ),
            (
                Dialect::Smtp,
                Role::Server,
                b"SIZE\r\n250-X\r\n250 HELP\r\n354 go\r\n",
                23,
            ),
            (Dialect::Ftp, Role::Client, b"RETR a\r\n", 0),
            (Dialect::Pop, Role::Server, b"mail\r\n.\r\n+OK\r\n", 9),
            (Dialect::Imap, Role::Server, b"text\r\n* 2 FETCH (X)\r\n", 6),
        ] {
            let mut lines = Lines::new(dialect);
            lines.fresh = [true; 2];
            assert_eq!(
                lines.find(octets, true, 0, role, |_| false),
                Found::At(at),
                "{}",
                octets.escape_ascii()
            );
        }
    }
}
