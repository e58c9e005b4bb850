"""The errors that the code knows, as docs/errors.md has them, against those of botocore's models, in both directions.

Every error of every call that was recorded, or that the permissions name, has a row; every row is an error of one of those calls; and
every error name that the code matches on anywhere else has a row, or is a word of an enumeration in the model.
"""

import re

import calls
from template import PROJECT

ROW = re.compile(r"^\| ([a-z-]+) \| `([A-Za-z0-9]+)` \|", re.M)
NAME = re.compile(r'"([A-Z][A-Za-z0-9]+(?:Exception|NotFound|NotMatch|Exists|Exceeded|NoSuchEntity|AuthorizationError))"')
# The code that reads AWS's answers. Tests, and the table itself, are left out.
CODE = ("shared/**/*.rs", "functions/**/*.rs", "cli/src/**/*.rs")


# The documents with the functions' permissions, generated from the code's own lists.
PERMITTED = ("docs/permissions.md", "docs/mirror.md")
ACTION = re.compile(r"`([a-z-]+):([A-Z][A-Za-z]+)`")
# Services that AWS calls for us: the services that use our keys call KMS.
FOR_US = {"kms"}
# Actions that Lambda itself calls under a function's role.
BY_LAMBDA = {"CreateLogStream", "PutLogEvents", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"}
BY_LAMBDA |= {"AssignPrivateIpAddresses", "CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets"}
BY_LAMBDA |= {"UnassignPrivateIpAddresses"}
# Operations that are allowed by an action of another name.
SAME_ACTION = {("sqs", "SendMessage"): [("sqs", "SendMessageBatch")]}


def permitted():
    """Every operation that a permission of ours is for."""
    for document in PERMITTED:
        for service, action in ACTION.findall((PROJECT / document).read_text()):
            for service, operation in ((service, action), *SAME_ACTION.get((service, action), ())):
                if service not in FOR_US and operation not in BY_LAMBDA and operation in calls.model(service).operation_names:
                    yield service, operation


def rows():
    """Service and error of each row of the document."""
    return set(ROW.findall((PROJECT / "docs/errors.md").read_text()))


def code_of(shape):
    """The code of an error on the wire."""
    return shape.metadata.get("error", {}).get("code", shape.name)


def matched():
    """The error names in the code, each with one place."""
    for pattern in CODE:
        for path in sorted(PROJECT.glob(pattern)):
            place = path.relative_to(PROJECT).as_posix()
            if path.name == "errors.rs" or "/tests/" in place or "/diagnos" in place or "/target/" in place:
                continue
            text = path.read_text().split("#[cfg(test)]")[0]
            for name in NAME.findall(text):
                yield name, place


def words():
    """Every word of every enumeration in the models that we call."""
    found = set()
    for name in calls.loaded():
        model = calls.model(name)
        for shape in model.shape_names:
            found |= set(model.shape_for(shape).metadata.get("enum", ()))
    return found


def judge(operations):
    """Counts, and findings."""
    found, known, modelled = [], rows(), set()
    operations = operations | set(permitted())
    for service, operation in sorted(operations):
        if operation not in calls.model(service).operation_names:
            continue
        for shape in calls.model(service).operation_model(operation).error_shapes:
            error = (service, code_of(shape))
            modelled.add(error)
            if error not in known:
                found.append(("botocore", f"{service}:{operation} can answer {error[1]}, of which docs/errors.md has no row"))
    for service, code in sorted(known):
        if service != "any" and (service, code) not in modelled:
            found.append(("botocore", f"docs/errors.md: no recorded call of {service} can answer {code}"))
    named, enumerated = {code for _, code in known}, words()
    places = sorted(set(matched()))
    for name, place in places:
        if name not in named | enumerated:
            found.append(("botocore", f"{place} matches on {name}, which is no error of a call of ours"))
    count = f"{len(modelled)} errors of {len(operations)} operations, {len(known)} rows, {len(places)} names in the code, by botocore"
    return count, found
