"""One server for several uses: which uses may share, and the models that serve all of them with slots for everybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from msgspec import structs

from gyakusan.core.arrays import BoolArray, FloatArray, IntArray
from gyakusan.planning.evaluate.results import CandidateColumns, SweepResult
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.ranking import RankingScores

MOST_SHARED = 4
"""Up to so many uses every way to share is tried; of more, one server for all and one for each."""
KEY = ("offer", "engine", "row", "kv", "mode", "replicas", "blocks_in_ram")
"""Columns that say which deployment a candidate is."""


@dataclass(frozen=True, slots=True)
class SharedCandidates:
    """Deployments that several uses share; every array is (candidates,).

    index: place in the sweep of the first use
    utility: of all uses together
    fast: every use reaches its target speed while the others rest
    """

    index: IntArray
    utility: FloatArray
    fast: BoolArray


def shared_request(parts: Sequence[PlanRequest]) -> tuple[PlanRequest, ...]:
    """Return each use with the load of the server that serves all, () where no server can: other models or engines asked.

    The server has a slot for each person of every use, each as long as the longest context.
    """
    models = {p.model for p in parts if p.model is not None}
    engines = {p.engines for p in parts if p.engines}
    caches = {p.kv_types for p in parts}
    if len(models) > 1 or len(engines) > 1 or len(caches) > 1:
        return ()
    users, context = sum(p.users for p in parts), max(p.workload.context for p in parts)
    shared = [
        structs.replace(
            p, users=users, context=context, model=next(iter(models), None), engines=next(iter(engines), ())
        )
        for p in parts
    ]
    return tuple(
        structs.replace(s, prompt_tokens=p.workload.prompt_tokens, output_tokens=p.workload.output_tokens)
        for s, p in zip(shared, parts, strict=True)
    )


def groupings(count: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield the ways to put uses on servers, one for each use first."""
    every = tuple((i,) for i in range(count))
    yield every
    if count > MOST_SHARED:
        yield (tuple(range(count)),)
        return
    yield from (g for g in _partitions(tuple(range(count))) if g != every)


def _partitions(items: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    if len(items) < 2:
        yield (items,) if items else ()
        return
    first, rest = items[0], items[1:]
    for part in _partitions(rest):
        yield ((first,), *part)
        for place, group in enumerate(part):
            yield ((first, *group), *part[:place], *part[place + 1 :])


def shared_candidates(
    parts: Sequence[PlanRequest],
    sweeps: Sequence[SweepResult],
    scores: Sequence[RankingScores],
    eligible: Sequence[IntArray],
) -> SharedCandidates:
    """Return the deployments that are eligible for every use. One entry of each argument for each use.

    Fast is what two servers are asked for, too: each use reaches its target while the others rest, which is a share of it
    while all work.
    """
    keys = [_keys(r.cells.take(e), sweeps) for r, e in zip(sweeps, eligible, strict=True)]
    common = reduce(np.intersect1d, keys)
    at = [e[_places(k, common)] for e, k in zip(eligible, keys, strict=True)]
    return SharedCandidates(
        index=at[0],
        utility=np.sum([s.utility[i] for s, i in zip(scores, at, strict=True)], axis=0),
        fast=np.all([_fast(p, s, len(parts))[i] for p, s, i in zip(parts, scores, at, strict=True)], axis=0),
    )


def _fast(part: PlanRequest, scores: RankingScores, uses: int) -> BoolArray:
    """Return which candidates reach the target while the other uses rest; a speed that is not known as it is ranked."""
    workload, cells = part.workload, scores.cells
    speed, wait = np.nan_to_num(cells.visible_tokens_per_s), np.nan_to_num(cells.ttft_high, nan=np.inf)
    alone = (speed * uses >= workload.target_tps) & (wait <= workload.target_ttft * uses)
    fast: BoolArray = alone | scores.meets_target_speed
    return fast


def _keys(cells: CandidateColumns, sweeps: Sequence[SweepResult]) -> IntArray:
    """Return one number for each candidate, the same in every sweep for the same deployment."""
    keys = np.zeros(len(cells), np.int64)
    for name in KEY:
        size = 1 + max(int(np.max(getattr(r.cells, name), initial=0)) for r in sweeps)
        keys = keys * size + getattr(cells, name).astype(np.int64)
    return keys


def _places(keys: IntArray, wanted: IntArray) -> IntArray:
    """Return where each wanted key stands; all are there."""
    order = np.argsort(keys, kind="stable")
    found: IntArray = order[np.searchsorted(keys[order], wanted)]
    return found
