"""A sentence about a change names what is run or bought instead, and says that nothing changes only where nothing does."""

from __future__ import annotations

from typing import Any

import pytest
from tests.show.drawing import text_of

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.planning.select.what_if import what_if
from gyakusan.planning.select.why_not import why_not
from gyakusan.show.plan_words import bought
from gyakusan.show.tree import Next
from gyakusan.show.what_if import UNCHANGED, _sentence, changes
from gyakusan.show.why_not import reasons

QUESTIONS: tuple[dict[str, Any], ...] = (
    {"device": "RTX 4090"},
    {"budget": "2000USD"},
    {"budget": "1000000JPY", "users": 5, "context": "32k"},
    {"device": "M4 Max 128GB", "users": 3, "task": "coding"},
    {"memory": "16GiB"},
)


@pytest.mark.parametrize("asked", QUESTIONS, ids=str)
def test_what_takes_the_place_of_plan_1_is_named(asked: dict[str, Any]) -> None:
    answer = recommend(parse_request(asked))
    now = answer.plans[0]
    tried = what_if(answer)
    for change in tried:
        sentence, plan = _sentence(answer, change), change.plan
        if plan is None:
            assert "no plan" in str(sentence)
            continue
        told = str(sentence)
        moved = plan.offer.machine.name != now.offer.machine.name and not answer.request.owned
        assert (str(bought(plan.offer)) in told) == moved
        if (plan.name, plan.quantization, plan.engine) != (now.name, now.quantization, now.engine) or moved:
            assert plan.quantization in told
            assert plan.engine in told
            assert plan.name in told or plan.name == now.name
        elif sentence.template == UNCHANGED:
            before, after = shown_figures(now), shown_figures(plan)
            assert (before.speed, before.quality, before.spare) == (after.speed, after.quality, after.spare)
        else:
            assert "plan 1 stays" in told


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("asked", QUESTIONS, ids=str)
def test_the_screen_has_a_row_for_each_change_and_fits(asked: dict[str, Any], language: Any) -> None:
    answer = recommend(parse_request(asked))
    tried = what_if(answer)
    text = text_of(*changes(answer, tried), width=80, language=language)
    assert len(text.splitlines()) <= 24
    assert sum(line.startswith(f" {n}  ") for n in range(1, 9) for line in text.splitlines()) == len(tried)
    for change in tried:
        offered = change.plan is not None and _sentence(answer, change).template != UNCHANGED
        assert (change.options in text) == offered, "an option is never broken over two lines"


def test_it_ends_with_what_can_be_typed_next() -> None:
    answer = recommend(parse_request({"device": "RTX 4090", "engines": "llama.cpp", "families": "gemma3"}))
    assert changes(answer, ())[-1] == Next(("gyakusan plan --details 1",))
    assert reasons(answer, why_not(answer, answer.plans[0].name))[-1] == Next(("gyakusan plan --details 1",))
