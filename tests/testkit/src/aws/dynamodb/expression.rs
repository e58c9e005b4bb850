//! What all expressions share: tokens, paths, and the names and values that a request defines.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::path::{Path, PathStep};
use super::value::normal;

/// Words that may not be used as the name of an attribute ("Reserved words in DynamoDB" in the developer guide).
const RESERVED: &str = include_str!("reserved.txt");

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExpressionToken {
    Word(String),
    Name(String),
    Value(String),
    Index(usize),
    Symbol(&'static str),
}

const SYMBOLS: &[&str] = &["<>", "<=", ">=", "<", ">", "=", "(", ")", ",", ".", "[", "]", "+", "-"];

/// The names and values that a request defines, and which of them were used: DynamoDB refuses a request that defines
/// more than it uses.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: Map<String, Value>,
    values: Map<String, Value>,
    used: BTreeSet<String>,
}

impl Scope {
    /// The names and values of a request, the values in normal form.
    pub(super) fn of(request: &Value) -> Result<Self, String> {
        let take = |member: &str| request[member].as_object().cloned().unwrap_or_default();
        let values = take("ExpressionAttributeValues");
        let values: Result<_, _> =
            values.iter().map(|(name, value)| Ok::<_, String>((name.clone(), normal(value)?))).collect();
        Ok(Self {
            names: take("ExpressionAttributeNames"),
            values: values?,
            used: BTreeSet::new(),
        })
    }

    /// Refuses definitions that no expression used.
    pub(super) fn all_used(&self) -> Result<(), String> {
        for (member, defined) in
            [("ExpressionAttributeNames", &self.names), ("ExpressionAttributeValues", &self.values)]
        {
            let unused: Vec<&str> =
                defined.keys().filter(|name| !self.used.contains(*name)).map(String::as_str).collect();
            if !unused.is_empty() {
                return Err(format!(
                    "Value provided in {member} unused in expressions: keys: {{{}}}",
                    unused.join(", ")
                ));
            }
        }
        Ok(())
    }
}

/// Reads one expression. `kind` is what its messages call it, such as `ConditionExpression`.
#[derive(Debug)]
pub(super) struct Parser<'scope> {
    kind: &'static str,
    tokens: Vec<ExpressionToken>,
    position: usize,
    scope: &'scope mut Scope,
}

impl<'scope> Parser<'scope> {
    /// Starts at the beginning of an expression.
    pub(super) fn new(kind: &'static str, text: &str, scope: &'scope mut Scope) -> Result<Self, String> {
        let tokens = tokens(text).map_err(|why| format!("Invalid {kind}: Syntax error; {why}"))?;
        if tokens.is_empty() {
            return Err(format!("Invalid {kind}: The expression can not be empty;"));
        }
        Ok(Self { kind, tokens, position: 0, scope })
    }

    /// The refusal of the expression, with this reason.
    pub(super) fn refuse(&self, why: &str) -> String {
        format!("Invalid {}: {why}", self.kind)
    }

    /// The refusal of the token at hand.
    pub(super) fn unexpected(&self) -> String {
        match self.peek() {
            Some(token) => self.refuse(&format!("Syntax error; unexpected {token:?} at token {}", self.position + 1)),
            None => self.refuse("Syntax error; unexpected end of the expression"),
        }
    }

    pub(super) fn peek(&self) -> Option<&ExpressionToken> {
        self.tokens.get(self.position)
    }

    pub(super) fn next(&mut self) -> Option<ExpressionToken> {
        let token = self.tokens.get(self.position).cloned();
        self.position += 1;
        token
    }

    /// Takes a symbol if it comes next.
    pub(super) fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(ExpressionToken::Symbol(found)) if *found == symbol);
        self.position += usize::from(found);
        found
    }

    /// Takes a keyword if it comes next.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(ExpressionToken::Word(found)) if found.eq_ignore_ascii_case(word));
        self.position += usize::from(found);
        found
    }

    /// Takes the name of a function if one is called next.
    pub(super) fn take_function(&mut self) -> Option<String> {
        let Some(ExpressionToken::Word(name)) = self.peek() else {
            return None;
        };
        let name = name.clone();
        if !matches!(self.tokens.get(self.position + 1), Some(ExpressionToken::Symbol("("))) {
            return None;
        }
        self.position += 2;
        Some(name)
    }

    /// Takes a symbol that has to come next.
    pub(super) fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Refuses anything left over.
    pub(super) fn end(&self) -> Result<(), String> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes a reference to a value of the request if one comes next.
    pub(super) fn value(&mut self) -> Result<Option<Value>, String> {
        let Some(ExpressionToken::Value(name)) = self.peek().cloned() else {
            return Ok(None);
        };
        self.position += 1;
        self.scope.used.insert(name.clone());
        match self.scope.values.get(&name) {
            Some(value) => Ok(Some(value.clone())),
            None => Err(self.refuse(&format!(
                "An expression attribute value used in expression is not defined; attribute value: {name}"
            ))),
        }
    }

    pub(super) fn path(&mut self) -> Result<Path, String> {
        let mut steps = vec![self.step()?];
        loop {
            if self.take(".") {
                steps.push(self.step()?);
            } else if self.take("[") {
                let Some(ExpressionToken::Index(index)) = self.next() else {
                    return Err(self.unexpected());
                };
                steps.push(PathStep::Index(index));
                self.expect("]")?;
            } else {
                return Ok(Path(steps));
            }
        }
    }

    fn step(&mut self) -> Result<PathStep, String> {
        match self.peek().cloned() {
            Some(ExpressionToken::Word(word)) => {
                if RESERVED.split_whitespace().any(|reserved| reserved.eq_ignore_ascii_case(&word)) {
                    return Err(self.refuse(&format!("Attribute name is a reserved keyword; reserved keyword: {word}")));
                }
                self.position += 1;
                Ok(PathStep::Name(word))
            }
            Some(ExpressionToken::Name(name)) => {
                self.position += 1;
                self.scope.used.insert(name.clone());
                match self.scope.names.get(&name).and_then(Value::as_str) {
                    Some(attribute) => Ok(PathStep::Name(attribute.to_owned())),
                    None => Err(self.refuse(&format!(
                        "An expression attribute name used in the document path is not defined; attribute name: {name}"
                    ))),
                }
            }
            _ => Err(self.unexpected()),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<ExpressionToken>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = |from: usize| {
            let end = rest[from..].find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
            end.map_or(rest.len(), |end| from + end)
        };
        let (token, taken) = if first == '#' || first == ':' {
            let end = length(1);
            let name = rest[..end].to_owned();
            (
                if first == '#' {
                    ExpressionToken::Name(name)
                } else {
                    ExpressionToken::Value(name)
                },
                end,
            )
        } else if first.is_ascii_digit() {
            let end = length(0);
            (
                ExpressionToken::Index(rest[..end].parse().map_err(|_| format!("token: \"{}\"", &rest[..end]))?),
                end,
            )
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = length(0);
            (ExpressionToken::Word(rest[..end].to_owned()), end)
        } else {
            let symbol = SYMBOLS
                .iter()
                .find(|symbol| rest.starts_with(**symbol))
                .ok_or_else(|| format!("token: \"{first}\""))?;
            (ExpressionToken::Symbol(symbol), symbol.len())
        };
        tokens.push(token);
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

/// Reads a list of paths.
pub(super) fn projection(text: &str, scope: &mut Scope) -> Result<Vec<Path>, String> {
    let mut parser = Parser::new("ProjectionExpression", text, scope)?;
    let mut paths = vec![parser.path()?];
    while parser.take(",") {
        paths.push(parser.path()?);
    }
    parser.end()?;
    Ok(paths)
}
