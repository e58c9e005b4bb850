"""Everything that the release says of its files is so."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tomllib
import unittest
import zipfile

import folder
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from folder import HERE, ROOT, made, project, wheel


def sums() -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in HERE.iterdir()}


class Folder(unittest.TestCase):
    def test_it_holds_what_a_release_is_made_of(self):
        zips = {project.zip_name(function, architecture) for function in project.functions() for architecture in folder.architectures()}
        commands = {name(architecture) for architecture in folder.architectures() for name in (made.command_archive, wheel.name)}
        others = {made.SUMS, made.TEMPLATE, made.BILL, made.PROVENANCE, made.NOTES, made.image_archive()}
        self.assertEqual({path.name for path in HERE.iterdir()}, zips | commands | others)

    def test_the_sums_are_those_of_the_files_and_leave_none_out(self):
        lines = (HERE / made.SUMS).read_text().splitlines()
        for line in lines:
            self.assertRegex(line, r"^[0-9a-f]{64}  \S+$")
        said = {name: sum for sum, name in (line.split("  ") for line in lines)}
        found = sums()
        found.pop(made.SUMS)
        self.assertEqual(said, found)

    def test_a_zip_is_one_executable_bootstrap(self):
        for path in HERE.glob("*.zip"):
            with self.subTest(path.name):
                [entry] = zipfile.ZipFile(io.BytesIO(path.read_bytes())).infolist()
                self.assertEqual((entry.filename, entry.external_attr >> 16), ("bootstrap", 0o100755))
                self.assertLess(entry.file_size, 50 << 20, "larger than Lambda takes directly")

    def test_no_path_of_the_building_machine_is_in_a_program(self):
        # If the programs were built before, they are only packed here, and the statement names no tools.
        statement = json.loads((HERE / made.PROVENANCE).read_text())["predicate"]["buildDefinition"]
        built_here = bool(statement["internalParameters"]["tools"])
        for path in HERE.glob("*.zip") if built_here else []:
            content = zipfile.ZipFile(path).read("bootstrap")
            with self.subTest(path.name):
                self.assertNotIn(str(ROOT).encode() + b"/", content)

    def test_the_notes_name_every_file_with_its_sum(self):
        notes = (HERE / made.NOTES).read_text()
        for name, sum in sums().items():
            if name not in {made.SUMS, made.NOTES, made.BILL, made.PROVENANCE}:
                self.assertRegex(notes, rf"\| `{re.escape(name)}` \|.*`{sum}`")
        self.assertTrue(notes.startswith(f"# pullsafe {project.version()}\n"))


class Bill(unittest.TestCase):
    def setUp(self):
        self.text = (HERE / made.BILL).read_text()
        self.bill = json.loads(self.text)
        self.crates = [part for part in self.bill["components"] if part["type"] == "library"]

    def test_it_is_as_the_schema_wants_it(self):
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_6).validate_str(self.text))

    def test_its_sums_of_files_are_those_of_the_files(self):
        said = {part["name"]: part["hashes"][0]["content"] for part in self.bill["components"] if part["type"] == "file"}
        found = {name: sum for name, sum in sums().items() if name not in {made.SUMS, made.BILL, made.PROVENANCE, made.NOTES}}
        self.assertEqual(said, found)

    def test_its_crates_are_those_of_the_lock_file_with_their_sums(self):
        locked = {(one["name"], one["version"]): one.get("checksum") for one in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
        for crate in self.crates:
            key = (crate["name"], crate["version"])
            self.assertIn(key, locked)
            said = next((hash["content"] for hash in crate.get("hashes", [])), None)
            self.assertEqual(said, locked[key], key)
            self.assertTrue(crate.get("licenses"), f"{key} has no licence")

    def test_what_only_tests_use_is_not_in_it(self):
        names = {crate["name"] for crate in self.crates}
        self.assertLessEqual({"remediator", "mirror", "image-gate", "widget", "probe", "pullsafe-cli", "tokio", "aws-sdk-ecs", "rustls"}, names)
        self.assertEqual(names & {"testkit", "scenarios", "tools", "proptest", "insta", "criterion", "windows-sys"}, set())

    def test_every_dependency_is_a_part(self):
        parts = {part["bom-ref"] for part in self.bill["components"]} | {self.bill["metadata"]["component"]["bom-ref"]}
        for row in self.bill["dependencies"]:
            self.assertLessEqual({row["ref"], *row["dependsOn"]}, parts)


class Statement(unittest.TestCase):
    def test_its_subjects_are_the_files(self):
        statement = json.loads((HERE / made.PROVENANCE).read_text())
        self.assertEqual(statement["_type"], "https://in-toto.io/Statement/v1")
        self.assertEqual(statement["predicateType"], "https://slsa.dev/provenance/v1")
        said = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
        self.assertEqual(said, {name: sum for name, sum in sums().items() if name not in {made.SUMS, made.PROVENANCE, made.NOTES}})

    def test_it_names_the_commit_and_the_lock_file(self):
        [source, lock] = json.loads((HERE / made.PROVENANCE).read_text())["predicate"]["buildDefinition"]["resolvedDependencies"]
        self.assertRegex(source["digest"]["gitCommit"], r"^[0-9a-f]{40}$")
        self.assertEqual(lock["digest"]["sha256"], hashlib.sha256((ROOT / "Cargo.lock").read_bytes()).hexdigest())


if __name__ == "__main__":
    unittest.main()
