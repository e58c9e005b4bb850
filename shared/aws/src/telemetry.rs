//! What a function tells its operators: log lines as JSON, and metrics in CloudWatch's embedded metric format.
//!
//! Signed addresses and tokens pass through the libraries that send them, which log them at their finest levels. Those
//! levels are disabled for these libraries, whatever the configuration asks for.

use std::fmt;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use pullsafe::settings::STACK;
use pullsafe::timestamp::Timestamp;

/// The version that every line names, so that a log shows which release wrote it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The namespace of every metric.
pub const NAMESPACE: &str = "Pullsafe";

/// Libraries that see secrets: nothing that they log below `info` is ever written.
const CLAMPED: [&str; 10] = [
    "aws_",
    "h2",
    "http",
    "hyper",
    "lambda_runtime",
    "lambda_runtime_api_client",
    "rustls",
    "tokio_rustls",
    "tower",
    "want",
];

/// Starts logging to standard output, at the level of `AWS_LAMBDA_LOG_LEVEL` or `RUST_LOG`, else `info`. Every metric
/// has the stack's name, if there is one. A second call does nothing.
pub fn init_logging() {
    if let Some(stack) = std::env::var(STACK.name).ok().filter(|stack| !stack.is_empty()) {
        // Only a test process starts twice.
        let _ = METRIC_STACK.set(stack);
    }
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").or_else(|_| std::env::var("RUST_LOG")).unwrap_or_default();
    // Only a test process starts logging twice.
    let _ = subscriber(&level, std::io::stdout).try_init();
}

/// A subscriber that writes lines of this level and above.
pub fn subscriber<W>(level: &str, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = targets(level).and(filter_fn(|metadata| allowed(metadata.target(), *metadata.level())));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_ansi(false);
    tracing_subscriber::registry().with(lines.map_event_format(Versioned).with_writer(writer).with_filter(filter))
}

/// Lines of JSON that begin with the version.
struct Versioned<F>(F);

impl<S, N, F: FormatEvent<S, N>> FormatEvent<S, N> for Versioned<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        match line.strip_prefix('{') {
            Some(rest) => write!(writer, "{{\"version\":\"{VERSION}\",{rest}"),
            None => writer.write_str(&line),
        }
    }
}

fn targets(level: &str) -> Targets {
    let level = level.trim().to_ascii_lowercase();
    // Lambda has a level, `FATAL`, that tracing does not know.
    let level = if level == "fatal" { "error".to_owned() } else { level };
    level
        .parse()
        .ok()
        .filter(|_| !level.is_empty())
        .unwrap_or_else(|| Targets::new().with_default(Level::INFO))
}

fn allowed(target: &str, level: Level) -> bool {
    level <= Level::INFO || !CLAMPED.iter().any(|library| target.starts_with(library))
}

/// Logs, at the finest level, the shape of an invocation's event: the names of its fields, and how long it is. Its
/// values are not ours to log.
pub fn trace_event(event: &Value) {
    if tracing::enabled!(Level::TRACE) {
        let fields: Vec<&str> =
            event.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).take(20).collect();
        tracing::trace!(bytes = event.to_string().len(), fields = fields.join(","), "an invocation begins");
    }
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Bytes,
    Seconds,
    Milliseconds,
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Seconds => "Seconds",
            Self::Milliseconds => "Milliseconds",
        })
    }
}

/// One metric: name, unit, value.
pub type Metric<'a> = (&'a str, Unit, u64);

/// Where [`emf`] sends its lines, if not to standard output.
static METRIC_SINK: OnceLock<fn(&str)> = OnceLock::new();

/// The name of the stack, which keeps the metrics of two stacks in one region apart.
static METRIC_STACK: OnceLock<String> = OnceLock::new();

/// Prints metrics as one line, which CloudWatch turns into metrics by itself.
pub fn emf(now: Timestamp, dimensions: &[(&str, &str)], metrics: &[Metric<'_>]) {
    let stack = METRIC_STACK.get().map(|stack| ("Stack", stack.as_str()));
    let dimensions: Vec<(&str, &str)> = stack.into_iter().chain(dimensions.iter().copied()).collect();
    let line = emf_line(now, &dimensions, metrics);
    match METRIC_SINK.get() {
        Some(sink) => sink(&line),
        None => println!("{line}"),
    }
}

/// Sends the lines of [`emf`] elsewhere, for a process whose standard output is for people. Only the first call has an
/// effect.
pub fn send_metrics_to(sink: fn(&str)) {
    // A second sink would be another part of the same process; the first keeps its lines.
    let _ = METRIC_SINK.set(sink);
}

/// The line that [`emf`] prints.
pub fn emf_line(now: Timestamp, dimensions: &[(&str, &str)], metrics: &[Metric<'_>]) -> String {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let definitions: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit.to_string()})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": definitions});
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({"Timestamp": now.millis(), "CloudWatchMetrics": [directive]}));
    line.insert("version".to_owned(), json!(VERSION));
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
    Value::Object(line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_line_is_in_the_embedded_metric_format() {
        let line = emf_line(
            Timestamp::from_millis(1_768_506_421_000),
            &[("Function", "mirror")],
            &[("BytesCopied", Unit::Bytes, 42)],
        );
        let expected = concat!(
            r#"{"_aws":{"Timestamp":1768506421000,"CloudWatchMetrics":[{"Namespace":"Pullsafe","Dimensions":[["Function"]],"#,
            r#""Metrics":[{"Name":"BytesCopied","Unit":"Bytes"}]}]},"version":"VERSION","Function":"mirror","BytesCopied":42}"#
        );
        assert_eq!(line, expected.replace("VERSION", VERSION));
    }

    #[test]
    fn every_line_names_the_version_and_is_json() {
        static LINES: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
        struct Sink;
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                LINES.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        tracing::subscriber::with_default(subscriber("info", || Sink), || {
            tracing::info!(outcome = "acted", "event handled: {}", "{\"version\"");
            tracing::warn!("a second line");
        });
        let lines = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line["version"] == VERSION), "{lines:?}");
        assert_eq!(
            (&lines[0]["outcome"], &lines[0]["message"]),
            (&json!("acted"), &json!("event handled: {\"version\""))
        );
    }

    #[test]
    fn libraries_that_see_secrets_never_log_finely() {
        for target in ["hyper::proto::h1", "aws_smithy_runtime::client", "lambda_runtime::layers", "rustls::client"] {
            assert!(
                allowed(target, Level::INFO) && !allowed(target, Level::DEBUG) && !allowed(target, Level::TRACE),
                "{target}"
            );
        }
        assert!(allowed("pullsafe_registry", Level::TRACE));
    }

    #[test]
    fn the_level_is_what_lambda_sets() {
        for (text, debug, info) in
            [("", false, true), ("DEBUG", true, true), ("FATAL", false, false), ("nonsense=x", false, true)]
        {
            assert_eq!(targets(text).would_enable("pullsafe", &Level::DEBUG), debug, "{text}");
            assert_eq!(targets(text).would_enable("pullsafe", &Level::INFO), info, "{text}");
        }
    }
}
