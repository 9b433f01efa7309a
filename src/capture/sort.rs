//! The sorting queue: packets of several receive queues or merged taps, put in timestamp order ahead of processing.

use super::kept::KeptPacket;
use crate::base::packet::Packet;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::{Budget, WaitingStage};
use crate::base::time::{CaptureClock, Instant};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Packets that wait at most where only a time is given.
// Of full size they are 150 MB, which the default limit of memory still holds.
const PACKETS: usize = 100_000;
/// A timestamp that is further back is not believed, as the age clock does not believe it.
// The same hour as the clock's: a packet off by more has the place of its arrival.
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
    held: BinaryHeap<HeldRecord>,
    arrivals: u64,
    /// All leave, until none is left.
    flushing: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct HeldRecord {
    /// Its time on the age clock.
    age: Instant,
    arrival: u64,
    packet: KeptPacket,
}

impl HeldRecord {
    /// Octets allocated for it.
    fn allocated(&self) -> usize {
        size_of::<Self>() + self.packet.allocated()
    }
}

impl Ord for HeldRecord {
    /// The oldest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        // Equal times keep their order of arrival, so that an input in order comes out as it went
        // in.
        (other.age, other.arrival).cmp(&(self.age, self.arrival))
    }
}

impl PartialOrd for HeldRecord {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for HeldRecord {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for HeldRecord {}

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
        // How far behind the newest this one is; what is ahead of it is the newest itself.
        let late = self.clock.latest().since(packet.time);
        let late = if late > LATEST { Duration::ZERO } else { late };
        let held = HeldRecord {
            // An hour on, so that none is before the clock's beginning.
            age: Instant::default().after(now.after(LATEST).since(Instant::default().after(late))),
            arrival: self.arrivals,
            packet: KeptPacket::of(packet),
        };
        self.arrivals += 1;
        budget.resize_waiting(WaitingStage::Sorting, 0, held.allocated());
        self.held.push(held);
    }

    /// The next packet that is due: it has waited for its time, or there are more than may wait, or the budget is
    /// overdrawn.
    pub fn pop(&mut self, budget: &mut Budget) -> Option<KeptPacket> {
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
        Some(held.packet)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::packet::LinkType;
    use crate::base::time::Timestamp;

    const S: u64 = 1_000_000_000;

    /// Frame and time, as they come out.
    type OutputOrder = Vec<(u64, u64)>;

    /// Puts packets with these times in. Gives what comes out before the end of the input, and then.
    fn sort(delay: u64, packets: usize, times: &[u64]) -> (OutputOrder, OutputOrder) {
        let mut budget = Budget::new(1 << 20);
        let mut queue = SortQueue::new(Duration::from_nanos(delay), packets).unwrap();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (i, time) in times.iter().enumerate() {
            let packet = Packet {
                frame: i as u64 + 1,
                time: Timestamp::from_nanos(*time),
                interface: 0,
                link_type: LinkType::ETHERNET,
                data: b"data",
                orig_len: 4,
                fcs_len: None,
                flags: 0,
            };
            queue.push(&packet, &mut budget);
            while let Some(p) = queue.pop(&mut budget) {
                assert_eq!(p.packet().data, b"data");
                before.push((p.packet().frame, p.packet().time.as_nanos()));
            }
        }
        assert_eq!(before.len() + queue.len(), times.len());
        queue.flush();
        while let Some(p) = queue.pop(&mut budget) {
            after.push((p.packet().frame, p.packet().time.as_nanos()));
        }
        assert_eq!(budget.used(), 0);
        assert!(queue.is_empty());
        (before, after)
    }

    #[test]
    fn off_by_default() {
        assert!(SortQueue::new(Duration::ZERO, 0).is_none());
    }

    #[test]
    fn time_order_within_the_delay() {
        let (before, after) = sort(10, 0, &[100, 105, 103, 103, 109, 110, 104, 120, 90, 121]);
        assert_eq!(
            before,
            [
                (1, 100),
                (3, 103),
                (4, 103),
                (7, 104),
                (2, 105),
                (5, 109),
                (6, 110),
                (9, 90)
            ]
        );
        assert_eq!(after, [(8, 120), (10, 121)]);
    }

    #[test]
    fn time_order_within_the_number() {
        let (before, after) = sort(0, 2, &[3 * S, S, 2 * S, S, 9 * S]);
        assert_eq!(before, [(2, S), (4, S), (3, 2 * S)]);
        assert_eq!(after, [(1, 3 * S), (5, 9 * S)]);
    }

    #[test]
    fn a_wrong_timestamp_stays_where_it_came() {
        for wrong in [0, 1_000_000 * S] {
            let t = 50_000 * S;
            let (before, after) = sort(10, 0, &[t, t + 2, wrong, t + 1, t + 3]);
            assert_eq!(before, []);
            let frames: Vec<u64> = after.iter().map(|p| p.0).collect();
            assert_eq!(frames, [1, 4, 2, 3, 5]);
        }
    }

    #[test]
    fn a_jump_keeps_the_order_of_arrival() {
        for to in [1_000_000 * S, S] {
            let mut times: Vec<u64> = (0..5).map(|i| 50_000 * S + i).collect();
            times.extend((0..30).map(|i| to + i));
            let (before, after) = sort(S, 0, &times);
            let frames: Vec<u64> = before.iter().chain(&after).map(|p| p.0).collect();
            assert_eq!(frames, (1..=35).collect::<Vec<_>>(), "{to}");
        }
    }

    #[test]
    fn the_budget_bounds_it() {
        let mut budget = Budget::new(10_000);
        let mut queue = SortQueue::new(Duration::from_secs(1), 0).unwrap();
        for i in 0..100 {
            let packet = Packet {
                frame: i,
                time: Timestamp::from_nanos(i),
                interface: 0,
                link_type: LinkType::ETHERNET,
                data: &[0; 1000],
                orig_len: 1000,
                fcs_len: None,
                flags: 0,
            };
            queue.push(&packet, &mut budget);
            while queue.pop(&mut budget).is_some() {}
            assert!(!budget.over());
        }
        assert!(queue.len() >= 8);
    }

    #[test]
    fn it_can_be_written_out_and_read_back() {
        let mut budget = Budget::new(10_000);
        let mut queue = SortQueue::new(Duration::from_secs(1), 7).unwrap();
        for frame in [2, 1] {
            let packet = Packet {
                frame,
                time: Timestamp::from_nanos(frame),
                interface: 3,
                link_type: LinkType::RAW,
                data: b"x",
                orig_len: 9,
                fcs_len: Some(4),
                flags: 1,
            };
            queue.push(&packet, &mut budget);
        }
        let state = postcard::to_stdvec(&queue).unwrap();
        let mut back: SortQueue = postcard::from_bytes(&state).unwrap();
        back.flush();
        let first = back.pop(&mut budget).unwrap();
        assert_eq!((first.packet().frame, first.packet().interface), (1, 3));
        assert_eq!(back.pop(&mut budget).unwrap().packet().frame, 2);
    }
}
