//! The loops of a module, and what their variables stand for: `each.value` of a `for_each`, and those of a `for`.
//!
//! A loop's body is looked at once for each item, so that the parts of an image that come from one item stay together.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the expressions are those of hcl-edit, most of which are no collections"
)]

use hcl_edit::expr::{Expression, ForExpr, Traversal, TraversalOperator};
use pullsafe_syntax::traced::Traced;

use super::expression::{At, LIMIT, key_of, member, object_key};
use super::module::Module;

/// One item of a collection: its key, and its value with the file that has it.
type LoopItem = (String, (usize, Expression));

impl Module {
    /// Does something for each item of a `for_each`; once without one, or where its items are not known.
    pub(crate) fn with_each<'m>(&'m self, collection: Option<At<'m>>, action: &mut dyn FnMut()) {
        let items = collection.map(|collection| self.items(collection, 0)).unwrap_or_default();
        self.with_items(items, Some("each.key"), "each.value", action);
    }

    /// Does something for each item of a `for` expression.
    pub(crate) fn with_for<'m>(&'m self, file: usize, each: &'m ForExpr, action: &mut dyn FnMut()) {
        let items = self.items(At { file, expression: &each.intro.collection_expr }, 0);
        self.with_items(
            items,
            each.intro.key_var.as_ref().map(|name| name.as_str()),
            each.intro.value_var.as_str(),
            action,
        );
    }

    fn with_items(&self, items: Vec<LoopItem>, key: Option<&str>, value: &str, action: &mut dyn FnMut()) {
        if items.is_empty() {
            return action();
        }
        for (name, item) in items {
            let Some(left) = self.scope.left.get().checked_sub(1) else {
                return;
            };
            self.scope.left.set(left);
            let shadowed = {
                let mut bound = self.scope.bound.borrow_mut();
                let key =
                    key.map(|key| (key.to_owned(), bound.insert(key.to_owned(), (item.0, Expression::from(name)))));
                let value = Some((value.to_owned(), bound.insert(value.to_owned(), item)));
                [key, value]
            };
            action();
            let mut bound = self.scope.bound.borrow_mut();
            for (name, before) in shadowed.into_iter().flatten() {
                match before {
                    Some(before) => bound.insert(name, before),
                    None => bound.remove(&name),
                };
            }
        }
    }

    fn items<'m>(&'m self, collection: At<'m>, depth: usize) -> Vec<LoopItem> {
        let at = self.follow(collection);
        match at.expression {
            Expression::Object(object) => object
                .iter()
                .filter_map(|(key, value)| Some((object_key(key)?, (at.file, value.expr().clone()))))
                .collect(),
            Expression::Array(items) => items
                .iter()
                .map(|item| {
                    let key = if let Expression::String(text) = item {
                        text.as_str().to_owned()
                    } else {
                        String::new()
                    };
                    (key, (at.file, item.clone()))
                })
                .collect(),
            Expression::FuncCall(call)
                if depth < LIMIT
                    && matches!(
                        call.name.name.as_str(),
                        "toset" | "tolist" | "tomap" | "merge" | "concat" | "nonsensitive"
                    ) =>
            {
                call.args
                    .iter()
                    .flat_map(|argument| self.items(At { expression: argument, ..at }, depth + 1))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Every text that a loop variable, or a member of it, can be; `None` where the expression is none.
    pub(crate) fn evaluate_bound(&self, traversal: &Traversal, depth: usize) -> Option<Vec<Traced>> {
        let Expression::Variable(root) = &traversal.expr else {
            return None;
        };
        let operators: Vec<&TraversalOperator> = traversal.operators.iter().map(|operator| operator.value()).collect();
        let (name, rest) = match (root.as_str(), operators.split_first()) {
            ("each", Some((first, rest))) => (format!("each.{}", key_of(first)?), rest),
            (name, _) => (name.to_owned(), operators.as_slice()),
        };
        let (file, expression) = self.scope.bound.borrow().get(&name).cloned()?;
        let mut at = At { file, expression: &expression };
        for operator in rest {
            at = self.follow(at);
            at = At { expression: member(at.expression, &key_of(operator)?)?, ..at };
        }
        Some(self.evaluate(at, depth + 1))
    }

    /// As [`Self::evaluate_bound`] for a variable alone.
    pub(crate) fn evaluate_variable(&self, name: &str, depth: usize) -> Option<Vec<Traced>> {
        let (file, expression) = self.scope.bound.borrow().get(name).cloned()?;
        Some(self.evaluate(At { file, expression: &expression }, depth + 1))
    }
}
