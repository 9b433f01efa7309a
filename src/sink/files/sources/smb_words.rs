//! What messages of SMB2 and SMB3 say (MS-SMB2, 2.2): the numbers and texts of their headers and bodies.

use super::super::transfer::kept;
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Timestamp;
use std::fmt::Write as _;

/// Octets of a header.
pub(super) const HEADER: usize = 64;
/// Octets of one entry of a directory that are read: a name has 255 units, and few octets stand ahead of it.
const ENTRY: usize = 1 << 10;
/// From 1601 (what FILETIME counts from) to 1970, in units of 100 ns (MS-DTYP, 2.3.3).
const EPOCH: u64 = 116_444_736_000_000_000;

/// What a server says of a request (MS-ERREF, 2.3.1).
pub(super) mod status {
    pub(in super::super) const SUCCESS: u64 = 0;
    /// Another answer follows (MS-SMB2, 3.3.4.2).
    pub(in super::super) const PENDING: u64 = 0x103;
    /// What was sent is good, and is not all.
    pub(in super::super) const BUFFER_OVERFLOW: u64 = 0x8000_0005;
    pub(in super::super) const NO_MORE_FILES: u64 = 0x8000_0006;
    pub(in super::super) const END_OF_FILE: u64 = 0xC000_0011;
}

/// Commands (MS-SMB2, 2.2.1.2).
pub(super) mod command {
    pub(in super::super) const NEGOTIATE: u64 = 0;
    pub(in super::super) const TREE_CONNECT: u64 = 3;
    pub(in super::super) const CREATE: u64 = 5;
    pub(in super::super) const CLOSE: u64 = 6;
    pub(in super::super) const READ: u64 = 8;
    pub(in super::super) const WRITE: u64 = 9;
    pub(in super::super) const QUERY_DIRECTORY: u64 = 14;
    pub(in super::super) const SET_INFO: u64 = 17;
}

/// A little-endian number; 0 where it is not there.
pub(super) fn le(octets: &[u8], at: usize, width: usize) -> u64 {
    let field = octets.get(at..at.saturating_add(width)).unwrap_or_default();
    field.iter().rev().fold(0, |n, o| n << 8 | u64::from(*o))
}

/// The id of an open file: the half that lasts, and the other.
pub(super) type FileId = [u8; 16];

/// An id that stands for that of the command before (MS-SMB2, 3.3.5.2.7.2).
pub(super) const RELATED_ID: FileId = [0xFF; 16];

/// The id of a file that stands there; none where it does not.
pub(super) fn file_id(octets: &[u8], at: usize) -> Option<FileId> {
    octets.get(at..at + 16)?.try_into().ok()
}

/// Text of UTF-16, that stands so far behind the header's beginning, and is so long, as UTF-8: as much as is kept of names.
pub(super) fn text(body: &[u8], at: u64, len: u64) -> Vec<u8> {
    let from = usize::try_from(at).unwrap_or(usize::MAX);
    let from = from.saturating_sub(HEADER).min(body.len());
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let octets = &body[from..];
    utf16(&octets[..len.min(octets.len())])
}

/// Octets of UTF-16 as UTF-8.
pub(super) fn utf16(octets: &[u8]) -> Vec<u8> {
    let units = octets.as_chunks().0.iter().map(|o| u16::from_le_bytes(*o));
    let text: String = char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    kept(text.trim_end_matches('\0').as_bytes()).to_vec()
}

/// A header (MS-SMB2, 2.2.1).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct SmbHeader {
    pub(super) status: u64,
    pub(super) command: u64,
    pub(super) response: bool,
    /// It goes on with the session, tree and file of the command before.
    pub(super) related: bool,
    /// Octets from its beginning to the next command of the message; 0: it is the last.
    pub(super) next: u64,
    pub(super) message: u64,
    /// Not there (0) where an answer comes late.
    pub(super) tree: u64,
    pub(super) session: u64,
}

impl SmbHeader {
    /// Reads one of [`HEADER`] octets.
    pub(super) fn read(octets: &[u8]) -> Self {
        let flags = le(octets, 16, 4);
        let is_async = flags & 2 != 0;
        Self {
            status: le(octets, 8, 4),
            command: le(octets, 12, 2),
            response: flags & 1 != 0,
            related: flags & 4 != 0,
            next: le(octets, 20, 4),
            message: le(octets, 24, 8),
            tree: if is_async { 0 } else { le(octets, 36, 4) },
            session: le(octets, 40, 8),
        }
    }
}

/// Which octets of an entry of a directory are what (MS-FSCC, 2.4).
#[derive(Clone, Copy)]
struct EntryForm {
    /// Where the length of the name stands.
    len_at: usize,
    name_at: usize,
    /// It has times and sizes.
    has_sizes: bool,
}

/// How entries of an information class are laid out; none where they have no names, or the class is not known.
fn entry_form(class: u8) -> Option<EntryForm> {
    let (len_at, name_at) = match class {
        1 => (60, 64),
        2 => (60, 68),
        3 => (60, 94),
        12 => (8, 12),
        37 => (60, 104),
        38 => (60, 80),
        _ => return None,
    };
    Some(EntryForm {
        len_at,
        name_at,
        has_sizes: class != 12,
    })
}

/// Octets of an entry that have to be there for it to be read, of which these are: at least what is there already once it can be.
pub(super) fn entry_needs(class: u8, octets: &[u8]) -> usize {
    let Some(form) = entry_form(class) else {
        return 4;
    };
    if octets.len() < form.name_at {
        return form.name_at;
    }
    let name = usize::try_from(le(octets, form.len_at, 4)).unwrap_or(usize::MAX);
    form.name_at.saturating_add(name).min(ENTRY)
}

/// Appends a line for an entry of a directory: time of the last change, size, name. The two that every directory has (`.`, `..`)
/// have none.
pub(super) fn entry_line(class: u8, octets: &[u8], out: &mut String) {
    let Some(form) = entry_form(class) else {
        return;
    };
    let name = octets.get(form.name_at..).unwrap_or_default();
    let len = usize::try_from(le(octets, form.len_at, 4)).unwrap_or(usize::MAX);
    let name = utf16(&name[..len.min(name.len())]);
    let name = String::from_utf8_lossy(&name);
    if matches!(&*name, "." | ".." | "") {
        return;
    }
    if form.has_sizes {
        let since = le(octets, 24, 8).saturating_sub(EPOCH).saturating_mul(100);
        let time = Timestamp::from_nanos(since).to_string();
        let time = time.split('.').next().unwrap_or_default();
        let is_directory = le(octets, 56, 4) & 0x10 != 0;
        let _ = if is_directory {
            write!(out, "{time}Z {:>15} ", "<DIR>")
        } else {
            write!(out, "{time}Z {:>15} ", le(octets, 40, 8))
        };
    }
    // A name must not begin a line of its own, nor act on a terminal.
    out.extend(
        name.chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c }),
    );
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(class: u8, name: &str) -> Vec<u8> {
        let form = entry_form(class).unwrap();
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut entry = vec![0; form.name_at];
        if form.has_sizes {
            // 2023-11-14 22:13:20.
            let time = EPOCH + 17_000_000_000_000_000;
            entry[24..32].copy_from_slice(&time.to_le_bytes());
            entry[40..48].copy_from_slice(&1234_u64.to_le_bytes());
        }
        entry[form.len_at] = u8::try_from(name.len()).unwrap();
        entry.extend(name);
        entry
    }

    #[test]
    fn entries_of_each_class_are_a_line() {
        for class in [1, 2, 3, 37, 38] {
            let whole = entry(class, "b\u{f6}se\n.txt");
            assert_eq!(entry_needs(class, &[]), entry_form(class).unwrap().name_at);
            assert_eq!(entry_needs(class, &whole), whole.len());
            let mut line = String::new();
            entry_line(class, &whole, &mut line);
            assert_eq!(
                line,
                "2023-11-14T22:13:20Z            1234 b\u{f6}se\u{fffd}.txt\n"
            );
            line.clear();
            entry_line(class, &entry(class, ".."), &mut line);
            assert_eq!(line, "");
        }
        let mut line = String::new();
        entry_line(12, &entry(12, "a"), &mut line);
        entry_line(99, &[0; 200], &mut line);
        assert_eq!(line, "a\n");
    }

    #[test]
    fn an_entry_that_lies_about_its_name_is_bounded() {
        let mut long = entry(37, "a");
        long[60..64].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(entry_needs(37, &long), ENTRY);
        let mut line = String::new();
        entry_line(37, &long, &mut line);
        assert!(line.ends_with(" a\n"));
    }
}
