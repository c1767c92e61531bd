"""How right are our speeds? Predictions against published measurements.

    python benchmarks/speed_accuracy.py --measured FILE.csv.gz [FILE ...] [--json] [--leave-out source|device|...]

Errors are of tokens per second (or of times, inverted): |predicted / measured - 1|, one value for each cell (source x
device x model x backend x quantisation): the median of its rows. Coverage: share of the rows inside the 80 % interval,
averaged over cells. Without --leave-out the committed constants are judged: on rows that they were fitted to, that
flatters them. With it they are fitted anew without the source (device, architecture, cell) of each row, and each interval
comes from the other folds. A user is a new source.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.speed import intervals, judge, rows
from benchmarks.speed.columns import columns, situation
from benchmarks.speed.observation import Observation
from benchmarks.speed.rows import Table
from gyakusan.catalog.speed_constants import FittedConstants, constants_for, interval_factor, load
from gyakusan.core.arrays import Array
from gyakusan.core.records import field_names
from gyakusan.core.roofline import SpeedConstants

KINDS = ("decode single", "decode many", "prefill", "ttft", "throughput", "gain")


def report(path: Path | Sequence[Path], leave_out: str | None = None) -> dict[str, Any]:
    """Rows, share resolved and slices, as --json prints them; `fresh`: of the sources of every file but the first."""
    return reports([path] if isinstance(path, Path) else path, (leave_out,))[leave_out]


def reports(paths: Sequence[Path], leave_out: Sequence[str | None]) -> dict[str | None, dict[str, Any]]:
    """The reports of several kinds to leave out, for which the fits are made once."""
    read = [rows.read(p) for p in paths]
    table = rows.table([row for some in read for row in some])
    fresh = {row["source_id"] for some in read[1:] for row in some}
    seen = judge.used(table.observations)
    every = judge.all_left_out(seen) if any(leave_out) else None
    return {
        left: _report(
            table, fresh, *(committed(seen) if left is None or every is None else refitted(seen, left, every))
        )
        for left in leave_out
    }


def _report(table: Table, fresh: set[str], predicted: Array, inside: Array) -> dict[str, Any]:
    seen = judge.used(table.observations)
    found = slices(seen, predicted, inside)
    usual = [{k: v for k, v in s.items() if k != "coverage80"} for s in slices(*usual_rule(seen))]
    about = {"slices": found, "usual_rule": usual, **_about(table)}
    at = [i for i, o in enumerate(seen) if o.source in fresh]
    some = [seen[i] for i in at]
    newest = {"slices": slices(some, predicted[at], inside[at]), "usual_rule": slices(*usual_rule(some))} if at else {}
    return {"rows": table.rows, "resolved_share": round(table.share, 4), **about, "fresh": newest}


def usual_rule(seen: Sequence[Observation]) -> tuple[list[Observation], Array, Array]:
    """Single-user decode by the usual rule, bandwidth x 0.55 / active bytes, to compare."""
    single = [o for o in seen if judge.group(o) == "decode single"]
    reads = [o.subject.traffic for o in single]
    active = np.array([r.bytes_per_token for r in reads])
    speed = np.array([o.subject.chip.bandwidth * o.parallel for o in single])
    return single, active / (0.55 * speed), np.zeros(len(single))


def committed(seen: Sequence[Observation], fitted: FittedConstants | None = None) -> tuple[Array, Array]:
    """Predicted seconds with the constants of the project, and whether each interval holds the measurement."""
    fitted = fitted or load()
    every = [constants_for(situation(o), fitted) for o in seen]
    data = columns(seen)
    k = SpeedConstants(**{name: np.array([getattr(c, name) for c in every]) for name in field_names(every[0])})
    predicted = judge.seconds(data, k)
    factors = np.array([interval_factor(o.kind, situation(o), o.users, fitted)[0] for o in seen])
    error = np.abs(np.log([o.seconds for o in seen]) - np.log(predicted))
    return predicted, error <= np.log(factors)


def refitted(seen: Sequence[Observation], leave_out: str, every: tuple[Array, Array]) -> tuple[Array, Array]:
    """The same with constants that never saw the group of a row, and intervals that never saw its fold.

    every: predictions that left each source out (judge.all_left_out), of which the intervals are made as those that we ship
    """
    predicted, fold = every if leave_out == judge.LEFT else judge.left_out(seen, judge.GROUPS[leave_out])
    known = intervals.evidence_left(seen, fold)
    error = np.abs(np.log([o.seconds for o in seen]) - np.log(predicted))
    inside = np.zeros(len(seen), bool)
    for number in np.unique(fold):
        rest = fold != number
        others = [o for o, r in zip(seen, rest, strict=True) if r]
        factors = intervals.calibrated(intervals.errors_of(others, every[0][rest], every[1][rest]))
        for i in np.flatnonzero(~rest):
            inside[i] = error[i] <= np.log(intervals.factor_of(seen[i], known[i], factors))
    return predicted, inside


def slices(seen: Sequence[Observation], predicted: Array, inside: Array) -> list[dict[str, Any]]:
    """Every kind over all engines, then by engine; then the slices that targets speak of."""
    places: dict[str, list[int]] = defaultdict(list)
    for i, o in enumerate(seen):
        for name in _names(o):
            places[name].append(i)
    ordered = sorted(places, key=lambda n: (next(i for i, k in enumerate(KINDS) if n.startswith(k)), n))
    out = []
    for name in ordered:
        at = places[name]
        found = judge.cells([seen[i] for i in at], predicted[at], inside[at])
        out.append(judge.summary(name, found))
    return out


def _names(o: Observation) -> list[str]:
    kind, engine = judge.group(o), o.subject.engine
    names = [kind, f"{kind} {engine}"]
    if kind == "decode many" and 2 <= o.users <= 32 and engine in ("vllm", "trtllm"):
        names.append("decode many, vllm and trtllm, 2 to 32 users")
    if kind == "prefill" and o.prompt >= 512:
        names.append("prefill of 512 tokens or more")
    return names


def _about(table: Table) -> dict[str, Any]:
    """What was left out, and why."""
    rejected: Counter[str] = Counter()
    for (reason, _), number in table.rejected.items():
        rejected[reason] += number
    unused = Counter(o.source for o in table.observations if o.source in judge.UNUSED)
    missing = Counter(what for what, _ in table.unknown.elements())
    return {"rejected": dict(rejected.most_common()), "unused": dict(unused), "unknown": dict(missing)}


def _print(found: Mapping[str, Any]) -> None:
    print(f"{found['rows']} rows, {found['resolved_share']:.1%} resolved (not: {found['unknown']})")
    print(f"{'slice':46} {'cells':>5} {'median':>7} {'P90':>7} {'<=20%':>6} {'<=30%':>6} {'80% covers':>10}")
    for s in found["slices"]:
        print(
            f"{s['slice']:46} {s['n']:5} {s['median']:7.1%} {s['p90']:7.1%} {s['within20']:6.0%} {s['within30']:6.0%}"
            f" {s['coverage80']:10.0%}"
        )
    usual = next((s for s in found["usual_rule"]), None)
    if usual:
        print(f"usual rule (0.55), {usual['slice']}: median {usual['median']:.1%}, P90 {usual['p90']:.1%}", end=", ")
        print(f"{usual['within30']:.0%} within 30 %")
    print("rejected:", ", ".join(f"{n} {reason}" for reason, n in found["rejected"].items()))
    print("not used:", found["unused"])


def main() -> None:
    """The command line."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--measured", type=Path, required=True, nargs="+")
    asked.add_argument("--leave-out", choices=tuple(judge.GROUPS))
    asked.add_argument("--json", action="store_true")
    said = asked.parse_args()
    try:
        found = report(said.measured, said.leave_out)
    except (OSError, ValueError) as error:
        asked.error(str(error))
    print(json.dumps(found, indent=1)) if said.json else _print(found)


if __name__ == "__main__":
    main()
