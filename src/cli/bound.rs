//! The settings that a state is bound to: which outputs there are, what tells connections apart, how messages are found.

use super::args::command;
use super::paths::resolved;
use crate::sink::options::{OutputKind, OutputOptions};
use clap::ArgMatches;
use std::ffi::OsStr;
use std::path::Path;

/// Options, by their identifiers, with which a state goes on, and with no others.
const BOUND: &[&str] = &[
    "sort_delay",
    "sort_queue",
    "follow",
    "follow_form",
    "table",
    "fields",
    "json_body",
    "hash",
    "har_body",
    "dump",
    "dump_name",
    "extract",
    "extract_types",
    "extract_protocols",
    "certificates",
    "extract_min",
    "extract_max",
    "connection",
    "kind",
    "pattern",
    "from",
    "to",
    "count",
    "encap",
    "format",
    "large",
    "max_message",
    "fill_gaps",
    "info",
    "track",
    "timestamps",
    "output_sort_delay",
    "output_sort_queue",
    "handshake",
    "pair",
    "protocols",
    "unframed",
    "decode_as",
    "framer",
    "disable",
    "vlan",
    "decapsulate",
    "store_fragments",
    "overlap",
    "track_missing_chunks",
    "wait_ack",
    "counters_clear",
];

/// Of these, folders in which files go on.
const FOLDERS: &[&str] = &["dump", "extract"];

/// Options that may differ.
#[cfg(test)]
const FREE: &[&str] = &[
    "inputs",
    "read",
    "interface",
    "capture_filter",
    "sort_files",
    "live",
    "keep_secrets",
    "keylog",
    "keylog_wait",
    "decrypted_port",
    "tls",
    "no_output",
    "packet_buffered",
    "synchronized",
    "on_file",
    "index",
    "checksums",
    "ip_packet_timeout",
    "tcp_packet_timeout",
    "sctp_packet_timeout",
    "session_timeout",
    "reorder_window",
    "look_behind",
    "tcp_buffer",
    "tcp_holes",
    "max_gap",
    "max_streams",
    "max_file",
    "memory_limit",
    "max_connections",
    "max_active_packets",
    "threads",
    "stats",
    "fail_if",
    "sctp_stats",
    "config",
    "save_config",
    "save_state",
    "load_state",
    "state",
    "counters_file",
    "counters_period",
    "verbose",
    "log_file",
    "quiet",
    "trace",
    "time",
    "wide",
    "color",
    "progress",
    // Which of these there are, and of what kind, is looked at where they are known: see `shape`.
    "write",
    "dropped",
    "bypass",
    "print",
    "json",
    "har",
    // About the command line alone.
    "short_help",
    "help",
    "version",
    "man",
    "completions",
    "list_protocols",
    "list_interfaces",
    "extcap_interfaces",
    "extcap_version",
    "extcap_interface",
    "extcap_dlts",
    "extcap_config",
    "extcap_capture_filter",
    "capture",
    "fifo",
];

/// Names and values.
pub(super) type Settings = Vec<(String, String)>;

/// The settings that a state is bound to.
pub(super) fn settings(matches: &ArgMatches, sink: &OutputOptions) -> Settings {
    let command = command();
    let mut all = Vec::new();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let Some(long) = arg.get_long().filter(|_| BOUND.contains(&id)) else {
            continue;
        };
        let values = matches.get_raw(id).into_iter().flatten();
        // A folder is another one in another working directory.
        let is_folder = |value: &OsStr| FOLDERS.contains(&id) && value != "-";
        let shown = |value: &OsStr| match is_folder(value) {
            true => resolved(Path::new(value)).to_string_lossy().into_owned(),
            false => value.to_string_lossy().into_owned(),
        };
        let values: Vec<_> = values.map(shown).collect();
        if !values.is_empty() {
            all.push((format!("--{long}"), values.join(" ")));
        }
    }
    all.extend(shape(sink));
    all
}

/// The outputs whose names may differ from run to run.
fn shape(sink: &OutputOptions) -> Settings {
    let mut all = Vec::new();
    let mut add = |name: &str, value: String| all.push((name.to_owned(), value));
    for output in &sink.outputs {
        let name = match output.what {
            OutputKind::Messages => "--write",
            OutputKind::Dropped => "--dropped",
            OutputKind::Bypass => "--bypass",
        };
        let form = &output.form;
        let mut value = format!("{:?}", form.format).to_lowercase();
        if output.what == OutputKind::Messages {
            value += &format!(",{:?}", form.encap).to_lowercase();
        }
        for protocol in &output.protocols {
            value += &format!(",{protocol}");
        }
        add(name, value);
    }
    if let Some(print) = sink.print {
        add("--print", format!("{:?}", print.style).to_lowercase());
    }
    if sink.json.is_some() {
        add("--json", "yes".to_owned());
    }
    if sink.har.is_some() {
        add("--har", "yes".to_owned());
    }
    all
}

/// What differs first: its name, how it was, and how it is.
pub(super) fn difference(saved: &Settings, now: &Settings) -> Option<(String, String, String)> {
    let names = saved.iter().chain(now).map(|(name, _)| name);
    let of = |all: &Settings, name: &str| {
        let values = all.iter().filter(|(n, _)| n == name);
        let values: Vec<_> = values.map(|(_, value)| value.as_str()).collect();
        if values.is_empty() {
            format!("without {name}")
        } else {
            format!("with {name} {}", values.join(" and "))
        }
    };
    names
        .map(|name| (name, of(saved, name), of(now, name)))
        .find(|(_, saved, now)| saved != now)
        .map(|(name, saved, now)| (name.clone(), saved, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody adds an option without saying whether a state is bound to it.
    #[test]
    fn each_option_is_bound_or_free() {
        let command = command();
        let ids: Vec<_> = command
            .get_arguments()
            .map(|a| a.get_id().as_str().to_owned())
            .collect();
        for id in &ids {
            let places = BOUND.iter().chain(FREE).filter(|known| *known == id);
            assert_eq!(places.count(), 1, "{id}");
        }
        for id in BOUND.iter().chain(FREE) {
            assert!(ids.iter().any(|known| known == id), "{id}");
        }
    }

    #[test]
    fn what_differs_is_named() {
        let all = |pairs: &[(&str, &str)]| -> Settings {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let saved = all(&[
            ("--vlan", "merge"),
            ("--write", "pcap"),
            ("--write", "pcapng"),
        ]);
        assert_eq!(difference(&saved, &saved), None);
        for (now, expected) in [
            (
                all(&[("--vlan", "first"), ("--write", "pcap")]),
                ("--vlan", "with --vlan merge", "with --vlan first"),
            ),
            (
                all(&[("--vlan", "merge"), ("--write", "pcap")]),
                (
                    "--write",
                    "with --write pcap and pcapng",
                    "with --write pcap",
                ),
            ),
            (
                [&saved[..], &all(&[("--json", "yes")])].concat(),
                ("--json", "without --json", "with --json yes"),
            ),
        ] {
            let (name, was, is) = difference(&saved, &now).unwrap();
            assert_eq!((name.as_str(), was.as_str(), is.as_str()), expected);
        }
    }
}
