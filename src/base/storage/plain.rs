//! What stands where state cannot be written out (without the feature `state`): nothing is packed, and all keeps its size.

/// Packs nothing.
#[derive(Debug, Default)]
pub(crate) struct Packer {}

impl Packer {
    /// None: there is nothing that could read it back.
    pub(crate) fn pack<T>(&mut self, _: &T, _: u64, _: usize) -> Option<(&[u8], &[u8])> {
        None
    }
}

/// None, as nothing was packed.
pub(crate) fn unpack<T>(_: &[u8], _: &[u8], _: u64) -> Option<T> {
    None
}
