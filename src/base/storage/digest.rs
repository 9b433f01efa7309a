//! Digests that stand for octets.

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The key of digests that are kept in place of the octets they were made of.
///
/// Where two inputs with one digest are taken for the same, whoever can find two such inputs can have one of them dropped
/// unseen. So the hash is one that resists being aimed at (SipHash-1-3), and its key is drawn anew for each run. It is part
/// of the state, so that digests still hold when a state is read back.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct DigestKey(u64, u64);

impl Default for DigestKey {
    /// A key that nobody knows: the standard library's hashers are keyed with random numbers of the system.
    fn default() -> Self {
        let draw = || RandomState::new().build_hasher().finish();
        Self(draw(), draw())
    }
}

impl DigestKey {
    /// A hasher with this key.
    pub fn hasher(&self) -> impl Hasher + use<> {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
