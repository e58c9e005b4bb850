"""Source and target: light servers, each near or behind a line with a delay."""

import collections
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from images import IMAGES
from place import AUTHORITY, BASIC, LIGHT, free_port


class Entry(collections.namedtuple("Entry", "method kind status bytes_in bytes_out note path")):
    """A request, by the access log (see light/log.rs)."""

    @classmethod
    def of(cls, line):
        method, kind, status, bytes_in, bytes_out, note, path = line.split(" ", 6)
        return cls(method, kind, int(status), int(bytes_in), int(bytes_out), note, path)


class Line(collections.namedtuple("Line", "round_trip to_client from_client", defaults=[0, 0, 0])):
    """How the line to a server is: milliseconds, and bytes a second of one connection, 0 where it sets no limit."""

    def options(self):
        named = [("--round-trip", self.round_trip), ("--to-client", self.to_client), ("--from-client", self.from_client)]
        return [word for name, value in named if value for word in (name, value)]


class Light:
    """One registry, behind a line or not; `--tls` among the options is for clients with TLS alone."""

    def __init__(self, servers, options, line=0):
        self.servers, self.port, self.line = servers, free_port(), line if isinstance(line, Line) else Line(line)
        self.tls = "--tls" in options
        self.process = None
        self.start(options)

    def start(self, options):
        """Starts it, again with other content where it runs."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = self.servers.start([LIGHT, "registry", self.port, *options, *self.line.options()], self.port)

    def log(self):
        lines = self.ask("GET", "/_log").read().decode().splitlines()
        return [Entry.of(line) for line in lines]

    def forget(self):
        self.ask("POST", "/_forget")

    def digest(self, repository, tag):
        """What a tag means here; `None` where there is no such tag."""
        try:
            return self.ask("HEAD", f"/v2/{repository}/manifests/{tag}").headers["docker-content-digest"]
        except urllib.error.HTTPError:
            return None

    def ask(self, method, path):
        headers = {"Authorization": f"Basic {BASIC}"}
        scheme, context = ("https", ssl.create_default_context(cafile=AUTHORITY)) if self.tls else ("http", None)
        request = urllib.request.Request(f"{scheme}://127.0.0.1:{self.port}{path}", method=method, headers=headers)
        return urllib.request.urlopen(request, context=context)


class Servers:
    """A source that wants a token, and a target that wants a password; a line is a `Line`, or its round trip in milliseconds."""

    def __init__(self, source_line=0, target_line=0, images=IMAGES, tls=()):
        self.processes = []
        self.source = Light(self, ["--images", images, "--token", *tls], source_line)
        self.target = Light(self, ["--basic", *tls], target_line)

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
