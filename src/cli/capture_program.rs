//! `-i`, `-f`, `-D`: the program of this machine that captures, which has the rights to.

use rustix::fs::{Access, access};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
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
