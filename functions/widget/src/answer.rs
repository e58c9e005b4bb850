//! What the dashboard is answered.

use serde::{Deserialize, Serialize};

/// The widget's answer, one of two by what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WidgetAnswer {
    /// To `{"describe": true}`, which the console asks when the widget is added: what it is for.
    Described(Described),
    /// To everything else: a fragment of HTML, without scripts and links, and with buttons only where the stack says
    /// so. A failure is told in it.
    Html(String),
}

/// What the widget is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// In Markdown.
    pub markdown: String,
}
