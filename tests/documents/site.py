"""The site has every page, can be searched, and shows a report as it is: `python3 tests/documents/site.py`, after it was built."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/documents"))

import links  # noqa: E402

BOOK = ROOT / ".e2e/site/book"
# Files for a forge and for an assistant, which are no pages; each has a head of its own.
NO_PAGES = {".github/pull_request_template.md", "packages/assistant/pullsafe/SKILL.md"}


class Site(unittest.TestCase):
    def test_every_document_has_its_place(self):
        summary = set(re.findall(r"\]\(([^)]+)\)", (ROOT / ".ci/site/SUMMARY.md").read_text()))
        written = {str(page.relative_to(ROOT)) for page in links.pages()} - NO_PAGES
        self.assertEqual(summary ^ written, set())

    def test_every_page_is_built(self):
        for name in re.findall(r"\]\(([^)]+)\)", (ROOT / ".ci/site/SUMMARY.md").read_text()):
            page = BOOK / re.sub(r"README\.md$", "index.html", name).replace(".md", ".html")
            self.assertTrue(page.is_file(), name)

    def test_it_can_be_searched(self):
        [index] = BOOK.glob("searchindex*.js")
        for word in ["pull-through", "PullsafeImage", "MirrorConfigParameter"]:
            self.assertIn(word.lower(), index.read_text().lower())

    def test_the_report_is_a_page_as_people_get_it(self):
        page = (BOOK / "docs/report-example.html").read_text()
        self.assertTrue(page.lower().startswith("<!doctype html>"), page[:80])
        self.assertIn("registry-rate-limited", page)
        self.assertIn('href="report-example.html"', (BOOK / "docs/report.html").read_text())


if __name__ == "__main__":
    unittest.main()
