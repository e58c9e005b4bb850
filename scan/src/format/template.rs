//! Go, Jinja and HCL templates around other formats: `{{ ... }}`, `{% ... %}` and `${...}` that are filled in elsewhere.

use crate::traced::{Traced, Unknown};

/// The text with each `{{ ... }}`, `${...}` and `<%= ... %>` as an unknown part.
pub(crate) fn mark_templates(text: &Traced) -> Traced {
    mark(text, &[("{{", "}}"), ("${", "}"), ("<%=", "%>")])
}

/// The text of a Go or Jinja template as the document that it makes: lines that only steer it are blank, values unknown.
pub(crate) fn without_steering(text: &Traced) -> Traced {
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
        let opened = [("{{", "}}"), ("{%", "%}"), ("{#", "#}"), ("%{", "}")].into_iter().find(|(begin, _)| trimmed.starts_with(begin));
        match opened {
            Some((_, end)) if trimmed.ends_with(end) || !trimmed.contains(end) => {
                if !trimmed.contains(end) {
                    open = Some(end);
                }
                kept.push_computed("\n");
            }
            _ => kept.push(&text.slice(start..at)),
        }
    }
    mark(&kept, &[("{{", "}}"), ("{%", "%}"), ("${", "}")])
}

/// The text with what stands between each pair of marks as an unknown part.
pub(crate) fn mark(text: &Traced, pairs: &[(&str, &str)]) -> Traced {
    let whole = text.as_str();
    let mut marked = Traced::default();
    let mut copied = 0;
    // Where each kind begins next; looked for again only when it has been passed.
    let find = |begin: &str, from: usize| whole[from..].find(begin).map_or(usize::MAX, |at| from + at);
    let mut next: Vec<usize> = pairs.iter().map(|(begin, _)| find(begin, 0)).collect();
    while let Some((kind, &start)) = next.iter().enumerate().min_by_key(|(_, start)| **start)
        && start != usize::MAX
    {
        let (begin, end) = pairs[kind];
        let inside = start + begin.len();
        let Some(length) = whole[inside..].find(end) else { break };
        marked.push(&text.slice(copied..start));
        let name = whole[inside..inside + length].trim_matches(|character: char| character == '-' || character.is_whitespace());
        let close = inside + length + end.len();
        let unknown =
            Unknown { name: name.to_owned(), written: Some(whole[start..close].to_owned()), assumed: None, empty_if_unset: false };
        marked.push(&Traced::unknown_at(unknown, text.origin(start)));
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

/// JSON with comments as JSON: each byte of a comment is a space, so that everything else stays in its place.
pub(crate) fn without_comments(text: &str) -> String {
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
        kept[at..at + length].iter_mut().filter(|byte| !matches!(**byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        at += length;
    }
    // Comments begin and end at characters of one byte, so that what is left is text.
    String::from_utf8(kept).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::shown;
    use crate::traced::Origin;

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
            Origin { source: 0, offset: 0 },
        );
        assert_eq!(shown(&without_steering(&text)), "\nimage: \"${.Values.image}:1\"\n\n\n\n\na: b\n");
    }
}
