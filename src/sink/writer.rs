//! Where octets go: a buffer in front of any `Write`, which keeps its error until it is asked.

use super::program::{ProgramWriter, ReadingProgram};
use super::serve::{ServeOptions, ServedClients, ServedOutput};
use crate::base::child::{self, EXEC};
use crate::base::counters::ChannelCounters;
use crate::base::size::size;
use crate::base::sockets::{SocketName, SocketScheme, split_query};
use crate::base::time::Timestamp;
use rustix::fs::{FileType, Mode, OFlags, SeekFrom, fstat, seek};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// Clients of one output that may be allowed.
const CLIENTS: usize = 1024;
/// Octets that are written in one go; a pipe that was made larger takes as much at once.
// Half doubles the system calls; more than a pipe takes at once only waits in the kernel.
const FLUSH_AT: usize = 256 << 10;

/// Why an output failed, and which.
#[derive(Debug)]
pub struct OutputError {
    /// Name of the output, as the user gave it.
    pub name: String,
    /// What was being done.
    pub doing: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot {}: ", self.name, self.doing)?;
        // What the system says of a path that leads nowhere could be about the file, which is to be made.
        let makes = self.doing.starts_with("make");
        let opens = self.doing.starts_with("open");
        match self.source.kind() {
            // It has words of its own.
            _ if self.source.get_ref().is_some() => write!(f, "{}", self.source),
            io::ErrorKind::NotFound if opens || makes => {
                f.write_str("the folder that it is in does not exist: make it first")
            }
            io::ErrorKind::PermissionDenied => {
                f.write_str("permission is denied: choose another folder")
            }
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory if makes => {
                f.write_str("there is a file of this name: choose another one")
            }
            io::ErrorKind::IsADirectory => f.write_str("it is a folder: name a file in it"),
            io::ErrorKind::StorageFull => {
                f.write_str("no space is left: make room, or write elsewhere")
            }
            _ => write!(f, "{}", self.source),
        }
    }
}

impl std::error::Error for OutputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// What became of files that were to be opened anew.
#[derive(Debug, Default)]
pub struct Reopened {
    /// So many were.
    pub files: usize,
    /// Names of those that still stand where they were opened, which would be emptied.
    pub unmoved: Vec<String>,
    /// These could not be, and go on as they are.
    pub errors: Vec<OutputError>,
}

/// A `Write` that others can be boxed into and moved between threads.
pub type Writer = Box<dyn Write + Send>;

/// An output that was opened.
pub struct OpenedOutput {
    /// What is written goes there.
    pub to: Writer,
    /// Where it listens.
    pub listens: Option<String>,
    /// Its clients, where it has some.
    pub clients: Option<Arc<ServedClients>>,
    /// The program that reads it.
    pub program: Option<Arc<ReadingProgram>>,
}

impl OpenedOutput {
    fn new(to: Writer) -> Self {
        Self {
            to,
            listens: None,
            clients: None,
            program: None,
        }
    }
}

/// What stands before the colon of a file, which may be left out.
const FILE: &str = "file";

/// Options that only sockets have, where others connect to them and where not.
const fn socket_options(scheme: &SocketScheme) -> &'static [&'static str] {
    match scheme.listens {
        true => &["queue", "clients"],
        false => &["queue", "retry"],
    }
}

/// A path, or `-` for stdout, which is not buffered a second time.
fn open_file(target: &Target) -> io::Result<OpenedOutput> {
    let name = target.path.as_os_str();
    let to: Writer = if name == "-" {
        // Not through Rust's stdout: it would look for line ends and copy every octet once more.
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        Box::new(File::from(stdout?))
    } else {
        Box::new(OpenedFile::new(name)?)
    };
    Ok(OpenedOutput::new(to))
}

/// A socket that somebody listens on; with `?retry` also one that nobody does yet, or any more.
fn connect(target: &Target) -> io::Result<OpenedOutput> {
    let (name, retries, options) = target.socket().map_err(io::Error::other)?;
    if !retries {
        return Ok(OpenedOutput::new(Box::new(name.connect()?)));
    }
    let output = ServedOutput::connect(name, options)?;
    Ok(OpenedOutput {
        clients: Some(output.clients()),
        ..OpenedOutput::new(Box::new(output))
    })
}

/// A socket that others connect to.
fn listen(target: &Target) -> io::Result<OpenedOutput> {
    let (name, _, options) = target.socket().map_err(io::Error::other)?;
    let listener = name.listen()?;
    let place = listener.place();
    let output = ServedOutput::listen(listener, options)?;
    Ok(OpenedOutput {
        clients: Some(output.clients()),
        listens: Some(place),
        ..OpenedOutput::new(Box::new(output))
    })
}

/// A program that reads what is written.
fn run(target: &Target) -> io::Result<OpenedOutput> {
    let words = target.command().map_err(io::Error::other)?;
    let program = ReadingProgram::run(&words)?;
    Ok(OpenedOutput {
        program: Some(Arc::clone(&program)),
        ..OpenedOutput::new(Box::new(ProgramWriter(program)))
    })
}

/// A file that keeps what was in it until something is written to it, or it is flushed: where another output cannot be
/// opened, there is no run, and nothing is to be destroyed by it.
struct OpenedFile {
    file: File,
    /// What was in it is in it still.
    old: bool,
}

impl OpenedFile {
    fn new(name: &OsStr) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(name)?;
        Ok(Self { file, old: true })
    }

    #[cold]
    fn empty(&mut self) -> io::Result<()> {
        // Pipes and devices have nothing that could be emptied.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.old = false;
        Ok(())
    }
}

impl AsFd for OpenedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Write for OpenedFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.old {
            self.empty()?;
        }
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.old {
            self.empty()?;
        }
        self.file.flush()
    }
}

/// A file whose content ends in the same way whenever the program does, by a signal that nobody can catch too: what ends it is
/// written behind each piece, and written over by the next one.
struct DocumentFile<F> {
    file: F,
    end: &'static [u8],
    /// Where the end stands.
    at: u64,
}

impl<F: Write + AsFd> Write for DocumentFile<F> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // The piece, and behind it the end, in one go: nothing comes between them. The last piece is that end.
        let all = match octets.ends_with(self.end) {
            true => octets.to_vec(),
            false => [octets, self.end].concat(),
        };
        self.file.write_all(&all)?;
        self.at += octets.len() as u64;
        seek(self.file.as_fd(), SeekFrom::Start(self.at))?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file that keeps this end, where it can be written over; else the same writer.
fn document<F: Write + AsFd + Send + 'static>(file: F, end: &'static [u8]) -> io::Result<Writer> {
    let is_file = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::RegularFile;
    Ok(match is_file {
        true => Box::new(DocumentFile { file, end, at: 0 }),
        false => Box::new(file),
    })
}

/// Characters for private use (Unicode, 23.5: plane 16) that stand for octets which are none, while a name is read.
const STAND_INS: u32 = 0x10_ff00;

/// An OUTPUT of the command line: where it goes, and what follows the question mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    scheme: &'static str,
    /// What stands behind the scheme, in words: a path, or `-` for stdout.
    pub name: String,
    /// The same as the system has it, which need not be UTF-8.
    pub path: OsString,
    /// Keys and values, in order.
    pub options: Vec<(String, String)>,
    /// Those that are the scheme's own.
    own: Vec<(String, String)>,
}

impl Target {
    /// What may stand before the first colon.
    pub fn schemes() -> impl Iterator<Item = &'static str> {
        let sockets = SocketScheme::ALL.iter().map(|scheme| scheme.name);
        [FILE, EXEC].into_iter().chain(sockets)
    }

    /// stdout.
    pub fn stdout() -> Self {
        Self {
            scheme: FILE,
            name: "-".to_owned(),
            path: "-".into(),
            options: Vec::new(),
            own: Vec::new(),
        }
    }

    /// It has the name of a file, `-` among them; all others are sockets and programs, and what is written does not stay here.
    pub fn is_file(&self) -> bool {
        self.scheme == FILE
    }

    /// What stands behind the scheme where that is no file's.
    fn rest(&self) -> &str {
        self.name.split_once(':').map_or("", |(_, rest)| rest)
    }

    /// The words of the command.
    fn command(&self) -> Result<Vec<String>, String> {
        child::words(self.rest())
    }

    /// The socket, whether it is connected to again and again, and what clients may have.
    fn socket(&self) -> Result<(SocketName, bool, ServeOptions), String> {
        let read = SocketScheme::named(self.scheme).ok_or("no socket")?.read;
        let mut options = ServeOptions::default();
        let mut retries = false;
        for (key, value) in &self.own {
            let wrong = |what: &str| format!("{key}={value}: {what}");
            match key.as_str() {
                "queue" => {
                    let queue = size(value).map_err(|what| wrong(&what))?;
                    let queue = Some(queue).filter(|n| *n > 0);
                    options.queue =
                        queue.ok_or_else(|| wrong("nothing could wait: give a size, as 16M"))?;
                }
                "clients" => {
                    let clients = value.parse().ok().filter(|n| (1..=CLIENTS).contains(n));
                    options.clients =
                        clients.ok_or_else(|| wrong("is no number of clients: give 1 to 1024"))?;
                }
                _ => retries = true,
            }
        }
        Ok((read(self.rest())?, retries, options))
    }

    /// A path, whatever stands in it.
    pub fn file(path: &OsStr) -> Self {
        Self {
            name: path.to_string_lossy().into_owned(),
            path: path.to_owned(),
            ..Self::stdout()
        }
    }

    /// [`Target::new`] for what need not be UTF-8: `read` is that, or a reader that looks at more.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub fn from_os(
        text: &OsStr,
        read: impl FnOnce(&str) -> Result<Self, String>,
    ) -> Result<Self, String> {
        if let Some(text) = text.to_str() {
            return read(text);
        }
        // What is no character passes the parts of a name as a character that has no other use.
        let mut coded = String::new();
        for chunk in text.as_bytes().utf8_chunks() {
            coded.push_str(chunk.valid());
            let stand_in = |octet: &u8| char::from_u32(STAND_INS + u32::from(*octet));
            coded.extend(chunk.invalid().iter().filter_map(stand_in));
        }
        let mut target = read(&coded)?;
        let mut octets = Vec::new();
        for c in target.name.chars() {
            match u8::try_from(u32::from(c).wrapping_sub(STAND_INS)) {
                Ok(octet) => octets.push(octet),
                Err(_) => octets.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        target.path = OsString::from_vec(octets);
        target.name = target.path.to_string_lossy().into_owned();
        Ok(target)
    }

    /// Takes `NAME`, `SCHEME:NAME` and `SCHEME:NAME?KEY=VALUE&KEY=VALUE`; a name that has a question mark stands in
    /// quotation marks, single or double. Without a scheme a question mark belongs to the name, but behind `-`. A command has
    /// options behind it only where the whole of it stands in quotation marks.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn new(text: &str) -> Result<Self, String> {
        // `-w -x` is a forgotten argument much more often than a file called `-x`.
        if text.starts_with('-') && text != "-" && !text.starts_with("-?") {
            return Err(format!(
                "is an option, and an output is missing: give a path (a file of this name is ./{text})"
            ));
        }
        let scheme = text.split_once(':').and_then(|(word, rest)| {
            let is_it = |known: &&str| known.eq_ignore_ascii_case(word);
            Some((Self::schemes().find(is_it)?, rest))
        });
        let socket = scheme.and_then(|(word, _)| SocketScheme::named(word));
        if scheme.is_none()
            && let Some((word, _)) = text.split_once("://")
        {
            let known: Vec<_> = Self::schemes().collect();
            return Err(format!(
                "{word}: no such scheme: expected a path, - or {}:PATH",
                known.join(", ")
            ));
        }
        let (name, query) = match scheme {
            Some((EXEC, rest)) => split_command(rest),
            Some((_, rest)) => split_query(rest)?,
            None if text.starts_with("-?") => split_query(text)?,
            None => (text, None),
        };
        if name.is_empty() {
            return Err(match (socket, scheme) {
                (Some(socket), _) => format!("a name is missing: give one, as {}", socket.example),
                (None, Some((EXEC, _))) => {
                    "a command is missing: give one, as 'exec:tshark -r -'".to_owned()
                }
                _ => "a name is missing: give a path, or - for stdout".to_owned(),
            });
        }
        let (mut options, mut own) = (Vec::new(), Vec::new());
        let query = query.unwrap_or_default();
        // It is the end of the text.
        let mut at = text.len() - query.len();
        for part in query.split('&') {
            let begin = at;
            at += part.len() + 1;
            if part.is_empty() {
                continue;
            }
            let is_own = |key: &str| socket.is_some_and(|s| socket_options(s).contains(&key));
            if part == "retry" && is_own(part) {
                own.push((part.to_owned(), String::new()));
                continue;
            }
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| mistake(text, begin, "expected KEY=VALUE", part))?;
            let list = if is_own(key) { &mut own } else { &mut options };
            list.push((key.to_owned(), value.to_owned()));
        }
        // What is no path stands with its scheme wherever it is shown.
        let scheme = scheme.map_or(FILE, |(word, _)| word);
        let name = match scheme {
            FILE => name.to_owned(),
            _ => format!("{scheme}:{name}"),
        };
        let target = Self {
            scheme,
            path: OsString::from(&name),
            name,
            options,
            own,
        };
        match target.scheme {
            FILE => {}
            EXEC => drop(target.command()?),
            _ => drop(target.socket()?),
        }
        Ok(target)
    }
}

/// What is wrong at an octet of an OUTPUT: what was expected there instead of what stands there.
fn mistake(text: &str, at: usize, expected: &str, found: &str) -> String {
    let before = text.get(..at).unwrap_or(text);
    let place = before.chars().count() + 1;
    format!("character {place}: {expected}, found {found}: for example file:out.pcap?protocol=http")
}

/// Parts a command from what follows the question mark. Its words may have question marks and quotation marks of their own: options are
/// behind it only where one pair of quotation marks holds the whole of it.
fn split_command(text: &str) -> (&str, Option<&str>) {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let parts = quote.and_then(|quote| {
        let (command, rest) = text.strip_prefix(quote)?.split_once(quote)?;
        Some((command, Some(rest.strip_prefix('?')?)))
    });
    parts.unwrap_or((text, None))
}

/// Opens an output. What is in a file stays there until the first octet is written, or it is flushed.
///
/// # Errors
///
/// Those of the system.
pub fn open(target: &Target) -> Result<Writer, OutputError> {
    open_any(target).map(|opened| opened.to)
}

/// The same, with what is known of those who read it.
///
/// # Errors
///
/// Those of the system.
pub fn open_any(target: &Target) -> Result<OpenedOutput, OutputError> {
    let opened = match (target.scheme, SocketScheme::named(target.scheme)) {
        (EXEC, _) => run(target),
        (_, None) => open_file(target),
        (_, Some(socket)) if socket.listens => listen(target),
        (_, Some(_)) => connect(target),
    };
    opened.map_err(|source| cannot_open(target, source))
}

/// The same, for a document that ends in this way, however the program does, where it is a file.
///
/// # Errors
///
/// Those of the system.
pub(crate) fn open_document(target: &Target, end: &'static [u8]) -> Result<Writer, OutputError> {
    if !target.is_file() {
        let what = "a document is one file: name a path";
        return Err(cannot_open(target, io::Error::other(what)));
    }
    if target.name == "-" {
        return open(target);
    }
    let opened = OpenedFile::new(&target.path).and_then(|file| document(file, end));
    opened.map_err(|source| cannot_open(target, source))
}

fn cannot_open(target: &Target, source: io::Error) -> OutputError {
    OutputError {
        name: shown(&target.name).to_owned(),
        doing: "open",
        source,
    }
}

/// Makes a folder for an output, unless it is there. Those that it is in have to be there: a name that was mistyped makes none.
///
/// # Errors
///
/// Those of the system; something else has this name.
pub(crate) fn make_folder(path: &Path) -> Result<(), OutputError> {
    let made = match std::fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    };
    made.map_err(|source| OutputError {
        name: path.display().to_string(),
        doing: "make the folder",
        source,
    })
}

/// Refuses an output that is a file which is also read: opening it would empty it, and a pipe would feed itself.
///
/// # Errors
///
/// Where `output` is the same file as one of `inputs`; `-` is stdout there and stdin here. What cannot be looked at is
/// left to be opened.
pub fn refuse_input(output: &OsStr, inputs: &[&OsStr]) -> Result<(), OutputError> {
    // By device and number, so that a link or another path to the same file is seen too.
    let Some(file) = identity(output, || io::stdout().as_fd().try_clone_to_owned()) else {
        return Ok(());
    };
    for input in inputs {
        if identity(input, || io::stdin().as_fd().try_clone_to_owned()) == Some(file) {
            return Err(OutputError {
                name: shown(&output.to_string_lossy()).to_owned(),
                doing: "write",
                source: io::Error::other("it is also an input: write to another file"),
            });
        }
    }
    Ok(())
}

/// Makes a file, or opens an empty one that is there. No link is followed.
fn new_or_empty(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let new = flags | OFlags::CREATE | OFlags::EXCL;
    let there = match rustix::fs::open(path, new, Mode::from_raw_mode(0o666)) {
        Ok(file) => return Ok(file.into()),
        Err(e) => io::Error::from(e),
    };
    if there.kind() != io::ErrorKind::AlreadyExists {
        return Err(there);
    }
    let file = rustix::fs::open(path, flags, Mode::empty()).map(File::from);
    let is_empty = |file: &File| {
        let found = file.metadata();
        found.is_ok_and(|found| found.is_file() && found.len() == 0)
    };
    file.ok().filter(is_empty).ok_or(there)
}

/// Device and number of a regular file.
fn identity(name: &OsStr, standard: impl FnOnce() -> io::Result<OwnedFd>) -> Option<(u64, u64)> {
    let metadata = if name == "-" {
        File::from(standard().ok()?).metadata()
    } else {
        std::fs::metadata(name)
    };
    // Pipes and terminals have no content to lose.
    let metadata = metadata.ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

/// What the clock of the machine shows.
pub(crate) fn wall_clock() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = u64::try_from(now.unwrap_or_default().as_nanos());
    Timestamp::from_nanos(nanos.unwrap_or(u64::MAX))
}

/// The name of an output in words.
pub(crate) fn shown(name: &str) -> &str {
    if name == "-" { "stdout" } else { name }
}

/// A buffered output. Nothing that it is given fails at once: the first error stays inside, what follows it is dropped,
/// and [`BufferedWriter::flush`] returns it.
pub(crate) struct BufferedWriter {
    name: String,
    to: Writer,
    buffer: Vec<u8>,
    /// Flush after every record.
    each: bool,
    /// Octets that were written from the buffer, or past it.
    written: u64,
    /// Messages in that; None where it holds something else.
    messages: Option<u64>,
    opened: Timestamp,
    failed: Option<io::Error>,
    /// The path and the file there, where that can be opened anew.
    path: Option<(OsString, (u64, u64))>,
    /// Nothing is written any more: the reader has gone away, or there was an error.
    closed: bool,
    /// Those who read it, where they come and go, and the number of the last one that was let in.
    clients: Option<Arc<ServedClients>>,
    newest: u64,
    /// What is in the buffer is for some of them only.
    aside: bool,
}

impl BufferedWriter {
    /// Writes to `to`, which is called `name` in errors.
    pub(crate) fn new(name: &str, to: Writer, each: bool) -> Self {
        Self {
            name: name.to_owned(),
            to,
            buffer: Vec::new(),
            each,
            written: 0,
            messages: None,
            opened: wall_clock(),
            failed: None,
            path: None,
            closed: false,
            clients: None,
            newest: 0,
            aside: false,
        }
    }

    /// Says who reads it: those who come are let in by [`admit`](Self::admit).
    pub(crate) fn serves(&mut self, clients: Arc<ServedClients>) {
        clients.are_let_in_by_output();
        self.clients = Some(clients);
    }

    /// Lets those in who have come to read it; what is in the buffer is not for them.
    pub(crate) fn admit(&mut self) {
        if self.clients.as_ref().is_some_and(|clients| clients.wait()) {
            self.push();
            self.newest = self.clients.as_ref().map_or(0, |clients| clients.admit());
        }
    }

    /// The number of the client that was let in last.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    /// What is written now is for some clients only.
    pub(crate) const fn is_aside(&self) -> bool {
        self.aside
    }

    /// What is written until [`end_aside`](Self::end_aside) is for some clients only.
    pub(crate) fn begin_aside(&mut self) {
        self.push();
        self.aside = true;
    }

    /// It is for those that were let in behind this number.
    pub(crate) fn end_aside(&mut self, number: u64) {
        self.aside = false;
        let octets = std::mem::take(&mut self.buffer);
        if let Some(clients) = &self.clients {
            clients.write_behind(number, octets);
        }
    }

    /// Says where it writes, just after that was opened: [`reopen`](Self::reopen) opens it anew.
    pub(crate) fn reopens(&mut self, target: &Target) {
        if target.name != "-" {
            let file = identity(&target.path, || Err(io::ErrorKind::NotFound.into()));
            self.path = file.map(|file| (target.path.clone(), file));
        }
    }

    /// Writes what is left and goes on in a new file of the same name, or in an empty one that the rotation of logs has made there. A
    /// file that still stands under its name, or another one that does, is left as it is: what is in it may not be anywhere else. True
    /// where a new file begins.
    pub(crate) fn reopen(&mut self, done: &mut Reopened) -> bool {
        self.reopen_document(done, b"")
    }

    /// The same for documents with this end.
    pub(crate) fn reopen_document(&mut self, done: &mut Reopened, end: &'static [u8]) -> bool {
        let Some((path, file)) = &self.path else {
            return false;
        };
        if identity(path, || Err(io::ErrorKind::NotFound.into())) == Some(*file) {
            done.unmoved.push(path.to_string_lossy().into_owned());
            return false;
        }
        let path = path.clone();
        let file = new_or_empty(Path::new(&path)).and_then(|file| match end {
            b"" => Ok(Box::new(file) as Writer),
            end => document(file, end),
        });
        match file {
            Ok(file) => {
                self.buffer.extend_from_slice(end);
                self.go_on_in(file);
                self.reopens(&Target::file(&path));
                done.files += 1;
                true
            }
            Err(source) => {
                done.errors.push(OutputError {
                    name: path.to_string_lossy().into_owned(),
                    doing: "open anew",
                    source,
                });
                false
            }
        }
    }

    /// Writes what is left and goes on elsewhere.
    pub(crate) fn go_on_in(&mut self, to: Writer) {
        self.push();
        self.to = to;
        self.closed = false;
    }

    /// What it is given still goes somewhere.
    pub(crate) const fn is_open(&self) -> bool {
        !self.closed
    }

    /// Appends a record that is made of parts.
    #[inline(always)] // for each record: the length of its header is known where it is called
    pub(crate) fn write<const N: usize>(&mut self, parts: [&[u8]; N]) {
        self.make_room();
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
        self.written();
    }

    /// Appends a record that `fill` writes into the buffer.
    pub(crate) fn record(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        self.make_room();
        fill(&mut self.buffer);
        self.written();
    }

    fn make_room(&mut self) {
        if self.buffer.capacity() == 0 {
            // Made when the first octet comes: an output that gets nothing costs nothing.
            self.buffer.reserve_exact(FLUSH_AT + (128 << 10));
        }
    }

    fn written(&mut self) {
        // A record is never split over two writes of the buffer, so that a reader of a pipe sees
        // whole ones as soon as they come.
        if (self.each || self.buffer.len() >= FLUSH_AT) && !self.aside {
            self.push();
        }
    }

    /// What went through it.
    pub(crate) fn channel(&self) -> ChannelCounters {
        ChannelCounters {
            name: self.name.clone(),
            octets: self.written + self.buffer.len() as u64,
            messages: self.messages,
            opened: self.opened,
            ..ChannelCounters::default()
        }
    }

    /// The same; messages are written to it, which [`messages`](Self::messages) counts.
    pub(crate) fn of_messages(mut self) -> Self {
        self.messages = Some(0);
        self
    }

    /// What is written next has so many messages in it.
    pub(crate) fn messages(&mut self, more: u64) {
        if let Some(messages) = &mut self.messages {
            *messages += more;
        }
    }

    /// Writes a long record past the buffer, behind all that is in it.
    pub(crate) fn write_through(&mut self, record: &[u8]) {
        self.drain();
        self.written += record.len() as u64;
        self.try_write(|to| to.write_all(record));
        if self.each {
            self.push();
        }
    }

    fn try_write(&mut self, f: impl FnOnce(&mut Writer) -> io::Result<()>) {
        if self.closed {
            // Nothing is tried twice: after an error an output has a hole, and what follows would
            // be misread.
            return;
        }
        if let Err(e) = f(&mut self.to) {
            self.closed = true;
            // The reader has what it wanted: no error of this program's.
            if e.kind() != io::ErrorKind::BrokenPipe {
                self.failed = Some(e);
            }
        }
    }

    fn drain(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        // Taken and put back, for the allocation to stay.
        let buffer = std::mem::take(&mut self.buffer);
        self.written += buffer.len() as u64;
        self.try_write(|to| to.write_all(&buffer));
        self.buffer = buffer;
        self.buffer.clear();
    }

    fn push(&mut self) {
        self.drain();
        self.try_write(|to| to.flush());
    }

    /// Writes all that is buffered. Breaks where the reader has gone away, which is no error.
    pub(crate) fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.push();
        match self.failed.take() {
            Some(source) => Err(OutputError {
                name: self.name.clone(),
                doing: "write",
                source,
            }),
            None if self.closed => Ok(ControlFlow::Break(())),
            None => Ok(ControlFlow::Continue(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parted_from_options() {
        for (text, name, options) in [
            ("x.pcap", "x.pcap", &[][..]),
            ("-", "-", &[]),
            ("what?.pcap", "what?.pcap", &[]),
            ("a:b", "a:b", &[]),
            ("file:a:b", "a:b", &[]),
            ("file:x?kind=dropped", "x", &[("kind", "dropped")]),
            ("-?format=pcapng", "-", &[("format", "pcapng")]),
            (
                "file:x?protocol=http,sip&encap=pdu",
                "x",
                &[("protocol", "http,sip"), ("encap", "pdu")],
            ),
            ("file:'my capture?.pcap'", "my capture?.pcap", &[]),
            ("file:\"x\"?a=b", "x", &[("a", "b")]),
            (
                "tcp://h:1?retry&kind=dropped",
                "tcp://h:1",
                &[("kind", "dropped")],
            ),
            (
                "tcp-listen://5000?clients=2&queue=1M",
                "tcp-listen://5000",
                &[],
            ),
            ("unix:'a?b'?queue=7", "unix:a?b", &[]),
            ("exec:a 'b?c=d'", "exec:a 'b?c=d'", &[]),
            ("EXEC:'a b'?c=d", "exec:a b", &[("c", "d")]),
        ] {
            let target = Target::new(text).unwrap();
            let expected: Vec<_> = options
                .iter()
                .map(|(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(
                (target.name.as_str(), target.options),
                (name, expected),
                "{text}"
            );
        }
        for wrong in [
            "",
            "-n",
            "--print",
            "file:",
            "udp://x:1",
            "tcp://x",
            "tcp:x:1",
            "tcp-listen://1?retry",
            "tcp-listen://1?clients=0",
            "unix:",
            "unix:x?queue=much",
            "exec:",
            "exec: ",
            "exec:a 'b",
            "file:'x",
            "file:'x'y",
            "file:x?a",
        ] {
            assert!(Target::new(wrong).is_err(), "{wrong}");
        }
    }
}
