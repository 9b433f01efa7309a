//! `--output-sort-delay`, `--output-sort-queue`: packets wait until none that is older can be expected any more.

use super::file::CaptureFile;
use crate::base::context::Context;
use crate::base::packet::{LinkType, Packet, PacketInfo};
use crate::base::storage::Budget;
use crate::base::storage::time_queue::{LATEST, TimeQueue, Timed};
use crate::base::time::Timestamp;
use std::time::Duration;

/// A packet that is to be written.
pub(super) struct WaitingRecord {
    pub(super) packet: PacketInfo,
    pub(super) link_type: LinkType,
    /// Octets that there would be, had none been lost.
    pub(super) original: usize,
    pub(super) data: Vec<u8>,
    pub(super) comments: Vec<String>,
    /// It is no message: its time is its own, whatever those of the others are.
    pub(super) as_it_was: bool,
    /// It is for those clients only that were let in behind this one.
    pub(super) only_behind: Option<u64>,
}

impl WaitingRecord {
    /// A packet of a message, without comments.
    pub(super) fn new(
        packet: PacketInfo,
        link_type: LinkType,
        original: usize,
        parts: [&[u8]; 3],
    ) -> Self {
        Self {
            packet,
            link_type,
            original,
            data: parts.concat(),
            comments: Vec::new(),
            as_it_was: false,
            only_behind: None,
        }
    }
}

impl Timed for WaitingRecord {
    fn time(&self) -> Timestamp {
        self.packet.time
    }

    fn allocated(&self) -> usize {
        let comments: usize = self.comments.iter().map(String::capacity).sum();
        self.data.capacity() + self.comments.capacity() * size_of::<String>() + comments
    }
}

/// Packets that wait, and the latest time of those that did.
pub(super) struct SortedRecords {
    queue: TimeQueue<WaitingRecord>,
    written: Timestamp,
    /// The last packet of the input whose time was observed.
    frame: u64,
}

impl SortedRecords {
    /// A queue for packets, where they are sorted.
    pub(super) fn new(delay: Duration, packets: usize) -> Option<Self> {
        Some(Self {
            queue: TimeQueue::new(delay, packets)?,
            written: Timestamp::default(),
            frame: 0,
        })
    }

    /// A packet of the input has this time. Each is one witness, however many messages it holds: a wrong time of one is not believed.
    fn observe(&mut self, frame: u64, time: Timestamp) {
        if frame > self.frame {
            self.frame = frame;
            self.queue.observe(time);
        }
    }

    /// Takes a packet in.
    fn put(&mut self, record: WaitingRecord, budget: &mut Budget) {
        // The packet of the input that is processed now is announced behind its messages.
        self.observe(record.packet.frame, record.packet.time);
        self.queue.put(record, budget);
    }

    /// The next packet that need not wait any longer, and whether it is too late for its place.
    fn pop(&mut self, budget: &mut Budget) -> Option<(WaitingRecord, bool)> {
        let record = self.queue.pop(budget)?;
        let behind = self.written.since(record.packet.time);
        // What is further off has no place but that of its arrival.
        let late = !behind.is_zero() && behind <= LATEST;
        if !late {
            self.written = record.packet.time;
        }
        Some((record, late))
    }

    /// Takes a packet in, and writes those that need not wait any longer.
    pub(super) fn take(&mut self, cx: &mut Context, record: WaitingRecord, to: &mut CaptureFile) {
        self.put(record, &mut cx.budget);
        let buffer = &mut cx.counters.buffer;
        buffer.output_sorting += 1;
        buffer.output_sorting_peak = buffer.output_sorting_peak.max(buffer.output_sorting);
        self.write_due(cx, to);
    }

    /// A packet of the input has this time: some that wait may be due by it.
    pub(super) fn time_is(&mut self, cx: &mut Context, packet: &Packet<'_>, to: &mut CaptureFile) {
        self.observe(packet.frame, packet.time);
        self.write_due(cx, to);
    }

    /// Writes all that wait, in their order.
    pub(super) fn write_all(&mut self, cx: &mut Context, to: &mut CaptureFile) {
        self.queue.flush();
        self.write_due(cx, to);
    }

    fn write_due(&mut self, cx: &mut Context, to: &mut CaptureFile) {
        while let Some((record, late)) = self.pop(&mut cx.budget) {
            cx.counters.buffer.output_sorting -= 1;
            cx.counters.output.late += u64::from(late);
            let (packet, parts) = (&record.packet, [record.data.as_slice(), &[], &[]]);
            let (link_type, original) = (record.link_type, record.original);
            match record.as_it_was {
                _ if let Some(number) = record.only_behind => {
                    to.record_behind(number, packet, link_type, original, parts);
                }
                true => to.record_at_its_time(packet, link_type, original, parts),
                false => to.record(packet, link_type, original, parts, &record.comments, 0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    /// A message for each of these packets and times, by a queue that waits for all: what comes out, and what of it was late.
    fn sort(messages: &[(u64, u64)]) -> (Vec<(u64, u64)>, usize) {
        let mut budget = Budget::new(1 << 20);
        let mut sorted = SortedRecords::new(Duration::from_secs(1), 0).unwrap();
        let (mut out, mut late) = (Vec::new(), 0);
        let mut take = |sorted: &mut SortedRecords, budget: &mut Budget| {
            while let Some((record, is_late)) = sorted.pop(budget) {
                out.push((record.packet.frame, record.packet.time.as_nanos()));
                late += usize::from(is_late);
            }
        };
        for &(frame, time) in messages {
            let record = WaitingRecord {
                packet: PacketInfo {
                    frame,
                    time: Timestamp::from_nanos(time),
                    ..PacketInfo::default()
                },
                link_type: LinkType::RAW,
                original: 4,
                data: b"data".to_vec(),
                comments: vec!["comment".to_owned()],
                as_it_was: false,
                only_behind: None,
            };
            sorted.put(record, &mut budget);
            take(&mut sorted, &mut budget);
        }
        sorted.queue.flush();
        take(&mut sorted, &mut budget);
        assert_eq!(budget.used(), 0);
        (out, late)
    }

    #[test]
    fn messages_of_older_packets_have_their_place_or_are_late() {
        let t = 50_000 * S;
        let (out, late) = sort(&[(1, t), (3, t + 2), (2, t + 1), (4, t + 5 * S), (2, t + 1)]);
        let wanted = [(1, t), (2, t + 1), (3, t + 2), (2, t + 1), (4, t + 5 * S)];
        assert_eq!((out.as_slice(), late), (&wanted[..], 1));
    }

    /// As many messages as would bear witness of a jump, were each a packet.
    #[test]
    fn many_messages_of_one_packet_make_its_wrong_time_no_right_one() {
        let t = 50_000 * S;
        for wrong in [S, 1_000_000 * S] {
            let mut messages = vec![(1, t)];
            messages.extend([(2, wrong); 40]);
            messages.extend([(4, t + 2), (3, t + 1), (5, t + 3)]);
            let (out, late) = sort(&messages);
            let right: Vec<_> = out.iter().filter(|(_, time)| *time != wrong).collect();
            assert_eq!(right, [&(1, t), &(3, t + 1), &(4, t + 2), &(5, t + 3)]);
            assert_eq!((out.len(), late), (44, 0));
        }
    }
}
