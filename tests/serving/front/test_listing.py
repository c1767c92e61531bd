"""What people see of the models: names and figures; no path of a file, no word of a command line."""

from __future__ import annotations

import json

import pytest

from gyakusan.serving.front.listing import listed
from gyakusan.serving.front.refusal import Refusal

ROUTER = {
    "object": "list",
    "data": [
        {
            "id": "b",
            "object": "model",
            "status": {"value": "loaded", "args": ["--model", "/secret/b"], "preset": "/secret"},
        },
        {"id": "cached", "path": "/secret"},
        {"id": "a", "path": "/secret", "meta": {"n_params": 5, "path": "/secret"}, "status": {"value": "unloaded"}},
        "rubbish",
    ],
    "path": "/secret",
}
ALONE = {"object": "list", "models": [{"name": "m"}], "data": [{"id": "m", "root": "/secret", "max_model_len": 512}]}


def test_only_the_models_of_this_address_in_their_order() -> None:
    told = json.loads(listed("/v1/models", json.dumps(ROUTER).encode(), ("a", "b", "c")))
    assert told["data"] == [
        {"id": "a", "meta": {"n_params": 5}, "status": {"value": "unloaded"}},
        {"id": "b", "object": "model", "status": {"value": "loaded"}},
    ]
    assert "secret" not in json.dumps(told)


def test_a_single_model() -> None:
    told = json.loads(listed("/models", json.dumps(ALONE).encode(), ()))
    assert told == {"object": "list", "models": [{"name": "m"}], "data": [{"id": "m", "max_model_len": 512}]}
    props = {"model_path": "/secret/m.gguf", "total_slots": 4, "chat_template": "x"}
    told = json.loads(listed("/props", json.dumps(props).encode(), ()))
    assert told == {"total_slots": 4, "chat_template": "x"}


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 10_000, b"\xff"])
def test_rubbish_is_refused(text: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        listed("/v1/models", text, ("a",))
    assert refused.value.status == 502
