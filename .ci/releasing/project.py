"""What the project says of itself: its version, where it is kept, its functions, its changelog. Read, and never guessed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ARCHITECTURES = ("arm64", "x86_64")
"""What Lambda calls the two kinds of machines."""

TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
"""What Rust calls them."""

COMMAND = "pullsafe"
"""The command line's binary."""


class Fault(Exception):
    """Something that keeps a release from being made, in words for whoever makes it."""


def manifest() -> dict:
    """The workspace's manifest."""
    return tomllib.loads((ROOT / "Cargo.toml").read_text())


def version() -> str:
    """The one version of everything that is released."""
    return manifest()["workspace"]["package"]["version"]


def repository() -> str:
    """Where the project is kept. Documents, the action and the templates name it only through here."""
    return manifest()["workspace"]["package"]["repository"]


def functions(template: str | None = None) -> list[str]:
    """The programs that the template makes functions of, in its order."""
    text = (ROOT / "template.yaml").read_text() if template is None else template
    found = re.findall(r"^ +CodeUri: target/lambda/([a-z-]+)/$", text, re.MULTILINE)
    if not found:
        raise Fault("template.yaml names no function by `CodeUri: target/lambda/NAME/`")
    return list(dict.fromkeys(found))


def zip_name(function: str, architecture: str) -> str:
    """The file with a function for one architecture. The packaged template makes the same name from its parameter."""
    return f"{function}-{architecture}.zip"


def change_notes(changelog: str, released: str) -> str:
    """What the changelog says of one version; `Unreleased` stands for a version that has no section of its own yet."""
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    titles = {section.split("\n", 1)[0].strip().split(" ")[0].strip("[]"): section for section in sections}
    section = titles.get(released) or titles.get("Unreleased")
    if section is None or not section.split("\n", 1)[1].strip():
        raise Fault(f"CHANGELOG.md says nothing of {released}, and nothing under Unreleased")
    return section.split("\n", 1)[1].strip() + "\n"
