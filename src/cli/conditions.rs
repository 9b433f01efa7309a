//! `--fail-if`: conditions on the counters, which give a run the exit status 1.
//!
//! ```text
//!  condition: sum compare sum        tcp.lost_octets > 0.1% tcp.octets
//!  compare:   == != < <= > >=
//!  sum:       term, or terms with + or - between them
//!  term:      COUNTER, NUMBER% COUNTER, or a NUMBER with K, M or G behind it
//! ```

use super::likeness::likeness;
use crate::base::counters::Counters;
use crate::base::size::{MILLION, size_in_millionths};
use crate::message::known_name;
use std::cmp::Ordering;
use std::fmt::Write;

/// Values are whole numbers of this part of one: a share of a counter is exact to a millionth of a percent.
const PARTS: i128 = 100_000_000;
/// Digits behind the point of a percentage.
const PERCENT_DIGITS: usize = 6;
/// Terms of a condition. Sums of so many counters cannot overflow.
const TERMS: usize = 64;
/// Counters that are proposed for one that there is not.
const PROPOSED: usize = 3;
/// Words of their names that are as near as this are the same: `drops` and `dropped`.
const SAME_WORD: f64 = 0.85;

/// A condition that fails a run when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// As it was given.
    text: String,
    left: Vec<Term>,
    compare: Compare,
    right: Vec<Term>,
}

/// A part of a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    /// What it counts, in parts of one; of the counter, or by itself.
    parts: i128,
    counter: Option<String>,
}

/// `PROTOCOL.NAME` with the name of the protocol that is used here, where it has another one.
pub(super) fn by_known_name(name: &str) -> Option<String> {
    let (protocol, rest) = name.split_once('.')?;
    Some(format!("{}.{rest}", known_name(protocol)?))
}

/// How the two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

impl Compare {
    /// Longer signs stand before those that they begin with.
    const SIGNS: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        ("<=", Self::LessOrEqual),
        (">=", Self::MoreOrEqual),
        ("<", Self::Less),
        (">", Self::More),
    ];

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::More => order.is_gt(),
            Self::MoreOrEqual => order.is_ge(),
        }
    }
}

impl Condition {
    /// Reads a condition. Whether there are such counters is another question: those of a user's own protocols are not known here.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let form = "expected COUNTER OP NUMBER, as 'tcp.lost_octets > 0.1% tcp.octets'";
        // The first sign: what is behind it is no part of a sum, so that a second one is refused there.
        let at = text.find(['=', '!', '<', '>']);
        let (left, rest) = at.map_or((text, ""), |at| text.split_at(at));
        let signs = Compare::SIGNS.iter();
        let sign = signs.filter_map(|(sign, compare)| Some((rest.strip_prefix(sign)?, *compare)));
        let Some((right, compare)) = sign.clone().next() else {
            return Err(match rest {
                "" => format!("nothing is compared: {form}"),
                _ => format!(
                    "{:?} compares nothing: expected one of == != < <= > >=",
                    &rest[..1]
                ),
            });
        };
        if right.starts_with(['=', '!', '<', '>']) {
            let signs = rest.bytes().take_while(|c| b"=!<>".contains(c)).count();
            return Err(format!(
                "{:?} compares nothing: expected one of == != < <= > >=",
                rest.get(..signs).unwrap_or(rest)
            ));
        }
        let condition = Self {
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            left: sum(left)?,
            compare,
            right: sum(right)?,
        };
        if condition.terms().all(|term| term.counter.is_none()) {
            return Err(format!("no counter stands in it: {form}"));
        }
        Ok(condition)
    }

    fn terms(&self) -> impl Iterator<Item = &Term> {
        self.left.iter().chain(&self.right)
    }

    /// Reads the names by which people know protocols: redis.messages is a counter of resp.
    pub(super) fn resolve(&mut self, protocols: &[&'static str]) {
        let known = Counters::names(protocols);
        for term in self.left.iter_mut().chain(&mut self.right) {
            if let Some(name) = &mut term.counter
                && !known.contains(name)
                && let Some(other) = by_known_name(name)
            {
                *name = other;
            }
        }
    }

    /// Refuses counters that there are not. `protocols`: all that have counters of their own.
    pub(super) fn check(&self, protocols: &[&'static str]) -> Result<(), String> {
        let known = Counters::names(protocols);
        let mut named = self.terms().filter_map(|term| term.counter.as_ref());
        // The sum of a section goes by the name of that.
        let Some(unknown) = named.find(|name| *name != "lost" && !known.contains(name)) else {
            return Ok(());
        };
        let near = proposed(unknown, &known);
        let spaces = match unknown.contains(['+', '-']) {
            true => "+ and - have spaces around them, and ",
            false => "",
        };
        Err(format!(
            "--fail-if {}: {unknown}: there is no such counter: did you mean {}? ({spaces}-n -s=all shows all)",
            self.text,
            near.join(", ")
        ))
    }

    /// Where it holds: what it is, with the values of both sides. Of a protocol that was not seen all is 0.
    pub(super) fn holds(&self, counters: &Counters) -> Option<String> {
        let [left, right] = [&self.left, &self.right].map(|terms| {
            let of = |term: &Term| match &term.counter {
                Some(name) => term.parts * i128::from(counters.get(name).unwrap_or(0)),
                None => term.parts,
            };
            terms.iter().map(of).sum::<i128>()
        });
        self.compare.holds(left.cmp(&right)).then(|| {
            let sign = Compare::SIGNS.iter().find(|(_, c)| *c == self.compare);
            let sign = sign.map_or("", |(sign, _)| sign);
            let [left, right] = [left, right].map(shown);
            format!("--fail-if {}: holds: {left} {sign} {right}", self.text)
        })
    }
}

/// The counters that are proposed for one that there is not: those that are nearest, and, where it would be one of all messages, that one.
fn proposed<'a>(unknown: &str, known: &'a [String]) -> Vec<&'a str> {
    let mut near: Vec<_> = known
        .iter()
        .map(|name| (nearness(unknown, name), name.as_str()))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let mut near: Vec<_> = near.iter().take(PROPOSED).map(|(_, name)| *name).collect();
    let (section, last) = unknown.rsplit_once('.').unwrap_or(("", unknown));
    let of_all = format!("message.{last}");
    let of_all = known.iter().find(|name| **name == of_all);
    if let Some(of_all) = of_all.filter(|name| !near.contains(&name.as_str())) {
        near.pop();
        // Where no section is named, it is most likely this one.
        let at = if section.is_empty() { 0 } else { near.len() };
        near.insert(at, of_all);
    }
    near
}

/// How near the names of two counters are, by their letters, or by their words in any order.
fn nearness(unknown: &str, known: &str) -> f64 {
    let words = |name: &str| -> Vec<String> {
        let words = name.split(['.', '_']).filter(|word| !word.is_empty());
        words.map(str::to_ascii_lowercase).collect()
    };
    let (ours, mut theirs) = (words(unknown), words(known));
    let all = ours.len() + theirs.len();
    let mut same = 0.0;
    for word in ours {
        let like = theirs
            .iter()
            .map(|other| strsim::jaro_winkler(&word, other));
        let nearest = like.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((at, like)) = nearest.filter(|(_, like)| *like > SAME_WORD) {
            // Each is that of one word.
            theirs.swap_remove(at);
            same += like;
        }
    }
    let share = 2.0 * same / all.max(1) as f64;
    match likeness(unknown, known) {
        // Names begin alike whatever they count: of those, the words say more.
        letters @ ..1.0 => share.max(0.85 * letters),
        // One is the beginning, or a part, of the other.
        part => part,
    }
}

/// A sum: terms with + or - between them, which stand alone, since names may have a minus in them. The sign of the first term, and that
/// of any number, may stand directly before it.
fn sum(text: &str) -> Result<Vec<Term>, String> {
    let (mut terms, mut sign, mut signed) = (Vec::new(), Some(1), false);
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let next = match word {
            "+" => Some(1),
            "-" => Some(-1),
            _ => None,
        };
        match (sign.take(), next) {
            (None, Some(_)) => sign = next,
            (Some(sign), None) => {
                // A number may have a sign of its own.
                let (own, number) = match word.strip_prefix('-') {
                    Some(number) => (-1, number),
                    None => (1, word.strip_prefix('+').unwrap_or(word)),
                };
                terms.push(term(number, sign * own, &mut words)?);
            }
            // The first one: -5, written with a space.
            (Some(1), Some(_)) if terms.is_empty() && !signed => (sign, signed) = (next, true),
            (Some(_), Some(_)) => {
                return Err(format!(
                    "nothing stands before {word}: expected a counter or a number"
                ));
            }
            (None, None) => {
                return Err(format!(
                    "{word:?} stands behind a term: expected + or - before it, with spaces around"
                ));
            }
        }
    }
    match sign {
        Some(_) => Err("a side of it is empty: expected a counter or a number".to_owned()),
        None if terms.len() > TERMS => {
            Err(format!("has over {TERMS} terms on a side: leave some out"))
        }
        None => Ok(terms),
    }
}

/// A term of which this is the first word.
fn term<'a>(
    word: &str,
    sign: i128,
    words: &mut impl Iterator<Item = &'a str>,
) -> Result<Term, String> {
    if !word.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Term {
            parts: sign * PARTS,
            counter: Some(word.to_owned()),
        });
    }
    let Some((number, name)) = word.split_once('%') else {
        return Ok(Term {
            parts: sign * number(word)?,
            counter: None,
        });
    };
    let name = if name.is_empty() {
        words.next()
    } else {
        Some(name)
    };
    let name = name.ok_or_else(|| {
        format!("{word} of nothing: expected a counter behind it, as 0.1% tcp.octets")
    })?;
    Ok(Term {
        parts: sign * percent(number)?,
        counter: Some(name.to_owned()),
    })
}

/// Parts of one that a number is, with a unit or without.
fn number(word: &str) -> Result<i128, String> {
    let millionths = size_in_millionths(word).map_err(|what| format!("{word}: {what}"))?;
    let millionths = i128::try_from(millionths).unwrap_or(i128::MAX);
    // A counter is no larger, and so sums cannot overflow.
    let most = i128::from(u64::MAX) * PARTS;
    let parts = millionths.checked_mul(PARTS / MILLION as i128);
    let parts = parts.filter(|parts| *parts <= most);
    parts.ok_or_else(|| format!("{word}: no counter is so large: give a smaller number"))
}

/// Parts of one that a percentage is.
fn percent(number: &str) -> Result<i128, String> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let right = digits(whole)
        && digits(part)
        && whole.len() + part.len() > 0
        && whole.len() <= 4
        && part.len() <= PERCENT_DIGITS;
    let parts = format!("{whole}{part:0<PERCENT_DIGITS$}").parse();
    parts.ok().filter(|_| right).ok_or_else(|| {
        format!("{number}% is no percentage: expected one below 10,000 with {PERCENT_DIGITS} digits behind the point at most, as 0.1%")
    })
}

/// A value of a side.
fn shown(parts: i128) -> String {
    let mut text = format!(
        "{}{}",
        if parts < 0 { "-" } else { "" },
        parts.unsigned_abs() / PARTS.unsigned_abs()
    );
    let rest = parts.unsigned_abs() % PARTS.unsigned_abs();
    if rest > 0 {
        let digits = format!("{rest:08}");
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::protocol::Name;

    const PROTOCOLS: &[&str] = &["ftp-data", "http"];

    fn counters() -> Counters {
        let mut c = Counters::default();
        c.tcp.octets = 10_000;
        c.tcp.lost_octets = 11;
        c.message.messages = 5;
        c.protocol(Name::of("http")).messages = 3;
        c
    }

    #[track_caller]
    fn held(text: &str) -> Option<String> {
        let condition = Condition::new(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        condition
            .check(PROTOCOLS)
            .unwrap_or_else(|e| panic!("{text}: {e}"));
        condition.holds(&counters())
    }

    #[test]
    fn conditions_are_compared() {
        for (text, sides) in [
            ("tcp.lost_octets > 0", Some("11 > 0")),
            ("tcp.lost_octets>0", Some("11 > 0")),
            ("tcp.lost_octets > 11", None),
            ("tcp.lost_octets >= 11", Some("11 >= 11")),
            ("tcp.lost_octets < 12", Some("11 < 12")),
            ("tcp.lost_octets <= 10", None),
            ("tcp.lost_octets == 11", Some("11 == 11")),
            ("tcp.lost_octets != 11", None),
            ("tcp.lost_octets > 0.1% tcp.octets", Some("11 > 10")),
            ("tcp.lost_octets > 0.11% tcp.octets", None),
            ("tcp.lost_octets > 0.10999% tcp.octets", Some("11 > 10.999")),
            ("0.000001% tcp.octets < 1", Some("0.0001 < 1")),
            ("tcp.octets > 10K", None),
            ("tcp.octets > 9.5K", Some("10000 > 9728")),
            ("tcp.gaps < 0.5", Some("0 < 0.5")),
            ("lost == message.lost", Some("0 == 0")),
            ("http.messages > 3.000001", None),
            ("message.messages != http.messages", Some("5 != 3")),
            (
                "message.messages - http.messages - ftp-data.messages > 1",
                Some("2 > 1"),
            ),
            (
                "http.messages - message.messages < 0 - 1 + 0",
                Some("-2 < -1"),
            ),
            ("ftp-data.messages == 0", Some("0 == 0")),
            ("http.messages - message.messages > -5", Some("-2 > -5")),
            ("http.messages - message.messages>-1", None),
            ("http.messages - message.messages < - 1", Some("-2 < -1")),
            ("message.messages > +4", Some("5 > 4")),
            ("message.messages == 3 - -2", Some("5 == 5")),
            ("-http.messages < -0.5", Some("-3 < -0.5")),
            (
                "- http.messages == -30% tcp.octets - -2997",
                Some("-3 == -3"),
            ),
            ("1 < http.messages", Some("1 < 3")),
        ] {
            let expected = sides.map(|sides| format!("--fail-if {text}: holds: {sides}"));
            assert_eq!(held(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, wrong) in [
            ("", "nothing is compared"),
            ("tcp.lost_octets", "nothing is compared"),
            ("tcp.octets = 1", "\"=\" compares nothing"),
            ("tcp.octets ! 1", "\"!\" compares nothing"),
            ("tcp.octets <> 1", "\"<>\" compares nothing"),
            ("tcp.octets === 1", "\"===\" compares nothing"),
            ("tcp.octets >", "a side of it is empty"),
            ("> 1", "a side of it is empty"),
            ("tcp.octets > 1 +", "a side of it is empty"),
            ("tcp.octets > - + 1", "nothing stands before +"),
            ("tcp.octets > 1 + - 1", "nothing stands before -"),
            ("tcp.octets > - 1 2", "\"2\" stands behind a term"),
            ("tcp.octets -5 > 0", "\"-5\" stands behind a term"),
            ("tcp.octets > -", "a side of it is empty"),
            (
                "tcp.octets > 20000000000G",
                "20000000000G: no counter is so large",
            ),
            (
                "tcp.octets > 99999999999999999999",
                "99999999999999999999: is too large",
            ),
            ("tcp.octets > -1X", "1X: is no size: expected"),
            ("tcp.octets 2 > 1", "\"2\" stands behind a term"),
            ("tcp.octets > 1X", "1X: is no size: expected"),
            ("tcp.octets > 1 > 0", "\">\" stands behind a term"),
            ("1 > 0", "no counter stands in it"),
            ("tcp.octets > 1%", "1% of nothing"),
            ("tcp.octets > 1.2.3% tcp.octets", "1.2.3% is no percentage"),
            (
                "tcp.octets > 0.0000001% tcp.octets",
                "0.0000001% is no percentage",
            ),
        ] {
            let found = Condition::new(text).expect_err(text);
            assert!(found.starts_with(wrong), "{text}: {found}");
        }
        let many = format!("tcp.octets > {}", vec!["1"; TERMS + 1].join(" + "));
        assert!(Condition::new(&many).is_err_and(|e| e.contains("terms")));
    }

    #[test]
    fn the_nearest_names_are_proposed() {
        let condition = Condition::new("tcp.lost_octet > 0").expect("its form is right");
        let wrong = condition
            .check(PROTOCOLS)
            .expect_err("there is no such counter");
        assert!(
            wrong.contains(
                "tcp.lost_octet: there is no such counter: did you mean tcp.lost_octets, "
            ),
            "{wrong}"
        );
        assert_eq!(wrong.matches("tcp.").count(), 5, "{wrong}");
        for (name, first, third) in [
            ("messages", "message.messages", ""),
            ("tcp.messages", "", "message.messages"),
            ("messages.messages", "message.messages", ""),
            ("lost.octets", "message.lost_octets", ""),
            ("tcp.octets_lost", "tcp.lost_octets", ""),
            ("capture.dropped", "input.capture_drops", ""),
            ("http.mesages", "http.messages", ""),
        ] {
            let known = Counters::names(PROTOCOLS);
            let near = proposed(name, &known);
            assert_eq!(near.len(), PROPOSED, "{name}");
            assert!(first.is_empty() || near[0] == first, "{name}: {near:?}");
            assert!(third.is_empty() || near[2] == third, "{name}: {near:?}");
        }
        let other = Condition::new("nosuch.messages > 0").expect("its form is right");
        assert!(other.check(PROTOCOLS).is_err_and(|e| !e.contains("spaces")));
        let joined = Condition::new("tcp.octets+5 > 0").expect("its form is right");
        assert!(joined.check(PROTOCOLS).is_err_and(|e| e.contains("spaces")));
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        let mut c = Counters::default();
        c.tcp.octets = u64::MAX;
        let side = vec!["9999.999999% tcp.octets"; TERMS].join(" + ");
        let condition = Condition::new(&format!("{side} > tcp.octets")).expect("it is right");
        assert!(condition.holds(&c).is_some());
        let least = vec!["18446744073709551615"; TERMS].join(" + ");
        let condition = Condition::new(&format!("tcp.octets < {least}")).expect("it is right");
        assert!(condition.holds(&c).is_some());
    }
}
