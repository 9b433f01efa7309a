//! Sockets by name: what inputs and outputs connect to, and what they listen on.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

/// How long the other end may take to answer.
// Twice the second retransmission of a SYN (RFC 6298, 2): who has not answered by then is mostly not there.
const ANSWER: Duration = Duration::from_secs(10);

/// The name of a socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SocketName {
    /// Host, a name or an address, and port.
    Tcp(String, u16),
    /// A path.
    Unix(PathBuf),
}

/// A kind of socket that an input or an output may be: what stands before the first colon of its name.
#[derive(Debug)]
pub struct SocketScheme {
    /// The word.
    pub name: &'static str,
    /// Reads what stands behind the colon; the error says what is wrong with it.
    pub read: fn(&str) -> Result<SocketName, String>,
    /// Others connect to it.
    pub listens: bool,
    /// A name of this kind.
    pub example: &'static str,
}

/// Pauses between attempts to connect: each is twice as long as the one before, from a tenth of a second to ten.
#[derive(Clone, Copy, Debug)]
pub struct RetryPause(Duration);

impl RetryPause {
    const FIRST: Self = Self(Duration::from_millis(100));
    const LONGEST: Duration = Duration::from_secs(10);

    /// The next one.
    pub fn grow(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (2 * pause).min(Self::LONGEST);
        pause
    }
}

impl Default for RetryPause {
    fn default() -> Self {
        Self::FIRST
    }
}

impl SocketScheme {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self {
            name: "tcp",
            read: SocketName::tcp,
            listens: false,
            example: "tcp://127.0.0.1:5000",
        },
        Self {
            name: "tcp-listen",
            read: SocketName::tcp_listen,
            listens: true,
            example: "tcp-listen://5000",
        },
        Self {
            name: "unix",
            read: SocketName::unix,
            listens: false,
            example: "unix:/tmp/capture.sock",
        },
        Self {
            name: "unix-listen",
            read: SocketName::unix,
            listens: true,
            example: "unix-listen:/tmp/capture.sock",
        },
    ];

    /// That of this word, in letters of any case.
    pub fn named(word: &str) -> Option<&'static Self> {
        let is_it = |scheme: &&Self| scheme.name.eq_ignore_ascii_case(word);
        Self::ALL.iter().find(is_it)
    }
}

impl SocketName {
    /// What stands behind `tcp:`: `//HOST:PORT`.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn tcp(text: &str) -> Result<Self, String> {
        match Self::host_and_port(text)? {
            (Some(host), port) => Ok(Self::Tcp(host, port)),
            (None, _) => Err("the host is missing: give HOST:PORT, as //127.0.0.1:5000".to_owned()),
        }
    }

    /// What stands behind `tcp-listen:`: the same, where the host may be left out, for those of this machine alone.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn tcp_listen(text: &str) -> Result<Self, String> {
        let (host, port) = Self::host_and_port(text)?;
        let host = host.unwrap_or_else(|| Ipv4Addr::LOCALHOST.to_string());
        Ok(Self::Tcp(host, port))
    }

    /// What stands behind `unix:` and `unix-listen:`: a path.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn unix(path: &str) -> Result<Self, String> {
        if path.is_empty() {
            return Err("the path is missing: give one, as /tmp/capture.sock".to_owned());
        }
        Ok(Self::Unix(path.into()))
    }

    fn host_and_port(text: &str) -> Result<(Option<String>, u16), String> {
        let Some(text) = text.strip_prefix("//") else {
            return Err(
                "// is missing behind the colon: give //HOST:PORT, as //127.0.0.1:5000".to_owned(),
            );
        };
        let text = text.strip_suffix('/').unwrap_or(text);
        // An address of IPv6 stands in brackets, since it has colons itself.
        let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or_default()),
            None => match text.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => {
                    return Err(format!(
                        "{text}: an address of IPv6 stands in brackets: give [ADDRESS]:PORT, as //[::1]:5000"
                    ));
                }
                Some(parts) => parts,
                None => ("", text),
            },
        };
        let port = match port {
            "" => return Err("the port is missing: give HOST:PORT, as //127.0.0.1:5000".to_owned()),
            port => port.parse().map_err(|_| {
                format!("{port}: is no port: give one of 0 to 65535, as //127.0.0.1:5000")
            })?,
        };
        Ok(((!host.is_empty()).then(|| host.to_owned()), port))
    }

    /// Connects to it.
    ///
    /// # Errors
    ///
    /// Those of the system; of several addresses of a host that of the last one.
    pub fn connect(&self) -> io::Result<SocketStream> {
        self.try_connect().map_err(|e| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                advised(&e, "nobody listens there: start what does")
            }
            _ => with_advice(e),
        })
    }

    fn try_connect(&self) -> io::Result<SocketStream> {
        match self {
            Self::Tcp(host, port) => {
                let mut failed = io::Error::other("the host has no address: check its name");
                for address in addresses(host, *port)? {
                    match TcpStream::connect_timeout(&address, ANSWER) {
                        Ok(stream) => return SocketStream::of_tcp(stream),
                        Err(e) => failed = e,
                    }
                }
                Err(failed)
            }
            Self::Unix(path) => UnixStream::connect(path).map(SocketStream::Unix),
        }
    }

    /// Listens on it. A socket in the file system to which nobody listens any more is made anew.
    ///
    /// # Errors
    ///
    /// Those of the system; something else has this name.
    pub fn listen(&self) -> io::Result<SocketListener> {
        self.try_listen().map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                advised(&e, "the folder that it is in does not exist: make it first")
            }
            _ => with_advice(e),
        })
    }

    fn try_listen(&self) -> io::Result<SocketListener> {
        match self {
            Self::Tcp(host, port) => {
                let all: Vec<_> = addresses(host, *port)?.collect();
                TcpListener::bind(all.as_slice()).map(SocketListener::Tcp)
            }
            Self::Unix(path) => {
                if let Ok(found) = fs::symlink_metadata(path) {
                    if !found.file_type().is_socket() {
                        return Err(io::Error::other("it is no socket: name another path"));
                    }
                    if UnixStream::connect(path).is_ok() {
                        return Err(io::ErrorKind::AddrInUse.into());
                    }
                    fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                let made = fs::symlink_metadata(path)?;
                let path = path.clone();
                let file = (made.dev(), made.ino());
                Ok(SocketListener::Unix(listener, SocketFile { path, file }))
            }
        }
    }
}

/// Parts a name, quoted or not, from what follows the question mark.
///
/// # Errors
///
/// What is wrong with the quotation marks.
pub fn split_query(text: &str) -> Result<(&str, Option<&str>), String> {
    for quote in ['\'', '"'] {
        if let Some(rest) = text.strip_prefix(quote) {
            let (name, rest) = rest.split_once(quote).ok_or_else(|| {
                format!(
                    "{text}: the quotation mark is not closed: put another {quote} behind the name"
                )
            })?;
            return match rest.strip_prefix('?') {
                _ if rest.is_empty() => Ok((name, None)),
                Some(query) => Ok((name, Some(query))),
                None => Err(format!(
                    "{rest}: stands behind the quoted name: put a ? between, as file:'a b.pcap'?protocol=http"
                )),
            };
        }
    }
    Ok(match text.split_once('?') {
        Some((name, query)) => (name, Some(query)),
        None => (text, None),
    })
}

/// The addresses of a host.
fn addresses(host: &str, port: u16) -> io::Result<impl Iterator<Item = SocketAddr>> {
    (host, port).to_socket_addrs().map_err(|e| {
        let what = format!("{host}: is no host that is known here: check its name");
        io::Error::new(e.kind(), what)
    })
}

/// An error in words that say what to do.
fn advised(e: &io::Error, words: &'static str) -> io::Error {
    io::Error::new(e.kind(), words)
}

/// The same for those of which the system has no more to say than what they are.
fn with_advice(e: io::Error) -> io::Error {
    // It has words of its own.
    if e.get_ref().is_some() {
        return e;
    }
    let words = match e.kind() {
        io::ErrorKind::AddrInUse => "something else listens there: give another port or path",
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: give one of its own, or 0.0.0.0 for all"
        }
        io::ErrorKind::PermissionDenied => {
            "permission is denied: give a port of 1024 or more, or another folder"
        }
        io::ErrorKind::TimedOut => "nobody answers there: check address and port",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "no way leads there: check the address"
        }
        _ => return e,
    };
    advised(&e, words)
}

impl fmt::Display for SocketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A socket in the file system, which goes with its listener.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and number: another one may have taken its place.
    file: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket that others connect to.
#[derive(Debug)]
pub enum SocketListener {
    /// On an address.
    Tcp(TcpListener),
    /// On a path.
    Unix(UnixListener, SocketFile),
}

impl SocketListener {
    /// Whoever connects next, and what is known of it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn accept(&self) -> io::Result<(SocketStream, String)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept()?;
                // A listener that does not wait makes streams that do not, on some systems.
                stream.set_nonblocking(false)?;
                Ok((SocketStream::of_tcp(stream)?, from.to_string()))
            }
            Self::Unix(listener, SocketFile { path, .. }) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(false)?;
                Ok((SocketStream::Unix(stream), path.display().to_string()))
            }
        }
    }

    /// Nobody is waited for: [`accept`](Self::accept) fails where nobody has come.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener, _) => listener.set_nonblocking(true),
        }
    }

    /// Where it listens: the port that the system has chosen, where none was.
    pub fn place(&self) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.to_string(),
                Err(_) => String::new(),
            },
            Self::Unix(_, SocketFile { path, .. }) => path.display().to_string(),
        }
    }
}

impl AsFd for SocketListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
        }
    }
}

/// One end of a connection.
#[derive(Debug)]
pub enum SocketStream {
    /// Over TCP.
    Tcp(TcpStream),
    /// On this machine.
    Unix(UnixStream),
}

impl SocketStream {
    fn of_tcp(stream: TcpStream) -> io::Result<Self> {
        // What is flushed is whole, and somebody waits for it.
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Another handle of it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    /// Ends one way of it, or both, for all its handles; who waits in a read or a write comes back.
    pub fn shutdown(&self, how: Shutdown) {
        // It may have ended by itself.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
    }
}

impl From<SocketStream> for File {
    /// To be read and written as any other.
    fn from(stream: SocketStream) -> Self {
        match stream {
            SocketStream::Tcp(stream) => OwnedFd::from(stream).into(),
            SocketStream::Unix(stream) => OwnedFd::from(stream).into(),
        }
    }
}

impl AsFd for SocketStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Read for SocketStream {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(octets),
            Self::Unix(stream) => stream.read(octets),
        }
    }
}

impl Write for SocketStream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(octets),
            Self::Unix(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let tcp = |host: &str, port| Ok(SocketName::Tcp(host.to_owned(), port));
        for (text, connects, listens) in [
            ("//h:1", tcp("h", 1), tcp("h", 1)),
            (
                "//10.0.0.1:65535/",
                tcp("10.0.0.1", 65535),
                tcp("10.0.0.1", 65535),
            ),
            ("//[::1]:80", tcp("::1", 80), tcp("::1", 80)),
            ("//:5000", Err(()), tcp("127.0.0.1", 5000)),
            ("//5000", Err(()), tcp("127.0.0.1", 5000)),
            ("//::1:80", Err(()), Err(())),
            ("//h", Err(()), Err(())),
            ("//h:65536", Err(()), Err(())),
            ("h:80", Err(()), Err(())),
            ("", Err(()), Err(())),
        ] {
            assert_eq!(SocketName::tcp(text).map_err(drop), connects, "{text}");
            assert_eq!(
                SocketName::tcp_listen(text).map_err(drop),
                listens,
                "{text}"
            );
        }
        let shown = SocketName::tcp("//[::1]:80").unwrap().to_string();
        assert_eq!(shown, "[::1]:80");
    }

    #[test]
    fn a_socket_that_is_left_over_is_made_anew_and_goes_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let name = SocketName::unix(path.to_str().unwrap()).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = name.listen().unwrap();
        let taken = name.listen().unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        // That was found out by a connection.
        drop(listener.accept().unwrap());
        let mut client = name.connect().unwrap();
        let (mut served, _) = listener.accept().unwrap();
        served.write_all(b"x").unwrap();
        let mut octet = [0];
        client.read_exact(&mut octet).unwrap();
        assert_eq!(&octet, b"x");
        drop(listener);
        assert!(!path.exists());
        fs::write(&path, "a file").unwrap();
        assert!(name.listen().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"a file");
    }
}
