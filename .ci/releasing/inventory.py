"""What is built in: an inventory of every crate (CycloneDX), and a statement of how the files were made (in-toto, SLSA)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tomllib

from . import project
from .project import Fault

PACKAGES = ["remediator", "mirror", "image-gate", "widget", "probe", "pullsafe-cli"]
"""The packages whose programs are released."""


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=project.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Fault(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def metadata() -> dict:
    """What cargo knows of the project and of everything that it depends on."""
    return json.loads(_output("cargo", "metadata", "--format-version", "1", "--locked"))


def built_in(meta: dict) -> tuple[dict[str, dict], dict[str, set[str]]]:
    """The packages that are in our programs or that build them, by id, and what each depends on. Without what only tests need."""
    packages = {package["id"]: package for package in meta["packages"]}
    nodes = {node["id"]: node for node in meta["resolve"]["nodes"]}
    ours = [id for id in meta["workspace_members"] if packages[id]["name"] in PACKAGES]
    missing = set(PACKAGES) - {packages[id]["name"] for id in ours}
    if missing:
        raise Fault(f"the workspace has no package {', '.join(sorted(missing))}")
    seen: dict[str, set[str]] = {}
    waiting = list(ours)
    while waiting:
        id = waiting.pop()
        if id in seen:
            continue
        # A dependency with the kind null is a normal one. Dependencies for systems other than Linux do not count.
        seen[id] = {
            dep["pkg"]
            for dep in nodes[id]["deps"]
            if any(kind["kind"] != "dev" and _for_linux(kind["target"]) for kind in dep["dep_kinds"])
        }
        waiting += seen[id]
    return {id: packages[id] for id in seen}, seen


def _for_linux(target: str | None) -> bool:
    return target is None or not any(word in target for word in ("windows", "macos", "wasm", "apple", "android", "redox", "hermit"))


def _checksums() -> dict[tuple[str, str], str]:
    lock = tomllib.loads((project.ROOT / "Cargo.lock").read_text())
    return {(package["name"], package["version"]): package["checksum"] for package in lock["package"] if "checksum" in package}


def bill(meta: dict, version: str, sums: dict[str, str]) -> dict:
    """The inventory: every crate with its licence and its checksum, and every file of the release with its own."""
    packages, depends = built_in(meta)
    checksums = _checksums()

    def reference(id: str) -> str:
        return f"pkg:cargo/{packages[id]['name']}@{packages[id]['version']}"

    crates = []
    for id in sorted(packages, key=reference):
        package = packages[id]
        crate = {"type": "library", "bom-ref": reference(id), "name": package["name"], "version": package["version"], "purl": reference(id)}
        if package["license"]:
            # In Cargo, `/` is an old way to write OR.
            crate["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if sum := checksums.get((package["name"], package["version"])):
            crate["hashes"] = [{"alg": "SHA-256", "content": sum}]
        crates.append(crate)
    files = [
        {"type": "file", "bom-ref": f"file:{name}", "name": name, "version": version, "hashes": [{"alg": "SHA-256", "content": sum}]}
        for name, sum in sorted(sums.items())
    ]
    whole = f"pkg:generic/pullsafe@{version}"
    roots = sorted(reference(id) for id in packages if packages[id]["name"] in PACKAGES)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": whole,
                "name": "pullsafe",
                "version": version,
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
                "externalReferences": [{"type": "vcs", "url": project.repository()}],
            }
        },
        "components": crates + files,
        "dependencies": [
            {"ref": whole, "dependsOn": roots},
            *(
                {"ref": reference(id), "dependsOn": sorted({reference(other) for other in depends[id]})}
                for id in sorted(packages, key=reference)
            ),
        ],
    }


def provenance(version: str, sums: dict[str, str], tools: list[str]) -> dict:
    """How the files came about: from which commit, with which tools, built by whom. The forge signs the same sums."""
    commit = _output("git", "rev-parse", "HEAD").strip()
    changed = bool(_output("git", "status", "--porcelain", "--untracked-files=no").strip())
    server, run = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_RUN_ID")
    home = f"{server}/{os.environ.get('GITHUB_REPOSITORY')}" if server else project.repository()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": sum}} for name, sum in sorted(sums.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{project.repository()}/blob/main/.ci/release",
                "externalParameters": {"version": version, "changed": changed},
                "internalParameters": {"tools": tools},
                "resolvedDependencies": [
                    {"uri": f"git+{home}", "digest": {"gitCommit": commit}},
                    {"name": "Cargo.lock", "digest": {"sha256": hashlib.sha256((project.ROOT / "Cargo.lock").read_bytes()).hexdigest()}},
                ],
            },
            "runDetails": {
                "builder": {"id": f"{home}/actions/runs" if run else "https://slsa.dev/provenance/v1#local"},
                "metadata": {"invocationId": f"{home}/actions/runs/{run}"} if run else {},
            },
        },
    }
