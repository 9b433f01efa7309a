//! What a protocol answers: whether a stream is its own, and where its messages begin and end.

use super::held_part::{HeldPart, part_at};
use crate::base::flow::Direction;
use crate::base::message::{Extent, Kind};
use crate::base::stream::Side;
use crate::base::time::Timestamp;

/// What a detector thinks of the first octets of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// They are its protocol's.
    Yes,
    /// They are not.
    No,
    /// More octets are needed to say.
    More,
}

/// Recognises one protocol. It has no state: what it remembers is its [`Framer`]'s.
pub trait Detector: Sync {
    /// What it thinks of octets that stand where a message begins. `hinted`: a port of the connection is one that the
    /// protocol is known to use.
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe;

    /// The same of octets that begin a run in the middle of a stream of which nothing was recognised: what only a lenient reader
    /// takes for a beginning may be the content of a message.
    fn probe_run(&self, octets: &[u8], hinted: bool) -> Probe {
        self.probe(octets, hinted)
    }

    /// Where in `octets` a message of a stream begins whose protocol is not known, if the protocol can be recognised
    /// anywhere. `more`: octets may follow.
    fn search(&self, octets: &[u8], hinted: bool, more: bool) -> Found {
        let _ = (hinted, more);
        Found::Nowhere { keep: octets.len() }
    }

    /// It finds beginnings anywhere: else it is not worth asking, for each piece of each stream that nobody knows.
    fn searches(&self, hinted: bool) -> bool {
        let _ = hinted;
        true
    }

    /// Whether octets of which [`probe`](Self::probe) wants more are believed where no more come, or none in time.
    fn settles(&self, octets: &[u8], hinted: bool, ends: DoubtEnds) -> bool {
        let _ = (octets, hinted, ends);
        false
    }

    /// The octets are whole messages and nothing else, each of which could be chance.
    fn fills(&self, octets: &[u8]) -> bool {
        let _ = octets;
        false
    }

    /// How many octets there must be before it is worth asking again about these, which it could not tell; a line feed among
    /// those that come is, too, where it [reads lines](Self::reads_lines).
    fn needs(&self, octets: &[u8], hinted: bool) -> usize {
        let _ = hinted;
        grown(octets.len())
    }

    /// It looks at lines: a line feed among the octets that come is worth a look, however few they are.
    fn reads_lines(&self) -> bool {
        true
    }
}

/// Octets behind which a look at a growing piece is worth it again: half as many more. All looks together then see each octet
/// three times at most.
pub(super) const fn grown(len: usize) -> usize {
    len + 1 + len / 2
}

/// Why octets are not held any longer of which nobody can tell what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubtEnds {
    /// The other side has sent something: nobody answers half a message.
    Turn,
    /// Nothing came for some time.
    Pause,
    /// They are as many as may be held.
    Full,
    /// Octets are missing behind them, or the stream ends there.
    NoMore,
}

/// The answer of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A message begins at this place.
    At(usize),
    /// None begins before `keep`; what stands from there on needs more octets.
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
    /// Offsets at which segments begin, as far as that is known, in order.
    pub segments: &'a [u64],
    /// What was taken before the last of these segments ended with PSH.
    pub pushed: bool,
    /// The last octet ends a segment with PSH.
    pub push: bool,
    /// Offset of the first octet in its stream.
    pub offset: u64,
    /// What the segment of the first octet acknowledged, as an offset in the other stream.
    pub ack: Option<u64>,
    /// When that segment was captured.
    pub time: Timestamp,
    /// The other stream.
    pub other: Side,
    /// What follows.
    pub next: Following,
    /// Octets a header section may have.
    pub limit: usize,
    /// What is in doubt has waited long enough for more.
    pub late: bool,
    /// The segments that the octets came in.
    pub(super) parts: &'a [HeldPart],
    /// How often a write of the sender has ended inside of a message of this stream.
    pub(super) split: u8,
}

impl Position<'_> {
    /// A position of which nothing else is known.
    #[cfg(test)]
    pub(super) fn behind_a_gap(direction: Direction) -> Self {
        Self {
            direction,
            ports: (50_000, 50_001),
            segments: &[],
            pushed: false,
            push: true,
            offset: 1000,
            ack: None,
            time: Timestamp::default(),
            other: Side::default(),
            next: Following::Octets,
            limit: 1 << 16,
            late: false,
            parts: &[],
            split: 0,
        }
    }

    /// Whether a segment is known to begin so many octets behind the first.
    pub fn segment(&self, behind: usize) -> bool {
        let offset = self.offset + behind as u64;
        self.segments.binary_search(&offset).is_ok()
    }

    /// Whether the sender is known to have begun to write so many octets behind the first: a segment begins there, behind one
    /// that ended with PSH.
    pub fn write(&self, behind: usize) -> bool {
        let offset = self.offset + behind as u64;
        let part = part_at(self.parts, offset).and_then(|part| self.parts.get(part));
        part.is_some_and(|part| part.begins_write(offset))
    }

    /// How often the sender began to write inside of the first `len` octets, as far as they are there.
    pub(super) fn writes_within(&self, len: u64) -> usize {
        match self.parts {
            [] | [_] => 0,
            parts => {
                let inside = |part: &&HeldPart| part.begins_between(self.offset, self.offset + len);
                parts.iter().filter(inside).count()
            }
        }
    }

    /// The other stream has been delivered, or given up, to what was acknowledged here; else how far it has to come.
    pub fn wait_for_other(&self) -> Option<u64> {
        // Without an acknowledgment there is nothing to wait for.
        let until = self.ack?;
        // A direction that was never captured would be waited for in vain.
        (!self.other.is_settled(until)).then_some(until)
    }
}

/// How a message goes on behind its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageBody {
    /// With this many octets.
    Octets(u64),
    /// With this many octets, unless a message begins before.
    Supposed(u64),
    /// As [`Framer::part`] says, part by part.
    Parts,
    /// To the end of the stream.
    ToClose,
}

impl MessageBody {
    /// How far the whole message reaches, whose header has `head` octets, by what the header says.
    pub const fn extent(self, head: usize) -> Extent {
        match self {
            Self::Octets(n) | Self::Supposed(n) => Extent::Known(n.saturating_add(head as u64)),
            Self::Parts => Extent::Open,
            Self::ToClose => Extent::ToClose,
        }
    }
}

/// What stands where a message should begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// More octets are needed to say.
    NeedMore,
    /// The other stream has to come to this offset first.
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
    /// More octets are needed to say.
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
    fn next_protocol(&self) -> Option<&'static str> {
        None
    }

    /// The protocol that octets are of which were refused: one that was asked for, where the answer is not known.
    fn goes_on_as(&self, at: &Position, octets: &[u8]) -> Option<&'static str> {
        let _ = (at, octets);
        None
    }

    /// A search here has to wait until the other stream has come to this offset.
    fn search_waits(&mut self, at: &Position) -> Option<u64> {
        let _ = at;
        None
    }

    /// Where the next message begins, after a gap or at a start in the middle.
    fn search(&mut self, at: &Position, octets: &[u8]) -> Found;

    /// How many octets there must be before it is worth searching again from these on, which the search could not tell; a
    /// line feed among those that come is, too, where it [reads lines](Self::reads_lines).
    fn needs(&self, octets: &[u8]) -> usize {
        grown(octets.len())
    }

    /// It looks at lines.
    fn reads_lines(&self) -> bool {
        true
    }

    /// Where in the other stream the request begins that the response which began last answers, if that is known.
    fn answers(&self) -> Option<u64> {
        None
    }

    /// What stands here was sent before the answer was heard that may lead to another protocol: until that has come nobody knows whose it is.
    fn is_ahead(&self, at: &Position) -> bool {
        let _ = at;
        false
    }

    /// Nothing of the connection is missing ahead of its first message: order alone tells what answers what.
    fn begins_whole(&mut self) {}

    /// Octets are missing in a direction; what was remembered of the octets before is void.
    fn gap(&mut self, direction: Direction) {
        let _ = direction;
    }

    /// The octets from `offset` on are not of this protocol, and nothing is missing before them: the next message is looked for.
    fn refused(&mut self, direction: Direction, offset: u64) {
        let _ = offset;
        self.gap(direction);
    }

    /// So many octets are missing in a direction, where that is known; [`Self::gap`] is called before.
    fn hole(&mut self, direction: Direction, len: Option<u64>) {
        let _ = (direction, len);
    }

    /// The body that was supposed ([`MessageBody::Supposed`]) has proved to be one: it is searched no more.
    fn is_sure(&self, direction: Direction) -> bool {
        let _ = direction;
        false
    }

    /// The body that was supposed is none where the message ends at `offset`: it was declined, and has not been sent.
    fn is_over(&self, direction: Direction, offset: u64) -> bool {
        let _ = (direction, offset);
        false
    }

    /// `len` octets are missing where [`Self::part`] would be asked next, and the open message goes on behind them: its end can
    /// be recognised there. Else the message ends at the gap, and [`Self::gap`] is called.
    fn goes_on_behind_gap(&mut self, direction: Direction, len: u64) -> bool {
        let _ = (direction, len);
        false
    }

    /// `len` octets are missing from `offset` on, where a message should begin, and what stands behind them may be more of it:
    /// [`Self::begin`] is asked there. Else the next message is looked for, and [`Self::gap`] is called.
    fn begins_in_gap(&mut self, direction: Direction, offset: u64, len: u64) -> bool {
        let _ = (direction, offset, len);
        false
    }

    /// What it frames stands before a connection of another protocol, and a gap may have hidden where that begins: what follows the
    /// gap is found by content.
    fn ends_at_gap(&self) -> bool {
        false
    }

    /// Where the message begins that was found last, if its first octets are missing.
    fn begun_in_gap(&self, direction: Direction) -> Option<u64> {
        let _ = direction;
        None
    }

    /// Octets allocated beyond the framer itself.
    fn size(&self) -> usize {
        0
    }
}

impl<F: Framer> Framer for Box<F> {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        (**self).begin(at, octets)
    }

    fn part(&mut self, at: &Position, octets: &[u8]) -> BodyPart {
        (**self).part(at, octets)
    }

    fn next_protocol(&self) -> Option<&'static str> {
        (**self).next_protocol()
    }

    fn goes_on_as(&self, at: &Position, octets: &[u8]) -> Option<&'static str> {
        (**self).goes_on_as(at, octets)
    }

    fn search_waits(&mut self, at: &Position) -> Option<u64> {
        (**self).search_waits(at)
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        (**self).search(at, octets)
    }

    fn needs(&self, octets: &[u8]) -> usize {
        (**self).needs(octets)
    }

    fn reads_lines(&self) -> bool {
        (**self).reads_lines()
    }

    fn answers(&self) -> Option<u64> {
        (**self).answers()
    }

    fn is_ahead(&self, at: &Position) -> bool {
        (**self).is_ahead(at)
    }

    fn begins_whole(&mut self) {
        (**self).begins_whole();
    }

    fn gap(&mut self, direction: Direction) {
        (**self).gap(direction);
    }

    fn refused(&mut self, direction: Direction, offset: u64) {
        (**self).refused(direction, offset);
    }

    fn hole(&mut self, direction: Direction, len: Option<u64>) {
        (**self).hole(direction, len);
    }

    fn is_sure(&self, direction: Direction) -> bool {
        (**self).is_sure(direction)
    }

    fn is_over(&self, direction: Direction, offset: u64) -> bool {
        (**self).is_over(direction, offset)
    }

    fn goes_on_behind_gap(&mut self, direction: Direction, len: u64) -> bool {
        (**self).goes_on_behind_gap(direction, len)
    }

    fn begins_in_gap(&mut self, direction: Direction, offset: u64, len: u64) -> bool {
        (**self).begins_in_gap(direction, offset, len)
    }

    fn ends_at_gap(&self) -> bool {
        (**self).ends_at_gap()
    }

    fn begun_in_gap(&self, direction: Direction) -> Option<u64> {
        (**self).begun_in_gap(direction)
    }

    fn size(&self) -> usize {
        (**self).size()
    }
}
