//! What the user says about protocols: `-d`, `--framer`, `--protocols`, `--unframed`. Plain data.
//!
//! A rule of the user decides: no detector is asked where one matches.

use super::protocols::{AnyFramer, StreamRow, known_name, protocols, stream};
use super::rule_reader::{Mistake, PortRange, RuleReader};
use super::user_framer::UserRow;
use crate::base::flow::Transport;
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::base::state::{Deserialize, Serialize};

/// The user's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// `--decode-as`; the last that matches decides.
    pub decode_as: Vec<DecodeAs>,
    /// `--framer`; the last that matches decides, after those of `--decode-as`.
    pub framers: Vec<UserRow>,
    /// Which messages are wanted.
    pub filter: ProtocolFilter,
}

/// Which messages the user wants (`--protocols`, `--unframed`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolFilter {
    /// Messages of these protocols only; empty: of all.
    pub protocols: Vec<Name>,
    /// None of these.
    #[serde(default)]
    pub except: Vec<Name>,
    /// No messages of no known protocol.
    pub drop_unframed: bool,
}

impl ProtocolFilter {
    /// All messages are wanted.
    pub const fn is_all(&self) -> bool {
        self.protocols.is_empty() && self.except.is_empty() && !self.drop_unframed
    }

    /// Whether messages of this protocol are wanted.
    pub fn wants(&self, protocol: &str) -> bool {
        if self.is_all() {
            return true;
        }
        if protocol == NO_PROTOCOL && self.drop_unframed {
            return false;
        }
        let among = |names: &[Name]| names.iter().any(|name| name.text() == protocol);
        (self.protocols.is_empty() || among(&self.protocols)) && !among(&self.except)
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
    /// A protocol of the table.
    Known(&'static StreamRow),
    /// A row of the user's.
    Added(&'a UserRow),
    /// No protocol.
    Nothing,
}

impl Decided<'_> {
    /// What frames the connection; None where the user says that it has no protocol.
    pub(super) fn framer(self) -> Option<AnyFramer> {
        match self {
            Self::Known(row) => Some(row.framer()),
            Self::Added(row) => Some(AnyFramer::User(row.framer())),
            Self::Nothing => None,
        }
    }
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
                Some(row) => Decided::Added(row),
                None => stream(name.text()).map_or(Decided::Nothing, Decided::Known),
            });
        }
        self.framers
            .iter()
            .rfind(|row| row.ports.hold(transport, ports))
            .map(Decided::Added)
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

    /// All names that a message can have, in order: those of protocols, and those that the user gives.
    pub fn names(&self) -> Vec<&'static str> {
        let given = self.framers.iter().map(|row| row.name);
        let given = given.chain(self.decode_as.iter().map(|d| d.protocol));
        let mut names: Vec<_> = protocols()
            .into_iter()
            .map(|protocol| protocol.name)
            .chain(given.map(Name::text))
            .chain([NO_PROTOCOL])
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The first name that no protocol and no row of the user's has.
    pub fn unknown_name(&self) -> Option<&'static str> {
        self.filter
            .protocols
            .iter()
            .chain(&self.filter.except)
            .chain(self.decode_as.iter().map(|d| &d.protocol))
            .find(|name| {
                known_name(name.text()).is_none()
                    && !self.framers.iter().any(|row| row.name == **name)
            })
            .map(|name| name.text())
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
        if !reader.eat(",") {
            return reader.mistake(format!(
                "expected a comma and the name of a protocol{}",
                reader.found()
            ));
        }
        let at = reader.at;
        let protocol = reader.name()?;
        let protocol = known_name(protocol.text()).map_or(protocol, Name::of);
        reader.end()?;
        if ports.transport == Transport::Tcp
            && known_name(protocol.text()).is_some()
            && protocol.text() != NO_PROTOCOL
            && stream(protocol.text()).is_none()
        {
            reader.at = at;
            return reader.mistake(format!("{} is not known over TCP", protocol.text()));
        }
        Ok(Self { ports, protocol })
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
    }

    #[test]
    fn mistakes_have_their_place() {
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
            Some(Decided::Known(_))
        ));
        assert!(matches!(
            rules.decide(Tcp, (4000, 5)),
            Some(Decided::Added(_))
        ));
        assert!(matches!(
            rules.decide(Tcp, (100, 4000)),
            Some(Decided::Added(_))
        ));
        assert!(rules.decide(Tcp, (10, 4000)).is_none());
        assert_eq!(rules.named(Transport::Udp, (7, 8)), Some("sip"));
        assert_eq!(rules.named(Transport::Sctp, (7, 8)), None);
        assert_eq!(rules.named(Transport::Udp, (8, 9)), None);
        assert_eq!(rules.unknown_name(), None);
    }
}
