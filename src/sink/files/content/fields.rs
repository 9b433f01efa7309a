//! Header sections: of a message (RFC 9112, 5), and of a part of a body (RFC 2046, 5.1).

use super::super::transfer::{FileInfo, NameFrom, kept};
use super::disposition;
use bstr::ByteSlice;

/// Codings that are listed of one file; a sender may name any number.
const CODINGS: usize = 16;

/// A header section, parted into lines.
pub(in super::super) struct HeaderFields<'a> {
    /// Names and values.
    lines: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> HeaderFields<'a> {
    /// The fields of a section; lines without a colon are left out.
    pub(in super::super) fn read(head: &'a [u8]) -> Self {
        // The last line has an end too: without it, it may be cut.
        let whole = head.rfind_byte(b'\n').map_or(&[][..], |end| &head[..end]);
        let fields = whole
            .split_str("\n")
            .filter_map(|line| line.split_once_str(":"));
        let lines = fields.map(|(name, value)| (name.trim_ascii(), value.trim_ascii()));
        Self {
            lines: lines.collect(),
        }
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
