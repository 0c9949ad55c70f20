"""A release that is already migrated: time until its server may start

On one PostgreSQL, over TCP and with a password, with nothing to do. launchgate's time includes its
server, /bin/true; the others' time ends with the tool, before anything serves. psql is the program
itself, not Debian's wrapper around it."""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys

from bench_database import INTERPRETED, ROOT, TOOLS, Postgres, markdown, project, tools_path

GATE = "launchgate run"
PSQL = "psql -c 'select 1'"
AIM = 0.45
# Enough for tools that take a fifth of a second or more.
SLOW_RUNS = 40


# In whichever schema the ledger is.
ROWS = """DO $$ BEGIN
    EXECUTE format('INSERT INTO %s (app, revision, run_id, attempt, state, holder, version, started_at)
        SELECT ''default'', ''r'' || n, ''r'' || n, 1, ''succeeded'', ''host:1'', ''1'', now() FROM generate_series(1, 100000) n',
        (SELECT oid::regclass FROM pg_class WHERE relname = 'launchgate_runs' AND relkind = 'r'));
END $$"""


def run(bench):
    subprocess.run([ROOT / "scripts/install-test-tools"], check=True, stdin=subprocess.DEVNULL)
    path = tools_path()
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        gate = ["run", "-q", "--release", "v1", "--migrate", "/bin/true", "--", "/bin/true"]
        env = {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}
        rows = {
            PSQL: ([str(postgres.bin / "psql"), "-X", "-c", "select 1", postgres.create_database("psql")], env, None),
            "/bin/true (no database)": (["/bin/true"], env, None),
        }
        large = []
        for number, (name, binary) in enumerate(bench.launchgates.items()):
            for row in (f"{name} run", f"{name} run, 100,000 rows in the ledger"):
                database = f"gate{number}" + ("_large" if row.endswith("ledger") else "")
                large += [database] if database.endswith("large") else []
                rows[row] = ([binary, *gate], {**env, "DATABASE_URL": postgres.create_database(database)}, None)
        for name, (folder, scheme, options, command) in TOOLS.items():
            url = postgres.create_database(folder.replace("-", "_"))
            postgres.sql("CREATE SEQUENCE executions; GRANT ALL ON SEQUENCE executions TO app",
                         folder.replace("-", "_"))
            program = shutil.which(command[0], path=path)
            url = scheme + url[url.index(":"):] + options
            folder = stack.enter_context(project(folder))
            rows[name] = ([program, *command[1:]], {**env, "DATABASE_URL": url}, folder)
        for argv, env, folder in rows.values():  # migrates
            done = subprocess.run(argv, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                sys.exit(f"bench: {argv} failed:\n{done.stdout}")
        for database in large:
            postgres.sql(ROWS, database)

        def measure(contender):
            argv, env, folder = contender
            here = os.getcwd()
            os.chdir(folder or "/")
            try:
                return bench.spawn(argv, env)
            finally:
                os.chdir(here)

        fast = {name: row for name, row in rows.items() if name not in TOOLS}
        values = bench.interleaved(rows, measure, min(bench.runs, SLOW_RUNS))
        more = bench.interleaved(fast, measure)
        report(f"All of them interleaved, {min(bench.runs, SLOW_RUNS)} runs each:", values)
        report(f"The fast ones by themselves, {bench.runs} runs each:", more)
        fastest = min(INTERPRETED, key=lambda name: median(values[name]))
        print(f"\nThe fastest tool with an interpreter, {fastest}, takes {median(values[fastest]) / median(values[GATE]):.0f} "
              f"times as long as launchgate.")
        for name in more:
            if name not in (PSQL, "/bin/true (no database)"):
                print(f"{name}: {median(more[name]) / median(more[PSQL]):.2f} of psql, where at most {AIM} is the aim.")


def median(found):
    return statistics.median(seconds for seconds, _ in found)


def report(title, values):
    print(f"\n{title}\n")
    base = median(values[GATE])
    rows = []
    for name, found in sorted(values.items(), key=lambda item: median(item[1])):
        quarters = statistics.quantiles([seconds for seconds, _ in found], n=4)
        cpu = statistics.median(usage.ru_utime + usage.ru_stime for _, usage in found)
        rows.append([f"`{name}`", f"{median(found) * 1000:.2f} ms", f"{median(found) / base:.2f}",
                     f"{quarters[0] * 1000:.2f} … {quarters[2] * 1000:.2f}", f"{cpu * 1000:.2f} ms"])
    markdown(["start", "median", "ratio to launchgate", "quartiles, ms", "CPU time"], rows)
