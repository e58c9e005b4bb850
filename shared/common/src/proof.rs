//! A proof of a caller's identity, which only STS can verify.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longer than any signature or session token that AWS makes, in bytes.
const LONGEST: usize = 8 * 1024;

/// The headers of a request to `sts:GetCallerIdentity`, signed by the caller for one statement only. `Debug` does not
/// show them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// `Authorization`.
    pub authorization: String,
    /// `X-Amz-Date`.
    pub date: String,
    /// `X-Amz-Security-Token`, for credentials that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl Proof {
    /// Whether every value can be a header: printable ASCII, not empty and not too long.
    pub fn is_sound(&self) -> bool {
        let is_header =
            |text: &str| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        is_header(&self.authorization) && is_header(&self.date) && self.token.as_deref().is_none_or(is_header)
    }

    /// Whether the signature covers all of these headers: a header that is not signed proves nothing.
    pub fn covers(&self, headers: &[&str]) -> bool {
        let signed = self
            .authorization
            .split_once("SignedHeaders=")
            .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default());
        let signed: Vec<&str> = signed.unwrap_or_default().split(';').collect();
        headers.iter().all(|header| signed.contains(header))
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Proof([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_covers_what_was_signed_and_shows_nothing() {
        let authorization = "AWS4-HMAC-SHA256 Credential=AKID/20260115/eu-west-1/sts/aws4_request, \
            SignedHeaders=host;x-amz-date, Signature=00ff";
        let proof = Proof {
            authorization: authorization.to_owned(),
            date: "20260115T191700Z".to_owned(),
            token: None,
        };
        assert!(proof.is_sound() && proof.covers(&["host"]) && proof.covers(&["x-amz-date", "host"]));
        assert!(!proof.covers(&["x-pullsafe-answer"]) && !proof.covers(&["hos"]) && !proof.covers(&[""]));
        assert!(
            !Proof { date: "x\r\ny: z".to_owned(), ..proof.clone() }.is_sound()
                && !Proof { date: String::new(), ..proof.clone() }.is_sound()
        );
        assert_eq!(format!("{proof:?}"), "Proof([redacted])");
    }
}
