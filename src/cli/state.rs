//! `--save-state`, `--load-state`, `--state`: a run goes on where another one has ended.
//!
//! A state goes on with the settings that it was made with. Some of them are what it consists of (see `bound`): where those differ it is
//! refused; limits, time-outs and what is shown may be others.

use super::bound::{Settings, difference};
use super::config::{Config, LoadedState};
use super::history::HistoryState;
use crate::assembler::{Assembler, State};
use crate::base::periods::Periods;
use crate::base::state::{Deserialize, Serialize};
use crate::capture::{FileHeader, SortQueue, Totals};
use crate::message::records::FoundSessions;
use crate::sink::saved::{self, StateError, StateReader, StateWriter};
use crate::sink::{OutputError, OutputState, Outputs};
use std::path::Path;

/// Octets of a state beside what the limit of memory covers: tables of names.
const BESIDE: u64 = 64 << 20;

impl Config {
    /// What the state that is gone on with is called in messages.
    pub(super) fn loaded_state(&self) -> String {
        let path = self.load_state.as_ref().map(|state| state.path.display());
        path.map_or_else(String::new, |path| path.to_string())
    }
}

/// What a run has beside the stages and the outputs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RunState {
    /// What is known of the first input.
    pub(super) header: Option<FileHeader>,
    pub(super) totals: Totals,
    pub(super) sctp_periods: Option<Periods>,
    pub(super) history: Option<HistoryState>,
    pub(super) found_sessions: FoundSessions,
}

/// A state that was read, but for what outputs have.
pub(super) struct ReadState {
    pub(super) run: RunState,
    pub(super) queue: Option<SortQueue>,
    pub(super) stages: State<OutputState>,
    pub(super) rest: StateReader,
}

/// Reads the state that `config` names, if it names one that is there.
///
/// # Errors
///
/// What is wrong with it, in the words for stderr.
pub(super) fn read(config: &Config) -> Result<Option<ReadState>, String> {
    let asked = config.save_state.is_some() || config.load_state.is_some();
    if asked && !cfg!(feature = "state") {
        return Err(
            "--state: this build of the program keeps none: build it with its feature state"
                .to_owned(),
        );
    }
    if let Some(path) = &config.save_state {
        saved::may_replace(path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let Some(LoadedState { path, required }) = &config.load_state else {
        return Ok(None);
    };
    let name = path.display();
    if !required && !path.exists() {
        return Ok(None);
    }
    let wrong = |e: StateError| format!("{name}: {e}");
    let limit = u64::try_from(config.limits.memory).unwrap_or(u64::MAX);
    let mut reader = StateReader::open(path, limit.saturating_add(BESIDE)).map_err(wrong)?;
    let saved: Settings = reader.get().map_err(wrong)?;
    if let Some((option, saved, now)) = difference(&saved, &config.settings) {
        return Err(format!(
            "{name}: was saved {saved}, and this run is {now}: what waits in it was made so: give {option} as it was, or begin anew"
        ));
    }
    Ok(Some(ReadState {
        run: reader.get().map_err(wrong)?,
        queue: reader.get().map_err(wrong)?,
        stages: reader.get().map_err(wrong)?,
        rest: reader,
    }))
}

/// What should be known of the place where the state goes, before it goes there: that an older one is lost with which nothing goes on.
// Not refused: a chain that begins anew with --save-state would have to remove the file first, which no other output asks for.
pub(super) fn replaced(config: &Config) -> Option<String> {
    let path = config.save_state.as_ref()?;
    let there = std::fs::metadata(path).is_ok_and(|found| found.len() > 0);
    (there && config.load_state.is_none()).then(|| {
        format!(
            "{}: an older state is there, which this run does not go on with and replaces: --state goes on with it",
            path.display()
        )
    })
}

/// Writes a state: all that waits in the stages, and in the outputs, which have been settled.
///
/// # Errors
///
/// Those of the system; the state before is left as it is.
pub(super) fn write(
    path: &Path,
    settings: &Settings,
    (run, queue): (&RunState, &Option<SortQueue>),
    assembler: &mut Assembler<Outputs>,
) -> Result<(), OutputError> {
    let mut to = StateWriter::create(path)?;
    to.put(settings);
    to.put(run);
    to.put(queue);
    to.put(assembler.state());
    assembler.sink().save(&mut to);
    to.finish()
}
