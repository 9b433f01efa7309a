//! What lines look like: colours where they are wanted, and what of a message deserves one.

use super::clock::TimeForm;
use crate::message::{FieldValue, MessageFields};
use serde::{Deserialize, Serialize};

/// Colours of 16, none of which is lost on a light or a dark background.
pub(in crate::sink) struct Paint {
    pub(in crate::sink) dim: &'static str,
    pub(in crate::sink) bold: &'static str,
    pub(in crate::sink) client: &'static str,
    pub(in crate::sink) server: &'static str,
    pub(in crate::sink) protocol: &'static str,
    pub(in crate::sink) warn: &'static str,
    pub(in crate::sink) bad: &'static str,
    pub(in crate::sink) off: &'static str,
}

impl Paint {
    pub(in crate::sink) const fn new(color: bool) -> Self {
        if color {
            Self {
                dim: "\x1b[2m",
                bold: "\x1b[1m",
                client: "\x1b[32m",
                server: "\x1b[35m",
                protocol: "\x1b[36m",
                warn: "\x1b[33m",
                bad: "\x1b[31m",
                off: "\x1b[0m",
            }
        } else {
            Self {
                dim: "",
                bold: "",
                client: "",
                server: "",
                protocol: "",
                warn: "",
                bad: "",
                off: "",
            }
        }
    }
}

/// What lines look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// With colours.
    pub color: bool,
    /// Columns of the terminal; None: there is none, or lines are to be as long as they are.
    pub width: Option<usize>,
    /// How times are shown.
    pub time: TimeForm,
}

/// What a message says of how things went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(in crate::sink) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// Something that was asked for was refused, or is not there.
    Warn,
    /// Something has failed.
    Bad,
}

impl Tone {
    /// By the status codes of HTTP and its relatives (RFC 9110, 15; RFC 3261, 21), and the response codes of DNS; by how errors of
    /// Redis, and replies of SMTP, FTP and POP3 begin.
    pub(super) fn of(protocol: &str, summary: &str, fields: &MessageFields) -> Self {
        let first = summary.as_bytes().first();
        match (protocol, first) {
            ("resp", Some(b'-')) | ("pop", Some(b'-')) => return Self::Bad,
            ("smtp" | "ftp", Some(b'4')) => return Self::Warn,
            ("smtp" | "ftp", Some(b'5')) => return Self::Bad,
            _ => {}
        }
        match (fields.get("status"), fields.get("rcode")) {
            (Some(FieldValue::Number(500..)), _) => Self::Bad,
            (Some(FieldValue::Number(400..)), _) => Self::Warn,
            (_, Some(FieldValue::Text("NXDOMAIN"))) => Self::Warn,
            (_, Some(FieldValue::Text(code))) if code != "NOERROR" => Self::Bad,
            _ => Self::Plain,
        }
    }
}
