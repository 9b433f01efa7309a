//! Protocols whose header says how long a message is: rows of a table.

use super::detector::{AnyFramer, Begin, Body, Detector, Found, Framer, Next, Place, Probe};
use super::sink::Kind;
use serde::{Deserialize, Serialize};

/// Headers that must follow each other before a weak one is believed in the middle of a stream.
const CHAIN: usize = 3;

/// One protocol: where its length stands and what must hold for its header to be believed.
struct Row {
    name: &'static str,
    /// Ports that hint at it.
    ports: &'static [u16],
    /// Octets of header that are looked at.
    header: usize,
    /// Length of the whole message, and what it is, by its header; None where the header cannot be believed.
    believe: fn(&[u8]) -> Option<(u64, Kind)>,
}

const ROWS: &[Row] = &[Row {
    name: "dns",
    ports: &[53],
    header: 14,
    believe: dns,
}];

/// DNS over TCP (RFC 1035, 4.2.2): two octets of length, then the message with its header of twelve (4.1.1).
fn dns(h: &[u8]) -> Option<(u64, Kind)> {
    let (head, _) = h.split_first_chunk::<14>()?;
    let word = |i: usize| u16::from_be_bytes([head[i], head[i + 1]]);
    let len = word(0);
    let flags = word(4);
    let opcode = flags >> 11 & 0xf;
    let answer = flags & 0x8000 != 0;
    let known = matches!(opcode, 0..=2 | 4..=6) && flags & 0x0040 == 0;
    let records = u32::from(word(8)) + u32::from(word(10)) + u32::from(word(12));
    // A question takes five octets and a record eleven, at least.
    let room = 12 + 5 * u32::from(word(6)) + 11 * records <= u32::from(len);
    let whole = word(6) <= 1 || opcode == 0;
    (len >= 12 && known && room && whole && (word(6) > 0 || answer)).then_some((
        u64::from(len) + 2,
        if answer {
            Kind::Response
        } else {
            Kind::Request
        },
    ))
}

/// The detectors of the table.
pub(super) struct LengthDetector(usize);

/// DNS over TCP.
pub(super) const DNS: LengthDetector = LengthDetector(0);

impl LengthDetector {
    fn row(&self) -> &'static Row {
        &ROWS[self.0]
    }
}

impl Detector for LengthDetector {
    fn name(&self) -> &'static str {
        self.row().name
    }

    fn probe(&self, octets: &[u8], ports: (u16, u16)) -> Probe {
        let row = self.row();
        if !row.ports.contains(&ports.0) && !row.ports.contains(&ports.1) {
            Probe::No
        } else if octets.len() < row.header {
            Probe::More
        } else if (row.believe)(octets).is_some() {
            Probe::Yes
        } else {
            Probe::No
        }
    }

    fn search(&self, octets: &[u8], ports: (u16, u16), more: bool) -> Found {
        let row = self.row();
        if !row.ports.contains(&ports.0) && !row.ports.contains(&ports.1) {
            return Found::Nowhere { keep: octets.len() };
        }
        LengthPrefixed { row: self.0 }.find(octets, if more { Next::Octets } else { Next::End })
    }

    fn framer(&self) -> AnyFramer {
        AnyFramer::Length(LengthPrefixed { row: self.0 })
    }
}

/// Frames a connection by a row of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LengthPrefixed {
    row: usize,
}

impl LengthPrefixed {
    fn row(&self) -> &'static Row {
        // What was read back may name a row that does not exist.
        ROWS.get(self.row).unwrap_or(&ROWS[0])
    }

    /// Wireshark's name of the protocol.
    pub fn name(&self) -> &'static str {
        self.row().name
    }

    /// The first place from where on headers that can be believed follow each other.
    fn find(&self, octets: &[u8], next: Next) -> Found {
        for i in 0..octets.len() {
            match self.chains(&octets[i..], next) {
                Some(true) => return Found::At(i),
                Some(false) => {}
                None => return Found::Nowhere { keep: i },
            }
        }
        Found::Nowhere { keep: octets.len() }
    }

    /// A chain of headers that can be believed begins at `octets`: None while it cannot be told.
    fn chains(&self, octets: &[u8], next: Next) -> Option<bool> {
        let row = self.row();
        let mut rest = octets;
        for _ in 0..CHAIN {
            if rest.is_empty() && rest.len() < octets.len() {
                // It ends exactly where a segment, the stream, or what is there before a gap ends.
                return Some(true);
            }
            if rest.len() < row.header {
                return if next == Next::Octets {
                    None
                } else {
                    Some(false)
                };
            }
            let Some((len, _)) = (row.believe)(rest) else {
                return Some(false);
            };
            match usize::try_from(len).ok().and_then(|len| rest.get(len..)) {
                Some(tail) => rest = tail,
                None => {
                    return if next == Next::Octets {
                        None
                    } else {
                        Some(false)
                    };
                }
            }
        }
        Some(true)
    }
}

impl Framer for LengthPrefixed {
    fn begin(&mut self, at: &Place, octets: &[u8]) -> Begin {
        let row = self.row();
        if octets.len() < row.header {
            return if at.next == Next::Octets {
                Begin::NeedMore
            } else {
                Begin::Refuse
            };
        }
        match (row.believe)(octets) {
            Some((len, kind)) => {
                let head = octets.len().min(usize::try_from(len).unwrap_or(usize::MAX));
                Begin::Message {
                    kind,
                    head,
                    body: Body::Octets(len - head as u64),
                    hand_over: false,
                }
            }
            None => Begin::Refuse,
        }
    }

    fn search(&mut self, at: &Place, octets: &[u8]) -> Found {
        self.find(octets, at.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(len: u16) -> Vec<u8> {
        let mut m = len.to_be_bytes().to_vec();
        m.extend([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        m.resize(usize::from(len) + 2, 1);
        m
    }

    #[test]
    fn dns_headers_are_believed_or_not() {
        assert_eq!(dns(&query(20)), Some((22, Kind::Request)));
        let mut answer = query(20);
        answer[4] = 0x81;
        assert_eq!(dns(&answer), Some((22, Kind::Response)));
        for (i, octet) in [(1, 11), (4, 0x79), (5, 0x40), (6, 9), (8, 1)] {
            let mut bad = query(20);
            bad[i] = octet;
            assert_eq!(dns(&bad), None, "octet {i}");
        }
    }
}
