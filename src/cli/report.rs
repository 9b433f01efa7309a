//! The counters as text, JSON or CSV.

use super::lines;
use super::usage::FRAMED;
use super::values::{Stats, StatsFormat};
use crate::base::counters::{ChannelCounters, Counters};
use crate::base::flow::Transport;
use crate::base::limits::{Tunnel, Tunnels};
use crate::base::protocol::NO_PROTOCOL;
use crate::base::time::{Timestamp, date_and_time};
use crate::sink::OddPort;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::io::{self, Write};
use std::time::Duration;

/// Writes the counters that are wanted. `protocols`: those that CSV has columns for; the text has colours or not, and fits a terminal
/// of so many columns, if it is for one.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    counters: &Counters,
    stats: &Stats,
    channels: &Channels,
    (color, width): (bool, Option<usize>),
    protocols: &[&'static str],
    out: &mut dyn Write,
) -> io::Result<()> {
    match stats.format {
        StatsFormat::Text | StatsFormat::All => {
            text(counters, stats, color, width, out)?;
            channels.text(color, width, out)
        }
        StatsFormat::Json => json(counters, stats, channels, out),
        StatsFormat::Csv => {
            csv(counters, stats, protocols, out)?;
            channels.csv(out)
        }
    }
}

/// What stands in the place of a section for what went through each input, and each output.
pub(super) const CHANNELS: [&str; 2] = ["inputs", "outputs"];

/// Inputs and outputs, one by one: those that are to be shown.
#[derive(Debug, Default)]
pub struct Channels {
    /// In the order in which they were read.
    pub inputs: Vec<ChannelCounters>,
    /// Files, pipes, stdout.
    pub outputs: Vec<ChannelCounters>,
}

impl Channels {
    /// A line for each, in columns below their names.
    fn text(&self, color: bool, columns: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        let (bold, off) = if color {
            ("\x1b[1m", "\x1b[0m")
        } else {
            ("", "")
        };
        for (heading, all) in CHANNELS.iter().zip([&self.inputs, &self.outputs]) {
            if all.is_empty() {
                continue;
            }
            let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
            let mut rows =
                vec![["opened", "packets", "bytes", "messages", "name"].map(str::to_owned)];
            rows.extend(all.iter().map(|channel| {
                let opened = date_and_time(channel.opened, b' ');
                let opened = opened.get(..19).unwrap_or_default();
                [
                    String::from_utf8_lossy(opened).into_owned(),
                    number(channel.packets),
                    channel.octets.to_string(),
                    number(channel.messages),
                    channel.name.escape_debug().to_string(),
                ]
            }));
            let width = |i: usize| rows.iter().map(|row| row[i].len()).max().unwrap_or(0);
            let widths = [0, 1, 2, 3].map(width);
            // A name that has no room stands below the numbers, and the time of its opening is left to JSON where these have none.
            let all: usize = widths.iter().map(|width| width + 2).sum();
            let has_room = |needed: usize| columns.is_none_or(|columns| needed <= columns);
            let below = !has_room(all + width(4));
            let timed = has_room(all);
            writeln!(out, "\n{bold}{}{off}", heading.to_uppercase())?;
            for [opened, packets, octets, messages, name] in &rows {
                let [o, p, b, m] = widths;
                if timed {
                    write!(out, "{opened:o$}  ")?;
                }
                write!(out, "{packets:>p$}  {octets:>b$}  {messages:>m$}")?;
                if below {
                    writeln!(out, "\n    {name}")?;
                } else {
                    writeln!(out, "  {name}")?;
                }
            }
        }
        Ok(())
    }

    /// A line of names, and a line for each of them. What is not counted is empty.
    fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let lists = CHANNELS.iter().zip([&self.inputs, &self.outputs]);
        let all = lists.flat_map(|(list, all)| all.iter().map(move |channel| (list, channel)));
        for (i, (list, channel)) in all.enumerate() {
            if i == 0 {
                writeln!(out, "list,name,packets,octets,messages,opened")?;
            }
            let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
            let name = csv_value(&channel.name);
            let (packets, messages) = (number(channel.packets), number(channel.messages));
            let (octets, opened) = (channel.octets, utc(channel.opened));
            writeln!(out, "{list},{name},{packets},{octets},{messages},{opened}")?;
        }
        Ok(())
    }
}

/// When something was opened, to the second.
fn utc(time: Timestamp) -> String {
    let text = date_and_time(time, b'T');
    let text = String::from_utf8_lossy(text.get(..19).unwrap_or_default());
    format!("{text}Z")
}

/// A value of CSV (RFC 4180).
fn csv_value(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A channel as JSON has it.
struct ChannelObject<'a>(&'a ChannelCounters);

impl Serialize for ChannelObject<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("name", &self.0.name)?;
        map.serialize_entry("packets", &self.0.packets)?;
        map.serialize_entry("octets", &self.0.octets)?;
        map.serialize_entry("messages", &self.0.messages)?;
        map.serialize_entry("opened", &utc(self.0.opened))?;
        map.end()
    }
}

impl Stats {
    /// The section was asked for by its name, or one of its counters.
    pub(super) fn asks_for(&self, section: &str) -> bool {
        let of = |only: &String| only.split('.').next() == Some(section);
        self.only.iter().any(of)
    }

    /// The counter was asked for, by its own name or by that of its section.
    fn takes(&self, section: &str, name: &str) -> bool {
        self.only.is_empty()
            || self.only.iter().any(|only| only == section)
            || self.names(section, name)
    }

    /// The counter was asked for by its own name.
    fn names(&self, section: &str, name: &str) -> bool {
        let is = |only: &String| only.split_once('.') == Some((section, name));
        self.only.iter().any(is)
    }
}

/// Counters that are shown although they are 0: that nothing is missing, and that nothing waits any more.
const ALWAYS: [(&str, &str); 2] = [("message", "lost"), ("buffer", "waiting")];

/// Sections, each below its name: a line for each counter with name, value and what it counts. What is 0 is left out.
fn text(
    counters: &Counters,
    stats: &Stats,
    color: bool,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all = stats.format == StatsFormat::All;
    let mut rows = Vec::new();
    counters.each(|section, name, text, value| {
        let shown = all || value > 0 || ALWAYS.contains(&(section, name));
        if shown && stats.takes(section, name) || stats.names(section, name) {
            rows.push((section, format!("{section}.{name}"), text, value));
        }
    });
    let name_width = rows.iter().map(|(_, name, ..)| name.len()).max();
    let name_width = name_width.unwrap_or(0);
    let value_width = rows.iter().map(|row| row.3.to_string().len()).max();
    let value_width = value_width.unwrap_or(0);
    let (bold, bad, off) = if color {
        ("\x1b[1m", "\x1b[31m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    for (i, part) in rows.chunk_by(|a, b| a.0 == b.0).enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        let section = part.first().map_or("", |row| row.0).to_uppercase();
        writeln!(out, "{bold}{section}{off}")?;
        for (section, name, text, value) in part {
            let (on, off) = if *section == "lost" {
                (bad, off)
            } else {
                ("", "")
            };
            // What it counts stands in a column of its own, however long it is.
            let text = lines::beside(text, name_width + 2 + value_width, "  ", width);
            writeln!(
                out,
                "{on}{name:name_width$}  {value:value_width$}{off}{text}"
            )?;
        }
    }
    Ok(())
}

/// A number with a comma for each thousand.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something: `1 gap`, `1,234 gaps`.
fn some(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", grouped(number))
}

/// A part of [`Counters::losses`] in words, for many and for one. Of gaps there are none here: more is said of them.
type LossWords = (&'static str, &'static str, &'static str);

#[rustfmt::skip] // a table
const LOSSES: &[LossWords] = &[
    ("capture_drops", "packets lost before they were captured", "packet lost before it was captured"),
    ("cut_short", "captures cut short", "capture cut short"),
    ("snapped", "datagrams cut by the snapshot length", "datagram cut by the snapshot length"),
    ("link", "packets with a link layer that could not be read", "packet with a link layer that could not be read"),
    ("ip", "IP packets that could not be read or are encrypted", "IP packet that could not be read or is encrypted"),
    ("fragments", "fragments of IP packets that never became whole", "fragment of an IP packet that never became whole"),
    ("refused", "packets that are damaged or fit no connection", "packet that is damaged or fits no connection"),
    ("before_start", "packets too late for a connection captured from the middle", "packet too late for a connection captured from the middle"),
    ("abandoned", "bytes that waited behind a gap and were given up", "byte that waited behind a gap and was given up"),
    ("sctp_holes", "SCTP chunks missing", "SCTP chunk missing"),
    ("sctp_chunks", "SCTP chunks dropped", "SCTP chunk dropped"),
    ("incomplete", "incomplete messages", "incomplete message"),
    ("unframed", "bytes skipped between messages", "byte skipped between messages"),
    ("evicted", "connections ended by a limit", "connection ended by a limit"),
    ("files", "extracted files cut by a limit", "extracted file cut by a limit"),
    ("other_link_type", "packets of another link type left out", "packet of another link type left out"),
];
/// Parts of what is missing that the closing line says; of more, that there are some.
const SAID: usize = 3;

/// What is missing, in words, a part each.
fn missing(c: &Counters) -> Vec<String> {
    let mut missing = Vec::new();
    // Nobody knows how much a jump has left out. What the snapshot length cut is a gap too.
    let known = c.tcp.gaps.saturating_sub(c.tcp.gaps_jump);
    if known > 0 {
        let (bytes, gaps) = (some(c.tcp.lost_octets, "byte"), some(known, "gap"));
        missing.push(match c.tcp.gaps_snapped {
            0 => format!("{bytes} missing in {gaps}"),
            cut if cut == known => format!("{bytes} cut by the snapshot length in {gaps}"),
            cut => format!(
                "{bytes} missing in {gaps}, {} of them cut by the snapshot length",
                grouped(cut)
            ),
        });
    }
    if c.tcp.gaps_jump > 0 {
        let gaps = some(c.tcp.gaps_jump, "gap");
        missing.push(format!("{gaps} of unknown length"));
    }
    // A message for each gap is what everybody expects of them; more would be taken for whole if they were not named.
    let explained = c.tcp.gaps + c.udp.snapped + c.sctp.lost_tsns + c.sctp.tsn_restarts;
    for (name, what, value) in c.losses() {
        let value = match name {
            "tcp_holes" => 0,
            "snapped" => c.udp.snapped,
            // As many as this follow from what was said before.
            "incomplete" if value <= explained => 0,
            _ => value,
        };
        let words = LOSSES.iter().find(|(known, ..)| *known == name);
        let words = words.map_or(what, |(_, many, one)| if value == 1 { one } else { many });
        if value > 0 {
            missing.push(format!("{} {words}", grouped(value)));
        }
    }
    if missing.len() > SAID {
        missing.truncate(SAID);
        missing.push("and more".to_owned());
    }
    missing
}

/// What a run found and what is missing, in one line. `lost`: what is missing of that which was chosen, or all counters; `chosen`: how
/// many messages were written, where some were chosen; `folder`: where files were written, if any were asked for; `told`: where something is missing has been told by -vv, and -s has
/// counted.
pub(super) fn closing_line(
    c: &Counters,
    lost: &Counters,
    chosen: Option<u64>,
    folder: Option<&str>,
    (told, counted): (bool, bool),
) -> String {
    let connections = c.tcp.connections + c.udp.flows + c.sctp.associations;
    // Messages, and not the frames that they came in, where these were read.
    let frames = c.carried.frames.saturating_sub(c.carried.messages);
    let found = c.message.messages.saturating_sub(frames);
    let mut line = format!(
        "{}, {}, {}",
        some(c.input.packets, "packet"),
        some(connections, "connection"),
        some(found, "message")
    );
    match chosen {
        Some(0) => line += ", none of them chosen",
        // That all of them were says nothing.
        Some(n) if n == found => {}
        Some(n) => line += &format!(", {} chosen", grouped(n)),
        None => {}
    }
    let missing = missing(lost);
    if missing.is_empty() && connections == 0 && c.input.packets > 0 {
        line += "; nothing of TCP, UDP or SCTP (-s tells what)";
    }
    if !missing.is_empty() {
        line += &format!("; {}", missing.join(", "));
        line += match (told, counted) {
            (false, false) => " (-n -vv tells where, -s counts)",
            (false, true) => " (-n -vv tells where)",
            (true, false) => " (-s counts)",
            (true, true) => "",
        };
    }
    if let Some(folder) = folder {
        line += &format!("; {} in {folder}", some(c.files.whole, "whole file"));
        if c.files.incomplete > 0 {
            line += &format!(", {} incomplete", grouped(c.files.incomplete));
        }
    }
    line
}

/// Bytes of messages of no known protocol.
fn unknown(c: &Counters) -> u64 {
    let data = c.protocols().find(|(name, _)| *name == NO_PROTOCOL);
    data.map_or(0, |(_, counters)| counters.octets)
}

/// What hints are made of, beside the counters.
#[derive(Default)]
pub(super) struct Seen {
    /// Somebody looks on.
    pub(super) looks_on: bool,
    /// Packets were sorted by time.
    pub(super) sorted: bool,
    /// Tunnels that were opened where they came.
    pub(super) opened: Tunnels,
    /// It has a rule: there it is what it is said to be.
    pub(super) ruled: Option<&'static str>,
    /// How far a packet was behind the newest of those before it at most.
    pub(super) late: Duration,
    /// A port on which connections were not understood.
    pub(super) port: Option<OddPort>,
    /// Bytes of files on connections that others have announced: that they have no protocol is as it should be.
    pub(super) file_octets: u64,
}

/// Hints: what could be tried, where something of the input could not be used. One of each kind at most. What is no more than a
/// guess is for somebody who looks on.
pub(super) fn hints(c: &Counters, seen: &Seen) -> Vec<String> {
    let mut hints = Vec::new();
    // What is in a tunnel that was opened is counted once more.
    let packets = (c.ipv4.packets + c.ipv6.packets).saturating_sub(c.tunnel.passed);
    // Nine of ten.
    let most = |some: u64, all: u64| some > 0 && some >= all - all / 10;
    let tunnels = [
        // It may carry mirrored frames, which are opened with it.
        (c.ipv4.closed_gre + c.ipv6.closed_gre, "GRE", "gre,erspan"),
        (c.ipv4.closed_ipip + c.ipv6.closed_ipip, "IP in IP", "ipip"),
        (c.udp.closed_vxlan, "VXLAN", "vxlan"),
        (c.udp.closed_geneve, "GENEVE", "geneve"),
        (c.udp.closed_gtp, "GTP", "gtp"),
        (c.udp.closed_l2tp, "L2TP", "l2tp"),
        (c.udp.closed_teredo, "Teredo", "teredo"),
        (c.udp.closed_sctp, "SCTP over UDP", "sctp"),
    ];
    // Nearly all are told wherever it is seen; where somebody looks on, a tenth is enough.
    let enough = |some: u64| most(some, packets) || seen.looks_on && some > packets / 10;
    let closed = tunnels.iter().filter(|(some, ..)| enough(*some));
    if let Some((some_closed, name, option)) = closed.max_by_key(|(some, ..)| *some) {
        // With those that were opened: one that is inside of another is reached through it.
        let opened = Tunnel::ALL.map(|t| seen.opened.contains(t).then(|| t.name()));
        let mut options: Vec<_> = opened.into_iter().flatten().collect();
        options.push(option);
        let packets = match most(*some_closed, packets) {
            true => "nearly all packets".to_owned(),
            false => format!("{} of {} packets", grouped(*some_closed), grouped(packets)),
        };
        hints.push(format!(
            "tunnels: {packets} are {name}, which was not opened: --decapsulate {} opens it",
            options.join(",")
        ));
    } else if seen.looks_on {
        let others = |octets: u64| octets.saturating_sub(seen.file_octets);
        let (unknown, all) = (others(unknown(c)), others(c.message.octets));
        let nearly_all = most(unknown, all);
        let odd = seen.port.as_ref();
        let odd = odd.and_then(|odd| match seen.ruled {
            // A rule for it has been tried: another one is no advice.
            Some(name) => nearly_all.then(|| misruled(odd, name)),
            None => odd_port(odd, nearly_all.then_some(unknown)),
        });
        hints.extend(odd.or_else(|| nearly_all.then(|| no_protocol(c))));
    }
    // A hundredth: cards with several queues give some, which do little harm.
    let late = c.input.backwards;
    if (seen.looks_on || c.lost() > 0) && !seen.sorted && late > 0 && late >= c.input.packets / 100
    {
        let packets = if late == 1 {
            "1 packet is".to_owned()
        } else {
            format!("{} are", some(late, "packet"))
        };
        hints.push(format!(
            "time: {packets} earlier than the packet before: {}",
            sorting(seen.late)
        ));
    }
    hints
}

/// What sorts packets of which one is as late as this.
fn sorting(late: Duration) -> String {
    // Round ones, of which the first is more than cards and taps need.
    const DELAYS: [(u64, &str); 6] = [
        (1, "1s"),
        (10, "10s"),
        (60, "1m"),
        (300, "5m"),
        (900, "15m"),
        (3600, "1h"),
    ];
    let fits = |(seconds, _): &&(u64, &str)| late <= Duration::from_secs(*seconds);
    match DELAYS.iter().find(fits) {
        Some((_, delay)) => format!("--sort-delay {delay} sorts packets"),
        // A clock that was set, or captures that were joined end to end.
        None => "by more than an hour, which --sort-delay does not sort: reordercap IN OUT does"
            .to_owned(),
    }
}

/// A hint at bytes of no known protocol, wherever they went. Each transport has rules of its own.
fn no_protocol(c: &Counters) -> String {
    let transports = [
        ("tcp", c.tcp.connections),
        ("udp", c.udp.flows),
        ("sctp", c.sctp.associations),
    ];
    let there = transports.iter().filter(|(_, some)| *some > 0);
    let rules: Vec<_> = there.map(|(t, _)| format!("-d {t}.port==N,NAME")).collect();
    format!(
        "protocols: nearly all bytes belong to none that is known here: {} says what they are, --framer adds one",
        rules.join(" or ")
    )
}

/// A hint at a rule that fits nothing.
fn misruled(odd: &OddPort, name: &str) -> String {
    format!(
        "{} port {}: none of its bytes are {name}, as a rule says: leave -d or --framer out, or give another name",
        odd.transport.name(),
        odd.port,
    )
}

/// A hint at connections to a port that were not understood: some of them, or nearly all bytes of the capture, of which there are
/// `unknown`.
fn odd_port(odd: &OddPort, unknown: Option<u64>) -> Option<String> {
    let (port, transport) = (odd.port, odd.transport.name());
    let about = match odd.transport {
        Transport::Tcp => format!("port {port}"),
        _ => format!("{} port {port}", transport.to_uppercase()),
    };
    match odd.protocol {
        // Some, and not a single one among many.
        Some(name) if odd.unknown >= odd.known / 10 => Some(format!(
            "{about}: {} {name}, and {} of no known protocol: -d {transport}.port=={port},{name} looks for nothing else there",
            some(odd.known, "connection") + if odd.known == 1 { " is" } else { " are" },
            grouped(odd.unknown),
        )),
        None if unknown.is_some_and(|all| odd.octets >= all / 2) => {
            let is = format!(
                "its bytes belong to no protocol that is known here: -d {transport}.port=={port},NAME says what they are"
            );
            let framed = FRAMED.iter().find(|f| f.1 == port);
            Some(match (odd.transport, framed) {
                (Transport::Tcp, Some((name, _, spec))) => {
                    format!("{about}: its bytes may be of {name}: --framer '{spec}' adds it")
                }
                (Transport::Tcp, None) => format!(
                    "{about}: {is}, if it is one of --list-protocols, --framer 'NAME,tcp.port=={port},len@0:u32be' adds another one by where its length is"
                ),
                // A datagram is a message, and so is a user message: there is nothing to be found but a name.
                _ => format!(
                    "{about}: {is}, if it is one of --list-protocols, --framer 'NAME,{transport}.port=={port}' gives them another name"
                ),
            })
        }
        _ => None,
    }
}

/// One object: sections, each an object of its counters.
fn json(
    counters: &Counters,
    stats: &Stats,
    channels: &Channels,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut sections: Vec<(&str, Section)> = Vec::new();
    counters.each(|section, name, _, value| match sections.last_mut() {
        _ if !stats.takes(section, name) => {}
        Some((last, counters)) if *last == section => counters.0.push((name, value)),
        _ => sections.push((section, Section(vec![(name, value)]))),
    });
    let lists = CHANNELS
        .into_iter()
        .zip([&channels.inputs, &channels.outputs]);
    let lists = lists.filter(|(_, all)| !all.is_empty());
    let lists = lists.map(|(name, all)| (name, all.iter().map(ChannelObject).collect()));
    let line = serde_json::to_string(&Sections(sections, lists.collect()))?;
    writeln!(out, "{line}")
}

/// Sections in the order of the text, and lists of channels.
struct Sections<'a>(
    Vec<(&'static str, Section)>,
    Vec<(&'static str, Vec<ChannelObject<'a>>)>,
);

struct Section(Vec<(&'static str, u64)>);

impl Serialize for Sections<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (name, section) in &self.0 {
            map.serialize_entry(name, section)?;
        }
        for (name, channels) in &self.1 {
            map.serialize_entry(name, channels)?;
        }
        map.end()
    }
}

impl Serialize for Section {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A line of names and a line of values. The columns are the same whatever was seen, so that lines of several runs stand below each
/// other.
fn csv(
    counters: &Counters,
    stats: &Stats,
    protocols: &[&'static str],
    out: &mut dyn Write,
) -> io::Result<()> {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    counters.each_with(protocols, |section, name, _, value| {
        if stats.takes(section, name) {
            names.push(format!("{section}.{name}"));
            values.push(value.to_string());
        }
    });
    // Inputs or outputs alone were asked for.
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", names.join(","))?;
    writeln!(out, "{}", values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::counters::Discard;
    use crate::base::protocol::Name;

    fn shown(format: StatsFormat) -> String {
        shown_of(format, &[])
    }

    fn shown_of(format: StatsFormat, only: &[&str]) -> String {
        let only = only.iter().map(|&name| name.to_owned()).collect();
        let mut c = Counters::default();
        c.input.packets = 1234;
        c.tcp.lost_octets = 7;
        let mut out = Vec::new();
        let stats = Stats { format, only };
        write(
            &c,
            &stats,
            &Channels::default(),
            (false, None),
            &["a", "b"],
            &mut out,
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_aligned_and_leaves_out_empty_sections() {
        let text = shown(StatsFormat::Text);
        assert!(text.contains("packet records read"), "{text}");
        assert!(!text.contains("sctp."), "{text}");
        let places: Vec<_> = text
            .lines()
            .map(|l| l.find(|c: char| c.is_ascii_digit() && l.contains("  ")))
            .collect();
        assert!(!places.is_empty());
        assert!(
            text.lines()
                .any(|l| l.starts_with("input.packets ") && l.contains(" 1234  "))
        );
        assert!(
            text.lines()
                .any(|l| l.starts_with("tcp.lost_octets ") && l.contains("    7  "))
        );
    }

    #[test]
    fn text_fits_a_terminal() {
        let mut out = Vec::new();
        let stats = Stats {
            format: StatsFormat::All,
            ..Stats::default()
        };
        write(
            &Counters::default(),
            &stats,
            &Channels::default(),
            (false, Some(80)),
            &[],
            &mut out,
        )
        .unwrap();
        let text = String::from_utf8(out).unwrap();
        let widest = text.lines().map(str::len).max();
        assert!(widest.is_some_and(|w| w <= 80), "{text}");
    }

    #[test]
    fn text_leaves_out_what_is_zero_unless_all_is_asked_for() {
        let text = shown(StatsFormat::Text);
        assert!(!text.contains("tcp.segments") && text.contains("message.lost "));
        assert!(text.starts_with("INPUT\ninput.packets"), "{text}");
        assert!(text.contains("\n\nTCP\ntcp.lost_octets"), "{text}");
        let mut all = 0;
        Counters::default().each(|_, _, _, _| all += 1);
        let lines = shown(StatsFormat::All);
        assert_eq!(
            lines
                .lines()
                .filter(|l| l.contains('.') && l.contains("  "))
                .count(),
            all
        );
    }

    #[test]
    fn sections_and_counters_are_chosen() {
        let only = &["tcp.lost_octets", "tcp.gaps", "udp"];
        let text = shown_of(StatsFormat::Text, only);
        // Of a counter that is asked for by its name also 0 is shown.
        assert!(
            text.starts_with("TCP\ntcp.") && text.contains("tcp.gaps  "),
            "{text}"
        );
        assert_eq!(text.lines().count(), 3, "{text}");
        let json = shown_of(StatsFormat::Json, &["tcp.lost_octets", "a"]);
        assert_eq!(json, "{\"tcp\":{\"lost_octets\":7}}\n");
        let csv = shown_of(StatsFormat::Csv, &["tcp.lost_octets", "a.messages"]);
        assert_eq!(csv, "tcp.lost_octets,a.messages\n7,0\n");
    }

    #[test]
    fn a_run_is_summed_up_in_a_line() {
        let mut c = Counters::default();
        c.input.packets = 1234;
        (c.tcp.connections, c.udp.flows) = (11, 1);
        c.message.messages = 1;
        assert_eq!(
            closing_line(&c, &c, None, None, (false, false)),
            "1,234 packets, 12 connections, 1 message"
        );
        (c.tcp.gaps, c.tcp.lost_octets) = (3, 2902);
        (c.files.whole, c.files.incomplete) = (2, 1);
        assert_eq!(
            closing_line(&c, &c, None, Some("found"), (false, false)),
            "1,234 packets, 12 connections, 1 message; 2,902 bytes missing in 3 gaps (-n -vv tells where, -s counts); 2 whole files in found, 1 incomplete"
        );
        // Who has been told where need not be told how to ask.
        assert!(
            closing_line(&c, &c, None, None, (true, false)).ends_with(" in 3 gaps (-s counts)")
        );
        (c.tcp.gaps, c.tcp.gaps_jump) = (4, 1);
        let line = closing_line(&c, &c, None, None, (false, false));
        assert!(
            line.contains("2,902 bytes missing in 3 gaps, 1 gap of unknown length"),
            "{line}"
        );
        (c.tcp.gaps, c.tcp.lost_octets) = (1, 0);
        let line = closing_line(&c, &c, None, None, (false, false));
        assert!(line.contains("; 1 gap of unknown length ("), "{line}");
        let mut c = Counters::default();
        c.input.packets = 3;
        assert!(
            closing_line(&c, &c, None, None, (false, false))
                .contains("; nothing of TCP, UDP or SCTP")
        );
        let mut c = Counters::default();
        assert!(
            closing_line(&c, &c, Some(0), None, (false, false))
                .ends_with("0 messages, none of them chosen")
        );
        c.message.messages = 2000;
        assert!(
            closing_line(&c, &c, Some(1000), None, (false, false))
                .ends_with("2,000 messages, 1,000 chosen")
        );
        assert!(
            closing_line(&c, &c, Some(2000), None, (false, false)).ends_with(", 2,000 messages")
        );
        // Frames that carry messages are none.
        (c.carried.frames, c.carried.messages) = (1500, 500);
        assert!(
            closing_line(&c, &c, Some(1000), None, (false, false)).ends_with(", 1,000 messages")
        );
        c.message.incomplete = 1;
        assert!(
            closing_line(&c, &c, None, None, (false, false)).contains("; 1 incomplete message (")
        );
    }

    /// Names of counters are no words: whatever is missing is said in plain ones.
    #[test]
    fn what_is_missing_is_said_in_words() {
        for (name, ..) in Counters::default().losses() {
            let said = LOSSES.iter().any(|(known, ..)| *known == name);
            assert!(said || name == "tcp_holes", "{name}");
        }
        let mut c = Counters::default();
        c.discard_many(Discard::TcpStray, 996);
        assert_eq!(
            missing(&c),
            ["996 packets that are damaged or fit no connection"]
        );
        c.message.incomplete = 1;
        c.input.capture_drops = 1;
        c.udp.snapped = 2;
        assert_eq!(
            missing(&c),
            [
                "1 packet lost before it was captured",
                "2 datagrams cut by the snapshot length",
                "996 packets that are damaged or fit no connection"
            ]
        );
        (c.tcp.gaps, c.tcp.gaps_snapped, c.tcp.lost_octets) = (3, 3, 2501);
        assert_eq!(
            missing(&c)[0],
            "2,501 bytes cut by the snapshot length in 3 gaps"
        );
        assert_eq!(missing(&c)[3], "and more");
        // More of them than gaps lead to.
        let mut few = Counters::default();
        (few.tcp.gaps, few.tcp.lost_octets, few.message.incomplete) = (2, 3549, 2);
        assert_eq!(missing(&few), ["3,549 bytes missing in 2 gaps"]);
        few.message.incomplete = 10;
        assert_eq!(
            missing(&few),
            ["3,549 bytes missing in 2 gaps", "10 incomplete messages"]
        );
        c.tcp.gaps_snapped = 1;
        assert_eq!(
            missing(&c)[0],
            "2,501 bytes missing in 3 gaps, 1 of them cut by the snapshot length"
        );
    }

    #[test]
    fn closed_tunnels_are_told() {
        let mut c = Counters::default();
        let hint = |c: &Counters, looks_on| {
            let seen = Seen {
                looks_on,
                ..Seen::default()
            };
            hints(c, &seen).concat()
        };
        assert_eq!(hint(&c, false), "");
        (c.ipv4.packets, c.ipv4.closed_gre) = (10, 8);
        assert_eq!(hint(&c, false), "");
        c.ipv4.closed_gre = 9;
        assert!(hint(&c, false).contains("--decapsulate gre"));
        c.ipv4.closed_gre = 1;
        assert_eq!(hint(&c, true), "");
        c.ipv4.closed_gre = 2;
        assert_eq!(hint(&c, false), "");
        assert!(hint(&c, true).contains("2 of 10 packets are GRE"));
        // In a tunnel that was opened; what is inside was counted beside its outside.
        let mut c = Counters::default();
        (c.ipv4.packets, c.tunnel.passed, c.udp.closed_vxlan) = (4, 2, 2);
        let mut seen = Seen::default();
        seen.opened.insert(Tunnel::Geneve);
        assert!(
            hints(&c, &seen)
                .concat()
                .contains(" --decapsulate geneve,vxlan opens it")
        );
        let mut c = Counters::default();
        (c.message.octets, c.protocol(Name::of("http")).octets) = (1000, 90);
        c.protocol(Name::of(NO_PROTOCOL)).octets = 910;
        assert_eq!(hint(&c, false), "");
        assert!(hint(&c, true).contains("--framer"));
    }

    #[test]
    fn there_is_a_hint_of_each_kind_at_most() {
        let on =
            |transport, c: &Counters, port: Option<(Option<&'static str>, u64, u64)>, sorted| {
                let port = port.map(|(protocol, known, unknown)| OddPort {
                    transport,
                    port: 9000,
                    protocol,
                    known,
                    unknown,
                    octets: c.message.octets,
                });
                let seen = Seen {
                    looks_on: true,
                    sorted,
                    port,
                    file_octets: 0,
                    ..Seen::default()
                };
                hints(c, &seen).join("\n")
            };
        let all = |c: &Counters, port, sorted| on(Transport::Tcp, c, port, sorted);
        let mut c = Counters::default();
        (c.tcp.connections, c.input.packets, c.ipv4.packets) = (20, 1000, 1000);
        let text = all(&c, Some((Some("http"), 1, 3)), false);
        assert!(
            text.starts_with("port 9000: 1 connection is http, and 3 of no known protocol: -d tcp.port==9000,http"),
            "{text}"
        );
        assert_eq!(all(&c, Some((Some("http"), 100, 3)), false), "");
        assert_eq!(all(&c, Some((None, 0, 20)), false), "");
        c.message.octets = 10;
        c.protocol(Name::of(NO_PROTOCOL)).octets = 10;
        let text = all(&c, Some((None, 0, 20)), false);
        assert!(text.contains("-d tcp.port==9000,NAME"), "{text}");
        // Each transport has rules of its own.
        for (transport, name) in [(Transport::Udp, "udp"), (Transport::Sctp, "sctp")] {
            let text = on(transport, &c, Some((None, 0, 1)), false);
            assert!(
                text.starts_with(&format!("{} port 9000: its ", name.to_uppercase()))
                    && text.contains(&format!("-d {name}.port==9000,NAME"))
                    && text.contains(&format!("--framer 'NAME,{name}.port==9000'"))
                    && !text.contains("tcp")
                    && !text.contains("len@"),
                "{text}"
            );
            let text = on(transport, &c, Some((Some("m3ua"), 1, 1)), false);
            assert!(
                text.contains(&format!("-d {name}.port==9000,m3ua looks")),
                "{text}"
            );
        }
        let mut other = c.clone();
        (other.tcp.connections, other.sctp.associations) = (0, 1);
        let text = all(&other, None, false);
        assert!(
            text.contains(" -d sctp.port==N,NAME says") && !text.contains("tcp.port"),
            "{text}"
        );
        // Files of FTP are no protocol, and need none.
        let seen = Seen {
            looks_on: true,
            file_octets: 10,
            ..Seen::default()
        };
        assert_eq!(hints(&c, &seen), [] as [String; 0]);
        // A rule that fits nothing is no reason for another one.
        let seen = Seen {
            looks_on: true,
            ruled: Some("sip"),
            port: Some(OddPort {
                transport: Transport::Tcp,
                port: 80,
                protocol: None,
                known: 0,
                unknown: 1,
                octets: 10,
            }),
            ..Seen::default()
        };
        let text = hints(&c, &seen).join("\n");
        assert!(
            text.starts_with("tcp port 80: none of its bytes are sip") && !text.contains("=="),
            "{text}"
        );
        c.input.backwards = 10;
        c.udp.closed_vxlan = 900;
        let text = all(&c, Some((None, 0, 20)), false);
        assert!(
            text.lines().count() == 2
                && text.contains("--decapsulate vxlan")
                && text.contains("10 packets are earlier")
                && text.contains("--sort-delay"),
            "{text}"
        );
        assert_eq!(all(&c, None, true).lines().count(), 1);
    }

    #[test]
    fn the_time_that_sorts_is_proposed() {
        for (late, expected) in [
            (0, "--sort-delay 1s sorts"),
            (1, "--sort-delay 1s sorts"),
            (2, "--sort-delay 10s sorts"),
            (301, "--sort-delay 15m sorts"),
            (3600, "--sort-delay 1h sorts"),
            (
                3601,
                "by more than an hour, which --sort-delay does not sort",
            ),
        ] {
            let text = sorting(Duration::from_secs(late));
            assert!(text.starts_with(expected), "{late}: {text}");
        }
    }

    #[test]
    fn json_and_csv_hold_every_counter() {
        let mut all = 0;
        Counters::default().each(|_, _, _, _| all += 1);
        let json = shown(StatsFormat::Json);
        assert_eq!(json.matches(':').count() - json.matches(":{").count(), all);
        assert!(
            json.starts_with("{\"input\":{\"files\":0,\"packets\":1234,"),
            "{json}"
        );
        assert!(json.ends_with("}}\n"));
        let csv = shown(StatsFormat::Csv);
        let lines: Vec<_> = csv.lines().map(|l| l.split(',').count()).collect();
        assert_eq!(lines, [all + 8, all + 8]);
    }

    #[test]
    fn csv_has_the_same_columns_whatever_was_seen() {
        let mut c = Counters::default();
        let columns = |c: &Counters| {
            let mut out = Vec::new();
            let stats = Stats {
                format: StatsFormat::Csv,
                ..Stats::default()
            };
            write(
                c,
                &stats,
                &Channels::default(),
                (false, None),
                &["a", "b"],
                &mut out,
            )
            .unwrap();
            String::from_utf8(out)
                .unwrap()
                .lines()
                .next()
                .map(str::to_owned)
        };
        let before = columns(&c);
        c.protocol(Name::of("b")).messages += 1;
        assert_eq!(columns(&c), before);
    }
}
