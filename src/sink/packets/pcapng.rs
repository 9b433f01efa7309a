//! pcapng blocks (draft-ietf-opsawg-pcapng), in little-endian order.

use crate::base::packet::{Interface, LinkType};

/// The snapshot length of every interface: the most that libpcap and Wireshark take. They also want one for all.
const SNAP_LEN: u32 = super::pcap::SNAP_LEN;
/// Octets of an enhanced packet block before the packet.
pub(crate) const RECORD_HEADER: usize = 28;
/// Octets of one comment, at most: its length has 16 bits.
const COMMENT: usize = 65_000;

/// Appends a section header block; the section's length is not known.
pub(crate) fn section(out: &mut Vec<u8>) {
    block(out, 0x0a0d_0d0a, |out| {
        out.extend(0x1a2b_3c4d_u32.to_le_bytes());
        out.extend([1, 0, 0, 0]);
        out.extend([0xff; 8]);
        option(
            out,
            4,
            concat!("inet-asm ", env!("CARGO_PKG_VERSION")).as_bytes(),
        );
        option(out, 0, &[]);
    });
}

/// Appends an interface description block: what is known of the interface, with another link type and resolution.
pub(crate) fn interface(
    out: &mut Vec<u8>,
    link_type: LinkType,
    resolution: u8,
    interface: Option<&Interface>,
) {
    block(out, 1, |out| {
        out.extend(link_type.0.to_le_bytes());
        out.extend([0, 0]);
        out.extend(SNAP_LEN.to_le_bytes());
        if let Some(i) = interface {
            for (code, text) in [(1, &i.comment), (2, &i.name), (3, &i.description)] {
                if let Some(text) = text {
                    option(out, code, text.as_bytes());
                }
            }
        }
        option(out, 9, &[resolution]);
        option(out, 0, &[]);
    });
}

/// Appends an interface statistics block: so many packets were dropped. `stamp`: interface and time, as they stand in the block of a packet.
pub(crate) fn statistics(out: &mut Vec<u8>, stamp: &[u8; 12], dropped: u64) {
    block(out, 5, |out| {
        out.extend(stamp);
        option(out, 5, &dropped.to_le_bytes());
        option(out, 0, &[]);
    });
}

/// What stands before the octets of a packet of which `captured` are there; `tail` is the length of what [`tail`] made.
pub(crate) fn record_header(
    interface: u32,
    ticks: u64,
    captured: usize,
    original: usize,
    tail: usize,
) -> [u8; RECORD_HEADER] {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let [low, high] = [ticks & 0xffff_ffff, ticks >> 32].map(|n| u32::try_from(n).unwrap_or(0));
    let words = [
        6,
        number(RECORD_HEADER + captured + tail),
        interface,
        high,
        low,
        number(captured),
        number(original),
    ];
    let mut h = [0; RECORD_HEADER];
    for (room, word) in h.chunks_exact_mut(4).zip(words) {
        room.copy_from_slice(&word.to_le_bytes());
    }
    h
}

/// Lays what stands behind the octets of a packet: padding, options, the block's length.
pub(crate) fn tail(out: &mut Vec<u8>, captured: usize, comments: &[String], flags: u32) {
    out.clear();
    out.resize(captured.next_multiple_of(4) - captured, 0);
    for comment in comments {
        option(out, 1, cut(comment).as_bytes());
    }
    if flags != 0 {
        option(out, 2, &flags.to_le_bytes());
    }
    if !comments.is_empty() || flags != 0 {
        option(out, 0, &[]);
    }
    let len = u32::try_from(RECORD_HEADER + captured + out.len() + 4).unwrap_or(u32::MAX);
    out.extend(len.to_le_bytes());
}

/// As much of a comment as its 16-bit length can say.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(COMMENT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Appends a block of this type.
pub(crate) fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let len = u32::try_from(out.len() - begin + 4).unwrap_or(u32::MAX);
    out.extend(len.to_le_bytes());
    if let Some(room) = out.get_mut(begin + 4..begin + 8) {
        room.copy_from_slice(&len.to_le_bytes());
    }
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(value);
    out.resize(
        out.len() + (value.len().next_multiple_of(4) - value.len()),
        0,
    );
}
