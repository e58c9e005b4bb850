"""The packaged template, deployed from the zips into an emulated AWS: case A is cured. It needs the release folder and Python."""

from __future__ import annotations

import datetime
import json
import platform
import sys
import time
import unittest
from pathlib import Path

import emulator
import hub
from emulator import ACCOUNT, REGION, until
from folder import HERE, ROOT, made, project

IMAGE, TAG = "iseepatterns/court-case-backend", "latest"
CLUSTER = "court-case"
COPY = f"docker-hub/{IMAGE}"
BUCKET, PREFIX = "code", f"pullsafe/{project.version()}/"
ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
MINUTES = 2
"""From the release folder to the cure, at most."""


class Account:
    """The account of case A: a service on Fargate whose image is on Docker Hub, and whose tasks have stopped."""

    def __init__(self, aws: emulator.Emulator):
        self.ecs, iam = aws.client("ecs"), aws.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName="execution", AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
        token = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
        images = {"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": "*"}
        iam.put_role_policy(RoleName="execution", PolicyName="pull", PolicyDocument=_policy(token, images))
        self.ecs.create_cluster(clusterName=CLUSTER)
        self.before = self.ecs.register_task_definition(
            family="court-case-backend",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=role,
            containerDefinitions=[{"name": "backend", "image": f"{IMAGE}:{TAG}", "essential": True}],
        )["taskDefinition"]["taskDefinitionArn"]
        service = self.ecs.create_service(
            cluster=CLUSTER, serviceName="court-case-backend", taskDefinition=self.before, desiredCount=2
        )["service"]
        self.deployment = service["deployments"][0]["id"]
        tasks = until("the service has its tasks", self._tasks)
        for task in tasks:
            self.ecs.stop_task(cluster=CLUSTER, task=task)
        self.task = tasks[0]

    def _tasks(self):
        listed = self.ecs.list_tasks(cluster=CLUSTER, serviceName="court-case-backend")["taskArns"]
        return listed if len(listed) == 2 else None

    def stopped(self) -> dict:
        """The event that ECS sends for the first of its tasks now."""
        event = json.loads((ROOT / "events/task-stopped-hub-quota.json").read_text())
        event["detail"] |= {
            "taskDefinitionArn": self.before,
            "startedBy": self.deployment,
            "group": "service:court-case-backend",
            "taskArn": self.task,
        }
        return now(event | {"resources": [self.task]})

    def runs(self) -> str:
        """The task definition that the service has now."""
        [service] = self.ecs.describe_services(cluster=CLUSTER, services=["court-case-backend"])["services"]
        return service["taskDefinition"]


def now(event: dict) -> dict:
    """The event as of this moment."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for member in ["stoppingAt", "executionStoppedAt", "stoppedAt", "updatedAt"]:
        if member in event["detail"]:
            event["detail"][member] = moment
    return event | {"time": moment}


def _policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def upload(aws: emulator.Emulator, release: Path = HERE, prefix: str = PREFIX) -> None:
    """What `aws s3 sync` of docs/deploy.md does."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for zip in release.glob("*.zip"):
        s3.put_object(Bucket=BUCKET, Key=prefix + zip.name, Body=zip.read_bytes())


def without_metric_math(template: str) -> str:
    """The template without the one alarm that the emulator cannot make: it knows no metric math. `cargo e2e` leaves it out too."""
    before, found, rest = template.partition("\n  MirrorStaleAlarm:\n")
    assert found, "the template has no MirrorStaleAlarm"
    lines = rest.splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if line.strip() and not line.startswith("   "))
    return before + "\n" + "".join(lines[end:])


class CaseA(unittest.TestCase):
    def test_from_the_folder_to_the_cure(self):
        begin = time.monotonic()
        with hub.serving(IMAGE, TAG) as docker, emulator.running() as aws:
            upload(aws)
            registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
            parameters = {
                "CodeBucket": BUCKET,
                "CodePrefix": PREFIX,
                "Architecture": ARCHITECTURE,
                "Mode": "act",
                "SweepMinutes": "60",
                "RegistryEndpoints": f"docker.io={docker.endpoint},{registry}={aws.endpoint}",
                "AllowLocalResponseUrl": "true",
            }
            outputs = aws.deploy("pullsafe", without_metric_math((HERE / made.TEMPLATE).read_text()), parameters)
            deployed = time.monotonic() - begin
            account = Account(aws)
            answer = aws.client("lambda").invoke(
                FunctionName=outputs["RemediatorFunctionName"], Payload=json.dumps(account.stopped()).encode()
            )
            said = json.loads(answer["Payload"].read())
            self.assertEqual((said.get("outcome"), said.get("remedy")), ("acted", "prepare-mirror"), said)
            until(f"the service is moved; {aws.log}", lambda: account.runs() != account.before)
            definition = account.ecs.describe_task_definition(taskDefinition=account.runs())["taskDefinition"]
            [container] = definition["containerDefinitions"]
            self.assertEqual(container["image"], f"{registry}/{COPY}:{TAG}@{docker.digest}")
            [image] = aws.client("ecr").batch_get_image(repositoryName=COPY, imageIds=[{"imageTag": TAG}])["images"]
            self.assertEqual(image["imageId"]["imageDigest"], docker.digest)
            by_name = [method for method, name in docker.manifests_asked() if name == TAG]
            self.assertEqual(set(by_name), {"HEAD"}, "Docker Hub was asked by GET what the tag means")
        took = time.monotonic() - begin
        print(f"case A: deployed after {deployed:.1f} s, cured after {took:.1f} s", file=sys.stderr)
        self.assertLess(took, 60 * MINUTES)


if __name__ == "__main__":
    unittest.main()
