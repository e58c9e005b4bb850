//! What each error of ECR means for a stack that waits: whether the image may still come, or whether a person has to do
//! something first.
//!
//! The codes are those of ECR's model (`BatchGetImage` and its failures, `DescribeImages`,
//! `DescribeImageSigningStatus`, `GetRepositoryPolicy`) and those that every service of AWS answers with. On a code
//! that is in no row the gate keeps waiting, because the code is not known to be final.

use super::look::{Look, WhyNot};

/// What a code means for a stack that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The image is not there, and may come.
    NoImage,
    /// The repository is not there, and may come.
    NoRepository,
    /// The error passes by itself.
    Passes,
    /// A person has to change something in AWS. The gate waits until the time is over, and the reason says what to
    /// change.
    Person(&'static str),
    /// The gate may not look. It waits for a while, because a permission may be about to take effect; then the stack
    /// fails.
    Permission,
    /// Waiting cannot help.
    Final,
}

/// Every code that is known, and what it means.
pub const ROWS: &[(&str, Meaning)] = &[
    // Whole calls.
    ("RepositoryNotFoundException", Meaning::NoRepository),
    ("ImageNotFoundException", Meaning::NoImage),
    ("InvalidParameterException", Meaning::Final),
    ("ValidationException", Meaning::Final),
    (
        "LimitExceededException",
        Meaning::Person("a quota of ECR is used up: raise it, or remove what is not needed"),
    ),
    (
        "UnableToGetUpstreamImageException",
        Meaning::Person(
            "the pull-through cache could not get the image: see that it exists upstream, and the rule's credentials",
        ),
    ),
    ("ServerException", Meaning::Passes),
    ("RepositoryPolicyNotFoundException", Meaning::Permission),
    // Images of a batch.
    ("ImageNotFound", Meaning::NoImage),
    ("ImageTagDoesNotMatchDigest", Meaning::NoImage),
    ("InvalidImageDigest", Meaning::Final),
    ("InvalidImageTag", Meaning::Final),
    ("MissingDigestAndTag", Meaning::Final),
    ("ImageReferencedByManifestList", Meaning::Passes),
    (
        "ImageInaccessible",
        Meaning::Person("ECR holds the image and cannot give it: restore it from the archive, or push it again"),
    ),
    (
        "KmsError",
        Meaning::Person(
            "the key that the repository is encrypted with cannot be used: see that it is enabled and its policy \
             admits ECR",
        ),
    ),
    (
        "UpstreamAccessDenied",
        Meaning::Person("the upstream registry refuses the pull-through cache: see the rule's credentials"),
    ),
    ("UpstreamTooManyRequests", Meaning::Passes),
    ("UpstreamUnavailable", Meaning::Passes),
    // Every service.
    ("AccessDeniedException", Meaning::Permission),
    ("AccessDenied", Meaning::Permission),
    ("UnauthorizedOperation", Meaning::Permission),
    ("OptInRequired", Meaning::Permission),
    ("NotAuthorized", Meaning::Permission),
    ("UnrecognizedClientException", Meaning::Permission),
    ("InvalidClientTokenId", Meaning::Permission),
    ("MissingAuthenticationToken", Meaning::Permission),
    ("IncompleteSignature", Meaning::Permission),
    ("InvalidSignatureException", Meaning::Permission),
    ("SignatureDoesNotMatch", Meaning::Permission),
    ("ExpiredTokenException", Meaning::Passes),
    ("ExpiredToken", Meaning::Passes),
    ("RequestExpired", Meaning::Passes),
    ("ThrottlingException", Meaning::Passes),
    ("Throttling", Meaning::Passes),
    ("TooManyRequestsException", Meaning::Passes),
    ("RequestLimitExceeded", Meaning::Passes),
    ("RequestTimeoutException", Meaning::Passes),
    ("InternalFailure", Meaning::Passes),
    ("InternalServerError", Meaning::Passes),
    ("InternalServerException", Meaning::Passes),
    ("ServiceUnavailable", Meaning::Passes),
    ("ServiceUnavailableException", Meaning::Passes),
    ("MalformedQueryString", Meaning::Final),
    ("UnknownOperationException", Meaning::Final),
];

/// What a code means. No answer at all, or an unknown code, is taken to pass by itself.
pub fn meaning(code: Option<&str>) -> Meaning {
    let row = ROWS.iter().find(|(known, _)| Some(*known) == code);
    row.map_or(Meaning::Passes, |(_, meaning)| *meaning)
}

/// What a look showed that ended in this error; `words` are ECR's.
pub fn look_of(code: Option<&str>, words: &str) -> Look {
    match meaning(code) {
        Meaning::NoImage => Look::NotYet(WhyNot::NoImage),
        Meaning::NoRepository => Look::NotYet(WhyNot::NoRepository),
        Meaning::Passes => Look::NotYet(WhyNot::NotKnown(words.to_owned())),
        Meaning::Person(what) => Look::NotYet(WhyNot::NotKnown(format!("{words} ({what})"))),
        Meaning::Permission => Look::Denied(format!("The gate may not look: {words}")),
        Meaning::Final => Look::Never(format!("The gate cannot look, and waiting would not help: {words}")),
    }
}

/// The rows as a table for the documents.
pub fn table() -> String {
    let mut text = "| ECR answers | The gate |\n|---|---|\n".to_owned();
    let what = |meaning: Meaning| match meaning {
        Meaning::NoImage => "waits for the image".to_owned(),
        Meaning::NoRepository => "waits for the repository and the image".to_owned(),
        Meaning::Passes => "waits: it passes by itself".to_owned(),
        Meaning::Person(what) => format!("waits; a person has to act: {what}"),
        Meaning::Permission => "waits two minutes, for a permission may be on its way; then FAILED".to_owned(),
        Meaning::Final => "FAILED at once".to_owned(),
    };
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for (code, meaning) in ROWS {
        let what = what(*meaning);
        match rows.iter_mut().find(|(known, _)| *known == what) {
            Some((_, codes)) => codes.push(code),
            None => rows.push((what, vec![code])),
        }
    }
    for (what, codes) in rows {
        let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
        text.push_str(&format!("| {} | {what} |\n", codes.join(", ")));
    }
    text.push_str("| nothing, or a code that is not in this table | waits: it is not known to be final |\n");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_one_row() {
        let codes: BTreeSet<&str> = ROWS.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), ROWS.len());
        assert_eq!((meaning(None), meaning(Some("SomethingNew"))), (Meaning::Passes, Meaning::Passes));
    }
}
