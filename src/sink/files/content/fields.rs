//! Header sections: of a message (RFC 9112, 5), and of a part of a body (RFC 2046, 5.1).

use super::super::transfer::{FileInfo, NameFrom, kept};
use super::disposition;
use bstr::ByteSlice;
use std::borrow::Cow;

/// Codings that are listed of one file; a sender may name any number.
const CODINGS: usize = 16;

/// A header section, parted into fields.
pub(in super::super) struct HeaderFields<'a> {
    /// Names and values.
    lines: Vec<(&'a [u8], Cow<'a, [u8]>)>,
}

impl<'a> HeaderFields<'a> {
    /// The fields of a section; lines without a colon are left out. A line that begins with white space goes on with the field before
    /// it (RFC 5322, 2.2.3; RFC 9112, 5.2).
    pub(in super::super) fn read(head: &'a [u8]) -> Self {
        // The last line has an end too: without it, it may be cut.
        let whole = head.rfind_byte(b'\n').map_or(&[][..], |end| &head[..end]);
        let mut lines: Vec<(&[u8], Cow<'_, [u8]>)> = Vec::new();
        // Whether the last field is that of the line before.
        let mut open = false;
        for line in whole.split_str("\n") {
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                if let Some((_, value)) = lines.last_mut().filter(|_| open) {
                    let value = value.to_mut();
                    if !value.is_empty() {
                        value.push(b' ');
                    }
                    value.extend_from_slice(line.trim_ascii());
                }
                continue;
            }
            open = false;
            if let Some((name, value)) = line.split_once_str(":") {
                lines.push((name.trim_ascii(), Cow::Borrowed(value.trim_ascii())));
                open = true;
            }
        }
        Self { lines }
    }

    /// Values of a field, in order.
    fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self
            .lines
            .iter()
            .filter(move |l| l.0.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|l| &*l.1)
    }

    /// The first value of a field.
    pub(in super::super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// What the header section of a part says about a file. Other than that of a message it may say how the part is encoded (RFC
    /// 2045, 6), and where it says no file name, its type may have one (RFC 2046, 4.5.1), or its location (RFC 2557, 4.2).
    pub(in super::super) fn describe_part(&self, about: &mut FileInfo) {
        self.describe(about);
        if about.name.is_none() {
            let of_type = self
                .get("content-type")
                .and_then(|value| disposition::text_parameter(kept(value), "name"))
                .map(|name| (name, NameFrom::ContentType));
            let location = self.get("content-location").and_then(|url| {
                let name = disposition::name_of_url(kept(url))?;
                Some((name, NameFrom::Url))
            });
            about.name = of_type.or(location);
        }
        if let Some(value) = self.get("content-transfer-encoding") {
            let coding = kept(value).to_str_lossy().to_ascii_lowercase();
            let none = matches!(coding.as_str(), "" | "7bit" | "8bit" | "binary");
            if !none && about.codings.len() < CODINGS {
                about.codings.push(coding);
            }
        }
    }

    /// What a header section says about a file. A name in it goes before the one that is known.
    pub(in super::super) fn describe(&self, about: &mut FileInfo) {
        let text = |value: &[u8]| kept(value).to_str_lossy().into_owned();
        if let Some(value) = self.get("content-type") {
            about.media_type = text(value);
        }
        if let Some(value) = self.get("content-disposition")
            && let Some(name) = disposition::filename(kept(value))
        {
            about.name = Some((name, NameFrom::ContentDisposition));
        }
        let content = self.all("content-encoding");
        let transfer = self.all("transfer-encoding");
        for value in content.chain(transfer) {
            for coding in value.split(|o| *o == b',').map(<[u8]>::trim_ascii) {
                let coding = text(coding).to_ascii_lowercase();
                let none = matches!(coding.as_str(), "" | "identity" | "chunked");
                if !none && about.codings.len() < CODINGS {
                    about.codings.push(coding);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_folded_are_one() {
        let head = b"GET / HTTP/1.1\r\n folded start line\r\nA: b;\r\n\tc=\"d\"\r\n  ;e\r\nno colon\r\n x\r\nF:\r\n g\r\nCut";
        let fields = HeaderFields::read(head);
        assert_eq!(fields.get("a"), Some(&b"b; c=\"d\" ;e"[..]));
        assert_eq!(fields.get("f"), Some(&b"g"[..]));
        assert_eq!(fields.lines.len(), 2);
    }
}
