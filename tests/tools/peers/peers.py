#!/usr/bin/env python3
"""Measures the copy engine side by side with skopeo, crane, oras, a program on the crate oci-client and the engine of the npm
package cdk-ecr-deployment, and writes docs/mirror-figures.md; or, with --large, docs/large-image.md.

It builds pullsafe's engine in release mode (5 minutes the first time), and installs the other tools beside the system, in .e2e/peers:
Debian's current packages (sid) and a package of npm (1 minute). Needs cargo, rustc, npm, tar, Debian's apt and Python 3.11; no root;
4 GB of disk. Images are made from a seed. Source and target are light servers (light/), so that clients are measured and not servers.
"""

import argparse
import json
import os
import sys

# Nothing is left in the source tree.
sys.dont_write_bytecode = True

import check
import document
import hub
import install
import large
import large_document
from cases import CASES
from images import make_images
from place import HOME
from tools import TOOLS

RESULTS = HOME / "results.json"
MINUTES = "S takes half a minute, M 2, N 7, most of it N over a line by skopeo, oras and cdk-ecr-deployment"


FLAG = {"action": "store_true"}
OPTIONS = [
    ("--write", FLAG, "measure everything, check, and write docs/mirror-figures.md: 12 minutes on 2 idle cores"),
    ("--check", FLAG, "measure nothing: copy S, M and N into docker-registry, pull them back by skopeo, compare every digest (1 minute)"),
    ("--hub", FLAG, "measure nothing: count what Docker Hub is asked when another source has the digests (seconds)"),
    ("--only", {"default": "S,M,N", "metavar": "IMAGES"}, f"only these of S,M,N: {MINUTES}"),
    ("--tools", {"default": ",".join(TOOLS), "metavar": "NAMES"}, f"only these of {', '.join(TOOLS)}; pullsafe alone takes 2 minutes"),
    ("--round-trips", {"default": "0,20", "metavar": "MS"}, "only cases whose longer round trip is one of these; 0 alone takes 2 minutes"),
    ("--runs", {"type": int, "default": 3, "metavar": "N"}, "runs of each row, the median is taken (default 3); the time grows with it"),
    ("--resume", FLAG, "keep rows of earlier calls (.e2e/peers/results.json), measure what is missing: after an interruption"),
    ("--requests", FLAG, "also print what each row's requests are, by the access logs (takes no time)"),
    ("--large", FLAG, "only the large image over TLS, for a client with a part of a core (root; 11 minutes on 2 idle cores)"),
    ("--no-build", FLAG, "measure the programs that are there already: seconds instead of minutes before the first row"),
]


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, settings, what in OPTIONS:
        parser.add_argument(name, help=what, **settings)
    return parser.parse_args()


def main():
    arguments = options()
    HOME.mkdir(parents=True, exist_ok=True)
    install.install()
    if not arguments.no_build:
        install.build()
    if missing := install.missing():
        sys.exit(f"not there: {', '.join(map(str, missing))}; call it without --no-build")
    make_images()
    if arguments.large:
        return large_image(arguments)
    if arguments.check:
        print(f"{check.check()} files pulled back by skopeo are byte for byte what the source has")
        return
    if arguments.hub:
        print("\n".join(document.hub_table(hub.rows())))
        return
    load = os.getloadavg()[0]
    names = arguments.tools.split(",")
    results = measured(arguments, names)
    if arguments.write:
        unnoticed = [name for name in names if not check.notices(name)]
        document.write(results, hub.rows(), check.check(), unnoticed, arguments.runs, load)


def large_image(arguments):
    load = os.getloadavg()[0]

    def report(cell, rows):
        print(f"\n## {cell.image}: {cell.title}\n\n" + "\n".join(large_document.table(cell, rows)), flush=True)

    results, verifying = large.measured(large.NAMES, arguments.runs, report)
    if arguments.write:
        large_document.write(results, verifying, arguments.runs, load)


def measured(arguments, names):
    """Rows by case and tool; each is kept as soon as it is there."""
    kept = json.loads(RESULTS.read_text()) if arguments.resume and RESULTS.exists() else {}
    round_trips = [int(number) for number in arguments.round_trips.split(",")]
    for case in CASES:
        if case.image not in arguments.only.split(",") or max(case.lines) not in round_trips:
            continue
        print(f"\n## {case.title}\n", flush=True)
        rows = kept.setdefault(case.key, {})
        for name in names:
            if name not in rows or "failed" in rows[name]:
                rows[name] = {**case.row(name, arguments.runs), "day": document.day()}
                RESULTS.write_text(json.dumps(kept, indent=1))
            print(document.line(name, rows[name]), flush=True)
            if arguments.requests and "runs" in rows[name]:
                for side in ["source", "target"]:
                    for kind, count in rows[name][f"{side}_kinds"].items():
                        print(f"    {side}: {count} {kind}", flush=True)
    return kept


if __name__ == "__main__":
    main()
