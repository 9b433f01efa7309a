//! Codings, undone in bounded memory: content codings (RFC 9110, 8.4.1) gzip, deflate, br, zstd, and those of parts (RFC 2045, 6)
//! base64, quoted-printable and uuencode, and those of the messages of gRPC in a body.
//!
//! A reader gives all that it could decode before it says what is wrong.

use super::uuencode::Uuencode;
use crate::base::zstd::Zstd;
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Chain, Cursor, ErrorKind, Read};

/// Codings of one file that are undone; with more of them none is. Servers apply one, rarely two; each takes a buffer and a decoder.
// More than four are an attack: a few hundred octets of nested gzip would become terabytes.
const CODINGS: usize = 4;
/// Of these, codings with a window of many MiB (br: 16 MiB, zstd: 8 MiB).
// Two windows of 16 MiB are what resident memory may exceed its limit by.
const LARGE: usize = 2;
/// The largest window of a zstd frame (RFC 9659).
// What browsers accept; a larger window is refused, as a page could ask for gigabytes with it.
const WINDOW: u64 = 8 << 20;
/// Octets of coded data that are read at once.
const READ: usize = 64 << 10;

/// Octets of a message of gRPC that is decompressed: what its libraries take unless they are told otherwise. A larger one ends
/// what is decoded.
// Two of them are in memory at once, coded and decoded.
const GRPC_MESSAGE: u64 = 4 << 20;

/// A reader of what a coding was applied to.
pub(in crate::sink) type ContentReader<'a> = Box<dyn BufRead + 'a>;

/// Messages of gRPC in a body, each compressed by itself. No header field can name a coding with a space.
const GRPC_GZIP: &str = "grpc gzip";
const GRPC_DEFLATE: &str = "grpc deflate";

/// The coding of a body that is messages of gRPC, which these values of its fields speak of.
pub(super) fn of_grpc(media_type: &str, encoding: &[u8]) -> Option<&'static str> {
    let is_grpc = media_type.starts_with("application/grpc");
    match encoding {
        b"gzip" if is_grpc => Some(GRPC_GZIP),
        b"deflate" if is_grpc => Some(GRPC_DEFLATE),
        _ => None,
    }
}

/// All of these codings can be undone together.
pub(in crate::sink) fn known(codings: &[String]) -> bool {
    let all = codings
        .iter()
        .all(|c| extension(c).is_some_and(|e| e != "Z"));
    let large = codings
        .iter()
        .filter(|c| matches!(c.as_str(), "br" | "zstd"));
    all && codings.len() <= CODINGS && large.count() <= LARGE
}

/// The extension of files in this coding; None where it is not known.
pub(in super::super) fn extension(coding: &str) -> Option<&'static str> {
    Some(match coding {
        "gzip" | "x-gzip" => "gz",
        "deflate" => "deflate",
        "br" => "br",
        "zstd" => "zst",
        "compress" | "x-compress" => "Z",
        "base64" => "b64",
        "quoted-printable" => "qp",
        "x-uuencode" | "uuencode" | "x-uue" | "uue" => "uu",
        GRPC_GZIP | GRPC_DEFLATE => "grpc",
        _ => return None,
    })
}

/// What `codings`, the one applied first first, were applied to.
pub(in crate::sink) fn undo<'a>(codings: &[String], coded: impl Read + 'a) -> ContentReader<'a> {
    let mut reader: ContentReader<'a> = Box::new(BufReader::with_capacity(READ, coded));
    // The coding that was applied last is undone first.
    for coding in codings.iter().rev() {
        reader = match coding.as_str() {
            "br" => buffered(Brotli::new(reader)),
            "zstd" => buffered(Zstd::new(reader, WINDOW)),
            "deflate" => buffered(Inflate::new(reader, None)),
            "base64" => buffered(Base64::new(reader)),
            "quoted-printable" => buffered(QuotedPrintable::new(reader)),
            "x-uuencode" | "uuencode" | "x-uue" | "uue" => buffered(Uuencode::new(reader)),
            GRPC_GZIP => buffered(GrpcMessages::new(reader, "gzip")),
            GRPC_DEFLATE => buffered(GrpcMessages::new(reader, "deflate")),
            _ => buffered(Inflate::new(reader, Some(Decompress::new_gzip(15)))),
        };
    }
    reader
}

fn buffered<'a>(reader: impl Read + 'a) -> ContentReader<'a> {
    Box::new(BufReader::with_capacity(READ, reader))
}

/// gzip (RFC 1952), zlib (RFC 1950), and deflate without a header (RFC 1951), which some send for zlib.
struct Inflate<R> {
    /// The octets that were looked at, and the others.
    input: Chain<Cursor<Vec<u8>>, R>,
    /// None until the first octets show whether it is zlib or deflate.
    inflate: Option<Decompress>,
    /// A gzip member has ended, and another may follow.
    between: bool,
    done: bool,
    failed: Option<io::Error>,
}

impl<R: BufRead> Inflate<R> {
    fn new(input: R, inflate: Option<Decompress>) -> Self {
        Self {
            input: Cursor::new(Vec::new()).chain(input),
            inflate,
            between: false,
            done: false,
            failed: None,
        }
    }

    /// The first two octets are a header of zlib (RFC 1950, 2.2): the method, and a sum over both.
    fn is_zlib(&mut self) -> io::Result<bool> {
        let (first, input) = self.input.get_mut();
        let mut head = Vec::new();
        input.take(2).read_to_end(&mut head)?;
        // RFC 9110 means zlib by "deflate"; some servers send it without the header, and browsers
        // take both.
        let zlib = match head[..] {
            [cmf, flg] => {
                let sum = u16::from(cmf) << 8 | u16::from(flg);
                cmf & 15 == 8 && cmf >> 4 <= 7 && sum % 31 == 0
            }
            _ => false,
        };
        // The two octets are put back: they belong to the data.
        *first = Cursor::new(head);
        Ok(zlib)
    }

    /// One step: how many octets were decoded, or that all are.
    fn step(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        if self.inflate.is_none() {
            self.inflate = Some(Decompress::new(self.is_zlib()?));
        }
        let Some(inflate) = &mut self.inflate else {
            return Ok(None);
        };
        let coded = self.input.fill_buf()?;
        if self.between {
            // Whatever follows a member and does not begin another one is padding.
            if coded.first() != Some(&0x1f) {
                return Ok(None);
            }
            inflate.reset(true);
            self.between = false;
        }
        // No input is left and the stream has not ended: it was cut.
        let at_end = coded.is_empty();
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let result = inflate.decompress(coded, buf, FlushDecompress::None);
        let read = usize::try_from(inflate.total_in() - read).unwrap_or(usize::MAX);
        let written = usize::try_from(inflate.total_out() - written).unwrap_or(0);
        self.input.consume(read);
        match result {
            Ok(Status::StreamEnd) => self.between = true,
            Ok(_) if at_end && written == 0 => {
                self.failed = Some(ErrorKind::UnexpectedEof.into());
            }
            Ok(_) => {}
            Err(e) => self.failed = Some(io::Error::new(ErrorKind::InvalidData, e)),
        }
        Ok(Some(written))
    }
}

impl<R: BufRead> Read for Inflate<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.done && !buf.is_empty() {
            // Said after what was decoded before it.
            if let Some(e) = self.failed.take() {
                self.done = true;
                return Err(e);
            }
            match self.step(buf)? {
                Some(0) => {}
                Some(n) => return Ok(n),
                None => self.done = true,
            }
        }
        Ok(0)
    }
}

/// br (RFC 7932), without windows larger than that allows.
struct Brotli<R> {
    input: R,
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    /// The stream has ended.
    ended: bool,
    done: bool,
}

impl<R> Brotli<R> {
    fn new(input: R) -> Self {
        let alloc = StandardAlloc::default;
        Self {
            input,
            state: BrotliState::new_strict(alloc(), alloc(), alloc()),
            ended: false,
            done: false,
        }
    }
}

impl<R: BufRead> Read for Brotli<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.done && !buf.is_empty() {
            let coded = self.input.fill_buf()?;
            let at_end = coded.is_empty();
            if self.ended {
                self.done = true;
                // It has no sum: that a stream ends ahead of its octets is what damage looks like.
                return match at_end {
                    true => Ok(0),
                    false => Err(ErrorKind::InvalidData.into()),
                };
            }
            let (mut left, mut read) = (coded.len(), 0);
            let (mut room, mut written, mut total) = (buf.len(), 0, 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut read,
                coded,
                &mut room,
                &mut written,
                buf,
                &mut total,
                &mut self.state,
            );
            self.input.consume(read);
            self.ended = matches!(result, BrotliResult::ResultSuccess);
            self.done = matches!(result, BrotliResult::ResultFailure);
            if written > 0 {
                if matches!(result, BrotliResult::ResultFailure) {
                    // It is said again when it is asked for more.
                    self.done = false;
                }
                return Ok(written);
            }
            match result {
                BrotliResult::ResultFailure => return Err(ErrorKind::InvalidData.into()),
                BrotliResult::NeedsMoreInput if at_end => {
                    self.done = true;
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                _ => {}
            }
        }
        Ok(0)
    }
}

/// Messages of gRPC (gRPC over HTTP2, Length-Prefixed-Message): those that are compressed come out as if they were not, with a prefix
/// that says so, and all else as it is.
struct GrpcMessages<R> {
    input: R,
    coding: &'static str,
    /// Octets of the message at hand that are passed on as they are.
    left: u64,
    ready: VecDeque<u8>,
    done: bool,
    failed: Option<io::Error>,
}

impl<R: BufRead> GrpcMessages<R> {
    const fn new(input: R, coding: &'static str) -> Self {
        Self {
            input,
            coding,
            left: 0,
            ready: VecDeque::new(),
            done: false,
            failed: None,
        }
    }

    /// The next message begins, if there is one.
    fn begin(&mut self) -> io::Result<()> {
        let mut prefix = Vec::with_capacity(5);
        self.input.by_ref().take(5).read_to_end(&mut prefix)?;
        let len = match prefix[..] {
            [] => {
                self.done = true;
                return Ok(());
            }
            [0 | 1, a, b, c, d] => u64::from(u32::from_be_bytes([a, b, c, d])),
            // What is no message, or the end of one that is cut.
            _ => {
                self.ready.extend(&prefix);
                return Err(match prefix.len() {
                    5 => ErrorKind::InvalidData.into(),
                    _ => ErrorKind::UnexpectedEof.into(),
                });
            }
        };
        if prefix.first() == Some(&0) {
            self.ready.extend(&prefix);
            self.left = len;
            return Ok(());
        }
        if len > GRPC_MESSAGE {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "a message of gRPC is too large",
            ));
        }
        let mut coded = Vec::new();
        self.input.by_ref().take(len).read_to_end(&mut coded)?;
        let mut message = Vec::new();
        let codings = [self.coding.to_owned()];
        let decoded = undo(&codings, &*coded)
            .take(GRPC_MESSAGE + 1)
            .read_to_end(&mut message);
        if message.len() as u64 > GRPC_MESSAGE {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "a message of gRPC is too large",
            ));
        }
        decoded?;
        let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
        self.ready.push_back(0);
        self.ready.extend(len.to_be_bytes());
        self.ready.extend(message);
        Ok(())
    }
}

impl<R: BufRead> Read for GrpcMessages<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && !self.done && !buf.is_empty() {
            if let Some(e) = self.failed.take() {
                self.done = true;
                return Err(e);
            }
            if self.left == 0 {
                self.failed = self.begin().err();
                continue;
            }
            let most = usize::try_from(self.left).unwrap_or(usize::MAX);
            let most = most.min(buf.len());
            let n = self.input.read(&mut buf[..most])?;
            if n == 0 {
                self.failed = Some(ErrorKind::UnexpectedEof.into());
                self.left = 0;
                continue;
            }
            self.left -= n as u64;
            return Ok(n);
        }
        self.ready.read(buf)
    }
}

/// base64 (RFC 2045, 6.8). Octets of other alphabets are passed over, as that says, but at the end they are told of: the octets may not
/// be what was meant.
struct Base64<R> {
    input: R,
    /// Up to three digits of a group that is not whole.
    group: u32,
    digits: u32,
    strange: bool,
    /// Octets that were decoded, and do not fit into what was asked for.
    ready: VecDeque<u8>,
    done: bool,
}

impl<R> Base64<R> {
    const fn new(input: R) -> Self {
        Self {
            input,
            group: 0,
            digits: 0,
            strange: false,
            ready: VecDeque::new(),
            done: false,
        }
    }

    fn digit(&mut self, value: u8) {
        self.group = self.group << 6 | u32::from(value);
        self.digits += 1;
        if self.digits == 4 {
            self.ready.extend(&self.group.to_be_bytes()[1..]);
            (self.group, self.digits) = (0, 0);
        }
    }

    /// A group ends, by its padding or the end of the input. False where one digit, which makes no octet, is left.
    fn pad(&mut self) -> bool {
        let octets = match self.digits {
            2 => 1,
            3 => 2,
            digits => {
                self.digits = 0;
                return digits == 0;
            }
        };
        let group = self.group << (6 * (4 - self.digits));
        self.ready.extend(&group.to_be_bytes()[1..=octets]);
        (self.group, self.digits) = (0, 0);
        true
    }
}

impl<R: BufRead> Read for Base64<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && !self.done && !buf.is_empty() {
            let coded = self.input.fill_buf()?;
            let n = coded.len().min(READ);
            let coded = coded[..n].to_vec();
            self.input.consume(n);
            for octet in &coded {
                match octet {
                    b'A'..=b'Z' => self.digit(octet - b'A'),
                    b'a'..=b'z' => self.digit(octet - b'a' + 26),
                    b'0'..=b'9' => self.digit(octet - b'0' + 52),
                    b'+' => self.digit(62),
                    b'/' => self.digit(63),
                    b'=' => self.strange |= !self.pad(),
                    b' ' | b'\t' | b'\r' | b'\n' => {}
                    _ => self.strange = true,
                }
            }
            if n == 0 {
                self.done = true;
                self.strange |= !self.pad();
            }
        }
        if self.done && self.ready.is_empty() && std::mem::take(&mut self.strange) {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "bytes that are not base64",
            ));
        }
        self.ready.read(buf)
    }
}

/// quoted-printable (RFC 2045, 6.7). An equals sign without two digits stays, and so does the rest of its line.
struct QuotedPrintable<R> {
    input: R,
    /// The line that is read now, up to [`LINE`] octets.
    line: Vec<u8>,
    ready: VecDeque<u8>,
    done: bool,
}

/// Octets of a line that are looked at together: those of quoted-printable have 76, other lines come in pieces.
const LINE: u64 = 64 << 10;

impl<R> QuotedPrintable<R> {
    const fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            ready: VecDeque::new(),
            done: false,
        }
    }

    /// Decodes the line; white space at its end was added on the way.
    fn undo_line(&mut self) {
        let end = [&b"\r\n"[..], b"\n"]
            .into_iter()
            .find(|end| self.line.ends_with(end))
            .unwrap_or_default();
        let text = &self.line[..self.line.len() - end.len()];
        let cut = end.is_empty() && self.line.len() as u64 >= LINE;
        let text = if cut { text } else { text.trim_ascii_end() };
        let (text, end) = match text.strip_suffix(b"=") {
            Some(text) if !cut => (text, &b""[..]),
            _ => (text, end),
        };
        let hex = |o: Option<&u8>| o.and_then(|o| char::from(*o).to_digit(16));
        let mut at = 0;
        while let Some(octet) = text.get(at) {
            let code = (hex(text.get(at + 1)), hex(text.get(at + 2)));
            if let (b'=', (Some(high), Some(low))) = (octet, code) {
                self.ready
                    .push_back(u8::try_from(high << 4 | low).unwrap_or_default());
                at += 3;
            } else {
                self.ready.push_back(*octet);
                at += 1;
            }
        }
        self.ready.extend(end);
        self.line.clear();
    }
}

impl<R: BufRead> Read for QuotedPrintable<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && !self.done && !buf.is_empty() {
            let input = &mut self.input;
            if input
                .by_ref()
                .take(LINE)
                .read_until(b'\n', &mut self.line)?
                == 0
            {
                self.done = true;
            } else {
                // Digits of a code may stand behind the cut of a line that is too long.
                while self.line.len() as u64 >= LINE
                    && !self.line.ends_with(b"\n")
                    && self.line.iter().rev().take(2).any(|o| *o == b'=')
                {
                    let mut one = [0];
                    if input.read(&mut one)? == 0 {
                        break;
                    }
                    self.line.extend(one);
                }
                self.undo_line();
            }
        }
        self.ready.read(buf)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use std::io::Write;

    /// One octet at a time.
    struct OctetByOctet<'a>(&'a [u8]);

    impl Read for OctetByOctet<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buf[..1])
        }
    }

    /// 300 letters `a` and 30 times `hello world ` in br, made with brotli 1.2 (`-q 11`).
    const BR: &[u8] = &[
        0x1b, 0x93, 0x02, 0xf8, 0x8d, 0x94, 0xaa, 0xdb, 0xa3, 0x08, 0xeb, 0x32, 0x34, 0xb6, 0x37,
        0xb9, 0x0a, 0x61, 0x8b, 0x25, 0x02, 0x1b, 0xb0, 0x73, 0x19, 0xa9, 0xdf, 0x64, 0x11,
    ];

    pub(crate) fn gzip(octets: &[u8]) -> Vec<u8> {
        let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        w.write_all(octets).unwrap();
        w.finish().unwrap()
    }

    pub(crate) fn pack(coding: &str, octets: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::default();
        match coding {
            "gzip" => gzip(octets),
            "zlib" => {
                let mut w = flate2::write::ZlibEncoder::new(Vec::new(), level);
                w.write_all(octets).unwrap();
                w.finish().unwrap()
            }
            "deflate" => {
                let mut w = flate2::write::DeflateEncoder::new(Vec::new(), level);
                w.write_all(octets).unwrap();
                w.finish().unwrap()
            }
            _ => ruzstd::encoding::compress_to_vec(
                octets,
                ruzstd::encoding::CompressionLevel::Fastest,
            ),
        }
    }

    fn names(codings: &[&str]) -> Vec<String> {
        codings.iter().map(|c| (*c).to_owned()).collect()
    }

    fn all(codings: &[&str], coded: &[u8]) -> (Vec<u8>, Option<ErrorKind>) {
        let mut out = Vec::new();
        let end = undo(&names(codings), coded).read_to_end(&mut out);
        let mut dripped = Vec::new();
        let end2 = undo(&names(codings), OctetByOctet(coded)).read_to_end(&mut dripped);
        assert!(out == dripped);
        assert_eq!(end.is_err(), end2.is_err());
        (out, end.err().map(|e| e.kind()))
    }

    #[test]
    fn codings_are_undone_whole_cut_and_damaged() {
        let text: Vec<u8> = (0..200_000_u32)
            .flat_map(|i| (i / 7).to_be_bytes())
            .collect();
        for (pack_as, coding) in [
            ("gzip", "gzip"),
            ("gzip", "x-gzip"),
            ("zlib", "deflate"),
            ("deflate", "deflate"),
            ("zstd", "zstd"),
        ] {
            let coded = pack(pack_as, &text);
            assert!(all(&[coding], &coded) == (text.clone(), None), "{coding}");
            let (some, e) = all(&[coding], &coded[..coded.len() / 2]);
            assert!(!some.is_empty() && text.starts_with(&some), "{coding}");
            assert_eq!(e, Some(ErrorKind::UnexpectedEof), "{coding}");
            assert!(
                all(&[coding], b"<html>plain</html>").1.is_some(),
                "{coding}"
            );
            assert_eq!(all(&[coding], b"").0, b"");
        }
        let text = "a".repeat(300) + &"hello world ".repeat(30);
        assert_eq!(all(&["br"], BR), (text.into_bytes(), None));
        assert_eq!(all(&["br"], &BR[..8]).1, Some(ErrorKind::UnexpectedEof));
        assert!(all(&["br"], b"<html>plain</html>").1.is_some());
        let longer = [BR, b"x"].concat();
        assert_eq!(all(&["br"], &longer).1, Some(ErrorKind::InvalidData));
    }

    #[test]
    fn messages_of_grpc_are_decompressed_one_by_one() {
        let text: Vec<u8> = (0..50_000_u32)
            .flat_map(|i| (i / 9).to_be_bytes())
            .collect();
        let message = |compressed: u8, octets: &[u8]| {
            let len = u32::try_from(octets.len()).unwrap().to_be_bytes();
            [&[compressed][..], &len, octets].concat()
        };
        for (coding, name) in [("gzip", GRPC_GZIP), ("zlib", GRPC_DEFLATE)] {
            let packed = message(1, &pack(coding, &text));
            let coded = [
                &packed,
                &message(0, b"plain")[..],
                &message(0, b""),
                &packed,
            ]
            .concat();
            let plain = message(0, &text);
            let expected = [&plain, &message(0, b"plain")[..], &message(0, b""), &plain].concat();
            assert!(all(&[name], &coded) == (expected, None), "{name}");
            assert_eq!(all(&[name], b""), (Vec::new(), None));
            // Cut and damaged: what is before it comes out.
            let (some, e) = all(&[name], &coded[..coded.len() - 3]);
            assert!(some.starts_with(&plain) && e.is_some(), "{name}");
            for wrong in [
                &[2, 0, 0, 0, 0][..],
                &[1, 0, 0, 0, 1, 7],
                &[1, 0, 0],
                &[1, 1, 0, 0, 0],
            ] {
                let (some, e) = all(&[name], &[&packed, wrong].concat());
                assert!(some.starts_with(&plain) && e.is_some(), "{name} {wrong:?}");
            }
            // A bomb.
            let bomb = message(1, &pack(coding, &vec![0; 5 << 20]));
            let (some, e) = all(&[name], &bomb);
            assert_eq!((some.len(), e), (0, Some(ErrorKind::InvalidData)));
        }
        assert_eq!(of_grpc("application/grpc+proto", b"gzip"), Some(GRPC_GZIP));
        assert_eq!(of_grpc("application/grpc", b"identity"), None);
        assert_eq!(of_grpc("text/plain", b"gzip"), None);
    }

    #[test]
    fn codings_of_parts_are_undone() {
        let octets: Vec<u8> = (0..=255).cycle().take(9_001).collect();
        let text = STANDARD.encode(&octets);
        let lines: Vec<_> = text.as_bytes().chunks(76).collect();
        for end in [&b"\r\n"[..], b"\n"] {
            assert!(all(&["base64"], &lines.join(end)) == (octets.clone(), None));
        }
        for (coded, expected) in [
            (&b"QQ"[..], &b"A"[..]),
            (b"QUI=\r\nQw==", b"ABC"),
            (b"", b""),
        ] {
            assert_eq!(all(&["base64"], coded), (expected.to_vec(), None));
        }
        let strange = (b"ABC".to_vec(), Some(ErrorKind::InvalidData));
        assert_eq!(all(&["base64"], b"QU\xff*JD"), strange);
        assert_eq!(all(&["base64"], b"QUJDR"), strange);
        for (coded, expected) in [
            (&b"a=3Db=\r\nc \t\r\nd"[..], &b"a=bc\r\nd"[..]),
            (b"=e4=C4= \nx\n", b"\xe4\xc4x\n"),
            (b"a=zz =\r\n=4", b"a=zz =4"),
            (b"end=", b"end"),
        ] {
            let shown = coded.escape_ascii();
            assert_eq!(
                all(&["quoted-printable"], coded),
                (expected.to_vec(), None),
                "{shown}"
            );
        }
        let long = b"=41".repeat(100_000);
        assert!(all(&["quoted-printable"], &long).0 == b"A".repeat(100_000));
    }

    #[test]
    fn stacked_codings_members_and_padding() {
        let stacked = gzip(&pack("zlib", b"hello"));
        assert_eq!(
            all(&["deflate", "gzip"], &stacked),
            (b"hello".to_vec(), None)
        );
        let members = [gzip(b"one "), gzip(b"two"), vec![0; 9]].concat();
        assert_eq!(all(&["gzip"], &members), (b"one two".to_vec(), None));
        assert!(known(&names(&["gzip", "br", "zstd"])));
        assert!(!known(&names(&["br", "br", "zstd"])));
        assert!(!known(&names(&["gzip"; 5])));
        assert!(!known(&names(&["compress"])) && !known(&names(&["aes128gcm"])));
    }

    proptest! {
        #[test]
        fn any_octets_end(coded in prop::collection::vec(any::<u8>(), 0..2000)) {
            for coding in ["gzip", "deflate", "br", "zstd", "base64", "quoted-printable", GRPC_GZIP] {
                let mut out = Vec::new();
                let _ = undo(&names(&[coding]), &*coded).take(1 << 20).read_to_end(&mut out);
            }
        }
    }
}
