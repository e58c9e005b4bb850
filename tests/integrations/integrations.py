"""The templates of packages/integrations: what they make of pullsafe's events, held against what each receiver documents.

`python tests/integrations/integrations.py`. Which rule hears which event is in claims.json, which the judges hold against the patterns.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.server
import io
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import types
import unittest
from pathlib import Path
from unittest import mock

import jsonschema
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "packages/integrations"
HOSTILE = 'a "quoted" \\ back\\\\slash \\" <thread> <title> </x>\n\t\r\x00 {"a": 1} ${Secret} \u2028 é \U0001f525 \'; --'
RECEIVERS = {
    ("pagerduty", "Critical"): "pagerduty",
    ("pagerduty", "Degraded"): "pagerduty",
    ("pagerduty", "NextLaunch"): "pagerduty",
    ("pagerduty", "Over"): "pagerduty",
    ("opsgenie", "Critical"): "opsgenie-create",
    ("opsgenie", "Degraded"): "opsgenie-create",
    ("opsgenie", "NextLaunch"): "opsgenie-create",
    ("opsgenie", "Over"): "opsgenie-close",
    ("jira", "Opened"): "jira",
    ("devops-agent", "Critical"): "devops-agent",
    ("devops-agent", "Degraded"): "devops-agent",
    ("webhook", "Told"): None,
}
"""The schema of what each rule sends; none where it is the event as it is."""


class Loader(yaml.SafeLoader):
    """YAML in which `!Sub X` is X, and `!Ref X` and `!GetAtt X` are their names."""


Loader.add_multi_constructor(
    "!",
    lambda loader, _, node: {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }[type(node)](node),
)


def template(name):
    return yaml.load((FOLDER / f"{name}.yaml").read_text(), Loader)  # noqa: S506 - a loader made of the safe one


def resources(name, kind):
    return {key: value["Properties"] for key, value in template(name)["Resources"].items() if value["Type"] == kind}


def events():
    """Every kind of message, as it goes over the bus."""
    lines = (ROOT / "events/told.jsonl").read_text().splitlines()
    return {line["what"]: line["event"] for line in map(json.loads, lines)}


def claimed(name, rule):
    claims = json.loads((HERE / "claims.json").read_text())
    return {what: event for what, event in events().items() if f"{name}/{rule}" in claims[what]}


def at(event, path):
    """What EventBridge finds at a path of dots. What is not there would make a hole in the JSON: that is a fault of the rule."""
    found = event
    for step in path.removeprefix("$.").split("."):
        found = found[step]
    return found


def transformed(target, event):
    """What EventBridge makes of an event. Outside quotes a variable becomes its value as JSON, which is why none may be inside."""
    transformer = target.get("InputTransformer")
    if transformer is None:
        return event
    text, paths = transformer["InputTemplate"], transformer["InputPathsMap"]
    values = {name: at(event, path) for name, path in paths.items()}
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    inside = [part for part in parts[1::2] if re.search(r"<[\w.-]+>", part)]
    if inside:
        raise AssertionError(f"a variable in quotes, where what it holds is not escaped: {inside}")
    parts[0::2] = [re.sub(r"<([\w.-]+)>", lambda found: json.dumps(values[found[1]]), part) for part in parts[0::2]]
    return json.loads("".join(parts))


def sent(name, rule, event):
    (target,) = resources(name, "AWS::Events::Rule")[rule]["Targets"]
    return transformed(target, event)


def made_hostile(value, key=None):
    """An event in which somebody else wrote every text, but for those of which pullsafe promises what they are made of."""
    if isinstance(value, dict):
        return {key: made_hostile(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [made_hostile(item) for item in value]
    kept = {"severity", "thread", "source", "detail-type", "time", "region", "account"}
    if key == "title":
        return 'pullsafe: "quoted" \\ back\\\\slash <thread> <title> </x> {"a": 1} ${Secret} \'; --'
    return HOSTILE if isinstance(value, str) and key not in kept else value


class Rules(unittest.TestCase):
    def test_every_rule_is_known_here(self):
        found = {(path.stem, rule) for path in FOLDER.glob("*.yaml") for rule in resources(path.stem, "AWS::Events::Rule")}
        self.assertEqual(found, set(RECEIVERS))

    def test_every_event_becomes_what_its_receiver_documents(self):
        for (name, rule), schema in RECEIVERS.items():
            heard = claimed(name, rule)
            self.assertTrue(heard, f"{name}/{rule} hears no event of events/told.jsonl")
            for what, event in heard.items():
                for form in (event, made_hostile(event)):
                    with self.subTest(rule=f"{name}/{rule}", event=what, hostile=form is not event):
                        body = sent(name, rule, form)
                        if schema:
                            jsonschema.validate(body, json.loads((HERE / f"schemas/{schema}.json").read_text()))
                        self.assertLess(len(json.dumps(body)), 256 * 1024)

    def test_a_message_that_comes_again_is_the_same(self):
        for name, rule in RECEIVERS:
            for event in claimed(name, rule).values():
                again = event | {"id": "another"}
                if name != "webhook":
                    self.assertEqual(sent(name, rule, event), sent(name, rule, again))

    def test_what_opens_an_alert_ends_it(self):
        told = events()
        for opened, over in (("a remedy, observed", "the end"), ("an outbreak", "the end of an outbreak")):
            trigger, resolve = sent("pagerduty", "Critical", told[opened]), sent("pagerduty", "Over", told[over])
            self.assertEqual((trigger["event_action"], resolve["event_action"]), ("trigger", "resolve"))
            self.assertEqual(trigger["dedup_key"], resolve["dedup_key"])
            alias = sent("opsgenie", "Critical", told[opened])["alias"]
            (target,) = resources("opsgenie", "AWS::Events::Rule")["Over"]["Targets"]
            (path,) = target["HttpParameters"]["PathParameterValues"]
            self.assertEqual(alias, at(told[over], path))
            self.assertRegex(alias, r"^[A-Za-z0-9._:-]+$", "it is a part of a path as it is")
            self.assertEqual(target["HttpParameters"]["QueryStringParameters"], {"identifierType": "alias"})
            self.assertTrue(resources("opsgenie", "AWS::Events::ApiDestination")[target["Arn"].split(".")[0]]["InvocationEndpoint"].endswith("/*/close"))

    def test_a_service_of_a_storm_opens_nothing_of_its_own(self):
        claims = json.loads((HERE / "claims.json").read_text())
        self.assertEqual(claims["a remedy, told with others"], ["webhook/Told"])

    def test_a_ticket_is_opened_once(self):
        for event in [*claimed("jira", "Opened").values(), *claimed("devops-agent", "Critical").values()]:
            self.assertTrue(event["detail"]["opens"])

    def test_what_cannot_be_delivered_is_kept(self):
        for name, rule in RECEIVERS:
            (target,) = resources(name, "AWS::Events::Rule")[rule]["Targets"]
            self.assertEqual(target["DeadLetterConfig"], {"Arn": "Undelivered.Arn"}, f"{name}/{rule}")
            (policy,) = resources(name, "AWS::SQS::QueuePolicy").values()
            (statement,) = policy["PolicyDocument"]["Statement"]
            rules = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
            self.assertIn(f"{rule}.Arn", rules)
            self.assertEqual(len(resources(name, "AWS::CloudWatch::Alarm")), 1)


class Grants(unittest.TestCase):
    def test_a_role_may_send_and_no_more(self):
        for name in {name for name, _ in RECEIVERS}:
            (role,) = resources(name, "AWS::IAM::Role").values()
            statements = [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]
            granted = {action for statement in statements for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])}
            if resources(name, "AWS::Lambda::Function"):
                wanted = {"secretsmanager:GetSecretValue", "sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents"}
            else:
                wanted = {"events:InvokeApiDestination"}
            self.assertEqual(granted, wanted, name)
            self.assertNotIn("*", [statement["Resource"] for statement in statements], name)

    def test_no_secret_is_a_parameter_or_a_text(self):
        for path in FOLDER.glob("*.yaml"):
            for name, connection in resources(path.stem, "AWS::Events::Connection").items():
                text = json.dumps(connection)
                for value in re.findall(r'"(?:ApiKeyValue|Username|Password|Value)": "([^"]*)"', text):
                    self.assertIn("{{resolve:secretsmanager:${Secret}:SecretString:", value, f"{path.stem}: {name}")

    def test_a_channel_may_answer_and_no_more(self):
        for name in ("slack", "teams"):
            (policy,) = resources(name, "AWS::IAM::ManagedPolicy").values()
            (choice,) = policy["PolicyDocument"]["Statement"]
            condition, answers, nothing = choice
            self.assertEqual((condition, answers["Action"], nothing["Effect"]), ("Answers", "lambda:InvokeFunction", "Deny"))
            channel = {**resources(name, "AWS::Chatbot::SlackChannelConfiguration"), **resources(name, "AWS::Chatbot::MicrosoftTeamsChannelConfiguration")}
            (channel,) = channel.values()
            self.assertEqual(channel["GuardrailPolicies"], ["Guardrail"])

    def test_the_buttons_are_the_same_in_every_chat(self):
        self.assertEqual(resources("slack", "AWS::Chatbot::CustomAction"), resources("teams", "AWS::Chatbot::CustomAction"))


KEY = "a key of the test"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers as it is told to."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((dict(self.headers), body))
        self.send_response(self.server.answer)
        if 300 <= self.server.answer < 400:
            self.send_header("Location", self.server.elsewhere)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Signed(unittest.TestCase):
    """The functions of the signed webhooks, run against a server."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        files = [f"{cls.folder.name}/{name}" for name in ("key.pem", "cert.pem")]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            + ["-keyout", files[0], "-out", files[1]],
            check=True,
            capture_output=True,
        )
        cls.server = http.server.HTTPServer(("localhost", 0), Receiver)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[1], files[0])
        cls.server.socket = context.wrap_socket(cls.server.socket, server_side=True)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.url = f"https://localhost:{cls.server.server_port}/hook/of-a-secret-path"
        cls.environment = {"SSL_CERT_FILE": files[1]}

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.folder.cleanup()

    def send(self, name, event, answer=200, url=None):
        """Runs the template's function; what the server heard."""
        (function,) = resources(name, "AWS::Lambda::Function").values()
        variables = {"PREFIX": function["Environment"]["Variables"]["PREFIX"], "SECRET": "arn:of:the:secret"}
        self.server.heard, self.server.answer, self.server.elsewhere = [], answer, self.url
        secret = {"SecretString": json.dumps({"url": url or self.url, "key": KEY})}
        client = types.SimpleNamespace(get_secret_value=lambda SecretId: secret)
        boto3 = types.SimpleNamespace(client=lambda _: client)
        with mock.patch.dict(os.environ, self.environment | variables), mock.patch.dict(sys.modules, {"boto3": boto3}):
            module = types.ModuleType("index")
            exec(compile(function["Code"]["ZipFile"], f"{name}.yaml", "exec"), module.__dict__)  # noqa: S102 - it is what is tested
            status = module.handler(event, None)
        return status, self.server.heard

    def verify(self):
        """What docs/integrations.md tells receivers to do."""
        page = (ROOT / "docs/integrations.md").read_text()
        (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        module = types.ModuleType("receiver")
        exec(compile(code, "docs/integrations.md", "exec"), module.__dict__)  # noqa: S102 - it is what is tested
        return module.verified

    def test_the_functions_are_one(self):
        codes = {resources(name, "AWS::Lambda::Function")["Function"]["Code"]["ZipFile"] for name in ("webhook", "devops-agent")}
        self.assertEqual(len(codes), 1)
        self.assertLess(len(codes.pop()), 4096, "what CloudFormation takes inline")

    def test_what_is_signed_is_what_is_sent(self):
        verified = self.verify()
        for event in [*events().values(), *map(made_hostile, events().values())]:
            status, ((headers, body),) = self.send("webhook", event)
            self.assertEqual((status, json.loads(body)), (200, event))
            self.assertTrue(verified(headers, body, KEY))
            self.assertFalse(verified(headers, body + b" ", KEY))
            self.assertFalse(verified(headers, body, "another key"))
            later = {name: value.replace("20", "19", 1) if name.endswith("imestamp") else value for name, value in headers.items()}
            self.assertFalse(verified(later, body, KEY), "an old timestamp, or one that was not signed")
            self.assertFalse(verified({}, body, KEY))

    def test_an_agent_verifies_it_as_it_documents(self):
        for event in claimed("devops-agent", "Critical").values():
            body = sent("devops-agent", "Critical", event)
            _, ((headers, raw),) = self.send("devops-agent", body)
            headers = {name.lower(): value for name, value in headers.items()}
            wanted = hmac.new(KEY.encode(), headers["x-amzn-event-timestamp"].encode() + b":" + raw, hashlib.sha256).digest()
            self.assertEqual(headers["x-amzn-event-signature"], base64.b64encode(wanted).decode())
            self.assertRegex(headers["x-amzn-event-timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual(json.loads(raw), body)

    def test_what_is_not_taken_is_a_failure_that_tells_no_secret(self):
        event = events()["the end"]
        for answer in (301, 307, 400, 403, 404, 429, 500, 503):
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), self.assertRaises(Exception) as raised:
                self.send("webhook", event, answer)
            self.assertEqual(len(self.server.heard), 1, f"{answer}: it goes nowhere else")
            text = f"{raised.exception} {said.getvalue()}"
            self.assertFalse(KEY in text or "of-a-secret-path" in text, text)

    def test_nothing_goes_out_in_the_clear(self):
        for url in ("http://localhost:1/", "ftp://localhost/x", "file:///etc/passwd"):
            with self.assertRaises(ValueError) as raised:
                self.send("webhook", events()["the end"], url=url)
            self.assertNotIn(url, str(raised.exception))
            self.assertEqual(self.server.heard, [])


if __name__ == "__main__":
    unittest.main()
