"""The large image over TLS, for a client with a part of a core: what is measured."""

import collections
import statistics
import sys

import certificates
import check
import images
import tools
from limits import Cores
from measure import Failed, measure
from place import CERTIFICATE, KEY
from servers import Line, Servers

NAMES = ["pullsafe", "crane", "skopeo", "oras", "oci-client"]
# The client that does only what has to be done; see light/src/floor.rs.
FLOOR = "floor"

TLS = ["--tls", CERTIFICATE, KEY]
# One run is enough: it is one tool with much the same work each time, so the neighbouring rows confirm each row.
RUNS_OF_A_MEMORY = 1

MB = 1_000_000
# The rate of one connection: down from the storage of Docker Hub and ECR Public, and up to ECR.
HUB = Line(20, to_client=300 * MB)
ECR = Line(2, from_client=26 * MB)

# The memory (MB) with which a function gets a whole core, and the price of a gigabyte-second (arm64, eu-west-1 and
# us-east-1).
MEMORY_OF_A_CORE = 1769
DOLLARS_PER_GIGABYTE_SECOND = 0.0000133334
MEMORIES = [128, 256, 512, 1024, 1769, 3008]


class Cell(collections.namedtuple("Cell", "title image cores source target")):
    @property
    def key(self):
        return f"{self.image}: {self.title}"


CELLS = [
    Cell("one core, loopback", "L", 1.0, Line(0), Line(0)),
    Cell("one core, source and target at 2 ms", "L", 1.0, Line(2), Line(2)),
    Cell("one core, source at 20 ms, target at 2 ms", "L", 1.0, Line(20), Line(2)),
    Cell("one core, source at 2 ms, target at 20 ms", "L", 1.0, Line(2), Line(20)),
    Cell("one core, Docker Hub's line to ECR's", "U", 1.0, HUB, ECR),
    Cell("0.29 of a core, loopback", "L", 0.29, Line(0), Line(0)),
    Cell("0.29 of a core, source at 20 ms, target at 2 ms", "L", 0.29, Line(20), Line(2)),
    Cell("0.29 of a core, Docker Hub's line to ECR's", "U", 0.29, HUB, ECR),
]
# The conditions of the function itself, with each memory size that it may have.
FUNCTION = [Cell(f"{memory} MB", image, round(memory / MEMORY_OF_A_CORE, 3), HUB, ECR) for image in ["U", "N"] for memory in MEMORIES]


def once(cell, name):
    """One run: figures, and whether the tag means at the target what it means at the source."""
    with Servers(cell.source, cell.target, tls=TLS) as servers, Cores(cell.cores) as cores:
        steps = tools.floor(cell.image, servers) if name == FLOOR else tools.steps(name, cell.image, servers)
        for step in steps:
            step.command = cores.command(step.command)
        figures = measure(steps, tools.environment(servers))
        copied = sum(entry.bytes_in for entry in servers.target.log() if entry.kind == "upload")
        wanted = {} if name == FLOOR else images.digests(images.IMAGES, cell.image)
        same = all(servers.target.digest(f"mirror/{repository}", tag) == digest for (repository, tag), digest in wanted.items())
        return {**figures, "bytes": copied, "same": same}


def rows(cell, names, runs):
    """Medians by tool. The tools take turns, so that what else the machine does meets all of them."""
    taken = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            try:
                taken[name].append(once(cell, name))
            except Failed as error:
                print(error, file=sys.stderr)
    return {name: row(of_it) for name, of_it in taken.items() if of_it}


def row(taken):
    middle = {key: statistics.median(figures[key] for figures in taken) for key in ["seconds", "cpu", "memory", "bytes"]}
    return {**middle, "runs": len(taken), "same": all(figures["same"] for figures in taken)}


def measured(names, runs, report):
    """Rows by cell and tool, and which of the tools notice a wrong byte; `report` hears of each cell as soon as it is there."""
    certificates.make()
    verifying = {name: check.notices(name, TLS) for name in names}
    results = {}
    for cell in CELLS:
        results[cell.key] = rows(cell, [FLOOR, *names], runs)
        report(cell, results[cell.key])
    for cell in FUNCTION:
        results[cell.key] = rows(cell, ["pullsafe"], RUNS_OF_A_MEMORY)
        report(cell, results[cell.key])
    return results, verifying


def dollars_per_terabyte(cell, row):
    memory = cell.cores * MEMORY_OF_A_CORE / 1024
    return row["seconds"] * memory * DOLLARS_PER_GIGABYTE_SECOND / row["bytes"] * 1e12
