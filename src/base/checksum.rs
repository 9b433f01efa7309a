//! The Internet checksum (RFC 1071): sums that can be taken in pieces and joined.
//!
//! A ones' complement sum does not care in which order and in which width its words are added, only whether a piece
//! begins at an even or an odd octet; joined at an odd place, a partial sum has its two octets swapped.

use crate::base::state::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

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
        Self::of_total(words.map(|octets| word(*octets)).sum())
    }

    /// The sum of octets whose words, as [`word`] gives them, add up to this.
    #[inline(always)]
    fn of_total(total: u64) -> Self {
        Self {
            sum: u16::from_be_bytes(fold(total).to_ne_bytes()),
            odd: false,
        }
    }

    /// The sum of `len` octets that [`folded`](Self::folded) gave.
    pub(crate) const fn from_folded(sum: u16, len: usize) -> Self {
        Self {
            sum,
            odd: len % 2 == 1,
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
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let total = word(src.octets()) + word(dst.octets());
            Sum::of_total(total + word([0, 0, 0, protocol]) + word(len.to_be_bytes()))
        }
        _ => addresses(src, dst)
            .add_u16(u16::from(protocol))
            .add_u32(len),
    }
}

/// Four octets, as they are added up before a sum is folded: in the order of the machine, which does not matter to it.
#[inline(always)]
const fn word(octets: [u8; 4]) -> u64 {
    // Widened.
    u32::from_ne_bytes(octets) as u64
}

/// The sum of the pseudo header without the length, which some offloading hardware adds by itself.
pub fn pseudo_header_without_length(src: IpAddr, dst: IpAddr, protocol: u8) -> Sum {
    addresses(src, dst).add_u16(u16::from(protocol))
}

/// The transport packet over IPv4 is intact whose header is `fixed` and `options`, whole words of 32 bits, and whose payload has this
/// sum and length: as [`pseudo_header`], header and payload joined say, in a few additions.
#[inline(always)] // once for each packet
pub(crate) fn is_right_v4<const N: usize>(
    protocol: u8,
    [src, dst]: [Ipv4Addr; 2],
    fixed: &[u8; N],
    options: &[u8],
    (payload, payload_len): (Sum, usize),
) -> bool {
    let len = u16::try_from(fixed.len() + options.len() + payload_len).unwrap_or(u16::MAX);
    let half = |half: u16| u64::from(half.to_be());
    let word = |word: &[u8; 4]| u64::from(u32::from_ne_bytes(*word));
    // All words together are far less than 2^64.
    let mut total = half(protocol.into()) + half(len) + half(payload.sum);
    total += word(&src.octets()) + word(&dst.octets());
    for octets in fixed.as_chunks().0 {
        total += word(octets);
    }
    for octets in options.as_chunks().0 {
        total += word(octets);
    }
    // All ones, in any width, is zero modulo 2^16 - 1; the protocol is never zero.
    total.is_multiple_of(0xffff)
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
    judged(pseudo.add(data), pseudo, (src, dst, protocol), field)
}

/// Judges the checksum `field` of a transport packet with this sum, in which that of its pseudo header is: from address to address,
/// by protocol.
#[inline]
pub(crate) fn judged(
    sum: Sum,
    pseudo: Sum,
    (src, dst, protocol): (IpAddr, IpAddr, u8),
    field: u16,
) -> Verdict {
    // The sum over everything, field included, is all ones where it is right (RFC 1071, 1).
    if sum.is_right() {
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

/// Octets that are added in one chain of carries, of long payloads and of what is left of them.
// The carry is put away once for each chain. Of 128 octets that is a tenth of the work, of 256 hardly less; headers and short payloads
// are shorter than that.
const LONG: usize = 128;
const SHORT: usize = 64;

/// Adds blocks to a sum of words, and to the number of its carries.
#[inline(always)]
fn add_blocks<const N: usize>(blocks: &[[u8; N]], low: &mut u64, carries: &mut u64) {
    for block in blocks {
        let mut carry = false;
        for word in block.as_chunks::<8>().0 {
            // Compiled to one addition with carry.
            let (sum, over) = low.overflowing_add(u64::from_ne_bytes(*word));
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (*low, carry) = (sum, over | again);
        }
        *carries += u64::from(carry);
    }
}

/// The ones' complement sum of `data` as words in network order, folded to 16 bits; an odd octet at the end counts as
/// the high half of a word.
pub fn sum(data: &[u8]) -> u16 {
    // Wide words: the ones' complement sum is the same in any width, as long as carries come round.
    let mut low = 0u64;
    let mut carries = 0u64;
    let (blocks, tail) = data.as_chunks::<LONG>();
    add_blocks(blocks, &mut low, &mut carries);
    let (blocks, tail) = tail.as_chunks::<SHORT>();
    add_blocks(blocks, &mut low, &mut carries);
    let (words, mut tail) = tail.as_chunks::<8>();
    for word in words {
        let (sum, over) = low.overflowing_add(u64::from_ne_bytes(*word));
        low = sum;
        carries += u64::from(over);
    }
    // 2^64 and 2^32 are 1 modulo 2^16 - 1. There are far fewer carries than 2^32.
    let mut halves = (low >> 32) + (low & 0xffff_ffff) + carries;
    if let Some((word, rest)) = tail.split_first_chunk() {
        halves += u64::from(u32::from_ne_bytes(*word));
        tail = rest;
    }
    if let Some((word, rest)) = tail.split_first_chunk() {
        halves += u64::from(u16::from_ne_bytes(*word));
        tail = rest;
    }
    // An odd octet is filled with a zero, as RFC 1071 says.
    if let [last] = tail {
        halves += u64::from(u16::from_ne_bytes([*last, 0]));
    }
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
        fn a_plain_segment_is_judged_as_any(
            mut words in proptest::collection::vec(any::<[u8; 4]>(), 5..16),
            payload in proptest::collection::vec(any::<u8>(), 0..70),
            ends in any::<[[u8; 4]; 2]>(),
            error in 0_u16..3,
        ) {
            let [src, dst] = ends.map(Ipv4Addr::from);
            let len = words.len() * 4 + payload.len();
            words[4][..2].copy_from_slice(&[0, 0]);
            let whole = |words: &[[u8; 4]]| {
                let pseudo = pseudo_header(src.into(), dst.into(), 6, len);
                pseudo.add(words.as_flattened()).add(&payload)
            };
            let field = whole(&words).finish().wrapping_add(error);
            words[4][..2].copy_from_slice(&field.to_be_bytes());
            let (fixed, options) = words.as_flattened().split_first_chunk::<20>().unwrap();
            let right =
                is_right_v4(6, [src, dst], fixed, options, (Sum::of(&payload), payload.len()));
            prop_assert_eq!(right, whole(&words).is_right());
            prop_assert!(right || error > 0);
        }

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
