//! What a header section says of how a body is coded, and the body without that: for all that show bodies, as far as they show them.

use super::files::{codings_are_known, undo_codings};
use crate::message::{ChunkLine, ChunkSize, read_head};
use std::borrow::Cow;
use std::io::{self, Read, Write};

/// What the head says of the body.
#[derive(Default)]
pub(super) struct BodyCodings {
    /// It comes in chunks (RFC 9112, 7.1).
    pub(super) chunked: bool,
    /// In the order in which they were applied.
    pub(super) codings: Vec<String>,
    /// As the head says it.
    pub(super) media_type: String,
}

/// A body without its codings.
pub(super) struct DecodedBody<'a> {
    pub(super) octets: Cow<'a, [u8]>,
    /// Octets of it without its chunks, as they were sent otherwise.
    pub(super) sent: usize,
    /// A content coding was undone.
    pub(super) decoded: bool,
    /// There is more of it than was asked for.
    pub(super) cut: bool,
    /// It cannot be decoded further, or what follows cannot.
    pub(super) failed: bool,
    /// Octets that could be decoded of it.
    pub(super) kept: u64,
}

/// Octets that are decoded behind those that are shown, to find damage: decoders meet it later than it begins.
const CHECKED: u64 = 1 << 20;

impl BodyCodings {
    pub(super) fn read(head: &[u8]) -> Self {
        let mut about = Self::default();
        let words = |value: &[u8]| -> Vec<String> {
            let text = String::from_utf8_lossy(value).to_ascii_lowercase();
            let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
            words.map(str::to_owned).collect()
        };
        read_head(head, |name, value| {
            if name.eq_ignore_ascii_case(b"transfer-encoding") {
                about.chunked = words(&value).iter().any(|w| w == "chunked");
            } else if name.eq_ignore_ascii_case(b"content-encoding") {
                let all = words(&value);
                about.codings = all.into_iter().filter(|w| w != "identity").collect();
            } else if name.eq_ignore_ascii_case(b"content-type") {
                about.media_type = String::from_utf8_lossy(&value).into_owned();
            }
        });
        about
    }

    /// The fields behind the chunks (RFC 9112, 7.1.2), where they are there.
    pub(super) fn trailers<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        let mut rest = if self.chunked { octets } else { &[] };
        while let (read, ChunkSize::Octets(size)) = ChunkLine::default().read(rest) {
            let behind = rest.get(read..).unwrap_or_default();
            if size == 0 {
                return behind;
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            rest = behind.get(size..).unwrap_or_default();
        }
        &[]
    }

    /// Undoes the codings, up to `most` octets; what cannot be undone is left as it is.
    pub(super) fn undo<'a>(&self, octets: &'a [u8], most: usize) -> DecodedBody<'a> {
        let mut shown: Cow<'a, [u8]> = octets.into();
        if self.chunked {
            shown = without_chunks(&shown).into();
        }
        let sent = shown.len();
        let (mut done, mut cut, mut failed, mut kept) = (false, false, false, 0);
        if !self.codings.is_empty() && codings_are_known(&self.codings) {
            let mut decoded = Vec::new();
            // The octets that could be decoded stand before an error.
            {
                let mut reader = undo_codings(&self.codings, &*shown);
                let mut first = reader.by_ref().take(most as u64 + 1);
                failed = first.read_to_end(&mut decoded).is_err();
                let mut checked = CountingSink(decoded.len() as u64);
                failed = failed || io::copy(&mut reader.take(CHECKED), &mut checked).is_err();
                kept = checked.0;
            }
            if !decoded.is_empty() {
                cut = decoded.len() > most;
                done = true;
                shown = decoded.into();
            }
        }
        DecodedBody {
            octets: shown,
            sent,
            decoded: done,
            cut,
            failed,
            kept,
        }
    }
}

/// Counts what is written to it.
struct CountingSink(u64);

impl Write for CountingSink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0 += octets.len() as u64;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The content of chunks (RFC 9112, 7.1), as far as it is there.
fn without_chunks(mut octets: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let (read, size) = ChunkLine::default().read(octets);
        let (ChunkSize::Octets(size @ 1..), Some(rest)) = (size, octets.get(read..)) else {
            return content;
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        let (data, rest) = rest.split_at(size);
        content.extend_from_slice(data);
        octets = rest;
    }
}
