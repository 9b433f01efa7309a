//! Digests that stand for octets.

use crate::base::state::{Deserialize, Serialize};
use highway::{HighwayHasher, Key};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The key of digests that are kept in place of the octets they were made of.
///
/// Where two inputs with one digest are taken for the same, whoever can find two such inputs can have one of them dropped
/// unseen. So the hash is one that resists being aimed at (HighwayHash), and its key is drawn anew for each run. It is part
/// of the state, so that digests still hold when a state is read back.
// SipHash-1-3 resists as well, and takes five times as long for a large datagram: a third of all that was done for it.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct DigestKey([u64; 4]);

impl Default for DigestKey {
    /// A key that nobody knows: the standard library's hashers are keyed with random numbers of the system.
    fn default() -> Self {
        let draw = |_| RandomState::new().build_hasher().finish();
        Self(std::array::from_fn(draw))
    }
}

impl DigestKey {
    /// A hasher with this key.
    pub fn hasher(&self) -> impl Hasher + use<> {
        HighwayHasher::new(Key(self.0))
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey")
    }
}

/// Words of a payload that a [`SampleKey`] looks at. Twelve cost 8% of all that is done for a large segment (a digest of every
/// octet twice that), four cost less than 3%.
const SAMPLES: usize = 4;

/// The key of digests that look at a part of the octets only: all of a short payload, and of a longer one words at places
/// that nobody knows.
///
/// They stand beside a plain sum of all octets, which finds what differs by chance. A sender who makes a forged copy with the
/// same plain sum does not know where else it is looked at.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct SampleKey {
    /// Where a word is taken: parts of 2^32 of the payload.
    places: [u32; SAMPLES],
    masks: [u64; SAMPLES],
}

impl Default for SampleKey {
    fn default() -> Self {
        let draw = || RandomState::new().build_hasher().finish();
        Self {
            // The upper half of a number of 64 bits.
            places: std::array::from_fn(|_| u32::try_from(draw() >> 32).unwrap_or(0)),
            masks: std::array::from_fn(|_| draw()),
        }
    }
}

impl SampleKey {
    /// Payloads of up to so many octets are looked at as a whole.
    pub(crate) const WHOLE: usize = SAMPLES * 8;

    /// Digest of a sample of these octets.
    #[inline]
    pub(crate) fn digest(&self, octets: &[u8]) -> u32 {
        let len = octets.len();
        let mut words = [0; SAMPLES];
        if len <= Self::WHOLE {
            let mut padded = [0; Self::WHOLE];
            padded[..len].copy_from_slice(octets);
            for (word, octets) in words.iter_mut().zip(padded.as_chunks().0) {
                *word = u64::from_le_bytes(*octets);
            }
        } else {
            let room = (len - 8) as u64;
            for (word, place) in words.iter_mut().zip(&self.places) {
                // Below `room`, so that a word from there on is within the octets.
                let at = usize::try_from((u64::from(*place) * room) >> 32).unwrap_or(0);
                let octets = octets.get(at..at + 8).and_then(<[u8]>::first_chunk);
                *word = octets.copied().map_or(0, u64::from_le_bytes);
            }
        }
        let [a, b, c, d] = words;
        let [ka, kb, kc, kd] = self.masks;
        let digest = fold(a ^ ka, b ^ kb) ^ fold(c ^ kc, d ^ kd ^ len as u64);
        #[allow(clippy::cast_possible_truncation)] // half of it is enough
        let half = (digest >> 16) as u32;
        half
    }
}

/// Both halves of a product, so that each bit of it depends on all bits of both factors.
#[inline(always)]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    #[allow(clippy::cast_possible_truncation)] // the lower half is meant
    let low = product as u64;
    low ^ (product >> 64) as u64
}

impl fmt::Debug for SampleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SampleKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_sees_what_is_short_or_differs_in_much() {
        let key = SampleKey::default();
        assert_eq!(format!("{key:?}"), "SampleKey");
        for len in [0, 1, 7, 8, 9, SampleKey::WHOLE] {
            let octets = vec![7; len];
            assert_eq!(key.digest(&octets), key.digest(&octets.clone()));
            assert_ne!(key.digest(&octets), key.digest(&vec![7; len + 1]), "{len}");
            for at in 0..len {
                let mut other = octets.clone();
                other[at] ^= 0x80;
                assert_ne!(key.digest(&octets), key.digest(&other), "{len}, {at}");
            }
        }
        for len in [33, 97, 104, 1448, 65_483] {
            assert_ne!(
                key.digest(&vec![1; len]),
                key.digest(&vec![2; len]),
                "{len}"
            );
        }
    }

    #[test]
    fn each_key_is_its_own_and_lasts() {
        let digest = |key: &DigestKey| {
            let mut hasher = key.hasher();
            hasher.write(b"octets");
            hasher.finish()
        };
        let key = DigestKey::default();
        assert_ne!(digest(&key), digest(&DigestKey::default()));
        let stored = postcard::to_allocvec(&key).unwrap();
        let read: DigestKey = postcard::from_bytes(&stored).unwrap();
        assert_eq!(digest(&key), digest(&read));
        // It is no part of what a program prints of itself.
        assert_eq!(format!("{key:?}"), "DigestKey");
    }
}
