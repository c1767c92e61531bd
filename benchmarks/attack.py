"""Attack the command with hostile input of every kind, and print what was tried and what held.

    python benchmarks/attack.py [--cases N] [--seed S] [--kind TEXT] [--workers N] [--json]

Each case is a run of the command in a forked process with limits (benchmarks/attack_cases/guard.py says on what it fails);
the same seed makes the same cases. tests/attack runs a few thousand of them. Exit code 1 if anything broke.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.attack_cases import guard, kinds


def table(found: list[guard.Found]) -> list[str]:
    """Lines of Markdown: class, tried, held, slowest, largest memory."""
    by: dict[str, list[guard.Found]] = defaultdict(list)
    for f in found:
        by[f.kind].append(f)
    rows = [
        "| class | tried | held | slowest, CPU | memory added | peak memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind, some in [*((k, by[k]) for k in kinds.KINDS if by[k]), ("all", found)]:
        held = sum(not f.problem for f in some)
        slowest, most, peak = (max(getattr(f, name) for f in some) for name in ("seconds", "memory", "peak"))
        sizes = f"{most / 1e6:.0f} MB | {peak / 1e6:.0f} MB"
        rows.append(f"| {kind} | {len(some):,} | {held:,} | {slowest:.1f} s | {sizes} |")
    return rows


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="", help="only classes whose name contains this")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--one", type=int, help="only the case of this seed")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    kinds.warm()
    tasks = [t for t in kinds.tasks(asked.cases, asked.seed) if asked.kind in t.kind]
    if asked.one is not None:
        tasks = [guard.Task(kind, asked.one) for kind in dict.fromkeys(t.kind for t in tasks)]
    began = time.monotonic()

    def on_found(found: guard.Found) -> None:
        if found.problem and not asked.json:
            print(f"{found.kind} {found.seed}: {found.problem}", file=sys.stderr, flush=True)

    found = guard.run(
        tasks, kinds.make, alone=lambda kind: kind in kinds.ALONE, workers=asked.workers, on_found=on_found
    )
    if asked.json:
        print(json.dumps([asdict(f) for f in found]))
    else:
        print(*table(found), sep="\n")
        print(f"\nseed {asked.seed}, {time.monotonic() - began:.0f} s")
    return 1 if any(f.problem for f in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
