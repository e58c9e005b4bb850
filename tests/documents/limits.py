"""The numbers that documents state, held against the constants of the code and the values of the template.

A row says which sentence a page has, and where each of its numbers comes from. A constant that changes fails here until the sentence says the
new number; so does a page that puts it in other words, which is the moment to look whether they are still true.
"""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/documents"))

import pages  # noqa: E402

WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 10: "ten", 12: "twelve", 15: "fifteen", 20: "twenty", 30: "thirty", 60: "sixty", 90: "ninety"}

MINUTE, HOUR, DAY = 60, 3600, 86_400
MIB, GIB = 1 << 20, 1 << 30

# The page, the sentence with a place for each number, and for each number: file, constant, what it is divided by, and
# how it is written.
LIMITS = [
    ("docs/RUNBOOK.md", "({} calls, {} MB a stop)", ("shared/incident/src/spent.rs", "CALLS_OF_ONE"), ("shared/incident/src/spent.rs", "BYTES_OF_ONE", MIB, str)),
    ("docs/RUNBOOK.md", "{} calls a revision and {} an incident", ("shared/incident/src/spent.rs", "CALLS_OF_A_REVISION"), ("shared/incident/src/spent.rs", "CALLS_OF_AN_INCIDENT")),
    ("docs/RUNBOOK.md", "one in {} minutes for each incident", ("shared/incident/src/spent.rs", "SECONDS", MINUTE)),
    ("docs/RUNBOOK.md", "Resolved incidents are kept for {} days", ("shared/incident/src/store/mod.rs", "ARCHIVE_SECONDS", DAY, str)),
    ("docs/RUNBOOK.md", "again after {} days", ("shared/incident/src/store/mod.rs", "MEMORY_SECONDS", DAY)),
    ("docs/RUNBOOK.md", "the window is {} hours", ("shared/common/src/host.rs", "WINDOW_SECONDS", HOUR)),
    ("docs/RUNBOOK.md", "by itself, {} minutes at most", ("template.yaml", "ImageGateFunction.Timeout", MINUTE)),
    ("docs/RUNBOOK.md", "after three tries of Lambda and {} of the queue", ("template.yaml", "WorkQueue.RedrivePolicy.maxReceiveCount")),
    ("template.yaml", "Events failed {} times", ("template.yaml", "WorkQueue.RedrivePolicy.maxReceiveCount")),
    ("docs/adr/0006-never-worse.md", "no task has failed for {} minutes", ("shared/incident/src/pace.rs", "QUIET_SECONDS", MINUTE)),
    ("docs/adr/0008-messages-at-least-once.md", "a denial for the {} minutes", ("shared/common/src/lookup.rs", "GRACE_SECONDS", MINUTE)),
    ("docs/adr/0013-two-queues-and-signs-of-life.md", "renews, every {} seconds", ("functions/mirror/src/work/mod.rs", "RENEW_EVERY", 1, str)),
    ("docs/adr/0013-two-queues-and-signs-of-life.md", "each for {} minutes", ("functions/mirror/src/work/mod.rs", "HELD_FOR", MINUTE)),
    ("docs/adr/0013-two-queues-and-signs-of-life.md", "up to {} hours later if it had been asked for", ("functions/mirror/src/decide/plan/mod.rs", "ASK_AGAIN_SECONDS", HOUR)),
    ("docs/adr/0015-logs-within-a-budget.md", "{:c} calls and {} MB a stop, {} calls a revision, {} an incident, {} seconds a log",
        ("shared/incident/src/spent.rs", "CALLS_OF_ONE"), ("shared/incident/src/spent.rs", "BYTES_OF_ONE", MIB, str),
        ("shared/incident/src/spent.rs", "CALLS_OF_A_REVISION"), ("shared/incident/src/spent.rs", "CALLS_OF_AN_INCIDENT"),
        ("functions/remediator/src/evidence.rs", "PATIENCE")),
    ("docs/adr/0017-few-looks-and-small-rows.md", "looked at {}, {}, {} and then every {} minutes", *(("shared/incident/src/pace.rs", f"MINUTES[{at}]", 1, str) for at in range(4))),
    ("docs/adr/0017-few-looks-and-small-rows.md", "among the newest {}, are in rows", ("shared/incident/src/record.rs", "TASKS_REMEMBERED", 1, str)),
    ("docs/copy.md", "of which there are at most {};", ("shared/registry/src/copy/flows.rs", "FLOWS", 1, str)),
    ("docs/copy.md", "left alone for {} s, doubling to {} minutes", ("shared/registry/src/decide/breaker.rs", "FIRST_REST", 1, str), ("shared/registry/src/decide/breaker.rs", "LONGEST_REST", MINUTE, str)),
    ("docs/copy.md", "for up to {} repositories", ("shared/registry/src/sign_in/auth.rs", "MOST_SCOPES", 1, str)),
    ("docs/copy.md", "blobs up to {} MB are kept", ("shared/registry/src/verify.rs", "KEPT", MIB, str)),
    ("docs/gate.md", "optional, 1 to {} seconds", ("functions/image-gate/src/decide/deadline.rs", "LONGEST_TIMEOUT_SECONDS", 1, str)),
    ("docs/gate.md", "less than {} seconds ago", ("functions/image-gate/src/decide/look.rs", "FRESH_SECONDS")),
    ("docs/gate.md", "{} seconds and a twentieth of", ("functions/image-gate/src/decide/deadline.rs", "SMALLEST_MARGIN_SECONDS")),
    ("docs/gate.md", "and {} seconds at most: of", ("functions/image-gate/src/decide/deadline.rs", "LARGEST_MARGIN_SECONDS")),
    ("docs/gate.md", "a twentieth of", ("functions/image-gate/src/decide/deadline.rs", "MARGIN_SHARE", 20)),
    ("docs/gate.md", "sweep; {} minutes long", ("functions/image-gate/src/decide/verdict.rs", "PERMISSION_GRACE_SECONDS", MINUTE)),
    ("docs/gate.md", "as long as it may run, {} minutes", ("template.yaml", "ImageGateFunction.Timeout", MINUTE)),
    ("docs/mirror.md", "A tag rule selects {} tags at most", ("functions/mirror/src/decide/plan/select.rs", "MOST_CHOSEN", 1, str)),
    ("docs/mirror.md", "gives its job back after {} minutes", ("functions/mirror/src/work/mod.rs", "HELD_FOR", MINUTE)),
    ("docs/security-model.md", "{} MiB, 100,000 values, 1,000 entries", ("shared/registry/src/manifests.rs", "LARGEST_MANIFEST", MIB, str)),
    ("docs/security-model.md", "MiB, {:,} values, {:,} entries, blobs of 1 TiB", ("shared/common/src/manifest.rs", "MOST_VALUES", 1, int), ("shared/common/src/manifest.rs", "MOST_DESCRIPTORS", 1, int)),
    ("docs/security-model.md", "{:,}, and {} MiB together", ("shared/registry/src/copy/budget.rs", "MOST_MANIFESTS", 1, int), ("shared/registry/src/copy/budget.rs", "MOST_BYTES", MIB, str)),
    ("docs/security-model.md", "{:,} tags, {:,} pages of {} MiB", ("shared/registry/src/tags.rs", "MOST_TAGS", 1, int), ("shared/registry/src/tags.rs", "MOST_PAGES", 1, int), ("shared/registry/src/tags.rs", "LARGEST_PAGE", MIB, str)),
    ("docs/security-model.md", "| tags that a rule selects | {} |", ("functions/mirror/src/decide/plan/select.rs", "MOST_CHOSEN", 1, str)),
    ("docs/security-model.md", "{} KiB; asked for again", ("shared/registry/src/sign_in/token.rs", "LARGEST_ANSWER", 1024, str)),
    ("docs/security-model.md", "{} s below 4 kB a second for a blob", ("shared/registry/src/reader.rs", "CRAWL_TIME_ALONE", 1, str)),
    ("docs/security-model.md", "of its {} MB", ("template.yaml", "MirrorFunction.MemorySize", 1, str)),
    ("docs/deploy.md", "A run is counted with {} MB", ("template.yaml", "RemediatorFunction.MemorySize", 1, str)),
]


def constant(file: str, name: str) -> int | float:
    """The value of a constant of Rust: a number, a product of numbers, or a `Duration` of such, in seconds; `NAME[2]` is one of a list."""
    name, _, index = name.rstrip("]").partition("[")
    found = re.findall(rf"const {name}: [^=]+ = ([^;]+);", (ROOT / file).read_text())
    assert len(found) == 1, f"{file} has {len(found)} constants called {name}"
    text = re.sub(r"(?<=\d)_(?=\d)", "", found[0].strip())
    if index:
        text = text.strip("[]").split(",")[int(index)]
    scale = 1
    if duration := re.fullmatch(r"Duration::from_(secs|millis)\((.+)\)", text):
        scale, text = (1 if duration[1] == "secs" else 1000), duration[2]
    assert re.fullmatch(r"[\d\s*<()+]+", text), f"{file}: {name} is {text}, which is more than numbers"
    return eval(text, {"__builtins__": {}}) / scale  # noqa: S307 - numbers and operators alone


def value(file: str, name: str) -> int | float:
    """A constant, or a value of the template by its path below the properties of a resource."""
    if file != "template.yaml":
        return constant(file, name)
    resource, *path = name.split(".")
    found = pages.packaged()["Resources"][resource]["Properties"]
    for step in path:
        found = found[step]
    return found


def written(source: tuple, capital: bool) -> str | int:
    """A number as the sentence has it: in words unless the row says otherwise."""
    file, name, unit, form = (*source, *(1, None)[len(source) - 2 :])
    number = value(file, name) / unit
    assert number == int(number), f"{file}: {name} is no whole number of {unit}"
    if form in (str, int):
        return form(int(number))
    word = WORDS.get(int(number), str(int(number)))
    return word.capitalize() if capital else word


def sentence(form: str, sources: tuple) -> str:
    numbers = [written(source, form.startswith("{:c}") and at == 0) for at, source in enumerate(sources)]
    form = form.replace("{:c}", "{}")
    return form.format(*numbers) if "{" in form else form


def flat(text: str) -> str:
    """A page without its line breaks."""
    return " ".join(text.split())


class Limits(unittest.TestCase):
    def test_the_numbers_are_those_of_the_code(self):
        for page, form, *sources in LIMITS:
            with self.subTest(page=page, form=form):
                wanted = sentence(form, tuple(sources))
                if "{" not in form:
                    self.assertEqual([written(source, False) for source in sources], ["one"] * len(sources), form)
                self.assertIn(wanted, flat((ROOT / page).read_text()), f"{page} does not say `{wanted}`")

    def test_a_default_that_a_page_states_is_the_parameter_s(self):
        parameters, held = pages.parameters(), 0
        stated = re.compile(r"`([A-Z][A-Za-z]+)` \((\d+)\)|(\d+) (?:minutes|hours|days)(?: old)? \(`([A-Z][A-Za-z]+)`\)")
        for page in pages.pages():
            for match in stated.finditer(flat(page.read_text())):
                name, number = match[1] or match[4], match[2] or match[3]
                if name in parameters:
                    self.assertEqual(str(parameters[name]["Default"]), number, f"{page.relative_to(ROOT)}: `{name}`")
                    held += 1
        self.assertGreaterEqual(held, 2)

    def test_a_number_that_changes_is_noticed(self):
        form, source = "{} calls, {} MB", ("shared/incident/src/spent.rs", "CALLS_OF_ONE")
        self.assertEqual(sentence(form, (source, ("shared/incident/src/spent.rs", "BYTES_OF_ONE", MIB, str))), "six calls, 4 MB")
        with self.assertRaises(AssertionError):
            constant("shared/incident/src/spent.rs", "CALLS_OF_NONE")


if __name__ == "__main__":
    unittest.main()
