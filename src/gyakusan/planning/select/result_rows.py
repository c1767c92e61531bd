"""Candidates as plain rows for JSON, CSV and sentences."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypedDict

import numpy as np

from gyakusan.catalog.models import find
from gyakusan.core.arrays import FloatArray
from gyakusan.engines.registry import engine as find_engine
from gyakusan.planning.evaluate.pareto import pareto_frontier
from gyakusan.planning.evaluate.results import CandidateColumns
from gyakusan.planning.select.recommendation import Recommendation


class CandidateRow(TypedDict):
    """One candidate as plain values.

    model: its name
    quantization: as the engine names it
    kv_type: of the KV cache, as `--kv-type` takes it: f16 or q8_0
    engine: its name
    machine: its name
    reasoning: on or off
    total: memory of the fullest device [B]
    usable: memory that the engine may use of it, None = not known [B]
    tokens_per_second: decode speed for each user, None = not known [tokens/s]
    tokens_per_second_low: lower end of its 80 % interval [tokens/s]
    first_token: time to the first token, None = not known [s]
    quality: after the quantisation loss [points]
    quality_error: one standard error of it [points]
    quality_basis: of the score that ranks: measured, few, vendor, inferred or assumed
    price_jpy: None = not known [JPY]
    """

    model: str
    quantization: str
    kv_type: str
    engine: str
    machine: str
    reasoning: str
    total: int
    usable: int | None
    tokens_per_second: float | None
    tokens_per_second_low: float | None
    first_token: float | None
    quality: float
    quality_error: float
    quality_basis: str
    price_jpy: int | None


def pareto_candidates(recommendation: Recommendation, without: Collection[int] = ()) -> tuple[int, ...]:
    """Return the candidates that nothing dominates in quality, speed and price, best first. `without` some of them.

    They fit by the columns of the sweep, see `select.listed_plans` for those that fit by the engine's own ledger.
    """
    cells = recommendation.grid.cells
    quality, speed, price = compared_figures(cells)
    counted = np.setdiff1d(np.arange(len(cells)), np.array(sorted(without), np.int64))
    indices = counted[pareto_frontier(quality[counted], speed[counted], price[counted])]
    return tuple(sorted(indices.tolist(), key=lambda i: (-quality[i], -np.nan_to_num(speed[i]), i)))


def compared_figures(cells: CandidateColumns) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return careful quality [points], speed of the answer [tokens/s] and price [JPY]: what `plan --all` compares.

    A smaller cache counts in the speed alone. Printed qualities are the centres, so rows may beat each other there.
    """
    return np.round(cells.quality - cells.error, 9), cells.weighed_tokens_per_s, cells.price


def candidate_row(answer: Recommendation, index: int) -> CandidateRow:
    """Return one candidate of an answer as plain values."""
    result, request = answer.grid, answer.request
    cells = result.cells
    engine = result.engines[int(cells.engine[index])]
    table, row = result.columns.of_engine(engine), int(cells.row[index])
    model, option = result.columns.models[int(table.model[row])], result.offers[int(cells.offer[index])]
    mode = model.modes[int(cells.mode[index])]
    return {
        "model": model.name,
        "quantization": table.name[row],
        "kv_type": request.cache_types[int(cells.kv[index])].lower(),
        "engine": engine,
        "machine": option.machine.name,
        "reasoning": mode.mode,
        "total": int(cells.total[index]),
        "usable": None if np.isinf(cells.usable[index]) else int(cells.usable[index]),
        "tokens_per_second": _known(cells.tokens_per_s[index]),
        "tokens_per_second_low": _known(cells.tokens_per_s_low[index]),
        "first_token": _known(cells.ttft[index]),
        "quality": round(float(cells.quality[index]), 1),
        "quality_error": round(float(cells.error[index]), 1),
        "quality_basis": mode.basis_of(request.workload.quality_metric),
        "price_jpy": None if option.price is None else round(option.price),
    }


def files_are_made(row: CandidateRow) -> bool:
    """Return True if nobody is known to publish the files of a candidate: who wants them makes them."""
    return find_engine(row["engine"]).artifact(find(row["model"]), row["quantization"]) is None


def _known(value: float) -> float | None:
    return round(float(value), 2) if np.isfinite(value) else None
