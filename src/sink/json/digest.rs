//! The SHA-256 of a message that is still open: plain data, as all that waits.

use crate::sink::text::Hex;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A sum in the making.
#[derive(Clone, Default)]
pub(super) struct Digest(Sha256);

impl Digest {
    pub(super) fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    /// The sum.
    pub(super) fn finish(self) -> Hex<32> {
        Hex(self.0.finalize().into())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

#[cfg(feature = "state")]
mod written_out {
    use super::Digest;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use sha2::Sha256;
    use sha2::digest::common::hazmat::SerializableState;

    impl Serialize for Digest {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            self.0.serialize().as_slice().serialize(to)
        }
    }

    impl<'de> Deserialize<'de> for Digest {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let octets = Vec::<u8>::deserialize(from)?;
            let state = octets.as_slice().try_into().map_err(D::Error::custom)?;
            Sha256::deserialize(&state)
                .map(Self)
                .map_err(|_| D::Error::custom("no state of a SHA-256"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::json_line::json_line;

    #[test]
    fn goes_on_where_it_was_written_out() {
        let mut digest = Digest::default();
        digest.update(b"a");
        let octets = postcard::to_stdvec(&digest).unwrap();
        let mut back: Digest = postcard::from_bytes(&octets).unwrap();
        back.update(b"bc");
        let hex = json_line(&back.finish());
        // FIPS 180-4, the first example.
        assert_eq!(
            hex.trim_matches('"'),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(postcard::from_bytes::<Digest>(&octets[..9]).is_err());
    }
}
