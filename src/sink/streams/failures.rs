//! What could not be done, until it is told.

use crate::sink::writer::OutputError;
use std::io;
use std::path::Path;

/// Errors of stream files.
#[derive(Default)]
pub(super) struct Failures {
    first: Option<OutputError>,
    /// What the system has no room for in one file: told at the end.
    too_large: Option<OutputError>,
}

impl Failures {
    /// Something could not be done with a file.
    pub(super) fn add(&mut self, path: &Path, doing: &'static str, source: io::Error) {
        // A stream of holes may pass what the file system can hold, or a file what the process may write. That is this file's
        // alone: the others are written all the same, and the run fails at its end.
        let alone = matches!(
            source.kind(),
            io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput
        );
        // The first error is reported, the others would follow from it.
        let first = if alone {
            &mut self.too_large
        } else {
            &mut self.first
        };
        first.get_or_insert_with(|| OutputError {
            name: path.display().to_string(),
            doing,
            source,
        });
    }

    /// What stops the run.
    pub(super) fn take(&mut self) -> Result<(), OutputError> {
        self.first.take().map_or(Ok(()), Err)
    }

    /// All of them, at the end.
    pub(super) fn end(&mut self) -> Result<(), OutputError> {
        let failed = self.first.take().or(self.too_large.take());
        failed.map_or(Ok(()), Err)
    }
}
