//! The messages of an RTMP connection (Adobe's specification 1.0, 5.3 and 5.4), from its chunks. Chunks of several messages interleave:
//! each chunk stream has at most one message open, and so is a stream of its own here. The handshake is that with number 0.
//!
//! Behind a loss a message that was open goes on where its chunks do. Whether any of them were lost is told by its length: a message that
//! has all of its octets lacks none.

use super::super::carrier::{Carried, Carrier, CarrierContext, ToStreams};
use super::rtmpt::{
    ABORT, CIPHERTEXT, ChunkStreams, FIRST, OPEN_PARTS, RtmpPhase, Rtmpt, SECOND, SET_CHUNK_SIZE,
    agreed, header_of, header_of_part, is_encrypted, kind,
};
use crate::base::flow::Direction;
use crate::base::message::{Extent, Kind};
use crate::base::state::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The stream of the handshake: no chunk stream has its number.
const OF_HANDSHAKE: u32 = 0;
/// Octets of a chunk's header, at most.
const HEADER: usize = 18;
/// Octets of a message that are held until there are so many, so that what is said of it does not hang on how it was sent.
// The command that connects has some hundred, and what it is about stands among the first.
const BEGINNING: usize = 1024;

/// The size that chunks have where nobody has said another one (5.4.1).
const CHUNK: u32 = 128;
/// Messages of several chunks that have to agree on their size, where the capture may lack the message that says it.
// One may be put together by chance, with the header of a chunk among its octets.
const AGREEING: u8 = 3;
/// Chunks behind the first ones of two messages that do as well as a third message.
const AGREEING_CHUNKS: u8 = 6;

/// What is known of the size of chunks in one direction.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct SizeKnowledge {
    /// It was said, as far as the capture tells.
    said: bool,
    /// A loss may have hidden that.
    doubtful: bool,
    /// The size in which so many messages of several chunks agree, and chunks of theirs behind the first.
    agreed: u32,
    times: u8,
    chunks: u8,
    /// What stands in front may have been longer or shorter than it was taken for.
    unsure: bool,
}

/// The sizes of the chunks of a message.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct ChunkSizes {
    /// Of all but the last one; 0 as long as there is none but that.
    each: u32,
    /// Chunks but the first.
    more: u8,
    /// They are not alike.
    differ: bool,
    /// Of the last one.
    last: u32,
}

impl ChunkSizes {
    /// A chunk begins.
    fn begin(&mut self) {
        let before = std::mem::take(&mut self.last);
        if before > 0 {
            self.differ |= self.each > 0 && self.each != before;
            self.each = before;
            self.more = self.more.saturating_add(1);
        }
    }
}

impl SizeKnowledge {
    /// A message with these chunks has all of its octets: whether they are its own. A wrong size takes the header of a chunk for some
    /// of them.
    fn proves(&mut self, sizes: ChunkSizes) -> bool {
        let fits = !sizes.differ && (sizes.each == 0 || sizes.last <= sizes.each);
        if self.said || !self.doubtful {
            return true;
        }
        let known =
            self.times >= AGREEING || self.times + 1 == AGREEING && self.chunks >= AGREEING_CHUNKS;
        if fits && sizes.each > 0 {
            if sizes.each != self.agreed {
                (self.times, self.chunks) = (0, 0);
            }
            self.agreed = sizes.each;
            self.times = self.times.saturating_add(1);
            self.chunks = self.chunks.saturating_add(sizes.more);
        }
        let proven = match (known, sizes.each) {
            // However large chunks are, it fits into one, if it begins where it seems to.
            (_, 0) if sizes.last <= CHUNK => !self.unsure,
            (true, 0) => sizes.last <= self.agreed && !self.unsure,
            (true, each) => fits && each == self.agreed,
            (false, _) => false,
        };
        self.unsure = sizes.each == 0 && (self.unsure || !proven);
        proven
    }
}

/// A message that is open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ChunkedMessage {
    /// Octets of it that have come or are known to be missing, and all of them.
    at: u32,
    len: u32,
    /// What sums it up, and its first octets, until that is told.
    head: Vec<u8>,
    header: usize,
    /// It was told that it begins.
    told: bool,
    /// Octets of it are known to be missing.
    damaged: bool,
    /// Chunks of it may be missing, and nothing was said of that yet.
    doubtful: bool,
    /// It takes a message back when it is whole.
    aborts: bool,
    /// It says the size of chunks when it is whole.
    says_size: bool,
    chunks: ChunkSizes,
}

/// One direction.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct MessageSide {
    phase: RtmpPhase,
    streams: ChunkStreams,
    open: BTreeMap<u32, ChunkedMessage>,
    /// The header of the chunk that has begun, as far as it is there.
    header: Vec<u8>,
    /// The stream that the octets behind it belong to.
    within: Option<u32>,
    /// Chunks may be missing, and nothing was done about that yet.
    lost: bool,
    size: SizeKnowledge,
    /// What nobody can read has begun: whether nothing of it is missing.
    ciphertext: Option<bool>,
}

/// The messages of one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RtmptMessages {
    sides: [MessageSide; 2],
    /// Which direction is the client's.
    client: Option<Direction>,
    /// By direction: its version is one of an encrypted form.
    encrypted: [Option<bool>; 2],
}

impl ChunkedMessage {
    /// Of so many octets, with the header that sums it up.
    fn new(len: u32, header: &[u8]) -> Self {
        Self {
            len,
            head: header.to_vec(),
            header: header.len(),
            ..Self::default()
        }
    }

    fn begin(&mut self, stream: u32, d: Direction, to: ToStreams<'_>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let head = std::mem::take(&mut self.head);
        let kind = kind(&head);
        let start = Carried::Start {
            kind,
            head: &head,
            extent: Extent::Known(self.len.into()),
            answers: false,
        };
        to(stream, d, start);
        tell(stream, d, head.get(self.header..).unwrap_or_default(), to);
    }

    fn add(&mut self, stream: u32, d: Direction, octets: &[u8], to: ToStreams<'_>) {
        self.clear_doubt(stream, d, to);
        let len = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.at = self.at.saturating_add(len);
        self.chunks.last = self.chunks.last.saturating_add(len);
        let room = BEGINNING.saturating_sub(self.head.len() - self.header.min(self.head.len()));
        let (now, behind) = match self.told {
            true => (&[][..], octets),
            false => octets.split_at(room.min(octets.len())),
        };
        self.head.extend_from_slice(now);
        if !behind.is_empty() {
            self.begin(stream, d, to);
            tell(stream, d, behind, to);
        }
    }

    fn clear_doubt(&mut self, stream: u32, d: Direction, to: ToStreams<'_>) {
        if std::mem::take(&mut self.doubtful) {
            self.begin(stream, d, to);
            to(stream, d, Carried::Gap(None));
        }
    }

    fn lack(&mut self, stream: u32, d: Direction, len: u32, to: ToStreams<'_>) {
        self.clear_doubt(stream, d, to);
        self.begin(stream, d, to);
        self.damaged = true;
        self.at = self.at.saturating_add(len);
        to(stream, d, Carried::Gap(Some(len.into())));
    }

    fn end(mut self, stream: u32, d: Direction, to: ToStreams<'_>) {
        self.begin(stream, d, to);
        let missing = self.len.saturating_sub(self.at);
        if missing > 0 {
            to(stream, d, Carried::Gap(Some(missing.into())));
        }
        let whole = missing == 0 && !self.damaged;
        to(stream, d, Carried::End { whole });
    }
}

fn tell(stream: u32, d: Direction, octets: &[u8], to: ToStreams<'_>) {
    if !octets.is_empty() {
        to(stream, d, Carried::Octets(octets));
    }
}

impl MessageSide {
    /// Does what chunks that may be missing have done.
    fn settle(&mut self) {
        if std::mem::take(&mut self.lost) {
            self.size.doubtful = true;
            self.header.clear();
            self.within = None;
            for open in self.open.values_mut() {
                open.doubtful = true;
            }
        }
    }

    /// The header of a chunk is there, if it is. Gives the chunk stream that makes room for its own.
    fn chunk_begins(&mut self, d: Direction, to: ToStreams<'_>) -> Option<u32> {
        let header = self.streams.header(&self.header)??;
        let id = header.stream;
        let gone = self.streams.make_room(&header);
        if let Some(open) = gone.and_then(|gone| self.open.remove(&gone)) {
            open.end(gone.unwrap_or(id), d, to);
        }
        let (stream, begins) = self.streams.take(&header);
        self.within = Some(id);
        if begins {
            let open = ChunkedMessage {
                aborts: stream.kind == ABORT && stream.len == 4,
                says_size: stream.kind == SET_CHUNK_SIZE && stream.len == 4,
                ..ChunkedMessage::new(stream.len, &header_of(id, stream))
            };
            to(id, d, Carried::Opens);
            // What was open there will not go on.
            if let Some(old) = self.open.insert(id, open) {
                old.end(id, d, to);
            }
        }
        if let Some(open) = self.open.get_mut(&id) {
            open.chunks.begin();
        }
        self.end_if_whole(d, to);
        gone
    }

    /// The message that the chunk belongs to is at its end, if it is.
    fn end_if_whole(&mut self, d: Direction, to: ToStreams<'_>) {
        let Some(id) = self.within else { return };
        let Some(open) = self.open.get(&id).filter(|open| open.at >= open.len) else {
            return;
        };
        let aborts = open.aborts && !open.told;
        let number = open.head.get(open.header..).unwrap_or_default();
        let number = number.iter().fold(0, |n, o| n << 8 | u32::from(*o));
        self.within = None;
        self.streams.forget(id);
        if let Some(mut open) = self.open.remove(&id) {
            open.damaged |= !self.size.proves(open.chunks);
            self.size.said |= open.says_size && !open.damaged;
            open.end(id, d, to);
        }
        if aborts {
            self.streams.forget(number);
            if let Some(mut open) = self.open.remove(&number) {
                // The rest of it is not lost: it will not be sent.
                open.begin(number, d, to);
                to(number, d, Carried::End { whole: false });
            }
        }
    }

    fn end_all(&mut self, d: Direction, to: ToStreams<'_>) {
        self.within = None;
        for (id, open) in std::mem::take(&mut self.open) {
            self.streams.forget(id);
            open.end(id, d, to);
        }
    }

    fn size(&self) -> usize {
        let open = self
            .open
            .values()
            .map(|open| size_of::<ChunkedMessage>() * 2 + open.head.capacity());
        self.streams.size() + self.header.capacity() + open.sum::<usize>()
    }
}

impl RtmptMessages {
    /// Of a connection that this frames.
    pub(super) fn new(framer: &Rtmpt) -> Self {
        let side = |phase| MessageSide {
            phase,
            ..MessageSide::default()
        };
        Self {
            sides: framer.began().map(side),
            client: framer.client(),
            encrypted: [None; 2],
        }
    }

    /// A part of the handshake begins.
    fn handshake(&mut self, d: Direction, phase: RtmpPhase, to: ToStreams<'_>) {
        let client = *self.client.get_or_insert(d) == d;
        let (part, len) = match (phase, client) {
            (RtmpPhase::First, true) => (0, FIRST),
            (RtmpPhase::First, false) => (1, FIRST),
            (_, true) => (2, SECOND),
            (_, false) => (3, SECOND),
        };
        let len = u32::try_from(len).unwrap_or(0);
        let encrypted = phase == RtmpPhase::Second && agreed(self.encrypted);
        let part = part + if encrypted { OPEN_PARTS } else { 0 };
        let side = &mut self.sides[d.index()];
        let open = ChunkedMessage::new(len, &header_of_part(part));
        to(OF_HANDSHAKE, d, Carried::Opens);
        side.open.insert(OF_HANDSHAKE, open);
        side.within = Some(OF_HANDSHAKE);
    }

    /// The first octets of a part of the handshake are there, of which the version tells what it is.
    fn handshake_begins(&mut self, d: Direction, first: u8, to: ToStreams<'_>) {
        let side = &mut self.sides[d.index()];
        let Some(open) = side.open.get_mut(&OF_HANDSHAKE).filter(|open| !open.told) else {
            return;
        };
        if side.phase == RtmpPhase::Second && open.at == 0 {
            let encrypted = is_encrypted(first);
            self.encrypted[d.index()] = Some(encrypted);
            let part = open.head.get_mut(8).filter(|_| encrypted);
            if let Some(part) = part {
                *part += OPEN_PARTS;
            }
        }
        open.begin(OF_HANDSHAKE, d, to);
    }

    /// What nobody can read begins: it has no end of its own.
    fn ciphertext(&mut self, d: Direction, to: ToStreams<'_>) {
        let start = Carried::Start {
            kind: Kind::Other,
            head: &header_of_part(CIPHERTEXT),
            extent: Extent::ToClose,
            answers: false,
        };
        to(OF_HANDSHAKE, d, start);
        self.sides[d.index()].ciphertext = Some(true);
    }
}

impl Carrier for RtmptMessages {
    fn frame(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        let d = at.direction;
        let side = &mut self.sides[d.index()];
        side.settle();
        side.header.clear();
        side.within = None;
        let mut phase = side.phase;
        if phase == RtmpPhase::Chunks && agreed(self.encrypted) {
            phase = RtmpPhase::Encrypted;
        }
        side.phase = phase.next(phase == RtmpPhase::Encrypted);
        match phase {
            RtmpPhase::First | RtmpPhase::Second => self.handshake(d, phase, to),
            RtmpPhase::Encrypted => self.ciphertext(d, to),
            RtmpPhase::Chunks => {}
        }
    }

    fn octets(&mut self, at: CarrierContext, octets: &[u8], to: ToStreams<'_>) {
        let d = at.direction;
        if self.sides[d.index()].ciphertext.is_some() {
            tell(OF_HANDSHAKE, d, octets, to);
            return;
        }
        if let (Some(OF_HANDSHAKE), Some(first)) = (self.sides[d.index()].within, octets.first()) {
            self.handshake_begins(d, *first, to);
        }
        let mut rest = octets;
        while self.sides[d.index()].within.is_none() {
            let [first, behind @ ..] = rest else { return };
            let side = &mut self.sides[d.index()];
            if side.header.len() >= HEADER {
                // What it belongs to is not known.
                return;
            }
            side.header.push(*first);
            rest = behind;
            let gone = side.chunk_begins(d, to);
            let other = &self.sides[d.flip().index()].streams;
            if let Some(gone) = gone.filter(|gone| !other.knows(*gone)) {
                to(gone, d, Carried::Closed { evicted: true });
            }
        }
        let side = &mut self.sides[d.index()];
        if let Some(id) = side.within
            && let Some(open) = side.open.get_mut(&id)
        {
            let left = usize::try_from(open.len.saturating_sub(open.at)).unwrap_or(usize::MAX);
            open.add(id, d, &rest[..rest.len().min(left)], to);
        }
        side.end_if_whole(d, to);
    }

    fn gap(&mut self, at: CarrierContext, len: u64, to: ToStreams<'_>) {
        let d = at.direction;
        let side = &mut self.sides[d.index()];
        if let Some(whole) = &mut side.ciphertext {
            *whole = false;
            to(OF_HANDSHAKE, d, Carried::Gap(Some(len)));
            return;
        }
        let Some(id) = side.within else {
            side.lost = true;
            return;
        };
        if let Some(open) = side.open.get_mut(&id) {
            let left = open.len.saturating_sub(open.at);
            let len = u32::try_from(len).unwrap_or(u32::MAX).min(left);
            open.lack(id, d, len, to);
        }
        side.end_if_whole(d, to);
    }

    fn lost(&mut self, direction: Direction) {
        let side = &mut self.sides[direction.index()];
        (side.lost, side.phase) = (true, RtmpPhase::Chunks);
    }

    fn end(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        let d = at.direction;
        let side = &mut self.sides[d.index()];
        side.settle();
        if let Some(whole) = side.ciphertext.take() {
            to(OF_HANDSHAKE, d, Carried::End { whole });
        }
        side.end_all(d, to);
    }

    fn size(&self) -> usize {
        self.sides.iter().map(MessageSide::size).sum()
    }
}
