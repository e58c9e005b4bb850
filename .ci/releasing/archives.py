"""Zips and tars that come out the same for the same content, whenever and by whomever they are made."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One file of an archive; without content, a folder; with a target, a link."""

    name: str
    content: bytes | None = None
    mode: int = 0o644
    target: str | None = None


def function_zip(binary: Path) -> bytes:
    """A function as Lambda takes it: the one file `bootstrap`, executable."""
    packed = io.BytesIO()
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100755 << 16
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, binary.read_bytes(), compresslevel=9)
    return packed.getvalue()


def tar(entries: list[Entry]) -> bytes:
    """A tar of these, in this order, owned by root and from the beginning of time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.mode = entry.mode
            if entry.target is not None:
                info.type, info.linkname = tarfile.SYMTYPE, entry.target
            elif entry.content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = len(entry.content)
            archive.addfile(info, io.BytesIO(entry.content or b""))
    return packed.getvalue()


def compressed(content: bytes) -> bytes:
    """gzip, without name and time. The highest level takes four times as long for a hundredth less."""
    return gzip.compress(content, compresslevel=6, mtime=0)
