//! Plain data structures, no protocol inside.

pub mod aged;
pub mod budget;
pub mod digest;
pub mod expiry;
mod index;
#[cfg(feature = "state")]
mod packed;
#[cfg(not(feature = "state"))]
mod plain;
pub mod time_queue;

pub use aged::{AgedPlace, AgedTable};
pub use budget::{Budget, WaitingOctets, WaitingStage, allocated, tree};
pub use digest::DigestKey;
pub(crate) use digest::SampleKey;
pub use expiry::Deadlines;
pub(crate) use index::SlotIndex;
#[cfg(feature = "state")]
pub(crate) use packed::{Packer, unpack};
#[cfg(not(feature = "state"))]
pub(crate) use plain::{Packer, unpack};
pub use time_queue::{TimeQueue, Timed};
