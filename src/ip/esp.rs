//! ESP with NULL encryption (RFC 2410, RFC 4543): found by what an encrypted packet would not have by chance.

use crate::base::checksum;
use etherparse::IpNumber;
use std::net::IpAddr;

/// Octets of initialisation vector and of integrity check value that are tried (RFC 5879, 8.3): HMAC-MD5-96 and
/// HMAC-SHA-96, HMAC-SHA-256-128, GMAC, none, HMAC-SHA-384-192, HMAC-SHA-512-256, HMAC of full length.
// Commonest first, as the first that fits is taken. Each shape costs a checksum over the packet,
// and only if its trailer is well formed.
const SHAPES: [(usize, usize); 7] = [(0, 12), (0, 16), (8, 16), (0, 0), (0, 24), (0, 32), (0, 20)];

/// SPI and sequence number.
// Then the initialisation vector, if any (RFC 4303, 2).
const HEADER: usize = 8;

/// The payload of an ESP packet that was not cut and is not encrypted: its protocol, where it begins, and its octets.
///
/// The trailer must be well-formed (RFC 4303, 2.4) and the transport checksum, or the inner header, right.
pub(super) fn null_encrypted(esp: &[u8], src: IpAddr, dst: IpAddr) -> Option<(u8, usize, &[u8])> {
    SHAPES.into_iter().find_map(|(iv, icv)| {
        let body = esp.get(HEADER + iv..esp.len().checked_sub(icv)?)?;
        // Pad length and next header stand at the end, ahead of the check value.
        let (rest, [pad_len, next]) = body.split_last_chunk::<2>()?;
        let (inner, padding) =
            rest.split_at_checked(rest.len().checked_sub(usize::from(*pad_len))?)?;
        let well_formed =
            // Padding counts 1, 2, 3 (RFC 4303, 2.4) and ends on a word of four octets. One
            // encrypted packet in a few hundred still looks like that, so the payload has to fit as
            // well.
            body.len().is_multiple_of(4) && padding.iter().zip(1u8..).all(|(p, n)| *p == n);
        (well_formed && plausible(*next, inner, src, dst)).then_some((*next, HEADER + iv, inner))
    })
}

fn plausible(next: u8, inner: &[u8], src: IpAddr, dst: IpAddr) -> bool {
    let right = || {
        checksum::pseudo_header(src, dst, next, inner.len())
            .add(inner)
            .is_right()
    };
    let be = |i: usize| match inner.get(i..i + 2) {
        Some([a, b]) => usize::from(u16::from_be_bytes([*a, *b])),
        _ => 0,
    };
    match (IpNumber(next), inner.first().map(|b| b >> 4)) {
        (IpNumber::TCP, Some(_)) => inner.len() >= 20 && right(),
        (IpNumber::UDP, Some(_)) => {
            // The length has to match to the octet: UDP without a checksum proves nothing else.
            inner.len() >= 8 && be(4) == inner.len() && (be(6) == 0 || right())
        }
        // The first chunk must lie in the packet; the sum is the transport's own business.
        // SCTP has no pseudo header, and its sum may be left to the card.
        (IpNumber::SCTP, Some(_)) => (4..=inner.len().saturating_sub(12)).contains(&be(14)),
        (IpNumber::IPV4, Some(4)) => inner.len() >= 20 && be(2) == inner.len(),
        (IpNumber::IPV6, Some(6)) => inner.len() >= 40 && be(4) + 40 == inner.len(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_encryption_is_seen_through() {
        let (a, b): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut udp = b"\x13\xc4\x13\xc4\x00\x0d\x00\x00hello".to_vec();
        let sum = checksum::pseudo_header(a, b, 17, udp.len())
            .add(&udp)
            .finish();
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
        for (iv, icv) in SHAPES {
            let mut esp = vec![0x11; 8 + iv];
            esp.extend(&udp);
            esp.extend([1, 1, 17]);
            esp.extend(vec![0xa5; icv]);
            assert_eq!(
                null_encrypted(&esp, a, b),
                Some((17, 8 + iv, udp.as_slice())),
                "{iv} {icv}"
            );
            // One wrong octet of the payload or the padding, and it is taken for encrypted.
            for i in [8 + iv, 8 + iv + udp.len()] {
                let mut wrong = esp.clone();
                wrong[i] ^= 0x40;
                assert_eq!(null_encrypted(&wrong, a, b), None, "{iv} {icv} {i}");
            }
        }
        for n in 0..40 {
            assert_eq!(null_encrypted(&vec![0x5a; n], a, b), None);
        }
    }
}
