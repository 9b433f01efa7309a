//! Names in certificates (RFC 5280).

#[cfg(feature = "certificates")]
use x509_cert::{Certificate, der::Decode};

/// Octets of a subject that are kept.
#[cfg(feature = "certificates")]
const SUBJECT: usize = 1024;

/// The subject of a certificate in DER, as text (RFC 4514). None where it cannot be read.
#[cfg(feature = "certificates")]
pub(super) fn subject(der: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(der).ok()?;
    let text = certificate.tbs_certificate().subject().to_string();
    Some(cut(text))
}

/// Its common name, if it has one.
#[cfg(feature = "certificates")]
pub(super) fn common_name(der: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(der).ok()?;
    let subject = certificate.tbs_certificate().subject();
    let name = subject.common_name().ok()??;
    let text = String::from(name);
    (!text.is_empty()).then(|| cut(text))
}

/// Without the crate for it no certificate is read.
#[cfg(not(feature = "certificates"))]
pub(super) fn subject(_: &[u8]) -> Option<String> {
    None
}

/// As [`subject`].
#[cfg(not(feature = "certificates"))]
pub(super) fn common_name(_: &[u8]) -> Option<String> {
    None
}

/// As much of a text as is kept.
#[cfg(feature = "certificates")]
fn cut(mut text: String) -> String {
    let mut end = SUBJECT.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
