"""Tries a release folder, as somebody who has nothing else: `python3 tests/release/run.py FOLDER`. Exits with 1 if anything is wrong.

Sums, inventory and statement agree with the files; every program answers one event on its architecture; the image holds what it should; the
packaged template is deployed into an emulated AWS from the zips, case A is cured, and an upgrade keeps what waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import tools

TRIALS = ["files", "programs", "image", "hook", "stack", "upgrade"]


def main() -> int:
    if len(sys.argv) < 2 or not Path(sys.argv[1], "SHA256SUMS").is_file():
        print(f"usage: {sys.argv[0]} FOLDER [{'|'.join(TRIALS)}]...   (a folder that .ci/release has made)", file=sys.stderr)
        return 2
    environment = {**os.environ, "RELEASE": str(Path(sys.argv[1]).resolve()), "PYTHONWARNINGS": "ignore"}
    python = tools.python()
    for trial in sys.argv[2:] or TRIALS:
        print(f"-- {trial}", flush=True)
        done = subprocess.run([python, "-B", tools.ROOT / f"tests/release/{trial}.py"], env=environment, check=False)
        if done.returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
