//! How far back from a message that is believed the headers stand that lead to it.
//!
//! Each place that may be a header leads to the one at its message's end, so the places that lead to a message are a tree, whose root
//! it is. At most one of its branches is true, and that only as far as there are octets of it. Each is weighed by what would have
//! to be chance if it were true, and what if it were not:
//!
//! ```text
//!   how often what is missing ends so far before its first place
//!     x  for each of its headers: how often a message has such a length / how often other octets look so
//! ```
//!
//! What is nearly certain of the whole is believed.

use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;

/// A length of which nothing is known is one of about so many as long as itself.
const LENGTHS: f64 = 10.0;
/// Octets that the rest of a message has at least, about, before it is more or less likely by its length.
const REST: f64 = 64.0;
/// Places so near to each other may be one header, read in two ways.
const SIDE_BY_SIDE: usize = 8;
/// How often a message begins where a segment does.
const AT_A_SEGMENT: f64 = 0.05;

/// How often a message, or the rest of one, goes on behind the octets at hand, about.
const GOES_ON: f64 = 0.3;
/// How often octets end where a message does.
const ENDS: f64 = 0.2;

/// A place that may be a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Where it stands.
    pub(super) at: usize,
    /// The place to which its message leads.
    pub(super) next: Option<usize>,
    /// The message goes on behind the octets at hand.
    pub(super) goes_on: bool,
    /// How often other octets look so.
    pub(super) chance: f64,
    /// A segment begins with it.
    pub(super) aligned: bool,
}

impl Place {
    /// The one that is believed.
    pub(super) const fn root(at: usize) -> Self {
        Self {
            at,
            next: None,
            goes_on: false,
            chance: 1.0,
            aligned: false,
        }
    }
}

/// What is known of the last of the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// A message begins there.
    Begins,
    /// It is the end of the octets, and messages may go on behind it.
    Open,
}

/// The sum of two numbers that are given by their logarithms.
fn sum(a: f64, b: f64) -> f64 {
    let (less, more) = if a < b { (a, b) } else { (b, a) };
    more + (less - more).exp().ln_1p()
}

/// The first place of the branch that leads to the last of the places, as far back as it is likelier than `1 - doubt` that it is true.
pub(super) fn farthest(places: &[Place], last: Root, doubt: f64) -> Option<usize> {
    let root = places.len().checked_sub(1)?;
    // For each place, by their logarithms: all that may stand before it, and the likeliest of the places that lead to it.
    let mut before: Vec<f64> = places.iter().map(first).collect();
    if last == Root::Open {
        before[root] = GOES_ON.ln();
    }
    let mut best: Vec<Option<(usize, f64)>> = vec![None; places.len()];
    for (i, place) in places.iter().enumerate() {
        let Some(next) = place.next.filter(|next| (i + 1..=root).contains(next)) else {
            continue;
        };
        let len = number(places[next].at - place.at);
        let length = match (place.goes_on, last) {
            (true, _) => GOES_ON,
            (false, Root::Open) if next == root => ENDS / (LENGTHS * len),
            (false, _) => 1.0 / (LENGTHS * len),
        };
        let branch = before[i] + (length / chance(places, i)).ln();
        before[next] = sum(before[next], branch);
        if best[next].is_none_or(|(_, likeliest)| branch > likeliest) {
            best[next] = Some((i, branch));
        }
    }
    let (mut place, mut certain) = (root, 0.0);
    while let Some((from, branch)) = best[place] {
        certain += branch - before[place];
        if certain < (-doubt).ln_1p() {
            break;
        }
        place = from;
    }
    Some(place)
}

/// How often other octets look like this place. One of two that stand side by side and lead to the same place is a length that is read
/// too early or too late: their lengths tell nothing of which it is.
fn chance(places: &[Place], i: usize) -> f64 {
    let place = &places[i];
    let near = |other: &&Place| other.at.abs_diff(place.at) < SIDE_BY_SIDE;
    let before = places[..i].iter().rev().take_while(near);
    let behind = places[i..].iter().take_while(near);
    let same = before
        .chain(behind)
        .filter(|other| other.next == place.next);
    same.map(|other| other.chance).fold(place.chance, f64::max)
}

/// How likely this is the first place of all, by its logarithm: the rest of a message stands before it.
fn first(place: &Place) -> f64 {
    let rest = 1.0 / (LENGTHS * (number(place.at) + REST));
    let likely = if place.aligned {
        rest.max(AT_A_SEGMENT)
    } else {
        rest
    };
    likely.ln()
}

/// Places are few enough to be exact.
fn number(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// How often octets were met. Nothing is allocated before any were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Octets {
    counts: Vec<u16>,
    /// All of them together.
    all: u32,
}

impl Octets {
    /// A value that was never met counts so much.
    // What none of a thousand octets is may well be seen once in the next twenty thousand.
    const UNSEEN: f64 = 0.05;

    /// These were met, too.
    pub(super) fn add(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            self.counts.resize(256, 0);
        }
        for octet in octets {
            let count = &mut self.counts[usize::from(*octet)];
            (*count, self.all) = (*count + 1, self.all + 1);
            if *count == u16::MAX {
                for count in &mut self.counts {
                    *count /= 2;
                }
                self.all = self.counts.iter().map(|count| u32::from(*count)).sum();
            }
        }
    }

    /// How often another octet has this value than one that has it and was met.
    pub(super) fn share(&self, octet: u8) -> f64 {
        let count = self.counts.get(usize::from(octet)).copied();
        let others = f64::from(count.unwrap_or(0).saturating_sub(1));
        (others + Self::UNSEEN) / (f64::from(self.all.saturating_sub(1)) + 256.0 * Self::UNSEEN)
    }

    /// Octets allocated.
    pub(super) fn size(&self) -> usize {
        match self.counts.capacity() {
            0 => 0,
            n => allocated(n * size_of::<u16>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at: usize, next: usize, chance: f64) -> Place {
        Place {
            at,
            next: Some(next),
            goes_on: false,
            chance,
            aligned: false,
        }
    }

    #[test]
    fn a_branch_of_seldom_headers_is_believed_as_far_back_as_it_goes() {
        let places = [
            place(5, 1, 1e-7),
            place(50, 3, 1e-6),
            // Octets as they are met everywhere.
            place(90, 3, 0.1),
            Place::root(100),
        ];
        assert_eq!(farthest(&places, Root::Begins, 1e-3), Some(0));
    }

    #[test]
    fn what_is_met_everywhere_proves_nothing() {
        let places = [place(5, 2, 0.01), place(90, 2, 0.01), Place::root(100)];
        assert_eq!(farthest(&places, Root::Begins, 1e-3), Some(2));
        assert_eq!(farthest(&[], Root::Begins, 1e-3), None);
    }

    #[test]
    fn of_two_that_are_as_good_none_is_believed() {
        let places = [place(5, 2, 1e-7), place(9, 2, 1e-7), Place::root(100)];
        assert_eq!(farthest(&places, Root::Begins, 1e-3), Some(2));
    }

    #[test]
    fn a_header_that_can_be_read_in_two_ways_is_believed_where_another_leads_to_it() {
        let two = [place(50, 2, 1e-7), place(54, 2, 1e-3), Place::root(100)];
        assert_eq!(farthest(&two, Root::Begins, 1e-3), Some(2));
        let led = [
            place(5, 2, 1e-7),
            place(50, 3, 1e-7),
            place(54, 3, 1e-5),
            Place::root(100),
        ];
        assert_eq!(farthest(&led, Root::Begins, 1e-3), Some(0));
    }

    #[test]
    fn an_octet_that_is_met_once_is_not_met_elsewhere() {
        let mut octets = Octets::default();
        octets.add(&[0, 0, 0, 7]);
        assert!(octets.share(0) > 0.1 && octets.share(7) < 0.01);
        assert!(octets.share(7) <= octets.share(9));
    }
}
