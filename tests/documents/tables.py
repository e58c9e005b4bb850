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


SHORT = [
    ("arn:${AWS::Partition}:", "arn:*:"),
    ("${AWS::Region}", "REGION"),
    ("${AWS::AccountId}", "ACCOUNT"),
]


def said(value) -> str:
    """A value of the template in words: what a reference refers to, and a choice as both of its sides."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(said, value)))
    if not isinstance(value, dict):
        text = str(value)
        for long, short in SHORT:
            text = text.replace(long, short)
        return text
    [(function, behind)] = value.items() if len(value) == 1 else [("", value)]
    if function == "!Ref":
        return "" if behind == "AWS::NoValue" else said("${" + behind + "}")
    if function == "!GetAtt":
        return behind.removesuffix(".Arn")
    if function == "!Sub":
        text, named = behind if isinstance(behind, list) else (behind, {})
        for name, inner in named.items():
            text = text.replace("${" + name + "}", said(inner))
        return said(text)
    if function in {"!Split", "!Join"}:
        return said(behind[1])
    if function == "!If":
        condition, yes, no = behind
        other = said(no)
        return f"{said(yes)} (where {condition})" + (f", else {other}" if other else "")
    return "; ".join(f"{said(key)} {said(inner)}" for key, inner in value.items())


def statements(policies: list, condition: str = "") -> list[tuple[dict, str]]:
    """Every statement of a role's policies, with the condition under which the role has it."""
    found = []
    for policy in policies:
        if "!If" in policy:
            name, yes, no = policy["!If"]
            found += statements([yes], name) + ([] if no == {"!Ref": "AWS::NoValue"} else statements([no], f"not {name}"))
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            if "!If" in statement:
                name, yes, no = statement["!If"]
                found.append((yes, name))
                found += [] if no == {"!Ref": "AWS::NoValue"} else [(no, f"not {name}")]
            else:
                found.append((statement, condition))
    return found


def roles() -> str:
    """Every statement of every role: what, on what, and only where."""
    table = ""
    for name, resource in pages.packaged()["Resources"].items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        table += f"\n### {name}\n\n| Statement | Actions | On | Only where |\n|---|---|---|---|\n"
        for statement, condition in statements(resource["Properties"]["Policies"]):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            where = said(statement["Condition"]) if "Condition" in statement else ""
            cells = [f"{statement['Sid']}" + (f" (where {condition})" if condition else ""), ", ".join(f"`{action}`" for action in actions)]
            cells += [f"`{said(statement['Resource'])}`", f"`{where}`" if where else ""]
            table += "| " + " | ".join(cell.replace("|", "&#124;") for cell in cells) + " |\n"
    return table


class Tables(unittest.TestCase):
    def test_the_parameters_are_the_template_s(self):
        check("docs/deploy.md", "parameters", parameters())

    def test_the_statements_of_the_roles_are_the_template_s(self):
        table = roles()
        self.assertNotIn("!", table.replace("&#124;", ""))
        check("docs/permissions.md", "statements", table)


if __name__ == "__main__":
    unittest.main()
