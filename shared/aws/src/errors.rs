//! Every error that a call of ours can be answered with, by name: what it means, and who can do something about it.
//!
//! AWS's service models say which errors an operation knows; `tests/judges` checks this table against them in both
//! directions. docs/errors.md is made from it. Errors that no model names, because any service may answer with them,
//! are under [`ANY`]. An unknown error is judged by its status, unless its name says that it is throttling.

use crate::kind::FailureKind;

/// The service name for errors that every service can answer with.
pub const ANY: &str = "*";

/// What is to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is an answer that the same call would get again. Go on with what it says.
    Final,
    /// It passes by itself: the same call may succeed later.
    Passes,
    /// Somebody has to change something first: a permission, a key, a quota, a parameter. Say what, and wait for it.
    Person,
}

/// One error of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The service, as IAM names it, or [`ANY`].
    pub service: &'static str,
    /// The error's code, as it is on the wire.
    pub code: &'static str,
    pub kind: FailureKind,
    pub verdict: Verdict,
}

const fn row(service: &'static str, code: &'static str, kind: FailureKind, verdict: Verdict) -> Row {
    Row { service, code, kind, verdict }
}

/// The row of an error: the service's own, or else that of any service.
pub fn find(service: &str, code: &str) -> Option<&'static Row> {
    let of = |wanted: &str| ERRORS.iter().find(|row| row.service == wanted && row.code == code);
    of(service).or_else(|| of(ANY))
}

/// The whole table as Markdown.
pub fn table() -> String {
    let mut table = "| Service | Error | Means | Then |\n|---|---|---|---|\n".to_owned();
    for row in ERRORS {
        let service = if row.service == ANY { "any" } else { row.service };
        table += &format!("| {service} | `{}` | {} | {} |\n", row.code, row.kind.meaning(), row.verdict.meaning());
    }
    table
}

impl Verdict {
    /// The verdict in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Final => "final: it is the answer",
            Self::Passes => "passes: tried again",
            Self::Person => "a person's: told, and not tried again by itself",
        }
    }
}

/// All errors, by service.
pub const ERRORS: &[Row] = &[
    row("application-autoscaling", "ConcurrentUpdateException", FailureKind::Unavailable, Verdict::Passes),
    row("application-autoscaling", "InternalServiceException", FailureKind::Unavailable, Verdict::Passes),
    row("application-autoscaling", "InvalidNextTokenException", FailureKind::Refused, Verdict::Final),
    row("application-autoscaling", "LimitExceededException", FailureKind::Refused, Verdict::Person),
    row("application-autoscaling", "ValidationException", FailureKind::Refused, Verdict::Final),
    row("cloudwatch", "InternalServiceError", FailureKind::Unavailable, Verdict::Passes),
    row("cloudwatch", "InvalidParameterCombination", FailureKind::Refused, Verdict::Final),
    row("cloudwatch", "InvalidParameterValue", FailureKind::Refused, Verdict::Final),
    row("cloudwatch", "MissingParameter", FailureKind::Refused, Verdict::Final),
    row("codebuild", "InvalidInputException", FailureKind::Refused, Verdict::Final),
    row("dynamodb", "ConditionalCheckFailedException", FailureKind::ConditionFailed, Verdict::Final),
    row("dynamodb", "InternalServerError", FailureKind::Unavailable, Verdict::Passes),
    row("dynamodb", "ItemCollectionSizeLimitExceededException", FailureKind::Refused, Verdict::Final),
    row("dynamodb", "ProvisionedThroughputExceededException", FailureKind::Throttled, Verdict::Passes),
    row("dynamodb", "ReplicatedWriteConflictException", FailureKind::Unavailable, Verdict::Passes),
    row("dynamodb", "RequestLimitExceeded", FailureKind::Throttled, Verdict::Passes),
    row("dynamodb", "ResourceNotFoundException", FailureKind::NotFound, Verdict::Person),
    row("dynamodb", "ThrottlingException", FailureKind::Throttled, Verdict::Passes),
    row("dynamodb", "TransactionConflictException", FailureKind::Unavailable, Verdict::Passes),
    row("ecr", "EmptyUploadException", FailureKind::Refused, Verdict::Final),
    row("ecr", "ImageAlreadyExistsException", FailureKind::Refused, Verdict::Final),
    row("ecr", "ImageDigestDoesNotMatchException", FailureKind::Refused, Verdict::Final),
    row("ecr", "ImageNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecr", "ImageStorageClassUpdateNotSupportedException", FailureKind::Refused, Verdict::Person),
    row("ecr", "ImageTagAlreadyExistsException", FailureKind::Refused, Verdict::Person),
    row("ecr", "InvalidLayerException", FailureKind::Refused, Verdict::Final),
    row("ecr", "InvalidLayerPartException", FailureKind::Refused, Verdict::Final),
    row("ecr", "InvalidParameterException", FailureKind::Refused, Verdict::Final),
    row("ecr", "InvalidTagParameterException", FailureKind::Refused, Verdict::Final),
    row("ecr", "KmsException", FailureKind::Refused, Verdict::Person),
    row("ecr", "LayerAlreadyExistsException", FailureKind::Refused, Verdict::Final),
    row("ecr", "LayerInaccessibleException", FailureKind::Refused, Verdict::Final),
    row("ecr", "LayerPartTooSmallException", FailureKind::Refused, Verdict::Final),
    row("ecr", "LayersNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecr", "LifecyclePolicyNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecr", "LimitExceededException", FailureKind::Refused, Verdict::Person),
    row("ecr", "PullThroughCacheRuleNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecr", "ReferencedImagesNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecr", "RepositoryAlreadyExistsException", FailureKind::Refused, Verdict::Final),
    row("ecr", "RepositoryNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecr", "RepositoryPolicyNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecr", "ServerException", FailureKind::Unavailable, Verdict::Passes),
    row("ecr", "TooManyTagsException", FailureKind::Refused, Verdict::Final),
    row("ecr", "UnableToGetUpstreamImageException", FailureKind::Unavailable, Verdict::Passes),
    row("ecr", "UnableToGetUpstreamLayerException", FailureKind::Unavailable, Verdict::Passes),
    row("ecr", "UploadNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecr", "ValidationException", FailureKind::Refused, Verdict::Final),
    row("ecs", "AccessDeniedException", FailureKind::Denied, Verdict::Person),
    row("ecs", "ClientException", FailureKind::Refused, Verdict::Person),
    row("ecs", "ClusterNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecs", "InvalidParameterException", FailureKind::Refused, Verdict::Person),
    row("ecs", "LimitExceededException", FailureKind::Refused, Verdict::Person),
    row("ecs", "NamespaceNotFoundException", FailureKind::NotFound, Verdict::Person),
    row("ecs", "PlatformTaskDefinitionIncompatibilityException", FailureKind::Refused, Verdict::Person),
    row("ecs", "PlatformUnknownException", FailureKind::Refused, Verdict::Person),
    row("ecs", "ResourceNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecs", "ServerException", FailureKind::Unavailable, Verdict::Passes),
    row("ecs", "ServiceDeploymentNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecs", "ServiceNotActiveException", FailureKind::NotFound, Verdict::Final),
    row("ecs", "ServiceNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("ecs", "UnsupportedFeatureException", FailureKind::Refused, Verdict::Final),
    row("elasticloadbalancing", "HealthUnavailable", FailureKind::Unavailable, Verdict::Passes),
    row("elasticloadbalancing", "InvalidTarget", FailureKind::Refused, Verdict::Final),
    row("elasticloadbalancing", "LoadBalancerNotFound", FailureKind::NotFound, Verdict::Final),
    row("elasticloadbalancing", "TargetGroupNotFound", FailureKind::NotFound, Verdict::Final),
    row("events", "InternalException", FailureKind::Unavailable, Verdict::Passes),
    row("events", "InvalidAccountIdException", FailureKind::Refused, Verdict::Person),
    row("events", "InvalidArgument", FailureKind::Refused, Verdict::Final),
    row("events", "MalformedDetail", FailureKind::Refused, Verdict::Final),
    row("events", "NotAuthorizedForDetailTypeException", FailureKind::Denied, Verdict::Person),
    row("events", "NotAuthorizedForSourceException", FailureKind::Denied, Verdict::Person),
    row("events", "RedactionFailure", FailureKind::Refused, Verdict::Final),
    row("events", "ResourceNotFoundException", FailureKind::NotFound, Verdict::Person),
    row("iam", "InvalidInput", FailureKind::Refused, Verdict::Final),
    row("iam", "NoSuchEntity", FailureKind::NotFound, Verdict::Final),
    row("iam", "PolicyEvaluation", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "CodeArtifactUserDeletedException", FailureKind::Refused, Verdict::Person),
    row("lambda", "CodeArtifactUserFailedException", FailureKind::Refused, Verdict::Person),
    row("lambda", "CodeArtifactUserPendingException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "DurableExecutionAlreadyStartedException", FailureKind::Refused, Verdict::Final),
    row("lambda", "EC2AccessDeniedException", FailureKind::Denied, Verdict::Person),
    row("lambda", "EC2ThrottledException", FailureKind::Throttled, Verdict::Passes),
    row("lambda", "EC2UnexpectedException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "EFSIOException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "EFSMountConnectivityException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "EFSMountFailureException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "EFSMountTimeoutException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "ENILimitReachedException", FailureKind::Refused, Verdict::Person),
    row("lambda", "ENINotReadyException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "InvalidParameterValueException", FailureKind::Refused, Verdict::Final),
    row("lambda", "InvalidRequestContentException", FailureKind::Refused, Verdict::Final),
    row("lambda", "InvalidRuntimeException", FailureKind::Refused, Verdict::Person),
    row("lambda", "InvalidSecurityGroupIDException", FailureKind::Refused, Verdict::Person),
    row("lambda", "InvalidSubnetIDException", FailureKind::Refused, Verdict::Person),
    row("lambda", "InvalidZipFileException", FailureKind::Refused, Verdict::Person),
    row("lambda", "KMSAccessDeniedException", FailureKind::Denied, Verdict::Person),
    row("lambda", "KMSDisabledException", FailureKind::Refused, Verdict::Person),
    row("lambda", "KMSInvalidStateException", FailureKind::Refused, Verdict::Person),
    row("lambda", "KMSNotFoundException", FailureKind::Refused, Verdict::Person),
    row("lambda", "ModeNotSupportedException", FailureKind::Refused, Verdict::Final),
    row("lambda", "NoPublishedVersionException", FailureKind::Refused, Verdict::Person),
    row("lambda", "RecursiveInvocationException", FailureKind::Refused, Verdict::Final),
    row("lambda", "RequestTooLargeException", FailureKind::Refused, Verdict::Final),
    row("lambda", "ResourceConflictException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "ResourceNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("lambda", "ResourceNotReadyException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "RuntimeAliasDeletedException", FailureKind::Refused, Verdict::Person),
    row("lambda", "RuntimeVersionDeletedException", FailureKind::Refused, Verdict::Person),
    row("lambda", "S3FilesMountConnectivityException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "S3FilesMountFailureException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "S3FilesMountTimeoutException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "SerializedRequestEntityTooLargeException", FailureKind::Refused, Verdict::Final),
    row("lambda", "ServiceException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "ServiceQuotaExceededException", FailureKind::Refused, Verdict::Person),
    row("lambda", "SnapStartException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "SnapStartNotReadyException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "SnapStartRegenerationFailureException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "SnapStartTimeoutException", FailureKind::Unavailable, Verdict::Passes),
    row("lambda", "SubnetIPAddressLimitReachedException", FailureKind::Refused, Verdict::Person),
    row("lambda", "TooManyRequestsException", FailureKind::Throttled, Verdict::Passes),
    row("lambda", "UnsupportedMediaTypeException", FailureKind::Refused, Verdict::Final),
    row("logs", "InvalidParameterException", FailureKind::Refused, Verdict::Final),
    row("logs", "ResourceNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("logs", "ServiceUnavailableException", FailureKind::Unavailable, Verdict::Passes),
    row("scheduler", "InternalServerException", FailureKind::Unavailable, Verdict::Passes),
    row("scheduler", "ResourceNotFoundException", FailureKind::NotFound, Verdict::Final),
    row("scheduler", "ServiceQuotaExceededException", FailureKind::Refused, Verdict::Person),
    row("scheduler", "ThrottlingException", FailureKind::Throttled, Verdict::Passes),
    row("scheduler", "ValidationException", FailureKind::Refused, Verdict::Final),
    row("secretsmanager", "DecryptionFailure", FailureKind::Denied, Verdict::Person),
    row("secretsmanager", "InternalServiceError", FailureKind::Unavailable, Verdict::Passes),
    row("secretsmanager", "InvalidParameterException", FailureKind::Refused, Verdict::Final),
    row("secretsmanager", "InvalidRequestException", FailureKind::Refused, Verdict::Person),
    row("secretsmanager", "ResourceNotFoundException", FailureKind::NotFound, Verdict::Person),
    row("sns", "AuthorizationError", FailureKind::Denied, Verdict::Person),
    row("sns", "EndpointDisabled", FailureKind::Refused, Verdict::Person),
    row("sns", "InternalError", FailureKind::Unavailable, Verdict::Passes),
    row("sns", "InvalidParameter", FailureKind::Refused, Verdict::Final),
    row("sns", "InvalidSecurity", FailureKind::Refused, Verdict::Final),
    row("sns", "KMSAccessDenied", FailureKind::Denied, Verdict::Person),
    row("sns", "KMSDisabled", FailureKind::Refused, Verdict::Person),
    row("sns", "KMSInvalidState", FailureKind::Refused, Verdict::Person),
    row("sns", "KMSNotFound", FailureKind::Refused, Verdict::Person),
    row("sns", "KMSOptInRequired", FailureKind::Refused, Verdict::Person),
    row("sns", "KMSThrottling", FailureKind::Throttled, Verdict::Passes),
    row("sns", "NotFound", FailureKind::NotFound, Verdict::Person),
    row("sns", "ParameterValueInvalid", FailureKind::Refused, Verdict::Final),
    row("sns", "PlatformApplicationDisabled", FailureKind::Refused, Verdict::Person),
    row("sns", "ValidationException", FailureKind::Refused, Verdict::Final),
    row("sqs", "BatchEntryIdsNotDistinct", FailureKind::Refused, Verdict::Final),
    row("sqs", "BatchRequestTooLong", FailureKind::Refused, Verdict::Final),
    row("sqs", "EmptyBatchRequest", FailureKind::Refused, Verdict::Final),
    row("sqs", "InvalidAddress", FailureKind::Refused, Verdict::Person),
    row("sqs", "InvalidAttributeName", FailureKind::Refused, Verdict::Final),
    row("sqs", "InvalidBatchEntryId", FailureKind::Refused, Verdict::Final),
    row("sqs", "InvalidMessageContents", FailureKind::Refused, Verdict::Final),
    row("sqs", "InvalidSecurity", FailureKind::Refused, Verdict::Final),
    row("sqs", "KmsAccessDenied", FailureKind::Denied, Verdict::Person),
    row("sqs", "KmsDisabled", FailureKind::Refused, Verdict::Person),
    row("sqs", "KmsInvalidKeyUsage", FailureKind::Refused, Verdict::Person),
    row("sqs", "KmsInvalidState", FailureKind::Refused, Verdict::Person),
    row("sqs", "KmsNotFound", FailureKind::Refused, Verdict::Person),
    row("sqs", "KmsOptInRequired", FailureKind::Refused, Verdict::Person),
    row("sqs", "KmsThrottled", FailureKind::Throttled, Verdict::Passes),
    row("sqs", "MessageNotInflight", FailureKind::Refused, Verdict::Final),
    row("sqs", "QueueDoesNotExist", FailureKind::NotFound, Verdict::Person),
    row("sqs", "ReceiptHandleIsInvalid", FailureKind::Refused, Verdict::Final),
    row("sqs", "RequestThrottled", FailureKind::Throttled, Verdict::Passes),
    row("sqs", "TooManyEntriesInBatchRequest", FailureKind::Refused, Verdict::Final),
    row("sqs", "UnsupportedOperation", FailureKind::Refused, Verdict::Final),
    row("ssm", "InternalServerError", FailureKind::Unavailable, Verdict::Passes),
    row("ssm", "InvalidKeyId", FailureKind::Refused, Verdict::Person),
    row("ssm", "ParameterNotFound", FailureKind::NotFound, Verdict::Person),
    row("ssm", "ParameterVersionNotFound", FailureKind::NotFound, Verdict::Person),
    row("tag", "InternalServiceException", FailureKind::Unavailable, Verdict::Passes),
    row("tag", "InvalidParameterException", FailureKind::Refused, Verdict::Final),
    row("tag", "PaginationTokenExpiredException", FailureKind::Unavailable, Verdict::Passes),
    row("tag", "ThrottledException", FailureKind::Throttled, Verdict::Passes),
    row("*", "AccessDenied", FailureKind::Denied, Verdict::Person),
    row("*", "AccessDeniedException", FailureKind::Denied, Verdict::Person),
    row("*", "ExpiredToken", FailureKind::Unavailable, Verdict::Passes),
    row("*", "ExpiredTokenException", FailureKind::Unavailable, Verdict::Passes),
    row("*", "IncompleteSignature", FailureKind::Refused, Verdict::Final),
    row("*", "InternalFailure", FailureKind::Unavailable, Verdict::Passes),
    row("*", "InternalServerError", FailureKind::Unavailable, Verdict::Passes),
    row("*", "InvalidClientTokenId", FailureKind::Denied, Verdict::Person),
    row("*", "MissingAuthenticationToken", FailureKind::Denied, Verdict::Person),
    row("*", "NotAuthorized", FailureKind::Denied, Verdict::Person),
    row("*", "OptInRequired", FailureKind::Denied, Verdict::Person),
    row("*", "RequestExpired", FailureKind::Unavailable, Verdict::Passes),
    row("*", "RequestLimitExceeded", FailureKind::Throttled, Verdict::Passes),
    row("*", "ServiceUnavailable", FailureKind::Unavailable, Verdict::Passes),
    row("*", "SignatureDoesNotMatch", FailureKind::Refused, Verdict::Person),
    row("*", "Throttling", FailureKind::Throttled, Verdict::Passes),
    row("*", "ThrottlingException", FailureKind::Throttled, Verdict::Passes),
    row("*", "TooManyRequestsException", FailureKind::Throttled, Verdict::Passes),
    row("*", "UnauthorizedOperation", FailureKind::Denied, Verdict::Person),
    row("*", "UnrecognizedClientException", FailureKind::Denied, Verdict::Person),
    row("*", "ValidationError", FailureKind::Refused, Verdict::Final),
    row("*", "ValidationException", FailureKind::Refused, Verdict::Final),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_has_two_rows_and_all_are_in_order() {
        let keys: Vec<_> = ERRORS.iter().map(|row| (row.service == ANY, row.service, row.code)).collect();
        assert!(keys.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn what_can_pass_is_exactly_what_is_busy_or_unavailable() {
        for row in ERRORS {
            let passing = matches!(row.kind, FailureKind::Throttled | FailureKind::Unavailable);
            assert_eq!(passing, row.verdict == Verdict::Passes, "{}:{}", row.service, row.code);
            assert!(row.kind != FailureKind::Denied || row.verdict == Verdict::Person, "{}:{}", row.service, row.code);
        }
    }

    #[test]
    fn a_service_has_its_own_word_before_that_of_all() {
        assert_eq!(find("ecs", "AccessDeniedException").unwrap().service, "ecs");
        assert_eq!(find("ecr", "AccessDeniedException").unwrap().service, ANY);
        assert_eq!(find("ecs", "NeverHeardOf"), None);
    }
}
