//! Objects of JSON, one a line (RFC 8259), written by serde.

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};
use std::io::{self, Write};

/// A value in one line, without its line feed. Control characters are escaped, DEL and those of C1 included: a terminal
/// that shows the line must not act on what somebody sent.
pub(super) fn json_line(value: &impl Serialize) -> String {
    let mut line = Vec::with_capacity(512);
    // Writing to memory does not fail, nor do fields whose names are strings.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut line, Escaped));
    String::from_utf8(line).unwrap_or_default()
}

struct Escaped;

impl Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for part in fragment.split_inclusive(char::is_control) {
            match part.char_indices().next_back() {
                Some((at, last)) if last.is_control() => {
                    out.write_all(&part.as_bytes()[..at])?;
                    write!(out, "\\u{:04x}", u32::from(last))?;
                }
                _ => out.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let escape = match escape {
            CharEscape::Backspace => CharEscape::AsciiControl(0x08),
            CharEscape::FormFeed => CharEscape::AsciiControl(0x0c),
            other => other,
        };
        CompactFormatter.write_char_escape(out, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_as_the_other_json_escapes_them() {
        for text in [
            "",
            "a\"b\\c\n\r\t/",
            "\0\u{1}\u{8}\u{c}\u{1f}",
            "x\u{7f}\u{80}y\u{9f}\u{a0}",
            "Größe € 😀",
        ] {
            let mut own = String::new();
            crate::sink::json::string(text, &mut own);
            assert_eq!(json_line(&text), own);
        }
    }
}
