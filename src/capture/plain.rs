//! Captures without decompression: the reader calls compressed ones by their name, and refuses them.

use std::io::{self, Read};

/// An input as it is; stands in the place of what decompresses.
pub(super) struct Plain<R>(R);

impl<R: Read> Plain<R> {
    pub(super) const fn new(input: R) -> Self {
        Self(input)
    }

    /// Nothing is decompressed.
    #[allow(clippy::unused_self)] // as the method in whose place it stands
    pub(super) const fn is_plain(&self) -> bool {
        true
    }

    /// Nothing is decompressed.
    #[allow(clippy::unused_self)] // as the method in whose place it stands
    pub(super) const fn ahead(&mut self) {}

    /// Nothing is decompressed.
    #[allow(clippy::unused_self)] // as the method in whose place it stands
    pub(super) fn begin_again(&mut self, _: Vec<u8>) -> bool {
        false
    }

    /// What the input is compressed with.
    #[allow(clippy::unused_self)] // as the method in whose place it stands
    pub(super) const fn format(&self) -> Option<&'static str> {
        None
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}
