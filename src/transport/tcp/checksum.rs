//! What the checksum of a segment says.

use crate::base::checksum;
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

/// Looks at the checksum of the segment in a datagram.
#[inline] // on the way of every segment
pub(super) fn sum_of(cx: &Context, ip: &Datagram<'_>) -> SegmentSum {
    let how = cx.limits.tcp_checksums;
    let Some((header, _)) = ip.payload.split_first_chunk::<18>() else {
        return SegmentSum::Unknown;
    };
    // A sum over octets that were not captured cannot be computed. Where the capture itself vouches
    // for the packet, reading every octet again would only cost time.
    if how == Checksums::Ignore || ip.checksum_known_good || ip.is_cut() {
        return SegmentSum::Unknown;
    }
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
