//! What is counted on from one input to the next.

use crate::base::counters::InputCounters;
use crate::base::packet::{CaptureBlock, Interface};
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Timestamp;
use std::time::Duration;

/// What goes on over all inputs of a run; plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Number of the last frame.
    pub frame: u64,
    /// Time of the last packet.
    pub time: Timestamp,
    /// The latest time ahead of a step back.
    pub newest: Timestamp,
    /// How far a packet was behind the newest at most.
    pub late: Duration,
    /// All interfaces, in the order of their numbers.
    pub interfaces: Vec<Interface>,
    /// Number of the first interface of the file, or the section of pcapng, that was read last.
    pub section: u32,
    /// The file that is read next goes on with the one that an earlier run has read last: its interfaces are the same.
    #[serde(skip)]
    pub(super) continues: bool,
    /// What was counted.
    pub counters: InputCounters,
    /// Decryption secrets and name resolution blocks are kept in `blocks`; else they are only counted.
    pub keep_blocks: bool,
    /// Those that stand before the packet that was read last, and behind the one ahead of it: 16 MiB at most.
    // They were handed on with that packet; secrets, for one, are in no state.
    #[serde(skip)]
    pub blocks: Vec<CaptureBlock>,
    /// Key logs of TLS in decryption secrets blocks, in their order: 16 MiB at most. They are never written out.
    #[serde(skip)]
    pub key_logs: Vec<Vec<u8>>,
    /// Comments of packets are kept in `comments`.
    pub keep_comments: bool,
    /// Those of the packet that was read last.
    #[serde(skip)]
    pub comments: Vec<String>,
}

impl Totals {
    /// The number of the interface that a file is, or the first one of a section, where that goes on with an earlier run.
    pub(super) fn continued(&mut self, interface: &Interface) -> Option<u32> {
        let continues = std::mem::take(&mut self.continues);
        let known = self.interfaces.get(self.section as usize);
        known
            .filter(|known| continues && known.is_same(interface))
            .map(|_| self.section)
    }

    /// Counts a packet of which `len` octets of `orig_len` were captured.
    #[inline(always)] // on every packet's way
    pub(super) fn count(&mut self, time: Timestamp, len: usize, orig_len: u32) {
        let counters = &mut self.counters;
        if time < self.time {
            counters.backwards += 1;
            self.newest = self.newest.max(self.time);
            self.late = self.late.max(self.newest.since(time));
        }
        self.time = time;
        counters.packets += 1;
        counters.octets += len as u64;
        counters.snapped += u64::from(orig_len as usize > len);
    }
}
