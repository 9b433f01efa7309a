//! What a run does: checked, and made once from the flags.

use crate::base::connection_rule::ConnectionRule;
use crate::base::limits::Limits;
use crate::message::rules::Rules;
use crate::sink::options::OutputOptions;
use std::path::PathBuf;
use std::time::Duration;

/// `--color`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--stats`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatsFormat {
    /// Aligned, with descriptions.
    Text,
    /// One object.
    Json,
    /// A header line and a row.
    Csv,
}

/// What a run does, made once from the flags.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Captures, in order; `-` is stdin.
    pub inputs: Vec<String>,
    /// Outputs.
    pub sink: OutputOptions,
    /// `--trace`: connections whose segments are told of on stderr.
    pub trace: Option<ConnectionRule>,
    /// Counters on stderr at the end.
    pub stats: Option<StatsFormat>,
    /// `--sctp-stats`: a file or a folder.
    pub sctp_stats: Option<PathBuf>,
    /// `-v`, how often.
    pub verbose: u8,
    /// `-q`.
    pub quiet: bool,
    /// `--sort-delay`; zero: none.
    pub sort_delay: Duration,
    /// `--sort-queue`; 0: no bound but that of the delay.
    pub sort_queue: usize,
    /// Limits and choices of processing.
    pub limits: Limits,
    /// `--decode-as`, `--framer`, `--protocols`, `--unframed`.
    pub rules: Rules,
}
