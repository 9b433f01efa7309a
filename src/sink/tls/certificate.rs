//! Certificates that come compressed (RFC 8879), and names in them (RFC 5280).

use crate::message::records::HandshakeMessage;
use crate::sink::files::undo_codings;
use std::io::Read as _;

#[cfg(feature = "certificates")]
use x509_cert::{Certificate, der::Decode};

/// Octets of a subject that are kept.
#[cfg(feature = "certificates")]
const SUBJECT: usize = 1024;

/// Octets of a Certificate that is decompressed, at most.
// Chains have some thousand.
const LONGEST: u64 = 1 << 18;

/// The message as it would be without compression: a Certificate in place of one that comes compressed, whose body goes to `room`.
pub(in crate::sink) fn without_compression<'a>(
    message: &HandshakeMessage<'a>,
    room: &'a mut Vec<u8>,
) -> HandshakeMessage<'a> {
    match decompressed(message) {
        Some(body) => {
            *room = body;
            message.with_certificate(room)
        }
        None => *message,
    }
}

/// The body of a Certificate that comes compressed. None of another message, and of one that does not become what it says.
fn decompressed(message: &HandshakeMessage<'_>) -> Option<Vec<u8>> {
    let compressed = message.compressed_certificate()?;
    let coding = match compressed.algorithm {
        1 => "deflate",
        2 => "br",
        3 => "zstd",
        _ => return None,
    };
    let mut body = Vec::new();
    undo_codings(&[coding.to_owned()], compressed.octets)
        .take(LONGEST)
        .read_to_end(&mut body)
        .ok()?;
    (body.len() as u64 == compressed.len).then_some(body)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> HandshakeMessage<'_> {
        HandshakeMessage {
            kind: 25,
            body,
            hidden: true,
            from_client: false,
        }
    }

    /// A message of these parts (RFC 8879, 4).
    fn body(algorithm: u8, len: usize, octets: &[u8]) -> Vec<u8> {
        let three = |n: usize| u32::try_from(n).unwrap().to_be_bytes()[1..].to_vec();
        [
            &[0, algorithm][..],
            &three(len),
            &three(octets.len()),
            octets,
        ]
        .concat()
    }

    #[test]
    fn a_compressed_chain_is_read_as_one_that_is_not() {
        // No context, and a list of one certificate of four octets without extensions.
        let plain = b"\0\0\0\x09\0\0\x04cert\0\0";
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut zlib, plain).unwrap();
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let packed = [
            (1, zlib.finish().unwrap()),
            (3, ruzstd::encoding::compress_to_vec(&plain[..], level)),
        ];
        for (algorithm, octets) in packed {
            let body = |len| body(algorithm, len, &octets);
            let of = |body: &[u8]| decompressed(&message(body));
            let got = of(&body(plain.len())).unwrap();
            assert_eq!(got, plain);
            let (packed, mut room) = (body(plain.len()), Vec::new());
            let read = without_compression(&message(&packed), &mut room);
            let chain: Vec<_> = read.certificates().unwrap().collect();
            assert_eq!(chain, [b"cert"]);
            // What says another length is not believed, and neither is another algorithm.
            assert_eq!(of(&body(plain.len() + 1)), None);
            assert_eq!(of(&body(plain.len() - 1)), None);
        }
        assert_eq!(decompressed(&message(&body(4, 4, b"cert"))), None);
        assert_eq!(decompressed(&message(&body(1, 4, b"cert")[..9])), None);
    }
}
