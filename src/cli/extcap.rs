//! What Wireshark asks a program that captures for it (extcap), and the answers: sentences of words in braces, a line each.
//!
//! ```text
//!  --extcap-interfaces                             which interfaces there are
//!  --extcap-dlts    --extcap-interface X           what their packets begin with
//!  --extcap-config  --extcap-interface X           what can be chosen: a form, each field of which is an option of this program
//!  --extcap-capture-filter F --extcap-interface X  what is wrong with this filter
//!  --capture --extcap-interface X --fifo P ...     a run
//! ```

use super::args::{Args, ExtcapArgs};
use super::capture_program::CaptureProgram;
use crate::sink::packets::{Encap, Large};
use crate::sink::{FileFormat, Target};
use clap::parser::ValueSource;
use clap::{ArgMatches, ValueEnum};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// What stands before the name of an interface, in the list that Wireshark makes of all.
const PREFIX: &str = "inet-asm-";

/// How long the pipe is without a reader at the beginning, and how often it is tried.
// Wireshark opens it in the same moment; where it does not, it has failed.
const READER: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// What is asked, beside a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExtcapQuestion {
    /// Which interfaces there are.
    Interfaces,
    /// What the packets of an interface begin with.
    LinkTypes,
    /// What can be chosen of it.
    Form,
    /// Whether this filter is one on this interface: filter, interface.
    Filter(String, String),
}

/// A field of the form: an option of this program, and what Wireshark makes of it.
struct FormField {
    option: &'static str,
    display: &'static str,
    tooltip: &'static str,
    /// The rest of its sentence.
    kind: &'static str,
}

/// The option whose values are a list to choose from.
const ENCAP: &str = "--encap";
/// The option of which one field has several, parted by semicolons.
const DECODE_AS: &str = "--decode-as";

/// The form.
const FORM: &[FormField] = &[
    FormField {
        option: "--protocols",
        display: "Protocols",
        tooltip: "Only messages of these, by Wireshark's names; !dns: all but these",
        kind: "{type=string}{placeholder=http,sip}",
    },
    FormField {
        option: DECODE_AS,
        display: "Decode as",
        tooltip: "What traffic on these ports is; several rules are parted by semicolons",
        kind: "{type=string}{placeholder=tcp.port==9000,http}",
    },
    FormField {
        option: ENCAP,
        display: "Link layer of messages",
        tooltip: "What the packets begin with that messages are written as",
        kind: "{type=selector}",
    },
    FormField {
        option: "--keylog",
        display: "TLS key log",
        tooltip: "A file of secrets (SSLKEYLOGFILE): TLS is decrypted with them, also with those that come later",
        kind: "{type=fileselect}{mustexist=true}",
    },
];

impl ExtcapArgs {
    /// What is asked; None for a run.
    pub(super) fn question(&self) -> Option<ExtcapQuestion> {
        let interface = self.extcap_interface.as_deref().map(own_name);
        if self.extcap_interfaces {
            return Some(ExtcapQuestion::Interfaces);
        }
        if self.extcap_dlts {
            return Some(ExtcapQuestion::LinkTypes);
        }
        if self.extcap_config {
            return Some(ExtcapQuestion::Form);
        }
        let asked = self.extcap_capture_filter.as_ref().zip(interface);
        let asked = asked.filter(|_| !self.capture);
        asked.map(|(filter, name)| ExtcapQuestion::Filter(filter.clone(), name.to_owned()))
    }
}

/// The interface as the program that captures calls it.
fn own_name(interface: &str) -> &str {
    interface.strip_prefix(PREFIX).unwrap_or(interface)
}

/// A run for Wireshark is one of `-i`, whose messages go to the pipe that it reads, and which says nothing but what is wrong: Wireshark
/// shows all of it.
pub(super) fn capture_for(args: &mut Args, matches: &ArgMatches) {
    let Some(interface) = args.extcap.extcap_interface.as_deref() else {
        return;
    };
    args.interface.push(own_name(interface).to_owned());
    args.capture_filter = args.extcap.extcap_capture_filter.take();
    args.quiet = true;
    // A line for each message, also where that is larger than an IP packet: Wireshark reads those.
    if matches.value_source("large") == Some(ValueSource::DefaultValue) {
        args.large = Large::Jumbo;
    }
    // It has names of interfaces, and comments.
    args.format.get_or_insert(FileFormat::Pcapng);
    if let Some(fifo) = &args.extcap.fifo {
        args.write.push(Target::file(fifo.as_os_str()));
    }
}

/// The words of the command line, where Wireshark has put them together out of its form: a field that was left empty is none, and one that
/// takes several values may have them.
pub(super) fn filled_in(args: Vec<OsString>) -> Vec<OsString> {
    if !args.iter().any(|arg| arg == "--capture") {
        return args;
    }
    let mut words: Vec<OsString> = Vec::new();
    for word in args {
        let option = words
            .last()
            .and_then(|option| option.to_str())
            .map(str::to_owned);
        let option = option.filter(|option| option.starts_with('-'));
        match (option, word.to_str()) {
            (Some(_), Some("")) => drop(words.pop()),
            (Some(option), Some(values)) if option == DECODE_AS => {
                words.pop();
                let values = values.split(';').map(str::trim).filter(|v| !v.is_empty());
                words.extend(values.flat_map(|value| [option.clone().into(), value.into()]));
            }
            _ => words.push(word),
        }
    }
    words
}

/// Opens the pipe that Wireshark reads, as soon as it does.
///
/// # Errors
///
/// Nobody reads it; those of the system.
pub(super) fn open_fifo(path: &Path) -> io::Result<File> {
    let begun = Instant::now();
    loop {
        // A blocking open would wait for ever where Wireshark has gone in the meantime.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let what = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(pipe) => return Ok(pipe.into()),
            Err(Errno::NXIO) if begun.elapsed() < READER => {
                thread::sleep(PAUSE);
                continue;
            }
            Err(Errno::NXIO) => "nobody reads it: start the capture again",
            Err(Errno::NOENT) => "there is no such pipe: Wireshark makes it, or mkfifo does",
            Err(e) => return Err(e.into()),
        };
        return Err(io::Error::other(what));
    }
}

/// Writes the answer.
///
/// # Errors
///
/// There is no program that captures, or it cannot be run; those of the writer.
pub fn answer(question: &ExtcapQuestion, out: &mut dyn Write) -> io::Result<()> {
    match question {
        ExtcapQuestion::Interfaces => interfaces(out),
        ExtcapQuestion::LinkTypes => {
            // The second one: where --encap says so, and for interfaces that are not Ethernet.
            writeln!(out, "dlt {{number=1}}{{name=EN10MB}}{{display=Ethernet}}")?;
            writeln!(out, "dlt {{number=101}}{{name=RAW}}{{display=Raw IP}}")
        }
        ExtcapQuestion::Form => form(out),
        // What is said is what is wrong.
        ExtcapQuestion::Filter(filter, interface) => {
            match CaptureProgram::find().and_then(|program| program.check(interface, filter)) {
                Ok(()) => Ok(()),
                Err(what) => writeln!(out, "{what}"),
            }
        }
    }
}

fn interfaces(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "extcap {{version={}}}", env!("CARGO_PKG_VERSION"))?;
    let found = CaptureProgram::find().and_then(CaptureProgram::interfaces);
    for name in found.map_err(io::Error::other)? {
        // A brace would end the word.
        if !name.contains(['{', '}']) {
            writeln!(
                out,
                "interface {{value={PREFIX}{name}}}{{display=inet-asm: messages of {name}}}"
            )?;
        }
    }
    Ok(())
}

fn form(out: &mut dyn Write) -> io::Result<()> {
    for (number, field) in FORM.iter().enumerate() {
        let FormField {
            option,
            display,
            tooltip,
            kind,
        } = field;
        writeln!(
            out,
            "arg {{number={number}}}{{call={option}}}{{display={display}}}{{tooltip={tooltip}}}{kind}"
        )?;
        let values = Encap::value_variants().iter();
        for value in values.filter(|_| *option == ENCAP) {
            let known = value.to_possible_value();
            let name = known.as_ref().map_or("", |known| known.get_name());
            let is_default = *value == Encap::default();
            writeln!(
                out,
                "value {{arg={number}}}{{value={name}}}{{display={name}}}{{default={is_default}}}"
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::command;

    #[test]
    fn the_form_is_of_options() {
        let mut text = Vec::new();
        form(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let command = command();
        for field in FORM {
            let is = |arg: &&clap::Arg| arg.get_long() == field.option.strip_prefix("--");
            let arg = command.get_arguments().find(is).unwrap();
            assert!(arg.get_action().takes_values(), "{}", field.option);
        }
        for line in text.lines() {
            let (_, words) = line.split_once(' ').unwrap();
            assert_eq!(
                words.matches('{').count(),
                words.matches('}').count(),
                "{line}"
            );
        }
        assert!(text.contains("value {arg=2}{value=auto}{display=auto}{default=true}\n"));
        assert!(text.contains("value {arg=2}{value=pdu}{display=pdu}{default=false}\n"));
    }

    #[test]
    fn what_was_left_empty_is_no_word() {
        let words = |text: &str| text.split('|').map(OsString::from).collect::<Vec<_>>();
        for (given, read) in [
            ("x|--protocols|", "x|--protocols|"),
            (
                "x|--capture|--protocols||--keylog||--fifo|a",
                "x|--capture|--fifo|a",
            ),
            (
                "--capture|--decode-as|tcp.port==1,http; udp.port==2,sip ;|a|b",
                "--capture|--decode-as|tcp.port==1,http|--decode-as|udp.port==2,sip|a|b",
            ),
        ] {
            assert_eq!(filled_in(words(given)), words(read), "{given}");
        }
    }
}
