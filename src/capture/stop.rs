//! Reading that can be asked to stop.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Silence after which a reader that was asked to stop takes its input for ended.
// Ctrl-C reaches the whole pipe: the writer ahead still has octets to flush, and the kernel's ring
// gives packets to tcpdump up to a second late. Twice would feel like a hang.
const SILENCE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// A wish to stop, made known by an octet in a socket: a signal handler can write that.
#[derive(Debug, Clone)]
pub struct Stop(Arc<UnixStream>);

impl Stop {
    /// A wish, and the socket to make it known with.
    ///
    /// # Errors
    /// Those of `socketpair`.
    pub fn new() -> io::Result<(Self, UnixStream)> {
        let (here, there) = UnixStream::pair()?;
        Ok((Self(Arc::new(here)), there))
    }
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
            let ready = if self.asked {
                let mut fds = [PollFd::new(&self.input, PollFlags::IN)];
                poll(&mut fds, Some(&SILENCE)).map(|n| n > 0)
            } else {
                // The socket wakes a read that waits without end; a flag would be looked at only
                // when the next packet comes.
                let mut fds = [
                    PollFd::new(&self.input, PollFlags::IN),
                    PollFd::new(&*self.stop.0, PollFlags::IN),
                ];
                let polled = poll(&mut fds, None);
                // What is there is read before the wish is heard.
                polled.map(|_| !fds[0].revents().is_empty())
            };
            match ready {
                Ok(true) => return self.input.read(buf),
                Ok(false) if self.asked => return Ok(0),
                Ok(false) => self.asked = true,
                // A signal may interrupt the wait without having anything to say.
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}
