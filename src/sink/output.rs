//! Where octets go: a buffer in front of any `Write`, which keeps its error until it is asked.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// Octets that are written in one go; a pipe that was made larger takes as much at once.
const FLUSH_AT: usize = 256 << 10;

/// Why an output failed, and which.
#[derive(Debug)]
pub struct Error {
    /// Name of the output, as the user gave it.
    pub name: String,
    /// What was being done.
    pub doing: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot {}: {}", self.name, self.doing, self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A `Write` that others can be boxed into and moved between threads.
pub type Writer = Box<dyn Write + Send>;

/// Opens an output by name: a path, or `-` for stdout, which is not buffered a second time.
///
/// # Errors
///
/// Those of the system.
pub fn open(name: &str) -> Result<Writer, Error> {
    let file = if name == "-" {
        io::stdout().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::create(name)
    };
    match file {
        Ok(file) => Ok(Box::new(file)),
        Err(source) => Err(Error {
            name: shown(name).to_owned(),
            doing: "open",
            source,
        }),
    }
}

/// Refuses an output that is a file which is also read: opening it would empty it, and a pipe would feed itself.
///
/// # Errors
///
/// Where `output` is the same file as one of `inputs`; `-` is stdout there and stdin here. What cannot be looked at is
/// left to be opened.
pub fn refuse_input(output: &str, inputs: &[String]) -> Result<(), Error> {
    let Some(file) = identity(output, || io::stdout().as_fd().try_clone_to_owned()) else {
        return Ok(());
    };
    for input in inputs {
        if identity(input, || io::stdin().as_fd().try_clone_to_owned()) == Some(file) {
            return Err(Error {
                name: shown(output).to_owned(),
                doing: "write",
                source: io::Error::other("it is also an input: write to another file"),
            });
        }
    }
    Ok(())
}

/// Device and number of a regular file.
fn identity(name: &str, standard: impl FnOnce() -> io::Result<OwnedFd>) -> Option<(u64, u64)> {
    let metadata = if name == "-" {
        File::from(standard().ok()?).metadata()
    } else {
        std::fs::metadata(name)
    };
    let metadata = metadata.ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

/// The name of an output in words.
pub(crate) fn shown(name: &str) -> &str {
    if name == "-" { "stdout" } else { name }
}

/// A buffered output. Nothing that it is given fails at once: the first error stays inside, what follows it is dropped,
/// and [`Sink::flush`] tells it.
pub(crate) struct Sink {
    name: String,
    to: Writer,
    buffer: Vec<u8>,
    /// Flush after every record.
    each: bool,
    failed: Option<io::Error>,
    /// Nothing is written any more: the reader has gone away, or there was an error.
    closed: bool,
}

impl Sink {
    /// Writes to `to`, which is called `name` in errors.
    pub(crate) fn new(name: &str, to: Writer, each: bool) -> Self {
        Self {
            name: name.to_owned(),
            to,
            buffer: Vec::new(),
            each,
            failed: None,
            closed: false,
        }
    }

    /// Appends a record that is made of parts.
    pub(crate) fn write(&mut self, parts: [&[u8]; 4]) {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(FLUSH_AT + (128 << 10));
        }
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
        if self.each || self.buffer.len() >= FLUSH_AT {
            self.push();
        }
    }

    /// Writes a long record past the buffer, behind all that is in it.
    pub(crate) fn write_through(&mut self, record: &[u8]) {
        self.drain();
        self.try_write(|to| to.write_all(record));
        if self.each {
            self.push();
        }
    }

    fn try_write(&mut self, f: impl FnOnce(&mut Writer) -> io::Result<()>) {
        if self.closed {
            return;
        }
        if let Err(e) = f(&mut self.to) {
            self.closed = true;
            if e.kind() != io::ErrorKind::BrokenPipe {
                self.failed = Some(e);
            }
        }
    }

    fn drain(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.try_write(|to| to.write_all(&buffer));
        self.buffer = buffer;
        self.buffer.clear();
    }

    fn push(&mut self) {
        self.drain();
        self.try_write(|to| to.flush());
    }

    /// Writes all that is buffered. Breaks where the reader has gone away, which is no error.
    pub(crate) fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        self.push();
        match self.failed.take() {
            Some(source) => Err(Error {
                name: self.name.clone(),
                doing: "write",
                source,
            }),
            None if self.closed => Ok(ControlFlow::Break(())),
            None => Ok(ControlFlow::Continue(())),
        }
    }
}
