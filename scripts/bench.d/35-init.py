"""An init in front of its server: memory, threads and wake-ups once the server runs

The server sleeps undisturbed for ten seconds. Memory comes from /proc/PID/smaps_rollup: private is
what no other process shares, including the program's own pages if it runs only once; written is the
part of it that no file backs. Wake-ups are the context switches of all threads."""

import os
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

IDLE = 10


def fields(path):
    lines = Path(path).read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def memory(pid):
    """Resident, private and written memory in KiB."""
    found = {name: int(value.split()[0]) for name, value in fields(f"/proc/{pid}/smaps_rollup").items()
             if value.strip().endswith("kB")}
    return found["Rss"], found["Private_Clean"] + found["Private_Dirty"], found["Private_Dirty"]


def switches(pid):
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = fields(task / "status")
        found += int(status["voluntary_ctxt_switches"]) + int(status["nonvoluntary_ctxt_switches"])
    return found


def cpu(pid):
    """CPU time in nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def server_of(pid):
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return next((child for child in children if Path(f"/proc/{child}/comm").read_text() == "sleep\n"), None)
    except OSError:
        return None


def until(look):
    end = time.monotonic() + 30
    while not look():
        if time.monotonic() > end:
            raise TimeoutError("bench: waited in vain for a process")
        time.sleep(0.001)


def start(argv):
    init = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: server_of(init.pid))
    # It has settled once it is asleep twice in a row without a switch in between.
    before = None
    while before != (before := switches(init.pid)):
        time.sleep(0.1)
    return init


def contenders(bench):
    sleep = shutil.which("sleep")
    rows = {}
    for name, options in (("tini-static", ["-s", "--"]), ("tini", ["-s", "--"]), ("dumb-init", []), ("catatonit", ["--"])):
        if bench.has(name):
            rows[name] = [shutil.which(name), *options, sleep, "1000"]
    rows["launchgate run --init"] = [bench.binary, "run", "-q", "--no-database", "--init", "--", sleep, "1000"]
    return rows


def measure(argv):
    init = start(argv)
    try:
        status = fields(f"/proc/{init.pid}/status")
        return (*memory(init.pid), int(status["Threads"]), len(os.listdir(f"/proc/{init.pid}/fd")))
    finally:
        init.send_signal(signal.SIGTERM)
        init.wait()


def idle(rows):
    """All at once, so that they share the same ten seconds."""
    inits = {name: start(argv) for name, argv in rows.items()}
    try:
        before = {name: (switches(init.pid), cpu(init.pid)) for name, init in inits.items()}
        time.sleep(IDLE)
        return {name: (switches(init.pid) - before[name][0], cpu(init.pid) - before[name][1])
                for name, init in inits.items()}
    finally:
        for init in inits.values():
            init.send_signal(signal.SIGTERM)
            init.wait()


def run(bench):
    rows = contenders(bench)
    values = bench.interleaved(rows, measure, min(bench.runs, 10))
    base = next(iter(rows))
    for column, name in enumerate(("resident", "private", "written")):
        print(f"{name} memory:")
        bench.table({row: [seen[column] for seen in found] for row, found in values.items()}, base, "KiB", 1, 0)
    print("threads and open files:")
    for row, found in values.items():
        threads, files = (statistics.median(seen[column] for seen in found) for column in (3, 4))
        print(f"  {row:34} {threads:.0f} thread, {files:.0f} open files")
    print(f"in {IDLE} seconds without a signal:")
    for row, (wakes, nanoseconds) in idle(rows).items():
        print(f"  {row:34} {wakes:4} wake-ups {nanoseconds / 1000:10.0f} µs of a processor")
