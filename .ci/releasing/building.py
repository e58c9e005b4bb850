"""Compiles the programs, for this machine's architecture and for the other one, so that equal sources give equal programs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from . import project
from .inventory import PACKAGES
from .project import TARGETS, Fault

LINKERS = {"arm64": "aarch64-linux-gnu-gcc", "x86_64": "x86_64-linux-gnu-gcc"}
HERE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())


def programs() -> list[str]:
    """The names of the programs: those of the functions, and the command line."""
    return [*project.functions(), project.COMMAND]


def _toolchain(target: str) -> dict[str, str]:
    """Which cargo and rustc have a standard library for a target: rustup's, or else the system's own."""
    # rustup's cargo and rustc are on the path; Debian's are in /usr/bin.
    for cargo, rustc in (("cargo", "rustc"), ("/usr/bin/cargo", "/usr/bin/rustc")):
        try:
            found = subprocess.run([rustc, "--print", "target-libdir", "--target", target], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        if any(Path(found.stdout.strip()).glob("libstd-*.rlib")):
            return {"cargo": cargo, "rustc": rustc}
    raise Fault(
        f"no Rust here has a standard library for {target}: `rustup target add {target}`, or on Debian "
        "`dpkg --add-architecture arm64` and `apt-get install rustc-web cargo-web libstd-rust-web-dev:arm64`"
    )


def tools(architecture: str) -> list[str]:
    """Names and versions of what compiles for an architecture, as they say them."""
    found = _toolchain(TARGETS[architecture])
    said = [[found["rustc"], "--version"], [found["cargo"], "--version"], [_linker(architecture), "--version"]]
    return [subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0] for command in said]


def _linker(architecture: str) -> str:
    linker = "cc" if architecture == HERE else LINKERS[architecture]
    if shutil.which(linker) is None:
        raise Fault(
            f"there is no {linker} to link for {architecture}: on Debian and Ubuntu `apt-get install gcc-{linker.removesuffix('-gcc')}`"
        )
    return linker


def build(architecture: str, folder: Path) -> dict[str, Path]:
    """Builds everything for one architecture into a target folder; says where each program is."""
    target = TARGETS[architecture]
    toolchain, linker = _toolchain(target), _linker(architecture)
    upper = target.upper().replace("-", "_")
    home = os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))
    # The paths of this machine must not get into a program.
    places = {str(project.ROOT): "/pullsafe", home: "/cargo"}
    if not folder.is_relative_to(project.ROOT):
        places[str(folder)] = "/target"
    environment = {
        **os.environ,
        "RUSTC": toolchain["rustc"],
        "CARGO_INCREMENTAL": "0",
        "CARGO_TARGET_DIR": str(folder),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(f"--remap-path-prefix={here}={there}" for here, there in places.items()),
        f"CARGO_TARGET_{upper}_LINKER": linker,
        f"CC_{target.replace('-', '_')}": linker,
        f"CFLAGS_{target.replace('-', '_')}": " ".join(f"-ffile-prefix-map={here}={there}" for here, there in places.items()),
        "SOURCE_DATE_EPOCH": "315532800",
    }
    # The flags above replace those of the caller.
    environment.pop("RUSTFLAGS", None)
    packages = [word for package in PACKAGES for word in ("--package", package)]
    command = [toolchain["cargo"], "build", "--release", "--locked", "--target", target, *packages]
    if subprocess.run(command, cwd=project.ROOT, env=environment, check=False).returncode:
        raise Fault(f"the programs do not build for {architecture}")
    return {name: folder / target / "release" / name for name in programs()}


def build_again(architecture: str, folder: Path) -> dict[str, Path]:
    """Builds everything anew in the same place; what was built before is moved aside, and said where it is instead of the new."""
    built = {name: folder / TARGETS[architecture] / "release" / name for name in programs()}
    first = {name: folder / "first" / architecture / name for name in built}
    for name, path in built.items():
        first[name].parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, first[name])
    shutil.rmtree(folder / TARGETS[architecture])
    build(architecture, folder)
    return first


def given(folder: Path, architectures: list[str]) -> dict[str, dict[str, Path]]:
    """Programs that are built already: `<folder>/<architecture>/<name>`."""
    found = {architecture: {name: folder / architecture / name for name in programs()} for architecture in architectures}
    missing = [str(path) for paths in found.values() for path in paths.values() if not path.is_file()]
    if missing:
        raise Fault(f"there is no {', '.join(missing)}")
    return found
