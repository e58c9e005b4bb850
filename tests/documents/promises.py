"""The list of promises (tests/scenarios/README.md): every test that it names is there, and every file of scenarios is named."""

from __future__ import annotations

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests/scenarios"


def named() -> list[tuple[str, str]]:
    """The files and tests that the list names; the test is empty where the whole file is meant."""
    text = (SCENARIOS / "README.md").read_text()
    return re.findall(r"`([\w/]+\.(?:rs|py))(?:::(\w+))?`", text)


def tests(path: Path) -> set[str]:
    """The tests of a file, by their attribute."""
    return set(re.findall(r"#\[(?:tokio::)?test[^\]]*\]\s*(?:async )?fn (\w+)", path.read_text()))


class Promises(unittest.TestCase):
    def test_every_test_that_holds_a_promise_is_there(self):
        for file, test in named():
            path = ROOT / file if file.startswith("tests/") else SCENARIOS / file
            self.assertTrue(path.is_file(), f"{file} is not there")
            if test:
                self.assertIn(test, tests(path), f"{file} has no test {test}")

    def test_every_file_of_scenarios_is_named(self):
        files = {path.name for path in SCENARIOS.glob("*.rs") if tests(path)}
        missing = sorted(files - {file for file, _ in named()})
        self.assertEqual(missing, [], "no promise names these")


if __name__ == "__main__":
    unittest.main()
