"""`launchgate run --sql` beside the tools whose folders it applies

The same folder of 3 and of 300 migrations on one PostgreSQL with default settings: the first deploy, into an
empty database, and a start that finds everything applied. launchgate's time includes lock, ledger and the
server, /bin/true; a tool's time ends with the tool. What a tool adds to an image is what npm installs for it,
or its program; node itself is not counted, since the app has it. Prisma's CLI can't be had here, because it
downloads its engine: its time is the same engine's, as WebAssembly without the CLI, and its size is that of
the CLI's packages without the engine. sqlx-cli is a release build."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_database import ROOT, Postgres, install_sqlx, markdown, target_dir

COUNTS = (3, 300)
FIRST_ROUNDS, START_ROUNDS = 5, 20
# What an image needs to run the tool, beside the app's own packages.
PACKAGES = {"prisma": ["prisma@7.10.0"], "drizzle-kit": ["drizzle-kit@0.31.11"]}
# They are there for the app in any case.
SHARED = ["drizzle-orm@0.45.4", "pg@8.23.1"]


def run(bench):
    subprocess.run([ROOT / "scripts/install-test-tools"], check=True, stdin=subprocess.DEVNULL)
    tools = target_dir() / "test-tools"
    sqlx, dbmate = install_sqlx(), str(tools / "node_modules/@dbmate/linux-x64/bin/dbmate")
    node, judges = shutil.which("node"), ROOT / "tests/tools/judges"
    kit = install(PACKAGES["drizzle-kit"] + SHARED)
    only_kit, prisma = install(PACKAGES["drizzle-kit"]), install(PACKAGES["prisma"])
    # name: (layout, bytes, argv)
    contenders = {
        "Prisma's engine": (prisma_folder, size(prisma), lambda url, at: [node, judges / "prisma.mjs", tools, url, at]),
        "drizzle-kit migrate": (drizzle_folder, size(only_kit), lambda url, at: [
            node, kit / "drizzle-kit/bin.cjs", "migrate", "--config", at.parent / "drizzle.config.json"]),
        "drizzle-orm's migrator": (drizzle_folder, 0, lambda url, at: [node, judges / "drizzle.mjs", tools, url, at]),
        "dbmate up": (dbmate_folder, os.path.getsize(dbmate), lambda url, at: [
            dbmate, "--url", url + "?sslmode=disable", "-d", at, "--no-dump-schema", "up"]),
        "sqlx migrate run": (sqlx_folder, os.path.getsize(sqlx), lambda url, at: [
            sqlx, "migrate", "run", "--no-dotenv", "--source", at]),
    }
    rows = {name: [f"`{name}`", megabytes(added)] for name, (_, added, _) in contenders.items()}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="launchgate-bench-", dir=target_dir())))
        (folder / "node_modules").symlink_to(kit)
        postgres = stack.enter_context(Postgres())
        databases = (postgres.create_database(f"migrator{number}") for number in range(10**6))
        for count in COUNTS:
            for name, (layout, _, argv) in contenders.items():
                migrations = folder / f"{count}-{name.split()[0]}" / "migrations"
                if not migrations.exists():
                    migrations.mkdir(parents=True)
                    layout(migrations, count)
                first, start = compare(bench, databases, migrations, argv)
                rows[name] += [times(first), times(start)]
    print(f"\n{FIRST_ROUNDS} rounds of each first deploy, {START_ROUNDS} of each start; launchgate is "
          f"{megabytes(os.path.getsize(bench.binary))}. Each cell: the tool, launchgate, how many times as long the tool takes.\n")
    markdown(["tool", "adds to an image", *(f"{count}: {what}" for count in COUNTS for what in ("first deploy", "start"))],
             rows.values())


def compare(bench, databases, migrations, argv):
    """({who: [seconds]} of first deploys, the same of starts with nothing to do)."""
    urls = {}
    gate = [bench.binary, "run", "-q", "--sql", str(migrations), "--", "/bin/true"]

    def measure(who):
        url = urls[who]
        config = {"dialect": "postgresql", "out": str(migrations), "dbCredentials": {"url": url}}
        (migrations.parent / "drizzle.config.json").write_text(json.dumps(config))
        words = gate if who == "launchgate" else [str(word) for word in argv(url, migrations)]
        os.chdir(migrations.parent)
        try:
            return bench.spawn(words, {"DATABASE_URL": url, "PATH": os.environ["PATH"], "HOME": str(migrations.parent)})[0]
        finally:
            os.chdir(ROOT)

    def deploy(who):
        urls[who] = next(databases)
        return measure(who)

    who = {"the tool": "the tool", "launchgate": "launchgate"}
    return bench.interleaved(who, deploy, FIRST_ROUNDS), bench.interleaved(who, measure, START_ROUNDS)


def times(values):
    tool, gate = (statistics.median(values[who]) * 1000 for who in ("the tool", "launchgate"))
    return f"{tool:.0f} ms, {gate:.0f} ms, {tool / gate:.1f}"


def megabytes(count):
    return f"{count / 1e6:.0f} MB" if count else "nothing"


def statements(number):
    return f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT);", f"INSERT INTO t{number} VALUES (1, 'a');"


def prisma_folder(folder, count):
    (folder / "migration_lock.toml").write_text('provider = "postgresql"\n')
    for number in range(count):
        own = folder / f"{20240101000000 + number}_step"
        own.mkdir()
        (own / "migration.sql").write_text("\n".join(statements(number)) + "\n")


def drizzle_folder(folder, count):
    (folder / "meta").mkdir()
    entries = [{"idx": number, "version": "7", "when": 1700000000000 + number, "tag": f"{number:04}_step", "breakpoints": True}
               for number in range(count)]
    journal = {"version": "7", "dialect": "postgresql", "entries": entries}
    (folder / "meta/_journal.json").write_text(json.dumps(journal))
    for number in range(count):
        (folder / f"{number:04}_step.sql").write_text("\n--> statement-breakpoint\n".join(statements(number)))


def dbmate_folder(folder, count):
    for number in range(count):
        text = "-- migrate:up\n" + "\n".join(statements(number)) + f"\n\n-- migrate:down\nDROP TABLE t{number};\n"
        (folder / f"{20240101000000 + number}_step.sql").write_text(text)


def sqlx_folder(folder, count):
    for number in range(count):
        (folder / f"{number + 1}_step.sql").write_text("\n".join(statements(number)) + "\n")


def install(packages):
    """A node_modules with these packages alone, kept beside the tests' tools."""
    root = target_dir() / "tools" / ("bench-" + "-".join(packages).replace("@", "-"))
    if not (root / "complete").exists():
        root.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix",
                               root, *packages], stdin=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"bench: could not install {' '.join(packages)}")
        (root / "complete").touch()
    return root / "node_modules"


def size(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
