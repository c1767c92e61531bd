"""A question for fewer people never has a worse plan: what serves many is a candidate for few."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.planning.small import small

from gyakusan.engines.smaller_cache import Q8_0_LOSS
from gyakusan.planning.candidates import model_table
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.candidates.purchases import hardware_options
from gyakusan.planning.evaluate.results import CandidateColumns
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.plan import Plan, confirm_candidate
from gyakusan.planning.select.ranking import rank_candidates, ranked_for_role
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation

SLACK = 1 + 1e-9
"""Sums of floats in another order."""
QUESTIONS = (
    {"device": "RTX 4090", "task": "coding"},
    {"device": "2x RTX 3090", "task": "agents"},
    {"device": "RX 7900 XTX", "task": "rag", "context": "32k"},
    {"device": "RTX 5090", "task": "coding", "context": "64k"},
    {"budget": "3000USD", "task": "chat"},
    {"budget": "10000USD", "task": "coding", "context": "64k"},
)


def candidates(question: dict[str, str], users: int) -> CandidateColumns:
    request = parse_request({**question, "users": str(users)})
    return feasible_candidates(request, small(), hardware_options(request)[0]).cells


@pytest.mark.parametrize("users", [1, 2, 5, 10, 15])
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: " ".join(q.values()))
def test_every_plan_for_one_more_is_matched(question: dict[str, str], users: int) -> None:
    few, many = (candidates(question, n) for n in (users, users + 1))
    assert len(few) or not len(many)
    for i in range(len(many)):
        matched = (
            (few.quality_lower >= many.quality_lower[i] - 1e-9)
            & (few.expected_visible_tokens_per_s * SLACK >= many.expected_visible_tokens_per_s[i])
            & (few.price <= many.price[i])
            & (few.tier <= many.tier[i])
        )
        assert matched.any(), (i, many.row[i], many.kv[i], many.replicas[i])


def first(question: dict[str, str], users: int, columns: ModelTable) -> Plan | None:
    return next(iter(recommend(parse_request({**question, "users": str(users)}), columns=columns).plans), None)


def figures(plan: Plan) -> tuple[float, float, float]:
    assert plan.pace is not None
    smaller = plan.ledger.settings.get("key_type") == "Q8_0"
    quality = float(plan.score.value) - (Q8_0_LOSS if smaller else 0)
    return quality, plan.pace.decode_each.value / plan.thinking.factor, -(plan.offer.price or 0)


@pytest.mark.parametrize(
    ("question", "users"),
    [
        ({"budget": "10000USD", "task": "coding", "context": "64k"}, (8, 9, 10, 11, 12)),
        ({"budget": "10000USD", "task": "coding", "context": "64k", "model": "qwen3.6-35b-a3b"}, (9, 10, 11, 12)),
        ({"budget": "4000USD", "task": "agents"}, (1, 2, 3, 4)),
        ({"device": "RTX 5090", "task": "coding"}, (7, 8, 9, 10)),
        ({"device": "RTX 4090", "task": "chat"}, (1, 2, 3, 4, 5)),
    ],
)
def test_the_first_plan_is_not_beaten_by_that_for_one_more(question: dict[str, str], users: tuple[int, ...]) -> None:
    plans = [first(question, n, model_table.load()) for n in users]
    known = [figures(p) for p in plans if p is not None]
    assert len(known) == len(users)
    for few, many in pairwise(known):
        assert few == many or any(f > m for f, m in zip(few, many, strict=True)), (few, many)


@pytest.mark.parametrize("users", [1, 5, 12])
@pytest.mark.parametrize("budget", ["210000JPY", "300000JPY", "1000000JPY"])
def test_what_a_smaller_cache_alone_would_find_is_there(budget: str, users: int) -> None:
    """The larger cache beats it by the columns, and may then not fit at the high end of doubt."""
    question = {"budget": budget, "engines": "llama.cpp"}
    usual, smaller = (candidates(q, users) for q in (question, {**question, "kv": "q8_0"}))
    found = {tuple(p) for p in np.stack((usual.offer, usual.row, usual.mode))[:, usual.kv == 1].T.tolist()}
    assert found == {tuple(p) for p in np.stack((smaller.offer, smaller.row, smaller.mode)).T.tolist()}
    assert found


def test_five_people_have_no_dearer_plan_than_six() -> None:
    question = {"budget": "1000000JPY"}
    few, many = (first(question, n, model_table.load()) for n in (5, 6))
    smaller = first({**question, "kv": "q8_0"}, 5, model_table.load())
    assert few is not None
    assert few.small_cache
    assert few == smaller
    assert many is not None
    assert (few.score, few.offer.price) == (many.score, many.offer.price)


def test_a_smaller_cache_is_proposed_where_the_usual_one_does_not_fit() -> None:
    question = {"budget": "10000USD", "task": "coding", "context": "64k", "model": "qwen3.6-35b-a3b"}
    few, many = (first(question, n, model_table.load()) for n in (10, 11))
    assert few is not None
    assert many is not None
    assert (few.ledger.settings["key_type"], many.ledger.settings["key_type"]) == ("F16", "Q8_0")


def test_the_usual_cache_stays_where_a_smaller_one_gains_little() -> None:
    plan = first({"device": "RTX 4090", "task": "chat"}, 1, model_table.load())
    assert plan is not None
    assert plan.ledger.settings.get("key_type", "F16") == "F16"


def test_a_cache_that_is_named_is_the_only_one() -> None:
    request = parse_request({"device": "RTX 4090", "kv": "f16"})
    assert not feasible_candidates(request, small(), hardware_options(request)[0]).cells.kv.any()


@pytest.mark.parametrize(
    "question", [{"device": "RTX 5090"}, {"device": "RTX 3090"}, {"budget": "300000JPY", "task": "coding"}]
)
def test_what_an_fp8_cache_alone_would_find_is_there_under_vllm(question: dict[str, str]) -> None:
    question = {**question, "engines": "vllm"}
    usual, smaller = (candidates(q, 3) for q in (question, {**question, "kv": "q8_0"}))
    found = {tuple(p) for p in np.stack((usual.offer, usual.row, usual.mode))[:, usual.kv == 1].T.tolist()}
    assert found == {tuple(p) for p in np.stack((smaller.offer, smaller.row, smaller.mode)).T.tolist()}
    assert found
    assert usual.quality_lower[usual.kv == 1].max() == smaller.quality_lower.max()


@pytest.mark.parametrize("engine", ["vllm", "llama.cpp"])
@pytest.mark.parametrize("kind", ["f16", "q8_0"])
@pytest.mark.parametrize(
    "question",
    [
        {"budget": "300000JPY", "task": "coding", "users": "3"},
        {"device": "RTX 4090", "context": "64k", "users": "2"},
        {"device": "2x RTX 3090", "context": "32k", "users": "8"},
    ],
)
def test_naming_a_type_of_cache_never_brings_a_better_first_plan(
    question: dict[str, str], kind: str, engine: str
) -> None:
    """By the utility of the columns: of what a person gets without a wish, and with one."""
    free, named = ({**question, "engines": engine, **more} for more in ({}, {"kv": kind}))
    best, other = (recommend(parse_request(q)) for q in (free, named))
    if not other.plans:
        return
    assert best.plans
    assert best.plans[0].surely_fits or not other.plans[0].surely_fits
    if best.plans[0].surely_fits == other.plans[0].surely_fits:
        assert _utility(best) >= _utility(other) - 1e-9


def _utility(answer: Recommendation) -> float:
    """Return that of the first plan, weighed as in its own sweep."""
    scores, plan = rank_candidates(answer.request, answer.grid), answer.plans[0]
    found = next(i for i in ranked_for_role("balanced", scores, answer.request) if _is(answer, i, plan))
    return float(scores.utility[found])


def _is(answer: Recommendation, index: int, plan: Plan) -> bool:
    found = confirm_candidate(answer.request, answer.grid, index)
    return found is not None and found.command == plan.command and found.offer == plan.offer
