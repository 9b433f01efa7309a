//! What a protocol whose messages have a length says of octets.

use crate::base::message::Kind;
use std::ops::Range;

/// Headers that must follow each other before a weak one is believed in the middle of a stream. Two fit by chance in a few
/// megabytes of any octets where a header is checked by little more than a byte; three hardly do.
pub(super) const CHAIN: usize = 3;

/// What octets are that should be the header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Classified {
    /// The header of a message of so many octets, itself included; at least one.
    Message(u64),
    /// They are too few to tell.
    More,
    /// No header.
    No,
}

impl Classified {
    /// A message of so many octets, if that can be.
    pub(super) const fn sized(len: u64, believed: bool) -> Self {
        // A length that would pass the end of all offsets is none.
        // Offsets have 64 bits; a message that reaches past all of them cannot be written, and
        // adding up would overflow.
        if believed && len > 0 && len < 1 << 62 {
            Self::Message(len)
        } else {
            Self::No
        }
    }
}

/// Where octets stand that follow from a length, and which of them differs most from message to message.
pub(super) type Told = (Range<usize>, usize);

/// How messages with a length are distinguished from other octets.
pub(super) trait LengthFormat {
    /// How a header is looked for.
    fn scan(&self) -> Scan<'_>;
    /// What `octets` are. Looks at a bounded number of them.
    fn classify(&self, octets: &[u8]) -> Classified;
    /// Whether the second of two messages may follow the first.
    fn follows(&self, first: &[u8], second: &[u8]) -> bool {
        let _ = (first, second);
        true
    }
    /// Request, response or neither. `ports` are those of its source and its destination.
    fn kind(&self, octets: &[u8], ports: (u16, u16)) -> Kind {
        let _ = (octets, ports);
        Kind::Other
    }
    /// Behind this message the connection speaks another protocol.
    fn switches_protocol(&self, message: &[u8]) -> bool {
        let _ = message;
        false
    }
    /// Headers that must follow each other before one is believed in the middle; 1: it needs no other.
    fn chain(&self) -> usize;
    /// A whole message that is hardly chance.
    fn distinctive(&self, message: &[u8]) -> bool {
        let _ = message;
        false
    }
    /// Messages that must stand before the end of a segment for a shorter chain to be believed.
    fn min_chain(&self) -> usize {
        1
    }
    /// How often the second of two headers that are chance may follow the first.
    fn link(&self) -> f64 {
        1.0
    }
    /// How often octets that look like a message by chance have such content as this one.
    fn doubt(&self, message: &[u8]) -> f64 {
        let _ = message;
        1.0
    }
    /// What is there of a message does not speak against it, where it is looked for.
    fn is_sound(&self, octets: &[u8]) -> bool {
        let _ = octets;
        true
    }
    /// What the length of a message is at least whose header is cut.
    fn least(&self, octets: &[u8]) -> u64 {
        let _ = octets;
        0
    }
    /// Which sort a message is of: one that is not what most of the connection are proves little.
    fn sort(&self, octets: &[u8]) -> u8 {
        let _ = octets;
        0
    }
    /// Place of the octet of a header that numbers messages, one by one.
    fn serial(&self) -> Option<usize> {
        None
    }
    /// The octets of a header that follow from the length of its message.
    fn told(&self, header: &[u8]) -> Option<Told> {
        let _ = header;
        None
    }
    /// The header is believed where a segment begins with it whose rest is missing.
    fn is_sure(&self, header: &[u8]) -> bool {
        let _ = header;
        false
    }
    /// Octets that there must be before it is worth judging these again, which were too few.
    fn wants(&self, octets: &[u8]) -> usize {
        octets.len() + 1
    }
}

/// How the headers of a format are looked for among other octets. Judging each place costs a hundred times what a search for a
/// few fixed octets does, and in a stream of no known protocol all formats are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scan<'a> {
    /// No header is believed where one is looked for.
    Never,
    /// Every place is judged.
    Everywhere,
    /// Every header has these octets at this place.
    Octets(usize, &'a [u8]),
    /// The first place where a header may begin, by a function that reads so many octets from it.
    By(usize, fn(&[u8]) -> Option<usize>),
}

impl Scan<'_> {
    /// Octets of a header by which it is found.
    pub(super) const fn reach(self) -> usize {
        match self {
            Self::Never | Self::Everywhere => 0,
            Self::Octets(at, octets) => at + octets.len(),
            Self::By(reach, _) => reach,
        }
    }
}

/// The first place where `octets`, in windows of `N`, may begin a header.
pub(super) fn window<const N: usize>(
    octets: &[u8],
    may: impl Fn(&[u8; N]) -> bool,
) -> Option<usize> {
    let mut windows = octets.windows(N);
    windows.position(|o| o.first_chunk().is_some_and(&may))
}
