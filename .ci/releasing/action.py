"""What the action knows of a release: the sums of the command line's archives, which it checks before it runs anything.

They are in the repository, and so cannot be those of the commit that was built: a release is built first, and then adopted by a commit
that changes this one file. The tag stands on that commit.
"""

from __future__ import annotations

import re
from pathlib import Path

from . import folder, project
from . import version as names
from .project import Fault

CARRIED = project.ROOT / "packages/action/sums.txt"
HEAD = "# The sums of the command line's archives. Written by `.ci/release --adopt SHA256SUMS`; the first line names the version.\n"


def adopt(sums: Path) -> str:
    """Takes the sums of a release over; says what is carried now."""
    lines = dict(reversed(line.split(maxsplit=1)) for line in sums.read_text().splitlines() if line.strip())
    names = [folder.command_archive(architecture) for architecture in project.ARCHITECTURES]
    found = {name: lines[name].strip() for name in names if name in lines}
    if not found or any(not re.fullmatch(r"[0-9a-f]{64}", sum) for sum in found.values()):
        raise Fault(f"{sums} has no sums of {' and '.join(names)}")
    CARRIED.write_text(HEAD + f"version {project.version()}\n" + "".join(f"{sum}  {name}\n" for name, sum in sorted(found.items())))
    return f"{CARRIED.relative_to(project.ROOT)} carries {project.version()}: {', '.join(sorted(found))}"


def carried() -> tuple[str, dict[str, str]]:
    """The version that the action fetches, and the sums of its archives; both empty before the first release."""
    lines = [line.split() for line in CARRIED.read_text().splitlines() if line and not line.startswith("#")]
    version = next((words[1] for words in lines if words[0] == "version"), "")
    return version, {words[1]: words[0] for words in lines if words[0] != "version"}


def check_tag(tag: str) -> None:
    """A tag is `v` and the version, and the action at this tag carries this version's sums."""
    version = project.version()
    if tag != f"v{version}":
        raise Fault(f"the tag is {tag}, and Cargo.toml says {version}")
    if other := names.stale():
        raise Fault(f"{', '.join(other)}: another version than Cargo.toml's; .ci/release --take-version {version}")
    known, sums = carried()
    missing = [name for name in map(folder.command_archive, project.ARCHITECTURES) if name not in sums]
    if known != version or missing:
        raise Fault(f"the action carries the sums of {known or 'no version'}, not of {version}: .ci/release --adopt SHA256SUMS")
    project.change_notes((project.ROOT / "CHANGELOG.md").read_text(), version)
