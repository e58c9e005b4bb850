#!/usr/bin/env python3
"""Measures the copy engine side by side with skopeo, crane and oras, and writes docs/mirror-figures.md.

    cargo build --release --package pullsafe-cli
    cargo build --release --package pullsafe --example copies --no-default-features --features registry
    tests/peers/peers.py [--runs 3] [--only M,N] [--tools pullsafe,crane] [--check] [--write]

The other tools are Debian's current packages (sid), unpacked into .e2e/peers beside the system. Needs Debian's apt, Python 3
and rustc; no root. Images are made from a seed. Source and target are `light.rs`, so that the clients are measured and not
the servers; --check copies into Debian's docker-registry instead, pulls everything back with skopeo and compares digests.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = ROOT / ".e2e" / "peers"
IMAGES = HOME / "images"
SYSTEM = HOME / "root"
PACKAGES = "skopeo crane oras docker-registry libc6 libgpgme45 libassuan9 libgpg-error0 libsqlite3-0".split()
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CLI = TARGET / "release" / "pullsafe"
MANY = TARGET / "release" / "examples" / "copies"
OCI = "application/vnd.oci.image."
# `u` with the password `p`, by bcrypt.
HTPASSWD = "u:$2b$05$abcdefghijklmnopqrstuuqwWMzKt5N8p.u2GX5MuH1t19BMWuLOW\n"
TIMEOUT = 300


if CLI.exists():
    OURS = "For N, `pullsafe` is one run of its engine (the example `copies`), else `pullsafe copy`; for N"
else:
    OURS = "`pullsafe` is its engine alone on one thread (the example `copies`); for N"


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


# The other tools.


def install():
    if (SYSTEM / "usr/bin/skopeo").exists():
        return
    apt = HOME / "apt"
    for folder in ["lists/partial", "cache/archives/partial", "debs"]:
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (apt / "sources.list").write_text(f"deb [signed-by={keys}] {archive()} sid main\n")
    (apt / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{apt}/sources.list";\nDir::Etc::sourceparts "-";\nDir::State::lists "{apt}/lists";\n'
        f'Dir::State::status "{apt}/status";\nDir::Cache "{apt}/cache";\nAcquire::Languages "none";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    run("apt-get", "-qq", "update", env=environment)
    run("apt-get", "-qq", "download", *PACKAGES, env=environment, cwd=apt / "debs")
    for package in (apt / "debs").glob("*.deb"):
        run("dpkg", "-x", package, SYSTEM)


def archive():
    """Where this machine gets Debian's packages from."""
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Codename: " + codename()]
    sites = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    if not sites:
        sys.exit("apt knows no archive of Debian: the other tools cannot be installed")
    return sites[0]


def codename():
    """The release that this machine runs."""
    fields = (line.partition("=") for line in pathlib.Path("/etc/os-release").read_text().splitlines())
    return next((value.strip('"') for name, _, value in fields if name == "VERSION_CODENAME"), "")


def tool(name):
    """A program of the unpacked packages, with their C library."""
    loader = SYSTEM / "usr/lib64/ld-linux-x86-64.so.2"
    libraries = f"{SYSTEM}/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu"
    program = SYSTEM / "usr/bin" / name
    return [str(loader), "--library-path", libraries, str(program)] if name == "skopeo" else [str(program)]


def versions():
    found = []
    for package in ["skopeo", "crane", "oras", "docker-registry"]:
        files = list(HOME.glob(f"**/debs/{package}_*.deb"))
        found.append(f"{package} {files[0].name.split('_')[1].replace('%3a', ':')}" if files else package)
    return found


# The images.


class Maker:
    def __init__(self):
        (IMAGES / "blobs").mkdir(parents=True, exist_ok=True)
        self.lines = []

    def blob(self, content):
        digest = hashlib.sha256(content).hexdigest()
        path = IMAGES / "blobs" / digest
        if not path.exists():
            path.write_bytes(content)
        return f"sha256:{digest}", len(content)

    def layer(self, seed, size):
        """Bytes that do not compress, made in pieces: a layer can be large."""
        note = IMAGES / f"layer-{seed}-{size}.txt"
        if not note.exists():
            source, hashed = random.Random(seed), hashlib.sha256()
            part = IMAGES / "part"
            with part.open("wb") as file:
                left = size
                while left:
                    piece = source.randbytes(min(left, 4 << 20))
                    hashed.update(piece)
                    file.write(piece)
                    left -= len(piece)
            part.rename(IMAGES / "blobs" / hashed.hexdigest())
            note.write_text("sha256:" + hashed.hexdigest())
        return note.read_text(), size

    def manifest(self, repository, document, media_type, tag=None):
        digest, size = self.blob(json.dumps(document, indent=2).encode())
        self.lines.append(f"M {repository} {tag or digest} {digest} {media_type}")
        return {"mediaType": media_type, "digest": digest, "size": size}

    def held(self, repository, media_type, blob):
        self.lines.append(f"B {repository} {blob[0]} {blob[1]}")
        return {"mediaType": media_type, "digest": blob[0], "size": blob[1]}

    def image(self, repository, architecture, layers, tag=None, system="linux"):
        ids = {"type": "layers", "diff_ids": [digest for digest, _ in layers]}
        config = json.dumps({"architecture": architecture, "os": system, "config": {}, "rootfs": ids}).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": OCI + "manifest.v1+json",
            "config": self.held(repository, OCI + "config.v1+json", self.blob(config)),
            "layers": [self.held(repository, OCI + "layer.v1.tar+gzip", layer) for layer in layers],
        }
        made = self.manifest(repository, document, OCI + "manifest.v1+json", tag)
        return {**made, "platform": {"architecture": architecture, "os": system}}

    def index(self, repository, tag, children):
        document = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": children}
        self.manifest(repository, document, OCI + "index.v1+json", tag)

    def attested(self, repository, child):
        statement = self.blob(json.dumps({"subject": child["digest"]}).encode())
        made = self.image(repository, "unknown", [statement], system="unknown")
        return {**made, "annotations": {"vnd.docker.reference.digest": child["digest"]}}


def make_images():
    maker, mb = Maker(), 1_000_000
    maker.image("small/s", "amd64", [maker.layer(n, size * mb) for n, size in enumerate([20, 8, 2])], "1")
    children = []
    for number, architecture in enumerate(["amd64", "arm64"]):
        sizes = [29 * mb, 12 * mb, 4_500_000]
        children.append(maker.image("middle/m", architecture, [maker.layer(f"m{number}{n}", size) for n, size in enumerate(sizes)]))
    maker.index("middle/m", "1", children + [maker.attested("middle/m", child) for child in children])
    maker.image("large/l", "amd64", [maker.layer(f"l{size}", size * mb) for size in [800, 300, 150]], "1")
    for changed in [False, True]:
        for number in range(60):
            repository, children = many(number), []
            for architecture in ["amd64", "arm64"]:
                seed = f"n{number}{architecture}{'x' if changed and number == 31 else ''}"
                layers = [maker.layer(f"base{architecture}", 5 * mb), maker.layer(seed, 100_000)]
                children.append(maker.image(repository, architecture, layers))
            maker.index(repository, f"{number}" if not changed else f"changed-{number}", children)
    whole = list(dict.fromkeys(maker.lines))
    (IMAGES / "images.txt").write_text("\n".join(line for line in whole if " changed-" not in line) + "\n")
    # The same list, with one tag moved on.
    moved = [line for line in whole if not line.startswith(f"M {many(31)} 31 ")]
    moved = [line.replace(" changed-31 ", " 31 ") for line in moved if " changed-" not in line or " changed-31 " in line]
    (IMAGES / "changed").mkdir(exist_ok=True)
    (IMAGES / "changed" / "images.txt").write_text("\n".join(moved) + "\n")
    link = IMAGES / "changed" / "blobs"
    if not link.exists():
        link.symlink_to(IMAGES / "blobs")


def many(number):
    return f"many/n{number // 20}"


# Servers.


class Servers:
    """Source and target, each as `light` or behind a line with a delay."""

    def __init__(self, round_trip, changed=False):
        self.processes = []
        folder = IMAGES / "changed" if changed else IMAGES
        self.source_port = self.light("registry", "--images", str(folder), "--token")
        self.target_port = self.light("registry", "--basic")
        self.source, self.target = self.source_port, self.target_port
        if round_trip:
            self.source = self.light("delay", str(self.source_port), str(round_trip))
            self.target = self.light("delay", str(self.target_port), str(round_trip))

    def light(self, kind, *options):
        port = free_port()
        self.start([str(HOME / "light"), kind, str(port), *options], port)
        return port

    def start(self, command, port, **options):
        self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options))
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{command} does not listen")

    def stats(self):
        return {side: json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/_stats")) for side, port in self.sides()}

    def reset(self, what):
        for _, port in self.sides():
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/{what}", method="POST"))

    def sides(self):
        return [("source", self.source_port), ("target", self.target_port)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# What each tool is told.


def pairs(image, servers, prefix="mirror"):
    names = {"S": [("small/s", "1")], "M": [("middle/m", "1")], "L": [("large/l", "1")]}
    names["N"] = [(many(number), str(number)) for number in range(60)]
    return [(f"127.0.0.1:{servers.source}/{name}:{tag}", f"127.0.0.1:{servers.target}/{prefix}/{name}:{tag}") for name, tag in names[image]]


def commands(name, image, servers, prefix="mirror"):
    """The processes to run one after the other, each with its standard input."""
    todo = pairs(image, servers, prefix)
    if name == "pullsafe" and (image == "N" or not CLI.exists()):
        return [([str(MANY)], "".join(f"{source} {target}\n" for source, target in todo))]
    if name == "pullsafe":
        return [([str(CLI), "copy", *todo[0], "--output", "json"], None)]
    if image == "N" and name in ["crane", "skopeo"]:
        repositories = dict.fromkeys((source.rsplit(":", 1)[0], target.rsplit(":", 1)[0]) for source, target in todo)
        if name == "crane":
            return [([*tool("crane"), "copy", "--all-tags", "--jobs", "8", source, target], None) for source, target in repositories]
        plain = ["--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", "u:p"]
        return [
            ([*tool("skopeo"), "sync", "--all", *plain, "--src", "docker", "--dest", "docker", source, target.rsplit("/", 1)[0]], None)
            for source, target in repositories
        ]
    if name == "crane":
        return [([*tool("crane"), "copy", source, target], None) for source, target in todo]
    if name == "skopeo":
        options = ["--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", "u:p"]
        policy = ["--insecure-policy"]
        return [([*tool("skopeo"), *policy, "copy", *options, f"docker://{source}", f"docker://{target}"], None) for source, target in todo]
    options = ["--from-plain-http", "--to-plain-http", "--to-username", "u", "--to-password", "p", "--no-tty"]
    return [([*tool("oras"), "copy", *options, source, target], None) for source, target in todo]


class Watch(threading.Thread):
    """The most memory that a process had; its rusage would count the Python that forked it."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.peak = f"/proc/{pid}/status", 0
        self.start()

    def run(self):
        try:
            while True:
                line = next(line for line in open(self.path) if line.startswith("VmHWM"))
                self.peak = int(line.split()[1])
                time.sleep(0.005)
        except (OSError, StopIteration):
            # It has ended.
            pass


def measure(todo, environment):
    started, cpu, memory = time.monotonic(), 0.0, 0
    for command, text in todo:
        stdin = subprocess.PIPE if text else subprocess.DEVNULL
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        if text:
            process.stdin.write(text.encode())
            process.stdin.close()
        watch = Watch(process.pid)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        if status != 0:
            raise RuntimeError(f"{' '.join(command)}: {errors.decode(errors='replace')[-600:]}")
        cpu += usage.ru_utime + usage.ru_stime
        memory = max(memory, watch.peak)
    return {"seconds": time.monotonic() - started, "cpu": cpu, "memory": memory / 1024}


def environment_for(servers):
    folder = HOME / "docker"
    folder.mkdir(exist_ok=True)
    hosts = {f"127.0.0.1:{servers.target}": {"auth": "dTpw"}}
    (folder / "config.json").write_text(json.dumps({"auths": hosts}))
    policy = folder / ".config" / "containers"
    policy.mkdir(parents=True, exist_ok=True)
    (policy / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_CONFIG": str(folder), "TMPDIR": str(HOME)}


CASES = [
    ("S, target empty", "S", "empty", [0, 20]),
    ("M, target empty", "M", "empty", [0, 20]),
    ("M, nothing changed", "M", "again", [20]),
    ("M, second repository, blobs present", "M", "second", [20]),
    ("L, target empty", "L", "empty", [0, 20]),
    ("N, target empty", "N", "empty", [0, 20]),
    ("N, nothing changed", "N", "again", [20]),
    ("N, one image changed", "N", "changed", [20]),
]


def case(name, image, kind, round_trip, runs):
    taken = []
    for _ in range(runs):
        with Servers(round_trip) as servers:
            environment = environment_for(servers)
            if kind != "empty":
                measure(commands("pullsafe", image, servers), environment)
            prefix = "second" if kind == "second" else "mirror"
            if kind == "changed":
                move_on(servers, round_trip)
            servers.reset("_reset_stats")
            one = measure(commands(name, image, servers, prefix), environment)
            taken.append({**one, "stats": servers.stats()})
    return taken


def move_on(servers, round_trip):
    """The source has one tag moved on: another server at the same port."""
    source = servers.processes[0]
    source.kill()
    source.wait()
    command = [str(HOME / "light"), "registry", str(servers.source_port), "--images", str(IMAGES / "changed"), "--token"]
    servers.start(command, servers.source_port)


def row(name, taken):
    if isinstance(taken, str):
        return f"| {name} | {taken} | | | | | | | |"
    middle = lambda key: statistics.median(one[key] for one in taken)
    last = taken[-1]["stats"]
    get = lambda side, key: last[side].get(key, 0)
    return (
        f"| {name} | {middle('seconds'):.2f} s | {get('source', 'requests')} | {get('source', 'GET manifest')} | {get('target', 'requests')} "
        f"| {get('target', 'bytes_in') / 1e6:.1f} MB | {get('target', 'sent_twice')} | {middle('cpu'):.2f} s | {middle('memory'):.1f} MB |"
    )


# Whether it is right, and not only fast.


def check():
    """Into docker-registry, and back with skopeo: every manifest and every blob has to be what the source has."""
    data = HOME / "registry"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    (data / "htpasswd").write_text(HTPASSWD)
    with Servers(0) as servers:
        port = free_port()
        config = data / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {data}/store}}}}\n"
            f"http: {{addr: 127.0.0.1:{port}}}\nauth: {{htpasswd: {{realm: local, path: {data}/htpasswd}}}}\n"
        )
        servers.start([*tool("docker-registry"), "serve", str(config)], port)
        servers.target = port
        environment = environment_for(servers)
        compared = 0
        for image in ["S", "M", "N"]:
            started = time.monotonic()
            measure(commands("pullsafe", image, servers), environment)
            print(f"{image}: copied into docker-registry in {time.monotonic() - started:.2f} s", file=sys.stderr)
            for source, target in pairs(image, servers):
                compared += compare(source, target, environment)
    return compared


def compare(source, target, environment):
    folder = HOME / "pulled"
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--all", "--preserve-digests", "--src-tls-verify=false", "--src-creds", "u:p"]
    run(*tool("skopeo"), "--insecure-policy", "copy", "--quiet", *options, f"docker://{target}", f"dir:{folder}", env=environment)
    name, tag = source.split("/", 1)[1].rsplit(":", 1)
    lines = [line.split() for line in (IMAGES / "images.txt").read_text().splitlines()]
    digest = next(line[3] for line in lines if line[:3] == ["M", name, tag])
    if hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest() != digest.removeprefix("sha256:"):
        raise RuntimeError(f"{target} is not {digest}")
    known = {line[3] for line in lines if line[:2] == ["M", name]} | {line[2] for line in lines if line[:2] == ["B", name]}
    count = 0
    for file in folder.iterdir():
        if file.name == "version":
            continue
        found = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
        if found not in known:
            raise RuntimeError(f"{target}: {file.name} is {found}, which the source does not have")
        count += 1
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="S,M,L,N")
    parser.add_argument("--tools", default="pullsafe,skopeo,crane,oras")
    parser.add_argument("--check", action="store_true", help="only pull everything back and compare")
    parser.add_argument("--write", action="store_true", help="write docs/mirror-figures.md")
    parser.add_argument("--round-trips", default="0,20")
    arguments = parser.parse_args()
    HOME.mkdir(parents=True, exist_ok=True)
    install()
    run("rustc", "--edition", "2024", "-O", "-o", str(HOME / "light"), str(pathlib.Path(__file__).with_name("light.rs")))
    make_images()
    if arguments.check:
        print(f"{check()} files pulled back by skopeo are byte for byte what the source has")
        return
    lines, load = [], os.getloadavg()[0]
    round_trips = [int(number) for number in arguments.round_trips.split(",")]
    for title, image, kind, wanted in CASES:
        if image not in arguments.only.split(",") or kind == "second" and not CLI.exists():
            continue
        for round_trip in [number for number in wanted if number in round_trips]:
            lines += ["", f"## {title}, {'loopback' if not round_trip else f'{round_trip} ms round trip'}", ""]
            lines += ["| | time | requests, source | manifest GETs | requests, target | bytes to target | sent twice | CPU | peak RSS |"]
            lines += ["|---|---|---|---|---|---|---|---|---|"]
            for name in arguments.tools.split(","):
                try:
                    lines.append(row(name, case(name, image, kind, round_trip, arguments.runs)))
                except RuntimeError as error:
                    lines.append(row(name, "failed"))
                    print(error, file=sys.stderr)
                print(lines[-1], file=sys.stderr)
    table = "\n".join(lines)
    print(table)
    if arguments.write:
        compared = check()
        cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
        head = (
            "# The copy engine beside other tools\n\nMade by `tests/peers/peers.py --write`, which says what it needs. "
            f"Taken on {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {cpu}, load average {load:.1f} before the first run; the median of {arguments.runs}. "
            f"{', '.join(versions())} (Debian).\n\n"
            "S has 3 layers and 30 MB. M is an index of 2 platforms and 2 attestations, 91 MB. L has 1.25 GB, one layer of it 800 MB. N is 60\n"
            "indexes of 2 platforms on shared bases, in 3 repositories of 20 tags. Source and target are servers that do as little as they\n"
            "can (`tests/peers/light.rs`); the source wants a token, the target a password. A round trip of 20 ms is a line that lets each\n"
            f"connection have TCP's window in flight, at most 2.8 MB. {OURS}, crane copies\n"
            "whole repositories with 8 jobs, skopeo syncs whole repositories, oras copies one tag after the other.\n\n"
            f"Copied into Debian's docker-registry and pulled back by skopeo, S, M and N were compared with the source digest by digest:\n"
            f"{compared} files, all the same (`tests/peers/peers.py --check`)."
        )
        (ROOT / "docs" / "mirror-figures.md").write_text(head + "\n" + table + "\n")


if __name__ == "__main__":
    main()
