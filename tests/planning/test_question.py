"""A question from flags, JSON or TOML; what makes no sense is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from gyakusan.errors import BadQuantity, BadSetting, UnknownName, UsageError
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import NAMES, WORKLOADS, PlanRequest, parse_request, values_of


def test_every_default_is_a_value() -> None:
    usual = PlanRequest().usual
    assert (usual.context, usual.prompt, usual.answer) == (8192, 1000, 400)
    assert PlanRequest(task="coding").usual.score == "coding"
    assert PlanRequest(language="ja").usual.score == "japanese"
    assert PlanRequest(context=256).usual.prompt + PlanRequest(context=256).usual.answer <= 256


def test_a_file_says_what_flags_say() -> None:
    toml = 'users = 5\ncontext = "32k"\nbudget = "1000000JPY"\nlanguage = "ja"\n'
    json = '{"users": "5", "context": 32768, "budget": "1000000JPY", "language": "ja"}'
    expected = PlanRequest(users=5, context=32768, budget=Money(1_000_000, "JPY"), language="ja")
    assert parse_request(values_of(toml, "office.toml")) == expected
    assert parse_request(values_of(json, "office.json")) == expected


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"userz": 5}, "userz"),
        ({"users": -1}, "users"),
        ({"users": 0}, "users"),
        ({"users": True}, "users"),
        ({"users": "many"}, "users"),
        ({"context": 1.5}, "context"),
        ({"context": "9" * 40}, "context"),
        ({"budget": "12 parsecs"}, "PARSECS"),
        ({"budget": 5}, "budget"),
        ({"power": "-3W"}, "power"),
        ({"power": "nan"}, "power"),
        ({"speed": "fast"}, "speed"),
        ({"task": "juggling"}, "task"),
        ({"prefer": "luck"}, "prefer"),
        ({"used": "yes"}, "used"),
        ({"engines": "vlm5000"}, "vlm5000"),
        ({"kv": "q1_0"}, "Q1_0"),
        ({"families": [1]}, "families"),
        ({"device": ""}, "device"),
        ({"rates": "USD"}, "USD"),
        ({"count": 9}, "count"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        parse_request(values)


def test_contradictions_are_named() -> None:
    with pytest.raises(BadSetting, match="macOS"):
        parse_request({"os": "macos", "engines": "vllm"})
    with pytest.raises(BadSetting, match="MLX-LM"):
        parse_request({"os": "linux", "engines": "mlx"})
    with pytest.raises(BadSetting, match="two questions"):
        parse_request({"device": "RTX 4090", "budget": "1000000JPY"})
    with pytest.raises(BadQuantity, match="do not fit"):
        parse_request({"context": 1000, "prompt": 900, "answer": 200})


@pytest.mark.parametrize(("text", "name"), [("users = ", "a.toml"), ("[", "a.json"), ("[1]", "a.json")])
def test_a_file_that_says_nothing_is_refused(text: str, name: str) -> None:
    with pytest.raises(BadSetting, match=r"a\."):
        values_of(text, name)


def test_an_unknown_engine_is_an_unknown_name() -> None:
    with pytest.raises(UnknownName):
        parse_request({"engines": "exllama"})


def test_tasks_fit_into_their_context() -> None:
    assert all(t.prompt + t.answer <= t.context for t in WORKLOADS.values())
    assert len(NAMES) == len(set(NAMES))
