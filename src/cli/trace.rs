//! `--trace` for people: endpoints once for each connection, arrows, times since the first line, colours for trouble.

use super::lines;
use crate::base::chunk_trace::{ChunkEvent, DataFate};
use crate::base::flow::Transport;
use crate::base::time::{Timestamp, seconds_from};
use crate::base::trace::{Event, EventKind, Fate};
use crate::sink::print::ascii;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Connections whose endpoints are known to have been shown. Beyond them all are shown anew: nobody scrolls back so far.
const SHOWN: usize = 10_000;

/// Turns events into lines.
#[derive(Default)]
pub(super) struct TraceView {
    color: bool,
    /// With colours that can be read on a light background.
    light: bool,
    /// With characters of ASCII alone.
    ascii: bool,
    /// Columns that its lines fit.
    width: Option<usize>,
    first: Option<Timestamp>,
    /// The side that was seen first of each connection.
    clients: HashMap<(Transport, u64), SocketAddr>,
}

impl TraceView {
    pub(super) fn new(color: bool, ascii: bool, width: Option<usize>) -> Self {
        Self {
            color,
            ascii,
            width,
            ..Self::default()
        }
    }

    /// The same for a light background, or a dark one.
    pub(super) const fn with_light(mut self, light: bool) -> Self {
        self.light = light;
        self
    }

    /// The lines of an event: its own, and before it the endpoints of a connection that comes up.
    pub(super) fn lines(&mut self, event: &Event) -> String {
        let (bold, dim, off) = if self.color {
            ("\x1b[1m", "\x1b[2m", "\x1b[0m")
        } else {
            ("", "", "")
        };
        let (to, from) = if self.ascii {
            ('>', '<')
        } else {
            ('\u{2192}', '\u{2190}')
        };
        let mut out = String::new();
        let mut what = event.what.to_string();
        let name = event.transport.name();
        let first = *self.first.get_or_insert(event.time);
        let since = seconds_from(first, event.time);
        let at = |out: &mut String| {
            let _ = write!(out, "{dim}{:>6} {since:>11}{off} {name} ", event.frame);
        };
        match event.number {
            Some(number) => {
                if self.clients.len() >= SHOWN {
                    self.clients.clear();
                }
                let (src, dst) = (event.src, event.dst);
                let client = *self
                    .clients
                    .entry((event.transport, number))
                    .or_insert_with(|| {
                        let ends = format!("{name} {number}: {src} {to} {dst}");
                        let ends = lines::wrapped(&ends, 4, self.width);
                        let _ = writeln!(out, "{bold}{ends}{off}");
                        src
                    });
                at(&mut out);
                let arrow = if src == client { to } else { from };
                let _ = write!(out, "{number} {arrow}");
            }
            None => {
                at(&mut out);
                out.push('-');
                what.insert_str(0, &format!(" {} {to} {}", event.src, event.dst));
            }
        }
        // What does not fit stands below it.
        let indent = shown(out.lines().next_back().unwrap_or_default());
        let what = match self.ascii {
            true => ascii(&what),
            false => what.into(),
        };
        let what = lines::beside(&what, indent, "", self.width);
        let _ = write!(out, "{}{what}{off}", self.tone(&event.what));
        out
    }

    /// What is lost is red, what waits for something yellow, and messages are cyan; on a light background magenta and blue.
    fn tone(&self, what: &EventKind) -> &'static str {
        if !self.color {
            return "";
        }
        let (waits, message) = match self.light {
            true => ("\x1b[35m", "\x1b[34m"),
            false => ("\x1b[33m", "\x1b[36m"),
        };
        match what {
            EventKind::Gap { .. } | EventKind::ChunkGap { .. } | EventKind::Dropped(_) => {
                "\x1b[31m"
            }
            EventKind::Chunk(ChunkEvent::Unreadable) => "\x1b[31m",
            EventKind::Chunk(ChunkEvent::Data { fate, .. }) => match fate {
                DataFate::Late | DataFate::BeforeStart | DataFate::Empty => "\x1b[31m",
                DataFate::Behind { .. } | DataFate::Damaged | DataFate::HeldJump => waits,
                _ => "",
            },
            EventKind::Segment { fate, .. } => match fate {
                Fate::Late | Fate::BeforeStart | Fate::BadChecksum | Fate::Stray => "\x1b[31m",
                Fate::Waits { .. } | Fate::Damaged(_) | Fate::HeldJump => waits,
                _ => "",
            },
            EventKind::MessageBegins { .. }
            | EventKind::MessageEnds { .. }
            | EventKind::UserMessage { .. }
            | EventKind::Message { .. } => message,
            _ => "",
        }
    }
}

/// Columns that a text takes. Escape sequences take none.
fn shown(text: &str) -> usize {
    let mut escape = false;
    let visible = text.chars().filter(|c| {
        escape |= *c == '\x1b';
        let counts = !escape;
        escape &= *c != 'm';
        counts
    });
    visible.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::stream::GapCause;

    #[test]
    fn endpoints_stand_once_and_trouble_has_a_colour() {
        let event = |number, back: bool, micros: u64, what| {
            let ends: [SocketAddr; 2] = [([10, 0, 0, 1], 40000).into(), ([10, 0, 0, 2], 80).into()];
            Event {
                frame: 7,
                time: Timestamp::from_nanos(5_000_000_000 + micros * 1000),
                transport: Transport::Tcp,
                number,
                src: ends[usize::from(back)],
                dst: ends[1 - usize::from(back)],
                what,
            }
        };
        let gap = EventKind::Gap {
            offset: 3,
            len: Some(4),
            cause: GapCause::Acked,
        };
        let mut view = TraceView::new(false, false, None);
        let mut text = String::new();
        for (number, back, micros) in [(Some(0), false, 0), (Some(0), true, 93), (None, false, 94)]
        {
            text += &view.lines(&event(number, back, micros, EventKind::Starts));
            text.push('\n');
        }
        assert_eq!(
            text,
            "\
tcp 0: 10.0.0.1:40000 \u{2192} 10.0.0.2:80
     7    0.000000 tcp 0 \u{2192}: was looked behind, delivery begins
     7    0.000093 tcp 0 \u{2190}: was looked behind, delivery begins
     7    0.000094 tcp - 10.0.0.1:40000 \u{2192} 10.0.0.2:80: was looked behind, delivery begins
"
        );
        assert!(!view.lines(&event(Some(0), false, 95, gap)).contains('\x1b'));
        let mut view = TraceView::new(true, false, None);
        let red = view.lines(&event(Some(0), false, 0, gap));
        assert!(
            red.contains("\u{2192}\x1b[31m 3:7: gap of 4 bytes"),
            "{red}"
        );
        // A terminal of 60 columns.
        for color in [false, true] {
            let mut view = TraceView::new(color, false, Some(60));
            let narrow = view.lines(&event(Some(0), false, 0, gap));
            let lines: Vec<_> = narrow.lines().skip(1).collect();
            assert!(lines.len() > 1, "{narrow}");
            assert!(lines.iter().all(|line| shown(line) <= 60), "{narrow}");
            assert!(lines[1].starts_with(&" ".repeat(26)), "{narrow}");
            // One of 40 has no room beside the numbers.
            let mut view = TraceView::new(color, true, Some(40));
            for number in [Some(0), None] {
                let narrow = view.lines(&event(number, false, 0, gap));
                assert!(narrow.lines().all(|line| shown(line) <= 40), "{narrow}");
                assert!(
                    narrow.contains(if number.is_some() {
                        "tcp 0 >"
                    } else {
                        "0.2:80 3:7:"
                    }),
                    "{narrow}"
                );
            }
        }
    }
}
