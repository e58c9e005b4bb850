"""docs/large-image.md, all of it."""

import os

from document import day, filled, processor
from install import versions
from large import CELLS, FLOOR, FUNCTION, dollars_per_terabyte
from place import LARGE_DOCUMENT

COLUMNS = ["time", "CPU a GB", "of the floor", "peak RSS", "a TB"]


def write(results, verifying, runs, load):
    parts = [head(verifying, runs, load), "## What was to be reached\n\n" + "\n".join(aims(results, verifying))]
    parts += [f"## {cell.image}: {cell.title}\n\n" + "\n".join(table(cell, results[cell.key])) for cell in CELLS]
    parts += ["## What memory to give the function\n\n" + "\n".join(memories(results))]
    LARGE_DOCUMENT.write_text("\n\n".join(parts) + "\n")


def head(verifying, runs, load):
    often = f"the median of {runs} runs" if runs > 1 else "one run of each"
    others = " and ".join(name for name, notices in verifying.items() if not notices) or "none of them"
    return "\n\n".join([
        "# The large image",
        filled(f"""
            Made by `tests/tools/peers/peers.py --large --write`, which needs root for its control groups. Taken on {day()}, {os.cpu_count()}
            cores, {processor()}, load average {load:.1f} before the first run; {often}, in which the tools took turns.
            {versions()}.
        """),
        filled("""
            L has 500 MB, one layer of it 320 MB; U is a usual image of 160 MB in five layers, the largest 80 MB; N is 60 small indexes
            (22 MB that differ). Source and target speak TLS, with certificates of an authority that the script makes. The client has
            the part of a core that is said, by a quota of its control group in periods of 20 ms, as a function has it: 0.29 of a core are
            512 MB of Lambda. A line holds every byte for half its round trip, and lets a connection have a window in flight as TCP's
            grows, at most 2.8 MB; Docker Hub's brings 300 MB/s on a connection over 20 ms, ECR's takes 26 MB/s on a connection over 2 ms.
        """),
        filled(f"""
            CPU is what the client itself spent, user and system. The floor is the least that a client can do
            (`tests/tools/peers/light/src/floor.rs`): TLS in, SHA-256, TLS out, one blob after the other, by the same TLS
            library, with no HTTP worth the name; its time is that of one connection at a time. A TB is what a function of that memory costs for it (arm64,
            $0.0000133334 for a GB-second), time alone. A
            byte that is not what the digest says was not noticed by {others}: they are no measure for what verifies. regctl and regsync are
            in no package of Debian's. pullsafe is one run of its engine (the example `copies`) on one thread, as the mirror's function.
        """),
    ])


def aims(results, verifying):
    lines = ["| | beside the best peer that verifies | CPU, of the floor | peak RSS |", "|---|---|---|---|"]
    for cell in CELLS:
        rows = results[cell.key]
        ours, floor = rows["pullsafe"], rows[FLOOR]
        peers = ((name, rows[name]) for name in rows if verifying.get(name) and name != "pullsafe")
        name, best = min(peers, key=lambda pair: pair[1]["seconds"])
        pace, cpu, memory = ours["seconds"] / best["seconds"], per_gigabyte(ours) / per_gigabyte(floor), ours["memory"]
        cells = [
            f"{pace:.2f} of {name}'s time{judged(pace <= 1.05)}",
            f"{cpu:.2f}{judged(cpu <= 1.2)}",
            f"{memory:.1f} MB{judged(memory <= 15)}",
        ]
        lines.append(f"| {cell.image}: {cell.title} | {' | '.join(cells)} |")
    return ["To reach: at most 1.05, 1.2 and 15 MB.", "", *lines]


def judged(is_so):
    return "" if is_so else " (not reached)"


def table(cell, rows):
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    return lines + [line(cell, name, row, rows.get(FLOOR)) for name, row in rows.items()]


def line(cell, name, row, floor):
    notes = "" if row["same"] else " (not the same digests)"
    part = f"{per_gigabyte(row) / per_gigabyte(floor):.2f}" if floor else ""
    dollars = f"${dollars_per_terabyte(cell, row):.2f}"
    cells = [f"{row['seconds']:.2f} s", f"{per_gigabyte(row):.2f} s", part, f"{row['memory']:.1f} MB", dollars]
    return f"| {name}{notes} | {' | '.join(cells)} |"


def per_gigabyte(row):
    return row["cpu"] / row["bytes"] * 1e9


def memories(results):
    text = filled("""
        pullsafe alone, from Docker Hub's line to ECR's, with the part of a core that Lambda gives for each memory (1769 MB are one core).
        One connection to ECR carries U's largest layer in 3.1 s, whatever the memory. What a start and the calls of ECR's API take comes
        to it, and AWS's SDK has some 15 MB beside the engine's memory.
    """)
    lines = [text, "", "| Memory | U: time | U: a TB | N: time | N: a million images | peak RSS |", "|---|---|---|---|---|---|"]
    half = len(FUNCTION) // 2
    for usual, many in zip(FUNCTION[:half], FUNCTION[half:]):
        one, sixty = results[usual.key]["pullsafe"], results[many.key]["pullsafe"]
        million = dollars_per_terabyte(many, sixty) * sixty["bytes"] / 1e12 / 60 * 1e6
        cells = [f"{one['seconds']:.2f} s", f"${dollars_per_terabyte(usual, one):.2f}", f"{sixty['seconds']:.2f} s", f"${million:.2f}"]
        lines.append(f"| {usual.title} | {' | '.join(cells)} | {max(one['memory'], sixty['memory']):.1f} MB |")
    return lines
