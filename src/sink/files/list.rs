//! `files.jsonl`: a line for each file.
//!
//! [`FIELDS`] is the list of what a line holds; the man page is made from it, and a test holds the output to it.

use super::transfer::About;
use crate::sink::json::{number, string};
use crate::sink::text::rfc3339;
use std::fmt::Write as _;

/// All fields: name, what it says.
pub const FIELDS: &[(&str, &str)] = &[
    ("file", "name of the file in the folder"),
    (
        "sent_name",
        "its name as it was sent; null where it had none",
    ),
    (
        "name_from",
        "where that stood: content-disposition, url or command",
    ),
    (
        "field",
        "field of the form that it was sent in; null elsewhere",
    ),
    ("protocol", "protocol that carried it, by Wireshark's name"),
    (
        "command",
        "what asked for it, or brought it: GET, POST; null where that is not known",
    ),
    (
        "url",
        "where it was asked for; null where that is not known",
    ),
    ("transport", "tcp, udp or sctp"),
    (
        "connection",
        "number of the connection, as --print shows it",
    ),
    ("src", "address of the sender"),
    ("src_port", "port of the sender"),
    ("dst", "address of the receiver"),
    ("dst_port", "port of the receiver"),
    (
        "first_frame",
        "number of the packet that its first octet came in",
    ),
    ("first_time", "when that was captured (RFC 3339, UTC)"),
    (
        "last_frame",
        "number of the packet that its last octet came in",
    ),
    ("last_time", "when that was captured"),
    (
        "declared_type",
        "media type as the sender declared it; null where it did not",
    ),
    (
        "found_type",
        "media type by its content; null where that tells nothing",
    ),
    (
        "codings",
        "content and transfer codings as declared, the one applied first first",
    ),
    ("undone", "of these, those that were undone"),
    ("size", "octets that are there"),
    (
        "length",
        "octets that it should have; null where nobody can know",
    ),
    ("complete", "nothing of it is missing"),
    (
        "missing",
        "missing ranges: offset and length of each, a length that is not known null; 1,000 at most",
    ),
    (
        "range_of",
        "file, not whole, of which this is a range that came whole; null elsewhere",
    ),
    ("range", "offset and length of that range; null elsewhere"),
    ("sha256", "SHA-256 of it; null where it is not complete"),
    (
        "error",
        "why a coding was not undone to its end, or which limit ended the file; null where nothing did",
    ),
];

/// Missing ranges of one file that are listed.
const RANGES: usize = 1000;

/// What became of a file.
pub(super) struct Placed<'a> {
    pub(super) file: &'a str,
    pub(super) found_type: Option<&'a str>,
    pub(super) size: u64,
    pub(super) length: Option<u64>,
    pub(super) missing: &'a [(u64, Option<u64>)],
    pub(super) range: Option<RangeOf<'a>>,
    pub(super) sha256: Option<[u8; 32]>,
}

/// Where a range belongs.
#[derive(Clone, Copy)]
pub(super) struct RangeOf<'a> {
    /// The file in the folder.
    pub(super) file: &'a str,
    /// Offset in it of the first octet.
    pub(super) at: u64,
    pub(super) len: u64,
}

/// A line of the list, with its line feed.
pub(super) fn line(about: &About, placed: &Placed<'_>) -> String {
    let mut out = String::with_capacity(512);
    let t = &mut out;
    let sent = about.name.as_ref();
    t.push_str("{\"file\":");
    string(placed.file, t);
    text("sent_name", sent.map(|(name, _)| name.as_slice()), t);
    text("name_from", sent.map(|(_, from)| from.text().as_bytes()), t);
    text("field", about.field.as_deref(), t);
    text("protocol", Some(about.protocol.text().as_bytes()), t);
    text("command", some(about.command.as_bytes()), t);
    text("url", some(&about.url), t);
    // Writing to a string does not fail.
    let _ = write!(
        t,
        ",\"transport\":\"{}\",\"connection\":{},\"src\":\"{}\",\"src_port\":{},\"dst\":\"{}\",\"dst_port\":{}",
        about.transport.name(),
        about.connection,
        about.src.ip(),
        about.src.port(),
        about.dst.ip(),
        about.dst.port(),
    );
    for (which, (frame, time)) in [("first", about.first), ("last", about.last)] {
        let _ = write!(t, ",\"{which}_frame\":{frame},\"{which}_time\":\"");
        rfc3339(time, t);
        t.push('"');
    }
    text("declared_type", some(about.media_type.as_bytes()), t);
    text("found_type", placed.found_type.map(str::as_bytes), t);
    for (name, codings) in [("codings", &about.codings), ("undone", &about.undone)] {
        let _ = write!(t, ",\"{name}\":[");
        for (i, coding) in codings.iter().enumerate() {
            if i > 0 {
                t.push(',');
            }
            string(coding, t);
        }
        t.push(']');
    }
    let _ = write!(t, ",\"size\":{},\"length\":", placed.size);
    number(placed.length, t);
    let _ = write!(
        t,
        ",\"complete\":{},\"missing\":[",
        placed.missing.is_empty()
    );
    for (i, (at, len)) in placed.missing.iter().take(RANGES).enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let _ = write!(t, "{comma}[{at},");
        number(*len, t);
        t.push(']');
    }
    t.push(']');
    text("range_of", placed.range.map(|r| r.file.as_bytes()), t);
    match placed.range {
        Some(r) => {
            let _ = write!(t, ",\"range\":[{},{}]", r.at, r.len);
        }
        None => t.push_str(",\"range\":null"),
    }
    t.push_str(",\"sha256\":");
    match placed.sha256 {
        Some(sum) => {
            t.push('"');
            for octet in sum {
                let _ = write!(t, "{octet:02x}");
            }
            t.push('"');
        }
        None => t.push_str("null"),
    }
    text("error", about.error.as_deref().map(str::as_bytes), t);
    t.push_str("}\n");
    out
}

/// A field with octets that somebody sent, or null.
fn text(name: &str, value: Option<&[u8]>, t: &mut String) {
    let _ = write!(t, ",\"{name}\":");
    match value {
        Some(value) => string(&String::from_utf8_lossy(value), t),
        None => t.push_str("null"),
    }
}

fn some(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty()).then_some(text)
}
