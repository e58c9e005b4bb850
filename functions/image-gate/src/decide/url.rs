//! The address for an answer. Whoever has it can answer for the stack, so it shows nowhere.

use std::fmt;

use pullsafe::timestamp::Timestamp;

/// CloudFormation signs for this long.
const LONGEST_VALIDITY_SECONDS: i64 = 7200;

/// A signed address, byte for byte as it came. It has no serialised form but the one attribute of its row, and its
/// debug form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponseUrl(String);

impl StoredResponseUrl {
    /// Hides this address.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The address itself, for the two places that send it: to CloudFormation, and into the encrypted table.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// When CloudFormation signed it, which is when it began to wait. `None` if that does not show or cannot be.
    pub fn signed_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (_, rest) = self.0.split_once("X-Amz-Date=")?;
        let (date, time) = rest.get(..16)?.split_once('T')?;
        let part = |text: &str, from: usize, to: usize| text.get(from..to).map(str::to_owned);
        let date = format!("{}-{}-{}", part(date, 0, 4)?, part(date, 4, 6)?, part(date, 6, 8)?);
        let moment =
            Timestamp::parse(&format!("{date}T{}:{}:{}Z", part(time, 0, 2)?, part(time, 2, 4)?, part(time, 4, 6)?))?;
        (0..LONGEST_VALIDITY_SECONDS).contains(&now.seconds_since(moment)).then_some(moment)
    }
}

impl fmt::Debug for StoredResponseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_dates_the_request_and_does_not_show() {
        let url = StoredResponseUrl::new(
            "https://bucket.s3.eu-west-1.amazonaws.com/x?X-Amz-Date=20261121T060000Z&X-Amz-Signature=secret",
        );
        let at = |text: &str| url.signed_at(Timestamp::parse(text).unwrap()).map(|moment| moment.to_string());
        assert_eq!(at("2026-11-21T06:01:30Z").as_deref(), Some("2026-11-21T06:00:00Z"));
        assert_eq!(at("2026-11-21T05:59:00Z"), None);
        assert_eq!(at("2026-11-22T06:00:00Z"), None);
        assert_eq!(StoredResponseUrl::new("https://x?X-Amz-Date=2026").signed_at(Timestamp::from_millis(0)), None);
        assert_eq!(
            StoredResponseUrl::new("https://x?X-Amz-Date=\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}T")
                .signed_at(Timestamp::from_millis(0)),
            None
        );
        assert!(!format!("{url:?}").contains("secret"));
    }
}
