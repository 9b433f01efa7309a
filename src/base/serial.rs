//! Serial numbers: counters of fixed width that wrap (RFC 1982).

use crate::base::state::{Deserialize, Serialize};

macro_rules! serial {
    ($(#[$doc:meta])* $Name:ident, $U:ty, $I:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug, Serialize, Deserialize)]
        pub struct $Name(pub $U);

        impl $Name {
            /// How far `self` is ahead of `other`, negative where it is behind (RFC 1982, 3.2). Exactly half the circle
            /// counts as behind.
            #[allow(clippy::cast_possible_wrap)]
            pub const fn diff(self, other: Self) -> $I {
                self.0.wrapping_sub(other.0) as $I
            }

            /// `self` moved by `count`, modulo the width.
            #[must_use]
            pub const fn add(self, count: $U) -> Self {
                Self(self.0.wrapping_add(count))
            }

            /// `self` moved back by `count`, modulo the width.
            #[must_use]
            pub const fn sub(self, count: $U) -> Self {
                Self(self.0.wrapping_sub(count))
            }

            /// `self` comes before `other`.
            pub const fn before(self, other: Self) -> bool {
                self.diff(other) < 0
            }
        }
    };
}

serial!(
    /// A TCP sequence or acknowledgment number (RFC 9293, 3.4).
    SeqNumber, u32, i32
);
serial!(
    /// An SCTP transmission sequence number (RFC 9260, 3.3.1).
    Tsn, u32, i32
);
serial!(
    /// An SCTP stream sequence number of DATA (RFC 9260, 3.3.1).
    Ssn, u16, i16
);
serial!(
    /// An SCTP message identifier of I-DATA (RFC 8260, 2.1).
    Mid, u32, i32
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_around_the_wrap() {
        // (a, b, a - b)
        for (a, b, d) in [
            (0, 0, 0),
            (1, 0, 1),
            (0, u32::MAX, 1),
            (u32::MAX, 0, -1),
            (0x8000_0000, 0x7fff_ffff, 1),
            (5, 0xffff_fff0, 21),
            (0x7fff_ffff, 0, i32::MAX),
            (0x8000_0000, 0, i32::MIN),
        ] {
            assert_eq!(SeqNumber(a).diff(SeqNumber(b)), d, "{a} - {b}");
        }
        assert!(Ssn(0xffff).before(Ssn(0)));
        assert_eq!(Tsn(u32::MAX).add(2), Tsn(1));
    }
}
