//! The binary: flags in, exit status out.

use inet_asm::cli::{self, FAILED, Invocation, Signals, complain, run};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// stdout was closed when the program began (`>&-`).
static STDOUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);
/// stderr was.
static STDERR_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks before main: there the standard library has opened /dev/null in the place of what is closed, and everything that is
/// written would be lost without an error.
#[cfg(feature = "full")]
#[ctor::ctor]
fn look_at_standard_outputs() {
    let outputs = [
        (rustix::stdio::stdout(), &STDOUT_IS_CLOSED),
        (rustix::stdio::stderr(), &STDERR_IS_CLOSED),
    ];
    for (output, closed) in outputs {
        let found = rustix::io::fcntl_getfd(output);
        let is_closed = found.is_err_and(|e| e == rustix::io::Errno::BADF);
        closed.store(is_closed, Ordering::Relaxed);
    }
}

/// Complains where nothing that is written to stdout goes anywhere.
fn stdout_is_closed() -> bool {
    let closed = STDOUT_IS_CLOSED.load(Ordering::Relaxed);
    if closed {
        complain(
            &"stdout: is closed, so the output would be lost: write to a file with -w, or nothing with -n",
        );
    }
    closed
}

/// The exit status behind a text for stdout. A reader that has gone away wants no more of it.
fn status_of(written: io::Result<()>) -> ExitCode {
    match written.and_then(|()| io::stdout().flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            complain(&cli::unwritten(e));
            ExitCode::from(FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// The interfaces on stdout; the program that lists them has its own words for what is wrong.
fn list_interfaces() -> ExitCode {
    match cli::list_interfaces() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(FAILED),
        Err(e) => {
            complain(&format_args!("--list-interfaces: {e}"));
            ExitCode::from(FAILED)
        }
    }
}

/// What Wireshark asks, on stdout.
fn answer(question: &cli::ExtcapQuestion) -> ExitCode {
    let mut text = Vec::new();
    if let Err(e) = cli::answer(question, &mut text) {
        complain(&format_args!("extcap: {e}"));
        return ExitCode::from(FAILED);
    }
    status_of(io::stdout().write_all(&text))
}

fn main() -> ExitCode {
    let signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(e) => {
            complain(&format_args!("signals: cannot be caught: {e}"));
            return ExitCode::from(FAILED);
        }
    };
    // A file of configuration may be typed. What is asked for while the command line is read holds for the run.
    let is_config = |arg: OsString| arg.as_encoded_bytes().starts_with(b"--config");
    signals.end_at_once(std::env::args_os().any(is_config));
    let invocation = match cli::parse(std::env::args_os(), io::stdout().is_terminal()) {
        Ok(invocation) => invocation,
        // All that goes to stderr has one form. Help is no error, and goes to stdout.
        Err(e) if e.use_stderr() => {
            complain(&cli::one_line(&e));
            return ExitCode::from(FAILED);
        }
        Err(_) if stdout_is_closed() => return ExitCode::from(FAILED),
        Err(e) => {
            let color = io::stdout().is_terminal() && !cli::colors_are_unwanted();
            return status_of(cli::asked_for(&e, color, &mut io::stdout().lock()));
        }
    };
    if let Invocation::Run(config) = &invocation
        && config.inputs.iter().any(|input| input == "-")
        && io::stdin().is_terminal()
    {
        // `-` names what is piped in.
        let named = if config.named_input {
            "nothing is piped in"
        } else {
            "no capture is named"
        };
        complain(&format_args!(
            "stdin: is a terminal, and {named}: name a file, or pipe a capture in, as sudo tcpdump -U -w - | inet-asm (-h says more)"
        ));
        return ExitCode::from(FAILED);
    }
    let writes = match &invocation {
        Invocation::Run(config) => config.writes_stdout(),
        _ => true,
    };
    if writes && stdout_is_closed() {
        return ExitCode::from(FAILED);
    }
    if let Invocation::Run(config) = &invocation
        && config.stats.is_some()
        && STDERR_IS_CLOSED.load(Ordering::Relaxed)
    {
        // The counters were asked for, and nobody can be told that they go nowhere.
        return ExitCode::from(FAILED);
    }
    let written = match invocation {
        Invocation::Interfaces => return list_interfaces(),
        Invocation::Extcap(question) => return answer(&question),
        Invocation::Run(config) => return ExitCode::from(run(&config, signals)),
        Invocation::SavedConfig(text) => io::stdout().write_all(text.as_bytes()),
        Invocation::Protocols => cli::list_protocols(&mut io::stdout().lock()),
        Invocation::FirstScreen => cli::first_screen(&mut io::stdout().lock()),
        Invocation::Man => cli::man(&mut io::stdout().lock()),
        Invocation::Completions(shell) => {
            let mut text = Vec::new();
            cli::completions(shell, &mut text).and_then(|()| io::stdout().write_all(&text))
        }
    };
    status_of(written)
}
