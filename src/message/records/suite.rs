//! The cipher suites whose records can be opened.

/// What encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    Aes128Ccm,
    Aes256Ccm,
    /// With a tag of 8 octets.
    Aes128Ccm8,
    /// With a tag of 8 octets.
    Aes256Ccm8,
    ChaCha20Poly1305,
    Aes128Cbc(Mac),
    Aes256Cbc(Mac),
    Aria128Gcm,
    Aria256Gcm,
    Camellia128Cbc(Mac),
    Camellia256Cbc(Mac),
}

/// What authenticates where encrypting does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    Sha1,
    Sha256,
    Sha384,
}

impl Mac {
    /// Octets of a key, and of what it makes.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// What keys are derived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prf {
    Sha256,
    Sha384,
}

impl Cipher {
    /// Octets of a key.
    pub(super) const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm
            | Self::Aes128Ccm
            | Self::Aes128Ccm8
            | Self::Aes128Cbc(_)
            | Self::Aria128Gcm
            | Self::Camellia128Cbc(_) => 16,
            Self::Aes256Gcm
            | Self::Aes256Ccm
            | Self::Aes256Ccm8
            | Self::Aes256Cbc(_)
            | Self::Aria256Gcm
            | Self::Camellia256Cbc(_)
            | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Octets of a tag; of CBC none.
    pub(super) const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Ccm8 | Self::Aes256Ccm8 => 8,
            _ if self.cbc().is_some() => 0,
            _ => 16,
        }
    }

    /// What authenticates beside a cipher in CBC mode.
    pub(super) const fn cbc(self) -> Option<Mac> {
        match self {
            Self::Aes128Cbc(mac)
            | Self::Aes256Cbc(mac)
            | Self::Camellia128Cbc(mac)
            | Self::Camellia256Cbc(mac) => Some(mac),
            _ => None,
        }
    }
}

/// A cipher suite (IANA, "TLS Cipher Suites").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) cipher: Cipher,
    pub(super) prf: Prf,
}

use Cipher as C;

/// Numbers, and what they stand for. How keys are agreed on does not matter here.
#[rustfmt::skip] // a table
const SUITES: &[(&[u16], Cipher, Prf)] = &[
    (&[0x1301, 0x009c, 0x009e, 0x00a0, 0x00a2, 0x00a4, 0x00a6, 0x00a8, 0x00aa, 0x00ac, 0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001], C::Aes128Gcm, Prf::Sha256),
    (&[0x1302, 0x009d, 0x009f, 0x00a1, 0x00a3, 0x00a5, 0x00a7, 0x00a9, 0x00ab, 0x00ad, 0xc02c, 0xc02e, 0xc030, 0xc032, 0xd002], C::Aes256Gcm, Prf::Sha384),
    (&[0x1303, 0xcca8, 0xcca9, 0xccaa, 0xccab, 0xccac, 0xccad, 0xccae], C::ChaCha20Poly1305, Prf::Sha256),
    (&[0x1304, 0xc09c, 0xc09e, 0xc0a4, 0xc0a6, 0xc0ac, 0xd005], C::Aes128Ccm, Prf::Sha256),
    (&[0x1305, 0xc0a0, 0xc0a2, 0xc0a8, 0xc0aa, 0xc0ae, 0xd003], C::Aes128Ccm8, Prf::Sha256),
    (&[0xc09d, 0xc09f, 0xc0a5, 0xc0a7, 0xc0ad], C::Aes256Ccm, Prf::Sha256),
    (&[0xc0a1, 0xc0a3, 0xc0a9, 0xc0ab, 0xc0af], C::Aes256Ccm8, Prf::Sha256),
    (&[0x002f, 0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x008c, 0x0090, 0x0094, 0xc004, 0xc009, 0xc00e, 0xc013, 0xc018, 0xc01d, 0xc01e, 0xc01f, 0xc035], C::Aes128Cbc(Mac::Sha1), Prf::Sha256),
    (&[0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003a, 0x008d, 0x0091, 0x0095, 0xc005, 0xc00a, 0xc00f, 0xc014, 0xc019, 0xc020, 0xc021, 0xc022, 0xc036], C::Aes256Cbc(Mac::Sha1), Prf::Sha256),
    (&[0x003c, 0x003e, 0x003f, 0x0040, 0x0067, 0x006c, 0x00ae, 0x00b2, 0x00b6, 0xc023, 0xc025, 0xc027, 0xc029, 0xc037], C::Aes128Cbc(Mac::Sha256), Prf::Sha256),
    (&[0x003d, 0x0068, 0x0069, 0x006a, 0x006b, 0x006d], C::Aes256Cbc(Mac::Sha256), Prf::Sha256),
    (&[0x00af, 0x00b3, 0x00b7, 0xc024, 0xc026, 0xc028, 0xc02a, 0xc038], C::Aes256Cbc(Mac::Sha384), Prf::Sha384),
    (&[0xc050, 0xc052, 0xc054, 0xc056, 0xc058, 0xc05a, 0xc05c, 0xc05e, 0xc060, 0xc062, 0xc06a, 0xc06c, 0xc06e], C::Aria128Gcm, Prf::Sha256),
    (&[0xc051, 0xc053, 0xc055, 0xc057, 0xc059, 0xc05b, 0xc05d, 0xc05f, 0xc061, 0xc063, 0xc06b, 0xc06d, 0xc06f], C::Aria256Gcm, Prf::Sha384),
    (&[0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046], C::Camellia128Cbc(Mac::Sha1), Prf::Sha256),
    (&[0x0084, 0x0085, 0x0086, 0x0087, 0x0088, 0x0089], C::Camellia256Cbc(Mac::Sha1), Prf::Sha256),
    (&[0x00ba, 0x00bb, 0x00bc, 0x00bd, 0x00be, 0x00bf, 0xc072, 0xc074, 0xc076, 0xc078, 0xc094, 0xc096, 0xc098, 0xc09a], C::Camellia128Cbc(Mac::Sha256), Prf::Sha256),
    (&[0x00c0, 0x00c1, 0x00c2, 0x00c3, 0x00c4, 0x00c5], C::Camellia256Cbc(Mac::Sha256), Prf::Sha256),
    (&[0xc073, 0xc075, 0xc077, 0xc079, 0xc095, 0xc097, 0xc099, 0xc09b], C::Camellia256Cbc(Mac::Sha384), Prf::Sha384),
];

/// The suite of this number, if its records can be opened.
pub(super) fn suite(number: u16) -> Option<Suite> {
    let mut rows = SUITES.iter();
    let (_, cipher, prf) = rows.find(|(numbers, ..)| numbers.contains(&number))?;
    Some(Suite {
        cipher: *cipher,
        prf: *prf,
    })
}

/// The suites of TLS 1.3 whose secrets have so many octets (RFC 8446, B.4).
pub(super) fn with_secrets_of(octets: usize) -> &'static [u16] {
    match octets {
        32 => &[0x1301, 0x1303, 0x1304, 0x1305],
        48 => &[0x1302],
        _ => &[],
    }
}
