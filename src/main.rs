//! The binary: flags in, exit status out.

use inet_asm::capture::{Inputs, LinkType, SortQueue, Stop};
use inet_asm::cli::{self, Request};
use inet_asm::config::Config;
use inet_asm::pipeline::Engine;
use inet_asm::report;
use inet_asm::sink::Outputs;
use inet_asm::sink::sctp_stats::SctpStats;
use inet_asm::time::Timestamp;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Exit status after an error.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let request = match cli::parse(std::env::args_os(), io::stdout().is_terminal()) {
        Ok(request) => request,
        Err(e) => e.exit(),
    };
    let written = match request {
        Request::Run(config) => return ExitCode::from(run(&config)),
        Request::Protocols => cli::list_protocols(&mut io::stdout().lock()),
        Request::Man => cli::man(&mut io::stdout().lock()),
        Request::Completions(shell) => {
            let mut text = Vec::new();
            cli::completions(shell, &mut text);
            io::stdout().write_all(&text)
        }
    };
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format_args!("standard output: cannot be written: {e}"));
            ExitCode::from(FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Says what is wrong, in the one form that all words on stderr have.
fn complain(what: &dyn Display) {
    // Nobody can be told that stderr cannot be written.
    let _ = writeln!(io::stderr(), "inet-asm: {what}");
}

/// The first SIGINT or SIGTERM asks for an end, the second one ends at once.
fn listen() -> io::Result<Stop> {
    let (stop, wish) = Stop::new()?;
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&asked))?;
        signal_hook::flag::register(signal, Arc::clone(&asked))?;
        signal_hook::low_level::pipe::register(signal, wish.try_clone()?)?;
    }
    Ok(stop)
}

/// Reads the inputs to their end and gives the exit status.
fn run(config: &Config) -> u8 {
    let outputs = match Outputs::open(config) {
        Ok(outputs) => outputs,
        Err(e) => {
            complain(&e);
            return FAILED;
        }
    };
    let mut stats = None;
    if let Some(path) = &config.sctp_stats {
        match SctpStats::open(path, &config.inputs) {
            Ok(opened) => stats = Some(opened),
            Err(e) => {
                complain(&e);
                return FAILED;
            }
        }
    }
    let mut inputs = Inputs::new(config.inputs.iter().map(Into::into));
    match listen() {
        Ok(stop) => inputs = inputs.stopped_by(stop),
        Err(e) => {
            complain(&format_args!("signals: cannot be caught: {e}"));
            return FAILED;
        }
    }
    let mut engine = Engine::new(config.limits.clone(), outputs);
    if stats.is_some() {
        engine.collect_sctp_stats();
    }
    if let Some(rule) = &config.trace {
        engine.trace(rule.clone(), |event| {
            // As for any words on stderr.
            let _ = writeln!(io::stderr(), "{event}");
        });
    }
    let mut status = pump(config, &mut inputs, &mut engine, &mut stats);
    if let Some(stats) = stats
        && let Err(e) = stats.finish(&engine.take_sctp_stats())
    {
        complain(&e);
        status = FAILED;
    }
    if let Some(format) = config.stats {
        engine.counters_mut().input = inputs.totals().counters.clone();
        // As for any words on stderr.
        let _ = report::write(engine.counters(), format, &mut io::stderr().lock());
    }
    status
}

/// From the inputs through the engine to the outputs. Everything that is complete is written before a read that may
/// block.
fn pump(
    config: &Config,
    inputs: &mut Inputs,
    engine: &mut Engine<Outputs>,
    stats: &mut Option<SctpStats>,
) -> u8 {
    let mut failed = None;
    let (mut interfaces, mut link_types) = (0, 0);
    let mut queue = SortQueue::new(config.sort_delay, config.sort_queue);
    loop {
        if let Some(header) = inputs.header() {
            engine.sink().begin(header.link_type, header.nanoseconds);
        }
        let more = loop {
            match inputs.next_with_interfaces() {
                Ok(Some((packet, known))) => {
                    if known.len() != interfaces {
                        interfaces = known.len();
                        engine.sink().interfaces(known);
                    }
                    match &mut queue {
                        None => {
                            period(stats, engine, packet.time);
                            engine.packet(&packet);
                        }
                        Some(queue) => {
                            queue.push(&packet, engine.budget());
                            leave(queue, engine, stats);
                        }
                    }
                }
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        if !config.quiet {
            let file = inputs.name().unwrap_or_default();
            for LinkType(number) in engine.unknown_link_types().iter().skip(link_types) {
                complain(&format_args!(
                    "{file}: link type {number} is not known here: its packets are counted as link.unknown_type, and --dropped keeps them"
                ));
            }
            link_types = engine.unknown_link_types().len();
        }
        let read = more.and_then(|()| {
            match engine.sink().flush() {
                Ok(flow) if flow.is_continue() => {}
                Ok(_) => return Ok(None),
                Err(e) => {
                    failed = Some(e);
                    return Ok(None);
                }
            }
            inputs.fill().map(Some)
        });
        for warning in inputs.take_warnings() {
            if !config.quiet {
                complain(&warning);
            }
        }
        let mut status = 0;
        match read {
            Ok(Some(true)) => continue,
            Ok(Some(false)) => {}
            Ok(None) => {
                return failed.map_or(0, |e| {
                    complain(&e);
                    FAILED
                });
            }
            Err(e) => {
                complain(&e);
                status = FAILED;
            }
        }
        // Nothing that was understood is lost, whatever ended the input.
        if let Some(queue) = &mut queue {
            queue.flush();
            leave(queue, engine, stats);
        }
        engine.flush();
        if let Err(e) = engine.sink().finish() {
            complain(&e);
            status = FAILED;
        }
        return status;
    }
}

/// Hands on the packets that need not wait any longer to be sorted.
fn leave(queue: &mut SortQueue, engine: &mut Engine<Outputs>, stats: &mut Option<SctpStats>) {
    while let Some(sorted) = queue.pop(engine.budget()) {
        let packet = sorted.packet();
        period(stats, engine, packet.time);
        engine.packet(&packet);
    }
}

/// Writes the statistics of the period that a packet of this time ends.
fn period(stats: &mut Option<SctpStats>, engine: &mut Engine<Outputs>, time: Timestamp) {
    if let Some(stats) = stats
        && stats.is_over(time)
    {
        stats.write(&engine.take_sctp_stats());
    }
}
