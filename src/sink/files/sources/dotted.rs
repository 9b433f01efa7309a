//! Text that ends with a dot on a line of its own, and in which lines that begin with a dot have another one (RFC 5321, 4.5.2; RFC 1939, 3).

use crate::base::state::{Deserialize, Serialize};
use memchr::memmem;

/// Where in such a text the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DottedText {
    /// A line begins.
    Line,
    /// Inside of a line.
    Inside,
    /// Behind the dot that a line begins with, which is kept back.
    Dot,
    /// Behind a dot and a CR.
    DotCr,
    /// Behind the last line.
    Ended,
}

impl DottedText {
    /// Hands on the octets as they were before they were sent: without the first dots of lines, and without the last line.
    pub(super) fn read(&mut self, mut octets: &[u8], mut put: impl FnMut(&[u8])) {
        while let Some(&first) = octets.first() {
            match (*self, first) {
                (Self::Line, b'.') => {
                    *self = Self::Dot;
                    octets = &octets[1..];
                }
                (Self::Line, b'\n') => {
                    put(b"\n");
                    octets = &octets[1..];
                }
                (Self::Line | Self::Inside, _) => {
                    // Up to the next line that begins with a dot, or where one may.
                    let end = memmem::find(octets, b"\n.").map_or(octets.len(), |at| at + 1);
                    let (text, rest) = octets.split_at(end);
                    put(text);
                    *self = match text.last() {
                        Some(b'\n') => Self::Line,
                        _ => Self::Inside,
                    };
                    octets = rest;
                }
                (Self::Dot, b'\r') => {
                    *self = Self::DotCr;
                    octets = &octets[1..];
                }
                (Self::Dot, _) => {
                    put(&octets[..1]);
                    *self = match first {
                        b'\n' => Self::Line,
                        _ => Self::Inside,
                    };
                    octets = &octets[1..];
                }
                (Self::DotCr, b'\n') => {
                    *self = Self::Ended;
                    return;
                }
                (Self::DotCr, _) => {
                    put(b"\r");
                    *self = Self::Inside;
                }
                (Self::Ended, _) => return,
            }
        }
    }

    /// Octets are missing. What follows them is not known to begin a line.
    pub(super) fn gap(&mut self) {
        if *self != Self::Ended {
            *self = Self::Inside;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8], step: usize) -> (Vec<u8>, DottedText) {
        let (mut out, mut state) = (Vec::new(), DottedText::Line);
        for part in text.chunks(step) {
            state.read(part, |octets| out.extend_from_slice(octets));
        }
        (out, state)
    }

    #[test]
    fn dots_are_taken_away_and_the_last_line_is_none() {
        for (text, expected, ended) in [
            (&b"a\r\n.\r\nrest"[..], &b"a\r\n"[..], true),
            (b".\r\n", b"", true),
            (b"..\r\n...a\r\n.\r\n", b".\r\n..a\r\n", true),
            (b"a.\r\n.b\r\n.\rc\r\n.\r\n", b"a.\r\nb\r\n\rc\r\n", true),
            // A bare line feed begins a line too.
            (b"a\n..b\n\n.\r\n", b"a\n.b\n\n", true),
            (b"a\r\n", b"a\r\n", false),
            (b"a\r\n.", b"a\r\n", false),
        ] {
            for step in 1..text.len() + 1 {
                let (out, state) = read(text, step);
                assert_eq!(out, expected, "{} by {step}", text.escape_ascii());
                assert_eq!(state == DottedText::Ended, ended);
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_sent_is_what_comes_out(lines in prop::collection::vec("[.a\r]{0,4}", 0..12), step in 1_usize..20) {
            let lines: Vec<_> = lines.iter().map(|line| line.trim_end_matches('\r')).collect();
            let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let sent: String = lines.iter().map(|line| if line.starts_with('.') { format!(".{line}\r\n") } else { format!("{line}\r\n") }).collect();
            let (out, state) = read(format!("{sent}.\r\n").as_bytes(), step);
            prop_assert_eq!(String::from_utf8(out).unwrap(), text);
            prop_assert_eq!(state, DottedText::Ended);
        }
    }
}
