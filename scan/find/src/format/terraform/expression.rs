//! Expressions of a module, and the names in them.

use hcl_edit::expr::{Expression, ObjectKey, TraversalOperator};

/// How many values may refer to each other in a chain, and how many values one expression may have.
pub(crate) const LIMIT: usize = 16;
/// An expression, and the number of the file that has it.
#[derive(Clone, Copy)]
pub(crate) struct At<'m> {
    pub(crate) file: usize,
    pub(crate) expression: &'m Expression,
}

/// The value of an object's member, or of an array's item.
pub(super) fn member<'e>(expression: &'e Expression, key: &str) -> Option<&'e Expression> {
    match expression {
        Expression::Object(object) => object
            .iter()
            .find(|(name, _)| object_key(name).as_deref() == Some(key))
            .map(|(_, value)| value.expr()),
        Expression::Array(array) => array.get(key.parse().ok()?),
        _ => None,
    }
}

/// A key of an object as a text.
pub(crate) fn object_key(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(Expression::String(name)) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(Expression::Variable(name)) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(_) => None,
    }
}

pub(super) fn key_of(operator: &TraversalOperator) -> Option<String> {
    match operator {
        TraversalOperator::GetAttr(name) => Some(name.as_str().to_owned()),
        TraversalOperator::Index(Expression::String(name)) => Some(name.as_str().to_owned()),
        TraversalOperator::Index(Expression::Number(number)) => Some(number.value().to_string()),
        TraversalOperator::LegacyIndex(index) => Some(index.value().to_string()),
        TraversalOperator::Index(_) | TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => None,
    }
}
