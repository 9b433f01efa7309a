//! A run: reads the inputs to their end, and says what went wrong.
//!
//! ```text
//!  Inputs ──> [SortQueue] ──> [KeyWait] ──> Assembler ──> Outputs
//! ```

use super::config::Config;
use super::extcap;
use super::history::CountersHistory;
use super::key_wait::KeyWait;
use super::keylogs::{self, KeyFiles};
use super::lines::Wrapping;
use super::live::{Silence, TICK};
use super::messages::{Level, Messages};
use super::pace::Pace;
use super::places;
use super::progress::{self, Progress};
use super::report::{self, CHANNELS, Channels, Seen};
use super::signals::Signals;
use super::state::{self, RunState};
use super::trace::TraceView;
use super::values::{Stats, StatsFormat};
use crate::assembler::Assembler;
use crate::base::counters::{ChannelCounters, Counters, InputCounters};
use crate::base::packet::{Interface, LinkType, Packet};
use crate::base::time::Timestamp;
use crate::capture::error::Error;
use crate::capture::{FileHeader, Inputs, KeptPacket, SortQueue, Totals, Warning, input_path};
use crate::message::records::KeyLog;
use crate::sink::FileFormat;
use crate::sink::OddPort;
use crate::sink::OutputError;
use crate::sink::Outputs;
use crate::sink::options::OutputKind;
use crate::sink::print::ascii;
use crate::sink::sctp_stats::SctpStats;
use crate::sink::writer::wall_clock;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Exit status after an error.
pub const FAILED: u8 = 2;
/// Exit status where a condition of `--fail-if` holds.
const HELD: u8 = 1;
/// Warnings of one kind that are printed; more are counted.
const WARNINGS: u64 = 20;
/// Errors that the outputs can have at once: each has one of its own, and a dump or a list one more.
const ERRORS: usize = 1000;
/// How often key logs are looked at behind the end of the input.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Reads of a file, 1 MiB each, for which outputs may gather what they write: with thousands of stream files, a write for each of them
/// behind every read is most of the work.
const GATHERED: u32 = 64;

/// Reads the inputs to their end and gives the exit status. `signals`: what the process is asked meanwhile.
pub fn run(config: &Config, signals: Signals) -> u8 {
    let mut messages = Wrapping::new(io::stderr(), config.stderr_width);
    run_with(config, signals, &mut messages)
}

/// A run. What goes wrong, and the counters, are written to `stderr`.
fn run_with(config: &Config, signals: Signals, stderr: &mut dyn Write) -> u8 {
    match Run::new(config, signals, Messages::new(stderr)) {
        Ok(run) => run.execute(),
        Err(status) => status,
    }
}

struct Run<'a> {
    config: &'a Config,
    inputs: Inputs,
    keys: KeyFiles,
    key_wait: Option<KeyWait>,
    own_keys: OwnKeys,
    assembler: Assembler<Outputs>,
    sctp_stats: Option<SctpStats>,
    history: Option<CountersHistory>,
    signals: Signals,
    messages: Messages<'a>,
    /// Warnings of each kind.
    warned: BTreeMap<&'static str, u64>,
    failed: bool,
    /// `--trace` had something to say.
    traced: Arc<AtomicBool>,
    reads: u32,
    /// An output has failed: what it lacks would be missing in all that goes on from a state.
    output_failed: bool,
    pace: Pace,
    /// What rows of counters had told when the last one was written that ended with its period.
    cleared: Option<Counters>,
    /// Inputs, and what had been read and found of all when each was opened.
    channels: Vec<(ChannelCounters, [u64; 3])>,
    /// What is known of the first input, and the packets that wait to be sorted, where an earlier run is gone on with.
    begun: Option<FileHeader>,
    queue: Option<SortQueue>,
}

/// Key logs in the captures themselves.
struct OwnKeys {
    /// How many of them were taken.
    // None is, where they are passed on: who wants them in the output wants them to open it.
    taken: usize,
}

impl OwnKeys {
    /// Takes those that have been read since the last call.
    fn read(&mut self, totals: &Totals, assembler: &mut Assembler<Outputs>) {
        for text in totals.key_logs.get(self.taken..).unwrap_or_default() {
            assembler.keys().add(text);
            self.taken += 1;
        }
    }
}

impl<'a> Run<'a> {
    /// Looks at the inputs, and opens the outputs only when it is certain that all inputs are captures; they are emptied when
    /// all of them are open. Of a pipe that is not the first input, that is certain when it is read.
    ///
    /// # Errors
    ///
    /// The exit status, once it was written to `messages` what is wrong.
    fn new(config: &'a Config, signals: Signals, mut messages: Messages<'a>) -> Result<Self, u8> {
        signals.end_at_once(false);
        // What is wrong may be so in a file of configuration.
        let placed = |what: &dyn Display| config.places.placed(&what.to_string());
        // Ahead of everything: not even what is wrong is written to a log that is an input.
        if let Err(e) = places::check(config) {
            messages.say(Level::Error, &placed(&e));
            return Err(FAILED);
        }
        if let Some(path) = &config.log_file
            && let Err(e) = messages.log_to(path)
        {
            let name = path.display().to_string();
            messages.say(Level::Error, &placed(&unopened(name, e)));
            return Err(FAILED);
        }
        let mut fail = |what: &dyn Display| {
            messages.say(Level::Error, &placed(what));
            FAILED
        };
        let before = state::read(config).map_err(|e| fail(&e))?;
        let (before, stages) = match before {
            Some(read) => (read.run, Some((read.queue, read.stages, read.rest))),
            None => (RunState::default(), None),
        };
        let mut stop = signals.stop.clone();
        if config.live {
            stop = stop.with_ticks(TICK);
        }
        if let Some(fifo) = &config.fifo {
            // Its reader is waited for ahead of all that would have to be ended if none came.
            signals.end_at_once(true);
            let pipe = extcap::open_fifo(fifo);
            signals.end_at_once(false);
            let pipe = pipe.map_err(|source| OutputError {
                name: fifo.display().to_string(),
                doing: "open",
                source,
            });
            stop = stop.with_output(pipe.map_err(|e| fail(&e))?);
        }
        let inputs = config.inputs.iter().cloned();
        let mut inputs = Inputs::resume(inputs, before.totals)
            .stopped_by(stop)
            .with_threads(config.threads)
            .with_quiet_programs(config.fifo.is_some());
        let outputs = config.sink.outputs.iter();
        let mut pcapng = outputs.filter(|o| o.form.format == FileFormat::Pcapng);
        let totals = inputs.totals_mut();
        totals.keep_blocks = config.keep_secrets && pcapng.clone().next().is_some();
        totals.keep_comments = pcapng.any(|o| o.what == OutputKind::Bypass);
        inputs.recognise(config.sort_files).map_err(|errors| {
            errors.iter().for_each(|e| {
                fail(e);
            });
            FAILED
        })?;
        let mut secrets = KeyLog::default();
        secrets.go_on(before.found_sessions);
        if config.own_keys {
            // It may take as long as it takes to read the files.
            signals.end_at_once(true);
            inputs.key_logs(&mut |text| {
                secrets.add(text);
            });
            signals.end_at_once(false);
        }
        // Until the first input says what it is there is no output, and nothing but this can be asked for.
        let mut pace = Pace::new(Instant::now(), &inputs.totals().counters);
        let begun = inputs.begin(&mut |input| {
            if signals.counters() {
                let runtime = pace.counters(Instant::now(), input, None);
                let counters = stages
                    .as_ref()
                    .map(|(_, stages, _)| stages.counters().clone());
                let mut counters = counters.unwrap_or_default();
                (counters.input, counters.runtime) = (input.clone(), runtime);
                // Nobody can be told that nobody can be told.
                let mut stats = config.stats.clone().unwrap_or_default();
                // Of what was asked for, zeros are all there is to say.
                if stats.format == StatsFormat::Text && !stats.only.is_empty() {
                    stats.format = StatsFormat::All;
                }
                let none = Channels::default();
                let _ = report_beside(&mut messages, (config, &stats), &counters, &none);
            }
        });
        let mut fail = |what: &dyn Display| {
            messages.say(Level::Error, &placed(what));
            FAILED
        };
        begun.map_err(|e| fail(&e))?;
        let paths: Vec<_> = config.inputs.iter().map(|name| input_path(name)).collect();
        signals.end_at_once(true);
        let outputs = Outputs::open(&config.sink, &paths).map_err(|e| fail(&e))?;
        let mut sctp_stats = match &config.sctp_stats {
            Some(path) => {
                let goes_on = before.sctp_periods.is_some();
                Some(SctpStats::open(path, &paths, goes_on).map_err(|e| fail(&e))?)
            }
            None => None,
        };
        let mut history = match &config.counters_file {
            Some(to) => {
                let protocols = config.rules.names();
                let opened = CountersHistory::open(&to.path, to.period, to.per_period, protocols);
                Some(opened.map_err(|e| fail(&e))?)
            }
            None => None,
        };
        let keys = {
            let paths = keylogs::paths(&config.keylogs);
            // Files do not run away: what a program is about to write is waited for.
            let ends = !config.live && progress::total(&config.inputs).is_some();
            paths
                .and_then(|paths| KeyFiles::open(&paths, ends))
                .map_err(|e| fail(&e))?
        };
        if cfg!(not(feature = "decrypt")) && !config.keylogs.is_empty() {
            return Err(fail(
                &"--keylog: this build opens no TLS: build it with the feature decrypt",
            ));
        }
        signals.end_at_once(false);
        let limits = config.limits.clone();
        let mut queue = SortQueue::new(config.sort_delay, config.sort_queue);
        let assembler = match stages {
            None => Assembler::new(limits, outputs),
            Some((waiting, stages, mut rest)) => {
                queue = waiting.or(queue);
                let mut assembler = Assembler::resume(stages, outputs).with_limits(limits);
                let (sink, cx) = assembler.sink_and_context();
                let loaded = sink.load(cx, &mut rest).and_then(|()| rest.end());
                loaded.map_err(|e| fail(&format_args!("{}: {e}", config.loaded_state())))?;
                assembler
            }
        };
        let mut assembler = assembler.with_rules(config.rules.clone());
        let key_wait = KeyWait::new(config.keylog_wait, config.live);
        if key_wait.is_some() || !config.keylogs.is_empty() {
            secrets.expect_more(key_wait.is_some());
        }
        *assembler.keys() = secrets;
        if let Some((stats, periods)) = sctp_stats.as_mut().zip(before.sctp_periods) {
            stats.go_on(periods);
        }
        if let Some((history, periods)) = history.as_mut().zip(before.history) {
            history.go_on(periods);
        }
        if let Some(header) = before.header {
            assembler.sink().begin(header.link_type, header.nanoseconds);
            assembler.sink().interfaces(&inputs.totals().interfaces);
        }
        // All are open: now they are emptied, before the first packet comes.
        let emptied = assembler.sink().flush().map(drop);
        emptied.map_err(|e| fail(&e))?;
        if sctp_stats.is_some() {
            assembler.collect_sctp_stats();
        }
        let traced = Arc::new(AtomicBool::new(false));
        if let Some(rule) = &config.trace {
            let mut view = TraceView::new(config.stderr_color, config.ascii, config.stderr_width)
                .with_light(config.light);
            let traced = Arc::clone(&traced);
            assembler.trace(rule.clone(), move |event| {
                traced.store(true, Ordering::Relaxed);
                // As for all messages on stderr.
                let _ = writeln!(io::stderr(), "{}", view.lines(event));
            });
        }
        Ok(Self {
            config,
            inputs,
            keys,
            key_wait,
            own_keys: OwnKeys {
                taken: if config.own_keys { 0 } else { usize::MAX },
            },
            assembler,
            sctp_stats,
            history,
            signals,
            messages,
            warned: BTreeMap::new(),
            failed: false,
            traced,
            reads: 0,
            output_failed: false,
            pace,
            cleared: None,
            channels: Vec::new(),
            begun: before.header,
            queue,
        })
    }

    fn execute(mut self) -> u8 {
        if !self.config.quiet {
            for note in &self.config.notes {
                self.messages.say(Level::Warning, note);
            }
            // What others may connect to is never opened without a word.
            let listening = self.inputs.listening();
            for line in listening.iter().chain(self.assembler.sink().listening()) {
                self.messages.say(Level::Info, line);
            }
            if let Some(note) = state::replaced(self.config) {
                self.messages.say(Level::Warning, &note);
            }
        }
        if let Some(other) = self.history.as_ref().and_then(CountersHistory::other) {
            let other = other.display().to_string();
            self.tell(
                "files of counters",
                &format_args!(
                    "{other}: takes the counters, since the file that was named has others"
                ),
            );
        }
        if self.history.as_ref().is_some_and(CountersHistory::is_cut)
            && let Some(to) = &self.config.counters_file
        {
            self.tell(
                "files of counters",
                &format_args!(
                    "{}: its last row is cut short: the next one begins in a line of its own",
                    to.path.display()
                ),
            );
        }
        let progress = Progress::new(self.config, Instant::now());
        self.messages
            .goes_aside(progress.as_ref().map(Progress::bar));
        // Counters after everything else: the flush at the end still counts.
        self.read_all(progress);
        self.warn();
        let stopped = self.inputs.is_stopped();
        for failed in self.assembler.sink().end_programs(stopped) {
            self.fail(&failed);
        }
        for (kind, times) in &self.warned {
            if let Some(more @ 1..) = times.checked_sub(WARNINGS) {
                self.messages.say(
                    Level::Warning,
                    &format_args!("{kind}: {more} more, which are not shown"),
                );
            }
        }
        // Where a state is kept, a period that has begun goes on.
        let goes_on = self.config.save_state.is_some();
        if let Some(stats) = &mut self.sctp_stats {
            let done = if goes_on {
                stats.close()
            } else {
                stats.finish(&self.assembler.take_sctp_stats())
            };
            if let Err(e) = done {
                self.fail(&e);
            }
        }
        self.count_inputs();
        if let Some(history) = &mut self.history {
            self.cleared = history.cleared().cloned();
            let done = if goes_on {
                history.close()
            } else {
                history.finish(self.assembler.counters())
            };
            if let Err(e) = done {
                self.fail(&e);
            }
        }
        self.tell_of_idle_rules();
        match &self.config.stats {
            Some(stats) => {
                self.report(stats, false);
                // What a program reads is left alone.
                if stats.format == StatsFormat::Text {
                    self.sum_up();
                }
            }
            None => self.sum_up(),
        }
        let held = self.conditions_held();
        if self.failed || self.messages.log_failed() {
            FAILED
        } else if held {
            HELD
        } else {
            0
        }
    }

    /// A rule that chooses nothing is mostly a mistake, and what comes of it would be silence.
    fn tell_of_idle_rules(&mut self) {
        if self.config.quiet {
            return;
        }
        let mut idle = self.assembler.sink().idle_rules();
        if self.config.trace.is_some() && !self.traced.load(Ordering::Relaxed) {
            idle.push("--trace");
        }
        for option in idle {
            // One without payload may be there.
            let that = if option == "--follow" {
                " that carries data"
            } else {
                ""
            };
            self.messages.say(Level::Warning, &format_args!(
                    "{option}: chooses no connection of this input{that}: -p shows their numbers, as tcp:3 (a port is :80, a host 10.0.0.1)"
                ),
            );
        }
    }

    /// Tells the conditions of `--fail-if` that hold: whether there are any.
    fn conditions_held(&mut self) -> bool {
        if self.config.fail_if.is_empty() {
            return false;
        }
        let counters = self.counters_of_clock();
        let conditions = self.config.fail_if.iter();
        let held: Vec<_> = conditions.filter_map(|c| c.holds(&counters)).collect();
        for line in &held {
            self.messages.say(Level::Error, line);
        }
        !held.is_empty()
    }

    /// One line on what was found: for somebody who looks on, and wherever something is missing. And what could be tried.
    fn sum_up(&mut self) {
        if self.config.quiet {
            return;
        }
        self.count_inputs();
        // A port that has a rule is what the user says it is.
        let rules = &self.config.rules;
        let ruled = |odd: &OddPort| rules.named(odd.transport, (odd.port, odd.port));
        let port = self.assembler.sink().odd_port();
        let ruled = port.as_ref().and_then(ruled);
        let file_octets = self.assembler.sink().file_octets();
        let of_chosen = self.assembler.sink().missing().cloned();
        let counters = self.assembler.counters();
        let folder = self.config.sink.extract.as_ref();
        let folder = folder.map(|extract| match extract.dir.to_str() {
            Some("-") => "the archive".to_owned(),
            _ => extract.dir.display().to_string(),
        });
        let chosen = self.config.chooses.then_some(counters.output.messages);
        let of_chosen = of_chosen.filter(|_| self.config.chooses_losses);
        let lost = match of_chosen {
            // What is lost of the capture itself may be of anything.
            Some(mut lost) => {
                lost.input.clone_from(&counters.input);
                lost.files.clone_from(&counters.files);
                lost.output.clone_from(&counters.output);
                lost
            }
            None => counters.clone(),
        };
        let seen = (self.config.verbose > 1, self.config.stats.is_some());
        let line = report::closing_line(counters, &lost, chosen, folder.as_deref(), seen);
        let looks_on = io::stderr().is_terminal();
        let line = (looks_on || lost.lost() > 0).then_some(line);
        let sorted = !self.config.sort_delay.is_zero() || self.config.sort_queue > 0;
        let seen = Seen {
            looks_on,
            // That files were given in the wrong order has been told, with what to do about it.
            sorted: sorted || self.warned.contains_key(WRONG_ORDER),
            opened: self.config.limits.decapsulate,
            ruled,
            late: self.inputs.totals().late,
            port,
            file_octets,
        };
        let hints = report::hints(counters, &seen);
        if let Some(line) = line {
            self.messages.line(Level::Info, &line);
        }
        for hint in hints {
            self.messages.say(Level::Info, &hint);
        }
    }

    /// The inputs count by themselves.
    fn count_inputs(&mut self) {
        self.assembler.counters_mut().input = self.inputs.totals().counters.clone();
        let (sink, cx) = self.assembler.sink_and_context();
        sink.count_clients(&mut cx.counters.output);
    }

    /// The counters as they are shown: since the last row of --counters-file, where that clears them.
    fn shown_counters(&mut self) -> Counters {
        self.count_inputs();
        let history = self.history.as_ref();
        let cleared = history.and_then(CountersHistory::cleared);
        let cleared = self.cleared.as_ref().or(cleared);
        let counters = self.assembler.counters();
        cleared.map_or_else(|| counters.clone(), |before| counters.since(before))
    }

    /// The same, with those that go by the clock.
    fn counters_of_clock(&mut self) -> Counters {
        self.count_inputs();
        let totals = self.inputs.totals();
        let behind = (totals.frame > 0).then(|| (wall_clock(), totals.time));
        let runtime = self.pace.counters(Instant::now(), &totals.counters, behind);
        let mut counters = self.shown_counters();
        counters.runtime = runtime;
        counters
    }

    /// Notes the inputs that were opened since the last call, and where they begin in what is counted.
    fn note_inputs(&mut self) {
        while self.channels.len() < self.inputs.opened() {
            let channel = ChannelCounters {
                name: self.inputs.opened_name().unwrap_or_default().to_owned(),
                opened: wall_clock(),
                ..ChannelCounters::default()
            };
            let counted = self.counted();
            self.channels.push((channel, counted));
        }
    }

    /// Packets and octets of all inputs until now, and messages found in them.
    fn counted(&mut self) -> [u64; 3] {
        let input = &self.inputs.totals().counters;
        let (packets, octets) = (input.packets, input.octets);
        [packets, octets, self.assembler.counters().message.messages]
    }

    /// What went through each input.
    fn inputs_one_by_one(&mut self) -> Vec<ChannelCounters> {
        let now = self.counted();
        let begins = self.channels.iter().map(|(_, begin)| *begin);
        let ends = begins.skip(1).chain([now]);
        let channels = self.channels.iter().zip(ends);
        channels
            .map(|((channel, begin), end)| {
                let counted = |i: usize| end[i].saturating_sub(begin[i]);
                ChannelCounters {
                    packets: Some(counted(0)),
                    octets: counted(1),
                    messages: Some(counted(2)),
                    ..channel.clone()
                }
            })
            .collect()
    }

    /// Prints the counters; those that go by the clock where they are asked for, or while the run goes on.
    fn report(&mut self, stats: &Stats, goes_on: bool) {
        self.count_inputs();
        let mut stats = stats.clone();
        // Somebody waits for an answer, and zeros may be all of it.
        if goes_on && stats.format == StatsFormat::Text && !stats.only.is_empty() {
            stats.format = StatsFormat::All;
        }
        let text = matches!(stats.format, StatsFormat::Text | StatsFormat::All);
        let all = stats.only.is_empty() && (stats.format == StatsFormat::All || goes_on && text);
        let asked = |section| all || stats.asks_for(section);
        let mut channels = Channels::default();
        if asked(CHANNELS[0]) {
            channels.inputs = self.inputs_one_by_one();
        }
        if asked(CHANNELS[1]) {
            channels.outputs = self.assembler.sink().channels();
            let stats = self.sctp_stats.as_ref().map(SctpStats::channel);
            let history = self.history.as_ref().map(CountersHistory::channel);
            channels.outputs.extend(stats.into_iter().chain(history));
        }
        let counters = if asked("runtime") {
            self.counters_of_clock()
        } else {
            self.shown_counters()
        };
        let written = report_beside(
            &mut self.messages,
            (self.config, &stats),
            &counters,
            &channels,
        );
        // Nobody can be told, and the status says that something is missing. A reader that has gone wants no more.
        let gone = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
        self.failed |= written.is_err_and(|e| !gone(&e));
    }

    /// From the inputs through the assembler to the outputs. Everything that is complete is written before a read that may
    /// block.
    fn read_all(&mut self, mut progress: Option<Progress>) {
        // Those that an earlier run has told of are known.
        let totals = self.inputs.totals();
        let mut interfaces = match totals.frame {
            0 => 0,
            _ => totals.interfaces.len(),
        };
        let mut link_types = self.assembler.unknown_link_types().len();
        let mut queue = self.queue.take();
        let mut silence = self.config.live.then(|| Silence::new(Instant::now()));
        loop {
            // As early as it is known: a reader behind the pipe waits for the file header.
            if let Some(header) = self.inputs.header() {
                let sink = self.assembler.sink();
                sink.begin(header.link_type, header.nanoseconds);
            }
            self.note_inputs();
            self.say_input();
            self.read_keys();
            self.release_packets();
            // As many messages as are wanted may have been written by the run before.
            let read = match self.assembler.sink().is_full() {
                true => Ok(()),
                false => self.buffered_packets(&mut queue, &mut interfaces),
            };
            if let Some(silence) = &mut silence {
                self.count_silence(silence, &mut queue);
            }
            self.warn_of_link_types(&mut link_types);
            self.answer_signals(&queue);
            if let Some(progress) = &mut progress {
                let messages = self.assembler.counters().message.messages;
                progress.show(Instant::now(), self.inputs.octets_read(), messages);
            }
            let more = match read {
                Ok(()) if self.assembler.sink().is_full() => break,
                Ok(()) => {
                    let is_read = self.flush_before_read();
                    // Whoever looks on is told of what there is, before a read that may wait.
                    self.warn();
                    if !is_read {
                        // Nobody reads the output any more.
                        if let Some(path) = self.config.save_state.as_deref() {
                            self.tell_of_left_reader(path);
                        }
                        self.end_progress(progress);
                        return;
                    }
                    self.inputs.fill()
                }
                Err(e) => Err(e),
            };
            self.warn();
            match more {
                Ok(true) => self.assembler.sink().admit(),
                Ok(false) => break,
                Err(e) => {
                    self.fail(&e);
                    break;
                }
            }
        }
        self.await_last_keys();
        self.end_progress(progress);
        // Order: the queue empties into the assembler, that into the outputs, and those are closed
        // last.
        // Nothing that was understood is lost, whatever ended the input.
        let saved = self.config.save_state.as_deref();
        // What lies behind the last message that is wanted is not missing.
        let left = saved.is_none() && self.assembler.sink().is_full();
        let left = left.then(|| self.assembler.counters().clone());
        if saved.is_none() {
            if let Some(queue) = &mut queue {
                self.empty(queue);
            }
            self.give_up_keys();
            self.assembler.flush();
        }
        let sink = self.assembler.sink();
        // A capture that describes no interface has no packets. What is written is a capture still.
        sink.begin(LinkType::ETHERNET, true);
        for block in std::mem::take(&mut self.inputs.totals_mut().blocks) {
            sink.block(&block);
        }
        self.flush();
        if let Some(path) = saved {
            self.tell_of_rest(path);
            self.save_state(path, &queue);
        }
        if let Err(e) = self.assembler.sink().finish() {
            self.fail(&e);
        }
        if let Some(left) = left {
            let counters = self.assembler.counters_mut();
            let all = std::mem::replace(counters, left);
            // What was written for it is.
            (counters.files, counters.output) = (all.files, all.output);
        }
        for note in self.assembler.sink().notes() {
            if !self.config.quiet {
                self.messages.say(Level::Warning, &note);
            }
        }
    }

    /// Nothing of the bar is left on stderr.
    fn end_progress(&mut self, progress: Option<Progress>) {
        self.messages.goes_aside(None);
        if let Some(progress) = progress {
            progress.end();
        }
    }

    /// Keeps all that waits for the next run.
    fn save_state(&mut self, path: &Path, queue: &Option<SortQueue>) {
        // Keys are in no state, and what waits for them would not be either.
        self.give_up_keys();
        let (sink, cx) = self.assembler.sink_and_context();
        sink.settle(cx);
        // What the state says that was written is written.
        self.flush();
        if self.output_failed {
            let name = path.display();
            return self.fail(&format_args!(
                "{name}: the state is not kept, since an output has failed, and what it lacks would be missing for good: mend that, and read the same input again"
            ));
        }
        let stats = self.sctp_stats.as_ref().is_some_and(|s| !s.is_open());
        let history = self.history.as_ref().is_some_and(|h| !h.is_open());
        if self.assembler.sink().reader_left() || stats || history {
            return self.tell_of_left_reader(path);
        }
        self.count_inputs();
        let run = RunState {
            header: self.begun.or_else(|| self.inputs.header()),
            totals: self.inputs.totals().clone(),
            sctp_periods: self
                .sctp_stats
                .as_ref()
                .map(|stats| stats.periods().clone()),
            history: self.history.as_ref().map(CountersHistory::state),
            found_sessions: self.assembler.keys().found(),
        };
        let settings = &self.config.settings;
        if let Err(e) = state::write(path, settings, (&run, queue), &mut self.assembler) {
            self.fail(&e);
        }
    }

    /// A signal has ended the run ahead of the end of what was named: what goes on with the state behind all of it would lack the rest.
    fn tell_of_rest(&mut self, path: &Path) {
        let state = path.display();
        let packets = self.inputs_one_by_one().last().and_then(|i| i.packets);
        let packets = packets.unwrap_or(0);
        for name in self.inputs.left_out().to_owned() {
            let what = if self.inputs.name() == Some(&name) {
                format!(
                    "{name}: a signal has ended the run behind packet {packets} of it: {state} lacks what follows: go on with the rest of the file (editcap makes one), not behind it"
                )
            } else {
                format!(
                    "{name}: was not read, since a signal has ended the run before: go on with it"
                )
            };
            self.tell("inputs that were not read to the end", &what);
        }
    }

    /// A reader that wants no more is no error, but the next piece would go on behind what it has not got.
    fn tell_of_left_reader(&mut self, path: &Path) {
        // An output that has failed has been told.
        if !self.output_failed {
            self.tell(
                "states that are not kept",
                &format_args!(
                    "{}: the state is not kept, since the reader of an output has left before its end",
                    path.display()
                ),
            );
        }
    }

    /// Reads what was added to key logs.
    fn read_keys(&mut self) {
        for note in self.keys.read(self.assembler.keys()) {
            self.tell("key logs", &note);
        }
        self.own_keys
            .read(self.inputs.totals(), &mut self.assembler);
    }

    /// Hands on the packets that waited for secrets, as far as these have come.
    fn release_packets(&mut self) {
        let periods = (&mut self.sctp_stats, &mut self.history);
        let input = &self.inputs.totals().counters;
        release(&mut self.key_wait, periods, &mut self.assembler, input);
    }

    /// Hands on all packets that wait for secrets.
    fn give_up_keys(&mut self) {
        while let Some(wait) = self.key_wait.as_mut().filter(|wait| wait.waits()) {
            wait.give_up(&mut self.assembler);
            self.release_packets();
        }
    }

    /// The input has ended: what of its own secrets came last, and with `--live` those that may still come.
    fn await_last_keys(&mut self) {
        self.read_keys();
        self.release_packets();
        let waits = |run: &Self| {
            run.key_wait
                .as_ref()
                .is_some_and(|wait| wait.is_live() && wait.waits())
        };
        while waits(self) && !self.inputs.is_stopped() && !self.assembler.sink().is_full() {
            // What waits is not shown later than it has to be.
            self.flush();
            std::thread::sleep(LOOK_AGAIN);
            self.read_keys();
            self.release_packets();
        }
    }

    /// Hands on all packets that wait to be sorted.
    fn empty(&mut self, queue: &mut SortQueue) {
        queue.flush();
        let periods = (&mut self.sctp_stats, &mut self.history);
        let input = &self.inputs.totals().counters;
        let to = (&mut self.key_wait, &mut self.assembler);
        sorted_packets(queue, periods, to, input);
        self.assembler.counters_mut().buffer.sorting = 0;
    }

    /// `--live`: what waits grows older while nothing comes.
    fn count_silence(&mut self, silence: &mut Silence, queue: &mut Option<SortQueue>) {
        let packets = self.inputs.totals().counters.packets;
        let passed = silence.passed(packets, Instant::now());
        // A file is there as a whole: only its end is silent.
        if passed.is_zero() || !self.inputs.may_wait() {
            return;
        }
        // Packets that wait to be sorted are older than any that may come.
        if let Some(queue) = queue
            && silence.counted() >= self.config.sort_delay
        {
            self.empty(queue);
        }
        if self.key_wait.as_ref().is_some_and(KeyWait::waits) {
            return;
        }
        self.assembler.silence(passed);
        // Periods end too. Without a packet there has been no time of the capture.
        let totals = self.inputs.totals();
        if totals.frame > 0 && queue.as_ref().is_none_or(SortQueue::is_empty) {
            let now = totals.time.after(silence.counted());
            let periods = (&mut self.sctp_stats, &mut self.history);
            let input = (&totals.counters, None);
            end_periods(periods, &mut self.assembler, input, now);
        }
        if silence.counted() >= self.config.output_sort_delay {
            let (sink, cx) = self.assembler.sink_and_context();
            sink.let_go(cx);
        }
    }

    /// As [`Run::flush`]. A file keeps nobody waiting: what is written of it is gathered for a few reads.
    fn flush_before_read(&mut self) -> bool {
        self.reads = self.reads.wrapping_add(1);
        let gathers = !(self.inputs.may_wait() || self.config.synchronized);
        if !gathers || self.reads.is_multiple_of(GATHERED) {
            self.flush()
        } else {
            true
        }
    }

    /// Writes what is buffered, and says which outputs have failed. False when none goes anywhere any more.
    fn flush(&mut self) -> bool {
        for _ in 0..ERRORS {
            match self.assembler.sink().flush() {
                Ok(flow) => {
                    return flow.is_continue()
                        || self.sctp_stats.is_some()
                        || self.history.as_ref().is_some_and(CountersHistory::is_open);
                }
                Err(e) => {
                    (self.failed, self.output_failed) = (true, true);
                    let times = self.warned.entry("errors of outputs").or_default();
                    *times += 1;
                    if *times <= WARNINGS {
                        self.messages.say(Level::Error, &e);
                    }
                }
            }
        }
        false
    }

    /// Does what signals have asked for since the last read.
    fn answer_signals(&mut self, queue: &Option<SortQueue>) {
        if self.signals.counters() {
            let stats = self.config.stats.clone();
            self.report(&stats.unwrap_or_default(), true);
        }
        if self.signals.state() {
            match self.config.save_state.as_deref() {
                Some(path) => self.save_state(path, queue),
                None => self.messages.say(
                    Level::Warning,
                    &"SIGUSR2: no file is named for the state: begin with --save-state FILE",
                ),
            }
        }
        if self.signals.reopen() {
            let all = &self.inputs.totals().interfaces;
            let mut done = self.assembler.sink().reopen(all);
            if let Some(stats) = &mut self.sctp_stats {
                stats.reopen(&mut done);
            }
            if let Some(history) = &mut self.history
                && let Err(e) = history.reopen()
            {
                done.errors.push(e);
            }
            if let Err((name, e)) = self.messages.reopen() {
                self.fail(&unopened(name, e));
            }
            for name in &done.unmoved {
                self.messages.say(
                    Level::Warning,
                    &format_args!(
                        "{name}: has not been moved away, and goes on: move it before SIGHUP"
                    ),
                );
            }
            for e in &done.errors {
                self.fail(e);
            }
        }
    }

    /// Hands on the packets that have been read already. `interfaces`: how many of them the outputs know.
    fn buffered_packets(
        &mut self,
        queue: &mut Option<SortQueue>,
        interfaces: &mut usize,
    ) -> Result<(), Error> {
        // Where nothing has to be done between two packets, they go straight from the one to the other.
        let straight = queue.is_none()
            && self.sctp_stats.is_none()
            && self.history.is_none()
            && self.key_wait.is_none()
            && !self.config.synchronized;
        let mut flushed = true;
        loop {
            // Before the next one is read: what is written is no more behind.
            if !flushed && !self.flush() {
                return Ok(());
            }
            flushed = !self.config.synchronized;
            while straight
                && *interfaces > 0
                && let Some(packet) = self.inputs.next_plain()
            {
                self.assembler.packet(&packet);
                if self.assembler.sink().is_full() {
                    return Ok(());
                }
            }
            let Some((packet, totals)) = self.inputs.next_with_totals()? else {
                return Ok(());
            };
            let known = &totals.interfaces;
            if known.len() != *interfaces {
                if self.config.verbose > 0 {
                    for (number, interface) in known.iter().enumerate().skip(*interfaces) {
                        say_interface(&mut self.messages, number, interface);
                    }
                }
                if *interfaces == 0 {
                    self.assembler.sink().begins_at(packet.time);
                }
                *interfaces = known.len();
                self.assembler.sink().interfaces(known);
            }
            for block in &totals.blocks {
                self.assembler.sink().block(block);
            }
            self.own_keys.read(totals, &mut self.assembler);
            if !totals.comments.is_empty() {
                let sink = self.assembler.sink();
                sink.comments(packet.frame, &totals.comments);
            }
            match queue {
                None => {
                    let periods = (&mut self.sctp_stats, &mut self.history);
                    let unused = Some(&packet);
                    let input = (&totals.counters, unused);
                    let to = (&mut self.key_wait, &mut self.assembler);
                    hand_on(&packet, periods, to, input);
                }
                Some(queue) => {
                    queue.push(KeptPacket::of(&packet), self.assembler.budget());
                    let buffer = &mut self.assembler.counters_mut().buffer;
                    buffer.sorting_peak = buffer.sorting_peak.max(queue.len() as u64);
                    let periods = (&mut self.sctp_stats, &mut self.history);
                    let to = (&mut self.key_wait, &mut self.assembler);
                    sorted_packets(queue, periods, to, &totals.counters);
                    self.assembler.counters_mut().buffer.sorting = queue.len() as u64;
                }
            }
            // The packet that completed the last message that is wanted is used to its end, and no other one.
            if self.assembler.sink().is_full() {
                return Ok(());
            }
        }
    }

    /// `-v`: the input that is read now; `said` is the one that was said last.
    fn say_input(&mut self) {
        if self.config.verbose == 0 {
            return;
        }
        if let Some((name, format, compression)) = self.inputs.untold() {
            let compression = compression.map_or(String::new(), |c| format!(", {c}-compressed"));
            let line = format!("{name}: {format}{compression}");
            self.messages.say(Level::Info, &line);
        }
    }

    /// Warns of link types that have come up since it was last called; `known`: how many there were.
    fn warn_of_link_types(&mut self, known: &mut usize) {
        let file = self.inputs.name().unwrap_or_default().to_owned();
        let types = self.assembler.unknown_link_types();
        let new: Vec<_> = types.iter().skip(*known).copied().collect();
        *known = types.len();
        for LinkType(number) in new {
            self.tell(
                "link types that are not known here",
                &format_args!(
                    "{file}: link type {number} is not known here: its packets are counted as link.unknown_type, and --dropped keeps them"
                ),
            );
        }
    }

    fn warn(&mut self) {
        for broken in self.inputs.take_broken() {
            self.tell("senders", &broken);
        }
        for warning in self.inputs.take_warnings() {
            let kind = match warning {
                Warning::CutShort { .. } => "captures that are cut short",
                Warning::WrongOrder { .. } => WRONG_ORDER,
            };
            self.tell(kind, &warning);
        }
        let counters = &self.inputs.totals().counters;
        let told = self.warned.contains_key(BLOCKS);
        if counters.blocks_left_out > 0 && !told && !self.config.sink.outputs.is_empty() {
            let file = self.inputs.name().unwrap_or_default().to_owned();
            let what = match (counters.secrets, counters.names) {
                (_, 0) => "decryption secrets in it are",
                (0, _) => "names of addresses in it are",
                _ => "decryption secrets and names of addresses in it are",
            };
            self.tell(
                BLOCKS,
                &format_args!(
                    "{file}: {what} left out of the output: --keep-secrets keeps them in pcapng"
                ),
            );
        }
        for note in self.assembler.sink().take_notes() {
            self.tell("gaps and files that were changed", &note);
        }
        for line in self.assembler.sink().take_watched() {
            self.messages.say(Level::Info, &line);
        }
    }

    /// Prints a warning, unless there were many of its kind, or -q.
    fn tell(&mut self, kind: &'static str, what: &dyn Display) {
        if self.config.quiet {
            return;
        }
        let times = self.warned.entry(kind).or_default();
        *times += 1;
        if *times <= WARNINGS {
            self.messages.say(Level::Warning, what);
        }
    }

    fn fail(&mut self, what: &dyn Display) {
        self.messages.say(Level::Error, what);
        self.failed = true;
    }
}

/// Prints the counters on stderr.
fn report_beside(
    messages: &mut Messages<'_>,
    (config, stats): (&Config, &Stats),
    counters: &Counters,
    channels: &Channels,
) -> io::Result<()> {
    let names = config.rules.names();
    let look = (config.stderr_color, config.stderr_width);
    let mut said = Vec::new();
    let written = report::write(counters, stats, channels, look, &names, &mut said);
    // For people: programs read UTF-8.
    let text = matches!(stats.format, StatsFormat::Text | StatsFormat::All);
    let said = match String::from_utf8(said) {
        Ok(said) if text && config.ascii => ascii(&said).into_owned().into_bytes(),
        Ok(said) => said.into_bytes(),
        Err(e) => e.into_bytes(),
    };
    written.and(messages.beside(|stderr| stderr.write_all(&said)))
}

/// Warnings about the order of inputs: there is one of them.
const WRONG_ORDER: &str = "inputs in the wrong order";
/// Warnings about blocks that were left out: there is one of them.
const BLOCKS: &str = "inputs with blocks that are left out";

/// What is said of a log that cannot be opened.
fn unopened(name: String, source: io::Error) -> OutputError {
    OutputError {
        name,
        doing: "open",
        source,
    }
}

/// `-v`: an interface.
fn say_interface(messages: &mut Messages<'_>, number: usize, interface: &Interface) {
    let name = interface
        .name
        .as_deref()
        .unwrap_or("no name")
        .escape_debug();
    messages.say(
        Level::Info,
        &format_args!(
            "interface {number}: {name}, link type {}",
            link_type(interface.link_type)
        ),
    );
}

/// A link type by the name that the registry gives it, where it is one that people meet, and its number.
fn link_type(LinkType(number): LinkType) -> String {
    // https://www.ietf.org/archive/id/draft-ietf-opsawg-pcaplinktype
    let names: &[(u16, &str)] = &[
        (0, "NULL"),
        (1, "ETHERNET"),
        (9, "PPP"),
        (50, "PPP_HDLC"),
        (51, "PPP_ETHER"),
        (101, "RAW"),
        (104, "C_HDLC"),
        (105, "IEEE802_11"),
        (107, "FRELAY"),
        (108, "LOOP"),
        (113, "LINUX_SLL"),
        (127, "IEEE802_11_RADIOTAP"),
        (147, "USER0"),
        (228, "IPV4"),
        (229, "IPV6"),
        (239, "NFLOG"),
        (242, "IPOIB"),
        (252, "WIRESHARK_UPPER_PDU"),
        (276, "LINUX_SLL2"),
    ];
    match names.iter().find(|(n, _)| *n == number) {
        Some((_, name)) => format!("{name} ({number})"),
        None => number.to_string(),
    }
}

/// What is written at the ends of periods.
type Periodic<'a> = (&'a mut Option<SctpStats>, &'a mut Option<CountersHistory>);

/// Hands on the packets that need not wait any longer to be sorted.
fn sorted_packets(
    queue: &mut SortQueue,
    (stats, history): Periodic<'_>,
    (key_wait, assembler): (&mut Option<KeyWait>, &mut Assembler<Outputs>),
    input: &InputCounters,
) {
    while let Some(sorted) = queue.pop(assembler.budget()) {
        // Those that wait to be sorted have been read.
        let to = (&mut *key_wait, &mut *assembler);
        hand_on(&sorted.packet(), (stats, history), to, (input, None));
    }
}

/// Hands a packet on, unless it has to wait for secrets. `input`: as for [`end_periods`].
#[inline]
fn hand_on(
    packet: &Packet<'_>,
    (stats, history): Periodic<'_>,
    (key_wait, assembler): (&mut Option<KeyWait>, &mut Assembler<Outputs>),
    input: (&InputCounters, Option<&Packet<'_>>),
) {
    if let Some(wait) = key_wait
        && wait.keeps(packet, assembler)
    {
        return release(key_wait, (stats, history), assembler, input.0);
    }
    // Statistics end by the capture's time, so that a file gives the same periods
    // however fast it is read.
    end_periods((stats, history), assembler, input, packet.time);
    assembler.packet(packet);
    if let Some(wait) = key_wait {
        wait.look(assembler, None);
    }
}

/// Hands on the packets that waited for secrets, as far as these have come.
fn release(
    key_wait: &mut Option<KeyWait>,
    (stats, history): Periodic<'_>,
    assembler: &mut Assembler<Outputs>,
    input: &InputCounters,
) {
    let Some(wait) = key_wait else {
        return;
    };
    while !assembler.sink().is_full()
        && let Some((kept, came)) = wait.pop(assembler)
    {
        let packet = kept.packet();
        // It has been read long ago.
        end_periods((stats, history), assembler, (input, None), packet.time);
        assembler.packet(&packet);
        wait.look(assembler, Some(came));
    }
}

/// Writes what belongs to the periods that a packet of this time ends. `input`: the counters of the inputs, and a packet that is counted
/// there and belongs to the next period.
#[inline] // asked for every packet, and most runs write nothing
fn end_periods(
    (stats, history): Periodic<'_>,
    assembler: &mut Assembler<Outputs>,
    (input, next): (&InputCounters, Option<&Packet<'_>>),
    time: Timestamp,
) {
    if let Some(stats) = stats
        && stats.is_over(time)
    {
        stats.write(&assembler.take_sctp_stats());
    }
    if let Some(history) = history
        && history.is_over(time)
    {
        let mut input = input.clone();
        if let Some(next) = next {
            input.packets = input.packets.saturating_sub(1);
            input.octets = input.octets.saturating_sub(next.data.len() as u64);
            let snapped = next.orig_len as usize > next.data.len();
            input.snapped = input.snapped.saturating_sub(u64::from(snapped));
        }
        assembler.counters_mut().input = input;
        history.write(assembler.counters());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Reader, Stop};
    use crate::cli::{Invocation, parse};
    use std::io::Read;

    const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");

    /// A run with these arguments: its exit status, and what it wrote to stderr.
    fn run(args: &[&str]) -> (u8, String) {
        let args = std::iter::once("inet-asm").chain(args.iter().copied());
        let Ok(Invocation::Run(config)) = parse(args.map(Into::into), false) else {
            panic!("no run");
        };
        let mut messages = Vec::new();
        let status = run_with(
            &config,
            Signals::none(Stop::new().unwrap().0),
            &mut messages,
        );
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
    fn link_types_have_names() {
        assert_eq!(link_type(LinkType(1)), "ETHERNET (1)");
        assert_eq!(link_type(LinkType(1000)), "1000");
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
        let status = run_with(&config, Signals::none(stop), &mut io::sink());
        assert_eq!(status, 0);
        assert!(!times(&out).is_empty());
        drop(writer.join().unwrap());
    }
}
