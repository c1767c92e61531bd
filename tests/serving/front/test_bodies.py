"""Bodies that ask for too much are refused; those that clients send pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gyakusan.serving.front.bodies import check_body
from gyakusan.serving.front.limits import Limits, largest_body
from gyakusan.serving.front.refusal import Refusal

STARS = {"type": "string", "pattern": "^(" + "(a|b)*" * 100 + ")$"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def check(body: Any, *, keyed: bool = True) -> dict[str, Any]:
    return check_body(json.dumps(body).encode(), Limits(), keyed=keyed)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": [{"role": "user", "content": "Hi"}], "n": 1, "stop": ["x"], "logit_bias": {"5": 1}, "id_slot": -1},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, IMAGE]}]},
        {"prompt": list(range(5000)), "logprobs": True, "top_logprobs": 5},
        {"input": ["a"] * 100},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
        {"response_format": {"type": "json_object"}, "grammar": None},
    ],
)
def test_what_clients_send(body: dict[str, Any]) -> None:
    assert check(body) == body


@pytest.mark.parametrize(
    "body",
    [
        {"json_schema": STARS},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": STARS}}},
        {"response_format": {"type": "json_object", "schema": STARS}},
        {"text": {"format": {"type": "json_schema", "schema": STARS}}},
        {"output_format": {"schema": STARS}},
        {"tools": [{"function": {"parameters": STARS}}]},
        {"tools": [{"name": "f", "input_schema": STARS}]},
        {"tools": [{"type": "function", "name": "f", "parameters": STARS}]},
        {"grammar": "root ::= " + "[ab]* " * 100},
    ],
    ids=lambda body: next(iter(body)),
)
def test_schemas_are_found_wherever_they_are(body: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        check(body)
    assert caught.value.kind == "schema_too_costly"


def test_the_tools_of_a_request_count_together() -> None:
    one = {"function": {"parameters": {"properties": {f"p{i}": {"type": "string"} for i in range(100)}}}}
    check({"tools": [one]})
    with pytest.raises(Refusal):
        check({"tools": [one] * 20})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"n": 1000}, "too_many"),
        ({"top_logprobs": 50000}, "too_many"),
        ({"n_probs": 1e300}, "too_many"),
        ({"stop": ["x"] * 5000}, "too_many"),
        ({"logit_bias": {str(i): 1 for i in range(5000)}}, "too_many"),
        ({"input": ["a"] * 5000}, "too_many"),
        ({"id_slot": 0}, "not_allowed"),
        ({"grammar_triggers": [{"type": "pattern", "value": "(a*)*"}]}, "not_allowed"),
        ({"messages": [{"content": [{"image_url": {"url": "http://169.254.169.254/"}}]}]}, "not_allowed"),
        ({"messages": [{"content": [{"image_url": "file:///etc/passwd"}]}]}, "not_allowed"),
        ({"messages": [], "input": [{"content": [{"image_url": "http://169.254.169.254/"}]}]}, "not_allowed"),
        ({"messages": [{"content": [{"source": {"type": "url", "url": "https://x/"}}]}]}, "not_allowed"),
        ([], "bad_json"),
        ("x", "bad_json"),
    ],
)
def test_what_is_refused(body: Any, kind: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(body)
    assert (caught.value.status, caught.value.kind) == (400, kind)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(Refusal, match="not JSON"):
        check_body(body, Limits(), keyed=True)


def test_odd_shapes_break_nothing() -> None:
    for odd in (1, "x", [1], {"a": 1}, None, True, [[]], [None]):
        for name in ("messages", "tools", "response_format", "text", "prompt", "json_schema", "stop", "n"):
            check({name: odd})


def test_a_context_fits_into_a_body() -> None:
    assert largest_body(8192, images=False) >= 8192 * 16
    assert largest_body(8192, images=True) > 2**24
