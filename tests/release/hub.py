"""Docker Hub's stand-in for one image: it serves manifests and blobs, by tag and by digest, and remembers who asked for what."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Hub:
    """What is served, and what was asked."""

    def __init__(self, repository: str, tag: str):
        layer = f"the only layer of {repository}:{tag}\n".encode()
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}
        ).encode()
        parts = [("application/vnd.oci.image.config.v1+json", config), ("application/vnd.oci.image.layer.v1.tar", layer)]
        described = [{"mediaType": kind, "digest": digest(content), "size": len(content)} for kind, content in parts]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}).encode()
        self.digest = digest(manifest)
        self.repository, self.tag, self.parts, self.manifest = repository, tag, parts, manifest
        manifests = {f"/v2/{repository}/manifests/{name}": (MANIFEST, manifest) for name in (tag, self.digest)}
        blobs = {f"/v2/{repository}/blobs/{digest(content)}": ("application/octet-stream", content) for _, content in parts}
        self.served = {"/v2/": ("application/json", b"{}"), **manifests, **blobs}
        self.asked: list[tuple[str, str]] = []
        self.endpoint = ""

    def uploads(self):
        """What a push of it sends, in order: blobs as (`blob`, content, (repository, digest)), the manifest as (type, content, path)."""
        for _, content in self.parts:
            yield "blob", content, (self.repository, digest(content))
        yield MANIFEST, self.manifest, f"/v2/{self.repository}/manifests/{self.tag}"

    def manifests_asked(self) -> list[tuple[str, str]]:
        """Method and name of every request for a manifest."""
        return [(method, path.rsplit("/", 1)[1]) for method, path in self.asked if "/manifests/" in path]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 - the name that the library asks for
        hub = self.server.hub
        hub.asked.append((self.command, self.path))
        kind, content = hub.served.get(self.path, (None, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "not here"}]}'))
        self.send_response(200 if kind else 404)
        self.send_header("content-type", kind or "application/json")
        self.send_header("content-length", str(len(content)))
        if kind == MANIFEST:
            self.send_header("docker-content-digest", digest(content))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(repository: str, tag: str):
    """A hub that answers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.hub = Hub(repository, tag)
    server.hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.hub
    finally:
        server.shutdown()
        server.server_close()
