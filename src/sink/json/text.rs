//! How values are written (RFC 8259).

use std::fmt::Write as _;

pub(crate) fn number(n: Option<u64>, out: &mut String) {
    let _ = match n {
        Some(n) => write!(out, "{n}"),
        None => write!(out, "null"),
    };
}

/// A string (RFC 8259, 7); control characters, DEL and C1 included, are escaped.
pub(crate) fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// RFC 4648, 4.
pub(super) fn base64(octets: &[u8], out: &mut String) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in octets.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            if i > group.len() {
                out.push('=');
            } else {
                let index = (bits >> (18 - 6 * i) & 63) as usize;
                out.push(char::from(ALPHABET[index]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_any_length() {
        for (octets, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            let mut out = String::new();
            base64(octets.as_bytes(), &mut out);
            assert_eq!(out, expected);
        }
    }
}
