//! Repositories and what is set on them.

use serde_json::{Value, json};

use super::api::{EcrApi, epoch};
use super::request::{invalid, page, text};
use crate::aws::service::AwsError;
use crate::registry::Mutability;

impl EcrApi {
    pub(super) fn create_repository(&self, request: &Value) -> Result<Value, AwsError> {
        let name = text(request, "repositoryName")?;
        if !is_repository_name(name) {
            return Err(invalid("repositoryName"));
        }
        let mutability = mutability(request)?;
        if !self.store.create_repository(name, mutability) {
            let message =
                format!("The repository with name '{name}' already exists in the registry with id '{}'", self.account);
            return Err(AwsError::client("RepositoryAlreadyExistsException", message));
        }
        self.state().settings.insert(name.to_owned(), request.clone());
        Ok(json!({"repository": self.described(name)}))
    }

    pub(super) fn describe_repositories(&self, request: &Value) -> Result<Value, AwsError> {
        let names = match request["repositoryNames"].as_array() {
            Some(names) if request.get("nextToken").is_some() || names.len() > 100 => {
                return Err(invalid("repositoryNames"));
            }
            Some(names) => {
                let named =
                    names.iter().map(|name| json!({"repositoryName": name, "registryId": request["registryId"]}));
                named.map(|one| self.repository(&one).map(str::to_owned)).collect::<Result<Vec<_>, _>>()?
            }
            None => self.store.repositories(),
        };
        let size = request["repositoryNames"].as_array().map_or(100, |names| names.len().max(1) as u64);
        page(request, "repositories", names.iter().map(|name| self.described(name)).collect(), size)
    }

    pub(super) fn delete_repository(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let described = self.described(name);
        let empty = self.store.read(name, |repository| repository.images().next().is_none()).unwrap_or(true);
        if !empty && request["force"].as_bool() != Some(true) {
            let message = format!(
                "The repository with name '{name}' in registry with id '{}' cannot be deleted because it still \
                 contains images",
                self.account
            );
            return Err(AwsError::client("RepositoryNotEmptyException", message));
        }
        self.store.delete_repository(name);
        self.state().settings.remove(name);
        Ok(json!({"repository": described}))
    }

    pub(super) fn put_image_tag_mutability(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        text(request, "imageTagMutability")?;
        self.store.set_mutability(name, mutability(request)?);
        self.keep(request, &["imageTagMutability", "imageTagMutabilityExclusionFilters"])
    }

    /// Stores fields of a request, unchanged.
    pub(super) fn keep(&self, request: &Value, fields: &[&str]) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        let mut answer = json!({"registryId": self.account, "repositoryName": name});
        let mut state = self.state();
        let settings = state.settings.entry(name.to_owned()).or_insert_with(|| json!({}));
        for &field in fields {
            if let Some(value) = request.get(field) {
                settings[field] = value.clone();
                answer[field] = value.clone();
            }
        }
        Ok(answer)
    }

    /// Returns a field that [`EcrApi::keep`] stored.
    pub(super) fn kept(&self, request: &Value, field: &str, code: &str, what: &str) -> Result<Value, AwsError> {
        let name = self.repository(request)?;
        match self.settings(name).get(field) {
            Some(value) => Ok(json!({"registryId": self.account, "repositoryName": name, field: value})),
            None => {
                let message = format!(
                    "{what} does not exist for the repository with name '{name}' in the registry with id '{}'",
                    self.account
                );
                Err(AwsError::client(code, message))
            }
        }
    }

    pub(super) fn tag_resource(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository_of_arn(request)?;
        let mut state = self.state();
        let tags = &mut state.settings.entry(name).or_insert_with(|| json!({}))["tags"];
        let mut all = tags.as_array().cloned().unwrap_or_default();
        for tag in request["tags"].as_array().into_iter().flatten() {
            all.retain(|held| held["Key"] != tag["Key"]);
            all.push(tag.clone());
        }
        *tags = all.into();
        Ok(json!({}))
    }

    pub(super) fn list_tags_for_resource(&self, request: &Value) -> Result<Value, AwsError> {
        let name = self.repository_of_arn(request)?;
        Ok(json!({"tags": self.settings(&name)["tags"].as_array().cloned().unwrap_or_default()}))
    }

    fn repository_of_arn(&self, request: &Value) -> Result<String, AwsError> {
        let name = text(request, "resourceArn")?.split_once(":repository/").ok_or_else(|| invalid("resourceArn"))?.1;
        self.repository(&json!({"repositoryName": name})).map(str::to_owned)
    }

    fn described(&self, name: &str) -> Value {
        let settings = self.settings(name);
        let read = |repository: &crate::registry::repository::StoredRepository| {
            let mut described = json!({
                "repositoryArn": format!("arn:aws:ecr:{}:{}:repository/{name}", self.region, self.account),
                "registryId": self.account,
                "repositoryName": name,
                "repositoryUri": format!("{}/{name}", self.host()),
                "createdAt": epoch(repository.created_at),
                "imageTagMutability": repository.mutability.as_str(),
                "imageScanningConfiguration": {"scanOnPush": false},
                "encryptionConfiguration": {"encryptionType": "AES256"},
            });
            if let Mutability::MutableExcept(filters) | Mutability::ImmutableExcept(filters) = &repository.mutability {
                let filters = filters.iter().map(|filter| json!({"filterType": "WILDCARD", "filter": filter}));
                described["imageTagMutabilityExclusionFilters"] = filters.collect();
            }
            for field in ["imageScanningConfiguration", "encryptionConfiguration"] {
                if let Some(value) = settings.get(field) {
                    described[field] = value.clone();
                }
            }
            described
        };
        self.store.read(name, read).unwrap_or(Value::Null)
    }
}

fn mutability(request: &Value) -> Result<Mutability, AwsError> {
    let name = request["imageTagMutability"].as_str().unwrap_or("MUTABLE");
    let filters = request["imageTagMutabilityExclusionFilters"].as_array().into_iter().flatten();
    let filters: Vec<String> = filters.filter_map(|filter| filter["filter"].as_str().map(str::to_owned)).collect();
    let excludes = name.ends_with("_WITH_EXCLUSION");
    if excludes == filters.is_empty() || filters.len() > 5 {
        return Err(invalid("imageTagMutabilityExclusionFilters"));
    }
    Mutability::from_name(name, filters).ok_or_else(|| invalid("imageTagMutability"))
}

/// Whether a name fits `(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*` and has 2 to 256 characters.
fn is_repository_name(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (2..=256).contains(&name.len()) && name.split('/').all(|segment| segment.split(['.', '_', '-']).all(word))
}
