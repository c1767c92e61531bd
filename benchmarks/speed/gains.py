"""How many times as fast answers come with drafts as without: rows that say both, or have a twin without drafts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.speed.columns import Columns
from benchmarks.speed.observation import Observation
from benchmarks.speed.resolve import Row, flags, number
from gyakusan.core.arrays import Array
from gyakusan.core.roofline import SpeedConstants
from gyakusan.core.speculation import CheckCost, check_cost
from gyakusan.planning.predict.speed_inputs import draft_gain

KIND = "gain"
_SAME = (
    *("source_id", "hardware", "n_gpu", "model", "hf_id", "quant", "engine", "backend", "n_prompt", "n_gen", "depth"),
    *("concurrency", "tg_tps_scope"),
)
"""What a twin without drafts has in common."""
Twins = Mapping[tuple[str, ...], float]


def twins(rows: Sequence[Row]) -> Twins:
    """Speeds of the rows that say that nothing was drafted, by what they are about."""
    found: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        speed = _speed(row)
        if speed and str(flags(row).get("mtp_n", "")) == "0":
            found.setdefault(_about(row), []).append(speed)
    return {about: float(np.median(speeds)) for about, speeds in found.items()}


def gains(row: Row, about: Observation, twins: Twins) -> Iterator[Observation]:
    """The gain of one row, as an observation whose `seconds` are those without drafts over those with them, inverted."""
    said, speed = flags(row), _speed(row)
    drafts = said.get("mtp_n")
    if not speed or not isinstance(drafts, int) or drafts < 1 or "dspark" in row["spec_decode"]:
        return
    base = said.get("base_tps") or twins.get(_about(row))
    if base:
        accepted = said.get("acceptance")
        share = float(accepted) if isinstance(accepted, int | float) else float("nan")
        yield replace(about, kind=KIND, seconds=float(base) / speed, drafts=float(drafts), accepted=share)


def predicted(data: Columns, k: SpeedConstants) -> Array:
    """One over the gain of every entry; 1 where nothing is drafted."""
    seen = data.observations
    drafts = np.array([o.drafts for o in seen])
    if not drafts.any():
        return np.ones(len(seen))
    costs = [check_cost(o.subject.chip.family) for o in seen]
    check = CheckCost(np.array([c.fixed for c in costs]), np.array([c.each for c in costs]))
    crowded = data.absorbed == 0
    said = np.array([o.accepted for o in seen])
    unknown = [draft_gain(data.demand, data.users, drafts, data.device, k, check, crowded=c) for c in (True, False)]
    known = [
        draft_gain(data.demand, data.users, drafts, data.device, k, check, crowded=c, accepted=said)
        for c in (True, False)
    ]
    found = [np.where(np.isnan(said), u, v) for u, v in zip(unknown, known, strict=True)]
    return np.asarray(np.where(drafts > 0, 1 / np.where(crowded, *found), 1.0))


def _speed(row: Row) -> float | None:
    return number(row, "tg_tps") or number(row, "total_out_tps")


def _about(row: Row) -> tuple[str, ...]:
    said = flags(row)
    return (*(row[name] for name in _SAME), str(said.get("tp", "")), str(said.get("style", "")))
