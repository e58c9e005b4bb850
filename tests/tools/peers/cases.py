"""What is measured, and what of it goes into a row."""

import statistics
import sys

import images
import tools
from measure import Failed, measure
from servers import Servers

# Tools that take a minute or more for N over a line are measured only once there.
ONCE = ["skopeo", "oras", "oci-client", "cdk-ecr-deployment"]


class Case:
    """`kind`: `empty`, `again` (nothing changed), `second` (another repository, blobs present) or `changed` (one tag)."""

    def __init__(self, title, image, kind, source_round_trip, target_round_trip):
        self.image, self.kind = image, kind
        self.lines = (source_round_trip, target_round_trip)
        self.title = f"{image}, {title}, {self.where()}"
        self.key = f"{image}-{kind}-{source_round_trip}-{target_round_trip}"

    def where(self):
        source, target = self.lines
        if source == target:
            return f"{source} ms round trip" if source else "loopback"
        return f"source at {source} ms round trip, target near"

    def runs(self, tool, asked):
        return 1 if self.image == "N" and any(self.lines) and tool in ONCE else asked

    def once(self, tool):
        """One run: figures, the access logs of source and target, and whether every tag means there what it means here."""
        with Servers(*self.lines) as servers:
            environment = tools.environment(servers)
            if self.kind != "empty":
                measure(tools.steps("pullsafe", self.image, servers), environment)
            if self.kind == "changed":
                servers.source.start(["--images", images.CHANGED, "--token"])
            for side in [servers.source, servers.target]:
                side.forget()
            prefix = "second" if self.kind == "second" else "mirror"
            figures = measure(tools.steps(tool, self.image, servers, prefix), environment)
            logs = servers.source.log(), servers.target.log()
            wanted = images.digests(images.CHANGED if self.kind == "changed" else images.IMAGES, self.image)
            same = all(servers.target.digest(f"{prefix}/{name}", tag) == digest for (name, tag), digest in wanted.items())
            return figures, *logs, same

    def row(self, tool, asked):
        runs = self.runs(tool, asked)
        try:
            taken = [self.once(tool) for _ in range(runs)]
        except Failed as error:
            print(error, file=sys.stderr)
            return {"failed": "failed"}
        middle = {key: statistics.median(figures[key] for figures, *_ in taken) for key in ["seconds", "cpu", "memory"]}
        _, source, target, _ = taken[-1]
        return {"runs": runs, "same": all(same for *_, same in taken), **middle, **summary(source, target)}


def summary(source, target):
    return {
        "source_requests": len(source),
        "manifest_gets": manifest_gets(source),
        "target_requests": len(target),
        "bytes": sum(entry.bytes_in for entry in target),
        "blob_bytes": sum(entry.bytes_in for entry in target if entry.kind == "upload"),
        "sent_twice": sum(entry.note == "again" for entry in target),
        "source_kinds": kinds(source),
        "target_kinds": kinds(target),
    }


def manifest_gets(log):
    """Those that were answered with one, which is what Docker Hub counts."""
    return sum(entry.method == "GET" and entry.kind == "manifest" and entry.status == 200 for entry in log)


def kinds(log):
    """How many requests of each method and kind, with how they were answered."""
    counted = {}
    for entry in log:
        words = {"manifest": "manifest by digest" if "sha256:" in entry.path else "manifest by tag"}
        kind = f"{entry.method} {words.get(entry.kind, entry.kind)}"
        if entry.note in ["mount", "range"]:
            kind += f" ({entry.note})"
        kind += f", {entry.status}"
        counted[kind] = counted.get(kind, 0) + 1
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


CASES = [
    Case("target empty", "S", "empty", 0, 0),
    Case("target empty", "S", "empty", 20, 20),
    Case("target empty", "M", "empty", 0, 0),
    Case("target empty", "M", "empty", 20, 20),
    Case("target empty", "M", "empty", 20, 0),
    Case("nothing changed", "M", "again", 20, 20),
    Case("second repository, blobs present", "M", "second", 20, 20),
    Case("target empty", "N", "empty", 0, 0),
    Case("target empty", "N", "empty", 20, 20),
    Case("nothing changed", "N", "again", 20, 20),
    Case("one image changed", "N", "changed", 20, 20),
]
