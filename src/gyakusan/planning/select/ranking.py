"""A short list that differs in kind: best, fastest, cheapest, balanced, and the one with room to grow.

Quality counts with its error: what is sorted is one error below the figure, and an assumed figure only where nothing was tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gyakusan.planning.candidates.reasoning_modes import EVIDENCE_TIERS
from gyakusan.planning.evaluate.results import CandidateColumns, SweepResult
from gyakusan.planning.request.request import PlanRequest, Prefer

Array = Any
Role = Literal["best", "fastest", "cheapest", "balanced", "room", "other", "smallest"]
ROLES: tuple[Role, ...] = ("balanced", "best", "fastest", "cheapest", "room", "other")
MACHINES: tuple[Role, ...] = ("balanced", "smallest", "cheapest", "fastest")
"""What is asked of machines for a model that is given: the model is the same, so that "best" says little."""
GOOD_WITHIN_POINTS = 12.0
"""Models within so many points of the best are still good: about 10 percentage points of MMLU-Pro near 75 %. [points]"""
TIE_POINTS = 0.5
"""Below so many points two are equally good, and the faster one is better. [points]"""
CHEAPEST_WITHIN_POINTS = 25.0
"""The cheapest may be so much worse. [points]"""
WEIGHTS: Mapping[Prefer, tuple[float, float, float]] = {
    "balanced": (1.0, 1.0, 1.0),
    "quality": (2.5, 0.5, 0.5),
    "speed": (0.7, 2.0, 0.5),
    "price": (0.7, 0.7, 2.5),
}
"""Worth of 10 points, of twice the speed, of half the price."""
CPU_RAM_BANDWIDTH = 40e9
"""Bandwidth of a plain computer's memory as a model gets it: assumed, two channels of DDR5. [B/s]"""
MIN_SPEED_SHARE = 0.25
"""Of the pace of a task that one bears, and so much longer a wait, for the best answers."""
USEFUL_SPEED_FACTOR = 4.0
"""Speed beyond so many times what one reads is worth nothing more."""


@dataclass(frozen=True, slots=True)
class RankingScores:
    """What the roles choose from. keep: places of cells that may be proposed; worth: of each cell, by the preference;

    easy: reaches the pace of the task; bearable: reaches SLOW of it; model: place of each cell's model; memory: of each
    cell's machine [B].
    """

    cells: CandidateColumns
    keep: Array
    worth: Array
    easy: Array
    bearable: Array
    model: Array
    memory: Array


def rank_candidates(question: PlanRequest, grid: SweepResult) -> RankingScores:
    """The cells with their worth."""
    cells, model = grid.cells, grid.models
    workload = question.workload
    keep = np.flatnonzero(cells.tier == np.min(cells.tier, initial=EVIDENCE_TIERS))
    speed: Array = np.where(np.isnan(cells.visible_tokens_per_s), _guessed(grid), cells.visible_tokens_per_s)
    with np.errstate(divide="ignore"):
        pace = np.log2(np.clip(speed / workload.target_tps, 2.0**-6, USEFUL_SPEED_FACTOR))
        price = np.log2(np.maximum(_prices(cells.price), 1.0))
    late = np.log2(np.clip(np.nan_to_num(cells.ttft_high, nan=workload.target_ttft) / workload.target_ttft, 1.0, 64.0))
    a, b, c = WEIGHTS[question.prefer]
    worth = a * cells.quality_lower / 10 + b * (pace - late) - c * price
    easy = (speed >= workload.target_tps) & (late <= 0)
    bearable = (speed >= workload.target_tps * MIN_SPEED_SHARE) & (late <= -np.log2(MIN_SPEED_SHARE))
    memory = np.array([sum(g.memory or 0 for g in o.machine.gpus) for o in grid.offers], float)
    held = memory[cells.offer] if len(memory) else np.zeros(len(cells))
    return RankingScores(cells, keep, worth, easy, bearable, model, held)


def _guessed(grid: SweepResult) -> Array:
    """Speeds by the bytes of a token, for the order only, where nobody knows the bandwidth: as if it were RAM's. [tokens/s]"""
    shapes = grid.columns.shapes
    used = (np.asarray(shapes.experts_used) / np.asarray(shapes.experts))[grid.models]
    moved = grid.of_rows("dense_bytes") + grid.of_rows("expert_bytes") * used
    factors = [[m.thinking for m in k.modes] for k in grid.columns.models]
    thinking = [factors[i][j] for i, j in zip(grid.models.tolist(), grid.cells.mode.tolist(), strict=True)]
    return CPU_RAM_BANDWIDTH / np.maximum(1.0, moved) / np.array(thinking)


def _prices(price: Array) -> Array:
    """Prices, where one that is not known counts as twice the highest."""
    known = price[np.isfinite(price)]
    return np.where(np.isfinite(price), price, 2 * known.max() if len(known) else 1.0)


def order(role: Role, r: RankingScores, question: PlanRequest) -> Iterator[int]:
    """Places of cells, the best for a role first. Ties: cheaper, then less memory, then the catalogue's order."""
    cells, keep = r.cells, r.keep
    if not len(keep):
        return iter(())
    pool = _pool(role, r, keep, chosen=question.model is not None)
    key: Array = {
        "best": -np.nan_to_num(cells.visible_tokens_per_s, nan=0.0),
        "other": -r.worth,
        "fastest": -np.nan_to_num(cells.visible_tokens_per_s, nan=0.0),
        "cheapest": cells.price,
        "balanced": -r.worth,
        "room": -r.worth,
        "smallest": r.memory,
    }[role]
    places = np.lexsort((pool, cells.total[pool], cells.price[pool], -cells.quality_lower[pool], key[pool]))
    return iter(pool[places].tolist())


def _pool(role: Role, r: RankingScores, keep: Array, *, chosen: bool) -> Array:
    """Cells that a role may choose: good ones among what one bears; the fastest and the cheapest are comfortable.

    chosen: the model is given, so that its cheapest machine is one on which it is borne.
    """
    cells = r.cells
    easy, slow = keep[r.easy[keep]], keep[r.bearable[keep]]
    borne = slow if len(slow) else keep
    pool = easy if len(easy) and role in ("fastest", "cheapest", "smallest") and not chosen else borne
    top = float(np.max(cells.quality_lower[easy if len(easy) else borne]))
    if role == "best":
        return pool[cells.quality_lower[pool] >= float(np.max(cells.quality_lower[pool])) - TIE_POINTS]
    pool = pool[
        cells.quality_lower[pool]
        >= top - (CHEAPEST_WITHIN_POINTS if role in ("cheapest", "other", "smallest") else GOOD_WITHIN_POINTS)
    ]
    if role == "room":
        wide = pool[cells.spare_users[pool] >= np.maximum(1, np.median(cells.spare_users[pool]))]
        pool = wide if len(wide) else pool
    return pool
