"""What each tool is told, as a person who knows it would."""

import json
import os

from custom_resource import Invocations
from images import layers, tags
from install import CDK_PROGRAM, tool
from measure import Process
from place import AUTHORITY, BASIC, COPIES, CREDENTIALS, HOME, LIGHT, OCI_CLIENT, PASSWORD, USER

INSECURE = ["--src-tls-verify=false", "--dest-tls-verify=false"]


def pairs(image, servers, prefix):
    """Source and target of every tag."""
    source, target = f"127.0.0.1:{servers.source.port}", f"127.0.0.1:{servers.target.port}/{prefix}"
    return [(f"{source}/{name}:{tag}", f"{target}/{name}:{tag}") for name, tag in tags(image)]


def repositories(todo):
    return list(dict.fromkeys((source.rsplit(":", 1)[0], target.rsplit(":", 1)[0]) for source, target in todo))


def listed(todo):
    return "".join(f"{source} {target}\n" for source, target in todo)


def pullsafe(_, todo, __):
    """One run of its engine, on one thread, as the mirror's function has it."""
    return [Process([COPIES], listed(todo))]


def skopeo(image, todo, tls):
    options = ["--dest-creds", CREDENTIALS, *([] if tls else INSECURE)]
    if image == "N":
        options = ["sync", "--all", *options, "--src", "docker", "--dest", "docker"]
        return [Process([*tool("skopeo"), *options, source, target.rsplit("/", 1)[0]]) for source, target in repositories(todo)]
    options = ["--insecure-policy", "copy", "--all", "--preserve-digests", *options]
    return [Process([*tool("skopeo"), *options, f"docker://{source}", f"docker://{target}"]) for source, target in todo]


def crane(image, todo, _):
    if image == "N":
        return [Process([*tool("crane"), "copy", "--all-tags", "--jobs", "8", *pair]) for pair in repositories(todo)]
    return [Process([*tool("crane"), "copy", *pair]) for pair in todo]


def oras(_, todo, tls):
    options = [*([] if tls else ["--from-plain-http", "--to-plain-http"]), "--to-username", USER, "--to-password", PASSWORD, "--no-tty"]
    return [Process([*tool("oras"), "copy", *options, *pair]) for pair in todo]


def oci_client(_, todo, __):
    return [Process([OCI_CLIENT], listed(todo))]


def cdk(_, todo, __):
    """A custom resource for each tag, as one `ECRDeployment` in a CDK app makes; `copyImageIndex` for indexes."""
    common = {"CopyImageIndex": "true", "DestCreds": CREDENTIALS}
    properties = [{"SrcImage": f"docker://{source}", "DestImage": f"docker://{target}", **common} for source, target in todo]
    return [Invocations(CDK_PROGRAM, properties)]


TOOLS = {"pullsafe": pullsafe, "skopeo": skopeo, "crane": crane, "oras": oras, "oci-client": oci_client, "cdk-ecr-deployment": cdk}


def steps(name, image, servers, prefix="mirror"):
    return TOOLS[name](image, pairs(image, servers, prefix), servers.target.tls)


def floor(image, servers):
    """The least that copying an image's blobs costs (light/src/floor.rs)."""
    ((repository, _),) = tags(image)
    return [Process([LIGHT, "floor", servers.source.port, servers.target.port, AUTHORITY, repository, *layers(image)])]


def environment(servers):
    """A home with what the tools have to know of source and target, and nothing of this machine."""
    folder = HOME / "docker"
    containers = folder / ".config" / "containers"
    containers.mkdir(parents=True, exist_ok=True)
    # Forgets what an earlier run knew about other servers.
    memory = folder / "memory.json"
    memory.unlink(missing_ok=True)
    target = f"127.0.0.1:{servers.target.port}"
    (folder / "config.json").write_text(json.dumps({"auths": {target: {"auth": BASIC}}}))
    (containers / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    hosts = [f"127.0.0.1:{servers.source.port}", target]
    encrypted = {
        "SSL_CERT_FILE": str(AUTHORITY),
        "PEER_TLS": "yes",
        "PULLSAFE_REGISTRY_ENDPOINTS": ",".join(f"{host}=https://{host}" for host in hosts),
    }
    insecure = "false" if servers.target.tls else "true"
    # Without this, cdk-ecr-deployment would insist on TLS.
    (containers / "registries.conf").write_text("".join(f'[[registry]]\nlocation = "{host}"\ninsecure = {insecure}\n' for host in hosts))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder),
        "TMPDIR": str(HOME),
        "COPIES_MEMORY": str(memory),
        "PEER_USER": USER,
        "PEER_PASSWORD": PASSWORD,
        **(encrypted if servers.target.tls else {}),
    }
