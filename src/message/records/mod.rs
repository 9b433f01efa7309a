//! TLS whose keys are known: what records hold (RFC 8446, RFC 5246).
//!
//! ```text
//! keylog.rs      secrets of sessions, as programs write them down
//! suite.rs       the cipher suites that can be opened
//! schedule.rs    from secrets to the keys of one direction
//! protection.rs  opens a record
//! primitives.rs  all that comes from crates of cryptography; no_primitives.rs: without the feature `decrypt`
//! handshake.rs   what hellos say
//! session.rs     which key and which number the next record of a direction has, also behind a loss
//! ```
//!
//! A record is authenticated, so the key and the number that open it are the right ones: behind a loss they are found by trying.

mod handshake;
mod keylog;
#[cfg(not(feature = "decrypt"))]
mod no_primitives;
#[cfg(feature = "decrypt")]
mod primitives;
mod protection;
mod schedule;
mod session;
mod suite;

#[cfg(not(feature = "decrypt"))]
use no_primitives::{
    Opener, decrypt_blocks, digest, expand, pseudorandom, pseudorandom_before_12, verify,
};
#[cfg(feature = "decrypt")]
use primitives::{
    Opener, decrypt_blocks, digest, expand, pseudorandom, pseudorandom_before_12, verify,
};

pub use handshake::{
    ClientHello, CompressedCertificate, Extensions, HandshakeMessage, ServerHello, numbers,
};
pub use keylog::{AddedSecrets, FoundSessions, KeyLog};
pub(super) use keylog::{Offer, SessionName};
pub(super) use session::{
    APPLICATION_DATA, Lost, NotOpened, Opened, RecordPlace, SaidMessage, Session,
};
