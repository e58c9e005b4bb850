//! What refers to a manifest: the referrers API of OCI Distribution 1.1, and the tag that stands in for it.

use bytes::Bytes;
use http::Method;
use http::header::ACCEPT;

use super::client::Client;
use super::error::RegistryError;
use super::request::Call;
use super::sign_in::auth::Scope;
use pullsafe::manifest::OCI_INDEX;
use pullsafe::reference::{Digest, Reference};

/// No registry lists more at once, and none should be kept in memory.
const LONGEST_LIST: usize = 4 * 1024 * 1024;

impl Client {
    /// The index of what refers to a manifest; `None` where nothing does.
    ///
    /// # Errors
    /// Whatever leaves that open.
    pub async fn referrers(&self, reference: &Reference, subject: &Digest) -> Result<Option<Bytes>, RegistryError> {
        if let Some(list) = self.referrers_by_api(reference, subject).await? {
            return Ok(Some(list));
        }
        let tag = subject.as_str().replacen(':', "-", 1);
        let tagged = Reference::new(reference.registry(), reference.repository(), Some(&tag), None);
        let tagged = tagged.map_err(|error| RegistryError::Invalid(error.to_string()))?;
        match self.resolve(&tagged).await {
            Ok(resolved) => Ok(Some(self.manifest(&tagged, &resolved.digest).await?.bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the registry has the API.
    ///
    /// # Errors
    /// Whatever leaves that open.
    pub(crate) async fn has_referrers_api(&self, reference: &Reference, subject: &Digest) -> Result<bool, RegistryError> {
        Ok(self.referrers_by_api(reference, subject).await?.is_some())
    }

    async fn referrers_by_api(&self, reference: &Reference, subject: &Digest) -> Result<Option<Bytes>, RegistryError> {
        let repository = reference.repository();
        let call = Call {
            method: Method::GET,
            registry: reference.registry(),
            path: format!("{repository}/referrers/{subject}"),
            scopes: vec![Scope { repository: repository.to_owned(), push: false }],
            headers: vec![(ACCEPT, OCI_INDEX.to_owned())],
            body: Bytes::new(),
            what: format!("the referrers of {repository}@{subject}"),
        };
        let answer = match self.call(&call).await {
            Ok(answer) => answer,
            Err(RegistryError::NotFound { .. } | RegistryError::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_index = answer.header(http::header::CONTENT_TYPE).is_some_and(|media_type| media_type.starts_with(OCI_INDEX));
        let list = self.inner.http.whole(answer.response.into_body(), call.registry, LONGEST_LIST).await?;
        Ok(list.filter(|_| is_index))
    }
}
