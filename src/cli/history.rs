//! `--counters-file`: the counters as CSV, a row for each period of capture time.
//!
//! The file is continued by the next run, as long as its header names the same counters.

use crate::base::counters::{ChannelCounters, Counters};
use crate::base::periods::Periods;
use crate::base::time::Timestamp;
use crate::sink::writer::{OutputError, shown, wall_clock};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek as _, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Columns in front of the counters: when the period began and ended, in seconds since 1970.
const TIMES: &str = "period_start,period_end";
/// Names that are tried for a file whose header fits.
// Each version of the program that has other counters takes one more.
const NAMES: u32 = 1000;

/// What a file goes on with in another run: its period, and what stands in rows already.
pub(super) type HistoryState = (Periods, Option<Counters>);

/// Rows of periods in a row in which nothing was captured; more of them have one row together.
// Ten days of the usual periods, and a quarter of an hour of the shortest; a wrong timestamp, years ahead, costs no more.
const SILENT: u64 = 1000;

/// A file of rows.
pub(super) struct CountersHistory {
    /// As it was named; the file that is written may have a number in its name.
    wanted: PathBuf,
    file: File,
    /// Name of the file that is written, where it is another one.
    other: Option<PathBuf>,
    header: String,
    /// The header has to be written ahead of the next row.
    is_new: bool,
    /// The last row has no end, which has to be written ahead of the next one.
    is_cut: bool,
    /// Protocols that have columns, whether they were seen or not, and the columns: section and name. Protocols that rules add while
    /// the program runs have none, as a file has the same columns in each row.
    protocols: Vec<&'static str>,
    columns: Vec<(&'static str, &'static str)>,
    periods: Periods,
    /// What had been counted when the last row was written, where each row is of its period alone.
    before: Option<Counters>,
    /// Octets of the rows of this run, and when it was opened.
    written: u64,
    opened: Timestamp,
    failed: Option<io::Error>,
    /// It is stdout, or a pipe, and nobody reads it any more.
    reader_left: bool,
}

impl CountersHistory {
    /// Opens the file, or begins it; `-` is stdout. `per_period`: each row says what was counted in its period, not since the beginning.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn open(
        path: &Path,
        period: Duration,
        per_period: bool,
        protocols: Vec<&'static str>,
    ) -> Result<Self, OutputError> {
        let mut columns = Vec::new();
        Counters::default().each_with(&protocols, |section, name, _, _| {
            // Rows are the same whenever the capture is read.
            if section != "runtime" {
                columns.push((section, name));
            }
        });
        let names = columns
            .iter()
            .map(|(section, name)| format!(",{section}.{name}"));
        let header = format!("{TIMES}{}\n", names.collect::<String>());
        let opened = open(path, &header).map_err(|e| error(path, "open", e))?;
        Ok(Self {
            wanted: path.to_owned(),
            file: opened.file,
            other: opened.other,
            header,
            is_new: opened.is_new,
            is_cut: opened.is_cut,
            protocols,
            columns,
            periods: Periods::new(period),
            before: per_period.then(Counters::default),
            written: opened.written,
            opened: wall_clock(),
            failed: None,
            reader_left: false,
        })
    }

    /// The file that is written instead of the one that was named, because that one has other counters.
    pub(super) fn other(&self) -> Option<&Path> {
        self.other.as_deref()
    }

    /// What this run has written.
    pub(super) fn channel(&self) -> ChannelCounters {
        let name = self.other.as_ref().unwrap_or(&self.wanted);
        ChannelCounters {
            name: shown(&name.to_string_lossy()).to_owned(),
            octets: self.written,
            opened: self.opened,
            ..ChannelCounters::default()
        }
    }

    /// The last row of the file is cut short.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Goes on in a new file where something has moved the old one away.
    ///
    /// # Errors
    ///
    /// Those of the system; then the old file goes on.
    pub(super) fn reopen(&mut self) -> Result<(), OutputError> {
        if is_stdout(&self.wanted) {
            return Ok(());
        }
        let opened = open(&self.wanted, &self.header);
        let opened = opened.map_err(|e| error(&self.wanted, "open", e))?;
        (self.file, self.other) = (opened.file, opened.other);
        (self.is_new, self.is_cut) = (opened.is_new, opened.is_cut);
        self.written += opened.written;
        Ok(())
    }

    /// What is not counted any more, as it stands in a row.
    pub(super) const fn cleared(&self) -> Option<&Counters> {
        self.before.as_ref()
    }

    /// What the next run goes on with: the period, and what stands in rows.
    pub(super) fn state(&self) -> HistoryState {
        (self.periods.clone(), self.before.clone())
    }

    /// Goes on with what an earlier run had.
    pub(super) fn go_on(&mut self, (periods, before): HistoryState) {
        self.periods.go_on(periods);
        self.before = self.before.take().and(before);
    }

    /// A packet of this time comes next: true where the row of the period that ends has to be written first.
    pub(super) fn is_over(&mut self, next: Timestamp) -> bool {
        self.periods.is_over(next)
    }

    /// Writes the row of the period that [`Self::is_over`] has ended, and those of periods behind it in which nothing was captured.
    pub(super) fn write(&mut self, counters: &Counters) {
        let period = self.periods.end();
        self.row(counters, period);
        for silent in self.periods.silent(period.1, SILENT) {
            self.row(counters, silent);
        }
    }

    /// Somebody reads it still.
    pub(super) const fn is_open(&self) -> bool {
        !self.reader_left
    }

    /// Writes the row of the last period, which the end of the input cuts short.
    ///
    /// # Errors
    ///
    /// The first error of the whole run.
    pub(super) fn finish(&mut self, counters: &Counters) -> Result<(), OutputError> {
        if let Some(period) = self.periods.last() {
            self.row(counters, period);
        }
        self.close()
    }

    /// The period goes on in the next run.
    ///
    /// # Errors
    ///
    /// The first error of the whole run.
    pub(super) fn close(&mut self) -> Result<(), OutputError> {
        match self.failed.take() {
            Some(source) => Err(error(&self.wanted, "write", source)),
            None => Ok(()),
        }
    }

    fn row(&mut self, counters: &Counters, (start, end): (Timestamp, Timestamp)) {
        let since = self.before.as_ref().map(|before| counters.since(before));
        let mut now = Vec::with_capacity(self.columns.len());
        since
            .as_ref()
            .unwrap_or(counters)
            .each_with(&self.protocols, |section, name, _, value| {
                if self.columns.get(now.len()) == Some(&(section, name)) {
                    now.push(value);
                }
            });
        let mut row = String::new();
        if std::mem::take(&mut self.is_cut) {
            row.push('\n');
        }
        if std::mem::take(&mut self.is_new) {
            row += &self.header;
        }
        row += &format!("{},{}", start.secs(), end.secs());
        for value in now {
            row += &format!(",{value}");
        }
        row.push('\n');
        if let Some(before) = &mut self.before {
            before.clone_from(counters);
        }
        // In one piece: whoever reads the file meets whole rows.
        match self.file.write_all(row.as_bytes()) {
            Ok(()) => self.written += row.len() as u64,
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.reader_left = true,
            Err(e) => {
                self.failed.get_or_insert(e);
            }
        }
    }
}

/// A file that was opened.
struct ContinuedFile {
    file: File,
    other: Option<PathBuf>,
    is_new: bool,
    is_cut: bool,
    /// Octets of a header that was written already.
    written: u64,
}

/// Opens the file to be continued. Where it is there and has other columns, a number is put into its name.
fn open(path: &Path, header: &str) -> io::Result<ContinuedFile> {
    if is_stdout(path) {
        return Ok(ContinuedFile {
            file: File::from(io::stdout().as_fd().try_clone_to_owned()?),
            other: None,
            is_new: true,
            is_cut: false,
            written: 0,
        });
    }
    for n in 0..NAMES {
        let name = numbered(path, n);
        let mut options = OpenOptions::new();
        options.read(true).append(true);
        let mut written = 0;
        // Nobody has named the others: there it goes on with what has the same columns, and takes no empty file, which may be the
        // output of somebody, of this run even.
        let file = match options.clone().create_new(n > 0).create(n == 0).open(&name) {
            Err(e) if n > 0 && e.kind() == io::ErrorKind::AlreadyExists => {
                // A pipe or a device has no columns.
                if !std::fs::metadata(&name).is_ok_and(|found| found.is_file()) {
                    continue;
                }
                options.open(&name)?
            }
            Ok(mut file) if n > 0 => {
                // By its header the next run knows it.
                file.write_all(header.as_bytes())?;
                file.rewind()?;
                written = header.len() as u64;
                file
            }
            opened => opened?,
        };
        let mut first = Vec::new();
        let mut last = [b'\n'];
        // A device or a pipe has no beginning that could be looked at.
        let found = file.metadata()?;
        if found.is_file() {
            let most = header.len() as u64 + 1;
            BufReader::new(&file)
                .take(most)
                .read_until(b'\n', &mut first)?;
            if let Some(at) = found.len().checked_sub(1) {
                file.read_at(&mut last, at)?;
            }
        }
        if first.is_empty() && n == 0 || first == header.as_bytes() {
            return Ok(ContinuedFile {
                file,
                other: (n > 0).then_some(name),
                is_new: first.is_empty(),
                is_cut: last != *b"\n",
                written,
            });
        }
    }
    Err(io::Error::other(
        "all files of this name have other columns",
    ))
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// `counters.csv`, `counters-1.csv`, `counters-2.csv`, ...
fn numbered(path: &Path, n: u32) -> PathBuf {
    if n == 0 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{n}"));
    if let Some(end) = path.extension() {
        name.push(".");
        name.push(end);
    }
    path.with_file_name(name)
}

fn error(path: &Path, doing: &'static str, source: io::Error) -> OutputError {
    OutputError {
        name: shown(&path.to_string_lossy()).to_owned(),
        doing,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    /// Rows of two periods and the rest: of each the value of a column.
    fn values(path: &Path, per_period: bool, column: &str) -> Vec<u64> {
        let period = Duration::from_secs(60);
        let mut history = CountersHistory::open(path, period, per_period, vec!["a"]).unwrap();
        let mut counters = Counters::default();
        for second in 100..250 {
            if history.is_over(at(second)) {
                history.write(&counters);
            }
            counters.tcp.segments += 1;
            counters.buffer.waiting = 7;
        }
        history.finish(&counters).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let mut lines = text.lines();
        let place = lines.next().unwrap().split(',').position(|c| c == column);
        let value = |line: &str| {
            line.split(',')
                .nth(place.unwrap())
                .unwrap()
                .parse()
                .unwrap()
        };
        lines.map(value).collect()
    }

    #[test]
    fn a_row_for_each_period() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert_eq!(values(&path("a"), false, "tcp.segments"), [60, 120, 150]);
        assert_eq!(values(&path("b"), true, "tcp.segments"), [60, 60, 30]);
        assert_eq!(values(&path("c"), true, "buffer.waiting"), [7, 7, 7]);
        assert_eq!(values(&path("d"), true, "period_start"), [100, 160, 220]);
        assert_eq!(values(&path("d2"), true, "period_end"), [160, 220, 249]);
        // The next run goes on with it.
        assert_eq!(values(&path("a"), false, "tcp.segments").len(), 6);
    }

    #[test]
    fn a_file_with_other_columns_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.csv");
        std::fs::write(&path, "period_start,tcp.old\n1,2\n").unwrap();
        let open = || CountersHistory::open(&path, Duration::from_secs(1), false, Vec::new());
        for _ in 0..2 {
            let history = open().unwrap();
            assert_eq!(history.other(), Some(&*dir.path().join("c-1.csv")));
        }
        let old = std::fs::read_to_string(&path).unwrap();
        assert_eq!(old, "period_start,tcp.old\n1,2\n");
    }

    #[test]
    fn no_other_file_takes_the_counters() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("c.csv"), "a,b\n").unwrap();
        // An output of the same run that has got nothing yet, and what has been written.
        std::fs::write(path("c-1.csv"), "").unwrap();
        std::fs::write(path("c-2.csv"), "other").unwrap();
        std::fs::create_dir(path("c-3.csv")).unwrap();
        std::os::unix::fs::symlink(path("absent"), path("c-4.csv")).unwrap();
        for rows in 1..=2 {
            let period = Duration::from_secs(1);
            let mut history =
                CountersHistory::open(&path("c.csv"), period, false, Vec::new()).unwrap();
            assert_eq!(history.other(), Some(&*path("c-5.csv")));
            assert!(!history.is_over(at(100)));
            history.finish(&Counters::default()).unwrap();
            let text = std::fs::read_to_string(path("c-5.csv")).unwrap();
            assert!(text.starts_with("period_start,"), "{text}");
            assert_eq!(text.lines().count(), 1 + rows);
        }
        assert_eq!(std::fs::read_to_string(path("c-1.csv")).unwrap(), "");
        assert_eq!(std::fs::read_to_string(path("c-2.csv")).unwrap(), "other");
        assert!(!path("absent").exists());
    }
}
