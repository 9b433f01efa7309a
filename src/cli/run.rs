//! A run: reads the inputs to their end, and says what went wrong.

use super::config::Config;
use super::report;
use crate::assembler::Assembler;
use crate::base::packet::LinkType;
use crate::base::time::Timestamp;
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

/// Says what is wrong, in the one form that all words on stderr have.
pub fn complain(what: &dyn Display) {
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
pub fn run(config: &Config) -> u8 {
    let paths: Vec<_> = config.inputs.iter().map(|name| input_path(name)).collect();
    let outputs = match Outputs::open(&config.sink, &paths) {
        Ok(outputs) => outputs,
        Err(e) => {
            complain(&e);
            return FAILED;
        }
    };
    let mut stats = None;
    if let Some(path) = &config.sctp_stats {
        match SctpStats::open(path, &paths) {
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
    let mut engine =
        Assembler::new(config.limits.clone(), outputs).with_rules(config.rules.clone());
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
    engine: &mut Assembler<Outputs>,
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
fn leave(queue: &mut SortQueue, engine: &mut Assembler<Outputs>, stats: &mut Option<SctpStats>) {
    while let Some(sorted) = queue.pop(engine.budget()) {
        let packet = sorted.packet();
        period(stats, engine, packet.time);
        engine.packet(&packet);
    }
}

/// Writes the statistics of the period that a packet of this time ends.
fn period(stats: &mut Option<SctpStats>, engine: &mut Assembler<Outputs>, time: Timestamp) {
    if let Some(stats) = stats
        && stats.is_over(time)
    {
        stats.write(&engine.take_sctp_stats());
    }
}
