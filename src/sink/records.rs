//! The records of what an output writes, found again in its octets: where a client may begin to read, and what it has to read before.

use crate::base::packet::word;
use crate::sink::packets::statistics;

/// Octets of a pcap file header, and of a record's.
const PCAP_HEADER: usize = 24;
const PCAP_RECORD: usize = 16;
/// Blocks of pcapng: a section header, an interface, names, secrets, a packet. All others are of no use to those who come later.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const PACKET: u32 = 6;
const SECRETS: u32 = 10;

/// What the octets are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum RecordForm {
    /// Too few have come.
    #[default]
    Unknown,
    Pcap,
    Pcapng,
    /// Lines, or something else: each write is one record.
    Other,
}

/// Whole records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordChunk {
    pub(super) octets: Vec<u8>,
    /// Of these, what whoever begins behind them has to have read.
    pub(super) preamble: Vec<u8>,
    /// What stands in the preamble of those before is void.
    pub(super) begins: bool,
    /// Packets, or records where these are no packets.
    pub(super) records: u64,
    /// Interface and time of the first packet, as they stand in its block.
    pub(super) stamp: Option<[u8; 12]>,
}

impl RecordChunk {
    /// These octets, which are no records.
    pub(super) fn of(octets: Vec<u8>) -> Self {
        Self {
            octets,
            ..Self::default()
        }
    }

    /// Adds to what whoever begins behind it has to have read.
    pub(super) fn add_preamble(&self, to: &mut Vec<u8>) {
        if self.begins {
            to.clear();
        }
        to.extend_from_slice(&self.preamble);
    }
}

/// A block that says that so many packets are missing until now, since its number is that of all of the capture. `stamp`: interface and time
/// of the packet ahead of which it stands, or that is the last that is missing. `interface`: the one that it stands for, where there was one
/// before, which the block says of again.
pub(super) fn told(
    mut stamp: [u8; 12],
    missing: u64,
    interface: Option<[u8; 4]>,
) -> ([u8; 4], Vec<u8>) {
    let [a, b, c, d, ..] = &mut stamp;
    let interface = interface.unwrap_or([*a, *b, *c, *d]);
    [*a, *b, *c, *d] = interface;
    let mut out = Vec::new();
    statistics(&mut out, &stamp, missing);
    (interface, out)
}

/// Finds whole records.
#[derive(Debug, Default)]
pub(super) struct Records {
    form: RecordForm,
    /// The beginning of one whose end has not come.
    rest: Vec<u8>,
}

impl Records {
    /// Takes octets; gives the records that are whole, if there are any.
    pub(super) fn take(&mut self, octets: &[u8]) -> Option<RecordChunk> {
        self.rest.extend_from_slice(octets);
        let mut chunk = RecordChunk::default();
        let mut at = 0;
        if self.form == RecordForm::Unknown {
            self.form = match self.rest.first_chunk::<4>() {
                None => return None,
                Some(magic) => match u32::from_le_bytes(*magic) {
                    0xa1b2_c3d4 | 0xa1b2_3c4d => RecordForm::Pcap,
                    SECTION => RecordForm::Pcapng,
                    _ => RecordForm::Other,
                },
            };
            if self.form == RecordForm::Pcap {
                let Some(header) = self.rest.get(..PCAP_HEADER) else {
                    self.form = RecordForm::Unknown;
                    return None;
                };
                chunk.preamble = header.to_vec();
                at = PCAP_HEADER;
            }
        }
        match self.form {
            RecordForm::Unknown | RecordForm::Other => {
                at = self.rest.len();
                chunk.records = 1;
            }
            RecordForm::Pcap => {
                while let Some(len) = len_at(&self.rest, at + 8)
                    && self.rest.len() - at >= PCAP_RECORD + len
                {
                    at += PCAP_RECORD + len;
                    chunk.records += 1;
                }
            }
            RecordForm::Pcapng => {
                while let Some(len) = len_at(&self.rest, at + 4)
                    && let Some(block) = self.rest.get(at..at + len.max(12))
                {
                    match word(block, 0, false).unwrap_or_default() {
                        SECTION => {
                            chunk.begins = true;
                            chunk.preamble = block.to_vec();
                        }
                        INTERFACE | NAMES | SECRETS => chunk.preamble.extend_from_slice(block),
                        PACKET => {
                            chunk.records += 1;
                            let stamp = block.get(8..20).and_then(|s| s.try_into().ok());
                            chunk.stamp = chunk.stamp.or(stamp);
                        }
                        _ => {}
                    }
                    at += block.len();
                }
            }
        }
        chunk.octets = self.rest.drain(..at).collect();
        (at > 0).then_some(chunk)
    }
}

/// A length, as it stands here: what is written is in little-endian order.
fn len_at(octets: &[u8], at: usize) -> Option<usize> {
    usize::try_from(word(octets, at, false)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of pcapng.
    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(12 + body.len()).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &len, body, &len].concat()
    }

    #[test]
    fn records_are_whole_however_they_come() {
        let header = [&0xa1b2_c3d4_u32.to_le_bytes()[..], &[0; 20]].concat();
        let record =
            |len: u8| [&[0; 8][..], &[len, 0, 0, 0], &[0; 4], &vec![7; len.into()]].concat();
        let pcap = [&header[..], &record(3), &record(0), &record(9)].concat();
        let (section, interface) = (block(SECTION, &[1; 16]), block(INTERFACE, &[2; 8]));
        let packet = |n: u8| block(PACKET, &[n; 24]);
        let pcapng = [
            &section[..],
            &interface,
            &packet(1),
            &packet(2),
            &block(5, &[3; 12]),
        ]
        .concat();
        let again = [&pcapng[..], &section, &packet(4)].concat();
        for (octets, preamble, count) in [
            (&pcap, header.clone(), 3),
            (&pcapng, [&section[..], &interface].concat(), 2),
            (&again, section.clone(), 3),
        ] {
            for size in [1, 5, 16, 100, octets.len()] {
                let (mut records, mut had, mut all, mut seen) =
                    (Records::default(), Vec::new(), Vec::new(), 0);
                for part in octets.chunks(size) {
                    if let Some(chunk) = records.take(part) {
                        chunk.add_preamble(&mut had);
                        seen += chunk.records;
                        all.extend(chunk.octets);
                    }
                }
                assert_eq!((&all, &had, seen), (octets, &preamble, count), "{size}");
            }
        }
        // Lines are what each write has.
        let mut records = Records::default();
        for line in [&b"{\"a\":1}\n"[..], b"{}\n{}\n"] {
            assert_eq!(records.take(line).unwrap().octets, line);
        }
    }

    #[test]
    fn what_is_missing_is_told_with_the_time_of_what_follows() {
        let mut records = Records::default();
        let section = [block(SECTION, &[1; 16]), block(INTERFACE, &[2; 8])].concat();
        assert_eq!(records.take(&section).unwrap().stamp, None);
        let stamp: Vec<u8> = (1..=12).collect();
        let packet = block(PACKET, &[&stamp[..], &[0; 8]].concat());
        let chunk = records.take(&packet).unwrap();
        let stamp_read = chunk.stamp.unwrap();
        assert_eq!(&stamp_read[..], stamp);
        let (interface, block_told) = told(stamp_read, 0x0102, None);
        assert_eq!(interface, [1, 2, 3, 4]);
        let (_, other) = told(stamp_read, 0x0102, Some([9; 4]));
        assert_eq!(
            (&other[8..12], &other[12..]),
            (&[9; 4][..], &block_told[12..])
        );
        let body = [
            &stamp[..],
            &[5, 0, 8, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(block_told, block(5, &body));
    }
}
