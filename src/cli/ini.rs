//! `--config`: an INI file as arguments of the command line, and `--save-config`: the other way round.
//!
//! An entry is a long option without its dashes, in the section that is called as the heading of the option in `--help`. Entries
//! of INetReassembler.ini are rows of [`OTHER`], so that its files run as they are.

use super::args::command;
use super::likeness::{did_you_mean, nearest};
use super::usage::one_line;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use ini_core::{Item, Parser};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::sync::LazyLock;

/// What an entry of INetReassembler.ini is here.
enum Meaning {
    /// The value of an option, with this behind it (a unit).
    Value(&'static str, &'static str),
    /// An option without a value, where the entry says yes.
    Flag(&'static str),
    /// Counters begin anew behind each row of their file, where there is one.
    Clear,
    /// A part of the value of --checksums: how it is where the entry says yes.
    Checksum(&'static str),
    /// A part of the value of --disable, where the entry says no.
    Disable(&'static str),
    /// The value of --look-behind.
    LookBehind,
    /// How often -v is given.
    Verbose,
    /// Channels of the section are opened, where the entry says yes.
    Channels,
    /// Nothing here does it; what to use instead.
    Instead(&'static str),
}

/// Sections and entries of INetReassembler.ini.
#[rustfmt::skip] // a table
const OTHER: &[(&str, &str, Meaning)] = &[
    ("Counters", "ClearOnWrite", Meaning::Clear),
    ("Counters", "HistoryFile", Meaning::Value("counters-file", "")),
    ("Counters", "HistoryPeriod", Meaning::Value("counters-period", "m")),
    ("INetReassembler", "BypassInput", Meaning::Instead("bypass = OUTPUT in [Output] writes every input packet as it was")),
    ("INetReassembler", "DebugInfo", Meaning::Flag("info")),
    ("INetReassembler", "SendEventsOnDuplicates", Meaning::Instead("copies are counted (-s), and dropped = OUTPUT in [Output] keeps them")),
    ("INetReassembler", "TrackPayload", Meaning::Flag("track")),
    ("IPReassembler", "MaxActivePackets", Meaning::Value("max-active-packets", "")),
    ("IPReassembler", "PacketTimeOutMSec", Meaning::Value("ip-packet-timeout", "ms")),
    ("IPReassembler", "StoreFragmentsTillTimeout", Meaning::Flag("store-fragments")),
    ("IPReassembler", "VerifyChecksums", Meaning::Checksum("ip")),
    ("Input", "RestoreChannels", Meaning::Channels),
    ("Input", "SortingQueueDelay", Meaning::Value("sort-delay", "ms")),
    ("Input", "SortingQueueLength", Meaning::Value("sort-queue", "")),
    ("Input", "StoragePointerFilePath", Meaning::Instead("inputs are named, and --sort-files puts them in order")),
    ("Input", "SynchronizedIO", Meaning::Flag("synchronized")),
    ("Log", "LogDetailLevel", Meaning::Verbose),
    ("Log", "LogFilesPath", Meaning::Instead("log-file = FILE in [Observation] takes the messages")),
    ("Output", "RestoreChannels", Meaning::Channels),
    ("Output", "SortingQueueDelay", Meaning::Value("output-sort-delay", "ms")),
    ("Output", "SortingQueueLength", Meaning::Value("output-sort-queue", "")),
    ("Output", "StoragePointerFilePath", Meaning::Instead("outputs are named, and SIGHUP begins new ones")),
    ("Output", "SynchronizedIO", Meaning::Flag("synchronized")),
    ("RemoteUI", "TCPHost", Meaning::Instead("signals ask a running program: SIGUSR1 prints the counters")),
    ("RemoteUI", "TCPPort", Meaning::Instead("signals ask a running program: SIGUSR1 prints the counters")),
    ("SCTPReassembler", "CollectStreamStats", Meaning::Instead("sctp-stats = PATH in [Operation], or StatsCsvPath, says where they go")),
    ("SCTPReassembler", "Enabled", Meaning::Disable("sctp")),
    ("SCTPReassembler", "LookBehindOnStartUp", Meaning::LookBehind),
    ("SCTPReassembler", "MaxActivePackets", Meaning::Value("max-active-packets", "")),
    ("SCTPReassembler", "PacketTimeOutMSec", Meaning::Value("sctp-packet-timeout", "ms")),
    ("SCTPReassembler", "SctpInfoOnOutput", Meaning::Flag("info")),
    ("SCTPReassembler", "StatsCsvPath", Meaning::Value("sctp-stats", "")),
    ("SCTPReassembler", "StatsSuperMonPath", Meaning::Instead("StatsCsvPath writes the same statistics as CSV")),
    ("SCTPReassembler", "StreamTimeOutSec", Meaning::Value("session-timeout", "s")),
    ("SCTPReassembler", "TrackMissingChunks", Meaning::Flag("track-missing-chunks")),
    ("SCTPReassembler", "VerifyChecksums", Meaning::Checksum("sctp")),
    ("SCTPReassembler", "WaitForAck", Meaning::Flag("wait-ack")),
    ("State", "AutoStart", Meaning::Instead("the program begins to read when it is started")),
    ("State", "StateFile", Meaning::Value("state", "")),
    ("TCPReassembler", "Enabled", Meaning::Disable("tcp")),
    ("TCPReassembler", "LookBehindOnStartUp", Meaning::LookBehind),
    ("TCPReassembler", "MaxActivePackets", Meaning::Value("max-active-packets", "")),
    ("TCPReassembler", "PacketTimeOutMSec", Meaning::Value("tcp-packet-timeout", "ms")),
    ("TCPReassembler", "SessionTimeOutSec", Meaning::Value("session-timeout", "s")),
    ("TCPReassembler", "TcpInfoOnOutput", Meaning::Flag("info")),
    ("TCPReassembler", "VerifyChecksums", Meaning::Checksum("tcp")),
    ("UDPReassembler", "Enabled", Meaning::Disable("udp")),
    ("UDPReassembler", "VerifyChecksums", Meaning::Checksum("udp")),
];

/// How often an option may be given and say more each time: -v.
const TIMES: u8 = 2;

/// Options that are no entries: they are about the command line itself.
const NONE: &[&str] = &[
    "config",
    "save-config",
    "help",
    "version",
    "man",
    "completions",
    "list-protocols",
    "list-interfaces",
    "extcap-interfaces",
    "extcap-version",
    "extcap-interface",
    "extcap-dlts",
    "extcap-config",
    "extcap-capture-filter",
    "capture",
    "fifo",
];

/// The option that counts anew behind each row.
const CLEAR: &str = "counters-clear";

/// Options whose value is a list, of which entries of INetReassembler.ini are parts.
const LISTS: [&str; 2] = ["checksums", "disable"];

/// Options that say more of another one, and are taken back with it. Alone, those are refused.
const COMPANY: &[(&str, &str)] = &[
    (CLEAR, "counters-file"),
    ("dump-name", "dump"),
    ("fields", "table"),
    ("follow-form", "follow"),
    ("capture-filter", "interface"),
];

/// The same of those that do nothing alone.
const IDLE_ALONE: &[(&str, &str)] = &[
    ("counters-period", "counters-file"),
    ("json-body", "json"),
    ("har-body", "har"),
    ("extract-types", "extract"),
    ("extract-protocols", "extract"),
    ("extract-min", "extract"),
    ("extract-max", "extract"),
    ("max-file", "extract"),
    ("certificates", "extract"),
    ("on-file", "extract"),
    ("index", "extract"),
    ("keylog-wait", "keylog"),
];

/// What an entry says of an option.
#[derive(Clone, PartialEq, Eq)]
enum EntryValue {
    No,
    Yes,
    Times(u8),
    Value(String),
}

impl EntryValue {
    const fn yes(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }

    /// What a list says of a part of it, as [`Entries::part`] has it.
    fn part(&self, long: &str, part: &str) -> Option<String> {
        let text = match self {
            Self::Value(text) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        let words = text.split(',').map(str::trim);
        if long == "disable" {
            return words.into_iter().find(|w| *w == part).map(str::to_owned);
        }
        let mut how = words.filter_map(|word| match word.split_once('=') {
            None => Some(word),
            Some((of, how)) => (of == part).then_some(how),
        });
        how.next_back().map(|how| format!("{part}={how}"))
    }

    /// How much is asked for. What is no number is most: then it is the one that is refused.
    fn size(&self) -> u64 {
        match self {
            Self::No => 0,
            Self::Yes => 1,
            Self::Times(times) => u64::from(*times),
            Self::Value(text) if text == "off" => 0,
            Self::Value(text) => {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                text.get(..digits)
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(u64::MAX)
            }
        }
    }
}

impl fmt::Display for EntryValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Yes => f.write_str("yes"),
            Self::Times(times) => write!(f, "{times}"),
            Self::Value(text) => f.write_str(text),
        }
    }
}

/// An option that an entry speaks of.
struct Wanted<'a> {
    /// The name of the option; None for an input.
    long: Option<&'a str>,
    said: EntryValue,
    line: usize,
    /// Section and name of the entry, where it is one of INetReassembler.ini.
    other: Option<(&'static str, &'static str)>,
}

/// A line, the option that it is about, if any, and what is said of it.
type Note = (usize, Option<String>, String);

/// What a file of configuration asks for.
#[derive(Default)]
pub(super) struct FileOptions {
    /// As arguments of the command line.
    pub(super) args: Vec<OsString>,
    /// What it asks for and cannot be had, in words for stderr.
    pub(super) notes: Vec<String>,
    /// Where each condition of --fail-if stands: file and line. What is wrong with one is known when all options are.
    pub(super) conditions: Vec<String>,
    /// Where the others stand.
    pub(super) places: OptionPlaces,
}

/// Where options stand in a file of configuration: what is wrong with one is known when all are, or when the run begins.
#[derive(Clone, Debug, Default)]
pub struct OptionPlaces {
    file: String,
    /// Name, value and line of each.
    options: Vec<(String, Option<String>, usize)>,
}

impl OptionPlaces {
    /// A line for stderr with the place of the option that it is about, where that stands in the file.
    pub(super) fn placed(&self, what: &str) -> String {
        if self.options.is_empty() || what.starts_with(&format!("{}: line ", self.file)) {
            return what.to_owned();
        }
        let first = what.split(": ").next().unwrap_or_default();
        let names = |text: &str, long: &str| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let mut words = text.split(|c| !is_name(c));
            words.any(|word| word.strip_prefix("--") == Some(long))
        };
        let find = |says: &dyn Fn(&str, Option<&str>) -> bool| {
            let mut all = self.options.iter();
            all.find(|(long, value, _)| says(long, value.as_deref()))
        };
        // It begins with the option, or with its value, or a word of that: a path, a protocol.
        let is_word = |value: &str| {
            let parts = |c: char| c.is_whitespace() || ",=?'\"".contains(c);
            let words = value.split(parts);
            words
                .chain(value.split([':', '?']))
                .any(|word| word == first)
        };
        let about = find(&|long, _| names(first, long))
            .or_else(|| find(&|_, value| value == Some(first)))
            .or_else(|| find(&|_, value| value.is_some_and(is_word)));
        if let Some((.., line)) = about {
            let what = what.trim_start_matches("--");
            return format!("{}: line {line}: {what}", self.file);
        }
        match find(&|long, _| names(what, long)) {
            Some((long, _, line)) => format!("{what} ({}: line {line}: {long})", self.file),
            None => what.to_owned(),
        }
    }
}

/// Reads the text of the file `name`. What `given` knows, or excludes, is left out: the command line is stronger.
///
/// # Errors
///
/// What is wrong, with the file and the line.
pub(super) fn read(name: &str, text: &str, given: &ArgMatches) -> Result<FileOptions, String> {
    let command = command();
    let mut file = Entries::new(&command);
    let (mut section, mut line) = (String::new(), 0);
    // A mark of the encoding stands in front of what some editors write.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for item in Parser::new(text).auto_trim(true) {
        if item != Item::SectionEnd {
            line += 1;
        }
        let done = match item {
            Item::Section(name) => {
                section = name.trim().to_owned();
                file.section(&section)
            }
            Item::Property(key, _) if key.starts_with('#') => Ok(()),
            Item::Property(key, value) => file.entry(&section, key, value, line),
            Item::Error(text) => Err(format!("{text}: is no section: expected [NAME]")),
            Item::SectionEnd | Item::Comment(_) | Item::Blank => Ok(()),
        };
        done.map_err(|what| format!("{name}: line {line}: {what}"))?;
    }
    let closed = file.close(given);
    closed.map_err(|(line, what)| format!("{name}: line {line}: {what}"))?;
    let mut options = FileOptions::default();
    for (line, long, note) in file.notes {
        // What the command line says is in force, whatever is said of it here.
        if long.is_none_or(|long| !is_given(&command, given, Some(&long))) {
            options.notes.push(format!("{name}: line {line}: {note}"));
        }
    }
    for wanted in file.wanted {
        if is_given(&command, given, wanted.long) {
            continue;
        }
        let long = wanted.long.unwrap_or("read");
        let (arg, times): (OsString, _) = match wanted.said {
            EntryValue::No | EntryValue::Times(0) => continue,
            EntryValue::Yes => (format!("--{long}").into(), 1),
            EntryValue::Times(times) => (format!("--{long}").into(), usize::from(times)),
            EntryValue::Value(value) => (format!("--{long}={value}").into(), 1),
        };
        // Each by itself, so that what is wrong has a line.
        if let Err(e) = command
            .clone()
            .try_get_matches_from(["inet-asm".into(), arg.clone()])
            && e.kind() != clap::error::ErrorKind::MissingRequiredArgument
        {
            let what = one_line(&e);
            let what = what.trim_start_matches("--");
            return Err(format!("{name}: line {}: {what}", wanted.line));
        }
        if wanted.long == Some("fail-if") {
            options
                .conditions
                .push(format!("{name}: line {}", wanted.line));
        }
        let value = arg.to_str().and_then(|arg| arg.split_once('='));
        let value = value.map(|(_, value)| value.to_owned());
        let place = (long.to_owned(), value, wanted.line);
        options.places.options.push(place);
        options.args.extend(vec![arg; times]);
    }
    name.clone_into(&mut options.places.file);
    Ok(options)
}

/// What `--no-NAME` takes back: name and identifier of each option that a file may have.
static TAKEN_BACK: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let command = command();
    let options = command.get_arguments().filter_map(|arg| {
        let long = arg.get_long()?;
        let is_entry = !NONE.contains(&long) && !long.starts_with("no-");
        is_entry.then(|| (format!("no-{long}"), arg.get_id().as_str().to_owned()))
    });
    options.collect()
});

/// The command with `--no-NAME` for each option that a file may have: what it says of that is as if it were not there, and so is what
/// stands before it on the command line.
pub(super) fn with_negations(command: Command) -> Command {
    let negations = TAKEN_BACK.iter().map(|(negation, id)| {
        Arg::new(negation.as_str())
            .long(negation.as_str())
            .action(ArgAction::SetTrue)
            .hide(true)
            .overrides_with_all([negation.as_str(), id.as_str()])
    });
    command.args(negations)
}

/// The command line has the option itself.
fn is_on_command_line(given: &ArgMatches, id: &str) -> bool {
    let known = given.try_contains_id(id).unwrap_or(false);
    known && given.value_source(id) == Some(ValueSource::CommandLine)
}

/// The command line has the option, or one that excludes it, or takes it back. None is an input.
fn is_given(command: &Command, given: &ArgMatches, long: Option<&str>) -> bool {
    let is = |id: &str| is_on_command_line(given, id);
    if let Some(long) = long {
        let company = COMPANY.iter().chain(IDLE_ALONE);
        let company = company.filter(|(of, _)| *of == long).map(|(_, with)| *with);
        if company.chain([long]).any(|long| is(&format!("no-{long}"))) {
            return true;
        }
    }
    let Some(long) = long.filter(|long| *long != "read") else {
        return is("inputs") || is("read");
    };
    let Some(arg) = command.get_arguments().find(|a| a.get_long() == Some(long)) else {
        return false;
    };
    let id = |arg: &Arg| arg.get_id().as_str().to_owned();
    // Which of two excludes the other is said at one of them.
    let excluded = command.get_arguments().any(|other| {
        let conflicts = |a: &Arg, b: &Arg| {
            command
                .get_arg_conflicts_with(a)
                .iter()
                .any(|c| c.get_id() == b.get_id())
        };
        is(&id(other)) && (conflicts(arg, other) || conflicts(other, arg))
    });
    is(&id(arg)) || excluded
}

/// Yes or no, in the words that INI files have.
fn yes(value: Option<&str>) -> Result<bool, String> {
    let Some(value) = value else { return Ok(true) };
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(format!(
            "{value}: is none of its values: expected yes or no"
        )),
    }
}

/// The value of the option may be left out.
fn takes_none(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|n| n.min_values() == 0)
}

/// Entries, as they are read.
struct Entries<'a> {
    command: &'a Command,
    wanted: Vec<Wanted<'a>>,
    notes: Vec<Note>,
    /// Parts of --checksums and --disable: what each says, if anything, and its line.
    parts: BTreeMap<(&'static str, &'static str), (Option<String>, usize)>,
    /// Whether counters begin anew with each row, in the words of INetReassembler.ini, and its line.
    clears: Option<(bool, usize)>,
    /// Sections whose channels are not opened.
    closed: Vec<String>,
    /// Channels: section, address, line.
    channels: Vec<(String, String, usize)>,
}

impl<'a> Entries<'a> {
    const fn new(command: &'a Command) -> Self {
        Self {
            command,
            wanted: Vec::new(),
            notes: Vec::new(),
            parts: BTreeMap::new(),
            clears: None,
            closed: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// Names of all sections.
    fn sections(&self) -> Vec<&str> {
        let mut all: Vec<&str> = OTHER.iter().map(|(section, ..)| *section).collect();
        all.extend(
            self.command
                .get_arguments()
                .filter_map(Arg::get_help_heading),
        );
        all.retain(|section| *section != "Help");
        all.sort_unstable();
        all.dedup();
        all
    }

    fn section(&self, name: &str) -> Result<(), String> {
        let all = self.sections();
        if all.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        let meant = did_you_mean(nearest(name, all), "--save-config shows them");
        Err(format!("[{name}]: there is no such section{meant}"))
    }

    fn entry(
        &mut self,
        section: &str,
        key: &str,
        value: Option<&str>,
        line: usize,
    ) -> Result<(), String> {
        if section.is_empty() {
            return Err(format!("{key}: stands in no section: put [NAME] above it"));
        }
        let value = value.map(unquoted);
        let is = |text: &str, other: &str| text.eq_ignore_ascii_case(other);
        let row = OTHER.iter().find(|(s, k, _)| is(s, section) && is(k, key));
        if let Some((section, key, meaning)) = row {
            let done = self.other((section, key), meaning, value, line);
            return done.map_err(|what| format!("{key}: {what}"));
        }
        let entries: Vec<&'a Arg> = self
            .command
            .get_arguments()
            .filter(|arg| arg.get_long().is_some_and(|long| !NONE.contains(&long)))
            .collect();
        let found = entries
            .iter()
            .find(|arg| arg.get_long().is_some_and(|long| is(long, key)));
        if let Some(arg) = found {
            let heading = arg.get_help_heading().unwrap_or_default();
            if !is(heading, section) {
                return Err(format!(
                    "{key}: belongs to section [{heading}]: move it there"
                ));
            }
            return self.option(arg, value, line);
        }
        let here = entries
            .iter()
            .filter(|arg| arg.get_help_heading().is_some_and(|h| is(h, section)))
            .filter_map(|arg| arg.get_long());
        let others = OTHER
            .iter()
            .filter(|(s, ..)| is(s, section))
            .map(|(_, k, _)| *k);
        let meant = nearest(key, here.chain(others));
        let channels = is(section, "Input") || is(section, "Output");
        if let (true, None, Some(value)) = (channels, meant, value) {
            let channel = (section.to_ascii_lowercase(), value.to_owned(), line);
            self.channels.push(channel);
            return Ok(());
        }
        let meant = did_you_mean(meant, "--save-config shows them");
        Err(format!(
            "{key}: there is no such entry in [{section}]{meant}"
        ))
    }

    /// An entry that is an option.
    fn option(&mut self, arg: &'a Arg, value: Option<&str>, line: usize) -> Result<(), String> {
        let Some(long) = arg.get_long() else {
            return Ok(());
        };
        match arg.get_action() {
            ArgAction::SetTrue => {
                let on = yes(value).map_err(|what| format!("{long}: {what}"))?;
                self.want(long, EntryValue::yes(on), line, None);
            }
            ArgAction::Count => {
                let times = value.map_or(Ok(1), str::parse::<u8>);
                let times =
                    times.map_err(|_| format!("{long}: is no number: expected how often, as 2"))?;
                self.want(long, EntryValue::Times(times.min(TIMES)), line, None);
            }
            // Its value may be left out: yes is the option alone.
            ArgAction::Set | ArgAction::Append if takes_none(arg) && yes(value).is_ok() => {
                self.want(long, EntryValue::yes(yes(value)?), line, None);
            }
            ArgAction::Append => self.wanted.push(Wanted {
                long: Some(long),
                said: value.map_or(EntryValue::Yes, |value| EntryValue::Value(value.to_owned())),
                line,
                other: None,
            }),
            _ => {
                let said =
                    value.map_or(EntryValue::Yes, |value| EntryValue::Value(value.to_owned()));
                self.want(long, said, line, None);
            }
        }
        Ok(())
    }

    /// An entry of INetReassembler.ini.
    fn other(
        &mut self,
        entry: (&'static str, &'static str),
        meaning: &Meaning,
        value: Option<&str>,
        line: usize,
    ) -> Result<(), String> {
        let is_empty = value.is_none_or(str::is_empty);
        match meaning {
            // A path that is not given is none.
            Meaning::Value(..) | Meaning::Instead(_) if is_empty => {}
            Meaning::Value(long, unit) => {
                let value = format!("{}{unit}", value.unwrap_or_default());
                self.want(long, EntryValue::Value(value), line, Some(entry));
            }
            Meaning::Flag(long) => self.want(long, EntryValue::yes(yes(value)?), line, Some(entry)),
            // Which file it is about may stand behind it.
            Meaning::Clear => self.clears = Some((yes(value)?, line)),
            Meaning::Checksum(layer) => {
                let how = if yes(value)? { "verify" } else { "ignore" };
                self.part("checksums", layer, Some(format!("{layer}={how}")), line);
            }
            Meaning::Disable(transport) => {
                let disabled = (!yes(value)?).then(|| (*transport).to_owned());
                self.part("disable", transport, disabled, line);
            }
            // Yes is what is done anyway; a number is one of segments.
            Meaning::LookBehind => {
                let said = match value.map(str::parse::<u32>) {
                    Some(Ok(n @ 2..)) => format!("{n},200ms"),
                    _ if yes(value)? => self.default_of("look-behind"),
                    _ => "off".to_owned(),
                };
                self.want("look-behind", EntryValue::Value(said), line, Some(entry));
            }
            Meaning::Verbose => {
                let level = value.unwrap_or_default().parse::<u8>();
                let level = level.map_err(|_| "is no number: expected a level, as 1".to_owned())?;
                self.want(
                    "verbose",
                    EntryValue::Times(level.min(TIMES)),
                    line,
                    Some(entry),
                );
            }
            Meaning::Channels => {
                let section = entry.0.to_ascii_lowercase();
                self.closed.retain(|closed| *closed != section);
                if !yes(value)? {
                    self.closed.push(section);
                }
            }
            // What is switched off is not missed.
            Meaning::Instead(_) if yes(value) == Ok(false) => {}
            Meaning::Instead(text) => {
                let note = format!("does nothing here: {text}");
                // The host and the port of one thing are answered once.
                if !self.notes.iter().any(|(.., known)| *known == note) {
                    self.notes.push((line, None, note));
                }
            }
        }
        Ok(())
    }

    /// What an option is where nobody says anything of it.
    fn default_of(&self, long: &str) -> String {
        let mut all = self.command.get_arguments();
        let arg = all.find(|arg| arg.get_long() == Some(long));
        let default = arg.and_then(|arg| arg.get_default_values().first()?.to_str());
        default.unwrap_or_default().to_owned()
    }

    /// An entry that says something of one part of a list. A list says something of each part: of the two the later one holds there.
    fn part(&mut self, long: &'static str, part: &'static str, value: Option<String>, line: usize) {
        let known = match self.parts.get(&(long, part)) {
            Some((value, at)) => Some((value.clone(), *at)),
            None => {
                let list = self.wanted.iter().find(|w| w.long == Some(long));
                list.map(|list| (list.said.part(long, part), list.line))
            }
        };
        if let Some((_, at)) = known.filter(|(known, _)| *known != value) {
            let note = format!("{long}: line {at} says otherwise of {part}: this one holds");
            self.notes.push((line, Some(long.to_owned()), note));
        }
        self.parts.insert((long, part), (value, line));
    }

    /// A list takes the place of what was said of parts of it before.
    fn list(&mut self, long: &str, said: &EntryValue, line: usize) {
        let is_of = |(of, _): &(&'static str, &'static str)| *of == long;
        let of_it: Vec<_> = self.parts.keys().copied().filter(is_of).collect();
        for key in of_it {
            if let Some((value, at)) = self.parts.remove(&key)
                && value != said.part(key.0, key.1)
            {
                self.replaced(long, at, line);
            }
        }
    }

    /// Two entries say different things of one option, and the later one holds.
    fn replaced(&mut self, long: &str, before: usize, line: usize) {
        let note = format!("{long}: was another one in line {before}: this one holds");
        self.notes.push((line, Some(long.to_owned()), note));
    }

    /// An option that can be given once. Another entry that says the same is none; of two that differ the last one holds, and that
    /// is told. Sections of INetReassembler.ini that have an entry each, and share an option here, are told of too: the larger one holds,
    /// with which nothing is given up sooner than it says.
    fn want(
        &mut self,
        long: &str,
        said: EntryValue,
        line: usize,
        other: Option<(&'static str, &'static str)>,
    ) {
        let mut all = self.command.get_arguments();
        let Some(arg) = all.find(|arg| arg.get_long() == Some(long)) else {
            return;
        };
        let long = arg.get_long();
        self.list(long.unwrap_or_default(), &said, line);
        let new = Wanted {
            long,
            said,
            line,
            other,
        };
        let Some(before) = self.wanted.iter_mut().find(|w| w.long == long) else {
            self.wanted.push(new);
            return;
        };
        if before.said == new.said {
            return;
        }
        let name = long.unwrap_or_default();
        match (before.other, new.other) {
            (Some(first), Some(second)) if first != second => {
                let [(s1, e1), (s2, e2)] = [first, second];
                let more = new.said.size() > before.said.size();
                let holds = if more { &new.said } else { &before.said };
                let note = format!(
                    "{name}: is one option for [{s1}] {e1} (line {}: {}) and [{s2}] {e2} ({}): {holds} holds, the larger one",
                    before.line, before.said, new.said
                );
                self.notes.push((line, Some(name.to_owned()), note));
                if more {
                    *before = new;
                }
            }
            _ => {
                let at = std::mem::replace(before, new).line;
                self.replaced(name, at, line);
            }
        }
    }

    /// Puts what was said of parts of lists into these.
    fn join_parts(&mut self) {
        let all = std::mem::take(&mut self.parts);
        for long in LISTS {
            let of_it = all.iter().filter(|((of, _), _)| *of == long);
            let parts: Vec<_> = of_it.map(|((_, part), said)| (*part, said)).collect();
            if parts.is_empty() {
                continue;
            }
            let list = self.wanted.iter().position(|w| w.long == Some(long));
            let list = list.map(|at| self.wanted.remove(at));
            let text = match list.as_ref().map(|list| &list.said) {
                Some(EntryValue::Value(text)) => text.clone(),
                _ => String::new(),
            };
            let said_again = |word: &&str| {
                !parts
                    .iter()
                    .any(|(part, ..)| part.eq_ignore_ascii_case(word))
            };
            let mut words: Vec<_> = text.split(',').map(str::trim).collect();
            words.retain(|word| !word.is_empty() && said_again(word));
            words.extend(parts.iter().filter_map(|(_, (value, _))| value.as_deref()));
            // What is wrong can only be so in the list.
            let first = parts.iter().map(|(_, (_, line))| *line).min();
            let line = list.map(|list| list.line).or(first).unwrap_or(0);
            let said = match words.is_empty() {
                true => EntryValue::No,
                false => EntryValue::Value(words.join(",")),
            };
            self.wanted.push(Wanted {
                long: Some(long),
                said,
                line,
                other: None,
            });
        }
    }

    /// The file has ended. `given`: what the command line has.
    fn close(&mut self, given: &ArgMatches) -> Result<(), (usize, String)> {
        let is_wanted = |w: &&Wanted<'_>, long| w.long == Some(long) && w.said != EntryValue::No;
        let named = self.wanted.iter().any(|w| is_wanted(&w, "counters-file"));
        let command = self.command;
        let has_counters = is_on_command_line(given, "counters_file")
            || named && !is_given(command, given, Some("counters-file"));
        if let Some((clears, line)) = self.clears.take() {
            let said = EntryValue::yes(clears);
            let other = self.wanted.iter().find(|w| w.long == Some(CLEAR));
            match other.map(|other| (other.line, other.said == said)) {
                Some((_, true)) => {}
                // It is looked at when the others are known.
                Some((later, _)) if later > line => self.replaced(CLEAR, line, later),
                _ if has_counters || !clears => self.want(CLEAR, said, line, None),
                _ => {
                    let note = "does nothing here: HistoryFile names no file".to_owned();
                    self.notes.push((line, None, note));
                }
            }
        }
        let clears = self.wanted.iter().find(|w| is_wanted(w, CLEAR));
        if let Some(clears) = clears.filter(|_| !has_counters)
            && !is_given(command, given, Some(CLEAR))
        {
            return Err((
                clears.line,
                format!("{CLEAR}: counts anew behind each row of a file: add counters-file = FILE"),
            ));
        }
        self.join_parts();
        for (section, address, line) in std::mem::take(&mut self.channels) {
            if self.closed.contains(&section) {
                continue;
            }
            let long = (section == "output").then_some("write");
            self.wanted.push(Wanted {
                long,
                said: EntryValue::Value(address),
                line,
                other: None,
            });
        }
        Ok(())
    }
}

/// A value that stands in quotation marks, which keep the spaces at its ends.
fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inner.unwrap_or(value)
}

/// What is in force, as a file that `--config` reads. What has its default stands in comments.
///
/// # Errors
///
/// A value that an INI file cannot hold.
pub(super) fn save(matches: &ArgMatches) -> Result<String, String> {
    let command = command();
    let mut text = String::new();
    let mut headings: Vec<&str> = Vec::new();
    let entries = || {
        command
            .get_arguments()
            .filter(|a| a.get_long().is_none_or(|long| !NONE.contains(&long)))
    };
    for heading in entries().filter_map(Arg::get_help_heading) {
        if !headings.contains(&heading) && heading != "Help" {
            headings.push(heading);
        }
    }
    let is_alone = |long: &str| {
        let mut company = COMPANY.iter().filter(|(of, _)| *of == long);
        company.any(|(_, with)| {
            let with = entries().find(|arg| arg.get_long() == Some(with));
            !with.is_some_and(|arg| is_on_command_line(matches, arg.get_id().as_str()))
        })
    };
    for heading in headings {
        let mut lines = String::new();
        for arg in entries().filter(|a| a.get_help_heading() == Some(heading)) {
            // INPUT and --read are one list.
            let long = arg.get_long().unwrap_or("read");
            let id = arg.get_id().as_str();
            let given = matches.value_source(id) == Some(ValueSource::CommandLine);
            match arg.get_action() {
                ArgAction::SetTrue if given => {
                    let _ = writeln!(lines, "{long} = yes");
                }
                ArgAction::Count if given => {
                    // More than twice says no more, and is read as twice.
                    let times = matches.get_count(id).min(TIMES);
                    let _ = writeln!(lines, "{long} = {times}");
                }
                // What says more of an option that is not given would be refused alone.
                ArgAction::Set if !given && is_alone(long) => {}
                ArgAction::Set | ArgAction::Append => {
                    let each = matches.get_raw(id).into_iter().flatten();
                    let mut values = Vec::new();
                    for value in each {
                        values.push(quoted(value.to_str(), long)?);
                    }
                    if arg.get_value_delimiter().is_some() && !values.is_empty() {
                        values = vec![values.join(",")];
                    }
                    let mark = if given { "" } else { "; " };
                    for value in values {
                        let _ = writeln!(lines, "{mark}{long} = {value}");
                    }
                }
                _ => {}
            }
        }
        if !lines.is_empty() {
            let between = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{between}[{heading}]\n{lines}");
        }
    }
    Ok(text)
}

/// A value as a line holds it.
fn quoted(value: Option<&str>, long: &str) -> Result<String, String> {
    let Some(value) = value.filter(|value| !value.contains(['\n', '\r'])) else {
        return Err(format!(
            "--{long}: has a value that is not UTF-8 or longer than a line, which a file of configuration cannot hold: leave it out"
        ));
    };
    let plain = value.trim() == value && !value.starts_with('"') && !value.is_empty();
    Ok(if plain {
        value.to_owned()
    } else {
        format!("\"{value}\"")
    })
}

/// The entries of INetReassembler.ini, for the man page: section, entry, what it is here.
pub(super) fn other_entries() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    // Sections that share an option are told what becomes of it.
    let shared = |long: &str| {
        let same = OTHER.iter().filter(|(_, _, meaning)| match meaning {
            Meaning::Value(other, _) | Meaning::Flag(other) => *other == long,
            _ => false,
        });
        same.count() > 1
    };
    OTHER.iter().map(move |(section, entry, meaning)| {
        let largest = match meaning {
            Meaning::LookBehind => "; the largest of all sections holds",
            Meaning::Value(long, _) if shared(long) => "; the largest of all sections holds",
            Meaning::Flag(long) if shared(long) => ", where one of the sections says yes",
            _ => "",
        };
        let words = match meaning {
            Meaning::Value(long, "") => format!("--{long}"),
            Meaning::Value(long, "m") => format!("--{long}, in minutes"),
            Meaning::Value(long, "s") => format!("--{long}, in seconds"),
            Meaning::Value(long, _) => format!("--{long}, in milliseconds"),
            Meaning::Flag(long) => format!("--{long}"),
            Meaning::Clear => format!("--{CLEAR}, where there is a HistoryFile"),
            Meaning::Checksum(layer) => format!("--checksums {layer}=verify; 0: ignore"),
            Meaning::Disable(transport) => format!("0: --disable {transport}"),
            Meaning::LookBehind => "--look-behind, in segments; 0: off".to_owned(),
            Meaning::Verbose => "1: -v; 2 and more: -vv".to_owned(),
            Meaning::Channels => "0: channels (NAME = URI) of the section are left out".to_owned(),
            Meaning::Instead(text) => format!("does nothing: {text}"),
        };
        (*section, *entry, words + largest)
    })
}
