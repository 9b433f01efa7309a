//! Header blocks of HTTP/2 (RFC 7541), read beside the connection: a part of the blocks may be lost.
//!
//! The dynamic table is the newest entries that are known. Behind a loss nobody knows how many entries were added in it, so all that
//! was known is void: an index that reaches past the entries that came since is unknown, and stays a number. What is added
//! later is known again, as its index counts from the newest.
//!
//! ```text
//!   index   62  63  64 | 65 ...
//!           known      | unknown: nothing is made up
//!           newest     ^ the loss
//! ```
//!
//! As long as nothing is lost, and behind any loss past what a table could hold, such an index is an error of the sender's (RFC 7541,
//! 2.3.3): what follows it may have been meant otherwise, so the block is read no further.
//!
//! Entries are kept as long as their sizes allow. Where a size is not known, or a change of the table's size was lost, one may be
//! kept too long: a sound encoder never refers to it.

use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use std::collections::VecDeque;

/// Octets of the table before anybody says another number (RFC 9113, 6.5.2).
const USUAL: usize = 4096;
/// Octets of a table that are kept, at most.
// Browsers ask for 64 KiB. With half of it their servers' entries would be forgotten too soon; with much more, each connection of an
// attacker could keep as much.
const MOST: usize = 64 << 10;
/// What an entry counts beyond its octets (RFC 7541, 4.1).
const OVERHEAD: usize = 32;
/// Octets of the largest table that a setting can allow.
const LARGEST: u64 = u32::MAX as u64;
/// Entries of the static table.
const STATIC_LEN: u64 = 61;

/// A name or a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Text {
    Known(Box<[u8]>),
    /// It stands in an entry that the capture lacks.
    Unknown,
}

impl Text {
    fn len(&self) -> usize {
        match self {
            Self::Known(octets) => octets.len(),
            Self::Unknown => 0,
        }
    }

    fn get(&self) -> Option<&[u8]> {
        match self {
            Self::Known(octets) => Some(octets),
            Self::Unknown => None,
        }
    }
}

/// An entry of the dynamic table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: Text,
    value: Text,
}

impl Entry {
    fn size(&self) -> usize {
        self.name.len() + self.value.len() + OVERHEAD
    }
}

/// A field as it was sent. What is None refers to an entry of the table that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// The entry that it refers to, for its name or for both; 0: none.
    pub(super) index: u64,
    /// Its name.
    pub(super) name: Option<&'a [u8]>,
    /// Its value.
    pub(super) value: Option<&'a [u8]>,
}

/// Why a block cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadBlock;

/// Reads the blocks that one side sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Hpack {
    /// The newest first.
    entries: VecDeque<Entry>,
    /// Their sizes together.
    size: usize,
    /// What the encoder has said, None: nothing.
    most: Option<usize>,
    /// The other side allows so much.
    allowed: Option<usize>,
    /// Octets of a field that is not all there.
    rest: Vec<u8>,
    /// Octets allocated for the entries.
    allocated: usize,
    /// The encoder has, or may have, entries that are not here.
    lacks: bool,
}

impl Hpack {
    /// Octets are lost in which entries may have been added: what was known of the table is void, and a block that was begun.
    pub(super) fn lost(&mut self) {
        self.entries.clear();
        (self.size, self.allocated) = (0, 0);
        self.rest = Vec::new();
        self.lacks = true;
        // The encoder may have enlarged the table in what is lost. Entries that are kept too long do no harm.
        self.most = Some(MOST);
    }

    /// The other side allows a table of so many octets (SETTINGS_HEADER_TABLE_SIZE).
    pub(super) fn allows(&mut self, octets: u64) {
        self.allowed = Some(usize::try_from(octets).unwrap_or(MOST));
    }

    /// Octets of the table, as far as it is kept.
    fn limit(&self) -> usize {
        // Some encoders make use of what they are allowed without a word.
        let usual = USUAL.max(self.allowed.unwrap_or(0));
        self.most.unwrap_or(usual).min(MOST)
    }

    /// An entry may stand at this index of the dynamic table: what a table that is known does not have is an error (RFC 7541, 2.3.3), and
    /// so is what no table could hold.
    fn may_have(&self, dynamic: u64) -> bool {
        let known = !self.lacks && self.allowed.is_none_or(|allowed| allowed <= MOST);
        let entries = match known {
            true => self.entries.len() as u64,
            false => LARGEST / OVERHEAD as u64,
        };
        dynamic < entries
    }

    /// Reads octets of a block, and calls `each` with its fields, in order. The rest of a field that is not all there waits for
    /// more octets, `longest` at most.
    ///
    /// # Errors
    ///
    /// Where they are no block, or a field is longer: nothing behind it can be read, and the table is void.
    pub(super) fn read(
        &mut self,
        octets: &[u8],
        longest: usize,
        mut each: impl FnMut(Field<'_>),
    ) -> Result<(), BadBlock> {
        let joined;
        let mut rest = octets;
        if !self.rest.is_empty() {
            // Only a field that the end of a frame has cut is put together.
            let mut both = std::mem::take(&mut self.rest);
            both.extend_from_slice(octets);
            joined = both;
            rest = &joined;
        }
        let read = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match Representation::read(rest) {
                Ok(Some((field, len))) => {
                    if self.take(&field, &mut each).is_err() {
                        break Err(BadBlock);
                    }
                    rest = &rest[len..];
                }
                Ok(None) if rest.len() <= longest => {
                    self.rest = rest.to_vec();
                    break Ok(());
                }
                Ok(None) | Err(BadBlock) => break Err(BadBlock),
            }
        };
        if read.is_err() {
            self.lost();
        }
        read
    }

    /// The block ends: whether it ends with a field.
    pub(super) fn end_block(&mut self) -> bool {
        let whole = self.rest.is_empty();
        if !whole {
            self.lost();
        }
        whole
    }

    fn take(
        &mut self,
        field: &Representation<'_>,
        each: &mut impl FnMut(Field<'_>),
    ) -> Result<(), BadBlock> {
        match *field {
            Representation::Size(size) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                // More than was allowed is an error of the encoder (RFC 7541, 6.3): or its permission is lost.
                self.lacks |= size > MOST;
                self.most = Some(size.min(MOST));
                self.evict(0);
            }
            Representation::Indexed(0) => return Err(BadBlock),
            Representation::Indexed(index) | Representation::Literal { index, .. }
                if index
                    .checked_sub(STATIC_LEN + 1)
                    .is_some_and(|dynamic| !self.may_have(dynamic)) =>
            {
                return Err(BadBlock);
            }
            Representation::Indexed(index) => {
                let (name, value) = self.entry(index);
                each(Field { index, name, value });
            }
            Representation::Literal {
                index,
                name,
                value,
                add,
            } => {
                let value = value.decode()?;
                let name = match index {
                    0 => Text::Known(name.decode()?),
                    _ => match self.entry(index).0 {
                        Some(name) => Text::Known(name.into()),
                        None => Text::Unknown,
                    },
                };
                each(Field {
                    index,
                    name: name.get(),
                    value: Some(&value),
                });
                if add {
                    let value = Text::Known(value);
                    self.add(Entry { name, value });
                }
            }
        }
        Ok(())
    }

    /// Name and value at an index, as far as they are known.
    fn entry(&self, index: u64) -> (Option<&[u8]>, Option<&[u8]>) {
        let Some(dynamic) = index.checked_sub(STATIC_LEN + 1) else {
            let place = usize::try_from(index - 1).ok();
            let field = place.and_then(|place| STATIC.get(place)?.split_once(": "));
            return match field {
                Some((name, value)) => (Some(name.as_bytes()), Some(value.as_bytes())),
                None => (None, None),
            };
        };
        let entry = usize::try_from(dynamic).ok();
        match entry.and_then(|place| self.entries.get(place)) {
            Some(entry) => (entry.name.get(), entry.value.get()),
            None => (None, None),
        }
    }

    fn add(&mut self, entry: Entry) {
        let size = entry.size();
        self.evict(size);
        // An entry that is larger than the table empties it (RFC 7541, 4.4).
        if size <= self.limit() {
            self.size += size;
            self.allocated += size + size_of::<Entry>();
            self.entries.push_front(entry);
        }
    }

    /// Makes room for so many octets.
    fn evict(&mut self, more: usize) {
        while self.size + more > self.limit() {
            let Some(oldest) = self.entries.pop_back() else {
                return;
            };
            self.size -= oldest.size();
            self.allocated -= oldest.size() + size_of::<Entry>();
        }
    }

    /// Octets allocated, about.
    pub(super) fn allocated(&self) -> usize {
        match self.rest.capacity() {
            0 => self.allocated,
            n => self.allocated + allocated(n),
        }
    }

    /// What the table has, the newest first.
    #[cfg(test)]
    fn table(&self) -> Vec<(String, String)> {
        let text = |text: &Text| match text {
            Text::Known(octets) => String::from_utf8_lossy(octets).into_owned(),
            Text::Unknown => "?".to_owned(),
        };
        let entries = self.entries.iter();
        entries.map(|e| (text(&e.name), text(&e.value))).collect()
    }
}

/// A string literal (RFC 7541, 5.2).
#[derive(Clone, Copy, Debug)]
struct Literal<'a> {
    huffman: bool,
    octets: &'a [u8],
}

impl<'a> Literal<'a> {
    const EMPTY: Self = Self {
        huffman: false,
        octets: &[],
    };

    /// The literal, and what follows it. None: octets are lacking.
    fn read(octets: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, BadBlock> {
        let huffman = octets.first().is_some_and(|o| o & 0x80 != 0);
        let Some((len, rest)) = integer(octets, 7)? else {
            return Ok(None);
        };
        let split = usize::try_from(len).ok();
        let Some((octets, rest)) = split.and_then(|len| rest.split_at_checked(len)) else {
            return Ok(None);
        };
        Ok(Some((Self { huffman, octets }, rest)))
    }

    fn decode(self) -> Result<Box<[u8]>, BadBlock> {
        if self.huffman {
            unpack(self.octets)
        } else {
            Ok(self.octets.into())
        }
    }
}

/// What stands in a block (RFC 7541, 6).
#[derive(Clone, Copy, Debug)]
enum Representation<'a> {
    Indexed(u64),
    Literal {
        index: u64,
        name: Literal<'a>,
        value: Literal<'a>,
        add: bool,
    },
    Size(u64),
}

impl<'a> Representation<'a> {
    /// The first one, and how many octets it has. None: octets are lacking. No string is looked at before it is all there: a field
    /// that comes octet by octet costs no more than another.
    fn read(octets: &'a [u8]) -> Result<Option<(Self, usize)>, BadBlock> {
        let Some(first) = octets.first() else {
            return Ok(None);
        };
        let (prefix, add) = match first {
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => (5, false),
            _ => (4, false),
        };
        let Some((number, mut rest)) = integer(octets, prefix)? else {
            return Ok(None);
        };
        let read = match prefix {
            7 => Self::Indexed(number),
            5 => Self::Size(number),
            _ => {
                let mut name = Literal::EMPTY;
                if number == 0 {
                    match Literal::read(rest)? {
                        Some(read) => (name, rest) = read,
                        None => return Ok(None),
                    }
                }
                let Some((value, behind)) = Literal::read(rest)? else {
                    return Ok(None);
                };
                rest = behind;
                Self::Literal {
                    index: number,
                    name,
                    value,
                    add,
                }
            }
        };
        Ok(Some((read, octets.len() - rest.len())))
    }
}

/// An integer with a prefix of so many bits (RFC 7541, 5.1), and what follows it. None: octets are lacking.
fn integer(octets: &[u8], prefix: u32) -> Result<Option<(u64, &[u8])>, BadBlock> {
    let Some((first, mut rest)) = octets.split_first() else {
        return Ok(None);
    };
    let most = (1_u64 << prefix) - 1;
    let mut number = u64::from(*first) & most;
    if number < most {
        return Ok(Some((number, rest)));
    }
    // Five octets have 35 bits: nothing in a block is counted so far. Without a bound, octets of zeros would go on for ever.
    for shift in [0, 7, 14, 21, 28] {
        let Some((octet, behind)) = rest.split_first() else {
            return Ok(None);
        };
        rest = behind;
        number += u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Ok(Some((number, rest)));
        }
    }
    Err(BadBlock)
}

/// Octets of Huffman's code (RFC 7541, 5.2 and appendix B).
fn unpack(octets: &[u8]) -> Result<Box<[u8]>, BadBlock> {
    let mut out = Vec::with_capacity(octets.len() * 8 / 5 + 1);
    let (mut code, mut len) = (0_u32, 0_usize);
    for octet in octets {
        for bit in (0..8).rev() {
            code = code << 1 | u32::from(octet >> bit & 1);
            len += 1;
            let Some(row) = CODES.rows.get(len) else {
                return Err(BadBlock);
            };
            // The codes of one length follow each other, those of the next length stand behind them: the code is canonical.
            if let Some(place) = code.checked_sub(row.first)
                && place < row.count
            {
                let place = row.place + usize::try_from(place).unwrap_or(usize::MAX);
                // The end of the string is no octet (RFC 7541, 5.2).
                let symbol = CODES.symbols.get(place).ok_or(BadBlock)?;
                out.push(u8::try_from(*symbol).map_err(|_| BadBlock)?);
                (code, len) = (0, 0);
            }
        }
    }
    // What is left is the beginning of the longest code, all ones, and shorter than an octet.
    let padding = len < 8 && code == (1 << len) - 1;
    padding.then(|| out.into()).ok_or(BadBlock)
}

/// The codes of one length.
#[derive(Clone, Copy)]
struct CodeRow {
    /// The lowest of them.
    first: u32,
    /// How many there are.
    count: u32,
    /// Where the symbol of the first stands.
    place: usize,
}

struct Codes {
    /// By their length.
    rows: [CodeRow; 31],
    /// By length, and then by number: 256 is the end of the string.
    symbols: [u16; 257],
}

/// Made from the lengths alone.
static CODES: Codes = {
    let none = CodeRow {
        first: 0,
        count: 0,
        place: 0,
    };
    let mut codes = Codes {
        rows: [none; 31],
        symbols: [0; 257],
    };
    let (mut len, mut next, mut place) = (1, 0, 0);
    while len < codes.rows.len() {
        next <<= 1;
        codes.rows[len] = CodeRow {
            first: next,
            count: 0,
            place,
        };
        let mut symbol: u16 = 0;
        while symbol < 257 {
            if CODE_LENGTHS[symbol as usize] as usize == len {
                codes.symbols[place] = symbol;
                codes.rows[len].count += 1;
                place += 1;
                next += 1;
            }
            symbol += 1;
        }
        len += 1;
    }
    codes
};

/// Bits of the code of each octet, and of the end of the string (RFC 7541, appendix B).
#[rustfmt::skip] // a table
static CODE_LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// RFC 7541, appendix A.
#[rustfmt::skip] // a table
static STATIC: [&str; 61] = [
    ":authority: ", ":method: GET", ":method: POST", ":path: /", ":path: /index.html", ":scheme: http",
    ":scheme: https", ":status: 200", ":status: 204", ":status: 206", ":status: 304", ":status: 400", ":status: 404",
    ":status: 500", "accept-charset: ", "accept-encoding: gzip, deflate", "accept-language: ", "accept-ranges: ",
    "accept: ", "access-control-allow-origin: ", "age: ", "allow: ", "authorization: ", "cache-control: ",
    "content-disposition: ", "content-encoding: ", "content-language: ", "content-length: ", "content-location: ",
    "content-range: ", "content-type: ", "cookie: ", "date: ", "etag: ", "expect: ", "expires: ", "from: ", "host: ",
    "if-match: ", "if-modified-since: ", "if-none-match: ", "if-range: ", "if-unmodified-since: ", "last-modified: ",
    "link: ", "location: ", "max-forwards: ", "proxy-authenticate: ", "proxy-authorization: ", "range: ", "referer: ",
    "refresh: ", "retry-after: ", "server: ", "set-cookie: ", "strict-transport-security: ", "transfer-encoding: ",
    "user-agent: ", "vary: ", "via: ", "www-authenticate: ",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet = |d: &[u8]| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap();
        digits.chunks(2).map(octet).collect()
    }

    /// The fields of a block, `?` for what is not known.
    fn fields(hpack: &mut Hpack, block: &[u8]) -> Vec<String> {
        let mut all = Vec::new();
        let text = |o: Option<&[u8]>, index| {
            o.map_or(format!("?{index}"), |o| {
                String::from_utf8_lossy(o).into_owned()
            })
        };
        let read = hpack.read(block, 1 << 16, |f| {
            all.push(format!(
                "{}: {}",
                text(f.name, f.index),
                text(f.value, f.index)
            ));
        });
        assert!(read.is_ok() && hpack.end_block());
        all
    }

    fn check(hpack: &mut Hpack, hex: &str, expected: &[&str], table: &[(&str, &str)], size: usize) {
        let block = octets(hex);
        // Wherever the ends of frames cut it.
        for cut in 0..block.len() {
            let mut parts = hpack.clone();
            let mut n = 0;
            for part in [&block[..cut], &block[cut..]] {
                parts.read(part, 1 << 16, |_| n += 1).unwrap();
            }
            assert!(n == expected.len() && parts.end_block(), "{hex} at {cut}");
        }
        assert_eq!(fields(hpack, &block), expected, "{hex}");
        let own = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        assert_eq!(
            hpack.table(),
            table.iter().map(own).collect::<Vec<_>>(),
            "{hex}"
        );
        assert_eq!(hpack.size, size, "{hex}");
    }

    #[test]
    fn integers_of_appendix_c_1() {
        assert_eq!(integer(&[0b1110_1010], 5), Ok(Some((10, &[][..]))));
        assert_eq!(integer(&octets("1f9a0a 07"), 5), Ok(Some((1337, &[7][..]))));
        assert_eq!(integer(&[42], 8), Ok(Some((42, &[][..]))));
        assert_eq!(integer(&octets("1f9a"), 5), Ok(None));
        assert_eq!(integer(&octets("1fffffffffffff"), 5), Err(BadBlock));
    }

    #[test]
    fn fields_of_appendix_c_2() {
        let new = Hpack::default;
        let key = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
        let entry = [("custom-key", "custom-header")];
        check(&mut new(), key, &["custom-key: custom-header"], &entry, 55);
        let path = "040c 2f73 616d 706c 652f 7061 7468";
        check(&mut new(), path, &[":path: /sample/path"], &[], 0);
        let never = "1008 7061 7373 776f 7264 0673 6563 7265 74";
        check(&mut new(), never, &["password: secret"], &[], 0);
        check(&mut new(), "82", &[":method: GET"], &[], 0);
    }

    /// What a table that is known does not have is an error; behind a loss it is unknown, but for what no table could hold.
    #[test]
    fn an_index_that_no_entry_can_have_is_an_error() {
        let read = |hpack: &mut Hpack, hex: &str| hpack.read(&octets(hex), 1 << 16, |_| {}).is_ok();
        let entry = "4001 61 01 62";
        for (lost, allowed, index, sound) in [
            (false, None, "be", true),
            (false, None, "bf", false),
            // The name alone.
            (false, None, "7f00 0163", false),
            (true, None, "bf", true),
            (true, None, "ffffff7f", true),
            (true, None, "ffffffff7f", false),
            // Entries of a table that is larger than what is kept may be there.
            (false, Some(1 << 20), "bf", true),
        ] {
            let mut hpack = Hpack::default();
            if let Some(allowed) = allowed {
                hpack.allows(allowed);
            }
            if lost {
                hpack.lost();
            }
            assert!(read(&mut hpack, entry));
            assert_eq!(read(&mut hpack, index), sound, "{lost} {allowed:?} {index}");
            // Behind an error the table is void, and nothing is an error that may be there.
            assert_eq!(hpack.table().is_empty(), !sound);
            assert!(sound || read(&mut hpack, "bf"));
        }
    }

    #[test]
    fn requests_of_appendix_c_3_and_c_4() {
        let first = [
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
        ];
        let second = [&first[..], &["cache-control: no-cache"]].concat();
        let third = [
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ];
        let a = (":authority", "www.example.com");
        let c = ("cache-control", "no-cache");
        let k = ("custom-key", "custom-value");
        for [one, two, three] in [
            [
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            ],
            [
                "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ],
        ] {
            let mut hpack = Hpack::default();
            check(&mut hpack, one, &first, &[a], 57);
            check(&mut hpack, two, &second, &[c, a], 110);
            check(&mut hpack, three, &third, &[k, c, a], 164);
        }
    }

    #[test]
    fn responses_of_appendix_c_5_and_c_6() {
        let (p, u) = (
            "cache-control: private",
            "location: https://www.example.com",
        );
        let d = "date: Mon, 21 Oct 2013 20:13:21 GMT";
        let e = "date: Mon, 21 Oct 2013 20:13:22 GMT";
        let cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
        let set = format!("set-cookie: {cookie}");
        let entry = |field: &'static str| field.split_once(": ").unwrap();
        let (tp, tu, td, te) = (entry(p), entry(u), entry(d), entry(e));
        let (s302, s307) = ((":status", "302"), (":status", "307"));
        for [one, two, three] in [
            [
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
                 6c65 2e63 6f6d",
                "4803 3330 37c1 c0bf",
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
                 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
                 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                 3d31",
            ],
            [
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                "4883 640e ffc1 c0bf",
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
                 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
                 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            ],
        ] {
            // The table of these examples has 256 octets.
            let mut hpack = Hpack {
                most: Some(256),
                ..Hpack::default()
            };
            let table = [tu, td, tp, s302];
            check(&mut hpack, one, &[":status: 302", p, d, u], &table, 222);
            let table = [s307, tu, td, tp];
            check(&mut hpack, two, &[":status: 307", p, d, u], &table, 222);
            let table = [("set-cookie", cookie), ("content-encoding", "gzip"), te];
            let all = [":status: 200", p, e, u, "content-encoding: gzip", &set];
            check(&mut hpack, three, &all, &table, 215);
        }
    }

    #[test]
    fn every_octet_has_a_code_of_its_own() {
        assert_eq!(CODES.rows.iter().map(|row| row.count).sum::<u32>(), 257);
        // They fill the tree: the last of the longest is all ones.
        let last = CODES.rows[30];
        assert_eq!(last.first + last.count, 1 << 30);
        assert_eq!(CODES.symbols[256], 256);
        // Padding that is no ones, or as long as an octet, is none (RFC 7541, 5.2).
        for wrong in ["00", "ff", "1fff", "ffff ffff"] {
            assert_eq!(unpack(&octets(wrong)), Err(BadBlock), "{wrong}");
        }
        assert_eq!(unpack(&octets("1f")).as_deref(), Ok(&b"a"[..]));
    }

    #[test]
    fn what_is_lost_is_unknown_and_what_comes_later_is_known() {
        let mut hpack = Hpack::default();
        assert_eq!(fields(&mut hpack, &octets("4001 6101 31")), ["a: 1"]);
        assert_eq!(fields(&mut hpack, &octets("be")), ["a: 1"]);
        hpack.lost();
        assert_eq!(fields(&mut hpack, &octets("be")), ["?62: ?62"]);
        // Its name is not known, its value is; then it is the newest.
        assert_eq!(fields(&mut hpack, &octets("7e01 33")), ["?62: 3"]);
        assert_eq!(fields(&mut hpack, &octets("be bf")), ["?62: 3", "?63: ?63"]);
        assert_eq!(
            fields(&mut hpack, &octets("4001 6201 32 be bf c0")),
            ["b: 2", "b: 2", "?63: 3", "?64: ?64"]
        );
        // The static table is known always.
        assert_eq!(fields(&mut hpack, &octets("82")), [":method: GET"]);
    }

    #[test]
    fn tables_and_fields_are_bounded() {
        let mut hpack = Hpack::default();
        // The size that a block begins with, 2^20, is more than is kept.
        let mut block = octets("3fe1ff3f");
        for n in 0..4000_u32 {
            block.extend_from_slice(&[0x40, 1, b'a', 100]);
            block.extend_from_slice(format!("{n:0100}").as_bytes());
        }
        assert_eq!(fields(&mut hpack, &block).len(), 4000);
        assert!(hpack.size <= MOST && hpack.allocated() <= 3 * MOST);
        assert_eq!(hpack.entries.len(), MOST / (101 + OVERHEAD));
        // A smaller one evicts; none empties it.
        fields(&mut hpack, &octets("3f45"));
        assert!(hpack.size <= 100 && hpack.entries.is_empty());
        fields(&mut hpack, &octets("20"));
        assert_eq!((hpack.entries.len(), hpack.allocated()), (0, 0));
        // A field without an end is given up.
        let long = [&octets("40 7fffff3f")[..], &[b'x'; 1000]].concat();
        let mut hpack = Hpack::default();
        assert_eq!(hpack.read(&long, 2000, |_| {}), Ok(()));
        assert_eq!(hpack.read(&long, 2000, |_| {}), Err(BadBlock));
        assert!(hpack.rest.is_empty());
        assert_eq!(hpack.read(&[0x80], 2000, |_| {}), Err(BadBlock));
    }
}
