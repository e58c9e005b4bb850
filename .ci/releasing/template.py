"""The packaged template: template.yaml with the zips named by bucket and key, so that whoever deploys it needs no toolchain.

It differs from template.yaml in the code's place, in two parameters for it, and in the comment at its head; nothing else.
"""

from __future__ import annotations

import re

from . import project

HEAD = """\
# pullsafe {version}, packaged: the whole stack, with its functions as zips in a bucket. Nothing has to be built.
#
#   aws s3 sync . "s3://$BUCKET/pullsafe/{version}/" --exclude "*" --include "*.zip"
#   aws cloudformation deploy --template-file pullsafe.yaml --stack-name pullsafe --s3-bucket "$BUCKET" \\
#       --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides CodeBucket="$BUCKET" NotificationEmail=...
#
# The bucket has to be in the stack's region. Made from template.yaml by .ci/release; docs/deploy.md has the rest.
"""

PARAMETERS = """\
  CodeBucket:
    Type: String
    AllowedPattern: "^[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]$"
    ConstraintDescription: the name of a bucket
    Description: The bucket with the functions' zips, in this region.
  CodePrefix:
    Type: String
    Default: pullsafe/{version}/
    AllowedPattern: "^([A-Za-z0-9!_.'()-]+/)*$"
    MaxLength: 900
    ConstraintDescription: nothing, or parts that each end with a slash
    Description: >-
      What the zips' keys begin with. A new version needs a new one: CloudFormation takes the same key for the same code.
"""

GROUP = """\
      - Label: {default: Where the functions' code is}
        Parameters: [CodeBucket, CodePrefix]
"""


def packaged(template: str, version: str) -> str:
    """The packaged template for one version."""
    project.functions(template)
    text = re.sub(
        r"^( +)CodeUri: target/lambda/([a-z-]+)/$",
        lambda found: "\n".join(
            [
                f"{found[1]}CodeUri:",
                f"{found[1]}  Bucket: !Ref CodeBucket",
                f'{found[1]}  Key: !Sub "${{CodePrefix}}{project.zip_name(found[2], "${Architecture}")}"',
            ]
        ),
        template,
        flags=re.MULTILINE,
    )
    text = HEAD.format(version=version) + _from(text, "AWSTemplateFormatVersion:")
    text = _after(text, "    ParameterGroups:\n", GROUP)
    text = _after(text, "\nParameters:\n", PARAMETERS.format(version=version))
    if left := re.search(r"^ +CodeUri: *\S.*$", text, re.MULTILINE):
        raise project.Fault(f"template.yaml names a function's code in a way that cannot be packaged: `{left[0].strip()}`")
    return text


def _from(text: str, begin: str) -> str:
    at = text.find(begin)
    if at < 0:
        raise project.Fault(f"template.yaml has no `{begin}`")
    return text[at:]


def _after(text: str, place: str, insert: str) -> str:
    before, found, after = text.partition(place)
    if not found:
        raise project.Fault(f"template.yaml has no `{place.strip()}`")
    return before + found + insert + after
