//! The binary: flags in, exit status out.

use inet_asm::cli::{self, FAILED, Invocation, complain, run};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let invocation = match cli::parse(std::env::args_os(), io::stdout().is_terminal()) {
        Ok(invocation) => invocation,
        Err(e) => e.exit(),
    };
    let written = match invocation {
        Invocation::Run(config) => return ExitCode::from(run(&config)),
        Invocation::Protocols => cli::list_protocols(&mut io::stdout().lock()),
        Invocation::Man => cli::man(&mut io::stdout().lock()),
        Invocation::Completions(shell) => {
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
