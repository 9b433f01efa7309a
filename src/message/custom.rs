//! A detector that a user of the library brings: one function that looks at octets.

use super::framing::{Begin, Following, Found, Framer, MessageBody, Position};
use crate::base::flow::Direction;
use crate::base::message::Kind;
use crate::base::protocol::NO_PROTOCOL;
use crate::base::state::{Deserialize, Serialize};

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
    /// It depends on the other direction, which has not come yet as far as the sender of these octets had acknowledged it.
    /// The question comes again then, or when that is given up; where [`Look::settled`] is true it counts as a refusal.
    Wait,
    /// No message of this protocol begins here. Behind a gap, and where a message did not end as it should, one octet
    /// is passed over and the next are looked at.
    Refuse,
}

/// What a detector keeps of a connection: one for both directions, zeros at its beginning. Plain data, so that it can be
/// written out with all that waits.
pub type DetectorState = [u64; 4];

/// What a detector looks at.
#[derive(Debug)]
pub struct Look<'a> {
    /// Octets that stand where a message may begin.
    pub octets: &'a [u8],
    /// What follows them.
    pub next: Following,
    /// Forward is the direction of the connection's first packet.
    pub direction: Direction,
    /// Ports of their source and their destination.
    pub ports: (u16, u16),
    /// Offset of the first of them in its stream; only differences mean anything.
    pub offset: u64,
    /// The other direction has been delivered, or given up, as far as the sender of these octets had acknowledged it.
    pub settled: bool,
    /// What is kept of the connection. Changes last where the answer is a message that stands where one has to begin; all
    /// other looks are tries.
    pub state: &'a mut DetectorState,
}

/// A protocol of one's own: its name, and the function that recognises a message and says how long it is.
///
/// What follows the octets is told with them: at the end of a stream, or before a gap, they are all that there will be,
/// and what the function does with them is its last word. Gaps go to the sink, and to `gap`.
///
/// ```
/// use inet_asm::message::custom::{CustomDetector, Verdict};
/// use inet_asm::base::message::Kind;
///
/// /// `#` and two digits of length, then so many octets.
/// const NOTES: CustomDetector = CustomDetector::new("notes", |look| match look.octets {
///     [b'#', a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => Verdict::Message {
///         kind: Kind::Other,
///         len: 3 + u64::from(a - b'0') * 10 + u64::from(b - b'0'),
///     },
///     [b'#'] | [b'#', b'0'..=b'9'] => Verdict::More,
///     _ => Verdict::Refuse,
/// });
/// assert_eq!(NOTES.name, "notes");
/// ```
///
/// An answer whose length stands in the request that it answers: the detector waits for that, and counts what has been
/// asked and not been answered; where octets are missing it begins anew.
///
/// ```
/// use inet_asm::base::message::Kind;
/// use inet_asm::message::custom::{CustomDetector, Verdict};
///
/// const READS: CustomDetector = CustomDetector::new("reads", |look| match (look.ports, look.octets) {
///     // To the server: `?` and a digit, how many octets it is to send.
///     ((_, 7000), [b'?', n @ b'0'..=b'9', ..]) => {
///         look.state[0] = u64::from(n - b'0');
///         Verdict::Message { kind: Kind::Request, len: 2 }
///     }
///     ((_, 7000), [b'?']) => Verdict::More,
///     ((7000, _), _) if !look.settled => Verdict::Wait,
///     ((7000, _), _) if look.state[0] > 0 => Verdict::Message {
///         kind: Kind::Response,
///         len: std::mem::take(&mut look.state[0]),
///     },
///     _ => Verdict::Refuse,
/// })
/// .with_gap(|state, _direction| *state = [0; 4]);
/// # let _ = READS;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CustomDetector {
    /// How the protocol is called in what the sink is told.
    pub name: &'static str,
    /// Looks at octets that stand where a message may begin.
    pub look: fn(&mut Look<'_>) -> Verdict,
    /// Hears of octets that are missing in a direction.
    pub gap: fn(&mut DetectorState, Direction),
}

/// Where octets stand that a detector is shown.
#[derive(Clone, Copy)]
pub(super) struct Around {
    pub(super) next: Following,
    pub(super) direction: Direction,
    pub(super) ports: (u16, u16),
    pub(super) offset: u64,
    pub(super) settled: bool,
}

impl CustomDetector {
    /// A detector that does nothing about gaps.
    pub const fn new(name: &'static str, look: fn(&mut Look<'_>) -> Verdict) -> Self {
        Self {
            name,
            look,
            gap: |_, _| {},
        }
    }

    /// The same, which hears of gaps.
    #[must_use]
    pub const fn with_gap(self, gap: fn(&mut DetectorState, Direction)) -> Self {
        Self { gap, ..self }
    }

    /// What it says of octets, and what its state would be then.
    pub(super) fn ask(
        &self,
        octets: &[u8],
        around: Around,
        state: DetectorState,
    ) -> (Verdict, DetectorState) {
        let mut state = state;
        let verdict = (self.look)(&mut Look {
            octets,
            next: around.next,
            direction: around.direction,
            ports: around.ports,
            offset: around.offset,
            settled: around.settled,
            state: &mut state,
        });
        (verdict, state)
    }

    /// Where the first message begins.
    pub(super) fn search(
        &self,
        octets: &[u8],
        around: Around,
        limit: usize,
        state: DetectorState,
    ) -> Found {
        for at in 0..octets.len() {
            let rest = octets.get(at..).unwrap_or_default();
            let here = Around {
                offset: around.offset + at as u64,
                ..around
            };
            match self.ask(rest, here, state).0 {
                Verdict::Message { len, .. } if len > 0 => return Found::At(at),
                Verdict::Wait if !around.settled => return Found::At(at),
                Verdict::More if around.next == Following::Octets && rest.len() < limit => {
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
    state: DetectorState,
    #[serde(skip)]
    detector: Option<CustomDetector>,
}

impl CustomFramer {
    /// A framer for the detector at this place.
    pub(super) const fn new(place: usize, detector: CustomDetector) -> Self {
        Self {
            place,
            state: [0; 4],
            detector: Some(detector),
        }
    }

    /// What a detector is told of a place.
    fn around(at: &Position) -> Around {
        Around {
            next: at.next,
            direction: at.direction,
            ports: at.ports,
            offset: at.offset,
            settled: at.wait_for_other().is_none(),
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
        let (verdict, state) = detector.ask(octets, Self::around(at), self.state);
        match verdict {
            Verdict::Message { kind, len } if len > 0 => {
                self.state = state;
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
            Verdict::Wait => at.wait_for_other().map_or(Begin::Refuse, Begin::Wait),
            _ => Begin::Refuse,
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        self.detector
            .map_or(Found::Nowhere { keep: octets.len() }, |d| {
                d.search(octets, Self::around(at), at.limit, self.state)
            })
    }

    fn needs(&self, octets: &[u8]) -> usize {
        // Nobody knows what the function waits for.
        octets.len() + 1
    }

    fn gap(&mut self, direction: Direction) {
        if let Some(detector) = self.detector {
            (detector.gap)(&mut self.state, direction);
        }
    }
}
