//! Header sections: of a message (RFC 9112, 5), and of a part of a body (RFC 2046, 5.1).

use super::super::transfer::{FileInfo, NameFrom, kept};
use super::disposition;
use memchr::memchr;

/// Codings that are listed of one file.
const CODINGS: usize = 16;

/// A header section, parted into lines.
pub(in super::super) struct HeaderFields<'a> {
    /// Names and values.
    lines: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> HeaderFields<'a> {
    /// The fields of a section; lines that are none are left out.
    pub(in super::super) fn read(head: &'a [u8]) -> Self {
        let mut rest = head;
        let mut lines = Vec::new();
        while let Some(end) = memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if let Some(colon) = memchr(b':', line) {
                lines.push((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()));
            }
        }
        Self { lines }
    }

    /// Values of a field, in order.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self
            .lines
            .iter()
            .filter(move |l| l.0.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|l| l.1)
    }

    /// The first value of a field.
    pub(in super::super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// What a header section says about a file. A name in it goes before the one that is known.
    pub(in super::super) fn describe(&self, about: &mut FileInfo) {
        let text = |value: &[u8]| String::from_utf8_lossy(kept(value)).into_owned();
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
