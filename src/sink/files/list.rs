//! `files.jsonl`: a line for each file.
//!
//! [`FIELDS`] is the list of what a line holds; the man page is made from it, and a test holds the output to it.

use super::sums::FileSums;
use super::transfer::FileInfo;
use crate::sink::json_line::write;
use crate::sink::text::{Hex, Rfc3339};
use serde::Serialize;
use std::borrow::Cow;
use std::net::IpAddr;

/// All fields: name, what it says.
pub const FIELDS: &[(&str, &str)] = &[
    ("file", "name of the file in the folder"),
    (
        "sent_name",
        "its name as it was sent; null where it had none",
    ),
    (
        "name_from",
        "where that stood: content-disposition, content-type, begin, url or command",
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
        "number of the packet that its first byte came in",
    ),
    ("first_time", "when that was captured (RFC 3339, UTC)"),
    (
        "last_frame",
        "number of the packet that its last byte came in",
    ),
    ("last_time", "when that was captured"),
    (
        "declared_type",
        "media type as the sender declared it, or as the protocol has it (mail); null where neither says",
    ),
    (
        "found_type",
        "media type by its content; null where that tells nothing",
    ),
    (
        "codings",
        "content and transfer codings as declared, base64 and quoted-printable of parts included, and those of the messages of gRPC in a body (grpc gzip), the one applied first first",
    ),
    ("undone", "of these, those that were undone"),
    ("size", "bytes that are there"),
    (
        "length",
        "bytes that it should have; null where nobody can know",
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
    ("sha1", "SHA-1 of it, with --hash=sha1; null elsewhere"),
    ("md5", "MD5 of it, with --hash=md5; null elsewhere"),
    (
        "error",
        "why a coding was not undone to its end, or which limit ended the file; null where nothing did",
    ),
];

/// Missing ranges of one file that are listed. A line of 1,000 is 40 KB long at most.
const RANGES: usize = 1000;

/// What became of a file.
pub(super) struct ListedFile<'a> {
    pub(super) file: &'a str,
    pub(super) found_type: Option<&'a str>,
    pub(super) size: u64,
    pub(super) length: Option<u64>,
    pub(super) missing: &'a [(u64, Option<u64>)],
    pub(super) range: Option<RangeOf<'a>>,
    pub(super) sums: Option<FileSums>,
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

/// A line, in the order of [`FIELDS`].
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    sent_name: Option<Cow<'a, str>>,
    name_from: Option<&'static str>,
    field: Option<Cow<'a, str>>,
    protocol: &'a str,
    command: Option<&'a str>,
    url: Option<Cow<'a, str>>,
    transport: &'static str,
    connection: u64,
    src: IpAddr,
    src_port: u16,
    dst: IpAddr,
    dst_port: u16,
    first_frame: u64,
    first_time: Rfc3339,
    last_frame: u64,
    last_time: Rfc3339,
    declared_type: Option<&'a str>,
    found_type: Option<&'a str>,
    codings: &'a [String],
    undone: &'a [String],
    size: u64,
    length: Option<u64>,
    complete: bool,
    missing: &'a [(u64, Option<u64>)],
    range_of: Option<&'a str>,
    range: Option<(u64, u64)>,
    sha256: Option<Hex<32>>,
    sha1: Option<Hex<20>>,
    md5: Option<Hex<16>>,
    error: Option<&'a str>,
}

/// Appends a line of the list, with its line feed.
pub(super) fn line(info: &FileInfo, listed: &ListedFile<'_>, out: &mut Vec<u8>) {
    let sent = info.name.as_ref();
    let line = Line {
        file: listed.file,
        sent_name: sent.map(|(name, _)| String::from_utf8_lossy(name)),
        name_from: sent.map(|(_, from)| from.text()),
        field: info.field.as_deref().map(String::from_utf8_lossy),
        protocol: info.protocol.text(),
        command: declared(&info.command),
        url: declared(&info.url[..]).map(String::from_utf8_lossy),
        transport: info.transport.name(),
        connection: info.connection,
        src: info.src.ip(),
        src_port: info.src.port(),
        dst: info.dst.ip(),
        dst_port: info.dst.port(),
        first_frame: info.first.0,
        first_time: Rfc3339::new(info.first.1, true),
        last_frame: info.last.0,
        last_time: Rfc3339::new(info.last.1, true),
        declared_type: declared(&info.media_type),
        found_type: listed.found_type,
        codings: &info.codings,
        undone: &info.undone,
        size: listed.size,
        length: listed.length,
        complete: listed.missing.is_empty(),
        missing: listed.missing.get(..RANGES).unwrap_or(listed.missing),
        range_of: listed.range.map(|r| r.file),
        range: listed.range.map(|r| (r.at, r.len)),
        sha256: listed.sums.map(|sums| Hex(sums.sha256)),
        sha1: listed.sums.and_then(|sums| sums.sha1).map(Hex),
        md5: listed.sums.and_then(|sums| sums.md5).map(Hex),
        error: info.error.as_deref(),
    };
    write(&line, out);
    out.push(b'\n');
}

/// What somebody declared; null where it is empty.
fn declared<T: ?Sized + AsRef<[u8]>>(sent: &T) -> Option<&T> {
    (!sent.as_ref().is_empty()).then_some(sent)
}
