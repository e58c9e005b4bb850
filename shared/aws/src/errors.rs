//! Every error that a call of ours can be answered with, by name: what it means, and who can do something about it.
//!
//! AWS's service models say which errors an operation knows; `tests/judges` holds this table against them in both
//! directions. docs/errors.md is made from it. What no model names, because any service may answer with it, is under
//! [`ANY`]; what nobody has heard of is judged by its status alone.

use crate::kind::FailureKind;

/// The service of the errors that every service can answer with.
pub const ANY: &str = "*";

/// What is to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorVerdict {
    /// It is an answer: the same call gets it again. Go on with what it says.
    Final,
    /// It passes: the same call may succeed later.
    Passes,
    /// Somebody has to change something first: a permission, a key, a quota, a parameter. Say what, and wait for it.
    Person,
}

/// One error of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorRow {
    /// The service, as IAM names it, or [`ANY`].
    pub service: &'static str,
    /// The error's code, as it is on the wire.
    pub code: &'static str,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What is to be done about it.
    pub verdict: ErrorVerdict,
}

const fn row(service: &'static str, code: &'static str, kind: FailureKind, verdict: ErrorVerdict) -> ErrorRow {
    ErrorRow { service, code, kind, verdict }
}

/// The row of an error: the service's own, or that of any service.
pub fn find(service: &str, code: &str) -> Option<&'static ErrorRow> {
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

impl ErrorVerdict {
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
pub const ERRORS: &[ErrorRow] = &[
    row(
        "application-autoscaling",
        "ConcurrentUpdateException",
        FailureKind::Unavailable,
        ErrorVerdict::Passes,
    ),
    row(
        "application-autoscaling",
        "InternalServiceException",
        FailureKind::Unavailable,
        ErrorVerdict::Passes,
    ),
    row("application-autoscaling", "InvalidNextTokenException", FailureKind::Refused, ErrorVerdict::Final),
    row("application-autoscaling", "LimitExceededException", FailureKind::Refused, ErrorVerdict::Person),
    row("application-autoscaling", "ValidationException", FailureKind::Refused, ErrorVerdict::Final),
    row("cloudwatch", "InternalServiceError", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("cloudwatch", "InvalidParameterCombination", FailureKind::Refused, ErrorVerdict::Final),
    row("cloudwatch", "InvalidParameterValue", FailureKind::Refused, ErrorVerdict::Final),
    row("cloudwatch", "MissingParameter", FailureKind::Refused, ErrorVerdict::Final),
    row("codebuild", "InvalidInputException", FailureKind::Refused, ErrorVerdict::Final),
    row("dynamodb", "ConditionalCheckFailedException", FailureKind::ConditionFailed, ErrorVerdict::Final),
    row("dynamodb", "InternalServerError", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("dynamodb", "ItemCollectionSizeLimitExceededException", FailureKind::Refused, ErrorVerdict::Final),
    row("dynamodb", "ProvisionedThroughputExceededException", FailureKind::Throttled, ErrorVerdict::Passes),
    row("dynamodb", "ReplicatedWriteConflictException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("dynamodb", "RequestLimitExceeded", FailureKind::Throttled, ErrorVerdict::Passes),
    row("dynamodb", "ResourceNotFoundException", FailureKind::NotFound, ErrorVerdict::Person),
    row("dynamodb", "ThrottlingException", FailureKind::Throttled, ErrorVerdict::Passes),
    row("dynamodb", "TransactionConflictException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("ecr", "EmptyUploadException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "ImageAlreadyExistsException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "ImageDigestDoesNotMatchException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "ImageNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecr", "ImageStorageClassUpdateNotSupportedException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecr", "ImageTagAlreadyExistsException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecr", "InvalidLayerException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "InvalidLayerPartException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "InvalidParameterException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "InvalidTagParameterException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "KmsException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecr", "LayerAlreadyExistsException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "LayerInaccessibleException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "LayerPartTooSmallException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "LayersNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecr", "LifecyclePolicyNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecr", "LimitExceededException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecr", "PullThroughCacheRuleNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecr", "ReferencedImagesNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecr", "RepositoryAlreadyExistsException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "RepositoryNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecr", "RepositoryPolicyNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecr", "ServerException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("ecr", "TooManyTagsException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecr", "UnableToGetUpstreamImageException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("ecr", "UnableToGetUpstreamLayerException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("ecr", "UploadNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecr", "ValidationException", FailureKind::Refused, ErrorVerdict::Final),
    row("ecs", "AccessDeniedException", FailureKind::Denied, ErrorVerdict::Person),
    row("ecs", "ClientException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecs", "ClusterNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecs", "InvalidParameterException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecs", "LimitExceededException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecs", "NamespaceNotFoundException", FailureKind::NotFound, ErrorVerdict::Person),
    row("ecs", "PlatformTaskDefinitionIncompatibilityException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecs", "PlatformUnknownException", FailureKind::Refused, ErrorVerdict::Person),
    row("ecs", "ResourceNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecs", "ServerException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("ecs", "ServiceDeploymentNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecs", "ServiceNotActiveException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecs", "ServiceNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("ecs", "UnsupportedFeatureException", FailureKind::Refused, ErrorVerdict::Final),
    row("elasticloadbalancing", "HealthUnavailable", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("elasticloadbalancing", "InvalidTarget", FailureKind::Refused, ErrorVerdict::Final),
    row("elasticloadbalancing", "LoadBalancerNotFound", FailureKind::NotFound, ErrorVerdict::Final),
    row("elasticloadbalancing", "TargetGroupNotFound", FailureKind::NotFound, ErrorVerdict::Final),
    row("events", "InternalException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("events", "InvalidAccountIdException", FailureKind::Refused, ErrorVerdict::Person),
    row("events", "InvalidArgument", FailureKind::Refused, ErrorVerdict::Final),
    row("events", "MalformedDetail", FailureKind::Refused, ErrorVerdict::Final),
    row("events", "NotAuthorizedForDetailTypeException", FailureKind::Denied, ErrorVerdict::Person),
    row("events", "NotAuthorizedForSourceException", FailureKind::Denied, ErrorVerdict::Person),
    row("events", "RedactionFailure", FailureKind::Refused, ErrorVerdict::Final),
    row("events", "ResourceNotFoundException", FailureKind::NotFound, ErrorVerdict::Person),
    row("iam", "InvalidInput", FailureKind::Refused, ErrorVerdict::Final),
    row("iam", "NoSuchEntity", FailureKind::NotFound, ErrorVerdict::Final),
    row("iam", "PolicyEvaluation", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "CodeArtifactUserDeletedException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "CodeArtifactUserFailedException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "CodeArtifactUserPendingException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "DurableExecutionAlreadyStartedException", FailureKind::Refused, ErrorVerdict::Final),
    row("lambda", "EC2AccessDeniedException", FailureKind::Denied, ErrorVerdict::Person),
    row("lambda", "EC2ThrottledException", FailureKind::Throttled, ErrorVerdict::Passes),
    row("lambda", "EC2UnexpectedException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "EFSIOException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "EFSMountConnectivityException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "EFSMountFailureException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "EFSMountTimeoutException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "ENILimitReachedException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "ENINotReadyException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "InvalidParameterValueException", FailureKind::Refused, ErrorVerdict::Final),
    row("lambda", "InvalidRequestContentException", FailureKind::Refused, ErrorVerdict::Final),
    row("lambda", "InvalidRuntimeException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "InvalidSecurityGroupIDException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "InvalidSubnetIDException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "InvalidZipFileException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "KMSAccessDeniedException", FailureKind::Denied, ErrorVerdict::Person),
    row("lambda", "KMSDisabledException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "KMSInvalidStateException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "KMSNotFoundException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "ModeNotSupportedException", FailureKind::Refused, ErrorVerdict::Final),
    row("lambda", "NoPublishedVersionException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "RecursiveInvocationException", FailureKind::Refused, ErrorVerdict::Final),
    row("lambda", "RequestTooLargeException", FailureKind::Refused, ErrorVerdict::Final),
    row("lambda", "ResourceConflictException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "ResourceNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("lambda", "ResourceNotReadyException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "RuntimeAliasDeletedException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "RuntimeVersionDeletedException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "S3FilesMountConnectivityException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "S3FilesMountFailureException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "S3FilesMountTimeoutException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "SerializedRequestEntityTooLargeException", FailureKind::Refused, ErrorVerdict::Final),
    row("lambda", "ServiceException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "ServiceQuotaExceededException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "SnapStartException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "SnapStartNotReadyException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "SnapStartRegenerationFailureException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "SnapStartTimeoutException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("lambda", "SubnetIPAddressLimitReachedException", FailureKind::Refused, ErrorVerdict::Person),
    row("lambda", "TooManyRequestsException", FailureKind::Throttled, ErrorVerdict::Passes),
    row("lambda", "UnsupportedMediaTypeException", FailureKind::Refused, ErrorVerdict::Final),
    row("logs", "InvalidParameterException", FailureKind::Refused, ErrorVerdict::Final),
    row("logs", "ResourceNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("logs", "ServiceUnavailableException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("scheduler", "InternalServerException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("scheduler", "ResourceNotFoundException", FailureKind::NotFound, ErrorVerdict::Final),
    row("scheduler", "ServiceQuotaExceededException", FailureKind::Refused, ErrorVerdict::Person),
    row("scheduler", "ThrottlingException", FailureKind::Throttled, ErrorVerdict::Passes),
    row("scheduler", "ValidationException", FailureKind::Refused, ErrorVerdict::Final),
    row("secretsmanager", "DecryptionFailure", FailureKind::Denied, ErrorVerdict::Person),
    row("secretsmanager", "InternalServiceError", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("secretsmanager", "InvalidParameterException", FailureKind::Refused, ErrorVerdict::Final),
    row("secretsmanager", "InvalidRequestException", FailureKind::Refused, ErrorVerdict::Person),
    row("secretsmanager", "ResourceNotFoundException", FailureKind::NotFound, ErrorVerdict::Person),
    row("sns", "AuthorizationError", FailureKind::Denied, ErrorVerdict::Person),
    row("sns", "EndpointDisabled", FailureKind::Refused, ErrorVerdict::Person),
    row("sns", "InternalError", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("sns", "InvalidParameter", FailureKind::Refused, ErrorVerdict::Final),
    row("sns", "InvalidSecurity", FailureKind::Refused, ErrorVerdict::Final),
    row("sns", "KMSAccessDenied", FailureKind::Denied, ErrorVerdict::Person),
    row("sns", "KMSDisabled", FailureKind::Refused, ErrorVerdict::Person),
    row("sns", "KMSInvalidState", FailureKind::Refused, ErrorVerdict::Person),
    row("sns", "KMSNotFound", FailureKind::Refused, ErrorVerdict::Person),
    row("sns", "KMSOptInRequired", FailureKind::Refused, ErrorVerdict::Person),
    row("sns", "KMSThrottling", FailureKind::Throttled, ErrorVerdict::Passes),
    row("sns", "NotFound", FailureKind::NotFound, ErrorVerdict::Person),
    row("sns", "ParameterValueInvalid", FailureKind::Refused, ErrorVerdict::Final),
    row("sns", "PlatformApplicationDisabled", FailureKind::Refused, ErrorVerdict::Person),
    row("sns", "ValidationException", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "BatchEntryIdsNotDistinct", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "BatchRequestTooLong", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "EmptyBatchRequest", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "InvalidAddress", FailureKind::Refused, ErrorVerdict::Person),
    row("sqs", "InvalidAttributeName", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "InvalidBatchEntryId", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "InvalidMessageContents", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "InvalidSecurity", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "KmsAccessDenied", FailureKind::Denied, ErrorVerdict::Person),
    row("sqs", "KmsDisabled", FailureKind::Refused, ErrorVerdict::Person),
    row("sqs", "KmsInvalidKeyUsage", FailureKind::Refused, ErrorVerdict::Person),
    row("sqs", "KmsInvalidState", FailureKind::Refused, ErrorVerdict::Person),
    row("sqs", "KmsNotFound", FailureKind::Refused, ErrorVerdict::Person),
    row("sqs", "KmsOptInRequired", FailureKind::Refused, ErrorVerdict::Person),
    row("sqs", "KmsThrottled", FailureKind::Throttled, ErrorVerdict::Passes),
    row("sqs", "MessageNotInflight", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "QueueDoesNotExist", FailureKind::NotFound, ErrorVerdict::Person),
    row("sqs", "ReceiptHandleIsInvalid", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "RequestThrottled", FailureKind::Throttled, ErrorVerdict::Passes),
    row("sqs", "TooManyEntriesInBatchRequest", FailureKind::Refused, ErrorVerdict::Final),
    row("sqs", "UnsupportedOperation", FailureKind::Refused, ErrorVerdict::Final),
    row("ssm", "InternalServerError", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("ssm", "InvalidKeyId", FailureKind::Refused, ErrorVerdict::Person),
    row("ssm", "ParameterNotFound", FailureKind::NotFound, ErrorVerdict::Person),
    row("ssm", "ParameterVersionNotFound", FailureKind::NotFound, ErrorVerdict::Person),
    row("tag", "InternalServiceException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("tag", "InvalidParameterException", FailureKind::Refused, ErrorVerdict::Final),
    row("tag", "PaginationTokenExpiredException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("tag", "ThrottledException", FailureKind::Throttled, ErrorVerdict::Passes),
    row("*", "AccessDenied", FailureKind::Denied, ErrorVerdict::Person),
    row("*", "AccessDeniedException", FailureKind::Denied, ErrorVerdict::Person),
    row("*", "ExpiredToken", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("*", "ExpiredTokenException", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("*", "IncompleteSignature", FailureKind::Refused, ErrorVerdict::Final),
    row("*", "InternalFailure", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("*", "InternalServerError", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("*", "InvalidClientTokenId", FailureKind::Denied, ErrorVerdict::Person),
    row("*", "MissingAuthenticationToken", FailureKind::Denied, ErrorVerdict::Person),
    row("*", "NotAuthorized", FailureKind::Denied, ErrorVerdict::Person),
    row("*", "OptInRequired", FailureKind::Denied, ErrorVerdict::Person),
    row("*", "RequestExpired", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("*", "RequestLimitExceeded", FailureKind::Throttled, ErrorVerdict::Passes),
    row("*", "ServiceUnavailable", FailureKind::Unavailable, ErrorVerdict::Passes),
    row("*", "SignatureDoesNotMatch", FailureKind::Refused, ErrorVerdict::Person),
    row("*", "Throttling", FailureKind::Throttled, ErrorVerdict::Passes),
    row("*", "ThrottlingException", FailureKind::Throttled, ErrorVerdict::Passes),
    row("*", "TooManyRequestsException", FailureKind::Throttled, ErrorVerdict::Passes),
    row("*", "UnauthorizedOperation", FailureKind::Denied, ErrorVerdict::Person),
    row("*", "UnrecognizedClientException", FailureKind::Denied, ErrorVerdict::Person),
    row("*", "ValidationError", FailureKind::Refused, ErrorVerdict::Final),
    row("*", "ValidationException", FailureKind::Refused, ErrorVerdict::Final),
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
            assert_eq!(passing, row.verdict == ErrorVerdict::Passes, "{}:{}", row.service, row.code);
            assert!(
                row.kind != FailureKind::Denied || row.verdict == ErrorVerdict::Person,
                "{}:{}",
                row.service,
                row.code
            );
        }
    }

    #[test]
    fn a_service_has_its_own_word_before_that_of_all() {
        assert_eq!(find("ecs", "AccessDeniedException").unwrap().service, "ecs");
        assert_eq!(find("ecr", "AccessDeniedException").unwrap().service, ANY);
        assert_eq!(find("ecs", "NeverHeardOf"), None);
    }
}
