//! Key logs (`--keylog`): files of secrets, read as they grow.

use crate::capture;
use crate::message::records::{AddedSecrets, KeyLog};
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Octets of a line that has not ended, at most: those of a key log have fewer than 300.
const LINE: usize = 4096;
/// Octets that are read at once.
const READ: usize = 64 << 10;
/// What stands for the file that the environment names.
const FROM_ENVIRONMENT: &str = "env";
/// The variable by which programs are told where to write their secrets.
const VARIABLE: &str = "SSLKEYLOGFILE";

/// A key log, and how far it was read.
struct KeyFile {
    path: PathBuf,
    file: File,
    /// A line whose end has not come yet.
    rest: Vec<u8>,
    /// Lines read.
    lines: u64,
}

/// All key logs.
#[derive(Default)]
pub(super) struct KeyFiles(Vec<KeyFile>);

/// The files that `--keylog` names.
///
/// # Errors
///
/// In words: the environment names none.
pub(super) fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let path = |named: &PathBuf| {
        if named.as_os_str() != FROM_ENVIRONMENT {
            return Ok(named.clone());
        }
        let set = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        set.map(PathBuf::from).ok_or_else(|| {
            format!("--keylog: env: {VARIABLE} is not set: set it, or name the file")
        })
    };
    named.iter().map(path).collect()
}

impl KeyFiles {
    /// Opens all of them. `ends`: pipes are read to their end at once.
    ///
    /// # Errors
    ///
    /// In words: one cannot be opened.
    pub(super) fn open(paths: &[PathBuf], ends: bool) -> Result<Self, String> {
        let open = |path: &PathBuf| {
            // Else a pipe that nobody has written to yet must not hold anything up.
            let flags = if ends {
                OFlags::empty()
            } else {
                OFlags::NONBLOCK
            };
            let file = File::options()
                .read(true)
                .custom_flags(flags.bits().cast_signed())
                .open(path)
                .and_then(|file| match file.metadata()?.is_dir() {
                    true => Err(io::ErrorKind::IsADirectory.into()),
                    false => Ok(file),
                })
                .map_err(|source| {
                    let file = path.display().to_string();
                    capture::error::Error::Open { file, source }.to_string()
                })?;
            Ok(KeyFile {
                path: path.clone(),
                file,
                rest: Vec::new(),
                lines: 0,
            })
        };
        paths.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Reads what has been added to them. Gives what of it is no line of a key log, or could not be read, in words.
    pub(super) fn read(&mut self, keys: &mut KeyLog) -> Vec<String> {
        let mut said = Vec::new();
        self.0.retain_mut(|file| {
            let name = file.path.display().to_string();
            match file.read(keys) {
                Ok(added) => {
                    if let Some(n) = added.first_unreadable {
                        said.push(format!(
                            "{name}: line {}: this is no line of a key log (LABEL CLIENT_RANDOM SECRET, RFC 9850): it is left out",
                            n
                        ));
                    }
                    if added.left_out > 0 {
                        said.push(format!(
                            "{name}: {} secrets are left out: there are too many sessions",
                            added.left_out
                        ));
                    }
                    true
                }
                Err(e) => {
                    said.push(format!("{name}: key log: cannot read on: {e}"));
                    false
                }
            }
        });
        said
    }
}

impl KeyFile {
    /// Reads all whole lines that are there now.
    fn read(&mut self, keys: &mut KeyLog) -> io::Result<AddedSecrets> {
        let mut all = AddedSecrets::default();
        loop {
            let before = self.rest.len();
            self.rest.resize(before + READ, 0);
            let read = match self.file.read(&mut self.rest[before..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(0),
                // A pipe that nobody has written to since.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
                read => read,
            };
            self.rest.truncate(before + read.as_ref().map_or(0, |n| *n));
            if read? == 0 {
                // The last line may lack its end. If there is more of it to come, it is read again.
                keys.add(&self.rest);
                return Ok(all);
            }
            let lines = self
                .rest
                .iter()
                .rposition(|c| b"\r\n".contains(c))
                .map_or(0, |at| at + 1);
            let added = keys.add(&self.rest[..lines]);
            let first = added.first_unreadable.map(|n| n + self.lines);
            all.first_unreadable = all.first_unreadable.or(first);
            all.unreadable += added.unreadable;
            all.left_out += added.left_out;
            self.lines += memchr::memchr_iter(b'\n', &self.rest[..lines]).count() as u64;
            self.rest.drain(..lines);
            if self.rest.len() > LINE {
                self.rest.truncate(LINE);
            }
        }
    }
}
