//! Reads one line of a log: plain text, JSON wherever its logger puts the message, or an Erlang term.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::text::normalise;

/// What a line says, and whether it calls itself a warning or less.
pub(super) struct LineText<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) mild: bool,
}

/// The keys that loggers put their message under, the most telling first. An object or a list there is read in the same
/// way.
const MESSAGES: &[&str] = &[
    "error",
    "err",
    "exception",
    "message",
    "msg",
    "log",
    "stack",
    "stack_trace",
    "stacktrace",
    "traceback",
    "exc_info",
    "exc_text",
    "detail",
    "details",
    "reason",
    "cause",
    "event",
    "text",
    "@message",
    "@m",
    "@x",
    "errorMessage",
    "errorType",
    "error_message",
    "error.type",
    "error.message",
    "error.stack_trace",
    "exception.type",
    "exception.message",
    "exception.stacktrace",
    "short_message",
    "full_message",
    "errors",
    "values",
    "panic",
    "crash",
    "trace",
    "body",
    "data",
    "payload",
    "record",
    "fields",
    "attributes",
    "jsonPayload",
    "textPayload",
    "context",
    "extra",
    "Exception",
    "Message",
    "MessageTemplate",
    "RenderedMessage",
];
/// Further keys that are read inside an error object; elsewhere they may mean anything.
const OF_ERRORS: &[&str] = &["type", "name", "class", "code", "value", "kind", "stack", "backtrace", "source"];
/// The keys that loggers put the level under.
const LEVELS: &[&str] = &[
    "level",
    "severity",
    "levelname",
    "log.level",
    "lvl",
    "loglevel",
    "@l",
    "log_level",
    "levelName",
    "level_name",
    "Level",
];
/// How many levels of nested objects are read.
const DEPTH: usize = 4;

/// Returns the message, error and stack of a JSON line; for any other, the line without colours.
pub(super) fn read_line(trimmed: &str) -> LineText<'_> {
    if let Some(value) = json_in(trimmed) {
        let mut text = String::new();
        collect(&value, DEPTH, &mut text);
        let mild = is_mild_value(&value, trimmed);
        if !text.is_empty() {
            return LineText { text: Cow::Owned(normalise(&text).into_owned()), mild };
        }
        return LineText { text: Cow::Borrowed(trimmed), mild };
    }
    let text = if trimmed.contains('\u{1b}') {
        normalise(trimmed)
    } else {
        Cow::Borrowed(trimmed)
    };
    let text = match with_binaries(&text) {
        Some(read) => Cow::Owned(read),
        None => text,
    };
    let mild = is_mild(&text);
    let text = match text {
        Cow::Borrowed(line) => Cow::Borrowed(undecorated(line)),
        Cow::Owned(line) => Cow::Owned(undecorated(&line).to_owned()),
    };
    LineText { text, mild }
}

/// Returns a line without what tools put before each: `app-1  | ` of Docker Compose, and a time.
fn undecorated(line: &str) -> &str {
    let of_compose = line.split_once('|').and_then(|(name, rest)| {
        let name = name.trim_end();
        let stem = name.trim_end_matches(|next: char| next.is_ascii_digit());
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        (is_name && stem.len() < name.len() && stem.ends_with(['-', '_'])).then(|| rest.trim_start())
    });
    without_time(of_compose.unwrap_or(line))
}

/// Returns a line without the time that it begins with (`2026-01-15T19:49:42.113Z `); a space may stand for the `T`.
fn without_time(line: &str) -> &str {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let fits = |(byte, wanted): (u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b' '),
        other => byte == *other,
    };
    if line.len() <= SHAPE.len() || !line.bytes().zip(SHAPE).all(fits) {
        return line;
    }
    let of_time = |next: char| next.is_ascii_digit() || matches!(next, '.' | ',' | 'Z' | '+' | '-' | ':');
    let rest = line.get(SHAPE.len()..).unwrap_or_default().trim_start_matches(of_time);
    if rest.starts_with(char::is_whitespace) { rest.trim_start() } else { line }
}

/// Parses the JSON that a line is, or that follows a time and a name.
fn json_in(trimmed: &str) -> Option<Value> {
    if !trimmed.ends_with(['}', ']']) {
        return None;
    }
    let start = if trimmed.starts_with(['{', '[']) { 0 } else { trimmed.find("{\"")? };
    let value: Value = serde_json::from_str(trimmed.get(start..)?).ok()?;
    // Some loggers write a process or a year as `[1]` or `[2024]`.
    let tells = match &value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(|item| item.is_object() || item.is_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    tells.then_some(value)
}

/// Adds the words of a value to the text.
fn collect(value: &Value, depth: usize, text: &mut String) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    match value {
        Value::String(said) => match said.trim_start().starts_with('{').then(|| serde_json::from_str::<Value>(said)) {
            Some(Ok(inner)) => collect(&inner, deeper, text),
            Some(Err(_)) | None => push(said, text),
        },
        Value::Array(items) => items.iter().take(16).for_each(|item| collect(item, deeper, text)),
        Value::Object(object) => collect_object(object, deeper, depth < DEPTH, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn collect_object(object: &Map<String, Value>, depth: usize, inner: bool, text: &mut String) {
    for key in if inner { OF_ERRORS } else { &[] } {
        if let Some(Value::String(said)) = object.get(*key) {
            push(said, text);
        }
    }
    for value in MESSAGES.iter().filter_map(|key| object.get(*key)) {
        collect(value, depth, text);
    }
}

fn push(said: &str, text: &mut String) {
    if !text.is_empty() {
        text.push_str(" | ");
    }
    text.push_str(said);
}

fn is_mild_value(value: &Value, line: &str) -> bool {
    let Value::Object(object) = value else {
        return is_mild(line);
    };
    let field = |key: &str| {
        let nested = || key.split_once('.').and_then(|(outer, inner)| object.get(outer)?.as_object()?.get(inner));
        object.get(key).or_else(nested)
    };
    match LEVELS.iter().find_map(|key| field(key)) {
        Some(Value::String(level)) => is_mild_level(level),
        // bunyan and pino: 40 is a warning, 50 an error.
        Some(Value::Number(level)) => level.as_i64().is_some_and(|level| level <= 40),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => is_mild(line),
    }
}

/// Returns the line with Erlang's binaries as words: `<<101,114,114>>` is `err`.
fn with_binaries(line: &str) -> Option<String> {
    const SHORTEST: usize = 3;
    let mut out: Option<String> = None;
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("<<") {
        let Some((inside, after)) = behind.split_once(">>") else {
            break;
        };
        let bytes: Option<Vec<u8>> = inside.split(',').map(|number| number.trim().parse::<u8>().ok()).collect();
        let words = bytes.filter(|bytes| bytes.len() >= SHORTEST).and_then(|bytes| String::from_utf8(bytes).ok());
        let read = out.get_or_insert_with(String::new);
        read.push_str(before);
        read.push_str(words.as_deref().unwrap_or(inside));
        rest = after;
    }
    if let Some(read) = &mut out {
        read.push_str(rest);
    }
    out
}

fn is_mild_level(level: &str) -> bool {
    let lower = level.to_ascii_lowercase();
    ["info", "warn", "debug", "trace", "notice", "verbose", "fine"]
        .iter()
        .any(|mild| lower.starts_with(mild))
}

/// Whether a line calls itself a warning or less.
fn is_mild(line: &str) -> bool {
    let head: &str = line.char_indices().nth(160).map_or(line, |(end, _)| &line[..end]);
    let lower = head.to_ascii_lowercase();
    // A panic is never mild, whatever its own words hold (`info: "..."`).
    if lower.contains("panicked at") {
        return false;
    }
    const MARKS: &[&str] = &[
        "\"level\":\"info",
        "\"level\":\"warn",
        "\"level\":\"debug",
        "\"level\":\"trace",
        "\"level\": \"info",
        "\"level\": \"warn",
        "\"level\": \"debug",
        "\"severity\":\"info",
        "\"severity\":\"warn",
        "\"severity\": \"warn",
        "\"levelname\": \"warn",
        "\"levelname\": \"info",
        "\"level\":30",
        "\"level\":40",
        "\"level\":20",
        "level=info",
        "level=warn",
        "level=debug",
        "level=trace",
        "[info]",
        "[warn]",
        "[warning]",
        "[debug]",
        " info ",
        " warn ",
        " warning ",
        " debug ",
        "info:",
        "warning:",
        "warn:",
        "debug:",
        "deprecationwarning",
        "[notice]",
        "npm warn",
    ];
    MARKS.iter().any(|mark| lower.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_wherever_its_logger_puts_it() {
        for (line, wanted) in [
            (r#"{"level":"error","err":{"type":"MongoError","message":"boom"}}"#, "MongoError | boom"),
            (r#"{"level":"error","exception":{"values":[{"type":"KeyError","value":"'x'"}]}}"#, "KeyError | 'x'"),
            (r#"{"log":"{\"msg\":\"inner\"}"}"#, "inner"),
            (r#"2026-01-15T20:00:00Z app {"message":"boom"}"#, "boom"),
            (r#"[{"message":"one"},{"message":"two"}]"#, "one | two"),
            ("[error] <<98,111,111,109>> in x", "[error] boom in x"),
            ("[1] plain text", "[1] plain text"),
        ] {
            assert_eq!(read_line(line).text, wanted, "{line}");
        }
    }

    #[test]
    fn what_tools_put_before_a_line_is_left_out() {
        for (line, wanted) in [
            ("app-1  | exec ./run.sh: no such file or directory", "exec ./run.sh: no such file or directory"),
            ("web_1   | 2026-01-15 19:49:42,113 sh: 1: x: not found", "sh: 1: x: not found"),
            ("2026-01-15T19:49:42.113456789Z sh: 1: x: not found", "sh: 1: x: not found"),
            ("2026-01-15T19:49:42+02:00 Error: boom", "Error: boom"),
            // A level, a table, and a time that is the whole line, or part of a word, stay.
            ("ERROR | boom", "ERROR | boom"),
            ("id-1 name | value", "id-1 name | value"),
            ("2026-01-15T19:49:42", "2026-01-15T19:49:42"),
            ("2026-01-15T19:49:42_backup failed", "2026-01-15T19:49:42_backup failed"),
        ] {
            assert_eq!(read_line(line).text, wanted, "{line}");
        }
    }

    #[test]
    fn anything_is_read_without_a_fault() {
        for line in ["<<", "<<1,2", "{\"a\":", "[]", "{}", "[[[[[[\"deep\"]]]]]]", "<<300,1,2>>"] {
            read_line(line);
        }
    }
}
