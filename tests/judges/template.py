"""Reads template.yaml as CloudFormation would after its parameters are known: short forms, conditions, references, texts."""

import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-west-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "pullsafe",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/pullsafe/0a1b2c3d-0000-4000-8000-000000000000",
}
# What `!GetAtt X.Arn` and `!Ref X` look like, by the type of X.
ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:eu-west-1:123456789012:table/{}",
    "AWS::Logs::LogGroup": "arn:aws:logs:eu-west-1:123456789012:log-group:{}:*",
    "AWS::Serverless::Function": "arn:aws:lambda:eu-west-1:123456789012:function:{}",
    "AWS::SNS::Topic": "arn:aws:sns:eu-west-1:123456789012:{}",
    "AWS::SQS::Queue": "arn:aws:sqs:eu-west-1:123456789012:{}",
}
NOTHING = object()


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _short_form)


class Template:
    """The template under one choice of parameters."""

    def __init__(self, **parameters):
        self.document = yaml.load((PROJECT / "template.yaml").read_text(), Loader)
        declared = self.document["Parameters"]
        unknown = parameters.keys() - declared.keys()
        if unknown:
            raise KeyError(f"the template has no parameter {sorted(unknown)}")
        self.parameters = {name: str(declared[name]["Default"]) for name in declared} | parameters

    def condition(self, name):
        """Whether a condition of the template holds."""
        return self._truth(self.document["Conditions"][name])

    def _truth(self, expression):
        ((operator, operands),) = expression.items()
        if operator == "Condition":
            return self.condition(operands)
        if operator == "Fn::Equals":
            left, right = (self.resolve(operand) for operand in operands)
            return left == right
        truths = [self._truth(operand) for operand in operands]
        return {"Fn::Not": lambda: not truths[0], "Fn::And": lambda: all(truths), "Fn::Or": lambda: any(truths)}[operator]()

    def resources(self, kind):
        """Name and resolved properties of each resource of a type that exists under these parameters."""
        for name, resource in self.document["Resources"].items():
            if resource["Type"] == kind and ("Condition" not in resource or self.condition(resource["Condition"])):
                yield name, self.resolve(resource.get("Properties", {}))

    def resolve(self, value):
        """The value with every function of CloudFormation worked out."""
        if isinstance(value, list):
            found = [self.resolve(item) for item in value]
            return [item for item in found if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, operand),) = value.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._function(name, operand)
        found = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not NOTHING}

    def _function(self, name, operand):
        if name == "Ref":
            return self._reference(operand)
        if name == "Fn::GetAtt":
            return self._arn(operand[0]) if operand[1] == "Arn" else f"{operand[0]}.{operand[1]}"
        if name == "Fn::Sub":
            text, names = (operand, {}) if isinstance(operand, str) else operand
            names = {key: self.resolve(item) for key, item in names.items()}
            return re.sub(r"\$\{([^!}][^}]*)\}", lambda match: str(self._named(match[1], names)), text)
        if name == "Fn::If":
            return self.resolve(operand[1] if self.condition(operand[0]) else operand[2])
        if name == "Fn::Join":
            return operand[0].join(str(part) for part in self.resolve(operand[1]))
        if name == "Fn::Split":
            return self.resolve(operand[1]).split(operand[0])
        if name == "Fn::Select":
            return self.resolve(operand[1])[int(operand[0])]
        if name == "Fn::FindInMap":
            names = [self.resolve(part) for part in operand]
            return self.document["Mappings"][names[0]][names[1]][names[2]]
        raise NotImplementedError(f"{name} is not known here")

    def _named(self, name, names):
        if name in names:
            return names[name]
        return self._function("Fn::GetAtt", name.split(".", 1)) if "." in name else self._reference(name)

    def _reference(self, name):
        if name == "AWS::NoValue":
            return NOTHING
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            value = self.parameters[name]
            listed = self.document["Parameters"][name]["Type"] == "CommaDelimitedList"
            return value.split(",") if listed else value
        kind = self.document["Resources"][name]["Type"]
        return self._arn(name) if kind == "AWS::SNS::Topic" else name

    def _arn(self, name):
        resource = self.document["Resources"].get(name)
        if resource is None:
            # A rule that the SAM transform creates for an event of a function.
            return f"arn:aws:events:eu-west-1:123456789012:rule/{name}"
        return ARNS.get(resource["Type"], f"arn:aws:unknown:eu-west-1:123456789012:{{}}").format(name)


def variants():
    """The template as it grants the least and the most."""
    return ("by default", Template()), ("with everything on", Template(**EVERYTHING))


EVERYTHING = {
    "Mode": "act",
    "AllowTagToAct": "true",
    "ServicePattern": "production-*/*",
    "OnlyTaggedServices": "true",
    "TaskRolePattern": "ecs/*",
    "MirrorConfigParameter": "/pullsafe/mirror",
    "MirrorMayDelete": "true",
    "DockerHubSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:docker-hub-a1b2c3",
    "DockerHubSecretKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000",
    "EncryptionKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000001",
    "OrganizationId": "o-a1b2c3d4e5",
    "OrganizationAccounts": "111122223333,444455556666",
    "NotificationEmail": "ops@example.com",
}
