//! The line with the size of a chunk (RFC 9112, 7.1), read octet by octet by both who need it: framing, which asks where the
//! body ends, and the files, which need its content. If they read it differently, a file would be wrong and be called whole.

use crate::base::state::{Deserialize, Serialize};

/// A chunk's line, extensions included, that is longer than this is none. As much as servers take of a header line.
const LINE: u32 = 16 << 10;

/// A line with the size of a chunk, as far as it was read. White space and line ends may stand before the size: the line end of
/// the chunk before, and what some servers add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkLine {
    size: u64,
    octets: u32,
    part: Part,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Part {
    /// Before the size.
    #[default]
    Before,
    /// Behind a plus sign.
    Sign,
    /// In its digits, of which the first was this one alone, a zero: `0x` may begin so.
    Zero,
    /// Behind `0x`.
    Prefix,
    /// In its digits.
    Digits,
    /// In white space behind them, or an extension.
    Behind,
}

/// What an octet makes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkSize {
    /// It goes on.
    More,
    /// It is whole: the chunk has so many octets; the last one has none.
    Octets(u64),
    /// It is no line with a size.
    Bad,
}

impl ChunkLine {
    /// Reads the next octet.
    pub fn push(&mut self, octet: u8) -> ChunkSize {
        self.octets += 1;
        if self.octets > LINE {
            return ChunkSize::Bad;
        }
        let digit = char::from(octet).to_digit(16);
        self.part = match (self.part, octet, digit) {
            // Other control characters stand for white space with some senders, and browsers go over them.
            (Part::Before, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c, _) => Part::Before,
            (Part::Before, b'+', _) => Part::Sign,
            (Part::Before, b'0', _) => Part::Zero,
            (Part::Zero, b'x' | b'X', _) => Part::Prefix,
            (
                Part::Before | Part::Sign | Part::Zero | Part::Prefix | Part::Digits,
                _,
                Some(digit),
            ) => {
                // A size that would pass the end of all offsets is none. Zeros before it may be any number.
                if self.size >= 1 << 58 {
                    return ChunkSize::Bad;
                }
                self.size = self.size << 4 | u64::from(digit);
                Part::Digits
            }
            (Part::Zero | Part::Digits | Part::Behind, b'\n', _) => {
                return ChunkSize::Octets(self.size);
            }
            (
                Part::Zero | Part::Digits,
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c | 0 | b';' | b',',
                _,
            )
            | (Part::Behind, ..) => Part::Behind,
            _ => return ChunkSize::Bad,
        };
        ChunkSize::More
    }

    /// Reads octets to the end of the line: how many, and its size.
    pub fn read(&mut self, octets: &[u8]) -> (usize, ChunkSize) {
        for (i, octet) in octets.iter().enumerate() {
            match self.push(*octet) {
                ChunkSize::More => {}
                end => return (i + 1, end),
            }
        }
        (octets.len(), ChunkSize::More)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_form_that_browsers_take() {
        for (line, expected) in [
            ("5\r\n", ChunkSize::Octets(5)),
            ("5\n", ChunkSize::Octets(5)),
            ("aB\r\n", ChunkSize::Octets(0xab)),
            ("0000000000000005\r\n", ChunkSize::Octets(5)),
            (
                "00000000000000000000000000000000000000000000000005\r\n",
                ChunkSize::Octets(5),
            ),
            ("0\r\n", ChunkSize::Octets(0)),
            ("000\r\n", ChunkSize::Octets(0)),
            ("0x10\r\n", ChunkSize::Octets(16)),
            ("5;name=value\r\n", ChunkSize::Octets(5)),
            ("5 ; a=\"b c\"\r\n", ChunkSize::Octets(5)),
            ("5  \r\n", ChunkSize::Octets(5)),
            ("5 anything\r\n", ChunkSize::Octets(5)),
            ("5\t\r\n", ChunkSize::Octets(5)),
            ("5\r\r\n", ChunkSize::Octets(5)),
            ("5\x0b\r\n", ChunkSize::Octets(5)),
            (" 5\r\n", ChunkSize::Octets(5)),
            ("+5\r\n", ChunkSize::Octets(5)),
            ("\r\n5\r\n", ChunkSize::Octets(5)),
            ("\n\r\n5\r\n", ChunkSize::Octets(5)),
            ("3fffffffffffffff\r\n", ChunkSize::Octets((1 << 62) - 1)),
            ("4000000000000000\r\n", ChunkSize::Bad),
            ("fffffffffffffffff\r\n", ChunkSize::Bad),
            ("-5\r\n", ChunkSize::Bad),
            ("x\r\n", ChunkSize::Bad),
            ("0x\r\n", ChunkSize::Bad),
            (";\r\n", ChunkSize::Bad),
            ("5g\r\n", ChunkSize::Bad),
            ("DELETE / HTTP/1.1\r\n", ChunkSize::Bad),
            ("", ChunkSize::More),
            ("5", ChunkSize::More),
            ("5;", ChunkSize::More),
        ] {
            let mut at_once = ChunkLine::default();
            let (read, size) = at_once.read(line.as_bytes());
            assert_eq!(size, expected, "{line:?}");
            assert!(expected == ChunkSize::Bad || read == line.len());
            // The same, cut anywhere.
            for cut in 0..line.len() {
                let mut parts = ChunkLine::default();
                let (first, second) = line.as_bytes().split_at(cut);
                let size = match parts.read(first).1 {
                    ChunkSize::More => parts.read(second).1,
                    size => size,
                };
                assert_eq!(size, expected, "{line:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_none() {
        let mut line = ChunkLine::default();
        let octets = vec![b'0'; LINE as usize + 1];
        assert_eq!(line.read(&octets).1, ChunkSize::Bad);
    }
}
