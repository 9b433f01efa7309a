//! Secrets of TLS sessions, as programs write them down (RFC 9850, the SSLKEYLOGFILE format).

use crate::base::state::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use zeroize::Zeroize;

/// Octets of the longest secret: one of SHA-384.
const LONGEST: usize = 48;
/// Sessions that are kept, at most: some 400 MB of secrets. More are left out, and counted.
// A server writes a million of them in hours; a tenth would not hold a day of a busy one.
const SESSIONS: usize = 1 << 20;

/// Names of sessions that may be resumed which are kept, at most: some 10 MB. The oldest are forgotten first.
const NAMES: usize = 1 << 16;

/// Keys that are tried in vain for connections whose session is not known, at most.
// A few seconds. A capture of many connections that began before it, with the key log of others, must not take hours.
const GUESSES: u64 = 1 << 21;
/// What a session that was found is worth of these.
const FOUND: u64 = 1 << 12;

/// A secret. It is never shown, and nothing of it is left in memory behind it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret {
    octets: [u8; LONGEST],
    len: u8,
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// None where it is longer than any.
    pub(super) fn new(octets: &[u8]) -> Option<Self> {
        let mut secret = Self {
            octets: [0; LONGEST],
            len: u8::try_from(octets.len()).ok()?,
        };
        secret
            .octets
            .get_mut(..octets.len())?
            .copy_from_slice(octets);
        Some(secret)
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.len).min(LONGEST)]
    }
}

/// What is known of a session.
#[derive(Debug, Default)]
pub(super) struct SessionSecrets {
    /// The master secret, up to TLS 1.2.
    pub(super) master: Option<Secret>,
    /// Of what the client sends ahead of any answer (TLS 1.3).
    pub(super) early: Option<Secret>,
    /// Of the handshake, the client's first.
    pub(super) handshake: [Option<Secret>; 2],
    /// Of the first application data, the client's first.
    pub(super) traffic: [Option<Secret>; 2],
    /// The client's random number.
    pub(super) client_random: [u8; 32],
    /// A connection was found that has it.
    claimed: Cell<bool>,
}

impl SessionSecrets {
    /// Where a secret of this label belongs; None of one that opens no record of TLS.
    fn place(&mut self, label: &[u8]) -> Option<&mut Option<Secret>> {
        Some(match label {
            b"CLIENT_RANDOM" => &mut self.master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => &mut self.early,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => &mut self.handshake[0],
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => &mut self.handshake[1],
            b"CLIENT_TRAFFIC_SECRET_0" => &mut self.traffic[0],
            b"SERVER_TRAFFIC_SECRET_0" => &mut self.traffic[1],
            _ => return None,
        })
    }
}

/// What a piece of a key log has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddedSecrets {
    /// Secrets that open records.
    pub secrets: u64,
    /// Lines with others: exporter secrets, for one.
    pub others: u64,
    /// Lines that are none of a key log.
    pub unreadable: u64,
    /// Number of the first of these, from 1.
    pub first_unreadable: Option<u64>,
    /// Secrets left out, as there were too many.
    pub left_out: u64,
}

/// For which sessions of a key log connections were found: without a secret, for a run that goes on with another.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FoundSessions {
    /// Their clients' random numbers.
    client_randoms: BTreeSet<[u8; 32]>,
    /// That of the last one that was found.
    last: Option<[u8; 32]>,
    /// Keys tried for connections whose session is not known, beyond those that were found.
    guesses: u64,
    /// Names of sessions that may be resumed, the oldest first, and the random numbers of the clients that their secrets are known by.
    names: Vec<(SessionName, [u8; 32])>,
}

/// What a ClientHello says of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::message) struct Offer {
    /// The client's random number.
    pub(super) random: [u8; 32],
    /// Sessions that it would resume: by the server's number, and by a ticket.
    pub(super) resumes: [Option<SessionName>; 2],
}

/// What a session of TLS 1.2 or before is resumed by, the server's number of it or a ticket: SHA-256 of that.
pub(in crate::message) type SessionName = [u8; 32];

/// Secrets of TLS sessions by the client's random number: at most about a million sessions.
#[derive(Default)]
pub struct KeyLog {
    /// In the order in which they were written: about that in which their connections began.
    sessions: Vec<SessionSecrets>,
    /// Where they stand, by the client's random number.
    places: HashMap<[u8; 32], usize>,
    /// By the names of sessions that may be resumed: the random number of the client that their secrets are known by.
    // Some programs write secrets down where they are made, and not again where the session is resumed.
    names: HashMap<SessionName, [u8; 32]>,
    /// The names, the oldest first.
    order: VecDeque<SessionName>,
    /// The last one that was claimed.
    last: Cell<usize>,
    /// Keys tried for connections whose session is not known, beyond those that were found.
    guesses: Cell<u64>,
    /// What an earlier run has found, of sessions that have not been read again yet.
    before: FoundSessions,
    /// More may come: connections are heard from their hellos on, though nothing is known of them.
    grows: bool,
    /// Sessions whose client was heard and whose secrets are not there, where somebody asks for these.
    lacking: Option<Vec<[u8; 32]>>,
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLog of {} sessions", self.sessions.len())
    }
}

/// Octets of a number in hexadecimal digits, if it has so many.
fn hexadecimal(digits: &[u8], into: &mut [u8]) -> Option<()> {
    if digits.len() != into.len() * 2 {
        return None;
    }
    let digit = |c: u8| char::from(c).to_digit(16);
    for (octet, pair) in into.iter_mut().zip(digits.as_chunks::<2>().0) {
        *octet = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(())
}

impl KeyLog {
    /// Takes whole lines of a key log.
    pub fn add(&mut self, lines: &[u8]) -> AddedSecrets {
        let mut added = AddedSecrets::default();
        let lines = (1..).zip(lines.split(|&c| c == b'\n'));
        // A line may end with a carriage return alone.
        let lines = lines.flat_map(|(number, line)| {
            let parts = line.split(|&c| c == b'\r');
            parts.map(move |part| (number, part))
        });
        for (number, line) in lines {
            let mut words = line
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            let Some(label) = words.next().filter(|label| !label.starts_with(b"#")) else {
                continue;
            };
            let known = self.take(label, [words.next(), words.next()], &mut added);
            if known.is_none() || words.next().is_some() {
                added.unreadable += 1;
                added.first_unreadable.get_or_insert(number);
            }
        }
        added
    }

    /// Takes one secret; None where the words are none of a key log.
    fn take(
        &mut self,
        label: &[u8],
        words: [Option<&[u8]>; 2],
        added: &mut AddedSecrets,
    ) -> Option<()> {
        let upper = |c: &u8| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == b'_';
        let [Some(random), Some(secret)] = words else {
            return None;
        };
        if !label.iter().all(upper) {
            return None;
        }
        let mut octets = [0; LONGEST];
        let len = secret.len() / 2;
        let read = octets
            .get_mut(..len)
            .and_then(|octets| hexadecimal(secret, octets));
        let mut key = [0; 32];
        let there = hexadecimal(random, &mut key);
        if SessionSecrets::default().place(label).is_none() {
            // Keys of RSA, of QUIC, of Encrypted Client Hello: of no use here.
            added.others += 1;
            return Some(());
        }
        let master = label == b"CLIENT_RANDOM";
        let fits = len == 48 || (len == 32 && !master);
        let secret = Secret::new(octets.get(..len)?).filter(|_| fits);
        octets.zeroize();
        there.and(read)?;
        let secret = secret?;
        let place = self.places.get(&key).copied();
        if place.is_none() && self.sessions.len() >= SESSIONS {
            added.left_out += 1;
            return Some(());
        }
        let place = place.unwrap_or_else(|| {
            self.places.insert(key, self.sessions.len());
            if self.before.last == Some(key) {
                self.last.set(self.sessions.len());
            }
            self.sessions.push(SessionSecrets {
                client_random: key,
                claimed: Cell::new(self.before.client_randoms.remove(&key)),
                ..SessionSecrets::default()
            });
            self.sessions.len() - 1
        });
        let session = self.sessions.get_mut(place)?;
        *session.place(label)? = Some(secret);
        added.secrets += 1;
        Some(())
    }

    /// More secrets may be added later. `waits`: packets can wait for them, and [`take_lacking`](Self::take_lacking) says when.
    pub fn expect_more(&mut self, waits: bool) {
        self.grows = true;
        self.lacking = waits.then(Vec::new);
    }

    /// There is no secret, and none will come.
    pub(in crate::message) fn opens_nothing(&self) -> bool {
        self.sessions.is_empty() && !self.grows
    }

    /// The client of a session was heard.
    pub(in crate::message) fn heard(&mut self, offer: &Offer) {
        let lacks = !self.is_complete(&self.origin(offer));
        if let Some(lacking) = self.lacking.as_mut().filter(|_| lacks) {
            lacking.push(offer.random);
        }
    }

    /// The session of this hello may be resumed by this name.
    pub(in crate::message) fn name(&mut self, name: SessionName, offer: &Offer) {
        let origin = self.origin(offer);
        if self.names.insert(name, origin).is_none() {
            self.order.push_back(name);
        }
        if self.order.len() > NAMES
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }

    /// The random number of the client that the secrets of this hello's session are known by: its own, or that of the session that it resumes.
    fn origin(&self, offer: &Offer) -> [u8; 32] {
        if self.places.contains_key(&offer.random) {
            return offer.random;
        }
        let mut resumed = offer.resumes.iter().flatten();
        let origin = resumed.find_map(|name| self.names.get(name));
        origin.copied().unwrap_or(offer.random)
    }

    /// The clients' random numbers of sessions that were heard since the last call, and whose secrets have not come.
    pub fn take_lacking(&mut self) -> Vec<[u8; 32]> {
        self.lacking
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The secrets are there that application data of this session is opened with.
    pub fn is_complete(&self, client_random: &[u8; 32]) -> bool {
        self.session(client_random).is_some_and(|session| {
            // Those of application data are written last, as they are derived last (RFC 8446, 7.1).
            session.master.is_some() || session.traffic.iter().all(Option::is_some)
        })
    }

    /// For which of its sessions connections were found.
    pub fn found(&self) -> FoundSessions {
        let claimed = self.sessions.iter().filter(|session| session.claimed.get());
        let last = self.sessions.get(self.last.get());
        FoundSessions {
            client_randoms: claimed.map(|session| session.client_random).collect(),
            last: last.map(|session| session.client_random),
            guesses: self.guesses.get(),
            names: self
                .order
                .iter()
                .filter_map(|name| Some((*name, *self.names.get(name)?)))
                .collect(),
        }
    }

    /// Goes on with what another run has found. The secrets are added again.
    pub fn go_on(&mut self, mut found: FoundSessions) {
        self.guesses.set(found.guesses);
        let names = std::mem::take(&mut found.names);
        self.order = names.iter().map(|(name, _)| *name).collect();
        self.names = names.into_iter().collect();
        self.before = found;
    }

    /// What is known of the session of this client's random number.
    fn session(&self, client_random: &[u8; 32]) -> Option<&SessionSecrets> {
        self.sessions.get(*self.places.get(client_random)?)
    }

    /// What is known of the session of this hello, which may be one that is resumed.
    pub(super) fn session_of(&self, offer: &Offer) -> Option<&SessionSecrets> {
        self.session(&self.origin(offer))
    }

    /// So many keys have been tried for a connection whose session is not known.
    pub(super) fn guessed(&self, tried: u64, found: bool) {
        let all = self.guesses.get();
        self.guesses.set(match found {
            true => all.saturating_sub(FOUND),
            false => all.saturating_add(tried),
        });
    }

    /// Sessions are still looked for.
    pub(super) fn guesses(&self) -> bool {
        self.guesses.get() < GUESSES
    }

    /// A connection has this session.
    pub(super) fn claim(&self, client_random: &[u8; 32]) {
        if let Some(place) = self.places.get(client_random)
            && let Some(session) = self.sessions.get(*place)
        {
            session.claimed.set(true);
            self.last.set(*place);
        }
    }

    /// The sessions that no connection was found for, those first that were written about the time of the one that was claimed last.
    pub(super) fn unclaimed(&self) -> impl Iterator<Item = &SessionSecrets> {
        let last = self.last.get();
        let near = (0..self.sessions.len()).flat_map(move |n| {
            let before = last.checked_sub(n + 1);
            [Some(last + n), before]
        });
        let near = near.flatten().filter_map(|place| self.sessions.get(place));
        near.filter(|session| !session.claimed.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_key_log_are_read() {
        let (random, secret) = ("0a".repeat(32), "bC".repeat(48));
        let text = format!(
            "# comment\r\n\rCLIENT_RANDOM {random} {secret}\r\n\n\
             SERVER_TRAFFIC_SECRET_0 {random} {}\nEXPORTER_SECRET {random} {}\n\
             RSA 0102030405060708 {secret}\nCLIENT_RANDOM {random} 00\nnonsense\n",
            &secret[..64],
            &secret[..64],
        );
        let mut log = KeyLog::default();
        let added = log.add(text.as_bytes());
        let expected = AddedSecrets {
            secrets: 2,
            others: 2,
            unreadable: 2,
            first_unreadable: Some(7),
            left_out: 0,
        };
        assert_eq!(added, expected);
        let session = log.session(&[10; 32]).unwrap();
        assert_eq!(session.master.as_ref().unwrap().octets(), [0xbc; 48]);
        assert_eq!(session.traffic[1].as_ref().unwrap().octets(), [0xbc; 32]);
        assert!(session.traffic[0].is_none());
        assert_eq!(format!("{log:?} {session:?}").find("bc"), None);
    }
}
