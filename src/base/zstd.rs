//! Frames of zstd, read from captures and from files in them.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, ErrorKind, Read};

/// A last block without content, and room for the checksum of the frame: it makes the decoder let go of its window.
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

/// Frames of zstd, one after the other (RFC 8878).
pub(crate) struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
    /// Octets that the window of a frame may have.
    max_window: u64,
    in_frame: bool,
    /// What ended the input; it is returned once all that was decoded has been read.
    failed: Option<io::Error>,
}

impl<R: BufRead> Zstd<R> {
    /// Reads frames whose windows are `window` octets large at most.
    pub(crate) fn new(input: R, window: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(window);
        Self {
            input,
            decoder,
            max_window: window,
            in_frame: false,
            failed: None,
        }
    }

    /// Begins the next frame; false at the end of the input.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let mut frame = (&mut self.input).take(length);
                    if io::copy(&mut frame, &mut io::sink())? < length {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(e) => return Err(io_error(e, self.max_window)),
            }
        }
    }

    fn checksum_fits(&self) -> bool {
        self.decoder
            .get_checksum_from_data()
            .is_none_or(|sum| Some(sum) == self.decoder.get_calculated_checksum())
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.in_frame {
                if let Some(e) = self.failed.take() {
                    return Err(e);
                }
                self.in_frame = self.next_frame()?;
                if !self.in_frame {
                    return Ok(0);
                }
            }
            let n = self.decoder.read(buf)?;
            if n > 0 {
                return Ok(n);
            }
            if self.decoder.is_finished() {
                self.in_frame = false;
                if self.failed.is_none() && !self.checksum_fits() {
                    let e = "a frame's checksum is wrong";
                    return Err(io::Error::new(ErrorKind::InvalidData, e));
                }
                continue;
            }
            let one = BlockDecodingStrategy::UptoBlocks(1);
            if let Err(e) = self.decoder.decode_blocks(&mut self.input, one) {
                self.failed = Some(io_error(e, self.max_window));
                self.decoder
                    .decode_blocks(LAST_BLOCK.as_slice(), BlockDecodingStrategy::All)
                    .map_err(|e| io_error(e, self.max_window))?;
            }
        }
    }
}

/// An error of the input where one is behind it, else damage, in words of ours: the decoder's are for who writes decoders.
fn io_error(e: FrameDecoderError, max_window: u64) -> io::Error {
    let what = match &e {
        FrameDecoderError::WindowSizeTooBig { requested, .. } => {
            let (found, most) = (requested >> 20, max_window >> 20);
            let what = format!("its zstd window of {found} MiB is over {most} MiB");
            return io::Error::new(ErrorKind::Unsupported, what + ": decompress it first");
        }
        FrameDecoderError::DictNotProvided { .. } => {
            let what = "it was compressed with a dictionary: decompress it first";
            return io::Error::new(ErrorKind::Unsupported, what);
        }
        FrameDecoderError::ReadFrameHeaderError(_) => "no frame begins here",
        _ => "a block is damaged",
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&e);
    let mut kind = ErrorKind::InvalidData;
    while let Some(c) = cause {
        if let Some(io) = c.downcast_ref::<io::Error>() {
            kind = io.kind();
        }
        cause = c.source();
    }
    match kind {
        ErrorKind::InvalidData => io::Error::new(kind, what),
        _ => io::Error::new(kind, e),
    }
}
