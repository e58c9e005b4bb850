"""Whether a copy is right, and not only fast."""

import hashlib
import shutil
import sys
import time

import images
import tools
from install import tool
from measure import Failed, measure
from place import CREDENTIALS, HOME, IMAGES, free_port, run
from servers import Servers

# The name and the password of place.py, by bcrypt.
HTPASSWD = "u:$2b$05$abcdefghijklmnopqrstuuqwWMzKt5N8p.u2GX5MuH1t19BMWuLOW\n"


class Registry:
    """Debian's docker-registry, started anew and empty."""

    tls = False

    def __init__(self, servers):
        data = HOME / "registry"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        (data / "htpasswd").write_text(HTPASSWD)
        self.port = free_port()
        config = data / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {data}/store}}}}\n"
            f"http: {{addr: 127.0.0.1:{self.port}}}\nauth: {{htpasswd: {{realm: local, path: {data}/htpasswd}}}}\n"
        )
        servers.start([*tool("docker-registry"), "serve", config], self.port)


def check():
    """Into docker-registry, and back with skopeo: every manifest and every blob has to be what the source has. Tells how many were."""
    with Servers() as servers:
        servers.target = Registry(servers)
        environment = tools.environment(servers)
        compared = 0
        for image in ["S", "M", "N"]:
            started = time.monotonic()
            measure(tools.steps("pullsafe", image, servers), environment)
            print(f"{image}: copied into docker-registry in {time.monotonic() - started:.2f} s", file=sys.stderr)
            for source, target in tools.pairs(image, servers, "mirror"):
                compared += compare(source, target, environment)
    return compared


def compare(source, target, environment):
    folder = HOME / "pulled"
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--all", "--preserve-digests", "--src-tls-verify=false", "--src-creds", CREDENTIALS]
    run(*tool("skopeo"), "--insecure-policy", "copy", "--quiet", *options, f"docker://{target}", f"dir:{folder}", env=environment)
    name, tag = source.split("/", 1)[1].rsplit(":", 1)
    lines = [line.split() for line in (IMAGES / "images.txt").read_text().splitlines()]
    digest = next(line[3] for line in lines if line[:3] == ["M", name, tag])
    if hashed(folder / "manifest.json") != digest:
        raise RuntimeError(f"{target} is not {digest}")
    known = {line[3] for line in lines if line[:2] == ["M", name]} | {line[2] for line in lines if line[:2] == ["B", name]}
    files = [file for file in folder.iterdir() if file.name != "version"]
    for file in files:
        if hashed(file) not in known:
            raise RuntimeError(f"{target}: {file.name} is {hashed(file)}, which the source does not have")
    return len(files)


def hashed(file):
    with file.open("rb") as content:
        return "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()


def notices(name, tls=()):
    """Whether a tool fails when a byte of a blob is not what its digest says; the light target would not."""
    with Servers(images=images.CORRUPT, tls=tls) as servers:
        try:
            measure(tools.steps(name, "S", servers), tools.environment(servers))
        except Failed:
            return True
        return False
