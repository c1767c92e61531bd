"""A sentence about a change names what is run or bought instead, and says that nothing changes only where nothing does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
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
    {"device": "RTX 3060 12GB", "ram": "64GiB"},
)
FOLLOW_LOAD = re.compile(r"--(ctx-size|parallel|cache-\S+|ctx-checkpoints|max-\S+|kv-cache-dtype|port)$")
"""Options of a server that follow people, context and cache: the others say where the weights are."""


def weights_options(argv: Sequence[str]) -> set[tuple[str, str]]:
    """Return the options with their values that do not follow from people, context and cache."""
    return {
        (a, "" if b.startswith("--") else b) for a, b in pairwise(argv) if a[:2] == "--" and not FOLLOW_LOAD.match(a)
    }


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
            same = weights_options(plan.command.argv) == weights_options(now.command.argv)
            assert ("plan 1 stays" in told) == same, (told, plan.command.argv)
            assert ("in RAM (now" in told) == (plan.blocks_in_ram != now.blocks_in_ram)


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


def test_room_that_rounds_to_nothing_is_said_as_the_first_sentence_says_it() -> None:
    answer = recommend(parse_request({"device": "RTX 3060 12GB", "ram": "64GiB"}))
    assert shown_figures(answer.plans[0]).spare == 0
    text = text_of(*changes(answer, what_if(answer)), width=200, language="en")
    assert "less than 0.1 GiB to spare" in text
    assert "(now less than 0.1)" in text
    assert "now 0.0" not in text
