//! The operations of the ECR API, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pullsafe::timestamp::Timestamp;
use serde_json::{Value, json};

use super::request::{invalid, text};
use super::{ACCOUNT, REGION};
use crate::aws::service::{AwsError, FakeService};
use crate::registry::{ImageStore, RegistryServer};

/// The ECR API of one account in one region, over the images of one store. Clones share one state.
///
/// Pushes, pulls and layers go straight to the store, which a [`RegistryServer`] may serve at the same time. Not
/// modelled: conversion of manifests to one of `acceptedMediaTypes` (the stored manifest is returned unchanged), scans,
/// encryption, uploads of layers through this API.
#[derive(Debug, Clone)]
pub struct EcrApi {
    pub(super) store: ImageStore,
    pub(super) account: String,
    pub(super) region: String,
    server: Option<RegistryServer>,
    state: Arc<Mutex<EcrState>>,
}

#[derive(Debug, Default)]
pub(super) struct EcrState {
    /// What `CreateRepository` and later calls set, by repository, unchanged.
    pub(super) settings: BTreeMap<String, Value>,
    pub(super) account_settings: BTreeMap<String, String>,
    /// The prefixes of the pull-through cache.
    pub(super) rules: Vec<String>,
}

impl EcrApi {
    /// The service over this store, for the usual account and region.
    pub fn new(store: &ImageStore) -> Self {
        Self {
            store: store.clone(),
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            server: None,
            state: Arc::default(),
        }
    }

    /// Moves the service to another account and region.
    pub fn located(mut self, account: &str, region: &str) -> Self {
        self.account = account.to_owned();
        self.region = region.to_owned();
        self
    }

    /// Makes download links lead to this server's other host.
    pub fn downloads_from(mut self, server: &RegistryServer) -> Self {
        self.server = Some(server.clone());
        self
    }

    pub fn store(&self) -> &ImageStore {
        &self.store
    }

    /// The registry's host: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
    pub fn host(&self) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com", self.account, self.region)
    }

    /// What was set on a repository, field by field, unchanged from the requests (`imageScanningConfiguration`, `tags`,
    /// `lifecyclePolicyText`, ...).
    pub fn settings(&self, repository: &str) -> Value {
        self.state().settings.get(repository).cloned().unwrap_or(Value::Null)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, EcrState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn server(&self) -> Option<&RegistryServer> {
        self.server.as_ref()
    }

    /// The repository that a request names.
    pub(super) fn repository<'a>(&self, request: &'a Value) -> Result<&'a str, AwsError> {
        let name = text(request, "repositoryName")?;
        let registry = request["registryId"].as_str().unwrap_or(&self.account);
        if registry == self.account && self.store.read(name, |_| ()).is_some() {
            return Ok(name);
        }
        let message = format!("The repository with name '{name}' does not exist in the registry with id '{registry}'");
        Err(AwsError::client("RepositoryNotFoundException", message))
    }

    fn authorization_token(&self) -> Value {
        let (password, expires_at) = self.store.credentials().issue(self.store.clock().now());
        let token = BASE64_STANDARD.encode(format!("AWS:{password}"));
        let endpoint = format!("https://{}", self.host());
        json!({"authorizationData": [{"authorizationToken": token, "expiresAt": epoch(expires_at), "proxyEndpoint": endpoint}]})
    }

    fn put_account_setting(&self, request: &Value) -> Result<Value, AwsError> {
        let (name, value) = (text(request, "name")?, text(request, "value")?);
        if name == "BLOB_MOUNTING" {
            self.store.set_blob_mounting(value == "ENABLED");
        }
        self.state().account_settings.insert(name.to_owned(), value.to_owned());
        Ok(json!({"name": name, "value": value}))
    }

    fn account_setting(&self, request: &Value) -> Result<Value, AwsError> {
        let name = text(request, "name")?;
        if name == "BLOB_MOUNTING" {
            return Ok(json!({"name": name, "value": if self.store.blob_mounting() { "ENABLED" } else { "DISABLED" }}));
        }
        let value = self.state().account_settings.get(name).cloned();
        value
            .map(|value| json!({"name": name, "value": value}))
            .ok_or_else(|| invalid(&format!("unknown account setting '{name}'")))
    }
}

impl FakeService for EcrApi {
    fn call(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match operation {
            "GetAuthorizationToken" => Ok(self.authorization_token()),
            "PutAccountSetting" => self.put_account_setting(request),
            "GetAccountSetting" => self.account_setting(request),
            "CreateRepository" => self.create_repository(request),
            "DescribeRepositories" => self.describe_repositories(request),
            "DeleteRepository" => self.delete_repository(request),
            "PutImageTagMutability" => self.put_image_tag_mutability(request),
            "PutImageScanningConfiguration" => self.keep(request, &["imageScanningConfiguration"]),
            "PutLifecyclePolicy" => self.keep(request, &["lifecyclePolicyText"]),
            "GetLifecyclePolicy" => {
                self.kept(request, "lifecyclePolicyText", "LifecyclePolicyNotFoundException", "Lifecycle policy")
            }
            "SetRepositoryPolicy" => self.keep(request, &["policyText"]),
            "GetRepositoryPolicy" => {
                self.kept(request, "policyText", "RepositoryPolicyNotFoundException", "Repository policy")
            }
            "TagResource" => self.tag_resource(request),
            "ListTagsForResource" => self.list_tags_for_resource(request),
            "DescribeImages" => self.describe_images(request),
            "DescribeImageSigningStatus" => self.describe_image_signing_status(request),
            "ListImages" => self.list_images(request),
            "BatchGetImage" => self.batch_get_image(request),
            "DescribePullThroughCacheRules" => Ok(self.describe_pull_through_cache_rules()),
            "UpdateImageStorageClass" => self.update_image_storage_class(request),
            "BatchDeleteImage" => self.batch_delete_image(request),
            "PutImage" => self.put_image(request),
            "BatchCheckLayerAvailability" => self.batch_check_layer_availability(request),
            "GetDownloadUrlForLayer" => self.get_download_url_for_layer(request),
            _ => Err(AwsError::client("UnknownOperationException", format!("the fake ECR does not know {operation}"))),
        }
    }
}

/// A time as the JSON protocols of AWS write it: a number of seconds with a fraction.
pub(super) fn epoch(moment: Timestamp) -> Value {
    json!(moment.millis() as f64 / 1000.0)
}
