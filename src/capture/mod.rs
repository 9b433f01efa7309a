//! Captures: packet records in any of the formats they are stored in.
//!
//! ```text
//!  file, pipe ──> decompress ──> Reader ──> [SortQueue] ──> link
//!  (Inputs)       by magic       records    time order
//! ```

#[cfg(feature = "decompress")]
mod decompress;
pub mod error;
mod inputs;
mod magic;
mod pcap;
mod pcapng;
#[cfg(not(feature = "decompress"))]
mod plain;
mod reader;
mod record;
mod sort;
mod stop;
#[cfg(test)]
pub(crate) mod testing;
mod totals;

pub use inputs::path as input_path;
pub use inputs::{InputSource, Inputs};
pub use magic::is_capture;
pub use reader::{Reader, Warning};
pub use sort::{SortQueue, Sorted};
pub use stop::Stop;
pub use totals::Totals;

use crate::base::packet::{Interface, LinkType};

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

/// Interfaces that have a number of their own: a pcapng output describes as many, and each costs memory for the whole run.
const MAX_INTERFACES: usize = 65_536;
/// Interfaces past [`MAX_INTERFACES`] share the number of one of these first ones that is like them: to look at all for
/// each would take hours where a file is full of them.
const LIKE: usize = 1024;

/// The number for an interface when there is no more room: that of one whose packets are read in the same way.
fn shared_interface(interface: &Interface, interfaces: &[Interface]) -> Option<u32> {
    let first = interfaces.get(..LIKE).unwrap_or(interfaces);
    let at = first.iter().position(|i| i.is_like(interface))?;
    u32::try_from(at).ok()
}

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
