"""The action, on a runner of our own, with a release folder served on this machine: `RELEASE=FOLDER python3 tests/action/action.py`."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import platform
import re
import shutil
import stat
import sys
import tarfile
import tempfile
import threading
import time
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".ci"), str(ROOT / "tests/release"), str(ROOT / "tests/action")]

from releasing import action as carried  # noqa: E402
from releasing import folder as made  # noqa: E402
from releasing import project  # noqa: E402
from runner import Runner  # noqa: E402

RELEASE = Path(os.environ.get("RELEASE", ROOT / "release")).resolve()
MACHINE = {"x86_64": "X64", "aarch64": "ARM64"}[platform.machine()]
ARCHIVE = made.command_archive({"X64": "x86_64", "ARM64": "arm64"}[MACHINE])
SECONDS = 5
"""For a repository of a thousand files, after the download."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):  # noqa: N802 - the name that the library asks for
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder: Path):
    """A server for a folder of releases."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    server.daemon_threads, server.asked = True, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class OnARunner(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)
        self.checkout, self.temp, self.action = self.place / "work it", self.place / "temp", self.place / "actions/pullsafe"
        self.bin, self.site = self.place / "bin", self.place / "site"
        for folder in (self.checkout, self.temp, self.bin, self.action / "packages"):
            folder.mkdir(parents=True)
        # The files of the action, as a tag of this version has them.
        shutil.copy(ROOT / "action.yml", self.action)
        shutil.copy(ROOT / "Cargo.toml", self.action)
        shutil.copytree(ROOT / "packages/action", self.action / "packages/action")
        self.sums(carried.HEAD + f"version {project.version()}\n" + self.line())
        (self.site / f"v{project.version()}").mkdir(parents=True)
        shutil.copy(RELEASE / ARCHIVE, self.site / f"v{project.version()}")
        server = served(self.site)
        self.server = server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        self.canary = self.place / "canary"
        self.fake(
            "rustup",
            f"""echo "$PWD rustup $*" >> "{self.place}/built"
            if [[ $1 == run ]]; then mkdir -p "$ROOT/bin"; tar xzf "{RELEASE / ARCHIVE}" -C "$ROOT/bin" pullsafe; fi""",
        )

    def line(self) -> str:
        return next(line + "\n" for line in (RELEASE / made.SUMS).read_text().splitlines() if line.endswith(f"  {ARCHIVE}"))

    def sums(self, text: str) -> None:
        (self.action / "packages/action/sums.txt").write_text(text)

    def fake(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def write(self, name: str, text: str) -> None:
        path = self.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_it(self, os_name="Linux", machine=MACHINE, **inputs):
        environment = {
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.place),
            "RUNNER_OS": os_name,
            "RUNNER_ARCH": machine,
            "GITHUB_WORKSPACE": str(self.checkout),
            "GITHUB_SERVER_URL": "https://forge.example",
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_SHA": "0" * 40,
            "PYTHONPATH": str(self.checkout),
        }
        runner = Runner(self.checkout, self.action, self.temp, environment)
        return runner.run(releases=f"http://127.0.0.1:{self.server.server_port}", **inputs)

    def built(self) -> str:
        return (self.place / "built").read_text() if (self.place / "built").exists() else ""


class Verifying(OnARunner):
    def test_it_verifies_and_does_not_scan(self):
        image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"
        self.write("taskdef.json", json.dumps({"family": "web", "containerDefinitions": [{"name": "app", "image": image}]}))
        for strict, status in (("false", 0), ("true", 1)):
            job = self.run_it(mode="verify", paths="taskdef.json", strict=strict)
            self.assertEqual(job.status, status, job.log)
            self.assertIn("::notice file=taskdef.json,line=1,col=1,title=pullsafe verify::", job.log)
            self.assertFalse((self.temp / "pullsafe/images.json").exists())


class Fetching(OnARunner):
    def test_it_fetches_the_program_of_its_version_and_nothing_else(self):
        job = self.run_it()
        self.assertEqual(job.status, 0, job.log)
        self.assertEqual(self.server.asked, [f"/v{project.version()}/{ARCHIVE}"])
        self.assertEqual(self.built(), "")

    def test_another_archive_is_not_run(self):
        evil = self.site / f"v{project.version()}" / ARCHIVE
        with tarfile.open(evil, "w:gz") as archive:
            program = self.place / "pullsafe"
            program.write_text(f"#!/bin/sh\ntouch {self.canary}\n")
            program.chmod(0o755)
            archive.add(program, "pullsafe")
        job = self.run_it()
        self.assertEqual(job.status, 1)
        self.assertIn("::error title=pullsafe::", job.log)
        self.assertIn("is not what this version of the action knows", job.log)
        self.assertFalse(self.canary.exists())
        self.assertEqual(self.built(), "", "a wrong sum is not built around")
        self.assertFalse((self.temp / "pullsafe" / ARCHIVE).exists())

    def test_a_release_that_cannot_be_had_is_built_in_the_actions_folder(self):
        shutil.rmtree(self.site / f"v{project.version()}")
        job = self.run_it()
        self.assertEqual(job.status, 0, job.log)
        self.assertIn("::warning title=pullsafe::", job.log)
        self.assert_built()

    def test_an_action_without_sums_builds(self):
        self.sums(carried.HEAD)
        self.assertEqual(self.run_it().status, 0)
        self.assertEqual(self.server.asked, [])
        self.assert_built()

    def test_another_system_builds(self):
        for os_name, machine in [("macOS", "ARM64"), ("Linux", "ARM")]:
            with self.subTest(os_name):
                self.assertEqual(self.run_it(os_name, machine).status, 0)
        self.assertEqual(self.server.asked, [])
        self.assert_built()

    def test_it_builds_where_it_is_asked_to(self):
        self.assertEqual(self.run_it(from_source="true").status, 0)
        self.assertEqual(self.server.asked, [])
        self.assert_built()

    def assert_built(self):
        wanted = project.manifest()["workspace"]["package"]["rust-version"]
        for line in self.built().splitlines():
            self.assertTrue(line.startswith(f"{self.action} rustup "), line)
            self.assertIn(f" {wanted} ", line)
        self.assertIn("--locked", self.built())
        self.assertIn("--no-default-features --features scan", self.built())


class Scanning(OnARunner):
    HUB = "FROM python:3.12-slim\n"
    ELSEWHERE = "FROM public.ecr.aws/docker/library/python:3.12-slim\n"

    def test_an_image_of_docker_hub_fails_at_its_line(self):
        self.write("app/Dockerfile", "\n" + self.HUB)
        job = self.run_it()
        self.assertEqual(job.status, 1)
        self.assertRegex(job.log, r"::warning file=app/Dockerfile,line=2")
        self.assertEqual((job.outputs["images"], job.outputs["docker-hub"]), ("1", "1"))

    def test_one_of_another_registry_does_not(self):
        self.write("app/Dockerfile", self.ELSEWHERE)
        job = self.run_it()
        self.assertEqual((job.status, job.outputs["images"], job.outputs["docker-hub"]), (0, "1", "0"), job.log)

    def test_paths_choose_what_is_read(self):
        self.write("good/Dockerfile", self.ELSEWHERE)
        self.write("bad/Dockerfile", self.HUB)
        self.write("with space/Dockerfile", self.ELSEWHERE)
        self.write("-v/Dockerfile", self.HUB)
        for paths, status in [("good", 0), ("good bad", 1), ("good\nwith space\n", 0), ("-v", 1), ("  ", 2), ("not-there", 2)]:
            with self.subTest(paths):
                self.assertEqual(self.run_it(paths=paths).status, status)

    def test_strict_fails_where_a_variable_decides(self):
        self.write("Dockerfile", "ARG BASE\nFROM $BASE\n")
        self.assertEqual(self.run_it().status, 0)
        self.assertEqual(self.run_it(strict="true").status, 1)

    def test_a_report_is_written_and_uploaded_also_where_the_scan_fails(self):
        self.write("Dockerfile", self.HUB)
        job = self.run_it(sarif="found.sarif")
        self.assertEqual((job.status, job.used), (1, []))
        report = json.loads((self.checkout / "found.sarif").read_text())
        self.assertEqual(report["version"], "2.1.0")
        job = self.run_it(upload="true")
        self.assertEqual(job.status, 1)
        [upload] = job.used
        self.assertRegex(upload["uses"], r"^github/codeql-action/upload-sarif@[0-9a-f]{40}$")
        json.loads(Path(upload["with"]["sarif_file"]).read_text())

    def test_the_summary_is_a_table_of_the_images(self):
        self.write("Dockerfile", self.HUB)
        self.write("other/Dockerfile", self.ELSEWHERE)
        self.write("third/Dockerfile", f"FROM public.ecr.aws/x/y@sha256:{'a' * 64}\n")
        summary = self.run_it().summary
        self.assertIn("3 images in 3 files, 1 of them from Docker Hub.", summary)
        rows = [line for line in summary.splitlines() if line.startswith("| <code>")]
        self.assertIn("python:3.12-slim", rows[0])
        self.assertIn("**Docker Hub**", rows[0])
        self.assertIn("https://forge.example/acme/shop/blob/" + "0" * 40 + "/Dockerfile#L1", rows[0])
        self.assertEqual([row.endswith("| by digest |") for row in rows].count(True), 1)
        self.assertEqual(self.run_it(summary="false").summary, "")

    def test_text_of_the_repository_stays_one_cell(self):
        self.write("a|b`<img src=x>/Dockerfile", self.HUB)
        summary = self.run_it().summary
        row = next(line for line in summary.splitlines() if "python" in line)
        self.assertNotIn("<img", row)
        self.assertEqual(row.count("|"), 5)

    def test_a_thousand_files_take_less_than_five_seconds(self):
        for number in range(1000):
            kind = ["Dockerfile", "docker-compose.yml", "main.tf", "notes.md"][number % 4]
            text = [self.HUB, "services: {a: {image: redis:7}}\n", 'resource "x" "y" {}\n', "text\n"][number % 4]
            self.write(f"part-{number}/{kind}", text)
        begin = time.monotonic()
        job = self.run_it()
        took = time.monotonic() - begin
        print(f"the action on 1,000 files, with the fetch: {took:.2f} s", file=sys.stderr)
        self.assertEqual((job.status, job.outputs["docker-hub"]), (1, "500"))
        self.assertLess(took, SECONDS)
        self.assertLess(len(job.summary), 1 << 20)
        self.assertIn("And 300 more.", job.summary)


class Hostile(OnARunner):
    def test_nothing_of_the_checkout_is_run(self):
        trap = f"#!/bin/sh\ntouch {self.canary}\n"
        for name in ["pullsafe", "cargo", "rustup", "curl", "tar", "sha256sum", "sed", "git", "python3", "bin/pullsafe", ".cargo/wrapper"]:
            self.write(name, trap)
            (self.checkout / name).chmod(0o755)
        self.write(".cargo/config.toml", f'[build]\nrustc-wrapper = "{self.checkout}/.cargo/wrapper"\n')
        self.write("rust-toolchain.toml", f'[toolchain]\npath = "{self.checkout}"\n')
        for name in ["json.py", "html.py", "sitecustomize.py", "usercustomize.py", "urllib/parse.py"]:
            self.write(name, f"open({str(self.canary)!r}, 'w')\n")
        self.write(".curlrc", f"output = {self.canary}\n")
        self.write(".bashrc", trap)
        self.write("packages/action/scan.sh", trap)
        self.write("Dockerfile", Scanning.HUB)
        for inputs in [{}, {"from_source": "true"}, {"sarif": "out.sarif"}]:
            with self.subTest(str(inputs)):
                job = self.run_it(**inputs)
                self.assertEqual(job.status, 1, job.log)
                self.assertFalse(self.canary.exists())

    def test_a_link_of_the_checkout_is_not_written_through(self):
        self.write("Dockerfile", Scanning.HUB)
        victim = self.place / "victim"
        victim.write_text("untouched")
        (self.checkout / "found.sarif").symlink_to(victim)
        (self.checkout / "out").symlink_to(self.place)
        self.assertEqual(self.run_it(sarif="found.sarif").status, 1)
        self.assertTrue((self.checkout / "found.sarif").is_file() and not (self.checkout / "found.sarif").is_symlink())
        job = self.run_it(sarif="out/victim")
        self.assertEqual(job.status, 2)
        self.assertIn("the checkout has a link on the way", job.log)
        self.assertEqual(victim.read_text(), "untouched")

    def test_the_program_is_not_in_the_checkout_and_may_be_run(self):
        self.run_it()
        program = self.temp / "pullsafe/bin/pullsafe"
        self.assertTrue(program.stat().st_mode & stat.S_IXUSR)
        self.assertEqual([path.name for path in self.checkout.iterdir()], [])


class Documents(unittest.TestCase):
    def test_the_page_has_every_input_with_its_default(self):
        page = (ROOT / "docs/scan.md").read_text()
        for name, row in yaml.safe_load((ROOT / "action.yml").read_text())["inputs"].items():
            default = "the project's" if name == "releases" else f"`{row['default']}`" if row["default"] else ""
            with self.subTest(name):
                self.assertRegex(page, rf"(?m)^\| `{name}` \| ?{re.escape(default)} ?\| ")


class Adopting(unittest.TestCase):
    """The sums that the action carries are taken over from a release."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.sums, carried.CARRIED = Path(place.name, "SHA256SUMS"), ROOT / ".e2e/sums.txt"
        carried.CARRIED.parent.mkdir(exist_ok=True)
        carried.CARRIED.write_text(carried.HEAD)

    def release(self, *architectures: str) -> None:
        names = [made.command_archive(architecture) for architecture in architectures]
        self.sums.write_text("".join(f"{number:064x}  {name}\n" for number, name in enumerate([*names, "other.zip"])))

    def test_a_tag_needs_the_version_and_its_sums(self):
        with self.assertRaisesRegex(project.Fault, "carries the sums of no version"):
            carried.check_tag(f"v{project.version()}")
        self.release("arm64", "x86_64")
        carried.adopt(self.sums)
        carried.check_tag(f"v{project.version()}")
        with self.assertRaisesRegex(project.Fault, "Cargo.toml says"):
            carried.check_tag("v9.9.9")
        self.release("arm64")
        carried.adopt(self.sums)
        with self.assertRaises(project.Fault):
            carried.check_tag(f"v{project.version()}")

    def test_sums_that_are_none_are_refused(self):
        for text in ["", "abc  other.zip\n", f"short  {made.command_archive('arm64')}\n"]:
            self.sums.write_text(text)
            with self.assertRaises(project.Fault):
                carried.adopt(self.sums)


if __name__ == "__main__":
    unittest.main()
