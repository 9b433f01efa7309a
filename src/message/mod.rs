//! Messages: where each begins and ends in the octets of a stream.
//!
//! A [`Detector`] recognises a protocol, its [`Framer`] says where messages begin and end, and the [`Extractor`] walks
//! the streams by what they say and pushes messages to a [`MessageSink`]. Over UDP a datagram is a message, and over SCTP a
//! user message is one.
//!
//! `protocols/` has one file for each protocol, and the table of them. The files here know none by name:
//!
//! ```text
//! framing.rs               Detector, Framer, and what they say
//! row.rs                   what the table says of a protocol
//! length.rs headers.rs lines.rs textual.rs   engines that frame many of them: by a length, as HTTP does, line by line, by words
//! bundled.rs adaptation.rs ran_procedures.rs   what user messages of SCTP have in common
//! text.rs fields.rs        what one-line summaries are made of, and what is listed by name
//! in_order.rs              how responses find their requests
//! rule_reader.rs user_framer.rs custom.rs   rows of the user's (--framer), and detectors of a user of the library
//! protocols/               the table, above all of these
//! head.rs chunked.rs       header sections and chunk lines of HTTP, read for all who need them
//! rules.rs                 what the user says of ports and protocols
//! events.rs whole.rs       what a sink of messages gets; a sink that calls a function with whole messages
//! carrier.rs carry.rs      connections that carry streams of their own: what such a protocol says, and how a sink hears of it
//! hpack.rs inflate.rs      header blocks of HTTP/2; deflate of messages that refer to others, some of which may be lost
//! doubt.rs held_part.rs    what is held of a stream while nobody can tell what it is, and where it came from
//! extract.rs named.rs      find messages in streams; name those in datagrams
//! decrypted.rs             the streams that records of TLS hold whose keys are known
//! records/                 what opens these records: secrets, keys, numbers; knows nothing of the files above
//! ```

mod adaptation;
mod branches;
pub mod bundled;
mod carrier;
mod carry;
mod chains;
mod chunked;
pub mod custom;
mod decrypted;
mod doubt;
pub mod events;
pub mod extract;
pub mod fields;
pub mod framing;
mod head;
mod headers;
mod held_part;
mod hpack;
mod in_order;
mod inflate;
mod length;
mod length_format;
mod lines;
mod named;
mod nas;
mod protocols;
mod ran_procedures;
pub mod records;
mod row;
pub mod rule_reader;
pub mod rules;
#[cfg(test)]
mod tests;
mod text;
mod textual;
pub mod user_framer;
pub mod whole;

pub use crate::base::protocol::NO_PROTOCOL;
pub use bundled::Bundled;
pub use chunked::{ChunkLine, ChunkSize};
pub use events::{
    CarriedMessage, ListedMessage, MessageEnd, MessageGap, MessageSink, MessageStart, Piece,
};
pub use extract::Extractor;
pub use fields::{FieldValue, MessageFields};
pub use framing::{Detector, Framer};
pub use head::{HttpHead, HttpStart, HttpVersion, read_fields, read_head, unfolded_lines};
pub use in_order::{Answers, Asks, ByNumber, InOrder, LISTENS, Recipients};
pub use lines::literal;
pub use named::Named;
pub use protocols::{
    Protocol, Transfers, answered_alone, answered_elsewhere, asked_name, asks_for, bundle,
    by_number, clear_port, datagram_protocol, escaped_summary, fields, fields_into, file_use,
    goes_on, has_one_answer, in_order, kind, known_aliases, known_name, listed_fields,
    listing_protocols, named_ends, protocols, result_is_last, server_begins, short_transaction,
    summary, transaction, uses_files, uses_port, words_ahead,
};
pub use row::{FileUse, NamedEnds};
pub use text::{dotted, escape, is_hidden, is_text, show, shown, unescaped};
pub use whole::{WholeMessage, WholeMessages};
