"""Every row of the whole list has a number, and the number means the plan of the row."""

from __future__ import annotations

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.listed_plans import last_number, listed_plan, listed_rows
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.result_rows import pareto_candidates

ANSWER = recommend(parse_request({"budget": "400000JPY", "families": ("gemma3", "qwen3"), "users": 2}))


def test_rows_are_the_candidates_that_nothing_beats_model_by_model() -> None:
    names = [row["model"] for row in listed_rows(ANSWER)]
    assert len(names) == len(pareto_candidates(ANSWER)) > 5
    runs = [name for i, name in enumerate(names) if not i or names[i - 1] != name]
    assert len(runs) == len(set(runs))


def test_numbers_go_on_behind_the_plans_of_the_answer() -> None:
    first = len(ANSWER.plans)
    assert [listed_plan(ANSWER, n) for n in range(1, first + 1)] == list(ANSWER.plans)
    for number, row in enumerate(listed_rows(ANSWER), first + 1):
        plan = listed_plan(ANSWER, number)
        if plan is None:  # the engine's own ledger refuses it
            continue
        assert (plan.name, plan.quantization, plan.engine) == (row["model"], row["quantization"], row["engine"])
        assert plan.offer.machine.name == row["machine"]


def test_other_numbers_have_no_plan() -> None:
    beyond = last_number(ANSWER) + 1
    assert beyond == len(ANSWER.plans) + len(listed_rows(ANSWER)) + 1
    assert [listed_plan(ANSWER, n) for n in (-1, 0, beyond)] == [None, None, None]
