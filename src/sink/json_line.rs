//! How values of JSON are written, one a line (RFC 8259).

use crate::message::is_hidden;
use serde::ser::{self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct};
use std::fmt::{self, Display, Write as _};
use std::time::Duration;

/// Appends a value.
pub(crate) fn write(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Only a type that no output has can fail.
    let done = value.serialize(Line(out));
    debug_assert!(done.is_ok(), "{done:?}");
}

/// A value in one line, without its line feed.
#[cfg(test)]
pub(crate) fn json_line(value: &impl Serialize) -> String {
    let mut line = Vec::with_capacity(512);
    write(value, &mut line);
    String::from_utf8(line).unwrap_or_default()
}

/// Writes values as compactly as can be. Every control character is escaped, DEL and C1 (RFC 6429) included, and so is what turns the
/// direction of writing or is not seen: a line may be shown on a terminal. `\n`, `\r` and `\t` are the only short forms.
// serde_json's own would do, but for the C1 characters: its strings are looked at twice then, and names of fields, which need no
// escaping, too. That was half of all that `--json` took.
struct Line<'a>(&'a mut Vec<u8>);

/// A value of a type that no object here has.
#[derive(Debug)]
struct NotWritten;

impl Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value of a line")
    }
}

impl std::error::Error for NotWritten {}

impl ser::Error for NotWritten {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// An octet of a string that may not be written as it is: quotation mark, backslash, a control, or what is not ASCII, of which
/// the C1 controls and all that is hidden are a part.
const fn is_special(octet: u8) -> bool {
    matches!(octet, 0..0x20 | b'"' | b'\\' | 0x7f..)
}

/// One of eight octets is special, at least. As [`is_special`], all of them in one go.
const fn has_special(octets: [u8; 8]) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    /// The high bits of octets that are zero. It may be wrong only behind one that is right.
    const fn zero(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let word = u64::from_le_bytes(octets);
    let below = word.wrapping_sub(ONES * 0x20) & !word;
    let quotes = zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64));
    (word | below | quotes | zero(word ^ (ONES * 0x7f))) & HIGH != 0
}

/// How many octets can be written as they are.
fn plain(octets: &[u8]) -> usize {
    let (eights, rest) = octets.as_chunks();
    let at = match eights.iter().position(|eight| has_special(*eight)) {
        Some(n) => n * 8,
        None => octets.len() - rest.len(),
    };
    let rest = octets.get(at..).unwrap_or_default();
    let more = rest.iter().position(|octet| is_special(*octet));
    at + more.unwrap_or(rest.len())
}

/// Appends a string, without its quotation marks.
fn escaped(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        // Where a special octet stands a character begins.
        let (before, behind) = rest.split_at(plain(rest.as_bytes()));
        out.extend_from_slice(before.as_bytes());
        let mut behind = behind.chars();
        let Some(special) = behind.next() else {
            return;
        };
        rest = behind.as_str();
        match special {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            shown if !is_hidden(shown) => {
                out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
            }
            hidden => {
                for unit in hidden.encode_utf16(&mut [0; 2]) {
                    escape_of(*unit, out);
                }
            }
        }
    }
}

/// Appends the escape of a unit of UTF-16.
fn escape_of(unit: u16, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |shift: u16| DIGITS[usize::from(unit >> shift & 15)];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

/// Appends a number.
fn number(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number with a fraction of so many digits, which no floating-point number has room for.
fn fixed(whole: u64, fraction: u64, digits: usize, out: &mut Vec<u8>) {
    number(whole, out);
    let begin = out.len();
    out.resize(begin + digits + 1, b'0');
    let mut rest = fraction;
    for place in out[begin + 1..].iter_mut().rev() {
        *place = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
    }
    out[begin] = b'.';
}

/// A string that is written piece by piece.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escaped(text, self.0);
        Ok(())
    }
}

/// An array or an object whose first value may not be there yet.
struct Values<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Values<'a> {
    fn begin(out: &'a mut Vec<u8>, open: u8) -> Self {
        out.push(open);
        Self { out, first: true }
    }

    fn next(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    fn end(self, close: u8) -> Result<(), NotWritten> {
        self.out.push(close);
        Ok(())
    }
}

impl SerializeSeq for Values<'_> {
    type Ok = ();
    type Error = NotWritten;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWritten> {
        self.next();
        value.serialize(Line(self.out))
    }

    fn end(self) -> Result<(), NotWritten> {
        self.end(b']')
    }
}

impl ser::SerializeTuple for Values<'_> {
    type Ok = ();
    type Error = NotWritten;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWritten> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), NotWritten> {
        self.end(b']')
    }
}

impl SerializeMap for Values<'_> {
    type Ok = ();
    type Error = NotWritten;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotWritten> {
        self.next();
        key.serialize(Line(self.out))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWritten> {
        self.out.push(b':');
        value.serialize(Line(self.out))
    }

    fn end(self) -> Result<(), NotWritten> {
        self.end(b'}')
    }
}

impl SerializeStruct for Values<'_> {
    type Ok = ();
    type Error = NotWritten;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), NotWritten> {
        self.next();
        // Names of fields are plain.
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        value.serialize(Line(self.out))
    }

    fn end(self) -> Result<(), NotWritten> {
        self.end(b'}')
    }
}

/// Numbers of these types.
macro_rules! numbers {
    ($($method:ident $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<(), NotWritten> {
            number(value, self.0);
            Ok(())
        })*
    };
}

impl<'a> ser::Serializer for Line<'a> {
    type Ok = ();
    type Error = NotWritten;
    type SerializeSeq = Values<'a>;
    type SerializeTuple = Values<'a>;
    type SerializeTupleStruct = Impossible<(), NotWritten>;
    type SerializeTupleVariant = Impossible<(), NotWritten>;
    type SerializeMap = Values<'a>;
    type SerializeStruct = Values<'a>;
    type SerializeStructVariant = Impossible<(), NotWritten>;

    numbers! {
        serialize_i8 i8,
        serialize_i16 i16,
        serialize_i32 i32,
        serialize_i64 i64,
        serialize_u8 u8,
        serialize_u16 u16,
        serialize_u32 u32,
        serialize_u64 u64,
    }

    /// A time span in nanoseconds ([`Seconds`]), with all nine digits behind the point.
    fn serialize_u128(self, nanos: u128) -> Result<(), NotWritten> {
        let part = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        let (whole, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        fixed(part(whole), part(fraction), 9, self.0);
        Ok(())
    }

    /// A time in microseconds ([`Micros`]), or a span in nanoseconds ([`Millis`]), as millions of these with six digits.
    fn serialize_i128(self, micros: i128) -> Result<(), NotWritten> {
        let part = |n: i128| u64::try_from(n).unwrap_or(u64::MAX);
        let (whole, fraction) = (micros / 1_000_000, micros % 1_000_000);
        fixed(part(whole), part(fraction), 6, self.0);
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<(), NotWritten> {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.0.extend_from_slice(word);
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), NotWritten> {
        self.0.push(b'"');
        escaped(text, self.0);
        self.0.push(b'"');
        Ok(())
    }

    /// Text of which nothing has to be escaped.
    fn serialize_bytes(self, text: &[u8]) -> Result<(), NotWritten> {
        self.0.push(b'"');
        self.0.extend_from_slice(text);
        self.0.push(b'"');
        Ok(())
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), NotWritten> {
        self.0.push(b'"');
        let done = write!(Text(self.0), "{value}");
        self.0.push(b'"');
        done.map_err(|_| NotWritten)
    }

    fn serialize_char(self, c: char) -> Result<(), NotWritten> {
        self.serialize_str(c.encode_utf8(&mut [0; 4]))
    }

    fn serialize_unit(self) -> Result<(), NotWritten> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_none(self) -> Result<(), NotWritten> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotWritten> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotWritten> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Values<'a>, NotWritten> {
        Ok(Values::begin(self.0, b'['))
    }

    fn serialize_tuple(self, _: usize) -> Result<Values<'a>, NotWritten> {
        Ok(Values::begin(self.0, b'['))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Values<'a>, NotWritten> {
        Ok(Values::begin(self.0, b'{'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Values<'a>, NotWritten> {
        Ok(Values::begin(self.0, b'{'))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NotWritten> {
        self.serialize_str(variant)
    }

    // What no object has.

    fn serialize_f32(self, _: f32) -> Result<(), NotWritten> {
        Err(NotWritten)
    }

    fn serialize_f64(self, _: f64) -> Result<(), NotWritten> {
        Err(NotWritten)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotWritten> {
        Err(NotWritten)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotWritten> {
        Err(NotWritten)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, NotWritten> {
        Err(NotWritten)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NotWritten> {
        Err(NotWritten)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NotWritten> {
        Err(NotWritten)
    }
}

/// A time span in seconds; the only value that is written as a `u128`.
pub(crate) struct Seconds(pub(crate) Duration);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u128(self.0.as_nanos())
    }
}

/// The same with six digits; beside [`Millis`] the only value that is written as an `i128`.
pub(crate) struct Micros(pub(crate) Duration);

impl Serialize for Micros {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i128(i128::try_from(self.0.as_micros()).unwrap_or(i128::MAX))
    }
}

/// A time span in milliseconds, with six digits behind the point: a millionth of nanoseconds, as the other is one of microseconds.
pub(crate) struct Millis(pub(crate) Duration);

impl Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i128(i128::try_from(self.0.as_nanos()).unwrap_or(i128::MAX))
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
            (
                "long enough for eight\" and \\",
                r#""long enough for eight\" and \\""#,
            ),
            ("12345678\u{7f}", r#""12345678\u007f""#),
        ] {
            assert_eq!(written(text), expected);
            assert_eq!(json_line(&text), expected);
        }
    }

    #[test]
    fn eight_octets_are_as_each_of_them() {
        for octet in 0..=255 {
            for place in 0..8 {
                for others in [b' ', b'!', b'#', b'[', b'~'] {
                    let mut octets = [others; 8];
                    octets[place] = octet;
                    assert_eq!(has_special(octets), is_special(octet), "{octets:?}");
                }
            }
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
