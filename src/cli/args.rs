//! The options as clap reads them: the one source of `-h`, `--help`, the man page and the completions.

use super::conditions::Condition;
use super::values::{
    ChecksumRule, Color, CommandWords, Disabled, LookBehind, ReorderWindow, ShownProgress, Stats,
    Times, TlsForm, Unframed, checksums, command_words, count, count_or_off, decode_as, framer,
    gap_size, interface, kind, look_behind, media_type, number, output, pattern, period, port,
    reorder_window, stats, sum_kind, threads, time, time_or_off, transports, tunnels, when,
};
use crate::base::connection_rule::ConnectionRule;
use crate::base::limits::{Channels, Overlap, Tunnels};
use crate::base::message::Kind;
use crate::base::size::size;
use crate::message::rules::DecodeAs;
use crate::message::user_framer::UserRow;
use crate::sink::FileFormat;
use crate::sink::Target;
use crate::sink::choice::When;
use crate::sink::files::SumKind;
use crate::sink::follow::FollowForm;
use crate::sink::json::JsonBody;
use crate::sink::packets::{Encap, Large};
use crate::sink::print::{Style, TimeForm};
use crate::sink::streams::{DEFAULT_TEMPLATE, Template};
use crate::sink::table::TableName;
use clap::{ArgAction, CommandFactory, Parser, ValueHint};
use regex::bytes::Regex;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

const ABOUT: &str =
    "Put the messages of a packet capture back together: one packet per application message";

pub(super) const LONG_ABOUT: &str = "\
Reads a capture (pcap, pcapng) as it arrives, reassembles IP datagrams, TCP streams and SCTP user messages in bounded \
memory, finds where each application message begins and ends, and writes one packet for each message.

    sudo tcpdump -U -w - | inet-asm           messages as they come, a line each
    inet-asm big.pcap | tshark -r -           a packet for each message
    inet-asm -x files big.pcap                the files that were transferred";

/// What stands behind the options: in the man page each part under its heading.
pub(super) const SECTIONS_BEHIND: &[(&str, &str)] = &[
    (
        "Units",
        "Sizes take K M G, KB MB GB, KiB MiB GiB (all powers of 1024); times take us ms s m h d; both take fractions.",
    ),
    (
        "Signals",
        "SIGINT and SIGTERM end a file at once and anything else after a second of silence, and write what is held; a second one \
         ends the program. Ahead of the first packet what is written is a capture without packets. SIGUSR1 prints the counters on stderr, also while the first packet is waited for. SIGHUP opens files of --write, --dropped, --bypass, --json, --har, \
         --sctp-stats, --counters-file, --log-file and the list of --extract anew where they were moved away (rotation). SIGUSR2 keeps the state in the file of --save-state, \
         and the run goes on.",
    ),
    (
        "Exit status",
        "0: done, also when the capture was cut short, or when the reader of the output left. 1: a condition of --fail-if holds. \
         2: usage, input, output or format error, whatever holds.",
    ),
];

/// The same for --help.
fn behind_options() -> String {
    let part = |(name, text): &(&str, &str)| format!("{name}: {text}");
    SECTIONS_BEHIND
        .iter()
        .map(part)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// What Wireshark asks a program that captures for it (extcap).
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Wireshark")]
pub(super) struct ExtcapArgs {
    /// List the interfaces that Wireshark shows: `inet-asm: messages of eth0` for each that -D lists
    ///
    /// The options of this part are for Wireshark, which calls them where scripts/install-extcap has put this program (EXTCAP in the man page).
    #[arg(long, hide_short_help = true)]
    pub(super) extcap_interfaces: bool,

    /// Version of the Wireshark that asks
    #[arg(long, value_name = "VERSION", num_args = 0..=1, require_equals = true, default_missing_value = "", hide_short_help = true)]
    pub(super) extcap_version: Option<String>,

    /// The interface that is asked about, or captured, as --extcap-interfaces lists it
    #[arg(long, value_name = "NAME", value_parser = interface, conflicts_with = "interface", hide_short_help = true)]
    pub(super) extcap_interface: Option<String>,

    /// List the link types that packets of an interface may have
    #[arg(long, requires = "extcap_interface", hide_short_help = true)]
    pub(super) extcap_dlts: bool,

    /// List the options that Wireshark shows as a form
    #[arg(long, requires = "extcap_interface", hide_short_help = true)]
    pub(super) extcap_config: bool,

    /// Capture only what this filter chooses, as -f; without --capture: say what is wrong with it
    #[arg(
        long,
        value_name = "FILTER",
        requires = "extcap_interface",
        hide_short_help = true
    )]
    pub(super) extcap_capture_filter: Option<String>,

    /// Capture on --extcap-interface as -i does, and write messages to --fifo until it is closed
    #[arg(long, requires_all = ["extcap_interface", "fifo"], hide_short_help = true)]
    pub(super) capture: bool,

    /// The pipe that Wireshark reads
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "capture", hide_short_help = true)]
    pub(super) fifo: Option<PathBuf>,
}

/// The options, as clap reads them.
#[derive(Parser, Debug)]
#[command(name = "inet-asm", version, about = ABOUT, long_about = LONG_ABOUT, after_long_help = behind_options(), max_term_width = 100)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Args {
    /// Capture files to read one after the other [default: stdin]
    ///
    /// `-` is stdin. Sockets are tcp://HOST:PORT and unix:PATH, which are connected to, and tcp-listen://HOST:PORT and unix-listen:PATH,
    /// which senders come to; the man page says more (SOCKETS). exec:COMMAND is what a program writes to its stdout (PROGRAMS).
    #[arg(value_name = "INPUT", value_hint = ValueHint::FilePath, help_heading = "Input")]
    pub(super) inputs: Vec<OsString>,

    /// The same as INPUT
    #[arg(short, long = "read", value_name = "INPUT", value_hint = ValueHint::FilePath, action = ArgAction::Append, help_heading = "Input", hide_short_help = true)]
    pub(super) read: Vec<OsString>,

    /// Capture on this interface, and show messages as they come; can be repeated
    ///
    /// Runs dumpcap, or tcpdump where that is not there, which needs the rights to capture; what it says is on stderr. `any` is all interfaces (Linux).
    /// Implies --live. -D lists the interfaces.
    #[arg(short, long, value_name = "NAME", value_parser = interface, action = ArgAction::Append, help_heading = "Input")]
    pub(super) interface: Vec<String>,

    /// Capture only what this filter chooses (pcap-filter), as 'tcp port 80'
    #[arg(
        short = 'f',
        long,
        value_name = "FILTER",
        requires = "interface",
        help_heading = "Input",
        hide_short_help = true
    )]
    pub(super) capture_filter: Option<String>,

    /// List the interfaces that -i takes
    #[arg(
        short = 'D',
        long,
        help_heading = "Input",
        exclusive = true,
        hide_short_help = true
    )]
    pub(super) list_interfaces: bool,

    #[command(flatten)]
    pub(super) extcap: ExtcapArgs,

    /// Sort packets by timestamp, holding each until one this much later arrives [default: off]
    ///
    /// For cards with several receive queues, and taps that were merged. A packet that is later than that stays where it is.
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = time_or_off, help_heading = "Input", hide_short_help = true, hide_default_value = true)]
    pub(super) sort_delay: Duration,

    /// Sort packets by timestamp, holding at most N of them [default: off; 100,000 with --sort-delay]
    #[arg(
        long,
        value_name = "N",
        default_value = "off",
        value_parser = count_or_off,
        help_heading = "Input",
        hide_short_help = true,
        hide_default_value = true
    )]
    pub(super) sort_queue: usize,

    /// Read files in the order of their first packets, not in the order they are named
    ///
    /// For rotated captures: a shell puts trace.pcap10 ahead of trace.pcap2. Files without packets are read last. Pipes
    /// cannot be sorted.
    #[arg(long, help_heading = "Input", hide_short_help = true)]
    pub(super) sort_files: bool,

    /// Count silence as time, for a capture that is read as it is made
    ///
    /// Times are those of the packets. Without this option what waits at the end of a quiet connection stays until another packet comes,
    /// of whatever connection; with it, holes are given up in time (--tcp-packet-timeout and the others). Silence counts from its second second on, because capture programs
    /// hand packets on up to a second late; where packets come later than that, a hole may be given up early. Regular files have no silence.
    #[arg(long, help_heading = "Input", hide_short_help = true)]
    pub(super) live: bool,

    /// Pass decryption secrets and name resolution blocks of pcapng inputs through; implies --format pcapng
    ///
    /// Each such block is written ahead of the packets that follow it, so that Wireshark decrypts the output as it does the
    /// input. Without this option they are left out, and a warning says so: secrets should not travel unasked.
    #[arg(long, help_heading = "Input", hide_short_help = true)]
    pub(super) keep_secrets: bool,

    /// Decrypt TLS with the secrets in a key log (SSLKEYLOGFILE); can be repeated
    ///
    /// Browsers, curl, Python, Go and Java agents write one where the environment variable SSLKEYLOGFILE, or an option of theirs, names
    /// a file. `env` is the file that this variable names here. It is read on while it grows; a pipe is read to its end first where all inputs are files. What the records hold is treated as any
    /// other stream: messages are found in it, and written to all outputs instead of the records (--dump writes it to NAME.decrypted beside them). As packets it has the port that its
    /// protocol has without TLS (80 for 443), so that readers know what it is; a comment has the ports that it had (pcapng). Records that cannot be opened stay what they are.
    /// Behind a loss the number of a record is found by trying: every record that lies whole in the capture is opened. It may hide three changes of keys (KeyUpdate; in TLS 1.2, renegotiation),
    /// and a megabyte of the shortest records; a direction in which eight records in a row cannot be opened is tried no further. A session of TLS 1.2 that is resumed needs no line of its own
    /// where the capture has the handshake that it began with (the last 65,536 names of sessions are remembered). Where the ClientHello is missing all sessions of the key log are tried, until two million keys have been tried in vain. What is not opened is counted by reason (decrypted.*). DTLS and QUIC are not decrypted. Key logs that a pcapng
    /// capture holds itself (editcap --inject-secrets) need no option, but for --keep-secrets: in a file they are looked for before its packets
    /// are read (a compressed file is decompressed once more for that, unless --tls records is given); in a pipe they are used from where they stand on, and for what --keylog-wait holds.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Input", hide_short_help = true)]
    pub(super) keylog: Vec<PathBuf>,

    /// Hold packets behind a TLS ClientHello up to this long until the secrets of its session are there [default: off; 1s with --live and --keylog]
    ///
    /// For secrets that are written, or arrive, later than the packets. All packets behind the hello are held, so that everything keeps its order, and none is held for
    /// longer than this: by the times of the packets, with --live by the clock. At most 100,000 packets are held, and what --memory-limit leaves; decrypted.awaited_in_vain counts the sessions
    /// whose secrets did not come in time. A session without secrets holds up its own TIME only.
    #[arg(long, value_name = "TIME", value_parser = time_or_off, help_heading = "Input", hide_short_help = true, hide_default_value = true)]
    pub(super) keylog_wait: Option<Duration>,

    /// Give what TLS records held this server port in packets, and look for the protocol of that port first [default: by ALPN and port]
    ///
    /// Readers of packets choose the protocol by the port. Without this option it is the one that the protocol which the two ends agreed on (ALPN) has without TLS, or else the one
    /// that belongs to the port of TLS (80 for 443); a port that belongs to no protocol over TLS stays.
    #[arg(long, value_name = "PORT", value_parser = port, help_heading = "Input", hide_short_help = true)]
    pub(super) decrypted_port: Option<u16>,

    /// How records of TLS come out [default: opened]
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = TlsForm::Opened, help_heading = "Input", hide_short_help = true, hide_default_value = true)]
    pub(super) tls: TlsForm,

    /// Write messages as packets to a capture file [default: stdout]
    ///
    /// `-` is stdout. Without any output option messages go to stdout as a capture; where stdout is a terminal,
    /// --print is meant instead.
    ///
    /// Several are possible. OUTPUT is a path, `-` or `file:PATH?KEY=VALUE&...` with the keys `protocol` (a list: only
    /// these messages go there, and an output without it takes the messages that no other output names), `kind`
    /// (messages, dropped, bypass), `encap` and `format`. A name with a question mark is quoted: file:'what?.pcap'.
    /// In the place of `file:` may stand a socket: tcp://HOST:PORT, unix:PATH, tcp-listen://HOST:PORT, unix-listen:PATH (SOCKETS in the man
    /// page), or a program that reads it from its stdin: exec:COMMAND (PROGRAMS).
    #[arg(short, long, value_name = "OUTPUT", value_parser = output(), allow_hyphen_values = true, action = ArgAction::Append, help_heading = "Output")]
    pub(super) write: Vec<Target>,

    /// Write each packet that could not be used, as it was, with the reason as a comment
    ///
    /// pcapng, unless ?format=pcap says otherwise. Packets that are given up later (fragments whose datagram never became
    /// whole) are only counted.
    #[arg(long, value_name = "OUTPUT", value_parser = output(), allow_hyphen_values = true, help_heading = "Output", hide_short_help = true)]
    pub(super) dropped: Option<Target>,

    /// Write every input packet as it was, the dropped ones included
    ///
    /// pcapng, unless ?format=pcap says otherwise; a pcap file takes the packets of the first link type only.
    #[arg(long, value_name = "OUTPUT", value_parser = output(), allow_hyphen_values = true, help_heading = "Output", hide_short_help = true)]
    pub(super) bypass: Option<Target>,

    /// Write no messages
    // Given twice it is once: tcpdump's -nn is in the fingers.
    #[arg(short, long, help_heading = "Output", overrides_with = "no_output", conflicts_with_all = ["write", "print"])]
    pub(super) no_output: bool,

    /// Print a line for each message
    ///
    /// Time, connection, client and server with an arrow from the sender, protocol, bytes, summary; then the time from request to
    /// answer, and what is missing: `[incomplete]` with the number of bytes, or without it, or `!` where there is no room for the word. The time at the beginning is that of the packet that completed the message; the time of an answer
    /// goes from the first byte of the request to the first byte of the answer. On a terminal, time of day (the date stands once above), colours, and lines that fit; one
    /// of fewer than 100 columns shows neither connection nor bytes, one of fewer than 66 no time either. `full` adds header fields and the body: content codings are undone, JSON is
    /// indented, anything but text is shown as a hex dump of its first bytes, and gaps are shown where they are. A body that cannot be decoded to
    /// its end has a line ahead of it that says how far it could be.
    #[arg(short, long, value_name = "STYLE", num_args = 0..=1, require_equals = true, default_missing_value = "brief", help_heading = "Output")]
    pub(super) print: Option<Style>,

    /// Show connections as conversations: --follow RULE, --follow=hex RULE, --follow=raw RULE
    ///
    /// What each side sent, in the order in which it came, with a line where the other one takes its turn, and gaps with their
    /// length. RULE is that of --connection: tcp:3, :6379, 10.0.0.1:80. Text is shown as text, other bytes as a hex dump; `hex`
    /// dumps all of it; `raw` writes the bytes alone.
    #[arg(long, value_name = "RULE", value_parser = ConnectionRule::new, help_heading = "Output")]
    pub(super) follow: Option<ConnectionRule>,

    /// What --follow=FORM RULE stands for.
    #[arg(
        long,
        value_name = "FORM",
        hide = true,
        requires = "follow",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(super) follow_form: FollowForm,

    /// Print a table for scripts: a row for each message, or what NAME says; columns are separated by tabs
    ///
    /// A header line names the columns; --fields chooses them. The man page lists them (TABLES). --kind, --match, --from, --to and
    /// --protocols choose messages, and a row is there if it tells of one that is chosen. Times have no space in them:
    /// 2026-11-21T10:00:00.123456 in UTC, or as --time says.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "messages", help_heading = "Output")]
    pub(super) table: Option<TableName>,

    /// Columns of --table, in order
    ///
    /// A list of its columns, as time,uri,status. The table of messages also takes what --json lists by the protocol's name, as
    /// http.host, tls.sni, redis.command, and that of files any field of files.jsonl.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Output",
        hide_short_help = true
    )]
    pub(super) fields: Vec<String>,

    /// Write one JSON object a line: messages, gaps, connections
    ///
    /// To stdout, or to the OUTPUT behind the equals sign: --json=FILE, -j=FILE. The man page lists the fields.
    #[arg(short, long, value_name = "OUTPUT", value_parser = output(), num_args = 0..=1, require_equals = true, default_missing_value = "-", help_heading = "Output")]
    pub(super) json: Option<Target>,

    /// How message bodies appear in the JSON
    #[arg(
        long,
        value_name = "FORM",
        default_value = "none",
        help_heading = "Output",
        hide_short_help = true
    )]
    pub(super) json_body: JsonBody,

    /// Add the SHA-256 of each whole message to the JSON; =md5,sha1: sums of files too
    ///
    /// md5 and sha1 are for lists that know files by them: --extract adds them to files.jsonl, which has SHA-256 in any case.
    #[arg(long, value_name = "LIST", value_parser = sum_kind, value_delimiter = ',', num_args = 0..=1, require_equals = true, default_missing_value = "sha256", help_heading = "Output", hide_short_help = true)]
    pub(super) hash: Vec<SumKind>,

    /// Write the exchanges of HTTP/1 and HTTP/2 as a HAR document, which browsers open
    ///
    /// HAR 1.2, an entry for each request with its response, written when both have ended: times from the capture, header fields,
    /// and bodies with their codings undone. `-` is stdout. The man page says more (HAR).
    #[arg(long, value_name = "OUTPUT", value_parser = output(), allow_hyphen_values = true, help_heading = "Output")]
    pub(super) har: Option<Target>,

    /// Most bytes of a body in --har; 0: no bodies
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = size, help_heading = "Output", hide_short_help = true)]
    pub(super) har_body: usize,

    /// Write a file for each stream, with its bytes, into this folder
    ///
    /// It is made where it is not there; those that it is in have to be. Files are named as tcpflow names them; UDP and SCTP streams end in .udp and .sctp. A gap is a hole in the file and stands in
    /// NAME.gaps (offset, length, cause: acked, closed, timeout, buffer, holes, memory, end, snapped, jump; changed: an earlier run had them). Files that are in DIR already are not touched, and no symbolic link in it is
    /// followed: the next file is called ...c1. A file's modification time is that of the packet which brought its last byte.
    /// `-` writes the streams that --connection chooses to stdout, where a number means a connection of TCP or SCTP, and
    /// `A:p-B:p` one direction.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub(super) dump: Option<PathBuf>,

    /// Names of the stream files
    ///
    /// %A %a %B %b source and destination address and port; %E %e their link addresses; %V%v --VLAN; %T %t time of the
    /// first byte; %C%c count where others have the name; %N %K %M %G digits of the stream's number; %S the connection's
    /// number in 20 digits; %# as --print shows it, for both directions (so the second file has a count behind it); %% a
    /// percent sign. A slash makes a folder. Without %c or %#, %C%c is added. A part of which nothing is left is called _.
    #[arg(long, value_name = "TEMPLATE", default_value = DEFAULT_TEMPLATE, value_parser = Template::new, help_heading = "Output", hide_short_help = true)]
    pub(super) dump_name: Template,

    /// Write the files that were transferred into this folder
    ///
    /// Bodies of HTTP requests and responses, their codings undone, and the parts of forms; FTP data connections; TFTP;
    /// mail (SMTP, POP3, IMAP) and its attachments; SMB in the clear; DICOM. The folder is made where it is not there; those that it
    /// is in have to be.
    /// DIR/files.jsonl lists them, one JSON object a line; the man page says more (FILES). An incomplete file is
    /// called NAME.part. Files that are in DIR already are not touched. `-` writes them to stdout as a tar archive; the man page says how.
    #[arg(short = 'x', long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub(super) extract: Option<PathBuf>,

    /// Extract only files of these media types: image/*,application/pdf
    ///
    /// The type of a file is that of its content; where that tells nothing, or only that it is text, the one that was declared.
    /// Files that are left out are counted.
    #[arg(long, value_name = "LIST", value_parser = media_type, value_delimiter = ',', help_heading = "Output", hide_short_help = true)]
    pub(super) extract_types: Vec<String>,

    /// Extract only files that these protocols carried
    ///
    /// Messages of WebSocket are files only where websocket is named here.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Output",
        hide_short_help = true
    )]
    pub(super) extract_protocols: Vec<String>,

    /// Extract only files of so many bytes at least
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Output", hide_short_help = true)]
    pub(super) extract_min: Option<usize>,

    /// Extract only files of so many bytes at most
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Output", hide_short_help = true)]
    pub(super) extract_max: Option<usize>,

    /// Run this command for each extracted file; {} is its path
    ///
    /// Its words are split as a shell does, with quotes and backslashes; no shell reads them. Without {} the path is the last word. As many
    /// commands run at a time as there are processors; the end of the run waits for them. What they write goes to stderr. Those that
    /// fail are told and counted.
    #[arg(long, value_name = "COMMAND", value_parser = command_words, help_heading = "Output", hide_short_help = true)]
    pub(super) on_file: Option<CommandWords>,

    /// Extract the certificates that TLS shows too, each once, as NAME.der
    ///
    /// Those of TLS 1.2 and before stand in clear; those of 1.3 are there where records are opened (--keylog). NAME is the common name of the subject.
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(super) certificates: bool,

    /// Write a page that shows the extracted files: DIR/index.html
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(super) index: bool,

    /// Flush the output after each message
    #[arg(short = 'U', long, help_heading = "Output", hide_short_help = true)]
    pub(super) packet_buffered: bool,

    /// Flush all outputs behind each packet that is read, before the next one; implies --packet-buffered
    ///
    /// So no message is behind the packets that are read, also of a file: where a run is killed, what it had read is written. It costs a write for each message.
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(super) synchronized: bool,

    /// Write only these connections, to all outputs
    ///
    /// A list, separated by commas: numbers as --print shows them (`3`, `tcp:3`), a transport (`udp`), a port (`:80`), an
    /// address, a network (`10.0.0.0/8`), `address:port`, `all`, or `A:p-B:p`, with which `--dump -` writes the stream from
    /// A to B.
    #[arg(long, value_name = "RULE", value_parser = ConnectionRule::new, help_heading = "Filters", hide_short_help = true)]
    pub(super) connection: Option<ConnectionRule>,

    /// Write these messages only: requests, responses, others
    ///
    /// A list of request, response, other. Other: messages that are neither, and data of no known protocol.
    #[arg(long, value_name = "LIST", value_parser = kind, value_delimiter = ',', help_heading = "Filters", hide_short_help = true)]
    pub(super) kind: Vec<Kind>,

    /// Write the messages whose summary or head matches a regular expression
    ///
    /// The summary is what --print shows; the head is the header section of HTTP, SIP and the like, and the first bytes of
    /// other messages; what --print escapes is searched as it was sent. ^ and $ match at the ends of their lines, too. (?i) in front ignores case. Bodies are not searched. The syntax is that of Rust's regex crate, without
    /// look-around and back references, so that time is linear.
    #[arg(long = "match", value_name = "REGEX", value_parser = pattern, help_heading = "Filters", hide_short_help = true)]
    pub(super) pattern: Option<Regex>,

    /// Write the messages that begin at this time or later
    ///
    /// A date and time (2026-11-21T10:00:00Z, "2026-11-21 10:00", 2026-11-21; UTC unless an offset stands behind it), a time of the
    /// day on which the first packet was captured (10:00, UTC), seconds since 1970 (1795255200.5), or a time behind the first packet
    /// (+90s).
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true, help_heading = "Filters", hide_short_help = true)]
    pub(super) from: Option<When>,

    /// Write the messages that begin before this time
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true, help_heading = "Filters", hide_short_help = true)]
    pub(super) to: Option<When>,

    /// Stop after so many messages, or rows of --table
    ///
    /// Those that --connection, --protocols and the other options choose. Messages that are open by then are left where they are, and are not counted as incomplete.
    /// With --table=protocols it is the messages that are counted.
    #[arg(short, long, value_name = "N", value_parser = count, help_heading = "Filters")]
    pub(super) count: Option<u64>,

    /// Link layer of the packets written
    #[arg(
        long,
        value_name = "FORM",
        default_value = "auto",
        help_heading = "Form of the messages"
    )]
    pub(super) encap: Encap,

    /// Format of the capture files written
    ///
    /// pcapng keeps the names of the input's interfaces, and takes comments.
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Form of the messages",
        hide_short_help = true
    )]
    pub(super) format: Option<FileFormat>,

    /// How to write a message larger than an IP packet
    #[arg(
        long,
        value_name = "HOW",
        default_value = "split",
        help_heading = "Form of the messages",
        hide_short_help = true
    )]
    pub(super) large: Large,

    /// Largest part of a message in one packet, with --large jumbo and snap [default: 262,144 less headers]
    ///
    /// With snap the rest of a message is left out of the output: the original length of its packet tells how much that is.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Form of the messages", hide_short_help = true)]
    pub(super) max_message: Option<usize>,

    /// Write zeros where bytes are missing inside a message
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    pub(super) fill_gaps: bool,

    /// Add a comment to each message: protocol, summary, frames, gaps; implies --format pcapng
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    pub(super) info: bool,

    /// Add a comment to each packet with the input frames its bytes came from; implies --format pcapng
    ///
    /// As "track: 12:66+1448 14:66+952 lost+100": bytes in the order of the message, of each run the number of the input's
    /// packet, from 1, the offset in that packet, and the length. An offset that is not known is a question mark; lost are
    /// bytes that no packet brought. Bytes behind a hole, which the packet leaves out, are listed too.
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    pub(super) track: bool,

    /// Timestamps of the packets written: never going back, or as captured
    #[arg(
        long,
        value_name = "HOW",
        default_value = "monotone",
        help_heading = "Form of the messages",
        hide_short_help = true
    )]
    pub(super) timestamps: Times,

    /// Write packets in the order of their timestamps, holding each until one this much later comes [default: off]
    ///
    /// Of all connections, for readers to which time has to rise also with --timestamps original: what was held, or is written as it was, is older than what
    /// stands before it. So are packets of one stream: those behind a hole may come ahead of what filled it, and a reader goes by their sequence
    /// numbers. What is later than that is written behind, and output.late counts it; what is more than an hour off stays where it came. What is held
    /// counts for --memory-limit, and leaves early where that is reached. With --live silence counts too.
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = time_or_off, help_heading = "Form of the messages", hide_short_help = true, hide_default_value = true)]
    pub(super) output_sort_delay: Duration,

    /// Write packets in the order of their timestamps, holding at most N of them [default: off; 100,000 with --output-sort-delay]
    #[arg(
        long,
        value_name = "N",
        default_value = "off",
        value_parser = count_or_off,
        help_heading = "Form of the messages",
        hide_short_help = true,
        hide_default_value = true
    )]
    pub(super) output_sort_queue: usize,

    /// Write SYN, FIN and RST packets for all connections
    ///
    /// Those without a message too; RST only of the side that sent it. Suricata and Zeek want them, or their midstream
    /// settings.
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    pub(super) handshake: bool,

    /// Write each request of a connection, what answers it, and then the next request
    ///
    /// Requests that are sent ahead wait until the one before them is answered, and answers that were captured ahead of their
    /// requests wait for these; so does what is written as packets, but for HTTP/2, whose frames stay as they are. For the protocols
    /// over TCP whose answers are told (HTTP, and those that answer in order or by number). An exchange is given up when a later
    /// request is answered, or when its answer has not come for --tcp-packet-timeout: pair.reset counts them. What is held counts
    /// for --memory-limit, and is 256 messages or --tcp-buffer of a connection at most.
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    pub(super) pair: bool,

    /// Write the messages of these protocols only
    ///
    /// A list of Wireshark's names, as `http,sip`; --list-protocols shows them. Common names work too: redis, modbus, smb,
    /// postgres. `!dns`: all but these. `data` stands for bytes of no known protocol.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Filters"
    )]
    pub(super) protocols: Vec<String>,

    /// What to do with data of no known protocol
    ///
    /// Of such a TCP stream a message is a run of bytes up to a PSH or a change of direction, 64 KiB at most.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "emit",
        help_heading = "Filters",
        hide_short_help = true
    )]
    pub(super) unframed: Unframed,

    /// Treat traffic on these ports as this protocol, like tshark's option
    ///
    /// `tcp.port==9000,http`, `tcp.port==9000-9010,http`, `udp.port==5061,sip`, `sctp.port==3868,diameter` (of
    /// user messages, whatever their PPID says). Of several rules that match the last one counts. No other protocol is tried then; `data` means none at all.
    /// A connection of RTMP whose handshake is not in the capture is found on port 1935, and on other ports with a rule.
    #[arg(short, long, value_name = "RULE", value_parser = decode_as, action = ArgAction::Append, help_heading = "Protocols")]
    pub(super) decode_as: Vec<DecodeAs>,

    /// Add a protocol of your own: where its length is, or what ends its messages
    ///
    /// `NAME,tcp.port==9000,len@4:u32be+8`: the bytes from 4 on are a length, of u8, u16be, u16le, u24be, ... u64le, to
    /// which 8 is added for the whole message; mqtt and ber are lengths of variable width, counted from their own end.
    /// `NAME,tcp.port==7000,until:0x0a`: the byte 0a ends a message. `NAME,udp.port==7001`: a datagram is a message;
    /// `NAME,sctp.port==7001`: so is a user message.
    /// `magic@0:0xCAFE` behind it, also several times: bytes that every message has at that place, by which they are
    /// found again after a loss. `max:64K` behind it: no message is longer, so that a larger number is no length.
    #[arg(long, value_name = "SPEC", value_parser = framer, action = ArgAction::Append, help_heading = "Protocols", hide_short_help = true)]
    pub(super) framer: Vec<UserRow>,

    /// List the protocols, with the ports that hint at them
    #[arg(
        long,
        help_heading = "Protocols",
        exclusive = true,
        hide_short_help = true
    )]
    pub(super) list_protocols: bool,

    /// Do not reassemble these transports: pass their IP datagrams through, defragmented
    ///
    /// A list of tcp, udp, sctp. Another inet-asm can go on with them: `inet-asm --disable tcp | inet-asm`. Where tcp is not
    /// among them, its connections are written as with --handshake.
    #[arg(long, value_name = "LIST", value_parser = transports, help_heading = "Processing", hide_short_help = true)]
    pub(super) disable: Option<Disabled>,

    /// How to treat copies of a connection on several channels (VLANs, tunnels)
    ///
    /// A channel is the outer and inner VLAN tag, and the identifiers of the tunnels that --decapsulate opens: VNI, key,
    /// session, TEID.
    #[arg(
        long,
        value_name = "HOW",
        default_value = "merge",
        help_heading = "Processing",
        hide_short_help = true
    )]
    pub(super) vlan: Channels,

    /// Tunnels to decapsulate: gre, erspan, vxlan, geneve, gtp, ipip, teredo, l2tp, sctp, or all [default: none]
    ///
    /// At most 8 inside of each other. VXLAN is known by the ports 4789, 8472 and 4790 (GPE), GENEVE by 6081, GTP-U by
    /// 2152, L2TP by 1701, Teredo by 3544 or its addresses, SCTP in UDP (RFC 6951) by 9899; what does not open there is a
    /// datagram like any other. `ipip` is IPv4 and IPv6 in either. A tunnel's identifier (VNI, key, session, TEID) is
    /// treated as a VLAN tag is: see --vlan.
    #[arg(long, value_name = "LIST", value_parser = tunnels, help_heading = "Processing", hide_short_help = true)]
    pub(super) decapsulate: Option<Tunnels>,

    /// Remember reassembled datagrams until --ip-packet-timeout, to recognise late copies of fragments
    #[arg(long, help_heading = "Processing", hide_short_help = true)]
    pub(super) store_fragments: bool,

    /// How to treat checksums, for all layers or one
    ///
    /// `auto` takes what offloading hardware explains; `verify` drops every wrong one; `ignore` computes none. For one
    /// layer: `ip=verify,tcp=auto`.
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = checksums, help_heading = "Processing", hide_short_help = true)]
    pub(super) checksums: ChecksumRule,

    /// Which copy wins when two segments disagree, until one is delivered
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "first",
        help_heading = "Processing",
        hide_short_help = true
    )]
    pub(super) overlap: Overlap,

    /// Remember every SCTP chunk that was given up, to tell late ones from duplicates
    ///
    /// Without it the latest 64 holes of each direction are remembered, with it 16,384.
    #[arg(long, help_heading = "Processing", hide_short_help = true)]
    pub(super) track_missing_chunks: bool,

    /// How long an IP fragment waits for the others
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time, help_heading = "Waiting", hide_short_help = true)]
    pub(super) ip_packet_timeout: Duration,

    /// How long segments wait behind a hole when no acknowledgments are captured
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time, help_heading = "Waiting", hide_short_help = true)]
    pub(super) tcp_packet_timeout: Duration,

    /// How long SCTP data chunks wait behind a hole when no acknowledgments are captured
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time, help_heading = "Waiting", hide_short_help = true)]
    pub(super) sctp_packet_timeout: Duration,

    /// Close connections, associations and flows of UDP that have been idle for this long
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time, help_heading = "Waiting", hide_short_help = true)]
    pub(super) session_timeout: Duration,

    /// How many packets, and how much time, before a hole that was acknowledged is given up
    ///
    /// N,TIME,TIME: N packets of the connection and the first time, or the second time alone.
    #[arg(long, value_name = "N,TIME,TIME", default_value = "32,20ms,1s", value_parser = reorder_window, help_heading = "Waiting", hide_short_help = true)]
    pub(super) reorder_window: ReorderWindow,

    /// How long the start of a stream captured from the middle waits for earlier segments
    ///
    /// N,TIME: N segments or this time; `off`: not at all. Both directions of an SCTP association wait for the one that begins
    /// later, so that what is asked comes ahead of what answers it.
    #[arg(long, value_name = "N,TIME", default_value = "16,200ms", value_parser = look_behind, help_heading = "Waiting", hide_short_help = true)]
    pub(super) look_behind: LookBehind,

    /// Hold messages until the other side has acknowledged them, or the packet timeout
    ///
    /// A message then knows when it was acknowledged (`acknowledged_at` of --json), and is written at that time. TCP holds
    /// bytes, within --tcp-buffer, for --tcp-packet-timeout; SCTP holds user messages for --sctp-packet-timeout, until
    /// the cumulative TSN of a SACK covers them (what stands in gap ack blocks may still be dropped). Where no
    /// acknowledgments are captured, every message waits that long. Messages that are written without one are
    /// counted: `ack_timeout`, and `ack_forced` for want of room or at the end of the connection.
    #[arg(long, help_heading = "Waiting", hide_short_help = true)]
    pub(super) wait_ack: bool,

    /// Most bytes held for one stream before its first hole is given up
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = size, help_heading = "Waiting", hide_short_help = true)]
    pub(super) tcp_buffer: usize,

    /// Most holes in one stream before the first is given up
    #[arg(
        long,
        value_name = "N",
        value_parser = number,
        default_value_t = 64,
        help_heading = "Waiting",
        hide_short_help = true
    )]
    pub(super) tcp_holes: usize,

    /// Largest jump of the sequence number that is treated as a loss
    ///
    /// A segment further ahead is held until a second one confirms it, for --tcp-packet-timeout, and 32 segments of a
    /// connection or 128 KiB at most: then the oldest is shown as a connection of its own.
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = gap_size, help_heading = "Waiting", hide_short_help = true)]
    pub(super) max_gap: u32,

    /// Most streams of one connection that are open at once, in HTTP/2; the oldest is ended for one more
    #[arg(
        long,
        value_name = "N",
        value_parser = number,
        default_value_t = 2048,
        help_heading = "Limits",
        hide_short_help = true
    )]
    pub(super) max_streams: usize,

    /// Largest extracted file, not counting holes; the rest is left out, and the list says so
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size, help_heading = "Limits", hide_short_help = true)]
    pub(super) max_file: usize,

    /// Memory limit for everything that is held
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = size, help_heading = "Limits")]
    pub(super) memory_limit: usize,

    /// Most connections followed at once, for each transport
    #[arg(
        long,
        value_name = "N",
        value_parser = number,
        default_value_t = 1_000_000,
        help_heading = "Limits",
        hide_short_help = true
    )]
    pub(super) max_connections: usize,

    /// Most fragments and segments held, for each of IP, TCP and SCTP
    #[arg(
        long,
        value_name = "N",
        value_parser = number,
        default_value_t = 100_000,
        help_heading = "Limits",
        hide_short_help = true
    )]
    pub(super) max_active_packets: usize,

    /// Most threads that work at once (default: 2 for large compressed files where two can run, else 1)
    ///
    /// With 2 or more a thread of its own decompresses gzip and zstd files while the run goes on; what is written is the same. Pipes, and
    /// files that are not compressed, are read by the thread that works on them.
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Limits", hide_short_help = true)]
    pub(super) threads: Option<NonZeroUsize>,

    /// Print the counters on stderr at the end
    ///
    /// A list of a format (text; all: also counters that are 0, and those of `runtime`; json; csv), of sections and of counters, which are
    /// shown alone: -s=json, -s=tcp,message.lost, -s=csv,http. The man page lists them (COUNTERS). `inputs` and `outputs`: what went
    /// through each of them, and when it was opened.
    #[arg(short, long, value_name = "LIST", num_args = 0..=1, require_equals = true, default_missing_value = "text", value_parser = stats, help_heading = "Observation")]
    pub(super) stats: Option<Stats>,

    /// End with status 1 where a condition on the counters holds (repeatable)
    ///
    /// EXPR compares counters, as --stats=all shows them, and numbers: `==`, `!=`, `<`, `<=`, `>`, `>=`, sums and differences
    /// (spaces around + and -; the sign of a number may stand before it, as -5), sizes (64K) and shares of a counter (`0.1% tcp.octets`). Each condition that holds is told on
    /// stderr with both its values.
    #[arg(long, value_name = "EXPR", value_parser = Condition::new, allow_hyphen_values = true, help_heading = "Observation", hide_short_help = true)]
    pub(super) fail_if: Vec<Condition>,

    /// Write statistics of SCTP links as CSV: 22 for each direction of an association, every 15 minutes of the capture
    ///
    /// A file takes all periods, one after another. A folder (one that is there, or a name that ends in a slash) gets a
    /// file for each period: sctp-000001.csv, sctp-000002.csv, ... It is made where it is not there; those that it is in have to be. A link on which nothing was seen in a period is left
    /// out. A run that goes on from a state writes behind the rows that are there; any other one begins the file anew.
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Operation",
        hide_short_help = true
    )]
    pub(super) sctp_stats: Option<PathBuf>,

    /// Read options from an INI file
    ///
    /// An entry is a long option without its dashes (`tcp-buffer = 8M`), in the section named as its heading in --help
    /// (`[Limits]`). An option without a value is `yes` or `no`; one that may be repeated stands on several lines. `;` and `#` begin
    /// a comment line. In [Input] and [Output] a name that is no entry is that of a channel, and its value an INPUT or OUTPUT. Sections and
    /// entries of INetReassembler.ini are understood; the man page lists them (CONFIGURATION). The command line is stronger
    /// than the file: --no-NAME there takes back what the file says of an option, with or without a value (--no-live, --no-dump).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation", hide_short_help = true)]
    pub(super) config: Option<PathBuf>,

    /// Print what is in force as a file for --config, and end
    #[arg(long, help_heading = "Operation", hide_short_help = true)]
    pub(super) save_config: bool,

    /// Keep all that waits in this file at the end, and on SIGUSR2, instead of giving it up
    ///
    /// The end of the input is not the end of its connections then: half messages, holes, fragments, files that have begun, counters and
    /// numbers go on in the run that loads the state, so that a capture in pieces gives what it gives as a whole. Files of --write
    /// and --json are each run's own, those of --extract and --dump go on. The file is written beside its name and put in its
    /// place: a run that is killed leaves the old one. An older state in the file that the run did not go on with is replaced, and a
    /// warning says so, and so is an empty file; what is no state, or that of another version, is left alone, and the run refused.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation", conflicts_with = "state", hide_short_help = true)]
    pub(super) save_state: Option<PathBuf>,

    /// Go on with what another run has kept in this file
    ///
    /// With the same outputs and settings; limits, time-outs, names of files for --write and --json and what is shown on stderr may be
    /// others. A state that is damaged, no state, or of another version is refused, and nothing is written.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation", conflicts_with = "state", hide_short_help = true)]
    pub(super) load_state: Option<PathBuf>,

    /// Go on from this file where it is there, and keep what waits in it at the end: one command for all pieces of a capture
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation", hide_short_help = true)]
    pub(super) state: Option<PathBuf>,

    /// Write the counters into this file as CSV, a row for each period of the capture
    ///
    /// The file is continued where it is there; `-` is stdout. Its header names the counters; where those are others than this version has, the
    /// rows go to a file with a number in its name (counters-1.csv), and a line on stderr says so. The first two columns are
    /// the beginning and end of the period, in seconds since 1970. A period without packets has a row too (with --live as it passes); over 1,000 of them
    /// one after another have one row together. Where the last row there has no end, the next one begins in a
    /// line of its own, and a line on stderr says so.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation", hide_short_help = true)]
    pub(super) counters_file: Option<PathBuf>,

    /// Length of the periods of --counters-file
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = period, help_heading = "Operation", hide_short_help = true)]
    pub(super) counters_period: Duration,

    /// Count anew behind each row of --counters-file: rows, --stats and --fail-if say what was counted in their period
    #[arg(long, help_heading = "Operation", hide_short_help = true)]
    pub(super) counters_clear: bool,

    /// Report files, interfaces and ends of connections on stderr; twice: also what is given up or dropped
    ///
    /// A line for each input (format, compression), each interface (name, link type, unit of time), and each connection at its
    /// end. Twice: also a line for each hole that is given up (connection, offset, packet, reason), for each message that is
    /// incomplete and each datagram that is cut, with what is missing and where, and for each packet that could not be used.
    /// --trace says more of chosen connections.
    #[arg(short, long, action = ArgAction::Count, help_heading = "Observation", hide_short_help = true)]
    pub(super) verbose: u8,

    /// Write messages to the end of this file instead of stderr, with time and level
    ///
    /// A line each: the time in UTC, `error`, `warning` or `info`, and what stderr would say. Errors go to stderr too, and so does
    /// what --stats and --trace print. Where it cannot be written, stderr says so once and has what it lacks, and the exit status is 2.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Observation", hide_short_help = true)]
    pub(super) log_file: Option<PathBuf>,

    /// Print errors only
    #[arg(short, long, help_heading = "Observation", conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Trace on stderr what happens to each segment, or SCTP chunk, of the connections that RULE chooses
    ///
    /// RULE is that of --connection. A line for each segment or chunk (in order, waits and for what, fills a hole, duplicate, late,
    /// keep-alive, damaged copy, before the start, held, ...), for what that brings about (delivered, gap and why, ends) and for
    /// each message: packet number, seconds since the first line, connection, an arrow from the sender, flags, place in the
    /// stream, counted from its first byte, and what happened; of a data chunk its TSN, stream, SSN or MID, PPID and length, of a
    /// SACK what it acknowledges. The endpoints of a connection stand once, above its first line.
    #[arg(long, value_name = "RULE", value_parser = ConnectionRule::new, help_heading = "Observation", hide_short_help = true)]
    pub(super) trace: Option<ConnectionRule>,

    /// Times as --print, --follow and --table show them
    #[arg(
        long,
        value_name = "FORM",
        default_value = "utc",
        help_heading = "Output",
        hide_short_help = true
    )]
    pub(super) time: TimeForm,

    /// Do not fit lines to the width of the terminal
    ///
    /// Otherwise lines are cut with an ellipsis, and hex dumps have fewer bytes in a line. Text and header fields that messages hold are
    /// shown whole, however long they are: the terminal wraps them.
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(super) wide: bool,

    /// Show on stderr how far a run has come: bytes, rate, time left, messages
    ///
    /// auto: where all inputs are regular files, stderr is a terminal that is not dumb (TERM), and the run takes longer than a second; not where stdout is a
    /// pipe, whose reader may show something on the same terminal. Never beside lines of messages on the same terminal, and not with
    /// --trace or --quiet. It is taken away at the end.
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Observation",
        hide_short_help = true
    )]
    pub(super) progress: ShownProgress,

    /// When to use colours, on stdout and stderr
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Observation",
        hide_short_help = true
    )]
    pub(super) color: Color,

    /// Show the options that people need most; --help shows all
    #[arg(short = 'h', action = ArgAction::SetTrue, help_heading = "Help")]
    pub(super) short_help: bool,

    /// Show all options
    #[arg(long, action = ArgAction::HelpLong, help_heading = "Help")]
    pub(super) help: Option<bool>,

    /// Show the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Help", hide_short_help = true)]
    pub(super) version: Option<bool>,

    /// Write the man page to stdout
    #[arg(long, help_heading = "Help", exclusive = true, hide_short_help = true)]
    pub(super) man: bool,

    /// Write completions for this shell to stdout
    #[arg(
        long,
        value_name = "SHELL",
        help_heading = "Help",
        exclusive = true,
        hide_short_help = true
    )]
    pub(super) completions: Option<clap_complete::Shell>,
}

/// The command, for tests and for those that make things from it.
pub fn command() -> clap::Command {
    // Names of values go in any case.
    Args::command().mut_args(|arg| {
        let chosen = arg.get_action().takes_values() && !arg.get_possible_values().is_empty();
        arg.ignore_case(chosen)
    })
}
