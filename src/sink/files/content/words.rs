//! Characters that are no ASCII in header fields: encoded words (RFC 2047), and the character sets that they name.

use super::decode;
use bstr::ByteSlice;
use encoding_rs::Encoding;
use std::io::Read;

/// Text with its encoded words decoded, as UTF-8; all else stays. White space between two encoded words is left out (RFC 2047, 6.2).
pub(in super::super) fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut behind_word = false;
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        let Some((word, behind)) = word(from) else {
            out.extend_from_slice(&rest[..at + 2]);
            rest = &rest[at + 2..];
            behind_word = false;
            continue;
        };
        if !behind_word || !before.trim_ascii().is_empty() {
            out.extend_from_slice(before);
        }
        out.extend(word);
        rest = behind;
        behind_word = true;
    }
    out.extend_from_slice(rest);
    out
}

/// `=?CHARSET?ENCODING?TEXT?=` at the beginning: its text as UTF-8, and what follows it.
fn word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (charset, rest) = text.strip_prefix(b"=?")?.split_once_str("?")?;
    let (encoding, rest) = rest.split_once_str("?")?;
    let (coded, rest) = rest.split_once_str("?=")?;
    let token = |t: &[u8]| !t.is_empty() && t.iter().all(u8::is_ascii_graphic);
    // A language may stand behind the character set (RFC 2231, 5).
    let charset = charset.split_str("*").next().unwrap_or_default();
    if !token(charset) {
        return None;
    }
    let octets = match encoding {
        b"b" | b"B" => undone("base64", coded)?,
        // Its underscore is a space, and it has no lines.
        b"q" | b"Q" => undone("quoted-printable", &coded.replace("_", "=20"))?,
        _ => return None,
    };
    Some((utf8(charset, octets), rest))
}

fn undone(coding: &str, coded: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let codings = [coding.to_owned()];
    decode::undo(&codings, coded)
        .read_to_end(&mut octets)
        .ok()
        .map(|_| octets)
}

/// Octets in a character set as UTF-8; as they are where nobody knows it.
pub(in crate::sink) fn utf8(charset: &[u8], octets: Vec<u8>) -> Vec<u8> {
    match Encoding::for_label(charset) {
        Some(encoding) if encoding != encoding_rs::UTF_8 => {
            let (text, _) = encoding.decode_without_bom_handling(&octets);
            text.into_owned().into_bytes()
        }
        _ => octets,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words() {
        for (text, expected) in [
            ("plain =? text ?=", "plain =? text ?="),
            ("=?utf-8?Q?a_b=3F?= c", "a b? c"),
            ("=?iso-8859-1?q?=e9?=\t =?utf-8?b?w6k=?=", "éé"),
            ("x=?utf-8*en?b?w6k?=y", "xéy"),
            ("=?shift_jis?B?k/qWew==?=.txt", "日本.txt"),
            ("=?koi8-r?B?8M/T?=", "Пос"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?b?*?=", "=?utf-8?b?*?="),
            ("=?no-such-set?q?a=41?=", "aA"),
            ("=?", "=?"),
            ("", ""),
        ] {
            let found = decoded(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), expected, "{text}");
        }
    }
}
