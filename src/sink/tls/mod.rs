//! What a connection shows of its TLS: version, cipher suite, names, certificates, fingerprints.

mod certificate;
mod fingerprint;
mod suites;

pub(in crate::sink) use certificate::without_compression;

use crate::base::context::Context;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::message::records::{ClientHello, HandshakeMessage, ServerHello};
use sha2::{Digest, Sha256};

/// Certificates of a chain that are noted. Chains have two to five.
const CERTIFICATES: usize = 16;
/// Octets of a server's name: of a name in DNS.
const NAME: usize = 255;

/// What was seen of the TLS of a connection. Plain data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct TlsSeen {
    version: Option<u16>,
    suite: Option<u16>,
    server_name: Option<String>,
    /// What the server has chosen, of the protocols that the client speaks.
    alpn: Option<String>,
    ja3: Option<[u8; 16]>,
    ja3s: Option<[u8; 16]>,
    ja4: Option<String>,
    certificates: Vec<CertificateSeen>,
    /// Octets that the budget knows of.
    counted: usize,
}

/// A certificate.
#[derive(Debug, Serialize, Deserialize)]
struct CertificateSeen {
    /// Its subject (RFC 4514); None where it cannot be read.
    subject: Option<String>,
    sha256: [u8; 32],
}

impl TlsSeen {
    /// Reads on.
    pub(super) fn add(&mut self, message: &HandshakeMessage<'_>, cx: &mut Context) {
        let mut room = Vec::new();
        let message = without_compression(message, &mut room);
        if let Some(hello) = message.client_hello() {
            self.client_hello(&hello);
        } else if let Some(hello) = message.server_hello() {
            self.server_hello(&hello);
        } else if let Some(extensions) = message.encrypted_extensions() {
            self.chooses(extensions.alpn().next());
        } else if let Some(chain) = message.certificates() {
            // The server's; clients seldom show one.
            if self.certificates.is_empty() && !message.from_client {
                let chain = chain.take(CERTIFICATES).map(CertificateSeen::of);
                self.certificates = chain.collect();
            }
        }
        let texts = [&self.server_name, &self.alpn, &self.ja4];
        let texts = texts.into_iter().flatten().map(String::capacity);
        let subjects = self
            .certificates
            .iter()
            .filter_map(|one| one.subject.as_ref());
        let now = allocated(size_of::<Self>())
            + allocated(self.certificates.capacity() * size_of::<CertificateSeen>())
            + texts
                .chain(subjects.map(String::capacity))
                .map(allocated)
                .sum::<usize>();
        cx.budget.rebook(&mut self.counted, now);
    }

    /// It is kept no longer.
    pub(super) fn forget(&mut self, cx: &mut Context) {
        cx.budget.give(std::mem::take(&mut self.counted));
    }

    /// The first one is that which everybody sees: others come where keys are agreed on anew, or another one is asked for.
    fn client_hello(&mut self, hello: &ClientHello<'_>) {
        if self.ja4.is_some() {
            return;
        }
        let name = hello.server_name().filter(|name| !name.is_empty());
        self.server_name = name.map(|name| text(name.get(..NAME).unwrap_or(name)));
        self.ja3 = Some(fingerprint::ja3(hello));
        self.ja4 = Some(fingerprint::ja4(hello));
    }

    fn server_hello(&mut self, hello: &ServerHello<'_>) {
        if hello.retries() || self.suite.is_some() {
            return;
        }
        (self.version, self.suite) = (Some(hello.chosen_version()), Some(hello.suite));
        self.ja3s = Some(fingerprint::ja3s(hello));
        self.chooses(hello.extensions.alpn().next());
    }

    fn chooses(&mut self, protocol: Option<&[u8]>) {
        if let Some(protocol) = protocol {
            self.alpn = Some(text(protocol));
        }
    }

    /// Its version: `1.3`.
    pub(super) fn version(&self) -> Option<String> {
        self.version.map(|version| match version {
            0x0300 => "SSL 3.0".to_owned(),
            0x0301..=0x0304 => format!("1.{}", version - 0x0301),
            _ => format!("0x{version:04x}"),
        })
    }

    /// Its cipher suite, by IANA's name.
    pub(super) fn cipher(&self) -> Option<String> {
        self.suite.map(suites::name)
    }

    /// The server that the client asks for.
    pub(super) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The protocol inside that the two have agreed on.
    pub(super) fn alpn(&self) -> Option<&str> {
        self.alpn.as_deref()
    }

    /// The fingerprints of client and server by JA3.
    pub(super) const fn ja3(&self) -> [Option<[u8; 16]>; 2] {
        [self.ja3, self.ja3s]
    }

    /// Subject and SHA-256 of each certificate, the server's own first.
    pub(super) fn certificates(&self) -> impl Iterator<Item = (Option<&str>, [u8; 32])> {
        let all = self.certificates.iter();
        all.map(|one| (one.subject.as_deref(), one.sha256))
    }

    /// The fingerprint of the client by JA4.
    pub(super) fn ja4(&self) -> Option<&str> {
        self.ja4.as_deref()
    }
}

/// What was sent as text.
fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

impl CertificateSeen {
    fn of(der: &[u8]) -> Self {
        Self {
            subject: certificate::subject(der),
            sha256: Sha256::digest(der).into(),
        }
    }
}

/// The name that a certificate is called by: what its subject calls common name, or the beginning of its sum.
pub(super) fn certificate_name(der: &[u8]) -> String {
    certificate::common_name(der).unwrap_or_else(|| {
        let sum: [u8; 32] = Sha256::digest(der).into();
        let digits = sum[..8].iter().map(|octet| format!("{octet:02x}"));
        digits.collect()
    })
}
