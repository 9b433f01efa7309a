//! Mail over IMAP (RFC 9051): what a server gives of a message as a whole or in pieces, and what a client appends.

use super::super::source::{At, FileSource};
use super::super::transfer::{FileInfo, Transfer};
use super::mail::words;
use crate::base::context::Context;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::Close;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece, literal};
use bstr::ByteSlice;

/// Octets that are kept of a line: what says which literal follows stands in the last of them, and the number of the message in
/// the first line.
const LINE: usize = 4 << 10;
/// Mails that come in pieces at once; the oldest is finished. A client asks for one after the other.
const MAILS: usize = 32;

/// Reads mail.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct Imap;

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct ImapConnection {
    open: [Option<ImapMessage>; 2],
    /// Mails of which pieces have come, the oldest first.
    pieces: Vec<MailInPieces>,
    /// Octets that the client asks for at a time.
    asked: Option<u64>,
    counted: usize,
}

/// The message of a direction.
#[derive(Debug, Serialize, Deserialize)]
struct ImapMessage {
    kind: Kind,
    place: ImapPlace,
    /// Lines that were read.
    lines: u32,
    /// It is a command that appends.
    appends: bool,
    /// The message that a server tells of: its UID, or else its number.
    number: Option<MailNumber>,
    /// Octets that the server says the message has.
    size: Option<u64>,
}

/// Where in a message the next octet stands.
#[derive(Debug, Serialize, Deserialize)]
enum ImapPlace {
    /// In a line, of which these octets came.
    Line(Vec<u8>),
    /// In a literal, with so many octets left.
    Literal(u64, LiteralTarget),
    /// Nobody knows.
    Lost,
}

/// Where the octets of a literal go.
#[derive(Debug, Serialize, Deserialize)]
enum LiteralTarget {
    Nowhere,
    /// Into a file of their own.
    File(Box<Transfer>, u64),
    /// Into a mail that comes in pieces, at this offset.
    Piece(MailNumber, u64),
}

/// How a message of a mailbox is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum MailNumber {
    Uid(u64),
    Sequence(u64),
}

/// A mail that comes in pieces.
#[derive(Debug, Serialize, Deserialize)]
struct MailInPieces {
    number: MailNumber,
    file: Transfer,
    len: Option<u64>,
}

impl FileSource for Imap {
    type Connection = ImapConnection;

    fn protocols(&self) -> &'static [&'static str] {
        &["imap"]
    }

    fn start(&mut self, at: &mut At<'_, ImapConnection>, start: &MessageStart<'_>) {
        let direction = at.direction.index();
        let connection = at.kept.get_or_insert_default();
        connection.open[direction] = Some(ImapMessage {
            kind: start.kind,
            place: ImapPlace::Line(Vec::new()),
            lines: 0,
            appends: false,
            number: None,
            size: None,
        });
        connection.count(at.cx);
    }

    fn data(&mut self, at: &mut At<'_, ImapConnection>, piece: &Piece<'_>) {
        let Some(mut open) = take(at) else { return };
        let mut octets = piece.data;
        while !octets.is_empty() {
            octets = match open.place {
                ImapPlace::Line(_) => open.line(at, piece, octets),
                ImapPlace::Literal(..) => open.literal(at, piece, octets),
                ImapPlace::Lost => break,
            };
        }
        put_back(at, open);
    }

    fn gap(&mut self, at: &mut At<'_, ImapConnection>, gap: &MessageGap) {
        let Some(mut open) = take(at) else { return };
        match &mut open.place {
            // It ends inside of the literal, or with it.
            ImapPlace::Literal(left, target) if gap.len <= *left => {
                *left -= gap.len;
                match target {
                    LiteralTarget::File(_, at) | LiteralTarget::Piece(_, at) => *at += gap.len,
                    LiteralTarget::Nowhere => {}
                }
                if *left == 0 {
                    open.end_literal(at);
                }
            }
            _ => open.lose(at),
        }
        put_back(at, open);
    }

    fn jump(&mut self, at: &mut At<'_, ImapConnection>) {
        let Some(mut open) = take(at) else { return };
        open.lose(at);
        put_back(at, open);
    }

    fn end(&mut self, at: &mut At<'_, ImapConnection>, _: &MessageEnd) {
        if let Some(mut open) = take(at) {
            open.lose(at);
        }
    }

    fn closed(&mut self, at: &mut At<'_, ImapConnection>, _: Close) {
        finish_pieces(at);
        if let Some(connection) = at.kept {
            at.cx.budget.give(std::mem::take(&mut connection.counted));
        }
    }
}

impl ImapMessage {
    /// Receives octets of a line; gives those behind it.
    fn line<'o>(
        &mut self,
        at: &mut At<'_, ImapConnection>,
        piece: &Piece<'_>,
        octets: &'o [u8],
    ) -> &'o [u8] {
        let ImapPlace::Line(line) = &mut self.place else {
            return octets;
        };
        let end = octets.find_byte(b'\n').map(|lf| lf + 1);
        let (part, rest) = octets.split_at(end.unwrap_or(octets.len()));
        let room = LINE.saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room {
            // The literal that is announced stands in the last octets.
            let last = &part[part.len() - part.len().min(LINE / 2)..];
            line.truncate(LINE / 2);
            line.extend_from_slice(last);
        }
        if end.is_none() {
            return rest;
        }
        let line = std::mem::take(line);
        self.read(at, piece, line.trim_end_with(|c| matches!(c, '\r' | '\n')));
        self.lines = self.lines.saturating_add(1);
        rest
    }

    /// A line is there: what is told in it, and which literal follows.
    fn read(&mut self, at: &mut At<'_, ImapConnection>, piece: &Piece<'_>, line: &[u8]) {
        let announced = literal(line);
        // What stands ahead of the literal: an argument, or what it is of the message.
        let ahead = announced.and_then(|_| line.rfind_byte(b'{'));
        let ahead = &line[..ahead.unwrap_or(line.len())];
        let item = match self.kind {
            Kind::Request => {
                if self.lines == 0 {
                    self.appends = command(line, at);
                }
                // The name of the mailbox may be a literal too.
                let mailbox = self.lines == 0 && words(ahead).count() < 3;
                (self.appends && !mailbox && announced.is_some()).then_some(Item::Appended)
            }
            _ => {
                if self.lines == 0 {
                    self.number = fetched(line).map(MailNumber::Sequence);
                }
                if self.number.is_some() {
                    if let Some(uid) = number_behind(line, b"UID ") {
                        self.number = Some(MailNumber::Uid(uid));
                    }
                    self.size = number_behind(line, b"RFC822.SIZE ").or(self.size);
                }
                self.number.and(words(ahead).last()).and_then(Item::of)
            }
        };
        let Some(len) = announced.filter(|len| *len > 0) else {
            self.place = ImapPlace::Line(Vec::new());
            return;
        };
        let target = match (item, self.number) {
            (Some(Item::Appended), _) => {
                LiteralTarget::File(Box::new(begin(at, piece, "APPEND")), 0)
            }
            (Some(Item::Whole), _) => LiteralTarget::File(Box::new(begin(at, piece, "FETCH")), 0),
            (Some(Item::From(from)), Some(number)) => {
                self.piece(at, piece, number, (from, len));
                LiteralTarget::Piece(number, from)
            }
            _ => LiteralTarget::Nowhere,
        };
        self.place = ImapPlace::Literal(len, target);
    }

    /// A piece of a mail follows: it has so many octets from this offset on.
    fn piece(
        &self,
        at: &mut At<'_, ImapConnection>,
        piece: &Piece<'_>,
        number: MailNumber,
        (from, len): (u64, u64),
    ) {
        let there = |c: &ImapConnection| c.pieces.iter().position(|mail| mail.number == number);
        if at.kept.as_deref().and_then(there).is_none() {
            let file = begin(at, piece, "FETCH");
            let pieces = at.kept.as_mut().map(|connection| &mut connection.pieces);
            let oldest = pieces.and_then(|pieces| {
                let oldest = (pieces.len() >= MAILS).then(|| pieces.remove(0));
                pieces.push(MailInPieces {
                    number,
                    file,
                    len: None,
                });
                oldest
            });
            if let Some(oldest) = oldest {
                at.store.finish(at.cx, oldest.file, oldest.len);
            }
        }
        let Some(connection) = at.kept.as_deref_mut() else {
            return;
        };
        // Less than was asked for is the rest of it.
        let rest = connection.asked.is_some_and(|asked| len < asked);
        let end = rest.then(|| from.saturating_add(len));
        if let Some(i) = there(connection) {
            let mail = &mut connection.pieces[i];
            mail.len = self.size.or(mail.len).or(end);
        }
    }

    /// Receives octets of a literal; gives those behind it.
    fn literal<'o>(
        &mut self,
        at: &mut At<'_, ImapConnection>,
        piece: &Piece<'_>,
        octets: &'o [u8],
    ) -> &'o [u8] {
        let ImapPlace::Literal(left, target) = &mut self.place else {
            return octets;
        };
        let n = usize::try_from(*left).unwrap_or(usize::MAX);
        let (part, rest) = octets.split_at(n.min(octets.len()));
        *left -= part.len() as u64;
        let pieces = at.kept.as_mut().map(|connection| &mut connection.pieces);
        let (file, offset) = match target {
            LiteralTarget::Nowhere => (None, 0),
            LiteralTarget::File(file, offset) => (
                Some(&mut **file),
                std::mem::replace(offset, *offset + part.len() as u64),
            ),
            LiteralTarget::Piece(number, offset) => {
                let mail =
                    pieces.and_then(|pieces| pieces.iter_mut().find(|mail| mail.number == *number));
                (
                    mail.map(|mail| &mut mail.file),
                    std::mem::replace(offset, offset.saturating_add(part.len() as u64)),
                )
            }
        };
        if let Some(file) = file {
            file.about.seen(piece.frame, piece.time);
            at.store.write(at.cx, file, offset, part);
        }
        if *left == 0 {
            self.end_literal(at);
        }
        rest
    }

    /// The literal is there to its end.
    fn end_literal(&mut self, at: &mut At<'_, ImapConnection>) {
        match std::mem::replace(&mut self.place, ImapPlace::Line(Vec::new())) {
            ImapPlace::Literal(_, LiteralTarget::File(file, len)) => {
                at.store.finish(at.cx, *file, Some(len));
            }
            ImapPlace::Literal(_, LiteralTarget::Piece(number, _)) => {
                let whole = at.kept.as_deref_mut().and_then(|connection| {
                    let whole = |mail: &MailInPieces| {
                        mail.number == number && mail.len.is_some_and(|len| mail.file.is_whole(len))
                    };
                    let i = connection.pieces.iter().position(whole)?;
                    Some(connection.pieces.remove(i))
                });
                if let Some(mail) = whole {
                    at.store.finish(at.cx, mail.file, mail.len);
                }
            }
            _ => {}
        }
    }

    /// What follows cannot be placed.
    fn lose(&mut self, at: &mut At<'_, ImapConnection>) {
        if let ImapPlace::Literal(left, LiteralTarget::File(file, offset)) =
            std::mem::replace(&mut self.place, ImapPlace::Lost)
        {
            at.store
                .finish(at.cx, *file, Some(offset.saturating_add(left)));
        }
    }
}

/// What a literal is of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    /// A client gives all of it to the server.
    Appended,
    /// The server gives all of it.
    Whole,
    /// The server gives octets of it from this one on.
    From(u64),
}

impl Item {
    /// What the server says ahead of a literal: `BODY[]`, `RFC822`, `BODY[]<0>`. Its header, or a part of it without its header
    /// (`BODY[2]`), is no mail.
    fn of(word: &[u8]) -> Option<Self> {
        let word = word.trim_start_with(|c| c == '(').to_ascii_uppercase();
        match &word[..] {
            b"BODY[]" | b"RFC822" | b"BINARY[]" => Some(Self::Whole),
            _ => {
                let from = word.strip_prefix(b"BODY[]<")?.strip_suffix(b">")?;
                Some(Self::From(number(from)?))
            }
        }
    }
}

impl ImapConnection {
    fn count(&mut self, cx: &mut Context) {
        let now = size_of::<Self>()
            + self.pieces.capacity() * size_of::<MailInPieces>()
            // A line that is open in each direction.
            + 2 * LINE;
        cx.budget.rebook(&mut self.counted, now);
    }
}

/// Reads a command: whether it appends mail. One that chooses a mailbox ends the mails that come in pieces, as their numbers are
/// those of others then.
fn command(line: &[u8], at: &mut At<'_, ImapConnection>) -> bool {
    let verb = words(line).nth(1).unwrap_or_default().to_ascii_uppercase();
    match &verb[..] {
        b"SELECT" | b"EXAMINE" | b"CLOSE" | b"UNSELECT" => finish_pieces(at),
        b"FETCH" | b"UID" => {
            // `BODY.PEEK[]<0.4096>`
            let asked = line.find("[]<").and_then(|from| {
                let range = &line[from + 3..];
                let range = &range[..range.find_byte(b'>')?];
                number(range.split_once_str(".")?.1)
            });
            if let Some(connection) = at.kept {
                connection.asked = asked;
            }
        }
        _ => {}
    }
    verb == b"APPEND"
}

/// The number of the message of which a reply tells: `* 12 FETCH (`.
fn fetched(line: &[u8]) -> Option<u64> {
    let mut words = words(line);
    let star = words.next()? == b"*";
    let sequence = number(words.next()?)?;
    let is_fetch = words.next()?.eq_ignore_ascii_case(b"FETCH");
    (star && is_fetch).then_some(sequence)
}

fn number_behind(line: &[u8], name: &[u8]) -> Option<u64> {
    let digits = &line[line.find(name)? + name.len()..];
    let end = digits.iter().take_while(|o| o.is_ascii_digit()).count();
    number(&digits[..end])
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = digits.to_str().ok()?;
    text.parse().ok().filter(|n| *n < 1 << 40)
}

fn begin(at: &mut At<'_, ImapConnection>, piece: &Piece<'_>, command: &str) -> Transfer {
    let first = (piece.frame, piece.time);
    let about = FileInfo::mail("imap", command, at.flow, at.direction, first);
    at.store.begin(at.cx, about)
}

/// Ends the mails that came in pieces.
fn finish_pieces(at: &mut At<'_, ImapConnection>) {
    let Some(connection) = at.kept else { return };
    for mail in std::mem::take(&mut connection.pieces) {
        at.store.finish(at.cx, mail.file, mail.len);
    }
}

/// Takes what is open in the direction.
fn take(at: &mut At<'_, ImapConnection>) -> Option<ImapMessage> {
    at.kept.as_mut()?.open[at.direction.index()].take()
}

fn put_back(at: &mut At<'_, ImapConnection>, open: ImapMessage) {
    if let Some(connection) = at.kept {
        connection.open[at.direction.index()] = Some(open);
    }
}
