//! Document paths: `attribute`, `map.member`, `list[3]`.

use std::fmt;

use serde_json::{Value, json};

use super::value::{TableItem, parts};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathStep {
    Name(String),
    Index(usize),
}

/// A place in an item. The path starts with an attribute's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(pub(super) Vec<PathStep>);

impl Path {
    /// The attribute that the path starts with.
    pub(super) fn attribute(&self) -> &str {
        match self.0.first() {
            Some(PathStep::Name(name)) => name,
            Some(PathStep::Index(_)) | None => "",
        }
    }

    /// Whether one of the two places lies within the other.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(left, right)| left == right)
    }

    /// The value at this place.
    pub(super) fn get<'item>(&self, item: &'item TableItem) -> Option<&'item Value> {
        let (first, rest) = self.0.split_first()?;
        let PathStep::Name(name) = first else { return None };
        rest.iter().try_fold(item.get(name)?, |value, step| match step {
            PathStep::Name(name) => value.get("M")?.get(name),
            PathStep::Index(index) => value.get("L")?.get(index),
        })
    }

    /// Puts a value at this place; `None` if the parent does not exist. An index beyond the end of a list appends.
    pub(super) fn set(&self, item: &mut TableItem, new: Value) -> Option<()> {
        let (last, parents) = self.0.split_last()?;
        if parents.is_empty() {
            item.insert(self.attribute().to_owned(), new);
            return Some(());
        }
        let parent = Self(parents.to_vec()).get_mut(item)?;
        match last {
            PathStep::Name(name) => {
                parent.get_mut("M")?.as_object_mut()?.insert(name.clone(), new);
            }
            PathStep::Index(index) => {
                let list = parent.get_mut("L")?.as_array_mut()?;
                match list.get_mut(*index) {
                    Some(place) => *place = new,
                    None => list.push(new),
                }
            }
        }
        Some(())
    }

    /// Removes the value at this place; `None` if the parent does not exist.
    pub(super) fn remove(&self, item: &mut TableItem) -> Option<()> {
        let (last, parents) = self.0.split_last()?;
        if parents.is_empty() {
            item.shift_remove(self.attribute());
            return Some(());
        }
        let parent = Self(parents.to_vec()).get_mut(item)?;
        match last {
            PathStep::Name(name) => {
                parent.get_mut("M")?.as_object_mut()?.shift_remove(name);
            }
            PathStep::Index(index) => {
                let list = parent.get_mut("L")?.as_array_mut()?;
                if *index < list.len() {
                    list.remove(*index);
                }
            }
        }
        Some(())
    }

    fn get_mut<'item>(&self, item: &'item mut TableItem) -> Option<&'item mut Value> {
        let (first, rest) = self.0.split_first()?;
        let PathStep::Name(name) = first else { return None };
        rest.iter().try_fold(item.get_mut(name)?, |value, step| match step {
            PathStep::Name(name) => value.get_mut("M")?.get_mut(name),
            PathStep::Index(index) => value.get_mut("L")?.get_mut(index),
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self
            .0
            .iter()
            .map(|step| match step {
                PathStep::Name(name) => name.clone(),
                PathStep::Index(index) => format!("[{index}]"),
            })
            .collect();
        write!(formatter, "[{}]", steps.join(", "))
    }
}

/// The item reduced to these places.
pub(super) fn project(item: &TableItem, paths: &[Path]) -> TableItem {
    let mut kept = TableItem::new();
    for path in paths {
        if let Some(value) = path.get(item) {
            keep(&mut kept, &path.0, value);
        }
    }
    kept
}

fn keep(kept: &mut TableItem, steps: &[PathStep], value: &Value) {
    let Some((PathStep::Name(name), rest)) = steps.split_first() else {
        return;
    };
    match rest.first() {
        None => {
            kept.insert(name.clone(), value.clone());
        }
        // Kept list members close up, so an index in the item says nothing about the place in the result.
        Some(PathStep::Index(_)) => {
            let list = kept.entry(name.clone()).or_insert_with(|| json!({"L": []}));
            let mut wrapped = TableItem::new();
            let inner: Vec<PathStep> =
                std::iter::once(PathStep::Name(String::new())).chain(rest[1..].iter().cloned()).collect();
            keep(&mut wrapped, &inner, value);
            if let (Some(list), Some(member)) =
                (list.get_mut("L").and_then(Value::as_array_mut), wrapped.shift_remove(""))
            {
                list.push(member);
            }
        }
        Some(PathStep::Name(_)) => {
            let map = kept.entry(name.clone()).or_insert_with(|| json!({"M": {}}));
            if parts(map).0 == "M"
                && let Some(members) = map.get_mut("M").and_then(Value::as_object_mut)
            {
                keep(members, rest, value);
            }
        }
    }
}
