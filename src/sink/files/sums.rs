//! Sums of files, which grow with them.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A sum that is taken where it is asked for. SHA-256 always is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SumKind {
    /// MD5 (RFC 1321): for lists that know files by it, not against somebody who makes two files of one sum.
    Md5,
    /// SHA-1 (FIPS 180-4), of which the same has to be said.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

/// Sums of the octets until now.
pub(super) struct RunningSums {
    sha256: Sha256,
    sha1: Option<Sha1>,
    md5: Option<Md5>,
}

/// The sums of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileSums {
    pub(super) sha256: [u8; 32],
    pub(super) sha1: Option<[u8; 20]>,
    pub(super) md5: Option<[u8; 16]>,
}

impl RunningSums {
    /// Of no octets.
    pub(super) fn new(kinds: &[SumKind]) -> Self {
        Self {
            sha256: Sha256::new(),
            sha1: kinds.contains(&SumKind::Sha1).then(Sha1::new),
            md5: kinds.contains(&SumKind::Md5).then(Md5::new),
        }
    }

    pub(super) fn update(&mut self, octets: &[u8]) {
        self.sha256.update(octets);
        if let Some(sum) = &mut self.sha1 {
            sum.update(octets);
        }
        if let Some(sum) = &mut self.md5 {
            sum.update(octets);
        }
    }

    pub(super) fn finish(self) -> FileSums {
        FileSums {
            sha256: self.sha256.finalize().into(),
            sha1: self.sha1.map(|sum| sum.finalize().into()),
            md5: self.md5.map(|sum| sum.finalize().into()),
        }
    }

    /// Of all octets of a file that is in memory.
    pub(super) fn of(kinds: &[SumKind], octets: &[u8]) -> FileSums {
        let mut sums = Self::new(kinds);
        sums.update(octets);
        sums.finish()
    }
}
