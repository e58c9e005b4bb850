"""Every program starts on its architecture, under user emulation where it is not this machine's, and answers."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import os
import platform
import queue
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest
import zipfile
from pathlib import Path

import folder
from folder import HERE, ROOT, made, project

EMULATORS = {"arm64": ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"], "x86_64": ["qemu-x86_64", "-L", "/usr/x86_64-linux-gnu"]}
MACHINES = {"aarch64": "arm64", "x86_64": "x86_64"}
# Events that the functions can answer without an answer from AWS.
EVENT = json.loads((ROOT / "events/task-running.json").read_text())
EVENTS = {"widget": {"describe": True}}


def command(architecture: str, program: Path) -> list[str]:
    """How a program is started here."""
    if MACHINES.get(platform.machine()) == architecture:
        return [str(program)]
    emulator = EMULATORS[architecture]
    if shutil.which(emulator[0]) is None:
        raise AssertionError(f"{emulator[0]} is needed to try {architecture} (Debian: qemu-user)")
    return [*emulator, str(program)]


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    """As much of Lambda's Runtime API as one event takes."""

    def do_GET(self):  # noqa: N802 - the name that the library asks for
        event = self.server.events.get()
        if event is None:
            return
        body = json.dumps(event).encode()
        self.send_response(200)
        for name, value in {
            "lambda-runtime-aws-request-id": "11111111-2222-4333-8444-555555555555",
            "lambda-runtime-deadline-ms": str(int(time.time() * 1000) + 60_000),
            "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:tried",
            "content-type": "application/json",
            "content-length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.answers.put((self.path.rsplit("/", 1)[1], body))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def runtime_api():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    server.daemon_threads = True
    server.events, server.answers = queue.Queue(), queue.Queue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.events.put(None)
        server.shutdown()
        server.server_close()


def settings(address: str) -> dict[str, str]:
    """What the stack gives the functions, as far as they cannot start without it. Nobody answers at AWS's address."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "tried",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_STREAM_NAME": "tried",
        "AWS_LAMBDA_LOG_GROUP_NAME": "tried",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "PULLSAFE_TABLE": "tried",
        "PULLSAFE_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:tried",
        "PULLSAFE_QUEUE_URL": "http://127.0.0.1:9/123456789012/tried",
        "PULLSAFE_WAKER_ARN": "arn:aws:lambda:us-east-1:123456789012:function:tried",
        "PULLSAFE_PROBE_SUBNETS": "subnet-0a1b2c3d",
        "PULLSAFE_MIRROR_REGISTRY": "123456789012.dkr.ecr.us-east-1.amazonaws.com",
    }


class Functions(unittest.TestCase):
    def test_each_answers_one_event(self):
        for architecture in folder.architectures():
            for function in project.functions():
                with self.subTest(f"{function}, {architecture}"), tempfile.TemporaryDirectory() as place, runtime_api() as api:
                    program = Path(place, "bootstrap")
                    program.write_bytes(zipfile.ZipFile(HERE / project.zip_name(function, architecture)).read("bootstrap"))
                    program.chmod(0o755)
                    api.events.put(EVENTS.get(function, EVENT))
                    environment = settings(f"127.0.0.1:{api.server_port}")
                    log = Path(place, "log")
                    with log.open("wb") as output:
                        process = subprocess.Popen(command(architecture, program), env=environment, stdout=output, stderr=output)
                        try:
                            kind, body = api.answers.get(timeout=60)
                        except queue.Empty:
                            self.fail(f"no answer: {log.read_text()}")
                        finally:
                            process.kill()
                            process.wait()
                    self.assertIn(kind, {"response", "error"}, body)
                    json.loads(body)
                    self.assertNotIn("panicked", log.read_text())
                    if function in {"remediator", "widget"}:
                        self.assertEqual(kind, "response", body)


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)

    def run_it(self, architecture: str, *arguments: str, **more) -> subprocess.CompletedProcess:
        with tarfile.open(HERE / made.command_archive(architecture)) as archive:
            self.assertEqual(sorted(archive.getnames()), ["LICENSE-APACHE", "LICENSE-MIT", "pullsafe"])
            archive.extractall(self.place.name, filter="data")
        program = command(architecture, Path(self.place.name, "pullsafe"))
        return subprocess.run([*program, *arguments], capture_output=True, text=True, check=False, timeout=60, **more)

    def test_it_says_its_version(self):
        for architecture in folder.architectures():
            with self.subTest(architecture):
                self.assertEqual(self.run_it(architecture, "--version").stdout, f"pullsafe {project.version()}\n")

    def test_from_the_archive_to_a_diagnosis_in_five_seconds(self):
        for architecture in folder.architectures():
            with self.subTest(architecture):
                begin = time.monotonic()
                done = self.run_it(architecture, "diagnose", "--output", "json", str(ROOT / "events/task-stopped-hub-quota.json"))
                self.assertEqual(json.load(io.StringIO(done.stdout))["cause"], "registry-rate-limited", done.stderr)
                if MACHINES.get(platform.machine()) == architecture:
                    self.assertLess(time.monotonic() - begin, 5)


if __name__ == "__main__":
    unittest.main()
