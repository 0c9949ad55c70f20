"""What 100 waiters cost: CPU time over 20 seconds, and connections

Compared with a loop that asks with psql every second, as entrypoint scripts do. The loop runs in ten
replicas, and its figures are scaled to the number of waiters."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from bench_database import Postgres, Sampler, markdown

WAITERS = 100
LOOPS = 10
WINDOW = 20  # seconds
TICK = os.sysconf("SC_CLK_TCK")


def run(bench):
    with Postgres() as postgres, tempfile.TemporaryDirectory(prefix="launchgate-bench-") as folder, \
            contextlib.ExitStack() as stack:
        env = {"PATH": os.environ["PATH"], "DATABASE_URL": postgres.create_database("app"), "GIT_SHA": "4f2a91c"}
        step = Path(folder, "step")
        step.write_text(f"#!/bin/sh\n: >{folder}/stepping\nexec sleep 1000\n")
        step.chmod(0o755)
        gate = [bench.binary, "run", "-q", "--migrate", str(step), "--", "/bin/true"]
        start(stack, gate, env)
        while not Path(folder, "stepping").exists():
            time.sleep(0.05)
        waiters = [start(stack, gate, env) for _ in range(WAITERS)]
        sampler = Sampler(postgres)
        rows, waited = [], 0
        for settle in (10, 60):
            idle(sampler, settle - waited)
            found, sessions = window(postgres, sampler, waiters)
            rows.append(row(f"launchgate, after {settle} s", found, sessions, WAITERS))
            waited = settle + WINDOW
        for waiter in waiters:
            waiter.kill()
        ask = f"until [ \"$({postgres.bin}/psql -X -A -t -c 'select false' $DATABASE_URL)\" = t ]; do sleep 1; done"
        loops = [start(stack, ["/bin/sh", "-c", ask], env) for _ in range(LOOPS)]
        idle(sampler, 5)
        found, sessions = window(postgres, sampler, loops)
        rows.append(row("a loop with psql and sleep 1", found, sessions, LOOPS))
        sampler.close()
        base = rows[0][-1]
        print()
        markdown(["100 waiters, 20 s", "CPU time", "of one core", "sessions opened", "sessions at a time, highest",
                  "resident, each", "ratio"],
                 [[*cells, f"{cpu / base:.1f}"] for *cells, cpu in rows])


def start(stack, argv, env):
    child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True)

    def end():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    stack.callback(end)
    return child


def idle(sampler, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sampler.sample()
        time.sleep(0.01)


def window(postgres, sampler, children):
    """CPU seconds and resident KiB per process, sessions opened and their peak, in WINDOW seconds."""
    opened, ticks, before = opened_so_far(postgres), sum(map(cpu, children)), len(sampler.samples)
    idle(sampler, WINDOW)
    ticks = sum(map(cpu, children)) - ticks
    resident = sum(map(rss, children)) / len(children)
    peak = max(sessions for _, sessions in sampler.samples[before:])
    return (ticks / TICK, resident), (opened_so_far(postgres) - opened, peak)


def row(name, found, sessions, count):
    (seconds, resident), (opened, peak) = found, sessions
    seconds *= WAITERS / count
    holder = 2 if name.startswith("launchgate") else 0
    return [name, f"{seconds:.2f} s", f"{seconds / WINDOW * 100:.2f} %", opened * WAITERS // count,
            f"{peak - holder} and the holder's 2" if holder else "-", f"{resident:.0f} KiB", seconds]


def opened_so_far(postgres):
    return int(postgres.sql("SELECT sessions FROM pg_stat_database WHERE datname = 'app'"))


def cpu(child):
    """Clock ticks of a process and of the children it has waited for (proc(5), fields 14 to 17)."""
    return sum(map(int, Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]))


def rss(child):
    lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
