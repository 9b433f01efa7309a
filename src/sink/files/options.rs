//! What is asked of the files that are extracted.

use super::content::types::{self, Found};
use super::sums::SumKind;
use super::transfer::FileInfo;
use crate::message::known_name;

/// How files are extracted, and which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileOptions {
    /// `--max-file`: octets of one file.
    pub max_file: u64,
    /// `--extract-types`, `--extract-min` and the like.
    pub choice: FileChoice,
    /// `--hash`: sums beside SHA-256.
    pub sums: Vec<SumKind>,
    /// `--on-file`: the words of a command that runs for each file, `{}` standing for its path.
    pub on_file: Vec<String>,
    /// `--certificates`: those that TLS shows are files too.
    pub certificates: bool,
    /// `--index`: a page shows the folder.
    pub index: bool,
}

impl FileOptions {
    /// All files up to so many octets, and nothing else.
    pub const fn new(max_file: u64) -> Self {
        Self {
            max_file,
            choice: FileChoice {
                types: Vec::new(),
                protocols: Vec::new(),
                min: 0,
                max: None,
            },
            sums: Vec::new(),
            on_file: Vec::new(),
            certificates: false,
            index: false,
        }
    }
}

/// Which files are written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileChoice {
    /// Media types, of which one has to fit: `application/pdf`, `image/*`; all where there are none.
    pub types: Vec<String>,
    /// Protocols by Wireshark's names, of which one has to have carried it; all where there are none.
    pub protocols: Vec<&'static str>,
    /// Octets that have to be there at least.
    pub min: u64,
    /// Octets that may be there at most.
    pub max: Option<u64>,
}

impl FileChoice {
    /// A file of so many octets is wanted. Its type is that of its content; where that tells nothing, or only that it is text, as it was
    /// declared.
    pub(super) fn takes(&self, about: &FileInfo, found: Found, size: u64) -> bool {
        let carried = || {
            let protocol = about.protocol.text();
            let protocol = known_name(protocol).unwrap_or(protocol);
            self.protocols.contains(&protocol)
        };
        let sized = size >= self.min && self.max.is_none_or(|max| size <= max);
        sized
            && (self.protocols.is_empty() || carried())
            && (self.types.is_empty() || self.takes_type(about, found))
    }

    fn takes_type(&self, about: &FileInfo, found: Found) -> bool {
        let declared = types::essence(&about.media_type);
        let fits = |is: &str| self.types.iter().any(|wanted| fits(wanted, is));
        match found.media_type {
            Some("text/plain") | None => fits(declared) || found.media_type.is_some_and(fits),
            Some(found) => fits(found),
        }
    }
}

/// A media type is of a kind that is asked for.
fn fits(wanted: &str, is: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(kind) => is
            .get(..kind.len())
            .is_some_and(|top| top.eq_ignore_ascii_case(kind)),
        None => wanted.eq_ignore_ascii_case(is),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_fit() {
        for (wanted, is, expected) in [
            ("image/*", "image/png", true),
            ("IMAGE/*", "image/png", true),
            ("image/*", "images/png", false),
            ("image/*", "image", false),
            ("application/pdf", "Application/PDF", true),
            ("application/pdf", "application/pdfx", false),
            ("*", "text/html", true),
            ("image/*", "", false),
        ] {
            assert_eq!(fits(wanted, is), expected, "{wanted} {is}");
        }
    }
}
