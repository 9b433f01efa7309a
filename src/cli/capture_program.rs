//! `-i`, `-f`, `-D`: the program of this machine that captures, which has the rights to.

use rustix::fs::{Access, access};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::{env, io};

/// Programs that capture: the first that is there, and may be run, is taken. dumpcap is installed with rights of its own where tcpdump needs
/// those of root.
const PROGRAMS: &[CaptureProgram] = &[
    CaptureProgram {
        name: "dumpcap",
        // A filter ahead of the interfaces is one for all of them.
        words: &["-q", "-w", "-"],
        filter: Some("-f"),
        several: true,
    },
    CaptureProgram {
        name: "tcpdump",
        // -U alone would leave packets in the kernel for up to a second.
        words: &["-U", "--immediate-mode", "-w", "-"],
        filter: None,
        several: false,
    },
];

/// A program that captures.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CaptureProgram {
    name: &'static str,
    /// What makes it write to stdout what comes, at once.
    words: &'static [&'static str],
    /// The option ahead of a filter; none: it stands behind all options.
    filter: Option<&'static str>,
    /// It takes several interfaces.
    several: bool,
}

/// What such a program says beside what is wrong.
const TALK: &[&str] = &["Capturing on ", "Running as user "];

impl CaptureProgram {
    /// The one of this machine.
    ///
    /// # Errors
    ///
    /// There is none: what to do.
    pub(super) fn find() -> Result<&'static Self, String> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = env::split_paths(&path).collect();
        let may_run = |program: &&Self| {
            let mut paths = folders.iter().map(|folder| folder.join(program.name));
            paths.any(|path| path.is_file() && access(&path, Access::EXEC_OK).is_ok())
        };
        PROGRAMS.iter().find(may_run).ok_or_else(|| {
            "neither dumpcap nor tcpdump is there, or may be run: install one, or ask for permission"
                .to_owned()
        })
    }

    /// An INPUT that captures on these interfaces.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(super) fn input(
        &self,
        interfaces: &[String],
        filter: Option<&str>,
    ) -> Result<OsString, String> {
        if interfaces.len() > 1 && !self.several {
            return Err(format!(
                "{} captures on one interface: install dumpcap, or give -i any",
                self.name
            ));
        }
        let mut words = vec![self.name];
        words.extend(self.words);
        words.extend(self.filter.zip(filter).into_iter().flat_map(<[_; 2]>::from));
        for interface in interfaces {
            words.extend(["-i", interface]);
        }
        if let (None, Some(filter)) = (self.filter, filter) {
            words.extend(["--", filter]);
        }
        let command = shlex::try_join(words).map_err(|e| e.to_string())?;
        Ok(format!("exec:{command}").into())
    }

    /// Names of the interfaces of this machine.
    ///
    /// # Errors
    ///
    /// The program cannot be run, or may not list them.
    pub(super) fn interfaces(&self) -> Result<Vec<String>, String> {
        let listed = self.output(&["-D"])?;
        let text = String::from_utf8_lossy(&listed.stdout);
        let names: Vec<_> = text
            .lines()
            .filter_map(listed_name)
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            return Err(self.said(&listed));
        }
        Ok(names)
    }

    /// Whether this filter is one, on this interface.
    ///
    /// # Errors
    ///
    /// What the program says of it.
    pub(super) fn check(&self, interface: &str, filter: &str) -> Result<(), String> {
        let words = match self.filter {
            Some(option) => ["-d", "-i", interface, option, filter],
            None => ["-d", "-i", interface, "--", filter],
        };
        let checked = self.output(&words)?;
        // Its status says nothing; what a filter is made into is one instruction at least.
        match checked.stdout.is_empty() {
            false => Ok(()),
            true => Err(self.said(&checked)),
        }
    }

    fn output(&self, words: &[&str]) -> Result<Output, String> {
        let mut command = Command::new(self.name);
        let done = command.args(words).stdin(Stdio::null()).output();
        done.map_err(|e| format!("{}: cannot be run: {e}", self.name))
    }

    /// What it said was wrong.
    fn said(&self, done: &Output) -> String {
        let text = String::from_utf8_lossy(&done.stderr);
        let talks = |line: &&str| TALK.iter().any(|talk| line.starts_with(talk));
        let lines = text.lines().filter(|line| !line.is_empty() && !talks(line));
        match lines.collect::<Vec<_>>().join("\n") {
            said if said.is_empty() => format!("{}: failed with {}", self.name, done.status),
            said => said,
        }
    }
}

/// The name in a line as `3. lo (Loopback)`.
fn listed_name(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once('.')?;
    let is_number = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    rest.split_whitespace().next().filter(|_| is_number)
}

/// Lists the interfaces of this machine on stdout, as the program that captures does.
///
/// # Errors
///
/// There is no such program, or it cannot be run.
pub fn list_interfaces() -> Result<ExitStatus, String> {
    let program = CaptureProgram::find()?;
    let listed = Command::new(program.name).arg("-D").status();
    listed.map_err(|e: io::Error| format!("{}: cannot be run: {e}", program.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_listed_one_a_line() {
        for (line, name) in [
            ("3. lo (Loopback)", Some("lo")),
            (
                "2.any (Pseudo-device that captures) [Up, Running]",
                Some("any"),
            ),
            ("12. usbmon1", Some("usbmon1")),
            ("4. ", None),
            ("You have no rights. Ask", None),
        ] {
            assert_eq!(listed_name(line), name, "{line}");
        }
    }

    #[test]
    fn what_is_run() {
        let input = |at: usize, interfaces: &[&str], filter| {
            let interfaces: Vec<_> = interfaces.iter().map(|i| (*i).to_owned()).collect();
            let input = PROGRAMS[at].input(&interfaces, filter);
            input.map(|input| input.into_string().unwrap())
        };
        for (at, interfaces, filter, expected) in [
            (0, &["lo"][..], None, "exec:dumpcap -q -w - -i lo"),
            (
                0,
                &["a b", "c"],
                Some("port 80"),
                "exec:dumpcap -q -w - -f 'port 80' -i 'a b' -i c",
            ),
            (
                1,
                &["-x"],
                Some("port 80"),
                "exec:tcpdump -U --immediate-mode -w - -i -x -- 'port 80'",
            ),
        ] {
            assert_eq!(
                input(at, interfaces, filter).as_deref(),
                Ok(expected),
                "{expected}"
            );
        }
        assert!(input(1, &["a", "b"], None).is_err());
    }
}
