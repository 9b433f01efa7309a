//! What is wrong with a command line, in the one form of all that goes to stderr: `WHAT: what is wrong: what to do`.

use super::args::command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;

/// Names as near as this to one that is not known are proposed instead of it (Jaro-Winkler, 1 being the same).
// What clap takes for options is 0.7; names of protocols are short, and many of them begin alike.
const NEAR: f64 = 0.8;

/// The name among these that was probably meant.
pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    names
        .into_iter()
        .map(|known| (likeness(&name, &known.to_ascii_lowercase()), known))
        .filter(|(near, _)| *near > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// How near two names are, 1 being the same.
pub(super) fn likeness(name: &str, known: &str) -> f64 {
    // Two letters that were typed in the wrong order are one mistake, however short the name.
    let swapped = strsim::damerau_levenshtein(name, known) == 1 && name.len() == known.len();
    strsim::jaro_winkler(name, known).max(f64::from(u8::from(swapped)))
}

/// `: did you mean NAME?`, where there is a name that was probably meant.
pub(super) fn did_you_mean(name: Option<&str>) -> String {
    name.map_or(String::new(), |name| format!(": did you mean {name}?"))
}

/// A usage error in one line.
pub fn one_line(e: &clap::Error) -> String {
    let text = |kind| match e.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(all)) => Some(all.join(", ")),
        _ => None,
    };
    // `--write <OUTPUT>` is the option and its value's name.
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let option = argument
        .split(['=', ' ', '['])
        .next()
        .unwrap_or_default()
        .to_owned();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let expected = text(ContextKind::ValidValue)
        .filter(|all| !all.is_empty())
        .map_or("--help says what it takes".to_owned(), |all| {
            format!("expected one of {all}")
        });
    match e.kind() {
        ErrorKind::UnknownArgument => {
            let command = command();
            let known: Vec<_> = command
                .get_arguments()
                .filter_map(|a| a.get_long())
                .collect();
            let meant = nearest(argument.trim_start_matches('-'), known);
            let meant = meant.map(|name| format!("--{name}"));
            let meant = did_you_mean(meant.as_deref().filter(|_| argument.starts_with("--")));
            format!("{argument}: there is no such option{meant}: --help shows all")
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            let form = argument.strip_prefix(&option).unwrap_or_default();
            let form = form
                .trim_start_matches([' ', '=', '['])
                .trim_end_matches(']');
            format!("{option}: its value {form} is missing: {expected}")
        }
        ErrorKind::InvalidValue => {
            let meant = text(ContextKind::SuggestedValue);
            let meant = did_you_mean(meant.as_deref());
            format!("{option} {value}: is none of its values{meant}: {expected}")
        }
        ErrorKind::ValueValidation if !option.is_empty() => {
            let why = e.source().map_or(expected, ToString::to_string);
            // What is wrong begins with the value where only a part of it is wrong.
            let why = why.trim_end();
            format!("{option} {value}: {why}")
        }
        ErrorKind::TooManyValues => {
            format!("{option}={value}: the option takes no value: leave ={value} out")
        }
        ErrorKind::ArgumentConflict if !option.is_empty() => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            let other = other.split(['=', ' ', '[']).next().unwrap_or_default();
            if other.is_empty() || other == option {
                format!("{option}: is given twice, or stands alone: leave the rest out")
            } else {
                format!("{option}: does not go with {other}: leave one of them out")
            }
        }
        ErrorKind::MissingRequiredArgument if !option.is_empty() => {
            format!("{option}: is needed for what was asked: add it")
        }
        _ => {
            let text = e.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            text.lines().next().unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse;

    #[test]
    fn usage_errors_have_one_form() {
        for (args, expected) in [
            (
                "--protocol http",
                "--protocol: there is no such option: did you mean --protocols?: --help shows all",
            ),
            (
                "--encap rew",
                "--encap rew: is none of its values: did you mean raw?: expected one of auto, ethernet, raw, pdu",
            ),
            (
                "--tcp-buffer 64X",
                "--tcp-buffer 64X: expected a size: a number, with K, M or G behind it, as 64K or 4MiB",
            ),
            (
                "-p -n",
                "--print: does not go with --no-output: leave one of them out",
            ),
            (
                "-w",
                "--write: its value <OUTPUT> is missing: --help says what it takes",
            ),
            (
                "--json-body",
                "--json-body: its value <FORM> is missing: expected one of none, text, base64",
            ),
            (
                "--hash=3",
                "--hash=3: the option takes no value: leave =3 out",
            ),
            (
                "--dump-name x",
                "--dump: is needed for what was asked: add it",
            ),
            (
                "--man --hash",
                "--man: is given twice, or stands alone: leave the rest out",
            ),
            (
                "--connection foo",
                "--connection foo: \"foo\": expected a connection as 3 or tcp:3",
            ),
        ] {
            let words = std::iter::once("inet-asm").chain(args.split(' '));
            let Err(e) = parse(words.map(Into::into), false) else {
                panic!("{args}: no error")
            };
            let line = one_line(&e);
            assert!(line.starts_with(expected), "{args}: {line}");
            assert!(!line.contains('\n'));
        }
    }

    #[test]
    fn near_names_are_proposed() {
        let names = ["http", "https", "dns", "mqtt"];
        assert_eq!(nearest("htpt", names), Some("http"));
        assert_eq!(nearest("DSN", names), Some("dns"));
        assert_eq!(nearest("zzz", names), None);
    }
}
