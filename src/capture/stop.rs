//! Reading that can be asked to stop, or to look up for a moment.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Silence after which a reader that was asked to stop takes its input for ended.
// Ctrl-C reaches the whole pipe: the writer ahead still has octets to flush, and the kernel's ring
// gives packets to tcpdump up to a second late. Twice would feel like a hang.
const SILENCE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// A wish to stop, made known by an octet in a socket: a signal handler can write that.
#[derive(Debug, Clone)]
pub struct Stop {
    wish: Arc<UnixStream>,
    bell: Option<Arc<UnixStream>>,
    /// The bell rings by itself after so much silence.
    ticks: Option<Timespec>,
    /// A pipe that is written to: where its reader has gone, nothing more is wished for.
    output: Option<Arc<File>>,
}

impl Stop {
    /// A wish, and the socket to make it known with.
    ///
    /// # Errors
    /// Those of `socketpair`.
    pub fn new() -> io::Result<(Self, UnixStream)> {
        let (here, there) = UnixStream::pair()?;
        let stop = Self {
            wish: Arc::new(here),
            bell: None,
            ticks: None,
            output: None,
        };
        Ok((stop, there))
    }

    /// Adds a bell, and gives the socket to ring it with: an octet there makes [`Inputs::fill`](super::Inputs::fill)
    /// return from a silent pipe without anything new.
    ///
    /// # Errors
    /// Those of `socketpair`.
    pub fn with_bell(mut self) -> io::Result<(Self, UnixStream)> {
        let (here, there) = UnixStream::pair()?;
        here.set_nonblocking(true)?;
        self.bell = Some(Arc::new(here));
        Ok((self, there))
    }

    /// A silent pipe makes [`Inputs::fill`](super::Inputs::fill) return each time that this time has passed, as a bell does.
    #[must_use]
    pub fn with_ticks(mut self, every: Duration) -> Self {
        self.ticks = Timespec::try_from(every).ok();
        self
    }

    /// The wish is also that nobody reads the other end of this pipe any more: where the input is silent, no write would show it.
    #[must_use]
    pub fn with_output(mut self, pipe: File) -> Self {
        self.output = Some(Arc::new(pipe));
        self
    }

    /// The reader of the output has gone.
    fn is_left(&self) -> bool {
        self.output.as_ref().is_some_and(|output| {
            // Errors are heard without being asked for.
            let mut fds = [PollFd::new(output, PollFlags::empty())];
            poll(&mut fds, Some(&AT_ONCE)).is_ok_and(|n| n > 0)
        })
    }

    /// The wish has been made known.
    pub(super) fn is_asked(&self) -> bool {
        if self.is_left() {
            return true;
        }
        let mut fds = [PollFd::new(&*self.wish, PollFlags::IN)];
        // An interrupted poll is asked again at the next read.
        let ready = poll(&mut fds, Some(&AT_ONCE)).is_ok_and(|n| n > 0);
        // An end that was dropped wishes for nothing.
        ready && !fds[0].revents().contains(PollFlags::HUP)
    }
}

/// What a reader that waits hears.
pub(super) enum Heard {
    /// Something can be read from the input of this number.
    Ready(usize),
    /// The wish to stop.
    Asked,
    /// Nothing for as long as a reader waits that was asked to stop.
    Silence,
}

/// Waits until something can be read from one of `inputs`, or something else is heard. `asked`: the wish to stop was heard before, and
/// only silence is waited for. `stop`: none is heard without one. Of several inputs the first one behind `last` is told.
pub(super) fn hear(
    stop: Option<&Stop>,
    asked: bool,
    inputs: &[BorrowedFd<'_>],
    last: usize,
) -> io::Result<Heard> {
    let bell = stop.and_then(|stop| stop.bell.as_ref());
    // Once it was asked, the wish would be heard for ever.
    let asking = stop.filter(|_| !asked);
    let wish = asking.map(|stop| stop.wish.as_fd());
    let output = asking.and_then(|stop| stop.output.as_ref());
    let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
    let mut fds: Vec<_> = inputs.iter().copied().map(readable).collect();
    fds.extend(bell.map(|bell| readable(bell.as_fd())));
    fds.extend(wish.map(readable));
    // Errors are heard without being asked for.
    fds.extend(output.map(|output| PollFd::new(output, PollFlags::empty())));
    let silence = match asked {
        true => Some(&SILENCE),
        false => stop.and_then(|stop| stop.ticks.as_ref()),
    };
    loop {
        match poll(&mut fds, silence) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
            Ok(0) if asked => return Ok(Heard::Silence),
            Ok(0) => return Err(woken()),
            Ok(_) => break,
        }
    }
    let is_heard = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
    // What is there is read before anything else is heard.
    let in_turn = (last + 1..inputs.len()).chain(0..inputs.len().min(last + 1));
    if let Some(ready) = in_turn.into_iter().find(|at| is_heard(*at)) {
        return Ok(Heard::Ready(ready));
    }
    let Some(bell) = bell.filter(|_| is_heard(inputs.len())) else {
        return Ok(Heard::Asked);
    };
    let _ = (&**bell).read(&mut [0; 64]);
    Err(woken())
}

/// Waits until something can be read from `input`; false where the wish to stop was made known before.
pub(super) fn wait(stop: Option<&Stop>, input: &impl AsFd) -> io::Result<bool> {
    hear(stop, false, &[input.as_fd()], 0).map(|heard| matches!(heard, Heard::Ready(_)))
}

/// Waits for so long; false where the wish to stop was made known before.
pub(super) fn sleep(stop: Option<&Stop>, time: Duration) -> io::Result<bool> {
    let Some(stop) = stop else {
        thread::sleep(time);
        return Ok(true);
    };
    let ticks = stop.ticks.filter(|_| !time.is_zero());
    let wait = Timespec::try_from(time).map_err(io::Error::other)?;
    let step = ticks.map_or(wait, |ticks| ticks.min(wait));
    let stop = Stop {
        ticks: Some(step),
        ..stop.clone()
    };
    match hear(Some(&stop), false, &[], 0) {
        Err(e) if is_woken(&e) && step == wait => Ok(true),
        Err(e) => Err(e),
        Ok(_) => Ok(false),
    }
}

/// An error that says only that somebody was woken.
pub(super) fn woken() -> io::Error {
    io::Error::other(Woken)
}

/// The bell has rung; no error, and never shown.
#[derive(Debug)]
struct Woken;

impl fmt::Display for Woken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("woken")
    }
}

impl std::error::Error for Woken {}

/// This error says only that the bell has rung: reading can go on.
pub(super) fn is_woken(e: &io::Error) -> bool {
    e.get_ref().is_some_and(|e| e.is::<Woken>())
}

/// An input that ends after a second of silence once it was asked to stop.
pub(super) struct Stoppable<R> {
    input: R,
    stop: Stop,
    asked: bool,
}

impl<R> Stoppable<R> {
    pub(super) const fn new(input: R, stop: Stop) -> Self {
        Self {
            input,
            stop,
            asked: false,
        }
    }
}

impl<R: Read + AsFd> Read for Stoppable<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match hear(Some(&self.stop), self.asked, &[self.input.as_fd()], 0)? {
                Heard::Ready(_) => return self.input.read(buf),
                Heard::Silence => return Ok(0),
                Heard::Asked => self.asked = true,
            }
        }
    }
}
