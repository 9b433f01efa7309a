//! What the user says about protocols: `-d`, `--framer`, `--protocols`, `--unframed`. Plain data.
//!
//! A rule of the user decides: no detector is asked where one matches.

use super::DETECTORS;
use super::framing::{AnyFramer, Begin, Following, Found, Framer, MessageBody, Position};
use super::length::{self, Classified, LengthField, LengthFormat};
use crate::base::flow::{Direction, Transport};
use crate::base::message::Kind;
use crate::base::protocol::{LONGEST, Name};
use memchr::memmem;
use serde::{Deserialize, Serialize};

/// Octets that wait for the end of a chain of headers.
const HOLD: usize = 256 << 10;
/// A magic, or what ends a message, has so many octets at most.
const OCTETS: usize = 64;
/// A field stands so far from the start of its message at most.
const FAR: usize = 1024;

/// The user's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// `--decode-as`; the last that matches decides.
    pub decode_as: Vec<DecodeAs>,
    /// `--framer`; the last that matches decides, after those of `--decode-as`.
    pub framers: Vec<UserRow>,
    /// `--protocols`: only messages of these are handed on; empty: of all.
    pub protocols: Vec<Name>,
    /// `--unframed drop`: what has no known protocol is not handed on.
    pub drop_unframed: bool,
}

/// PortRange of one transport: `tcp.port==9000-9010`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    transport: Transport,
    first: u16,
    last: u16,
}

impl PortRange {
    fn hold(&self, transport: Transport, ports: (u16, u16)) -> bool {
        let one = |port: u16| (self.first..=self.last).contains(&port);
        self.transport == transport && (one(ports.0) || one(ports.1))
    }
}

/// A rule of `--decode-as`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodeAs {
    ports: PortRange,
    protocol: Name,
}

/// What a rule has decided.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decided<'a> {
    /// The detector at this place of the table.
    Detector(usize),
    /// A row of the user's.
    Row(&'a UserRow),
    /// No protocol.
    Nothing,
}

impl Rules {
    /// What the user says of a connection on these ports.
    pub(super) fn decide(&self, transport: Transport, ports: (u16, u16)) -> Option<Decided<'_>> {
        if self.decode_as.is_empty() && self.framers.is_empty() {
            return None;
        }
        let row = |name: Name| self.framers.iter().rfind(|row| row.name == name);
        let matches = |d: &&DecodeAs| d.ports.hold(transport, ports);
        if let Some(rule) = self.decode_as.iter().rfind(matches) {
            let name = rule.protocol;
            return Some(match row(name) {
                Some(row) => Decided::Row(row),
                None => DETECTORS
                    .iter()
                    .position(|d| d.name() == name.text())
                    .map_or(Decided::Nothing, Decided::Detector),
            });
        }
        self.framers
            .iter()
            .rfind(|row| row.ports.hold(transport, ports))
            .map(Decided::Row)
    }

    /// The name that the user gives to datagrams, or to user messages, on these ports.
    pub fn named(&self, transport: Transport, ports: (u16, u16)) -> Option<&'static str> {
        let rule = self
            .decode_as
            .iter()
            .rfind(|d| d.ports.hold(transport, ports));
        if let Some(rule) = rule {
            return Some(rule.protocol.text());
        }
        self.framers
            .iter()
            .rfind(|row| row.ports.hold(transport, ports))
            .map(|row| row.name.text())
    }

    /// Whether messages of this protocol are handed on.
    pub fn chosen(&self, protocol: &str) -> bool {
        if protocol == super::NO_PROTOCOL && self.drop_unframed {
            return false;
        }
        self.protocols.is_empty() || self.protocols.iter().any(|name| name.text() == protocol)
    }

    /// Every message is handed on.
    pub fn all_chosen(&self) -> bool {
        self.protocols.is_empty() && !self.drop_unframed
    }

    /// The first name that no protocol and no row of the user's has.
    pub fn unknown_name(&self) -> Option<&'static str> {
        self.protocols
            .iter()
            .chain(self.decode_as.iter().map(|d| &d.protocol))
            .find(|name| {
                super::known_name(name.text()).is_none()
                    && !self.framers.iter().any(|row| row.name == **name)
            })
            .map(|name| name.text())
    }
}

/// A row that the user adds (`--framer`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    name: Name,
    ports: PortRange,
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

/// A mistake in a rule: where, counted from 1, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The character at which it stands.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub what: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "character {}: {}", self.column, self.what)
    }
}

impl std::error::Error for Mistake {}

/// Text that is read from left to right.
struct RuleReader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> RuleReader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn mistake<T>(&self, what: impl Into<String>) -> Result<T, Mistake> {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        Err(Mistake {
            column: before.chars().count() + 1,
            what: what.into(),
        })
    }

    fn eat(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn expect(&mut self, token: &str) -> Result<(), Mistake> {
        if self.eat(token) {
            Ok(())
        } else {
            self.mistake(format!("expected {token}{}", self.found()))
        }
    }

    /// What stands here instead.
    fn found(&self) -> String {
        let here: String = self.rest().chars().take_while(|c| *c != ',').collect();
        if here.is_empty() {
            ", found nothing".to_owned()
        } else {
            format!(", found {here}")
        }
    }

    fn number(&mut self, most: u64) -> Result<u64, Mistake> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let Some(number) = self.rest()[..digits].parse().ok().filter(|n| *n <= most) else {
            return self.mistake(format!("expected a number up to {most}{}", self.found()));
        };
        self.at += digits;
        Ok(number)
    }

    /// `0xCAFE`: octets.
    fn octets(&mut self) -> Result<Vec<u8>, Mistake> {
        self.expect("0x")?;
        let digits = self
            .rest()
            .bytes()
            .take_while(u8::is_ascii_hexdigit)
            .count();
        let text = &self.rest()[..digits];
        if digits == 0 || digits % 2 == 1 || digits > 2 * OCTETS {
            return self.mistake(format!(
                "expected two hexadecimal digits for each octet, {OCTETS} octets at most{}",
                self.found()
            ));
        }
        self.at += digits;
        Ok((0..digits / 2)
            .filter_map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok())
            .collect())
    }

    /// `tcp.port==9000-9010`, also `9000:11`, eleven ports from 9000 on.
    fn ports(&mut self) -> Result<PortRange, Mistake> {
        let transport = if self.eat("tcp.port") {
            Transport::Tcp
        } else if self.eat("udp.port") {
            Transport::Udp
        } else if self.eat("sctp.port") {
            Transport::Sctp
        } else {
            return self.mistake(format!(
                "expected tcp.port, udp.port or sctp.port{}",
                self.found()
            ));
        };
        self.expect("==")?;
        let port = |n: u64| u16::try_from(n).unwrap_or(u16::MAX);
        let first = self.number(65_535)?;
        let last = if self.eat("-") {
            let at = self.at;
            let last = self.number(65_535)?;
            if last < first {
                self.at = at;
                return self.mistake(format!("expected a port from {first} on"));
            }
            last
        } else if self.eat(":") {
            let at = self.at;
            let count = self.number(65_536)?;
            if count == 0 || first + count > 65_536 {
                self.at = at;
                return self.mistake("expected how many ports, up to port 65535");
            }
            first + count - 1
        } else {
            first
        };
        Ok(PortRange {
            transport,
            first: port(first),
            last: port(last),
        })
    }

    fn name(&mut self) -> Result<Name, Mistake> {
        let text = self.rest().split(',').next().unwrap_or_default();
        let sound = text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
        let Some(name) = sound.then(|| Name::new(text)).flatten() else {
            return self.mistake(format!(
                "expected the name of a protocol: letters, digits, - _ . ({LONGEST} at most){}",
                self.found()
            ));
        };
        self.at += text.len();
        Ok(name)
    }

    fn end(&self) -> Result<(), Mistake> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            self.mistake(format!("expected the end{}", self.found()))
        }
    }
}

impl DecodeAs {
    /// Reads `tcp.port==9000,http`, as tshark's `-d`.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mut reader = RuleReader { text, at: 0 };
        let ports = reader.ports()?;
        reader.expect(",")?;
        let at = reader.at;
        let protocol = reader.name()?;
        reader.end()?;
        if ports.transport == Transport::Tcp
            && super::known_name(protocol.text()).is_some()
            && protocol.text() != super::NO_PROTOCOL
            && !DETECTORS.iter().any(|d| d.name() == protocol.text())
        {
            reader.at = at;
            return reader.mistake(format!("{} is not known over TCP", protocol.text()));
        }
        Ok(Self { ports, protocol })
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
    pub(super) fn framer(&self) -> AnyFramer {
        AnyFramer::User(Box::new(UserFramer {
            row: self.clone(),
            looked: [0; 2],
            aligned: [Aligned::default(); 2],
        }))
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
pub struct UserFramer {
    row: UserRow,
    /// How far each direction has been looked through for the end of its message.
    looked: [usize; 2],
    aligned: [Aligned; 2],
}

impl UserFramer {
    /// The user's name of the protocol.
    pub fn name(&self) -> &'static str {
        self.row.name.text()
    }

    /// Octets allocated.
    pub fn size(&self) -> usize {
        size_of::<Self>()
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

    fn gap(&mut self, direction: Direction) {
        // The next octets that are searched begin a segment.
        self.looked[direction.index()] = usize::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        for (text, first, last) in [
            ("tcp.port==9000,http", 9000, 9000),
            ("tcp.port==9000-9010,http", 9000, 9010),
            ("tcp.port==9000:3,dns", 9000, 9002),
            ("udp.port==5061,sip", 5061, 5061),
            ("tcp.port==1,data", 1, 1),
        ] {
            let rule = DecodeAs::parse(text).unwrap();
            assert_eq!((rule.ports.first, rule.ports.last), (first, last), "{text}");
        }
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
        for (text, column) in [
            ("tcp.port==1", 12),
            ("port==1,http", 1),
            ("tcp.port==1,tftp", 13),
        ] {
            assert_eq!(DecodeAs::parse(text).unwrap_err().column, column, "{text}");
        }
    }

    #[test]
    fn the_last_rule_decides() {
        let rules = Rules {
            decode_as: ["tcp.port==1-9,http", "tcp.port==5,mine", "udp.port==7,sip"]
                .map(|t| DecodeAs::parse(t).unwrap())
                .to_vec(),
            framers: vec![UserRow::parse("mine,tcp.port==100,until:0x0a").unwrap()],
            ..Rules::default()
        };
        use Transport::Tcp;
        assert!(matches!(
            rules.decide(Tcp, (4, 4000)),
            Some(Decided::Detector(_))
        ));
        assert!(matches!(
            rules.decide(Tcp, (4000, 5)),
            Some(Decided::Row(_))
        ));
        assert!(matches!(
            rules.decide(Tcp, (100, 4000)),
            Some(Decided::Row(_))
        ));
        assert!(rules.decide(Tcp, (10, 4000)).is_none());
        assert_eq!(rules.named(Transport::Udp, (7, 8)), Some("sip"));
        assert_eq!(rules.named(Transport::Sctp, (7, 8)), None);
        assert_eq!(rules.named(Transport::Udp, (8, 9)), None);
        assert_eq!(rules.unknown_name(), None);
    }
}
