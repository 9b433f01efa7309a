//! Deflate (RFC 1951) of a stream of messages, each of which may refer to those before it (RFC 7692, 7.2), where some of these may
//! be lost.
//!
//! What a message is made of does not depend on what was lost: where its literals stand, how long its copies are and from how far
//! back they come is said in the message itself. So it is decoded twice, into two windows that differ in each octet that is not known.
//! An octet that comes out the same twice comes from what is known, over however many copies; one that differs is not known. Nothing
//! is guessed, and once as much as a window holds is known again, once is enough.

use crate::base::state::{Deserialize, Serialize};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// Octets that a message may refer back to (RFC 1951, 3.2.5).
const WINDOW: usize = 32 << 10;
/// What a sender takes off the end of each message, and a receiver puts back (RFC 7692, 7.2.1 and 7.2.2).
const TAIL: &[u8] = &[0, 0, 0xff, 0xff];
/// A last block without content: what is decoded ends with it exactly if a block has ended before it.
const LAST: &[u8] = &[1, 0, 0, 0xff, 0xff];

/// What was not known in a window, as it stands in it, and in its twin.
const UNKNOWN: u8 = 0;
const UNKNOWN_TWIN: u8 = 0xff;

/// What comes out of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inflated<'a> {
    /// Octets of it.
    Octets(&'a [u8]),
    /// So many octets that are copies of what is not known.
    Unknown(usize),
}

/// It is no deflate, or its end is not where the message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotDeflate;

/// Decodes the messages of one direction. Plain data.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Inflate {
    /// The last octets of all messages so far; the next one stands at `at`.
    window: Vec<u8>,
    /// The same, where octets that are not known are others; none where all are known.
    twin: Option<Vec<u8>>,
    at: usize,
    /// Octets since something was not known.
    known: usize,
    /// Of the message that is under way.
    decoder: Option<Box<DecompressorOxide>>,
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflate")
            .field("at", &self.at)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl Inflate {
    /// Of what came before nothing is known, or there is nothing before.
    pub(super) fn new() -> Self {
        Self {
            window: vec![UNKNOWN; WINDOW],
            twin: Some(vec![UNKNOWN_TWIN; WINDOW]),
            at: 0,
            known: 0,
            decoder: None,
        }
    }

    /// What came before is not known any more. A message that is under way cannot go on.
    pub(super) fn forget(&mut self) {
        self.window.fill(UNKNOWN);
        let twin = self.twin.get_or_insert_with(|| vec![0; WINDOW]);
        twin.fill(UNKNOWN_TWIN);
        (self.at, self.known, self.decoder) = (0, 0, None);
    }

    /// A message begins.
    pub(super) fn begin(&mut self) {
        self.decoder = Some(Box::default());
    }

    /// Octets of the message; `each` says whether it wants more.
    pub(super) fn octets(
        &mut self,
        octets: &[u8],
        each: &mut dyn FnMut(Inflated<'_>) -> bool,
    ) -> Result<(), NotDeflate> {
        let mut rest = octets;
        loop {
            let (status, used) = self.step(rest, TINFL_FLAG_HAS_MORE_INPUT, each)?;
            rest = &rest[used..];
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return Ok(()),
                // A last block: what follows begins with the next octet (RFC 7692, 7.2.3.4).
                TINFLStatus::Done => {
                    self.begin();
                    if rest.is_empty() {
                        return Ok(());
                    }
                }
                _ => return Err(NotDeflate),
            }
        }
    }

    /// The message ends.
    pub(super) fn end(
        &mut self,
        each: &mut dyn FnMut(Inflated<'_>) -> bool,
    ) -> Result<(), NotDeflate> {
        self.octets(TAIL, each)?;
        // Without this a message that breaks off inside of a block would seem to be whole.
        let last = self.step(LAST, 0, each)?;
        self.decoder = None;
        match last {
            (TINFLStatus::Done, used) if used == LAST.len() => Ok(()),
            _ => Err(NotDeflate),
        }
    }

    /// Decodes as far as the window reaches to its end.
    fn step(
        &mut self,
        octets: &[u8],
        flags: u32,
        each: &mut dyn FnMut(Inflated<'_>) -> bool,
    ) -> Result<(TINFLStatus, usize), NotDeflate> {
        let decoder = self.decoder.as_mut().ok_or(NotDeflate)?;
        let from = self.at;
        if let Some(twin) = &mut self.twin {
            let mut again = decoder.clone();
            decompress(&mut again, octets, twin, from, flags);
        }
        let (status, used, made) = decompress(decoder, octets, &mut self.window, from, flags);
        let to = from + made;
        self.at = to % WINDOW;
        let made = self.window.get(from..to).unwrap_or_default();
        let wants = match &self.twin {
            None => made.is_empty() || each(Inflated::Octets(made)),
            Some(twin) => {
                let twin = twin.get(from..to).unwrap_or_default();
                runs(made, twin, &mut self.known, each)
            }
        };
        if self.known >= WINDOW {
            self.twin = None;
        }
        match wants {
            true => Ok((status, used)),
            false => Err(NotDeflate),
        }
    }

    /// Octets allocated beyond itself.
    pub(super) fn size(&self) -> usize {
        let decoder = self.decoder.as_ref();
        let windows = self.window.capacity() + self.twin.as_ref().map_or(0, Vec::capacity);
        windows + decoder.map_or(0, |_| size_of::<DecompressorOxide>())
    }
}

/// Tells of what is the same twice, and what is not, in turn; counts what is known since the last octet that is not.
fn runs(
    octets: &[u8],
    twin: &[u8],
    known: &mut usize,
    each: &mut dyn FnMut(Inflated<'_>) -> bool,
) -> bool {
    let mut from = 0;
    while from < octets.len() {
        let rest = octets[from..].iter().zip(&twin[from..]);
        let same = octets[from] == twin[from];
        let n = rest.take_while(|(a, b)| (a == b) == same).count();
        let run = &octets[from..from + n];
        from += n;
        let wants = if same {
            *known += n;
            each(Inflated::Octets(run))
        } else {
            *known = 0;
            each(Inflated::Unknown(n))
        };
        if !wants {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    /// Messages as a sender compresses them; with `fresh` each for itself.
    fn deflated(messages: &[&[u8]], fresh: bool) -> Vec<Vec<u8>> {
        let mut deflate = Compress::new(Compression::default(), false);
        let mut each = |message: &&[u8]| {
            if fresh {
                deflate.reset();
            }
            let mut out = Vec::with_capacity(message.len() + 1024);
            let done = deflate.compress_vec(message, &mut out, FlushCompress::Sync);
            done.unwrap();
            out.truncate(out.len() - TAIL.len());
            out
        };
        messages.iter().map(&mut each).collect()
    }

    /// Text of the message, octets that are not known as `?`.
    fn inflated(inflate: &mut Inflate, message: &[u8], piece: usize) -> Result<Vec<u8>, Vec<u8>> {
        let mut out = Vec::new();
        inflate.begin();
        let each = &mut |part: Inflated<'_>| {
            match part {
                Inflated::Octets(octets) => out.extend(octets),
                Inflated::Unknown(n) => out.extend(vec![b'?'; n]),
            }
            true
        };
        let mut done = Ok(());
        for piece in message.chunks(piece) {
            done = done.and_then(|()| inflate.octets(piece, each));
        }
        done = done.and_then(|()| inflate.end(each));
        match done {
            Ok(()) => Ok(out),
            Err(NotDeflate) => Err(out),
        }
    }

    #[test]
    fn messages_refer_to_those_before() {
        let texts: [&[u8]; 4] = [
            b"",
            b"{\"id\": 1, \"method\": \"one\"}",
            b"{\"id\": 2, \"method\": \"two\"}",
            &[7; 100_000],
        ];
        for fresh in [false, true] {
            for piece in [1, 7, usize::MAX] {
                let mut inflate = Inflate::new();
                for (message, text) in deflated(&texts, fresh).iter().zip(texts) {
                    if fresh {
                        inflate.forget();
                    }
                    assert_eq!(inflated(&mut inflate, message, piece).as_deref(), Ok(text));
                }
                assert_eq!(inflate.twin, None, "all of the window is known");
            }
        }
    }

    #[test]
    fn behind_a_loss_what_is_known_is_right_and_the_rest_is_unknown() {
        let texts: Vec<Vec<u8>> = (0..40u32)
            .map(|n| {
                let noise = (0..n % 7)
                    .map(|k| format!("{:08x}", (n + 1).wrapping_mul(2_654_435_761).rotate_left(k)));
                format!(
                    "{{\"id\": {n}, \"method\": \"subscribe\", \"args\": \"{}\"}}",
                    noise.collect::<String>()
                )
                .into_bytes()
            })
            .collect();
        let all: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let sent = deflated(&all, false);
        let mut inflate = Inflate::new();
        let (mut right, mut unknown) = (0, 0);
        for (n, (message, text)) in sent.iter().zip(&texts).enumerate() {
            if n == 10 {
                inflate.forget();
                continue;
            }
            let got = inflated(&mut inflate, message, 5).unwrap();
            assert_eq!(got.len(), text.len());
            let known = got.iter().zip(text).filter(|(got, _)| **got != b'?');
            assert!(known.clone().all(|(got, sent)| got == sent));
            let n_known = known.count();
            unknown += text.len() - n_known;
            right += if n > 10 { n_known } else { 0 };
            assert!(n > 10 || got == *text);
        }
        // What all messages have in common stays unknown, as each copies it from the one before; the rest is there.
        assert!(unknown > 0 && right * 4 > unknown, "{right}, {unknown}");
    }

    #[test]
    fn a_message_that_refers_to_nothing_is_known_whatever_was_lost() {
        let sent = deflated(&[b"first", b"nothing like it: 0123"], true);
        let mut inflate = Inflate::new();
        assert_eq!(
            inflated(&mut inflate, &sent[1], 1).unwrap(),
            b"nothing like it: 0123"
        );
    }

    #[test]
    fn what_is_no_deflate_or_breaks_off_is_no_message() {
        let sent = deflated(&[b"some text that is long enough for a block"], true);
        let mut inflate = Inflate::new();
        for cut in 1..sent[0].len() {
            assert!(inflated(&mut inflate, &sent[0][..cut], 3).is_err(), "{cut}");
            inflate.forget();
        }
        assert!(inflated(&mut inflate, b"\x07\xff\xff", 3).is_err());
        inflate.forget();
        assert_eq!(inflated(&mut inflate, &sent[0], 3).unwrap().len(), 41);
    }

    #[test]
    fn a_last_block_ends_no_connection() {
        let mut last = Compress::new(Compression::default(), false);
        let mut message = Vec::with_capacity(100);
        last.compress_vec(b"Hello", &mut message, FlushCompress::Finish)
            .unwrap();
        // RFC 7692, 7.2.3.4: an octet of zeros behind it.
        message.push(0);
        let mut inflate = Inflate::new();
        for piece in [1, 100] {
            assert_eq!(inflated(&mut inflate, &message, piece).unwrap(), b"Hello");
        }
    }

    #[test]
    fn a_bomb_is_decoded_as_far_as_is_wanted() {
        let sent = deflated(&[&vec![0; 50 << 20]], true);
        let mut inflate = Inflate::new();
        inflate.begin();
        let mut made = 0;
        let each = &mut |part: Inflated<'_>| {
            let Inflated::Octets(octets) = part else {
                return false;
            };
            made += octets.len();
            made < 1 << 20
        };
        assert_eq!(inflate.octets(&sent[0], each), Err(NotDeflate));
        assert!(made < 2 << 20);
        assert!(inflate.size() < 96 << 10);
    }
}
