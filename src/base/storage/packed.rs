//! Values in few octets: what is put away until it is needed again. Not a format for files; a value is read back by the program that
//! wrote it.
//!
//! ```text
//!  | octets of bits, 16 bits | bits: one for each field, more where it is not zero | octets of what is not zero |
//! ```
//!
//! What stands in its default state takes one bit. A point in time takes the octets of its distance to another one, an offset in
//! a stream those of its distance to [`ORIGIN`].

use crate::base::stream::ORIGIN;
use serde::de::{self, DeserializeSeed, Visitor};
use serde::{Deserialize, Serialize, ser};
use std::fmt;

/// Numbers from here on are points in time, mostly.
const LARGE: u64 = 1 << 24;
/// How a number that is not zero is written, in two bits: all its octets, its distance to [`ORIGIN`] or to the last large one, or
/// none as it is the largest that there is.
const PLAIN: u64 = 0;
const OFFSET: u64 = 1;
const NEAR: u64 = 2;
const MOST: u64 = 3;

/// Something does not fit, or what is read is not what was written.
#[derive(Debug)]
pub(crate) struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value cannot be packed, or is another one")
    }
}

impl std::error::Error for Unfit {}

impl ser::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl de::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Which of the last large numbers one is compared with: timestamps lie far above the age of a capture.
const fn slot(n: u64) -> u64 {
    (n >= 1 << 52) as u64
}

const fn zigzag(n: i64) -> u64 {
    (n << 1 ^ n >> 63).cast_unsigned()
}

const fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -(n & 1).cast_signed()
}

/// Octets that a number needs.
const fn width(n: u64) -> u32 {
    (u64::BITS - n.leading_zeros()).div_ceil(8)
}

/// Octets that there is room for, of bits and of others; behind them a number may still be laid down as a whole.
const ROOM: usize = 1024;
/// What is laid down at once of bits, and how many octets more may be read than were written.
const WORD: usize = 4;

/// Writes values; one serves for many.
#[derive(Default)]
pub(crate) struct Packer {
    bits: Laid,
    /// Bits that do not make a word yet, the first in the lowest place.
    rest: u64,
    rests: u32,
    octets: Laid,
    /// The last large numbers, by [`slot`].
    near: [u64; 2],
}

/// Octets that were written, one behind another, as long as there was room.
struct Laid {
    octets: Box<[u8; ROOM + 8]>,
    len: usize,
}

impl Default for Laid {
    fn default() -> Self {
        Self {
            octets: Box::new([0; ROOM + 8]),
            len: 0,
        }
    }
}

impl Laid {
    /// Appends the first octets of eight: all are written, which is cheaper than to ask how many.
    #[inline(always)] // for each field
    fn put(&mut self, octets: [u8; 8], count: usize) {
        if let Some(room) = self.octets.get_mut(self.len..self.len + 8) {
            room.copy_from_slice(&octets);
        }
        // What does not fit shows by the length.
        self.len = (self.len + count).min(ROOM + 1);
    }

    fn extend(&mut self, octets: &[u8]) {
        let end = self.len.saturating_add(octets.len());
        match self.octets.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(octets);
                self.len = end;
            }
            None => self.len = ROOM + 1,
        }
    }

    fn written(&self) -> Option<&[u8]> {
        self.octets.get(..self.len).filter(|all| all.len() <= ROOM)
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// `value` in few octets. `near`: what its points in time are close to; it has to be said again when they are read. None where
    /// there would be more than `most`, or more than a thousand.
    pub(crate) fn pack<T: Serialize>(
        &mut self,
        value: &T,
        near: u64,
        most: usize,
    ) -> Option<(&[u8], &[u8])> {
        (self.bits.len, self.octets.len) = (0, 0);
        (self.rest, self.rests, self.near) = (0, 0, [near; 2]);
        value.serialize(&mut *self).ok()?;
        if self.rests > 0 {
            self.bits.put(self.rest.to_le_bytes(), WORD);
        }
        let (bits, octets) = (self.bits.written()?, self.octets.written()?);
        (bits.len() + octets.len() <= most).then_some((bits, octets))
    }

    /// Up to eight of them.
    #[inline(always)] // for each field
    fn bits(&mut self, bits: u64, count: u32) {
        self.rest |= bits << self.rests;
        self.rests += count;
        if self.rests >= 32 {
            self.bits.put(self.rest.to_le_bytes(), WORD);
            self.rest >>= 32;
            self.rests -= 32;
        }
    }

    #[inline(always)]
    fn octets(&mut self, n: u64, count: u32) {
        self.octets.put(n.to_le_bytes(), count as usize);
    }

    /// A number of as many octets as two to the power of `size`, but for those of eight.
    #[inline(always)]
    fn small(&mut self, n: u64, size: u32) {
        if n == 0 {
            return self.bits(0, 1);
        }
        let width = width(n);
        self.bits(1 | u64::from(width - 1) << 1, 1 + size);
        self.octets(n, width);
    }

    fn large(&mut self, n: u64) {
        if n == 0 {
            return self.bits(0, 1);
        }
        if n == u64::MAX {
            return self.bits(1 | MOST << 1, 3);
        }
        let ahead = zigzag(n.wrapping_sub(ORIGIN).cast_signed());
        if n >= 1 << 16 && ahead < 1 << 32 {
            let width = width(ahead);
            self.bits(1 | OFFSET << 1 | u64::from(width) << 3, 6);
            return self.octets(ahead, width);
        }
        if n >= LARGE {
            let slot = slot(n);
            let last = std::mem::replace(&mut self.near[usize::from(slot == 1)], n);
            let ahead = zigzag(n.wrapping_sub(last).cast_signed());
            if ahead < 1 << 56 {
                let width = width(ahead);
                self.bits(1 | NEAR << 1 | slot << 3 | u64::from(width) << 4, 7);
                return self.octets(ahead, width);
            }
        }
        let width = width(n);
        self.bits(1 | PLAIN << 1 | u64::from(width - 1) << 3, 6);
        self.octets(n, width);
    }

    fn length(&mut self, n: usize) {
        self.large(n as u64);
    }
}

macro_rules! write {
    ($( $method:ident($n:ident: $T:ty) $what:expr; )*) => { $(
        #[inline]
        fn $method(self, $n: $T) -> Result<(), Unfit> {
            let write: fn(&mut Packer, $T) = $what;
            write(self, $n);
            Ok(())
        }
    )* };
}

impl<'a> ser::Serializer for &'a mut Packer {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = &'a mut Packer;
    type SerializeTuple = &'a mut Packer;
    type SerializeTupleStruct = &'a mut Packer;
    type SerializeTupleVariant = &'a mut Packer;
    type SerializeMap = &'a mut Packer;
    type SerializeStruct = &'a mut Packer;
    type SerializeStructVariant = &'a mut Packer;

    write! {
        serialize_bool(n: bool) |p, n| p.bits(n.into(), 1);
        serialize_u8(n: u8) |p, n| p.small(n.into(), 0);
        serialize_u16(n: u16) |p, n| p.small(n.into(), 1);
        serialize_u32(n: u32) |p, n| p.small(n.into(), 2);
        serialize_u64(n: u64) |p, n| p.large(n);
        serialize_i8(n: i8) |p, n| p.large(zigzag(n.into()));
        serialize_i16(n: i16) |p, n| p.large(zigzag(n.into()));
        serialize_i32(n: i32) |p, n| p.large(zigzag(n.into()));
        serialize_i64(n: i64) |p, n| p.large(zigzag(n));
        serialize_f32(n: f32) |p, n| p.small(n.to_bits().into(), 2);
        serialize_f64(n: f64) |p, n| p.large(n.to_bits());
        serialize_char(n: char) |p, n| p.small(u32::from(n).into(), 2);
    }

    fn serialize_u128(self, n: u128) -> Result<(), Unfit> {
        let [low, high] = halves(n);
        self.large(low);
        self.large(high);
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Unfit> {
        self.serialize_bytes(text.as_bytes())
    }

    fn serialize_bytes(self, octets: &[u8]) -> Result<(), Unfit> {
        self.length(octets.len());
        self.octets.extend(octets);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Unfit> {
        self.bits(0, 1);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        self.bits(1, 1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unfit> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unfit> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Unfit> {
        self.small(index.into(), 2);
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        self.small(index.into(), 2);
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self, Unfit> {
        self.length(len.ok_or(Unfit)?);
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, Unfit> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Unfit> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Unfit> {
        self.small(index.into(), 2);
        Ok(self)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self, Unfit> {
        self.serialize_seq(len)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Unfit> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Unfit> {
        self.small(index.into(), 2);
        Ok(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The low 64 bits, and the high ones.
#[allow(clippy::cast_possible_truncation)]
const fn halves(n: u128) -> [u64; 2] {
    [n as u64, (n >> 64) as u64]
}

macro_rules! write_parts {
    ($( $Part:ident { $( $method:ident($( $name:ident: $Name:ty )?) )* } )*) => { $(
        impl ser::$Part for &mut Packer {
            type Ok = ();
            type Error = Unfit;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, $( $name: $Name, )? value: &T) -> Result<(), Unfit> {
                    $( let _ = $name; )?
                    value.serialize(&mut **self)
                }
            )*

            fn end(self) -> Result<(), Unfit> {
                Ok(())
            }
        }
    )* };
}

write_parts! {
    SerializeSeq { serialize_element() }
    SerializeTuple { serialize_element() }
    SerializeTupleStruct { serialize_field() }
    SerializeTupleVariant { serialize_field() }
    SerializeMap { serialize_key() serialize_value() }
    SerializeStruct { serialize_field(name: &'static str) }
    SerializeStructVariant { serialize_field(name: &'static str) }
}

/// Reads a value back: `bits` and `octets` are what [`Packer::pack`] gave.
pub(crate) fn unpack<'a, T: Deserialize<'a>>(
    bits: &'a [u8],
    octets: &'a [u8],
    near: u64,
) -> Option<T> {
    T::deserialize(&mut Unpacker {
        bits,
        rest: 0,
        rests: 0,
        octets,
        near: [near; 2],
    })
    .ok()
}

struct Unpacker<'a> {
    bits: &'a [u8],
    rest: u64,
    rests: u32,
    octets: &'a [u8],
    near: [u64; 2],
}

impl<'a> Unpacker<'a> {
    /// Up to eight of them.
    #[inline(always)] // for each field
    fn bits(&mut self, count: u32) -> Result<u64, Unfit> {
        if self.rests < count {
            let (word, behind) = self.bits.split_first_chunk::<WORD>().ok_or(Unfit)?;
            self.rest |= u64::from(u32::from_le_bytes(*word)) << self.rests;
            self.rests += 32;
            self.bits = behind;
        }
        let bits = self.rest & ((1 << count) - 1);
        self.rest >>= count;
        self.rests -= count;
        Ok(bits)
    }

    fn bytes(&mut self, count: u64) -> Result<&'a [u8], Unfit> {
        let count = usize::try_from(count).map_err(|_| Unfit)?;
        let (taken, behind) = self.octets.split_at_checked(count).ok_or(Unfit)?;
        self.octets = behind;
        Ok(taken)
    }

    #[inline(always)]
    fn octets(&mut self, count: u32) -> Result<u64, Unfit> {
        // Eight are read where there are as many, and the others masked: nearly always.
        if let Some(all) = self.octets.first_chunk::<8>() {
            let n = u64::from_le_bytes(*all);
            self.octets = self.octets.get(count as usize..).ok_or(Unfit)?;
            return Ok(if count < 8 {
                n & ((1 << (count * 8)) - 1)
            } else {
                n
            });
        }
        let mut all = [0; 8];
        let taken = self.bytes(count.into())?;
        all.get_mut(..taken.len())
            .ok_or(Unfit)?
            .copy_from_slice(taken);
        Ok(u64::from_le_bytes(all))
    }

    #[inline(always)]
    fn small(&mut self, size: u32) -> Result<u64, Unfit> {
        if self.bits(1)? == 0 {
            return Ok(0);
        }
        // At most three bits.
        #[allow(clippy::cast_possible_truncation)]
        let width = 1 + self.bits(size)? as u32;
        self.octets(width)
    }

    fn large(&mut self) -> Result<u64, Unfit> {
        if self.bits(1)? == 0 {
            return Ok(0);
        }
        let how = self.bits(2)?;
        if how == MOST {
            return Ok(u64::MAX);
        }
        let slot_bit = if how == NEAR { self.bits(1)? } else { 0 };
        // Three bits.
        #[allow(clippy::cast_possible_truncation)]
        let width = self.bits(3)? as u32;
        Ok(match how {
            OFFSET => ORIGIN.wrapping_add_signed(unzigzag(self.octets(width)?)),
            NEAR => {
                let near = &self.near[usize::from(slot_bit == 1)];
                let n = near.wrapping_add_signed(unzigzag(self.octets(width)?));
                self.near[usize::from(slot_bit == 1)] = n;
                n
            }
            _ => {
                let n = self.octets(width + 1)?;
                if n >= LARGE {
                    self.near[usize::from(slot(n) == 1)] = n;
                }
                n
            }
        })
    }

    fn number<T: TryFrom<u64>>(n: u64) -> Result<T, Unfit> {
        T::try_from(n).map_err(|_| Unfit)
    }

    fn signed<T: TryFrom<i64>>(&mut self) -> Result<T, Unfit> {
        T::try_from(unzigzag(self.large()?)).map_err(|_| Unfit)
    }

    fn text(&mut self) -> Result<&'a str, Unfit> {
        let len = self.large()?;
        std::str::from_utf8(self.bytes(len)?).map_err(|_| Unfit)
    }

    fn each(&mut self) -> Result<Each<'_, 'a>, Unfit> {
        let left = Self::number(self.large()?)?;
        Ok(Each { from: self, left })
    }
}

macro_rules! read {
    ($( $method:ident: $visit:ident($p:ident) $what:expr; )*) => { $(
        #[inline]
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unfit> {
            let $p = self;
            visitor.$visit($what)
        }
    )* };
}

impl<'a> de::Deserializer<'a> for &mut Unpacker<'a> {
    type Error = Unfit;

    read! {
        deserialize_bool: visit_bool(p) p.bits(1)? == 1;
        deserialize_u8: visit_u8(p) Unpacker::number(p.small(0)?)?;
        deserialize_u16: visit_u16(p) Unpacker::number(p.small(1)?)?;
        deserialize_u32: visit_u32(p) Unpacker::number(p.small(2)?)?;
        deserialize_u64: visit_u64(p) p.large()?;
        deserialize_u128: visit_u128(p) u128::from(p.large()?) | u128::from(p.large()?) << 64;
        deserialize_i8: visit_i8(p) p.signed()?;
        deserialize_i16: visit_i16(p) p.signed()?;
        deserialize_i32: visit_i32(p) p.signed()?;
        deserialize_i64: visit_i64(p) p.signed()?;
        deserialize_f32: visit_f32(p) f32::from_bits(Unpacker::number(p.small(2)?)?);
        deserialize_f64: visit_f64(p) f64::from_bits(p.large()?);
        deserialize_char: visit_char(p) char::from_u32(Unpacker::number(p.small(2)?)?).ok_or(Unfit)?;
        deserialize_str: visit_borrowed_str(p) p.text()?;
        deserialize_string: visit_borrowed_str(p) p.text()?;
        deserialize_seq: visit_seq(p) p.each()?;
        deserialize_map: visit_map(p) p.each()?;
    }

    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let len = self.large()?;
        visitor.visit_borrowed_bytes(self.bytes(len)?)
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.bits(1)? {
            0 => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'a>>(self, left: usize, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Each { from: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Each { from: self, left })
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let left = fields.len();
        visitor.visit_seq(Each { from: self, left })
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_enum(self)
    }

    fn deserialize_any<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// So many values, one behind another.
struct Each<'r, 'a> {
    from: &'r mut Unpacker<'a>,
    left: usize,
}

impl<'a> de::SeqAccess<'a> for Each<'_, 'a> {
    type Error = Unfit;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unfit> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        seed.deserialize(&mut *self.from).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'a> de::MapAccess<'a> for Each<'_, 'a> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<T::Value, Unfit> {
        seed.deserialize(&mut *self.from)
    }
}

impl<'a> de::EnumAccess<'a> for &mut Unpacker<'a> {
    type Error = Unfit;
    type Variant = Self;

    #[inline]
    fn variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<(T::Value, Self), Unfit> {
        let index: u32 = Unpacker::number(self.small(2)?)?;
        let index = de::IntoDeserializer::<Unfit>::into_deserializer(index);
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'a> de::VariantAccess<'a> for &mut Unpacker<'a> {
    type Error = Unfit;

    fn unit_variant(self) -> Result<(), Unfit> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Unfit> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'a>>(self, left: usize, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Each { from: self, left })
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        de::Deserializer::deserialize_tuple(self, fields.len(), visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Form {
        Unit,
        Newtype(u64),
        Tuple(u8, i64),
        Struct { left: u64, last: bool },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        small: (bool, u8, u16, u32),
        large: [u64; 4],
        signed: (i8, i16, i32, i64),
        wide: u128,
        letter: char,
        fraction: (f32, f64),
        text: String,
        maybe: Option<Option<u32>>,
        list: Vec<(u64, u16)>,
        map: BTreeMap<u16, String>,
        forms: [Form; 4],
        address: IpAddr,
        nothing: (),
    }

    fn back(value: &All, near: u64) -> All {
        let mut packer = Packer::default();
        let (bits, octets) = packer.pack(value, near, usize::MAX).unwrap();
        unpack(bits, octets, near).unwrap()
    }

    fn number() -> impl Strategy<Value = u64> {
        let ends = [
            0,
            1,
            u64::MAX,
            u64::MAX - 1,
            ORIGIN,
            LARGE,
            LARGE - 1,
            1 << 63,
        ];
        prop_oneof![
            prop::sample::select(ends.to_vec()),
            any::<u64>(),
            (0_u32..64).prop_map(|n| 1 << n),
            (0_u64..1 << 33).prop_map(|n| ORIGIN - (1 << 32) + n),
            (0_u64..1 << 20).prop_map(|n| (17 << 56) + n),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            (small, signed, wide) in any::<((bool, u8, u16, u32), (i8, i16, i32, i64), u128)>(),
            large in prop::array::uniform4(number()),
            (letter, text, maybe) in any::<(char, String, Option<Option<u32>>)>(),
            list in prop::collection::vec((number(), any::<u16>()), 0..9),
            map in prop::collection::btree_map(any::<u16>(), any::<String>(), 0..4),
            (address, near) in (any::<IpAddr>(), number()),
        ) {
            let value = All {
                small, signed, wide, letter, text, maybe, list, map, address,
                large,
                fraction: (f32::from(signed.1), f64::from(signed.2)),
                forms: [
                    Form::Unit,
                    Form::Newtype(large[0]),
                    Form::Tuple(small.1, signed.3),
                    Form::Struct { left: large[1], last: small.0 },
                ],
                nothing: (),
            };
            prop_assert_eq!(&back(&value, near), &value);
        }

        /// What is no packed value is refused, or is another value: it does no harm.
        #[test]
        fn any_octets_may_be_read(
            bits in prop::collection::vec(any::<u8>(), 0..40),
            octets in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _: Option<All> = unpack(&bits, &octets, 0);
        }
    }

    #[test]
    fn what_is_nothing_takes_a_bit() {
        let mut packer = Packer::default();
        let nothing = ([0_u64; 8], [0_u32; 8], [false; 8], [None::<u64>; 8]);
        let (bits, octets) = packer.pack(&nothing, 0, usize::MAX).unwrap();
        assert_eq!((bits.len(), octets.len()), (4, 0));
        let near = (1_u64 << 60, ORIGIN + 5, u64::MAX);
        let (bits, octets) = packer.pack(&near, (1 << 60) + 1, usize::MAX).unwrap();
        assert_eq!((bits.len(), octets.len()), (4, 2));
        assert!(packer.pack(&[[1_u8; 20]; 5], 0, 99).is_none());
    }
}
