//! User data of machines: cloud-config with `runcmd` and `write_files`, Butane and Ignition units and files.

use pullsafe_syntax::embedded::Embedded;
use pullsafe_syntax::template::without_control;
use pullsafe_syntax::traced::Traced;
use pullsafe_syntax::yaml::{TracedNode, WrittenAt as _, read};

use super::commands::Commands;
use super::script::is_unit;
use super::{Format, ReadAs};
use crate::analysis::Analysis;
use crate::finding::PlaceKind;

pub(super) const FORMAT: Format = Format {
    name: "cloud-init, Butane",
    finds: "commands of `runcmd` and `bootcmd`; scripts, units and manifests of `write_files`, `storage.files` and \
        `systemd.units`",
    known_by: "a first line `#cloud-config`; `*.bu`, `*.ign`, `cloud-init*.yml`",
    order: "before scripts, as user data may be either; by its first line",
    named: |name| {
        name.has_extension(&["bu", "ign", "fcc"])
            || [
                "cloud-init",
                "cloud_init",
                "cloudinit",
                "cloud-config",
                "cloud_config",
                "user-data",
                "user_data",
                "userdata",
            ]
            .iter()
            .any(|word| name.file.starts_with(word))
                && !name.has_extension(&["sh", "ps1", "py", "go", "tf", "ts", "js", "java", "md", "json"])
    },
    marks: &[],
    read: ReadAs::Text { begins, scan },
};

fn begins(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').starts_with("#cloud-config")
}

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    if text.as_str().starts_with("#!") {
        let mut commands = Commands::default();
        commands.run(text);
        return commands.finish_as(PlaceKind::CloudInit, analysis);
    }
    let is_template = ["{{", "${", "%{"].iter().any(|mark| text.as_str().contains(mark));
    let (tree, broken) = read(if is_template { without_control(text) } else { text.clone() });
    if let Some(broken) = broken {
        analysis.unreadable(text, broken.offset, format!("not readable as YAML: {}", broken.message));
    }
    let mut commands = Commands::default();
    for node in tree.mappings() {
        for (key, value) in node.own_entries() {
            match key {
                "runcmd" | "bootcmd" => {
                    for command in value.items() {
                        match command.text() {
                            Some(script) => commands.run(&script),
                            None => commands.run(&joined(command)),
                        }
                    }
                }
                "content" | "contents" | "inline" => {
                    if let Some(content) = value.text().filter(|content| content.as_str().contains('\n')) {
                        file(content, analysis);
                    }
                }
                _ => {}
            }
        }
    }
    commands.finish_as(PlaceKind::CloudInit, analysis);
}

/// Joins a command that is a list of words into one line.
fn joined(list: TracedNode<'_>) -> Traced {
    let mut line = Traced::default();
    for word in list.items().into_iter().filter_map(TracedNode::text) {
        let quote = if word.as_str().contains(char::is_whitespace) { "'" } else { "" };
        line.push_computed(quote);
        line.push(&word);
        line.push_computed(quote);
        line.push_computed(" ");
    }
    line
}

/// Keeps the content of a file that is written: a unit, a script or a manifest.
fn file(content: Traced, analysis: &mut Analysis<'_>) {
    let text = content.as_str().trim_start();
    if text.starts_with("#!") || is_unit(text) {
        analysis.embed(content, Embedded::Script);
    } else {
        analysis.embed(content, Embedded::Document);
    }
}
