"""Fit the constants of speed to published measurements and write catalog/data/speed_constants.json.

    python tools/fit_speed.py MEASURED.csv.gz ... [--out FILE] [--left-out FILE] [--rejected FILE] [--no-intervals]

One run writes the whole file, and the same tables give the same file. Names are resolved to the catalogue; rows that
physics or their own flags forbid are rejected and listed; intervals come from predictions that left out the source of each
row, whose errors are kept beside (tests/truth/speed_left_out.json.gz), so that the intervals can be checked in a second. The
measurements themselves are not part of the project: only rows whose licence allows it are
in catalog/data/measurements.json.gz (tools/measurements.py).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.speed import fit, intervals, judge, rows

LEFT_OUT = Path(__file__).parents[1] / "tests" / "truth" / "speed_left_out.json.gz"
OUT = Path(__file__).parents[1] / "src" / "gyakusan" / "catalog" / "data" / "speed_constants.json"


def main() -> None:
    """Read, fit, leave out, write."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("measured", type=Path, nargs="+")
    asked.add_argument("--out", type=Path, default=OUT)
    asked.add_argument("--left-out", type=Path, default=LEFT_OUT, help="write the errors of the intervals there")
    asked.add_argument("--rejected", type=Path, help="write the list of rejected rows there")
    asked.add_argument("--no-intervals", action="store_true", help="keep the intervals of the file that is there")
    said = asked.parse_args()
    table = rows.table([row for path in said.measured for row in rows.read(path)])
    print(f"{table.rows} rows, {table.share:.1%} resolved, {len(table.observations)} observations")
    if said.rejected:
        said.rejected.write_text(rows.dump(table), "utf-8")
    _list(table)
    seen = judge.used(table.observations)
    fits = judge.fit_all(judge.Timed.of(seen))
    old = json.loads(said.out.read_text("utf-8")) if said.out.exists() else {}
    found = {
        "provenance": _provenance(said.measured, table, seen),
        "seen": {
            "devices": sorted({o.subject.chip.name for o in seen}),
            "families": sorted({o.subject.chip.family for o in seen}),
            "models": sorted({o.subject.model for o in seen}),
        },
        "intervals": old.get("intervals", {}) if said.no_intervals else _intervals(seen, said.left_out),
        "constants": fit.write((fits.prefill, fits.decode)),
    }
    said.out.write_text(json.dumps(found, indent=1, sort_keys=False) + "\n", "utf-8")
    print(f"{said.out}: {said.out.stat().st_size} bytes")


def _intervals(seen: list[rows.Observation], kept: Path) -> dict[str, Any]:
    """The intervals, from errors as they are kept."""
    written = intervals.errors_of(seen, *judge.all_left_out(seen)).written()
    with kept.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        file.write(json.dumps(written, separators=(",", ":")).encode())
    return intervals.calibrated(intervals.Errors.read(written))


def _provenance(paths: list[Path], table: rows.Table, seen: list[rows.Observation]) -> dict[str, Any]:
    return {
        "measurements": [path.name for path in paths],
        "sha256": hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest(),
        "rows": table.rows,
        "resolved": round(table.share, 4),
        "observations": len(seen),
        "sources": dict(Counter(o.source for o in seen).most_common()),
        "rejected": dict(_reasons(table).most_common()),
        "tool": "tools/fit_speed.py",
        "checked": "2026-11-30",
    }


def _reasons(table: rows.Table) -> Counter[str]:
    out: Counter[str] = Counter()
    for (reason, _), number in table.rejected.items():
        out[reason] += number
    return out


def _list(table: rows.Table) -> None:
    for reason, number in _reasons(table).most_common():
        examples = [label for (r, label), _ in table.rejected.most_common() if r == reason][:3]
        print(f"  {number:5} {reason}: {'; '.join(examples)}")
    print("not known:", ", ".join(f"{what} {name} ({n})" for (what, name), n in table.unknown.most_common(25)))


if __name__ == "__main__":
    main()
