//! Finds what refers to a manifest: by the referrers API of OCI Distribution 1.1, or the tag that stands in for it.

use bytes::Bytes;
use http::Method;
use http::header::ACCEPT;

use super::client::Client;
use super::error::RegistryError;
use super::request::RegistryRequest;
use super::sign_in::auth::TokenScope;
use pullsafe::manifest::OCI_INDEX;
use pullsafe::reference::{Digest, Reference};

/// The longest list: registries list no more at once, and no longer one should be kept in memory.
const LONGEST_LIST: usize = 4 * 1024 * 1024;

/// What refers to a manifest.
pub(crate) struct Referrers {
    /// The index of the referrers; `None` if there is none.
    pub(crate) index: Option<Bytes>,
    /// Whether the registry has the API, which always gives an index.
    pub(crate) by_api: bool,
}

impl Client {
    /// Returns what refers to a manifest.
    ///
    /// # Errors
    /// The registry gave no answer that says so.
    pub(crate) async fn referrers(&self, reference: &Reference, subject: &Digest) -> Result<Referrers, RegistryError> {
        if let Some(index) = self.referrers_by_api(reference, subject).await? {
            return Ok(Referrers { index: Some(index), by_api: true });
        }
        let tag = subject.as_str().replacen(':', "-", 1);
        let tagged = Reference::new(reference.registry(), reference.repository(), Some(&tag), None);
        let tagged = tagged.map_err(|error| RegistryError::Invalid(error.to_string()))?;
        let index = match self.resolve(&tagged).await {
            Ok(resolved) => Some(self.manifest(&tagged, &resolved.digest).await?.bytes),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        Ok(Referrers { index, by_api: false })
    }

    async fn referrers_by_api(&self, reference: &Reference, subject: &Digest) -> Result<Option<Bytes>, RegistryError> {
        let repository = reference.repository();
        let call = RegistryRequest {
            method: Method::GET,
            registry: reference.registry(),
            path: format!("{repository}/referrers/{subject}"),
            scopes: vec![TokenScope { repository: repository.to_owned(), push: false }],
            headers: vec![(ACCEPT, OCI_INDEX.to_owned())],
            body: Bytes::new(),
            what: format!("the referrers of {repository}@{subject}"),
        };
        let answer = match self.call(&call).await {
            Ok(answer) => answer,
            Err(RegistryError::NotFound { .. } | RegistryError::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_index = answer
            .header(http::header::CONTENT_TYPE)
            .is_some_and(|media_type| media_type.starts_with(OCI_INDEX));
        let list = self.inner.http.whole(answer.response.into_body(), call.registry, LONGEST_LIST).await?;
        Ok(list.filter(|_| is_index))
    }
}
