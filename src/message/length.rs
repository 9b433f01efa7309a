//! Protocols whose header says how long a message is: how such a header is read, believed, and found again.
//!
//! A length alone is weak: any octets may be one. Where a stream is entered in the middle, or goes on behind a gap, a
//! header is believed when those that follow it can be believed too, or when its message ends exactly where a segment,
//! a gap or the stream ends. The search looks at each octet a bounded number of times, and waits for more octets behind
//! a header only up to [`HOLD`].

use super::chains::{self, BothHabits};
use super::framing::{
    Begin, Detector, DoubtEnds, Following, Found, Framer, MessageBody, Position, Probe, grown,
};
pub(super) use super::length_format::{CHAIN, Classified, LengthFormat, Scan, Told, window};
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use memchr::memmem::{self, Finder};
use std::marker::PhantomData;

/// Octets that wait in vain for the end of a chain, at most: room for three messages of a common size, and little enough to
/// be held for each of many connections.
// Half would refuse chains of large database messages; twice would let a false header hold half a
// megabyte of each stream.
const HOLD: usize = 256 << 10;
/// The same where no port hints at the protocol: all detectors are asked, and each false header would hold the stream.
// A sixteenth: dozens of rows each find false headers in any octets.
const HOLD_UNASKED: usize = 16 << 10;

/// Octets in which a needle is found faster than a searcher for it is made.
const SHORT: usize = 64;

/// A number in a header.
#[derive(Clone, Copy, Debug)]
pub(super) enum LengthField {
    /// A fixed field.
    Field {
        /// Where it stands.
        at: usize,
        /// Octets, 1 to 8.
        width: usize,
        /// Least significant octet first.
        little: bool,
    },
    /// Seven bits in each octet, the lowest first, as long as the highest bit is set; four octets at most (MQTT 5, 1.5.5).
    Mqtt {
        /// Where it stands.
        at: usize,
    },
    /// A length of the basic encoding rules (X.690, 8.1.3), of definite form.
    Ber {
        /// Where it stands.
        at: usize,
    },
    /// The length of the whole message, as a function finds it; None in the outer option: octets are lacking.
    By(fn(&[u8]) -> Option<Option<u64>>),
}

impl LengthField {
    /// What the number is at least of which only the first octets are there.
    pub(super) fn least(self, octets: &[u8]) -> u64 {
        match self {
            Self::Field {
                at,
                width: width @ 2..=8,
                little: false,
            } => {
                let there = octets.get(at..).unwrap_or_default();
                let there = &there[..there.len().min(width)];
                let high = there.iter().fold(0u64, |n, o| n << 8 | u64::from(*o));
                let missing = 8 * (width - there.len());
                high.checked_shl(u32::try_from(missing).unwrap_or(64))
                    .unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Where the number stands, if that is fixed, and its lowest octet.
    pub(super) fn told(self) -> Option<Told> {
        match self {
            Self::Field { at, width, little } => {
                let end = at.checked_add(width)?;
                Some((at..end, if little { at } else { end.checked_sub(1)? }))
            }
            Self::Mqtt { .. } | Self::Ber { .. } | Self::By(_) => None,
        }
    }

    /// The number, and where the field ends. None in the outer option: octets are lacking; in the inner: no number.
    pub(super) fn read(self, octets: &[u8]) -> Option<Option<(u64, usize)>> {
        match self {
            Self::Field { at, width, little } => {
                let end = at.saturating_add(width);
                let field = octets.get(at..end)?;
                let add = |n: u64, o: &u8| n << 8 | u64::from(*o);
                // Asked at each place of a search, so the usual widths are read at once.
                let number = match (field, little) {
                    (&[a, b], false) => u16::from_be_bytes([a, b]).into(),
                    (&[a, b, c], false) => u32::from_be_bytes([0, a, b, c]).into(),
                    (&[a, b, c], true) => u32::from_le_bytes([a, b, c, 0]).into(),
                    (&[a, b, c, d], false) => u32::from_be_bytes([a, b, c, d]).into(),
                    (&[a, b, c, d], true) => u32::from_le_bytes([a, b, c, d]).into(),
                    (field, true) => field.iter().rev().fold(0, add),
                    (field, false) => field.iter().fold(0, add),
                };
                Some(Some((number, end)))
            }
            Self::Mqtt { at } => {
                let mut number = 0;
                for i in 0..4 {
                    let octet = *octets.get(at.saturating_add(i))?;
                    number |= u64::from(octet & 0x7f) << (7 * i);
                    if octet & 0x80 == 0 {
                        // The shortest form is the only one, which halves the false headers.
                        let shortest = i == 0 || octet != 0;
                        return Some(shortest.then_some((number, at + i + 1)));
                    }
                }
                Some(None)
            }
            Self::Ber { at } => {
                let first = *octets.get(at)?;
                let n = usize::from(first & 0x7f);
                if first & 0x80 == 0 {
                    return Some(Some((u64::from(first), at + 1)));
                }
                // n = 0 is the indefinite form, which protocols with this field forbid; more than
                // seven octets cannot be a length.
                if n == 0 || n > 7 {
                    return Some(None);
                }
                let field = Self::Field {
                    at: at + 1,
                    width: n,
                    little: false,
                };
                field.read(octets)
            }
            Self::By(f) => f(octets).map(|len| len.map(|n| (n, 0))),
        }
    }
}

/// A number of the header, most significant octet first; 0 where it is not there.
pub(super) fn number(octets: &[u8], at: usize, width: usize) -> u64 {
    let field = LengthField::Field {
        at,
        width,
        little: false,
    };
    field.read(octets).flatten().map_or(0, |(n, _)| n)
}

/// The octet at a place; 0 where it is not there.
pub(super) fn octet(octets: &[u8], at: usize) -> u8 {
    octets.get(at).copied().unwrap_or(0)
}

/// A datagram of GTP version 2 or PFCP (3GPP TS 29.274, 5.1; TS 29.244, 7.2.2) has the length of its message, whose first four octets
/// are not counted; where a bit of the header says so, others follow it.
pub(super) fn fits_datagram(m: &[u8], others_follow: bool) -> bool {
    let (len, whole) = (number(m, 2, 2) + 4, m.len() as u64);
    len >= 8 && (len == whole || others_follow && len < whole)
}

/// What a message is, by its octets and the ports of source and destination.
pub(super) type KindBetween = fn(&[u8], (u16, u16)) -> Kind;

/// One protocol of the table.
pub(super) struct LengthRow {
    /// Where its length stands.
    pub(super) length: LengthField,
    /// What is to be added to the length for the length of the whole message. Where the length is of variable width, it
    /// counts from the end of its field.
    pub(super) add: i64,
    /// Octets that every message has, and where they stand.
    pub(super) magic: Option<(usize, &'static [u8])>,
    /// Octets that are needed to judge a header, where the message has so many.
    pub(super) header: usize,
    /// Whether a header can be believed, of a message of so many octets.
    pub(super) is_plausible: fn(&[u8], u64) -> bool,
    /// Whether it can be believed without a hint, where a connection or a search begins.
    pub(super) self_evident: fn(&[u8]) -> bool,
    /// How such a header is looked for.
    pub(super) scan: Scan<'static>,
    /// Headers that must follow each other in the middle.
    pub(super) chain: usize,
    /// Messages that must stand before the end of a segment where they do not begin one.
    pub(super) min_chain: usize,
    /// A whole message that is hardly chance, where `min_chain` asks for more than one.
    pub(super) distinctive: fn(&[u8]) -> bool,
    /// Whether a stream may begin with this message.
    pub(super) first: fn(&[u8]) -> bool,
    /// Whether the second of two messages may follow the first.
    pub(super) follows: fn(&[u8], &[u8]) -> bool,
    /// How often that is so where both are chance.
    pub(super) link: f64,
    /// Place of an octet that is one more than that of the message before, or what `follows` allows besides.
    pub(super) serial: Option<usize>,
    /// Which sort a message is of.
    pub(super) sort: fn(&[u8]) -> u8,
    /// What is there of a message does not speak against it: asked where one is looked for.
    pub(super) sound: fn(&[u8]) -> bool,
    /// How often what is no message has such content.
    pub(super) doubt: fn(&[u8]) -> f64,
    /// The octets of a header that follow from its length and from the message behind it, and which of them differs most, where these
    /// are others than those of a [`LengthField::Field`].
    pub(super) told: fn(&[u8]) -> Option<Told>,
    /// Request, response or neither.
    pub(super) kind: fn(&[u8]) -> Kind,
    /// The same, where the two sides send what looks alike, so that the ports of source and destination are needed.
    pub(super) kind_between: Option<KindBetween>,
    /// Behind this message the connection speaks another protocol.
    pub(super) switches_protocol: fn(&[u8]) -> bool,
}

impl LengthRow {
    /// A row of which only what is usual is said.
    pub(super) const USUAL: Self = Self {
        length: LengthField::Ber { at: 0 },
        add: 0,
        magic: None,
        header: 1,
        is_plausible: |_, _| true,
        self_evident: |_| false,
        scan: Scan::Never,
        chain: CHAIN,
        min_chain: 1,
        distinctive: |_| false,
        first: |_| true,
        follows: |_, _| true,
        link: 1.0,
        serial: None,
        sort: |_| 0,
        sound: |_| true,
        doubt: |_| 1.0,
        told: |_| None,
        kind: |_| Kind::Other,
        kind_between: None,
        switches_protocol: |_| false,
    };
}

/// The whole length of a message by the number in its header.
pub(super) fn whole(length: LengthField, add: i64, number: u64, end: usize) -> Option<u64> {
    let from = match length {
        LengthField::Field { .. } | LengthField::By(_) => 0,
        // A fixed field counts from a fixed place, a variable one from its own end.
        LengthField::Mqtt { .. } | LengthField::Ber { .. } => end as u64,
    };
    number.checked_add(from)?.checked_add_signed(add)
}

impl LengthFormat for LengthRow {
    fn scan(&self) -> Scan<'_> {
        self.magic
            .map_or(Scan::Everywhere, |(at, magic)| Scan::Octets(at, magic))
    }

    fn wants(&self, octets: &[u8]) -> usize {
        let least = octets.len() + 1;
        match self.length.read(octets).flatten() {
            Some((n, end)) => whole(self.length, self.add, n, end)
                .and_then(|len| usize::try_from(len).ok())
                .map_or(self.header, |len| len.min(self.header))
                .max(least),
            None => least,
        }
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        if let Some((at, magic)) = self.magic {
            let there = octets.get(at..).unwrap_or_default();
            // As much of the magic as is there: a mismatch is certain with the first octet, a match
            // only with the last.
            let n = there.len().min(magic.len());
            if there[..n] != magic[..n] {
                return Classified::No;
            }
        }
        let Some(read) = self.length.read(octets) else {
            return Classified::More;
        };
        let Some(len) = read.and_then(|(n, end)| {
            // A message must reach past its own length field.
            whole(self.length, self.add, n, end).filter(|len| *len >= end as u64)
        }) else {
            return Classified::No;
        };
        // A short message has no more than itself to be judged by.
        let needed = usize::try_from(len).map_or(self.header, |len| len.min(self.header));
        if octets.len() < needed {
            return Classified::More;
        }
        // What follows the message is not its own.
        // Neighbours must not make a header more or less believable.
        let own = usize::try_from(len)
            .ok()
            .and_then(|len| octets.get(..len))
            .unwrap_or(octets);
        Classified::sized(len, (self.is_plausible)(own, len))
    }

    fn follows(&self, first: &[u8], second: &[u8]) -> bool {
        (self.follows)(first, second)
    }

    fn kind(&self, octets: &[u8], ports: (u16, u16)) -> Kind {
        match self.kind_between {
            Some(kind) => kind(octets, ports),
            None => (self.kind)(octets),
        }
    }

    fn switches_protocol(&self, message: &[u8]) -> bool {
        (self.switches_protocol)(message)
    }

    fn chain(&self) -> usize {
        self.chain
    }

    fn min_chain(&self) -> usize {
        self.min_chain
    }

    fn distinctive(&self, message: &[u8]) -> bool {
        (self.distinctive)(message)
    }

    fn is_sure(&self, header: &[u8]) -> bool {
        (self.self_evident)(header)
    }

    fn link(&self) -> f64 {
        self.link
    }

    fn is_sound(&self, octets: &[u8]) -> bool {
        (self.sound)(octets)
    }

    fn doubt(&self, message: &[u8]) -> f64 {
        (self.doubt)(message)
    }

    fn serial(&self) -> Option<usize> {
        self.serial
    }

    fn told(&self, header: &[u8]) -> Option<Told> {
        (self.told)(header).or_else(|| self.length.told())
    }

    fn least(&self, octets: &[u8]) -> u64 {
        self.length.least(octets)
    }

    fn sort(&self, octets: &[u8]) -> u8 {
        (self.sort)(octets)
    }
}

/// What stands at `octets`, where a message should begin.
pub(super) fn begin<F: LengthFormat + ?Sized>(format: &F, at: &Position, octets: &[u8]) -> Begin {
    match format.classify(octets) {
        Classified::Message(len) => {
            let head = octets.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            let own = &octets[..head];
            Begin::Message {
                kind: format.kind(own, at.ports),
                head,
                body: MessageBody::Octets(len - head as u64),
                hand_over: format.switches_protocol(own),
            }
        }
        // A header that a gap cuts is the beginning of a message all the same; at the end nobody knows what it was.
        Classified::More if at.next != Following::End => Begin::NeedMore,
        Classified::More | Classified::No => Begin::Refuse,
    }
}

/// The same, and takes note of the message.
pub(super) fn begin_noted<F: LengthFormat + ?Sized>(
    format: &F,
    at: &Position,
    octets: &[u8],
    habits: &mut BothHabits,
) -> Begin {
    let begin = begin(format, at, octets);
    if matches!(begin, Begin::Message { .. }) {
        habits.note_begun(at, &begin, format.sort(octets));
    }
    begin
}

/// The first place from where on headers that can be believed follow each other. At most `hold` octets wait for more.
/// `aligned`: whether a segment begins at a place.
pub(super) fn search<F: LengthFormat + ?Sized>(
    format: &F,
    octets: &[u8],
    next: Following,
    hold: usize,
    aligned: impl Fn(usize) -> bool,
) -> Found {
    let scan = format.scan();
    let reach = scan.reach();
    // Made once: where hits are dense, making it anew for each would cost more than all else.
    let finder = match scan {
        Scan::Octets(_, needle) if octets.len() >= reach.max(SHORT) => Some(Finder::new(needle)),
        _ => None,
    };
    let mut from = 0;
    loop {
        let place = match scan {
            Scan::Never => return Found::Nowhere { keep: octets.len() },
            Scan::Everywhere => Some(from),
            Scan::Octets(at, needle) => octets.get(from + at..).and_then(|rest| {
                // Octets that are all the same hit at each place.
                match rest.starts_with(needle) {
                    true => Some(from),
                    false => Some(
                        from + finder.as_ref().map_or_else(
                            || memmem::find(rest, needle),
                            |finder| finder.find(rest),
                        )?,
                    ),
                }
            }),
            Scan::By(_, find) => octets.get(from..).and_then(find).map(|hit| from + hit),
        };
        let Some(i) = place else {
            let keep = match next {
                Following::Octets => cut_header(format, octets, reach, from),
                Following::Gap | Following::End => octets.len(),
            };
            return Found::Nowhere { keep };
        };
        let Some(rest) = octets.get(i..).filter(|rest| !rest.is_empty()) else {
            return Found::Nowhere { keep: octets.len() };
        };
        match chains(format, rest, next, hold, || aligned(i)) {
            Some(true) => return Found::At(i),
            // One octet on, not a message on: the header was not believed, so its length is not
            // either.
            Some(false) => from = i + 1,
            // Kept from here: the next look begins at the candidate, and nothing before it is read
            // again.
            None => return Found::Nowhere { keep: i },
        }
    }
}

/// Where a message may begin of whose header the end cuts the `reach` octets by which it is found, not before `from`: only what
/// can be the first octets of a header is held back, or the last octets of every segment would come late.
fn cut_header<F: LengthFormat + ?Sized>(
    format: &F,
    octets: &[u8],
    reach: usize,
    from: usize,
) -> usize {
    let tail = octets.len().saturating_sub(reach.saturating_sub(1));
    (tail.max(from)..octets.len())
        .find(|i| format.classify(&octets[*i..]) != Classified::No)
        .unwrap_or(octets.len())
}

/// How many octets there must be before a chain that begins at `octets` can be told, as far as the headers that are there
/// say: so that a message that comes octet by octet is not looked at for each of them.
pub(super) fn needs<F: LengthFormat + ?Sized>(format: &F, octets: &[u8], hold: usize) -> usize {
    let mut at = 0;
    // A chain that is there and not believed, or none: more of them tell more.
    let more = chains::again(octets.len(), usize::MAX);
    for _ in 0..format.chain() {
        let rest = octets.get(at..).unwrap_or_default();
        let len = match format.classify(rest) {
            Classified::Message(len) => len,
            Classified::More if !rest.is_empty() => {
                let wants = format.wants(rest).max(grown(rest.len()));
                return wants.saturating_add(at).max(more);
            }
            Classified::More | Classified::No => return more,
        };
        let end = usize::try_from(len).map_or(hold, |len| at.saturating_add(len));
        if end >= octets.len() {
            return chains::again(octets.len(), end.min(hold));
        }
        at = end;
    }
    more
}

/// A chain of headers that can be believed begins at `octets`: None while it cannot be told.
/// `aligned`: they begin a segment.
fn chains<F: LengthFormat + ?Sized>(
    format: &F,
    octets: &[u8],
    next: Following,
    hold: usize,
    aligned: impl Fn() -> bool,
) -> Option<bool> {
    // A message that begins a segment starts where its sender wrote it: one is as good as two
    // elsewhere. That is looked up where it matters, which is at few places.
    let least = format.min_chain();
    let min_chain = || if least > 1 && aligned() { 1 } else { least };
    let mut rest = octets;
    let mut before: Option<&[u8]> = None;
    let chain = format.chain();
    for n in 0..chain {
        let judged = format.classify(rest);
        // `More` is not judged: the second header may not be there yet.
        if let Some(before) = before
            && judged != Classified::More
            && !format.follows(before, rest)
        {
            return Some(false);
        }
        let len = match judged {
            Classified::No => return Some(false),
            // The last header of the chain needs no body: that it stands there is the proof.
            Classified::Message(_) if n + 1 == chain => return Some(true),
            Classified::Message(len) => usize::try_from(len).ok(),
            Classified::More => None,
        };
        match len.and_then(|len| rest.split_at_checked(len)) {
            // It ends exactly where a segment, the stream, or what is there before a gap ends.
            Some((message, [])) if n + 1 >= min_chain() || format.distinctive(message) => {
                return Some(true);
            }
            // The chain may go on with the next segment.
            Some((_, [])) if next == Following::Octets && octets.len() < hold => return None,
            Some((_, [])) => return Some(false),
            Some((message, tail)) => (before, rest) = (Some(message), tail),
            // The rest of it is not there. Where nothing more comes, one message must have been whole, but for a head that the
            // snapshot length has left of one.
            None if next != Following::Octets => {
                let head = n == 0 && judged != Classified::More;
                return Some(n >= min_chain() || (head && format.is_sure(rest) && aligned()));
            }
            // An endless message may be a false length: past this the candidate is dropped, not the
            // stream held.
            None if octets.len() >= hold => return Some(false),
            None => return None,
        }
    }
    Some(true)
}

impl Detector for LengthRow {
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        match self.classify(octets) {
            Classified::Message(_) if (self.self_evident)(octets) => {
                let hold = if hinted { HOLD } else { HOLD_UNASKED };
                chain_begins(&SelfEvident(self), octets, hold)
            }
            Classified::Message(_) if hinted && (self.first)(octets) => {
                chain_begins(self, octets, HOLD_UNASKED)
            }
            Classified::More
                // An empty look cannot decide; with a magic that has begun, waiting is worth it.
                if hinted || octets.is_empty() || may_be_self_evident(self, octets) =>
            {
                Probe::More
            }
            _ => Probe::No,
        }
    }

    fn search(&self, octets: &[u8], hinted: bool, more: bool) -> Found {
        let next = if more {
            Following::Octets
        } else {
            Following::End
        };
        if hinted {
            // Segments are not known to a detector, so no place is aligned.
            search(self, octets, next, HOLD, |_| false)
        } else {
            search(&SelfEvident(self), octets, next, HOLD_UNASKED, |_| false)
        }
    }

    fn searches(&self, hinted: bool) -> bool {
        hinted || !matches!(self.scan, Scan::Never)
    }

    fn settles(&self, octets: &[u8], hinted: bool, ends: DoubtEnds) -> bool {
        let Classified::Message(len) = self.classify(octets) else {
            return false;
        };
        let evident = (self.self_evident)(octets);
        let whole = usize::try_from(len).is_ok_and(|len| len <= octets.len());
        match ends {
            // Half a message that was answered is none of this protocol.
            DoubtEnds::Turn => false,
            // Nothing but the head is there where the snapshot length has cut the segment.
            DoubtEnds::NoMore if evident => true,
            DoubtEnds::Pause | DoubtEnds::NoMore => {
                whole && (evident || (self.first)(octets)) && hinted
            }
            // A first message that is longer than what may be held.
            DoubtEnds::Full => evident && hinted,
        }
    }

    fn fills(&self, octets: &[u8]) -> bool {
        (self.self_evident)(octets) && fills(self, octets)
    }

    fn needs(&self, octets: &[u8], hinted: bool) -> usize {
        needs(self, octets, if hinted { HOLD } else { HOLD_UNASKED })
    }

    fn reads_lines(&self) -> bool {
        false
    }
}

/// Whether the first octets of a stream are a chain of messages that can be believed.
pub(super) fn chain_begins<F: LengthFormat>(format: &F, octets: &[u8], hold: usize) -> Probe {
    match chains(format, octets, Following::Octets, hold, || true) {
        Some(true) => Probe::Yes,
        Some(false) => Probe::No,
        None => Probe::More,
    }
}

/// The same where nothing hints at the format: one message alone that fills what is there may be chance.
pub(super) fn chain_anywhere<F: LengthFormat>(format: &F, octets: &[u8], hold: usize) -> Probe {
    match chains(format, octets, Following::Octets, hold, || false) {
        Some(true) => Probe::Yes,
        Some(false) => Probe::No,
        None => Probe::More,
    }
}

/// Too few octets to judge, which may become self-evident: those with a magic, that is begun.
fn may_be_self_evident(row: &LengthRow, octets: &[u8]) -> bool {
    // One octet of a magic is met in any octets; two are a reason to wait.
    row.magic
        .is_some_and(|(at, magic)| at == 0 && magic.len() > 1 && octets.len() > 1)
}

/// A row that nothing hints at: its first header must be self-evident.
struct SelfEvident<'a>(&'a LengthRow);

impl LengthFormat for SelfEvident<'_> {
    fn scan(&self) -> Scan<'_> {
        self.0.scan
    }

    fn wants(&self, octets: &[u8]) -> usize {
        self.0.wants(octets)
    }

    fn classify(&self, octets: &[u8]) -> Classified {
        match self.0.classify(octets) {
            Classified::Message(_) if !(self.0.self_evident)(octets) => Classified::No,
            judged => judged,
        }
    }

    fn follows(&self, first: &[u8], second: &[u8]) -> bool {
        (self.0.follows)(first, second)
    }

    fn chain(&self) -> usize {
        self.0.chain
    }

    fn min_chain(&self) -> usize {
        // One alone may be chance; the port would stand for the second.
        self.0.chain.min(2)
    }
}

/// A protocol whose messages are framed by a [`LengthRow`] alone.
pub(super) trait LengthProtocol {
    /// The row.
    const FORMAT: &'static LengthRow;
}

/// Frames a connection of such a protocol. Each header speaks for itself; what the messages have been tells only where others
/// may begin behind a loss.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct LengthFramer<P> {
    protocol: PhantomData<P>,
    habits: BothHabits,
}

impl<P> Default for LengthFramer<P> {
    fn default() -> Self {
        Self {
            protocol: PhantomData,
            habits: BothHabits::default(),
        }
    }
}

impl<P: LengthProtocol> Framer for LengthFramer<P> {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        begin_noted(P::FORMAT, at, octets, &mut self.habits)
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        chains::search(P::FORMAT, at, octets, HOLD, &mut self.habits)
    }

    fn needs(&self, octets: &[u8]) -> usize {
        needs(P::FORMAT, octets, HOLD)
    }

    fn reads_lines(&self) -> bool {
        false
    }

    fn size(&self) -> usize {
        self.habits.size()
    }
}

/// The octets are messages of this format in a row, and nothing else: what a datagram may hold.
pub(super) fn fills<F: LengthFormat>(format: &F, payload: &[u8]) -> bool {
    let mut rest = payload;
    while !rest.is_empty() {
        let Classified::Message(len) = format.classify(rest) else {
            return false;
        };
        match usize::try_from(len).ok().and_then(|len| rest.get(len..)) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    !payload.is_empty()
}

/// The number of two octets at a place, most significant first; None where it is not there.
pub(super) fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    let field = octets.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(field.try_into().ok()?))
}

/// The number of four octets at a place, most significant first; None where it is not there.
pub(super) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    let field = octets.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(field.try_into().ok()?))
}

/// A number of one octet to eight in the header, most significant octet first.
pub(super) const fn field(at: usize, width: usize) -> LengthField {
    LengthField::Field {
        at,
        width,
        little: false,
    }
}

/// The kind of a message of a protocol that has only requests and responses.
pub(super) const fn response_if(response: bool) -> Kind {
    if response {
        Kind::Response
    } else {
        Kind::Request
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! What holds for every protocol with a length, tried with the samples of its row.

    use super::super::row::ProtocolRow;
    use super::*;

    /// The samples of a row as octets.
    pub(in super::super) fn samples(protocol: &ProtocolRow) -> Vec<(Vec<u8>, Kind)> {
        let octets = |text: &str| -> Vec<u8> {
            let digits: Vec<u8> = text.bytes().filter(|c| *c != b' ').collect();
            digits
                .chunks(2)
                .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
                .collect()
        };
        let samples = protocol.samples.iter();
        samples.map(|(text, kind)| (octets(text), *kind)).collect()
    }

    /// The samples are messages, begin a stream where they should, and are found behind the rest of a lost message.
    pub(in super::super) fn check(protocol: &ProtocolRow, format: &LengthRow) {
        let samples = samples(protocol);
        assert!(!samples.is_empty());
        for (m, kind) in samples {
            headers_are_believed(format, &m, kind);
            first_octets_are_recognised(protocol, format, &m);
            evident_headers_are_scanned_for(format, &m);
            messages_are_found_behind_the_rest_of_a_lost_one(format, &m);
        }
    }

    fn headers_are_believed(format: &LengthRow, m: &[u8], kind: Kind) {
        let whole = Classified::Message(m.len() as u64);
        assert_eq!(format.classify(m), whole, "{m:02x?}");
        assert_eq!(format.kind(m, (0, 0)), kind, "{m:02x?}");
        // More octets behind it change nothing; fewer never make it something else.
        assert_eq!(format.classify(&[m, m].concat()), whole, "{m:02x?}");
        for n in 0..m.len() {
            let cut = format.classify(&m[..n]);
            assert!(
                cut == Classified::More || cut == whole,
                "cut at {n}: {cut:?}"
            );
        }
    }

    fn first_octets_are_recognised(protocol: &ProtocolRow, format: &LengthRow, m: &[u8]) {
        let evident = (format.self_evident)(m);
        let by_port = format.probe(m, !protocol.ports.is_empty());
        assert_eq!(
            by_port == Probe::Yes,
            evident || (!protocol.ports.is_empty() && (format.first)(m)),
            "{m:02x?}"
        );
        let alone = format.probe(m, false);
        assert_eq!(alone == Probe::Yes, evident, "{m:02x?}");
    }

    /// Whatever octets a header is made of that is believed without a hint: the scan does not pass it.
    fn evident_headers_are_scanned_for(format: &LengthRow, m: &[u8]) {
        let mut state = 1_u32;
        let mut random = |n: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % n
        };
        for n in 0..2000 {
            let mut header = m[..m.len().min(format.header.max(1))].to_vec();
            if n > 0 {
                let at = random(header.len());
                header[at] =
                    [0, 1, 3, 7, 0x10, 0x80, 0xff, random(256)][random(8)].to_le_bytes()[0];
            }
            header.resize(64, 0x55);
            let evident = matches!(format.classify(&header), Classified::Message(_))
                && (format.self_evident)(&header);
            for before in [0, 1, 9] {
                let octets = [&vec![0x55; before][..], &header].concat();
                let found = match format.scan {
                    Scan::Never => None,
                    Scan::Everywhere => Some(0),
                    Scan::Octets(at, needle) => {
                        let mut windows = octets[at..].windows(needle.len());
                        windows.position(|o| o == needle)
                    }
                    Scan::By(_, find) => find(&octets),
                };
                let passed = found.is_none_or(|found| found > before);
                assert!(!(evident && passed), "{header:02x?}");
            }
        }
    }

    fn messages_are_found_behind_the_rest_of_a_lost_one(format: &LengthRow, m: &[u8]) {
        for rest in [&b""[..], &[0xaa; 7], &[0xaa; 1]] {
            let aligned = |i| rest.is_empty() && i == 0;
            let mut octets = [rest, m].concat();
            // The end of the message is the end of the octets: that confirms it, unless a longer message, whose end
            // is not there yet, may begin before.
            match search(format, &octets, Following::Octets, 1 << 16, aligned) {
                Found::At(at) => assert_eq!(at, rest.len(), "{m:02x?}"),
                Found::Nowhere { keep } => {
                    assert!(keep < rest.len() || format.min_chain > 1, "{m:02x?}");
                    continue;
                }
            }
            let found = search(format, &octets, Following::End, 1 << 16, aligned);
            assert_eq!(
                found,
                Found::At(rest.len()),
                "{m:02x?} behind {}",
                rest.len()
            );
            octets.extend(m);
            octets.extend(&m[..1]);
            let found = search(format, &octets, Following::Gap, 1 << 16, aligned);
            assert_eq!(found, Found::At(rest.len()), "{m:02x?}, two and a piece");
        }
    }
}
