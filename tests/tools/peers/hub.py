"""What Docker Hub is asked when another registry holds the same content, by its own access log: `pullsafe` alone, for no other tool
looks elsewhere."""

import images
import tools
from cases import manifest_gets
from measure import Process, measure
from place import COPIES
from servers import Light, Servers

# A Docker Official Image of M's content, and Amazon ECR Public with and without it.
SCENARIOS = [
    ("target empty, Amazon ECR Public has the digests", images.ECR_PUBLIC, False),
    ("target empty, Amazon ECR Public does not have them yet", images.ECR_PUBLIC_BEHIND, False),
    ("nothing changed", images.ECR_PUBLIC, True),
]


def rows():
    return [(title, counts(folder, again)) for title, folder, again in SCENARIOS]


def counts(public_images, again):
    with Servers(images=images.HUB) as servers:
        public = Light(servers, ["--images", public_images, "--token"])
        hub, target = servers.source, servers.target
        endpoints = f"docker.io=http://127.0.0.1:{hub.port},public.ecr.aws=http://127.0.0.1:{public.port}"
        environment = {**tools.environment(servers), "PULLSAFE_REGISTRY_ENDPOINTS": endpoints}
        copy = Process([COPIES], f"docker.io/library/m:1 127.0.0.1:{target.port}/docker-hub/library/m:1\n")
        if again:
            measure([copy], environment)
        for side in [hub, public, target]:
            side.forget()
        measure([copy], environment)
        return {
            "hub_heads": answered(hub.log(), "HEAD", "manifest"),
            "hub_manifest_gets": manifest_gets(hub.log()),
            "hub_blob_gets": answered(hub.log(), "GET", "blob"),
            "public_manifest_gets": manifest_gets(public.log()),
            "public_blob_gets": answered(public.log(), "GET", "blob"),
            "bytes": sum(entry.bytes_in for entry in target.log()),
        }


def answered(log, method, kind):
    return sum(entry.method == method and entry.kind == kind and entry.status in [200, 206] for entry in log)
