"""A change says what the changed question is answered with."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from msgspec import structs

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.what_if import what_if
from gyakusan.text import tell

QUESTIONS: dict[str, dict[str, Any]] = {
    "card": {"device": "RTX 4090"},
    "Mac": {"device": "M4 Max 128GB", "users": 3, "task": "coding"},
    "money": {"budget": "1000000JPY", "users": 5, "context": "32k"},
    "small money": {"budget": "300USD"},
    "machine for a model": {"budget": "300000JPY", "model": "gpt-oss-20b"},
    "with RAM": {"device": "RTX 3060 12GB", "ram": "64GiB", "context": "32k", "language": "ja"},
}
KEYS = {"--users": "users", "--context": "context", "--kv-type": "kv", "--device": "device", "--budget": "budget"}


@pytest.mark.parametrize("asked", QUESTIONS.values(), ids=list(QUESTIONS))
def test_plan_1_of_the_changed_question_is_what_is_said(asked: dict[str, Any]) -> None:
    tried = what_if(recommend(parse_request(asked)))
    assert len(tried) >= 2
    for change in tried:
        option, value = shlex.split(change.options)
        found = recommend(parse_request({**asked, KEYS[option]: value})).plans
        expected = found[0] if found else None
        assert (change.plan is None) == (expected is None), change.change
        if expected is not None and change.plan is not None:
            same = (change.plan.name, change.plan.quantization, change.plan.engine, change.plan.pace)
            assert same == (expected.name, expected.quantization, expected.engine, expected.pace), change.change
            assert change.plan.offer.machine.name == expected.offer.machine.name


def test_a_cache_that_plan_1_has_is_not_offered() -> None:
    asked = recommend(parse_request({"device": "RTX 4090", "kv": "q8_0"}))
    chosen = structs.replace(asked, request=structs.replace(asked.request, kv_types=()))
    for answer in (asked, chosen):
        assert answer.plans
        assert not [c for c in what_if(answer) if "kv-type" in c.options]


def test_no_card_is_added_to_memory_alone() -> None:
    assert not [c for c in what_if(recommend(parse_request({"memory": "16GiB"}))) if "--device" in c.options]


@pytest.mark.parametrize(
    ("budget", "option", "said"),
    [
        ("2000USD", "--budget 2500USD", "500 USD"),
        ("2000EUR", "--budget 2500EUR", "500 EUR"),
        ("2000CHF", "--budget 2500CHF", "500 CHF"),
        ("300000JPY", "--budget 400000JPY", "100,000 yen"),
    ],
)
def test_more_money_is_a_round_amount_of_the_currency_that_is_asked_in(budget: str, option: str, said: str) -> None:
    found = recommend(parse_request({"budget": budget, "model": "gpt-oss-20b"}))
    change = next(c for c in what_if(found) if "--budget" in c.options)
    assert change.options == option
    assert tell(change.change, "en") == f"{said} more"
