//! Reading that can be asked to stop, or to look up for a moment.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::io::{self, Read};
use std::os::fd::AsFd;
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

/// Waits until something can be read from `input`; false where the wish to stop was made known before. `stop`: none is heard without one.
pub(super) fn wait(stop: Option<&Stop>, input: &impl AsFd) -> io::Result<bool> {
    loop {
        let input = input.as_fd();
        let bell = stop.and_then(|stop| stop.bell.as_ref());
        let wish = stop.map_or(input, |stop| stop.wish.as_fd());
        let fds = [input, bell.map_or(input, |b| b.as_fd()), wish];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        match poll(&mut fds, stop.and_then(|stop| stop.ticks.as_ref())) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
            Ok(0) => return Err(io::Error::other(Woken)),
            Ok(_) => {}
        }
        let [ready, rung, asked] = fds.map(|fd| !fd.revents().is_empty());
        if ready {
            return Ok(true);
        }
        if asked && stop.is_some() {
            return Ok(false);
        }
        if rung && let Some(bell) = bell {
            let _ = (&**bell).read(&mut [0; 64]);
            return Err(io::Error::other(Woken));
        }
    }
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
            let input = self.input.as_fd();
            let bell = self.stop.bell.as_ref().map_or(input, |b| b.as_fd());
            // Once it was asked, the wish would be heard for ever.
            let wish = if self.asked {
                input
            } else {
                self.stop.wish.as_fd()
            };
            let mut fds = [input, bell, wish].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
            let silence = if self.asked {
                Some(&SILENCE)
            } else {
                self.stop.ticks.as_ref()
            };
            match poll(&mut fds, silence) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
                Ok(0) if self.asked => return Ok(0),
                Ok(0) => return Err(io::Error::other(Woken)),
                Ok(_) => {}
            }
            let [read, rung, asked] = fds.map(|fd| !fd.revents().is_empty());
            // What is there is read before anything else is heard.
            if read {
                return self.input.read(buf);
            }
            if rung && let Some(bell) = &self.stop.bell {
                let _ = (&**bell).read(&mut [0; 64]);
                return Err(io::Error::other(Woken));
            }
            self.asked |= asked;
        }
    }
}
