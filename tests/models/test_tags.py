"""Sizes of Ollama's tags, from the catalogue alone, beside what ollama.com lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gyakusan import catalog, errors
from gyakusan.catalog import tags
from gyakusan.models import load
from gyakusan.models.tags import from_tag

LISTED: dict[str, str] = json.loads((Path(__file__).parents[1] / "truth" / "ollama_sizes.json").read_text())["sizes"]
UNKNOWN = {"granite-code:20b", "granite-code:34b", "gemma3n:e2b"}
"""Tags of architectures, or of a slice of a model, that no family builds: StarCoder, Gemma 3n's smaller slice."""
EXPLAINED = {
    "gemma3:1b": "1.1 % below: the tag is of the first days of Gemma 3 and is not made again",
    "ministral-3:8b": "0.9 % above: the shape is recalled",
    "qwen2.5vl:3b": "2.1 % above: fewer vision weights are in the file than the published total says",
    "functiongemma:270m": "3.1 % below: the file holds another tokenizer than gemma3:270m",
    "tinyllama:1.1b": "0.1 % below: 61,000 merges for 32,000 tokens",
    "yi-coder:1.5b": "0.1 % above: a header without merges",
    "granite4:350m": "0.1 % above: the header is estimated",
}


def size(text: str) -> tuple[float, float]:
    """Listed size and half of its last printed digit. [B]"""
    number, unit = text.replace("GB", " GB").replace("MB", " MB").split()
    scale = {"GB": 1e9, "MB": 1e6}[unit]
    digits = len(number.partition(".")[2])
    return float(number) * scale, 0.5 * 10**-digits * scale


def ours(tag: str) -> float:
    found = tags.find(tag)
    assert found is not None
    stored = from_tag(found).stored
    assert stored is not None
    return stored.bytes


def test_sizes_follow_from_configs() -> None:
    known = {t: size(s) for t, s in LISTED.items() if t not in UNKNOWN}
    wrong = {t: ours(t) / s - 1 for t, (s, half) in known.items() if abs(ours(t) - s) > half}
    assert len(known) >= 250
    assert len(wrong) <= 0.1 * len(known)
    assert sum(abs(e) > 0.05 for e in wrong.values()) <= 0.05 * len(known)
    latest = {t for t in wrong if t.endswith(":latest")}
    assert set(wrong) - latest == set(EXPLAINED)
    assert all(abs(e) < 0.032 for e in wrong.values())


def test_what_is_not_known_says_so() -> None:
    for tag in sorted(UNKNOWN & set(LISTED)):
        with pytest.raises(errors.UnknownName, match="has no tag"):
            tags.find(tag)


def test_every_tag_leads_somewhere() -> None:
    names = set(catalog.model_names())
    for name in tags.names():
        found = tags.find(name)
        assert found is not None
        assert tags.base(found.model) is not None or found.model in names, name
        assert from_tag(found).bytes > 0


def test_every_base_is_used() -> None:
    from gyakusan.catalog.records import entries

    bases = {e.name for e in entries("base")}
    used = {found.model for name in tags.names() if (found := tags.find(name))}
    assert bases <= used


@pytest.mark.parametrize(
    ("text", "model", "quantization"),
    [
        ("qwen2.5", "qwen2.5-7b", "Q4_K_M"),
        ("qwen2.5:14b", "qwen2.5-14b", "Q4_K_M"),
        ("Qwen2.5:14B-Instruct-q8_0", "qwen2.5-14b", "Q8_0"),
        ("qwen2.5:14b-instruct-fp16", "qwen2.5-14b", "F16"),
        ("llama3.1:8b-text-q4_0", "llama3.1-8b", "Q4_0"),
        ("wizardlm:13b-q5_K_M", "llama2-13b", "Q5_K_M"),
        ("glm-4.7-flash:bf16", "glm-4.7-flash", "BF16"),
        ("gpt-oss", "gpt-oss-20b", "MXFP4_MOE"),
    ],
)
def test_tags_are_understood(text: str, model: str, quantization: str) -> None:
    found = tags.find(text)
    assert found is not None
    assert (found.model, found.quantization) == (model, quantization)


def test_a_name_that_the_library_has_not() -> None:
    assert tags.find("nothing-like-it:7b") is None


def test_another_quantisation_by_the_same_publisher() -> None:
    assert load("qwen2.5:14b", "Q8_0").quantization == "Q8_0"
    assert load("qwen3:8b").bytes > load("qwen3-8b").bytes


def test_vision_is_beside_the_text() -> None:
    model = load("gemma3:27b")
    assert model.stored is not None
    assert [e.kind for e in model.stored.extras] == ["projector"]
    assert not any(t.name.startswith("v.") for t in model.tensors)
