//! The inputs of a run: opened one after the other, read as one capture.

use super::reader::{Reader, Totals, Warning};
use super::{FileHeader, Packet};
use crate::error::Error;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};

/// An input that has been opened.
pub type Source = Box<dyn Read + Send>;

/// A way to name an input that is no plain path.
struct Scheme {
    /// What the name begins with.
    prefix: &'static str,
    /// Opens what stands behind the prefix.
    open: fn(&str) -> io::Result<Source>,
}

const SCHEMES: &[Scheme] = &[Scheme {
    prefix: "file:",
    open: |rest| open_path(file_path(rest).as_ref()),
}];

/// Opens one input: `-` is the standard input, a known scheme is looked up in the table, all else is a path (of a file, a
/// FIFO, a device).
fn open(name: &OsStr) -> io::Result<Source> {
    if name == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let scheme = name.to_str().and_then(|name| {
        SCHEMES
            .iter()
            .find_map(|s| Some((s, name.strip_prefix(s.prefix)?)))
    });
    match scheme {
        Some((scheme, rest)) => (scheme.open)(rest),
        None => open_path(name),
    }
}

fn open_path(path: &OsStr) -> io::Result<Source> {
    Ok(Box::new(File::open(path)?))
}

/// The path in `file:PATH`, `file:'PATH'` and `file:///PATH`.
fn file_path(rest: &str) -> &str {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        _ => rest,
    };
    let quoted = path.strip_prefix('\'').and_then(|p| p.strip_suffix('\''));
    quoted.unwrap_or(path)
}

/// Several inputs in order, as one capture: connections go on across rotated files, frames and interfaces are counted
/// on. Each input is opened when the one before has ended.
pub struct Inputs {
    waiting: VecDeque<OsString>,
    reader: Option<Reader<Source>>,
    totals: Totals,
}

impl Inputs {
    /// These inputs; the standard input if there are none.
    pub fn new(names: impl IntoIterator<Item = OsString>) -> Self {
        Self::resume(names, Totals::default())
    }

    /// The same, with frames, interfaces and counters going on from an earlier run.
    pub fn resume(names: impl IntoIterator<Item = OsString>, totals: Totals) -> Self {
        let mut waiting: VecDeque<OsString> = names.into_iter().collect();
        if waiting.is_empty() {
            waiting.push_back("-".into());
        }
        Self {
            waiting,
            reader: None,
            totals,
        }
    }

    /// The next packet that is there; nothing when more octets are needed.
    ///
    /// # Errors
    /// As [`Reader::next`].
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, Error> {
        match &mut self.reader {
            Some(reader) => reader.next(),
            None => Ok(None),
        }
    }

    /// Reads once, which may block, as opening the next input may; false at the end of the last one.
    ///
    /// # Errors
    /// As [`Reader::fill`], and [`Error::Open`].
    pub fn fill(&mut self) -> Result<bool, Error> {
        loop {
            if let Some(reader) = &mut self.reader
                && reader.fill()?
            {
                return Ok(true);
            }
            let Some(name) = self.waiting.pop_front() else {
                return Ok(false);
            };
            let shown = match name.to_string_lossy() {
                n if n == "-" => "standard input".to_owned(),
                n => n.into_owned(),
            };
            match (open(&name), &mut self.reader) {
                (Err(source), _) => {
                    // Nothing is read after an error.
                    self.waiting.clear();
                    return Err(Error::Open {
                        file: shown,
                        source,
                    });
                }
                (Ok(source), Some(reader)) => reader.chain(shown, source),
                (Ok(source), reader) => {
                    let totals = std::mem::take(&mut self.totals);
                    *reader = Some(Reader::resume(shown, source, totals));
                }
            }
        }
    }

    /// As [`Reader::header`].
    pub fn header(&self) -> Option<FileHeader> {
        self.reader.as_ref().and_then(Reader::header)
    }

    /// What goes on over all inputs: numbers, interfaces, counters.
    pub fn totals(&self) -> &Totals {
        self.reader.as_ref().map_or(&self.totals, Reader::totals)
    }

    /// Counters and numbers, to be cleared or set.
    pub fn totals_mut(&mut self) -> &mut Totals {
        match &mut self.reader {
            Some(reader) => reader.totals_mut(),
            None => &mut self.totals,
        }
    }

    /// The warnings since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        self.reader
            .as_mut()
            .map_or_else(Vec::new, Reader::take_warnings)
    }
}
