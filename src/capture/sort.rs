//! The sorting queue: packets of several receive queues or merged taps, put in timestamp order ahead of processing.

use super::{LinkType, Packet};
use crate::storage::Budget;
use crate::time::{CaptureClock, Instant, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Packets that wait at most where only a time is given.
const PACKETS: usize = 100_000;
/// A timestamp that is further back is not believed, as the age clock does not believe it.
const LATEST: Duration = Duration::from_secs(3600);

/// Puts packets in timestamp order, those of one timestamp in order of arrival. It is bounded by time, by number and by
/// the budget; what comes later than that stays late. Plain data.
///
/// A timestamp that is more than an hour off has the place of its arrival, as the age clock
/// ([`CaptureClock`]) takes it: a single wrong one disturbs nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SortQueue {
    delay: Option<Duration>,
    packets: usize,
    clock: CaptureClock,
    held: BinaryHeap<Held>,
    arrivals: u64,
    /// All leave, until none is left.
    flushing: bool,
}

/// A packet that has been put in order, with its octets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sorted {
    frame: u64,
    time: Timestamp,
    interface: u32,
    link_type: LinkType,
    data: Vec<u8>,
    orig_len: u32,
    fcs_len: Option<u8>,
    flags: u32,
}

impl Sorted {
    /// The packet as it came.
    pub fn packet(&self) -> Packet<'_> {
        Packet {
            frame: self.frame,
            time: self.time,
            interface: self.interface,
            link_type: self.link_type,
            data: &self.data,
            orig_len: self.orig_len,
            fcs_len: self.fcs_len,
            flags: self.flags,
        }
    }

    /// Octets allocated for it.
    fn allocated(&self) -> usize {
        size_of::<Held>() + self.data.capacity()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    /// Its time on the age clock.
    age: Instant,
    arrival: u64,
    packet: Sorted,
}

impl Ord for Held {
    /// The oldest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.age, other.arrival).cmp(&(self.age, self.arrival))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Held {}

impl SortQueue {
    /// A queue that holds each packet until another is `delay` later (0: however long), and at most `packets` of them
    /// (0: 100,000). Nothing where both are 0: sorting is off.
    pub fn new(delay: Duration, packets: usize) -> Option<Self> {
        let delay = (!delay.is_zero()).then_some(delay);
        let packets = match packets {
            0 if delay.is_none() => return None,
            0 => PACKETS,
            n => n,
        };
        Some(Self {
            delay,
            packets,
            clock: CaptureClock::default(),
            held: BinaryHeap::new(),
            arrivals: 0,
            flushing: false,
        })
    }

    /// Takes a packet in. What is due then has to be taken with [`pop`](Self::pop).
    pub fn push(&mut self, packet: &Packet<'_>, budget: &mut Budget) {
        let now = self.clock.observe(packet.time);
        let late = self.clock.latest().since(packet.time);
        let late = if late > LATEST { Duration::ZERO } else { late };
        let held = Held {
            // An hour on, so that none is before the clock's beginning.
            age: Instant::default().after(now.after(LATEST).since(Instant::default().after(late))),
            arrival: self.arrivals,
            packet: Sorted {
                frame: packet.frame,
                time: packet.time,
                interface: packet.interface,
                link_type: packet.link_type,
                data: packet.data.to_vec(),
                orig_len: packet.orig_len,
                fcs_len: packet.fcs_len,
                flags: packet.flags,
            },
        };
        self.arrivals += 1;
        budget.take(held.packet.allocated());
        self.held.push(held);
    }

    /// The next packet that is due: it has waited for its time, or there are more than may wait, or the budget is
    /// overdrawn.
    pub fn pop(&mut self, budget: &mut Budget) -> Option<Sorted> {
        let oldest = self.held.peek()?;
        let waited = self.clock.now().after(LATEST).since(oldest.age);
        let due = self.flushing
            || self.held.len() > self.packets
            || self.delay.is_some_and(|delay| waited >= delay)
            || budget.over();
        if !due {
            return None;
        }
        let Held { packet, .. } = self.held.pop()?;
        budget.give(packet.allocated());
        self.flushing &= !self.held.is_empty();
        Some(packet)
    }

    /// Makes all packets due: at the end of the input, or when it has been silent for long.
    pub fn flush(&mut self) {
        self.flushing = !self.held.is_empty();
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// No packet waits.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
