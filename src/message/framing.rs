//! What a protocol has to tell: whether a stream is its own, and where its messages begin and end.

use super::custom::CustomFramer;
use super::headers::Headers;
use super::http1::Http1;
use super::length::LengthPrefixed;
use super::lines::Lines;
use super::pgsql::Pgsql;
use super::resp::Resp;
use super::rules::UserFramer;
use super::tls::Tls;
use crate::base::flow::Direction;
use crate::base::message::{Extent, Kind};
use crate::base::stream::Side;
use serde::{Deserialize, Serialize};

/// What a detector thinks of the first octets of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// They are its protocol's.
    Yes,
    /// They are not.
    No,
    /// It cannot tell yet.
    More,
}

/// Recognises one protocol. It has no state: what it remembers is its [`Framer`]'s.
pub trait Detector: Sync {
    /// Wireshark's name for the protocol.
    fn name(&self) -> &'static str;

    /// What the protocol is, in a few words.
    fn about(&self) -> &'static str;

    /// Ports that hint at it.
    fn ports(&self) -> &'static [u16] {
        &[]
    }

    /// What it thinks of octets that stand where a message begins. `ports` are the source's and the destination's.
    fn probe(&self, octets: &[u8], ports: (u16, u16)) -> Probe;

    /// Where in `octets` a message of a stream begins whose protocol is not known, if the protocol can be recognised
    /// anywhere. `more`: octets may follow.
    fn search(&self, octets: &[u8], ports: (u16, u16), more: bool) -> Found {
        let _ = (ports, more);
        Found::Nowhere { keep: octets.len() }
    }

    /// A stream on these ports that was captured from the middle is presumed to be its protocol's, so that what is left of
    /// a message whose beginning is missing is no message of its own.
    fn presumes(&self, ports: (u16, u16)) -> bool {
        self.ports().contains(&ports.0) || self.ports().contains(&ports.1)
    }

    /// What frames a connection of this protocol.
    fn framer(&self) -> AnyFramer;
}

/// The answer of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A message begins at this place.
    At(usize),
    /// None begins before `keep`; what stands from there on cannot be told yet.
    Nowhere {
        /// Octets that need not be looked at again.
        keep: usize,
    },
}

/// What follows the octets that a framer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// More octets may follow.
    Octets,
    /// Octets are missing behind them.
    Gap,
    /// The stream ends behind them.
    End,
}

/// Where octets stand.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// Direction of the stream.
    pub direction: Direction,
    /// Ports of its source and its destination.
    pub ports: (u16, u16),
    /// Offsets at which segments begin, as far as that is known.
    pub segments: &'a [u64],
    /// What was taken before the last of these segments ended with PSH.
    pub pushed: bool,
    /// The last octet ends a segment with PSH.
    pub push: bool,
    /// Offset of the first octet in its stream.
    pub offset: u64,
    /// What the segment of the first octet acknowledged, as an offset in the other stream.
    pub ack: Option<u64>,
    /// The other stream.
    pub other: Side,
    /// What follows.
    pub next: Following,
    /// Octets a header section may have.
    pub limit: usize,
}

impl Position<'_> {
    /// Whether a segment is known to begin so many octets behind the first.
    pub fn segment(&self, behind: usize) -> bool {
        self.segments.contains(&(self.offset + behind as u64))
    }

    /// The other stream has been delivered, or given up, to what was acknowledged here; else how far it has to come.
    pub fn wait_for_other(&self) -> Option<u64> {
        let until = self.ack?;
        let there = self.other.delivered >= until || self.other.ended || self.other.absent;
        (!there).then_some(until)
    }
}

/// How a message goes on behind its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageBody {
    /// With this many octets.
    Octets(u64),
    /// With this many octets, unless a message begins before.
    Supposed(u64),
    /// As [`Framer::part`] will tell.
    Parts,
    /// To the end of the stream.
    ToClose,
}

/// What stands where a message should begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It cannot be told without more octets.
    NeedMore,
    /// It cannot be told before the other stream has come to this offset.
    Wait(u64),
    /// So many octets that belong to no message.
    Skip(usize),
    /// A message.
    Message {
        /// Request, response or neither.
        kind: Kind,
        /// Octets of its header.
        head: usize,
        /// What follows them.
        body: MessageBody,
        /// Behind this message the connection speaks another protocol.
        hand_over: bool,
    },
    /// No message of this protocol.
    Refuse,
}

/// How the open message goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPart {
    /// It cannot be told without more octets.
    NeedMore,
    /// So many octets belong to it; then the question comes again.
    Octets(u64),
    /// So many octets, and the message is complete.
    Last(u64),
    /// It does not go on as it should.
    Refuse,
}

/// Says where the messages of one connection begin and end; sees both directions. Plain data.
///
/// Octets that it is shown again begin where it was shown them before, with more behind them: it remembers how far it
/// has looked, so that no octet is read twice.
pub trait Framer {
    /// What stands at `octets`, where a message should begin.
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin;

    /// How the message that said [`MessageBody::Parts`] goes on at `octets`.
    fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        let _ = (at, octets);
        BodyPart::Refuse
    }

    /// The protocol that follows the message that handed the connection over, where that has named one: its row is asked for
    /// no opinion.
    fn opens(&self) -> Option<&'static str> {
        None
    }

    /// A search here has to wait until the other stream has come to this offset.
    fn search_waits(&mut self, at: &Position) -> Option<u64> {
        let _ = at;
        None
    }

    /// Where the next message begins, after a gap or at a start in the middle.
    fn search(&mut self, at: &Position, octets: &[u8]) -> Found;

    /// Where in the other stream the request begins that the response which began last answers, if that is known.
    fn answers(&self) -> Option<u64> {
        None
    }

    /// Octets are missing in a direction; what was remembered of the octets before is void.
    fn gap(&mut self, direction: Direction) {
        let _ = direction;
    }

    /// How far a message that is open and has no end yet reaches, by what its header said.
    fn extent(body: MessageBody, head: usize) -> Extent
    where
        Self: Sized,
    {
        match body {
            MessageBody::Octets(n) | MessageBody::Supposed(n) => {
                Extent::Known(n.saturating_add(head as u64))
            }
            MessageBody::Parts => Extent::Open,
            MessageBody::ToClose => Extent::ToClose,
        }
    }
}

macro_rules! framers {
    ($( $(#[$doc:meta])* $Variant:ident($Framer:ty): |$f:ident| $name:expr, $size:expr; )*) => {
        /// The framers there are.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub enum AnyFramer { $( $(#[$doc])* $Variant($Framer), )* }

        impl AnyFramer {
            /// Wireshark's name of the protocol, or the user's.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$Variant($f) => { let _ = $f; $name } )* }
            }

            /// Octets allocated.
            pub fn size(&self) -> usize {
                match self { $( Self::$Variant($f) => { let _ = $f; $size } )* }
            }
        }

        impl Framer for AnyFramer {
            fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
                match self { $( Self::$Variant(f) => f.begin(at, octets), )* }
            }

            fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
                match self { $( Self::$Variant(f) => f.part(at, octets), )* }
            }

            fn opens(&self) -> Option<&'static str> {
                match self { $( Self::$Variant(f) => f.opens(), )* }
            }

            fn search_waits(&mut self, at: &Position) -> Option<u64> {
                match self { $( Self::$Variant(f) => f.search_waits(at), )* }
            }

            fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
                match self { $( Self::$Variant(f) => f.search(at, octets), )* }
            }

            fn answers(&self) -> Option<u64> {
                match self { $( Self::$Variant(f) => f.answers(), )* }
            }

            fn gap(&mut self, direction: Direction) {
                match self { $( Self::$Variant(f) => f.gap(direction), )* }
            }
        }
    };
}

framers! {
    /// HTTP/1.x.
    Http1(Box<Http1>): |f| "http", f.size();
    /// A row of the table of length-prefixed protocols.
    Length(LengthPrefixed): |f| f.name(), 0;
    /// TLS.
    Tls(Tls): |f| "tls", 0;
    /// PostgreSQL.
    Pgsql(Pgsql): |f| "pgsql", 0;
    /// SIP and RTSP.
    Headers(Headers): |f| f.name(), 0;
    /// Redis.
    Resp(Box<Resp>): |f| "resp", f.size();
    /// SMTP, FTP, POP, IMAP.
    Lines(Box<Lines>): |f| f.name(), f.size();
    /// A row of the user's.
    User(Box<UserFramer>): |f| f.name(), f.size();
    /// A detector of a user of the library.
    Custom(CustomFramer): |f| f.name(), 0;
}
