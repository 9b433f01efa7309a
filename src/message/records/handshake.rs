//! What hellos say, and the handshake messages that change keys (RFC 8446, 4; RFC 5246, 7.4).

use crate::base::state::{Deserialize, Serialize};
use crate::message::length::{number, octet};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// Octets of the fragment of a record that holds a Finished, encrypted, at most: code, vector and padding included.
const LONGEST_FINISHED: u64 = 128;
/// No type of a handshake message that is sent in clear is higher (RFC 5246, 7.4; RFC 6066, 8; RFC 8879, 7.3).
const LAST_TYPE: u8 = 25;
/// Octets of a record's header.
const RECORD: usize = 5;
/// Octets of the header of a handshake message.
const HEADER: usize = 4;

pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const NEW_SESSION_TICKET: u8 = 4;
pub(super) const END_OF_EARLY_DATA: u8 = 5;
pub(super) const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const FINISHED: u8 = 20;
pub(super) const KEY_UPDATE: u8 = 24;
const COMPRESSED_CERTIFICATE: u8 = 25;

/// The random number of a ServerHello that asks for another ClientHello (RFC 8446, 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const ALPN: u16 = 16;
const ENCRYPT_THEN_MAC: u16 = 22;
const SESSION_TICKET: u16 = 35;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;

/// A handshake message, read in clear or from records that were opened.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeMessage<'a> {
    /// Its type.
    pub kind: u8,
    /// What stands behind its header.
    pub body: &'a [u8],
    /// It stood in a record of TLS 1.3 that was opened.
    pub hidden: bool,
    /// It is known to come from the client.
    pub from_client: bool,
}

/// A ClientHello.
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'a> {
    /// The version as TLS 1.2 and before read it.
    pub version: u16,
    /// The client's random number.
    pub random: [u8; 32],
    /// The session that it would resume; in TLS 1.3, any octets or none.
    pub session_id: &'a [u8],
    /// Cipher suites, two octets each.
    pub suites: &'a [u8],
    /// What stands behind the compression.
    pub extensions: Extensions<'a>,
}

/// A ServerHello.
#[derive(Clone, Copy, Debug)]
pub struct ServerHello<'a> {
    /// The version as TLS 1.2 and before read it.
    pub version: u16,
    /// The server's random number.
    pub random: [u8; 32],
    /// The session, if it can be resumed; in TLS 1.3, what the client has said.
    pub session_id: &'a [u8],
    /// The cipher suite that it has chosen.
    pub suite: u16,
    /// What stands behind the compression.
    pub extensions: Extensions<'a>,
}

/// A Certificate that is compressed (RFC 8879, 4).
#[derive(Clone, Copy, Debug)]
pub struct CompressedCertificate<'a> {
    /// The algorithm, by its number in IANA's registry.
    pub algorithm: u16,
    /// Octets of the body that it was made of.
    pub len: u64,
    /// What became of them.
    pub octets: &'a [u8],
}

/// Extensions of a hello (RFC 8446, 4.2): those that are whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extensions<'a>(&'a [u8]);

/// What a ServerHello says that keys are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agreed {
    pub(super) random: [u8; 32],
    pub(super) version: u16,
    pub(super) suite: u16,
    pub(super) encrypt_then_mac: bool,
}

/// A record begins like this that holds a hello in clear, from its first octet to its last.
pub(super) fn is_clear_hello(record: &[u8]) -> bool {
    let Some([HANDSHAKE, 3, _, long @ .., kind, 0, high, low, version]) =
        record.first_chunk::<10>().map(|head| &head[..])
    else {
        return false;
    };
    let fragment = number(long, 0, 2);
    is_hello(*kind)
        && *version == 3
        && u64::from(u16::from_be_bytes([*high, *low])) + HEADER as u64 == fragment
}

/// A record of TLS 1.2 or before begins like this that is encrypted, as far as that can be told where nothing says what came before it:
/// an alert that is longer than one in clear, or what is as short as a Finished and names no handshake message that would fit.
pub(super) fn is_not_clear(record: &[u8]) -> bool {
    let fragment = number(record, 3, 2);
    match octet(record, 0) {
        ALERT => fragment > 2,
        HANDSHAKE => {
            let named = octet(record, RECORD) <= LAST_TYPE
                && number(record, RECORD + 1, 3) + HEADER as u64 <= fragment;
            fragment <= LONGEST_FINISHED && !named
        }
        _ => false,
    }
}

/// It is read.
pub(super) const fn is_of_use(kind: u8) -> bool {
    is_hello(kind)
        || matches!(
            kind,
            ENCRYPTED_EXTENSIONS | CERTIFICATE | COMPRESSED_CERTIFICATE
        )
}

/// It is read, or names a session that may be resumed.
pub(super) const fn is_gathered(kind: u8) -> bool {
    is_of_use(kind) || kind == NEW_SESSION_TICKET
}

/// It is a hello.
pub(super) const fn is_hello(kind: u8) -> bool {
    matches!(kind, CLIENT_HELLO | SERVER_HELLO)
}

impl<'a> Extensions<'a> {
    /// Those that stand here, behind their length.
    fn at(body: &'a [u8], at: usize) -> Self {
        let end = skip(body, at, 2).unwrap_or(0);
        Self(body.get(at + 2..end).unwrap_or_default())
    }

    /// Type and octets of each.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (kind, rest_of) = rest.split_first_chunk()?;
            let len = usize::from(u16::from_be_bytes(*rest_of.first_chunk()?));
            let octets = rest_of.get(2..2 + len)?;
            rest = &rest_of[2 + len..];
            Some((u16::from_be_bytes(*kind), octets))
        })
    }

    /// The octets of this one.
    pub fn get(&self, wanted: u16) -> Option<&'a [u8]> {
        self.iter()
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, octets)| octets)
    }

    /// The protocols that are offered, or the one that is chosen (RFC 7301).
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self
            .get(ALPN)
            .and_then(|octets| octets.get(2..))
            .unwrap_or_default();
        std::iter::from_fn(move || {
            let (len, behind) = rest.split_first()?;
            let name = behind.get(..usize::from(*len))?;
            rest = &behind[name.len()..];
            Some(name)
        })
    }
}

impl<'a> HandshakeMessage<'a> {
    /// Reads a ClientHello (RFC 8446, 4.1.2).
    pub fn client_hello(&self) -> Option<ClientHello<'a>> {
        let body = self.body;
        let suites = skip(body, 34, 1).filter(|_| self.kind == CLIENT_HELLO)?;
        let compression = skip(body, suites, 2)?;
        let extensions = skip(body, compression, 1)?;
        Some(ClientHello {
            version: u16::from_be_bytes(*body.first_chunk()?),
            random: *body.get(2..)?.first_chunk()?,
            session_id: body.get(35..suites)?,
            suites: body.get(suites + 2..compression)?,
            extensions: Extensions::at(body, extensions),
        })
    }

    /// Reads a ServerHello (RFC 8446, 4.1.3). One that asks for another ClientHello says so by [`ServerHello::retries`].
    pub fn server_hello(&self) -> Option<ServerHello<'a>> {
        let body = self.body;
        let suite = skip(body, 34, 1).filter(|_| self.kind == SERVER_HELLO)?;
        Some(ServerHello {
            version: u16::from_be_bytes(*body.first_chunk()?),
            random: *body.get(2..)?.first_chunk()?,
            session_id: body.get(35..suite)?,
            suite: u16::from_be_bytes(*body.get(suite..)?.first_chunk()?),
            // Behind the suite stands the compression.
            extensions: Extensions::at(body, suite + 3),
        })
    }

    /// The extensions of EncryptedExtensions (RFC 8446, 4.3.1).
    pub fn encrypted_extensions(&self) -> Option<Extensions<'a>> {
        (self.kind == ENCRYPTED_EXTENSIONS).then(|| Extensions::at(self.body, 0))
    }

    /// The ticket that a session of TLS 1.2 or before can be resumed with (RFC 5077, 3.3).
    pub(super) fn session_ticket(&self) -> Option<&'a [u8]> {
        let end = skip(self.body, 4, 2).filter(|_| self.kind == NEW_SESSION_TICKET)?;
        self.body.get(6..end).filter(|ticket| !ticket.is_empty())
    }

    /// The body of a Certificate, compressed. None where it is another message.
    pub fn compressed_certificate(&self) -> Option<CompressedCertificate<'a>> {
        let end = skip(self.body, 5, 3).filter(|_| self.kind == COMPRESSED_CERTIFICATE)?;
        Some(CompressedCertificate {
            algorithm: u16::from_be_bytes(*self.body.first_chunk()?),
            len: number(self.body, 2, 3),
            octets: self.body.get(8..end)?,
        })
    }

    /// The Certificate whose body this is, as the other side would have read it in place of this message.
    pub const fn with_certificate<'b>(&self, body: &'b [u8]) -> HandshakeMessage<'b> {
        HandshakeMessage {
            kind: CERTIFICATE,
            body,
            hidden: self.hidden,
            from_client: self.from_client,
        }
    }

    /// The certificates of a chain, in DER, the sender's own first (RFC 8446, 4.4.2; RFC 5246, 7.4.2). None where it is another message.
    pub fn certificates(&self) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let hidden = self.hidden;
        let list = match hidden {
            _ if self.kind != CERTIFICATE => return None,
            true => skip(self.body, 0, 1)?,
            false => 0,
        };
        let end = skip(self.body, list, 3)?;
        let mut rest = self.body.get(list + 3..end)?;
        Some(std::iter::from_fn(move || {
            let end = skip(rest, 0, 3)?;
            let certificate = rest.get(3..end)?;
            // Extensions follow each.
            let next = if hidden { skip(rest, end, 2)? } else { end };
            rest = rest.get(next..)?;
            Some(certificate)
        }))
    }
}

impl ClientHello<'_> {
    /// Data may follow at once.
    pub(super) fn has_early_data(&self) -> bool {
        self.extensions.get(EARLY_DATA).is_some()
    }

    /// The ticket of the session that it would resume (RFC 5077, 3.2).
    pub(super) fn session_ticket(&self) -> Option<&[u8]> {
        let ticket = self.extensions.get(SESSION_TICKET);
        ticket.filter(|ticket| !ticket.is_empty())
    }

    /// The server that it asks for (RFC 6066, 3).
    pub fn server_name(&self) -> Option<&[u8]> {
        // Of the list the first one; its type, 0, is the only one there is.
        let list = self.extensions.get(0)?;
        list.get(5..skip(list, 3, 2)?)
    }

    /// The versions that it offers, where it lists them (RFC 8446, 4.2.1).
    pub fn versions(&self) -> impl Iterator<Item = u16> {
        let list = self.extensions.get(SUPPORTED_VERSIONS);
        let list = list.and_then(|list| list.get(1..)).unwrap_or_default();
        numbers(list)
    }
}

impl ServerHello<'_> {
    /// The version that it has chosen.
    pub fn chosen_version(&self) -> u16 {
        match self.extensions.get(SUPPORTED_VERSIONS) {
            Some([hi, lo]) => u16::from_be_bytes([*hi, *lo]),
            _ => self.version,
        }
    }

    /// It asks for another ClientHello.
    pub fn retries(&self) -> bool {
        self.random == RETRY
    }

    pub(super) fn agreed(&self) -> Agreed {
        Agreed {
            random: self.random,
            version: self.chosen_version(),
            suite: self.suite,
            encrypt_then_mac: self.extensions.get(ENCRYPT_THEN_MAC).is_some(),
        }
    }
}

/// Numbers of two octets.
pub fn numbers(octets: &[u8]) -> impl Iterator<Item = u16> {
    octets
        .as_chunks()
        .0
        .iter()
        .map(|two| u16::from_be_bytes(*two))
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

/// The place behind a vector whose length has so many octets.
fn skip(body: &[u8], at: usize, width: usize) -> Option<usize> {
    let len = usize::try_from(number(body.get(at..at + width)?, 0, width)).ok()?;
    Some(at + width + len)
}
