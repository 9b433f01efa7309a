//! The Internet checksum (RFC 1071): sums that can be taken in pieces and joined.
//!
//! A ones' complement sum does not care in which order and in which width its words are added, only whether a piece
//! begins at an even or an odd octet; joined at an odd place, a partial sum has its two octets swapped.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A ones' complement sum of octets, and whether their number is odd.
///
/// Pieces are added in the order in which they stand in the packet, or summed apart and joined with
/// [`Sum::combine`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Folded to 16 bits, in network order.
    sum: u16,
    odd: bool,
}

impl Sum {
    /// The sum of these octets.
    pub fn of(data: &[u8]) -> Self {
        Self {
            sum: sum(data),
            odd: data.len() % 2 == 1,
        }
    }

    /// The sum of octets that are a few whole words of 32 bits, as headers are; what is left behind them is not looked at.
    #[inline(always)] // a loop over five words costs less than a call
    pub(crate) fn of_words(data: &[u8]) -> Self {
        let words = data.as_chunks::<4>().0.iter();
        // Fewer than 2^32 of them, or they are none of a packet.
        let sum: u64 = words.map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
        Self {
            sum: u16::from_be_bytes(fold(sum).to_ne_bytes()),
            odd: false,
        }
    }

    /// Adds the octets that follow.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // what it adds is no sum
    pub fn add(self, data: &[u8]) -> Self {
        self.combine(Self::of(data))
    }

    /// Adds two octets that follow.
    #[must_use]
    pub fn add_u16(self, word: u16) -> Self {
        self.combine(Self {
            sum: word,
            odd: false,
        })
    }

    /// Adds four octets that follow.
    #[must_use]
    pub fn add_u32(self, word: u32) -> Self {
        let [a, b, c, d] = word.to_be_bytes();
        self.add_u16(u16::from_be_bytes([a, b]))
            .add_u16(u16::from_be_bytes([c, d]))
    }

    /// The sum of these octets and, behind them, those of `next`.
    #[must_use]
    pub fn combine(self, next: Self) -> Self {
        // A piece that begins at an odd octet has its high and low octets exchanged (RFC 1071, 2).
        let other = if self.odd {
            next.sum.swap_bytes()
        } else {
            next.sum
        };
        Self {
            sum: add16(self.sum, other),
            odd: self.odd != next.odd,
        }
    }

    /// The folded sum, not complemented: 0xffff over a packet whose checksum is right.
    pub const fn folded(self) -> u16 {
        self.sum
    }

    /// The checksum: what to write into the field, which was zero when it was summed.
    pub const fn finish(self) -> u16 {
        !self.sum
    }

    /// A packet with this sum, its checksum field included, is intact.
    pub const fn is_right(self) -> bool {
        // All octets zero is the only way to 0.
        self.sum == 0xffff || self.sum == 0
    }
}

/// Ones' complement addition.
const fn add16(a: u16, b: u16) -> u16 {
    let (s, carry) = a.overflowing_add(b);
    s + carry as u16
}

/// The sum of the pseudo header (RFC 793, RFC 768; RFC 8200, 8.1): addresses, protocol and length of the transport
/// packet.
pub fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> Sum {
    // Lossless for every length that a packet can have.
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    addresses(src, dst)
        .add_u16(u16::from(protocol))
        .add_u32(len)
}

/// The sum of the pseudo header without the length, which some offloading hardware adds by itself.
pub fn pseudo_header_without_length(src: IpAddr, dst: IpAddr, protocol: u8) -> Sum {
    addresses(src, dst).add_u16(u16::from(protocol))
}

#[inline] // twice a packet: a call costs as much as the two additions
fn addresses(src: IpAddr, dst: IpAddr) -> Sum {
    let mut sum = Sum::default();
    for addr in [src, dst] {
        sum = match addr {
            IpAddr::V4(a) => sum.add_u32(a.to_bits()),
            IpAddr::V6(a) => sum.add(&a.octets()),
        };
    }
    sum
}

/// What a transport checksum turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right.
    Right,
    /// Not filled in yet: the sum of the pseudo header alone, with or without the length, or zero.
    Offloaded,
    /// Wrong.
    Wrong,
}

/// Judges the checksum `field` of the transport packet `data`, which was not cut.
pub fn classify(src: IpAddr, dst: IpAddr, protocol: u8, data: &[u8], field: u16) -> Verdict {
    let pseudo = pseudo_header(src, dst, protocol, data.len());
    // The sum over everything, field included, is all ones where it is right (RFC 1071, 1).
    if pseudo.add(data).is_right() {
        Verdict::Right
    } else if field == 0
        // Cards differ in what they expect in the field: nothing, or the sum of the pseudo header
        // with or without its length.
        || field == pseudo.folded()
        || field == pseudo_header_without_length(src, dst, protocol).folded()
    {
        Verdict::Offloaded
    } else {
        Verdict::Wrong
    }
}

/// Octets that are added in one chain of carries.
// Eight words: the carry is put away once for them. With four the loop costs as much as the additions, with sixteen most
// headers and short payloads would go the slow way.
const BLOCK: usize = 64;

/// The ones' complement sum of `data` as words in network order, folded to 16 bits; an odd octet at the end counts as
/// the high half of a word.
pub fn sum(data: &[u8]) -> u16 {
    // Wide words: the ones' complement sum is the same in any width, as long as carries come round.
    let mut low = 0u64;
    let mut carries = 0u64;
    let (blocks, tail) = data.as_chunks::<BLOCK>();
    for block in blocks {
        let mut carry = false;
        for word in block.as_chunks::<8>().0 {
            // Compiled to one addition with carry.
            let (sum, over) = low.overflowing_add(u64::from_ne_bytes(*word));
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (low, carry) = (sum, over | again);
        }
        carries += u64::from(carry);
    }
    let (words, tail) = tail.as_chunks::<8>();
    for word in words {
        let (sum, over) = low.overflowing_add(u64::from_ne_bytes(*word));
        low = sum;
        carries += u64::from(over);
    }
    // An odd tail is filled with zeros, as RFC 1071 says.
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    let (low, over) = low.overflowing_add(u64::from_ne_bytes(last));
    carries += u64::from(over);
    // 2^64 and 2^32 are 1 modulo 2^16 - 1. There are far fewer carries than 2^32.
    let halves = (low >> 32) + (low & 0xffff_ffff) + carries;
    // The sum was taken in the order of the machine; swapping the octets of the words swaps those of the sum.
    u16::from_be_bytes(fold(halves).to_ne_bytes())
}

#[allow(clippy::cast_possible_truncation)] // each step keeps the low half and adds the high one
const fn fold(total: u64) -> u16 {
    // Each step halves the width and may leave a carry, so the last width is folded twice or more.
    let t = (total >> 32) + (total & 0xffff_ffff);
    let t = (t >> 16) + (t & 0xffff);
    let t = (t >> 16) + (t & 0xffff);
    let t = (t >> 16) + (t & 0xffff);
    t as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071, 4.1, word by word.
    fn plain(data: &[u8]) -> u16 {
        let mut s = 0u32;
        for w in data.chunks(2) {
            s += u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0));
            s = (s & 0xffff) + (s >> 16);
        }
        u16::try_from(s).unwrap()
    }

    /// 0 and 0xffff are the same number in ones' complement.
    fn same(a: u16, b: u16) -> bool {
        a == b || (a == 0xffff && b == 0) || (a == 0 && b == 0xffff)
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 1071, 3.
        let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(sum(&data), 0xddf2);
        assert_eq!(Sum::of(&data).finish(), !0xddf2);
    }

    #[test]
    fn carries_survive() {
        for n in 0..300 {
            let data = vec![0xff; n];
            assert!(same(sum(&data), plain(&data)), "{n}");
        }
    }

    #[test]
    fn offloaded_sums_are_known() {
        let (a, b) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut data = *b"\x00\x07\x00\x09\x00\x0d\x00\x00hello";
        let right = pseudo_header(a, b, 17, data.len()).add(&data).finish();
        let bare = pseudo_header(a, b, 17, data.len()).folded();
        let shorter = pseudo_header_without_length(a, b, 17).folded();
        for (field, verdict) in [
            (right, Verdict::Right),
            (bare, Verdict::Offloaded),
            (shorter, Verdict::Offloaded),
            (0, Verdict::Offloaded),
            (right ^ 1, Verdict::Wrong),
        ] {
            data[6..8].copy_from_slice(&field.to_be_bytes());
            assert_eq!(classify(a, b, 17, &data, field), verdict, "{field:04x}");
        }
    }

    proptest! {
        #[test]
        fn equals_the_plain_sum(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(same(sum(&data), plain(&data)));
        }

        #[test]
        fn pieces_join(data in proptest::collection::vec(any::<u8>(), 0..200), cuts in proptest::collection::vec(0usize..200, 0..5)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(data.len())).collect();
            cuts.sort_unstable();
            let (mut at, mut total) = (0, Sum::default());
            for cut in cuts.into_iter().chain([data.len()]) {
                total = total.combine(Sum::of(&data[at..cut]));
                at = cut;
            }
            prop_assert!(same(total.folded(), plain(&data)));
        }
    }
}
