#!/usr/bin/env python3
"""Measures the copy engine side by side with skopeo, crane, oras, a program on the crate oci-client and the engine of the npm
package cdk-ecr-deployment, and writes docs/mirror-figures.md.

It builds pullsafe in release mode (10 minutes the first time), and installs the other tools beside the system, in .e2e/peers:
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
from cases import CASES
from images import make_images
from place import HOME
from tools import TOOLS

RESULTS = HOME / "results.json"


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--write", action="store_true", help="measure everything, check, and write docs/mirror-figures.md: half an hour on 2 idle cores")
    add("--check", action="store_true", help="measure nothing: copy S, M and N into docker-registry, pull them back with skopeo and compare every digest (1 minute)")
    add("--hub", action="store_true", help="measure nothing: only count what Docker Hub is asked when another source has the digests (seconds)")
    add("--only", default="S,M,L,N", metavar="IMAGES", help="only these of S,M,L,N. S takes 1 minute, M 2, L 5, N 15, most of it N over a line by skopeo, oras and cdk-ecr-deployment")
    add("--tools", default=",".join(TOOLS), metavar="NAMES", help=f"only these of {', '.join(TOOLS)}; pullsafe alone takes 2 minutes for everything")
    add("--round-trips", default="0,20", metavar="MS", help="only cases whose largest round trip is one of these; 0 alone takes 3 minutes")
    add("--runs", type=int, default=3, metavar="N", help="runs of each row, of which the median is taken; the time grows with it (default 3)")
    add("--resume", action="store_true", help="keep rows that an earlier call has measured (.e2e/peers/results.json), and measure the others: after an interruption")
    add("--requests", action="store_true", help="also print what each row's requests are, by the access logs (takes no time)")
    add("--no-build", action="store_true", help="measure the programs that are there already: seconds instead of minutes before the first row")
    return parser.parse_args()


def main():
    arguments = options()
    HOME.mkdir(parents=True, exist_ok=True)
    install.install()
    install.build_servers()
    if not arguments.no_build:
        install.build()
    if missing := install.missing():
        sys.exit(f"not there: {', '.join(map(str, missing))}; call it without --no-build")
    make_images()
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
                    print("".join(f"    {side}: {count} {kind}\n" for kind, count in rows[name][f"{side}_kinds"].items()), end="", flush=True)
    return kept


if __name__ == "__main__":
    main()
