//! What an entry holds: names and types are those of HAR 1.2; names that begin with an underscore are this program's own.

use super::state::HalfExchange;
use crate::message::{HttpStart, is_text, read_fields};
use crate::sink::coded_body::BodyCodings;
use crate::sink::files::{parameter, percent_decoded, utf8};
use crate::sink::json_line::Millis;
use crate::sink::text::Rfc3339;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Octets by which a body is told to be text.
const LOOKED: usize = 4096;
/// Said where a size is not known.
const UNKNOWN: i64 = -1;

/// What makes the document.
#[derive(Serialize)]
pub(super) struct Creator {
    name: &'static str,
    version: &'static str,
}

impl Default for Creator {
    fn default() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// What an entry is made of.
pub(super) struct EntryParts<'a> {
    pub(super) started: Rfc3339,
    pub(super) server: SocketAddr,
    pub(super) connection: u64,
    pub(super) request: &'a HalfExchange,
    pub(super) response: Option<&'a HalfExchange>,
    /// Octets that are shown of a body.
    pub(super) most: usize,
}

/// One exchange.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HarEntry<'a> {
    started_date_time: Rfc3339,
    time: Millis,
    request: RequestObject<'a>,
    response: ResponseObject<'a>,
    cache: NoCache,
    timings: Timings,
    #[serde(rename = "serverIPAddress")]
    server_ip_address: IpAddr,
    connection: String,
    #[serde(rename = "_stream", skip_serializing_if = "Option::is_none")]
    stream: Option<u32>,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: String,
}

/// No capture knows what a browser had at hand.
#[derive(Serialize)]
struct NoCache {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestObject<'a> {
    method: Cow<'a, str>,
    url: String,
    http_version: Cow<'a, str>,
    cookies: Vec<CookieObject<'a>>,
    headers: Vec<Pair<'a>>,
    #[serde(rename = "_trailers", skip_serializing_if = "Vec::is_empty")]
    trailers: Vec<Pair<'a>>,
    query_string: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_data: Option<PostData<'a>>,
    headers_size: i64,
    body_size: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseObject<'a> {
    status: u16,
    status_text: Cow<'a, str>,
    http_version: Cow<'a, str>,
    cookies: Vec<CookieObject<'a>>,
    headers: Vec<Pair<'a>>,
    #[serde(rename = "_trailers", skip_serializing_if = "Vec::is_empty")]
    trailers: Vec<Pair<'a>>,
    content: Content<'a>,
    #[serde(rename = "redirectURL")]
    redirect_url: Cow<'a, str>,
    headers_size: i64,
    body_size: i64,
}

/// A header field, or a part of a query.
#[derive(Serialize)]
struct Pair<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

/// A cookie of a request (RFC 6265, 4.2), or one that a response sets (4.1).
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct CookieObject<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secure: Option<bool>,
}

/// The body of a request. HAR has no word for one that is not text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PostData<'a> {
    mime_type: String,
    params: [Pair<'a>; 0],
    text: BodyForm<'a>,
    #[serde(rename = "_encoding", skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: String,
}

/// The body of a response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<i64>,
    mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<BodyForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: String,
}

/// Times of the parts of an exchange. They add up to the time of the entry.
#[derive(Serialize)]
struct Timings {
    blocked: i64,
    dns: i64,
    connect: Timing,
    send: Millis,
    wait: Millis,
    receive: Millis,
    ssl: i64,
}

/// A time that may not be known.
struct Timing(Option<Duration>);

impl Serialize for Timing {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(time) => Millis(time).serialize(to),
            None => UNKNOWN.serialize(to),
        }
    }
}

/// Octets of a body as JSON has them.
enum BodyForm<'a> {
    Text(Cow<'a, str>),
    Base64(Cow<'a, [u8]>),
}

impl Serialize for BodyForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Base64(octets) => to.collect_str(&Base64Display::new(octets, &STANDARD)),
        }
    }
}

/// A body as it is shown.
struct ShownContent<'a> {
    /// Octets of it as they were sent, without chunks.
    sent: Option<u64>,
    /// Octets without codings, as far as they are known.
    size: u64,
    /// All of it was decoded.
    decoded: bool,
    media_type: String,
    form: BodyForm<'a>,
    comment: String,
}

impl ShownContent<'_> {
    const fn encoding(&self) -> Option<&'static str> {
        match self.form {
            BodyForm::Text(_) => None,
            BodyForm::Base64(_) => Some("base64"),
        }
    }
}

impl<'a> HarEntry<'a> {
    pub(super) fn new(parts: &EntryParts<'a>) -> Self {
        let (request, response) = (parts.request, parts.response);
        let connect = request.opened.map(|opened| request.first.since(opened));
        let send = request.last.since(request.first);
        let (wait, receive) = response.map_or_else(Default::default, |response| {
            // A server may answer before it has all of the request.
            let begun = response.first.max(request.last);
            let wait = begun.since(request.last);
            (wait, response.last.since(begun))
        });
        let mut said = Vec::new();
        if request.pushed {
            said.push("pushed by the server");
        }
        if !request.whole {
            said.push("the request is incomplete in the capture");
        }
        match response {
            None => said.push("no response to it was found in the capture"),
            Some(response) if !response.whole => {
                said.push("the response is incomplete in the capture");
            }
            Some(_) => {}
        }
        Self {
            started_date_time: parts.started,
            time: Millis(connect.unwrap_or_default() + send + wait + receive),
            request: RequestObject::new(request, parts),
            response: response.map_or_else(ResponseObject::none, |response| {
                ResponseObject::new(response, parts.most)
            }),
            cache: NoCache {},
            timings: Timings {
                blocked: UNKNOWN,
                dns: UNKNOWN,
                connect: Timing(connect),
                send: Millis(send),
                wait: Millis(wait),
                receive: Millis(receive),
                ssl: UNKNOWN,
            },
            server_ip_address: parts.server.ip(),
            connection: parts.connection.to_string(),
            // Where a request was sent that a connection has gone over to HTTP/2 with, there was none yet.
            stream: request
                .stream
                .or(response.and_then(|response| response.stream)),
            comment: said.join("; "),
        }
    }

    /// Bodies of it that the limit has cut.
    pub(super) fn cut_bodies(&self) -> u64 {
        let request = self.request.post_data.as_ref();
        let request = request.is_some_and(|data| data.comment.starts_with(CUT));
        u64::from(request) + u64::from(self.response.content.comment.starts_with(CUT))
    }
}

/// How the comment on a body begins that was cut.
const CUT: &str = "cut";

impl<'a> RequestObject<'a> {
    fn new(half: &'a HalfExchange, parts: &EntryParts<'a>) -> Self {
        let (line, fields) = fields(half);
        let (method, target, version) = request_line(line);
        let cookies = named(&fields, "cookie")
            .flat_map(|value| value.split(';'))
            .filter(|pair| !pair.trim().is_empty())
            .map(CookieObject::of_pair);
        let cookies = cookies.collect();
        let target = text(target);
        let body = shown(half, parts.most);
        let body_size = size(body.sent);
        let has_body = half.octets > 0 || half.lost > 0 || half.gaps;
        Self {
            method: text(method),
            url: url(&target, &fields, method == b"CONNECT", parts.server),
            http_version: text(version),
            cookies,
            query_string: query(&target),
            headers: fields,
            trailers: pairs(trailers(half)),
            post_data: has_body.then(|| PostData {
                encoding: body.encoding(),
                mime_type: body.media_type,
                params: [],
                text: body.form,
                comment: body.comment,
            }),
            headers_size: headers_size(half),
            body_size,
        }
    }
}

impl<'a> ResponseObject<'a> {
    fn new(half: &'a HalfExchange, most: usize) -> Self {
        let (line, fields) = fields(half);
        let status = match HttpStart::of_line(line) {
            Some(HttpStart::Response { status, .. }) => status,
            _ => 0,
        };
        let mut words = line.splitn(3, |c| *c == b' ');
        let version = words.next().unwrap_or_default();
        let status_text = words.nth(1).unwrap_or_default();
        let cookies = named(&fields, "set-cookie").map(CookieObject::of_response);
        let cookies = cookies.collect();
        let location = named(&fields, "location").next().map(str::to_owned);
        let body = shown(half, most);
        let body_size = size(body.sent);
        let saved = |sent: u64| body.size.cast_signed().saturating_sub(sent.cast_signed());
        Self {
            status,
            status_text: text(status_text.trim_ascii()),
            http_version: text(version),
            cookies,
            headers: fields,
            trailers: pairs(trailers(half)),
            redirect_url: location.unwrap_or_default().into(),
            headers_size: headers_size(half),
            body_size,
            content: Content {
                size: body.size,
                compression: body.sent.filter(|_| body.decoded).map(saved),
                encoding: body.encoding(),
                mime_type: body.media_type,
                text: (most > 0).then_some(body.form),
                comment: body.comment,
            },
        }
    }

    /// That of a request without one.
    fn none() -> Self {
        Self {
            status: 0,
            status_text: "".into(),
            http_version: "".into(),
            cookies: Vec::new(),
            headers: Vec::new(),
            trailers: Vec::new(),
            content: Content {
                size: 0,
                compression: None,
                mime_type: String::new(),
                text: None,
                encoding: None,
                comment: String::new(),
            },
            redirect_url: "".into(),
            headers_size: UNKNOWN,
            body_size: UNKNOWN,
        }
    }
}

impl CookieObject<'_> {
    /// `NAME=VALUE`; a value alone has no name.
    fn of_pair(pair: &str) -> Self {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        Self {
            name: name.trim().to_owned().into(),
            value: value.trim().to_owned().into(),
            ..Self::default()
        }
    }

    /// A value of Set-Cookie.
    fn of_response(value: &str) -> Self {
        let mut parts = value.split(';');
        let mut cookie = Self::of_pair(parts.next().unwrap_or_default());
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = || Some(value.trim().to_owned().into());
            match name.trim().to_ascii_lowercase().as_str() {
                "path" => cookie.path = value(),
                "domain" => cookie.domain = value(),
                "httponly" => cookie.http_only = Some(true),
                "secure" => cookie.secure = Some(true),
                _ => {}
            }
        }
        cookie
    }
}

fn size(octets: Option<u64>) -> i64 {
    octets.map_or(UNKNOWN, u64::cast_signed)
}

/// Octets of the header section, where that was sent as it is kept: HTTP/2 compresses it.
fn headers_size(half: &HalfExchange) -> i64 {
    match half.stream {
        None => i64::try_from(half.head.len()).unwrap_or(UNKNOWN),
        Some(_) => UNKNOWN,
    }
}

/// Octets as text: UTF-8, or else each octet a character (ISO 8859-1), as browsers take header fields.
fn text(octets: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(octets) {
        Ok(text) => text.into(),
        Err(_) => octets.iter().copied().map(char::from).collect(),
    }
}

fn owned(octets: Cow<'_, [u8]>) -> Cow<'_, str> {
    match octets {
        Cow::Borrowed(octets) => text(octets),
        Cow::Owned(octets) => text(&octets).into_owned().into(),
    }
}

/// The start line of a message, and its fields, those behind the body too.
fn fields(half: &HalfExchange) -> (&[u8], Vec<Pair<'_>>) {
    let end = memchr(b'\n', &half.head);
    let (line, rest) = half
        .head
        .split_at(end.map_or(half.head.len(), |end| end + 1));
    let mut fields = pairs(rest);
    fields.append(&mut pairs(trailers(half)));
    (line.trim_ascii_end(), fields)
}

/// The fields of a section.
fn pairs(section: &[u8]) -> Vec<Pair<'_>> {
    let mut fields = Vec::new();
    read_fields(section, |name, value| {
        fields.push(Pair {
            name: owned(name),
            value: owned(value),
        });
    });
    fields
}

/// The fields behind the body: those of HTTP/2 are told, those of HTTP/1 stand behind the last chunk (RFC 9112, 7.1.2), where that is
/// there.
fn trailers(half: &HalfExchange) -> &[u8] {
    match half.stream {
        Some(_) => &half.trailers,
        None if half.gaps || half.cut => &[],
        None => BodyCodings::read(&half.head).trailers(&half.body),
    }
}

/// The values of a field.
fn named<'a>(fields: &'a [Pair<'_>], name: &str) -> impl Iterator<Item = &'a str> {
    let is = move |field: &&Pair<'_>| field.name.eq_ignore_ascii_case(name);
    fields.iter().filter(is).map(|field| &*field.value)
}

/// Method, target and version of a request line.
fn request_line(line: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let last = line.rsplit(|c| *c == b' ').next().unwrap_or_default();
    let has_version = last.starts_with(b"HTTP/") && last.len() < line.len();
    let version = if has_version { last } else { b"HTTP/0.9" };
    if let Some(HttpStart::Request { method, target, .. }) = HttpStart::of_line(line) {
        return (method, target, version);
    }
    // A method that is not known, as what it refers to is lost, is no word that one may have.
    let space = memchr(b' ', line).unwrap_or(line.len());
    let (method, rest) = line.split_at(space);
    let target = rest.strip_suffix(last).filter(|_| has_version);
    (method, target.unwrap_or(rest).trim_ascii(), version)
}

/// The URL that a request asks for (RFC 9112, 3.3).
fn url(target: &str, fields: &[Pair<'_>], connects: bool, server: SocketAddr) -> String {
    let target = target.split('#').next().unwrap_or_default();
    if !connects && target.contains("://") {
        return target.to_owned();
    }
    let scheme = named(fields, ":scheme").next().unwrap_or("http");
    if connects {
        return format!("{scheme}://{target}");
    }
    let host = named(fields, "host").next().filter(|host| !host.is_empty());
    let host = host.map_or_else(|| server.to_string(), str::to_owned);
    let path = if target == "*" { "" } else { target };
    let slash = if path.is_empty() || path.starts_with('/') {
        ""
    } else {
        "/"
    };
    format!("{scheme}://{host}{slash}{path}")
}

/// The parts of a query, decoded (URL Standard, 5.1).
fn query<'a>(target: &str) -> Vec<Pair<'a>> {
    let target = target.split('#').next().unwrap_or_default();
    let Some((_, query)) = target.split_once('?') else {
        return Vec::new();
    };
    let decode = |text: &str| -> Cow<'a, str> {
        let octets = percent_decoded(text.replace('+', " ").as_bytes());
        // What would be no text stays as it is.
        String::from_utf8(octets)
            .unwrap_or_else(|_| text.to_owned())
            .into()
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pairs = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
    let pairs = pairs.map(|(name, value)| Pair {
        name: decode(name),
        value: decode(value),
    });
    pairs.collect()
}

/// The body of a message without its codings, and what is to be said of it.
fn shown(half: &HalfExchange, most: usize) -> ShownContent<'_> {
    let about = BodyCodings::read(&half.head);
    let body = about.undo(&half.body, most);
    let partial = half.gaps || half.cut || !half.whole;
    let all = !(partial || body.cut || body.failed);
    let sent = match about.chunked {
        false => Some(half.octets),
        // What is cut has chunks that nobody has counted.
        true if half.gaps || half.cut => None,
        true => Some(body.sent as u64),
    };
    let size = match sent {
        Some(sent) if !body.decoded => sent,
        _ => body.octets.len().min(most) as u64,
    };
    let mut said = Vec::new();
    if half.cut || body.cut {
        said.push(format!(
            "{CUT} behind {} bytes",
            body.octets.len().min(most)
        ));
    }
    if half.gaps {
        said.push(match half.lost {
            0 => "bytes are missing behind these".to_owned(),
            lost => format!("{lost} bytes are missing, the first behind these"),
        });
    }
    let known = about.codings.is_empty() || body.decoded;
    if !known && !half.body.is_empty() {
        said.push(format!("as it was sent: {}", about.codings.join(", ")));
    } else if body.failed && !partial {
        said.push("what follows cannot be decoded".to_owned());
    }
    let octets = match body.octets {
        Cow::Borrowed(octets) => octets.get(..most).unwrap_or(octets).into(),
        Cow::Owned(mut octets) => {
            octets.truncate(most);
            octets.into()
        }
    };
    ShownContent {
        sent,
        size,
        decoded: body.decoded && all,
        form: form(octets, &about.media_type, all),
        media_type: about.media_type,
        comment: said.join("; "),
    }
}

/// Text where it is text, as UTF-8 or in the character set that its type names; anything else as base64.
fn form<'a>(octets: Cow<'a, [u8]>, media_type: &str, all: bool) -> BodyForm<'a> {
    let looks = |octets: &[u8]| is_text(octets.get(..LOOKED).unwrap_or(octets));
    let len = match std::str::from_utf8(&octets) {
        Ok(_) => octets.len(),
        // The last character may be cut.
        Err(e) if !all && e.error_len().is_none() => e.valid_up_to(),
        Err(_) => 0,
    };
    if octets.is_empty() || len > 0 && looks(&octets) {
        return BodyForm::Text(match octets {
            Cow::Borrowed(octets) => text(&octets[..len]),
            Cow::Owned(octets) => text(&octets[..len]).into_owned().into(),
        });
    }
    let charset = parameter(media_type.as_bytes(), "charset");
    let text = charset.map(|charset| utf8(&charset, octets.to_vec()));
    match text.and_then(|text| String::from_utf8(text).ok()) {
        Some(text) if looks(text.as_bytes()) => BodyForm::Text(text.into()),
        _ => BodyForm::Base64(octets),
    }
}
