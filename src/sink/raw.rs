//! `--dump`: a file for each stream, with its octets at their offsets.
//!
//! Names are tcpflow's: `010.000.000.001.40000-010.000.000.002.00080`, and `c1`, `c2` behind it where a file of that name
//! is there already. A gap is a hole in the file, and stands in an index beside it (`NAME.gaps`: offset, length and cause,
//! a line each). Streams of UDP and SCTP are called `NAME.udp` and `NAME.sctp`.
//!
//! Files are opened when their first octet comes. As many stay open as the system allows, 256 at most; others are
//! closed and opened again at their offset. What a connection keeps is how its file is called, not the file.
//!
//! A file is made only where nothing has its name, neither a file nor a symbolic link, and none has the name of its index;
//! so what was in the folder stays as it was, and no two streams share a file. No symbolic link below the folder is followed.

use super::events::Output;
use super::output::{Error, Sink, Writer};
use crate::base::connection_rule::ConnectionRule;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::storage::allocated;
use crate::base::stream::{Chunk, Close, Gap, GapCause};
use crate::base::time::Timestamp;
use crate::message::sink::DatagramMessage;
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

/// How tcpflow names files.
pub const DEFAULT_TEMPLATE: &str = "%A.%a-%B.%b%V%v%C%c";
/// Files that are open at once.
const OPEN: usize = 256;
/// Descriptors that are left to the rest of the program where the system has no more.
const SPARE: usize = 8;
/// Octets that wait for one file.
const BUFFER: usize = 32 << 10;
/// Names that were used more than once, and streams of UDP and SCTP, that are remembered: 24 and 88 MiB at most.
const NAMES: usize = 1 << 20;
/// EMFILE and ENFILE: too many open files, in the process or the system.
const TOO_MANY: [i32; 2] = [24, 23];

/// How files are named; made from text with %-codes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template(String);

impl Default for Template {
    fn default() -> Self {
        Self(DEFAULT_TEMPLATE.to_owned())
    }
}

impl Template {
    /// Takes tcpflow's codes: `%A %a %B %b` source and destination, address and port, `%E %e` their link addresses,
    /// `%V %v` VLAN with two dashes before it, `%T %t` time of the first octet, `%C %c` the file's count where others
    /// have its name, `%N %K %M %G` three digits each of the stream's number, `%S` the connection's number in 20 digits,
    /// `%#` as it is shown elsewhere, `%%`. A slash makes a folder.
    ///
    /// # Errors
    ///
    /// What is wrong with the text: a code that is not known, a path that could lead out of the folder.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut counted = false;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c == '%' {
                match rest.next() {
                    Some('c' | '#') => counted = true,
                    Some(
                        'A' | 'a' | 'B' | 'b' | 'E' | 'e' | 'V' | 'v' | 'T' | 't' | 'C' | 'N' | 'K'
                        | 'M' | 'G' | 'S' | '%',
                    ) => {}
                    Some(other) => return Err(format!("%{other} is no code of file names")),
                    None => return Err("a single % at the end: write %%".to_owned()),
                }
            }
        }
        let path = Path::new(text);
        if text.is_empty() || text.ends_with('/') {
            return Err("a file name is missing".to_owned());
        }
        if !path.components().all(|c| matches!(c, Component::Normal(_))) || text.contains('\0') {
            return Err("file names stay in the folder: no .., no / at the beginning".to_owned());
        }
        // Without a count two connections would share a file.
        let count = if counted { "" } else { "%C%c" };
        Ok(Self(format!("{text}{count}")))
    }

    /// The name of a stream's file, the `count`th of its kind.
    fn name(&self, flow: &Flow, direction: Direction, stream: &Stream, count: u32) -> String {
        let first = stream.first;
        let mut out = String::with_capacity(64);
        let (src, dst) = (flow.src(direction), flow.dst(direction));
        let link = &flow.links[direction.index()];
        let outer = link.tags[0];
        // As tcpflow does: of 802.1Q tags only, and with the priority in it.
        let vlan = (outer.tpid == 0x8100).then_some(outer.tci);
        let number = flow
            .number
            .saturating_mul(2)
            .saturating_add(direction.index() as u64);
        let mut rest = self.0.chars();
        // Writing to a string does not fail.
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let _ = match rest.next() {
                Some('A') => address(src.ip(), &mut out),
                Some('a') => write!(out, "{:05}", src.port()),
                Some('B') => address(dst.ip(), &mut out),
                Some('b') => write!(out, "{:05}", dst.port()),
                Some('E') => mac(link.src, &mut out),
                Some('e') => mac(link.dst, &mut out),
                Some('V') if vlan.is_some() => write!(out, "--"),
                Some('v') => vlan.map_or(Ok(()), |v| write!(out, "{v}")),
                Some('T') => iso(first, &mut out),
                Some('t') => write!(out, "{}", first.secs()),
                Some('C') if count > 0 => write!(out, "c"),
                Some('c') if count > 0 => write!(out, "{count}"),
                Some('N') => write!(out, "{:03}", number % 1000),
                Some('K') => write!(out, "{:03}", number / 1000 % 1000),
                Some('M') => write!(out, "{:03}", number / 1_000_000 % 1000),
                Some('G') => write!(out, "{:03}", number / 1_000_000_000 % 1000),
                Some('S') => write!(out, "{:020}", flow.number),
                Some('#') => {
                    let again = if count > 0 {
                        format!("c{count}")
                    } else {
                        String::new()
                    };
                    write!(out, "{}{again}", flow.number)
                }
                Some('%') => write!(out, "%"),
                _ => Ok(()),
            };
        }
        match flow.transport {
            Transport::Tcp => {}
            Transport::Udp => out.push_str(".udp"),
            Transport::Sctp => {
                let _ = write!(out, ".{}.sctp", stream.id);
            }
        }
        out
    }
}

/// IPv4 with three digits for each octet, IPv6 as RFC 5952 writes it.
fn address(addr: IpAddr, out: &mut String) -> fmt::Result {
    match addr {
        IpAddr::V4(a) => {
            let [a, b, c, d] = a.octets();
            write!(out, "{a:03}.{b:03}.{c:03}.{d:03}")
        }
        IpAddr::V6(a) => write!(out, "{a}"),
    }
}

fn mac(addr: [u8; 6], out: &mut String) -> fmt::Result {
    let [a, b, c, d, e, f] = addr;
    write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// `2026-11-21T10:00:00Z`.
fn iso(time: Timestamp, out: &mut String) -> fmt::Result {
    let mut text = String::new();
    super::print::date(time, &mut text);
    let (date, clock) = (text.get(..10), text.get(11..19));
    write!(
        out,
        "{}T{}Z",
        date.unwrap_or_default(),
        clock.unwrap_or_default()
    )
}

/// What is kept of the streams of a connection, by direction.
pub(crate) type Streams = [Stream; 2];

/// What is kept of a stream: how its file is called.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// SCTP stream identifier; 0 elsewhere.
    id: u16,
    /// The file was made; it is the `count`th of its name.
    made: bool,
    count: u32,
    /// When its first and its last octet were captured.
    first: Timestamp,
    last: Timestamp,
    /// Missing octets before the first one: how many, and why.
    early: Option<(u64, GapCause)>,
    /// It has an index of gaps.
    indexed: bool,
}

/// How the file of a stream that keeps nothing itself is called: the `count`th of its name, with this time of the first octet.
#[derive(Clone, Copy)]
struct Named {
    count: u32,
    first: Timestamp,
}

/// Where a file of this name stands below the folder, which it cannot leave. Codes may stand for nothing, as `%v` does
/// without a VLAN: an empty part makes no folder, and an empty last part is called `_`.
fn below(name: &str) -> PathBuf {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let file = if file.is_empty() { "_" } else { file };
    let folders = folders.split('/').filter(|part| !part.is_empty());
    folders
        .chain([file])
        .map(|part| match part {
            "." => "_",
            ".." => "__",
            part => part,
        })
        .collect()
}

/// The name of the index beside a file.
fn index_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gaps");
    name.into()
}

/// To write to a file that is no symbolic link.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // The flag is a small positive number on every system.
    options.custom_flags(i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default());
    options
}

/// Which stream a file belongs to.
type Key = (Transport, u64, Direction, u16);

/// An open file.
struct Handle {
    key: Key,
    file: File,
    path: PathBuf,
    /// Octets that wait, and their offset; `None` where the file is appended to.
    buffer: Vec<u8>,
    at: Option<u64>,
    last: Timestamp,
    used: u64,
}

impl Handle {
    fn write(&mut self) -> io::Result<()> {
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
            *at = at.saturating_add(self.buffer.len() as u64);
        }
        self.buffer.clear();
        match done {
            // A stream of holes may pass what the file system can hold; its other octets are written all the same.
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
            done => done,
        }
    }

    /// Writes what waits and says when the last octet was captured.
    fn close(mut self) -> (PathBuf, io::Result<()>) {
        let time = std::time::UNIX_EPOCH + self.last.since(Timestamp::default());
        let done = self.write().and_then(|()| self.file.set_modified(time));
        (self.path, done)
    }
}

/// The output of stream files.
pub(crate) struct Dump {
    dir: PathBuf,
    template: Template,
    open: Vec<Handle>,
    /// By place in `open`.
    places: HashMap<Key, usize, foldhash::fast::RandomState>,
    most: usize,
    clock: u64,
    /// How often a name was used, by its fingerprint.
    counts: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// Streams of UDP and SCTP.
    appended: HashMap<Key, Named, foldhash::fast::RandomState>,
    failed: Option<Error>,
}

impl Dump {
    /// Makes the folder.
    pub(crate) fn new(dir: &Path, template: Template) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(|source| Error {
            name: dir.display().to_string(),
            doing: "make the folder",
            source,
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            template,
            open: Vec::new(),
            places: HashMap::default(),
            most: OPEN,
            clock: 0,
            counts: HashMap::default(),
            appended: HashMap::default(),
            failed: None,
        })
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        for handle in &mut self.open {
            if let Err(source) = handle.write() {
                self.failed.get_or_insert_with(|| Error {
                    name: handle.path.display().to_string(),
                    doing: "write",
                    source,
                });
            }
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Closes all files.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.places.clear();
        for handle in std::mem::take(&mut self.open) {
            self.close(handle);
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    fn close(&mut self, handle: Handle) {
        if let (path, Err(e)) = handle.close() {
            self.fail(&path, "write", e);
        }
    }

    fn fail(&mut self, path: &Path, doing: &'static str, source: io::Error) {
        self.failed.get_or_insert_with(|| Error {
            name: path.display().to_string(),
            doing,
            source,
        });
    }

    pub(crate) fn data(&mut self, at: &mut StreamContext<'_, Streams>, chunk: &Chunk<'_>) {
        if chunk.data.is_empty() {
            return;
        }
        let (flow, direction) = (at.flow, at.direction);
        let offset = chunk.offset.saturating_sub(at.side().origin);
        let stream = &mut at.state[direction.index()];
        let early = stream.early.take();
        stream.last = stream.last.max(chunk.time);
        let begins = !stream.made;
        if begins {
            stream.first = chunk.time;
        }
        let place = self.place(at.cx, flow, direction, stream);
        let last = stream.last;
        let Some(handle) = place.and_then(|p| self.open.get_mut(p)) else {
            return;
        };
        handle.last = last;
        let next = handle
            .at
            .map(|a| a.saturating_add(handle.buffer.len() as u64));
        let mut done = Ok(());
        if next != Some(offset) || handle.buffer.len() + chunk.data.len() > BUFFER {
            done = handle.write();
            handle.at = Some(offset);
        }
        handle.buffer.extend_from_slice(chunk.data);
        if let Err(e) = done {
            let path = handle.path.clone();
            self.fail(&path, "write", e);
        }
        if let Some((len, cause)) = early {
            let stream = &mut at.state[direction.index()];
            self.index(flow, direction, stream, 0, Some(len), cause);
        }
    }

    pub(crate) fn gap(&mut self, at: &mut StreamContext<'_, Streams>, gap: &Gap) {
        let offset = gap.offset.saturating_sub(at.side().origin);
        let stream = &mut at.state[at.direction.index()];
        if stream.made {
            self.index(at.flow, at.direction, stream, offset, gap.len, gap.cause);
        } else if let Some(len) = gap.len {
            // There is no file, and need not be one.
            let (had, cause) = stream.early.unwrap_or((0, gap.cause));
            stream.early = Some((had.saturating_add(len), cause));
        }
    }

    /// Adds a line to the index of a stream's gaps.
    fn index(
        &mut self,
        flow: &Flow,
        direction: Direction,
        stream: &mut Stream,
        offset: u64,
        len: Option<u64>,
        cause: GapCause,
    ) {
        let path = index_of(&self.path(flow, direction, stream));
        let cause = super::json::cause(cause);
        let line = match len {
            Some(len) => format!("{offset} {len} {cause}\n"),
            None => format!("{offset} unknown {cause}\n"),
        };
        let mut options = options();
        options.append(true).create_new(!stream.indexed);
        let done = self
            .open_file(&path, &options)
            .and_then(|mut f| f.write_all(line.as_bytes()));
        stream.indexed = true;
        if let Err(e) = done {
            self.fail(&path, "write", e);
        }
    }

    /// The stream has ended: its file is closed.
    pub(crate) fn end(&mut self, flow: &Flow, direction: Direction) {
        let key = (flow.transport, flow.number, direction, 0);
        if let Some(place) = self.places.get(&key) {
            self.close_at(*place);
        }
    }

    /// Appends a user message to the file of its direction and stream.
    pub(crate) fn user_message(&mut self, cx: &mut Context, flow: &Flow, m: &UserMessage<'_>) {
        self.append(cx, flow, m.direction, m.stream, m.data);
    }

    /// The association has ended: its files are closed.
    pub(crate) fn association_end(&mut self, flow: &Flow) {
        let of_it = |h: &Handle| (h.key.0, h.key.1) == (flow.transport, flow.number);
        while let Some(place) = self.open.iter().position(of_it) {
            self.close_at(place);
        }
    }

    /// Appends a datagram to the file of its direction.
    pub(crate) fn datagram(&mut self, at: &mut DatagramContext<'_>, payload: &[u8]) {
        self.append(at.cx, at.flow, at.direction, 0, payload);
    }

    /// Appends octets to the file of a direction, and of a stream in it.
    fn append(
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
        let known = self.places.get(&key).copied();
        let place = known.or_else(|| self.place_of_appended(cx, flow, direction, id));
        self.clock += 1;
        let clock = self.clock;
        let Some(handle) = place.and_then(|p| self.open.get_mut(p)) else {
            return;
        };
        handle.used = clock;
        handle.last = handle.last.max(time);
        let mut done = Ok(());
        if handle.buffer.len() + payload.len() > BUFFER {
            done = handle.write();
        }
        handle.buffer.extend_from_slice(payload);
        if let Err(e) = done {
            let path = handle.path.clone();
            self.fail(&path, "write", e);
        }
    }

    /// Datagrams and user messages keep nothing, so that what their file is called stands here.
    fn place_of_appended(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        id: u16,
    ) -> Option<usize> {
        let key = (flow.transport, flow.number, direction, id);
        let known = self.appended.get(&key).copied();
        let time = cx.packet.time;
        let mut stream = Stream {
            id,
            made: known.is_some(),
            count: known.map_or(0, |n| n.count),
            first: known.map_or(time, |n| n.first),
            last: time,
            ..Stream::default()
        };
        let place = self.place(cx, flow, direction, &mut stream);
        // A stream that is not remembered gets another file when its first one was closed.
        if known.is_none() && place.is_some() && self.appended.len() < NAMES {
            let before = self.appended.allocation_size();
            let (count, first) = (stream.count, stream.first);
            self.appended.insert(key, Named { count, first });
            cx.budget.resize(before, self.appended.allocation_size());
        }
        if let Some(handle) = place.and_then(|p| self.open.get_mut(p)) {
            handle.at = None;
        }
        place
    }

    fn remember(&mut self, cx: &mut Context, print: u64, count: u32) {
        let before = self.counts.allocation_size();
        self.counts.insert(print, count);
        cx.budget.resize(before, self.counts.allocation_size());
    }

    /// The place of a stream's open file; opens it where it is not, and makes it where it was never made.
    fn place(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        stream: &mut Stream,
    ) -> Option<usize> {
        self.clock += 1;
        let key = (flow.transport, flow.number, direction, stream.id);
        if let Some(place) = self.places.get(&key) {
            let place = *place;
            if let Some(handle) = self.open.get_mut(place) {
                handle.used = self.clock;
                return Some(place);
            }
        }
        while self.open.len() >= self.most {
            self.close_oldest();
        }
        let opened = if stream.made {
            let path = self.path(flow, direction, stream);
            let mut options = options();
            options.write(true).create(true);
            self.open_file(&path, &options)
                .map(|file| (file, path.clone()))
                .map_err(|e| (path, e))
        } else {
            self.make(cx, flow, direction, stream)
        };
        match opened {
            Ok((file, path)) => {
                let place = self.open.len();
                self.places.insert(key, place);
                self.open.push(Handle {
                    key,
                    file,
                    path,
                    buffer: Vec::new(),
                    at: Some(0),
                    last: stream.last,
                    used: self.clock,
                });
                Some(place)
            }
            Err((path, e)) => {
                self.fail(&path, "open", e);
                None
            }
        }
    }

    /// Where the file of a stream is that was made.
    fn path(&self, flow: &Flow, direction: Direction, stream: &Stream) -> PathBuf {
        let name = self.template.name(flow, direction, stream, stream.count);
        self.dir.join(below(&name))
    }

    /// Makes a file under the first name that is free, as tcpflow does.
    fn make(
        &mut self,
        cx: &mut Context,
        flow: &Flow,
        direction: Direction,
        stream: &mut Stream,
    ) -> Result<(File, PathBuf), (PathBuf, io::Error)> {
        let plain = self.template.name(flow, direction, stream, 0);
        // Where a name was taken before, the search goes on from there: ports can be used again very often.
        let print = FixedState::default().hash_one(&plain);
        let from = self.counts.get(&print).map_or(0, |c| c.saturating_add(1));
        let mut options = options();
        options.write(true).create_new(true);
        for count in from..=u32::MAX {
            let relative = below(&self.template.name(flow, direction, stream, count));
            let path = self.dir.join(&relative);
            if let Err(e) = self.make_folders(&relative) {
                return Err((path, e));
            }
            // Its index must find its name free, too.
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
                    if !fs::symlink_metadata(&folder)?.is_dir() {
                        return Err(io::Error::new(
                            io::ErrorKind::NotADirectory,
                            format!("{} is no folder", folder.display()),
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
                        && !self.open.is_empty() =>
                {
                    self.most = self.open.len().saturating_sub(SPARE).max(1);
                    while self.open.len() >= self.most && !self.open.is_empty() {
                        self.close_oldest();
                    }
                }
                done => return done,
            }
        }
    }

    fn close_oldest(&mut self) {
        let oldest = self.open.iter().enumerate().min_by_key(|(_, h)| h.used);
        if let Some((place, _)) = oldest {
            self.close_at(place);
        }
    }

    fn close_at(&mut self, place: usize) {
        if place >= self.open.len() {
            return;
        }
        let handle = self.open.swap_remove(place);
        self.places.remove(&handle.key);
        if let Some(moved) = self.open.get(place) {
            self.places.insert(moved.key, place);
        }
        self.close(handle);
    }
}

/// What is kept with a connection; counted where there is one.
fn streams<'a>(at: &'a mut StreamContext<'_, Option<Box<Streams>>>) -> StreamContext<'a, Streams> {
    if at.state.is_none() {
        at.cx.budget.take(allocated(size_of::<Streams>()));
    }
    at.with(|s| &mut **s.get_or_insert_default())
}

impl Output for Dump {
    type State = Option<Box<Streams>>;

    fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        Self::flush(self).map(ControlFlow::Continue)
    }

    fn finish(&mut self) -> Result<(), Error> {
        Self::finish(self)
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
        Self::association_end(self, at.flow);
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, Self::State>, chunk: &Chunk<'_>) {
        Self::data(self, &mut streams(at), chunk);
    }

    fn stream_gap(&mut self, at: &mut StreamContext<'_, Self::State>, gap: &Gap) {
        Self::gap(self, &mut streams(at), gap);
    }

    fn stream_end(&mut self, at: &mut StreamContext<'_, Self::State>, _: Close) {
        Self::end(self, at.flow, at.direction);
    }

    fn closed(&mut self, at: &mut StreamContext<'_, Self::State>, _: Close) {
        if at.state.take().is_some() {
            at.cx.budget.give(allocated(size_of::<Streams>()));
        }
    }
}

/// `--dump -`: the chosen streams, as they come.
pub(super) struct Stdout {
    out: Sink,
    /// Which streams; all where there is none.
    choice: Option<ConnectionRule>,
}

impl Stdout {
    pub(super) fn new(name: &str, to: Writer, choice: Option<ConnectionRule>, each: bool) -> Self {
        Self {
            out: Sink::new(name, to, each),
            choice,
        }
    }

    fn write(&mut self, flow: &Flow, direction: Direction, octets: &[u8]) {
        let choice = self.choice.as_ref();
        if choice.is_none_or(|c| c.takes_stream(flow, direction)) {
            self.out.write([octets, &[], &[], &[]]);
        }
    }
}

impl Output for Stdout {
    type State = ();

    fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
        self.out.flush()
    }

    fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
        self.write(at.flow, at.direction, message.payload);
    }

    fn user_message(
        &mut self,
        at: &mut AssociationContext<'_, ()>,
        message: &UserMessage<'_>,
        _: &'static str,
    ) {
        self.write(at.flow, message.direction, message.data);
    }

    fn stream_data(&mut self, at: &mut StreamContext<'_, ()>, chunk: &Chunk<'_>) {
        self.write(at.flow, at.direction, chunk.data);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Rig, Shared, flow};
    use super::*;
    use crate::base::packet::VlanTag;
    use crate::base::place::OctetOffset;
    use crate::base::stream::Close;
    use crate::message::MessageSink;
    use crate::sink::Outputs;

    const D: [Direction; 2] = [Direction::Forward, Direction::Reverse];

    fn rig(dir: &Path, template: &str) -> Rig {
        let mut outputs = Outputs::new();
        outputs.dump(dir, Template::new(template).unwrap()).unwrap();
        Rig::with(outputs, Shared::default())
    }

    fn data(rig: &mut Rig, d: Direction, offset: u64, octets: &[u8]) {
        let time = rig.cx.packet.time;
        let (outputs, mut at) = rig.at(d);
        let chunk = Chunk {
            offset,
            data: octets,
            time,
            frame: 1,
            at: OctetOffset::Unknown,
            ack: None,
            push: false,
            ends_segment: true,
            sum: None,
            acknowledged: Some(time),
        };
        outputs.stream_data(&mut at, &chunk);
    }

    fn gap(rig: &mut Rig, d: Direction, offset: u64, len: Option<u64>) {
        let (outputs, mut at) = rig.at(d);
        let cause = GapCause::Timeout;
        outputs.stream_gap(&mut at, &Gap { offset, len, cause });
    }

    fn end(rig: &mut Rig) {
        for d in D {
            let (outputs, mut at) = rig.at(d);
            outputs.stream_end(&mut at, Close::Fin);
        }
        rig.close();
    }

    /// Names and contents of all files.
    fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(dir).unwrap().display().to_string();
                    all.push((name, fs::read(&path).unwrap()));
                }
            }
        }
        all.sort();
        all
    }

    /// As tcpflow 1.6.1 named the same connections.
    #[test]
    fn names_are_those_of_tcpflow() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = rig(dir.path(), DEFAULT_TEMPLATE);
        for (number, v6, tag) in [
            (0, false, (0, 0)),
            (1, false, (0, 0)),
            (2, true, (0, 0)),
            (3, false, (0x8100, 5)),
            (4, false, (0x88a8, 7)),
        ] {
            rig.flow = flow(v6, number);
            for link in &mut rig.flow.links {
                link.tags[0] = VlanTag {
                    tpid: tag.0,
                    tci: tag.1,
                };
            }
            data(&mut rig, D[0], 0, format!("ask{number}").as_bytes());
            // A direction without octets has no file, and no count.
            if number != 0 {
                data(&mut rig, D[1], 0, format!("answer{number}").as_bytes());
            }
            end(&mut rig);
        }
        assert!(rig.outputs.finish().unwrap().is_continue());
        let names: Vec<_> = files(dir.path())
            .into_iter()
            .map(|(n, d)| format!("{n} {}", d.escape_ascii()))
            .collect();
        assert_eq!(
            names,
            [
                "010.000.000.001.40000-010.000.000.002.00080 ask0",
                "010.000.000.001.40000-010.000.000.002.00080--5 ask3",
                "010.000.000.001.40000-010.000.000.002.00080c1 ask1",
                "010.000.000.001.40000-010.000.000.002.00080c2 ask4",
                "010.000.000.002.00080-010.000.000.001.40000 answer1",
                "010.000.000.002.00080-010.000.000.001.40000--5 answer3",
                "010.000.000.002.00080-010.000.000.001.40000c1 answer4",
                "2001:db8::1.40000-2001:db8::2.00080 ask2",
                "2001:db8::2.00080-2001:db8::1.40000 answer2",
            ]
        );
        assert_eq!(rig.cx.counters.output.streams, 9);
    }

    #[test]
    fn gaps_are_holes_with_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = rig(dir.path(), "%#");
        rig.flow.number = 7;
        rig.cx.packet.time = Timestamp::from_nanos(1_000_000_000_000_000_000);
        gap(&mut rig, D[0], 0, Some(2));
        gap(&mut rig, D[0], 2, Some(1));
        data(&mut rig, D[0], 3, b"abc");
        gap(&mut rig, D[0], 6, Some(1 << 32));
        rig.cx.packet.time = Timestamp::from_nanos(1_000_000_001_500_000_000);
        data(&mut rig, D[0], 6 + (1 << 32), b"def");
        gap(&mut rig, D[0], 9 + (1 << 32), None);
        data(&mut rig, D[0], 9 + (1 << 32), b"g");
        gap(&mut rig, D[0], 10 + (1 << 32), Some(1000));
        end(&mut rig);
        let meta = fs::metadata(dir.path().join("7")).unwrap();
        assert_eq!(meta.len(), 10 + (1 << 32), "no hole at the end");
        let blocks = std::os::unix::fs::MetadataExt::blocks(&meta);
        assert!(blocks * 512 < 1 << 20, "{blocks} blocks for 7 octets");
        assert_eq!(
            meta.modified()
                .unwrap()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_millis(),
            1_000_000_001_500
        );
        let index = fs::read_to_string(dir.path().join("7.gaps")).unwrap();
        assert_eq!(
            index,
            "0 3 timeout\n6 4294967296 timeout\n4294967305 unknown timeout\n4294967306 1000 timeout\n"
        );
        use std::os::unix::fs::FileExt;
        let mut octets = [0; 4];
        let file = File::open(dir.path().join("7")).unwrap();
        file.read_exact_at(&mut octets, 6 + (1 << 32)).unwrap();
        assert_eq!(&octets, b"defg");
    }

    /// The same where the system refuses to open more: the test runs itself again under a limit.
    #[test]
    fn the_limit_of_the_system_is_respected() {
        let me = std::env::current_exe().unwrap();
        let out = std::process::Command::new("sh")
            .args(["-c", "ulimit -n 20 && exec \"$0\" --exact --test-threads=1 sink::raw::tests::any_number_of_streams_on_few_descriptors"])
            .arg(me)
            .env("INET_ASM_TEST_OPEN", "256")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    fn any_number_of_streams_on_few_descriptors() {
        let most = std::env::var("INET_ASM_TEST_OPEN").map_or(3, |n| n.parse().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let mut rig = rig(dir.path(), "%N/%S-%a");
        if let Some(d) = &mut rig.outputs.dump {
            d.most = most;
        }
        let mut states: Vec<_> = (0..100).map(|_| super::super::State::default()).collect();
        for round in 0..5u64 {
            for (number, state) in states.iter_mut().enumerate() {
                rig.flow = flow(false, number as u64);
                std::mem::swap(&mut rig.state, state);
                data(
                    &mut rig,
                    D[0],
                    round * 8,
                    format!("{:08}", round * 1000 + number as u64).as_bytes(),
                );
                std::mem::swap(&mut rig.state, state);
            }
            assert!(rig.outputs.flush().unwrap().is_continue());
        }
        assert!(rig.outputs.finish().unwrap().is_continue());
        let all = files(dir.path());
        assert_eq!(all.len(), 100);
        for (name, octets) in all {
            let number: u64 = name[4..24].parse().unwrap();
            let expected: String = (0..5)
                .map(|r| format!("{:08}", r * 1000 + number))
                .collect();
            assert_eq!(name, format!("{:03}/{number:020}-40000", number * 2 % 1000));
            assert_eq!(octets, expected.as_bytes(), "{name}");
        }
    }

    #[test]
    fn files_that_are_there_are_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("0"), "old").unwrap();
        let mut rig = rig(dir.path(), "%#");
        data(&mut rig, D[0], 0, b"forward");
        data(&mut rig, D[1], 0, b"reverse");
        end(&mut rig);
        let all: Vec<_> = files(dir.path())
            .into_iter()
            .map(|(n, d)| format!("{n} {}", d.escape_ascii()))
            .collect();
        assert_eq!(all, ["0 old", "0c1 forward", "0c2 reverse"]);
    }

    #[test]
    fn links_are_not_followed() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (at, outside) = (dir.path().join("dump"), dir.path().join("outside"));
        fs::create_dir(&at).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "old").unwrap();
        symlink(outside.join("file"), at.join("0")).unwrap();
        symlink(outside.join("new"), at.join("0c1")).unwrap(); // dangles
        symlink(outside.join("file"), at.join("0c2.gaps")).unwrap();
        fs::write(at.join("0c3.gaps"), "old").unwrap();
        let mut rig = rig(&at, "%#");
        gap(&mut rig, D[0], 0, Some(2));
        data(&mut rig, D[0], 2, b"forward");
        end(&mut rig);
        assert!(rig.outputs.finish().unwrap().is_continue());
        assert_eq!(fs::read(at.join("0c4")).unwrap(), b"\0\0forward");
        assert_eq!(
            fs::read_to_string(at.join("0c4.gaps")).unwrap(),
            "0 2 timeout\n"
        );
        assert_eq!(fs::read_to_string(at.join("0c3.gaps")).unwrap(), "old");
        let outside_now = files(&outside);
        assert_eq!(outside_now, [("file".to_owned(), b"old".to_vec())]);
    }

    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (at, outside) = (dir.path().join("dump"), dir.path().join("outside"));
        fs::create_dir(&at).unwrap();
        fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, at.join("40000")).unwrap();
        let mut rig = rig(&at, "%a/%#");
        data(&mut rig, D[0], 0, b"forward");
        let error = rig.outputs.flush().unwrap_err().to_string();
        assert!(error.contains("40000 is no folder"), "{error}");
        assert!(files(&outside).is_empty());
    }

    /// A closed file is opened again under its first name, whatever the time and the other direction's name.
    #[test]
    fn datagrams_find_their_file_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = rig(dir.path(), "%T-%#");
        if let Some(d) = &mut rig.outputs.dump {
            d.most = 1;
        }
        let start = 1_795_255_200;
        for round in 0..3u64 {
            rig.cx.packet.time = Timestamp::from_nanos((start + round) * 1_000_000_000);
            for number in 0..2 {
                for d in D {
                    rig.flow = flow(false, number);
                    rig.flow.transport = Transport::Udp;
                    let flow = &rig.flow.clone();
                    let dump = rig.outputs.dump.as_mut().unwrap();
                    let octets = format!("{number}{}{round};", d.index());
                    dump.append(&mut rig.cx, flow, d, 0, octets.as_bytes());
                }
            }
        }
        assert!(rig.outputs.finish().unwrap().is_continue());
        let all: Vec<_> = files(dir.path())
            .into_iter()
            .map(|(n, d)| format!("{n} {}", d.escape_ascii()))
            .collect();
        assert_eq!(
            all,
            [
                "2026-11-21T10:00:00Z-0.udp 000;001;002;",
                "2026-11-21T10:00:00Z-0c1.udp 010;011;012;",
                "2026-11-21T10:00:00Z-1.udp 100;101;102;",
                "2026-11-21T10:00:00Z-1c1.udp 110;111;112;",
            ]
        );
    }

    #[test]
    fn codes_that_stand_for_nothing_lead_nowhere_else() {
        for (template, expected) in [
            ("%v/%V/x", &["x", "xc1"][..]),
            ("%v/%c", &["1", "_"]),
            ("%c/%v", &["1/_", "_"]),
            (".%v./x%c", &["__/x", "__/x1"]),
            ("a/.%V%c", &["a/.1", "a/_"]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut rig = rig(dir.path(), template);
            data(&mut rig, D[0], 0, b"forward");
            data(&mut rig, D[1], 0, b"reverse");
            end(&mut rig);
            assert!(rig.outputs.finish().unwrap().is_continue());
            let names: Vec<_> = files(dir.path()).into_iter().map(|f| f.0).collect();
            assert_eq!(names, expected, "{template}");
        }
    }

    #[test]
    fn templates_stay_in_the_folder() {
        for text in ["", "/x%c", "../x", "a/../../b", "a/", "%", "%y", "a\0b"] {
            assert!(Template::new(text).is_err(), "{text}");
        }
        for (text, expected) in [
            (
                DEFAULT_TEMPLATE,
                "010.000.000.001.40000-010.000.000.002.00080c1",
            ),
            ("x", "xc1"),
            (
                "%E,%e,%T,%t,%N%K%M%G,%S,%%,%#",
                "02:00:00:00:00:01,02:00:00:00:00:02,2026-11-21T10:00:00Z,1795255200,234000000000,00000000000000000117,%,117c1",
            ),
        ] {
            let stream = Stream {
                first: Timestamp::from_nanos(1_795_255_200_123_456_789),
                ..Stream::default()
            };
            let name = Template::new(text)
                .unwrap()
                .name(&flow(false, 117), D[0], &stream, 1);
            assert_eq!(name, expected);
        }
    }
}
