//! Those who send captures to a socket: one after the other, or several at a time as interfaces of one capture.
//!
//! ```text
//!  listener ──> sender ──> Reader ──┐  the one that has something is read once,
//!               sender ──> Reader ──┼──> and then the next one that has: Totals (frames, interfaces, counters) goes from hand to hand
//!               sender ──> Reader ──┘
//! ```

use super::reader::{InputSource, Reader};
use super::stop::{self, Heard, Stop, is_woken};
use crate::base::sockets::{
    RetryPause, SocketListener, SocketName, SocketScheme, SocketStream, split_query,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Senders at a time that may be asked for: each has a buffer of 1 MiB, and more while it sends a larger block.
const MOST: usize = 64;
/// How long a sender among several is waited for where it stops inside what cannot be used without the rest (a block of zstd), in steps.
// The others are held up by it in the meantime.
const PATIENCE: u32 = 40;
const STEP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// Pause where a sender cannot be taken for want of descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// A socket that is an input, as it was named.
pub(super) struct NamedSocket {
    pub(super) name: SocketName,
    listens: bool,
    /// `?clients=`: senders at a time.
    clients: usize,
    /// `?retry`.
    retries: bool,
}

impl NamedSocket {
    /// Reads what stands behind the scheme.
    pub(super) fn new(scheme: &SocketScheme, rest: &str) -> Result<Self, String> {
        let (name, query) = split_query(rest)?;
        let mut socket = Self {
            name: (scheme.read)(name)?,
            listens: scheme.listens,
            clients: 1,
            retries: false,
        };
        for option in query.unwrap_or_default().split('&') {
            match option.split_once('=') {
                Some(("clients", n)) if scheme.listens => {
                    let n = n.parse().ok().filter(|n| (1..=MOST).contains(n));
                    socket.clients = n.ok_or_else(|| {
                        format!("{option}: is no number of senders at a time: give 1 to {MOST}")
                    })?;
                }
                None if option == "retry" && !scheme.listens => socket.retries = true,
                None if option.is_empty() => {}
                _ => {
                    let known = match scheme.listens {
                        true => "clients=4",
                        false => "retry",
                    };
                    return Err(format!(
                        "{option}: is no option of such an input: it takes ?{known}"
                    ));
                }
            }
        }
        Ok(socket)
    }

    /// Those who will send to it; None where there is one, who is connected to now.
    pub(super) fn senders(&self) -> io::Result<Option<Senders>> {
        if self.listens {
            let listener = self.name.listen()?;
            listener.set_nonblocking()?;
            return Ok(Some(Senders::Come(listener, self.clients)));
        }
        let again = || Senders::Again(self.name.clone(), RetryPause::default(), Instant::now());
        Ok(self.retries.then(again))
    }
}

/// How senders are found, until the run is asked to stop.
pub(super) enum Senders {
    /// They come, so many at a time.
    Come(SocketListener, usize),
    /// One is connected to, again where it cannot be reached or has ended: not before that time.
    Again(SocketName, RetryPause, Instant),
}

impl Senders {
    /// Where they come to.
    pub(super) fn place(&self) -> Option<String> {
        match self {
            Self::Come(listener, _) => Some(listener.place()),
            Self::Again(..) => None,
        }
    }

    /// Waits for the next one; none where the run is asked to stop.
    pub(super) fn next(
        &mut self,
        stop: Option<&Stop>,
    ) -> io::Result<Option<(SocketStream, String)>> {
        match self {
            Self::Come(listener, _) => {
                while stop::wait(stop, listener)? {
                    match listener.accept() {
                        Err(e) if is_gone(&e) => {}
                        done => return done.map(Some),
                    }
                }
                Ok(None)
            }
            Self::Again(name, pause, due) => {
                while stop::sleep(stop, due.saturating_duration_since(Instant::now()))? {
                    let connected = name.connect();
                    if connected.is_ok() {
                        *pause = RetryPause::default();
                    }
                    *due = Instant::now() + pause.grow();
                    if let Ok(stream) = connected {
                        return Ok(Some((stream, name.to_string())));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// Nobody has come, or whoever did has gone again or was not let in.
fn is_gone(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        ErrorKind::WouldBlock | ErrorKind::ConnectionAborted
    )
}

/// The connection of a sender among several.
struct SenderSocket {
    file: File,
    /// Nothing more of it is read.
    ended: AtomicBool,
}

impl AsFd for SenderSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A sender among several. What is not there yet is waited for only where what has come is of no use without it.
struct SenderRead {
    from: Arc<SenderSocket>,
    waited: u32,
}

impl Read for SenderRead {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        if self.from.ended.load(Ordering::Relaxed) {
            return Ok(0);
        }
        match (&self.from.file).read(octets) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                // Only the decoder of zstd asks again.
                self.waited += 1;
                if self.waited > PATIENCE {
                    let what = "the sender stops inside compressed data: send them whole";
                    return Err(io::Error::new(ErrorKind::TimedOut, what));
                }
                let mut fds = [PollFd::new(&self.from.file, PollFlags::IN)];
                let _ = poll(&mut fds, Some(&STEP));
                Err(stop::woken())
            }
            done => {
                self.waited = 0;
                done
            }
        }
    }
}

/// One of them that is not read now.
struct OtherSender {
    reader: Reader<InputSource>,
    from: Arc<SenderSocket>,
}

/// Several senders at a time.
pub(super) struct SendersTogether {
    name: String,
    listener: SocketListener,
    most: usize,
    /// The one that is read now, by the reader that the inputs have.
    current: Option<Arc<SenderSocket>>,
    others: Vec<OtherSender>,
    /// The last one that was read, of all that are waited for.
    last: usize,
    /// The wish to stop was heard.
    asked: bool,
    /// What was wrong with such.
    broken: Vec<String>,
}

impl SendersTogether {
    /// Those who come to `listener`, so many at a time.
    pub(super) const fn new(name: String, listener: SocketListener, most: usize) -> Self {
        Self {
            name,
            listener,
            most,
            current: None,
            others: Vec::new(),
            last: 0,
            asked: false,
            broken: Vec::new(),
        }
    }

    /// What they are called together.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What was wrong with senders since the last call.
    pub(super) fn take_broken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.broken)
    }

    /// Waits until one of them has something, and reads it once. `reader` is that of the one that was read last, or of the input before
    /// them; it is that of another one afterwards. False where all have ended since the run is asked to stop.
    pub(super) fn fill(
        &mut self,
        stop: Option<&Stop>,
        reader: &mut Reader<InputSource>,
        opened: &mut dyn FnMut(InputSource) -> InputSource,
    ) -> io::Result<bool> {
        loop {
            if reader.is_over() && self.current.take().is_some() {
                reader.let_go();
            }
            let mut fds = Vec::new();
            fds.extend(self.current.as_ref().map(|from| from.as_fd()));
            fds.extend(self.others.iter().map(|sender| sender.from.as_fd()));
            let senders = fds.len();
            if senders < self.most && !self.asked {
                fds.push(self.listener.as_fd());
            }
            let heard = match stop::hear(stop, self.asked, &fds, self.last) {
                Err(e) if is_woken(&e) => return Ok(true),
                heard => heard?,
            };
            drop(fds);
            match heard {
                Heard::Asked => self.asked = true,
                Heard::Silence => {
                    self.end(reader);
                    return Ok(false);
                }
                Heard::Ready(at) if at == senders => {
                    self.last = at;
                    self.accept(opened);
                }
                Heard::Ready(at) => {
                    self.last = at;
                    // The one that is read now is the first of all.
                    if let Some(other) = at.checked_sub(usize::from(self.current.is_some())) {
                        self.switch_to(other, reader);
                    }
                    self.read_once(reader);
                    return Ok(true);
                }
            }
        }
    }

    fn accept(&mut self, opened: &mut dyn FnMut(InputSource) -> InputSource) {
        let (stream, from) = match self.listener.accept() {
            Ok(came) => came,
            Err(e) if is_gone(&e) => return,
            // Mostly no descriptor is left, and the next attempt would be at once.
            Err(_) => return thread::sleep(EXHAUSTED),
        };
        let socket = Arc::new(SenderSocket {
            file: File::from(stream),
            ended: AtomicBool::new(false),
        });
        let name = format!("{} (from {from})", self.name);
        if let Err(e) = ioctl_fionbio(&socket.file, true) {
            return self.broken.push(format!("{name}: cannot be read: {e}"));
        }
        let source = SenderRead {
            from: Arc::clone(&socket),
            waited: 0,
        };
        self.others.push(OtherSender {
            reader: Reader::new(name, opened(Box::new(source))),
            from: socket,
        });
    }

    /// The reader becomes that of another one.
    fn switch_to(&mut self, other: usize, reader: &mut Reader<InputSource>) {
        let Some(next) = self.others.get_mut(other) else {
            return;
        };
        next.reader.take_over(reader);
        std::mem::swap(&mut next.reader, reader);
        match &mut self.current {
            Some(current) => std::mem::swap(current, &mut next.from),
            // It was the reader of one that has ended.
            None => self.current = Some(self.others.swap_remove(other).from),
        }
    }

    fn read_once(&mut self, reader: &mut Reader<InputSource>) {
        // What one sender does is no end for the others.
        match reader.fill() {
            Ok(true) => return,
            Ok(false) => {}
            Err(e) => self.broken.push(e.to_string()),
        }
        self.current = None;
        reader.let_go();
    }

    /// Ends all of them: what they have begun is cut short.
    fn end(&mut self, reader: &mut Reader<InputSource>) {
        loop {
            if let Some(current) = self.current.take() {
                current.ended.store(true, Ordering::Relaxed);
                self.read_once(reader);
            }
            if self.others.is_empty() {
                return;
            }
            self.switch_to(0, reader);
        }
    }
}
