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

    /// Fills a buffer from an offset; false where there are not as many octets.
    pub(in super::super) fn fill_at(&self, mut buf: &mut [u8], mut offset: u64) -> bool {
        while !buf.is_empty() {
            match self.read_at(buf, offset) {
                Ok(0) => return false,
                Ok(n) => {
                    buf = &mut buf[n..];
                    offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}
