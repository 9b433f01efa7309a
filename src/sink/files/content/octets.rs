//! What is stored of a file, to be read again.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;

/// The octets of a file that are there, to be read again.
pub(in super::super) enum StoredOctets {
    Memory(Cursor<Vec<u8>>),
    File(File),
}

impl Read for StoredOctets {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Memory(octets) => octets.read(buf),
            Self::File(file) => file.read(buf),
        }
    }
}

impl StoredOctets {
    /// Reads at an offset; what is not there is zero.
    pub(in super::super) fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Memory(octets) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                octets.get_ref().get(from..).unwrap_or_default().read(buf)
            }
            Self::File(file) => file.read_at(buf, offset),
        }
    }
}
