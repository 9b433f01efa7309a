//! Lines that fit a terminal.

use rustix::fd::AsFd;
use std::io::{self, Write};

/// Columns of a terminal; None for anything else.
pub(super) fn width(of: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(of).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Writes to a terminal what may be longer than its lines: what begins with the program's name is broken between words, and goes on
/// behind two blanks.
pub(super) struct Wrapping<W> {
    to: W,
    width: Option<usize>,
    /// A line that has not ended.
    line: String,
}

/// The program's name, as its words begin with it.
const BEGINNING: &str = "inet-asm: ";
/// Columns that later lines are set in by.
const INDENT: usize = 2;

impl<W: Write> Wrapping<W> {
    /// With a width; without one nothing is broken.
    pub(super) const fn new(to: W, width: Option<usize>) -> Self {
        Self {
            to,
            width,
            line: String::new(),
        }
    }
}

/// A blank at which no line is broken.
const BOUND: char = '\u{a0}';

/// The text with options bound to their values.
fn bound(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(' ') {
        out.push_str(word);
        let option = word.starts_with('-') && !word.ends_with([',', ':', ')']);
        out.push(if option { BOUND } else { ' ' });
    }
    out.pop();
    out
}

impl<W: Write> Write for Wrapping<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let Some(width) = self.width else {
            return self.to.write(octets);
        };
        // All that is written here is text, and comes in whole characters.
        self.line.push_str(&String::from_utf8_lossy(octets));
        while let Some(end) = self.line.find('\n') {
            let line: String = self.line.drain(..=end).collect();
            let broken = if line.starts_with(BEGINNING) {
                let text = wrapped(&bound(line.trim_end()), INDENT, Some(width));
                format!("{}\n", text.replace(BOUND, " "))
            } else {
                line
            };
            self.to.write_all(broken.as_bytes())?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Words that stand beside something that takes so many columns, behind a gap, as [`wrapped`] has them; below it where there is no room.
pub(super) fn beside(text: &str, taken: usize, gap: &str, width: Option<usize>) -> String {
    const BELOW: usize = 4;
    let indent = taken + gap.len();
    match width {
        Some(width) if width < indent + NARROW && width >= BELOW + NARROW => {
            let text = wrapped(text.trim_start(), BELOW, Some(width));
            format!("\n{:BELOW$}{text}", "")
        }
        width => format!("{gap}{}", wrapped(text, indent, width)),
    }
}

/// A column of a few letters is harder to read than lines that the terminal breaks.
const NARROW: usize = 20;

/// Words in lines of so many columns, of which all but the first begin with `indent` of them. The first line has that many columns
/// before it already. Words that are too long for a line stand in one of their own.
pub(super) fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(room) = width.and_then(|all| all.checked_sub(indent)) else {
        return text.to_owned();
    };
    if room < NARROW {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let (mut used, mut begun) = (0, false);
    for word in text.split(' ') {
        let len = word.chars().count();
        if begun && used + 1 + len > room {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        } else if begun {
            out.push(' ');
            used += 1;
        }
        begun = true;
        out.push_str(word);
        used += len;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_says_fits_a_terminal() {
        let said = |width, text: &str| {
            let mut out = Vec::new();
            let mut to = Wrapping::new(&mut out, width);
            for part in text.split_inclusive(' ') {
                to.write_all(part.as_bytes()).unwrap();
            }
            String::from_utf8(out).unwrap()
        };
        let text = "inet-asm: one two three four five six seven eight nine ten\nother words that are as long as these\n";
        assert_eq!(said(None, text), text);
        assert_eq!(
            said(Some(30), text),
            "inet-asm: one two three four\n  five six seven eight nine\n  ten\nother words that are as long as these\n"
        );
        assert_eq!(
            said(Some(30), "inet-asm: abcdefghi: -d tcp.port==80,NAME\n"),
            "inet-asm: abcdefghi:\n  -d tcp.port==80,NAME\n"
        );
        let widest = said(Some(30), text).lines().next().map(str::len);
        assert!(widest <= Some(30));
    }

    #[test]
    fn words_stand_below_what_leaves_no_room() {
        assert_eq!(beside("one two", 10, "  ", None), "  one two");
        assert_eq!(beside("one two", 10, "  ", Some(40)), "  one two");
        assert_eq!(
            beside(" one two three four five six", 10, "  ", Some(30)),
            "\n    one two three four five\n    six"
        );
        // There nothing helps.
        assert_eq!(beside("one two", 10, "  ", Some(20)), "  one two");
    }

    #[test]
    fn words_are_wrapped_behind_their_column() {
        let text = "one two three four five six seven eight nine ten";
        assert_eq!(wrapped(text, 4, None), text);
        assert_eq!(wrapped(text, 4, Some(20)), text);
        assert_eq!(
            wrapped(text, 4, Some(30)),
            "one two three four five\n    six seven eight nine ten"
        );
        assert_eq!(wrapped("", 4, Some(30)), "");
        assert_eq!(wrapped(" a b", 4, Some(30)), " a b");
        let long = "a".repeat(40);
        assert_eq!(
            wrapped(&format!("b {long} c"), 0, Some(30)),
            format!("b\n{long}\nc")
        );
    }
}
