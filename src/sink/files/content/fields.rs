//! Header sections: of a message (RFC 9112, 5), and of a part of a body (RFC 2046, 5.1).

use super::super::transfer::{FileInfo, NameFrom, kept};
use super::disposition;
use crate::message::{HttpHead, HttpStart, read_fields, read_head};
use bstr::ByteSlice;
use std::borrow::Cow;

/// Codings that are listed of one file; a sender may name any number.
const CODINGS: usize = 16;

/// A header section, parted into fields.
pub(in super::super) struct HeaderFields<'a> {
    fields: Vec<Field<'a>>,
}

/// Name and value of one.
type Field<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> HeaderFields<'a> {
    /// The fields of a section without a start line; lines without a colon are left out, and folded ones are one.
    pub(in super::super) fn read(head: &'a [u8]) -> Self {
        // The last line has an end too: without it, it may be cut.
        let whole = head.rfind_byte(b'\n').map_or(&[][..], |end| &head[..=end]);
        let mut fields = Vec::new();
        read_fields(whole, |name, value| fields.push((name, value)));
        Self { fields }
    }

    /// The start line of a message of HTTP, and its fields.
    pub(in super::super) fn of_message(head: &'a [u8]) -> (Option<HttpStart<'a>>, Self) {
        let mut fields = Vec::new();
        match read_head(head, |name, value| fields.push((name, value))) {
            HttpHead::Whole(start, _) => (Some(start), Self { fields }),
            // A request of HTTP/0.9 is a line alone.
            HttpHead::Cut | HttpHead::None => {
                let end = head.find_byte(b'\n').unwrap_or(head.len());
                let start = HttpStart::of_line(&head[..end]);
                (start, Self { fields: Vec::new() })
            }
        }
    }

    /// Values of a field, in order.
    fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self
            .fields
            .iter()
            .filter(move |l| l.0.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|l| &*l.1)
    }

    /// The first value of a field.
    pub(in super::super) fn get(&self, name: &str) -> Option<&[u8]> {
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
                // What follows the word has no meaning to anybody.
                let end = coding
                    .find_byteset(b"; \t\x0b\x0c\0")
                    .unwrap_or(coding.len());
                let coding = text(&coding[..end]).to_ascii_lowercase();
                let none = matches!(coding.as_str(), "" | "identity" | "chunked");
                if !none && about.codings.len() < CODINGS {
                    about.codings.push(coding);
                }
            }
        }
    }
}
