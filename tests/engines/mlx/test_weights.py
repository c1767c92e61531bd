"""Weights of MLX-LM against the parameters of the real library: plain, 4 bits, 8 bits."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engines.mlx.test_cache import TRUTH, model

from gyakusan import models
from gyakusan.engines.mlx.settings import FORMATS, Settings, format_of
from gyakusan.engines.mlx.weights import parts, stored, weights

ROWS = [r for r in TRUTH["rows"] if "weights" in r]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r["family"])
def test_bytes_are_the_librarys_own(row: dict[str, Any]) -> None:
    for bits, size in row["weights"].items():
        form = "bf16" if bits == "None" else f"{bits}bit"
        assert weights(model(row["family"]), Settings(1, weights=form)) == size, form


def test_gpt_oss_has_the_size_of_its_conversion() -> None:
    """mlx-community/gpt-oss-20b-MXFP4-Q8 is listed with 12.1 GB."""
    size = weights(models.load("gpt-oss-20b"), Settings(1, weights="mxfp4-q8"))
    assert round(size / 1e9, 1) == 12.1


def test_a_group_has_a_scale_and_a_bias() -> None:
    assert stored(6400, FORMATS["4bit"]) == 3200 + 100 * 4
    assert stored(6400, FORMATS["mxfp4"]) == 3200 + 200


def test_parts_sum_up() -> None:
    m = model("gpt_oss")
    found = parts(m, Settings(1, weights="mxfp4-q8"))
    assert {p.name for p in found} == {"mxfp4", "8bit", "bf16"}
    assert sum(p.values for p in found) == m.parameters


@pytest.mark.parametrize(
    ("gguf", "mlx"),
    [
        ("Q4_K_M", "4bit"),
        ("F16", "bf16"),
        ("BF16", "bf16"),
        ("Q8_0", "8bit"),
        ("Q6_K", "6bit"),
        ("IQ3_XXS", "3bit"),
        ("MXFP4_MOE", "mxfp4-q8"),
        ("4bit", "4bit"),
        ("unknown", "4bit"),
    ],
)
def test_nearest_format(gguf: str, mlx: str) -> None:
    assert format_of(gguf) == mlx
