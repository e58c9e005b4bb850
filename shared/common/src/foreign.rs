//! Texts that somebody else wrote, made harmless for where they are shown: one function for each surface.
//!
//! Image names, reasons, file names, log lines and the words of registries have authors who are not ours. Every
//! function shows control characters, invisible characters and those that change the direction of a text by their
//! number, so that a text is what it looks like.

use std::borrow::Cow;

/// Whether a character is invisible or turns others around: a name that contains one reads as another name. Variation
/// selectors (U+FE00 and following) are allowed: they follow many symbols in logs.
fn is_treacherous(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    ) || (character.is_control() && character != '\n')
}

/// Shows every character that cannot be seen by its number instead. Line ends stay; a tab becomes a space.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if character == '\t' {
            out.push(' ');
        } else if is_treacherous(character) {
            out.push_str(&format!("[U+{:04X}]", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// For a terminal, and for a log: nothing moves the cursor, changes a colour or a title, or hides text. Line ends and
/// tabs stay.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if text.contains('\t') {
        return Cow::Owned(text.split('\t').map(visible).collect::<Vec<_>>().join("\t"));
    }
    visible(text)
}

/// For a name or a reason within a line of ours: it stays on that line, and is cut after 1000 characters.
pub fn line(text: &str) -> String {
    const LONGEST: usize = 1000;
    let start: String = text.chars().take(LONGEST + 1).collect();
    let mut line = visible(&start.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned();
    if let Some((at, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(at);
        line.push_str(" [...]");
    }
    line
}

/// For the log of a CI system: no line of the text is a command. GitHub runs a line that begins with `::` or contains
/// `##[`, Azure Pipelines one that contains `##vso[`, and TeamCity one that contains `##teamcity[`.
pub fn ci_log(text: &str) -> String {
    let text = terminal(text).replace("##", "# #");
    let harmless = |line: &str| {
        if line.trim_start().starts_with("::") {
            line.replacen("::", ": :", 1)
        } else {
            line.to_owned()
        }
    };
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

/// For a name or a reason that may stand at the beginning of a line, in a terminal or in a CI system's log.
pub fn log_line(text: &str) -> String {
    ci_log(&line(text))
}

/// Returns the same JSON document with nothing in it that a terminal or a CI system would act on: such characters are
/// written as escapes, and a parser reads the same values.
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut before = ' ';
    for character in document.chars() {
        if is_treacherous(character) || character == '#' && before == '#' {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(character);
        }
        before = character;
    }
    out
}

/// For a message in a chat (Slack, Teams, Chime by Amazon Q): no mention, no link under another name. Bare addresses
/// get a space, because clients make links of them.
pub fn chat(text: &str) -> String {
    let text = visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace("](", "] (");
    let text = text.replace("://", ":// ");
    ["@channel", "@here", "@everyone", "@all"]
        .iter()
        .fold(text, |text, mention| text.replace(mention, &mention.replace('@', "@ ")))
}

/// For HTML, as text or as the value of an attribute in double quotes.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in visible(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

/// For a paragraph, list item, heading or table cell of Markdown: on one line, and every character that Markdown would
/// interpret is escaped.
pub fn markdown(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut characters = text.chars().map(|character| if character == '\n' { ' ' } else { character }).peekable();
    while let Some(character) = characters.next() {
        let inside_word = before.is_alphanumeric() && characters.peek().is_some_and(|next| next.is_alphanumeric());
        let special = match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '|' | '~' | '&' | '$' => true,
            // Inside a word it means nothing, and names are full of it.
            '_' => !inside_word,
            '#' | '+' | '-' | '=' | '>' => out.is_empty(),
            '.' if ends_with_www(&out) => true,
            // `1. ` begins a list; a version or an account does not.
            '.' | ')' => {
                !out.is_empty()
                    && out.bytes().all(|digit| digit.is_ascii_digit())
                    && characters.peek().is_none_or(|next| *next == ' ')
            }
            '!' => characters.peek() == Some(&'['),
            // A bare address would become a link.
            ':' => characters.peek() == Some(&'/'),
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(character);
        before = character;
    }
    out
}

fn ends_with_www(text: &str) -> bool {
    text.len() >= 3 && text.is_char_boundary(text.len() - 3) && text[text.len() - 3..].eq_ignore_ascii_case("www")
}

/// For Markdown, as code within a line.
pub fn code(text: &str) -> String {
    fenced(&visible(text).replace('\n', " "))
}

/// For Markdown, as code within a table, where a pipe would end the cell even in code.
pub fn code_in_table(text: &str) -> String {
    fenced(&visible(text).replace('\n', " ").replace('|', "\\|"))
}

fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text, '`') + 1);
    // A space keeps a text that begins or ends with a backtick apart from the fence; Markdown drops one on each side.
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) || text.is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// For Markdown, a fenced block that its content cannot end.
pub fn block(language: &str, text: &str) -> String {
    let text = visible(text);
    let fence = "`".repeat((longest_run(&text, '`') + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

fn longest_run(text: &str, of: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_means_anything_in_html() {
        assert_eq!(
            html("<script>alert('x')</script> \"&\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &quot;&amp;&quot;"
        );
        assert_eq!(html("acme\u{202e}gpj.exe\u{0}"), "acme[U+202E]gpj.exe[U+0000]");
        assert_eq!(html("a\u{e0061}\u{3164}b\u{9b}m"), "a[U+E0061][U+3164]b[U+009B]m");
        assert_eq!(html("\u{26a0}\u{fe0f} שלום"), "\u{26a0}\u{fe0f} שלום", "what can be seen stays");
    }

    #[test]
    fn a_terminal_shows_what_is_there() {
        assert_eq!(
            terminal("a\u{1b}]0;owned\u{7}\tb\r\nc\u{9b}2J"),
            "a[U+001B]]0;owned[U+0007]\tb[U+000D]\nc[U+009B]2J"
        );
        assert_eq!(line("a\n::error::b\u{202e}c"), "a ::error::b[U+202E]c");
        assert_eq!(line(&"é".repeat(5000)).chars().count(), 1006);
    }

    #[test]
    fn no_line_is_a_command_of_a_workflow() {
        let shown = ci_log("x\n::add-mask::y\n  ::set-output name=a::b\nz ##[group]w");
        assert!(!shown.lines().any(|line| line.trim_start().starts_with("::")) && !shown.contains("##["), "{shown}");
    }

    #[test]
    fn a_line_that_begins_with_a_name_is_no_command() {
        for name in [
            "::set-output name=a::b",
            "##vso[task.setvariable variable=a]b",
            "x\n::error::y",
            "##teamcity[x]",
            "\u{1b}[2J::x",
        ] {
            let shown = log_line(name);
            assert!(!shown.starts_with("::") && !shown.contains("##") && !shown.contains(['\n', '\u{1b}']), "{shown}");
        }
    }

    #[test]
    fn a_document_of_json_means_the_same_and_is_only_text() {
        let value = serde_json::json!({"a": "x\u{9b}2J \u{202e} ##vso[x] ###[y] \u{e0061} \u{1b} é"});
        let shown = json(&format!("{value:#}"));
        assert!(!shown.contains("##") && !shown.contains(['\u{9b}', '\u{202e}', '\u{e0061}']), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn a_chat_gets_text() {
        let shown = chat("<!channel> <https://evil.example|Sign in> @here [x](http://e) &amp;");
        assert!(!shown.contains(['<', '>']) && !shown.contains("@here") && !shown.contains("]("), "{shown}");
        assert!(!shown.contains("://e"), "{shown}");
    }

    #[test]
    fn nothing_means_anything_in_markdown() {
        for (text, expected) in [
            ("a | b", "a \\| b"),
            ("# title\n- item", "\\# title - item"),
            ("1. first", "1\\. first"),
            ("123456789012.dkr.ecr", "123456789012.dkr.ecr"),
            ("snake_case and _emphasis_", "snake_case and \\_emphasis\\_"),
            ("![x](http://e)", "\\!\\[x\\](http\\://e)"),
            ("see https://e.example and www.e.example", "see https\\://e.example and www\\.e.example"),
            ("python@sha256:1, é.www", "python@sha256:1, é.www"),
            ("<img src=x>", "\\<img src=x>"),
            ("docker-hub/library/python:3.11-slim", "docker-hub/library/python:3.11-slim"),
        ] {
            assert_eq!(markdown(text), expected);
        }
    }

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code_in_table("a|b\nc"), "`a\\|b c`");
        assert_eq!(block("text", "```\nx"), "````text\n```\nx\n````\n");
    }
}
