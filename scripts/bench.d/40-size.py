"""Size of the static binary; `scripts/build-static --sizes` shows what each dependency costs"""

import os
import shutil
import subprocess


def run(bench):
    for binary in bench.launchgates.values():
        size = os.path.getsize(binary)
        print(f"  {binary}: {size} bytes, {size / 2**20:.2f} MiB")
    if shutil.which("xz"):
        packed = subprocess.run(["xz", "-9", "--stdout", bench.binary], stdout=subprocess.PIPE, check=True)
        print(f"  packed by xz, as a registry moves it: {len(packed.stdout) / 2**20:.2f} MiB")
