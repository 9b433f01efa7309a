//! What becomes of chosen connections, event by event (`--trace`).
//!
//! [`Assembler::trace`](crate::assembler::Assembler::trace) turns it on. The stages then emit each event to a function as it
//! happens; where it is off, that costs one look at a flag.

use crate::base::chunk_trace::{self, ChunkEvent};
use crate::base::connection_rule::ConnectionRule;
use crate::base::counters::Discard;
use crate::base::flags;
use crate::base::flow::Transport;
use crate::base::message::{Extent, Kind};
use crate::base::stream::{Close, GapCause};
use crate::base::time::Timestamp;
use std::fmt;
use std::net::SocketAddr;

/// Something that happened in a connection. As text: one line for people.
///
/// Offsets count from the first octet of a stream; they are negative before it, in streams captured from the middle.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The packet that brought it about.
    pub frame: u64,
    /// When that was captured.
    pub time: Timestamp,
    /// The connection's transport.
    pub transport: Transport,
    /// The connection's number; None where a segment belongs to none.
    pub number: Option<u64>,
    /// Sender of the octets that it is about.
    pub src: SocketAddr,
    /// Their receiver.
    pub dst: SocketAddr,
    /// What happened.
    pub what: EventKind,
}

/// What happened in a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A TCP segment was captured, or comes out of where it was held.
    Segment {
        /// Control bits.
        flags: u8,
        /// Offset of its first octet, where the stream's numbers are known.
        offset: Option<i64>,
        /// Octets of data by its headers.
        len: u32,
        /// What became of it.
        fate: Fate,
    },
    /// Octets that waited are delivered.
    Freed {
        /// Offset of the first.
        offset: i64,
        /// How many.
        len: u64,
        /// The packet that had brought them.
        from: u64,
    },
    /// A hole was given up, or a jump taken: the stream has a gap.
    Gap {
        /// Offset of the first missing octet.
        offset: i64,
        /// How many are missing; None where nobody can know.
        len: Option<u64>,
        /// Why.
        cause: GapCause,
    },
    /// Delivery begins in a stream that was captured from the middle: it was looked behind.
    Starts,
    /// Octets wait until the other direction has come to what they need.
    Blocked {
        /// Offset of the first.
        offset: i64,
    },
    /// A damaged copy fills a hole that would have been given up.
    DamagedUsed {
        /// Offset of its first octet.
        offset: i64,
        /// Octets of it.
        len: u64,
    },
    /// A message begins.
    MessageBegins {
        /// Its protocol, by Wireshark's name.
        protocol: &'static str,
        /// Request, response or neither.
        kind: Kind,
        /// How far it reaches.
        extent: Extent,
        /// Offset of its first octet.
        offset: i64,
    },
    /// The open message ends.
    MessageEnds {
        /// Offset behind its last octet.
        offset: i64,
        /// Nothing of it is missing.
        whole: bool,
    },
    /// A chunk of an SCTP packet was captured, or comes out of where it was held.
    Chunk(ChunkEvent),
    /// TSNs of SCTP are given up.
    ChunkGap {
        /// The first of them.
        tsn: u32,
        /// How many there are.
        tsns: u64,
        /// Why; None where their sender abandoned them.
        cause: Option<GapCause>,
    },
    /// A packet of SCTP could not be used.
    Dropped(Discard),
    /// An SCTP user message.
    UserMessage {
        /// TSN of its first chunk.
        tsn: u32,
        /// Stream identifier.
        stream: u16,
        /// Its protocol, by Wireshark's name.
        protocol: &'static str,
        /// Octets of it.
        len: u64,
        /// Nothing of it is missing.
        whole: bool,
    },
    /// A UDP datagram.
    Message {
        /// Its protocol, by Wireshark's name.
        protocol: &'static str,
        /// Octets of it.
        len: u64,
        /// Nothing of it is missing.
        whole: bool,
    },
    /// A stream has ended.
    StreamEnds(Close),
    /// The connection has ended.
    Ends(Close),
}

/// What became of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It carries no data; what its flags and acknowledgment say was used.
    Used {
        /// What it acknowledges: an offset in the other stream.
        ack: Option<i64>,
    },
    /// It carries no data, and its RST counts, or not, as its number is not in the window.
    Reset(bool),
    /// Its octets come next: delivered. So many of them were there before.
    InOrder {
        /// Octets that were delivered before.
        known: u64,
    },
    /// It fills, or helps to fill, the hole that is next, or one behind it.
    Fills(Overlaps),
    /// It waits behind a hole.
    Waits {
        /// Offset of the hole's first octet.
        hole: i64,
        /// Octets that lack there.
        len: u64,
        /// Octets that waited already.
        overlaps: Overlaps,
    },
    /// It waits until the other side has acknowledged it (`--wait-ack`).
    WaitsForAck(Overlaps),
    /// It waits behind octets that the other direction keeps waiting.
    WaitsForOther(Overlaps),
    /// Every octet is there already, delivered or waiting; with other content or not.
    Duplicate(Overlaps),
    /// It is for a hole that was given up: dropped.
    Late,
    /// It stands before the first octet of a stream that was captured from the middle: dropped.
    BeforeStart,
    /// It is held for earlier ones (`--look-behind`).
    LookedBehind(Overlaps),
    /// A keep-alive: its octet is none.
    KeepAlive,
    /// Its octets stand behind the FIN: dropped.
    BehindFin,
    /// Its checksum is wrong and its sender's are right elsewhere: kept as second choice, or of no use.
    Damaged(bool),
    /// Its checksum is wrong: dropped (`--checksums verify`).
    BadChecksum,
    /// A SYN with another number: held until it is answered or followed.
    HeldSyn,
    /// Its number is too far off for a hole (`--max-gap`): held until another one continues it.
    HeldJump,
    /// It continues a jump: the stream goes on there.
    ConfirmsJump,
    /// A new connection begins on the same ports.
    Replaces,
    /// Its numbers fit no connection: moves nothing.
    Stray,
    /// It belongs to a connection that has ended; its octets were there, or not.
    AfterEnd(bool),
    /// A copy on a channel that is not followed (`--vlan first`): left out.
    OtherChannel,
}

/// Octets of a segment that waited already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlaps {
    /// How many.
    pub known: u64,
    /// With other content.
    pub conflict: bool,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.time.secs() % 86_400;
        let (h, m, s) = (day / 3600, day / 60 % 60, day % 60);
        let us = self.time.subsec_nanos() / 1000;
        let transport = self.transport.name();
        write!(
            f,
            "{} {h:02}:{m:02}:{s:02}.{us:06} {transport} ",
            self.frame
        )?;
        match self.number {
            Some(n) => write!(f, "{n}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {} > {}", self.src, self.dst)?;
        self.what.fmt(f)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Segment {
                flags,
                offset,
                len,
                fate,
            } => {
                f.write_str(" [")?;
                for (bit, sign) in [
                    (flags::SYN, 'S'),
                    (flags::FIN, 'F'),
                    (flags::RST, 'R'),
                    (flags::PSH, 'P'),
                    (flags::URG, 'U'),
                    (flags::ACK, '.'),
                ] {
                    if flags & bit != 0 {
                        write!(f, "{sign}")?;
                    }
                }
                f.write_str("]")?;
                match offset {
                    Some(at) if len > 0 => write!(f, " {at}:{}", at.saturating_add(len.into()))?,
                    Some(at) => write!(f, " {at}")?,
                    None if len > 0 => write!(f, " {len} bytes")?,
                    None => {}
                }
                write!(f, ": {fate}")
            }
            Self::Freed { offset, len, from } => {
                let end = offset.saturating_add_unsigned(len);
                write!(f, " {offset}:{end}: delivered, from packet {from}")
            }
            Self::Gap { offset, len, cause } => {
                match len {
                    Some(len) => {
                        let end = offset.saturating_add_unsigned(len);
                        write!(f, " {offset}:{end}: gap of {len} bytes: ")?;
                    }
                    None => write!(f, " {offset}: gap of unknown length: ")?,
                }
                f.write_str(cause.text())
            }
            Self::Starts => f.write_str(": was looked behind, delivery begins"),
            Self::Blocked { offset } => {
                write!(f, " {offset}: waits for the other direction")
            }
            Self::DamagedUsed { offset, len } => {
                let end = offset.saturating_add_unsigned(len);
                write!(
                    f,
                    " {offset}:{end}: the damaged copy is used, for want of a better one"
                )
            }
            Self::MessageBegins {
                protocol,
                kind,
                extent,
                offset,
            } => {
                let kind = match kind {
                    Kind::Request => " request",
                    Kind::Response => " response",
                    Kind::Other => "",
                };
                write!(f, " {offset}: message begins: {protocol}{kind}, ")?;
                match extent {
                    Extent::Known(len) => write!(f, "{len} bytes"),
                    Extent::Open => f.write_str("its length is told as it goes"),
                    Extent::ToClose => f.write_str("to the end of the stream"),
                }
            }
            Self::MessageEnds { offset, whole } => {
                write!(f, " {offset}: message ends, {}", whole_or_not(whole))
            }
            Self::Message {
                protocol,
                len,
                whole,
            } => {
                let whole = whole_or_not(whole);
                write!(f, ": message: {protocol}, {len} bytes, {whole}")
            }
            Self::Chunk(chunk) => chunk.fmt(f),
            Self::ChunkGap { tsn, tsns, cause } => chunk_trace::given_up(f, tsn, tsns, cause),
            Self::Dropped(why) => {
                let (section, name) = (why.section(), why.name());
                write!(f, ": dropped as {section}.{name}: {}", why.text())
            }
            Self::UserMessage {
                tsn,
                stream,
                protocol,
                len,
                whole,
            } => {
                let whole = whole_or_not(whole);
                write!(
                    f,
                    " TSN {tsn}, stream {stream}: message: {protocol}, {len} bytes, {whole}"
                )
            }
            Self::StreamEnds(close) => write!(f, ": stream ends: {}", words(close)),
            Self::Ends(close) => write!(f, ": connection ends: {}", words(close)),
        }
    }
}

const fn whole_or_not(whole: bool) -> &'static str {
    if whole { "whole" } else { "incomplete" }
}

const fn words(close: Close) -> &'static str {
    match close {
        Close::Fin => "FIN",
        Close::Reset => "RST",
        Close::Idle => "idle for too long",
        Close::Evicted => "a limit on number or memory",
        Close::Replaced => "a new one on the same ports",
        Close::EndOfInput => "end of the input",
        Close::Unconfirmed => "nothing confirmed it",
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let overlaps = match *self {
            Self::Waits {
                hole,
                len,
                overlaps,
            } => {
                write!(f, "waits behind a hole of {len} bytes at {hole}")?;
                overlaps
            }
            Self::InOrder { known } => {
                f.write_str("in order")?;
                if known > 0 {
                    write!(f, ", {known} bytes of it were there already")?;
                }
                return Ok(());
            }
            Self::Fills(overlaps)
            | Self::WaitsForAck(overlaps)
            | Self::WaitsForOther(overlaps)
            | Self::LookedBehind(overlaps) => {
                f.write_str(match self {
                    Self::Fills(_) => "fills a hole",
                    Self::WaitsForAck(_) => "waits for its acknowledgment",
                    Self::WaitsForOther(_) => "waits for the other direction",
                    _ => "is held for earlier ones: the stream was captured from the middle",
                })?;
                overlaps
            }
            Self::Duplicate(overlaps) => {
                f.write_str("duplicate")?;
                Overlaps {
                    known: 0,
                    ..overlaps
                }
            }
            Self::Used { ack: Some(ack) } => return write!(f, "acknowledges {ack}"),
            Self::Used { ack: None } => return f.write_str("no data"),
            Self::Reset(true) => return f.write_str("resets the connection"),
            Self::Reset(false) => {
                return f.write_str("a reset outside the window: moves nothing");
            }
            Self::Late => return f.write_str("late: its hole was given up, dropped"),
            Self::BeforeStart => return f.write_str("before the start, dropped"),
            Self::KeepAlive => return f.write_str("keep-alive, no data"),
            Self::BehindFin => return f.write_str("behind the FIN, dropped"),
            Self::Damaged(true) => {
                return f.write_str("damaged copy (wrong checksum), kept as second choice");
            }
            Self::Damaged(false) => {
                return f.write_str("damaged copy (wrong checksum) of no use, dropped");
            }
            Self::BadChecksum => return f.write_str("wrong checksum, dropped"),
            Self::HeldSyn => {
                return f.write_str("a SYN with another number, held until it is confirmed");
            }
            Self::HeldJump => {
                return f.write_str("a jump over --max-gap, held until it is confirmed");
            }
            Self::ConfirmsJump => return f.write_str("confirms the jump"),
            Self::Replaces => return f.write_str("a new connection on the same ports"),
            Self::Stray => return f.write_str("fits no connection, dropped"),
            Self::AfterEnd(true) => return f.write_str("after the end, duplicate"),
            Self::AfterEnd(false) => return f.write_str("after the end, dropped"),
            Self::OtherChannel => {
                return f.write_str("copy on a channel that is not followed, dropped");
            }
        };
        if overlaps.known > 0 {
            write!(f, ", {} bytes of it were there already", overlaps.known)?;
        }
        if overlaps.conflict {
            f.write_str(", with other content")?;
        }
        Ok(())
    }
}

/// Where events go.
pub type Listener = Box<dyn FnMut(&Event) + Send>;

/// Whether events are told, of which connections, and to whom. No part of the state that is saved: it is off in what is
/// read back.
#[derive(Default)]
pub(crate) struct Trace(Option<Box<(ConnectionRule, Listener)>>);

impl Trace {
    pub(crate) fn new(rule: ConnectionRule, to: Listener) -> Self {
        Self(Some(Box::new((rule, to))))
    }

    /// Some connections are traced.
    pub(crate) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Emits an event, if its connection is chosen.
    pub(crate) fn emit(&mut self, event: &Event) {
        if let Some(trace) = &mut self.0
            && trace
                .0
                .takes_ends(event.transport, event.number, event.src, event.dst)
        {
            (trace.1)(event);
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace")
            .field(&self.0.as_ref().map(|t| &t.0))
            .finish()
    }
}
