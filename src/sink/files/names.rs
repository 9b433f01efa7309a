//! Names of files, made from what a network sent so that they do no harm.

/// Octets of a name, with all that is put behind it: file systems take 255.
// 55 fewer, for `.part`, a number and a range behind it.
pub(super) const LONGEST: usize = 200;
/// Longest extension that is kept where a name is cut.
const EXTENSION: usize = 32;

/// Names of devices on Windows, with any extension.
const RESERVED: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// A name that stands in one folder whatever the system, from octets that somebody sent: the last part of a path, without
/// what could act on a shell, a terminal or a file system. None where nothing is left.
pub(super) fn safe(sent: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(sent);
    // Both slashes, since a name made here may be opened on Windows.
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name: String = last
        .chars()
        .map(|c| if harmful(c) { '_' } else { c })
        .collect();
    // Also the names `.` and `..` vanish here.
    // Windows drops dots and spaces at the end.
    name.truncate(name.trim_end_matches(['.', ' ']).len());
    let name = name.trim_start();
    if name.is_empty() {
        return None;
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    // `CON`, `con.txt` and `con .x` are all the device.
    let lower = stem.to_lowercase();
    let numbered = lower
        .strip_prefix("com")
        .or_else(|| lower.strip_prefix("lpt"))
        .is_some_and(|n| {
            let mut digits = n.chars();
            let digit = digits
                .next()
                .is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c));
            digit && digits.next().is_none()
        });
    // A leading dot hides a file, a dash looks like an option, a tilde like a home folder.
    let hidden = name.starts_with(['.', '-', '~']);
    let reserved = numbered || RESERVED.contains(&lower.as_str());
    let name = if hidden || reserved {
        format!("_{name}")
    } else {
        name.to_owned()
    };
    Some(fit(&name, ""))
}

/// Acts on a terminal, a shell or a file system, or shows another name than there is: control characters, what Windows
/// forbids, marks that change the direction of text, and what was no UTF-8.
fn harmful(c: char) -> bool {
    c.is_control()
        // U+FFFD is what invalid UTF-8 has become.
        || "<>:\"|?*\u{fffd}".contains(c)
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

/// The `number`th name of its kind, with `suffix` (`.part`) behind it: `a.txt`, `a-1.txt`, `a-2.txt.part`.
pub(super) fn numbered(name: &str, number: u32, suffix: &str) -> String {
    if number == 0 {
        return fit(name, suffix);
    }
    let (stem, extension) = split(name);
    let tail = format!("-{number}{extension}{suffix}");
    format!("{}{tail}", cut(stem, LONGEST - tail.len()))
}

/// The name of a range of a file, by its first octet and its last: `a.10-19.txt`.
pub(super) fn of_range(name: &str, first: u64, last: u64) -> String {
    let (stem, extension) = split(name);
    let tail = format!(".{first}-{last}{extension}");
    format!("{}{tail}", cut(stem, LONGEST - tail.len()))
}

/// A name that is cut to its length, its extension and the suffix kept.
fn fit(name: &str, suffix: &str) -> String {
    if name.len() + suffix.len() <= LONGEST {
        return format!("{name}{suffix}");
    }
    let (stem, extension) = split(name);
    let stem = cut(stem, LONGEST - extension.len() - suffix.len());
    format!("{stem}{extension}{suffix}")
}

/// The longest beginning that is no longer than `len` octets.
fn cut(text: &str, len: usize) -> &str {
    let mut end = len.min(text.len());
    // Never inside of a character, or the name would be no UTF-8.
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A name and its extension, which begins with the dot; `.tar.gz` and the like are one.
pub(super) fn split(name: &str) -> (&str, &str) {
    let sound = |e: &str| {
        // What is long or odd behind the last dot is no extension, and must not be kept at the cost
        // of the name.
        !e.is_empty() && e.len() < EXTENSION && e.chars().all(|c| c.is_ascii_alphanumeric())
    };
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && sound(extension) => {
            let stem = match stem.strip_suffix(".tar") {
                Some(shorter) if !shorter.is_empty() => shorter,
                _ => stem,
            };
            name.split_at(stem.len())
        }
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_do_no_harm() {
        for (sent, expected) in [
            (&b"a.txt"[..], Some("a.txt")),
            (b"../../etc/passwd", Some("passwd")),
            (b"..\\..\\boot.ini", Some("boot.ini")),
            (b"C:\\a\\b.txt", Some("b.txt")),
            (b"/", None),
            (b"", None),
            (b".", None),
            (b"..", None),
            (b"a/..", None),
            (b" . .", None),
            (b"-rf", Some("_-rf")),
            (b".bashrc", Some("_.bashrc")),
            (b"~root", Some("_~root")),
            (b"a\0b", Some("a_b")),
            (b"\x1b]0;x\x07.txt", Some("_]0;x_.txt")),
            (b"a\r\nb", Some("a__b")),
            (b"CON", Some("_CON")),
            (b"con.txt", Some("_con.txt")),
            (b"Aux .c", Some("_Aux .c")),
            (b"com1", Some("_com1")),
            ("LPT¹.x".as_bytes(), Some("_LPT¹.x")),
            (b"com10", Some("com10")),
            (b"console", Some("console")),
            (b"a:b", Some("a_b")),
            (b"a.txt. .", Some("a.txt")),
            ("gpj.\u{202e}exe".as_bytes(), Some("gpj._exe")),
            (b"\xff\xfe", Some("__")),
            ("Größe.txt".as_bytes(), Some("Größe.txt")),
        ] {
            let shown = sent.escape_ascii();
            assert_eq!(safe(sent).as_deref(), expected, "{shown}");
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = safe(format!("{}.tar.gz", "ä".repeat(150)).as_bytes()).unwrap();
        assert!(
            name.len() <= LONGEST && name.len() > LONGEST - 2,
            "{}",
            name.len()
        );
        assert!(name.ends_with("ä.tar.gz"));
        let name = safe(format!("a.{}", "b".repeat(400)).as_bytes()).unwrap();
        assert_eq!(name.len(), LONGEST);
    }

    #[test]
    fn numbers_stand_before_the_extension() {
        for (name, number, suffix, expected) in [
            ("a.txt", 0, "", "a.txt"),
            ("a.txt", 1, "", "a-1.txt"),
            ("a.txt", 2, ".part", "a-2.txt.part"),
            ("a.tar.gz", 3, "", "a-3.tar.gz"),
            ("a", 1, "", "a-1"),
            ("_.x", 1, "", "_-1.x"),
        ] {
            assert_eq!(numbered(name, number, suffix), expected);
        }
    }

    #[test]
    fn ranges_stand_before_the_extension() {
        assert_eq!(of_range("a.txt", 0, 9), "a.0-9.txt");
        assert_eq!(of_range("a.tar.gz", 10, 19), "a.10-19.tar.gz");
        assert_eq!(of_range("a", 0, 0), "a.0-0");
        let long = of_range(&format!("{}.html", "x".repeat(195)), 1 << 61, 1 << 62);
        assert!(
            long.len() == LONGEST
                && long.ends_with("x.2305843009213693952-4611686018427387904.html")
        );
    }

    proptest! {
        #[test]
        fn any_octets_give_one_short_part_of_a_path(sent in prop::collection::vec(any::<u8>(), 0..400), number in any::<u32>()) {
            if let Some(name) = safe(&sent) {
                for name in [numbered(&name, number, ".part"), numbered(&name, 0, ""), name] {
                    prop_assert!(!name.is_empty() && name.len() <= LONGEST);
                    prop_assert!(!name.starts_with(['.', '-', ' ']) && !name.contains(['/', '\\', '\0']));
                    prop_assert!(!name.chars().any(char::is_control));
                }
            }
        }
    }
}
