"""The command line as an OCI image, made without a container engine: the program, the libraries that it names, and certificates.

The layout is a tar that `skopeo`, `crane` and `podman load` understand. It holds an index with one image for each architecture.
There is no shell and no package in it, and it runs as nobody.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from . import archives, elf
from .archives import Entry
from .project import COMMAND, Fault

OCI = {"arm64": "arm64", "x86_64": "amd64"}
"""What images call the architectures."""

SEARCH = {
    "arm64": ["/usr/aarch64-linux-gnu/lib", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64"],
    "x86_64": ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/x86_64-linux-gnu/lib"],
}
"""Where a Linux keeps its libraries, its own and those of a cross compiler."""

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Blob:
    """A part of an image, under the name that is its content's."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.content).hexdigest()

    def descriptor(self, **more) -> dict:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content), **more}


def _json(value: dict, media_type: str) -> Blob:
    return Blob(json.dumps(value, separators=(",", ":"), sort_keys=True).encode(), media_type)


def libraries(program: elf.Program, search: list[Path]) -> list[tuple[str, Path]]:
    """The loader and every library that a program names, and that these name: where each belongs, and where it is here."""
    if program.interpreter is None:
        return []
    found: dict[str, Path] = {}
    wanted = [program.interpreter.rsplit("/", 1)[1], *program.libraries]
    while wanted:
        name = wanted.pop(0)
        if name in found:
            continue
        path = next((folder / name for folder in search if (folder / name).is_file()), None)
        if path is None:
            places = ", ".join(str(folder) for folder in search)
            raise Fault(f"the image needs {name} for {program.architecture}, and it is not in {places}")
        library = elf.read(path)
        if library.architecture != program.architecture:
            raise Fault(f"{path} is for {library.architecture}, and not for {program.architecture}")
        found[name] = path
        wanted += library.libraries
    loader = program.interpreter.rsplit("/", 1)[1]
    # /usr/lib is where the loader looks without configuration, so all libraries go into this one folder.
    return [(program.interpreter if name == loader else f"/usr/lib/{name}", path) for name, path in sorted(found.items())]


def _folders(names: list[str]) -> list[Entry]:
    folders = {"/".join(parts[:length]) for parts in (name.split("/") for name in names) for length in range(1, len(parts))}
    return [Entry(name) for name in sorted(folders)]


def _layer(files: list[Entry]) -> tuple[Blob, str]:
    """A layer, and its digest before it was compressed."""
    plain = archives.tar([*_folders([file.name for file in files]), *sorted(files, key=lambda file: file.name)])
    return Blob(archives.compressed(plain), "application/vnd.oci.image.layer.v1.tar+gzip"), "sha256:" + hashlib.sha256(plain).hexdigest()


def _image(binary: Path, architecture: str, certificates: bytes, labels: dict[str, str], search: list[Path]) -> tuple[Blob, list[Blob]]:
    program = elf.read(binary)
    base = [Entry(place.lstrip("/"), path.read_bytes(), 0o755) for place, path in libraries(program, search)]
    base += [
        Entry(CERTIFICATES, certificates),
        Entry("etc/passwd", b"root:x:0:0:root:/:/none\nnobody:x:65534:65534:nobody:/:/none\n"),
        Entry("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
    ]
    layers = [_layer(base), _layer([Entry(f"usr/bin/{COMMAND}", binary.read_bytes(), 0o755)])]
    config = _json(
        {
            "architecture": OCI[architecture],
            "os": "linux",
            "config": {
                "Entrypoint": [f"/usr/bin/{COMMAND}"],
                "Env": ["PATH=/usr/bin", f"SSL_CERT_FILE=/{CERTIFICATES}"],
                "User": "65534:65534",
                "WorkingDir": "/",
                "Labels": labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [plain for _, plain in layers]},
            "history": [{"created_by": "libraries, certificates"}, {"created_by": COMMAND}],
        },
        "application/vnd.oci.image.config.v1+json",
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor(),
            "layers": [layer.descriptor() for layer, _ in layers],
            "annotations": labels,
        },
        "application/vnd.oci.image.manifest.v1+json",
    )
    return manifest, [config, *(layer for layer, _ in layers)]


def layout(binaries: dict[str, Path], version: str, source: str, certificates: bytes, search: dict[str, list[str]] | None = None) -> bytes:
    """The image of these binaries as the tar of an OCI image layout."""
    labels = {
        "org.opencontainers.image.title": COMMAND,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.source": source,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
    }
    blobs: list[Blob] = []
    manifests = []
    for architecture, binary in sorted(binaries.items()):
        folders = [Path(folder) for folder in (search or SEARCH)[architecture]]
        manifest, parts = _image(binary, architecture, certificates, labels, folders)
        blobs += [manifest, *parts]
        manifests.append(manifest.descriptor(platform={"os": "linux", "architecture": OCI[architecture]}))
    media_type = "application/vnd.oci.image.index.v1+json"
    top = _json({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests, "annotations": labels}, media_type)
    named = top.descriptor(annotations={"org.opencontainers.image.ref.name": version})
    index = _json({"schemaVersion": 2, "mediaType": media_type, "manifests": [named]}, media_type)
    files = [
        Entry("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        Entry("index.json", index.content),
        Entry("blobs"),
        Entry("blobs/sha256"),
    ]
    unique = {blob.digest: blob for blob in [top, *blobs]}
    files += [Entry(f"blobs/{digest.replace(':', '/')}", blob.content) for digest, blob in sorted(unique.items())]
    return archives.tar(files)
