"""Write catalog/data/measurements.json.gz: the measurements that we may pass on, under our names.

    python tools/measurements.py MEASURED.csv.gz SOURCES.json [--out FILE]

SOURCES.json names address and licence of each source. Only CC BY, Apache and MIT go in; junk stays out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.speed import judge, rows
from benchmarks.speed.columns import build
from benchmarks.speed.observation import Observation

OUT = Path(__file__).parents[1] / "src" / "gyakusan" / "catalog" / "data" / "measurements.json.gz"
FREE = ("CC BY 4.0", "Apache-2.0", "MIT")


def main() -> None:
    """Read, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    free = {k: v for k, v in json.loads(options.sources.read_text("utf-8")).items() if v["licence"] in FREE}
    table = rows.table(rows.read(options.measured))
    seen = [o for o in judge.used(table.observations) if o.source in free]
    document = {
        "sources": {k: {"url": v["url"], "licence": v["licence"]} for k, v in free.items()},
        "rows": grouped(seen),
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    with options.out.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        file.write(text)
    print(
        f"{sum(map(len, document['rows'].values()))} points of {len(free)} sources, {options.out.stat().st_size} bytes"
    )


def grouped(seen: list[Observation]) -> dict[str, list[list[Any]]]:
    """Rows by device, model and quantisation; repetitions as their median."""
    configurations: dict[Any, list[Observation]] = defaultdict(list)
    for o in seen:
        configurations[_configuration(o)].append(o)
    out: dict[str, list[list[Any]]] = defaultdict(list)
    for same in configurations.values():
        o, s = same[0], same[0].subject
        key = "|".join((s.chip.name, s.model, s.quant.label))
        middle = sorted(x.seconds for x in same)[len(same) // 2]
        figure = float(f"{_figure(o, middle):.5g}")
        where = [o.kind, s.engine, s.api, o.users, round(o.context), o.prompt, o.answer, o.parallel]
        out[key].append([*where, figure, len(same), o.source])
    return dict(sorted(out.items()))


def _configuration(o: Observation) -> Any:
    return (
        o.kind,
        o.cell,
        o.users,
        round(o.context),
        o.prompt,
        o.depth,
        o.answer,
        o.piece,
        o.parallel,
        build(o.backend),
    )


def _figure(o: Observation, seconds: float) -> float:
    if o.kind == "ttft":
        return seconds
    return o.prompt / seconds if o.kind == "prefill" else 1 / seconds


if __name__ == "__main__":
    main()
