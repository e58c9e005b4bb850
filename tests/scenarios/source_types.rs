//! Types as the sources declare them: names on the wire, types, and the comments of their fields. For documents that
//! repeat them.
//!
//! The sources are formatted, so each line can be understood by itself.

/// The types of some files, in the order of their declaration.
pub(crate) struct Types(Vec<SourceType>);

pub(crate) struct SourceType {
    pub(crate) name: String,
    pub(crate) doc: String,
    /// The field that tells the variants of an enum apart, if it is a member of the object.
    pub(crate) tag: Option<String>,
    pub(crate) shape: TypeShape,
    kebab: bool,
}

pub(crate) enum TypeShape {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
}

#[derive(Clone)]
pub(crate) struct Field {
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) of: String,
    pub(crate) may_be_missing: bool,
}

pub(crate) struct Variant {
    /// The name on the wire.
    pub(crate) wire: String,
    pub(crate) doc: String,
    /// The type of the value that the variant holds, if it is a single one without a name.
    pub(crate) of: Option<String>,
    pub(crate) fields: Vec<Field>,
}

impl SourceType {
    pub(crate) fn variants(&self) -> &[Variant] {
        match &self.shape {
            TypeShape::Enum(variants) => variants,
            TypeShape::Struct(_) => panic!("{} is no enum", self.name),
        }
    }

    /// Whether every value of an enum is a plain word.
    pub(crate) fn is_plain(&self) -> bool {
        self.tag.is_none() && self.variants().iter().all(|variant| variant.of.is_none() && variant.fields.is_empty())
    }
}

impl Types {
    /// Reads the types that these files of the project declare.
    pub(crate) fn read(files: &[&str]) -> Self {
        let mut types = Self(Vec::new());
        for file in files {
            let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            types.declared_in(text.split("#[cfg(test)]").next().unwrap_or_default());
        }
        types
    }

    pub(crate) fn get(&self, name: &str) -> &SourceType {
        self.0
            .iter()
            .find(|item| item.name == name)
            .unwrap_or_else(|| panic!("no source of the page declares {name}"))
    }

    /// The names, in the order of the sources.
    pub(crate) fn order(&self) -> Vec<String> {
        self.0.iter().map(|item| item.name.clone()).collect()
    }

    fn declared_in(&mut self, text: &str) {
        let mut above = Above::default();
        // The indentation of the type that is being read.
        let mut open: Option<usize> = None;
        let mut in_variant = false;
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            let code = line.trim();
            if above.takes(code) {
                continue;
            }
            let taken = std::mem::take(&mut above);
            match open {
                None => open = self.opened(code, taken).then_some(indent),
                Some(outer) if code.starts_with('}') && indent == outer => open = None,
                Some(_) if code.starts_with('}') => in_variant = false,
                Some(_) => in_variant = self.member(code, taken, in_variant),
            }
        }
    }

    /// Whether a line begins a type: directly, or in the macro that declares sets of names.
    fn opened(&mut self, code: &str, above: Above) -> bool {
        let head = code.strip_prefix("pub struct ").map(|rest| (rest, TypeShape::Struct(Vec::new())));
        let head = head.or_else(|| code.strip_prefix("pub enum ").map(|rest| (rest, TypeShape::Enum(Vec::new()))));
        let head =
            head.or_else(|| (!above.doc.is_empty() && is_name(code)).then_some((code, TypeShape::Enum(Vec::new()))));
        let Some((name, shape)) = head.and_then(|(rest, shape)| Some((rest.strip_suffix(" {")?, shape))) else {
            return false;
        };
        let kebab = above.has("kebab-case");
        self.0.push(SourceType {
            name: name.to_owned(),
            tag: above.value("tag"),
            doc: above.doc,
            shape,
            kebab,
        });
        true
    }

    /// Adds a field or a variant. Returns whether it begins a variant with fields.
    fn member(&mut self, code: &str, above: Above, in_variant: bool) -> bool {
        let Some(item) = self.0.last_mut() else { return false };
        let field = || {
            let (name, of) = code.strip_prefix("pub ").unwrap_or(code).trim_end_matches(',').split_once(": ")?;
            let may_be_missing = above.has("skip_serializing_if");
            let name = above.value("rename").unwrap_or_else(|| name.to_owned());
            Some(Field {
                name,
                doc: above.doc.clone(),
                of: of.to_owned(),
                may_be_missing,
            })
        };
        match &mut item.shape {
            TypeShape::Struct(fields) => fields.extend(field()),
            TypeShape::Enum(variants) if in_variant => {
                if let Some(variant) = variants.last_mut() {
                    variant.fields.extend(field());
                }
                return true;
            }
            TypeShape::Enum(variants) => {
                let (head, named) = match code.split_once(" = ") {
                    Some((head, rest)) => (head, rest.split('"').nth(1).map(str::to_owned)),
                    None => (code, None),
                };
                let name = head.split(['(', ' ', ',']).next().unwrap_or_default();
                if name.is_empty() {
                    return false;
                }
                let wire = named
                    .or_else(|| above.value("rename"))
                    .unwrap_or_else(|| if item.kebab { kebab(name) } else { name.to_owned() });
                let of = head.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map(|(of, _)| of.to_owned());
                variants.push(Variant { wire, doc: above.doc.clone(), of, fields: Vec::new() });
                return code.ends_with('{');
            }
        }
        false
    }
}

/// The comment and the attributes above a line.
#[derive(Default)]
struct Above {
    doc: String,
    attributes: String,
}

impl Above {
    /// Adds a line if it is a comment or an attribute. Returns whether it is one.
    fn takes(&mut self, code: &str) -> bool {
        if let Some(doc) = code.strip_prefix("///") {
            self.doc = format!("{} {}", self.doc, unlinked(doc.trim())).trim().to_owned();
            return true;
        }
        if code.starts_with("#[") {
            self.attributes += code;
            return true;
        }
        false
    }

    fn has(&self, word: &str) -> bool {
        self.attributes.contains(word)
    }

    fn value(&self, key: &str) -> Option<String> {
        let (_, rest) = self.attributes.split_once(&format!("{key} = \""))?;
        rest.split('"').next().map(str::to_owned)
    }
}

/// A comment without links to code, escaped for a table.
fn unlinked(doc: &str) -> String {
    doc.replace("[`", "`").replace("`]", "`").replace('|', "\\|")
}

/// Whether a line is a name followed by an open bracket.
fn is_name(code: &str) -> bool {
    let name = code.strip_suffix(" {").unwrap_or_default();
    name.starts_with(|first: char| first.is_ascii_uppercase()) && name.chars().all(char::is_alphanumeric)
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    kebab
}
