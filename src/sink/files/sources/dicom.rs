//! Objects of DICOM that C-STORE brings (PS3.4, B): each a file as PS3.10 has it, with the header that says what it is.
//!
//! A unit of data holds values, each a piece of a command or of the data set behind it (PS3.8, 9.3.5 and E). A command names the
//! object; how its data is encoded is what the association agreed on, for the context by whose number both go. A gap hides headers of
//! units and values as well as octets of a file, so its length says how many of these are missing only inside a value. Anywhere else
//! the file lacks an unknown number, and what follows stands behind it.

use super::super::source::{At, FileSource};
use super::super::store::Store;
use super::super::transfer::{FileInfo, NameFrom, Transfer, kept};
use crate::base::context::Context;
use crate::base::state::{Deserialize, Serialize};
use crate::base::storage::allocated;
use crate::base::stream::Close;
use crate::message::{MessageEnd, MessageGap, MessageStart, Piece};
use std::collections::BTreeMap;

/// Its name by Wireshark.
const DICOM: &str = "dicom";
/// Types of a unit: an association is agreed on, and data (PS3.8, 9.3.1).
const ASSOCIATE_AC: u8 = 2;
const P_DATA: u8 = 4;
/// Octets of a unit's header, and of a value's: its length, its context, and what it is a piece of.
const UNIT: u8 = 6;
const VALUE: usize = 6;
/// Octets of what is agreed on ahead of its items: the version, both titles, and what is reserved (PS3.8, 9.3.3).
const FIXED: usize = 68;
/// Octets that are kept of a command, or of what is agreed on. A command that stores has some 200, and 128 contexts less than 16 KiB.
const TEXT: usize = 32 << 10;
/// Octets of a unique identifier (PS3.5, 9.1).
const UID: usize = 64;
/// Who writes the files: a UUID (PS3.5, B.2).
const WRITER: &[u8] = b"2.25.313777061856540305133862276819436093656";

/// Reads objects.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct Dicom;

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct DicomConnection {
    /// How data is encoded, by the number of the context: there are 128 at most.
    syntaxes: BTreeMap<u8, Vec<u8>>,
    sides: [DicomSide; 2],
    counted: usize,
}

/// What one side sends.
#[derive(Debug, Default, Serialize, Deserialize)]
struct DicomSide {
    unit: u8,
    place: UnitPlace,
    /// Where the last unit has ended; None: nobody knows.
    end: Option<u64>,
    /// What came of a command, or of what is agreed on.
    text: Vec<u8>,
    /// Octets of that are missing.
    text_is_cut: bool,
    object: Option<Box<DicomObject>>,
}

/// Where in a unit the next octet stands.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
enum UnitPlace {
    /// In its header, with so many octets left.
    Head(u8),
    /// In the header of a value, of which so many octets are there.
    ValueHead([u8; VALUE], usize),
    /// In what is agreed on.
    Agreement,
    /// In a value, with so many octets left.
    Value(DicomValue, u64),
    /// What is there is not read.
    #[default]
    Other,
}

impl UnitPlace {
    /// Where a value may begin, or the unit end.
    const BETWEEN: Self = Self::ValueHead([0; VALUE], 0);

    /// It is inside a header or a value.
    const fn is_inside(self) -> bool {
        matches!(
            self,
            Self::Head(_) | Self::ValueHead(_, 1..) | Self::Value(..)
        )
    }
}

/// What a value is a piece of.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct DicomValue {
    context: u8,
    command: bool,
    last: bool,
}

/// An object that is stored.
#[derive(Debug, Serialize, Deserialize)]
struct DicomObject {
    file: Transfer,
    context: u8,
    /// Octets of the file so far.
    at: u64,
}

impl FileSource for Dicom {
    type Connection = DicomConnection;

    fn protocols(&self) -> &'static [&'static str] {
        &[DICOM]
    }

    fn start(&mut self, at: &mut At<'_, DicomConnection>, start: &MessageStart<'_>) {
        let kept = at.kept.get_or_insert_default();
        let side = &mut kept.sides[at.direction.index()];
        if side.end.take() != Some(start.offset) {
            side.lost();
        }
        side.unit = start.head.first().copied().unwrap_or(0);
        side.place = match side.unit {
            ASSOCIATE_AC | P_DATA => UnitPlace::Head(UNIT),
            _ => UnitPlace::Other,
        };
        kept.count(at.cx);
    }

    fn data(&mut self, at: &mut At<'_, DicomConnection>, piece: &Piece<'_>) {
        let Some(kept) = at.kept.as_deref_mut() else {
            return;
        };
        let side = &mut kept.sides[at.direction.index()];
        let mut octets = piece.data;
        while !octets.is_empty() {
            match side.place {
                UnitPlace::Head(left) => {
                    let now = usize::from(left).min(octets.len());
                    octets = octets.get(now..).unwrap_or_default();
                    // No more than it was.
                    let left = left - u8::try_from(now).unwrap_or(left);
                    side.place = match (left, side.unit) {
                        (1.., _) => UnitPlace::Head(left),
                        (0, ASSOCIATE_AC) => {
                            side.begin_text();
                            UnitPlace::Agreement
                        }
                        _ => UnitPlace::BETWEEN,
                    };
                }
                UnitPlace::ValueHead(mut head, there) => {
                    let due = head.get_mut(there..).unwrap_or_default();
                    let now = due.len().min(octets.len());
                    for (to, from) in due.iter_mut().zip(octets) {
                        *to = *from;
                    }
                    octets = octets.get(now..).unwrap_or_default();
                    side.place = match there + now {
                        VALUE => side.value(head),
                        there => UnitPlace::ValueHead(head, there),
                    };
                }
                UnitPlace::Agreement => {
                    side.keep_text(octets);
                    break;
                }
                UnitPlace::Value(value, left) => {
                    let now = usize::try_from(left).unwrap_or(usize::MAX);
                    let (now, rest) = octets.split_at(now.min(octets.len()));
                    octets = rest;
                    let left = left - now.len() as u64;
                    side.place = UnitPlace::Value(value, left);
                    if value.command {
                        side.keep_text(now);
                    } else {
                        side.write(at.cx, at.store, value, piece, now);
                    }
                    if left > 0 {
                        continue;
                    }
                    side.place = UnitPlace::BETWEEN;
                    if value.last && value.command {
                        let (frame, time) = (piece.frame, piece.time);
                        let about = FileInfo::new(DICOM, at.flow, at.direction, frame, time);
                        let syntax = kept.syntaxes.get(&value.context);
                        side.begin(at.cx, at.store, value, about, syntax);
                    } else if value.last {
                        side.finish(at.cx, at.store, value);
                    }
                }
                UnitPlace::Other => break,
            }
        }
        kept.count(at.cx);
    }

    fn gap(&mut self, at: &mut At<'_, DicomConnection>, gap: &MessageGap) {
        let Some(kept) = at.kept.as_deref_mut() else {
            return;
        };
        let side = &mut kept.sides[at.direction.index()];
        match side.place {
            // It ends in the value: what follows is where it belongs.
            UnitPlace::Value(value, left) if (1..=left).contains(&gap.len) => {
                side.place = UnitPlace::Value(value, left - gap.len);
                if value.command {
                    side.text_is_cut = true;
                } else if let Some(object) = side.object_of(value) {
                    object.at += gap.len;
                }
                if gap.len == left {
                    side.place = UnitPlace::BETWEEN;
                    if value.last && !value.command {
                        side.finish(at.cx, at.store, value);
                    }
                }
            }
            UnitPlace::Agreement => side.text_is_cut = true,
            _ => side.lost(),
        }
    }

    fn jump(&mut self, at: &mut At<'_, DicomConnection>) {
        if let Some(kept) = at.kept {
            kept.sides[at.direction.index()].lost();
        }
    }

    fn end(&mut self, at: &mut At<'_, DicomConnection>, end: &MessageEnd) {
        let Some(kept) = at.kept.as_deref_mut() else {
            return;
        };
        let side = &mut kept.sides[at.direction.index()];
        side.end = Some(end.offset);
        if side.place.is_inside() {
            side.lost();
        }
        if matches!(side.place, UnitPlace::Agreement) {
            let agreed = std::mem::take(&mut side.text);
            if end.whole && !side.text_is_cut {
                kept.syntaxes = syntaxes(&agreed);
            }
        }
        kept.count(at.cx);
    }

    fn closed(&mut self, at: &mut At<'_, DicomConnection>, _: Close) {
        if let Some(kept) = at.kept {
            for side in &mut kept.sides {
                side.give_up(at.cx, at.store);
            }
            at.cx.budget.give(std::mem::take(&mut kept.counted));
        }
    }
}

impl DicomConnection {
    /// Charges the budget with what is allocated, but for files, which count themselves.
    fn count(&mut self, cx: &mut Context) {
        let texts = self
            .sides
            .iter()
            .map(|side| allocated(side.text.capacity()));
        let each = size_of::<(u8, Vec<u8>)>();
        let syntaxes = self
            .syntaxes
            .values()
            .map(|uid| each + allocated(uid.capacity()));
        let objects = self.sides.iter().filter(|side| side.object.is_some());
        let each = allocated(size_of::<DicomObject>()) - size_of::<Transfer>();
        let now = allocated(size_of::<Self>())
            + texts.sum::<usize>()
            + syntaxes.sum::<usize>()
            + objects.count() * each;
        cx.budget.rebook(&mut self.counted, now);
    }
}

impl DicomSide {
    /// An unknown number of octets is missing, of the command and of the object that are open too.
    fn lost(&mut self) {
        self.place = UnitPlace::Other;
        self.text_is_cut = true;
        if let Some(object) = &mut self.object {
            object.file.lost(object.at);
        }
    }

    fn begin_text(&mut self) {
        self.text = Vec::new();
        self.text_is_cut = false;
    }

    fn keep_text(&mut self, octets: &[u8]) {
        let room = TEXT.saturating_sub(self.text.len());
        self.text_is_cut |= octets.len() > room;
        self.text.extend(octets.get(..room).unwrap_or(octets));
    }

    /// Reads the header of a value.
    fn value(&mut self, [a, b, c, d, context, what]: [u8; VALUE]) -> UnitPlace {
        // Its length counts what stands behind it in the header.
        let Some(len) = u32::from_be_bytes([a, b, c, d]).checked_sub(2) else {
            return UnitPlace::Other;
        };
        let value = DicomValue {
            context,
            command: what & 1 != 0,
            last: what & 2 != 0,
        };
        // Behind a loss it may be the middle of a command. If it is not, its length says so.
        if value.command && self.text_is_cut {
            self.begin_text();
        }
        if len == 0 {
            return UnitPlace::BETWEEN;
        }
        UnitPlace::Value(value, len.into())
    }

    /// The object that this is a piece of.
    fn object_of(&mut self, value: DicomValue) -> Option<&mut DicomObject> {
        let object = self.object.as_deref_mut()?;
        (object.context == value.context).then_some(object)
    }

    /// Writes a piece of a data set.
    fn write(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        value: DicomValue,
        piece: &Piece<'_>,
        octets: &[u8],
    ) {
        if let Some(object) = self.object_of(value) {
            object.file.about.seen(piece.frame, piece.time);
            store.write(cx, &mut object.file, object.at, octets);
            object.at += octets.len() as u64;
        }
    }

    /// A command has come. Where it stores an object, that begins.
    fn begin(
        &mut self,
        cx: &mut Context,
        store: &mut Store,
        value: DicomValue,
        mut about: FileInfo,
        syntax: Option<&Vec<u8>>,
    ) {
        // Nothing is open behind a command.
        self.give_up(cx, store);
        let text = std::mem::take(&mut self.text);
        let is_cut = std::mem::take(&mut self.text_is_cut);
        let command = StoreCommand::read(&text).filter(|_| !is_cut);
        let Some(command) = command else { return };
        "C-STORE".clone_into(&mut about.command);
        "application/dicom".clone_into(&mut about.media_type);
        let name = [kept(command.instance), b".dcm"].concat();
        about.name = Some((name, NameFrom::Command));
        if syntax.is_none() {
            let why =
                "without its header: how it is encoded was agreed on where nothing was captured";
            about.error = Some(why.to_owned());
        }
        let header = syntax.map(|syntax| file_header(&command, syntax));
        let header = header.unwrap_or_default();
        let mut file = store.begin(cx, about);
        store.write(cx, &mut file, 0, &header);
        self.object = Some(Box::new(DicomObject {
            file,
            context: value.context,
            at: header.len() as u64,
        }));
    }

    /// The last piece of a data set has come.
    fn finish(&mut self, cx: &mut Context, store: &mut Store, value: DicomValue) {
        let mine = self
            .object
            .take_if(|object| object.context == value.context);
        if let Some(object) = mine {
            store.finish(cx, object.file, Some(object.at));
        }
    }

    /// The end of the object that is open does not come.
    fn give_up(&mut self, cx: &mut Context, store: &mut Store) {
        if let Some(object) = self.object.take() {
            store.finish(cx, object.file, None);
        }
    }
}

/// A command that stores an object (PS3.7, 9.3.1).
struct StoreCommand<'a> {
    class: &'a [u8],
    instance: &'a [u8],
}

impl<'a> StoreCommand<'a> {
    /// Reads a command: elements of group 0, implicit, little endian, of which the first says how long the others are (PS3.7, E.1). None
    /// where it is another one, or not whole.
    fn read(text: &'a [u8]) -> Option<Self> {
        let (first, elements) = text.split_first_chunk::<12>()?;
        let [0, 0, 0, 0, 4, 0, 0, 0, a, b, c, d] = *first else {
            return None;
        };
        if usize::try_from(u32::from_le_bytes([a, b, c, d])) != Ok(elements.len()) {
            return None;
        }
        let (mut stores, mut class, mut instance) = (false, &b""[..], &b""[..]);
        let mut left = elements;
        while !left.is_empty() {
            let (head, behind) = left.split_first_chunk::<8>()?;
            let [0, 0, low, high, a, b, c, d] = *head else {
                return None;
            };
            let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
            let (value, behind) = behind.split_at_checked(len)?;
            left = behind;
            match u16::from_le_bytes([low, high]) {
                0x0002 => class = uid(value),
                0x0100 => stores = value == [1, 0],
                0x1000 => instance = uid(value),
                _ => {}
            }
        }
        stores.then_some(Self { class, instance })
    }
}

/// A unique identifier without what makes its length even.
fn uid(value: &[u8]) -> &[u8] {
    let value = value.get(..UID).unwrap_or(value);
    value.strip_suffix(b"\0").unwrap_or(value).trim_ascii_end()
}

/// An item: its type, and what is in it (PS3.8, 9.3.3). The items behind it are left.
fn item<'a>(items: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[kind, _, high, low], behind) = items.split_first_chunk::<4>()?;
    let len = u16::from_be_bytes([high, low]);
    let (content, behind) = behind.split_at_checked(len.into())?;
    *items = behind;
    Some((kind, content))
}

/// How data is encoded in each context that was accepted: an A-ASSOCIATE-AC behind its header.
fn syntaxes(agreement: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut items = agreement.get(FIXED..).unwrap_or_default();
    while let Some((kind, content)) = item(&mut items) {
        // A context, its number and that it was accepted, and in it the syntax.
        if let (0x21, Some((&[context, _, 0, _], mut parts))) = (kind, content.split_first_chunk())
            && let Some((0x40, syntax)) = item(&mut parts)
        {
            found.insert(context, uid(syntax).to_vec());
        }
    }
    found
}

/// What a file begins with (PS3.10, 7.1): elements of group 2, explicit, little endian.
fn file_header(command: &StoreCommand<'_>, syntax: &[u8]) -> Vec<u8> {
    // The version, whose length has four octets (PS3.5, 7.1.2).
    let mut elements = b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01".to_vec();
    for (number, uid) in [
        (0x02, command.class),
        (0x03, command.instance),
        (0x10, syntax),
        (0x12, WRITER),
    ] {
        let fill = uid.len() % 2;
        // A UID has 64 octets at most.
        let len = u8::try_from(uid.len() + fill).unwrap_or(0);
        elements.extend([2, 0, number, 0, b'U', b'I', len, 0]);
        elements.extend(uid);
        elements.extend(&[0][..fill]);
    }
    let len = u32::try_from(elements.len()).unwrap_or(0);
    let mut header = vec![0; 128];
    header.extend(b"DICM\x02\0\0\0UL\x04\0");
    header.extend(len.to_le_bytes());
    header.extend(elements);
    header
}
