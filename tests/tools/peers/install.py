"""Gets and builds what is measured, beside the system and without root."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from place import COPIES, HERE, HOME, LIGHT, OCI_CLIENT, ROOT, TARGET, run

SYSTEM = HOME / "root"
PACKAGES = "skopeo crane oras docker-registry libc6 libgpgme45 libassuan9 libgpg-error0 libsqlite3-0".split()
CDK_PACKAGE = "cdk-ecr-deployment"
CDK = HOME / "cdk" / "package"
# The package includes the program that its Lambda function runs.
CDK_PROGRAM = CDK / "lambda-bin" / "bootstrap"

CARGO = ["nice", "-n", "10", "cargo", "build", "--release", "--quiet"]


def install():
    """The other tools: Debian's current packages (sid), and a package of npm."""
    if not (SYSTEM / "usr/bin/skopeo").exists():
        debian()
    if not CDK_PROGRAM.exists():
        npm()


def build():
    """pullsafe's engine alone, the program on oci-client, the servers and the floor: a few minutes."""
    run(*CARGO, "--package", "pullsafe-registry", "--example", "copies", cwd=ROOT)
    for program in ["oci-client", "light"]:
        run(*CARGO, "--locked", "--target-dir", TARGET / "peers", cwd=HERE / program)


def missing():
    """What is to be measured and is not there."""
    return [path for path in [COPIES, OCI_CLIENT, CDK_PROGRAM, LIGHT] if not path.exists()]


def debian():
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


def npm():
    folder = CDK.parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run("npm", "pack", "--silent", CDK_PACKAGE, cwd=folder, stdout=subprocess.DEVNULL)
    run("tar", "-xzf", next(folder.glob("*.tgz")), cwd=folder)


def tool(name):
    """A program of the unpacked packages, with their C library."""
    loader = SYSTEM / "usr/lib64/ld-linux-x86-64.so.2"
    libraries = f"{SYSTEM}/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu"
    program = SYSTEM / "usr/bin" / name
    return [str(loader), "--library-path", libraries, str(program)] if name == "skopeo" else [str(program)]


def versions():
    found = []
    for package in ["skopeo", "crane", "oras", "docker-registry"]:
        files = list((HOME / "apt" / "debs").glob(f"{package}_*.deb"))
        found.append(f"{package} {files[0].name.split('_')[1].replace('%3a', ':')}" if files else package)
    lock = (HERE / "oci-client" / "Cargo.lock").read_text().splitlines()
    crate = next(lock[at + 1].split('"')[1] for at, line in enumerate(lock) if line == 'name = "oci-client"')
    engine = json.loads((CDK / "package.json").read_text())["version"]
    return f"{', '.join(found)} (Debian), oci-client {crate}, {CDK_PACKAGE} {engine}"
