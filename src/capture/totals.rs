//! What is counted on from one input to the next.

use crate::base::counters::InputCounters;
use crate::base::packet::Interface;
use crate::base::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What goes on over all inputs of a run; plain data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Number of the last frame.
    pub frame: u64,
    /// Time of the last packet.
    pub time: Timestamp,
    /// All interfaces, in the order of their numbers.
    pub interfaces: Vec<Interface>,
    /// What was counted.
    pub counters: InputCounters,
}
