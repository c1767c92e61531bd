"""The pace of an answer where nobody set one: what is wanted, and what is too slow to be of use. One rule for plan and fleet.

Both judge the visible answer, after thinking, at its expected speed, as the tables show it. What is wanted is a preference
of the ranking; what is too slow comes after everything else. Only a speed that the person sets leaves a model out.
"""

from __future__ import annotations

from math import inf

import numpy as np

from gyakusan.core.arrays import Number
from gyakusan.planning.request.request import PlanRequest, Prefer, Workload

SLOWEST_ANSWER = 2.5
"""Visible tokens/s of a plan that is shown only if none is faster: half of slow reading. Assumed. [tokens/s]"""
MAX_WAIT_FACTOR = 20.0
"""Longest time to the first token as a multiple of the task's: 100 s for a chat, 300 s for code, whose first prompt a CPU
reads in 150 to 200 s; people who run models there wait that long (field/plans.md, section 0 and consultant 10), and later
turns find their prompt in the cache."""
USEFUL_SPEED_FACTOR = 4.0
"""Speed beyond this multiple of the task's target brings no utility."""
MISS_STEP = 1.2
"""Misses of a limit within this ratio are alike: less than the intervals of speed leave open. Assumed."""
BEYOND_WANTED = 0.25
"""Share of a doubling of the speed that counts above what the task wants: faster brings little there."""


def slowest_answer(request: PlanRequest) -> float:
    """Return the visible speed below which a plan is shown only if none is faster, 0 where the person set a speed [tokens/s]."""
    return 0.0 if request.speed else SLOWEST_ANSWER


def longest_wait(request: PlanRequest) -> float:
    """Return the time to first token of a plan that is shown only if none is sooner, infinite where the person set one [s]."""
    return inf if request.max_ttft is not None else request.workload.target_ttft * MAX_WAIT_FACTOR


def is_usable(request: PlanRequest, answer: Number, ttft: Number) -> Number:
    """Return True where an answer [tokens/s] and a time to the first token [s] are of use."""
    return (answer >= slowest_answer(request)) & (ttft <= longest_wait(request))


def missed_by(request: PlanRequest, answer: Number, ttft: Number) -> Number:
    """Return how many times an answer [tokens/s] or a first token [s] misses what is of use, the worse of both; 1 = kept."""
    slow = slowest_answer(request) / np.maximum(answer, 1e-9)
    return np.maximum(np.maximum(slow, np.asarray(ttft) / longest_wait(request)), 1.0)


def is_wanted(workload: Workload, answer: Number, ttft: Number) -> Number:
    """Return True where an answer [tokens/s] and a time to the first token [s] are as the task wants them."""
    return (answer >= workload.target_tps) & (ttft <= workload.target_ttft)


def speed_points(workload: Workload, prefer: Prefer, answer: Number) -> Number:
    """Return how often the speed of the answer doubles what the task wants, negative below it.

    Beyond what is wanted a doubling counts BEYOND_WANTED of one, and none after USEFUL_SPEED_FACTOR. prefer: who prefers
    speed has the whole of it, without an end.
    """
    most, beyond = (np.inf, 1.0) if prefer == "speed" else (USEFUL_SPEED_FACTOR, BEYOND_WANTED)
    doublings = np.log2(np.clip(np.asarray(answer) / workload.target_tps, 2.0**-6, most))
    return np.where(doublings > 0, beyond * doublings, doublings)
