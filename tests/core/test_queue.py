"""Arrivals: the formulas against a simulated server, against Erlang, and one number against many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyakusan.core.queue import (
    SLOT_CONFIDENCE,
    QueueEstimate,
    estimate_queue,
    poisson_mean_for_slots,
    poisson_quantile,
    saturation_rate,
    solo_prefill_and_step,
    sustainable_rate,
)
from gyakusan.core.roofline import SpeedConstants, closed_loop, first_token, later_token


@dataclass
class Seen:
    """What a simulated server showed, means. running; first, token [s]; under: share of the time with at most n running."""

    running: float
    first: float
    token: float
    under: Callable[[int], float]


def simulated(
    rate: float, prefill: float, step: Callable[[int], float], answer: int, slots: int, count: int, *, varied: bool
) -> Seen:
    """A server that computes one prompt whenever one waits and a slot is free, else one token for everybody."""
    random = np.random.default_rng(7)
    come = np.cumsum(random.exponential(1 / rate, count))
    size = random.exponential(prefill, count) if varied else np.full(count, prefill)
    many = random.geometric(1 / answer, count) if varied else np.full(count, answer)
    now, next_, waiting = 0.0, 0, deque[int]()
    left: dict[int, int] = {}
    first, last = np.zeros(count), np.zeros(count)
    time = np.zeros(slots + 1)
    while next_ < count or waiting or left:
        while next_ < count and come[next_] <= now:
            waiting.append(next_)
            next_ += 1
        if waiting and len(left) < slots:
            who = waiting.popleft()
            spent, born = size[who], who
        elif left:
            spent, born = step(len(left)), -1
        else:
            time[0] += come[next_] - now
            now = come[next_]
            continue
        time[len(left)] += spent
        now += spent
        if born >= 0:
            first[born], left[born] = now, many[born]
            continue
        for who in list(left):
            left[who] -= 1
            if left[who] <= 0:
                last[who] = now
                del left[who]
    some = slice(count // 10, count - count // 10)
    share = np.cumsum(time) / now
    token = float(np.sum((last - first)[some]) / np.sum(many[some]))
    mean = float(np.sum(time * np.arange(slots + 1)) / now)
    return Seen(mean, float(np.mean((first - come)[some])), token, lambda n: float(share[min(n, slots)]))


def step(n: int) -> float:
    """Weights read once, and something for each conversation. [s]"""
    return 0.012 + 0.0004 * n


CASES = [(0.2, 0.3, 200, 32), (0.6, 0.3, 200, 32), (1.5, 0.1, 120, 32), (2.5, 0.1, 120, 64), (1.8, 0.3, 200, 64)]


@pytest.mark.parametrize("varied", [False, True])
@pytest.mark.parametrize(("rate", "prefill", "answer", "slots"), CASES)
def test_the_formulas_are_near_a_simulated_server(
    rate: float, prefill: float, answer: int, slots: int, varied: bool
) -> None:
    found = estimate_queue(rate, prefill, step, answer, slots, spread=1.0 if varied else 0.0)
    seen = simulated(rate, prefill, step, answer, slots, 4000, varied=varied)
    assert not found.saturated
    assert found.running == pytest.approx(seen.running, rel=0.1)
    assert found.token == pytest.approx(seen.token, rel=0.1)
    assert found.first == pytest.approx(seen.first, rel=0.25)
    assert seen.under(int(found.slots)) >= (0.98 if found.busy < 0.3 else 0.92)


@pytest.mark.parametrize(("prefill", "answer", "slots"), [(0.3, 200, 8), (0.05, 400, 16)])
def test_above_the_highest_rate_people_wait_ever_longer(prefill: float, answer: int, slots: int) -> None:
    top = saturation_rate(prefill, answer * step(slots), slots)
    calm = simulated(0.85 * top, prefill, step, answer, slots, 3000, varied=False)
    more = simulated(1.15 * top, prefill, step, answer, slots, 1500, varied=False)
    twice = simulated(1.15 * top, prefill, step, answer, slots, 3000, varied=False)
    assert calm.first < 2 * answer * step(slots)
    assert twice.first > 1.5 * more.first > 3 * calm.first
    assert estimate_queue(1.15 * top, prefill, step, answer, slots).saturated
    assert not estimate_queue(0.85 * top, prefill, step, answer, slots).saturated


def test_a_constant_step_is_erlang_c() -> None:
    """Twelve servers, nine erlangs."""
    load, servers = 9.0, 12
    terms = [1.0]
    for n in range(1, servers + 1):
        terms.append(terms[-1] * load / n)
    last = terms[-1] * servers / (servers - load)
    waits = last / (sum(terms[:-1]) + last)
    found = estimate_queue(load / 10, 0.0, lambda n: 0.1, 100, servers)
    assert found.waits == pytest.approx(waits)
    assert found.running == pytest.approx(load)
    assert found.wait == pytest.approx(waits * 10 / (servers - load))


def test_littles_law_without_waiting() -> None:
    found = estimate_queue(0.5, 0.2, step, 100, 200)
    assert found.running == pytest.approx(0.5 * 100 * found.token)
    assert found.saturation_rate == pytest.approx(closed_loop(step(200), 0.2, 200, 100) / 100)


@given(st.integers(1, 3000))
def test_offered_is_the_inverse_of_enough(slots: int) -> None:
    mean = poisson_mean_for_slots(slots)
    assert poisson_quantile(mean) <= slots < poisson_quantile(mean * 1.02 + 0.02)


@given(st.floats(0, 2000), st.floats(0, 50))
def test_more_people_never_need_fewer_slots(mean: float, more: float) -> None:
    assert poisson_quantile(mean) <= poisson_quantile(mean + more)
    assert poisson_quantile(mean) >= mean - 1


@given(st.floats(1e-3, 20), st.floats(0.1, 300), st.integers(1, 512))
def test_a_bearable_rate_is_below_the_highest_and_grows_with_slots(prefill: float, work: float, slots: int) -> None:
    rate = sustainable_rate(prefill, work, slots)
    assert 0 < rate < saturation_rate(prefill, work, slots)
    assert sustainable_rate(prefill, work, slots + 1) >= rate * (1 - 1e-9)


@settings(deadline=None)
@given(st.floats(0.001, 1.0), st.floats(0.01, 2.0), st.integers(10, 800), st.integers(1, 48))
def test_what_is_bearable_needs_no_more_slots(share: float, prefill: float, answer: int, slots: int) -> None:
    rate = share * sustainable_rate(prefill, answer * step(slots), slots)
    found = estimate_queue(rate, prefill, step, answer, slots)
    assert not found.saturated
    assert found.slots <= 1.1 * slots + 2
    assert found.waits < 2 * (1 - SLOT_CONFIDENCE) or slots < 8


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.001, 30), min_size=1, max_size=5), st.floats(0.01, 1.0), st.integers(1, 24))
def test_many_are_each_like_one(rates: list[float], prefill: float, slots: int) -> None:
    many = estimate_queue(np.array(rates), np.full(len(rates), prefill), step, 100, slots)
    for i, rate in enumerate(rates):
        one = estimate_queue(rate, prefill, step, 100, slots)
        for f in fields(QueueEstimate):
            assert np.broadcast_to(getattr(many, f.name), len(rates))[i] == pytest.approx(getattr(one, f.name))
    works = np.array([100 * step(slots)] * len(rates))
    assert sustainable_rate(np.array(rates), works, slots)[0] == pytest.approx(
        sustainable_rate(rates[0], float(works[0]), slots)
    )


@given(st.floats(0.01, 30), st.floats(0.005, 0.2), st.integers(1, 200), st.integers(10, 1000), st.booleans())
def test_alone_goes_back(prefill: float, time: float, users: int, answer: int, serves: bool) -> None:
    k = SpeedConstants()
    token = later_token(time, prefill, users, answer, k) if serves else time
    back, step_time = solo_prefill_and_step(
        first_token(prefill, users, time, answer, k), token, users, answer, k, serves
    )
    assert back == pytest.approx(prefill, rel=1e-3)
    assert step_time == pytest.approx(time, rel=1e-3, abs=2e-3 * token)
