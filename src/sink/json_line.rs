//! How values of JSON are written, one a line (RFC 8259).

use crate::message::is_hidden;
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};
use std::io::{self, Write};
use std::time::Duration;

/// Appends a value.
pub(crate) fn write(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing to a vector does not fail, and no value here has a map whose keys are no strings.
    let _ = value.serialize(&mut Serializer::with_formatter(out, LineFormat));
}

/// A value in one line, without its line feed.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    let mut line = Vec::with_capacity(512);
    write(value, &mut line);
    String::from_utf8(line).unwrap_or_default()
}

/// As compact as serde_json's, but every control character is escaped, DEL and C1 (RFC 6429) included, and so is what turns the
/// direction of writing or is not seen: a line may be shown on a terminal. `\n`, `\r` and `\t` are the only short forms.
struct LineFormat;

impl Formatter for LineFormat {
    fn write_char_escape<W: Write + ?Sized>(
        &mut self,
        to: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Backspace => to.write_all(b"\\u0008"),
            CharEscape::FormFeed => to.write_all(b"\\u000c"),
            other => CompactFormatter.write_char_escape(to, other),
        }
    }

    /// What serde_json does not escape by itself.
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        to: &mut W,
        mut text: &str,
    ) -> io::Result<()> {
        // Most text has nothing of it.
        if text.is_ascii() && !text.contains('\x7f') {
            return to.write_all(text.as_bytes());
        }
        while let Some((at, odd)) = text.char_indices().find(|(_, c)| is_hidden(*c)) {
            let (before, rest) = text.split_at(at);
            to.write_all(before.as_bytes())?;
            for unit in odd.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
            text = rest.get(odd.len_utf8()..).unwrap_or_default();
        }
        to.write_all(text.as_bytes())
    }

    /// A time span in nanoseconds ([`Seconds`]): seconds with all nine digits behind the point, which no floating-point
    /// number has room for.
    fn write_u128<W: Write + ?Sized>(&mut self, to: &mut W, nanos: u128) -> io::Result<()> {
        write!(to, "{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
    }

    /// A time in microseconds ([`Micros`]), in the same way.
    fn write_i128<W: Write + ?Sized>(&mut self, to: &mut W, micros: i128) -> io::Result<()> {
        write!(to, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// A time span in seconds; the only value that is written as a `u128`.
pub(crate) struct Seconds(pub(crate) Duration);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u128(self.0.as_nanos())
    }
}

/// The same with six digits; the only value that is written as an `i128`.
pub(crate) struct Micros(pub(crate) Duration);

impl Serialize for Micros {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i128(i128::try_from(self.0.as_micros()).unwrap_or(i128::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &(impl Serialize + ?Sized)) -> String {
        let mut out = Vec::new();
        write(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_characters_are_escaped() {
        for (text, expected) in [
            ("", r#""""#),
            ("a\"b\\c/", r#""a\"b\\c/""#),
            (
                "\n\r\t\u{8}\u{c}\u{1b}\0",
                r#""\n\r\t\u0008\u000c\u001b\u0000""#,
            ),
            ("\u{7f}x\u{80}\u{9f}", r#""\u007fx\u0080\u009f""#),
            ("\u{a0}é\u{c2}\u{9b}ü", "\"\u{a0}é\u{c2}\\u009bü\""),
            ("日本\u{2028}", r#""日本\u2028""#),
            ("a\u{202e}b\u{2066}\u{200f}é", r#""a\u202eb\u2066\u200fé""#),
            ("\u{e0001}x", r#""\udb40\udc01x""#),
        ] {
            assert_eq!(written(text), expected);
            assert_eq!(json_line(&text), expected);
        }
    }

    #[test]
    fn times_have_six_digits() {
        let time = Duration::new(1_795_255_200, 1_999);
        assert_eq!(written(&Micros(time)), "1795255200.000001");
    }

    #[test]
    fn spans_have_nine_digits() {
        for (span, expected) in [
            (Duration::ZERO, "0.000000000"),
            (Duration::new(1, 5), "1.000000005"),
            (
                Duration::new(u64::MAX, 999_999_999),
                "18446744073709551615.999999999",
            ),
        ] {
            assert_eq!(written(&Seconds(span)), expected);
        }
    }
}
