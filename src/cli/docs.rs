//! What is made from the options and tables for people and shells: the man page, completions, the list of protocols.

use super::args::command;
use crate::base::counters::{Counters, SECTIONS};
use crate::message::protocols;
use crate::sink::files;
use crate::sink::json::FIELDS;
use std::io::{self, Write};

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
entity. A range that comes again of an entity that came whole is no other file. The parts of a body of any multipart type (form-data, \
related, mixed, ...) are files, without base64 and quoted-printable, and so is the body as it was sent. Where a coding is not \
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
Mail (SMTP, POP3, IMAP), SMB and HTTP/2 carry files that cannot be taken out yet: where there is some in the input, that is told at the end.
.PP
The list of them, files.jsonl, has one JSON object a line; where it is there already, lines are added to it:";

/// The section of the man page about counters.
const COUNTERS: &str = "\
What \\fB--stats\\fR writes. As text, sections of which nothing was seen are left out; JSON has them all, and the protocols that were \
seen; CSV has the same columns for the same options whatever was seen. Messages of TCP, UDP and SCTP count in message, and in the \
section of their protocol. message.lost is 0 exactly where the output lacks nothing that was on the wire; the section lost says what it is made \
of.";

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
    counters(out)
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

/// Writes completions for a shell.
pub fn completions(shell: clap_complete::Shell, out: &mut dyn Write) {
    clap_complete::generate(shell, &mut command(), "inet-asm", out);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
        let mut page = Vec::new();
        man(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let help = command().render_long_help().to_string();
        let short = command().render_help().to_string();
        for arg in command().get_arguments() {
            if let Some(long) = arg.get_long().filter(|_| !arg.is_hide_set()) {
                assert!(help.contains(&format!("--{long}")), "{long}");
                let escaped = long.replace('-', "\\-");
                assert!(page.contains(&format!("\\-\\-{escaped}")), "{long}");
            }
        }
        assert!(short.lines().count() <= 40, "{short}");
    }
}
