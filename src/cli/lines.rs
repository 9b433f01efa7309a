//! Lines that fit a terminal.

use rustix::fd::AsFd;

/// Columns of a terminal; None for anything else.
pub(super) fn width(of: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(of).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Words in lines of so many columns, of which all but the first begin with `indent` of them. The first line has that many columns
/// before it already. Words that are too long for a line stand in one of their own.
pub(super) fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    // A column of a few letters is harder to read than lines that the terminal breaks.
    const NARROW: usize = 20;
    let Some(room) = width.and_then(|all| all.checked_sub(indent)) else {
        return text.to_owned();
    };
    if room < NARROW {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let (mut used, mut begun) = (0, false);
    for word in text.split(' ') {
        let len = word.chars().count();
        if begun && used + 1 + len > room {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        } else if begun {
            out.push(' ');
            used += 1;
        }
        begun = true;
        out.push_str(word);
        used += len;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_behind_their_column() {
        let text = "one two three four five six seven eight nine ten";
        assert_eq!(wrapped(text, 4, None), text);
        assert_eq!(wrapped(text, 4, Some(20)), text);
        assert_eq!(
            wrapped(text, 4, Some(30)),
            "one two three four five\n    six seven eight nine ten"
        );
        assert_eq!(wrapped("", 4, Some(30)), "");
        assert_eq!(wrapped(" a b", 4, Some(30)), " a b");
        let long = "a".repeat(40);
        assert_eq!(
            wrapped(&format!("b {long} c"), 0, Some(30)),
            format!("b\n{long}\nc")
        );
    }
}
