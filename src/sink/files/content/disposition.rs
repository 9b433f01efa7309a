//! File names in `Content-Disposition` (RFC 6266, RFC 7578), with their character sets (RFC 8187).

use bstr::ByteSlice;

/// The name that a value of `Content-Disposition` gives, as UTF-8 where it says what it is in. `filename*` goes before
/// `filename`.
pub(in super::super) fn filename(value: &[u8]) -> Option<Vec<u8>> {
    let mut plain = None;
    for (name, value) in parameters(value) {
        if name.eq_ignore_ascii_case(b"filename*")
            && let Some(name) = extended(&value)
        {
            return Some(name);
        }
        if name.eq_ignore_ascii_case(b"filename") && plain.is_none() {
            plain = Some(value);
        }
    }
    plain
}

/// A parameter of a field's value, by its name.
pub(in super::super) fn parameter(value: &[u8], wanted: &str) -> Option<Vec<u8>> {
    parameters(value)
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
        .map(|(_, value)| value)
}

/// The parameters behind the first word of a value: names, and values without their quotation marks.
fn parameters(value: &[u8]) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
    let mut rest = behind_semicolon(value);
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_ascii_start();
            let end = rest.find_byteset(b"=;")?;
            let (name, behind) = rest.split_at(end);
            if behind.first() == Some(&b';') {
                rest = &behind[1..];
                continue;
            }
            let (value, behind) = word(behind[1..].trim_ascii_start());
            rest = behind_semicolon(behind);
            return Some((name.trim_ascii(), value));
        }
    })
}

fn behind_semicolon(text: &[u8]) -> &[u8] {
    text.split_once_str(";").map_or(b"", |(_, behind)| behind)
}

/// A token or a quoted string, and what follows it. A backslash that stands before anything but a quotation mark or a
/// backslash stays: some senders put paths there.
fn word(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.find_byte(b';').unwrap_or(text.len());
        return (text[..end].trim_ascii().to_vec(), &text[end..]);
    };
    let mut value = Vec::new();
    let mut at = 0;
    while let Some(&octet) = quoted.get(at) {
        match (octet, quoted.get(at + 1)) {
            (b'"', _) => return (value, &quoted[at + 1..]),
            (b'\\', Some(&next @ (b'"' | b'\\'))) => {
                value.push(next);
                at += 2;
            }
            _ => {
                value.push(octet);
                at += 1;
            }
        }
    }
    (value, b"")
}

/// Undoes percent-encoding (RFC 3986, 2.1); a percent sign without two digits stays.
pub(in super::super) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(text).collect()
}

/// `charset'language'percent-encoded` (RFC 8187, 3.2) as UTF-8.
fn extended(value: &[u8]) -> Option<Vec<u8>> {
    let (charset, rest) = value.split_once_str("'")?;
    let (_language, text) = rest.split_once_str("'")?;
    let octets = percent_decoded(text);
    if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        return Some(
            octets
                .iter()
                .map(|o| char::from(*o))
                .collect::<String>()
                .into_bytes(),
        );
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs() {
        assert_eq!(percent_decoded(b"a%20b%2Fc%zz%4"), b"a b/c%zz%4");
        assert_eq!(percent_decoded(b"%%41%4%41%"), b"%A%4A%");
    }

    #[test]
    fn file_names() {
        for (value, expected) in [
            (&br#"attachment; filename="a b.txt""#[..], Some("a b.txt")),
            (b"attachment; filename=a.txt", Some("a.txt")),
            (b"attachment;FILENAME = a.txt ; x=y", Some("a.txt")),
            (
                br#"attachment; filename="a;b\"c\\d.txt""#,
                Some("a;b\"c\\d.txt"),
            ),
            (
                br#"form-data; name="f"; filename="C:\tmp\a.txt""#,
                Some("C:\\tmp\\a.txt"),
            ),
            (
                b"attachment; filename*=UTF-8''%e2%82%ac%20rates",
                Some("€ rates"),
            ),
            (
                b"attachment; filename=EURO; filename*=utf-8'en'%e2%82%ac",
                Some("€"),
            ),
            (
                b"attachment; filename*=iso-8859-1''%e9t%e9; filename=x",
                Some("été"),
            ),
            (b"attachment; filename*=broken; filename=x", Some("x")),
            (b"inline; foo; filename=x", Some("x")),
            (br#"attachment; filename="cut"#, Some("cut")),
            (br#"attachment; filename="""#, Some("")),
            (b"attachment", None),
            (b"attachment; filenames=x", None),
            (b"", None),
        ] {
            let found = filename(value);
            let shown = String::from_utf8_lossy(value);
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{shown}");
        }
        assert_eq!(
            parameter(br#"multipart/form-data; boundary="a b""#, "boundary"),
            Some(b"a b".to_vec())
        );
    }
}
