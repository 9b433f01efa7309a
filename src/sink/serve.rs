//! An OUTPUT that others connect to, or that connects again: each client reads a capture of its own.
//!
//! ```text
//!  BufferedWriter ──> Records ──> chunks of whole records ──┬──> queue ──> thread ──> client
//!                        │                                  ├──> queue ──> thread ──> client
//!                        └ file header, interfaces so far ──┴─ first, for each that comes
//! ```
//!
//! A client that reads slowly has a queue of so many octets; what finds no room there it does not get, is counted, and is told in a block
//! of interface statistics where the form has one. It holds up neither the run nor the others.

use super::records::{RecordChunk, Records, told};
use crate::base::sockets::{RetryPause, SocketListener, SocketName, SocketStream};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a client may take no octet at the end of the run before it is given up.
// Half would lose what waits for one that is busy; with twice, Ctrl-C would feel like a hang.
const LINGER: Duration = Duration::from_secs(2);
/// Octets that a chunk takes beside its own.
const BESIDE: usize = 128;
/// Pause where a client cannot be taken for want of descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// `?queue=`, `?clients=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServeOptions {
    /// Octets that wait for one client, at most.
    pub(super) queue: usize,
    /// Clients at once, at most.
    pub(super) clients: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            // A second of a gigabit a second is eight times as much; a client that is a second behind is seldom there again soon.
            queue: 16 << 20,
            clients: 16,
        }
    }
}

/// What has been counted of an output's clients.
#[derive(Debug, Default)]
pub struct ServedCounters {
    /// Clients that came, and such as found no place.
    clients: AtomicU64,
    refused: AtomicU64,
    /// Records that a client did not get, summed over all of them.
    dropped: AtomicU64,
    /// Octets that clients have taken.
    sent: AtomicU64,
}

impl ServedCounters {
    /// Clients that came and were served.
    pub fn clients(&self) -> u64 {
        self.clients.load(Ordering::Relaxed)
    }

    /// Clients that came and found no place.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Packets, or lines, that a client did not get since it was too slow; summed over all clients.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is locked here is left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What waits for a client.
#[derive(Debug, Default)]
struct ClientQueue {
    chunks: VecDeque<Arc<RecordChunk>>,
    /// Octets of them.
    octets: usize,
    /// Records that were left out until now, and whether the client has been told of all of them.
    missing: u64,
    untold: bool,
    /// Interface and time of the last of them.
    lost_at: Option<[u8; 12]>,
    /// Interface of which it has been told that.
    interface: Option<[u8; 4]>,
    /// Nothing more comes.
    ended: bool,
    /// The client has gone, or is given up.
    closed: bool,
    /// Its connection has broken; there may be another one.
    broken: bool,
}

/// A client.
#[derive(Debug)]
struct Client {
    queue: Mutex<ClientQueue>,
    /// Something has been put into the queue, or it has ended.
    changed: Condvar,
    most: usize,
    counters: Arc<ServedCounters>,
    /// Its connection, while there is one.
    stream: Mutex<Option<SocketStream>>,
    /// It is connected to, also again.
    connects: bool,
    /// Its number among those that were let in, from 1; 0 where it was there from the beginning.
    number: AtomicU64,
    /// It has connected again: what it reads begins anew.
    again: AtomicBool,
}

impl ClientQueue {
    /// Tells the client what it lacks until now, with this interface and time.
    fn tell(&mut self, stamp: [u8; 12]) {
        if self.untold {
            self.untold = false;
            let (interface, told) = told(stamp, self.missing, self.interface);
            self.interface = Some(interface);
            self.octets += told.len() + BESIDE;
            self.chunks.push_back(Arc::new(RecordChunk::of(told)));
        }
    }
}

impl Client {
    fn new(options: ServeOptions, counters: &Arc<ServedCounters>, connects: bool) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            changed: Condvar::new(),
            most: options.queue,
            counters: Arc::clone(counters),
            stream: Mutex::default(),
            connects,
            number: AtomicU64::new(0),
            again: AtomicBool::new(false),
        })
    }

    fn put(&self, chunk: &Arc<RecordChunk>) {
        let mut queue = locked(&self.queue);
        if queue.closed {
            return;
        }
        let octets = chunk.octets.len() + BESIDE;
        // One that is larger than the queue goes through it where nothing else waits.
        if queue.octets > 0 && queue.octets + octets > self.most {
            queue.missing += chunk.records;
            queue.untold |= chunk.records > 0;
            queue.lost_at = chunk.stamp.or(queue.lost_at);
            self.counters
                .dropped
                .fetch_add(chunk.records, Ordering::Relaxed);
            // What describes others has to come through all the same: it is little.
            if chunk.preamble.is_empty() {
                return;
            }
            let octets = chunk.preamble.clone();
            queue.octets += octets.len() + BESIDE;
            queue.chunks.push_back(Arc::new(RecordChunk::of(octets)));
            return;
        }
        if let Some(stamp) = chunk.stamp {
            queue.tell(stamp);
        }
        queue.octets += octets;
        queue.chunks.push_back(Arc::clone(chunk));
        drop(queue);
        self.changed.notify_all();
    }

    /// The next chunk, which stays in the queue's sum until it has been [`taken`](Self::taken). None where nothing more comes.
    fn next(&self) -> Option<Arc<RecordChunk>> {
        let mut queue = locked(&self.queue);
        loop {
            if queue.closed || queue.broken {
                return None;
            }
            if let Some(chunk) = queue.chunks.pop_front() {
                return Some(chunk);
            }
            if queue.ended {
                return None;
            }
            let waited = self.changed.wait(queue);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn taken(&self, chunk: &RecordChunk) {
        let octets = chunk.octets.len();
        locked(&self.queue).octets -= octets + BESIDE;
        self.counters
            .sent
            .fetch_add(octets as u64, Ordering::Relaxed);
    }

    /// Nothing more comes.
    fn end(&self) {
        let mut queue = locked(&self.queue);
        if let Some(stamp) = queue.lost_at {
            queue.tell(stamp);
        }
        queue.ended = true;
        drop(queue);
        self.changed.notify_all();
    }

    /// It has gone, or is given up: what waits is dropped.
    fn close(&self) {
        let mut queue = locked(&self.queue);
        queue.closed = true;
        let rest: u64 = queue.chunks.iter().map(|chunk| chunk.records).sum();
        // Who has gone wants no more; who was given up lacks it.
        if queue.ended {
            self.counters.dropped.fetch_add(rest, Ordering::Relaxed);
        }
        queue.chunks.clear();
        drop(queue);
        self.changed.notify_all();
        if let Some(stream) = &*locked(&self.stream) {
            stream.shutdown(Shutdown::Both);
        }
    }

    fn is_closed(&self) -> bool {
        locked(&self.queue).closed
    }

    /// It has gone, or has all that it is to have.
    fn is_done(&self) -> bool {
        let queue = locked(&self.queue);
        queue.closed || queue.ended && queue.octets == 0
    }

    /// Writes what comes to this connection until it breaks, or nothing more comes. `had`: what the reader at its other end has read that
    /// others are described by. True where all has been written.
    fn write_to(&self, stream: SocketStream, had: &mut Vec<u8>) -> bool {
        let (Ok(mut to), Ok(from)) = (stream.try_clone(), stream.try_clone()) else {
            return false;
        };
        locked(&self.queue).broken = false;
        *locked(&self.stream) = Some(stream);
        // What a client sends is read and dropped: its end says that it has gone.
        let whole = thread::scope(|scope| {
            let watch = thread::Builder::new().spawn_scoped(scope, || self.watch(from));
            let whole = watch.is_ok() && self.write_all(&mut to, had);
            to.shutdown(if whole {
                Shutdown::Write
            } else {
                Shutdown::Both
            });
            if whole {
                // Nothing of what it sends may be left, or the last octets are lost on their way.
                to.shutdown(Shutdown::Read);
            }
            whole
        });
        *locked(&self.stream) = None;
        whole
    }

    fn write_all(&self, to: &mut SocketStream, had: &mut Vec<u8>) -> bool {
        if to.write_all(had).is_err() {
            return false;
        }
        while let Some(chunk) = self.next() {
            let written = to.write_all(&chunk.octets);
            self.taken(&chunk);
            if written.is_err() {
                // It has it in part at most. Who has gone wants no more; who was given up, or connects again, lacks it.
                if self.connects || locked(&self.queue).ended {
                    self.counters
                        .dropped
                        .fetch_add(chunk.records, Ordering::Relaxed);
                }
                return false;
            }
            chunk.add_preamble(had);
        }
        let queue = locked(&self.queue);
        !queue.closed && !queue.broken
    }

    fn watch(&self, mut from: SocketStream) {
        let mut octets = [0; 4096];
        loop {
            match from.read(&mut octets) {
                Ok(1..) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        from.shutdown(Shutdown::Both);
        locked(&self.queue).broken = true;
        self.changed.notify_all();
    }
}

/// A client that has not been let in yet: it has what it has to read first, and nothing else.
#[derive(Debug)]
struct Newcomer {
    client: Arc<Client>,
    /// Octets of the preamble that it has, and how many captures had begun then.
    had: usize,
    begun: u64,
}

/// What an output and those who bring clients share.
#[derive(Debug, Default)]
struct Served {
    clients: Vec<Arc<Client>>,
    /// Those that wait to be let in, where the output does that itself.
    newcomers: Vec<Newcomer>,
    by_output: bool,
    /// The number of the last one that was.
    number: u64,
    /// What whoever comes now has to read first.
    preamble: Vec<u8>,
    /// Captures that have begun in it: each makes what stood there before void.
    begun: u64,
    ended: bool,
}

impl Served {
    /// Those who are here, or wait to be let in.
    fn present(&mut self) -> usize {
        self.clients.retain(|client| !client.is_closed());
        self.newcomers.retain(|new| !new.client.is_closed());
        self.clients.len() + self.newcomers.len()
    }

    /// Takes a client in.
    fn add(&mut self, client: Arc<Client>) {
        let mut new = Newcomer {
            client,
            had: 0,
            begun: self.begun,
        };
        new.read_first(&self.preamble, self.begun);
        if self.by_output {
            self.newcomers.push(new);
        } else {
            self.clients.push(new.client);
        }
    }

    /// All of them, who get nothing more.
    fn take_all(&mut self) -> Vec<Arc<Client>> {
        self.ended = true;
        let newcomers = std::mem::take(&mut self.newcomers);
        let mut clients = std::mem::take(&mut self.clients);
        clients.extend(newcomers.into_iter().map(|new| new.client));
        clients
    }
}

impl Newcomer {
    /// Gives it what it lacks of what it has to read first.
    fn read_first(&mut self, preamble: &[u8], begun: u64) {
        if begun != self.begun {
            (self.had, self.begun) = (0, begun);
        }
        let rest = preamble.get(self.had..).unwrap_or_default();
        if !rest.is_empty() {
            self.client.put(&Arc::new(RecordChunk::of(rest.to_vec())));
            self.had = preamble.len();
        }
    }
}

/// What brings clients to an output, and ends with it.
#[derive(Debug, Default)]
pub struct ServedClients {
    served: Arc<Mutex<Served>>,
    counters: Arc<ServedCounters>,
    /// Whoever waits at its other end ends with it, and the thread that does.
    bringing: Mutex<Option<(UnixStream, JoinHandle<()>)>>,
}

/// The output.
pub(super) struct ServedOutput {
    records: Records,
    clients: Arc<ServedClients>,
}

impl ServedOutput {
    /// Serves those who connect to `listener`.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn listen(listener: SocketListener, options: ServeOptions) -> io::Result<Self> {
        listener.set_nonblocking()?;
        let clients = ServedClients::default();
        let (served, counters) = (Arc::clone(&clients.served), Arc::clone(&clients.counters));
        let bring = move |asleep| accept_all(&listener, &asleep, &served, &counters, options);
        clients.brought_by(bring)
    }

    /// Connects to this name, also again, until the run ends.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn connect(name: SocketName, options: ServeOptions) -> io::Result<Self> {
        let clients = ServedClients::default();
        let client = Client::new(options, &clients.counters, true);
        locked(&clients.served).clients.push(Arc::clone(&client));
        clients.brought_by(move |asleep| {
            connect_again(&name, &asleep, &client);
            client.close();
        })
    }

    /// Its clients.
    pub(super) fn clients(&self) -> Arc<ServedClients> {
        Arc::clone(&self.clients)
    }
}

impl Write for ServedOutput {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if let Some(chunk) = self.records.take(octets) {
            let mut served = locked(&self.clients.served);
            // Who comes from here on begins behind it.
            let served = &mut *served;
            chunk.add_preamble(&mut served.preamble);
            served.begun += u64::from(chunk.begins);
            served.present();
            let chunk = Arc::new(chunk);
            for client in &served.clients {
                client.put(&chunk);
            }
            for new in &mut served.newcomers {
                new.read_first(&served.preamble, served.begun);
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Each client is written to as soon as there is something for it.
        Ok(())
    }
}

impl ServedClients {
    /// Has a thread bring clients, until the other end of what it gets is closed.
    fn brought_by(
        self,
        bring: impl FnOnce(UnixStream) + Send + 'static,
    ) -> io::Result<ServedOutput> {
        let (wake, asleep) = UnixStream::pair()?;
        let thread = thread::Builder::new().spawn(move || bring(asleep))?;
        *locked(&self.bringing) = Some((wake, thread));
        Ok(ServedOutput {
            records: Records::default(),
            clients: Arc::new(self),
        })
    }

    /// From here on those who come are let in by [`admit`](Self::admit).
    pub(super) fn are_let_in_by_output(&self) {
        locked(&self.served).by_output = true;
    }

    /// Somebody waits to be let in.
    pub(super) fn wait(&self) -> bool {
        let served = locked(&self.served);
        let again = |client: &Arc<Client>| client.again.load(Ordering::Relaxed);
        !served.newcomers.is_empty() || served.clients.iter().any(again)
    }

    /// Lets those in who have come: what is written from here on they get too. The number of the last of them.
    pub(super) fn admit(&self) -> u64 {
        let served = &mut *locked(&self.served);
        for client in &served.clients {
            if client.again.swap(false, Ordering::Relaxed) {
                served.number += 1;
                client.number.store(served.number, Ordering::Relaxed);
            }
        }
        for mut new in served.newcomers.drain(..) {
            new.read_first(&served.preamble, served.begun);
            served.number += 1;
            new.client.number.store(served.number, Ordering::Relaxed);
            served.clients.push(new.client);
        }
        served.number
    }

    /// Writes records for those alone who were let in behind this number.
    pub(super) fn write_behind(&self, number: u64, octets: Vec<u8>) {
        let chunk = Arc::new(RecordChunk::of(octets));
        let served = locked(&self.served);
        let clients = served.clients.iter();
        for client in clients.filter(|c| c.number.load(Ordering::Relaxed) > number) {
            client.put(&chunk);
        }
    }

    /// What is counted of them.
    pub fn counters(&self) -> &ServedCounters {
        &self.counters
    }

    /// Nothing more comes: what waits is written, as long as it is taken.
    pub fn end(&self) {
        let clients = locked(&self.served).take_all();
        clients.iter().for_each(|client| client.end());
        let sent = || self.counters.sent.load(Ordering::Relaxed);
        let (mut before, mut since) = (sent(), Instant::now());
        while clients.iter().any(|client| !client.is_done()) && since.elapsed() < LINGER {
            thread::sleep(Duration::from_millis(5));
            if sent() != before {
                (before, since) = (sent(), Instant::now());
            }
        }
        clients.iter().for_each(|client| client.close());
        let bringing = locked(&self.bringing).take();
        if let Some((wake, thread)) = bringing {
            drop(wake);
            let _ = thread.join();
        }
    }
}

impl Drop for ServedClients {
    fn drop(&mut self) {
        self.end();
    }
}

/// Takes all who connect, until `asleep` ends.
fn accept_all(
    listener: &SocketListener,
    asleep: &UnixStream,
    served: &Mutex<Served>,
    counters: &Arc<ServedCounters>,
    options: ServeOptions,
) {
    thread::scope(|scope| {
        loop {
            let mut fds = [listener.as_fd(), asleep.as_fd()]
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if !fds[1].revents().is_empty() => return,
                Ok(_) => {}
            }
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => {
                    // Mostly no descriptor is left, and the next attempt would be at once.
                    thread::sleep(EXHAUSTED);
                    continue;
                }
            };
            let mut served = locked(served);
            if served.present() >= options.clients || served.ended {
                counters.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let client = Client::new(options, counters, false);
            let thread = {
                let client = Arc::clone(&client);
                thread::Builder::new().spawn_scoped(scope, move || {
                    client.write_to(stream, &mut Vec::new());
                    client.close();
                })
            };
            if thread.is_ok() {
                counters.clients.fetch_add(1, Ordering::Relaxed);
                served.add(client);
            } else {
                counters.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

/// Connects, writes what there is, and connects again where that has broken, with growing pauses, until all is written or `asleep` ends.
fn connect_again(name: &SocketName, asleep: &UnixStream, client: &Client) {
    let (mut pause, mut had) = (RetryPause::default(), Vec::new());
    while !client.is_done() {
        if let Ok(stream) = name.connect() {
            let before = client.counters.clients.fetch_add(1, Ordering::Relaxed);
            client.again.store(before > 0, Ordering::Relaxed);
            if client.write_to(stream, &mut had) {
                return;
            }
            pause = RetryPause::default();
        }
        let mut fds = [PollFd::new(asleep, PollFlags::IN)];
        let wait = rustix::event::Timespec::try_from(pause.grow()).ok();
        if poll(&mut fds, wait.as_ref()).is_ok_and(|n| n > 0) {
            return;
        }
    }
}
