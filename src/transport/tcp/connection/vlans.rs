//! The VLANs of a connection.

/// VLANs that are remembered of a connection, beside those of its first packets: mirrors tag each direction, or each
/// port of a switch, with one of their own.
// Six make twelve numbers of 16 bits, one allocation of a small block. With more tags than that,
// only the choice among several connections on the same ports gets less sure.
pub(super) const VLANS: usize = 6;
/// Outer and inner VLANs, in order of first sight; those behind the last one are the last one again.
pub(super) type Vlans = [[u16; 2]; VLANS];
