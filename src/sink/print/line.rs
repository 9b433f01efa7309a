//! The line of a message: columns that line up, and fit a terminal.

use super::clock::{Clock, span};
use super::look::{Look, Paint, Tone};
use crate::base::flow::Flow;
use crate::base::message::Kind;
use crate::base::time::Timestamp;
use crate::message::dotted;
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
/// Columns of a summary, at least, where an answer time stands behind it.
const SUMMARY: usize = "HTTP/1.1 200".len();
/// Columns of client and server at first, so that arrows and protocols stand below each other: where there is room for it, any IPv4
/// address with its port fits, and what servers mostly have; on a narrow terminal short ones.
const ENDS: [usize; 2] = [IPV4, "192.168.100.1:443".len()];
const NARROW_ENDS: [usize; 2] = ["192.168.1.1:50000".len(), "192.168.1.1:80".len()];
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
#[derive(Debug)]
pub(super) struct Columns {
    connection: usize,
    /// Of client and server.
    ends: [usize; 2],
    protocol: usize,
    octets: usize,
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
            connection: "tcp 0".len(),
            ends: match look.width {
                Some(width) if width < TINY => [0; 2],
                Some(width) if width < WIDE => NARROW_ENDS,
                _ => ENDS,
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

/// What of a text fits into so many columns, with an ellipsis where it is cut.
pub(super) fn cut(text: &str, columns: usize) -> (&str, &'static str) {
    // No character has more columns than octets.
    if text.len() <= columns || text.width() <= columns {
        return (text, "");
    }
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns.saturating_sub(1) {
            return (text.get(..at).unwrap_or_default(), "\u{2026}");
        }
    }
    (text, "")
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

/// Appends the line of a message, with its line feed. Something of its summary was left out if that is what it gives back.
pub(super) fn line(
    shown: &Shown<'_>,
    look: &Look,
    columns: &mut Columns,
    clock: &mut Clock,
    out: &mut String,
) -> bool {
    let p = Paint::new(look.color);
    let narrow = look.width.is_some_and(|width| width < NARROW);
    let tiny = look.width.is_some_and(|width| width < TINY);
    if look.width.is_some()
        && let Some(date) = clock.new_date(shown.time)
    {
        let _ = writeln!(out, "{}{date}{}", p.dim, p.off);
    }
    let Columns {
        connection,
        ends,
        protocol,
        octets,
        words,
    } = columns;
    words.clear();
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
    if !narrow {
        let begin = out.len();
        out.push_str(shown.flow.transport.name());
        out.push(' ');
        number(shown.flow.number, out);
        padded(out.len() - begin, connection, out);
        out.push(' ');
        used += *connection + 1;
    }
    let (arrow, way) = if shown.from_client {
        ("\u{2192}", p.client)
    } else {
        ("\u{2190}", p.server)
    };
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
    out.push_str(&words.client);
    padded(width(&words.client), &mut ends[0], out);
    for part in [" ", way, arrow, p.off, " ", &words.server] {
        out.push_str(part);
    }
    padded(width(&words.server), &mut ends[1], out);
    out.push(' ');
    used += ends[0] + ends[1] + 4;
    let name = cut(shown.protocol, if tiny { 6 } else { usize::MAX }).0;
    out.push_str(p.protocol);
    out.push_str(name);
    let mut name = width(name);
    if !tiny {
        padded(name, protocol, out);
        name = *protocol;
    }
    out.push_str(p.off);
    out.push(' ');
    used += name + 1;
    if !narrow {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(shown.octets);
        padded(digits.len(), octets, out);
        out.push_str(digits);
        out.push(' ');
        used += *octets + 1;
    }
    let incomplete = &mut words.incomplete;
    match shown.lost {
        None => {}
        Some(n) if n > 0 && !narrow => {
            let _ = write!(incomplete, " [incomplete: {n} bytes lost]");
        }
        Some(_) if tiny => incomplete.push_str(" !"),
        Some(_) => incomplete.push_str(" [incomplete]"),
    }
    used += incomplete.len();
    let delay = &mut words.delay;
    if let Some(time) = shown.delay {
        delay.push_str(" (");
        span(time, delay);
        delay.push(')');
    }
    let mut room = look
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(used));
    if room < SUMMARY + delay.len() {
        delay.clear();
    }
    room = room.saturating_sub(delay.len()).max(1);
    let (summary, ellipsis, end) = if shown.end_counts {
        cut_middle(shown.summary, room)
    } else {
        cut_end(shown.summary, room)
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
    out.push('\n');
    !ellipsis.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::clock::TimeForm;
    use super::*;
    use crate::base::flow::{Direction, FlowKey, Transport};
    use crate::base::packet::Channel;

    fn lines(width: Option<usize>, color: bool) -> String {
        let (client, server) = (([10, 0, 0, 1].into(), 40000), ([10, 0, 0, 2].into(), 80));
        let (key, forward_is_low) = FlowKey::new(client, server, Channel::default());
        let flow = Flow {
            transport: Transport::Tcp,
            number: 0,
            key,
            forward_is_low,
            reused: false,
            links: Default::default(),
        };
        let look = Look {
            color,
            width,
            time: TimeForm::Utc,
            gaps: false,
        };
        let (mut columns, mut clock) = (Columns::new(&look), Clock::new(TimeForm::Utc));
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

    #[test]
    fn nothing_is_cut_in_a_pipe() {
        let expected = "\
2026-11-21 10:00:00.123456 tcp 0 10.0.0.1:40000        \u{2192} 10.0.0.2:80       http   78 GET /\u{4e16}\u{754c}/a/path/that/is/long HTTP/1.1 (www.example)
2026-11-21 10:00:00.123456 tcp 0 10.0.0.1:40000        \u{2190} 10.0.0.2:80       http 1234 HTTP/1.1 404 Not Found (93 us) [incomplete: 1448 bytes lost]
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
            width: Some(80),
            time: TimeForm::Utc,
            gaps: false,
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
