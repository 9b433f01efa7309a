//! IPv4 and IPv6 headers and extension headers: where the payload begins, how long it is, whether it is a fragment.

use super::esp;
use crate::base::checksum;
use crate::base::limits::Checksums;
use crate::link::Frame;
use etherparse::IpNumber;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a packet ends at its headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// Cut inside the headers.
    Truncated,
    /// An impossible header.
    BadHeader,
    /// The header checksum is wrong.
    BadChecksum,
    /// ESP that is encrypted, or cannot be seen through.
    Encrypted,
}

/// What the fragment header says, or that of IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FragmentHeader {
    /// Offset of the payload in the datagram's, in octets.
    pub(super) offset: u32,
    /// More fragments follow (M flag).
    pub(super) more: bool,
}

impl FragmentHeader {
    /// The whole datagram.
    pub(super) const fn is_whole(self) -> bool {
        self.offset == 0 && !self.more
    }
}

/// A packet whose headers have been read, up to the transport header or the fragment header.
#[derive(Clone, Copy, Debug)]
pub(super) struct IpHeaders<'a> {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) identification: u32,
    /// What `payload` is; for an IPv6 fragment what its first octet would be.
    pub(super) protocol: u8,
    pub(super) payload: &'a [u8],
    /// Where `payload` begins, counted from the first octet of the headers.
    pub(super) payload_offset: usize,
    pub(super) payload_len: usize,
    /// Octets of headers that the payload length field of a reassembled packet counts too.
    pub(super) counted: u32,
    pub(super) fragment: Option<FragmentHeader>,
    /// Octets of the packet.
    pub(super) octets: usize,
    /// The header checksum is wrong and was taken all the same.
    pub(super) bad_checksum: bool,
}

impl IpHeaders<'_> {
    /// Those that all fragments of a datagram have, for what was put together of them.
    pub(super) const fn of_whole(src: IpAddr, dst: IpAddr, identification: u32) -> Self {
        Self {
            src,
            dst,
            identification,
            protocol: 0,
            payload: &[],
            payload_offset: 0,
            payload_len: 0,
            counted: 0,
            fragment: None,
            octets: 0,
            bad_checksum: false,
        }
    }

    /// They cannot be right: see [`Datagram::doubtful`](super::datagram::Datagram::doubtful).
    pub(super) const fn is_doubtful(&self, frame: &Frame<'_>) -> bool {
        frame.doubtful || self.bad_checksum || self.has_false_len(frame)
    }

    /// Their length goes past the packet, and not because that was cut, or that of a packet around it does.
    pub(super) const fn has_false_len(&self, frame: &Frame<'_>) -> bool {
        let cut = self.payload.len() < self.payload_len;
        cut && (frame.doubtful || self.payload.len() + frame.missing < self.payload_len)
    }
}

/// Reads an IPv4 header (RFC 791, 3.1). `missing` octets were cut off the end of `data`.
pub(super) fn v4(data: &[u8], missing: usize, sums: Checksums) -> Result<IpHeaders<'_>, Refused> {
    // Only the fixed part is asked for: addresses and protocol are there even where options were
    // cut off.
    let fixed: &[u8; 20] = data.first_chunk().ok_or(Refused::Truncated)?;
    let header_len = usize::from(fixed[0] & 0x0f) * 4;
    if fixed[0] >> 4 != 4 || header_len < 20 {
        return Err(Refused::BadHeader);
    }
    let (header, rest) = data
        .split_at_checked(header_len)
        .ok_or(Refused::Truncated)?;
    let be = |i: usize| u16::from_be_bytes([fixed[i], fixed[i + 1]]);
    let total = usize::from(be(2));
    // Total length 0: left to segmentation offloading; the datagram is what there is.
    // With offload the card cuts the packet into segments behind the capture, and writes the
    // lengths then.
    let payload_len = match total {
        0 => rest.len() + missing,
        _ => total.checked_sub(header_len).ok_or(Refused::BadHeader)?,
    };
    let mut bad_checksum = false;
    // Over the whole header, options included.
    if sums != Checksums::Ignore && !is_right(fixed, header) {
        if sums == Checksums::Verify {
            return Err(Refused::BadChecksum);
        }
        // Zero: left to the hardware.
        bad_checksum = be(10) != 0;
    }
    let flags = be(6);
    let fragment = FragmentHeader {
        offset: u32::from(flags & 0x1fff) * 8,
        more: flags & 0x2000 != 0,
    };
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *fixed;
    let mut headers = IpHeaders {
        src: Ipv4Addr::new(s0, s1, s2, s3).into(),
        dst: Ipv4Addr::new(d0, d1, d2, d3).into(),
        identification: u32::from(be(4)),
        protocol: fixed[9],
        // Ethernet pads short packets to 60 octets; the total length ends the datagram.
        payload: rest.get(..payload_len).unwrap_or(rest),
        payload_offset: header_len,
        payload_len,
        counted: u32::from(fixed[0] & 0x0f) * 4,
        fragment: None,
        octets: header_len.saturating_add(payload_len),
        bad_checksum,
    };
    // AH and ESP inside of a fragment cannot be read before the whole is there.
    if !fragment.is_whole() {
        headers.fragment = Some(fragment);
    } else if matches!(
        IpNumber(headers.protocol),
        IpNumber::AUTHENTICATION_HEADER | IpNumber::ENCAPSULATING_SECURITY_PAYLOAD
    ) {
        chain(&mut headers)?;
    }
    Ok(headers)
}

/// The datagram in a packet without options that is no fragment and has a right checksum, as most are; what it
/// carries, its addresses, identification and payload, and how long that is.
///
/// None where [`v4`] has to look closer.
#[inline(always)] // on every packet's way
pub(super) fn plain_v4(data: &[u8], sums: Checksums) -> Option<PlainV4<'_>> {
    let (fixed, rest) = data.split_first_chunk::<20>()?;
    // A header is five words of 32 bits: each is loaded once.
    let mut words = fixed
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_be_bytes(*word));
    let mut next = || words.next().unwrap_or_default();
    let (first, fragment, third, src, dst) = (next(), next(), next(), next(), next());
    // Version 4, five words. Don't Fragment alone may be set.
    // A length or a sum that is odd is left to `v4`, which knows the reasons. Here only certainty
    // counts.
    if first >> 24 != 0x45
        || fragment & 0xbfff != 0
        || (sums != Checksums::Ignore && !is_right(fixed, fixed))
    {
        return None;
    }
    let payload_len = ((first & 0xffff) as usize).checked_sub(fixed.len())?;
    let [i0, i1, ..] = fragment.to_be_bytes();
    let [_, protocol, ..] = third.to_be_bytes();
    Some(PlainV4 {
        src: Ipv4Addr::from_bits(src),
        dst: Ipv4Addr::from_bits(dst),
        identification: u16::from_be_bytes([i0, i1]),
        protocol,
        payload: rest.get(..payload_len).unwrap_or(rest),
        payload_len,
    })
}

/// What [`plain_v4`] gives.
pub(crate) struct PlainV4<'a> {
    pub(super) src: Ipv4Addr,
    pub(super) dst: Ipv4Addr,
    pub(super) identification: u16,
    pub(super) protocol: u8,
    pub(super) payload: &'a [u8],
    pub(super) payload_len: usize,
}

/// The header checksum is right.
#[inline]
fn is_right(fixed: &[u8; 20], header: &[u8]) -> bool {
    // The sum over the common header without options is unrolled: it is paid for by every packet.
    if header.len() > fixed.len() {
        return checksum::Sum::of(header).is_right();
    }
    // Nearly every header: five words, which need no loop.
    let sum: u64 = fixed
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u64::from(u32::from_ne_bytes(*word)))
        .sum();
    // All ones, in any width, is zero modulo 2^16 - 1; a header is never all zeros.
    sum.is_multiple_of(0xffff)
}

/// Reads an IPv6 header and its extension headers up to the transport header or a fragment header that does not hold
/// the whole datagram (RFC 8200, 3 and 4). `missing` octets were cut off the end of `data`.
pub(super) fn v6(data: &[u8], missing: usize) -> Result<IpHeaders<'_>, Refused> {
    let (fixed, rest) = data.split_first_chunk::<40>().ok_or(Refused::Truncated)?;
    if fixed[0] >> 4 != 6 {
        return Err(Refused::BadHeader);
    }
    let protocol = fixed[6];
    let mut payload_len = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    if payload_len == 0 {
        // A jumbo payload option says how long it is (RFC 2675); without one, segmentation offloading left it out.
        payload_len = match jumbo(protocol, rest) {
            Some(len) => len,
            None => rest.len() + missing,
        };
    }
    let mut src = [0; 16];
    let mut dst = [0; 16];
    src.copy_from_slice(&fixed[8..24]);
    dst.copy_from_slice(&fixed[24..40]);
    // The payload length counts extension headers (RFC 8200, 3), so `counted` grows with them in
    // `chain`.
    let mut headers = IpHeaders {
        src: Ipv6Addr::from(src).into(),
        dst: Ipv6Addr::from(dst).into(),
        identification: 0,
        protocol,
        // As for IPv4, what lies behind the payload length is padding.
        payload: rest.get(..payload_len).unwrap_or(rest),
        payload_offset: fixed.len(),
        payload_len,
        counted: 0,
        fragment: None,
        octets: payload_len.saturating_add(fixed.len()),
        bad_checksum: false,
    };
    if is_extension(protocol) {
        chain(&mut headers)?;
    }
    Ok(headers)
}

/// The length in the jumbo payload option, where the hop-by-hop header begins with one (RFC 2675, 2).
fn jumbo(next: u8, rest: &[u8]) -> Option<usize> {
    if next != IpNumber::IPV6_HEADER_HOP_BY_HOP.0 {
        return None;
    }
    let len = 8 * (usize::from(*rest.get(1)?) + 1);
    let mut options = rest.get(2..len)?;
    // Pad1 is the only option without a length (RFC 8200, 4.2).
    loop {
        match *options {
            [0, ref rest @ ..] => options = rest,
            // The option must say more than 65,535 to be valid; a smaller one is taken all the
            // same, as nothing else tells the length.
            [0xc2, 4, a, b, c, d, ..] => {
                return usize::try_from(u32::from_be_bytes([a, b, c, d])).ok();
            }
            [_, n, ref rest @ ..] => options = rest.get(usize::from(n)..)?,
            _ => return None,
        }
    }
}

const fn is_extension(next: u8) -> bool {
    matches!(
        IpNumber(next),
        IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_FRAGMENTATION_HEADER
            | IpNumber::AUTHENTICATION_HEADER
            | IpNumber::ENCAPSULATING_SECURITY_PAYLOAD
            | IpNumber::IPV6_DESTINATION_OPTIONS
    )
}

/// Passes over the extension headers at the start of the payload. Each is 8 octets or longer.
pub(super) fn chain(h: &mut IpHeaders<'_>) -> Result<(), Refused> {
    while is_extension(h.protocol) {
        if h.protocol == IpNumber::ENCAPSULATING_SECURITY_PAYLOAD.0 {
            // The trailer stands at the very end. Without it, nothing can be read.
            if h.payload.len() < h.payload_len {
                return Err(Refused::Encrypted);
            }
            let begin;
            (h.protocol, begin, h.payload) =
                esp::null_encrypted(h.payload, h.src, h.dst).ok_or(Refused::Encrypted)?;
            h.payload_offset += begin;
            h.payload_len = h.payload.len();
            return Ok(());
        }
        let first: &[u8; 8] = h.payload.first_chunk().ok_or(Refused::Truncated)?;
        let len = match IpNumber(h.protocol) {
            IpNumber::IPV6_FRAGMENTATION_HEADER => 8,
            // RFC 4302, 2.2: in words of four octets, less two.
            IpNumber::AUTHENTICATION_HEADER => 4 * (usize::from(first[1]) + 2),
            _ => 8 * (usize::from(first[1]) + 1),
        };
        // A header that is longer than the payload is impossible; one that was only cut is not.
        let rest_len = h.payload_len.checked_sub(len).ok_or(Refused::BadHeader)?;
        let (header, rest) = h.payload.split_at_checked(len).ok_or(Refused::Truncated)?;
        let current = h.protocol;
        h.protocol = first[0];
        h.payload = rest;
        h.payload_offset += len;
        h.payload_len = rest_len;
        // Each turn takes at least eight octets, so a chain of headers ends with the packet.
        match IpNumber(current) {
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let [_, _, a, b, id @ ..] = *first;
                let field = u16::from_be_bytes([a, b]);
                let fragment = FragmentHeader {
                    offset: u32::from(field & 0xfff8),
                    more: field & 1 != 0,
                };
                if h.fragment.is_some() {
                    // A fragment inside of what was put together from fragments.
                    return Err(Refused::BadHeader);
                }
                h.identification = u32::from_be_bytes(id);
                h.fragment = Some(fragment);
                // Behind a fragment header only the whole datagram can be read on.
                if !fragment.is_whole() {
                    return Ok(());
                }
            }
            IpNumber::IPV6_ROUTE_HEADER => {
                if let Some(dst) = final_destination(header) {
                    h.dst = dst.into();
                }
            }
            _ => {}
        }
        // Headers ahead of the fragment header stand in every fragment and count once (RFC 8200,
        // 4.5).
        if h.fragment.is_none() {
            h.counted = h
                .counted
                .saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        }
    }
    Ok(())
}

/// Where a routing header still sends the packet; the transport checksum is over that address (RFC 8200, 8.1).
fn final_destination(header: &[u8]) -> Option<Ipv6Addr> {
    let (fixed, addresses) = header.split_first_chunk::<8>()?;
    let [_, _, kind, left, ..] = *fixed;
    if left == 0 {
        return None;
    }
    let addresses = addresses.as_chunks::<16>().0;
    match kind {
        // RFC 5095, RFC 6275: in order of travel.
        0 | 2 => addresses.last(),
        // RFC 8754: in reverse order.
        4 => addresses.first(),
        _ => None,
    }
    .map(|a| Ipv6Addr::from(*a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The short cut gives what the long way gives.
        #[test]
        fn plain_headers_are_read_alike(
            header: [u8; 20],
            flags in prop_oneof![Just(0u8), Just(0x40), any::<u8>()],
            total in 0u16..60,
            payload in proptest::collection::vec(any::<u8>(), 0..40),
            right: bool,
        ) {
            let mut data = header.to_vec();
            data[0] = 0x45;
            data[2..4].copy_from_slice(&total.to_be_bytes());
            data[9] = IpNumber::UDP.0;
            data[6..8].copy_from_slice(&[flags, 0]);
            if right {
                data[10..12].fill(0);
                let sum = checksum::Sum::of(&data).finish();
                data[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            data.extend(&payload);
            let long = v4(&data, 0, Checksums::Verify);
            match (plain_v4(&data, Checksums::Verify), &long) {
                (Some(plain), Ok(long)) => {
                    prop_assert!(long.fragment.is_none());
                    prop_assert_eq!(IpAddr::from(plain.src), long.src);
                    prop_assert_eq!(IpAddr::from(plain.dst), long.dst);
                    prop_assert_eq!(u32::from(plain.identification), long.identification);
                    prop_assert_eq!(plain.protocol, long.protocol);
                    prop_assert_eq!(plain.payload, long.payload);
                    prop_assert_eq!(plain.payload_len, long.payload_len);
                }
                (Some(_), Err(_)) => prop_assert!(false),
                (None, Ok(long)) => prop_assert!(long.fragment.is_some() || total == 0 || flags & 0x80 != 0),
                (None, Err(_)) => {}
            }
        }
    }
}
