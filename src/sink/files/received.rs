//! Ranges of an entity, as responses bring them (RFC 9110, 14).

use super::transfer::FileInfo;
use crate::base::context::Context;
use crate::base::flow::Transport;
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Timestamp;
use std::net::SocketAddr;

/// Ranges of one entity that become files of their own where it stays incomplete. A hostile server could otherwise make a file of
/// each octet.
const RANGES: usize = 1024;

/// A range, as a message says: offset of its first octet, offset behind its last, and octets of the whole entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContentRange {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) len: Option<u64>,
}

/// The value of `Content-Range` (RFC 9110, 14.4), if it makes sense. `body`: octets that come with it. Where it names no range but
/// the length of the whole (`*/100`), and as many come, they are the whole.
pub(super) fn content_range(value: &[u8], body: Option<u64>) -> Option<ContentRange> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let (unit, range) = text.split_once(|c: char| c.is_ascii_whitespace())?;
    let (range, len) = range.trim().split_once('/')?;
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|n| *n < 1 << 62);
    if range.trim() == "*" && unit.eq_ignore_ascii_case("bytes") {
        let to = number(len).filter(|len| *len > 0 && body == Some(*len))?;
        return Some(ContentRange {
            from: 0,
            to,
            len: Some(to),
        });
    }
    let (first, last) = range.split_once('-')?;
    let (from, to) = (number(first)?, number(last)? + 1);
    let len = match len.trim() {
        "*" => None,
        len => Some(number(len)?),
    };
    // Last before first, or past the whole, is an attack or a bug of the server: the body is then a
    // file of its own.
    let sound = unit.eq_ignore_ascii_case("bytes") && from < to && len.is_none_or(|len| to <= len);
    sound.then_some(ContentRange { from, to, len })
}

/// A range, and what brought it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReceivedRange {
    pub(super) range: ContentRange,
    transport: Transport,
    connection: u64,
    src: SocketAddr,
    dst: SocketAddr,
    first: (u64, Timestamp),
    last: (u64, Timestamp),
}

impl ReceivedRange {
    /// A range that comes in what `about` describes.
    pub(super) const fn new(range: ContentRange, about: &FileInfo) -> Self {
        Self {
            range,
            transport: about.transport,
            connection: about.connection,
            src: about.src,
            dst: about.dst,
            first: about.first,
            last: about.last,
        }
    }

    /// Another packet, behind those before, brought octets of it.
    pub(super) const fn seen(&mut self, frame: u64, time: Timestamp) {
        self.last = (frame, time);
    }

    /// What is known of it as a file; `of`: of that which it is a range of.
    pub(super) fn about(&self, of: &FileInfo) -> FileInfo {
        FileInfo {
            transport: self.transport,
            connection: self.connection,
            src: self.src,
            dst: self.dst,
            first: self.first,
            last: self.last,
            ..of.clone()
        }
    }
}

/// The ranges of one entity that came whole.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct WholeRanges {
    pub(super) all: Vec<ReceivedRange>,
    /// How many there was no room for.
    pub(super) left_out: u64,
    /// Octets that the budget knows of.
    counted: usize,
}

impl WholeRanges {
    /// The only range, if it came whole.
    pub(super) fn of(brought: Option<ReceivedRange>) -> Self {
        Self {
            all: brought.into_iter().collect(),
            left_out: 0,
            counted: 0,
        }
    }

    /// Adds one, unless the same octets came before.
    pub(super) fn add(&mut self, brought: ReceivedRange) {
        let is = |b: &ReceivedRange| (b.range.from, b.range.to);
        // A range that is sent again would otherwise become two equal files.
        if self.all.iter().any(|b| is(b) == is(&brought)) {
            return;
        }
        if self.all.len() < RANGES {
            self.all.push(brought);
        } else {
            self.left_out += 1;
        }
    }

    /// Charges the budget with what is allocated now.
    pub(super) fn count(&mut self, cx: &mut Context) {
        let now = self.all.capacity() * size_of::<ReceivedRange>();
        cx.budget.rebook(&mut self.counted, now);
    }

    /// They are kept no longer.
    pub(super) fn uncount(&mut self, cx: &mut Context) {
        cx.budget.give(std::mem::take(&mut self.counted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |from, to, len| Some(ContentRange { from, to, len });
        for (text, expected) in [
            ("bytes 0-9/100", range(0, 10, Some(100))),
            ("Bytes 90-99/100", range(90, 100, Some(100))),
            ("bytes 5-5/*", range(5, 6, None)),
            ("bytes */100", None),
            ("bytes */50", range(0, 50, Some(50))),
            ("bytes */*", None),
            ("bytes 9-0/100", None),
            ("bytes 90-100/100", None),
            ("lines 0-9/100", None),
            ("bytes 0-9", None),
            ("bytes 0-18446744073709551615/*", None),
            ("", None),
        ] {
            assert_eq!(content_range(text.as_bytes(), Some(50)), expected, "{text}");
        }
    }
}
