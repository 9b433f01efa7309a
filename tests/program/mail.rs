//! `--extract` of mail: what SMTP, POP3 and IMAP carry, and what is in it.

use crate::common::build::{ACK, PSH, Pcap, behind};
use crate::common::counter;
use crate::files::Extracted;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::collections::BTreeMap;

/// A conversation, the server's part in odd places, in segments of so many octets; those whose number `lost` has are not captured.
fn conversation(parts: &[&[u8]], segment: usize, lost: &[usize]) -> Vec<u8> {
    let mut pcap = Pcap::new();
    pcap.open(1000, 5000);
    let (mut seqs, mut number) = ([1001_u32, 5001], 0);
    for (i, part) in parts.iter().enumerate() {
        let server = i % 2;
        for octets in part.chunks(segment) {
            let (seq, ack) = (seqs[server], seqs[server ^ 1]);
            if lost.contains(&number) {
            } else if server == 1 {
                pcap.server(seq, ack, ACK | PSH, octets);
            } else {
                pcap.client(seq, ack, ACK | PSH, octets);
            }
            number += 1;
            seqs[server] = behind(seq, octets);
        }
    }
    pcap.client(seqs[0], seqs[1], ACK, b"");
    pcap.server(seqs[1], seqs[0], ACK, b"");
    pcap.file
}

/// A picture, as far as its signature goes.
fn picture(len: usize) -> Vec<u8> {
    let noise = (0_u32..).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    b"\x89PNG\r\n\x1a\n"
        .iter()
        .copied()
        .chain(noise)
        .take(len)
        .collect()
}

fn base64(octets: &[u8]) -> String {
    let lines = octets.chunks(57).map(|line| BASE64_STANDARD.encode(line));
    lines.flat_map(|line| [line, "\r\n".to_owned()]).collect()
}

/// A mail with a text in two forms, a picture, and a mail that is passed on and has an attachment of its own.
fn mail() -> Vec<u8> {
    format!(
        "From: a@example\r\nTo: b@example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= a/b\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed;\r\n boundary=\"outer\"\r\n\r\nFor readers of another time.\r\n\
         --outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n\
         --inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n.a line with a dot\r\n..and two\r\n.\r\n\r\n\
         --inner\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>a =3D b</p>\r\n--inner--\r\n\
         --outer\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n \
         filename*0*=utf-8''B%C3%A4; filename*1=\"r.png\"\r\n\r\n{}\
         --outer\r\nContent-Type: message/rfc822\r\n\r\n\
         Subject: older\r\nContent-Type: multipart/mixed; boundary=old\r\n\r\n--old\r\n\r\nold text\r\n\
         --old\r\nContent-Type: application/octet-stream; name=\"=?iso-8859-1?q?f=FCr.dat?=\"\r\n\r\nold data\r\n--old--\r\n\
         --outer--\r\n",
        base64(&picture(5000))
    )
    .into_bytes()
}

/// The octets as SMTP and POP3 send them: lines that begin with a dot have another one, and a dot ends them.
fn dotted(mail: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(mail);
    let text = text.replace("\r\n.", "\r\n..");
    format!("{text}.\r\n").into_bytes()
}

/// What comes of [`mail`].
fn expected() -> BTreeMap<&'static str, Vec<u8>> {
    let old = "Subject: older\r\nContent-Type: multipart/mixed; boundary=old\r\n\r\n--old\r\n\r\nold text\r\n\
               --old\r\nContent-Type: application/octet-stream; name=\"=?iso-8859-1?q?f=FCr.dat?=\"\r\n\r\nold data\r\n--old--";
    BTreeMap::from([
        ("Grüße a_b.eml", mail()),
        (
            "part.txt",
            b".a line with a dot\r\n..and two\r\n.\r\n".to_vec(),
        ),
        ("part.html", b"<p>a = b</p>".to_vec()),
        ("Bär.png", picture(5000)),
        ("older.eml", old.as_bytes().to_vec()),
        ("part-1.txt", b"old text".to_vec()),
        ("für.dat", b"old data".to_vec()),
    ])
}

#[track_caller]
fn is_expected(found: &Extracted, mails: u64) {
    let names: Vec<_> = found.files.keys().collect();
    for (name, octets) in expected() {
        let there = found
            .files
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {names:?}"));
        assert!(*there == octets, "{name}: {}", there.escape_ascii());
    }
    assert_eq!(found.files.len(), 7, "{names:?}");
    assert_eq!(counter(&found.stats, "files.mails"), mails);
}

const GREETING: &[u8] = b"220 mail.example ESMTP\r\n";

/// A mail is sent, which has this text.
fn delivery(text: &[u8]) -> [&[u8]; 12] {
    [
        b"",
        GREETING,
        b"EHLO a\r\n",
        b"250 mail.example\r\n",
        b"MAIL FROM:<a@example>\r\n",
        b"250 ok\r\n",
        b"RCPT TO:<b@example>\r\n",
        b"250 ok\r\n",
        b"DATA\r\n",
        b"354 go on\r\n",
        text,
        b"250 taken\r\n",
    ]
}

#[test]
fn a_mail_by_smtp_is_a_file_and_so_is_all_that_is_in_it() {
    let text = dotted(&mail());
    let parts = [&delivery(&text)[..], &[b"QUIT\r\n", b"221 bye\r\n"]].concat();
    for segment in [1, 7, 100, 1400] {
        let found = Extracted::of(&conversation(&parts, segment, &[]), &[]);
        is_expected(&found, 2);
        let line = found
            .list
            .iter()
            .find(|line| line["file"] == "Grüße a_b.eml")
            .expect("listed");
        assert_eq!(
            (&line["protocol"], &line["command"], &line["complete"]),
            (&"smtp".into(), &"DATA".into(), &true.into())
        );
    }
}

#[test]
fn chunks_are_one_mail_and_keep_their_dots() {
    let mail = mail();
    let (one, other) = mail.split_at(2000);
    let chunk = |octets: &[u8], last: &str| {
        [
            format!("BDAT {}{last}\r\n", octets.len()).as_bytes(),
            octets,
        ]
        .concat()
    };
    let (first, second, end) = (chunk(one, ""), chunk(other, ""), chunk(b"", " LAST"));
    let ahead = [
        &b"MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\n"[..],
        &first,
    ]
    .concat();
    let rest = [&second[..], &end].concat();
    let parts: [&[u8]; 8] = [
        b"",
        GREETING,
        b"EHLO a\r\n",
        b"250-mail.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
        &ahead,
        b"250 ok\r\n250 ok\r\n250 ok\r\n",
        &rest,
        b"250 ok\r\n250 ok\r\n",
    ];
    for segment in [1, 100, 1400] {
        is_expected(&Extracted::of(&conversation(&parts, segment, &[]), &[]), 2);
    }
    // The last chunk did not come: nobody knows whether there is more.
    let parts: [&[u8]; 8] = [
        b"",
        GREETING,
        b"EHLO a\r\n",
        b"250 CHUNKING\r\n",
        &ahead,
        b"250 ok\r\n250 ok\r\n250 ok\r\n",
        b"QUIT\r\n",
        b"221 bye\r\n",
    ];
    let found = Extracted::of(&conversation(&parts, 1400, &[]), &[]);
    let names: Vec<_> = found.files.keys().map(String::as_str).collect();
    assert!(
        names.contains(&"Grüße a_b.eml.part") && names.contains(&"part.txt"),
        "{names:?}"
    );
}

#[test]
fn pop3_gives_the_mails_that_were_asked_for() {
    let mail = mail();
    let reply = [
        format!("+OK {} octets\r\n", mail.len()).as_bytes(),
        &dotted(&mail),
    ]
    .concat();
    let top = [
        &b"+OK\r\n"[..],
        &dotted(b"Subject: only the top\r\n\r\none\r\n"),
    ]
    .concat();
    let list: &[u8] = b"+OK\r\n1 2000\r\n.\r\n";
    let parts: [&[u8]; 10] = [
        b"",
        b"+OK POP3 ready\r\n",
        b"LIST\r\n",
        list,
        b"TOP 1 1\r\n",
        &top,
        b"RETR 1\r\n",
        &reply,
        b"QUIT\r\n",
        b"+OK\r\n",
    ];
    for segment in [1, 100, 1400] {
        is_expected(&Extracted::of(&conversation(&parts, segment, &[]), &[]), 2);
    }
    // The command was lost: the server says how many octets they are, or the text looks like a mail.
    let found = Extracted::of(&conversation(&parts, 1400, &[5]), &[]);
    is_expected(&found, 2);
}

#[test]
fn imap_gives_mails_whole_or_in_pieces() {
    let mail = mail();
    let literal = |ahead: &str, octets: &[u8], behind: &str| {
        [
            format!("{ahead}{{{}}}\r\n", octets.len()).as_bytes(),
            octets,
            behind.as_bytes(),
        ]
        .concat()
    };
    let whole = literal(
        "* 1 FETCH (UID 7 FLAGS (\\Seen) BODY[] ",
        &mail,
        ")\r\na3 OK done\r\n",
    );
    let header = literal(
        "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] ",
        b"Subject: x\r\n\r\n",
        ")\r\na2 OK done\r\n",
    );
    let greeting: &[u8] = b"* OK IMAP4rev1 ready\r\n";
    let parts: [&[u8]; 8] = [
        b"",
        greeting,
        b"a1 LOGIN a b\r\n",
        b"a1 OK in\r\n",
        b"a2 FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n",
        &header,
        b"a3 UID FETCH 7 (FLAGS BODY[])\r\n",
        &whole,
    ];
    for segment in [1, 100, 1400] {
        is_expected(&Extracted::of(&conversation(&parts, segment, &[]), &[]), 2);
    }
    // In pieces, the second first, and the last as short as it is.
    let piece = |from: usize, tag: &str| {
        let octets = &mail[from..mail.len().min(from + 3000)];
        literal(
            &format!("* 1 FETCH (UID 7 BODY[]<{from}> "),
            octets,
            &format!(")\r\n{tag} OK done\r\n"),
        )
    };
    assert!(mail.len() > 6000 && mail.len() < 9000);
    let (first, second, third) = (piece(0, "a2"), piece(3000, "a1"), piece(6000, "a3"));
    let ask = |tag: &str, from: usize| format!("{tag} UID FETCH 7 (BODY.PEEK[]<{from}.3000>)\r\n");
    let asks = [ask("a1", 3000), ask("a2", 0), ask("a3", 6000)];
    let parts: [&[u8]; 8] = [
        b"",
        greeting,
        asks[0].as_bytes(),
        &second,
        asks[1].as_bytes(),
        &first,
        asks[2].as_bytes(),
        &third,
    ];
    for segment in [1, 1400] {
        is_expected(&Extracted::of(&conversation(&parts, segment, &[]), &[]), 2);
    }
    // A client appends one, and names the mailbox by a literal too.
    let append = literal("a1 APPEND {5}\r\nINBOX (\\Seen) ", &mail, "\r\n");
    let parts: [&[u8]; 4] = [b"", greeting, &append, b"a1 OK done\r\n"];
    is_expected(&Extracted::of(&conversation(&parts, 1400, &[]), &[]), 2);
}

#[test]
fn what_lies_whole_in_a_mail_that_does_not_is_whole() {
    let text = dotted(&mail());
    let parts = delivery(&text);
    let first = parts[..10].iter().filter(|part| !part.is_empty()).count();
    for lost in first..first + text.len().div_ceil(1000) {
        let found = Extracted::of(&conversation(&parts, 1000, &[lost]), &[]);
        let all = expected();
        let mut whole = 0;
        for (name, octets) in &found.files {
            if let Some(name) = name.strip_suffix(".part") {
                assert!(
                    !found.files.contains_key(name) || name.starts_with("part"),
                    "{name}"
                );
                continue;
            }
            whole += 1;
            assert!(
                all.values().any(|expected| expected == octets),
                "segment {lost}: {name}: {}",
                octets.escape_ascii()
            );
        }
        assert!(!found.files.contains_key("Grüße a_b.eml"), "segment {lost}");
        // All but the mail and what stood in the segment, or on either side of a boundary in it.
        assert!(whole >= 2, "segment {lost}: {:?}", found.files.keys());
    }
}

/// By Python's `binascii.b2a_uu`: 60 octets, each one more than the last.
const UUENCODED: &str = "begin 644 a b.dat\r\nM``$\"`P0%!@<(\"0H+#`T.#Q`1$A,4%187&!D:&QP='A\\@(2(C)\"4F)R@I*BLL\r\n/+2XO,#$R,S0U-C<X.3H[\r\n`\r\nend\r\n";

#[test]
fn what_is_uuencoded_in_a_mail_is_a_file() {
    let text = format!(
        "Subject: old\r\n\r\nbegin 644 of a story\r\nHere it is:\r\n\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n{UUENCODED}bye\r\n.\r\n"
    );
    let found = Extracted::of(&conversation(&delivery(text.as_bytes()), 100, &[]), &[]);
    assert_eq!(found.names(), ["a b.dat", "cat.txt", "old.eml"]);
    assert_eq!(found.files["cat.txt"], b"Cat");
    let octets: Vec<u8> = (0..60).collect();
    assert_eq!(found.files["a b.dat"], octets);
    assert_eq!(found.line("a b.dat")["name_from"], "begin");
    // As a part that says so.
    let text = format!(
        "Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment; filename=c\r\n\
         Content-Transfer-Encoding: x-uuencode\r\n\r\n{UUENCODED}\r\n--b--\r\n.\r\n"
    );
    let found = Extracted::of(&conversation(&delivery(text.as_bytes()), 100, &[]), &[]);
    assert_eq!(found.files["c"], octets);
    // A line is missing: what came ahead of it is there, and nothing is called whole.
    let cut = UUENCODED.replace("\r\n`\r\nend", "");
    let text = format!("Subject: cut\r\n\r\n{cut}bye\r\n.\r\n");
    let found = Extracted::of(&conversation(&delivery(text.as_bytes()), 100, &[]), &[]);
    let of_it = found
        .list
        .iter()
        .filter(|line| line["name_from"] == "begin");
    assert!(of_it.clone().count() > 0 && of_it.clone().all(|line| line["complete"] == false));
}

#[test]
fn hostile_mails_are_bounded() {
    let boundary =
        |n: usize| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n");
    let nested: String = (0..10_000).map(boundary).collect();
    let mails: String = (0..5000)
        .map(|n| format!("Subject: {n}\r\nContent-Type: message/rfc822\r\n\r\n"))
        .collect();
    let head = format!("X: {}\r\nSubject: x\r\n\r\ntext\r\n", "a".repeat(1 << 20));
    let endless = format!(
        "Content-Type: a/b; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        "QUFB".repeat(1 << 18)
    );
    for text in [nested, mails, head, endless] {
        let text = [text.as_bytes(), b"\r\n.\r\n"].concat();
        let parts: [&[u8]; 6] = [
            b"",
            GREETING,
            b"EHLO a\r\n",
            b"250 ok\r\n",
            b"DATA\r\n",
            b"354 go on\r\n",
        ];
        let parts = [&parts[..], &[&text, b"250 taken\r\n"]].concat();
        let found = Extracted::of(&conversation(&parts, 1400, &[]), &[]);
        assert!(
            (1..=20).contains(&found.files.len()),
            "{:?}",
            found.files.keys()
        );
    }
}
