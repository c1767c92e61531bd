"""Publishers' mixes: the recipe that each is nearest to, and files of a known size."""

from __future__ import annotations

import pytest

from gyakusan.catalog import models
from gyakusan.core import recipe
from gyakusan.core.model import Model
from gyakusan.models.assemble import plain


@pytest.fixture(scope="module")
def qwen() -> Model:
    return plain(models.find("qwen3-8b"))


@pytest.mark.parametrize(
    ("name", "nearest", "shown"),
    [
        ("UD-Q4_K_XL", "Q4_K_M", "UD-Q4_K_XL"),
        ("ud-q4_k_xl", "Q4_K_M", "UD-Q4_K_XL"),
        ("Q4_K_XL", "Q4_K_M", "UD-Q4_K_XL"),
        ("UD-IQ2_XXS", "IQ2_XXS", "UD-IQ2_XXS"),
        ("UD-Q6_K", "Q6_K", "UD-Q6_K"),
        ("Q4_K_L", "Q4_K_M", "Q4_K_L"),
        ("UD-Q3_K_XL", "Q3_K_M", "UD-Q3_K_XL"),
        ("Q3_K_XL", "Q3_K_L", "Q3_K_XL"),
    ],
)
def test_names(name: str, nearest: str, shown: str) -> None:
    found = recipe.find_mix(name)
    assert found is not None
    assert (found.recipe, found.name) == (nearest, shown)


@pytest.mark.parametrize("name", ["Q4_K_M", "IQ4_XS", "UD-", "UD-FP8", "", "XL"])
def test_no_mixes(name: str) -> None:
    assert recipe.find_mix(name) is None


def test_a_large_mix_keeps_tables_at_eight_bits(qwen: Model) -> None:
    large, usual = recipe.apply("Q5_K_L", qwen), recipe.apply("Q5_K_M", qwen)
    changed = {t.name for t, u in zip(large.tensors, usual.tensors, strict=True) if t != u}
    assert changed == {"token_embd.weight", "output.weight"}
    assert {t.type for t in large.tensors if t.name in changed} == {"Q8_0"}
    assert large.quantization == "Q5_K_L"


@pytest.mark.parametrize(("base", "ratio"), [("Q4_K_M", 1.12), ("Q4_K_M", 0.9), ("IQ2_XXS", 1.2), ("Q8_0", 1.3)])
def test_a_file_of_another_size(qwen: Model, base: str, ratio: float) -> None:
    made = recipe.apply(base, qwen)
    size = round(made.bytes * ratio)
    found = recipe.sized(made, size)
    assert abs(found.bytes - size) <= 2e-3 * size
    assert [(t.name, t.shape) for t in found.tensors] == [(t.name, t.shape) for t in made.tensors]
    moved = [t.name for t, u in zip(found.tensors, made.tensors, strict=True) if t.type != u.type]
    assert not [n for n in moved if n.endswith("_norm.weight")]
    blocks = sorted(int(n.split(".")[1]) for n in moved if n.startswith("blk."))
    assert blocks[0] < qwen.blocks / 4
    assert blocks[-1] > qwen.blocks * 3 / 4, "both ends of the model carry their share"


def test_the_same_size_changes_nothing(qwen: Model) -> None:
    made = recipe.apply("Q4_K_M", qwen)
    assert recipe.sized(made, made.bytes).tensors == made.tensors


@pytest.mark.parametrize(
    ("model", "name", "size"),
    [
        ("qwen3-vl-8b", "UD-Q4_K_XL", 5148699488),
        ("qwen3.5-9b", "UD-Q4_K_XL", 5966095584),
        ("qwen3.6-35b-a3b", "UD-Q5_K_XL", 26592508896),
    ],
)
def test_dynamic_mixes_are_near_their_files(model: str, name: str, size: int) -> None:
    """Sizes of unsloth's files (artifacts.csv, 2026-11): the derived size is within 3 %."""
    made = recipe.apply(name, plain(models.find(model)))
    assert made.quantization == name
    assert abs(made.bytes / size - 1) < 0.03
