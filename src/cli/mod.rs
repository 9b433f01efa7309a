//! The command line: options, what a run does with them, and the run itself.
//!
//! ```text
//!  args ──> config ──> run ──> report
//!   └─────> docs, completions
//! ```

mod args;
mod bound;
mod capture_program;
mod completions;
mod conditions;
pub mod config;
mod docs;
mod extcap;
mod history;
mod ini;
mod key_wait;
mod keylogs;
mod likeness;
mod lines;
mod live;
mod messages;
mod pace;
mod paths;
mod places;
mod progress;
pub mod report;
pub mod run;
mod signals;
mod state;
mod trace;
mod usage;
mod values;

pub use args::command;
pub use capture_program::list_interfaces;
pub use completions::completions;
pub use config::{Config, Invocation, colors_are_unwanted, parse};
pub use docs::{asked_for, first_screen, list_protocols, man};
pub use extcap::{ExtcapQuestion, answer};
pub use messages::{complain, unwritten};
pub use run::{FAILED, run};
pub use signals::Signals;
pub use usage::one_line;
pub use values::{ShownProgress, Stats, StatsFormat};
