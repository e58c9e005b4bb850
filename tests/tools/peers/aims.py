"""What was to be reached, and whether it was."""

HUB_AIM = "target empty, Amazon ECR Public has the digests"


def table(results, hub):
    lines = ["| | to reach | here |", "|---|---|---|"]
    for what, key, aim, judge in AIMS:
        rows = results.get(key, {})
        ours = rows.get("pullsafe", {})
        measured = "runs" in ours
        lines.append(f"| {what} | {aim} | {judge(ours, peers(rows)) if measured else 'not measured'} |")
    counts = dict(hub).get(HUB_AIM)
    found = verdict([("GETs", counts["hub_manifest_gets"] + counts["hub_blob_gets"] == 0)], hub_words(counts)) if counts else "not measured"
    lines.append(f"| Docker Hub, another source has the digests | 0 manifest GETs there | {found} |")
    return lines


def peers(rows):
    """Name and row of the others that did it."""
    return [(name, row) for name, row in rows.items() if name != "pullsafe" and "runs" in row]


def verdict(parts, words):
    """`parts` are the names of what is asked for, each with whether it is so."""
    lacking = [name for name, is_so in parts if not is_so]
    if not lacking:
        return f"reached: {words}"
    return f"not reached ({', '.join(lacking)}): {words}"


def best(others):
    return min(others, key=lambda pair: pair[1]["seconds"], default=None)


def hub_words(counts):
    return f"{counts['hub_manifest_gets']} manifest GETs, {counts['hub_blob_gets']} blob GETs"


def many_new(ours, _):
    source, target = ours["source_requests"], ours["target_requests"]
    parts = [
        ("time", ours["seconds"] <= 4.5),
        ("blobs", ours["sent_twice"] == 0),
        ("requests at the source", source <= 434 * 1.05),
        ("requests at the target", target <= 690 * 1.05),
    ]
    return verdict(parts, f"{ours['seconds']:.2f} s, {source} + {target} requests, {ours['sent_twice']} blobs sent twice")


def half_of(seconds, largest_gets=None):
    def judge(ours, others):
        parts = [("time", ours["seconds"] <= seconds / 2)]
        words = f"{ours['seconds']:.2f} s, {ours['manifest_gets']} GETs"
        if others:
            name, row = best(others)
            parts.append(("half of the best", ours["seconds"] <= row["seconds"] / 2))
            words += f"; the best peer here is {name} with {row['seconds']:.2f} s"
        if largest_gets is not None:
            parts.append(("GETs", ours["manifest_gets"] <= largest_gets))
        return verdict(parts, words)

    return judge


def within(seconds):
    def judge(ours, others):
        is_so = ours["seconds"] <= seconds
        words = f"{ours['seconds']:.2f} s"
        if others:
            name, row = best(others)
            words += f"; the best peer is {name} with {row['seconds']:.2f} s"
        return verdict([("time", is_so)], words)

    return judge


def no_blobs(ours, _):
    return verdict([("bytes", ours["blob_bytes"] == 0)], f"{ours['blob_bytes'] / 1e6:.1f} MB")


AIMS = [
    ("N, target empty, 20 ms", "N-empty-20-20", "4.5 s, each shared blob once, about 434 + 690 requests", many_new),
    ("N, nothing changed, 20 ms", "N-again-20-20", "half of 1.25 s and of the best peer here, 0 GETs", half_of(1.25, 0)),
    ("N, one image changed, 20 ms", "N-changed-20-20", "half of 1.28 s and of the best peer here", half_of(1.28)),
    ("M, target empty, 20 ms", "M-empty-20-20", "0.8 s", within(0.8)),
    ("M, second repository, blobs present", "M-second-20-20", "0 blob bytes", no_blobs),
]
