//! What each error of ECR means for a stack that waits: whether the image may still come, or a person has to do
//! something first.
//!
//! The codes are those of ECR's model (`BatchGetImage` and its failures, `DescribeImages`,
//! `DescribeImageSigningStatus`, `GetRepositoryPolicy`) and those that every service of AWS answers with. A code that
//! is in no row is waited out, for it is not known to be final.

use super::look::{ImageLook, WhyNot};

/// What a code means for a stack that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcrErrorMeaning {
    /// The image is not there, and may come.
    NoImage,
    /// The repository is not there, and may come.
    NoRepository,
    /// It passes by itself.
    Passes,
    /// A person has to change something in AWS; it is waited for until the time is over, and the reason says what.
    Person(&'static str),
    /// The gate may not look. A permission may be on its way for a while; then the stack fails.
    Permission,
    /// Waiting cannot help.
    Final,
}

/// Every code that is known, and what it means.
pub const ROWS: &[(&str, EcrErrorMeaning)] = &[
    // Whole calls.
    ("RepositoryNotFoundException", EcrErrorMeaning::NoRepository),
    ("ImageNotFoundException", EcrErrorMeaning::NoImage),
    ("InvalidParameterException", EcrErrorMeaning::Final),
    ("ValidationException", EcrErrorMeaning::Final),
    (
        "LimitExceededException",
        EcrErrorMeaning::Person("a quota of ECR is used up: raise it, or remove what is not needed"),
    ),
    (
        "UnableToGetUpstreamImageException",
        EcrErrorMeaning::Person(
            "the pull-through cache could not get the image: see that it exists upstream, and the rule's credentials",
        ),
    ),
    ("ServerException", EcrErrorMeaning::Passes),
    ("RepositoryPolicyNotFoundException", EcrErrorMeaning::Permission),
    // Images of a batch.
    ("ImageNotFound", EcrErrorMeaning::NoImage),
    ("ImageTagDoesNotMatchDigest", EcrErrorMeaning::NoImage),
    ("InvalidImageDigest", EcrErrorMeaning::Final),
    ("InvalidImageTag", EcrErrorMeaning::Final),
    ("MissingDigestAndTag", EcrErrorMeaning::Final),
    ("ImageReferencedByManifestList", EcrErrorMeaning::Passes),
    (
        "ImageInaccessible",
        EcrErrorMeaning::Person(
            "ECR holds the image and cannot give it: restore it from the archive, or push it again",
        ),
    ),
    (
        "KmsError",
        EcrErrorMeaning::Person(
            "the key that the repository is encrypted with cannot be used: see that it is enabled and its policy \
             admits ECR",
        ),
    ),
    (
        "UpstreamAccessDenied",
        EcrErrorMeaning::Person("the upstream registry refuses the pull-through cache: see the rule's credentials"),
    ),
    ("UpstreamTooManyRequests", EcrErrorMeaning::Passes),
    ("UpstreamUnavailable", EcrErrorMeaning::Passes),
    // Every service.
    ("AccessDeniedException", EcrErrorMeaning::Permission),
    ("AccessDenied", EcrErrorMeaning::Permission),
    ("UnauthorizedOperation", EcrErrorMeaning::Permission),
    ("OptInRequired", EcrErrorMeaning::Permission),
    ("NotAuthorized", EcrErrorMeaning::Permission),
    ("UnrecognizedClientException", EcrErrorMeaning::Permission),
    ("InvalidClientTokenId", EcrErrorMeaning::Permission),
    ("MissingAuthenticationToken", EcrErrorMeaning::Permission),
    ("IncompleteSignature", EcrErrorMeaning::Permission),
    ("InvalidSignatureException", EcrErrorMeaning::Permission),
    ("SignatureDoesNotMatch", EcrErrorMeaning::Permission),
    ("ExpiredTokenException", EcrErrorMeaning::Passes),
    ("ExpiredToken", EcrErrorMeaning::Passes),
    ("RequestExpired", EcrErrorMeaning::Passes),
    ("ThrottlingException", EcrErrorMeaning::Passes),
    ("Throttling", EcrErrorMeaning::Passes),
    ("TooManyRequestsException", EcrErrorMeaning::Passes),
    ("RequestLimitExceeded", EcrErrorMeaning::Passes),
    ("RequestTimeoutException", EcrErrorMeaning::Passes),
    ("InternalFailure", EcrErrorMeaning::Passes),
    ("InternalServerError", EcrErrorMeaning::Passes),
    ("InternalServerException", EcrErrorMeaning::Passes),
    ("ServiceUnavailable", EcrErrorMeaning::Passes),
    ("ServiceUnavailableException", EcrErrorMeaning::Passes),
    ("MalformedQueryString", EcrErrorMeaning::Final),
    ("UnknownOperationException", EcrErrorMeaning::Final),
];

/// What a code means. No answer at all, and a code that nobody knows, pass.
pub fn meaning(code: Option<&str>) -> EcrErrorMeaning {
    let row = ROWS.iter().find(|(known, _)| Some(*known) == code);
    row.map_or(EcrErrorMeaning::Passes, |(_, meaning)| *meaning)
}

/// What a look showed that ended in this error, in ECR's words.
pub fn look_of(code: Option<&str>, words: &str) -> ImageLook {
    match meaning(code) {
        EcrErrorMeaning::NoImage => ImageLook::NotYet(WhyNot::NoImage),
        EcrErrorMeaning::NoRepository => ImageLook::NotYet(WhyNot::NoRepository),
        EcrErrorMeaning::Passes => ImageLook::NotYet(WhyNot::NotKnown(words.to_owned())),
        EcrErrorMeaning::Person(what) => ImageLook::NotYet(WhyNot::NotKnown(format!("{words} ({what})"))),
        EcrErrorMeaning::Permission => ImageLook::Denied(format!("The gate may not look: {words}")),
        EcrErrorMeaning::Final => {
            ImageLook::Never(format!("The gate cannot look, and waiting would not help: {words}"))
        }
    }
}

/// The rows as a table for the documents.
pub fn table() -> String {
    let mut text = "| ECR answers | The gate |\n|---|---|\n".to_owned();
    let what = |meaning: EcrErrorMeaning| match meaning {
        EcrErrorMeaning::NoImage => "waits for the image".to_owned(),
        EcrErrorMeaning::NoRepository => "waits for the repository and the image".to_owned(),
        EcrErrorMeaning::Passes => "waits: it passes by itself".to_owned(),
        EcrErrorMeaning::Person(what) => format!("waits; a person has to act: {what}"),
        EcrErrorMeaning::Permission => "waits two minutes, for a permission may be on its way; then FAILED".to_owned(),
        EcrErrorMeaning::Final => "FAILED at once".to_owned(),
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
        assert_eq!((meaning(None), meaning(Some("SomethingNew"))), (EcrErrorMeaning::Passes, EcrErrorMeaning::Passes));
    }
}
