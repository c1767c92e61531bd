"""The real MLX-LM on this computer's CPU: small random models of seven families count their own caches.

Skipped where MLX-LM is not installed: pip install 'gyakusan[mlx]' (Linux, 352 MB). The recorded answers are judged anyway.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from tests.engines.mlx.test_cache import TRUTH, asked, model

from gyakusan.engines.mlx import cache
from gyakusan.engines.mlx.settings import Settings
from gyakusan.engines.mlx.weights import weights

FAMILIES = ("llama", "qwen3", "gemma3", "gpt_oss", "deepseek_v2", "deepseek_v3", "falcon_h1", "qwen3_next")


@pytest.fixture(scope="module")
def real() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("mlx.core", reason="MLX is not installed: pip install 'gyakusan[mlx]'")
        pytest.importorskip("mlx_lm", reason="MLX-LM is not installed: pip install 'gyakusan[mlx]'")
        from tests.oracle import mlx_real
    return mlx_real


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_bytes_are_the_librarys_own(real: Any, family: str) -> None:
    made = real.build(TRUTH["configs"][family])
    for tokens, users in ((70, 1), (130, 2), (258, 1)):
        row = {"family": family, **real.fill(made, tokens, 64, users)}
        held = cache.groups(model(family), asked(row))
        assert users * sum(h.prompt for h in held) == sum(row["prompt"].values())
        assert users * sum(h.answer for h in held) == sum(row["answer"].values())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_the_librarys_own(real: Any, family: str) -> None:
    assert weights(model(family), Settings(1, weights="4bit")) == real.weights(TRUTH["configs"][family], 4)
