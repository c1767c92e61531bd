"""Recipes against recorded files, and their edges."""

from __future__ import annotations

from dataclasses import replace

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.oracle.subjects import Subject, recorded, subject, types_of

from gyakusan.core import recipe
from gyakusan.core.dtypes import BY_CODE, DTYPES
from gyakusan.core.model import Attention, Compressed, Dense, Experts, Latent, Memory, Model, Recurrent, Tensor
from gyakusan.core.recipe import FILE_TYPES, NEEDS_MATRIX, QUANTIZATIONS
from gyakusan.errors import BadSetting, UnknownName

FILES = [(name, q) for name, row in recorded().items() for q in row["types"]]


def chosen(who: Subject, quantization: str) -> tuple[str, ...]:
    return recipe.types(quantization, who.architecture, who.tensors, matrix=False, **who.facts())


def in_truth(who: Subject) -> Subject:
    """The record of MiniMax-M3 kept the indexer in F16, where the converter writes F32 (conversion/minimax.py)."""
    if who.architecture != "minimax-m3":
        return who
    kept = (".indexer.k_proj.", ".indexer.q_proj.")
    return replace(who, tensors=tuple(t.stored_as("F16") if any(k in t.name for k in kept) else t for t in who.tensors))


@pytest.mark.parametrize(("name", "quantization"), FILES)
def test_types_of_a_recorded_file(name: str, quantization: str) -> None:
    who = in_truth(subject(name))
    expected, actual = types_of(name, quantization), chosen(who, quantization)
    wrong = [(t.name, e, a) for t, e, a in zip(who.tensors, expected, actual, strict=True) if e != a]
    assert wrong == []


@pytest.mark.parametrize("name", [n for n, row in recorded().items() if "F16" in row["types"]])
def test_converter_rule_tells_f32_from_f16(name: str) -> None:
    who = subject(name)
    actual = tuple(recipe.converted(t.name, t.shape, who.architecture) for t in who.tensors)
    assert actual == types_of(name, "F16")


@pytest.mark.parametrize("name", sorted(recorded()))
@pytest.mark.parametrize("target", ["Q4_K_M", "IQ4_XS"])
def test_a_quantised_file_requantises_like_its_source(name: str, target: str) -> None:
    who = in_truth(subject(name))
    first = next(q for q in recorded()[name]["types"] if q != "F16")
    stored = replace(
        who, tensors=tuple(t.stored_as(x) for t, x in zip(who.tensors, types_of(name, first), strict=True))
    )
    assert chosen(stored, target) == chosen(who, target)


@pytest.mark.parametrize(("name", "quantization"), FILES)
def test_guess_names_a_recorded_file(name: str, quantization: str) -> None:
    tensors = [t.stored_as(x) for t, x in zip(subject(name).tensors, types_of(name, quantization), strict=True)]
    assert recipe.guess(tensors) == quantization


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_guess_names_what_types_made(quantization: str) -> None:
    # Without experts, MXFP4_MOE is Q8_0.
    who = subject("qwen3-30b-a3b" if quantization == "MXFP4_MOE" else "llama3.1-8b")
    tensors = [t.stored_as(x) for t, x in zip(who.tensors, chosen(who, quantization), strict=True)]
    assert recipe.guess(tensors) == quantization


def test_guess_without_a_recipe() -> None:
    assert recipe.guess([]) == "unknown"
    assert recipe.guess([Tensor("blk.0.attn_q.weight", (512, 512), "F8_E4M3")]) == "F8_E4M3"
    assert recipe.guess([Tensor("blk.0.attn_q.weight", (512, 512), "NVFP4")]) == "NVFP4"
    assert recipe.guess([Tensor("rope_freqs.weight", (64,), "F32")]) == "F32"


def test_file_types_are_those_of_the_gguf_package() -> None:
    names = {e.value: e.name.removeprefix("MOSTLY_").removeprefix("ALL_") for e in gguf.LlamaFileType}
    names = {k: v for k, v in names.items() if v != "GUESSED"}
    assert {k: FILE_TYPES[k] for k in names} == names


def test_names() -> None:
    assert set(QUANTIZATIONS) <= set(FILE_TYPES.values())
    assert set(QUANTIZATIONS) >= NEEDS_MATRIX
    assert [recipe.canonical(x) for x in ("q4_k_m", "Q4_K", "mxfp4", "fp16", "IQ4-XS")] == [
        *("Q4_K_M", "Q4_K_M", "MXFP4_MOE", "F16", "IQ4_XS")
    ]


def test_unknown_name_carries_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Q4_K_M"):
        recipe.types("Q4_K_X", "llama", [], layers=1, experts=0, heads=1, kv_heads=1)


def test_row_that_nothing_divides() -> None:
    tensor = Tensor("blk.0.attn_q.weight", (96, 8), "F16")
    with pytest.raises(BadSetting, match=r"128.*96"):
        recipe.types("Q1_0", "llama", [tensor], layers=1, experts=0, heads=1, kv_heads=1)


@given(st.integers(1, 2048), st.sampled_from(QUANTIZATIONS), st.sampled_from(["attn_v", "ffn_down", "attn_output"]))
def test_rows_are_whole_blocks(row: int, quantization: str, name: str) -> None:
    tensor = Tensor(f"blk.0.{name}.weight", (row, 7), "F16")
    if quantization == "Q1_0" and row % 128:
        return
    (found,) = recipe.types(quantization, "llama", [tensor], layers=1, experts=0, heads=8, kv_heads=1)
    assert row % DTYPES[found].block == 0


def test_order_of_tensors_does_not_matter() -> None:
    who = subject("llama3.2-1b")
    forwards = dict(zip((t.name for t in who.tensors), chosen(who, "Q4_K_M"), strict=True))
    back = replace(who, tensors=who.tensors[::-1])
    assert dict(zip((t.name for t in back.tensors), chosen(back, "Q4_K_M"), strict=True)) == forwards


def test_odd_names_do_no_harm() -> None:
    names = ("blk.", "blk.x.ffn_down.weight", "blk.0", "blk.-1.ffn_down.weight", "", "weight", "ffn_down.weight")
    tensors = [Tensor(n, (256, 2), "F16") for n in names]
    found = recipe.types("Q4_K_M", "llama", tensors, layers=0, experts=8, heads=0, kv_heads=0)
    assert [DTYPES[x].quantized for x in found] == [n.endswith("weight") for n in names]


def _model(memory: tuple[Memory, ...], names: tuple[str, ...]) -> Model:
    tensors = tuple(Tensor(f"blk.{i}.{n}.weight", (256, 256), "F16") for i in range(4) for n in names)
    feed = (Dense((0, 1), 256), Experts((2, 3), 16, 2, 256))
    return Model("m", "x", 4, 256, 100, 4096, memory, feed, (*tensors, Tensor("output.weight", (256, 100), "F16")))


GROUPED = Attention((3,), heads=8, key=128, value=128, key_head=64, value_head=64)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        # IQ4_XS: Q5_K for attn_v where four query heads or more share a KV head in the first block
        ((structs.replace(GROUPED, layers=(0, 1, 2, 3)),), "Q5_K"),
        ((structs.replace(GROUPED, layers=(0, 1, 2, 3), key=256),), "IQ4_XS"),
        ((Recurrent((0, 1, 2), "gated_delta", 1, 1), GROUPED), "Q5_K"),
        ((Recurrent((0, 1, 2), "mamba2", 1, 1), GROUPED), "IQ4_XS"),
        ((Latent((0, 1, 2, 3), 8, 64, 16, 64, 64),), "Q5_K"),
        ((Compressed((0, 1, 2, 3), 8, 64, 128),), "Q5_K"),
        ((), "IQ4_XS"),
    ],
)
def test_apply_finds_the_grouping(memory: tuple[Memory, ...], expected: str) -> None:
    before = _model(memory, ("attn_v", "ffn_up"))
    after = recipe.apply("iq4_xs", before)
    assert {t.type for t in after.tensors if "attn_v" in t.name} == {expected}
    assert after.quantization == "IQ4_XS"
    assert [t.name for t in after.tensors] == [t.name for t in before.tensors]
    assert {t.type for t in before.tensors} == {"F16"}


def test_apply_sees_the_experts() -> None:
    # With eight experts attn_v is Q8_0.
    dense = _model((GROUPED,), ("attn_v",))
    eight = replace(dense, feed_forward=(Experts((0, 1, 2, 3), 8, 2, 256),))
    assert {t.type for t in recipe.apply("Q4_0", eight).tensors} == {"Q8_0", "Q6_K"}
    assert {t.type for t in recipe.apply("Q4_0", dense).tensors} == {"Q4_0", "Q6_K"}


def test_types_are_ggml_types() -> None:
    assert {recipe.names.DEFAULT[q] for q in QUANTIZATIONS} <= {d.name for d in BY_CODE.values()}
