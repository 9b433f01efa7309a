//! What a message is, whatever its protocol.

use crate::base::state::{Deserialize, Serialize};

/// What a message is to its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Kind {
    /// Asks for an answer.
    Request,
    /// Answers a request.
    Response,
    /// Neither, or not known.
    #[default]
    Other,
}

/// How far a message reaches, as its own header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extent {
    /// This many octets from its start.
    Known(u64),
    /// The protocol says so as it goes (chunked bodies).
    Open,
    /// Up to the end of the stream.
    ToClose,
}
