//! What of a message is listed by name, in the JSON and in tables: `http.method`, `dns.question`.

use crate::base::protocol::Name;
use serde::{Deserialize, Serialize};

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldValue {
    /// Text; octets that are not UTF-8 are replaced. Nothing is escaped.
    Text(String),
    /// A number.
    Number(u64),
}

/// Fields of a message, by the names that `name.` and its protocol's name stand in front of, in the order in which the protocol
/// has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFields(Vec<(Name, FieldValue)>);

/// Octets of a value that are kept: more than a URL has that a browser still shows.
const LONGEST: usize = 2048;

impl MessageFields {
    /// Adds a field of text.
    pub(super) fn text(&mut self, name: &'static str, value: &[u8]) {
        let value = value.get(..LONGEST).unwrap_or(value);
        let value = FieldValue::Text(String::from_utf8_lossy(value).into_owned());
        self.0.push((Name::of(name), value));
    }

    /// The same, where there is one.
    pub(super) fn text_if(&mut self, name: &'static str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Adds a number.
    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        self.0.push((Name::of(name), FieldValue::Number(value)));
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0
            .iter()
            .find(|(n, _)| n.text() == name)
            .map(|(_, v)| v)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &FieldValue)> {
        self.0.iter().map(|(name, value)| (name.text(), value))
    }

    /// The protocol lists nothing of this message.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Octets that are allocated for them.
    pub fn allocated(&self) -> usize {
        let text = |value: &FieldValue| match value {
            FieldValue::Text(text) => text.capacity(),
            FieldValue::Number(_) => 0,
        };
        self.0.capacity() * size_of::<(Name, FieldValue)>()
            + self.0.iter().map(|(_, value)| text(value)).sum::<usize>()
    }
}
