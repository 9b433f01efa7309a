//! The command line: one source for `-h`, `--help`, the man page and the completions.

pub mod config;
pub mod report;
pub mod run;

use crate::base::connection_rule::ConnectionRule;
use crate::base::limits::{Channels, Checksums, Overlap, Tunnels};
use crate::base::protocol::Name;
use crate::message::protocols;
use crate::message::rule_reader::Mistake;
use crate::message::rules::{DecodeAs, ProtocolFilter, Rules};
use crate::message::user_framer::UserRow;
use crate::sink::Target;
use crate::sink::json::{FIELDS, JsonBody, Show};
use crate::sink::options::{DumpTo, ExtractTo, JsonTo, OutputKind, OutputSpec, PrintTo};
use crate::sink::packets::{Encap, Large, PacketOptions};
use crate::sink::print::Style;
use crate::sink::streams::Template;
use crate::sink::{FileFormat, files};
use clap::builder::PossibleValue;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum};
use config::{Color, Config, StatsFormat};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

const ABOUT: &str =
    "Put the messages of a packet capture back together: one packet per application message";

const LONG_ABOUT: &str = "\
Reads a capture (pcap, pcapng) as it arrives, puts IP datagrams, TCP streams and SCTP user messages back together in \
bounded memory, finds where each application message begins and ends, and writes one packet for each message.

    tcpdump -w - | inet-asm | tshark -r -     one line per HTTP request, DNS answer, ...
    inet-asm -p big.pcap                      one readable line per message";

const AFTER: &str = "\
Sizes take K M G, KiB MiB GiB (powers of 1024); times take ms s m h.

Exit status: 0 done; 2 usage, input, output or format error. A closed stdout is a quiet, successful end.";

/// The section of the man page about `--extract`.
const FILES: &str = "\
What \\fB--extract\\fR writes into its folder: the files that were transferred, each under the name that its sender gave it \
(for HTTP, the last part of the URL; for FTP and TFTP, that of the command), without anything in it that could leave the folder or act on a terminal or a shell; a \
name that is taken is numbered: a.txt, a-1.txt. A file of which octets are missing is called NAME.part; those that are there \
stand at their true offsets, and the others are holes. The time of a file is that of its last packet. Nothing that was in the \
folder before is touched, and no symbolic link in it is followed.
.PP
Of HTTP, the bodies of requests and responses are files, without chunks, and with the codings gzip, deflate, br and zstd \
undone. The ranges of one entity (206, also of several connections, and the rest of a download that broke off) are put \
together. Where the entity stays incomplete, each range that came whole is also a file of its own, as it was sent, called by its \
first and last octet: a.100-199.txt; range_of in the list says of which file it is a range. That goes for 1,024 different ranges of one \
entity. The parts of a form (multipart/form-data) are files, and so is the form as it was sent. Where a coding is not \
known, or its octets are damaged, they are kept as they were sent, as NAME.gz or the like, beside what could be decoded of \
them. No body is decoded to more than \\fB--max-file\\fR, or to more than 256 times what was sent and 32 MiB.
.PP
FTP: what goes over the connections that a control connection on port 21, or one that begins with FTP's greeting, announces \
(PASV, EPSV, PORT, EPRT), also where these were captured before the announcement, or where an address translator changed the \
address. LIST, NLST and MLSD give LIST.txt and so on. Octets are those of the connection: text keeps the line ends of \
the network. A transfer that was broken off and is taken up with REST is one file. Where commands or replies were \
lost, a file is called by its connection: ftp-data-NUMBER. A file of no octets is known only where the server told its size.
.PP
TFTP: transfers whose request was captured, with blocks of any size, windows, and any number of blocks. Text (netascii) is \
kept as it was sent, as tshark keeps it.
.PP
The list of them, files.jsonl, has one JSON object a line; where it is there already, lines are added to it:";

/// The options, as clap reads them.
#[derive(Parser, Debug)]
#[command(name = "inet-asm", version, about = ABOUT, long_about = LONG_ABOUT, after_long_help = AFTER, max_term_width = 100)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub struct Args {
    /// Captures to read, in order, as one [default: stdin]
    ///
    /// `-` is stdin.
    #[arg(value_name = "INPUT", help_heading = "Input")]
    inputs: Vec<String>,

    /// Capture to read; the same list as INPUT
    #[arg(short, long = "read", value_name = "INPUT", action = ArgAction::Append, help_heading = "Input", hide_short_help = true)]
    read: Vec<String>,

    /// Put packets in timestamp order; each is held until another one is so much later [default: off]
    ///
    /// For cards with several receive queues, and taps that were merged. What comes later than that stays late.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time, help_heading = "Input", hide_short_help = true, hide_default_value = true)]
    sort_delay: Duration,

    /// Put packets in timestamp order, and hold so many of them at most [default: off; 100,000 with --sort-delay]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        help_heading = "Input",
        hide_short_help = true,
        hide_default_value = true
    )]
    sort_queue: usize,

    /// Write messages as packets to a capture file [default: stdout]
    ///
    /// `-` is stdout. Without any output option messages go to stdout as a capture; where stdout is a terminal,
    /// --print is meant instead.
    ///
    /// Several are possible. OUTPUT is a path, `-` or `file:PATH?KEY=VALUE&...` with the keys `protocol` (a list: only
    /// these messages go there, and an output without it takes the messages that no other output names), `kind`
    /// (messages, dropped, bypass), `encap` and `format`. A name with a question mark is quoted: file:'what?.pcap'.
    #[arg(short, long, value_name = "OUTPUT", value_parser = Target::new, allow_hyphen_values = true, action = ArgAction::Append, help_heading = "Output")]
    write: Vec<Target>,

    /// Write each packet that could not be used, as it was, with the reason as comment
    ///
    /// pcapng, unless ?format=pcap says otherwise. What is given up later, as fragments whose datagram never became
    /// whole, is counted only.
    #[arg(long, value_name = "OUTPUT", value_parser = Target::new, allow_hyphen_values = true, help_heading = "Output", hide_short_help = true)]
    dropped: Option<Target>,

    /// Write each input packet as it was, also the dropped ones
    ///
    /// pcapng, unless ?format=pcap says otherwise; a pcap file takes the packets of the first link type only.
    #[arg(long, value_name = "OUTPUT", value_parser = Target::new, allow_hyphen_values = true, help_heading = "Output", hide_short_help = true)]
    bypass: Option<Target>,

    /// Write no messages
    #[arg(short, long, help_heading = "Output", conflicts_with_all = ["write", "print"])]
    no_output: bool,

    /// Print a line for each message
    ///
    /// `full` adds header fields and the first 100 octets of the body.
    #[arg(short, long, value_name = "STYLE", num_args = 0..=1, require_equals = true, default_missing_value = "brief", help_heading = "Output")]
    print: Option<Style>,

    /// Write one JSON object a line: messages, gaps, connections
    ///
    /// `-` is stdout. The man page lists the fields.
    #[arg(short, long, value_name = "OUTPUT", value_parser = Target::new, allow_hyphen_values = true, help_heading = "Output")]
    json: Option<Target>,

    /// What the JSON shows of the octets of a message
    #[arg(
        long,
        value_name = "FORM",
        default_value = "none",
        help_heading = "Output",
        hide_short_help = true
    )]
    json_body: JsonBody,

    /// Show the SHA-256 of each whole message in the JSON
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    hash: bool,

    /// Write a file for each stream, with its octets, into this folder
    ///
    /// Named as tcpflow names them; UDP and SCTP streams end in .udp and .sctp. A gap is a hole in the file and stands in
    /// NAME.gaps (offset, length, cause). What is in DIR already is not touched, and no symbolic link in it is followed: the
    /// next file is called ...c1. A file's modification time is that of the packet which brought its last octet.
    /// `-` writes the streams that --connection chooses to stdout, where a number means a connection of TCP or SCTP, and
    /// `A:p-B:p` one direction.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    dump: Option<PathBuf>,

    /// Names of the stream files
    ///
    /// %A %a %B %b source and destination address and port; %E %e their link addresses; %V%v --VLAN; %T %t time of the
    /// first octet; %C%c count where others have the name; %N %K %M %G digits of the stream's number; %S the connection's
    /// number in 20 digits; %# as --print shows it, for both directions (so the second file has a count behind it); %% a
    /// percent sign. A slash makes a folder. Without %c or %#, %C%c is added. A part of which nothing is left is called _.
    #[arg(long, value_name = "TEMPLATE", default_value = crate::sink::streams::DEFAULT_TEMPLATE, value_parser = Template::new, help_heading = "Output", hide_short_help = true, requires = "dump")]
    dump_name: Template,

    /// Write the files that were transferred into this folder
    ///
    /// Bodies of HTTP requests and responses, their codings undone, and the parts of forms; FTP data connections; TFTP.
    /// DIR/files.jsonl lists them, one JSON object a line; the man page says more (FILES). A file of which octets are
    /// missing is called NAME.part. What is in DIR already is not touched.
    #[arg(short = 'x', long, value_name = "DIR", help_heading = "Output")]
    extract: Option<PathBuf>,

    /// Flush the output after each packet
    #[arg(short = 'U', long, help_heading = "Output", hide_short_help = true)]
    packet_buffered: bool,

    /// Connections to write, for all outputs
    ///
    /// A list, parted by commas: numbers as --print shows them, `all`, an address, `address:port`, or `A:p-B:p`, with
    /// which `--dump -` writes the stream from A to B.
    #[arg(long, value_name = "RULE", value_parser = ConnectionRule::new, help_heading = "Choice", hide_short_help = true)]
    connection: Option<ConnectionRule>,

    /// Link layer of the packets written
    #[arg(
        long,
        value_name = "FORM",
        default_value = "auto",
        help_heading = "Form of the messages"
    )]
    encap: Encap,

    /// Format of the capture files written
    ///
    /// pcapng keeps the names of the input's interfaces, and takes comments.
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Form of the messages",
        hide_short_help = true
    )]
    format: Option<FileFormat>,

    /// What becomes of a message that is larger than an IP packet
    #[arg(
        long,
        value_name = "HOW",
        default_value = "split",
        help_heading = "Form of the messages",
        hide_short_help = true
    )]
    large: Large,

    /// Octets of a message in one packet, at most, with --large jumbo and snap [default: 262,144 less headers]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Form of the messages", hide_short_help = true)]
    max_message: Option<usize>,

    /// Write zeros where octets are missing inside a message
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    fill_gaps: bool,

    /// Write a comment to each message: protocol, summary, frames, gaps; means --format pcapng
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    info: bool,

    /// Write a comment to each packet that tells where its octets stood in the input; means --format pcapng
    ///
    /// As "track: 12:66+1448 14:66+952 lost+100": octets in the order of the message, of each run the number of the input's
    /// packet, from 1, the offset in that packet, and the length. An offset that is not known is a question mark; lost are
    /// octets that no packet brought. What stands behind a hole, and is left out of the packet, is listed too.
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    track: bool,

    /// Timestamps: never going back, or as they were
    #[arg(
        long,
        value_name = "HOW",
        default_value = "monotone",
        help_heading = "Form of the messages",
        hide_short_help = true
    )]
    timestamps: Times,

    /// Write SYN, FIN and RST packets for all connections
    ///
    /// Suricata and Zeek want them, or their midstream settings.
    #[arg(long, help_heading = "Form of the messages", hide_short_help = true)]
    handshake: bool,

    /// Hand on the messages of these protocols only
    ///
    /// A list of Wireshark's names, as `http,sip`; --list-protocols shows them. `data` is what has no known protocol.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Choice"
    )]
    protocols: Vec<String>,

    /// What to do about octets of no known protocol
    ///
    /// Of such a TCP stream a message is a run of octets up to a PSH or a change of direction, 64 KiB at most.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "emit",
        help_heading = "Choice",
        hide_short_help = true
    )]
    unframed: Unframed,

    /// Take connections or datagrams on these ports for this protocol, as tshark's option
    ///
    /// `tcp.port==9000,http`, `tcp.port==9000-9010,http`, `udp.port==5061,sip`, `sctp.port==3868,diameter` (of
    /// user messages, whatever their PPID says). Of several rules that match the last one counts. Nothing else is tried then; `data`: no protocol at all.
    #[arg(short, long, value_name = "RULE", value_parser = decode_as, action = ArgAction::Append, help_heading = "Protocols")]
    decode_as: Vec<DecodeAs>,

    /// Add a protocol: where its length stands, or what ends its messages
    ///
    /// `NAME,tcp.port==9000,len@4:u32be+8`: the octets from 4 on are a length, of u8, u16be, u16le, u24be, ... u64le, to
    /// which 8 is added for the whole message; mqtt and ber are lengths of variable width, counted from their own end.
    /// `NAME,tcp.port==7000,until:0x0a`: the octet 0a ends a message. `NAME,udp.port==7001`: a datagram is a message;
    /// `NAME,sctp.port==7001`: so is a user message.
    /// `magic@0:0xCAFE` behind it, also several times: octets that every message has at that place, by which they are
    /// found again after a loss.
    #[arg(long, value_name = "SPEC", value_parser = framer, action = ArgAction::Append, help_heading = "Protocols", hide_short_help = true)]
    framer: Vec<UserRow>,

    /// List the protocols, with the ports that hint at them
    #[arg(
        long,
        help_heading = "Protocols",
        exclusive = true,
        hide_short_help = true
    )]
    list_protocols: bool,
    /// Transports whose IP datagrams are written unprocessed, but whole
    ///
    /// A list of tcp, udp, sctp. Another inet-asm can go on with them: `inet-asm --disable tcp | inet-asm`.
    #[arg(long, value_name = "LIST", value_parser = transports, help_heading = "Processing", hide_short_help = true)]
    disable: Option<Disabled>,

    /// What copies of a packet on several VLANs are to each other
    #[arg(
        long,
        value_name = "HOW",
        default_value = "merge",
        help_heading = "Processing",
        hide_short_help = true
    )]
    vlan: Channels,

    /// Tunnels to open: gre, erspan, vxlan, geneve, gtp, ipip, teredo, l2tp, or all [default: none]
    ///
    /// At most 8 inside of each other. VXLAN is known by the ports 4789, 8472 and 4790 (GPE), GENEVE by 6081, GTP-U by
    /// 2152, L2TP by 1701, Teredo by 3544 or its addresses; what does not open there is a datagram like any other. `ipip`
    /// is IPv4 and IPv6 in either. What a tunnel calls itself tells connections apart: the same addresses and ports in
    /// two of them are two connections.
    #[arg(long, value_name = "LIST", value_parser = tunnels, help_heading = "Processing", hide_short_help = true)]
    decapsulate: Option<Tunnels>,

    /// Keep the keys of whole datagrams until --ip-packet-timeout, to know late copies of their fragments
    #[arg(long, help_heading = "Processing", hide_short_help = true)]
    store_fragments: bool,

    /// What to do about checksums, for all layers or one
    ///
    /// `auto` takes what offloading hardware explains; `verify` drops every wrong one; `ignore` computes none. For one
    /// layer: `ip=verify,tcp=auto`.
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = checksums, help_heading = "Processing", hide_short_help = true)]
    checksums: ChecksumRule,

    /// Which of two differing copies of an octet stays while it waits
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "first",
        help_heading = "Processing",
        hide_short_help = true
    )]
    overlap: Overlap,

    /// Remember each missing SCTP data chunk that was given up, so that late ones are told from duplicates
    ///
    /// Without it the latest 64 holes of each direction are remembered, with it 16,384.
    #[arg(long, help_heading = "Processing", hide_short_help = true)]
    track_missing_chunks: bool,

    /// How long a fragment waits for the others
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time, help_heading = "Waiting", hide_short_help = true)]
    ip_packet_timeout: Duration,

    /// How long a segment waits behind a hole where no acknowledgments are captured
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time, help_heading = "Waiting", hide_short_help = true)]
    tcp_packet_timeout: Duration,

    /// How long a data chunk waits behind a hole where no acknowledgments are captured
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time, help_heading = "Waiting", hide_short_help = true)]
    sctp_packet_timeout: Duration,

    /// A connection or association that is idle for so long is closed
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time, help_heading = "Waiting", hide_short_help = true)]
    session_timeout: Duration,

    /// Packets and time, or time alone, that go by before an acknowledged hole is given up
    ///
    /// N,TIME,TIME: N packets of the connection and the first time, or the second time alone.
    #[arg(long, value_name = "N,TIME,TIME", default_value = "32,20ms,1s", value_parser = reorder_window, help_heading = "Waiting", hide_short_help = true)]
    reorder_window: ReorderWindow,

    /// How long the beginning of a stream captured from the middle is held for earlier segments
    ///
    /// N,TIME: N segments or this time; `off`: not at all.
    #[arg(long, value_name = "N,TIME", default_value = "16,200ms", value_parser = look_behind, help_heading = "Waiting", hide_short_help = true)]
    look_behind: LookBehind,

    /// Hold messages until the other side has acknowledged their octets, or the packet timeout
    ///
    /// A message then knows when it was acknowledged (`acknowledged_at` of --json), and is written at that time. TCP holds
    /// octets, within --tcp-buffer, for --tcp-packet-timeout; SCTP holds user messages for --sctp-packet-timeout, until
    /// the cumulative TSN of a SACK covers them (what stands in gap ack blocks may still be dropped). Where no
    /// acknowledgments are captured, every message waits that long. What is handed on without one is counted:
    /// `ack_timeout`, and `ack_forced` for want of room or at the end of the connection.
    #[arg(long, help_heading = "Waiting", hide_short_help = true)]
    wait_ack: bool,

    /// Octets that wait on one stream; then its first hole is given up
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = size, help_heading = "Waiting", hide_short_help = true)]
    tcp_buffer: usize,

    /// Holes in one stream; then the first is given up
    #[arg(
        long,
        value_name = "N",
        default_value_t = 64,
        help_heading = "Waiting",
        hide_short_help = true
    )]
    tcp_holes: usize,

    /// A jump of the sequence number over this is no hole
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = gap_size, help_heading = "Waiting", hide_short_help = true)]
    max_gap: u32,

    /// Size of an extracted file; octets beyond it are left out, and the list says so
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size, help_heading = "Limits", hide_short_help = true)]
    max_file: usize,

    /// Memory for all that waits
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = size, help_heading = "Limits")]
    memory_limit: usize,

    /// Connections known at once, for each transport
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        help_heading = "Limits",
        hide_short_help = true
    )]
    max_connections: usize,

    /// Fragments and segments that wait, each of IP, TCP, SCTP
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        help_heading = "Limits",
        hide_short_help = true
    )]
    max_active_packets: usize,

    /// Print the counters on stderr at the end
    #[arg(short, long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text", help_heading = "Observation")]
    stats: Option<StatsFormat>,

    /// Write statistics of SCTP links as CSV: 22 for each direction of an association, every 15 minutes of the capture
    ///
    /// A file takes all periods, one after another. A folder (one that is there, or a name that ends in a slash) gets a
    /// file for each period: sctp-000001.csv, sctp-000002.csv, ... A link on which nothing was seen in a period is left
    /// out.
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Operation",
        hide_short_help = true
    )]
    sctp_stats: Option<PathBuf>,

    /// Say more; twice: even more
    #[arg(short, long, action = ArgAction::Count, help_heading = "Observation", hide_short_help = true)]
    verbose: u8,

    /// Say nothing but errors
    #[arg(short, long, help_heading = "Observation", conflicts_with = "verbose")]
    quiet: bool,

    /// Say on stderr what becomes of each segment of the connections that RULE chooses
    ///
    /// A number as --print shows it, a list of them, `all`, an address, address:port, or A:p-B:p. A line for each segment
    /// (in order, waits and for what, fills a hole, duplicate, late, keep-alive, damaged copy, before the start, held, ...),
    /// for what that brings about (delivered, gap and why, ends) and for each message: packet number, time (UTC), connection,
    /// sender and receiver, flags, place in the stream, counted from its first octet, and what happened.
    #[arg(long, value_name = "RULE", value_parser = ConnectionRule::new, help_heading = "Observation", hide_short_help = true)]
    trace: Option<ConnectionRule>,

    /// Colour of --print
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Observation",
        hide_short_help = true
    )]
    color: Color,

    /// Show the options that people need most; --help shows all
    #[arg(short = 'h', action = ArgAction::HelpShort, help_heading = "Help")]
    short_help: Option<bool>,

    /// Show all options
    #[arg(long, action = ArgAction::HelpLong, help_heading = "Help")]
    help: Option<bool>,

    /// Show the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Help", hide_short_help = true)]
    version: Option<bool>,

    /// Write the man page to stdout
    #[arg(long, help_heading = "Help", exclusive = true, hide_short_help = true)]
    man: bool,

    /// Write completions for this shell to stdout
    #[arg(
        long,
        value_name = "SHELL",
        help_heading = "Help",
        exclusive = true,
        hide_short_help = true
    )]
    completions: Option<clap_complete::Shell>,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Request {
    /// A run.
    Run(Box<Config>),
    /// The man page on stdout.
    Man,
    /// Completions on stdout.
    Completions(clap_complete::Shell),
    /// The table of protocols on stdout.
    Protocols,
}

/// The command, for tests and for those that make things from it.
pub fn command() -> clap::Command {
    Args::command()
}

/// Reads the command line. `stdout_is_terminal` decides what is meant without an output option.
///
/// # Errors
///
/// What clap says: a wrong option, or help that was asked for. Its `exit` shows it the right way.
pub fn parse(
    args: impl IntoIterator<Item = std::ffi::OsString>,
    stdout_is_terminal: bool,
) -> Result<Request, clap::Error> {
    let matches = command().try_get_matches_from(args)?;
    let args = Args::from_arg_matches(&matches)?;
    if args.man {
        return Ok(Request::Man);
    }
    if args.list_protocols {
        return Ok(Request::Protocols);
    }
    if let Some(shell) = args.completions {
        return Ok(Request::Completions(shell));
    }
    // Both lists in the order in which they stand on the command line.
    let mut inputs: Vec<(usize, String)> = Vec::new();
    for (id, values) in [("inputs", args.inputs), ("read", args.read)] {
        inputs.extend(matches.indices_of(id).into_iter().flatten().zip(values));
    }
    inputs.sort_by_key(|(at, _)| *at);
    let mut config = Config {
        inputs: inputs.into_iter().map(|(_, name)| name).collect(),
        stats: args.stats,
        verbose: args.verbose,
        quiet: args.quiet,
        sctp_stats: args.sctp_stats,
        sort_delay: args.sort_delay,
        sort_queue: args.sort_queue,
        ..Config::default()
    };
    if config.inputs.is_empty() {
        config.inputs.push("-".to_owned());
    }
    let form = PacketOptions {
        encap: args.encap,
        format: args.format.unwrap_or(if args.info || args.track {
            FileFormat::Pcapng
        } else {
            FileFormat::Pcap
        }),
        large: args.large,
        max_message: args.max_message.unwrap_or(0),
        fill_gaps: args.fill_gaps,
        info: args.info,
        track: args.track,
        original_times: args.timestamps == Times::Original,
        handshake: args.handshake,
        packet_buffered: args.packet_buffered,
    };
    let color = match args.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => stdout_is_terminal && std::env::var_os("NO_COLOR").is_none(),
    };
    let print = |style| PrintTo {
        style,
        color,
        packet_buffered: args.packet_buffered,
    };
    let written = args.write.into_iter().map(|t| (t, OutputKind::Messages));
    let dropped = args.dropped.into_iter().map(|t| (t, OutputKind::Dropped));
    let bypass = args.bypass.into_iter().map(|t| (t, OutputKind::Bypass));
    for (target, what) in written.chain(dropped).chain(bypass) {
        let spec = output(target, what, form, args.format, !args.framer.is_empty())
            .map_err(|what| command().error(clap::error::ErrorKind::ValueValidation, what))?;
        config.sink.outputs.push(spec);
    }
    if let Some(style) = args.print {
        config.sink.print = Some(print(style));
    }
    config.sink.dump = args.dump.map(|dir| DumpTo {
        dir,
        template: args.dump_name,
        packet_buffered: args.packet_buffered,
    });
    config.sink.extract = args.extract.map(|dir| ExtractTo {
        dir,
        max_file: args.max_file as u64,
    });
    config.sink.connection = args.connection;
    config.trace = args.trace;
    config.sink.json = args.json.map(|target| JsonTo {
        target,
        show: Show {
            body: args.json_body,
            hash: args.hash,
        },
        packet_buffered: args.packet_buffered,
    });
    let no_output = args.no_output
        || config.sink.dump.is_some()
        || config.sink.json.is_some()
        || config.sink.extract.is_some();
    if !no_output
        && config
            .sink
            .outputs
            .iter()
            .all(|o| o.what != OutputKind::Messages)
        && config.sink.print.is_none()
    {
        if stdout_is_terminal {
            config.sink.print = Some(print(Style::Brief));
        } else {
            config.sink.outputs.push(OutputSpec {
                target: Target::stdout(),
                what: OutputKind::Messages,
                protocols: Vec::new(),
                form,
            });
        }
    }
    let raw = config
        .sink
        .dump
        .as_ref()
        .is_some_and(|d| d.dir.as_os_str() == "-");
    let stdout_users = config
        .sink
        .outputs
        .iter()
        .filter(|o| o.target.name == "-")
        .count()
        + usize::from(config.sink.print.is_some())
        + usize::from(
            config
                .sink
                .json
                .as_ref()
                .is_some_and(|j| j.target.name == "-"),
        )
        + usize::from(raw)
        + usize::from(
            config
                .sctp_stats
                .as_ref()
                .is_some_and(|p| p.as_os_str() == "-"),
        );
    if raw && config.sink.connection.is_none() {
        return Err(command().error(
            clap::error::ErrorKind::MissingRequiredArgument,
            "--dump - writes the streams that --connection chooses: name one, as --connection 0",
        ));
    }
    if stdout_users > 1 {
        return Err(command().error(
            clap::error::ErrorKind::ArgumentConflict,
            "--print, --write -, --json -, --dump - and --sctp-stats - all write to stdout: choose one, or write to a file",
        ));
    }
    config.rules = rules(args.protocols, args.unframed, args.decode_as, args.framer)?;
    let l = &mut config.limits;
    l.memory = args.memory_limit;
    l.connections = args.max_connections;
    l.active_packets = args.max_active_packets;
    l.ip_packet_timeout = args.ip_packet_timeout;
    l.tcp_packet_timeout = args.tcp_packet_timeout;
    l.sctp_packet_timeout = args.sctp_packet_timeout;
    l.session_timeout = args.session_timeout;
    l.track_missing_chunks = args.track_missing_chunks;
    l.reorder_packets = args.reorder_window.packets;
    l.reorder_time = args.reorder_window.time;
    l.reorder_alone = args.reorder_window.alone;
    l.look_behind_segments = args.look_behind.segments;
    l.look_behind_time = args.look_behind.time;
    l.wait_ack = args.wait_ack;
    l.tcp_buffer = args.tcp_buffer;
    l.tcp_holes = args.tcp_holes;
    l.max_gap = args.max_gap;
    l.overlap = args.overlap;
    let c = args.checksums;
    l.channels = args.vlan;
    l.store_fragments = args.store_fragments;
    l.decapsulate = args.decapsulate.unwrap_or_default();
    let disabled = args.disable.unwrap_or_default();
    l.disable_tcp = disabled.tcp;
    l.disable_udp = disabled.udp;
    l.disable_sctp = disabled.sctp;
    l.ip_checksums = c.ip;
    l.tcp_checksums = c.tcp;
    l.udp_checksums = c.udp;
    l.sctp_checksums = c.sctp;
    Ok(Request::Run(Box::new(config)))
}

/// What an OUTPUT asks for: `form`, but for what its options say. Originals are pcapng where nobody asks for a format.
fn output(
    target: Target,
    what: OutputKind,
    form: PacketOptions,
    format: Option<FileFormat>,
    own_protocols: bool,
) -> Result<OutputSpec, String> {
    fn choice<T: ValueEnum>(key: &str, value: &str) -> Result<T, String> {
        T::from_str(value, false).map_err(|e| format!("{key}={value}: {e}"))
    }
    let (mut format, mut spec) = (
        format,
        OutputSpec {
            target,
            what,
            protocols: Vec::new(),
            form,
        },
    );
    for (key, value) in &spec.target.options {
        match key.as_str() {
            "protocol" => {
                for name in value.split(',') {
                    let known = name == "data" || protocols().iter().any(|p| p.name == name);
                    if !known && !own_protocols {
                        return Err(format!(
                            "{name}: no such protocol: --list-protocols shows them"
                        ));
                    }
                    spec.protocols.push(name.to_owned());
                }
            }
            "kind" => spec.what = choice(key, value)?,
            "encap" => spec.form.encap = choice(key, value)?,
            "format" => format = Some(choice(key, value)?),
            _ => {
                return Err(format!(
                    "{key}: no such option of an output: expected protocol, kind, encap or format"
                ));
            }
        }
    }
    spec.form.format = match (format, spec.what) {
        (Some(format), _) => format,
        (None, OutputKind::Messages) => spec.form.format,
        (None, _) => FileFormat::Pcapng,
    };
    Ok(spec)
}

/// Writes the man page.
///
/// # Errors
///
/// Those of the writer.
pub fn man(out: &mut dyn Write) -> io::Result<()> {
    // The man page has no first screen: all options stand in it.
    let command = command().mut_args(|a| a.hide_short_help(false));
    clap_mangen::Man::new(command).render(out)?;
    writeln!(out, ".SH \"JSON OUTPUT\"")?;
    writeln!(
        out,
        "The objects of \\fB\\-\\-json\\fR, one a line, and their fields:"
    )?;
    for (kinds, name, text) in FIELDS {
        let kinds = kinds.replace(' ', ", ");
        writeln!(
            out,
            ".TP\n\\fB{name}\\fR ({kinds})\n{}",
            text.replace('-', "\\-")
        )?;
    }
    writeln!(out, ".SH FILES\n{}", FILES.replace('-', "\\-"))?;
    for (name, text) in files::FIELDS {
        writeln!(out, ".TP\n\\fB{name}\\fR\n{}", text.replace('-', "\\-"))?;
    }
    Ok(())
}

/// Writes completions for a shell.
pub fn completions(shell: clap_complete::Shell, out: &mut dyn Write) {
    clap_complete::generate(shell, &mut command(), "inet-asm", out);
}

/// A size in octets: a number, with K, M or G (KiB, MiB, GiB) behind it.
fn size(text: &str) -> Result<usize, String> {
    let wrong = || "expected a size: a number, with K, M or G behind it, as 64K or 4MiB".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "K" | "k" | "KiB" => 10,
        "M" | "m" | "MiB" => 20,
        "G" | "g" | "GiB" => 30,
        _ => return Err(wrong()),
    };
    let number: usize = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "too large a size".to_owned())
}

fn decode_as(text: &str) -> Result<DecodeAs, Mistake> {
    DecodeAs::parse(text)
}

fn framer(text: &str) -> Result<UserRow, Mistake> {
    UserRow::parse(text)
}

/// What is said about protocols, whose names must be known.
fn rules(
    protocols: Vec<String>,
    unframed: Unframed,
    decode_as: Vec<DecodeAs>,
    framers: Vec<UserRow>,
) -> Result<Rules, clap::Error> {
    let wrong = |name: &str| {
        command().error(
            clap::error::ErrorKind::ValueValidation,
            format!(
                "{name}: no protocol of this name: --list-protocols shows them, --framer adds one"
            ),
        )
    };
    let mut rules = Rules {
        decode_as,
        framers,
        filter: ProtocolFilter {
            protocols: Vec::new(),
            drop_unframed: unframed == Unframed::Drop,
        },
    };
    for name in protocols {
        rules
            .filter
            .protocols
            .push(Name::new(&name).ok_or_else(|| wrong(&name))?);
    }
    match rules.unknown_name() {
        Some(name) => Err(wrong(name)),
        None => Ok(rules),
    }
}

/// The table of protocols: name, transport, ports, what it is.
///
/// # Errors
///
/// Those of the writer.
pub fn list_protocols(out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<_> = protocols()
        .into_iter()
        .map(|p| {
            let ports: Vec<_> = p.ports.iter().map(u16::to_string).collect();
            (p.name, p.transport, ports.join(","), p.about)
        })
        .collect();
    let width = rows.iter().map(|r| r.0.len()).max().unwrap_or(0);
    // The ports of one protocol may be many: what it is goes before them.
    let about = rows.iter().map(|r| r.3.len()).max().unwrap_or(0);
    for (name, transport, ports, text) in rows {
        let line = format!("{name:width$}  {transport}  {text:about$}  {ports}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A size below half of the sequence numbers.
fn gap_size(text: &str) -> Result<u32, String> {
    u32::try_from(size(text)?)
        .ok()
        .filter(|n| *n <= 1 << 30)
        .ok_or_else(|| "expected a size of 1G at most".to_owned())
}

/// A time: a number with ms, s, m or h behind it.
fn time(text: &str) -> Result<Duration, String> {
    let wrong =
        || "expected a time: a number with ms, s, m or h behind it, as 200ms or 1h".to_owned();
    let digits = text
        .bytes()
        .take_while(|c| c.is_ascii_digit() || *c == b'.')
        .count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" if text == "0" => 1.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit)
        .ok()
        .filter(|d| d.as_secs() < 1 << 32)
        .ok_or_else(|| "too long a time".to_owned())
}

/// Names of tunnels.
fn tunnels(text: &str) -> Result<Tunnels, String> {
    Tunnels::parse(text).map_err(|name| {
        let known = crate::base::limits::Tunnel::ALL.map(crate::base::limits::Tunnel::name);
        format!(
            "{name}: expected all, none, or some of {}",
            known.join(", ")
        )
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Disabled {
    tcp: bool,
    udp: bool,
    sctp: bool,
}

/// Names of transports.
fn transports(text: &str) -> Result<Disabled, String> {
    let mut disabled = Disabled::default();
    for name in text.split(',') {
        match name.trim() {
            "tcp" => disabled.tcp = true,
            "udp" => disabled.udp = true,
            "sctp" => disabled.sctp = true,
            other => return Err(format!("{other}: expected some of tcp, udp, sctp")),
        }
    }
    Ok(disabled)
}

#[derive(Clone, Debug)]
struct ReorderWindow {
    packets: u32,
    time: Duration,
    alone: Duration,
}

fn reorder_window(text: &str) -> Result<ReorderWindow, String> {
    let wrong = || "expected N,TIME,TIME, as 32,20ms,1s".to_owned();
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

#[derive(Clone, Debug)]
struct LookBehind {
    segments: u32,
    time: Duration,
}

fn look_behind(text: &str) -> Result<LookBehind, String> {
    let wrong = || "expected N,TIME, as 16,200ms, or off".to_owned();
    if text == "off" {
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

#[derive(Clone, Copy, Debug, Default)]
struct ChecksumRule {
    ip: Checksums,
    tcp: Checksums,
    udp: Checksums,
    sctp: Checksums,
}

fn checksums(text: &str) -> Result<ChecksumRule, String> {
    let how = |word: &str| match word {
        "auto" => Ok(Checksums::Auto),
        "verify" => Ok(Checksums::Verify),
        "ignore" => Ok(Checksums::Ignore),
        _ => Err(format!(
            "{word}: expected auto, verify or ignore, for one layer as ip=verify"
        )),
    };
    let mut rule = ChecksumRule::default();
    for part in text.split(',') {
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
                    "{layer}: expected one of the layers ip, tcp, udp, sctp"
                ));
            }
        }
    }
    Ok(rule)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Unframed {
    /// They are messages of the protocol `data`
    Emit,
    /// They are counted only
    Drop,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Times {
    /// Never going back
    Monotone,
    /// As they were
    Original,
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
    Jumbo = "jumbo": "one packet of up to 262,144 octets, a train beyond",
    Snap = "snap": "one packet, cut at --max-message as a snapshot length does",
});
choice!(OutputKind {
    Messages = "messages": "messages",
    Dropped = "dropped": "packets that could not be used",
    Bypass = "bypass": "all packets",
});
choice!(JsonBody {
    None = "none": "nothing",
    Text = "text": "UTF-8; what is none is replaced",
    Base64 = "base64": "base64",
});
choice!(Style {
    Brief = "brief": "one line",
    Full = "full": "and header fields and the first 100 octets of the body",
});
choice!(Overlap {
    First = "first": "the octets that came first",
    Last = "last": "the newer ones, as long as they have not been delivered",
});
choice!(Channels {
    Merge = "merge": "one connection, where the numbers fit; a hole of one is filled from another",
    First = "first": "one connection, which is followed where it was first seen",
    Separate = "separate": "connections of their own",
});
choice!(StatsFormat {
    Text = "text": "aligned, with descriptions",
    Json = "json": "one object",
    Csv = "csv": "a header line and a row",
});
choice!(Color {
    Auto = "auto": "on a terminal, unless NO_COLOR is set",
    Always = "always": "always",
    Never = "never": "never",
});

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str], terminal: bool) -> Result<Config, String> {
        let args = std::iter::once("inet-asm").chain(args.iter().copied());
        match parse(args.map(Into::into), terminal) {
            Ok(Request::Run(config)) => Ok(*config),
            Ok(other) => Err(format!("{other:?}")),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
        let mut page = Vec::new();
        man(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let help = command().render_long_help().to_string();
        let short = command().render_help().to_string();
        for arg in command().get_arguments() {
            if let Some(long) = arg.get_long() {
                assert!(help.contains(&format!("--{long}")), "{long}");
                let escaped = long.replace('-', "\\-");
                assert!(page.contains(&format!("\\-\\-{escaped}")), "{long}");
            }
        }
        assert!(short.lines().count() <= 40, "{short}");
    }

    #[test]
    fn without_an_output_stdout_is_one() {
        let c = config(&[], false).unwrap();
        assert_eq!(
            (c.inputs, c.sink.outputs.len(), c.sink.print),
            (vec!["-".to_owned()], 1, None)
        );
        let c = config(&["a"], true).unwrap();
        assert!(c.sink.outputs.is_empty() && c.sink.print.is_some_and(|p| p.color));
        let c = config(&["-w", "-"], true).unwrap();
        assert!(c.sink.outputs.len() == 1 && c.sink.print.is_none());
        let c = config(&["-n"], false).unwrap();
        assert!(c.sink.outputs.is_empty() && c.sink.print.is_none());
        let c = config(&["--dump", "d"], false).unwrap();
        assert!(c.sink.outputs.is_empty() && c.sink.dump.is_some());
        let c = config(&["-p=full", "-w", "x.pcap"], false).unwrap();
        assert!(
            c.sink.outputs.len() == 1
                && c.sink
                    .print
                    .is_some_and(|p| p.style == Style::Full && !p.color)
        );
        assert!(
            config(&["-p", "-w", "-"], false)
                .unwrap_err()
                .contains("stdout")
        );
    }

    #[test]
    fn inputs_stay_in_order() {
        let c = config(&["a", "-r", "b", "c", "--read=d"], false).unwrap();
        assert_eq!(c.inputs, ["a", "b", "c", "d"]);
    }

    #[test]
    fn defaults_are_those_of_the_limits() {
        let c = config(&[], false).unwrap();
        assert_eq!(
            format!("{:?}", c.limits),
            format!("{:?}", crate::base::limits::Limits::default())
        );
    }

    #[test]
    fn values_are_checked() {
        let c = config(
            &[
                "--tcp-buffer=64K",
                "--memory-limit",
                "1GiB",
                "--session-timeout=2m",
                "--reorder-window=8,5ms,1.5s",
                "--look-behind=off",
                "--checksums=verify,tcp=auto",
                "--max-gap=1M",
                "--overlap=last",
            ],
            false,
        )
        .unwrap()
        .limits;
        assert_eq!(
            (c.tcp_buffer, c.memory, c.max_gap),
            (65_536, 1 << 30, 1 << 20)
        );
        assert_eq!(c.session_timeout, Duration::from_secs(120));
        assert_eq!(
            (c.reorder_packets, c.reorder_alone),
            (8, Duration::from_millis(1500))
        );
        assert_eq!((c.look_behind_segments, c.overlap), (0, Overlap::Last));
        assert_eq!(
            (c.ip_checksums, c.tcp_checksums),
            (Checksums::Verify, Checksums::Auto)
        );
        let c = config(
            &[
                "--decapsulate=gre,gtp",
                "--disable=tcp,sctp",
                "--vlan=separate",
                "--store-fragments",
                "--ip-packet-timeout=3s",
                "--sort-delay=10ms",
                "--sort-queue=7",
            ],
            false,
        )
        .unwrap();
        assert_eq!((c.sort_delay, c.sort_queue), (Duration::from_millis(10), 7));
        let c = c.limits;
        assert!(c.decapsulate.contains(crate::base::limits::Tunnel::Gtp));
        assert!(!c.decapsulate.contains(crate::base::limits::Tunnel::Vxlan));
        assert!(c.disable_tcp && !c.disable_udp && c.disable_sctp && c.store_fragments);
        assert_eq!(c.channels, Channels::Separate);
        assert_eq!(c.ip_packet_timeout, Duration::from_secs(3));
        for (arg, names) in [
            ("--tcp-buffer=64X", "64K or 4MiB"),
            ("--tcp-buffer=99999999999999999G", "too large"),
            ("--session-timeout=10", "ms, s, m or h"),
            ("--session-timeout=-1s", "ms, s, m or h"),
            ("--session-timeout=99999999999999h", "too long"),
            ("--max-gap=2G", "1G at most"),
            ("--look-behind=5", "16,200ms"),
            ("--reorder-window=5", "32,20ms,1s"),
            ("--checksums=ip=maybe", "verify"),
            ("--checksums=arp=auto", "ip, tcp, udp, sctp"),
            ("--encap=token-ring", "ethernet"),
            ("--decapsulate=gre,ftp", "vxlan"),
            ("--disable=tcp,icmp", "sctp"),
            ("--vlan=all", "separate"),
            ("--sort-delay=10", "ms, s, m or h"),
        ] {
            let error = config(&[arg], false).unwrap_err();
            let option = arg.split('=').next().unwrap();
            assert!(error.contains(option) && error.contains(names), "{error}");
        }
        let e = config(&["--dump=x", "--dump-name=../%c"], false).unwrap_err();
        assert!(e.contains("--dump-name") && e.contains("folder"), "{e}");
    }

    #[test]
    fn an_output_that_is_an_input_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcap");
        std::fs::write(&path, "precious").unwrap();
        std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
        let link = dir.path().join("link").display().to_string();
        let c = config(&["-w", &link, &path.display().to_string()], false).unwrap();
        let Err(e) = crate::sink::Outputs::open(&c.sink, &[&c.inputs[0]]) else {
            panic!("opened")
        };
        assert!(e.to_string().contains("also an input"), "{e}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
