"""Source and target: light servers, each near or behind a line with a delay."""

import collections
import socket
import subprocess
import time
import urllib.error
import urllib.request

from images import IMAGES
from place import BASIC, LIGHT, free_port


class Entry(collections.namedtuple("Entry", "method kind status bytes_in bytes_out note path")):
    """A request, by the access log (see light/log.rs)."""

    @classmethod
    def of(cls, line):
        method, kind, status, bytes_in, bytes_out, note, path = line.split(" ", 6)
        return cls(method, kind, int(status), int(bytes_in), int(bytes_out), note, path)


class Light:
    """One registry, and the line to it."""

    def __init__(self, servers, options, round_trip=0):
        self.servers, self.own_port = servers, free_port()
        self.process = None
        self.start(options)
        self.port = self.own_port
        if round_trip:
            self.port = free_port()
            servers.start([LIGHT, "delay", self.port, self.own_port, round_trip], self.port)

    def start(self, options):
        """Starts it, again with other content where it runs."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = self.servers.start([LIGHT, "registry", self.own_port, *options], self.own_port)

    def log(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.own_port}/_log") as answer:
            lines = answer.read().decode().splitlines()
        return [Entry.of(line) for line in lines]

    def forget(self):
        self.ask("POST", "/_forget")

    def digest(self, repository, tag):
        """What a tag means here; `None` where there is no such tag."""
        try:
            return self.ask("HEAD", f"/v2/{repository}/manifests/{tag}")["docker-content-digest"]
        except urllib.error.HTTPError:
            return None

    def ask(self, method, path):
        headers = {"Authorization": f"Basic {BASIC}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.own_port}{path}", method=method, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return answer.headers


class Servers:
    """A source that wants a token, and a target that wants a password; round trips in milliseconds."""

    def __init__(self, source_round_trip=0, target_round_trip=0, images=IMAGES):
        self.processes = []
        self.source = Light(self, ["--images", images, "--token"], source_round_trip)
        self.target = Light(self, ["--basic"], target_round_trip)

    def start(self, command, port):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return process
            time.sleep(0.025)
        raise RuntimeError(f"{command} does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
