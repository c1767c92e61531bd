"""The line of `inspect` that a plan prints gives the plan's own figures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gyakusan.cli import main
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.inspect_line import inspect_words
from gyakusan.planning.select.recommend import recommend

QUESTIONS: tuple[dict[str, Any], ...] = (
    {"budget": "6000USD", "users": 8, "context": "64k", "task": "coding"},
    {"budget": "2000USD", "users": 2, "task": "translation"},
    {"device": "2x RTX 3090", "users": 8, "context": "64k"},
    {"device": "2x RTX 3090", "users": 4, "engines": "llama.cpp", "kv": "q8_0"},
    {"device": "RTX 4090", "users": 2, "ram": "64GiB"},
    {"device": "RTX 4090", "users": 2, "engines": "ollama"},
    {"device": "RTX 4060 Ti 16GB", "ram": "64GB", "reserve": "1GiB", "images": True},
    {"device": "M4 Max 128GB", "users": 3, "task": "agents"},
    {"device": "Ryzen AI Max+ 395 128GB"},
    {"device": "cpu", "ram": "64GiB"},
    {"device": "4x H100", "users": 32, "context": "32k"},
    {"device": "DGX Spark", "users": 4, "task": "rag"},
    {"device": "Mac mini M6 16GB", "users": 3},
)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_inspect_says_what_the_plan_says(question: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """plan said 49 tokens/s and a first token after 1.8 s, inspect of the same setup 45 and 2.7 s."""
    answer = recommend(parse_request(question))
    assert answer.plans
    for plan in answer.plans:
        words = inspect_words(answer.request, plan)
        assert words is not None, plan
        assert main([*words[1:], "--json"]) in (0, 1), words
        found = json.loads(capsys.readouterr().out)
        assert [d["total"] for d in found["devices"]] == [float(a.total) for a in plan.ledger.accounts], words
        assert (found["pace"] is None) == (plan.pace is None)
        ranges = [(d["total_low"], d["total_high"]) for d in found["devices"]]
        assert ranges == [(int(a.at_least), int(a.at_most)) for a in plan.ledger.accounts], words
        for name in ("decode_each", "decode_all", "ttft") if plan.pace is not None else ():
            ours = getattr(plan.pace, name)
            theirs = found["pace"][name]
            assert (theirs["value"], theirs["low"], theirs["high"]) == (ours.value, ours.low, ours.high), (words, name)
