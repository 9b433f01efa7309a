//! Protocols whose messages begin with a line of known words, which says how far they reach: Memcached, NATS, STOMP, IRC.

use super::framing::{
    Begin, Detector, DoubtEnds, Following, Found, Framer, MessageBody, Position, Probe,
};
use super::length::octet;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use memchr::memchr;
use std::marker::PhantomData;

/// A line, or what else tells how far a message reaches, longer than this is none: NATS takes 4 KiB, IRC 8 KiB and 512 octets of it.
// Twice would double what an endless line may hold of each connection.
pub(super) const LINE: usize = 16 << 10;

/// What stands where a message should begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Textual {
    /// A message of so many octets.
    Message(Kind, u64),
    /// More octets are needed to say.
    More,
    /// No message.
    No,
}

impl Textual {
    /// Whether it is a message.
    pub(super) const fn probe(self) -> Probe {
        match self {
            Self::Message(..) => Probe::Yes,
            Self::More => Probe::More,
            Self::No => Probe::No,
        }
    }
}

/// What distinguishes one such protocol from another.
pub(super) struct TextualFormat {
    /// What stands at these octets. Looks at no more than [`LINE`] of them.
    pub(super) read: fn(&[u8]) -> Textual,
    /// The octets begin a connection of this protocol, whatever its ports are.
    pub(super) opens: fn(&[u8]) -> Probe,
}

/// A protocol of this kind.
pub(super) trait TextualProtocol {
    /// Its format.
    const FORMAT: &'static TextualFormat;
}

/// The line that the octets begin with, without its end, and octets with its end. None in the outer option: it is cut; in the
/// inner: it is none.
pub(super) fn line(octets: &[u8]) -> Option<Option<(&[u8], usize)>> {
    let within = octets.get(..LINE).unwrap_or(octets);
    match memchr(b'\n', within) {
        Some(lf) => {
            let line = &octets[..lf];
            Some(Some((line.strip_suffix(b"\r").unwrap_or(line), lf + 1)))
        }
        None if octets.len() < LINE => None,
        None => Some(None),
    }
}

/// The octets are text: nothing that a terminal would not show.
pub(super) fn is_shown(octets: &[u8]) -> bool {
    octets
        .iter()
        .all(|o| *o >= b' ' && *o != 0x7f || *o == b'\t')
}

/// A number of decimal digits.
pub(super) fn decimal(word: &[u8]) -> Option<u64> {
    let digits = (1..=19).contains(&word.len()) && word.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(word).ok().filter(|_| digits)?;
    // A body of a terabyte is none.
    text.parse().ok().filter(|n| *n < 1 << 40)
}

impl TextualFormat {
    /// What stands there, where octets that are not yet there are text so far.
    fn at(&self, octets: &[u8]) -> Textual {
        match (self.read)(octets) {
            Textual::More if octets.len() >= LINE => Textual::No,
            read => read,
        }
    }

    fn find(&self, octets: &[u8], more: bool, aligned: impl Fn(usize) -> bool) -> Found {
        let mut at = 0;
        loop {
            let rest = &octets[at..];
            if at > 0 || aligned(0) {
                match self.at(rest) {
                    Textual::Message(..) => return Found::At(at),
                    Textual::More if more && !rest.is_empty() => {
                        return Found::Nowhere { keep: at };
                    }
                    Textual::More | Textual::No => {}
                }
            }
            // Messages begin behind a line.
            match memchr(b'\n', rest) {
                Some(lf) => at += lf + 1,
                None => return Found::Nowhere { keep: octets.len() },
            }
        }
    }
}

impl Detector for TextualFormat {
    fn probe(&self, octets: &[u8], hinted: bool) -> Probe {
        match (self.opens)(octets) {
            Probe::No if hinted => self.at(octets).probe(),
            probe => probe,
        }
    }

    fn search(&self, octets: &[u8], hinted: bool, more: bool) -> Found {
        match hinted {
            true => self.find(octets, more, |_| false),
            false => Found::Nowhere { keep: octets.len() },
        }
    }

    fn searches(&self, hinted: bool) -> bool {
        hinted
    }

    fn settles(&self, octets: &[u8], hinted: bool, ends: DoubtEnds) -> bool {
        let _ = (octets, hinted, ends);
        false
    }
}

/// Frames a connection of such a protocol: each message speaks for itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct TextualFramer<P>(PhantomData<P>);

impl<P> Default for TextualFramer<P> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<P: TextualProtocol> Framer for TextualFramer<P> {
    fn begin(&mut self, at: &Position, octets: &[u8]) -> Begin {
        match P::FORMAT.at(octets) {
            Textual::Message(kind, len) => {
                let head = usize::try_from(len).unwrap_or(usize::MAX).min(octets.len());
                Begin::Message {
                    kind,
                    head,
                    body: MessageBody::Octets(len - head as u64),
                    hand_over: false,
                }
            }
            Textual::More if at.next != Following::End => Begin::NeedMore,
            Textual::More | Textual::No => Begin::Refuse,
        }
    }

    fn search(&mut self, at: &Position, octets: &[u8]) -> Found {
        let more = at.next == Following::Octets;
        P::FORMAT.find(octets, more, |i| at.segment(i))
    }
}

/// The octets may yet become this word, or are it and more: what a line begins with that opens a connection.
pub(super) fn begins_as(octets: &[u8], word: &[u8]) -> Probe {
    let n = octets.len().min(word.len());
    match octets[..n].eq_ignore_ascii_case(&word[..n]) {
        true if n == word.len() => Probe::Yes,
        // One octet is met in any octets; two are a reason to wait.
        true if n > 1 => Probe::More,
        _ => Probe::No,
    }
}

/// The first answer of several that is not no.
pub(super) fn any(probes: impl IntoIterator<Item = Probe>) -> Probe {
    let mut best = Probe::No;
    for probe in probes {
        match probe {
            Probe::Yes => return Probe::Yes,
            Probe::More => best = Probe::More,
            Probe::No => {}
        }
    }
    best
}

/// The octets begin with a control octet of a binary form.
pub(super) fn is_binary(octets: &[u8]) -> bool {
    octet(octets, 0) >= 0x80
}
