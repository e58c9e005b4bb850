"""Every IAM statement of the template against two sources of IAM data, policy_sentry's and parliament's.

A statement must name actions that exist; each action must apply to one of the statement's resources, and each resource to one
of its actions (else the grant is void); each condition's key must be one that the action knows.
"""

import json
import re
import sys
from fnmatch import fnmatchcase
from functools import cache

import parliament
from policy_sentry.querying.actions import get_action_data

from template import variants

sys.setrecursionlimit(10_000)

# Global condition keys that are allowed with every service.
GLOBAL_KEYS = ("aws:TagKeys", "aws:SourceAccount", "aws:SourceArn", "aws:PrincipalOrgID", "aws:PrincipalAccount", "aws:ResourceAccount", "lambda:SourceFunctionArn")
# Global keys that each service must support itself are not in that list: aws:RequestTag, aws:ResourceTag.
ALWAYS_THERE = tuple(key for key in GLOBAL_KEYS if key not in ("aws:TagKeys", "lambda:SourceFunctionArn"))


def listed(value):
    return value if isinstance(value, list) else [value]


def statements():
    """Name, role and statement, each once, over all variants."""
    seen = set()
    for variant, template in variants():
        for role, properties in template.resources("AWS::IAM::Role"):
            for policy in properties["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    key = json.dumps([role, statement], sort_keys=True)
                    if key not in seen:
                        seen.add(key)
                        yield f"{role}.{statement['Sid']}", statement


def applies(form, resource):
    """Whether a resource of a policy can name something of an ARN format such as arn:${Partition}:ecs:...:service/${C}/${S}."""
    if "*" in (form, resource):
        return False
    parts = zip(re.sub(r"\$\{[^}]*\}", "*", form).split(":", 5), resource.split(":", 5), strict=True)
    return all(overlap(one, other) for one, other in parts)


@cache
def overlap(one, other):
    """Whether some text matches both of two patterns with `*`."""
    if not one or not other:
        return not (one or other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return one[0] == other[0] and overlap(one[1:], other[1:])


def sentry(name, statement):
    actions, resources = listed(statement["Action"]), listed(statement["Resource"])
    used = set()
    for action in actions:
        service, short = action.split(":")
        data = get_action_data(service, short)
        rows = data[service] if data else []
        if not rows:
            yield f"{name}: {action} does not exist"
            continue
        typed = [row["resource_arn_format"] for row in rows if row["resource_arn_format"] != "*"]
        fitting = {resource for resource in resources if any(applies(form, resource) for form in typed)}
        if "*" in resources:
            fitting.add("*")
        elif not typed:
            yield f"{name}: {action} knows no resource, so it can be granted on * only"
        if not fitting:
            yield f"{name}: {action} applies to none of {resources}: the grant is void"
        used |= fitting
        known = {key for row in rows for key in row["condition_keys"]}
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                if key not in ALWAYS_THERE and not any(same_key(key, form) for form in known):
                    yield f"{name}: {action} does not know the condition key {key} ({operator})"
    for resource in resources:
        if resource not in used:
            yield f"{name}: {resource} is a resource of none of {actions}"


def same_key(key, form):
    """Whether a condition key is one of a form such as aws:ResourceTag/${TagKey}."""
    return fnmatchcase(key.lower(), re.sub(r"\$\{[^}]*\}", "*", form.lower()))


def parliament_says(name, statement):
    policy = parliament.analyze_policy_string(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    for finding in policy.findings:
        parliament.enhance_finding(finding)
        yield f"{name}: {finding.title} {finding.detail or ''}".strip()


def changes():
    """What the roles of a stack by default may change, by the levels of access of the IAM data: only what is the stack's own."""
    template = dict(variants())["by default"]
    own = {name for kind in ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Logs::LogGroup") for name, _ in template.resources(kind)}
    for role, properties in template.resources("AWS::IAM::Role"):
        for statement in (each for policy in properties["Policies"] for each in policy["PolicyDocument"]["Statement"]):
            for action in listed(statement["Action"]):
                service, short = action.split(":")
                level = get_action_data(service, short)[service][0]["access_level"]
                # Events for other programs go to the default bus, only with pullsafe's own source.
                told = statement.get("Condition", {}).get("StringEquals", {}).get("events:source") == "pullsafe"
                foreign = [resource for resource in listed(statement["Resource"]) if not told and not own & set(re.split("[:/]", resource))]
                if level not in ("Read", "List") and foreign:
                    yield f"{role}.{statement['Sid']}: an observing stack may {action} on {foreign}"


def judge():
    """Counts, and findings by judge."""
    found, actions = [("policy_sentry", text) for text in changes()], 0
    checked = list(statements())
    for name, statement in checked:
        actions += len(listed(statement["Action"]))
        found += [("policy_sentry", text) for text in sentry(name, statement)]
        found += [("parliament", text) for text in parliament_says(name, statement)]
    return f"{len(checked)} statements with {actions} grants, by policy_sentry and parliament", found


def awake():
    """What the judges must object to, or they sleep."""
    void = {"Sid": "Void", "Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "arn:aws:ecs:eu-west-1:123456789012:cluster/*"}
    unknown = {"Sid": "Unknown", "Effect": "Allow", "Action": "ecs:UpdateServices", "Resource": "*"}
    keyless = void | {"Resource": "*", "Condition": {"StringEquals": {"ecs:service": "x"}}}
    for wrong in (void, unknown, keyless):
        for judges in (sentry, parliament_says):
            yield f"{judges.__name__} of {wrong['Sid']}", any(judges("x", wrong))
