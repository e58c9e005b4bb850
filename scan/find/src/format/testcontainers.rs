//! Containers that tests start: Testcontainers in its languages, and dockertest.

use pullsafe_syntax::reference::{assembled, is_plausible, looks_like_reference};
use pullsafe_syntax::source::{SourceTokens, language};
use pullsafe_syntax::traced::{HOLE, Traced};

use super::{Format, ReadAs, never};
use crate::analysis::{Analysis, Otherwise};
use crate::finding::PlaceKind;
use crate::name::Name;

pub(super) const FORMAT: Format = Format {
    name: "Testcontainers",
    finds: "the image that `GenericContainer`, a module's container or builder, `DockerImageName.parse`, `withImage`, \
        `Run` and \
            `ContainerRequest` are given, in Java, Kotlin, Scala, Groovy, Go, Python, JavaScript, TypeScript, .NET \
            and Rust; dockertest; \
            texts, texts put together, and names that the same file gives a text",
    known_by: "a program with the library's name, or `GenericContainer`, in it",
    order: "after the other programs: a test of infrastructure may have both, and theirs are the rarer marks",
    named: |name| is_program(name),
    marks: &["estcontainers", "estContainers", "dockertest", "GenericContainer"],
    read: ReadAs::Text { begins: never, scan },
};

/// Whether a file is a program of a language that is read.
pub(super) fn is_program(name: &Name<'_>) -> bool {
    name.has_extension(&[
        "java", "kt", "kts", "scala", "groovy", "go", "py", "js", "mjs", "cjs", "ts", "mts", "cts", "tsx", "jsx", "cs",
        "fs", "vb", "rs",
    ])
}

fn scan(text: &Traced, analysis: &mut Analysis<'_>) {
    let path = analysis.path().to_owned();
    let Some(language) = Name::of(&path).extension().split('.').next().and_then(language) else {
        return;
    };
    let source = SourceTokens::read(text, language);
    for index in 0..source.count() {
        let Some(word) = source.word(index) else { continue };
        if matches!(
            source.word(index.wrapping_sub(1)),
            Some("class" | "def" | "fun" | "func" | "function" | "interface" | "record" | "void")
        ) {
            continue;
        }
        let found = match source.call(index) {
            Some(open) => called(&source, word, open, index),
            None => keyed(&source, index),
        };
        if let Some(value) = found {
            record(&value, analysis);
        }
    }
}

fn record(value: &Traced, analysis: &mut Analysis<'_>) {
    let text = value.as_str();
    // A version alone is a module's old way to say its tag.
    let is_version = text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains(['/', ':']);
    // What another program decides altogether is not worth a line.
    if !is_version && text != HOLE && !text.contains(char::is_whitespace) && value.origin(0).is_some() {
        analysis.found(PlaceKind::Testcontainers, value, value, Otherwise::Ignore);
    }
}

/// The image that a call is given.
fn called(source: &SourceTokens, word: &str, open: usize, index: usize) -> Option<Traced> {
    let arguments = source.arguments(open);
    let at = |number: usize| arguments.get(number).and_then(|&start| source.value(start));
    let named = || {
        ["image", "dockerImageName", "imageName", "docker_image_name"]
            .iter()
            .find_map(|name| source.named(open, name))
    };
    // `asCompatibleSubstituteFor(DockerImageName.parse("postgres"))` says what an image is like.
    let compared = || {
        source
            .around(index)
            .next()
            .is_some_and(|open| matches!(source.owner(open), "asCompatibleSubstituteFor" | "isCompatibleWith"))
    };
    match word {
        "parse" if source.word(index.wrapping_sub(2)) == Some("DockerImageName") && !compared() => {
            source.value(index - 2)
        }
        // `GenericImage::new("redis", "7")` of Rust.
        "new" if source.word(index.wrapping_sub(3)) == Some("GenericImage") => {
            Some(assembled(None, at(0)?, at(1), None))
        }
        "withImage" | "WithImage" | "WithImageName" => at(0),
        // `postgres.Run(ctx, "postgres:16")`, and dockertest's `pool.Run("postgres", "16", ...)`
        "Run" | "RunContainer" => {
            let first = source.literal(*arguments.first()?);
            match (first, at(1)) {
                (Some(name), Some(tag))
                    if word == "Run" && source.literal(arguments[1]).is_some() && !name.as_str().contains(':') =>
                {
                    Some(assembled(None, at(0)?, Some(tag), None))
                }
                (None, Some(image)) if source.literal(*arguments.get(1)?).is_some() || is_like_image(&image) => {
                    Some(image)
                }
                _ => None,
            }
        }
        _ if is_container(word) || is_builder(word) => match named() {
            Some(start) => source.value(start),
            None if arguments.first().is_some_and(|&start| source.named_at(start).is_none()) => {
                at(0).filter(|value| !is_word_of_program(value, word))
            }
            None => None,
        },
        _ => None,
    }
}

/// `Image: "x"` of Go, `Repository: "x", Tag: "y"` of dockertest, `image = "x"` of Kotlin's and Python's arguments.
fn keyed(source: &SourceTokens, index: usize) -> Option<Traced> {
    let (key, start) = source.named_at(index)?;
    let open = source.around(index).next()?;
    let owner = source.owner(open);
    match key {
        "Image" if owner.ends_with("Request") || owner.ends_with("Options") => source.value(start),
        // A row of a table of tests.
        "image" | "Image" | "img" if source.is_mark(index + 1, b':') && source.literal(start).is_some() => {
            source.value(start).filter(|value| looks_like_reference(value.as_str()))
        }
        "Repository" if owner.ends_with("Options") => {
            let tag = source.named(open, "Tag").and_then(|start| source.value(start));
            Some(assembled(None, source.value(start)?, tag, None))
        }
        _ => None,
    }
}

fn is_container(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.ends_with("Container")
        && word.len() > "Container".len()
        || matches!(word, "KafkaContainerCluster" | "DockerImage")
}

/// Whether a type may be a module's builder of .NET, not one of the language's own.
fn is_builder(word: &str) -> bool {
    let other = ["String", "Uri", "Url", "Host", "Web", "Config", "Query", "Request", "Options", "Application"];
    word.strip_suffix("Builder")
        .is_some_and(|stem| !stem.is_empty() && !other.iter().any(|other| stem.contains(other)))
}

fn is_like_image(value: &Traced) -> bool {
    value.origin(0).is_some() && is_plausible(value.as_str())
}

/// Whether a builder's or an unknown container's first argument is more likely a name than an image.
fn is_word_of_program(value: &Traced, word: &str) -> bool {
    word.ends_with("Builder") && !is_like_image(value)
        || value.as_str().contains('.') && !value.as_str().contains(['/', ':'])
}
