//! `--extract`: the files that were transferred.
//!
//! A protocol that carries files is one file in `sources/`, with its `FileSource`, and one row of the table there. What it
//! finds becomes a `Transfer`: `Store::begin` makes it, `Store::write` takes octets at any offset of the file in any order,
//! `Transfer::lost` says that an unknown number is missing, and `Store::finish` ends it. All else is the store's: names
//! that do no harm, `.part`, missing ranges, sums, the list, limits, what is kept in memory and what is not.
//!
//! ```text
//!  messages ──┐                                             ┌─> NAME, NAME.part
//!  datagrams ─┼─> sources/http.rs ... ──Transfer──> store ──┤
//!  streams ───┘   what it keeps of a                │       └─> files.jsonl (list)
//!  (output)       connection is plain data          └ names, ranges; content/: codings, parts, types
//! ```
//!
//! A source keeps two things: what belongs to one connection, in that connection's state (`FileSource::Connection`: plain
//! data), and what belongs to none, in itself.
//!
//! A source reads **messages** of its protocols (`FileSource::protocols`): it gets those only, and puts what it wants to
//! keep of the connection into `At::kept`. Or it takes a whole TCP connection, whatever seems to be in it, as its **stream**:
//! `FileSource::claims` is asked once for each connection, at its first event, and a source that sets `At::kept` there gets
//! the octets, gaps and ends of both directions, and no message of it. A protocol whose control connection announces others
//! (FTP) remembers in itself which endpoints they will have. Where the data may be captured ahead of the announcement, it
//! claims what may be such a connection, and names it later: a transfer needs its name only when it is finished, and may be
//! discarded.

mod commands;
mod content;
mod entities;
mod index;
mod list;
mod names;
mod options;
mod output;
mod ranges;
mod received;
mod source;
mod sources;
mod store;
mod sums;
mod tar;
mod transfer;

pub(in crate::sink) use content::decode::{known as codings_are_known, undo as undo_codings};
pub(in crate::sink) use content::disposition::{parameter, percent_decoded};
pub(in crate::sink) use content::words::utf8;
pub use list::FIELDS;
pub use options::{FileChoice, FileOptions};
pub(crate) use output::Files;
pub use sources::file_protocols;
pub use sums::SumKind;
