"""What each tool is told, as a person who knows it would."""

import json
import os

from custom_resource import Invocations
from images import tags
from install import CDK_PROGRAM, tool
from measure import Process
from place import BASIC, COPIES, CREDENTIALS, HOME, OCI_CLIENT, PASSWORD, PULLSAFE, USER

INSECURE = ["--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", CREDENTIALS]


def pairs(image, servers, prefix):
    """Source and target of every tag."""
    source, target = f"127.0.0.1:{servers.source.port}", f"127.0.0.1:{servers.target.port}/{prefix}"
    return [(f"{source}/{name}:{tag}", f"{target}/{name}:{tag}") for name, tag in tags(image)]


def repositories(todo):
    return list(dict.fromkeys((source.rsplit(":", 1)[0], target.rsplit(":", 1)[0]) for source, target in todo))


def listed(todo):
    return "".join(f"{source} {target}\n" for source, target in todo)


def pullsafe(image, todo):
    """For N one run of its engine, which is what the mirror does with many images."""
    if image == "N":
        return [Process([COPIES], listed(todo))]
    return [Process([PULLSAFE, "copy", *pair, "--output", "json"]) for pair in todo]


def skopeo(image, todo):
    if image == "N":
        options = ["sync", "--all", *INSECURE, "--src", "docker", "--dest", "docker"]
        return [Process([*tool("skopeo"), *options, source, target.rsplit("/", 1)[0]]) for source, target in repositories(todo)]
    options = ["--insecure-policy", "copy", "--all", "--preserve-digests", *INSECURE]
    return [Process([*tool("skopeo"), *options, f"docker://{source}", f"docker://{target}"]) for source, target in todo]


def crane(image, todo):
    if image == "N":
        return [Process([*tool("crane"), "copy", "--all-tags", "--jobs", "8", *pair]) for pair in repositories(todo)]
    return [Process([*tool("crane"), "copy", *pair]) for pair in todo]


def oras(_, todo):
    options = ["--from-plain-http", "--to-plain-http", "--to-username", USER, "--to-password", PASSWORD, "--no-tty"]
    return [Process([*tool("oras"), "copy", *options, *pair]) for pair in todo]


def oci_client(_, todo):
    return [Process([OCI_CLIENT], listed(todo))]


def cdk(_, todo):
    """A custom resource for each tag, as one `ECRDeployment` in a CDK app makes; `copyImageIndex` for indexes."""
    common = {"CopyImageIndex": "true", "DestCreds": CREDENTIALS}
    properties = [{"SrcImage": f"docker://{source}", "DestImage": f"docker://{target}", **common} for source, target in todo]
    return [Invocations(CDK_PROGRAM, properties)]


TOOLS = {"pullsafe": pullsafe, "skopeo": skopeo, "crane": crane, "oras": oras, "oci-client": oci_client, "cdk-ecr-deployment": cdk}


def steps(name, image, servers, prefix="mirror"):
    return TOOLS[name](image, pairs(image, servers, prefix))


def environment(servers):
    """A home with what the tools have to know of source and target, and nothing of this machine."""
    folder = HOME / "docker"
    containers = folder / ".config" / "containers"
    containers.mkdir(parents=True, exist_ok=True)
    target = f"127.0.0.1:{servers.target.port}"
    (folder / "config.json").write_text(json.dumps({"auths": {target: {"auth": BASIC}}}))
    (containers / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    hosts = [f"127.0.0.1:{servers.source.port}", target]
    # Without this cdk-ecr-deployment would insist on TLS.
    (containers / "registries.conf").write_text("".join(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n' for host in hosts))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder),
        "TMPDIR": str(HOME),
        "PEER_USER": USER,
        "PEER_PASSWORD": PASSWORD,
    }
