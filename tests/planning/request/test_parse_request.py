"""A request from options, JSON or TOML; a value that cannot be read is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gyakusan.errors import BadQuantity, BadSetting, UnknownName, UsageError
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.parse_request import COLOCATED_KEYS, file_values, parse_request
from gyakusan.planning.request.request import KEYS, WORKLOAD_KEYS, PlanRequest
from gyakusan.python.options import request_values


def test_a_file_says_what_flags_say() -> None:
    toml = 'users = 5\ncontext = "32k"\nbudget = "1000000JPY"\nlanguage = "ja"\n'
    json = '{"users": "5", "context": 32768, "budget": "1000000JPY", "language": "ja"}'
    expected = PlanRequest(users=5, context=32768, budget=Money(1_000_000, "JPY"), language="ja")
    assert parse_request(file_values(toml, "office.toml")) == expected
    assert parse_request(file_values(json, "office.json")) == expected


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
        ({"kv": "q1_0"}, "q1_0"),
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
    with pytest.raises(BadSetting, match="both were given"):
        parse_request({"device": "RTX 4090", "budget": "1000000JPY"})
    with pytest.raises(BadQuantity, match="exceed the context"):
        parse_request({"context": 1000, "prompt": 900, "answer": 200})


@pytest.mark.parametrize(("text", "name"), [("users = ", "a.toml"), ("[", "a.json"), ("[1]", "a.json")])
def test_a_file_that_says_nothing_is_refused(text: str, name: str) -> None:
    with pytest.raises(BadSetting, match=r"a\."):
        file_values(text, name)


def test_an_unknown_engine_is_an_unknown_name() -> None:
    with pytest.raises(UnknownName):
        parse_request({"engines": "exllama"})


EVERY_KEY = {
    "users": 3,
    "context": 4096,
    "prompt": 1000,
    "answer": 500,
    "task": "coding",
    "language": "ja",
    "images": True,
    "budget": "500000JPY",
    "computer": "9JPY",
    "currency": "USD",
    "power": 300,
    "outlet": "2000W",
    "count": 3,
    "os": "linux",
    "brand": "NVIDIA",
    "used": True,
    "enterprise": True,
    "speed": 9,
    "first": 2.5,
    "quality": 40,
    "prefer": "speed",
    "engines": "vllm",
    "kv": "q8_0",
    "licenses": "mit",
    "families": "qwen",
    "without": "gemma",
    "model": "gpt-oss-20b",
    "buy": False,
    "rates": "USD=155",
    "also": "embedding",
    "arrivals": "30/min",
}
"""A value for every key but those of a machine that is owned, which a budget excludes."""
OWNED = {"device": "RTX 4090", "memory": "20GiB", "reserve": "1GiB", "bandwidth": "80GB/s", "ram": "64GiB"}


def test_a_number_without_a_currency_takes_that_of_the_answer() -> None:
    assert parse_request({"budget": "3k", "currency": "usd"}).budget == Money(3000, "USD")
    assert parse_request({"budget": "10万円", "currency": "usd"}).budget == Money(100_000, "JPY")
    with pytest.raises(BadQuantity, match="has no currency"):
        parse_request({"budget": "3k"})


@pytest.mark.parametrize("text", ["own", "OWN", "0", "0JPY", "0 USD"])
def test_a_computer_that_is_owned_costs_nothing(text: str) -> None:
    assert parse_request({"budget": "100000JPY", "computer": text}).base_computer_price == Money(0.0, "JPY")


def test_the_currency_of_the_answer_is_the_one_that_was_named_else_the_budgets() -> None:
    assert parse_request({"budget": "100000JPY"}).paid_in == "JPY"
    assert parse_request({"budget": "3000USD"}).paid_in == "USD"
    assert parse_request({"budget": "3000USD", "currency": "ユーロ"}).paid_in == "EUR"
    assert parse_request({}).paid_in == "JPY"


def test_every_key_sets_its_field_and_no_other() -> None:
    assert EVERY_KEY.keys() | OWNED.keys() == KEYS.keys()
    for key, value in {**EVERY_KEY, **OWNED}.items():
        request = parse_request({key: value})
        changed = {name for name in KEYS.values() if getattr(request, name) != getattr(PlanRequest(), name)}
        assert changed == {KEYS[key]} | ({"users"} if key == "arrivals" else set())


def test_the_keys_that_users_write_stay() -> None:
    renamed = {key: name for key, name in KEYS.items() if key != name}
    assert renamed == {
        "prompt": "prompt_tokens",
        "answer": "output_tokens",
        "computer": "base_computer_price",
        "first": "max_ttft",
        "kv": "kv_types",
        "without": "exclude_families",
        "also": "colocated",
    }
    assert tuple(WORKLOAD_KEYS) == ("context", "prompt", "answer", "score", "pace", "first")
    assert KEYS.keys() >= set(COLOCATED_KEYS)


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    for name, text in (("q.toml", "users = 5\n"), ("q.json", '{"users": 5}')):
        (tmp_path / name).write_text(text, "utf-8-sig")
        assert request_values(str(tmp_path / name), {}, ()) == {"users": 5}


@pytest.mark.parametrize(
    ("key", "typed", "read"),
    [
        ("first", "2秒", 2.0), ("first", "1.5 s", 1.5), ("power", "300ワット", 300.0), ("power", "千W", 1000.0),
        ("speed", "10トークン/秒", 10.0), ("speed", "25 tokens/s", 25.0), ("quality", "70点", 70.0),
    ],
)  # fmt: skip
def test_a_number_may_have_the_unit_in_which_it_is_told(key: str, typed: str, read: float) -> None:
    fields = {"first": "max_ttft"}
    assert getattr(parse_request({key: typed}), fields.get(key, key)) == read


@pytest.mark.parametrize(("key", "typed"), [("first", "2W"), ("power", "2秒"), ("quality", "70s"), ("speed", "s")])
def test_a_number_in_another_unit_is_refused(key: str, typed: str) -> None:
    with pytest.raises(BadSetting):
        parse_request({key: typed})


def test_an_unknown_key_has_near_names_or_a_place_where_they_are_listed() -> None:
    with pytest.raises(UsageError, match=r"no key 'foo'\. For the keys, see `gyakusan plan --help`\."):
        parse_request({"foo": 1})
    with pytest.raises(UsageError, match=r"no key 'contxt'\. Did you mean context"):
        parse_request({"contxt": 1})


def test_a_cache_type_is_quoted_as_it_was_typed() -> None:
    with pytest.raises(UsageError, match=r"called 'zzq'\. Choose one of: F16, Q8_0\."):
        parse_request({"kv": "zzq"})
