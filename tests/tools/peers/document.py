"""docs/mirror-figures.md, all of it."""

import os
import time

import aims
from cases import CASES
from install import versions
from place import DOCUMENT

WIDTH = 140
COLUMNS = ["time", "requests, source", "manifest GETs", "requests, target", "bytes to target", "sent twice", "CPU", "peak RSS"]


def write(results, hub, compared, unnoticed, runs, load):
    parts = [head(results, compared, unnoticed, runs, load)]
    parts += ["## What was to be reached\n\n" + "\n".join(aims.table(results, hub))]
    parts += [f"## {case.title}\n\n" + "\n".join(table(results[case.key])) for case in CASES if case.key in results]
    parts += ["## Docker Hub and another source with the same content\n\n" + "\n".join(hub_table(hub))]
    parts += requests(results)
    DOCUMENT.write_text("\n\n".join(parts) + "\n")


def head(results, compared, unnoticed, runs, load):
    days = sorted({row["day"] for rows in results.values() for row in rows.values()})
    machine = f"{os.cpu_count()} cores, {processor()}, load average {load:.1f} before the first run"
    often = f"the median of {runs} runs, but one run where that is said" if runs > 1 else "one run of each"
    others = " and ".join(unnoticed) if unnoticed else "none of them"
    return "\n\n".join([
        "# The copy engine beside other tools",
        filled(f"""
            Made by `tests/tools/peers/peers.py --write`, whose `--help` says what it needs. Taken on {' and '.join(days)}, {machine};
            {often}. {versions()}.
        """),
        filled("""
            S has 3 layers and 30 MB. M is an index of 2 platforms and 2 attestations, 91 MB. N is 60 indexes of 2 platforms on shared
            bases, in 3 repositories of 20 tags. Source and target are servers that do as little
            as they can (`tests/tools/peers/light`); the source wants a token, the target a password. A round trip of 20 ms is a line that
            lets each connection have TCP's window in flight, at most 2.8 MB in each direction. Where the target is near, it is on
            loopback and only the source behind the line: the mirror's own place, in the Region of its registry. Requests and bytes are
            by the servers' access logs; a manifest GET is one that was answered with a manifest. After each run every tag's digest at
            the target is compared with the source's.
        """),
        filled("""
            `pullsafe` is one run of its engine (the example `copies`), on one thread. crane copies whole repositories
            with 8 jobs, skopeo syncs whole repositories, oras copies one tag after the other. oci-client is a program of ours on that
            crate (`tests/tools/peers/oci-client`), which copies 8 images at a time and 16 blobs of each. cdk-ecr-deployment is the program of
            the Lambda function that comes with that package of npm: from a Runtime API on this machine it gets a Create event of
            CloudFormation for each tag, with `CopyImageIndex`, one after the other in one process; its time goes to the last answer.
            It, skopeo and crane try TLS first, and are told at once that there is none: over a line that costs them up to two round
            trips for each registry and image, where against servers with TLS every tool would pay for a handshake. Those attempts are
            not counted as requests.
        """),
        filled(f"""
            A byte of a blob that is not what its digest says was not noticed by {others}, where the target does not look either. Copied
            into Debian's docker-registry and pulled back by skopeo, S, M and N were compared with the source digest by digest:
            {compared} files, all the same (`tests/tools/peers/peers.py --check`).
        """),
    ])


def filled(text):
    """A paragraph in lines of at most WIDTH."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


def processor():
    with open("/proc/cpuinfo") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))


def table(rows):
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    return lines + [line(name, row) for name, row in rows.items()]


def line(name, row):
    if "failed" in row:
        return f"| {name} | {row['failed']} |" + " |" * (len(COLUMNS) - 1)
    cells = [
        f"{row['seconds']:.2f} s",
        f"{row['source_requests']}",
        f"{row['manifest_gets']}",
        f"{row['target_requests']}",
        f"{row['bytes'] / 1e6:.1f} MB",
        f"{row['sent_twice']}",
        f"{row['cpu']:.2f} s",
        f"{row['memory']:.1f} MB",
    ]
    notes = (["one run"] if row["runs"] == 1 else []) + ([] if row["same"] else ["not the same digests"])
    noted = f" ({', '.join(notes)})" if notes else ""
    return f"| {name}{noted} | {' | '.join(cells)} |"


def hub_table(hub):
    text = filled("""
        A Docker Official Image with the content of M; `docker.io` and `public.ecr.aws` are mapped to a server each, and counted by its own
        access log. Only `pullsafe`: the other tools take everything from where the tag is.
    """)
    columns = ["Docker Hub: manifest HEADs", "manifest GETs", "blob GETs", "ECR Public: manifest GETs", "blob GETs", "bytes to target"]
    lines = [text, "", f"| | {' | '.join(columns)} |"]
    lines.append("|---" * 7 + "|")
    for title, row in hub:
        keys = ["hub_heads", "hub_manifest_gets", "hub_blob_gets", "public_manifest_gets", "public_blob_gets"]
        lines.append(f"| {title} | {' | '.join(str(row[key]) for key in keys)} | {row['bytes'] / 1e6:.1f} MB |")
    return lines


def requests(results):
    """What the requests of pullsafe for N are."""
    row = results.get("N-empty-20-20", {}).get("pullsafe", {})
    if "runs" not in row:
        return []
    lines = ["## What the requests of pullsafe are: N, target empty, 20 ms round trip", ""]
    lines += ["| | request and answer | number |", "|---|---|---|"]
    for side in ["source", "target"]:
        lines += [f"| {side} | {kind} | {count} |" for kind, count in row[f"{side}_kinds"].items()]
    return ["\n".join(lines)]


def day():
    return time.strftime("%Y-%m-%d")
