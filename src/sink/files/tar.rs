//! `-x -`: files as an archive on stdout (POSIX.1-1988 ustar, with GNU's form for long names and sizes).
//!
//! A file stands in the archive with its size ahead of its octets, so each is spooled first: short ones in memory, longer ones in a
//! folder for this run alone, which goes when the run ends.

use crate::base::counters::ChannelCounters;
use crate::sink::writer::{BufferedWriter, OutputError, Target, open};
use rustix::fs::{Mode, OFlags};
use std::fs::DirBuilder;
use std::hash::BuildHasher;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// Octets of a block.
const BLOCK: usize = 512;
/// Octets of a name that stands in a header.
const NAME: usize = 100;
/// Octets that are read at once.
const READ: usize = 128 << 10;
/// Names of the folder that are tried.
const TRIES: u32 = 16;

/// An archive that is written.
pub(super) struct Archive {
    to: BufferedWriter,
    folder: PathBuf,
    /// Files that are in the archive, and still in the folder: ranges of them may follow.
    pub(super) packed: Vec<String>,
}

impl Archive {
    /// Begins an archive on stdout, with a folder for what waits.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn begin() -> Result<(Self, OwnedFd), OutputError> {
        let target = Target::stdout();
        let to = BufferedWriter::new("stdout", open(&target)?, false);
        let parent = std::env::temp_dir();
        let (folder, dir) = make(&parent).map_err(|source| OutputError {
            name: parent.display().to_string(),
            doing: "make a folder in",
            source,
        })?;
        let archive = Self {
            to,
            folder,
            packed: Vec::new(),
        };
        Ok((archive, dir))
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(super) fn add(&mut self, name: &str, file: &std::fs::File) -> io::Result<()> {
        let there = file.metadata()?;
        let time = there.modified().ok();
        let time = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let size = there.len();
        if name.len() > NAME {
            // Its name stands in an entry of its own, ahead of it.
            let long = [name.as_bytes(), &[0]].concat();
            self.to
                .write([&header("././@LongLink", long.len() as u64, 0, b'L')]);
            self.to.write([&long]);
            self.pad(long.len() as u64);
        }
        let header = header(name, size, time.map_or(0, |time| time.as_secs()), b'0');
        self.to.write([&header]);
        let mut buffer = vec![0; READ];
        let mut at = 0;
        while at < size && self.to.is_open() {
            let most = usize::try_from(size - at).unwrap_or(READ).min(READ);
            match file.read_at(&mut buffer[..most], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    self.to.write_through(&buffer[..n]);
                    at += n as u64;
                }
            }
        }
        self.pad(size);
        Ok(())
    }

    fn pad(&mut self, size: u64) {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        if over > 0 {
            self.to.write([&[0; BLOCK][over..]]);
        }
    }

    /// What was written of it.
    pub(super) fn channel(&self) -> ChannelCounters {
        self.to.channel()
    }

    /// Writes all that is buffered.
    pub(super) fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.to.flush()
    }

    /// Ends the archive.
    pub(super) fn end(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.to.write([&[0; 2 * BLOCK]]);
        self.to.flush()
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // Nobody else knows of it: what is left there is of no use.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A folder that nobody else can look into.
fn make(parent: &Path) -> io::Result<(PathBuf, OwnedFd)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..TRIES {
        // Keyed anew for each: nobody can be there first but by chance.
        let random = foldhash::fast::RandomState::default().hash_one(std::process::id());
        let folder = parent.join(format!("inet-asm-{random:016x}"));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let dir = rustix::fs::open(&folder, flags, Mode::empty())?;
                return Ok((folder, dir));
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// The header of an entry.
fn header(name: &str, size: u64, time: u64, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, octets: &[u8], most: usize| {
        let octets = &octets[..octets.len().min(most)];
        block[at..at + octets.len()].copy_from_slice(octets);
    };
    put(0, name.as_bytes(), NAME);
    put(100, b"0000644\0", 8);
    put(108, b"0000000\0", 8);
    put(116, b"0000000\0", 8);
    if size < 1 << 33 {
        put(124, format!("{size:011o}\0").as_bytes(), 12);
    } else {
        // Past eleven octal digits: base 256, marked by the first bit.
        put(124, &[0x80], 1);
        put(128, &size.to_be_bytes(), 8);
    }
    put(
        136,
        format!("{:011o}\0", time.min((1 << 33) - 1)).as_bytes(),
        12,
    );
    put(148, b"        ", 8);
    put(156, &[kind], 1);
    put(257, b"ustar\x0000", 8);
    let sum: u32 = block.iter().map(|octet| u32::from(*octet)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_their_sizes_and_sums() {
        let small = header("a.txt", 1234, 1_700_000_000, b'0');
        assert_eq!(&small[..6], b"a.txt\0");
        assert_eq!(&small[124..136], b"00000002322\0");
        let sum = |block: &[u8; BLOCK]| {
            let text = std::str::from_utf8(&block[148..154]).unwrap();
            let told = u32::from_str_radix(text, 8).unwrap();
            let octets = block.iter().enumerate();
            let real: u32 = octets
                .map(|(at, octet)| {
                    if (148..156).contains(&at) {
                        32
                    } else {
                        u32::from(*octet)
                    }
                })
                .sum();
            (told, real)
        };
        assert_eq!(sum(&small).0, sum(&small).1);
        let large = header(&"x".repeat(200), 9 << 30, 0, b'0');
        assert_eq!(
            &large[124..136],
            [&[0x80, 0, 0, 0][..], &(9_u64 << 30).to_be_bytes()].concat()
        );
        assert_eq!(sum(&large).0, sum(&large).1);
    }
}
