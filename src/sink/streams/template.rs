//! How the files of streams are named, and where they stand.

use super::stream::DumpedStream;
use crate::base::flow::{Direction, Flow, Transport};
use crate::base::time::Timestamp;
use crate::sink::text::date;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

/// How tcpflow names files.
pub const DEFAULT_TEMPLATE: &str = "%A.%a-%B.%b%V%v%C%c";

/// How files are named; made from text with %-codes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template(String);

impl Default for Template {
    fn default() -> Self {
        Self(DEFAULT_TEMPLATE.to_owned())
    }
}

impl Template {
    /// Takes tcpflow's codes: `%A %a %B %b` source and destination, address and port, `%E %e` their link addresses,
    /// `%V %v` VLAN with two dashes before it, `%T %t` time of the first octet, `%C %c` the file's count where others
    /// have its name, `%N %K %M %G` three digits each of the stream's number, `%S` the connection's number in 20 digits,
    /// `%#` as it is shown elsewhere, `%%`. A slash makes a folder.
    ///
    /// # Errors
    ///
    /// What is wrong with the text: a code that is not known, a path that could lead out of the folder.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut counted = false;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c == '%' {
                match rest.next() {
                    Some('c' | '#') => counted = true,
                    Some(
                        'A' | 'a' | 'B' | 'b' | 'E' | 'e' | 'V' | 'v' | 'T' | 't' | 'C' | 'N' | 'K'
                        | 'M' | 'G' | 'S' | '%',
                    ) => {}
                    Some(other) => {
                        return Err(format!(
                            "%{other} is no code of file names: expected %A %a %B %b, %T %t, %# and others that --help lists, and %% for a percent sign: as %A.%a-%B.%b%c"
                        ));
                    }
                    None => {
                        return Err(
                            "a single % stands at the end: write %% for a percent sign".to_owned()
                        );
                    }
                }
            }
        }
        let path = Path::new(text);
        if text.is_empty() || text.ends_with('/') {
            return Err("a file name is missing: give one, as %A.%a-%B.%b%c".to_owned());
        }
        if !path.components().all(|c| matches!(c, Component::Normal(_))) || text.contains('\0') {
            return Err(
                "it leads out of the folder: leave .. and the / at the beginning out".to_owned(),
            );
        }
        // Without a count two connections would share a file.
        // tcpflow overwrites there; a count is added instead.
        let count = if counted { "" } else { "%C%c" };
        Ok(Self(format!("{text}{count}")))
    }

    /// The name of a stream's file, the `count`th of its kind.
    pub(super) fn name(
        &self,
        flow: &Flow,
        // Addresses from the network contain no slash, so a name cannot leave the folder; the
        // template was checked before.
        direction: Direction,
        stream: &DumpedStream,
        count: u32,
    ) -> String {
        let first = stream.first;
        let mut out = String::with_capacity(64);
        let (src, dst) = (flow.src(direction), flow.dst(direction));
        let link = &flow.links[direction.index()];
        let outer = link.tags[0];
        // As tcpflow does: of 802.1Q tags only, and with the priority in it.
        let vlan = (outer.tpid == 0x8100).then_some(outer.tci);
        let number = flow
            .number
            .saturating_mul(2)
            .saturating_add(direction.index() as u64);
        let mut rest = self.0.chars();
        // Writing to a string does not fail.
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let _ = match rest.next() {
                Some('A') => address(src.ip(), &mut out),
                Some('a') => write!(out, "{:05}", src.port()),
                Some('B') => address(dst.ip(), &mut out),
                Some('b') => write!(out, "{:05}", dst.port()),
                Some('E') => mac(link.src, &mut out),
                Some('e') => mac(link.dst, &mut out),
                Some('V') if vlan.is_some() => write!(out, "--"),
                Some('v') => vlan.map_or(Ok(()), |v| write!(out, "{v}")),
                Some('T') => iso(first, &mut out),
                Some('t') => write!(out, "{}", first.secs()),
                Some('C') if count > 0 => write!(out, "c"),
                Some('c') if count > 0 => write!(out, "{count}"),
                Some('N') => write!(out, "{:03}", number % 1000),
                Some('K') => write!(out, "{:03}", number / 1000 % 1000),
                Some('M') => write!(out, "{:03}", number / 1_000_000 % 1000),
                Some('G') => write!(out, "{:03}", number / 1_000_000_000 % 1000),
                Some('S') => write!(out, "{:020}", flow.number),
                Some('#') => {
                    let again = if count > 0 {
                        format!("c{count}")
                    } else {
                        String::new()
                    };
                    write!(out, "{}{again}", flow.number)
                }
                Some('%') => write!(out, "%"),
                _ => Ok(()),
            };
        }
        // Files of different transports must not share a name: their ports may be equal.
        match flow.transport {
            Transport::Tcp if flow.decrypted.is_some() => out.push_str(".decrypted"),
            Transport::Tcp => {}
            Transport::Udp => out.push_str(".udp"),
            Transport::Sctp => {
                let _ = write!(out, ".{}.sctp", stream.id);
            }
        }
        out
    }
}

/// IPv4 with three digits for each octet, IPv6 as RFC 5952 writes it.
fn address(addr: IpAddr, out: &mut String) -> fmt::Result {
    match addr {
        IpAddr::V4(a) => {
            let [a, b, c, d] = a.octets();
            write!(out, "{a:03}.{b:03}.{c:03}.{d:03}")
        }
        IpAddr::V6(a) => write!(out, "{a}"),
    }
}

fn mac(addr: [u8; 6], out: &mut String) -> fmt::Result {
    let [a, b, c, d, e, f] = addr;
    write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// `2026-11-21T10:00:00Z`.
fn iso(time: Timestamp, out: &mut String) -> fmt::Result {
    let mut text = String::new();
    date(time, &mut text);
    let (date, clock) = (text.get(..10), text.get(11..19));
    write!(
        out,
        "{}T{}Z",
        date.unwrap_or_default(),
        clock.unwrap_or_default()
    )
}

/// Where a file of this name stands below the folder, which it cannot leave. Codes may stand for nothing, as `%v` does
/// without a VLAN: an empty part makes no folder, and an empty last part is called `_`.
pub(super) fn below(name: &str) -> PathBuf {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let file = if file.is_empty() { "_" } else { file };
    let folders = folders.split('/').filter(|part| !part.is_empty());
    folders
        .chain([file])
        .map(|part| match part {
            // What a code expands to is text from the capture: it must not become a way up.
            "." => "_",
            ".." => "__",
            part => part,
        })
        .collect()
}

/// The name of the index beside a file.
pub(super) fn index_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gaps");
    name.into()
}
