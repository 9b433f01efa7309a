//! How a capture begins.

use super::pcap;

/// gzip, as far as it is certain: deflate, and none of the flags that nobody has given a meaning.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];
pub(super) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A frame that is to be skipped; any digit may stand in the place of the 0. pzstd begins with one.
pub(super) const ZSTD_SKIPPABLE: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// These octets begin a file as pcap, pcapng, gzip or zstd do: what a user would be sorry to lose.
pub fn is_capture(octets: &[u8]) -> bool {
    octets.starts_with(&GZIP)
        || octets
            .first_chunk()
            .is_some_and(|first| pcap::is_magic(*first) || *first == PCAPNG || is_zstd(first))
}

const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

fn is_zstd(first: &[u8; 4]) -> bool {
    let [digit, rest @ ..] = *first;
    *first == ZSTD || [digit & 0xf0, rest[0], rest[1], rest[2]] == ZSTD_SKIPPABLE
}

/// A file could begin with this octet.
#[inline(always)] // asked of each record
pub(super) fn may_begin(first: u8) -> bool {
    FIRST[first as usize]
}

/// Whether a file could begin with an octet.
// A table: asked of each record, and each of these would be a comparison.
static FIRST: [bool; 256] = {
    let mut table = [false; 256];
    let mut first = 0;
    while first < table.len() {
        #[allow(clippy::cast_possible_truncation)] // an octet
        let octet = first as u8;
        table[first] = matches!(
            octet,
            0xd4 | 0xa1 | 0x4d | 0x34 | 0x0a | 0x1f | 0x28 | 0x50..=0x5f
        );
        first += 1;
    }
    table
};

/// Compressed data could begin here, where a packet record or block is due.
#[inline]
pub(super) fn may_be_compressed(first: &[u8; 4]) -> bool {
    match first {
        [0x1f, 0x8b, 8, flags] => flags & 0xe0 == 0,
        [0x28, ..] | [0x50..=0x5f, ..] => is_zstd(first),
        _ => false,
    }
}
