"""An upgrade as docs/deploy.md has it: the new zips under their own prefix, the other parameters as they were. What waits goes on waiting.

The version before is the folder in PREVIOUS; before there is one, it is the same release under another prefix.
"""

from __future__ import annotations

import json
import os
import sys
import unittest
from pathlib import Path

import emulator
import hub
import stack
from emulator import ACCOUNT, REGION, until
from folder import HERE, ROOT, made

PREVIOUS = Path(os.environ.get("PREVIOUS", HERE)).resolve()
GATE = (ROOT / "docs/examples/gate.yaml").read_text()


class Upgrade(unittest.TestCase):
    def test_a_stack_that_waits_is_answered_by_the_new_version_and_an_incident_stays_open(self):
        with hub.serving(stack.IMAGE, stack.TAG) as docker, emulator.running() as aws:
            stack.upload(aws, PREVIOUS, "pullsafe/before/")
            stack.upload(aws, HERE, "pullsafe/after/")
            registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
            parameters = {
                "CodeBucket": stack.BUCKET,
                "CodePrefix": "pullsafe/before/",
                "Architecture": stack.ARCHITECTURE,
                "SweepMinutes": "60",
                "RegistryEndpoints": f"docker.io={docker.endpoint},{registry}={aws.endpoint}",
                "AllowLocalResponseUrl": "true",
            }
            before = aws.deploy("pullsafe", stack.without_metric_math((PREVIOUS / made.TEMPLATE).read_text()), parameters)
            functions, dynamodb, ecr = aws.client("lambda"), aws.client("dynamodb"), aws.client("ecr")

            # Something waits at the gate, and an incident is open (observed, for nothing may be changed).
            ecr.create_repository(repositoryName="shop")
            aws.start("shop-image", GATE, {"RepositoryName": f"{registry}/shop", "ImageTag": "1"})
            until("the gate is asked", lambda: self.rows(dynamodb, before["TableName"], "shop-image"))
            account = stack.Account(aws)
            stopped = json.dumps(account.stopped()).encode()
            answer = functions.invoke(FunctionName=before["RemediatorFunctionName"], Payload=stopped)
            self.assertEqual(json.loads(answer["Payload"].read())["outcome"], "observed")
            incident = self.rows(dynamodb, before["TableName"], "court-case-backend")
            self.assertTrue(incident)

            after = aws.update("pullsafe", stack.without_metric_math((HERE / made.TEMPLATE).read_text()), {"CodePrefix": "pullsafe/after/"})
            self.assertEqual(after["TableName"], before["TableName"])
            self.assertEqual(after["ImageGateArn"], before["ImageGateArn"], "stacks that use the gate name this")
            [deployed] = aws.client("cloudformation").describe_stacks(StackName="pullsafe")["Stacks"]
            now = {row["ParameterKey"]: row["ParameterValue"] for row in deployed["Parameters"]}
            self.assertEqual({name: now[name] for name in parameters}, parameters | {"CodePrefix": "pullsafe/after/"})
            code = functions.get_function_configuration(FunctionName=after["RemediatorFunctionName"])
            self.assertEqual(code["Environment"]["Variables"]["PULLSAFE_REGISTRY_ENDPOINTS"], parameters["RegistryEndpoints"])
            self.assertEqual(self.rows(dynamodb, after["TableName"], "court-case-backend"), incident)
            # The new version knows the incident: the same event again is none.
            answer = functions.invoke(FunctionName=after["RemediatorFunctionName"], Payload=stopped)
            self.assertEqual(json.loads(answer["Payload"].read())["outcome"], "ignored")

            image = hub.Hub("shop", "1")
            aws.push(image)
            functions.invoke(FunctionName=after["GateWakerFunctionName"], Payload=(ROOT / "events/sweep.json").read_bytes())
            self.assertEqual(aws.finish("shop-image")["ImageDigest"], image.digest)
        print("upgrade: what waited was answered by the new version", file=sys.stderr)

    @staticmethod
    def rows(dynamodb, table: str, about: str) -> list[str]:
        """The rows that are about something, without what only says when they were looked at."""
        items = dynamodb.scan(TableName=table)["Items"]
        return sorted(json.dumps(item, sort_keys=True) for item in items if about in json.dumps(item))


if __name__ == "__main__":
    unittest.main()
