//! Signals, and what they ask for.
//!
//! ```text
//!  SIGINT, SIGTERM   ──> Stop: reading ends
//!  SIGUSR1, HUP, 2   ──> flags, and a bell that ends a read which waits
//!  SIGXFSZ           ──> nothing: the write that is too long fails
//! ```

use crate::capture::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::{flag, low_level};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What signals have asked for.
pub struct Signals {
    pub(super) stop: Stop,
    /// SIGINT and SIGTERM end the program at once.
    at_once: Arc<AtomicBool>,
    counters: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
    state: Arc<AtomicBool>,
}

impl Signals {
    /// Signals are not caught; `stop` may be asked by other means.
    pub fn none(stop: Stop) -> Self {
        let flag = Arc::<AtomicBool>::default;
        Self {
            stop,
            at_once: flag(),
            counters: flag(),
            reopen: flag(),
            state: flag(),
        }
    }

    /// Catches signals, which is the first thing that the program does: others would end it. The first SIGINT or SIGTERM asks for an
    /// end, the second one ends the program at once.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn catch() -> io::Result<Self> {
        let (stop, wish) = Stop::new()?;
        let (stop, bell) = stop.with_bell()?;
        // A ring more is lost, where the bell has not been heard yet: the handler must not wait.
        bell.set_nonblocking(true)?;
        let signals = Self::none(stop);
        let requested = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_default(signal, Arc::clone(&requested))?;
            flag::register_conditional_default(signal, Arc::clone(&signals.at_once))?;
            flag::register(signal, Arc::clone(&requested))?;
            low_level::pipe::register(signal, wish.try_clone()?)?;
        }
        let flags = [
            (SIGUSR1, &signals.counters),
            (SIGHUP, &signals.reopen),
            (SIGUSR2, &signals.state),
        ];
        for (signal, asked) in flags {
            flag::register(signal, Arc::clone(asked))?;
            low_level::pipe::register(signal, bell.try_clone()?)?;
        }
        // What it would tell is what the write says too, and of one output only.
        flag::register(SIGXFSZ, Arc::default())?;
        Ok(signals)
    }

    /// While this holds, nothing is lost when SIGINT ends the program: it waits for a reader of a named pipe, perhaps.
    pub fn end_at_once(&self, so: bool) {
        self.at_once.store(so, Ordering::Relaxed);
    }

    /// SIGUSR1 has come since the last call.
    pub(super) fn counters(&self) -> bool {
        self.counters.swap(false, Ordering::Relaxed)
    }

    /// SIGHUP has come since the last call.
    pub(super) fn reopen(&self) -> bool {
        self.reopen.swap(false, Ordering::Relaxed)
    }

    /// SIGUSR2 has come since the last call.
    pub(super) fn state(&self) -> bool {
        self.state.swap(false, Ordering::Relaxed)
    }
}
