//! Programs that run beside this one: what one writes is an input, and another one reads an output.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What stands before the colon of an input or output that is a command.
pub const EXEC: &str = "exec";
/// How long a program has to end by itself, and once more when it was asked to.
// tcpdump and dumpcap write their buffers within milliseconds; more would make Ctrl-C feel like a hang.
const PATIENCE: Duration = Duration::from_secs(2);
/// Octets of what a program says that are kept: more would be no line.
const SAID: u64 = 2048;
/// How often it is looked whether it has.
const PAUSE: Duration = Duration::from_millis(5);
/// Ends by which somebody else than the program says that it is enough: the reader of a pipe, and who ended it.
const SIGPIPE: i32 = Signal::PIPE.as_raw();
const ASKED: [i32; 2] = [Signal::INT.as_raw(), Signal::TERM.as_raw()];

/// The words of a command, as a shell parts them; nothing else that a shell does is done.
///
/// # Errors
///
/// What is wrong with the text.
pub fn words(command: &str) -> Result<Vec<String>, String> {
    let words = shlex::split(command).ok_or(
        "a quotation mark, or a backslash at the end, is not closed: put another one behind it",
    )?;
    match words.first() {
        None => Err("is no command: give the program and its words".to_owned()),
        Some(program) if program.is_empty() => {
            Err("the program has no name: give one, as tcpdump".to_owned())
        }
        Some(_) => Ok(words),
    }
}

/// A program that runs. It ends with this value at the latest.
#[derive(Debug)]
pub struct ChildProgram {
    child: Child,
    /// What it says, where that is told only if it fails.
    said: Option<JoinHandle<String>>,
    /// It was asked to end, or had to be.
    asked: bool,
}

impl ChildProgram {
    /// Runs a program for what it writes to stdout; it reads nothing. `quiet`: what it writes to stderr is told only where it fails.
    ///
    /// # Errors
    ///
    /// Those of the system; there is no such program.
    pub fn writer(words: &[String], quiet: bool) -> io::Result<(Self, File)> {
        let mut command = Self::command(words)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        if quiet {
            command.stderr(Stdio::piped());
        }
        let mut child = Self::run(&mut command)?;
        let end = child.stdout.take().map(OwnedFd::from);
        let said = child.stderr.take();
        let (mut program, end) = Self::with_end(child, end)?;
        program.said = match said {
            Some(from) => Some(thread::Builder::new().spawn(move || first_words(from))?),
            None => None,
        };
        Ok((program, end))
    }

    /// Runs a program that reads from its stdin what is written here; what it writes itself goes where this program's stdout does.
    ///
    /// # Errors
    ///
    /// Those of the system; there is no such program.
    pub fn reader(words: &[String]) -> io::Result<(Self, File)> {
        let mut command = Self::command(words)?;
        let mut child = Self::run(command.stdin(Stdio::piped()))?;
        let end = child.stdin.take().map(OwnedFd::from);
        Self::with_end(child, end)
    }

    fn command(words: &[String]) -> io::Result<Command> {
        let (program, rest) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(rest);
        Ok(command)
    }

    fn run(command: &mut Command) -> io::Result<Child> {
        command.spawn().map_err(|e| {
            let program = command.get_program().to_string_lossy();
            let what = match e.kind() {
                io::ErrorKind::NotFound => "there is no such program: install it, or give its path",
                io::ErrorKind::PermissionDenied => {
                    "may not be run: ask for permission, or use sudo"
                }
                _ => return e,
            };
            io::Error::new(e.kind(), format!("{program}: {what}"))
        })
    }

    fn with_end(child: Child, end: Option<OwnedFd>) -> io::Result<(Self, File)> {
        let program = Self {
            child,
            said: None,
            asked: false,
        };
        // It was asked for a line above.
        let end = end.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok((program, end.into()))
    }

    /// Asks it to end: programs that capture write what they have then.
    pub fn ask_to_end(&mut self) {
        if !self.asked {
            self.asked = true;
            self.signal(Signal::TERM);
        }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended by itself; until it has been waited for nothing else has its number.
        let _ = id.map(|id| kill_process(id, signal));
    }

    /// Waits for its end, however long that takes. `stopped`: the run was asked to stop, and whoever did may have asked the program too.
    ///
    /// # Errors
    ///
    /// It has failed.
    pub fn wait(&mut self, stopped: bool) -> io::Result<()> {
        let status = self.child.wait()?;
        self.judge(status, stopped)
    }

    /// The same for one that has no more to say: it is not waited for long, but asked, and then made, to end.
    ///
    /// # Errors
    ///
    /// It has failed.
    pub fn end(&mut self, stopped: bool) -> io::Result<()> {
        for signal in [Signal::TERM, Signal::KILL] {
            if let Some(status) = self.ends_in_time()? {
                return self.judge(status, stopped);
            }
            self.asked = true;
            self.signal(signal);
        }
        self.child.wait().map(drop)
    }

    fn ends_in_time(&mut self) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || begun.elapsed() > PATIENCE {
                return Ok(status);
            }
            thread::sleep(PAUSE);
        }
    }

    fn judge(&mut self, status: ExitStatus, stopped: bool) -> io::Result<()> {
        let signal = status.signal();
        let asked = signal.is_some_and(|signal| ASKED.contains(&signal)) && stopped;
        if status.success() || self.asked || asked || signal == Some(SIGPIPE) {
            return Ok(());
        }
        let said = self.said.take().and_then(|said| said.join().ok());
        let why = said.filter(|said| !said.is_empty());
        let why = why.unwrap_or_else(|| "what it says itself may tell why".to_owned());
        Err(io::Error::other(format!(
            "the program failed with {status}: {why}"
        )))
    }
}

/// The first words of what is written there, in one line; the rest is read, so that the writer is not held up.
fn first_words(mut from: impl Read) -> String {
    let mut first = Vec::new();
    let _ = from.by_ref().take(SAID).read_to_end(&mut first);
    let _ = io::copy(&mut from, &mut io::sink());
    let text = String::from_utf8_lossy(&first);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

impl Drop for ChildProgram {
    fn drop(&mut self) {
        // Nobody wants what it writes any more.
        self.ask_to_end();
        let _ = self.end(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn words_are_parted_as_a_shell_does() {
        for (text, expected) in [
            ("a  b", &["a", "b"][..]),
            ("a 'b c' d\\ e", &["a", "b c", "d e"]),
            (r#"a "b 'c' \" d" ''"#, &["a", "b 'c' \" d", ""]),
            ("a $b *;c", &["a", "$b", "*;c"]),
        ] {
            assert_eq!(words(text), Ok(all(expected)), "{text}");
        }
        for wrong in ["", "  ", "'a", "a \"b", "a\\", "'' b"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn how_it_ends_is_told() {
        let run = |command: &str| {
            let command = all(&["sh", "-c", command]);
            let (mut child, mut from) = ChildProgram::writer(&command, false).unwrap();
            let mut text = String::new();
            from.read_to_string(&mut text).unwrap();
            (text, child.wait(false).map_err(|e| e.to_string()))
        };
        assert_eq!(run("echo a"), ("a\n".to_owned(), Ok(())));
        let (text, status) = run("echo b; exit 3");
        assert_eq!(text, "b\n");
        assert!(status.unwrap_err().contains("exit status: 3"));
        assert_eq!(run("kill -PIPE $$").1, Ok(()));
        assert!(run("kill -TERM $$").1.unwrap_err().contains("signal: 15"));
        let command = all(&["sh", "-c", "echo why >&2; exit 4"]);
        let (mut child, _from) = ChildProgram::writer(&command, true).unwrap();
        let told = child.wait(false).unwrap_err().to_string();
        assert!(told.ends_with("exit status: 4: why"), "{told}");
        let none = ChildProgram::reader(&all(&["/nowhere/at-all"])).unwrap_err();
        assert!(none.to_string().contains("no such program"));
    }

    #[test]
    fn nothing_is_left_of_one_that_is_not_waited_for() {
        let (child, from) = ChildProgram::writer(&all(&["sleep", "1000"]), true).unwrap();
        let id = i32::try_from(child.child.id()).ok().and_then(Pid::from_raw);
        drop((child, from));
        assert!(rustix::process::test_kill_process(id.unwrap()).is_err());
    }
}
