"""Every rule of the template against every event of events/, AWS's published samples among them, by moto's matcher; and every rule of
packages/integrations against every kind of message."""

import json

import yaml

from moto.events.models import EventPattern, EventPatternParser

from template import PROJECT, Loader, Template


def patterns():
    """Each rule's name and pattern."""
    for _, function in Template().resources("AWS::Serverless::Function"):
        for name, event in function.get("Events", {}).items():
            if event["Type"] == "EventBridgeRule":
                yield name, event["Properties"]["Pattern"]


def events():
    """Name, event and the rules that pass it on: our files by the claims of tests/scenarios/template, published ones by their own line."""
    claims = json.loads((PROJECT / "tests/scenarios/template/claims.json").read_text())
    for path in sorted((PROJECT / "events").glob("*.json")):
        yield path.stem, json.loads(path.read_text()), claims[path.stem]
    for line in (PROJECT / "events/published.jsonl").read_text().splitlines():
        published = json.loads(line)
        yield f"published: {published['what']}", published["event"], published["rules"]


def integrations():
    """The rules of packages/integrations, and each kind of message with those that pass it on, by the claims of tests/integrations."""
    rules = {}
    for path in sorted((PROJECT / "packages/integrations").glob("*.yaml")):
        for name, resource in yaml.load(path.read_text(), Loader)["Resources"].items():
            if resource["Type"] == "AWS::Events::Rule":
                rules[f"{path.stem}/{name}"] = resource["Properties"]["EventPattern"]
    claims = json.loads((PROJECT / "tests/integrations/claims.json").read_text())
    told = map(json.loads, (PROJECT / "events/told.jsonl").read_text().splitlines())
    return rules, [(line["what"], line["event"], claims.get(line["what"], [])) for line in told]


def judge():
    """Counts, and findings."""
    found, rules, pairs = [], 0, 0
    for some, told in ((dict(patterns()), events()), integrations()):
        tried, more = match(some, told)
        found += more
        rules, pairs = rules + len(some), pairs + tried
    return f"{rules} rules, {pairs} pairs of rule and event, by moto", found


def match(some, told):
    """How many pairs of a pattern and an event there are, and where a claim is wrong."""
    rules = {}
    for name, pattern in some.items():
        parsed = EventPatternParser(json.dumps(pattern)).parse()
        rules[name] = EventPattern(json.dumps(pattern), parsed)
    found, tried = [], 0
    for name, event, claimed in told:
        woken = sorted(rule for rule, pattern in rules.items() if pattern.matches_event(event))
        tried += len(rules)
        if woken != sorted(claimed):
            found.append(("moto", f"{name}: passed on by {woken}, claimed {sorted(claimed)}"))
    return tried, found
