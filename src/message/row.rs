//! What the table of protocols says of each of them. The table itself is `protocols/mod.rs`.

use super::fields::MessageFields;
use super::in_order::InOrder;
use crate::base::flow::Transport;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Appends one line on a message to the text; false, and nothing appended, where nothing is known of it. The octets are
/// those of [`MessageStart::head`](super::MessageStart::head).
pub(super) type Summary = fn(Transport, &[u8], &mut String) -> bool;

/// Lists what of a message has a name. The octets are those of [`MessageStart::head`](super::MessageStart::head).
pub(super) type ReadFields = fn(Transport, Kind, &[u8], &mut MessageFields);

/// Reads what a response has in common with its request. The octets are those of [`MessageStart::head`](super::MessageStart::head).
pub(super) type ReadTransaction = fn(Transport, &[u8]) -> Option<u64>;
/// The same of a message of this kind, where it repeats less.
pub(super) type ReadShortTransaction = fn(Transport, Kind, &[u8]) -> Option<u64>;

/// What requests ask for, a number that is read of them, and the name of each.
pub(super) type AsksFor = (fn(&[u8]) -> Option<u8>, fn(u8) -> Option<&'static str>);

/// Reads what a message does with a file. The octets are those of [`MessageStart::head`](super::MessageStart::head).
pub(super) type ReadFileUse = fn(Kind, &[u8]) -> Option<FileUse>;

/// What a message does with a file, by which others of its connection go that do not name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileUse {
    /// A request, known by this number, asks for a file of this name.
    Asks {
        /// What its response repeats.
        number: u64,
        /// Its name.
        name: String,
    },
    /// The response to it: the file goes by this handle from here on.
    Opens {
        /// What it repeats.
        number: u64,
        /// The handle; None where it was refused.
        handle: Option<[u8; 16]>,
    },
    /// A request about the file with this handle.
    About {
        /// What its response repeats.
        number: u64,
        /// The handle.
        handle: [u8; 16],
        /// The handle means nothing behind it.
        last: bool,
    },
    /// A response, which says nothing of the file.
    Answers {
        /// What it repeats.
        number: u64,
    },
}

/// Whom a connection is between by a message in it, which its addresses do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedEnds {
    /// Address and port of the client.
    pub client: Option<String>,
    /// Address, or name, and port of the server.
    pub server: Option<String>,
}

impl NamedEnds {
    /// Takes over what another message names.
    pub fn add(&mut self, other: Self) {
        self.client = other.client.or(self.client.take());
        self.server = other.server.or(self.server.take());
    }
}

/// Reads whom a message names. The octets are those of [`MessageStart::head`](super::MessageStart::head).
pub(super) type ReadNamedEnds = fn(&[u8]) -> Option<NamedEnds>;

/// Reads how many octets a message has by its header, itself included; None where no header is to be believed.
pub(super) type BundledLength = fn(&[u8]) -> Option<u64>;

/// Reads the datagram that stands in another one: the port that it is for, and its octets. None where there is none.
pub(super) type ReadRelayed = fn(&[u8]) -> Option<(u16, &[u8])>;

/// One protocol of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProtocolRow {
    /// Wireshark's name.
    pub(super) name: &'static str,
    /// Other names that people use for it.
    pub(super) aliases: &'static [&'static str],
    /// Names by which the two ends of TLS agree on it (IANA, "TLS Application-Layer Protocol Negotiation (ALPN) Protocol IDs").
    pub(super) alpn: &'static [&'static str],
    /// What it is over TCP.
    pub(super) about: &'static str,
    /// TCP ports that hint at it.
    pub(super) ports: &'static [u16],
    /// The payload protocol identifiers of SCTP that name it, in IANA's order.
    pub(super) ppids: &'static [Ppid],
    /// How user messages of SCTP are recognised whose identifier names nothing.
    pub(super) user_message: Option<UserMessageRow>,
    /// The length of a message, where several stand in one user message.
    pub(super) bundled: Option<BundledLength>,
    /// What a datagram, or a user message of SCTP, is to the protocol. Over TCP its framer says that.
    pub(super) kind: Option<fn(&[u8]) -> Kind>,
    /// What a response has in common with its request, and with no other one of the two endpoints for a while; None of a message
    /// that is not answered, or answers nothing.
    pub(super) transaction: Option<ReadTransaction>,
    /// The same of a response that repeats less of its request than others do, and of a request that may have such a response: it is
    /// answered where no other one of the two endpoints is so called.
    pub(super) short_transaction: Option<ReadShortTransaction>,
    /// What [`transaction`](Self::transaction) reads is the same on no other two endpoints either, and the answer is another flow: what
    /// was asked of a group is answered by one of it, or to all.
    pub(super) answered_elsewhere: bool,
    /// What a request asks for, which its response does not repeat: a number, and its name.
    pub(super) asks_for: Option<AsksFor>,
    /// What its messages do with files, where only some of them name these.
    pub(super) file_use: Option<ReadFileUse>,
    /// A response by [`transaction`](Self::transaction) is only a part of an answer: others follow with the same number.
    pub(super) goes_on: Option<fn(&[u8]) -> bool>,
    /// Every request has one answer, which may have parts, and nothing is an answer that was not asked for: where the one is in a capture
    /// without the other, that is missing.
    pub(super) one_answer: bool,
    /// Clients take what [`transaction`](Self::transaction) reads again at once: it may be the same in all of their requests.
    pub(super) numbers_again: bool,
    /// Over SCTP a response says nothing of its request, and comes in a stream of its own.
    pub(super) answered_alone: bool,
    /// How responses are told apart that come in the order of their requests, and say nothing of these.
    pub(super) in_order: Option<&'static InOrder>,
    /// Its messages announce connections that do not wait for them: they are told as soon as they are there.
    pub(super) announces: bool,
    /// What of a message is listed by name.
    pub(super) fields: Option<ReadFields>,
    /// The names, all that there are.
    pub(super) field_names: &'static [&'static str],
    /// Words of that line that stand ahead of what a request asks for.
    pub(super) words_ahead: usize,
    /// The end of that line is worth as much as its beginning: how a response ends what was asked for, or the name that a request
    /// is about. Else it begins with that, as status lines do.
    pub(super) result_last: bool,
    /// One line on a message over TCP or UDP; None: its first line.
    pub(super) summary: Option<Summary>,
    /// One line on a response, where its octets alone do not tell that it is one; None: that of any message.
    pub(super) response_summary: Option<Summary>,
    /// One line on a user message of SCTP; None: its first line.
    pub(super) user_message_summary: Option<Summary>,
    /// Its search costs so little that streams from the middle are searched to any length without a port that hints at it.
    pub(super) cheap_search: bool,
    /// What follows a message that switches the protocol may be this one again, as HTTP in a tunnel that HTTP opened.
    pub(super) tunnels: bool,
    /// What a server of it sends may go on for millions of octets without a word of the client.
    pub(super) long_answers: bool,
    /// A server answers from a port of its own, so that what it says is a flow of its own, in which it speaks first.
    pub(super) server_begins: bool,
    /// Both sides speak it at once, behind an upgrade: what one of them sends tells of both.
    pub(super) upgrades: bool,
    /// Whom the connection is between by this message: a proxy's, or a request for a tunnel.
    pub(super) names_ends: Option<ReadNamedEnds>,
    /// Its datagrams stand around others, which a proxy passes on. At most one row of the table has this.
    pub(super) relayed: Option<ReadRelayed>,
    /// Its message stands before a connection of any other protocol, for which the ports stand as if it was not there.
    pub(super) prefix: bool,
    /// Recognises its first octets in the middle of a connection that spoke another protocol. For a protocol that others
    /// switch to: the messages that agreed on it may be lost. At most one row of the table has this.
    pub(super) interrupts: Option<fn(&[u8]) -> bool>,
    /// Whole messages from the specification, in hexadecimal digits, and their kind.
    #[cfg(test)]
    pub(super) samples: &'static [(&'static str, Kind)],
}

impl ProtocolRow {
    /// A row that says nothing.
    pub(super) const NONE: Self = Self {
        name: "",
        aliases: &[],
        alpn: &[],
        about: "",
        ports: &[],
        ppids: &[],
        user_message: None,
        bundled: None,
        kind: None,
        transaction: None,
        short_transaction: None,
        answered_elsewhere: false,
        asks_for: None,
        file_use: None,
        goes_on: None,
        one_answer: false,
        numbers_again: false,
        answered_alone: false,
        in_order: None,
        announces: false,
        fields: None,
        field_names: &[],
        words_ahead: 0,
        result_last: false,
        summary: None,
        response_summary: None,
        user_message_summary: None,
        cheap_search: false,
        tunnels: false,
        long_answers: false,
        server_begins: false,
        upgrades: false,
        names_ends: None,
        relayed: None,
        prefix: false,
        interrupts: None,
        #[cfg(test)]
        samples: &[],
    };

    /// One of a connection's ports hints at the protocol.
    pub(super) fn hinted(&self, ports: (u16, u16)) -> bool {
        self.ports.contains(&ports.0) || self.ports.contains(&ports.1)
    }
}

/// How a protocol is recognised in a UDP datagram. A protocol may have several such rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct DatagramRow {
    /// What it is over UDP.
    pub(super) about: &'static str,
    /// Ports that it is looked for on; none: on all.
    pub(super) ports: &'static [u16],
    /// The octets can be its own.
    pub(super) is_plausible: fn(&[u8]) -> bool,
}

/// How a protocol is recognised in a user message of SCTP whose payload protocol identifier names nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct UserMessageRow {
    /// Ports that it is looked for on, those that IANA has assigned to it over SCTP; none: on all.
    pub(super) ports: &'static [u16],
    /// The octets can be its own: they, and whether they are the whole user message.
    pub(super) is_plausible: fn(&[u8], bool) -> bool,
}

/// A payload protocol identifier (IANA, "SCTP Payload Protocol Identifiers").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ppid {
    /// The number.
    pub(super) number: u32,
    /// The protocol, and what defines it.
    pub(super) title: &'static str,
}

impl Ppid {
    /// A number and its title.
    pub(super) const fn new(number: u32, title: &'static str) -> Self {
        Self { number, title }
    }
}

/// The ports are none, which stands for any, or contain one of these.
pub(super) fn near(ports: &[u16], (src, dst): (u16, u16)) -> bool {
    ports.is_empty() || ports.contains(&src) || ports.contains(&dst)
}

/// A number for what a request has and its answer repeats. Nothing hangs on it but the time that an answer took: no key is needed.
pub(super) fn transaction_number(repeated: impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    repeated.hash(&mut hash);
    hash.finish()
}
