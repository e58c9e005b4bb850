"""An emulated AWS for one trial, on a free port, and the SDK's clients for it."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import boto3
import tools
from botocore.config import Config

ACCOUNT, REGION = "123456789012", "us-east-1"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Emulator:
    """A running one."""

    def __init__(self, endpoint: str, log: Path):
        self.endpoint, self.log = endpoint, log

    def client(self, service: str):
        """The SDK's client for a service. The emulator takes an access key of twelve digits for the account."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="local",
            # Without this, a request with a slow answer would be sent twice.
            config=Config(read_timeout=120, retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
        )

    def deploy(self, name: str, template: str, parameters: dict[str, str]) -> dict[str, str]:
        """Deploys as `aws cloudformation deploy --s3-bucket` does: by change set, from a bucket. Returns the outputs."""
        self.start(name, template, parameters)
        return self.finish(name)

    def update(self, name: str, template: str, changed: dict[str, str]) -> dict[str, str]:
        """Deploys anew as the same command does: what is not named keeps the value that the stack has."""
        [stack] = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        kept = [row["ParameterKey"] for row in stack["Parameters"] if row["ParameterKey"] not in changed]
        parameters = [{"ParameterKey": key, "UsePreviousValue": True} for key in kept]
        self._begin(name, template, "UPDATE", [*parameters, *_parameters(changed)])
        return self.finish(name, "UPDATE_COMPLETE")

    def start(self, name: str, template: str, parameters: dict[str, str]) -> None:
        """Starts a deployment."""
        self._begin(name, template, "CREATE", _parameters(parameters))

    def _begin(self, name: str, template: str, kind: str, parameters: list[dict]) -> None:
        cloudformation, s3 = self.client("cloudformation"), self.client("s3")
        s3.create_bucket(Bucket="templates")
        s3.put_object(Bucket="templates", Key=f"{name}.template", Body=template.encode())
        change_set = f"trial-{kind.lower()}"
        cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType=kind,
            TemplateURL=f"{self.endpoint}/templates/{name}.template",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=parameters,
        )
        until(f"the change set of {name}", lambda: self._change_set(cloudformation, name, change_set))
        cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)

    def finish(self, name: str, state: str = "CREATE_COMPLETE") -> dict[str, str]:
        """Waits until a stack is in a state, and returns its outputs."""
        cloudformation = self.client("cloudformation")
        stack = until(f"the stack {name}", lambda: self._stack(cloudformation, name, state))
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _change_set(self, cloudformation, name: str, change_set: str) -> bool:
        found = cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set)
        if found["Status"] == "FAILED":
            raise AssertionError(f"the change set of {name}: {found.get('StatusReason')}; {self.log}")
        return found["Status"] == "CREATE_COMPLETE"

    def _stack(self, cloudformation, name: str, state: str) -> dict | None:
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        if stack["StackStatus"] == state:
            return stack
        if stack["StackStatus"].endswith("_FAILED") or "ROLLBACK" in stack["StackStatus"]:
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            failed = [
                f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in events if e["ResourceStatus"].endswith("FAILED")
            ]
            raise AssertionError(f"{name} is {stack['StackStatus']}: {'; '.join(failed)}; {self.log}")
        return None

    def push(self, image) -> None:
        """Pushes an image (`hub.Hub`) to the emulated ECR, as `docker push` does."""
        token = self.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        headers = {"authorization": f"Basic {token}"}
        for kind, content, path in image.uploads():
            if kind == "blob":
                repository, digest = path
                location = _call("POST", f"{self.endpoint}/v2/{repository}/blobs/uploads/", headers, b"").headers["location"]
                location = location if location.startswith("http") else self.endpoint + location
                _call("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}", headers, content)
            else:
                _call("PUT", f"{self.endpoint}{path}", {**headers, "content-type": kind}, content)


def _parameters(values: dict[str, str]) -> list[dict]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def _call(method: str, url: str, headers: dict[str, str], body: bytes):
    return urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=30)


def until(what: str, look, patience: float = 60):
    """Looks again and again until something is there."""
    end = time.monotonic() + patience
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience:.0f} s: {what}")
        time.sleep(0.1)
    return found


class NothingScales(http.server.BaseHTTPRequestHandler):
    """Application Auto Scaling, which the emulator does not have: no service is scaled."""

    def do_POST(self):  # noqa: N802 - the name that the library asks for
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b'{"ScalableTargets": []}'
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""


@contextlib.contextmanager
def scaling():
    """Its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NothingScales)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@contextlib.contextmanager
def running():
    """Starts an emulator, and ends it with everything that it has started."""
    program, port = tools.emulator(), free_port()
    endpoint = f"http://127.0.0.1:{port}"
    log = tools.HOME / "release-emulator.log"
    with tempfile.TemporaryDirectory() as scratch, log.open("wb") as output, scaling() as scaler:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULLSAFE_"))},
            "TMPDIR": scratch,
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            # The emulator passes its environment on to the functions.
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": scaler,
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
        }
        process = subprocess.Popen([program], env=environment, stdout=output, stderr=output, start_new_session=True)
        try:
            until("the emulator answers", lambda: process.poll() is not None or _answers(f"{endpoint}/_ministack/health"))
            if process.poll() is not None:
                raise AssertionError(f"the emulator ended with {process.returncode}; {log}")
            yield Emulator(endpoint, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def _answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False
