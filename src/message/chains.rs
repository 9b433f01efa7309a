//! Where messages with a length go on behind a loss.
//!
//! A header that is only a length looks like many other octets, so one header proves nothing. Every place that could be a header
//! is followed from header to header, as far as there are octets. Most false ones come to a place where no header stands. Of
//! those that are left, each is weighed by how likely it would be by chance:
//!
//! ```text
//!   places where it could have begun  x  (share of all places that look like a header) ^ headers in its chain
//! ```
//!
//! That share is measured, in this connection: in text it is next to nothing, in zeros and small numbers it is large, and then
//! the chain has to be longer. Messages of zeros, and copies of the one before, prove nothing, as their content could have been
//! written by anybody. A beginning or an end that stands where a segment begins or ends is worth something, as senders write
//! whole messages.

use super::branches::{self, Octets, Place, Root};
use super::framing::{Begin, Following, Found, MessageBody, Position};
use super::held_part::HeldPart;
use super::length_format::{self, Classified, LengthFormat, Scan};
use crate::base::flow::Direction;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use memchr::memmem::Finder;

/// A chain that chance makes more often than this is not believed. Losses come by the thousand, and a false message that
/// claims to be whole is worse than a true one that is not found.
const CHANCE: f64 = 1e-3;
/// Where more places than this look like a header by chance, chains are alike, and are believed with more headers only.
const USUAL: f64 = 1e-2;
/// Where more than these do, so many chains come together that only their number of headers counts.
const MANY: f64 = 0.1;
/// A chain beats others that begin before it where it is so much less likely.
const CLEARLY: f64 = 1e-3;
/// ... or at least so much where nothing more is waited for.
const BETTER: f64 = 0.3;
/// A message that is not what most have been is met so much more seldom.
const ODD: f64 = 10.0;
/// How often an end that is chance falls on the end of a segment.
const AT_A_SEGMENT: f64 = 1.0 / 128.0;
/// How often a length that is chance leads to one certain place.
const AT_A_PLACE: f64 = 1.0 / 512.0;
/// Places that count as looked at before any were: no share is known from a few octets.
const BEFORE: f64 = 1000.0;
/// Octets by which messages are compared, or found to be zeros.
const COMPARED: usize = 32;
/// A length is not believed without its end where it is so many times that of the longest message so far ...
const LONGER: u64 = 8;
/// ... and longer than this.
const SHORT: u64 = 16 << 10;
/// A write of the sender, or what the other side had received when it spoke, has been a beginning so many times, and all but
/// never the middle of a message.
const ENOUGH: u32 = 4;
/// ... or once among so many.
const SELDOM: u32 = 64;
/// One message may have so many octets, mostly zeros.
const FEW: usize = 16;
/// A write that is filled by messages says as much as so many that a message began ...
const FILLED: u16 = 3;
/// ... and so many of these are enough where nothing else is known.
const SHOWN: u16 = 8;
/// Octets that tell how often others look like the first of a header.
const SAMPLE: usize = 8 << 10;
/// Places so near to a header look like one because of its octets: a length that is read too early or too late.
const SHADOW: usize = 8;
/// ... and there are so many of them, at most: where more stand around it, they are what octets look like here.
const SHADOWS: usize = 4;

/// What the messages of one direction have been, and what was met where they were looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Habits {
    /// Where a search has found a message last: it may be asked again.
    found: u64,
    /// Octets of the longest message.
    longest: u32,
    /// Octets that have been looked through ...
    looked: u32,
    /// ... and places in them that looked like a header and were none.
    mistaken: u32,
    /// The sort that most messages have been of, and by how many more than others, about (Boyer and Moore's majority vote).
    sort: u8,
    votes: u8,
    /// Messages, and those that began inside of a segment; halved where they would be too many.
    messages: u8,
    inside: u8,
    /// Messages that stood where the sender began to write.
    writes: u16,
    /// How often it began to write inside of one, beyond those that are known elsewhere.
    split: u8,
    turns: Turns,
    /// How often octets were met where messages were looked for.
    met: Octets,
    /// Places there that looked like a header at whose end another one stood, and those which that one could follow, where they were
    /// none.
    meetings: u32,
    fitting: u32,
}

/// What the other side had received when it sent its latest messages. Where two sides take turns, each answers what is whole,
/// so a message begins there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Turns {
    /// The latest acknowledgments of the other direction's messages, as offsets in this one.
    acks: [u64; Self::KEPT],
    /// Where the latest messages end, and how many octets they have; longer ones are cut in front.
    ends: [u64; Self::KEPT],
    lens: [u32; Self::KEPT],
    /// How many of each there were.
    acked: u8,
    ended: u8,
    /// How often such an acknowledgment has fallen between two messages, and inside of one.
    between: u16,
    within: u16,
}

impl Turns {
    /// A hole is given up 32 packets behind it: a few messages for each of them.
    const KEPT: usize = 16;

    /// A message of the other direction was sent when so much of this one had been received.
    fn answered(&mut self, ack: u64) {
        let last = usize::from(self.acked.wrapping_sub(1)) % Self::KEPT;
        // Most messages of one write say the same.
        if self.acks[last] == ack || self.acks.contains(&ack) {
            return;
        }
        self.acks[usize::from(self.acked) % Self::KEPT] = ack;
        self.acked = self.acked.wrapping_add(1);
        if self.ends.contains(&ack) {
            self.between = self.between.saturating_add(1);
        } else if self
            .ends
            .iter()
            .zip(self.lens)
            .any(|(end, len)| is_within(ack, *end, len))
        {
            self.within = self.within.saturating_add(1);
        }
    }

    /// A message of this direction ends here, and has so many octets. What the other side has said of it may be known already: it
    /// waited behind a hole.
    fn ended(&mut self, end: u64, len: u64) {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let place = usize::from(self.ended) % Self::KEPT;
        (self.ends[place], self.lens[place]) = (end, len);
        self.ended = self.ended.wrapping_add(1);
        for ack in self.acks {
            self.between = self.between.saturating_add(u16::from(ack == end));
            self.within = self
                .within
                .saturating_add(u16::from(is_within(ack, end, len)));
        }
    }
}

/// The offset is one inside of a message.
const fn is_within(offset: u64, end: u64, len: u32) -> bool {
    offset < end && offset + (len as u64) > end
}

/// It has been so often enough, and so seldom otherwise, that it is so.
fn always(yes: u32, no: u32) -> bool {
    yes >= ENOUGH + SELDOM.saturating_mul(no)
}

impl Habits {
    /// A message of so many octets stands where it had to. `aligned`: it begins a segment.
    pub(super) fn note(&mut self, len: u64, aligned: bool) {
        self.longest = self
            .longest
            .max(u32::try_from(len.min(1 << 30)).unwrap_or(0));
        if self.messages == u8::MAX {
            (self.messages, self.inside) = (self.messages / 2, self.inside.div_ceil(2));
        }
        self.messages += 1;
        // Halves are rounded up: there may be one more of these than of all.
        self.inside = self.inside.saturating_add(u8::from(!aligned));
    }

    /// A message is of this sort.
    const fn note_sort(&mut self, sort: u8) {
        if self.votes == 0 {
            (self.sort, self.votes) = (sort, 1);
        } else if self.sort == sort {
            self.votes = self.votes.saturating_add(1);
        } else {
            self.votes -= 1;
        }
    }

    /// A message of this sort is not what most have been.
    fn is_odd(&self, sort: u8) -> bool {
        self.messages >= 3 && self.votes >= 2 && self.sort != sort
    }

    /// So many octets were looked through, with so many places that were no header though they looked like one; these are passed.
    fn learn(&mut self, passed: &[u8], looked: usize, mistaken: usize) {
        self.met.add(passed);
        let add = |to: u32, n: usize| to.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        self.looked = add(self.looked, looked);
        self.mistaken = add(self.mistaken, mistaken);
        if self.looked > 1 << 24 {
            (self.looked, self.mistaken) = (self.looked / 2, self.mistaken / 2);
        }
    }

    /// So many places led to another one, and to one that could follow, though they were no header.
    fn learn_links(&mut self, meetings: usize, fitting: usize) {
        let add = |to: u32, n: usize| to.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        self.meetings = add(self.meetings, meetings);
        self.fitting = add(self.fitting, fitting);
        if self.meetings > 1 << 16 {
            (self.meetings, self.fitting) = (self.meetings / 2, self.fitting / 2);
        }
    }

    /// Octets of a message that may be believed before its end is there.
    fn bound(&self, hold: usize) -> u64 {
        let longest = u64::from(self.longest);
        match self.messages {
            0..4 => hold as u64,
            _ => longest.saturating_mul(LONGER).max(SHORT).min(hold as u64),
        }
    }

    /// The share of places that look like a header by chance, where `mistaken` of `looked` more did.
    fn share(&self, looked: usize, mistaken: usize) -> f64 {
        // What is at hand tells more than what was before; two mistakes may be an accident.
        let here = as_number(mistaken.saturating_sub(2)) / as_number(looked.max(1));
        let looked = BEFORE + f64::from(self.looked) + as_number(looked);
        let mistaken = f64::from(self.mistaken) + as_number(mistaken);
        // The more places none was met at, the less likely one is at the next.
        ((mistaken + BEFORE / 2.0 / looked) / looked)
            .max(here)
            .min(0.9)
    }

    /// Messages begin where their sender began to write, `split` times but for this: what one direction has shown holds for the
    /// other.
    fn begin_writes(&self, both: &[Self; 2], split: u8) -> bool {
        let writes = both.iter().map(|habits| u32::from(habits.writes)).sum();
        always(writes, u32::from(split) + u32::from(self.split))
    }

    /// Messages begin where the other side has spoken, or its sender has begun to write, but for the times that one stood there.
    fn begin_turns(&self, both: &[Self; 2]) -> bool {
        let begun = |habits: &Self| u32::from(habits.turns.between) + u32::from(habits.writes);
        always(both.iter().map(begun).sum(), u32::from(self.turns.within))
    }

    /// Each message has begun a segment.
    const fn is_always_aligned(&self) -> bool {
        self.messages >= 8 && self.inside == 0
    }

    /// How usual it is that a message begins inside of a segment.
    fn usual_inside(&self) -> f64 {
        (f64::from(self.inside) + 1.0) / (f64::from(self.messages) + 1.0)
    }
}

/// The habits of both directions; allocated with the first message, as most connections are of other protocols.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct BothHabits(Option<Box<[Habits; 2]>>);

impl BothHabits {
    /// Those of one direction.
    pub(super) fn of(&mut self, direction: Direction) -> &mut Habits {
        let both = self.0.get_or_insert_default();
        &mut both[direction.index()]
    }

    /// The sender is known to have begun to write so many octets behind the first, or the other side to have answered what stands
    /// before, and in this connection a message begins there. Where one direction has shown that, it holds for the other, as
    /// long as that has not shown that it does not.
    pub(super) fn is_certain(&self, at: &Position, behind: usize) -> bool {
        let Some(both) = &self.0 else {
            return false;
        };
        let habits = &both[at.direction.index()];
        (at.write(behind) && habits.begin_writes(both, at.split))
            || (habits.turns.acks.contains(&(at.offset + behind as u64))
                && habits.begin_turns(both))
    }

    /// The same of a message that ends with the octets at hand, of which there are `len`.
    fn is_certain_end(&self, at: &Position, len: usize) -> bool {
        let Some(both) = &self.0 else {
            return false;
        };
        let habits = &both[at.direction.index()];
        let ends = at
            .parts
            .last()
            .is_some_and(|part| part.ends() && !part.is_cut());
        (ends && habits.begin_writes(both, at.split))
            || (habits.turns.acks.contains(&(at.offset + len as u64)) && habits.begin_turns(both))
    }

    /// The same of all writes, where so many in a row are messages and nothing else, which chance makes of few.
    fn is_shown(&self, at: &Position, filled: u16) -> bool {
        let (known, own) = self.0.as_deref().map_or((0, 0), |both| {
            let [a, b] = both;
            (a.writes.max(b.writes), both[at.direction.index()].split)
        });
        let split = u32::from(at.split) + u32::from(own);
        filled > 0 && split == 0 && known.saturating_add(filled.saturating_mul(FILLED)) >= SHOWN
    }

    /// Takes note of what a framer has said of octets of some sort.
    pub(super) fn note_begun(&mut self, at: &Position, begin: &Begin, sort: u8) {
        if let Begin::Message {
            head,
            body: MessageBody::Octets(body),
            ..
        } = begin
        {
            let len = *head as u64 + body;
            let habits = self.of(at.direction);
            habits.note(len, at.segment(0));
            habits.note_sort(sort);
            habits.writes = habits.writes.saturating_add(u16::from(at.write(0)));
            let split = u8::try_from(at.writes_within(len)).unwrap_or(u8::MAX);
            habits.split = habits.split.saturating_add(split);
            habits.turns.ended(at.offset + len, len);
            if let Some(ack) = at.ack {
                self.of(at.direction.flip()).turns.answered(ack);
            }
        }
    }

    /// Octets allocated.
    pub(super) fn size(&self) -> usize {
        self.0.as_ref().map_or(0, |both| {
            let met = both.iter().map(|habits| habits.met.size());
            allocated(size_of::<[Habits; 2]>()) + met.sum::<usize>()
        })
    }
}

/// Counts are small enough to be exact.
fn as_number(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// A place that looks like a header.
#[derive(Clone, Copy, Debug)]
struct Node {
    at: usize,
    /// Where its message ends; None: the header is cut.
    end: Option<u64>,
    /// The header there, and the last of the chain.
    next: Option<usize>,
    last: usize,
    /// No header stands where one should.
    dead: bool,
    /// Which sort its message is of.
    sort: u8,
    /// It is not what most messages have been; and how many of these are in the chain from here on.
    odd: bool,
    odds: u32,
    /// A message is known to begin here, if one can; and such a place is in the chain from here on, or leads here.
    mark: bool,
    certain: bool,
    reached: bool,
    /// How often what is chance has such content as the messages of the chain from here on.
    doubt: f64,
    /// Places that prove something in its chain from here on, and those that are their shadows.
    length: u32,
    /// Links between whole headers.
    links: u32,
    /// How often the number of the next header is met elsewhere, and those of all in the chain from here on are.
    numbered: f64,
    numbers: f64,
    /// Headers from here on that prove something, and ends that stand where a segment ends.
    headers: u32,
    ends: u32,
    /// Of the chains that lead here, the headers of the longest, where it comes from, and the headers of the second.
    longest: u32,
    from: Option<usize>,
    second: u32,
}

impl Node {
    /// The sort and the length of its message, if its header is whole.
    fn size(&self) -> Option<(u8, u64)> {
        Some((self.sort, self.end? - self.at as u64))
    }
}

/// Sorts and lengths of messages, in order: so that those that are like one are counted without a look at all of them.
struct Sizes(Vec<(u8, u64)>);

impl Sizes {
    /// Those whose headers are whole.
    fn of<'a>(nodes: impl Iterator<Item = &'a Node>) -> Self {
        let mut sizes: Vec<_> = nodes.filter_map(Node::size).collect();
        sizes.sort_unstable();
        Self(sizes)
    }

    /// How many are of the same sort, and about as long: half as long to twice.
    fn alike(&self, node: &Node) -> usize {
        let Some((sort, len)) = node.size() else {
            return 0;
        };
        let [from, to] = [(sort, len / 2), (sort, 2 * len + 2)];
        self.0.partition_point(|size| *size < to) - self.0.partition_point(|size| *size < from)
    }
}

/// What is looked at.
struct Chains<'a, F: LengthFormat + ?Sized> {
    format: &'a F,
    octets: &'a [u8],
    at: &'a Position<'a>,
    habits: &'a Habits,
    nodes: Vec<Node>,
    sizes: Sizes,
    /// How many of them are not cut and of the usual sort, and of others.
    headers: usize,
    odds: usize,
    /// The longest message that is believed without its end.
    bound: u64,
    segments: usize,
    /// Headers at whose end another one stands, and those which that one can follow.
    meetings: usize,
    fitting: usize,
}

/// Where messages go on in octets that begin somewhere in one. At most `hold` octets wait for more.
pub(super) fn search<F: LengthFormat + ?Sized>(
    format: &F,
    at: &Position<'_>,
    octets: &[u8],
    hold: usize,
    habits: &mut BothHabits,
) -> Found {
    let marks = marks(format, at, octets, habits);
    let ends = habits.is_certain_end(at, octets.len());
    let habits = habits.of(at.direction);
    let known = habits.found == at.offset && at.offset > 0;
    if known && matches!(format.classify(octets), Classified::Message(_)) {
        return Found::At(0);
    }
    let bound = habits.bound(hold);
    let nodes = nodes(format, octets, at.next, bound, &marks, habits);
    let end = at.offset + octets.len() as u64;
    let segments = at.segments.iter().filter(|s| (at.offset..end).contains(s));
    // Those that prove nothing are not counted among the mistakes either.
    let whole = nodes.iter().filter(|node| node.end.is_some());
    let odds = whole.clone().filter(|node| node.odd).count();
    let headers = whole.count() - odds;
    let mut chains = Chains {
        headers,
        odds,
        bound,
        format,
        octets,
        at,
        habits,
        sizes: Sizes::of(nodes.iter()),
        nodes,
        segments: segments.count().max(1),
        meetings: 0,
        fitting: 0,
    };
    chains.follow();
    let more = at.next == Following::Octets;
    let full = octets.len() >= hold;
    let last = !more || at.late || full;
    let chosen = match chains.choose(last) {
        Some((leaf, start)) => Some((leaf, chains.leading(start, Root::Begins))),
        // What ends with the octets, or goes on behind them, is known by all that leads there.
        None if last => {
            let end = chains.nodes.len();
            let known = if ends { Root::Begins } else { Root::Open };
            let first = chains.leading(end, known);
            // One header whose message is not all there says nothing that other octets could not say.
            let whole = |node: &&Node| node.end.is_some_and(|end| end <= octets.len() as u64);
            let first = chains.nodes.get(first).filter(whole).map(|_| first);
            first.map(|first| (first, first))
        }
        None => None,
    };
    if let Some((leaf, start)) = chosen {
        let (place, mistaken) = (chains.nodes[start].at, chains.mistaken(leaf));
        let (meetings, fitting) = chains.met(leaf);
        habits.learn_links(meetings, fitting);
        habits.learn(&octets[..place], octets.len(), mistaken);
        habits.found = at.offset + place as u64;
        return Found::At(place);
    }
    let keep = if more {
        let first = chains.nodes.iter().find(|node| !node.dead);
        let first = first.map_or(octets.len(), |node| node.at);
        // The search goes on with the last quarter, so that no octet is looked at without end.
        let least = if full {
            octets.len() - octets.len() / 4
        } else {
            0
        };
        first.max(least)
    } else {
        octets.len()
    };
    // Of a chain that was not believed nobody knows what it was: but there are no two, also where all lead to what is not there.
    let mistaken = match more {
        true => chains.dead(keep),
        false => chains.dead(keep).max(chains.rivals()),
    };
    if !more {
        habits.learn_links(chains.meetings, chains.fitting);
    }
    habits.learn(&octets[..keep], keep, mistaken);
    Found::Nowhere { keep }
}

/// Octets behind which a look at octets that end in doubt is worth it again, where the message in doubt ends at `end`.
pub(super) fn again(len: usize, end: usize) -> usize {
    // A quarter more: all looks together see each octet five times at most.
    let more = if len < 64 { 0 } else { len / 4 };
    end.clamp(len + 1, len + 1 + more)
}

/// The places where a message begins, if one can.
fn marks<F: LengthFormat + ?Sized>(
    format: &F,
    at: &Position<'_>,
    octets: &[u8],
    habits: &BothHabits,
) -> Vec<usize> {
    let behind = |segment: &u64| usize::try_from(segment.checked_sub(at.offset)?).ok();
    let segments = at.segments.iter().filter_map(behind);
    let segments = segments.filter(|behind| *behind < octets.len());
    let (mut marks, mut writes) = (Vec::new(), Vec::new());
    for behind in segments {
        if habits.is_certain(at, behind) {
            marks.push(behind);
        }
        if at.write(behind) {
            writes.push(behind);
        }
    }
    if marks.is_empty() && habits.is_shown(at, filled(format, at, octets, &writes)) {
        return writes;
    }
    marks
}

/// How many of the writes are messages and nothing else; none where one is not.
fn filled<F: LengthFormat + ?Sized>(
    format: &F,
    at: &Position<'_>,
    octets: &[u8],
    writes: &[usize],
) -> u16 {
    let mut found = 0;
    for (i, from) in writes.iter().enumerate() {
        let to = match writes.get(i + 1) {
            Some(next) => *next,
            None if at.parts.last().is_some_and(HeldPart::ends) => octets.len(),
            None => break,
        };
        let mut rest = &octets[*from..to];
        let mut says = false;
        while !rest.is_empty() {
            let len = match format.classify(rest) {
                Classified::Message(len) => usize::try_from(len).ok(),
                Classified::More | Classified::No => None,
            };
            let Some((message, behind)) = len.and_then(|len| rest.split_at_checked(len)) else {
                return 0;
            };
            says |= message.iter().take(COMPARED).any(|o| *o != 0) && !behind.starts_with(message);
            rest = behind;
        }
        found += u16::from(says);
    }
    found
}

/// The places that look like a header, in order. No message reaches past one of the `marks`.
fn nodes<F: LengthFormat + ?Sized>(
    format: &F,
    octets: &[u8],
    next: Following,
    bound: u64,
    marks: &[usize],
    habits: &Habits,
) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut passed = 0;
    let mut look = |at: usize| {
        while marks.get(passed).is_some_and(|mark| *mark < at) {
            passed += 1;
        }
        let mark = marks.get(passed) == Some(&at);
        let upto = marks.get(passed + usize::from(mark));
        let end = match format.classify(&octets[at..]) {
            Classified::No => return,
            Classified::More if format.least(&octets[at..]) > bound || upto.is_some() => return,
            Classified::More => None,
            Classified::Message(len) => {
                let end = at as u64 + len;
                let past = upto.is_some_and(|mark| end > *mark as u64);
                if past || (end > octets.len() as u64 && len > bound) {
                    return;
                }
                let there = usize::try_from(end).map_or(octets.len(), |end| end.min(octets.len()));
                if !format.is_sound(&octets[at..there]) {
                    return;
                }
                Some(end)
            }
        };
        let sort = format.sort(&octets[at..]);
        nodes.push(Node {
            at,
            end,
            next: None,
            last: nodes.len(),
            dead: false,
            mark,
            sort,
            odd: habits.is_odd(sort),
            odds: 0,
            certain: mark,
            reached: false,
            doubt: 1.0,
            length: 0,
            links: 0,
            numbered: 1.0,
            numbers: 1.0,
            headers: 0,
            ends: 0,
            longest: 0,
            from: None,
            second: 0,
        });
    };
    let scan = format.scan();
    match scan {
        Scan::Never => {}
        Scan::Everywhere => (0..octets.len()).for_each(&mut look),
        Scan::Octets(place, magic) => {
            let (finder, mut from) = (Finder::new(magic), 0);
            // From the next octet on: what ends with the first octets of a marker hides none behind it.
            while let Some(hit) = octets
                .get(from + place..)
                .and_then(|rest| finder.find(rest))
            {
                look(from + hit);
                from += hit + 1;
            }
        }
        Scan::By(_, find) => {
            let mut from = 0;
            while let Some(hit) = octets.get(from..).and_then(find) {
                look(from + hit);
                from += hit + 1;
            }
        }
    }
    if next == Following::Octets {
        // A header that the end cuts before what it is found by.
        let cut = scan.reach().saturating_sub(1);
        (octets.len().saturating_sub(cut)..octets.len()).for_each(look);
    }
    nodes
}

fn power(base: f64, n: u32) -> f64 {
    (0..n.min(32)).fold(1.0, |product, _| product * base)
}

impl<F: LengthFormat + ?Sized> Chains<'_, F> {
    /// What stands at the end of each message, from the last place to the first; then what leads to each, from the first to the
    /// last.
    fn follow(&mut self) {
        let octets = self.octets;
        let cut = self.at.parts.last().is_some_and(HeldPart::is_cut);
        let serial = self.format.serial().map(|place| {
            let mut met = self.habits.met.clone();
            met.add(octets);
            (place, met)
        });
        let mut near = self.nodes.len();
        let shadows = if self.is_dense() { 1 } else { SHADOWS };
        for i in (0..self.nodes.len()).rev() {
            let mut node = self.nodes[i];
            // How many other headers stand in the octets before and behind it.
            while near > 0 && self.nodes[near - 1].at >= node.at + SHADOW {
                near -= 1;
            }
            let behind = near - i;
            let before = self.nodes[..i].iter().rev();
            let before = before.take_while(|n| n.at + SHADOW > node.at).count();
            let length = u32::try_from((behind + before).min(1 + shadows)).unwrap_or(u32::MAX);
            match node.end.and_then(|end| usize::try_from(end).ok()) {
                Some(end) if end < octets.len() => {
                    let next = self.nodes.binary_search_by_key(&end, |n| n.at).ok();
                    let message = &octets[node.at..end];
                    let whole = next.filter(|next| self.nodes[*next].end.is_some());
                    let fits = whole.is_none() || self.format.follows(message, &octets[end..]);
                    self.meetings += usize::from(whole.is_some());
                    self.fitting += usize::from(whole.is_some() && fits);
                    let next = next.filter(|next| fits && !self.nodes[*next].dead);
                    node.dead = next.is_none();
                    if let Some(next) = next {
                        let there = self.nodes[next];
                        (node.next, node.last) = (Some(next), there.last);
                        node.length = there.length;
                        node.links = there.links + u32::from(there.end.is_some());
                        let proves = !node.odd && self.proves(message, end);
                        if let Some((place, met)) = &serial
                            && let Some(number) = octets.get(end + place)
                        {
                            node.numbered = met.share(*number);
                        }
                        node.numbers = there.numbers * if proves { node.numbered } else { 1.0 };
                        node.headers = there.headers + u32::from(proves);
                        node.ends = there.ends + u32::from(self.at.segment(end));
                        node.certain |=
                            there.certain || (self.at.segment(end) && self.is_sure(i, message));
                        node.doubt = there.doubt * self.format.doubt(message);
                        node.odds = there.odds;
                    }
                }
                Some(end) => {
                    let message = &octets[node.at..];
                    node.headers = u32::from(!node.odd && self.proves(message, end));
                    // Where the snapshot length has cut is no end of anything.
                    node.ends = u32::from(end == octets.len() && !cut);
                    node.certain |= node.ends > 0 && self.is_sure(i, message);
                    node.doubt = self.format.doubt(message);
                }
                // The header is cut.
                None => {}
            }
            node.odds += u32::from(node.odd);
            let before = node.next.map_or(0, |next| self.nodes[next].headers);
            if node.headers > before {
                node.length = node.length.saturating_add(length);
            }
            self.nodes[i] = node;
        }
        for i in 0..self.nodes.len() {
            self.nodes[i].reached |= self.nodes[i].mark;
            let Some(next) = self.nodes[i].next else {
                continue;
            };
            // A segment that begins with it counts as a header before it.
            let before = self.nodes[i].longest.max(u32::from(self.is_aligned(i)));
            let (longest, reached) = (before + 1, self.nodes[i].reached);
            let there = &mut self.nodes[next];
            if reached != there.reached {
                // The way from a place that is known is the right one.
                if reached {
                    (there.longest, there.second, there.from) = (longest, 0, Some(i));
                    there.reached = true;
                }
            } else if there.from.is_none() || longest > there.longest {
                there.second = there.longest;
                (there.longest, there.from) = (longest, Some(i));
            } else {
                there.second = there.second.max(longest);
            }
        }
    }

    /// What the chain from this place on is made of.
    fn chain(&self, leaf: usize) -> Sizes {
        let first = self.nodes.get(leaf);
        let nodes = std::iter::successors(first, |node| self.nodes.get(node.next?));
        Sizes::of(nodes)
    }

    /// Every third place looks like a header: those around one would do so without it.
    const fn is_dense(&self) -> bool {
        self.octets.len() > FEW && self.nodes.len() * 3 > self.octets.len()
    }

    /// A message tells more than zeros, or a copy of it that follows, would.
    fn proves(&self, message: &[u8], end: usize) -> bool {
        let start = &message[..message.len().min(COMPARED)];
        let next = self.octets.get(end..).unwrap_or_default();
        start.iter().any(|o| *o != 0) && !next.starts_with(start)
    }

    /// A message that ends with a segment begins with one, and its header needs no other to be believed.
    fn is_sure(&self, node: usize, message: &[u8]) -> bool {
        self.is_aligned(node) && self.format.is_sure(message)
    }

    fn is_aligned(&self, node: usize) -> bool {
        self.at.segment(self.nodes[node].at)
    }

    /// The share of places that look like a header by chance, if the chain from this place on is true.
    fn share(&self, start: usize) -> f64 {
        let looked = self.octets.len();
        self.habits.share(looked, self.mistaken(start))
    }

    /// A chain that chance makes more often than this is not believed.
    fn limit(&self, leaf: usize) -> f64 {
        let usual = (USUAL / self.share(leaf)).min(1.0);
        CHANCE * usual * usual * usual
    }

    /// Places where the chain could have begun that begins here.
    fn places(&self, start: usize, upto: usize) -> f64 {
        match self.is_aligned(start) {
            true if self.habits.is_always_aligned() => AT_A_SEGMENT / 4.0,
            true => as_number(self.segments),
            false => as_number(upto) / self.habits.usual_inside(),
        }
    }

    /// How likely a chain from this place on would be by chance, of which more leads from `leaf` to here.
    fn chance(&self, leaf: usize, start: usize) -> f64 {
        let node = self.nodes[start];
        if node.certain {
            return 0.0;
        }
        let share = self.share(leaf);
        let links = power(self.link(leaf), node.headers.saturating_sub(1));
        // Where numbers are small everywhere, most links are by chance, and high ones are none.
        let links = match share > MANY {
            true => links.min(node.numbers),
            false => links,
        };
        let chance = node.doubt
            * self.places(start, self.octets.len())
            * power(share, node.headers)
            * links
            * power(AT_A_SEGMENT.max(share), node.ends)
            * self.cut(node.last);
        // Where so few headers are enough, each is a strong one.
        let strong = self.format.chain() < length_format::CHAIN;
        match strong && node.headers as usize >= self.format.chain() {
            true => chance.min(CHANCE * CHANCE * CLEARLY),
            false => chance,
        }
    }

    /// How often a header can follow another by chance, by those that are not of the chain from this place on.
    fn link(&self, leaf: usize) -> f64 {
        let (meetings, fitting) = self.met(leaf);
        let meetings = as_number(meetings) + f64::from(self.habits.meetings);
        let fitting = as_number(fitting) + f64::from(self.habits.fitting);
        // What the protocol says counts as four meetings.
        (fitting + 4.0 * self.format.link()) / (meetings + 4.0)
    }

    /// Headers at whose end another one stands, and those which that one can follow, but for the chain from this place on.
    fn met(&self, leaf: usize) -> (usize, usize) {
        let chain = usize::try_from(self.nodes[leaf].links).unwrap_or(usize::MAX);
        let others = self.meetings.saturating_sub(chain);
        (others, self.fitting.saturating_sub(chain))
    }

    /// How often octets look like what is there of a header that is cut; 1 for other places.
    fn cut(&self, last: usize) -> f64 {
        let node = self.nodes[last];
        let there = self.octets.len() - node.at;
        if node.end.is_some() || node.from.is_none() || there == 0 {
            return 1.0;
        }
        let parts = self.octets[node.at.saturating_sub(SAMPLE)..node.at].windows(there);
        let all = parts.len();
        let like = parts
            .filter(|part| could_be(self.format, part, self.bound))
            .count();
        (as_number(like) + 1.0) / (as_number(all) + 2.0)
    }

    /// The farthest place that leads to this last one, as far back as one way is clearly better than the others; and the
    /// place where the chain begins that is believed.
    fn begin(&self, last: usize) -> (usize, usize) {
        let mut start = last;
        while let Some(from) = self.nodes[start].from {
            let node = self.nodes[start];
            let better = node.longest - node.second;
            if node.second > 0 && power(self.share(start), better) > CLEARLY {
                break;
            }
            start = from;
        }
        let leaf = start;
        // What leads to a true chain may be a false one, the less likely the more headers it has.
        if self.nodes[leaf].next.is_none() {
            return (leaf, start);
        }
        let (share, link) = (self.share(leaf), self.link(leaf));
        // Chains that come together do so more often than by chance where headers are many.
        let many = share > MANY;
        let limit = self.limit(leaf) * (USUAL / share).min(1.0);
        let upto = self.nodes[leaf]
            .next
            .map_or(0.0, |next| as_number(self.nodes[next].at));
        let places =
            |start| self.places(start, self.octets.len()).min(upto) * AT_A_PLACE.max(share);
        let mut chance = if many { places(leaf) } else { 1.0 };
        let mut chain = None;
        while let Some(next) = self.nodes[start].next {
            let node = self.nodes[start];
            // As many false ones lead to each place as there are at each place.
            let alike = match many {
                true => 1.0,
                false => self.alike(chain.get_or_insert_with(|| self.chain(leaf)), start),
            };
            // What is odd says as much as it is seldom met here.
            let share = match node.odd && !self.is_aligned(start) {
                true if many => self.share_of_odd(leaf).max(share),
                _ => share,
            };
            let link = if many { link.min(node.numbered) } else { link };
            let own = node.doubt / self.nodes[next].doubt * share * alike * link;
            chance *= own;
            // One at the start of a segment needs no others before it.
            let aligned = self.is_aligned(start) && places(start) * own <= limit;
            if chance <= limit || aligned || node.mark {
                break;
            }
            start = next;
        }
        (leaf, start)
    }

    /// The first place of all that lead to one that is believed, as far back as it is nearly certain. `root`: that one, or, behind
    /// the last, the end of the octets.
    fn leading(&self, root: usize, known: Root) -> usize {
        let end = self.nodes.len();
        let upto = self.nodes.get(root).map_or(self.octets.len(), |n| n.at);
        let nodes = &self.nodes[..root];
        if !nodes.iter().any(|node| self.told(node).is_some()) {
            return root;
        }
        let mut met = self.habits.met.clone();
        met.add(&self.octets[..upto]);
        // Those of messages that are believed are no accidents.
        let believed = std::iter::successors(self.nodes.get(root), |n| self.nodes.get(n.next?));
        let mut believed = believed.map(|node| node.at).peekable();
        let others = self.nodes.iter().filter(|node| {
            let is_next = believed.peek() == Some(&node.at);
            is_next.then(|| believed.next());
            !is_next
        });
        let told = others.filter_map(|node| self.told(node));
        let mut headers: Vec<u64> = told.map(|(header, _)| header).collect();
        headers.sort_unstable();
        let place = |(i, node): (usize, &Node)| {
            let like = self.told(node).map_or(1.0, |(header, lowest)| {
                let from = headers.partition_point(|other| *other < header);
                let others = headers[from..].partition_point(|other| *other == header);
                let others = others.saturating_sub(1);
                (as_number(others) + 0.5) / as_number(self.octets.len()) * met.share(lowest)
            });
            let to = node.end.and_then(|end| usize::try_from(end).ok());
            let goes_on =
                known == Root::Open && node.end.is_some_and(|end| end > self.octets.len() as u64);
            let to = to.filter(|to| *to <= upto);
            let proves = match to {
                Some(to) => self.proves(&self.octets[node.at..to], to),
                None => goes_on,
            };
            let leads = root == end && (goes_on || to == Some(upto));
            let next = node.next.or_else(|| leads.then_some(end));
            let behind = node.next.map_or(1.0, |next| self.nodes[next].doubt);
            let odd = if node.odd { ODD } else { 1.0 };
            Place {
                at: node.at,
                next,
                goes_on,
                chance: match proves {
                    true => like * (node.doubt / behind) * odd,
                    false => 1.0,
                },
                aligned: self.is_aligned(i),
            }
        };
        let places = nodes.iter().enumerate().map(place);
        let places: Vec<Place> = places.chain([Place::root(upto)]).collect();
        branches::farthest(&places, known, CHANCE).unwrap_or(root)
    }

    /// Places that look like a header and prove something, but for those of the longest chain.
    fn rivals(&self) -> usize {
        let longest = self.nodes.iter().map(|node| node.length).max();
        let longest = usize::try_from(longest.unwrap_or(0)).unwrap_or(usize::MAX);
        self.headers.saturating_sub(longest)
    }

    /// What of a header follows from the length of its message: its lowest octet, and all others as one number.
    fn told(&self, node: &Node) -> Option<(u64, u8)> {
        let header = &self.octets[node.at..];
        let (range, lowest) = self.format.told(header)?;
        let others = header.get(range.clone())?.iter().zip(range.clone());
        let others = others.filter(|(_, at)| *at != lowest);
        let others = others.fold(0, |number, (o, _)| number << 8 | u64::from(*o));
        // Headers of another form are none of these.
        Some((others << 4 | range.len() as u64 & 15, *header.get(lowest)?))
    }

    /// How many of the places that look like a header and are none, if this chain is true, are of the sort of this one, and about
    /// as long.
    fn alike(&self, chain: &Sizes, node: usize) -> f64 {
        let like = self.nodes[node];
        let all = self.sizes.0.len() - chain.0.len();
        let alike = self.sizes.alike(&like) - chain.alike(&like);
        (as_number(alike) + 0.5) / (as_number(all) + 1.0)
    }

    /// The share of places that look like a message of an unusual sort, if the chain from this place on is true.
    fn share_of_odd(&self, leaf: usize) -> f64 {
        let chain = usize::try_from(self.nodes[leaf].odds).unwrap_or(usize::MAX);
        let others = as_number(self.odds.saturating_sub(chain));
        ((others + 0.5) / as_number(self.octets.len().max(1))).min(1.0)
    }

    /// How many places look like a header and are none, if the chain from this place on is true.
    fn mistaken(&self, leaf: usize) -> usize {
        let chain = usize::try_from(self.nodes[leaf].length).unwrap_or(usize::MAX);
        self.headers.saturating_sub(chain)
    }

    /// How many places before this one look like a header and are none, whatever is true.
    fn dead(&self, upto: usize) -> usize {
        let mut alive = 0;
        let mut dead = 0;
        let mut nodes = self.nodes.iter().take_while(|n| n.at < upto).peekable();
        while let Some(node) = nodes.next() {
            if !node.dead {
                alive = node.at + SHADOW;
            } else if node.at >= alive
                && nodes
                    .peek()
                    .is_none_or(|n| n.dead || n.at >= node.at + SHADOW)
            {
                dead += 1;
            }
        }
        dead
    }

    /// The farthest place and the first message of the chain that is believed, if one is. `last`: nothing more is waited for.
    fn choose(&self, last: bool) -> Option<(usize, usize)> {
        let mut best: Option<(f64, (usize, usize))> = None;
        let mut rival = f64::INFINITY;
        for (place, node) in self.nodes.iter().enumerate() {
            if node.dead || node.next.is_some() {
                continue;
            }
            let (leaf, start) = self.begin(place);
            let chance = self.chance(leaf, start);
            // One header whose message is not all there says nothing that other octets could not say.
            let cut = node.end.is_none_or(|end| end > self.octets.len() as u64);
            let alone = start == place && cut && self.format.chain() > 1 && !node.mark;
            let better = best.is_none_or(|(least, _)| chance < least);
            if alone || !better {
                rival = rival.min(chance);
                continue;
            }
            if let Some((least, _)) = best.replace((chance, (leaf, start))) {
                rival = rival.min(least);
            }
        }
        let (chance, start) = best?;
        let limit = self.limit(start.0);
        // Of two that are as good, each may be the false one: a header, and its length read too early.
        let clear = if last {
            chance == 0.0 || chance <= rival * BETTER
        } else {
            chance <= rival * CLEARLY
        };
        (chance <= limit && (clear || rival > 1.0)).then_some(start)
    }
}

/// Octets at the end may be the first of a header.
fn could_be<F: LengthFormat + ?Sized>(format: &F, octets: &[u8], bound: u64) -> bool {
    match format.classify(octets) {
        Classified::No => false,
        Classified::More => format.least(octets) <= bound,
        Classified::Message(len) => len <= bound,
    }
}

#[cfg(test)]
mod tests {
    use super::super::user_framer::UserRow;
    use super::*;

    const TEXT: &[u8] = b"a text that is no header and no length anywhere, over and over. ";

    fn row() -> UserRow {
        UserRow::parse("k,tcp.port==1,len@0:u32be+4").unwrap()
    }

    fn message(n: usize) -> Vec<u8> {
        let text = TEXT.iter().cycle().skip(n % 60).take(n).copied();
        let len = u32::try_from(n).unwrap().to_be_bytes();
        len.into_iter().chain(text).collect()
    }

    fn find(octets: &[u8], segments: &[usize], next: Following, late: bool) -> Found {
        let base = Position::behind_a_gap(Direction::Forward);
        let segments: Vec<u64> = segments.iter().map(|s| base.offset + *s as u64).collect();
        let at = Position {
            segments: &segments,
            next,
            late,
            ..base
        };
        search(&row(), &at, octets, 256 << 10, &mut BothHabits::default())
    }

    #[test]
    fn the_longer_chain_wins_against_a_length_whose_end_is_not_there() {
        // Behind a tail of text stands a false length of 20,000, then rows.
        let mut octets = TEXT.to_vec();
        octets.extend([0, 0, 0x4e, 0x20, b'x']);
        let begin = octets.len();
        for n in [50, 30, 70, 20, 45] {
            octets.extend(message(n));
        }
        assert_eq!(
            find(&octets, &[0], Following::Octets, false),
            Found::At(begin)
        );
        assert_eq!(find(&octets, &[0], Following::Gap, false), Found::At(begin));
    }

    /// In small numbers, headers whose octets are not met elsewhere are believed as far back as they lead to a known place.
    #[test]
    fn lengths_that_are_seldom_met_are_believed_as_far_back_as_they_go() {
        let mut habits = taking_turns(5);
        let small = |n: usize| (0..n).map(|i| [0, 0, 0, 1, 2, 0, 3][i * i % 7]);
        let mut octets: Vec<u8> = small(8001).collect();
        let begin = octets.len();
        for n in [90u8, 120, 77] {
            octets.extend([0, 0, 0, n]);
            octets.extend(small(n.into()));
        }
        let base = Position::behind_a_gap(Direction::Forward);
        let next = base.offset + octets.len() as u64;
        octets.extend([0, 0, 0, 5, 0, 0, 0, 2, 0]);
        let at = Position {
            segments: &[base.offset, next],
            parts: &[HeldPart::begun(base.offset - 1), HeldPart::begun(next)],
            ..base
        };
        let found = search(&row(), &at, &octets, 256 << 10, &mut habits);
        assert_eq!(found, Found::At(begin));
    }

    #[test]
    fn zeros_and_copies_prove_nothing() {
        for octets in [vec![0; 400], [1, 1].repeat(200), [0, 0, 0, 4].repeat(100)] {
            for next in [Following::Octets, Following::Gap, Following::End] {
                let found = find(&octets, &[0], next, true);
                assert!(
                    matches!(found, Found::Nowhere { .. }),
                    "{next:?}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_chain_that_ends_with_the_segment_waits_for_the_next() {
        // A length that leads nowhere: such octets are met here.
        let tail = [&TEXT.repeat(5)[..], b"\0\0\0\x09", &TEXT.repeat(5)].concat();
        let first = [&tail[..], &message(40)].concat();
        // It is neither believed nor refused, however long it waits ...
        for late in [false, true] {
            let found = find(&first, &[0], Following::Octets, late);
            assert!(matches!(found, Found::Nowhere { keep } if keep <= tail.len()));
        }
        // ... and believed when the next segment begins with another one; the first of them may be chance here.
        let octets = [&first[..], &message(50)].concat();
        let found = find(&octets, &[0, first.len()], Following::Octets, false);
        assert!(
            matches!(found, Found::At(at) if at >= tail.len()),
            "{found:?}"
        );
    }

    #[test]
    fn one_that_begins_and_ends_with_a_segment_is_believed_at_once() {
        assert_eq!(
            find(&message(40), &[0], Following::Octets, false),
            Found::At(0)
        );
        // The length alone says nothing.
        let cut = &message(40)[..30];
        let found = find(cut, &[0], Following::Octets, true);
        assert_eq!(found, Found::Nowhere { keep: 0 });
        assert_eq!(
            find(cut, &[0], Following::Gap, true),
            Found::Nowhere { keep: 30 }
        );
    }

    /// A tail of small numbers, and a message of them at which the sender began to write, in a connection with these habits.
    fn behind_a_tail(habits: &mut BothHabits, split: u8) -> (usize, Found) {
        let tail = [0, 0, 0, 3, 0, 1].repeat(20);
        let octets = [&tail[..], &[0, 0, 0, 5, 0, 0, 0, 2, 0]].concat();
        let base = Position::behind_a_gap(Direction::Forward);
        let begins = base.offset + tail.len() as u64;
        let at = Position {
            segments: &[base.offset, begins],
            parts: &[HeldPart::begun(base.offset - 1), HeldPart::begun(begins)],
            split,
            ..base
        };
        let found = search(&row(), &at, &octets, 256 << 10, habits);
        (tail.len(), found)
    }

    /// Messages that each begin where the sender began to write, and that the other side answers where they end.
    fn taking_turns(n: u64) -> BothHabits {
        let mut habits = BothHabits::default();
        let begin = Begin::Message {
            kind: crate::base::message::Kind::Other,
            head: 4,
            body: MessageBody::Octets(6),
            hand_over: false,
        };
        for n in 0..n {
            for (direction, ack) in [
                (Direction::Forward, n * 10),
                (Direction::Reverse, n * 10 + 10),
            ] {
                let at = Position {
                    direction,
                    offset: n * 10,
                    segments: &[n * 10],
                    parts: &[HeldPart::begun(n * 10)],
                    ack: Some(ack),
                    ..Position::behind_a_gap(direction)
                };
                habits.note_begun(&at, &begin, 0);
            }
        }
        habits
    }

    #[test]
    fn a_write_begins_a_message_where_it_always_has() {
        let (_, unknown) = behind_a_tail(&mut BothHabits::default(), 0);
        assert!(matches!(unknown, Found::Nowhere { .. }), "{unknown:?}");
        let (begins, known) = behind_a_tail(&mut taking_turns(5), 0);
        assert_eq!(known, Found::At(begins));
        // But not where writes end inside of messages.
        let (_, split) = behind_a_tail(&mut taking_turns(5), 1);
        assert!(matches!(split, Found::Nowhere { .. }), "{split:?}");
    }

    #[test]
    fn a_message_begins_where_the_other_side_has_spoken() {
        let mut habits = taking_turns(5);
        let at = |offset| Position {
            offset,
            ..Position::behind_a_gap(Direction::Forward)
        };
        // The other side had 990 octets when it spoke: what was sent before that is lost.
        habits.of(Direction::Forward).turns.answered(990);
        assert!(habits.is_certain(&at(990), 0) && !habits.is_certain(&at(989), 0));
        // It speaks in the middle of messages, too.
        habits.of(Direction::Forward).turns.answered(45);
        assert!(!habits.is_certain(&at(990), 0));
        // What was said of a message that came late counts when it comes.
        let mut turns = Turns::default();
        turns.answered(100);
        turns.ended(100, 40);
        turns.answered(150);
        turns.ended(170, 40);
        assert_eq!((turns.between, turns.within), (1, 1));
    }

    #[test]
    fn writes_that_are_messages_and_nothing_else_tell_as_much() {
        let base = Position::behind_a_gap(Direction::Forward);
        let mut octets = vec![0, 0, 3, 0, 0, 0, 1];
        let (mut segments, mut parts) = (Vec::new(), vec![HeldPart::begun(0)]);
        for n in 0..4 {
            segments.push(base.offset + octets.len() as u64);
            parts.push(HeldPart::begun(base.offset + octets.len() as u64));
            octets.extend([0, 0, 0, 4, 0, 1, 0, n, 0, 0, 0, 2, n, 0]);
        }
        let at = Position {
            segments: &segments,
            parts: &parts,
            ..base
        };
        let found = search(&row(), &at, &octets, 256 << 10, &mut BothHabits::default());
        assert_eq!(found, Found::At(7));
    }

    #[test]
    fn a_length_is_bounded_by_those_before() {
        let mut habits = Habits::default();
        assert_eq!(habits.bound(256 << 10), 256 << 10);
        for _ in 0..4 {
            habits.note(3000, true);
        }
        assert_eq!(habits.bound(256 << 10), 24_000);
    }
}
