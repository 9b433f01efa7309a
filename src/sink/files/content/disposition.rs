//! File names in `Content-Disposition` (RFC 6266, RFC 7578), with their character sets (RFC 8187, RFC 2231).

use super::words;
use bstr::ByteSlice;

/// The name that a value of `Content-Disposition` gives, as UTF-8 where it says what it is in. `filename*` goes before
/// `filename`.
pub(in super::super) fn filename(value: &[u8]) -> Option<Vec<u8>> {
    text_parameter(value, "filename")
}

/// A parameter of a field's value, by its name.
pub(in crate::sink) fn parameter(value: &[u8], wanted: &str) -> Option<Vec<u8>> {
    parameters(value)
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
        .map(|(_, value)| value)
}

/// A parameter that is text, as UTF-8 where it says what it is in: in its extended form (RFC 8187), in sections (RFC 2231, 3), or
/// plain, where encoded words are undone (RFC 2047), which stand there against the rules but often.
pub(in super::super) fn text_parameter(value: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let (mut plain, mut sections) = (None, Vec::new());
    for (name, value) in parameters(value) {
        let Some((own, rest)) = name
            .split_at_checked(wanted.len())
            .filter(|(own, _)| own.eq_ignore_ascii_case(wanted.as_bytes()))
        else {
            continue;
        };
        debug_assert_eq!(own.len(), wanted.len());
        if rest.is_empty() {
            plain.get_or_insert(value);
        } else if rest == b"*" {
            if let Some(name) = extended(&value) {
                return Some(name);
            }
        } else if let Some((number, coded)) = section(rest)
            && sections.len() < SECTIONS
        {
            sections.push((number, coded, value));
        }
    }
    joined(sections).or_else(|| plain.map(|text| words::decoded(&text)))
}

/// Sections that one value may come in; file names take a handful.
const SECTIONS: usize = 256;

/// `*NUMBER` or `*NUMBER*`: the number of a section, and whether it is percent-encoded.
fn section(rest: &[u8]) -> Option<(u32, bool)> {
    let rest = rest.strip_prefix(b"*")?;
    let (digits, coded) = match rest.strip_suffix(b"*") {
        Some(digits) => (digits, true),
        None => (rest, false),
    };
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, coded))
}

/// A value of its sections, in the order of their numbers from 0 on, as far as none is missing. The first one says what
/// characters all are in.
fn joined(mut sections: Vec<(u32, bool, Vec<u8>)>) -> Option<Vec<u8>> {
    sections.sort_by_key(|section| section.0);
    let (mut octets, mut charset) = (Vec::new(), None);
    for (expected, (number, coded, value)) in (0..).zip(sections) {
        if number != expected {
            break;
        }
        let mut text = &value[..];
        if coded && number == 0 {
            let (name, rest) = text.split_once_str("'")?;
            charset = Some(name.to_vec());
            text = rest.split_once_str("'")?.1;
        }
        if coded {
            octets.extend(percent_decoded(text));
        } else {
            octets.extend_from_slice(text);
        }
    }
    match charset {
        _ if octets.is_empty() => None,
        Some(charset) => Some(words::utf8(&charset, octets)),
        None => Some(words::decoded(&octets)),
    }
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

/// The last part of a URL's path; None where it is empty.
pub(in super::super) fn name_of_url(url: &[u8]) -> Option<Vec<u8>> {
    let path = url.find_byteset(b"?#").map_or(url, |end| &url[..end]);
    // The path begins behind the host.
    let path = match path.split_once_str("://") {
        Some((_, host_and_path)) => host_and_path.split_once_str("/")?.1,
        None => path,
    };
    let last = path.rsplit_once_str("/").map_or(path, |(_, last)| last);
    (!last.is_empty()).then(|| percent_decoded(last))
}

/// Undoes percent-encoding (RFC 3986, 2.1); a percent sign without two digits stays.
pub(in crate::sink) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(text).collect()
}

/// `charset'language'percent-encoded` (RFC 8187, 3.2) as UTF-8.
fn extended(value: &[u8]) -> Option<Vec<u8>> {
    let (charset, rest) = value.split_once_str("'")?;
    let (_language, text) = rest.split_once_str("'")?;
    Some(words::utf8(charset, percent_decoded(text)))
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
            (
                b"attachment; filename*=windows-1251''%cf%e8%f1%fc%ec%ee.txt",
                Some("Письмо.txt"),
            ),
            // RFC 2231: sections, in any order, of which some are encoded.
            (
                b"attachment; filename*0=\"a long \"; filename*1=name.txt",
                Some("a long name.txt"),
            ),
            (
                b"attachment; filename*1*=%c3%a4; filename*2=\"%41.txt\"; filename*0*=utf-8'en'gro%c3%9f",
                Some("großä%41.txt"),
            ),
            (
                b"attachment; filename*0*=iso-8859-1''gr%f6%df; filename*1*=%65; filename*3*=x",
                Some("größe"),
            ),
            // RFC 2047: encoded words.
            (
                b"attachment; filename=\"=?utf-8?B?R3LDtsOfZQ==?= =?UTF-8?q?_=28b=29?=.txt\"",
                Some("Größe (b).txt"),
            ),
            (
                b"attachment; filename==?iso-8859-1?Q?=E9t=E9=2Epdf?=",
                Some("été.pdf"),
            ),
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
