//! What of a message is listed by name, in the JSON and in tables: `http.method`, `dns.question`.

use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// Text; octets that are not UTF-8 are replaced. Nothing is escaped.
    Text(&'a str),
    /// A number.
    Number(u64),
}

/// The value of a field, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum KeptValue {
    /// Begin and end in the text of all fields.
    Text(usize, usize),
    Number(u64),
}

/// Fields of a message, by the names that `name.` and its protocol's name stand in front of, in the order in which the protocol
/// has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFields {
    list: Vec<(Name, KeptValue)>,
    /// The text of all of them, so that a message needs one allocation for it, not one for each.
    text: String,
}

/// Octets of a value that are kept: more than a URL has that a browser still shows.
const LONGEST: usize = 2048;

impl MessageFields {
    /// Adds a field of text.
    pub fn text(&mut self, name: &'static str, value: &[u8]) {
        let value = value.get(..LONGEST).unwrap_or(value);
        let begin = self.text.len();
        self.text.push_str(&String::from_utf8_lossy(value));
        let value = KeptValue::Text(begin, self.text.len());
        self.list.push((Name::of(name), value));
    }

    /// Adds a field of text that `write` appends; none where that is nothing.
    pub(super) fn write(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        let begin = self.text.len();
        write(&mut self.text);
        let end = self.text.len();
        if end - begin > LONGEST {
            let written = self.text.split_off(begin);
            self.text(name, written.as_bytes());
        } else if end > begin {
            self.list
                .push((Name::of(name), KeptValue::Text(begin, end)));
        }
    }

    /// The same, where there is one.
    pub(super) fn text_if(&mut self, name: &'static str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Adds a number.
    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        self.list.push((Name::of(name), KeptValue::Number(value)));
    }

    /// Forgets all of them, and keeps their memory for others.
    pub fn clear(&mut self) {
        self.list.clear();
        self.text.clear();
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<FieldValue<'_>> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, FieldValue<'_>)> {
        self.list.iter().map(|(name, value)| {
            let value = match *value {
                // Within the text, unless a state was changed that is read back.
                KeptValue::Text(begin, end) => {
                    FieldValue::Text(self.text.get(begin..end).unwrap_or_default())
                }
                KeptValue::Number(number) => FieldValue::Number(number),
            };
            (name.text(), value)
        })
    }

    /// The protocol lists nothing of this message.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Octets that are allocated for them.
    pub fn allocated(&self) -> usize {
        self.list.capacity() * size_of::<(Name, KeptValue)>() + self.text.capacity()
    }
}
