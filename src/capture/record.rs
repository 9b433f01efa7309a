//! What the parsers of both formats report to the reader.

use crate::base::packet::LinkType;
use crate::base::time::Timestamp;
use std::fmt;

/// What stands at a place of the input.
pub(super) enum RecordLook<T> {
    /// It is all there.
    Whole(T),
    /// More octets are needed to know.
    More,
    /// It cannot be what is due.
    Bad(Fault),
}

/// A packet in the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    /// Octets of the whole record.
    pub(super) used: usize,
    /// Where the packet's octets begin, from the beginning of the record.
    pub(super) data: usize,
    /// How many there are.
    pub(super) len: usize,
    pub(super) time: Timestamp,
    pub(super) interface: u32,
    pub(super) link_type: LinkType,
    pub(super) orig_len: u32,
    pub(super) fcs_len: Option<u8>,
    pub(super) flags: u32,
}

/// What is wrong with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// No known magic number.
    Magic,
    /// A version of the format that is not known.
    Version(u16, u16),
    /// A captured length that no record can have.
    Captured(u64),
    /// A block length that no block can have.
    Block(u32),
    /// The lengths at both ends of a block differ.
    Lengths(u32, u32),
    /// The byte-order magic of a section.
    ByteOrder(u32),
    /// An interface that was not described.
    Interface(u32),
    /// More interfaces than are kept.
    Interfaces,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => write!(f, "no file header where one is due"),
            Self::Version(major, minor) => write!(f, "version {major}.{minor} is not known"),
            Self::Captured(len) => write!(f, "no packet has {len} captured bytes"),
            Self::Block(len) => write!(f, "no block has {len} bytes"),
            Self::Lengths(first, last) => {
                write!(
                    f,
                    "a block says {first} bytes at its beginning and {last} at its end"
                )
            }
            Self::ByteOrder(magic) => write!(f, "{magic:08x} is no byte-order magic"),
            Self::Interface(id) => write!(f, "interface {id} is not described"),
            Self::Interfaces => write!(f, "too many interfaces"),
        }
    }
}
