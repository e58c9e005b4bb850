//! Signs in: decides which `Authorization` header a request to a registry carries.
//!
//! A registry says with a 401 how to sign in. It is asked once per registry, and not at all where the answer is known
//! (Docker Hub, ECR). Requests share tokens until four fifths of a token's life are over. One request for a token
//! covers every repository that is expected to be asked for ([`SignInState::expect`]), and no two requests for the same
//! token run at a time. A refusal by the token service is final: repeated attempts with a wrong password lock the
//! account.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use tokio::time::Instant;

use super::challenge::Challenge;
use super::credentials::{Credentials, Secret};
use super::token::TokenRequest;
use crate::config::Config;
use crate::error::RegistryError;
use crate::http::Http;
use pullsafe::reference::{DOCKER_HUB, ecr_host};

/// Docker Hub's token service, as its 401 would name it.
const DOCKER_HUB_REALM: &str = "https://auth.docker.io/token";
const DOCKER_HUB_SERVICE: &str = "registry.docker.io";
/// How many repositories one token is requested for; the address of that request has to stay short.
const MOST_SCOPES: usize = 20;

/// What a request must be allowed to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TokenScope {
    pub(crate) repository: String,
    pub(crate) push: bool,
}

impl TokenScope {
    fn covers(&self, needed: &Self) -> bool {
        self.repository == needed.repository && (self.push || !needed.push)
    }

    fn as_parameter(&self) -> String {
        format!("repository:{}:{}", self.repository, if self.push { "pull,push" } else { "pull" })
    }
}

/// The state of signing in, for all registries.
#[derive(Debug, Default)]
pub(crate) struct SignInState {
    // Each state is locked while its token is fetched: whoever needs the same token waits for it.
    states: Mutex<HashMap<As, Arc<tokio::sync::Mutex<SignIn>>>>,
}

/// A registry, and whether it is asked with credentials. Repositories that the credentials are not for are asked for
/// without them, and the two states share nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct As {
    registry: String,
    signed_in: bool,
}

impl As {
    fn of<'s>(config: &Config, registry: &str, mut repositories: impl Iterator<Item = &'s TokenScope>) -> Self {
        let signed_in = repositories.all(|scope| config.credentials.are_for(registry, &scope.repository));
        Self { registry: registry.to_owned(), signed_in }
    }

    async fn credentials(&self, config: &Config) -> Result<Option<Credentials>, RegistryError> {
        if !self.signed_in {
            return Ok(None);
        }
        let fail = |error: super::credentials::CredentialsError| RegistryError::Credentials {
            registry: self.registry.clone(),
            why: error.reason,
            is_transient: error.is_transient,
        };
        config.credentials.credentials(&self.registry).await.map_err(fail)
    }
}

#[derive(Debug)]
struct SignIn {
    scheme: Scheme,
    tokens: Vec<BearerToken>,
    expected: BTreeSet<TokenScope>,
    /// Held by the first request, until it knows how to sign in.
    introduction: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
enum Scheme {
    /// The registry was not asked yet.
    Unknown,
    /// The registry has not asked for a sign-in so far.
    Open,
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        /// A scope in the registry's own words, which then covers everything (ECR Public's `aws`).
        fixed_scope: Option<String>,
    },
}

#[derive(Debug)]
struct BearerToken {
    header: Secret,
    /// `None` covers everything.
    scopes: Option<BTreeSet<TokenScope>>,
    good_until: Instant,
}

impl SignInState {
    /// Announces requests for these repositories, so that the next token of this registry covers them too.
    pub(crate) async fn expect(&self, config: &Config, registry: &str, scopes: impl IntoIterator<Item = TokenScope>) {
        for scope in scopes {
            let who = As::of(config, registry, std::iter::once(&scope));
            self.sign_in(config, who).lock().await.expected.insert(scope);
        }
    }

    /// Returns the `Authorization` header for a request; `None` to send it without.
    pub(crate) async fn header(
        &self,
        http: &Http,
        config: &Config,
        registry: &str,
        scopes: &[TokenScope],
    ) -> Result<Option<Secret>, RegistryError> {
        let who = As::of(config, registry, scopes.iter());
        let sign_in = self.sign_in(config, who.clone());
        let mut sign_in = sign_in.lock().await;
        let SignIn { scheme, tokens, expected, introduction: _ } = &mut *sign_in;
        let (realm, service, fixed_scope) = match scheme {
            Scheme::Unknown | Scheme::Open => return Ok(None),
            Scheme::Basic => {
                return match who.credentials(config).await? {
                    Some(Credentials::Basic(basic)) => Ok(Some(basic.header())),
                    Some(Credentials::Identity(_)) => {
                        let why = "it takes a user name and a password, and an identity token is configured".to_owned();
                        Err(RegistryError::Credentials { registry: registry.to_owned(), why, is_transient: false })
                    }
                    None => Ok(None),
                };
            }
            Scheme::Bearer { realm, service, fixed_scope } => (&*realm, service.as_deref(), fixed_scope.as_deref()),
        };
        let now = Instant::now();
        tokens.retain(|token| token.good_until > now);
        let covers = |token: &&BearerToken| {
            token
                .scopes
                .as_ref()
                .is_none_or(|held| scopes.iter().all(|needed| held.iter().any(|scope| scope.covers(needed))))
        };
        if let Some(token) = tokens.iter().find(covers) {
            return Ok(Some(token.header.clone()));
        }
        let mut wanted: BTreeSet<TokenScope> = scopes.iter().cloned().collect();
        while wanted.len() < MOST_SCOPES
            && let Some(scope) = expected.pop_first()
        {
            wanted.insert(scope);
        }
        let all = wanted.clone();
        wanted.retain(|scope| !all.iter().any(|other| other != scope && other.covers(scope)));
        let parameters = match fixed_scope {
            Some(scope) => vec![scope.to_owned()],
            None => wanted.iter().map(TokenScope::as_parameter).collect(),
        };
        let credentials = who.credentials(config).await?;
        let request = TokenRequest { registry, realm, service, scopes: &parameters };
        let (header, life) = request.send(http, config, credentials.as_ref()).await?;
        let scopes = if fixed_scope.is_some() { None } else { Some(wanted) };
        tokens.push(BearerToken {
            header: header.clone(),
            scopes,
            good_until: now + life * 4 / 5,
        });
        Ok(Some(header))
    }

    /// Gives the first request to a registry the right to go alone; the others wait here until it is over. `None` as
    /// soon as it is known how to sign in.
    pub(crate) async fn introduction(
        &self,
        config: &Config,
        registry: &str,
        scopes: &[TokenScope],
    ) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        let sign_in = self.sign_in(config, As::of(config, registry, scopes.iter()));
        let is_unknown = |sign_in: &SignIn| matches!(sign_in.scheme, Scheme::Unknown);
        let introduction = {
            let sign_in = sign_in.lock().await;
            is_unknown(&sign_in).then(|| Arc::clone(&sign_in.introduction))?
        };
        let guard = introduction.lock_owned().await;
        is_unknown(&*sign_in.lock().await).then_some(guard)
    }

    /// Notes that a registry has answered without asking for a sign-in.
    pub(crate) async fn let_in(&self, config: &Config, registry: &str, scopes: &[TokenScope]) {
        let sign_in = self.sign_in(config, As::of(config, registry, scopes.iter()));
        let mut sign_in = sign_in.lock().await;
        if matches!(sign_in.scheme, Scheme::Unknown) {
            sign_in.scheme = Scheme::Open;
        }
    }

    /// Learns from a 401 how to sign in, and forgets what the registry has just refused.
    pub(crate) async fn challenged(
        &self,
        config: &Config,
        registry: &str,
        scopes: &[TokenScope],
        headers: &HeaderMap,
        refused: Option<&Secret>,
        what: &str,
    ) -> Result<(), RegistryError> {
        let values = headers.get_all(WWW_AUTHENTICATE);
        let challenge = Challenge::parse(values.iter().filter_map(|value| value.to_str().ok()));
        let who = As::of(config, registry, scopes.iter());
        let sign_in = self.sign_in(config, who.clone());
        let mut sign_in = sign_in.lock().await;
        sign_in.scheme = match challenge {
            Some(Challenge::Basic) => {
                if refused.is_some() && who.signed_in {
                    config.credentials.refused(registry);
                }
                Scheme::Basic
            }
            Some(Challenge::Bearer { realm, service, scope }) => {
                sign_in.tokens.retain(|token| Some(&token.header) != refused);
                let fixed_scope = scope.filter(|scope| !scope.starts_with("repository:"));
                Scheme::Bearer { realm, service, fixed_scope }
            }
            None => {
                let why = "it answers 401 and does not say how to sign in".to_owned();
                return Err(RegistryError::Denied { registry: registry.to_owned(), what: what.to_owned(), why });
            }
        };
        Ok(())
    }

    fn sign_in(&self, config: &Config, who: As) -> Arc<tokio::sync::Mutex<SignIn>> {
        // A panic elsewhere cannot leave the map half changed.
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let registry = who.registry.clone();
        let known = states.entry(who).or_insert_with(|| {
            let scheme = if registry == DOCKER_HUB && !config.endpoints.is_mapped(&registry) {
                Scheme::Bearer {
                    realm: DOCKER_HUB_REALM.to_owned(),
                    service: Some(DOCKER_HUB_SERVICE.to_owned()),
                    fixed_scope: None,
                }
            } else if ecr_host(&registry).is_some() {
                Scheme::Basic
            } else {
                Scheme::Unknown
            };
            Arc::new(tokio::sync::Mutex::new(SignIn {
                scheme,
                tokens: Vec::new(),
                expected: BTreeSet::new(),
                introduction: Arc::default(),
            }))
        });
        Arc::clone(known)
    }
}
