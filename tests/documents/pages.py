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
        if name.endswith(".md") and not name.startswith(("scan/tests/", "scan/find/tests/", "tests/corpus/", ".github/")) and (ROOT / name).is_file()
    ]


def manifests() -> list[Path]:
    """The manifest of every package."""
    return [ROOT / name for name in tracked() if name.endswith("/Cargo.toml")]


class _Loader(yaml.SafeLoader):
    """Reads short forms (`!Ref`) as what they are: a mapping from the function to what stands behind it."""


def _short(loader: _Loader, name: str, node: yaml.Node) -> dict:
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: functools.partial(loader.construct_sequence, deep=True)}
    return {f"!{name}": kinds.get(type(node), functools.partial(loader.construct_mapping, deep=True))(node)}


_Loader.add_multi_constructor("!", _short)


@functools.cache
def packaged() -> dict:
    """The packaged template."""
    text = template.packaged((ROOT / "template.yaml").read_text(), project.version())
    return yaml.load(text, _Loader)  # noqa: S506 - a loader made of the safe one


def parameters(path: str | None = None) -> dict[str, dict]:
    """The parameters of a template of the project; without one the packaged template's."""
    found = packaged() if path is None else yaml.load((ROOT / path).read_text(), _Loader)  # noqa: S506 - a loader made of the safe one
    return found["Parameters"]
