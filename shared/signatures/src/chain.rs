//! Reads a failed pull as a chain of links: who reports it, what was tried, which request was made, and what came back.
//!
//! Every tool wraps the error of the one below: `CannotPullContainerError: ... failed to resolve ref X: unexpected
//! status from HEAD request to https://H/v2/X/manifests/1: 403 Forbidden`. So the last link that says what came back
//! decides, and the links before it say where and about what. Parsing accepts every text, takes linear time and keeps
//! every byte: the texts of the links, joined, are the text. It knows no whole sentence, so it reads a sentence that
//! nobody has seen by its parts.

use std::fmt;

use crate::cause::{Phase, Why};
use crate::registries::{self, CODES, ErrorMeaning, VOCABULARIES};

/// What a link of the chain says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell<'a> {
    /// A program that passes an error on; a status of its own is not the registry's.
    Reporter,
    /// What was tried.
    Operation(Phase),
    /// A request, by its address.
    Request(RequestAddress<'a>),
    /// The status of an answer.
    Status(u16),
    /// A registry's own error.
    Code(ErrorMeaning),
    /// The network failed before there was an answer.
    Transport(Why),
    /// Somewhere in the chain a thing was not found, without a status or a code.
    NotFound,
    /// Nothing that is known.
    Words,
}

/// The address of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestAddress<'a> {
    /// The host that was asked.
    pub host: &'a str,
    /// What was asked for.
    pub of: Phase,
    /// Whether it was asked for by its digest.
    pub by_digest: bool,
}

/// One link: its text as written, separators included, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink<'a> {
    /// The link's part of the text.
    pub text: &'a str,
    /// What the link says.
    pub tells: Tell<'a>,
}

/// A text, split into its links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain<'a> {
    /// The links in their order.
    pub links: Vec<ChainLink<'a>>,
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.links.iter().try_for_each(|link| formatter.write_str(link.text))
    }
}

/// The most bytes of a text that are read; what follows is repetition.
const LONGEST: usize = 16 * 1024;

impl<'a> Chain<'a> {
    /// Splits a text, which should be on one line, into links.
    pub fn parse(text: &'a str) -> Self {
        let (read, rest) = text.split_at(text.floor_char_boundary(LONGEST));
        let mut links: Vec<ChainLink<'a>> = Vec::new();
        for part in Parts(read) {
            let before = links.last().map_or("", |link| link.text);
            let tells = tell(part, before);
            links.push(ChainLink { text: part, tells });
        }
        if !rest.is_empty() {
            links.push(ChainLink { text: rest, tells: Tell::Words });
        }
        Self { links }
    }

    /// Returns the last link that says what came back, which is the most specific one.
    pub fn answer(&self) -> Option<&ChainLink<'a>> {
        let by_kind = |wanted: fn(&Tell<'_>) -> bool| self.links.iter().rev().find(|link| wanted(&link.tells));
        let last = by_kind(|tells| matches!(tells, Tell::Status(_) | Tell::Code(_) | Tell::Transport(_)));
        // An explicit limit or block anywhere in the chain says more than a `denied` or `unauthorized` at its end.
        match last.map(|link| link.tells) {
            Some(Tell::Code(ErrorMeaning::Denied | ErrorMeaning::Unauthorized)) => by_kind(|tells| {
                matches!(
                    tells,
                    Tell::Status(429)
                        | Tell::Code(ErrorMeaning::TooManyRequests | ErrorMeaning::Blocked | ErrorMeaning::Archived)
                )
            })
            .or(last),
            Some(_) => last,
            None => by_kind(|tells| matches!(tells, Tell::NotFound)),
        }
    }

    /// The last address that was asked.
    pub fn address(&self) -> Option<RequestAddress<'a>> {
        self.links
            .iter()
            .rev()
            .find_map(|link| if let Tell::Request(address) = link.tells { Some(address) } else { None })
    }

    /// The phase of the pull that failed, as far as the request or the operation tells.
    pub fn phase(&self) -> Option<Phase> {
        let operation = || {
            self.links
                .iter()
                .rev()
                .find_map(|link| if let Tell::Operation(phase) = link.tells { Some(phase) } else { None })
        };
        self.address().map(|address| address.of).or_else(operation)
    }

    /// Whether the chain is about a registry at all: it has a request to one, an operation of a pull, or a registry's
    /// own code.
    pub fn is_of_registry(&self) -> bool {
        const WORDS: &[&str] = &[
            "pull",
            "registry",
            "manifest",
            "repository",
            "source image",
            "base image",
            "build image",
            "admission webhook",
            "image verification",
        ];
        let says = |text: &str| {
            let lower = text.to_ascii_lowercase();
            WORDS.iter().any(|word| lower.contains(word))
        };
        self.links
            .iter()
            .any(|link| matches!(link.tells, Tell::Request(_) | Tell::Operation(_)) || says(link.text))
    }
}

/// Splits a text into parts: after `: `, before and after an address, and at a server's own message.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let end = if is_address(self.0) { address_end(self.0) } else { part_end(self.0) };
        let (part, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(part)
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Returns the end of an address, with the quotes and colons that close it.
fn address_end(text: &str) -> usize {
    let end = text.find([' ', '"', '\'', '<', '>', '`', ')', ']', '\\', '\n']).unwrap_or(text.len());
    let closing = |character: char| matches!(character, '"' | '\'' | ':' | ' ' | '\\' | '`');
    text.get(end..)
        .map_or(text.len(), |rest| end + rest.find(|character| !closing(character)).unwrap_or(rest.len()))
}

fn part_end(text: &str) -> usize {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find([':', 'h', ';', '\n'])) {
        let at = from + found;
        let rest = text.get(at..).unwrap_or_default();
        if at > 0 && is_address(rest) {
            return at;
        }
        if rest.starts_with(": ") || rest.starts_with("; ") {
            return at + 2;
        }
        if rest.starts_with(['\n', ';']) || (rest.starts_with(":\\") && rest.len() > 2) {
            return at + 1;
        }
        from = at + 1;
    }
    text.len()
}

/// Returns what a part says; `before` is the part in front of it.
fn tell<'a>(part: &'a str, before: &str) -> Tell<'a> {
    if is_address(part) {
        return address(part).map_or(Tell::Words, Tell::Request);
    }
    let lower = part.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(REPORTERS) && !has(&["http status"]) {
        return Tell::Reporter;
    }
    if let Some(why) = transport(&lower) {
        return Tell::Transport(why);
    }
    if let Some(meaning) = registries::meaning_in(VOCABULARIES, &lower) {
        return Tell::Code(meaning);
    }
    if let Some(status) = status(&lower, before) {
        return Tell::Status(status);
    }
    if let Some(meaning) = code(&lower) {
        return Tell::Code(meaning);
    }
    if let Some(phase) = OPERATIONS.iter().find(|(words, _)| lower.contains(words)).map(|(_, phase)| *phase) {
        // Texts like `content at https://... not found` hold the operation and the answer in one part.
        return if has(&["not found"]) && !lower.contains("not found in") {
            Tell::NotFound
        } else {
            Tell::Operation(phase)
        };
    }
    if has(&["not found", "no such image", "does not exist"]) {
        return Tell::NotFound;
    }
    Tell::Words
}

/// The words of programs that pass an error on, with a status of their own or none.
const REPORTERS: &[&str] = &[
    "api error (",
    "(http code",
    "cannotpullcontainererror",
    "cannotpullecrcontainererror",
    "error response from daemon",
    "rpc error",
];

/// The words for what is tried in a pull, the specific before the general.
const OPERATIONS: &[(&str, Phase)] = &[
    ("failed to authorize", Phase::Auth),
    ("oauth token", Phase::Auth),
    ("anonymous token", Phase::Auth),
    ("bearer token", Phase::Auth),
    ("auth token", Phase::Auth),
    ("registry auth", Phase::Auth),
    ("failed to copy", Phase::Layer),
    ("httpreadseeker", Phase::Layer),
    ("fetching blob", Phase::Layer),
    ("reading blob", Phase::Layer),
    ("pulling image configuration", Phase::Layer),
    ("parsing image configuration", Phase::Layer),
    ("error pulling image", Phase::Layer),
    ("failed to register layer", Phase::Layer),
    ("failed to extract layer", Phase::Layer),
    ("unpack image", Phase::Layer),
    ("download failed after attempts", Phase::Layer),
    ("manifest mime type", Phase::Manifest),
    ("reading manifest", Phase::Manifest),
    ("image manifest", Phase::Manifest),
    ("manifest for ", Phase::Manifest),
    ("failed to resolve", Phase::Manifest),
    ("resolve source metadata", Phase::Manifest),
    ("load metadata for", Phase::Manifest),
    ("initializing source", Phase::Manifest),
    ("pinging container registry", Phase::Manifest),
    ("inspect image", Phase::Manifest),
    ("pull access denied", Phase::Manifest),
    ("pulling from host", Phase::Manifest),
    ("from head request", Phase::Manifest),
    ("from get request", Phase::Manifest),
    ("failed to pull", Phase::Manifest),
    ("unable to pull", Phase::Manifest),
    ("failed to do request", Phase::Manifest),
    ("failed to solve", Phase::Manifest),
    ("error building image", Phase::Manifest),
    ("retrieving image", Phase::Manifest),
    ("pull image", Phase::Manifest),
    ("head \"", Phase::Manifest),
];

/// The words for network failures, the specific before the general.
const TRANSPORTS: &[(&str, Why)] = &[
    ("no such host", Why::Dns),
    ("server misbehaving", Why::Dns),
    ("name resolution", Why::Dns),
    ("name or service not known", Why::Dns),
    ("could not resolve host", Why::Dns),
    ("getaddrinfo", Why::Dns),
    ("tls handshake timeout", Why::Timeout),
    ("x509", Why::Tls),
    ("tls: ", Why::Tls),
    ("certificate", Why::Tls),
    ("first record does not look like a tls", Why::Tls),
    ("handshake failure", Why::Tls),
    ("http response to https client", Why::Tls),
    ("connection refused", Why::Refused),
    ("actively refused", Why::Refused),
    ("network is unreachable", Why::Refused),
    ("no route to host", Why::Refused),
    ("connection reset", Why::Reset),
    ("forcibly closed", Why::Reset),
    ("broken pipe", Why::Reset),
    ("stream error", Why::Reset),
    ("goaway", Why::Reset),
    ("connection closed", Why::Reset),
    ("unexpected eof", Why::Reset),
    ("i/o timeout", Why::Timeout),
    ("deadline exceeded", Why::Timeout),
    ("client.timeout", Why::Timeout),
    ("request canceled", Why::Timeout),
    ("did not properly respond", Why::Timeout),
    ("timed out", Why::Timeout),
    ("awaiting headers", Why::Timeout),
    ("operation timeout", Why::Timeout),
];

fn transport(lower: &str) -> Option<Why> {
    if matches!(lower.trim_matches(|character: char| !character.is_ascii_alphanumeric()), "eof") {
        return Some(Why::Reset);
    }
    TRANSPORTS.iter().find(|(words, _)| lower.contains(words)).map(|(_, why)| *why)
}

/// The words that precede the number of a status; [`REASONS`] are those that follow it.
const BEFORE_STATUS: &[&str] = &["status", "code", "response", "http", "got", "returned"];
const REASONS: &[&str] = &[
    "unauthorized",
    "forbidden",
    "not found",
    "too many",
    "internal server",
    "bad gateway",
    "service unavailable",
    "service temporarily",
    "gateway time",
    "bad request",
];

/// Returns the status in a part: a number with a word for a status before it, or with its reason after it.
fn status(lower: &str, before: &str) -> Option<u16> {
    let bytes = lower.as_bytes();
    let before_ends = before.trim_end_matches([' ', ':', '"', '[']).to_ascii_lowercase();
    let mut at = 0;
    while let Some(found) = lower.get(at..)?.find(['4', '5']) {
        let start = at + found;
        at = start + 1;
        let end = start + 3;
        let alone = (start == 0 || !is_word(bytes.get(start - 1))) && !is_word(bytes.get(end));
        let Some(number) = lower.get(start..end).filter(|_| alone).and_then(|digits| digits.parse::<u16>().ok()) else {
            continue;
        };
        let ahead = lower
            .get(..start)
            .unwrap_or_default()
            .trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
        let behind = lower
            .get(end..)
            .unwrap_or_default()
            .trim_start_matches(|character: char| !character.is_ascii_alphanumeric());
        let called = |text: &str| BEFORE_STATUS.iter().any(|word| text.ends_with(word));
        if called(ahead)
            || ahead.is_empty() && called(&before_ends)
            || ahead.ends_with("from registry")
            || REASONS.iter().any(|reason| behind.starts_with(reason))
        {
            return Some(number);
        }
    }
    None
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.')
}

/// Returns the meaning of a code of the specification: the part begins with the code, or a JSON body has it.
fn code(lower: &str) -> Option<ErrorMeaning> {
    let bare = lower.trim_start_matches(|character: char| !character.is_ascii_alphanumeric());
    let begins = |(word, _): &&(&str, ErrorMeaning)| {
        bare.strip_prefix(word).is_some_and(|rest| !is_word(rest.as_bytes().first()))
    };
    if let Some((_, meaning)) = CODES.iter().find(begins) {
        return Some(*meaning);
    }
    let body = lower.split("\"code\"").nth(1).or_else(|| lower.split("\\\"code\\\"").nth(1))?;
    let body = body.trim_start_matches(|character: char| !character.is_ascii_alphanumeric());
    CODES.iter().find(|(word, _)| body.starts_with(word)).map(|(_, meaning)| *meaning)
}

/// Returns the host of an address and what was asked there. A link to a page about a limit is not a request.
fn address(part: &str) -> Option<RequestAddress<'_>> {
    let (_, rest) = part.split_once("://")?;
    let host = rest
        .split(['/', '"', '\'', ' ', '?', ')', '\\', ':', ','])
        .next()
        .filter(|host| host.contains('.') || *host == "localhost")?;
    let path = rest.get(host.len()..).unwrap_or_default();
    if host.starts_with("www.") || host.starts_with("docs.") {
        return None;
    }
    let has = |words: &[&str]| words.iter().any(|word| path.contains(word));
    let of = if has(&["/token", "/auth", "/oauth2", "/jwt/"]) {
        Phase::Auth
    } else if has(&["/blobs/", "/layer"]) || (registries::of_host(host).is_some() && !has(&["/v2/", "/v1/"])) {
        Phase::Layer
    } else if has(&["/v2", "/v1/", "/manifests/"]) {
        Phase::Manifest
    } else {
        return None;
    };
    Some(RequestAddress { host, of, by_digest: has(&["sha256:", "/sha256/"]) })
}
