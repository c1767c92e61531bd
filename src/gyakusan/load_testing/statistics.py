"""Figures of a step from its requests: percentiles, rates, and bootstrap confidence intervals.

Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13: the percentile interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gyakusan.core.arrays import FloatArray
from gyakusan.load_testing.drive import StepRun
from gyakusan.load_testing.records import RequestRecord
from gyakusan.load_testing.result import Distribution, FailureCount, Figure, StepResult
from gyakusan.load_testing.workload import Objective

RESAMPLES = 1000
"""Bootstrap samples."""
CONFIDENCE = 95.0
"""Of the intervals. [%]"""
FEWEST = 3
"""Fewer values have no interval."""
SLICES = 10
"""Parts of a step from whose differences the confidence of its throughput comes."""
_BLOCK = 2_000_000
_SEED = 20261129


def step_result(run: StepRun, objectives: Sequence[Objective] = ()) -> StepResult:
    """Return the figures of a step."""
    good = [r for r in run.records if r.failure is None]
    seconds = max(1e-9, run.ended - run.begun)
    counted = [r for r in good if r.completion_tokens is not None]
    finished = [r for r in good if r.end <= run.ended + 1e-9]
    kept = [r for r in finished if objectives and all(keeps(r, o) for o in objectives)]
    return StepResult(
        step=run.step,
        seconds=seconds,
        requests=len(good),
        failures=failure_counts(run.records),
        prompt_tokens=_mean([float(r.prompt_tokens) for r in good if r.prompt_tokens is not None]),
        completion_tokens=_mean([float(r.completion_tokens or 0) for r in counted]),
        cached_share=_cached(good),
        counted_share=len(counted) / len(good) if good else 0.0,
        pieces_share=_pieces(counted),
        ttft=distribution([r.ttft for r in good]),
        tpot=distribution([t for r in good if (t := r.tpot) is not None]),
        itl=distribution(_gaps(good)),
        e2e=distribution([r.e2e for r in good]),
        each=each_speed(counted),
        all=throughput(counted, run.begun, run.ended),
        prefill=_prefill(good),
        request_rate=len(finished) / seconds,
        goodput=len(kept) / seconds if objectives else None,
        good_share=sum(all(keeps(r, o) for o in objectives) for r in good) / max(1, len(run.records))
        if objectives
        else None,
        in_flight=sum(
            min(r.end, run.ended) - max(r.scheduled, run.begun) for r in run.records if r.scheduled < run.ended
        )
        / seconds,
        scatter=_scatter(counted),
    )


def keeps(record: RequestRecord, objective: Objective) -> bool:
    """Return True if a whole answer keeps a limit. The time between pieces counts by its longest."""
    value: float | None
    if objective.metric == "itl":
        value = float(np.diff(record.arrivals).max()) if len(record.arrivals) > 1 else 0.0
    else:
        value = {"ttft": record.ttft, "e2e": record.e2e, "tpot": record.tpot}[objective.metric]
    return value is None or value < objective.seconds


def failure_counts(records: Sequence[RequestRecord]) -> tuple[FailureCount, ...]:
    """Return the failures by kind and status, the most frequent first."""
    failures = [r.failure for r in records if r.failure is not None]
    first = {(f.kind, f.status): f.detail for f in reversed(failures)}
    counts = Counter((f.kind, f.status) for f in failures)
    return tuple(FailureCount(kind, n, status, first[kind, status]) for (kind, status), n in counts.most_common())


def distribution(values: Sequence[float] | FloatArray) -> Distribution | None:
    """Return how values are spread, None for no value."""
    if not len(values):
        return None
    a = np.sort(np.asarray(values, dtype=np.float64))
    p90, p99 = np.percentile(a, [90, 99])
    return Distribution(
        count=len(a),
        mean=bootstrap(a, lambda x: x.mean(axis=-1)),
        p50=bootstrap(a, lambda x: np.median(x, axis=-1)),
        p90=float(p90),
        p95=bootstrap(a, lambda x: np.percentile(x, 95, axis=-1)),
        p99=float(p99),
        smallest=float(a[0]),
        largest=float(a[-1]),
    )


def bootstrap(values: FloatArray, statistic: Callable[[FloatArray], Any]) -> Figure:
    """Return a statistic with the interval in which it lies in 95 % of samples drawn anew. values: rows to draw.

    statistic: of the values along the last axis. Many values are drawn in blocks, and of more than 20,000 a part, whose
    interval is narrowed by the root of what is left out.
    """
    value = float(statistic(values))
    n = len(values)
    if n < FEWEST:
        return Figure(value)
    rng = np.random.default_rng(_SEED)
    size = min(n, 20_000)
    resamples = RESAMPLES if size <= 2000 else 200
    step = max(1, _BLOCK // size)
    drawn = np.concatenate(
        [
            np.atleast_1d(statistic(values[rng.integers(0, n, (min(step, resamples - i), size))]))
            for i in range(0, resamples, step)
        ]
    )
    low, high = np.percentile(drawn, [(100 - CONFIDENCE) / 2, (100 + CONFIDENCE) / 2])
    narrow = (size / n) ** 0.5
    return Figure(value, value - (value - float(low)) * narrow, value + (float(high) - value) * narrow)


def each_speed(counted: Sequence[RequestRecord]) -> Figure | None:
    """Return the tokens a second of one person after the first token: all such tokens over all such time [tokens/s]."""
    pairs = [((r.completion_tokens or 0) - 1, r.decode_time) for r in counted if r.tpot]
    if not pairs or sum(p[1] for p in pairs) <= 0:
        return None
    return _ratio(np.asarray(pairs, dtype=np.float64))


def _ratio(pairs: FloatArray) -> Figure:
    """Return sum over sum of pairs, each pair drawn together."""
    value = float(pairs[:, 0].sum() / pairs[:, 1].sum())
    n = len(pairs)
    if n < FEWEST:
        return Figure(value)
    rng = np.random.default_rng(_SEED)
    drawn = []
    for _ in range(RESAMPLES if n <= 2000 else 200):
        took = pairs[rng.integers(0, n, n)].sum(axis=0)
        drawn.append(took[0] / took[1])
    low, high = np.percentile(drawn, [(100 - CONFIDENCE) / 2, (100 + CONFIDENCE) / 2])
    return Figure(value, float(low), float(high))


def throughput(counted: Sequence[RequestRecord], begun: float, ended: float) -> Figure | None:
    """Return the tokens a second of everybody; an answer that reaches beyond the end counts by its pieces [tokens/s].

    None where every piece came after the end: then nothing is known of it.
    The confidence comes from how the parts of the step differ.
    """
    seconds = ended - begun
    if not counted or seconds <= 0:
        return None
    edges = np.linspace(begun, ended, SLICES + 1)
    slices = np.zeros(SLICES)
    for r in counted:
        if len(r.arrivals):
            inside = np.histogram(np.frombuffer(r.arrivals), edges)[0]
            slices += inside * ((r.completion_tokens or 0) / len(r.arrivals))
    if not slices.any():
        return None
    rates = slices / (seconds / SLICES)
    found = bootstrap(rates, lambda x: x.mean(axis=-1))
    return found if len(counted) >= SLICES else Figure(found.value)


def _prefill(good: Sequence[RequestRecord]) -> Figure | None:
    """Return the prompt tokens a second that one request saw; tokens from the cache were not computed [tokens/s]."""
    told = [r.prefill_rate for r in good if r.prefill_rate]
    if told:
        return bootstrap(np.asarray(told), lambda x: np.median(x, axis=-1))
    pairs = [((r.prompt_tokens or 0) - (r.cached_tokens or 0), r.ttft) for r in good if r.prompt_tokens and r.ttft > 0]
    return _ratio(np.asarray(pairs, dtype=np.float64)) if pairs else None


def _gaps(good: Sequence[RequestRecord]) -> FloatArray:
    """Return the times between pieces of all streams [s]."""
    return np.concatenate([np.diff(np.frombuffer(r.arrivals)) for r in good if len(r.arrivals)] or [np.zeros(0)])


def _cached(good: Sequence[RequestRecord]) -> float | None:
    told = [(r.cached_tokens, r.prompt_tokens) for r in good if r.cached_tokens is not None and r.prompt_tokens]
    return sum(c for c, _ in told) / sum(p for _, p in told) if told else None


def _pieces(counted: Sequence[RequestRecord]) -> float | None:
    tokens = sum(r.completion_tokens or 0 for r in counted)
    return sum(len(r.arrivals) for r in counted) / tokens if tokens else None


def _scatter(counted: Sequence[RequestRecord]) -> float | None:
    speeds = [1 / t for r in counted if (t := r.tpot)]
    return float(np.std(speeds) / np.mean(speeds)) if len(speeds) >= FEWEST else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
