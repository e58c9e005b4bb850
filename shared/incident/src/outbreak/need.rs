//! What a person has to do in an outbreak.

use serde::{Deserialize, Serialize};

/// Something that a person has to do, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// What.
    pub what: String,
    /// For how many services.
    pub count: usize,
    /// For which, as far as there is room.
    pub services: Vec<String>,
}

impl Need {
    /// Lists the services that have it, and how many more there are.
    pub fn names(&self) -> String {
        let more = self.count.saturating_sub(self.services.len());
        let more = (more > 0).then(|| format!("{more} more, which `pullsafe report` names"));
        self.services.iter().cloned().chain(more).collect::<Vec<_>>().join(", ")
    }
}
