"""The release folder that is tried, and what the project says should be in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

from releasing import folder as made  # noqa: E402
from releasing import project, wheel  # noqa: E402, F401

HERE = Path(os.environ.get("RELEASE", ROOT / "release")).resolve()


def architectures() -> list[str]:
    """For which machines the release is."""
    found = [name for name in project.ARCHITECTURES if (HERE / made.command_archive(name)).is_file()]
    assert found, f"{HERE} has no command line"
    return found
