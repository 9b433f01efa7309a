//! What is made from the options and tables for people and shells: the man page, completions, the list of protocols.

use super::args::{LONG_ABOUT, SECTIONS_BEHIND, command};
use super::ini;
use super::lines;
use crate::base::counters::{Counters, SECTIONS};
use crate::message::protocols;
use crate::sink::files;
use crate::sink::json::FIELDS;
use crate::sink::table::TABLES;
use clap::ValueEnum;
use std::io::{self, Write};

/// The section of the man page about `--extract`.
const FILES: &str = "\
What \\fB--extract\\fR writes into its folder: the files that were transferred, each under the name that its sender gave it \
(for HTTP, the last part of the URL; for FTP and TFTP, that of the command), without anything in it that could leave the folder or act on a terminal or a shell; a \
name that is taken is numbered: a.txt, a-1.txt. A file of which bytes are missing is called NAME.part; those that are there \
stand at their true offsets, and the others are holes. The time of a file is that of its last packet. Nothing that was in the \
folder before is touched, and no symbolic link in it is followed.
.PP
Of HTTP, the bodies of requests and responses are files, without chunks, and with the codings gzip, deflate, br and zstd \
undone. The ranges of one entity (206, also of several connections, and the rest of a download that broke off) are put \
together. Where the entity stays incomplete, each range that came whole is also a file of its own, as it was sent, called by its \
first and last byte: a.100-199.txt; range_of in the list says of which file it is a range. That goes for 1,024 different ranges of one \
entity. A range that comes again of an entity that came whole is no other file. The parts of a body of any multipart type (form-data, \
related, mixed, ...) are files, without base64 and quoted-printable, and so is the body as it was sent. Where a coding is not \
known, or its bytes are damaged, they are kept as they were sent, as NAME.gz or the like, beside what could be decoded of \
them. No body is decoded to more than \\fB--max-file\\fR, or to more than 256 times what was sent and 32 MiB.
.PP
A body of gRPC is one file: its messages, each behind its prefix of five bytes, as they were sent. Where grpc-encoding is gzip or \
deflate, each compressed message is decompressed, and its prefix is that of one which was not; one of more than 4 MiB ends what is \
decoded.
.PP
FTP: what goes over the connections that a control connection on port 21, or one that begins with FTP's greeting, announces \
(PASV, EPSV, PORT, EPRT), also where these were captured before the announcement, or where an address translator changed the \
address. LIST, NLST and MLSD give LIST.txt and so on. Octets are those of the connection: text keeps the line ends of \
the network. A transfer that was broken off and is taken up with REST is one file. Where commands or replies were \
lost, a file is called by its connection: ftp-data-NUMBER. A file of no bytes is known only where the server told its size.
.PP
TFTP: transfers whose request was captured, with blocks of any size, windows, and any number of blocks. Text (netascii) is \
kept as it was sent, as tshark keeps it.
.PP
Mail: what goes over SMTP (DATA, BDAT), POP3 (RETR) and IMAP (FETCH of a whole message, also in pieces; APPEND). Each message is a \
file, called by its subject: SUBJECT.eml, without the dots that SMTP and POP3 double. Each part of it that is no multipart is a file \
too, decoded and called by its own name (RFC 2047, RFC 2231), parts of parts and of mails in it included, eight deep; a text alone that is not coded stands in the \
mail only. Where bytes of a mail are missing, the parts that lie whole are whole, also where its header is lost. \
What is uuencoded in the text of a mail is a file, called as its line begin says, and so is a part in that coding. \
Of IMAP, headers and single parts that a client fetches (BODY[2]) are no files.
.PP
SMB (SMB2, SMB3, and SMB1's READ, WRITE, OPEN and NT_CREATE commands): what is read of a file that is opened is one file, and what is \
written to it another, put together by offset, over compounds and over the channels of a session; url is \\e\\eSERVER\\eSHARE\\eNAME. What was never \
read is missing, and so is what stays of a file that was there when others of its bytes are written. A file is finished when it is closed. \
A list of a directory of SMB2 is a text of its own, DIRECTORY.txt: time of the last change, size and name of each entry. Answers whose request was \
lost cannot be placed: files.smb_unplaced counts their bytes. Pipes (IPC$) are no files. What is encrypted or compressed cannot be taken \
out: that is told at the end, and counted.
.PP
DICOM: an object that C\\-STORE brings is a file as PS3.10 has it, called by its instance, INSTANCE.dcm; where what the association agreed \
on was not captured, the file lacks its header.
.PP
WebSocket: with \\fB--extract-protocols websocket\\fR each text or binary message is a file, put together, unmasked and decompressed, called \
websocket and by its type; without, none is, as a chat has thousands.
.PP
\\fB--extract-types\\fR, \\fB--extract-protocols\\fR, \\fB--extract-min\\fR and \\fB--extract-max\\fR choose files; sizes are those of the bytes that are \
there. A body, a form or a mail that is not chosen is taken apart all the same, and its parts are chosen on their own. files.not_chosen \
counts what is left out.
.PP
With \\fB-x -\\fR the files are written to stdout as a tar archive, each when it is finished, and files.jsonl as the last one. An archive has \
the size of a file ahead of its bytes, so each is spooled: up to 32 KiB of it in memory, more in a folder that is made for the run in \
TMPDIR (/tmp), readable by its owner only, and goes with it. So it needs room for the files that are open at a time, of \
\\fB--max-file\\fR each; bytes of a file behind that offset are left out, as holes are zeros in the archive.
.PP
\\fB--on-file\\fR runs a command for each file once it has its last name, NAME.part too. A command that hangs keeps one of the places; where all \
are taken, up to 4,096 files wait for theirs, and then the program does. At the end it waits for all, and says so after five seconds. \
files.commands and files.commands_failed count them.
.PP
\\fB--index\\fR writes index.html into the folder at the end of the run: a table of the files in files.jsonl (20,000 at most), with pictures as \
thumbnails, that sorts by a click on a heading and filters as one types. It needs no server and loads nothing but pictures of the folder. \
Names and addresses stand in it as text, no script but its own may run, and only pictures, sound, films and plain text are linked, \
as a page or an SVG could run something once it is opened. Files that the network called index.html are called index-1.html then. \
A page of an earlier run is replaced, another file of its name is not.
.PP
The list of them, files.jsonl, has one JSON object a line; where it is there already, lines are added to it. docs/files.schema.json of the \
source is its JSON schema:";

/// The section of the man page about `--har`.
const HAR: &str = "\
What \\fB--har\\fR writes: one JSON document, HAR 1.2, with an entry for each request of HTTP/1 and HTTP/2. An entry is written when \
the request and its response have ended, so entries stand in the order of their ends. A request that nothing in the capture answers is \
an entry with status 0, written when its connection ends. Where messages are chosen (--kind, --match, --from, --to) an exchange is written \
of which one message is; -c counts entries where nothing else is written, and else messages, and exchanges are written of which both are among \
them. Responses whose request is not in the capture are left out and counted (har.unmatched). The document is \
closed at the end of the run, also where a signal ends it or the input is cut, and a file (not a pipe, nor stdout) is closed behind each \
piece that is written to it, so that it is a document whatever ends the program; with SIGHUP each file is a document of its own.
.PP
startedDateTime and timings are those of the capture: connect, of the first request of a connection whose SYN was captured, is the time \
from its first packet to the first byte of the request; send that of the request, wait from its last byte to the first of the response, \
receive that of the response. blocked, dns and ssl are -1. time is their sum. connection is the connection's number as --print shows it, \
_stream the stream of HTTP/2.
.PP
A URL has the host that the request names, and where it names none the address of the server. Header fields that are not UTF-8 are \
taken as ISO 8859-1. Fields behind a body (trailers of HTTP/2, and of chunked bodies of HTTP/1) stand behind the others, and again in _trailers. A header field of HTTP/2 that refers to what \
the capture lacks is called [unknown N]. bodySize counts the body without chunks, as it was sent otherwise, and is -1 where that is not \
known; headersSize is -1 in HTTP/2, whose header sections are compressed. The content codings gzip, deflate, br and zstd are undone; \
text is text, also in the character set that its type names, and anything else base64, in the body of a request with _encoding, as HAR has no \
name for that. Of a body \\fB--har-body\\fR bytes are shown, and where bytes are missing those ahead of them: comment says so. A \
request that a server pushes has a comment too.";

/// What the man page says of tables ahead of their columns.
const ROWS: &str = "\
\\fB--kind\\fR, \\fB--match\\fR, \\fB--from\\fR, \\fB--to\\fR and \\fB--protocols\\fR choose messages here as they do everywhere, and \
\\fB--connection\\fR connections. A row is there if one of the messages that it tells of is chosen, and it tells of all of them: of a request \
and its response, and of all bytes of a connection. So --table=connections --match REGEX shows the connections that have such a message, and \
--table=http --kind response the requests that were answered. A connection without a message is there where nothing but a time is \
asked for, and its first packet is in that time. The table of protocols counts the messages that are chosen, and nothing else. That of files heeds \
--connection and --protocols only: files are made of all messages. \\fB--count\\fR is a number of rows, but of messages that are counted in \
the table of protocols.";

/// The section of the man page about counters.
const COUNTERS: &str = "\
What \\fB--stats\\fR writes. As text, sections of which nothing was seen are left out; JSON has them all, and the protocols that were \
seen; CSV has the same columns for the same options whatever was seen. Messages of TCP, UDP and SCTP count in message, and in the \
section of their protocol. message.lost is 0 exactly where the output lacks nothing that was on the wire; the section lost says what it is made \
of. \\fB--stats=inputs\\fR and \\fB--stats=outputs\\fR list each input and each output that is a file, a pipe or a folder: when it was opened, packets, bytes, messages, as far as it \
holds such; as CSV behind the counters, in lines of their own, of which the first names the columns. \
These, and the section runtime, go by the clock of the machine, so that they are shown where they are asked for, in \\fB--stats=all\\fR, and on SIGUSR1.";

/// What `-h` says: what people need most, on one screen of 80 columns and 24 lines.
const SCREEN: &str = "\
inet-asm: the messages and files of a packet capture, put back together
Usage: inet-asm [OPTIONS] [INPUT]...            (pcap, pcapng; default: stdin)

  sudo tcpdump -U -w - | inet-asm               watch messages as they come
  inet-asm big.pcap | tshark -r -               one packet for each message
  inet-asm -x files big.pcap                    the files that were transferred

  -p, --print[=full]    a line for each message (the default on a terminal)
  -w, --write OUTPUT    messages as packets, to a capture file
  -j, --json[=OUTPUT]   a JSON object for each message
      --table[=NAME]    columns for scripts: messages, http, dns, connections
      --follow RULE     connections as conversations
  -x, --extract DIR     transferred files        --dump DIR   stream files
  -n, --no-output       no messages: with -s, counters only

      --connection RULE only these: tcp:3, :80, 10.0.0.0/8, 10.0.0.1:80
      --protocols LIST  only http,dns or all but !dns (--list-protocols)
      --match REGEX     only messages that match       -c N   the first N
  -d, --decode-as RULE  tcp.port==9000,http
  -s, --stats           what was found, and what is missing
  -q, --quiet           errors only

--help shows all options, --man the manual page.
";

/// The tasks of the man page, and what does them.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "Watch messages as they come",
        "sudo tcpdump -U -w - | inet-asm",
    ),
    (
        "The same through tshark, which shows each at once",
        "sudo tcpdump -U --immediate-mode -w - | inet-asm | tshark -l -r -",
    ),
    (
        "One packet for each message",
        "inet-asm -w messages.pcap big.pcap",
    ),
    ("One line for each message", "inet-asm -p big.pcap"),
    (
        "With header fields and bodies",
        "inet-asm -p=full --connection tcp:3 big.pcap",
    ),
    (
        "The files that were transferred",
        "inet-asm -x files big.pcap",
    ),
    (
        "All images among them",
        "inet-asm -x files --table=files --fields file,found_type big.pcap | grep image/",
    ),
    (
        "HTTP requests with status and times",
        "inet-asm --table=http big.pcap | column -t -s $'\\t'",
    ),
    (
        "The slowest answers",
        "inet-asm --table=http --fields delay,uri big.pcap | sort -rn | head",
    ),
    (
        "Requests without an answer",
        "inet-asm --table=http --fields status,method,uri big.pcap | awk -F'\\t' '$1 == \"\"'",
    ),
    (
        "Errors of servers",
        "inet-asm --table=http --fields status,uri big.pcap | grep ^5",
    ),
    (
        "Names that were asked for in vain",
        "inet-asm --table=dns big.pcap | grep NXDOMAIN",
    ),
    (
        "One connection as a conversation",
        "inet-asm --follow tcp:3 big.pcap",
    ),
    (
        "Redis commands, live",
        "sudo tcpdump -U -w - port 6379 | inet-asm -p --kind request",
    ),
    (
        "SIP only, as a capture",
        "inet-asm --protocols sip -w sip.pcap big.pcap",
    ),
    (
        "A capture for each protocol",
        "inet-asm -w 'file:http.pcap?protocol=http' -w 'file:dns.pcap?protocol=dns' -w rest.pcap big.pcap",
    ),
    (
        "A protocol of your own with a length in front",
        "inet-asm --framer 'mine,tcp.port==9000,len@0:u32be+4' -p big.pcap",
    ),
    ("What was lost, and where", "inet-asm -n -vv big.pcap"),
    (
        "What was found and what is missing",
        "inet-asm -n -s big.pcap",
    ),
    (
        "One field of the JSON",
        "inet-asm -j --protocols tls big.pcap | jq -r 'select(.tls.sni).tls.sni'",
    ),
    (
        "What is inside TLS",
        "inet-asm --keylog keys.log -p big.pcap",
    ),
    (
        "Rotated files as one",
        "inet-asm --sort-files -p trace.pcap*",
    ),
    (
        "The bytes of one direction",
        "inet-asm --dump - --connection 10.0.0.1:40000-10.0.0.2:80 big.pcap",
    ),
];

/// The section of the man page about `--fail-if`.
const CHECKS_ABOUT: &str = "\
A script, or a CI job, asks for counters with \\fB--fail-if\\fR: the run ends with status 1 where a condition holds, and with 2 \
where the capture could not be read. With \\fB-n\\fR nothing else is written. What people check:";

/// What a script checks: what fails, and the condition that says so.
const CHECKS: &[(&str, &str)] = &[
    (
        "Something that was on the wire is missing in the output, whatever the reason",
        "message.lost > 0",
    ),
    (
        "Bytes of TCP are missing: more than one in a thousand",
        "tcp.lost_octets > 0.1% tcp.octets",
    ),
    ("There is no message", "message.messages == 0"),
    (
        "The capture says itself that packets were lost",
        "input.capture_drops > 0",
    ),
    ("A capture ends inside a record", "input.cut_short > 0"),
    ("A message is not whole", "message.incomplete > 0"),
    (
        "There are messages of another protocol than HTTP",
        "message.messages != http.messages",
    ),
    (
        "Something was given up because a limit was met",
        "tcp.closed_evicted + sctp.closed_evicted > 0",
    ),
];

/// The section of the man page about `--config`.
const CONFIGURATION: &str = "\
A file for \\fB--config\\fR has a section for each group of options, called as the group is in this page, with an entry for each option:
.PP
.RS 4
.nf
[Limits]
memory-limit = 64M
[Output]
print = full
; a second capture, and a channel, which is called as you like
write = http.pcap
sip = file:sip.pcap?protocol=sip
[Processing]
store-fragments = yes
.fi
.RE
.PP
What is wrong is told with its line, and nothing is read or written then. Of two entries for one option that differ the last one holds, and \
a line on stderr says so; where one is a list (checksums, disable) and the other says something of a part of it (VerifyChecksums, Enabled), that is so of this part. An option that is given on the command line, or one that excludes \
what stands in the file, takes the place of the entry; \\fB--no-NAME\\fR there takes back what the file, or the command line before it, says \
of option NAME (\\fB--no-live\\fR, \\fB--no-dump\\fR), and with it what says more of that one (\\fB--dump-name\\fR). A value may stand in quotation marks. \\fB--save-config\\fR prints such a file: what was given, and in comments what \
is in force without having been given.
.PP
Sections and entries of INetReassembler.ini are understood as they are (yes, true, on, 1; no, false, off, 0). Where sections have an entry \
each for what is one option here, and they differ, the larger one holds, so that nothing is given up sooner than one of them says, and a line on stderr names both. What has nothing of its kind here is \
answered with a line on stderr and does nothing:";

/// The section of the man page about `--state`.
const PIECES: &str = "\
A capture that comes in pieces (tcpdump \\fB-G\\fR, dumpcap \\fB-b\\fR, a script that moves files) is taken a piece at a time, each by a run of its own:
.PP
.RS 4
.nf
for piece in trace-*.pcap; do
    inet-asm --state trace.state -x files -w \"messages-$piece\" \"$piece\"
done
head -c 24 \"$piece\" | inet-asm --load-state trace.state -x files -w messages-last.pcap -
.fi
.RE
.PP
The last run reads a capture without packets and keeps no state: it gives up what waits. All of them together give what one run over the whole capture \
gives: the packets of \\fB--write\\fR, \\fB--bypass\\fR and \\fB--dropped\\fR one behind the other (each file has a beginning of its own), the lines \
of \\fB--json\\fR and of stdout, the entries of \\fB--har\\fR (each file is a whole document), and in their folders the files of \\fB--dump\\fR and \\fB--extract\\fR, \
which go on by their names. Numbers of packets and connections, times, counters and the periods of \\fB--counters-file\\fR and \\fB--sctp-stats\\fR go on too; \
\\fB--stats\\fR and \\fB--fail-if\\fR are about all pieces until then. Others than those of one run are \\fBinput.files\\fR, since each \
piece is one, the peaks of \\fBbuffer\\fR, \\fBruntime\\fR, \\fBinputs\\fR and \\fBoutputs\\fR. A piece whose interfaces are described in the same words as those of the piece before is \
a part of the same file.
.PP
Two pieces must not be read by two runs at once. A state belongs to the version of the program that wrote it, and to the settings that it was made with: where \
which outputs there are, what they hold, what chooses messages, or what tells connections apart differs, it is refused, with the name of the option. Limits, \
time-outs and checksums hold as they are given now. A state is readable by its owner alone, since it has bytes of connections in it. It is as large as what waits, and \
up to 60 MB more where many names of \\fB--dump\\fR and \\fB--extract\\fR and many ports of \\fB--write\\fR have to be remembered. Where an output has failed, or its reader has left, no state is kept, a line on stderr says so, and the state before stays. A place where none can be written is refused before anything is read. A piece that is damaged is used up to there, with status 2, and its state is kept. \
A signal that ends a run ahead of the end of a file that was named is told, with the packet behind which the file goes on. \
Warnings, \\fB--trace\\fR and the hints on stderr are about one run. \\fB--extract -\\fR does not go on.
.PP
A file of \\fB--dump\\fR or \\fB--extract\\fR that goes on has to be as it was left: its length, its time, and where these are others a sum over its bytes are looked at. \
What stands behind its end is taken off: it is of a run that was killed, and comes again; a file that such a run has begun stays, and comes again under another name. A file that was changed, or is not there any more, is not gone on with: it stays as it is, \
what follows goes to another file, and a line on stderr says so. That file lacks what was before: in NAME.gaps the cause is changed, in files.jsonl it is not complete. \
A folder that is named from the working directory is another one in another directory, and refused.
.PP
Secrets of TLS are not kept in a state, nor what is made of them, but for which sessions connections were found (32 bytes of each) and by what sessions of TLS 1.2 may be resumed (64 bytes of each, at most 65,536). Each run is given \\fB--keylog\\fR, with the secrets of the connections that began in \
earlier pieces too. Those that stand in a capture itself (decryption secrets blocks of pcapng) open the records of the run that reads them; runs over later \
pieces need them in a file of \\fB--keylog\\fR.";

/// The section of the man page about sockets.
const SOCKETS: &str = "\
Captures come and go over sockets as they do over a pipe; over TCP that is what other programs call pcap over IP. An INPUT or an OUTPUT is then one of
.TP
\\fBtcp://HOST:PORT\\fR, \\fBunix:PATH\\fR
Connects to somebody who listens there.
.TP
\\fBtcp-listen://HOST:PORT\\fR, \\fBunix-listen:PATH\\fR
Listens. Without a host (tcp-listen://5000) only programs of this machine get there; 0.0.0.0 stands for all addresses. A line on stderr says where it listens; \
with port 0 the system chooses one. A socket in the file system is made, and removed at the end.
.PP
An INPUT that listens takes one sender after the other, each with a file header of its own, until the run is asked to stop; with \\fB?clients=8\\fR so many at \
a time (64 at most), whose packets are used in the order in which they arrive, as interfaces of one capture. Others wait until one has ended. One whose capture is compressed with zstd is \
left where it stops inside a block for two seconds, since the others wait for it. A sender that breaks off \
in a record loses that record only (input.cut_short counts them), and one that sends no capture is told and left. With \\fB?retry\\fR an INPUT that connects tries again with growing pauses, at the \
beginning and behind each end, until the run is asked to stop. A path with a question mark stands in quotation marks, as everywhere.
.PP
An OUTPUT that listens gives each client that comes a capture of its own: the file header, the interfaces so far, and then what follows. Of a connection \
that goes on then it has the rest, behind SYN and SYN-ACK packets of its own, so that a reader follows it. What a client sends is read and dropped; one that closes its own direction (as nc -N does) has gone. One that reads too slowly has what its queue holds (\\fB?queue=16M\\fR); what finds \
no room there it does not get: output.clients_dropped counts it, and in pcapng a block of interface statistics tells the client. Others, and the run, \
are not held up. \\fB?clients=16\\fR is how many there are at once, at most. At the end of the run what waits is written, as long as it is taken within \
two seconds. With \\fB?retry\\fR an OUTPUT that connects tries again with growing pauses, at the beginning and where the connection breaks, and begins a capture anew \
each time; what its queue has no room for in the meantime is counted. \\fB--har\\fR, which is one document, is not written to a socket.
.PP
.nf
inet-asm tcp-listen://0.0.0.0:5000 -w tcp-listen://5001     messages of a sensor for
tshark -i TCP@127.0.0.1:5001                                whoever wants to look
.fi";

/// The section of the man page about programs.
const PROGRAMS: &str = "\
An INPUT or an OUTPUT may be a program that runs beside this one, as \\fBexec:COMMAND\\fR. An INPUT is what it writes to its stdout, an OUTPUT is read by it \
from its stdin. No shell runs it: the command is parted into words as a shell does, with quotes and backslashes, and nothing else has a meaning in it; \
\\fBexec:\"sh -c '...'\"\\fR is there for pipes and variables. Options of an OUTPUT stand behind a command that is in quotation marks as a whole: \
\\fBexec:'tshark -r -'?protocol=http\\fR. What the program writes to stderr is on this one's stderr; an OUTPUT's stdout is this one's too.
.PP
A program that ends with another status than 0 is told on stderr, and the exit status is 2; what an INPUT's has written until then is used. One that stops reading \
is a reader that has left, and no error. The end of the run waits for the programs that read its outputs. One that writes an input is asked to end \
(SIGTERM) when the run is asked to stop, or has no more use for it, and is made to after two seconds.
.PP
\\fB-i\\fR \\fINAME\\fR is such an INPUT: it runs dumpcap, or tcpdump where dumpcap is not in PATH or may not be run, with \\fB-f\\fR as its filter, and implies \
\\fB--live\\fR. Rights to capture are those of that program. Several \\fB-i\\fR need dumpcap. \\fB-D\\fR shows the interfaces as that program lists them.
.PP
.nf
inet-asm -i eth0 -f 'tcp port 80'                  messages as they come
inet-asm exec:'ssh sensor tcpdump -U -w -' -p      those of another machine
inet-asm big.pcap -w exec:'tshark -r - -T json'    messages into a program
.fi";

/// The section of the man page about Wireshark's interfaces.
const EXTCAP: &str = "\
Wireshark and tshark list what programs in their extcap folder capture beside the interfaces of the machine. \\fBscripts/install-extcap\\fR puts \
this program there; \\fBinet-asm: messages of eth0\\fR then stands in the list for each interface that dumpcap, or tcpdump, lists. Started on it, \
Wireshark shows a packet for each message, and its own capture filter chooses what is captured. The form behind the wheel beside it has protocols, \\fB--decode-as\\fR (several rules \
are parted by semicolons), \\fB--encap\\fR and a key log of TLS. Rights to capture are those that dumpcap has. The capture ends when Wireshark closes its pipe, or with \
SIGTERM, and the program that captures with it; what is wrong is said on stderr, which Wireshark shows, and nothing else.
.PP
.nf
tshark -i inet-asm-eth0 -f 'tcp port 80'                    messages of eth0, a line each
tshark -i inet-asm-lo -o extcap.inet_asm_lo.protocols:http  with a field of the form
.fi";

/// Sections that stand behind the options.
const ENVIRONMENT: &str = "\
.TP
\\fBCOLORFGBG\\fR
Where it says that the background is white (its last number is 7 or 15, as some terminals set it), colours are those that can be read there.
.TP
\\fBLC_ALL\\fR, \\fBLC_CTYPE\\fR, \\fBLANG\\fR
The first of them that is set and not empty names the locale. Where none is, or it is not one of UTF-8, what people read (\\fB--print\\fR, \\fB--follow\\fR, \
\\fB--stats\\fR, \\fB--trace\\fR, messages) is ASCII: arrows are > and <, what is cut ends with ~, and other characters are escaped, as \\eu{e9}. Tables, JSON \
and HAR are UTF-8 always.
.TP
\\fBNO_COLOR\\fR
Where it is set and not empty, nothing is coloured unless \\fB--color always\\fR says so. So it is where \\fBTERM\\fR is dumb.
.TP
\\fBPATH\\fR
Where programs of \\fBexec:\\fR, \\fB-i\\fR and \\fB--on-file\\fR are looked for.
.TP
\\fBSSLKEYLOGFILE\\fR
The key log that \\fB--keylog env\\fR reads. Nothing else reads it.
.TP
\\fBTZ\\fR
The time zone of \\fB--time local\\fR.";

const SEE_ALSO: &str = "\
.BR tcpdump (8),
.BR dumpcap (1),
.BR tshark (1),
.BR tcpflow (1),
.BR pcap-filter (7)";

/// Columns that a list of ports takes at least, where it stands beside the rest.
const PORTS: usize = 12;

/// Writes what `-h` says.
///
/// # Errors
///
/// Those of the writer.
pub fn first_screen(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(SCREEN.as_bytes())
}

/// Writes the help or the version that was asked for, which clap has made. What stands between back quotes is bold where there are
/// colours, else between quotation marks.
///
/// # Errors
///
/// Those of the writer.
pub fn asked_for(text: &clap::Error, color: bool, out: &mut dyn Write) -> io::Result<()> {
    let text = text.render();
    let text = if color {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let marks = if color {
        ["\x1b[1m", "\x1b[0m"]
    } else {
        ["'", "'"]
    };
    let mut parts = text.split('`');
    out.write_all(parts.next().unwrap_or_default().as_bytes())?;
    for (part, mark) in parts.zip(marks.iter().cycle()) {
        write!(out, "{mark}{part}")?;
    }
    Ok(())
}

/// Writes the man page.
///
/// # Errors
///
/// Those of the writer.
pub fn man(out: &mut dyn Write) -> io::Result<()> {
    let mut page = Vec::new();
    page_of(&mut page)?;
    out.write_all(without_quotes(&page).as_bytes())
}

/// What stands between back quotes in bold, as a man page has it.
fn without_quotes(page: &[u8]) -> String {
    let text = String::from_utf8_lossy(page);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        // A quote without another one in its line is one.
        let pairs = line.matches('`').count() / 2 * 2;
        for (i, part) in line.splitn(pairs + 1, '`').enumerate() {
            if i > 0 {
                out.push_str(if i % 2 == 1 { "\\fB" } else { "\\fR" });
            }
            out.push_str(part);
        }
    }
    out
}

fn page_of(out: &mut dyn Write) -> io::Result<()> {
    // The man page has no first screen: all options stand in it.
    let command = command().mut_args(|a| a.hide_short_help(false));
    // What stands behind the options has its own sections here.
    let command = command.after_long_help("").after_help("");
    // Its examples have a section, and are lines there.
    let about = LONG_ABOUT.split("\n\n").next().unwrap_or_default();
    let command = command.long_about(about);
    let man = clap_mangen::Man::new(command);
    man.render_title(out)?;
    man.render_name_section(out)?;
    writeln!(
        out,
        ".SH SYNOPSIS\n\\fBinet\\-asm\\fR [\\fIOPTIONS\\fR] [\\fIINPUT\\fR]..."
    )?;
    man.render_description_section(out)?;
    writeln!(out, ".SH EXAMPLES")?;
    for (task, command) in EXAMPLES {
        let command = command.replace('\\', "\\e").replace('-', "\\-");
        writeln!(
            out,
            "{}:\n.PP\n.RS 4\n.nf\n{command}\n.fi\n.RE\n.PP",
            task.replace('-', "\\-")
        )?;
    }
    man.render_options_section(out)?;
    for (name, text) in SECTIONS_BEHIND {
        let name = name.to_uppercase();
        writeln!(out, ".SH \"{name}\"\n{}", text.replace('-', "\\-"))?;
    }
    writeln!(
        out,
        ".SH \"CHECKS IN SCRIPTS\"\n{}",
        CHECKS_ABOUT.replace('-', "\\-")
    )?;
    for (what, condition) in CHECKS {
        writeln!(out, ".TP\n\\fB{condition}\\fR\n{what}.")?;
    }
    writeln!(
        out,
        ".SH CONFIGURATION\n{}",
        CONFIGURATION.replace('-', "\\-")
    )?;
    for (section, entry, meaning) in ini::other_entries() {
        let meaning = meaning.replace('-', "\\-");
        writeln!(out, ".TP\n\\fB[{section}] {entry}\\fR\n{meaning}.")?;
    }
    writeln!(
        out,
        ".SH \"A CAPTURE IN PIECES\"\n{}",
        PIECES.replace('-', "\\-")
    )?;
    writeln!(out, ".SH SOCKETS\n{}", SOCKETS.replace('-', "\\-"))?;
    writeln!(out, ".SH PROGRAMS\n{}", PROGRAMS.replace('-', "\\-"))?;
    writeln!(out, ".SH EXTCAP\n{}", EXTCAP.replace('-', "\\-"))?;
    writeln!(out, ".SH ENVIRONMENT\n{}", ENVIRONMENT.replace('-', "\\-"))?;
    writeln!(
        out,
        ".SH TABLES\n{}\n.PP\nThe tables and their columns:",
        ROWS.replace('-', "\\-")
    )?;
    for (name, about, columns) in TABLES {
        let name = name.to_possible_value();
        let name = name.as_ref().map_or("", |value| value.get_name());
        writeln!(out, ".SS \"{name}\"\n{}", about.replace('-', "\\-"))?;
        for (column, text) in *columns {
            writeln!(out, ".TP\n\\fB{column}\\fR\n{}", text.replace('-', "\\-"))?;
        }
    }
    writeln!(out, ".SH \"JSON OUTPUT\"")?;
    writeln!(
        out,
        "The objects of \\fB\\-\\-json\\fR, one a line, and their fields. Where messages are chosen, a request and its response give an \
exchange if both of them are:"
    )?;
    for (kinds, name, text) in FIELDS {
        let kinds = kinds.replace(' ', ", ");
        writeln!(
            out,
            ".TP\n\\fB{name}\\fR ({kinds})\n{}",
            text.replace('-', "\\-")
        )?;
    }
    writeln!(out, ".SH HAR\n{}", HAR.replace('-', "\\-"))?;
    writeln!(out, ".SH FILES\n{}", FILES.replace('-', "\\-"))?;
    for (name, text) in files::FIELDS {
        writeln!(out, ".TP\n\\fB{name}\\fR\n{}", text.replace('-', "\\-"))?;
    }
    counters(out)?;
    writeln!(out, ".SH \"SEE ALSO\"\n{SEE_ALSO}")
}

/// The section of the man page about counters: all of them, by section, and those that every protocol has.
fn counters(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, ".SH COUNTERS\n{}", COUNTERS.replace('-', "\\-"))?;
    let mut rows = Vec::new();
    Counters::default().each_with(&["PROTOCOL"], |section, name, text, _| {
        rows.push((section, name, text));
    });
    for part in rows.chunk_by(|a, b| a.0 == b.0) {
        let section = part.first().map_or("", |row| row.0);
        let known = SECTIONS.iter().find(|(name, _)| *name == section);
        let about = known.map_or("What was found of one protocol.", |(_, about)| about);
        writeln!(
            out,
            ".SS \"{section}\"\n{}",
            about.trim().replace('-', "\\-")
        )?;
        for (section, name, text) in part {
            let text = text.replace('-', "\\-");
            writeln!(out, ".TP\n\\fB{section}.{name}\\fR\n{text}")?;
        }
    }
    Ok(())
}

/// The table of protocols: name, transport, ports, what it is.
///
/// # Errors
///
/// Those of the writer.
pub fn list_protocols(out: &mut dyn Write) -> io::Result<()> {
    list_protocols_in(lines::width(rustix::stdio::stdout()), out)
}

/// The same for a terminal of so many columns: what does not fit stands below.
fn list_protocols_in(columns: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<_> = protocols()
        .into_iter()
        .map(|p| {
            let ports: Vec<_> = p.ports.iter().map(u16::to_string).collect();
            // Only where they may be wrapped is there anything to wrap them at.
            let between = if columns.is_some() { ", " } else { "," };
            (p.name, p.transport, ports.join(between), p.about)
        })
        .collect();
    let width = rows.iter().map(|r| r.0.len()).max().unwrap_or(0);
    // The ports of one protocol may be many: what it is goes before them.
    let about = rows.iter().map(|r| r.3.len()).max().unwrap_or(0);
    // Where there is no room for a column of ports, they stand behind what it is.
    let ports_at = width + about + "  tcp    ".len();
    let beside = columns.is_none_or(|all| all > ports_at + PORTS);
    for (name, transport, ports, text) in rows {
        let (what, indent) = if beside {
            let ports = lines::wrapped(&ports, ports_at, columns);
            (format!("{text:about$}  {ports}"), ports_at)
        } else if ports.is_empty() {
            (text.to_owned(), 0)
        } else {
            (format!("{text}: {ports}"), 0)
        };
        let head = format!("{name:width$}  {transport:4}  ");
        let what = match indent {
            0 => lines::wrapped(&what, head.len(), columns),
            _ => what,
        };
        writeln!(out, "{}", format!("{head}{what}").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::conditions::Condition;

    /// One screen of the smallest terminal that is common, of options that there are.
    #[test]
    fn the_first_screen_fits() {
        assert!(SCREEN.lines().count() <= 24);
        assert!(SCREEN.lines().all(|line| line.len() < 80), "{SCREEN}");
        let known: Vec<_> = command()
            .get_arguments()
            .filter_map(|arg| arg.get_long().map(str::to_owned))
            .collect();
        let mut named = 0;
        for (at, _) in SCREEN.match_indices("--") {
            let rest = SCREEN.get(at + 2..).unwrap();
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-'));
            let name = rest.get(..end.unwrap_or(rest.len())).unwrap();
            assert!(known.iter().any(|k| k == name), "{name}");
            named += 1;
        }
        assert!(named >= 12);
        let examples = SCREEN
            .lines()
            .filter(|line| line.contains("inet-asm") && line.starts_with("  "));
        assert_eq!(examples.count(), 3);
        // What it reads is called as --help calls it.
        let mut command = command();
        let usage = command.render_usage().to_string();
        assert!(SCREEN.contains(usage.trim()), "{usage}");
    }

    #[test]
    fn help_has_no_back_quotes() {
        let asked = command().try_get_matches_from(["inet-asm", "--help"]);
        let asked = asked.unwrap_err();
        for (color, words) in [(false, "'-' is stdin"), (true, "\x1b[1m-\x1b[0m is stdin")] {
            let mut text = Vec::new();
            asked_for(&asked, color, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(words) && !text.contains('`'), "{text}");
        }
    }

    #[test]
    fn the_list_of_protocols_fits_a_terminal() {
        let list = |columns| {
            let mut text = Vec::new();
            list_protocols_in(columns, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        for columns in [80, 100, 160] {
            let text = list(Some(columns));
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest.is_some_and(|w| w <= columns), "{text}");
        }
        // A script gets a line for each.
        assert_eq!(list(None).lines().count(), protocols().len());
    }

    #[test]
    fn the_checks_are_conditions() {
        for (_, text) in CHECKS {
            let condition = Condition::new(text).unwrap();
            condition.check(&["http"]).unwrap();
        }
    }

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
        let mut page = Vec::new();
        man(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let help = command().render_long_help().to_string();
        for arg in command().get_arguments() {
            if let Some(long) = arg.get_long().filter(|_| !arg.is_hide_set()) {
                assert!(help.contains(&format!("--{long}")), "{long}");
                let escaped = long.replace('-', "\\-");
                assert!(page.contains(&format!("\\-\\-{escaped}")), "{long}");
            }
        }
    }
}
