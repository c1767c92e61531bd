"""Models: how many, how right, and that fine-tunes and bases never crowd a list."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import gyakusan
from gyakusan.catalog import own
from gyakusan.catalog.models import ModelRecord, find, model_records
from gyakusan.core.model import Attention, Recurrent
from gyakusan.errors import Malformed, UnknownName
from gyakusan.models.assemble import plain

RECORDS = {r.name: r for r in model_records()}
WITHIN = 0.01
CONVERTED = tomllib.loads((Path(__file__).parents[2] / "tools" / "mlx_repositories.toml").read_text("utf-8"))


def test_there_are_enough() -> None:
    assert len(RECORDS) >= 500
    japanese = [r for r in RECORDS.values() if r.languages[:1] == ("ja",)]
    assert len(japanese) >= 40
    assert sum(bool(r.gguf) for r in RECORDS.values()) >= 200


def test_mlx_repositories_are_those_that_were_seen() -> None:
    assert {r.name: r.mlx for r in RECORDS.values() if r.mlx} == {name: tuple(seen) for name, seen in CONVERTED.items()}
    assert all(" " in where for seen in CONVERTED.values() for where in seen.values())
    everywhere = [repository for seen in CONVERTED.values() for repository in seen]
    assert len({r.casefold() for r in everywhere}) == len(everywhere) >= 250
    assert sum(bool(r.mlx) for r in model_records() if r.listed) >= 40


@pytest.mark.parametrize("record", [r for r in RECORDS.values() if r.mlx], ids=lambda r: r.name)
def test_an_mlx_repository_is_a_conversion_of_its_model(record: ModelRecord) -> None:
    known = {_bare(a) for a in record.aliases if "/" in a}
    for repository in record.mlx:
        conversion = re.fullmatch(r"([\w-]+/[\w.-]+?)(?:-MLX)?-(?:[468]bit|MXFP4-Q8)", repository, re.IGNORECASE)
        assert conversion, repository
        assert _bare(conversion[1]) in known, repository
    sizes = [s for s in re.findall(r"(?<![\w.])[\d.]+[bm](?![a-z])", record.name) if any(s in k for k in known)]
    assert all(s in r.casefold() for s in sizes for r in record.mlx)


def _bare(repository: str) -> str:
    """A repository's name without its owner, nor the type of its values."""
    return repository.casefold().split("/")[1].removesuffix("-bf16")


def test_only_what_is_meant_for_people_is_listed() -> None:
    listed = [r for r in model_records() if r.listed]
    assert {r.name for r in listed} == {r.name for r in RECORDS.values() if r.listed}
    assert all(r.role != "base" for r in listed)
    assert 70 <= len(listed) <= 140


def test_fine_tunes_say_of_what() -> None:
    tuned = [r for r in RECORDS.values() if r.role == "finetune"]
    assert len(tuned) >= 80
    assert all(r.derived_from in RECORDS for r in tuned if r.derived_from)
    assert sum(not r.derived_from for r in tuned) <= 8


@pytest.mark.parametrize("record", [r for r in RECORDS.values() if r.published], ids=lambda r: r.name)
def test_our_count_is_the_published_one(record: ModelRecord) -> None:
    ours, published = record.parameters, record.published
    embedding = record.metadata[f"{record.architecture}.embedding_length"]
    match record.beside:
        case "":
            assert abs(ours - published) <= WITHIN * published
        case "output":
            vocabulary = record.metadata[f"{record.architecture}.vocab_size"]
            assert abs(ours + vocabulary * embedding - published) <= WITHIN * published
        case "vision":
            assert 0 < published - ours <= max(0.5 * ours, 0.7e9)
        case "prediction":
            assert 0 < published - ours <= 0.03 * ours
        case "count":
            assert record.basis == "assumed"
            assert not record.listed


def test_every_record_has_what_a_reader_wants() -> None:
    for r in RECORDS.values():
        assert all((r.source, r.checked, r.quantization, r.modalities, r.architecture)), r.name
        assert r.trained_context > 0 or r.basis == "assumed", r.name
    assert sum(bool(r.license) for r in RECORDS.values()) >= 0.85 * len(RECORDS)
    assert sum(bool(r.released) for r in RECORDS.values()) >= 0.6 * len(RECORDS)


PATTERNS = {
    "qwen3.8-27b": {Attention: 16, Recurrent: 48},
    "qwen3-coder-next": {Attention: 12, Recurrent: 36},
    "lfm2-350m": {Attention: 6, Recurrent: 10},
    "granite-4.0-h-tiny": {Attention: 4, Recurrent: 36},
    "gemma4-31b": {Attention: 60},
    "olmo-3.1-32b": {Attention: 64},
    "qwen3-vl-30b-a3b": {Attention: 48},
}


@pytest.mark.parametrize("name", PATTERNS)
def test_layer_patterns(name: str) -> None:
    memory = plain(RECORDS[name]).memory
    counts = {kind: sum(len(m.layers) for m in memory if isinstance(m, kind)) for kind in PATTERNS[name]}
    assert counts == PATTERNS[name]


def test_windows_of_olmo_and_gemma() -> None:
    for name, full in (("olmo-3.1-32b", 16), ("gemma4-31b", 10)):
        groups = [m for m in plain(RECORDS[name]).memory if isinstance(m, Attention)]
        assert sum(len(m.layers) for m in groups if m.window is None) == full, name


CARDS = {
    "qwen2.5-3b": (36, 16, 2, 3.09e9),
    "qwen2.5-7b": (28, 28, 4, 7.6e9),
    "qwen2.5-14b": (48, 40, 8, 14.7e9),
    "qwen3-8b": (36, 32, 8, 8.2e9),
    "qwen3-14b": (40, 40, 8, 14.8e9),
    "qwen3-30b-a3b": (48, 32, 4, 30.5e9),
    "llama3.1-8b": (32, 32, 8, 8.0e9),
    "gemma2-9b": (42, 16, 8, 9.2e9),
    "mistral-7b-v0.3": (32, 32, 8, 7.3e9),
    "mixtral-8x7b": (32, 32, 8, 46.7e9),
}
"""Ten models as published: layers, heads, key-value heads, parameters.

Read by hand on 2026-11-23 in stored copies of cards and of pages that quote them: Qwen3-8B's card; apxml.com,
emergentmind.com, fitmygpu.com for the others; Mixtral's figures from its paper as quoted in a LangChain notebook.
"""


@pytest.mark.parametrize("name", CARDS)
def test_ten_models_as_published(name: str) -> None:
    layers, heads, kv, count = CARDS[name]
    record = RECORDS[name]
    get = {k.split(".", 1)[1]: v for k, v in record.metadata.items()}
    assert (get["block_count"], get["attention.head_count"], get["attention.head_count_kv"]) == (layers, heads, kv)
    assert record.parameters == pytest.approx(count, rel=0.01)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("qwen2.5:14b", "qwen2.5-14b"),
        ("Qwen/Qwen2.5-14B-Instruct", "qwen2.5-14b"),
        ("gpt-oss 20b", "gpt-oss-20b"),
        ("llama 3.1 8b", "llama3.1-8b"),
        ("Qwen/Qwen2.5-Coder-14B-Instruct", "qwen2.5-coder-14b"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "deepseek-r1-distill-qwen-32b"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert find(text).name == name


def test_metadata_of_another_record() -> None:
    tune, base = RECORDS["deepseek-r1-distill-qwen-32b"], RECORDS["qwen2.5-32b"]
    assert tune.like == "qwen2.5-32b"
    assert {k: v for k, v in tune.metadata.items() if "context" not in k} == {
        k: v for k, v in base.metadata.items() if "context" not in k
    }


@pytest.mark.parametrize("size", ["4b", "30b-a3b", "235b-a22b"])
def test_the_qwen3_of_july_2025_have_their_own_context(size: str) -> None:
    """They are no aliases of the models of April, whose context is 40,960 tokens and which reason."""
    for kind in ("Instruct", "Thinking"):
        found = find(f"Qwen/Qwen3-{size}-{kind}-2507")
        assert (found.name, found.trained_context) == (f"qwen3-{size}-{kind.lower()}-2507", 262144)
        april = find(f"qwen3-{size}")
        assert (april.trained_context, april.parameters) == (40960, found.parameters)


INCOMPLETE = """
[[model]]
name = "mine"
like = "laguna-xs.2"
parameters = 33442617088
tensors = 678
tied = false
quantization = "Q4_K_M"
basis = "assumed"
source = "x"
checked = "2026"

[model.metadata]
"laguna.feed_forward_length" = 0
"""


@pytest.mark.parametrize("name", ["laguna-s-2.1", "laguna-xs.2"])
def test_a_shape_that_makes_the_published_count_is_planned_with(name: str) -> None:
    record = find(name)
    assert (record.beside, record.parameters) == ("", record.published)
    assert gyakusan.inspect(name, device="2x RTX 5090").to_json("en")


def test_a_record_without_the_width_of_its_first_layer_is_said_to_be_incomplete(home: Path) -> None:
    own.add(INCOMPLETE.encode(), "mine")
    with pytest.raises(Malformed, match="record of mine"):
        gyakusan.inspect("mine", device="2x RTX 5090")


def test_a_maker_s_names_are_of_one_style() -> None:
    """`gemma4-12b` and `gemma-4-31b` stood in one table."""
    styles: dict[tuple[str, str, str], set[bool]] = {}
    for record in model_records():
        makers = {alias.split("/")[0] for alias in record.aliases if "/" in alias} or {""}
        found = re.match(r"([a-z-]+?)(-?)(\d+(?:\.\d+)?)(?=[-v]|$)", record.name)
        for maker in makers if found else ():
            styles.setdefault((maker, found[1], found[3]), set()).add(bool(found[2]))  # type: ignore[index]
    mixed = sorted(k for k, dashed in styles.items() if len(dashed) > 1)
    assert not mixed


@pytest.mark.parametrize(
    ("name", "near"), [("bge-small-en-v1.5", "bge-m3"), ("nomic-embed", "nomic-embed-text-v1.5"), ("qwen9-1b", "qwen")]
)
def test_names_of_one_line_are_proposed_first(name: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean {near}"):
        find(name)


def test_a_reranker_is_said_to_be_one() -> None:
    with pytest.raises(UnknownName, match="No reranker is known"):
        find("bge-reranker-v2-m3")
