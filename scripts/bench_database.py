"""A Postgres for a benchmark, and the migration tools' projects of tests/tools on it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Postgres:
    """The newest installed version, with default settings except for `settings`. Stops itself."""

    def __init__(self, *settings):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
        if not found:
            sys.exit("bench: no PostgreSQL: scripts/test installs it")
        self.bin = found[-1].parent
        self.settings = settings

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="launchgate-bench-"))
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if os.geteuid() == 0 else []
        if user:
            shutil.chown(self.folder, "postgres", "postgres")
        (self.folder / "password").write_text("bench")
        (self.folder / "password").chmod(0o644)
        data = self.folder / "data"
        subprocess.run([*user, self.bin / "initdb", "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C",
                        f"--pwfile={self.folder}/password", "-D", data], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = [word for setting in self.settings for word in ("-c", setting)]
        with open(self.folder / "log", "w") as log:
            self.server = subprocess.Popen([*user, self.bin / "postgres", "-D", data, "-p", str(self.port), "-k",
                                            self.folder, "-c", "listen_addresses=127.0.0.1", *options],
                                           cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while "ready to accept connections" not in (self.folder / "log").read_text():
            if time.monotonic() > end or self.server.poll() is not None:
                sys.exit(f"bench: PostgreSQL does not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)
        # Not a superuser, for whom a full server reserves connections.
        self.sql("CREATE ROLE app LOGIN PASSWORD 'bench'")
        return self

    def __exit__(self, *_):
        self.server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.server.wait(5)
        self.server.kill()
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self, name):
        self.sql(f"CREATE DATABASE {name} OWNER app")
        return self.url(name)

    def url(self, name):
        return f"postgres://app:bench@127.0.0.1:{self.port}/{name}"

    def psql(self, database="postgres"):
        return [self.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                f"postgres://postgres:bench@127.0.0.1:{self.port}/{database}"]

    def sql(self, statements, database="postgres"):
        done = subprocess.run([*self.psql(database), "-c", statements], check=True, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE)
        return done.stdout.strip()


class Sampler:
    """Keeps counting launchgate's sessions, over one connection of its own."""

    QUERY = b"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'launchgate%';\n"

    def __init__(self, postgres, every=0.02):
        self.every = every
        self.psql = subprocess.Popen(postgres.psql(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.samples = []  # (when, sessions)
        self.last = 0.0

    def sample(self):
        """Samples at most once per `every` seconds, so that a loop may call it all the time."""
        now = time.monotonic()
        if now - self.last < self.every:
            return
        self.last = now
        self.psql.stdin.write(self.QUERY)
        self.samples.append((now, int(self.psql.stdout.readline())))

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()


def markdown(header, rows):
    print("| " + " | ".join(header) + " |")
    print("| --- " + "| ---: " * (len(header) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


# name: (folder in tests/tools/projects, the URL's scheme, its options, program and arguments)
TOOLS = {
    "dbmate up": ("dbmate", "postgres", "?sslmode=disable", ["dbmate", "--no-dump-schema", "up"]),
    "node-pg-migrate up": ("node-pg-migrate", "postgres", "", ["node-pg-migrate", "up"]),
    "knex migrate:latest": ("knex", "postgres", "", ["knex", "migrate:latest"]),
    "alembic upgrade head": ("alembic", "postgresql+psycopg", "", ["alembic", "upgrade", "head"]),
    "django migrate": ("django", "postgres", "", ["python", "manage.py", "migrate"]),
}
INTERPRETED = [name for name in TOOLS if not name.startswith("dbmate")]


def target_dir():
    return (ROOT / os.environ.get("CARGO_TARGET_DIR", "target")).resolve()


def install_sqlx():
    """sqlx-cli as a release build, kept beside the debug build of the tests."""
    root = target_dir() / "test-tools/sqlx-cli-release"
    program = root / "bin/sqlx"
    if not program.exists():
        version = (ROOT / "tests/tools/crates.txt").read_text().split()[1]
        done = subprocess.run(["cargo", "install", "sqlx-cli", "--version", f"={version}", "--locked", "--quiet",
                               "--no-default-features", "--features", "rustls,postgres,sqlite", "--root", root])
        if done.returncode:
            sys.exit("bench: could not install sqlx-cli")
    return str(program)


def tools_path():
    """A PATH that includes the installed tools."""
    tools = target_dir() / "test-tools"
    folders = ["venv/bin", "node_modules/.bin", "node_modules/@dbmate/linux-x64/bin"]
    return os.pathsep.join([*(str(tools / folder) for folder in folders), os.environ["PATH"]])


@contextlib.contextmanager
def project(folder):
    """A copy of a tool's project, to run it in."""
    with tempfile.TemporaryDirectory(prefix="launchgate-bench-") as copy:
        shutil.copytree(ROOT / "tests/tools/projects" / folder, copy, dirs_exist_ok=True)
        os.symlink(target_dir() / "test-tools/node_modules", Path(copy) / "node_modules")
        yield copy
