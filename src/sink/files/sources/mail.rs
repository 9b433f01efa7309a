//! Mail over SMTP (RFC 5321, RFC 3030) and POP3 (RFC 1939).

use super::super::source::{At, FileSource};
use super::super::transfer::{FileInfo, Transfer};
use super::dotted::DottedText;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::message::{Extent, Kind};
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::Close;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};
use bstr::ByteSlice;
use std::collections::VecDeque;

/// Commands of POP3 that wait for their reply. Clients that send commands ahead send some hundred.
const COMMANDS: usize = 1024;

/// Reads mail.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct Mail;

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct MailConnection {
    /// What the open message of each direction is.
    open: [Option<OpenText>; 2],
    /// A mail that comes in chunks: it is open between messages.
    chunked: Option<ChunkedMail>,
    /// Commands of POP3 without a reply, in order.
    commands: VecDeque<PopCommand>,
    /// Messages were lost, so that replies cannot be counted to commands.
    uncounted: bool,
    /// Where the next message of each direction begins if none is lost.
    next: [Option<u64>; 2],
    counted: usize,
}

/// A message that has octets of a mail.
#[derive(Debug, Serialize, Deserialize)]
struct OpenText {
    /// Offset in the stream where the text begins.
    from: u64,
    content: TextContent,
}

#[derive(Debug, Serialize, Deserialize)]
enum TextContent {
    /// A mail.
    Mail(MailText),
    /// A reply of several lines to a command that is not known: the first of them tells.
    Doubtful(FileInfo),
    /// A chunk of the mail that is open.
    Chunk,
}

/// A mail that ends with a dot.
#[derive(Debug, Serialize, Deserialize)]
struct MailText {
    file: Transfer,
    text: DottedText,
    /// Offset in the file of the next octet.
    at: u64,
    /// What it is may be another thing that begins like a mail.
    in_doubt: bool,
}

/// A mail in chunks of known length (RFC 3030, 2).
#[derive(Debug, Serialize, Deserialize)]
struct ChunkedMail {
    file: Transfer,
    at: u64,
    last: bool,
}

/// What a command of POP3 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum PopCommand {
    /// A whole mail.
    Retr,
    /// Anything else.
    Other,
}

impl MailText {
    const fn new(file: Transfer, in_doubt: bool) -> Self {
        Self {
            file,
            text: DottedText::Line,
            at: 0,
            in_doubt,
        }
    }

    fn data(&mut self, at: &mut At<'_, MailConnection>, octets: &[u8]) {
        let Self {
            file,
            text,
            at: offset,
            ..
        } = self;
        text.read(octets, |octets| {
            at.store.write(at.cx, file, *offset, octets);
            *offset += octets.len() as u64;
        });
    }

    /// `len` octets as they were sent are missing. How many dots of them belong to no mail, nobody knows.
    fn gap(&mut self, len: u64) {
        self.at += len;
        self.file.lost(self.at);
        self.text.gap();
    }

    fn finish(self, at: &mut At<'_, MailConnection>) {
        let ended = self.text == DottedText::Ended && !self.in_doubt;
        at.store.finish(at.cx, self.file, ended.then_some(self.at));
    }
}

impl FileSource for Mail {
    type Connection = MailConnection;

    fn protocols(&self) -> &'static [&'static str] {
        &["smtp", "pop"]
    }

    fn start(&mut self, at: &mut At<'_, MailConnection>, start: &MessageStart<'_>) {
        let direction = at.direction.index();
        let connection = at.kept.get_or_insert_default();
        let lost = connection.next[direction].is_some_and(|next| next != start.offset);
        connection.open[direction] = None;
        let content = match (start.protocol, start.kind) {
            ("smtp", Kind::Request) => sent(at, start, lost),
            ("pop", Kind::Request) => {
                connection.ask(start.head, lost);
                None
            }
            ("pop", Kind::Response) => answered(at, start, lost),
            _ => None,
        };
        if let Some(connection) = at.kept {
            connection.open[direction] = content;
            connection.count(at.cx);
        }
    }

    fn data(&mut self, at: &mut At<'_, MailConnection>, piece: &Piece<'_>) {
        let Some(mut open) = take(at) else { return };
        let head = open.from.saturating_sub(piece.offset);
        let head = usize::try_from(head).unwrap_or(usize::MAX);
        let octets = piece.data.get(head..).unwrap_or_default();
        if octets.is_empty() {
            put_back(at, Some(open));
            return;
        }
        if let TextContent::Doubtful(about) = &open.content {
            if !begins_mail(octets) {
                return;
            }
            let file = at.store.begin(at.cx, about.clone());
            open.content = TextContent::Mail(MailText::new(file, true));
        }
        match &mut open.content {
            TextContent::Mail(mail) => {
                mail.file.about.seen(piece.frame, piece.time);
                mail.data(at, octets);
            }
            TextContent::Chunk => {
                if let Some(connection) = at.kept
                    && let Some(mail) = &mut connection.chunked
                {
                    mail.file.about.seen(piece.frame, piece.time);
                    at.store.write(at.cx, &mut mail.file, mail.at, octets);
                    mail.at += octets.len() as u64;
                }
            }
            TextContent::Doubtful(_) => {}
        }
        put_back(at, Some(open));
    }

    fn gap(&mut self, at: &mut At<'_, MailConnection>, gap: &MessageGap) {
        let Some(mut open) = take(at) else { return };
        let len = (gap.offset + gap.len).saturating_sub(gap.offset.max(open.from));
        match &mut open.content {
            TextContent::Mail(mail) => mail.gap(len),
            TextContent::Chunk => {
                if let Some(connection) = at.kept
                    && let Some(mail) = &mut connection.chunked
                {
                    mail.at += len;
                }
            }
            // Its first line tells nothing any more.
            TextContent::Doubtful(_) => return,
        }
        put_back(at, Some(open));
    }

    fn jump(&mut self, at: &mut At<'_, MailConnection>) {
        let Some(mut open) = take(at) else { return };
        match &mut open.content {
            TextContent::Mail(mail) => mail.gap(0),
            TextContent::Chunk => {
                if let Some(connection) = at.kept
                    && let Some(mail) = &mut connection.chunked
                {
                    mail.file.lost(mail.at);
                }
            }
            TextContent::Doubtful(_) => return,
        }
        put_back(at, Some(open));
    }

    fn end(&mut self, at: &mut At<'_, MailConnection>, end: &MessageEnd) {
        let open = take(at);
        let direction = at.direction.index();
        if let Some(connection) = at.kept {
            connection.next[direction] = Some(end.offset);
            connection.uncounted |= !end.whole;
        }
        match open.map(|open| open.content) {
            Some(TextContent::Mail(mail)) => mail.finish(at),
            Some(TextContent::Chunk) => {
                let Some(connection) = at.kept else { return };
                let Some(mail) = &mut connection.chunked else {
                    return;
                };
                if !end.whole && end.extent_unknown {
                    mail.file.lost(mail.at);
                }
                if mail.last {
                    let len = mail.at;
                    finish_chunked(at, (end.whole || !end.extent_unknown).then_some(len));
                }
            }
            Some(TextContent::Doubtful(_)) | None => {}
        }
    }

    fn closed(&mut self, at: &mut At<'_, MailConnection>, _: Close) {
        finish_chunked(at, None);
        if let Some(connection) = at.kept {
            connection.commands = VecDeque::new();
            at.cx.budget.give(std::mem::take(&mut connection.counted));
        }
    }
}

impl MailConnection {
    /// A command of POP3.
    fn ask(&mut self, line: &[u8], lost: bool) {
        self.uncounted |= lost || self.commands.len() >= COMMANDS;
        if !self.uncounted {
            self.commands.push_back(match words(line).next() {
                Some(verb) if verb.eq_ignore_ascii_case(b"RETR") => PopCommand::Retr,
                _ => PopCommand::Other,
            });
        }
    }

    fn count(&mut self, cx: &mut Context) {
        let now = size_of::<Self>() + self.commands.capacity() * size_of::<PopCommand>();
        cx.budget.rebook(&mut self.counted, now);
    }
}

/// What a client of SMTP sends: a command is one line; what has several is the mail.
fn sent(at: &mut At<'_, MailConnection>, start: &MessageStart<'_>, lost: bool) -> Option<OpenText> {
    let (line, is_line) = first_line(start);
    let connection = at.kept.as_mut()?;
    if lost && let Some(mail) = &mut connection.chunked {
        mail.file.lost(mail.at);
    }
    if let Some(last) = chunk(line) {
        let mail = connection.chunked.get_or_insert_with(|| ChunkedMail {
            file: at
                .store
                .begin(at.cx, about(at.flow, at.direction, start, "BDAT")),
            at: 0,
            last: false,
        });
        mail.last = last;
        return Some(OpenText {
            from: start.offset + line.len() as u64,
            content: TextContent::Chunk,
        });
    }
    if !is_line || ends_mail(line) {
        finish_chunked(at, None);
    }
    (!is_line).then(|| {
        let about = about(at.flow, at.direction, start, "DATA");
        OpenText {
            from: start.offset,
            content: TextContent::Mail(MailText::new(at.store.begin(at.cx, about), false)),
        }
    })
}

/// What a server of POP3 sends: a reply of several lines to RETR is a mail.
fn answered(
    at: &mut At<'_, MailConnection>,
    start: &MessageStart<'_>,
    lost: bool,
) -> Option<OpenText> {
    let (line, is_line) = first_line(start);
    let connection = at.kept.as_mut()?;
    connection.uncounted |= lost;
    // The greeting answers nothing.
    let greets = connection.next[at.direction.index()].is_none();
    let asked = match connection.uncounted {
        true => None,
        false => connection.commands.pop_front(),
    };
    let about = || about(at.flow, at.direction, start, "RETR");
    let content = match asked {
        _ if is_line => return None,
        Some(PopCommand::Retr) => {
            TextContent::Mail(MailText::new(at.store.begin(at.cx, about()), false))
        }
        Some(PopCommand::Other) => return None,
        None if greets && !connection.uncounted => return None,
        // Servers say how long the mail is that was asked for, and nothing of the kind of what else they send.
        None if line.contains_str("octets") => {
            TextContent::Mail(MailText::new(at.store.begin(at.cx, about()), false))
        }
        None => TextContent::Doubtful(about()),
    };
    Some(OpenText {
        from: start.offset + line.len() as u64,
        content,
    })
}

/// A mail that begins with this message.
fn about(flow: &Flow, direction: Direction, start: &MessageStart<'_>, command: &str) -> FileInfo {
    let first = (start.frame, start.time);
    FileInfo::mail(start.protocol, command, flow, direction, first)
}

/// The first line of a message, with its end, and whether there is nothing else.
fn first_line<'a>(start: &MessageStart<'a>) -> (&'a [u8], bool) {
    let end = start
        .head
        .find_byte(b'\n')
        .map_or(start.head.len(), |lf| lf + 1);
    let all = matches!(start.extent, Extent::Known(len) if len == end as u64);
    (&start.head[..end], all)
}

/// Takes what is open in the direction.
fn take(at: &mut At<'_, MailConnection>) -> Option<OpenText> {
    at.kept.as_mut()?.open[at.direction.index()].take()
}

fn put_back(at: &mut At<'_, MailConnection>, open: Option<OpenText>) {
    if let Some(connection) = at.kept {
        connection.open[at.direction.index()] = open;
    }
}

/// The mail that came in chunks has ended. `len`: octets that it should have; `None` where chunks may be missing.
fn finish_chunked(at: &mut At<'_, MailConnection>, len: Option<u64>) {
    if let Some(connection) = at.kept
        && let Some(mail) = connection.chunked.take()
    {
        at.store.finish(at.cx, mail.file, len);
    }
}

/// The line announces a chunk (RFC 3030, 2): whether it is the last one.
fn chunk(line: &[u8]) -> Option<bool> {
    let mut words = words(line);
    let verb = words.next()?;
    words.next()?;
    let last = words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case(b"LAST"));
    verb.eq_ignore_ascii_case(b"BDAT").then_some(last)
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// The command ends a mail whose last chunk has not come (RFC 5321, 4.1.1.5): another one begins, or none.
fn ends_mail(line: &[u8]) -> bool {
    let verb = words(line).next().unwrap_or_default();
    let verbs: [&[u8]; 6] = [b"MAIL", b"RSET", b"QUIT", b"EHLO", b"HELO", b"LHLO"];
    verbs.iter().any(|known| verb.eq_ignore_ascii_case(known))
}

/// A field of a header section begins the text (RFC 5322, 2.2): no list of a mailbox or of capabilities does.
fn begins_mail(text: &[u8]) -> bool {
    let end = text.find_byteset(b": \t\r\n").unwrap_or(text.len());
    end > 0 && text.get(end) == Some(&b':') && text[..end].iter().all(u8::is_ascii_graphic)
}
