"""The table of a repository's images for the job's page, from what `pullsafe scan --output json` found: Markdown on standard output.

File names and references are the repository's own text: whatever they hold, they stay one cell.
"""

import html
import json
import os
import sys
from urllib.parse import quote

ROWS = 200
"""GitHub shows a megabyte at most; whoever has more images than this reads the report."""

NAMES = {"dockerhub": "**Docker Hub**", None: "a variable decides"}


def cell(text: str) -> str:
    """Foreign text as one cell of code."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return f"<code>{html.escape(shown).replace('|', '&#124;').replace('`', '&#96;')}</code>"


def place(finding: dict) -> str:
    """File and line, as a link where the forge says where the file is."""
    shown = cell(f"{finding['file']}:{finding['line']}")
    server, repository, commit = (os.environ.get(name) for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA"))
    if not (server and repository and commit):
        return shown
    return f'<a href="{server}/{repository}/blob/{commit}/{quote(finding["file"])}#L{finding["line"]}">{shown}</a>'


def table(found: dict) -> str:
    """The whole summary. What comes from Docker Hub stands first."""
    findings = sorted(
        found["findings"], key=lambda one: (one["registry"] != "dockerhub", one["registry"] is not None, one["file"], one["line"])
    )
    summary = found["summary"]
    head = f"{summary['findings']} images in {summary['files_read']} files, {summary['docker_hub']} of them from Docker Hub"
    lines = ["### Container images", "", f"{head}."]
    if findings:
        lines += ["", "| Image | From | Where | Pinned |", "|---|---|---|---|"]
    for one in findings[:ROWS]:
        registry = NAMES.get(one["registry"], one["registry"])
        lines.append(f"| {cell(one['reference'])} | {registry} | {place(one)} | {'by digest' if one['pinned'] else ''} |")
    if len(findings) > ROWS:
        lines += ["", f"And {len(findings) - ROWS} more."]
    if summary["docker_hub"]:
        lines += ["", "`pullsafe scan --diff --ecr-public` shows what to write instead; `pullsafe scan --mirror-config` what to mirror."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(table(json.load(file)))
