//! Captures: packet records in any of the formats they are stored in.
//!
//! ```text
//!  file, pipe ──> decompress ──> Reader ──> [SortQueue] ──> link
//!  (Inputs)       by magic       records    time order
//! ```

pub(crate) mod decompress;
pub mod error;
mod inputs;
mod pcap;
mod pcapng;
mod reader;
mod record;
mod sort;
mod stop;
#[cfg(test)]
pub(crate) mod testing;
mod totals;

pub use inputs::path as input_path;
pub use inputs::{InputSource, Inputs};
pub use reader::{Reader, Warning};
pub use sort::{SortQueue, Sorted};
pub use stop::Stop;
pub use totals::Totals;

use crate::base::packet::LinkType;

/// What an output has to know of the first input before it writes its own file header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileHeader {
    /// What packets begin with; of pcapng, on its first interface.
    pub link_type: LinkType,
    /// Timestamps may be finer than a microsecond.
    pub nanoseconds: bool,
    /// It is pcapng.
    pub pcapng: bool,
}

/// Interfaces over the whole input, at most: more is taken for damage.
const MAX_INTERFACES: usize = 65_536;

/// The 32-bit number at this place.
#[inline]
fn word(octets: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let octets = *octets.get(at..)?.first_chunk::<4>()?;
    Some(if big_endian {
        u32::from_be_bytes(octets)
    } else {
        u32::from_le_bytes(octets)
    })
}
