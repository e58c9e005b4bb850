"""The wheel is what installers take, and pre-commit runs the program in it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import folder
from folder import HERE, project, wheel

ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
WHEEL = HERE / wheel.name(ARCHITECTURE)
CONFIG = """\
repos:
  - repo: local
    hooks:
      - id: pullsafe-scan
        name: no image from Docker Hub
        language: python
        additional_dependencies: ["pullsafe @ {url}#sha256={sum}"]
        entry: pullsafe scan --
        types: [text]
"""


class Wheel(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)

    def run_it(self, *command, **more) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PRE_COMMIT_HOME": str(self.place / "hooks"), "GIT_CONFIG_GLOBAL": "/dev/null"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **more)

    def test_pip_installs_the_program(self):
        self.assertEqual(self.run_it(sys.executable, "-m", "venv", self.place / "venv").returncode, 0)
        pip = [self.place / "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check"]
        installed = self.run_it(*pip, WHEEL)
        self.assertEqual(installed.returncode, 0, installed.stderr)
        self.assertEqual(self.run_it(self.place / "venv/bin/pullsafe", "--version").stdout, f"pullsafe {project.version()}\n")
        listed = self.run_it(*pip[:3], "show", "--files", "pullsafe").stdout
        self.assertIn(f"Version: {project.version()}", listed)

    def test_pre_commit_runs_it_from_the_release(self):
        repository = self.place / "repository"
        repository.mkdir()
        git = ["git", "-C", repository]
        self.assertEqual(self.run_it(*git, "init", "--quiet").returncode, 0)
        sum = hashlib.sha256(WHEEL.read_bytes()).hexdigest()
        (repository / ".pre-commit-config.yaml").write_text(CONFIG.format(url=WHEEL.as_uri(), sum=sum))
        # The same as in docs/scan.md, except for the place of the wheel.
        documented = (folder.ROOT / "docs/scan.md").read_text()
        for line in CONFIG.splitlines():
            if "additional_dependencies" not in line:
                self.assertIn(f"    {line}\n", documented)
        for text, status in [("FROM public.ecr.aws/docker/library/python:3.12\n", 0), ("FROM python:3.12\n", 1)]:
            (repository / "Dockerfile").write_text(text)
            self.run_it(*git, "add", ".")
            done = self.run_it(sys.executable, "-m", "pre_commit", "run", "--all-files", cwd=repository)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn("Dockerfile:1", done.stdout)


if __name__ == "__main__":
    unittest.main()
