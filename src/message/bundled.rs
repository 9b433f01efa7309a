//! Several messages in one user message of SCTP: each says in its header how long it is. Which protocols do that, and how
//! they say it, is in their rows.

use super::row::BundledLength;
use std::fmt::Write as _;

/// A message that stands in a user message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundled<'a> {
    /// Offset of its first octet in the user message.
    pub offset: usize,
    /// Octets that it has by its header.
    pub len: u64,
    /// Its octets, as far as they are there.
    pub data: &'a [u8],
}

/// The messages in a user message, in order. What has no header that can be believed is one message to the end.
#[derive(Clone, Debug)]
pub struct Bundle<'a> {
    length: BundledLength,
    offset: usize,
    rest: &'a [u8],
}

impl<'a> Bundle<'a> {
    /// The messages in these octets, whose headers `length` reads.
    pub const fn new(length: BundledLength, data: &'a [u8]) -> Self {
        Self {
            length,
            offset: 0,
            rest: data,
        }
    }
}

impl<'a> Iterator for Bundle<'a> {
    type Item = Bundled<'a>;

    fn next(&mut self) -> Option<Bundled<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let len = (self.length)(self.rest).unwrap_or(self.rest.len() as u64);
        let here = usize::try_from(len).map_or(self.rest.len(), |n| n.min(self.rest.len()));
        let (data, rest) = self.rest.split_at(here);
        let found = Bundled {
            offset: self.offset,
            len,
            data,
        };
        self.offset += here;
        self.rest = rest;
        Some(found)
    }
}

/// The octets are such messages in a row and nothing else, each `sound`; the last may be cut where they are not the `whole`
/// user message.
pub(super) fn is_plausible(
    length: BundledLength,
    sound: fn(&[u8]) -> bool,
    data: &[u8],
    whole: bool,
) -> bool {
    let sound = |m: &Bundled<'_>| {
        length(m.data).is_some() && sound(m.data) && (m.len == m.data.len() as u64 || !whole)
    };
    let mut all = Bundle::new(length, data).peekable();
    all.peek().is_some() && all.all(|m| sound(&m))
}

/// The octets are such messages in a row, `whole` octets with what is cut off: the last one that can be read may be cut, and
/// so may the header behind it.
pub(super) fn begins(length: BundledLength, data: &[u8], whole: u64) -> bool {
    let (mut at, mut rest) = (0, data);
    while let Some(len) = length(rest) {
        at += len;
        let behind = usize::try_from(len).ok().and_then(|len| rest.get(len..));
        match behind {
            _ if at > whole => return false,
            Some([]) | None => return true,
            Some(behind) => rest = behind,
        }
    }
    // What is left of a header says nothing; it is none where it is longer than any.
    at > 0 && rest.len() < 16
}

/// The most messages of one user message that a summary names: more make a line that nobody reads.
const NAMED: usize = 8;

/// Appends a few words on each of the messages, by what `one` says of one of them; false where it says nothing of the first.
pub(super) fn summary(
    length: BundledLength,
    one: fn(&[u8], &mut String) -> Option<()>,
    data: &[u8],
    out: &mut String,
) -> bool {
    let begin = out.len();
    let mut more = 0;
    for (n, m) in Bundle::new(length, data).enumerate() {
        if n >= NAMED {
            more += 1;
            continue;
        }
        if n > 0 {
            out.push_str(" + ");
        }
        if one(m.data, out).is_none() {
            if n == 0 {
                out.truncate(begin);
                return false;
            }
            let _ = write!(out, "{} bytes", m.data.len());
        }
    }
    if more > 0 {
        let _ = write!(out, " + {more} more");
    }
    out.len() > begin
}
