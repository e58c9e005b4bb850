"""Where everything is, and what more than one module needs."""

import base64
import os
import pathlib
import socket
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
HOME = ROOT / ".e2e" / "peers"
IMAGES = HOME / "images"
DOCUMENT = ROOT / "docs" / "mirror-figures.md"
LARGE_DOCUMENT = ROOT / "docs" / "large-image.md"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

LIGHT = TARGET / "peers" / "release" / "light"
COPIES = TARGET / "release" / "examples" / "copies"
OCI_CLIENT = TARGET / "peers" / "release" / "peer-oci-client"

# A certificate authority of our own, and its certificate for a server on this machine.
AUTHORITY, CERTIFICATE, KEY = (HOME / "tls" / name for name in ["authority.pem", "server.pem", "server.key"])

# A light server accepts any name and password; docker-registry's file has these.
USER, PASSWORD = "u", "p"
CREDENTIALS = f"{USER}:{PASSWORD}"
BASIC = base64.b64encode(CREDENTIALS.encode()).decode()


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
