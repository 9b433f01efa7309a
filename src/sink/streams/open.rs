//! The stream files that are open, in the order of their last use.

use super::failures::Failures;
use super::file::{StreamFile, StreamKey};
use crate::base::flow::{Direction, Transport};
use crate::base::storage::{AgedPlace, AgedTable, Budget, allocated, tree};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::BTreeSet;

/// Files that are open at once, where the system allows as many.
// A busy server has some ten thousand connections at a time, and each has two files: with fewer, every message would close a
// file and open another. What is known of so many takes 15 MiB.
const MOST: usize = 1 << 16;
/// Descriptors that are left to the rest of the program: inputs, outputs, a folder that is being looked at. Where few are allowed, a
/// quarter.
const SPARE: u64 = 64;
/// Octets that are allocated for what waits for all files together, at most; past a quarter of the memory limit, or what others leave
/// of it, where that is less, all of it is written.
// With four thousand streams at once a write is of 16,000 octets. Half would double the system calls; twice saves
// few of them, and what waits is lost when the program is killed.
const WAITING: usize = 64 << 20;
/// Parts of the memory limit of which what waits may take one, also where others would use it.
// Where everything else uses all of the limit, as floods do, files could otherwise gather nothing.
const OWN: usize = 16;

/// The files that are open.
#[derive(Default)]
pub(super) struct OpenFiles {
    /// The one that was used last is the youngest.
    files: AgedTable<StreamKey, StreamFile>,
    /// Files of SCTP, which end with their association: its number, direction and stream.
    of_sctp: BTreeSet<(u64, Direction, u16)>,
    /// Files for which octets wait; some of them may have been written or closed since.
    waiting: Vec<StreamKey>,
    /// Octets that are allocated for what waits in them, and how many may be.
    allocated: usize,
    room: usize,
    /// Octets that are allocated for their paths.
    paths: usize,
    /// Octets of all of it that the budget knows of.
    counted: usize,
}

/// Raises the limit of open files as far as this process may, up to what is of use here, and says how many stream files may
/// be open.
pub(super) fn most_open() -> usize {
    let wanted = MOST as u64 + SPARE;
    let mut limit = getrlimit(Resource::Nofile);
    // `None` is no limit.
    let allowed = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if limit.current.is_some_and(|now| now < allowed) {
        let now = limit.current;
        limit.current = Some(allowed);
        if setrlimit(Resource::Nofile, limit).is_err() {
            limit.current = now;
        }
    }
    let now = limit.current.map_or(wanted, |now| now.min(wanted));
    let most = now - SPARE.min(now / 4);
    usize::try_from(most).unwrap_or(MOST).max(1)
}

impl OpenFiles {
    /// Charges the budget with what is allocated now, and learns from it how much may wait.
    pub(super) fn count(&mut self, budget: &mut Budget) {
        let now = self.allocated
            + self.paths
            + self.files.allocated()
            + allocated(self.waiting.capacity() * size_of::<StreamKey>())
            + tree::<(u64, Direction, u16), ()>(self.of_sctp.len());
        budget.rebook(&mut self.counted, now);
        let limit = budget.limit();
        let left = (limit + self.allocated).saturating_sub(budget.used());
        self.room = WAITING.min(limit / 4).min(left.max(limit / OWN));
    }

    /// All files have been closed: nothing is allocated any longer.
    pub(super) fn uncount(&mut self, budget: &mut Budget) {
        budget.give(self.counted);
        *self = Self::default();
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// The file of a stream, which is now the one that was used last.
    pub(super) fn find(&mut self, key: &StreamKey) -> Option<AgedPlace> {
        let place = self.files.find(key)?;
        self.files.renew(place);
        Some(place)
    }

    pub(super) fn get_mut(&mut self, place: AgedPlace) -> Option<&mut StreamFile> {
        self.files.get_mut(place)
    }

    /// Adds a file that was opened.
    pub(super) fn insert(&mut self, key: StreamKey, file: StreamFile) -> AgedPlace {
        if let (Transport::Sctp, number, direction, id) = key {
            self.of_sctp.insert((number, direction, id));
        }
        self.paths += file.path_allocated();
        self.files.insert(key, file)
    }

    /// Puts octets into a file, at an offset or at its end. What waits for all files is written where it has become too much.
    pub(super) fn put(
        &mut self,
        place: AgedPlace,
        key: StreamKey,
        offset: Option<u64>,
        octets: &[u8],
        budget: &mut Budget,
        failures: &mut Failures,
    ) {
        let Some(file) = self.files.get_mut(place) else {
            return;
        };
        let before = file.allocated();
        if let Err(e) = file.put(offset, octets) {
            failures.add(file.path(), "write", e);
        }
        self.allocated = self.allocated + file.allocated() - before;
        if !file.listed {
            file.listed = true;
            self.waiting.push(key);
        }
        self.count(budget);
        // Files that were closed and opened again stand in the list several times.
        if self.allocated > self.room || self.waiting.len() > 2 * self.files.len() + 64 {
            self.write(failures);
            self.count(budget);
        }
    }

    /// Writes all that waits, and gives its memory back.
    pub(super) fn write(&mut self, failures: &mut Failures) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for key in waiting.drain(..) {
            let place = self.files.find(&key);
            let Some(file) = place.and_then(|p| self.files.get_mut(p)) else {
                continue;
            };
            file.listed = false;
            if let Err(e) = file.write() {
                failures.add(file.path(), "write", e);
            }
            file.free();
        }
        // The list itself is used again.
        self.waiting = waiting;
        self.allocated = 0;
    }

    /// Closes the file that was not used for longest; false where none is open.
    pub(super) fn close_oldest(&mut self, failures: &mut Failures) -> bool {
        let Some((key, file)) = self.files.remove_oldest() else {
            return false;
        };
        self.closed(key, file, failures);
        true
    }

    /// Closes the file of a stream.
    pub(super) fn close(&mut self, key: &StreamKey, failures: &mut Failures) {
        let place = self.files.find(key);
        if let Some((key, file)) = place.and_then(|p| self.files.remove(p)) {
            self.closed(key, file, failures);
        }
    }

    /// Closes the files of an association.
    pub(super) fn close_association(&mut self, number: u64, failures: &mut Failures) {
        let all = (number, Direction::Forward, 0)..=(number, Direction::Reverse, u16::MAX);
        while let Some(&(_, direction, id)) = self.of_sctp.range(all.clone()).next() {
            self.close(&(Transport::Sctp, number, direction, id), failures);
            self.of_sctp.remove(&(number, direction, id));
        }
    }

    /// Closes all files.
    pub(super) fn close_all(&mut self, failures: &mut Failures) {
        while self.close_oldest(failures) {}
    }

    fn closed(&mut self, key: StreamKey, file: StreamFile, failures: &mut Failures) {
        if let (Transport::Sctp, number, direction, id) = key {
            self.of_sctp.remove(&(number, direction, id));
        }
        self.allocated -= file.allocated();
        self.paths -= file.path_allocated();
        if let (path, Err(e)) = file.close() {
            failures.add(&path, "write", e);
        }
    }
}
