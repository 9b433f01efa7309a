//! The values of commands of RTMP, as AMF0 writes them (Action Message Format, AMF 0): what a command is about, as far as its octets are
//! there.

use super::super::length::number;

/// Markers (2.1).
const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const REFERENCE: u8 = 7;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;

/// Objects in objects that are read.
const DEEP: u8 = 8;

/// A command, or what stands in the same form (7.1.1, 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command<'a> {
    /// Its name.
    pub(super) name: &'a [u8],
    /// What its answer repeats.
    pub(super) transaction: Option<u64>,
    /// What it is about: the application, the stream, or the code of an answer.
    pub(super) argument: Option<&'a [u8]>,
}

impl Command<'_> {
    /// It answers another one.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self.name, b"_result" | b"_error")
    }
}

/// Octets that are read from front to back.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octets(&mut self, n: usize) -> Option<&'a [u8]> {
        let (now, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(now)
    }

    fn number(&mut self, width: usize) -> Option<usize> {
        let octets = self.octets(width)?;
        usize::try_from(number(octets, 0, width)).ok()
    }

    fn text(&mut self, width: usize) -> Option<&'a [u8]> {
        let len = self.number(width)?;
        self.octets(len)
    }

    /// The next value, where it is a text.
    fn string(&mut self) -> Option<&'a [u8]> {
        match self.0.first()? {
            &STRING => {
                self.octets(1)?;
                self.text(2)
            }
            _ => None,
        }
    }

    /// A number that counts, where the next value is one.
    fn count(&mut self) -> Option<u64> {
        match self.0.first()? {
            &NUMBER => {
                self.octets(1)?;
                let bits: [u8; 8] = self.octets(8)?.try_into().ok()?;
                let value = f64::from_be_bytes(bits);
                // Numbers of transactions are small integers.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let count = (0.0..=9e15).contains(&value).then_some(value as u64);
                count
            }
            _ => None,
        }
    }

    /// Passes a value. In objects, `each` is shown the names of texts, and these.
    fn pass(&mut self, deep: u8, each: &mut dyn FnMut(&'a [u8], &'a [u8])) -> Option<()> {
        if deep > DEEP {
            return None;
        }
        match *self.octets(1)?.first()? {
            NUMBER => self.octets(8).map(|_| ()),
            BOOLEAN => self.octets(1).map(|_| ()),
            STRING => self.text(2).map(|_| ()),
            LONG_STRING => self.text(4).map(|_| ()),
            NULL | UNDEFINED => Some(()),
            REFERENCE => self.octets(2).map(|_| ()),
            DATE => self.octets(10).map(|_| ()),
            OBJECT => self.properties(deep, each),
            ECMA_ARRAY => {
                self.octets(4)?;
                self.properties(deep, each)
            }
            STRICT_ARRAY => {
                let count = self.number(4)?;
                // Each value has an octet at least.
                (0..count).try_for_each(|_| self.pass(deep + 1, each))
            }
            _ => None,
        }
    }

    fn properties(&mut self, deep: u8, each: &mut dyn FnMut(&'a [u8], &'a [u8])) -> Option<()> {
        loop {
            let name = self.text(2)?;
            if name.is_empty() && self.0.first() == Some(&OBJECT_END) {
                return self.octets(1).map(|_| ());
            }
            let before = self.0;
            match self.string() {
                Some(text) => each(name, text),
                None => {
                    self.0 = before;
                    self.pass(deep + 1, each)?;
                }
            }
        }
    }
}

/// The command that the octets are, or begin.
pub(super) fn command(octets: &[u8]) -> Option<Command<'_>> {
    let mut reader = Reader(octets);
    let name = reader.string()?;
    let transaction = reader.count();
    // What is about: of what connects the application, of what answers the code; else the first text that stands alone.
    let wanted: &[u8] = match name {
        b"connect" => b"app",
        _ => b"code",
    };
    let mut argument = None;
    while argument.is_none() && !reader.0.is_empty() {
        if name != b"connect"
            && let Some(text) = reader.string()
        {
            argument = Some(text);
            break;
        }
        let mut each = |name: &[u8], text| {
            if name == wanted && argument.is_none() {
                argument = Some(text);
            }
        };
        if reader.pass(0, &mut each).is_none() {
            break;
        }
    }
    Some(Command {
        name,
        transaction,
        argument,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len()).unwrap();
        [&[STRING][..], &len.to_be_bytes(), value].concat()
    }

    fn real(value: f64) -> Vec<u8> {
        [&[NUMBER][..], &value.to_be_bytes()].concat()
    }

    /// An object with a text in an object, and texts of its own.
    fn object(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut out = vec![OBJECT];
        for (name, value) in pairs {
            out.extend(&text(name)[1..]);
            out.extend(*value);
        }
        out.extend([0, 0, OBJECT_END]);
        out
    }

    #[test]
    fn commands_say_what_they_are_about() {
        let status = object(&[
            (b"more", &object(&[(b"other", &text(b"x"))])),
            (
                b"list",
                &[&[STRICT_ARRAY, 0, 0, 0, 2][..], &real(1.0), &[NULL]].concat(),
            ),
            (b"code", &text(b"NetStream.Play.Start")),
        ]);
        let app = object(&[(b"flashVer", &text(b"v")), (b"app", &text(b"live"))]);
        let about = |octets: &[u8]| {
            let command = command(octets).unwrap();
            let shown = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            (
                shown(command.name),
                command.transaction,
                command.argument.map(shown),
            )
        };
        for (octets, expected) in [
            (
                [text(b"connect"), real(1.0), app].concat(),
                ("connect", Some(1), Some("live")),
            ),
            (
                [text(b"play"), real(4.0), vec![NULL], text(b"film")].concat(),
                ("play", Some(4), Some("film")),
            ),
            (
                [text(b"onStatus"), real(0.0), vec![NULL], status].concat(),
                ("onStatus", Some(0), Some("NetStream.Play.Start")),
            ),
            (
                [text(b"_result"), real(2.0), vec![NULL], real(1.0)].concat(),
                ("_result", Some(2), None),
            ),
            (
                [text(b"x"), real(-1.0), vec![0x20]].concat(),
                ("x", None, None),
            ),
        ] {
            let (name, transaction, argument) = expected;
            let expected = (name.to_owned(), transaction, argument.map(str::to_owned));
            assert_eq!(about(&octets), expected);
            // What is cut says less, and nothing else.
            for n in 3 + name.len()..octets.len() {
                let (cut, number, argument) = about(&octets[..n]);
                assert_eq!(cut, name);
                assert!(number.is_none() || number == transaction);
                assert!(argument.is_none() || argument == expected.2);
            }
        }
        assert_eq!(command(&real(1.0)), None);
    }

    #[test]
    fn objects_in_objects_are_read_to_some_depth() {
        let mut octets = text(b"x");
        for _ in 0..100_000 {
            octets.extend([OBJECT, 0, 1, b'a']);
        }
        assert_eq!(command(&octets).unwrap().argument, None);
    }
}
