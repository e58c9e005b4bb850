"""Every command line of the documents, held against what it calls: AWS's own models, the command line's own help, the scripts themselves.

`PULLSAFE=PROGRAM python3 tests/documents/commands.py`. A block marked `console` is taken line by line (`$ ...`), and so is what stands in
backticks and begins with one of our commands.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
import tomllib
import unittest
from dataclasses import dataclass
from pathlib import Path

import botocore.session
from botocore import xform_name

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ci"), str(ROOT / "tests/documents")]

import pages  # noqa: E402

PULLSAFE = Path(os.environ.get("PULLSAFE", ROOT / "target/debug/pullsafe"))

OTHERS = {
    "cd",
    "curl",
    "docker",
    "export",
    "for",
    "gh",
    "git",
    "done",
    "npm",
    "pbpaste",
    "pip",
    "rustup",
    "sam",
    "sha256sum",
    "skopeo",
    "xargs",
}
"""Commands that are not ours to check, beyond their grammar."""

GLOBAL = {"region", "profile", "query", "output", "no-cli-pager", "endpoint-url", "cli-binary-format", "no-paginate", "max-items"}
CUSTOM = {
    ("s3", "mb"): {"region"},
    ("sso", "login"): {"sso-session"},
    ("s3", "ls"): set(),
    ("s3", "cp"): {"recursive"},
    ("s3", "sync"): {"exclude", "include", "delete"},
    ("cloudformation", "deploy"): {
        *("stack-name", "template-file", "s3-bucket", "s3-prefix", "capabilities", "parameter-overrides"),
        *("no-execute-changeset", "no-fail-on-empty-changeset", "role-arn", "tags"),
    },
    ("logs", "tail"): {"follow", "since", "format", "filter-pattern"},
}
"""What the AWS CLI has of its own."""


@dataclass(frozen=True)
class Line:
    """A command line, and where it stands."""

    place: str
    text: str
    whole: bool
    """Whether it has to be complete; in a sentence it may be only the part that matters."""


def lines() -> list[Line]:
    """Every command line of every page."""
    found = []
    for page in pages.pages():
        text = page.read_text()
        name = page.relative_to(ROOT)
        for block in re.finditer(r"^( *)```console\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL):
            at = text.count("\n", 0, block.start(2)) + 1
            body = re.sub(r"\\\n *", " ", block[2])
            found += [Line(f"{name}:{at}", line.strip()[2:], True) for line in body.splitlines() if line.strip().startswith("$ ")]
        bare = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
        for part in re.finditer(r"`((?:aws|pullsafe|\.ci/\w+|cargo) [^`\n]+)`", bare):
            found.append(Line(str(name), part[1], False))
    return found


def commands(text: str) -> list[list[str]]:
    """The simple commands of a line, those within `$(...)` included."""
    found: list[list[str]] = []

    def inner(match: re.Match[str]) -> str:
        found.extend(commands(match[1]))
        return "SUBSTITUTED"

    text = re.sub(r"\$\(((?:[^()]|\([^()]*\))*)\)", inner, text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    current: list[str] = []
    for word in [*lexer, ";"]:
        if re.fullmatch(r"[;&|]+", word):
            if current:
                found.append(current)
            current = []
        elif word in {"do", "then"} and not current or re.fullmatch(r"\w+=.*", word) and not current:
            continue
        else:
            current.append(word)
    return found


@functools.cache
def session() -> botocore.session.Session:
    return botocore.session.Session()


@functools.cache
def model(service: str):
    return session().get_service_model(service)


def options(words: list[str]) -> list[str]:
    return [word[2:].partition("=")[0] for word in words if word.startswith("--")]


def aws(words: list[str], whole: bool) -> str | None:
    """What is wrong with a call of the AWS CLI."""
    plain = [word for word in words if not word.startswith("--")]
    if len(plain) < 2:
        return None if not whole else "names no operation"
    service, operation = plain[0], plain[1]
    given = set(options(words)) - GLOBAL
    if (service, operation) in CUSTOM:
        wrong = given - CUSTOM[service, operation]
        return f"has no option --{min(wrong)}" if wrong else overrides(words)
    if service not in session().get_available_services():
        return f"there is no service {service}"
    if operation == "wait":
        waiters = {xform_name(name, "-") for name in session().get_waiter_model(service).waiter_names}
        return None if plain[2] in waiters else f"there is no waiter {plain[2]}"
    names = {xform_name(name, "-"): name for name in model(service).operation_names}
    if operation not in names:
        return f"{service} has no operation {operation}"
    shape = model(service).operation_model(names[operation]).input_shape
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    members |= {f"no-{name}": name for name in list(members)}
    for name in given:
        if name not in members:
            return f"{operation} has no option --{name}"
    missing = [name for name in (shape.required_members if shape else []) if xform_name(name, "-") not in given]
    return f"{operation} needs --{xform_name(missing[0], '-')}" if whole and missing and "..." not in words else None


def overrides(words: list[str]) -> str | None:
    """What is wrong with parameters of a template: one of the packages, or the packaged one."""
    if "--parameter-overrides" not in words:
        return None
    template = words[words.index("--template-file") + 1] if "--template-file" in words else ""
    known = pages.parameters(template if template.startswith("packages/") else None)
    for word in words[words.index("--parameter-overrides") + 1 :]:
        if word.startswith("--"):
            break
        name, _, value = word.partition("=")
        if name not in known:
            return f"the template has no parameter {name}"
        row = known[name]
        if "$" not in value and "AllowedPattern" in row and not re.search(row["AllowedPattern"], value):
            return f"{name} is {row['ConstraintDescription']}"
        if "$" not in value and value not in row.get("AllowedValues", [value]):
            return f"{name} is one of {row['AllowedValues']}"
    return None


@functools.cache
def help_of(*command: str) -> str:
    return subprocess.run([PULLSAFE, *command, "--help"], capture_output=True, text=True, check=False, timeout=30).stdout


def pullsafe(words: list[str], _whole: bool) -> str | None:
    """What is wrong with a call of the command line, as its own help has it."""
    known = set(re.findall(r"^  ([a-z]+) ", help_of(), re.MULTILINE)) | {"--version", "--help"}
    if words[0] not in known:
        return f"there is no `pullsafe {words[0]}`"
    if words[0].startswith("--"):
        return None
    has = set(re.findall(r"--([a-z][a-z-]*)", help_of(words[0])))
    wrong = [name for name in options(words[1:]) if name and name not in has]
    return f"`pullsafe {words[0]}` has no option --{wrong[0]}" if wrong else None


def cargo(words: list[str], _whole: bool) -> str | None:
    """What is wrong with a call of cargo: aliases, packages and tests have to exist."""
    aliases = tomllib.loads((ROOT / ".cargo/config.toml").read_text())["alias"]
    known = {
        "test",
        "build",
        "run",
        "clippy",
        "fmt",
        "install",
        "lambda",
        "insta",
        "bench",
        "doc",
        "update",
        "metadata",
        "fuzz",
        "add",
        *aliases,
    }
    if words[0] not in known:
        return f"there is no `cargo {words[0]}`"
    packages = {tomllib.loads(path.read_text())["package"]["name"] for path in pages.manifests()}
    for flag, value in zip(words, words[1:], strict=False):
        if flag in {"-p", "--package"} and value not in packages:
            return f"there is no package {value}"
        if flag == "--path" and not (ROOT / value / "Cargo.toml").is_file():
            return f"there is no package in {value}"
    return None


def script(path: str, words: list[str]) -> str | None:
    """What is wrong with a call of a script of ours."""
    if not (ROOT / path).is_file():
        return f"there is no {path}"
    if path == ".ci/run":
        steps = subprocess.run([ROOT / path, "--list"], capture_output=True, text=True, check=True).stdout
        known = {line.split()[0] for line in steps.splitlines()} | {"--list"}
        wrong = [word for word in words if word not in known]
        return f"there is no step {wrong[0]}" if wrong else None
    if path == ".ci/release":
        help = subprocess.run([ROOT / path, "--help"], capture_output=True, text=True, check=True).stdout
        wrong = [name for name in options(words) if f"--{name}" not in help]
        return f"{path} has no option --{wrong[0]}" if wrong else None
    return None


def fault(command: list[str], whole: bool) -> str | None:
    """What is wrong with a simple command."""
    name, words = command[0], command[1:]
    ours = {"aws": aws, "pullsafe": pullsafe, "cargo": cargo}
    if name in ours:
        return ours[name](words, whole) if words else None
    if name.startswith(".ci/"):
        return script(name, words)
    if name == "python3":
        path = next((word for word in words if not word.startswith("-")), "")
        return None if (ROOT / path).is_file() else f"there is no {path}"
    return None if name in OTHERS else f"{name} is no command that the documents may use"


class Commands(unittest.TestCase):
    def test_every_command_line_is_one(self):
        found = lines()
        self.assertGreater(len(found), 80)
        for line in found:
            with self.subTest(line.place, line=line.text):
                if line.whole:
                    grammar = subprocess.run(["bash", "-n"], input=line.text, capture_output=True, text=True, check=False)
                    self.assertEqual(grammar.stderr, "")
                for command in commands(line.text):
                    self.assertIsNone(fault(command, line.whole))
        print(f"documents: {len(found)} command lines in {len(pages.pages())} pages", file=sys.stderr)

    def test_a_wrong_one_is_found(self):
        for text, message in [
            ("aws ecs updates-service --cluster C", "ecs has no operation updates-service"),
            ("aws ecs update-service --clusters C", "update-service has no option --clusters"),
            ("aws ecs update-service --cluster C", "update-service needs --service"),
            ("aws nowhere list-things", "there is no service nowhere"),
            ("aws ecs wait services-stabil --cluster C", "there is no waiter services-stabil"),
            ("aws cloudformation deploy --stack pullsafe", "has no option --stack"),
            ("aws cloudformation deploy --parameter-overrides Mood=act", "the template has no parameter Mood"),
            ("aws cloudformation deploy --parameter-overrides Mode=acts", "Mode is one of ['observe', 'ask', 'act']"),
            (
                "aws cloudformation deploy --parameter-overrides NotificationEmail=nobody",
                "NotificationEmail is an e-mail address, or nothing",
            ),
            ("export X=$(aws sns publishes --topic-arn x)", "sns has no operation publishes"),
            ("pullsafe scans .", "there is no `pullsafe scans`"),
            ("pullsafe scan --fixed .", "`pullsafe scan` has no option --fixed"),
            ("true | pullsafe diagnoses", "there is no `pullsafe diagnoses`"),
            ("cargo demoo", "there is no `cargo demoo`"),
            ("cargo test -p scenario", "there is no package scenario"),
            (".ci/run tests", "there is no step tests"),
            (".ci/release --thrice", ".ci/release has no option --thrice"),
            ("python3 tests/nothing.py", "there is no tests/nothing.py"),
        ]:
            with self.subTest(text):
                self.assertIn(message, [fault(command, True) for command in commands(text)])


if __name__ == "__main__":
    unittest.main()
