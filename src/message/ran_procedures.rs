//! The application protocols of 3GPP's radio access networks: each message says which kind of message of which elementary
//! procedure it is, in aligned PER (3GPP TS 36.413, 9.3.2). The names of the procedures are those of each protocol.

use super::fields::MessageFields;
use crate::base::message::Kind;
use std::fmt::Write as _;

/// A message of an application protocol of 3GPP in aligned PER: kind, procedure, criticality, and a length that holds.
pub(super) fn is_plausible(data: &[u8], whole: bool) -> bool {
    let Some((&[0x00 | 0x20 | 0x40, _, 0x00 | 0x40 | 0x80], rest)) = data.split_first_chunk()
    else {
        return false;
    };
    let Some((len, rest)) = open_type(rest) else {
        return false;
    };
    len >= 3 && (len == rest.len() || (!whole && len > rest.len()))
}

/// Appends kind and procedure, by the names of the protocol's procedures in the order of their codes; false where the octets
/// are no such message.
pub(super) fn summary(procedures: &[&str], octets: &[u8], out: &mut String) -> bool {
    let &[first, code, ..] = octets else {
        return false;
    };
    let kind = match first {
        0x00 => "initiatingMessage",
        0x20 => "successfulOutcome",
        0x40 => "unsuccessfulOutcome",
        0x60 => "outcome",
        _ => return false,
    };
    let _ = match procedures.get(usize::from(code)).filter(|n| !n.is_empty()) {
        Some(name) => write!(out, "{kind} {name}"),
        None => write!(out, "{kind} procedure {code}"),
    };
    true
}

/// A message of the user's equipment or of the core network to it, by its name, and that in it.
pub(super) type NasMessage = (&'static str, Option<&'static str>);

/// Appends what the element of this number carries between a phone and the core network, as `read` names it.
pub(super) fn carried(
    element: u16,
    read: impl FnOnce(&[u8]) -> Option<NasMessage>,
    octets: &[u8],
    out: &mut String,
) {
    // A string of octets with its length.
    let message = self::element(element, octets).and_then(|value| {
        let (len, value) = open_type(value)?;
        value.get(..len)
    });
    if let Some(message) = message.and_then(read) {
        named(message, out);
    }
}

/// Appends such a message.
pub(super) fn named((name, inner): NasMessage, out: &mut String) {
    out.extend([", ", name]);
    if let Some(inner) = inner {
        out.extend([", ", inner]);
    }
}

/// The value of an element that stands in a message as a whole.
pub(super) fn element(wanted: u16, octets: &[u8]) -> Option<&[u8]> {
    let mut all = elements(octets)?;
    all.find_map(|element| {
        element
            .filter(|(id, _)| *id == wanted)
            .map(|(_, value)| value)
    })
}

/// The elements of a message, each with its value; the last is None where the message ends too early.
fn elements(octets: &[u8]) -> Option<impl Iterator<Item = Option<(u16, &[u8])>>> {
    let &[_, _, _, ref rest @ ..] = octets else {
        return None;
    };
    let (_, rest) = open_type(rest)?;
    // The bit of an extension, and how many elements there are.
    let &[_, a, b, ref rest @ ..] = rest else {
        return None;
    };
    let mut left = u64::from(u16::from_be_bytes([a, b])).min(ELEMENTS);
    let mut rest = Some(rest);
    Some(std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let next = || {
            let &[a, b, _, ref value @ ..] = rest? else {
                return None;
            };
            let (len, value) = open_type(value)?;
            let (value, behind) = value.split_at_checked(len)?;
            Some((u16::from_be_bytes([a, b]), value, behind))
        };
        let Some((id, value, behind)) = next() else {
            left = 0;
            return Some(None);
        };
        rest = Some(behind);
        Some(Some((id, value)))
    }))
}

/// What a message is: it begins a procedure that is answered, one of these codes (class 1 of TS 36.413, 8.1, and its relatives), or is
/// an outcome.
pub(super) fn kind(answered: &[u8], octets: &[u8]) -> Kind {
    match octets {
        [0x00, code, ..] if answered.contains(code) => Kind::Request,
        [0x20 | 0x40 | 0x60, ..] => Kind::Response,
        _ => Kind::Other,
    }
}

/// Elements of a message that are looked at for that of a user's equipment: it is among the first.
const ELEMENTS: u64 = 16;

/// The procedure, and the identifier that `of` says of it: an element that the message that begins the procedure has in common with its
/// outcome. Procedures that are no user's have none. None where the message ends too early.
pub(super) fn transaction(
    of: impl FnOnce(u8) -> u16,
    release: Option<&Release>,
    octets: &[u8],
) -> Option<u64> {
    let code = *octets.get(1)?;
    let release = release.filter(|release| release.code == code);
    let wanted = of(code);
    for element in elements(octets)? {
        let (id, value) = element?;
        let found = match release {
            Some(release) if id == release.pair => Some(release.of_pair(value)?),
            Some(release) if id == release.alone => Some(integer(value, 0, release.len_bits)?),
            None if id == wanted => {
                // An integer of 40 bits at most, with its length.
                let value = Some(value).filter(|value| value.len() <= 6)?;
                Some(value.iter().fold(0, |n, octet| n << 8 | u64::from(*octet)))
            }
            _ => None,
        };
        if let Some(number) = found {
            return Some(u64::from(code) << 48 | number);
        }
    }
    Some(u64::from(code) << 48)
}

/// The procedure that releases a user: it begins with both identifiers of the user in one element, or with that of the core network alone,
/// and ends with one element for each.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) code: u8,
    /// The element that has both, and that of the core network's.
    pub(super) pair: u16,
    pub(super) alone: u16,
    /// Bits that choose between both and one, and those of the length of the core network's identifier.
    pub(super) choice_bits: u32,
    pub(super) len_bits: u32,
}

impl Release {
    /// The core network's identifier in the element that may have both.
    fn of_pair(&self, value: &[u8]) -> Option<u64> {
        let one = value.first()? >> (8 - self.choice_bits) == 1;
        // Both are a sequence, with a bit for its extension and one for what is optional in it.
        let begin = self.choice_bits + if one { 0 } else { 2 };
        integer(value, begin, self.len_bits)
    }
}

/// An integer of a large range behind so many bits of the first octet (aligned PER, 10.5.7.4): in so many bits how many octets it has,
/// less one, and then these.
fn integer(value: &[u8], at: u32, len_bits: u32) -> Option<u64> {
    let (first, rest) = value.split_first()?;
    let len = first << at >> (8 - len_bits);
    let octets = rest.get(..=usize::from(len)).filter(|o| o.len() <= 5)?;
    Some(octets.iter().fold(0, |n, octet| n << 8 | u64::from(*octet)))
}

/// The length of what follows, and that (aligned PER, 10.9): one octet, or two behind the bits 10. Fragments of 16 Ki (11) are not
/// looked into.
pub(super) fn open_type(octets: &[u8]) -> Option<(usize, &[u8])> {
    match *octets {
        [a, ref rest @ ..] if a < 0x80 => Some((usize::from(a), rest)),
        [a, b, ref rest @ ..] if a < 0xc0 => {
            Some((usize::from(a & 0x3f) << 8 | usize::from(b), rest))
        }
        _ => None,
    }
}

/// Procedure and kind, by their names.
pub(super) fn fields(procedures: &[&str], octets: &[u8], to: &mut MessageFields) {
    let mut words = String::new();
    if summary(procedures, octets, &mut words)
        && let Some((kind, procedure)) = words.split_once(' ')
    {
        to.text("procedure", procedure.as_bytes());
        to.text("kind", kind.as_bytes());
    }
}

/// What [`fields`] lists.
pub(super) const FIELD_NAMES: &[&str] = &["procedure", "kind"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_procedure_that_is_answered_begins_with_a_request() {
        for (octets, expected) in [
            (&[0, 17, 0][..], Kind::Request),
            (&[0, 13, 0], Kind::Other),
            (&[0x20, 17], Kind::Response),
            (&[0x40, 17], Kind::Response),
            (&[], Kind::Other),
        ] {
            assert_eq!(kind(&[17], octets), expected, "{octets:?}");
        }
    }

    #[test]
    fn an_outcome_has_the_identifier_of_what_it_ends() {
        // Two elements: one that is passed over, and that of the user.
        let message = |kind: u8, code: u8, first: u8, user: &[u8]| {
            let len = u8::try_from(user.len()).unwrap();
            let mut value = vec![0, 0, 2, 0, first, 0, 2, 9, 9, 0, 8, 0, len];
            value.extend(user);
            let mut m = vec![kind, code, 0, u8::try_from(value.len()).unwrap()];
            m.extend(value);
            m
        };
        let of = |_| 8;
        let asks = message(0, 9, 0, &[0x40, 5]);
        let number = transaction(of, None, &asks);
        assert!(number.is_some());
        assert_eq!(
            transaction(of, None, &message(0x20, 9, 88, &[0x40, 5])),
            number
        );
        assert_ne!(
            transaction(of, None, &message(0x20, 9, 0, &[0x40, 6])),
            number
        );
        assert_ne!(
            transaction(of, None, &message(0x20, 5, 0, &[0x40, 5])),
            number
        );
        // One that is no user's.
        assert_eq!(transaction(|_| 77, None, &asks), Some(9 << 48));
        for len in 0..asks.len() {
            assert_eq!(transaction(of, None, &asks[..len]), None, "{len}");
        }
    }

    /// TS 36.413, 9.1.4.6 and 9.1.4.7; TS 38.413, 9.2.2.5 and 9.2.2.6.
    #[test]
    fn a_release_is_told_by_the_core_networks_identifier() {
        let message = |kind: u8, code: u8, element: u8, value: &[u8]| {
            let len = u8::try_from(value.len()).unwrap();
            let head = [kind, code, 0, len + 7, 0, 0, 1, 0, element, 0, len];
            [&head[..], value].concat()
        };
        let s1ap = Release {
            code: 23,
            pair: 99,
            alone: 0,
            choice_bits: 2,
            len_bits: 2,
        };
        let ngap = Release {
            code: 41,
            pair: 114,
            alone: 10,
            choice_bits: 2,
            len_bits: 3,
        };
        for (release, begins, alone, ends) in [
            // Of two octets.
            (
                &s1ap,
                &[0x04, 1, 2, 0x40, 9, 9][..],
                &[0x50, 1, 2][..],
                &[0x40, 1, 2][..],
            ),
            (
                &ngap,
                &[0x02, 1, 2, 0x40, 9, 9],
                &[0x48, 1, 2],
                &[0x20, 1, 2],
            ),
        ] {
            let number = |kind, element: u16, value| {
                let element = u8::try_from(element).unwrap();
                transaction(
                    |_| 8,
                    Some(release),
                    &message(kind, release.code, element, value),
                )
            };
            let ended = number(0x20, release.alone, ends);
            assert_eq!(ended, Some(u64::from(release.code) << 48 | 0x102));
            assert_eq!(number(0, release.pair, begins), ended);
            assert_eq!(number(0, release.pair, alone), ended);
            assert_eq!(number(0, release.pair, &[]), None);
        }
    }

    #[test]
    fn kinds_and_procedures_are_named() {
        for (octets, expected) in [
            (&[0, 1, 0][..], "initiatingMessage Second"),
            (&[0x20, 0], "successfulOutcome First"),
            (&[0x40, 200], "unsuccessfulOutcome procedure 200"),
            (&[0x60, 2], "outcome procedure 2"),
            (&[0x80, 0], ""),
            (&[0], ""),
        ] {
            let mut out = String::new();
            let known = summary(&["First", "Second", ""], octets, &mut out);
            assert_eq!((out.as_str(), known), (expected, !expected.is_empty()));
        }
    }
}
