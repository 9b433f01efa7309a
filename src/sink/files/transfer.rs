//! A file while it is transferred.

use super::ranges::Ranges;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::protocol::Name;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::time::Timestamp;
use crate::sink::mark::{FileMark, Modified};
use std::net::SocketAddr;

/// Places at which an unknown number of octets is missing, that are remembered of one file. The list shows them; one is enough for
/// the file to be incomplete.
const PLACES: usize = 64;
/// Media type of a mail (RFC 2046, 5.2.1).
pub(super) const MAIL: &str = "message/rfc822";
/// Media type of a certificate in DER as it is recognised by its content, and the protocol that shows it, by Wireshark's name.
pub(super) const CERTIFICATE: &str = "application/x-x509-ca-cert";
pub(super) const TLS: &str = "tls";
/// Octets that are kept of a name, an address or a type as it was sent: browsers and servers take URLs of about that length.
const TEXT: usize = 2048;

/// Where the name of a file stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum NameFrom {
    /// `Content-Disposition` of a message or a part (RFC 6266, RFC 7578).
    ContentDisposition,
    /// `Content-Type` of a part (RFC 2046, 4.5.1).
    ContentType,
    /// The line `begin` of a text that is uuencoded.
    Begin,
    /// The last part of a URL.
    Url,
    /// The command that asked for it or brought it (FTP, TFTP).
    Command,
}

impl NameFrom {
    /// As `files.jsonl` writes it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::ContentDisposition => "content-disposition",
            Self::ContentType => "content-type",
            Self::Begin => "begin",
            Self::Url => "url",
            Self::Command => "command",
        }
    }
}

/// What is known of a file except its octets. Every text is as it was sent: it is made safe where it is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FileInfo {
    /// The protocol that carried it, by Wireshark's name.
    pub(super) protocol: Name,
    /// The command that asked for it or brought it: `GET`, `RETR`.
    pub(super) command: String,
    /// Where it was asked for: a URL, or a path.
    pub(super) url: Vec<u8>,
    /// Its name, and where that stood.
    pub(super) name: Option<(Vec<u8>, NameFrom)>,
    /// What it is called, without extension, where it has no name.
    pub(super) fallback: Vec<u8>,
    /// The field of the form that it was part of.
    pub(super) field: Option<Vec<u8>>,
    /// Its octets are not what its name says, because its codings could not be undone.
    pub(super) coded: bool,
    /// Files that it was inside of.
    pub(super) depth: u8,
    /// It is a mail, or was in one: what only holds parts is no file then.
    pub(super) of_mail: bool,
    /// Its media type, as declared.
    pub(super) media_type: String,
    /// Its codings as declared, the one that was applied first first.
    pub(super) codings: Vec<String>,
    /// Of these, those that were undone.
    pub(super) undone: Vec<String>,
    /// What went wrong when it was decoded, or which limit ended it.
    pub(super) error: Option<String>,
    /// Its transport.
    pub(super) transport: Transport,
    /// Number of the connection.
    pub(super) connection: u64,
    /// Who sent it.
    pub(super) src: SocketAddr,
    /// Who received it.
    pub(super) dst: SocketAddr,
    /// Packet of its first octet: number and time.
    pub(super) first: (u64, Timestamp),
    /// Packet of its last octet.
    pub(super) last: (u64, Timestamp),
}

impl FileInfo {
    /// A file that is sent in this direction of a flow and begins with the packet `frame`.
    pub(super) fn new(
        protocol: &'static str,
        flow: &Flow,
        direction: Direction,
        frame: u64,
        time: Timestamp,
    ) -> Self {
        Self {
            protocol: Name::of(protocol),
            command: String::new(),
            url: Vec::new(),
            name: None,
            fallback: protocol.into(),
            field: None,
            coded: false,
            depth: 0,
            of_mail: false,
            media_type: String::new(),
            codings: Vec::new(),
            undone: Vec::new(),
            error: None,
            transport: flow.transport,
            connection: flow.number,
            src: flow.src(direction),
            dst: flow.dst(direction),
            first: (frame, time),
            last: (frame, time),
        }
    }

    /// A mail that this command asked for or brought, in this direction of a flow, and that begins with the packet `frame`.
    pub(super) fn mail(
        protocol: &'static str,
        command: &str,
        flow: &Flow,
        direction: Direction,
        (frame, time): (u64, Timestamp),
    ) -> Self {
        Self {
            command: command.to_owned(),
            fallback: b"mail".to_vec(),
            of_mail: true,
            media_type: MAIL.to_owned(),
            ..Self::new(protocol, flow, direction, frame, time)
        }
    }

    /// Another packet brought octets of it.
    pub(super) fn seen(&mut self, frame: u64, time: Timestamp) {
        self.first = (self.first.0.min(frame), self.first.1.min(time));
        self.last = (self.last.0.max(frame), self.last.1.max(time));
    }

    /// Octets allocated.
    fn size(&self) -> usize {
        let strings = self.codings.iter().chain(&self.undone).chain(&self.error);
        let texts = [
            self.command.capacity(),
            self.url.capacity(),
            self.name.as_ref().map_or(0, |(name, _)| name.capacity()),
            self.fallback.capacity(),
            self.field.as_ref().map_or(0, Vec::capacity),
            self.media_type.capacity(),
            (self.codings.capacity() + self.undone.capacity()) * size_of::<String>(),
        ];
        // Many short texts: what the allocator adds to each counts.
        let texts = texts.into_iter().chain(strings.map(String::capacity));
        texts.map(allocated).sum()
    }
}

/// As much of a text that somebody sent as is kept.
pub(super) fn kept(sent: &[u8]) -> &[u8] {
    sent.get(..TEXT).unwrap_or(sent)
}

/// A file while it is transferred: what is known of it, which octets are there, and the first ones themselves until there
/// are too many. Plain data; made by [`Store::begin`](super::Store::begin).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Transfer {
    pub(super) about: FileInfo,
    /// The octets, as long as they follow each other and are few; then they stand in the file.
    pub(super) memory: Vec<u8>,
    /// The file in the folder.
    pub(super) made: Option<String>,
    /// What it should have been called when it was made.
    pub(super) wanted: String,
    pub(super) have: Ranges,
    /// Places at which an unknown number of octets is missing.
    pub(super) unknown: Vec<u64>,
    /// Octets were left out because the file would have passed a limit.
    pub(super) limited: Option<LimitReached>,
    counted: usize,
}

/// Octets allocated for the name of a file in the folder, and for what the store remembers of it by that name.
const fn known_to_store(name: &String) -> usize {
    2 * allocated(name.capacity()) + size_of::<(String, FileMark, Modified)>()
}

/// Why octets of a file were left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LimitReached {
    /// `--max-file`.
    Size,
    /// Where a file cannot have octets.
    Place,
    /// Too many holes.
    Parts,
    /// Behind the last octet of the range that its message announced.
    Past,
}

impl Transfer {
    pub(super) fn new(cx: &mut Context, about: FileInfo) -> Self {
        let mut transfer = Self {
            about,
            memory: Vec::new(),
            made: None,
            wanted: String::new(),
            have: Ranges::default(),
            unknown: Vec::new(),
            limited: None,
            counted: 0,
        };
        transfer.count(cx);
        transfer
    }

    /// An unknown number of octets is missing in front of the octet that is written at `offset` next.
    pub(super) fn lost(&mut self, offset: u64) {
        if self.unknown.len() < PLACES && self.unknown.last() != Some(&offset) {
            self.unknown.push(offset);
        }
    }

    /// All octets until now are missing, and the file that had them is another one's.
    pub(super) fn forget(&mut self, why: &str) {
        self.made = None;
        self.have = Ranges::default();
        self.about.error.get_or_insert_with(|| why.to_owned());
    }

    /// What is missing of a file that should have `len` octets (`None`: nobody knows): offset and length of each range, in order.
    pub(super) fn missing(&self, len: Option<u64>) -> Vec<(u64, Option<u64>)> {
        let end = self.have.end();
        let known = self.have.vacant(0, len.unwrap_or(end).max(end));
        let mut missing: Vec<_> = known
            .into_iter()
            .map(|(from, to)| (from, Some(to - from)))
            .chain(self.unknown.iter().map(|at| (*at, None)))
            .chain((len.is_none() && !self.unknown.contains(&end)).then_some((end, None)))
            .collect();
        missing.sort_by_key(|(at, len)| (*at, len.is_some()));
        missing
    }

    /// It has all the `len` octets that it should have.
    pub(super) fn is_whole(&self, len: u64) -> bool {
        self.unknown.is_empty() && self.have.leading() >= len
    }

    /// It has all octets of `from..to`.
    pub(super) fn has(&self, from: u64, to: u64) -> bool {
        self.have.vacant(from, to).is_empty()
            && !self.unknown.iter().any(|at| (from..=to).contains(at))
    }

    /// Charges the budget with what is allocated now.
    pub(super) fn count(&mut self, cx: &mut Context) {
        let now = allocated(size_of::<Self>())
            + self.about.size()
            + allocated(self.memory.capacity())
            + self.made.as_ref().map_or(0, known_to_store)
            + allocated(self.wanted.capacity())
            + allocated(self.unknown.capacity() * size_of::<u64>())
            + self.have.size();
        cx.budget.rebook(&mut self.counted, now);
    }

    /// Nothing of it is kept any longer.
    pub(super) fn uncount(&mut self, cx: &mut Context) {
        cx.budget.give(std::mem::take(&mut self.counted));
    }
}
