//! From secrets to the keys of one direction (RFC 8446, 7; RFC 5246, 6.3; RFC 2246, 6.3).

use super::keylog::Secret;
use super::protection::{Form, Protection};
use super::suite::{Cipher, Prf, Suite};
use super::{expand, pseudorandom, pseudorandom_before_12};
use zeroize::Zeroizing;

/// TLS 1.2. Below it keys are derived in another way, and the padding of CBC is another.
pub(super) const TLS12: u16 = 0x0303;
/// TLS 1.3.
pub(super) const TLS13: u16 = 0x0304;
/// TLS 1.0, which has no initialization vector in its records.
const TLS10: u16 = 0x0301;

/// Key, vector and keys of codes, of all directions, are no longer: two of SHA-384, two of AES-256, two vectors.
const KEY_BLOCK: usize = 2 * (48 + 32 + 16);

/// HKDF-Expand-Label without a context (RFC 8446, 7.1). The secret has as many octets as the hash makes.
fn expand_label(prf: Prf, secret: &Secret, label: &[u8], out: &mut [u8]) -> Option<()> {
    const PREFIX: &[u8] = b"tls13 ";
    let len = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_len = u8::try_from(PREFIX.len() + label.len()).ok()?;
    let info: [&[u8]; 5] = [&len, &[label_len], PREFIX, label, &[0]];
    expand(prf, secret.octets(), &info, out)
}

/// The keys that a traffic secret of TLS 1.3 stands for (RFC 8446, 7.3).
pub(super) fn keys_of(suite: Suite, secret: &Secret) -> Option<Protection> {
    let mut key = Zeroizing::new([0; 32]);
    let key = key.get_mut(..suite.cipher.key_len())?;
    expand_label(suite.prf, secret, b"key", key)?;
    let mut iv = [0; 12];
    expand_label(suite.prf, secret, b"iv", &mut iv)?;
    Protection::aead(suite.cipher, Form::Tls13, key, iv)
}

/// The secret behind a KeyUpdate (RFC 8446, 7.2).
pub(super) fn next_secret(suite: Suite, secret: &Secret) -> Option<Secret> {
    let mut next = Zeroizing::new([0; 48]);
    let next = next.get_mut(..secret.octets().len())?;
    expand_label(suite.prf, secret, b"traffic upd", next)?;
    Secret::new(next)
}

/// What up to TLS 1.2 keys are made of, beside the master secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyBlockSeed<'a> {
    pub(super) version: u16,
    pub(super) client_random: &'a [u8; 32],
    pub(super) server_random: &'a [u8; 32],
    /// Encrypt-then-MAC was agreed on (RFC 7366).
    pub(super) encrypt_then_mac: bool,
}

/// The keys of a direction up to TLS 1.2 (RFC 5246, 6.3). `server`: of what the server sends.
pub(super) fn key_block(
    suite: Suite,
    master: &Secret,
    seed: KeyBlockSeed<'_>,
    server: bool,
) -> Option<Protection> {
    let mut block = Zeroizing::new([0; KEY_BLOCK]);
    let label: [&[u8]; 3] = [b"key expansion", seed.server_random, seed.client_random];
    match seed.version < TLS12 {
        true => pseudorandom_before_12(master.octets(), &label, &mut block[..]),
        false => pseudorandom(suite.prf, master.octets(), &label, &mut block[..]),
    }?;
    let (mac_len, vector) = match (suite.cipher, suite.cipher.cbc()) {
        (_, Some(mac)) => (mac.len(), 16),
        (Cipher::ChaCha20Poly1305, None) => (0, 12),
        (_, None) => (0, 4),
    };
    let key_len = suite.cipher.key_len();
    let part = |at: usize, len: usize| {
        let at = at + if server { len } else { 0 };
        block.get(at..at + len)
    };
    let mac_key = part(0, mac_len)?;
    let key = part(2 * mac_len, key_len)?;
    let vector_part = part(2 * (mac_len + key_len), vector)?;
    match suite.cipher {
        cipher if cipher.cbc().is_some() => {
            let first = <[u8; 16]>::try_from(vector_part).ok()?;
            let first = (seed.version <= TLS10).then_some(first);
            Protection::cbc(cipher, key, mac_key, seed.encrypt_then_mac, first)
        }
        Cipher::ChaCha20Poly1305 => {
            let iv = <[u8; 12]>::try_from(vector_part).ok()?;
            Protection::aead(suite.cipher, Form::Numbered, key, iv)
        }
        _ if seed.version < TLS12 => None,
        _ => {
            let mut iv = [0; 12];
            iv[..4].copy_from_slice(vector_part);
            Protection::aead(suite.cipher, Form::Explicit, key, iv)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite::suite;
    use super::*;

    fn octets(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2);
        let octet =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.map(octet).collect()
    }

    /// RFC 8448, 3.
    #[test]
    fn keys_are_those_of_the_example() {
        let secret = "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38";
        let secret = Secret::new(&octets(secret)).unwrap();
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        expand_label(Prf::Sha256, &secret, b"key", &mut key).unwrap();
        expand_label(Prf::Sha256, &secret, b"iv", &mut iv).unwrap();
        assert_eq!(key[..], octets("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(iv[..], octets("5d313eb2671276ee13000b30"));
        assert!(keys_of(suite(0x1301).unwrap(), &secret).is_some());
    }
}
