//! What the tables for logs share.

use super::prelude::*;

/// A row for an application that crashed.
pub(super) const fn crash(
    id: &'static str,
    signature: Signature,
    weight: u8,
    all: &'static [&'static [&'static str]],
) -> SignatureRow {
    SignatureRow {
        id,
        cause: Cause::AppCrashed,
        signature: Some(signature),
        weight,
        all,
        confidence: Confidence::Medium,
        ..SignatureRow::EMPTY
    }
}

/// Whether a text names something in capitals, as environment variables are named (`DATABASE_URL`, `PORT`).
pub(super) fn names_a_variable(text: &str) -> bool {
    // A name in quotes after these words is a variable, however it is spelt.
    text.contains("environment variable \"")
        || text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').any(|word| {
            word.len() >= 3
                && word.starts_with(|first: char| first.is_ascii_uppercase())
                && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
                && !matches!(
                    word,
                    "ERROR"
                        | "FATAL"
                        | "WARN"
                        | "WARNING"
                        | "INFO"
                        | "DEBUG"
                        | "CRITICAL"
                        | "HTTP"
                        | "HTTPS"
                        | "JSON"
                        | "URL"
                        | "GET"
                        | "POST"
                        | "PUT"
                        | "DELETE"
                        | "API"
                        | "TCP"
                        | "DNS"
                        | "SQL"
                        | "AWS"
                        | "ECS"
                        | "UTC"
                        | "PID"
                        | "EOF"
                        | "NULL"
                        | "ENOENT"
                )
        })
}

/// The characters that end a name.
pub(super) const WORD: &[char] = &[' ', '\'', '"', ',', ')', ';', '`', '\\', '}', ']', '\n'];

pub(super) const ENV: &str = "A variable that the program needs is not set{subject?: `$`}. Add it to `environment` or \
    `secrets` of the container in the {definition}.";
