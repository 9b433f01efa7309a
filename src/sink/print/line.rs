//! The line of a message: columns that line up, and fit a terminal.

use super::clock::{Clock, span};
use super::look::{Look, Paint, Tone, cut};
use crate::base::flow::Flow;
use crate::base::message::Kind;
use crate::base::state::{Deserialize, Serialize};
use crate::base::time::Timestamp;
use crate::message::dotted;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A terminal with fewer columns shows neither connection nor octets, and times with milliseconds: something must be left for
/// what a message says.
const NARROW: usize = 100;
/// One with fewer columns than this gives endpoints no more than they need.
const WIDE: usize = 120;
/// One with fewer than these shows no time either.
const TINY: usize = 66;
/// The longest IPv4 address with a port.
const IPV4: usize = "255.255.255.255:65535".len();
/// An IPv6 address with a port of which the middle is left out, where there is little room: what [`NARROW_ENDS`] give a client.
const IPV6: usize = NARROW_ENDS[0];
/// Columns of a summary, at least, where an answer time stands behind it; the last one is an ellipsis.
const SUMMARY: usize = "HTTP/1.1 200 ".len();
/// Columns of client and server at first, so that arrows and protocols stand below each other: where there is room for it, any IPv4
/// address with its port fits, and what servers mostly have; on a narrow terminal short ones.
const ENDS: [usize; 2] = [IPV4, "192.168.100.1:443".len()];
/// The same where no line is cut, or where there is room for much more: nothing moves, whatever the addresses are.
const ROOMY: usize = 140;
const ROOMY_ENDS: [usize; 2] = [IPV4, IPV4];
const NARROW_ENDS: [usize; 2] = ["192.168.1.1:50000".len(), "192.168.1.1:80".len()];
/// Of a summary that has less room than [`SUMMARY`] so much is shown before an address is cut.
const SHORTEST: usize = "HTTP/1".len();
/// Columns of an endpoint, at least: its port and something of its address.
const SHORT_END: usize = "1\u{2026}.1:50000".len() - 2;
/// Columns of the arrow, and of the blanks around it and behind the server.
const BETWEEN: usize = 4;
/// The first word of an answer whose arrow says as much.
const ANSWER: &str = "answer";
/// Of a summary that is cut in its middle, its end has at most so many of ten columns.
const END: usize = 5;

/// What a line shows.
pub(super) struct Shown<'a> {
    pub(super) time: Timestamp,
    pub(super) flow: &'a Flow,
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// The client sent it.
    pub(super) from_client: bool,
    pub(super) protocol: &'a str,
    pub(super) kind: Kind,
    /// The end of the summary says as much as its beginning: the host that is asked, or a result.
    pub(super) end_counts: bool,
    /// Words of the summary ahead of what a request asks for.
    pub(super) words_ahead: usize,
    pub(super) octets: u64,
    pub(super) summary: &'a str,
    pub(super) tone: Tone,
    /// From the request to this answer.
    pub(super) delay: Option<Duration>,
    /// It is not whole, and lacks so many octets; 0 where nobody knows how many.
    pub(super) lost: Option<u64>,
}

/// Widths of columns: they grow with what they have held, and never shrink.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Columns {
    connection: usize,
    /// Of client and server.
    ends: [usize; 2],
    protocol: usize,
    octets: usize,
    #[serde(skip)]
    words: Words,
}

/// Words of a line whose width has to be known before they are written; their memory is used again.
#[derive(Debug, Default)]
struct Words {
    client: String,
    server: String,
    incomplete: String,
    delay: String,
}

impl Words {
    fn clear(&mut self) {
        let all = [&mut self.client, &mut self.server];
        all.into_iter()
            .chain([&mut self.incomplete, &mut self.delay])
            .for_each(String::clear);
    }
}

impl Columns {
    /// Those that lines of this look begin with.
    pub(super) fn new(look: &Look) -> Self {
        Self {
            connection: match look.width {
                Some(width) if width < ROOMY => "tcp 0".len(),
                _ => "tcp 999".len(),
            },
            ends: match look.width {
                Some(width) if width < TINY => [0; 2],
                Some(width) if width < NARROW => NARROW_ENDS,
                Some(width) if width < WIDE => [IPV4, NARROW_ENDS[1]],
                Some(width) if width < ROOMY => ENDS,
                _ => ROOMY_ENDS,
            },
            protocol: "http".len(),
            octets: "1000".len(),
            words: Words::default(),
        }
    }
}

/// Columns that a text takes.
fn width(text: &str) -> usize {
    // Nearly all of it is ASCII, of which every character has one.
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        text.len()
    } else {
        text.width()
    }
}

/// Appends so many blanks.
fn blanks(mut many: usize, out: &mut String) {
    const BLANKS: &str = "                                ";
    while many > 0 {
        let some = many.min(BLANKS.len());
        out.push_str(&BLANKS[..some]);
        many -= some;
    }
}

/// Pads what was appended behind `begin`, of so many columns, to a width, which grows where it is wider.
fn padded(columns: usize, width: &mut usize, out: &mut String) {
    *width = (*width).max(columns);
    blanks(*width - columns, out);
}

/// Appends a number.
fn number(value: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// Appends an endpoint.
fn endpoint(end: SocketAddr, out: &mut String) {
    match end {
        SocketAddr::V4(end) => {
            dotted(end.ip().octets(), out);
            out.push(':');
            number(end.port().into(), out);
        }
        SocketAddr::V6(end) => {
            let _ = write!(out, "{end}");
        }
    }
}

/// Leaves something in the middle of an endpoint out where it is longer than so many columns. Its end has the port.
fn squeeze(text: &mut String, columns: usize) {
    if text.len() <= columns {
        return;
    }
    let end = 12.min(columns * 2 / 3);
    let begin = columns.saturating_sub(end + 1);
    let rest = text.len() - end;
    if text.is_char_boundary(begin) && text.is_char_boundary(rest) {
        text.replace_range(begin..rest, "\u{2026}");
    }
}

/// The beginning and the end of a text that together fit into so many columns, with an ellipsis between them where the middle is
/// left out: of a message the end is its result, and the middle a name. The end begins with a word where that is possible.
pub(super) fn cut_middle(text: &str, columns: usize) -> (&str, &'static str, &str) {
    // No character has more columns than octets.
    if text.len() <= columns || text.width() <= columns {
        return (text, "", "");
    }
    let most = columns.saturating_sub(1) * END / 10;
    let (mut used, mut from, mut word) = (0, text.len(), None);
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > most {
            // A word that just fits needs no blank behind the ellipsis.
            if c == ' ' {
                word.get_or_insert(at + 1);
            }
            break;
        }
        from = at;
        if c == ' ' {
            word = Some(at);
        }
    }
    // A third of the room for the end of a long word.
    let from = word.unwrap_or_else(|| {
        let mut used = 0;
        let mut all = text.char_indices().rev();
        let fits = |(_, c): &(usize, char)| {
            used += c.width().unwrap_or(0);
            used <= columns / 3
        };
        all.by_ref()
            .take_while(fits)
            .last()
            .map_or(from, |(at, _)| at)
    });
    let end = text.get(from..).unwrap_or_default();
    let (begin, ellipsis) = cut(
        text.get(..from).unwrap_or_default(),
        columns.saturating_sub(width(end)),
    );
    // The beginning fits where it ends with what is left out: then the ellipsis stands for the rest of it.
    match ellipsis {
        "" => cut_end(text, columns),
        _ => (begin.trim_end(), ellipsis, end),
    }
}

/// The same, where the end is left out.
fn cut_end(text: &str, columns: usize) -> (&str, &'static str, &str) {
    let (begin, ellipsis) = cut(text, columns);
    (begin, ellipsis, "")
}

/// What each of two endpoints of such widths gets of so many columns: both get the same, but what one of them does not need the other has.
fn share(ends: [usize; 2], room: usize) -> usize {
    (room / 2).max(room.saturating_sub(ends[0].min(ends[1])))
}

/// Leaves something in the middle of endpoints out where both together are longer than so many columns.
pub(in crate::sink) fn squeeze_both(ends: &mut [String; 2], columns: usize) {
    let widths = [ends[0].len(), ends[1].len()];
    if widths[0] + widths[1] > columns {
        let half = share(widths, columns);
        ends.iter_mut().for_each(|end| squeeze(end, half));
    }
}

/// What of a summary tells less than the rest is left out where there is no room for all: the number that an answer repeats, which
/// follows the first word, and then that it is an answer, which the arrow says.
fn shortened(text: &str, columns: usize, narrow: bool) -> Cow<'_, str> {
    // No character has more columns than octets. Where there is little room all lines have the same form.
    if !narrow && (text.len() <= columns || text.width() <= columns) {
        return text.into();
    }
    let mut words = text.splitn(3, ' ');
    let (Some(first), Some(second), Some(rest)) = (words.next(), words.next(), words.next()) else {
        return text.into();
    };
    let digits = second.strip_prefix("0x").unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        text.into()
    } else if first == ANSWER && (narrow || first.len() + 1 + rest.width() > columns) {
        rest.into()
    } else {
        format!("{first} {rest}").into()
    }
}

/// What a request asks for in its summary, of which this is the beginning: a word, behind so many others.
fn asked_for(text: &str, words_ahead: usize) -> std::ops::Range<usize> {
    let mut begin = 0;
    for _ in 0..words_ahead {
        match text.get(begin..).and_then(|rest| rest.find(' ')) {
            Some(space) => begin += space + 1,
            None => begin = 0,
        }
    }
    let rest = text.get(begin..).unwrap_or_default();
    let word = rest.split(' ').next().unwrap_or_default();
    // What follows a comma is another word.
    begin..begin + word.trim_end_matches([',', ':']).len()
}

/// What a line gives up where its summary would have no room in a terminal: each of these gives up more than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Fit {
    /// Nothing.
    All,
    /// How many octets are missing.
    ShortMark,
    /// Saying in words that something is missing.
    Sign,
    /// Standing in columns.
    Ragged,
    /// The connection and the octets.
    NoNumbers,
}

impl Fit {
    const EACH: [Self; 5] = [
        Self::All,
        Self::ShortMark,
        Self::Sign,
        Self::Ragged,
        Self::NoNumbers,
    ];
}

/// How a line says that something is missing.
enum Mark {
    None,
    /// So many octets are.
    Long(u64),
    Short,
    Sign,
}

impl Mark {
    fn of(lost: Option<u64>, fit: Fit, narrow: bool, tiny: bool) -> Self {
        match lost {
            None => Self::None,
            Some(_) if tiny || fit >= Fit::Sign => Self::Sign,
            Some(n) if n > 0 && !narrow && fit < Fit::ShortMark => Self::Long(n),
            Some(_) => Self::Short,
        }
    }

    const fn columns(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Long(n) => " [incomplete:  bytes lost]".len() + digits(*n),
            Self::Short => " [incomplete]".len(),
            Self::Sign => " !".len(),
        }
    }
}

/// Columns that the parts of a line need ahead of its summary.
struct Needed {
    /// With the blank behind it.
    time: usize,
    connection: usize,
    ends: [usize; 2],
    protocol: usize,
    octets: usize,
    lost: Option<u64>,
}

impl Needed {
    /// All columns of a line but those of its summary and the answer time.
    fn columns(&self, fit: Fit, tiny: bool, narrow: bool, columns: &Columns) -> usize {
        let at_least = |needed: usize, column: usize| match fit {
            Fit::All | Fit::ShortMark | Fit::Sign => needed.max(column),
            Fit::Ragged | Fit::NoNumbers => needed,
        };
        let numbers = if narrow || fit >= Fit::NoNumbers {
            0
        } else {
            at_least(self.connection, columns.connection)
                + at_least(self.octets, columns.octets)
                + 2
        };
        let protocol = if tiny {
            self.protocol
        } else {
            at_least(self.protocol, columns.protocol)
        };
        self.time
            + numbers
            + at_least(self.ends[0], columns.ends[0])
            + at_least(self.ends[1], columns.ends[1])
            + BETWEEN
            + protocol
            + 1
            + Mark::of(self.lost, fit, narrow, tiny).columns()
    }
}

/// Digits of a number.
const fn digits(n: u64) -> usize {
    match n.checked_ilog10() {
        Some(more) => more as usize + 1,
        None => 1,
    }
}

/// Cuts what stands in a line behind `begin` to so many columns. Colours have none.
fn clip(begin: usize, columns: usize, p: &Paint, out: &mut String) {
    let (mut used, mut escape, mut end) = (0, false, None);
    for (at, c) in out.get(begin..).unwrap_or_default().char_indices() {
        escape |= c == '\x1b';
        if !escape {
            used += c.width().unwrap_or(0);
        }
        escape &= c != 'm';
        if used > columns {
            end = Some(begin + at);
            break;
        }
    }
    if let Some(end) = end {
        out.truncate(end);
        out.push_str(p.off);
    }
}

/// Appends the line of a message, with its line feed. Something of its summary was left out if that is what it gives back.
pub(super) fn line(
    shown: &Shown<'_>,
    look: &Look,
    columns: &mut Columns,
    clock: &mut Clock,
    out: &mut String,
) -> bool {
    let p = Paint::new(look);
    let narrow = look.width.is_some_and(|width| width < NARROW);
    let tiny = look.width.is_some_and(|width| width < TINY);
    if look.width.is_some()
        && let Some(date) = clock.new_date(shown.time)
    {
        let _ = writeln!(out, "{}{date}{}", p.dim, p.off);
    }
    let words = &mut columns.words;
    words.clear();
    let line_begin = out.len();
    // The words without colours, whose columns are counted.
    let mut used = 0;
    if !tiny {
        out.push_str(p.dim);
        let begin = out.len();
        clock.show(shown.time, look.width.is_some(), narrow, out);
        used += out.len() - begin + 1;
        out.push_str(p.off);
        out.push(' ');
    }
    let (arrow, way) = if shown.from_client {
        (p.arrow, p.client)
    } else {
        (p.back, p.server)
    };
    if let Some(time) = shown.delay {
        words.delay.push_str(" (");
        span(time, &mut words.delay);
        words.delay.push(')');
    }
    endpoint(shown.client, &mut words.client);
    endpoint(shown.server, &mut words.server);
    if let Some(width) = look.width {
        // An IPv4 address with its port is shown in full where there is room for anything. An IPv6 address would leave none to what
        // a message says, nor to the time of an answer: of it the ends are shown.
        let most = match (tiny, shown.client) {
            (true, _) => width / 4,
            (false, SocketAddr::V4(_)) => (width / 5).max(IPV4),
            (false, SocketAddr::V6(_)) => (width / 5).max(IPV6),
        };
        squeeze(&mut words.client, most);
        squeeze(&mut words.server, most);
    }
    let name = cut(shown.protocol, if tiny { 6 } else { usize::MAX }).0;
    let mut octet_digits = itoa::Buffer::new();
    let octet_digits = octet_digits.format(shown.octets);
    let needed = Needed {
        time: used,
        connection: shown.flow.transport.name().len() + 1 + digits(shown.flow.number),
        ends: [width(&words.client), width(&words.server)],
        protocol: width(name),
        octets: octet_digits.len(),
        lost: shown.lost,
    };
    let mut fit = Fit::All;
    if let Some(width) = look.width {
        let wanted = SUMMARY.min(shown.summary.len());
        let has_room = |fit: &Fit| {
            // How much is missing says less than how long an answer took; all else says more.
            let delay = match fit {
                Fit::All => columns.words.delay.len(),
                _ => 0,
            };
            // Neighbours stand in columns where this one would: the sign takes its room from the summary.
            let sign = match fit {
                Fit::Sign if needed.lost.is_some() => wanted.min(Mark::Sign.columns()),
                _ => 0,
            };
            needed.columns(*fit, tiny, narrow, columns) + wanted + delay - sign <= width
        };
        let found = Fit::EACH.into_iter().find(has_room);
        fit = found.unwrap_or(Fit::NoNumbers);
        let least = needed.columns(fit, tiny, narrow, columns) + SHORTEST.min(wanted);
        if least > width {
            let room = (needed.ends[0] + needed.ends[1]).saturating_sub(least - width);
            let half = share(needed.ends, room).max(SHORT_END);
            squeeze(&mut columns.words.client, half);
            squeeze(&mut columns.words.server, half);
        }
    }
    let Columns {
        connection,
        ends,
        protocol,
        octets,
        words,
    } = columns;
    // A line that cannot stand in its columns leaves them as they are.
    let ragged = fit >= Fit::Ragged;
    let pad = |columns: usize, width: &mut usize, out: &mut String| {
        if ragged {
            columns
        } else {
            padded(columns, width, out);
            *width
        }
    };
    let numbers = !narrow && fit < Fit::NoNumbers;
    if numbers {
        out.push_str(shown.flow.transport.name());
        out.push(' ');
        number(shown.flow.number, out);
        used += pad(needed.connection, connection, out) + 1;
        out.push(' ');
    }
    out.push_str(&words.client);
    used += pad(width(&words.client), &mut ends[0], out);
    for part in [" ", way, arrow, p.off, " ", &words.server] {
        out.push_str(part);
    }
    used += pad(width(&words.server), &mut ends[1], out) + 4;
    out.push(' ');
    out.push_str(p.protocol);
    out.push_str(name);
    used += if tiny {
        needed.protocol
    } else {
        pad(needed.protocol, protocol, out)
    } + 1;
    out.push_str(p.off);
    out.push(' ');
    if numbers {
        used += pad(octet_digits.len(), octets, out) + 1;
        out.push_str(octet_digits);
        out.push(' ');
    }
    let incomplete = &mut words.incomplete;
    match Mark::of(shown.lost, fit, narrow, tiny) {
        Mark::None => {}
        Mark::Long(n) => {
            let _ = write!(incomplete, " [incomplete: {n} bytes lost]");
        }
        Mark::Short => incomplete.push_str(" [incomplete]"),
        Mark::Sign => incomplete.push_str(" !"),
    }
    used += incomplete.len();
    let delay = &mut words.delay;
    let mut room = look
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(used));
    // How long it took says more than the word for what is missing, which a sign tells too.
    let (short, sign) = (Mark::Short.columns(), Mark::Sign.columns());
    let wanted = SUMMARY.min(shown.summary.len()) + delay.len();
    if !delay.is_empty()
        && room < wanted
        && incomplete.len() == short
        && room + short - sign >= wanted
    {
        incomplete.clear();
        incomplete.push_str(" !");
        room += short - sign;
    }
    if room < wanted {
        delay.clear();
    }
    room = room.saturating_sub(delay.len()).max(1);
    let most = shortened(shown.summary, room, narrow);
    let (summary, ellipsis, end) = if shown.end_counts {
        cut_middle(&most, room)
    } else {
        cut_end(&most, room)
    };
    match shown.tone {
        Tone::Warn => {
            let _ = write!(out, "{}{summary}{ellipsis}{end}{}", p.warn, p.off);
        }
        Tone::Bad => {
            let _ = write!(out, "{}{summary}{ellipsis}{end}{}", p.bad, p.off);
        }
        // What is asked for: a method, a command.
        Tone::Plain if shown.kind == Kind::Request => {
            let asked = asked_for(summary, shown.words_ahead);
            let (ahead, rest) = summary.split_at(asked.start);
            let (asked, rest) = rest.split_at(asked.end - asked.start);
            for part in [ahead, p.bold, asked, p.off, rest, ellipsis, end] {
                out.push_str(part);
            }
        }
        Tone::Plain => {
            for part in [summary, ellipsis, end] {
                out.push_str(part);
            }
        }
    }
    if !delay.is_empty() {
        for part in [p.dim, delay, p.off] {
            out.push_str(part);
        }
    }
    if !incomplete.is_empty() {
        let _ = write!(out, "{}{incomplete}{}", p.bad, p.off);
    }
    if let Some(width) = look.width
        && used >= width
    {
        clip(line_begin, width, &p, out);
    }
    out.push('\n');
    most.len() < shown.summary.len() || !ellipsis.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::clock::TimeForm;
    use super::*;
    use crate::base::flow::{Direction, FlowKey, Transport};
    use crate::base::packet::Channel;

    fn lines(width: Option<usize>, color: bool) -> String {
        lines_of(width, color, TimeForm::Utc, ("10.0.0.1", 40000))
    }

    fn lines_of(width: Option<usize>, color: bool, time: TimeForm, client: (&str, u16)) -> String {
        let client = (client.0.parse().unwrap(), client.1);
        let server = ([10, 0, 0, 2].into(), 80);
        let (key, forward_is_low) = FlowKey::new(client, server, Channel::default());
        let flow = Flow {
            transport: Transport::Tcp,
            number: 0,
            key,
            forward_is_low,
            reused: false,
            decrypted: None,
            links: Default::default(),
        };
        let look = Look {
            color,
            light: false,
            width,
            time,
            gaps: false,
            ascii: false,
        };
        let (mut columns, mut clock) = (Columns::new(&look), Clock::new(time));
        let mut out = String::new();
        for (from_client, kind, octets, summary, tone, delay, lost) in [
            (
                true,
                Kind::Request,
                78,
                "GET /\u{4e16}\u{754c}/a/path/that/is/long HTTP/1.1 (www.example)",
                Tone::Plain,
                None,
                None,
            ),
            (
                false,
                Kind::Response,
                1234,
                "HTTP/1.1 404 Not Found",
                Tone::Warn,
                Some(Duration::from_micros(93)),
                Some(1448),
            ),
        ] {
            let shown = Shown {
                time: Timestamp::from_nanos(1_795_255_200_123_456_789),
                flow: &flow,
                client: flow.src(Direction::Forward),
                server: flow.dst(Direction::Forward),
                from_client,
                protocol: "http",
                kind,
                end_counts: kind == Kind::Request,
                words_ahead: 0,
                octets,
                summary,
                tone,
                delay,
                lost,
            };
            line(&shown, &look, &mut columns, &mut clock, &mut out);
        }
        out
    }

    #[test]
    fn lines_fit_the_terminal() {
        for width in [40, 50, 60, 72, 80, 100, 120, 160] {
            let text = lines(Some(width), false);
            assert_eq!(text.lines().count(), 3, "{text}");
            let mut widths = text.lines().map(UnicodeWidthStr::width);
            assert!(widths.all(|w| w <= width), "{width}:\n{text}");
        }
        // However long times and addresses are, with and without colours.
        for client in [("10.0.0.1", 40000), ("192.168.100.123", 50000)] {
            for (width, time, color) in
                (20..130).flat_map(|w| [TimeForm::Utc, TimeForm::Epoch].map(|t| (w, t, w % 2 == 0)))
            {
                let text = lines_of(Some(width), color, time, client);
                let bare = text.split('\x1b').map(|part| match part.split_once('m') {
                    Some((code, rest)) if code.starts_with('[') => rest,
                    _ => part,
                });
                let bare: String = bare.collect();
                let mut widths = bare.lines().map(UnicodeWidthStr::width);
                assert!(widths.all(|w| w <= width), "{width} {time:?}:\n{bare}");
            }
        }
        // Colours take no columns.
        let colored = lines(Some(80), true);
        let mut plain = String::new();
        let mut escape = false;
        for c in colored.chars() {
            escape |= c == '\x1b';
            if !escape {
                plain.push(c);
            }
            escape &= c != 'm';
        }
        assert_eq!(plain, lines(Some(80), false));
    }

    /// The summary has room where how much is missing has none.
    #[test]
    fn the_mark_gives_way_to_the_summary() {
        for width in [80, 90, 100, 104, 108, 111] {
            let text = lines(Some(width), false);
            assert!(text.contains(" HTTP/1.1 404"), "{width}:\n{text}");
            // A sign says what is missing where the words would take the place of the time.
            let ends = [" (93 us) !\n", " (93 us) [incomplete]\n"];
            assert!(
                ends.iter().any(|end| text.ends_with(end)),
                "{width}:\n{text}"
            );
        }
        assert!(lines(Some(140), false).ends_with("(93 us) [incomplete: 1448 bytes lost]\n"));
        let long = lines_of(Some(70), false, TimeForm::Utc, ("192.168.100.123", 50000));
        assert!(
            long.contains(":50000 ") && long.contains(" HTTP/1"),
            "{long}"
        );
    }

    /// Lines that lack something stand in the columns of their neighbours, with the sign if need be.
    #[test]
    fn a_mark_moves_no_columns() {
        for width in 80..160 {
            for client in ["10.0.0.1", "192.168.100.123"] {
                let text = lines_of(Some(width), false, TimeForm::Utc, (client, 40000));
                let protocol = |line: &str| line.find(" http ").map(|at| line[..at].width());
                let mut at = text.lines().skip(1).map(protocol);
                let (asked, answered) = (at.next().unwrap(), at.next().unwrap());
                assert!(asked.is_some() && asked == answered, "{width}:\n{text}");
            }
        }
    }

    #[test]
    fn nothing_is_cut_in_a_pipe() {
        let expected = "\
2026-11-21 10:00:00.123456 tcp 0   10.0.0.1:40000        \u{2192} 10.0.0.2:80           http   78 GET /\u{4e16}\u{754c}/a/path/that/is/long HTTP/1.1 (www.example)
2026-11-21 10:00:00.123456 tcp 0   10.0.0.1:40000        \u{2190} 10.0.0.2:80           http 1234 HTTP/1.1 404 Not Found (93 us) [incomplete: 1448 bytes lost]
";
        assert_eq!(lines(None, false), expected);
    }

    #[test]
    fn long_endpoints_keep_their_ports() {
        let end = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:40000";
        for (columns, expected) in [(24, "[2001:db8:8\u{2026}:7348]:40000"), (50, end)] {
            let mut text = end.to_owned();
            squeeze(&mut text, columns);
            assert_eq!(text, expected);
        }
    }

    /// Of long addresses enough is left out that the time of an answer has its place.
    #[test]
    fn answers_between_long_addresses_have_their_time() {
        let ends: [(std::net::IpAddr, u16); 2] = [
            (
                "2001:db8:85a3:8d3:1319:8a2e:370:7348".parse().unwrap(),
                40000,
            ),
            ("2001:db8:85a3:8d3:1319:8a2e:370:7350".parse().unwrap(), 443),
        ];
        let (key, forward_is_low) = FlowKey::new(ends[0], ends[1], Channel::default());
        let flow = Flow {
            transport: Transport::Tcp,
            number: 0,
            key,
            forward_is_low,
            reused: false,
            decrypted: None,
            links: Default::default(),
        };
        let shown = Shown {
            time: Timestamp::from_nanos(1_795_255_200_123_456_789),
            flow: &flow,
            client: flow.src(Direction::Forward),
            server: flow.dst(Direction::Forward),
            from_client: false,
            protocol: "http",
            kind: Kind::Response,
            end_counts: false,
            words_ahead: 0,
            octets: 1234,
            summary: "HTTP/1.1 404 Not Found",
            tone: Tone::Plain,
            delay: Some(Duration::from_micros(93)),
            lost: None,
        };
        let look = Look {
            color: false,
            light: false,
            width: Some(80),
            time: TimeForm::Utc,
            gaps: false,
            ascii: false,
        };
        let (mut columns, mut clock) = (Columns::new(&look), Clock::new(TimeForm::Utc));
        let mut text = String::new();
        line(&shown, &look, &mut columns, &mut clock, &mut text);
        assert!(
            text.contains("]:40000 ") && text.contains("]:443 "),
            "{text}"
        );
        assert!(
            text.contains(" HTTP/1.1 404") && text.ends_with(" (93 us)\n"),
            "{text}"
        );
    }

    #[test]
    fn arrows_stand_below_each_other() {
        for width in [Some(60), Some(80), Some(160), None] {
            let text = lines(width, false);
            let column = |line: &str| line.find(['\u{2192}', '\u{2190}']);
            let arrows: Vec<_> = text.lines().filter_map(column).collect();
            assert!(matches!(arrows[..], [a, b] if a == b), "{width:?}:\n{text}");
        }
    }

    /// The longest address moves nothing where there is room, nor does the number of a connection.
    #[test]
    fn arrows_stay_where_they_are() {
        for width in [Some(100), Some(160), None] {
            let look = Look {
                color: false,
                light: false,
                width,
                time: TimeForm::Utc,
                gaps: false,
                ascii: false,
            };
            let (mut columns, mut clock) = (Columns::new(&look), Clock::new(TimeForm::Utc));
            let ends = [
                ([10, 0, 0, 1], 1, 0),
                (
                    [255, 255, 255, 255],
                    65_535,
                    1 + 8 * u64::from(width != Some(100)),
                ),
            ];
            let mut text = String::new();
            for (address, port, number) in ends {
                let client = (std::net::IpAddr::from(address), port);
                let server = (std::net::IpAddr::from(address), port.min(65_534));
                let (key, forward_is_low) = FlowKey::new(client, server, Channel::default());
                let flow = Flow {
                    transport: Transport::Tcp,
                    number,
                    key,
                    forward_is_low,
                    reused: false,
                    decrypted: None,
                    links: Default::default(),
                };
                let shown = Shown {
                    time: Timestamp::from_nanos(1_795_255_200_123_456_789),
                    flow: &flow,
                    client: client.into(),
                    server: server.into(),
                    from_client: true,
                    protocol: "http",
                    kind: Kind::Request,
                    end_counts: false,
                    words_ahead: 0,
                    octets: 1234,
                    summary: "GET /",
                    tone: Tone::Plain,
                    delay: None,
                    lost: None,
                };
                line(&shown, &look, &mut columns, &mut clock, &mut text);
            }
            let columns_of = |word: &str| {
                let places = text.lines().filter_map(|line| line.find(word));
                places.collect::<Vec<_>>()
            };
            let arrows = columns_of("\u{2192}");
            assert!(matches!(arrows[..], [a, b] if a == b), "{width:?}:\n{text}");
            if width != Some(100) {
                let names = columns_of(" http ");
                assert!(matches!(names[..], [a, b] if a == b), "{width:?}:\n{text}");
            }
        }
    }

    /// The status stands in what is left, and so do the host that is asked and what comes last of a response that ends with its
    /// result.
    #[test]
    fn a_name_is_cut_before_a_result() {
        let text = lines(Some(80), false);
        assert!(text.contains("HTTP/1.1 404"), "{text}");
        let response = "search done 2 cn=a very long name,dc=example no such object";
        for (columns, expected) in [
            (80, response.to_owned()),
            (
                40,
                "search done 2 cn=a very\u{2026} no such object".to_owned(),
            ),
            (20, "search done\u{2026} object".to_owned()),
        ] {
            let (begin, ellipsis, end) = cut_middle(response, columns);
            assert_eq!(format!("{begin}{ellipsis}{end}"), expected);
            assert!(expected.width() <= columns);
        }
        // A long word has only its end.
        assert_eq!(
            cut_middle("GET /a/long/path/index.html", 16),
            ("GET /a/lon", "\u{2026}", ".html")
        );
        for columns in 0..30 {
            let (begin, ellipsis, end) =
                cut_middle("\u{4e16}\u{754c} \u{4e16}\u{754c}\u{4e16}\u{754c}", columns);
            let shown = format!("{begin}{ellipsis}{end}");
            assert!(shown.width() <= columns.max(1), "{columns}: {shown}");
        }
    }

    /// The name stays, and so does the result.
    #[test]
    fn the_most_telling_part_stays() {
        let answer = "answer 0x8f78 nowhere.example A, NXDOMAIN";
        for (text, columns, narrow, expected) in [
            (answer, 41, false, answer),
            (answer, 40, false, "answer nowhere.example A, NXDOMAIN"),
            (answer, 33, false, "nowhere.example A, NXDOMAIN"),
            (answer, 99, true, "nowhere.example A, NXDOMAIN"),
            ("query 0x8f78 a A", 99, true, "query a A"),
            ("offer 0x07 10.0.0.9 a", 10, false, "offer 10.0.0.9 a"),
            ("GET /0x07 HTTP/1.1", 10, true, "GET /0x07 HTTP/1.1"),
            ("GET 0x07g HTTP/1.1", 10, true, "GET 0x07g HTTP/1.1"),
        ] {
            assert_eq!(shortened(text, columns, narrow), expected, "{columns}");
        }
        for (columns, expected) in [
            (22, "nowhere.exam\u{2026} NXDOMAIN"),
            (17, "nowhere.\u{2026}NXDOMAIN"),
        ] {
            let (begin, ellipsis, end) = cut_middle("nowhere.example A, NXDOMAIN", columns);
            assert_eq!(format!("{begin}{ellipsis}{end}"), expected);
        }
    }

    #[test]
    fn what_is_asked_for_stands_behind_other_words() {
        for (text, ahead, asked) in [
            ("GET /x", 0, "GET"),
            ("SMB2 create request", 1, "create"),
            ("1 > 2 read", 3, "read"),
            ("keep-alive", 1, "keep-alive"),
            ("ClientHello, TLS 1.2", 0, "ClientHello"),
            ("[1] GET /x", 1, "GET"),
            ("", 2, ""),
        ] {
            assert_eq!(&text[asked_for(text, ahead)], asked);
        }
    }

    #[test]
    fn wide_characters_are_not_halved() {
        assert_eq!(cut("\u{4e16}\u{754c}", 4), ("\u{4e16}\u{754c}", ""));
        assert_eq!(cut("\u{4e16}\u{754c}", 3), ("\u{4e16}", "\u{2026}"));
        assert_eq!(cut("\u{4e16}\u{754c}", 2), ("", "\u{2026}"));
        assert_eq!(cut("abc", 0), ("", "\u{2026}"));
    }
}
