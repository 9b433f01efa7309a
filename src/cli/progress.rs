//! `--progress`: a bar on stderr that says how far a run has come.

use super::config::{Config, terminal_is_dumb};
use super::lines;
use super::values::ShownProgress;
use crate::capture::input_path;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A run that ends sooner needs no bar.
const AFTER: Duration = Duration::from_secs(1);
/// How often it is drawn anew.
const EVERY: Duration = Duration::from_millis(100);
/// Columns where stderr has none.
const WIDTH: u16 = 80;
/// Columns that all of it needs, with the largest numbers that are met. Fewer have room for a part of it: a line that is longer than the
/// terminal is wide could not be taken away for certain.
const WIDE: u16 = 72;

/// The bar of a run.
pub(super) struct Progress {
    bar: ProgressBar,
    /// It is drawn from then on.
    from: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// The bar that a run is to have, if any. `now`: it begins then.
    pub(super) fn new(config: &Config, now: Instant) -> Option<Self> {
        let always = match config.progress {
            ShownProgress::Never => return None,
            ShownProgress::Always => true,
            ShownProgress::Auto => false,
        };
        // What is traced, and lines of messages on the same terminal, would be written into it.
        let lines = config.writes_stdout() && io::stdout().is_terminal();
        if config.quiet || config.trace.is_some() || lines {
            return None;
        }
        let total = total(&config.inputs);
        let shows = io::stderr().is_terminal() && !terminal_is_dumb();
        if !always && (total.is_none() || !shows || is_read(config)) {
            return None;
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let form = match (total, StderrLine.width()) {
            (Some(_), WIDE..) => {
                "{bytes} of {total_bytes} {wide_bar} {bytes_per_sec}, {eta} left, {msg}"
            }
            (Some(_), _) => "{percent}% {wide_bar}",
            (None, WIDE..) => "{bytes}, {bytes_per_sec}, {msg}",
            (None, _) => "{bytes}",
        };
        // A form that is wrong would be seen by the tests.
        bar.set_style(
            ProgressStyle::with_template(form)
                .ok()?
                .progress_chars("=> "),
        );
        Some(Self {
            bar,
            from: if always { now } else { now + AFTER },
            drawn: None,
        })
    }

    /// So many octets of the inputs have been read by now, and so many messages found in them.
    pub(super) fn show(&mut self, now: Instant, read: u64, messages: u64) {
        let due = self.drawn.map_or(self.from, |drawn| drawn + EVERY);
        if now < due {
            return;
        }
        let first = self.drawn.is_none();
        self.drawn = Some(now);
        self.bar.set_message(format!("{messages} messages"));
        self.bar.set_position(read);
        // It is drawn with what it has, from its first line on.
        if first {
            let stderr = Box::new(StderrLine);
            self.bar
                .set_draw_target(ProgressDrawTarget::term_like(stderr));
        }
        self.bar.tick();
    }

    /// The bar, for those who write to stderr beside it.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Takes it away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Another program may read what goes to stdout, and show it on the terminal that the bar would stand on: `| less`, `| tshark -r -`.
fn is_read(config: &Config) -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let metadata = stdout.and_then(|fd| File::from(fd).metadata());
    config.writes_stdout() && !metadata.is_ok_and(|m| m.is_file())
}

/// Octets of all inputs, where all of them are regular files.
pub(super) fn total(inputs: &[OsString]) -> Option<u64> {
    let len = |input: &OsString| {
        let found = match input_path(input) {
            path if path == "-" => {
                let stdin = io::stdin().as_fd().try_clone_to_owned();
                File::from(stdin.ok()?).metadata()
            }
            path => std::fs::metadata(path),
        };
        found
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|f| f.len())
    };
    inputs.iter().map(len).sum()
}

/// Stderr as a terminal of one line. What it cannot be written goes nowhere, as with all that goes there.
#[derive(Debug)]
struct StderrLine;

impl StderrLine {
    fn write(text: &str) -> io::Result<()> {
        io::stderr().write_all(text.as_bytes())
    }
}

impl TermLike for StderrLine {
    fn width(&self) -> u16 {
        let width = lines::width(rustix::stdio::stderr());
        width.and_then(|w| u16::try_from(w).ok()).unwrap_or(WIDTH)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        if n == 0 {
            Ok(())
        } else {
            Self::write(&format!("\x1b[{n}A"))
        }
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        if n == 0 {
            Ok(())
        } else {
            Self::write(&format!("\x1b[{n}B"))
        }
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        if n == 0 {
            Ok(())
        } else {
            Self::write(&format!("\x1b[{n}C"))
        }
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        if n == 0 {
            Ok(())
        } else {
            Self::write(&format!("\x1b[{n}D"))
        }
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        Self::write(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        Self::write(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        Self::write("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
