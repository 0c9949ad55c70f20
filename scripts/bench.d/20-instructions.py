"""User instructions, which are free of noise

Counted by perf over the same command lines as in `start`. If the machine has no counters, as in most
virtual machines, valgrind's simulated processor counts instead. It loses a program's count at exec, so
only the wrapper is counted then, around one step and with its own exit in place of the server."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path


def counted_by_perf(argv):
    """User instructions with all children, or None if the machine has no counters."""
    if not shutil.which("perf"):
        return None
    done = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", *argv],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"^(\d+),[^,]*,instructions", done.stderr, re.M)
    return int(found.group(1)) if found else None


def counted_by_callgrind(argv):
    """User instructions of this one program, without children, or None if it can't run there."""
    if not shutil.which("valgrind"):
        return None
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *argv],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    # The process id identifies a child between fork and exec.
    counts = re.findall(r"^==(\d+)== Collected : (\d+)", done.stderr, re.M)
    return int(counts[-1][1]) if counts and done.returncode == 0 else None


def wrappers(bench):
    rows = {}
    for shell in ("dash", "bash"):
        if shutil.which(shell):
            rows[f"{shell} -c 'true || exit; :'"] = [shutil.which(shell), "-c", "/bin/true || exit; :"]
    for name, binary in bench.launchgates.items():
        rows[f"{name} job"] = [binary, "job", "--no-database", "--migrate", "/bin/true"]
        rows[f"{name} -q job"] = [binary, "job", "-q", "--no-database", "--migrate", "/bin/true"]
    if shutil.which("tini"):
        rows["tini -- true"] = [shutil.which("tini"), "-s", "--", "/bin/true"]
    return rows


def start_section():
    spec = importlib.util.spec_from_file_location("start", Path(__file__).with_name("10-start.py"))
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    return start


def run(bench):
    ways = (("perf", counted_by_perf, start_section().contenders, "wrapper, step and server together"),
            ("callgrind", counted_by_callgrind, wrappers, "the wrapper alone, around one step"))
    for name, count, contenders, what in ways:
        if count([shutil.which("true")]) is None:
            print(f"  {name}: not supported here")
            continue
        values = bench.interleaved(contenders(bench), count, runs=3)
        for row in [row for row, found in values.items() if None in found]:
            print(f"  {row}: {name} could not count it")
            del values[row]
        if values:
            print(f"counted by {name}, {what}:")
            bench.table(values, next(iter(values)), "million", 1e-6)
            return
    print("  user instructions: not supported here")
