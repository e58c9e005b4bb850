"""Tables that repeat the template are made from it, and stale only until this test runs. `UPDATE_DOCS=1` rewrites them."""

from __future__ import annotations

import os
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/documents"))

import pages  # noqa: E402


def check(page: str, name: str, table: str) -> None:
    """Holds what stands between `<!-- generated: NAME -->` and `<!-- end -->` against what it is made from."""
    path = ROOT / page
    begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
    before, _, rest = path.read_text().partition(begin)
    found, _, after = rest.partition(end)
    if found == table:
        return
    assert "UPDATE_DOCS" in os.environ, f"{page}: the table `{name}` is stale; run UPDATE_DOCS=1 .ci/run documents"
    path.write_text(before + begin + table + end + after)


def parameters() -> str:
    """The template's parameters, each with what it may be, what it is if nothing is said, and what it means."""
    table = "| Parameter | Default | |\n|---|---|---|\n"
    for name, row in pages.parameters().items():
        default = "must be given" if "Default" not in row else f"`{row['Default']}`" if row["Default"] != "" else ""
        values = [f"`{value}`" for value in row.get("AllowedValues", [])]
        bounds = f" From {row['MinValue']} to {row['MaxValue']}." if "MinValue" in row else ""
        choice = f" One of {', '.join(values)}." if 0 < len(values) < 6 else ""
        text = row["Description"].strip().replace("|", "&#124;")
        table += f"| `{name}` | {default.replace('|', '&#124;')} | {text}{choice}{bounds} |\n"
    return table


class Tables(unittest.TestCase):
    def test_the_parameters_are_the_template_s(self):
        check("docs/deploy.md", "parameters", parameters())


if __name__ == "__main__":
    unittest.main()
