//! Fingerprints of hellos: JA3 and JA3S (Althouse, Atkinson, Atkins: "TLS Fingerprinting with JA3 and JA3S"), and JA4 of the client
//! (FoxIO: "JA4: TLS Client Fingerprinting").

use crate::message::records::{ClientHello, ServerHello, numbers};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;

/// What stands for a list that is empty in JA4.
const NOTHING: &str = "000000000000";

/// A value that means nothing, and is sent so that servers learn to pass over what they do not know (RFC 8701).
const fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

/// Numbers, but for those that mean nothing.
fn meant(octets: &[u8]) -> impl Iterator<Item = u16> {
    numbers(octets).filter(|number| !is_grease(*number))
}

/// Decimal digits with dashes between.
fn dashed(all: impl Iterator<Item = u16>) -> String {
    all.map(|number| number.to_string())
        .collect::<Vec<_>>()
        .join("-")
}

/// Numbers of a list behind its length, which has two octets.
fn listed(octets: Option<&[u8]>) -> &[u8] {
    octets
        .and_then(|octets| octets.get(2..))
        .unwrap_or_default()
}

/// JA3: version, suites, extensions, groups and point formats in the order in which they stand.
pub(super) fn ja3(hello: &ClientHello<'_>) -> [u8; 16] {
    let extensions = hello.extensions.iter().map(|(kind, _)| kind);
    let formats = hello.extensions.get(POINT_FORMATS);
    let formats = formats.and_then(|list| list.get(1..)).unwrap_or_default();
    let text = format!(
        "{},{},{},{},{}",
        hello.version,
        dashed(meant(hello.suites)),
        dashed(extensions.filter(|kind| !is_grease(*kind))),
        dashed(meant(listed(hello.extensions.get(GROUPS)))),
        dashed(formats.iter().map(|format| u16::from(*format))),
    );
    Md5::digest(text).into()
}

/// JA3S: version, suite and extensions of the server.
pub(super) fn ja3s(hello: &ServerHello<'_>) -> [u8; 16] {
    let extensions = hello.extensions.iter().map(|(kind, _)| kind);
    let text = format!("{},{},{}", hello.version, hello.suite, dashed(extensions));
    Md5::digest(text).into()
}

/// JA4 of a client over TCP: what can be read at once, then sums of its suites and of its extensions in the order of their numbers.
pub(super) fn ja4(hello: &ClientHello<'_>) -> String {
    let version = hello.versions().filter(|number| !is_grease(*number)).max();
    let version = match version.unwrap_or(hello.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    };
    let named = hello.extensions.get(SERVER_NAME).is_some();
    let mut suites: Vec<_> = meant(hello.suites).collect();
    let extensions = hello.extensions.iter().map(|(kind, _)| kind);
    let mut extensions: Vec<_> = extensions.filter(|kind| !is_grease(*kind)).collect();
    let (first, last) = protocol(hello.extensions.alpn().next().unwrap_or_default());
    let begin = format!(
        "t{version}{}{:02}{:02}{first}{last}",
        if named { 'd' } else { 'i' },
        suites.len().min(99),
        extensions.len().min(99),
    );
    suites.sort_unstable();
    extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
    extensions.sort_unstable();
    let mut all = hexadecimal(extensions.into_iter());
    if !all.is_empty() {
        let signatures = listed(hello.extensions.get(SIGNATURE_ALGORITHMS));
        let signatures = hexadecimal(meant(signatures));
        if !signatures.is_empty() {
            all = format!("{all}_{signatures}");
        }
    }
    let suites = sum(&hexadecimal(suites.into_iter()));
    format!("{begin}_{suites}_{}", sum(&all))
}

/// The first and the last character of the protocol that a client asks for first; of its hexadecimal digits, where one is neither a
/// letter nor a digit.
fn protocol(name: &[u8]) -> (char, char) {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else {
        return ('0', '0');
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (first.into(), last.into());
    }
    let digit = |half: u8| char::from_digit(u32::from(half & 15), 16).unwrap_or('0');
    (digit(first >> 4), digit(last))
}

/// Four digits each, with commas between.
fn hexadecimal(all: impl Iterator<Item = u16>) -> String {
    let mut text = String::new();
    for number in all {
        let comma = if text.is_empty() { "" } else { "," };
        // A string takes all.
        let _ = write!(text, "{comma}{number:04x}");
    }
    text
}

/// The first twelve digits of the SHA-256 of a list.
fn sum(list: &str) -> String {
    if list.is_empty() {
        return NOTHING.to_owned();
    }
    let sum: [u8; 32] = Sha256::digest(list).into();
    sum[..6]
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::records::HandshakeMessage;

    fn words(all: &[u16]) -> Vec<u8> {
        all.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn hello(suites: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        let suites = words(suites);
        body.extend(u16::try_from(suites.len()).unwrap().to_be_bytes());
        body.extend(&suites);
        body.extend([1, 0]);
        let mut all = Vec::new();
        for (kind, octets) in extensions {
            all.extend(kind.to_be_bytes());
            all.extend(u16::try_from(octets.len()).unwrap().to_be_bytes());
            all.extend(octets);
        }
        body.extend(u16::try_from(all.len()).unwrap().to_be_bytes());
        body.extend(all);
        body
    }

    fn of(body: &[u8]) -> (String, [u8; 16]) {
        let message = HandshakeMessage {
            kind: 1,
            body,
            hidden: false,
            from_client: true,
        };
        let hello = message.client_hello().unwrap();
        (ja4(&hello), ja3(&hello))
    }

    #[test]
    fn the_published_example() {
        // "JA4: TLS Client Fingerprinting", "Example", with values that mean nothing among them.
        let suites = [
            0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let signatures = [
            0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
        ];
        let listed = |all: &[u16]| {
            [
                &words(&[u16::try_from(2 * all.len()).unwrap()])[..],
                &words(all),
            ]
            .concat()
        };
        let kinds = [
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
            0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
        ];
        let mut extensions: Vec<_> = kinds.iter().map(|kind| (*kind, Vec::new())).collect();
        let mut set = |kind: u16, octets: Vec<u8>| {
            extensions.iter_mut().find(|(of, _)| *of == kind).unwrap().1 = octets;
        };
        set(0x10, b"\0\x0c\x02h2\x08http/1.1".to_vec());
        set(0x0d, listed(&signatures));
        set(0x2b, [&[6][..], &words(&[0x2a2a, 0x0304, 0x0303])].concat());
        let (ja4, _) = of(&hello(&suites, &extensions));
        assert_eq!(ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
        // "If there are no signature algorithms".
        extensions
            .iter_mut()
            .find(|(of, _)| *of == 0x0d)
            .unwrap()
            .1
            .clear();
        let (ja4, _) = of(&hello(&suites, &extensions));
        assert_eq!(ja4, "t13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    #[test]
    fn hellos_that_say_little() {
        let (ja4, ja3) = of(&hello(&[], &[]));
        assert_eq!(ja4, "t12i000000_000000000000_000000000000");
        let empty: [u8; 16] = Md5::digest("771,,,,").into();
        assert_eq!(ja3, empty);
    }

    #[test]
    fn protocols_by_their_ends() {
        // "ALPN Extension Value".
        for (name, expected) in [
            (&b"h2"[..], ('h', '2')),
            (b"http/1.1", ('h', '1')),
            (b"", ('0', '0')),
            (b"x", ('x', 'x')),
            (&[0xab], ('a', 'b')),
            (&[0xab, 0xcd], ('a', 'd')),
            (&[0x30, 0xab], ('3', 'b')),
            (&[0x30, 0x31, 0xab, 0xcd], ('3', 'd')),
            (&[0x30, 0xab, 0xcd, 0x31], ('0', '1')),
        ] {
            assert_eq!(protocol(name), expected, "{name:x?}");
        }
    }

    #[test]
    fn values_that_mean_nothing() {
        let all: Vec<_> = (0..=u16::MAX).filter(|number| is_grease(*number)).collect();
        assert_eq!(all.len(), 16);
        assert_eq!((all[0], all[15]), (0x0a0a, 0xfafa));
    }
}
