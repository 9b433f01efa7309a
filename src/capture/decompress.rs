//! gzip and zstd captures, known by their magic numbers and read as they come.

use super::ahead::Ahead;
use super::magic::{GZIP, ZSTD, ZSTD_SKIPPABLE, may_begin};
use super::stop::is_woken;
use crate::base::zstd::Zstd;
use flate2::{FlushDecompress, Status};
use std::io::{self, BufRead, BufReader, Chain, Cursor, ErrorKind, Read};

/// Octets read at once from a compressed input.
// A quarter of the reader's buffer: compressed octets grow several times.
const READ: usize = 256 << 10;
/// The largest window of a zstd frame: what the zstd program takes without being asked (`--long=27`).
// A frame may ask for a window of terabytes: it is refused, not allocated.
const WINDOW: u64 = 128 << 20;

/// What the first octets of an input say.
enum Magic {
    Plain,
    Gzip,
    Zstd,
    /// More of them are needed.
    Begun,
}

fn magic(octets: &[u8]) -> Magic {
    // A short first read must not look like a magic, nor like none.
    let mut first = [0; 4];
    first
        .iter_mut()
        .zip(octets)
        .for_each(|(to, from)| *to = *from);
    let [digit, rest @ ..] = first;
    let even = [digit & 0xf0, rest[0], rest[1], rest[2]];
    let is = |magic: &[u8], found: &[u8; 4]| {
        let len = magic.len().min(octets.len());
        found.get(..len) == magic.get(..len)
    };
    match octets.len() {
        2.. if is(&GZIP, &first) => Magic::Gzip,
        4.. if is(&ZSTD, &first) || is(&ZSTD_SKIPPABLE, &even) => Magic::Zstd,
        0..4 if is(&GZIP, &first) || is(&ZSTD, &first) || is(&ZSTD_SKIPPABLE, &even) => {
            Magic::Begun
        }
        _ => Magic::Plain,
    }
}

/// An input that is decompressed if it has to be. Errors of kind `InvalidData` say that compressed data is damaged,
/// `UnexpectedEof` that it is cut short, `Unsupported` that it would take too much memory; then everything before that point
/// has been delivered.
///
/// A gzip stream is delivered as far as it has come. Of a zstd frame the last window is delivered at its end only,
/// because the decoder needs it.
pub(super) struct Decompress<R: Read> {
    state: InputState<R>,
    /// Starts the thread that decompresses, where there is to be one.
    start_ahead: Option<StartAhead<R>>,
}

type StartAhead<R> = fn(Decoder<R>) -> Result<Ahead<Decoder<R>>, Decoder<R>>;

enum InputState<R: Read> {
    /// These octets have been read and do not say yet what it is.
    Start(Vec<u8>, InputRest<R>),
    Plain(InputRest<R>),
    Compressed(Decoder<R>),
    /// The same, by a thread of its own, and the name of the format.
    Ahead(Box<Ahead<Decoder<R>>>, &'static str),
    /// Between two states.
    Moved,
}

/// What decompresses.
enum Decoder<R: Read> {
    Gzip(Box<Gzip<InputRest<R>>>),
    Zstd(Box<Zstd<BufReader<InputRest<R>>>>),
}

impl<R: Read> Decoder<R> {
    const fn format(&self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        }
    }

    /// It has ended, and something is behind it.
    fn is_followed(&mut self) -> io::Result<bool> {
        Ok(match self {
            Self::Gzip(gzip) => !gzip.input.buffer().is_empty(),
            Self::Zstd(zstd) => !zstd.input().fill_buf()?.is_empty(),
        })
    }

    /// What is behind it.
    fn into_rest(self) -> InputRest<R> {
        match self {
            Self::Gzip(gzip) => unbuffered(gzip.input),
            Self::Zstd(zstd) => unbuffered(zstd.into_input()),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(gzip) => gzip.read(buf),
            Self::Zstd(zstd) => zstd.read(buf),
        }
    }
}

/// What has been read already and was given back, then the input itself.
type InputRest<R> = Chain<Cursor<Vec<u8>>, Retry<R>>;

/// Gives octets back.
fn with_front<R: Read>(mut front: Vec<u8>, rest: InputRest<R>) -> InputRest<R> {
    let (given, input) = rest.into_inner();
    let at = usize::try_from(given.position()).unwrap_or(usize::MAX);
    front.extend(given.get_ref().get(at..).unwrap_or_default());
    Cursor::new(front).chain(input)
}

/// The same, of what a buffer holds.
fn unbuffered<R: Read>(input: BufReader<InputRest<R>>) -> InputRest<R> {
    let front = input.buffer().to_vec();
    with_front(front, input.into_inner())
}

impl<R: Read> Decompress<R> {
    pub(super) fn new(input: R) -> Self {
        let input = Retry {
            input,
            always: false,
        };
        Self {
            state: InputState::Start(Vec::new(), Cursor::new(Vec::new()).chain(input)),
            start_ahead: None,
        }
    }

    /// Compressed data are decompressed by a thread of its own. Only for an input that never waits: what wakes a reader does not reach
    /// it there.
    pub(super) fn ahead(&mut self)
    where
        R: Send + 'static,
    {
        self.start_ahead = Some(Ahead::start);
    }

    /// What it gives are the octets of the input.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self.state, InputState::Plain(_))
    }

    /// Takes back the last octets of a plain input, which may begin a compressed file; false where it is none.
    pub(super) fn begin_again(&mut self, octets: Vec<u8>) -> bool {
        match self.take_state() {
            InputState::Plain(rest) => {
                self.state = InputState::Start(Vec::new(), with_front(octets, rest));
                true
            }
            other => {
                self.state = other;
                false
            }
        }
    }

    /// A compressed file has ended: where another kind of file follows it, that one begins.
    fn next_file(&mut self) -> io::Result<bool> {
        let more = match &mut self.state {
            InputState::Compressed(decoder) => decoder.is_followed()?,
            _ => false,
        };
        if more && let InputState::Compressed(decoder) = self.take_state() {
            self.state = InputState::Start(Vec::new(), decoder.into_rest());
        }
        Ok(more)
    }

    /// The thread that decompresses has ended.
    fn join(&mut self) -> io::Result<()> {
        let InputState::Ahead(ahead, _) = self.take_state() else {
            return Ok(());
        };
        let (result, decoder) = ahead.ended();
        if let Some(decoder) = decoder {
            self.state = InputState::Compressed(decoder);
        }
        result
    }

    const fn take_state(&mut self) -> InputState<R> {
        std::mem::replace(&mut self.state, InputState::Moved)
    }

    /// What the input is compressed with.
    pub(super) const fn format(&self) -> Option<&'static str> {
        match &self.state {
            InputState::Compressed(decoder) => Some(decoder.format()),
            InputState::Ahead(_, format) => Some(format),
            _ => None,
        }
    }
}

impl<R: Read> Read for Decompress<R> {
    /// One read from the input, as a rule; `buf` has room for a magic number at least.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.state {
                InputState::Plain(input) => return input.read(buf),
                InputState::Compressed(input) => {
                    let n = input.read(buf)?;
                    if n > 0 || buf.is_empty() || !self.next_file()? {
                        return Ok(n);
                    }
                }
                InputState::Ahead(ahead, _) => match ahead.read(buf) {
                    Some(n) => return Ok(n),
                    None => self.join()?,
                },
                InputState::Start(held, input) => {
                    // What was read to find the magic is handed out first; nothing is lost and
                    // nothing is asked for twice.
                    let (first, room) = buf
                        .split_at_mut_checked(held.len())
                        .ok_or(ErrorKind::InvalidInput)?;
                    let n = input.read(room)?;
                    first.copy_from_slice(held);
                    let all = held.len() + n;
                    let octets = buf.get(..all).unwrap_or_default();
                    let magic = magic(octets);
                    // Fewer octets than a magic has: read on, unless the input has ended.
                    if n > 0 && matches!(magic, Magic::Begun) {
                        *held = octets.to_vec();
                        continue;
                    }
                    let InputState::Start(_, input) = self.take_state() else {
                        return Ok(0);
                    };
                    if matches!(magic, Magic::Plain | Magic::Begun) {
                        self.state = InputState::Plain(input);
                        return Ok(all);
                    }
                    let held = octets.to_vec();
                    let mut input = with_front(held, input);
                    input.get_mut().1.always = matches!(magic, Magic::Zstd);
                    let input = BufReader::with_capacity(READ, input);
                    let decoder = match magic {
                        Magic::Gzip => Decoder::Gzip(Box::new(Gzip::new(input))),
                        _ => {
                            let zstd = Zstd::new(input, WINDOW).until(may_begin);
                            Decoder::Zstd(Box::new(zstd))
                        }
                    };
                    let format = decoder.format();
                    let started = match self.start_ahead {
                        Some(start) => start(decoder),
                        None => Err(decoder),
                    };
                    self.state = match started {
                        Ok(ahead) => InputState::Ahead(Box::new(ahead), format),
                        Err(decoder) => InputState::Compressed(decoder),
                    };
                }
                InputState::Moved => return Ok(0),
            }
        }
    }
}

/// Reads again when a signal has interrupted it: the decoders do not.
struct Retry<R> {
    input: R,
    /// Also when it was only woken: the decoder of zstd cannot be interrupted inside a block.
    always: bool,
}

impl<R: Read> Read for Retry<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buf) {
                Err(e) if e.kind() == ErrorKind::Interrupted || self.always && is_woken(&e) => {}
                done => return done,
            }
        }
    }
}

/// Members of gzip, one after the other (RFC 1952). flate2's own reader drops what it has decoded just before an error.
struct Gzip<R> {
    input: BufReader<R>,
    inflate: flate2::Decompress,
    /// A member has ended and the next one has not begun.
    between: bool,
    /// What ended the input; it is returned once all that was decoded has been read.
    failed: Option<io::Error>,
}

impl<R: Read> Gzip<R> {
    fn new(input: BufReader<R>) -> Self {
        Self {
            input,
            // 15 bits of window, the largest of gzip (RFC 1951).
            inflate: flate2::Decompress::new_gzip(15),
            between: false,
            failed: None,
        }
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        loop {
            if self.between {
                // Tapes and blocks are filled up with zeros.
                let octets = self.input.buffer();
                let zeros = octets.iter().take_while(|o| **o == 0).count();
                let more = zeros < octets.len();
                self.input.consume(zeros);
                let next = self.input.buffer().first();
                // Still between them: whoever reads again is at the end again.
                if next.is_some_and(|o| *o != GZIP[0] && may_begin(*o)) {
                    return Ok(0);
                }
                self.between = !more;
            }
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let result = self
                .inflate
                .decompress(self.input.buffer(), buf, FlushDecompress::None);
            let read = usize::try_from(self.inflate.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.inflate.total_out() - written).unwrap_or(0);
            self.input.consume(read);
            match result {
                Ok(Status::StreamEnd) => {
                    // Members follow each other, as in rotated and concatenated logs.
                    self.inflate.reset(true);
                    self.between = true;
                }
                Ok(_) => {}
                Err(e) => {
                    let what = e.message().unwrap_or("a block is damaged").to_owned();
                    self.failed = Some(io::Error::new(ErrorKind::InvalidData, what));
                }
            }
            // What was decoded goes out before the error that came with it.
            if written > 0 {
                return Ok(written);
            }
            if let Some(e) = self.failed.take() {
                return Err(e);
            }
            // Nothing was used though something is there: the decoder would stand still forever.
            if read == 0 && !self.input.buffer().is_empty() {
                return Err(ErrorKind::InvalidData.into());
            }
            // Only now may it block: there is nothing more in what has been read.
            if read == 0 && self.input.fill_buf()?.is_empty() {
                // No octet since a member ended: a clean end.
                return match self.inflate.total_in() {
                    0 => Ok(0),
                    _ => Err(ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::error::Error;
    use crate::capture::testing::{TestCapture, TestPackets, samples};
    use crate::capture::{Reader, Warning};
    use std::io::Write;

    fn gzip(octets: &[u8]) -> Vec<u8> {
        let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        w.write_all(octets).unwrap();
        w.finish().unwrap()
    }

    fn zstd(octets: &[u8]) -> Vec<u8> {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(octets, level)
    }

    type Compressor = fn(&[u8]) -> Vec<u8>;
    const FORMATS: [(&str, Compressor); 2] = [("gzip", gzip), ("zstd", zstd)];

    /// One octet at a time.
    struct ByteByByte<'a>(&'a [u8]);

    impl Read for ByteByByte<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buf[..1])
        }
    }

    /// A capture larger than a block of zstd.
    fn large() -> TestCapture {
        let mut c = TestCapture::pcap(0xa1b2_c3d4, false);
        let mut x = 1_u32;
        for i in 0..2000 {
            let data: Vec<u8> = (0..i % 300)
                .map(|_| {
                    x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    x.to_be_bytes()[0] & 0x1f
                })
                .collect();
            c = c.record(i * 1000, &data, 1500);
        }
        c
    }

    type Found = (TestPackets, Result<Vec<Warning>, Error>);

    fn read(input: impl Read) -> Found {
        packets(Reader::new("x", input))
    }

    /// In one thread and in two, which must be the same.
    fn read_twice(octets: &[u8]) -> Found {
        let mut ahead = Reader::new("x", Cursor::new(octets.to_vec()));
        ahead.decompress_ahead();
        let (one, two) = (read(octets), packets(ahead));
        assert!(one.0 == two.0);
        assert_eq!(format!("{:?}", one.1), format!("{:?}", two.1));
        two
    }

    fn packets(mut reader: Reader<impl Read>) -> Found {
        let mut packets = Vec::new();
        loop {
            let more = loop {
                match reader.next() {
                    Ok(Some(p)) => packets.push((p.time.as_nanos(), p.data.to_vec(), p.orig_len)),
                    Ok(None) => break reader.fill(),
                    Err(e) => return (packets, Err(e)),
                }
            };
            match more {
                Ok(true) => {}
                Ok(false) => return (packets, Ok(reader.take_warnings())),
                Err(e) => return (packets, Err(e)),
            }
        }
    }

    #[test]
    fn compressed_captures_are_the_same() {
        let large = large();
        for (name, pack) in FORMATS {
            for (sample, c) in samples().iter().chain([&("large", large.clone())]) {
                let packed = pack(&c.octets);
                for (packets, result) in [read_twice(&packed[..]), read(ByteByByte(&packed))] {
                    assert!(packets == c.packets, "{name} {sample}");
                    assert_eq!(result.unwrap(), []);
                }
            }
            // Several members or frames, cut where they like, and a frame that is to be skipped.
            let (a, b) = large.octets.split_at(100_001);
            let mut packed = pack(a);
            if name == "zstd" {
                let skipped = b"\x5a\x2a\x4d\x18\x03\0\0\0abc";
                packed.extend(skipped);
                packed.splice(..0, *skipped);
            }
            packed.extend(pack(b));
            if name == "gzip" {
                packed.extend([0; 1000]);
            }
            for (packets, result) in [read_twice(&packed[..]), read(ByteByByte(&packed))] {
                assert!(packets == large.packets && result.unwrap().is_empty());
            }
        }
    }

    #[test]
    fn a_gzip_stream_is_handed_on_as_it_comes() {
        let c = &samples()[0].1;
        let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let end = c.ends[1].0;
        w.write_all(&c.octets[..end]).unwrap();
        w.flush().unwrap();
        struct Pipe(Vec<u8>, usize);
        impl Read for Pipe {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let n = self.0.get(self.1..).unwrap().read(buf)?;
                self.1 += n;
                if n == 0 {
                    return Err(ErrorKind::WouldBlock.into());
                }
                Ok(n)
            }
        }
        let mut reader = Reader::new("x", Pipe(w.get_ref().clone(), 0));
        while reader.fill().is_ok() {}
        assert_eq!(reader.next().unwrap().unwrap().data, b"first");
        assert!(reader.next().unwrap().is_none());
    }

    #[test]
    fn cut_short_inside_compressed_data() {
        let large = large();
        for (name, pack) in FORMATS {
            let small = &samples()[0].1;
            let packed = pack(&small.octets);
            for len in 0..packed.len() {
                let (packets, result) = read_twice(&packed[..len]);
                assert!(small.packets.starts_with(&packets), "{name} {len}");
                match result {
                    Ok(warnings) => assert_eq!(warnings.len(), 1, "{name} {len}"),
                    Err(Error::Empty { .. }) => assert_eq!(len, 0),
                    Err(Error::CutHeader { .. } | Error::Foreign { .. }) => {
                        assert!(packets.is_empty());
                    }
                    Err(e) => panic!("{name} {len}: {e}"),
                }
            }
            // What was there before the cut is there, also what the decoder held back.
            let packed = pack(&large.octets);
            let (packets, result) = read_twice(&packed[..packed.len() - 10]);
            assert!(large.packets.starts_with(&packets), "{name}");
            assert!(packets.len() > 800, "{name}: {}", packets.len());
            assert_eq!(result.unwrap().len(), 1);
        }
    }

    #[test]
    fn damaged_compressed_data() {
        let c = large();
        for (name, pack) in FORMATS {
            let packed = pack(&c.octets);
            let mut damaged = 0;
            for at in (4..packed.len()).step_by(packed.len() / 20) {
                let mut octets = packed.clone();
                octets[at] ^= 0x10;
                let (packets, result) = read_twice(&octets[..]);
                damaged += usize::from(matches!(result, Err(Error::Damaged { .. })));
                // All that comes before the damage is read, in whatever pieces it comes.
                assert!(packets == read(ByteByByte(&octets)).0, "{name} {at}");
            }
            assert!(damaged > 13, "{name}: {damaged}");
            // The checksum alone.
            let mut octets = packed.clone();
            let at = octets.len() - if name == "gzip" { 8 } else { 1 };
            octets[at] ^= 1;
            let (packets, result) = read_twice(&octets[..]);
            assert!(packets == c.packets, "{name}");
            let e = result.unwrap_err();
            assert!(matches!(e, Error::Damaged { .. }), "{e}");
        }
    }

    #[test]
    fn what_is_compressed_is_said() {
        for (name, pack) in FORMATS {
            let (_, result) = read_twice(&pack(b"hello, world"));
            let e = result.unwrap_err().to_string();
            let expected = format!("x: is no pcap or pcapng capture but {name}-compressed text");
            assert!(e.starts_with(&expected), "{e}");
            let (_, result) = read_twice(&pack(b""));
            assert!(matches!(result, Err(Error::Empty { .. })), "{name}");
        }
    }
}
