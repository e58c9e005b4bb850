"""Every request that was recorded against botocore's service models: operation, members, types, required, lengths, ranges,
patterns and enumerations."""

import base64
import json
import re

from botocore.session import Session
from botocore.validate import ParamValidator

# IAM prefix -> botocore's name of the service, where they differ.
NAMES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "tag": "resourcegroupstaggingapi"}
_session = Session()
_models = {}


def model(service):
    """The model of a service by its IAM prefix."""
    if service not in _models:
        _models[service] = _session.get_service_model(NAMES.get(service, service))
    return _models[service]


def loaded():
    """The services that were asked for so far."""
    return tuple(_models)


def typed(value, shape):
    """A value as botocore takes it: forms have strings for all values, and JSON has text for bytes."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        # A payload is the body itself: bytes, not base64 text.
        payload = shape.serialization.get("payload")
        value = {name: item.encode() if name == payload and isinstance(item, str) else item for name, item in value.items()}
        return {name: typed(item, shape.members[name]) if name in shape.members else item for name, item in value.items()}
    if kind == "list" and isinstance(value, list):
        return [typed(item, shape.member) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: typed(item, shape.value) for name, item in value.items()}
    if kind in ("integer", "long") and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind in ("float", "double") and isinstance(value, str):
        return float(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind == "blob" and isinstance(value, str):
        return base64.b64decode(value)
    return value


def limits(value, shape, path=""):
    """What the model forbids and botocore's own validation lets pass: maxima, patterns, values outside an enumeration."""
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure" and isinstance(value, dict):
        for name, item in value.items():
            if name in shape.members:
                yield from limits(item, shape.members[name], f"{path}.{name}")
        return
    if kind == "list" and isinstance(value, list):
        if len(value) > rules.get("max", len(value)):
            yield f"{path} has {len(value)} members, at most {rules['max']} are allowed"
        for item in value:
            yield from limits(item, shape.member, f"{path}[]")
        return
    if kind == "map" and isinstance(value, dict):
        for name, item in value.items():
            yield from limits(name, shape.key, f"{path}{{}}")
            yield from limits(item, shape.value, f"{path}{{}}")
        return
    if kind == "string" and isinstance(value, str):
        if rules.get("enum") and value not in rules["enum"]:
            yield f"{path} is `{value}`, which is not one of {rules['enum']}"
        if len(value) > rules.get("max", len(value)):
            yield f"{path} has {len(value)} characters, at most {rules['max']} are allowed"
        if rules.get("pattern") and not matches(rules["pattern"], value):
            yield f"{path} is `{value}`, which does not match {rules['pattern']}"
    if kind in ("integer", "long") and isinstance(value, int) and value > rules.get("max", value):
        yield f"{path} is {value}, at most {rules['max']} is allowed"


def matches(pattern, value):
    """Whether a text matches a model's pattern; one that Python cannot read says nothing."""
    for java, python in (("\\p{L}", "\\w"), ("\\p{Z}", "\\s"), ("\\p{N}", "\\d"), ("\\p{M}", ""), ("\\p{P}", "")):
        pattern = pattern.replace(java, python)
    try:
        return re.fullmatch(pattern, value, re.S) is not None
    except re.error:
        return True


def recorded(files):
    """Each different request once: service, operation, body."""
    seen = {}
    for path in files:
        for line in path.read_text().splitlines():
            seen.setdefault(line, json.loads(line))
    return seen.values()


def objections(call):
    """What is wrong with one request."""
    if call["operation"] not in model(call["service"]).operation_names:
        return ["does not exist"]
    shape = model(call["service"]).operation_model(call["operation"]).input_shape
    body = typed(call["body"], shape)
    report = ParamValidator().validate(body, shape)
    problems = report.generate_report().splitlines() if report.has_errors() else []
    return [*(problem.split(", must be one of")[0] for problem in problems), *limits(body, shape)]


def judge(files):
    """Counts, findings, and the operations that were seen."""
    found, operations, checked = set(), set(), 0
    for call in recorded(files):
        operations.add((call["service"], call["operation"]))
        checked += 1
        found |= {("botocore", f"{call['service']}:{call['operation']}: {problem}") for problem in objections(call)}
    return f"{checked} different requests of {len(operations)} operations, by botocore", sorted(found), operations


def awake():
    """What the judge must object to, or it sleeps."""
    for operation, body in (
        ("UpdateServices", {}),
        ("UpdateService", {"cluster": "c"}),
        ("UpdateService", {"service": "s", "desiredCount": "two"}),
        ("UpdateService", {"service": "s", "wanted": 2}),
        ("UpdateService", {"service": "s", "availabilityZoneRebalancing": "SOMETIMES"}),
    ):
        yield f"botocore of {operation} {body}", bool(objections({"service": "ecs", "operation": operation, "body": body}))
    yield "botocore of a list", bool(objections({"service": "ecs", "operation": "ListTasks", "body": {"maxResults": "x"}}))
