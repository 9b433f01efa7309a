//! Header sections: of a message (RFC 9112, 5), and of a part of a body (RFC 2046, 5.1).

use super::super::transfer::{FileInfo, NameFrom, kept};
use super::{decode, disposition};
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
        // Its messages are compressed one by one, before all else.
        let of_grpc = self.get("grpc-encoding");
        let of_grpc = of_grpc.and_then(|value| decode::of_grpc(&about.media_type, value));
        about.codings.extend(of_grpc.map(str::to_owned));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_folded_are_one() {
        let head = b"GET / HTTP/1.1\r\n folded start line\r\nA: b;\r\n\tc=\"d\"\r\n  ;e\r\nno colon\r\n x\r\nF:\r\n g\r\nCut";
        let fields = HeaderFields::read(head);
        assert_eq!(fields.get("a"), Some(&b"b; c=\"d\" ;e"[..]));
        assert_eq!(fields.get("f"), Some(&b"g"[..]));
        assert_eq!(fields.fields.len(), 2);
    }
}
