//! The demo as a picture that moves: what a terminal would show, as an SVG with the pauses of the telling and without a
//! script.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use pullsafe::foreign;

use super::stage::WIDTH;
use super::{DemoError, DemoStage, case_a};

/// Rows that are seen at a time.
const ROWS: usize = 30;
/// A cell, in pixels.
const CELL: (f32, usize) = (8.4, 18);
const MARGIN: usize = 14;
/// The end is to be read before it begins again.
const REST_MILLIS: u64 = 12_000;

/// Lines with the moment in which they came.
#[derive(Debug, Default)]
pub struct Tape(RefCell<RecordingInner>);

#[derive(Debug, Default)]
struct RecordingInner {
    lines: Vec<(u64, String)>,
    begun: Vec<u8>,
    now: u64,
}

impl Tape {
    /// Lets time pass.
    pub fn pause(&self, time: Duration) {
        self.0.borrow_mut().now += u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    }

    /// The picture.
    pub fn svg(&self) -> String {
        let inner = self.0.borrow();
        let total = inner.lines.last().map_or(0, |(at, _)| *at) + REST_MILLIS;
        let width = (WIDTH + 8) as f32 * CELL.0 + 2.0 * MARGIN as f32;
        let height = ROWS * CELL.1 + 2 * MARGIN;
        let percent = |at: u64| at as f64 * 100.0 / total as f64;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height}\" width=\"{width:.0}\" \
             height=\"{height}\" role=\"img\" aria-label=\"cargo demo, recorded\">\n\
             <style>\n\
             text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", monospace; fill: \
             #d8dee9; white-space: pre; }}\n\
             .b {{ font-weight: bold; fill: #ffffff; }} .d {{ fill: #8b95a7; }} .r {{ fill: #ff7b72; }} .g {{ fill: \
             #7ee787; }} .c {{ fill: #79c0ff; }}\n\
             .l {{ visibility: hidden; animation: {total}ms step-end infinite; }}\n\
             #all {{ animation: scroll {total}ms step-end infinite; }}\n"
        );
        // One animation for each moment, and one for what is pushed out at the top.
        let mut moments: Vec<u64> = inner.lines.iter().map(|(at, _)| *at).collect();
        moments.dedup();
        for at in &moments {
            let _ = writeln!(
                text,
                "@keyframes t{at} {{ 0% {{ visibility: hidden; }} {:.3}%, 100% {{ visibility: visible; }} }}",
                percent(*at)
            );
        }
        text += "@keyframes scroll {";
        for (row, (at, _)) in inner.lines.iter().enumerate() {
            let last = inner.lines.get(row + 1).is_none_or(|(next, _)| next != at);
            if last {
                let _ = write!(
                    text,
                    " {:.3}% {{ transform: translateY(-{}px); }}",
                    percent(*at),
                    (row + 1).saturating_sub(ROWS) * CELL.1
                );
            }
        }
        let end = inner.lines.len().saturating_sub(ROWS) * CELL.1;
        let _ = writeln!(text, " 100% {{ transform: translateY(-{end}px); }} }}");
        // Who wants nothing to move sees the end.
        let _ = writeln!(
            text,
            "@media (prefers-reduced-motion: reduce) {{ .l {{ visibility: visible; animation: none; }} #all {{ \
             animation: none; transform: translateY(-{end}px); }} }}\n</style>"
        );
        let _ = writeln!(text, "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n<g id=\"all\">");
        for (row, (at, line)) in inner.lines.iter().enumerate().filter(|(_, (_, line))| !line.is_empty()) {
            let y = MARGIN + row * CELL.1 + 14;
            let _ = writeln!(
                text,
                "<text class=\"l\" style=\"animation-name:t{at}\" x=\"{MARGIN}\" y=\"{y}\" \
                 xml:space=\"preserve\">{}</text>",
                coloured(line)
            );
        }
        text + "</g>\n</svg>\n"
    }
}

impl Write for &Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        for byte in bytes {
            if *byte == b'\n' {
                let line = String::from_utf8_lossy(&std::mem::take(&mut inner.begun)).into_owned();
                let now = inner.now;
                inner.lines.push((now, line));
            } else {
                inner.begun.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line with the terminal's colours as classes.
fn coloured(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let mut text = foreign::html(parts.next().unwrap_or_default());
    for part in parts {
        let (code, rest) = part.split_once('m').unwrap_or_default();
        let class = match code {
            "[1" => "b",
            "[2" => "d",
            "[31" => "r",
            "[32" => "g",
            "[36" => "c",
            _ => "",
        };
        let rest = foreign::html(rest);
        text += &if class.is_empty() {
            rest
        } else {
            format!("<tspan class=\"{class}\">{rest}</tspan>")
        };
    }
    text
}

/// Records the middle of case A: the evening with pullsafe.
///
/// # Errors
/// The replay went wrong.
pub async fn record() -> Result<String, DemoError> {
    pullsafe_aws::telemetry::send_metrics_to(|_| {});
    let tape = Tape::default();
    let mut out = &tape;
    let mut pause = |time| tape.pause(time);
    case_a::tell_shortly(&mut DemoStage::new(&mut out, true, &mut pause, &mut |_| ())).await?;
    Ok(tape.svg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_appears_in_its_moment_in_its_colour_and_as_text() {
        let tape = Tape::default();
        writeln!(&mut &tape, "<first> \x1b[31mred\x1b[0m end").unwrap();
        tape.pause(Duration::from_millis(500));
        write!(&mut &tape, "sec").unwrap();
        writeln!(&mut &tape, "ond").unwrap();
        let svg = tape.svg();
        assert!(svg.contains("&lt;first&gt; <tspan class=\"r\">red</tspan> end</text>"), "{svg}");
        assert!(
            svg.contains("animation-name:t0") && svg.contains("animation-name:t500") && svg.contains(">second</text>"),
            "{svg}"
        );
        assert!(svg.contains("@keyframes t500 { 0% { visibility: hidden; } 4.000%, 100%"), "{svg}");
        assert!(!svg.contains('\x1b'), "{svg}");
    }
}
