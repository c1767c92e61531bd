"""Rows of an answer: labels that the table bears out, no row that another beats, no model twice on one machine."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.planning.small import small

from gyakusan.core.quality import SHARE80
from gyakusan.planning.candidates.purchases import kind_of_purchase
from gyakusan.planning.request.pace import longest_wait, slowest_answer
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ranking import rank_candidates
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import (
    CHEAPER_SHARE,
    FASTER_RATIO,
    MAX_ROWS,
    ShownFigures,
    is_beaten,
    may_be_cheapest,
    shown_figures,
    shown_plans,
    trained_model,
    two_digits,
)

BEST_OF = {"best": "quality", "fastest": "answer", "room": "spare"}
DEVICES = ("RTX 3060 12GB", "RTX 4090", "2x RTX 3090", "M4 Max 128GB", "Ryzen 9 9950X 128GB", "8x H100 80GB HBM3")


def hold(found: Recommendation) -> None:
    """Every rule of an answer's rows."""
    plans, request = found.plans, found.request
    figures = [shown_figures(p) for p in plans]
    assert len(plans) <= MAX_ROWS
    for number, plan in enumerate(plans):
        for role in plan.roles:
            _true(role, figures, number, found)
        assert not any(is_beaten(plan, other, request) for other in plans if other is not plan)
        if plan.tied_with:
            other = plans[plan.tied_with - 1]
            assert other.roles
            assert not plan.roles
            error = math.hypot(float(plan.score.error), float(other.score.error))
            assert abs(plan.score.value - other.score.value) <= SHARE80 * error
    if plans and figures[0].speed is not None:
        assert plans[0].roles[0] == "balanced"
    _models_once(found)


def _true(role: str, figures: list[ShownFigures], number: int, found: Recommendation) -> None:
    if role in BEST_OF:
        shown = [getattr(f, BEST_OF[role]) for f in figures]
        assert shown[number] == max(s for s in shown if s is not None), role
    elif role == "cheapest":
        assert not found.request.owned
        plans, kind = found.plans, kind_of_purchase(found.request, found.plans[number].offer)
        kept = [(f, p) for f, p in zip(figures, plans, strict=True) if may_be_cheapest(found.request, p)]
        kinds = {kind_of_purchase(found.request, p.offer): f.price for f, p in kept}
        assert kind == max(kinds)
        same = [f.price for f, p in kept if kind_of_purchase(found.request, p.offer) == kind and f.price is not None]
        assert figures[number].price == min(same)
    else:
        assert role in ("balanced", "smallest")
        assert role != "balanced" or number == 0


def _models_once(found: Recommendation) -> None:
    places = [(p.name, p.offer.machine.name) for p in found.plans]
    assert len(set(places)) == len(places)
    if found.request.owned or found.request.model:
        return
    best = max((shown_figures(p).quality for p in found.plans), default=0.0)
    ways = [(trained_model(p.name), p.offer.own_computer) for p in found.plans]
    for way in set(ways):
        alike = [p for p, own in zip(found.plans, ways, strict=True) if own == way]
        same = [shown_figures(p) for p in alike if p is alike[0] or "cheapest" not in p.roles]
        assert len(same) <= 2
        if len(same) == 2:
            prices, answers = ([getattr(f, x) or 0.0 for f in same] for x in ("price", "answer"))
            apart = min(prices) <= CHEAPER_SHARE * max(prices) or max(answers) >= FASTER_RATIO * min(answers)
            assert apart or same[1].quality == best > same[0].quality


def test_more_money_may_buy_the_same_model_clearly_faster() -> None:
    """An office with 1,000,000 yen sees the faster machine for its model, and what it costs more."""
    found = recommend(parse_request({"budget": "1000000JPY", "users": 5, "context": "32k"}))
    first = trained_model(found.plans[0].name)
    same = [p for p in found.plans if trained_model(p.name) == first]
    assert len(same) == 2
    figures = [shown_figures(p) for p in same]
    prices, answers = ([getattr(f, x) or 0.0 for f in figures] for x in ("price", "answer"))
    assert prices[1] > CHEAPER_SHARE * prices[0]
    assert answers[1] >= FASTER_RATIO * answers[0]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(DEVICES),
    st.sampled_from((1, 2, 8)),
    st.sampled_from(("4k", "16k", "64k")),
    st.sampled_from(("chat", "coding", "agents")),
    st.sampled_from(("balanced", "quality", "speed")),
)
def test_labels_are_true_on_a_machine(device: str, users: int, context: str, task: str, prefer: str) -> None:
    asked = {"device": device, "users": users, "context": context, "task": task, "prefer": prefer, "prompt": 1000}
    hold(recommend(parse_request({**asked, "answer": 400}), columns=small()))


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(("60000JPY", "400000JPY", "1200000JPY", "2500USD")), st.sampled_from((1, 4)), st.booleans())
def test_labels_are_true_for_a_budget(budget: str, users: int, used: bool) -> None:
    hold(recommend(parse_request({"budget": budget, "users": users, "used": used}), columns=small()))


@pytest.mark.parametrize("asked", [{"device": "RTX 4090", "users": 4, "context": "32k"}, {"budget": "1000000JPY"}])
def test_labels_are_true_over_the_whole_catalogue(asked: dict[str, object]) -> None:
    found = recommend(parse_request(asked))
    assert len(found.plans) >= 3
    hold(found)


def test_the_limits_that_the_screen_names_hold() -> None:
    found = recommend(parse_request({"device": "RTX 4090", "users": 4, "context": "32k"}))
    assert rank_candidates(found.request, found.grid).acceptable_speed.any()
    for plan in found.plans:
        assert plan.pace is not None
        assert plan.pace.decode_each.value / plan.thinking.factor >= slowest_answer(found.request) * 0.99
        assert plan.pace.ttft.value <= longest_wait(found.request) * 1.01


def test_what_beats_the_first_row_in_everything_takes_its_place() -> None:
    found = recommend(parse_request({"device": "RTX 4090"}), columns=small())
    request, rows = found.request, list(found.plans)
    worse = _worse(rows[0])
    again = shown_plans(request, [worse, *rows])
    assert again[0].score == rows[0].score
    assert worse.score.value not in [p.score.value for p in again]


def _worse(plan: Plan) -> Plan:
    """The same plan under another name with two points less."""
    from dataclasses import replace

    deployment = structs.replace(plan.deployment, model=replace(plan.deployment.model, source="catalog:worse"))
    return structs.replace(plan, deployment=deployment, score=structs.replace(plan.score, value=plan.score.value - 2))


@pytest.mark.parametrize(("value", "shown"), [(9.94, 9.9), (9.97, 10.0), (0.04, 0.0), (87.4, 87.0), (0.26, 0.3)])
def test_figures_are_compared_as_they_are_printed(value: float, shown: float) -> None:
    assert two_digits(value) == shown


def test_rows_without_a_role_come_last() -> None:
    """A screen that is too short leaves out the last rows: the cheapest stood behind one that only added to it."""
    found = recommend(parse_request({"budget": "2000EUR"}))
    with_role = [bool(plan.roles) or not plan.offer.own_computer for plan in found.plans]
    assert [bool(p.roles) for p in found.plans] != [True] * len(found.plans)
    assert with_role == sorted(with_role, reverse=True)
