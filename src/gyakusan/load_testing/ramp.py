"""Ramps: add people, or requests, until a limit breaks; and where a curve of throughput bends without a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil

from gyakusan.load_testing.result import Distribution, StepResult
from gyakusan.load_testing.workload import MOST_USERS, Objective, Step

MOST_FAILED = 0.05
"""A step in which more requests fail breaks every limit. [fraction]"""
BEND = 0.5
"""The curve bends where more people bring less than this share of what they brought before. [fraction]"""
FINE = 1.26
"""A rate is searched until the best that keeps a limit and the worst that breaks it are so near. [ratio]"""


def percentile(found: Distribution | None, share: float) -> float | None:
    """Return the percentile of a distribution that a limit is for, the next one above that is known [s]."""
    if found is None:
        return None
    known = ((50.0, found.p50), (90.0, found.p90), (95.0, found.p95), (99.0, found.p99))
    for at, value in known:
        if share <= at and value is not None:
            return value if isinstance(value, float) else value.value
    return found.largest


def holds(result: StepResult, objectives: Sequence[Objective]) -> bool:
    """Return True if a step keeps every limit."""
    asked = result.requests + result.failed
    if not result.requests or result.failed > MOST_FAILED * asked:
        return False
    found = [(percentile(getattr(result, o.metric), o.percentile), o.seconds) for o in objectives]
    return all(value is None or value < limit for value, limit in found)


def next_step(first: Step, results: Sequence[StepResult], objectives: Sequence[Objective]) -> Step | None:
    """Return the next load of a ramp: doubled until a limit breaks, then halved intervals; None at its end."""
    if not results:
        return first
    good = max((load(r.step) for r in results if holds(r, objectives)), default=0.0)
    bad = min((load(r.step) for r in results if not holds(r, objectives)), default=float("inf"))
    if first.users:
        wanted = min(2 * good, MOST_USERS) if bad == float("inf") else (good + bad) // 2
        done = wanted <= good or wanted >= bad
        return None if done else replace(first, users=int(wanted))
    if bad == float("inf"):
        return replace(first, rate=2 * good) if good < 1e4 else None
    if good == 0:
        return replace(first, rate=bad / 2) if bad > first.rate / 64 else None
    return None if bad / good <= FINE else replace(first, rate=(good * bad) ** 0.5)


def load(step: Step) -> float:
    """Return the load of a step: people, or requests a second."""
    return float(step.users) or step.rate


def most_held(results: Sequence[StepResult], objectives: Sequence[Objective]) -> float | None:
    """Return the largest load below every one that breaks a limit, None if there is none."""
    bad = min((load(r.step) for r in results if not holds(r, objectives)), default=float("inf"))
    return max((load(r.step) for r in results if holds(r, objectives) and load(r.step) < bad), default=None)


def longer_seconds(late: Sequence[StepResult]) -> int:
    """Return a time of a load in which each person gets a few answers of those that came too late: three of the longest [s]."""
    longest = max(((s.e2e.largest or 0.0) if s.e2e is not None else 0.0 for s in late), default=0.0)
    return 10 * ceil(max(3 * longest, 2 * max(s.seconds for s in late)) / 10)


def bend(results: Sequence[StepResult]) -> StepResult | None:
    """Return the first step of a closed loop where more people bring too little more, None where the curve is straight."""
    ordered = sorted((r for r in results if r.step.users and r.all), key=lambda r: r.step.users)
    for before, after in pairwise(ordered):
        assert before.all is not None
        assert after.all is not None
        more = after.step.users / before.step.users - 1
        if before.all.value > 0 and after.all.value / before.all.value - 1 < BEND * more:
            return after
    return None
