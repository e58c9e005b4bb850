"""Judges that nobody here wrote: AWS's own service models, IAM data and sample events against what this project calls, grants,
listens to and expects.

    python tests/judges/run.py CALLS.jsonl...               the requests that PULLSAFE_RECORD_CALLS made the fake AWS write down
    python tests/judges/run.py --only-calls CALLS.jsonl...  these requests alone, as the end-to-end run has them

Prints what was judged. What a judge objects to fails, unless listed.py has it with a reason.
"""

import sys
from pathlib import Path

import calls
import errors
import grants
import listed
import rules


def main(arguments):
    files = [Path(name) for name in arguments if name != "--only-calls"]
    if len(files) < len(arguments):
        count, found, _ = calls.judge(files)
        print(f"judged: {count}")
        return report([f"{judge}: {text}" for judge, text in found if text not in listed.EMULATOR])
    sleeping = [f"{what} was let pass: this judge sleeps" for judge in (calls, grants) for what, woke in judge.awake() if not woke]
    requests, objections, operations = calls.judge(files)
    judged, found = [requests], list(objections)
    for count, more in (grants.judge(), rules.judge(), errors.judge(operations)):
        judged.append(count)
        found += more
    for line in judged:
        print(f"judged: {line}")
    unexcused = [f"{judge}: {text}" for judge, text in found if not listed.excused(judge, text)]
    print(f"judged: {len(found)} objections, {len(found) - len(unexcused)} of them listed with a reason")
    return report([*unexcused, *listed.stale(), *sleeping])


def report(faults):
    for text in faults:
        print(f"  {text}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
