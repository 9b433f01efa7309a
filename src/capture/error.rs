//! Errors: what ends a run.
//!
//! Every error prints as `FILE: what is wrong: what to do`; the binary puts its name in front. A packet that cannot be
//! used is no error but a [`Discard`](crate::base::counters::Discard).

use std::fmt;
use std::io;

/// What ends a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An input cannot be opened.
    Open {
        /// The input's name.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// An input cannot be read on.
    Read {
        /// The input's name.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// An input has no first packet to look at before it is read.
    Unsortable {
        /// The input's name.
        file: String,
    },
    /// An input has no octets at all, which must not pass for a capture without packets.
    Empty {
        /// The input's name.
        file: String,
    },
    /// An input is something else than a capture.
    Foreign {
        /// The input's name.
        file: String,
        /// What it looks like.
        found: String,
        /// What can be done about it.
        advice: &'static str,
    },
    /// An input ends inside its file header.
    CutHeader {
        /// The input's name.
        file: String,
        /// How many octets there are.
        octets: u64,
        /// What they were compressed with.
        compressed: Option<&'static str>,
    },
    /// A record has a length or a reference that no record can have.
    Damaged {
        /// The input's name.
        file: String,
        /// Where the record begins, in octets from the beginning of the input (of its content, if it is compressed).
        offset: u64,
        /// The record's number in this input, from 1.
        record: u64,
        /// What is wrong with it.
        what: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { file, source } => match source.kind() {
                // It has words of its own.
                _ if source.get_ref().is_some() => {
                    write!(f, "{file}: cannot be opened: {source}")
                }
                io::ErrorKind::NotFound => {
                    write!(
                        f,
                        "{file}: cannot be opened: there is no such file: check its name"
                    )
                }
                io::ErrorKind::PermissionDenied => {
                    write!(
                        f,
                        "{file}: cannot be opened: permission is denied: ask for it, or use sudo"
                    )
                }
                _ => write!(f, "{file}: cannot be opened: {source}"),
            },
            Self::Read { file, source } if source.kind() == io::ErrorKind::IsADirectory => {
                write!(
                    f,
                    "{file}: cannot be read, it is a folder: name the captures in it"
                )
            }
            Self::Read { file, source } => {
                write!(f, "{file}: cannot be read: {source}")
            }
            Self::Unsortable { file } => write!(
                f,
                "{file}: cannot be sorted by its first packet, it is no file: save it to one, or leave --sort-files out"
            ),
            Self::Empty { file } => write!(
                f,
                "{file}: is empty, a capture has a file header at least: check what writes it"
            ),
            Self::Foreign {
                file,
                found,
                advice,
            } => write!(
                f,
                "{file}: is no pcap or pcapng capture but {found}: {advice}"
            ),
            Self::CutHeader {
                file,
                octets,
                compressed,
            } => {
                match compressed {
                    Some(format) => write!(
                        f,
                        "{file}: its {format} data are cut short, {octets} bytes into the file header of the capture in it"
                    )?,
                    None => write!(
                        f,
                        "{file}: ends inside its file header, after {octets} bytes"
                    )?,
                }
                f.write_str(": check what writes it")
            }
            Self::Damaged {
                file,
                offset,
                record,
                what,
            } => write!(
                f,
                "{file}: is damaged at offset {offset}, record {record}, {what}: only what stands before it was used"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { source, .. } | Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}
