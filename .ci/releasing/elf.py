"""What a program asks of the machine that runs it: its architecture, its libraries, and the C library's version. Read from the ELF file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from .project import Fault

MACHINES = {62: "x86_64", 183: "arm64"}

LOAD, DYNAMIC, INTERPRETER = 1, 2, 3
NEEDED, STRING_TABLE, VERSION_NEEDED, VERSION_NEEDED_COUNT = 1, 5, 0x6FFF_FFFE, 0x6FFF_FFFF


@dataclass(frozen=True)
class Program:
    """What is to be known of one program."""

    architecture: str
    interpreter: str | None
    libraries: tuple[str, ...]
    versions: frozenset[str]
    """Symbol versions, such as `GLIBC_2.34`."""

    def newest_glibc(self) -> tuple[int, ...]:
        """The newest version of the C library that any symbol asks for; empty for a static program."""
        numbers = [version.removeprefix("GLIBC_") for version in self.versions if version.startswith("GLIBC_")]
        return max((tuple(int(part) for part in number.split(".")) for number in numbers if number[0].isdigit()), default=())


def read(path: Path) -> Program:
    """Reads a 64-bit little-endian ELF file, which is what both of our architectures are."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise Fault(f"{path} is no 64-bit ELF program")
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError) as error:
        raise Fault(f"{path} is a broken ELF program: {error}") from error


def _read(data: bytes) -> Program:
    machine, at, size, count = (
        struct.unpack_from("<H", data, 18)[0],
        *struct.unpack_from("<Q", data, 32),
        *struct.unpack_from("<HH", data, 54),
    )
    if machine not in MACHINES:
        raise ValueError(f"machine {machine} is none of ours")
    headers = [struct.unpack_from("<IIQQQQQQ", data, at + index * size) for index in range(count)]
    segments = [(address, length, offset) for kind, _, offset, address, _, length, _, _ in headers if kind == LOAD]

    def place(address: int) -> int:
        for begin, length, offset in segments:
            if begin <= address < begin + length:
                return address - begin + offset
        raise ValueError(f"no segment holds address {address:#x}")

    def text(offset: int) -> str:
        return data[offset : data.index(b"\0", offset)].decode()

    interpreter = next((text(offset) for kind, _, offset, *_ in headers if kind == INTERPRETER), None)
    dynamic = next(((offset, length) for kind, _, offset, _, _, length, _, _ in headers if kind == DYNAMIC), None)
    if dynamic is None:
        return Program(MACHINES[machine], interpreter, (), frozenset())
    entries = [struct.unpack_from("<QQ", data, dynamic[0] + index * 16) for index in range(dynamic[1] // 16)]
    single = dict(entries)
    strings = place(single[STRING_TABLE])
    libraries = tuple(text(strings + value) for tag, value in entries if tag == NEEDED)
    versions = set()
    if VERSION_NEEDED in single:
        need = place(single[VERSION_NEEDED])
        for _ in range(single[VERSION_NEEDED_COUNT]):
            _, inner, _, first, following = struct.unpack_from("<HHIII", data, need)
            aux = need + first
            for _ in range(inner):
                *_, name, step = struct.unpack_from("<IHHII", data, aux)
                versions.add(text(strings + name))
                aux += step
            need += following
    return Program(MACHINES[machine], interpreter, libraries, frozenset(versions))


GLIBC = (2, 34)
"""What `provided.al2023` has, and every distribution since early 2022."""


def check(path: Path, architecture: str, most: tuple[int, ...] = GLIBC) -> Program:
    """Fails unless a program is for this architecture, and runs with the oldest C library that we promise."""
    program = read(path)
    if program.architecture != architecture:
        raise Fault(f"{path} is for {program.architecture}, and should be for {architecture}")
    newest = program.newest_glibc()
    if newest > most:
        asked, has = (".".join(str(part) for part in version) for version in (newest, most))
        raise Fault(f"{path} needs GLIBC_{asked}, and provided.al2023 has {has}: build it on an older system")
    return program
