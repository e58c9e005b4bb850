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


class Early:
    """A service that was created before its image, and may be changed although the stack observes."""

    NAME = "early"

    def __init__(self, aws: emulator.Emulator, image: str):
        self.ecs, self.image = aws.client("ecs"), image
        self.definition = self.ecs.register_task_definition(
            family=self.NAME,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "app", "image": image, "essential": True}],
        )["taskDefinition"]["taskDefinitionArn"]
        made = self.ecs.create_service(
            cluster=stack.CLUSTER,
            serviceName=self.NAME,
            taskDefinition=self.definition,
            desiredCount=2,
            tags=[{"key": "pullsafe:mode", "value": "act"}],
        )["service"]
        self.deployment = made["deployments"][0]["id"]
        self.tasks = until("the early service has its tasks", self._started)
        for task in self.tasks:
            self.ecs.stop_task(cluster=stack.CLUSTER, task=task)

    def _started(self):
        listed = self.ecs.list_tasks(cluster=stack.CLUSTER, serviceName=self.NAME)["taskArns"]
        return listed if len(listed) == 2 else None

    def stopped(self) -> dict:
        """The event that ECS sends for the first of its tasks now."""
        text = (ROOT / "events/task-stopped-image-not-found.json").read_text()
        event = json.loads(text.replace(f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/app-mp:9f1c2d7e", self.image))
        event["detail"] |= {
            "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{stack.CLUSTER}",
            "group": f"service:{self.NAME}",
            "startedBy": self.deployment,
            "taskArn": self.tasks[0],
            "taskDefinitionArn": self.definition,
        }
        return stack.now(event | {"resources": [self.tasks[0]]})

    def stands(self) -> tuple[int, bool]:
        """Its desired count, and whether it carries the marks of a pause."""
        [service] = self.ecs.describe_services(cluster=stack.CLUSTER, services=[self.NAME], include=["TAGS"])["services"]
        return service["desiredCount"], any(tag["key"].startswith("pullsafe:paused") for tag in service.get("tags", []))


class Upgrade(unittest.TestCase):
    def test_what_waits_is_answered_by_the_new_version_what_is_open_stays_open_and_what_is_paused_comes_back(self):
        with hub.serving(stack.IMAGE, stack.TAG) as docker, emulator.running() as aws:
            stack.upload(aws, PREVIOUS, "pullsafe/before/")
            stack.upload(aws, HERE, "pullsafe/after/")
            registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
            parameters = {
                "CodeBucket": stack.BUCKET,
                "CodePrefix": "pullsafe/before/",
                "Architecture": stack.ARCHITECTURE,
                "SweepMinutes": "60",
                "AllowTagToAct": "true",
                "PauseAfterFailures": "1",
                "PauseAfterMinutes": "0",
                "RegistryEndpoints": f"docker.io={docker.endpoint},{registry}={aws.endpoint}",
                "AllowLocalResponseUrl": "true",
            }
            before = aws.deploy("pullsafe", stack.without_metric_math((PREVIOUS / made.TEMPLATE).read_text()), parameters)
            functions, dynamodb, ecr = aws.client("lambda"), aws.client("dynamodb"), aws.client("ecr")

            # A stack waits at the gate, and an incident is open. It is only observed: pullsafe must not change
            # anything.
            ecr.create_repository(repositoryName="shop")
            aws.start("shop-image", GATE, {"RepositoryName": f"{registry}/shop", "ImageTag": "1"})
            until("the gate is asked", lambda: self.rows(dynamodb, before["TableName"], "shop-image"))
            account = stack.Account(aws)
            stopped = json.dumps(account.stopped()).encode()
            answer = functions.invoke(FunctionName=before["RemediatorFunctionName"], Payload=stopped)
            self.assertEqual(json.loads(answer["Payload"].read())["outcome"], "observed")
            incident = self.rows(dynamodb, before["TableName"], "court-case-backend")
            self.assertTrue(incident)
            # A service is paused until the image arrives for which the gate waits, too.
            early = Early(aws, f"{registry}/shop:1")
            answer = functions.invoke(FunctionName=before["RemediatorFunctionName"], Payload=json.dumps(early.stopped()).encode())
            said = json.loads(answer["Payload"].read())
            self.assertEqual(said["outcome"], "acted", self.rows(dynamodb, before["TableName"], "early"))
            self.assertEqual(early.stands(), (0, True))

            after = aws.update("pullsafe", stack.without_metric_math((HERE / made.TEMPLATE).read_text()), {"CodePrefix": "pullsafe/after/"})
            self.assertEqual(after["TableName"], before["TableName"])
            self.assertEqual(after["ImageGateArn"], before["ImageGateArn"], "stacks that use the gate name this")
            [deployed] = aws.client("cloudformation").describe_stacks(StackName="pullsafe")["Stacks"]
            now = {row["ParameterKey"]: row["ParameterValue"] for row in deployed["Parameters"]}
            self.assertEqual({name: now[name] for name in parameters}, parameters | {"CodePrefix": "pullsafe/after/"})
            code = functions.get_function_configuration(FunctionName=after["RemediatorFunctionName"])
            self.assertEqual(code["Environment"]["Variables"]["PULLSAFE_REGISTRY_ENDPOINTS"], parameters["RegistryEndpoints"])
            self.assertEqual(self.rows(dynamodb, after["TableName"], "court-case-backend"), incident)
            # The new version knows the incident: the same event again opens no new one.
            answer = functions.invoke(FunctionName=after["RemediatorFunctionName"], Payload=stopped)
            self.assertEqual(json.loads(answer["Payload"].read())["outcome"], "ignored")

            image = hub.Hub("shop", "1")
            aws.push(image)
            functions.invoke(FunctionName=after["GateWakerFunctionName"], Payload=(ROOT / "events/sweep.json").read_bytes())
            self.assertEqual(aws.finish("shop-image")["ImageDigest"], image.digest)
            self.assertEqual(early.stands(), (0, True), "the new version has the pause as it was")
            pushed = json.loads((ROOT / "events/ecr-image-pushed.json").read_text())
            pushed["detail"] |= {"repository-name": "shop", "image-tag": "1", "image-digest": image.digest}
            functions.invoke(FunctionName=after["RemediatorFunctionName"], Payload=json.dumps(stack.now(pushed)).encode())
            until(f"the paused service is brought back; {aws.log}", lambda: early.stands() == (2, False))
        print("upgrade: the new version answered what waited, kept what was open, brought back what was paused", file=sys.stderr)

    @staticmethod
    def rows(dynamodb, table: str, about: str) -> list[str]:
        """The rows that are about something, without what only says when they were looked at."""
        items = dynamodb.scan(TableName=table)["Items"]
        return sorted(json.dumps(item, sort_keys=True) for item in items if about in json.dumps(item))


if __name__ == "__main__":
    unittest.main()
