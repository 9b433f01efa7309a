//! Any octets, in any pieces, are read without a panic, and the pieces do not matter.
#![no_main]

use inet_asm::capture::{Reader, Totals};
use libfuzzer_sys::fuzz_target;
use std::io::{self, Read};

/// At most so many octets with each read.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.1.min(buf.len());
        self.0.read(&mut buf[..n])
    }
}

/// The packets, how it ended, and what was counted.
fn read(input: Pieces<'_>) -> (Vec<(u64, u64, Vec<u8>)>, bool, Totals) {
    let mut reader = Reader::new("fuzz", input);
    let mut packets = Vec::new();
    let failed = loop {
        let more = loop {
            match reader.next() {
                Ok(Some(p)) => {
                    assert!(p.orig_len as usize >= p.data.len());
                    assert!((p.interface as usize) < 65_536);
                    packets.push((p.frame, p.time.as_nanos(), p.data.to_vec()));
                }
                Ok(None) => break reader.fill(),
                Err(e) => break Err(e),
            }
        };
        match more {
            Ok(true) => {}
            Ok(false) => break false,
            Err(e) => {
                let _ = e.to_string();
                break true;
            }
        }
    };
    let warnings = reader.take_warnings().len() as u64;
    let totals = reader.totals().clone();
    assert_eq!(totals.counters.packets, packets.len() as u64);
    // Captures in the wrong order are told of too.
    assert!(totals.counters.cut_short <= warnings);
    (packets, failed, totals)
}

fuzz_target!(|octets: &[u8]| {
    let Some((size, octets)) = octets.split_first() else {
        return;
    };
    let whole = read(Pieces(octets, usize::MAX));
    let pieces = read(Pieces(octets, usize::from(*size).max(1)));
    assert_eq!(whole.0, pieces.0);
    assert_eq!(whole.1, pieces.1);
    assert_eq!(whole.2.counters, pieces.2.counters);
    assert_eq!(whole.2.interfaces, pieces.2.interfaces);
});
