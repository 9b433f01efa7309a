//! Opens the records of one direction (RFC 8446, 5.2; RFC 5246, 6.2.3; RFC 7366).

use super::keylog::Secret;
use super::suite::{Cipher, Mac};
use super::{Opener, decrypt_blocks, verify};
use std::fmt;
use std::ops::Range;

/// Octets of a block of all ciphers here that have blocks.
const BLOCK: usize = 16;
/// Octets of a record's header.
pub(super) const HEADER: usize = 5;

/// What stands around what is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The header is authenticated, and the number makes the nonce (RFC 8446, 5.2, 5.3).
    Tls13,
    /// Half of the nonce stands in the record (RFC 5288, RFC 6655).
    Explicit,
    /// The number makes the nonce (RFC 7905).
    Numbered,
}

/// Encrypted block by block, and authenticated apart.
struct Cbc {
    cipher: Cipher,
    key: Secret,
    mac: Mac,
    mac_key: Secret,
    encrypt_then_mac: bool,
    /// Of TLS 1.0: the last block of the record before is the vector. That of the first record.
    first: Option<[u8; BLOCK]>,
}

enum Kind {
    Aead {
        opener: Opener,
        form: Form,
        iv: [u8; 12],
        tag: usize,
    },
    Cbc(Cbc),
}

/// The keys of a direction.
pub(super) struct Protection(Kind);

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protection")
    }
}

/// What a record is opened with, beside the keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordNumber {
    /// How many records came before it under these keys.
    pub(super) number: u64,
    /// The last block of the record before, if that is at hand.
    pub(super) block_before: Option<[u8; BLOCK]>,
}

impl Protection {
    /// Keys of a cipher that authenticates.
    pub(super) fn aead(cipher: Cipher, form: Form, key: &[u8], iv: [u8; 12]) -> Option<Self> {
        let opener = Opener::new(cipher, key)?;
        Some(Self(Kind::Aead {
            opener,
            form,
            iv,
            tag: cipher.tag_len(),
        }))
    }

    /// Keys of a cipher in CBC mode. `first`: the vector of the first record of TLS 1.0; in later versions it stands in each.
    pub(super) fn cbc(
        cipher: Cipher,
        key: &[u8],
        mac_key: &[u8],
        encrypt_then_mac: bool,
        first: Option<[u8; BLOCK]>,
    ) -> Option<Self> {
        Some(Self(Kind::Cbc(Cbc {
            cipher,
            key: Secret::new(key)?,
            mac: cipher.cbc()?,
            mac_key: Secret::new(mac_key)?,
            encrypt_then_mac,
            first,
        })))
    }

    /// Octets that a record has beyond its content and its header; None where that differs.
    pub(super) fn overhead(&self) -> Option<u64> {
        match &self.0 {
            Kind::Aead { form, tag, .. } => {
                let more = match form {
                    // The type of the content; padding is seldom.
                    Form::Tls13 => 1,
                    Form::Explicit => 8,
                    Form::Numbered => 0,
                };
                Some(*tag as u64 + more)
            }
            Kind::Cbc(_) => None,
        }
    }

    /// Octets of the shortest record, its header included.
    pub(super) fn shortest(&self) -> u64 {
        HEADER as u64 + self.overhead().unwrap_or(BLOCK as u64)
    }

    /// The records have the form of TLS 1.3: what they hold says its type at its end.
    pub(super) fn hides_type(&self) -> bool {
        matches!(
            self.0,
            Kind::Aead {
                form: Form::Tls13,
                ..
            }
        )
    }

    /// The half of the nonce that stands in the record, where it does. Senders count it up.
    pub(super) fn explicit_nonce(&self, record: &[u8]) -> Option<u64> {
        let explicit = matches!(
            self.0,
            Kind::Aead {
                form: Form::Explicit,
                ..
            }
        );
        let nonce = record.get(HEADER..HEADER + 8).filter(|_| explicit)?;
        Some(u64::from_be_bytes(nonce.try_into().ok()?))
    }

    /// The last encrypted block of a record, where the next one is opened with it.
    pub(super) fn last_block(&self, record: &[u8]) -> Option<[u8; BLOCK]> {
        let Kind::Cbc(cbc) = &self.0 else {
            return None;
        };
        cbc.first?;
        let code = if cbc.encrypt_then_mac {
            cbc.mac.len()
        } else {
            0
        };
        let sealed = record.get(HEADER..record.len().checked_sub(code)?)?;
        sealed.last_chunk().copied()
    }

    /// The last block of the record before is part of what opens one (TLS 1.0).
    pub(super) fn needs_block_before(&self) -> bool {
        matches!(&self.0, Kind::Cbc(cbc) if cbc.first.is_some())
    }

    /// Opens a record, its header included, in place; where it does not open it is as it was. Gives where its content is.
    pub(super) fn open(&self, at: RecordNumber, record: &mut [u8]) -> Option<Range<usize>> {
        match &self.0 {
            Kind::Aead {
                opener,
                form,
                iv,
                tag,
            } => {
                if opener.spoils() {
                    let mut copy = record.to_vec();
                    let content = open_aead(opener, *form, iv, *tag, at.number, &mut copy)?;
                    record.copy_from_slice(&copy);
                    return Some(content);
                }
                open_aead(opener, *form, iv, *tag, at.number, record)
            }
            Kind::Cbc(cbc) => cbc.open(at, record),
        }
    }
}

/// Number, type, version and length (RFC 5246, 6.2.3.1).
fn pseudo_header(number: u64, header: &[u8; HEADER], len: usize) -> Option<[u8; 13]> {
    let mut all = [0; 13];
    all[..8].copy_from_slice(&number.to_be_bytes());
    all[8..11].copy_from_slice(&header[..3]);
    all[11..].copy_from_slice(&u16::try_from(len).ok()?.to_be_bytes());
    Some(all)
}

fn open_aead(
    opener: &Opener,
    form: Form,
    iv: &[u8; 12],
    tag_len: usize,
    number: u64,
    record: &mut [u8],
) -> Option<Range<usize>> {
    let header = *record.first_chunk::<HEADER>()?;
    let mut nonce = *iv;
    let from = match form {
        Form::Explicit => {
            nonce[4..].copy_from_slice(record.get(HEADER..HEADER + 8)?);
            HEADER + 8
        }
        Form::Tls13 | Form::Numbered => {
            for (octet, with) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
                *octet ^= with;
            }
            HEADER
        }
    };
    let to = record.len().checked_sub(tag_len).filter(|to| *to >= from)?;
    let pseudo = pseudo_header(number, &header, to - from)?;
    let aad: &[u8] = match form {
        Form::Tls13 => &header,
        Form::Explicit | Form::Numbered => &pseudo,
    };
    let (body, tag) = record.get_mut(from..)?.split_at_mut(to - from);
    opener.open(&nonce, aad, body, tag)?;
    Some(from..to)
}

impl Cbc {
    fn open(&self, at: RecordNumber, record: &mut [u8]) -> Option<Range<usize>> {
        let header = *record.first_chunk::<HEADER>()?;
        let mac_len = self.mac.len();
        // Encrypted octets, the vector in the record included.
        let mut end = record.len();
        if self.encrypt_then_mac {
            end = end.checked_sub(mac_len)?;
            let pseudo = pseudo_header(at.number, &header, end - HEADER)?;
            let (sealed, code) = record.get(HEADER..)?.split_at(end - HEADER);
            verify(self.mac, self.mac_key.octets(), &[&pseudo, sealed], code)?;
        }
        let (vector, from) = match (self.first, at.number) {
            (None, _) => (
                *record.get(HEADER..)?.first_chunk::<BLOCK>()?,
                HEADER + BLOCK,
            ),
            (Some(first), 0) => (first, HEADER),
            (Some(_), _) => (at.block_before?, HEADER),
        };
        let mut plain = record.get(from..end)?.to_vec();
        decrypt_blocks(self.cipher, self.key.octets(), &vector, &mut plain)?;
        // Each octet of the padding is its length (RFC 5246, 6.2.3.2).
        let padding = *plain.last()?;
        let len = plain.len().checked_sub(usize::from(padding) + 1)?;
        if plain.get(len..)?.iter().any(|octet| *octet != padding) {
            return None;
        }
        let len = if self.encrypt_then_mac {
            len
        } else {
            let len = len.checked_sub(mac_len)?;
            let pseudo = pseudo_header(at.number, &header, len)?;
            verify(
                self.mac,
                self.mac_key.octets(),
                &[&pseudo, plain.get(..len)?],
                plain.get(len..len + mac_len)?,
            )?;
            len
        };
        let content = from..from + len;
        record
            .get_mut(content.clone())?
            .copy_from_slice(plain.get(..len)?);
        Some(content)
    }
}
