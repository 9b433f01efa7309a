//! `--sctp-stats`: the statistics of SCTP links as CSV, by periods of capture time.
//!
//! A file takes all periods; a folder gets one numbered file for each. A period begins with the first packet or where the
//! last one ended; those in which nothing was captured are left out.

use crate::base::counters::ChannelCounters;
use crate::base::periods::Periods;
use crate::base::time::Timestamp;
use crate::sink::writer::{self, BufferedWriter, OutputError, Reopened, Target};
use crate::transport::sctp::stats::{CSV_HEADER, LinkStats, csv_rows};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Length of a period: that in which networks usually count (3GPP TS 32.401 calls it the granularity period).
const PERIOD: Duration = Duration::from_secs(15 * 60);

/// Where rows go.
enum StatsTarget {
    File(Box<BufferedWriter>),
    /// And the number of its last file.
    Folder(PathBuf, u32),
}

/// The output of statistics.
pub struct SctpStats {
    name: PathBuf,
    to: StatsTarget,
    periods: Periods,
    /// Octets of the files of a folder, and when it was opened.
    written: u64,
    opened: Timestamp,
    failed: Option<io::Error>,
}

impl SctpStats {
    /// Opens a file, or makes the folder where `path` is one or ends in a slash. `-` is stdout. `goes_on`: behind the rows of an
    /// earlier run, where the file is there.
    ///
    /// # Errors
    ///
    /// Those of the system; `path` is one of `inputs`.
    pub fn open(path: &Path, inputs: &[&OsStr], goes_on: bool) -> Result<Self, OutputError> {
        let name = path.to_string_lossy();
        let to = if path.is_dir() || name.ends_with('/') {
            writer::make_folder(path)?;
            StatsTarget::Folder(path.to_owned(), 0)
        } else {
            writer::refuse_input(path.as_os_str(), inputs)?;
            let target = Target::file(path.as_os_str());
            let there = fs::metadata(path).is_ok_and(|there| there.is_file() && there.len() > 0);
            let goes_on = goes_on && there && name != "-";
            let to = if goes_on {
                let file = OpenOptions::new().append(true).open(path);
                let file = file.map_err(|source| OutputError {
                    name: name.to_string(),
                    doing: "open",
                    source,
                })?;
                Box::new(file)
            } else {
                writer::open(&target)?
            };
            let mut to = BufferedWriter::new(writer::shown(&name), to, true);
            to.reopens(&target);
            if !goes_on {
                to.write([CSV_HEADER.as_bytes()]);
            }
            StatsTarget::File(Box::new(to))
        };
        Ok(Self {
            name: PathBuf::from(writer::shown(&name)),
            to,
            periods: Periods::new(PERIOD),
            written: 0,
            opened: writer::wall_clock(),
            failed: None,
        })
    }

    /// Goes on in a new file where something has moved the old one away.
    pub fn reopen(&mut self, done: &mut Reopened) {
        if let StatsTarget::File(to) = &mut self.to
            && to.reopen(done)
        {
            to.write([CSV_HEADER.as_bytes()]);
        }
    }

    /// What went into it.
    pub fn channel(&self) -> ChannelCounters {
        match &self.to {
            StatsTarget::File(to) => to.channel(),
            StatsTarget::Folder(..) => ChannelCounters {
                name: self.name.display().to_string(),
                octets: self.written,
                opened: self.opened,
                ..ChannelCounters::default()
            },
        }
    }

    /// The period that has begun, for the next run.
    pub const fn periods(&self) -> &Periods {
        &self.periods
    }

    /// What it is given still goes somewhere.
    pub fn is_open(&self) -> bool {
        match &self.to {
            StatsTarget::File(to) => to.is_open(),
            StatsTarget::Folder(..) => true,
        }
    }

    /// Goes on with the period of an earlier run.
    pub fn go_on(&mut self, periods: Periods) {
        self.periods.go_on(periods);
    }

    /// A packet of this time comes next: true where it belongs to another period, so that the rows of the one that ends are
    /// to be written first.
    pub fn is_over(&mut self, next: Timestamp) -> bool {
        self.periods.is_over(next)
    }

    /// Writes the rows of the period, which ends in front of the packet that [`Self::is_over`] was called with.
    pub fn write(&mut self, links: &[LinkStats]) {
        let (start, end) = self.periods.end();
        self.rows(links, start, end);
    }

    /// Writes the rows of the last period, which the end of the input cuts short.
    ///
    /// # Errors
    ///
    /// The first error of the whole run.
    pub fn finish(&mut self, links: &[LinkStats]) -> Result<(), OutputError> {
        let (start, end) = self.periods.last().unwrap_or_default();
        self.rows(links, start, end);
        self.close()
    }

    /// The period goes on in the next run.
    ///
    /// # Errors
    ///
    /// The first error of the whole run.
    pub fn close(&mut self) -> Result<(), OutputError> {
        if let StatsTarget::File(to) = &mut self.to {
            return to.flush().map(|_| ());
        }
        match self.failed.take() {
            Some(source) => Err(OutputError {
                name: self.name.display().to_string(),
                doing: "write",
                source,
            }),
            None => Ok(()),
        }
    }

    fn rows(&mut self, links: &[LinkStats], start: Timestamp, end: Timestamp) {
        if links.is_empty() || self.failed.is_some() {
            return;
        }
        let rows = csv_rows(links, start, end);
        let done = match &mut self.to {
            StatsTarget::File(to) => {
                to.write([rows.as_bytes()]);
                return;
            }
            StatsTarget::Folder(folder, number) => new_file(folder, number).and_then(|mut to| {
                to.write_all(CSV_HEADER.as_bytes())?;
                to.write_all(rows.as_bytes())?;
                self.written += (CSV_HEADER.len() + rows.len()) as u64;
                Ok(())
            }),
        };
        self.failed = done.err();
    }
}

/// The next file of a folder; those that are there are left alone.
fn new_file(folder: &Path, number: &mut u32) -> io::Result<fs::File> {
    loop {
        *number = number.saturating_add(1);
        let path = folder.join(format!("sctp-{number:06}.csv"));
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && *number < u32::MAX => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::sctp::stats::NAMES;

    fn secs(s: u64) -> Timestamp {
        Timestamp::from_nanos(s * 1_000_000_000)
    }

    fn links() -> Vec<LinkStats> {
        vec![LinkStats {
            association: 1,
            src: ([10, 0, 0, 1], 1).into(),
            dst: ([10, 0, 0, 2], 2).into(),
            values: [1; NAMES.len()],
        }]
    }

    /// First two columns of the first row of each period.
    fn periods(text: &str) -> Vec<String> {
        let rows = text.lines().filter(|l| l.contains(",7000,"));
        rows.map(|l| l.split(',').take(2).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn periods_follow_the_capture() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stats.csv");
        let folder = dir.path().join("folder/");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("sctp-000002.csv"), "old").unwrap();
        for path in [&file, &folder] {
            let mut stats = SctpStats::open(path, &[], false).unwrap();
            // Nothing between 2800 and 6100: no rows for that.
            for at in [1000, 1500, 1400, 1899, 1900, 2799, 2800, 3500, 6100, 6200] {
                if stats.is_over(secs(at)) {
                    stats.write(&links());
                }
            }
            stats.finish(&links()).unwrap();
        }
        let expected = ["1000 1900", "1900 2800", "2800 3700", "5500 6200"];
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(CSV_HEADER));
        assert_eq!(text.lines().count(), 1 + 4 * NAMES.len());
        assert_eq!(periods(&text), expected);
        for (name, period) in [1, 3, 4, 5].into_iter().zip(expected) {
            let text = fs::read_to_string(folder.join(format!("sctp-{name:06}.csv"))).unwrap();
            assert!(text.starts_with(CSV_HEADER));
            assert_eq!(periods(&text), [period]);
        }
        assert_eq!(
            fs::read_to_string(folder.join("sctp-000002.csv")).unwrap(),
            "old"
        );
    }

    #[test]
    fn a_step_back_ends_the_period() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stats.csv");
        let mut stats = SctpStats::open(&file, &[], false).unwrap();
        assert!(!stats.is_over(secs(100_000)));
        let over = (0..17)
            .map(|n| stats.is_over(secs(50 + n)))
            .collect::<Vec<_>>();
        assert_eq!(
            over.iter().position(|o| *o),
            Some(16),
            "believed when others agree"
        );
        stats.write(&links());
        assert!(!stats.is_over(secs(70)));
        stats.finish(&links()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(periods(&text), ["100000 100900", "66 70"]);
    }
}
