//! The file of a stream while it is open.

use crate::base::flow::{Direction, Transport};
use crate::base::time::Timestamp;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Octets that wait for one file: 8 MiB for all that are open, and a system call for some twenty segments.
pub(super) const BUFFER: usize = 32 << 10;

/// Which stream a file belongs to.
pub(super) type StreamKey = (Transport, u64, Direction, u16);

/// An open file.
pub(super) struct StreamFile {
    pub(super) key: StreamKey,
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// Octets that wait, and their offset; `None` where the file is appended to.
    pub(super) buffer: Vec<u8>,
    pub(super) at: Option<u64>,
    pub(super) last: Timestamp,
    pub(super) used: u64,
}

impl StreamFile {
    // Seeks each time: a stream with holes writes at places far apart, and the file may have been
    // opened anew.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let whence = match self.at {
            Some(at) => SeekFrom::Start(at),
            None => SeekFrom::End(0),
        };
        let done = self
            .file
            .seek(whence)
            .and_then(|_| self.file.write_all(&self.buffer));
        if let Some(at) = &mut self.at {
            // Moved on also after an error, or the next octets would go to the wrong place.
            *at = at.saturating_add(self.buffer.len() as u64);
        }
        self.buffer.clear();
        done
    }

    /// Writes what waits and says when the last octet was captured.
    pub(super) fn close(mut self) -> (PathBuf, io::Result<()>) {
        // The capture's time, so that tools that sort by time show streams in the order in which
        // they were sent.
        let time = std::time::UNIX_EPOCH + self.last.since(Timestamp::default());
        let done = self.write().and_then(|()| self.file.set_modified(time));
        (self.path, done)
    }
}

/// To write to a file that is no symbolic link.
// Whoever can write to the folder could otherwise redirect the output.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // The flag is a small positive number on every system.
    options.custom_flags(i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default());
    options
}
