//! Captures: packet records in any of the formats they are stored in.
//!
//! ```text
//!  file, pipe ──> decompress ──> Reader ──> [SortQueue] ──> link
//!  (Inputs)       by magic       records    time order
//! ```

#[cfg(feature = "decompress")]
mod ahead;
#[cfg(feature = "decompress")]
mod decompress;
pub mod error;
mod inputs;
mod kept;
mod magic;
mod pcap;
mod pcapng;
#[cfg(not(feature = "decompress"))]
mod plain;
mod reader;
mod record;
mod secrets;
mod senders;
mod sort;
mod stop;
#[cfg(test)]
pub(crate) mod testing;
mod totals;

pub use inputs::Inputs;
pub use inputs::path as input_path;
pub use kept::KeptPacket;
pub use magic::is_capture;
pub use reader::{InputSource, Reader, Warning};
pub use sort::SortQueue;
pub use stop::Stop;
pub use totals::Totals;

use crate::base::packet::{INTERFACES, Interface, LinkType, SHARED_KINDS};
use crate::base::state::{Deserialize, Serialize};

/// What an output has to know of the first input before it writes its own file header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileHeader {
    /// What packets begin with; of pcapng, on its first interface.
    pub link_type: LinkType,
    /// Timestamps may be finer than a microsecond.
    pub nanoseconds: bool,
    /// It is pcapng.
    pub pcapng: bool,
}

/// Interfaces past [`INTERFACES`] share the number of one of these first ones that is like them: to look at all for
/// each would take hours where a file is full of them.
const LIKE: usize = 1024;

/// The number for an interface when there is no more room: that of one whose packets are read in the same way, which is
/// kept where none is there yet. None where there are too many kinds.
fn shared_interface(interface: Interface, interfaces: &mut Vec<Interface>) -> Option<u32> {
    let (first, kinds) = interfaces.split_at(INTERFACES.min(interfaces.len()));
    let first = first.get(..LIKE).unwrap_or(first);
    let like = |among: &[Interface]| among.iter().position(|i| i.is_like(&interface));
    let kind = || like(kinds).map(|at| INTERFACES + at);
    let at = like(first).or_else(kind).or_else(|| {
        let at = interfaces.len();
        (at < INTERFACES + SHARED_KINDS).then_some(at)
    })?;
    if at == interfaces.len() {
        interfaces.push(interface);
    }
    u32::try_from(at).ok()
}
