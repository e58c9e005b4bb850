"""The certificates that the image trusts: Mozilla's list, pinned by its hash. Never those of the building machine, which may have its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from . import project
from .project import Fault

PINNED = project.ROOT / ".ci/requirements/certificates.txt"


def fetch() -> bytes:
    """The list, from the package that carries it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        done = subprocess.run([*command, "--only-binary", ":all:", "--dest", folder, "--requirement", PINNED], check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            raise Fault(f"the certificates of {PINNED.name} cannot be had")
        return zipfile.ZipFile(wheels[0]).read("certifi/cacert.pem")
