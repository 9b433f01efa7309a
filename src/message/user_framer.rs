//! Protocols that the user adds in one line (`--framer`): a length in the header, octets that end a message, or a datagram.

use super::chains::{self, BothHabits};
use super::framing::{Begin, Following, Found, Framer, MessageBody, Position};
use super::length::{self, Classified, LengthField, LengthFormat, Scan};
use super::rule_reader::{Mistake, PortRange, RuleReader};
use crate::base::counters::SECTIONS;
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use memchr::memmem;

/// Octets that wait for the end of a chain of headers: as many as those of the table may.
const HOLD: usize = 256 << 10;
/// A field stands so far from the start of its message at most, so that what has to be there of a header stays small.
const FAR: usize = 1024;

/// A row that the user adds (`--framer`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// Its name.
    pub name: Name,
    pub(super) ports: PortRange,
    framing: UserFraming,
    /// Octets that every message has, and where they stand.
    magic: Vec<(usize, Vec<u8>)>,
    /// Octets of the longest message, whole; None: the user has not said it.
    max: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum UserFraming {
    /// A datagram is a message.
    Datagram,
    /// A length in the header, and what is to be added to it.
    Length { field: UserField, add: i64 },
    /// These octets end a message.
    Until(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum UserField {
    Fixed {
        at: usize,
        width: usize,
        little: bool,
    },
    Mqtt {
        at: usize,
    },
    Ber {
        at: usize,
    },
}

impl From<UserField> for LengthField {
    fn from(field: UserField) -> Self {
        match field {
            UserField::Fixed { at, width, little } => Self::Field { at, width, little },
            UserField::Mqtt { at } => Self::Mqtt { at },
            UserField::Ber { at } => Self::Ber { at },
        }
    }
}

impl UserRow {
    /// Reads `NAME,tcp.port==9000,len@4:u32be+8`, `NAME,tcp.port==7000,until:0x0a` or `NAME,udp.port==7001`, each with
    /// `magic@0:0xCAFE` behind it where there is one, and `max:64K` where the longest message is known.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mut reader = RuleReader { text, at: 0 };
        let name = reader.name()?;
        if SECTIONS.iter().any(|(section, _)| *section == name.text()) {
            reader.at = 0;
            return reader.mistake("counters have a section of this name: choose another one");
        }
        reader.expect(",")?;
        let ports = reader.ports()?;
        let mut row = Self {
            name,
            ports,
            framing: UserFraming::Datagram,
            magic: Vec::new(),
            max: None,
        };
        while reader.eat(",") {
            let at = reader.at;
            if reader.eat("magic@") {
                let place = reader.number(FAR as u64)?;
                reader.expect(":")?;
                let magic = reader.octets()?;
                row.magic
                    .push((usize::try_from(place).unwrap_or(FAR), magic));
                continue;
            }
            if row.max.is_none() && reader.eat("max:") {
                row.max = Some(reader.size()?);
                continue;
            }
            let framing = if reader.eat("len@") {
                Self::length(&mut reader)?
            } else if reader.eat("until:") {
                UserFraming::Until(reader.octets()?)
            } else {
                return reader.mistake(format!(
                    "expected len@OFFSET:TYPE, until:0xOCTETS, magic@OFFSET:0xOCTETS or max:SIZE{}",
                    reader.found()
                ));
            };
            if row.framing != UserFraming::Datagram || ports.transport != Transport::Tcp {
                reader.at = at;
                return reader.mistake(match ports.transport {
                    Transport::Udp => "a datagram is a message: no len@ and no until: over UDP",
                    Transport::Sctp => {
                        "a user message is a message: no len@ and no until: over SCTP"
                    }
                    Transport::Tcp => "expected one of len@ and until: only",
                });
            }
            row.framing = framing;
        }
        reader.end()?;
        if row.framing == UserFraming::Datagram && ports.transport == Transport::Tcp {
            return reader.mistake("expected len@OFFSET:TYPE or until:0xOCTETS, found nothing");
        }
        Ok(row)
    }

    /// `4:u32be+8`.
    fn length(reader: &mut RuleReader<'_>) -> Result<UserFraming, Mistake> {
        let at = usize::try_from(reader.number(FAR as u64)?).unwrap_or(FAR);
        reader.expect(":")?;
        let begin = reader.at;
        let field = if reader.eat("mqtt") {
            UserField::Mqtt { at }
        } else if reader.eat("ber") {
            UserField::Ber { at }
        } else {
            let bits = if reader.eat("u") {
                reader.number(64).ok()
            } else {
                None
            };
            let big = reader.eat("be");
            let little = !big && reader.eat("le");
            let width = bits.filter(|n| n % 8 == 0 && *n > 0).map(|n| n / 8);
            match width.and_then(|n| usize::try_from(n).ok()) {
                Some(width) if big || little || width == 1 => {
                    UserField::Fixed { at, width, little }
                }
                _ => {
                    reader.at = begin;
                    return reader.mistake(format!(
                        "expected u8, u16be, u16le, u24be ... u64le, mqtt or ber{}",
                        reader.found()
                    ));
                }
            }
        };
        let sign = if reader.eat("+") {
            1
        } else if reader.eat("-") {
            -1
        } else {
            0
        };
        let add = if sign == 0 {
            0
        } else {
            sign * i64::try_from(reader.number(1 << 32)?).unwrap_or(0)
        };
        Ok(UserFraming::Length { field, add })
    }

    /// As much of the magic as can be there is there.
    fn has_magic(&self, octets: &[u8]) -> bool {
        self.magic.iter().all(|(at, magic)| {
            let there = octets.get(*at..).unwrap_or_default();
            let n = there.len().min(magic.len());
            there[..n] == magic[..n]
        })
    }

    /// What frames a connection by this row.
    pub(super) fn framer(&self) -> Box<UserFramer> {
        Box::new(UserFramer {
            row: self.clone(),
            looked: [0; 2],
            behind_gap: [false; 2],
            known: [None; 2],
            segments: [Segments::default(); 2],
            hole: [None; 2],
            habits: BothHabits::default(),
        })
    }
}

impl LengthFormat for UserRow {
    fn scan(&self) -> Scan<'_> {
        let magic = self.magic.first();
        magic.map_or(Scan::Everywhere, |(at, m)| Scan::Octets(*at, m))
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        let UserFraming::Length { field, add } = self.framing else {
            return Classified::No;
        };
        let mut cut = false;
        for (at, magic) in &self.magic {
            let there = octets.get(*at..).unwrap_or_default();
            let n = there.len().min(magic.len());
            if there[..n] != magic[..n] {
                return Classified::No;
            }
            cut |= n < magic.len();
        }
        match LengthField::from(field).read(octets) {
            None => Classified::More,
            Some(None) => Classified::No,
            Some(Some((n, end))) => {
                let magic = self.magic.iter().map(|(at, m)| at + m.len()).max();
                let least = magic.unwrap_or(0).max(end) as u64;
                match length::whole(field.into(), add, n, end) {
                    Some(len) if len < least => Classified::No,
                    Some(_) if cut => Classified::More,
                    Some(len) => Classified::sized(len, self.max.is_none_or(|max| len <= max)),
                    None => Classified::No,
                }
            }
        }
    }

    fn told(&self, _: &[u8]) -> Option<length::Told> {
        match self.framing {
            UserFraming::Length { field, .. } => LengthField::from(field).told(),
            UserFraming::Until(_) | UserFraming::Datagram => None,
        }
    }

    fn least(&self, octets: &[u8]) -> u64 {
        match self.framing {
            UserFraming::Length { field, .. } => LengthField::from(field).least(octets),
            UserFraming::Until(_) | UserFraming::Datagram => 0,
        }
    }

    fn chain(&self) -> usize {
        // Four octets of magic need nobody's word.
        let magic: usize = self.magic.iter().map(|(_, m)| m.len()).sum();
        match magic {
            0..=1 => length::CHAIN,
            2..=3 => 2,
            _ => 1,
        }
    }
}

/// What has been so far, or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Always {
    yes: u16,
    no: u16,
}

impl Always {
    /// Times that it must have been so: one may be chance.
    const ENOUGH: u16 = 4;

    /// It was so, or not.
    const fn note(&mut self, is: bool) {
        if is {
            self.yes = self.yes.saturating_add(1);
        } else {
            self.no = self.no.saturating_add(1);
        }
    }

    /// It has always been so.
    const fn is_sure(self) -> bool {
        self.yes >= Self::ENOUGH && self.no == 0
    }
}

/// The segments that messages stand in: all that are shorter than the longest end with a message.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Segments {
    /// Octets of the longest, and of those that end inside of a message.
    longest: u64,
    inner: u64,
    regular: Always,
}

impl Segments {
    /// A message of so many octets stands here, in octets that end at `end`.
    fn note(&mut self, at: &Position, len: u64, end: u64) {
        let behind = at.offset + len;
        let from = at
            .segments
            .partition_point(|s| *s <= at.offset)
            .saturating_sub(1);
        let starts = at.segments.get(from..).unwrap_or_default();
        for (i, start) in starts.iter().enumerate().take_while(|(_, s)| **s < behind) {
            let next = starts.get(i + 1).copied().unwrap_or(end);
            let size = next.saturating_sub(*start);
            self.longest = self.longest.max(size);
            if next < behind {
                self.regular.note(self.inner == 0 || self.inner == size);
                self.inner = self.inner.max(size);
            } else if next == behind {
                self.regular.note(true);
            }
        }
    }

    /// Behind a hole of so many octets a message begins: all segments in it were shorter than those that a message goes on
    /// behind.
    fn ends_with(&self, hole: u64) -> bool {
        let full = if self.inner > 0 {
            self.inner
        } else {
            self.longest
        };
        self.regular.is_sure() && hole < full
    }
}

/// Frames a connection by a row of the user's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UserFramer {
    row: UserRow,
    /// How far each direction has been looked through for the end of its message.
    looked: [usize; 2],
    /// The octets that are searched next begin a segment, behind a gap.
    behind_gap: [bool; 2],
    /// Where a message is known to begin.
    known: [Option<u64>; 2],
    segments: [Segments; 2],
    /// Octets of the last hole.
    hole: [Option<u64>; 2],
    habits: BothHabits,
}

impl UserFramer {
    /// The user's name of the protocol.
    pub(super) fn name(&self) -> &'static str {
        self.row.name.text()
    }
}

impl Framer for UserFramer {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let begin = match &self.row.framing {
            UserFraming::Until(end) => {
                let looked = &mut self.looked[at.direction.index()];
                if *looked == 0 && !self.row.has_magic(octets) {
                    return Begin::Refuse;
                }
                let begin = until(end, at, octets, looked);
                self.habits.note_begun(at, &begin, 0);
                begin
            }
            UserFraming::Length { .. } | UserFraming::Datagram => {
                length::begin_noted(&self.row, at, octets, &mut self.habits)
            }
        };
        if let Begin::Message {
            head,
            body: MessageBody::Octets(body),
            ..
        } = begin
        {
            let d = at.direction.index();
            (self.behind_gap[d], self.known[d]) = (false, None);
            if body == 0 {
                let end = at.offset + octets.len() as u64;
                self.segments[d].note(at, head as u64, end);
            }
        }
        begin
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let d = at.direction.index();
        let behind_gap = std::mem::take(&mut self.behind_gap[d]);
        let UserFraming::Until(end) = &self.row.framing else {
            return chains::search(&self.row, at, octets, HOLD, &mut self.habits);
        };
        self.looked[d] = 0;
        let short = || self.hole[d].is_some_and(|hole| self.segments[d].ends_with(hole));
        let begins = self.known[d] == Some(at.offset)
            || behind_gap && (short() || self.habits.is_certain(at, 0));
        if begins && self.row.has_magic(octets) {
            self.known[d] = Some(at.offset);
            return Found::At(0);
        }
        let mut from = 0;
        while let Some(hit) = memmem::find(&octets[from..], end) {
            from += hit + end.len();
            if from < octets.len() && self.row.has_magic(&octets[from..]) {
                self.known[d] = Some(at.offset + from as u64);
                return Found::At(from);
            }
        }
        if from > 0 && from == octets.len() {
            // It ends here: what follows begins a message.
            self.known[d] = Some(at.offset + from as u64);
            return Found::Nowhere { keep: from };
        }
        // An end that is cut.
        let cut = (1..end.len())
            .rev()
            .find(|n| at.next == Following::Octets && octets.ends_with(&end[..*n]));
        Found::Nowhere {
            keep: (octets.len() - cut.unwrap_or(0)).max(from),
        }
    }

    fn needs(&self, octets: &[u8]) -> usize {
        match self.row.framing {
            UserFraming::Length { .. } => length::needs(&self.row, octets, HOLD),
            UserFraming::Until(_) | UserFraming::Datagram => octets.len() + 1,
        }
    }

    fn reads_lines(&self) -> bool {
        !matches!(self.row.framing, UserFraming::Length { .. })
    }

    fn gap(&mut self, direction: Direction) {
        let d = direction.index();
        self.looked[d] = 0;
        (self.behind_gap[d], self.known[d]) = (true, None);
    }

    fn hole(&mut self, direction: Direction, len: Option<u64>) {
        self.hole[direction.index()] = len;
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.habits.size()
    }
}

/// The message that these octets end, from where its end was looked for last.
fn until(end: &[u8], at: &Position, octets: &[u8], looked: &mut usize) -> Begin {
    // The end may begin in what has been looked through.
    let from = looked.saturating_sub(end.len() - 1).min(octets.len());
    match memmem::find(&octets[from..], end) {
        Some(hit) => {
            *looked = 0;
            Begin::Message {
                kind: Kind::Other,
                head: from + hit + end.len(),
                body: MessageBody::Octets(0),
                hand_over: false,
            }
        }
        None if octets.len() < at.limit && at.next != Following::End => {
            *looked = octets.len();
            Begin::NeedMore
        }
        None => {
            *looked = 0;
            Begin::Refuse
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read() {
        let row = UserRow::parse("mine,tcp.port==9000-9001,len@4:u32be+8,magic@0:0xCAFE").unwrap();
        assert_eq!(row.name.text(), "mine");
        let m = [0xca, 0xfe, 0, 0, 0, 0, 0, 3, 1, 2, 3];
        assert_eq!(row.classify(&m), Classified::Message(11));
        assert_eq!(row.classify(&m[..7]), Classified::More);
        assert_eq!(row.classify(&m[1..]), Classified::No);
        // Blanks may stand around what separates.
        let wide = "mine , tcp.port == 9000-9001, len@4:u32be+8, magic@0:0xCAFE";
        assert_eq!(UserRow::parse(wide).unwrap(), row);
        for (spec, octets, len) in [
            ("a,tcp.port==1,len@0:u8", &[3u8, 0, 0][..], 3),
            ("a,tcp.port==1,len@1:u16le-1", &[0, 9, 0], 8),
            ("a,tcp.port==1,len@0:u24be+3", &[0, 1, 0], 259),
            ("a,tcp.port==1,len@0:u64le", &[9, 0, 0, 0, 0, 0, 0, 0], 9),
            ("a,tcp.port==1,len@1:mqtt", &[0, 0x80, 1], 131),
            ("a,tcp.port==1,len@0:ber+2", &[0x82, 1, 0], 261),
        ] {
            let row = UserRow::parse(spec).unwrap();
            assert_eq!(row.classify(octets), Classified::Message(len), "{spec}");
        }
    }

    #[test]
    fn no_message_is_longer_than_the_user_says() {
        let row = UserRow::parse("a,tcp.port==1,len@0:u32be+4,max:64K").unwrap();
        assert_eq!(
            row.classify(&[0, 0, 0xff, 0xfc]),
            Classified::Message(65_536)
        );
        assert_eq!(row.classify(&[0, 0, 0xff, 0xfd]), Classified::No);
        assert_eq!(row.least(&[0, 1]), 65_536);
        assert!(UserRow::parse("a,tcp.port==1,len@0:u32be+4,max:x").is_err());
    }

    /// Searches octets that stand at an offset.
    fn sought(framer: &mut UserFramer, offset: u64, octets: &[u8]) -> Found {
        let at = Position {
            offset,
            ..Position::behind_a_gap(Direction::Forward)
        };
        framer.search(&at, octets)
    }

    #[test]
    fn a_line_is_taken_right_behind_a_line_end() {
        let mut framer = UserRow::parse("a,tcp.port==1,until:0x0d0a")
            .unwrap()
            .framer();
        framer.gap(Direction::Forward);
        // Where the segment begins nobody knows whether a line does.
        let found = sought(&mut framer, 100, b"of a line\r\nnext\r\n");
        assert_eq!(found, Found::At(11));
        assert_eq!(sought(&mut framer, 111, b"next\r\n"), Found::At(0));
        framer.gap(Direction::Forward);
        let found = sought(&mut framer, 200, b"of a line\r\n");
        assert_eq!(found, Found::Nowhere { keep: 11 });
        assert_eq!(sought(&mut framer, 211, b"next\r\n"), Found::At(0));
        // An end that is cut.
        framer.gap(Direction::Forward);
        assert_eq!(
            sought(&mut framer, 300, b"line\r"),
            Found::Nowhere { keep: 4 }
        );
    }

    #[test]
    fn a_line_begins_where_the_other_side_has_answered() {
        let mut framer = UserRow::parse("a,tcp.port==1,until:0x0a").unwrap().framer();
        let place = Position::behind_a_gap(Direction::Forward);
        let line = |framer: &mut UserFramer, direction, offset, ack| {
            let ack = Some(ack);
            let at = Position {
                direction,
                offset,
                ack,
                ..place
            };
            let begin = framer.begin(&at, b"line\n");
            assert!(matches!(begin, Begin::Message { head: 5, .. }));
        };
        let (client, server) = (Direction::Forward, Direction::Reverse);
        for n in 0..10 {
            line(&mut framer, client, 100 + 5 * n, 900 + 5 * n);
            line(&mut framer, server, 900 + 5 * n, 105 + 5 * n);
        }
        // Of the client's lines to 170 some are lost; the server has answered one that ended at 165.
        line(&mut framer, server, 950, 165);
        for (offset, found) in [(165, Found::At(0)), (170, Found::Nowhere { keep: 5 })] {
            framer.gap(client);
            assert_eq!(sought(&mut framer, offset, b"line\n"), found, "{offset}");
        }
    }

    #[test]
    fn mistakes_have_their_place() {
        for (text, column, what) in [
            ("", 1, "expected the name of a protocol"),
            (
                "tcp,tcp.port==1",
                1,
                "counters have a section of this name: choose another one",
            ),
            (
                "lost,udp.port==1",
                1,
                "counters have a section of this name: choose another one",
            ),
            ("a b,tcp.port==1", 1, "expected the name of a protocol"),
            ("mine", 5, "expected a comma, found nothing"),
            (
                "mine,dccp.port==1",
                6,
                "expected tcp.port, udp.port or sctp.port, found dccp.port==1",
            ),
            ("mine,tcp.port=1", 14, "expected =="),
            (
                "mine,tcp.port==70000,until:0x0a",
                16,
                "expected a number up to 65535",
            ),
            (
                "mine,tcp.port==9-8,until:0x0a",
                18,
                "expected a port from 9 on",
            ),
            ("mine,tcp.port==1", 17, "expected len@OFFSET:TYPE or until:"),
            ("mine,tcp.port==1,len@4:u33be", 24, "expected u8, u16be"),
            ("mine,tcp.port==1,len@4:u32", 24, "expected u8, u16be"),
            ("mine,tcp.port==1,len@4:u32be+x", 30, "expected a number"),
            (
                "mine,tcp.port==1,len@9999:u8",
                22,
                "expected a number up to 1024",
            ),
            ("mine,tcp.port==1,until:0a", 24, "expected 0x"),
            (
                "mine,tcp.port==1,until:0x0",
                26,
                "expected two hexadecimal digits",
            ),
            (
                "mine,tcp.port==1,until:0x0a,len@0:u8",
                29,
                "expected one of",
            ),
            ("mine,udp.port==1,until:0x0a", 18, "a datagram is a message"),
            (
                "mine,sctp.port==1,len@0:u8",
                19,
                "a user message is a message",
            ),
            (
                "mine,tcp.port==1,until:0x0az",
                28,
                "expected the end, found z",
            ),
            (
                "mine,tcp.port==1,size@0:u8",
                18,
                "expected len@OFFSET:TYPE, until:",
            ),
        ] {
            let mistake = UserRow::parse(text).unwrap_err();
            assert_eq!(mistake.column, column, "{text}: {mistake}");
            assert!(mistake.what.starts_with(what), "{text}: {mistake}");
        }
    }
}
