"""Relaxations: each change that is named gives the request a plan, and is about as small as it can be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.planning.small import small

from gyakusan.planning.candidates.purchases import hardware_options
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.relaxations import LIMITS, dropped_limits, largest_working, with_context


@given(st.integers(2, 10**6), st.integers(0, 10**6), st.sampled_from((1, 16, 256)))
def test_the_largest_number_that_works_is_near(too_large: int, threshold: int, step: int) -> None:
    threshold = min(threshold, too_large - 1)
    number = largest_working(lambda n: n <= threshold, too_large // 2, least=step, step=step, too_large=too_large)
    assert number % step == 0
    assert number <= threshold
    assert threshold - number <= max(3 * step, number // 32) or (number == 0 and threshold < 2 * step)


def test_without_an_upper_end_the_first_quotient_is_taken() -> None:
    tried: list[int] = []

    def works(number: int) -> bool:
        tried.append(number)
        return number <= 9

    assert largest_working(works, 128, divisor=4) == 8
    assert tried == [2, 128, 32, 8]  # the smallest first: it alone is tried where nothing works
    assert largest_working(works, 128, divisor=4, least=32) == 0


@given(st.integers(2, 8192), st.sampled_from(("chat", "coding", "rag", "agents", "translation")))
def test_a_shorter_context_keeps_prompt_and_output_in_proportion(context: int, task: Any) -> None:
    request = PlanRequest(task=task)
    shorter, usual = with_context(request, context).workload, request.workload
    assert shorter.prompt_tokens + shorter.output_tokens <= shorter.context == context
    if context > 256:
        ratio = shorter.prompt_tokens / shorter.output_tokens
        assert ratio == pytest.approx(usual.prompt_tokens / usual.output_tokens, rel=0.2)


def test_only_limits_of_the_request_are_dropped() -> None:
    assert not list(dropped_limits(PlanRequest(), lambda _: True))
    request = PlanRequest(speed=9, engines=("vLLM",), quality=30)
    assert [dict(r.changes) for r in dropped_limits(request, lambda r: r.speed == 0 or not r.engines)] == [
        {"speed": 0.0},
        {"engines": ()},
    ]
    assert len({tuple(r.changes) for r in LIMITS}) == len(LIMITS)


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"device": "RTX 3060 12GB", "users": 64, "context": "16k"}, {"users", "context"}),
        ({"device": "RTX 3060 12GB", "users": 3, "context": "64k", "quality": 60}, {"context"}),
        ({"device": "RTX 3060 12GB", "quality": 95, "engines": "vllm"}, {"quality"}),
        ({"device": "RTX 3060 12GB", "speed": 5000}, {"speed"}),
        ({"device": "RTX 3060 12GB", "arrivals": "90000/h"}, {"arrivals"}),
        ({"device": "RTX 3060 12GB", "speed": 5000, "quality": 95, "users": 64}, {"quality", "speed"}),
        ({"budget": "20000JPY", "users": 2}, {"budget"}),
    ],
)
def test_every_relaxation_is_true(values: dict[str, object], fields: set[str]) -> None:
    request = parse_request(values)
    recommendation = recommend(request, columns=small())
    assert not recommendation.plans
    assert recommendation.relaxations
    for relaxation in recommendation.relaxations:
        assert recommend(structs.replace(request, **relaxation.changes), columns=small()).plans, str(
            relaxation.sentence
        )
    assert fields <= {name for r in recommendation.relaxations for name in r.changes}


def test_a_larger_budget_is_the_smallest_that_is_enough() -> None:
    request = parse_request({"budget": "20000JPY", "users": 2})
    budget = next(r.changes["budget"] for r in recommend(request, columns=small()).relaxations if "budget" in r.changes)
    assert not recommend(
        structs.replace(request, budget=structs.replace(budget, amount=budget.amount - 1)), columns=small()
    ).plans


@pytest.mark.parametrize("start", [1, 7, 128, 131072])
def test_what_nothing_mends_is_tried_once(start: int) -> None:
    """Each halving of the context and of the users was a sweep over all machines, where none could ever help."""
    tried: list[int] = []
    assert largest_working(lambda n: bool(tried.append(n)), start, too_large=2 * start) == 0
    assert tried == [1]


@pytest.mark.parametrize("asked", [{"budget": "1000000JPY"}, {"budget": "1000000JPY", "speed": 5000}])
def test_the_first_device_tells_whether_there_is_a_plan(asked: dict[str, object]) -> None:
    request, columns = parse_request(asked), small(("gpt-oss-20b", "qwen3-8b"))
    machines, _ = hardware_options(request)
    whole, first = (feasible_candidates(request, columns, machines, first=f) for f in (False, True))
    assert bool(len(first.cells)) == bool(len(whole.cells)) == ("speed" not in asked)
    assert len(first.cells) < len(whole.cells) or not len(whole.cells)
