//! Failures before anything is started: placement, capacity, roles, the network interface.

use super::prelude::*;

/// Rows for failures of placement, capacity, roles and the network interface.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "placement-agent",
        cause: Cause::AgentError,
        all: &[&[
            "encountered error \"agent\"",
            "encountered error 'agent'",
            "resource:agent",
            "^agent$",
            "taskfailedtostart: agent$",
            "agent is not connected",
            "waiting for amazon ecs agent to start",
            "agent not connected",
        ]],
        advice: "The container agent of the instance is not connected to ECS. Look at the agent, and at the \
            instance's network and role, or replace the instance.",
        example: seen(
            "was unable to place a task because no container instance met all of its requirements. The closest \
             matching container-instance b54a2a04 encountered error \"AGENT\".",
            "ECS service event",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "placement-port",
        cause: Cause::HostPortConflict,
        all: &[&["already using a port required", "resource:ports", "too many ports registered"]],
        advice: "The host port is taken on every instance that would fit. {port}",
        example: seen(
            "The closest matching container-instance is already using a port required by your task.",
            "ECS service event",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "role-trust",
        cause: Cause::RoleAssumeFailed,
        all: &[&[
            "unable to assume the role",
            "unable to assume role",
            "is not authorized to perform: sts:assumerole",
            "iam trust relationship",
            "iam permissions policies have been misconfigured",
            "unable to assume the service linked role",
            "role is invalid or cannot be assumed",
            "ecs can no longer maintain your service",
            "could not assume the role",
            "could not assume role",
            "cannot assume role",
            "cannot assume the role",
            "failed to assume role",
            "unable to assume the configured",
            "unable to assume the execution",
            "unable to assume the infrastructure",
            "unable to assume the task",
            "proper trust relationship",
        ]],
        subject: named(
            NameShape::Arn,
            &["assume the role '", "assume the role ", "assume role "],
            &['\'', ' ', ',', '"'],
        ),
        settled_by: Some("GetRole: its trust policy"),
        advice: "ECS may not assume `{subject|the role of the task}`. Its trust policy must allow `sts:AssumeRole` to \
            the service `ecs-tasks.amazonaws.com`, and the role must exist. In the first minutes after its creation: \
            wait, IAM is eventually consistent.",
        example: seen(
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/app' that was provided for this task. \
             Please verify that the role being passed has the proper trust relationship and permissions and that your \
             IAM user has permissions to pass this role.",
            "ECS",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "role-credentials",
        cause: Cause::RoleAssumeFailed,
        all: &[&[
            "unable to retrieve credentials for role",
            "could not get credentials for the execution role",
            "unable to find execution role credentials",
            "unable to fetch execution role credentials",
        ]],
        none: &["credentialspec"],
        confidence: Confidence::Medium,
        advice: "ECS has no credentials of the role: check that it exists and trusts `ecs-tasks.amazonaws.com`.",
        example: seen("unable to retrieve credentials for role arn:aws:iam::123456789012:role/exec", "ECS agent"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "incompatible-compute",
        cause: Cause::InvalidConfiguration,
        all: &[&[
            "is not compatible with the selected compute",
            "not compatible with the selected compute strategy",
            "requires compatibilities",
            "invalid cpu or memory",
            "no fargate configuration exists for given values",
            "platform version does not support",
            "launch type do not support",
            "launch type does not support",
        ]],
        advice: "The {definition} does not fit the launch type or capacity provider: make requiresCompatibilities, \
            networkMode, cpu and memory fit, or choose another capacity provider.",
        example: seen("The selected task definition is not compatible with the selected compute strategy", "ECS"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "network-interface",
        cause: Cause::NetworkSetupFailed,
        all: &[&[
            "network interface provision",
            "error while attempting to create network interface",
            "error while attempting to tag the network interface",
            "error while attempting to delete network interface",
            "attach network interface",
            "preparing network interface",
            "insufficientfreeaddresses",
            "not have enough free addresses",
            "does not have enough free ip",
            "tagpolicyviolation",
            "failed to configure eni",
            "failed to setup regular eni",
            "failed to setup eni",
            "failed to set up eni",
            "eni attachment",
            "netplugin failed",
            "network interface was deleted",
            "network interface is not available",
            "eni has timed out",
            "securitygrouplimitexceeded",
            "invalidsubnetid",
            "invalidsecuritygroupid",
            "invalidsecuritygroup.notfound",
            "the security group '",
            "failed to set up network namespace",
            "failed to setup network namespace",
            "networkinterfacelimitexceeded",
            "setting up container network namespace",
            "cni setup",
            "pause container namespace",
            "veth pair",
            "no such network interface",
            "could not find bridge",
            "non-overlapping",
            "cni configuration",
            "cni plugin invocation",
            "container resource provisioning: ",
            "container resource provisioning bridge mode: ",
            "does not have a primary eni",
            "networkdriver.",
        ]],
        none: &["a task because no container instance"],
        settled_by: Some("DescribeSubnets (free addresses), the account's network interface quota, tag policies"),
        advice: "The network of the {task} could not be set up. {interface}",
        example: seen("Timeout waiting for network interface provisioning to complete.", "ECS"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "placement-quota",
        cause: Cause::CapacityUnavailable,
        confidence: Confidence::Medium,
        all: &[&[
            "limit on the number of tasks",
            "limit on the number of vcpus",
            "above your limit",
            "count exceeds limit",
            "instance count exceeded",
            "exceeds your limit",
            "you've reached the limit on",
            "you have reached the limit on",
            "vcpu limit",
            "vcpulimitexceeded",
            "concurrent fargate",
            "instance limit exceeded",
            "instancelimitexceeded",
            "maxspotinstancecountexceeded",
            "reached the maximum number of",
        ]],
        none: &["cannotpull", "toomanyrequests"],
        settled_by: Some("Service Quotas: the quota against what runs"),
        advice: "A quota of the account is used up, and AWS has room. Stop what is not needed, or have the quota \
            raised (Service Quotas in the console: the vCPUs or instances that the text names).",
        example: seen("You've reached the limit on the number of vCPUs you can run concurrently", "ECS service event"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "placement-provisioning",
        cause: Cause::CapacityUnavailable,
        confidence: Confidence::Medium,
        all: &[&["provisioning capacity limit"]],
        settled_by: Some("how many tasks of the cluster are PROVISIONING, and why"),
        advice: "So many tasks of the cluster wait in PROVISIONING that ECS takes no more (500 for each cluster). \
            Start fewer at once, and look why the capacity provider adds no instances for those that wait.",
        example: seen(
            "was unable to place tasks in your cluster because the tasks provisioning capacity limit was exceeded.",
            "ECS service event",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "account-blocked",
        cause: Cause::CapacityUnavailable,
        confidence: Confidence::Medium,
        all: &[&["account is currently blocked"]],
        settled_by: Some("the account's AWS Health dashboard"),
        advice: "AWS has blocked the account from starting anything. Look at the AWS Health dashboard and at unpaid \
            bills, and open a case at AWS Support.",
        example: seen("Your account is currently blocked", "RunTask"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "placement-attribute",
        cause: Cause::CapacityUnavailable,
        confidence: Confidence::Medium,
        all: &[&[
            "missing an attribute",
            "resource:attribute",
            "[\"attribute\"",
            "^attribute$",
            "^location$",
            "resource:location",
            "placement constraint",
        ]],
        settled_by: Some("`requiresAttributes` and the placement constraints, against the instances' attributes"),
        advice: "Instances may be there, and none has what the task asks for: an attribute (a log driver, a feature \
            of a newer agent, an instance type, a zone) or a placement constraint. Compare `requiresAttributes` and \
            `placementConstraints` of the {definition} with the attributes of the instances; then update the agent or \
            the AMI, or correct the constraint.",
        example: seen("MemberOf placement constraint unsatisfied", "ECS"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "placement-capacity",
        cause: Cause::CapacityUnavailable,
        confidence: Confidence::Medium,
        all: &[&[
            "capacity is unavailable",
            "resource:fargate",
            "resource:cpu",
            "resource:memory",
            "resource:gpu",
            "resource:eni",
            "resource:accelerator",
            "resource:disk",
            "resource:ephemeral",
            "resource:instance",
            "unfulfillablecapacity",
            "insufficientinstancecapacity",
            "insufficient capacity",
            "no container instances were found",
            "could not launch",
            "unable to launch instance",
            "insufficient cpu units",
            "insufficient memory",
            "doesn't have enough cpu",
            "doesn't have enough memory",
            "does not have enough cpu",
            "does not have enough memory",
            "enough cpu units available",
            "enough memory available",
            "met all of its requirements.$",
            "met all of its requirements$",
            "no container instance met all of its requirements. reason:",
            "ephemeralstorage provisioning",
            "no capacity provider",
            "empty capacity provider",
            "the requested configuration is currently not supported",
            "no more unused capacity",
            "constraint-not-fulfillable",
            "capacity-oversubscribed",
            "capacity-not-available",
            "spot request was not fulfilled",
            "no spot capacity",
            "spotmaxpricetoolow",
            "price-too-low",
        ]],
        none: &["cannotpull", "toomanyrequests", "is not compatible"],
        settled_by: Some("a small control launch by a person: the text may hide a restriction of the account"),
        advice: "There is nothing to place the {task} on. {room}",
        example: seen(
            "was unable to place a task because no container instance met all of its requirements. The closest \
             matching container-instance b54a2a04 has insufficient CPU units available.",
            "ECS service event",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "capacity-in-words",
        cause: Cause::CapacityUnavailable,
        confidence: Confidence::Medium,
        all: &[
            &["capacity", "_max_resource", "job_resource_requirement", "quota_management_limit"],
            &[
                "insufficient",
                "unavailable",
                "empty",
                "not enough",
                "exceeded",
                "exhausted",
                "cannot meet",
                "cannot fulfil",
                "max_resource",
                "job_resource",
                "quota_management",
            ],
        ],
        none: &["cannotpull", "toomanyrequests", "is not compatible", "disk", "volume", "storage"],
        settled_by: Some("what the text says is short, against what the task or job asks for"),
        advice: "There is nothing to place the {task} on. {room}",
        example: seen(
            "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance \
             type [instanceTypeName]",
            "AWS Batch",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "deployment-configuration",
        cause: Cause::InvalidConfiguration,
        all: &[&[
            "because of the service deployment configuration",
            "update the minimumhealthypercent or maximumpercent",
        ]],
        advice: "With this `minimumHealthyPercent` and `maximumPercent` ECS may neither stop an old task nor start a \
            new one. With one task, let the minimum be 0 or the maximum 200.",
        example: seen(
            "service web was unable to stop or start tasks during a deployment because of the service deployment \
             configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
            "ECS service event",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "batch-misconfiguration",
        cause: Cause::InvalidConfiguration,
        confidence: Confidence::Medium,
        all: &[&["misconfiguration:", "action_required - ", "action_required:"]],
        settled_by: Some("the job queue's compute environments: their state and status reason"),
        advice: "AWS Batch holds the job back because its queue, its compute environments or their service role are \
            set up wrongly. Look at state and status reason of each compute environment of the queue; a role needs \
            the permissions of AWSBatchServiceRole.",
        example: seen(
            "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - Batch service role has a permission issue.",
            "AWS Batch",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        id: "placement",
        cause: Cause::CapacityUnavailable,
        confidence: Confidence::Medium,
        all: &[&[
            "no container instance met",
            "closest matching container-instance",
            "closest matching (container-instance",
        ]],
        none: &["is not compatible"],
        settled_by: Some("what the text says is short, against what the task asks for"),
        advice: "There is nothing to place the {task} on. {room}",
        example: seen("The closest matching container-instance AAA-BBB has no **** available.", "ECS service event"),
        ..SignatureRow::EMPTY
    },
];
