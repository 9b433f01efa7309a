//! The folder: files are made in it, filled at their offsets, and named once they are whole.
//!
//! What is short stays in memory until it is whole. What is longer grows under the name `NAME.part`, which it loses
//! when nothing of it is missing. Nothing that was in the folder is followed, opened or replaced: every file is made by
//! this program (`O_EXCL`), in the folder that was opened first, whatever its path leads to later.

use super::commands::FileCommands;
use super::content::octets::StoredOctets;
use super::content::{decode, types};
use super::index;
use super::list::{self, ListedFile, RangeOf};
use super::names;
use super::options::FileOptions;
use super::sums::{FileSums, RunningSums, SumKind};
use super::tar::Archive;
use super::transfer::{FileInfo, LimitReached, Transfer};
use crate::base::context::Context;
use crate::base::counters::ChannelCounters;
use crate::base::time::Timestamp;
use crate::sink::mark::{FileMark, Modified, modified};
use crate::sink::saved::{StateError, StateReader, StateWriter};
use crate::sink::writer::{BufferedWriter, OutputError, Reopened, make_folder, wall_clock};
use bstr::ByteSlice;
use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashMap;
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, BufReader, BufWriter, Cursor, Write as _};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Octets of a file that stay in memory before it is made: most files of the web are shorter, and are then made, written and named in
/// one go.
// Half would create and rename most of what a web page consists of; twice would double what ten
// thousand open transfers hold.
const SMALL: usize = 32 << 10;
/// Files that are open at once: well below the 1,024 descriptors that a program may have, and more than are written at a time.
// Each holds a buffer, and is found by a walk: a few dozen are walked at once, a thousand would not
// be.
const OPEN: usize = 64;
/// Octets that are buffered for one open file: 8 MiB for all of them.
// Half would double the system calls of a download; twice the memory of all open files.
const BUFFER: usize = 128 << 10;
/// Octets that are read at once.
const READ: usize = 128 << 10;
/// Where a file may end at most: ext4 with blocks of 4 KiB holds nothing behind it. Octets that a range puts there are left out, and
/// the list says so.
const FARTHEST: u64 = (16 << 40) - (4 << 10);
/// Names that are known to be taken: how often, for the next one to be found at once; 8 MiB at most.
// Past it they are forgotten at once and names are looked for from the beginning again: slower,
// never wrong.
const NAMES: usize = 1 << 18;
/// The list.
const LIST: &str = "files.jsonl";
/// Behind the name of a file that is not whole.
const PART: &str = ".part";

/// An open file.
struct OpenFile {
    name: String,
    file: File,
    /// Octets that wait, and their offset.
    buffer: Vec<u8>,
    at: u64,
    /// Sum of the octets up to this offset, as long as they came in order.
    sums: Option<(RunningSums, u64)>,
    /// What was put into it.
    mark: FileMark,
    used: u64,
}

impl OpenFile {
    fn put(&mut self, offset: u64, octets: &[u8]) -> io::Result<()> {
        // The sum grows with the file while octets come in order; a gap that is filled later has
        // the file read once more at its end.
        if let Some((sums, upto)) = &mut self.sums {
            if *upto == offset {
                sums.update(octets);
                *upto += octets.len() as u64;
            } else {
                self.sums = None;
            }
        }
        self.mark.put(offset, octets);
        // Elsewhere than behind what waits, or more than fits: what waits goes to its own place
        // first.
        let follows = self.at + self.buffer.len() as u64 == offset;
        if !follows || self.buffer.len() + octets.len() > BUFFER {
            self.write()?;
            self.at = offset;
        }
        // Larger than the buffer: a copy would save nothing.
        if octets.len() >= BUFFER {
            self.at = offset + octets.len() as u64;
            return self.file.write_all_at(octets, offset);
        }
        self.buffer.extend_from_slice(octets);
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let done = self.file.write_all_at(&self.buffer, self.at);
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        done
    }
}

/// Opens the list in a folder, at its end.
fn open_list(dir: &OwnedFd) -> io::Result<File> {
    // Neither a link nor a pipe: an attacker who can write to the folder must not choose where
    // the list goes, nor stop the program at its opening.
    let flags = OFlags::WRONLY
        | OFlags::CREATE
        | OFlags::APPEND
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC;
    let file = match fs::openat(dir, LIST, flags, Mode::from_raw_mode(0o666)) {
        Ok(fd) => File::from(fd),
        Err(Errno::LOOP) => {
            return Err(io::Error::other(
                "it is a symbolic link: choose another folder",
            ));
        }
        Err(e) => return Err(e.into()),
    };
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other(
            "it is no regular file: choose another folder",
        ))
    }
}

/// Device and number of a file.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    let found = file.metadata()?;
    Ok((found.dev(), found.ino()))
}

/// Makes the page that shows a folder, or opens the one that an earlier run has made there.
fn open_index(dir: &OwnedFd) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let new = flags | OFlags::CREATE | OFlags::EXCL;
    match fs::openat(dir, index::NAME, new, Mode::from_raw_mode(0o666)) {
        Ok(fd) => {
            // Files of its name, which are common, are called otherwise from now on.
            let file = File::from(fd);
            file.write_all_at(index::BEGINNING.as_bytes(), 0)?;
            return Ok(file);
        }
        Err(Errno::EXIST) => {}
        Err(e) => return Err(e.into()),
    }
    let file = File::from(fs::openat(dir, index::NAME, flags, Mode::empty())?);
    let mut beginning = vec![0; index::BEGINNING.len()];
    let ours = file.metadata()?.is_file() && file.read_exact_at(&mut beginning, 0).is_ok();
    if ours && beginning == index::BEGINNING.as_bytes() {
        Ok(file)
    } else {
        Err(io::Error::other(
            "it is there, and no page of this program: choose another folder",
        ))
    }
}

/// The folder that files are written to. Errors stay inside until [`Store::flush`] returns the first one.
pub(super) struct Store {
    dir: OwnedFd,
    path: String,
    options: FileOptions,
    commands: Option<FileCommands>,
    /// Files go into it, and leave the folder.
    archive: Option<Archive>,
    /// The page that shows the folder.
    index: Option<File>,
    open: Vec<OpenFile>,
    most: usize,
    clock: u64,
    /// How often a name was asked for, by its fingerprint.
    names: HashMap<u64, u32, RandomState>,
    list: BufferedWriter,
    list_is: (u64, u64),
    /// The same lines for another output, until it takes them.
    lines: Option<Vec<u8>>,
    failed: Option<OutputError>,
    /// What a file system or a limit of the process has no room for in one file: told at the end.
    too_large: Option<OutputError>,
    /// Octets of the files that are listed.
    written: u64,
    opened: Timestamp,
    /// What may have carried files which no source can take out.
    unread: BTreeSet<&'static str>,
    /// Files that are not settled yet, of which octets could not be written, and why.
    broken: HashMap<String, String, RandomState>,
    /// Files that were closed and go on, as they were left.
    closed: HashMap<String, (FileMark, Modified), RandomState>,
    /// Lines for stderr.
    notes: Vec<String>,
}

impl Store {
    /// Makes the folder where there is none, and its list, or goes on with the list that is there.
    ///
    /// # Errors
    ///
    /// Those of the system; a list that is a symbolic link or no regular file.
    pub(super) fn open(path: &Path, options: &FileOptions) -> Result<Self, OutputError> {
        let shown = path.display().to_string();
        let fail = |name: String, doing, source| OutputError {
            name,
            doing,
            source,
        };
        let mut archive = None;
        // Opened once: whatever happens to the path later, files stay in this folder.
        let dir = if path.as_os_str() == "-" {
            let (begun, dir) = Archive::begin()?;
            archive = Some(begun);
            Ok(dir)
        } else {
            make_folder(path)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            fs::open(path, flags, Mode::empty()).map_err(io::Error::from)
        };
        let dir = dir.map_err(|e| fail(shown.clone(), "make the folder", e))?;
        let name = path.join(LIST).display().to_string();
        let list = open_list(&dir).map_err(|e| fail(name.clone(), "open", e))?;
        let list_is = identity(&list).map_err(|e| fail(name.clone(), "open", e))?;
        let page = path.join(index::NAME).display().to_string();
        let index = options.index.then(|| open_index(&dir)).transpose();
        let index = index.map_err(|e| fail(page, "open", e))?;
        let commands = (!options.on_file.is_empty()).then(|| FileCommands::new(&options.on_file));
        Ok(Self {
            dir,
            path: shown,
            options: options.clone(),
            commands,
            archive,
            index,
            open: Vec::new(),
            most: OPEN,
            clock: 0,
            names: HashMap::default(),
            list: BufferedWriter::new(&name, Box::new(list), false),
            list_is,
            lines: None,
            failed: None,
            too_large: None,
            written: 0,
            opened: wall_clock(),
            unread: BTreeSet::new(),
            broken: HashMap::default(),
            closed: HashMap::default(),
            notes: Vec::new(),
        })
    }

    /// Goes on in a new list where something has moved the old one away. One that still stands there is only ever added to.
    pub(super) fn reopen(&mut self, done: &mut Reopened) {
        // An empty file may have been put into its place.
        let takes = match fs::statat(&self.dir, LIST, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => there.st_size == 0 && (there.st_dev, there.st_ino) != self.list_is,
            Err(e) => e == Errno::NOENT,
        };
        if !takes {
            return;
        }
        let list = open_list(&self.dir).and_then(|list| Ok((identity(&list)?, list)));
        match list {
            Ok((identity, list)) => {
                self.list_is = identity;
                self.list.go_on_in(Box::new(list));
                done.files += 1;
            }
            Err(source) => done.errors.push(OutputError {
                name: format!("{}/{LIST}", self.path),
                doing: "open anew",
                source,
            }),
        }
    }

    /// Files of this protocol are asked for by its name.
    pub(super) fn asks_for(&self, protocol: &str) -> bool {
        self.options.choice.protocols.contains(&protocol)
    }

    /// Certificates are files too.
    pub(super) fn wants_certificates(&self) -> bool {
        self.options.certificates
    }

    /// A file begins. Nothing stands in the folder before it has more octets than are kept in memory, or ends.
    pub(super) fn begin(&self, cx: &mut Context, about: FileInfo) -> Transfer {
        Transfer::new(cx, about)
    }

    /// Writes octets of a file, anywhere in it. Those that are there already stay.
    pub(super) fn write(
        &mut self,
        cx: &mut Context,
        to: &mut Transfer,
        offset: u64,
        octets: &[u8],
    ) {
        let end = offset.saturating_add(octets.len() as u64);
        if octets.is_empty() {
            return;
        }
        self.recognise(to);
        // What came first stays, so that a repeated message cannot change a file.
        if to.have.is_vacant(offset, end) {
            self.put(to, offset, octets);
        } else {
            for (from, until) in to.have.vacant(offset, end) {
                let place = |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
                self.put(to, from, &octets[place(from)..place(until)]);
            }
        }
        to.count(cx);
    }

    /// Octets that are not there yet. What is bounded is how many a file has, not where they stand: holes take no room.
    fn put(&mut self, to: &mut Transfer, offset: u64, octets: &[u8]) {
        // An archive has holes as zeros.
        let farthest = match self.archive {
            Some(_) => FARTHEST.min(self.options.max_file),
            None => FARTHEST,
        };
        if offset.saturating_add(octets.len() as u64) > farthest {
            to.limited.get_or_insert(LimitReached::Place);
            return;
        }
        let room = self.options.max_file.saturating_sub(to.have.octets());
        let octets = match octets.get(..usize::try_from(room).unwrap_or(usize::MAX)) {
            Some(less) if less.len() < octets.len() => {
                to.limited = Some(LimitReached::Size);
                less
            }
            _ => octets,
        };
        if octets.is_empty() {
            return;
        }
        // Too many holes to remember: these octets are left out, and the list says so.
        if !to.have.add(offset, offset + octets.len() as u64) {
            to.limited.get_or_insert(LimitReached::Parts);
            return;
        }
        if to.made.is_none() {
            // Only as long as it is in order: a hole in memory would cost as much as the file.
            if offset == to.memory.len() as u64 && to.memory.len() + octets.len() <= SMALL {
                to.memory.extend_from_slice(octets);
                return;
            }
            if !self.spill(to) {
                return;
            }
        }
        let Some(name) = &to.made else { return };
        if let Some(place) = self.place(name)
            && let Err(e) = self.open[place].put(offset, octets)
        {
            self.fail_write(name, e);
        }
    }

    /// Makes the file of what stood in memory until now.
    fn spill(&mut self, to: &mut Transfer) -> bool {
        // Beside it will stand what its codings are undone to.
        // Its name must not be the one that the decoded file will want.
        to.about.coded = !to.about.codings.is_empty() && to.about.undone.is_empty();
        to.wanted = wanted(&to.about, types::by_content(&to.memory), None);
        to.about.coded = false;
        let Some((name, file)) = self.make(&to.wanted, PART) else {
            return false;
        };
        let memory = std::mem::take(&mut to.memory);
        let sums = RunningSums::new(&self.options.sums);
        let place = self.opened(name.clone(), file, Some(sums));
        if let Err(e) = self.open[place].put(0, &memory) {
            self.fail_write(&name, e);
        }
        to.made = Some(name);
        true
    }

    /// The file has ended. `len`: the octets that it should have, from its first to its last; `None` where more may follow that
    /// the capture does not show.
    pub(super) fn finish(&mut self, cx: &mut Context, file: Transfer, len: Option<u64>) {
        self.finish_named(cx, file, len);
    }

    /// The same; gives the name of the file.
    pub(super) fn finish_named(
        &mut self,
        cx: &mut Context,
        mut file: Transfer,
        len: Option<u64>,
    ) -> Option<String> {
        if let Some(limited) = file.limited {
            cx.counters.files.limited += 1;
            file.about.error.get_or_insert_with(|| match limited {
                LimitReached::Size => "larger than --max-file".to_owned(),
                LimitReached::Place => "farther on than a file can be".to_owned(),
                LimitReached::Parts => "too many holes".to_owned(),
                LimitReached::Past => "octets came past the range that was announced".to_owned(),
            });
        }
        self.is_broken(&mut file);
        let missing = file.missing(len);
        // Decoded once it has ended: no decoder waits for packets, and a broken one costs nothing
        // of the original.
        if !file.about.codings.is_empty() && file.about.undone.is_empty() {
            return self.undo(cx, file, len, &missing);
        }
        let whole = missing.is_empty();
        if let Some(boundary) = Self::boundary(&file.about) {
            let parts = self.split(cx, &file, &boundary, whole);
            // What only holds parts stands in what it is a part of, as it was sent.
            if parts.is_some() && file.about.of_mail {
                self.discard(cx, file);
                return None;
            }
        } else if Self::is_mail(&file.about)
            && let Some(subject) = self.open_mail(cx, &file, len, whole)
        {
            // A slash in it parts no path.
            file.about.fallback = subject.replace("/", "_").replace("\\", "_");
        }
        self.settle(cx, file, len, &missing)
    }

    /// What went into it: files that have ended, and their list.
    pub(super) fn channel(&self) -> ChannelCounters {
        let mut channel = match &self.archive {
            Some(archive) => archive.channel(),
            None => self.list.channel(),
        };
        if self.archive.is_none() {
            channel.octets += self.written;
        }
        channel.name.clone_from(&self.path);
        channel.opened = self.opened;
        channel
    }

    /// The folder, as it was asked for.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Something carries files that no source can take out.
    pub(super) fn cannot_read(&mut self, what: &'static str) {
        self.unread.insert(what);
    }

    /// What has been told by [`Self::cannot_read`].
    pub(super) const fn unread(&self) -> &BTreeSet<&'static str> {
        &self.unread
    }

    /// Octets that a file may have.
    pub(super) const fn max_file(&self) -> u64 {
        self.options.max_file
    }

    /// The octets of a file that are there, from its beginning.
    pub(super) fn octets(&mut self, file: &Transfer) -> Option<StoredOctets> {
        let Some(name) = &file.made else {
            return Some(StoredOctets::Memory(Cursor::new(file.memory.clone())));
        };
        let place = self.place(name)?;
        // What waits has to be on disk before it is read back.
        if let Err(e) = self.open[place].write() {
            self.fail_write(name, e);
        }
        self.read(name)
    }

    /// A file in the folder, to be read from its beginning.
    pub(super) fn read(&mut self, name: &str) -> Option<StoredOctets> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match self.openat(name, flags) {
            Ok(file) => Some(StoredOctets::File(file)),
            // It is in the archive.
            Err(Errno::NOENT) if self.archive.is_some() => None,
            Err(e) => {
                self.fail(name, "open", e.into());
                None
            }
        }
    }

    /// Removes what turned out not to be a file.
    pub(super) fn discard(&mut self, cx: &mut Context, mut file: Transfer) {
        // Removed only where it is still ours.
        self.recognise(&mut file);
        file.uncount(cx);
        let Some(name) = file.made else { return };
        // Closed first, or the close would write to a name that is gone.
        self.open.retain(|h| h.name != name);
        self.remove(&name);
    }

    /// Removes a file that this program made.
    fn remove(&mut self, name: &str) {
        if let Err(e) = fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            self.fail(name, "remove", e.into());
        }
    }

    /// Puts a file that is finished into the archive, if there is one.
    fn pack(&mut self, name: &str) {
        if self.archive.is_none() {
            return;
        }
        let Some(StoredOctets::File(file)) = self.read(name) else {
            return;
        };
        let Some(archive) = &mut self.archive else {
            return;
        };
        archive.packed.push(name.to_owned());
        if let Err(e) = archive.add(name, &file) {
            self.fail(name, "read", e);
        }
    }

    /// Removes files that are in the archive.
    fn remove_packed(&mut self) {
        let packed = self
            .archive
            .as_mut()
            .map(|archive| std::mem::take(&mut archive.packed));
        for name in packed.unwrap_or_default() {
            self.remove(&name);
        }
    }

    /// Runs the command for a file that is finished.
    fn run(&mut self, name: &str) {
        if let Some(commands) = &mut self.commands {
            // No command takes the path for an option.
            let here = if self.path.starts_with('-') { "./" } else { "" };
            commands.add(format!("{here}{}/{name}", self.path));
        }
    }

    /// Waits for the commands that run.
    pub(super) fn finish_commands(&mut self, cx: &mut Context) {
        let Some(commands) = &mut self.commands else {
            return;
        };
        commands.finish(|left| {
            let _ = writeln!(
                io::stderr(),
                "inet-asm: waiting for {left} commands of --on-file to end"
            );
        });
        let (run, failed, _) = commands.done();
        cx.counters.files.commands = run;
        cx.counters.files.commands_failed = failed;
    }

    /// What is to be said of commands that failed.
    pub(super) fn failed_commands(&self) -> Option<String> {
        let (run, failed, first) = self.commands.as_ref()?.done();
        let first = first?;
        Some(format!(
            "--on-file: {failed} of {run} commands failed, the first was {first}: what it wrote stands above"
        ))
    }

    /// Keeps the lines of the list for [`Store::take_lines`] too.
    pub(super) fn keep_lines(&mut self) {
        self.lines.get_or_insert_default();
    }

    /// The lines of the list since the last call.
    pub(super) fn take_lines(&mut self) -> String {
        let lines = self.lines.as_mut().map(std::mem::take);
        String::from_utf8(lines.unwrap_or_default()).unwrap_or_default()
    }

    /// Gives a file its last name, which it returns, and lists it.
    pub(super) fn settle(
        &mut self,
        cx: &mut Context,
        file: Transfer,
        len: Option<u64>,
        missing: &[(u64, Option<u64>)],
    ) -> Option<String> {
        self.settle_range(cx, file, len, missing, None)
    }

    /// The same; it may be a range of another.
    pub(super) fn settle_range(
        &mut self,
        cx: &mut Context,
        mut file: Transfer,
        len: Option<u64>,
        missing: &[(u64, Option<u64>)],
        range: Option<RangeOf<'_>>,
    ) -> Option<String> {
        file.uncount(cx);
        if range.is_none() {
            self.remove_packed();
        }
        let rest = self.is_broken(&mut file).then(|| file.missing(len));
        let missing = rest.as_deref().unwrap_or(missing);
        let whole = missing.is_empty();
        let size = file.have.octets();
        let mut found_type = None;
        let done = match file.made {
            None => {
                // The type is found by the first octets, whatever the sender called it.
                let found = types::by_content(&file.memory);
                found_type = found.media_type;
                if !self.options.choice.takes(&file.about, found, size) {
                    cx.counters.files.not_chosen += 1;
                    return None;
                }
                let wanted = wanted(&file.about, found, range);
                let suffix = if whole { "" } else { PART };
                let (name, to) = self.make(&wanted, suffix)?;
                if let Err(e) = to.write_all_at(&file.memory, 0) {
                    // Now it is one that was begun, of which octets are missing.
                    self.fail_write(&name, e);
                    self.opened(name.clone(), to, None);
                    file.made = Some(name);
                    return self.settle_range(cx, file, len, missing, range);
                }
                self.stamp(&name, &to, &file.about);
                // A sum of an incomplete file would look like an answer.
                let sums = whole.then(|| RunningSums::of(&self.options.sums, &file.memory));
                Some((name, sums))
            }
            Some(name) => self.place(&name).and_then(|place| {
                let mut handle = self.open.swap_remove(place);
                if let Err(e) = handle.write() {
                    self.fail_write(&name, e);
                }
                let mut head = vec![0; types::ENOUGH];
                // Only octets that are known to be there: a hole at the beginning reads as zeros.
                let leading = usize::try_from(file.have.leading()).unwrap_or(usize::MAX);
                let n = handle.file.read_at(&mut head, 0).unwrap_or(0).min(leading);
                let found = types::by_content(&head[..n]);
                found_type = found.media_type;
                if !self.options.choice.takes(&file.about, found, size) {
                    cx.counters.files.not_chosen += 1;
                    self.remove(&name);
                    return None;
                }
                let sums = if whole {
                    let sums = match handle.sums.take() {
                        // The running sums are good only if they have seen all octets in order.
                        Some((sums, upto)) if upto == size => Ok(sums.finish()),
                        _ => sums_of(&handle.file, size, &self.options.sums),
                    };
                    sums.map_err(|e| self.fail(&name, "read", e)).ok()
                } else {
                    None
                };
                self.stamp(&name, &handle.file, &file.about);
                let wanted = wanted(&file.about, found, range);
                // The name is right already: an empty file that takes a second one would only be
                // renamed over.
                if !whole && wanted == file.wanted {
                    return Some((name, None));
                }
                let suffix = if whole { "" } else { PART };
                let last = self.rename(&name, &wanted, suffix);
                Some((last.unwrap_or(name), sums))
            }),
        };
        let (name, sums) = done?;
        let c = &mut cx.counters.files;
        c.written += 1;
        c.octets += size;
        if whole {
            c.whole += 1;
        } else {
            c.incomplete += 1;
        }
        self.written += size;
        let listed = ListedFile {
            file: &name,
            found_type,
            size,
            length: len.filter(|len| *len >= file.have.end() && file.unknown.is_empty()),
            missing,
            range,
            sums,
        };
        if let Some(lines) = &mut self.lines {
            list::line(&file.about, &listed, lines);
        }
        self.list
            .record(|line| list::line(&file.about, &listed, line));
        self.run(&name);
        self.pack(&name);
        Some(name)
    }

    /// Writes all that is buffered.
    ///
    /// # Errors
    ///
    /// The first error since the last call.
    pub(super) fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        for i in 0..self.open.len() {
            if let Err(e) = self.open[i].write() {
                let name = self.open[i].name.clone();
                self.fail_write(&name, e);
            }
        }
        if let Some(commands) = &mut self.commands {
            commands.look();
        }
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        let _ = self.list.flush()?;
        match &mut self.archive {
            Some(archive) => archive.flush(),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Closes all files; those that go on are opened again by their names.
    pub(super) fn close_all(&mut self) {
        self.close_to(0);
    }

    /// Writes what the next run has to know of the folder.
    pub(super) fn save(&self, to: &mut StateWriter) {
        to.put(&(&self.names, &self.broken, &self.closed));
    }

    /// Reads what [`save`](Self::save) has written.
    ///
    /// # Errors
    ///
    /// What stands there is something else.
    pub(super) fn load(&mut self, from: &mut StateReader) -> Result<(), StateError> {
        (self.names, self.broken, self.closed) = from.get()?;
        Ok(())
    }

    /// What was kept for the end of the run.
    ///
    /// # Errors
    ///
    /// The first file that is larger than the system takes.
    pub(super) fn end(&mut self) -> Result<(), OutputError> {
        self.write_index()?;
        self.end_archive()?;
        self.too_large.take().map_or(Ok(()), Err)
    }

    /// Ends the archive: the list is its last file.
    fn end_archive(&mut self) -> Result<(), OutputError> {
        if self.archive.is_none() {
            return Ok(());
        }
        let _ = self.list.flush()?;
        self.pack(LIST);
        self.remove_packed();
        if let Some(mut archive) = self.archive.take() {
            let _ = archive.end()?;
        }
        Ok(())
    }

    /// Writes the page that shows the folder, from the list.
    fn write_index(&mut self) -> Result<(), OutputError> {
        let Some(page) = self.index.take() else {
            return Ok(());
        };
        let _ = self.list.flush()?;
        let list = self.read(LIST);
        let done = match list {
            Some(StoredOctets::File(list)) => page.set_len(0).and_then(|()| {
                let mut page = BufWriter::new(&page);
                index::write(BufReader::new(list), &mut page)?;
                page.flush()
            }),
            _ => Ok(()),
        };
        done.map_err(|source| OutputError {
            name: format!("{}/{}", self.path, index::NAME),
            doing: "write",
            source,
        })
    }

    /// Octets of a file could not be written.
    fn fail_write(&mut self, name: &str, source: io::Error) {
        self.broken.insert(name.to_owned(), source.to_string());
        if source.kind() == io::ErrorKind::FileTooLarge {
            // That is this file's alone: the others are written all the same, and the run fails at its end.
            self.too_large.get_or_insert(OutputError {
                name: format!("{}/{name}", self.path),
                doing: "write",
                source,
            });
        } else {
            self.fail(name, "write", source);
        }
    }

    /// Sends out what waits for a file. True where octets of it could not be written, then or before, or where somebody has changed
    /// it: they are missing.
    fn is_broken(&mut self, file: &mut Transfer) -> bool {
        if self.recognise(file) {
            return true;
        }
        let Some(name) = file.made.clone() else {
            return false;
        };
        if let Some(place) = self.place(&name)
            && let Err(e) = self.open[place].write()
        {
            self.fail_write(&name, e);
        }
        let Some(error) = self.broken.remove(&name) else {
            return false;
        };
        let there = self
            .place(&name)
            .map(|place| self.open[place].file.metadata());
        file.have.truncate(match there {
            Some(Ok(there)) => there.len(),
            _ => 0,
        });
        file.about.error = Some(format!("cannot write: {error}"));
        true
    }

    pub(super) fn fail(&mut self, name: &str, doing: &'static str, source: io::Error) {
        let name = format!("{}/{name}", self.path);
        self.failed.get_or_insert(OutputError {
            name,
            doing,
            source,
        });
    }

    /// Sets the time of a file to that of its last octet.
    fn stamp(&mut self, name: &str, file: &File, about: &FileInfo) {
        let time = UNIX_EPOCH + about.last.1.since(Timestamp::default());
        if let Err(e) = file.set_modified(time) {
            self.fail(name, "set the time of", e);
        }
    }

    /// Makes a file under the first name of its kind that is free.
    fn make(&mut self, wanted: &str, suffix: &str) -> Option<(String, File)> {
        let flags =
            // `O_EXCL`: never an existing file, and never through a link.
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Where a name was taken before, the search goes on from there.
        // By fingerprint, so that a long name costs no more than a short one.
        let print = FixedState::default().hash_one((wanted, suffix));
        if self.names.len() >= NAMES {
            self.names.clear();
        }
        let mut number = self.names.get(&print).copied().unwrap_or(0);
        loop {
            let name = names::numbered(wanted, number, suffix);
            number = number.wrapping_add(1);
            match self.openat(&name, flags) {
                Err(Errno::EXIST) => {}
                Ok(file) => {
                    self.names.insert(print, number);
                    return Some((name, file));
                }
                Err(e) => {
                    self.fail(&name, "make", e.into());
                    return None;
                }
            }
        }
    }

    /// Opens a file in the folder; where the system has no more descriptors, closes others and keeps fewer open from then on.
    fn openat(&mut self, name: &str, flags: OFlags) -> Result<File, Errno> {
        loop {
            match fs::openat(&self.dir, name, flags, Mode::from_raw_mode(0o666)) {
                Err(Errno::MFILE | Errno::NFILE) if !self.open.is_empty() => {
                    // Halved, as other parts of the program need descriptors too.
                    self.most = (self.open.len() / 2).max(1);
                    self.close_to(self.most - 1);
                }
                done => return done.map(File::from),
            }
        }
    }

    /// Gives a file that this program made a name that is free. The name is taken by an empty file first, which is replaced.
    fn rename(&mut self, from: &str, wanted: &str, suffix: &str) -> Option<String> {
        // First the name is made ours, then the file is moved over it: in between nobody can put
        // anything there that would be overwritten.
        let (name, _) = self.make(wanted, suffix)?;
        match fs::renameat(&self.dir, from, &self.dir, &name) {
            Ok(()) => Some(name),
            Err(e) => {
                self.fail(&name, "rename", e.into());
                None
            }
        }
    }

    /// Opens the file of a transfer again where it was closed. One that is not as it was left is somebody else's now and stays as it is:
    /// then what follows goes to another one, in which all octets until now are missing. True in that case.
    pub(super) fn recognise(&mut self, file: &mut Transfer) -> bool {
        let Some(name) = &file.made else {
            return false;
        };
        if self.open.iter().any(|open| open.name == *name) {
            return false;
        }
        let wrong = match self.open_again(name) {
            Ok(None) => return false,
            Ok(Some(wrong)) => wrong,
            Err(e) => {
                let name = name.clone();
                self.fail(&name, "open", e.into());
                return false;
            }
        };
        let had = file.have.octets();
        self.notes.push(format!(
            "{}/{name}: {wrong}: it stays as it is, and what follows goes to another file, which lacks the {had} bytes before",
            self.path
        ));
        self.broken.remove(name);
        file.forget("its first part was changed by another program before it was whole");
        true
    }

    /// Opens a file that was closed and goes on. What is wrong with it, where it is not as it was left.
    fn open_again(&mut self, name: &str) -> Result<Option<&'static str>, Errno> {
        // A saved state may have been changed: a name never leads out of the folder.
        if name.contains('/') {
            return Err(Errno::INVAL);
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match self.openat(name, flags) {
            Ok(file) => {
                let mark = self.closed.remove(name);
                let fits = mark.map(|(mark, left)| (mark, mark.fits(&file, left)));
                let Some((mark, Ok(true))) = fits else {
                    return Ok(Some("is not as it was left"));
                };
                let place = self.opened(name.to_owned(), file, None);
                self.open[place].mark = mark;
                Ok(None)
            }
            // Somebody has taken it, or a run was killed that has given it its last name.
            Err(Errno::NOENT) => Ok(Some("is not there any more")),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => Ok(Some("is another thing")),
            Err(e) => Err(e),
        }
    }

    /// The place of an open file; opens it again where it was closed. None where it is not as it was left, or cannot be opened.
    fn place(&mut self, name: &str) -> Option<usize> {
        self.clock += 1;
        let is_it = |open: &OpenFile| open.name == name;
        let place = match self.open.iter().position(is_it) {
            Some(place) => place,
            None => match self.open_again(name) {
                Ok(None) => self.open.iter().position(is_it)?,
                Ok(Some(_)) => return None,
                Err(e) => {
                    self.fail(name, "open", e.into());
                    return None;
                }
            },
        };
        self.open[place].used = self.clock;
        Some(place)
    }

    /// Lines for stderr since the last call: files that are not as they were left.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn opened(&mut self, name: String, file: File, sums: Option<RunningSums>) -> usize {
        self.close_to(self.most - 1);
        self.open.push(OpenFile {
            name,
            file,
            buffer: Vec::new(),
            at: 0,
            sums: sums.map(|sums| (sums, 0)),
            mark: FileMark::default(),
            used: self.clock,
        });
        self.open.len() - 1
    }

    /// Closes those that were not used for longest, until so many are open.
    fn close_to(&mut self, many: usize) {
        while self.open.len() > many {
            let oldest = (0..self.open.len()).min_by_key(|i| self.open[*i].used);
            let Some(oldest) = oldest else { return };
            let mut handle = self.open.swap_remove(oldest);
            if let Err(e) = handle.write() {
                self.fail_write(&handle.name, e);
            }
            // Where this fails, it is not known again, which is told then.
            if let Ok(found) = handle.file.metadata() {
                self.closed
                    .insert(handle.name, (handle.mark, modified(&found)));
            }
        }
    }
}

/// The name that a file should have: its own, made safe, or one by its type.
fn wanted(about: &FileInfo, found: types::Found, range: Option<RangeOf<'_>>) -> String {
    // The name that was sent is only a wish. What is left of it after cleaning is used, else one is
    // made from the type.
    let own = about.name.as_ref().and_then(|(sent, _)| names::safe(sent));
    let name = own.unwrap_or_else(|| {
        let extension = types::extension(&about.media_type, found);
        let stem = names::safe(&about.fallback);
        format!("{}.{extension}", stem.as_deref().unwrap_or("file"))
    });
    let coding = about.codings.last().filter(|_| about.coded);
    let name = match coding.and_then(|coding| decode::extension(coding)) {
        // `a.tar.gz` is not called `a.tar.gz.gz`.
        Some(extension) if !name.ends_with(&format!(".{extension}")) => {
            format!("{name}.{extension}")
        }
        _ => name,
    };
    match range {
        Some(r) => names::of_range(&name, r.at, (r.at + r.len).saturating_sub(1)),
        None => name,
    }
}

/// Sums of a file's octets.
fn sums_of(file: &File, size: u64, kinds: &[SumKind]) -> io::Result<FileSums> {
    let mut sums = RunningSums::new(kinds);
    let mut buffer = vec![0; READ];
    let mut at = 0;
    while at < size {
        let n = file.read_at(&mut buffer, at)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sums.update(&buffer[..n]);
        at += n as u64;
    }
    Ok(sums.finish())
}
