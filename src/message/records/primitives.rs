//! The primitives that records are opened with: all that comes from crates of cryptography.

use super::suite::{Cipher, Mac, Prf};
use aes::{Aes128, Aes256};
use aes_gcm::aead::array::Array;
use aes_gcm::aead::array::typenum::{U8, U12, U16};
use aes_gcm::aead::{AeadCore, AeadInOut, KeyInit, Nonce, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};
use aria::{Aria128, Aria256};
use camellia::{Camellia128, Camellia256};
use cbc::Decryptor;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, BlockSizeUser, KeyIvInit};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use hmac::Hmac;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};
use zeroize::Zeroizing;

/// A cipher that authenticates, with its key.
pub(super) enum Opener {
    Aes128Gcm(Box<Aes128Gcm>),
    Aes256Gcm(Box<Aes256Gcm>),
    Aes128Ccm(Box<Ccm<Aes128, U16, U12>>),
    Aes256Ccm(Box<Ccm<Aes256, U16, U12>>),
    Aes128Ccm8(Box<Ccm<Aes128, U8, U12>>),
    Aes256Ccm8(Box<Ccm<Aes256, U8, U12>>),
    ChaCha20Poly1305(Box<ChaCha20Poly1305>),
    Aria128Gcm(Box<AesGcm<Aria128, U12>>),
    Aria256Gcm(Box<AesGcm<Aria256, U12>>),
}

impl Opener {
    /// None of a cipher that does not authenticate, or a key of another length.
    pub(super) fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        Some(match cipher {
            Cipher::Aes128Gcm => Self::Aes128Gcm(with_key(key)?),
            Cipher::Aes256Gcm => Self::Aes256Gcm(with_key(key)?),
            Cipher::Aes128Ccm => Self::Aes128Ccm(with_key(key)?),
            Cipher::Aes256Ccm => Self::Aes256Ccm(with_key(key)?),
            Cipher::Aes128Ccm8 => Self::Aes128Ccm8(with_key(key)?),
            Cipher::Aes256Ccm8 => Self::Aes256Ccm8(with_key(key)?),
            Cipher::ChaCha20Poly1305 => Self::ChaCha20Poly1305(with_key(key)?),
            Cipher::Aria128Gcm => Self::Aria128Gcm(with_key(key)?),
            Cipher::Aria256Gcm => Self::Aria256Gcm(with_key(key)?),
            Cipher::Aes128Cbc(_)
            | Cipher::Aes256Cbc(_)
            | Cipher::Camellia128Cbc(_)
            | Cipher::Camellia256Cbc(_) => return None,
        })
    }

    /// Where it does not fit, the octets are no longer what they were.
    pub(super) const fn spoils(&self) -> bool {
        matches!(
            self,
            Self::Aes128Ccm(_) | Self::Aes256Ccm(_) | Self::Aes128Ccm8(_) | Self::Aes256Ccm8(_)
        )
    }

    /// Decrypts in place, if the tag fits.
    pub(super) fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        body: &mut [u8],
        tag: &[u8],
    ) -> Option<()> {
        match self {
            Self::Aes128Gcm(c) => open_with(&**c, nonce, aad, body, tag),
            Self::Aes256Gcm(c) => open_with(&**c, nonce, aad, body, tag),
            Self::Aes128Ccm(c) => open_with(&**c, nonce, aad, body, tag),
            Self::Aes256Ccm(c) => open_with(&**c, nonce, aad, body, tag),
            Self::Aes128Ccm8(c) => open_with(&**c, nonce, aad, body, tag),
            Self::Aes256Ccm8(c) => open_with(&**c, nonce, aad, body, tag),
            Self::ChaCha20Poly1305(c) => open_with(&**c, nonce, aad, body, tag),
            Self::Aria128Gcm(c) => open_with(&**c, nonce, aad, body, tag),
            Self::Aria256Gcm(c) => open_with(&**c, nonce, aad, body, tag),
        }
    }
}

fn with_key<C: KeyInit>(key: &[u8]) -> Option<Box<C>> {
    C::new_from_slice(key).ok().map(Box::new)
}

fn open_with<C: AeadInOut + AeadCore>(
    cipher: &C,
    nonce: &[u8; 12],
    aad: &[u8],
    body: &mut [u8],
    tag: &[u8],
) -> Option<()> {
    let nonce = Nonce::<C>::try_from(&nonce[..]).ok()?;
    let tag = Tag::<C>::try_from(tag).ok()?;
    let opened = cipher.decrypt_inout_detached(&nonce, aad, body.into(), &tag);
    opened.ok()
}

/// Decrypts whole blocks in CBC mode in place.
pub(super) fn decrypt_blocks(
    cipher: Cipher,
    key: &[u8],
    vector: &[u8],
    octets: &mut [u8],
) -> Option<()> {
    match cipher {
        Cipher::Aes128Cbc(_) => decrypt_with::<Aes128>(key, vector, octets),
        Cipher::Aes256Cbc(_) => decrypt_with::<Aes256>(key, vector, octets),
        Cipher::Camellia128Cbc(_) => decrypt_with::<Camellia128>(key, vector, octets),
        Cipher::Camellia256Cbc(_) => decrypt_with::<Camellia256>(key, vector, octets),
        _ => None,
    }
}

fn decrypt_with<C>(key: &[u8], vector: &[u8], octets: &mut [u8]) -> Option<()>
where
    C: BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    let (blocks, []) = Array::<u8, U16>::slice_as_chunks_mut(octets) else {
        return None;
    };
    let decryptor = Decryptor::<C>::new_from_slices(key, vector);
    decryptor.ok()?.decrypt_blocks(blocks);
    Some(())
}

/// SHA-256.
pub(super) fn digest(octets: &[u8]) -> [u8; 32] {
    Sha256::digest(octets).into()
}

/// The code authenticates these octets.
pub(super) fn verify(mac: Mac, key: &[u8], parts: &[&[u8]], code: &[u8]) -> Option<()> {
    match mac {
        Mac::Sha1 => verify_with::<Hmac<Sha1>>(key, parts, code),
        Mac::Sha256 => verify_with::<Hmac<Sha256>>(key, parts, code),
        Mac::Sha384 => verify_with::<Hmac<Sha384>>(key, parts, code),
    }
}

fn verify_with<H: hmac::Mac + KeyInit>(key: &[u8], parts: &[&[u8]], code: &[u8]) -> Option<()> {
    let mut mac = <H as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(code).ok()
}

/// HKDF-Expand (RFC 5869, 2.3).
pub(super) fn expand(prf: Prf, secret: &[u8], info: &[&[u8]], out: &mut [u8]) -> Option<()> {
    match prf {
        Prf::Sha256 => {
            let hkdf = Hkdf::<Sha256>::from_prk(secret).ok()?;
            hkdf.expand_multi_info(info, out).ok()
        }
        Prf::Sha384 => {
            let hkdf = Hkdf::<Sha384>::from_prk(secret).ok()?;
            hkdf.expand_multi_info(info, out).ok()
        }
    }
}

/// The pseudorandom function of TLS 1.2 (RFC 5246, 5).
pub(super) fn pseudorandom(prf: Prf, secret: &[u8], label: &[&[u8]], out: &mut [u8]) -> Option<()> {
    match prf {
        Prf::Sha256 => p_hash::<Hmac<Sha256>>(secret, label, out),
        Prf::Sha384 => p_hash::<Hmac<Sha384>>(secret, label, out),
    }
}

/// That of TLS 1.0 and 1.1 (RFC 2246, 5).
pub(super) fn pseudorandom_before_12(secret: &[u8], label: &[&[u8]], out: &mut [u8]) -> Option<()> {
    // Two halves, which share an octet where the secret has an odd number of them.
    let half = secret.len().div_ceil(2);
    let mut other = Zeroizing::new(vec![0; out.len()]);
    p_hash::<Hmac<Md5>>(secret.get(..half)?, label, out)?;
    p_hash::<Hmac<Sha1>>(secret.get(secret.len() - half..)?, label, &mut other)?;
    for (octet, other) in out.iter_mut().zip(&*other) {
        *octet ^= *other;
    }
    Some(())
}

/// P_hash (RFC 5246, 5).
fn p_hash<H: hmac::Mac + KeyInit>(secret: &[u8], label: &[&[u8]], out: &mut [u8]) -> Option<()> {
    let made = |parts: &[&[u8]]| {
        let mut mac = <H as KeyInit>::new_from_slice(secret).ok()?;
        for part in parts {
            mac.update(part);
        }
        Some(mac.finalize().into_bytes())
    };
    let mut a = made(label)?;
    let mut at = 0;
    while at < out.len() {
        let mut parts: Vec<&[u8]> = vec![&a];
        parts.extend(label);
        let octets = made(&parts)?;
        let len = octets.len().min(out.len() - at);
        out[at..at + len].copy_from_slice(&octets[..len]);
        at += len;
        a = made(&[&a])?;
    }
    Some(())
}
