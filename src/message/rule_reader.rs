//! Reads the rules that the user writes, from left to right, and says where one is wrong.

use crate::base::flow::Transport;
use crate::base::protocol::{LONGEST, Name};
use crate::base::size::size;
use crate::base::state::{Deserialize, Serialize};

/// A magic, or what ends a message, has so many octets at most: no protocol has more, and each is held in every framer.
const OCTETS: usize = 64;

/// Ports of one transport: `tcp.port==9000-9010`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The transport.
    pub(super) transport: Transport,
    /// The first of them.
    pub(super) first: u16,
    /// The last.
    pub(super) last: u16,
}

impl PortRange {
    /// One of these two ports is among them.
    pub(super) fn hold(&self, transport: Transport, ports: (u16, u16)) -> bool {
        let one = |port: u16| (self.first..=self.last).contains(&port);
        self.transport == transport && (one(ports.0) || one(ports.1))
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
pub(super) struct RuleReader<'a> {
    /// All of it.
    pub(super) text: &'a str,
    /// How many octets have been read.
    pub(super) at: usize,
}

impl<'a> RuleReader<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn mistake<T>(&self, what: impl Into<String>) -> Result<T, Mistake> {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        Err(Mistake {
            column: before.chars().count() + 1,
            what: what.into(),
        })
    }

    /// Reads this, if it stands here. Blanks may stand around what separates.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let blanks = |text: &str| match token {
            "," | "==" => text.len() - text.trim_start_matches(' ').len(),
            _ => 0,
        };
        let rest = self.rest();
        let before = blanks(rest);
        let Some(behind) = rest.get(before..).and_then(|rest| rest.strip_prefix(token)) else {
            return false;
        };
        self.at += before + token.len() + blanks(behind);
        true
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<(), Mistake> {
        if self.eat(token) {
            Ok(())
        } else {
            let token = if token == "," { "a comma" } else { token };
            self.mistake(format!("expected {token}{}", self.found()))
        }
    }

    /// What stands here instead.
    pub(super) fn found(&self) -> String {
        let here: String = self.rest().chars().take_while(|c| *c != ',').collect();
        if here.is_empty() {
            ", found nothing".to_owned()
        } else {
            format!(", found {here}")
        }
    }

    pub(super) fn number(&mut self, most: u64) -> Result<u64, Mistake> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let Some(number) = self.rest()[..digits].parse().ok().filter(|n| *n <= most) else {
            return self.mistake(format!("expected a number up to {most}{}", self.found()));
        };
        self.at += digits;
        Ok(number)
    }

    /// `65536` or `64K`: a size, in powers of 1024.
    pub(super) fn size(&mut self) -> Result<u64, Mistake> {
        let text = self.rest().split(',').next().unwrap_or_default();
        match size(text) {
            Ok(size) => {
                self.at += text.len();
                Ok(size as u64)
            }
            Err(_) => self.mistake(format!("expected a size, as 64K{}", self.found())),
        }
    }

    /// `0xCAFE`: octets.
    pub(super) fn octets(&mut self) -> Result<Vec<u8>, Mistake> {
        self.expect("0x")?;
        let digits = self
            .rest()
            .bytes()
            .take_while(u8::is_ascii_hexdigit)
            .count();
        let text = &self.rest()[..digits];
        if digits == 0 || digits % 2 == 1 || digits > 2 * OCTETS {
            return self.mistake(format!(
                "expected two hexadecimal digits for each byte, {OCTETS} bytes at most{}",
                self.found()
            ));
        }
        self.at += digits;
        Ok((0..digits / 2)
            .filter_map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok())
            .collect())
    }

    /// `tcp.port==9000-9010`, also `9000:11`, eleven ports from 9000 on.
    pub(super) fn ports(&mut self) -> Result<PortRange, Mistake> {
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

    pub(super) fn name(&mut self) -> Result<Name, Mistake> {
        let text = self.rest().split(',').next().unwrap_or_default();
        let text = text.trim_end_matches(' ');
        let sound = text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c));
        let Some(name) = sound.then(|| Name::new(text)).flatten() else {
            return self.mistake(format!(
                "expected the name of a protocol: letters, digits, - _ ({LONGEST} at most){}",
                self.found()
            ));
        };
        self.at += text.len();
        Ok(name)
    }

    pub(super) fn end(&self) -> Result<(), Mistake> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            self.mistake(format!("expected the end{}", self.found()))
        }
    }
}
