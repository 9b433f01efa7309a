//! Packets wait for the secrets of a TLS session that have not been written yet (`--keylog-wait`).
//!
//! ```text
//!  packets ──> a hello whose secrets are not there ──> all packets behind it wait ──> the secrets come, or it has been too long ──> assembler
//! ```
//!
//! All packets wait, not only those of the connection: they keep their order, and so does what is written of them. None waits for longer
//! than the time that is given, since that of each session goes from its own hello on.

use crate::assembler::Assembler;
use crate::base::packet::Packet;
use crate::base::storage::Timed;
use crate::base::time::{CaptureClock, Instant};
use crate::capture::KeptPacket;
use crate::message::MessageSink;
use std::collections::VecDeque;
use std::time::{Duration, Instant as WallInstant};

/// Packets that wait at most.
// Of full size they are 150 MB, as in the queue that sorts.
const PACKETS: usize = 100_000;

/// A packet that waits.
struct DelayedPacket {
    packet: KeptPacket,
    /// When it came.
    came: Instant,
}

impl DelayedPacket {
    /// Octets allocated for it.
    fn allocated(&self) -> usize {
        size_of::<Self>() + self.packet.allocated()
    }
}

/// What tells how long something has waited.
enum WaitClock {
    /// The capture's own time.
    Capture(CaptureClock),
    /// That of the machine: the capture is read as it is made.
    Wall(WallInstant),
}

/// The packets behind a hello whose secrets are not there.
pub(super) struct KeyWait {
    wait: Duration,
    clock: WaitClock,
    now: Instant,
    packets: VecDeque<DelayedPacket>,
    /// Sessions that are waited for, by the client's random number, and until when.
    lacking: Vec<([u8; 32], Instant)>,
}

impl KeyWait {
    /// Nothing where nothing is to wait. `live`: by the clock of the machine.
    pub(super) fn new(wait: Duration, live: bool) -> Option<Self> {
        let clock = match live {
            true => WaitClock::Wall(WallInstant::now()),
            false => WaitClock::Capture(CaptureClock::default()),
        };
        (!wait.is_zero()).then(|| Self {
            wait,
            clock,
            now: Instant::default(),
            packets: VecDeque::new(),
            lacking: Vec::new(),
        })
    }

    /// It goes by the clock of the machine.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.clock, WaitClock::Wall(_))
    }

    /// A session is waited for.
    pub(super) fn waits(&self) -> bool {
        !self.lacking.is_empty()
    }

    /// Time has passed, up to that of this packet.
    fn tick(&mut self, packet: Option<&Packet<'_>>) {
        match (&mut self.clock, packet) {
            (WaitClock::Capture(clock), Some(packet)) => self.now = clock.observe(packet.time),
            (WaitClock::Capture(_), None) => {}
            (WaitClock::Wall(start), _) => self.now = Instant::default().after(start.elapsed()),
        }
    }

    /// A packet comes. True: it waits, and [`pop`](Self::pop) gives it.
    pub(super) fn keeps<M: MessageSink>(
        &mut self,
        packet: &Packet<'_>,
        assembler: &mut Assembler<M>,
    ) -> bool {
        self.tick(Some(packet));
        if !self.waits() && self.packets.is_empty() {
            return false;
        }
        let waiting = DelayedPacket {
            packet: KeptPacket::of(packet),
            came: self.now,
        };
        assembler.budget().take(waiting.allocated());
        self.packets.push_back(waiting);
        true
    }

    /// The assembler has taken a packet: sessions that it lacks secrets of are waited for from when that came (now, where none is said).
    pub(super) fn look<M: MessageSink>(
        &mut self,
        assembler: &mut Assembler<M>,
        came: Option<Instant>,
    ) {
        let until = came.unwrap_or(self.now).after(self.wait);
        for random in assembler.keys().take_lacking() {
            assembler.counters_mut().decrypted.awaited += 1;
            self.lacking.push((random, until));
        }
    }

    /// The next packet that waits no longer, and when it came.
    pub(super) fn pop<M: MessageSink>(
        &mut self,
        assembler: &mut Assembler<M>,
    ) -> Option<(KeptPacket, Instant)> {
        if self.waits() {
            self.tick(None);
            let full = self.packets.len() > PACKETS || assembler.budget().over();
            let keys = assembler.keys();
            self.lacking.retain(|(random, _)| !keys.is_complete(random));
            let before = self.lacking.len();
            let now = self.now;
            self.lacking.retain(|(_, until)| !full && *until > now);
            let given_up = (before - self.lacking.len()) as u64;
            let counters = &mut assembler.counters_mut().decrypted;
            counters.awaited_in_vain += given_up;
            counters.awaited_full += if full { given_up } else { 0 };
        }
        if self.waits() {
            return None;
        }
        let waiting = self.packets.pop_front()?;
        assembler.budget().give(waiting.allocated());
        Some((waiting.packet, waiting.came))
    }

    /// Nothing is waited for any longer: the packets that wait are all given, and what they ask for is not waited for.
    pub(super) fn give_up<M: MessageSink>(&mut self, assembler: &mut Assembler<M>) {
        let keys = assembler.keys();
        let lacking = std::mem::take(&mut self.lacking);
        let in_vain = lacking
            .iter()
            .filter(|(random, _)| !keys.is_complete(random));
        assembler.counters_mut().decrypted.awaited_in_vain += in_vain.count() as u64;
    }
}
