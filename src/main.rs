//! The binary: flags in, exit status out.

use inet_asm::cli::run::{FAILED, complain, run};
use inet_asm::cli::{self, Request};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

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
