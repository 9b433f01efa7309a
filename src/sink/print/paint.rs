//! Colours, where they are wanted.

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
