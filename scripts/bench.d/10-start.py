"""One step, then the server: time from start to end, both of them /bin/true

Every row includes the start of the step, except tini's, which runs none. `-q` shows what the log
lines cost."""

import shutil


def contenders(bench):
    step_and_server = ["--no-database", "--migrate", "/bin/true", "--", "/bin/true"]
    step_and_exec = "/bin/true && exec /bin/true"
    rows = {}
    for shell in ("dash", "bash"):
        if bench.has(shell):
            rows[f"{shell} -c 'true && exec true'"] = [shutil.which(shell), "-c", step_and_exec]
    for name, binary in bench.launchgates.items():
        rows[f"{name} run"] = [binary, "run", *step_and_server]
        rows[f"{name} -q run"] = [binary, "run", "-q", *step_and_server]
    if bench.has("tini"):
        rows["tini -- true (no step)"] = [shutil.which("tini"), "-s", "--", "/bin/true"]
    return rows


def run(bench):
    rows = contenders(bench)
    values = bench.interleaved(rows, lambda argv: bench.spawn(argv))
    base = next(iter(rows))
    print(f"time, {bench.runs} runs each:")
    bench.table({name: [seconds for seconds, _ in found] for name, found in values.items()}, base, "ms", 1000)
    print("page faults without input or output, of the wrapper, the step and the server together:")
    bench.table({name: [usage.ru_minflt for _, usage in found] for name, found in values.items()}, base, "faults", 1, 0)
