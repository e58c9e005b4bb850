"""Holds a program to a part of a core, by a control group: version 2, or version 1 where that has the processor."""

import contextlib
import os
import pathlib

# In microseconds. It is short, so that a program is paused often and briefly, as a function is.
PERIOD = 20_000
ROOTS = [pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified"), pathlib.Path("/sys/fs/cgroup/cpu")]


class Cores:
    """So much processor time a second for everything that is started with `command`."""

    def __init__(self, cores):
        root = hierarchy()
        self.group = root / f"peers-{os.getpid()}-{cores}"
        self.group.mkdir(exist_ok=True)
        quota = int(cores * PERIOD)
        if (self.group / "cpu.max").exists():
            (self.group / "cpu.max").write_text(f"{quota} {PERIOD}")
        else:
            (self.group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (self.group / "cpu.cfs_quota_us").write_text(str(quota))

    def command(self, words):
        """The same process, in the group before it becomes the program."""
        return ["sh", "-c", f'echo $$ > {self.group}/cgroup.procs && exec "$@"', "sh", *map(str, words)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A group in which something still runs is left there; it costs nothing.
        with contextlib.suppress(OSError):
            self.group.rmdir()


def hierarchy():
    for root in ROOTS:
        controllers = root / "cgroup.subtree_control"
        version_two = controllers.exists() and "cpu" in controllers.read_text().split()
        if (version_two or (root / "cpu.cfs_quota_us").exists()) and os.access(root, os.W_OK):
            return root
    raise SystemExit("this machine lets nobody make a control group for the processor: run as root, on a Linux with cgroups")
