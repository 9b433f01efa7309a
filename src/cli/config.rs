//! What a run does: checked, and made once from the options.

use super::args::{Args, command};
use super::bound::settings;
use super::capture_program::CaptureProgram;
use super::conditions::{Condition, by_known_name};
use super::extcap::{self, ExtcapQuestion};
use super::ini;
use super::likeness::{did_you_mean, nearest};
use super::lines;
use super::report::CHANNELS;
use super::usage::{FRAMED, one_line};
use super::values::{Color, ShownProgress, Stats, Times, TlsForm, Unframed};
use crate::base::connection_rule::ConnectionRule;
use crate::base::counters::Counters;
use crate::base::limits::Limits;
use crate::base::protocol::{NO_PROTOCOL, Name};
use crate::message::rules::{DecodeAs, ProtocolFilter, Rules};
use crate::message::user_framer::UserRow;
use crate::message::{known_aliases, known_name, listed_fields, protocols};
use crate::sink::FileFormat;
use crate::sink::Target;
use crate::sink::choice::{MessageChoice, When};
use crate::sink::files::{FileChoice, FileOptions, SumKind, file_protocols};
use crate::sink::follow::FollowForm;
use crate::sink::json::Show;
use crate::sink::options::{
    DumpTo, ExtractTo, FollowTo, HarTo, JsonTo, OutputKind, OutputOptions, OutputSpec, PrintTo,
    TableTo,
};
use crate::sink::packets::{Large, PacketOptions};
use crate::sink::print::{Look, Style, TimeForm};
use crate::sink::table::{TableForm, TableName};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, FromArgMatches, ValueEnum};
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a run does, made once from the options.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Captures, in order; `-` is stdin.
    pub inputs: Vec<OsString>,
    /// Outputs.
    pub sink: OutputOptions,
    /// `--trace`: connections whose segments are shown on stderr.
    pub trace: Option<ConnectionRule>,
    /// Colours are those that can be read on a light background.
    pub light: bool,
    /// Counters on stderr at the end.
    pub stats: Option<Stats>,
    /// `--fail-if`: where one of them holds, the run fails.
    pub fail_if: Vec<Condition>,
    /// Some messages are chosen, and an output counts those that it gets.
    pub chooses: bool,
    /// What is missing is told of connections or messages that are chosen, and of no others.
    pub chooses_losses: bool,
    /// Stderr shows colours.
    pub stderr_color: bool,
    /// People get characters of ASCII alone.
    pub ascii: bool,
    /// Columns that lines on stderr are to fit; None where they may be of any length.
    pub stderr_width: Option<usize>,
    /// What the options ask for that does nothing, in words for stderr.
    pub notes: Vec<String>,
    /// `--sctp-stats`: a file or a folder.
    pub sctp_stats: Option<PathBuf>,
    /// `--counters-file`.
    pub counters_file: Option<CountersFile>,
    /// `--save-state`: where what waits is kept at the end, and on SIGUSR2.
    pub save_state: Option<PathBuf>,
    /// `--load-state`: where a run goes on.
    pub load_state: Option<LoadedState>,
    /// What a state is bound to.
    pub settings: Vec<(String, String)>,
    /// `--config`.
    pub config_file: Option<PathBuf>,
    /// Where its options stand.
    pub places: ini::OptionPlaces,
    /// `--progress`.
    pub progress: ShownProgress,
    /// `--log-file`: where messages go instead of stderr.
    pub log_file: Option<PathBuf>,
    /// `-v`, how often.
    pub verbose: u8,
    /// `-q`.
    pub quiet: bool,
    /// `--sort-files`: inputs are read in the order of their first packets.
    pub sort_files: bool,
    /// `--threads`; None: as many as pay.
    pub threads: Option<NonZeroUsize>,
    /// `--live`: silence is time.
    pub live: bool,
    /// `--keep-secrets`.
    pub keep_secrets: bool,
    /// `--keylog`, unless records of TLS come out as they are.
    pub keylogs: Vec<PathBuf>,
    /// `--keylog-wait`; zero: nothing waits for secrets.
    pub keylog_wait: Duration,
    /// Key logs in the captures are used.
    pub own_keys: bool,
    /// The command line names an input, be it `-`.
    pub named_input: bool,
    /// Outputs are flushed behind each packet.
    pub synchronized: bool,
    /// The pipe that Wireshark reads messages from: the run ends when it is closed.
    pub fifo: Option<PathBuf>,
    /// `--sort-delay`; zero: packets are not sorted.
    pub sort_delay: Duration,
    /// `--output-sort-delay`; zero: messages wait for nothing.
    pub output_sort_delay: Duration,
    /// `--sort-queue`, in packets; 0: no limit but that of the delay.
    pub sort_queue: usize,
    /// Limits and choices of processing.
    pub limits: Limits,
    /// `--decode-as`, `--framer`, `--protocols`, `--unframed`.
    pub rules: Rules,
}

/// Where counters go while the program runs.
#[derive(Clone, Debug)]
pub struct CountersFile {
    /// The file.
    pub path: PathBuf,
    /// Length of the periods.
    pub period: Duration,
    /// Each row says what was counted in its period.
    pub per_period: bool,
}

/// Where a state is read from.
#[derive(Clone, Debug)]
pub struct LoadedState {
    /// The file.
    pub path: PathBuf,
    /// It has to be there.
    pub required: bool,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// A run.
    Run(Box<Config>),
    /// What people need most, on stdout.
    FirstScreen,
    /// The man page on stdout.
    Man,
    /// Completions on stdout.
    Completions(clap_complete::Shell),
    /// The table of protocols on stdout.
    Protocols,
    /// The interfaces of this machine on stdout.
    Interfaces,
    /// The answer to Wireshark on stdout.
    Extcap(ExtcapQuestion),
    /// This file of configuration on stdout.
    SavedConfig(String),
}

/// Reads the command line. `stdout_is_terminal` decides what is meant without an output option.
///
/// # Errors
///
/// What clap says: a wrong option, or help that was asked for. Its `exit` shows it the right way.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    stdout_is_terminal: bool,
) -> Result<Invocation, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    check_spelling(&args)?;
    let args = args.into_iter().flat_map(follow_forms).collect();
    let args = extcap::filled_in(args);
    let (matches, file) = matches(args)?;
    let placed = |e: clap::Error| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => e,
        kind => error(kind, file.places.placed(&one_line(&e))),
    };
    checked(&matches, &file, stdout_is_terminal).map_err(placed)
}

/// What the options ask for, once they have been read.
fn checked(
    matches: &ArgMatches,
    file: &ini::FileOptions,
    stdout_is_terminal: bool,
) -> Result<Invocation, clap::Error> {
    let mut args = Args::from_arg_matches(matches)?;
    if args.short_help {
        return Ok(Invocation::FirstScreen);
    }
    if args.man {
        return Ok(Invocation::Man);
    }
    if args.list_protocols {
        return Ok(Invocation::Protocols);
    }
    if args.list_interfaces {
        return Ok(Invocation::Interfaces);
    }
    if let Some(question) = args.extcap.question() {
        return Ok(Invocation::Extcap(question));
    }
    if let Some(shell) = args.completions {
        return Ok(Invocation::Completions(shell));
    }
    if args.save_config {
        let saved = ini::save(matches).map_err(|e| error(ErrorKind::ValueValidation, e))?;
        return Ok(Invocation::SavedConfig(saved));
    }
    if args.extcap.capture {
        extcap::capture_for(&mut args, matches);
    }
    // A capture that is made now is read as it is made.
    args.live |= !args.interface.is_empty();
    args.packet_buffered |= args.synchronized;
    let inputs = inputs(matches, &args)?;
    check_limits(&args)?;
    check_company(matches, &args)?;
    check_inputs(&args, &inputs)?;
    let notes = idle_options(matches, &args, &inputs, stdout_is_terminal);
    let mut config = config(args, inputs, stdout_is_terminal, &file.conditions)?;
    config.notes.extend(file.notes.iter().cloned());
    config.notes.extend(notes);
    config.settings = settings(matches, &config.sink);
    config.places = file.places.clone();
    Ok(Invocation::Run(Box::new(config)))
}

/// The command line together with the file that --config names, and what is to be said of that.
fn matches(mut args: Vec<OsString>) -> Result<(ArgMatches, ini::FileOptions), clap::Error> {
    let command = || ini::with_negations(command());
    let matches = command().try_get_matches_from(&args)?;
    let Some(path) = matches.get_one::<PathBuf>("config") else {
        return Ok((matches, ini::FileOptions::default()));
    };
    let wrong = |what: String| error(ErrorKind::ValueValidation, what);
    let name = path.display().to_string();
    let text = read_config(path).map_err(|e| {
        let why = match e.kind() {
            io::ErrorKind::NotFound => "there is no such file: check its name".to_owned(),
            io::ErrorKind::PermissionDenied => "permission is denied: ask for it".to_owned(),
            io::ErrorKind::IsADirectory => "it is a folder: name a file in it".to_owned(),
            io::ErrorKind::InvalidData => "it is no text: --config takes an INI file".to_owned(),
            _ => format!("{e}: --config takes an INI file"),
        };
        wrong(format!("{name}: cannot be read: {why}"))
    })?;
    let mut file = ini::read(&name, &text, &matches).map_err(wrong)?;
    // Ahead of the command line, behind the name of the program.
    args.splice(1..1, file.args.drain(..));
    Ok((command().try_get_matches_from(args)?, file))
}

/// The text of a file of configuration.
fn read_config(path: &Path) -> io::Result<String> {
    // More is no such file, and a device has no end.
    const MOST: u64 = 1 << 20;
    let mut text = String::new();
    // As everywhere, `-` is stdin.
    let file: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path)?)
    };
    file.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::other("is larger than 1 MiB"));
    }
    Ok(text)
}

/// Options that say more of another one, which has to be there.
fn check_company(matches: &ArgMatches, args: &Args) -> Result<(), clap::Error> {
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let keeps = args.state.is_some() || args.save_state.is_some() || args.load_state.is_some();
    let is_stdout = |path: &Option<PathBuf>| path.as_deref() == Some(Path::new("-"));
    let archive = is_stdout(&args.extract);
    let rows = [
        (
            keeps && archive,
            "--extract -: writes one archive, which no other run can go on with: name a folder, or leave the state out",
        ),
        (
            is_stdout(&args.state) || is_stdout(&args.save_state) || is_stdout(&args.load_state),
            "--state -: a state is kept in a file, which takes the place of the one before: name one",
        ),
        (
            is_stdout(&args.log_file),
            "--log-file -: stdout takes output, and without --log-file messages go to stderr: name a file",
        ),
        (
            given("fields") && args.table.is_none(),
            "--fields: chooses the columns of a table: add --table, or --table=http",
        ),
        (
            args.extract_min
                .zip(args.extract_max)
                .is_some_and(|(min, max)| min > max),
            "--extract-min: is larger than --extract-max, so that no file is taken: give a smaller one",
        ),
        (
            args.counters_clear && args.counters_file.is_none(),
            "--counters-clear: counts anew behind each row of --counters-file: add --counters-file FILE",
        ),
        (
            given("dump_name") && args.dump.is_none(),
            "--dump-name: names the files of --dump: add --dump DIR",
        ),
    ];
    match rows.iter().find(|(alone, _)| *alone) {
        Some((_, what)) => Err(error(ErrorKind::MissingRequiredArgument, what)),
        None => Ok(()),
    }
}

/// A value that stands behind a space where an equals sign belongs is taken for an input.
fn check_inputs(args: &Args, inputs: &[OsString]) -> Result<(), clap::Error> {
    let rows: [(bool, &str, &[&str]); 3] = [
        (args.stats.is_some(), "-s", &["text", "all", "json", "csv"]),
        (args.print.is_some(), "-p", &["brief", "full"]),
        (
            args.table.is_some(),
            "--table",
            &[
                "messages",
                "http",
                "dns",
                "connections",
                "protocols",
                "files",
            ],
        ),
    ];
    // What is not UTF-8 is no value.
    let names = || inputs.iter().filter_map(|name| name.to_str());
    for (given, option, values) in rows {
        let is = |name: &&str| values.iter().any(|value| value.eq_ignore_ascii_case(name));
        let value = names().find(is);
        if let Some(value) = value.filter(|name| given && !Path::new(name).exists()) {
            let meant = value.to_ascii_lowercase();
            return Err(error(
                ErrorKind::ValueValidation,
                format_args!("{value}: there is no such input: did you mean {option}={meant}?"),
            ));
        }
    }
    // The only name was taken for the folder.
    let folders = [("--extract", &args.extract), ("--dump", &args.dump)];
    let folders = folders
        .iter()
        .filter_map(|(option, dir)| Some((option, dir.as_ref()?)));
    let file = folders.into_iter().find(|(_, dir)| dir.is_file());
    if let Some((option, file)) = file.filter(|_| args.inputs.is_empty() && args.read.is_empty()) {
        return Err(error(
            ErrorKind::ValueValidation,
            format_args!(
                "{option} {file}: there is a file of this name: name a folder, and the capture behind it",
                file = file.display()
            ),
        ));
    }
    // What tcpdump takes there.
    let words = [
        "port",
        "host",
        "net",
        "src",
        "dst",
        "tcp",
        "udp",
        "portrange",
    ];
    // Its snapshot length.
    let length = names().next().filter(|name| {
        args.stats.is_some()
            && name.bytes().all(|c| c.is_ascii_digit())
            && !name.is_empty()
            && !Path::new(name).exists()
    });
    if let Some(length) = length {
        return Err(error(
            ErrorKind::ValueValidation,
            format_args!(
                "{length}: there is no such input: -s counts here, and a snapshot length is given to what captures: leave {length} out"
            ),
        ));
    }
    let word = names().find(|name| words.contains(name) && !Path::new(name).exists());
    if let Some(word) = word {
        return Err(error(
            ErrorKind::ValueValidation,
            format_args!(
                "{word}: there is no such input: filters go to tcpdump, and --connection :80 or 10.0.0.1 chooses connections here"
            ),
        ));
    }
    let missing = |name: &&str| !Path::new(name).exists();
    let asked = names()
        .filter(|name| ["help", "version"].contains(name))
        .find(missing);
    if let Some(word) = asked {
        return Err(error(
            ErrorKind::ValueValidation,
            format_args!("{word}: there is no such input: did you mean --{word}?"),
        ));
    }
    // Several of them are one value.
    let protocol = names()
        .filter(|name| known_name(name).is_some())
        .find(missing);
    if let Some(name) = protocol {
        let mut all = args.protocols.clone();
        all.push(name.to_owned());
        return Err(error(
            ErrorKind::ValueValidation,
            format_args!(
                "{name}: there is no such input: did you mean --protocols {}?",
                all.join(",")
            ),
        ));
    }
    // A name of a file behind -j, and not behind its equals sign.
    let json = args.json.as_ref().filter(|target| target.name == "-");
    let named = names().find(|name| has_ending(name, ".json") || has_ending(name, ".jsonl"));
    if let Some(name) = named.filter(|name| json.is_some() && !Path::new(name).exists()) {
        return Err(error(
            ErrorKind::ValueValidation,
            format_args!("{name}: there is no such input: did you mean --json={name}?"),
        ));
    }
    Ok(())
}

/// What was asked for and does nothing, because what it is about was not asked for.
fn idle_options(
    matches: &ArgMatches,
    args: &Args,
    inputs: &[OsString],
    stdout_is_terminal: bool,
) -> Vec<String> {
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let lines = args.print.is_some() || args.follow.is_some() || args.table.is_some();
    let har = args.har.is_some();
    let others =
        lines || har || args.json.is_some() || args.dump.is_some() || args.extract.is_some();
    let none = !(others || args.no_output) && args.write.is_empty();
    // Without any output stdout is one.
    let packets = !args.write.is_empty() || none && !stdout_is_terminal;
    let print = args.print.is_some() || none && stdout_is_terminal;
    let lines = lines || print;
    // The octets of a stream, and nothing else.
    let raw = args.follow.is_some() && args.follow_form == FollowForm::Raw;
    let pcap = args.format == Some(FileFormat::Pcap);
    let resized = !matches!(args.large, Large::Split);
    let originals = args.dropped.is_some() || args.bypass.is_some();
    // Streams are written whole.
    let streams = args.follow.is_some() || args.dump.is_some();
    let rows = args.table.is_some_and(|name| name != TableName::Files);
    // -vv tells of messages that are not whole.
    let told = args.verbose > 1;
    let messages = print || rows || args.json.is_some() || packets || har;
    let chosen = messages || told;
    let whole = if args.extract.is_some() {
        "chooses messages, and files are made of all of them: use --connection or --protocols"
    } else if streams {
        "chooses messages, and streams are written whole: use --connection"
    } else {
        "chooses messages, and none are written: leave -n out"
    };
    let counters_count_all = "chooses messages that are written, and counters count all: -s=http shows those of one protocol";
    let disabled = args.disable.unwrap_or_default();
    let (json, extract) = (args.json.is_some(), args.extract.is_some());
    let written = messages || extract || streams;
    let buffered = lines || json || har || packets || args.dump.is_some();
    let seen = args.stats.is_some() || args.trace.is_some();
    let add_json = "is for the JSON lines: add -j";
    let add_extract = "chooses extracted files: add -x DIR";
    let comments = "writes comments, which pcapng has: write one with -w";
    let form = "is about packets that are written: write some with -w";
    let no_tcp = "is about TCP, which --disable passes through: leave one of them out";
    let no_sctp = "is about SCTP, which --disable passes through: leave one of them out";
    let rows = [
        ("kind", "--kind", chosen, whole),
        ("pattern", "--match", chosen, whole),
        ("from", "--from", chosen, whole),
        ("to", "--to", chosen, whole),
        // Without any output it is where reading ends.
        ("count", "--count", messages || extract || !streams, whole),
        (
            "protocols",
            "--protocols",
            chosen || extract,
            if streams { whole } else { counters_count_all },
        ),
        (
            "connection",
            "--connection",
            written || args.verbose > 0,
            "chooses connections, and nothing of them is written: leave -n out",
        ),
        ("json_body", "--json-body", json, add_json),
        (
            "hash",
            "--hash",
            json || extract,
            "is for the JSON lines: add -j",
        ),
        ("extract_types", "--extract-types", extract, add_extract),
        (
            "extract_protocols",
            "--extract-protocols",
            extract,
            add_extract,
        ),
        ("certificates", "--certificates", extract, add_extract),
        ("extract_min", "--extract-min", extract, add_extract),
        ("extract_max", "--extract-max", extract, add_extract),
        (
            "on_file",
            "--on-file",
            extract,
            "is run for extracted files: add -x DIR",
        ),
        (
            "index",
            "--index",
            extract,
            "shows extracted files: add -x DIR",
        ),
        (
            "har_body",
            "--har-body",
            har,
            "bounds the bodies of HAR: add --har FILE",
        ),
        (
            "max_file",
            "--max-file",
            extract,
            "bounds extracted files: add -x DIR",
        ),
        ("info", "--info", packets && !pcap, comments),
        ("track", "--track", packets && !pcap, comments),
        (
            "max_message",
            "--max-message",
            packets && resized,
            "goes with --large jumbo or snap: add one",
        ),
        ("encap", "--encap", packets, form),
        ("large", "--large", packets, form),
        ("handshake", "--handshake", packets, form),
        ("timestamps", "--timestamps", packets, form),
        ("output_sort_delay", "--output-sort-delay", packets, form),
        ("output_sort_queue", "--output-sort-queue", packets, form),
        ("format", "--format", packets || originals, form),
        (
            "keep_secrets",
            "--keep-secrets",
            packets && !pcap || originals,
            "passes them to a pcapng output: write one with -w",
        ),
        (
            "pair",
            "--pair",
            messages || extract,
            "orders messages, and none are written: add -p",
        ),
        (
            "fill_gaps",
            "--fill-gaps",
            packets || json,
            "is about packets that are written, and the JSON of them: add -w or -j",
        ),
        (
            "wide",
            "--wide",
            print || seen,
            "is the form of printed lines: add -p",
        ),
        (
            "time",
            "--time",
            lines && !raw,
            "is the form of printed times: add -p",
        ),
        (
            "color",
            "--color",
            print || args.follow.is_some() && !raw || seen,
            "is about lines for people: add -p, --follow or -s",
        ),
        (
            "packet_buffered",
            "--packet-buffered",
            buffered,
            "is about messages that are written, and none are: leave it out",
        ),
        (
            "synchronized",
            "--synchronized",
            buffered || args.extract.is_some() || originals,
            "is about what is written, and nothing is: leave it out",
        ),
        (
            "sort_files",
            "--sort-files",
            inputs.len() > 1,
            "sorts several inputs, and there is one: leave it out",
        ),
        (
            "tcp_packet_timeout",
            "--tcp-packet-timeout",
            !disabled.tcp,
            no_tcp,
        ),
        ("reorder_window", "--reorder-window", !disabled.tcp, no_tcp),
        ("look_behind", "--look-behind", !disabled.tcp, no_tcp),
        ("tcp_buffer", "--tcp-buffer", !disabled.tcp, no_tcp),
        ("tcp_holes", "--tcp-holes", !disabled.tcp, no_tcp),
        ("max_gap", "--max-gap", !disabled.tcp, no_tcp),
        ("overlap", "--overlap", !disabled.tcp, no_tcp),
        (
            "sctp_packet_timeout",
            "--sctp-packet-timeout",
            !disabled.sctp,
            no_sctp,
        ),
        ("sctp_stats", "--sctp-stats", !disabled.sctp, no_sctp),
        (
            "counters_period",
            "--counters-period",
            args.counters_file.is_some(),
            "is for the file of counters: add --counters-file FILE",
        ),
        (
            "track_missing_chunks",
            "--track-missing-chunks",
            !disabled.sctp,
            no_sctp,
        ),
    ];
    let mut notes: Vec<String> = rows
        .into_iter()
        .filter(|(id, _, used, _)| !used && given(id))
        .map(|(_, option, _, why)| format!("{option}: does nothing here: it {why}"))
        .collect();
    // As tcpdump's -n, by fingers used to it.
    let said = args.stats.is_some() || args.verbose > 0 || args.trace.is_some();
    let said = said || !args.fail_if.is_empty();
    let files = args.sctp_stats.is_some() || args.counters_file.is_some() || originals;
    if args.no_output && !(others || said || files) {
        notes.push(
            "-n: writes no messages, and nothing else was asked for: leave it out (addresses are never looked up), or add -s for counters".to_owned(),
        );
    }
    notes
}

/// Spellings that are no mistake to clap, but would be taken for something else: `-pfull` for the options -p, -f, -u and -l.
fn check_spelling(args: &[OsString]) -> Result<(), clap::Error> {
    let before_inputs = args.iter().skip(1).take_while(|arg| *arg != "--");
    let mut before = "";
    for arg in before_inputs.filter_map(|arg| arg.to_str()) {
        let option = std::mem::replace(&mut before, arg);
        if arg
            .strip_prefix('-')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            return Err(error(ErrorKind::ValueValidation, below_zero(option, arg)));
        }
        let values: (&str, &[&str]) = match arg.get(..2) {
            Some("-p") => ("-p", &["full", "brief"]),
            Some("-s") => ("-s", &["text", "all", "json", "csv"]),
            _ => ("", &[]),
        };
        let value = arg.strip_prefix(values.0).unwrap_or_default();
        if values
            .1
            .iter()
            .any(|known| known.eq_ignore_ascii_case(value))
        {
            return Err(error(
                ErrorKind::ValueValidation,
                format_args!(
                    "{arg}: its value stands behind an equals sign: {}={value}",
                    values.0
                ),
            ));
        }
        if let Some(form) = arg.strip_prefix("--follow=")
            && FollowForm::from_str(form, true).is_err()
            && ConnectionRule::new(form).is_err()
        {
            return Err(error(
                ErrorKind::ValueValidation,
                format_args!(
                    "{arg}: is no form, nor a connection: expected text, hex or raw, as --follow=hex tcp:3"
                ),
            ));
        }
    }
    Ok(())
}

/// What to say of a word like `-5s`, which is no option: it was meant as the value of the one before it.
fn below_zero(option: &str, word: &str) -> String {
    let option_is = |arg: &&Arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        [long, short].iter().flatten().any(|name| name == option)
    };
    let command = command();
    let arg = command.get_arguments().find(option_is);
    if !arg.is_some_and(|arg| arg.get_action().takes_values()) {
        return format!("{word}: is no option: --help shows all");
    }
    let least = usize::from(arg.is_some_and(|arg| arg.get_id() == "count"));
    // Of a pattern, a name: it may begin so.
    match command.try_get_matches_from(["inet-asm", &format!("{option}={word}")]) {
        Ok(_) => format!("{option} {word}: looks like an option: write {option}={word}"),
        Err(_) => format!("{option} {word}: is below 0: give {least} or more"),
    }
}

/// `--follow=hex RULE` has a value behind its equals sign and one behind it, which are two options.
fn follow_forms(arg: OsString) -> Vec<OsString> {
    let form = arg.to_str().and_then(|arg| arg.strip_prefix("--follow="));
    match form.filter(|form| FollowForm::from_str(form, true).is_ok()) {
        Some(form) => vec![format!("--follow-form={form}").into(), "--follow".into()],
        None => vec![arg],
    }
}

/// INPUT and --read are one list, in the order in which they stand on the command line; stdin where it is empty, or what --interface
/// stands for.
fn inputs(matches: &ArgMatches, args: &Args) -> Result<Vec<OsString>, clap::Error> {
    let mut inputs: Vec<(usize, &OsString)> = Vec::new();
    for (id, names) in [("inputs", &args.inputs), ("read", &args.read)] {
        inputs.extend(matches.indices_of(id).into_iter().flatten().zip(names));
    }
    inputs.sort_by_key(|(at, _)| *at);
    if !args.interface.is_empty() {
        let alone = match inputs.is_empty() {
            true => Ok(()),
            false => Err("does not go with INPUT: leave one of them out".to_owned()),
        };
        let captured = alone
            .and_then(|()| CaptureProgram::find())
            .and_then(|program| program.input(&args.interface, args.capture_filter.as_deref()));
        return captured.map(|input| vec![input]).map_err(|what| {
            error(
                ErrorKind::ValueValidation,
                format_args!("--interface: {what}"),
            )
        });
    }
    if inputs.is_empty() {
        return Ok(vec!["-".into()]);
    }
    Ok(inputs.into_iter().map(|(_, name)| name.clone()).collect())
}

fn config(
    mut args: Args,
    inputs: Vec<OsString>,
    stdout_is_terminal: bool,
    condition_places: &[String],
) -> Result<Config, clap::Error> {
    check_archive(&args, stdout_is_terminal)?;
    check_command(&args)?;
    let named = [args.inputs.is_empty(), args.read.is_empty()];
    let named_input = named.contains(&false) || !args.interface.is_empty();
    let rules = rules(
        args.protocols.clone(),
        args.unframed,
        args.decode_as.clone(),
        args.framer.clone(),
    )?;
    if let Some(stats) = args.stats.as_mut().filter(|stats| !stats.only.is_empty()) {
        check_counters(stats, &rules.names())?;
    }
    // Those of a file are all or none, as the command line is stronger.
    let mut places = condition_places.iter();
    for condition in &mut args.fail_if {
        condition.resolve(&rules.names());
        let (checked, place) = (condition.check(&rules.names()), places.next());
        checked.map_err(|what| {
            let what = place.map_or_else(
                || what.clone(),
                |place| format!("{place}: {}", what.trim_start_matches("--")),
            );
            error(ErrorKind::ValueValidation, what)
        })?;
    }
    let limits = limits(&args);
    let form = form(&args);
    let color = match args.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => stdout_is_terminal && !colors_are_unwanted(),
    };
    let width = (stdout_is_terminal && !args.wide).then(|| lines::width(rustix::stdio::stdout()));
    let look = Look {
        color,
        light: is_background_light(),
        width: width.flatten(),
        time: args.time,
        // Where some messages are chosen, what lies between them is not.
        gaps: args.protocols.is_empty()
            && args.kind.is_empty()
            && args.pattern.is_none()
            && args.from.is_none()
            && args.to.is_none(),
        ascii: !locale_is_utf8(),
    };
    let print = |style| PrintTo {
        style,
        look,
        packet_buffered: args.packet_buffered,
    };
    let mut sink = OutputOptions::default();
    let written = args.write.into_iter().map(|t| (t, OutputKind::Messages));
    let dropped = args.dropped.into_iter().map(|t| (t, OutputKind::Dropped));
    let bypass = args.bypass.into_iter().map(|t| (t, OutputKind::Bypass));
    for (target, what) in written.chain(dropped).chain(bypass) {
        let spec =
            output(target, what, form, args.format, !args.framer.is_empty()).map_err(|wrong| {
                let option = match what {
                    OutputKind::Messages => "--write",
                    OutputKind::Dropped => "--dropped",
                    OutputKind::Bypass => "--bypass",
                };
                error(
                    ErrorKind::ValueValidation,
                    format_args!("{option}: {wrong}"),
                )
            })?;
        sink.outputs.push(spec);
    }
    sink.print = args.print.map(print);
    sink.follow = args.follow.map(|rule| FollowTo {
        rule,
        form: args.follow_form,
        look,
        packet_buffered: args.packet_buffered,
    });
    sink.messages = MessageChoice {
        kinds: args.kind,
        pattern: args.pattern,
        from: args.from,
        to: args.to,
        count: args.count,
    };
    check_times(&sink.messages)?;
    if let Some(name) = args.table {
        let asked = args.fields.iter().map(|f| f.trim().to_ascii_lowercase());
        let headings: Vec<_> = asked.collect();
        // A protocol goes by any of its names.
        let known = |field: &String| by_known_name(field).unwrap_or_else(|| field.clone());
        let fields: Vec<_> = headings.iter().map(known).collect();
        check_table(name, &fields, &headings, args.extract.is_some())?;
        let mut rows = sink.messages.clone();
        // Where a row tells of several messages, or of a file, a number is one of rows.
        match name {
            TableName::Messages | TableName::Protocols => rows.count = None,
            _ => sink.messages.count = None,
        }
        sink.table = Some(TableTo {
            form: TableForm {
                name,
                fields,
                headings,
                time: args.time,
                rows,
                protocols: rules.filter.clone(),
            },
            packet_buffered: args.packet_buffered,
        });
    }
    sink.dump = args.dump.map(|dir| DumpTo {
        dir,
        template: args.dump_name,
        goes_on: args.save_state.is_some() || args.load_state.is_some() || args.state.is_some(),
        packet_buffered: args.packet_buffered,
    });
    let carriers = carriers(&args.extract_protocols)?;
    sink.extract = args.extract.map(|dir| ExtractTo {
        dir,
        files: FileOptions {
            max_file: args.max_file as u64,
            choice: FileChoice {
                types: args.extract_types,
                protocols: carriers,
                min: args.extract_min.unwrap_or(0) as u64,
                max: args.extract_max.map(|max| max as u64),
            },
            sums: args.hash.clone(),
            on_file: args.on_file.map(|words| words.0).unwrap_or_default(),
            certificates: args.certificates,
            index: args.index,
        },
    });
    sink.pair = args.pair;
    sink.verbose = args.verbose;
    // Hints are for somebody who looks on.
    sink.hints = !args.quiet && args.stats.is_none() && io::stderr().is_terminal();
    sink.connection = args.connection;
    sink.some_protocols = !rules.filter.is_all();
    sink.json = args.json.map(|target| JsonTo {
        target,
        show: Show {
            filled: args.fill_gaps,
            body: args.json_body,
            hash: args.hash.contains(&SumKind::Sha256),
        },
        packet_buffered: args.packet_buffered,
    });
    let messages = sink.outputs.iter().any(|o| o.what == OutputKind::Messages);
    // An entry tells of two messages: of them a number is asked for where nothing else is.
    let others = messages || sink.print.is_some() || sink.table.is_some() || sink.json.is_some();
    let entries = args.har.is_some() && !others && sink.extract.is_none();
    let count = sink.messages.count.take_if(|_| entries);
    sink.har = args.har.map(|target| HarTo {
        target,
        body: args.har_body,
        count,
        packet_buffered: args.packet_buffered,
    });
    let any = messages
        || sink.print.is_some()
        || sink.follow.is_some()
        || sink.table.is_some()
        || sink.dump.is_some()
        || sink.json.is_some()
        || sink.har.is_some();
    if !(any || sink.extract.is_some() || args.no_output) {
        if stdout_is_terminal {
            sink.print = Some(print(Style::Brief));
        } else {
            sink.outputs.push(OutputSpec {
                target: Target::stdout(),
                what: OutputKind::Messages,
                protocols: Vec::new(),
                form,
            });
        }
    }
    let csv = [
        (args.sctp_stats.as_deref(), "--sctp-stats -"),
        (args.counters_file.as_deref(), "--counters-file -"),
    ];
    check_stdout(&sink, csv)?;
    if stdout_is_terminal {
        check_terminal(&sink)?;
    }
    check_endings(&sink)?;
    // Streams are written whole: no message ends them.
    let streams = sink.follow.is_some() || sink.dump.is_some();
    let others = sink.print.is_some() || sink.table.is_some() || sink.json.is_some();
    let others = others || sink.har.is_some() || sink.extract.is_some();
    if streams && !others && sink.outputs.is_empty() {
        sink.messages.count = None;
    }
    let messages = sink.outputs.iter().any(|o| o.what == OutputKind::Messages);
    let row_each = |table: &TableTo| table.form.name == TableName::Messages;
    let rows = sink.table.as_ref().is_some_and(row_each);
    let counted = messages || rows || sink.print.is_some() || sink.json.is_some();
    let choice = sink.connection.is_some() || !sink.messages.is_all();
    let choice = choice || sink.messages.count.is_some() || !args.protocols.is_empty();
    // Comments make a pcapng of what is called otherwise.
    let named = |o: &&OutputSpec| {
        let to = &o.target;
        to.is_file() && o.form.format == FileFormat::Pcapng && has_ending(&to.name, ".pcap")
    };
    let misnamed = sink
        .outputs
        .iter()
        .filter(named)
        .filter(|_| args.format.is_none());
    let notes = misnamed.filter(|o| o.target.options.is_empty()).map(|o| {
        format!(
            "{}: is written as pcapng, as what was asked for needs: call it .pcapng",
            o.target.name
        )
    });
    let mut notes: Vec<_> = notes.collect();
    let files = sink.outputs.iter().filter(|o| o.target.is_file());
    let unasked = files.filter(|o| o.target.options.is_empty());
    notes.extend(unknown_zone(args.time));
    notes.extend(unasked.filter_map(|o| taken_for_a_name(&o.target.name)));
    Ok(Config {
        inputs,
        sink,
        trace: args.trace,
        stats: args.stats,
        fail_if: args.fail_if,
        ascii: look.ascii,
        light: look.light,
        stderr_color: match args.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stderr().is_terminal() && !colors_are_unwanted(),
        },
        stderr_width: (!args.wide)
            .then(|| lines::width(rustix::stdio::stderr()))
            .flatten(),
        notes,
        chooses: choice && counted,
        chooses_losses: !args.no_output || args.verbose > 1,
        sctp_stats: args.sctp_stats,
        counters_file: args.counters_file.map(|path| CountersFile {
            path,
            period: args.counters_period,
            per_period: args.counters_clear,
        }),
        save_state: args.save_state.or_else(|| args.state.clone()),
        config_file: args.config,
        places: ini::OptionPlaces::default(),
        load_state: args
            .load_state
            .map(|path| (path, true))
            .or_else(|| args.state.map(|path| (path, false)))
            .map(|(path, required)| LoadedState { path, required }),
        settings: Vec::new(),
        progress: args.progress,
        log_file: args.log_file,
        verbose: args.verbose,
        quiet: args.quiet,
        sort_files: args.sort_files,
        threads: args.threads,
        live: args.live,
        synchronized: args.synchronized,
        fifo: args.extcap.fifo,
        keep_secrets: args.keep_secrets,
        keylog_wait: match (args.tls, args.keylog_wait) {
            (TlsForm::Records, _) => Duration::ZERO,
            (TlsForm::Opened, Some(wait)) => wait,
            (TlsForm::Opened, None) if args.live && !args.keylog.is_empty() => LIVE_KEYLOG_WAIT,
            (TlsForm::Opened, None) => Duration::ZERO,
        },
        keylogs: match args.tls {
            TlsForm::Opened => args.keylog,
            TlsForm::Records => Vec::new(),
        },
        own_keys: args.tls == TlsForm::Opened && !args.keep_secrets,
        named_input,
        sort_delay: args.sort_delay,
        output_sort_delay: args.output_sort_delay,
        sort_queue: args.sort_queue,
        limits,
        rules,
    })
}

/// `--keylog-wait` with `--live` and `--keylog`.
// Programs write their secrets before the records that need them are on their way; what is late is the capture, or a copied key log.
const LIVE_KEYLOG_WAIT: Duration = Duration::from_secs(1);

/// As <https://no-color.org> has it; and a terminal that says it is dumb shows escape sequences as they are.
pub fn colors_are_unwanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("NO_COLOR") || terminal_is_dumb()
}

/// Some terminals say in COLORFGBG which of their sixteen colours the text and the background have: 7 and 15 are white.
fn is_background_light() -> bool {
    std::env::var("COLORFGBG").is_ok_and(|colors| {
        let background = colors.rsplit(';').next();
        matches!(background, Some("7" | "15"))
    })
}

/// The terminal can do no more than show characters.
pub(super) fn terminal_is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// What people read may have characters that are none of ASCII (POSIX, 8.2: the first of these that is set names the locale).
pub(super) fn locale_is_utf8() -> bool {
    let values = ["LC_ALL", "LC_CTYPE", "LANG"].map(std::env::var_os);
    let named = values.into_iter().flatten().find(|value| !value.is_empty());
    named.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// The program of `--on-file` is there: else each of thousands of files would fail for want of it.
fn check_command(args: &Args) -> Result<(), clap::Error> {
    let words = args.on_file.as_ref().map(|words| words.0.as_slice());
    let Some(program) = words.and_then(<[String]>::first) else {
        return Ok(());
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = if program.contains('/') {
        Path::new(program).is_file()
    } else {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    match there {
        true => Ok(()),
        false => Err(error(
            ErrorKind::ValueValidation,
            format_args!(
                "--on-file: {program}: there is no such program: install it, or give its path"
            ),
        )),
    }
}

/// An archive has no folder, and a terminal no use for one.
fn check_archive(args: &Args, stdout_is_terminal: bool) -> Result<(), clap::Error> {
    if args
        .extract
        .as_ref()
        .is_none_or(|dir| dir.as_os_str() != "-")
    {
        return Ok(());
    }
    let rows = [
        (
            args.on_file.is_some(),
            "--on-file: goes with a folder, and -x - writes an archive: give -x a DIR",
        ),
        (
            args.index,
            "--index: goes with a folder, and -x - writes an archive: give -x a DIR",
        ),
        (
            stdout_is_terminal,
            "--extract: stdout is a terminal, and -x - writes an archive: redirect it, or give -x a DIR",
        ),
    ];
    match rows.iter().find(|(wrong, _)| *wrong) {
        Some((_, what)) => Err(error(ErrorKind::ArgumentConflict, *what)),
        None => Ok(()),
    }
}

/// A table has the columns that are asked for.
fn check_table(
    name: TableName,
    fields: &[String],
    headings: &[String],
    extracts: bool,
) -> Result<(), clap::Error> {
    let mut all = fields.iter().zip(headings);
    if let Some((field, wrong)) = all.find(|(field, _)| !name.takes(field)) {
        let columns: Vec<_> = name.columns().iter().map(|(column, _)| *column).collect();
        // Of a protocol that is known, a field of it is meant.
        let of_protocol = wrong.split_once('.').zip(field.split_once('.'));
        let listed = of_protocol.and_then(|((asked, name), (protocol, _))| {
            let near = nearest(name, listed_fields(protocol).iter().copied())?;
            Some(format!("{asked}.{near}"))
        });
        // A table of one protocol has its fields without its name.
        let bare = wrong.rsplit_once('.').map(|(_, name)| name);
        let bare = bare.filter(|bare| columns.contains(bare));
        let near = bare.or_else(|| nearest(wrong, columns.iter().copied()));
        // A field without the name of its protocol: of the first one that has it.
        let of_any = || {
            let mut known = protocols().into_iter().map(|p| p.name);
            let has = |p: &&str| listed_fields(p).contains(&wrong.as_str());
            known.find(has).map(|p| format!("{p}.{wrong}"))
        };
        let listed = listed.filter(|listed| listed != wrong).or_else(of_any);
        let meant = match name {
            TableName::Messages => listed.as_deref().or(near),
            _ => near,
        };
        let more = match name {
            TableName::Messages => ", or a protocol's field of --json as http.host".to_owned(),
            TableName::Files => ", or a field of files.jsonl".to_owned(),
            _ if bare.is_none() && TableName::Messages.takes(field) => {
                format!("; --table=messages has {wrong}")
            }
            _ => String::new(),
        };
        let advice = format!("expected some of {}{more}", columns.join(", "));
        let what = match wrong.as_str() {
            "" => format!("a name is empty: {advice}"),
            wrong => format!(
                "{wrong}: the table has no such column{}",
                did_you_mean(meant, &advice)
            ),
        };
        return Err(error(
            ErrorKind::ValueValidation,
            format_args!("--fields: {what}"),
        ));
    }
    if name == TableName::Files && !extracts {
        return Err(error(
            ErrorKind::MissingRequiredArgument,
            "--table=files: lists what --extract writes: add -x DIR",
        ));
    }
    Ok(())
}

/// Sections and counters that are asked for are such.
fn check_counters(stats: &mut Stats, protocols: &[&'static str]) -> Result<(), clap::Error> {
    let names = Counters::names(protocols);
    // A protocol goes by any of its names.
    for name in &mut stats.only {
        let section = |section: &str| {
            names
                .iter()
                .any(|known| known.split('.').next() == Some(section))
        };
        if !section(name.split('.').next().unwrap_or_default())
            && let Some(other) = known_name(name)
                .map(str::to_owned)
                .or_else(|| by_known_name(name))
        {
            *name = other;
        }
    }
    let sections = || {
        let channels = CHANNELS.map(|name| (name, ""));
        let known = names.iter().filter_map(|name| name.split_once('.'));
        known.chain(channels)
    };
    let sections = || sections().map(|(section, _)| section);
    let known = || {
        let names = names.iter().map(String::as_str);
        sections().chain(names).chain(known_aliases())
    };
    let formats = ["text", "all", "json", "csv"];
    match stats.only.iter().find(|name| !known().any(|k| k == *name)) {
        None => Ok(()),
        Some(wrong) => Err(error(
            ErrorKind::ValueValidation,
            format_args!(
                "--stats: {wrong}: there is no such section or counter{}",
                did_you_mean(nearest(wrong, known().chain(formats)), "-s=all shows them")
            ),
        )),
    }
}

/// Messages of no time are left where the first that is wanted is behind the last.
fn check_times(choice: &MessageChoice) -> Result<(), clap::Error> {
    let exchanged = match (choice.from, choice.to) {
        (Some(When::At(from)), Some(When::At(to))) => from > to,
        (Some(When::After(from)), Some(When::After(to)))
        | (Some(When::OfDay(from)), Some(When::OfDay(to))) => from > to,
        // Which of the two is later is known when the first packet is.
        _ => false,
    };
    if exchanged {
        return Err(error(
            ErrorKind::ValueValidation,
            "--from: is later than --to, so no message is between them: exchange the two",
        ));
    }
    Ok(())
}

/// Times are local, and nobody says where: what the environment names is not known here.
fn unknown_zone(time: TimeForm) -> Option<String> {
    let zone = std::env::var_os("TZ").filter(|zone| !zone.is_empty())?;
    let unknown = time == TimeForm::Local && jiff::tz::TimeZone::try_system().is_err();
    unknown.then(|| {
        format!(
            "TZ: {} is no time zone that is known here: times are in UTC: name one as Europe/Berlin",
            zone.display()
        )
    })
}

/// Memory with which nothing works: the tables and buffers of one busy connection need about a third of it.
const LEAST_MEMORY: usize = 4 << 20;
/// Octets of a segment where nobody says otherwise (RFC 9293, 3.7.1).
const SEGMENT: usize = 536;

/// Refuses limits with which a run could only throw away what it reads.
fn check_limits(args: &Args) -> Result<(), clap::Error> {
    let no_time = "is no time at all, so nothing would ever wait for what is late";
    let rows = [
        (
            args.memory_limit < LEAST_MEMORY,
            "--memory-limit",
            "is under 4 MiB, which a few connections need",
            "give 4M or more",
        ),
        (
            args.tcp_buffer < SEGMENT,
            "--tcp-buffer",
            "is less than a segment of TCP, so none could wait behind a hole",
            "give at least the size of a few segments, as 64K",
        ),
        (
            args.max_streams == 0,
            "--max-streams",
            "is 0, so no message of HTTP/2 would be followed",
            "give 1 or more",
        ),
        (
            args.tcp_holes == 0,
            "--tcp-holes",
            "is 0, so every hole would be given up at once",
            "give 1 or more",
        ),
        (
            (args.max_gap as usize) < SEGMENT,
            "--max-gap",
            "is less than a segment of TCP, so every lost one would break its connection in two",
            "give at least the size of a few segments, as 64K",
        ),
        (
            args.max_connections == 0,
            "--max-connections",
            "is 0, so no connection could be followed",
            "give 1 or more, or --disable tcp,sctp",
        ),
        (
            args.max_active_packets == 0,
            "--max-active-packets",
            "is 0, so no packet could wait for another",
            "give 1 or more",
        ),
        (
            args.max_file == 0,
            "--max-file",
            "is 0, so every file would be empty",
            "give the size of the largest file that is wanted",
        ),
        (
            args.max_message == Some(0),
            "--max-message",
            "is 0, so no packet could carry anything",
            "give 1 or more, or leave it out",
        ),
        (
            args.session_timeout.is_zero(),
            "--session-timeout",
            "is no time at all, so every connection would end at once",
            "give a time, as 1h",
        ),
        (
            args.ip_packet_timeout.is_zero(),
            "--ip-packet-timeout",
            no_time,
            "give a time, as 1s",
        ),
        (
            args.tcp_packet_timeout.is_zero(),
            "--tcp-packet-timeout",
            no_time,
            "give a time, as 2s",
        ),
        (
            args.sctp_packet_timeout.is_zero(),
            "--sctp-packet-timeout",
            no_time,
            "give a time, as 2s",
        ),
    ];
    match rows.iter().find(|(wrong, ..)| *wrong) {
        Some((_, option, what, advice)) => Err(error(
            ErrorKind::ValueValidation,
            format_args!("{option}: {what}: {advice}"),
        )),
        None => Ok(()),
    }
}

fn error(kind: ErrorKind, what: impl Display) -> clap::Error {
    // One line, as everything on stderr: the usage stands in --help.
    clap::Error::raw(kind, what)
}

/// The form of packets for messages, before an output's own options.
fn form(args: &Args) -> PacketOptions {
    // Comments and secrets stand in pcapng only.
    let format = if args.info || args.track || args.keep_secrets {
        FileFormat::Pcapng
    } else {
        FileFormat::Pcap
    };
    PacketOptions {
        encap: args.encap,
        format: args.format.unwrap_or(format),
        large: args.large,
        max_message: args.max_message.unwrap_or(0),
        fill_gaps: args.fill_gaps,
        info: args.info,
        track: args.track,
        original_times: args.timestamps == Times::Original,
        handshake: writes_handshakes(args),
        sort_delay: args.output_sort_delay,
        sort_queue: args.output_sort_queue,
        packet_buffered: args.packet_buffered,
    }
}

/// Endings of names that say how a file is compressed, and what does that.
const COMPRESSED: &[(&str, &str)] = &[
    (".gz", "gzip"),
    (".zst", "zstd"),
    (".xz", "xz"),
    (".bz2", "bzip2"),
    (".lz4", "lz4"),
];

/// Refuses a name that says that its file is compressed, which it would not be.
fn check_endings(sink: &OutputOptions) -> Result<(), clap::Error> {
    let outputs = sink.outputs.iter();
    let outputs = outputs.map(|output| (&output.target, to_stdout(output.what)));
    let json = sink.json.as_ref().map(|json| (&json.target, "-j"));
    let har = sink.har.as_ref().map(|har| (&har.target, "--har -"));
    let files = outputs
        .chain(json)
        .chain(har)
        .filter(|(to, _)| to.is_file());
    for (Target { name, .. }, option) in files {
        let says = |(ending, _): &&(&str, &str)| has_ending(name, ending);
        if let Some((_, program)) = COMPRESSED.iter().find(says) {
            return Err(error(
                ErrorKind::ValueValidation,
                format_args!(
                    "{name}: outputs are not compressed: {option} | {program} >{name} does that"
                ),
            ));
        }
    }
    Ok(())
}

/// What asks for packets on stdout.
const fn to_stdout(what: OutputKind) -> &'static str {
    match what {
        OutputKind::Messages => "-w -",
        OutputKind::Dropped => "--dropped -",
        OutputKind::Bypass => "--bypass -",
    }
}

/// At most one output writes to stdout, and streams there have to be chosen.
fn check_stdout(
    sink: &OutputOptions,
    csv: [(Option<&Path>, &'static str); 2],
) -> Result<(), clap::Error> {
    let streams = sink.dump.as_ref().is_some_and(|d| d.dir.as_os_str() == "-");
    let json = sink.json.as_ref().is_some_and(|j| j.target.name == "-");
    let har = sink.har.as_ref().is_some_and(|h| h.target.name == "-");
    let packets = sink.outputs.iter().filter(|o| o.target.name == "-");
    let packets = packets.map(|o| to_stdout(o.what));
    let others = [
        (sink.print.is_some(), "--print"),
        (sink.follow.is_some(), "--follow"),
        (sink.table.is_some(), "--table"),
        (json, "--json"),
        (har, "--har -"),
        (streams, "--dump -"),
    ];
    let csv = csv.map(|(path, name)| (path == Some(Path::new("-")), name));
    let others = others
        .into_iter()
        .chain(csv)
        .filter_map(|(is, name)| is.then_some(name));
    let users: Vec<_> = others.chain(packets).collect();
    if streams && sink.connection.is_none() {
        return Err(error(
            ErrorKind::MissingRequiredArgument,
            "--dump -: writes streams to stdout, and none is chosen: name one, as --connection 0",
        ));
    }
    if let [first, .., last] = users.as_slice() {
        let all = match users.len() {
            2 => format!("{first} and {last} both"),
            _ => users.join(", "),
        };
        return Err(error(
            ErrorKind::ArgumentConflict,
            format_args!("stdout: {all} write there: choose one, or write to a file"),
        ));
    }
    Ok(())
}

/// What is no text is not written to a terminal: it would show nothing that can be read, and could act on it.
fn check_terminal(sink: &OutputOptions) -> Result<(), clap::Error> {
    let packets = sink.outputs.iter().find(|o| o.target.name == "-");
    let option = packets.map(|o| to_stdout(o.what));
    let streams = sink.dump.as_ref().is_some_and(|d| d.dir.as_os_str() == "-");
    let raw = sink
        .follow
        .as_ref()
        .is_some_and(|follow| follow.form == FollowForm::Raw);
    let what = match option {
        Some(option) => format!(
            "{option}: stdout is a terminal, and packets are no text: pipe them into a program, or name a file"
        ),
        None if raw => "--follow=raw: stdout is a terminal, on which any bytes may act: pipe them into a program, or take --follow=text".to_owned(),
        None if streams => "--dump -: stdout is a terminal, on which any bytes may act: pipe them into a program, or take --follow".to_owned(),
        None => return Ok(()),
    };
    Err(error(ErrorKind::ValueValidation, what))
}

/// SYN, FIN and RST are written: where they are asked for, and where another run is to go on with what this one leaves out,
/// which is to see how the connections begin and end that this one has put in order.
fn writes_handshakes(args: &Args) -> bool {
    let disabled = args.disable.unwrap_or_default();
    args.handshake || (disabled.udp || disabled.sctp) && !disabled.tcp
}

fn limits(args: &Args) -> Limits {
    let disabled = args.disable.unwrap_or_default();
    Limits {
        memory: args.memory_limit,
        connections: args.max_connections,
        carried_streams: args.max_streams,
        active_packets: args.max_active_packets,
        ip_packet_timeout: args.ip_packet_timeout,
        tcp_packet_timeout: args.tcp_packet_timeout,
        sctp_packet_timeout: args.sctp_packet_timeout,
        session_timeout: args.session_timeout,
        track_missing_chunks: args.track_missing_chunks,
        reorder_packets: args.reorder_window.packets,
        reorder_time: args.reorder_window.time,
        reorder_alone: args.reorder_window.alone,
        look_behind_segments: args.look_behind.segments,
        look_behind_time: args.look_behind.time,
        wait_ack: args.wait_ack,
        decrypted_port: args.decrypted_port,
        tcp_buffer: args.tcp_buffer,
        tcp_holes: args.tcp_holes,
        max_gap: args.max_gap,
        overlap: args.overlap,
        channels: args.vlan,
        store_fragments: args.store_fragments,
        decapsulate: args.decapsulate.unwrap_or_default(),
        disable_tcp: disabled.tcp,
        disable_udp: disabled.udp,
        disable_sctp: disabled.sctp,
        ip_checksums: args.checksums.ip,
        tcp_checksums: args.checksums.tcp,
        udp_checksums: args.checksums.udp,
        sctp_checksums: args.checksums.sctp,
        empty_connections: writes_handshakes(args),
        // What becomes of them stands in the JSON, and in what -vv says.
        fragment_events: args.json.is_some() || args.verbose > 1,
        ..Limits::default()
    }
}

/// What an OUTPUT asks for: `form`, but for what its options say. Originals are pcapng where nobody asks for a format.
fn output(
    target: Target,
    what: OutputKind,
    form: PacketOptions,
    format: Option<FileFormat>,
    own_protocols: bool,
) -> Result<OutputSpec, String> {
    fn choice<T: ValueEnum>(key: &str, value: &str) -> Result<T, String> {
        T::from_str(value, true).map_err(|_| {
            let values = T::value_variants().iter().filter_map(T::to_possible_value);
            let values: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
            let meant = nearest(value, values.iter().map(String::as_str));
            let advice = format!("expected one of {}", values.join(", "));
            format!(
                "{key}={value}: is none of its values{}",
                did_you_mean(meant, &advice)
            )
        })
    }
    let (mut format, mut spec) = (
        format,
        OutputSpec {
            target,
            what,
            protocols: Vec::new(),
            form,
        },
    );
    for (key, value) in &spec.target.options {
        match key.to_ascii_lowercase().as_str() {
            // The plural is that of --protocols.
            "protocol" | "protocols" => {
                for name in value.split(',').map(str::trim) {
                    match known_name(name) {
                        Some(known) => spec.protocols.push(known.to_owned()),
                        None if own_protocols => spec.protocols.push(name.to_owned()),
                        None => return Err(no_protocol(name)),
                    }
                }
            }
            "kind" => spec.what = choice(key, value)?,
            "encap" => spec.form.encap = choice(key, value)?,
            "format" => format = Some(choice(key, value)?),
            _ => {
                let meant = nearest(key, ["protocol", "kind", "encap", "format"]);
                let meant = meant.map(|key| format!("{key}={value}"));
                let advice =
                    "expected protocol, kind, encap or format, as file:out.pcap?protocol=http";
                return Err(format!(
                    "{key}={value}: no such option of an output{}",
                    did_you_mean(meant.as_deref(), advice)
                ));
            }
        }
    }
    let named_pcapng = has_ending(&spec.target.name, ".pcapng");
    spec.form.format = match (format, spec.what) {
        (Some(format), _) => format,
        // The name says what is wanted.
        (None, _) if named_pcapng => FileFormat::Pcapng,
        (None, OutputKind::Messages) => spec.form.format,
        (None, _) => FileFormat::Pcapng,
    };
    Ok(spec)
}

/// A question mark belongs to a name without a scheme: mostly something else was meant.
fn taken_for_a_name(name: &str) -> Option<String> {
    let (_, query) = name.rsplit_once('?')?;
    let (key, _) = query.split_once('=')?;
    let keys = ["protocol", "kind", "encap", "format"];
    keys.contains(&key).then(|| {
        format!("{name}: is the name of a file as it stands: write 'file:{name}' where {key} is meant as an option")
    })
}

/// The name ends so, in upper or lower case.
fn has_ending(name: &str, ending: &str) -> bool {
    let name = name.as_bytes();
    let last = name.len().checked_sub(ending.len());
    last.is_some_and(|at| name[at..].eq_ignore_ascii_case(ending.as_bytes()))
}

/// What to say of a protocol that is not known.
fn no_protocol(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let framed = FRAMED.iter().find(|(framed, ..)| *framed == lower);
    let advice = match (lower.as_str(), framed) {
        (_, Some((.., spec))) => format!("--framer '{spec}' adds it"),
        // No other name is meant.
        ("rtp", None) => {
            return format!(
                "{name}: no protocol of this name: RTP over UDP is not told from other datagrams, which stand under {NO_PROTOCOL}: --list-protocols shows those that are known"
            );
        }
        ("mail" | "email", None) => {
            return format!("{name}: no protocol of this name: mail goes by smtp, pop and imap");
        }
        _ => "--list-protocols shows them, --framer adds one".to_owned(),
    };
    let known = protocols();
    let meant = nearest(name, known.iter().map(|p| p.name));
    format!(
        "{name}: no protocol of this name{}",
        did_you_mean(meant, &advice)
    )
}

/// `--extract-protocols`: protocols by Wireshark's names.
fn carriers(names: &[String]) -> Result<Vec<&'static str>, clap::Error> {
    let known = |name: &String| {
        let name = name.trim();
        let known = known_name(name).ok_or_else(|| no_protocol(name));
        let carriers = file_protocols();
        let carries = known.and_then(|known| match carriers.contains(&known) {
            true => Ok(known),
            false => Err(format!(
                "{name}: carries no files: expected some of {}",
                carriers.join(", ")
            )),
        });
        carries.map_err(|what| {
            error(
                ErrorKind::ValueValidation,
                format_args!("--extract-protocols: {what}"),
            )
        })
    };
    names.iter().map(known).collect()
}

/// The rules about protocols. Every name in them must be known.
fn rules(
    protocols: Vec<String>,
    unframed: Unframed,
    decode_as: Vec<DecodeAs>,
    framers: Vec<UserRow>,
) -> Result<Rules, clap::Error> {
    let wrong = |option: &str, name: &str| {
        let what = format_args!("{option}: {}", no_protocol(name));
        error(ErrorKind::ValueValidation, what)
    };
    let mut rules = Rules {
        decode_as,
        framers,
        filter: ProtocolFilter {
            drop_unframed: unframed == Unframed::Drop,
            ..ProtocolFilter::default()
        },
    };
    for name in protocols.iter().map(|name| name.trim()) {
        let (list, name) = match name.strip_prefix('!') {
            Some(name) => (&mut rules.filter.except, name.trim()),
            None => (&mut rules.filter.protocols, name),
        };
        // A protocol of the user's goes by the name that was given to it.
        let own = rules.framers.iter().map(|row| row.name);
        let own = own.into_iter().find(|own| own.text() == name);
        let known = own.or_else(|| known_name(name).map(Name::of));
        list.push(known.ok_or_else(|| wrong("--protocols", name))?);
    }
    let filter = &rules.filter;
    if let Some(both) = filter.protocols.iter().find(|n| filter.except.contains(n)) {
        return Err(error(
            ErrorKind::ValueValidation,
            format_args!(
                "--protocols: {both} is chosen and left out: leave {both} or !{both} out",
                both = both.text()
            ),
        ));
    }
    match rules.unknown_name() {
        Some(name) => Err(wrong("--decode-as", name)),
        None => Ok(rules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::{Channels, Checksums, Overlap, Tunnel};

    fn config(args: &[&str], terminal: bool) -> Result<Config, String> {
        let args = std::iter::once("inet-asm").chain(args.iter().copied());
        match parse(args.map(Into::into), terminal) {
            Ok(Invocation::Run(config)) => Ok(*config),
            Ok(other) => Err(format!("{other:?}")),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn without_an_output_stdout_is_one() {
        let c = config(&[], false).unwrap();
        assert_eq!(
            (c.inputs, c.sink.outputs.len(), c.sink.print),
            (vec![OsString::from("-")], 1, None)
        );
        let c = config(&["a"], true).unwrap();
        assert!(c.sink.outputs.is_empty() && c.sink.print.is_some());
        let c = config(&["-w", "-"], false).unwrap();
        assert!(c.sink.outputs.len() == 1 && c.sink.print.is_none());
        for args in [
            &["-w", "-"][..],
            &["-n", "--bypass", "-"],
            &["--follow=raw", "tcp:0"],
            &["--dump", "-", "--connection", "0"],
        ] {
            let wrong = config(args, true).unwrap_err();
            assert!(wrong.contains("stdout is a terminal"), "{wrong}");
            assert!(config(args, false).is_ok());
        }
        let c = config(&["-n"], false).unwrap();
        assert!(c.sink.outputs.is_empty() && c.sink.print.is_none());
        let c = config(&["--dump", "d"], false).unwrap();
        assert!(c.sink.outputs.is_empty() && c.sink.dump.is_some());
        let c = config(&["-p=full", "-w", "x.pcap"], false).unwrap();
        assert!(
            c.sink.outputs.len() == 1
                && c.sink
                    .print
                    .is_some_and(|p| p.style == Style::Full && !p.look.color)
        );
        assert!(
            config(&["-p", "-w", "-"], false)
                .unwrap_err()
                .contains("stdout")
        );
    }

    #[test]
    fn inputs_stay_in_order() {
        let c = config(&["a", "-r", "b", "c", "--read=d"], false).unwrap();
        assert_eq!(c.inputs, ["a", "b", "c", "d"]);
    }

    #[test]
    fn defaults_are_those_of_the_limits() {
        let c = config(&[], false).unwrap();
        assert_eq!(
            format!("{:?}", c.limits),
            format!("{:?}", Limits::default())
        );
    }

    #[test]
    fn values_are_checked() {
        let c = config(
            &[
                "--tcp-buffer=64K",
                "--memory-limit",
                "1GiB",
                "--session-timeout=2m",
                "--reorder-window=8,5ms,1.5s",
                "--look-behind=off",
                "--checksums=verify,tcp=auto",
                "--max-gap=1M",
                "--overlap=last",
            ],
            false,
        )
        .unwrap()
        .limits;
        assert_eq!(
            (c.tcp_buffer, c.memory, c.max_gap),
            (65_536, 1 << 30, 1 << 20)
        );
        assert_eq!(c.session_timeout, Duration::from_secs(120));
        assert_eq!(
            (c.reorder_packets, c.reorder_alone),
            (8, Duration::from_millis(1500))
        );
        assert_eq!((c.look_behind_segments, c.overlap), (0, Overlap::Last));
        assert_eq!(
            (c.ip_checksums, c.tcp_checksums),
            (Checksums::Verify, Checksums::Auto)
        );
        let c = config(
            &[
                "--decapsulate=gre,gtp",
                "--disable=tcp,sctp",
                "--vlan=separate",
                "--store-fragments",
                "--ip-packet-timeout=3s",
                "--sort-delay=10ms",
                "--sort-queue=7",
            ],
            false,
        )
        .unwrap();
        assert_eq!((c.sort_delay, c.sort_queue), (Duration::from_millis(10), 7));
        let c = c.limits;
        assert!(c.decapsulate.contains(Tunnel::Gtp));
        assert!(!c.decapsulate.contains(Tunnel::Vxlan));
        assert!(c.disable_tcp && !c.disable_udp && c.disable_sctp && c.store_fragments);
        assert_eq!(c.channels, Channels::Separate);
        assert_eq!(c.ip_packet_timeout, Duration::from_secs(3));
        for (arg, names) in [
            ("--tcp-buffer=64X", "64K or 4MiB"),
            ("--tcp-buffer=99999999999999999G", "too large"),
            ("--session-timeout=10", "us, ms, s, m, h or d"),
            ("--session-timeout=-1s", "us, ms, s, m, h or d"),
            ("--session-timeout=99999999999999h", "too long"),
            ("--max-gap=2G", "1G at most"),
            ("--max-gap=0", "break its connection"),
            ("--memory-limit=4095K", "4M or more"),
            ("--tcp-buffer=0", "64K"),
            ("--tcp-buffer=1.x5K", "64K or 4MiB"),
            ("--sort-queue=on", "or off"),
            ("--sort-delay=on", "or off"),
            ("--look-behind=5", "16,200ms"),
            ("--reorder-window=5", "32,20ms,1s"),
            ("--checksums=ip=maybe", "verify"),
            ("--checksums=arp=auto", "ip, tcp, udp or sctp"),
            ("--encap=token-ring", "ethernet"),
            ("--decapsulate=gre,ftp", "vxlan"),
            ("--disable=tcp,icmp", "sctp"),
            ("--vlan=all", "separate"),
            ("--sort-delay=10", "us, ms, s, m, h or d"),
        ] {
            let error = config(&[arg], false).unwrap_err();
            let option = arg.split('=').next().unwrap();
            assert!(error.contains(option) && error.contains(names), "{error}");
        }
        let c = config(
            &[
                "--sort-delay=off",
                "--sort-queue=off",
                "--tcp-buffer=0.5MB",
                "--max-file=2GB",
                "--session-timeout=1d",
                "--ip-packet-timeout=1500us",
            ],
            false,
        )
        .unwrap();
        assert_eq!((c.sort_delay, c.sort_queue), (Duration::ZERO, 0));
        assert_eq!(
            (c.limits.tcp_buffer, c.limits.session_timeout),
            (512 << 10, Duration::from_secs(86_400))
        );
        assert_eq!(c.limits.ip_packet_timeout, Duration::from_micros(1500));
        let e = config(&["--dump=x", "--dump-name=../%c"], false).unwrap_err();
        assert!(e.contains("--dump-name") && e.contains("folder"), "{e}");
    }

    #[test]
    fn an_output_that_is_an_input_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcap");
        std::fs::write(&path, "precious").unwrap();
        std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
        let link = dir.path().join("link").display().to_string();
        let c = config(&["-w", &link, &path.display().to_string()], false).unwrap();
        let Err(e) = crate::sink::Outputs::open(&c.sink, &[&c.inputs[0]]) else {
            panic!("opened")
        };
        assert!(e.to_string().contains("also an input"), "{e}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
