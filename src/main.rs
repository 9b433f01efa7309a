//! The binary: flags in, exit status out.

use inet_asm::cli::{self, Request};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let request = match cli::parse(std::env::args_os(), io::stdout().is_terminal()) {
        Ok(request) => request,
        Err(e) => e.exit(),
    };
    let written = match request {
        Request::Run(_) => Ok(()),
        Request::Man => cli::man(&mut io::stdout().lock()),
        Request::Completions(shell) => {
            let mut text = Vec::new();
            cli::completions(shell, &mut text);
            io::stdout().write_all(&text)
        }
    };
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("inet-asm: stdout: cannot write: {e}");
            ExitCode::from(2)
        }
        _ => ExitCode::SUCCESS,
    }
}
