"""What the trials need besides Python: installed into `.e2e/`, from what is pinned, once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".e2e"
EMULATOR = ["ministack==1.5.33", "aws-sam-translator==1.115.0"]
"""The emulated AWS, as the end-to-end run has it (tests/tools/src/e2e/tools.rs), in the same folder."""


def _venv(folder: Path, wanted: str, install: list[str]) -> Path:
    note = folder / "installed.txt"
    if not note.is_file() or note.read_text() != wanted:
        HOME.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *install], check=True)
        note.write_text(wanted)
    return folder / "bin"


def emulator() -> Path:
    """The emulator's program."""
    return _venv(HOME / "emulator", "\n".join(EMULATOR), EMULATOR) / "ministack"


def python() -> Path:
    """A Python with the AWS SDK and the readers that the trials use."""
    pinned = ROOT / ".ci/requirements/packages.txt"
    return _venv(HOME / "packages", pinned.read_text(), ["--require-hashes", "--requirement", str(pinned)]) / "python"


SKOPEO = ["skopeo", "golang-github-containers-common", "libgpgme11", "libdevmapper1.02.1", "libassuan0", "libgpg-error0"]


def skopeo() -> tuple[list[str], dict[str, str]] | None:
    """skopeo with the environment that it needs: the one on the path, or Debian's, unpacked. None where neither is."""
    if shutil.which("skopeo"):
        return ["skopeo"], {}
    root = HOME / "skopeo"
    if not (root / "usr/bin/skopeo").is_file():
        with tempfile.TemporaryDirectory() as place:
            fetched = (
                subprocess.run(["apt-get", "download", "--quiet", *SKOPEO], cwd=place, capture_output=True, check=False)
                if shutil.which("apt-get")
                else None
            )
            if fetched is None or fetched.returncode:
                return None
            for package in Path(place).glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, root], check=True)
    libraries = ":".join(str(path) for path in [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")])
    return [str(root / "usr/bin/skopeo")], {"LD_LIBRARY_PATH": libraries}
