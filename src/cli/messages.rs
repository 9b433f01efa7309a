//! What a run says: in lines of one form, on stderr or in the file of `--log-file`.

use super::config::locale_is_utf8;
use super::lines::{self, Wrapping};
use crate::base::time::date_and_time;
use crate::message::is_hidden;
use crate::sink::writer::{OutputError, wall_clock};
use indicatif::ProgressBar;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Something failed, or a condition of `--fail-if` holds. Goes to stderr too.
    Error,
    Warning,
    Info,
}

impl Level {
    /// As it stands in the file.
    const fn text(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Where lines go.
pub(super) struct Messages<'a> {
    stderr: &'a mut dyn Write,
    /// What stands on stderr, and has to go aside for each line.
    bar: Option<ProgressBar>,
    log: Option<LogFile>,
    /// A line could not be written to the log, which has been told.
    log_failed: bool,
}

struct LogFile {
    path: PathBuf,
    file: File,
}

impl<'a> Messages<'a> {
    /// All to stderr.
    pub(super) fn new(stderr: &'a mut dyn Write) -> Self {
        Self {
            stderr,
            bar: None,
            log: None,
            log_failed: false,
        }
    }

    /// To the end of this file from now on, but for what has failed, which stderr gets too.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn log_to(&mut self, path: &Path) -> io::Result<()> {
        self.log = Some(LogFile {
            path: path.to_owned(),
            file: open(path)?,
        });
        Ok(())
    }

    /// Goes on in a new file where something has moved the old one away.
    ///
    /// # Errors
    ///
    /// The name, and what the system says; then the old file goes on.
    pub(super) fn reopen(&mut self) -> Result<(), (String, io::Error)> {
        if let Some(log) = &mut self.log {
            let opened = open(&log.path);
            log.file = opened.map_err(|e| (log.path.display().to_string(), e))?;
        }
        Ok(())
    }

    /// Says what is wrong, in the form that all messages have.
    pub(super) fn say(&mut self, level: Level, what: &dyn Display) {
        let text = formed(what);
        debug_assert!(has_form(&text), "{text}");
        self.line(level, &text);
    }

    /// Says something about the whole run.
    pub(super) fn line(&mut self, level: Level, text: &str) {
        let line = shown(text);
        let mut is_logged = false;
        if let Some(log) = &mut self.log {
            // In one piece: whoever follows the file meets whole lines.
            let row = format!("{} {} {line}\n", time(), level.text());
            match log.file.write_all(row.as_bytes()) {
                Ok(()) => is_logged = true,
                Err(_) if self.log_failed => {}
                Err(e) => {
                    self.log_failed = true;
                    let what = format!(
                        "{}: cannot write: {e}: what it lacks follows here",
                        log.path.display()
                    );
                    let what = shown(&without_numbers(&what));
                    let _ = self.beside(|stderr| writeln!(stderr, "inet-asm: {what}"));
                }
            }
        }
        if !is_logged || level == Level::Error {
            // Where stderr cannot be written, nobody can be informed of that.
            let _ = self.beside(|stderr| writeln!(stderr, "inet-asm: {line}"));
        }
    }

    /// Something that was said does not stand in the log.
    pub(super) const fn log_failed(&self) -> bool {
        self.log_failed
    }

    /// Writes to stderr what may be no message.
    pub(super) fn beside<T>(&mut self, write: impl FnOnce(&mut dyn Write) -> T) -> T {
        let Self { stderr, bar, .. } = self;
        match bar {
            Some(bar) => bar.suspend(|| write(*stderr)),
            None => write(*stderr),
        }
    }

    /// A bar stands on stderr from now on, or none.
    pub(super) fn goes_aside(&mut self, bar: Option<ProgressBar>) {
        self.bar = bar;
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Now, in UTC.
fn time() -> String {
    let text = date_and_time(wall_clock(), b'T');
    // To the millisecond.
    let text = text.get(..23).unwrap_or(&text);
    format!("{}Z", String::from_utf8_lossy(text))
}

/// What to say where a text could not be written to stdout: the same as of any output there.
pub fn unwritten(source: io::Error) -> OutputError {
    OutputError {
        name: "stdout".to_owned(),
        doing: "write",
        source,
    }
}

/// Writes to stderr what is wrong, in the form that all messages there have.
pub fn complain(what: &dyn Display) {
    let width = lines::width(rustix::stdio::stderr());
    Messages::new(&mut Wrapping::new(io::stderr(), width)).say(Level::Error, what);
}

/// A message in its form.
fn formed(what: &dyn Display) -> String {
    let mut text = what.to_string();
    if text.starts_with(':') {
        // What it is about is an empty word of the command line.
        text.insert_str(0, "\"\"");
    }
    without_numbers(&text)
}

/// What the system said, without its number for it: `(os error 2)` says nothing that the words before it do not.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(" (os error ") {
        out.push_str(before);
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        match behind.get(digits..).and_then(|b| b.strip_prefix(')')) {
            Some(behind) => rest = behind,
            // It is a name that looks so.
            None => {
                out.push_str(" (os error ");
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Every message is in one line, which says what it is about, and behind a colon what of it.
fn has_form(text: &str) -> bool {
    let (about, what) = text.split_once(": ").unwrap_or_default();
    !about.is_empty() && !what.is_empty() && !text.ends_with(['.', '\n'])
}

/// A line without what acts on a terminal, which names of files and interfaces may hold.
fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let plain = !locale_is_utf8();
    for c in text.chars() {
        if is_hidden(c) || plain && !c.is_ascii() {
            line.extend(c.escape_unicode());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_one_form_and_act_on_no_terminal() {
        for (text, is) in [
            ("a.pcap: is empty: check what writes it", true),
            ("a.pcap is empty", false),
            (": is empty", false),
            ("a.pcap: ", false),
            ("a.pcap: is empty.", false),
        ] {
            assert_eq!(has_form(text), is, "{text}");
        }
        for (text, words) in [
            ("a: b (os error 2)", "a: b"),
            ("a: b (os error 21): c", "a: b: c"),
            ("a (os error x): b", "a (os error x): b"),
        ] {
            assert_eq!(without_numbers(text), words);
        }
        let mut out = Vec::new();
        let text = "a\x1b[31m\nb\u{202e}.pcap: is empty";
        Messages::new(&mut out).say(Level::Warning, &text);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "inet-asm: a\\u{1b}[31m\\u{a}b\\u{202e}.pcap: is empty\n"
        );
    }

    #[test]
    fn a_log_has_times_and_levels() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let mut out = Vec::new();
        let mut messages = Messages::new(&mut out);
        messages.log_to(&path).unwrap();
        messages.say(Level::Info, &"a: b");
        messages.say(Level::Error, &"c: d");
        std::fs::rename(&path, &old).unwrap();
        messages.say(Level::Warning, &"e: f");
        messages.reopen().unwrap();
        messages.line(Level::Info, "1 packet");
        assert_eq!(String::from_utf8(out).unwrap(), "inet-asm: c: d\n");
        // Where it cannot be written, that is told once, and stderr has the lines.
        let mut out = Vec::new();
        let mut messages = Messages::new(&mut out);
        messages.log_to(Path::new("/dev/full")).unwrap();
        assert!(!messages.log_failed());
        messages.say(Level::Info, &"a: b");
        messages.say(Level::Error, &"c: d");
        assert!(messages.log_failed());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "inet-asm: /dev/full: cannot write: No space left on device: what it lacks follows here\n\
             inet-asm: a: b\ninet-asm: c: d\n"
        );
        let lines = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap();
            let behind = |line: &str| line.split_once("Z ").unwrap().1.to_owned();
            text.lines().map(behind).collect::<Vec<_>>()
        };
        assert_eq!(lines(&old), ["info a: b", "error c: d", "warning e: f"]);
        assert_eq!(lines(&path), ["info 1 packet"]);
    }
}
