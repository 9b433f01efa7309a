//! What messages of SMB1 say of files (MS-CIFS and MS-SMB, 2.2).

use super::super::transfer::kept;
use super::smb_opens::{Opened, SHARE};
use super::smb_words::{FileId, le, utf16};
use crate::base::state::{Deserialize, Serialize};

/// Octets of a header (MS-CIFS, 2.2.3.1).
pub(super) const OLD_HEADER: usize = 32;

/// Commands (MS-CIFS, 2.2.2.1).
mod old_command {
    pub(super) const CLOSE: u8 = 0x04;
    pub(super) const OPEN_ANDX: u8 = 0x2D;
    pub(super) const READ_ANDX: u8 = 0x2E;
    pub(super) const WRITE_ANDX: u8 = 0x2F;
    pub(super) const TREE_CONNECT_ANDX: u8 = 0x75;
    pub(super) const NT_CREATE_ANDX: u8 = 0xA2;
}

/// A header.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct OldHeader {
    command: u8,
    pub(super) status: u64,
    pub(super) response: bool,
    unicode: bool,
    pub(super) tree: u64,
    /// The process that sent it, and the number that it gave it.
    pub(super) message: u64,
}

impl OldHeader {
    /// Reads one of [`OLD_HEADER`] octets.
    pub(super) fn read(octets: &[u8]) -> Self {
        Self {
            command: octets.get(4).copied().unwrap_or(0),
            status: le(octets, 5, 4),
            response: le(octets, 9, 1) & 0x80 != 0,
            unicode: le(octets, 10, 2) & 0x8000 != 0,
            tree: le(octets, 24, 2),
            message: le(octets, 12, 2) << 32 | le(octets, 26, 2) << 16 | le(octets, 30, 2),
        }
    }

    /// Its command is about files.
    pub(super) const fn is_of_use(&self) -> bool {
        matches!(
            (self.command, self.response),
            (
                old_command::CLOSE
                    | old_command::OPEN_ANDX
                    | old_command::READ_ANDX
                    | old_command::TREE_CONNECT_ANDX
                    | old_command::NT_CREATE_ANDX,
                _
            ) | (old_command::WRITE_ANDX, false)
        )
    }

    /// An answer to it matters, and says something in the place where others have octets of a file.
    const fn has_octets(&self) -> bool {
        matches!(
            (self.command, self.response),
            (old_command::READ_ANDX, true) | (old_command::WRITE_ANDX, false)
        )
    }

    /// Octets behind the header that are looked at, of `left`, of which these are there.
    pub(super) fn needs(&self, there: &[u8], left: usize) -> usize {
        let words = there.first().map(|n| 3 + 2 * usize::from(*n));
        match words {
            Some(words) if self.has_octets() => words.min(left),
            None => 1.min(left),
            Some(_) => left,
        }
    }
}

/// What a message says.
pub(super) enum OldSaid {
    Nothing,
    /// A share is asked for by its path.
    Tree(Vec<u8>),
    /// It has pipes.
    Connected(bool),
    Create {
        name: Vec<u8>,
        reads: bool,
        writes: bool,
    },
    Created(Opened),
    Read {
        id: FileId,
        offset: u64,
        len: u64,
    },
    /// So many octets were read; they begin so far behind the header's beginning.
    Octets(u64, u64),
    Write {
        id: FileId,
        offset: u64,
        octets: (u64, u64),
    },
    Close(FileId),
    Closed,
}

fn old_id(number: u64) -> FileId {
    u128::from(number).to_le_bytes()
}

impl OldSaid {
    /// Reads what stands behind a header.
    pub(super) fn read(header: &OldHeader, body: &[u8]) -> Self {
        let count = usize::from(body.first().copied().unwrap_or(0));
        let words = body.get(1..1 + 2 * count).unwrap_or_default();
        // What stands behind the words, and how far behind the header's beginning.
        let from = 1 + 2 * count + 2;
        let octets = body.get(from..).unwrap_or_default();
        let word = |at, width| le(words, at, width);
        let wide = |at, there: bool| if there { word(at, 4) << 32 } else { 0 };
        match (header.command, header.response) {
            (old_command::READ_ANDX, false) if count >= 10 => {
                let high = word(14, 2);
                let high = if high == 0xFFFF { 0 } else { high << 16 };
                Self::Read {
                    id: old_id(word(4, 2)),
                    offset: word(6, 4) | wide(20, count >= 12),
                    len: word(10, 2) | high,
                }
            }
            (old_command::READ_ANDX, true) if count >= 12 => {
                Self::Octets(word(10, 2) | word(14, 2) << 16, word(12, 2))
            }
            (old_command::WRITE_ANDX, false) if count >= 12 => Self::Write {
                id: old_id(word(4, 2)),
                offset: word(6, 4) | wide(24, count >= 14),
                octets: (word(20, 2) | word(18, 2) << 16, word(22, 2)),
            },
            (old_command::NT_CREATE_ANDX, false) if count >= 24 => {
                let access = word(15, 4);
                Self::Create {
                    name: text(header, octets, from),
                    reads: access & 0x9000_0001 != 0,
                    writes: access & 0x5200_0006 != 0,
                }
            }
            (old_command::NT_CREATE_ANDX, true) if count >= 34 => Self::Created(Opened {
                id: old_id(word(5, 2)),
                size: word(55, 8),
                fresh: word(7, 4) != 1,
                directory: word(67, 1) != 0,
            }),
            (old_command::OPEN_ANDX, false) if count >= 15 => {
                let access = word(6, 2) & 7;
                Self::Create {
                    name: text(header, octets, from),
                    reads: access != 1,
                    writes: matches!(access, 1 | 2),
                }
            }
            (old_command::OPEN_ANDX, true) if count >= 15 => Self::Created(Opened {
                id: old_id(word(4, 2)),
                size: word(12, 4),
                fresh: word(22, 2) & 3 != 1,
                directory: word(6, 2) & 0x10 != 0,
            }),
            (old_command::TREE_CONNECT_ANDX, false) if count >= 4 => {
                let password = usize::try_from(word(6, 2))
                    .unwrap_or(usize::MAX)
                    .min(octets.len());
                let mut path = text(header, &octets[password..], from + password);
                path.truncate(SHARE);
                path.shrink_to_fit();
                Self::Tree(path)
            }
            (old_command::TREE_CONNECT_ANDX, true) => Self::Connected(octets.starts_with(b"IPC")),
            (old_command::CLOSE, false) if count >= 1 => Self::Close(old_id(word(0, 2))),
            (old_command::CLOSE, true) => Self::Closed,
            _ => Self::Nothing,
        }
    }
}

/// Text up to its end, which begins so far behind the header.
fn text(header: &OldHeader, octets: &[u8], from: usize) -> Vec<u8> {
    if header.unicode {
        // At an even place.
        let octets = octets.get((OLD_HEADER + from) % 2..).unwrap_or_default();
        let end = octets.as_chunks().0.iter().position(|unit| *unit == [0, 0]);
        let end = end.map_or(octets.len(), |units| 2 * units);
        return utf16(&octets[..end]);
    }
    let text = octets.split(|o| *o == 0).next().unwrap_or_default();
    kept(text).to_vec()
}
