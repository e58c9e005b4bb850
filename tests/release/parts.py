"""The parts that a release is put together by: what they refuse, in words, and that they come out the same."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

from releasing import archives, building, elf, image, inventory, project, version  # noqa: E402

PROGRAM = Path(sys.executable).resolve()
"""A program of this machine."""


class Place(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)

    def file(self, name: str, content: bytes, mode: int = 0o755) -> Path:
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path


class Programs(Place):
    def test_a_program_of_this_machine_is_read(self):
        program = elf.read(PROGRAM)
        self.assertEqual(program.architecture, building.HERE)
        self.assertIn("ld-linux", program.interpreter)
        self.assertIn("libc.so.6", program.libraries)
        self.assertIn("GLIBC", "".join(program.versions))
        listed = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
        for library in program.libraries:
            self.assertIn(library, listed)

    def test_versions_are_compared_as_numbers(self):
        versions = frozenset({"GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.17", "GCC_3.0", "GLIBC_PRIVATE"})
        self.assertEqual(elf.Program("arm64", None, (), versions).newest_glibc(), (2, 34))
        self.assertEqual(elf.Program("arm64", None, (), frozenset()).newest_glibc(), ())

    def test_one_that_needs_a_newer_c_library_is_refused(self):
        with self.assertRaisesRegex(project.Fault, r"needs GLIBC_2\.\d+, and provided.al2023 has 2.1"):
            elf.check(PROGRAM, building.HERE, (2, 1))
        self.assertEqual(elf.GLIBC, (2, 34))

    def test_one_of_the_other_architecture_is_refused(self):
        content = bytearray(PROGRAM.read_bytes())
        other = next(number for number, name in elf.MACHINES.items() if name != building.HERE)
        struct.pack_into("<H", content, 18, other)
        with self.assertRaisesRegex(project.Fault, f"and should be for {building.HERE}"):
            elf.check(self.file("other", bytes(content)), building.HERE, (99,))

    def test_what_is_no_program_is_said(self):
        whole = PROGRAM.read_bytes()
        for content in [b"", b"#!/bin/sh\n", whole[:64], whole[:20], b"\x7fELF\x02\x01" + b"\xff" * 200, whole[:4096] + b"\0" * 100]:
            with self.subTest(content[:8]), self.assertRaises(project.Fault):
                elf.check(self.file("broken", content), building.HERE, (99,))

    def test_programs_that_are_missing_are_named(self):
        with self.assertRaisesRegex(project.Fault, "x86_64/mirror"):
            building.given(self.place, ["x86_64"])


class Image(Place):
    def test_it_comes_out_the_same_and_without_a_trace_of_the_machine(self):
        folders = {building.HERE: [*image.SEARCH[building.HERE], str(PROGRAM.parent.parent / "lib")]}
        made = [image.layout({building.HERE: PROGRAM}, "1.2.3", "https://x", b"certificates", folders) for _ in range(2)]
        self.assertEqual(made[0], made[1])

    def test_a_library_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(project.Fault, "the image needs .*ld-linux"):
            image.layout({building.HERE: PROGRAM}, "1.2.3", "https://x", b"", {building.HERE: [str(self.place)]})

    def test_the_same_content_is_the_same_archive(self):
        entries = [archives.Entry("a", b"x", 0o755), archives.Entry("b"), archives.Entry("c", target="a")]
        sums = {hashlib.sha256(archives.compressed(archives.tar(entries))).hexdigest() for _ in range(3)}
        self.assertEqual(len(sums), 1)


class Building(Place):
    """With a toolchain that only writes down what it is asked."""

    def setUp(self):
        super().setUp()
        self.told = self.place / "told.json"
        self.file("lib/libstd-0.rlib", b"")
        self.file("bin/rustc", f"#!/bin/sh\necho {self.place}/lib\n".encode())
        self.file("bin/cargo", b'#!/bin/sh\necho "$@" > "$TOLD"\nenv >> "$TOLD"\n')
        for linker in building.LINKERS.values():
            self.file(f"bin/{linker}", b"#!/bin/sh\n")
        path = f"{self.place}/bin:{os.environ['PATH']}"
        patch = mock.patch.dict(
            os.environ, {"PATH": path, "TOLD": str(self.told), "RUSTFLAGS": "-C debuginfo=2", "CARGO_HOME": "/somewhere/cargo"}
        )
        patch.start()
        self.addCleanup(patch.stop)

    def test_every_program_is_built_as_it_is_locked_and_without_paths(self):
        for architecture, target in project.TARGETS.items():
            with self.subTest(architecture):
                found = building.build(architecture, self.place / "target")
                command, *environment = self.told.read_text().splitlines()
                self.assertIn(f"build --release --locked --target {target}", command)
                for package in inventory.PACKAGES:
                    self.assertIn(f"--package {package}", command)
                said = dict(line.split("=", 1) for line in environment if "=" in line)
                self.assertNotIn("RUSTFLAGS", said)
                self.assertIn(f"--remap-path-prefix={ROOT}=/pullsafe", said["CARGO_ENCODED_RUSTFLAGS"])
                self.assertIn("/somewhere/cargo=/cargo", said["CARGO_ENCODED_RUSTFLAGS"])
                self.assertIn(f"-ffile-prefix-map={self.place}/target=/target", said[f"CFLAGS_{target.replace('-', '_')}"])
                linker = "cc" if architecture == building.HERE else building.LINKERS[architecture]
                self.assertEqual(said[f"CARGO_TARGET_{target.upper().replace('-', '_')}_LINKER"], linker)
                self.assertEqual(found["pullsafe"], self.place / "target" / target / "release/pullsafe")
                self.assertEqual(set(found), {*project.functions(), "pullsafe"})

    def test_what_is_built_again_is_built_anew_in_the_same_place(self):
        target = self.place / "target"
        release = target / project.TARGETS["arm64"] / "release"
        for name in building.programs():
            self.file(f"target/{project.TARGETS['arm64']}/release/{name}", name.encode())
        self.file("bin/cargo", f"#!/bin/sh\nmkdir -p {release}; echo new > {release}/mirror\n".encode())
        first = building.build_again("arm64", target)
        self.assertEqual({name: path.read_text() for name, path in first.items()}, {name: name for name in building.programs()})
        self.assertEqual([path.name for path in release.iterdir()], ["mirror"])

    def test_a_build_that_fails_ends_the_release(self):
        self.file("bin/cargo", b"#!/bin/sh\nexit 101\n")
        with self.assertRaisesRegex(project.Fault, "do not build for arm64"):
            building.build("arm64", self.place / "target")

    def test_a_missing_standard_library_is_said_with_how_to_get_it(self):
        (self.place / "lib/libstd-0.rlib").unlink()
        with mock.patch.object(building.subprocess, "run", wraps=subprocess.run) as run:
            run.side_effect = lambda command, **more: subprocess.CompletedProcess(command, 0, stdout=f"{self.place}/lib\n")
            with self.assertRaisesRegex(project.Fault, "rustup target add aarch64-unknown-linux-gnu"):
                building.build("arm64", self.place / "target")

    def test_a_missing_linker_is_said_with_how_to_get_it(self):
        other = next(name for name in project.TARGETS if name != building.HERE)
        with mock.patch.object(building.shutil, "which", return_value=None), self.assertRaisesRegex(project.Fault, "apt-get install gcc-"):
            building.build(other, self.place / "target")


class Versions(unittest.TestCase):
    def test_whatever_names_the_version_names_that_of_the_manifest(self):
        self.assertEqual(version.stale(), [])

    def test_another_version_goes_everywhere(self):
        for name, text in version.written("9.8.7").items():
            with self.subTest(name):
                self.assertIn("9.8.7", text)
                self.assertEqual(len(text.splitlines()), len((ROOT / name).read_text().splitlines()), "the rest stays as it is")
        with mock.patch.object(version.project, "version", return_value="9.8.7"):
            self.assertEqual(set(version.stale()), set(version.written("9.8.7")))

    def test_what_is_no_version_is_refused(self):
        for text in ["", "1.2", "v1.2.3", "1.2.3; rm"]:
            with self.assertRaises(project.Fault):
                version.take(text)


class Statement(unittest.TestCase):
    def test_it_says_by_whom_and_from_what(self):
        forge = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/fork", "GITHUB_RUN_ID": "7"}
        with mock.patch.dict(os.environ, forge):
            statement = inventory.provenance("1.2.3", {"a": "0" * 64}, ["rustc 1.95.0"])
        details = statement["predicate"]["runDetails"]
        self.assertEqual(details["metadata"]["invocationId"], "https://github.com/acme/fork/actions/runs/7")
        self.assertEqual(statement["subject"], [{"name": "a", "digest": {"sha256": "0" * 64}}])
        self.assertNotIn(str(ROOT), json.dumps(statement))


if __name__ == "__main__":
    unittest.main()
