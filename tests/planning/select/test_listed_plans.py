"""Every row of the whole list has a number; the number means the plan of the row, and the plan holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select import listed_plans
from gyakusan.planning.select.listed_plans import last_number, listed_candidates, listed_plan, listed_rows, plan_list
from gyakusan.planning.select.plan import Plan, fit_of
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import pareto_candidates

ANSWER = recommend(parse_request({"budget": "400000JPY", "families": ("gemma3", "qwen3"), "users": 2}))
DOUBTFUL = recommend(
    parse_request({"budget": "10000USD", "users": 10, "task": "coding", "context": "64k", "model": "qwen3.6-35b-a3b"})
)
"""By the columns of the sweep, rows of its list would not fit at the high end of doubt, or not by the ledger."""
UNSURE = recommend(
    parse_request({"device": "RTX 5090", "model": "qwen3.8-27b", "engines": ("vllm",), "context": "32k"})
)


def listed(answer: Recommendation) -> Iterator[Plan | None]:
    for number in range(len(answer.plans) + 1, last_number(answer) + 1):
        yield listed_plan(answer, number)


def test_rows_stand_together_model_by_model() -> None:
    names = [row["model"] for row in listed_rows(ANSWER)]
    assert len(names) > 5
    runs = [name for i, name in enumerate(names) if not i or names[i - 1] != name]
    assert len(runs) == len(set(runs))


def test_numbers_go_on_behind_the_plans_of_the_answer() -> None:
    first = len(ANSWER.plans)
    assert [listed_plan(ANSWER, n) for n in range(1, first + 1)] == list(ANSWER.plans)
    for plan, row in zip(listed(ANSWER), listed_rows(ANSWER), strict=True):
        assert plan is not None
        assert (plan.name, plan.quantization, plan.engine) == (row["model"], row["quantization"], row["engine"])
        assert plan.offer.machine.name == row["machine"]


def test_other_numbers_have_no_plan() -> None:
    beyond = last_number(ANSWER) + 1
    assert beyond == len(ANSWER.plans) + len(listed_rows(ANSWER)) + 1
    assert [listed_plan(ANSWER, n) for n in (-1, 0, beyond)] == [None, None, None]


def test_what_may_not_fit_is_not_listed() -> None:
    by_columns = {fit_of(DOUBTFUL.request, DOUBTFUL.grid, i) for i in pareto_candidates(DOUBTFUL)}
    assert by_columns == {"fits", "unsure", "short"}, "the question has all three"
    plans = list(listed(DOUBTFUL))
    assert plan_list(DOUBTFUL).surely
    assert len(plans) > 5
    assert all(p is not None and p.ledger.surely_fits for p in plans)


def test_what_stands_behind_one_that_may_not_fit_is_listed_in_its_place() -> None:
    found = set(listed_candidates(DOUBTFUL))
    assert found - set(pareto_candidates(DOUBTFUL))
    left_out = [i for i in range(len(DOUBTFUL.grid.cells)) if fit_of(DOUBTFUL.request, DOUBTFUL.grid, i) != "fits"]
    assert found == set(pareto_candidates(DOUBTFUL, left_out)), "nothing that fits beats them, and none is missing"


def test_where_no_plan_surely_fits_those_that_may_fit_are_listed() -> None:
    assert UNSURE.plans
    assert not plan_list(UNSURE).surely
    plans = list(listed(UNSURE))
    assert plans
    assert all(p is not None and p.ledger.fits and not p.ledger.surely_fits for p in plans)


def test_the_list_of_an_answer_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = recommend(parse_request({"device": "RTX 4090", "families": ("gemma3",)}))
    before = listed_candidates(answer)
    monkeypatch.setattr(listed_plans, "fit_of", None)
    assert listed_candidates(answer) == before
    assert last_number(answer) == len(answer.plans) + len(before)
