//! `--dump`: a file for each stream, with its octets at their offsets.
//!
//! Names are tcpflow's: `010.000.000.001.40000-010.000.000.002.00080`, and `c1`, `c2` behind it where a file of that name
//! is there already. A gap is a hole in the file, and stands in an index beside it (`NAME.gaps`: offset, length and cause,
//! a line each). Streams of UDP and SCTP are called `NAME.udp` and `NAME.sctp`.
//!
//! Files are opened when their first octet comes. As many stay open as the system allows, 65,536 at most; others are
//! closed and opened again at their offset. What a connection keeps is how its file is called, not the file. Octets of a
//! file are gathered until they are worth a system call.
//!
//! A file is made only where nothing has its name, neither a file nor a symbolic link, and none has the name of its index;
//! so what was in the folder stays as it was, and no two streams share a file. No symbolic link below the folder is followed.

mod dump;
mod failures;
mod file;
mod open;
mod stdout;
mod stream;
mod template;
#[cfg(test)]
mod tests;

pub(super) use dump::Dump;
pub(super) use stdout::DumpToStdout;
pub use template::{DEFAULT_TEMPLATE, Template};
