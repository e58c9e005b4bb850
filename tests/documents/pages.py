"""The documents, and what of the project they name."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

from releasing import project, template  # noqa: E402


@functools.cache
def tracked() -> tuple[str, ...]:
    """Every file of the project, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return tuple(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines())


def pages() -> list[Path]:
    """Every document, but for what tests read and for the changelog of what was."""
    return [
        ROOT / name
        for name in tracked()
        if name.endswith(".md") and not name.startswith(("scan/tests/", "tests/corpus/", ".github/")) and (ROOT / name).is_file()
    ]


def manifests() -> list[Path]:
    """The manifest of every package."""
    return [ROOT / name for name in tracked() if name.endswith("/Cargo.toml")]


@functools.cache
def parameters() -> dict[str, dict]:
    """The packaged template's parameters."""

    class Loader(yaml.SafeLoader):
        """Takes short forms for what stands behind them; no parameter has one."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    packaged = template.packaged((ROOT / "template.yaml").read_text(), project.version())
    return yaml.load(packaged, Loader)["Parameters"]  # noqa: S506 - a loader made of the safe one
