//! Defragmentation: RFC 791, 3.2 and RFC 815 for IPv4, RFC 8200, 4.5 and RFC 5722 for IPv6.
//!
//! Of each datagram that is being put together, the octets lie in the order of their arrival in one buffer, and a
//! sorted list of pieces says what stands where:
//!
//! ```text
//! data    |.. second fragment ..|. first .|....... fourth .......|
//! pieces  [0, 8) at 24   [8, 32) at 0   [56, 88) at 32
//!                                     ^ hole
//! ```
//!
//! Fragments that came in order make one piece, and the buffer is the datagram. Octets that the snapshot length cut off
//! a fragment are a piece that stands nowhere: they are known to have been sent, and what is delivered ends there.
//!
//! A fragment whose header cannot be right (a wrong checksum, a length past the end of its record) is second choice: such
//! fragments make a set of their own. They fill the holes of the other one where what both have agrees: for TCP and SCTP, which
//! know how little to believe it and take better octets that follow, at once; for others when the datagram would be given up, or
//! when its identification is used again. A datagram that has no others is put together of them as soon as it is whole.

use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::AddressPair;
use crate::base::fragment::{FragmentEvent, FragmentFate};
use crate::base::limits::Channels;
use crate::base::packet::{Channel, LinkHeader, PacketInfo};
use crate::base::place::Fragment;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{AgedTable, DigestKey, WaitingStage};
use crate::base::stream::GapCause;
use crate::base::time::Instant;
use etherparse::IpNumber;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::mem::size_of;
use std::net::IpAddr;

/// What fragments of one datagram have in common, on one channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct DatagramKey {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) identification: u32,
    /// Zero for IPv6, where the fragments of one datagram may differ in it (RFC 8200, 4.5).
    pub(super) protocol: u8,
    pub(super) channel: Channel,
    /// Of fragments whose headers cannot be right.
    pub(super) doubtful: bool,
}

impl Hash for DatagramKey {
    /// As numbers: field by field it costs three times as much, and a datagram is looked up about ten times.
    fn hash<H: Hasher>(&self, h: &mut H) {
        AddressPair(self.src, self.dst).hash(h);
        let [outer, inner] = self.channel.vlans.map(u64::from);
        let tags = outer << 16 | inner;
        let own = u64::from(self.identification) << 9
            | u64::from(self.protocol) << 1
            | u64::from(self.doubtful);
        h.write_u64(tags << 32 | u64::from(self.channel.tunnel));
        h.write_u64(own);
    }
}

impl DatagramKey {
    /// That of the fragments which are believed more, or less.
    const fn other_choice(self) -> Self {
        Self {
            doubtful: !self.doubtful,
            ..self
        }
    }

    /// Those of the fragments which are believed, and of those which are second choice.
    const fn choices(self) -> (Self, Self) {
        let first = Self {
            doubtful: false,
            ..self
        };
        (first, first.other_choice())
    }

    /// The same on any channel.
    fn anywhere(self) -> Self {
        Self {
            channel: self.channel.keyed(Channels::Merge),
            ..self
        }
    }

    const fn is_v6(&self) -> bool {
        self.src.is_ipv6()
    }
}

/// One fragment as it arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArrivedFragment<'a> {
    /// What the first fragment of a datagram says that the payload is.
    pub(super) protocol: u8,
    /// Offset of its payload in the datagram's.
    pub(super) offset: u32,
    /// More fragments follow.
    pub(super) more: bool,
    /// The captured octets.
    pub(super) data: &'a [u8],
    /// Where they begin in the packet record, where they do.
    pub(super) at: Option<u32>,
    /// Octets that it has by its header.
    pub(super) len: usize,
    /// Octets of headers that count into the 65,535 of a datagram.
    pub(super) counted: u32,
}

impl ArrivedFragment<'_> {
    /// Where its captured octets stand in the datagram.
    fn captured(&self) -> (u32, u32) {
        // Lossless: a packet has fewer than 65,536.
        let captured = u32::try_from(self.data.len()).unwrap_or(0);
        (self.offset, self.offset + captured)
    }
}

/// A datagram that was put together.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) protocol: u8,
    /// The captured octets up to the first that the snapshot length cut off.
    pub(super) payload: Vec<u8>,
    pub(super) payload_len: usize,
    pub(super) fragments: Vec<Fragment>,
    /// The channel and the link header of the fragment that came first.
    pub(super) channel: Channel,
    pub(super) link: LinkHeader,
    /// Fragments of this channel among them: those that were held until now.
    pub(super) own: u64,
    /// Some of it comes from fragments whose headers cannot be right.
    pub(super) doubtful: bool,
}

/// A datagram for which fragments had to do that were second choice, as nothing better came.
#[derive(Debug)]
pub(super) struct LateDatagram {
    pub(super) key: DatagramKey,
    /// The packet that brought its last fragment.
    pub(super) packet: PacketInfo,
    pub(super) whole: Whole,
}

/// Fragments that are held, waiting for others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HeldFragments {
    /// Of IPv4.
    pub ipv4: u64,
    /// Of IPv6.
    pub ipv6: u64,
}

impl HeldFragments {
    fn of(&mut self, v6: bool) -> &mut u64 {
        if v6 { &mut self.ipv6 } else { &mut self.ipv4 }
    }

    fn less(&mut self, v6: bool, n: usize) {
        // Saturating: a counter that shows what waits must not wrap over one forgotten fragment.
        let held = self.of(v6);
        *held = held.saturating_sub(n as u64);
    }
}

/// The reasons to drop a fragment, by version of IP.
struct Reasons {
    duplicate: Discard,
    empty: Discard,
    misaligned: Discard,
    oversized: Discard,
    bad_end: Discard,
    overlap: Discard,
    expired: Discard,
    evicted: Discard,
    unfinished: Discard,
}

const REASONS_V4: Reasons = Reasons {
    duplicate: Discard::Ipv4DuplicateFragment,
    empty: Discard::Ipv4EmptyFragment,
    misaligned: Discard::Ipv4MisalignedFragment,
    oversized: Discard::Ipv4OversizedFragment,
    bad_end: Discard::Ipv4BadEndFragment,
    // IPv4 drops none for it: the octets that came first stay.
    overlap: Discard::Ipv4DuplicateFragment,
    expired: Discard::Ipv4ExpiredFragment,
    evicted: Discard::Ipv4EvictedFragment,
    unfinished: Discard::Ipv4UnfinishedFragment,
};

const REASONS_V6: Reasons = Reasons {
    duplicate: Discard::Ipv6DuplicateFragment,
    empty: Discard::Ipv6EmptyFragment,
    misaligned: Discard::Ipv6MisalignedFragment,
    oversized: Discard::Ipv6OversizedFragment,
    bad_end: Discard::Ipv6BadEndFragment,
    overlap: Discard::Ipv6OverlappingFragment,
    expired: Discard::Ipv6ExpiredFragment,
    evicted: Discard::Ipv6EvictedFragment,
    unfinished: Discard::Ipv6UnfinishedFragment,
};

const fn reasons(v6: bool) -> &'static Reasons {
    if v6 { &REASONS_V6 } else { &REASONS_V4 }
}

/// The largest length that IP headers can tell (RFC 791, RFC 8200).
// A datagram over it was the "ping of death": its total length cannot be written in a header.
const MAX_LEN: usize = 65_535;
/// Channels of which fragments are looked at to fill a hole on another one.
// Mirrors tag by direction and by port of the switch, so two or three are met. Each more is one
// more comparison for each fragment of a datagram that lacks something.
const PEERS: usize = 4;
/// Buffers of datagrams that are kept for others, as fragments of a few come at the same time: 1 MiB at most, which no budget counts.
const SPARE: usize = 16;
/// Marks a piece that the snapshot length cut off.
// No buffer comes near it: 65,535 octets of payload at most.
const CUT: u32 = u32::MAX;

/// Octets `start..end` of the payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct SetPiece {
    start: u32,
    end: u32,
    /// Where they stand in the buffer, or [`CUT`].
    at: u32,
}

impl SetPiece {
    /// The octets of `from..to`, which lie in this piece; None where they were cut off.
    fn octets<'a>(&self, data: &'a [u8], from: u32, to: u32) -> Option<&'a [u8]> {
        if self.at == CUT {
            return None;
        }
        let at = (self.at + (from - self.start)) as usize;
        data.get(at..at + (to - from) as usize)
    }
}

/// What a datagram allocates.
#[derive(Debug, Default)]
struct Buffers {
    data: Vec<u8>,
    pieces: Vec<SetPiece>,
    fragments: Vec<Fragment>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
enum SetState {
    /// Waits for fragments.
    #[default]
    Filling,
    /// Was delivered; its key is kept to know late copies (`--store-fragments`).
    Done,
    /// Overlapping fragments: all of its fragments are dropped, those to come too (RFC 5722, 3).
    Refused,
}

/// A datagram that is being put together.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Set {
    state: SetState,
    /// When its first fragment came.
    first: Instant,
    /// The link header of that fragment.
    link: LinkHeader,
    /// The packet that brought its last one.
    newest: PacketInfo,
    protocol: u8,
    /// Octets of the whole payload, once the last fragment has come.
    total: Option<u32>,
    /// Octets that the pieces stand for.
    covered: u32,
    /// In order, not overlapping. For IPv6 each is one fragment's.
    pieces: Vec<SetPiece>,
    data: Vec<u8>,
    fragments: Vec<Fragment>,
    /// What each fragment was: kept with `--store-fragments`, in order once the set is done.
    copies: Vec<Copy>,
    /// A datagram of another channel was filled from these octets.
    lent: bool,
    /// Differs from what came on another channel, so that neither fills the other.
    alone: bool,
    /// A copy of a fragment has brought what was cut off, which is a piece of its own.
    mended: bool,
    /// Was handed on with fragments that were second choice.
    stood_in: bool,
    /// Octets that the budget knows of.
    charged: usize,
}

/// What is kept of a fragment to know its copies by: offset, length, digest of its octets.
type Copy = (u32, u32, u64);

/// What came of a fragment that was put into a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Placement {
    /// It brought octets, or the end; some of them overlap what was there, and may differ from it.
    Kept { overlaps: bool, conflicts: bool },
    /// It brought nothing.
    Duplicate { conflicts: bool },
    /// It contradicts the end of the datagram.
    BadEnd,
    /// It overlaps others, which IPv6 forbids.
    Overlap,
}

/// Fragments that wait for others, by datagram; plain data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Defrag {
    /// In order of their first fragments.
    sets: AgedTable<DatagramKey, Set>,
    /// The channels on which a datagram's fragments wait, where channels fill each other; up to [`PEERS`]. Nothing, as long as
    /// all fragments came on one channel.
    peers: AgedTable<DatagramKey, Vec<Channel>>,
    /// That channel.
    one_channel: Option<Channel>,
    several_channels: bool,
    /// What datagrams had allocated that are gone.
    #[serde(skip)]
    spare: Vec<Buffers>,
    /// Fragments in all sets, kept copies included: what `--max-active-packets` bounds.
    active: usize,
    held: HeldFragments,
    /// Sets of fragments that are second choice.
    second_choices: usize,
    /// Datagrams that were put together of them, to be handed on next.
    #[serde(skip)]
    late: VecDeque<LateDatagram>,
    /// What the digests of fragments are keyed with.
    key: DigestKey,
    /// Octets of the tables that the budget knows of.
    charged: usize,
}

impl Defrag {
    /// Fragments that count for `--max-active-packets`.
    pub(super) const fn active(&self) -> usize {
        self.active
    }

    pub(super) const fn held(&self) -> HeldFragments {
        self.held
    }

    /// Takes a fragment; gives the datagram that it completes.
    pub(super) fn push(
        &mut self,
        cx: &mut Context,
        key: DatagramKey,
        arrival: &ArrivedFragment<'_>,
    ) -> Option<Whole> {
        let why = reasons(key.is_v6());
        let end = arrival.offset as usize + arrival.len;
        // It would cover nothing, and could be sent without end.
        if arrival.len == 0 {
            cx.discard(why.empty);
            return None;
        }
        // Offsets count eight octets (RFC 791, 3.2): only the last fragment may end elsewhere.
        if arrival.more && !arrival.len.is_multiple_of(8) {
            cx.discard(why.misaligned);
            return None;
        }
        // Headers count too: the total length of the whole has to fit its 16 bits.
        if end + arrival.counted as usize > MAX_LEN {
            cx.discard(why.oversized);
            return None;
        }
        // Lossless: below 65,535.
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        // Before it is placed, so that the datagram to which it belongs may be the one that goes:
        // the oldest waits with the least hope.
        while self.active >= cx.limits.active_packets && self.evict_oldest(cx) {}
        let whole = self.place(cx, key, arrival, end);
        self.charge(cx);
        whole
    }

    /// The next datagram that was completed by giving up the wait for better fragments.
    pub(super) fn next_late(&mut self) -> Option<LateDatagram> {
        self.late.pop_front()
    }

    fn place(
        &mut self,
        cx: &mut Context,
        key: DatagramKey,
        arrival: &ArrivedFragment<'_>,
        end: u32,
    ) -> Option<Whole> {
        let v6 = key.is_v6();
        let why = reasons(v6);
        if key.doubtful {
            match self.state_of(key.other_choice()) {
                Some(SetState::Refused) => {
                    cx.discard(why.overlap);
                    return None;
                }
                // Nothing of it is missing.
                Some(SetState::Done) => {
                    let conflict = !self.knows_copy(key.other_choice(), arrival, end);
                    duplicate(cx, key, arrival, end, conflict);
                    return None;
                }
                _ => {}
            }
        }
        let mut place = self.sets.find(&key);
        if let Some(set) = place.and_then(|p| self.sets.get(p)) {
            let stale = match set.state {
                // A late copy of what has been delivered. Without this it would open a datagram
                // that nobody completes.
                SetState::Done => {
                    if self.knows_copy(key, arrival, end) {
                        duplicate(cx, key, arrival, end, false);
                        return None;
                    }
                    // The identification is in use again.
                    true
                }
                SetState::Refused => {
                    // RFC 5722, 3: also fragments that come later, or an attacker sends the overlap
                    // first and the honest rest second.
                    cx.discard(why.overlap);
                    return None;
                }
                // What waited too long and has not been cleared away yet yields to a datagram that has the same
                // identification and does not fit.
                // Identifications of 16 bits come again within seconds at a high rate (RFC 4963). A
                // fragment that fits is still taken, however late.
                // At once where what was there is enough.
                SetState::Filling => {
                    let (late, stood_in) = (
                        cx.now.since(set.first) > cx.limits.ip_packet_timeout,
                        set.stood_in,
                    );
                    let may_be_stale = late || stood_in || self.second_choices > 0;
                    may_be_stale
                        && set.contradicts(arrival, end)
                        && (late || stood_in || (!key.doubtful && self.use_second_choice(cx, key)))
                }
            };
            if stale {
                self.remove(cx, key, GapCause::Timeout);
                place = None;
            }
        }
        let place = place.unwrap_or_else(|| {
            // Noted before anything can fill it.
            self.join_peers(cx, key);
            self.second_choices += usize::from(key.doubtful);
            let spare = self.spare.pop().unwrap_or_default();
            self.sets.insert(
                key,
                Set {
                    first: cx.now,
                    link: cx.packet.link,
                    protocol: arrival.protocol,
                    pieces: spare.pieces,
                    data: spare.data,
                    fragments: spare.fragments,
                    ..Set::default()
                },
            )
        });
        let set = self.sets.get_mut(place)?;
        let placed = set.put(arrival, end, v6);
        // Overlaps are counted for every fragment that shows one, whether it is kept or not.
        let mut overlapping = (false, false);
        match placed {
            Placement::Kept {
                overlaps,
                conflicts,
            } => {
                overlapping = (overlaps, conflicts);
                // For IPv6 only the first fragment's next header counts (RFC 8200, 4.5); for IPv4
                // all have the same.
                if arrival.offset == 0 {
                    set.protocol = arrival.protocol;
                }
                set.newest = cx.packet;
                set.fragments.push(Fragment {
                    frame: cx.packet.frame,
                    time: cx.packet.time,
                    offset: arrival.offset,
                    len: end - arrival.offset,
                    at: arrival.at,
                });
                if cx.limits.store_fragments {
                    set.copies.push(copy_of(self.key, arrival, end));
                }
                self.active += 1;
                let most = &mut cx.counters.buffer.fragments_peak;
                *most = (*most).max(self.active as u64);
                *self.held.of(v6) += 1;
            }
            Placement::Duplicate { conflicts } => {
                overlapping = (conflicts, conflicts);
                duplicate(cx, key, arrival, end, conflicts);
            }
            Placement::BadEnd => cx.discard(why.bad_end),
            Placement::Overlap => {
                overlapping.0 = true;
                cx.discard(why.overlap);
                // All of the datagram goes, as RFC 5722 says: which of the two was meant cannot be
                // known.
                self.refuse(cx, key);
            }
        }
        if v6 {
            cx.counters.ipv6.overlaps += u64::from(overlapping.0);
        } else {
            cx.counters.ipv4.overlaps += u64::from(overlapping.0);
            cx.counters.ipv4.conflicts += u64::from(overlapping.1);
        }
        let set = self.sets.get_mut(place)?;
        // Charged also when it was refused: `refuse` has given memory back.
        set.charge(cx);
        if !matches!(placed, Placement::Kept { .. }) {
            return None;
        }
        if set.is_complete() {
            // Its octets have been handed on by another channel.
            if set.lent {
                self.drop_fragments(cx, key, why.duplicate);
                return None;
            }
            // Better ones may follow where some have come.
            let waits = key.doubtful
                && !is_choosy(set.protocol)
                && self.state_of(key.other_choice()) == Some(SetState::Filling);
            return if waits {
                None
            } else {
                self.finish(cx, key, None)
            };
        }
        if self.second_choices > 0
            && let Some(whole) = self.stand_in(cx, key)
        {
            return Some(whole);
        }
        // Its own channel may lack a fragment that another one has.
        self.fill_from_peers(cx, key)
    }

    /// A fragment of the datagram with this key, which has been handed on, is a copy.
    fn knows_copy(&self, key: DatagramKey, arrival: &ArrivedFragment<'_>, end: u32) -> bool {
        let set = self.sets.find(&key).and_then(|p| self.sets.get(p));
        let copy = copy_of(self.key, arrival, end);
        set.is_some_and(|set| set.copies.binary_search(&copy).is_ok())
    }

    /// Takes a set whose octets are all there out and makes a datagram of it. `filled` stands for its own octets where
    /// another channel had to help.
    fn finish(
        &mut self,
        cx: &mut Context,
        key: DatagramKey,
        filled: Option<Whole>,
    ) -> Option<Whole> {
        let v6 = key.is_v6();
        self.drop_second_choice(cx, key, reasons(v6).duplicate);
        let place = self.sets.find(&key)?;
        let set = self.sets.get_mut(place)?;
        let own = set.fragments.len();
        // They leave the held ones here, whoever completed them, or one fragment would be counted
        // on two channels.
        self.held.less(v6, own);
        let mut whole = match filled {
            Some(whole) => whole,
            None => Whole {
                channel: key.channel,
                ..set.take()
            },
        };
        whole.own = own as u64;
        whole.doubtful = key.doubtful;
        if cx.limits.store_fragments {
            // Only what is needed to know a copy stays: digests, not octets.
            set.state = SetState::Done;
            self.active = self.active.saturating_sub(own) + set.copies.len();
            // Sorted once here, so that each late copy is found by binary search.
            set.copies.sort_unstable();
            (set.data, set.pieces, set.fragments, set.covered) = Default::default();
            set.charge(cx);
            self.leave_peers(key);
        } else {
            self.active = self.active.saturating_sub(own);
            self.drop_set(cx, key);
        }
        Some(whole)
    }

    fn state_of(&self, key: DatagramKey) -> Option<SetState> {
        if key.doubtful && self.second_choices == 0 {
            return None;
        }
        let set = self.sets.find(&key).and_then(|p| self.sets.get(p))?;
        Some(set.state)
    }

    /// Drops the fragments that were second choice, as what became of their datagram is known.
    fn drop_second_choice(&mut self, cx: &mut Context, key: DatagramKey, why: Discard) {
        let second = key.other_choice();
        if !key.doubtful && self.state_of(second).is_some() {
            self.drop_fragments(cx, second, why);
        }
    }

    /// Hands a datagram on with fragments that are second choice, where its transport knows how little to believe it. Better ones
    /// are still waited for.
    fn stand_in(&mut self, cx: &mut Context, key: DatagramKey) -> Option<Whole> {
        let (first, second) = key.choices();
        let (a, b) = (self.sets.find(&first)?, self.sets.find(&second)?);
        let (believed, doubtful) = (self.sets.get(a)?, self.sets.get(b)?);
        // Once, or small fragments would have it copied over and over.
        if believed.stood_in {
            return None;
        }
        let Joined::Whole(whole) = believed.joined(doubtful) else {
            return None;
        };
        if !is_choosy(whole.protocol) {
            return None;
        }
        let link = believed.older(doubtful).link;
        let held = doubtful.fragments.len();
        let own = whole.fragments.len() - believed.fragments.len();
        if let Some(believed) = self.sets.get_mut(a) {
            believed.stood_in = true;
        }
        self.leave(cx, key, held, own);
        self.drop_set(cx, second);
        Some(Whole {
            channel: key.channel,
            link,
            own: own as u64,
            doubtful: true,
            ..whole
        })
    }

    /// A set would be given up: where fragments that are second choice complete it, the datagram is handed on with them.
    fn use_second_choice(&mut self, cx: &mut Context, key: DatagramKey) -> bool {
        if self.second_choices == 0 {
            return false;
        }
        let (first, second) = key.choices();
        let set_of = |key| {
            let set = self.sets.find(&key).and_then(|p| self.sets.get(p));
            // What was lent is known as a part of another datagram already.
            set.filter(|set| set.state == SetState::Filling && !set.lent && !set.stood_in)
        };
        let Some(doubtful) = set_of(second) else {
            return false;
        };
        let nothing = Set::default();
        let (whole, believed) = match set_of(first).map(|set| (set.joined(doubtful), set)) {
            Some((Joined::Whole(whole), believed)) => (whole, believed),
            // Alone they would have been taken at once: these waited for better ones until now.
            _ if key.doubtful => match nothing.joined(doubtful) {
                Joined::Whole(whole) => (whole, &nothing),
                _ => return false,
            },
            _ => return false,
        };
        let alone = believed.fragments.is_empty();
        let oldest = believed.older(doubtful);
        let newest = if doubtful.newest.frame > believed.newest.frame {
            doubtful
        } else {
            believed
        };
        let held = doubtful.fragments.len() + believed.fragments.len();
        let own = whole.fragments.len();
        let late = LateDatagram {
            key,
            packet: newest.newest,
            whole: Whole {
                channel: key.channel,
                link: oldest.link,
                own: own as u64,
                doubtful: true,
                ..whole
            },
        };
        self.late.push_back(late);
        self.leave(cx, key, held, own);
        self.drop_set(cx, second);
        if !alone {
            self.drop_set(cx, first);
        }
        true
    }

    /// So many fragments are held no longer, of which some went into a datagram: the others brought nothing to it, and are copies.
    fn leave(&mut self, cx: &mut Context, key: DatagramKey, held: usize, used: usize) {
        let copies = held.saturating_sub(used) as u64;
        cx.counters
            .discard_many(reasons(key.is_v6()).duplicate, copies);
        self.held.less(key.is_v6(), held);
        self.active = self.active.saturating_sub(held);
    }

    /// Tries to complete a datagram with the octets of another channel.
    fn fill_from_peers(&mut self, cx: &mut Context, key: DatagramKey) -> Option<Whole> {
        // With `first` and `separate`, channels do not help each other.
        if cx.limits.channels != Channels::Merge || self.peers.is_empty() {
            return None;
        }
        let group = self.peers.find(&key.anywhere())?;
        // One channel alone is the usual case.
        if self.peers.get(group)?.len() < 2 {
            return None;
        }
        // By number, as finishing or dropping a set changes the list that is walked.
        for n in 0..PEERS {
            let group = self.peers.find(&key.anywhere())?;
            let channel = *self.peers.get(group)?.get(n)?;
            let peer = DatagramKey { channel, ..key };
            if peer == key {
                continue;
            }
            let (Some(a), Some(b)) = (self.sets.find(&key), self.sets.find(&peer)) else {
                continue;
            };
            let (mine, theirs) = (self.sets.get(a)?, self.sets.get(b)?);
            // Tried with one peer at a time: with three the agreement could not be blamed on
            // anybody.
            match mine.joined(theirs) {
                Joined::Incomplete => {}
                Joined::Differ => {
                    // They disagree, so they are two datagrams that share an identification (or one
                    // is forged). Neither fills the other from now on.
                    for place in [a, b] {
                        if let Some(set) = self.sets.get_mut(place) {
                            set.alone = true;
                        }
                    }
                }
                Joined::Whole(mut whole) => {
                    // Merged copies carry the tags that were seen first.
                    let theirs_first = theirs.first_frame() < mine.first_frame();
                    (whole.channel, whole.link) = if theirs_first {
                        (peer.channel, theirs.link)
                    } else {
                        (key.channel, mine.link)
                    };
                    if let Some(set) = self.sets.get_mut(b) {
                        set.lent = true;
                    }
                    return self.finish(cx, key, Some(whole));
                }
            }
        }
        None
    }

    /// Drops what a set holds; its key stays known until its time is over.
    fn refuse(&mut self, cx: &mut Context, key: DatagramKey) {
        let Some(set) = self.sets.find(&key).and_then(|p| self.sets.get_mut(p)) else {
            // They were counted as held; now they are dropped, each under this reason.
            return;
        };
        let own = set.fragments.len();
        cx.counters
            .discard_many(reasons(key.is_v6()).overlap, own as u64);
        self.held.less(key.is_v6(), own);
        // One stays for the key itself, so that keys are bounded too.
        self.active = (self.active + 1).saturating_sub(own);
        // The time stays: the key is forgotten when its first fragment has waited long enough.
        *set = Set {
            state: SetState::Refused,
            first: set.first,
            charged: set.charged,
            ..Set::default()
        };
        set.charge(cx);
        self.leave_peers(key);
        self.drop_second_choice(cx, key, reasons(key.is_v6()).overlap);
    }

    /// Drops the datagrams that have waited for `--ip-packet-timeout`.
    pub(super) fn expire(&mut self, cx: &mut Context) {
        // In order of the first fragment, so the search ends at the first that is young enough.
        while let Some((_, key, set)) = self.sets.oldest() {
            if cx.now.since(set.first) < cx.limits.ip_packet_timeout {
                return;
            }
            let key = *key;
            self.remove(cx, key, GapCause::Timeout);
            self.charge(cx);
        }
    }

    /// Nothing waits.
    #[inline(always)] // asked behind every packet
    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.late.is_empty()
    }

    /// Drops the datagram that waits longest, to make room; false where nothing waits.
    pub(super) fn evict_oldest(&mut self, cx: &mut Context) -> bool {
        let Some((_, key, _)) = self.sets.oldest() else {
            return false;
        };
        let key = *key;
        self.remove(cx, key, GapCause::Memory);
        self.charge(cx);
        true
    }

    /// Drops everything: the input has ended.
    pub(super) fn flush(&mut self, cx: &mut Context) {
        // In the order of arrival, so that counters and traces are the same in every run.
        while let Some((_, key, _)) = self.sets.oldest() {
            let key = *key;
            self.remove(cx, key, GapCause::End);
        }
        // The tables keep some room where they are emptied entry by entry.
        self.sets = AgedTable::new();
        self.peers = AgedTable::new();
        self.spare = Vec::new();
        self.charge(cx);
    }

    /// Drops a set, its fragments for this reason, if no others complete it.
    fn remove(&mut self, cx: &mut Context, key: DatagramKey, cause: GapCause) {
        if self.use_second_choice(cx, key) {
            return;
        }
        let Some(set) = self.sets.find(&key).and_then(|p| self.sets.get(p)) else {
            return;
        };
        let reasons_of = reasons(key.is_v6());
        let why = match cause {
            _ if set.lent || set.stood_in => reasons_of.duplicate,
            GapCause::Timeout => reasons_of.expired,
            GapCause::Memory => reasons_of.evicted,
            _ => reasons_of.unfinished,
        };
        if set.state == SetState::Filling && !set.lent && !set.stood_in {
            let (offset, missing) = set.missing();
            let fate = FragmentFate::Lost {
                offset,
                missing,
                cause,
            };
            tell(cx, key, set.protocol, set.link, fate);
        }
        self.drop_fragments(cx, key, why);
    }

    /// Drops a set, its fragments for this reason.
    fn drop_fragments(&mut self, cx: &mut Context, key: DatagramKey, why: Discard) {
        let Some(set) = self.sets.find(&key).and_then(|p| self.sets.get(p)) else {
            return;
        };
        match set.state {
            SetState::Filling => {
                let own = set.fragments.len();
                cx.counters.discard_many(why, own as u64);
                self.held.less(key.is_v6(), own);
                self.active = self.active.saturating_sub(own);
            }
            SetState::Done => self.active = self.active.saturating_sub(set.copies.len()),
            SetState::Refused => self.active = self.active.saturating_sub(1),
        }
        self.drop_set(cx, key);
    }

    // The only place where a set leaves: budget and peers cannot be forgotten.
    fn drop_set(&mut self, cx: &mut Context, key: DatagramKey) {
        if let Some((_, set)) = self.sets.find(&key).and_then(|p| self.sets.remove(p)) {
            let budget = &mut cx.budget;
            budget.resize_waiting(WaitingStage::Fragments, set.charged, 0);
            self.second_choices -= usize::from(key.doubtful);
            self.keep(set.data, set.pieces, set.fragments);
        }
        self.leave_peers(key);
    }

    /// The octets and the list of a datagram that was handed on are used again.
    pub(super) fn recycle(&mut self, octets: Vec<u8>, fragments: Vec<Fragment>) {
        // Its pieces have come back already, to the buffers that were kept last.
        match self.spare.last_mut() {
            Some(spare) if spare.data.capacity() == 0 => {
                (spare.data, spare.fragments) = (octets, fragments);
                spare.data.clear();
                spare.fragments.clear();
            }
            _ => self.keep(octets, Vec::new(), fragments),
        }
    }

    fn keep(&mut self, mut data: Vec<u8>, mut pieces: Vec<SetPiece>, mut fragments: Vec<Fragment>) {
        if self.spare.len() < SPARE {
            data.clear();
            pieces.clear();
            fragments.clear();
            self.spare.push(Buffers {
                data,
                pieces,
                fragments,
            });
        }
    }

    /// Notes that fragments of a datagram come on this channel.
    fn join_peers(&mut self, cx: &Context, key: DatagramKey) {
        if cx.limits.channels != Channels::Merge {
            return;
        }
        if !self.several_channels {
            let one = *self.one_channel.get_or_insert(key.channel);
            if one == key.channel {
                return;
            }
            // The first of another: from now on those that wait may have peers.
            self.several_channels = true;
            let all: Vec<_> = self.sets.iter().map(|(key, _)| *key).collect();
            for known in all {
                self.join(known);
            }
        }
        self.join(key);
    }

    fn join(&mut self, key: DatagramKey) {
        let group = key.anywhere();
        match self.peers.find(&group) {
            None => {
                self.peers.insert(group, vec![key.channel]);
            }
            Some(place) => {
                if let Some(channels) = self.peers.get_mut(place)
                    // More than four channels are not looked at; their datagrams still complete by
                    // themselves.
                    && channels.len() < PEERS
                    && !channels.contains(&key.channel)
                {
                    channels.push(key.channel);
                }
            }
        }
    }

    fn leave_peers(&mut self, key: DatagramKey) {
        if self.peers.is_empty() {
            return;
        }
        let Some(place) = self.peers.find(&key.anywhere()) else {
            return;
        };
        let Some(channels) = self.peers.get_mut(place) else {
            return;
        };
        channels.retain(|c| *c != key.channel);
        if channels.is_empty() {
            self.peers.remove(place);
        }
    }

    /// Charges the budget with what the tables have allocated.
    fn charge(&mut self, cx: &mut Context) {
        let now = self.sets.allocated()
            + self.peers.allocated()
            // The list of channels of each group.
            // At its bound, not by capacity: the lists hold four at most and are not worth a walk.
            + self.peers.len() * PEERS * size_of::<Channel>();
        cx.budget.rebook(&mut self.charged, now);
    }

    /// What must always hold.
    #[cfg(test)]
    fn invariants(&self) {
        let mut held = HeldFragments::default();
        let mut active = 0;
        for (key, set) in self.sets.iter() {
            match set.state {
                SetState::Filling => {
                    *held.of(key.is_v6()) += set.fragments.len() as u64;
                    active += set.fragments.len();
                }
                SetState::Done => active += set.copies.len(),
                SetState::Refused => active += 1,
            }
            assert!(
                set.pieces
                    .windows(2)
                    .all(|w| w[0].start < w[0].end && w[0].end <= w[1].start)
            );
            let covered: u32 = set.pieces.iter().map(|p| p.end - p.start).sum();
            assert_eq!(covered, set.covered);
            assert!(set.charged >= set.allocated());
        }
        assert_eq!(held, self.held);
        assert_eq!(active, self.active);
        let doubtful = self.sets.iter().filter(|(key, _)| key.doubtful).count();
        assert_eq!(doubtful, self.second_choices);
    }
}

/// A transport that keeps what is doubtful as second choice, and takes what follows instead.
const fn is_choosy(protocol: u8) -> bool {
    matches!(IpNumber(protocol), IpNumber::TCP | IpNumber::SCTP)
}

/// What two channels have of one datagram.
enum Joined {
    Incomplete,
    Differ,
    Whole(Whole),
}

impl Set {
    fn is_complete(&self) -> bool {
        // Pieces do not overlap, so their sum is the length only when there is no hole.
        self.total == Some(self.covered)
    }

    /// Offset of the first octet that is missing, and how many are, if that is known.
    fn missing(&self) -> (u32, Option<u32>) {
        let mut offset = 0;
        for piece in &self.pieces {
            if piece.start > offset {
                break;
            }
            offset = piece.end;
        }
        let missing = self.total.map(|total| total.saturating_sub(self.covered));
        (offset, missing)
    }

    /// Number of the packet that brought its first fragment.
    fn first_frame(&self) -> u64 {
        self.fragments.first().map_or(u64::MAX, |f| f.frame)
    }

    /// The one of two whose first fragment came first.
    fn older<'a>(&'a self, other: &'a Self) -> &'a Self {
        match other.first_frame() < self.first_frame() {
            true => other,
            false => self,
        }
    }

    /// Offset behind the last octet that is known.
    fn highest(&self) -> u32 {
        self.pieces.last().map_or(0, |p| p.end)
    }

    /// The fragment does not belong to the same datagram as the others.
    fn contradicts(&self, arrival: &ArrivedFragment<'_>, end: u32) -> bool {
        !self.end_fits(arrival, end) || self.compare(arrival, end).1
    }

    /// The fragment agrees with what is known of the datagram's end.
    fn end_fits(&self, arrival: &ArrivedFragment<'_>, end: u32) -> bool {
        match self.total {
            // Known from the last fragment: nothing may go past it, and no other fragment may claim
            // another end.
            Some(total) => end <= total && (arrival.more || end == total),
            // The last fragment may not end before what is there: one of the two belongs to another
            // datagram.
            None => arrival.more || end >= self.highest(),
        }
    }

    /// Place of the first piece that ends behind `offset`.
    fn from(&self, offset: u32) -> usize {
        self.pieces.partition_point(|p| p.end <= offset)
    }

    /// How many octets of the fragment are there already, and whether some of them differ.
    fn compare(&self, arrival: &ArrivedFragment<'_>, end: u32) -> (u32, bool) {
        // From the first piece that can overlap: attackers send thousands of tiny fragments, and a
        // walk from the front would be quadratic.
        let (mut there, mut differ) = (0, false);
        for piece in self.pieces.iter().skip(self.from(arrival.offset)) {
            if piece.start >= end {
                break;
            }
            let (from, to) = (piece.start.max(arrival.offset), piece.end.min(end));
            there += to - from;
            if let Some(old) = piece.octets(&self.data, from, to) {
                let new = arrival
                    .data
                    .get((from - arrival.offset) as usize..)
                    .unwrap_or(&[]);
                // What was cut off cannot differ.
                differ |= old.iter().zip(new).any(|(a, b)| a != b);
            }
        }
        (there, differ)
    }

    /// The fragment has exactly the extent of one that came before.
    fn has_same_extent(&self, arrival: &ArrivedFragment<'_>, end: u32) -> bool {
        let mut pieces = self.pieces.iter().skip(self.from(arrival.offset));
        let Some(piece) = pieces.next().filter(|p| p.start == arrival.offset) else {
            return false;
        };
        // Where a fragment was cut, its captured part and its missing part are two pieces.
        let cut = piece.at == CUT || pieces.next().is_some_and(|p| p.at == CUT);
        if !cut && !self.mended {
            return piece.end == end;
        }
        // What was cut off may be the end of a fragment or a whole one: the list of them knows.
        self.fragments
            .iter()
            .any(|f| f.offset == arrival.offset && f.offset + f.len == end)
    }

    /// How many of the captured octets of a fragment were cut off copies of it.
    fn cut_before(&self, arrival: &ArrivedFragment<'_>) -> u32 {
        let (from, to) = arrival.captured();
        let pieces = self.pieces.iter().skip(self.from(from));
        let pieces = pieces.take_while(|p| p.start < to);
        let cut = pieces.filter(|p| p.at == CUT);
        cut.map(|p| p.end.min(to) - p.start.max(from)).sum()
    }

    /// Makes room for the captured octets of a fragment where copies of it were cut off.
    fn uncover(&mut self, arrival: &ArrivedFragment<'_>) {
        let (from, to) = arrival.captured();
        let first = self.from(from);
        let behind = self.pieces.partition_point(|p| p.start < to);
        for i in (first..behind).rev() {
            let Some(piece) = self.pieces.get(i).copied().filter(|p| p.at == CUT) else {
                continue;
            };
            self.covered -= piece.end.min(to) - piece.start.max(from);
            let before = SetPiece { end: from, ..piece };
            let after = SetPiece { start: to, ..piece };
            let rest = [before, after].into_iter().filter(|p| p.start < p.end);
            self.pieces.splice(i..=i, rest);
        }
    }

    /// Puts the octets of a fragment where they belong.
    fn put(&mut self, arrival: &ArrivedFragment<'_>, end: u32, v6: bool) -> Placement {
        let (mut there, conflicts) = self.compare(arrival, end);
        // What the snapshot length cut off a copy is not there yet.
        let same = there > 0 && !conflicts && (!v6 || self.has_same_extent(arrival, end));
        let cut = if same { self.cut_before(arrival) } else { 0 };
        // IPv6 allows exact copies as duplicates and drops everything else that overlaps (RFC 8200,
        // 4.5).
        if v6 && there > 0 && cut == 0 {
            return if same {
                Placement::Duplicate { conflicts: false }
            } else {
                Placement::Overlap
            };
        }
        // After the overlap: for IPv6 an overlap refuses the datagram, whatever its end.
        if !self.end_fits(arrival, end) {
            return Placement::BadEnd;
        }
        if cut > 0 {
            self.uncover(arrival);
            self.mended = true;
            there -= cut;
        }
        // Its octets may all be known while it is the first to say where the datagram ends.
        let tells_end = !arrival.more && self.total.is_none();
        let new = end - arrival.offset - there;
        if new == 0 && !tells_end {
            return Placement::Duplicate { conflicts };
        }
        if tells_end {
            self.total = Some(end);
        }
        // The common case: nothing overlaps and one piece is filled.
        if there == 0 {
            let i = self.from(arrival.offset);
            self.fill(i, arrival, arrival.offset, end, !v6);
        } else if new > 0 {
            // The holes that it reaches into, from the last one on, so that places stay what they are.
            let first = self.from(arrival.offset);
            let behind = self.pieces.partition_point(|p| p.start < end);
            let mut to = end;
            // Each step fills one hole. What is covered is left as it was, which is "first wins".
            for i in (first..=behind).rev() {
                let from = match i.checked_sub(1).and_then(|n| self.pieces.get(n)) {
                    Some(before) if i > first => before.end.max(arrival.offset),
                    _ => arrival.offset,
                };
                if from < to {
                    self.fill(i, arrival, from, to, false);
                }
                if i > first {
                    to = self.pieces.get(i - 1).map_or(to, |p| p.start);
                }
            }
        }
        self.covered += new;
        Placement::Kept {
            overlaps: there > 0,
            conflicts,
        }
    }

    /// Puts octets `from..to` of the payload in front of piece `i`; nothing is there yet.
    fn fill(&mut self, i: usize, arrival: &ArrivedFragment<'_>, from: u32, to: u32, join: bool) {
        // The captured part may be shorter than the fragment, and may not reach `from` at all.
        let skip = (from - arrival.offset) as usize;
        let data = arrival.data.get(skip..).unwrap_or(&[]);
        let data = data.get(..(to - from) as usize).unwrap_or(data);
        // Both below 65,536 for each fragment, and no octet is there twice.
        let at = u32::try_from(self.data.len()).unwrap_or(CUT);
        let mid = from + u32::try_from(data.len()).unwrap_or(0);
        // Octets are appended in the order of arrival and never moved: the pieces say where they
        // belong.
        self.data.extend_from_slice(data);
        let mut i = i;
        if mid > from {
            let before = i.checked_sub(1).and_then(|n| self.pieces.get_mut(n));
            match before {
                Some(p)
                    // Both contiguous in the datagram and in the buffer: then the piece just grows.
                    // For IPv6 pieces stay apart, as one piece is one fragment there.
                    if join && p.end == from && p.at != CUT && p.at + (p.end - p.start) == at =>
                {
                    p.end = mid;
                }
                _ => {
                    self.pieces.insert(
                        i,
                        SetPiece {
                            start: from,
                            end: mid,
                            at,
                        },
                    );
                    i += 1;
                }
            }
        }
        // The cut tail stands for octets that were sent, so that the datagram can complete without
        // them.
        if to > mid {
            self.pieces.insert(
                i,
                SetPiece {
                    start: mid,
                    end: to,
                    at: CUT,
                },
            );
        }
    }

    /// Takes the datagram out of a complete set.
    fn take(&mut self) -> Whole {
        let mut next = 0;
        let mut cut = false;
        // Fragments that came in order need no copy: the buffer is the datagram.
        let in_order = self.pieces.iter().all(|p| {
            cut |= p.at == CUT;
            let fits = cut || p.at == next;
            if !cut {
                next += p.end - p.start;
            }
            fits
        });
        let payload = if in_order {
            let mut data = std::mem::take(&mut self.data);
            // Behind the first cut nothing is contiguous.
            data.truncate(next as usize);
            data
        } else {
            let mut data = Vec::with_capacity(self.data.len());
            for piece in &self.pieces {
                match piece.octets(&self.data, piece.start, piece.end) {
                    Some(octets) => data.extend_from_slice(octets),
                    None => break,
                }
            }
            data
        };
        Whole {
            protocol: self.protocol,
            payload,
            payload_len: self.covered as usize,
            fragments: std::mem::take(&mut self.fragments),
            channel: Channel::default(),
            link: self.link,
            own: 0,
            doubtful: false,
        }
    }

    /// Puts the octets of two channels together, where they make a whole datagram and agree.
    fn joined(&self, other: &Self) -> Joined {
        // Two different ends cannot be one datagram.
        let total = match (self.total, other.total) {
            (Some(a), Some(b)) if a != b => return Joined::Differ,
            (Some(total), _) | (None, Some(total)) => total,
            (None, None) => return Joined::Incomplete,
        };
        if self.alone
            || other.alone
            || self.state != SetState::Filling
            || other.state != SetState::Filling
            // A cheap bound first: most pairs cannot make a whole, and the merge below is linear in
            // the pieces.
            || self.covered.saturating_add(other.covered) < total
        {
            return Joined::Incomplete;
        }
        if !self.covers_with(other, total) {
            return Joined::Incomplete;
        }
        // Both lists side by side: each step goes to the end of a piece of one of them.
        let (mut a, mut b) = (
            self.pieces.iter().peekable(),
            other.pieces.iter().peekable(),
        );
        let mut payload = Vec::new();
        let mut cut = false;
        let mut differ = false;
        let mut at = 0;
        while at < total {
            while a.next_if(|p| p.end <= at).is_some() {}
            while b.next_if(|p| p.end <= at).is_some() {}
            let mine = a.peek().copied().filter(|p| p.start <= at);
            let theirs = b.peek().copied().filter(|p| p.start <= at);
            // How far what stands here reaches, and where the next piece of either list begins.
            let to = [a.peek().copied(), b.peek().copied()]
                .into_iter()
                .flatten()
                .map(|p| if p.start > at { p.start } else { p.end })
                .fold(total, u32::min);
            let mine_octets = mine.and_then(|p| p.octets(&self.data, at, to));
            let their_octets = theirs.and_then(|p| p.octets(&other.data, at, to));
            // Every octet that both have is compared, also behind a cut: agreement is the only
            // proof that they are copies.
            if let (Some(x), Some(y)) = (mine_octets, their_octets) {
                differ |= x != y;
            }
            match mine_octets.or(their_octets) {
                // Own octets first; they are equal where both exist.
                Some(octets) if !cut => payload.extend_from_slice(octets),
                _ => cut = true,
            }
            at = to;
        }
        // Octets past the end show that one of them is another datagram.
        if differ || self.highest() > total || other.highest() > total {
            return Joined::Differ;
        }
        let lent = other.fragments.iter().filter(|f| {
            // Lent where it covers octets that are not there.
            let arrival = ArrivedFragment {
                protocol: 0,
                offset: f.offset,
                more: true,
                data: &[],
                at: None,
                len: f.len as usize,
                counted: 0,
            };
            // Only fragments that helped are named, so that `--track` points to packets that were
            // needed.
            self.compare(&arrival, f.offset + f.len).0 < f.len
        });
        Joined::Whole(Whole {
            // The first fragment says what the datagram carries; it may be on the other channel.
            protocol: if self.pieces.first().is_some_and(|p| p.start == 0) {
                self.protocol
            } else {
                other.protocol
            },
            payload,
            payload_len: total as usize,
            fragments: self.fragments.iter().chain(lent).copied().collect(),
            channel: Channel::default(),
            link: LinkHeader::default(),
            own: 0,
            doubtful: false,
        })
    }

    /// The pieces of both leave no hole before `total`.
    fn covers_with(&self, other: &Self, total: u32) -> bool {
        let (mut a, mut b) = (
            self.pieces.iter().peekable(),
            other.pieces.iter().peekable(),
        );
        // Side by side: each piece is passed once.
        let mut at = 0;
        while at < total {
            let piece = a
                .next_if(|p| p.start <= at)
                .or_else(|| b.next_if(|p| p.start <= at));
            match piece {
                Some(piece) => at = at.max(piece.end),
                None => return false,
            }
        }
        true
    }

    fn allocated(&self) -> usize {
        // Capacities, since that is what is allocated.
        self.data.capacity()
            + self.pieces.capacity() * size_of::<SetPiece>()
            + self.fragments.capacity() * size_of::<Fragment>()
            + self.copies.capacity() * size_of::<Copy>()
    }

    /// Charges the budget with what is allocated.
    fn charge(&mut self, cx: &mut Context) {
        let now = self.allocated();
        let budget = &mut cx.budget;
        budget.resize_waiting(WaitingStage::Fragments, self.charged, now);
        self.charged = now;
    }
}

/// Notes what became of a fragment, or of a datagram, where somebody wants to know.
fn tell(cx: &mut Context, key: DatagramKey, protocol: u8, link: LinkHeader, what: FragmentFate) {
    if cx.limits.fragment_events {
        cx.fragment_events.push(FragmentEvent {
            src: key.src,
            dst: key.dst,
            identification: key.identification,
            protocol,
            link,
            what,
        });
    }
}

/// Drops a fragment that ends at `end` and was there before; `conflict`: with other octets.
fn duplicate(
    cx: &mut Context,
    key: DatagramKey,
    arrival: &ArrivedFragment<'_>,
    end: u32,
    conflict: bool,
) {
    cx.discard(reasons(key.is_v6()).duplicate);
    let fate = FragmentFate::Duplicate {
        offset: arrival.offset,
        len: end - arrival.offset,
        conflict,
    };
    let link = cx.packet.link;
    tell(cx, key, arrival.protocol, link, fate);
}

fn copy_of(key: DigestKey, arrival: &ArrivedFragment<'_>, end: u32) -> Copy {
    // Keyed: whoever could make two fragments with one digest could have the second dropped as a copy, where it begins
    // another datagram with the same identification.
    let mut hasher = key.hasher();
    hasher.write(arrival.data);
    hasher.write_u8(arrival.more.into());
    (arrival.offset, end, hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::Limits;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(v6: bool, identification: u32, vlan: u16) -> DatagramKey {
        let addr = |last| -> IpAddr {
            if v6 {
                [0xfd00, 0, 0, 0, 0, 0, 0, last].into()
            } else {
                [10, 0, 0, u8::try_from(last).unwrap()].into()
            }
        };
        DatagramKey {
            src: addr(1),
            dst: addr(2),
            identification,
            protocol: if v6 { 0 } else { 17 },
            channel: Channel {
                vlans: [vlan, 0],
                tunnel: 0,
            },
            doubtful: false,
        }
    }

    /// A fragment in short: offset in units of 8, more, octets.
    fn arrival(units: u32, more: bool, data: &[u8]) -> ArrivedFragment<'_> {
        ArrivedFragment {
            protocol: 17,
            offset: units * 8,
            more,
            data,
            at: None,
            len: data.len(),
            counted: 20,
        }
    }

    struct TestDefrag {
        cx: Context,
        defrag: Defrag,
    }

    impl TestDefrag {
        fn new(limits: Limits) -> Self {
            Self {
                cx: Context::new(limits),
                defrag: Defrag::default(),
            }
        }

        fn push(&mut self, key: DatagramKey, a: &ArrivedFragment<'_>) -> Option<Whole> {
            self.cx.packet.frame += 1;
            self.cx.packet.link.tags[0].tci = key.channel.vlans[0];
            let whole = self.defrag.push(&mut self.cx, key, a);
            self.defrag.invariants();
            assert!(self.cx.budget.used() >= self.defrag.charged);
            whole
        }

        fn octets(&mut self, key: DatagramKey, a: &ArrivedFragment<'_>) -> Option<Vec<u8>> {
            self.push(key, a).map(|w| w.payload)
        }

        fn at(&mut self, millis: u64) {
            self.cx.now = Instant::from_nanos(millis * 1_000_000);
        }

        fn dropped(&self, why: Discard) -> u64 {
            self.cx.counters.dropped(why)
        }

        /// Everything is given back at the end.
        fn finish(mut self) -> Counted {
            self.defrag.flush(&mut self.cx);
            self.defrag.invariants();
            assert_eq!(self.defrag.held(), HeldFragments::default());
            assert_eq!(self.cx.budget.used(), self.defrag.charged);
            assert!(self.defrag.peers.is_empty());
            Counted(self.cx)
        }
    }

    struct Counted(Context);

    const A: &[u8] = b"aaaaaaaa";
    const B: &[u8] = b"bbbbbbbb";
    const C: &[u8] = b"cccc";

    #[test]
    fn any_order() {
        let parts = [
            arrival(0, true, A),
            arrival(1, true, B),
            arrival(2, false, C),
        ];
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            for v6 in [false, true] {
                let mut t = TestDefrag::new(Limits::default());
                assert!(t.push(key(v6, 1, 0), &parts[order[0]]).is_none());
                assert!(t.push(key(v6, 1, 0), &parts[order[1]]).is_none());
                let whole = t.push(key(v6, 1, 0), &parts[order[2]]).unwrap();
                assert_eq!(whole.payload, b"aaaaaaaabbbbbbbbcccc", "{order:?}");
                let mut frames: Vec<u64> = whole.fragments.iter().map(|f| f.frame).collect();
                frames.sort_unstable();
                assert_eq!(frames, [1, 2, 3]);
                t.finish();
            }
        }
    }

    #[test]
    fn impossible_fragments_have_their_reasons() {
        let long = vec![0; 65_000];
        for v6 in [false, true] {
            let why = reasons(v6);
            for (a, reason) in [
                (arrival(0, true, b""), why.empty),
                (arrival(3, false, b""), why.empty),
                (arrival(0, true, b"1234567"), why.misaligned),
                (arrival(8191, false, b"12345678"), why.oversized),
                (arrival(100, false, &long), why.oversized),
            ] {
                let mut t = TestDefrag::new(Limits::default());
                assert!(t.push(key(v6, 1, 0), &a).is_none());
                assert_eq!(t.dropped(reason), 1, "{a:?}");
                assert!(t.defrag.sets.is_empty());
            }
        }
    }

    #[test]
    fn the_end_that_came_first_stays() {
        for late in [
            arrival(2, false, A),
            arrival(3, true, A),
            arrival(1, false, C),
        ] {
            for v6 in [false, true] {
                let mut t = TestDefrag::new(Limits::default());
                t.push(key(v6, 1, 0), &arrival(2, false, C));
                let overlaps = v6 && late.offset == 16;
                assert!(t.push(key(v6, 1, 0), &late).is_none());
                let why = reasons(v6);
                let reason = if overlaps { why.overlap } else { why.bad_end };
                assert!(t.dropped(reason) > 0, "{late:?} {v6}");
            }
        }
        // A last fragment inside of what is there (teardrop).
        let mut t = TestDefrag::new(Limits::default());
        t.push(key(false, 1, 0), &arrival(0, true, &[1; 32]));
        t.push(key(false, 1, 0), &arrival(2, false, C));
        assert_eq!(t.dropped(Discard::Ipv4BadEndFragment), 1);
    }

    #[test]
    fn overlaps_of_ipv4_keep_what_came_first() {
        let mut t = TestDefrag::new(Limits::default());
        let k = key(false, 1, 0);
        t.push(k, &arrival(1, true, B));
        t.push(k, &arrival(3, true, B));
        // Reaches into three holes.
        assert_eq!(
            t.octets(k, &arrival(0, false, &[b'x'; 44])).unwrap(),
            b"xxxxxxxxbbbbbbbbxxxxxxxxbbbbbbbbxxxxxxxxxxxx"
        );
        assert_eq!(t.cx.counters.ipv4.overlaps, 1);
        assert_eq!(t.cx.counters.ipv4.conflicts, 1);
        t.finish();
    }

    #[test]
    fn overlaps_of_ipv6_drop_the_datagram() {
        let mut t = TestDefrag::new(Limits::default());
        let k = key(true, 1, 0);
        t.push(k, &arrival(0, true, A));
        t.push(k, &arrival(0, true, A)); // a duplicate is none
        assert_eq!(t.dropped(Discard::Ipv6DuplicateFragment), 1);
        t.push(k, &arrival(0, true, b"aaaaaaaabbbbbbbb"));
        assert!(t.push(k, &arrival(1, false, C)).is_none());
        assert_eq!(t.dropped(Discard::Ipv6OverlappingFragment), 3);
        // Once its time is over, the identification is free again.
        t.at(1000);
        t.defrag.expire(&mut t.cx);
        t.push(k, &arrival(0, true, A));
        assert!(t.push(k, &arrival(1, false, C)).is_some());
        t.finish();
    }

    /// That of the fragments whose headers cannot be right.
    fn doubtful(key: DatagramKey) -> DatagramKey {
        DatagramKey {
            doubtful: true,
            ..key
        }
    }

    /// A second fragment in a packet with a wrong header sum, in front of the true one or behind it.
    #[test]
    fn a_fragment_with_a_false_header_is_second_choice() {
        let k = key(false, 1, 0);
        let forged = (doubtful(k), arrival(1, false, b"FORG"));
        let (first, second) = ((k, arrival(0, true, A)), (k, arrival(1, false, C)));
        for order in [
            [forged, first, second],
            [first, forged, second],
            [forged, second, first],
            [second, first, forged],
        ] {
            let mut t = TestDefrag::new(Limits::default());
            let whole: Vec<_> = order.iter().filter_map(|(k, a)| t.push(*k, a)).collect();
            assert_eq!(whole.len(), 1);
            assert_eq!(whole[0].payload, b"aaaaaaaacccc");
            assert_eq!((whole[0].own, whole[0].doubtful), (2, false));
            t.at(1000);
            t.defrag.expire(&mut t.cx);
            assert!(t.defrag.next_late().is_none());
            let drops =
                t.dropped(Discard::Ipv4DuplicateFragment) + t.dropped(Discard::Ipv4ExpiredFragment);
            assert_eq!(drops, 1);
            t.finish();
        }
    }

    #[test]
    fn second_choices_fill_what_nothing_better_fills() {
        type GiveUp = fn(&mut TestDefrag);
        let ways: [GiveUp; 3] = [
            |t| {
                t.at(1000);
                t.defrag.expire(&mut t.cx);
            },
            |t| t.defrag.flush(&mut t.cx),
            |t| assert!(t.defrag.evict_oldest(&mut t.cx)),
        ];
        let k = key(false, 1, 0);
        for give_up in ways {
            let mut t = TestDefrag::new(Limits::default());
            t.push(doubtful(k), &arrival(1, false, C));
            t.push(doubtful(k), &arrival(0, true, A));
            // That it is whole by itself was seen at once: nothing better was there.
            assert_eq!(t.defrag.held().ipv4, 0);
            t.push(k, &arrival(0, true, A));
            t.push(doubtful(k), &arrival(0, true, A));
            assert!(t.push(doubtful(k), &arrival(1, false, C)).is_none());
            assert!(t.defrag.next_late().is_none());
            give_up(&mut t);
            let late = t.defrag.next_late().unwrap();
            assert_eq!(late.whole.payload, b"aaaaaaaacccc");
            assert_eq!((late.whole.own, late.whole.doubtful), (2, true));
            // The packet that brought the end of it.
            assert_eq!(late.packet.frame, 5);
            assert_eq!(t.dropped(Discard::Ipv4DuplicateFragment), 1);
            assert!(t.defrag.next_late().is_none());
            t.finish();
        }
    }

    #[test]
    fn second_choices_that_contradict_the_rest_are_another_datagram() {
        let k = key(false, 1, 0);
        let mut t = TestDefrag::new(Limits::default());
        t.push(k, &arrival(0, true, A));
        t.push(doubtful(k), &arrival(0, true, B));
        t.push(doubtful(k), &arrival(1, false, C));
        t.at(1000);
        t.defrag.expire(&mut t.cx);
        // Whole by themselves, and believed less.
        let late = t.defrag.next_late().unwrap();
        assert_eq!(
            (&*late.whole.payload, late.whole.doubtful),
            (&b"bbbbbbbbcccc"[..], true)
        );
        assert_eq!(t.dropped(Discard::Ipv4ExpiredFragment), 1);
        t.finish();
    }

    /// TCP and SCTP know how little to believe it: they have it at once, and what is better when that comes.
    #[test]
    fn transports_that_know_doubt_do_not_wait() {
        let tcp = |a: ArrivedFragment<'static>| ArrivedFragment { protocol: 6, ..a };
        let k = DatagramKey {
            protocol: 6,
            ..key(false, 1, 0)
        };
        let (first, second) = (tcp(arrival(0, true, A)), tcp(arrival(1, false, C)));
        let mut t = TestDefrag::new(Limits::default());
        assert!(t.push(k, &first).is_none());
        let early = t
            .push(doubtful(k), &tcp(arrival(1, false, b"FORG")))
            .unwrap();
        assert_eq!((&*early.payload, early.own), (&b"aaaaaaaaFORG"[..], 1));
        assert!(early.doubtful);
        // Once: copies of it would cost as much each.
        assert!(t.push(doubtful(k), &second).is_none());
        let better = t.push(k, &second).unwrap();
        assert_eq!((&*better.payload, better.own), (&b"aaaaaaaacccc"[..], 2));
        assert!(!better.doubtful);
        assert_eq!(t.dropped(Discard::Ipv4DuplicateFragment), 1);
        t.finish();
        // Where nothing better comes, the rest is no loss.
        let mut t = TestDefrag::new(Limits::default());
        t.push(k, &first);
        assert!(t.push(doubtful(k), &second).is_some());
        t.at(1000);
        t.defrag.expire(&mut t.cx);
        assert_eq!(t.dropped(Discard::Ipv4DuplicateFragment), 1);
        t.finish();
    }

    /// The next datagram with the same identification ends the wait for better fragments.
    #[test]
    fn second_choices_are_used_when_the_identification_is() {
        let k = key(false, 1, 0);
        let mut t = TestDefrag::new(Limits::default());
        t.push(k, &arrival(0, true, A));
        t.push(doubtful(k), &arrival(1, false, C));
        t.push(k, &arrival(0, true, B));
        let late = t.defrag.next_late().unwrap();
        assert_eq!(
            (&*late.whole.payload, late.packet.frame),
            (&b"aaaaaaaacccc"[..], 2)
        );
        assert_eq!(t.octets(k, &arrival(1, false, C)).unwrap(), b"bbbbbbbbcccc");
        t.finish();
    }

    #[test]
    fn what_is_doubtful_of_a_stored_datagram_is_a_copy() {
        let k = key(false, 1, 0);
        let mut t = TestDefrag::new(Limits {
            store_fragments: true,
            ..Limits::default()
        });
        t.push(k, &arrival(0, true, A));
        assert!(t.push(k, &arrival(1, false, C)).is_some());
        t.push(doubtful(k), &arrival(0, true, A));
        t.push(doubtful(k), &arrival(1, false, b"FORG"));
        assert_eq!(t.dropped(Discard::Ipv4DuplicateFragment), 2);
        assert_eq!(t.defrag.held().ipv4, 0);
        t.finish();
    }

    #[test]
    fn a_copy_brings_what_was_cut_off() {
        let cut = |units, more, data: &'static [u8], captured: usize| ArrivedFragment {
            len: data.len(),
            ..arrival(units, more, &data[..captured])
        };
        for v6 in [false, true] {
            let k = key(v6, 1, 0);
            let mut t = TestDefrag::new(Limits::default());
            t.push(k, &cut(0, true, b"aaaabbbbccccdddd", 6));
            t.push(k, &cut(0, true, b"aaaabbbbccccdddd", 10));
            t.push(k, &cut(0, true, b"aaaabbbbccccdddd", 8));
            t.push(k, &arrival(0, true, b"aaaabbbbccccdddd"));
            let whole = t.push(k, &arrival(2, false, C)).unwrap();
            assert_eq!(
                (&*whole.payload, whole.own),
                (&b"aaaabbbbccccddddcccc"[..], 4)
            );
            // The one that brought nothing.
            assert_eq!(t.dropped(reasons(v6).duplicate), 1);
            t.finish();
        }
    }

    #[test]
    fn what_another_channel_has_handed_on_does_not_come_twice() {
        let mut t = TestDefrag::new(Limits::default());
        t.push(key(false, 1, 5), &arrival(0, true, A));
        assert!(t.push(key(false, 1, 6), &arrival(1, false, C)).is_some());
        assert!(t.push(key(false, 1, 5), &arrival(1, false, C)).is_none());
        assert_eq!(t.dropped(Discard::Ipv4DuplicateFragment), 2);
        t.finish();
    }

    #[test]
    fn second_choices_of_a_refused_datagram_go_with_it() {
        let k = key(true, 1, 0);
        let mut t = TestDefrag::new(Limits::default());
        t.push(doubtful(k), &arrival(0, true, A));
        t.push(k, &arrival(0, true, A));
        t.push(k, &arrival(0, true, B));
        assert!(t.push(doubtful(k), &arrival(1, false, C)).is_none());
        assert_eq!(t.dropped(Discard::Ipv6OverlappingFragment), 4);
        t.at(1000);
        t.defrag.expire(&mut t.cx);
        assert!(t.defrag.next_late().is_none());
        t.finish();
    }

    #[test]
    fn time_out_and_identification_reuse() {
        let mut t = TestDefrag::new(Limits::default());
        let k = key(false, 1, 0);
        t.push(k, &arrival(0, true, A));
        t.at(999);
        t.defrag.expire(&mut t.cx);
        assert_eq!(t.defrag.held().ipv4, 1);
        t.at(1000);
        t.defrag.expire(&mut t.cx);
        assert_eq!(t.dropped(Discard::Ipv4ExpiredFragment), 1);
        // A late one that fits is taken, as expiry runs behind the packet that moved the clock ...
        t.push(k, &arrival(0, true, A));
        t.at(5000);
        assert_eq!(t.octets(k, &arrival(1, false, C)).unwrap(), b"aaaaaaaacccc");
        // ... one that does not is of another datagram.
        t.push(k, &arrival(0, true, A));
        t.at(9000);
        assert!(t.push(k, &arrival(0, true, B)).is_none());
        assert_eq!(t.octets(k, &arrival(1, false, C)).unwrap(), b"bbbbbbbbcccc");
        assert_eq!(t.dropped(Discard::Ipv4ExpiredFragment), 2);
        assert_eq!(t.cx.counters.ipv4.conflicts, 0);
        t.finish();
    }

    #[test]
    fn bounded_by_number_oldest_first() {
        let mut t = TestDefrag::new(Limits {
            active_packets: 3,
            ..Limits::default()
        });
        for id in 0..4 {
            t.push(key(false, id, 0), &arrival(0, true, A));
        }
        assert_eq!(t.dropped(Discard::Ipv4EvictedFragment), 1);
        assert!(t.push(key(false, 0, 0), &arrival(1, false, C)).is_none());
        assert!(t.push(key(false, 3, 0), &arrival(1, false, C)).is_some());
        t.finish();
    }

    #[test]
    fn stored_keys_know_late_copies() {
        let mut t = TestDefrag::new(Limits {
            store_fragments: true,
            ..Limits::default()
        });
        let k = key(false, 1, 0);
        t.push(k, &arrival(1, false, C));
        assert!(t.push(k, &arrival(0, true, A)).is_some());
        t.push(k, &arrival(1, false, C));
        t.push(k, &arrival(0, true, A));
        assert_eq!(t.dropped(Discard::Ipv4DuplicateFragment), 2);
        // Another datagram with the same identification.
        t.push(k, &arrival(0, true, B));
        assert_eq!(t.octets(k, &arrival(1, false, C)).unwrap(), b"bbbbbbbbcccc");
        t.at(1000);
        t.defrag.expire(&mut t.cx);
        assert!(t.defrag.sets.is_empty());
        assert_eq!(t.defrag.active, 0);
        t.finish();
    }

    #[test]
    fn a_cut_fragment_ends_the_payload() {
        let mut t = TestDefrag::new(Limits::default());
        let k = key(false, 1, 0);
        t.push(k, &arrival(0, true, A));
        let cut = ArrivedFragment {
            len: 16,
            ..arrival(1, true, b"bbb")
        };
        t.push(k, &cut);
        let whole = t.push(k, &arrival(3, false, C)).unwrap();
        assert_eq!(
            (whole.payload.as_slice(), whole.payload_len),
            (b"aaaaaaaabbb".as_slice(), 28)
        );
        t.finish();
    }

    #[test]
    fn channels_fill_each_other_where_they_agree() {
        for (channels, other, out) in [
            (Channels::Merge, A, 1),
            (Channels::Merge, B, 0),
            (Channels::First, A, 0),
            (Channels::Separate, A, 0),
        ] {
            let mut t = TestDefrag::new(Limits {
                channels,
                ..Limits::default()
            });
            // 1 has the first and the second fragment, 2 the first, perhaps a different one, and the last.
            let mut seen = Vec::new();
            for (vlan, a) in [
                (1, arrival(0, true, A)),
                (1, arrival(1, true, B)),
                (2, arrival(0, true, other)),
                (2, arrival(2, false, C)),
            ] {
                seen.extend(t.push(key(false, 1, vlan), &a));
            }
            assert_eq!(seen.len(), out, "{channels:?} {other:?}");
            for whole in seen {
                assert_eq!(whole.payload, b"aaaaaaaabbbbbbbbcccc");
                assert_eq!(whole.own, 2);
                let mut frames: Vec<u64> = whole.fragments.iter().map(|f| f.frame).collect();
                frames.sort_unstable();
                assert_eq!(frames, [2, 3, 4]);
                // The first fragment was seen on the other channel.
                assert_eq!((whole.channel.vlans[0], whole.link.tags[0].tci), (1, 1));
            }
            let done = t.finish().0;
            // What was lent is not lost.
            assert_eq!(
                done.counters.dropped(Discard::Ipv4DuplicateFragment),
                2 * out as u64
            );
        }
    }

    #[test]
    fn a_flood_stays_in_the_budget() {
        let mut t = TestDefrag::new(Limits {
            memory: 1 << 20,
            ..Limits::default()
        });
        for id in 0..20_000u32 {
            t.cx.packet.frame += 1;
            t.defrag.push(
                &mut t.cx,
                key(id % 2 == 0, id, 0),
                &arrival(0, true, &[0; 1024]),
            );
            while t.cx.budget.over() {
                assert!(t.defrag.evict_oldest(&mut t.cx));
            }
        }
        assert!(t.defrag.held().ipv4 > 100);
        assert!(t.cx.budget.peak() < (1 << 20) + (256 << 10));
        t.defrag.invariants();
        t.finish();
    }

    #[test]
    fn written_out_and_read_back() {
        let mut t = TestDefrag::new(Limits::default());
        t.push(key(false, 1, 0), &arrival(1, false, C));
        t.push(key(true, 2, 3), &arrival(0, true, A));
        let octets = postcard::to_allocvec(&(&t.cx, &t.defrag)).unwrap();
        let (cx, defrag) = postcard::from_bytes(&octets).unwrap();
        let mut back = TestDefrag { cx, defrag };
        assert_eq!(
            back.octets(key(false, 1, 0), &arrival(0, true, A)).unwrap(),
            b"aaaaaaaacccc"
        );
        back.push(key(true, 2, 3), &arrival(1, false, C)).unwrap();
        back.finish();
    }

    /// What the rules say, octet by octet. An octet is not there, cut off, or itself.
    #[derive(Default)]
    struct DatagramModel {
        octets: BTreeMap<u32, Option<u8>>,
        fragments: Vec<(u32, u32)>,
        total: Option<u32>,
        refused: bool,
    }

    #[derive(Clone, Debug)]
    struct FragmentPart {
        units: u32,
        more: bool,
        data: Vec<u8>,
        cut: usize,
        key: u32,
    }

    impl DatagramModel {
        /// Whether it is kept, and the datagram that it completes.
        fn push(&mut self, p: &FragmentPart, v6: bool) -> (bool, Option<(Vec<u8>, usize)>) {
            let start = p.units * 8;
            let end = start + u32::try_from(p.data.len()).unwrap();
            if p.data.is_empty() || (p.more && !p.data.len().is_multiple_of(8)) || self.refused {
                return (false, None);
            }
            let captured = p.data.len().saturating_sub(p.cut);
            let new = |i: u32| p.data[..captured].get((i - start) as usize).copied();
            let there = (start..end).filter(|i| self.octets.contains_key(i)).count();
            let differs = (start..end).any(
                |i| matches!((self.octets.get(&i), new(i)), (Some(Some(a)), Some(b)) if *a != b),
            );
            // Where a copy was cut off before.
            let same = there > 0 && !differs && (!v6 || self.fragments.contains(&(start, end)));
            let uncut = |i: &u32| same && self.octets.get(i) == Some(&None) && new(*i).is_some();
            let uncut: Vec<u32> = (start..end).filter(uncut).collect();
            if v6 && there > 0 && uncut.is_empty() {
                self.refused = differs || !self.fragments.contains(&(start, end));
                return (false, None);
            }
            let highest = self.octets.keys().last().map_or(0, |i| i + 1);
            let fits = match self.total {
                Some(t) => end <= t && (p.more || end == t),
                None => p.more || end >= highest,
            };
            if !fits {
                return (false, None);
            }
            let there = there - uncut.len();
            if there == p.data.len() && (p.more || self.total.is_some()) {
                return (false, None);
            }
            for i in uncut {
                self.octets.remove(&i);
            }
            if !p.more {
                self.total = Some(end);
            }
            self.fragments.push((start, end));
            for i in start..end {
                self.octets.entry(i).or_insert_with(|| new(i));
            }
            if self.total.is_none_or(|t| self.octets.len() < t as usize) {
                return (true, None);
            }
            let octets = std::mem::take(self).octets;
            let len = octets.len();
            (
                true,
                Some((octets.into_values().map_while(|o| o).collect(), len)),
            )
        }
    }

    fn part() -> impl Strategy<Value = FragmentPart> {
        (
            0u32..6,
            prop_oneof![3 => Just(true), 1 => Just(false)],
            prop_oneof![4 => Just(8usize), 2 => Just(16), 1 => Just(24), 1 => 0usize..40],
            prop_oneof![5 => Just(0u8), 1 => 0u8..3],
            prop_oneof![8 => Just(0usize), 1 => 0usize..20],
            0u32..2,
        )
            .prop_map(|(units, more, len, flavour, cut, key)| FragmentPart {
                units,
                more,
                // The same octets at the same offset, unless they come in another flavour.
                data: (0..len)
                    .map(|i| flavour.wrapping_add(u8::try_from(units as usize * 8 + i).unwrap()))
                    .collect(),
                cut,
                key,
            })
    }

    proptest! {
        #[test]
        fn behaves_as_the_model(v6: bool, parts in proptest::collection::vec(part(), 0..60)) {
            let mut t = TestDefrag::new(Limits { channels: Channels::Separate, ..Limits::default() });
            let mut models = BTreeMap::<u32, DatagramModel>::new();
            for p in &parts {
                let captured = p.data.len().saturating_sub(p.cut);
                let a = ArrivedFragment { len: p.data.len(), ..arrival(p.units, p.more, &p.data[..captured]) };
                let held = t.defrag.held();
                let drops = t.cx.counters.dropped_in("ipv4") + t.cx.counters.dropped_in("ipv6");
                let got = t.push(key(v6, p.key, 0), &a);
                let (kept, want) = models.entry(p.key).or_default().push(p, v6);
                let own = got.as_ref().map_or(0, |w| w.own);
                prop_assert_eq!(got.map(|w| (w.payload, w.payload_len)), want);
                // Taken in = handed on + dropped + held.
                let drops = t.cx.counters.dropped_in("ipv4") + t.cx.counters.dropped_in("ipv6") - drops;
                let sum = |h: HeldFragments| h.ipv4 + h.ipv6;
                prop_assert_eq!(sum(held) + 1, own + drops + sum(t.defrag.held()));
                prop_assert_eq!(kept, drops == 0);
            }
            t.finish();
        }

        /// Fragments that are believed and others: what comes in is handed on, dropped or held, in any order.
        #[test]
        fn second_choices_balance(
            v6: bool,
            store_fragments: bool,
            parts in proptest::collection::vec((part(), any::<bool>(), 0u64..400), 0..60),
        ) {
            let mut t = TestDefrag::new(Limits { store_fragments, active_packets: 9, ..Limits::default() });
            let (mut passed, mut now) = (0, 0);
            for (p, doubtful, wait) in &parts {
                now += wait;
                t.at(now);
                let a = arrival(p.units, p.more, &p.data);
                let key = DatagramKey { doubtful: *doubtful, ..key(v6, p.key, 0) };
                passed += t.push(key, &a).map_or(0, |whole| whole.own);
                t.defrag.expire(&mut t.cx);
                t.defrag.invariants();
            }
            t.defrag.flush(&mut t.cx);
            t.defrag.invariants();
            while let Some(late) = t.defrag.next_late() {
                passed += late.whole.own;
            }
            let drops = t.cx.counters.dropped_in("ipv4") + t.cx.counters.dropped_in("ipv6");
            prop_assert_eq!(parts.len() as u64, passed + drops);
            t.finish();
        }

        /// A datagram that is split, shuffled, doubled and spread over channels comes out whole.
        #[test]
        fn whatever_is_there_comes_out(
            v6: bool,
            cuts in proptest::collection::btree_set(1usize..20, 0..8),
            order in Just((0..36usize).collect::<Vec<_>>()).prop_shuffle(),
            lost in proptest::collection::vec(0u8..5, 18),
        ) {
            let data: Vec<u8> = (0..163).collect();
            let mut at = 0;
            let mut parts = Vec::new();
            for cut in cuts.iter().map(|c| c * 8).chain([data.len()]) {
                parts.push((at, cut));
                at = cut;
            }
            let mut t = TestDefrag::new(Limits::default());
            let mut there = vec![false; parts.len()];
            let mut out = 0;
            for n in order {
                // Two channels, each fragment twice on one of them.
                let (i, vlan) = (n % 9, if n < 18 { 1u16 } else { 2 });
                let keep = lost[i + 9 * usize::from(vlan - 1)] > 0;
                if let (Some((from, to)), true) = (parts.get(i), keep) {
                    there[i] = true;
                    let a = arrival(u32::try_from(from / 8).unwrap(), *to < data.len(), &data[*from..*to]);
                    if let Some(whole) = t.push(key(v6, 7, vlan), &a) {
                        prop_assert_eq!(&whole.payload, &data);
                        out += 1;
                    }
                }
            }
            prop_assert_eq!(out > 0, there.iter().all(|t| *t));
            t.finish();
        }
    }
}
