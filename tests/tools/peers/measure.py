"""Runs what a tool does, and takes the time, the processor's time and the most memory."""

import os
import signal
import subprocess
import tempfile
import threading
import time

# In seconds. Whatever takes longer than this hangs.
LONGEST = 900


class Failed(Exception):
    """A tool that did not do what it was told."""


class Process:
    """A program that ends when it is done."""

    def __init__(self, command, text=None):
        self.command, self.text = [str(word) for word in command], text

    def run(self, environment):
        started = Started(self.command, environment, self.text)
        status = started.wait()
        if status != 0:
            raise Failed(f"{' '.join(self.command)}: {started.errors()}")
        return started.figures()


class Started:
    """A process, watched while it runs."""

    def __init__(self, command, environment, text=None):
        self.output = tempfile.TemporaryFile()
        stdin = subprocess.PIPE if text else subprocess.DEVNULL
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=self.output, env=environment)
        self.watch = Watch(self.process.pid)
        self.limit = threading.Timer(LONGEST, self.kill)
        self.limit.daemon = True
        self.limit.start()
        if text:
            self.process.stdin.write(text.encode())
            self.process.stdin.close()

    def wait(self):
        _, status, self.usage = os.wait4(self.process.pid, 0)
        self.seconds = time.monotonic() - self.began
        self.limit.cancel()
        self.process.returncode = status
        return status

    def is_running(self):
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def kill(self):
        # Not with `Popen.kill`: if the process has ended, that would take its status, and with it the resource usage.
        os.kill(self.process.pid, signal.SIGKILL)

    def end(self):
        self.kill()
        self.wait()

    def figures(self):
        cpu = self.usage.ru_utime + self.usage.ru_stime
        return {"seconds": self.seconds, "cpu": cpu, "memory": self.watch.peak / 1024}

    def errors(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")[-800:].strip()


class Watch(threading.Thread):
    """The most memory that a process had; its rusage would count the Python that forked it."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.peak = f"/proc/{pid}/status", 0
        self.start()

    def run(self):
        try:
            while True:
                with open(self.path) as file:
                    line = next(line for line in file if line.startswith("VmHWM"))
                self.peak = int(line.split()[1])
                time.sleep(0.005)
        except (OSError, StopIteration):
            # The process has ended.
            pass


def measure(steps, environment):
    """One step after the other: their times added up, and the most memory of any."""
    total = {"seconds": 0.0, "cpu": 0.0, "memory": 0.0}
    for step in steps:
        figures = step.run(environment)
        total["seconds"] += figures["seconds"]
        total["cpu"] += figures["cpu"]
        total["memory"] = max(total["memory"], figures["memory"])
    return total
