//! A connection for which nothing is allocated, as it is kept between its packets: there may be a million of them.

use super::half::{ACKED, FIN, Half, SEEN};
use super::{Connection, Mark};
use crate::base::packet::VlanTag;
use crate::base::serial::SeqNumber;
use crate::base::stream::ORIGIN;
use crate::base::time::Instant;
use crate::transport::tcp::LINGER;
use crate::transport::tcp::waiting::low32;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The forward direction's sender is the lower endpoint.
const LOW: u8 = 1;
/// The ports were used before.
const REUSED: u8 = 2;
/// A RST was seen.
const RESET: u8 = 4;
/// Shift for the order of use in which it is listed.
const LIST: u8 = 4;

/// A connection without data, or one that has ended. Its packets are counted anew from here on: only what waits needs
/// their number.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::transport::tcp) struct Small {
    last: Instant,
    number: [u16; 3],
    flags: u8,
    closed: bool,
    /// Before `last`, in nanoseconds: its first packet (that many at least where it is the highest number), when it was put
    /// in its place in the order of use, and its RST.
    first: u32,
    listed: u32,
    reset: u32,
    tag: VlanTag,
    halves: [SmallHalf; 2],
}

/// One direction; its origin is at [`ORIGIN`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct SmallHalf {
    base: SeqNumber,
    bits: u16,
    window: u16,
    /// From the origin to the next octet.
    next: u32,
    /// From the next octet to each of these.
    high: u32,
    acked: i16,
    fin: i16,
}

const _: () = assert!(size_of::<Small>() <= 72);

impl Small {
    /// The connection in its small form. None where something is allocated for it, or armed, or where it has what few
    /// have: tags that differ, octets far ahead.
    pub(in crate::transport::tcp) fn of<S>(c: &Connection<S>) -> Option<Self> {
        let rare = c.rare.as_deref();
        if c.active.is_some() || rare.is_some_and(|r| !r.held.is_empty() || r.vlans.is_some()) {
            return None;
        }
        // An ended connection does nothing any more.
        let reset = c.reset.filter(|_| !c.closed);
        if !c.closed && c.armed != reset.map(|mark| mark.at.after(LINGER)) {
            return None;
        }
        let number = c.number.to_le_bytes();
        let [n @ .., 0, 0] = number else { return None };
        let is = |set, flag| if set { flag } else { 0 };
        let flags = is(c.forward_is_low, LOW)
            | is(c.reused, REUSED)
            | is(reset.is_some(), RESET)
            | c.listed.1 << LIST;
        let [forward, reverse] = c.halves;
        Some(Self {
            last: c.last,
            number: [[n[0], n[1]], [n[2], n[3]], [n[4], n[5]]].map(u16::from_le_bytes),
            flags,
            closed: c.closed,
            first: nanos(c.last.since(c.first)).unwrap_or(u32::MAX),
            listed: nanos(c.last.since(c.listed.0))?,
            reset: reset.map_or(Some(0), |mark| nanos(c.last.since(mark.at)))?,
            tag: one_tag(c)?,
            halves: [
                SmallHalf::of(forward, c.closed)?,
                SmallHalf::of(reverse, c.closed)?,
            ],
        })
    }

    /// The connection.
    pub(in crate::transport::tcp) fn connection<S>(&self) -> Connection<S> {
        let is = |flag| self.flags & flag != 0;
        let ago =
            |nanos: u32| Instant::from_nanos(self.last.as_nanos().saturating_sub(u64::from(nanos)));
        let [a, b, c] = self.number.map(u64::from);
        let number = a | b << 16 | c << 32;
        let mut connection = Connection::new(number, is(LOW), is(REUSED), self.last);
        connection.first = ago(self.first);
        connection.listed = (ago(self.listed), self.flags >> LIST);
        connection.closed = self.closed;
        if is(RESET) {
            let at = ago(self.reset);
            connection.reset = Some(Mark { packets: 0, at });
            connection.armed = Some(at.after(LINGER));
        }
        for i in 0..2 {
            connection.halves[i] = self.halves[i].half();
            if connection.halves[i].is(SEEN) {
                connection.tags[i] = [self.tag, VlanTag::default()];
            }
        }
        connection
    }

    /// It has ended: nothing waits in it and nobody is told. False where it had ended before.
    pub(in crate::transport::tcp) const fn end(&mut self) -> bool {
        !std::mem::replace(&mut self.closed, true)
    }

    /// A RST has ended it, or is about to.
    pub(in crate::transport::tcp) const fn was_reset(&self) -> bool {
        self.flags & RESET != 0
    }

    /// When its last packet came.
    pub(in crate::transport::tcp) const fn last_used(&self) -> Instant {
        self.last
    }
}

/// The one tag of every packet, or none; None where they differ.
fn one_tag<S>(c: &Connection<S>) -> Option<VlanTag> {
    let seen = |i: usize| c.halves[i].is(SEEN).then_some(c.tags[i]);
    let none = VlanTag::default();
    match (seen(0), seen(1)) {
        (Some(a), Some(b)) if a != b => None,
        (Some([tag, inner]), _) | (None, Some([tag, inner])) => (inner == none).then_some(tag),
        (None, None) => Some(none),
    }
}

fn nanos(d: Duration) -> Option<u32> {
    u32::try_from(d.as_nanos()).ok()
}

impl SmallHalf {
    fn of(mut half: Half, closed: bool) -> Option<Self> {
        if closed {
            // Offsets mean nothing to anybody else any more, and what was acknowledged only by how far it reaches ahead.
            let by = half.origin.wrapping_sub(ORIGIN);
            half.base = half.base.add(low32(by));
            half.origin = ORIGIN;
            half.next = half.next.wrapping_sub(by);
            half.high = half.high.wrapping_sub(by);
            half.acked = half.acked.wrapping_sub(by).max(half.next);
            half.fin = half.next;
        }
        if half.origin != ORIGIN {
            return None;
        }
        let from_next = |bit, offset: u64| {
            if half.is(bit) {
                i16::try_from(offset.wrapping_sub(half.next).cast_signed()).ok()
            } else {
                (closed || offset == 0).then_some(0)
            }
        };
        Some(Self {
            base: half.base,
            bits: half.bits,
            window: half.window,
            next: u32::try_from(half.next.checked_sub(ORIGIN)?).ok()?,
            high: u32::try_from(half.high.checked_sub(half.next)?).ok()?,
            acked: from_next(ACKED, half.acked)?,
            fin: from_next(FIN, half.fin)?,
        })
    }

    fn half(self) -> Half {
        let next = ORIGIN + u64::from(self.next);
        let mut half = Half {
            base: self.base,
            bits: self.bits,
            window: self.window,
            origin: ORIGIN,
            next,
            high: next + u64::from(self.high),
            acked: 0,
            fin: 0,
        };
        let from_next = |offset: i16| next.wrapping_add_signed(i64::from(offset));
        if half.is(ACKED) {
            half.acked = from_next(self.acked);
        }
        if half.is(FIN) {
            half.fin = from_next(self.fin);
        }
        half
    }
}

#[cfg(test)]
mod tests {
    use super::super::half::{BASED, STARTED, SYN};
    use super::*;
    use proptest::prelude::*;

    /// One direction, as it may be without data.
    fn half() -> impl Strategy<Value = Half> {
        let offset = prop_oneof![0_u64..3, 30_000_u64..40_000, Just(1 << 33)];
        (
            any::<(u32, u16, u16)>(),
            offset.clone(),
            offset.clone(),
            offset,
        )
            .prop_map(|((base, bits, window), high, acked, fin)| {
                let mut half = Half {
                    base: SeqNumber(base),
                    bits,
                    window,
                    high: ORIGIN + high,
                    ..Half::default()
                };
                if half.is(ACKED) {
                    half.acked = ORIGIN + acked;
                }
                if half.is(FIN) {
                    half.fin = ORIGIN + fin;
                }
                half
            })
    }

    proptest! {
        /// What is made small comes back as it was.
        #[test]
        fn nothing_is_lost(
            halves in [half(), half()],
            (number, low, reused) in any::<(u64, bool, bool)>(),
            [first, listed, last] in [0_u64..10_000_000_000, 0..10_000_000_000, 0..10_000_000_000],
            reset in prop::option::of(0_u64..10_000_000_000),
            tag in 0_u16..2,
        ) {
            let number = number >> 16;
            let last = Instant::from_nanos(first.max(listed).max(last));
            let mut c: Connection<()> = Connection::new(number, low, reused, last);
            c.first = Instant::from_nanos(first);
            c.listed = (Instant::from_nanos(listed), 1);
            c.halves = halves;
            c.reset = reset.map(|ago| Mark {
                packets: 0,
                at: Instant::from_nanos(last.as_nanos().saturating_sub(ago)),
            });
            c.armed = c.reset.map(|mark| mark.at.after(LINGER));
            for (half, tags) in c.halves.iter().zip(&mut c.tags) {
                if half.is(SEEN) {
                    tags[0] = VlanTag { tpid: 0x8100, tci: tag };
                }
            }
            let near = |offset: u64| offset.abs_diff(ORIGIN) < 1 << 15;
            let fits = halves.iter().all(|h| {
                h.high < ORIGIN + (1 << 32)
                    && (!h.is(ACKED) || near(h.acked))
                    && (!h.is(FIN) || near(h.fin))
            });
            let long = |at: Instant| last.as_nanos() - at.as_nanos() > u64::from(u32::MAX);
            let fits = fits && !long(c.listed.0) && !c.reset.is_some_and(|mark| long(mark.at));
            let small = Small::of(&c);
            prop_assert_eq!(small.is_some(), fits);
            if let Some(small) = small {
                let mut back: Connection<()> = small.connection();
                if long(c.first) {
                    prop_assert!(back.first >= c.first && long(c.first));
                    back.first = c.first;
                }
                prop_assert_eq!(format!("{c:?}"), format!("{back:?}"));
            }
        }
    }

    /// One that has ended is told from its segments alone: their place against the origin and the end.
    #[test]
    fn an_ended_connection_keeps_its_numbers() {
        let mut c: Connection<()> = Connection::new(7, true, false, Instant::default());
        let mut half = Half {
            base: SeqNumber(100),
            bits: BASED | STARTED | SYN | ACKED | FIN,
            next: ORIGIN + 1_000_000,
            high: ORIGIN + 1_000_005,
            acked: ORIGIN + 70_000,
            fin: ORIGIN + 1_000_005,
            ..Half::default()
        };
        half.origin += 50;
        c.halves[0] = half;
        assert!(Small::of(&c).is_none());
        c.closed = true;
        let back: Connection<()> = Small::of(&c).expect("small").connection();
        let now = &back.halves[0];
        for seq in [100, 150, 151, 70_000, 1_000_100, 1_000_105, 2_000_000] {
            let seq = SeqNumber(seq);
            let (was, is) = (half.offset(seq), now.offset(seq));
            assert_eq!(was.wrapping_sub(half.origin), is.wrapping_sub(now.origin));
            assert_eq!(was <= half.high, is <= now.high);
            assert_eq!(half.reaches(was, 5, 1 << 16), now.reaches(is, 5, 1 << 16));
        }
        assert!(back.is_closed());
    }
}
