"""Which scores are shipped: each with licence, source and date, none twice, makers of their own models only."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re

import pytest

from gyakusan.catalog.quality_names import (
    QUALITY,
    as_year,
)
from tools import quality_2026, quality_scores

LICENCES = {"CC BY 4.0", "Apache-2.0", "MIT", quality_2026.MAKER}


@pytest.fixture(scope="module")
def scores() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress((QUALITY / "scores.csv.gz").read_bytes()).decode("utf-8"))))


def test_every_score_has_licence_source_and_date(scores: list[dict[str, str]]) -> None:
    sources = json.loads((QUALITY / "index.json").read_text("utf-8"))["sources"]
    assert len(scores) > 3000
    for r in scores:
        assert r["licence"] in LICENCES, r
        assert r["url"].startswith("https://"), r
        as_year(r["date"])
        assert 0 <= float(r["value"]) <= 1, r
        assert r["source"] in sources, r


def test_nothing_without_a_licence_is_shipped(scores: list[dict[str, str]]) -> None:
    for word in ("lmarena", "livebench.ai", "livebench/", "nejumi", "artificial", "openrouter", "arena-catalog"):
        assert not [r for r in scores if word in " ".join(r.values()).casefold()], word


def test_a_figure_of_another_origin_is_no_mit_figure() -> None:
    """models.dev quotes Artificial Analysis: its licence does not cover those figures."""
    assert quality_scores.CARDS.match("MIT (models.dev)")
    assert not quality_scores.CARDS.match("MIT (models.dev), origin Artificial Analysis: facts only")
    assert not quality_scores.CARDS.match("Gemma terms; facts only")


def test_no_score_stands_twice(scores: list[dict[str, str]]) -> None:
    keys = [(r["hf_id"], r["mode"], r["effort"], r["item"]) for r in scores]
    assert len(set(keys)) == len(keys)


def test_a_maker_speaks_of_its_own_models_only(scores: list[dict[str, str]]) -> None:
    assert {r["vendor"] for r in scores} == {"0", "1"}
    for r in scores:
        page = re.match(r"https://huggingface\.co/([^/]+)/", r["url"])
        if r["vendor"] == "1" and page:
            assert page[1].casefold() == r["hf_id"].split("/")[0].casefold(), r
        assert r["vendor"] == "1" or r["licence"] != quality_2026.MAKER, r


def test_what_is_no_strength_or_has_no_licence_is_left_out(scores: list[dict[str, str]]) -> None:
    for word in ("bullshit", "vectara", "nyt-connections", "svgbench", "generalization", "tb-core80"):
        assert not [r for r in scores if word in r["item"]], word


def test_rows_of_2026_are_shipped_by_the_rule() -> None:
    row = {
        "model": "acme/model-8b",
        "benchmark": "vendor/gpqa",
        "score": "61.5",
        "unit": "percent",
        "mode": "unknown",
        "effort": "",
        "vendor": "1",
        "licence": "Modified MIT; facts only",
        "source": "https://huggingface.co/acme/model-8b (table 1)",
        "date": "2026-05-01",
        "reporter": "acme",
        "harness": "",
    }
    (ours,) = quality_2026.shipped([row])
    assert (ours["value"], ours["licence"], ours["mode"], ours["domain"]) == (
        "0.615",
        quality_2026.MAKER,
        "off",
        "reason",
    )
    assert ours["url"] == "https://huggingface.co/acme/model-8b"
    judged = row | {"benchmark": "shaberi-gpt-5.1/elyza100", "score": "4", "unit": "judge points", "vendor": "0"}
    assert next(quality_2026.shipped([judged]))["value"] == "0.75"
    assert not list(quality_2026.shipped([row | {"vendor": "competitor"}]))
    assert not list(quality_2026.shipped([row | {"benchmark": "indep/vectara-factual", "vendor": "0"}]))
    older = ours | {"value": "0.5", "date": "2026-01-01"}
    assert [r["value"] for r in quality_2026.merged([older], [row])] == ["0.615"]


@pytest.mark.parametrize(
    ("item", "domain"),
    [("vendor/swe-verified", "agent"), ("openhands/gaia", "agent"), ("vendor/tb2.1", "agent"), ("vendor/lcb-v6", "code"),
     ("shaberi-gpt-4.1/tengu", "ja"), ("ja/jmedqa", "ja"), ("swallow2/ja_post/JHumanEval", "ja+code"),
     ("swallow2/ja_post/PolyMathJaHT", "ja+reason"), ("swallow2/ja_mtb/reasoning", "ja"), ("vendor/mmlu-pro", "general"),
     ("vendor/hmmt-feb25", "reason")],
)  # fmt: skip
def test_what_an_item_measures(item: str, domain: str) -> None:
    assert quality_2026.domain(item) == domain
