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
pub(super) fn transaction(of: impl FnOnce(u8) -> u16, octets: &[u8]) -> Option<u64> {
    let &[_, code, _, ref rest @ ..] = octets else {
        return None;
    };
    let (_, rest) = open_type(rest)?;
    // The bit of an extension, and how many elements there are.
    let &[_, a, b, ref rest @ ..] = rest else {
        return None;
    };
    let elements = u64::from(u16::from_be_bytes([a, b])).min(ELEMENTS);
    let (wanted, mut rest) = (of(code), rest);
    for _ in 0..elements {
        let &[a, b, _, ref value @ ..] = rest else {
            return None;
        };
        let (len, value) = open_type(value)?;
        if u16::from_be_bytes([a, b]) == wanted {
            // An integer of 40 bits at most, with its length.
            let value = value.get(..len).filter(|value| value.len() <= 6)?;
            let value = value.iter().fold(0, |n, octet| n << 8 | u64::from(*octet));
            return Some(u64::from(code) << 48 | value);
        }
        rest = value.get(len..)?;
    }
    Some(u64::from(code) << 48)
}

/// The length of what follows, and that (aligned PER, 10.9): one octet, or two behind the bits 10. Fragments of 16 Ki (11) are not
/// looked into.
fn open_type(octets: &[u8]) -> Option<(usize, &[u8])> {
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
        let number = transaction(of, &asks);
        assert!(number.is_some());
        assert_eq!(transaction(of, &message(0x20, 9, 88, &[0x40, 5])), number);
        assert_ne!(transaction(of, &message(0x20, 9, 0, &[0x40, 6])), number);
        assert_ne!(transaction(of, &message(0x20, 5, 0, &[0x40, 5])), number);
        // One that is no user's.
        assert_eq!(transaction(|_| 77, &asks), Some(9 << 48));
        for len in 0..asks.len() {
            assert_eq!(transaction(of, &asks[..len]), None, "{len}");
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
