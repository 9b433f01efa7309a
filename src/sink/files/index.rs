//! `--index`: a page that shows the folder in a browser.
//!
//! All that it shows was sent by somebody: texts are escaped, names in addresses percent-encoded, and a policy lets nothing run but the
//! one script of the page. Pictures are shown where their content is that of a raster format, which cannot run anything; only such
//! files and plain ones are linked, so that no page and no SVG is a click away.

use crate::message::is_hidden;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};

/// What each page begins with: one that does is replaced, any other file of its name is not.
pub(super) const BEGINNING: &str = "<!DOCTYPE html>\n<!-- files that inet-asm extracted -->\n";
/// Its name.
pub(super) const NAME: &str = "index.html";
/// Files that one page shows: browsers take seconds for more.
const ROWS: u64 = 20_000;
/// Octets of a line of the list that are read. The list's own are shorter.
const LINE: u64 = 1 << 20;
/// Media types, by content, of pictures that browsers show and that run nothing.
const PICTURES: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/avif",
    "image/vnd.microsoft.icon",
];
/// Extensions of files that a browser shows without running anything in them.
const PLAIN: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "webp", "bmp", "avif", "ico", "txt", "log", "csv", "mp3", "mp4",
    "ogg", "wav", "webm", "flac",
];
/// What an address has as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const STYLE: &str = "body{font:14px sans-serif;margin:1em}table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;\
padding:3px 8px;border-bottom:1px solid #ccc;max-width:30em;overflow-wrap:anywhere}th{cursor:pointer;white-space:nowrap;background:#eee;position:sticky;top:0}\
td.n{text-align:right;white-space:nowrap}img{max-width:120px;max-height:90px}tr.part{background:#fec}";

const SCRIPT: &str = "'use strict';(()=>{const t=document.querySelector('tbody'),q=document.querySelector('input'),\
c=document.querySelector('output'),rows=[...t.rows];\
const show=()=>{const w=q.value.toLowerCase().split(/\\s+/).filter(Boolean);let n=0;for(const r of rows){\
const s=r.textContent.toLowerCase(),ok=w.every(x=>s.includes(x));r.hidden=!ok;n+=ok}c.textContent=n+' of '+rows.length};\
q.addEventListener('input',show);show();let last=-1,dir=1;\
document.querySelectorAll('th').forEach((h,i)=>h.addEventListener('click',()=>{dir=last===i?-dir:1;last=i;\
const v=r=>r.cells[i].dataset.v??r.cells[i].textContent;\
rows.sort((a,b)=>{const x=v(a),y=v(b),d=x-y;return dir*(Number.isNaN(d)?x.localeCompare(y):d)});t.append(...rows)}))})()";

/// Text of a page.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn hashed(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// Writes the page of a list of files.
///
/// # Errors
///
/// Those of the list and of the page.
pub(super) fn write(mut list: impl BufRead, page: &mut impl Write) -> io::Result<()> {
    page.write_all(BEGINNING.as_bytes())?;
    write!(
        page,
        "<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file:; style-src 'sha256-{}'; \
         script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>Extracted files</title><style>{STYLE}</style></head><body>\n\
         <h1>Extracted files</h1><p><input type=\"search\" placeholder=\"filter\" autofocus> <output></output></p>\n\
         <table><thead><tr><th></th><th>file</th><th>type</th><th>bytes</th><th>whole</th><th>protocol</th><th>from</th><th>to</th>\
         <th>time</th><th>asked for as</th><th>SHA-256</th></tr></thead><tbody>\n",
        hashed(STYLE),
        hashed(SCRIPT)
    )?;
    let (mut rows, mut line) = (0_u64, Vec::new());
    loop {
        line.clear();
        if (&mut list).take(LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let Ok(file) = serde_json::from_slice::<Value>(&line) else {
            continue;
        };
        rows += 1;
        if rows <= ROWS {
            page.write_all(row(&file).as_bytes())?;
        }
    }
    page.write_all(b"</tbody></table>\n")?;
    if rows > ROWS {
        writeln!(
            page,
            "<p>The first {ROWS} of {rows} files: files.jsonl has them all.</p>"
        )?;
    }
    writeln!(page, "<script>{SCRIPT}</script></body></html>")
}

fn row(file: &Value) -> String {
    let text = |field: &str| file[field].as_str().unwrap_or_default();
    let number = |field: &str| file[field].as_u64().unwrap_or(0);
    let name = text("file");
    let whole = file["complete"] == true;
    let address = format!("./{}", utf8_percent_encode(name, UNRESERVED));
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let is_plain = extension.is_some_and(|extension| PLAIN.contains(&&*extension));
    let mut out = String::new();
    let _ = write!(
        out,
        "<tr{}><td>",
        if whole { "" } else { " class=\"part\"" }
    );
    if whole && PICTURES.contains(&text("found_type")) {
        let _ = write!(out, "<img src=\"{address}\" alt=\"\" loading=\"lazy\">");
    }
    let shown = escaped(name);
    let _ = match is_plain {
        true => write!(
            out,
            "</td><td><a href=\"{address}\" rel=\"noopener noreferrer\">{shown}</a></td>"
        ),
        false => write!(out, "</td><td>{shown}</td>"),
    };
    let kind = if text("found_type").is_empty() {
        text("declared_type")
    } else {
        text("found_type")
    };
    let _ = write!(
        out,
        "<td>{}</td><td class=\"n\">{}</td>",
        escaped(kind),
        number("size")
    );
    let state = if whole {
        "yes".to_owned()
    } else {
        let holes = file["missing"].as_array().map_or(0, Vec::len);
        file["length"].as_u64().map_or_else(
            || format!("no, {holes} holes"),
            |len| format!("no, {holes} holes, of {len} bytes"),
        )
    };
    let end = |address: &str, port: &str| escaped(&format!("{} {}", text(address), number(port)));
    let _ = writeln!(
        out,
        "<td>{}</td><td>{} {}</td><td>{}</td><td>{}</td><td>{}</td><td><bdi>{}</bdi></td><td>{}</td></tr>",
        escaped(&state),
        escaped(text("protocol")),
        escaped(text("command")),
        end("src", "src_port"),
        end("dst", "dst_port"),
        escaped(text("first_time")),
        escaped(text("url")),
        escaped(text("sha256")),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(list: &str) -> String {
        let mut page = Vec::new();
        write(list.as_bytes(), &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn hostile_names_are_texts() {
        let name = "\"><script>alert(1)</script>'%2f&#x26;\u{202e}.png";
        let file = serde_json::json!({
            "file": name, "url": "javascript:alert(1)\"<img src=x onerror=alert(1)>", "found_type": "image/png", "complete": true,
            "size": 5, "protocol": "http", "command": "GET", "src": "::1", "src_port": 1, "dst": "<b>", "dst_port": 2,
        });
        let page = page(&format!("{file}\nno JSON\n"));
        assert!(page.starts_with(BEGINNING));
        let (_, rows) = page.split_once("<tbody>").unwrap();
        let (rows, _) = rows.split_once("</tbody>").unwrap();
        let tags: Vec<_> = rows
            .split('<')
            .skip(1)
            .filter_map(|t| t.split(['>', ' ']).next())
            .collect();
        assert!(
            tags.iter().all(
                |tag| ["tr", "/tr", "td", "/td", "img", "a", "/a", "bdi", "/bdi"].contains(tag)
            ),
            "{tags:?}"
        );
        assert_eq!(tags.iter().filter(|tag| **tag == "img").count(), 1);
        assert!(rows.contains("src=\"./%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%27%252f%26%23x26%3B%E2%80%AE.png\""), "{rows}");
        assert!(!rows.contains('\u{202e}') && !rows.contains("href=\"javascript"));
    }

    #[test]
    fn what_could_run_is_neither_shown_nor_linked() {
        for (name, found, shown, linked) in [
            ("a.png", "image/png", true, true),
            ("a.svg", "image/svg+xml", false, false),
            ("a.svg", "image/png", true, false),
            ("a.html", "text/html", false, false),
            ("a.png", "text/html", false, true),
            ("a", "image/png", true, false),
            ("a.txt", "text/plain", false, true),
        ] {
            let file = serde_json::json!({"file": name, "found_type": found, "complete": true});
            let row = row(&file);
            assert_eq!(row.contains("<img"), shown, "{name} {found}");
            assert_eq!(row.contains("<a "), linked, "{name} {found}");
        }
        let part = serde_json::json!({"file": "a.png.part", "found_type": "image/png", "complete": false, "missing": [[0, 5]], "length": 9});
        assert!(!row(&part).contains("<img") && row(&part).contains("no, 1 holes, of 9 bytes"));
    }
}
