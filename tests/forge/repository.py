"""Where the project is kept stands in Cargo.toml (`repository`). Whoever else names it is held to that, and with --write is written anew.

python3 tests/forge/repository.py            says what is stale; exit status 1 if anything is
python3 tests/forge/repository.py --write    writes it
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = {".md", ".yml", ".yaml", ".json", ".toml", ".ts", ".tf", ".py", ".sh", ""}
OTHERS = ("scan/tests/", "scan/find/tests/", "tests/corpus/", "Cargo.lock")
"""What other people's files look like, and what no person reads."""


def slug() -> str:
    """OWNER/NAME, as the manifest has it."""
    url = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["repository"]
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", url)
    if not found:
        sys.exit(f"Cargo.toml: `repository` is {url!r}, and not https://github.com/OWNER/NAME")
    return found[1]


def naming(wanted: str) -> re.Pattern[str]:
    """Every way in which a file names the repository, under whatever owner."""
    before = r"https://github\.com/|https://raw\.githubusercontent\.com/|uses: |github:"
    return re.compile(rf"(?P<before>{before})(?P<slug>[\w.-]+/pullsafe|{re.escape(wanted)})(?![\w-])")


def main() -> int:
    wanted, write = slug(), "--write" in sys.argv[1:]
    names = naming(wanted)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    named, stale = 0, []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix not in ENDINGS or name.startswith(OTHERS) or not path.is_file() or path.is_symlink():
            continue
        text = path.read_text(errors="surrogateescape")
        found = list(names.finditer(text))
        named += len(found)
        wrong = [match for match in found if match["slug"] != wanted]
        if wrong and write:
            path.write_text(names.sub(lambda match: match["before"] + wanted, text), errors="surrogateescape")
        stale += [f"{name}: {match[0]}" for match in wrong]
    if stale and not write:
        print(*stale, sep="\n", file=sys.stderr)
        print(f"the repository is {wanted} (Cargo.toml); run python3 tests/forge/repository.py --write", file=sys.stderr)
        return 1
    print(f"the repository: {wanted}, named in {named} places" + (f", {len(stale)} of them written anew" if stale else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
