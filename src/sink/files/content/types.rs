//! Media types: by content, and the extensions of files that have no name.

use super::super::transfer::{CERTIFICATE, MAIL};

/// Octets of a file's beginning that are looked at: the signatures of nearly all types stand there.
pub(in super::super) const ENOUGH: usize = 8 << 10;

/// Extensions by declared media type, for types that cannot be recognized by content.
const DECLARED: &[(&str, &str)] = &[
    ("text/html", "html"),
    ("application/xhtml+xml", "html"),
    ("text/plain", "txt"),
    ("text/css", "css"),
    ("text/csv", "csv"),
    ("text/javascript", "js"),
    ("application/javascript", "js"),
    ("application/x-javascript", "js"),
    ("application/json", "json"),
    ("text/json", "json"),
    ("text/xml", "xml"),
    ("application/xml", "xml"),
    ("image/svg+xml", "svg"),
    ("application/x-www-form-urlencoded", "form"),
    ("application/ocsp-request", "orq"),
    ("application/ocsp-response", "ors"),
    ("application/pkix-crl", "crl"),
    ("application/pkix-cert", "cer"),
    ("application/vnd.apple.mpegurl", "m3u8"),
    ("application/x-mpegurl", "m3u8"),
    ("application/dash+xml", "mpd"),
    ("video/mp2t", "ts"),
    ("font/ttf", "ttf"),
    (MAIL, "eml"),
    (CERTIFICATE, "der"),
];

/// What the beginning of a file shows.
#[derive(Clone, Copy)]
pub(in super::super) struct Found {
    /// Media type, if the content tells one. UTF-8 without control characters is text.
    pub(in super::super) media_type: Option<&'static str>,
    /// The extension for it.
    extension: &'static str,
}

/// Looks at the beginning of a file.
pub(in super::super) fn by_content(head: &[u8]) -> Found {
    let head = head.get(..ENOUGH).unwrap_or(head);
    let (media_type, extension) = match infer::get(head) {
        Some(known) => (Some(known.mime_type()), known.extension()),
        None if is_text(head) => (Some("text/plain"), "txt"),
        None => (None, "bin"),
    };
    Found {
        media_type,
        extension,
    }
}

/// UTF-8 without control characters.
fn is_text(head: &[u8]) -> bool {
    let spaces = |c: char| matches!(c, '\n' | '\r' | '\t' | '\x0c' | '\x1b');
    // Nearly always ASCII, which is looked at many octets at a time.
    let plain = |octet: u8| matches!(octet, b' '..=b'~') | spaces(octet.into());
    let all_plain = |octets: &[u8]| octets.iter().fold(true, |all, octet| all & plain(*octet));
    if head.chunks(64).all(all_plain) {
        return !head.is_empty();
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character that is cut at the end.
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || spaces(c))
}

/// A media type without its parameters (RFC 9110, 8.3.1).
pub(in super::super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// The extension of a file that has no name: by its declared type, else by its content.
pub(in super::super) fn extension(media_type: &str, found: Found) -> &'static str {
    let essence = essence(media_type);
    let declared = DECLARED
        .iter()
        .find(|(name, _)| essence.eq_ignore_ascii_case(name));
    if let Some((_, extension)) = declared {
        return extension;
    }
    if essence
        .get(..10)
        .is_some_and(|top| top.eq_ignore_ascii_case("multipart/"))
    {
        return "mime";
    }
    found.extension
}
