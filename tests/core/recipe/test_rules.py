"""Every quantisation against llama.cpp's own quantiser: what it said when recorded, and what it says here and now."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.oracle import quantize
from tests.oracle.subjects import NUMBERS, RECORDED, TRUTH, Subject, questions, subjects
from tests.oracle.zoo import zoo

from gyakusan.core import recipe
from gyakusan.core.dtypes import DTYPES
from gyakusan.core.recipe import QUANTIZATIONS
from gyakusan.errors import BadSetting

LIVE = (
    *("llama3.2-1b", "qwen2.5-0.5b", "gemma3-1b", "deepseek-v2-lite", "lfm2-8b-a1b", "jamba-mini", "plamo-2-1b"),
    *("mixtral-8x7b", "gpt-oss-20b", "falcon-48", "llama-odd", "glm5-next-odd"),
)
ALL = {s.name: s for s in subjects()}


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    with gzip.open(TRUTH / "recipes.json.gz") as file:
        return dict(json.load(file))


def said(who: Subject, name: str, matrix: bool) -> tuple[str, ...]:
    """Our types; empty where we refuse."""
    try:
        return recipe.types(name, who.architecture, who.tensors, matrix=matrix, **who.facts())
    except BadSetting:
        return ()


@pytest.mark.parametrize("name", [*RECORDED, *zoo()])
def test_recorded_choice_of_the_quantiser(name: str, truth: dict[str, Any]) -> None:
    rows, types = truth["models"][name], truth["types"]
    wrong = {}
    for quantization, matrix in questions():
        letters = rows.get(f"{quantization}+matrix", rows[quantization]) if matrix else rows[quantization]
        expected = tuple(types[ord(x) - 65] for x in letters)
        if (actual := said(ALL[name], quantization, matrix)) != expected:
            wrong[quantization, matrix] = [
                (t.name, e, a) for t, e, a in zip(ALL[name].tensors, expected, actual, strict=False) if e != a
            ][:3]
    assert wrong == {}


def test_the_record_covers_what_it_should(truth: dict[str, Any]) -> None:
    assert set(truth["models"]) == set(ALL)
    assert all(set(QUANTIZATIONS) <= set(rows) for rows in truth["models"].values())
    used = {truth["types"][ord(x) - 65] for rows in truth["models"].values() for x in set("".join(rows.values()))}
    integers = {"I8", "I16", "I32", "I64", "F64"}
    # Q8_1 and Q8_K are never stored; NVFP4 comes from the converter only.
    assert used - integers == {n for n, d in DTYPES.items() if d.code >= 0} - integers - {"Q8_1", "Q8_K", "NVFP4"}


def test_refusals_are_of_one_kind(truth: dict[str, Any]) -> None:
    refused = {q for rows in truth["models"].values() for q, letters in rows.items() if not letters}
    assert refused == {"Q1_0"}


@pytest.mark.skipif(quantize.library() is None, reason="no llama.cpp library with a quantiser can be loaded here")
@pytest.mark.parametrize("name", LIVE)
def test_dry_run_of_the_quantiser(name: str, tmp_path: Path) -> None:
    who = ALL[name]
    path = tmp_path / "hole.gguf"
    quantize.write(path, who.pairs, who.tensors)
    wrong = []
    for quantization, matrix in questions():
        ours = said(who, quantization, matrix)
        if not ours:
            with pytest.raises(AssertionError, match="fallback"):
                quantize.chosen(path, NUMBERS[quantization], matrix=matrix)
            continue
        theirs = quantize.chosen(path, NUMBERS[quantization], matrix=matrix)
        wrong += [(quantization, matrix, t.name) for t, x in zip(who.tensors, ours, strict=True) if theirs[t.name] != x]
    assert wrong == []
