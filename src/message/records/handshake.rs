//! What hellos say, and the handshake messages that change keys (RFC 8446, 4; RFC 5246, 7.4).

use crate::base::state::{Deserialize, Serialize};
use crate::message::length::{number, octet};

const HANDSHAKE: u8 = 22;
/// Octets of a record's header.
const RECORD: usize = 5;
/// Octets of the header of a handshake message.
const HEADER: usize = 4;

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const END_OF_EARLY_DATA: u8 = 5;
pub(super) const FINISHED: u8 = 20;
pub(super) const KEY_UPDATE: u8 = 24;

/// The random number of a ServerHello that asks for another ClientHello (RFC 8446, 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const ENCRYPT_THEN_MAC: u64 = 22;
const EARLY_DATA: u64 = 42;
const SUPPORTED_VERSIONS: u64 = 43;

/// What a ClientHello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) random: [u8; 32],
    /// Data may follow at once.
    pub(super) early_data: bool,
}

/// What a ServerHello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    pub(super) version: u16,
    pub(super) suite: u16,
    pub(super) encrypt_then_mac: bool,
    /// It asks for another ClientHello.
    pub(super) retry: bool,
}

/// The octets of handshake messages that stand in records, without the headers of these.
pub(super) fn fragments(records: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut rest = records;
    while let Some(header) = rest.get(..RECORD).filter(|h| octet(h, 0) == HANDSHAKE) {
        let len = usize::try_from(number(header, 3, 2)).unwrap_or(usize::MAX);
        let fragment = &rest[RECORD..];
        let len = len.min(fragment.len());
        all.extend_from_slice(&fragment[..len]);
        rest = &fragment[len..];
    }
    all
}

/// The handshake messages in these octets that are whole: type and body of each.
pub(super) fn messages(mut octets: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let kind = *octets.first()?;
        let len = usize::try_from(number(octets.get(..HEADER)?, 1, 3)).ok()?;
        let body = octets.get(HEADER..HEADER + len)?;
        octets = &octets[HEADER + len..];
        Some((kind, body))
    })
}

/// Reads a ClientHello (RFC 8446, 4.1.2).
pub(super) fn client_hello(body: &[u8]) -> Option<ClientHello> {
    let random = body.get(2..)?.first_chunk()?;
    let mut at = skip(body, 34, 1)?;
    at = skip(body, at, 2)?;
    at = skip(body, at, 1)?;
    Some(ClientHello {
        random: *random,
        early_data: extension(body, at, EARLY_DATA).is_some(),
    })
}

/// Reads a ServerHello (RFC 8446, 4.1.3).
pub(super) fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let random = *body.get(2..)?.first_chunk()?;
    let at = skip(body, 34, 1)?;
    let suite = body.get(at..)?.first_chunk()?;
    // Behind the suite stands the compression.
    let extensions = at + 3;
    let version = match extension(body, extensions, SUPPORTED_VERSIONS) {
        Some([hi, lo]) => u16::from_be_bytes([*hi, *lo]),
        _ => u16::from_be_bytes(*body.first_chunk()?),
    };
    Some(ServerHello {
        random,
        version,
        suite: u16::from_be_bytes(*suite),
        encrypt_then_mac: extension(body, extensions, ENCRYPT_THEN_MAC).is_some(),
        retry: random == RETRY,
    })
}

/// The place behind a vector whose length has so many octets.
fn skip(body: &[u8], at: usize, width: usize) -> Option<usize> {
    let len = usize::try_from(number(body.get(at..at + width)?, 0, width)).ok()?;
    Some(at + width + len)
}

/// The octets of an extension, of those that stand here.
fn extension(body: &[u8], at: usize, wanted: u64) -> Option<&[u8]> {
    let end = skip(body, at, 2)?;
    let mut rest = body.get(at + 2..end)?;
    while let Some(header) = rest.get(..4) {
        let len = usize::try_from(number(header, 2, 2)).ok()?;
        let octets = rest.get(4..4 + len)?;
        if number(header, 0, 2) == wanted {
            return Some(octets);
        }
        rest = &rest[4 + len..];
    }
    None
}
