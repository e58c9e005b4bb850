"""The release folder: every file of a release, their sums, and what is said about them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from . import archives, elf, image, inventory, project, template, wheel
from .archives import Entry

SUMS = "SHA256SUMS"
TEMPLATE = "pullsafe.yaml"
BILL = "sbom.cdx.json"
PROVENANCE = "provenance.intoto.json"
NOTES = "NOTES.md"


def command_archive(architecture: str) -> str:
    """The file with the command line for one architecture."""
    return f"pullsafe-{project.TARGETS[architecture]}.tar.gz"


def image_archive() -> str:
    """The file with the image."""
    return "pullsafe-oci.tar"


def artifacts(programs: dict[str, dict[str, Path]], certificates: bytes, glibc: tuple[int, ...] = elf.GLIBC) -> dict[str, bytes]:
    """What is made of the programs alone, and so is the same for the same programs."""
    version = project.version()
    for architecture, paths in programs.items():
        for path in paths.values():
            elf.check(path, architecture, glibc)
    files = {TEMPLATE: template.packaged((project.ROOT / "template.yaml").read_text(), version).encode()}
    licences = [Entry(name, (project.ROOT / name).read_bytes()) for name in ("LICENSE-APACHE", "LICENSE-MIT")]
    for architecture, paths in programs.items():
        for function in project.functions():
            files[project.zip_name(function, architecture)] = archives.function_zip(paths[function])
        command = Entry(project.COMMAND, paths[project.COMMAND].read_bytes(), 0o755)
        files[command_archive(architecture)] = archives.compressed(archives.tar([command, *licences]))
        files[wheel.name(architecture)] = wheel.wheel(paths[project.COMMAND], architecture)
    commands = {architecture: paths[project.COMMAND] for architecture, paths in programs.items()}
    files[image_archive()] = image.layout(commands, version, project.repository(), certificates)
    return files


def sums(files: dict[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _document(value: dict) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def notes(files: dict[str, bytes]) -> str:
    """What is new, and what each file is for."""
    version = project.version()
    changes = project.change_notes((project.ROOT / "CHANGELOG.md").read_text(), version)
    kinds = {
        ".zip": "a function, as Lambda takes it",
        ".tar.gz": "the command line, for Linux with glibc 2.34 or newer",
        ".whl": "the command line for pre-commit, pipx and uv",
        ".yaml": "the packaged template: the stack without a toolchain",
        ".tar": "the command line as an OCI image",
    }
    rows = [
        f"| `{name}` | {next(text for ending, text in kinds.items() if name.endswith(ending))} | {len(content):,} | `{sum}` |"
        for (name, content), sum in zip(sorted(files.items()), [sum for _, sum in sorted(sums(files).items())], strict=True)
    ]
    table = "\n".join(["| File | | Bytes | SHA-256 |", "|---|---|---|---|", *rows])
    address = project.repository()
    return (
        f"# pullsafe {version}\n\n{changes}\n## Files\n\n{table}\n\n"
        f"Deploy: [docs/deploy.md]({address}/blob/v{version}/docs/deploy.md). "
        f"Check: `sha256sum --check --ignore-missing {SUMS}`, `gh attestation verify FILE --repo {address.removeprefix('https://github.com/')}`.\n"
    )


def write(output: Path, files: dict[str, bytes], tools: list[str]) -> None:
    """Writes the release folder anew."""
    version = project.version()
    made = dict(files)
    made[BILL] = _document(inventory.bill(inventory.metadata(), version, sums(files)))
    made[PROVENANCE] = _document(inventory.provenance(version, sums(made), tools))
    made[NOTES] = notes(files).encode()
    lines = [f"{sum}  {name}\n" for name, sum in sorted(sums(made).items())]
    made[SUMS] = "".join(lines).encode()
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    for name, content in made.items():
        (output / name).write_bytes(content)
