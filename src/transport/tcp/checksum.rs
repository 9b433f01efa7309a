//! What the checksum of a segment says.

use crate::base::checksum::{self, Sum};
use crate::base::context::Context;
use crate::base::limits::Checksums;
use crate::ip::Datagram;
use etherparse::IpNumber;

/// What the checksum of a segment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SegmentSum {
    /// Right.
    Right,
    /// Wrong.
    Wrong,
    /// Not filled in, not to be looked at, or over octets that the snapshot length cut off.
    Unknown,
}

/// Looks at the checksum of the segment in a datagram whose header has `header` octets; gives the sum of its payload too where it
/// is not wrong, so that the packet that is written for it need not read the payload again.
#[inline(always)] // on the way of every segment
pub(super) fn sum_of(cx: &Context, ip: &Datagram<'_>, header: usize) -> (SegmentSum, Option<Sum>) {
    let how = cx.limits.tcp_checksums;
    // A sum over octets that were not captured cannot be computed. Where the capture itself vouches
    // for the packet, reading every octet again would only cost time.
    if how == Checksums::Ignore || ip.checksum_known_good || ip.is_cut() {
        return (SegmentSum::Unknown, None);
    }
    let Some((head, payload)) = ip.payload.split_at_checked(header) else {
        return (SegmentSum::Unknown, None);
    };
    let payload = Sum::of(payload);
    let pseudo = checksum::pseudo_header(ip.src, ip.dst, IpNumber::TCP.0, ip.payload.len());
    if pseudo
        .combine(Sum::of_words(head))
        .combine(payload)
        .is_right()
    {
        return (SegmentSum::Right, Some(payload));
    }
    let sum = unusual(how, ip);
    (sum, (sum == SegmentSum::Unknown).then_some(payload))
}

/// A sum that is not right.
#[cold]
fn unusual(how: Checksums, ip: &Datagram<'_>) -> SegmentSum {
    let Some((header, _)) = ip.payload.split_first_chunk::<18>() else {
        return SegmentSum::Unknown;
    };
    let field = u16::from_be_bytes([header[16], header[17]]);
    match checksum::classify(ip.src, ip.dst, IpNumber::TCP.0, ip.payload, field) {
        checksum::Verdict::Right => SegmentSum::Right,
        // A sending host captures its own packets before the card fills the checksum in: only the
        // sum over the pseudo header stands there. That is no damage unless the user asked for
        // strictness.
        checksum::Verdict::Offloaded if how == Checksums::Auto => SegmentSum::Unknown,
        checksum::Verdict::Offloaded | checksum::Verdict::Wrong => SegmentSum::Wrong,
    }
}
