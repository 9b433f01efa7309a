//! Reading that can be asked to stop, or to look up for a moment.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
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

    /// The wish has been made known.
    pub(super) fn is_asked(&self) -> bool {
        let mut fds = [PollFd::new(&*self.wish, PollFlags::IN)];
        // An interrupted poll is asked again at the next read.
        let ready = poll(&mut fds, Some(&AT_ONCE)).is_ok_and(|n| n > 0);
        // An end that was dropped wishes for nothing.
        ready && !fds[0].revents().contains(PollFlags::HUP)
    }
}

/// What a reader that waits hears.
enum Heard {
    /// Something can be read.
    Ready,
    /// The wish to stop.
    Asked,
    /// Nothing for as long as a reader waits that was asked to stop.
    Silence,
}

/// Waits until something can be read from `input`, or something else is heard. `asked`: the wish to stop was heard before, and only
/// silence is waited for. `stop`: none is heard without one.
fn hear(stop: Option<&Stop>, asked: bool, input: BorrowedFd<'_>) -> io::Result<Heard> {
    loop {
        let bell = stop.and_then(|stop| stop.bell.as_ref());
        // Once it was asked, the wish would be heard for ever.
        let wish = stop.filter(|_| !asked).map(|stop| stop.wish.as_fd());
        let fds = [
            input,
            bell.map_or(input, |b| b.as_fd()),
            wish.unwrap_or(input),
        ];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let silence = match asked {
            true => Some(&SILENCE),
            false => stop.and_then(|stop| stop.ticks.as_ref()),
        };
        match poll(&mut fds, silence) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
            Ok(0) if asked => return Ok(Heard::Silence),
            Ok(0) => return Err(io::Error::other(Woken)),
            Ok(_) => {}
        }
        let [ready, rung, wished] = fds.map(|fd| !fd.revents().is_empty());
        // What is there is read before anything else is heard.
        if ready {
            return Ok(Heard::Ready);
        }
        if rung && let Some(bell) = bell {
            let _ = (&**bell).read(&mut [0; 64]);
            return Err(io::Error::other(Woken));
        }
        if wished {
            return Ok(Heard::Asked);
        }
    }
}

/// Waits until something can be read from `input`; false where the wish to stop was made known before.
pub(super) fn wait(stop: Option<&Stop>, input: &impl AsFd) -> io::Result<bool> {
    hear(stop, false, input.as_fd()).map(|heard| matches!(heard, Heard::Ready))
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
            match hear(Some(&self.stop), self.asked, self.input.as_fd())? {
                Heard::Ready => return self.input.read(buf),
                Heard::Silence => return Ok(0),
                Heard::Asked => self.asked = true,
            }
        }
    }
}
