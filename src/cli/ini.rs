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
use std::fmt::Write as _;

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
    ("Input", "SynchronizedIO", Meaning::Flag("packet-buffered")),
    ("Log", "LogDetailLevel", Meaning::Verbose),
    ("Log", "LogFilesPath", Meaning::Instead("log-file = FILE in [Observation] takes the messages")),
    ("Output", "RestoreChannels", Meaning::Channels),
    ("Output", "SortingQueueDelay", Meaning::Instead("messages are written in the order in which they end; --pair puts answers behind requests")),
    ("Output", "SortingQueueLength", Meaning::Instead("messages are written in the order in which they end; --pair puts answers behind requests")),
    ("Output", "StoragePointerFilePath", Meaning::Instead("outputs are named, and SIGHUP begins new ones")),
    ("Output", "SynchronizedIO", Meaning::Flag("packet-buffered")),
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
];

/// The option that counts anew behind each row.
const CLEAR: &str = "counters-clear";

/// An option that an entry asks for.
struct Wanted<'a> {
    /// The name of the option; None for an input.
    long: Option<&'a str>,
    value: Option<String>,
    line: usize,
}

/// What a file of configuration asks for.
#[derive(Default)]
pub(super) struct FileOptions {
    /// As arguments of the command line.
    pub(super) args: Vec<OsString>,
    /// What it asks for and cannot be had, in words for stderr.
    pub(super) notes: Vec<String>,
    /// Where each condition of --fail-if stands: file and line. What is wrong with one is known when all options are.
    pub(super) conditions: Vec<String>,
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
    file.close(is_given(&command, given, Some("counters-file")));
    let mut options = FileOptions::default();
    for (line, note) in file.notes {
        options.notes.push(format!("{name}: line {line}: {note}"));
    }
    for wanted in file.wanted {
        if is_given(&command, given, wanted.long) {
            continue;
        }
        let arg: OsString = match (wanted.long, wanted.value) {
            (Some(long), Some(value)) => format!("--{long}={value}").into(),
            (Some(long), None) => format!("--{long}").into(),
            (None, value) => format!("--read={}", value.unwrap_or_default()).into(),
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
        options.args.push(arg);
    }
    Ok(options)
}

/// The command line has the option, or one that excludes it. None is an input.
fn is_given(command: &Command, given: &ArgMatches, long: Option<&str>) -> bool {
    let is = |id: &str| {
        let known = given.try_contains_id(id).unwrap_or(false);
        known && given.value_source(id) == Some(ValueSource::CommandLine)
    };
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
        _ => Err(format!("{value}: expected yes or no")),
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
    notes: Vec<(usize, String)>,
    /// Parts of --checksums and --disable, and the line of the first of them.
    parts: BTreeMap<&'static str, (Vec<String>, usize)>,
    /// The line that wants counters to begin anew with each row.
    clears: Option<usize>,
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
        let meant = did_you_mean(nearest(name, all), "");
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
            let done = self.other(section, meaning, value, line);
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
        let meant = did_you_mean(meant, "");
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
                if on {
                    self.want(long, None, line);
                }
            }
            ArgAction::Count => {
                let times = value.map_or(Ok(1), str::parse::<u8>);
                let times = times.map_err(|_| format!("{long}: expected how often, as 2"))?;
                for _ in 0..times.min(TIMES) {
                    self.wanted.push(Wanted {
                        long: Some(long),
                        value: None,
                        line,
                    });
                }
            }
            // Its value may be left out: yes is the option alone.
            ArgAction::Set | ArgAction::Append if takes_none(arg) && yes(value).is_ok() => {
                if yes(value)? {
                    self.want(long, None, line);
                }
            }
            ArgAction::Append => self.wanted.push(Wanted {
                long: Some(long),
                value: value.map(str::to_owned),
                line,
            }),
            _ => self.want(long, value, line),
        }
        Ok(())
    }

    /// An entry of INetReassembler.ini.
    fn other(
        &mut self,
        section: &'static str,
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
                self.want(long, Some(&value), line);
            }
            Meaning::Flag(long) => {
                if yes(value)? {
                    self.want(long, None, line);
                }
            }
            // Which file it is about may stand behind it.
            Meaning::Clear => self.clears = yes(value)?.then_some(line),
            Meaning::Checksum(layer) => {
                let how = if yes(value)? { "verify" } else { "ignore" };
                self.part("checksums", format!("{layer}={how}"), line);
            }
            Meaning::Disable(transport) => {
                if !yes(value)? {
                    self.part("disable", (*transport).to_owned(), line);
                }
            }
            // Yes is what is done anyway; a number is one of segments.
            Meaning::LookBehind => match value.map(str::parse::<u32>) {
                Some(Ok(n @ 2..)) => self.want("look-behind", Some(&format!("{n},200ms")), line),
                _ => {
                    if !yes(value)? {
                        self.want("look-behind", Some("off"), line);
                    }
                }
            },
            Meaning::Verbose => {
                let level = value.unwrap_or_default().parse::<u8>();
                let level = level.map_err(|_| "expected a number".to_owned())?;
                for _ in 0..level.min(TIMES) {
                    self.wanted.push(Wanted {
                        long: Some("verbose"),
                        value: None,
                        line,
                    });
                }
            }
            Meaning::Channels => {
                if !yes(value)? {
                    self.closed.push(section.to_ascii_lowercase());
                }
            }
            // What is switched off is not missed.
            Meaning::Instead(_) if yes(value) == Ok(false) => {}
            Meaning::Instead(text) => {
                let note = format!("does nothing here: {text}");
                // The host and the port of one thing are answered once.
                if !self.notes.iter().any(|(_, known)| *known == note) {
                    self.notes.push((line, note));
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, long: &'static str, part: String, line: usize) {
        let (parts, _) = self.parts.entry(long).or_insert_with(|| (Vec::new(), line));
        parts.push(part);
    }

    /// An option that can be given once. Another entry that says the same is none; of two that differ the last one holds, and that
    /// is told.
    fn want(&mut self, long: &str, value: Option<&str>, line: usize) {
        let Some(arg) = self
            .command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(long))
        else {
            return;
        };
        let new = Wanted {
            long: arg.get_long(),
            value: value.map(str::to_owned),
            line,
        };
        let before = self.wanted.iter_mut().find(|w| w.long == new.long);
        match before {
            Some(before) if before.value == new.value => {}
            Some(before) => {
                let note = format!(
                    "{long}: was another one in line {}: this one holds",
                    before.line
                );
                *before = new;
                self.notes.push((line, note));
            }
            None => self.wanted.push(new),
        }
    }

    /// The file has ended. `has_counters`: the command line names a file of counters.
    fn close(&mut self, has_counters: bool) {
        if let Some(line) = self.clears.take() {
            let named = |w: &Wanted<'_>| w.long == Some("counters-file");
            if has_counters || self.wanted.iter().any(named) {
                self.want(CLEAR, None, line);
            } else {
                let note = "does nothing here: HistoryFile names no file".to_owned();
                self.notes.push((line, note));
            }
        }
        for (long, (parts, line)) in std::mem::take(&mut self.parts) {
            self.want(long, Some(&parts.join(",")), line);
        }
        for (section, address, line) in std::mem::take(&mut self.channels) {
            if self.closed.contains(&section) {
                continue;
            }
            let long = (section == "output").then_some("write");
            self.wanted.push(Wanted {
                long,
                value: Some(address),
                line,
            });
        }
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
    OTHER.iter().map(|(section, entry, meaning)| {
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
        (*section, *entry, words)
    })
}
