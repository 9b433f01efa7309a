//! Protocols that the user adds in one line (`--framer`): a length in the header, octets that end a message, or a datagram.

use super::framing::{Begin, Following, Found, Framer, MessageBody, Position};
use super::length::{self, Classified, LengthField, LengthFormat};
use super::rule_reader::{Mistake, PortRange, RuleReader};
use crate::base::counters::SECTIONS;
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::protocol::Name;
use memchr::memmem;
use serde::{Deserialize, Serialize};

/// Octets that wait for the end of a chain of headers: as many as those of the table may.
const HOLD: usize = 256 << 10;
/// A field stands so far from the start of its message at most, so that what has to be there of a header stays small.
const FAR: usize = 1024;

/// A row that the user adds (`--framer`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    pub(super) name: Name,
    pub(super) ports: PortRange,
    framing: UserFraming,
    /// Octets that every message has, and where they stand.
    magic: Vec<(usize, Vec<u8>)>,
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
    /// `magic@0:0xCAFE` behind it where there is one.
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
            let framing = if reader.eat("len@") {
                Self::length(&mut reader)?
            } else if reader.eat("until:") {
                UserFraming::Until(reader.octets()?)
            } else {
                return reader.mistake(format!(
                    "expected len@OFFSET:TYPE, until:0xOCTETS or magic@OFFSET:0xOCTETS{}",
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

    /// What frames a connection by this row.
    pub(super) fn framer(&self) -> Box<UserFramer> {
        Box::new(UserFramer {
            row: self.clone(),
            looked: [0; 2],
            aligned: [Aligned::default(); 2],
        })
    }
}

impl LengthFormat for UserRow {
    fn magic(&self) -> Option<(usize, &[u8])> {
        self.magic.first().map(|(at, m)| (*at, m.as_slice()))
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
                    Some(len) => Classified::sized(len, true),
                    None => Classified::No,
                }
            }
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

/// Whether messages begin where segments do: then the first segment behind a gap begins one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Aligned {
    yes: u16,
    no: u16,
}

impl Aligned {
    /// A message has ended with the octets at hand, or not.
    pub(super) const fn note(&mut self, ends: bool) {
        if ends {
            self.yes = self.yes.saturating_add(1);
        } else {
            self.no = self.no.saturating_add(1);
        }
    }

    /// It has always been so.
    pub(super) const fn always(self) -> bool {
        self.yes > 0 && self.no == 0
    }
}

/// Frames a connection by a row of the user's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UserFramer {
    row: UserRow,
    /// How far each direction has been looked through for the end of its message.
    looked: [usize; 2],
    aligned: [Aligned; 2],
}

impl UserFramer {
    /// The user's name of the protocol.
    pub(super) fn name(&self) -> &'static str {
        self.row.name.text()
    }

    fn has_magic(&self, octets: &[u8]) -> bool {
        self.row.magic.iter().all(|(at, magic)| {
            let there = octets.get(*at..).unwrap_or_default();
            let n = there.len().min(magic.len());
            there[..n] == magic[..n]
        })
    }
}

impl Framer for UserFramer {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let UserFraming::Until(end) = &self.row.framing else {
            return length::begin(&self.row, at, octets);
        };
        let d = at.direction.index();
        if self.looked[d] == 0 && !self.has_magic(octets) {
            return Begin::Refuse;
        }
        // The end may begin in what has been looked through.
        let from = self.looked[d]
            .saturating_sub(end.len() - 1)
            .min(octets.len());
        match memmem::find(&octets[from..], end) {
            Some(hit) => {
                let head = from + hit + end.len();
                self.aligned[d].note(head == octets.len());
                self.looked[d] = 0;
                Begin::Message {
                    kind: Kind::Other,
                    head,
                    body: MessageBody::Octets(0),
                    hand_over: false,
                }
            }
            None if octets.len() < at.limit && at.next == Following::Octets => {
                self.looked[d] = octets.len();
                Begin::NeedMore
            }
            None => {
                self.looked[d] = 0;
                Begin::Refuse
            }
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let UserFraming::Until(end) = &self.row.framing else {
            return length::search(&self.row, octets, at.next, HOLD, |i| at.segment(i));
        };
        let d = at.direction.index();
        if std::mem::take(&mut self.looked[d]) == usize::MAX
            && self.aligned[d].always()
            && self.has_magic(octets)
        {
            return Found::At(0);
        }
        let mut from = 0;
        while let Some(hit) = memmem::find(&octets[from..], end) {
            from += hit + end.len();
            if from < octets.len() && self.has_magic(&octets[from..]) {
                return Found::At(from);
            }
        }
        if from > 0 && from == octets.len() {
            // It ends here: what follows begins a message.
            self.looked[d] = usize::MAX;
            self.aligned[d].yes = self.aligned[d].yes.max(1);
            return Found::Nowhere { keep: from };
        }
        let keep = if at.next == Following::Octets {
            octets.len() - (end.len() - 1).min(octets.len())
        } else {
            octets.len()
        };
        Found::Nowhere {
            keep: keep.max(from),
        }
    }

    fn needs(&self, octets: &[u8]) -> usize {
        match self.row.framing {
            UserFraming::Length { .. } => length::needs(&self.row, octets, HOLD),
            UserFraming::Until(_) | UserFraming::Datagram => octets.len() + 1,
        }
    }

    fn gap(&mut self, direction: Direction) {
        // The next octets that are searched begin a segment.
        self.looked[direction.index()] = usize::MAX;
    }

    fn size(&self) -> usize {
        size_of::<Self>()
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
            ("mine", 5, "expected ,"),
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
