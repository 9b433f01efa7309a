//! The inputs of a run: opened one after the other, read as one capture.

use super::FileHeader;
use super::reader::{InputSource, Reader, Warning};
use super::secrets;
use super::senders::{NamedSocket, Senders, SendersTogether};
use super::stop::{Stop, Stoppable, is_woken};
use super::totals::Totals;
use crate::base::child::{self, ChildProgram, EXEC};
use crate::base::counters::InputCounters;
use crate::base::packet::Packet;
use crate::base::sockets::SocketScheme;
use crate::base::time::Timestamp;
use crate::capture::error::Error;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Octets of a file that are looked at before the run begins. Every kind of capture says in its first dozen what it is; a
/// compressed one may need a block of its format, and where that is larger its magic number has to do.
const LOOK: u64 = 64 << 10;

/// Opens the path of an input, `-` being the standard input. A pipe with a name is there at once, also without a writer,
/// where the reads are ones that wait for it.
fn open(path: &OsStr, waits: bool) -> io::Result<File> {
    if path == "-" {
        return io::stdin().as_fd().try_clone_to_owned().map(File::from);
    }
    if !waits || !std::fs::metadata(path)?.file_type().is_fifo() {
        return File::open(path);
    }
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// What an input is called in messages.
fn shown(name: &OsStr) -> String {
    match path(name) {
        path if path == "-" => "stdin".to_owned(),
        _ => name.to_string_lossy().into_owned(),
    }
}

/// The path of an input that is a file, with or without its scheme. A name that is not UTF-8 is a path.
pub fn path(name: &OsStr) -> &OsStr {
    let rest = name.to_str().and_then(|name| name.strip_prefix("file:"));
    rest.map_or(name, |rest| file_path(rest).as_ref())
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

/// Compressed files of so many octets and more have a thread of their own where nothing else was asked for.
// To start one takes some hundred microseconds, in which gzip decompresses about as many octets as are in this.
const LARGE: u64 = 64 << 10;

/// Whether a file of so many octets is decompressed beside the run.
fn two_threads_pay(threads: Option<NonZeroUsize>, size: u64) -> bool {
    let there = || thread::available_parallelism().is_ok_and(|n| n.get() > 1);
    threads.map_or_else(|| size >= LARGE && there(), |threads| threads.get() > 1)
}

/// The row of a name that is no file's, and what stands behind the colon.
fn scheme(name: &OsStr) -> Option<(&'static SocketScheme, &str)> {
    let (word, rest) = name.to_str()?.split_once(':')?;
    Some((SocketScheme::named(word)?, rest))
}

/// The words of an input that is a command.
fn command(name: &OsStr) -> Option<&str> {
    let (word, rest) = name.to_str()?.split_once(':')?;
    word.eq_ignore_ascii_case(EXEC).then_some(rest)
}

/// An input that is still to be read.
struct WaitingInput {
    name: OsString,
    /// Opened before its turn, where that cannot be done twice.
    file: Option<File>,
    /// It is read from one sender after the other, until the run is asked to stop.
    senders: Option<Senders>,
    /// It writes what is read.
    program: Option<ChildProgram>,
}

impl WaitingInput {
    fn new(name: OsString) -> Self {
        Self {
            name,
            file: None,
            senders: None,
            program: None,
        }
    }
}

/// An input that is read, and how much of all was.
struct CountedRead<R> {
    file: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for CountedRead<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(octets)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// What a program writes, and at its end how it ended.
struct ProgramRead<R> {
    from: R,
    program: Option<ChildProgram>,
    stop: Option<Stop>,
}

impl<R: Read> Read for ProgramRead<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let is_stopped = |stop: &Option<Stop>| stop.as_ref().is_some_and(Stop::is_asked);
        if is_stopped(&self.stop)
            && let Some(program) = &mut self.program
        {
            program.ask_to_end();
        }
        let n = self.from.read(octets)?;
        if n == 0
            && !octets.is_empty()
            && let Some(mut program) = self.program.take()
        {
            let stopped = is_stopped(&self.stop);
            if stopped {
                program.ask_to_end();
            }
            program.end(stopped)?;
        }
        Ok(n)
    }
}

/// Several inputs in order, as one capture: connections go on across rotated files, frames and interfaces are counted
/// on. Each input is opened when the one before has ended, whatever [`recognise`](Self::recognise) has seen of it.
pub struct Inputs {
    waiting: VecDeque<WaitingInput>,
    reader: Option<Reader<InputSource>>,
    totals: Totals,
    stop: Option<Stop>,
    /// The input that is being read is a regular file: it is never silent, and its end is not waited for.
    is_file: bool,
    /// They were sorted by their first packets.
    sorted: bool,
    /// Octets that were read of all of them, as they are stored.
    read: Arc<AtomicU64>,
    /// How many have been opened to be read.
    opened: usize,
    /// Named, and not read to the end.
    left_out: Vec<String>,
    /// Threads that the run may have; None: as many as pay.
    threads: Option<NonZeroUsize>,
    /// What programs say is told only where they fail.
    quiet_programs: bool,
    /// What is read is from one sender, behind whom others may come.
    sender: bool,
    /// It has ended, and the next one is waited for.
    sender_ended: bool,
    /// What was wrong with such.
    broken: Vec<String>,
    /// Several of them are read at a time.
    together: Option<SendersTogether>,
    /// What is known of the first input that was read.
    first: Option<FileHeader>,
}

impl Inputs {
    /// These inputs; the standard input if there are none.
    pub fn new(names: impl IntoIterator<Item = OsString>) -> Self {
        Self::resume(names, Totals::default())
    }

    /// The same, with frames, interfaces and counters going on from an earlier run.
    pub fn resume(names: impl IntoIterator<Item = OsString>, totals: Totals) -> Self {
        let mut waiting: VecDeque<_> = names.into_iter().map(WaitingInput::new).collect();
        if waiting.is_empty() {
            waiting.push_back(WaitingInput::new("-".into()));
        }
        Self {
            waiting,
            reader: None,
            totals,
            stop: None,
            is_file: false,
            sorted: false,
            read: Arc::default(),
            opened: 0,
            left_out: Vec::new(),
            threads: NonZeroUsize::new(1),
            quiet_programs: false,
            sender: false,
            sender_ended: false,
            broken: Vec::new(),
            together: None,
            first: None,
        }
    }

    /// Once `stop` is wished for, ends a regular file at once and any other input after a second of silence.
    #[must_use]
    pub fn stopped_by(mut self, stop: Stop) -> Self {
        self.stop = Some(stop);
        self
    }

    /// With two threads or more, compressed files are decompressed beside the run; None: the larger ones, where the machine runs two
    /// threads at once. Without this call: one.
    #[must_use]
    pub const fn with_threads(mut self, threads: Option<NonZeroUsize>) -> Self {
        self.threads = threads;
        self
    }

    /// What the programs of inputs write to stderr is told only where they fail.
    #[must_use]
    pub const fn with_quiet_programs(mut self, quiet: bool) -> Self {
        self.quiet_programs = quiet;
        self
    }

    /// Looks at the beginning of every file, before anything is read; opens pipes and devices. Only a pipe's content is
    /// not known then. With `sort`, files are put in the order of their first packets, those without packets last.
    ///
    /// # Errors
    /// All of them: [`Error::Open`], [`Error::Read`], [`Error::Empty`], [`Error::Foreign`], [`Error::CutHeader`], and
    /// [`Error::Unsortable`].
    pub fn recognise(&mut self, sort: bool) -> Result<(), Vec<Error>> {
        let (mut errors, mut seen) = (Vec::new(), Vec::new());
        for mut input in std::mem::take(&mut self.waiting) {
            match self.look(&mut input, sort) {
                Ok(time) => seen.push((time, input)),
                Err(e) => errors.push(e),
            }
        }
        self.sorted = sort;
        if sort {
            seen.sort_by_key(|(time, _)| (time.is_none(), *time));
        }
        self.waiting
            .extend(seen.into_iter().map(|(_, input)| input));
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Looks at one input. The time of its first packet, if that is wanted and there is one.
    fn look(
        &self,
        input: &mut WaitingInput,
        first_packet: bool,
    ) -> Result<Option<Timestamp>, Error> {
        let name = shown(&input.name);
        let path = path(&input.name);
        let failed = |source| Error::Open {
            file: name.clone(),
            source,
        };
        if let Some((row, rest)) = scheme(&input.name) {
            let socket = NamedSocket::new(row, rest).map_err(|e| failed(io::Error::other(e)))?;
            input.senders = socket.senders().map_err(failed)?;
            if input.senders.is_none() {
                input.file = Some(socket.name.connect().map_err(failed)?.into());
            }
        } else if let Some(command) = command(&input.name) {
            let words = child::words(command).map_err(|e| failed(io::Error::other(e)))?;
            let (program, file) =
                ChildProgram::writer(&words, self.quiet_programs).map_err(failed)?;
            (input.program, input.file) = (Some(program), Some(file));
        } else if path != "-" {
            let found = std::fs::metadata(path).map_err(failed)?;
            let file = open(path, self.stop.is_some()).map_err(failed)?;
            if found.is_file() || found.is_dir() {
                return look_into(&name, file, found.len(), first_packet);
            }
            input.file = Some(file);
        }
        if first_packet {
            return Err(Error::Unsortable { file: name });
        }
        Ok(None)
    }

    /// Gives the key logs of TLS that pcapng files hold to `found`, all of them before anything is read: they may stand behind the packets
    /// they are for. Of inputs that cannot be read twice there are none.
    ///
    /// Each such file is read once for that, block header by block header; a compressed one is decompressed once more.
    pub fn key_logs(&self, found: &mut dyn FnMut(&[u8])) {
        for input in &self.waiting {
            let path = path(&input.name);
            let is_file = path == "-" || std::fs::metadata(path).is_ok_and(|found| found.is_file());
            if input.file.is_some() || !is_file {
                continue;
            }
            // What cannot be read is told when it is read for its packets.
            let _ = open(path, false).and_then(|mut file| {
                if !file.metadata()?.is_file() {
                    return Ok(());
                }
                let from = file.stream_position()?;
                secrets::key_logs(&file, from, found)
            });
        }
    }

    /// Reads on until it is certain what the first input is; false if there is nothing to be read. Packets wait. `look_up` is called
    /// behind each read, also where a bell has ended it.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    ///
    /// An input whose senders come one after the other is not waited for.
    pub fn begin(&mut self, look_up: &mut dyn FnMut(&InputCounters)) -> Result<bool, Error> {
        if self.waiting.front().is_some_and(|i| i.senders.is_some()) {
            return Ok(true);
        }
        while !self.reader.as_ref().is_some_and(Reader::is_recognised) {
            if !self.fill()? {
                return Ok(false);
            }
            look_up(&self.totals().counters);
        }
        Ok(true)
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

    /// The next packet, with all that was read until then: interfaces, blocks, comments.
    ///
    /// # Errors
    /// As [`Reader::next`].
    #[inline]
    pub fn next_with_totals(&mut self) -> Result<Option<(Packet<'_>, &Totals)>, Error> {
        match &mut self.reader {
            Some(reader) => match reader.next_with_totals() {
                Err(e) if self.sender => {
                    self.broken.push(e.to_string());
                    Ok(None)
                }
                done => done,
            },
            None => Ok(None),
        }
    }

    /// As [`Reader::next_plain`].
    #[inline(always)] // on every packet's way
    pub fn next_plain(&mut self) -> Option<Packet<'_>> {
        self.reader.as_mut()?.next_plain()
    }

    /// Reads once, which may block; false at the end of the last input.
    ///
    /// # Errors
    /// As [`Reader::fill`], and [`Error::Open`].
    pub fn fill(&mut self) -> Result<bool, Error> {
        if self.together.is_some() {
            return self.fill_together();
        }
        loop {
            let asked = self.is_stopped();
            if let Some(reader) = &mut self.reader {
                let over = asked && self.is_file || self.sender_ended;
                if !over {
                    match reader.fill() {
                        Ok(false) if !self.sender => {}
                        // What one sender does is no end for the others. What was wrong with it is told before the next one is waited for.
                        Ok(false) => {
                            self.sender_ended = true;
                            reader.let_go();
                            return Ok(true);
                        }
                        Err(e) if self.sender => {
                            self.sender_ended = true;
                            reader.let_go();
                            self.broken.push(e.to_string());
                            return Ok(true);
                        }
                        // Ctrl-C reaches the whole pipe: the writer has gone before it has written anything, or in the middle of the
                        // header, which is told.
                        Err(e @ (Error::Empty { .. } | Error::CutHeader { .. }))
                            if !self.is_file && self.is_stopped() =>
                        {
                            if matches!(e, Error::CutHeader { .. }) {
                                self.broken.push(e.to_string());
                            }
                            self.leave_out();
                            return Ok(false);
                        }
                        done => return done,
                    }
                }
                if asked {
                    self.leave_out();
                }
            }
            let Some(mut next) = self.waiting.pop_front() else {
                return Ok(false);
            };
            let mut file = shown(&next.name);
            self.sender = next.senders.is_some();
            if let Some(Senders::Come(listener, most @ 2..)) = next.senders {
                self.together = Some(SendersTogether::new(file, listener, most));
                self.opened += 1;
                self.is_file = false;
                return self.fill_together();
            }
            if let Some(mut senders) = next.senders.take() {
                let came = senders.next(self.stop.as_ref());
                let name = next.name.clone();
                self.waiting.push_front(WaitingInput {
                    senders: Some(senders),
                    ..WaitingInput::new(name)
                });
                match came {
                    Ok(Some((sender, from))) => {
                        self.sender_ended = false;
                        file = format!("{file} (from {from})");
                        next.file = Some(sender.into());
                    }
                    Err(e) if is_woken(&e) => return Ok(true),
                    Ok(None) => {
                        self.waiting.clear();
                        return Ok(false);
                    }
                    Err(source) => {
                        self.waiting.clear();
                        return Err(Error::Open { file, source });
                    }
                }
            }
            let (source, size) = match self.source(next) {
                Ok(opened) => opened,
                Err(source) => {
                    // Nothing is read after an error.
                    self.waiting.clear();
                    return Err(Error::Open { file, source });
                }
            };
            let reader = match &mut self.reader {
                Some(reader) => {
                    reader.chain(file, source);
                    reader
                }
                reader => {
                    let totals = std::mem::take(&mut self.totals);
                    reader.insert(Reader::resume(file, source, totals))
                }
            };
            if self.is_file && two_threads_pay(self.threads, size) {
                reader.decompress_ahead();
            }
        }
    }

    /// The run was asked to stop: nothing more is read. Notes what there would have been.
    fn leave_out(&mut self) {
        // At its end already, a file is not cut by this.
        let rest = self.is_file && !self.sender && {
            let reader = self.reader.as_mut();
            reader.is_some_and(|reader| matches!(reader.fill(), Ok(true)))
        };
        let file = self.name().map(str::to_owned);
        self.left_out.extend(file.filter(|_| rest));
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let waiting = waiting.filter(|input| input.senders.is_none());
        self.left_out.extend(waiting.map(|i| shown(&i.name)));
    }

    /// Inputs that were named and not read to their end, because the run was asked to stop: the first of them in part, where it is
    /// [the one that was read](Self::name).
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Reads once, from one of several senders.
    fn fill_together(&mut self) -> Result<bool, Error> {
        let Some(together) = &mut self.together else {
            return Ok(false);
        };
        let totals = &mut self.totals;
        let reader = self.reader.get_or_insert_with(|| {
            // One that has nothing to read, and ends at once.
            let mut none = Reader::new(together.name(), Box::new(io::empty()) as InputSource);
            let _ = none.fill();
            *none.totals_mut() = std::mem::take(totals);
            none
        });
        let read = &self.read;
        let mut counted = |file| {
            let read = Arc::clone(read);
            Box::new(CountedRead { file, read }) as InputSource
        };
        let more = together.fill(self.stop.as_ref(), reader, &mut counted);
        self.broken.extend(together.take_broken());
        self.first = self.first.or_else(|| reader.header());
        let more = more.map_err(|source| Error::Open {
            file: together.name().to_owned(),
            source,
        });
        match &more {
            Ok(true) => return more,
            Ok(false) => self.leave_out(),
            Err(_) => self.waiting.clear(),
        }
        self.together = None;
        more
    }

    /// Where inputs listen, a line each.
    pub fn listening(&self) -> Vec<String> {
        let listens = |input: &WaitingInput| {
            let at = input.senders.as_ref()?.place()?;
            Some(format!("{}: listens on {at}", shown(&input.name)))
        };
        self.waiting.iter().filter_map(listens).collect()
    }

    /// What was wrong with senders since the last call; those behind them are read all the same.
    pub fn take_broken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.broken)
    }

    /// The run was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_asked)
    }

    /// Octets that were read of all inputs until now, as they are stored: compressed ones before they are decompressed.
    pub fn octets_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many have been opened to be read; the last of them is [`name`](Self::name).
    pub const fn opened(&self) -> usize {
        self.opened
    }

    /// The next [`Inputs::fill`] may wait for somebody: the input is no regular file.
    pub const fn may_wait(&self) -> bool {
        !self.is_file
    }

    /// Opens the next input to be read. Also its octets, where it is a file.
    fn source(&mut self, next: WaitingInput) -> io::Result<(InputSource, u64)> {
        let file = match next.file {
            Some(file) => file,
            None => open(path(&next.name), self.stop.is_some())?,
        };
        self.opened += 1;
        let found = file.metadata()?;
        self.is_file = found.is_file();
        let read = Arc::clone(&self.read);
        let source: InputSource = match &self.stop {
            Some(stop) if !self.is_file => {
                let file = Stoppable::new(file, stop.clone());
                let from = CountedRead { file, read };
                match next.program {
                    Some(program) => Box::new(ProgramRead {
                        from,
                        program: Some(program),
                        stop: Some(stop.clone()),
                    }),
                    None => Box::new(from),
                }
            }
            None if next.program.is_some() => Box::new(ProgramRead {
                from: CountedRead { file, read },
                program: next.program,
                stop: None,
            }),
            _ => Box::new(CountedRead { file, read }),
        };
        Ok((source, found.len()))
    }

    /// The format of the input that is being read, and what it is compressed with.
    pub fn format(&self) -> Option<(&'static str, Option<&'static str>)> {
        let reader = self.reader.as_ref()?;
        Some((reader.format()?, reader.compression()))
    }

    /// The name of the input that is being read; of one sender among several.
    pub fn name(&self) -> Option<&str> {
        self.reader.as_ref().map(Reader::name)
    }

    /// The name of the input that was opened last.
    pub fn opened_name(&self) -> Option<&str> {
        let together = self.together.as_ref().map(SendersTogether::name);
        together.or_else(|| self.name())
    }

    /// As [`Reader::header`].
    pub fn header(&self) -> Option<FileHeader> {
        let own = || self.reader.as_ref().and_then(Reader::header);
        self.first.or_else(own)
    }

    /// The input that is read has not been told of, and its format is known: it is told of now. Name, format, and what it is compressed
    /// with.
    pub fn untold(&mut self) -> Option<(&str, &'static str, Option<&'static str>)> {
        let reader = self.reader.as_mut()?;
        if !reader.is_untold() {
            return None;
        }
        Some((reader.name(), reader.format()?, reader.compression()))
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
        let reader = self.reader.as_mut();
        let mut warnings = reader.map_or_else(Vec::new, Reader::take_warnings);
        for warning in &mut warnings {
            if let Warning::WrongOrder { sorted, .. } = warning {
                *sorted = self.sorted;
            }
        }
        warnings
    }
}

/// Looks at a file of `len` octets. The time of its first packet, if that is wanted and there is one.
fn look_into(
    name: &str,
    file: File,
    len: u64,
    first_packet: bool,
) -> Result<Option<Timestamp>, Error> {
    let most = if first_packet { u64::MAX } else { LOOK };
    let mut reader = Reader::new(name, file.take(most));
    loop {
        if reader.is_recognised() {
            let packet = if first_packet {
                reader.next()
            } else {
                return Ok(None);
            };
            match packet {
                Ok(Some(packet)) => return Ok(Some(packet.time)),
                Ok(None) => {}
                // That is told, as is what stands before it, when it is read.
                Err(_) => return Ok(None),
            }
        }
        let more = reader.fill();
        match more {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            // Its end is that of the look.
            Err(Error::CutHeader { .. }) if len > most => return Ok(None),
            // That is told, as is what stands before it, when it is read.
            Err(Error::Damaged { .. }) if reader.is_recognised() => return Ok(None),
            Err(e) => return Err(e),
        }
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
        // The same capture again: it is cut short, and then begins anew.
        assert_eq!(inputs.take_warnings().len(), 2);
        assert_eq!(inputs.totals().counters.cut_short, 1);
    }
}
