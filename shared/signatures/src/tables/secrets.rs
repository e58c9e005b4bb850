//! Secrets, parameters, environment files and credential specifications, by kind and by why they failed.

use super::prelude::*;

/// Words for a network failure, here and for ECR's credentials.
pub(super) const NETWORK: &[&str] = &[
    "connection issue between the task and",
    "check your network connection",
    "check your task network configuration",
    "check your network configuration",
    "i/o timeout",
    "context deadline exceeded",
    "requestcanceled",
    "request canceled",
    "requesterror: send request failed",
    "request send failed",
    "dial tcp",
    "no such host",
    "tls handshake",
    "x509:",
    "statuscode: 0",
    "signal: killed",
    "connection refused",
    "connection reset",
    "exceeded maximum number of attempts",
    "could not connect to",
    "network is unreachable",
];
/// Words for a missing permission, here and for ECR's credentials.
pub(super) const DENIED: &[&str] = &["accessdenied", "access denied", "unrecognizedclientexception", "not authorized"];
const KMS: &[&str] = &[
    "kms:decrypt",
    "kms key",
    "access to kms is not allowed",
    "kmsaccessdenied",
    "decryptionfailure",
    "ciphertext",
    "kms.",
    "invalidkeyusage",
    "kmsinvalidstate",
];
const MISSING: &[&str] = &[
    "resourcenotfoundexception",
    "can't find the specified secret",
    "invalid ssm parameters",
    "invalid parameters:",
    "parameternotfound",
    "invalidparameters",
    "nosuchkey",
    "nosuchbucket",
    "marked for deletion",
    "status code: 404",
    "statuscode: 404",
    "not found",
];
const ARN: Option<SubjectPosition> = named(
    NameShape::Arn,
    &[
        "failed to fetch secret ",
        "invalid ssm parameters: ",
        "invalid parameters: ",
        "in region us-east-1: secret ",
        "on resource: ",
        "secret with value ",
        "secret arn:",
    ],
    &[' ', ',', '"'],
);

/// The action for which a permission is missing.
pub(super) const ACTION: Option<SubjectPosition> =
    named(NameShape::Action, &["not authorized to perform: "], &[' ', ',']);

/// Words that mean a secret of Secrets Manager.
const SM: &[&str] = &[
    "from asm",
    "asm fetching secret",
    "secrets manager",
    "secretsmanager",
    "secret arn:",
    "failed to fetch secret",
    "did not contain json key",
    "in literal ",
    "looking for beginning of object key",
    "retrieved secret",
];
/// Words that mean a parameter.
const SSM: &[&str] = &[
    "from ssm",
    "ssm parameter",
    "parameter store",
    "systems manager",
    "operation error ssm",
    "ssm:getparameter",
    "invalid ssm",
];
/// Words that mean an environment file.
const ENV: &[&str] = &["env file", "environment variable file", "environment file", "envfile", "environmentfile"];
/// Words that mean a credential specification.
const SPEC: &[&str] = &["credentialspec", "credential spec", "gmsa"];

const fn row(id: &'static str, kind: Kind, why: Why, all: &'static [&'static [&'static str]]) -> SignatureRow {
    SignatureRow {
        id,
        cause: Cause::SecretUnavailable,
        kind: Some(kind),
        why: Some(why),
        all,
        none: &["unable to retrieve ecr registry auth", "registry auth from amazon ecr"],
        subject: ARN,
        ..SignatureRow::EMPTY
    }
}

/// Rows for failures to read secrets, parameters and files.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        advice: "The credential specification could not be read. Check its ARN or file, and that the role may read it.",
        example: seen(
            "DockerClientConfigError: unable to fetch valid credentialspec: fetching secret failed",
            "ECS agent",
        ),
        ..SignatureRow {
            why: None,
            ..row("credentialspec", Kind::CredentialSpec, Why::Missing, &[SPEC])
        }
    },
    SignatureRow {
        subject: ACTION,
        advice: "The environment file may not be read. Add `{subject|s3:GetObject}` on the file and \
            `s3:GetBucketLocation` on its bucket to {reader}.",
        example: seen(
            "ResourceInitializationError: failed to download env files: file download command: non-empty error \
             stream: AccessDenied: Access Denied status code: 403",
            "Fargate",
        ),
        ..row("env-file-denied", Kind::EnvironmentFile, Why::Permission, &[ENV, DENIED])
    },
    SignatureRow {
        advice: "The environment file does not exist. Check bucket, key and region of environmentFiles.",
        example: seen(
            "ResourceInitializationError: failed to download env files: file download command: non-empty error \
             stream: NoSuchKey: The specified key does not exist.",
            "Fargate",
        ),
        ..row("env-file-missing", Kind::EnvironmentFile, Why::Missing, &[ENV, MISSING])
    },
    SignatureRow {
        advice: "The environment file is in Amazon S3, which is not reached. {route-s3}",
        example: seen(
            "ResourceInitializationError: The task can't download the environment variable files from Amazon S3. \
             There is a connection issue between the task and Amazon S3. Check your task network configuration.",
            "Fargate",
        ),
        ..row("env-file-network", Kind::EnvironmentFile, Why::Network, &[ENV, NETWORK])
    },
    SignatureRow {
        confidence: Confidence::Medium,
        advice: "The environment file could not be read. Look at bucket and key, at `s3:GetObject` of {reader}, and \
            at the way to S3. {route-s3}",
        example: seen("ResourceInitializationError: failed to download env files", "Fargate, cut"),
        ..SignatureRow {
            why: None,
            ..row(
                "env-file",
                Kind::EnvironmentFile,
                Why::Missing,
                &[&[
                    "download env file",
                    "download the environment variable file",
                    "failed to download environment file",
                    "unable to download env",
                ]],
            )
        }
    },
    SignatureRow {
        subject: named(NameShape::Name, &["json key "], &[' ', ',', '"', '.']),
        advice: "The secret has no JSON key `{subject|of that name}`. Correct the key behind the secret's ARN in \
            `secrets[].valueFrom`, or add it to the secret.",
        example: seen("retrieved secret from Secrets Manager did not contain json key DB_PASS", "ECS agent"),
        ..row(
            "secret-json-key",
            Kind::SecretsManager,
            Why::JsonKey,
            &[&["did not contain json key", "unmarshal secret", "invalid character", "cannot unmarshal"], SM],
        )
    },
    SignatureRow {
        advice: "The secret may not be decrypted. Add `kms:Decrypt` on its key to {reader}, and let the key's policy \
            allow it.",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from \
             asm: service call has been retried 1 time(s): AccessDeniedException: Access to KMS is not allowed",
            "Fargate",
        ),
        ..row("secret-kms", Kind::SecretsManager, Why::Kms, &[SM, KMS])
    },
    SignatureRow {
        advice: "The parameter may not be decrypted. Add `kms:Decrypt` on its key to {reader}, and let the key's \
            policy allow it.",
        example: seen(
            "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: The \
             ciphertext refers to a customer master key that does not exist, does not exist in this region, or you \
             are not allowed to access.",
            "Fargate",
        ),
        ..row("parameter-kms", Kind::ParameterStore, Why::Kms, &[SSM, KMS])
    },
    SignatureRow {
        advice: "The secret exists and has no current value. Store a value, or correct the version in \
            `secrets[].valueFrom`.",
        example: seen(
            "unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't find the specified \
             secret value for staging label: AWSCURRENT",
            "Secrets Manager",
        ),
        ..row(
            "secret-no-value",
            Kind::SecretsManager,
            Why::NoValue,
            &[
                SM,
                &["secret value for staging label", "secret value for versionid", "has no value", "empty secret"],
            ],
        )
    },
    SignatureRow {
        subject: ACTION,
        advice: "The secret may not be read. Add `{subject|secretsmanager:GetSecretValue}` on the secret's ARN to \
            {reader} (and `kms:Decrypt` if it has a key of its own); for a secret of another account its resource \
            policy must allow it too.",
        example: seen(
            "Fetching secret data from AWS Secrets Manager in region us-east-1: secret \
             arn:aws:secretsmanager:us-east-1:123456789012:secret:Key-Dh2dLk: AccessDeniedException: User: \
             arn:aws:sts::123456789012:assumed-role/exec/1 is not authorized to perform: \
             secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:Key \
             status code: 400",
            "ECS agent",
        ),
        ..row("secret-denied", Kind::SecretsManager, Why::Permission, &[SM, DENIED])
    },
    SignatureRow {
        subject: ACTION,
        advice: "The parameter may not be read. Add `{subject|ssm:GetParameters}` on the parameter's ARN to {reader} \
            (and `kms:Decrypt` for a SecureString with a key of its own).",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
             failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): \
             AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/1 is not authorized to perform: \
             ssm:GetParameters on resource: arn:aws:ssm:eu-west-1",
            "Fargate",
        ),
        ..row("parameter-denied", Kind::ParameterStore, Why::Permission, &[SSM, DENIED])
    },
    SignatureRow {
        advice: "The secret{subject? `$`} does not exist in this account and region, is marked for deletion \
            (`restore-secret` brings it back), or its ARN is malformed. Correct `secrets[].valueFrom` (the ARN ends \
            in six random characters) or create the secret.",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
             failed: unable to retrieve secret from asm: service call has been retried 5 time(s): \
             ResourceNotFoundException: Secrets Manager can't find the specified secret.",
            "Fargate",
        ),
        ..row(
            "secret-missing",
            Kind::SecretsManager,
            Why::Missing,
            &[
                SM,
                &[
                    "resourcenotfoundexception",
                    "can't find the specified secret",
                    "marked for deletion",
                    "not found",
                    "invalid arn",
                    "validationexception",
                    "invalid name",
                ],
            ],
        )
    },
    SignatureRow {
        advice: "The parameter{subject? `$`} does not exist in this account and region. Create it, or correct \
            `secrets[].valueFrom` (a name, or the whole ARN in another region).",
        example: seen(
            "fetching secret data from SSM Parameter Store in us-west-2: invalid parameters: /prod/db/password",
            "ECS agent",
        ),
        ..row(
            "parameter-missing",
            Kind::ParameterStore,
            Why::Missing,
            &[&["ssm", "parameter store", "systems manager"], MISSING],
        )
    },
    SignatureRow {
        advice: "Secrets Manager is not reached. {route-secrets}",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from \
             asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network \
             configuration.",
            "Fargate",
        ),
        ..row("secret-network", Kind::SecretsManager, Why::Network, &[SM, NETWORK])
    },
    SignatureRow {
        advice: "Systems Manager is not reached. {route-ssm}",
        example: seen(
            "ResourceInitializationError: The task cannot pull secrets from AWS Systems Manager Parameter Store. \
             Check your network connection between the task and AWS Systems Manager.",
            "Fargate",
        ),
        ..row("parameter-network", Kind::ParameterStore, Why::Network, &[SSM, NETWORK])
    },
    SignatureRow {
        confidence: Confidence::Medium,
        settled_by: Some(
            "the execution role by simulation; DescribeSecret; minutes between pullStartedAt and stoppingAt (long = \
             network)",
        ),
        advice: "A secret could not be read, and the text is cut before it says why. Look whether it exists, at \
            `secretsmanager:GetSecretValue` of {reader}, and at the way to Secrets Manager.",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
             failed: unable to retrieve secret from asm: service call",
            "Fargate, cut",
        ),
        ..SignatureRow {
            why: None,
            ..row(
                "secret",
                Kind::SecretsManager,
                Why::Missing,
                &[&[
                    "retrieve secret from asm",
                    "registry auth from asm",
                    "retrieve secrets from asm",
                    "fetching secret data from aws secrets manager",
                    "failed to fetch secret ",
                    "pull secrets from aws secrets manager",
                    "retrieve secret with value",
                    "secret from secrets manager",
                    "pull secrets from secrets manager",
                ]],
            )
        }
    },
    SignatureRow {
        confidence: Confidence::Medium,
        settled_by: Some(
            "the execution role by simulation; GetParameters; minutes between pullStartedAt and stoppingAt (long = \
             network)",
        ),
        advice: "A parameter could not be read, and the text is cut before it says why. Look whether it exists, at \
            `ssm:GetParameters` of {reader}, and at the way to Systems Manager.",
        example: seen(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
             failed: unable to retrieve secrets from ssm: service call",
            "Fargate, cut",
        ),
        ..SignatureRow {
            why: None,
            ..row(
                "parameter",
                Kind::ParameterStore,
                Why::Missing,
                &[&[
                    "retrieve secrets from ssm",
                    "retrieve secret from ssm",
                    "fetching secret data from ssm",
                    "pull secrets from aws systems manager",
                    "pull secrets from systems manager",
                ]],
            )
        }
    },
    SignatureRow {
        id: "secrets-or-auth-network",
        cause: Cause::NetworkSetupFailed,
        confidence: Confidence::Medium,
        all: &[
            &["unable to pull secrets or registry auth"],
            &[
                "check your task network configuration",
                "signal: killed",
                "netlink",
                "context deadline exceeded",
                "i/o timeout",
            ],
        ],
        none: &["retrieve secret", "ecr registry auth", "amazon ecr", "api.ecr.", "from ssm", "from asm"],
        settled_by: Some("whether the task definition has secrets, or a private image only"),
        advice: "Neither the secrets nor the registry's login are reached (the text does not say which was tried). \
            {route-all}",
        example: seen(
            "ResourceInitializationError: pull command failed: unable to pull secrets or registry auth Check your \
             task network configuration.",
            "Fargate",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "secret-in-words",
        cause: Cause::SecretUnavailable,
        confidence: Confidence::Medium,
        why: Some(Why::Missing),
        all: &[&[
            "secret does not exist",
            "secret not found",
            "parameter does not exist",
            "secret has no value",
            "no value for secret",
            "invalid parameters: /",
            "decrypted secret",
            "missing secret value",
            "asm fetching",
            "failed to decrypt secret",
        ]],
        settled_by: Some("the secret's current version"),
        advice: "A secret or parameter that the {definition} names does not exist or has no value. Create it, give it \
            a value, or correct `valueFrom`.",
        example: seen("TaskFailedToStart: Secret does not exist or has no value", "an operator's notes"),
        ..SignatureRow::EMPTY
    },
];
