#!/usr/bin/env python3
"""Adds up the symbols of an unstripped binary by crate: `nm --print-size --size-sort BINARY | sizes.py`.

A generic function counts for the crate that it is named after, wherever it was instantiated;
what has no symbol (string literals, unwind tables) counts for nobody.
"""

import re
import sys
from collections import Counter

# C libraries that a crate brings in.
C_PREFIXES = (("sqlite3", "libsqlite3-sys (C)"), ("ring_core", "ring (C)"), ("p256_", "ring (C)"))
STD = {"core", "alloc", "std", "std_detect", "compiler_builtins", "hashbrown", "gimli", "addr2line",
       "rustc_demangle", "miniz_oxide", "panic_unwind", "panic_abort", "unwind", "object", "memchr_std"}


def first_crate(symbol):
    if symbol.startswith("_R"):  # v0 mangling: the first crate root, C [s hash _] length name
        found = re.search(r"C(?:s[0-9a-zA-Z]*_)?(\d+)", symbol)
        if found:
            start = found.end() + (symbol[found.end()] == "_")
            return symbol[start:start + int(found.group(1))]
    found = re.match(r"_ZN(\d+)", symbol)
    if found:  # legacy mangling: the path's first part, which may be `<Type as Trait>`
        part = symbol[found.end():found.end() + int(found.group(1))]
        for name in re.findall(r"[A-Za-z_][A-Za-z0-9_]*(?=\.\.)", part.replace("$LT$", " ").replace("$RF$", " ")
                               .replace("$u20$", " ")) or [part]:
            return name.strip("_ ")
    return None


def owner(symbol):
    crate = first_crate(symbol)
    if crate:
        return "std and core" if crate in STD or not re.fullmatch(r"\w+", crate) else crate
    return next((who for prefix, who in C_PREFIXES if symbol.startswith(prefix)), "musl and other C")


def main():
    sums = Counter()
    for line in sys.stdin:
        parts = line.split()
        if len(parts) == 4 and parts[2] not in "bB":  # .bss takes no space in the file
            sums[owner(parts[3])] += int(parts[1], 16)
    total = sum(sums.values())
    for crate, size in sums.most_common():
        if size >= 1024:
            print(f"{size / 1024:9.1f} KiB {100 * size / total:5.1f} %  {crate}")
    print(f"{total / 1024:9.1f} KiB          all symbols")


if __name__ == "__main__":
    main()
