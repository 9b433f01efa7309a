//! The inputs of a run: opened one after the other, read as one capture.

use super::FileHeader;
use super::reader::{Reader, Warning};
use super::stop::{Stop, Stoppable};
use super::totals::Totals;
use crate::base::packet::{Interface, Packet};
use crate::capture::error::Error;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

/// An input that has been opened.
pub type InputSource = Box<dyn Read + Send>;

/// A way to name an input that is no plain path.
struct InputScheme {
    /// What the name begins with.
    prefix: &'static str,
    /// Opens what stands behind the prefix.
    open: fn(&str, Option<&Stop>) -> io::Result<InputSource>,
}

const SCHEMES: &[InputScheme] = &[InputScheme {
    prefix: "file:",
    open: |rest, stop| open_path(file_path(rest).as_ref(), stop),
}];

/// Opens one input: a known scheme is looked up in the table, all else is a path.
fn open(name: &OsStr, stop: Option<&Stop>) -> io::Result<InputSource> {
    let scheme = name.to_str().and_then(|name| {
        SCHEMES
            .iter()
            .find_map(|s| Some((s, name.strip_prefix(s.prefix)?)))
    });
    match scheme {
        Some((scheme, rest)) => (scheme.open)(rest, stop),
        None => open_path(name, stop),
    }
}

/// `-` is the standard input, all else the path of a file, a FIFO, a device.
fn open_path(path: &OsStr, stop: Option<&Stop>) -> io::Result<InputSource> {
    if path == "-" {
        return Ok(stoppable(io::stdin(), stop));
    }
    Ok(stoppable(File::open(path)?, stop))
}

/// The path of an input that is a file, with or without its scheme.
pub fn path(name: &str) -> &str {
    name.strip_prefix("file:").map_or(name, file_path)
}

fn stoppable<R: Read + AsFd + Send + 'static>(input: R, stop: Option<&Stop>) -> InputSource {
    match stop {
        Some(stop) => Box::new(Stoppable::new(input, stop.clone())),
        None => Box::new(input),
    }
}

/// The path in `file:PATH`, `file:'PATH'`, `file:"PATH"` and `file:///PATH`.
fn file_path(rest: &str) -> &str {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        _ => rest,
    };
    ['\'', '"']
        .into_iter()
        .find_map(|quote| path.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(path)
}

/// Several inputs in order, as one capture: connections go on across rotated files, frames and interfaces are counted
/// on. Each input is opened when the one before has ended.
pub struct Inputs {
    waiting: VecDeque<OsString>,
    reader: Option<Reader<InputSource>>,
    totals: Totals,
    stop: Option<Stop>,
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
            stop: None,
        }
    }

    /// Ends the input after a second of silence once `stop` is wished for.
    #[must_use]
    pub fn stopped_by(mut self, stop: Stop) -> Self {
        self.stop = Some(stop);
        self
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

    /// The next packet, with all interfaces of the inputs until then.
    ///
    /// # Errors
    /// As [`Reader::next`].
    #[inline]
    pub fn next_with_interfaces(&mut self) -> Result<Option<(Packet<'_>, &[Interface])>, Error> {
        match &mut self.reader {
            Some(reader) => reader.next_with_interfaces(),
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
            match (open(&name, self.stop.as_ref()), &mut self.reader) {
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

    /// The name of the input that is being read.
    pub fn name(&self) -> Option<&str> {
        self.reader.as_ref().map(Reader::name)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::samples;

    fn all(inputs: &mut Inputs) -> (Vec<u64>, Result<(), Error>) {
        let mut frames = Vec::new();
        loop {
            while let Some(p) = inputs.next().unwrap() {
                frames.push(p.frame);
            }
            match inputs.fill() {
                Ok(true) => {}
                Ok(false) => return (frames, Ok(())),
                Err(e) => return (frames, Err(e)),
            }
        }
    }

    #[test]
    fn names_of_files() {
        for (rest, path) in [
            ("a b.pcap", "a b.pcap"),
            ("'my capture?.pcap'", "my capture?.pcap"),
            ("/tmp/x", "/tmp/x"),
            ("///tmp/x", "/tmp/x"),
            ("//x", "//x"),
            ("'", "'"),
        ] {
            assert_eq!(file_path(rest), path);
        }
    }

    #[test]
    fn one_capture_of_several_inputs() {
        let dir = tempfile::tempdir().unwrap();
        let mut names = Vec::new();
        for (i, (_, c)) in samples().iter().enumerate() {
            let path = dir.path().join(format!("{i}.pcap"));
            std::fs::write(&path, &c.octets).unwrap();
            let path = path.into_os_string();
            names.push(if i % 2 == 0 {
                path
            } else {
                [OsStr::new("file:"), &path].iter().copied().collect()
            });
        }
        let mut inputs = Inputs::new(names.clone());
        assert_eq!(inputs.header(), None);
        let (frames, result) = all(&mut inputs);
        result.unwrap();
        assert_eq!(frames, (1..=24).collect::<Vec<_>>());
        assert_eq!(inputs.totals().counters.files, 8);
        // Six pcap files are one interface each, two pcapng files have three.
        assert_eq!(inputs.totals().interfaces.len(), 12);
        assert!(!inputs.header().unwrap().nanoseconds);

        // It goes on in another run.
        let totals = inputs.totals().clone();
        let mut inputs = Inputs::resume(names[..1].iter().cloned(), totals);
        assert_eq!(all(&mut inputs).0, [25, 26, 27]);

        // What comes before an input that is not there is read.
        names.insert(1, dir.path().join("absent").into_os_string());
        let (frames, result) = all(&mut Inputs::new(names));
        assert_eq!(frames, [1, 2, 3]);
        let e = result.unwrap_err();
        assert!(matches!(e, Error::Open { .. }));
        assert!(e.to_string().contains("absent: cannot be opened: "), "{e}");

        let (_, result) = all(&mut Inputs::new([dir.path().as_os_str().to_owned()]));
        assert!(matches!(result, Err(Error::Read { .. })));
    }

    #[test]
    fn an_input_that_is_cut_short_does_not_end_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).into_os_string();
        let c = &samples()[0].1;
        std::fs::write(path("a"), &c.octets[..c.octets.len() - 1]).unwrap();
        std::fs::write(path("b"), &c.octets).unwrap();
        let mut inputs = Inputs::new([path("a"), path("b")]);
        let (frames, result) = all(&mut inputs);
        result.unwrap();
        assert_eq!(frames.len(), 5);
        assert_eq!(inputs.take_warnings().len(), 1);
        assert_eq!(inputs.totals().counters.cut_short, 1);
    }
}
