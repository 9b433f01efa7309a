//! Names that were probably meant.

/// Names as near as this to one that is not known are proposed instead of it (see [`likeness`]).
// What clap takes for options is 0.7; names of protocols are short, and many of them begin alike.
const NEAR: f64 = 0.8;
/// A name that stands in another one is the beginning of it, or a part, where it has so many letters.
const BEGINNING: usize = 2;
const PART: usize = 3;

/// The name among these that was probably meant.
pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    names
        .into_iter()
        .map(|known| (likeness(&name, &known.to_ascii_lowercase()), known))
        .filter(|(near, _)| *near > NEAR)
        // Of several that are as near, the first.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, known)| known)
}

/// How near two names are: over 2 where the second begins with the first, over 1 where it has it in it, the more the shorter it is; else
/// by their letters (Jaro-Winkler), 1 being the same.
pub(super) fn likeness(name: &str, known: &str) -> f64 {
    let share = |whole: f64| whole + 1.0 / (known.len().max(1) as f64);
    if name.len() >= BEGINNING && known.starts_with(name) {
        return share(2.0);
    }
    if name.len() >= PART && known.contains(name) {
        return share(1.0);
    }
    // Two letters that were typed in the wrong order are one mistake, however short the name.
    let letters = |name: &str| {
        let mut letters: Vec<_> = name.chars().collect();
        letters.sort_unstable();
        letters
    };
    let swapped = strsim::damerau_levenshtein(name, known) == 1 && letters(name) == letters(known);
    strsim::jaro_winkler(name, known).max(f64::from(u8::from(swapped)))
}

/// `: did you mean NAME? (ADVICE)`, where there is a name that was probably meant, or `: ADVICE`: no two marks follow each other.
pub(super) fn did_you_mean(name: Option<&str>, advice: &str) -> String {
    match (name, advice) {
        (Some(name), "") => format!(": did you mean {name}?"),
        (Some(name), advice) => format!(": did you mean {name}? ({advice})"),
        (None, "") => String::new(),
        (None, advice) => format!(": {advice}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_proposed() {
        let names = ["http", "https", "dns", "mqtt"];
        assert_eq!(nearest("htpt", names), Some("http"));
        assert_eq!(nearest("DSN", names), Some("dns"));
        assert_eq!(nearest("zzz", names), None);
        // A letter that is missing, and not another one.
        assert_eq!(nearest("htp", ["ntp", "http"]), Some("http"));
        // What was begun, or left out, is meant more than what has other letters.
        let counters = ["tcp.rst", "tcp.lost_octets", "lost.tcp_holes", "tcp.lost"];
        assert_eq!(nearest("tcp.lost_", counters), Some("tcp.lost_octets"));
        assert_eq!(nearest("tcp.los", counters), Some("tcp.lost"));
        assert_eq!(nearest("lost_octets", counters), Some("tcp.lost_octets"));
        assert_eq!(nearest("stat", ["stats", "state"]), Some("stats"));
        assert_eq!(nearest("", names), None);
    }
}
