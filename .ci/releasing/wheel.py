"""The command line as a Python wheel, as pre-commit, pipx and uv take a program that is built already. There is no Python in it."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path

from . import elf, project

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}


def name(architecture: str) -> str:
    """The file's name, from which installers know whom it suits: glibc as `elf` checks it, and the machine."""
    return f"pullsafe-{project.version()}-py3-none-manylinux_{elf.GLIBC[0]}_{elf.GLIBC[1]}_{MACHINES[architecture]}.whl"


def wheel(binary: Path, architecture: str) -> bytes:
    """The wheel: the program among its scripts, and what installers ask for."""
    whole = f"pullsafe-{project.version()}"
    tag = name(architecture).removeprefix(f"{whole}-").removesuffix(".whl")
    licences = {f"{whole}.dist-info/licenses/{file}": (project.ROOT / file).read_bytes() for file in ("LICENSE-APACHE", "LICENSE-MIT")}
    metadata = (
        f"Metadata-Version: 2.4\nName: pullsafe\nVersion: {project.version()}\n"
        "Summary: Finds the container images that a repository pulls from Docker Hub, and says why ECS tasks cannot pull\n"
        f"Project-URL: Source, {project.repository()}\nLicense-Expression: MIT OR Apache-2.0\n"
        "License-File: LICENSE-APACHE\nLicense-File: LICENSE-MIT\nRequires-Python: >=3.8\n"
    )
    files = {
        f"{whole}.data/scripts/{project.COMMAND}": binary.read_bytes(),
        f"{whole}.dist-info/METADATA": metadata.encode(),
        f"{whole}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: pullsafe\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
        **licences,
    }
    record = "".join(f"{path},sha256={_sum(content)},{len(content)}\n" for path, content in files.items())
    files[f"{whole}.dist-info/RECORD"] = f"{record}{whole}.dist-info/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            mode = 0o100755 if path.endswith(f"/{project.COMMAND}") else 0o100644
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, mode << 16
            archive.writestr(entry, content, compresslevel=6)
    return packed.getvalue()


def _sum(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
