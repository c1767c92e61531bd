"""Checks of the quality index: pairs of which an expert is sure, the outside index, the table of settings, and their page."""

from __future__ import annotations

import json

import pytest

from benchmarks import quality_pairs
from tools import docs, docs_quality, quality_trials

STORED = json.loads(quality_pairs.OUT.read_text("utf-8"))


def test_pairs_of_which_an_expert_is_sure() -> None:
    every = quality_pairs.pairs()
    found = quality_pairs.asked(every)
    assert len(every) == len({(p.better, p.worse) for p in every}) == 60
    assert all(p.reason and p.source.startswith("https://") for p in every)
    assert found["right or tied"] >= quality_pairs.ENOUGH
    assert found["reversed"] == 0
    assert found["said apart"] > 30
    assert found == STORED["pairs"], "run benchmarks/quality_pairs.py --write"


def test_a_pair_is_right_tied_or_reversed() -> None:
    right = quality_pairs.Pair("openai/gpt-oss-120b", "meta-llama/Llama-3.1-8B-Instruct", "overall", "-", "-")
    wrong = quality_pairs.Pair(right.worse, right.better, "overall", "-", "-")
    same = quality_pairs.Pair(right.better, right.better, "overall", "-", "-")
    assert (right.answer, wrong.answer, same.answer) == ("right", "reversed", "tied")
    assert quality_pairs.asked([wrong])["reversed"] == 1
    effort = quality_pairs.Pair("openai/gpt-oss-120b@high", "openai/gpt-oss-120b@low", "reasoning", "-", "-")
    assert effort.scores[0].value > effort.scores[1].value


def test_an_outside_index_is_compared_by_ranks() -> None:
    text = """
    "openai/gpt-oss-120b": 23.8,  # live
    "meta-llama/Llama-3.1-8B-Instruct": 4.0,  # live
    "Qwen/Qwen3-32B": 11.5,  # live (again)
    "Qwen/Qwen3-8B": 99.0,  # peer
    """
    found = quality_pairs.outside(text)
    assert found["models"] == found["scored by us"] == 3
    assert found["default effort"] == found["best effort"] == 1.0
    assert quality_pairs.spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert STORED["outside"]["best effort"] >= quality_pairs.NEAR


def test_settings_were_chosen_by_hidden_scores() -> None:
    """No other way to fit our own rows foretells hidden scores better than the shipped one by more than a tenth of a point."""
    table = json.loads(quality_trials.OUT.read_text("utf-8"))["trials"]
    assert [t["setting"] for t in table] == [t.name for t in quality_trials.trials(rivals=True)]
    best = min(t["all"] for t in table if not t["setting"].startswith("rivals'"))
    assert table[0]["all"] <= best + 0.1


@pytest.mark.parametrize("name", ["summary", "hidden", "prior", "trials", "pairs"])
def test_the_page_has_every_table_in_both_languages(name: str) -> None:
    english, japanese = (docs.quality(name, language, "") for language in ("en", "ja"))
    assert len(english.splitlines()) == len(japanese.splitlines()) > 3
    assert english.splitlines()[0] != japanese.splitlines()[0]


def test_pairs_on_the_page_are_those_of_the_file() -> None:
    text = docs_quality.part("pairs", "en", docs.translated, docs.table)
    assert all(p.better in text and p.reason in text for p in quality_pairs.pairs())
