//! Protocols of lines, such as those of mail. A message is a command, or a whole reply, with the data that belongs to it;
//! mail that a client sends behind a command of its own is one too.

use super::fields::MessageFields;
use super::framing::{
    Begin, BodyPart, Detector, DoubtEnds, Following, Found, Framer, MessageBody, Position, Probe,
};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use memchr::{memchr, memmem};
use std::collections::VecDeque;
use std::marker::PhantomData;

/// A line longer than this is none. Standards have 512 to 1000 octets, but servers of IMAP take commands of 64 KiB.
// Half would lose valid commands of IMAP; twice would double what an endless line may hold of each
// connection.
const LINE: usize = 64 << 10;
/// Commands that wait for their reply: more than clients send ahead. Behind that the count is lost, not the connection.
// Each takes 32 octets: eight kilobytes for a connection that pipelines without end.
const COMMANDS: usize = 256;

/// Mails that a server can have asked for which its client has not sent yet, by clocks that differ: half a second has room for
/// some.
const MAILS: usize = 32;

/// How the replies of a server are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replies {
    /// Lines with a code of three digits, of which a hyphen says that another follows (RFC 5321, 4.2).
    Coded {
        /// The code that agrees to TLS.
        tls: u16,
    },
    /// `+OK` or `-ERR`, and lines up to a single dot where the command asks for them (RFC 1939, 3).
    Status,
    /// Lines that begin with `*`, `+` or the tag of the command, with literals (RFC 9051, 2.2.2 and 4.3).
    Tagged,
}

/// What a command makes of the octets that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// Mail follows, if the server agrees.
    Mail,
    /// TLS follows, if the server agrees.
    Tls,
    /// So many octets follow at once, and belong to the command.
    Octets(u64),
}

/// What distinguishes one such protocol from another.
#[derive(Debug)]
pub(super) struct LineDialect {
    /// The commands.
    pub(super) verbs: &'static [&'static [u8]],
    /// How replies are built. Where they have tags, commands have them too, and literals.
    pub(super) replies: Replies,
    /// A client sends nothing but lines, each in one segment.
    pub(super) only_lines: bool,
    /// A client may send mail when the server agrees, so that replies have to be awaited.
    pub(super) mail: bool,
    /// The first octets of a connection, four at most and without a line feed, may begin a server's greeting.
    pub(super) may_greet: fn(&[u8]) -> bool,
    /// The first line of a server says that it speaks this protocol.
    pub(super) is_greeting: fn(&[u8]) -> bool,
    /// The command in the first line of a client says that it speaks this protocol.
    pub(super) is_opening: fn(&[u8]) -> bool,
    /// What a command, with its whole line, makes of what follows it.
    pub(super) effect: fn(&[u8], &[u8]) -> Effect,
    /// Where replies have a status: the reply to this command, which has no argument or some, has several lines.
    pub(super) has_many_lines: fn(&[u8], bool) -> bool,
    /// The whole line has the form that its command demands: where commands are looked for among lines of text.
    pub(super) is_well_formed: fn(&[u8], &[u8]) -> bool,
    /// The reply to this command, with its whole line, may have mail in it, by its length.
    pub(super) fetches: fn(&[u8], &[u8]) -> bool,
}

/// A protocol of lines.
pub(super) trait LineProtocol {
    /// Its dialect.
    const DIALECT: &'static LineDialect;
}

impl LineDialect {
    /// A dialect of which only what is usual is said.
    pub(super) const USUAL: Self = Self {
        verbs: &[],
        replies: Replies::Status,
        only_lines: false,
        mail: false,
        may_greet: |_| false,
        is_greeting: |_| false,
        is_opening: |_| false,
        effect: |_, _| Effect::None,
        has_many_lines: |_, _| false,
        is_well_formed: |_, _| true,
        fetches: |_, _| false,
    };

    /// The command of a line, if it is a known one.
    // An unknown word is no command, so that mail text is not taken for commands after a loss.
    pub(super) fn verb(&self, line: &[u8]) -> Option<&'static [u8]> {
        let mut words = line.trim_ascii_end().split(|o| *o == b' ');
        let mut word = words.next()?;
        if self.replies == Replies::Tagged {
            if !is_tag(word) {
                return None;
            }
            word = words.next()?;
        }
        self.verbs
            .iter()
            .find(|verb| verb.eq_ignore_ascii_case(word))
            .copied()
    }

    /// Octets without a line feed that a message may begin with.
    fn may_begin(&self, octets: &[u8]) -> bool {
        if !is_text(octets) {
            // Commands of these begin with a tag, or may be anything; nothing else can be demanded
            // of them.
            return false;
        }
        if self.replies == Replies::Tagged || self.only_lines {
            return true;
        }
        let word = octets.split(|o| *o == b' ').next().unwrap_or_default();
        // Verbs are short: more of a line need not be compared.
        let word = &word[..word.len().min(8)];
        let verb = |v: &&[u8]| {
            v.get(..word.len())
                .is_some_and(|v| v.eq_ignore_ascii_case(word))
        };
        self.verbs.iter().any(verb) || octets.iter().take(3).all(u8::is_ascii_digit)
    }

    /// The command of a line that has the form which it demands.
    fn well_formed(&self, line: &[u8]) -> Option<&'static [u8]> {
        let verb = self.verb(line)?;
        (self.is_well_formed)(verb, line.trim_ascii_end()).then_some(verb)
    }

    /// Octets in which lines of text may stand begin with a command: up to where its segment ends there is nothing else, but for
    /// what is counted behind one. The last may be cut where the first begins its segment. `segment`: one begins so many octets
    /// behind the first.
    fn are_commands(&self, octets: &[u8], segment: impl Fn(usize) -> bool) -> bool {
        let mut at = 0;
        loop {
            let rest = &octets[at..];
            let Some(lf) = memchr(b'\n', rest) else {
                return segment(0) && self.may_begin(rest);
            };
            let line = &rest[..lf];
            let Some(verb) = self.well_formed(line) else {
                return false;
            };
            at += lf + 1;
            let counted = matches!((self.effect)(verb, line), Effect::Octets(_));
            if counted || at == octets.len() || segment(at) {
                return true;
            }
        }
    }

    /// A line that a server sends as the first of a reply.
    fn is_reply(&self, line: &[u8]) -> bool {
        match self.replies {
            Replies::Coded { .. } => code(line).is_some(),
            Replies::Status => {
                [&b"+OK"[..], b"-ERR"].iter().any(|word| {
                    line.strip_prefix(*word)
                        .is_some_and(|rest| rest.first().is_none_or(|o| b" \r".contains(o)))
                }) || line.starts_with(b"+ ")
            }
            Replies::Tagged => {
                line.starts_with(b"* ")
                    || line.starts_with(b"+ ")
                    || line == b"+\r"
                    || completion(line).is_some()
            }
        }
    }
}

/// The code of a reply, and whether lines follow.
pub(super) fn code(line: &[u8]) -> Option<(u16, bool)> {
    // RFC 5321 and RFC 959 go up to 5; RFC 2228 brought the 6.
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

/// The first octets, four at most, of a greeting with the code 220.
pub(super) fn is_begun_greeting(start: &[u8]) -> bool {
    start
        .iter()
        .zip(b"220 ")
        // The fourth octet shows whether more lines follow.
        .all(|(a, b)| a == b || (*b == b' ' && *a == b'-'))
}

/// The line has this word somewhere, in whatever case.
pub(super) fn contains_word(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word))
}

/// The tag of a command (RFC 9051, 2.2.1).
fn is_tag(word: &[u8]) -> bool {
    // Tags are short; a bound keeps prose from being one.
    (1..=32).contains(&word.len())
        && word
            .iter()
            .all(|o| o.is_ascii_alphanumeric() || b"._-/:".contains(o))
}

/// The line that completes a command with this tag: whether it succeeded.
pub(super) fn completion(line: &[u8]) -> Option<bool> {
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

/// The literal that a line announces (RFC 9051, 4.3), also the binary one.
pub fn literal(line: &[u8]) -> Option<u64> {
    let line = line
        .strip_suffix(b"\r")
        .unwrap_or(line)
        .strip_suffix(b"}")?;
    let open = line.iter().rposition(|o| *o == b'{')?;
    let digits = &line[open + 1..];
    // The `+` marks a literal that is sent without asking (RFC 7888).
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    let number = digits.iter().try_fold(0u64, |n, d| {
        let digit = d.is_ascii_digit().then(|| u64::from(d - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    });
    // A literal of a terabyte is an attack on whoever adds it to an offset.
    number.filter(|n| !digits.is_empty() && *n < 1 << 40)
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|o| matches!(o, b' ' | b'\r'))
        .filter(|w| !w.is_empty())
}

/// What of a message has a name: the command in capital letters and what stands behind it, or the code or status of a reply and its
/// words. Mail has nothing.
pub(super) fn fields(dialect: &LineDialect, m: &[u8], to: &mut MessageFields) {
    let line = m.split(|c| *c == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let tagged = dialect.replies == Replies::Tagged;
    let (tag, words) = match memchr(b' ', line) {
        Some(space) if tagged => (&line[..space], &line[space + 1..]),
        _ => (&[][..], line),
    };
    let space = memchr(b' ', words).unwrap_or(words.len());
    let (first, rest) = words.split_at(space);
    let rest = rest.strip_prefix(b" ").filter(|rest| !rest.is_empty());
    match (dialect.replies, code(line)) {
        (Replies::Coded { .. }, Some((code, _))) => {
            to.number("code", code.into());
            let text = line.get(4..).filter(|text| !text.is_empty());
            to.text_if("text", text);
            return;
        }
        (Replies::Status, _) if line.starts_with(b"+") || line.starts_with(b"-") => {
            to.text("status", first);
            to.text_if("text", rest);
            return;
        }
        (Replies::Tagged, _) if completion(line).is_some() => {
            to.text("tag", tag);
            to.write("status", |out| {
                out.push_str(&String::from_utf8_lossy(first).to_ascii_uppercase());
            });
            to.text_if("text", rest);
            return;
        }
        _ => {}
    }
    if let Some(verb) = dialect.verb(line) {
        if tagged {
            to.text("tag", tag);
        }
        to.text("command", verb);
        to.text_if("argument", rest);
    }
}

/// Octets that a line of text has.
fn is_text(line: &[u8]) -> bool {
    line.iter()
        .all(|o| *o >= b' ' || matches!(o, b'\t' | b'\r'))
}

impl Detector for LineDialect {
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        // A greeting or a command of a thousand octets is none (RFC 5321, 4.5.3.1 has 512).
        let Some(end) = memchr(b'\n', &octets[..octets.len().min(1024)]) else {
            let begins = (self.may_greet)(&octets[..octets.len().min(4)]);
            let word = octets.iter().take(4).all(u8::is_ascii_graphic);
            let may = octets.len() < 512 && is_text(octets) && (begins || (hinted && word));
            return if may { Probe::More } else { Probe::No };
        };
        let line = &octets[..end];
        let verb = self.verb(line);
        let known = (self.is_greeting)(line) || verb.is_some_and(self.is_opening);
        let by_port = hinted && (self.is_reply(line) || verb.is_some());
        // By the port alone any reply or command does; without a hint only a greeting or an opening
        // that nobody else uses.
        if is_text(line) && (known || by_port) {
            Probe::Yes
        } else {
            Probe::No
        }
    }

    fn settles(&self, octets: &[u8], hinted: bool, ends: DoubtEnds) -> bool {
        // What the snapshot length has left of a greeting.
        let begins = octets.len() > 3 && (self.may_greet)(&octets[..4]);
        hinted && ends == DoubtEnds::NoMore && begins
    }

    fn search(&self, octets: &[u8], hinted: bool, more: bool) -> Found {
        // A line such as "200 OK" stands in too many protocols to be looked for everywhere.
        if !hinted {
            return Found::Nowhere { keep: octets.len() };
        }
        let mut lost = Lost {
            fresh: true,
            dots: false,
        };
        lost.find(self, octets, more, Role::Either, |_| false)
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
    /// The rest of a literal whose length is not known, and of the line behind it: up to a reply.
    Rest,
}

/// What follows the last command, if the server agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum After {
    Nothing,
    Data,
    Tls,
}

/// A command that is not answered yet.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct PendingCommand {
    offset: u64,
    ack: Option<u64>,
    /// Its reply has several lines.
    many: bool,
}

/// Frames one connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct LineFramer<P> {
    protocol: PhantomData<P>,
    /// The direction that commands come from.
    client: Option<Direction>,
    /// How far each direction has been looked through for the end of its reply or line.
    looked: [usize; 2],
    inner: [Inner; 2],
    lost: [Lost; 2],
    after: After,
    /// The server waits for mail.
    go: bool,
    /// Replies were lost since the last one.
    replies_lost: bool,
    /// Where that mail begins: what the server acknowledged when it asked for it.
    mail: Option<u64>,
    /// Where the latest mails begin that it has asked for: its clock may be ahead of the client's by several of them.
    mails: [u64; MAILS],
    /// Commands that are not answered yet, where the reply does not say which it answers.
    commands: VecDeque<PendingCommand>,
    /// Nothing was lost since a reply was matched.
    counting: bool,
    /// Octets are missing in the lines, up to one with a dot, that each direction's open message has.
    bridged: [Option<Bridge>; 2],
    /// What the first octets of each direction's open message acknowledged.
    acknowledged: [Option<u64>; 2],
    /// Octets of the last hole in what the client sent.
    hole: Option<u64>,
    /// What the first octets of the client's mail acknowledged, where no command was met since.
    mail_acknowledged: Option<u64>,
    /// Where the server's latest reply that asked for mail ends.
    asked: Option<u64>,
    /// Where each direction's message begins whose first octets are missing.
    front: [Option<u64>; 2],
    /// The client has asked for mail whose length stands ahead of it, and the reply is not complete.
    fetching: bool,
}

/// Where lines that a dot ends go on behind a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Bridge {
    /// Nothing of them has been seen yet behind it.
    Begins,
    /// They have been looked through for the dot.
    GoesOn,
}

/// What is known of a direction where its next message is looked for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Lost {
    /// A segment or a line begins where the next octets are looked for.
    fresh: bool,
    /// Octets are missing inside lines that a dot ends.
    dots: bool,
}

impl<P> Default for LineFramer<P> {
    fn default() -> Self {
        Self {
            protocol: PhantomData,
            client: None,
            looked: [0; 2],
            inner: [Inner::None; 2],
            lost: [Lost::default(); 2],
            after: After::Nothing,
            go: false,
            replies_lost: false,
            mail: None,
            mails: [0; MAILS],
            commands: VecDeque::new(),
            counting: true,
            bridged: [None; 2],
            acknowledged: [None; 2],
            hole: None,
            mail_acknowledged: None,
            asked: None,
            front: [None; 2],
            fetching: false,
        }
    }
}

impl<P: LineProtocol> LineFramer<P> {
    /// A framer that knows which direction commands come from.
    #[cfg(test)]
    pub(super) fn with_client(client: Direction) -> Self {
        Self {
            client: Some(client),
            ..Self::default()
        }
    }

    /// The end of the line at `from`, line feed included, from where it was looked for last.
    // Only octets that were not looked at before: a line in pieces of one octet would be quadratic.
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

    /// The lines that a dot ends, and of which octets are missing, cannot go on here: their dot was lost too.
    ///
    /// Who sends mail waits for the reply to it, so what acknowledges more than the mail's first octets did was sent behind
    /// its end. Who receives it asks for the next one when it is there: a segment that begins with a reply, and acknowledges the
    /// next command, is that command's.
    fn is_behind_dot(&self, at: &Position, octets: &[u8]) -> bool {
        if self.client == Some(at.direction) {
            let begun = self.acknowledged[at.direction.index()];
            return at.ack.zip(begun).is_some_and(|(ack, begun)| ack > begun);
        }
        let line = memchr(b'\n', octets).map_or(octets, |lf| &octets[..lf]);
        let asked = self
            .commands
            .front()
            .is_some_and(|next| at.ack.is_some_and(|ack| next.offset < ack));
        // Where no command was captured, or some are missing, a reply that begins a segment is more likely than such a line of mail;
        // one with a space behind the plus may stand in a patch.
        let missed = (!self.counting || is_unheard(at)) && !line.starts_with(b"+ ");
        (asked || !at.other.seen || missed) && at.segment(0) && P::DIALECT.is_reply(line)
    }

    fn begin_reply(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let d = at.direction.index();
        // The command decides how a reply ends, and it was captured on the other stream.
        if let Some(until) = at.wait_for_other() {
            return Begin::Wait(until);
        }
        let message = |head: usize, body: MessageBody, hand_over: bool| Begin::Message {
            kind: Kind::Response,
            head,
            body,
            hand_over,
        };
        match P::DIALECT.replies {
            Replies::Coded { tls } => {
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
                            // A reply of many lines is bounded by the limit for headers.
                            return if octets.len() < at.limit {
                                Begin::NeedMore
                            } else {
                                Begin::Refuse
                            };
                        };
                        let line = &octets[head..head + lf];
                        head += lf + 1;
                        // Only the same code ends it: servers may have other numbers in the text
                        // (RFC 5321, 4.2.1).
                        if self::code(line) == Some((code, false)) {
                            break;
                        }
                    }
                }
                // Before the message, since the next reply begins its own line.
                self.looked[d] = 0;
                self.replies_lost = false;
                // 354 asks for mail. What it acknowledges is where the mail begins, even if the
                // command before it was lost.
                self.go = code == 354;
                self.mail = at.ack.filter(|_| self.go);
                if self.go {
                    self.asked = Some(at.offset + head as u64);
                }
                if let Some(mail) = self.mail {
                    self.mails.rotate_right(1);
                    self.mails[0] = mail;
                }
                // Another answer than 354 means that no mail comes: then lines with dots are none
                // either.
                self.lost[d ^ 1].dots &= self.go;
                let switches = self.after == After::Tls && code == tls;
                message(head, MessageBody::Octets(0), switches)
            }
            Replies::Status => {
                let head = match self.line_end(d, octets) {
                    Ok(head) => head,
                    Err(begin) => return begin,
                };
                let line = &octets[..head - 1];
                if !P::DIALECT.is_reply(line) && !line.starts_with(b"+") {
                    return Begin::Refuse;
                }
                let good = line.starts_with(b"+OK");
                let switches = self.after == After::Tls && good;
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
                    // `CR LF` are matched already: the list may be empty, with the dot on the first
                    // line.
                    self.inner[d] = Inner::Dot(2);
                    return message(head, MessageBody::Parts, false);
                }
                message(head, MessageBody::Octets(0), switches)
            }
            Replies::Tagged => {
                let head = match self.line_end(d, octets) {
                    Ok(head) => head,
                    Err(begin) => return begin,
                };
                let line = &octets[..head - 1];
                if !P::DIALECT.is_reply(line) {
                    return Begin::Refuse;
                }
                let completed = completion(line);
                self.fetching &= completed.is_none();
                let switches = self.after == After::Tls && completed == Some(true);
                let body = self.literal_body(d, line);
                message(head, body, switches)
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
        // The acknowledgment names the command exactly, whatever was lost before it.
        let exact = self.commands.iter().position(|c| c.ack == Some(at.offset));
        if let Some(i) = exact {
            self.commands.drain(..i);
            self.counting = true;
        } else if !self.counting || is_unheard(at) {
            // Counting goes on only while no command was missed.
            return None;
        }
        match self.commands.front().copied() {
            // A reply cannot answer a command that had not been received.
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
        let told = self.mails.contains(&at.offset);
        if self.after != After::Nothing || told {
            // Mail or command: the server's answer to DATA or STARTTLS says which.
            if let Some(until) = at.wait_for_other() {
                return Begin::Wait(until);
            }
            // Where the reply was lost, mail is what is no command.
            // With the reply lost, a known verb is taken for a command: one that follows a refused
            // DATA is likelier than mail that begins with a verb.
            // Where the server's clock is far ahead, what it said is forgotten.
            let forgotten = self.mails.iter().all(|mail| *mail > at.offset);
            let mail = told
                || self.go
                || (self.replies_lost || forgotten || is_unheard(at))
                    && memchr(b'\n', octets)
                        .is_some_and(|lf| P::DIALECT.verb(&octets[..lf]).is_none());
            if (self.after == After::Data || told) && mail {
                self.after = After::Nothing;
                (self.go, self.mail) = (false, None);
                self.mail_acknowledged = at.ack;
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
        // Control characters: TLS or something else has begun.
        if !is_text(line) {
            return Begin::Refuse;
        }
        // Whatever was expected, the client has sent a command.
        self.after = After::Nothing;
        self.mail_acknowledged = None;
        let mut body = MessageBody::Octets(0);
        let verb = P::DIALECT.verb(line).unwrap_or_default();
        match (P::DIALECT.effect)(verb, line) {
            Effect::Mail => self.after = After::Data,
            Effect::Tls => self.after = After::Tls,
            Effect::Octets(n) => body = MessageBody::Octets(n),
            Effect::None if P::DIALECT.replies == Replies::Tagged => {
                // What it sent since may have been captured ahead of the reply.
                self.fetching |= (P::DIALECT.fetches)(verb, line);
                body = self.literal_body(d, line);
            }
            Effect::None => {}
        }
        if P::DIALECT.replies == Replies::Status {
            if self.commands.len() >= COMMANDS {
                // The oldest goes, and with it the count: matching by number alone would now be
                // wrong.
                self.commands.pop_front();
                self.counting = false;
            }
            self.commands.push_back(PendingCommand {
                offset: at.offset,
                ack: at.ack,
                many: (P::DIALECT.has_many_lines)(verb, words(line).count() < 2),
            });
        }
        Begin::Message {
            kind: Kind::Request,
            head,
            body,
            hand_over: false,
        }
    }
}

impl<P: LineProtocol> LineFramer<P> {
    /// What stands behind octets that are missing, of a message that begins with them: more of it, or what follows it.
    fn begin_behind(&mut self, at: &Position, octets: &[u8], from: u64) -> Begin {
        let d = at.direction.index();
        if let Some(until) = at.wait_for_other() {
            return Begin::Wait(until);
        }
        let client = self.client == Some(at.direction);
        let goes_on = if client {
            self.is_mail_behind(at, octets, from)
        } else {
            self.is_reply_behind(at, octets, from)
        };
        if !goes_on {
            self.gap(at.direction);
            return Begin::Refuse;
        }
        if client {
            self.after = After::Nothing;
            (self.go, self.mail) = (false, None);
            let begun = self.asked.take().or(at.ack);
            self.mail_acknowledged = begun;
            self.acknowledged[d] = begun;
        }
        self.inner[d] = match P::DIALECT.replies {
            Replies::Tagged => Inner::Rest,
            Replies::Coded { .. } | Replies::Status => Inner::Dot(0),
        };
        self.bridged[d] = Some(Bridge::Begins);
        Begin::Message {
            kind: match client {
                true => Kind::Request,
                false => Kind::Response,
            },
            head: 0,
            body: MessageBody::Parts,
            hand_over: false,
        }
    }

    /// The mail that a client was asked for begins with the octets that are missing, and goes on behind them.
    fn is_mail_behind(&self, at: &Position, octets: &[u8], from: u64) -> bool {
        let told = self.mails.contains(&from);
        // Who sends mail hears nothing before its end.
        if let Some((ack, asked)) = at.ack.zip(self.asked)
            && (told || self.go)
        {
            return ack <= asked;
        }
        if told || self.go {
            return true;
        }
        let line = memchr(b'\n', octets).map_or(octets, |lf| &octets[..lf]);
        (self.replies_lost || is_unheard(at)) && P::DIALECT.verb(line).is_none()
    }

    /// The reply that was due has several lines, begins with the octets that are missing, and goes on behind them.
    fn is_reply_behind(&mut self, at: &Position, octets: &[u8], from: u64) -> bool {
        let line = memchr(b'\n', octets).map_or(octets, |lf| &octets[..lf]);
        let replies = match P::DIALECT.replies {
            Replies::Tagged => is_sure_reply(line),
            Replies::Coded { .. } | Replies::Status => P::DIALECT.is_reply(line),
        };
        // Its command may be among what was lost: a reply that begins a segment is likelier than such a line of mail.
        if at.segment(0) && replies {
            return false;
        }
        if P::DIALECT.replies == Replies::Tagged {
            return true;
        }
        let begun = Position {
            offset: from,
            ..*at
        };
        self.answered(&begun, true) == Some(true) && !self.is_behind_dot(at, octets)
    }
}

/// A reply that hardly a line of mail is taken for: one that completes a command, is about a message by its number, or says what
/// it is (RFC 9051, 7).
fn is_sure_reply(line: &[u8]) -> bool {
    const NUMBERED: &[&[u8]] = &[b"FETCH", b"EXISTS", b"EXPUNGE", b"RECENT"];
    const NAMED: &[&[u8]] = &[
        b"OK",
        b"NO",
        b"BAD",
        b"BYE",
        b"PREAUTH",
        b"CAPABILITY",
        b"ENABLED",
        b"FLAGS",
        b"LIST",
        b"LSUB",
        b"STATUS",
        b"SEARCH",
        b"ESEARCH",
        b"NAMESPACE",
    ];
    let untagged = line.strip_prefix(b"* ").is_some_and(|rest| {
        let mut words = words(rest);
        let first = words.next().unwrap_or_default();
        let number = first.iter().all(u8::is_ascii_digit);
        NAMED.contains(&first) || (number && words.next().is_some_and(|w| NUMBERED.contains(&w)))
    });
    untagged || completion(line).is_some()
}

/// Where the rest of a literal, and the line behind it, end: behind a parenthesis that ends a line ahead of a reply. `Err`: so many
/// octets are no end, whatever follows.
fn rest_end(octets: &[u8], more: bool) -> Result<usize, usize> {
    let mut at = 0;
    while let Some(hit) = memmem::find(&octets[at..], b")\r\n") {
        let end = at + hit + 3;
        let next = &octets[end..];
        match memchr(b'\n', next) {
            Some(lf) if is_sure_reply(&next[..lf]) => return Ok(end),
            None if more && next.len() < LINE => return Err(end - 3),
            _ => at = end,
        }
    }
    // The three octets may be cut by the end.
    let cut = [&b")\r"[..], b")"]
        .into_iter()
        .find(|cut| octets.ends_with(cut));
    Err(octets.len() - cut.filter(|_| more).map_or(0, |cut| cut.len()))
}

/// Octets of the commands ahead of a mail, together, at most: it may have some receivers. Segments of mail are longer, but for its
/// last.
const COMMANDS_LOST: u64 = 512;

/// A mail begins with a field of its header (RFC 5322, 3.6).
fn is_mail(octets: &[u8]) -> bool {
    const FIELDS: &[&[u8]] = &[
        b"received",
        b"return-path",
        b"from",
        b"to",
        b"subject",
        b"date",
        b"message-id",
        b"mime-version",
        b"dkim-signature",
    ];
    let Some(lf) = memchr(b'\n', octets) else {
        return false;
    };
    let colon = memchr(b':', &octets[..lf]).unwrap_or(0);
    let name = &octets[..colon];
    let known = FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
    // Another field, or a line that goes on with this one.
    let next = octets.get(lf + 1..).unwrap_or_default();
    let line = &next[..memchr(b'\n', next).unwrap_or(next.len())];
    let token = |name: &[u8]| !name.is_empty() && name.iter().all(|o| o.is_ascii_graphic());
    let goes_on = matches!(next.first(), Some(b' ' | b'\t'));
    known && (goes_on || memchr(b':', line).is_some_and(|colon| token(&line[..colon])))
}

/// The other side has sent something that this one has received and the capture lacks, or nothing of it was captured.
fn is_unheard(at: &Position) -> bool {
    !at.other.seen || at.ack.is_some_and(|ack| at.other.delivered < ack)
}

impl Lost {
    /// The next line that begins a message.
    fn find(
        &mut self,
        dialect: &LineDialect,
        octets: &[u8],
        more: bool,
        role: Role,
        segment: impl Fn(usize) -> bool,
    ) -> Found {
        let mut at = 0;
        // `fresh` is used up by this look and set again where it holds.
        // A message may begin at the line in hand; a command may, where a segment begins.
        let mut boundary = std::mem::take(&mut self.fresh);
        let mut starts = boundary || segment(0);
        if self.dots {
            let first = memchr(b'\n', octets).map(|lf| &octets[..lf]);
            // Commands in the middle of lost mail count only if they fill what is there alone: mail
            // text may well begin with a verb.
            let alone = starts
                && first.is_some_and(|line| match role {
                    Role::Server => dialect.is_reply(line),
                    // Several commands may be sent at once, to begin another mail.
                    _ => {
                        let alone = line.len() + 1 == octets.len();
                        (alone || memmem::find(line, b":<").is_some())
                            && octets.split_inclusive(|o| *o == b'\n').all(|line| {
                                let line = line.strip_suffix(b"\n");
                                line.is_some_and(|line| dialect.well_formed(line).is_some())
                            })
                    }
                });
            if !alone {
                let Some(hit) = memmem::find(octets, b"\r\n.\r\n") else {
                    self.fresh = false;
                    // `CR LF . CR LF` may be cut by the end: its first four octets are kept.
                    let keep = octets.len().saturating_sub(if more { 4 } else { 0 });
                    return Found::Nowhere { keep };
                };
                at = hit + 5;
                (boundary, starts) = (true, true);
            }
            self.dots = false;
        }
        loop {
            let rest = &octets[at..];
            let Some(lf) = memchr(b'\n', rest) else {
                // A line that is cut: it is looked at again where it may begin a message.
                // Waits only where it could be a beginning, so that body text is not held.
                let wait = more && starts && rest.len() < LINE && dialect.may_begin(rest);
                self.fresh = starts && boundary;
                return Found::Nowhere {
                    keep: if wait { at } else { octets.len() },
                };
            };
            let line = &rest[..lf];
            let reply = role != Role::Client && dialect.is_reply(line);
            let command = role != Role::Server
                && dialect.well_formed(line).is_some()
                && (!dialect.mail || dialect.are_commands(rest, |i| segment(at + i)))
                || role == Role::Client && dialect.only_lines && segment(at);
            if starts && is_text(line) && ((reply && boundary) || command) {
                return Found::At(at);
            }
            if matches!(dialect.replies, Replies::Coded { .. }) {
                // Behind the last line of a reply the next one begins.
                // A line in the middle of a reply begins nothing.
                boundary = starts && matches!(code(line), Some((_, false)));
                // What stands behind the tail of a lost line, in a segment of its own, was written for itself; lines of a
                // long reply are indented, or have its code.
                let tail = at == 0 && !line.starts_with(b" ") && code(line).is_none();
                let next = at + lf + 1;
                boundary |= tail && (segment(next) || next == octets.len());
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
        // Between ends nothing but a CR matters: the search jumps from one to the next.
        if *matched == 0 {
            match memchr(b'\r', &octets[at..]) {
                Some(hit) => at += hit,
                None => break,
            }
        }
        let octet = octets[at];
        at += 1;
        // Matching goes on across segments by a number of octets; nothing is held for it.
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

impl<P: LineProtocol> Framer for LineFramer<P> {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        self.lost[at.direction.index()].fresh = false;
        self.bridged[at.direction.index()] = None;
        self.acknowledged[at.direction.index()] = at.ack;
        if let Some(from) = self.front[at.direction.index()] {
            return self.begin_behind(at, octets, from);
        }
        if self.client.is_none() {
            // The first whole line shows who is the server.
            let Some(end) = memchr(b'\n', octets) else {
                return if octets.len() < LINE {
                    Begin::NeedMore
                } else {
                    Begin::Refuse
                };
            };
            // A server's reply is easier to recognise than a command, so it is the one that is
            // asked for.
            let reply = P::DIALECT.is_reply(&octets[..end]);
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
        self.front[d] = None;
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
                match self.bridged[d] {
                    Some(_) if self.is_behind_dot(at, octets) => {
                        (self.inner[d], self.bridged[d]) = (Inner::None, None);
                        return BodyPart::Refuse;
                    }
                    // Many clients send the dot on its own: the line end before it stood at the end of the hole.
                    Some(Bridge::Begins) if octets == b".\r\n" => matched = 2,
                    _ => {}
                }
                self.bridged[d] = self.bridged[d].map(|_| Bridge::GoesOn);
                let end = dot_end(octets, &mut matched);
                self.inner[d] = Inner::Dot(matched);
                match end {
                    Some(end) => {
                        (self.inner[d], self.bridged[d]) = (Inner::None, None);
                        BodyPart::Last(end as u64)
                    }
                    None => BodyPart::Octets(octets.len() as u64),
                }
            }
            Inner::Rest => {
                // Its length was in what is missing: it goes on to the reply behind it.
                let line = memchr(b'\n', octets).map_or(octets, |lf| &octets[..lf]);
                if at.segment(0) && is_sure_reply(line) {
                    self.inner[d] = Inner::None;
                    return BodyPart::Refuse;
                }
                match rest_end(octets, at.next == Following::Octets) {
                    Ok(end) => {
                        self.inner[d] = Inner::None;
                        BodyPart::Last(end as u64)
                    }
                    Err(0) if at.next == Following::Octets => BodyPart::NeedMore,
                    Err(0) => BodyPart::Refuse,
                    Err(n) => BodyPart::Octets(n as u64),
                }
            }
            Inner::None => BodyPart::Refuse,
        }
    }

    fn search_waits(&mut self, at: &Position) -> Option<u64> {
        // The server's reply tells whether mail follows.
        // Ahead of a reply that was not seen, mail looks like commands.
        let mail =
            P::DIALECT.mail && self.client == Some(at.direction) && at.next == Following::Octets;
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
            && self.lost[d].dots
            && let Some(begun) = self.mail_acknowledged
            && at.ack.is_some_and(|ack| ack > begun)
        {
            // The server has answered since the mail began, which it does when it has all of it.
            self.lost[d].dots = false;
        }
        if role == Role::Client
            && let Some(mail) = self.mail
        {
            // The command was lost, but the server waits for mail.
            // Its place is known from the acknowledgment: no search for a line is needed.
            match mail.checked_sub(at.offset).map(usize::try_from) {
                Some(Ok(begin)) if begin < octets.len() => {
                    self.after = After::Data;
                    self.lost[d] = Lost::default();
                    return Found::At(begin);
                }
                // It began in the gap.
                None => {
                    let missing = at.offset - mail;
                    let behind = self.lost[d].fresh && self.hole.is_some_and(|n| missing <= n);
                    let heard = at
                        .ack
                        .zip(self.asked)
                        .is_some_and(|(ack, asked)| ack > asked);
                    if behind && !heard {
                        self.front[d] = Some(mail);
                        (self.after, self.go) = (After::Data, true);
                        self.lost[d] = Lost::default();
                        return Found::At(0);
                    }
                    // Only its end can be found.
                    self.lost[d].dots = true;
                    self.mail = None;
                }
                _ => {}
            }
        }
        if role == Role::Client
            && P::DIALECT.mail
            && self.lost[d].fresh
            && !self.lost[d].dots
            && at.segment(0)
            // The server has said something since, and too little is missing for a piece of mail.
            && at.ack > self.acknowledged[d]
            && self.hole.is_some_and(|hole| hole <= COMMANDS_LOST)
            && is_mail(octets)
        {
            // The command and what the server said to it were lost.
            (self.after, self.go) = (After::Data, true);
            self.lost[d] = Lost::default();
            return Found::At(0);
        }
        let more = at.next == Following::Octets;
        self.lost[d].find(P::DIALECT, octets, more, role, |i| at.segment(i))
    }

    fn hole(&mut self, direction: Direction, len: Option<u64>) {
        if self.client == Some(direction) {
            self.hole = len;
        }
    }

    fn gap(&mut self, direction: Direction) {
        let d = direction.index();
        // What was lost may have been a command, or the mail itself.
        let mail = self.after == After::Data && self.client == Some(direction);
        // If octets of mail are missing, its lines are still lines of mail.
        self.lost[d].dots |= mail || matches!(self.inner[d], Inner::Dot(_));
        self.inner[d] = Inner::None;
        self.bridged[d] = None;
        self.front[d] = None;
        self.looked[d] = 0;
        self.lost[d].fresh = true;
        // A lost command leaves the count wrong until a reply matches exactly.
        self.counting = false;
        if self.client == Some(direction) {
            self.after = After::Nothing;
        } else {
            self.replies_lost = true;
        }
    }

    fn goes_on_behind_gap(&mut self, direction: Direction, len: u64) -> bool {
        let d = direction.index();
        self.inner[d] = match self.inner[d] {
            Inner::Dot(_) => Inner::Dot(0),
            Inner::Rest => Inner::Rest,
            // What was announced is counted off.
            Inner::Literal(n) if len < n => {
                self.inner[d] = Inner::Literal(n - len);
                return true;
            }
            Inner::Literal(n) if len == n => {
                self.inner[d] = Inner::Line;
                return true;
            }
            Inner::Literal(_) | Inner::Line | Inner::None => return false,
        };
        self.bridged[d] = Some(Bridge::Begins);
        true
    }

    fn begins_in_gap(&mut self, direction: Direction, offset: u64, _: u64) -> bool {
        let d = direction.index();
        let Some(client) = self.client else {
            return false;
        };
        let due = if client == direction {
            self.after == After::Data || self.mails.contains(&offset)
        } else {
            match P::DIALECT.replies {
                Replies::Coded { .. } => false,
                Replies::Tagged => self.fetching,
                Replies::Status => {
                    let exact = self.commands.iter().find(|c| c.ack == Some(offset));
                    let counted = self.commands.front().filter(|_| self.counting);
                    exact.or(counted).is_some_and(|command| command.many)
                }
            }
        };
        if due {
            self.front[d].get_or_insert(offset);
            self.looked[d] = 0;
        }
        due
    }

    fn begun_in_gap(&self, direction: Direction) -> Option<u64> {
        self.front[direction.index()]
    }

    fn size(&self) -> usize {
        let commands = self.commands.capacity() * size_of::<PendingCommand>();
        allocated(size_of::<Self>()) + allocated(commands)
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
}
