"""Memory: the wrapper's peak while it waits for its step, and what is left once the server runs

The peak is read from the wrapper itself (VmHWM), not from its children. What is left is read from a
server that launchgate became, compared with the same server started without launchgate."""

import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path


def status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def kib(text):
    return int(text.split()[0])


def while_stepping(argv):
    """VmHWM and VmRSS in KiB of a wrapper while its step runs."""
    wrapper = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until(lambda: any(name(child) == "sleep" for child in children(wrapper.pid)))
        found = status(wrapper.pid)
        return kib(found["VmHWM"]), kib(found["VmRSS"])
    finally:
        for child in children(wrapper.pid):
            os.kill(int(child), 9)
        wrapper.wait()


def once_serving(argv):
    """RSS, threads, open files, children of the server."""
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: name(server.pid) == "sleep" and asleep(server.pid))
        found = status(server.pid)
        files = len(os.listdir(f"/proc/{server.pid}/fd"))
        return kib(found["VmRSS"]), int(found["Threads"]), files, len(children(server.pid))
    finally:
        server.kill()
        server.wait()


def children(pid):
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def asleep(pid):
    """In clock_nanosleep(2) or nanosleep(2): it has started up."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S"


def until(look):
    end = time.monotonic() + 30
    while not look():
        if time.monotonic() > end:
            raise TimeoutError("bench: waited in vain for a process")
        time.sleep(0.001)


def run(bench):
    runs = min(bench.runs, 20)
    sleep, true = shutil.which("sleep"), shutil.which("true")
    gate = [bench.binary, "run", "-q", "--no-database", "--migrate"]
    wrappers = {f"{shell}": [shutil.which(shell), "-c", f"{sleep} 1000 && exec {true}"]
                for shell in ("dash", "bash") if bench.has(shell)}
    wrappers["launchgate"] = [*gate, f"{sleep} 1000", "--", true]
    values = bench.interleaved(wrappers, while_stepping, runs)
    base = next(iter(wrappers))
    print(f"peak memory of the wrapper, {runs} runs each:")
    bench.table({row: [peak for peak, _ in found] for row, found in values.items()}, base, "KiB", 1, 0)
    servers = {
        "the server by itself": [sleep, "1000"],
        "the server launchgate became": [*gate, true, "--", sleep, "1000"],
    }
    values = bench.interleaved(servers, once_serving, runs)
    print("left once the server runs:")
    for row, found in values.items():
        rss, threads, files, kin = (statistics.median(column) for column in zip(*found))
        print(f"  {row:34} {rss:8.0f} KiB resident, {threads:.0f} thread, {files:.0f} open files, {kin:.0f} children")
