//! What is inside a file that has ended: what its codings were applied to, the parts of a form, and the ranges
//! in which it came.
//!
//! All are taken from the octets that were kept as they came, so that no decoder waits for packets, and nothing is lost where one
//! fails.

use super::super::list::RangeOf;
use super::super::received::WholeRanges;
use super::super::store::Store;
use super::super::transfer::{FileInfo, MAIL, NameFrom, Transfer, kept};
use super::fields::HeaderFields;
use super::octets::StoredOctets;
use super::{decode, disposition, multipart, types, uuencode, words};
use crate::base::context::Context;
use std::io::{self, BufReader, ErrorKind, Read};

/// A coded body may become this many times as large, or [`FREE`] octets, whichever is more: ordinary content
/// stays far below, and deflate alone reaches 1,032 times.
// Text and JSON reach 10 to 20 times; only constructed content more than 256.
const RATIO: u64 = 256;
/// Octets that any coded body may become, so that a short one of long runs is still decoded.
// A page of blanks from a few kilobytes is legitimate; 32 MiB more for each file does not fill a
// disk.
const FREE: u64 = 32 << 20;
/// Depth of multipart bodies and mails inside each other that are opened. MIME is nested twice in practice (RFC 2046, 5.1.1), and each
/// mail that is passed on adds as much.
// Each level copies the parts inside once more.
const NESTING: u8 = 8;
/// Octets of a mail's header section: as much as a mail server takes.
const HEAD: usize = 256 << 10;
/// Octets that are copied at once.
const COPY: usize = 64 << 10;

impl Store {
    /// Undoes the codings of a file. Where that is not possible to the end, the octets are kept as they came, beside what
    /// could be decoded. Gives the name of the file.
    pub(in super::super) fn undo(
        &mut self,
        cx: &mut Context,
        mut file: Transfer,
        len: Option<u64>,
        missing: &[(u64, Option<u64>)],
    ) -> Option<String> {
        let codings = file.about.codings.clone();
        // Up to the first hole: no coding goes on behind it.
        let sound = file.have.leading();
        if !decode::known(&codings) {
            cx.counters.files.undecoded += 1;
            file.about.error = Some(format!("cannot be undone: {}", codings.join(", ")));
            return self.settle(cx, file, len, missing);
        }
        let Some(octets) = self.octets(&file) else {
            return self.settle(cx, file, len, missing);
        };
        let mut about = FileInfo {
            undone: codings.clone(),
            ..file.about.clone()
        };
        about.undone.reverse();
        let mut out = self.begin(cx, about);
        // The larger of both allowances, and never more than `--max-file`.
        let most = self.max_file().min(FREE.max(sound.saturating_mul(RATIO)));
        let mut reader = decode::undo(&codings, octets.take(sound));
        let mut buffer = vec![0; COPY];
        let mut at = 0;
        let end = loop {
            match reader.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => {
                    let room = usize::try_from(most - at).unwrap_or(usize::MAX);
                    self.write(cx, &mut out, at, &buffer[..n.min(room)]);
                    at += n.min(room) as u64;
                    // A bomb: what was decoded stays, marked.
                    if n > room {
                        break Err(None);
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => break Err(Some(e)),
            }
        };
        drop(reader);
        // Only then is the coded one of no more use to anybody.
        if end.is_ok() && missing.is_empty() {
            cx.counters.files.decoded += 1;
            self.discard(cx, file);
            return self.finish_named(cx, out, Some(at));
        }
        let error = match end {
            Err(None) => {
                cx.counters.files.limited += 1;
                let of = if most == self.max_file() {
                    "--max-file".to_owned()
                } else {
                    format!("{most} bytes of {sound}")
                };
                Some(format!("decoded bytes left out: more than {of}"))
            }
            // It ends where octets are missing, which the list says anyway.
            Err(Some(e)) if e.kind() == ErrorKind::UnexpectedEof && !missing.is_empty() => None,
            Err(Some(e)) => {
                cx.counters.files.undecoded += 1;
                let what = match e.kind() {
                    ErrorKind::UnexpectedEof => "cut short".to_owned(),
                    _ => e.to_string(),
                };
                Some(format!("{}: {what}", codings.join(", ")))
            }
            Ok(()) => None,
        };
        out.about.error.clone_from(&error);
        file.about.error = error;
        // Nothing came out of it; an empty file beside it would only puzzle.
        if at == 0 {
            self.discard(cx, out);
        } else {
            // What is kept beside it is not what its name says.
            file.about.coded = true;
            let missing = out.missing(None);
            self.settle(cx, out, None, &missing);
        }
        self.settle(cx, file, len, missing)
    }

    /// Makes a file of each part of a multipart body; gives how far the last of them reaches, if there is one. `whole`: nothing of it is missing.
    pub(in super::super) fn split(
        &mut self,
        cx: &mut Context,
        file: &Transfer,
        boundary: &[u8],
        whole: bool,
    ) -> Option<u64> {
        let parts = self.parts(file, boundary, whole)?;
        let upto = parts.last().map(|part| part.to);
        for part in parts {
            let fields = HeaderFields::read(&part.head);
            let disposition = fields.get("content-disposition").unwrap_or_default();
            let name = disposition::filename(disposition);
            // Browsers send each field of a form, chosen or not.
            if part.from == part.to && name.as_ref().is_none_or(Vec::is_empty) {
                // A field that was left empty.
                continue;
            }
            let field = disposition::parameter(disposition, "name");
            let mut about = FileInfo {
                name: name.map(|name| (name, NameFrom::ContentDisposition)),
                fallback: field.clone().unwrap_or_else(|| b"part".to_vec()),
                field,
                media_type: String::new(),
                codings: Vec::new(),
                undone: Vec::new(),
                depth: file.about.depth + 1,
                ..file.about.clone()
            };
            fields.describe_part(&mut about);
            let mut out = self.begin(cx, about);
            self.copy_part(cx, file, (part.from, part.to), &mut out);
            // The boundary behind it shows its length; without one it may go on.
            self.finish(cx, out, part.ended.then_some(part.to - part.from));
        }
        upto
    }

    /// Makes files of what is in a mail (RFC 5322): of its parts, or of its text where that is coded, named or no text. Gives what its
    /// subject is.
    pub(in super::super) fn open_mail(
        &mut self,
        cx: &mut Context,
        file: &Transfer,
        len: Option<u64>,
        whole: bool,
    ) -> Option<Vec<u8>> {
        cx.counters.files.mails += 1;
        let Some(head) = self.head_section(file) else {
            self.split_unnamed(cx, file);
            return None;
        };
        let fields = HeaderFields::read(&head);
        let subject = fields.get("subject").map(|text| words::decoded(kept(text)));
        let mut about = FileInfo {
            name: None,
            fallback: b"text".to_vec(),
            of_mail: true,
            media_type: String::new(),
            depth: file.about.depth + 1,
            ..file.about.clone()
        };
        fields.describe_part(&mut about);
        if let Some(boundary) = Self::boundary(&about) {
            self.split(cx, file, &boundary, whole);
            return subject;
        }
        let is_text = about.media_type.is_empty()
            || about
                .media_type
                .get(..5)
                .is_some_and(|top| top.eq_ignore_ascii_case("text/"));
        if about.name.is_some() || !about.codings.is_empty() || !is_text {
            let from = head.len() as u64;
            let mut out = self.begin(cx, about);
            self.copy_part(cx, file, (from, u64::MAX), &mut out);
            self.finish(cx, out, len.and_then(|len| len.checked_sub(from)));
        } else {
            self.open_text(cx, file, head.len() as u64);
        }
        subject
    }

    /// Makes files of what is uuencoded in the text of a mail, from this offset on.
    fn open_text(&mut self, cx: &mut Context, file: &Transfer, from: u64) {
        let Some(octets) = self.octets(file) else {
            return;
        };
        let mut text = BufReader::new(octets.take(self.max_file()));
        let found = io::copy(&mut text.by_ref().take(from), &mut io::sink());
        let found = match found.and_then(|_| uuencode::blocks(text)) {
            Ok(found) => found,
            Err(e) => return self.fail(file.made.as_deref().unwrap_or_default(), "read", e),
        };
        for block in found {
            let about = FileInfo {
                name: Some((kept(&block.name).to_vec(), NameFrom::Begin)),
                fallback: b"part".to_vec(),
                media_type: String::new(),
                codings: vec!["x-uuencode".to_owned()],
                depth: file.about.depth + 1,
                ..file.about.clone()
            };
            let range = (from + block.from, from + block.to);
            let mut out = self.begin(cx, about);
            self.copy_part(cx, file, range, &mut out);
            self.finish(cx, out, block.ended.then_some(range.1 - range.0));
        }
    }

    /// Makes files of the parts of a mail whose header section is lost: its delimiters tell. Those of a part are read with it.
    fn split_unnamed(&mut self, cx: &mut Context, file: &Transfer) {
        let mut upto = 0;
        for _ in 0..NESTING {
            let octets = self.octets(file).map(|octets| octets.take(self.max_file()));
            let found = octets.map(|octets| multipart::find_delimiter(octets, upto));
            let Some(Ok(Some((at, boundary)))) = found else {
                return;
            };
            let last = self.split(cx, file, &boundary, false);
            upto = last.unwrap_or(0).max(at + 1);
        }
    }

    /// The header section that a file begins with, with the empty line; all of it where it has no other line.
    fn head_section(&mut self, file: &Transfer) -> Option<Vec<u8>> {
        let there = usize::try_from(file.have.leading()).unwrap_or(usize::MAX);
        let mut head = vec![0; there.min(HEAD)];
        if !self.octets(file)?.fill_at(&mut head, 0) {
            return None;
        }
        head.truncate(multipart::head_end(&head)?);
        Some(head)
    }

    /// The file is a mail, which is opened.
    pub(in super::super) fn is_mail(about: &FileInfo) -> bool {
        about.depth < NESTING && types::essence(&about.media_type).eq_ignore_ascii_case(MAIL)
    }

    /// The boundary of a body whose parts are files.
    pub(in super::super) fn boundary(about: &FileInfo) -> Option<Vec<u8>> {
        match about.depth {
            0..NESTING => multipart::boundary_of_parts(&about.media_type),
            _ => None,
        }
    }

    /// Where the parts of a multipart body stand.
    pub(in super::super) fn parts(
        &mut self,
        file: &Transfer,
        boundary: &[u8],
        whole: bool,
    ) -> Option<Vec<multipart::BodyPart>> {
        // A file with large holes is read no farther than one without.
        let octets = self.octets(file)?.take(self.max_file());
        multipart::parts(octets, boundary, whole)
            .map_err(|e| self.fail(file.made.as_deref().unwrap_or_default(), "read", e))
            .ok()
    }

    /// Copies a part of a file into a file of its own, as far as it is there.
    fn copy_part(
        &mut self,
        cx: &mut Context,
        from: &Transfer,
        range: (u64, u64),
        to: &mut Transfer,
    ) {
        self.copy(cx, from, range, to, 0);
        // Of what is missing there, nobody knows how much it is.
        let inside = |at: &&u64| (range.0..=range.1).contains(*at);
        let unknown = from.unknown.iter().filter(inside);
        unknown.for_each(|at| to.lost(at - range.0));
        cx.counters.files.parts += 1;
    }

    /// Copies octets of a file to an offset of another, as far as they are there.
    pub(in super::super) fn copy(
        &mut self,
        cx: &mut Context,
        from: &Transfer,
        range: (u64, u64),
        to: &mut Transfer,
        offset: u64,
    ) {
        let Some(octets) = self.octets(from) else {
            return;
        };
        let name = from.made.as_deref().unwrap_or_default();
        for (at, end) in from.have.present(range.0, range.1) {
            self.pour(cx, (&octets, name), (at, end), to, offset + (at - range.0));
        }
    }

    /// Copies octets that were read, as far as they are there.
    fn pour(
        &mut self,
        cx: &mut Context,
        (from, name): (&StoredOctets, &str),
        (mut at, end): (u64, u64),
        to: &mut Transfer,
        mut offset: u64,
    ) {
        let most = |at: u64| usize::try_from(end - at).unwrap_or(usize::MAX).min(COPY);
        let mut buffer = vec![0; most(at)];
        while at < end {
            match from.read_at(&mut buffer[..most(at)], at) {
                Ok(0) => return,
                Ok(n) => {
                    self.write(cx, to, offset, &buffer[..n]);
                    at += n as u64;
                    offset += n as u64;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    self.fail(name, "read", e);
                    return;
                }
            }
        }
    }

    /// Ends a file that came in ranges. Where it is not whole, each range that is, is a file of its own too; its octets are read
    /// from the file that is kept. Gives the name of that file.
    pub(in super::super) fn finish_ranges(
        &mut self,
        cx: &mut Context,
        file: Transfer,
        len: Option<u64>,
        mut ranges: WholeRanges,
    ) -> Option<String> {
        if file.missing(len).is_empty() {
            return self.finish_named(cx, file, len);
        }
        cx.counters.files.ranges_left_out += ranges.left_out;
        // A limit may have kept octets out of the file.
        // A range that was cut off by a limit is not whole, whatever its header says.
        ranges.all.retain(|r| file.has(r.range.from, r.range.to));
        let about = file.about.clone();
        // From the file under its last name: its octets are read there.
        let name = self.finish_named(cx, file, len)?;
        if ranges.all.is_empty() {
            return Some(name);
        }
        let Some(octets) = self.read(&name) else {
            return Some(name);
        };
        for brought in ranges.all {
            let (from, to) = (brought.range.from, brought.range.to);
            let mut out = self.begin(cx, brought.about(&about));
            self.pour(cx, (&octets, &name), (from, to), &mut out, 0);
            // No coding of a part can be undone.
            out.about.coded = !out.about.codings.is_empty();
            let range = RangeOf {
                file: &name,
                at: from,
                len: to - from,
            };
            let missing = out.missing(Some(range.len));
            self.settle_range(cx, out, Some(range.len), &missing, Some(range));
            cx.counters.files.range_files += 1;
        }
        Some(name)
    }

    /// All octets of a file that are there stand in a file of the folder too, at the same offsets.
    pub(in super::super) fn is_part_of(&mut self, file: &Transfer, name: &str) -> bool {
        let (Some(own), Some(other)) = (self.octets(file), self.read(name)) else {
            return false;
        };
        let mut buffers = [vec![0; COPY], vec![0; COPY]];
        for (mut at, end) in file.have.present(0, u64::MAX) {
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(COPY);
                let [one, two] = &mut buffers;
                let (one, two) = (&mut one[..most], &mut two[..most]);
                if !own.fill_at(one, at) || !other.fill_at(two, at) || one != two {
                    return false;
                }
                at += most as u64;
            }
        }
        true
    }
}
