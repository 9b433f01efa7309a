//! An OUTPUT that a program reads: `exec:COMMAND`.

use crate::base::child::ChildProgram;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A program that reads an output from its stdin.
#[derive(Debug)]
pub struct ReadingProgram {
    /// Closed ahead of the wait for the program, which reads to its end.
    to: Mutex<Option<File>>,
    program: Mutex<ChildProgram>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is locked here is left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadingProgram {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of the system; there is no such program.
    pub(super) fn run(words: &[String]) -> io::Result<Arc<Self>> {
        let (program, to) = ChildProgram::reader(words)?;
        Ok(Arc::new(Self {
            to: Mutex::new(Some(to)),
            program: Mutex::new(program),
        }))
    }

    /// Nothing more comes: waits until the program has done with it. `stopped`: as for [`ChildProgram::wait`].
    ///
    /// # Errors
    ///
    /// It has failed.
    pub(super) fn end(&self, stopped: bool) -> io::Result<()> {
        drop(locked(&self.to).take());
        locked(&self.program).wait(stopped)
    }
}

impl Drop for ReadingProgram {
    fn drop(&mut self) {
        // It is ended behind that.
        drop(locked(&self.to).take());
    }
}

/// What is written for it.
pub(super) struct ProgramWriter(pub(super) Arc<ReadingProgram>);

impl ProgramWriter {
    fn with(&self, write: impl FnOnce(&mut File) -> io::Result<usize>) -> io::Result<usize> {
        let mut to = locked(&self.0.to);
        write(to.as_mut().ok_or(io::ErrorKind::BrokenPipe)?)
    }
}

impl Write for ProgramWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.with(|to| to.write(octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        // A pipe holds nothing back.
        Ok(())
    }
}
