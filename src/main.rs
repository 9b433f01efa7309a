//! The binary: flags in, exit status out.

use inet_asm::cli::{self, FAILED, Invocation, complain, run};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// stdout was closed when the program began (`>&-`).
static STDOUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks before main: there the standard library has opened /dev/null in the place of a closed stdout, and everything that is
/// written would be lost without an error.
#[ctor::ctor]
fn look_at_stdout() {
    let found = rustix::io::fcntl_getfd(rustix::stdio::stdout());
    let closed = found.is_err_and(|e| e == rustix::io::Errno::BADF);
    STDOUT_IS_CLOSED.store(closed, Ordering::Relaxed);
}

fn main() -> ExitCode {
    let invocation = match cli::parse(std::env::args_os(), io::stdout().is_terminal()) {
        Ok(invocation) => invocation,
        // All that goes to stderr has one form. Help is no error, and goes to stdout.
        Err(e) if e.use_stderr() => {
            complain(&cli::one_line(&e));
            return ExitCode::from(FAILED);
        }
        Err(e) => e.exit(),
    };
    if let Invocation::Run(config) = &invocation
        && !config.named_input
        && io::stdin().is_terminal()
    {
        complain(
            &"stdin: is a terminal, and no capture is named: name one, or pipe one in, as sudo tcpdump -U -w - | inet-asm (-h says more)",
        );
        return ExitCode::from(FAILED);
    }
    let writes = match &invocation {
        Invocation::Run(config) => config.writes_stdout(),
        _ => true,
    };
    if writes && STDOUT_IS_CLOSED.load(Ordering::Relaxed) {
        complain(
            &"stdout: is closed, so the output would be lost: write to a file with -w, or nothing with -n",
        );
        return ExitCode::from(FAILED);
    }
    let written = match invocation {
        Invocation::Run(config) => return ExitCode::from(run(&config)),
        Invocation::Protocols => cli::list_protocols(&mut io::stdout().lock()),
        Invocation::FirstScreen => cli::first_screen(&mut io::stdout().lock()),
        Invocation::Man => cli::man(&mut io::stdout().lock()),
        Invocation::Completions(shell) => {
            let mut text = Vec::new();
            cli::completions(shell, &mut text).and_then(|()| io::stdout().write_all(&text))
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
