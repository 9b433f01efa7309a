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
        // Of an option that may stand several times.
        .trim_end_matches("...")
        .to_owned();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let expected = text(ContextKind::ValidValue)
        .filter(|all| !all.is_empty())
        .map_or("--help says what it takes".to_owned(), |all| {
            format!("expected one of {all}")
        });
    match e.kind() {
        ErrorKind::UnknownArgument if let Some(advice) = elsewhere(&argument) => {
            format!("{argument}: is an option of other programs: {advice}")
        }
        // Files may be called anything, and what is read of options is text.
        ErrorKind::InvalidUtf8 => {
            "command line: a value is not UTF-8, which only names of inputs and folders need not be: give another one".to_owned()
        }
        ErrorKind::UnknownArgument => {
            let command = command();
            let known: Vec<_> = command
                .get_arguments()
                .filter_map(|a| a.get_long())
                .collect();
            let meant = nearest(argument.trim_start_matches('-'), known);
            let meant = meant.map(|name| format!("--{name}"));
            let meant = meant.as_deref().filter(|_| argument.starts_with("--"));
            let meant = did_you_mean(meant, "--help shows all");
            format!("{argument}: there is no such option{meant}")
        }
        // Its form may stand behind an equals sign.
        ErrorKind::InvalidValue if value.is_empty() && option == "--follow" => {
            "--follow: its value <RULE> is missing: give the connection behind it, as --follow tcp:3 or --follow=hex :80".to_owned()
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            let form = argument.strip_prefix(&option).unwrap_or_default();
            let form = form
                .trim_start_matches([' ', '=', '['])
                .trim_end_matches(']');
            format!("{option}: its value {form} is missing: {expected}")
        }
        ErrorKind::InvalidValue => {
            let all = text(ContextKind::ValidValue).unwrap_or_default();
            let suggested = text(ContextKind::SuggestedValue);
            let meant = nearest(&value, all.split(", ")).or(suggested.as_deref());
            let meant = did_you_mean(meant, &expected);
            format!("{option} {value}: is none of its values{meant}")
        }
        ErrorKind::ValueValidation if !option.is_empty() => {
            let why = e.source().map_or(expected, ToString::to_string);
            // What is wrong begins with the value where only a part of it is wrong.
            let why = why.trim_end();
            let value = if value.is_empty() { "\"\"" } else { &value };
            format!("{option} {value}: {why}")
        }
        ErrorKind::TooManyValues => {
            format!("{option}={value}: the option takes no value: leave ={value} out")
        }
        ErrorKind::ArgumentConflict if !option.is_empty() => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            let other = other.split(['=', ' ', '[']).next().unwrap_or_default();
            // Of an option that may stand several times.
            let other = other.trim_end_matches("...");
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
        ErrorKind::ValueValidation
        | ErrorKind::MissingRequiredArgument
        | ErrorKind::ArgumentConflict => first_line(e),
        _ => format!("command line: {}: --help shows all options", first_line(e)),
    }
}

/// What does here what an option of tcpdump or tshark does, for fingers used to it.
fn elsewhere(option: &str) -> Option<&'static str> {
    Some(match option {
        "-Y" | "-R" => "--connection, --protocols, --kind and --match choose messages here",
        "-I" => "pipe a capture in: sudo tcpdump -i any -U -w - | inet-asm",
        "-A" | "-X" | "-XX" | "-O" => "-p=full shows what messages hold, --follow=hex connections",
        "-T" | "-e" | "-E" => "--table --fields chooses columns, and --json has all",
        "-l" => "lines are written as messages come: leave it out",
        "-F" => "--format chooses pcap or pcapng, --json and --table text",
        "-t" | "-u" => "--time chooses how times are shown",
        "-B" => {
            "the buffer of a capture belongs to what captures, as sudo tcpdump -B 4096 -U -w - | inet-asm"
        }
        "-C" | "-G" | "-W" | "-b" => "files are not rotated here: move one away and send SIGHUP",
        "-z" => "-s counts, and --table=connections, http, dns and protocols are lists",
        "-N" => "addresses are never looked up: leave it out",
        "-K" => "--checksums ignore takes wrong checksums",
        "-P" => "-p prints beside -w",
        "-o" => "-w FILE writes packets, -x DIR files, --dump DIR streams",
        _ => return None,
    })
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
                "--protocol: there is no such option: did you mean --protocols? (--help shows all)",
            ),
            (
                "--encap rew",
                "--encap rew: is none of its values: did you mean raw? (expected one of auto, ethernet, raw, pdu",
            ),
            (
                "--tcp-buffer 64X",
                "--tcp-buffer 64X: is no size: expected a number, with K, M or G behind it, as 64K or 4MiB",
            ),
            (
                "-p -n",
                "--print: does not go with --no-output: leave one of them out",
            ),
            (
                "-q -v",
                "--quiet: does not go with --verbose: leave one of them out",
            ),
            (
                "--protocols http,!http",
                "--protocols: http is chosen and left out: leave http or !http out",
            ),
            (
                "-x d --extract-protocols dns",
                "--extract-protocols: dns: carries no files: expected some of http, http2, ftp, ",
            ),
            (
                "-x d --on-file nosuchprogram",
                "--on-file: nosuchprogram: there is no such program: install it, or give its path",
            ),
            (
                "-w",
                "--write: its value <OUTPUT> is missing: --help says what it takes",
            ),
            (
                "--follow=raw -q",
                "--follow: its value <RULE> is missing: give the connection behind it, as ",
            ),
            (
                "--json-body",
                "--json-body: its value <FORM> is missing: expected one of none, text, base64",
            ),
            (
                "--hash=3",
                "--hash 3: is no sum that is made here: expected md5, sha1 or sha256",
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
                "--write: protcol=http: no such option of an output: did you mean protocol=http? (expected",
            ),
            (
                "-w file:x?format=pcapn",
                "--write: format=pcapn: is none of its values: did you mean pcapng? (expected one of pcap, pcapng",
            ),
            (
                "-w fil:x.pcap",
                "--write fil:x.pcap: fil: no such scheme: did you mean file:x.pcap? (a file of this name is ./fil:x.pcap)",
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
                "--table htp: is none of its values: did you mean http? (expected one of messages, http",
            ),
            (
                "-s=tpc",
                "--stats: tpc: there is no such section or counter: did you mean tcp? (-s=all",
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
            ("-k", "-k: there is no such option: --help shows all"),
            (
                "-z io,stat",
                "-z: is an option of other programs: -s counts",
            ),
            (
                "-Y http",
                "-Y: is an option of other programs: --connection, --protocols,",
            ),
            (
                "-I",
                "-I: is an option of other programs: pipe a capture in: ",
            ),
            (
                "-B 4096",
                "-B: is an option of other programs: the buffer of a capture belongs to what captures",
            ),
            (
                "-s 0 k.pcap",
                "0: there is no such input: -s counts here, and a snapshot length ",
            ),
            (
                "--decrypted-port x",
                "--decrypted-port x: is no port: expected one of 1 to 65535",
            ),
            (
                "--decrypted-port 99999",
                "--decrypted-port 99999: is no port: expected one of 1 to 65535",
            ),
            (
                "--verbose=2",
                "--verbose=2: the option takes no value: leave =2 out",
            ),
            (
                "--config nofile",
                "nofile: cannot be read: there is no such file: check its name",
            ),
            (
                "--table=http --fields http.method",
                "--fields: http.method: the table has no such column: did you mean method? (expected",
            ),
            (
                "--table=connections --fields tls.sni",
                "--fields: tls.sni: the table has no such column: did you mean sni? (expected",
            ),
            (
                "--table=dns --fields dns.id",
                "--fields: dns.id: the table has no such column: expected some of time, client, server, type, question, rcode, answers, delay; --table=messages has dns.id",
            ),
            (
                "--protocols rtp",
                "--protocols: rtp: no protocol of this name: RTP over UDP is not told from ",
            ),
            ("-X", "-X: is an option of other programs: -p=full shows"),
            (
                "-T fields",
                "-T: is an option of other programs: --table --fields ",
            ),
            (
                "-l",
                "-l: is an option of other programs: lines are written",
            ),
            (
                "--sort-queue -1",
                "--sort-queue -1: is below 0: give 0 or more",
            ),
            (
                "--session-timeout -5s",
                "--session-timeout -5s: is below 0: give 0 or more",
            ),
            ("-c -1", "-c -1: is below 0: give 1 or more"),
            (
                "-d tcp.port==9000,htp",
                "--decode-as: htp: no protocol of this name: did you mean http? (",
            ),
            (
                "-w file:x?protocol=htp",
                "--write: htp: no protocol of this name: did you mean http? (",
            ),
            (
                "--match -5",
                "--match -5: looks like an option: write --match=-5",
            ),
            (
                "-p --table",
                "stdout: --print and --table both write there: choose one, or write to a file",
            ),
            (
                "-p --table -j",
                "stdout: --print, --table, --json write there: choose one",
            ),
            (
                "--protocols HTTP dns",
                "dns: there is no such input: did you mean --protocols HTTP,dns?",
            ),
            (
                "version",
                "version: there is no such input: did you mean --version?",
            ),
            ("-o x", "-o: is an option of other programs: -w FILE writes"),
            ("-q -5", "-5: is no option: --help shows all"),
            (
                "-w file:",
                "--write file:: a name is missing: give a path, or - for stdout",
            ),
            (
                "-w tcp-listen:",
                "--write tcp-listen:: a name is missing: give one, as tcp-listen://5000",
            ),
            (
                "--json=",
                "--json \"\": a name is missing: give a path, or - for stdout",
            ),
            (
                "-w file:x?y",
                "--write file:x?y: character 8: expected KEY=VALUE, found y: for example file:out.pcap?protocol=http",
            ),
            (
                "-w tcp-listen://5?queue=1X",
                "--write tcp-listen://5?queue=1X: queue=1X: is no size: expected",
            ),
            (
                "-s=tcp.lost",
                "--stats: tcp.lost: there is no such section or counter: did you mean tcp.lost_octets?",
            ),
            (
                "--table --fields host",
                "--fields: host: the table has no such column: did you mean http.host?",
            ),
            (
                "-d tcp.port==80",
                "--decode-as tcp.port==80: character 13: expected a comma and the name of a protocol, found nothing: for example ",
            ),
            (
                "--protocols htp",
                "--protocols: htp: no protocol of this name: did you mean http? (",
            ),
            (
                "-s=jsn",
                "--stats: jsn: there is no such section or counter: did you mean json? (",
            ),
            (
                "--decapsulate greee",
                "--decapsulate greee: greee: no tunnel of this name: did you mean gre? (expected all, none, or some of gre",
            ),
            (
                "--framer a,tcp.port==1,until:0xg",
                "--framer a,tcp.port==1,until:0xg: character 23: expected two hexadecimal digits for each byte, 64 bytes at most, found g: for example mine,tcp.port==7000,until:0x0a",
            ),
            (
                "--from +5s --to +1s",
                "--from: is later than --to, so no message is between them: exchange",
            ),
            (
                "-p -p",
                "--print: is given twice, or stands alone: leave the rest out",
            ),
            (
                "--connection foo",
                "--connection foo: is no connection: expected one as 3 or tcp:3",
            ),
            (
                "--connection :99999",
                "--connection :99999: is no connection: expected one",
            ),
            (
                "--connection 1,x",
                "--connection 1,x: \"x\": is no connection: expected one",
            ),
        ] {
            let words = std::iter::once("inet-asm").chain(args.split(' '));
            let Err(e) = parse(words.map(Into::into), false) else {
                panic!("{args}: no error")
            };
            let line = one_line(&e);
            assert!(line.starts_with(expected), "{args}: {line}");
            assert!(!line.contains('\n'));
            // What it is about, what is wrong with that, and what to do.
            assert!(line.matches(": ").count() >= 2, "{args}: {line}");
        }
    }
}
