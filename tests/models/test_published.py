"""Models in the bytes of published files."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from gyakusan import models
from gyakusan.catalog.artifacts import artifacts, best
from gyakusan.catalog.models import find
from gyakusan.core import recipe
from gyakusan.models.assemble import plain
from gyakusan.models.published import HEADER, NEAR, at_tag, sized_as

EXACT = [
    (a.model, a.quantization)
    for name in ("qwen3.8-27b", "qwen3.6-27b", "qwen3.6-35b-a3b", "gemma4-26b-a4b", "gpt-oss-20b", "qwen3-8b")
    for a in artifacts(name)
    if a.format == "gguf"
    and a.bytes
    and not a.rounded
    and a == best(name, a.quantization)
    and "NL" not in a.quantization
]


@pytest.mark.parametrize(("name", "tag"), EXACT, ids=str)
def test_the_bytes_are_those_of_the_file(name: str, tag: str) -> None:
    artifact = best(name, tag)
    assert artifact is not None
    assert artifact.bytes is not None
    made = models.load(name, tag)
    assert made.bytes == pytest.approx(artifact.bytes, rel=0.005)
    assert made.bytes < artifact.bytes * (1 + NEAR)


def test_a_mix_is_not_the_recipe() -> None:
    unquantized = plain(find("qwen3.8-27b"))
    made = at_tag(unquantized, "UD-Q6_K_XL")
    assert made.quantization == "UD-Q6_K_XL"
    assert made.bytes > recipe.apply("Q6_K", unquantized).bytes * 1.05
    assert {t.shape for t in made.tensors} == {t.shape for t in unquantized.tensors}


def test_a_file_that_is_the_recipe_keeps_its_types() -> None:
    unquantized = plain(find("qwen3-8b"))
    assert at_tag(unquantized, "Q4_K_M") == recipe.apply("Q4_K_M", unquantized)


def test_mxfp4_is_one_format_under_two_names() -> None:
    unquantized = plain(find("gpt-oss-20b"))
    assert at_tag(unquantized, "MXFP4").bytes == at_tag(unquantized, "MXFP4_MOE").bytes


def test_what_is_not_known_stays_as_the_recipe_makes_it() -> None:
    unquantized = plain(find("mamba-2.8b"))
    assert at_tag(unquantized, "Q4_K_M") == recipe.apply("Q4_K_M", unquantized)
    own = replace(plain(find("qwen3.8-27b")), source="/home/me/model")
    assert at_tag(own, "Q6_K") == recipe.apply("Q6_K", own)


def test_a_rounded_size_does_not_move_what_is_within_the_rounding() -> None:
    made = recipe.apply("Q8_0", plain(find("qwen3-8b")))
    artifact = artifacts("qwen3-8b")[0]
    near = structs.replace(artifact, bytes=made.bytes + HEADER * 151936 + 40_000_000, rounded=True)
    assert sized_as(made, near) == made
    far = structs.replace(near, bytes=made.bytes + 300_000_000)
    assert sized_as(made, far).bytes > made.bytes
    assert sized_as(made, structs.replace(near, bytes=None)) == made
