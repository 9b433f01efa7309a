//! Media types: by content, and the extensions of files that have no name.

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
];

/// The media type that the beginning of a file shows. UTF-8 without control characters is text.
pub(in super::super) fn by_content(head: &[u8]) -> Option<&'static str> {
    let head = head.get(..ENOUGH).unwrap_or(head);
    if let Some(known) = infer::get(head) {
        return Some(known.mime_type());
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character that is cut at the end.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\x0c' | '\x1b');
    (!text.is_empty() && text.chars().all(plain)).then_some("text/plain")
}

/// The extension of a file that has no name: by its declared type, else by its content.
pub(in super::super) fn extension(media_type: &str, head: &[u8]) -> &'static str {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
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
    match infer::get(head.get(..ENOUGH).unwrap_or(head)) {
        Some(known) => known.extension(),
        None if by_content(head).is_some() => "txt",
        None => "bin",
    }
}
