//! Names of protocols: Wireshark's, which are part of the program, and those that the user gives to rows of their own.

use std::fmt;
use std::sync::Mutex;

/// Names beyond those that are part of the program, at most: they are never given back.
const MOST: usize = 4096;
/// The name of what has no known protocol, as Wireshark has it.
pub const NO_PROTOCOL: &str = "data";

/// Octets of one name, at most.
pub const LONGEST: usize = 64;

static GIVEN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// The name of a protocol. Two of the same text are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(&'static str);

impl Default for Name {
    /// That of what has no known protocol.
    fn default() -> Self {
        Self(NO_PROTOCOL)
    }
}

impl Name {
    /// A name that is part of the program.
    pub const fn of(text: &'static str) -> Self {
        Self(text)
    }

    /// The name with this text; None where it is empty or too long, or where too many have been given.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let mut given = GIVEN.lock().ok()?;
        if let Some(known) = given.iter().find(|known| **known == text) {
            return Some(Self(known));
        }
        if given.len() >= MOST {
            return None;
        }
        let text = text.to_owned().leak();
        given.push(text);
        Some(Self(text))
    }

    /// Its text.
    pub const fn text(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

#[cfg(feature = "state")]
mod written_out {
    use super::Name;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    impl Serialize for Name {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.serialize_str(self.0)
        }
    }

    impl<'de> Deserialize<'de> for Name {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            let text = String::deserialize(d)?;
            Self::new(&text).ok_or_else(|| D::Error::custom("no name of a protocol"))
        }
    }
}
