//! `--on-file`: a command for each file, some at a time, and never through a shell.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Files that wait for their command. Beyond that many the program waits too: names cost memory.
const QUEUE: usize = 4096;
/// How often it is looked whether a command has ended, while nothing else can be done.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the end of the run waits for commands before it says so.
const PATIENCE: Duration = Duration::from_secs(5);

/// Commands that run, and files that wait for theirs.
pub(super) struct FileCommands {
    /// The words; `{}` stands for the path.
    words: Vec<String>,
    running: Vec<(String, Child)>,
    most: usize,
    queue: VecDeque<String>,
    /// Commands that failed, or could not be started.
    failed: u64,
    run: u64,
    /// Why the first of them did.
    first: Option<String>,
}

impl FileCommands {
    /// A command for each file; as many at a time as there are processors.
    pub(super) fn new(words: &[String]) -> Self {
        Self {
            words: words.to_vec(),
            running: Vec::new(),
            most: thread::available_parallelism().map_or(1, usize::from),
            queue: VecDeque::new(),
            failed: 0,
            run: 0,
            first: None,
        }
    }

    /// A file is there.
    pub(super) fn add(&mut self, path: String) {
        self.queue.push_back(path);
        self.look();
        while self.queue.len() >= QUEUE {
            thread::sleep(PAUSE);
            self.look();
        }
    }

    /// Takes note of commands that have ended, and starts others.
    pub(super) fn look(&mut self) {
        let mut at = 0;
        while at < self.running.len() {
            match self.running[at].1.try_wait() {
                Ok(None) => at += 1,
                Ok(Some(status)) => {
                    let (path, _) = self.running.swap_remove(at);
                    if !status.success() {
                        self.fail(&path, &status.to_string());
                    }
                }
                Err(e) => {
                    let (path, _) = self.running.swap_remove(at);
                    self.fail(&path, &e.to_string());
                }
            }
        }
        while self.running.len() < self.most
            && let Some(path) = self.queue.pop_front()
        {
            self.start(path);
        }
    }

    /// Waits for all of them. `say`: called once if that takes long, with how many are left.
    pub(super) fn finish(&mut self, say: impl FnOnce(usize)) {
        let begun = Instant::now();
        let mut say = Some(say);
        self.look();
        while !self.running.is_empty() {
            if begun.elapsed() > PATIENCE
                && let Some(say) = say.take()
            {
                say(self.running.len() + self.queue.len());
            }
            thread::sleep(PAUSE);
            self.look();
        }
    }

    /// How many have run, how many of them failed, and why the first did.
    pub(super) fn done(&self) -> (u64, u64, Option<&str>) {
        (self.run, self.failed, self.first.as_deref())
    }

    fn start(&mut self, path: String) {
        let command = self.command(&path).and_then(|mut command| command.spawn());
        self.run += 1;
        match command {
            Ok(child) => self.running.push((path, child)),
            Err(e) => self.fail(&path, &e.to_string()),
        }
    }

    /// The words of the command, the path in place of each `{}`, or behind them where there is none.
    fn command(&self, path: &str) -> io::Result<Command> {
        let mut words = self.words.iter();
        let named = self.words.iter().skip(1).any(|word| word.contains("{}"));
        let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(words.map(|word| word.replace("{}", path)));
        if !named {
            command.arg(path);
        }
        // What it says is for people: stdout is that of this program's outputs.
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        command.stdin(Stdio::null()).stdout(stderr);
        Ok(command)
    }

    fn fail(&mut self, path: &str, why: &str) {
        self.failed += 1;
        let program = self.words.first().map_or("", String::as_str);
        self.first
            .get_or_insert_with(|| format!("{program}: {why}, for {path}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_path_stands_where_it_is_asked_for_and_no_shell_reads_it() {
        let args = |command: &[&str]| {
            let command = FileCommands::new(&words(command))
                .command("x/a b;c")
                .unwrap();
            let args = command
                .get_args()
                .map(|arg| arg.to_str().unwrap().to_owned());
            args.collect::<Vec<_>>()
        };
        assert_eq!(args(&["scan"]), ["x/a b;c"]);
        assert_eq!(args(&["scan", "-f", "{}", "-q"]), ["-f", "x/a b;c", "-q"]);
        assert_eq!(args(&["scan", "--file={}"]), ["--file=x/a b;c"]);
    }

    #[test]
    fn what_fails_is_counted_and_all_are_waited_for() {
        let mut commands = FileCommands::new(&words(&["test", "{}", "=", "a"]));
        for path in ["a", "b", "a", "c"] {
            commands.add(path.to_owned());
        }
        commands.finish(|_| ());
        let (run, failed, first) = commands.done();
        assert_eq!((run, failed), (4, 2));
        assert!(first.unwrap().starts_with("test: exit status: 1, for "));
        let mut none = FileCommands::new(&words(&["/nowhere/at all"]));
        none.add("a".to_owned());
        none.finish(|_| ());
        assert_eq!((none.done().0, none.done().1), (1, 1));
    }
}
