//! What is inside of a file: codings, parts, header sections, media types.

pub(super) mod decode;
pub(super) mod disposition;
pub(super) mod fields;
pub(super) mod multipart;
pub(super) mod octets;
pub(super) mod types;
mod unpack;
mod uuencode;
pub(super) mod words;
