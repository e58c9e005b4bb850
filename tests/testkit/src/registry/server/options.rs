//! How a server acts as each registry.

/// How the server acts as Docker Hub.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// How many pulls an address has without signing in; `None` for no limit.
    pub anonymous_pulls: Option<u32>,
    /// The rolling window of all limits, in seconds.
    pub window_seconds: i64,
    pub accounts: Vec<HubAccount>,
    /// How long a bearer token is valid.
    pub token_seconds: i64,
    /// Whether blobs come from the other host, as with Docker Hub.
    pub redirect_blobs: bool,
}

/// An account at Docker Hub.
#[derive(Debug, Clone)]
pub struct HubAccount {
    /// The user name.
    pub name: String,
    /// The password or access token.
    pub password: String,
    /// Pulls per window. `None` for the paid plans, which have no limit and get no quota headers.
    pub pulls: Option<u32>,
}

impl HubAccount {
    /// The identity token of the account, as Docker would store it.
    pub fn identity_token(&self) -> String {
        format!("identity/{}+{}", self.name, self.password)
    }
}

impl Default for HubOptions {
    /// 100 anonymous pulls in six hours.
    fn default() -> Self {
        Self {
            anonymous_pulls: Some(100),
            window_seconds: 21_600,
            accounts: Vec::new(),
            token_seconds: 300,
            redirect_blobs: true,
        }
    }
}

/// How the server acts as Amazon ECR.
#[derive(Debug, Clone)]
pub struct EcrOptions {
    /// The account that messages name.
    pub account: String,
    /// How ECR treats a chunked upload.
    pub patch: Patch,
    /// Whether blobs come from the other host, as with ECR.
    pub redirect_blobs: bool,
}

/// How ECR treats `PATCH` of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// As seen in 2026: ECR takes the data, but answers 201 instead of 202, and `Range` stays at the end of the first
    /// chunk.
    FrozenRange,
    /// ECR answers 405 `UNSUPPORTED`.
    Refused,
}

impl Default for EcrOptions {
    fn default() -> Self {
        Self {
            account: crate::ecr::ACCOUNT.to_owned(),
            patch: Patch::FrozenRange,
            redirect_blobs: true,
        }
    }
}

/// How the server acts as an open registry, which creates a repository on the first push to it.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Whether it asks for a bearer token, which anybody gets (as with `public.ecr.aws`).
    pub anonymous_token: bool,
    /// Whether blobs come from the other host.
    pub redirect_blobs: bool,
}

/// Which registry a server plays.
#[derive(Debug, Clone)]
pub(super) enum PlayedRegistry {
    Hub(HubOptions),
    Ecr(EcrOptions),
    Open(OpenOptions),
}

impl PlayedRegistry {
    pub(super) fn redirects_blobs(&self) -> bool {
        match self {
            Self::Hub(options) => options.redirect_blobs,
            Self::Ecr(options) => options.redirect_blobs,
            Self::Open(options) => options.redirect_blobs,
        }
    }

    pub(super) fn is_ecr(&self) -> bool {
        match self {
            Self::Ecr(_) => true,
            Self::Hub(_) | Self::Open(_) => false,
        }
    }
}
