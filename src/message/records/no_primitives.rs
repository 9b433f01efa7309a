//! Without the feature `decrypt` there are no primitives, and no record is opened.

use super::suite::{Cipher, Mac, Prf};

/// No cipher.
pub(super) enum Opener {}

impl Opener {
    pub(super) const fn new(_: Cipher, _: &[u8]) -> Option<Self> {
        None
    }

    pub(super) const fn spoils(&self) -> bool {
        match *self {}
    }

    pub(super) const fn open(&self, _: &[u8; 12], _: &[u8], _: &mut [u8], _: &[u8]) -> Option<()> {
        match *self {}
    }
}

pub(super) const fn decrypt_blocks(_: Cipher, _: &[u8], _: &[u8], _: &mut [u8]) -> Option<()> {
    None
}

/// Nothing is looked up by it.
pub(super) const fn digest(_: &[u8]) -> [u8; 32] {
    [0; 32]
}

pub(super) const fn verify(_: Mac, _: &[u8], _: &[&[u8]], _: &[u8]) -> Option<()> {
    None
}

pub(super) const fn expand(_: Prf, _: &[u8], _: &[&[u8]], _: &mut [u8]) -> Option<()> {
    None
}

pub(super) const fn pseudorandom(_: Prf, _: &[u8], _: &[&[u8]], _: &mut [u8]) -> Option<()> {
    None
}

pub(super) const fn pseudorandom_before_12(_: &[u8], _: &[&[u8]], _: &mut [u8]) -> Option<()> {
    None
}
