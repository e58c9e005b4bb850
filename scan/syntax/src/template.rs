//! Go, Jinja and HCL templates of other formats: their `{{ ... }}`, `{% ... %}` and `${...}` are filled in elsewhere.

use std::ops::Range;

use crate::traced::{Traced, Unknown};

/// The text with each `{{ ... }}`, `${...}` and `<%= ... %>` as an unknown part.
pub fn mark_templates(text: &Traced) -> Traced {
    mark(text, &[("{{", "}}"), ("${", "}"), ("<%=", "%>")])
}

/// A Go or Jinja template as the document that it makes: lines with only control statements become blank, values become
/// unknown parts.
pub fn without_control(text: &Traced) -> Traced {
    mark(&without_control_lines(text), &[("{{", "}}"), ("{%", "%}"), ("<%", "%>"), ("${", "}")])
}

/// Like [`without_control`], for a text whose `${...}` belong to the text itself and not to the template.
pub fn without_control_of(text: &Traced) -> Traced {
    mark(&without_control_lines(text), &[("{{", "}}"), ("{%", "%}"), ("<%=", "%>"), ("<%", "%>")])
}

fn without_control_lines(text: &Traced) -> Traced {
    let mut kept = Traced::default();
    let mut at = 0;
    let mut open: Option<&'static str> = None;
    for line in text.as_str().split_inclusive('\n') {
        let start = at;
        at += line.len();
        let trimmed = line.trim();
        if let Some(end) = open {
            if trimmed.contains(end) {
                open = None;
            }
            kept.push_computed("\n");
            continue;
        }
        let opened = [("{{", "}}"), ("{%", "%}"), ("{#", "#}"), ("%{", "}"), ("<%", "%>")]
            .into_iter()
            .find(|(begin, _)| trimmed.starts_with(begin));
        match opened {
            Some((_, end)) if (trimmed.ends_with(end) && !trimmed.starts_with("<%=")) || !trimmed.contains(end) => {
                if !trimmed.contains(end) {
                    open = Some(end);
                }
                kept.push_computed("\n");
            }
            _ => kept.push(&text.slice(start..at)),
        }
    }
    kept
}

/// The text with everything from a pair's first mark to its second as an unknown part, or as the default that it gives.
pub fn mark(text: &Traced, pairs: &[(&str, &str)]) -> Traced {
    let whole = text.as_str();
    let mut marked = Traced::default();
    let mut copied = 0;
    // Where each kind of mark comes next. It is searched for again only when it has been passed.
    let find = |begin: &str, from: usize| whole[from..].find(begin).map_or(usize::MAX, |at| from + at);
    let mut next: Vec<usize> = pairs.iter().map(|(begin, _)| find(begin, 0)).collect();
    while let Some((kind, &start)) = next.iter().enumerate().min_by_key(|(_, start)| **start)
        && start != usize::MAX
    {
        let (begin, end) = pairs[kind];
        let inside = start + begin.len();
        let Some(length) = whole[inside..].find(end) else { break };
        marked.push(&text.slice(copied..start));
        let is_padding = |character: char| character == '-' || character.is_whitespace();
        let expression = whole[inside..inside + length].trim_start_matches(is_padding);
        let name_start = inside + length - expression.len();
        let name = expression.trim_end_matches(is_padding);
        let close = inside + length + end.len();
        let default = if begin == "{{" { default_of(name) } else { None };
        marked.push(&match default {
            Some(default) => text.slice(name_start + default.start..name_start + default.end),
            None => {
                let written = Some(whole[start..close].to_owned());
                Traced::unknown_at(
                    Unknown {
                        name: name.to_owned(),
                        written,
                        assumed: None,
                        empty_if_unset: false,
                    },
                    text.origin(start),
                )
            }
        });
        copied = close;
        for (start, (begin, _)) in next.iter_mut().zip(pairs) {
            if *start < copied {
                *start = find(begin, copied);
            }
        }
    }
    marked.push(&text.slice(copied..whole.len()));
    marked
}

/// The range of the default that an expression gives where its value is not set: `.a | default "text"` and `default
/// "text" .a` of Helm, `a | default('text')` of Jinja, ``env `A` `text` `` of ecspresso.
fn default_of(expression: &str) -> Option<Range<usize>> {
    let literal = |from: usize| {
        let rest = expression[from..].trim_start_matches(['(', ' ']);
        let start = expression.len() - rest.len() + 1;
        let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\'' | '`'))?;
        let length = expression[start..].find(quote)?;
        Some(start..start + length)
    };
    let range = if let Some(rest) = expression.strip_prefix("env ") {
        let name = literal(expression.len() - rest.len())?;
        literal(name.end + 1)?
    } else {
        let at = expression.rfind("default")?;
        let is_call = expression[..at].trim_end().ends_with('|') || expression[..at].trim().is_empty();
        literal(at + "default".len()).filter(|_| is_call)?
    };
    Some(range).filter(|range| !range.is_empty())
}

/// JSON with comments as plain JSON: each byte of a comment becomes a space, so that everything else keeps its offset.
pub fn without_comments(text: &str) -> String {
    let mut kept = text.as_bytes().to_vec();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest {
            [b'"', ..] => {
                let mut escaped = false;
                let end = rest[1..].iter().position(|&byte| {
                    let ends = byte == b'"' && !escaped || byte == b'\n';
                    escaped = byte == b'\\' && !escaped;
                    ends
                });
                at += end.map_or(rest.len(), |end| end + 2);
                continue;
            }
            [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => rest[2..].windows(2).position(|two| two == b"*/").map_or(rest.len(), |end| end + 4),
            _ => {
                at += 1;
                continue;
            }
        };
        kept[at..at + length]
            .iter_mut()
            .filter(|byte| !matches!(**byte, b'\n' | b'\r'))
            .for_each(|byte| *byte = b' ');
        at += length;
    }
    // Comments begin and end at characters of one byte, so what is left is valid UTF-8.
    String::from_utf8(kept).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::shown;
    use crate::traced::ByteOrigin;

    #[test]
    fn defaults_of_expressions_are_taken() {
        for (text, wanted) in [
            ("{{ .Values.registry | default \"docker.io\" }}/x", "docker.io/x"),
            ("{{- default \"1.27\" .Values.tag -}}", "1.27"),
            ("{{ tag | default('3.20', true) }}", "3.20"),
            ("{{ env `TAG` `7` }}", "7"),
            ("{{ must_env `TAG` }}", "${must_env `TAG`}"),
            ("{{ .Values.tag | default .Chart.AppVersion }}", "${.Values.tag | default .Chart.AppVersion}"),
            ("{{ .Values.a | default \"\" }}", "${.Values.a | default \"\"}"),
            ("{{ default_tag \"x\" }}", "${default_tag \"x\"}"),
            ("{{ .default }}", "${.default}"),
            ("{{}}", "${}"),
        ] {
            let traced = Traced::written(text, ByteOrigin { source: 0, offset: 0 });
            assert_eq!(shown(&mark_templates(&traced)), wanted, "{text}");
        }
    }

    #[test]
    fn comments_become_spaces() {
        let text = "// é\n{\"a\": \"x // y\\\" /*\", /* \"b\":\n 1 */ \"c\": 2} // end";
        let json = without_comments(text);
        assert_eq!(json, "     \n{\"a\": \"x // y\\\" /*\",        \n      \"c\": 2}       ");
        assert_eq!(json.len(), text.len());
        for odd in ["/*", "/", "//", "\"", "\"\\", "/*/", "\"a\n/*x"] {
            assert_eq!(without_comments(odd).len(), odd.len());
        }
    }

    #[test]
    fn steering_lines_go_and_values_stay_unknown() {
        let text = Traced::written(
            "{{- if .x }}\nimage: \"{{ .Values.image }}:1\"\n{{- end }}\n{{- /*\nnote\n*/ -}}\na: b\n",
            ByteOrigin { source: 0, offset: 0 },
        );
        assert_eq!(shown(&without_control(&text)), "\nimage: \"${.Values.image}:1\"\n\n\n\n\na: b\n");
    }
}
