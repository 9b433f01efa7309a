//! A detector that a user of the library brings: one function that looks at octets.

use super::framing::{Begin, Following, Found, Framer, MessageBody, Position};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::protocol::NO_PROTOCOL;
use serde::{Deserialize, Serialize};

/// What stands at octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A message of this protocol begins with the first of them.
    Message {
        /// Request, response or neither.
        kind: Kind,
        /// Octets that it has, at least one, which need not all be there: a message of any length streams through.
        len: u64,
    },
    /// More octets are needed to tell. Where none will come ([`Following`]), or there are as many as
    /// [`Limits::header`](crate::base::limits::Limits::header), it counts as a refusal.
    More,
    /// No message of this protocol begins here. Behind a gap, and where a message did not end as it should, one octet
    /// is passed over and the next are looked at.
    Refuse,
}

/// A protocol of one's own: its name, and the function that recognises a message and says how long it is.
///
/// What follows the octets is told with them: at the end of a stream, or before a gap, they are all that there will be,
/// and what the function does with them is its last word. Gaps themselves go to the sink.
///
/// ```
/// use inet_asm::message::custom::{Verdict, CustomDetector};
/// use inet_asm::base::message::Kind;
///
/// /// `#` and two digits of length, then so many octets.
/// const NOTES: CustomDetector = CustomDetector {
///     name: "notes",
///     look: |octets, _next| match octets {
///         [b'#', a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => Verdict::Message {
///             kind: Kind::Other,
///             len: 3 + u64::from(a - b'0') * 10 + u64::from(b - b'0'),
///         },
///         [b'#'] | [b'#', b'0'..=b'9'] => Verdict::More,
///         _ => Verdict::Refuse,
///     },
/// };
/// let message = Verdict::Message { kind: Kind::Other, len: 8 };
/// assert_eq!((NOTES.look)(b"#05hello", inet_asm::message::framing::Following::End), message);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CustomDetector {
    /// How the protocol is called in what the sink is told.
    pub name: &'static str,
    /// Looks at octets that stand where a message may begin; what follows them.
    pub look: fn(&[u8], Following) -> Verdict,
}

impl CustomDetector {
    /// Where the first message begins.
    pub(super) fn search(&self, octets: &[u8], next: Following, limit: usize) -> Found {
        for at in 0..octets.len() {
            let rest = octets.get(at..).unwrap_or_default();
            match (self.look)(rest, next) {
                Verdict::Message { len, .. } if len > 0 => return Found::At(at),
                Verdict::More if next == Following::Octets && rest.len() < limit => {
                    return Found::Nowhere { keep: at };
                }
                _ => {}
            }
        }
        Found::Nowhere { keep: octets.len() }
    }
}

/// Frames the connections of one's own protocol. A function cannot be written out: what is kept is its place among the
/// detectors, which are the same when a state is read back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CustomFramer {
    place: usize,
    #[serde(skip)]
    detector: Option<CustomDetector>,
}

impl CustomFramer {
    /// A framer for the detector at this place.
    pub(super) const fn new(place: usize, detector: CustomDetector) -> Self {
        Self {
            place,
            detector: Some(detector),
        }
    }

    /// The function again, where the framer was read back.
    pub(super) fn attach(&mut self, all: &[CustomDetector]) {
        if self.detector.is_none() {
            self.detector = all.get(self.place).copied();
        }
    }

    /// The protocol's name.
    pub(super) fn name(&self) -> &'static str {
        self.detector.map_or(NO_PROTOCOL, |d| d.name)
    }
}

impl Framer for CustomFramer {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        let Some(detector) = self.detector else {
            return Begin::Refuse;
        };
        match (detector.look)(octets, at.next) {
            Verdict::Message { kind, len } if len > 0 => {
                let head = usize::try_from(len).unwrap_or(usize::MAX).min(octets.len());
                Begin::Message {
                    kind,
                    head,
                    body: MessageBody::Octets(len - head as u64),
                    hand_over: false,
                }
            }
            Verdict::More if at.next == Following::Octets && octets.len() < at.limit => {
                Begin::NeedMore
            }
            _ => Begin::Refuse,
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        self.detector
            .map_or(Found::Nowhere { keep: octets.len() }, |d| {
                d.search(octets, at.next, at.limit)
            })
    }

    fn needs(&self, octets: &[u8]) -> usize {
        // Nobody knows what the function waits for.
        octets.len() + 1
    }

    fn gap(&mut self, direction: Direction) {
        // Each look begins anew: nothing is remembered that could be void.
        let _ = direction;
    }
}
