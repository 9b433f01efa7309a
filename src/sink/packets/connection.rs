//! What an output of packets keeps with a TCP connection.

use super::pending::PendingMessage;
use super::synthetic::Ends;
use super::track::Track;
use crate::base::context::Context;
use crate::base::flow::{Direction, Flow};
use crate::base::packet::LinkHeader;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::Side;
use crate::transport::stream::StreamContext;

/// No offset: smaller than an `Option` in what is kept of every connection. No stream is so long.
pub(super) const NONE: u64 = u64::MAX;

/// What an output of packets keeps with a connection; made when its first message begins.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PacketConnection {
    /// Offset behind what was written of each direction; [`NONE`] where nothing was.
    pub(super) written: [u64; 2],
    /// Where each direction begins by the numbers that were written until now, of which nothing has been written itself.
    pub(super) announced: [u64; 2],
    /// Highest offset of the other stream that a message of this direction has acknowledged; [`NONE`] where none.
    pub(super) known: [u64; 2],
    /// The open messages.
    pub(super) open: [Option<Box<PendingMessage>>; 2],
    /// A packet of this connection was written.
    pub(super) begun: bool,
    /// The number of the last client that has read how it begins; those of a run are no others' business.
    #[serde(skip)]
    pub(super) shown_to: u64,
    /// The direction that asks, as far as the first message shows.
    pub(super) client: Option<Direction>,
    /// That is more than a guess.
    pub(super) client_is_known: bool,
    /// The last message of each direction was a request of a known protocol.
    pub(super) asks: [bool; 2],
    /// The last request was one whose answer has no body whatever its header says: HEAD or CONNECT.
    pub(super) asks_for_header: bool,
    /// FIN was written.
    pub(super) fin: [bool; 2],
    /// Where the octets of each stream stood, with `--track`.
    pub(super) track: [Track; 2],
}

impl PacketConnection {
    fn new() -> Self {
        Self {
            written: [NONE; 2],
            announced: [0; 2],
            known: [NONE; 2],
            open: [None, None],
            begun: false,
            shown_to: 0,
            client: None,
            client_is_known: false,
            asks: [false; 2],
            asks_for_header: false,
            fin: [false; 2],
            track: Default::default(),
        }
    }

    /// Direction `d` has acknowledged the other stream up to this offset.
    pub(super) fn note_acknowledged(&mut self, d: usize, upto: Option<u64>) {
        if let Some(upto) = upto
            && (self.known[d] == NONE || upto > self.known[d])
        {
            self.known[d] = upto;
        }
    }

    /// Octets that the budget knows of, where no message is open and no place of octets is kept.
    pub(super) fn charged(&self) -> Option<usize> {
        let idle = self.open.iter().all(Option::is_none) && self.track.iter().all(Track::is_empty);
        idle.then(|| allocated(size_of::<Self>()))
    }

    /// What is kept of the connection, which may be new.
    pub(super) fn of<'a>(cx: &mut Context, state: &'a mut Option<Box<Self>>) -> &'a mut Self {
        state.get_or_insert_with(|| {
            cx.budget.take(allocated(size_of::<Self>()));
            Box::new(Self::new())
        })
    }
}

/// An event of a message, with what this output keeps for its connection.
pub(super) type PacketEvent<'a> = StreamContext<'a, Option<Box<PacketConnection>>>;

/// Where a packet of a TCP connection belongs.
#[derive(Clone, Copy)]
pub(super) struct StreamRef<'a> {
    pub(super) flow: &'a Flow,
    pub(super) sides: &'a [Side; 2],
    pub(super) direction: Direction,
}

impl<'a> StreamRef<'a> {
    /// That of an event.
    pub(super) fn of(at: &PacketEvent<'a>) -> Self {
        Self {
            flow: at.flow,
            sides: at.sides,
            direction: at.direction,
        }
    }
}

/// The acknowledgment number of a segment: what was known, and never more than what has been written of the other
/// direction, or tshark takes a held message for a retransmission. None where nothing is known of the other direction.
pub(super) fn acknowledgment(place: StreamRef<'_>, conn: &PacketConnection) -> Option<u32> {
    // With nothing written of the other direction its first number is right: anything higher covers
    // octets that are still to come, and tshark then drops them as spurious retransmissions.
    let d = place.direction.index();
    let other = &place.sides[1 - d];
    let offset = match (conn.known[d], conn.written[1 - d]) {
        (_, NONE) => first_offset(place, conn, 1 - d),
        (NONE, _) => other.origin,
        (known, written) => known.min(written),
    };
    other.seq(offset).map(|n| n.0)
}

/// Where what is written of a direction begins, of which nothing has been written yet: as far as can be known.
///
/// A stream from the middle may have to be skipped up to the first message. What a request acknowledges was received
/// whole: what has gone by of it is not written any more. Elsewhere it may still be held, and must not be covered.
pub(super) fn first_offset(place: StreamRef<'_>, conn: &PacketConnection, i: usize) -> u64 {
    let side = &place.sides[i];
    match (&conn.open[i], conn.known[1 - i]) {
        (Some(open), _) => open.start,
        (None, NONE) => side.origin,
        (None, _) if side.from_start || !conn.asks[1 - i] => side.origin,
        (None, known) => side.origin.max(side.delivered.min(known)),
    }
}

/// Who sends to whom in this direction. Where no packet of it was captured, its link header is the other one's, turned
/// round.
pub(super) fn ends(flow: &Flow, direction: Direction) -> Ends {
    let mut link = flow.links[direction.index()];
    // Never seen: as far as the addresses go, the way back is the way there.
    if link == LinkHeader::default() {
        let other = &flow.links[direction.flip().index()];
        link = LinkHeader {
            dst: other.src,
            src: other.dst,
            tags: other.tags,
        };
    }
    Ends {
        src: flow.src(direction),
        dst: flow.dst(direction),
        link,
    }
}
