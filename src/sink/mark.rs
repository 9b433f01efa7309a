//! What a file was like when it was left, so that one that was changed is not gone on with as if it were whole.
//!
//! ```text
//!  put, put, ...  ──>  mark  ──>  state  ──>  next run: is the file as the mark says?
//! ```

use crate::base::state::{Deserialize, Serialize};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// Octets that are read at once.
const READ: usize = 128 << 10;

/// Length of a file and CRC-32C of its octets, holes being zeros, as they were put into it.
// Against accidents, not against somebody who makes two files of one sum: a cryptographic sum could not take octets in any order. The
// register is kept without the inversions at both ends: so it is linear, zeros in front of a file do not change it, and octets that fill
// a hole are added to it wherever they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileMark {
    len: u64,
    register: u32,
}

/// When a file was modified last, in seconds since 1970 and nanoseconds.
pub(crate) type Modified = (i64, i64);

/// When a file was modified last.
pub(crate) fn modified(found: &Metadata) -> Modified {
    (found.mtime(), found.mtime_nsec())
}

impl FileMark {
    /// How long the file is.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// The file reaches as far as this. What is in it is not asked for.
    pub(crate) fn reach(&mut self, end: u64) {
        self.len = self.len.max(end);
    }

    /// Octets were put at this offset, where there were none before.
    pub(crate) fn put(&mut self, offset: u64, octets: &[u8]) {
        let end = offset.saturating_add(octets.len() as u64);
        if offset >= self.len {
            self.register = then(behind_zeros(self.register, offset - self.len), octets);
            self.len = end;
            return;
        }
        self.register = behind_zeros(self.register, end.saturating_sub(self.len));
        self.len = self.len.max(end);
        self.register ^= behind_zeros(then(0, octets), self.len - end);
    }

    /// The file is as it was left, or was added to. What was added is taken off: it is of a run that was killed, and comes again. It is
    /// read only where its length or its time is another one.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn fits(&self, file: &File, left: Modified) -> io::Result<bool> {
        let found = file.metadata()?;
        if !found.is_file() || found.len() < self.len {
            return Ok(false);
        }
        if (found.len(), modified(&found)) == (self.len, left) {
            return Ok(true);
        }
        let mut buffer = vec![0; READ];
        let (mut register, mut at) = (0, 0);
        while at < self.len {
            // Holes are passed over: a range may stand terabytes behind the one before.
            let (begin, end) = data_behind(file, at, self.len)?;
            register = behind_zeros(register, begin - at);
            at = begin;
            while at < end {
                let most = usize::try_from(end - at).map_or(READ, |most| most.min(READ));
                let n = file.read_at(&mut buffer[..most], at)?;
                if n == 0 {
                    return Ok(false);
                }
                register = then(register, &buffer[..n]);
                at += n as u64;
            }
        }
        if register != self.register {
            return Ok(false);
        }
        file.set_len(self.len)?;
        Ok(true)
    }
}

/// Where the next octets of a file begin and end that are no hole, from `at` on and up to `len`.
fn data_behind(file: &File, at: u64, len: u64) -> io::Result<(u64, u64)> {
    match seek(file, SeekFrom::Data(at)) {
        Ok(begin) if begin < len => {
            let end = seek(file, SeekFrom::Hole(begin))?;
            Ok((begin, end.min(len)))
        }
        // Nothing but a hole is left.
        Ok(_) | Err(Errno::NXIO) => Ok((len, len)),
        // The file system knows of no holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok((at, len)),
        Err(e) => Err(e.into()),
    }
}

/// The register behind these octets.
fn then(register: u32, octets: &[u8]) -> u32 {
    !crc32c::crc32c_append(!register, octets)
}

/// The register behind so many zeros.
fn behind_zeros(register: u32, zeros: u64) -> u32 {
    match usize::try_from(zeros) {
        Ok(0) => register,
        zeros => crc32c::crc32c_combine(register, 0, zeros.unwrap_or(usize::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn temporary(octets: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(octets, 0).unwrap();
        file
    }

    proptest! {
        /// In any order, with holes that are filled later or never, a mark is that of the file.
        #[test]
        fn the_mark_is_that_of_the_file(
            parts in prop::collection::vec((0_usize..5000, prop::collection::vec(any::<u8>(), 1..300)), 1..12),
            changed in any::<prop::sample::Index>(),
        ) {
            let (mut mark, mut file, mut taken) = (FileMark::default(), Vec::new(), Vec::new());
            for (at, octets) in &parts {
                let range = *at..at + octets.len();
                if taken.iter().any(|t: &std::ops::Range<usize>| t.start < range.end && range.start < t.end) {
                    continue;
                }
                file.resize(file.len().max(range.end), 0);
                file[range.clone()].copy_from_slice(octets);
                mark.put(*at as u64, octets);
                taken.push(range);
            }
            prop_assert_eq!(mark.len(), file.len() as u64);
            prop_assert!(mark.fits(&temporary(&file), (0, 0)).unwrap());
            // As a run that is killed leaves it.
            let longer = temporary(&[&file[..], b"more"].concat());
            prop_assert!(mark.fits(&longer, (0, 0)).unwrap());
            prop_assert_eq!(longer.metadata().unwrap().len(), mark.len());
            let at = changed.index(file.len());
            file[at] ^= 0x10;
            prop_assert!(!mark.fits(&temporary(&file), (0, 0)).unwrap());
            prop_assert!(!mark.fits(&temporary(&file[..at]), (0, 0)).unwrap());
        }
    }

    #[test]
    fn a_file_of_the_same_length_and_time_is_not_read() {
        let file = temporary(b"other");
        let mut mark = FileMark::default();
        mark.put(0, b"octet");
        let left = modified(&file.metadata().unwrap());
        assert!(mark.fits(&file, left).unwrap());
        assert!(!mark.fits(&file, (left.0, left.1 + 1)).unwrap());
    }

    #[test]
    fn a_hole_may_be_of_any_size() {
        let mut mark = FileMark::default();
        mark.put(1 << 40, b"a");
        mark.put(5, b"b");
        let mut other = FileMark::default();
        other.put(5, b"b");
        other.put(1 << 40, b"a");
        assert_eq!(mark, other);
        // It is not read.
        let file = temporary(b"");
        file.write_all_at(b"b", 5).unwrap();
        file.write_all_at(b"a", 1 << 40).unwrap();
        assert!(mark.fits(&file, (0, 0)).unwrap());
        file.write_all_at(b"c", 1 << 39).unwrap();
        assert!(!mark.fits(&file, (0, 0)).unwrap());
        // Holes up to the end.
        mark = FileMark::default();
        mark.put(5, b"b");
        mark.put(100, &[0; 5000]);
        let file = temporary(b"\0\0\0\0\0b");
        file.set_len(5100).unwrap();
        assert!(mark.fits(&file, (0, 0)).unwrap());
    }
}
