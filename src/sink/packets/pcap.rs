//! pcap files (draft-ietf-opsawg-pcap): the file header and packet records.

use crate::base::packet::LinkType;
use crate::base::time::Timestamp;

/// The snapshot length of every file header: the most that libpcap and Wireshark take, whatever a header says.
pub(crate) const SNAP_LEN: u32 = 262_144;
/// Octets of a packet record's header.
pub(crate) const RECORD_HEADER: usize = 16;

/// How seconds are divided in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PcapResolution {
    /// Microseconds.
    Micro,
    /// Nanoseconds.
    Nano,
}

/// The header that a file begins with, in little-endian order.
pub(crate) fn file_header(link_type: LinkType, resolution: PcapResolution) -> [u8; 24] {
    let magic: u32 = match resolution {
        PcapResolution::Micro => 0xa1b2_c3d4,
        PcapResolution::Nano => 0xa1b2_3c4d,
    };
    let mut h = [0; 24];
    h[0..4].copy_from_slice(&magic.to_le_bytes());
    h[4..6].copy_from_slice(&2u16.to_le_bytes());
    h[6..8].copy_from_slice(&4u16.to_le_bytes());
    h[16..20].copy_from_slice(&SNAP_LEN.to_le_bytes());
    h[20..22].copy_from_slice(&link_type.0.to_le_bytes());
    h
}

/// The header of a record of `captured` octets out of `original`.
pub(crate) fn record_header(
    time: Timestamp,
    resolution: PcapResolution,
    captured: u32,
    original: u32,
) -> [u8; RECORD_HEADER] {
    let part = match resolution {
        PcapResolution::Micro => time.subsec_nanos() / 1000,
        PcapResolution::Nano => time.subsec_nanos(),
    };
    // Seconds are an unsigned 32-bit number in the format: until 2106.
    let secs = u32::try_from(time.secs()).unwrap_or(u32::MAX);
    let mut h = [0; RECORD_HEADER];
    h[0..4].copy_from_slice(&secs.to_le_bytes());
    h[4..8].copy_from_slice(&part.to_le_bytes());
    h[8..12].copy_from_slice(&captured.to_le_bytes());
    h[12..16].copy_from_slice(&original.to_le_bytes());
    h
}
