//! A saved state: what a run writes down so that the next one goes on where it has ended.
//!
//! ```text
//!  "inet-asm state\n" ─ format ─ version of the program ─ values, one behind the other ─ SHA-256 of all before it
//! ```
//!
//! Values have the form of postcard and are read in the order in which they were written. The file is made beside its name, under one
//! that nobody has, synced and renamed: under the name stands the old state or the new one, whatever ends the program in between.

use super::writer::OutputError;
use crate::base::state::{DeserializeOwned, Serialize};
use rustix::fs::{Access, FlockOperation, Mode, OFlags, flock};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher as _;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Take, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What every saved state begins with.
const MAGIC: &[u8; 15] = b"inet-asm state\n";
/// The form of what follows; counted up with each change of what is saved.
const FORMAT: u32 = 10;
/// What wrote it: what is saved is the plain data of the stages, which differ between versions.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// Octets of the sum at the end.
const SUM: u64 = 32;
/// Behind the name and a random number, until the state is whole.
const UNFINISHED: &str = ".unfinished";
/// Octets of the name of a state that stand in front of that: a file name has 255 at most.
const NAME: usize = 200;
/// Names that are tried.
const TRIES: usize = 16;
/// The longest text that can be read back: comments of packets are no longer than a block of pcapng.
const TEXT: usize = 16 << 20;

/// Why a saved state cannot be used.
#[derive(Debug)]
pub enum StateError {
    /// It cannot be read.
    Read(io::Error),
    /// None can be written to its place.
    Write(io::Error),
    /// It is something else.
    Foreign,
    /// Another version of the program wrote it.
    Version(String),
    /// It is not as it was written.
    Damaged,
    /// It has more octets than may wait.
    TooLarge(u64),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(e) if e.kind() == io::ErrorKind::NotFound => f.write_str(
                "there is no such state: --state begins without one, where it is not there",
            ),
            Self::Read(e) => write!(f, "cannot be read: {e}"),
            Self::Write(e) => write!(f, "no state can be written there: {e}"),
            Self::Foreign => f.write_str(
                "is no saved state: name a file that --save-state or --state has written",
            ),
            Self::Version(version) => write!(
                f,
                "was saved by inet-asm {version}, and this is {PROGRAM}: go on with that one, or begin anew without it"
            ),
            Self::Damaged => f.write_str(
                "is a damaged state (its sum or its values are wrong): take a copy of it, or begin anew without it",
            ),
            Self::TooLarge(octets) => write!(
                f,
                "has {octets} bytes, more than may be held: give a larger --memory-limit"
            ),
        }
    }
}

impl std::error::Error for StateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(e) | Self::Write(e) => Some(e),
            _ => None,
        }
    }
}

/// Reads or writes through it, and sums up what goes by.
struct Summed<T> {
    inner: T,
    sum: Sha256,
}

impl<T: Write> Write for Summed<T> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(octets)?;
        self.sum.update(octets.get(..n).unwrap_or_default());
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A state that is being written.
pub struct StateWriter {
    to: BufWriter<Summed<File>>,
    path: PathBuf,
    unfinished: PathBuf,
    failed: Option<io::Error>,
}

/// Where a state stands: behind a link, not in its place.
fn place(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// What the file that becomes this state begins with.
fn unfinished_stem(path: &Path) -> &[u8] {
    let name = path.file_name().unwrap_or_default().as_bytes();
    name.get(..NAME).unwrap_or(name)
}

/// Makes the file where a state stands until it is whole, under a name that nobody has.
fn make_unfinished(path: &Path) -> Result<(PathBuf, File), (PathBuf, io::Error)> {
    let mut last = (path.to_owned(), io::ErrorKind::AlreadyExists.into());
    for _ in 0..TRIES {
        // Keyed anew for each: nobody can be there first but by chance.
        let random = foldhash::fast::RandomState::default().hash_one(std::process::id());
        let mut name = OsStr::from_bytes(unfinished_stem(path)).to_owned();
        name.push(format!(".{random:016x}{UNFINISHED}"));
        let unfinished = path.with_file_name(name);
        // It has octets of connections in it, passwords perhaps.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        match options.open(&unfinished) {
            Ok(file) => {
                // Says that somebody writes it. Where there are no locks, what a killed run leaves is left there.
                let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
                return Ok((unfinished, file));
            }
            Err(e) => last = (unfinished, e),
        }
    }
    Err(last)
}

/// This is the name of an unfinished state of this stem: nobody else calls a file so.
fn is_unfinished(name: &[u8], stem: &[u8]) -> bool {
    let number = name
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(UNFINISHED.as_bytes()));
    number.is_some_and(|n| n.len() == 16 && n.iter().all(u8::is_ascii_hexdigit))
}

/// Removes what killed runs have left of this state: each would leave one more.
fn remove_left(path: &Path) {
    let Ok(all) = fs::read_dir(folder(path)) else {
        return;
    };
    let stem = unfinished_stem(path);
    for entry in all.flatten() {
        if is_unfinished(entry.file_name().as_bytes(), stem) && is_left(&entry.path()) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// This file is the beginning of a state, and nobody writes it any more.
fn is_left(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else {
        return false;
    };
    let mut begun = Vec::new();
    let most = MAGIC.len() as u64;
    file.metadata().is_ok_and(|found| found.is_file())
        && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && (&file).take(most).read_to_end(&mut begun).is_ok()
        // What was buffered is gone.
        && (begun.is_empty() || begun == MAGIC)
}

/// Looks whether a state may be written to this place: nothing is there, or a state that this program can read, or an empty file; and
/// the folder takes the file that it is written to.
///
/// # Errors
///
/// What is there instead: it is left alone. What the system would not do.
// Known before anything is written: behind a whole run it would be too late.
pub fn may_replace(path: &Path) -> Result<(), StateError> {
    let place = place(path);
    let access = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(folder(&place), access).map_err(|e| StateError::Write(e.into()))?;
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(StateError::Read(e)),
        Ok(there) if !there.is_file() => return Err(StateError::Foreign),
        Ok(there) if there.len() == 0 => return Ok(()),
        Ok(_) => {}
    }
    let file = File::open(path).map_err(StateError::Read)?;
    look_at(&file)?;
    // The head alone says little: a damaged one may still be of use to somebody.
    match summed(&file)? {
        Some(_) => Ok(()),
        None => Err(StateError::Damaged),
    }
}

/// Looks whether a state is of this version. What says that it is of another one may be damage: each version ends a state with its sum.
fn look_at(file: &File) -> Result<(), StateError> {
    match header(&mut BufReader::new(file)) {
        Err(StateError::Version(version)) => Err(match summed(file)? {
            Some(_) => StateError::Version(version),
            None => StateError::Damaged,
        }),
        done => done,
    }
}

/// How many octets are summed up, where the sum behind them is right.
fn summed(mut file: &File) -> Result<Option<u64>, StateError> {
    let len = file.metadata().map_err(StateError::Read)?.len();
    let Some(summed) = len.checked_sub(SUM) else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(0)).map_err(StateError::Read)?;
    let mut sum = Sha256::new();
    let mut part = vec![0; 256 << 10];
    let mut all = file.take(summed);
    loop {
        match all.read(&mut part).map_err(StateError::Read)? {
            0 => break,
            n => sum.update(part.get(..n).unwrap_or_default()),
        }
    }
    let mut expected = [0; 32];
    let read = file.read_exact(&mut expected);
    let is_right = read.is_ok() && sum.finalize()[..] == expected;
    Ok(is_right.then_some(summed))
}

impl StateWriter {
    /// Begins a state. What stands under its name stays until [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let path = place(path);
        remove_left(&path);
        let (unfinished, file) =
            make_unfinished(&path).map_err(|(path, e)| failure(&path, "make", e))?;
        let sum = Sha256::new();
        let mut writer = Self {
            to: BufWriter::with_capacity(256 << 10, Summed { inner: file, sum }),
            path,
            unfinished,
            failed: None,
        };
        let begun = writer.to.write_all(MAGIC);
        writer.failed = begun.err();
        writer.put(&FORMAT);
        writer.put(PROGRAM);
        Ok(writer)
    }

    /// Writes a value. An error is kept until [`finish`](Self::finish).
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) {
        if self.failed.is_some() {
            return;
        }
        if let Err(e) = values::write(value, &mut self.to) {
            // What the system said is not in it.
            let said = self.to.flush().err();
            self.failed = Some(said.unwrap_or(e));
        }
    }

    /// Ends the state: it takes the place of the one before. What was written is on the disk then.
    ///
    /// # Errors
    ///
    /// The first error since it was begun; the state before is left as it is.
    pub fn finish(mut self) -> Result<(), OutputError> {
        let done = self.end();
        done.map_err(|e| {
            // Half of a state is of no use to anybody.
            let _ = fs::remove_file(&self.unfinished);
            failure(&self.path, "write", e)
        })
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        self.to.flush()?;
        let file = self.to.get_mut();
        let sum = file.sum.finalize_reset();
        file.inner.write_all(&sum)?;
        file.inner.sync_all()?;
        fs::rename(&self.unfinished, &self.path)?;
        // The name too: the file system may write it later than what it leads to.
        File::open(folder(&self.path))?.sync_all()
    }
}

fn failure(path: &Path, doing: &'static str, source: io::Error) -> OutputError {
    OutputError {
        name: path.display().to_string(),
        doing,
        source,
    }
}

/// Reads what a state begins with.
fn header(from: &mut impl Read) -> Result<(), StateError> {
    let mut magic = [0; MAGIC.len()];
    let mut text = vec![0; 256];
    match from.read_exact(&mut magic) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(StateError::Foreign),
        done => done.map_err(StateError::Read)?,
    }
    if magic != *MAGIC {
        return Err(StateError::Foreign);
    }
    let format = values::read::<u32>(from, &mut text)?;
    let program = values::read::<String>(from, &mut text)?;
    if (format, program.as_str()) == (FORMAT, PROGRAM) {
        return Ok(());
    }
    // It is shown on a terminal.
    let program: String = program.chars().filter(|c| !c.is_control()).collect();
    Err(StateError::Version(if program == PROGRAM {
        format!("{program} (format {format})")
    } else {
        program
    }))
}

/// A state that is read.
pub struct StateReader {
    from: BufReader<Take<File>>,
    text: Vec<u8>,
}

impl StateReader {
    /// Opens a state and looks whether it is as it was written. `most`: octets that it may have.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn open(path: &Path, most: u64) -> Result<Self, StateError> {
        let mut file = File::open(path).map_err(StateError::Read)?;
        let found = file.metadata().map_err(StateError::Read)?;
        if !found.is_file() {
            return Err(StateError::Foreign);
        }
        // What a copy that failed leaves, or a disk that was full.
        if found.len() == 0 {
            return Err(StateError::Damaged);
        }
        look_at(&file)?;
        if found.len().saturating_sub(SUM) > most {
            return Err(StateError::TooLarge(found.len() - SUM));
        }
        let Some(summed) = summed(&file)? else {
            return Err(StateError::Damaged);
        };
        file.seek(SeekFrom::Start(0)).map_err(StateError::Read)?;
        let mut from = BufReader::with_capacity(256 << 10, file.take(summed));
        header(&mut from)?;
        Ok(Self {
            from,
            // Of it only what is used takes memory.
            text: vec![0; TEXT],
        })
    }

    /// Reads the next value.
    ///
    /// # Errors
    ///
    /// What stands there is no such value.
    pub fn get<T: DeserializeOwned>(&mut self) -> Result<T, StateError> {
        values::read(&mut self.from, &mut self.text)
    }

    /// All has been read.
    ///
    /// # Errors
    ///
    /// Something is left.
    pub fn end(mut self) -> Result<(), StateError> {
        match self.from.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(StateError::Damaged),
            Err(e) => Err(StateError::Read(e)),
        }
    }
}

/// Single values, as they stand in a state.
#[cfg(feature = "state")]
mod values {
    use super::StateError;
    use crate::base::state::{DeserializeOwned, Serialize};
    use std::io::{self, Read, Write};

    pub(super) fn write<T: Serialize + ?Sized>(value: &T, to: &mut impl Write) -> io::Result<()> {
        let written = postcard::to_io(value, to).map(drop);
        written.map_err(io::Error::other)
    }

    pub(super) fn read<T: DeserializeOwned>(
        from: &mut impl Read,
        text: &mut [u8],
    ) -> Result<T, StateError> {
        let read = postcard::from_io::<T, _>((from, text));
        read.map(|(value, _)| value)
            .map_err(|_| StateError::Damaged)
    }
}

/// Where nothing can be written out.
#[cfg(not(feature = "state"))]
mod values {
    use super::StateError;
    use std::io::{self, Read, Write};

    pub(super) fn write<T: ?Sized>(_: &T, _: &mut impl Write) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn read<T>(_: &mut impl Read, _: &mut [u8]) -> Result<T, StateError> {
        Err(StateError::Read(io::ErrorKind::Unsupported.into()))
    }
}

/// Writes the methods of an [`Output`](super::output::Output) that save these fields of it, and load them in the same order.
macro_rules! goes_on {
    ($($($field:tt).+),+ $(,)?) => {
        fn save(&self, to: &mut $crate::sink::saved::StateWriter) {
            $( to.put(&self.$($field).+); )+
        }

        fn load(
            &mut self,
            _: &mut $crate::base::context::Context,
            from: &mut $crate::sink::saved::StateReader,
        ) -> Result<(), $crate::sink::saved::StateError> {
            $( self.$($field).+ = from.get()?; )+
            Ok(())
        }
    };
}
pub(super) use goes_on;

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 1 << 20;

    fn save(path: &Path, text: &str) {
        let mut writer = StateWriter::create(path).unwrap();
        writer.put(&7_u64);
        writer.put(text);
        writer.finish().unwrap();
    }

    fn load(path: &Path) -> Result<(u64, String), StateError> {
        let mut reader = StateReader::open(path, MOST)?;
        let values = (reader.get()?, reader.get()?);
        reader.end()?;
        Ok(values)
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let long = "x".repeat(300_000);
        for text in ["one", "two", &long] {
            save(&path, text);
            assert_eq!(load(&path).unwrap(), (7, text.to_owned()));
        }
        assert!(may_replace(&path).is_ok());
        // Nothing else is left.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        save(&link, "three");
        assert_eq!(load(&path).unwrap().1, "three");
        let mut reader = StateReader::open(&path, MOST).unwrap();
        assert_eq!(reader.get::<u64>().unwrap(), 7);
        assert!(matches!(reader.end(), Err(StateError::Damaged)));
        assert!(matches!(
            StateReader::open(&path, 10),
            Err(StateError::TooLarge(_))
        ));
    }

    #[test]
    fn any_damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        save(&path, "text");
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            fs::write(&path, damaged).unwrap();
            assert!(load(&path).is_err(), "octet {at}");
            assert!(may_replace(&path).is_err(), "octet {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(load(&path).is_err(), "{at} octets");
            assert!(at == 0 || may_replace(&path).is_err(), "{at} octets");
        }
        fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(load(&path).is_err());
    }

    #[test]
    fn others_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let absent = load(&path).unwrap_err().to_string();
        assert!(absent.contains("no such state"), "{absent}");
        assert!(may_replace(&path).is_ok());
        save(&path, "text");
        let mut newer = fs::read(&path).unwrap();
        newer[MAGIC.len()] = 99;
        let flipped = newer.clone();
        let at = newer.len() - 32;
        let sum = Sha256::digest(&newer[..at]);
        newer[at..].copy_from_slice(&sum);
        for (octets, word) in [
            (&b"no state"[..], "no saved state"),
            (&[0xd4; 100], "no saved state"),
            (&newer, "(format 99)"),
            // The sum tells a version from a bit that has changed.
            (&flipped, "damaged state"),
        ] {
            fs::write(&path, octets).unwrap();
            let said = load(&path).unwrap_err().to_string();
            assert!(said.contains(word), "{said}");
            let said = may_replace(&path).unwrap_err().to_string();
            assert!(said.contains(word), "{said}");
        }
        fs::write(&path, b"").unwrap();
        assert!(may_replace(&path).is_ok());
        assert!(may_replace(dir.path()).is_err());
    }

    #[test]
    fn half_a_state_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        save(&path, "old");
        let mut writer = StateWriter::create(&path).unwrap();
        writer.put("new");
        // Another run that writes at the same time leaves it alone.
        save(&path, "other");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        drop(writer);
        assert_eq!(load(&path).unwrap().1, "other");
        // What a killed run has left is removed, and nothing that is only called alike.
        let alike = [
            "state.unfinished",
            "state.0123456789abcdef.unfinished",
            "state.0123456789abcde.unfinished",
            "other.0123456789abcdef.unfinished",
        ];
        for name in alike {
            fs::write(dir.path().join(name), "precious").unwrap();
        }
        save(&path, "newer");
        assert_eq!(load(&path).unwrap().1, "newer");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1 + alike.len());
        for name in alike {
            let there = fs::read_to_string(dir.path().join(name)).unwrap();
            assert_eq!(there, "precious", "{name}");
        }
    }
}
