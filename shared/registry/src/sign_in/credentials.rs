//! Credentials for a registry, who provides them, and secrets that cannot be printed.

use std::fmt;

use futures_util::future::BoxFuture;

/// A text that is never printed: a password, a token, a signed address.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// A user name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basic {
    /// The user name; `AWS` for ECR.
    pub username: String,
    /// The password or access token.
    pub password: Secret,
}

impl Basic {
    /// Returns the value of the `Authorization` header.
    pub(crate) fn header(&self) -> Secret {
        use base64::Engine as _;
        let pair = format!("{}:{}", self.username, self.password.expose());
        Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
    }
}

/// An OAuth2 refresh token that Docker keeps for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityToken {
    /// The user name that Docker keeps with it; often empty.
    pub username: String,
    /// The token.
    pub token: Secret,
}

impl IdentityToken {
    /// Puts the token in the place of the password, for a token service without OAuth2.
    pub(crate) fn as_basic(&self) -> Basic {
        let username = if self.username.is_empty() { IDENTITY_USER } else { &self.username };
        Basic { username: username.to_owned(), password: self.token.clone() }
    }
}

/// The user name that stands for an identity token, by the protocol of credential helpers.
pub(crate) const IDENTITY_USER: &str = "<token>";

/// What a client signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user name and a password.
    Basic(Basic),
    /// An identity token, which only a token service takes.
    Identity(IdentityToken),
}

impl From<Basic> for Credentials {
    fn from(basic: Basic) -> Self {
        Self::Basic(basic)
    }
}

/// Why credentials that should exist could not be obtained, in words without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CredentialsError {
    /// What went wrong.
    pub reason: String,
    /// Whether asking again later can help.
    pub is_transient: bool,
}

/// Provides credentials. A provider caches them itself, and renews them in time.
pub trait CredentialsProvider: Send + Sync {
    /// Returns the credentials for a registry, by its host as references write it; `None` to go without.
    fn credentials<'a>(&'a self, registry: &'a str) -> BoxFuture<'a, Result<Option<Credentials>, CredentialsError>>;

    /// Whether the credentials for a registry are meant for this repository. If not, the repository is asked for
    /// without them.
    fn are_for(&self, _registry: &str, _repository: &str) -> bool {
        true
    }

    /// Tells the provider that the registry has refused its credentials, so that it discards what it has cached.
    fn refused(&self, _registry: &str) {}
}

/// A provider that has no credentials for any registry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

impl CredentialsProvider for Anonymous {
    fn credentials<'a>(&'a self, _registry: &'a str) -> BoxFuture<'a, Result<Option<Credentials>, CredentialsError>> {
        Box::pin(async { Ok(None) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let basic = Basic { username: "AWS".to_owned(), password: Secret::new("hunter2") };
        assert_eq!(format!("{basic:?}"), r#"Basic { username: "AWS", password: [redacted] }"#);
        assert_eq!(basic.header().expose(), "Basic QVdTOmh1bnRlcjI=");
        let identity = IdentityToken { username: String::new(), token: Secret::new("hunter2") };
        assert_eq!(identity.as_basic().username, "<token>");
        assert!(!format!("{:?}", Credentials::Identity(identity)).contains("hunter2"));
    }
}
