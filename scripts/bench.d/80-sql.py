"""`launchgate run --sql` and sqlx-cli on the same folders

1,000 small migrations into an empty database, on SQLite and Postgres with their default settings, so
that every commit waits for the disk; then a start that finds everything applied. launchgate's time
includes lock, ledger, the process of the step and the server, /bin/true. sqlx-cli is a release build
with the same version of sqlx."""

import contextlib
import os
import statistics
import tempfile
from pathlib import Path

from bench_database import ROOT, Postgres, install_sqlx, markdown

FILES = 1000
ROUNDS = 5
GATE, SQLX = "launchgate run --sql", "sqlx migrate run"


def run(bench):
    sqlx = install_sqlx()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="launchgate-bench-", dir=ROOT)))
        migrations = folder / "migrations"
        migrations.mkdir()
        for number in range(1, FILES + 1):
            (migrations / f"{number}_step.sql").write_text(
                f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO t{number} VALUES (1, 'a');\n")
        contenders = {
            GATE: [bench.binary, "run", "-q", "--sql", str(migrations), "--", "/bin/true"],
            SQLX: [sqlx, "migrate", "run", "--no-dotenv", "--source", str(migrations)],
        }
        postgres = stack.enter_context(Postgres())
        fresh = {"SQLite": sqlite(folder), "Postgres": postgres_databases(postgres)}
        applying, starting = [], []
        for backend, database in fresh.items():
            urls = {}

            def apply(name, database=database, urls=urls):
                urls[name] = database()
                return bench.spawn(contenders[name], environment(urls[name]))[0]

            report(applying, backend, bench.interleaved({name: name for name in contenders}, apply, ROUNDS), "s")
            again = bench.interleaved(
                {name: name for name in contenders},
                lambda name, urls=urls: bench.spawn(contenders[name], environment(urls[name]))[0])
            report(starting, backend, again, "ms")
        print(f"\n{FILES} migrations, {ROUNDS} rounds each:\n")
        markdown(["database", *contenders, "sqlx-cli takes"], applying)
        print(f"\nA start with all of them applied, {bench.runs} rounds each:\n")
        markdown(["database", *contenders, "sqlx-cli takes"], starting)


def environment(url):
    return {"DATABASE_URL": url, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def sqlite(folder):
    number = iter(range(10**6))

    def fresh():
        path = folder / f"{next(number)}.db"
        path.touch()  # sqlx-cli does not create it
        return f"sqlite:{path}"

    return fresh


def postgres_databases(postgres):
    number = iter(range(10**6))
    return lambda: postgres.create_database(f"sql{next(number)}")


def report(rows, backend, values, unit):
    scale = 1000 if unit == "ms" else 1
    medians = {name: statistics.median(found) for name, found in values.items()}
    shown = [f"{medians[name] * scale:.2f} {unit}" for name in values]
    rows.append([backend, *shown, f"{medians[SQLX] / medians[GATE]:.2f} times as long"])
