"""Every rule of the template against every event of events/, AWS's published samples among them, by moto's matcher."""

import json

from moto.events.models import EventPattern, EventPatternParser

from template import PROJECT, Template


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


def judge():
    """Counts, and findings."""
    rules = {}
    for name, pattern in patterns():
        parsed = EventPatternParser(json.dumps(pattern)).parse()
        rules[name] = EventPattern(json.dumps(pattern), parsed)
    found, tried = [], 0
    for name, event, claimed in events():
        woken = sorted(rule for rule, pattern in rules.items() if pattern.matches_event(event))
        tried += len(rules)
        if woken != sorted(claimed):
            found.append(("moto", f"{name}: passed on by {woken}, claimed {sorted(claimed)}"))
    return f"{len(rules)} rules, {tried} pairs of rule and event, by moto", found
