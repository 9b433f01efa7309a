//! Which outputs there are, and what is written there.

use super::choice::MessageChoice;
use super::files::FileOptions;
use super::follow::FollowForm;
use super::json::Show;
use super::packets::PacketOptions;
use super::print::{Look, Style};
use super::streams::Template;
use super::table::TableForm;
use crate::base::connection_rule::ConnectionRule;
use crate::sink::writer::Target;
use std::path::PathBuf;

/// `kind`: what is written to an output of packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OutputKind {
    /// Messages, a packet each.
    #[default]
    Messages,
    /// Packets of the input that could not be used, as they were.
    Dropped,
    /// All packets of the input, as they were.
    Bypass,
}

/// `--write`, `--dropped`, `--bypass`: an output of packets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputSpec {
    /// Where it goes.
    pub target: Target,
    /// What is written there.
    pub what: OutputKind,
    /// Protocols of the messages; those that no other output names where there are none.
    pub protocols: Vec<String>,
    /// What its packets look like.
    pub form: PacketOptions,
}

/// `--print`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrintTo {
    /// How much.
    pub style: Style,
    /// What its lines look like.
    pub look: Look,
    /// `-U`.
    pub packet_buffered: bool,
}

/// `--follow`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FollowTo {
    /// Which connections.
    pub rule: ConnectionRule,
    /// How their octets are shown.
    pub form: FollowForm,
    /// What lines look like.
    pub look: Look,
    /// `-U`.
    pub packet_buffered: bool,
}

/// `--table`.
#[derive(Clone, Debug)]
pub struct TableTo {
    /// What it looks like.
    pub form: TableForm,
    /// `-U`.
    pub packet_buffered: bool,
}

/// `--dump`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpTo {
    /// The folder.
    pub dir: PathBuf,
    /// How files are named.
    pub template: Template,
    /// A state is kept, or gone on with: what files are like is noted, so that one that was changed in between is known.
    pub goes_on: bool,
    /// `-U`, where the folder is `-`: stdout.
    pub packet_buffered: bool,
}

/// `--extract`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtractTo {
    /// The folder.
    pub dir: PathBuf,
    /// How, and which.
    pub files: FileOptions,
}

/// `--json`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JsonTo {
    /// Where it goes.
    pub target: Target,
    /// What is shown of the octets of messages.
    pub show: Show,
    /// `-U`.
    pub packet_buffered: bool,
}

/// `--har`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HarTo {
    /// Where it goes.
    pub target: Target,
    /// `--har-body`: octets that are shown of a body.
    pub body: usize,
    /// `--count`, where nothing else is written: entries, at most.
    pub count: Option<u64>,
    /// `-U`.
    pub packet_buffered: bool,
}

/// All outputs of a run.
#[derive(Clone, Debug, Default)]
pub struct OutputOptions {
    /// Outputs of packets.
    pub outputs: Vec<OutputSpec>,
    /// Lines on stdout.
    pub print: Option<PrintTo>,
    /// A table on stdout.
    pub table: Option<TableTo>,
    /// Connections as conversations on stdout.
    pub follow: Option<FollowTo>,
    /// JSON lines.
    pub json: Option<JsonTo>,
    /// Exchanges of HTTP as HAR.
    pub har: Option<HarTo>,
    /// Stream files.
    pub dump: Option<DumpTo>,
    /// Transferred files.
    pub extract: Option<ExtractTo>,
    /// `-v`, how often: what becomes of connections is told.
    pub verbose: u8,
    /// What is needed for hints at the end is noted.
    pub hints: bool,
    /// Connections that are written; all where there is none.
    pub connection: Option<ConnectionRule>,
    /// `--protocols`: other messages never come.
    pub some_protocols: bool,
    /// `--pair`: messages of a connection are written in the order of its exchanges.
    pub pair: bool,
    /// `--kind`, `--match`, `--from`, `--to`, `--count`: which messages are written.
    pub messages: MessageChoice,
}
