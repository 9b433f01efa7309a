//! SCTP chunks as `--trace` shows them.

use crate::base::stream::GapCause;
use std::fmt;

/// Ranges of a SACK that are shown; of more, their number.
// A line of a terminal takes so many; a receiver behind a bad link reports dozens.
pub const SHOWN_RANGES: usize = 4;

/// A chunk of an SCTP packet. As text: its type in brackets, what it says, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkEvent {
    /// DATA or I-DATA.
    Data {
        /// It is I-DATA (RFC 8260).
        interleaved: bool,
        /// The B, E and U bits.
        begins: bool,
        /// The last chunk of its message.
        ends: bool,
        /// Not in the order of its stream.
        unordered: bool,
        /// Its number.
        tsn: u32,
        /// Stream identifier.
        stream: u16,
        /// SSN, or MID of I-DATA.
        seq: u32,
        /// PPID; of an I-DATA chunk without B bit, the FSN.
        ppid: u32,
        /// Octets of user data.
        len: u64,
        /// What became of it.
        fate: DataFate,
    },
    /// INIT or INIT ACK.
    Init {
        /// It is the answer.
        ack: bool,
        /// The verification tag that its sender wants to see.
        tag: u32,
        /// The sender's first TSN.
        tsn: u32,
    },
    /// SACK.
    Sack {
        /// The cumulative TSN ack.
        cumulative: u32,
        /// First and last TSN of the gap ack blocks, as far as they are shown.
        ranges: [Option<(u32, u32)>; SHOWN_RANGES],
        /// Gap ack blocks, shown or not.
        blocks: u64,
        /// Duplicate TSNs that it reports.
        duplicates: u16,
    },
    /// A SHUTDOWN acknowledges a TSN; a FORWARD-TSN abandons what stands before one.
    UpTo {
        /// Name of the type.
        name: &'static str,
        /// What it does.
        does: &'static str,
        /// The TSN.
        tsn: u32,
    },
    /// Any other.
    Other {
        /// Type of the chunk.
        kind: u8,
        /// Its name; None where the type is not known.
        name: Option<&'static str>,
    },
    /// A chunk whose length is impossible: what follows in the packet is not used.
    Unreadable,
}

/// What became of a data chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFate {
    /// Its TSN comes next.
    InOrder,
    /// It fills, or helps to fill, a hole.
    Fills,
    /// It is behind a hole.
    Behind {
        /// First TSN of the hole.
        hole: u32,
        /// TSNs that lack there.
        tsns: u64,
    },
    /// Its TSN was there already.
    Duplicate,
    /// Its hole was given up.
    Late,
    /// It stands before the first TSN of an association captured from the middle.
    BeforeStart,
    /// It is held for earlier ones (`--look-behind`).
    LookedBehind,
    /// Its TSN is too far off for a hole: held until another one continues it.
    HeldJump,
    /// It continues a jump.
    ConfirmsJump,
    /// It has no user data.
    Empty,
    /// A damaged copy: second choice.
    Damaged,
}

impl fmt::Display for ChunkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Data {
                interleaved,
                begins,
                ends,
                unordered,
                tsn,
                stream,
                seq,
                ppid,
                len,
                fate,
            } => {
                f.write_str(if interleaved { " [I-DATA" } else { " [DATA" })?;
                if begins || ends || unordered {
                    f.write_str(" ")?;
                }
                for (set, letter) in [(unordered, "U"), (begins, "B"), (ends, "E")] {
                    f.write_str(if set { letter } else { "" })?;
                }
                let seq_name = if interleaved { "MID" } else { "SSN" };
                write!(f, "] TSN {tsn}, stream {stream}, {seq_name} {seq}")?;
                let last = if interleaved && !begins {
                    "FSN"
                } else {
                    "PPID"
                };
                write!(f, ", {last} {ppid}, {len} bytes: {fate}")
            }
            Self::Init { ack, tag, tsn } => {
                let name = if ack { "INIT ACK" } else { "INIT" };
                write!(f, " [{name}] tag {tag:#010x}, first TSN {tsn}")
            }
            Self::Sack {
                cumulative,
                ranges,
                blocks,
                duplicates,
            } => {
                write!(f, " [SACK] acknowledges up to TSN {cumulative}")?;
                let shown = ranges.iter().flatten();
                for (first, last) in shown.clone() {
                    write!(f, ", and {first}")?;
                    if first != last {
                        write!(f, "-{last}")?;
                    }
                }
                let more = blocks.saturating_sub(shown.count() as u64);
                if more > 0 {
                    write!(f, ", and {more} more ranges")?;
                }
                if duplicates > 0 {
                    write!(f, ", reports {duplicates} duplicates")?;
                }
                Ok(())
            }
            Self::UpTo { name, does, tsn } => write!(f, " [{name}] {does} up to TSN {tsn}"),
            Self::Other {
                name: Some(name), ..
            } => write!(f, " [{name}]"),
            Self::Other { kind, name: None } => write!(f, " [type {kind}]"),
            Self::Unreadable => f.write_str(
                ": a chunk cannot be read, and what follows it in the packet is not used",
            ),
        }
    }
}

impl fmt::Display for DataFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::Behind { hole, tsns: 1 } => {
                return write!(f, "behind a hole of 1 TSN at {hole}");
            }
            Self::Behind { hole, tsns } => {
                return write!(f, "behind a hole of {tsns} TSNs at {hole}");
            }
            Self::InOrder => "in order",
            Self::Fills => "fills a hole",
            Self::Duplicate => "duplicate",
            Self::Late => "late: its hole was given up, dropped",
            Self::BeforeStart => "before the start, dropped",
            Self::LookedBehind => {
                "is held for earlier ones: the association was captured from the middle"
            }
            Self::HeldJump => "a jump over --max-gap, held until it is confirmed",
            Self::ConfirmsJump => "confirms the jump",
            Self::Empty => "no user data, dropped",
            Self::Damaged => "damaged copy (wrong checksum or length), kept as second choice",
        })
    }
}

/// TSNs that are given up, in words. `cause`: None where their sender abandoned them.
pub(crate) fn given_up(
    f: &mut fmt::Formatter<'_>,
    tsn: u32,
    tsns: u64,
    cause: Option<GapCause>,
) -> fmt::Result {
    write!(f, " TSN {tsn}")?;
    if tsns > 1 {
        // Numbers wrap.
        #[allow(clippy::cast_possible_truncation)]
        let last = tsn.wrapping_add((tsns - 1) as u32);
        write!(f, "-{last}")?;
    }
    let s = if tsns == 1 { "" } else { "s" };
    let why = cause.map_or("its sender abandoned it", GapCause::text);
    write!(f, ": gap of {tsns} TSN{s}: {why}")
}
