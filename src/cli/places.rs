//! Where outputs go: no two of them to one place, none to an input, and none onto a capture that nobody named as input.

use super::config::Config;
use super::paths::resolved;
use crate::capture::{input_path, is_capture};
use crate::sink::writer::refuse_input;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A file that is written.
#[derive(PartialEq, Eq)]
enum Place {
    /// Device and number of what is there.
    There(u64, u64),
    /// Where it will be.
    Path(PathBuf),
}

/// Checks all outputs, before any of them is opened.
///
/// # Errors
///
/// What is wrong with one, in the words for stderr.
pub(super) fn check(config: &Config) -> Result<(), String> {
    let files = files(config);
    let mut inputs: Vec<_> = config.inputs.iter().map(|name| input_path(name)).collect();
    // What else is read would be lost as well.
    let keylogs = config
        .keylogs
        .iter()
        .filter(|path| path.as_os_str() != "env");
    let others = keylogs.chain(&config.config_file);
    inputs.extend(others.map(|path| path.as_os_str()));
    let loaded = config.load_state.as_ref().map(|state| &state.path);
    let loaded = loaded.filter(|path| Some(*path) != config.save_state.as_ref());
    inputs.extend(loaded.map(|path| path.as_os_str()));
    let mut places: Vec<(Place, String)> = Vec::new();
    for path in &files {
        let name = path.to_string_lossy().into_owned();
        refuse_input(path, &inputs).map_err(|e| e.to_string())?;
        // Of the place of a state more is asked: that one is there already.
        let is_state = config.save_state.as_deref() == Some(Path::new(path));
        if !config.named_input && !is_state && holds_capture(Path::new(path)) {
            return Err(format!(
                "{name}: is a capture, and no input is named, so it may be one: name the input (- is stdin), or remove {name} first"
            ));
        }
        let Some(place) = place(path) else {
            continue;
        };
        if let Some((_, other)) = places.iter().find(|(p, _)| *p == place) {
            let shown = |name: &str| if name == "-" { "stdout" } else { name }.to_owned();
            let (name, other) = (shown(&name), shown(other));
            let also = if name == other {
                String::new()
            } else {
                format!(", once as {other}")
            };
            return Err(format!(
                "{name}: two outputs would write there{also}: give each a file of its own"
            ));
        }
        places.push((place, name));
    }
    check_folders(config)
}

impl Config {
    /// Something is written to stdout.
    pub fn writes_stdout(&self) -> bool {
        files(self).iter().any(|name| name == "-")
    }
}

/// Names of all files that are written, `-` being stdout.
fn files(config: &Config) -> Vec<OsString> {
    let sink = &config.sink;
    let raw = sink.dump.as_ref().is_some_and(|d| d.dir.as_os_str() == "-");
    let mut files: Vec<_> = sink.outputs.iter().map(|o| o.target.path.clone()).collect();
    files.extend(sink.json.as_ref().map(|j| j.target.path.clone()));
    files.extend(sink.har.as_ref().map(|h| h.target.path.clone()));
    files.extend(
        (sink.print.is_some() || sink.follow.is_some() || sink.table.is_some() || raw)
            .then(|| "-".into()),
    );
    if let Some(path) = config.sctp_stats.as_ref().filter(|p| !is_folder(p)) {
        files.push(path.clone().into_os_string());
    }
    files.extend(
        config
            .counters_file
            .as_ref()
            .map(|counters| counters.path.clone().into_os_string()),
    );
    files.extend(
        config
            .save_state
            .as_ref()
            .map(|state| state.clone().into_os_string()),
    );
    files.extend(
        config
            .log_file
            .as_ref()
            .map(|log| log.clone().into_os_string()),
    );
    if let Some(extract) = &sink.extract {
        let archive = extract.dir.as_os_str() == "-";
        let list = extract.dir.join("files.jsonl").into_os_string();
        files.push(if archive { "-".into() } else { list });
    }
    files
}

/// Two folders of files, one in the other: names of one would be those of the other.
fn check_folders(config: &Config) -> Result<(), String> {
    let sink = &config.sink;
    let dump = sink.dump.as_ref().filter(|d| d.dir.as_os_str() != "-");
    let extract = sink.extract.as_ref().filter(|e| e.dir.as_os_str() != "-");
    let folders: Vec<(&str, &Path, PathBuf)> = [
        ("--dump", dump.map(|d| d.dir.as_path())),
        ("--extract", extract.map(|e| e.dir.as_path())),
        (
            "--sctp-stats",
            config.sctp_stats.as_deref().filter(|p| is_folder(p)),
        ),
    ]
    .into_iter()
    .filter_map(|(option, dir)| Some((option, dir?, resolved(dir?))))
    .collect();
    for (i, (option, dir, path)) in folders.iter().enumerate() {
        for (other, _, others) in folders.get(i + 1..).unwrap_or_default() {
            if path.starts_with(others) || others.starts_with(path) {
                return Err(format!(
                    "{}: {option} and {other} would write into one folder: give each one of its own",
                    dir.display()
                ));
            }
        }
    }
    Ok(())
}

fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().ends_with('/')
}

/// A regular file that begins as a capture does.
fn holds_capture(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut first = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && is_capture(&first)
}

/// The place of a file. None for devices: /dev/null takes any number of outputs, and two on one terminal do no harm.
fn place(name: &OsStr) -> Option<Place> {
    let standard = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    let metadata = if standard.iter().any(|standard| name == *standard) {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        stdout.map(File::from).and_then(|file| file.metadata())
    } else {
        fs::metadata(name)
    };
    match metadata {
        Ok(found) if found.file_type().is_char_device() || found.is_dir() => None,
        Ok(found) => Some(Place::There(found.dev(), found.ino())),
        Err(_) => Some(Place::Path(resolved(Path::new(name)))),
    }
}
