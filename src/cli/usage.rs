//! What is wrong with a command line, in the one form of all that goes to stderr: `WHAT: what is wrong: what to do`.

use super::args::command;
use super::likeness::{did_you_mean, nearest};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;

/// Protocols that are not part of the program, but that a length in front of each message is enough for: name, port, and what
/// `--framer` takes.
pub(super) const FRAMED: &[(&str, u16, &str)] = &[
    ("kerberos", 88, "kerberos,tcp.port==88,len@0:u32be+4"),
    ("smpp", 2775, "smpp,tcp.port==2775,len@0:u32be"),
];

/// A usage error in one line.
pub fn one_line(e: &clap::Error) -> String {
    let text = |kind| match e.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(all)) => Some(all.join(", ")),
        _ => None,
    };
    // `--write <OUTPUT>` is the option and its value's name.
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let option = argument
        .split(['=', ' ', '['])
        .next()
        .unwrap_or_default()
        .to_owned();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let expected = text(ContextKind::ValidValue)
        .filter(|all| !all.is_empty())
        .map_or("--help says what it takes".to_owned(), |all| {
            format!("expected one of {all}")
        });
    match e.kind() {
        ErrorKind::UnknownArgument => {
            let command = command();
            let known: Vec<_> = command
                .get_arguments()
                .filter_map(|a| a.get_long())
                .collect();
            let meant = nearest(argument.trim_start_matches('-'), known);
            let meant = meant.map(|name| format!("--{name}"));
            let meant = did_you_mean(meant.as_deref().filter(|_| argument.starts_with("--")));
            format!("{argument}: there is no such option{meant}: --help shows all")
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            let form = argument.strip_prefix(&option).unwrap_or_default();
            let form = form
                .trim_start_matches([' ', '=', '['])
                .trim_end_matches(']');
            format!("{option}: its value {form} is missing: {expected}")
        }
        ErrorKind::InvalidValue => {
            let meant = text(ContextKind::SuggestedValue);
            let meant = did_you_mean(meant.as_deref());
            format!("{option} {value}: is none of its values{meant}: {expected}")
        }
        ErrorKind::ValueValidation if !option.is_empty() => {
            let why = e.source().map_or(expected, ToString::to_string);
            // What is wrong begins with the value where only a part of it is wrong.
            let why = why.trim_end();
            format!("{option} {value}: {why}")
        }
        ErrorKind::TooManyValues => {
            format!("{option}={value}: the option takes no value: leave ={value} out")
        }
        ErrorKind::ArgumentConflict if !option.is_empty() => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            let other = other.split(['=', ' ', '[']).next().unwrap_or_default();
            if other.is_empty() || other == option {
                format!("{option}: is given twice, or stands alone: leave the rest out")
            } else {
                format!("{option}: does not go with {other}: leave one of them out")
            }
        }
        ErrorKind::MissingRequiredArgument if !option.is_empty() => {
            format!("{option}: is needed for what was asked: add it")
        }
        ErrorKind::NoEquals => {
            let form = argument.split(['<', '>']).nth(1).unwrap_or("VALUE");
            format!("{option}: its value stands behind an equals sign: {option}={form}")
        }
        // What this program has found itself is in its form already.
        ErrorKind::ValueValidation | ErrorKind::MissingRequiredArgument => first_line(e),
        _ => format!("command line: {}: --help shows all options", first_line(e)),
    }
}

/// What clap says in the first line.
fn first_line(e: &clap::Error) -> String {
    let text = e.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse;

    #[test]
    fn usage_errors_have_one_form() {
        for (args, expected) in [
            (
                "--protocol http",
                "--protocol: there is no such option: did you mean --protocols?: --help shows all",
            ),
            (
                "--encap rew",
                "--encap rew: is none of its values: did you mean raw?: expected one of auto, ethernet, raw, pdu",
            ),
            (
                "--tcp-buffer 64X",
                "--tcp-buffer 64X: expected a size: a number, with K, M or G behind it, as 64K or 4MiB",
            ),
            (
                "-p -n",
                "--print: does not go with --no-output: leave one of them out",
            ),
            (
                "-w",
                "--write: its value <OUTPUT> is missing: --help says what it takes",
            ),
            (
                "--json-body",
                "--json-body: its value <FORM> is missing: expected one of none, text, base64",
            ),
            (
                "--hash=3",
                "--hash=3: the option takes no value: leave =3 out",
            ),
            (
                "--dump-name x",
                "--dump-name: names the files of --dump: add --dump DIR",
            ),
            (
                "--fields a",
                "--fields: chooses the columns of a table: add --table, or",
            ),
            (
                "--table --fields a",
                "--fields: a: the table has no such column: expected some of time, ",
            ),
            (
                "--table --fields a,,b",
                "--fields: a: the table has no such column: expected some of time, ",
            ),
            ("--table --fields ,", "--fields: a name is empty: expected"),
            (
                "--dump d --dump-name %Q",
                "--dump-name %Q: %Q is no code of file names: expected %A",
            ),
            (
                "--dump d --dump-name ../x",
                "--dump-name ../x: it leads out of the folder: leave",
            ),
            (
                "-w file:x?protcol=http",
                "protcol=http: no such option of an output: did you mean protocol=http?: expected",
            ),
            (
                "-w file:x?format=pcapn",
                "format=pcapn: is none of its values: did you mean pcapng?: expected one of pcap, pcapng",
            ),
            (
                "-w fil:x.pcap",
                "--write fil:x.pcap: fil: no such scheme: did you mean file:x.pcap?: a file of this name is ./fil:x.pcap",
            ),
            (
                "--table HTTP",
                "HTTP: there is no such input: did you mean --table=http?",
            ),
            (
                "-pFULL",
                "-pFULL: its value stands behind an equals sign: -p=FULL",
            ),
            (
                "--man --hash",
                "--man: is given twice, or stands alone: leave the rest out",
            ),
            (
                "-pfull",
                "-pfull: its value stands behind an equals sign: -p=full",
            ),
            (
                "-sjson",
                "-sjson: its value stands behind an equals sign: -s=json",
            ),
            (
                "--follow=json",
                "--follow=json: is no form, nor a connection: expected text, hex or raw",
            ),
            (
                "--table=nosuch",
                "--table nosuch: is none of its values: expected one of messages, http",
            ),
            (
                "--table=htp",
                "--table htp: is none of its values: did you mean http?: expected one of messages, http",
            ),
            (
                "-s=tpc",
                "--stats: tpc: there is no such section or counter: did you mean tcp?: -s=all",
            ),
            (
                "-s=tcp.lost_octet",
                "--stats: tcp.lost_octet: there is no such section or counter: did you mean tcp.lost_octets?",
            ),
            (
                "-s=json,csv",
                "--stats json,csv: csv: is a second format: leave one of them out",
            ),
            (
                "-j nowhere.json",
                "nowhere.json: there is no such input: did you mean --json=nowhere.json?",
            ),
            ("-z", "-z: there is no such option: --help shows all"),
            (
                "-p -p",
                "--print: is given twice, or stands alone: leave the rest out",
            ),
            (
                "--connection foo",
                "--connection foo: \"foo\": expected a connection as 3 or tcp:3",
            ),
        ] {
            let words = std::iter::once("inet-asm").chain(args.split(' '));
            let Err(e) = parse(words.map(Into::into), false) else {
                panic!("{args}: no error")
            };
            let line = one_line(&e);
            assert!(line.starts_with(expected), "{args}: {line}");
            assert!(!line.contains('\n'));
        }
    }
}
