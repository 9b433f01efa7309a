//! The file of a stream while it is open.

use crate::base::flow::{Direction, Transport};
use crate::base::storage::allocated;
use crate::base::time::Timestamp;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Octets that wait for one file: a system call for some twenty segments.
const BUFFER: usize = 32 << 10;

/// Room for the first of them.
// A few segments: less would be made larger at once, more would stay unused where a message is short.
const FIRST: usize = 4 << 10;

/// Which stream a file belongs to.
pub(super) type StreamKey = (Transport, u64, Direction, u16);

/// An open file.
pub(super) struct StreamFile {
    file: File,
    path: PathBuf,
    /// Octets that wait, and their offset; `None` where the file is appended to.
    buffer: Vec<u8>,
    at: Option<u64>,
    /// When the last of its octets was captured.
    pub(super) last: Timestamp,
    /// It stands in the list of files for which octets wait.
    pub(super) listed: bool,
}

impl StreamFile {
    /// A file that was just opened. `at`: where its first octets go, `None` for its end.
    pub(super) const fn new(file: File, path: PathBuf, at: Option<u64>, last: Timestamp) -> Self {
        Self {
            file,
            path,
            buffer: Vec::new(),
            at,
            last,
            listed: false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Octets that are allocated for those that wait.
    pub(super) const fn allocated(&self) -> usize {
        allocated(self.buffer.capacity())
    }

    /// Octets that are allocated for its path.
    pub(super) fn path_allocated(&self) -> usize {
        allocated(self.path.capacity())
    }

    /// Puts octets at an offset, or at the end of a file that is appended to.
    pub(super) fn put(&mut self, offset: Option<u64>, octets: &[u8]) -> io::Result<()> {
        let next = self
            .at
            .map(|at| at.saturating_add(self.buffer.len() as u64));
        let mut done = Ok(());
        // A hole, or a full buffer: what waits goes out at its own place. The file then has a hole
        // there, which costs no disk.
        if next != offset || self.buffer.len() + octets.len() > BUFFER {
            done = self.write();
            self.at = offset;
        }
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(FIRST);
        }
        self.buffer.extend_from_slice(octets);
        done
    }

    /// Writes what waits.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let done = match &mut self.at {
            Some(at) => {
                let done = self.file.write_all_at(&self.buffer, *at);
                // Moved on also after an error, or the next octets would go to the wrong place.
                *at = at.saturating_add(self.buffer.len() as u64);
                done
            }
            // The file may have been opened anew.
            None => {
                let end = self.file.seek(SeekFrom::End(0));
                end.and_then(|_| self.file.write_all(&self.buffer))
            }
        };
        self.buffer.clear();
        done
    }

    /// Gives the memory of the buffer back, in which nothing waits.
    pub(super) fn free(&mut self) {
        self.buffer = Vec::new();
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
