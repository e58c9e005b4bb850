"""What the CDK package synthesizes, linted by AWS's own linter and deployed into an emulated AWS: a shop waits for its image.

`RELEASE=FOLDER python3 tests/packages/cdk.py`, after the package was built (`.ci/run packages`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/release"))

import emulator  # noqa: E402
import hub  # noqa: E402
import stack  # noqa: E402
from emulator import ACCOUNT, REGION, until  # noqa: E402
from folder import project  # noqa: E402

CDK = ROOT / "packages/cdk"


def synthesized(folder: Path, parameters: dict[str, str]) -> dict[str, str]:
    """The templates of the app, by stack."""
    subprocess.run(["node", "test/app.js", folder, json.dumps(parameters)], cwd=CDK, check=True)
    return {path.name.removesuffix(".template.json"): path.read_text() for path in Path(folder).glob("*.template.json")}


class Synthesized(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)

    def test_the_package_has_the_project_s_version(self):
        self.assertEqual(json.loads((CDK / "package.json").read_text())["version"], project.version())

    def test_the_package_carries_what_it_reads_and_no_more(self):
        done = subprocess.run(
            ["npm", "pack", "--dry-run", "--json", "--ignore-scripts", "--loglevel", "error"],
            cwd=CDK,
            capture_output=True,
            text=True,
            check=True,
        )
        [packed] = json.loads(done.stdout)
        files = {file["path"] for file in packed["files"]}
        self.assertLessEqual({".jsii", "LICENSE", "README.md", "lib/index.js", "lib/index.d.ts", "template/pullsafe.json"}, files)
        self.assertEqual({path for path in files if path.startswith(("src", "test", "tools", "node_modules", "tsconfig"))}, set())
        self.assertEqual({path for path in files if path.endswith(".js")}, {f"lib/{path.stem}.js" for path in (CDK / "src").glob("*.ts")})

    def test_the_linter_of_aws_finds_nothing(self):
        synthesized(self.place, {"Architecture": "arm64"})
        lint = ROOT / ".e2e/lint/bin/cfn-lint"
        # W8003: with values filled in, some conditions always have the same result. W3005: the way the CDK writes
        # dependencies.
        done = subprocess.run(
            [lint, "--ignore-checks", "W8003", "W3005", "--", *sorted(self.place.glob("*.template.json"))],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.stdout + done.stderr, "")

    def test_a_shop_waits_for_its_image_and_runs_its_digest(self):
        with emulator.running() as aws:
            registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
            parameters = {
                "Architecture": stack.ARCHITECTURE,
                "SweepMinutes": "60",
                "RegistryEndpoints": f"{registry}={aws.endpoint}",
                "AllowLocalResponseUrl": "true",
            }
            templates = synthesized(self.place, parameters)
            stack.upload(aws)
            pullsafe = json.loads(templates["pullsafe"])
            # The emulator does not know metric math.
            del pullsafe["Resources"]["MirrorStaleAlarm"]
            outputs = aws.deploy("pullsafe", json.dumps(pullsafe), {})
            aws.start("shop", templates["shop"], {})
            ecr, events = aws.client("ecr"), aws.client("lambda")
            until("the shop's repository", lambda: self.exists(ecr))
            waiting = until("the shop waits", lambda: self.waits(aws, outputs["TableName"]))
            self.assertIn("shop", waiting)
            image = hub.Hub("shop", "1.4.3")
            aws.push(image)
            # The emulator sends no event for a push, so the sweep has to find it.
            sweep = (ROOT / "events/sweep.json").read_bytes()
            until(
                "the sweep answers",
                lambda: not events.invoke(FunctionName=outputs["GateWakerFunctionName"], Payload=sweep).get("FunctionError"),
            )
            aws.finish("shop")
            [definition] = aws.client("ecs").list_task_definitions(familyPrefix="shop")["taskDefinitionArns"]
            found = aws.client("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
            images = {container["image"] for container in found["containerDefinitions"]}
            [repository] = ecr.describe_repositories(repositoryNames=["shop"])["repositories"]
            self.assertEqual(images, {f"{repository['repositoryUri']}@{image.digest}"})

    @staticmethod
    def exists(ecr) -> bool:
        return any(found["repositoryName"] == "shop" for found in ecr.describe_repositories()["repositories"])

    @staticmethod
    def waits(aws: emulator.Emulator, table: str) -> str:
        """The gate's rows, once it has any."""
        items = aws.client("dynamodb").scan(TableName=table)["Items"]
        return json.dumps(items) if items else ""


if __name__ == "__main__":
    unittest.main()
