//! The sorting queue: packets of several receive queues or merged taps, put in timestamp order ahead of processing.

use super::kept::KeptPacket;
use crate::base::storage::TimeQueue;

/// Packets of the input that wait to be sorted.
pub type SortQueue = TimeQueue<KeptPacket>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::packet::{LinkType, Packet};
    use crate::base::storage::Budget;
    use crate::base::time::Timestamp;
    use std::time::Duration;

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
            queue.push(KeptPacket::of(&packet), &mut budget);
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
            queue.push(KeptPacket::of(&packet), &mut budget);
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
            queue.push(KeptPacket::of(&packet), &mut budget);
        }
        let state = postcard::to_stdvec(&queue).unwrap();
        let mut back: SortQueue = postcard::from_bytes(&state).unwrap();
        back.flush();
        let first = back.pop(&mut budget).unwrap();
        assert_eq!((first.packet().frame, first.packet().interface), (1, 3));
        assert_eq!(back.pop(&mut budget).unwrap().packet().frame, 2);
    }
}
