"""The pace that is wanted and that is of use: one rule, which only the person's own speed lifts."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.planning.request.pace import (
    SLOWEST_ANSWER,
    USEFUL_SPEED_FACTOR,
    is_usable,
    is_wanted,
    longest_wait,
    missed_by,
    slowest_answer,
    speed_points,
)
from gyakusan.planning.request.request import WORKLOADS, PlanRequest

SPEEDS = st.floats(0.01, 1000)


def test_a_persons_own_limits_stand_in_place_of_the_usual_ones() -> None:
    usual, own = PlanRequest(task="coding"), PlanRequest(task="coding", speed=1.0, max_ttft=900.0)
    assert (slowest_answer(usual), slowest_answer(own)) == (SLOWEST_ANSWER, 0.0)
    assert (longest_wait(usual), longest_wait(own)) == (300.0, inf)
    assert not is_usable(usual, np.float64(1.0), np.float64(1.0))
    assert is_usable(own, np.float64(1.0), np.float64(800.0))


@given(
    SPEEDS,
    SPEEDS,
    st.sampled_from(tuple(WORKLOADS.values())),
    st.sampled_from(("balanced", "quality", "speed", "price")),
)
def test_faster_is_never_worth_less(one: float, other: float, workload, prefer) -> None:  # type: ignore[no-untyped-def]
    slow, fast = sorted((one, other))
    assert speed_points(workload, prefer, slow) <= speed_points(workload, prefer, fast)


@given(SPEEDS, SPEEDS)
def test_what_is_of_use_misses_nothing(answer: float, ttft: float) -> None:
    request = PlanRequest(task="coding")
    missed = missed_by(request, np.float64(answer), np.float64(ttft))
    assert bool(is_usable(request, np.float64(answer), np.float64(ttft))) == (missed == 1.0)
    assert missed_by(request, 1.25, 1.0) == pytest.approx(2.0)
    assert missed_by(request, 9.0, 900.0) == pytest.approx(3.0)
    assert missed_by(PlanRequest(speed=1.0, max_ttft=9.0), 1.0, 900.0) == 1.0  # the person's own leave plans out


def test_beyond_the_wanted_pace_faster_brings_little() -> None:
    chat = WORKLOADS["chat"]
    below = speed_points(chat, "balanced", chat.target_tps) - speed_points(chat, "balanced", chat.target_tps / 2)
    above = speed_points(chat, "balanced", chat.target_tps * 2) - speed_points(chat, "balanced", chat.target_tps)
    assert (below, above) == (1.0, 0.25)
    most = speed_points(chat, "balanced", chat.target_tps * USEFUL_SPEED_FACTOR)
    assert speed_points(chat, "balanced", 1e6) == most
    assert speed_points(chat, "speed", 2 * chat.target_tps) == pytest.approx(1.0)
    assert speed_points(chat, "speed", 32 * chat.target_tps) == pytest.approx(5.0)


@given(SPEEDS, st.floats(0.01, 100))
def test_what_is_wanted_is_of_use(answer: float, ttft: float) -> None:
    for task in ("chat", "coding", "rag", "agents", "translation"):
        request = PlanRequest(task=task)
        if is_wanted(request.workload, np.float64(answer), np.float64(ttft)):
            assert is_usable(request, np.float64(answer), np.float64(ttft))
