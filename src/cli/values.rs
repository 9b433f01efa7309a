//! The values of options: sizes, times, lists of names, choices.

use super::likeness::{did_you_mean, nearest};
use crate::base::child;
use crate::base::limits::{Channels, Checksums, Overlap, Tunnel, Tunnels};
use crate::base::message::Kind;
use crate::base::size::{number_and_unit, size};
use crate::base::time::Timestamp;
use crate::message::rules::DecodeAs;
use crate::message::user_framer::UserRow;
use crate::sink::choice::When;
use crate::sink::files::SumKind;
use crate::sink::follow::FollowForm;
use crate::sink::json::JsonBody;
use crate::sink::options::OutputKind;
use crate::sink::packets::{Encap, Large};
use crate::sink::print::{Style, TimeForm};
use crate::sink::table::TableName;
use crate::sink::{FileFormat, Target};
use clap::ValueEnum;
use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser};
use regex::bytes::{Regex, RegexBuilder};
use std::num::NonZeroUsize;
use std::time::Duration;

/// A size below half of the sequence numbers.
pub(super) fn gap_size(text: &str) -> Result<u32, String> {
    u32::try_from(size(text)?)
        .ok()
        .filter(|n| *n <= 1 << 30)
        .ok_or_else(|| "is too large: give a size of 1G at most".to_owned())
}

/// A time of a second at least.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time < Duration::from_secs(1) {
        return Err("is too short: give a second at least, as 15m".to_owned());
    }
    Ok(time)
}

/// A time: a number with us, ms, s, m, h or d behind it.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || {
        "is no time: expected a number with us, ms, s, m, h or d behind it, as 200ms or 1h"
            .to_owned()
    };
    let (number, unit) = number_and_unit(text);
    let unit = match unit {
        "us" | "µs" => 0.000_001,
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "" if text == "0" => 1.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit)
        .ok()
        .filter(|d| d.as_secs() < 1 << 32)
        .ok_or_else(|| "is too long: give a time of 49,710 days at most".to_owned())
}

/// A time, or `off`: none at all.
pub(super) fn time_or_off(text: &str) -> Result<Duration, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(Duration::ZERO);
    }
    time(text).map_err(|e| format!("{e}, or off"))
}

/// A number, or `off`: 0.
pub(super) fn count_or_off(text: &str) -> Result<usize, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(0);
    }
    number(text).map_err(|e| format!("{e}, or off"))
}

/// A whole number.
pub(super) fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_| "is no whole number: expected one of 0 or more, as 64".to_owned())
}

/// A port.
pub(super) fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "is no port: expected one of 1 to 65535, as 8080".to_owned())
}

/// A number of threads.
pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "is no number of threads: expected 1 or more, as 2".to_owned())
}

/// A sum of `--hash`.
pub(super) fn sum_kind(text: &str) -> Result<SumKind, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "md5" => Ok(SumKind::Md5),
        "sha1" | "sha-1" => Ok(SumKind::Sha1),
        "sha256" | "sha-256" => Ok(SumKind::Sha256),
        _ => Err("is no sum that is made here: expected md5, sha1 or sha256".to_owned()),
    }
}

/// A media type, or a kind of them: `application/pdf`, `image/*`.
pub(super) fn media_type(text: &str) -> Result<String, String> {
    let text = text.trim();
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|o| o.is_ascii_graphic() && !b"*/;,".contains(&o))
    };
    match text.split_once('/') {
        Some((top, sub)) if plain(top) && (plain(sub) || sub == "*") => Ok(text.to_owned()),
        _ => Err("is no media type: expected application/pdf, image/* or the like".to_owned()),
    }
}

/// Words of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CommandWords(pub(super) Vec<String>);

/// The words of a command, as a shell parts them.
pub(super) fn command_words(text: &str) -> Result<CommandWords, String> {
    child::words(text).map(CommandWords)
}

/// `--interface`.
pub(super) fn interface(text: &str) -> Result<String, String> {
    match text {
        "" => Err("has no name: -D lists the interfaces".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// `--kind`: one of the kinds, in the singular or the plural.
pub(super) fn kind(text: &str) -> Result<Kind, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "request" | "requests" => Ok(Kind::Request),
        "response" | "responses" => Ok(Kind::Response),
        "other" | "others" => Ok(Kind::Other),
        _ => {
            let meant = nearest(text, ["request", "response", "other"]);
            let meant = did_you_mean(meant, "expected some of request, response, other");
            Err(format!("is no kind of message{meant}"))
        }
    }
}

/// `--match`. What is wrong with it is said in one line.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    let mut regex = RegexBuilder::new(text);
    regex.multi_line(true).crlf(true).build().map_err(|e| {
        if let regex::Error::CompiledTooBig(_) = e {
            return "takes too much memory: repeat less in it".to_owned();
        }
        let text = e.to_string();
        let what = text.lines().next_back().unwrap_or_default();
        let what = what.strip_prefix("error: ").unwrap_or(what);
        format!("is no regular expression: {what}: see --match in --help")
    })
}

/// `--from`, `--to`: a date and time, a time of the first packet's day, seconds since 1970, or a time behind the first packet.
pub(super) fn when(text: &str) -> Result<When, String> {
    if let Some(behind) = text.strip_prefix('+') {
        return time(behind).map(When::After);
    }
    // What jiff takes for a time, or for a date with one, may stand between a date and an offset, which it would drop.
    let clock = |text: &str| {
        text.bytes()
            .all(|c| c.is_ascii_digit() || b":.,".contains(&c))
    };
    // As --print shows it behind the date. A number alone is none of an hour.
    if let (true, true, Ok(time)) = (
        text.contains(':'),
        clock(text),
        text.parse::<jiff::civil::Time>(),
    ) {
        let midnight = time.duration_since(jiff::civil::Time::midnight());
        return Ok(When::OfDay(midnight.unsigned_abs()));
    }
    let at = |time: jiff::Timestamp| u64::try_from(time.as_nanosecond()).ok();
    let civil = || {
        let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, ""));
        let is_date = date.bytes().all(|c| c.is_ascii_digit() || c == b'-');
        let time: jiff::civil::DateTime = text.parse().ok().filter(|_| is_date && clock(time))?;
        time.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()
    };
    let nanos = if let Ok(time) = text.parse::<jiff::Timestamp>()
        && !text.contains('[')
    {
        at(time)
    } else if let Some(time) = civil() {
        at(time.timestamp())
    } else {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|c| c.is_ascii_digit());
        let part = part.get(..9).unwrap_or(part);
        let seconds: Option<u64> = whole.parse().ok().filter(|_| digits(whole) && digits(part));
        let part: Option<u64> = format!("{part:0<9}").parse().ok();
        seconds
            .and_then(|s| s.checked_mul(1_000_000_000))
            .and_then(|s| s.checked_add(part?))
    };
    nanos
        .map(|nanos| When::At(Timestamp::from_nanos(nanos)))
        .ok_or_else(|| {
            "is no time: expected a date and time as 2026-11-21T10:00:00Z or 2026-11-21T11:00:00+01:00 (UTC where it says nothing), a time of the first packet's day as 10:00, seconds since 1970, or +TIME behind the first packet as +90s".to_owned()
        })
}

/// A number of 1 or more.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|n| *n > 0);
    number.ok_or_else(|| "is no number of 1 or more: give one, as 10".to_owned())
}

/// An OUTPUT, which need not be UTF-8.
pub(super) fn output() -> impl TypedValueParser<Value = Target> {
    OsStringValueParser::new().try_map(|text| Target::from_os(&text, target))
}

/// An OUTPUT. A scheme that there is not is part of a name, unless it looks like one that there is.
fn target(text: &str) -> Result<Target, String> {
    if let Some((word, rest)) = text.split_once(':')
        && !Target::schemes().any(|scheme| scheme.eq_ignore_ascii_case(word))
        && !rest.starts_with("//")
        && let Some(meant) = nearest(word, Target::schemes())
    {
        return Err(format!(
            "{word}: no such scheme: did you mean {meant}:{rest}? (a file of this name is ./{text})"
        ));
    }
    Target::new(text)
}

/// A rule of `--decode-as`.
pub(super) fn decode_as(text: &str) -> Result<DecodeAs, String> {
    DecodeAs::parse(text).map_err(|e| format!("{e}: for example tcp.port==9000,http"))
}

/// A protocol of `--framer`.
pub(super) fn framer(text: &str) -> Result<UserRow, String> {
    // An example of what was meant.
    let example = if text.contains("until:") {
        "mine,tcp.port==7000,until:0x0a"
    } else {
        "mine,tcp.port==9000,len@0:u32be+4"
    };
    UserRow::parse(text).map_err(|e| format!("{e}: for example {example}"))
}

/// Names of tunnels.
pub(super) fn tunnels(text: &str) -> Result<Tunnels, String> {
    Tunnels::parse(&text.to_ascii_lowercase()).map_err(|name| {
        let known = Tunnel::ALL.map(Tunnel::name);
        let meant = nearest(name, known.into_iter().chain(["all", "none"]));
        let advice = format!("expected all, none, or some of {}", known.join(", "));
        format!(
            "{name}: no tunnel of this name{}",
            did_you_mean(meant, &advice)
        )
    })
}

/// `--disable`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Disabled {
    pub(super) tcp: bool,
    pub(super) udp: bool,
    pub(super) sctp: bool,
}

/// Names of transports.
pub(super) fn transports(text: &str) -> Result<Disabled, String> {
    let mut disabled = Disabled::default();
    for name in text.split(',') {
        match name.trim().to_ascii_lowercase().as_str() {
            "tcp" => disabled.tcp = true,
            "udp" => disabled.udp = true,
            "sctp" => disabled.sctp = true,
            _ => {
                return Err(format!(
                    "{name}: is no transport: expected some of tcp, udp, sctp"
                ));
            }
        }
    }
    Ok(disabled)
}

/// `--reorder-window`.
#[derive(Clone, Debug)]
pub(super) struct ReorderWindow {
    pub(super) packets: u32,
    pub(super) time: Duration,
    pub(super) alone: Duration,
}

/// A number of packets and two times.
pub(super) fn reorder_window(text: &str) -> Result<ReorderWindow, String> {
    let wrong = || "is no window: expected N,TIME,TIME, as 32,20ms,1s".to_owned();
    let mut parts = text.split(',');
    let (Some(n), Some(together), Some(alone), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    Ok(ReorderWindow {
        packets: n.parse().map_err(|_| wrong())?,
        time: time(together)?,
        alone: time(alone)?,
    })
}

/// `--look-behind`.
#[derive(Clone, Debug)]
pub(super) struct LookBehind {
    pub(super) segments: u32,
    pub(super) time: Duration,
}

/// A number of segments and a time, or `off`.
pub(super) fn look_behind(text: &str) -> Result<LookBehind, String> {
    let wrong = || "is neither N,TIME nor off: expected one of them, as 16,200ms".to_owned();
    if text.eq_ignore_ascii_case("off") {
        return Ok(LookBehind {
            segments: 0,
            time: Duration::ZERO,
        });
    }
    let (n, t) = text.split_once(',').ok_or_else(wrong)?;
    Ok(LookBehind {
        segments: n.parse().map_err(|_| wrong())?,
        time: time(t)?,
    })
}

/// `--checksums`, for each layer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChecksumRule {
    pub(super) ip: Checksums,
    pub(super) tcp: Checksums,
    pub(super) udp: Checksums,
    pub(super) sctp: Checksums,
}

/// One word for all layers, or words for some of them.
pub(super) fn checksums(text: &str) -> Result<ChecksumRule, String> {
    let how = |word: &str| match word {
        "auto" => Ok(Checksums::Auto),
        "verify" => Ok(Checksums::Verify),
        "ignore" => Ok(Checksums::Ignore),
        _ => Err(format!(
            "{word}: is none of its values: expected auto, verify or ignore, for one layer as ip=verify"
        )),
    };
    let mut rule = ChecksumRule::default();
    let text = text.to_ascii_lowercase();
    for part in text.split(',').map(str::trim) {
        match part.split_once('=') {
            None => {
                let how = how(part)?;
                rule = ChecksumRule {
                    ip: how,
                    tcp: how,
                    udp: how,
                    sctp: how,
                };
            }
            Some(("ip", word)) => rule.ip = how(word)?,
            Some(("tcp", word)) => rule.tcp = how(word)?,
            Some(("udp", word)) => rule.udp = how(word)?,
            Some(("sctp", word)) => rule.sctp = how(word)?,
            Some((layer, _)) => {
                return Err(format!(
                    "{layer}: is no layer: expected ip, tcp, udp or sctp, as ip=verify"
                ));
            }
        }
    }
    Ok(rule)
}

/// `--unframed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Unframed {
    /// They are messages of the protocol named data
    Emit,
    /// They are counted only
    Drop,
}

/// `--tls`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum TlsForm {
    /// What they hold, where their keys are known
    Opened,
    /// As they are, whatever keys there are
    Records,
}

/// `--timestamps`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Times {
    /// Never going back
    Monotone,
    /// As they were
    Original,
}

/// `--color`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--progress`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ShownProgress {
    /// Of files, on a terminal, where it takes longer than a second.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--stats`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StatsFormat {
    /// Aligned, with descriptions; what is 0 is left out.
    #[default]
    Text,
    /// The same, with what is 0.
    All,
    /// One object.
    Json,
    /// A header line and a row.
    Csv,
}

/// `--stats`: a format, and what it is about.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Stats {
    /// How counters are written.
    pub format: StatsFormat,
    /// Sections, and counters as `tcp.gaps`; all where it is empty.
    pub only: Vec<String>,
}

/// A list of one format at most, sections and counters. Whether there are such is checked where names of the user's own are known.
pub(super) fn stats(text: &str) -> Result<Stats, String> {
    let mut stats = Stats::default();
    let mut format = None;
    for word in text.split(',').map(|word| word.trim().to_ascii_lowercase()) {
        match StatsFormat::from_str(&word, false) {
            Ok(_) if format.is_some() => {
                return Err(format!("{word}: is a second format: leave one of them out"));
            }
            Ok(known) => format = Some(known),
            Err(_) if word.is_empty() => {
                return Err("a name is empty: expected text, all, json, csv, sections and counters, as json,tcp or tcp.gaps".to_owned());
            }
            Err(_) => stats.only.push(word),
        }
    }
    stats.format = format.unwrap_or_default();
    Ok(stats)
}

/// Gives the values of a choice their words.
macro_rules! choice {
    ($Type:ty { $( $Variant:ident = $word:literal: $help:literal, )* }) => {
        impl ValueEnum for $Type {
            fn value_variants<'a>() -> &'a [Self] {
                &[ $( Self::$Variant, )* ]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self { $( Self::$Variant => PossibleValue::new($word).help($help), )* })
            }
        }
    };
}

choice!(Encap {
    Auto = "auto": "Ethernet where the first input is Ethernet, else raw IP",
    Ethernet = "ethernet": "Ethernet, with the addresses and VLAN tags of the input",
    Raw = "raw": "raw IP",
    Pdu = "pdu": "no network: the message behind the name of Wireshark's dissector",
});
choice!(FileFormat {
    Pcap = "pcap": "pcap",
    Pcapng = "pcapng": "pcapng, with the input's interfaces",
});
choice!(Large {
    Split = "split": "a train of full segments",
    Jumbo = "jumbo": "one packet of up to 262,144 bytes, a train beyond",
    Snap = "snap": "one packet, cut at --max-message as a snapshot length does",
});
choice!(OutputKind {
    Messages = "messages": "messages",
    Dropped = "dropped": "packets that could not be used",
    Bypass = "bypass": "all packets",
});
choice!(JsonBody {
    None = "none": "nothing",
    Text = "text": "as UTF-8; bytes that are not are replaced",
    Base64 = "base64": "base64",
});
choice!(Style {
    Brief = "brief": "one line",
    Full = "full": "the line, header fields and the body",
});
choice!(FollowForm {
    Text = "text": "text; other bytes as a hex dump",
    Hex = "hex": "hex dumps",
    Raw = "raw": "the bytes alone",
});
choice!(TableName {
    Messages = "messages": "a row for each message",
    Http = "http": "a row for each request of HTTP, with its response",
    Dns = "dns": "a row for each query of DNS, with its answer",
    Connections = "connections": "a row for each connection",
    Protocols = "protocols": "a row for each protocol",
    Files = "files": "a row for each file that --extract writes",
});
choice!(TimeForm {
    Utc = "utc": "date and time in UTC",
    Local = "local": "date and time where the program runs",
    Relative = "relative": "seconds since the first packet",
    Delta = "delta": "seconds since the line before",
    Epoch = "epoch": "seconds since 1970-01-01 00:00:00 UTC",
});
choice!(Overlap {
    First = "first": "the bytes that came first",
    Last = "last": "the newer ones, as long as they have not been delivered",
});
choice!(Channels {
    Merge = "merge": "one connection, where the numbers fit; a hole of one is filled from another",
    First = "first": "one connection, which is followed where it was first seen",
    Separate = "separate": "connections of their own",
});
choice!(StatsFormat {
    Text = "text": "aligned, with descriptions; without counters that are 0",
    All = "all": "the same, with counters that are 0",
    Json = "json": "one object",
    Csv = "csv": "a header line and a row",
});
choice!(ShownProgress {
    Auto = "auto": "of files, where stderr is a terminal and it takes longer than a second",
    Always = "always": "at once, also of pipes and without a terminal",
    Never = "never": "never",
});
choice!(Color {
    Auto = "auto": "on a terminal, unless NO_COLOR is set",
    Always = "always": "always",
    Never = "never": "never",
});
