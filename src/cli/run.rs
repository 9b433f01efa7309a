//! A run: reads the inputs to their end, and says what went wrong.
//!
//! ```text
//!  Inputs ──> [SortQueue] ──> Assembler ──> Outputs
//! ```

use super::config::Config;
use super::report;
use crate::assembler::Assembler;
use crate::base::packet::LinkType;
use crate::base::time::Timestamp;
use crate::capture::error::Error;
use crate::capture::{Inputs, SortQueue, Stop, input_path};
use crate::sink::Outputs;
use crate::sink::sctp_stats::SctpStats;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Exit status after an error.
pub const FAILED: u8 = 2;

/// Writes to stderr what is wrong, in the form that all messages there have.
pub fn complain(what: &dyn Display) {
    complain_to(&mut io::stderr(), what);
}

fn complain_to(messages: &mut dyn Write, what: &dyn Display) {
    // Where stderr cannot be written, nobody can be informed of that.
    let _ = writeln!(messages, "inet-asm: {what}");
}

/// Catches signals: the first SIGINT or SIGTERM asks for an end, the second one ends the program at once.
fn listen() -> io::Result<Stop> {
    let (stop, wish) = Stop::new()?;
    // Set by the first signal and asked by the second: only then does the default action, the end,
    // take place.
    let requested = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Registered before the flag is set by the same signal, or the first one would end the
        // program.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&requested))?;
        signal_hook::flag::register(signal, Arc::clone(&requested))?;
        // The octet wakes a reader that waits; writing to a pipe is allowed in a signal handler.
        signal_hook::low_level::pipe::register(signal, wish.try_clone()?)?;
    }
    Ok(stop)
}

/// Reads the inputs to their end and gives the exit status.
pub fn run(config: &Config) -> u8 {
    run_with(config, listen, &mut io::stderr())
}

/// A run. `listen` is called once the outputs are open: before, a signal ends the program at once, also where it waits for a
/// reader of a named pipe. What goes wrong, and the counters, are written to `messages`.
fn run_with(
    config: &Config,
    listen: impl FnOnce() -> io::Result<Stop>,
    messages: &mut dyn Write,
) -> u8 {
    match Run::new(config, listen, messages) {
        Ok(run) => run.execute(),
        Err(status) => status,
    }
}

struct Run<'a> {
    config: &'a Config,
    inputs: Inputs,
    assembler: Assembler<Outputs>,
    sctp_stats: Option<SctpStats>,
    /// Stderr.
    messages: &'a mut dyn Write,
    failed: bool,
}

impl<'a> Run<'a> {
    /// Opens the outputs; an input is opened when the one before it has ended.
    ///
    /// # Errors
    ///
    /// The exit status, once it was written to `messages` what is wrong.
    fn new(
        config: &'a Config,
        listen: impl FnOnce() -> io::Result<Stop>,
        messages: &'a mut dyn Write,
    ) -> Result<Self, u8> {
        let mut fail = |what: &dyn Display| {
            complain_to(messages, what);
            FAILED
        };
        let paths: Vec<_> = config.inputs.iter().map(|name| input_path(name)).collect();
        // Outputs before inputs: a named pipe whose reader is missing must show up before anything
        // is read.
        let outputs = Outputs::open(&config.sink, &paths).map_err(|e| fail(&e))?;
        let sctp_stats = match &config.sctp_stats {
            Some(path) => Some(SctpStats::open(path, &paths).map_err(|e| fail(&e))?),
            None => None,
        };
        // Late, so that Ctrl-C while an output waits for its reader ends the program at once.
        let stop = listen().map_err(|e| fail(&format_args!("signals: cannot be caught: {e}")))?;
        let inputs = Inputs::new(config.inputs.iter().map(Into::into)).stopped_by(stop);
        let mut assembler =
            Assembler::new(config.limits.clone(), outputs).with_rules(config.rules.clone());
        if sctp_stats.is_some() {
            assembler.collect_sctp_stats();
        }
        if let Some(rule) = &config.trace {
            assembler.trace(rule.clone(), |event| {
                // As for all messages on stderr.
                let _ = writeln!(io::stderr(), "{event}");
            });
        }
        Ok(Self {
            config,
            inputs,
            assembler,
            sctp_stats,
            messages,
            failed: false,
        })
    }

    fn execute(mut self) -> u8 {
        // Counters after everything else: the flush at the end still counts.
        self.read_all();
        if let Some(stats) = self.sctp_stats.take()
            && let Err(e) = stats.finish(&self.assembler.take_sctp_stats())
        {
            self.fail(&e);
        }
        if let Some(format) = self.config.stats {
            self.assembler.counters_mut().input = self.inputs.totals().counters.clone();
            // As for all messages on stderr.
            let _ = report::write(self.assembler.counters(), format, self.messages);
        }
        if self.failed { FAILED } else { 0 }
    }

    /// From the inputs through the assembler to the outputs. Everything that is complete is written before a read that may
    /// block.
    fn read_all(&mut self) {
        let (mut interfaces, mut link_types) = (0, 0);
        let mut queue = SortQueue::new(self.config.sort_delay, self.config.sort_queue);
        loop {
            // As early as it is known: a reader behind the pipe waits for the file header.
            if let Some(header) = self.inputs.header() {
                let sink = self.assembler.sink();
                sink.begin(header.link_type, header.nanoseconds);
            }
            let read = self.buffered_packets(&mut queue, &mut interfaces);
            self.warn_of_link_types(&mut link_types);
            let more = match read {
                // All that is complete is out before a read that may block; that is what makes it
                // live.
                Ok(()) => match self.assembler.sink().flush() {
                    Ok(flow) if flow.is_continue() => self.inputs.fill(),
                    // `| head` has what it wanted: a quiet end, and no error.
                    // Nobody reads stdout any more.
                    Ok(_) => {
                        self.warn();
                        return;
                    }
                    Err(e) => {
                        self.warn();
                        self.fail(&e);
                        return;
                    }
                },
                // What was read before the damage has been processed; it is flushed below like at
                // any end.
                Err(e) => Err(e),
            };
            self.warn();
            match more {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => {
                    self.fail(&e);
                    break;
                }
            }
        }
        // Order: the queue empties into the assembler, that into the outputs, and those are closed
        // last.
        // Nothing that was understood is lost, whatever ended the input.
        if let Some(queue) = &mut queue {
            queue.flush();
            sorted_packets(queue, &mut self.sctp_stats, &mut self.assembler);
        }
        self.assembler.flush();
        if let Err(e) = self.assembler.sink().finish() {
            self.fail(&e);
        }
    }

    /// Hands on the packets that have been read already. `interfaces`: how many of them the outputs know.
    fn buffered_packets(
        &mut self,
        queue: &mut Option<SortQueue>,
        interfaces: &mut usize,
    ) -> Result<(), Error> {
        while let Some((packet, known)) = self.inputs.next_with_interfaces()? {
            // Before the packet, since it may be of a new interface.
            if known.len() != *interfaces {
                *interfaces = known.len();
                self.assembler.sink().interfaces(known);
            }
            match queue {
                None => {
                    // Statistics end by the capture's time, so that a file gives the same periods
                    // however fast it is read.
                    end_period(&mut self.sctp_stats, &mut self.assembler, packet.time);
                    self.assembler.packet(&packet);
                }
                Some(queue) => {
                    queue.push(&packet, self.assembler.budget());
                    sorted_packets(queue, &mut self.sctp_stats, &mut self.assembler);
                }
            }
        }
        Ok(())
    }

    /// Warns of link types that have come up since it was last called; `known`: how many there were.
    fn warn_of_link_types(&mut self, known: &mut usize) {
        if self.config.quiet {
            return;
        }
        // Once for each type, not for each packet.
        let file = self.inputs.name().unwrap_or_default();
        let types = self.assembler.unknown_link_types();
        for LinkType(number) in types.iter().skip(*known) {
            complain_to(
                self.messages,
                &format_args!(
                    "{file}: link type {number} is not known here: its packets are counted as link.unknown_type, and --dropped keeps them"
                ),
            );
        }
        *known = types.len();
    }

    fn warn(&mut self) {
        for warning in self.inputs.take_warnings() {
            if !self.config.quiet {
                complain_to(self.messages, &warning);
            }
        }
    }

    fn fail(&mut self, what: &dyn Display) {
        complain_to(self.messages, what);
        self.failed = true;
    }
}

/// Hands on the packets that need not wait any longer to be sorted.
fn sorted_packets(
    queue: &mut SortQueue,
    stats: &mut Option<SctpStats>,
    assembler: &mut Assembler<Outputs>,
) {
    while let Some(sorted) = queue.pop(assembler.budget()) {
        let packet = sorted.packet();
        end_period(stats, assembler, packet.time);
        assembler.packet(&packet);
    }
}

/// Writes the statistics of the period that a packet of this time ends.
#[inline] // asked for every packet, and most runs have no statistics
fn end_period(stats: &mut Option<SctpStats>, assembler: &mut Assembler<Outputs>, time: Timestamp) {
    if let Some(stats) = stats
        && stats.is_over(time)
    {
        stats.write(&assembler.take_sctp_stats());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Reader;
    use crate::cli::{Invocation, parse};
    use std::io::Read;
    use std::path::Path;

    const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");

    /// A run with these arguments: its exit status, and what it wrote to stderr.
    fn run(args: &[&str]) -> (u8, String) {
        let args = std::iter::once("inet-asm").chain(args.iter().copied());
        let Ok(Invocation::Run(config)) = parse(args.map(Into::into), false) else {
            panic!("no run");
        };
        let mut messages = Vec::new();
        let status = run_with(&config, || Ok(Stop::new()?.0), &mut messages);
        (status, String::from_utf8(messages).unwrap())
    }

    /// Times of the packets in a capture, in order.
    fn times(path: &Path) -> Vec<Timestamp> {
        let mut reader = Reader::new("test", std::fs::File::open(path).unwrap());
        let mut times = Vec::new();
        loop {
            while let Some(packet) = reader.next().unwrap() {
                times.push(packet.time);
            }
            if !reader.fill().unwrap() {
                return times;
            }
        }
    }

    #[test]
    fn each_message_of_all_inputs_becomes_a_packet() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out.pcap");
        let inputs = ["http-keepalive.pcap", "dns-udp.pcap"].map(|n| format!("{TESTDATA}/{n}"));
        let args = [
            "-w",
            &out.display().to_string(),
            "-s",
            &inputs[0],
            &inputs[1],
        ];
        let (status, messages) = run(&args);
        assert_eq!(status, 0, "{messages}");
        let counter = |name: &str| {
            let line = messages.lines().find(|l| l.starts_with(name)).unwrap();
            line.split_whitespace()
                .nth(1)
                .unwrap()
                .parse::<usize>()
                .unwrap()
        };
        assert_eq!(counter("input.files"), 2);
        assert!(counter("output.messages") > 0);
        assert_eq!(times(&out).len(), counter("output.messages"));
    }

    #[test]
    fn an_input_that_is_missing_does_not_lose_what_came_before() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out.pcap");
        let input = format!("{TESTDATA}/http-keepalive.pcap");
        let missing = dir.path().join("missing.pcap").display().to_string();
        let out_name = out.display().to_string();
        let (status, messages) = run(&["-w", &out_name, &input, &missing]);
        assert_eq!(status, FAILED);
        assert!(
            messages.starts_with("inet-asm: ") && messages.contains("missing.pcap"),
            "{messages}"
        );
        assert!(!times(&out).is_empty());
    }

    #[test]
    fn an_output_that_cannot_be_opened_ends_the_run_before_signals_are_caught() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("missing/out.pcap").display().to_string();
        let args = ["inet-asm", "-w", &out];
        let Ok(Invocation::Run(config)) = parse(args.map(Into::into), false) else {
            panic!("no run");
        };
        let mut messages = Vec::new();
        let status = run_with(&config, || panic!("listens"), &mut messages);
        assert_eq!(status, FAILED);
        assert!(String::from_utf8(messages).unwrap().contains("out.pcap"));
    }

    #[test]
    fn packets_are_sorted_also_those_that_wait_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut octets = Vec::new();
        let input = format!("{TESTDATA}/dns-udp.pcap");
        std::fs::File::open(&input)
            .unwrap()
            .read_to_end(&mut octets)
            .unwrap();
        // The last record stands first.
        let (header, mut rest) = octets.split_at(24);
        let mut records = Vec::new();
        while !rest.is_empty() {
            let len = u32::from_le_bytes(*rest[8..].first_chunk().unwrap());
            let (record, others) = rest.split_at(16 + usize::try_from(len).unwrap());
            records.push(record);
            rest = others;
        }
        records.rotate_right(1);
        let swapped = dir.path().join("swapped.pcap");
        std::fs::write(&swapped, [&[header], &records[..]].concat().concat()).unwrap();
        let sorted = dir.path().join("sorted.pcap");
        let args = [
            "--bypass",
            &format!("file:{}?format=pcap", sorted.display()),
            "-n",
            "--sort-queue=1000",
            &swapped.display().to_string(),
        ];
        assert_eq!(run(&args), (0, String::new()));
        assert!(!times(&swapped).is_sorted());
        assert_eq!(times(&sorted), times(Path::new(&input)));
    }

    #[test]
    fn warnings_can_be_silenced_and_errors_cannot() {
        let dir = tempfile::tempdir().unwrap();
        let whole = std::fs::read(format!("{TESTDATA}/dns-udp.pcap")).unwrap();
        let cut = dir.path().join("cut.pcap");
        std::fs::write(&cut, &whole[..whole.len() - 1]).unwrap();
        let cut = cut.display().to_string();
        let (status, messages) = run(&["-n", &cut]);
        assert!(
            status == 0 && messages.contains("cut.pcap"),
            "{status} {messages}"
        );
        assert_eq!(run(&["-n", "-q", &cut]), (0, String::new()));
        std::fs::write(dir.path().join("none"), "no capture at all, whatever it is").unwrap();
        let none = dir.path().join("none").display().to_string();
        let (status, messages) = run(&["-n", "-q", &none]);
        assert!(status == FAILED && !messages.is_empty());
    }

    #[test]
    fn a_wish_to_stop_ends_a_run_whose_input_is_silent() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let out = dir.path().join("out.pcap");
        let args = [
            "inet-asm",
            "-w",
            &out.display().to_string(),
            &pipe.display().to_string(),
        ];
        let Ok(Invocation::Run(config)) = parse(args.map(Into::into), false) else {
            panic!("no run");
        };
        let writer = std::thread::spawn(move || {
            let mut pipe = std::fs::OpenOptions::new().write(true).open(pipe).unwrap();
            let capture = std::fs::read(format!("{TESTDATA}/http-keepalive.pcap")).unwrap();
            pipe.write_all(&capture).unwrap();
            pipe // stays open: the input does not end by itself
        });
        let (stop, mut wish) = Stop::new().unwrap();
        wish.write_all(&[0]).unwrap();
        let status = run_with(&config, || Ok(stop), &mut io::sink());
        assert_eq!(status, 0);
        assert!(!times(&out).is_empty());
        drop(writer.join().unwrap());
    }
}
