//! A queue that puts what has timestamps in their order, within bounds.

use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, WaitingStage};
use crate::base::time::{CaptureClock, Instant, Timestamp};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Packets that wait at most where only a time is given.
// Of full size they are 150 MB, which the default limit of memory still holds.
const PACKETS: usize = 100_000;
/// A timestamp that is further back is not believed, as the age clock does not believe it.
// The same hour as the clock's: a packet off by more has the place of its arrival.
pub const LATEST: Duration = Duration::from_secs(3600);

/// What has a time by which it is put in order.
pub trait Timed {
    /// That time.
    fn time(&self) -> Timestamp;

    /// Octets allocated for its own.
    fn allocated(&self) -> usize;
}

/// Puts packets in timestamp order, those of one timestamp in order of arrival. It is bounded by time, by number and by
/// the budget; what comes later than that stays late. Plain data.
///
/// A timestamp that is more than an hour off has the place of its arrival, as the age clock
/// ([`CaptureClock`]) takes it: a single wrong one disturbs nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimeQueue<T> {
    delay: Option<Duration>,
    packets: usize,
    clock: CaptureClock,
    held: BinaryHeap<TimedItem<T>>,
    arrivals: u64,
    /// All leave, until none is left.
    flushing: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TimedItem<T> {
    /// Its time on the age clock.
    age: Instant,
    arrival: u64,
    item: T,
}

impl<T: Timed> TimedItem<T> {
    /// Octets allocated for it.
    fn allocated(&self) -> usize {
        size_of::<Self>() + self.item.allocated()
    }
}

impl<T> Ord for TimedItem<T> {
    /// The oldest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        // Equal times keep their order of arrival, so that an input in order comes out as it went
        // in.
        (other.age, other.arrival).cmp(&(self.age, self.arrival))
    }
}

impl<T> PartialOrd for TimedItem<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for TimedItem<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for TimedItem<T> {}

impl<T: Timed> TimeQueue<T> {
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

    /// A packet that has this time is a witness of it.
    pub fn observe(&mut self, time: Timestamp) {
        self.clock.observe(time);
    }

    /// Takes a packet in that is a witness of its own time. What is due then has to be taken with [`pop`](Self::pop).
    pub fn push(&mut self, item: T, budget: &mut Budget) {
        self.observe(item.time());
        self.put(item, budget);
    }

    /// Takes in what has a time that was [observed](Self::observe) before.
    pub fn put(&mut self, item: T, budget: &mut Budget) {
        let now = self.clock.now();
        // How far behind the newest this one is; what is ahead of it is the newest itself.
        let late = self.clock.latest().since(item.time());
        let late = if late > LATEST { Duration::ZERO } else { late };
        let held = TimedItem {
            // An hour on, so that none is before the clock's beginning.
            age: Instant::default().after(now.after(LATEST).since(Instant::default().after(late))),
            arrival: self.arrivals,
            item,
        };
        self.arrivals += 1;
        budget.resize_waiting(WaitingStage::Sorting, 0, held.allocated());
        self.held.push(held);
    }

    /// The next packet that is due: it has waited for its time, or there are more than may wait, or the budget is
    /// overdrawn.
    pub fn pop(&mut self, budget: &mut Budget) -> Option<T> {
        let oldest = self.held.peek()?;
        let waited = self.clock.now().after(LATEST).since(oldest.age);
        let due = self.flushing
            // By number, by time, or because memory is needed: whichever is first.
            || self.held.len() > self.packets
            || self.delay.is_some_and(|delay| waited >= delay)
            || budget.over();
        if !due {
            return None;
        }
        let held = self.held.pop()?;
        budget.resize_waiting(WaitingStage::Sorting, held.allocated(), 0);
        // Ends by itself, so that packets behind it are queued again.
        self.flushing &= !self.held.is_empty();
        Some(held.item)
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
