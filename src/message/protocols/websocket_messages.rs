//! The messages of a WebSocket connection (RFC 6455, 5.4 to 5.6), from its frames: put together, unmasked, and what
//! permessage-deflate (RFC 7692) has compressed decoded.
//!
//! A message of text or binary data ends with the frame that has FIN; control frames may stand between its frames, and are messages
//! of their own. Each side has at most one of either open, so there are two streams: one of data, one of control.
//!
//! Behind a loss a message is whole if all of its frames are there. What it refers to of the messages before, where these are its
//! context, may not be known then: such octets are missing, and nothing is made up for them. So it is where the handshake is lost that
//! would say whether there is a context.

use super::super::carrier::{Carried, Carrier, CarrierContext, ToStreams};
use super::super::inflate::{Inflate, Inflated};
use super::super::length::octet;
use super::websocket::{Agreed, FIN, Frames, RSV1, RSV2, header_of, payload_at};
use crate::base::flow::Direction;
use crate::base::message::{Extent, Kind};
use crate::base::state::{Deserialize, Serialize};

/// Octets of a header: flags, length, eight octets more of it, mask.
const HEADER: usize = 14;
/// The stream of text and binary messages, and that of control frames, which may stand between the frames of the former.
const MESSAGES: u32 = 0;
const CONTROL: u32 = 1;
/// Octets of a message that are held until there are so many, so that what is said of it does not hang on how it was sent.
// As many as a field of JSON has.
const BEGINNING: usize = 2048;
/// Octets of a control frame (RFC 6455, 5.5).
const MOST_CONTROL: u64 = 125;
/// Octets that compressed messages of a direction may become whatever they are made of, and for each octet of them.
// Text becomes five to twenty times as long, and deflate can make a thousand octets of one: with that, a capture of 20 MB would take
// minutes. The first figure lets a single message of a demonstration pass; it is granted to each connection, so it must stay small.
const GROWS_TO: u64 = 256 << 10;
const GROWS_BY: u64 = 128;
/// Octets that each message may become all the same, so that a bomb does not take the messages behind it away.
const SHORT: u64 = 4 << 10;
/// Octets that are unmasked at once.
const PIECE: usize = 1024;

/// How the octets of the open message come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Coding {
    /// As they are.
    #[default]
    Plain,
    /// Compressed.
    Deflate,
    /// In a way that cannot be undone, or not any more: none of them is told.
    Lost,
}

/// The text or binary message that is open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct FramedMessage {
    /// What its first frame would begin with, had it no other: FIN, and what it is.
    first: u8,
    coding: Coding,
    /// Octets of its only frame.
    len: Option<u64>,
    /// Its first octets, until they are told.
    beginning: Vec<u8>,
    /// It was told that it begins.
    told: bool,
    /// Something of it is missing.
    lacks: bool,
    /// Frames of it may be missing, and nothing was said of that yet.
    doubtful: bool,
    /// It was said that it could not be decoded.
    undecoded: bool,
    /// Octets that it has become so far.
    grown: u64,
}

/// One direction.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct FrameSide {
    header: [u8; HEADER],
    /// Octets of the header of the frame that are there.
    have: u8,
    /// Octets of its payload that are to come, and that have come.
    left: u64,
    at: u64,
    /// The frame has begun, and is not at its end.
    inside: bool,
    open: Option<FramedMessage>,
    /// The payload of a control frame, and whether it lacks something.
    control: Vec<u8>,
    control_lacks: bool,
    /// Frames may be missing, and nothing was done about that yet.
    lost: bool,
    /// A message was seen that is compressed, and one that is not.
    compressed: bool,
    plain: bool,
    inflate: Option<Box<Inflate>>,
    /// Octets of compressed messages, and what they became.
    taken: u64,
    grown: u64,
}

/// The messages of one connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct WebsocketMessages {
    sides: [FrameSide; 2],
    agreed: Agreed,
}

impl FramedMessage {
    /// Tells that it begins, with as much of it as there is.
    fn begin(&mut self, d: Direction, to: ToStreams<'_>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let octets = std::mem::take(&mut self.beginning);
        start(MESSAGES, d, self.first, self.len, &octets, to);
        octets_of(MESSAGES, d, &octets, to);
    }

    /// Octets of it, decoded.
    fn add(&mut self, d: Direction, octets: &[u8], to: ToStreams<'_>) {
        if !self.told && self.beginning.len() + octets.len() <= BEGINNING {
            self.beginning.extend_from_slice(octets);
            return;
        }
        self.begin_with(d, octets, to);
    }

    /// The same, where these octets are the first or not, and more than can be held.
    fn begin_with(&mut self, d: Direction, octets: &[u8], to: ToStreams<'_>) {
        if !self.told {
            let room = BEGINNING - self.beginning.len();
            let (now, behind) = octets.split_at(room.min(octets.len()));
            self.beginning.extend_from_slice(now);
            self.begin(d, to);
            return octets_of(MESSAGES, d, behind, to);
        }
        octets_of(MESSAGES, d, octets, to);
    }

    /// So many octets of it are missing; None: nobody knows how many, or whether any are.
    fn lack(&mut self, d: Direction, len: Option<u64>, to: ToStreams<'_>) {
        self.begin(d, to);
        self.lacks = true;
        to(MESSAGES, d, Carried::Gap(len));
    }

    /// It cannot be decoded, or no further.
    fn give_up(&mut self, d: Direction, oversized: bool, to: ToStreams<'_>) {
        if self.coding != Coding::Lost {
            self.coding = Coding::Lost;
            if self.beginning.is_empty() {
                self.first &= !RSV2;
            }
            self.lack(d, None, to);
        }
        self.note_undecoded(d, oversized, to);
    }

    fn note_undecoded(&mut self, d: Direction, oversized: bool, to: ToStreams<'_>) {
        if !std::mem::replace(&mut self.undecoded, true) {
            to(MESSAGES, d, Carried::Undecoded { oversized });
        }
    }
}

/// A message begins: what it would begin with had it one frame, its length, and as much of it as there is.
fn start(stream: u32, d: Direction, first: u8, len: Option<u64>, octets: &[u8], to: ToStreams<'_>) {
    let mut head = header_of(first, len);
    head.extend_from_slice(octets);
    let extent = len.map_or(Extent::Open, Extent::Known);
    let start = Carried::Start {
        kind: Kind::Other,
        head: &head,
        extent,
        answers: false,
    };
    to(stream, d, start);
}

fn octets_of(stream: u32, d: Direction, octets: &[u8], to: ToStreams<'_>) {
    if !octets.is_empty() {
        to(stream, d, Carried::Octets(octets));
    }
}

impl FrameSide {
    const fn opcode(&self) -> u8 {
        self.header[0] & 0xf
    }

    const fn is_control(&self) -> bool {
        self.header[0] & 8 != 0
    }

    const fn has_fin(&self) -> bool {
        self.header[0] & FIN != 0
    }

    fn is_masked(&self) -> bool {
        octet(&self.header, 1) & 0x80 != 0
    }

    /// The header is there: octets of the payload.
    fn payload_len(&self) -> u64 {
        let number = |octets: &[u8]| octets.iter().fold(0, |n, o| n << 8 | u64::from(*o));
        match self.header[1] & 0x7f {
            126 => number(&self.header[2..4]),
            127 => number(&self.header[2..10]),
            len => u64::from(len),
        }
    }

    /// Octets that the header has, as far as the first two say.
    fn header_len(&self) -> usize {
        match self.have {
            0 | 1 => 2,
            _ => payload_at(&self.header).min(HEADER),
        }
    }

    fn unmask(&self, octets: &mut [u8]) {
        if self.is_masked() {
            let key = payload_at(&self.header).saturating_sub(4);
            let key = self.header.get(key..key + 4).unwrap_or(&[0; 4]);
            let from = usize::try_from(self.at % 4).unwrap_or(0);
            let key = key.iter().cycle().skip(from);
            octets.iter_mut().zip(key).for_each(|(o, k)| *o ^= k);
        }
    }

    fn size(&self) -> usize {
        let beginning = self
            .open
            .as_ref()
            .map_or(0, |open| open.beginning.capacity());
        let inflate = self.inflate.as_ref();
        let inflate = inflate.map_or(0, |inflate| size_of::<Inflate>() + inflate.size());
        beginning + self.control.capacity() + inflate
    }
}

impl WebsocketMessages {
    /// Of a connection that this frames.
    pub(super) fn new(framer: &Frames) -> Self {
        let side = |lost| FrameSide {
            lost,
            ..FrameSide::default()
        };
        Self {
            sides: framer.lost.map(side),
            agreed: framer.agreed,
        }
    }

    /// Does what frames that may be missing have done.
    fn settle(&mut self, d: Direction, to: ToStreams<'_>) {
        let side = &mut self.sides[d.index()];
        let cut = std::mem::take(&mut side.inside);
        if !std::mem::take(&mut side.lost) && !cut {
            return;
        }
        if cut && side.is_control() && usize::from(side.have) == side.header_len() {
            side.control_lacks = true;
            side.end_control(d, to);
        }
        if let Some(inflate) = &mut side.inflate {
            inflate.forget();
        }
        if let Some(open) = &mut side.open {
            open.doubtful = true;
            if open.coding == Coding::Deflate {
                // Where in the message the next octets stand is not known to the bit.
                open.give_up(d, false, to);
            }
        }
    }

    /// The header of a frame is there.
    fn frame_begins(&mut self, d: Direction, to: ToStreams<'_>) {
        let agreed = self.agreed;
        let side = &mut self.sides[d.index()];
        (side.left, side.at) = (side.payload_len(), 0);
        if side.is_control() {
            side.control.clear();
            side.control_lacks = side.left > MOST_CONTROL;
            to(CONTROL, d, Carried::Opens);
        } else if side.opcode() != 0 {
            // The end of the one before is lost.
            side.end_message(d, false, to);
            to(MESSAGES, d, Carried::Opens);
            let compressed = side.header[0] & RSV1 != 0;
            side.compressed |= compressed;
            side.plain |= !compressed;
            let coding = match (compressed, agreed) {
                (false, _) => Coding::Plain,
                // Another extension has given this bit another meaning.
                (true, Agreed::Other) => Coding::Lost,
                (true, Agreed::Unknown | Agreed::Deflate { .. }) => Coding::Deflate,
            };
            let mut open = FramedMessage {
                first: FIN | side.header[0] & RSV1 | side.opcode(),
                coding,
                len: (!compressed && side.has_fin()).then_some(side.left),
                ..FramedMessage::default()
            };
            match coding {
                Coding::Plain => {}
                Coding::Deflate => {
                    open.first |= RSV2;
                    let inflate = side.inflate.get_or_insert_with(|| Box::new(Inflate::new()));
                    inflate.begin();
                }
                Coding::Lost => {
                    open.lack(d, None, to);
                    open.note_undecoded(d, false, to);
                }
            }
            side.open = Some(open);
        } else {
            if side.open.is_none() {
                // Its beginning is lost, which would say whether it is compressed.
                to(MESSAGES, d, Carried::Opens);
                let plain = match agreed {
                    Agreed::Other => true,
                    Agreed::Deflate { .. } => false,
                    Agreed::Unknown => side.plain && !side.compressed,
                };
                let mut open = FramedMessage {
                    first: FIN,
                    ..FramedMessage::default()
                };
                match plain {
                    true => open.lack(d, None, to),
                    false => open.give_up(d, false, to),
                }
                side.open = Some(open);
            }
            if let Some(open) = &mut side.open
                && std::mem::take(&mut open.doubtful)
                && open.coding == Coding::Plain
            {
                open.lack(d, None, to);
            }
        }
    }

    /// The frame is at its end.
    fn frame_ends(&mut self, d: Direction, to: ToStreams<'_>) {
        let fresh = self.is_fresh(d);
        let side = &mut self.sides[d.index()];
        side.inside = false;
        if side.is_control() {
            side.end_control(d, to);
        } else if side.has_fin() {
            side.end_message(d, true, to);
            if fresh {
                // The next one refers to nothing: the window is of no use, nor what is not known of it.
                side.inflate = None;
            }
        }
    }

    /// Each message of this direction is compressed by itself.
    fn is_fresh(&self, d: Direction) -> bool {
        match self.agreed {
            Agreed::Deflate { client, server } => match self.sides[d.index()].is_masked() {
                true => client,
                false => server,
            },
            Agreed::Unknown | Agreed::Other => false,
        }
    }
}

impl FrameSide {
    fn end_control(&mut self, d: Direction, to: ToStreams<'_>) {
        let whole = !std::mem::take(&mut self.control_lacks);
        let len = self.payload_len();
        let first = FIN | self.opcode();
        start(CONTROL, d, first, Some(len), &self.control, to);
        octets_of(CONTROL, d, &self.control, to);
        let missing = len.saturating_sub(self.control.len() as u64);
        if missing > 0 {
            to(CONTROL, d, Carried::Gap(Some(missing)));
        }
        to(CONTROL, d, Carried::End { whole });
        self.control = Vec::new();
    }

    /// The open message ends. `complete`: with its last frame.
    fn end_message(&mut self, d: Direction, complete: bool, to: ToStreams<'_>) {
        if complete
            && self
                .open
                .as_ref()
                .is_some_and(|o| o.coding == Coding::Deflate)
        {
            self.inflate(d, None, to);
        }
        let Some(mut open) = self.open.take() else {
            return;
        };
        if complete && !open.told {
            open.len = Some(open.beginning.len() as u64);
        }
        open.begin(d, to);
        if !complete {
            if open.coding == Coding::Deflate
                && let Some(inflate) = &mut self.inflate
            {
                inflate.forget();
            }
            if !open.lacks {
                open.lack(d, None, to);
            }
        }
        let whole = complete && !open.lacks;
        to(MESSAGES, d, Carried::End { whole });
    }

    /// Octets of the open message, which are compressed, or that they are all there.
    fn inflate(&mut self, d: Direction, octets: Option<&[u8]>, to: ToStreams<'_>) {
        let (Some(open), Some(inflate)) = (&mut self.open, &mut self.inflate) else {
            return;
        };
        self.taken += octets.map_or(0, |octets| octets.len() as u64);
        let most = GROWS_TO.saturating_add(self.taken.saturating_mul(GROWS_BY));
        let grown = &mut self.grown;
        let mut each = |part: Inflated<'_>| {
            let len = match part {
                Inflated::Octets(octets) => {
                    open.add(d, octets, to);
                    octets.len() as u64
                }
                Inflated::Unknown(len) => {
                    open.lack(d, Some(len as u64), to);
                    open.note_undecoded(d, false, to);
                    len as u64
                }
            };
            (*grown, open.grown) = (*grown + len, open.grown + len);
            *grown <= most || open.grown <= SHORT
        };
        let done = match octets {
            Some(octets) => inflate.octets(octets, &mut each),
            None => inflate.end(&mut each),
        };
        if done.is_err() {
            inflate.forget();
            let oversized = *grown > most && open.grown > SHORT;
            open.give_up(d, oversized, to);
        }
    }

    /// Octets of the payload, not masked.
    fn payload(&mut self, d: Direction, octets: &[u8], to: ToStreams<'_>) {
        if self.is_control() {
            if self.control_lacks {
                // It would stand where what is missing belongs.
                return;
            }
            let most = usize::try_from(MOST_CONTROL).unwrap_or(0);
            let room = most.saturating_sub(self.control.len());
            let octets = octets.get(..room).unwrap_or(octets);
            self.control.extend_from_slice(octets);
            return;
        }
        let Some(open) = &mut self.open else { return };
        match open.coding {
            Coding::Plain => open.add(d, octets, to),
            Coding::Deflate => self.inflate(d, Some(octets), to),
            Coding::Lost => {}
        }
    }
}

impl Carrier for WebsocketMessages {
    fn frame(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        self.settle(at.direction, to);
        let side = &mut self.sides[at.direction.index()];
        (side.have, side.left, side.inside) = (0, 0, true);
    }

    fn octets(&mut self, at: CarrierContext, octets: &[u8], to: ToStreams<'_>) {
        let d = at.direction;
        let mut rest = octets;
        while !rest.is_empty() {
            let side = &mut self.sides[d.index()];
            if !side.inside {
                // What it belongs to is not known.
                return;
            }
            if usize::from(side.have) < side.header_len() {
                if let Some(place) = side.header.get_mut(usize::from(side.have)) {
                    *place = rest[0];
                }
                side.have += 1;
                rest = &rest[1..];
                if usize::from(side.have) < side.header_len() {
                    continue;
                }
                self.frame_begins(d, to);
            } else {
                let left = usize::try_from(side.left).unwrap_or(usize::MAX);
                let (now, behind) = rest.split_at(left.min(rest.len()).min(PIECE));
                rest = behind;
                let mut plain = [0; PIECE];
                let plain = &mut plain[..now.len()];
                plain.copy_from_slice(now);
                side.unmask(plain);
                side.at += now.len() as u64;
                side.left -= now.len() as u64;
                side.payload(d, plain, to);
            }
            if self.sides[d.index()].left == 0 {
                self.frame_ends(d, to);
            }
        }
    }

    fn gap(&mut self, at: CarrierContext, len: u64, to: ToStreams<'_>) {
        let d = at.direction;
        let side = &mut self.sides[d.index()];
        if !side.inside || usize::from(side.have) < side.header_len() {
            side.lost = true;
            return;
        }
        let len = len.min(side.left);
        side.left -= len;
        side.at += len;
        let ends = side.left == 0;
        if side.is_control() {
            side.control_lacks = true;
        } else if let Some(open) = &mut side.open {
            match open.coding {
                Coding::Plain => open.lack(d, Some(len), to),
                Coding::Deflate => {
                    open.give_up(d, false, to);
                    if let Some(inflate) = &mut side.inflate {
                        inflate.forget();
                    }
                }
                Coding::Lost => {}
            }
        }
        if ends {
            self.frame_ends(d, to);
        }
    }

    fn lost(&mut self, direction: Direction) {
        self.sides[direction.index()].lost = true;
    }

    fn end(&mut self, at: CarrierContext, to: ToStreams<'_>) {
        let d = at.direction;
        self.settle(d, to);
        self.sides[d.index()].end_message(d, false, to);
    }

    fn numbers_streams(&self) -> bool {
        false
    }

    fn size(&self) -> usize {
        self.sides.iter().map(FrameSide::size).sum()
    }
}
