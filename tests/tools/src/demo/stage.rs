//! Where the story is told: lines of eighty columns, colours where they are wanted, a pause after each line.

use std::io::{self, Write};
use std::time::Duration;

use pullsafe::timestamp::Timestamp;

/// The columns of a line. Only a word that is longer by itself goes beyond.
pub const WIDTH: usize = 80;
/// Cells of the bar that shows what is left of the quota.
const BAR: usize = 14;
/// Columns of text beside the bar.
const BESIDE_BAR: usize = 49;

/// How a text is shown, where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// A heading.
    Bold,
    /// In the background.
    Dim,
    /// It goes wrong.
    Red,
    /// It goes right.
    Green,
    /// pullsafe speaks.
    Cyan,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Red => "\x1b[31m",
            Self::Green => "\x1b[32m",
            Self::Cyan => "\x1b[36m",
        }
    }
}

/// A place to tell a story.
pub struct DemoStage<'a> {
    out: &'a mut dyn Write,
    colours: bool,
    pause: &'a mut dyn FnMut(Duration),
    /// Hears what is being done while nothing is told; an empty text ends it.
    progress: &'a mut dyn FnMut(&str),
}

impl<'a> DemoStage<'a> {
    /// Tells to this writer; `pause` is called where a person needs time to read, `progress` where one would wonder
    /// what is going on.
    pub fn new(
        out: &'a mut dyn Write,
        colours: bool,
        pause: &'a mut dyn FnMut(Duration),
        progress: &'a mut dyn FnMut(&str),
    ) -> Self {
        Self { out, colours, pause, progress }
    }

    /// Says what is being played.
    pub fn working(&mut self, what: &str) {
        let _ = self.out.flush();
        (self.progress)(what);
    }

    /// Takes it back.
    pub fn done_working(&mut self) {
        (self.progress)("");
    }

    /// The text in a colour, if there are any.
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        if self.colours && paint != Paint::Plain {
            format!("{}{text}\x1b[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    /// One line, already painted.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", text.trim_end())
    }

    /// A heading with a rule to the end of the line.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        let rule = "─".repeat(WIDTH.saturating_sub(text.chars().count() + 4));
        let heading = format!("── {} {rule}", self.paint(Paint::Bold, text));
        self.line("")?;
        self.line(&heading)?;
        self.line("")?;
        self.beat(700);
        Ok(())
    }

    /// What happened at a moment, and how much of the quota is left.
    pub fn row(&mut self, at: Timestamp, paint: Paint, text: &str, left: u32) -> io::Result<()> {
        let bar = (left as usize * BAR).div_ceil(100);
        let cells = format!("{}{}", "█".repeat(bar), "░".repeat(BAR.saturating_sub(bar)));
        let colour = if left == 0 { Paint::Red } else { Paint::Green };
        let text = self.paint(paint, &format!("{text:<BESIDE_BAR$}"));
        let line = format!(" {}  {text} {} {left:>2}", clock(at), self.paint(colour, &cells));
        self.line(&line)?;
        self.beat(350);
        Ok(())
    }

    /// What happened at a moment, where the quota does not matter.
    pub fn moment(&mut self, at: Timestamp, paint: Paint, text: &str) -> io::Result<()> {
        let line = format!(" {}  {}", clock(at), self.paint(paint, text));
        self.line(&line)?;
        self.beat(350);
        Ok(())
    }

    /// More about the row above, word for word.
    pub fn detail(&mut self, paint: Paint, text: &str) -> io::Result<()> {
        for line in wrap(text, WIDTH - 10) {
            let line = format!("          {}", self.paint(paint, &line));
            self.line(&line)?;
        }
        self.beat(180);
        Ok(())
    }

    /// A paragraph.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        for line in wrap(text, WIDTH - 1) {
            self.line(&format!(" {line}"))?;
        }
        self.beat(600);
        Ok(())
    }

    /// Time to read, in thousandths of a second.
    pub fn beat(&mut self, millis: u64) {
        // Nothing depends on the line being visible before the pause; it only looks odd if it is not.
        let _ = self.out.flush();
        (self.pause)(Duration::from_millis(millis));
    }
}

/// `19:47`.
pub fn clock(moment: Timestamp) -> String {
    moment.to_string().get(11..16).unwrap_or_default().to_owned()
}

/// The text in lines of at most this many columns. The indent of a line is kept, a word is never cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let indent = " ".repeat(paragraph.chars().take_while(|character| *character == ' ').count());
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if line.is_empty() {
                line = format!("{indent}{word}");
            } else if line.chars().count() + 1 + word.chars().count() <= width {
                line.push(' ');
                line.push_str(word);
            } else {
                lines.push(std::mem::replace(&mut line, format!("{indent}{word}")));
            }
        }
        lines.push(line);
    }
    lines
}

/// The lines under a heading of a message, without their indent.
pub(super) fn section(message: &str, heading: &str) -> Vec<String> {
    let lines = message.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect()
}
