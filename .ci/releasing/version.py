"""The version stands in Cargo.toml. Whatever else has to name it is written from there, and held to it by the trials."""

from __future__ import annotations

import json
import os
import re
import subprocess

from . import project
from .project import ROOT, Fault

NUMBER = r"\d+\.\d+\.\d+"

TEXTS = {
    "template.yaml": rf"(SemanticVersion: )({NUMBER})",
    "docs/deploy.md": rf"(VERSION=)({NUMBER})",
    "packages/terraform/README.md": rf"(ref=v|pullsafe/)({NUMBER})",
    "packages/terraform/variables.tf": rf"(pullsafe/)({NUMBER})",
}
"""Pages with an example of the version, and how it stands there."""

LOCKS = ["Cargo.toml", "fuzz/Cargo.toml"]
"""Manifests whose lock files name our own packages with their version."""


def _npm(text: str, version: str) -> str:
    """A manifest or a lock file of npm with another version of its own package."""
    value = json.loads(text)
    value["version"] = version
    if own := value.get("packages", {}).get(""):
        own["version"] = version
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def written(version: str) -> dict[str, str]:
    """Every file that names the version, as it has to be."""
    texts = {name: (ROOT / name).read_text() for name in [*TEXTS, "packages/cdk/package-lock.json", "packages/cdk/package.json"]}
    found = {}
    for name, pattern in TEXTS.items():
        found[name], count = re.subn(pattern, rf"\g<1>{version}", texts[name])
        if count == 0:
            raise Fault(f"{name} does not name the version any more; see .ci/releasing/version.py")
    found["packages/cdk/package-lock.json"] = _npm(texts["packages/cdk/package-lock.json"], version)
    # Only the line is replaced, because this file is written by hand.
    found["packages/cdk/package.json"] = re.sub(
        rf'("version": ")({NUMBER})(")', rf"\g<1>{version}\g<3>", texts["packages/cdk/package.json"], count=1
    )
    return found


def stale() -> list[str]:
    """The files that name another version than Cargo.toml."""
    return [name for name, text in written(project.version()).items() if (ROOT / name).read_text() != text]


def take(version: str) -> str:
    """Makes a version the project's, wherever it stands."""
    if not re.fullmatch(NUMBER, version):
        raise Fault(f"{version} is no version such as 1.2.3")
    manifest = ROOT / "Cargo.toml"
    text, count = re.subn(rf'(?m)^(version = ")({NUMBER})(")$', rf"\g<1>{version}\g<3>", manifest.read_text(), count=1)
    if count == 0:
        raise Fault('Cargo.toml has no line `version = "..."`')
    manifest.write_text(text)
    for name, content in written(version).items():
        (ROOT / name).write_text(content)
    for name in LOCKS:
        # Cargo itself writes the versions of our own packages into the lock file, and leaves the others alone.
        command = ["cargo", "metadata", "--format-version", "1", "--offline", "--manifest-path", name]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "CARGO_NET_OFFLINE": "true"}
        )
        if done.returncode:
            raise Fault(f"{name}: {done.stderr.strip()}")
    return f"the version is {version}; the documents' tables follow by UPDATE_DOCS=1 .ci/run documents"
