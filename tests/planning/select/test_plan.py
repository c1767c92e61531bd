"""Whether a candidate holds is one rule, for the list of all plans and for the plans of an answer."""

from __future__ import annotations

import pytest

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select import plan
from gyakusan.planning.select.plan import confirm_candidate, confirm_surely, fit_of
from gyakusan.planning.select.recommend import recommend

QUESTIONS = {
    "limits": {"device": "RTX 3090", "users": 4, "context": "32k", "speed": 20, "first": 3, "families": ("qwen3",)},
    "vllm": {"device": "RTX 5090", "model": "qwen3.8-27b", "engines": ("vllm",), "context": "32k"},
    "part in RAM": {"device": "RTX 3060 12GB", "ram": "64GiB", "model": "gpt-oss-20b", "context": "64k", "users": 2},
    "several cards": {"device": "2x RTX 3090", "model": "qwen3.6-27b", "context": "64k", "users": 4},
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_the_list_says_of_a_candidate_is_what_its_plan_says(question: str) -> None:
    answer = recommend(parse_request(QUESTIONS[question]))
    assert len(answer.grid.cells)
    for i in range(min(len(answer.grid.cells), 60)):
        fit = fit_of(answer.request, answer.grid, i)
        confirmed = confirm_candidate(answer.request, answer.grid, i)
        assert fit == ("short" if confirmed is None else confirmed.ledger.fit)
        surely = confirm_surely(answer.request, answer.grid, i)
        assert (surely is not None) is (fit == "fits")
        assert confirmed is None or confirmed.surely_fits is (confirmed.spare is None or confirmed.spare >= 0)


def test_one_rule_decides_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = recommend(parse_request(QUESTIONS["vllm"]))
    monkeypatch.setattr(plan, "_held", lambda *_, **__: None)
    assert fit_of(answer.request, answer.grid, 0) == "short"
    assert confirm_candidate(answer.request, answer.grid, 0) is None
