"""What the linters do not ask of the forge's files: that they stay small doors to `.ci/`, and that what they name exists."""

from __future__ import annotations

import re
import subprocess
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
USES = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<pin>\S+)(?P<comment>.*)")


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def jobs():
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield f"{path.name}, {name}", job


class Workflows(unittest.TestCase):
    def test_every_action_is_pinned_by_a_commit_and_says_its_version(self):
        pins = {}
        for path in [*WORKFLOWS, ROOT / "action.yml"]:
            for line in path.read_text().splitlines():
                if found := USES.search(line):
                    with self.subTest(f"{path.name}: {line.strip()}"):
                        self.assertRegex(found["pin"], r"^[0-9a-f]{40}$")
                        self.assertRegex(found["comment"], r"^ # v\d+\.\d+\.\d+$")
                        known = pins.setdefault(found["action"], (found["pin"], found["comment"]))
                        self.assertEqual(known, (found["pin"], found["comment"]), "two versions of one action")
        self.assertTrue(pins)

    def test_nothing_is_allowed_that_a_job_does_not_name(self):
        for path in WORKFLOWS:
            with self.subTest(path.name):
                self.assertEqual(load(path)["permissions"], {})
        for name, job in jobs():
            with self.subTest(name):
                self.assertIn("permissions", job)
                self.assertLessEqual(job["timeout-minutes"], 240)
                self.assertNotIn("write-all", str(job["permissions"]))

    def test_what_runs_the_projects_code_may_write_nothing(self):
        for name, job in jobs():
            runs = any("checkout" in step.get("uses", "") for step in job["steps"])
            if runs:
                with self.subTest(name):
                    self.assertEqual(job["permissions"], {"contents": "read"})

    def test_a_checkout_keeps_no_credentials(self):
        for name, job in jobs():
            for step in job["steps"]:
                if "actions/checkout@" in step.get("uses", ""):
                    with self.subTest(name):
                        self.assertIs(step["with"]["persist-credentials"], False)

    def test_no_expression_is_put_into_a_script(self):
        for name, job in jobs():
            for step in job["steps"]:
                with self.subTest(f"{name}: {step.get('name')}"):
                    self.assertNotIn("${{", step.get("run", ""), "hand it over in `env`")

    def test_every_step_of_ci_that_is_named_exists(self):
        listed = subprocess.run([ROOT / ".ci/run", "--list"], check=True, capture_output=True, text=True).stdout
        known = {line.split()[0] for line in listed.splitlines()}
        named = 0
        for name, job in jobs():
            for step in job["steps"]:
                for command in re.findall(r"\.ci/run((?: [a-z]+)*)", step.get("run", "")):
                    named += 1
                    with self.subTest(name):
                        self.assertLessEqual(set(command.split()), known)
        self.assertGreater(named, 0)

    def test_every_script_that_is_run_exists(self):
        for name, job in jobs():
            for step in job["steps"]:
                for path in re.findall(r"(?:\.ci|tests)/[\w./-]+", step.get("run", "")):
                    with self.subTest(f"{name}: {path}"):
                        self.assertTrue((ROOT / path).is_file(), "there is no such file")


class Bot(unittest.TestCase):
    def test_every_folder_that_is_kept_up_to_date_has_a_manifest(self):
        manifests = {
            "cargo": ["Cargo.toml"],
            "github-actions": [".github/workflows/ci.yml"],
            "pip": ["*.in"],
            "npm": ["package-lock.json"],
            "terraform": ["*.tf"],
        }
        updates = load(ROOT / ".github/dependabot.yml")["updates"]
        for update in updates:
            for directory in update["directories"]:
                with self.subTest(f"{update['package-ecosystem']}: {directory}"):
                    folder = ROOT / directory.strip("/")
                    self.assertTrue(any(list(folder.glob(name)) for name in manifests[update["package-ecosystem"]]))
        self.assertEqual({update["package-ecosystem"] for update in updates}, set(manifests))

    def test_every_lock_file_is_kept_up_to_date(self):
        tracked = subprocess.run(
            ["git", "ls-files", "*package-lock.json", "*Cargo.lock"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        updates = load(ROOT / ".github/dependabot.yml")["updates"]
        known = {directory.strip("/") for update in updates for directory in update["directories"]}
        for path in tracked.stdout.split():
            with self.subTest(path):
                self.assertIn(str(Path(path).parent).strip("."), known | {""})


class Templates(unittest.TestCase):
    def test_every_form_asks_at_least_one_thing_that_must_be_answered(self):
        for path in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")):
            if path.name != "config.yml":
                with self.subTest(path.name):
                    form = load(path)
                    self.assertLessEqual({"name", "description", "body"}, set(form))
                    self.assertTrue(any(field.get("validations", {}).get("required") for field in form["body"]))

    def test_the_forms_know_the_commands_that_they_ask_for(self):
        commands = {path.stem for path in (ROOT / "cli/src").glob("*.rs")}
        text = "".join(path.read_text() for path in (ROOT / ".github").rglob("*") if path.is_file())
        for command in re.findall(r"`pullsafe ([a-z]+)", text):
            with self.subTest(command):
                self.assertIn(command, commands)


if __name__ == "__main__":
    unittest.main()
