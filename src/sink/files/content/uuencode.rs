//! Text that is uuencoded (POSIX.1-2017, uuencode): files in mails that are older than MIME, and in some that are not.

use memchr::memchr;
use std::io::{self, BufRead, Cursor, ErrorKind, Read};

/// Octets of a line at most; one of the usual 61 to 62 has 45 octets of content.
const LINE: u64 = 1 << 10;
/// Files of one text at most.
const BLOCKS: usize = 4096;

/// A file in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct UuBlock {
    /// The name behind `begin`.
    pub(in super::super) name: Vec<u8>,
    /// Offset of that line in the text.
    pub(in super::super) from: u64,
    /// Offset behind its last line.
    pub(in super::super) to: u64,
    /// That line is `end`.
    pub(in super::super) ended: bool,
}

/// The files in a text, in order; those behind the 4,096th are left out. A line `begin` counts where content follows it.
///
/// # Errors
///
/// Those of `text`.
pub(in super::super) fn blocks(mut text: impl BufRead) -> io::Result<Vec<UuBlock>> {
    let mut found: Vec<UuBlock> = Vec::new();
    let mut open: Option<UuBlock> = None;
    let (mut line, mut at) = (Vec::new(), 0);
    while found.len() < BLOCKS && read_line(&mut text, &mut line)? {
        let from = at;
        at += line.len() as u64;
        match &mut open {
            Some(block) if content(&line).is_some() => block.to = at,
            Some(block) if trimmed(&line) == b"end" => {
                (block.to, block.ended) = (at, true);
                found.extend(open.take());
            }
            _ => {
                // What had content is kept as far as it goes.
                let begins_only = |block: &UuBlock| block.to == block.from;
                found.extend(open.take().filter(|block| !begins_only(block)));
                open = begin(&line).map(|name| UuBlock {
                    name: name.to_vec(),
                    from,
                    to: from,
                    ended: false,
                });
            }
        }
    }
    found.extend(open.filter(|block| block.to > block.from && found.len() < BLOCKS));
    Ok(found)
}

/// Reads a line, with its end, or as much of it as is looked at; false at the end.
fn read_line(text: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    Ok(text.take(LINE).read_until(b'\n', line)? > 0)
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The name in `begin MODE NAME`.
fn begin(line: &[u8]) -> Option<&[u8]> {
    let rest = trimmed(line).strip_prefix(b"begin ")?;
    let (mode, name) = rest.split_at(memchr(b' ', rest)?);
    let is_mode = (3..=4).contains(&mode.len()) && mode.iter().all(|o| (b'0'..=b'7').contains(o));
    let name = name.trim_ascii();
    (is_mode && !name.is_empty()).then_some(name)
}

/// What a line holds: its first character says how many octets, each four that follow are three of them. None where it is no such line.
fn content(line: &[u8]) -> Option<Vec<u8>> {
    let (first, coded) = trimmed(line).split_first()?;
    let bits = |o: &u8| (b' '..=b'`').contains(o).then_some((o - b' ') & 0x3f);
    let len = usize::from(bits(first)?);
    // Blanks at its end may be lost, a sum may follow; else it is as long as it says.
    let coded_len = len.div_ceil(3) * 4;
    if coded.len() > coded_len + 2 || coded.len() + 4 < len.div_ceil(3) * 3 {
        return None;
    }
    let mut octets = Vec::with_capacity(coded_len);
    let mut rest = coded.get(..coded_len).unwrap_or(coded);
    while octets.len() < len {
        let (group, behind) = rest.split_at(rest.len().min(4));
        rest = behind;
        let mut word = 0;
        for place in 0..4 {
            let six = group.get(place).map_or(Some(0), bits)?;
            word = word << 6 | u32::from(six);
        }
        let [_, a, b, c] = word.to_be_bytes();
        octets.extend([a, b, c]);
    }
    octets.truncate(len);
    rest.iter().all(|o| bits(o).is_some()).then_some(octets)
}

/// What a text that is uuencoded holds, from its `begin` on.
pub(super) struct Uuencode<R> {
    input: R,
    ready: Cursor<Vec<u8>>,
    begun: bool,
    ended: bool,
}

impl<R> Uuencode<R> {
    pub(super) const fn new(input: R) -> Self {
        Self {
            input,
            ready: Cursor::new(Vec::new()),
            begun: false,
            ended: false,
        }
    }
}

impl<R: BufRead> Read for Uuencode<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut line = Vec::new();
        loop {
            let n = self.ready.read(buf)?;
            if n > 0 || self.ended || buf.is_empty() {
                return Ok(n);
            }
            if !read_line(&mut self.input, &mut line)? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if !self.begun {
                self.begun = begin(&line).is_some();
            } else if trimmed(&line) == b"end" {
                self.ended = true;
            } else {
                let what = "a line is not uuencoded";
                let octets = content(&line);
                let octets = octets.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, what))?;
                self.ready = Cursor::new(octets);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the program of that name writes them.
    fn lines(octets: &[u8]) -> String {
        let digit = |six: u32| match six & 0x3f {
            0 => '`',
            six => char::from(b' ' + u8::try_from(six).unwrap()),
        };
        let mut text = String::new();
        for line in octets.chunks(45).chain([&[][..]]) {
            text.push(digit(u32::try_from(line.len()).unwrap()));
            for group in line.chunks(3) {
                let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
                let word = octet(0) << 16 | octet(1) << 8 | octet(2);
                text.extend([18, 12, 6, 0].map(|shift| digit(word >> shift)));
            }
            text.push_str("\r\n");
        }
        text
    }

    fn undone(text: &[u8]) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        Uuencode::new(text).read_to_end(&mut octets)?;
        Ok(octets)
    }

    #[test]
    fn what_programs_write_is_undone() {
        // Of GNU sharutils.
        let text = b"begin 644 cat.txt\n#0V%T\n`\nend\n";
        assert_eq!(undone(text).unwrap(), b"Cat");
        // Zeros as blanks, of which those at the end of a line were lost.
        let zeros = b"begin 600 z\nM\n \nend\n";
        assert!(undone(zeros).is_err(), "45 octets are not 0");
        assert_eq!(undone(b"begin 600 z\n#  \n \nend\n").unwrap(), [0; 3]);
        assert!(undone(b"begin 644 a\n#0V%T\n").is_err(), "no end");
        assert!(undone(b"begin 644 a\nwhat is this\nend\n").is_err());
    }

    #[test]
    fn files_in_a_text_are_found() {
        let file = format!("begin 644 a b.dat\r\n{}end\r\n", lines(b"some content"));
        let text = format!("begin 644 of a story\r\nbegin the day\r\n{file}more\r\n{file}");
        let at = text.find("begin 644 a b").unwrap() as u64;
        let len = file.len() as u64;
        let found = blocks(text.as_bytes()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].from, found[0].to, found[0].ended),
            (at, at + len, true)
        );
        assert_eq!(found[0].name, b"a b.dat");
        // Cut, and with a hole.
        let cut = blocks(&text.as_bytes()[..usize::try_from(at + 30).unwrap()]).unwrap();
        assert_eq!(cut.len(), 1);
        assert!(!cut[0].ended);
    }

    proptest! {
        #[test]
        fn what_was_coded_comes_out(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = format!("begin 644 x\r\n{}end\r\n", lines(&octets));
            prop_assert_eq!(undone(text.as_bytes()).unwrap(), octets);
            prop_assert_eq!(blocks(text.as_bytes()).unwrap().len(), 1);
        }

        #[test]
        fn any_text_ends(text in prop::collection::vec(prop_oneof![Just(b'\n'), b' '..=b'~'], 0..300)) {
            let _ = undone(&text);
            let text = [b"begin 644 x\n", &text[..]].concat();
            let _ = undone(&text);
            for block in blocks(&text[..]).unwrap() {
                prop_assert!(block.from < block.to && block.to <= text.len() as u64);
            }
        }
    }
}
