"""A runner for one composite action: as much of GitHub's as action.yml uses. It runs the steps' scripts as the runner does, in the checkout
or the folder that they name, with the files that they write outputs and summaries to.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass
class Job:
    """What became of a job."""

    status: int = 0
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    used: list[dict] = field(default_factory=list)
    """Steps that use another action, as they would have been called."""


@dataclass
class Runner:
    """One machine: a checkout, the action's own folder, a folder for temporary files, and what is on the path."""

    checkout: Path
    action: Path
    temp: Path
    environment: dict[str, str]

    def run(self, **inputs: str) -> Job:
        """Runs the action with these inputs, a dash for each underscore."""
        action = yaml.safe_load((self.action / "action.yml").read_text())
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        unknown = set(given) - set(action["inputs"])
        assert not unknown, f"the action has no input {unknown}"
        self.values = {f"inputs.{name}": given.get(name, row["default"]) for name, row in action["inputs"].items()}
        self.values |= {"runner.temp": str(self.temp), "github.action_path": str(self.action)}
        job = Job()
        for number, step in enumerate(action["runs"]["steps"]):
            if not self._wanted(step.get("if"), job):
                continue
            if "uses" in step:
                job.used.append({"uses": step["uses"], "with": {name: self._text(value) for name, value in step["with"].items()}})
            else:
                self._script(step, number, job)
        job.outputs = {name: self._text(row["value"]) for name, row in action["outputs"].items()}
        return job

    def _wanted(self, condition: str | None, job: Job) -> bool:
        if condition is None:
            return job.status == 0
        parts = [part.strip() for part in EXPRESSION.fullmatch(condition)[1].split("&&")]
        # A condition that names no status means success.
        return (job.status == 0 or "!cancelled()" in parts) and all(self._holds(part) for part in parts)

    def _holds(self, part: str) -> bool:
        if part == "!cancelled()":
            return True
        left, operator, right = re.fullmatch(r"(\S+) (==|!=) '(.*)'", part).groups()
        return (self.values.get(left, "") == right) == (operator == "==")

    def _text(self, text: str) -> str:
        return EXPRESSION.sub(lambda found: self.values.get(found[1], ""), text)

    def _script(self, step: dict, number: int, job: Job) -> None:
        assert step["shell"] == "bash"
        files = {
            name: self.temp / f"{name.lower()}-{number}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH", "GITHUB_ENV")
        }
        for path in files.values():
            path.write_text("")
        script = self.temp / f"step-{number}.sh"
        script.write_text(self._text(step["run"]))
        environment = {
            **self.environment,
            **{name: str(path) for name, path in files.items()},
            **{name: self._text(value) for name, value in step.get("env", {}).items()},
        }
        # The same command with which the runner starts `shell: bash`.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", script]
        folder = self._text(step["working-directory"]) if "working-directory" in step else self.checkout
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        job.log += done.stdout
        job.status = job.status or done.returncode
        job.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        assert not files["GITHUB_PATH"].read_text() and not files["GITHUB_ENV"].read_text(), "the action changes what later steps run"
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            name, _, value = line.partition("=")
            self.values[f"steps.{step['id']}.outputs.{name}"] = value
