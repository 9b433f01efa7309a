//! Plain data structures, no protocol inside.

pub mod aged;
pub mod budget;
pub mod digest;
pub mod expiry;
mod index;
mod packed;

pub use aged::{AgedPlace, AgedTable};
pub use budget::{Budget, allocated, tree};
pub use digest::DigestKey;
pub(crate) use digest::SampleKey;
pub use expiry::Deadlines;
pub(crate) use index::SlotIndex;
pub(crate) use packed::{Packer, unpack};
