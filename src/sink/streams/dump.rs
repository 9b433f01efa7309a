//! The output of stream files.

use super::failures::Failures;
use super::file::{StreamFile, StreamKey, options};
use super::open::{OpenFiles, most_open};
use super::stream::{DumpedStream, DumpedStreams};
use super::template::{Template, below, index_of};
use crate::base::context::Context;
use crate::base::counters::ChannelCounters;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{AgedPlace, tree};
use crate::base::stream::{Chunk, Close, Gap};
use crate::base::time::Timestamp;
use crate::message::MessageSink;
use crate::message::events::DatagramMessage;
use crate::sink::mark::FileMark;
use crate::sink::output::{Output, kept, take_kept};
use crate::sink::saved::{StateError, StateReader, StateWriter};
use crate::sink::text::gap_cause;
use crate::sink::writer::{OutputError, make_folder, wall_clock};
use crate::transport::datagram::{DatagramContext, EndedFlow};
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Descriptors that are left to the rest of the program where the system has no more.
// Enough for inputs, log and a folder that is being looked at.
const SPARE: usize = 8;

/// Names that were used more than once, and streams of UDP and SCTP, that are remembered: 24 and 88 MiB at most, and about as much again
/// where another run goes on with them.
// Past it a name is looked for from the beginning, and a closed UDP file gets a successor; no octet
// is lost by that.
const NAMES: usize = 1 << 20;

/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;

/// EMFILE and ENFILE: too many open files, in the process or the system.
const TOO_MANY: [i32; 2] = [24, 23];

/// How the file of a stream that keeps nothing itself is called: the `count`th of its name, with this time of the first octet.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct AppendedName {
    count: u32,
    first: Timestamp,
}

/// What was put into such a file, and when the last of it was captured.
type AppendedMark = (FileMark, Timestamp);

/// The output of stream files.
pub(crate) struct Dump {
    dir: PathBuf,
    template: Template,
    open: OpenFiles,
    /// Files that may be open.
    pub(super) most: usize,
    /// How often a name was used, by its fingerprint.
    counts: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// Streams of flows of UDP, and of associations, that have not ended.
    appended: BTreeMap<StreamKey, AppendedName>,
    /// Of these, what their files are like, where another run goes on with them.
    marks: BTreeMap<StreamKey, AppendedMark>,
    /// Octets of all files, and of the lists of their gaps.
    written: u64,
    opened: Timestamp,
    failures: Failures,
    /// Another run goes on with the files, or an earlier one has begun them: it is noted what they are like.
    goes_on: bool,
    /// Files that were changed by others.
    notes: Vec<String>,
}

impl Dump {
    /// Makes the folder.
    pub(crate) fn new(dir: &Path, template: Template) -> Result<Self, OutputError> {
        make_folder(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            template,
            open: OpenFiles::default(),
            most: most_open(),
            counts: HashMap::default(),
            appended: BTreeMap::new(),
            marks: BTreeMap::new(),
            written: 0,
            opened: wall_clock(),
            failures: Failures::default(),
            goes_on: false,
            notes: Vec::new(),
        })
    }

    /// A state is kept, or gone on with.
    pub(crate) const fn goes_on(&mut self) {
        self.goes_on = true;
    }

    pub(crate) fn flush(&mut self) -> Result<(), OutputError> {
        // Every file, before the program waits: somebody may be reading them.
        self.open.write(&mut self.failures);
        self.failures.take()
    }

    /// Closes all files.
    pub(crate) fn finish(&mut self) -> Result<(), OutputError> {
        self.open.close_all(&mut self.failures);
        self.failures.end()
    }

    pub(crate) fn data(&mut self, at: &mut StreamContext<'_, DumpedStreams>, chunk: &Chunk<'_>) {
        if chunk.data.is_empty() {
            return;
        }
        let (flow, direction) = (at.flow, at.direction);
        let offset = chunk.offset.saturating_sub(at.side().origin);
        let stream = &mut at.state[direction.index()];
        stream.id = layer(flow);
        // Octets that were missing before the file existed; they become the first line of its
        // index.
        let early = stream.early.take();
        stream.last = stream.last.max(chunk.time);
        let begins = !stream.made;
        if begins {
            stream.first = chunk.time;
        }
        let place = self.place(at.cx, flow, direction, stream, Some(0));
        if self.goes_on {
            stream.mark.put(offset, chunk.data);
        } else {
            let end = offset.saturating_add(chunk.data.len() as u64);
            stream.mark.reach(end);
        }
        let last = stream.last;
        let Some((place, key)) = place else {
            return;
        };
        if let Some(file) = self.open.get_mut(place) {
            file.last = last;
        }
        self.written += chunk.data.len() as u64;
        let budget = &mut at.cx.budget;
        let failures = &mut self.failures;
        self.open
            .put(place, key, Some(offset), chunk.data, budget, failures);
        if let Some((len, cause)) = early {
            let stream = &mut at.state[direction.index()];
            self.index(flow, direction, stream, 0, len, gap_cause(cause));
        }
    }

    pub(crate) fn gap(&mut self, at: &mut StreamContext<'_, DumpedStreams>, gap: &Gap) {
        let offset = gap.offset.saturating_sub(at.side().origin);
        let stream = &mut at.state[at.direction.index()];
        if stream.made {
            let cause = gap_cause(gap.cause);
            self.index(at.flow, at.direction, stream, offset, gap.len, cause);
        } else {
            // A file of a hole alone would be worth nothing, and a scan would make thousands.
            // There is no file, and need not be one.
            let (had, cause) = stream.early.unwrap_or((Some(0), gap.cause));
            let len = had.zip(gap.len).map(|(had, len)| had.saturating_add(len));
            stream.early = Some((len, cause));
        }
    }

    /// Adds a line to the index of a stream's gaps.
    fn index(
        &mut self,
        flow: &Flow,
        direction: Direction,
        stream: &mut DumpedStream,
        offset: u64,
        len: Option<u64>,
        cause: &str,
    ) {
        let path = index_of(&self.path(flow, direction, stream));
        let line = match len {
            Some(len) => format!("{offset} {len} {cause}\n"),
            None => format!("{offset} unknown {cause}\n"),
        };
        let done = self
            .open_index(&path, &mut stream.index_end)
            .and_then(|file| file.write_all_at(line.as_bytes(), stream.index_end));
        stream.index_end += line.len() as u64;
        self.written += line.len() as u64;
        if let Err(e) = done {
            self.failures.add(&path, "write", e);
        }
    }

    /// Opens the index of a stream's gaps, of which so many octets were written until now.
    fn open_index(&mut self, path: &Path, end: &mut u64) -> io::Result<File> {
        let mut options = options();
        options.write(true);
        if *end > 0 {
            match self.open_file(path, &options) {
                Ok(file) => {
                    let len = file.metadata()?.len();
                    if len > *end {
                        // By a run that was killed: its lines come again.
                        file.set_len(*end)?;
                    }
                    *end = len.min(*end);
                    return Ok(file);
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => *end = 0,
                Err(e) => return Err(e),
            }
            self.notes.push(format!(
                "{}: is not there any more: it begins anew, with the gaps from here on",
                path.display()
            ));
        }
        // The index is made new with its stream's file, which asked for a free name: an old index must not be continued.
        self.open_file(path, options.create_new(true))
    }

    /// The stream has ended: its file is closed.
    pub(crate) fn end(&mut self, cx: &mut Context, flow: &Flow, direction: Direction) {
        let key = (flow.transport, flow.number, direction, layer(flow));
        // At the end of the stream its descriptor is of more use to another.
        self.open.close(&key, &mut self.failures);
        self.open.count(&mut cx.budget);
    }

    /// Appends a user message to the file of its direction and stream.
    pub(crate) fn user_message(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        message: &UserMessage<'_>,
    ) {
        self.append(cx, flow, message.direction, message.stream, message.data);
    }

    /// The association has ended: its files are closed.
    pub(crate) fn association_end(&mut self, cx: &mut Context, flow: &Flow) {
        self.open.close_association(flow.number, &mut self.failures);
        self.open.count(&mut cx.budget);
    }

    /// Appends a datagram to the file of its direction.
    pub(crate) fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8]) {
        self.append(at.cx, at.flow, at.direction, 0, payload);
    }

    /// Appends octets to the file of a direction, and of a stream in it.
    pub(super) fn append(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        id: u16,
        payload: &[u8],
    ) {
        if payload.is_empty() {
            return;
        }
        let key = (flow.transport, flow.number, direction, id);
        let time = cx.packet.time;
        // Looked up first: nearly every datagram finds its file open.
        let place = self.open.find(&key);
        let place = place.or_else(|| self.place_of_appended(cx, flow, direction, id));
        let Some(place) = place else {
            return;
        };
        if let Some(file) = self.open.get_mut(place) {
            file.last = file.last.max(time);
        }
        self.written += payload.len() as u64;
        if let Some((mark, last)) = self.marks.get_mut(&key) {
            mark.put(mark.len(), payload);
            *last = time.max(*last);
        }
        // Datagrams have no offsets: they go to the end.
        let (budget, failures) = (&mut cx.budget, &mut self.failures);
        self.open.put(place, key, None, payload, budget, failures);
    }

    /// Datagrams and user messages keep nothing, so that what their file is called stands here.
    fn place_of_appended(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        id: u16,
    ) -> Option<AgedPlace> {
        let key = (flow.transport, flow.number, direction, id);
        let known = self.appended.get(&key).copied();
        let time = cx.packet.time;
        let (mark, last) = self.marks.get(&key).copied().unwrap_or_default();
        let mut stream = DumpedStream {
            id,
            made: known.is_some(),
            count: known.map_or(0, |n| n.count),
            first: known.map_or(time, |n| n.first),
            last: time.max(last),
            mark,
            ..DumpedStream::default()
        };
        let (place, _) = self.place(cx, flow, direction, &mut stream, None)?;
        // A stream that is not remembered gets another file when its first one was closed.
        // Their number is bounded, as scans of UDP make a flow for each packet.
        if known.is_some() || self.appended.len() < NAMES {
            let before = self.names();
            let (count, first) = (stream.count, stream.first);
            self.appended.insert(key, AppendedName { count, first });
            if self.goes_on {
                self.marks.insert(key, (stream.mark, stream.last));
            }
            cx.budget.resize(before, self.names());
        }
        Some(place)
    }

    /// The flow has ended: its number does not come again.
    fn flow_end(&mut self, cx: &mut Context, flow: &Flow) {
        let (transport, number) = (flow.transport, flow.number);
        let before = self.names();
        let first = (transport, number, Direction::Forward, 0);
        let last = (transport, number, Direction::Reverse, u16::MAX);
        while let Some((&key, _)) = self.appended.range(first..=last).next() {
            self.appended.remove(&key);
            self.marks.remove(&key);
            self.open.close(&key, &mut self.failures);
        }
        cx.budget.resize(before, self.names());
        self.open.count(&mut cx.budget);
    }

    /// Octets that are allocated for names.
    fn names(&self) -> usize {
        let appended = tree::<StreamKey, AppendedName>(self.appended.len());
        let marks = tree::<StreamKey, AppendedMark>(self.marks.len());
        self.counts.allocation_size() + appended + marks
    }

    fn remember(&mut self, cx: &mut Context, print: u64, count: u32) {
        let before = self.counts.allocation_size();
        self.counts.insert(print, count);
        cx.budget.resize(before, self.counts.allocation_size());
    }

    /// Closes files until one more may be open.
    fn make_room(&mut self) {
        while self.open.len() >= self.most && self.open.close_oldest(&mut self.failures) {}
    }

    /// The place of a stream's open file; opens it where it is not, and makes it where it was never made. `at`: where octets go that
    /// are put into a file that is opened, `None` for its end.
    fn place(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        stream: &mut DumpedStream,
        at: Option<u64>,
    ) -> Option<(AgedPlace, StreamKey)> {
        let key = (flow.transport, flow.number, direction, stream.id);
        if let Some(place) = self.open.find(&key) {
            return Some((place, key));
        }
        // Before opening: the limit is of descriptors in use.
        self.make_room();
        let mut changed = None;
        let opened = if stream.made {
            let path = self.path(flow, direction, stream);
            match self.open_again(&path, stream) {
                Ok(Ok(file)) => Ok((file, path)),
                Ok(Err(wrong)) => {
                    changed = Some(stream.mark.len());
                    self.begin_anew(&path, wrong, stream);
                    self.make(cx, flow, direction, stream)
                }
                Err(e) => Err((path, e)),
            }
        } else {
            self.make(cx, flow, direction, stream)
        };
        match opened {
            Ok((file, path)) => {
                let file = StreamFile::new(file, path, at, stream.last);
                let place = self.open.insert(key, file);
                // The index says so too. Datagrams have no offsets.
                if let Some(had) = changed.filter(|had| at.is_some() && *had > 0) {
                    self.index(flow, direction, stream, 0, Some(had), "changed");
                }
                Some((place, key))
            }
            Err((path, e)) => {
                self.failures.add(&path, "open", e);
                None
            }
        }
    }

    /// Opens a file that was made. What is wrong with it, where it is not as it was left.
    fn open_again(
        &mut self,
        path: &Path,
        stream: &DumpedStream,
    ) -> io::Result<Result<File, &'static str>> {
        let mut options = options();
        let file = match self.open_file(path, options.read(true).write(true)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Err("is not there any more"));
            }
            Err(e) => match e.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::LOOP | Errno::ISDIR) => return Ok(Err("is another thing")),
                _ => return Err(e),
            },
        };
        let fits = if self.goes_on {
            let last = stream.last.as_nanos();
            let nanos = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            let left = (nanos(last / NANOS), nanos(last % NANOS));
            stream.mark.fits(&file, left)?
        } else {
            let found = file.metadata()?;
            found.is_file() && found.len() >= stream.mark.len()
        };
        Ok(if fits {
            Ok(file)
        } else {
            Err("is not as it was left")
        })
    }

    /// The file of a stream is somebody else's now, and stays as it is: what follows goes to another one.
    fn begin_anew(&mut self, path: &Path, wrong: &str, stream: &mut DumpedStream) {
        let had = stream.mark.len();
        let lacks = match had {
            0 => "what was before".to_owned(),
            had => format!("the {had} bytes before"),
        };
        self.notes.push(format!(
            "{}: {wrong}: it stays as it is, and what follows goes to another file, which lacks {lacks}",
            path.display()
        ));
        stream.made = false;
        stream.mark = FileMark::default();
        stream.index_end = 0;
    }

    /// Lines for stderr since the last call.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Where the file of a stream is that was made.
    fn path(&self, flow: &Flow, direction: Direction, stream: &DumpedStream) -> PathBuf {
        let name = self.template.name(flow, direction, stream, stream.count);
        self.dir.join(below(&name))
    }

    /// Makes a file under the first name that is free, as tcpflow does.
    fn make(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        stream: &mut DumpedStream,
    ) -> Result<(File, PathBuf), (PathBuf, io::Error)> {
        let plain = self.template.name(flow, direction, stream, 0);
        // Where a name was taken before, the search goes on from there: ports can be used again very often.
        let print = FixedState::default().hash_one(&plain);
        let from = self.counts.get(&print).map_or(0, |c| c.saturating_add(1));
        let mut options = options();
        // `create_new`: what is there already is another program's or another run's and is never
        // written to.
        options.write(true).create_new(true);
        for count in from..=u32::MAX {
            let relative = match count {
                0 => below(&plain),
                _ => below(&self.template.name(flow, direction, stream, count)),
            };
            let path = self.dir.join(&relative);
            if let Err(e) = self.make_folders(&relative) {
                return Err((path, e));
            }
            // Its index must find its name free, too.
            // A symbolic link counts as taken, wherever it leads.
            if flow.transport == Transport::Tcp && fs::symlink_metadata(index_of(&path)).is_ok() {
                continue;
            }
            match self.open_file(&path, &options) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err((path, e)),
                Ok(file) => {
                    stream.made = true;
                    stream.count = count;
                    cx.counters.output.streams += 1;
                    // Only repeated names are kept: most are used once.
                    if count > 0 && (self.counts.len() < NAMES || self.counts.contains_key(&print))
                    {
                        self.remember(cx, print, count);
                    }
                    return Ok((file, path));
                }
            }
        }
        Err((self.dir.join(plain), io::ErrorKind::AlreadyExists.into()))
    }

    /// Makes the folders that a file stands in. What is there already has to be a folder, and no link to one.
    fn make_folders(&self, relative: &Path) -> io::Result<()> {
        let mut folder = self.dir.clone();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            folder.push(part);
            match fs::create_dir(&folder) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    // A link there would lead out of the folder.
                    if !fs::symlink_metadata(&folder)?.is_dir() {
                        return Err(io::Error::new(
                            io::ErrorKind::NotADirectory,
                            format!("{} is no folder: choose another name", folder.display()),
                        ));
                    }
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// Opens a file; where the system has no more descriptors, closes others and keeps fewer open from then on.
    fn open_file(&mut self, path: &Path, options: &OpenOptions) -> io::Result<File> {
        loop {
            match options.open(path) {
                Err(e)
                    if e.raw_os_error().is_some_and(|n| TOO_MANY.contains(&n))
                        && self.open.len() > 0 =>
                {
                    // Eight fewer than it was possible to open, so that this does not happen again
                    // with the next one.
                    self.most = self.open.len().saturating_sub(SPARE).max(1);
                    self.make_room();
                }
                done => return done,
            }
        }
    }
}

/// What is kept with a connection; counted where there is one.
fn streams<'a>(
    at: &'a mut StreamContext<'_, Option<Box<DumpedStreams>>>,
) -> StreamContext<'a, DumpedStreams> {
    kept(at.cx, at.state);
    at.with(|s| &mut **s.get_or_insert_default())
}

/// What stands in the place of an SCTP stream identifier: a connection may hold a decrypted stream beside its own.
fn layer(flow: &Flow) -> u16 {
    flow.decrypted.is_some().into()
}

impl MessageSink for Dump {
    type State = Option<Box<DumpedStreams>>;

    fn input_end(&mut self, cx: &mut Context) {
        self.open.close_all(&mut self.failures);
        self.open.uncount(&mut cx.budget);
        // Their names are not asked for again.
        cx.budget.give(self.names());
        (self.counts, self.appended) = (HashMap::default(), BTreeMap::new());
        self.marks = BTreeMap::new();
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        Self::datagram(self, at, message.payload);
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, Self::State>,
        message: &UserMessage<'_>,
        _: &'static str,
    ) {
        Self::user_message(self, at.cx, at.flow, message);
    }

    fn association_end(&mut self, at: &mut AssociationContext<'_, Self::State>, _: Close) {
        Self::association_end(self, at.cx, at.flow);
    }

    fn flow_end(&mut self, cx: &mut Context, ended: &EndedFlow<'_>) {
        // Of TCP nothing stands here, and the files have been closed.
        if ended.flow.transport != Transport::Tcp {
            Self::flow_end(self, cx, ended.flow);
        }
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, Self::State>, chunk: &Chunk<'_>) {
        Self::data(self, &mut streams(at), chunk);
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &Gap) {
        Self::gap(self, &mut streams(at), gap);
    }

    fn stream_end(&mut self, at: &mut StreamContext<'_, Self::State>, _: Close) {
        Self::end(self, at.cx, at.flow, at.direction);
    }

    fn closed(&mut self, at: &mut StreamContext<'_, Self::State>, _: Close) {
        take_kept(at.cx, at.state);
    }
}

impl Output for Dump {
    fn channels(&self, all: &mut Vec<ChannelCounters>) {
        all.push(ChannelCounters {
            name: self.dir.display().to_string(),
            octets: self.written,
            opened: self.opened,
            ..ChannelCounters::default()
        });
    }

    fn settle(&mut self, cx: &mut Context) {
        self.open.close_all(&mut self.failures);
        self.open.uncount(&mut cx.budget);
    }

    fn save(&self, to: &mut StateWriter) {
        to.put(&(self.names(), &self.counts, &self.appended, &self.marks));
    }

    fn load(&mut self, cx: &mut Context, from: &mut StateReader) -> Result<(), StateError> {
        let counted: usize;
        (counted, self.counts, self.appended, self.marks) = from.get()?;
        cx.budget.resize(counted, self.names());
        Ok(())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        Self::flush(self).map(ControlFlow::Continue)
    }

    fn finish(&mut self) -> Result<(), OutputError> {
        Self::finish(self)
    }
}
