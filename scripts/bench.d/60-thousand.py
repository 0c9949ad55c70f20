"""1,000 replicas start together, max_connections=40: one execution, every server

Replicas and database share this machine, so a real fleet would be faster. The migration and the servers
record when they start, by the machine's clock."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench_database import Postgres, Sampler, markdown

REPLICAS = 1000
MIGRATION = 60  # seconds
DEADLINE = 600
WAITS = re.compile("wait|migrated already|succeeded|start")

# A shell can read the clock /proc/uptime without starting a process.
MIGRATE = f"""#!/bin/sh
read -r up rest </proc/uptime; echo "began $up" >>"$EVIDENCE"
"$PSQL" -X -q -c 'CREATE TABLE guests (id int)' -c 'SELECT pg_sleep({MIGRATION})' "$DATABASE_URL" >/dev/null || exit
read -r up rest </proc/uptime; echo "ended $up" >>"$EVIDENCE"
"""
SERVE = """#!/bin/sh
read -r up rest </proc/uptime; echo "server $up" >>"$EVIDENCE"
"""


def run(bench):
    with Postgres("max_connections=40") as postgres, tempfile.TemporaryDirectory(prefix="launchgate-bench-") as folder:
        for name, script in (("migrate", MIGRATE), ("serve", SERVE)):
            path = Path(folder, name)
            path.write_text(script)
            path.chmod(0o755)
        evidence, log = Path(folder, "evidence"), Path(folder, "log")
        env = {"PATH": os.environ["PATH"], "EVIDENCE": str(evidence), "PSQL": str(postgres.bin / "psql"),
               "DATABASE_URL": postgres.create_database("app"), "GIT_SHA": "4f2a91c"}
        argv = [bench.binary, "run", "--migrate", f"{folder}/migrate", "--", f"{folder}/serve"]
        sampler = Sampler(postgres)
        with open(log, "a") as output:
            files = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)]
            began = time.monotonic()
            alive = {os.posix_spawn(argv[0], argv, env, file_actions=files) for _ in range(REPLICAS)}
            spawned = time.monotonic()
        statuses, cpu = Counter(), 0.0
        while alive:
            sampler.sample()
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid in alive:
                alive.remove(pid)
                statuses[status] += 1
                cpu += usage.ru_utime + usage.ru_stime
            elif pid == 0:
                time.sleep(0.005)
            if time.monotonic() - began > DEADLINE:
                for pid in alive:
                    os.kill(pid, 9)
                sys.exit(f"bench: {len(alive)} replicas neither serve nor fail, see:\n{log.read_text()[-4000:]}")
        sampler.close()
        opened = int(postgres.sql("SELECT sessions FROM pg_stat_database WHERE datname = 'app'"))
        report(evidence.read_text(), statuses, sampler.samples, spawned - began, began, cpu, opened, postgres)
        if any(statuses):
            lines = [line for line in log.read_text(errors="replace").splitlines() if not WAITS.search(line)]
            print("\nA replica failed. What was said, but for waiting:\n\n" + "\n".join(lines[:60]))


def report(evidence, statuses, samples, spawning, began, cpu, opened, postgres):
    events = [line.split() for line in evidence.splitlines()]
    at = {word: [float(when) for what, when in events if what == word] for word in ("began", "ended", "server")}
    ended = max(at["ended"])
    after = sorted(when - ended for when in at["server"])
    took = ended - at["began"][0]
    first, rest = [], []
    for when, sessions in samples:
        (first if when - began < spawning + 10 else rest).append(sessions)
    print()
    markdown(["what", "seen"], [
        ["replicas, started within", f"{REPLICAS}, {spawning:.1f} s"],
        ["executions of the migration", len(at["began"])],
        ["servers started", len(at["server"])],
        ["replicas that failed", sum(count for status, count in statuses.items() if status)],
        ["the migration took", f"{took:.1f} s"],
        ["servers started before its end", sum(1 for when in after if when < 0)],
        ["peak of launchgate's connections, in the rush of the first 10 s", max(first)],
        ["the same, median", sorted(first)[len(first) // 2]],
        ["peak of launchgate's connections, after that", max(rest, default=0)],
        ["the same, median", sorted(rest or [0])[len(rest) // 2]],
        ["samples", len(samples)],
        ["connections opened, per replica", f"{opened / REPLICAS:.1f}"],
        ["connections refused by the server as too many", (postgres.folder / "log").read_text().count("FATAL:")],
        ["half of the servers started within", f"{after[len(after) // 2]:.2f} s of the migration's end"],
        ["the last server started", f"{after[-1]:.2f} s after the migration's end"],
        ["aim: a tenth of the migration and a second", f"{took / 10 + 1:.2f} s, ratio {after[-1] / (took / 10 + 1):.2f}"],
        ["CPU time of a replica, all of its wait", f"{cpu / REPLICAS * 1000:.1f} ms"],
    ])
