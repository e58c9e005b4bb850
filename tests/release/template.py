"""The packaged template says what template.yaml says, but for where the code is."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

from releasing import project, template  # noqa: E402


class Loader(yaml.SafeLoader):
    """Reads short forms (`!Ref`) as what they are: a name and what stands behind it."""


def _tagged(loader: Loader, suffix: str, node: yaml.Node):
    if isinstance(node, yaml.ScalarNode):
        return {f"!{suffix}": loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {f"!{suffix}": loader.construct_sequence(node, deep=True)}
    return {f"!{suffix}": loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _tagged)

SOURCE = (ROOT / "template.yaml").read_text()


def read(text: str) -> dict:
    return yaml.load(text, Loader)  # noqa: S506 - a loader made of the safe one


class Packaged(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.source = read(SOURCE)
        self.packaged = read(template.packaged(SOURCE, "1.2.3"))

    def test_it_differs_in_where_the_code_is_and_in_nothing_else(self):
        packaged = self.packaged
        names = []
        for resource in packaged["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                code = resource["Properties"]["CodeUri"]
                self.assertEqual(code["Bucket"], {"!Ref": "CodeBucket"})
                name = code["Key"]["!Sub"].removeprefix("${CodePrefix}").removesuffix("-${Architecture}.zip")
                names.append(name)
                resource["Properties"]["CodeUri"] = f"target/lambda/{name}/"
        self.assertEqual(len(names), 6)
        self.assertLessEqual({"AllowedPattern", "Description"}, set(packaged["Parameters"].pop("CodeBucket")))
        self.assertEqual(packaged["Parameters"].pop("CodePrefix")["Default"], "pullsafe/1.2.3/")
        groups = packaged["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        self.assertEqual(groups.pop(0)["Parameters"], ["CodeBucket", "CodePrefix"])
        self.assertEqual(packaged, self.source)

    def test_its_parameters_stand_in_the_source_s_order(self):
        names = list(self.packaged["Parameters"])
        self.assertEqual(names[:2], ["CodeBucket", "CodePrefix"])
        self.assertEqual(names[2:], list(self.source["Parameters"]))

    def test_the_keys_are_the_names_of_the_zips(self):
        for function in project.functions(SOURCE):
            for architecture in self.packaged["Parameters"]["Architecture"]["AllowedValues"]:
                key = f"${{CodePrefix}}{project.zip_name(function, '${Architecture}')}"
                self.assertIn(f'"{key}"', template.packaged(SOURCE, "1.2.3"))
                self.assertEqual(project.zip_name(function, architecture), f"{function}-{architecture}.zip")
        self.assertEqual(set(self.packaged["Parameters"]["Architecture"]["AllowedValues"]), set(project.ARCHITECTURES))

    def test_only_the_head_s_comment_is_another(self):
        comments = [line.strip() for line in SOURCE.splitlines() if line.strip().startswith("#")]
        kept = [line.strip() for line in template.packaged(SOURCE, "1.2.3").splitlines() if line.strip().startswith("#")]
        at = SOURCE.splitlines().index('AWSTemplateFormatVersion: "2010-09-09"')
        self.assertEqual(kept[len(template.HEAD.splitlines()) :], comments[at:])

    def test_a_function_that_is_named_in_another_way_is_said(self):
        for text in ["Resources: {}\n", SOURCE.replace("CodeUri: target/lambda/widget/\n", "CodeUri: ./target/lambda/widget/\n")]:
            with self.assertRaises(project.Fault):
                template.packaged(text, "1.2.3")

    def test_a_template_without_parameters_is_said(self):
        with self.assertRaisesRegex(project.Fault, "Parameters"):
            template.packaged(SOURCE.replace("\nParameters:\n", "\nWishes:\n"), "1.2.3")


class Changelog(unittest.TestCase):
    TEXT = "# Changelog\n\n## Unreleased\n\n- new\n\n## [1.1.0] - 2026-12-01\n\n- one\n- two\n\n## 1.0.0\n\n- first\n"

    def test_a_version_has_its_own_section(self):
        self.assertEqual(project.change_notes(self.TEXT, "1.1.0"), "- one\n- two\n")
        self.assertEqual(project.change_notes(self.TEXT, "1.0.0"), "- first\n")

    def test_what_is_unreleased_stands_for_a_version_without_one(self):
        self.assertEqual(project.change_notes(self.TEXT, "2.0.0"), "- new\n")

    def test_a_changelog_that_says_nothing_is_refused(self):
        for text in ["# Changelog\n", "# Changelog\n\n## Unreleased\n\n## 1.0.0\n\n- first\n"]:
            with self.assertRaises(project.Fault):
                project.change_notes(text, "2.0.0")


if __name__ == "__main__":
    unittest.main()
