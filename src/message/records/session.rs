//! Which key and which number the next record of a direction has, also behind a loss.
//!
//! Where nothing is missing, both are known, and a record that they do not open is opened by nothing. Behind octets that are missing
//! the number lies between what few long records and many short ones would have made of them, and the keys are these or later ones:
//! they are tried in this order, so often at most as the bounds below say.

use super::digest;
use super::handshake::{self, Agreed, HandshakeMessage};
use super::keylog::{KeyLog, Offer, Secret, SessionName, SessionSecrets};
use super::protection::{HEADER, Protection, RecordNumber};
use super::schedule::{self, KeyBlockSeed, TLS13};
use super::suite::{suite, with_secrets_of};
use crate::base::flow::Direction;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use std::ops::Range;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
pub(in crate::message) const APPLICATION_DATA: u8 = 23;

/// Octets of the longest record, its header included.
const LONGEST: u64 = HEADER as u64 + (1 << 14) + 2048;
/// Numbers that are tried for one record.
// A loss of a megabyte of the shortest records is 47,000 of them.
const TRIALS: u64 = 1 << 16;
/// Octets that are looked at in vain for one record, at most.
// Long records make few numbers of a loss; this is time for a thousand of the longest, which is 16 MB of them lost.
const OCTETS_TRIED: u64 = 16 << 20;
/// Records in a row for which nothing fits, after which a direction is no longer tried.
const FAILURES: u8 = 8;
/// So many count as one of these where the key log lacks the secret that they have most likely: they say nothing of those behind them.
const KEYLESS: u8 = 8;
/// Keys that are tried for a record of a connection whose ClientHello is missing, with each of the following.
// Of some thousand connections at once; those near it in the key log come first.
const GUESSES: u64 = 1 << 14;
/// Sessions that are looked at for the price of a trial.
const LOOKED: u64 = 64;
/// Numbers that are tried with each, one after the other.
const NUMBERS_GUESSED: [u64; 3] = [4, 64, 1024];
/// Records of each direction for which that is done.
const GUESSED: u8 = 2;
/// What was agreed on before that is kept, and that a loss may hide the change to (RFC 5246, 7.4.1.1).
const EARLIER: usize = 3;
/// Changes of keys that a loss may hide (KeyUpdate).
const UPDATES: u32 = 3;
/// Records under the first keys of application data which a server begins with and which hold none of it (NewSessionTicket).
const TICKETS: u64 = 4;
/// What keys of a direction allocate, about: tables of AES and GHASH.
const KEYS: usize = 2048;
/// Octets of a handshake message in encrypted records that is read.
// Chains of certificates have some thousand.
const READ: u64 = 64 << 10;

/// Which keys a direction uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Epoch {
    /// None yet.
    #[default]
    Clear,
    /// Those of data that is sent with the ClientHello.
    Early,
    /// Those of the handshake of TLS 1.3.
    Handshake,
    /// Those of application data, changed so often.
    Application(u32),
    /// Those of TLS 1.2 and before.
    Sealed,
}

/// Keys that opened a record.
#[derive(Debug)]
struct Keys {
    epoch: Epoch,
    protection: Protection,
    /// Of TLS 1.3: what they were made of.
    secret: Option<Secret>,
}

/// One direction.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Half {
    epoch: Epoch,
    /// Of the next record, where nothing is missing before it.
    number: u64,
    /// Offset behind the last record that was read or opened.
    reached: Option<u64>,
    /// Behind that, nobody knows how many octets are missing.
    jumped: bool,
    /// The last block of the last record, and the half of the nonce that stood in the last one that was opened.
    last_block: Option<[u8; 16]>,
    /// Offset behind the record that the block is of, which need not have been opened.
    block_end: Option<u64>,
    last_nonce: Option<u64>,
    /// Of the handshake message that is open in encrypted records: its header so far, octets to come, and those that have come, if it is read.
    opened_header: Vec<u8>,
    opened_left: u64,
    opened_body: Option<(u8, Vec<u8>)>,
    /// What its keys of TLS 1.2 and before are made of: what was agreed on when they came into use.
    sealed_with: Option<Basis>,
    failures: u8,
    /// Records for which no session of the key log fits, where none is known.
    guessed: u8,
    /// The suite, where no ServerHello said it.
    suite: Option<u16>,
    /// No record is missing since application data may have come.
    lossless: bool,
    /// Application data has come under these keys.
    has_data: bool,
    /// There were others before these.
    renewed: bool,
    /// Records were longer than what they held (RFC 8446, 5.4): how much others held that are missing is not known then.
    pads: bool,
    // Made anew from the secrets where they are needed: they are never written.
    #[serde(skip)]
    keys: Option<Keys>,
}

/// What was agreed on: what the client has said, and the server.
type Basis = (Offer, Agreed);

/// A handshake message that was read, as [`HandshakeMessage`].
#[derive(Debug)]
pub(in crate::message) struct SaidMessage {
    kind: u8,
    body: Vec<u8>,
    hidden: bool,
    from_client: bool,
}

impl SaidMessage {
    pub(in crate::message) fn message(&self) -> HandshakeMessage<'_> {
        HandshakeMessage {
            kind: self.kind,
            body: &self.body,
            hidden: self.hidden,
            from_client: self.from_client,
        }
    }
}

/// What is known of the TLS of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::message) struct Session {
    client: Option<Direction>,
    offer: Option<Offer>,
    server: Option<Agreed>,
    /// What was agreed on before, where keys are agreed on anew: one direction is read ahead of the other.
    earlier: Vec<Basis>,
    /// The protocol inside, as the two have agreed (RFC 7301), or the only one that the client speaks.
    alpn: Option<Vec<u8>>,
    halves: [Half; 2],
    /// It is not noted yet that the session has a connection.
    claims: bool,
    /// The server has asked for another ClientHello.
    retries: bool,
    /// What the server has said answers a ClientHello that has not been read yet: that stands behind a loss, perhaps.
    ahead: bool,
    /// The client was heard since it was asked last.
    #[serde(skip)]
    heard: bool,
    /// What the session may be resumed by later, of what was heard since it was asked last.
    #[serde(skip)]
    names: Vec<SessionName>,
    /// Somebody wants the handshake messages that are read, and these.
    listens: bool,
    #[serde(skip)]
    said: Vec<SaidMessage>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::message) struct RecordPlace {
    pub(in crate::message) direction: Direction,
    /// Of its first octet.
    pub(in crate::message) offset: u64,
}

/// What is missing before a record, of what records hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::message) enum Lost {
    /// So many octets.
    Octets(u64),
    /// Nobody knows how many, or whether any.
    Unknown,
}

/// A record that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::message) struct Opened {
    /// Type of what it holds.
    pub(in crate::message) kind: u8,
    /// Where that stands in it.
    pub(in crate::message) content: Range<usize>,
    pub(in crate::message) lost: Option<Lost>,
    /// No record is missing since application data may have come.
    pub(in crate::message) lossless: bool,
}

/// Why a record was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::message) enum NotOpened {
    /// The key log has no secret for it.
    NoKey,
    /// A hello that is needed is not in the capture.
    NoHello,
    /// Of a suite or a version that is not known here.
    Suite,
    /// It needs a block of the record before, which is missing (TLS 1.0).
    NoBlock,
    /// No key and no number fits that was tried.
    NoFit,
}

impl Half {
    /// How many octets are missing before this one; None where nobody knows.
    fn lost(&self, offset: u64) -> Option<u64> {
        let reached = self.reached.filter(|_| !self.jumped)?;
        offset.checked_sub(reached)
    }

    /// These keys are used from now on.
    fn change(&mut self, epoch: Epoch) {
        (self.epoch, self.number) = (epoch, 0);
        (self.last_block, self.last_nonce) = (None, None);
        (self.lossless, self.has_data) = (true, false);
        self.opened_header.clear();
        (self.opened_left, self.opened_body) = (0, None);
    }

    /// Reads on in the handshake messages that records hold: the types of those that begin, and those that are whole and of use.
    fn handshake(&mut self, mut octets: &[u8]) -> (Vec<u8>, Vec<(u8, Vec<u8>)>) {
        let (mut types, mut whole) = (Vec::new(), Vec::new());
        while !octets.is_empty() || self.opened_left == 0 && self.opened_body.is_some() {
            if self.opened_left == 0 {
                whole.extend(self.opened_body.take());
                let missing = 4 - self.opened_header.len().min(4);
                let (header, rest) = octets.split_at(missing.min(octets.len()));
                self.opened_header.extend_from_slice(header);
                octets = rest;
                let Some([kind, len @ ..]) = self.opened_header.first_chunk::<4>() else {
                    break;
                };
                let len = u32::from_be_bytes([0, len[0], len[1], len[2]]);
                types.push(*kind);
                self.opened_left = len.into();
                let of_use = handshake::is_gathered(*kind) && self.opened_left <= READ;
                self.opened_body = of_use.then(|| (*kind, Vec::new()));
                self.opened_header.clear();
            }
            let n = usize::try_from(self.opened_left)
                .unwrap_or(usize::MAX)
                .min(octets.len());
            if let Some((_, body)) = &mut self.opened_body {
                body.extend_from_slice(&octets[..n]);
            }
            self.opened_left -= n as u64;
            octets = &octets[n..];
        }
        (types, whole)
    }
}

impl Session {
    /// A handshake message in clear: its records. `place`: of the first one; `end`: behind the last.
    pub(in crate::message) fn hear(&mut self, place: RecordPlace, end: u64, records: &[u8]) {
        let fragments = handshake::fragments(records);
        for (kind, body) in handshake::messages(&fragments) {
            self.message(place.direction, kind, body, false);
        }
        let half = &mut self.halves[place.direction.index()];
        (half.reached, half.jumped) = (Some(end), false);
        // A client that sends early data may say this behind its hello, where it means nothing (RFC 8446, D.4).
        let changes = self.halves[place.direction.index()].epoch != Epoch::Early;
        if records.first() == Some(&CHANGE_CIPHER_SPEC) && !self.is_tls13() && changes {
            self.seals(place.direction);
        }
    }

    /// A direction uses the keys from now on that were agreed on (RFC 5246, 7.1).
    fn seals(&mut self, direction: Direction) {
        let basis = self.next_basis(direction.index());
        let half = &mut self.halves[direction.index()];
        half.renewed |= half.sealed_with.is_some();
        half.change(Epoch::Sealed);
        (half.keys, half.sealed_with) = (None, basis);
    }

    /// What both have said, as far as it belongs together.
    fn agreed(&self) -> Option<Basis> {
        let server = self.server.filter(|_| !self.ahead);
        self.offer.zip(server)
    }

    /// What a direction changes to next: of what was agreed on, that which follows what it has sealed with.
    fn next_basis(&self, d: usize) -> Option<Basis> {
        let used = self.halves[d].sealed_with;
        let mut all = self.earlier.iter().copied().chain(self.agreed());
        match used {
            Some(used) if all.any(|basis| basis == used) => all.next().or(Some(used)),
            Some(_) => self.agreed(),
            None => all.next(),
        }
    }

    /// What the keys of a direction are made of: what it has sealed with until now, or else what was agreed on.
    fn basis(&self, d: usize) -> (Option<Offer>, Option<Agreed>) {
        let first = self.earlier.first().copied();
        match self.halves[d].sealed_with.or(first) {
            Some((offer, agreed)) => (Some(offer), Some(agreed)),
            None => (self.offer, self.server),
        }
    }

    /// Handshake messages are wanted, or not.
    pub(in crate::message) fn listen(&mut self, listens: bool) {
        self.listens = listens;
    }

    /// Handshake messages are wanted.
    pub(in crate::message) const fn listens(&self) -> bool {
        self.listens
    }

    /// The handshake messages that were read since the last call, where they are wanted.
    pub(in crate::message) fn take_said(&mut self) -> Vec<SaidMessage> {
        std::mem::take(&mut self.said)
    }

    /// The protocol inside, as far as the two have said.
    pub(in crate::message) fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// A direction begins; `from_start`: with its first octet, at this offset.
    pub(in crate::message) fn begins(&mut self, direction: Direction, from_start: Option<u64>) {
        let half = &mut self.halves[direction.index()];
        half.reached = half.reached.or(from_start);
    }

    /// Where the last record of a direction ends that was read or opened.
    pub(in crate::message) fn reached(&self, direction: Direction) -> Option<u64> {
        self.halves[direction.index()].reached
    }

    /// Octets that a record of this direction has beside what it holds; 0 where that is not known.
    pub(in crate::message) fn around(&self, direction: Direction) -> u64 {
        let keys = self.halves[direction.index()].keys.as_ref();
        let overhead = keys.and_then(|keys| keys.protection.overhead());
        overhead.map_or(0, |octets| octets + HEADER as u64)
    }

    /// Octets are missing, nobody knows how many.
    pub(in crate::message) fn jumps(&mut self, direction: Direction) {
        self.halves[direction.index()].jumped = true;
    }

    /// A handshake message, in clear or opened; `hidden`: of TLS 1.3, and opened.
    fn message(&mut self, direction: Direction, kind: u8, body: &[u8], hidden: bool) {
        let message = HandshakeMessage {
            kind,
            body,
            hidden,
            from_client: kind == handshake::CLIENT_HELLO || self.sends(direction.index(), true),
        };
        if self.listens && handshake::is_of_use(kind) {
            self.said.push(SaidMessage {
                kind,
                body: body.to_vec(),
                hidden,
                from_client: message.from_client,
            });
        }
        match kind {
            handshake::CLIENT_HELLO => {
                let Some(hello) = message.client_hello() else {
                    return;
                };
                self.client = Some(direction);
                if self.random() != Some(hello.random) {
                    self.earlier.extend(self.agreed());
                    if self.earlier.len() > EARLIER {
                        self.earlier.remove(0);
                    }
                    if !std::mem::take(&mut self.ahead) {
                        self.server = None;
                    }
                    self.retries = false;
                    self.heard = true;
                }
                let named = |octets: &[u8]| (!octets.is_empty()).then(|| digest(octets));
                let resumes = [named(hello.session_id), hello.session_ticket().map(digest)];
                let random = hello.random;
                (self.offer, self.claims) = (Some(Offer { random, resumes }), true);
                let mut offered = hello.extensions.alpn();
                let only = offered.next().filter(|_| offered.next().is_none());
                self.alpn = only.map(<[u8]>::to_vec);
                let half = &mut self.halves[direction.index()];
                if hello.has_early_data() && half.epoch == Epoch::Clear {
                    half.change(Epoch::Early);
                } else if half.epoch == Epoch::Early {
                    // Asked for anew, without data.
                    half.change(Epoch::Clear);
                }
            }
            handshake::SERVER_HELLO => {
                let Some(hello) = message.server_hello() else {
                    return;
                };
                self.client.get_or_insert(direction.flip());
                if hello.retries() {
                    // It says no more than that it is TLS 1.3, where a change of the cipher changes nothing.
                    self.retries = true;
                    return;
                }
                self.agrees_on(hello.extensions.alpn().next());
                let agreed = hello.agreed();
                self.server = Some(agreed);
                let answered = self.halves[direction.index()].sealed_with;
                let answered = answered.map(|(offer, _)| offer.random);
                self.ahead = self.offer.is_none() || self.random() == answered;
                if agreed.version != TLS13 && !self.ahead {
                    self.begins_session(hello.session_id);
                }
                if agreed.version == TLS13 {
                    let [there, back] = [direction, direction.flip()].map(Direction::index);
                    self.halves[there].change(Epoch::Handshake);
                    if matches!(self.halves[back].epoch, Epoch::Clear | Epoch::Sealed) {
                        self.halves[back].change(Epoch::Handshake);
                    }
                }
            }
            handshake::ENCRYPTED_EXTENSIONS => {
                let extensions = message.encrypted_extensions();
                self.agrees_on(extensions.and_then(|all| all.alpn().next()));
            }
            handshake::NEW_SESSION_TICKET if !self.is_tls13() => {
                self.names.extend(message.session_ticket().map(digest));
            }
            _ => {}
        }
    }

    /// The server has said by which number a session of TLS 1.2 or before may be resumed, or which one it resumes (RFC 5246, 7.4.1.3).
    fn begins_session(&mut self, id: &[u8]) {
        let name = (!id.is_empty()).then(|| digest(id));
        if let Some(offer) = &mut self.offer
            && offer.resumes[0].is_some_and(|offered| Some(offered) != name)
        {
            // Neither that of the client nor, since it would say so by the client's number, that of a ticket (RFC 5077, 3.4).
            offer.resumes = [None; 2];
        }
        self.names.extend(name);
    }

    /// The client's random number.
    fn random(&self) -> Option<[u8; 32]> {
        self.offer.map(|offer| offer.random)
    }

    /// What a client has said that was heard since the last call.
    pub(in crate::message) fn take_heard(&mut self) -> Option<Offer> {
        self.offer.filter(|_| std::mem::take(&mut self.heard))
    }

    /// What sessions may be resumed by, of what was heard since the last call, and the hello that began them.
    pub(in crate::message) fn take_names(
        &mut self,
    ) -> impl Iterator<Item = (SessionName, Offer)> + use<> {
        let offer = self.offer;
        let names = std::mem::take(&mut self.names).into_iter();
        names.filter_map(move |name| Some((name, offer?)))
    }

    /// The server has chosen the protocol inside, where it has.
    fn agrees_on(&mut self, protocol: Option<&[u8]>) {
        if let Some(protocol) = protocol {
            self.alpn = Some(protocol.to_vec());
        }
    }

    /// Who sends what a client sends, if that is known.
    pub(in crate::message) fn client(&self) -> Option<Direction> {
        self.client
    }

    /// A direction is known to be that of the client, or of the server.
    fn sends(&self, d: usize, client: bool) -> bool {
        self.client.is_some_and(|of| (of.index() == d) == client)
    }

    fn is_tls13(&self) -> bool {
        self.retries || self.server.is_some_and(|hello| hello.version == TLS13)
    }

    /// A record that begins like this is encrypted: whether it may be opened. None of one in clear.
    pub(in crate::message) fn may_open(
        &self,
        keys: &KeyLog,
        place: RecordPlace,
        header: &[u8],
    ) -> Option<Result<(), NotOpened>> {
        let direction = place.direction;
        let half = &self.halves[direction.index()];
        // The change of the cipher may have been lost.
        let hidden =
            half.epoch == Epoch::Clear && half.lost(place.offset) != Some(0) && !self.is_tls13();
        let sealed = match header.first() {
            Some(&APPLICATION_DATA) => true,
            Some(&(ALERT | HANDSHAKE)) if hidden => handshake::is_not_clear(header),
            Some(&(ALERT | HANDSHAKE)) => {
                half.epoch == Epoch::Sealed && !handshake::is_clear_hello(header)
            }
            // Keys are changed for others that were agreed on in encrypted records: in clear it has one octet.
            Some(&CHANGE_CIPHER_SPEC) => {
                half.epoch == Epoch::Sealed && header.get(3..5) != Some(&[0, 1])
            }
            _ => false,
        };
        let may = |may: bool, why| if may { Ok(()) } else { Err(why) };
        let d = direction.index();
        let (_, agreed) = self.basis(d);
        sealed.then(|| match self.secrets(keys, d) {
            Ok(secrets) if agreed.is_none() && secrets.traffic.iter().all(Option::is_none) => {
                Err(NotOpened::NoHello)
            }
            Ok(_) => may(half.failures < FAILURES * KEYLESS, NotOpened::NoFit),
            Err(NotOpened::NoHello) => {
                may(half.guessed < GUESSED && keys.guesses(), NotOpened::NoHello)
            }
            Err(why) => Err(why),
        })
    }

    /// The key log has secrets of this session.
    pub(in crate::message) fn has_secrets(&self, keys: &KeyLog) -> bool {
        self.offer
            .is_some_and(|offer| keys.session_of(&offer).is_some())
    }

    /// What the key log has of the session that a direction is in.
    fn secrets<'a>(&self, keys: &'a KeyLog, d: usize) -> Result<&'a SessionSecrets, NotOpened> {
        let offer = self.basis(d).0.ok_or(NotOpened::NoHello)?;
        keys.session_of(&offer).ok_or(NotOpened::NoKey)
    }

    /// Opens a record, which is whole, in place. Where it cannot, nothing is changed.
    pub(in crate::message) fn open(
        &mut self,
        keys: &KeyLog,
        place: RecordPlace,
        record: &mut [u8],
        tried: &mut u64,
    ) -> Result<Opened, NotOpened> {
        if self.offer.is_none() {
            return self.guess(keys, place, record, tried);
        }
        let secrets = self.secrets(keys, place.direction.index())?;
        let mut opened = self.open_with(secrets, place, record, TRIALS, tried);
        if opened.is_err()
            && let Some(anew) = self.open_anew(keys, place, record, tried)
        {
            opened = Ok(anew);
        }
        match &opened {
            Ok(_) if self.claims => {
                keys.claim(&secrets.client_random);
                self.claims = false;
            }
            Ok(_) => {}
            // Those that no key is there for say nothing of the next.
            Err(NotOpened::NoKey | NotOpened::NoHello | NotOpened::Suite) => {}
            Err(NotOpened::NoFit | NotOpened::NoBlock) => {
                let d = place.direction.index();
                let server = usize::from(self.sends(d, false));
                let half = &mut self.halves[d];
                let keyless = match half.epoch {
                    Epoch::Early => secrets.early.is_none(),
                    Epoch::Handshake => secrets.handshake[server].is_none(),
                    _ => false,
                };
                let cost = if keyless { 1 } else { KEYLESS };
                half.failures = half.failures.saturating_add(cost);
                if keyless {
                    opened = Err(NotOpened::NoKey);
                }
            }
        }
        opened
    }

    /// The same with keys that were agreed on anew, where what is missing may have changed to them.
    fn open_anew(
        &mut self,
        keys: &KeyLog,
        place: RecordPlace,
        record: &mut [u8],
        tried: &mut u64,
    ) -> Option<Opened> {
        let d = place.direction.index();
        let half = &self.halves[d];
        if half.epoch != Epoch::Sealed || half.lost(place.offset) == Some(0) {
            return None;
        }
        let (used, agreed) = (half.sealed_with, self.agreed());
        let earlier = self.earlier.clone();
        let others = earlier.into_iter().chain(agreed);
        for basis in others.filter(|basis| used != Some(*basis)) {
            let Some(secrets) = keys.session_of(&basis.0) else {
                continue;
            };
            let half = &mut self.halves[d];
            let changed = Half {
                reached: half.reached,
                jumped: half.jumped,
                sealed_with: Some(basis),
                renewed: true,
                ..Half::default()
            };
            let before = std::mem::replace(half, changed);
            let opened = self.open_with(secrets, place, record, TRIALS, tried);
            if opened.is_ok() {
                return opened.ok();
            }
            self.halves[d] = before;
        }
        None
    }

    /// The same of a connection whose ClientHello is missing: the session that opens it is its own.
    fn guess(
        &mut self,
        keys: &KeyLog,
        place: RecordPlace,
        record: &mut [u8],
        tried: &mut u64,
    ) -> Result<Opened, NotOpened> {
        let client = self.client;
        let clients = match client {
            Some(client) => [Some(client), None],
            None => [Some(place.direction.flip()), Some(place.direction)],
        };
        // A small number first: mostly the hello alone is missing.
        for numbers in NUMBERS_GUESSED {
            let (before, mut looked) = (*tried, 0);
            for secrets in keys.unclaimed() {
                // Those that have no secret of this kind cost little, but there may be a million of them.
                looked += 1;
                for client in clients.into_iter().flatten() {
                    let offer = Offer {
                        random: secrets.client_random,
                        resumes: [None; 2],
                    };
                    (self.client, self.offer) = (Some(client), Some(offer));
                    let opened = self.open_with(secrets, place, record, numbers, tried);
                    if let Ok(opened) = opened {
                        keys.claim(&secrets.client_random);
                        keys.guessed(*tried - before + looked / LOOKED, true);
                        return Ok(opened);
                    }
                    self.halves[place.direction.index()].keys = None;
                }
                if *tried - before > GUESSES {
                    break;
                }
            }
            keys.guessed(*tried - before + looked / LOOKED, false);
        }
        (self.client, self.offer) = (client, None);
        self.halves[place.direction.index()].guessed += 1;
        Err(NotOpened::NoHello)
    }

    /// Opens a record with these secrets.
    fn open_with(
        &mut self,
        secrets: &SessionSecrets,
        place: RecordPlace,
        record: &mut [u8],
        most_numbers: u64,
        tried: &mut u64,
    ) -> Result<Opened, NotOpened> {
        let d = place.direction.index();
        let half = &self.halves[d];
        let (epoch, number, lost) = (half.epoch, half.number, half.lost(place.offset));
        let before = half.block_before(place.offset);
        let end = place.offset + record.len() as u64;
        let (offer, agreed) = self.basis(d);
        let (basis, client) = (offer.zip(agreed), self.sends(d, true));
        let mut outcome = Err(NotOpened::NoFit);
        let (mut unopened, mut has_keys) = (None, false);
        for next in self.epochs(d, secrets, lost) {
            for suite in self.suites(d, next, secrets) {
                let made = self.keys(d, next, suite, secrets)?;
                let Some(keys) = made else {
                    continue;
                };
                has_keys = true;
                let current = next == epoch;
                let from = if current { number } else { 0 };
                let most = most_numbers.min(OCTETS_TRIED / record.len().max(1) as u64 + 16);
                let numbers = numbers(from, lost, &keys.protection, current, most);
                let guess = self.halves[d].guess(&keys.protection, record, current);
                let guess = guess.filter(|n| numbers.contains(n));
                if keys.protection.needs_block_before() && before.is_none() && numbers.end > 1 {
                    outcome = Err(NotOpened::NoBlock);
                }
                for n in guess.into_iter().chain(numbers) {
                    *tried += 1;
                    let at = RecordNumber {
                        number: n,
                        block_before: before,
                    };
                    let ending = keys.protection.last_block(record);
                    let nonce = keys.protection.explicit_nonce(record);
                    if let Some(content) = keys.protection.open(at, record) {
                        let half = &mut self.halves[d];
                        let missing = match (lost, current) {
                            (Some(0), _) => None,
                            (Some(lost), true) => {
                                Some(half.missing(&keys.protection, n, lost, client))
                            }
                            _ => Some(Lost::Unknown),
                        };
                        if !current {
                            half.change(next);
                        }
                        if next == Epoch::Sealed && half.sealed_with.is_none() {
                            half.sealed_with = basis;
                        }
                        // Of TLS 1.2 and before, a Finished is the first.
                        let finished = next == Epoch::Sealed && !half.renewed && half.number == 0;
                        half.lossless &= n == half.number || finished && n == 1;
                        half.number = n + 1;
                        (half.reached, half.block_end) = (Some(end), Some(end));
                        (half.jumped, half.failures) = (false, 0);
                        (half.last_block, half.last_nonce) = (ending, nonce);
                        half.suite = Some(suite);
                        half.keys = Some(keys);
                        return Ok(self.opened(place.direction, record, content, missing));
                    }
                }
                unopened = keys.protection.last_block(record);
                if current {
                    self.halves[d].keys = Some(keys);
                }
            }
        }
        if unopened.is_some() {
            // The next record is opened with it all the same.
            let half = &mut self.halves[d];
            (half.last_block, half.block_end) = (unopened, Some(end));
        }
        if has_keys {
            outcome
        } else {
            Err(NotOpened::NoKey)
        }
    }

    /// What a record that was opened holds, and what follows from it.
    fn opened(
        &mut self,
        direction: Direction,
        record: &[u8],
        mut content: Range<usize>,
        lost: Option<Lost>,
    ) -> Opened {
        let d = direction.index();
        let mut kind = record[0];
        let half = &mut self.halves[d];
        let hides = half
            .keys
            .as_ref()
            .is_some_and(|k| k.protection.hides_type());
        if hides {
            // Behind the content stand its type and zeros (RFC 8446, 5.2).
            let octets = record.get(content.clone()).unwrap_or_default();
            let at = octets.iter().rposition(|octet| *octet != 0);
            kind = at.and_then(|at| octets.get(at)).copied().unwrap_or(0);
            half.pads |= at.is_some_and(|at| at + 1 < octets.len());
            content.end = content.start + at.unwrap_or(0);
        }
        half.has_data |= kind == APPLICATION_DATA && !content.is_empty();
        let octets = record.get(content.clone()).unwrap_or_default();
        match kind {
            HANDSHAKE => {
                if lost.is_some() {
                    half.opened_header.clear();
                    (half.opened_left, half.opened_body) = (0, None);
                }
                let (types, whole) = half.handshake(octets);
                for kind in &types {
                    let half = &mut self.halves[d];
                    match (*kind, half.epoch) {
                        (handshake::FINISHED, Epoch::Handshake) => {
                            half.change(Epoch::Application(0));
                        }
                        (handshake::KEY_UPDATE, Epoch::Application(n)) => {
                            half.change(Epoch::Application(n.saturating_add(1)));
                        }
                        (handshake::END_OF_EARLY_DATA, Epoch::Early) => {
                            half.change(Epoch::Handshake);
                        }
                        _ => {}
                    }
                }
                // Where they are not of TLS 1.3, keys are agreed on anew (RFC 5246, 7.4.1.1).
                for (kind, body) in whole {
                    if !hides || !handshake::is_hello(kind) {
                        self.message(direction, kind, &body, hides);
                    }
                }
            }
            CHANGE_CIPHER_SPEC if !hides => self.seals(direction),
            _ => {}
        }
        Opened {
            kind,
            content,
            lost,
            lossless: self.halves[d].lossless,
        }
    }

    /// The keys that a direction may use now, in the order in which they are tried.
    fn epochs(&self, d: usize, secrets: &SessionSecrets, lost: Option<u64>) -> Vec<Epoch> {
        let half = &self.halves[d];
        let tls13 = match self.basis(d).1 {
            Some(hello) => hello.version == TLS13,
            None => secrets.master.is_none(),
        };
        if !tls13 {
            return vec![Epoch::Sealed];
        }
        let lossy = lost != Some(0);
        let applied = |from: u32| (from..=from.saturating_add(UPDATES)).map(Epoch::Application);
        let all = |early: bool| {
            let before = early.then_some(Epoch::Early).into_iter();
            before
                .chain([Epoch::Handshake])
                .chain(applied(0))
                .collect::<Vec<_>>()
        };
        match half.epoch {
            // A change of the cipher says nothing where the version is not known.
            Epoch::Clear | Epoch::Sealed if self.sends(d, true) => all(true),
            Epoch::Clear | Epoch::Sealed => all(false),
            Epoch::Early if !lossy => vec![Epoch::Early, Epoch::Handshake],
            Epoch::Early => all(true),
            Epoch::Handshake if !lossy => vec![Epoch::Handshake, Epoch::Application(0)],
            Epoch::Handshake => all(false),
            Epoch::Application(n) if lossy => applied(n).collect(),
            Epoch::Application(_) => vec![half.epoch],
        }
    }

    /// The suites that may be used.
    fn suites(&self, d: usize, epoch: Epoch, secrets: &SessionSecrets) -> Vec<u16> {
        let known = self.basis(d).1.map(|agreed| agreed.suite);
        let known = known.or(self.halves[d].suite).or(self.halves[1 - d].suite);
        if let Some(suite) = known {
            return vec![suite];
        }
        let server = self.sends(d, false);
        let secret = match epoch {
            Epoch::Early => secrets.early.as_ref(),
            Epoch::Handshake => secrets.handshake[usize::from(server)].as_ref(),
            _ => secrets.traffic[usize::from(server)].as_ref(),
        };
        with_secrets_of(secret.map_or(0, |secret| secret.octets().len())).to_vec()
    }

    /// The keys of a direction; None where the key log has none of these.
    fn keys(
        &mut self,
        d: usize,
        epoch: Epoch,
        number: u16,
        secrets: &SessionSecrets,
    ) -> Result<Option<Keys>, NotOpened> {
        let kept = self.halves[d].keys.take();
        let kept = match kept {
            Some(keys) if keys.epoch == epoch => return Ok(Some(keys)),
            kept => kept,
        };
        let server = usize::from(self.sends(d, false));
        let suite = suite(number).ok_or(NotOpened::Suite)?;
        let made = match epoch {
            Epoch::Clear => None,
            Epoch::Sealed => {
                let (offer, hello) = self.basis(d);
                let hello = hello.ok_or(NotOpened::NoHello)?;
                let offer = offer.ok_or(NotOpened::NoHello)?;
                let master = secrets.master.as_ref().ok_or(NotOpened::NoKey)?;
                let seed = KeyBlockSeed {
                    version: hello.version,
                    client_random: &offer.random,
                    server_random: &hello.random,
                    encrypt_then_mac: hello.encrypt_then_mac,
                };
                schedule::key_block(suite, master, seed, server == 1).map(|keys| (keys, None))
            }
            Epoch::Early | Epoch::Handshake | Epoch::Application(_) => {
                let secret = match (epoch, &kept) {
                    (Epoch::Early, _) => secrets.early.clone(),
                    (Epoch::Handshake, _) => secrets.handshake[server].clone(),
                    // Only from one change to the next: what was made of the first ones is not made again.
                    (
                        Epoch::Application(n),
                        Some(Keys {
                            epoch: Epoch::Application(from),
                            secret: Some(secret),
                            ..
                        }),
                    ) if *from <= n => updated(suite, secret.clone(), n - from),
                    (Epoch::Application(n), _) => {
                        let first = secrets.traffic[server].clone();
                        first.and_then(|secret| updated(suite, secret, n))
                    }
                    _ => None,
                };
                secret.and_then(|secret| Some((schedule::keys_of(suite, &secret)?, Some(secret))))
            }
        };
        // Those in use stay until others open something.
        if self.halves[d].epoch != epoch {
            self.halves[d].keys = kept;
        }
        Ok(made.map(|(protection, secret)| Keys {
            epoch,
            protection,
            secret,
        }))
    }

    /// Octets allocated, itself included.
    pub(in crate::message) fn size(&self) -> usize {
        let keys = self
            .halves
            .iter()
            .filter(|half| half.keys.is_some())
            .count();
        let read = self
            .halves
            .iter()
            .filter_map(|half| half.opened_body.as_ref());
        let read: usize = read.map(|(_, body)| allocated(body.capacity())).sum();
        allocated(size_of::<Self>())
            + allocated(self.earlier.capacity() * size_of::<Basis>())
            + keys * KEYS
            + read
    }
}

impl Half {
    /// The last block of the record before, if nothing is missing between that and this offset.
    fn block_before(&self, offset: u64) -> Option<[u8; 16]> {
        self.last_block.filter(|_| self.block_end == Some(offset))
    }

    /// The number that a record has if its sender counted both numbers alike.
    fn guess(&self, protection: &Protection, record: &[u8], current: bool) -> Option<u64> {
        let nonce = protection.explicit_nonce(record)?;
        match self.last_nonce.filter(|_| current) {
            Some(last) => self
                .number
                .checked_add(nonce.wrapping_sub(last).checked_sub(1)?),
            None => Some(nonce),
        }
    }

    /// What is missing before record number `n`, of `lost` octets of records; `client`: it has sent them, and it gives no tickets.
    fn missing(&self, protection: &Protection, n: u64, lost: u64, client: bool) -> Lost {
        let records = n - self.number;
        let known = protection.overhead().filter(|_| !self.pads);
        let known = known.filter(|_| match self.epoch {
            Epoch::Application(0) => client || self.has_data || self.number >= TICKETS,
            Epoch::Application(_) | Epoch::Sealed => true,
            _ => false,
        });
        let around = known.and_then(|over| records.checked_mul(over + HEADER as u64));
        match around.and_then(|around| lost.checked_sub(around)) {
            Some(octets) => Lost::Octets(octets),
            None => Lost::Unknown,
        }
    }
}

/// The secret behind so many changes.
fn updated(suite: super::suite::Suite, mut secret: Secret, times: u32) -> Option<Secret> {
    for _ in 0..times {
        secret = schedule::next_secret(suite, &secret)?;
    }
    Some(secret)
}

/// The numbers that a record may have behind so many octets of records that are missing, from the likeliest on.
fn numbers(
    from: u64,
    lost: Option<u64>,
    protection: &Protection,
    current: bool,
    bound: u64,
) -> Range<u64> {
    let (least, most) = match lost {
        Some(0) => (0, 0),
        // Under other keys nobody knows how many of them there were.
        Some(lost) => (
            // What is missing before the first one may have been in clear.
            if current && from > 0 {
                lost.div_ceil(LONGEST)
            } else {
                0
            },
            lost / protection.shortest(),
        ),
        None => (0, bound),
    };
    let least = from.saturating_add(least);
    least
        ..from
            .saturating_add(most)
            .saturating_add(1)
            .min(least + bound)
}
