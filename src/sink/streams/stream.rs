//! What is kept of the streams of a connection.

use crate::base::state::{Deserialize, Serialize};
use crate::base::stream::GapCause;
use crate::base::time::Timestamp;
use crate::sink::mark::FileMark;

/// What is kept of the streams of a connection, by direction.
pub(crate) type DumpedStreams = [DumpedStream; 2];

/// What is kept of a stream: how its file is called.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct DumpedStream {
    /// SCTP stream identifier; 1 of what was encrypted on the wire; 0 elsewhere.
    pub(super) id: u16,
    /// The file was made; it is the `count`th of its name.
    pub(super) made: bool,
    pub(super) count: u32,
    /// When its first and its last octet were captured.
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Missing octets before the first one: how many, if that is known, and why.
    pub(super) early: Option<(Option<u64>, GapCause)>,
    /// What was put into the file.
    pub(super) mark: FileMark,
    /// Octets of its index of gaps; 0 where it has none.
    pub(super) index_end: u64,
}
