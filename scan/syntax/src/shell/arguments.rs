//! Finds the word of a command that is an image.

use crate::reference::looks_like_reference;
use crate::traced::{HOLE, Traced};

/// The first argument that is neither an option nor an option's value.
pub(super) fn positional<'w>(
    arguments: &'w [Traced],
    verb: &str,
    fill: &dyn Fn(&Traced) -> Traced,
) -> Option<&'w Traced> {
    let mut open: Option<&Traced> = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.as_str();
        if text.starts_with('-') {
            if takes_value(text, verb) {
                arguments.next();
            }
            continue;
        }
        if text.starts_with(['>', '<']) || text.starts_with("2>") {
            continue;
        }
        let plain = text.trim_matches(['"', '\'']);
        if let Some(before) = open {
            // `$OPTIONS image` has the image after the unknown word; `$IMAGE command` has it before.
            let is_image = looks_like_reference(plain) && !plain.starts_with(['/', '.'])
                || plain.contains("IMAGE")
                || names_options(before.as_str());
            return Some(if is_image { argument } else { before });
        }
        let value = fill(argument);
        let is_open = plain.starts_with('$') && value.as_str().replace(['"', '\''], "") == HOLE;
        let value_text = value.as_str().trim_matches(['"', '\'', ' ']);
        if value_text.is_empty() || value_text.starts_with('-') {
            continue;
        }
        if !is_open || plain.contains("IMAGE") || plain.contains("image") {
            return Some(argument);
        }
        open = Some(argument);
    }
    open
}

/// Whether a variable's name says that it holds options.
fn names_options(text: &str) -> bool {
    let name = text.to_ascii_uppercase();
    ["OPT", "ARG", "FLAG", "[@]", "[*]", "PARAM", "MOUNT", "VOLUME", "ENV", "NETWORK"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether the next word is the option's value. Most options of `docker run` have one; of `docker pull` only one has.
fn takes_value(option: &str, verb: &str) -> bool {
    if option.contains('=') {
        return false;
    }
    if verb != "run" {
        return VALUES.contains(&option);
    }
    let alone = [
        "--detach",
        "--disable-content-trust",
        "--help",
        "--init",
        "--interactive",
        "--no-healthcheck",
        "--oom-kill-disable",
        "--privileged",
        "--publish-all",
        "--quiet",
        "--read-only",
        "--rm",
        "--sig-proxy",
        "--tty",
        "--use-api-socket",
    ];
    match option.strip_prefix('-') {
        Some(long) if long.starts_with('-') => !alone.contains(&option),
        // `-it` and the like; `-v` and `-e` take a value, unless it is stuck to them.
        Some(short) => {
            short.len() == 1 && !matches!(short, "d" | "i" | "t" | "P" | "q")
                || short.len() > 1
                    && short.ends_with(['a', 'c', 'e', 'h', 'l', 'm', 'p', 'u', 'v', 'w'])
                    && short[..short.len() - 1].bytes().all(|flag| b"ditPq".contains(&flag))
        }
        None => false,
    }
}

/// The options with a value, for commands other than `run`: there most options have none.
const VALUES: [&str; 22] = [
    "--platform",
    "--format",
    "-f",
    "--authfile",
    "--creds",
    "--override-os",
    "--override-arch",
    "--src-creds",
    "--dest-creds",
    "--retry-times",
    "--policy",
    "--namespace",
    "-n",
    "--name",
    "--tag",
    "-t",
    "--severity",
    "--exit-code",
    "-o",
    "--output",
    "--scanners",
    "--cache-dir",
];
